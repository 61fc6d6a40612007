/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timer.h - many timers behind the one that the clock port offers.
 *
 * A timer lies inside the structure that it belongs to; setting and stopping never allocates.
 */
#ifndef COORDINATOR_TIMER_H
#define COORDINATOR_TIMER_H

#include "coordinator/ports.h"

struct timer {
        struct timer *next, **link; /* link: NULL while it does not run */
        uint64_t at_us;
        void (*fire)(struct timer *timer); /* may free what holds the timer */
};

struct timers {
        const struct ports *ports;
        struct timer *first; /* in no order: there are tens of them */
        uint64_t armed_us;
};

/* container() - the structure that holds @member */
#define container(pointer, type, member)                                                           \
        ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

uint64_t timers_now(const struct timers *timers);

/* timer_set() - fire once at @at_us, from timers_run(); a running timer is moved */
void timer_set(struct timers *timers, struct timer *timer, uint64_t at_us,
               void (*fire)(struct timer *timer));
void timer_stop(struct timer *timer);

/* timers_run() - fire all that are due, also those that firing makes due */
void timers_run(struct timers *timers);

#endif
