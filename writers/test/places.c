/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.c - where a restore has put the files of a component, as its entry says: new targets,
 * mappings that were used, directed targets, subcomponents. It looks at no file's content.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "test/test-writer.h"

/* in_place() - @path without the root of @file, NULL when that does not name it */
static const char *in_place(const struct vss_wm_filedesc *file, const char *path) {
        const char *root = vss_wm_filedesc_get_path(file), *slash = strrchr(path, '/');
        size_t n = strlen(root);
        bool direct;

        while (n > 1 && root[n - 1] == '/')
                n--;
        if (strncmp(path, root, n) != 0 || (n > 1 && path[n] != '/'))
                return NULL;
        direct = slash == path + (n > 1 ? n : 0);
        if ((!direct && !vss_wm_filedesc_get_recursive(file)) ||
            !vss_filespec_matches(vss_wm_filedesc_get_filespec(file), slash + 1))
                return NULL;
        return path + n + (n > 1);
}

/* R-82 before; R-91: below the root everything keeps its name */
char *place_of(const struct vss_component *component, const char *path) {
        const struct vss_wm_filedesc *file;
        const char *below;

        for (size_t i = 0; (file = vss_component_get_new_target(component, i)); i++)
                if ((below = in_place(file, path)))
                        return util_join(vss_wm_filedesc_get_alternate_location(file), below);
        for (size_t i = 0; (file = vss_component_get_alternate_location_mapping(component, i)); i++)
                if ((below = in_place(file, path)))
                        return util_join(vss_wm_filedesc_get_alternate_location(file), below);
        return strdup(path);
}

/* ---- directed targets ---- */

static bool is_source(const struct vss_directed_target *d, const char *path, const char *name) {
        return strcmp(d->source_path, path) == 0 && strcmp(d->source_filename, name) == 0;
}

/* without the target the entries mean nothing */
bool place_is_directed(const struct vss_component *component, const char *path, const char *name) {
        struct vss_directed_target d;

        if (vss_component_get_restore_target(component) != VSS_RT_DIRECTED)
                return false;
        for (size_t i = 0; vss_component_get_directed_target(component, i, &d) >= 0; i++)
                if (is_source(&d, path, name))
                        return true;
        return false;
}

static int copy(int from, uint64_t at, int to, uint64_t to_at, uint64_t length) {
        char buffer[65536];

        while (length > 0) {
                size_t want = length < sizeof(buffer) ? (size_t)length : sizeof(buffer);

                if (pread(from, buffer, want, (off_t)at) != (ssize_t)want)
                        return -ENODATA;
                if (pwrite(to, buffer, want, (off_t)to_at) != (ssize_t)want)
                        return -EIO;
                at += want;
                to_at += want;
                length -= want;
        }
        return 0;
}

/* the next "offset:length" of a list; 1, 0 at its end, E_INVALIDARG */
static int next_range(const char **list, uint64_t *ret_offset, uint64_t *ret_length) {
        char *end;

        *list += strspn(*list, " ,");
        if (!**list)
                return 0;
        *ret_offset = strtoull(*list, &end, 0);
        if (*end != ':')
                return E_INVALIDARG;
        *ret_length = strtoull(end + 1, &end, 0);
        *list = end;
        return 1;
}

static int collect_one(const struct vss_directed_target *d, int to) {
        _cleanup_free_ char *path = util_join(d->destination_path, d->destination_filename);
        _cleanup_close_ int from = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        const char *source = d->source_ranges, *destination = d->destination_ranges;
        int r = !path ? -ENOMEM : from < 0 ? -errno : 0;

        while (r >= 0) {
                uint64_t at, to_at, length, same;

                r = next_range(&source, &to_at, &length);
                if (r <= 0)
                        break;
                r = next_range(&destination, &at, &same);
                if (r == 0 || (r > 0 && same != length))
                        r = E_INVALIDARG;
                if (r > 0)
                        r = copy(from, at, to, to_at, length);
        }
        return r;
}

int place_collect(const struct vss_component *component, const char *path, const char *name,
                  int to) {
        struct vss_directed_target d;
        int r = 0;

        for (size_t i = 0; r >= 0 && vss_component_get_directed_target(component, i, &d) >= 0; i++)
                if (is_source(&d, path, name))
                        r = collect_one(&d, to);
        return r;
}

/* ---- subcomponents ---- */

static bool has_file(const struct tree_component *c, const char *path) {
        const char *slash = strrchr(path, '/');

        for (size_t i = 0; i < c->set_count; i++) {
                const struct file_set *set = &c->sets[i];
                size_t n = strlen(set->path);
                bool inside = set->recursive ? util_path_is_below(path, set->path)
                                             : (size_t)(slash - path) == n &&
                                                       strncmp(path, set->path, n) == 0;

                if (inside && vss_filespec_matches(set->filespec, slash + 1))
                        return true;
        }
        return false;
}

static const struct tree_component *find_named(const struct test_writer *test, const char *path,
                                               const char *name) {
        for (size_t i = 0; i < test->tree.component_count; i++) {
                const struct tree_component *c = &test->tree.components[i];

                if (strcmp(c->name, name) == 0 &&
                    strcmp(c->logical_path ? c->logical_path : "", path ? path : "") == 0)
                        return c;
        }
        return NULL;
}

bool place_is_restored(const struct test_writer *test, const struct vss_component *component,
                       const char *path) {
        const char *logical_path, *name;
        size_t i = 0;

        for (; vss_component_get_restore_subcomponent(component, i, &logical_path, &name) >= 0;
             i++) {
                const struct tree_component *sub = find_named(test, logical_path, name);

                for (size_t j = 0; sub && j < test->tree.component_count; j++)
                        if (tree_is_below(&test->tree.components[j], sub) &&
                            has_file(&test->tree.components[j], path))
                                return true;
        }
        return i == 0;
}
