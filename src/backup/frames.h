/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frames.h - a byte stream in independent zstd frames, so that any place of it can be reached.
 *
 * The stream is cut every so many bytes; each piece is a frame of its own with a checksum. A
 * table at the end (the seekable format of zstd's contrib folder, a skippable frame that every
 * zstd ignores) says where the frames are; if it is lost the frames' headers say it again.
 */
#ifndef BACKUP_FRAMES_H
#define BACKUP_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

#define FRAME_SIZE_DATA (UINT32_C(1) << 20)
#define FRAME_SIZE_MANIFEST (UINT32_C(1) << 17)
#define DIGEST_SIZE 32

struct frame_writer;

/* frame_writer_new() - @fd is taken, also on failure. @threads compress; 0: the caller does */
int frame_writer_new(int take_fd, uint32_t frame_size, int level, unsigned threads,
                     struct frame_writer **ret);
/* frame_writer_put() - 0, or the negative errno that some thread met */
int frame_writer_put(struct frame_writer *writer, const void *data, size_t size);
/* frame_writer_space() - where the next bytes may be put without a copy, at least one;
 * frame_writer_commit() - so many were */
char *frame_writer_space(struct frame_writer *writer, size_t *ret_size);
int frame_writer_commit(struct frame_writer *writer, size_t size);
uint64_t frame_writer_position(const struct frame_writer *writer);
/* frame_writer_mark(), _rewind() - everything put since the mark never was */
int frame_writer_mark(struct frame_writer *writer);
int frame_writer_rewind(struct frame_writer *writer);
/* frame_writer_finish() - last frame, table, fsync; digest and number of the stored bytes. With
 * NULL for both the file is a scratch file and not synced */
int frame_writer_finish(struct frame_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                        uint64_t *ret_stored);
struct frame_writer *frame_writer_free(struct frame_writer *writer);

struct frame_reader;

/* frame_reader_new() - @take_fd is taken, also on failure; @name is for words */
int frame_reader_new(int take_fd, const char *name, struct frame_reader **ret,
                     struct vss_error *reterr);
/* frame_reader_at() - the bytes from @offset to the end of the frame that holds it, lent until
 * the next call. Return: 1, 0 at the end of the stream, -EBADMSG with file and offset */
int frame_reader_at(struct frame_reader *reader, uint64_t offset, const char **ret,
                    size_t *ret_size, struct vss_error *reterr);
/* the name for words, lent */
const char *frame_reader_name(const struct frame_reader *reader);
uint64_t frame_reader_size(const struct frame_reader *reader);
size_t frame_reader_count(const struct frame_reader *reader);
uint64_t frame_reader_start(const struct frame_reader *reader, size_t frame);
/* the table was lost and the frames were counted again (truncated file) */
int frame_reader_was_rebuilt(const struct frame_reader *reader);
struct frame_reader *frame_reader_free(struct frame_reader *reader);

#endif
