/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Increments of the sqlite writer: exactly the pages that changed, whatever happened to the
 * database; the whole file, in words, when there is a doubt; and restores that prove every page.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "images.h"
#include "tests/check.h"

static void fresh(const char *mode) {
        run("rm -rf '%s'", scratch_path("state"));
        (void)fresh_volume();
        if (mode)
                create_database(scratch_path("data/app.db"), mode);
}

static void sql(const char *text) {
        sqlite3 *connection = open_database(scratch_path("data/app.db"));

        execute(connection, text);
        (void)sqlite3_close(connection);
}

static void one_transaction(int number) {
        char text[256];

        (void)snprintf(text, sizeof(text),
                       "BEGIN; UPDATE t SET tx=%d, filler=randomblob(700) WHERE slot=%d;"
                       "UPDATE meta SET tx=%d; COMMIT",
                       number, number % SLOTS, number);
        sql(text);
}

static void expect_whole(const struct image *image, const char *words) {
        CHECK(!image->partial);
        if (!image->message || !strstr(image->message, "saved whole") ||
            !strstr(image->message, words))
                CHECK_FAIL_("'%s' does not say '%s'", image->message, words);
}

/* ---- which pages ---- */

static void make_paged(const char *mode, int page_size) {
        char text[400];

        (void)snprintf(text, sizeof(text),
                       "PRAGMA page_size=%d; PRAGMA journal_mode=%s;"
                       "CREATE TABLE x(id INTEGER PRIMARY KEY, filler BLOB);"
                       "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<400)"
                       " INSERT INTO x SELECT i, randomblob(%d) FROM n",
                       page_size, mode, page_size);
        sql(text);
}

static void restore_both_ways(const struct image *const *chain) {
        CHECK_INT(chain_restore(chain, CHAIN_ONE_BY_ONE), 0);
        CHECK_INT(chain_restore(chain, CHAIN_MERGED), 0);
}

/* I-40, I-41, I-124, I-129, I-157, IV-88, IV-91: some rows, growth, shrinking, vacuum; nothing at
 * all; each point in time comes back to the byte */
static void life_of_a_database(const char *mode, int page_size) {
        struct image full, some, grown, shrunk, differential, same;

        fresh(NULL);
        make_paged(mode, page_size);
        image_take(&full, VSS_BT_FULL, NULL);
        CHECK(!full.partial && list_of(&full));

        sql("UPDATE x SET filler=randomblob(length(filler)) WHERE id%97=0");
        image_take(&some, VSS_BT_INCREMENTAL, &full);
        image_expect_ranges(&some, &full, (size_t)page_size);
        CHECK(image_bytes(&some) > 0 && image_bytes(&some) < full.size / 4);

        sql("INSERT INTO x(filler) SELECT randomblob(length(filler)) FROM x WHERE id<50");
        image_take(&grown, VSS_BT_INCREMENTAL, &some);
        image_expect_ranges(&grown, &some, (size_t)page_size);
        CHECK(grown.size > some.size && image_bytes(&grown) < full.size);

        sql("DELETE FROM x WHERE id%3=0; VACUUM");
        image_take(&shrunk, VSS_BT_INCREMENTAL, &grown);
        if (shrunk.partial)
                image_expect_ranges(&shrunk, &grown, (size_t)page_size);
        CHECK(shrunk.size < grown.size);

        sql("UPDATE x SET filler=randomblob(length(filler)) WHERE id=10");
        image_take(&differential, VSS_BT_DIFFERENTIAL, &full);
        if (differential.partial)
                image_expect_ranges(&differential, &full, (size_t)page_size);
        CHECK(!list_of(&differential));

        image_take(&same, VSS_BT_INCREMENTAL, &shrunk);
        image_expect_ranges(&same, &shrunk, (size_t)page_size);

        restore_both_ways((const struct image *[]){ &full, NULL });
        restore_both_ways((const struct image *[]){ &full, &some, NULL });
        restore_both_ways((const struct image *[]){ &full, &some, &grown, NULL });
        restore_both_ways((const struct image *[]){ &full, &some, &grown, &shrunk, NULL });
        restore_both_ways((const struct image *[]){ &full, &some, &grown, &shrunk, &same, NULL });
        restore_both_ways((const struct image *[]){ &full, &differential, NULL });
        image_done(&full);
        image_done(&some);
        image_done(&grown);
        image_done(&shrunk);
        image_done(&differential);
        image_done(&same);
}

static void test_page_sizes(void) {
        for (int page_size = 512; page_size <= 65536; page_size *= 2)
                life_of_a_database(page_size & 0x5555 ? "WAL" : "DELETE", page_size);
        life_of_a_database("WAL", 4096);
        life_of_a_database("DELETE", 4096);
        life_of_a_database("PERSIST", 1024);
}

/* I-121: nothing changed is an entry of no bytes, and no page of it travels */
static void test_unchanged(void) {
        struct image full, same;

        fresh("DELETE");
        image_take(&full, VSS_BT_FULL, NULL);
        image_take(&same, VSS_BT_INCREMENTAL, &full);
        CHECK(same.partial);
        CHECK_INT(image_bytes(&same), 0);
        CHECK(!same.message);
        restore_both_ways((const struct image *[]){ &full, &same, NULL });
        image_done(&full);
        image_done(&same);
}

/* Another page size: nothing can be compared, and nobody needs to hear of it */
static void test_other_page_size(void) {
        struct image full, other, next;

        fresh("DELETE");
        image_take(&full, VSS_BT_FULL, NULL);
        sql("PRAGMA page_size=1024; VACUUM");
        image_take(&other, VSS_BT_INCREMENTAL, &full);
        CHECK(!other.partial && !other.message);
        one_transaction(3);
        image_take(&next, VSS_BT_INCREMENTAL, &other);
        image_expect_ranges(&next, &other, 1024);
        restore_both_ways((const struct image *[]){ &full, &other, &next, NULL });
        image_done(&full);
        image_done(&other);
        image_done(&next);
}

/* Another database with the same name: its pages are compared like any other's */
static void test_replaced_database(void) {
        struct image full, other, small;

        fresh("WAL");
        image_take(&full, VSS_BT_FULL, NULL);
        run("rm '%s'*", scratch_path("data/app.db"));
        create_database(scratch_path("data/app.db"), "WAL");
        sql("CREATE TABLE another(x); INSERT INTO another VALUES(randomblob(50000))");
        image_take(&other, VSS_BT_INCREMENTAL, &full);
        if (other.partial)
                image_expect_ranges(&other, &full, 4096);
        run("rm '%s'*", scratch_path("data/app.db"));
        run(": >'%s'", scratch_path("data/app.db"));
        image_take(&small, VSS_BT_INCREMENTAL, &other);
        CHECK_INT(small.size, 0);
        restore_both_ways((const struct image *[]){ &full, &other, NULL });
        image_done(&full);
        image_done(&other);
        image_done(&small);
}

/* I-128: many ranges stand in a file, which stays until BackupComplete and not longer; a restore
 * puts it back, and PostRestore clears it away */
static void test_ranges_file(void) {
        struct image full, some;
        struct host host;
        char *ranges;

        fresh(NULL);
        sql("PRAGMA page_size=512; CREATE TABLE x(id INTEGER PRIMARY KEY, filler BLOB);"
            "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<9000)"
            " INSERT INTO x SELECT i, randomblob(300) FROM n");
        image_take(&full, VSS_BT_FULL, NULL);
        sql("UPDATE x SET filler=randomblob(300) WHERE id%7=0");
        image_begin(&host, &some, VSS_BT_INCREMENTAL, &full, NULL);
        CHECK_INT(lists_kept(".ranges"), 1);
        CHECK(some.ranges.count > 1000);
        image_expect_ranges(&some, &full, 512);
        image_end(&host, &some, true);
        CHECK_INT(lists_kept(".ranges"), 0);
        {
                const char *at = strstr(some.xml, ".ranges\"");
                size_t n = 1;

                CHECK(at);
                while (at[-(ssize_t)n] != '"')
                        n++;
                ranges = scratch_path("state/%.*s",
                                      (int)(strcspn(strstr(at - n, "state/") + 6, "\"")),
                                      strstr(at - n, "state/") + 6);
        }
        write_file(ranges, "as a restore puts it back", 0600);
        restore_both_ways((const struct image *[]){ &full, &some, NULL });
        CHECK(!exists(ranges));
        image_done(&full);
        image_done(&some);
}

/* IV-70, I-132: without partial files the file goes whole, and the list is made all the same */
static void test_no_partial_files(void) {
        struct vss_component_key key = { .type = VSS_CT_DATABASE, .name = "app" };
        struct image full, next;
        struct host host;

        fresh("WAL");
        image_take(&full, VSS_BT_FULL, NULL);
        one_transaction(1);
        start(&host, NULL);
        host.backup_type = VSS_BT_INCREMENTAL;
        key.writer_id = host.identity.writer_id;
        host_select(&host, VSS_CT_DATABASE, NULL, "app");
        CHECK_INT(bcd_set_previous_backup_stamp(host.bcd, &key, full.stamp, NULL), 0);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        CHECK_INT(vss_component_get_partial_file_count(host_component(&host, "app")), 0);
        CHECK(strstr(vss_component_get_post_snapshot_failure_msg(host_component(&host, "app")),
                     "takes no partial files"));
        memset(&next, 0, sizeof(next));
        next.stamp = strdup(vss_component_get_backup_stamp(host_component(&host, "app")));
        CHECK(next.stamp && strstr(next.stamp, ".pages:"));
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        host_stop(&host);
        remove_copy();
        image_done(&full);
        image_done(&next);
}

/* ---- stamps that cannot be honoured (I-159) ---- */

static void whole_after(const struct image *base, const char *words) {
        struct image image;

        image_take(&image, VSS_BT_INCREMENTAL, base);
        expect_whole(&image, words);
        image_done(&image);
}

/* without what may follow on a clone */
static off_t end_of_list(const char *path) {
        uint32_t page_size, length;
        uint64_t size;
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        CHECK(fd >= 0);
        CHECK_INT(pread(fd, &page_size, 4, 12), 4);
        CHECK_INT(pread(fd, &size, 8, 16), 8);
        CHECK_INT(pread(fd, &length, 4, 28), 4);
        close(fd);
        return (off_t)(32 + length + size / page_size * 16 + 32);
}

static void test_bad_stamps(void) {
        struct image full, base, none = { 0 };
        char *list;

        fresh("WAL");
        image_take(&full, VSS_BT_FULL, NULL);
        list = list_of(&full);
        one_transaction(1);
        whole_after(&none, "no stamp");
        base = (struct image){ .stamp = (char *)(uintptr_t) "time=5" };
        whole_after(&base, "none of this writer's");
        base.stamp = strdup(full.stamp);
        CHECK(base.stamp);
        base.stamp[strlen("sqlite-pages:2:")] ^= 1; /* in the key of the component */
        whole_after(&base, "another database");
        strcpy(base.stamp, full.stamp);
        strrchr(base.stamp, ':')[-1] ^= 1; /* in the digest: another list of that name */
        whole_after(&base, "damaged");
        free(base.stamp);

        for (int where = 0; where < 4; where++) {
                off_t end = end_of_list(list);

                run("cp -p '%s' '%s.saved'", list, list);
                if (where == 0)
                        spoil(list, 9); /* version */
                else if (where == 1)
                        spoil(list, end / 2); /* a hash */
                else if (where == 2)
                        spoil(list, end - 1); /* the digest */
                else
                        CHECK_INT(truncate(list, end - 16), 0);
                whole_after(&full, where == 0 || where == 3 ? "" : "damaged");
                run("mv '%s.saved' '%s'", list, list);
        }
        image_take(&base, VSS_BT_INCREMENTAL, &full); /* and the good one still works */
        image_expect_ranges(&base, &full, 4096);
        image_done(&base);
        CHECK_INT(unlink(list), 0);
        whole_after(&full, "is not there");
        image_done(&full);
}

/* A list counts when BackupComplete said that the component was saved, and not before: not after
 * a failed component (I-149), a requester that went away (I-167), a writer that was killed */
static void test_unconfirmed(void) {
        struct image full, lost, next;
        struct host host;

        fresh("WAL");
        image_take(&full, VSS_BT_FULL, NULL);
        CHECK_INT(lists_kept(".pages"), 1);
        for (int how = 0; how < 3; how++) {
                one_transaction(how + 1);
                image_begin(&host, &lost, VSS_BT_INCREMENTAL, &full, NULL);
                CHECK(lost.partial);
                CHECK_INT(lists_kept(".new"), 1);
                if (how == 0) {
                        image_end(&host, &lost, false);
                } else if (how == 1) {
                        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
                        host_stop(&host);
                } else {
                        host_kill(&host);
                        free(host.token.data);
                        CHECK_INT(lists_kept(".new"), 1); /* left behind, and not to be trusted */
                }
                CHECK_INT(lists_kept(".pages"), 1);
                image_begin(&host, &next, VSS_BT_INCREMENTAL, &lost, NULL);
                expect_whole(&next, "never ended");
                image_end(&host, &next, false);
                image_done(&next);
                image_done(&lost);
        }
        CHECK_INT(lists_kept(".new"), 0); /* tidied up by the backup after it */
        /* the base of before is untouched */
        image_take(&next, VSS_BT_INCREMENTAL, &full);
        image_expect_ranges(&next, &full, 4096);
        restore_both_ways((const struct image *[]){ &full, &next, NULL });
        image_done(&next);
        image_done(&full);
}

/* What a living process needs stays: two backups at a time */
static void test_two_at_a_time(void) {
        struct image full, one, two;
        struct host host;

        fresh("WAL");
        image_take(&full, VSS_BT_FULL, NULL);
        one_transaction(1);
        image_begin(&host, &one, VSS_BT_INCREMENTAL, &full, NULL);
        image_take(&two, VSS_BT_FULL, NULL);
        CHECK_INT(lists_kept(".new"), 1);
        image_end(&host, &one, true);
        CHECK(exists(list_of(&one)));
        CHECK(exists(list_of(&two)));
        image_done(&full);
        image_done(&one);
        image_done(&two);
}

/* ---- which lists stay ---- */

static void test_lists(void) {
        struct image full[5], inc[3], diff, copy, other;

        fresh("WAL");
        image_take(&full[0], VSS_BT_FULL, NULL);
        for (int i = 0; i < 3; i++) {
                one_transaction(i);
                image_take(&inc[i], VSS_BT_INCREMENTAL, i ? &inc[i - 1] : &full[0]);
                CHECK(inc[i].partial);
        }
        /* an incremental one stands for the one that it builds on, a full one serves on (I-157) */
        CHECK_INT(lists_kept(".pages"), 2);
        CHECK(exists(list_of(&full[0])));
        CHECK(exists(list_of(&inc[2])));
        image_take(&diff, VSS_BT_DIFFERENTIAL, &full[0]);
        image_expect_ranges(&diff, &full[0], 4096);
        CHECK(!list_of(&diff)); /* nobody builds on it */
        image_take(&copy, VSS_BT_COPY, NULL);
        CHECK(!copy.stamp); /* I-39 */
        image_take(&other, VSS_BT_OTHER, NULL);
        CHECK(!other.stamp); /* I-43 */
        CHECK_INT(lists_kept(".pages"), 2);
        restore_both_ways((const struct image *[]){ &copy, NULL });
        /* chains of several stores: the newest three of each kind */
        for (int i = 1; i < 5; i++)
                image_take(&full[i], VSS_BT_FULL, NULL);
        CHECK_INT(lists_kept(".pages"), 4);
        CHECK(!exists(list_of(&full[0])));
        CHECK(!exists(list_of(&full[1])));
        CHECK(exists(list_of(&full[2])));
        CHECK(exists(list_of(&inc[2])));
        for (int i = 0; i < 5; i++)
                image_done(&full[i]);
        for (int i = 0; i < 3; i++)
                image_done(&inc[i]);
        image_done(&diff);
        image_done(&copy);
        image_done(&other);
}

/* Lists of a database that is gone go after a month; what is no list at once */
static void test_dropped_database(void) {
        const char *const other[] = { "database app", "path", scratch_path("data/two.db"), NULL };
        const char *const third[] = { "database app", "path", scratch_path("data/three.db"), NULL };
        struct image image;
        struct host host;
        char *list;

        fresh("WAL");
        image_take(&image, VSS_BT_FULL, NULL);
        list = list_of(&image);
        image_done(&image);
        run("rm '%s'*", scratch_path("data/app.db"));
        write_file(scratch_path("state/x.pages"), "junk", 0600);
        for (int i = 0; i < 2; i++) {
                create_database(scratch_path(i ? "data/three.db" : "data/two.db"), "WAL");
                start(&host, i ? third : other);
                host_select(&host, VSS_CT_DATABASE, NULL, "app");
                CHECK_INT(host_event(&host, "PrepareBackup"), 0);
                CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
                CHECK_INT(host_event(&host, "Freeze"), 0);
                make_copy();
                CHECK_INT(host_event(&host, "Thaw"), 0);
                CHECK_INT(host_event(&host, "PostSnapshot"), 0);
                CHECK_INT(host_event(&host, "BackupComplete"), 0);
                host_stop(&host);
                remove_copy();
                CHECK(exists(list) == (i == 0));
                if (i == 0)
                        run("touch -d '40 days ago' '%s'", list);
        }
        CHECK(!exists(scratch_path("state/x.pages")));
}

/* W-12: no lists, no increments, and the schema does not promise them */
static void test_without_lists(void) {
        const char *const settings[] = {
                "database app", "path", scratch_path("data/app.db"), "sqlite", "page_hashes",
                "no",           NULL
        };
        struct image image;
        struct host host;

        fresh("WAL");
        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(host.metadata) &
                          (VSS_BS_COPY | VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL |
                           VSS_BS_TIMESTAMPED),
                  VSS_BS_COPY);
        host_stop(&host);
        image_begin(&host, &image, VSS_BT_INCREMENTAL, NULL, settings);
        CHECK(!image.partial && !image.message); /* I-67: a full one */
        image_end(&host, &image, true);
        CHECK_INT(lists_kept(".pages"), 0);
        CHECK_INT(lists_kept(".new"), 0);
        image_done(&image);
}

/* The time for hashes is over: whole, and whole the next time */
static void test_no_time(void) {
        const char *const hasty[] = {
                "database app", "path", scratch_path("data/app.db"), "sqlite", "hash_time",
                "1ms",          NULL
        };
        struct image full, next;
        struct host host;

        fresh(NULL);
        sql("CREATE TABLE x(y); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
            "WHERE i<60) INSERT INTO x SELECT randomblob(1000000) FROM n");
        image_begin(&host, &full, VSS_BT_FULL, NULL, hasty);
        CHECK_INT(full.failure, 0);
        image_end(&host, &full, true);
        CHECK(!list_of(&full));
        CHECK_INT(lists_kept(".new"), 0);
        whole_after(&full, "no page hash list");
        image_take(&next, VSS_BT_FULL, NULL);
        image_done(&full);
        image_begin(&host, &full, VSS_BT_INCREMENTAL, &next, hasty);
        expect_whole(&full, "hash_time");
        image_end(&host, &full, true);
        image_done(&full);
        image_done(&next);
}

/* B-51: one time for all of them, since the event has one deadline */
static void test_time_is_shared(void) {
        const char *const hasty[] = { "database app",
                                      "path",
                                      scratch_path("data/app.db"),
                                      "database two",
                                      "path",
                                      scratch_path("data/two.db"),
                                      "sqlite",
                                      "hash_time",
                                      "5ms",
                                      NULL };
        struct host host;

        fresh(NULL);
        create_database(scratch_path("data/two.db"), "DELETE");
        sql("CREATE TABLE x(y); WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n "
            "WHERE i<60) INSERT INTO x SELECT randomblob(1000000) FROM n");
        start(&host, hasty);
        host_select(&host, VSS_CT_DATABASE, NULL, "app");
        host_select(&host, VSS_CT_DATABASE, NULL, "two");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        make_copy();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        CHECK_STR(vss_component_get_backup_stamp(host_component(&host, "app")),
                  "sqlite-pages:2:-:-:0");
        CHECK_STR(vss_component_get_backup_stamp(host_component(&host, "two")),
                  "sqlite-pages:2:-:-:0");
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        host_stop(&host);
        remove_copy();
}

/* a state folder that cannot be written costs the list, not the backup */
static void test_no_room(void) {
        struct image full, next;

        fresh("WAL");
        write_file(scratch_path("state"), "no folder", 0600);
        image_take(&full, VSS_BT_FULL, NULL);
        CHECK(!list_of(&full));
        CHECK_INT(unlink(scratch_path("state")), 0);
        image_take(&next, VSS_BT_INCREMENTAL, &full);
        expect_whole(&next, "no page hash list");
        restore_both_ways((const struct image *[]){ &full, &next, NULL });
        image_done(&full);
        image_done(&next);
}

/* ---- logs of another time (I-189) ---- */

/* a reader keeps the log from being emptied, so the copy has one */
static void full_with_log(struct image *full) {
        sqlite3 *reader = open_database(scratch_path("data/app.db"));
        struct stat st;
        char *log;

        execute(reader, "BEGIN; SELECT * FROM meta");
        one_transaction(1);
        image_take(full, VSS_BT_FULL, NULL);
        (void)sqlite3_close(reader);
        CHECK(asprintf(&log, "%s/app.db-wal", full->folder) > 0);
        CHECK_INT(stat(log, &st), 0);
        CHECK(st.st_size > 0);
        free(log);
}

/* An increment that has no log, over a base that has one: a restore would put that beside the
 * newer database. With a log, if only an empty one, all is well. */
static void test_log_of_the_base(void) {
        struct image full, next, later, none = { 0 };
        struct host host;

        fresh("WAL");
        full_with_log(&full);
        CHECK(!strstr(full.stamp + 15, ":0") || strrchr(full.stamp, ':')[1] != '0');
        one_transaction(2);
        image_take(&next, VSS_BT_INCREMENTAL, &full);
        CHECK(next.partial);
        CHECK_STR(strrchr(next.stamp, ':'), ":0");
        restore_both_ways((const struct image *[]){ &full, &next, NULL });
        CHECK_INT(check_database(scratch_path("data/app.db")), 2);

        sql("PRAGMA journal_mode=DELETE");
        one_transaction(3);
        image_begin(&host, &later, VSS_BT_INCREMENTAL, &full, NULL);
        CHECK_INT(later.failure, VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(later.words, "make a full backup"));
        image_end(&host, &later, false);
        image_done(&later);
        image_begin(&host, &later, VSS_BT_INCREMENTAL, &none, NULL); /* who knows? */
        CHECK_INT(later.failure, VSS_E_WRITERERROR_NONRETRYABLE);
        image_end(&host, &later, false);
        image_done(&later);
        /* over the one with an empty log there is no danger */
        image_take(&later, VSS_BT_INCREMENTAL, &next);
        CHECK(later.partial);
        restore_both_ways((const struct image *[]){ &full, &next, &later, NULL });
        CHECK_INT(check_database(scratch_path("data/app.db")), 3);
        image_done(&full);
        image_done(&next);
        image_done(&later);
}

/* A base whose changes are still in its log, and an increment that finds them there too: between
 * the two restores nobody may move them into the database, which the ranges do not expect (I-185)
 */
static void test_base_in_place(void) {
        struct image full, next;
        sqlite3 *reader;

        fresh("WAL");
        reader = open_database(scratch_path("data/app.db"));
        execute(reader, "BEGIN; SELECT * FROM meta");
        one_transaction(1);
        image_take(&full, VSS_BT_FULL, NULL);
        one_transaction(2);
        image_take(&next, VSS_BT_INCREMENTAL, &full);
        (void)sqlite3_close(reader);
        CHECK(next.partial && image_bytes(&next) == 0); /* all of it is in the log */
        restore_both_ways((const struct image *[]){ &full, &next, NULL });
        CHECK_INT(check_database(scratch_path("data/app.db")), 2);
        image_done(&full);
        image_done(&next);
}

/* ---- what a restore proves ---- */

static void test_proof(void) {
        struct image full, next;
        struct host host;
        char *words, *path, *list;

        fresh("WAL");
        path = scratch_path("data/app.db");
        image_take(&full, VSS_BT_FULL, NULL);
        one_transaction(5);
        image_take(&next, VSS_BT_INCREMENTAL, &full);
        list = list_of(&next);

        /* one bit in page 7, where SQLite may see nothing wrong */
        restore_begin(&host, &next, false);
        image_put_back(&full);
        image_put_back(&next);
        spoil(path, 6 * 4096 + 2000);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "4096 bytes differ, the first in page 7"));
        free(words);
        /* the same without the list: the digest knows, only the page is not named */
        run("mv '%s' '%s.away'", list, list);
        restore_begin(&host, &next, false);
        image_put_back(&full);
        image_put_back(&next);
        spoil(path, 6 * 4096 + 2000);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "are not those that were saved:"));
        free(words);
        run("mv '%s.away' '%s'", list, list);
        /* the base alone, or the ranges of another base */
        restore_begin(&host, &next, false);
        image_put_back(&full);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        free(words);
        /* another length */
        restore_begin(&host, &next, false);
        image_put_back(&full);
        image_put_back(&next);
        run("truncate -s +4096 '%s'", path);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "had"));
        free(words);
        /* a log that was not saved */
        restore_begin(&host, &next, false);
        image_put_back(&full);
        image_put_back(&next);
        run("head -c 5000 /dev/urandom >'%s-wal'", path);
        CHECK_INT(restore_end(&host, &words), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(words, "app.db-wal"));
        free(words);
        /* and nothing of all that: good */
        CHECK_INT(chain_restore((const struct image *[]){ &full, &next, NULL }, CHAIN_MERGED), 0);
        CHECK_INT(check_database(path), 5);
        image_done(&full);
        image_done(&next);
}

/* A log that an earlier image brought, beside an image that has none: it goes before SQLite can
 * take it for its own; I-186: with more to follow nothing is opened at all */
static void test_foreign_log(void) {
        struct image full;
        struct host host;
        char *path;

        fresh("DELETE");
        path = scratch_path("data/app.db");
        image_take(&full, VSS_BT_FULL, NULL);
        sql("PRAGMA journal_mode=WAL");
        {
                sqlite3 *connection = open_database(path);

                execute(connection, "PRAGMA wal_autocheckpoint=0; UPDATE meta SET tx=99");
                run("cp '%s-wal' '%s'", path, scratch_path("stale-wal"));
                (void)sqlite3_close(connection);
        }
        restore_begin(&host, &full, false);
        image_put_back(&full);
        run("cp '%s' '%s-wal'", scratch_path("stale-wal"), path);
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK_INT(check_database(path), 0);
        CHECK(!exists(scratch_path("data/app.db.before-restore-wal")));

        restore_begin(&host, &full, true);
        image_put_back(&full);
        spoil(path, 0); /* no database any more: but this is proved without SQLite */
        CHECK_INT(restore_end(&host, NULL), VSS_E_WRITERERROR_NONRETRYABLE);
        restore_begin(&host, &full, true);
        image_put_back(&full);
        run("cp '%s' '%s-wal'", scratch_path("stale-wal"), path);
        CHECK_INT(restore_end(&host, NULL), 0);
        CHECK(exists(scratch_path("data/app.db.before-restore-wal"))); /* recovery comes later */
        image_done(&full);
}

/* ---- at random ---- */

/* Growth, updates, deletions, vacuums, logs kept by readers: twelve images in a chain, every one of
 * them comes back to the byte */
static void test_at_random(void) {
        enum { IMAGES = 12 };
        static const char *const deeds[] = {
                "INSERT INTO x(filler) SELECT randomblob(3000) FROM x LIMIT 40",
                "UPDATE x SET filler=randomblob(2500) WHERE id%13=0",
                "DELETE FROM x WHERE id%11=0",
                "VACUUM",
                "CREATE INDEX IF NOT EXISTS i ON x(filler); DROP INDEX i",
                "CREATE TABLE IF NOT EXISTS y(z); INSERT INTO y VALUES(zeroblob(90000))",
                "DROP TABLE IF EXISTS y",
                "PRAGMA wal_checkpoint(PASSIVE)",
        };
        struct image images[IMAGES];
        const struct image *chain[IMAGES + 1] = { NULL };
        unsigned seed = (unsigned)getpid();

        printf("seed %u\n", seed);
        srandom(seed);
        fresh(NULL);
        make_paged("WAL", 1024);
        for (int i = 0; i < IMAGES; i++) {
                sqlite3 *reader = open_database(scratch_path("data/app.db"));
                bool reads = i > 0 && random() % 3 == 0;

                if (reads)
                        execute(reader, "BEGIN; SELECT count(*) FROM x");
                for (long n = random() % 4; n > 0; n--) {
                        const char *deed = deeds[(unsigned long)random() % ELEMENTSOF(deeds)];

                        if (!reads || strcmp(deed, "VACUUM") != 0)
                                sql(deed);
                }
                image_take(&images[i], i ? VSS_BT_INCREMENTAL : VSS_BT_FULL,
                           i ? &images[i - 1] : NULL);
                CHECK(!images[i].message);
                (void)sqlite3_close(reader);
                chain[i] = &images[i];
        }
        for (int i = IMAGES; i > 0; i--) {
                chain[i] = NULL;
                CHECK_INT(chain_restore(chain, i % 2 ? CHAIN_MERGED : CHAIN_ONE_BY_ONE), 0);
        }
        for (int i = 0; i < IMAGES; i++)
                image_done(&images[i]);
}

int main(int argc, char **argv) {
        RUN(test_page_sizes);
        RUN(test_unchanged);
        RUN(test_other_page_size);
        RUN(test_replaced_database);
        RUN(test_ranges_file);
        RUN(test_no_partial_files);
        RUN(test_bad_stamps);
        RUN(test_unconfirmed);
        RUN(test_two_at_a_time);
        RUN(test_lists);
        RUN(test_dropped_database);
        RUN(test_without_lists);
        RUN(test_no_time);
        RUN(test_time_is_shared);
        RUN(test_no_room);
        RUN(test_log_of_the_base);
        RUN(test_base_in_place);
        RUN(test_proof);
        RUN(test_foreign_log);
        RUN(test_at_random);
        return 0;
}
