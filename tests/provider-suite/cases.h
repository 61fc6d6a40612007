/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cases.h - what only providers that come with it must stand; driven by tools/vss-provider-suite.
 */
#ifndef PROVIDER_SUITE_CASES_H
#define PROVIDER_SUITE_CASES_H

#include "tests/check.h"
#include "vss-provider-suite/suite.h"

extern const char *mounts[], *subvolumes[]; /* of suite.volumes */
extern const char *area; /* where copies lie when not on the volume, else NULL */

bool is_mirror(void);
void volume_of(const char *mount, const char *subvolume, struct vss_volume *ret);
int count_all(void); /* copies of the volumes, by query() */
bool is_mine(const struct vss_snapshot_prop *prop); /* of one of the volumes */

/* shell() - a command that must succeed; @a is its $1, @b its $2 */
void shell(const char *command, const char *a, const char *b);
void make_tree(const char *at);
void check_equal(const char *original, const char *copy); /* names, kinds, metadata, contents */
int folders_of_set(const struct vss_id *set); /* on disk, in all places */

/* the cases; main() chooses by name */
void common_cases(void);
void case_full(void);
void case_read_only(void);
void mirror_cases(void);
void mirror_room(void);
void mirror_slow(void);
void mirror_inside(void);
void mirror_user(void);
void mirror_fills(void);
void btrfs_cases(void);
void btrfs_nested(void);
void btrfs_user(void);
void memory_faults(void);
void moving_cases(void);
void measure(void);

#endif
