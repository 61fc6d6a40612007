/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.c - see select.h. Pure decisions over gathered metadata; talks to nobody.
 *
 * Whatever becomes included stands in a line once; the line is worked off for what it depends on.
 * A component is visited by its own choice, by that of each selectable one above it, and no other.
 */
#define _GNU_SOURCE
#include "backup/select.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

struct arrival {
        size_t writer, component;
};

struct choosing {
        struct selection *s;
        const struct selection_request *request;
        struct arrival *line; /* everything included, in the order in which it came */
        size_t count, capacity;
};

/* ---- one component ---- */

/* below_next() - the next one of all below @top, @at itself first being @top; any order */
static size_t below_next(const struct chosen_writer *writer, size_t top, size_t at) {
        const struct chosen_component *c = writer->components;

        if (c[at].first_below != COMPONENT_NONE)
                return c[at].first_below;
        while (at != top && c[at].next_below == COMPONENT_NONE)
                at = c[at].above;
        return at == top ? COMPONENT_NONE : c[at].next_below;
}

/* include() - @index comes along because of @defining */
static int include(struct choosing *choosing, size_t writer, size_t index, size_t defining,
                   const char *rule) {
        struct chosen_component *c = &choosing->s->writers[writer].components[index];

        c->explicit_ =
                index == defining; /* L-32: whoever joins a larger set stops being explicit */
        c->defining = defining;
        c->rule = rule;
        if (c->included)
                return 0;
        if (ARRAY_RESERVE(&choosing->line, choosing->count, &choosing->capacity) < 0)
                return -ENOMEM;
        c->included = c->covered = true;
        choosing->line[choosing->count++] = (struct arrival){ writer, index };
        return 0;
}

/* choose() - make it explicit, with its whole set (L-11), unless one above brings it (L-9) */
static int choose(struct choosing *choosing, size_t writer, size_t index, const char *rule) {
        struct chosen_writer *w = &choosing->s->writers[writer];
        int r;

        for (size_t i = index; i != COMPONENT_NONE; i = w->components[i].above)
                if (w->components[i].explicit_)
                        return 0;
        w->participates = true;
        r = include(choosing, writer, index, index, rule);
        if (!w->components[index].info.selectable)
                return r;
        for (size_t i = index; r >= 0 && (i = below_next(w, index, i)) != COMPONENT_NONE;)
                r = include(choosing, writer, i, index, "L-11");
        return r;
}

/* stands_for() - what has to be explicit for component @index to be in the backup (L-16) */
static size_t stands_for(const struct chosen_writer *writer, size_t index) {
        const struct chosen_component *c = &writer->components[index];

        return c->kind == VSS_COMPONENT_BOUND && c->above != COMPONENT_NONE ? c->above : index;
}

/* ---- by paths ---- */

struct coverage {
        const char *const *paths;
        bool has_sets, outside;
};

static int cover_file_set(void *userdata, const struct vss_wm_filedesc *file) {
        struct coverage *c = userdata;

        c->has_sets = true;
        for (size_t i = 0; c->paths && c->paths[i]; i++)
                if (path_is_below(vss_wm_filedesc_get_path(file), c->paths[i]))
                        return 0;
        c->outside = true;
        return 0;
}

/* cover() - of each component: do all files of its whole set lie below the paths? */
static struct coverage *cover(const struct chosen_writer *writer, const char *const *paths) {
        const struct chosen_component *c = writer->components;
        struct coverage *covers = calloc(writer->component_count + 1, sizeof(*covers));

        for (size_t i = 0; covers && i < writer->component_count; i++) {
                struct coverage own = { .paths = paths };

                (void)each_file_set(&c[i], cover_file_set, &own);
                for (size_t k = i; k != COMPONENT_NONE; k = c[k].above) {
                        covers[k].has_sets |= own.has_sets;
                        covers[k].outside |= own.outside;
                }
        }
        return covers;
}

static int choose_by_paths(struct choosing *choosing, size_t writer) {
        const struct selection_request *request = choosing->request;
        const struct chosen_writer *w = &choosing->s->writers[writer];
        _cleanup_free_ struct coverage *covers = cover(w, request->paths);
        int r = covers ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < w->component_count; i++)
                if (w->components[i].kind != VSS_COMPONENT_BOUND &&
                    (request->all_components || (covers[i].has_sets && !covers[i].outside)))
                        r = choose(choosing, writer, i, NULL);
        return r;
}

struct touching {
        const char *const *paths;
        const char *path; /* one that takes some of the files, NULL: none does */
};

/* touch_file_set() - a path above the set takes all of it, one that it matches takes a part. All
 * files of one folder ("*") are not the folders in it, and this looks at nothing: no match */
static int touch_file_set(void *userdata, const struct vss_wm_filedesc *file) {
        const char *folder = vss_wm_filedesc_get_path(file);
        const char *spec = vss_wm_filedesc_get_filespec(file);
        bool recursive = vss_wm_filedesc_get_recursive(file);
        struct touching *t = userdata;

        for (size_t i = 0; !t->path && t->paths[i]; i++) {
                const char *name = strrchr(t->paths[i], '/');
                _cleanup_free_ char *parent = NULL;
                bool inside;

                if (!name)
                        continue;
                parent = name == t->paths[i] ? strdup("/")
                                             : strndup(t->paths[i], (size_t)(name - t->paths[i]));
                if (!parent)
                        return -ENOMEM;
                inside = path_is_below(parent, folder) &&
                         (recursive || (path_is_below(folder, parent) && strcmp(spec, "*") != 0)) &&
                         vss_filespec_matches(spec, name + 1);
                if (inside || path_is_below(folder, t->paths[i]))
                        t->path = t->paths[i];
        }
        return 0;
}

/* note_part() - plain copies of some files of a component are no backup of it, a database without
 * its log for instance: that is said, for the first such component of a writer */
static int note_part(struct choosing *choosing, const struct chosen_writer *writer) {
        for (size_t i = 0; i < writer->component_count; i++) {
                struct touching t = { .paths = choosing->request->paths };
                const struct chosen_component *c = &writer->components[i];
                int r = c->included ? 0 : each_file_set(c, touch_file_set, &t);

                if (r < 0)
                        return r;
                if (!t.path)
                        continue;
                selection_note(choosing->s,
                               "only a part of component '%s' of writer '%s' lies below the paths: "
                               "what '%s' has of it is saved as plain files, without the writer; "
                               "--component '%s:%s' takes it as a whole",
                               c->full_path, writer->identity.name, t.path, writer->identity.name,
                               writer->components[stands_for(writer, i)].full_path);
                return 0;
        }
        return 0;
}

/* ---- by name ---- */

static bool writer_is_called(const struct chosen_writer *writer, const char *name, size_t length) {
        char *text = strndupa(name, length);
        struct vss_id id;

        if (vss_id_parse(text, &id) >= 0)
                return vss_id_equal(&id, &writer->identity.writer_id) ||
                       vss_id_equal(&id, &writer->instance_id);
        return strcmp(text, writer->identity.name) == 0;
}

static int choose_whole_writer(struct choosing *choosing, size_t writer, bool *found) {
        const struct chosen_writer *w = &choosing->s->writers[writer];
        int r = 0;

        for (size_t i = 0; r >= 0 && i < w->component_count; i++)
                if (w->components[i].kind != VSS_COMPONENT_BOUND) {
                        r = choose(choosing, writer, i, NULL);
                        *found = true;
                }
        return r;
}

static int choose_in_writer(struct choosing *choosing, size_t writer, const char *path,
                            const char *given, bool *found, struct vss_error *reterr) {
        const struct chosen_writer *w = &choosing->s->writers[writer];
        size_t at;

        if (!path)
                return choose_whole_writer(choosing, writer, found);
        at = chosen_writer_find(w, path);
        if (at == COMPONENT_NONE)
                return 0;
        if (w->components[at].kind == VSS_COMPONENT_BOUND)
                return vss_fail(reterr, E_INVALIDARG,
                                "component '%s' comes only with the component above it; "
                                "name that one",
                                given);
        *found = true;
        return choose(choosing, writer, at, NULL);
}

static int choose_by_name(struct choosing *choosing, const char *given, struct vss_error *reterr) {
        const char *colon = strchr(given, ':');
        size_t length = colon ? (size_t)(colon - given) : strlen(given);
        bool found = false;

        for (size_t i = 0; i < choosing->s->writer_count; i++) {
                int r;

                if (!writer_is_called(&choosing->s->writers[i], given, length))
                        continue;
                r = choose_in_writer(choosing, i, colon ? colon + 1 : NULL, given, &found, reterr);
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

/* ---- the system state (L-15) ---- */

/* choose_state() - selectable or not; one that cannot be named brings what is above it (L-16) */
static int choose_state(struct choosing *choosing, size_t writer, size_t index) {
        const struct chosen_writer *w = &choosing->s->writers[writer];
        const struct chosen_component *c = &w->components[index];
        size_t named = stands_for(w, index);

        if (c->info.flags & VSS_CF_NOT_SYSTEM_STATE || c->included)
                return 0;
        if (w->components[named].info.flags & VSS_CF_NOT_SYSTEM_STATE)
                selection_note(choosing->s,
                               "component '%s' of writer '%s' is taken too: '%s' belongs to the "
                               "system state and comes only with it",
                               w->components[named].full_path, w->identity.name, c->full_path);
        return choose(choosing, writer, named, "L-15");
}

static int choose_system_state(struct choosing *choosing, struct vss_error *reterr) {
        const struct selection *s = choosing->s;
        bool found = false;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < s->writer_count; i++) {
                uint32_t usage = s->writers[i].identity.usage;

                if (usage != VSS_UT_BOOTABLESYSTEMSTATE && usage != VSS_UT_SYSTEMSERVICE)
                        continue;
                found = true;
                for (size_t k = 0; r >= 0 && k < s->writers[i].component_count; k++)
                        r = choose_state(choosing, i, k);
        }
        if (r >= 0 && !found)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "no writer here has system state (usage 'boot' or 'service' in "
                                "its settings); switch one on in writers.d");
        return r;
}

/* ---- what has to come along ---- */

/* add_required() - L-10 */
static int add_required(struct choosing *choosing, size_t writer) {
        const struct chosen_writer *w = &choosing->s->writers[writer];
        int r = 0;

        for (size_t i = 0; r >= 0 && w->participates && i < w->component_count; i++) {
                const struct chosen_component *c = &w->components[i];

                if (c->kind != VSS_COMPONENT_REQUIRED || c->explicit_)
                        continue;
                r = choose(choosing, writer, i, "L-10");
                if (choosing->request->paths && !choosing->request->all_components)
                        selection_note(choosing->s,
                                       "component '%s' of writer '%s' is taken too: the writer "
                                       "requires it",
                                       c->full_path, w->identity.name);
        }
        return r;
}

static bool find_target(const struct selection *s, const struct vss_wm_dependency *dependency,
                        struct arrival *ret) {
        struct vss_id id = vss_wm_dependency_get_writer_id(dependency);

        for (ret->writer = 0; ret->writer < s->writer_count; ret->writer++) {
                const struct chosen_writer *w = &s->writers[ret->writer];

                if (!vss_id_equal(&w->identity.writer_id, &id))
                        continue;
                ret->component =
                        chosen_writer_find_key(w, vss_wm_dependency_get_logical_path(dependency),
                                               vss_wm_dependency_get_component_name(dependency));
                if (ret->component != COMPONENT_NONE)
                        return true;
        }
        return false;
}

/* tell_missing() - what depends on a component that nobody has stays in the backup: to leave it
 * out would save nobody */
static void tell_missing(struct choosing *choosing, const struct chosen_writer *from,
                         struct chosen_component *dependent,
                         const struct vss_wm_dependency *dependency) {
        const char *path = vss_wm_dependency_get_logical_path(dependency);
        struct vss_id id = vss_wm_dependency_get_writer_id(dependency);
        char text[VSS_ID_TEXT_SIZE];

        if (!dependent->warned)
                selection_note(choosing->s,
                               "component '%s' of writer '%s' depends on '%s%s%s' of writer %s, "
                               "which %s: it is saved without that one",
                               dependent->full_path, from->identity.name, path ? path : "",
                               path && *path ? "\\" : "",
                               vss_wm_dependency_get_component_name(dependency),
                               vss_id_format(&id, text),
                               path && strncmp(path, "\\\\", 2) == 0 ? "is on another machine"
                                                                     : "nobody here has");
        dependent->warned = true;
}

/* pull_target() - B-158: it comes along, as the component above it where it cannot be named */
static int pull_target(struct choosing *choosing, const struct arrival *from,
                       const struct vss_wm_dependency *dependency) {
        struct chosen_writer *w = &choosing->s->writers[from->writer];
        struct chosen_component *dependent = &w->components[from->component];
        const struct chosen_writer *other;
        const struct chosen_component *c;
        struct arrival target;
        int r;

        if (!find_target(choosing->s, dependency, &target)) {
                tell_missing(choosing, w, dependent, dependency);
                return 0;
        }
        other = &choosing->s->writers[target.writer];
        c = &other->components[target.component];
        if (c->included)
                return 0;
        r = choose(choosing, target.writer, stands_for(other, target.component), "L-16");
        selection_note(choosing->s,
                       "component '%s' of writer '%s' is taken too: '%s' of writer '%s' depends "
                       "on it",
                       c->full_path, other->identity.name, dependent->full_path, w->identity.name);
        return r < 0 ? r : add_required(choosing, target.writer);
}

/* pull_targets() - of everything that is included, and of what comes along meanwhile */
static int pull_targets(struct choosing *choosing) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < choosing->count; i++) {
                const struct arrival from = choosing->line[i]; /* the line may move */
                const struct chosen_component *c =
                        &choosing->s->writers[from.writer].components[from.component];

                for (size_t k = 0; r >= 0 && k < c->info.dependency_count; k++)
                        r = pull_target(choosing, &from,
                                        vss_wm_component_get_dependency(c->component, k));
        }
        return r;
}

static int choose_all(struct choosing *choosing, struct vss_error *reterr) {
        const struct selection_request *request = choosing->request;
        size_t writers = choosing->s->writer_count;
        int r = 0;

        for (size_t i = 0; r >= 0 && request->components && request->components[i]; i++)
                r = choose_by_name(choosing, request->components[i], reterr);
        for (size_t i = 0; r >= 0 && i < writers; i++)
                r = choose_by_paths(choosing, i);
        if (r >= 0 && request->system_state)
                r = choose_system_state(choosing, reterr);
        for (size_t i = 0; r >= 0 && i < writers; i++)
                r = add_required(choosing, i);
        if (r >= 0)
                r = pull_targets(choosing);
        for (size_t i = 0; r >= 0 && request->paths && i < writers; i++)
                r = note_part(choosing, &choosing->s->writers[i]);
        return r;
}

int selection_choose(struct selection *s, const struct selection_request *request,
                     struct vss_error *reterr) {
        struct choosing choosing = { .s = s, .request = request };
        int r = choose_all(&choosing, reterr);

        free(choosing.line);
        return r == -ENOMEM ? vss_fail(reterr, r, "out of memory") : r;
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
