/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sqlite writer below programs that write all the time: what the shadow copy holds, and what
 * the programs feel.
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

enum { HAMMERS = 2 };

static int rounds(void) {
        const char *text = getenv("TEST_ROUNDS");

        return text ? atoi(text) : 8; /* the system suite asks for 50 */
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

int main(int argc, char **argv) {
        RUN(test_hammered_wal);
        RUN(test_hammered_delete);
        RUN(test_hammered_persist);
        RUN(test_killed_while_frozen);
        return 0;
}
