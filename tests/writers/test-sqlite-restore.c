/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer after the shadow copy: stamps and page hash lists, and a restore.
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
}

/* I-149: a backup that failed is no base; I-157: nor is a COPY; both keep no list */
static void test_lists(void) {
        struct host host;
        char *first;

        run("rm -rf '%s'", scratch_path("state"));
        (void)fresh_volume();
        create_database(scratch_path("data/app.db"), "WAL");
        backup_of_type(&host, VSS_BT_FULL);
        first = list_of(host_component(&host, "app"));
        finish_backup(&host, true);
        CHECK_INT(lists_kept(), 1);
        backup_of_type(&host, VSS_BT_FULL);
        finish_backup(&host, false);
        CHECK_INT(lists_kept(), 1);
        backup_of_type(&host, VSS_BT_COPY);
        CHECK(!vss_component_get_backup_stamp(host_component(&host, "app")));
        finish_backup(&host, true);
        CHECK_INT(lists_kept(), 1);
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
        RUN(test_stamp);
        RUN(test_lists);
        RUN(test_damaged_copy);
        RUN(test_restore);
        RUN(test_restore_missing);
        return 0;
}
