/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

/* how long the bus itself is willing to wait, from now */
static int bus_patience(sd_bus *bus, uint64_t *ret) {
        uint64_t until, now = monotonic_us();
        int r = sd_bus_get_timeout(bus, &until);

        if (r < 0)
                return r;
        if (r == 0 || until == UINT64_MAX)
                *ret = UINT64_MAX;
        else
                *ret = until > now ? until - now : 0;
        return 0;
}

int loop_wait(sd_bus *bus, int a, int b, uint64_t timeout_us) {
        struct pollfd fds[3] = { { .fd = sd_bus_get_fd(bus) },
                                 { .fd = a, .events = POLLIN }, /* poll ignores -1 */
                                 { .fd = b, .events = POLLIN } };
        struct timespec ts;
        uint64_t patience;
        int r = sd_bus_get_events(bus);

        if (fds[0].fd < 0)
                return fds[0].fd;
        if (r < 0)
                return r;
        fds[0].events = (short)r;
        r = bus_patience(bus, &patience);
        if (r < 0)
                return r;
        if (timeout_us < patience)
                patience = timeout_us;
        ts.tv_sec = (time_t)(patience / 1000000);
        ts.tv_nsec = (long)(patience % 1000000) * 1000;

        if (ppoll(fds, 3, patience == UINT64_MAX ? NULL : &ts, NULL) < 0)
                return errno == EINTR ? 0 : -errno;
        return (fds[1].revents ? 1 : 0) | (fds[2].revents ? 2 : 0);
}

static int term_fd = -1;

static void on_term(int signal_number) {
        uint64_t one = 1;
        int saved = errno;

        (void)!write(term_fd, &one, sizeof(one));
        errno = saved;
}

static void on_ignored(int signal_number) {
}

int loop_catch_signals(struct loop_signals *ret) {
        struct sigaction term = { .sa_handler = on_term, .sa_flags = SA_RESTART };
        struct sigaction ignored = { .sa_handler = on_ignored, .sa_flags = SA_RESTART };

        ret->fd = term_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (term_fd < 0)
                return -errno;
        sigaction(SIGTERM, &term, &ret->term);
        sigaction(SIGINT, &ignored, &ret->interrupt);
        sigaction(SIGHUP, &ignored, &ret->hangup);
        return 0;
}

void loop_release_signals(struct loop_signals *signals) {
        sigaction(SIGTERM, &signals->term, NULL);
        sigaction(SIGINT, &signals->interrupt, NULL);
        sigaction(SIGHUP, &signals->hangup, NULL);
        close(signals->fd);
        signals->fd = term_fd = -1;
}
