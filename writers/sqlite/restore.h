/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - a database is put back: never beside a log of its former life, and looked at after.
 */
#ifndef WRITERS_SQLITE_RESTORE_H
#define WRITERS_SQLITE_RESTORE_H

#include "sqlite/database.h"

/* restore_open() - as its program would, for writing; SQLite's code */
int restore_open(const char *path, sqlite3 **ret);

/* struct restore_aside - names that -wal, -shm and -journal of a database have now, by which
 * restore_put_back() finds them */
struct restore_aside {
        char *names[3];
};
void restore_aside_done(struct restore_aside *aside);

/*
 * restore_set_aside() - what stands beside a database that must not be opened: -wal, -shm, -journal
 * get other names, until restore_verify() is content. restore_set_aside_log(): only -wal.
 * restore_put_back(): nothing was restored, so all is as it was
 *
 * Return: 0, VSS_E_WRITERERROR_NONRETRYABLE with words
 */
int restore_set_aside(const char *path, struct restore_aside *ret, struct vss_error *reterr);
int restore_set_aside_log(const char *path, struct vss_error *reterr);
void restore_put_back(const char *path, const struct restore_aside *aside);

/* restore_refuse_open() - VSS_E_WRITERERROR_RETRYABLE with the names of those who use it, also by a
 * name that is gone, or 0. Nothing may be held in this process: locks would be lost */
int restore_refuse_open(const char *path, const char *when, struct vss_error *reterr);

/*
 * restore_clear() - before the files come: what stands there is closed cleanly, so that no -wal,
 * -shm or -journal is left to be mixed with the restored file; what cannot be closed (a damaged
 * database) has them set aside under other names. Nobody else may have it open.
 *
 * Return: 0, VSS_E_WRITERERROR_NONRETRYABLE with words
 */
int restore_clear(const char *path, struct restore_aside *ret, struct vss_error *reterr);

/* restore_verify() - after: SQLite brings it up as an application would, and @check is made. Only
 * when it is good what restore_clear() had set aside goes. With @settle its log is taken into it
 * whatever @check says: it can be renamed. Return: as copy_check() */
int restore_verify(const char *path, enum copy_check check, bool settle, struct vss_error *reterr);

#endif
