/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.c - see known.h. How names are told is libvss's business, how they are walked the engine's.
 */
#define _GNU_SOURCE
#include "backup/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/record.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

static void drop_ranges(struct changed_path *path) {
        free(path->ranges);
        path->ranges = NULL;
        path->ranges_count = 0;
}

static void drop_paths(struct known *known) {
        for (size_t i = 0; i < known->count; i++) {
                drop_ranges(&known->paths[i]);
                free((char *)(uintptr_t)known->paths[i].path);
        }
        free(known->paths);
        known->paths = NULL;
        known->count = known->capacity = known->bytes = 0;
}

void known_done(struct known *known) {
        drop_paths(known);
        free(known->why);
        *known = (struct known){ 0 };
}

/* ---- telling ---- */

struct asking {
        const struct used_volume *volume;
        struct known *known;
};

static int add_ranges(struct known *known, const struct vss_change *change) {
        struct changed_path *path = &known->paths[known->count - 1];
        size_t size = change->extent_count * sizeof(*path->ranges);

        if (change->kind != VSS_CHANGE_CHANGED || !change->content || size == 0)
                return 0;
        path->ranges = malloc(size);
        if (!path->ranges)
                return -ENOMEM;
        for (size_t i = 0; i < change->extent_count; i++)
                path->ranges[i] =
                        (struct byte_range){ change->extents[i].offset, change->extents[i].length };
        path->ranges_count = change->extent_count;
        known->bytes += size;
        return known->bytes > known->room ? -E2BIG : 0;
}

static int add_full(struct known *known, char *take_path, bool whole, bool content) {
        if (!take_path || ARRAY_RESERVE(&known->paths, known->count, &known->capacity) < 0) {
                free(take_path);
                return -ENOMEM;
        }
        known->paths[known->count++] =
                (struct changed_path){ .path = take_path, .whole = whole, .content = content };
        known->bytes += strlen(take_path) + 2 * sizeof(*known->paths);
        return known->bytes > known->room ? -E2BIG : 0;
}

int known_add(struct known *known, const char *path) {
        return add_full(known, strdup(path), false, true);
}

static int add_path(struct asking *a, const char *path, bool whole, bool content) {
        const char *mount_point = a->volume->mount_point;

        return add_full(a->known, *path ? path_join(mount_point, path) : strdup(mount_point), whole,
                        content);
}

static int on_change(void *userdata, const struct vss_change *change) {
        struct asking *a = userdata;
        bool whole = change->kind != VSS_CHANGE_CHANGED;
        int r = change->from ? add_path(a, change->from, true, false) : 0;

        if (r >= 0)
                r = add_path(a, change->path, whole, change->content);
        return r < 0 ? r : add_ranges(a->known, change);
}

static int by_path(const void *a, const void *b) {
        return path_compare(((const struct changed_path *)a)->path,
                            ((const struct changed_path *)b)->path);
}

/* each name once, with all that was said of it */
static void sort(struct known *known) {
        size_t last = 0;

        if (known->count == 0)
                return;
        qsort(known->paths, known->count, sizeof(*known->paths), by_path);
        for (size_t i = 1; i < known->count; i++) {
                struct changed_path *p = &known->paths[i], *l = &known->paths[last];

                if (strcmp(p->path, l->path) != 0) {
                        known->paths[++last] = *p;
                        continue;
                }
                /* told twice: which of both is all of it? */
                drop_ranges(l);
                drop_ranges(p);
                l->whole |= p->whole;
                l->content |= p->content;
                free((char *)(uintptr_t)p->path);
        }
        known->count = last + 1;
}

int known_ask(struct known *known, struct vss_backup_components *bc,
              const struct used_volume *volume) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct asking asking = { volume, known };
        int r = vss_backup_components_query_changes(bc, &volume->snapshot_id, &known->reference,
                                                    on_change, &asking, &error);

        if (r >= 0) {
                sort(known);
                known->asked = true;
                return 0;
        }
        drop_paths(known);
        known->why = strdup(r == -E2BIG ? "so much has changed that asking gains nothing"
                                        : vss_error_message(&error));
        return known->why ? 0 : -ENOMEM;
}

/* ---- looking ---- */

/* first_at() - index of the first path that is not before @path */
static size_t first_at(const struct known *known, const char *path) {
        size_t low = 0, high = known->count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (path_compare(known->paths[middle].path, path) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* is_whole() - is @path itself told, as what may be another thing? */
static bool is_whole(const struct known *known, const char *path) {
        size_t at = first_at(known, path);

        return at < known->count && known->paths[at].whole &&
               strcmp(known->paths[at].path, path) == 0;
}

/* is_replaced() - is @path, or a folder above it, another one? In doubt it is */
static bool is_replaced(const struct known *known, const char *path) {
        _cleanup_free_ char *part = strdup(path);

        if (!part || is_whole(known, path) || is_whole(known, "/"))
                return true;
        for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
                bool whole;

                *p = '\0';
                whole = is_whole(known, part);
                *p = '/';
                if (whole)
                        return true;
        }
        return false;
}

bool known_below(const struct known *known, const char *path, const struct changed_path **ret,
                 size_t *ret_count) {
        size_t first, end;

        if (is_replaced(known, path))
                return false;
        first = end = first_at(known, path);
        while (end < known->count && path_is_below(known->paths[end].path, path))
                end++;
        *ret = known->paths + first;
        *ret_count = end - first;
        return true;
}
