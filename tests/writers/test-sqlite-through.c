/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer restores through SQLite (restore = through): programs have the database open
 * all the time, read, write, die, and never see anything but the old or the new one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "images.h"
#include "tests/check.h"

static const char *const modes[] = { "WAL", "DELETE" };

static const char *const *settings(void) {
        static const char *list[16];
        size_t n = 0;

        list[n++] = "database app";
        list[n++] = "path";
        list[n++] = scratch_path("data/app.db");
        list[n++] = "database app";
        list[n++] = "restore";
        list[n++] = "through";
        list[n++] = "sqlite";
        list[n++] = "restore_wait";
        list[n++] = "700ms";
        list[n] = NULL;
        return list;
}

/* ---- the programs ---- */

struct shared {
        volatile uint64_t reads, old_seen, new_seen; /* of readers */
        volatile int stop, ready;
        volatile int bad; /* a mixture, or an error */
        char words[200];
};

static struct shared *shared;

static void prepare_shared(void) {
        if (!shared)
                shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(shared != MAP_FAILED);
        memset(shared, 0, sizeof(*shared));
}

static void bad(const char *what, sqlite3 *connection) {
        (void)snprintf(shared->words, sizeof(shared->words), "%s: %s", what,
                       sqlite3_errmsg(connection));
        shared->bad = 1;
}

/* one transaction: every row is of the transaction that meta tells; -1 when it is not */
static int64_t read_once(sqlite3 *connection) {
        static const char sql[] = "SELECT (SELECT tx FROM meta), min(tx), max(tx), count(*) FROM t";
        sqlite3_stmt *statement = NULL;
        int64_t value = -1;

        if (sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK &&
            sqlite3_step(statement) == SQLITE_ROW) {
                value = sqlite3_column_int64(statement, 0);
                if (sqlite3_column_int64(statement, 1) != value ||
                    sqlite3_column_int64(statement, 2) != value ||
                    sqlite3_column_int(statement, 3) != SLOTS * PARTS)
                        value = -1;
        }
        sqlite3_finalize(statement);
        return value;
}

/* fork() whose child does not outlive a failed test */
static pid_t start_program(void) {
        pid_t pid;

        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        return pid;
}

/* reads over one connection until it is told to stop: 7 is the old database, 3 the new one */
static pid_t start_reader(const char *path) {
        bool seen_new = false;
        sqlite3 *connection;
        pid_t pid;

        pid = start_program();
        if (pid > 0)
                return pid;
        connection = open_database(path);
        while (!shared->stop && !shared->bad) {
                int64_t value = read_once(connection);

                if (value != 3 && value != 7)
                        bad("read", connection);
                else if (value == 7 && seen_new)
                        bad("the old one again", connection);
                else if (value == 7)
                        shared->old_seen++;
                else
                        seen_new = ++shared->new_seen > 0;
                shared->reads++;
        }
        sqlite3_close(connection);
        _exit(0);
}

/* begins a transaction, says that it is ready, waits @ms, then ends it with @sql; with 0 it waits
 * for its death */
static pid_t start_writer(const char *path, const char *begin, unsigned ms, const char *end) {
        sqlite3 *connection;
        pid_t pid;

        shared->ready = 0;
        pid = start_program();
        if (pid == 0) {
                connection = open_database(path);
                execute(connection, begin);
                shared->ready = 1;
                if (ms == 0)
                        pause();
                usleep(ms * 1000);
                execute(connection, end);
                sqlite3_close(connection);
                _exit(0);
        }
        while (!shared->ready)
                usleep(1000);
        return pid;
}

static void stop(pid_t pid, int signal) {
        int status;

        shared->stop = 1;
        if (signal)
                CHECK_INT(kill(pid, signal), 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        if (!signal)
                CHECK_INT(status, 0);
        shared->stop = 0;
}

/* ---- the requester ---- */

static struct vss_component_key app_key(const struct host *host) {
        return (struct vss_component_key){ .writer_id = host->identity.writer_id,
                                           .type = VSS_CT_DATABASE,
                                           .name = "app" };
}

/* the mapped place of every file set, as the living document says; it is one folder */
static const char *mapped_place(struct host *host) {
        const struct vss_wm_filedesc *mapping;
        struct vss_restore_method method;

        CHECK_INT(vss_examine_writer_metadata_get_restore_method(host->metadata, &method), 0);
        CHECK_INT(method.mapping_count, 3);
        mapping = vss_examine_writer_metadata_get_alternate_location_mapping(host->metadata, 0);
        CHECK_STR(vss_wm_filedesc_get_filespec(mapping), "app.db");
        return vss_wm_filedesc_get_alternate_location(mapping);
}

static void use_mappings(struct host *host) {
        const struct vss_component_key key = app_key(host);

        for (size_t i = 0; i < 3; i++) {
                const struct vss_wm_filedesc *mapping =
                        vss_examine_writer_metadata_get_alternate_location_mapping(host->metadata,
                                                                                   i);
                const struct vss_file_set set = { .path = vss_wm_filedesc_get_path(mapping),
                                                  .filespec =
                                                          vss_wm_filedesc_get_filespec(mapping) };

                CHECK_INT(bcd_add_alternative_location_mapping(
                                  host->bcd, &key, &set,
                                  vss_wm_filedesc_get_alternate_location(mapping), host->metadata,
                                  NULL),
                          0);
        }
}

/* PreRestore, and the files where the writer wants them */
static void put(struct host *host, const struct image *image, bool more) {
        restore_prepare(host, image, more, settings());
        CHECK_INT(host_event(host, "PreRestore"), 0);
        CHECK_INT(vss_component_get_restore_target(host_component(host, "app")), VSS_RT_ALTERNATE);
        image_put_into(image, mapped_place(host));
        use_mappings(host);
}

/* a database in which every row and meta say @tx, backed up; then all say 7 */
static void make_old_and_image(const char *mode, const char *path, struct image *image) {
        sqlite3 *connection;

        (void)fresh_volume();
        run("rm -rf '%s'", scratch_path("state"));
        create_database(path, mode);
        connection = open_database(path);
        execute(connection, "UPDATE t SET tx=3; UPDATE meta SET tx=3");
        sqlite3_close(connection);
        image_take(image, VSS_BT_FULL, NULL);
        connection = open_database(path);
        execute(connection, "BEGIN; UPDATE t SET tx=7; UPDATE meta SET tx=7; COMMIT");
        execute(connection, "CREATE TABLE later(x); INSERT INTO later VALUES(zeroblob(60000))");
        sqlite3_close(connection);
}

/* page by page; of the first what SQLite counts there: change counter, schema cookie, the mode
 * (18, 19), and who wrote last */
static void expect_pages(const char *path, const struct image *image) {
        _cleanup_free_ char *truth = NULL, *have = NULL, *want = NULL;
        static const struct {
                size_t at, size;
        } own[] = { { 18, 2 }, { 24, 4 }, { 40, 4 }, { 92, 8 } };
        size_t size, want_size;
        sqlite3 *connection = open_database(path);

        /* what stays in a log is not in the file: the last one takes it there */
        execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
        sqlite3_close(connection);
        CHECK(asprintf(&truth, "%s/truth/app.db", image->folder) > 0);
        run("! test -s '%s/app.db-wal'", image->folder); /* else the truth is not in the file */
        CHECK_INT(read_whole_file(AT_FDCWD, path, 1 << 30, &have, &size), 0);
        CHECK_INT(read_whole_file(AT_FDCWD, truth, 1 << 30, &want, &want_size), 0);
        CHECK_INT(size, want_size);
        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                memcpy(have + own[i].at, want + own[i].at, own[i].size);
        for (size_t at = 0; at < size; at += 4096)
                if (memcmp(have + at, want + at, 4096) != 0)
                        CHECK_FAIL_("page %zu is another", at / 4096 + 1);
}

static void expect_restored(const char *path, const struct image *image) {
        sqlite3 *connection = open_database(path);

        CHECK_INT(read_once(connection), 3);
        CHECK_INT(number(connection, "SELECT count(*) FROM sqlite_schema WHERE name='later'"), 0);
        CHECK_INT(number(connection, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                  1);
        sqlite3_close(connection);
        expect_pages(path, image);
        run("test -z \"$(find '%s' -path '*/restore/*' -type f)\"", scratch_path("state"));
}

/* ---- what is held ---- */

/* readers over connections that exist see the old or the new database, never a mixture or an error,
 * and the file stays the same file: nobody is left with another one */
static void test_readers(void) {
        char *path = scratch_path("data/app.db");

        for (size_t m = 0; m < ELEMENTSOF(modes); m++) {
                struct image image;
                struct stat before, after;
                struct host host;
                pid_t readers[3];

                make_old_and_image(modes[m], path, &image);
                prepare_shared();
                CHECK_INT(stat(path, &before), 0);
                for (size_t i = 0; i < ELEMENTSOF(readers); i++)
                        readers[i] = start_reader(path);
                while (shared->reads < 30 && !shared->bad)
                        usleep(1000);
                put(&host, &image, false);
                CHECK(!shared->new_seen); /* nothing has changed yet */
                CHECK_INT(restore_end(&host, NULL), 0);
                for (int i = 0; i < 3000 && shared->new_seen < 30 && !shared->bad; i++)
                        usleep(1000);
                for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
                        shared->stop = 1;
                        CHECK_INT(waitpid(readers[i], NULL, 0), readers[i]);
                }
                if (shared->bad)
                        CHECK_FAIL_("%s: a reader: %s", modes[m], shared->words);
                CHECK(shared->old_seen > 0 && shared->new_seen >= 30);
                CHECK_INT(stat(path, &after), 0);
                CHECK_INT(after.st_ino, before.st_ino);
                expect_restored(path, &image);
                image_done(&image);
        }
}

/* a writer in the middle of its transaction is waited for; what it commits is of the old database.
 * One that does not end is named, nothing is changed, and it commits in peace */
static void test_writer_in_the_middle(void) {
        char *path = scratch_path("data/app.db");

        for (size_t m = 0; m < ELEMENTSOF(modes); m++) {
                _cleanup_free_ char *words = NULL;
                struct image image;
                struct host host;
                sqlite3 *connection;
                pid_t pid;

                make_old_and_image(modes[m], path, &image);
                prepare_shared();
                pid = start_writer(path, "BEGIN IMMEDIATE; UPDATE t SET tx=8; UPDATE meta SET tx=8",
                                   0, NULL);
                put(&host, &image, false);
                CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_RETRYABLE);
                CHECK(strstr(words, "was locked for more than 700 ms by process"));
                stop(pid, SIGKILL);
                connection = open_database(path);
                CHECK_INT(read_once(connection), 7); /* rolled back, and not restored */
                sqlite3_close(connection);

                pid = start_writer(path, "BEGIN IMMEDIATE; UPDATE t SET tx=8; UPDATE meta SET tx=8",
                                   1200, "COMMIT");
                put(&host, &image, false);
                usleep(800000);
                CHECK_INT(restore_end(&host, NULL), 0);
                stop(pid, 0);
                expect_restored(path, &image);
                image_done(&image);
        }
}

/* a transaction that began on the old database must not go into the new one */
static void test_old_reader_writes(void) {
        struct image image;
        struct host host;
        sqlite3 *connection;
        char *path = scratch_path("data/app.db");

        make_old_and_image("WAL", path, &image);
        connection = open_database(path);
        execute(connection, "BEGIN");
        CHECK_INT(read_once(connection), 7);
        put(&host, &image, false);
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(read_once(connection), 7); /* its own snapshot still */
        CHECK_INT(sqlite3_exec(connection, "UPDATE meta SET tx=9", NULL, NULL, NULL), SQLITE_BUSY);
        execute(connection, "ROLLBACK");
        CHECK_INT(read_once(connection), 3);
        sqlite3_close(connection);
        expect_restored(path, &image);
        image_done(&image);
}

/* programs that died: a hot journal, a log that is in no database; it is rolled back or read first,
 * and nothing of it comes over the restored one */
static void test_left_by_the_dead(void) {
        static const char spill[] = "PRAGMA cache_size=2; PRAGMA wal_autocheckpoint=0;"
                                    "UPDATE meta SET tx=8; BEGIN; UPDATE t SET tx=9";
        char *path = scratch_path("data/app.db");

        for (size_t m = 0; m < ELEMENTSOF(modes); m++)
                for (int through = 0; through < 2; through++) {
                        struct image image;
                        struct host host;
                        pid_t pid;

                        make_old_and_image(modes[m], path, &image);
                        prepare_shared();
                        pid = start_writer(path, spill, 0, NULL);
                        stop(pid, SIGKILL);
                        CHECK(exists(
                                scratch_path(m == 0 ? "data/app.db-wal" : "data/app.db-journal")));
                        if (through) {
                                put(&host, &image, false);
                        } else {
                                restore_begin(&host, &image, false);
                                CHECK_INT(vss_component_get_restore_target(
                                                  host_component(&host, "app")),
                                          VSS_RT_ORIGINAL_LOCATION);
                                image_put_back(&image);
                        }
                        CHECK_INT(restore_end(&host, NULL), 0);
                        expect_restored(path, &image);
                        image_done(&image);
                }
}

/* the writer is killed while it writes: the database is the old or the new one, and the same
 * restore given again ends at the new one. The moments go over the whole of the event */
static void test_killed(void) {
        char *path = scratch_path("data/app.db");
        unsigned old = 0, new = 0, whole = 0; /* microseconds of the last that was not killed */
        uint64_t began;

        for (size_t m = 0; m < ELEMENTSOF(modes); m++) {
                struct image image;
                pid_t reader;

                make_old_and_image(modes[m], path, &image);
                for (unsigned step = 0; step < 9; step++) {
                        struct vss_component_key key;
                        sqlite3 *connection;
                        struct host host;
                        int64_t value;

                        prepare_shared();
                        connection = open_database(path);
                        execute(connection, "BEGIN; UPDATE t SET tx=7; UPDATE meta SET tx=7;"
                                            "COMMIT");
                        sqlite3_close(connection);
                        reader = start_reader(path);
                        put(&host, &image, false);
                        key = app_key(&host);
                        CHECK_INT(bcd_set_file_restore_status(host.bcd, &key, VSS_RS_ALL, NULL), 0);
                        (void)host_event_killed(&host, "PostRestore", whole * step / 4);
                        host_kill(&host);
                        stop(reader, 0);
                        if (shared->bad)
                                CHECK_FAIL_("%s: a reader at step %u: %s", modes[m], step,
                                            shared->words);
                        connection = open_database(path);
                        value = read_once(connection);
                        CHECK(value == 3 || value == 7);
                        CHECK_INT(number(connection, "SELECT integrity_check = 'ok' FROM "
                                                     "pragma_integrity_check"),
                                  1);
                        sqlite3_close(connection);
                        old += value == 7;
                        new += value == 3;
                        put(&host, &image, false);
                        began = monotonic_us();
                        CHECK_INT(restore_end(&host, NULL), 0);
                        whole = (unsigned)(monotonic_us() - began);
                        expect_restored(path, &image);
                }
                image_done(&image);
        }
        CHECK(old > 0 && new > 0); /* before the end, and after it */
        printf("   killed: %u times old, %u times new\n", old, new);
}

/* I-185, R-141: image by image into the stage, and through at the last one only */
static void test_chain(void) {
        char *path = scratch_path("data/app.db");
        struct image full, increment;
        sqlite3 *connection;
        struct host host;
        pid_t reader;

        make_old_and_image("WAL", path, &full);
        connection = open_database(path);
        execute(connection, "DROP TABLE later; UPDATE t SET tx=3; UPDATE meta SET tx=3;"
                            "CREATE TABLE more(x); INSERT INTO more VALUES(zeroblob(9000))");
        sqlite3_close(connection);
        image_take(&increment, VSS_BT_INCREMENTAL, &full);
        CHECK(increment.partial);
        connection = open_database(path);
        execute(connection, "DROP TABLE more; BEGIN; UPDATE t SET tx=7; UPDATE meta SET tx=7;"
                            "COMMIT");
        sqlite3_close(connection);
        prepare_shared();
        reader = start_reader(path);
        put(&host, &full, true);
        CHECK_INT(restore_end(&host, NULL), 0);
        usleep(20000);
        CHECK(shared->new_seen == 0);
        put(&host, &increment, false);
        CHECK_INT(restore_end(&host, NULL), 0);
        for (int i = 0; i < 3000 && shared->new_seen < 10 && !shared->bad; i++)
                usleep(1000);
        stop(reader, 0);
        if (shared->bad)
                CHECK_FAIL_("a reader: %s", shared->words);
        connection = open_database(path);
        CHECK_INT(number(connection, "SELECT length(x) FROM more"), 9000);
        sqlite3_close(connection);
        expect_restored(path, &increment);

        /* the base went elsewhere: ranges alone are no database */
        reader = start_writer(path, "SELECT count(*) FROM t", 0, NULL);
        restore_prepare(&host, &increment, false, settings());
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(strstr(vss_component_get_pre_restore_failure_msg(host_component(&host, "app")),
                     "is open in process"));
        host_stop(&host);
        stop(reader, SIGKILL);
        image_done(&full);
        image_done(&increment);
}

/* what cannot be written through: another page size under a log, a damaged database in use */
static void test_impossible(void) {
        char *path = scratch_path("data/app.db"), *words;
        struct image image;
        struct host host;
        sqlite3 *connection;
        pid_t pid;

        make_old_and_image("WAL", path, &image);
        prepare_shared();
        run("rm -f '%s'*", path);
        connection = open_database(path);
        execute(connection, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL;"
                            "CREATE TABLE other(x)");
        put(&host, &image, false);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "pages of 1024 bytes"));
        free(words);
        execute(connection, "INSERT INTO other VALUES(1)"); /* as it was */
        sqlite3_close(connection);

        run("head -c 20000 /dev/urandom >'%s'; rm -f '%s'-*", path, path);
        pid = start_program();
        if (pid == 0) {
                CHECK(open(path, O_RDONLY | O_CLOEXEC) >= 0);
                shared->ready = 1;
                pause();
        }
        while (!shared->ready)
                usleep(1000);
        restore_prepare(&host, &image, false, settings());
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        host_stop(&host);
        stop(pid, SIGKILL);
        /* nobody has it open: it is replaced */
        restore_prepare(&host, &image, false, settings());
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(vss_component_get_restore_target(host_component(&host, "app")),
                  VSS_RT_ORIGINAL_LOCATION);
        image_put_back(&image);
        CHECK_INT(restore_end(&host, NULL), 0);
        expect_restored(path, &image);
        image_done(&image);
}

/* A writer whose vssd was killed still works on its PostRestore: it is waited for, so that it does
 * not clear what this restore puts into the stage; restore_wait at most, and then it may be tried
 * again. The claim holds from PreRestore to the end of PostRestore. */
static void test_earlier_life(void) {
        char *path = scratch_path("data/app.db");
        struct image image;
        struct host host;
        int32_t failure, application;
        const char *words;
        int state;
        pid_t pid;

        make_old_and_image("WAL", path, &image);
        prepare_shared();
        state = open(scratch_path("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(state >= 0);
        CHECK_INT(flock(state, LOCK_EX | LOCK_NB), 0);
        restore_prepare(&host, &image, false, settings());
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        (void)vss_component_get_failure(host_component(&host, "app"), &failure, &application,
                                        &words);
        CHECK_INT(failure, VSS_E_WRITERERROR_RETRYABLE);
        CHECK(strstr(vss_component_get_pre_restore_failure_msg(host_component(&host, "app")),
                     "an earlier restore still works in"));
        host_stop(&host);
        close(state);

        pid = start_program();
        if (pid == 0) {
                state = open(scratch_path("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                CHECK_INT(flock(state, LOCK_EX | LOCK_NB), 0);
                shared->ready = 1;
                usleep(300000);
                _exit(0); /* the kernel releases it */
        }
        while (!shared->ready)
                usleep(1000);
        put(&host, &image, false);
        CHECK_INT(waitpid(pid, NULL, WNOHANG), pid); /* not before its end */
        state = open(scratch_path("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(state >= 0);
        CHECK_INT(flock(state, LOCK_EX | LOCK_NB), -1);
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(flock(state, LOCK_EX | LOCK_NB), 0);
        close(state);
        expect_restored(path, &image);
        image_done(&image);
}

int main(int argc, char **argv) {
        RUN(test_readers);
        RUN(test_writer_in_the_middle);
        RUN(test_old_reader_writes);
        RUN(test_left_by_the_dead);
        RUN(test_killed);
        RUN(test_earlier_life);
        RUN(test_chain);
        RUN(test_impossible);
        return 0;
}
