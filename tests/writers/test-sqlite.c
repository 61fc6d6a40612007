/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer with real SQLite, and with real programs that write all the time: what the
 * shadow copy holds, and what the programs feel. The copy is made with cp, or with TEST_COPY.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/file.h"
#include "host.h"
#include "tests/check.h"

enum { SLOTS = 40, PARTS = 5, HAMMERS = 2 };

static int rounds(void) {
        const char *text = getenv("TEST_ROUNDS");

        return text ? atoi(text) : 8; /* the system suite asks for 50 */
}

/* ---- a database, and programs that write into it ---- */

static sqlite3 *open_database(const char *path) {
        sqlite3 *connection;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        CHECK_INT(sqlite3_busy_timeout(connection, 20000), SQLITE_OK);
        return connection;
}

static void execute(sqlite3 *connection, const char *sql) {
        char *words = NULL;

        if (sqlite3_exec(connection, sql, NULL, NULL, &words) != SQLITE_OK)
                CHECK_FAIL_("%s: %s", sql, words);
}

static int64_t number(sqlite3 *connection, const char *sql) {
        sqlite3_stmt *statement;
        int64_t value;

        CHECK_INT(sqlite3_prepare_v2(connection, sql, -1, &statement, NULL), SQLITE_OK);
        CHECK_INT(sqlite3_step(statement), SQLITE_ROW);
        value = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return value;
}

static void create_database(const char *path, const char *mode) {
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

/* what the writing programs share with the test */
struct shared {
        int64_t acknowledged; /* the greatest transaction whose COMMIT has returned */
        int64_t busy; /* how often one was told SQLITE_BUSY */
};

struct hammer {
        pid_t pids[HAMMERS];
        struct shared *shared;
};

/* Transaction number tx writes all rows of slot tx % SLOTS; half a transaction shows itself. */
static void hammer_once(sqlite3 *connection, struct shared *shared) {
        char sql[256];
        int64_t tx;

        if (sqlite3_exec(connection, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
                __atomic_add_fetch(&shared->busy, 1, __ATOMIC_SEQ_CST);
                return;
        }
        tx = number(connection, "SELECT tx + 1 FROM meta");
        for (int part = 0; part < PARTS; part++) {
                (void)snprintf(sql, sizeof(sql),
                               "UPDATE t SET tx=%jd, filler=randomblob(700) WHERE slot=%jd AND "
                               "part=%d",
                               (intmax_t)tx, (intmax_t)(tx % SLOTS), part);
                execute(connection, sql);
        }
        (void)snprintf(sql, sizeof(sql), "UPDATE meta SET tx=%jd; COMMIT", (intmax_t)tx);
        execute(connection, sql);
        for (int64_t seen = __atomic_load_n(&shared->acknowledged, __ATOMIC_SEQ_CST); seen < tx;)
                if (__atomic_compare_exchange_n(&shared->acknowledged, &seen, tx, false,
                                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
                        break;
}

static void start_hammer(struct hammer *hammer, const char *path) {
        hammer->shared = mmap(NULL, sizeof(*hammer->shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(hammer->shared != MAP_FAILED);
        for (int i = 0; i < HAMMERS; i++) {
                hammer->pids[i] = fork();
                CHECK(hammer->pids[i] >= 0);
                if (hammer->pids[i] == 0) {
                        sqlite3 *connection = open_database(path);

                        execute(connection, "PRAGMA synchronous=OFF");
                        while (getppid() != 1)
                                hammer_once(connection, hammer->shared);
                        _exit(0);
                }
        }
}

static int64_t acknowledged(const struct hammer *hammer) {
        return __atomic_load_n(&hammer->shared->acknowledged, __ATOMIC_SEQ_CST);
}

/* until @count transactions more are through; fails when they do not come */
static void await_progress(const struct hammer *hammer, int count, unsigned ms) {
        int64_t wanted = acknowledged(hammer) + count;
        uint64_t end = monotonic_us() + (uint64_t)ms * 1000;

        while (acknowledged(hammer) < wanted) {
                if (monotonic_us() > end)
                        CHECK_FAIL_("the application stands still");
                usleep(500);
        }
}

static void stop_hammer(struct hammer *hammer) {
        for (int i = 0; i < HAMMERS; i++) {
                CHECK_INT(kill(hammer->pids[i], SIGKILL), 0);
                CHECK_INT(waitpid(hammer->pids[i], NULL, 0), hammer->pids[i]);
        }
        CHECK_INT(hammer->shared->busy, 0); /* nobody had to notice */
        munmap(hammer->shared, sizeof(*hammer->shared));
}

/* The copy, opened as after a restore: complete, nothing half, exactly the transactions up to
 * the one of meta. Returns that one. */
static int64_t check_database(const char *path) {
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

/* ---- the volume and its copy ---- */

static void run(const char *format, ...) VSS_PRINTF(1, 2);
static void run(const char *format, ...) {
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

static void remove_copy(void) {
        drop(scratch_path("copy"));
}

static char *fresh_volume(void) {
        char *volume = scratch_path("data");

        drop(volume);
        remove_copy();
        run("rm -rf '%s'", scratch_path("restored"));
        run("%s '%s' >/dev/null", getenv("TEST_MAKE") ? getenv("TEST_MAKE") : "mkdir", volume);
        return volume;
}

static void make_copy(void) {
        run("%s '%s' '%s' >/dev/null", getenv("TEST_COPY") ? getenv("TEST_COPY") : "cp -a",
            scratch_path("data"), scratch_path("copy"));
}

/* as a requester would read it out of the copy: without -shm */
static void restore_elsewhere(const char *name) {
        run("rm -rf '%s' && mkdir '%s' && cp -a '%s/%s' '%s/'", scratch_path("restored"),
            scratch_path("restored"), scratch_path("copy"), name, scratch_path("restored"));
        run("cd '%s' && for f in '%s'-wal* '%s'-journal*; do ! test -e \"$f\" || cp -a \"$f\" "
            "'%s/'; done",
            scratch_path("copy"), name, name, scratch_path("restored"));
}

static void start(struct host *host, const char *const *more) {
        const char *settings[64] = { "settings", "state", scratch_path("state") };
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

static int64_t one_backup(struct hammer *hammer, const char *name) {
        int64_t before, held, in_copy;
        struct host host;

        start(&host, NULL);
        host_select(&host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        before = acknowledged(hammer);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        held = acknowledged(hammer);
        make_copy();
        CHECK(acknowledged(hammer) <= held + 1); /* one may not have said yet what it had done */
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        CHECK_INT(vss_component_get_failure(host_component(&host, "app"), NULL, NULL, NULL), 0);
        CHECK(vss_component_get_backup_stamp(host_component(&host, "app")));
        host_stop(&host);
        restore_elsewhere(name);
        in_copy = check_database(scratch_path("restored/%s", name));
        CHECK(before <= held && in_copy >= held && in_copy <= held + 1);
        remove_copy();
        return in_copy;
}

/* W-141, B-40: fifty times in a row, under load: everything acknowledged is there, nothing half */
static void hammered(const char *mode) {
        struct hammer hammer;
        int64_t last = 0;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), mode);
        start_hammer(&hammer, scratch_path("data/app.db"));
        await_progress(&hammer, SLOTS, 20000);
        for (int i = 0; i < rounds(); i++) {
                int64_t now = one_backup(&hammer, "app.db");

                CHECK(now >= last);
                last = now;
                await_progress(&hammer, 1, 5000); /* and the application goes on */
        }
        stop_hammer(&hammer);
}

static void test_hammered_wal(void) {
        hammered("WAL");
}

static void test_hammered_delete(void) {
        hammered("DELETE");
}

static void test_hammered_persist(void) {
        hammered("PERSIST");
}

/* A writer process that is killed while it holds leaves nobody waiting: the kernel takes the
 * locks away. Undo has nothing to do, and says so. */
static void killed_while_frozen(const char *mode) {
        struct hammer hammer;
        struct host host, fresh;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), mode);
        start_hammer(&hammer, scratch_path("data/app.db"));
        await_progress(&hammer, 5, 20000);
        start(&host, NULL);
        host_select(&host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK(host.token.size > 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        host_kill(&host);
        await_progress(&hammer, 3, 2000);
        start(&fresh, NULL);
        CHECK_INT(host_undo(&fresh, &host.token), 0);
        CHECK(host_undo(&fresh, &(struct wire_bytes){ (void *)(uintptr_t) "x", 1 }) < 0);
        host_stop(&fresh);
        free(host.token.data);
        stop_hammer(&hammer);
        CHECK(check_database(scratch_path("data/app.db")) > 0);
}

static void test_killed_while_frozen(void) {
        killed_while_frozen("WAL");
        killed_while_frozen("DELETE");
}

/* ---- what is held, and what is not ---- */

static bool can_write(const char *path) {
        sqlite3 *connection;
        int rc;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        rc = sqlite3_exec(connection, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
        (void)sqlite3_close(connection);
        return rc == SQLITE_OK;
}

static bool can_read(const char *path) {
        sqlite3 *connection;
        int rc;

        CHECK_INT(sqlite3_open(path, &connection), SQLITE_OK);
        rc = sqlite3_exec(connection, "SELECT count(*) FROM t", NULL, NULL, NULL);
        (void)sqlite3_close(connection);
        return rc == SQLITE_OK;
}

static void select_and_prepare(struct host *host) {
        host_select(host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(host_event(host, "PrepareBackup"), 0);
        CHECK_INT(host_event(host, "PrepareSnapshot"), 0);
}

/* W-141: readers go on, writers wait; B-44: thaw or abort, then they go on; abort again is nothing
 * (B-136) */
static void held_and_released(const char *mode) {
        struct host host;
        char *path;

        (void)fresh_volume();
        path = scratch_path("data/app.db");
        create_database(path, mode);
        start(&host, NULL);
        select_and_prepare(&host);
        CHECK(can_write(path));
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(path));
        CHECK(can_read(path));
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK(can_write(path));
        CHECK_INT(host_event(&host, "Abort"), 0);
        host_stop(&host);

        start(&host, NULL);
        select_and_prepare(&host);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(path));
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK(can_write(path));
        host_stop(&host);
}

static void test_held_and_released(void) {
        held_and_released("WAL");
        held_and_released("DELETE");
        held_and_released("TRUNCATE");
}

/* The log is moved into the database before the freeze as far as nobody minds. */
static void test_checkpoint(void) {
        sqlite3 *connection;
        struct host host;
        struct stat st;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        connection = open_database(scratch_path("data/app.db"));
        execute(connection, "PRAGMA wal_autocheckpoint=0; CREATE TABLE many(x);"
                            "INSERT INTO many SELECT randomblob(100000)");
        CHECK_INT(stat(scratch_path("data/app.db-wal"), &st), 0);
        CHECK(st.st_size > 100000);
        start(&host, NULL);
        select_and_prepare(&host);
        CHECK_INT(stat(scratch_path("data/app.db-wal"), &st), 0);
        CHECK_INT(st.st_size, 0);
        host_stop(&host);
        /* a reader of an old state keeps the log: that is no failure, and the copy has all */
        execute(connection, "BEGIN; SELECT * FROM many");
        {
                sqlite3 *other = open_database(scratch_path("data/app.db"));

                execute(other, "INSERT INTO many SELECT randomblob(100000)");
                start(&host, NULL);
                select_and_prepare(&host);
                CHECK_INT(host_event(&host, "Freeze"), 0);
                make_copy();
                CHECK_INT(host_event(&host, "Thaw"), 0);
                CHECK_INT(host_event(&host, "PostSnapshot"), 0);
                host_stop(&host);
                (void)sqlite3_close(other);
        }
        (void)sqlite3_close(connection);
        CHECK_INT(stat(scratch_path("copy/app.db-wal"), &st), 0);
        CHECK(st.st_size > 100000);
        restore_elsewhere("app.db");
        connection = open_database(scratch_path("restored/app.db"));
        CHECK_INT(number(connection, "SELECT count(*) FROM many"), 2);
        (void)sqlite3_close(connection);
}

/* A hot journal, as a crash leaves it, is rolled back before anything is copied. */
static void test_hot_journal(void) {
        struct host host;
        char *path, *journal;
        pid_t pid;

        (void)fresh_volume();
        path = scratch_path("data/app.db");
        journal = scratch_path("data/app.db-journal");
        create_database(path, "DELETE");
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                sqlite3 *connection = open_database(path);

                execute(connection, "PRAGMA cache_size=2; BEGIN; UPDATE t SET tx=77");
                (void)sqlite3_db_cacheflush(connection);
                (void)raise(SIGKILL);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        CHECK(exists(journal));
        start(&host, NULL);
        select_and_prepare(&host);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!exists(journal));
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        host_stop(&host);
        restore_elsewhere("app.db");
        CHECK_INT(check_database(scratch_path("restored/app.db")), 0);
}

/* B-83: a program that does not let go is named, and the backup may be tried again */
static void test_locked(void) {
        const char *const settings[] = {
                "database app", "path", scratch_path("data/app.db"), "settings", "freeze_wait",
                "300ms",        NULL
        };
        char pid_text[32];
        struct host host;
        uint64_t began;
        pid_t pid;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        start(&host, settings);
        select_and_prepare(&host);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                execute(open_database(scratch_path("data/app.db")),
                        "BEGIN IMMEDIATE; UPDATE meta SET tx=5");
                write_file(scratch_path("locked"), "", 0600);
                pause();
        }
        while (!exists(scratch_path("locked")))
                usleep(1000);
        began = monotonic_us();
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(monotonic_us() - began < 2000000);
        CHECK(host.result.fatal);
        (void)snprintf(pid_text, sizeof(pid_text), "process %d", (int)pid);
        CHECK(strstr(host.result.message, "data/app.db"));
        CHECK(strstr(host.result.message, pid_text));
        CHECK(strstr(host.result.message, "try again"));
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK_INT(kill(pid, SIGKILL), 0); /* it has our end of the socket too */
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        host_stop(&host);
        CHECK(can_write(scratch_path("data/app.db")));
}

/* ---- components that fail, and others that do not (B-85) ---- */

static void expect_failure(struct host *host, const char *name, int code, const char *words) {
        int32_t failure, application;
        const char *message;

        CHECK_INT(vss_component_get_failure(host_component(host, name), &failure, &application,
                                            &message),
                  0);
        CHECK_INT(failure, code);
        if (words && (!message || !strstr(message, words)))
                CHECK_FAIL_("%s: '%s' does not say '%s'", name, message, words);
}

static void test_bad_databases(void) {
        const char *const settings[] = { "database app",
                                         "path",
                                         scratch_path("data/app.db"),
                                         "database missing",
                                         "path",
                                         scratch_path("data/none.db"),
                                         "database encrypted",
                                         "path",
                                         scratch_path("data/enc.db"),
                                         "database damaged",
                                         "path",
                                         scratch_path("data/bad.db"),
                                         "database empty",
                                         "path",
                                         scratch_path("data/zero.db"),
                                         "database dropped",
                                         "path",
                                         scratch_path("data/drop.db"),
                                         NULL };
        static const char *const names[] = { "app",     "missing", "encrypted",
                                             "damaged", "empty",   "dropped" };
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        create_database(scratch_path("data/bad.db"), "DELETE");
        create_database(scratch_path("data/drop.db"), "DELETE");
        run("head -c 8192 /dev/urandom >'%s'", scratch_path("data/enc.db"));
        run("head -c 4000 /dev/urandom | dd of='%s' bs=1 seek=100 conv=notrunc status=none",
            scratch_path("data/bad.db"));
        run(": >'%s'", scratch_path("data/zero.db"));
        start(&host, settings);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                host_select(&host, VSS_CT_DATABASE, NULL, names[i]);
        CHECK_INT(host_event(&host, "PrepareBackup"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(!host.result.fatal);
        expect_failure(&host, "missing", VSS_E_WRITERERROR_NONRETRYABLE, "is not there");
        expect_failure(&host, "encrypted", VSS_E_WRITERERROR_NONRETRYABLE, "encrypted");
        expect_failure(&host, "damaged", VSS_E_WRITERERROR_NONRETRYABLE, "bad.db");
        CHECK(vss_component_get_prepare_for_backup_failure_msg(host_component(&host, "missing")));
        expect_failure(&host, "app", 0, NULL);
        expect_failure(&host, "empty", 0, NULL);
        /* the one that goes away between PrepareBackup and Freeze */
        run("rm '%s'", scratch_path("data/drop.db"));
        CHECK_INT(host_event(&host, "PrepareSnapshot"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(scratch_path("data/app.db")));
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        (void)host_event(&host, "PostSnapshot");
        expect_failure(&host, "dropped", VSS_E_WRITERERROR_NONRETRYABLE, "drop.db");
        expect_failure(&host, "app", 0, NULL);
        expect_failure(&host, "empty", 0, NULL);
        CHECK(vss_component_get_backup_stamp(host_component(&host, "app")));
        CHECK(vss_component_get_backup_stamp(host_component(&host, "empty")));
        CHECK(!vss_component_get_backup_stamp(host_component(&host, "damaged")));
        host_stop(&host);
}

/* replaced by rename: after PrepareSnapshot the new file is held; while held the component fails */
static void test_replaced(void) {
        struct host host;
        char *path, *other;

        (void)fresh_volume();
        path = scratch_path("data/app.db");
        other = scratch_path("data/new.db");
        create_database(path, "DELETE");
        create_database(other, "DELETE");
        start(&host, NULL);
        select_and_prepare(&host);
        CHECK_INT(rename(other, path), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(path));
        create_database(other, "DELETE");
        CHECK_INT(rename(other, path), 0);
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(!host.result.fatal);
        (void)host_event(&host, "PostSnapshot");
        expect_failure(&host, "app", VSS_E_WRITERERROR_RETRYABLE, "replaced");
        host_stop(&host);
}

/* W-7: not on a volume of the set: chosen by name it fails, otherwise it does not take part */
static void test_not_in_the_set(void) {
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        start(&host, NULL);
        host.volumes[0] = scratch_path("elsewhere");
        host_select(&host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(can_write(scratch_path("data/app.db")));
        CHECK_INT(host_event(&host, "Thaw"), 0);
        (void)host_event(&host, "PostSnapshot");
        expect_failure(&host, "app", VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT, "no volume");
        host_stop(&host);

        start(&host, NULL);
        host.volumes[0] = scratch_path("elsewhere");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host.token.size, 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(can_write(scratch_path("data/app.db")));
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        host_stop(&host);
}

/* without components everything on the set's volumes is held */
static void test_without_components(void) {
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        start(&host, NULL);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(scratch_path("data/app.db")));
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        host_stop(&host);
}

/* Working as root on somebody's database leaves no file of root's beside it. */
static void test_ownership(void) {
        struct host host;
        struct stat st;
        pid_t pid;

        if (geteuid() != 0)
                return;
        (void)fresh_volume();
        CHECK_INT(chmod(scratch(), 0755), 0);
        CHECK_INT(chown(scratch_path("data"), 1, 1), 0);
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                CHECK(setgid(1) == 0 && setuid(1) == 0);
                create_database(scratch_path("data/app.db"), "WAL");
                _exit(0);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        CHECK(!exists(scratch_path("data/app.db-wal")));
        start(&host, NULL);
        select_and_prepare(&host);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK_INT(stat(scratch_path("data/app.db-wal"), &st), 0);
        CHECK_INT(st.st_uid, 1);
        CHECK_INT(stat(scratch_path("data/app.db-shm"), &st), 0);
        CHECK_INT(st.st_uid, 1);
        CHECK_INT(host_event(&host, "Thaw"), 0);
        host_stop(&host);
        CHECK(!exists(scratch_path("data/app.db-wal"))); /* and none at all afterwards */
}

/* A mount that is read-only: nothing can change, nothing needs to be held, and WAL works too. Run
 * by the system suite, which knows a file system that it may remount. */
static void read_only(const char *mount_point, const char *mode) {
        struct host host;
        char *copy;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), mode);
        run("mount -o remount,ro '%s'", mount_point);
        start(&host, NULL);
        CHECK(asprintf(&copy, "%s-copy", mount_point) > 0);
        host.devices[0] = copy;
        select_and_prepare(&host);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        run("cp -a '%s' '%s'", scratch_path("data"), copy);
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        host_stop(&host);
        run("mount -o remount,rw '%s'", mount_point);
        CHECK_INT(access(copy, F_OK), 0);
        run("rm -r '%s'", copy);
        free(copy);
}

static void test_read_only(void) {
        const char *mount_point = getenv("TEST_REMOUNT");

        if (!mount_point)
                return;
        read_only(mount_point, "WAL");
        read_only(mount_point, "DELETE");
}

/* ---- what it declares ---- */

static const struct vss_wm_component *component_at(const struct host *host, size_t index,
                                                   struct vss_component_info *ret) {
        const struct vss_wm_component *component =
                vss_examine_writer_metadata_get_component(host->metadata, index);

        CHECK(component);
        vss_wm_component_get_component_info(component, ret);
        return component;
}

/* W-3, W-12, W-140, D-17, M-43: one database component each, the log by pattern, -shm excluded,
 * and no schema bit that is not kept */
static void test_identify(void) {
        struct vss_restore_method method;
        const struct vss_wm_component *component;
        struct vss_component_info info;
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        start(&host, NULL);
        CHECK_INT(host_identify(&host), 0);
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(host.metadata), VSS_BS_COPY);
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(host.metadata, &method), 0);
        CHECK_INT(method.method, VSS_RME_RESTORE_IF_CAN_REPLACE);
        CHECK_INT(method.writer_restore, VSS_WRE_ALWAYS);
        component = component_at(&host, 0, &info);
        CHECK_INT(info.type, VSS_CT_DATABASE);
        CHECK_STR(info.name, "app");
        CHECK(!info.logical_path || !*info.logical_path);
        CHECK_INT(info.database_count, 1);
        CHECK_INT(info.log_file_count, 2);
        CHECK_STR(vss_wm_filedesc_get_path(vss_wm_component_get_database_file(component, 0)),
                  scratch_path("data"));
        CHECK_STR(vss_wm_filedesc_get_filespec(vss_wm_component_get_database_file(component, 0)),
                  "app.db");
        CHECK_STR(
                vss_wm_filedesc_get_filespec(vss_wm_component_get_database_log_file(component, 0)),
                "app.db-wal*");
        CHECK_STR(vss_wm_filedesc_get_filespec(
                          vss_examine_writer_metadata_get_exclude_file(host.metadata, 0)),
                  "app.db-shm");
        host_stop(&host);
}

/* A pattern: each file one component, nothing that belongs to another file, odd names too, the
 * same document every time (D-4) */
static void test_pattern(void) {
        const char *const settings[] = { "database all",
                                         "path",
                                         scratch_path("data/*"),
                                         "database one",
                                         "path",
                                         scratch_path("data/plain.db"),
                                         NULL };
        static const char *const names[] = { "plain.db", "b\xff.db", "a b.db", "c\\d%.db",
                                             "e*f.db" };
        size_t components;
        struct vss_component_info info;
        struct host host;

        (void)fresh_volume();
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                create_database(scratch_path("data/%s", names[i]), "WAL");
        run("ln -s plain.db '%s'", scratch_path("data/link.db"));
        run(": >'%s'", scratch_path("data/plain.db-wal"));
        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        vss_examine_writer_metadata_get_file_counts(host.metadata, NULL, NULL, &components);
        CHECK_INT(components, ELEMENTSOF(names));
        (void)component_at(&host, 0, &info);
        CHECK_STR(info.name, "one");
        (void)component_at(&host, 1, &info);
        CHECK_STR(info.logical_path, "all");
        CHECK_STR(info.name, "a b.db");
        (void)component_at(&host, 2, &info);
        CHECK_STR(info.name, "b%FF.db"); /* names are text, paths are bytes */
        (void)component_at(&host, 3, &info);
        CHECK_STR(info.name, "c%5Cd%25.db");
        (void)component_at(&host, 4, &info);
        CHECK_STR(info.name, "e*f.db");
        CHECK_INT(info.database_count, 0); /* no file set can name it alone: refused when chosen */
        host_select(&host, VSS_CT_DATABASE, NULL, "one");
        host_select(&host, VSS_CT_DATABASE, "all", "b%FF.db");
        host_select(&host, VSS_CT_DATABASE, "all", "c%5Cd%25.db");
        host_select(&host, VSS_CT_DATABASE, "all", "e*f.db");
        CHECK_INT(host_event(&host, "PrepareBackup"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        expect_failure(&host, "e*f.db", VSS_E_WRITERERROR_NONRETRYABLE, "rename");
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(scratch_path("data/b\xff.db")));
        CHECK(!can_write(scratch_path("data/c\\d%%.db")));
        CHECK(can_write(scratch_path("data/e*f.db")));
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        (void)host_event(&host, "PostSnapshot");
        expect_failure(&host, "b%FF.db", 0, NULL);
        CHECK(vss_component_get_backup_stamp(host_component(&host, "b%FF.db")));
        host_stop(&host);
}

static void refuse(const char *section, const char *key, const char *value, const char *words) {
        const char *const settings[] = { section, key, value, NULL };
        struct host host;

        CHECK(host_start(&host, "sqlite", settings) < 0);
        if (!host.error.message || !strstr(host.error.message, words))
                CHECK_FAIL_("'%s' does not say '%s'", host.error.message, words);
        vss_error_clear(&host.error);
}

static void test_settings(void) {
        static const char *const twice[] = { "database a", "path",    "/x/y.db", "database b",
                                             "path",       "/x/y.db", NULL };
        struct host host;

        refuse("database app", "path", "relative.db", "absolute");
        refuse("database app", "path", "/srv/*/app.db", "last element");
        refuse("database app", "path", "/srv/../app.db", "'..'");
        refuse("database app", "path", "/srv/a b.db", "quotes");
        refuse("database app", "pth", "/srv/a.db", "unknown");
        refuse("database app", "selectable", "maybe", "yes nor no");
        refuse("database", "path", "/srv/a.db", "NAME");
        refuse("databse app", "path", "/srv/a.db", "unknown");
        refuse("settings", "freeze_wait", "5 years", "duration");
        refuse("settings", "freeze_wait", "60s", "40000");
        refuse("settings", "state", "state", "absolute");
        refuse("settings", "keep_lists", "0", "1 to 1000");
        refuse("settings", "page_hashes", "yes", "no database is told");
        refuse("database app", "caption", "x", "has no path");
        CHECK(host_start(&host, "sqlite", twice) < 0);
        CHECK(strstr(host.error.message, "one component only"));
        vss_error_clear(&host.error);
}

/* ---- stamps (I-144 to I-157) ---- */

static uint64_t little(const unsigned char *at, size_t size) {
        uint64_t value = 0;

        while (size-- > 0)
                value = value << 8 | at[size];
        return value;
}

static void backup_of_type(struct host *host, uint32_t type) {
        start(host, NULL);
        host->backup_type = type;
        select_and_prepare(host);
        CHECK_INT(host_event(host, "Freeze"), 0);
        make_copy();
        CHECK_INT(host_event(host, "Thaw"), 0);
        CHECK_INT(host_event(host, "PostSnapshot"), 0);
}

static void finish_backup(struct host *host, bool succeeded) {
        struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                         .type = VSS_CT_DATABASE,
                                         .name = "app" };

        CHECK_INT(bcd_set_backup_succeeded(host->bcd, &host->instance, &key, succeeded, NULL), 0);
        CHECK_INT(host_event(host, "BackupComplete"), 0);
        CHECK_INT(host_event(host, "BackupShutdown"), 0);
        host_stop(host);
        remove_copy();
}

static int lists_kept(void) {
        char command[4200];
        FILE *out;
        int count;

        (void)snprintf(command, sizeof(command), "ls '%s' | wc -l", scratch_path("state"));
        out = popen(command, "r");
        CHECK(out && fscanf(out, "%d", &count) == 1);
        pclose(out);
        return count;
}

/* the file that a stamp names */
static char *list_of(const struct vss_component *component) {
        const char *stamp = vss_component_get_backup_stamp(component);
        char name[256];

        CHECK(stamp && sscanf(stamp, "sqlite-pages:1:%255[^:]:", name) == 1);
        return scratch_path("state/%s", name);
}

/* The list tells pages apart that differ, whatever change counter and size say. */
static void test_stamp(void) {
        unsigned char *before, *after;
        size_t size, size_after, page, count;
        sqlite3 *connection;
        struct host host;
        struct stat st;
        char *first, *second;

        run("rm -rf '%s'", scratch_path("state"));
        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        backup_of_type(&host, VSS_BT_FULL);
        first = list_of(host_component(&host, "app"));
        CHECK_INT(read_whole_file(AT_FDCWD, first, 1 << 20, (char **)&before, &size), 0);
        CHECK_INT(stat(scratch_path("copy/app.db"), &st), 0);
        finish_backup(&host, true);
        CHECK(memcmp(before, "VSSPAGES", 8) == 0);
        page = little(before + 12, 4);
        count = little(before + 24, 8);
        CHECK_INT(page, 4096);
        CHECK_INT(little(before + 16, 8), st.st_size);
        CHECK_INT(count, st.st_size / 4096);
        CHECK_INT(size, 40 + 16 * count + 32);

        /* one row more: at least one page differs, and not all */
        connection = open_database(scratch_path("data/app.db"));
        execute(connection, "UPDATE t SET filler=randomblob(700) WHERE slot=7 AND part=0");
        (void)sqlite3_close(connection);
        backup_of_type(&host, VSS_BT_FULL);
        second = list_of(host_component(&host, "app"));
        CHECK_INT(read_whole_file(AT_FDCWD, second, 1 << 20, (char **)&after, &size_after), 0);
        CHECK_INT(size_after, size);
        {
                size_t differ = 0;

                for (size_t i = 0; i < count; i++)
                        differ += memcmp(before + 40 + 16 * i, after + 40 + 16 * i, 16) != 0;
                CHECK(differ >= 1 && differ < count / 2);
        }
        finish_backup(&host, true);
        CHECK_INT(lists_kept(), 2);
        free(before);
        free(after);

        /* I-149: a backup that failed is no base; I-157: nor is a COPY; both keep no list */
        backup_of_type(&host, VSS_BT_FULL);
        finish_backup(&host, false);
        CHECK_INT(lists_kept(), 2);
        backup_of_type(&host, VSS_BT_COPY);
        CHECK(!vss_component_get_backup_stamp(host_component(&host, "app")));
        finish_backup(&host, true);
        CHECK_INT(lists_kept(), 2);
        backup_of_type(&host, VSS_BT_FULL);
        host_kill(&host); /* dies before BackupComplete: pruned later */
        free(host.token.data);
        remove_copy();
        for (int i = 0; i < 4; i++) {
                backup_of_type(&host, VSS_BT_INCREMENTAL); /* I-67: FULL, the schema has no more */
                finish_backup(&host, true);
        }
        CHECK_INT(lists_kept(), 3);
        CHECK(!exists(first));
        /* the requester goes away without BackupComplete */
        backup_of_type(&host, VSS_BT_FULL);
        CHECK_INT(lists_kept(), 4);
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        CHECK_INT(lists_kept(), 3);
        host_stop(&host);
        remove_copy();
}

/* A copy that is damaged is noticed, component by component. */
static void test_damaged_copy(void) {
        const char *const settings[] = {
                "database app", "path", scratch_path("data/app.db"), "settings", "copy_check",
                "quick",        NULL
        };
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "DELETE");
        start(&host, settings);
        select_and_prepare(&host);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        run("cp -a '%s' '%s'", scratch_path("data"), scratch_path("copy"));
        CHECK_INT(host_event(&host, "Thaw"), 0);
        run("head -c 30000 /dev/zero | dd of='%s' bs=1 seek=8192 conv=notrunc status=none",
            scratch_path("copy/app.db"));
        CHECK_INT(host_event(&host, "PostSnapshot"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        expect_failure(&host, "app", VSS_E_WRITERERROR_NONRETRYABLE, "cannot be used");
        CHECK(!vss_component_get_backup_stamp(host_component(&host, "app")));
        host_stop(&host);
        run("rm -r '%s'", scratch_path("copy"));
}

/* ---- restore ---- */

static void select_for_restore(struct host *host) {
        struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                         .type = VSS_CT_DATABASE,
                                         .name = "app" };

        start(host, NULL);
        key.writer_id = host->identity.writer_id;
        host_select(host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(bcd_set_restore_state(host->bcd, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(bcd_set_selected_for_restore(host->bcd, &key, true, NULL, NULL), 0);
}

static void set_status(struct host *host, uint32_t status) {
        struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                         .type = VSS_CT_DATABASE,
                                         .name = "app" };

        CHECK_INT(bcd_set_file_restore_status(host->bcd, &key, status, NULL), 0);
}

/* A log of the former life must never meet the restored file; R-110: in use means no. */
static void test_restore(void) {
        sqlite3 *connection;
        struct host host;
        char *path;
        pid_t pid;

        (void)fresh_volume();
        path = scratch_path("data/app.db");
        create_database(path, "WAL");
        run("cp '%s' '%s'", path, scratch_path("backup.db"));
        fflush(stdout);
        pid = fork();
        if (pid == 0) { /* dies with a log that is not in the database */
                connection = open_database(path);
                execute(connection, "PRAGMA wal_autocheckpoint=0; UPDATE meta SET tx=99;"
                                    "UPDATE t SET tx=99");
                write_file(scratch_path("running"), "", 0600);
                pause();
        }
        while (!exists(scratch_path("running")))
                usleep(1000);
        select_for_restore(&host);
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(strstr(vss_component_get_pre_restore_failure_msg(host_component(&host, "app")),
                     "stop it"));
        host_stop(&host);
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        CHECK(exists(scratch_path("data/app.db-wal")));

        select_for_restore(&host);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK(!exists(scratch_path("data/app.db-wal")));
        CHECK(!exists(scratch_path("data/app.db-shm")));
        run("cp '%s' '%s'", scratch_path("backup.db"), path);
        set_status(&host, VSS_RS_ALL);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        host_stop(&host);
        CHECK_INT(check_database(path), 0);
}

/* a program that dies with a log that is not in the database */
static void leave_log(const char *path) {
        pid_t pid;

        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                execute(open_database(path), "PRAGMA wal_autocheckpoint=0; UPDATE meta SET tx=99;"
                                             "UPDATE t SET tx=99");
                (void)raise(SIGKILL);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* The database is gone, its log is not: SQLite would put that over the restored file. It is set
 * aside, stays while the restored database is not good, and goes when it is. Found by pattern,
 * although the pattern matches nothing any more. */
static void test_restore_missing(void) {
        const char *const settings[] = { "database all", "path", scratch_path("data/*.db"), NULL };
        struct vss_component_key key = { .type = VSS_CT_DATABASE,
                                         .logical_path = "all",
                                         .name = "app.db" };
        struct host host;
        char *path, *aside, *other;

        (void)fresh_volume();
        path = scratch_path("data/app.db");
        aside = scratch_path("data/app.db.before-restore-wal");
        create_database(path, "WAL");
        run("cp '%s' '%s'", path, scratch_path("backup.db"));
        leave_log(path);
        start(&host, settings);
        key.writer_id = host.identity.writer_id;
        host_select(&host, VSS_CT_DATABASE, "all", "app.db");
        CHECK_INT(bcd_set_restore_state(host.bcd, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(bcd_set_selected_for_restore(host.bcd, &key, true, NULL, NULL), 0);
        CHECK_INT(unlink(path), 0);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK(exists(aside));
        CHECK(!exists(scratch_path("data/app.db-wal")));
        run("head -c 20000 /dev/urandom >'%s'", path);
        CHECK_INT(bcd_set_file_restore_status(host.bcd, &key, VSS_RS_ALL, NULL), 0);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(vss_component_get_post_restore_failure_msg(host_component(&host, "app.db")));
        CHECK(exists(aside));
        /* once more: what was set aside first is not overwritten */
        CHECK_INT(unlink(path), 0);
        run("echo other >'%s-wal'", path);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK(exists(aside));
        other = read_file(scratch_path("data/app.db.before-restore-wal.1"));
        CHECK_STR(other, "other\n");
        free(other);
        run("cp '%s' '%s'", scratch_path("backup.db"), path);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        CHECK(!exists(aside));
        CHECK(!exists(scratch_path("data/app.db.before-restore-wal.1")));
        host_stop(&host);
        CHECK_INT(check_database(path), 0);
}

int main(int argc, char **argv) {
        RUN(test_identify);
        RUN(test_pattern);
        RUN(test_settings);
        RUN(test_held_and_released);
        RUN(test_checkpoint);
        RUN(test_hot_journal);
        RUN(test_locked);
        RUN(test_bad_databases);
        RUN(test_replaced);
        RUN(test_not_in_the_set);
        RUN(test_without_components);
        RUN(test_ownership);
        RUN(test_read_only);
        RUN(test_stamp);
        RUN(test_damaged_copy);
        RUN(test_restore);
        RUN(test_restore_missing);
        RUN(test_killed_while_frozen);
        RUN(test_hammered_wal);
        RUN(test_hammered_delete);
        RUN(test_hammered_persist);
        return 0;
}
