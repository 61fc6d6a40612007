/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coordinator.c - the coordinator is made, asked the time, and ends.
 */
#include "coordinator/inside.h"

#define SECONDS UINT64_C(1000000)

static uint64_t at_most(uint64_t value, uint64_t most) { /* CFG-5 */
        return value > 0 && value < most ? value : most;
}

static uint64_t or_default(uint64_t value, uint64_t fallback) {
        return value > 0 ? value : fallback;
}

/* the hold and everything inside it can be shortened, never lengthened */
static uint64_t deadline(const struct coordinator_settings *s, enum phase_id id) {
        uint64_t value = s->deadline_us[id], usual = phases[id].deadline_us;

        return phases[id].flags & ROW_IN_HOLD ? at_most(value, usual) : or_default(value, usual);
}

static struct coordinator_settings complete(const struct coordinator_settings *from) {
        struct coordinator_settings s = from ? *from : (struct coordinator_settings){ 0 };
        uint64_t accessible = or_default(s.max_client_accessible, 64);

        if (!(s.scale > 0))
                s.scale = 1;
        for (enum phase_id id = 0; id < PHASE_COUNT; id++)
                s.deadline_us[id] = (uint64_t)((double)deadline(&s, id) * s.scale);
        s.freeze_window_us =
                (uint64_t)((double)at_most(s.freeze_window_us, 60 * SECONDS) * s.scale);
        s.set_idle_us = (uint64_t)((double)or_default(s.set_idle_us, 300 * SECONDS) * s.scale);
        s.max_sessions_per_uid = (uint32_t)or_default(s.max_sessions_per_uid, 16);
        s.max_volumes = (uint32_t)at_most(s.max_volumes, MAX_VOLUMES);
        s.max_copies_per_volume = (uint32_t)at_most(s.max_copies_per_volume, 512);
        s.max_client_accessible = accessible <= 512 ? (uint32_t)accessible : 64; /* CT-4 */
        s.presync_rounds = (uint32_t)or_default(s.presync_rounds, 2);
        return s;
}

int coordinator_new(const struct ports *ports, const struct coordinator_settings *settings,
                    struct coordinator **ret) {
        struct coordinator *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->own_ports = *ports;
        c->ports = &c->own_ports;
        c->settings = complete(settings);
        c->timers = (struct timers){ .ports = c->ports, .armed_us = UINT64_MAX };
        if (notes_reserve(c, MIN_NOTES) < 0) {
                free(c);
                return -ENOMEM;
        }
        *ret = c;
        return 0;
}

static void cancel_sessions(struct coordinator *c) {
        while (c->sessions) {
                reply_t done = c->sessions->release_done;
                void *userdata = c->sessions->release_userdata;

                session_free(c->sessions);
                if (done)
                        done(userdata, &(struct reply){ .code = -ECANCELED,
                                                        .words = "the service ends",
                                                        .provider = "" });
        }
}

struct coordinator *coordinator_free(struct coordinator *c) {
        if (!c)
                return NULL;
        questions_cancel(c, NULL);
        cancel_sessions(c);
        while (c->ledgers)
                ledger_free(c->ledgers);
        for (struct pending *p = c->pending, *next; p; p = next) {
                next = p->next;
                timer_stop(&p->deadline);
                free(p);
        }
        for (struct pending *p = c->spare, *next; p; p = next) {
                next = p->next;
                free(p);
        }
        roster_done(c);
        free(c->notes);
        free(c);
        return NULL;
}

bool coordinator_busy(const struct coordinator *c) {
        if (c->sessions || c->questions)
                return true;
        for (const struct ledger *l = c->ledgers; l; l = l->next)
                if (l->working)
                        return true;
        return false;
}

void coordinator_run_timers(struct coordinator *c) {
        timers_run(&c->timers);
}

void coordinator_hold_expired(struct coordinator *c, const char *words) {
        for (struct session *s = c->sessions; s; s = s->next) {
                struct walk *w = &s->walk;

                if (!s->set || !s->set->held || !walk_runs(w))
                        continue;
                walk_fail(w, VSS_E_HOLD_WRITES_TIMEOUT,
                          "vss-hold let the volumes go by itself in phase '%s': %s",
                          phases[*w->at].name, words ? words : "no reason given");
                s->set->held = false; /* nobody needs to wait for the release any more */
                if (w->undoing && phases[*w->at].due == DUE_HELD && w->pending > 0) {
                        calls_forget(c, w, s->set);
                        walk_answered(w);
                }
        }
        timers_run(&c->timers);
}
