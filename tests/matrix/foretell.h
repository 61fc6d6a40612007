/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * foretell.h - what the rules demand: for one story (a whole backup or restore with one mishap in
 * it), every call that every actor must get, in order, and how DoSnapshotSet must end.
 *
 * It is written from the specification and knows nothing of the coordinator: of the phase table it
 * takes neither order nor audience nor deadline nor undo list, only the names of the rows. The
 * actors are those of cell_world() in test-matrix.c.
 */
#ifndef TESTS_MATRIX_FORETELL_H
#define TESTS_MATRIX_FORETELL_H

#include "tests/matrix/world.h"

/* the requester cancels or dies, the store's disk is full: mishaps of their own */
enum other { OTHER_NONE, OTHER_CANCEL, OTHER_REQUESTER_DIES, OTHER_DISK_FULL, OTHER_COUNT };

struct story {
        enum phase_id row; /* where it happens; for words, and for what @other says */
        const char *who; /* to whom; NULL: @other */
        enum fault_kind fault;
        enum other other;
        /* what went wrong before, so that the row is reached at all; or @before is NULL */
        const char *before;
        enum verb before_verb;
        enum fault_kind before_fault;
        bool restore;
};

#define N_TARGETS 8u

struct target {
        const char *name;
        enum audience who;
};
extern const struct target targets[N_TARGETS];

struct foretold {
        char told[1024];
        const char *name;
        enum audience who;
        struct {
                enum verb verb;
                enum fault_kind kind;
        } faults[2];
        bool program, dead, stuck;

        /* a writer */
        bool present, reached, failed, aborted, past_snapshot, token;
        bool doomed; /* it will be gone after its Abort */
        enum verb token_at;

        /* a provider */
        bool loaded, ending, finishing, finished;
        unsigned copies;
};

struct prophecy {
        const struct story *story;
        struct foretold actors[N_TARGETS];
        bool held, hold_time_over;
        bool set_fails; /* DoSnapshotSet does */
        enum phase_id failed_at;
};

void foretell(struct prophecy *ret, const struct story *story);

/* foretell_failure() - what the status of the writer that met the story's fault must say */
int32_t foretell_failure(const struct story *story);
uint32_t foretell_state(enum phase_id row); /* B-94..B-102 */

/* foretell_code() - of DoSnapshotSet, when a provider or vss-hold has failed */
int foretell_code(const struct story *story);

#endif
