/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.h - the steps of a walk, between walk.c, which goes through everything, and changed.c, which
 * goes to single names.
 */
#ifndef BACKUP_WALK_H
#define BACKUP_WALK_H

#include "backup/looks.h"
#include "backup/writing.h"

struct name {
        size_t text; /* offset in the level's names */
        ino_t inode;
        unsigned char type; /* DT_... */
};

struct level {
        int fd; /* -1: closed for now */
        dev_t device;
        ino_t inode;
        struct text names;
        struct name *list;
        size_t count, capacity, next;
        struct look *looks; /* at the names from @looks_first on; NULL: none yet */
        size_t looks_first, looks_count;
        size_t path_size; /* of the directory's path in the walk's */
};

struct walk {
        struct pass *pass;
        struct text path; /* of the current name, as it is recorded */
        struct level *levels;
        size_t count, capacity;
        struct looks *looks; /* NULL: each name is looked at alone */
};

/* walk_begin() - at @path, which is what the first name is recorded by */
int walk_begin(struct walk *walk, struct pass *pass, const char *path);
void walk_done(struct walk *walk);
/* walk_levels() - the names of the directories that were entered, and all below */
int walk_levels(struct walk *walk);

/* walk_open_parent() - the directory that holds @read_path, and its last part there */
int walk_open_parent(const struct source *source, const char *read_path, int *ret_fd,
                     const char **ret_name);
/* walk_decide() - is the walk's name part of the source: by pattern, kind and the caller's
 * decision? 1, 0, negative */
int walk_decide(struct pass *pass, char *path, const char *name, bool is_directory);
/* walk_is_provider_folder() - where providers keep their copies; nobody's to back up */
bool walk_is_provider_folder(const char *name, const struct stat *st);
/* walk_visit_leaf() - store what lies at @name unless it is as in the base */
int walk_visit_leaf(struct walk *walk, int at, const char *name, const struct stat *st);
/* walk_enter_directory() - its own record with @record; with @descend walk_levels() goes on there
 */
int walk_enter_directory(struct walk *walk, int at, const char *name, const struct stat *st,
                         bool record, bool descend);

#endif
