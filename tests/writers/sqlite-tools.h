/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite-tools.h - databases, the volume they lie on and its copy, for the tests of the sqlite
 * writer.
 */
#ifndef TESTS_WRITERS_SQLITE_TOOLS_H
#define TESTS_WRITERS_SQLITE_TOOLS_H

#include <sqlite3.h>

#include "host.h"

/* Table t: transaction number tx writes all PARTS rows of slot tx % SLOTS; table meta: the last */
enum { SLOTS = 40, PARTS = 5 };

sqlite3 *open_database(const char *path);
void execute(sqlite3 *connection, const char *sql);
int64_t number(sqlite3 *connection, const char *sql);
void create_database(const char *path, const char *mode);
/* check_database() - opened as after a restore: complete, nothing half, exactly the transactions up
 * to the one of meta, which is returned */
int64_t check_database(const char *path);
/* run() - a shell command that must succeed */
void run(const char *format, ...) VSS_PRINTF(1, 2);
/* the volume "data" and its shadow copy "copy" in the scratch folder: made, copied and removed as
 * TEST_MAKE, TEST_COPY and TEST_DROP say, by default with mkdir, cp -a and rm -rf */
void remove_copy(void);
char *fresh_volume(void);
void make_copy(void);
/* restore_elsewhere() - as a requester reads it out of the copy, without -shm, to "restored" */
void restore_elsewhere(const char *name);
/* start() - the writer with settings @more, or with one database app = data/app.db */
void start(struct host *host, const char *const *more);
/* can a program begin to write at this moment, and read? */
bool can_write(const char *path);
bool can_read(const char *path);
void select_and_prepare(struct host *host);
void expect_failure(struct host *host, const char *name, int code, const char *words);

#endif
