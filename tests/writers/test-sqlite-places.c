/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer restores to other places and under other names, and refuses what would lose
 * something: files in use, also by who came late; a log that goes elsewhere; names that are taken.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/file.h"
#include "images.h"
#include "tests/check.h"

static struct vss_component_key app_key(const struct host *host) {
        return (struct vss_component_key){ .writer_id = host->identity.writer_id,
                                           .type = VSS_CT_DATABASE,
                                           .name = "app" };
}

/* a live database with 7, and an image of it with 3 and a log */
static void prepare(struct image *image) {
        char *path = scratch_path("data/app.db");
        sqlite3 *connection;

        (void)fresh_volume();
        run("rm -rf '%s' '%s'", scratch_path("state"), scratch_path("new"));
        CHECK_INT(mkdir(scratch_path("new"), 0755), 0);
        create_database(path, "WAL");
        connection = open_database(path);
        execute(connection, "PRAGMA wal_autocheckpoint=0; UPDATE t SET tx=3; UPDATE meta SET tx=3");
        image_take(image, VSS_BT_FULL, NULL);
        execute(connection, "UPDATE t SET tx=7; UPDATE meta SET tx=7");
        sqlite3_close(connection);
}

static int64_t value_in(const char *path) {
        sqlite3 *connection = open_database(path);
        int64_t value = number(connection, "SELECT tx FROM meta");

        CHECK_INT(number(connection, "SELECT min(tx) = max(tx) FROM t"), 1);
        CHECK_INT(number(connection, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                  1);
        sqlite3_close(connection);
        return value;
}

static void add_target(struct host *host, const char *filespec, const char *to) {
        const struct vss_component_key key = app_key(host);
        const struct vss_file_set set = { .path = scratch_path("data"), .filespec = filespec };

        CHECK_INT(bcd_add_new_target(host->bcd, &key, &set, to, host->metadata, NULL), 0);
}

static void add_targets(struct host *host, const char *to) {
        add_target(host, "app.db", to);
        add_target(host, "app.db-wal*", to);
        add_target(host, "app.db-journal*", to);
}

static void set_name(struct host *host, const char *name) {
        const struct vss_component_key key = app_key(host);

        CHECK_INT(bcd_set_restore_name(host->bcd, &key, name, NULL), 0);
}

static void set_status(struct host *host, uint32_t status) {
        const struct vss_component_key key = app_key(host);

        CHECK_INT(bcd_set_file_restore_status(host->bcd, &key, status, NULL), 0);
}

static void refused(struct host *host, const char *words) {
        const char *said;

        CHECK_INT(host_event(host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        said = vss_component_get_pre_restore_failure_msg(host_component(host, "app"));
        if (!said || !strstr(said, words))
                CHECK_FAIL_("'%s' does not say '%s'", said, words);
        host_stop(host);
}

/* a program that has @path open, as an application or as a mere file; forked before the host */
static pid_t start_program(const char *path, bool as_database) {
        int pair[2];
        char byte;
        pid_t pid;

        CHECK_INT(pipe(pair), 0);
        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                if (as_database)
                        execute(open_database(path), "SELECT count(*) FROM t");
                else
                        CHECK(open(path, O_RDONLY) >= 0);
                CHECK_INT(write(pair[1], "", 1), 1);
                for (;;)
                        pause();
        }
        CHECK_INT(read(pair[0], &byte, 1), 1);
        close(pair[0]);
        close(pair[1]);
        return pid;
}

static void stop(pid_t pid) {
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

/* the database of the new place is proved and checked there, page by page; the one that
 * lives is not looked at, not even while a program has it open. What stood at the new place goes,
 * with its log */
static void test_new_target(void) {
        char *live = scratch_path("data/app.db"), *words, *new = scratch_path("new/app.db");
        struct image image;
        struct host host;
        sqlite3 *old;
        pid_t pid;

        prepare(&image);
        pid = start_program(live, true);
        create_database(new, "WAL");
        old = open_database(new);
        execute(old, "PRAGMA wal_autocheckpoint=0; CREATE TABLE stranger(x)");
        run("cp '%s-wal' '%s'", new, scratch_path("stranger"));
        sqlite3_close(old);
        run("mv '%s' '%s-wal'", scratch_path("stranger"), new); /* as one that died would */
        run("cd '%s' && stat -c '%%n %%i %%s %%y' * >'%s'", scratch_path("data"),
            scratch_path("before"));
        restore_prepare(&host, &image, false, NULL);
        add_targets(&host, scratch_path("new"));
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK(!exists(scratch_path("new/app.db-wal")));
        image_put_into(&image, scratch_path("new"));
        CHECK(exists(scratch_path("new/app.db-wal"))); /* of the image */
        CHECK_INT(restore_end(&host, NULL), 0);
        run("cd '%s' && stat -c '%%n %%i %%s %%y' * | cmp - '%s'", scratch_path("data"),
            scratch_path("before"));
        CHECK_INT(value_in(new), 3);

        /* one byte: found, although SQLite would not see it */
        restore_prepare(&host, &image, false, NULL);
        add_targets(&host, scratch_path("new"));
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        image_put_into(&image, scratch_path("new"));
        spoil(new, 4096 * 5 + 3000);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "not those that were saved"));
        free(words);
        stop(pid);
        CHECK_INT(value_in(live), 7);
        image_done(&image);
}

/* a log that stays behind would lie beside the database that lives */
static void test_torn_target(void) {
        struct image image;
        struct host host;

        prepare(&image);
        restore_prepare(&host, &image, false, NULL);
        add_target(&host, "app.db", scratch_path("new"));
        add_target(&host, "app.db-journal*", scratch_path("new"));
        refused(&host, "not that of its log");
        restore_prepare(&host, &image, false, NULL);
        add_target(&host, "app.db", scratch_path("new"));
        add_target(&host, "app.db-journal*", scratch_path("new"));
        add_target(&host, "app.db-wal*", scratch_path("data"));
        refused(&host, "not that of its log");
        image_done(&image);
}

/* under another name beside the one that lives, which programs go on with; by way of
 * the stage, also when that is in another file system */
static void test_rename(void) {
        char *live = scratch_path("data/app.db"), *final = scratch_path("data/spring.db"), *far;
        const char *settings[] = { "database app", "path",         live, "sqlite",
                                   "restore_dir",  "/nonexistent", NULL };
        struct stat st;

        CHECK(asprintf(&far, "/var/tmp/vss-writers.%d", getpid()) > 0);
        settings[5] = far;
        for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
                struct image image;
                struct host host;
                pid_t pid;

                prepare(&image);
                pid = start_program(live, true);
                restore_prepare(&host, &image, false, elsewhere ? settings : NULL);
                set_name(&host, "any\\spring.db");
                CHECK_INT(host_event(&host, "PreRestore"), 0);
                CHECK_INT(vss_component_get_restore_target(host_component(&host, "app")),
                          VSS_RT_ALTERNATE);
                image_put_into(&image,
                               vss_wm_filedesc_get_alternate_location(
                                       vss_examine_writer_metadata_get_alternate_location_mapping(
                                               host.metadata, 0)));
                run("chmod 0640 '%s'/*/app.db", elsewhere ? far : scratch_path("state/restore"));
                CHECK(!exists(final));
                CHECK_INT(restore_end(&host, NULL), 0);
                CHECK_INT(value_in(final), 3);
                CHECK_INT(stat(final, &st), 0);
                CHECK_INT(st.st_mode & 07777, 0640);
                stop(pid);
                CHECK_INT(value_in(live), 7);
                run("test \"$(ls '%s')\" = \"$(printf 'app.db\\nspring.db')\"",
                    scratch_path("data"));

                restore_prepare(&host, &image, false, NULL);
                set_name(&host, "spring.db");
                refused(&host, "exists: restore under a name that is free");
                image_done(&image);
        }
        run("rm -rf '%s'", far);
        free(far);
}

/* to a new place and under another name; never by way of a database that lives */
static void test_rename_at_new_target(void) {
        static const char *const names[] = { "a/b", "x*", "..", "\\", "a.before-restore-x" };
        struct image image;
        struct host host;

        prepare(&image);
        restore_prepare(&host, &image, false, NULL);
        add_targets(&host, scratch_path("new"));
        set_name(&host, "spring.db");
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        image_put_into(&image, scratch_path("new"));
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(value_in(scratch_path("new/spring.db")), 3);
        CHECK(!exists(scratch_path("new/app.db")));
        restore_prepare(&host, &image, false, NULL);
        add_targets(&host, scratch_path("data"));
        set_name(&host, "spring.db");
        refused(&host, "lives at the new place");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                restore_prepare(&host, &image, false, NULL);
                set_name(&host, names[i]);
                refused(&host, "no new name");
        }
        CHECK_INT(value_in(scratch_path("data/app.db")), 7);
        image_done(&image);
}

/* another instance has other databases; to a new place it restores any */
static void test_other_instance(void) {
        const char *const settings[] = { "database other", "path", scratch_path("new/o.db"), NULL };
        struct image image;
        struct host host;

        prepare(&image);
        restore_prepare(&host, &image, false, NULL);
        host_stop(&host);
        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        restore_load(&host, &image, false);
        refused(&host, "settings have no database 'app'");
        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        restore_load(&host, &image, false);
        {
                const struct vss_component_key key = app_key(&host);
                static const char *const specs[] = { "app.db", "app.db-wal*", "app.db-journal*" };

                for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
                        const struct vss_file_set set = { .path = scratch_path("data"),
                                                          .filespec = specs[i] };

                        CHECK_INT(bcd_add_new_target(host.bcd, &key, &set, scratch_path("new"),
                                                     NULL, NULL),
                                  0);
                }
        }
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        image_put_into(&image, scratch_path("new"));
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(value_in(scratch_path("new/app.db")), 3);
        image_done(&image);
}

/* in use by whoever, under whatever name; and who came between the look and the files,
 * and writes into what nobody will ever see again, is told of */
static void test_in_use(void) {
        char *live = scratch_path("data/app.db"), *words;
        struct image image;
        struct host host;
        pid_t pid;

        prepare(&image);
        pid = start_program(live, false); /* not as a database */
        restore_prepare(&host, &image, false, NULL);
        refused(&host, "is open in process");
        stop(pid);

        pid = start_program(live, true);
        run("rm '%s' '%s-wal' '%s-shm'", live, live, live);
        restore_prepare(&host, &image, false, NULL);
        refused(&host, "is open in process"); /* by its former name */
        stop(pid);

        run("cp '%s/truth/app.db' '%s'", image.folder, live);
        /* a program that waits for a sign: it must not have the host's descriptors */
        run("rm -f '%s' '%s'", scratch_path("go"), scratch_path("gone"));
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
                while (!exists(scratch_path("go")))
                        usleep(1000);
                execute(open_database(live), "SELECT count(*) FROM t");
                write_file(scratch_path("gone"), "", 0600);
                for (;;)
                        pause();
        }
        restore_prepare(&host, &image, false, NULL);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        write_file(scratch_path("go"), "", 0600);
        while (!exists(scratch_path("gone")))
                usleep(1000);
        run("mv '%s' '%s.x'; cp '%s/app.db' '%s'; rm '%s.x'; rm -f '%s'-*; cp '%s'/app.db-wal '%s'",
            live, live, image.folder, live, live, live, image.folder, scratch_path("data"));
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        if (!strstr(words, "opened the former one meanwhile"))
                CHECK_FAIL_("%s", words);
        free(words);
        stop(pid);
        image_done(&image);
}

/* a backup in this very process is about to hold it: what closes the database would drop its locks
 */
static void test_held(void) {
        char *live = scratch_path("data/app.db");
        struct vss_id backup;
        struct image image;
        struct host host;
        struct bcd *bcd;

        prepare(&image);
        start(&host, NULL);
        select_and_prepare(&host);
        backup = host.session;
        bcd = host.bcd;
        host.bcd = NULL;
        CHECK_INT(vss_id_new(&host.session), 0);
        restore_load(&host, &image, false);
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(strstr(vss_component_get_pre_restore_failure_msg(host_component(&host, "app")),
                     "held by a backup"));
        bcd_free(host.bcd);
        host.session = backup;
        host.bcd = bcd;
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(!can_write(live));
        CHECK_INT(host_event(&host, "Thaw"), 0);
        host_stop(&host);
        image_done(&image);
}

/* nothing was changed, so all is as it was, what was set aside too; in part: words, and
 * nothing is opened */
static void test_status(void) {
        char *live = scratch_path("data/app.db"),
             *aside = scratch_path("data/app.db.before-restore-wal");
        struct image image;
        struct host host;

        prepare(&image);
        run("rm '%s'; echo log >'%s-wal'", live, live); /* the log of one that is gone */
        restore_prepare(&host, &image, false, NULL);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK(exists(aside));
        set_status(&host, VSS_RS_NONE);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        host_stop(&host);
        CHECK(!exists(aside));
        run("test \"$(cat '%s-wal')\" = log", live);

        for (uint32_t status = 0; status < 2; status++) {
                restore_prepare(&host, &image, false, NULL);
                CHECK_INT(host_event(&host, "PreRestore"), 0);
                run("cp '%s/app.db' '%s'", image.folder, live); /* and not its log */
                run("sha256sum <'%s' >'%s'", live, scratch_path("before"));
                set_status(&host, status ? VSS_RS_FAILED : VSS_RS_UNDEFINED);
                CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
                CHECK(strstr(
                        vss_component_get_post_restore_failure_msg(host_component(&host, "app")),
                        "let no program open it"));
                host_stop(&host);
                run("sha256sum <'%s' | cmp - '%s'", live, scratch_path("before"));
        }
        restore_begin(&host, &image, false); /* once more, to the end */
        image_put_back(&image);
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(value_in(live), 3);
        run("test \"$(ls '%s')\" = app.db", scratch_path("data"));
        image_done(&image);
}

int main(int argc, char **argv) {
        RUN(test_new_target);
        RUN(test_torn_target);
        RUN(test_rename);
        RUN(test_rename_at_new_target);
        RUN(test_other_instance);
        RUN(test_in_use);
        RUN(test_held);
        RUN(test_status);
        return 0;
}
