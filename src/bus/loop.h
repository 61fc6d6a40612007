/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop.h - waiting for a connection and a thing or two more, and the signals of a started program.
 * For libvss, which has no event loop of its own; vssd has sd-event.
 */
#ifndef BUS_LOOP_H
#define BUS_LOOP_H

#include <signal.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* loop_wait() - until the bus has something to do, @a or @b (or -1) is readable, or @timeout_us
 * (UINT64_MAX: for ever) is over. A signal handler ends it as well.
 * Return: 1 for @a, 2 for @b, 3 for both, 0 otherwise, negative errno */
int loop_wait(sd_bus *bus, int a, int b, uint64_t timeout_us);

/* What hosts do with signals: SIGTERM makes a descriptor readable (and it stays so), SIGINT and
 * SIGHUP of a terminal mean others. Handlers and not SIG_IGN: what a plug-in starts must not
 * inherit deafness. One at a time in a process. */
struct loop_signals {
        struct sigaction term, interrupt, hangup; /* what was before */
        int fd;
};
int loop_catch_signals(struct loop_signals *ret);
void loop_release_signals(struct loop_signals *signals);

#endif
