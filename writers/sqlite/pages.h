/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.h - what stands in every page of a database file: computed, written down, compared with
 * what was written down before. Reads files only; SQLite is not asked, since change counter and
 * size prove nothing in WAL mode.
 *
 * A page hash list is 16 bytes of SHA-256 per page of the database file of one shadow copy. The log
 * beside the file is no part of it: a backup always carries the whole log. Little-endian:
 *
 *   0 "VSSPAGES"  8 version 2  12 page size  16 file size  24 type of the backup (FULL,
 *   INCREMENTAL)  28 length of the path  32 path of the database  then the hashes, of the last page
 *   as long as the file goes, and the digest: SHA-256 over page size, file size and all hashes.
 *   After it may stand what identifies a clone of the file (clones.h)
 */
#ifndef WRITERS_SQLITE_PAGES_H
#define WRITERS_SQLITE_PAGES_H

#include "common/util.h"
#include "sqlite/changes.h"
#include "sqlite/extents.h"

enum { PAGES_HASH = 16, PAGES_DIGEST = 32, PAGES_DIGEST_TEXT = 2 * PAGES_DIGEST + 1 };

/* The whole file in few bytes: equal sums are equal files. */
struct pages_sum {
        uint32_t page_size;
        uint64_t size;
        unsigned char digest[PAGES_DIGEST];
};

void pages_digest_format(const unsigned char digest[PAGES_DIGEST], char ret[PAGES_DIGEST_TEXT]);
/* pages_digest_parse() - false when @text is not that of a digest */
bool pages_digest_parse(const char *text, unsigned char ret[PAGES_DIGEST]);

/* A list that was written before. */
struct pages_list {
        int fd; /* owned */
        uint32_t type;
        struct pages_sum sum; /* as it says; pages_scan() finds out whether it is true */
        uint64_t hashes_at, end; /* end: behind the digest */
        char *path; /* owned */
};

/* pages_list_open() - @take_fd is closed also on failure; -EBADMSG when it is no list */
int pages_list_open(int take_fd, struct pages_list *ret);
void pages_list_close(struct pages_list *list);

struct pages_scan {
        const char *file; /* the database file */
        uint64_t end_us; /* util_now_us() at which it gives up; 0: never */
        int out; /* a new list goes there; -1: none */
        uint32_t type; /* of the new list */
        const char *path;
        /* compared with, page by page, when the page sizes are equal; NULL: with nothing */
        const struct pages_list *base;
        struct changes *changes; /* where the pages differ from @base, or are new */
        /* bytes that are proven to be those that @base was made of: the hashes of pages wholly in
         * there are taken from it, and not read again. If it is not sound the new list and sum
         * are worth nothing. NULL: none */
        const struct extents *same;
        uint64_t spared; /* bytes that were not read */
};

/*
 * pages_scan() - read @file once and do all that
 * @ret:       of the file
 * @ret_sound: the list @base is what its digest says; without that @changes mean nothing
 *
 * Return: 0, -ETIME when the time was not enough, -EBADMSG when the file changed while it was
 * read, negative errno
 */
int pages_scan(struct pages_scan *scan, struct pages_sum *ret, bool *ret_sound);

/* pages_digest_file() - SHA-256 of a whole file, as it is; for logs. 0 or negative errno */
int pages_digest_file(const char *path, uint64_t *ret_size, unsigned char ret[PAGES_DIGEST]);

#endif
