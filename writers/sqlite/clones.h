/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clones.h - the database of a backup kept as a clone of its file (FICLONE), so that the file
 * system can tell later which blocks are still those that were hashed. Knows nothing of hashes.
 *
 * A clone lies in the folder `.vss` in the root of the file system (on btrfs: of the subvolume)
 * that holds the database, which backups leave out. Until its backup is complete it has no name
 * and ends with its process; then it is called "sqlite-TAG-LIST", TAG for the state folder, LIST
 * the page hash list, whose name has 128 random bits. What identifies it follows the digest in the
 * list, little-endian:
 *
 *   0 "VSSCLONE"  8 inode  16 generation  24 size  32 mtime, 40 ns  48 ctime, 56 ns  64 length of
 *   the path of its folder  68 that path
 */
#ifndef WRITERS_SQLITE_CLONES_H
#define WRITERS_SQLITE_CLONES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* One that a backup makes. */
struct clone {
        int fd, folder; /* owned; -1: none */
        struct stat copy; /* of the file that was cloned, before */
};
#define CLONE_NOTHING ((struct clone){ .fd = -1, .folder = -1 })

/* clone_make() - of the file @copy, for the database in @directory; sweeps that place.
 * Return: 0, or negative errno for any reason that it cannot be had; never an error */
int clone_make(const char *state, const char *directory, const char *copy, struct clone *ret);

/* clone_is_of() - is @copy still what was cloned? It has not been written since */
bool clone_is_of(const struct clone *clone, const char *copy);
void clone_done(struct clone *clone);

/* clone_keep() - give it a name, and write to @list, the end of the file, what identifies it. It
 * costs nothing but the clone when it fails */
void clone_keep(const char *state, struct clone *clone, const char *list_name, int list);

/* clone_open() - the one that belongs to a list, if it is exactly what the list says, from offset
 * @at on, beside @clone; a descriptor, or negative errno */
int clone_open(const char *state, const struct clone *clone, const char *list_name, int list,
               uint64_t at);

/* clone_remove() - that of a list; wherever it lies, if there is one */
void clone_remove(const char *state, const char *list_name, int list, uint64_t at);

/* clone_sweep() - remove what has no list (any more) in the place of a database; @all: everything
 * of this state folder */
void clone_sweep(const char *state, const char *directory, bool all);

#endif
