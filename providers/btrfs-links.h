/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-links.h - what a send stream does not tell and a comparison of names must know: the other
 * names of a file, and where nested subvolumes were.
 */
#ifndef PROVIDERS_BTRFS_LINKS_H
#define PROVIDERS_BTRFS_LINKS_H

#include <stdint.h>

/* path below the subvolume's root; 0, or a negative value that is handed on */
typedef int (*links_sink_t)(void *userdata, const char *path);

/* links_of() - every name of the inode @number in the subvolume @root */
int links_of(int root, uint64_t number, links_sink_t sink, void *userdata);

/* links_below() - call @sink for every file below @path that has several names; with the inode */
int links_below(int root, const char *path, int (*sink)(void *userdata, uint64_t number),
                void *userdata);

/* links_stubs() - the empty directories of @path that stand where subvolumes are nested; a path
 * that is no directory has none */
int links_stubs(int root, const char *path, links_sink_t sink, void *userdata);

#endif
