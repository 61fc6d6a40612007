/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-ranges.c - the ranges of a partial file on top of what is in place (I-133): into a clone
 * that then takes the file's name where the file system can, else into the file itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/cleanup.h"

static int ranges_begin_at_zero(const struct record *record) {
        return strncmp(record->extra, "0:", 2) == 0;
}

/* the file in place, checked (SEC-64), or a new one */
static int open_in_place(const struct spot *spot, const struct record *record,
                         struct vss_error *reterr) {
        int fd = open_beneath(spot->fd, spot->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                              false);
        struct stat st;

        if (fd == -ENOENT) {
                if (!ranges_begin_at_zero(record))
                        return vss_fail(reterr, -ENOENT,
                                        "'%s' is missing: the image holds only ranges of it, "
                                        "restore its base first",
                                        spot->full);
                fd = openat(spot->fd, spot->name,
                            O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                return fd < 0 ? cannot_place(spot, -errno, reterr) : fd;
        }
        if (fd < 0)
                return cannot_place(spot, fd, reterr);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_nlink > 1 && record->links < 2)) {
                close(fd);
                return vss_fail(reterr, -EMLINK,
                                "'%s' is no regular file, or has other names that the backup does "
                                "not know; it is not written into",
                                spot->full);
        }
        return fd;
}

static int patch_and_apply(struct members *members, const struct view_part *part, int fd,
                           struct vss_error *reterr) {
        struct attributes attributes = { 0 };
        int r = members_attributes(members, part, &attributes, reterr);

        if (r >= 0)
                r = members_patch(members, part, fd, reterr);
        if (r >= 0)
                r = attributes_apply(fd, part->record, &attributes, false, reterr);
        attributes_done(&attributes);
        return r;
}

int restore_ranges(struct members *members, const struct view_part *part, const struct spot *spot,
                   struct vss_error *reterr) {
        _cleanup_close_ int fd = open_in_place(spot, part->record, reterr), clone = -1;
        char name[LEFTOVERS_NAME_SIZE];
        int r;

        if (fd < 0)
                return fd;
        if (leftovers_name(name) >= 0)
                clone = openat(spot->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               0600);
        if (clone >= 0 && (part->record->links > 1 || ioctl(clone, FICLONE, fd) < 0)) {
                (void)unlinkat(spot->fd, name, 0);
                closep(&clone);
                clone = -1;
        }
        r = patch_and_apply(members, part, clone >= 0 ? clone : fd, reterr);
        if (clone < 0)
                return r < 0 || fdatasync(fd) >= 0 ? r : cannot_place(spot, -errno, reterr);
        if (r >= 0 && (fdatasync(clone) < 0 || renameat(spot->fd, name, spot->fd, spot->name) < 0))
                r = cannot_place(spot, -errno, reterr);
        if (r < 0)
                (void)unlinkat(spot->fd, name, 0);
        return r;
}
