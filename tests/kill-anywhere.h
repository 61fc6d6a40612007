/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kill-anywhere.h - run something in a child and end it by SIGKILL at one of its system calls: with
 * growing numbers, at every one. Not for what has threads.
 */
#ifndef TESTS_KILL_ANYWHERE_H
#define TESTS_KILL_ANYWHERE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"

/* run_until() - @action in a child that is killed at its system call number @stop; false when it
 * ended by itself before that. It may _exit(), with 0 if all was well */
static inline bool run_until(void (*action)(void), unsigned stop) {
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                (void)raise(SIGSTOP);
                action();
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFSTOPPED(status));
        for (unsigned n = 0; n < stop; n++) {
                CHECK_INT(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
                CHECK_INT(waitpid(pid, &status, 0), pid);
                if (WIFEXITED(status)) {
                        CHECK_INT(WEXITSTATUS(status), 0);
                        return false;
                }
                CHECK(WIFSTOPPED(status));
        }
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        return true;
}

#endif
