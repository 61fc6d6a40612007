/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * in-use.h - may this file be replaced now, or has somebody it open (R-60 e, g; R-61)?
 */
#ifndef BACKUP_IN_USE_H
#define BACKUP_IN_USE_H

#include <sys/stat.h>

#include "backup/engine.h"

struct in_use;

/* in_use_new() - 0 or -ENOMEM; *ret is NULL for RESTORE_IN_USE_IGNORE, which asks nothing */
int in_use_new(enum restore_in_use policy, struct in_use **ret);
struct in_use *in_use_free(struct in_use *in_use);

/*
 * in_use_take() - nobody has @name in @at open in a way that the policy forbids
 * @full:    for words
 * @for_write: it will be written into, not replaced: readers count whatever the policy
 * @ret_fd: keeps it so until it is closed, where the file system can (a lease); -1: cannot, or
 * there is nothing to keep
 *
 * Return: 0, -EBUSY with words that name the process, other negative values with words. Opens only
 * regular files, never waits for anybody */
int in_use_take(struct in_use *in_use, int at, const char *name, const char *full, bool for_write,
                int *ret_fd, struct vss_error *reterr);

/* ---- open-files.c: what /proc knows ---- */

struct open_file {
        dev_t device;
        ino_t inode;
        int pid; /* negative: it runs, or maps, the file */
        bool writes;
};

struct open_files {
        struct open_file *items; /* sorted by device and inode */
        size_t count, capacity;
        uint64_t taken_us;
};

/* open_files_read() - of every other process, as far as it may be seen; 0 or -ENOMEM */
int open_files_read(struct open_files *files);
/* the first of those who have the file; NULL: nobody. *ret_count follow each other */
const struct open_file *open_files_find(const struct open_files *files, const struct stat *st,
                                        size_t *ret_count);
/* a small file of /proc as a string, "" when it cannot be read */
void proc_read(int at, const char *path, char *ret, size_t size);
void open_files_done(struct open_files *files);

#endif
