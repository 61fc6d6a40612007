/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest.h - the list of what an operation holds: one line per name, sorted by component and
 * path (path_compare()), written and read as a stream. docs/store-format.md has the columns.
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include <stdbool.h>

#include "backup/engine.h"
#include "backup/frames.h"
#include "backup/record.h"

/* pieces of files larger than this have a digest each */
#define CHUNK_SIZE (UINT64_C(1) << 20)

enum {
        RECORD_GONE = 'x', /* this name of the base is not in the image */
        RECORD_GONE_TREE = 'X', /* nor is anything below it */
        /* this name of a component's base is one of the requester's own files by now, and in the
         * image as such: the component has it no more */
        RECORD_MOVED = 'o',
        RECORD_SAME = '=' /* as in the base; only in the runs of a set being written */
};

enum { ARCHIVE_NONE = '-', ARCHIVE_DATA = 'd', ARCHIVE_RANGES = 'r' };

/* struct record - one line. Strings are lent by the reader, or by whoever filled it. */
struct record {
        char kind; /* enum entry_type, or one of the above, which have component and path only */
        uint32_t component;
        char *path;
        uint32_t mode, uid, gid;
        uint64_t size;
        int64_t mtime, ctime;
        uint32_t mtime_ns, ctime_ns;
        uint64_t inode, links;
        bool has_attributes, has_digest;
        uint8_t attributes[8]; /* beginning of the digest of all extended attributes */
        uint8_t digest[DIGEST_SIZE];
        char archive; /* ARCHIVE_... that holds it, and where in the unpacked stream */
        uint64_t offset;
        char *link; /* first name of a hard link, "" for none */
        char *extra; /* link text, "major:minor", or the list of ranges; "" for none */
};

static inline bool record_is_entry(const struct record *record) {
        return record->kind != RECORD_GONE && record->kind != RECORD_GONE_TREE &&
               record->kind != RECORD_MOVED && record->kind != RECORD_SAME;
}

struct manifest_writer {
        struct frame_writer *frames;
        struct text line;
        uint64_t count;
};

/* @scratch: read once and thrown away; pack it lightly */
int manifest_writer_new(int take_fd, bool scratch, struct manifest_writer **ret);
/* "base" lines come before the first record */
int manifest_put_base(struct manifest_writer *writer, uint32_t component, const struct vss_id *set,
                      uint32_t operation, uint32_t base_component,
                      const uint8_t digest[DIGEST_SIZE]);
int manifest_put(struct manifest_writer *writer, const struct record *record);
/* digests of the pieces of the record before, @first is the number of the first of them */
int manifest_put_chunks(struct manifest_writer *writer, uint64_t first, const uint8_t *digests,
                        size_t count);
/* a line of another manifest, with its newline */
int manifest_put_raw(struct manifest_writer *writer, const char *line, size_t size, bool is_record);
int manifest_finish(struct manifest_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                    uint64_t *ret_stored);
struct manifest_writer *manifest_writer_free(struct manifest_writer *writer);

struct manifest_reader;

/* @base may be NULL: called for each "base" line */
typedef int (*manifest_base_t)(void *userdata, uint32_t component, const struct vss_id *set,
                               uint32_t operation, uint32_t base_component,
                               const uint8_t digest[DIGEST_SIZE]);

int manifest_reader_new(int take_fd, const char *name, struct manifest_reader **ret,
                        struct vss_error *reterr);
int manifest_read_bases(struct manifest_reader *reader, manifest_base_t base, void *userdata,
                        struct vss_error *reterr);
/* manifest_seek() - the next record will be the first that is not before (@component, @path) */
int manifest_seek(struct manifest_reader *reader, uint32_t component, const char *path,
                  struct vss_error *reterr);
/* manifest_next() - 1 and a record lent until the next call, 0 at the end, -EBADMSG also when the
 * end is missing */
int manifest_next(struct manifest_reader *reader, const struct record **ret,
                  struct vss_error *reterr);
/* manifest_keys_only() - records have kind, component and path, for who copies lines */
void manifest_keys_only(struct manifest_reader *reader);
/* manifest_line() - the last record as it was spelled, with its newline */
void manifest_line(const struct manifest_reader *reader, const char **ret, size_t *ret_size);
/* manifest_next_chunks() - 1 and digests belonging to the last record, 0 no more.
 * manifest_line() then gives their line */
int manifest_next_chunks(struct manifest_reader *reader, uint64_t *ret_first,
                         const uint8_t **ret_digests, size_t *ret_count, struct vss_error *reterr);
struct manifest_reader *manifest_reader_free(struct manifest_reader *reader);

/* the ranges column */
void record_ranges_format(struct text *text, const struct byte_range *ranges, size_t count);
int record_ranges_parse(const char *text, struct byte_range **ret, size_t *ret_count);

#endif
