/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit-ranges.c - ranges written into a file in place, where it could not be cloned: what
 * is in them now is saved beside first, and comes back from there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/commit.h"
#include "base/cleanup.h"
#include "base/file.h"

#define STEP ((size_t)256 << 10)

static int copy_range(int from, int to, uint64_t offset, uint64_t length, char *buffer) {
        while (length > 0) {
                size_t n = length < STEP ? (size_t)length : STEP;
                int r = pread_all(from, buffer, n, (off_t)offset);

                if (r >= 0)
                        r = pwrite_all(to, buffer, n, (off_t)offset);
                if (r < 0)
                        return r;
                offset += n;
                length -= n;
        }
        return 0;
}

int copy_ranges(int from, int to, const struct byte_range *ranges, size_t count, uint64_t end) {
        _cleanup_free_ char *buffer = malloc(STEP);
        int r = buffer ? 0 : -ENOMEM;

        for (size_t i = 0; i < count && r >= 0; i++) {
                uint64_t length = ranges[i].length;

                if (ranges[i].offset >= end)
                        continue;
                if (length > end - ranges[i].offset)
                        length = end - ranges[i].offset;
                r = copy_range(from, to, ranges[i].offset, length, buffer);
        }
        return r;
}

static int failed(int r, const char *full, struct vss_error *reterr) {
        return vss_fail(reterr, r, "'%s' cannot be written into: %s", full, strerror(-r));
}

/* the file in place, or -ESTALE: it is another one by now */
static int open_in_place(const struct undo_item *item, int at, struct stat *ret) {
        int fd = open_beneath(at, item->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, false);

        if (fd < 0)
                return fd;
        if (fstat(fd, ret) < 0 || !S_ISREG(ret->st_mode) || ret->st_ino != item->old) {
                close(fd);
                return -ESTALE;
        }
        return fd;
}

/* all of what will be overwritten, or no such file */
static int save_old(const struct undo_item *item, int at, const char *name, int fd,
                    const struct byte_range *ranges, size_t count) {
        _cleanup_close_ int old =
                openat(at, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r = old < 0 ? -errno : copy_ranges(fd, old, ranges, count, item->old_size);

        if (r >= 0 && ftruncate(old, (off_t)item->old_size) < 0)
                r = -errno;
        if (r < 0 && old >= 0)
                (void)unlinkat(at, name, 0);
        return r;
}

int commit_write(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr) {
        _cleanup_close_ int made = -1, fd = -1, held = -1;
        char name[LEFTOVERS_NAME_SIZE], old[LEFTOVERS_NAME_SIZE];
        _cleanup_free_ struct byte_range *ranges = NULL;
        struct stat st;
        size_t count;
        int r = record_ranges_parse(item->ranges, &ranges, &count);

        if (r < 0)
                return failed(r, full, reterr);
        r = in_use_take(commit->in_use, at, item->name, full, true, &held, reterr);
        if (r < 0)
                return r;
        closep(&held); /* it would be in our own way */
        held = -1;
        undo_list_made_name(commit->list, item->number, name);
        undo_list_old_name(commit->list, item->number, old);
        made = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (made < 0)
                return failed(-errno, full, reterr);
        fd = open_in_place(item, at, &st);
        r = fd;
        /* once it is saved it may be half written */
        if (r >= 0 && !commit->recovering &&
            ((uint64_t)st.st_size != item->old_size || st.st_ctim.tv_sec != item->old_ctime ||
             st.st_ctim.tv_nsec != (long)item->old_ctime_ns))
                r = -ESTALE;
        if (r >= 0 && inode_at(at, old) == 0)
                r = save_old(item, at, old, fd, ranges, count);
        if (r >= 0)
                r = copy_ranges(made, fd, ranges, count, item->new_size);
        if (r >= 0 && ftruncate(fd, (off_t)item->new_size) < 0)
                r = -errno;
        if (r == -ESTALE)
                return vss_fail(reterr, r, "'%s' was changed since the restore began", full);
        return r < 0 ? failed(r, full, reterr) : 0;
}

int commit_unwrite(struct commit *commit, const struct undo_item *item, int at, const char *full,
                   struct vss_error *reterr) {
        _cleanup_close_ int old = -1, fd = -1;
        char name[LEFTOVERS_NAME_SIZE];
        _cleanup_free_ struct byte_range *ranges = NULL;
        struct stat st;
        size_t count;
        int r;

        undo_list_old_name(commit->list, item->number, name);
        old = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (old < 0)
                return errno == ENOENT ? 0 : failed(-errno, full, reterr);
        r = fd = open_in_place(item, at, &st);
        if (r >= 0)
                r = record_ranges_parse(item->ranges, &ranges, &count);
        if (r >= 0)
                r = copy_ranges(old, fd, ranges, count, item->old_size);
        if (r >= 0 && ftruncate(fd, (off_t)item->old_size) < 0)
                r = -errno;
        return r < 0 ? vss_fail(
                               reterr, r,
                               "'%s' could not be made as it was: %s; its old ranges lie beside it "
                               "in '%s'",
                               full, strerror(-r), name)
                     : 0;
}
