/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-matrix.c - every phase x every participant x every fault, generated from the phase table.
 *
 * For the rows of DoSnapshotSet an oracle tells what every actor must have been asked, in order
 * (S-39..S-46, B-131..B-136); for all rows the end is checked: nothing is held, no copy, record,
 * lock or document is left, and the outcome names the participant and the phase. What may follow
 * what is checked by the actors themselves (world.c).
 */
#include "tests/matrix/world.h"

#include "base/array.h"

#define HOUR UINT64_C(3600000000)

struct target {
        const char *name;
        enum audience who;
};

/* the requester cancels or dies, the store's disk is full: faults of their own */
enum other { OTHER_NONE, OTHER_CANCEL, OTHER_REQUESTER_DIES, OTHER_DISK_FULL, OTHER_COUNT };
static const char *const other_names[OTHER_COUNT] = { "", "requester cancels", "requester dies",
                                                      "disk full" };

struct cell {
        enum phase_id row;
        const char *who;
        enum fault_kind fault;
        enum other other;
};

static const struct target targets[] = {
        { "w3", WHO_WRITERS },  { "w3b", WHO_WRITERS },   { "w2", WHO_WRITERS },
        { "w1", WHO_WRITERS },  { "w4", WHO_WRITERS },    { "A", WHO_PROVIDERS },
        { "B", WHO_PROVIDERS }, { "vss-hold", WHO_HOLD },
};

static unsigned cells, oracle_cells;
static char cell_text[200];

#define CELL_FAIL(...)                                                                             \
        do {                                                                                       \
                CHECK_FAIL_(__VA_ARGS__);                                                          \
        } while (0)

static struct world *cell_world(void) {
        struct world *w = world_new(NULL);

        world_hold(w);
        world_provider(w, "A", VSS_PROV_SOFTWARE, VSS_HOLD_FREEZE)->only_volume = "/v1 /v2";
        world_provider(w, "B", VSS_PROV_SYSTEM, VSS_HOLD_OWN);
        world_writer(w, "w3", VSS_APP_FRONT_END, true);
        world_writer(w, "w3b", VSS_APP_FRONT_END, false);
        world_writer(w, "w2", VSS_APP_BACK_END, false)->token_at = VERB_PREPARE_BACKUP;
        world_writer(w, "w1", VSS_APP_SYSTEM, true);
        world_writer(w, "w4", VSS_APP_SYSTEM_RM, false);
        return w;
}

/* ---- the oracle ---- */

struct expected {
        char told[1024];
        const char *name;
        enum audience who;
        unsigned level_rank, copies;
        bool program;
        bool dead, stuck, killed, failed, aborted, past_snapshot; /* writers */
        bool token;
        bool ending, finishing, finished; /* providers */
};

struct oracle {
        struct expected actors[ELEMENTSOF(targets)];
        const struct cell *cell;
        bool held, set_fails;
        enum phase_id failed_at;
};

static void says(struct expected *e, enum verb verb) {
        size_t n = strlen(e->told);

        (void)snprintf(e->told + n, sizeof(e->told) - n, "%s%s", n ? " " : "", verb_name(verb));
}

static void begin_oracle(struct oracle *o, const struct cell *cell) {
        *o = (struct oracle){ .cell = cell };
        for (size_t i = 0; i < ELEMENTSOF(targets); i++) {
                struct expected *e = &o->actors[i];
                const char *name = targets[i].name;

                e->name = name;
                e->who = targets[i].who;
                e->program = strcmp(name, "w3") == 0 || strcmp(name, "w1") == 0;
                e->copies = strcmp(name, "A") == 0 ? 2 : 1;
                e->token = strcmp(name, "w2") == 0; /* the others: PrepareForSnapshot */
                if (e->who == WHO_WRITERS)
                        (void)snprintf(e->told, sizeof(e->told), "%sidentify prepare_backup",
                                       e->program ? "load " : "");
                else if (e->copies == 2)
                        (void)snprintf(e->told, sizeof(e->told),
                                       "load is_volume_supported query begin_prepare_snapshot "
                                       "is_volume_supported query begin_prepare_snapshot "
                                       "is_volume_supported");
                else if (e->who == WHO_PROVIDERS)
                        (void)snprintf(e->told, sizeof(e->told),
                                       "load is_volume_supported query begin_prepare_snapshot");
        }
}

static bool is_target(const struct oracle *o, const struct expected *e, enum phase_id row) {
        return o->cell->who && o->cell->row == row && strcmp(o->cell->who, e->name) == 0 &&
               o->cell->fault != FAULT_TWICE && o->cell->fault != FAULT_NONE;
}

/* a writer's failure is its own (S-44, S-45) */
static void writer_row(struct oracle *o, struct expected *e, enum phase_id row) {
        if (e->dead || e->failed)
                return;
        says(e, phases[row].verb);
        if (row == PHASE_POST_SNAPSHOT)
                e->past_snapshot = true;
        if (!is_target(o, e, row)) {
                e->token = e->token || row == PHASE_PREPARE_SNAPSHOT;
                e->token = e->token && row != PHASE_THAW;
                return;
        }
        e->failed = true;
        e->dead = o->cell->fault == FAULT_DIES;
        e->stuck = o->cell->fault == FAULT_STUCK;
        if (!e->dead && (row == PHASE_FREEZE || row == PHASE_THAW)) {
                says(e, VERB_ABORT);
                e->aborted = true;
                e->killed = e->stuck; /* because it does not answer that either */
                e->token = e->token && e->stuck;
        }
}

static bool requester_stops(const struct oracle *o) {
        return o->cell->other == OTHER_CANCEL || o->cell->other == OTHER_REQUESTER_DIES;
}

static unsigned times_asked(const struct oracle *o, const struct expected *e, enum phase_id row) {
        const struct phase *phase = &phases[row];

        if (phase->who == WHO_COPIES)
                return e->copies;
        if (phase->order == ORDER_ROUNDS)
                return is_target(o, e, row) || (requester_stops(o) && o->cell->row == row) ? 1 : 2;
        if (row != PHASE_RELEASE || !is_target(o, e, row))
                return 1;
        /* each try takes 3 s; before the fifth vss-hold thaws by itself. A dead one is asked
         * again at once, and once more by the undo list */
        return o->cell->fault == FAULT_STUCK ? 4 : 2;
}

/* a failure of a provider or of vss-hold is the set's (S-32) */
static void set_row(struct oracle *o, struct expected *e, enum phase_id row) {
        bool hit = is_target(o, e, row), stops = requester_stops(o) && o->cell->row == row;

        if (phases[row].due == DUE_HELD && !o->held)
                return;
        for (unsigned i = times_asked(o, e, row); i > 0; i--)
                says(e, phases[row].verb);
        o->held = o->held || row == PHASE_HOLD;
        e->ending = e->ending || row == PHASE_END_PREPARE;
        e->finishing = e->finishing || row == PHASE_POST_FINAL;
        e->finished = e->finished || (row == PHASE_POST_FINAL && !hit && !stops);
        e->stuck = e->stuck || (hit && o->cell->fault == FAULT_STUCK);
        e->dead = e->dead || (hit && o->cell->fault == FAULT_DIES && e->who == WHO_PROVIDERS);
        if (row == PHASE_RELEASE) /* the second try succeeds, only a death leaves it in doubt */
                o->held = hit && o->cell->fault == FAULT_DIES;
        if (hit && (row != PHASE_RELEASE || o->held || e->stuck)) {
                o->set_fails = true;
                o->failed_at = row;
        }
}

static bool in_audience(const struct expected *e, const struct phase *phase) {
        return e->who == phase->who || (phase->who == WHO_COPIES && e->who == WHO_PROVIDERS);
}

/* cancelled or without a record: as if the row had failed, for S-46 not before the thaw */
static bool stops_at(const struct oracle *o, enum phase_id row, bool before) {
        bool late = o->cell->row >= PHASE_FREEZE && o->cell->row <= PHASE_THAW;

        if (o->cell->other == OTHER_DISK_FULL)
                return before && row == o->cell->row;
        if (!requester_stops(o))
                return false;
        return late ? before && row == PHASE_LOCATE : !before && row == o->cell->row;
}

static void undo_row(struct oracle *o, enum phase_id row) {
        for (size_t i = 0; i < ELEMENTSOF(o->actors); i++) {
                struct expected *e = &o->actors[i];

                if (row == PHASE_UNDO_HOLD && e->who == WHO_HOLD && o->held)
                        says(e, VERB_HOLD_RELEASE);
                if (row == PHASE_ABORT && e->who == WHO_WRITERS && !e->dead && !e->aborted &&
                    !e->past_snapshot) {
                        says(e, VERB_ABORT);
                        e->aborted = true;
                        e->token = false;
                }
                if (row == PHASE_ABORT_SNAPSHOTS && e->ending && !e->finished) {
                        if (e->stuck) /* not answered either: killed, and asked afresh (P-43) */
                                says(e, VERB_ABORT_SNAPSHOTS);
                        if (e->dead || e->stuck)
                                says(e, VERB_LOAD);
                        says(e, VERB_ABORT_SNAPSHOTS);
                }
                if (row == PHASE_DELETE_CREATED && e->finishing)
                        for (unsigned k = 0; k < e->copies; k++)
                                says(e, VERB_DELETE_SNAPSHOTS);
        }
}

static void undo_all(struct oracle *o, enum phase_id failed_at) {
        const enum phase_id *row = phases[failed_at].undo;

        for (; row && *row != PHASE_COUNT; row++)
                undo_row(o, *row);
}

static void end_oracle(struct oracle *o) {
        for (size_t i = 0; i < ELEMENTSOF(o->actors); i++) {
                struct expected *e = &o->actors[i];

                if (e->who == WHO_WRITERS && !e->dead) {
                        if (!o->set_fails && !e->failed) {
                                says(e, VERB_BACKUP_COMPLETE);
                                e->token = false;
                        }
                        says(e, VERB_BACKUP_SHUTDOWN);
                        if (!e->stuck)
                                e->token = false;
                }
                if (e->who == WHO_PROVIDERS && !o->set_fails)
                        for (unsigned k = 0; k < e->copies; k++)
                                says(e, VERB_DELETE_SNAPSHOTS);
        }
}

static void run_oracle(struct oracle *o, const struct cell *cell) {
        begin_oracle(o, cell);
        for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++) {
                if (stops_at(o, *row, true)) {
                        o->set_fails = true;
                        o->failed_at = *row;
                        break;
                }
                for (size_t i = 0; i < ELEMENTSOF(o->actors); i++)
                        if (in_audience(&o->actors[i], &phases[*row])) {
                                if (phases[*row].who == WHO_WRITERS)
                                        writer_row(o, &o->actors[i], *row);
                                else
                                        set_row(o, &o->actors[i], *row);
                        }
                if (stops_at(o, *row, false)) {
                        o->set_fails = true;
                        o->failed_at = *row;
                }
                if (o->set_fails)
                        break;
        }
        if (o->set_fails)
                undo_all(o, o->failed_at);
        end_oracle(o);
}

/* ---- what a cell must have come to ---- */

static void check_told(struct world *w, const struct oracle *o) {
        for (size_t i = 0; i < ELEMENTSOF(o->actors); i++) {
                const struct expected *e = &o->actors[i];
                const char *told = world_told(world_actor(w, e->name));
                bool undone = e->who == WHO_WRITERS && e->token && (e->dead || e->stuck);
                char undo[1200];

                /* one that lives but is stuck is asked, killed, and asked when it has come back */
                (void)snprintf(undo, sizeof(undo), "%s%s%s", e->told,
                               !undone      ? ""
                               : e->program ? " load undo"
                                            : " undo",
                               undone && !e->dead && !e->killed ? " undo" : "");
                if (strcmp(told, undo) != 0)
                        CELL_FAIL("%s was told\n  %s\nexpected\n  %s\nlog:\n%s", e->name, told,
                                  undo, w->log);
        }
}

/* B-44: after Freeze exactly one of Thaw or Abort; a failed Thaw is followed by Abort (B-132) */
static void check_thaw_or_abort(struct world *w, const struct cell *cell) {
        for (size_t i = 0; i < w->n_actors; i++) {
                const struct actor *a = &w->actors[i];
                bool failed_thaw =
                        cell->row == PHASE_THAW && cell->who && strcmp(cell->who, a->name) == 0;

                if (a->kind != PARTY_WRITER || a->freezes == 0)
                        continue;
                if (a->thaws + a->aborts + (a->undos > 0) == 0)
                        CELL_FAIL("%s was frozen and got neither thaw nor abort nor undo", a->name);
                if (!failed_thaw && cell->other == OTHER_NONE && a->thaws > 0 && a->aborts > 0 &&
                    cell->row < PHASE_THAW)
                        CELL_FAIL("%s got thaw and abort", a->name);
                if (a->aborts > 1 || a->thaws > 1)
                        CELL_FAIL("%s: %u thaws, %u aborts", a->name, a->thaws, a->aborts);
        }
}

static unsigned last_seq(const struct actor *a, enum verb verb) {
        unsigned seq = 0;

        for (size_t i = 0; i < a->n_told; i++)
                if (a->told[i].verb == verb)
                        seq = a->told[i].seq;
        return seq;
}

/* S-42: what is held is released before anybody is told to abort */
static void check_release_first(struct world *w, const struct oracle *o) {
        if (!o->set_fails || o->cell->other != OTHER_NONE || o->cell->row < PHASE_HOLD ||
            o->cell->row > PHASE_RELEASE)
                return;
        for (size_t i = 0; i < w->n_actors; i++)
                if (w->actors[i].kind == PARTY_WRITER &&
                    last_seq(&w->actors[i], VERB_ABORT) < last_seq(w->hold, VERB_HOLD_RELEASE))
                        CELL_FAIL("%s got abort before the release", w->actors[i].name);
}

static void check_words(const char *words, const struct cell *cell) {
        if (!strstr(words, cell->who) || !strstr(words, phases[cell->row].name))
                CELL_FAIL("the words name not both %s and %s: %s", cell->who,
                          phases[cell->row].name, words);
}

static int expected_code(const struct cell *cell) {
        const struct phase *phase = &phases[cell->row];

        if (cell->fault == FAULT_LATE || cell->fault == FAULT_STUCK)
                return phase->late;
        if (phase->who == WHO_HOLD)
                return cell->fault == FAULT_RETRYABLE ? VSS_E_HOLD_WRITES_TIMEOUT : phase->late;
        return cell->fault == FAULT_RETRYABLE ? VSS_E_PROVIDER_VETO
                                              : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

static int32_t expected_failure(const struct cell *cell) {
        switch (cell->fault) {
        case FAULT_RETRYABLE:
                return VSS_E_WRITERERROR_RETRYABLE;
        case FAULT_NONRETRYABLE:
                return VSS_E_WRITERERROR_NONRETRYABLE;
        case FAULT_DIES:
                return VSS_E_WRITER_NOT_RESPONDING;
        case FAULT_LATE:
        case FAULT_STUCK:
                return phases[cell->row].writer_late;
        case FAULT_NONE:
        case FAULT_TWICE:
        case FAULT_COUNT:
                break;
        }
        return 0;
}

/* after DoSnapshotSet: the code, the words, the state of the writers */
static void check_outcome(struct world *w, const struct oracle *o) {
        const struct cell *cell = o->cell;
        const struct phase *phase = &phases[cell->row];
        int code = o->set_fails ? cell->other == OTHER_CANCEL      ? VSS_S_ASYNC_CANCELLED
                                  : cell->other == OTHER_DISK_FULL ? -ENOSPC
                                                                   : expected_code(cell)
                                : VSS_S_ASYNC_FINISHED;
        struct session_writer status;

        if (w->op_code != code)
                CELL_FAIL("DoSnapshotSet came to %s (%s), expected %s", vss_error_name(w->op_code),
                          w->op_words, vss_error_name(code));
        if (cell->other == OTHER_DISK_FULL && !strstr(w->op_words, phase->name))
                CELL_FAIL("the words do not name %s: %s", phase->name, w->op_words);
        if (o->set_fails && cell->other == OTHER_NONE)
                check_words(w->op_words, cell);
        if (phase->who != WHO_WRITERS || !cell->who)
                return;
        status = world_status(w, cell->who);
        if (status.failure != expected_failure(cell))
                CELL_FAIL("failure of the writer is %s", vss_error_name(status.failure));
        if (cell->fault == FAULT_TWICE)
                return;
        if (status.state != phase->state_failed) /* B-78..B-81, B-87..B-102 */
                CELL_FAIL("state of the writer is %u", status.state);
        check_words(status.message, cell);
}

/* ---- running a cell ---- */

static struct operation *current; /* what the trigger cancels */

static void cancel_now(struct world *w) {
        CHECK_INT(operation_cancel(current), 0);
}

static void requester_dies(struct world *w) {
        struct session *s = w->session;

        w->session = NULL;
        session_release(s, NULL, NULL);
}

static void break_disk(struct world *w) {
        w->record_broken = true;
}

static enum verb verb_before(enum phase_id row) {
        return row == PHASE_FREEZE   ? VERB_HOLD_SYNC
               : row == PHASE_LOCATE ? VERB_THAW
                                     : VERB_POST_FINAL_COMMIT_SNAPSHOTS;
}

static void set_trigger(struct world *w, const struct cell *cell) {
        if (cell->other == OTHER_NONE)
                return;
        w->trigger = cell->other == OTHER_CANCEL           ? cancel_now
                     : cell->other == OTHER_REQUESTER_DIES ? requester_dies
                                                           : break_disk;
        w->trigger_verb =
                cell->other == OTHER_DISK_FULL ? verb_before(cell->row) : phases[cell->row].verb;
        if (cell->other == OTHER_DISK_FULL && cell->row == PHASE_END_PREPARE) {
                w->trigger = NULL;
                break_disk(w);
        }
}

static void restart_registered(struct world *w) {
        for (size_t i = 0; i < w->n_actors; i++) {
                struct actor *a = &w->actors[i];

                if (a->kind != PARTY_WRITER || a->program ||
                    (a->running && a->busy_until <= w->now))
                        continue;
                if (a->party)
                        world_die(a);
                world_reregister(w, a);
        }
}

/* the machine is left to itself; what died or hangs is restarted by its own service manager */
static void aftermath(struct world *w) {
        for (unsigned i = 0; i < 3; i++) {
                world_settle(w, HOUR);
                restart_registered(w);
        }
        world_settle(w, HOUR);
        world_check_end(w);
}

static void name_cell(const struct cell *cell) {
        (void)snprintf(cell_text, sizeof(cell_text), "%s x %s x %s", phases[cell->row].name,
                       cell->who ? cell->who : "-",
                       cell->other ? other_names[cell->other] : fault_names[cell->fault]);
        cells++;
}

static int do_it(struct world *w) {
        int r = session_do_snapshot_set(w->session, &current, NULL);

        CHECK_INT(r, 0);
        r = world_op(w, 0, current);
        w->record_broken = false;
        return r;
}

static void run_do_cell(const struct cell *cell) {
        struct world *w = cell_world();
        struct oracle o;

        name_cell(cell);
        oracle_cells++;
        run_oracle(&o, cell);
        world_upto_do(w, VSS_CTX_BACKUP, 3);
        if (cell->who)
                world_strike(world_actor(w, cell->who), phases[cell->row].verb, cell->fault);
        set_trigger(w, cell);
        (void)do_it(w);
        if (cell->other != OTHER_REQUESTER_DIES) {
                check_outcome(w, &o);
                if (o.set_fails)
                        CHECK_INT(world_abort(w), 0); /* S-48 */
                else
                        CHECK_INT(world_complete(w), VSS_S_ASYNC_FINISHED);
                world_release(w);
        }
        aftermath(w);
        check_told(w, &o);
        check_thaw_or_abort(w, cell);
        check_release_first(w, &o);
        world_free(w);
}

/* ---- rows outside of DoSnapshotSet: a whole life, whatever fails ---- */

/* what must have gone wrong before, so that a row of the undo lists is walked */
static const struct primary {
        enum phase_id row;
        const char *who;
        enum verb verb;
        enum fault_kind fault;
} primaries[] = {
        { PHASE_UNDO_HOLD, "A", VERB_COMMIT_SNAPSHOTS, FAULT_RETRYABLE },
        { PHASE_ABORT, "A", VERB_COMMIT_SNAPSHOTS, FAULT_RETRYABLE },
        { PHASE_ABORT_SNAPSHOTS, "A", VERB_COMMIT_SNAPSHOTS, FAULT_RETRYABLE },
        { PHASE_DELETE_CREATED, "A", VERB_POST_FINAL_COMMIT_SNAPSHOTS, FAULT_RETRYABLE },
        { PHASE_UNDO, NULL, VERB_FREEZE, FAULT_DIES }, /* of the target itself */
};

static const struct primary *primary_of(enum phase_id row) {
        for (size_t i = 0; i < ELEMENTSOF(primaries); i++)
                if (primaries[i].row == row)
                        return &primaries[i];
        return NULL;
}

static void check_writer(struct world *w, const struct cell *cell, enum verb verb) {
        const struct phase *phase = &phases[cell->row];
        struct session_writer status;

        if (phase->verb != verb || phase->who != WHO_WRITERS)
                return;
        status = world_status(w, cell->who);
        if (status.failure != expected_failure(cell))
                CELL_FAIL("failure of the writer is %s", vss_error_name(status.failure));
        if (cell->fault != FAULT_TWICE && status.state != phase->state_failed)
                CELL_FAIL("state of the writer is %u", status.state);
        if (cell->fault != FAULT_TWICE)
                check_words(status.message, cell);
}

/* BV-10: who fails Identify was never there */
static void check_gathered(struct world *w, const struct cell *cell) {
        bool absent =
                (cell->row == PHASE_IDENTIFY || (cell->row == PHASE_LOAD && cell->who[0] == 'w')) &&
                cell->fault != FAULT_TWICE;
        size_t n = 0;

        CHECK_INT(session_count_writers(w->session, &n, NULL), 0);
        if (n != (absent ? 4 : 5))
                CELL_FAIL("%zu writers were gathered", n);
}

static void backup_life(struct world *w, const struct cell *cell) {
        static const char *const volumes[] = { "/v1", "/v2", "/v3" };
        const struct primary *primary = primary_of(cell->row);
        int r;

        world_session(w, VSS_CTX_BACKUP);
        CHECK_INT(world_gather(w), VSS_S_ASYNC_FINISHED);
        check_gathered(w, cell);
        CHECK_INT(world_start(w, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(volumes); i++)
                if (world_add(w, volumes[i], NULL) < 0 && !strstr(w->reply_words, cell->who))
                        CELL_FAIL("the words do not name %s: %s", cell->who, w->reply_words);
        CHECK_INT(world_prepare(w), VSS_S_ASYNC_FINISHED);
        check_writer(w, cell, VERB_PREPARE_BACKUP);
        r = do_it(w);
        if (primary && primary->who) { /* an abort path never replaces the error that caused it */
                CHECK_INT(r, VSS_E_PROVIDER_VETO);
                if (!strstr(w->op_words, primary->who) ||
                    !strstr(w->op_words, verb_name(primary->verb)))
                        CELL_FAIL("the words are of something else: %s", w->op_words);
                CHECK_INT(world_abort(w), 0);
        } else {
                CHECK_INT(r, VSS_S_ASYNC_FINISHED);
                CHECK_INT(world_complete(w), VSS_S_ASYNC_FINISHED);
                check_writer(w, cell, VERB_BACKUP_COMPLETE);
        }
        world_release(w);
}

static size_t all_documents(struct world *w, struct component_document *documents) {
        size_t n = 0;

        CHECK_INT(session_count_writers(w->session, &n, NULL), 0);
        for (size_t i = 0; i < n; i++) {
                struct session_writer status;

                CHECK_INT(session_get_writer(w->session, i, &status), 0);
                documents[i] = (struct component_document){ status.identity.instance_id,
                                                            world_document(w) };
        }
        return n;
}

static void restore_life(struct world *w, const struct cell *cell) {
        struct component_document documents[MAX_ACTORS];
        struct operation *op;
        size_t n;
        int r;

        CHECK_INT(session_new(w->c, 0, true, w, &w->session, NULL), 0);
        CHECK_INT(world_gather(w), VSS_S_ASYNC_FINISHED);
        n = all_documents(w, documents);
        r = session_pre_restore(w->session, documents, n, &op, NULL);
        CHECK_INT(world_op(w, r, op), VSS_S_ASYNC_FINISHED);
        check_writer(w, cell, VERB_PRE_RESTORE);
        n = all_documents(w, documents);
        r = session_post_restore(w->session, documents, n, &op, NULL);
        CHECK_INT(world_op(w, r, op), VSS_S_ASYNC_FINISHED);
        check_writer(w, cell, VERB_POST_RESTORE);
        world_release(w);
        for (size_t i = 0; i < w->n_actors; i++) /* the bracket is closed */
                if (w->actors[i].kind == PARTY_WRITER &&
                    world_was_told(&w->actors[i], VERB_PRE_RESTORE) && w->actors[i].running)
                        CHECK(world_was_told(&w->actors[i], VERB_POST_RESTORE));
}

static void run_life_cell(const struct cell *cell) {
        struct world *w = cell_world();
        const struct primary *primary = primary_of(cell->row);

        name_cell(cell);
        if (primary)
                world_strike(world_actor(w, primary->who ? primary->who : cell->who), primary->verb,
                             primary->fault);
        world_strike(world_actor(w, cell->who), phases[cell->row].verb, cell->fault);
        if (cell->row == PHASE_PRE_RESTORE || cell->row == PHASE_POST_RESTORE)
                restore_life(w, cell);
        else
                backup_life(w, cell);
        aftermath(w);
        if (!world_was_told(world_actor(w, cell->who), phases[cell->row].verb))
                CELL_FAIL("the phase was never reached");
        world_free(w);
}

/* ---- generating ---- */

static bool in_do(enum phase_id row) {
        for (const enum phase_id *at = walk_do_snapshot_set; *at != PHASE_COUNT; at++)
                if (*at == row)
                        return true;
        return false;
}

/* takes_part() - may this participant be asked in this row? */
static bool takes_part(enum phase_id row, const struct target *target) {
        enum audience who = phases[row].who == WHO_COPIES ? WHO_PROVIDERS : phases[row].who;
        bool program = strcmp(target->name, "w3") == 0 || strcmp(target->name, "w1") == 0;

        if (row == PHASE_LOAD)
                return program || target->who == WHO_PROVIDERS;
        if (row == PHASE_DELETE_CREATED || row == PHASE_DELETE_RELEASED)
                return target->who == WHO_PROVIDERS;
        return who == target->who;
}

static void all_faults(enum phase_id row, const struct target *target) {
        for (enum fault_kind fault = FAULT_RETRYABLE; fault < FAULT_COUNT; fault++) {
                struct cell cell = { row, target->name, fault, OTHER_NONE };

                if (in_do(row))
                        run_do_cell(&cell);
                else
                        run_life_cell(&cell);
        }
}

static void test_participants(void) {
        for (enum phase_id row = 0; row < PHASE_COUNT; row++)
                for (size_t i = 0; i < ELEMENTSOF(targets); i++)
                        if (takes_part(row, &targets[i]))
                                all_faults(row, &targets[i]);
}

/* S-34, S-46 */
static void test_requester(void) {
        for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++)
                for (enum other other = OTHER_CANCEL; other <= OTHER_REQUESTER_DIES; other++)
                        if (phases[*row].who != WHO_NOBODY)
                                run_do_cell(&(struct cell){ *row, NULL, FAULT_NONE, other });
}

/* the record comes before the deed: without it the deed is not done */
static void test_full_disk(void) {
        for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++)
                if (phases[*row].flags & ROW_RECORD)
                        run_do_cell(&(struct cell){ *row, NULL, FAULT_NONE, OTHER_DISK_FULL });
}

/* the actors' own checks do not know the cell */
static void say_where(void) {
        if (*cell_text)
                fprintf(stderr, "in cell %s\n", cell_text);
}

int main(void) {
        atexit(say_where);
        RUN(test_participants);
        RUN(test_requester);
        RUN(test_full_disk);
        printf("%u cells, %u of them with every call of every actor foretold\n", cells,
               oracle_cells);
        *cell_text = '\0';
        return 0;
}
