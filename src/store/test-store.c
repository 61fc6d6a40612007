/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-store.c - records with real files, real locks and owners that are killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/record.h"
#include "store/store.h"
#include "tests/check.h"
#include "tests/scratch.h"

static char root[] = "/var/tmp/vss-store-XXXXXX";
static char runtime_dir[64], state_dir[64];

static const char token[] = { 0, 1, '\n', ' ', (char)0xff, 'x' };

static struct set_record sample(uint32_t context) {
        static const struct record_copy copies[] = {
                { .provider = "btrfs", .volume = "UUID=1 2\n3", .mount_point = "/srv/\xff data" },
                { .provider = "mirror", .volume = "", .mount_point = "/", .hold = true },
        };
        static const struct record_undo undos[] = {
                { .writer = "sqlite",
                  .instance_name = "ins tance",
                  .token = token,
                  .token_size = sizeof(token) },
                { .writer = "", .instance_name = "", .token = "", .token_size = 0 },
        };
        struct set_record record = { .context = context,
                                     .reached_writers = true,
                                     .copies = copies,
                                     .n_copies = 2,
                                     .undos = undos,
                                     .n_undos = 2 };

        CHECK_INT(vss_id_new(&record.set_id), 0);
        CHECK_INT(vss_id_new(&record.session_id), 0);
        return record;
}

static void check_same(const struct set_record *a, const struct set_record *b) {
        CHECK(vss_id_equal(&a->set_id, &b->set_id));
        CHECK(vss_id_equal(&a->session_id, &b->session_id));
        CHECK_INT(a->context, b->context);
        CHECK_INT(a->created, b->created);
        CHECK_INT(a->reached_writers, b->reached_writers);
        CHECK_INT(a->n_copies, b->n_copies);
        CHECK_INT(a->n_undos, b->n_undos);
        for (size_t i = 0; i < a->n_copies; i++) {
                CHECK_STR(a->copies[i].provider, b->copies[i].provider);
                CHECK_STR(a->copies[i].volume, b->copies[i].volume);
                CHECK_STR(a->copies[i].mount_point, b->copies[i].mount_point);
                CHECK_INT(a->copies[i].hold, b->copies[i].hold);
        }
        for (size_t i = 0; i < a->n_undos; i++) {
                CHECK_STR(a->undos[i].writer, b->undos[i].writer);
                CHECK_STR(a->undos[i].instance_name, b->undos[i].instance_name);
                CHECK_INT(a->undos[i].token_size, b->undos[i].token_size);
                CHECK(memcmp(a->undos[i].token, b->undos[i].token, a->undos[i].token_size) == 0);
        }
}

static void fresh(void) {
        CHECK_INT(remove_tree(AT_FDCWD, runtime_dir), 0);
        CHECK_INT(remove_tree(AT_FDCWD, state_dir), 0);
}

static struct store *open_store(void) {
        struct vss_error error = VSS_ERROR_INIT;
        struct store *s = NULL;

        if (store_open(runtime_dir, state_dir, &s, &error) < 0)
                CHECK_FAIL_("%s", error.message);
        return s;
}

/* ---- what is counted while adopting ---- */

struct seen {
        unsigned n, damaged;
        struct set_record expected;
};

static int count(void *userdata, const struct set_record *record) {
        struct seen *seen = userdata;

        seen->n++;
        if (seen->expected.n_copies > 0)
                check_same(record, &seen->expected);
        return 0;
}

static void count_damaged(void *userdata, const char *path, const char *words) {
        struct seen *seen = userdata;

        CHECK(strstr(path, "/sets/"));
        CHECK(*words);
        seen->damaged++;
}

/* a process that opens the store, does @deed, says so, and waits to be killed */
static pid_t live_elsewhere(void (*deed)(struct store *)) {
        int pipe_fds[2];
        char byte;
        pid_t pid;

        CHECK_INT(pipe(pipe_fds), 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                deed(open_store());
                CHECK(write(pipe_fds[1], "x", 1) == 1);
                for (;;)
                        pause();
        }
        close(pipe_fds[1]);
        CHECK_INT(read(pipe_fds[0], &byte, 1), 1);
        close(pipe_fds[0]);
        return pid;
}

static void kill_and_reap(pid_t pid) {
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static void test_text_and_back(void) {
        struct set_record record = sample(VSS_CTX_BACKUP);
        struct vss_id life;
        struct record_read read;
        char *text;
        size_t size;

        CHECK_INT(vss_id_new(&life), 0);
        record.created = true;
        CHECK_INT(record_format(&record, &life, &text, &size), 0);
        CHECK_INT(record_parse(text, size, &read, NULL), 0);
        check_same(&read.record, &record);
        CHECK(vss_id_equal(&read.life, &life));
        record_done(&read);
        free(text);
}

/* a record that ends anywhere, or has one byte changed, is never taken for a whole one */
static void test_torn_record(void) {
        struct set_record record = sample(VSS_CTX_BACKUP);
        struct vss_id life;
        struct record_read read;
        char *text;
        size_t size;

        CHECK_INT(vss_id_new(&life), 0);
        CHECK_INT(record_format(&record, &life, &text, &size), 0);
        for (size_t i = 0; i < size; i++) {
                char *cut = malloc(size + 1);

                memcpy(cut, text, size + 1);
                cut[i] = '\0';
                CHECK(record_parse(cut, i, &read, NULL) < 0);
                memcpy(cut, text, size + 1);
                cut[i] = (char)(cut[i] ^ 1);
                CHECK(record_parse(cut, size, &read, NULL) < 0);
                free(cut);
        }
        free(text);
}

static struct set_record theirs;

static void write_theirs(struct store *s) {
        CHECK_INT(store_write(s, &theirs, NULL), 0);
}

/* S-47: the record of a killed life is adopted whole, that of a running one left alone */
static void adopt_of(uint32_t context) {
        struct seen seen = { 0 };
        struct store *s;
        pid_t pid;

        fresh();
        theirs = sample(context);
        pid = live_elsewhere(write_theirs);
        s = open_store();
        seen.expected = theirs;
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 0);
        CHECK(store_is_elsewhere(s, &theirs.set_id, context));
        CHECK(!store_is_elsewhere(s, &theirs.session_id, context));
        kill_and_reap(pid);
        CHECK(!store_is_elsewhere(s, &theirs.set_id, context));
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 1);
        CHECK(!store_is_elsewhere(s, &theirs.set_id, context));
        CHECK_INT(seen.n, 1);
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 0); /* ours now */
        CHECK_INT(store_remove(s, &theirs.set_id, context, NULL), 0);
        CHECK_INT(store_remove(s, &theirs.set_id, context, NULL), 0);
        store_close(s);
        s = open_store();
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 0);
        CHECK_INT(seen.damaged, 0);
        store_close(s);
}

static void test_adopts_from_the_killed(void) {
        adopt_of(VSS_CTX_BACKUP);
        adopt_of(VSS_CTX_APP_ROLLBACK);
}

/* a life that ended in order leaves its records too: what it could not undo */
static void test_adopts_after_orderly_end(void) {
        struct seen seen = { 0 };
        struct store *s;

        fresh();
        theirs = sample(VSS_CTX_BACKUP);
        s = open_store();
        write_theirs(s);
        store_close(s);
        s = open_store();
        CHECK_INT(store_adopt(s, count, NULL, &seen, NULL), 1);
        store_close(s);
}

/* a reboot empties the runtime folder: lasting records are found, their life is over */
static void test_adopts_after_reboot(void) {
        struct seen seen = { 0 };
        struct store *s;

        fresh();
        theirs = sample(VSS_CTX_NAS_ROLLBACK);
        s = open_store();
        write_theirs(s);
        CHECK_INT(remove_tree(AT_FDCWD, runtime_dir), 0);
        store_close(s);
        s = open_store();
        CHECK_INT(store_adopt(s, count, NULL, &seen, NULL), 1);
        store_close(s);
}

static void test_damaged_is_put_aside(void) {
        struct seen seen = { 0 };
        char path[200], aside[220];
        struct store *s;

        fresh();
        s = open_store();
        (void)snprintf(path, sizeof(path), "%s/sets/00000000-0000-0000-0000-000000000001.set",
                       state_dir);
        (void)snprintf(aside, sizeof(aside), "%s.damaged", path);
        CHECK_INT(write_file_atomic(AT_FDCWD, path, "vss-set 1\nset", 13, 0600), 0);
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 0);
        CHECK_INT(seen.damaged, 1);
        CHECK(access(path, F_OK) < 0 && access(aside, F_OK) == 0);
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 0);
        CHECK_INT(seen.damaged, 1);
        store_close(s);
}

/* S-13, S-46: one slot for all processes, free when its holder is killed */
static void take_slot(struct store *s) {
        struct vss_id id;

        CHECK_INT(vss_id_new(&id), 0);
        CHECK_INT(store_slot_acquire(s, &id, NULL), 0);
}

static void test_slot(void) {
        struct vss_error error = VSS_ERROR_INIT;
        struct vss_id id;
        struct store *s;
        char pid_text[32];
        pid_t pid;

        fresh();
        CHECK_INT(vss_id_new(&id), 0);
        pid = live_elsewhere(take_slot);
        s = open_store();
        CHECK_INT(store_slot_acquire(s, &id, &error), VSS_E_SNAPSHOT_SET_IN_PROGRESS);
        (void)snprintf(pid_text, sizeof(pid_text), "process %d", (int)pid);
        CHECK(strstr(error.message, pid_text));
        kill_and_reap(pid);
        CHECK_INT(store_slot_acquire(s, &id, &error), 0);
        CHECK_INT(store_slot_acquire(s, &id, &error), VSS_E_SNAPSHOT_SET_IN_PROGRESS);
        store_slot_release(s);
        store_slot_release(s);
        CHECK_INT(store_slot_acquire(s, &id, &error), 0);
        store_close(s);
        vss_error_clear(&error);
}

/* a full disk is an error before the deed, and the older record stays whole */
static void on_full_disk(void) {
        struct vss_error error = VSS_ERROR_INIT;
        struct set_record record;
        struct record_undo large;
        struct seen seen = { 0 };
        struct store *s;

        fresh();
        CHECK_INT(mkdir_parents(runtime_dir, 0700), 0);
        if (mount("vss-test", runtime_dir, "tmpfs", 0, "size=64k") < 0)
                SKIP("no tmpfs can be mounted: %s", strerror(errno));
        s = open_store();
        record = sample(VSS_CTX_BACKUP);
        CHECK_INT(store_write(s, &record, &error), 0);
        seen.expected = record;
        large = (struct record_undo){ .writer = "w",
                                      .instance_name = "",
                                      .token = calloc(1, 64 << 10),
                                      .token_size = 64 << 10 };
        record.undos = &large;
        record.n_undos = 1;
        CHECK_INT(store_write(s, &record, &error), -ENOSPC);
        CHECK(strstr(error.message, runtime_dir));
        store_close(s);
        s = open_store();
        CHECK_INT(store_adopt(s, count, count_damaged, &seen, NULL), 1);
        CHECK_INT(seen.damaged, 0);
        store_close(s);
        free((void *)(uintptr_t)large.token);
        vss_error_clear(&error);
}

static void test_full_disk(void) {
        int status;
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0) {
                if (unshare(CLONE_NEWNS) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        SKIP("no mount namespace of our own: %s", strerror(errno));
                on_full_disk();
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                printf("skipped test_full_disk\n");
        else
                CHECK_INT(WEXITSTATUS(status), 0);
}

int main(void) {
        scratch_folder(root);
        (void)snprintf(runtime_dir, sizeof(runtime_dir), "%s/run", root);
        (void)snprintf(state_dir, sizeof(state_dir), "%s/state", root);
        RUN(test_text_and_back);
        RUN(test_torn_record);
        RUN(test_adopts_from_the_killed);
        RUN(test_adopts_after_orderly_end);
        RUN(test_adopts_after_reboot);
        RUN(test_damaged_is_put_aside);
        RUN(test_slot);
        RUN(test_full_disk);
        return 0;
}
