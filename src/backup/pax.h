/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pax.h - a pax archive in zstd frames, and its members by their offset. Written by hand, read
 * through libarchive.
 */
#ifndef BACKUP_PAX_H
#define BACKUP_PAX_H

#include <stdbool.h>

#include "backup/frames.h"
#include "backup/manifest.h"

struct attribute {
        char *name; /* "user.x", "system.posix_acl_access" */
        void *value;
        size_t size;
};

struct attributes {
        struct attribute *items;
        size_t count, capacity;
};

void attributes_done(struct attributes *attributes);

/* struct member - what the header of one member says */
struct member {
        const char *name; /* without a separator at its beginning */
        const struct record *record; /* type, owner, mode, times, size, link text, device */
        const char *hard_link; /* name of the member that holds the data, or NULL */
        const struct attributes *attributes;
        const struct byte_range *extents; /* data of a sparse file; NULL: no holes */
        size_t extents_count;
};

struct archive_writer;

int archive_writer_new(int take_fd, unsigned threads, struct archive_writer **ret);
/* archive_writer_begin() - *ret_offset is where the member begins in the unpacked stream */
int archive_writer_begin(struct archive_writer *writer, const struct member *member,
                         uint64_t *ret_offset);
/* archive_writer_data() - what is not hole, one piece after the other */
int archive_writer_data(struct archive_writer *writer, const void *data, size_t size);
/* archive_writer_space() - where the next of them may be put without a copy, commit says how many
 * were */
char *archive_writer_space(struct archive_writer *writer, size_t *ret_size);
int archive_writer_commit(struct archive_writer *writer, size_t size);
int archive_writer_end(struct archive_writer *writer);
/* mark before a member that may turn out short; rewind instead of ending it, so that no member
 * bears the name of a file that it does not hold whole */
int archive_writer_mark(struct archive_writer *writer);
int archive_writer_rewind(struct archive_writer *writer);
int archive_writer_finish(struct archive_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                          uint64_t *ret_stored);
struct archive_writer *archive_writer_free(struct archive_writer *writer);

/* pax-header.c: all that comes before the first data of the member is added to @ret; *ret_stored is
 * how many bytes of data follow. @scratch only lends its memory */
int pax_header(const struct member *member, struct text *scratch, struct text *ret,
               uint64_t *ret_stored);
/* names of attributes in keywords, as GNU tar has them: '%' and '=' are %25 and %3D. The result of
 * decoding is written over @name */
void pax_put_attribute_name(struct text *text, const char *name);
void pax_decode_attribute_name(char *name);

/* path_to_member() - the member that holds "/a/b" is "a/b", that of "/" is "."; "ranges/a/b" for
 * partial files. The caller frees it */
char *path_to_member(const char *path, bool ranges);

struct archive_reader;
struct archive_entry;

int archive_reader_new(int take_fd, const char *name, struct archive_reader **ret,
                       struct vss_error *reterr);
/* archive_reader_member() - the header at @offset, lent; -EBADMSG when no member begins there, or
 * when its header is larger than a file of @size bytes can need */
int archive_reader_member(struct archive_reader *reader, uint64_t offset, uint64_t size,
                          struct archive_entry **ret, struct vss_error *reterr);
/* archive_reader_data() - a piece of the last member's content, holes left out: 1, 0 at its end */
int archive_reader_data(struct archive_reader *reader, const void **ret, size_t *ret_size,
                        uint64_t *ret_offset, struct vss_error *reterr);
struct archive_reader *archive_reader_free(struct archive_reader *reader);

#endif
