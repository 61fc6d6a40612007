/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * selection.c - the writers and components that select.c chooses among, each with its place in the
 * tree of selectable components (L-1). Made once per writer, in the time of a sort; decides
 * nothing.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backup/select.h"
#include "base/array.h"
#include "base/cleanup.h"

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

/* join_path() - "logical\path\name"; one separator at either end of the first does not count
 * (M-34). NULL when out of memory */
static char *join_path(const char *logical_path, const char *name) {
        const char *path = logical_path ? logical_path : "";
        size_t n;
        char *full;

        path += *path == '\\';
        n = strlen(path);
        n -= n > 0 && path[n - 1] == '\\';
        return asprintf(&full, "%.*s%s%s", (int)n, path, n ? "\\" : "", name) < 0 ? NULL : full;
}

/* ---- finding ---- */

static int compare_paths(const void *a, const void *b, void *components) {
        const struct chosen_component *c = components;

        return strcmp(c[*(const size_t *)a].full_path, c[*(const size_t *)b].full_path);
}

static int sort_paths(struct chosen_writer *writer) {
        writer->by_path = calloc(writer->component_count + 1, sizeof(*writer->by_path));
        if (!writer->by_path)
                return -ENOMEM;
        for (size_t i = 0; i < writer->component_count; i++)
                writer->by_path[i] = i;
        qsort_r(writer->by_path, writer->component_count, sizeof(*writer->by_path), compare_paths,
                writer->components);
        return 0;
}

/* find_prefix() - the component whose full path is path[0..length) */
static size_t find_prefix(const struct chosen_writer *writer, const char *path, size_t length) {
        size_t low = 0, high = writer->component_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2, at = writer->by_path[middle];
                const char *full = writer->components[at].full_path;
                int order = strncmp(full, path, length);

                if (order == 0 && full[length] == '\0')
                        return at;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return COMPONENT_NONE;
}

size_t chosen_writer_find(const struct chosen_writer *writer, const char *full_path) {
        return find_prefix(writer, full_path, strlen(full_path));
}

size_t chosen_writer_find_key(const struct chosen_writer *writer, const char *logical_path,
                              const char *name) {
        _cleanup_free_ char *full = join_path(logical_path, name);

        return full ? chosen_writer_find(writer, full) : COMPONENT_NONE;
}

/* ---- the tree ---- */

/* find_above() - the nearest selectable component above; what is not selectable, and elements that
 * are no component, are stepped over (L-1) */
static size_t find_above(const struct chosen_writer *writer, size_t index) {
        const char *path = writer->components[index].full_path;
        size_t name = strlen(writer->components[index].info.name);

        for (size_t n = strlen(path) - name; n > 0;) {
                size_t found;

                while (n > 0 && path[--n] != '\\')
                        ;
                found = n > 0 ? find_prefix(writer, path, n) : COMPONENT_NONE;
                if (found != COMPONENT_NONE && writer->components[found].info.selectable)
                        return found;
        }
        return COMPONENT_NONE;
}

static void hang_up(struct chosen_writer *writer, size_t index) {
        struct chosen_component *c = &writer->components[index];

        c->above = find_above(writer, index);
        if (c->above == COMPONENT_NONE)
                return;
        c->next_below = writer->components[c->above].first_below;
        writer->components[c->above].first_below = index;
}

static int load_component(const struct chosen_writer *writer, size_t index,
                          struct chosen_component *ret) {
        ret->component = vss_examine_writer_metadata_get_component(writer->metadata, index);
        vss_wm_component_get_component_info(ret->component, &ret->info);
        ret->kind = vss_examine_writer_metadata_classify(writer->metadata, index);
        ret->defining = index;
        ret->above = ret->first_below = ret->next_below = COMPONENT_NONE;
        ret->full_path = join_path(ret->info.logical_path, ret->info.name);
        return ret->full_path ? 0 : -ENOMEM;
}

int selection_add_writer(struct selection *selection, const struct vss_id *instance,
                         struct vss_examine_writer_metadata *metadata) {
        struct chosen_writer *w;
        size_t count;
        int r = 0;

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
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = load_component(w, i, &w->components[i]);
        if (r >= 0)
                r = sort_paths(w);
        for (size_t i = count; r >= 0 && i-- > 0;) /* so that lists are in the writer's order */
                hang_up(w, i);
        return r;
}

void selection_done(struct selection *selection) {
        for (size_t i = 0; i < selection->writer_count; i++) {
                struct chosen_writer *w = &selection->writers[i];

                for (size_t j = 0; w->components && j < w->component_count; j++)
                        free(w->components[j].full_path);
                free(w->components);
                free(w->by_path);
        }
        free(selection->writers);
        for (size_t i = 0; i < selection->note_count; i++)
                free(selection->notes[i]);
        free(selection->notes);
        memset(selection, 0, sizeof(*selection));
}
