/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/changes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

enum { MAX_COUNT = 1024 * 1024 }; /* 16 MiB of memory, and a line that a manifest can hold */

/* half of the ranges at least go into their neighbours */
static void coarsen(struct changes *changes, uint64_t step, size_t wanted) {
        changes->gap = changes->gap ? changes->gap : step;
        while (changes->count > wanted) {
                size_t kept = 0;

                changes->gap *= 2;
                for (size_t i = 1; i < changes->count; i++) {
                        struct change *last = &changes->items[kept];
                        const struct change *next = &changes->items[i];

                        if (next->offset - (last->offset + last->length) <= changes->gap)
                                last->length = next->offset + next->length - last->offset;
                        else
                                changes->items[++kept] = *next;
                }
                changes->count = kept + 1;
        }
}

int changes_add(struct changes *changes, uint64_t offset, uint64_t length) {
        struct change *last = changes->count ? &changes->items[changes->count - 1] : NULL;
        size_t max = changes->max ? changes->max : MAX_COUNT;

        if (last && offset - (last->offset + last->length) <= changes->gap) {
                last->length = offset + length - last->offset;
                return 0;
        }
        if (changes->count == max) {
                coarsen(changes, length, max / 2);
                return changes_add(changes, offset, length);
        }
        if (GROW(&changes->items, changes->count) < 0)
                return -ENOMEM;
        changes->items[changes->count++] = (struct change){ offset, length };
        return 0;
}

uint64_t changes_bytes(const struct changes *changes) {
        uint64_t bytes = 0;

        for (size_t i = 0; i < changes->count; i++)
                bytes += changes->items[i].length;
        return bytes;
}

void changes_done(struct changes *changes) {
        free(changes->items);
        memset(changes, 0, sizeof(*changes));
}

char *changes_text(const struct changes *changes) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        bool bad;

        if (!out)
                return NULL;
        if (changes->count == 0)
                fputs("0:0", out);
        for (size_t i = 0; i < changes->count; i++)
                fprintf(out, "%s%" PRIu64 ":%" PRIu64, i ? "," : "", changes->items[i].offset,
                        changes->items[i].length);
        bad = ferror(out);
        if (fclose(out) != 0 || bad) {
                free(text);
                return NULL;
        }
        return text;
}

static void put(unsigned char *to, uint64_t value) {
        for (size_t i = 0; i < 8; i++)
                to[i] = (unsigned char)(value >> 8 * i);
}

static int write_part(int fd, const unsigned char *from, size_t size) {
        for (size_t done = 0; done < size;) {
                ssize_t n = write(fd, from + done, size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

int changes_write(const struct changes *changes, int fd) {
        unsigned char buffer[16 * 1024];
        size_t used = 8;
        int r = 0;

        put(buffer, changes->count);
        for (size_t i = 0; r >= 0 && i < changes->count; i++) {
                if (used + 16 > sizeof(buffer)) {
                        r = write_part(fd, buffer, used);
                        used = 0;
                }
                put(buffer + used, changes->items[i].offset);
                put(buffer + used + 8, changes->items[i].length);
                used += 16;
        }
        return r < 0 ? r : write_part(fd, buffer, used);
}
