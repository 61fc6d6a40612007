/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backup/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

static int put_line(struct manifest_writer *writer) {
        text_char(&writer->line, '\n');
        if (writer->line.failed)
                return -ENOMEM;
        return frame_writer_put(writer->frames, writer->line.data, writer->line.size);
}

int manifest_writer_new(int take_fd, bool scratch, struct manifest_writer **ret) {
        struct manifest_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer) {
                close(take_fd);
                return -ENOMEM;
        }
        r = frame_writer_new(take_fd, FRAME_SIZE_MANIFEST, scratch ? -5 : 1, 0, &writer->frames);
        if (r >= 0) {
                text_string(&writer->line, "vss-manifest\t1");
                r = put_line(writer);
        }
        if (r < 0) {
                manifest_writer_free(writer);
                return r;
        }
        *ret = writer;
        return 0;
}

struct manifest_writer *manifest_writer_free(struct manifest_writer *writer) {
        if (!writer)
                return NULL;
        frame_writer_free(writer->frames);
        text_done(&writer->line);
        free(writer);
        return NULL;
}

int manifest_put_base(struct manifest_writer *writer, uint32_t component, const struct vss_id *set,
                      uint32_t operation, uint32_t base_component,
                      const uint8_t digest[DIGEST_SIZE]) {
        struct text *line = &writer->line;
        char id[VSS_ID_TEXT_SIZE];

        text_reset(line);
        text_string(line, "base\t");
        text_number(line, component);
        text_char(line, '\t');
        text_string(line, vss_id_format(set, id));
        text_char(line, '\t');
        text_number(line, operation);
        text_char(line, '\t');
        text_number(line, base_component);
        text_char(line, '\t');
        text_hex(line, digest, DIGEST_SIZE);
        return put_line(writer);
}

static void put_time(struct text *line, int64_t seconds, uint32_t nanoseconds) {
        text_char(line, '\t');
        text_signed(line, seconds);
        text_char(line, '.');
        text_number(line, nanoseconds);
}

static void put_digest(struct text *line, bool there, const uint8_t *digest, size_t size) {
        text_char(line, '\t');
        if (there)
                text_hex(line, digest, size);
        else
                text_char(line, '-');
}

static void put_column(struct text *line, uint64_t number) {
        text_char(line, '\t');
        text_number(line, number);
}

static void put_entry(struct text *line, const struct record *record) {
        text_char(line, '\t');
        text_octal(line, record->mode);
        put_column(line, record->uid);
        put_column(line, record->gid);
        put_column(line, record->size);
        put_time(line, record->mtime, record->mtime_ns);
        put_time(line, record->ctime, record->ctime_ns);
        put_column(line, record->inode);
        put_column(line, record->links);
        put_digest(line, record->has_attributes, record->attributes, sizeof(record->attributes));
        text_char(line, '\t');
        text_char(line, record->archive);
        text_number(line, record->offset);
        put_digest(line, record->has_digest, record->digest, DIGEST_SIZE);
        text_char(line, '\t');
        text_field(line, record->link);
        text_char(line, '\t');
        text_field(line, record->extra);
}

int manifest_put(struct manifest_writer *writer, const struct record *record) {
        struct text *line = &writer->line;

        text_reset(line);
        text_char(line, record->kind);
        put_column(line, record->component);
        text_char(line, '\t');
        text_field(line, record->path);
        if (record_is_entry(record))
                put_entry(line, record);
        writer->count++;
        return put_line(writer);
}

int manifest_put_chunks(struct manifest_writer *writer, uint64_t first, const uint8_t *digests,
                        size_t count) {
        struct text *line = &writer->line;

        text_reset(line);
        text_char(line, 'm');
        put_column(line, first);
        text_char(line, '\t');
        text_hex(line, digests, count * DIGEST_SIZE);
        return put_line(writer);
}

int manifest_put_raw(struct manifest_writer *writer, const char *line, size_t size,
                     bool is_record) {
        writer->count += is_record;
        return frame_writer_put(writer->frames, line, size);
}

int manifest_finish(struct manifest_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                    uint64_t *ret_stored) {
        int r;

        text_reset(&writer->line);
        text_string(&writer->line, "end");
        put_column(&writer->line, writer->count);
        r = put_line(writer);
        if (r < 0)
                return r;
        return frame_writer_finish(writer->frames, ret_digest, ret_stored);
}

void record_ranges_format(struct text *text, const struct byte_range *ranges, size_t count) {
        for (size_t i = 0; i < count; i++) {
                if (i > 0)
                        text_char(text, ',');
                text_number(text, ranges[i].offset);
                text_char(text, ':');
                text_number(text, ranges[i].length);
        }
}
