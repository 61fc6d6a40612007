/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h - look at the shadow copy of a database: is it good, and what is in its pages.
 *
 * Only when nothing is held any more: with some providers the copy may be the very same file.
 */
#ifndef WRITERS_SQLITE_COPY_H
#define WRITERS_SQLITE_COPY_H

#include "sqlite/database.h"

/*
 * copy_check() - does the database at @path open, with the log beside it, without a change to
 * either? CHECK_OPEN reads the schema, the others let SQLite look at all pages.
 *
 * Return: 0; VSS_E_WRITERERROR_NONRETRYABLE damaged, VSS_E_WRITERERROR_RETRYABLE otherwise, with
 * words; *ret_sqlite_code may be NULL
 */
int copy_check(const char *path, enum copy_check check, int *ret_sqlite_code,
               struct vss_error *reterr);

/* check_open_database() - run the check that is asked for on a connection; as copy_check() */
int copy_check_connection(sqlite3 *connection, const char *path, enum copy_check check,
                          struct vss_error *reterr);

/*
 * A page hash list: what stood in every page of the database file of one shadow copy, so that a
 * later backup can find the pages that differ. The log beside the file is no part of it: a backup
 * always carries the whole log. Little-endian:
 *
 *   0 "VSSPAGES"  8 version 1  12 page size  16 file size  24 pages  32 bytes per hash (16)
 *   36 zero  40 hashes, SHA-256 cut to 16 bytes, the last page as long as the file goes
 *   then SHA-256 of all before
 *
 * pages_write() - make the list of @copy in folder @state; the name is that of component @key and
 * a new id
 * @ret_stamp:  "sqlite-pages:1:FILE:DIGEST", the caller frees it
 * @ret_file:   FILE, its name in @state; the caller frees it
 *
 * Return: 0, -ETIME when @time_ms were not enough (nothing is left), negative errno with words
 */
int pages_write(const char *state, const char *key, const char *copy, uint32_t time_ms,
                char **ret_stamp, char **ret_file, struct vss_error *reterr);

/* pages_forget() - remove one list that no backup will name */
void pages_forget(const char *state, const char *file);

/* pages_prune() - of the lists of component @key only the newest @keep stay */
void pages_prune(const char *state, const char *key, uint32_t keep);

/* pages_key() - file name part for a component: the same for the same names, fit for a file name */
int pages_key(const char *logical_path, const char *component, char ret[33]);

#endif
