/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timer.c - keeps the clock port armed for the earliest timer. A stopped timer leaves the port
 * armed too early at worst: a wake-up for nothing is cheaper than asking the port at each stop.
 */
#include "coordinator/timer.h"

uint64_t timers_now(const struct timers *timers) {
        return timers->ports->clock->now_us(timers->ports->userdata);
}

static void arm(struct timers *timers, uint64_t at_us) {
        timers->armed_us = at_us;
        timers->ports->clock->arm(timers->ports->userdata, at_us);
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t at_us,
               void (*fire)(struct timer *timer)) {
        timer_stop(timer);
        timer->at_us = at_us;
        timer->fire = fire;
        timer->next = timers->first;
        timer->link = &timers->first;
        if (timer->next)
                timer->next->link = &timer->next;
        timers->first = timer;
        if (at_us < timers->armed_us)
                arm(timers, at_us);
}

void timer_stop(struct timer *timer) {
        if (!timer->link)
                return;
        *timer->link = timer->next;
        if (timer->next)
                timer->next->link = timer->link;
        timer->link = NULL;
        timer->next = NULL;
}

static struct timer *earliest(struct timers *timers) {
        struct timer *found = timers->first;

        /* the list begins with the newest: of equal ones the oldest comes first */
        for (struct timer *t = timers->first; t; t = t->next)
                if (t->at_us <= found->at_us)
                        found = t;
        return found;
}

void timers_run(struct timers *timers) {
        struct timer *timer;

        while ((timer = earliest(timers)) && timer->at_us <= timers_now(timers)) {
                timer_stop(timer);
                timer->fire(timer);
        }
        arm(timers, timer ? timer->at_us : UINT64_MAX);
}
