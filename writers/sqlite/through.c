/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/through.h"

#include <stdio.h>
#include <string.h>

#include "sqlite/hold.h"
#include "sqlite/restore.h"

/* one try: who reads is drained meanwhile, and whoever comes waits; below the usual busy timeouts
 */
enum { TRY_MS = 2000 };

static bool is_busy(int rc) {
        return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
}

static int fail(sqlite3 *connection, const char *path, int rc, struct vss_error *reterr) {
        const char *words = connection ? sqlite3_errmsg(connection) : sqlite3_errstr(rc);
        bool damaged = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;

        return util_fail(reterr,
                         damaged ? VSS_E_WRITERERROR_NONRETRYABLE : VSS_E_WRITERERROR_RETRYABLE,
                         "'%s' cannot be written through SQLite: %s%s", path, words,
                         damaged ? "; stop the programs that have it open, then restore it" : "");
}

static int fail_busy(const char *path, uint32_t wait_ms, struct vss_error *reterr) {
        char users[256];

        if (hold_name_users(path, false, users, sizeof(users)) == 0)
                (void)snprintf(users, sizeof(users), "a process that cannot be seen from here");
        return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                         "'%s' was locked for more than %u ms by %s: let it end its transaction, "
                         "and restore again (restore_wait)",
                         path, wait_ms, users);
}

static int pragma_number(sqlite3 *connection, const char *sql) {
        sqlite3_stmt *statement = NULL;
        int value = -1;

        if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW)
                value = sqlite3_column_int(statement, 0);
        (void)sqlite3_finalize(statement);
        return value;
}

static bool is_wal(sqlite3 *connection) {
        sqlite3_stmt *statement = NULL;
        bool wal = false;

        if (sqlite3_prepare_v2(connection, "PRAGMA journal_mode", -1, &statement, NULL) ==
                    SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW)
                wal = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
        (void)sqlite3_finalize(statement);
        return wal;
}

/* a log cannot change the page size of its database */
static int check_pages(sqlite3 *from, sqlite3 *to, const char *path, struct vss_error *reterr) {
        int before = pragma_number(to, "PRAGMA page_size"),
            after = pragma_number(from, "PRAGMA page_size");

        if (!is_wal(to) || before == after)
                return 0;
        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                         "'%s' has pages of %d bytes, the restored one has %d, which cannot be "
                         "changed in WAL mode: stop the programs that have it open, then restore "
                         "it",
                         path, before, after);
}

/* the first step takes the lock, exclusive without WAL; with all pages in one step nobody can come
 * between, and a failure rolls back */
static int copy_pages(sqlite3 *from, sqlite3 *to, uint32_t wait_ms) {
        uint64_t end = util_now_us() + (uint64_t)wait_ms * 1000;
        sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
        int rc;

        if (!backup)
                return sqlite3_errcode(to);
        do
                rc = sqlite3_backup_step(backup, -1);
        while (is_busy(rc) && util_now_us() < end);
        if (rc != SQLITE_DONE) {
                (void)sqlite3_backup_finish(backup);
                return rc;
        }
        return sqlite3_backup_finish(backup);
}

static int copy(sqlite3 *from, sqlite3 *to, const char *path, uint32_t wait_ms,
                struct vss_error *reterr) {
        int r, rc;

        (void)sqlite3_busy_timeout(to, wait_ms < TRY_MS ? (int)wait_ms : TRY_MS);
        r = check_pages(from, to, path, reterr);
        if (r < 0)
                return r;
        (void)sqlite3_exec(to, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
        rc = copy_pages(from, to, wait_ms);
        if (is_busy(rc))
                return fail_busy(path, wait_ms, reterr);
        if (rc != SQLITE_OK)
                return fail(to, path, rc, reterr);
        /* as large as the database now; what readers still need stays */
        (void)sqlite3_wal_checkpoint_v2(to, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return 0;
}

int through_copy(const char *from, const char *to, uint32_t wait_ms, struct vss_error *reterr) {
        sqlite3 *source = NULL, *target = NULL;
        int rc = restore_open(from, &source), r;

        if (rc != SQLITE_OK) {
                r = fail(source, from, rc, reterr);
        } else {
                rc = restore_open(to, &target);
                r = rc == SQLITE_OK ? copy(source, target, to, wait_ms, reterr)
                                    : fail(target, to, rc, reterr);
        }
        (void)sqlite3_close_v2(target);
        (void)sqlite3_close_v2(source);
        return r;
}
