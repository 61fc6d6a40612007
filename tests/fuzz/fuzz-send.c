/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-send.c - streams of btrfs send. An even first byte: the rest is fed as it is. An odd one:
 * the rest is made into commands with right lengths and checksums, so that what is behind them is
 * reached. Whatever is taken must be told, cut anywhere with the same verdict.
 */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "../../providers/btrfs-names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int apply(void *userdata, const struct stream_command *command) {
        return names_apply(userdata, command);
}

static int told(void *userdata, const struct name_told *t) {
        size_t *count = userdata;

        if (!t->path || (t->fate == NAME_RENAMED) != (t->from != NULL))
                abort();
        for (size_t i = 1; i < t->extents_count; i++)
                if (t->extents[i].offset <= t->extents[i - 1].offset + t->extents[i - 1].length)
                        abort();
        ++*count;
        return 0;
}

static int run(const uint8_t *data, size_t size, size_t piece) {
        struct names *names = names_new(1 << 16);
        struct stream *stream = stream_new(apply, names);
        size_t count = 0;
        int r = 0;

        if (!names || !stream)
                abort();
        for (size_t at = 0; r == 0 && at < size; at += piece)
                r = stream_feed(stream, data + at, size - at < piece ? size - at : piece);
        if (r == 0)
                r = stream_finish(stream);
        if (names_tell(names, told, &count) < 0 || !*stream_words(stream))
                abort();
        stream_free(stream);
        names_free(names);
        return r;
}

static void put_command(uint8_t *to, size_t *at, uint16_t kind, const uint8_t *body, size_t size) {
        uint32_t length = htole32((uint32_t)size), crc = 0;
        uint8_t *p = to + *at;

        kind = htole16(kind);
        memcpy(p, &length, 4);
        memcpy(p + 4, &kind, 2);
        memcpy(p + 6, &crc, 4);
        memcpy(p + 10, body, size);
        crc = htole32(stream_crc(0, p, size + 10));
        memcpy(p + 6, &crc, 4);
        *at += size + 10;
}

/* kind, length, body; kind, length, body; ... */
static size_t compose(const uint8_t *data, size_t size, uint8_t *to) {
        static const uint8_t header[17] = "btrfs-stream\0\1";
        static const uint8_t snapshot[] = { 15, 0,  1, 0, 'c', 1, 0, 16, 0, 0,  0, 0,  0, 0,
                                            0,  0,  0, 0, 0,   0, 0, 0,  0, 0,  0, 2,  0, 8,
                                            0,  0,  0, 0, 0,   0, 0, 0,  0, 20, 0, 16, 0, 0,
                                            0,  0,  0, 0, 0,   0, 0, 0,  0, 0,  0, 0,  0, 0,
                                            0,  21, 0, 8, 0,   0, 0, 0,  0, 0,  0, 0,  0 };
        size_t at = sizeof(header);

        memcpy(to, header, sizeof(header));
        put_command(to, &at, STREAM_SNAPSHOT, snapshot, sizeof(snapshot));
        while (size >= 2) {
                size_t n = data[1] < size - 2 ? data[1] : size - 2;

                put_command(to, &at, data[0], data + 2, n);
                data += 2 + n;
                size -= 2 + n;
        }
        put_command(to, &at, STREAM_END, header, 0);
        return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t *made = NULL;

        if (size == 0)
                return 0;
        if (data[0] & 1) {
                made = malloc(size * 11 + 256);
                if (!made)
                        abort();
                size = compose(data + 1, size - 1, made);
        } else {
                data++;
                size--;
        }
        if (run(made ? made : data, size, size + 1) != run(made ? made : data, size, 5))
                abort();
        free(made);
        return 0;
}
