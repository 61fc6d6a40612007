/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * moving.h - a program that writes while copies are made.
 */
#ifndef VSS_PROVIDER_SUITE_MOVING_H
#define VSS_PROVIDER_SUITE_MOVING_H

#include <stdint.h>
#include <sys/types.h>

enum { MOVING_COUNTERS = 4 };

struct moving_writer {
        pid_t pid;
        int to, from;
};

/* moving_start() - it writes below @root, where tree_make() was */
struct moving_writer moving_start(const char *root);
void moving_end(struct moving_writer *w);
/* moving_read() - how far it has come, in @root, which the words call @whose */
void moving_read(const char *root, uint64_t values[MOVING_COUNTERS], const char *whose);

/* moving_writers() - the scenario */
void moving_writers(void);

#endif
