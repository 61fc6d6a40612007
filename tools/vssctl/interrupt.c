/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interrupt.c - SIGINT, SIGTERM and SIGHUP ask for an end; whoever works looks now and then, and
 * ends in order.
 */
#define _GNU_SOURCE
#include <signal.h>

#include "vssctl.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
        interrupted = number;
}

void watch_interrupts(void) {
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
        (void)sigaction(SIGHUP, &action, NULL);
}

bool is_interrupted(void) {
        return interrupted != 0;
}
