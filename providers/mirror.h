/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror.h - inside the mirror: what it knows of a tree, and a round over it.
 *
 *   mirror.c        the operations                    mirror-walk.c   one round over the tree
 *   mirror-set.c    place, thread, rounds, commit     mirror-sync.c   one name of it
 *   mirror-index.c  what is known of each name        mirror-file.c   one inode
 *
 * A source that misbehaves (vanished, unreadable, moved) costs that name and is noted; trouble with
 * the copy's own file system ends the round.
 */
#ifndef PROVIDERS_MIRROR_H
#define PROVIDERS_MIRROR_H

#include <pthread.h>
#include <sys/types.h>

#include "copies.h"

/* struct meta - what statx says of an inode; times in ns since 1970 */
struct meta {
        uint64_t ino, blocks;
        int64_t size, mtime, ctime, atime;
        dev_t dev, rdev;
        uint32_t mode, uid, gid, nlink;
        bool mount_root, racy; /* racy: its times may not tell the next change, mirror_stat() */
};

enum {
        NODE_COPIED = 1 << 0, /* the copy has it as the node says */
        NODE_RACY = 1 << 1,
        NODE_LINKED = 1 << 2, /* its name in the copy is a link to links/INO */
        NODE_CROSSING = 1 << 3, /* another file system begins here */
        NODE_TYPE_SHIFT = 8 /* above: S_IFMT >> 12 */
};

/* struct node - a name of the tree, 48 bytes; 0 as an index means none, node 0 is the root */
struct node {
        uint64_t ino;
        int64_t size, mtime, ctime;
        uint32_t next, child; /* siblings are sorted by name */
        uint32_t name; /* offset in the index's names */
        uint32_t flags;
};

/* struct link - an inode with several names */
struct link {
        uint64_t ino, copy_ino;
        int64_t size, mtime, ctime;
        uint32_t round; /* that looked at it last */
        uint32_t flags;
};

struct tree_index {
        struct node *nodes;
        size_t count, capacity;
        uint32_t unused; /* list of freed nodes, through next */
        char *names;
        size_t names_used, names_size;
        struct link *links; /* open addressing; ino 0 is free */
        size_t link_count, link_size;
};

/* struct want - what of the tree shall be copied; children sorted by name */
struct want {
        char *name;
        bool whole; /* with all that is below */
        struct want **child;
        size_t count, capacity;
};

/* struct problem - a name that the copy lacks, or has without its attributes */
struct problem {
        char *path; /* below the volume's root */
        int error;
};

struct round {
        uint32_t number;
        bool counting; /* only add up sizes and build the index */
        uint64_t deadline_us; /* monotonic; 0 none */
        struct vss_provider *provider; /* ask it whether the set was aborted; NULL in the thread */
        uint64_t names, copied, copied_bytes, needed_bytes;
        struct problem *problems;
        size_t problem_count, problem_capacity;
};

/* struct mirror - one copy in the making */
struct mirror {
        char *mount_point;
        int source; /* the volume's root */
        dev_t source_dev;
        int folder, copy, links, trash; /* folder is lent by struct making */
        ino_t excluded; /* the folder `.vss`, when it is on the source's file system */
        dev_t excluded_dev;
        bool clones; /* the two are one file system that can share extents */
        int64_t synced_ns; /* real time at which the last syncfs began */
        uint64_t max_last_round_us, min_free;
        char *place; /* for words */
        struct tree_index index;
        struct want *want; /* NULL: all */
        struct round round; /* the last one */
        uint64_t last_us; /* how long it took */
        uint64_t finished_us; /* when, monotonic */
        void *buffer; /* for copying without help of the kernel */
        struct vss_error error; /* what ended a round */
        pthread_t thread;
        bool thread_runs;
        _Atomic bool stop;
};

/* mirror-index.c; they return 0 or -ENOMEM unless said otherwise */
int index_init(struct tree_index *index);
void index_done(struct tree_index *index);
/* index_add() - a node named @name behind @previous (0: first) below @parent */
int index_add(struct tree_index *index, uint32_t parent, uint32_t previous, const char *name,
              uint32_t *ret);
/* index_remove() - take the node behind @previous out of @parent, with all below it */
void index_remove(struct tree_index *index, uint32_t parent, uint32_t previous);
void index_clear_children(struct tree_index *index, uint32_t node);
void node_set(struct node *node, const struct meta *meta, uint32_t flags);
bool node_equals(const struct node *node, const struct meta *meta);
struct link *index_link(struct tree_index *index, uint64_t ino); /* NULL when out of memory */
int want_add(struct want **root, const char *relative);
void want_free(struct want *want);
const struct want *want_find(const struct want *want, const char *name);
int round_note(struct round *round, char *take_path, int error);
void round_done(struct round *round);

/* mirror-file.c. -ECANCELED: the round is over, mirror.error says why; other negative errno: this
 * one name cannot be had; positive errno: it is copied, but some of its attributes are not */
int meta_read(int dir, const char *name, struct meta *ret);
/* mirror_stat() - the same, and whether it may change again without a change of its times */
int mirror_stat(const struct mirror *m, int dir, const char *name, struct meta *ret);
int file_copy(struct mirror *m, int from_dir, const char *from, int to_dir, const char *to,
              struct meta *meta);
int directory_attributes(struct mirror *m, int from, int to, const struct meta *meta);
int mirror_trouble(struct mirror *m, int error, const char *what);
int64_t real_time_ns(void);

/* mirror-walk.c: 0, or a negative code with mirror.error */
int mirror_round(struct mirror *m);

/* mirror-set.c */
int mirror_support(const struct copies *copies, const struct vss_volume *volume, char **ret_root,
                   bool *ret_clones, struct vss_error *reterr); /* 1, 0 with words */
int mirror_new(struct copies *copies, const struct vss_prepare *prepare, uint64_t max_last_round_us,
               struct mirror **ret, struct vss_error *reterr);
int mirror_start(struct mirror *m, struct making *making, struct vss_error *reterr);
int mirror_settle(struct mirror *m, struct vss_provider *p, struct vss_error *reterr);
int mirror_pre_commit(struct mirror *m, struct vss_error *reterr);
int mirror_commit(struct mirror *m, struct vss_error *reterr);
int mirror_tidy(struct mirror *m, struct vss_error *reterr);
void mirror_free(struct mirror *m); /* stops the thread; accepts NULL */
int mirror_remove(int folder);

#endif
