/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory.c - the fault injector, on which other suites rely (CFG-37).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

static int set_fault(const char *key, const char *value) {
        return ops->configure(&provider, key, value, &words);
}

/* end_of() - how a process that ends the preparation of a set ends: its signal, 0 when it
 * still runs after half a second */
static int end_of(const char *key) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0) {
                struct set set = set_new();

                CHECK_INT(set_fault(key, "end_prepare_snapshots"), 0);
                set_run(&set, BEGIN, END_PREPARE);
                _exit(0);
        }
        for (int i = 0; i < 50; i++) {
                if (waitpid(pid, &status, WNOHANG) == pid)
                        return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
                usleep(10000);
        }
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return 0;
}

void memory_faults(void) {
        struct set set = set_new();
        struct timespec before, after;

        CHECK_INT(set_fault("fail_at", "commit_snapshots"), 0);
        set_run(&set, BEGIN, PRE_COMMIT);
        CHECK_INT(set_step(&set, COMMIT), VSS_E_PROVIDER_VETO);
        CHECK(strstr(words.message, "commit_snapshots"));
        provider_restart();
        CHECK_INT(set_fault("fail_at", "commit_snapshots:1"), 0); /* PT-3: S_FALSE */
        set_run(&set, BEGIN, PRE_COMMIT);
        CHECK_INT(set_step(&set, COMMIT), S_FALSE);
        provider_restart();
        CHECK_INT(set_fault("fail_at", "end_prepare_snapshots:VSS_E_INSUFFICIENT_STORAGE"), 0);
        set_run(&set, BEGIN, BEGIN);
        CHECK_INT(set_step(&set, END_PREPARE), VSS_E_INSUFFICIENT_STORAGE);
        provider_restart();
        CHECK_INT(set_fault("delay_at", "begin_prepare_snapshot:120"), 0);
        clock_gettime(CLOCK_MONOTONIC, &before);
        set_run(&set, BEGIN, BEGIN);
        clock_gettime(CLOCK_MONOTONIC, &after);
        CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >=
              120);
        provider_restart();
        CHECK_INT(end_of("die_at"), SIGKILL);
        CHECK_INT(end_of("hang_at"), 0);
        CHECK_INT(set_fault("delay_at", "query"), E_INVALIDARG);
        CHECK_INT(set_fault("fail_at", "query:nonsense"), E_INVALIDARG);
        printf("ok memory_faults\n");
}
