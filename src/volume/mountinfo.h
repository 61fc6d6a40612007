/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mountinfo.h - the kernel's table of mounts, read without touching any device.
 */
#ifndef VOLUME_MOUNTINFO_H
#define VOLUME_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

/* One line of mountinfo. Strings are bytes as the kernel means them, octal escapes undone. */
struct mount_entry {
        uint64_t id, parent;
        uint32_t dev_major, dev_minor;
        char *root; /* the part of the file system that is shown, "/" for all of it */
        char *point;
        char *type;
        char *source;
        bool read_only;
};

struct mount_table {
        struct mount_entry *items;
        size_t count, capacity;
};

/* enum mount_kind - what a shadow copy can be made of, by file system type */
enum mount_kind {
        MOUNT_LOCAL,
        MOUNT_NETWORK, /* copied by its server (S-18) */
        MOUNT_FUSE, /* a program's view of something else */
        MOUNT_STACKED, /* overlay: its data lie on other volumes */
        MOUNT_PSEUDO /* proc, tmpfs ...: nothing that outlives the machine's memory */
};

/* mount_table_parse() - append the lines of @text to @table; -EBADMSG for a line that is none */
int mount_table_parse(struct mount_table *table, const char *text, struct vss_error *reterr);

/* mount_table_read() - fill @table, which is empty, from /proc/self/mountinfo */
int mount_table_read(struct mount_table *table, struct vss_error *reterr);
void mount_table_done(struct mount_table *table);

/* mount_table_find() - by mount id; NULL when there is none */
const struct mount_entry *mount_table_find(const struct mount_table *table, uint64_t id);

enum mount_kind mount_entry_kind(const struct mount_entry *mount);

#endif
