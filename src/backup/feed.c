/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.c - the bytes of a source's file: where its data lie, and from there into the archive and
 * the digest.
 */
#define _GNU_SOURCE
#include "backup/feed.h"

#include <errno.h>
#include <unistd.h>

#include "base/array.h"

/* more pieces than this, and holes below HOLE_MIN are stored as zeros */
#define EXTENTS_MANY 20000
#define HOLE_MIN (UINT64_C(1) << 20)

int feed_read(int fd, void *buffer, uint64_t size, uint64_t offset, uint64_t *ret) {
        *ret = 0;
        while (*ret < size) {
                ssize_t n = pread(fd, (char *)buffer + *ret, (size_t)(size - *ret),
                                  (off_t)(offset + *ret));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                *ret += (uint64_t)n;
        }
        return 0;
}

int find_extents(struct operation *op, int fd, uint64_t size, size_t *ret_count) {
        size_t count = 0;
        uint64_t at = 0;

        while (at < size) {
                off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;
                struct byte_range *last = count > 0 ? &op->extents[count - 1] : NULL;

                if (data < 0 && errno == ENXIO)
                        break;
                if (data < 0)
                        return -errno;
                if ((uint64_t)data >= size)
                        break;
                hole = lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                if ((uint64_t)hole > size)
                        hole = (off_t)size;
                at = (uint64_t)hole;
                if (last && count > EXTENTS_MANY &&
                    (uint64_t)data - (last->offset + last->length) < HOLE_MIN) {
                        last->length = at - last->offset;
                        continue;
                }
                if (ARRAY_RESERVE(&op->extents, count, &op->extents_capacity) < 0)
                        return -ENOMEM;
                op->extents[count++] = (struct byte_range){ (uint64_t)data, at - (uint64_t)data };
        }
        *ret_count = count;
        return 0;
}

int feed_range(struct operation *op, int fd, uint64_t offset, uint64_t length, uint64_t at,
               struct feed *feed) {
        while (length > 0) {
                size_t room = READ_SIZE;
                char *buffer =
                        feed->archive ? archive_writer_space(feed->archive, &room) : op->buffer;
                uint64_t n = length < room ? length : room, got = 0;
                int r = feed_read(fd, buffer, n, offset, &got);

                if (r >= 0 && got < n)
                        r = -ESTALE;
                if (r < 0) {
                        feed->file_error = r;
                        return 0;
                }
                r = content_digest_data(op->digest, at, buffer, (size_t)n);
                if (r >= 0 && feed->archive)
                        r = archive_writer_commit(feed->archive, (size_t)n);
                if (r < 0)
                        return r;
                offset += n;
                at += n;
                length -= n;
                if (feed->pass) {
                        feed->pass->bytes += n;
                        r = pass_progress(feed->pass, feed->path);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int feed_extents(struct operation *op, int fd, const struct byte_range *extents, size_t count,
                 struct feed *feed) {
        int r = 0;

        for (size_t i = 0; i < count && r >= 0 && feed->file_error == 0; i++)
                r = feed_range(op, fd, extents[i].offset, extents[i].length, extents[i].offset,
                               feed);
        return r;
}

int feed_digest(struct operation *op, int fd, uint64_t size, uint8_t ret[DIGEST_SIZE]) {
        struct feed feed = { 0 };
        size_t count = 0;
        int r = find_extents(op, fd, size, &count);

        if (r >= 0)
                r = content_digest_begin(op->digest, size);
        if (r >= 0)
                r = feed_extents(op, fd, op->extents, count, &feed);
        if (r >= 0)
                r = feed.file_error;
        return r < 0 ? r : content_digest_end(op->digest, ret);
}
