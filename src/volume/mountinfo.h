/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountinfo.h - the kernel's table of mounts, read by libmount without touching any device. For
 * vss-probe only: vssd has nothing to do with mounts.
 */
#ifndef VOLUME_MOUNTINFO_H
#define VOLUME_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

/* One line of mountinfo. Strings are bytes as the kernel means them, octal escapes undone; they
 * belong to the table. */
struct mount_entry {
        uint64_t id, parent;
        uint32_t dev_major, dev_minor;
        const char *root; /* the part of the file system that is shown, "/" for all of it */
        const char *point;
        const char *type;
        const char *source;
        bool read_only;
        bool deleted; /* what it shows was removed from its file system meanwhile */
};

struct mount_table {
        struct mount_entry *items;
        size_t count, capacity;
        struct libmnt_table *lines; /* owns the strings */
};

/* enum mount_kind - what a shadow copy can be made of, by file system type */
enum mount_kind {
        MOUNT_LOCAL,
        MOUNT_NETWORK, /* copied by its server (S-18) */
        MOUNT_FUSE, /* a program's view of something else */
        MOUNT_STACKED, /* overlay: its data lie on other volumes */
        MOUNT_PSEUDO /* proc, tmpfs ...: nothing that outlives the machine's memory */
};

/* mount_table_read() - fill @table, which is empty, from @file, NULL for the mounts of this process
 *
 * Return: 0, -EBADMSG for a line that is none, negative errno */
int mount_table_read(struct mount_table *table, const char *file, struct vss_error *reterr);
void mount_table_done(struct mount_table *table);

/* mount_table_find() - by mount id; NULL when there is none */
const struct mount_entry *mount_table_find(const struct mount_table *table, uint64_t id);

/* mount_table_at() - the mount by which @path, absolute and without links, is reached: of several
 * on one point the topmost. @ret_foreign: the last one on the way, itself included, that is not
 * answered by this kernel alone; looking beyond it can hang. NULL when there is none */
const struct mount_entry *mount_table_at(const struct mount_table *table, const char *path,
                                         const struct mount_entry **ret_foreign);

enum mount_kind mount_entry_kind(const struct mount_entry *mount);

#endif
