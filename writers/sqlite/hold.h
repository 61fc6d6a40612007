/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.h - hold the writers of a database off by SQLite's own locks, and let them go.
 *
 * The locks belong to this process: they end with it, however it ends, so there is nothing that
 * anybody else would have to undo. They also end when this process closes any other descriptor of
 * the same file; so while something is held, a database is touched through SQLite only.
 */
#ifndef WRITERS_SQLITE_HOLD_H
#define WRITERS_SQLITE_HOLD_H

#include <sys/types.h>

#include "sqlite/database.h"

/* hold_open() - connect and look whether it is a database at all; what is wrong goes into the
 * database's failure. A database that is busy at the moment is fine. */
void hold_open(struct database *database);

/* hold_checkpoint() - move what the write-ahead log holds into the database, as far as it goes
 * without disturbing anybody for longer than a moment */
void hold_checkpoint(struct database *database);

/* hold_begin_all() - hold all that are selected and have not failed
 *
 * Those that are free first; then the rest is waited for, @wait_ms together. What could not be
 * held has a failure afterwards, VSS_E_WRITERERROR_RETRYABLE with the holder's name when it was
 * busy. */
void hold_begin_all(struct databases *databases, uint32_t wait_ms);

/* hold_release_all() - roll back and disconnect; fails a database that was replaced meanwhile */
void hold_release_all(struct databases *databases);

/* hold_is_hot_journal() - would SQLite roll back what lies beside @path? Opens no database */
bool hold_is_hot_journal(const char *path);

/* hold_name_users() - "process 12 (app)" of those that hold locks on, or with @open have open, the
 * files of the database, also ones of that name that were deleted; empty when nobody was found (or
 * may be seen). Own process not counted. Return: number found */
unsigned hold_name_users(const char *path, bool open, char *buffer, size_t size);

/* struct hold_former - the files of a database at one moment: itself, -wal, -shm; inode 0: none */
struct hold_former {
        struct {
                dev_t device;
                ino_t inode;
        } files[3];
};
void hold_remember(const char *path, struct hold_former *ret);

/* hold_name_left_behind() - those that still have one of @former open, although it has no name any
 * more or was set aside: what they write is lost. Return: as above */
unsigned hold_name_left_behind(const struct hold_former *former, char *buffer, size_t size);

#endif
