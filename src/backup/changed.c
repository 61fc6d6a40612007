/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changed.c - instead of a walk: only the names that somebody knows to have changed.
 *
 * Each is reached from the source's root as the walk would have come to it, or not at all. What the
 * walk finds by not finding it, that names are gone, is left to the merge: it looks below the exact
 * trees that are noted here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backup/walk.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

/* struct going - from name to name */
struct going {
        struct pass *pass;
        size_t root_size; /* of the source's path, without a separator at its end */
        char *folder; /* the last one that was decided about */
        bool reached; /* would the walk have come into it? */
        const char *whole; /* all below it is done */
};

static int note_exact(struct pass *pass, const char *path) {
        struct operation *op = pass->op;
        struct exact_tree *tree;

        if (ARRAY_RESERVE(&op->exact, op->exact_count, &op->exact_capacity) < 0)
                return -ENOMEM;
        tree = &op->exact[op->exact_count];
        *tree = (struct exact_tree){ strdup(path), op->coverage_count - 1 };
        if (!tree->path)
                return -ENOMEM;
        op->exact_count++;
        return 0;
}

/* ---- would the walk have come here? ---- */

/* read_path_of() - where a path lies below the source's descriptor; NULL when out of memory */
static char *read_path_of(const struct going *going, const char *path) {
        const struct source *source = going->pass->source;
        const char *rest = path + going->root_size;

        rest += *rest == '/';
        if (!*rest)
                return strdup(source->read_path);
        return *source->read_path ? path_join(source->read_path, rest) : strdup(rest);
}

/* is_entered() - is @folder, below the source's path, a directory that the walk goes into? */
static int is_entered(const struct going *going, const char *folder) {
        const struct source *source = going->pass->source;
        _cleanup_free_ char *read_path = NULL;
        _cleanup_close_ int parent = -1;
        const char *name;
        struct stat st;
        int r;

        if (source->filespec && strlen(folder) == going->root_size)
                return 1; /* that of a file set is never asked about */
        if (source->decide && source->decide(source->userdata, folder, true) != SOURCE_TAKE)
                return 0;
        if (strcmp(strrchr(folder, '/') + 1, ".vss") != 0)
                return 1;
        read_path = read_path_of(going, folder);
        if (!read_path)
                return -ENOMEM;
        r = walk_open_parent(source, read_path, &parent, &name);
        if (r == -ENOMEM)
                return r;
        return r < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
               !walk_is_provider_folder(name, &st);
}

/* is_reached() - may all folders between the source's path and @path be entered? Names come
 * sorted, so that the last answer often holds */
static int is_reached(struct going *going, const char *path) {
        const char *end = strrchr(path, '/');
        size_t size = (size_t)(end - path);
        char *folder;
        int r = 1;

        if (strlen(path) <= going->root_size + 1 || size == 0)
                return 1; /* the source's path itself, or in the root of all */
        if (going->folder && strlen(going->folder) == size &&
            strncmp(going->folder, path, size) == 0)
                return going->reached;
        folder = strndup(path, size);
        if (!folder)
                return -ENOMEM;
        free(going->folder);
        going->folder = folder;
        /* from the source's path downwards, as the walk goes */
        for (char *p = folder + (going->root_size ? going->root_size : 1); r > 0; p++) {
                char c = *p;

                if (c != '/' && c != '\0')
                        continue;
                *p = '\0';
                if (*folder)
                        r = is_entered(going, folder);
                *p = c;
                if (c == '\0')
                        break;
        }
        going->reached = r > 0;
        return r;
}

/* is_in_set() - would the pattern of a file set let the walk see it? What it names at last is
 * walk_decide()'s */
static bool is_in_set(const struct going *going, const char *path) {
        const struct source *source = going->pass->source;
        const char *rest = path + going->root_size;

        if (!source->filespec || source->recursive)
                return true;
        return *rest == '/' && !strchr(rest + 1, '/');
}

/* ---- one name ---- */

/* nothing is there any more: what the base had is gone */
static int visit_missing(struct pass *pass, const char *path) {
        const struct record *base;
        int r = changes_find(pass, path, &base);

        return r > 0 ? note_exact(pass, path) : r;
}

/* visit_left_out() - the walk says nothing of what is there; the base may have another thing there,
 * that was not left out */
static int visit_left_out(struct pass *pass, const char *path, bool is_directory) {
        const struct record *base;
        int r = changes_find(pass, path, &base);

        if (r <= 0 || (base->kind == ENTRY_DIRECTORY) == is_directory)
                return r < 0 ? r : 0;
        return note_exact(pass, path);
}

static int visit_directory(struct walk *walk, int parent, const char *name, const struct stat *st,
                           bool *whole) {
        struct pass *pass = walk->pass;
        const struct source *source = pass->source;
        const struct record *base = NULL;
        int r;

        if (source->filespec && !source->recursive)
                return visit_left_out(pass, walk->path.data, true);
        r = changes_find(pass, walk->path.data, &base);
        if (r < 0)
                return r;
        if (r == 0 || base->kind != ENTRY_DIRECTORY)
                *whole = true;
        else if (*whole)
                r = note_exact(pass, walk->path.data);
        if (r >= 0)
                r = walk_enter_directory(walk, parent, name, st, true, *whole);
        return r < 0 ? r : walk_levels(walk);
}

static int visit_other(struct walk *walk, int parent, const char *name, const struct stat *st) {
        struct pass *pass = walk->pass;
        const struct record *base;
        int r = changes_find(pass, walk->path.data, &base);

        if (r > 0 && base->kind == ENTRY_DIRECTORY)
                r = note_exact(pass, walk->path.data); /* all that was in it is gone */
        return r < 0 ? r : walk_visit_leaf(walk, parent, name, st);
}

/* visit_changed() - *whole: on return, is all below it done? */
static int visit_changed(struct walk *walk, const char *read_path, bool *whole) {
        struct pass *pass = walk->pass;
        _cleanup_close_ int parent = -1;
        const char *name;
        struct stat st;
        int r = walk_open_parent(pass->source, read_path, &parent, &name);

        /* ELOOP: a link stands where a folder was */
        if (r == -ENOENT || r == -ENOTDIR || r == -ELOOP ||
            (r >= 0 && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)) {
                *whole = true;
                return visit_missing(pass, walk->path.data);
        }
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return pass_trouble(pass, walk->path.data, r, NULL);
        if (walk_is_provider_folder(name, &st)) {
                *whole = true;
                return visit_missing(pass, walk->path.data); /* it was not always one */
        }
        r = walk_decide(pass, walk->path.data, name, S_ISDIR(st.st_mode));
        if (r == 0)
                return visit_left_out(pass, walk->path.data, S_ISDIR(st.st_mode));
        if (r < 0)
                return r;
        if (S_ISDIR(st.st_mode))
                return visit_directory(walk, parent, name, &st, whole);
        *whole = true;
        return visit_other(walk, parent, name, &st);
}

static int go_to(struct going *going, const struct changed_path *changed) {
        _cleanup_free_ char *read_path = NULL;
        bool whole = changed->whole;
        struct walk walk;
        int r;

        if (!path_is_below(changed->path, going->pass->source->path))
                return -EINVAL;
        if ((going->whole && path_is_below(changed->path, going->whole)) ||
            !is_in_set(going, changed->path))
                return 0;
        r = is_reached(going, changed->path);
        if (r <= 0)
                return r;
        read_path = read_path_of(going, changed->path);
        if (!read_path)
                return -ENOMEM;
        going->pass->doubt = changed->whole || changed->content;
        going->pass->changed = changed;
        r = walk_begin(&walk, going->pass, changed->path);
        if (r >= 0)
                r = visit_changed(&walk, read_path, &whole);
        walk_done(&walk);
        going->pass->doubt = false;
        going->pass->changed = NULL;
        if (whole)
                going->whole = changed->path;
        return r;
}

int walk_changed(struct pass *pass, const struct changed_path *paths, size_t count) {
        struct going going = { .pass = pass, .root_size = strlen(pass->source->path) };
        struct stat st;
        int r = 0;

        if (going.root_size == 1)
                going.root_size = 0;
        if (fstat(pass->source->root_fd, &st) < 0)
                return -errno;
        pass->device = st.st_dev;
        for (size_t i = 0; i < count && r >= 0; i++)
                r = go_to(&going, &paths[i]);
        free(going.folder);
        return r < 0 ? r : 0;
}
