/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/manifest.h"
#include "base/cleanup.h"

#define COLUMNS 16
#define LINE_MAX_SIZE (UINT64_C(64) << 20)

struct manifest_reader {
        struct frame_reader *frames;
        uint64_t position; /* of the next line in the stream */
        struct text raw; /* the last line as it was, then cut up in @work */
        struct text work;
        struct record record;
        uint8_t *digests;
        uint64_t count; /* records since the beginning; not after a seek */
        bool sought;
        bool keys_only;
};

struct manifest_reader *manifest_reader_free(struct manifest_reader *reader) {
        if (!reader)
                return NULL;
        frame_reader_free(reader->frames);
        text_done(&reader->raw);
        text_done(&reader->work);
        free(reader->digests);
        free(reader);
        return NULL;
}

static int damaged(const struct manifest_reader *reader, struct vss_error *reterr) {
        return vss_fail(reterr, -EBADMSG,
                        "manifest '%s' is damaged: no sense at byte %" PRIu64 " of its text",
                        frame_reader_name(reader->frames), reader->position);
}

/* the line at @position into @raw, with its newline: 1, 0 at the end of the stream */
static int read_line(struct manifest_reader *reader, struct vss_error *reterr) {
        struct text *raw = &reader->raw;

        text_reset(raw);
        for (;;) {
                const char *data, *newline;
                size_t size;
                int r = frame_reader_at(reader->frames, reader->position + raw->size, &data, &size,
                                        reterr);

                if (r < 0)
                        return vss_wrap(reterr, r, "manifest '%s'",
                                        frame_reader_name(reader->frames));
                if (r == 0)
                        return raw->size == 0 ? 0 : damaged(reader, reterr);
                newline = memchr(data, '\n', size);
                if (newline)
                        size = (size_t)(newline - data) + 1;
                text_raw(raw, data, size);
                if (raw->failed)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                if (newline)
                        break;
                if (raw->size > LINE_MAX_SIZE)
                        return damaged(reader, reterr);
        }
        reader->position += raw->size;
        return 1;
}

/* a copy of the line without its newline, to be cut up */
static char *work_line(struct manifest_reader *reader) {
        text_reset(&reader->work);
        text_raw(&reader->work, reader->raw.data, reader->raw.size - 1);
        return text_cstring(&reader->work);
}

static bool line_is(const struct text *line, const char *word) {
        size_t n = strlen(word);

        return line->size > n && memcmp(line->data, word, n) == 0 && line->data[n] == '\t';
}

static int parse_time(char *field, int64_t *ret_seconds, uint32_t *ret_ns) {
        char *dot = strchr(field, '.');

        if (!dot)
                return -EBADMSG;
        *dot = '\0';
        if (field_signed(field, ret_seconds) < 0 || field_u32(dot + 1, ret_ns) < 0 ||
            *ret_ns >= 1000000000)
                return -EBADMSG;
        return 0;
}

static int parse_digest(const char *field, bool *ret_there, uint8_t *ret, size_t size) {
        *ret_there = strcmp(field, "-") != 0;
        return *ret_there ? field_hex(field, ret, size) : 0;
}

static int parse_entry(char **f, struct record *record) {
        record->archive = f[12][0];
        if (field_octal(f[3], &record->mode) < 0 || field_u32(f[4], &record->uid) < 0 ||
            field_u32(f[5], &record->gid) < 0 || field_number(f[6], &record->size) < 0 ||
            parse_time(f[7], &record->mtime, &record->mtime_ns) < 0 ||
            parse_time(f[8], &record->ctime, &record->ctime_ns) < 0 ||
            field_number(f[9], &record->inode) < 0 || field_number(f[10], &record->links) < 0 ||
            parse_digest(f[11], &record->has_attributes, record->attributes, 8) < 0 ||
            record->archive == '\0' || !strchr("-dr", record->archive) ||
            field_number(f[12] + 1, &record->offset) < 0 ||
            parse_digest(f[13], &record->has_digest, record->digest, DIGEST_SIZE) < 0 ||
            field_unescape(f[14]) < 0 || field_unescape(f[15]) < 0)
                return -EBADMSG;
        record->link = f[14];
        record->extra = f[15];
        return record->mode & ~07777U ? -EBADMSG : 0;
}

/* for keys only the line is cut off after its third column */
static size_t split_line(char *line, char **fields, bool keys_only) {
        char *tab = NULL;

        if (!keys_only)
                return field_split(line, fields, COLUMNS);
        for (size_t i = 0; i < 3; i++) {
                tab = strchr(i == 0 ? line : tab + 1, '\t');
                if (!tab)
                        return field_split(line, fields, COLUMNS);
        }
        *tab = '\0';
        return field_split(line, fields, COLUMNS);
}

static int parse_record(char *line, struct record *record, bool keys_only) {
        char *f[COLUMNS];
        size_t count = split_line(line, f, keys_only);

        *record = (struct record){ 0 };
        if (count < 3 || strlen(f[0]) != 1 || !strchr("fdlpscbxXo=", f[0][0]) ||
            field_u32(f[1], &record->component) < 0 || field_unescape(f[2]) < 0 || f[2][0] != '/')
                return -EBADMSG;
        record->kind = f[0][0];
        record->path = f[2];
        if (!record_is_entry(record) || keys_only)
                return count == 3 ? 0 : -EBADMSG;
        return count == COLUMNS ? parse_entry(f, record) : -EBADMSG;
}

int manifest_reader_new(int take_fd, const char *name, struct manifest_reader **ret,
                        struct vss_error *reterr) {
        struct manifest_reader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader) {
                close(take_fd);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        r = frame_reader_new(take_fd, name, &reader->frames, reterr);
        if (r >= 0)
                r = read_line(reader, reterr);
        if (r == 0)
                r = vss_fail(reterr, -EBADMSG, "manifest '%s' is empty", name);
        if (r > 0 && strncmp(reader->raw.data, "vss-manifest\t1\n", reader->raw.size) != 0)
                r = vss_fail(reterr, -EBADMSG, "'%s' is not a manifest that this version reads",
                             name);
        if (r < 0) {
                manifest_reader_free(reader);
                return r;
        }
        *ret = reader;
        return 0;
}

static int parse_base(struct manifest_reader *reader, manifest_base_t base, void *userdata,
                      struct vss_error *reterr) {
        uint32_t component = 0, operation = 0, base_component = 0;
        uint8_t digest[DIGEST_SIZE];
        struct vss_id set;
        char *f[6];
        char *line = work_line(reader);

        if (!line)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (field_split(line, f, 6) != 6 || field_u32(f[1], &component) < 0 ||
            vss_id_parse(f[2], &set) < 0 || field_u32(f[3], &operation) < 0 ||
            field_u32(f[4], &base_component) < 0 || field_hex(f[5], digest, DIGEST_SIZE) < 0)
                return damaged(reader, reterr);
        return base(userdata, component, &set, operation, base_component, digest);
}

int manifest_read_bases(struct manifest_reader *reader, manifest_base_t base, void *userdata,
                        struct vss_error *reterr) {
        for (;;) {
                uint64_t start = reader->position;
                int r = read_line(reader, reterr);

                if (r < 0)
                        return r;
                if (r == 0 || !line_is(&reader->raw, "base")) {
                        reader->position = start;
                        return 0;
                }
                r = parse_base(reader, base, userdata, reterr);
                if (r < 0)
                        return r;
        }
}

int manifest_next(struct manifest_reader *reader, const struct record **ret,
                  struct vss_error *reterr) {
        char *line;
        int r;

        do {
                r = read_line(reader, reterr);
                if (r < 0)
                        return r;
                if (r == 0)
                        return vss_fail(reterr, -EBADMSG, "manifest '%s' has lost its end",
                                        frame_reader_name(reader->frames));
        } while (line_is(&reader->raw, "m") || line_is(&reader->raw, "base"));
        line = work_line(reader);
        if (!line)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (line_is(&reader->raw, "end")) {
                uint64_t count = 0;

                if (field_number(line + 4, &count) < 0 ||
                    (!reader->sought && count != reader->count))
                        return damaged(reader, reterr);
                reader->position -= reader->raw.size;
                return 0;
        }
        if (parse_record(line, &reader->record, reader->keys_only) < 0)
                return damaged(reader, reterr);
        reader->count++;
        *ret = &reader->record;
        return 1;
}

void manifest_keys_only(struct manifest_reader *reader) {
        reader->keys_only = true;
}

void manifest_line(const struct manifest_reader *reader, const char **ret, size_t *ret_size) {
        *ret = reader->raw.data;
        *ret_size = reader->raw.size;
}

int manifest_next_chunks(struct manifest_reader *reader, uint64_t *ret_first,
                         const uint8_t **ret_digests, size_t *ret_count, struct vss_error *reterr) {
        uint64_t start = reader->position;
        size_t size;
        uint8_t *grown;
        char *line, *f[3];
        int r = read_line(reader, reterr);

        if (r < 0)
                return r;
        if (r == 0 || !line_is(&reader->raw, "m")) {
                reader->position = start;
                return 0;
        }
        /* the record that was lent stays whole: its strings live in @work */
        line = strndup(reader->raw.data, reader->raw.size - 1);
        if (!line)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        _cleanup_free_ char *owned = line;

        if (field_split(line, f, 3) != 3 || field_number(f[1], ret_first) < 0)
                return damaged(reader, reterr);
        size = strlen(f[2]) / 2;
        grown = realloc(reader->digests, size + 1);
        if (!grown)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        reader->digests = grown;
        if (size % DIGEST_SIZE != 0 || field_hex(f[2], grown, size) < 0)
                return damaged(reader, reterr);
        *ret_digests = grown;
        *ret_count = size / DIGEST_SIZE;
        return 1;
}

/* position at the first record that begins in @frame; 1, or 0 when none does */
static int first_record_of(struct manifest_reader *reader, size_t frame, struct vss_error *reterr) {
        uint64_t start = frame_reader_start(reader->frames, frame);
        uint64_t end = frame + 1 < frame_reader_count(reader->frames)
                               ? frame_reader_start(reader->frames, frame + 1)
                               : frame_reader_size(reader->frames);
        int r;

        reader->position = start > 0 ? start - 1 : 0;
        /* the rest of a line that began before; from one byte earlier, so that a line beginning
         * exactly here is not lost; and the very first line is the header */
        r = read_line(reader, reterr);
        while (r > 0 && reader->position < end) {
                uint64_t at = reader->position;

                r = read_line(reader, reterr);
                if (r > 0 && !line_is(&reader->raw, "m") && !line_is(&reader->raw, "base")) {
                        bool is_end = line_is(&reader->raw, "end");

                        reader->position = at;
                        return !is_end;
                }
        }
        return r < 0 ? r : 0;
}

static int record_compare(const struct record *record, uint32_t component, const char *path) {
        if (record->component != component)
                return record->component < component ? -1 : 1;
        return path_compare(record->path, path);
}

int manifest_seek(struct manifest_reader *reader, uint32_t component, const char *path,
                  struct vss_error *reterr) {
        size_t low = 0, high = frame_reader_count(reader->frames);
        const struct record *record;
        int r;

        reader->sought = true;
        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                r = first_record_of(reader, middle, reterr);
                if (r > 0)
                        r = manifest_next(reader, &record, reterr);
                if (r < 0)
                        return r;
                /* a frame in which no record begins: look at it as part of the one before */
                if (r > 0 && record_compare(record, component, path) <= 0)
                        low = middle;
                else
                        high = middle;
        }
        r = first_record_of(reader, low, reterr);
        while (r >= 0) {
                uint64_t at = reader->position;

                r = manifest_next(reader, &record, reterr);
                if (r == 0)
                        return 0;
                if (r > 0 && record_compare(record, component, path) >= 0) {
                        reader->position = at;
                        return 0;
                }
        }
        return r;
}

int record_ranges_parse(const char *text, struct byte_range **ret, size_t *ret_count) {
        _cleanup_free_ struct byte_range *ranges = NULL;
        _cleanup_free_ char *copy = strdup(text);
        size_t count = 0, room = 1;
        char *p = copy;

        if (!copy)
                return -ENOMEM;
        for (const char *c = text; *c; c++)
                room += *c == ',';
        ranges = calloc(room, sizeof(*ranges));
        if (!ranges)
                return -ENOMEM;
        while (*text && p) {
                char *item = strsep(&p, ",");
                char *colon = strchr(item, ':');

                if (!colon)
                        return -EBADMSG;
                *colon = '\0';
                if (field_number(item, &ranges[count].offset) < 0 ||
                    field_number(colon + 1, &ranges[count].length) < 0 ||
                    ranges[count].length > INT64_MAX - ranges[count].offset ||
                    ranges[count].offset > INT64_MAX)
                        return -EBADMSG;
                count++;
        }
        *ret = take(ranges);
        *ret_count = count;
        return 0;
}
