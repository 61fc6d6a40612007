/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extents.h - which bytes of two files are the same because they are the same blocks of the disk.
 * Asks the file system, reads nothing; what it does not tell may be equal all the same.
 */
#ifndef WRITERS_SQLITE_EXTENTS_H
#define WRITERS_SQLITE_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct extent {
        uint64_t offset, length;
};

struct extents {
        struct extent *items; /* in ascending order, neighbours joined */
        size_t count;
};

/* extents_usable() - is the file on a file system of which this is known: one address is one block
 * of the whole file system, and a block of two files is never written in place? btrfs and XFS,
 * there without the realtime device, which has addresses of its own */
bool extents_usable(int fd);

/* extents_shared() - @a and @b lie in one file system, and nobody writes to them meanwhile
 * Return: 0, negative errno */
int extents_shared(int a, int b, struct extents *ret);
void extents_done(struct extents *extents);

/* extents_cover() - is all from @offset on in one of them? *hint: 0 at first; offsets ascend */
bool extents_cover(const struct extents *extents, size_t *hint, uint64_t offset, uint64_t length);

#endif
