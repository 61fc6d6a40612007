/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.c - see select.h. Pure decisions over gathered metadata; talks to nobody.
 */
#define _GNU_SOURCE
#include "backup/select.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

void selection_note(struct selection *selection, const char *format, ...) {
        va_list ap;
        char *note;
        int n;

        va_start(ap, format);
        n = vasprintf(&note, format, ap);
        va_end(ap);
        if (n < 0)
                return;
        if (ARRAY_RESERVE(&selection->notes, selection->note_count, &selection->note_capacity) < 0)
                free(note);
        else
                selection->notes[selection->note_count++] = note;
}

struct vss_component_key component_key(const struct chosen_writer *writer,
                                       const struct chosen_component *component) {
        return (struct vss_component_key){ .writer_id = writer->identity.writer_id,
                                           .type = component->info.type,
                                           .logical_path = component->info.logical_path,
                                           .name = component->info.name };
}

int each_file_set(const struct chosen_component *component, file_set_fn fn, void *userdata) {
        const struct vss_component_info *info = &component->info;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < info->file_count; i++)
                r = fn(userdata, vss_wm_component_get_file(component->component, i));
        for (size_t i = 0; r >= 0 && i < info->database_count; i++)
                r = fn(userdata, vss_wm_component_get_database_file(component->component, i));
        for (size_t i = 0; r >= 0 && i < info->log_file_count; i++)
                r = fn(userdata, vss_wm_component_get_database_log_file(component->component, i));
        return r;
}

static int load_component(const struct chosen_writer *writer, size_t index,
                          struct chosen_component *ret) {
        ret->component = vss_examine_writer_metadata_get_component(writer->metadata, index);
        vss_wm_component_get_component_info(ret->component, &ret->info);
        ret->kind = vss_examine_writer_metadata_classify(writer->metadata, index);
        ret->defining = index;
        if (asprintf(&ret->full_path, "%s%s%s",
                     ret->info.logical_path ? ret->info.logical_path : "",
                     ret->info.logical_path && *ret->info.logical_path ? "\\" : "",
                     ret->info.name) < 0) {
                ret->full_path = NULL;
                return -ENOMEM;
        }
        return 0;
}

int selection_add_writer(struct selection *selection, const struct vss_id *instance,
                         struct vss_examine_writer_metadata *metadata) {
        struct chosen_writer *w;
        size_t count;

        if (ARRAY_RESERVE(&selection->writers, selection->writer_count,
                          &selection->writer_capacity) < 0)
                return -ENOMEM;
        w = &selection->writers[selection->writer_count];
        *w = (struct chosen_writer){ .instance_id = *instance, .metadata = metadata };
        vss_examine_writer_metadata_get_identity(metadata, &w->identity);
        w->schema = vss_examine_writer_metadata_get_backup_schema(metadata);
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        w->components = calloc(count ? count : 1, sizeof(*w->components));
        if (!w->components)
                return -ENOMEM;
        w->component_count = count;
        selection->writer_count++; /* selection_done() releases it from here on */
        for (size_t i = 0; i < count; i++) {
                int r = load_component(w, i, &w->components[i]);

                if (r < 0)
                        return r;
        }
        return 0;
}

struct coverage {
        const char *const *paths;
        size_t sets;
        bool outside;
};

static int cover_file_set(void *userdata, const struct vss_wm_filedesc *file) {
        struct coverage *c = userdata;

        c->sets++;
        for (size_t i = 0; c->paths && c->paths[i]; i++)
                if (path_is_below(vss_wm_filedesc_get_path(file), c->paths[i]))
                        return 0;
        c->outside = true;
        return 0;
}

/* wanted_by_paths() - do all files of the component's whole set lie below the paths? */
static bool wanted_by_paths(const struct chosen_writer *writer, size_t index,
                            const char *const *paths) {
        struct coverage c = { .paths = paths };

        for (size_t i = 0; i < writer->component_count; i++)
                if (i == index ||
                    (writer->components[index].info.selectable &&
                     vss_examine_writer_metadata_is_below(writer->metadata, i, index)))
                        (void)each_file_set(&writer->components[i], cover_file_set, &c);
        return c.sets > 0 && !c.outside;
}

/* has_explicit_above() - the set of an explicit selectable component holds @index already */
static bool has_explicit_above(const struct chosen_writer *writer, size_t index) {
        for (size_t i = 0; i < writer->component_count; i++)
                if (i != index && writer->components[i].explicit_ &&
                    writer->components[i].info.selectable &&
                    vss_examine_writer_metadata_is_below(writer->metadata, index, i))
                        return true;
        return false;
}

/* drop_explicit_below() - L-32: whoever joins a larger set stops being explicit */
static void drop_explicit_below(struct chosen_writer *writer, size_t index) {
        for (size_t i = 0; i < writer->component_count; i++)
                if (i != index && vss_examine_writer_metadata_is_below(writer->metadata, i, index))
                        writer->components[i].explicit_ = false;
}

static void choose(struct chosen_writer *writer, size_t index) {
        struct chosen_component *c = &writer->components[index];

        if (c->explicit_ || has_explicit_above(writer, index))
                return;
        c->explicit_ = true;
        if (c->info.selectable)
                drop_explicit_below(writer, index);
}

static void choose_by_paths(struct chosen_writer *writer, const struct selection_request *request) {
        for (size_t i = 0; i < writer->component_count; i++) {
                const struct chosen_component *c = &writer->components[i];

                if (c->kind == VSS_COMPONENT_BOUND)
                        continue;
                if (request->all_components || wanted_by_paths(writer, i, request->paths))
                        choose(writer, i);
        }
}

static bool writer_is_called(const struct chosen_writer *writer, const char *name, size_t length) {
        char *text = strndupa(name, length);
        struct vss_id id;

        if (vss_id_parse(text, &id) >= 0)
                return vss_id_equal(&id, &writer->identity.writer_id) ||
                       vss_id_equal(&id, &writer->instance_id);
        return strcmp(text, writer->identity.name) == 0;
}

static int choose_in_writer(struct chosen_writer *writer, const char *path, const char *given,
                            bool *found, struct vss_error *reterr) {
        for (size_t i = 0; i < writer->component_count; i++) {
                struct chosen_component *c = &writer->components[i];

                if (path && strcmp(c->full_path, path) != 0)
                        continue;
                if (path && c->kind == VSS_COMPONENT_BOUND)
                        return vss_fail(reterr, E_INVALIDARG,
                                        "component '%s' comes only with the component above it; "
                                        "name that one",
                                        given);
                if (c->kind != VSS_COMPONENT_BOUND) {
                        choose(writer, i);
                        *found = true;
                }
        }
        return 0;
}

static int choose_by_name(struct selection *s, const char *given, struct vss_error *reterr) {
        const char *colon = strchr(given, ':');
        size_t length = colon ? (size_t)(colon - given) : strlen(given);
        bool found = false;

        for (size_t i = 0; i < s->writer_count; i++) {
                int r;

                if (!writer_is_called(&s->writers[i], given, length))
                        continue;
                r = choose_in_writer(&s->writers[i], colon ? colon + 1 : NULL, given, &found,
                                     reterr);
                if (r < 0)
                        return r;
        }
        if (!found)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "no writer has a component '%s'; 'vssctl list components' shows "
                                "them, written WRITER:PATH",
                                given);
        return 0;
}

/* complete_writer() - L-10, then what comes along implicitly (L-11) */
static void complete_writer(struct selection *s, struct chosen_writer *writer,
                            const struct selection_request *request) {
        for (size_t i = 0; i < writer->component_count; i++)
                writer->participates |= writer->components[i].explicit_;
        if (!writer->participates)
                return;
        for (size_t i = 0; i < writer->component_count; i++) {
                struct chosen_component *c = &writer->components[i];

                if (c->kind != VSS_COMPONENT_REQUIRED || c->explicit_)
                        continue;
                c->explicit_ = true;
                if (request->paths && !request->all_components)
                        selection_note(s,
                                       "component '%s' of writer '%s' is taken too: the writer "
                                       "requires it",
                                       c->full_path, writer->identity.name);
        }
        for (size_t i = 0; i < writer->component_count; i++) {
                struct chosen_component *c = &writer->components[i];

                if (!c->explicit_)
                        continue;
                c->included = true;
                if (!c->info.selectable)
                        continue;
                for (size_t j = 0; j < writer->component_count; j++)
                        if (j != i &&
                            vss_examine_writer_metadata_is_below(writer->metadata, j, i)) {
                                writer->components[j].included = true;
                                writer->components[j].defining = i;
                        }
        }
        for (size_t i = 0; i < writer->component_count; i++)
                writer->components[i].covered = writer->components[i].included;
}

/* ---- what components of other writers come along (B-158) ---- */

/* standing_for() - what has to be explicit for component @index to be in the backup */
static size_t standing_for(const struct chosen_writer *writer, size_t index) {
        size_t found = index;

        for (size_t i = 0;
             writer->components[index].kind == VSS_COMPONENT_BOUND && i < writer->component_count;
             i++)
                if (writer->components[i].info.selectable &&
                    vss_examine_writer_metadata_is_below(writer->metadata, index, i) &&
                    (found == index ||
                     vss_examine_writer_metadata_is_below(writer->metadata, i, found)))
                        found = i;
        return found;
}

static struct chosen_component *find_target(struct selection *s, const struct vss_id *id,
                                            const char *full_path, struct chosen_writer **ret) {
        for (size_t i = 0; i < s->writer_count; i++) {
                struct chosen_writer *w = &s->writers[i];

                if (!vss_id_equal(&w->identity.writer_id, id))
                        continue;
                for (size_t k = 0; k < w->component_count; k++)
                        if (strcmp(w->components[k].full_path, full_path) == 0) {
                                *ret = w;
                                return &w->components[k];
                        }
        }
        return NULL;
}

/* pull_target() - 1 when something came along. What depends on a component that nobody has stays
 * in the backup: to leave it out would save nobody */
static int pull_target(struct selection *s, const struct chosen_writer *from,
                       struct chosen_component *dependent,
                       const struct vss_wm_dependency *dependency) {
        const char *path = vss_wm_dependency_get_logical_path(dependency);
        const char *name = vss_wm_dependency_get_component_name(dependency);
        struct vss_id id = vss_wm_dependency_get_writer_id(dependency);
        _cleanup_free_ char *full_path = NULL;
        struct chosen_component *target;
        struct chosen_writer *w;

        if (asprintf(&full_path, "%s%s%s", path ? path : "", path && *path ? "\\" : "", name) < 0) {
                full_path = NULL;
                return -ENOMEM;
        }
        target = find_target(s, &id, full_path, &w);
        if (target && target->included)
                return 0;
        if (!target) {
                char text[VSS_ID_TEXT_SIZE];

                if (!dependent->warned)
                        selection_note(s,
                                       "component '%s' of writer '%s' depends on '%s' of writer "
                                       "%s, which %s: it is saved without that one",
                                       dependent->full_path, from->identity.name, full_path,
                                       vss_id_format(&id, text),
                                       strncmp(full_path, "\\\\", 2) == 0 ? "is on another machine"
                                                                          : "nobody here has");
                dependent->warned = true;
                return 0;
        }
        choose(w, standing_for(w, (size_t)(target - w->components)));
        selection_note(s,
                       "component '%s' of writer '%s' is taken too: '%s' of writer '%s' depends "
                       "on it",
                       target->full_path, w->identity.name, dependent->full_path,
                       from->identity.name);
        return 1;
}

static int pull_targets(struct selection *s, struct chosen_writer *writer) {
        int pulled = 0;

        for (size_t i = 0; i < writer->component_count; i++) {
                struct chosen_component *c = &writer->components[i];

                for (size_t k = 0; c->included && k < c->info.dependency_count; k++) {
                        int r = pull_target(s, writer, c,
                                            vss_wm_component_get_dependency(c->component, k));

                        if (r < 0)
                                return r;
                        pulled |= r;
                }
        }
        return pulled;
}

/* complete() - until nothing more comes along */
static int complete(struct selection *s, const struct selection_request *request) {
        int r;

        do {
                r = 0;
                for (size_t i = 0; i < s->writer_count; i++)
                        complete_writer(s, &s->writers[i], request);
                for (size_t i = 0; r == 0 && i < s->writer_count; i++)
                        r = pull_targets(s, &s->writers[i]);
        } while (r > 0);
        return r;
}

int selection_choose(struct selection *s, const struct selection_request *request,
                     struct vss_error *reterr) {
        for (size_t i = 0; request->components && request->components[i]; i++) {
                int r = choose_by_name(s, request->components[i], reterr);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < s->writer_count; i++)
                choose_by_paths(&s->writers[i], request);
        return complete(s, request);
}

int selection_make(struct vss_backup_components *bc, const struct selection_request *request,
                   struct selection *ret, struct vss_error *reterr) {
        struct selection s = { 0 };
        size_t count;
        int r = vss_backup_components_get_writer_metadata_count(bc, &count, reterr);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_id instance;

                r = vss_backup_components_get_writer_metadata(bc, i, &instance, &metadata, reterr);
                if (r >= 0)
                        r = selection_add_writer(&s, &instance, metadata);
        }
        if (r >= 0)
                r = selection_choose(&s, request, reterr);
        if (r < 0) {
                selection_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

void selection_done(struct selection *selection) {
        for (size_t i = 0; i < selection->writer_count; i++) {
                struct chosen_writer *w = &selection->writers[i];

                for (size_t j = 0; w->components && j < w->component_count; j++)
                        free(w->components[j].full_path);
                free(w->components);
        }
        free(selection->writers);
        for (size_t i = 0; i < selection->note_count; i++)
                free(selection->notes[i]);
        free(selection->notes);
        memset(selection, 0, sizeof(*selection));
}
