/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - a database is put back: never beside a log of its former life, and looked at after.
 */
#ifndef WRITERS_SQLITE_RESTORE_H
#define WRITERS_SQLITE_RESTORE_H

#include "sqlite/database.h"

/*
 * restore_clear() - before the files come: what stands there is closed cleanly, so that no -wal,
 * -shm or -journal is left to be mixed with the restored file; what cannot be closed (a damaged
 * database) has them set aside under other names. Refused while any process has the database open.
 *
 * Return: 0, VSS_E_WRITERERROR_RETRYABLE in use, VSS_E_WRITERERROR_NONRETRYABLE, with words
 */
int restore_clear(const char *path, struct vss_error *reterr);

/* restore_verify() - after: SQLite brings it up as an application would, and @check is made. Only
 * when it is good what restore_clear() had set aside goes. Return: as copy_check() */
int restore_verify(const char *path, enum copy_check check, struct vss_error *reterr);

#endif
