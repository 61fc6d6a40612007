/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * looks.h - what lstat() says of many names of one directory, asked for all at once where the file
 * system can tell. It is no source of names, and what it does not know is asked one by one.
 */
#ifndef BACKUP_LOOKS_H
#define BACKUP_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct looks;

/* struct look - @inode and @type as readdir() gave them; @there: @st is what lstat() would say, but
 * for st_blksize, st_atim and st_blocks */
struct look {
        ino_t inode;
        unsigned char type; /* DT_... */
        bool there;
        struct stat st;
};

/* looks_new() - for the tree that @fd is in, which nobody writes to any more; NULL: it cannot be
 * asked so, or there is no memory, which is no reason to fail */
struct looks *looks_new(int fd);
struct looks *looks_free(struct looks *looks);
/* looks_take() - fill in what can be had of these names of the directory @fd on @device */
void looks_take(struct looks *looks, int fd, dev_t device, struct look *names, size_t count);

#endif
