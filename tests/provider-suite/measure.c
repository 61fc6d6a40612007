/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure.c - the figures of docs/providers.md: how long each step of a set takes.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <time.h>

#include "cases.h"

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void measure(void) {
        static const char *const names[] = { "begin",       "end_prepare", "pre_commit", "commit",
                                             "post_commit", "pre_final",   "post_final" };
        struct rusage usage;

        for (int i = 0; i < 3; i++) {
                struct set set = set_new();
                struct vss_id left;
                uint32_t deleted;
                double start;

                for (unsigned step = BEGIN; step < STEPS; step++) {
                        start = now();
                        set_run(&set, (enum step)step, (enum step)step);
                        printf("%s %.1f ms  ", names[step], (now() - start) * 1000);
                }
                start = now();
                CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left),
                          0);
                printf("delete %.1f ms\n", (now() - start) * 1000);
        }
        getrusage(RUSAGE_SELF, &usage);
        printf("peak memory %ld KiB\n", usage.ru_maxrss);
}
