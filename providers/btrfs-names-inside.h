/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-names-inside.h - the two trees of names, between btrfs-names.c, which moves what the stream
 * moves, and btrfs-tell.c.
 */
#ifndef PROVIDERS_BTRFS_NAMES_INSIDE_H
#define PROVIDERS_BTRFS_NAMES_INSIDE_H

#include "btrfs-names.h"

struct node;

/* struct past - a name of the reference */
struct past {
        struct past *parent, *hash_next;
        struct past *children, *sibling; /* so that they can be forgotten with their directory */
        struct node *now; /* NULL: this name was removed */
        bool linked; /* another name was made from it; it must stay */
        bool told; /* as the old name of something renamed */
        char name[];
};

/* struct node - a name as it is now */
struct node {
        struct node *parent, *hash_next;
        struct node *children, *next, **link; /* siblings; @link is what points here */
        struct past *past; /* NULL: made since the reference */
        struct past *linked_from; /* made as another name of that one */
        char *name; /* NULL: the root */
        bool is_directory, is_changed, content, extents_lost;
        struct name_extent *extents;
        size_t extents_count, extents_capacity;
};

struct names {
        struct node *root;
        struct node **nodes; /* hashed by parent and name */
        struct past **pasts;
        size_t nodes_count, nodes_size, pasts_count, pasts_size; /* sizes are powers of two */
        size_t bytes, max_bytes;
};

#endif
