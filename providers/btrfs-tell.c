/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-tell.c - when the stream is over: of each name that was touched, what became of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "btrfs-names-inside.h"

/* struct path - built from its end */
struct path {
        char *buffer;
        size_t size, start;
};

static int path_put(struct path *path, const char *name) {
        size_t n = strlen(name), more = n + 1;

        if (path->start < more) {
                size_t used = path->size - path->start, size = path->size * 2 + more + 256;
                char *grown = malloc(size);

                if (!grown)
                        return -ENOMEM;
                if (used)
                        memcpy(grown + size - used, path->buffer + path->start, used);
                free(path->buffer);
                *path = (struct path){ grown, size, size - used };
        }
        path->start--;
        path->buffer[path->start] = path->start + 1 == path->size ? '\0' : '/';
        path->start -= n;
        memcpy(path->buffer + path->start, name, n);
        return 0;
}

static const char *path_get(const struct path *path) {
        return path->start < path->size ? path->buffer + path->start : "";
}

static int path_of_node(struct path *path, const struct node *node) {
        int r = 0;

        path->start = path->size;
        for (; r >= 0 && node->parent; node = node->parent)
                r = path_put(path, node->name);
        return r;
}

static int path_of_past(struct path *path, const struct past *past) {
        int r = 0;

        path->start = path->size;
        for (; r >= 0 && past->parent; past = past->parent)
                r = path_put(path, past->name);
        return r;
}

struct telling {
        int (*sink)(void *userdata, const struct name_told *told);
        void *userdata;
        struct path path, from;
};

/* is it, relative to its directory, where the reference has it? */
static bool is_in_place(const struct node *node) {
        return node->parent == node->past->parent->now && strcmp(node->name, node->past->name) == 0;
}

static int tell_node(struct telling *t, struct node *node) {
        struct past *from = node->past ? node->past : node->linked_from;
        struct name_told told = { .fate = NAME_NEW,
                                  .is_directory = node->is_directory,
                                  .extents = node->extents,
                                  .extents_count = node->extents_lost ? 0 : node->extents_count,
                                  .content = node->content };
        int r = 0;

        if (node->past && (!node->parent || is_in_place(node))) {
                if (!node->is_changed)
                        return 0;
                told.fate = NAME_CHANGED;
        } else if (node->past || (from && !from->now && !from->told)) {
                told.fate = NAME_RENAMED;
                from->told = true;
                r = path_of_past(&t->from, from);
                told.from = path_get(&t->from);
        }
        if (r >= 0)
                r = path_of_node(&t->path, node);
        told.path = path_get(&t->path);
        return r < 0 ? r : t->sink(t->userdata, &told);
}

static int tell_past(struct telling *t, const struct past *past) {
        struct name_told told = { .fate = NAME_GONE };
        int r;

        /* that of a directory which is gone itself goes without saying */
        if (past->now || past->told || !past->parent->now)
                return 0;
        r = path_of_past(&t->path, past);
        told.path = path_get(&t->path);
        return r < 0 ? r : t->sink(t->userdata, &told);
}

int names_tell(struct names *names, int (*sink)(void *userdata, const struct name_told *told),
               void *userdata) {
        struct telling t = { .sink = sink, .userdata = userdata };
        int r = tell_node(&t, names->root);

        for (size_t i = 0; r >= 0 && i < names->nodes_size; i++)
                for (struct node *n = names->nodes[i]; r >= 0 && n; n = n->hash_next)
                        r = tell_node(&t, n);
        for (size_t i = 0; r >= 0 && i < names->pasts_size; i++)
                for (struct past *p = names->pasts[i]; r >= 0 && p; p = p->hash_next)
                        r = tell_past(&t, p);
        free(t.path.buffer);
        free(t.from.buffer);
        return r < 0 ? r : 0;
}
