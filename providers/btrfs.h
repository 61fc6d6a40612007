/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs.h - between btrfs.c (the operations) and btrfs-place.c (the file system).
 */
#ifndef PROVIDERS_BTRFS_H
#define PROVIDERS_BTRFS_H

#include "copies.h"

/* struct source - a subvolume of the set */
struct source {
        char *mount_point;
        char *path; /* inside the file system */
        uint8_t uuid[16]; /* seen when the set began */
        bool known; /* uuid and fs_device are filled */
        uint64_t fs_device; /* equal for all subvolumes of one file system */
        int fd; /* open between pre_commit and post_commit */
};

/* volume_check() - can it be copied? 1, 0 with words why not, negative code */
int volume_check(const struct vss_volume *volume, struct vss_error *reterr);

/* place_choose() - the folder that shall hold `.vss` (P-64): the top-level subvolume if a writable
 * mount shows it, else the root of the volume's mount, else the subvolume itself */
int place_choose(struct copies *copies, const struct vss_volume *volume, char **ret,
                 struct vss_error *reterr);

/* metadata_check() - a snapshot takes metadata, and copies take more with each change (P-69's
 * reasoning): VSS_E_INSUFFICIENT_STORAGE before anything is held */
int metadata_check(const char *root, uint64_t min_free, struct vss_error *reterr);

/* source_open() - its root; VSS_E_OBJECT_NOT_FOUND when another subvolume lies there by now */
int source_open(struct source *source, struct vss_error *reterr);

bool subvolume_is_there(int folder);
int subvolume_delete(int folder, const char *name); /* absent is success; negative errno */
int subvolume_make_read_only(int folder, const char *name, const char *of,
                             struct vss_error *reterr); /* @of: for words */

#endif
