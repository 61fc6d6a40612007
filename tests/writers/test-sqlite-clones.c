/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Increments of the sqlite writer that read only what changed, since a clone of the base tells
 * which blocks are still the same: exactly the pages that changed all the same, whoever does what
 * to clone, list and database; and what stays of clones. Skips where files cannot be cloned.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/array.h"
#include "images.h"
#include "tests/check.h"

enum { PAGE = 4096 };
static int rows = 4000; /* a row is a page */

static bool compressed; /* such blocks tell nothing: all is read */

static char *place(void) {
        struct stat data, up;

        CHECK_INT(stat(scratch_path("data"), &data), 0);
        CHECK_INT(stat(scratch(), &up), 0);
        return data.st_dev != up.st_dev ? scratch_path("data/.vss")
                                        : scratch_path("../.vss"); /* TEST_DIR is a mount point */
}

/* how many there are; *ret: the one of a list, or the last */
static int clones(const char *list, char **ret) {
        char *path = place();
        DIR *folder = opendir(path);
        struct dirent *entry;
        int count = 0;

        while (folder && (entry = readdir(folder)))
                if (strncmp(entry->d_name, "sqlite-", 7) == 0) {
                        count++;
                        if (ret && (!list || strstr(entry->d_name, strrchr(list, '/') + 1)))
                                *ret = scratch_path("%s/%s", path + strlen(scratch()) + 1,
                                                    entry->d_name);
                }
        if (folder)
                closedir(folder);
        return count;
}

static char *clone_of(const struct image *image) {
        char *path = NULL;

        (void)clones(list_of(image), &path);
        CHECK(path);
        return path;
}

static void sql(const char *text) {
        sqlite3 *connection = open_database(scratch_path("data/app.db"));

        execute(connection, text);
        (void)sqlite3_close(connection);
}

static void fresh(void) {
        char text[500];

        run("rm -rf '%s'", scratch_path("state"));
        (void)fresh_volume();
        if (getenv("TEST_NOCOW"))
                run("chattr +C '%s'", scratch_path("data"));
        (void)snprintf(text, sizeof(text),
                       "PRAGMA journal_mode=WAL; CREATE TABLE x(id INTEGER PRIMARY KEY, filler);"
                       "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<%d)"
                       " INSERT INTO x SELECT i, hex(randomblob(1900)) FROM n",
                       rows);
        sql(text);
}

static uint64_t read_by(pid_t pid) {
        unsigned long long bytes;
        char path[64];
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
        file = fopen(path, "re");
        if (!file || fscanf(file, "rchar: %llu", &bytes) != 1)
                CHECK_FAIL_("%s: %m", path);
        (void)fclose(file);
        return bytes;
}

/* Return: bytes that the writer read, all its life up to PostSnapshot */
static uint64_t taken(struct image *image, uint32_t type, const struct image *base) {
        struct host host;
        uint64_t bytes, before;

        start(&host, NULL);
        before = read_by(host.pid); /* its program and libraries */
        host_stop(&host);
        image_begin(&host, image, type, base, NULL);
        if (image->failure)
                CHECK_FAIL_("%s", image->words);
        bytes = read_by(host.pid);
        image_end(&host, image, true);
        return bytes > before ? bytes - before : 0;
}

static void change(int every, int which) {
        char text[200];

        (void)snprintf(text, sizeof(text),
                       "UPDATE x SET filler=hex(randomblob(1900)) WHERE id%%%d=%d", every, which);
        sql(text);
}

/* an increment of which all is read, and that is exact */
static void expect_all_read(const struct image *base) {
        struct image image;
        uint64_t bytes = taken(&image, VSS_BT_INCREMENTAL, base);

        image_expect_ranges(&image, base, PAGE);
        CHECK(bytes >= image.size);
        image_done(&image);
}

/* ---- what is read ---- */

static void test_only_what_changed(void) {
        struct image full, one, two, diff;
        uint64_t bytes;

        fresh();
        bytes = taken(&full, VSS_BT_FULL, NULL);
        CHECK(bytes >= full.size);
        change(100, 7);
        bytes = taken(&one, VSS_BT_INCREMENTAL, &full);
        printf("%llu of %llu bytes read, %llu changed\n", (unsigned long long)bytes,
               (unsigned long long)one.size, (unsigned long long)image_bytes(&one));
        image_expect_ranges(&one, &full, PAGE);
        CHECK(compressed || bytes < 2 * image_bytes(&one) + one.size / 20);
        change(100, 9);
        bytes = taken(&two, VSS_BT_INCREMENTAL, &one);
        image_expect_ranges(&two, &one, PAGE);
        CHECK(compressed || bytes < 2 * image_bytes(&two) + two.size / 20);
        bytes = taken(&diff, VSS_BT_DIFFERENTIAL, &full);
        image_expect_ranges(&diff, &full, PAGE);
        CHECK(compressed || bytes < 2 * image_bytes(&diff) + diff.size / 20);
        CHECK_INT(chain_restore((const struct image *[]){ &full, &one, &two, NULL },
                                CHAIN_ONE_BY_ONE),
                  0);
        CHECK_INT(chain_restore((const struct image *[]){ &full, &diff, NULL }, CHAIN_MERGED), 0);
        image_done(&full);
        image_done(&one);
        image_done(&two);
        image_done(&diff);
}

/* blocks change places in the file: same addresses, elsewhere */
static void move_blocks(void) {
        int fd = open(scratch_path("data/app.db"), O_RDWR | O_CLOEXEC);
        struct stat st;

        CHECK(fd >= 0);
        CHECK_INT(fstat(fd, &st), 0);
        for (int i = 0; i < 5; i++) {
                uint64_t pages = (uint64_t)st.st_size / PAGE - 20;
                struct file_clone_range range = {
                        .src_fd = fd,
                        .src_offset = (10 + (uint64_t)random() % pages) * PAGE,
                        .src_length = PAGE,
                        .dest_offset = (10 + (uint64_t)random() % pages) * PAGE
                };

                if (range.src_offset != range.dest_offset)
                        CHECK_INT(ioctl(fd, FICLONERANGE, &range), 0);
        }
        close(fd);
}

/* Whatever happened: exactly the pages that differ */
static void test_at_random(void) {
        static const char *const deeds[] = {
                "UPDATE x SET filler=hex(randomblob(1900)) WHERE id%97=3",
                "INSERT INTO x(filler) SELECT hex(randomblob(1900)) FROM x LIMIT 200",
                "DELETE FROM x WHERE id%31=5",
                "VACUUM",
                "UPDATE x SET filler=hex(randomblob(1900)) WHERE id<30",
                "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        struct image before, now;
        unsigned seed = (unsigned)getpid();
        int rounds = getenv("TEST_ROUNDS") ? atoi(getenv("TEST_ROUNDS")) : 12;

        printf("seed %u\n", seed);
        srandom(seed);
        fresh();
        (void)taken(&before, VSS_BT_FULL, NULL);
        for (int i = 0; i < rounds; i++) {
                for (long n = random() % 3; n > 0; n--)
                        sql(deeds[(unsigned long)random() % ELEMENTSOF(deeds)]);
                if (getenv("TEST_DEFRAG") && random() % 3 == 0)
                        run("%s '%s' >/dev/null", getenv("TEST_DEFRAG"),
                            scratch_path("data/app.db"));
                (void)taken(&now, VSS_BT_INCREMENTAL, &before);
                if (now.partial)
                        image_expect_ranges(&now, &before, PAGE);
                CHECK(!now.message);
                image_done(&before);
                before = now;
        }
        for (int i = 0; i < 5; i++) { /* from here on it is no database any more, only pages */
                sql("PRAGMA wal_checkpoint(TRUNCATE)");
                move_blocks();
                (void)taken(&now, VSS_BT_INCREMENTAL, &before);
                image_expect_ranges(&now, &before, PAGE);
                image_done(&before);
                before = now;
        }
        image_done(&before);
}

static void test_other_page_size(void) {
        struct image full, other, next;

        fresh();
        (void)taken(&full, VSS_BT_FULL, NULL);
        sql("PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL");
        (void)taken(&other, VSS_BT_INCREMENTAL, &full);
        CHECK(!other.partial && !other.message);
        change(100, 3);
        (void)taken(&next, VSS_BT_INCREMENTAL, &other);
        image_expect_ranges(&next, &other, 1024);
        image_done(&full);
        image_done(&other);
        image_done(&next);
}

/* ---- clones that are not what they were ---- */

static const char *const spoilers[] = {
        "cp --reflink=always '%2$s' '%1$s'", /* as if nothing had changed */
        "cp --reflink=always '%2$s' '%1$s.x' && chmod 600 '%1$s.x' && touch -r '%1$s' '%1$s.x' && "
        "mv '%1$s.x' '%1$s'",
        "touch -r '%1$s' '%1$s.t' && cp --reflink=always '%2$s' '%1$s' && touch -r '%1$s.t' "
        "'%1$s'; rm '%1$s.t'",
        "rm '%1$s' && ln -s '%2$s' '%1$s'",
        "rm '%1$s'",
        "ln '%1$s' '%1$s.hard'",
        "chmod 644 '%1$s'",
        "rm '%1$s' && mkdir '%1$s'",
        "rm '%1$s' && mkfifo '%1$s'",
};

static void test_hostile(void) {
        struct image base;

        for (size_t i = 0; i < ELEMENTSOF(spoilers); i++) {
                char *command;

                fresh();
                (void)taken(&base, VSS_BT_FULL, NULL);
                change(50, 3);
                sql("PRAGMA wal_checkpoint(TRUNCATE)");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                CHECK(asprintf(&command, spoilers[i], clone_of(&base),
                               scratch_path("data/app.db")) > 0);
#pragma GCC diagnostic pop
                run("%s", command);
                free(command);
                expect_all_read(&base);
                run("rm -rf '%s'/sqlite-*", place());
                image_done(&base);
        }
}

/* the clone of an earlier time in the place of a later one, and the database as it was then */
static void test_earlier_state(void) {
        struct image full, one;
        char *early;

        fresh();
        (void)taken(&full, VSS_BT_FULL, NULL);
        early = scratch_path("%s/early", place() + strlen(scratch()) + 1);
        run("cp -a --reflink=always '%s' '%s'", clone_of(&full), early);
        change(50, 3);
        (void)taken(&one, VSS_BT_INCREMENTAL, &full);
        CHECK_INT((int)(full.size == one.size), 1);
        run("cp --reflink=always '%s' '%s'; mv '%s' '%s'", early, scratch_path("data/app.db"),
            early, clone_of(&one));
        expect_all_read(&one);
        image_done(&full);
        image_done(&one);
}

/* a hash that was taken over from a damaged list would be proved wrong by the restore */
static void test_damaged_list(void) {
        struct image full, whole, next;

        fresh();
        (void)taken(&full, VSS_BT_FULL, NULL);
        change(50, 3);
        spoil(list_of(&full), 2000 + rows * 8);
        (void)taken(&whole, VSS_BT_INCREMENTAL, &full);
        CHECK(!whole.partial && strstr(whole.message, "damaged"));
        change(50, 4);
        (void)taken(&next, VSS_BT_INCREMENTAL, &whole);
        image_expect_ranges(&next, &whole, PAGE);
        CHECK_INT(chain_restore((const struct image *[]){ &whole, &next, NULL }, CHAIN_ONE_BY_ONE),
                  0);
        image_done(&full);
        image_done(&whole);
        image_done(&next);
}

/* ---- which clones stay ---- */

static void begin_only(struct host *host, const struct image *base, const char *const *settings) {
        struct image image;

        image_begin(host, &image, VSS_BT_INCREMENTAL, base, settings);
        CHECK_INT(image.failure, 0);
        image_done(&image);
}

static void test_life(void) {
        struct image full, one, two, diff;
        struct host host;

        fresh();
        run("rm -rf '%s'/sqlite-*", place());
        (void)taken(&full, VSS_BT_FULL, NULL);
        CHECK_INT(clones(NULL, NULL), 1);
        (void)taken(&one, VSS_BT_INCREMENTAL, &full);
        CHECK_INT(clones(NULL, NULL), 2);
        (void)taken(&two, VSS_BT_INCREMENTAL, &one);
        (void)taken(&diff, VSS_BT_DIFFERENTIAL, &full);
        CHECK_INT(clones(NULL, NULL), 2); /* of the last one, and of the full one */
        (void)clone_of(&two);
        (void)clone_of(&full);

        begin_only(&host, &two, NULL); /* the requester goes away */
        CHECK_INT(clones(NULL, NULL), 2);
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        host_stop(&host);
        begin_only(&host, &two, NULL);
        host_kill(&host);
        free(host.token.data);
        CHECK_INT(clones(NULL, NULL), 2);

        CHECK_INT(unlink(list_of(&two)), 0); /* without its list it is of no use */
        begin_only(&host, &full, NULL);
        CHECK_INT(clones(NULL, NULL), 1);
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        host_stop(&host);

        image_done(&diff);
        (void)taken(&diff, VSS_BT_FULL, NULL); /* takes the place of the other full one */
        CHECK_INT(clones(NULL, NULL), 1);
        (void)clone_of(&diff);
        begin_only(&host, &diff,
                   (const char *const[]){ "sqlite", "page_clones", "no", "database app", "path",
                                          scratch_path("data/app.db"), NULL });
        CHECK_INT(clones(NULL, NULL), 0);
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        host_stop(&host);
        image_done(&full);
        image_done(&one);
        image_done(&two);
        image_done(&diff);
}

/* the blocks of a database that was removed are not kept */
static void test_dropped_database(void) {
        struct image full, other;

        fresh();
        run("rm -rf '%s'/sqlite-*", place());
        (void)taken(&full, VSS_BT_FULL, NULL);
        CHECK_INT(clones(NULL, NULL), 1);
        {
                struct host host;
                char *path = scratch_path("data/app.db");

                run("cd '%s' && mv app.db b.db", scratch_path("data"));
                start(&host, (const char *const[]){ "database b", "path", scratch_path("data/b.db"),
                                                    NULL });
                host.backup_type = VSS_BT_FULL;
                host_select(&host, VSS_CT_DATABASE, NULL, "b");
                CHECK_INT(host_event(&host, "PrepareBackup"), 0);
                CHECK_INT(host_event(&host, "BackupComplete"), 0);
                CHECK_INT(host_event(&host, "BackupShutdown"), 0);
                host_stop(&host);
                CHECK(!exists(path));
        }
        CHECK_INT(clones(NULL, NULL), 0);
        CHECK(exists(list_of(&full)));
        run("cd '%s' && mv b.db app.db", scratch_path("data"));
        image_take(&other, VSS_BT_INCREMENTAL, &full); /* and the list serves on */
        image_expect_ranges(&other, &full, PAGE);
        image_done(&full);
        image_done(&other);
}

/* While others write to the copy nobody can say of what file list and clone are. Not with copies
 * that are read-only */
static void test_written_copy(void) {
        struct image full;
        pid_t pid;

        fresh();
        run("rm -rf '%s'/sqlite-*", place());
        pid = fork();
        CHECK(pid >= 0);
        for (const char *path = scratch_path("copy/app.db"); pid == 0; (void)usleep(500))
                if (utimensat(AT_FDCWD, path, NULL, 0) < 0 && getppid() == 1)
                        _exit(0);
        (void)taken(&full, VSS_BT_FULL, NULL);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        CHECK_INT(clones(NULL, NULL), 0);
        expect_all_read(&full);
        CHECK_INT(clones(NULL, NULL), 1);
        image_done(&full);
}

/* a place that others could enter is not used */
static void test_foreign_place(void) {
        struct image full, one;

        fresh();
        run("mkdir -p -m 700 '%s'; rm -rf '%s'/sqlite-*; chmod 755 '%s'", place(), place(),
            place());
        (void)taken(&full, VSS_BT_FULL, NULL);
        CHECK_INT(clones(NULL, NULL), 0);
        run("chmod 700 '%s'", place());
        (void)taken(&one, VSS_BT_INCREMENTAL, &full);
        CHECK(one.partial);
        CHECK_INT(clones(NULL, NULL), 1);
        image_done(&full);
        image_done(&one);
        run("rm -rf '%s'/sqlite-*", place());
}

/* TEST_MB: what it is good for, in numbers; page_clones = no comes last, it removes the clones */
static void cost(void) {
        const char *settings[] = { "sqlite", "page_clones", "yes", "database app",
                                   "path",   NULL,          NULL };
        struct image full;

        settings[5] = scratch_path("data/app.db");
        fresh();
        (void)taken(&full, VSS_BT_FULL, NULL);
        printf("full: PostSnapshot %.2f s\n", (double)full.post_us / 1e6);
        change(100, 7);
        for (int i = 0; i < 4; i++) {
                struct image image;
                struct host host;

                settings[2] = i < 2 ? "yes" : "no";
                image_begin(&host, &image, VSS_BT_INCREMENTAL, &full, settings);
                printf("page_clones = %s: PostSnapshot %.2f s, %llu bytes read\n", settings[2],
                       (double)image.post_us / 1e6, (unsigned long long)read_by(host.pid));
                image_expect_ranges(&image, &full, PAGE);
                CHECK_INT(host_event(&host, "BackupShutdown"), 0);
                host_stop(&host);
                image_done(&image);
        }
        image_done(&full);
}

int main(int argc, char **argv) {
        struct statfs fs;

        CHECK_INT(statfs(scratch(), &fs), 0);
        if (geteuid() != 0 || !getenv("TEST_DIR") ||
            (fs.f_type != BTRFS_SUPER_MAGIC && fs.f_type != 0x58465342))
                SKIP("no root, or no btrfs or XFS at TEST_DIR");
        compressed = getenv("TEST_COMPRESSED") != NULL;
        if (getenv("TEST_MB")) {
                rows = atoi(getenv("TEST_MB")) * 256;
                cost();
                return 0;
        }
        RUN(test_only_what_changed);
        RUN(test_at_random);
        RUN(test_other_page_size);
        RUN(test_hostile);
        RUN(test_earlier_state);
        RUN(test_damaged_list);
        RUN(test_life);
        RUN(test_dropped_database);
        if (!getenv("TEST_COPY") ||
            strcmp(getenv("TEST_COPY") + strlen(getenv("TEST_COPY")) - 2, "-r") != 0)
                RUN(test_written_copy);
        RUN(test_foreign_place);
        return 0;
}
