/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.h - reading a file of a source, for who stores it.
 */
#ifndef BACKUP_FEED_H
#define BACKUP_FEED_H

#include "backup/writing.h"

/* struct feed - where the bytes of a file go */
struct feed {
        struct pass *pass; /* NULL: only the digest */
        struct archive_writer *archive;
        const char *path;
        int file_error; /* reading failed or came short; not the store's fault */
};

/* find_extents() - into op->extents: the data of a file that has fewer blocks than bytes; count 1
 * over all of it: no holes */
int find_extents(struct operation *op, int fd, uint64_t size, size_t *ret_count);
/* feed_range() - @length bytes of @fd at @offset, as bytes @at of the member. Negative: the store
 * failed */
int feed_range(struct operation *op, int fd, uint64_t offset, uint64_t length, uint64_t at,
               struct feed *feed);
/* feed_extents() - the data pieces of a file, until one cannot be read */
int feed_extents(struct operation *op, int fd, const struct byte_range *extents, size_t count,
                 struct feed *feed);

/* the content of @fd again, for comparison */
int feed_digest(struct operation *op, int fd, uint64_t size, uint8_t ret[DIGEST_SIZE]);
/* up to @size bytes at @offset; less only at the end of the file */
int feed_read(int fd, void *buffer, uint64_t size, uint64_t offset, uint64_t *ret);

#endif
