/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame-reader.c - random access to a stream of frames, and a second way to find them when the
 * table at the end is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "backup/frames.h"
#include "backup/unpack.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

/* magic, header, the header of one block, its byte, checksum */
#define FRAME_PACKED_MIN 10

/* who has read so many frames one after the other will want the next one as well */
#define IN_A_ROW 3

/* no writer of ours makes larger frames; a header that claims more is damage */
#define FRAME_SIZE_MAX FRAME_SIZE_DATA

struct frame_reader {
        int fd;
        char *name;
        uint64_t file_size;
        struct frame_place *frames;
        size_t count, capacity;
        bool rebuilt;
        struct unpacker *unpacker;
        const char *plain; /* lent by the unpacker */
        size_t loaded; /* index + 1 of the frame in @plain */
        unsigned in_a_row; /* frames read one after the other so far */
};

static uint32_t get_u32(const char *p) {
        const unsigned char *u = (const unsigned char *)p;

        return u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

struct frame_reader *frame_reader_free(struct frame_reader *reader) {
        if (!reader)
                return NULL;
        unpacker_free(reader->unpacker);
        closep(&reader->fd);
        free(reader->frames);
        free(reader->name);
        free(reader);
        return NULL;
}

static int add_frame(struct frame_reader *reader, uint32_t packed, uint32_t plain) {
        const struct frame_place *last =
                reader->count > 0 ? &reader->frames[reader->count - 1] : NULL;
        struct frame_place place = { .plain_size = plain, .packed_size = packed };
        int r;

        if (last) {
                place.plain = last->plain + last->plain_size;
                place.packed = last->packed + last->packed_size;
        }
        /* nobody writes empty frames; a table of them would cost memory and stand for nothing */
        if (plain == 0 || packed < FRAME_PACKED_MIN || plain > FRAME_SIZE_MAX ||
            packed > ZSTD_compressBound(FRAME_SIZE_MAX))
                return -EBADMSG;
        r = ARRAY_RESERVE(&reader->frames, reader->count, &reader->capacity);
        if (r < 0)
                return r;
        reader->frames[reader->count++] = place;
        return 0;
}

static uint64_t packed_end(const struct frame_reader *reader) {
        const struct frame_place *last;

        if (reader->count == 0)
                return 0;
        last = &reader->frames[reader->count - 1];
        return last->packed + last->packed_size;
}

/* -EBADMSG unless the table is there and fits the file exactly */
static int load_table(struct frame_reader *reader) {
        _cleanup_free_ char *table = NULL;
        char footer[9];
        uint64_t rows, size;
        int r;

        if (reader->file_size < 17)
                return -EBADMSG;
        r = pread_all(reader->fd, footer, 9, (off_t)(reader->file_size - 9));
        if (r < 0)
                return r;
        rows = get_u32(footer);
        size = 8 + rows * 8 + 9;
        if (get_u32(footer + 5) != UINT32_C(0x8F92EAB1) || footer[4] != 0 ||
            size + rows * FRAME_PACKED_MIN > reader->file_size)
                return -EBADMSG;
        table = malloc(size);
        if (!table)
                return -ENOMEM;
        r = pread_all(reader->fd, table, size, (off_t)(reader->file_size - size));
        if (r < 0)
                return r;
        if (get_u32(table) != UINT32_C(0x184D2A5E) || get_u32(table + 4) != size - 8)
                return -EBADMSG;
        for (uint64_t i = 0; i < rows && r >= 0; i++)
                r = add_frame(reader, get_u32(table + 8 + i * 8), get_u32(table + 12 + i * 8));
        if (r < 0)
                return r;
        return packed_end(reader) + size == reader->file_size ? 0 : -EBADMSG;
}

/* walk from frame to frame by their headers, until the end or the first that makes no sense */
static int rebuild_table(struct frame_reader *reader) {
        size_t room = ZSTD_compressBound(FRAME_SIZE_MAX);
        _cleanup_free_ char *buffer = malloc(room);
        uint64_t at = 0;

        if (!buffer)
                return -ENOMEM;
        reader->count = 0;
        reader->rebuilt = true;
        while (at < reader->file_size) {
                uint64_t left = reader->file_size - at;
                size_t n = left < room ? (size_t)left : room;
                unsigned long long plain;
                size_t packed;
                int r = pread_all(reader->fd, buffer, n, (off_t)at);

                if (r < 0)
                        return r;
                packed = ZSTD_findFrameCompressedSize(buffer, n);
                plain = ZSTD_getFrameContentSize(buffer, n);
                if (ZSTD_isError(packed) || plain == 0 || plain > FRAME_SIZE_MAX)
                        return 0;
                r = add_frame(reader, (uint32_t)packed, (uint32_t)plain);
                if (r < 0)
                        return r;
                at += packed;
        }
        return 0;
}

static int open_stream(struct frame_reader *reader, const char *name) {
        struct stat st;
        int r;

        reader->name = strdup(name);
        if (!reader->name)
                return -ENOMEM;
        if (fstat(reader->fd, &st) < 0)
                return -errno;
        reader->file_size = (uint64_t)st.st_size;
        r = load_table(reader);
        if (r == -EBADMSG)
                r = rebuild_table(reader);
        return r;
}

/* room for the largest frame: a manifest's reader is small, and there may be many */
static int fit_unpacker(struct frame_reader *reader) {
        size_t plain = 1, packed = 1;

        for (size_t i = 0; i < reader->count; i++) {
                if (reader->frames[i].plain_size > plain)
                        plain = reader->frames[i].plain_size;
                if (reader->frames[i].packed_size > packed)
                        packed = reader->frames[i].packed_size;
        }
        return unpacker_new(reader->fd, reader->name, plain, packed, &reader->unpacker);
}

int frame_reader_new(int take_fd, const char *name, struct frame_reader **ret,
                     struct vss_error *reterr) {
        struct frame_reader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader) {
                close(take_fd);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        reader->fd = take_fd;
        r = open_stream(reader, name);
        if (r >= 0)
                r = fit_unpacker(reader);
        if (r < 0) {
                frame_reader_free(reader);
                return vss_fail(reterr, r, "cannot read '%s': %s", name, strerror(-r));
        }
        *ret = reader;
        return 0;
}

static int load_frame(struct frame_reader *reader, size_t index, struct vss_error *reterr) {
        const struct frame_place *frame = &reader->frames[index], *next = NULL;
        int r;

        reader->in_a_row = index == reader->loaded ? reader->in_a_row + 1 : 0;
        if (reader->in_a_row >= IN_A_ROW && index + 1 < reader->count &&
            frame->plain_size == FRAME_SIZE_DATA)
                next = frame + 1;
        reader->loaded = 0;
        r = unpacker_get(reader->unpacker, frame, next, &reader->plain, reterr);
        if (r >= 0)
                reader->loaded = index + 1;
        return r;
}

static size_t find_frame(const struct frame_reader *reader, uint64_t offset) {
        size_t low = 0, high = reader->count;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (reader->frames[middle].plain <= offset)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

int frame_reader_at(struct frame_reader *reader, uint64_t offset, const char **ret,
                    size_t *ret_size, struct vss_error *reterr) {
        const struct frame_place *frame;
        size_t index = reader->loaded ? reader->loaded - 1 : 0;

        if (offset >= frame_reader_size(reader)) {
                if (reader->rebuilt)
                        return vss_fail(reterr, -EBADMSG,
                                        "'%s' ends early: nothing can be read after byte %" PRIu64,
                                        reader->name, packed_end(reader));
                return 0;
        }
        frame = &reader->frames[index];
        if (!reader->loaded || offset < frame->plain ||
            offset - frame->plain >= frame->plain_size) {
                int r;

                index = find_frame(reader, offset);
                r = load_frame(reader, index, reterr);
                if (r < 0)
                        return r;
                frame = &reader->frames[index];
        }
        *ret = reader->plain + (offset - frame->plain);
        *ret_size = frame->plain_size - (size_t)(offset - frame->plain);
        return 1;
}

const char *frame_reader_name(const struct frame_reader *reader) {
        return reader->name;
}

uint64_t frame_reader_size(const struct frame_reader *reader) {
        const struct frame_place *last;

        if (reader->count == 0)
                return 0;
        last = &reader->frames[reader->count - 1];
        return last->plain + last->plain_size;
}

size_t frame_reader_count(const struct frame_reader *reader) {
        return reader->count;
}

uint64_t frame_reader_start(const struct frame_reader *reader, size_t frame) {
        return reader->frames[frame].plain;
}

int frame_reader_was_rebuilt(const struct frame_reader *reader) {
        return reader->rebuilt;
}
