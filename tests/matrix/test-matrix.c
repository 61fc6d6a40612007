/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-matrix.c - every phase x every participant x every fault, generated from the phase table.
 *
 * foretell.c tells from the rules what every actor must have been asked, in order; that is compared
 * for every cell, inside of DoSnapshotSet and outside. Then the end is checked: nothing is held, no
 * copy, record, lock or document is left, and somebody was told which participant failed in which
 * phase. What may follow what is checked by the actors themselves (world.c).
 */
#include "tests/matrix/foretell.h"

#include "base/array.h"

#define HOUR UINT64_C(3600000000)

static const char *const other_names[OTHER_COUNT] = { "", "requester cancels", "requester dies",
                                                      "disk full" };

static unsigned cells;
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

/* ---- what a cell must have come to ---- */

static void check_told(struct world *w, const struct prophecy *p) {
        for (size_t i = 0; i < N_TARGETS; i++) {
                const struct foretold *e = &p->actors[i];
                const char *told = world_told(world_actor(w, e->name));

                if (strcmp(told, e->told) != 0)
                        CELL_FAIL("%s was told\n  %s\nexpected\n  %s\nlog:\n%s", e->name, told,
                                  e->told, w->log);
        }
}

/* B-44: after Freeze exactly one of Thaw or Abort; a failed Thaw is followed by Abort (B-132) */
static void check_thaw_or_abort(struct world *w, const struct story *story) {
        for (size_t i = 0; i < w->n_actors; i++) {
                const struct actor *a = &w->actors[i];
                bool failed_thaw =
                        story->row == PHASE_THAW && story->who && strcmp(story->who, a->name) == 0;

                if (a->kind != PARTY_WRITER || a->freezes == 0)
                        continue;
                if (a->thaws + a->aborts + (a->undos > 0) == 0)
                        CELL_FAIL("%s was frozen and got neither thaw nor abort nor undo", a->name);
                if (!failed_thaw && story->other == OTHER_NONE && a->thaws > 0 && a->aborts > 0 &&
                    story->row < PHASE_THAW)
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
static void check_release_first(struct world *w, const struct prophecy *p) {
        const struct story *s = p->story;
        bool in_hold = (s->row >= PHASE_HOLD && s->row <= PHASE_RELEASE) ||
                       (s->before && s->before_verb == VERB_COMMIT_SNAPSHOTS);

        if (!p->set_fails || s->other != OTHER_NONE || !in_hold)
                return;
        for (size_t i = 0; i < w->n_actors; i++)
                if (w->actors[i].kind == PARTY_WRITER &&
                    last_seq(&w->actors[i], VERB_ABORT) < last_seq(w->hold, VERB_HOLD_RELEASE))
                        CELL_FAIL("%s got abort before the release", w->actors[i].name);
}

static void check_words(const char *words, const char *who, const char *what) {
        if (!strstr(words, who) || !strstr(words, what))
                CELL_FAIL("the words name not both %s and %s: %s", who, what, words);
}

/* whatever failed is told somewhere: who, and in what; also when a second try went well */
static void check_explained(const struct world *w, const struct story *s) {
        bool event = phases[s->row].who == WHO_WRITERS && s->row != PHASE_UNDO;
        char line[512];

        if (!s->who || s->fault == FAULT_TWICE)
                return;
        for (const char *at = w->log; *at; at += strcspn(at, "\n") + 1) {
                (void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
                if (strstr(line, s->who) &&
                    (strstr(line, phases[s->row].name) ||
                     strstr(line, verb_name(phases[s->row].verb))) &&
                    (!event || strstr(line, vss_error_name(foretell_failure(s))))) /* B-161 */
                        return;
        }
        CELL_FAIL("nobody tells of %s in %s; log:\n%s", s->who, phases[s->row].name, w->log);
}

static bool stops_at(const struct story *s, enum phase_id row) {
        return (s->other == OTHER_CANCEL || s->other == OTHER_REQUESTER_DIES) && s->row == row;
}

/* B-78..B-81, B-87..B-102: after the operation in which the writer met its fault */
static void check_writer(struct world *w, const struct story *s, enum phase_id row) {
        struct session_writer status;

        if (s->row != row || !s->who)
                return;
        status = world_status(w, s->who);
        if (status.failure != foretell_failure(s))
                CELL_FAIL("failure of the writer is %s, expected %s",
                          vss_error_name(status.failure), vss_error_name(foretell_failure(s)));
        if (s->fault == FAULT_TWICE)
                return;
        if (status.state != foretell_state(row))
                CELL_FAIL("state of the writer is %u", status.state);
        check_words(status.message, s->who, phases[row].name);
}

/* after DoSnapshotSet: the code, the words, the state of the writers */
static void check_outcome(struct world *w, const struct prophecy *p) {
        const struct story *s = p->story;
        int code = !p->set_fails                 ? VSS_S_ASYNC_FINISHED
                   : s->other == OTHER_CANCEL    ? VSS_S_ASYNC_CANCELLED
                   : s->other == OTHER_DISK_FULL ? -ENOSPC
                   : s->before                   ? VSS_E_PROVIDER_VETO
                                                 : foretell_code(s);

        if (w->op_code != code)
                CELL_FAIL("DoSnapshotSet came to %s (%s), expected %s", vss_error_name(w->op_code),
                          w->op_words, vss_error_name(code));
        if (s->other == OTHER_DISK_FULL && !strstr(w->op_words, phases[s->row].name))
                CELL_FAIL("the words do not name %s: %s", phases[s->row].name, w->op_words);
        if (p->set_fails && s->before) /* an abort path never replaces the error that caused it */
                check_words(w->op_words, s->before, verb_name(s->before_verb));
        else if (p->set_fails && s->who)
                check_words(w->op_words, s->who, phases[s->row].name);
        for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++)
                if (phases[*row].who == WHO_WRITERS)
                        check_writer(w, s, *row);
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

static void set_trigger(struct world *w, const struct story *s) {
        if (s->other == OTHER_NONE)
                return;
        w->trigger = s->other == OTHER_CANCEL           ? cancel_now
                     : s->other == OTHER_REQUESTER_DIES ? requester_dies
                                                        : break_disk;
        w->trigger_verb = s->other == OTHER_DISK_FULL ? verb_before(s->row) : phases[s->row].verb;
        if (s->other == OTHER_DISK_FULL && s->row == PHASE_END_PREPARE)
                w->trigger = NULL;
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

static void name_cell(const struct story *s) {
        (void)snprintf(cell_text, sizeof(cell_text), "%s x %s x %s", phases[s->row].name,
                       s->who ? s->who : "-",
                       s->other ? other_names[s->other] : fault_names[s->fault]);
        cells++;
}

/* ended() - @current has come to its end. Return: true when the requester goes on */
static bool ended(struct world *w, const struct story *s, enum phase_id row, int r) {
        CHECK_INT(r, 0);
        r = world_op(w, 0, current);
        CHECK_INT(r, stops_at(s, row) ? VSS_S_ASYNC_CANCELLED : VSS_S_ASYNC_FINISHED);
        return !stops_at(s, row);
}

/* BV-10: who cannot be started or fails Identify was never there */
static bool gather(struct world *w, const struct prophecy *p) {
        const struct story *s = p->story;
        size_t n = 0, expected = 0;
        int r = session_gather_writer_metadata(w->session, NULL, &current, NULL);

        if (!ended(w, s, s->row == PHASE_LOAD ? PHASE_LOAD : PHASE_IDENTIFY, r))
                return false;
        for (size_t i = 0; i < N_TARGETS; i++)
                expected += p->actors[i].present;
        CHECK_INT(session_count_writers(w->session, &n, NULL), 0);
        if (n != expected)
                CELL_FAIL("%zu writers were gathered, expected %zu", n, expected);
        return true;
}

static void add_all(struct world *w, const struct prophecy *p) {
        static const char *const volumes[] = { "/v1", "/v2", "/v3" };
        unsigned added = 0;

        for (size_t i = 0; i < ELEMENTSOF(volumes); i++) {
                bool well = world_add(w, volumes[i], NULL) >= 0;

                added += well;
                if (!well && !strstr(w->reply_words, p->story->who))
                        CELL_FAIL("the words do not name %s: %s", p->story->who, w->reply_words);
        }
        if (added != p->actors[5].copies + p->actors[6].copies)
                CELL_FAIL("%u volumes are in the set", added);
}

/* do_set() - Return: true when the requester goes on */
static bool do_set(struct world *w, const struct prophecy *p) {
        const struct story *s = p->story;

        if (s->other == OTHER_DISK_FULL && s->row == PHASE_END_PREPARE)
                break_disk(w);
        CHECK_INT(session_do_snapshot_set(w->session, &current, NULL), 0);
        (void)world_op(w, 0, current);
        w->record_broken = false;
        if (!w->session)
                return false;
        check_outcome(w, p);
        return true;
}

/* Return: true when the session is to be released */
static bool backup(struct world *w, const struct prophecy *p) {
        const struct story *s = p->story;

        world_session(w, VSS_CTX_BACKUP);
        if (!gather(w, p))
                return s->other == OTHER_CANCEL;
        CHECK_INT(world_start(w, NULL), 0);
        add_all(w, p);
        CHECK_INT(session_set_backup_state(w->session, false, false, VSS_BT_FULL, false, NULL), 0);
        if (!ended(w, s, PHASE_PREPARE_BACKUP,
                   session_prepare_for_backup(w->session, NULL, 0, true, &current, NULL))) {
                if (s->other == OTHER_CANCEL)
                        CHECK_INT(world_abort(w), 0);
                return s->other == OTHER_CANCEL;
        }
        check_writer(w, s, PHASE_PREPARE_BACKUP);
        if (!do_set(w, p))
                return false;
        if (p->set_fails) {
                CHECK_INT(world_abort(w), 0); /* S-48 */
                return true;
        }
        if (!ended(w, s, PHASE_BACKUP_COMPLETE,
                   session_backup_complete(w->session, NULL, 0, &current, NULL)))
                return s->other == OTHER_CANCEL;
        check_writer(w, s, PHASE_BACKUP_COMPLETE);
        return true;
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

static bool restore(struct world *w, const struct prophecy *p) {
        struct component_document documents[MAX_ACTORS];
        const struct story *s = p->story;
        size_t n;

        CHECK_INT(session_new(w->c, 0, true, w, &w->session, NULL), 0);
        if (!gather(w, p))
                return s->other == OTHER_CANCEL;
        n = all_documents(w, documents);
        (void)ended(w, s, PHASE_PRE_RESTORE,
                    session_pre_restore(w->session, documents, n, &current, NULL));
        if (!w->session)
                return false;
        check_writer(w, s, PHASE_PRE_RESTORE);
        n = all_documents(w, documents);
        (void)ended(w, s, PHASE_POST_RESTORE,
                    session_post_restore(w->session, documents, n, &current, NULL));
        if (!w->session)
                return false;
        check_writer(w, s, PHASE_POST_RESTORE);
        if (s->row == PHASE_PRE_RESTORE && s->who && s->fault != FAULT_TWICE) { /* B-104 */
                struct session_writer status = world_status(w, s->who);

                CHECK_INT(status.state,
                          foretell_state(s->fault == FAULT_STUCK ? PHASE_POST_RESTORE
                                                                 : PHASE_PRE_RESTORE));
                CHECK_INT(status.failure, foretell_failure(s));
        }
        return true;
}

static void run_cell(const struct story *s) {
        struct world *w = cell_world();
        struct prophecy p;

        name_cell(s);
        foretell(&p, s);
        if (s->before)
                world_strike(world_actor(w, s->before), s->before_verb, s->before_fault);
        if (s->who)
                world_strike(world_actor(w, s->who), phases[s->row].verb, s->fault);
        set_trigger(w, s);
        if (s->restore ? restore(w, &p) : backup(w, &p))
                world_release(w);
        aftermath(w);
        check_told(w, &p);
        check_thaw_or_abort(w, s);
        check_release_first(w, &p);
        check_explained(w, s);
        if (s->who && !world_was_told(world_actor(w, s->who), phases[s->row].verb))
                CELL_FAIL("the phase was never reached");
        world_free(w);
}

/* ---- generating ---- */

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

static struct story story_of(enum phase_id row, const char *who) {
        struct story s = { .row = row,
                           .who = who,
                           .restore = row == PHASE_PRE_RESTORE || row == PHASE_POST_RESTORE };

        for (size_t i = 0; i < ELEMENTSOF(primaries); i++)
                if (primaries[i].row == row) {
                        s.before = primaries[i].who ? primaries[i].who : who;
                        s.before_verb = primaries[i].verb;
                        s.before_fault = primaries[i].fault;
                }
        return s;
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

static void test_participants(void) {
        for (enum phase_id row = 0; row < PHASE_COUNT; row++)
                for (size_t i = 0; i < N_TARGETS; i++)
                        for (enum fault_kind fault = FAULT_RETRYABLE;
                             takes_part(row, &targets[i]) && fault < FAULT_COUNT; fault++) {
                                struct story s = story_of(row, targets[i].name);

                                s.fault = fault;
                                run_cell(&s);
                        }
}

/* S-45: Abort to one alone, which fails at that too */
static void test_abort_alone(void) {
        for (size_t i = 0; i < N_TARGETS; i++)
                for (enum fault_kind fault = FAULT_RETRYABLE;
                     targets[i].who == WHO_WRITERS && fault < FAULT_COUNT; fault++)
                        run_cell(&(struct story){ .row = PHASE_ABORT,
                                                  .who = targets[i].name,
                                                  .fault = fault,
                                                  .before = targets[i].name,
                                                  .before_verb = VERB_FREEZE,
                                                  .before_fault = FAULT_RETRYABLE });
}

static void other_cell(enum phase_id row, enum other other) {
        struct story s = story_of(row, NULL);

        s.other = other;
        run_cell(&s);
}

/* S-34, S-46, BV-22; outside of DoSnapshotSet: B-128, B-137, R-13, R-113 */
static void test_requester(void) {
        static const enum phase_id others[] = { PHASE_LOAD,           PHASE_IDENTIFY,
                                                PHASE_PREPARE_BACKUP, PHASE_BACKUP_COMPLETE,
                                                PHASE_PRE_RESTORE,    PHASE_POST_RESTORE };

        for (enum other other = OTHER_CANCEL; other <= OTHER_REQUESTER_DIES; other++) {
                for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++)
                        if (phases[*row].who != WHO_NOBODY)
                                other_cell(*row, other);
                for (size_t i = 0; i < ELEMENTSOF(others); i++)
                        other_cell(others[i], other);
        }
}

/* the record comes before the deed: without it the deed is not done */
static void test_full_disk(void) {
        for (const enum phase_id *row = walk_do_snapshot_set; *row != PHASE_COUNT; row++)
                if (phases[*row].flags & ROW_RECORD)
                        other_cell(*row, OTHER_DISK_FULL);
}

/* the actors' own checks do not know the cell */
static void say_where(void) {
        if (*cell_text)
                fprintf(stderr, "in cell %s\n", cell_text);
}

int main(void) {
        atexit(say_where);
        RUN(test_participants);
        RUN(test_abort_alone);
        RUN(test_requester);
        RUN(test_full_disk);
        printf("%u cells, in each every call of every actor was foretold\n", cells);
        *cell_text = '\0';
        return 0;
}
