/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h - look at the shadow copy of a database: is it good?
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

#endif
