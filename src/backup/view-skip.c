/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view-skip.c - to a name further on in a view, without reading what lies between.
 *
 * The manifests are looked into where the name must be. What later links say of the folders on the
 * way to it is looked up as well: they may hide it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/view-inside.h"
#include "base/cleanup.h"
#include "base/file.h"

/* names are read so many one after the other before one is looked for */
#define STEPS 16

/* go_to() - the link's next name becomes the first that is not before @path */
static int go_to(struct view *view, size_t link, const char *path, struct vss_error *reterr) {
        struct cursor *cursor = &view->cursors[link];
        int r = 0;

        for (unsigned i = 0; i < STEPS && r >= 0; i++) {
                if (!cursor->record || path_compare(cursor->record->path, path) >= 0)
                        return 0;
                r = view_advance(view, link, reterr);
        }
        return r < 0 ? r : view_start_cursor(view, link, path, reterr);
}

/* pass_by() - what later links say of a folder counts for what is in it, also when that of the
 * first link is not read */
static int pass_by(struct view *view, const char *folder, struct vss_error *reterr) {
        bool here = false;
        int r = 0;

        for (size_t i = 1; i < view->chain->count && r >= 0; i++) {
                const struct record *record;

                r = go_to(view, i, folder, reterr);
                record = view->cursors[i].record;
                here = here || (record && strcmp(record->path, folder) == 0);
        }
        if (r < 0 || !here)
                return r;
        view->item = (struct view_item){ .path = folder, .parts = view->parts };
        r = view_take(view);
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

/* pass_folders() - those on the way to @path that are not before @from, from above */
static int pass_folders(struct view *view, const char *from, const char *path,
                        struct vss_error *reterr) {
        _cleanup_free_ char *folder = strdup(path), *begin = strdup(from);
        int r = 0;

        if (!folder || !begin)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        for (char *slash = folder; r >= 0 && slash; slash = strchr(slash + 1, '/')) {
                char *end = slash == folder ? slash + 1 : slash;
                char c = *end;

                *end = '\0';
                if (path_compare(folder, begin) >= 0 && strcmp(folder, path) != 0)
                        r = pass_by(view, folder, reterr);
                *end = c;
        }
        return r;
}

int view_skip_to(struct view *view, const char *path, struct vss_error *reterr) {
        const char *next;
        int r = view_move_on(view, reterr);

        next = view_lowest_path(view);
        if (r < 0 || !next || path_compare(next, path) >= 0)
                return r < 0 ? r : 0;
        if (view->chain->count > 1)
                r = pass_folders(view, next, path, reterr);
        for (size_t i = 0; i < view->chain->count && r >= 0; i++)
                r = go_to(view, i, path, reterr);
        return r < 0 ? r : 0;
}

/* ---- only some paths ---- */

void view_only(struct view *view, const char *const *paths, size_t count) {
        view->only = paths;
        view->only_count = count;
}

/* first_behind() - the shortest beginning of @wanted that comes after @path, which is no folder
 * above it; its length, 0 there is none */
static size_t first_behind(char *wanted, const char *path) {
        for (char *end = wanted + 1;; end++) {
                char c = *end;
                bool behind;

                if (c != '/' && c != '\0')
                        continue;
                *end = '\0';
                behind = path_compare(wanted, path) > 0;
                *end = c;
                if (behind)
                        return (size_t)(end - wanted);
                if (c == '\0')
                        return 0;
        }
}

/* next_wanted() - 0 @path itself is wanted, or lies above; 1 and *ret, the first of the others
 * behind it, which the caller frees; NULL: none */
static int next_wanted(const struct view *view, const char *path, char **ret) {
        _cleanup_free_ char *next = NULL;

        for (size_t i = 0; i < view->only_count; i++) {
                _cleanup_free_ char *wanted = NULL;
                size_t size;

                if (path_is_below(path, view->only[i]) || path_is_below(view->only[i], path))
                        return 0;
                wanted = strdup(view->only[i]);
                if (!wanted)
                        return -ENOMEM;
                size = *wanted ? first_behind(wanted, path) : 0;
                wanted[size] = '\0';
                if (size > 0 && (!next || path_compare(wanted, next) < 0)) {
                        free(next);
                        next = take(wanted);
                }
        }
        *ret = take(next);
        return 1;
}

int view_skip_unwanted(struct view *view, struct vss_error *reterr) {
        const char *path;
        int r = view_move_on(view, reterr);

        while (r >= 0 && (path = view_lowest_path(view))) {
                _cleanup_free_ char *next = NULL;

                r = next_wanted(view, path, &next);
                if (r == 0)
                        return 0;
                if (r < 0)
                        return vss_fail(reterr, r, "out of memory");
                for (size_t i = 0; !next && i < view->chain->count; i++)
                        view->cursors[i].record = NULL;
                if (next)
                        r = view_skip_to(view, next, reterr);
        }
        return r < 0 ? r : 0;
}
