/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* how long one database is waited for before the next has its turn; and between two tries */
enum { STEP_MS = 20, PAUSE_US = 200 };
enum { TRUNCATE_MS = 500 }; /* TRUNCATE keeps writers off while it waits for readers */

static void fail_sqlite(struct database *database, int rc, const char *what) {
        const char *words =
                database->connection ? sqlite3_errmsg(database->connection) : sqlite3_errstr(rc);

        if (rc == SQLITE_NOTADB)
                database_fail(database, VSS_E_WRITERERROR_NONRETRYABLE, rc,
                              "'%s' is no SQLite database, or an encrypted one: remove it from the "
                              "settings, or narrow the pattern that found it",
                              database->path);
        else if (rc == SQLITE_CORRUPT)
                database_fail(database, VSS_E_WRITERERROR_NONRETRYABLE, rc,
                              "'%s' is damaged (%s): repair it with 'sqlite3 FILE .recover', or "
                              "restore it",
                              database->path, words);
        else
                database_fail(database,
                              rc == SQLITE_NOMEM ? VSS_E_WRITERERROR_OUTOFRESOURCES
                                                 : VSS_E_WRITERERROR_NONRETRYABLE,
                              rc, "cannot %s '%s': %s", what, database->path, words);
}

static bool is_busy(int rc) {
        return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
}

/* Nobody writes through a mount that is read-only; what is written behind it is told in writers.md
 */
static bool mount_is_read_only(const char *path) {
        struct statvfs st;

        return statvfs(path, &st) == 0 && (st.f_flag & ST_RDONLY);
}

static int one_row(sqlite3 *connection, const char *sql, char *text, size_t size) {
        sqlite3_stmt *statement = NULL;
        int rc = sqlite3_prepare_v2(connection, sql, -1, &statement, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW && text)
                (void)snprintf(text, size, "%s", (const char *)sqlite3_column_text(statement, 0));
        (void)sqlite3_finalize(statement);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int connect_database(struct database *database) {
        const int common = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
        char mode[16] = "";
        int rc = sqlite3_open_v2(database->path, &database->connection,
                                 SQLITE_OPEN_READWRITE | common, NULL);

        if (rc != SQLITE_OK)
                return rc;
        (void)sqlite3_db_config(database->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void)sqlite3_db_config(database->connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        database->read_only = sqlite3_db_readonly(database->connection, "main") == 1;
        rc = one_row(database->connection, "PRAGMA journal_mode", mode, sizeof(mode));
        database->wal = strcmp(mode, "wal") == 0;
        return rc == SQLITE_OK ? one_row(database->connection,
                                         "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, 0)
                               : rc;
}

void hold_open(struct database *database) {
        struct stat st;
        int rc;

        if (database->connection || database->failure)
                return;
        if (stat(database->path, &st) < 0) {
                database_fail(database, VSS_E_WRITERERROR_NONRETRYABLE, SQLITE_CANTOPEN,
                              "'%s' is not there: %s; restore it, or remove it from the settings",
                              database->path, strerror(errno));
                return;
        }
        rc = connect_database(database);
        if (rc == SQLITE_OK || is_busy(rc))
                return;
        /* WAL on a read-only mount cannot be read without its -shm; it cannot change either. */
        if ((rc & 0xff) == SQLITE_CANTOPEN && database->read_only &&
            mount_is_read_only(database->path)) {
                database->wal = true;
                return;
        }
        fail_sqlite(database, rc & 0xff, "open");
}

void hold_checkpoint(struct database *database) {
        int logged, moved;

        if (database->failure || !database->wal || database->read_only)
                return;
        /* PASSIVE does the bulk and blocks nobody; TRUNCATE then has little to do. */
        (void)sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                        &logged, &moved);
        (void)sqlite3_busy_timeout(database->connection, TRUNCATE_MS);
        (void)sqlite3_wal_checkpoint_v2(database->connection, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                        &logged, &moved);
        (void)sqlite3_busy_timeout(database->connection, 0);
}

bool hold_is_hot_journal(const char *path) {
        static const unsigned char magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
        _cleanup_free_ char *journal = database_sidecar(path, "-journal");
        _cleanup_close_ int fd = -1;
        unsigned char head[8];

        fd = journal ? open(journal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
        return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
               memcmp(head, magic, sizeof(magic)) == 0;
}

static bool was_replaced(const struct database *database) {
        int moved = 0;

        return sqlite3_file_control(database->connection, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
                       SQLITE_OK &&
               moved;
}

/* SQLITE_OK: its writers are held */
static int begin(struct database *database) {
        int rc;

        if (database->read_only && database->wal)
                return mount_is_read_only(database->path) ? SQLITE_OK : SQLITE_READONLY;
        if (database->read_only) /* a reader keeps every writer from committing */
                rc = sqlite3_exec(database->connection,
                                  "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
        else
                rc = sqlite3_exec(database->connection, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc != SQLITE_OK)
                (void)sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
        return rc;
}

/* one attempt; true when this database needs no further one */
static bool try_begin(struct database *database) {
        int rc;

        if (was_replaced(database)) { /* by a rename since prepare_snapshot: take the new file */
                (void)sqlite3_close_v2(database->connection);
                database->connection = NULL;
                hold_open(database);
                if (database->failure)
                        return true;
        }
        rc = begin(database);
        if (is_busy(rc))
                return false;
        if (rc == SQLITE_READONLY && database->wal)
                database_fail(database, VSS_E_WRITERERROR_NONRETRYABLE, rc,
                              "'%s' is in WAL mode and can be read only: its writers cannot be "
                              "held; let the service write to it, or make its mount read-only",
                              database->path);
        else if (rc != SQLITE_OK)
                fail_sqlite(database, rc & 0xff, "hold the writers of");
        else if (hold_is_hot_journal(database->path))
                database_fail(database, VSS_E_WRITERERROR_RETRYABLE, SQLITE_BUSY,
                              "'%s' has a journal that is not rolled back: some program writes "
                              "without SQLite's locks",
                              database->path);
        else
                database->began = true;
        return true;
}

static void fail_busy(struct database *database, uint32_t wait_ms) {
        char users[256];

        if (hold_name_users(database->path, false, users, sizeof(users)) == 0)
                (void)snprintf(users, sizeof(users), "a process that cannot be seen from here");
        database_fail(database, VSS_E_WRITERERROR_RETRYABLE, SQLITE_BUSY,
                      "'%s' was locked for more than %u ms by %s: let it end its transaction, and "
                      "try again",
                      database->path, wait_ms, users);
}

static bool wants_hold(const struct database *database) {
        return database->selected && !database->failure && !database->began && database->connection;
}

/* SQLite's own waiting sleeps for up to 100 ms between two tries; beside programs that commit one
 * transaction after the other that is hardly ever the right moment */
static int wait_a_little(void *userdata, int tries) {
        const uint64_t *end = userdata;

        if (util_now_us() >= *end)
                return 0;
        (void)usleep(PAUSE_US);
        return 1;
}

void hold_begin_all(struct databases *databases, uint32_t wait_ms) {
        uint64_t end = util_now_us() + (uint64_t)wait_ms * 1000, step_end;
        bool waiting = true;

        /* The first round takes what is free at once, later ones give each its step. */
        for (int step = 0; waiting && (step == 0 || util_now_us() < end); step = STEP_MS) {
                waiting = false;
                for (size_t i = 0; i < databases->count; i++) {
                        struct database *database = &databases->items[i];

                        if (!wants_hold(database))
                                continue;
                        step_end = util_now_us() + (uint64_t)step * 1000;
                        (void)sqlite3_busy_handler(database->connection, wait_a_little, &step_end);
                        waiting |= !try_begin(database);
                        if (database->connection)
                                (void)sqlite3_busy_timeout(database->connection, 0);
                }
        }
        for (size_t i = 0; i < databases->count; i++)
                if (wants_hold(&databases->items[i]))
                        fail_busy(&databases->items[i], wait_ms);
}

void hold_release_all(struct databases *databases) {
        /* First let everybody go, then do what takes time: closing may checkpoint. */
        for (size_t i = 0; i < databases->count; i++) {
                struct database *database = &databases->items[i];

                if (!database->began)
                        continue;
                if (was_replaced(database))
                        database_fail(database, VSS_E_WRITERERROR_RETRYABLE, SQLITE_READONLY,
                                      "'%s' was replaced or removed while its writers were held: "
                                      "try again",
                                      database->path);
                (void)sqlite3_exec(database->connection, "ROLLBACK", NULL, NULL, NULL);
                database->began = false;
        }
        for (size_t i = 0; i < databases->count; i++) {
                (void)sqlite3_close_v2(databases->items[i].connection);
                databases->items[i].connection = NULL;
        }
}
