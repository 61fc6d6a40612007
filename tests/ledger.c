/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ledger.c - an application with an SQLite database, for tests and the demo.
 *
 *   ledger run DATABASE LOG [JOURNAL]   commit transactions until SIGTERM; append each to LOG only
 *                                       after it was acknowledged; JOURNAL is wal or delete
 *   ledger check DATABASE LOG TICKS     is every transaction that was acknowledged before the
 *                                       instant TICKS (100 ns since 1601) there, and none by half?
 *
 * A transaction is five lines whose amounts add up to zero, numbered without a gap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES = 5 };

static volatile sig_atomic_t stopping;

static void on_term(int number) {
        stopping = number;
}

static int64_t ticks_now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return ts.tv_sec * INT64_C(10000000) + ts.tv_nsec / 100 + INT64_C(116444736000000000);
}

static int fail(sqlite3 *db, const char *what) {
        fprintf(stderr, "ledger: %s: %s\n", what, db ? sqlite3_errmsg(db) : strerror(errno));
        return 1;
}

static int64_t query(sqlite3 *db, const char *sql) {
        sqlite3_stmt *statement;
        int64_t value = -1;

        if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
                return -1;
        if (sqlite3_step(statement) == SQLITE_ROW)
                value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return value;
}

/* ---- run ---- */

static int insert_lines(sqlite3 *db, sqlite3_stmt *insert, int64_t number) {
        for (int line = 1; line <= LINES; line++) {
                sqlite3_bind_int64(insert, 1, number);
                sqlite3_bind_int(insert, 2, line);
                sqlite3_bind_int64(insert, 3,
                                   line < LINES ? number % 1000 + line
                                                : -(4 * (number % 1000) + 1 + 2 + 3 + 4));
                if (sqlite3_step(insert) != SQLITE_DONE || sqlite3_reset(insert) != SQLITE_OK)
                        return fail(db, "insert");
        }
        return 0;
}

static int commit_one(sqlite3 *db, sqlite3_stmt *insert, int64_t number, FILE *log) {
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
                return fail(db, "begin");
        if (insert_lines(db, insert, number) != 0)
                return 1;
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
                return fail(db, "commit");
        fprintf(log, "%" PRId64 " %" PRId64 "\n", number, ticks_now());
        return fflush(log) == 0 ? 0 : fail(NULL, "log");
}

static int run(const char *path, const char *log_path, const char *journal) {
        const struct sigaction action = { .sa_handler = on_term };
        char pragma[64];
        sqlite3_stmt *insert;
        FILE *log = fopen(log_path, "ae");
        sqlite3 *db = NULL;
        int64_t number;
        int r = 0;

        if (!log)
                return fail(NULL, log_path);
        sigaction(SIGTERM, &action, NULL);
        if (sqlite3_open(path, &db) != SQLITE_OK)
                return fail(db, path);
        sqlite3_busy_timeout(db, 60000);
        snprintf(pragma, sizeof(pragma), "PRAGMA journal_mode=%s", journal);
        if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(db,
                         "CREATE TABLE IF NOT EXISTS entry(number INTEGER, line INTEGER, amount "
                         "INTEGER, filler BLOB DEFAULT (randomblob(200)), PRIMARY KEY(number, "
                         "line))",
                         NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_prepare_v2(db, "INSERT INTO entry(number, line, amount) VALUES(?,?,?)", -1,
                               &insert, NULL) != SQLITE_OK)
                return fail(db, "set-up");
        number = query(db, "SELECT coalesce(max(number), 0) FROM entry");
        while (!stopping && r == 0)
                r = commit_one(db, insert, ++number, log);
        sqlite3_finalize(insert);
        sqlite3_close(db);
        fclose(log);
        return r;
}

/* ---- check ---- */

/* acknowledged_before() - the last number in the log from before the instant */
static int64_t acknowledged_before(const char *log_path, int64_t instant) {
        FILE *log = fopen(log_path, "re");
        int64_t number, when, last = 0;

        if (!log)
                return -1;
        while (fscanf(log, "%" SCNd64 " %" SCNd64, &number, &when) == 2)
                if (when < instant && number > last)
                        last = number;
        fclose(log);
        return last;
}

static int integrity(sqlite3 *db) {
        sqlite3_stmt *statement;
        int good = 0;

        if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW)
                good = strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
        sqlite3_finalize(statement);
        return good;
}

static int check(const char *path, const char *log_path, int64_t instant) {
        int64_t wanted = acknowledged_before(log_path, instant), last, count, half;
        sqlite3 *db = NULL;

        if (wanted < 0)
                return fail(NULL, log_path);
        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
                return fail(db, path);
        if (!integrity(db))
                return fail(db, "integrity_check is not ok");
        last = query(db, "SELECT coalesce(max(number), 0) FROM entry");
        count = query(db, "SELECT count(DISTINCT number) FROM entry");
        half = query(db, "SELECT count(*) FROM (SELECT number FROM entry GROUP BY number HAVING "
                         "count(*) <> 5 OR sum(amount) <> 0)");
        sqlite3_close(db);
        printf("integrity_check ok; %" PRId64 " transactions, %" PRId64 " were acknowledged before "
               "the freeze, %" PRId64 " by half, %" PRId64 " missing\n",
               last, wanted, half, last - count + (wanted > last ? wanted - last : 0));
        return last >= wanted && count == last && half == 0 && wanted > 0 ? 0 : 1;
}

int main(int argc, char *argv[]) {
        if ((argc == 4 || argc == 5) && strcmp(argv[1], "run") == 0)
                return run(argv[2], argv[3], argc == 5 ? argv[4] : "wal");
        if (argc == 5 && strcmp(argv[1], "check") == 0)
                return check(argv[2], argv[3], strtoll(argv[4], NULL, 10));
        fprintf(stderr, "usage: ledger run DATABASE LOG [wal|delete]\n"
                        "       ledger check DATABASE LOG TICKS\n");
        return 2;
}
