/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * member.c - one writer in one session: its state, what it is sent, what its answers mean.
 *
 * The state is the coordinator's own observation (SEC-44): a missed deadline beats a late success.
 */
#include "coordinator/inside.h"

#include <string.h>

struct member *member_free(struct member *m) {
        struct coordinator *c;

        if (!m)
                return NULL;
        c = m->session->coordinator;
        calls_forget(c, m, NULL);
        ledgers_lose_member(m);
        for (int *fd = &m->metadata; fd; fd = fd == &m->metadata ? &m->components : NULL)
                if (*fd >= 0)
                        c->ports->party->drop_document(c->ports->userdata, take_fd(fd));
        writer_identity_done(&m->identity);
        free(m->message);
        free(m);
        return NULL;
}

static bool is_failed(uint32_t state) {
        return state == VSS_WS_UNKNOWN ||
               (state >= VSS_WS_FAILED_AT_IDENTIFY && state <= VSS_WS_FAILED_AT_BACKUPSHUTDOWN);
}

static void fail(struct member *m, uint32_t state, int32_t failure, int32_t application,
                 const char *words) {
        char *copy = strdup(words);

        m->state = state;
        m->failure = failure;
        m->application_failure = application;
        if (copy) {
                free(m->message);
                m->message = copy;
        }
}

/* ---- who is due ---- */

static bool due_all(const struct member *m, const struct phase *phase) {
        return m->participates && !m->aborted && (phase->from & WS_BIT(m->state));
}

static bool due_candidates(const struct member *m, const struct phase *phase) {
        return !m->identified;
}

static bool due_abort(const struct member *m, const struct phase *phase) {
        return m->reached && !m->abort_over && !m->aborted;
}

static bool due_shutdown(const struct member *m, const struct phase *phase) {
        return m->reached;
}

static bool due_named(const struct member *m, const struct phase *phase) {
        return m->named && (phase->from & WS_BIT(m->state));
}

static bool due_restoring(const struct member *m, const struct phase *phase) {
        return m->restoring;
}

static bool due(const struct member *m, const struct phase *phase) {
        static bool (*const by[DUE_COUNT])(const struct member *, const struct phase *) = {
                [DUE_ALL] = due_all,     [DUE_CANDIDATES] = due_candidates,
                [DUE_ABORT] = due_abort, [DUE_SHUTDOWN] = due_shutdown,
                [DUE_NAMED] = due_named, [DUE_RESTORING] = due_restoring,
        };

        return m->party && by[phase->due](m, phase);
}

/* ---- what it is sent ---- */

static uint64_t own_window(const struct member *m) {
        const struct coordinator *c = m->session->coordinator;
        uint64_t own = (uint64_t)((double)m->identity.freeze_timeout_ms * 1000 * c->settings.scale);

        /* OQ-B15: a larger one has no effect */
        return own > 0 && own < c->settings.freeze_window_us ? own : c->settings.freeze_window_us;
}

/* B-54: who hangs in Freeze must leave half of the smallest window to the rest */
static uint64_t freeze_timeout(const struct walk *w, const struct member *m, uint64_t timeout) {
        const struct session *s = w->session;
        uint64_t smallest = own_window(m);

        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i]->participates && s->members[i]->party &&
                    own_window(s->members[i]) < smallest)
                        smallest = own_window(s->members[i]);
        return timeout < smallest / 2 ? timeout : smallest / 2;
}

static void fill_call(const struct member *m, const struct phase *phase, struct call *call) {
        const struct session *s = m->session;

        *call = (struct call){
                .verb = phase->verb,
                .session_id = s->id,
                .set = s->set ? &s->set->view : NULL,
                .document = (phase->flags & ROW_SENDS_DOCUMENT) ? m->components : -1,
                .backup_type = s->backup_type,
                .restore_type = s->restore_type,
                .level = m->identity.level,
                .freeze_timeout_ms = (uint32_t)(own_window(m) / 1000),
                .select_components = s->select_components,
                .bootable_system_state = s->bootable_system_state,
                .partial_files = s->partial_files,
                .snapshot_follows = s->snapshot_follows,
                /* the requester names those that want it; R-113: it dies before it could */
                .quiet = phase->due == DUE_RESTORING && s->post_restored && !m->named,
                .instance_id = m->identity.instance_id,
                .context = s->context,
        };
        if (s->set && s->set->published)
                call->set_id = s->set->view.set_id; /* B-138: of BackupShutdown; null when none */
}

static void mark_sent(struct walk *w, struct member *m, const struct phase *phase) {
        struct coordinator *c = m->session->coordinator;
        uint64_t now = timers_now(&c->timers);

        if (phase->flags & ROW_PARTICIPATES) {
                m->reached = true;
                m->aborted = false;
                m->abort_over = false;
        }
        if (phase->flags & ROW_ENDS_ABORT_DUTY)
                m->abort_over = true;
        if (phase->flags & ROW_IS_ABORT) {
                m->aborted = true;
                m->window_us = 0;
        }
        if (phase->due == DUE_NAMED)
                m->restoring = m->bracket = true;
        if (phase->due == DUE_RESTORING)
                m->restoring = false;
        if (!(phase->flags & ROW_OPENS_WINDOW))
                return;
        if (!c->window_open) {
                c->window_open = true;
                w->session->set->freeze_began_us = now;
        }
        m->window_us = now + own_window(m);
        walk_window(w);
}

static void ended(struct walk *w, struct member *m, enum ending ending, struct answer *answer);

static void writer_done(void *owner, void *target, enum ending ending, struct answer *answer) {
        ended(owner, target, ending, answer);
        walk_answered(owner);
}

void member_ask(struct walk *w, struct member *m) {
        const struct phase *phase = &phases[*w->at];
        struct coordinator *c = m->session->coordinator;
        uint64_t timeout = phase_timeout(c, *w->at);
        struct answer none = ANSWER_INIT;
        struct call call;
        int r;

        if (phase->flags & ROW_OPENS_WINDOW)
                timeout = freeze_timeout(w, m, timeout);
        fill_call(m, phase, &call);
        note_progress(c, w->session->running, phase->name, m->identity.name);
        m->asked = true;
        mark_sent(w, m, phase);
        w->pending++;
        r = party_call(m->party, &call, timeout, false, writer_done, w, m);
        if (r >= 0)
                return;
        w->pending--;
        none.result = r;
        none.message = "it could not be reached";
        ended(w, m, ENDED_LOST, &none);
}

/* ---- Abort to one alone (S-45): the walk goes on meanwhile ---- */

static const char *words_of(const struct answer *answer) {
        return answer->message && *answer->message ? answer->message : "it gave no reason";
}

static bool is_well(enum ending ending, const struct answer *answer) {
        return ending == ENDED_ANSWERED && answer->result >= 0 && !answer->fatal &&
               (answer->failure == 0 || answer->failure == VSS_E_WRITERERROR_PARTIAL_FAILURE);
}

static bool is_writer_error(int32_t code) {
        return (code >= VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT &&
                code <= VSS_E_WRITERERROR_RECOVERY_FAILED) ||
               code == VSS_E_WRITERERROR_PARTIAL_FAILURE;
}

static int32_t code_of(const struct phase *phase, enum ending ending, const struct answer *answer) {
        if (ending != ENDED_ANSWERED)
                return ending == ENDED_LATE ? phase->writer_late : VSS_E_WRITER_NOT_RESPONDING;
        return is_writer_error(answer->failure) ? answer->failure
                                                : VSS_E_WRITERERROR_NONRETRYABLE; /* B-81 */
}

static void abort_done(void *owner, void *target, enum ending ending, struct answer *answer) {
        const struct phase *phase = &phases[PHASE_ABORT];
        struct member *m = owner;
        char words[512];

        if (is_well(ending, answer)) {
                ledgers_drop_undo(m);
                return; /* else BackupShutdown ends the duty, or a fresh process */
        }
        (void)snprintf(words, sizeof(words), "writer '%s' did not take 'abort': %s",
                       m->identity.name, words_of(answer));
        note_rejected(m, phase, code_of(phase, ending, answer), words);
        if (ending == ENDED_LATE && m->party)
                party_kill(m->party, "it did not answer Abort");
}

void member_abort(struct member *m) {
        struct coordinator *c = m->session->coordinator;
        const struct phase *phase = &phases[PHASE_ABORT];
        struct call call;

        m->window_us = 0;
        if (!m->party || m->aborted)
                return;
        fill_call(m, phase, &call);
        m->aborted = true;
        note_progress(c, m->session->running, phase->name, m->identity.name);
        if (party_call(m->party, &call, phase_timeout(c, PHASE_ABORT), false, abort_done, m, NULL) <
            0)
                member_lost(m, "it could not be reached for Abort");
}

/* ---- what an answer means ---- */

/* take_token() - the writer is about to hold something: the record first */
static void take_token(struct member *m, const struct answer *answer) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct set *set = m->session->set;

        if (!set || answer->undo_size == 0)
                return;
        if (ledger_add_undo(set->ledger, m, answer->undo, answer->undo_size) >= 0 &&
            ledger_save(set->ledger, &error) >= 0)
                return;
        /* the row before the freeze writes it again, and the set fails there if it cannot */
        note_log(m->session->coordinator, WORDS_WARNING, m->session, "", m->identity.name,
                 "the undo token of writer '%s' could not be recorded: %s", m->identity.name,
                 error.message ? error.message : "out of memory");
}

static void take_document(struct member *m, const struct phase *phase, struct answer *answer) {
        int *place = phase->due == DUE_CANDIDATES ? &m->metadata : &m->components;
        struct coordinator *c = m->session->coordinator;

        if (answer->document < 0 ||
            !((phase->flags & ROW_TAKES_DOCUMENT) || phase->due == DUE_CANDIDATES))
                return;
        if (*place >= 0)
                c->ports->party->drop_document(c->ports->userdata, *place);
        *place = take_fd(&answer->document);
}

static void rejected(struct member *m, const struct phase *phase, enum ending ending,
                     struct answer *answer) {
        static const char *const how[] = { [ENDED_ANSWERED] = "rejected",
                                           [ENDED_LATE] = "did not answer",
                                           [ENDED_LOST] = "was lost in" };
        int32_t code = code_of(phase, ending, answer);
        char words[512];

        (void)snprintf(words, sizeof(words), "writer '%s' %s '%s': %s", m->identity.name,
                       how[ending], phase->name, words_of(answer));
        note_rejected(m, phase, code, words);
        if (phase->flags & ROW_TAKES_WORDS)
                take_document(m, phase, answer);
        if (!((phase->flags & ROW_IS_ABORT) && is_failed(m->state)))
                fail(m, phase->state_failed ? phase->state_failed : m->state, code,
                     ending == ENDED_ANSWERED ? answer->application_failure : 0, words);
}

static void accepted(struct member *m, const struct phase *phase, struct answer *answer) {
        if (phase->due == DUE_CANDIDATES) {
                m->identified = answer->document >= 0;
                m->autorecover = answer->autorecover;
                m->rollback_recovery = answer->rollback_recovery;
                m->parallel = answer->parallel_restores;
        }
        take_document(m, phase, answer);
        if (answer->failure == VSS_E_WRITERERROR_PARTIAL_FAILURE)
                fail(m, m->state, answer->failure, answer->application_failure, words_of(answer));
        if (!((phase->flags & ROW_KEEPS_FAILURE) && is_failed(m->state)))
                m->state = phase->state_ok;
        if (phase->flags & (ROW_CLOSES_WINDOW | ROW_IS_ABORT))
                m->window_us = 0;
        if (phase->flags & ROW_ENDS_UNDO)
                ledgers_drop_undo(m);
}

static void ended(struct walk *w, struct member *m, enum ending ending, struct answer *answer) {
        const struct phase *phase = &phases[*w->at];
        bool well = is_well(ending, answer);

        m->asked = false;
        if (phase->due == DUE_RESTORING)
                bracket_end(m);
        if (ending == ENDED_ANSWERED && answer->result >= 0 && (phase->flags & ROW_PARTICIPATES)) {
                if (phase->state_ok == VSS_WS_STABLE && well) /* B-104: a new session's beginning */
                        m->failure = m->application_failure = 0;
                take_token(m, answer);
        }
        if (well)
                accepted(m, phase, answer);
        else
                rejected(m, phase, ending, answer);
        if (!well && (phase->flags & ROW_ABORTS_WRITER))
                member_abort(m);
        if (ending == ENDED_LATE && (phase->flags & ROW_KILLS_LATE) && m->party)
                party_kill(m->party, "it did not answer in time and was ended");
}

void member_window_over(struct walk *w, struct member *m) {
        struct coordinator *c = m->session->coordinator;
        bool frozen = m->state == VSS_WS_WAITING_FOR_THAW;
        char words[256];

        m->window_us = 0;
        (void)snprintf(words, sizeof(words),
                       "writer '%s': its window of %" PRIu64 " ms between freeze and thaw ran out "
                       "in phase '%s'",
                       m->identity.name, own_window(m) / 1000, phases[*w->at].name);
        note_log(c, WORDS_ERROR, m->session, phases[*w->at].name, m->identity.name, "%s", words);
        fail(m, frozen ? VSS_WS_FAILED_AT_THAW : VSS_WS_FAILED_AT_FREEZE, /* B-55 */
             VSS_E_WRITERERROR_TIMEOUT, 0, words);
        if (m->asked) {
                m->asked = false;
                calls_forget(c, w, m);
                walk_answered(w);
        }
        member_abort(m);
}

void member_cancelled(struct member *m, const struct phase *phase) {
        char words[256];

        (void)snprintf(words, sizeof(words),
                       "writer '%s' had not answered '%s' when the requester "
                       "cancelled it",
                       m->identity.name, phase->name);
        m->asked = false;
        fail(m, phase->state_failed, VSS_E_WRITERERROR_RETRYABLE, 0, words);
}

void member_not_asked(struct walk *w, struct member *m, int code, const char *words) {
        const struct phase *phase = &phases[*w->at];
        char text[512];

        (void)snprintf(text, sizeof(text), "writer '%s' was not asked to '%s': %s",
                       m->identity.name, phase->name, words);
        m->asked = false;
        note_rejected(m, phase, code, text);
        fail(m, phase->state_failed, code, 0, text);
}

/* What a writer that dies while nothing is asked of it has failed at. */
static const uint32_t lost_in[VSS_WS_COUNT] = {
        [VSS_WS_STABLE] = VSS_WS_UNKNOWN,
        [VSS_WS_WAITING_FOR_FREEZE] = VSS_WS_FAILED_AT_FREEZE,
        [VSS_WS_WAITING_FOR_THAW] = VSS_WS_FAILED_AT_THAW,
        [VSS_WS_WAITING_FOR_POST_SNAPSHOT] = VSS_WS_FAILED_AT_POST_SNAPSHOT,
        [VSS_WS_WAITING_FOR_BACKUP_COMPLETE] = VSS_WS_FAILED_AT_BACKUP_COMPLETE,
};

void member_lost(struct member *m, const char *words) {
        struct coordinator *c = m->session->coordinator;
        char text[256];

        bracket_lost(m);
        m->party = NULL;
        m->window_us = 0;
        ledgers_lose_member(m);
        if (is_failed(m->state) || !m->identified)
                return;
        (void)snprintf(text, sizeof(text), "writer '%s' is gone: %s", m->identity.name, words);
        note_log(c, WORDS_ERROR, m->session, "", m->identity.name, "%s", text);
        fail(m, lost_in[m->state], VSS_E_WRITER_NOT_RESPONDING, 0, text);
}

/* ---- the audience ---- */

static unsigned ranks(struct walk *w, const struct phase *phase) {
        return phase->order == ORDER_LEVELS || phase->order == ORDER_LEVELS_REVERSED ? LEVEL_COUNT
                                                                                     : 1;
}

static bool in_rank(const struct member *m, const struct phase *phase, unsigned rank) {
        if (phase->order == ORDER_LEVELS)
                return m->identity.level == level_at(rank);
        if (phase->order == ORDER_LEVELS_REVERSED)
                return m->identity.level == level_at(LEVEL_COUNT - 1 - rank);
        return true;
}

/* open() - so that no call of the window allocates: each writer may be asked and aborted, and each
 * is told of at its freeze, at its thaw and when it fails */
static void open(struct walk *w, const struct phase *phase) {
        struct session *s = w->session;
        size_t words = MIN_NOTES + 4 * s->n_members;

        for (struct party *p = s->coordinator->parties; p && phase->due == DUE_CANDIDATES;
             p = p->next)
                if (p->kind == PARTY_WRITER && p->running && session_wants(s, &p->writer) &&
                    session_add_member(s, p) < 0)
                        walk_fail(w, -ENOMEM, "out of memory for writer '%s'", p->name);
        if (calls_reserve(s->coordinator, 2 * s->n_members + 2 * MAX_VOLUMES) < 0 ||
            (!coordinator_held(s->coordinator) && notes_reserve(s->coordinator, words) < 0))
                walk_fail(w, -ENOMEM, "out of memory before '%s'", phase->name);
}

static void send(struct walk *w, const struct phase *phase, unsigned rank) {
        struct session *s = w->session;

        if ((phase->flags & ROW_PARTICIPATES) && s->set)
                s->set->ledger->reached_writers = true;
        for (size_t i = 0; i < s->n_members && w->session && *w->at != PHASE_COUNT; i++)
                if (in_rank(s->members[i], phase, rank) && due(s->members[i], phase) &&
                    !(phase->due == DUE_NAMED && bracket_must_wait(w, s->members[i])))
                        member_ask(w, s->members[i]);
}

const struct audience_ops audience_writers = { .ranks = ranks, .open = open, .send = send };
