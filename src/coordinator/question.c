/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * question.c - short calls of a requester that need answers of providers: one question makes some
 * calls, goes on when all are in, and is answered exactly once. select.c and copies.c ask them.
 */
#include "coordinator/inside.h"

#include <string.h>

#define AGAIN_US UINT64_C(100000)

int question_new(struct coordinator *c, struct session *session, reply_t done, void *userdata,
                 struct question **ret) {
        struct question *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        q->coordinator = c;
        q->session = session;
        q->done = done;
        q->userdata = userdata;
        q->reply.provider = "";
        LIST_ADD(&c->questions, q);
        *ret = q;
        return 0;
}

static void wake_waiting(struct coordinator *c) {
        struct question *oldest = NULL;

        for (struct question *q = c->questions; q; q = q->next)
                if (q->waiting)
                        oldest = q;
        if (!oldest)
                return;
        oldest->waiting = false;
        question_then(oldest, oldest->step);
}

static void question_free(struct question *q) {
        timer_stop(&q->kick);
        calls_forget(q->coordinator, q, NULL);
        for (size_t i = 0; i < q->n_found; i++)
                vss_free_snapshot_properties(&q->found[i].prop);
        free(q->found);
        free(q->candidates);
        free(q->refusals);
        volume_done(&q->volume);
        paths_free(q->paths);
        vss_error_clear(&q->error);
        free(q);
}

void question_answer(struct question *q, int code) {
        struct coordinator *c = q->coordinator;

        LIST_REMOVE(&c->questions, q);
        if (q->session && q->session->adding == q)
                q->session->adding = NULL;
        q->reply.code = code;
        q->reply.words = q->error.message ? q->error.message
                         : q->refusals    ? q->refusals
                         : code < 0       ? vss_error_name(code)
                                          : "";
        if (q->deleting)
                wake_waiting(c);
        if (q->done)
                q->done(q->userdata, &q->reply);
        question_free(q);
}

void questions_cancel(struct coordinator *c, const struct session *session) {
        for (struct question *q = c->questions; q;) {
                if (session && q->session != session) {
                        q = q->next;
                        continue;
                }
                vss_fail(&q->error, -ECANCELED, "the session ended before this was answered");
                question_answer(q, -ECANCELED);
                q = c->questions; /* answering may have changed the list */
        }
}

static void kicked(struct timer *timer) {
        struct question *q = container(timer, struct question, kick);

        q->step(q);
}

void question_then(struct question *q, void (*then)(struct question *)) {
        q->step = then;
        if (q->pending == 0)
                timer_set(&q->coordinator->timers, &q->kick, timers_now(&q->coordinator->timers),
                          kicked);
}

void question_later(struct question *q, void (*then)(struct question *)) {
        struct timers *timers = &q->coordinator->timers;

        q->step = then;
        timer_set(timers, &q->kick, timers_now(timers) + AGAIN_US, kicked);
}

void question_answered(struct question *q) {
        if (--q->pending == 0)
                question_then(q, q->step);
}

void question_ask(struct question *q, struct party *party, const struct call *call,
                  call_done_t done) {
        enum phase_id phase = call->verb == VERB_LOAD                     ? PHASE_LOAD
                              : call->verb == VERB_DELETE_SNAPSHOTS       ? PHASE_DELETE_RELEASED
                              : call->verb == VERB_KEEP_REFERENCE         ? PHASE_DELETE_RELEASED
                              : call->verb == VERB_RELEASE_REFERENCE      ? PHASE_DELETE_RELEASED
                              : call->verb == VERB_BEGIN_PREPARE_SNAPSHOT ? PHASE_BEGIN_PREPARE
                                                                          : PHASE_ASK_PROVIDER;
        struct answer none = ANSWER_INIT;
        int r;

        q->pending++;
        r = party_call(party, call, phase_timeout(q->coordinator, phase), true, done, q, party);
        if (r >= 0)
                return;
        none.result = r;
        none.message = "it could not be reached";
        done(q, party, ENDED_LOST, &none);
}

void question_ended(struct question *q, struct party *party, enum verb verb, enum ending ending,
                    const struct answer *answer) {
        const char *words = answer->message ? answer->message : vss_error_name(answer->result);

        if (ending == ENDED_ANSWERED && answer->result == 0)
                return;
        note_log(q->coordinator, WORDS_WARNING, q->session, verb_name(verb), party->name,
                 "provider '%s' %s '%s': %s", party->name,
                 ending == ENDED_LATE   ? "did not answer"
                 : ending == ENDED_LOST ? "was lost in"
                                        : "failed in",
                 verb_name(verb), words);
        if (ending == ENDED_LATE)
                party_late(party);
}

void question_refused(struct question *q, const char *who, const char *why) {
        _cleanup_free_ char *before = q->refusals;

        if (asprintf(&q->refusals, "%s%s%s: %s", before ? before : "", before ? "; " : "", who,
                     why) < 0)
                q->refusals = NULL;
}

/* ---- every provider that can be loaded ---- */

static void loaded(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *party = target;

        const char *why = answer->message ? answer->message : vss_error_name(answer->result);

        if (ending != ENDED_ANSWERED || answer->result < 0) { /* P-14 */
                if (!party->refused) /* each volume asks again */
                        note_log(q->coordinator, WORDS_WARNING, q->session, "load", party->name,
                                 "provider '%s' could not be started: %s", party->name, why);
                question_refused(q, party->name, why);
                party->refused = true;
        } else
                party->refused = false;
        if (ending == ENDED_LATE)
                party_kill(party, "it could not be loaded in time and was ended");
        question_answered(q);
}

void question_load_providers(struct question *q, void (*then)(struct question *)) {
        struct call call = { .verb = VERB_LOAD, .document = -1 };

        q->step = then;
        q->pending++;
        for (struct party *p = q->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && !p->running)
                        question_ask(q, p, &call, loaded);
        question_answered(q);
}

/* ---- every copy that exists ---- */

static bool in_creation(const struct coordinator *c, const struct vss_id *set_id) {
        for (const struct session *s = c->sessions; s; s = s->next)
                if (s->set && !s->set->published && vss_id_equal(&s->set->view.set_id, set_id))
                        return true;
        return false;
}

/* S-33: one stamp for the copies of one set, whatever their providers noted */
static void same_stamp(const struct coordinator *c, struct vss_snapshot_prop *prop) {
        for (const struct session *s = c->sessions; s; s = s->next)
                if (s->set && s->set->published &&
                    vss_id_equal(&s->set->view.set_id, &prop->snapshot_set_id))
                        prop->creation_timestamp = s->set->timestamp;
}

int question_find_add(struct question *q, struct party *party,
                      const struct vss_snapshot_prop *prop) {
        struct found *found;
        int r;

        if (in_creation(q->coordinator, &prop->snapshot_set_id)) /* S-9 */
                return 0;
        r = ARRAY_RESERVE(&q->found, q->n_found, &q->found_capacity);
        if (r < 0)
                return r;
        found = &q->found[q->n_found];
        r = snapshot_prop_copy(&found->prop, prop);
        if (r < 0)
                return r;
        found->party = party;
        same_stamp(q->coordinator, &found->prop);
        q->n_found++;
        return 0;
}

static void queried(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct question *q = owner;
        struct party *party = target;
        int r = ending == ENDED_ANSWERED ? answer->result : -ECONNRESET;

        for (size_t i = 0; r >= 0 && i < answer->n_snapshots; i++)
                r = question_find_add(q, party, &answer->snapshots[i]);
        if (r == -ENOMEM)
                note_log(q->coordinator, WORDS_WARNING, q->session, "query", party->name,
                         "out of memory for the copies of provider '%s'", party->name);
        question_ended(q, party, VERB_QUERY, ending, answer); /* those of the others can be told */
        question_answered(q);
}

static void query_all(struct question *q) {
        struct call call = { .verb = VERB_QUERY, .document = -1 };

        q->step = q->after;
        q->pending++;
        for (struct party *p = q->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_PROVIDER && p->running)
                        question_ask(q, p, &call, queried);
        question_answered(q);
}

void question_query(struct question *q, void (*then)(struct question *)) {
        q->after = then;
        question_load_providers(q, query_all);
}
