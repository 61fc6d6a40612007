/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * new-file.c - a file that comes into its place whole (SEC-64): made without a name, which a killed
 * restore leaves nowhere, or, where the file system has no such files, beside its place under a
 * name of chance; then linked or renamed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/cleanup.h"

/* file systems that cannot look and rename in one step: only the user's own hand is between */
static int rename_new(const struct spot *spot, const char *name) {
        const char *to = spot_name(spot);

        if (renameat2(spot->fd, name, spot->fd, to, RENAME_NOREPLACE) >= 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
                return -errno;
        if (faccessat(spot->fd, to, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return -EEXIST;
        return renameat(spot->fd, name, spot->fd, to) < 0 ? -errno : 0;
}

int rename_in(struct spot *spot, const char *name, int fd, struct vss_error *reterr) {
        int r = rename_new(spot, name);

        if (r != -EEXIST || !spot->replace)
                return r < 0 ? cannot_place(spot, r, reterr) : 0;
        if (fd >= 0 && fdatasync(fd) < 0)
                return cannot_place(spot, -errno, reterr);
        spot->replaced = true;
        if (renameat(spot->fd, name, spot->fd, spot->name) >= 0)
                return 0;
        if (errno == EISDIR && unlinkat(spot->fd, spot->name, AT_REMOVEDIR) >= 0 &&
            renameat(spot->fd, name, spot->fd, spot->name) >= 0)
                return 0;
        return cannot_place(spot, errno == ENOTEMPTY ? -EISDIR : -errno, reterr);
}

int new_file_begin(struct new_file *file, const struct spot *spot, uint32_t mode,
                   struct vss_error *reterr) {
        int r = 0;

        *file = (struct new_file){ .fd = -1 };
        /* nobody reaches what has no name; set-id bits come after the owner */
        file->fd = openat(spot->fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, mode & 0777);
        if (file->fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
                return cannot_place(spot, -errno, reterr);
        if (file->fd >= 0)
                return 0;
        r = leftovers_name(file->name);
        if (r < 0)
                return cannot_place(spot, r, reterr);
        file->fd = openat(spot->fd, file->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                          0600);
        if (file->fd < 0)
                return cannot_place(spot, -errno, reterr);
        file->has_name = true;
        return 0;
}

/* what lacks a name gets one; by /proc where only the privileged may do it by descriptor */
static int give_name(int fd, int at, const char *name) {
        char self[32];

        if (linkat(fd, "", at, name, AT_EMPTY_PATH) >= 0)
                return 0;
        if (errno != ENOENT && errno != EPERM)
                return -errno;
        snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, self, at, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int new_file_place(struct new_file *file, struct spot *spot, struct vss_error *reterr) {
        int r = file->has_name ? -EEXIST : give_name(file->fd, spot->fd, spot_name(spot));

        if (r >= 0)
                return 0;
        if (!file->has_name) {
                /* synced before it has a name beside: that name shall not live long */
                if (r == -EEXIST && spot->replace)
                        r = fdatasync(file->fd) < 0 ? -errno : leftovers_name(file->name);
                if (r >= 0)
                        r = give_name(file->fd, spot->fd, file->name);
                if (r < 0)
                        return cannot_place(spot, r, reterr);
        }
        r = rename_in(spot, file->name, file->has_name ? file->fd : -1, reterr);
        file->has_name = r < 0;
        return r;
}

void new_file_done(struct new_file *file, const struct spot *spot) {
        if (file->has_name)
                (void)unlinkat(spot->fd, file->name, 0);
        closep(&file->fd);
}
