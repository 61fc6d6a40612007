/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer after the shadow copy: is it good; and a restore over what stands there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/file.h"
#include "sqlite-tools.h"
#include "tests/check.h"

/* A copy that is damaged is noticed, component by component. */
static void test_damaged_copy(void) {
        const char *const settings[] = {
                "database app", "path", scratch_path("data/app.db"), "sqlite", "copy_check",
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
        RUN(test_damaged_copy);
        RUN(test_restore);
        RUN(test_restore_missing);
        return 0;
}
