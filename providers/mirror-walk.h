/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-walk.h - a round on its way through the tree: mirror-walk.c goes from folder to folder,
 * mirror-sync.c does what is to be done for one name.
 */
#ifndef PROVIDERS_MIRROR_WALK_H
#define PROVIDERS_MIRROR_WALK_H

#include "mirror.h"

/* struct frame - a folder on the way from the root to where the walk is */
struct frame {
        int from, to; /* -1 while closed */
        ino_t from_ino, to_ino;
        uint32_t node;
        uint32_t next; /* the child to descend into next */
        const struct want *want; /* only these names; NULL all */
        struct meta meta; /* before its names were read */
        bool touched; /* names in the copy were made or removed */
};

struct walk {
        struct mirror *m;
        struct frame *frames;
        size_t depth, capacity;
        char *names; /* of the folder being listed */
        size_t names_used, names_size;
        size_t *order;
        size_t order_count, order_capacity;
};

/* the folder in which the walk is, and a node of the index; both move when things are added */
struct frame *walk_top(struct walk *w);
struct node *walk_node(struct walk *w, uint32_t node);

/* 0, or -ECANCELED when the round is over and mirror.error says why */
int walk_out_of_memory(struct walk *w);
int walk_note(struct walk *w, const char *name, int error); /* @name NULL: the folder itself */

/* walk_drop() - the copy shall not have this name (any more) */
int walk_drop(struct walk *w, uint32_t node, const char *name);

/* walk_cannot_have() - the source refuses: gone is gone, the rest is told; the copy lacks it */
int walk_cannot_have(struct walk *w, uint32_t node, const char *name, int error);

/* walk_sync_name() - make the copy's entry for @node equal to the source's */
int walk_sync_name(struct walk *w, uint32_t node);

#endif
