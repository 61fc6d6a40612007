/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * audience.c - providers, copies, vss-hold and programs to be loaded, as targets of a row.
 *
 * One failure of any of them fails the set (S-32) where the row has an undo list, and is only
 * told where it has none. Writers are in member.c: their failures are their own.
 */
#include "coordinator/inside.h"

#include <string.h>

#include "base/file.h"

int provider_code(int result) {
        static const int allowed[] = {
                E_OUTOFMEMORY,
                E_INVALIDARG,
                E_ACCESSDENIED,
                VSS_E_BAD_STATE,
                VSS_E_OBJECT_NOT_FOUND,
                VSS_E_INSUFFICIENT_STORAGE,
                VSS_E_VOLUME_NOT_SUPPORTED,
                VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                VSS_E_PROVIDER_VETO,
                VSS_E_CANNOT_REVERT_DISKID,
                VSS_E_UNSUPPORTED_CONTEXT,
                VSS_E_VOLUME_IN_USE,
                VSS_E_AUTORECOVERY_FAILED,
                E_NOTIMPL,
        };

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                if (allowed[i] == result)
                        return result;
        return VSS_E_UNEXPECTED_PROVIDER_ERROR; /* S-50 */
}

static unsigned one_rank(struct walk *w, const struct phase *phase) {
        return 1;
}

static int failure_code(const struct phase *phase, enum ending ending, int result) {
        if (ending == ENDED_LATE)
                return phase->late;
        if (phase->who == WHO_HOLD) /* it tells official codes where it knows one */
                return ending == ENDED_ANSWERED && result < -4096 ? result : phase->late;
        return ending == ENDED_ANSWERED ? provider_code(result) : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

/* settle() - one target of a row has failed. Return: true when it is to be asked once more */
static bool settle(struct walk *w, const char *who, struct party *party, unsigned *tries,
                   enum ending ending, const struct answer *answer) {
        static const char *const how[] = { [ENDED_ANSWERED] = "failed in",
                                           [ENDED_LATE] = "did not answer",
                                           [ENDED_LOST] = "was lost in" };
        const struct phase *phase = &phases[*w->at];
        const char *words = answer->message && *answer->message ? answer->message
                                                                : vss_error_name(answer->result);

        if (++*tries >= phase->attempts)
                walk_fail(w, failure_code(phase, ending, answer->result), "%s %s '%s': %s", who,
                          how[ending], phase->name, words);
        else
                note_log(w->session->coordinator, WORDS_WARNING, w->session, phase->name, "",
                         "%s %s '%s' and is asked again: %s", who, how[ending], phase->name, words);
        if (ending == ENDED_LATE && (phase->flags & ROW_KILLS_LATE) && party)
                party_late(party);
        return *tries < phase->attempts;
}

static uint64_t timeout_of(const struct walk *w) {
        const struct coordinator *c = w->session->coordinator;
        uint64_t timeout = phase_timeout(c, *w->at), end, now = timers_now(&c->timers);

        if (!(phases[*w->at].flags & ROW_IN_HOLD))
                return timeout;
        end = w->session->set->hold_began_us + phase_timeout(c, PHASE_HOLD);
        return end > now ? end - now : 0; /* OQ-S7: the 10 s are the set's */
}

/* call_target() - a failure to send is a failure of the target */
static void call_target(struct walk *w, struct party *party, const struct call *call,
                        call_done_t done, void *target) {
        struct answer none = ANSWER_INIT;
        int r = -ECONNRESET;

        if (party) {
                note_progress(w->session->coordinator, w->session->running, phases[*w->at].name,
                              party->name);
                r = party_call(party, call, timeout_of(w), phases[*w->at].flags & ROW_MAY_START,
                               done, w, target);
        }
        w->pending++; /* done() counts it down, also when it is called here */
        if (r >= 0)
                return;
        none.result = r;
        none.message = "it could not be reached";
        done(w, target, ENDED_LOST, &none);
}

#define PROVIDER_WORDS 320

static const char *provider_words(char buffer[PROVIDER_WORDS], const struct party *party,
                                  const char *volume) {
        (void)snprintf(buffer, PROVIDER_WORDS, "provider '%s'%s%.200s%s",
                       party ? party->name : "(removed)", volume ? " of '" : "",
                       volume ? volume : "", volume ? "'" : "");
        return buffer;
}

/* ---- providers: once per set ---- */

static void provider_done(void *owner, void *target, enum ending ending, struct answer *answer);

static void provider_ask(struct walk *w, struct set_provider *sp) {
        struct set *set = w->session->set;
        struct call call = { .verb = phases[*w->at].verb,
                             .set = &set->view,
                             .document = -1,
                             .context = set->view.context,
                             .set_id = set->view.set_id,
                             .count = sp->count };

        call_target(w, sp->party, &call, provider_done, sp);
}

/* abort_answered() - what is gone need not be undone by a later life */
static void abort_answered(struct set *set, const struct set_provider *sp) {
        for (size_t i = 0; i < set->ledger->n_copies && !sp->finishing; i++)
                if (set->states[i].provider == sp->party)
                        set->ledger->copies[i].gone = true;
        set->ledger->dirty = true;
}

static void provider_done(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct walk *w = owner;
        struct set_provider *sp = target;
        const struct phase *phase = &phases[*w->at];
        char name[PROVIDER_WORDS];

        if (ending == ENDED_ANSWERED && answer->result == 0) {
                if (phase->flags & ROW_ENDS_SET)
                        sp->finished = true;
                if (phase->due == DUE_ABORT)
                        abort_answered(w->session->set, sp);
        } else if (settle(w, provider_words(name, sp->party, NULL), sp->party, &sp->tries, ending,
                          answer)) {
                provider_ask(w, sp);
        }
        walk_answered(w);
}

static bool provider_due(const struct set_provider *sp, const struct phase *phase) {
        return phase->due != DUE_ABORT || (sp->ending && !sp->finished);
}

static void providers_send(struct walk *w, const struct phase *phase, unsigned rank) {
        struct set *set = w->session->set;

        for (size_t i = 0; set && i < set->n_providers; i++) {
                struct set_provider *sp = &set->providers[i];

                if (!provider_due(sp, phase) || (!w->undoing && w->error.code < 0))
                        continue;
                sp->tries = 0;
                sp->ending = sp->ending || (phase->flags & ROW_BEGINS_SET);
                sp->finishing = sp->finishing || (phase->flags & ROW_ENDS_SET);
                provider_ask(w, sp);
        }
}

/* ---- copies: the provider of each, once per copy ---- */

static void copy_answered(void *owner, void *target, enum ending ending, struct answer *answer);

static void copy_ask(struct walk *w, size_t i) {
        struct set *set = w->session->set;
        struct call call = { .verb = phases[*w->at].verb,
                             .set = &set->view,
                             .document = -1,
                             .context = set->view.context,
                             .set_id = set->view.set_id,
                             .snapshot_id = set->copies[i].snapshot_id,
                             .type = VSS_OBJECT_SNAPSHOT,
                             .force = true };

        call_target(w, set->states[i].provider, &call, copy_answered, &set->states[i]);
}

/* locate() - SEC-45: a copy is a directory with a clean path, and it is the one that was asked */
static int locate(struct set *set, size_t i, const struct answer *answer, struct answer *bad) {
        const struct vss_snapshot_prop *prop = answer->snapshots;
        char *device;

        bad->result = VSS_E_UNEXPECTED_PROVIDER_ERROR;
        bad->message = "it tells another copy, or no clean path of the copy's root";
        if (answer->n_snapshots < 1 || !prop->device_object ||
            !vss_id_equal(&prop->snapshot_id, &set->copies[i].snapshot_id) ||
            !path_is_clean(prop->device_object))
                return bad->result;
        device = strdup(prop->device_object);
        bad->result = E_OUTOFMEMORY;
        bad->message = "out of memory";
        if (!device)
                return bad->result;
        free(set->states[i].device);
        set->states[i].device = device;
        set->copies[i].device = device;
        return 0;
}

static void copy_deleted(struct set *set, size_t i) {
        set->states[i].deleted = true;
        set->ledger->copies[i].gone = true;
        set->ledger->dirty = true;
}

static void copy_answered(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct walk *w = owner;
        struct set *set = w->session->set;
        struct copy_state *state = target;
        size_t i = (size_t)(state - set->states);
        const struct phase *phase = &phases[*w->at];
        char name[PROVIDER_WORDS];
        bool deleting = phase->verb == VERB_DELETE_SNAPSHOTS;
        struct answer bad = *answer;
        bool well = ending == ENDED_ANSWERED &&
                    (answer->result == 0 || (deleting && answer->result == VSS_E_OBJECT_NOT_FOUND));

        bad.document = -1;
        if (well && deleting)
                copy_deleted(set, i);
        else if (well)
                well = locate(set, i, answer, &bad) >= 0;
        if (!well &&
            settle(w, provider_words(name, state->provider, set->copies[i].volume.mount_point),
                   state->provider, &state->tries, ending, &bad))
                copy_ask(w, i);
        walk_answered(w);
}

static bool copy_due(const struct set *set, size_t i, const struct phase *phase) {
        const struct set_provider *sp =
                set_provider_of((struct set *)(uintptr_t)set, set->states[i].provider);

        if (set->states[i].deleted)
                return false;
        if (phase->due == DUE_FINISHED)
                return sp && sp->finishing;
        if (phase->due == DUE_RELEASED)
                return set->published && !(set->view.context & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE);
        return true;
}

static unsigned copies_ranks(struct walk *w, const struct phase *phase) {
        if (!w->session->set)
                return 0;
        return phase->order == ORDER_ONE_BY_ONE ? (unsigned)w->session->set->view.n_copies : 1;
}

static void copies_send(struct walk *w, const struct phase *phase, unsigned rank) {
        struct set *set = w->session->set;

        for (size_t i = 0; set && i < set->view.n_copies; i++) {
                if ((phase->order == ORDER_ONE_BY_ONE && i != rank) || !copy_due(set, i, phase) ||
                    (!w->undoing && w->error.code < 0))
                        continue;
                set->states[i].tries = 0;
                copy_ask(w, i);
        }
}

/* ---- vss-hold ---- */

static void hold_done(void *owner, void *target, enum ending ending, struct answer *answer);

static void hold_ask(struct walk *w) {
        struct set *set = w->session->set;
        struct call call = { .verb = phases[*w->at].verb,
                             .set = &set->view,
                             .document = -1,
                             .set_id = set->view.set_id };

        if (call.verb == VERB_HOLD_FREEZE)
                set->held = true;
        call_target(w, w->session->coordinator->hold, &call, hold_done, set);
}

static void hold_done(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct walk *w = owner;
        struct set *set = target;
        struct party *hold = w->session->coordinator->hold;

        if (ending == ENDED_ANSWERED && answer->result == 0) {
                if (phases[*w->at].verb == VERB_HOLD_RELEASE)
                        set->held = false;
        } else if (settle(w, "vss-hold", hold, &w->hold_tries, ending, answer)) {
                hold_ask(w);
        }
        walk_answered(w);
}

static unsigned hold_ranks(struct walk *w, const struct phase *phase) {
        return phase->order == ORDER_ROUNDS ? w->session->coordinator->settings.presync_rounds : 1;
}

static void hold_send(struct walk *w, const struct phase *phase, unsigned rank) {
        struct set *set = w->session->set;
        bool due = set && set->view.n_copies > 0 && w->session->coordinator->hold;

        if (phase->due == DUE_FREEZABLE)
                due = set && set_must_freeze(set);
        if (phase->due == DUE_HELD)
                due = set && set->held;
        if (!due)
                return;
        w->hold_tries = 0;
        hold_ask(w);
}

/* ---- writers' programs that do not run yet ---- */

static void program_loaded(void *owner, void *target, enum ending ending, struct answer *answer) {
        struct walk *w = owner;
        struct party *party = target;

        if (ending != ENDED_ANSWERED || answer->result < 0) /* B-6: it is left out */
                note_log(w->session->coordinator, WORDS_ERROR, w->session, phases[*w->at].name,
                         party->name, "writer '%s' could not be started: %s", party->name,
                         answer->message ? answer->message : vss_error_name(answer->result));
        if (ending == ENDED_LATE)
                party_kill(party, "it could not be loaded in time and was ended");
        walk_answered(w);
}

static void programs_send(struct walk *w, const struct phase *phase, unsigned rank) {
        struct call call = { .verb = phase->verb, .document = -1 };

        for (struct party *p = w->session->coordinator->parties; p; p = p->next)
                if (p->kind == PARTY_WRITER && p->program && !p->running &&
                    (vss_id_is_null(&p->writer.writer_id) || session_wants(w->session, &p->writer)))
                        call_target(w, p, &call, program_loaded, p);
}

const struct audience_ops *const audiences[WHO_COUNT] = {
        [WHO_PROGRAMS] = &(const struct audience_ops){ one_rank, NULL, programs_send },
        [WHO_WRITERS] = &audience_writers,
        [WHO_PROVIDERS] = &(const struct audience_ops){ one_rank, NULL, providers_send },
        [WHO_HOLD] = &(const struct audience_ops){ hold_ranks, NULL, hold_send },
        [WHO_COPIES] = &(const struct audience_ops){ copies_ranks, NULL, copies_send },
};
