/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "vssctl.h"

#define PREFIX "vss-restore-test."
#define FOLDER "data"

/* is @fd still what @name in @parent means? */
static bool is_there(int parent, const char *name, int fd) {
        struct stat named, open;

        return fstatat(parent, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &open) == 0 &&
               named.st_dev == open.st_dev && named.st_ino == open.st_ino;
}

/* One that is not locked belongs to nobody who lives. */
static void sweep_one(int parent, const char *name) {
        _cleanup_close_ int fd =
                openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
            flock(fd, LOCK_EX | LOCK_NB) == 0 && is_there(parent, name, fd))
                (void)remove_tree(parent, name);
}

static void sweep(int parent) {
        int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *entry;

        if (!directory) {
                closep(&fd);
                return;
        }
        while ((entry = readdir(directory)))
                if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
                        sweep_one(parent, entry->d_name);
        (void)closedir(directory);
}

/* made, and locked before anybody has swept it away */
static int make_locked(struct scratch *s, const char *base) {
        for (int tries = 0; tries < 100; tries++) {
                free(s->path);
                s->path = path_join(base, PREFIX "XXXXXX");
                if (!s->path)
                        return -ENOMEM;
                if (!mkdtemp(s->path))
                        return -errno;
                s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (s->fd >= 0 && flock(s->fd, LOCK_EX) == 0 &&
                    is_there(s->parent, strrchr(s->path, '/') + 1, s->fd))
                        return 0;
                if (s->fd < 0 && errno != ENOENT)
                        return -errno;
                closep(&s->fd);
                s->fd = -1;
        }
        return -EBUSY;
}

int scratch_make(const char *parent, struct scratch *ret, struct vss_error *reterr) {
        const char *tmp = getenv("TMPDIR");
        struct scratch s = { .fd = -1, .parent = -1 };
        _cleanup_free_ char *base = NULL;
        int r = 0;

        if (!parent)
                parent = tmp && *tmp == '/' ? tmp : "/var/tmp";
        base = realpath(parent, NULL);
        s.parent = base ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (s.parent < 0)
                return vss_fail(reterr, -errno, "'%s' cannot be used for a restore: %s", parent,
                                strerror(errno));
        sweep(s.parent);
        r = make_locked(&s, base);
        if (r < 0) {
                closep(&s.parent);
                free(s.path);
                return vss_fail(reterr, r, "no folder can be made in '%s': %s", base, strerror(-r));
        }
        *ret = s;
        return 0;
}

int scratch_folder(const struct scratch *scratch, char **ret, struct vss_error *reterr) {
        int r = remove_tree(scratch->fd, FOLDER);

        if (r >= 0 && mkdirat(scratch->fd, FOLDER, 0700) < 0)
                r = -errno;
        if (r < 0)
                return vss_fail(reterr, r, "cannot empty '%s': %s", scratch->path, strerror(-r));
        *ret = path_join(scratch->path, FOLDER);
        return *ret ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");
}

int scratch_check_room(const struct scratch *scratch, uint64_t bytes, uint64_t files,
                       struct vss_error *reterr) {
        struct statvfs st;
        uint64_t room;

        if (fstatvfs(scratch->fd, &st) < 0)
                return vss_fail(reterr, -errno, "'%s': %s", scratch->path, strerror(errno));
        room = (uint64_t)st.f_bavail * st.f_frsize;
        if (room < bytes)
                return vss_fail(reterr, VSS_E_INSUFFICIENT_STORAGE,
                                "it needs %s and '%s' has %s: name a place with more room, "
                                "--scratch DIR",
                                format_bytes(bytes), scratch->path, format_bytes(room));
        if (st.f_files > 0 && st.f_favail < files) /* some have no such limit, and say 0 */
                return vss_fail(reterr, VSS_E_INSUFFICIENT_STORAGE,
                                "it has %" PRIu64 " files and '%s' has room for %" PRIu64
                                ": name another place, --scratch DIR",
                                files, scratch->path, (uint64_t)st.f_favail);
        return 0;
}

int scratch_remove(struct scratch *scratch, struct vss_error *reterr) {
        int r = remove_tree(scratch->parent, strrchr(scratch->path, '/') + 1);

        if (r < 0)
                r = vss_fail(reterr, r, "cannot remove '%s': %s; it holds restored data",
                             scratch->path, strerror(-r));
        closep(&scratch->fd);
        closep(&scratch->parent);
        free(scratch->path);
        return r;
}
