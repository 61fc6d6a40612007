/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite-tools.h"

#include <stdarg.h>

#include "base/file.h"
#include "tests/check.h"

sqlite3 *open_database(const char *path) {
        sqlite3 *connection;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        CHECK_INT(sqlite3_busy_timeout(connection, 20000), SQLITE_OK);
        return connection;
}

void execute(sqlite3 *connection, const char *sql) {
        char *words = NULL;

        if (sqlite3_exec(connection, sql, NULL, NULL, &words) != SQLITE_OK)
                CHECK_FAIL_("%s: %s", sql, words);
}

int64_t number(sqlite3 *connection, const char *sql) {
        sqlite3_stmt *statement;
        int64_t value;

        CHECK_INT(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
        value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return value;
}

void create_database(const char *path, const char *mode) {
        sqlite3 *connection = open_database(path);
        char sql[256];

        (void)snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", mode);
        execute(connection, sql);
        execute(connection, "CREATE TABLE t(slot INTEGER, part INTEGER, tx INTEGER, filler BLOB,"
                            " PRIMARY KEY(slot, part));"
                            "CREATE TABLE meta(tx INTEGER); INSERT INTO meta VALUES(0);");
        (void)snprintf(sql, sizeof(sql),
                       "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<%d)"
                       " INSERT INTO t SELECT i/%d, i%%%d, 0, zeroblob(700) FROM n",
                       SLOTS * PARTS - 1, PARTS, PARTS);
        execute(connection, sql);
        CHECK_INT(sqlite3_close(connection), SQLITE_OK);
}

int64_t check_database(const char *path) {
        sqlite3 *connection = open_database(path);
        sqlite3_stmt *statement;
        char sql[256];
        int64_t last;

        CHECK_INT(sqlite3_prepare_v2(connection, "PRAGMA integrity_check", -1, &statement, NULL),
                  SQLITE_OK);
        CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
        CHECK_STR((const char *)sqlite3_column_text(statement, 0), "ok");
        sqlite3_finalize(statement);
        last = number(connection, "SELECT tx FROM meta");
        CHECK_INT(number(connection, "SELECT count(*) FROM (SELECT slot FROM t GROUP BY slot "
                                     "HAVING min(tx) <> max(tx))"),
                  0);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT count(*) FROM t WHERE tx <> max(0, %jd - ((%jd - slot) %% %d + %d) "
                       "%% %d)",
                       (intmax_t)last, (intmax_t)last, SLOTS, SLOTS, SLOTS);
        if (last >= SLOTS)
                CHECK_INT(number(connection, sql), 0);
        CHECK_INT(sqlite3_close(connection), SQLITE_OK);
        return last;
}

void run(const char *format, ...) {
        va_list arguments;
        char *command;

        va_start(arguments, format);
        CHECK(vasprintf(&command, format, arguments) >= 0);
        va_end(arguments);
        if (system(command) != 0)
                CHECK_FAIL_("%s", command);
        free(command);
}

static void drop(const char *path) {
        if (exists(path))
                run("%s '%s' >/dev/null", getenv("TEST_DROP") ? getenv("TEST_DROP") : "rm -rf",
                    path);
}

void remove_copy(void) {
        drop(scratch_path("copy"));
}

char *fresh_volume(void) {
        char *volume = scratch_path("data");

        drop(volume);
        remove_copy();
        run("rm -rf '%s'", scratch_path("restored"));
        run("%s '%s' >/dev/null", getenv("TEST_MAKE") ? getenv("TEST_MAKE") : "mkdir", volume);
        return volume;
}

void make_copy(void) {
        run("%s '%s' '%s' >/dev/null", getenv("TEST_COPY") ? getenv("TEST_COPY") : "cp -a",
            scratch_path("data"), scratch_path("copy"));
}

void restore_elsewhere(const char *name) {
        run("rm -rf '%s' && mkdir '%s' && cp -a '%s/%s' '%s/'", scratch_path("restored"),
            scratch_path("restored"), scratch_path("copy"), name, scratch_path("restored"));
        run("cd '%s' && for f in '%s'-wal* '%s'-journal*; do ! test -e \"$f\" || cp -a \"$f\" "
            "'%s/'; done",
            scratch_path("copy"), name, name, scratch_path("restored"));
}

void start(struct host *host, const char *const *more) {
        const char *settings[64] = { "sqlite", "state_dir", scratch_path("state") };
        size_t n = 3;
        int r;

        while (more && *more)
                settings[n++] = *more++;
        if (n == 3) {
                settings[n++] = "database app";
                settings[n++] = "path";
                settings[n++] = scratch_path("data/app.db");
        }
        settings[n] = NULL;
        r = host_start(host, "sqlite", settings);
        if (r < 0)
                CHECK_FAIL_("%s", vss_error_message(&host->error));
        host->volumes[0] = scratch_path("data");
        host->devices[0] = scratch_path("copy");
}

bool can_write(const char *path) {
        sqlite3 *connection;
        int rc;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        rc = sqlite3_exec(connection, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
        (void)sqlite3_close(connection);
        return rc == SQLITE_OK;
}

bool can_read(const char *path) {
        sqlite3 *connection;
        int rc;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        rc = sqlite3_exec(connection, "SELECT count(*) FROM t", NULL, NULL, NULL);
        (void)sqlite3_close(connection);
        return rc == SQLITE_OK;
}

void select_and_prepare(struct host *host) {
        host_select(host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(host_event(host, "PrepareBackup"), 0);
        CHECK_INT(host_event(host, "PrepareSnapshot"), 0);
}

void expect_failure(struct host *host, const char *name, int code, const char *words) {
        int32_t failure, application;
        const char *message;

        CHECK_INT(vss_component_get_failure(host_component(host, name), &failure, &application,
                                            &message),
                  0);
        CHECK_INT(failure, code);
        if (words && (!message || !strstr(message, words)))
                CHECK_FAIL_("%s: '%s' does not say '%s'", name, message, words);
}
