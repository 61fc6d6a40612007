/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive-write.c - members of a pax archive into frames that make them reachable.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/pax.h"

#define BLOCK 512

struct archive_writer {
        struct frame_writer *frames;
        struct text header, records; /* keep their memory from member to member */
        uint64_t announced, put; /* bytes of the current member's data */
};

void attributes_done(struct attributes *attributes) {
        for (size_t i = 0; i < attributes->count; i++) {
                free(attributes->items[i].name);
                free(attributes->items[i].value);
        }
        free(attributes->items);
        *attributes = (struct attributes){ 0 };
}

int archive_writer_new(int take_fd, unsigned threads, struct archive_writer **ret) {
        struct archive_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer) {
                close(take_fd);
                return -ENOMEM;
        }
        r = frame_writer_new(take_fd, FRAME_SIZE_DATA, 1, threads, &writer->frames);
        if (r < 0) {
                free(writer);
                return r;
        }
        *ret = writer;
        return 0;
}

struct archive_writer *archive_writer_free(struct archive_writer *writer) {
        if (!writer)
                return NULL;
        frame_writer_free(writer->frames);
        text_done(&writer->header);
        text_done(&writer->records);
        free(writer);
        return NULL;
}

int archive_writer_begin(struct archive_writer *writer, const struct member *member,
                         uint64_t *ret_offset) {
        int r;

        *ret_offset = frame_writer_position(writer->frames);
        writer->put = 0;
        text_reset(&writer->header);
        r = pax_header(member, &writer->records, &writer->header, &writer->announced);
        if (r < 0)
                return r;
        return frame_writer_put(writer->frames, writer->header.data, writer->header.size);
}

int archive_writer_data(struct archive_writer *writer, const void *data, size_t size) {
        if (size > writer->announced - writer->put)
                return -EFBIG;
        writer->put += size;
        return frame_writer_put(writer->frames, data, size);
}

char *archive_writer_space(struct archive_writer *writer, size_t *ret_size) {
        return frame_writer_space(writer->frames, ret_size);
}

int archive_writer_commit(struct archive_writer *writer, size_t size) {
        if (size > writer->announced - writer->put)
                return -EFBIG;
        writer->put += size;
        return frame_writer_commit(writer->frames, size);
}

int archive_writer_end(struct archive_writer *writer) {
        static const char zeros[BLOCK];

        if (writer->put != writer->announced)
                return -ENODATA; /* the next member would begin in the wrong place */
        return frame_writer_put(writer->frames, zeros, (size_t)(-writer->put % BLOCK));
}

int archive_writer_mark(struct archive_writer *writer) {
        return frame_writer_mark(writer->frames);
}

int archive_writer_rewind(struct archive_writer *writer) {
        return frame_writer_rewind(writer->frames);
}

int archive_writer_finish(struct archive_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                          uint64_t *ret_stored) {
        static const char end[2 * BLOCK];
        int r = frame_writer_put(writer->frames, end, sizeof(end));

        return r < 0 ? r : frame_writer_finish(writer->frames, ret_digest, ret_stored);
}

char *path_to_member(const char *path, bool ranges) {
        char *name;

        if (path[0] == '/' && path[1] == '\0')
                return strdup(".");
        return asprintf(&name, "%s%s", ranges ? "ranges/" : "", path + 1) < 0 ? NULL : name;
}
