/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bracket.c - one restore of a writer at a time: from PreRestore to the end of PostRestore
 * another session's PreRestore waits, unless the writer says that it can do several.
 *
 * Who came first goes first, so that sessions that wait for each other's writers cannot wait in a
 * circle. Who has waited as long as the writer itself might take is told to try again later; it was
 * never asked, so no PostRestore is due to it.
 */
#include "coordinator/inside.h"

static bool excludes(const struct member *other, const struct member *m) {
        return other != m && m->party && other->party == m->party &&
               !(m->parallel && other->parallel);
}

/* is_taken() - by who is in the middle of a restore, or waits for longer */
static bool is_taken(const struct member *m) {
        for (const struct session *s = m->session->coordinator->sessions; s; s = s->next)
                for (size_t i = 0; i < s->n_members; i++) {
                        const struct member *other = s->members[i];

                        if (excludes(other, m) &&
                            (other->bracket || (other->turn > 0 && other->turn < m->turn)))
                                return true;
                }
        return false;
}

static void come(struct timer *timer);

static void wake(const struct member *m) {
        struct coordinator *c = m->session->coordinator;

        for (struct session *s = c->sessions; s; s = s->next)
                for (size_t i = 0; i < s->n_members; i++)
                        if (s->members[i]->turn > 0 && excludes(m, s->members[i]))
                                timer_set(&c->timers, &s->members[i]->turn_timer,
                                          timers_now(&c->timers), come);
}

static void stop_waiting(struct member *m) {
        timer_stop(&m->turn_timer);
        m->turn = 0;
}

/* come() - a bracket has ended, or the time is over */
static void come(struct timer *timer) {
        struct member *m = container(timer, struct member, turn_timer);
        struct coordinator *c = m->session->coordinator;
        struct walk *w = &m->session->walk;

        if (w->cancel) { /* nobody waits for it any more; the end of the walk lets go */
                bracket_end(m);
                return;
        }
        if (is_taken(m) && timers_now(&c->timers) < m->turn_ends_us) {
                timer_set(&c->timers, &m->turn_timer, m->turn_ends_us, come);
                return;
        }
        if (is_taken(m))
                member_not_asked(w, m, VSS_E_WRITERERROR_RETRYABLE,
                                 "another restore of it has not ended; try again later");
        else
                member_ask(w, m);
        wake(m); /* who stood behind it may find another obstacle gone */
        stop_waiting(m);
        walk_answered(w);
}

bool bracket_must_wait(struct walk *w, struct member *m) {
        struct coordinator *c = m->session->coordinator;

        m->turn = ++c->last_turn;
        if (!is_taken(m)) {
                m->turn = 0;
                return false;
        }
        m->asked = true;
        m->turn_ends_us = timers_now(&c->timers) + phase_timeout(c, *w->at);
        w->pending++;
        note_log(c, WORDS_NOTICE, m->session, phases[*w->at].name, m->identity.name,
                 "writer '%s' is in the middle of another restore; this one waits",
                 m->identity.name);
        timer_set(&c->timers, &m->turn_timer, m->turn_ends_us, come);
        return true;
}

void bracket_lost(struct member *m) {
        bool waited = m->turn > 0;

        stop_waiting(m);
        m->bracket = false;
        if (!waited)
                return;
        m->asked = false;
        walk_answered(&m->session->walk);
}

void bracket_end(struct member *m) {
        if (!m->bracket && m->turn == 0)
                return;
        stop_waiting(m);
        m->bracket = false;
        wake(m);
}
