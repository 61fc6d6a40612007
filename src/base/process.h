/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - start a program with exactly the descriptors it is meant to have.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
        pid_t pid;
        int pidfd;
};

#define PROCESS_NONE ((struct process){ 0, -1 })

enum {
        PROCESS_NEW_SESSION = 1 << 0, /* setsid(): signals of the terminal do not reach it */
        PROCESS_DIE_WITH_PARENT = 1
                                  << 1, /* PR_SET_PDEATHSIG SIGKILL; not for who holds something */
        PROCESS_NULL_STDIO = 1 << 2, /* 0 and 1 are /dev/null; 2 stays, for words before the log */
        PROCESS_CLEAN_ENVIRONMENT = 1 << 3 /* PATH and nothing else (SEC-60) */
};

/* process_settle() - first thing in main(): a standard descriptor that is closed is taken, so that
 * no file gets its number and the words meant for it; writing to @1 stays an error then. A file
 * size limit (RLIMIT_FSIZE) is an error of the write, not a death */
void process_settle(void);

/* process_raise_descriptors() - as many as the hard limit allows. What is spawned gets the
 * customary 1024 at most: programs that use select(2) break with more */
void process_raise_descriptors(void);

/*
 * process_spawn() - run @path with @argv; @fd (or -1) becomes descriptor 3 of the program, every
 * other above 2 is closed. Signals are default and unblocked. The caller keeps its own @fd.
 *
 * Return: 0, or a negative errno, that of execve(2) included
 */
int process_spawn(const char *path, char *const argv[], int fd, unsigned flags,
                  struct process *ret);

/* process_wait() - reap; returns the wait status or negative errno; -ETIMEDOUT after
 * @timeout_ms (-1 forever). Closes the pidfd when reaped */
int process_wait(struct process *process, int timeout_ms);

/* process_kill() - SIGKILL through the pidfd and reap; accepts PROCESS_NONE */
void process_kill(struct process *process);

/* process_start_time() - in ticks since the machine started: with the number it tells a process
 * from a later one of the same number. 0: there is no such process */
unsigned long long process_start_time(pid_t pid);

/* boot_identity() - what changes whenever the machine, or the container, is started anew; the text
 * has no blanks. 0, or negative errno */
#define BOOT_IDENTITY_SIZE 64
int boot_identity(char ret[BOOT_IDENTITY_SIZE]);

/* socketpair_cloexec() - a connected pair of stream sockets */
int socketpair_cloexec(int ret[2]);

#endif
