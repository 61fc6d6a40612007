/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coverage.c - which files belong to writers' components, and so are not the requester's own; so
 * do those that a writer with such components excludes: put back beside a running application, what
 * it keeps only while it runs (the -shm of SQLite) would harm it.
 */
#define _GNU_SOURCE
#include <string.h>

#include "backup/job.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

DEFINE_CLEANUP(struct coverage_map *, job_coverage_free)

struct covered_set {
        char *path; /* without a separator at its end */
        const char *filespec;
        bool recursive;
};

/* Sorted by path: a file is looked up by its folder and by each folder above. */
struct coverage_map {
        struct covered_set *sets;
        size_t count, capacity;
};

char *job_trimmed(const char *path) {
        size_t n = strlen(path);

        while (n > 1 && path[n - 1] == '/')
                n--;
        return strndup(path, n);
}

static int cover(void *userdata, const struct vss_wm_filedesc *file) {
        struct coverage_map *map = userdata;
        struct covered_set *set;

        if (ARRAY_RESERVE(&map->sets, map->count, &map->capacity) < 0)
                return -ENOMEM;
        set = &map->sets[map->count];
        set->path = job_trimmed(vss_wm_filedesc_get_path(file));
        set->filespec = vss_wm_filedesc_get_filespec(file);
        set->recursive = vss_wm_filedesc_get_recursive(file);
        if (!set->path)
                return -ENOMEM;
        map->count++;
        return 0;
}

static int compare_sets(const void *a, const void *b) {
        const struct covered_set *x = a, *y = b;
        int order = strcmp(x->path, y->path);

        if (order == 0)
                order = strcmp(x->filespec, y->filespec);
        return order ? order : x->recursive - y->recursive;
}

static int cover_writer(struct coverage_map *map, const struct chosen_writer *w) {
        bool any = false;
        size_t excludes;
        int r = 0;

        for (size_t k = 0; r >= 0 && k < w->component_count; k++)
                if (w->components[k].covered) {
                        any = true;
                        r = each_file_set(&w->components[k], cover, map);
                }
        vss_examine_writer_metadata_get_file_counts(w->metadata, NULL, &excludes, NULL);
        for (size_t i = 0; any && r >= 0 && i < excludes; i++)
                r = cover(map, vss_examine_writer_metadata_get_exclude_file(w->metadata, i));
        return r;
}

int job_coverage_new(const struct job *job, struct coverage_map **ret) {
        _cleanup_(job_coverage_freep) struct coverage_map *map = calloc(1, sizeof(*map));

        if (!map)
                return -ENOMEM;
        for (size_t i = 0; i < job->selection.writer_count; i++)
                if (cover_writer(map, &job->selection.writers[i]) < 0)
                        return -ENOMEM;
        if (map->count)
                qsort(map->sets, map->count, sizeof(*map->sets), compare_sets);
        *ret = take(map);
        return 0;
}

static bool touches(const struct covered_set *set, char *const *paths) {
        for (; *paths; paths++)
                if (path_is_below(set->path, *paths) || path_is_below(*paths, set->path))
                        return true;
        return false;
}

void job_coverage_describe(const struct coverage_map *map, char *const *paths, struct text *text) {
        for (size_t i = 0; i < map->count; i++) {
                if (!touches(&map->sets[i], paths))
                        continue;
                text_string(text, map->sets[i].recursive ? "covered-below\t" : "covered\t");
                text_field(text, map->sets[i].path);
                text_char(text, '\t');
                text_field(text, map->sets[i].filespec);
                text_char(text, '\n');
        }
}

struct coverage_map *job_coverage_free(struct coverage_map *map) {
        if (!map)
                return NULL;
        for (size_t i = 0; i < map->count; i++)
                free(map->sets[i].path);
        free(map->sets);
        free(map);
        return NULL;
}

/* first_set() - index of the first set of the folder path[0..length), or the count */
static size_t first_set(const struct coverage_map *map, const char *path, size_t length) {
        size_t low = 0, high = map->count;

        while (low < high) {
                size_t middle = (low + high) / 2;
                const char *p = map->sets[middle].path;
                int order = strncmp(p, path, length);

                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static bool folder_covers(const struct coverage_map *map, const char *path, size_t length,
                          const char *name, bool must_recurse) {
        for (size_t i = first_set(map, path, length); i < map->count; i++) {
                const struct covered_set *set = &map->sets[i];

                if (strncmp(set->path, path, length) != 0)
                        return false;
                if (set->path[length] == '\0' && (set->recursive || !must_recurse) &&
                    vss_filespec_matches(set->filespec, name))
                        return true;
        }
        return false;
}

bool job_coverage_has(const struct coverage_map *map, const char *path, bool is_directory) {
        const char *slash = strrchr(path, '/');
        const char *name = is_directory ? "*" : slash + 1;
        bool direct = true;

        if (map->count == 0)
                return false;
        for (size_t n = (size_t)(slash - path);; direct = false) {
                if (folder_covers(map, path, n ? n : 1, name, is_directory || !direct))
                        return true;
                if (n == 0)
                        return false;
                while (n > 0 && path[--n] != '/')
                        ;
        }
}
