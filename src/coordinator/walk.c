/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c - goes down a list of rows of the phase table, and back up the undo list of the row in
 * which something failed.
 *
 * It knows no phase by name: what a row means stands in phases.c, whom it reaches in audience.c.
 * A walk moves only from the event loop (its kick timer), never inside a call of the outside.
 */
#include "coordinator/inside.h"

#include <stdarg.h>

static const enum phase_id nothing_to_undo[] = { PHASE_COUNT };

static void step(struct timer *timer);

static struct coordinator *owner(const struct walk *w) {
        return w->session->coordinator;
}

static void kick(struct walk *w) {
        timer_set(&owner(w)->timers, &w->kick, timers_now(&owner(w)->timers), step);
}

void walk_answered(struct walk *w) {
        if (w->pending > 0 && --w->pending == 0)
                kick(w);
}

/* ---- a row begins and ends ---- */

static int record(struct walk *w, const struct phase *phase, struct vss_error *reterr) {
        struct set *set = w->session->set;
        struct ledger *l = set->ledger;

        if (phase->flags & ROW_PUBLISHES) {
                l->created = true;
                /* a persistent copy is nobody's duty once it is whole: no record is its mark */
                for (size_t i = 0; i < l->n_copies; i++)
                        l->copies[i].gone = l->context & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE;
        }
        return ledger_save(l, reterr);
}

static void unpublish(struct ledger *l) {
        l->created = false;
        for (size_t i = 0; i < l->n_copies; i++)
                l->copies[i].gone = false;
}

static void open_row(struct walk *w, const struct phase *phase) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct coordinator *c = owner(w);
        struct set *set = w->session->set;

        w->row_open = true;
        w->rank = 0;
        if ((phase->flags & ROW_RECORD) && set && record(w, phase, &error) < 0) {
                if (phase->flags & ROW_PUBLISHES)
                        unpublish(set->ledger);
                walk_fail(w, error.code,
                          "the record of the set could not be written before '%s': %s", phase->name,
                          error.message ? error.message : "out of memory");
                return;
        }
        if (set && phase->during)
                set->state = phase->during;
        if (set && (phase->flags & ROW_STAMPS))
                set->timestamp = c->ports->clock->timestamp(c->ports->userdata);
        if (set && (phase->flags & ROW_OPENS_HOLD)) {
                c->hold_open = true;
                set->hold_began_us = timers_now(&c->timers);
        }
        if (audiences[phase->who] && audiences[phase->who]->open)
                audiences[phase->who]->open(w, phase);
}

static void close_row(struct walk *w, const struct phase *phase) {
        struct coordinator *c = owner(w);
        struct set *set = w->session->set;
        bool was_held = coordinator_held(c);

        if (set && phase->after)
                set->state = phase->after;
        if (set && (phase->flags & ROW_PUBLISHES))
                set->published = true;
        if ((phase->flags & ROW_CLOSES_HOLD) && c->hold_open) {
                c->hold_open = false;
                set->hold_us = timers_now(&c->timers) - set->hold_began_us;
        }
        if ((phase->flags & ROW_CLOSES_WINDOW) && c->window_open) {
                c->window_open = false;
                set->freeze_us = timers_now(&c->timers) - set->freeze_began_us;
        }
        walk_window(w);
        if (was_held && !coordinator_held(c)) {
                notes_flush(c);
                calls_go_on(c);
                ledgers_work(c);
        }
        w->row_open = false;
        w->at++;
}

/* ---- turning back ---- */

static bool must_turn(const struct walk *w) {
        if (w->undoing)
                return false;
        if (w->error.code < 0)
                return true;
        return w->cancel && *w->at != PHASE_COUNT && phases[*w->at].cancel == CANCEL_NOW;
}

static void turn_back(struct walk *w) {
        const enum phase_id *undo = *w->at == PHASE_COUNT ? NULL : phases[*w->at].undo;

        w->cancelled = w->error.code >= 0;
        w->stopped_at = *w->at;
        w->undoing = true;
        w->row_open = false;
        w->at = undo ? undo : nothing_to_undo;
}

void walk_fail(struct walk *w, int code, const char *format, ...) {
        const struct phase *phase = &phases[*w->at];
        _cleanup_free_ char *words = NULL;
        va_list args;

        va_start(args, format);
        if (vasprintf(&words, format, args) < 0)
                words = NULL;
        va_end(args);
        note_log(owner(w), WORDS_ERROR, w->session, phase->name, "", "%s",
                 words ? words : "out of memory");
        if (w->failure == 0)
                w->failure = code;
        if (w->undoing || !phase->undo || w->error.code < 0)
                return;
        vss_fail(&w->error, code, "%s", words ? words : "out of memory");
        calls_forget(owner(w), w, NULL);
        w->pending = 0;
        kick(w);
}

void walk_cancel(struct walk *w) {
        w->cancel = true;
        if (!must_turn(w) || !w->row_open)
                return; /* the step that comes looks at it */
        calls_forget(owner(w), w, NULL);
        w->pending = 0;
        kick(w);
}

/* ---- windows (S-23, B-54) ---- */

static bool all_thaws_sent(const struct walk *w) {
        const struct phase *phase = &phases[*w->at];

        return w->row_open && (phase->flags & ROW_CLOSES_WINDOW) &&
               w->rank >= audiences[phase->who]->ranks((struct walk *)(uintptr_t)w, phase);
}

static void window_over(struct timer *timer) {
        struct walk *w = container(timer, struct walk, window);
        struct session *s = w->session;
        struct coordinator *c = s->coordinator;
        uint64_t now = timers_now(&c->timers);

        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i]->window_us && s->members[i]->window_us <= now)
                        member_window_over(w, s->members[i]);
        if (c->window_open && !w->undoing && !all_thaws_sent(w) &&
            s->set->freeze_began_us + c->settings.freeze_window_us <= now)
                walk_fail(w, VSS_E_HOLD_WRITES_TIMEOUT,
                          "the applications were kept frozen for %" PRIu64
                          " ms and phase '%s' had not ended; they were let go",
                          c->settings.freeze_window_us / 1000, phases[*w->at].name);
        else
                walk_window(w);
}

void walk_window(struct walk *w) {
        struct session *s = w->session;
        struct coordinator *c = s->coordinator;
        uint64_t at = UINT64_MAX, now = timers_now(&c->timers);

        if (c->window_open && s->set && !w->undoing)
                at = s->set->freeze_began_us + c->settings.freeze_window_us;
        if (at <= now) /* it was looked at, and every Thaw is on its way */
                at = UINT64_MAX;
        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i]->window_us && s->members[i]->window_us < at)
                        at = s->members[i]->window_us;
        if (at == UINT64_MAX)
                timer_stop(&w->window);
        else
                timer_set(&c->timers, &w->window, at, window_over);
}

/* ---- walking ---- */

static void finish(struct walk *w) {
        struct session *s = w->session;

        timer_stop(&w->kick);
        timer_stop(&w->window);
        w->session = NULL;
        w->done(s);
}

static void step(struct timer *timer) {
        struct walk *w = container(timer, struct walk, kick);

        while (w->pending == 0) {
                const struct phase *phase;

                if (must_turn(w))
                        turn_back(w);
                if (*w->at == PHASE_COUNT) {
                        finish(w);
                        return;
                }
                phase = &phases[*w->at];
                if (!w->row_open)
                        open_row(w, phase);
                else if (phase->who != WHO_NOBODY &&
                         w->rank < audiences[phase->who]->ranks(w, phase))
                        audiences[phase->who]->send(w, phase, w->rank++);
                else
                        close_row(w, phase);
        }
}

void walk_start(struct session *session, const enum phase_id *rows,
                void (*done)(struct session *)) {
        struct walk *w = &session->walk;

        vss_error_clear(&w->error);
        *w = (struct walk){ .session = session, .at = rows, .done = done };
        kick(w);
}
