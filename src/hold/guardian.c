/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guardian.c - the second of the two: waits for something to go wrong, then thaws everything.
 *
 * It takes no requests. It acts at the limit, when the freezer ends for whatever reason, when the
 * client hangs up and on SIGTERM, and goes when the freezer has gone and nothing is left to do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "hold/hold.h"

enum { FREEZER, CLIENT, TIMER, SIGNAL, TICK, SOURCES };

/* How long after the limit a freezer may still leave the fate of a freeze open. Stopped between
 * two instructions it would keep us thawing for ever, also what somebody else freezes later. */
#define PATIENCE_US UINT64_C(2000000)

static const enum hold_reason reasons[] = {
        [FREEZER] = HOLD_REASON_FREEZER_DIED,
        [CLIENT] = HOLD_REASON_CLIENT_GONE,
        [TIMER] = HOLD_REASON_EXPIRED,
        [SIGNAL] = HOLD_REASON_TERMINATED,
};

static void kill_freezer_that_stands_still(struct pollfd *poll_fds, uint64_t since) {
        if (poll_fds[FREEZER].fd >= 0 && monotonic_us() - since > PATIENCE_US)
                (void)syscall(SYS_pidfd_send_signal, poll_fds[FREEZER].fd, SIGKILL, NULL, 0);
}

/* Take note of what is ready; a source is heard once. */
static void hear(struct hold *hold, struct pollfd *poll_fds, uint64_t *broken_us) {
        for (unsigned i = 0; i < ELEMENTSOF(reasons); i++) {
                if (poll_fds[i].fd < 0 || !poll_fds[i].revents)
                        continue;
                poll_fds[i].fd = -1;
                if (i == FREEZER)
                        atomic_store(&hold->crew.final, 1);
                if (*broken_us == 0 && hold_break(hold, reasons[i]))
                        *broken_us = monotonic_us();
        }
}

void hold_guardian(struct hold *hold, int freezer_pidfd) {
        struct pollfd poll_fds[SOURCES] = {
                [FREEZER] = { freezer_pidfd, POLLIN, 0 },
                [CLIENT] = { hold->client_fd, 0, 0 }, /* POLLHUP comes unasked */
                [TIMER] = { hold->timer_fd, POLLIN, 0 },
                [SIGNAL] = { hold->signal_fd, POLLIN, 0 },
                [TICK] = { hold->crew.tick_fd, POLLIN, 0 },
        };
        uint64_t broken_us = 0;
        eventfd_t ticks;

        for (;;) {
                bool alone = poll_fds[FREEZER].fd < 0;

                if (hold_record_all_final(hold->record) && (broken_us || alone))
                        return;
                if (poll(poll_fds, SOURCES, broken_us ? 100 : -1) < 0)
                        continue;
                if (poll_fds[TICK].revents)
                        (void)eventfd_read(hold->crew.tick_fd, &ticks);
                hear(hold, poll_fds, &broken_us);
                if (broken_us && !hold_record_all_final(hold->record))
                        kill_freezer_that_stands_still(poll_fds, broken_us);
        }
}
