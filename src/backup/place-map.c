/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place-map.c - from the original path to the place below one of the destination's roots.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/denied.h"
#include "backup/restoring.h"
#include "base/cleanup.h"
#include "base/file.h"

/* ---- roots ---- */

/* so much of a path is there */
static size_t existing_size(const char *path) {
        _cleanup_free_ char *above = strdup(path);
        char *slash;

        while (above && access(above, F_OK) < 0 && (slash = strrchr(above, '/')))
                *slash = '\0';
        return !above ? strlen(path) : access(above, F_OK) < 0 ? 0 : strlen(above);
}

static int open_root(struct places *places, const char *path, bool make, struct vss_error *reterr) {
        struct place_root *root = &places->roots[places->roots_count];
        int r = make ? mkdir_parents(path, 0755) : 0;

        root->path = strdup(path);
        root->fd = r < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (r >= 0 && root->fd < 0)
                r = -errno;
        places->roots_count++;
        if (!root->path)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (r < 0 && r != -ENOENT)
                return fail_open("the destination", path, AT_FDCWD, path, r, reterr);
        return 0;
}

int places_init(struct places *places, const struct restore_request *request, bool only_looks,
                struct vss_error *reterr) {
        size_t trusted = request->into ? 0 : request->trusted_roots_count;
        int r;

        *places = (struct places){ .request = request, .only_looks = only_looks };
        if (request->into)
                places->into_existed = existing_size(request->into);
        places->roots = calloc(trusted + 1, sizeof(*places->roots));
        if (!places->roots)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        r = open_root(places, request->into ? request->into : "/", request->into && !only_looks,
                      reterr);
        for (size_t i = 0; i < trusted && r >= 0; i++)
                r = open_root(places, request->trusted_roots[i], false, reterr);
        if (r >= 0 && places->roots[0].fd < 0 && !only_looks)
                r = vss_fail(reterr, -ENOENT, "cannot open the destination '%s'",
                             places->roots[0].path);
        return r;
}

void places_unmake(const struct places *places) {
        _cleanup_free_ char *path = places->request->into ? strdup(places->request->into) : NULL;
        char *slash;

        while (path && strlen(path) > places->into_existed && rmdir(path) >= 0 &&
               (slash = strrchr(path, '/')))
                *slash = '\0';
}

int places_open_above(const struct places *places) {
        _cleanup_free_ char *path =
                places->request->into && places->into_existed > 0
                        ? strndup(places->request->into, places->into_existed)
                        : strdup(places->request->into && places->request->into[0] != '/' ? "."
                                                                                          : "/");

        return path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* ---- mapping ---- */

static const char *rest_below(const char *path, const char *ancestor) {
        const char *rest = path + (strcmp(ancestor, "/") == 0 ? 0 : strlen(ancestor));

        return *rest == '/' ? rest + 1 : rest;
}

/* mappings change the beginning of a path only; the longest one counts */
static char *apply_mappings(const struct restore_request *request, const char *path) {
        const struct restore_mapping *best = NULL;

        for (size_t i = 0; i < request->mappings_count; i++) {
                const struct restore_mapping *mapping = &request->mappings[i];

                if (path_is_below(path, mapping->from) &&
                    (!best || strlen(mapping->from) > strlen(best->from)))
                        best = mapping;
        }
        if (!best)
                return strdup(path);
        path = rest_below(path, best->from);
        return *path ? path_join(best->to, path) : strdup(best->to);
}

int places_map(struct places *places, const char *path, const char *to, struct spot *ret,
               struct vss_error *reterr) {
        _cleanup_free_ char *mapped = to ? strdup(to) : apply_mappings(places->request, path);
        const char *slash;
        size_t root = 0;

        *ret = (struct spot){ .fd = -1 };
        if (!mapped)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (mapped[0] != '/')
                return vss_fail(reterr, E_INVALIDARG, "the place '%s' of '%s' is no absolute path",
                                mapped, path);
        ret->moved = strcmp(mapped, path) != 0;
        for (size_t i = 1; i < places->roots_count; i++)
                if (path_is_below(mapped, places->roots[i].path) && places->roots[i].fd >= 0 &&
                    strlen(places->roots[i].path) > strlen(places->roots[root].path))
                        root = i;
        ret->root = root;
        if (root > 0) {
                ret->full = take(mapped);
                ret->path = rest_below(ret->full, places->roots[root].path);
        } else {
                ret->full = mapped[1] ? path_join(places->roots[0].path, mapped + 1)
                                      : strdup(places->roots[0].path);
                ret->path = ret->full ? rest_below(ret->full, places->roots[0].path) : NULL;
        }
        if (!ret->full)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        slash = strrchr(ret->path, '/');
        ret->name = slash ? slash + 1 : ret->path;
        return 0;
}

void spot_done(struct spot *spot) {
        free(spot->full);
        *spot = (struct spot){ .fd = -1 };
}
