/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mounts.h - the mounts of this process (read by libmount), as far as a maker of copies must know
 * them.
 */
#ifndef PROVIDERS_MOUNTS_H
#define PROVIDERS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount {
        uint64_t id;
        unsigned major, minor; /* of the super block: equal for all mounts of one file system */
        char *root; /* of the mount, inside its file system */
        char *point;
        char *fs_type;
        bool read_only;
};

struct mounts {
        struct mount *items;
        size_t count, capacity;
};

/* mounts_read() - 0 or negative errno; release with mounts_done() */
int mounts_read(struct mounts *ret);
void mounts_done(struct mounts *mounts);

const struct mount *mounts_by_id(const struct mounts *mounts, uint64_t id);

/* mount_open() - its root, O_DIRECTORY; -ESTALE when another mount hides it */
int mount_open(const struct mount *mount);

/* mount_id_of() - 0 when the kernel does not say */
uint64_t mount_id_of(int fd);

/* mounts_using() - does a mount show @folder or something below it: mounted there, or bound to
 * another place? With @detach they are unmounted lazily first. Return: how many remain */
size_t mounts_using(const char *folder, bool detach);

#endif
