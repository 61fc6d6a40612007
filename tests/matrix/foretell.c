/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foretell.c - see foretell.h. The rules: backup-protocol 1, 2, 5 and 7, shadow-copy-creation 2.2
 * and 2.3, providers P-13, P-14, P-31, P-43, P-54, restore-protocol 2 and 13.
 */
#include "tests/matrix/foretell.h"

const struct target targets[N_TARGETS] = {
        { "w3", WHO_WRITERS },  { "w3b", WHO_WRITERS },   { "w2", WHO_WRITERS },
        { "w1", WHO_WRITERS },  { "w4", WHO_WRITERS },    { "A", WHO_PROVIDERS },
        { "B", WHO_PROVIDERS }, { "vss-hold", WHO_HOLD },
};

/* next_of() - the actor of this kind after @e, from the first when @e is NULL; NULL: no more */
static struct foretold *next_of(struct prophecy *p, enum audience who, struct foretold *e) {
        for (e = e ? e + 1 : p->actors; e < p->actors + N_TARGETS; e++)
                if (e->who == who)
                        return e;
        return NULL;
}

#define EACH(p, e, kind)                                                                           \
        struct foretold *e = next_of(p, kind, NULL);                                               \
        e;                                                                                         \
        e = next_of(p, kind, e)

/* ---- one call ---- */

static bool well(enum fault_kind fault) {
        return fault == FAULT_NONE || fault == FAULT_TWICE; /* a second answer changes nothing */
}

static bool silent(enum fault_kind fault) {
        return fault == FAULT_LATE || fault == FAULT_STUCK;
}

/* asks() - Return: what comes of it */
static enum fault_kind asks(struct foretold *e, enum verb verb) {
        size_t n = strlen(e->told);
        enum fault_kind fault = e->stuck ? FAULT_STUCK : FAULT_NONE;

        (void)snprintf(e->told + n, sizeof(e->told) - n, "%s%s", n ? " " : "", verb_name(verb));
        if (!e->faults[0].kind || e->faults[0].verb != verb)
                return fault;
        fault = e->faults[0].kind;
        e->faults[0] = e->faults[1];
        e->faults[1].kind = FAULT_NONE;
        e->stuck = e->stuck || fault == FAULT_STUCK;
        e->dead = e->dead || fault == FAULT_DIES;
        return fault;
}

static void killed(struct foretold *e) {
        e->dead = true;
        e->stuck = false;
}

/* asks_afresh() - a program that does not run is started for it (undo works without the memory of
 * the first); who says nothing is ended (P-43) */
static enum fault_kind asks_afresh(struct foretold *e, enum verb verb) {
        enum fault_kind fault;

        if (e->dead && (e->program || e->who == WHO_PROVIDERS))
                (void)asks(e, VERB_LOAD);
        e->dead = false;
        fault = asks(e, verb);
        if (silent(fault))
                killed(e);
        return fault;
}

/* what must be undone is tried again */
static void undoes(struct foretold *e, enum verb verb) {
        if (!well(asks_afresh(e, verb)))
                (void)asks_afresh(e, verb);
}

/* ---- writers ---- */

/* a token is deposited with the answer, whatever else that says */
static void deposits(struct foretold *e, enum verb verb, enum fault_kind fault) {
        if (verb == e->token_at && !silent(fault) && fault != FAULT_DIES)
                e->token = true;
}

/* B-136, B-133: to each that was reached and has not had PostSnapshot, once; who does not answer
 * may hold something, and is ended. @alone: the others do not wait for it (S-45) */
static void aborts(struct foretold *e, bool alone) {
        enum fault_kind fault;

        if (e->dead || !e->reached || e->aborted || e->past_snapshot)
                return;
        e->aborted = true;
        fault = asks(e, VERB_ABORT);
        if (well(fault))
                e->token = false;
        e->doomed = alone && (silent(fault) || e->dead);
        if (e->doomed)
                e->dead = false; /* the others are done before it is known */
        else if (silent(fault))
                killed(e);
}

/* forward() - B-86: who has failed gets none any more. S-44, S-45: its failure is its own */
static void forward(struct prophecy *p, enum verb verb) {
        for (EACH(p, e, WHO_WRITERS)) {
                enum fault_kind fault;

                if (!e->present || e->dead || e->failed)
                        continue;
                fault = asks(e, verb);
                e->reached = true;
                e->past_snapshot = e->past_snapshot || verb == VERB_POST_SNAPSHOT;
                deposits(e, verb, fault);
                if (well(fault)) {
                        e->token = e->token && verb != VERB_THAW && verb != VERB_BACKUP_COMPLETE;
                        continue;
                }
                e->failed = true;
                if (verb == VERB_FREEZE || verb == VERB_THAW) /* B-132 */
                        aborts(e, true);
        }
}

/* B-137: always, also without BackupComplete; it ends what a token was for */
static void shuts_down(struct prophecy *p) {
        for (EACH(p, e, WHO_WRITERS)) {
                if (e->reached && !e->dead && well(asks(e, VERB_BACKUP_SHUTDOWN)) && !e->doomed)
                        e->token = false;
                if (e->doomed) /* it died, or its Abort is late by now */
                        killed(e);
        }
}

/* what a token was deposited for and nobody has ended: by a fresh process, if that is needed */
static void undo_duties(struct prophecy *p) {
        for (EACH(p, e, WHO_WRITERS))
                for (unsigned tries = 0; e->token && tries < 3; tries++)
                        if (well(asks_afresh(e, VERB_UNDO)))
                                e->token = false;
}

/* B-6, B-82, BV-10: who cannot be started or fails Identify is left out of all that follows */
static bool gather(struct prophecy *p) {
        const struct story *s = p->story;
        bool stops = !s->who && s->other != OTHER_NONE;

        for (EACH(p, e, WHO_WRITERS)) {
                enum fault_kind fault = e->program ? asks(e, VERB_LOAD) : FAULT_NONE;

                if (silent(fault))
                        killed(e);
                e->present = well(fault);
        }
        if (stops && s->row == PHASE_LOAD)
                return false;
        for (EACH(p, e, WHO_WRITERS))
                if (e->present)
                        e->present = well(asks(e, VERB_IDENTIFY));
        return !(stops && s->row == PHASE_IDENTIFY);
}

/* ---- providers before DoSnapshotSet ---- */

static void load_providers(struct prophecy *p) {
        for (EACH(p, e, WHO_PROVIDERS)) {
                enum fault_kind fault = e->loaded ? FAULT_NONE : asks(e, VERB_LOAD);

                e->loaded = e->loaded || well(fault);
                e->dead = e->stuck = false; /* it begins anew, or is ended */
        }
}

/* P-43: who is silent is ended, nothing is held here */
static void loses(struct foretold *e, enum fault_kind fault) {
        e->loaded = !silent(fault) && fault != FAULT_DIES;
        e->dead = e->stuck = false;
}

/* P-13 in the order of the actors; P-14: who fails or is silent counts as no. S-39: a failed
 * BeginPrepareSnapshot is told the requester, and the set stays open without that volume */
static void add(struct prophecy *p, const char *volume) {
        load_providers(p);
        for (EACH(p, e, WHO_PROVIDERS)) {
                enum fault_kind fault;

                if (!e->loaded)
                        continue;
                fault = asks(e, VERB_IS_VOLUME_SUPPORTED);
                loses(e, fault);
                if (!well(fault) || (*e->name == 'A' && strcmp(volume, "/v3") == 0))
                        continue;
                (void)asks(e, VERB_QUERY); /* S-14 */
                fault = asks(e, VERB_BEGIN_PREPARE_SNAPSHOT);
                loses(e, fault);
                e->copies += well(fault);
                return;
        }
}

/* ---- DoSnapshotSet ---- */

static void set_fails(struct prophecy *p, enum phase_id row) {
        p->set_fails = true;
        p->failed_at = row;
}

static bool requester_stops(const struct story *s) {
        return s->other == OTHER_CANCEL || s->other == OTHER_REQUESTER_DIES;
}

static unsigned copies(const struct prophecy *p) {
        return p->actors[5].copies + p->actors[6].copies;
}

/* providers() - S-32: one failure of any is the set's */
static void providers(struct prophecy *p, enum phase_id row, enum verb verb) {
        for (EACH(p, e, WHO_PROVIDERS)) {
                unsigned times = verb == VERB_GET_SNAPSHOT_PROPERTIES ? e->copies : e->copies > 0;

                for (; times > 0; times--) {
                        enum fault_kind fault = asks(e, verb);

                        e->ending = e->ending || verb == VERB_END_PREPARE_SNAPSHOTS;
                        e->finishing = e->finishing || verb == VERB_POST_FINAL_COMMIT_SNAPSHOTS;
                        if (well(fault)) { /* P-54; cancelled means that its word is not heard */
                                e->finished = e->finishing &&
                                              !(requester_stops(p->story) && p->story->row == row);
                                continue;
                        }
                        if (silent(fault) && row == PHASE_COMMIT)
                                p->hold_time_over = true;
                        set_fails(p, row);
                }
        }
}

/* release() - S-30: tried until it succeeds. Each try has 3 s; at 10 s vss-hold thaws by itself
 * (S-25), and then the set was not held long enough to be one */
static void release(struct prophecy *p, struct foretold *hold) {
        unsigned tries = 0;
        enum fault_kind fault;

        do {
                fault = asks(hold, VERB_HOLD_RELEASE);
                tries++;
        } while (!well(fault) && !(fault == FAULT_STUCK && (tries == 4 || p->hold_time_over)));
        p->held = false;
}

static void holds(struct prophecy *p, enum phase_id row, enum verb verb) {
        struct foretold *hold = &p->actors[7];
        bool died = hold->dead;
        unsigned times = 1;

        if (copies(p) == 0 || (verb == VERB_HOLD_FREEZE && p->actors[5].copies == 0) ||
            (verb == VERB_HOLD_RELEASE && !p->held))
                return;
        if (verb == VERB_HOLD_SYNC && !(requester_stops(p->story) && p->story->row == row))
                times = 2; /* S-26 */
        p->held = p->held || verb == VERB_HOLD_FREEZE;
        if (verb == VERB_HOLD_RELEASE) {
                release(p, hold);
                if (hold->dead &&
                    !died) /* nobody knows for how long it held: undo releases again */
                        p->held = true;
                if (p->held || hold->stuck)
                        set_fails(p, row);
                return;
        }
        for (; times > 0; times--) {
                enum fault_kind fault = asks(hold, verb);

                if (well(fault))
                        continue;
                if (silent(fault) && verb == VERB_HOLD_FREEZE)
                        p->hold_time_over = true;
                set_fails(p, row);
                return;
        }
}

/* S-39..S-43 and the order of S-42 */
static void undo(struct prophecy *p) {
        bool was_held = p->held;

        if (was_held)
                release(p, &p->actors[7]);
        for (EACH(p, e, WHO_WRITERS))
                aborts(e, false);
        for (EACH(p, e, WHO_PROVIDERS))
                if (e->ending && !e->finished) /* P-31 */
                        undoes(e, VERB_ABORT_SNAPSHOTS);
        for (EACH(p, e, WHO_PROVIDERS))
                for (unsigned i = 0; e->finishing && i < e->copies; i++) /* S-43 */
                        undoes(e, VERB_DELETE_SNAPSHOTS);
}

/* shadow-copy-creation 2.2, steps 5 to 23 */
static const struct step {
        enum phase_id row;
        enum audience who;
        enum verb verb;
        bool frozen; /* S-34, S-46: nobody is stopped here, but at the first step after it */
        bool recorded; /* what will have to be undone is written down before */
} steps[] = {
        { PHASE_END_PREPARE, WHO_PROVIDERS, VERB_END_PREPARE_SNAPSHOTS, false, true },
        { PHASE_HOLD_PREPARE, WHO_HOLD, VERB_HOLD_PREPARE, false, false },
        { PHASE_PREPARE_SNAPSHOT, WHO_WRITERS, VERB_PREPARE_SNAPSHOT, false, false },
        { PHASE_SYNC, WHO_HOLD, VERB_HOLD_SYNC, false, false },
        { PHASE_FREEZE, WHO_WRITERS, VERB_FREEZE, true, true },
        { PHASE_PRE_COMMIT, WHO_PROVIDERS, VERB_PRE_COMMIT_SNAPSHOTS, true, false },
        { PHASE_HOLD, WHO_HOLD, VERB_HOLD_FREEZE, true, false },
        { PHASE_COMMIT, WHO_PROVIDERS, VERB_COMMIT_SNAPSHOTS, true, false },
        { PHASE_RELEASE, WHO_HOLD, VERB_HOLD_RELEASE, true, false },
        { PHASE_POST_COMMIT, WHO_PROVIDERS, VERB_POST_COMMIT_SNAPSHOTS, true, false },
        { PHASE_THAW, WHO_WRITERS, VERB_THAW, true, false },
        { PHASE_LOCATE, WHO_PROVIDERS, VERB_GET_SNAPSHOT_PROPERTIES, false, true },
        { PHASE_PRE_FINAL, WHO_PROVIDERS, VERB_PRE_FINAL_COMMIT_SNAPSHOTS, false, false },
        { PHASE_POST_SNAPSHOT, WHO_WRITERS, VERB_POST_SNAPSHOT, false, false },
        { PHASE_POST_FINAL, WHO_PROVIDERS, VERB_POST_FINAL_COMMIT_SNAPSHOTS, false, false },
        { PHASE_PUBLISH, WHO_NOBODY, 0, false, true },
};

static void do_snapshot_set(struct prophecy *p) {
        const struct story *s = p->story;
        bool waiting = false; /* to stop as soon as nobody is frozen */

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !p->set_fails; i++) {
                const struct step *step = &steps[i];

                if ((s->other == OTHER_DISK_FULL && step->row == s->row) ||
                    (waiting && !step->frozen)) {
                        set_fails(p, step->row);
                        break;
                }
                if (step->who == WHO_WRITERS)
                        forward(p, step->verb);
                if (step->who == WHO_PROVIDERS)
                        providers(p, step->row, step->verb);
                if (step->who == WHO_HOLD)
                        holds(p, step->row, step->verb);
                if (!requester_stops(s) || step->row != s->row)
                        continue;
                waiting = step->frozen;
                if (!waiting)
                        set_fails(p, step->row);
        }
        if (p->set_fails)
                undo(p);
}

/* ---- whole lives ---- */

static void backup(struct prophecy *p) {
        const struct story *s = p->story;
        bool stops = requester_stops(s);

        if (!gather(p))
                return;
        add(p, "/v1");
        add(p, "/v2");
        add(p, "/v3");
        forward(p, VERB_PREPARE_BACKUP);
        if (stops && s->row == PHASE_PREPARE_BACKUP) { /* B-131, BV-22; S-39: providers: nothing */
                for (EACH(p, e, WHO_WRITERS))
                        aborts(e, false);
        } else {
                do_snapshot_set(p);
                if (!p->set_fails)
                        forward(p, VERB_BACKUP_COMPLETE);
        }
        shuts_down(p);
        for (EACH(p, e, WHO_PROVIDERS)) /* S-60 */
                for (unsigned i = 0; e->finished && !p->set_fails && i < e->copies; i++)
                        undoes(e, VERB_DELETE_SNAPSHOTS);
        undo_duties(p);
}

/* whoever got PreRestore gets PostRestore, once, whatever became of that, and also
 * when the requester dies before it could; R-18: but not its next process */
static void restore(struct prophecy *p) {
        if (!gather(p))
                return;
        for (EACH(p, e, WHO_WRITERS))
                if (e->present)
                        (void)asks(e, VERB_PRE_RESTORE);
        for (EACH(p, e, WHO_WRITERS))
                if (e->present && !e->dead)
                        (void)asks(e, VERB_POST_RESTORE);
}

static void begin(struct foretold *e, const struct target *target, const struct story *s) {
        unsigned n = 0;

        e->name = target->name;
        e->who = target->who;
        e->program = strcmp(e->name, "w3") == 0 || strcmp(e->name, "w1") == 0;
        e->token_at = strcmp(e->name, "w2") == 0 ? VERB_PREPARE_BACKUP : VERB_PREPARE_SNAPSHOT;
        if (s->before && strcmp(s->before, e->name) == 0) {
                e->faults[n].verb = s->before_verb;
                e->faults[n++].kind = s->before_fault;
        }
        if (s->who && strcmp(s->who, e->name) == 0) {
                e->faults[n].verb = phases[s->row].verb;
                e->faults[n++].kind = s->fault;
        }
}

void foretell(struct prophecy *ret, const struct story *story) {
        *ret = (struct prophecy){ .story = story };
        for (size_t i = 0; i < N_TARGETS; i++)
                begin(&ret->actors[i], &targets[i], story);
        if (story->restore)
                restore(ret);
        else
                backup(ret);
}

/* ---- what is told ---- */

/* B-78..B-81, B-108, B-113, R-114 */
int32_t foretell_failure(const struct story *story) {
        switch ((int)story->fault) {
        case FAULT_RETRYABLE:
                return VSS_E_WRITERERROR_RETRYABLE;
        case FAULT_NONRETRYABLE:
                return VSS_E_WRITERERROR_NONRETRYABLE;
        case FAULT_DIES:
                return VSS_E_WRITER_NOT_RESPONDING;
        case FAULT_LATE:
        case FAULT_STUCK:
                return story->restore || story->row == PHASE_FREEZE || story->row == PHASE_THAW
                               ? VSS_E_WRITERERROR_TIMEOUT
                               : VSS_E_WRITER_NOT_RESPONDING;
        default:
                return 0;
        }
}

uint32_t foretell_state(enum phase_id row) {
        switch ((int)row) {
        case PHASE_PREPARE_BACKUP:
                return VSS_WS_FAILED_AT_PREPARE_BACKUP;
        case PHASE_PREPARE_SNAPSHOT:
                return VSS_WS_FAILED_AT_PREPARE_SNAPSHOT;
        case PHASE_FREEZE:
                return VSS_WS_FAILED_AT_FREEZE;
        case PHASE_THAW:
                return VSS_WS_FAILED_AT_THAW;
        case PHASE_POST_SNAPSHOT:
                return VSS_WS_FAILED_AT_POST_SNAPSHOT;
        case PHASE_BACKUP_COMPLETE:
                return VSS_WS_FAILED_AT_BACKUP_COMPLETE;
        case PHASE_PRE_RESTORE:
                return VSS_WS_FAILED_AT_PRE_RESTORE;
        case PHASE_POST_RESTORE:
                return VSS_WS_FAILED_AT_POST_RESTORE;
        default:
                CHECK_FAIL_("no writer fails at %s", phases[row].name);
        }
}

/* B-36, B-37, B-118..B-121, S-40..S-43, S-50 */
int foretell_code(const struct story *story) {
        enum fault_kind fault = story->fault;

        switch ((int)story->row) {
        case PHASE_HOLD_PREPARE:
        case PHASE_SYNC:
        case PHASE_HOLD:
                return fault == FAULT_RETRYABLE ? VSS_E_HOLD_WRITES_TIMEOUT
                                                : VSS_E_FLUSH_WRITES_TIMEOUT;
        case PHASE_RELEASE:
                return VSS_E_HOLD_WRITES_TIMEOUT;
        case PHASE_COMMIT:
                if (silent(fault))
                        return VSS_E_HOLD_WRITES_TIMEOUT;
                break;
        default:
                break;
        }
        return fault == FAULT_RETRYABLE ? VSS_E_PROVIDER_VETO : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}
