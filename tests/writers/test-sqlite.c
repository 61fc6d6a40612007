/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer with real SQLite: what it declares, what it holds, and what fails alone.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/file.h"
#include "sqlite-tools.h"
#include "tests/check.h"

/* ---- what is held, and what is not ---- */

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
                "database app", "path", scratch_path("data/app.db"), "sqlite", "freeze_wait",
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

/* W-3, W-12, W-140, D-17, M-43, I-161: one database component each, the log by pattern, -shm
 * excluded, and no schema bit that is not kept */
static void test_identify(void) {
        struct vss_restore_method method;
        const struct vss_wm_component *component;
        struct vss_component_info info;
        struct host host;

        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        start(&host, NULL);
        CHECK_INT(host.identity.level, VSS_APP_BACK_END); /* M-55: others store through it */
        CHECK_INT(host_identify(&host), 0);
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(host.metadata),
                  VSS_BS_COPY | VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL | VSS_BS_TIMESTAMPED |
                          VSS_BS_WRITER_SUPPORTS_NEW_TARGET |
                          VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE | VSS_BS_RESTORE_RENAME);
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
        refuse("sqlite", "freeze_wait", "5 years", "duration");
        refuse("sqlite", "freeze_wait", "60s", "40000");
        refuse("sqlite", "state_dir", "state", "absolute");
        refuse("sqlite", "keep_lists", "0", "1 to 1000");
        refuse("sqlite", "page_hashes", "yes", "no database is told");
        refuse("database app", "caption", "x", "has no path");
        CHECK(host_start(&host, "sqlite", twice) < 0);
        CHECK(strstr(host.error.message, "one component only"));
        vss_error_clear(&host.error);
}

int main(int argc, char **argv) {
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
        RUN(test_identify);
        RUN(test_pattern);
        RUN(test_settings);
        return 0;
}
