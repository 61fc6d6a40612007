/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identity.h - which file system is behind a descriptor, and where else is it mounted?
 *
 * The super block's device number of mountinfo is the identity (P-82): st_dev differs between
 * subvolumes of one btrfs. Reads procfs only; never used while something is frozen by us, except
 * by leftovers.c.
 */
#ifndef HOLD_IDENTITY_H
#define HOLD_IDENTITY_H

#include <limits.h>
#include <stdint.h>

struct fs_identity {
        uint64_t device; /* st_dev */
        uint64_t super; /* major:minor of mountinfo, as dev_t */
        uint64_t mount_id;
        uint32_t uuid_size; /* 16 a UUID, 8 only what statfs gives, 0 nothing */
        uint8_t uuid[16];
        char mount_point[PATH_MAX];
};

struct mount_line {
        uint64_t mount_id;
        uint64_t super;
        const char *mount_point; /* unescaped */
};

/* mounts_each() - call @each for every line until it returns non-zero, which is returned; 0 at the
 * end, negative errno */
int mounts_each(int (*each)(void *userdata, const struct mount_line *line), void *userdata);

/* fs_device_and_mount() - st_dev and mount id of a descriptor; 0 or negative errno */
int fs_device_and_mount(int fd, uint64_t *ret_device, uint64_t *ret_mount_id);

/* fs_identify() - 0; -ENOENT the mount is not in this namespace's list; negative errno */
int fs_identify(int fd, struct fs_identity *ret);

/* fs_same_uuid() - false only when both are known and differ */
int fs_same_uuid(const struct fs_identity *a, const struct fs_identity *b);

#endif
