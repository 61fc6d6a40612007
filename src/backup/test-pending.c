/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-pending.c - files that wait for the next boot: whatever is torn, killed or in the way, a set
 * is in place as a whole or not at all, and what is there is one or the other file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/pending.h"
#include "backup/reboot.h"
#include "base/array.h"
#include "base/file.h"
#include "tests/kill-anywhere.h"
#include "tests/scratch.h"

static char folder[] = "/dev/shm/vss-pending.XXXXXX";
static struct restore_settings settings;
static const struct vss_id session = { { 1, 2, 3 } };

/* ---- files: destination "d/N" with old content, staged "d/.s-N" with new content ---- */

static const char *at(const char *format, ...) VSS_PRINTF(1, 2);

/* a ring: a few at a time */
static const char *at(const char *format, ...) {
        static char ring[8][256];
        static unsigned next;
        char *p = ring[next++ % 8];
        int n = snprintf(p, 256, "%s/", folder);
        va_list ap;

        va_start(ap, format);
        vsnprintf(p + n, (size_t)(256 - n), format, ap);
        va_end(ap);
        return p;
}

static void put(const char *path, const char *text) {
        FILE *file = fopen(path, "w");

        CHECK(file);
        CHECK(fputs(text, file) >= 0);
        CHECK_INT(fclose(file), 0);
}

static bool is(const char *path, const char *text) {
        char *data;
        bool same;

        if (read_whole_file(AT_FDCWD, path, 4096, &data, NULL) < 0)
                return text == NULL;
        same = text && strcmp(data, text) == 0;
        free(data);
        return same;
}

static void fresh(void) {
        CHECK_INT(remove_tree(AT_FDCWD, at("d")), 0);
        CHECK_INT(remove_tree(AT_FDCWD, at("pending")), 0);
        CHECK_INT(remove_tree(AT_FDCWD, at("keep")), 0);
        CHECK_INT(mkdir(at("d"), 0755), 0);
        CHECK_INT(mkdir(at("keep"), 0755), 0);
}

static void stage(int n) {
        put(at("d/%d", n), "old");
        put(at("d/.s-%d", n), "new");
        CHECK_INT(link(at("d/.s-%d", n), at("keep/%d", n)), 0);
}

/* as after staging, with the same inodes */
static void restage(int first, int last) {
        for (int n = first; n <= last; n++) {
                (void)unlink(at("d/%d", n));
                (void)unlink(at("d/.s-%d", n));
                put(at("d/%d", n), "old");
                CHECK_INT(link(at("keep/%d", n), at("d/.s-%d", n)), 0);
        }
}

static struct pending_set *begin(const char *title) {
        struct pending_set *set = NULL;

        CHECK_INT(pending_begin(&settings, &session, title, &set, NULL), 0);
        return set;
}

static void add(struct pending_set *set, int n) {
        CHECK_INT(pending_add(set, at("d/.s-%d", n), at("d/%d", n), NULL), 0);
}

/* files @first to @last are one set, committed */
static void register_set(int first, int last) {
        struct pending_set *set = begin("files");

        for (int n = first; n <= last; n++) {
                stage(n);
                add(set, n);
        }
        CHECK_INT(pending_commit(set, NULL), 0);
}

static char said[4096];

static void on_trouble(void *userdata, const char *words) {
        strncat(said, words, sizeof(said) - strlen(said) - 2);
        strcat(said, "\n");
}

static struct pending_summary run(unsigned flags) {
        struct pending_summary sum;

        *said = '\0';
        CHECK_INT(pending_run(&settings, flags, on_trouble, NULL, &sum, NULL), 0);
        return sum;
}

static bool has_journal(void) {
        return access(at("pending/journal"), F_OK) == 0;
}

static unsigned placed(int first, int last) {
        unsigned count = 0;

        for (int n = first; n <= last; n++)
                if (is(at("d/%d", n), "new")) {
                        count++;
                        CHECK(is(at("d/.s-%d", n), NULL));
                } else
                        CHECK(is(at("d/%d", n), "old"));
        return count;
}

static unsigned staged(int first, int last) {
        unsigned count = 0;

        for (int n = first; n <= last; n++)
                count += is(at("d/.s-%d", n), "new");
        return count;
}

/* ---- */

/* */
static void test_boot(void) {
        struct pending_summary sum;
        struct pending_list list;

        fresh();
        register_set(1, 3);
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK_INT(list.count, 1);
        CHECK_STR(list.sets[0].title, "files");
        CHECK(list.sets[0].committed && list.sets[0].since_boot);
        CHECK_INT(list.sets[0].count, 3);
        CHECK_INT(list.sets[0].moves[2].state, PENDING_WAITS);
        CHECK_STR(list.sets[0].moves[2].destination, at("d/3"));
        pending_list_done(&list);

        sum = run(0); /* it waits for a boot, and there was none */
        CHECK_INT(sum.waiting, 3);
        CHECK_INT(sum.placed, 0);
        CHECK_INT(placed(1, 3), 0);
        CHECK(has_journal());

        sum = run(PENDING_NOW);
        CHECK_INT(sum.placed, 3);
        CHECK_INT(placed(1, 3), 3);
        CHECK(!has_journal());
        CHECK_STR(said, "");
        sum = run(PENDING_NOW);
        CHECK_INT(sum.placed + sum.failed + sum.removed, 0);
}

/* in order, the later one wins */
static void test_same_destination(void) {
        struct pending_set *set;
        struct stat st;
        ino_t second;

        fresh();
        register_set(1, 1);
        put(at("d/.later"), "newest");
        CHECK_INT(stat(at("d/.later"), &st), 0);
        second = st.st_ino;
        set = begin("later");
        CHECK_INT(pending_add(set, at("d/.later"), at("d/1"), NULL), 0);
        CHECK_INT(pending_commit(set, NULL), 0);
        CHECK_INT(run(PENDING_NOW).placed, 2);
        CHECK_INT(stat(at("d/1"), &st), 0);
        CHECK_INT(st.st_ino, second);
        CHECK(is(at("d/1"), "newest"));
        CHECK_INT(staged(1, 1), 0);
}

/* a set that is not committed does not count, and leaves nothing */
static void test_abandoned(void) {
        struct pending_set *set;

        fresh();
        register_set(1, 2);
        set = begin("given up");
        stage(3);
        add(set, 3);
        CHECK(!pending_abandon(set));
        CHECK_INT(staged(3, 3), 0);
        CHECK_INT(run(PENDING_NOW).placed, 2);
        CHECK_INT(placed(1, 3), 2);
        CHECK(!has_journal());
        CHECK(!pending_abandon(NULL));
}

static void write_journal(const char *data, size_t size) {
        int fd = open(at("pending/journal"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        CHECK_INT(write_all(fd, data, size), 0);
        close(fd);
}

/* all or none of each of the sets 1..2, 3..5, 6..6 */
static unsigned sets_placed(void) {
        static const int sets[3][2] = { { 1, 2 }, { 3, 5 }, { 6, 6 } };
        unsigned count = 0;

        for (int i = 0; i < 3; i++) {
                unsigned n = placed(sets[i][0], sets[i][1]);

                CHECK(n == 0 || n == (unsigned)(sets[i][1] - sets[i][0] + 1));
                count += n > 0;
        }
        return count;
}

/* the journal ends anywhere; R-59 */
static void test_torn_at_every_byte(void) {
        unsigned before = 0;
        char *journal;
        size_t size;

        fresh();
        register_set(1, 2);
        register_set(3, 5);
        register_set(6, 6);
        CHECK_INT(read_whole_file(AT_FDCWD, at("pending/journal"), 65536, &journal, &size), 0);
        for (size_t n = 0; n <= size; n++) {
                unsigned count;

                restage(1, 6);
                write_journal(journal, n);
                (void)run(PENDING_NOW);
                count = sets_placed();
                CHECK(count == before || count == before + 1);
                before = count;
                /* and what is written behind a torn line counts */
                restage(1, 6);
                write_journal(journal, n);
                register_set(7, 7);
                (void)run(PENDING_NOW);
                CHECK_INT(sets_placed(), count);
                CHECK_INT(placed(7, 7), 1);
                CHECK(strstr(said, "damaged") == NULL);
                (void)unlink(at("keep/7"));
        }
        CHECK_INT(before, 3);
        free(journal);
}

/* one byte is another one: the set does not count, the others do */
static void test_every_byte_flipped(void) {
        char *journal;
        size_t size;

        fresh();
        register_set(1, 2);
        register_set(3, 5);
        register_set(6, 6);
        CHECK_INT(read_whole_file(AT_FDCWD, at("pending/journal"), 65536, &journal, &size), 0);
        for (size_t n = 0; n < size; n++) {
                journal[n] ^= 4;
                restage(1, 6);
                write_journal(journal, size);
                (void)run(PENDING_NOW);
                CHECK(sets_placed() >= 1);
                /* the last line may look torn; a line of the version costs no set */
                CHECK(sets_placed() == 2 || *said || n + 1 == size);
                journal[n] ^= 4;
        }
        free(journal);
}

/* ---- killed anywhere ---- */

static void do_run(void) {
        struct pending_summary sum;

        if (pending_run(&settings, PENDING_NOW, NULL, NULL, &sum, NULL) < 0)
                _exit(1);
}

/* a run that is killed at any of its system calls, twice, is resumed by the next one */
static void test_run_killed(void) {
        unsigned stop = 0;
        bool killed;
        char *journal;
        size_t size;

        fresh();
        register_set(1, 2);
        register_set(3, 4);
        CHECK_INT(read_whole_file(AT_FDCWD, at("pending/journal"), 65536, &journal, &size), 0);
        do {
                struct pending_summary sum;

                restage(1, 4);
                write_journal(journal, size);
                killed = run_until(do_run, ++stop);
                if (killed)
                        (void)run_until(do_run, stop / 2 + 1);
                sum = run(PENDING_NOW);
                CHECK_INT(placed(1, 4), 4);
                CHECK_INT(sum.failed, 0);
                CHECK(!has_journal());
        } while (killed);
        CHECK(stop > 80);
        free(journal);
}

static void do_register(void) {
        struct pending_set *set;

        if (pending_begin(&settings, &session, "killed", &set, NULL) < 0 ||
            pending_add(set, at("d/.s-1"), at("d/1"), NULL) < 0 ||
            pending_add(set, at("d/.s-2"), at("d/2"), NULL) < 0 || pending_commit(set, NULL) < 0)
                _exit(1);
}

/* a restore that is killed while it registers */
static void test_register_killed(void) {
        unsigned stop = 0, none = 0, all = 0;
        bool killed;

        do {
                unsigned count;

                fresh();
                stage(1);
                stage(2);
                killed = run_until(do_register, ++stop);
                /* another restore comes meanwhile, perhaps */
                if (stop % 2)
                        register_set(3, 3);
                (void)run(PENDING_NOW);
                count = placed(1, 2);
                CHECK(count == 0 || count == 2);
                CHECK(killed || count == 2);
                none += count == 0;
                all += count == 2;
                CHECK(is(at("d/3"), stop % 2 ? "new" : NULL));
                CHECK(!has_journal());
        } while (killed);
        CHECK(none > 10 && all > 1);
}

/* ---- obstacles ---- */

static void check_failed(const char *name, const char *words) {
        CHECK(strstr(said, at("%s'", name)) || strstr(said, at("%s' ", name)));
        if (!strstr(said, words))
                CHECK_FAIL_("'%s' does not say '%s'", said, words);
}

/* told by name, the staged file is kept, the others go on; no second try at a later boot */
static void test_obstacles(void) {
        struct pending_summary sum;
        struct pending_list list;
        struct pending_set *set;

        fresh();
        CHECK_INT(mkdir(at("d/x"), 0755), 0);
        CHECK_INT(mkdir(at("d/y"), 0755), 0);
        CHECK_INT(mkdir(at("d/y/z"), 0755), 0);
        put(at("d/x/.s"), "new");
        put(at("d/y/z/.s"), "new");
        set = begin("obstacles");
        for (int n = 1; n <= 4; n++) {
                stage(n);
                add(set, n);
        }
        CHECK_INT(pending_add(set, at("d/x/.s"), at("d/x/f"), NULL), 0);
        CHECK_INT(pending_add(set, at("d/y/z/.s"), at("d/y/z/f"), NULL), 0);
        stage(5);
        add(set, 5);
        CHECK_INT(pending_commit(set, NULL), 0);

        CHECK_INT(unlink(at("d/1")), 0); /* a directory now */
        CHECK_INT(mkdir(at("d/1"), 0755), 0);
        CHECK_INT(unlink(at("d/.s-2")), 0); /* another staged file */
        put(at("d/.s-2"), "evil");
        CHECK_INT(unlink(at("d/.s-3")), 0); /* none */
        CHECK_INT(unlink(at("d/4")), 0); /* a link in its place: replaced, not followed */
        put(at("target"), "untouched");
        CHECK_INT(symlink(at("target"), at("d/4")), 0);
        CHECK_INT(rename(at("d/x"), at("d/was-x")), 0); /* another directory */
        CHECK_INT(mkdir(at("d/x"), 0755), 0);
        put(at("d/x/.s"), "evil");
        CHECK_INT(rename(at("d/y"), at("d/was-y")),
                  0); /* a link on the way, to the same one even */
        CHECK_INT(symlink(at("d/was-y"), at("d/y")), 0);

        sum = run(PENDING_NOW);
        CHECK_INT(sum.placed, 2);
        CHECK_INT(sum.failed, 5);
        check_failed("d/1", "become a directory");
        check_failed("d/2", "another file");
        check_failed("d/3", "is gone");
        check_failed("d/x/f", "not the one");
        check_failed("d/y/z/f", "symbolic link");
        CHECK(is(at("d/.s-1"), "new") && is(at("d/was-x/.s"), "new"));
        CHECK(is(at("d/was-y/z/.s"), "new"));
        CHECK(is(at("d/4"), "new") && is(at("target"), "untouched") && is(at("d/5"), "new"));
        CHECK(is(at("d/2"), "old") && is(at("d/3"), "old"));

        /* the next boot finds all in order, but the time of these files is over */
        CHECK_INT(rmdir(at("d/1")), 0);
        put(at("d/1"), "written since");
        sum = run(PENDING_NOW);
        CHECK_INT(sum.placed + sum.failed, 0);
        CHECK_STR(said, "");
        CHECK(is(at("d/1"), "written since"));
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK_INT(list.sets[0].moves[0].state, PENDING_FAILED);
        CHECK(strstr(list.sets[0].moves[0].words, "become a directory"));
        CHECK_INT(list.sets[0].moves[3].state, PENDING_PLACED);
        pending_list_done(&list);
}

/* what can be known is refused when it is registered */
static void test_refused(void) {
        struct pending_set *set;

        fresh();
        set = begin("refused");
        stage(1);
        CHECK_INT(mkdir(at("d/dir"), 0755), 0);
        CHECK_INT(pending_add(set, at("d/.s-1"), at("d/dir"), NULL), -EISDIR);
        CHECK_INT(pending_add(set, at("d/dir"), at("d/1"), NULL), -EISDIR);
        CHECK_INT(pending_add(set, at("d/.s-1"), at("none/1"), NULL), -ENOENT);
        CHECK_INT(pending_add(set, at("d/.s-2"), at("d/1"), NULL), -ENOENT);
        CHECK_INT(pending_add(set, "d/.s-1", at("d/1"), NULL), E_INVALIDARG);
        CHECK_INT(pending_add(set, at("d/.s-1"), at("d/../d/1"), NULL), E_INVALIDARG);
        CHECK_INT(pending_add(set, at("d/.s-1"), "/tmp/vss-pending-elsewhere", NULL), -EXDEV);
        CHECK_INT(pending_add(set, at("d/.s-1"), at("d/1"), NULL), 0);
        CHECK_INT(pending_commit(set, NULL), 0);
        CHECK_INT(run(PENDING_NOW).placed, 1);
}

/* the administrator's own links on the way are no obstacle: they are resolved when it is registered
 */
static void test_link_on_the_way(void) {
        struct pending_list list;
        struct pending_set *set;

        fresh();
        stage(1);
        (void)unlink(at("way"));
        CHECK_INT(symlink("d", at("way")), 0);
        set = begin("link");
        CHECK_INT(pending_add(set, at("way/.s-1"), at("way/1"), NULL), 0);
        CHECK_INT(pending_commit(set, NULL), 0);
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK_STR(list.sets[0].moves[0].destination, at("d/1"));
        pending_list_done(&list);
        CHECK_INT(run(PENDING_NOW).placed, 1);
        CHECK_INT(placed(1, 1), 1);
        CHECK_INT(unlink(at("way")), 0);
}

/* SEC-61, SEC-69: on the way to a directory that the restore holds, somebody swaps one for a link:
 * the boot would go through it */
static void test_swapped_for_link(void) {
        struct pending_set *set;
        struct stat held, other;

        fresh();
        stage(1);
        stage(2);
        (void)unlink(at("way"));
        CHECK_INT(mkdir(at("d/victim"), 0755), 0);
        CHECK_INT(symlink("d/victim", at("way")), 0);
        CHECK_INT(stat(at("d"), &held), 0);
        CHECK_INT(stat(at("d/victim"), &other), 0);
        set = begin("swapped");
        CHECK_INT(pending_add_in(set, at("d/.s-1"), at("way/1"), held.st_dev, held.st_ino, NULL),
                  -ESTALE);
        /* nor what lies there under the staged name */
        CHECK_INT(pending_add_in(set, at("d/.s-1"), at("way/1"), other.st_dev, other.st_ino, NULL),
                  -ESTALE);
        CHECK_INT(pending_add_in(set, at("d/.s-2"), at("d/2"), held.st_dev, held.st_ino, NULL), 0);
        CHECK_INT(pending_commit(set, NULL), 0);
        CHECK_INT(run(PENDING_NOW).placed, 1);
        CHECK(faccessat(AT_FDCWD, at("d/victim/1"), F_OK, 0) < 0);
        CHECK_INT(unlink(at("way")), 0);
        CHECK_INT(unlink(at("d/.s-1")), 0);
        CHECK_INT(rmdir(at("d/victim")), 0);
}

/* a directory that was not there is staged as one */
static void test_directories(void) {
        struct pending_set *set;

        fresh();
        for (int n = 1; n <= 2; n++) {
                CHECK_INT(mkdir(at("d/.s-%d", n), 0755), 0);
                put(at("d/.s-%d/f", n), "new");
        }
        set = begin("directories");
        add(set, 1);
        add(set, 2);
        CHECK_INT(pending_commit(set, NULL), 0);
        CHECK_INT(mkdir(at("d/2"), 0755), 0); /* meanwhile; empty, but somebody's */
        CHECK_INT(run(PENDING_NOW).placed, 1);
        CHECK(is(at("d/1/f"), "new"));
        CHECK(is(at("d/.s-2/f"), "new") && is(at("d/2/f"), NULL));
        check_failed("d/2", "exists");
}

/* the journal cannot grow: the set does not count, and the ones before it do */
static void test_journal_full(void) {
        struct rlimit limit, small;
        struct pending_set *set;
        unsigned commits_failed = 0;
        struct stat st;

        fresh();
        register_set(1, 2);
        CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
        CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
        for (rlim_t more = 1; more < 700; more += 37) {
                int r;

                CHECK_INT(stat(at("pending/journal"), &st), 0);
                small = (struct rlimit){ (rlim_t)st.st_size + more, limit.rlim_max };
                stage(3);
                CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
                r = pending_begin(&settings, &session, "full", &set, NULL);
                if (r >= 0) {
                        r = pending_add(set, at("d/.s-3"), at("d/3"), NULL);
                        if (r < 0)
                                pending_abandon(set);
                        else {
                                r = pending_commit(set, NULL);
                                CHECK_INT(staged(3, 3), r >= 0);
                                commits_failed += r < 0;
                        }
                }
                CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
                CHECK(r == 0 || r == -EFBIG);
                if (r == 0)
                        break;
                (void)unlink(at("d/.s-3"));
                (void)unlink(at("keep/3"));
                CHECK(more < 650);
        }
        CHECK(commits_failed > 0);
        (void)run(PENDING_NOW);
        CHECK(strstr(said, "damaged") == NULL);
        CHECK_INT(placed(1, 3), 3);
}

/* ---- who may ---- */

/* permission is given before the boot, and for one boot */
static void test_protected(void) {
        struct pending_list list;
        int fd;

        fresh();
        register_set(1, 1);
        settings.protected_paths[0] = strdup(at("d"));
        settings.protected_count = 1;
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK(list.sets[0].moves[0].is_protected && !list.permission);
        pending_list_done(&list);
        CHECK_INT(run(PENDING_NOW).failed, 1);
        check_failed("d/1", "--allow-protected");
        CHECK_INT(placed(1, 1), 0);
        CHECK_INT(staged(1, 1), 1);

        register_set(2, 2);
        CHECK_INT(pending_permit(&settings, true, NULL), 0);
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK(list.permission);
        pending_list_done(&list);
        /* a run within this boot neither uses it nor withdraws it */
        CHECK_INT(run(0).waiting, 2);
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        CHECK(list.permission);
        pending_list_done(&list);
        fd = open(at("pending/allow-protected"), O_WRONLY | O_TRUNC | O_CLOEXEC);
        CHECK_INT(write_all(fd, "former.1", 8), 0);
        close(fd);
        CHECK_INT(run(PENDING_NOW).placed, 1);
        CHECK_INT(placed(2, 2), 1);
        CHECK(access(at("pending/allow-protected"), F_OK) < 0);
        register_set(3, 3);
        CHECK_INT(run(PENDING_NOW).failed, 1);
        CHECK_INT(pending_permit(&settings, true, NULL), 0);
        CHECK_INT(pending_permit(&settings, false, NULL), 0);
        CHECK(access(at("pending/allow-protected"), F_OK) < 0);
        free(settings.protected_paths[0]);
        settings.protected_count = 0;
}

static void as_nobody(void) {
        struct pending_set *set;

        if (setgid(65534) < 0 || setuid(65534) < 0)
                _exit(2);
        if (pending_begin(&settings, &session, "mine", &set, NULL) != -EPERM)
                _exit(1);
}

/* SEC-54: what root will do at boot is for root to say; CFG-2 */
static void test_only_root(void) {
        struct pending_list list;
        struct pending_summary sum;

        fresh();
        register_set(1, 1);
        CHECK(!run_until(as_nobody, 100000));
        CHECK_INT(chmod(at("pending"), 0777), 0);
        CHECK_INT(pending_run(&settings, PENDING_NOW, NULL, NULL, &sum, NULL), -EPERM);
        CHECK_INT(pending_read(&settings, &list, NULL), -EPERM);
        CHECK_INT(chmod(at("pending"), 0700), 0);
        CHECK_INT(chown(at("pending"), 65534, 65534), 0);
        CHECK_INT(pending_run(&settings, PENDING_NOW, NULL, NULL, &sum, NULL), -EPERM);
        CHECK_INT(chown(at("pending"), 0, 0), 0);
        CHECK_INT(placed(1, 1), 0);
        CHECK_INT(run(PENDING_NOW).placed, 1);
}

/* ---- discarding, several at once ---- */

static void test_discard(void) {
        struct pending_list list;
        char id[VSS_ID_TEXT_SIZE];
        uint64_t removed;

        fresh();
        register_set(1, 2);
        register_set(3, 3);
        CHECK_INT(pending_discard(&settings, "", &removed, NULL), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(pending_discard(&settings, "zz", &removed, NULL), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(pending_read(&settings, &list, NULL), 0);
        vss_id_format(&list.sets[0].id, id);
        pending_list_done(&list);
        id[13] = '\0';
        CHECK_INT(pending_discard(&settings, id, &removed, NULL), 0);
        CHECK_INT(removed, 2);
        CHECK_INT(staged(1, 3), 1);
        CHECK_INT(pending_discard(&settings, id, &removed, NULL), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(run(PENDING_NOW).placed, 1);
        CHECK_INT(placed(1, 3), 1);
        CHECK(!has_journal());
}

static void test_at_once(void) {
        struct pending_summary sum;
        struct pending_set *a, *b;

        fresh();
        a = begin("a");
        b = begin("b");
        stage(1);
        stage(2);
        stage(3);
        add(a, 1);
        add(b, 2);
        add(a, 3);
        CHECK_INT(pending_run(&settings, PENDING_NOW, NULL, NULL, &sum, NULL), -EBUSY);
        CHECK_INT(pending_commit(a, NULL), 0);
        CHECK(!pending_abandon(b));
        CHECK_INT(run(PENDING_NOW).placed, 2);
        CHECK_INT(placed(1, 3), 2);
        CHECK_INT(staged(1, 3), 0);
}

/* ---- R-155 ---- */

static size_t reasons(const char *last) {
        char **list;
        size_t count;

        CHECK_INT(reboot_reasons(&settings, &list, &count, NULL), 0);
        if (last)
                CHECK_STR(count ? list[count - 1] : NULL, last);
        for (size_t i = 0; i < count; i++)
                free(list[i]);
        free(list);
        return count;
}

static void test_reboot(void) {
        fresh();
        CHECK_INT(reasons(NULL), 0);
        CHECK_INT(reboot_require(&settings, "writer 'Shop' says so", NULL), 0);
        CHECK_INT(reboot_require(&settings, "another\nline", NULL), 0);
        CHECK_INT(reboot_require(&settings, "writer 'Shop' says so", NULL), 0);
        CHECK_INT(reasons("another line"), 2);
        CHECK_INT(reboot_happened(&settings), 0);
        CHECK_INT(reasons(NULL), 2);
        register_set(1, 2);
        CHECK_INT(reasons("'files': 2 files are put in place then"), 3);
        (void)run(PENDING_NOW);
        CHECK_INT(reasons(NULL), 2);
        put(at("run/reboot-required"), "former.1\nold reason\n");
        CHECK_INT(reasons(NULL), 0);
        CHECK_INT(reboot_require(&settings, "new reason", NULL), 0);
        CHECK_INT(reasons("new reason"), 1);
        put(at("run/reboot-required"), "former.1\nold reason\n");
        CHECK_INT(reboot_happened(&settings), 0);
        CHECK(access(at("run/reboot-required"), F_OK) < 0);
        CHECK_INT(reboot_happened(&settings), 0);
}

int main(void) {
        char *protected[1] = { NULL };

        if (geteuid() != 0)
                SKIP("needs root");
        scratch_folder(folder);
        settings = (struct restore_settings){ .pending_dir = strdup(at("pending")),
                                              .runtime_dir = strdup(at("run")),
                                              .state_dir = strdup(at("state")),
                                              .protected_paths = protected };
        RUN(test_boot);
        RUN(test_same_destination);
        RUN(test_abandoned);
        RUN(test_torn_at_every_byte);
        RUN(test_every_byte_flipped);
        RUN(test_run_killed);
        RUN(test_register_killed);
        RUN(test_obstacles);
        RUN(test_refused);
        RUN(test_link_on_the_way);
        RUN(test_swapped_for_link);
        RUN(test_directories);
        RUN(test_journal_full);
        RUN(test_protected);
        RUN(test_only_root);
        RUN(test_discard);
        RUN(test_at_once);
        RUN(test_reboot);
        free(settings.pending_dir);
        free(settings.runtime_dir);
        free(settings.state_dir);
        return 0;
}
