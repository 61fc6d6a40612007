/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/manifest-inside.h"
#include "base/cleanup.h"

#define COLUMNS 16
#define LINE_MAX_SIZE (UINT64_C(64) << 20)

struct manifest_reader *manifest_reader_free(struct manifest_reader *reader) {
        if (!reader)
                return NULL;
        for (size_t i = 0; reader->marks && i < frame_reader_count(reader->frames); i++)
                free(reader->marks[i].path);
        free(reader->marks);
        frame_reader_free(reader->frames);
        text_done(&reader->pieces);
        text_done(&reader->work);
        free(reader->digests);
        free(reader);
        return NULL;
}

int manifest_damaged(const struct manifest_reader *reader, struct vss_error *reterr) {
        return vss_fail(reterr, -EBADMSG,
                        "manifest '%s' is damaged: no sense at byte %" PRIu64 " of its text",
                        frame_reader_name(reader->frames), reader->position);
}

/* a line that begins in one frame and ends in another; *data and *size are its beginning */
static int join_line(struct manifest_reader *reader, const char *data, size_t size,
                     struct vss_error *reterr) {
        struct text *pieces = &reader->pieces;
        const char *newline = NULL;

        text_reset(pieces);
        for (;;) {
                int r;

                text_raw(pieces, data, size);
                if (pieces->failed)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                if (newline)
                        break;
                if (pieces->size > LINE_MAX_SIZE)
                        return manifest_damaged(reader, reterr);
                r = frame_reader_at(reader->frames, reader->position + pieces->size, &data, &size,
                                    reterr);
                if (r < 0)
                        return vss_wrap(reterr, r, "manifest '%s'",
                                        frame_reader_name(reader->frames));
                if (r == 0)
                        return manifest_damaged(reader, reterr);
                newline = memchr(data, '\n', size);
                if (newline)
                        size = (size_t)(newline - data) + 1;
        }
        reader->line = pieces->data;
        reader->line_size = pieces->size;
        return 1;
}

int manifest_read_line(struct manifest_reader *reader, struct vss_error *reterr) {
        const char *data, *newline;
        size_t size;
        int r = frame_reader_at(reader->frames, reader->position, &data, &size, reterr);

        reader->line_size = 0;
        if (r < 0)
                return vss_wrap(reterr, r, "manifest '%s'", frame_reader_name(reader->frames));
        if (r == 0)
                return 0;
        newline = memchr(data, '\n', size);
        if (newline) {
                reader->line = data;
                reader->line_size = (size_t)(newline - data) + 1;
        } else {
                r = join_line(reader, data, size, reterr);
        }
        if (r > 0)
                reader->position += reader->line_size;
        return r;
}

/* a copy of the line without its newline, to be cut up */
static char *work_line(struct manifest_reader *reader) {
        text_reset(&reader->work);
        text_raw(&reader->work, reader->line, reader->line_size - 1);
        return text_cstring(&reader->work);
}

bool manifest_line_is(const struct manifest_reader *reader, const char *word) {
        size_t n = strlen(word);

        return reader->line_size > n && memcmp(reader->line, word, n) == 0 &&
               reader->line[n] == '\t';
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

/* kind, component and path, which every record has */
static int parse_first(char **f, struct record *record) {
        *record = (struct record){ 0 };
        if (strlen(f[0]) != 1 || !strchr("fdlpscbxXo=", f[0][0]) ||
            field_u32(f[1], &record->component) < 0 || field_unescape(f[2]) < 0 || f[2][0] != '/')
                return -EBADMSG;
        record->kind = f[0][0];
        record->path = f[2];
        return 0;
}

static int parse_record(char *line, struct record *record) {
        char *f[COLUMNS];
        size_t count = field_split(line, f, COLUMNS);

        if (count < 3 || parse_first(f, record) < 0)
                return -EBADMSG;
        if (!record_is_entry(record))
                return count == 3 ? 0 : -EBADMSG;
        return count == COLUMNS ? parse_entry(f, record) : -EBADMSG;
}

int manifest_parse_key(struct manifest_reader *reader, const struct record **ret,
                       struct vss_error *reterr) {
        const char *end = reader->line + reader->line_size - 1, *tab = reader->line - 1;
        char *f[3], *key;

        for (size_t i = 0; i < 3 && tab < end; i++) {
                tab = memchr(tab + 1, '\t', (size_t)(end - tab - 1));
                if (!tab)
                        tab = end;
        }
        text_reset(&reader->work);
        text_raw(&reader->work, reader->line, (size_t)(tab - reader->line));
        key = text_cstring(&reader->work);
        if (!key)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (field_split(key, f, 3) != 3 || parse_first(f, &reader->record) < 0)
                return manifest_damaged(reader, reterr);
        *ret = &reader->record;
        return 0;
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
                r = manifest_read_line(reader, reterr);
        if (r == 0)
                r = vss_fail(reterr, -EBADMSG, "manifest '%s' is empty", name);
        if (r > 0 && strncmp(reader->line, "vss-manifest\t1\n", reader->line_size) != 0)
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
                return manifest_damaged(reader, reterr);
        return base(userdata, component, &set, operation, base_component, digest);
}

int manifest_read_bases(struct manifest_reader *reader, manifest_base_t base, void *userdata,
                        struct vss_error *reterr) {
        for (;;) {
                uint64_t start = reader->position;
                int r = manifest_read_line(reader, reterr);

                if (r < 0)
                        return r;
                if (r == 0 || !manifest_line_is(reader, "base")) {
                        reader->position = start;
                        return 0;
                }
                r = parse_base(reader, base, userdata, reterr);
                if (r < 0)
                        return r;
        }
}

/* the number of records is right, as far as all were read; the end can be read again */
static int check_end(struct manifest_reader *reader, struct vss_error *reterr) {
        char *line = work_line(reader);
        uint64_t count = 0;

        if (!line)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (field_number(line + 4, &count) < 0 || (!reader->sought && count != reader->count))
                return manifest_damaged(reader, reterr);
        reader->position -= reader->line_size;
        return 0;
}

int manifest_next(struct manifest_reader *reader, const struct record **ret,
                  struct vss_error *reterr) {
        char *line;
        int r;

        do {
                r = manifest_read_line(reader, reterr);
                if (r < 0)
                        return r;
                if (r == 0)
                        return vss_fail(reterr, -EBADMSG, "manifest '%s' has lost its end",
                                        frame_reader_name(reader->frames));
        } while (manifest_line_is(reader, "m") || manifest_line_is(reader, "base"));
        if (manifest_line_is(reader, "end"))
                return check_end(reader, reterr);
        if (reader->keys_only) {
                r = manifest_parse_key(reader, ret, reterr);
        } else {
                line = work_line(reader);
                if (!line)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                r = parse_record(line, &reader->record);
                if (r < 0)
                        return manifest_damaged(reader, reterr);
                *ret = &reader->record;
        }
        reader->count++;
        return r < 0 ? r : 1;
}

void manifest_keys_only(struct manifest_reader *reader) {
        reader->keys_only = true;
}

void manifest_line(const struct manifest_reader *reader, const char **ret, size_t *ret_size) {
        *ret = reader->line;
        *ret_size = reader->line_size;
}

int manifest_next_chunks(struct manifest_reader *reader, uint64_t *ret_first,
                         const uint8_t **ret_digests, size_t *ret_count, struct vss_error *reterr) {
        uint64_t start = reader->position;
        size_t size;
        uint8_t *grown;
        char *line, *f[3];
        int r = manifest_read_line(reader, reterr);

        if (r < 0)
                return r;
        if (r == 0 || !manifest_line_is(reader, "m")) {
                reader->position = start;
                return 0;
        }
        /* the record that was lent stays whole: its strings live in @work */
        line = strndup(reader->line, reader->line_size - 1);
        if (!line)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        _cleanup_free_ char *owned = line;

        if (field_split(line, f, 3) != 3 || field_number(f[1], ret_first) < 0)
                return manifest_damaged(reader, reterr);
        size = strlen(f[2]) / 2;
        grown = realloc(reader->digests, size + 1);
        if (!grown)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        reader->digests = grown;
        if (size % DIGEST_SIZE != 0 || field_hex(f[2], grown, size) < 0)
                return manifest_damaged(reader, reterr);
        *ret_digests = grown;
        *ret_count = size / DIGEST_SIZE;
        return 1;
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
