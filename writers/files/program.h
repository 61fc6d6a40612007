/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.h - run one program of the administrator's, with a deadline, and leave nothing of it
 * behind: not when it hangs, not when this process is killed in the middle.
 */
#ifndef WRITERS_FILES_PROGRAM_H
#define WRITERS_FILES_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

/*
 * program_open() - SEC-60: one existing regular file, executable, owned by root or by the caller,
 * not writable by group or others
 *
 * Return: descriptor by which it is executed, or a negative code with words
 */
int program_open(const char *path, struct vss_error *reterr);

/* program_check() - at the start: may setting @key of [hooks] be run? Words name it */
int program_check(const char *key, const char *path, struct vss_error *reterr);

/* program_veto() - the code that vetoes: a program's failure may pass, a wrong program will not
 * (B-83) */
int program_veto(int r);

/* what a program may be told besides PATH and LC_ALL */
enum { PROGRAM_VARIABLES = 6 };

/*
 * program_run() - run it and wait
 * @variables:   "NAME=VALUE" of its otherwise clean environment, at most PROGRAM_VARIABLES, NULL
 * @lock_name:   while any part of the program may still run, the abstract socket of this name is
 *               bound (program_wait_gone()); NULL for none
 *
 * The program gets /dev/null as input, and what it says on its output and error becomes part of
 * the failure's words. It leads a process group of its own, which is killed when the deadline is
 * over, when the program fails, and when this process dies; never after success, so that it may
 * leave something running.
 *
 * Return: 0 when it ended with 0; -ETIMEDOUT, -ECANCELED or -errno with words otherwise
 */
int program_run(const char *path, const char *const *variables, const char *lock_name,
                uint32_t timeout_ms, struct vss_error *reterr);

/* program_wait_gone() - until nothing of the program that was run with @lock_name is left.
 * Return: 0, -ETIMEDOUT, other negative errno */
int program_wait_gone(const char *lock_name, uint32_t timeout_ms);

#endif
