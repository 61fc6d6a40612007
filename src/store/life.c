/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c - lock files. Whoever finds a lock free removes the file while holding the lock, and
 * whoever makes one looks afterwards whether its file is still the one with that name: between
 * making and locking, somebody else may have taken it for a dead one's.
 */
#include "store/life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NAME_SIZE (VSS_ID_TEXT_SIZE + 8)

static const char *name_of(const struct vss_id *id, char name[NAME_SIZE]) {
        char text[VSS_ID_TEXT_SIZE];

        (void)snprintf(name, NAME_SIZE, "%s.lock", vss_id_format(id, text));
        return name;
}

static bool still_named(int folder, const char *name, int fd) {
        struct stat mine, named;

        return fstat(fd, &mine) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
               mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
}

int life_begin(int folder, struct life *ret) {
        char name[NAME_SIZE];
        struct life life;

        for (unsigned tries = 0; tries < 100; tries++) {
                int r = vss_id_new(&life.id);

                if (r < 0)
                        return r;
                life.fd = openat(folder, name_of(&life.id, name),
                                 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (life.fd < 0)
                        return -errno;
                if (flock(life.fd, LOCK_EX | LOCK_NB) == 0 && still_named(folder, name, life.fd)) {
                        *ret = life;
                        return 0;
                }
                close(life.fd);
        }
        return -EBUSY;
}

void life_end(int folder, struct life *life) {
        char name[NAME_SIZE];

        if (life->fd < 0)
                return;
        (void)unlinkat(folder, name_of(&life->id, name), 0);
        close(life->fd);
        life->fd = -1;
}

bool life_is_over(int folder, const struct vss_id *id) {
        char name[NAME_SIZE];
        _cleanup_close_ int fd =
                openat(folder, name_of(id, name), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd < 0)
                return errno == ENOENT; /* a reboot, or its own end */
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return false;
        if (still_named(folder, name, fd))
                (void)unlinkat(folder, name, 0);
        return true;
}
