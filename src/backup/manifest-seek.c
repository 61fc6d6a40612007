/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest-seek.c - a name in a manifest of a million, without reading the others.
 *
 * Of a frame that was looked into, the first record behind its first newline is remembered: a mark.
 * Marks are sorted as the records are, so halving finds the frame of a name by looking into as many
 * others as their number has binary digits, and with the marks of former searches into fewer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/manifest-inside.h"

/* what is so short is read through */
#define NEAR 2048

static int key_compare(uint32_t a_component, const char *a, uint32_t b_component, const char *b) {
        if (a_component != b_component)
                return a_component < b_component ? -1 : 1;
        return path_compare(a, b);
}

/* first_between() - the first record that begins behind a newline at or after @start, and before
 * @end: 1, its place and its key, 0 there is none */
static int first_between(struct manifest_reader *reader, uint64_t start, uint64_t end,
                         uint64_t *ret_at, const struct record **ret, struct vss_error *reterr) {
        int r;

        reader->position = start;
        /* the rest of a line that began before; at the very beginning that is the header */
        r = manifest_read_line(reader, reterr);
        while (r > 0 && reader->position < end) {
                uint64_t at = reader->position;

                r = manifest_read_line(reader, reterr);
                if (r <= 0 || manifest_line_is(reader, "m") || manifest_line_is(reader, "base"))
                        continue;
                if (manifest_line_is(reader, "end"))
                        return 0;
                *ret_at = at;
                r = manifest_parse_key(reader, ret, reterr);
                return r < 0 ? r : 1;
        }
        return r < 0 ? r : 0;
}

/* mark_of() - of @frame, lent */
static int mark_of(struct manifest_reader *reader, size_t frame, const struct mark **ret,
                   struct vss_error *reterr) {
        size_t count = frame_reader_count(reader->frames);
        uint64_t end = frame + 1 < count ? frame_reader_start(reader->frames, frame + 1)
                                         : frame_reader_size(reader->frames);
        const struct record *record;
        struct mark *mark;
        int r;

        if (!reader->marks)
                reader->marks = calloc(count, sizeof(*reader->marks));
        if (!reader->marks)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *ret = mark = &reader->marks[frame];
        if (mark->known)
                return 0;
        r = first_between(reader, frame_reader_start(reader->frames, frame), end, &mark->at,
                          &record, reterr);
        if (r < 0)
                return r;
        if (r > 0) {
                mark->component = record->component;
                mark->path = strdup(record->path);
                if (!mark->path)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        mark->known = true;
        return 0;
}

/* between_marks() - from the last mark that is not behind the name to the next one */
static int between_marks(struct manifest_reader *reader, uint32_t component, const char *path,
                         uint64_t *ret, uint64_t *ret_end, struct vss_error *reterr) {
        size_t low = 0, high = frame_reader_count(reader->frames);

        *ret = 0;
        *ret_end = frame_reader_size(reader->frames);
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct mark *mark = NULL;
                int r = mark_of(reader, middle, &mark, reterr);

                if (r < 0)
                        return r;
                if (mark->path && key_compare(mark->component, mark->path, component, path) <= 0) {
                        *ret = mark->at;
                        low = middle + 1;
                        continue;
                }
                /* a frame in which no record begins is part of the one before */
                if (mark->path)
                        *ret_end = mark->at;
                high = middle;
        }
        return 0;
}

/* read_to() - line by line from where the reader stands */
static int read_to(struct manifest_reader *reader, uint32_t component, const char *path,
                   struct vss_error *reterr) {
        for (;;) {
                const struct record *record;
                uint64_t at = reader->position;
                int r = manifest_read_line(reader, reterr);

                if (r < 0)
                        return r;
                if (r > 0 && (manifest_line_is(reader, "m") || manifest_line_is(reader, "base")))
                        continue;
                if (r > 0 && !manifest_line_is(reader, "end")) {
                        r = manifest_parse_key(reader, &record, reterr);
                        if (r < 0)
                                return r;
                        if (key_compare(record->component, record->path, component, path) < 0)
                                continue;
                }
                /* manifest_next() says what is wrong when there is no end */
                reader->position = at;
                return 0;
        }
}

int manifest_seek(struct manifest_reader *reader, uint32_t component, const char *path,
                  struct vss_error *reterr) {
        const struct record *record;
        uint64_t low, high, at;
        int r = between_marks(reader, component, path, &low, &high, reterr);

        reader->sought = true;
        while (r >= 0 && high - low > NEAR) {
                uint64_t middle = low + (high - low) / 2;

                r = first_between(reader, middle, high, &at, &record, reterr);
                if (r > 0 && key_compare(record->component, record->path, component, path) <= 0)
                        low = at;
                else
                        high = middle;
        }
        if (r < 0)
                return r;
        reader->position = low;
        if (low == 0) {
                r = manifest_read_line(reader, reterr); /* the header */
                if (r < 0)
                        return r;
        }
        return read_to(reader, component, path, reterr);
}
