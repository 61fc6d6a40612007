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

#include "backup/commit.h"
#include "backup/staging.h"
#include "base/cleanup.h"

static int ranges_begin_at_zero(const struct record *record) {
        return strncmp(record->extra, "0:", 2) == 0;
}

static int missing(const struct spot *spot, struct vss_error *reterr) {
        return vss_fail(reterr, -ENOENT,
                        "'%s' is missing: the image holds only ranges of it, restore its base "
                        "first",
                        spot->full);
}

/* the file in place, checked (SEC-64); -ENOENT without words: there is none */
static int open_in_place(const struct spot *spot, const struct record *record,
                         struct vss_error *reterr) {
        int fd = open_beneath(spot->fd, spot->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                              false);
        struct stat st;

        if (fd < 0)
                return fd == -ENOENT ? fd : cannot_place(spot, fd, reterr);
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_nlink > 1 && record->links < 2)) {
                close(fd);
                return vss_fail(reterr, -EMLINK,
                                "'%s' is no regular file, or has other names that the backup does "
                                "not know; it is not written into",
                                spot->full);
        }
        return fd;
}

/* a new one, when what the backup has is its beginning */
static int make_in_place(const struct spot *spot, const struct record *record,
                         struct vss_error *reterr) {
        int fd;

        if (!ranges_begin_at_zero(record))
                return missing(spot, reterr);
        fd = openat(spot->fd, spot_name(spot), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
        return fd < 0 ? cannot_place(spot, -errno, reterr) : fd;
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

static int patch_one_by_one(struct members *members, const struct view_part *part,
                            const struct spot *spot, struct vss_error *reterr) {
        _cleanup_close_ int fd = open_in_place(spot, part->record, reterr), clone = -1;
        char name[LEFTOVERS_NAME_SIZE];
        int r;

        if (fd == -ENOENT)
                fd = make_in_place(spot, part->record, reterr);
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

/* ---- with all others ---- */

/* what is made and what is in place came from what was in place then: only that is replaced */
static int keep_made(const struct spot *spot, int fd, struct spot *ret, struct vss_error *reterr) {
        struct stat st;

        *ret = *spot;
        if (fstat(fd, &st) < 0)
                return cannot_place(spot, -errno, reterr);
        ret->made = st.st_ino;
        return 0;
}

/* a copy of the whole file with its holes, where it cannot be cloned and must not be written into
 */
static int copy_whole(int from, int to) {
        struct byte_range part = { 0 };
        struct stat st;
        off_t at = 0;
        int r = fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0 ? -errno : 0;

        while (r >= 0 && (at = lseek(from, at, SEEK_DATA)) >= 0) {
                off_t end = lseek(from, at, SEEK_HOLE);

                part = (struct byte_range){ (uint64_t)at, (uint64_t)(end - at) };
                r = end < 0 ? -errno : copy_ranges(from, to, &part, 1, (uint64_t)st.st_size);
                at = end;
        }
        return r < 0 || errno == ENXIO ? r : -errno;
}

int ranges_base(int fd, int made, bool keep_links, bool may_copy) {
        int r;

        if (!keep_links && ioctl(made, FICLONE, fd) >= 0)
                return 1;
        if (!may_copy)
                return 0;
        r = copy_whole(fd, made);
        return r < 0 ? r : 1;
}

/* only the ranges are made; they go into the file at the end */
static int make_ranges(struct members *members, const struct view_part *part,
                       const struct spot *spot, struct staging *staging, int fd, int made,
                       struct vss_error *reterr) {
        const struct place_level *level = staging_level(staging);
        struct attributes attributes = { 0 };
        struct spot kept;
        int r = members_patch(members, part, made, reterr);

        if (r >= 0)
                r = members_attributes(members, part, &attributes, reterr);
        if (r >= 0)
                r = keep_made(spot, made, &kept, reterr);
        if (r >= 0)
                r = staging_write(staging, &kept, part->record->extra, part->record->size, reterr);
        if (r >= 0)
                r = staging_set(staging, level, spot->root, spot->name, fd, part->record,
                                &attributes, reterr);
        attributes_done(&attributes);
        return r;
}

static int make_beside(struct members *members, const struct view_part *part,
                       const struct spot *spot, struct staging *staging, int made,
                       struct vss_error *reterr) {
        _cleanup_close_ int fd = open_in_place(spot, part->record, reterr);
        bool later = staging_is_for_later(staging);
        struct spot kept;
        int r;

        if (fd < 0 && fd != -ENOENT)
                return fd;
        if (fd == -ENOENT && !ranges_begin_at_zero(part->record))
                return missing(spot, reterr);
        r = fd < 0 ? 1 : ranges_base(fd, made, part->record->links > 1 && !later, later);
        if (r < 0)
                return cannot_place(spot, r, reterr);
        if (r == 0)
                return make_ranges(members, part, spot, staging, fd, made, reterr);
        r = patch_and_apply(members, part, made, reterr);
        if (r >= 0)
                r = keep_made(spot, made, &kept, reterr);
        return r < 0 ? r : staging_put(staging, &kept, true, reterr);
}

int restore_ranges(struct members *members, const struct view_part *part, const struct spot *spot,
                   struct staging *staging, struct vss_error *reterr) {
        _cleanup_close_ int made = -1;
        int r;

        if (!staging)
                return patch_one_by_one(members, part, spot, reterr);
        if (spot->beside[0]) {
                made = openat(spot->fd, spot->beside,
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                r = made < 0 ? cannot_place(spot, -errno, reterr)
                             : make_beside(members, part, spot, staging, made, reterr);
        } else { /* its directory is new: the file cannot be there */
                made = make_in_place(spot, part->record, reterr);
                r = made < 0 ? made : patch_and_apply(members, part, made, reterr);
        }
        if (r < 0 && made >= 0)
                (void)unlinkat(spot->fd, spot_name(spot), 0);
        return r;
}
