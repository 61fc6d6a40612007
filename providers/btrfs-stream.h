/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-stream.h - read the stream of btrfs send, version 1, without file data.
 *
 * It comes from the kernel, and is bounded and checked all the same: a stream that is not
 * understood to its last byte gives no knowledge at all.
 */
#ifndef PROVIDERS_BTRFS_STREAM_H
#define PROVIDERS_BTRFS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stream_kind {
        STREAM_SNAPSHOT = 2, /* the numbers are those of the kernel */
        STREAM_MKFILE = 3,
        STREAM_MKDIR = 4,
        STREAM_MKNOD = 5,
        STREAM_MKFIFO = 6,
        STREAM_MKSOCK = 7,
        STREAM_SYMLINK = 8,
        STREAM_RENAME = 9,
        STREAM_LINK = 10,
        STREAM_UNLINK = 11,
        STREAM_RMDIR = 12,
        STREAM_SET_XATTR = 13,
        STREAM_REMOVE_XATTR = 14,
        STREAM_CLONE = 16, /* comes without file data, too */
        STREAM_TRUNCATE = 17,
        STREAM_CHMOD = 18,
        STREAM_CHOWN = 19,
        STREAM_UTIMES = 20,
        STREAM_END = 21,
        STREAM_UPDATE_EXTENT = 22
};

/* struct stream_command - paths are relative to the subvolume, clean, "" its root; lent for the
 * call. Only what the command has is set. */
struct stream_command {
        enum stream_kind kind;
        const char *path;
        const char *to; /* RENAME: the new name; LINK: the name that exists */
        uint64_t offset, size; /* UPDATE_EXTENT, CLONE; TRUNCATE: size alone */
        const uint8_t *uuid, *reference_uuid; /* SNAPSHOT, 16 bytes each */
};

/* 0, or a negative value that ends the reading and is handed on */
typedef int (*stream_sink_t)(void *userdata, const struct stream_command *command);

struct stream;

/* stream_new() - NULL when out of memory */
struct stream *stream_new(stream_sink_t sink, void *userdata);
struct stream *stream_free(struct stream *stream);

/* stream_feed() - the next bytes, however they are cut. 0, -EBADMSG, or what the sink returned;
 * after a failure nothing is taken any more */
int stream_feed(struct stream *stream, const void *data, size_t size);

/* stream_finish() - no more bytes: -EBADMSG unless the END command was the last */
int stream_finish(const struct stream *stream);

/* stream_words() - what was wrong; never NULL */
const char *stream_words(const struct stream *stream);

/* stream_crc() - CRC-32C as the stream has it: no inversion, begun with @crc */
uint32_t stream_crc(uint32_t crc, const void *data, size_t size);

#endif
