/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-sets.c - see restore-sets.h. The sets are sorted by directory, so that those of one
 * directory are one run of the array: a path is looked up once per level of it.
 */
#define _GNU_SOURCE
#include "backup/restore-sets.h"

#include <string.h>

#include "base/array.h"

static size_t directory_size(const char *path) {
        size_t size = strlen(path);

        while (size > 0 && path[size - 1] == '/')
                size--;
        return size;
}

/* ---- order ---- */

static int compare_directory(const struct planned_set *set, const char *path, size_t size) {
        size_t n = set->size < size ? set->size : size;
        int r = memcmp(set->shown.files.path, path, n);

        return r ? r : set->size == size ? 0 : set->size < size ? -1 : 1;
}

static int compare_triple(const struct planned_set *set, const struct vss_file_set *triple) {
        int r = compare_directory(set, triple->path, directory_size(triple->path));

        if (r == 0)
                r = strcmp(set->shown.files.filespec, triple->filespec);
        return r ? r : (int)set->shown.files.recursive - (int)triple->recursive;
}

static int compare_sets(const void *a, const void *b) {
        const struct planned_set *x = a, *y = b;
        int r = compare_triple(x, &y->shown.files);

        return r ? r : x->order < y->order ? -1 : x->order > y->order;
}

struct planned_set *planned_sets_find(const struct planned_sets *sets,
                                      const struct vss_file_set *triple, size_t *ret_count) {
        size_t low = 0, high = sets->count, count = 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_triple(&sets->items[middle], triple) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low + count < sets->count && compare_triple(&sets->items[low + count], triple) == 0)
                count++;
        *ret_count = count;
        return count ? &sets->items[low] : NULL;
}

/* first_in() - the first set that is not before the directory */
static size_t first_in(const struct planned_sets *sets, const char *path, size_t size) {
        size_t low = 0, high = sets->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_directory(&sets->items[middle], path, size) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* ---- from the document ---- */

static int add_set(struct planned_sets *sets, size_t component,
                   const struct vss_wm_filedesc *file) {
        struct planned_set *set;

        if (ARRAY_RESERVE(&sets->items, sets->count, &sets->capacity) < 0)
                return -ENOMEM;
        set = &sets->items[sets->count];
        *set = (struct planned_set){
                .shown.files = { .path = vss_wm_filedesc_get_path(file),
                                 .filespec = vss_wm_filedesc_get_filespec(file),
                                 .recursive = vss_wm_filedesc_get_recursive(file) },
                .component = component,
                .order = sets->count,
        };
        set->size = directory_size(set->shown.files.path);
        sets->count++;
        return 0;
}

static int add_component(struct planned_sets *sets,
                         const struct vss_examine_writer_metadata *metadata, size_t index) {
        const struct vss_wm_component *component =
                vss_examine_writer_metadata_get_component(metadata, index);
        struct vss_component_info info;
        int r = 0;

        vss_wm_component_get_component_info(component, &info);
        for (size_t i = 0; r >= 0 && i < info.file_count; i++)
                r = add_set(sets, index, vss_wm_component_get_file(component, i));
        for (size_t i = 0; r >= 0 && i < info.database_count; i++)
                r = add_set(sets, index, vss_wm_component_get_database_file(component, i));
        for (size_t i = 0; r >= 0 && i < info.log_file_count; i++)
                r = add_set(sets, index, vss_wm_component_get_database_log_file(component, i));
        return r;
}

/* add_mapping() - R-92. A mapping of nothing has nobody to tell it to */
static void add_mapping(struct planned_sets *sets, const struct vss_wm_filedesc *mapping) {
        const struct vss_file_set triple = {
                .path = vss_wm_filedesc_get_path(mapping),
                .filespec = vss_wm_filedesc_get_filespec(mapping),
                .recursive = vss_wm_filedesc_get_recursive(mapping),
        };
        const char *to = vss_wm_filedesc_get_alternate_location(mapping);
        size_t count;
        struct planned_set *set = planned_sets_find(sets, &triple, &count);

        for (size_t i = 0; i < count; i++) {
                if (count > 1)
                        set[i].bad_mapping = "more than one of the writer's file sets is the one "
                                             "that its alternate location mapping names";
                else if (set[i].mapped)
                        set[i].bad_mapping = "the writer has more than one alternate location "
                                             "mapping for it";
                else if (!to || *to != '/')
                        set[i].bad_mapping = "its alternate location mapping names no absolute "
                                             "path";
                else
                        set[i].mapped = to;
        }
}

int planned_sets_load(const struct vss_examine_writer_metadata *metadata,
                      struct planned_sets *ret) {
        struct vss_restore_method method = { 0 };
        size_t count;
        int r = 0;

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = add_component(ret, metadata, i);
        if (r < 0)
                return r;
        if (ret->count)
                qsort(ret->items, ret->count, sizeof(*ret->items), compare_sets);
        (void)vss_examine_writer_metadata_get_restore_method(metadata, &method);
        for (size_t i = 0; i < method.mapping_count; i++)
                add_mapping(ret, vss_examine_writer_metadata_get_alternate_location_mapping(
                                         metadata, i));
        for (size_t i = 0; i < ret->count; i++)
                if (ret->items[i].bad_mapping)
                        ret->items[i].mapped = NULL;
        return 0;
}

void planned_sets_done(struct planned_sets *sets) {
        free(sets->items);
        *sets = (struct planned_sets){ 0 };
}

/* ---- of a path ---- */

static bool matches(const struct planned_set *set, const char *path, enum entry_type type,
                    bool directly) {
        const struct vss_file_set *files = &set->shown.files;

        if (type == ENTRY_DIRECTORY)
                return files->recursive;
        return (directly || files->recursive) &&
               vss_filespec_matches(files->filespec, strrchr(path, '/') + 1);
}

void planned_sets_match(const struct planned_sets *sets, const char *path, enum entry_type type,
                        planned_match_fn found, void *userdata) {
        size_t size = strlen(path);

        if (*path != '/')
                return;
        /* a directory is in the set that begins with it, a file in that of its folder */
        for (size_t n = 0; n <= size; n++) {
                bool whole = n == size, directly = !whole && !strchr(path + n + 1, '/');

                if ((!whole && path[n] != '/') || (whole && type != ENTRY_DIRECTORY))
                        continue;
                for (size_t i = first_in(sets, path, n);
                     i < sets->count && compare_directory(&sets->items[i], path, n) == 0; i++)
                        if (matches(&sets->items[i], path, type, directly))
                                found(userdata, &sets->items[i]);
        }
}
