/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * phases.h - the one table that says who is called when, for how long, and what is undone.
 *
 * A walk (walk.h) goes down a list of these rows; it knows no phase by name. Progress, log, the
 * failure matrix of the tests and the manual's drawing read the same rows.
 */
#ifndef COORDINATOR_PHASES_H
#define COORDINATOR_PHASES_H

#include "coordinator/ports.h"

enum phase_id {
        PHASE_LOAD,
        PHASE_IDENTIFY,
        PHASE_PREPARE_BACKUP,

        PHASE_END_PREPARE,
        PHASE_HOLD_PREPARE,
        PHASE_PREPARE_SNAPSHOT,
        PHASE_SYNC,
        PHASE_FREEZE,
        PHASE_PRE_COMMIT,
        PHASE_HOLD,
        PHASE_COMMIT,
        PHASE_RELEASE,
        PHASE_POST_COMMIT,
        PHASE_THAW,
        PHASE_LOCATE,
        PHASE_PRE_FINAL,
        PHASE_POST_SNAPSHOT,
        PHASE_POST_FINAL,
        PHASE_PUBLISH,

        PHASE_BACKUP_COMPLETE,
        PHASE_BACKUP_SHUTDOWN,
        PHASE_PRE_RESTORE,
        PHASE_POST_RESTORE,

        PHASE_UNDO_HOLD,
        PHASE_ABORT,
        PHASE_ABORT_SNAPSHOTS,
        PHASE_DELETE_CREATED,
        PHASE_DELETE_RELEASED,

        /* not walked: questions and duties, for their deadline and name */
        PHASE_ASK_PROVIDER,
        PHASE_BEGIN_PREPARE,
        PHASE_UNDO,
        PHASE_COUNT
};

enum audience {
        WHO_NOBODY,
        WHO_PROGRAMS, /* writers of the roster that do not run yet */
        WHO_WRITERS,
        WHO_PROVIDERS, /* once each per set */
        WHO_HOLD,
        WHO_COPIES, /* the provider of each copy, once per copy */
        WHO_COUNT
};

enum order {
        ORDER_TOGETHER,
        ORDER_LEVELS, /* 3, 2, 1, 4, each after the one before has answered (S-22) */
        ORDER_LEVELS_REVERSED, /* 4, 1, 2, 3 (B-43) */
        ORDER_ONE_BY_ONE,
        ORDER_ROUNDS /* together, as often as presync_rounds says */
};

/* Whom of its audience a row concerns. */
enum due {
        DUE_ALL, /* writers that take part and are in a state of @from; providers and copies of the
                  * set; vss-hold when there is anything to copy */
        DUE_CANDIDATES, /* writers to be identified */
        DUE_ABORT, /* writers: reached, not yet past PostSnapshot, not yet aborted; providers: were
                    * sent EndPrepareSnapshots and have not finished (P-31) */
        DUE_SHUTDOWN, /* writers that were reached */
        DUE_NAMED, /* writers that the requester's documents name */
        DUE_RESTORING, /* writers between PreRestore and PostRestore */
        DUE_FREEZABLE, /* vss-hold: some volume is to be frozen */
        DUE_HELD, /* vss-hold: a freeze was sent, no release answered */
        DUE_FINISHED, /* copies whose provider may have finished them */
        DUE_RELEASED, /* copies that end with their session */
        DUE_COUNT
};

enum cancel { CANCEL_NOW, CANCEL_AFTER_THAW }; /* S-34 */

/* What else a row does. "Before" and "after" are those of its first call and last answer. */
enum row_flags {
        ROW_RECORD = 1 << 0, /* before: the set's record is written (never inside the window) */
        ROW_OPENS_WINDOW = 1 << 1, /* before: the 60 s begin (S-23) */
        ROW_CLOSES_WINDOW = 1 << 2, /* after: they end */
        ROW_OPENS_HOLD = 1 << 3, /* before: the 10 s begin (S-25) */
        ROW_IN_HOLD = 1 << 4, /* its deadline is the end of the 10 s */
        ROW_CLOSES_HOLD = 1 << 5, /* after: they end */
        ROW_STAMPS = 1 << 6, /* before: the set's time stamp is taken (S-33) */
        ROW_PUBLISHES = 1 << 7, /* before: the CREATED mark; after: copies are visible */
        ROW_ABORTS_WRITER = 1 << 8, /* a writer that fails gets Abort, and only it (S-45) */
        ROW_SENDS_DOCUMENT = 1 << 9, /* writers get their part of the components document */
        ROW_TAKES_DOCUMENT = 1 << 10, /* and what they made of it replaces it, unless B-84 */
        ROW_MAY_START = 1 << 11, /* a program that died is started again for this */
        ROW_PARTICIPATES = 1 << 12, /* writers: being sent this makes Abort and Shutdown due */
        ROW_ENDS_ABORT_DUTY = 1 << 13, /* writers: from here on Abort is not sent (B-134, OQ-B7) */
        ROW_IS_ABORT = 1 << 14, /* writers: no second one, and a window ends */
        ROW_ENDS_UNDO = 1 << 15, /* writers: answered, their undo token is not needed any more */
        ROW_KILLS_LATE =
                1 << 16, /* who misses the deadline is killed: nothing is held now (P-43) */
        ROW_ENDS_SET = 1 << 17, /* providers: their word that the copies are CREATED */
        ROW_BEGINS_SET = 1 << 18, /* providers: from here on AbortSnapshots is due */
        ROW_KEEPS_FAILURE = 1 << 19, /* writers: a failed state stays, another becomes state_ok */
        ROW_TAKES_WORDS =
                1 << 20 /* of who rejects it too: their runtime sends words only */
};

#define WS_BIT(state) (1u << (state))

struct phase {
        const char *name; /* in progress, log and words */
        const char *setting; /* key in [timeout]; NULL when nobody may change it */
        enum verb verb;
        enum audience who;
        enum due due;
        enum order order;
        uint64_t deadline_us;
        unsigned attempts; /* 0 and 1: no second try */

        /* writers */
        uint32_t from; /* states in which a writer gets it, WS_BIT() */
        uint32_t state_ok, state_failed; /* enum vss_writer_state; UNKNOWN: stays as it is */
        int32_t writer_late; /* failure of a writer that missed the deadline */

        /* the set */
        int late; /* code when a provider or vss-hold missed the deadline */
        uint32_t during, after; /* enum vss_snapshot_state of the set; UNKNOWN: stays */
        const enum phase_id *undo; /* when a provider, vss-hold or the service fails here; NULL: it
                                    * is told in the log and the walk goes on */
        enum cancel cancel;
        uint32_t flags;
};

extern const struct phase phases[PHASE_COUNT];

/* Lists of rows, ended by PHASE_COUNT. */
extern const enum phase_id walk_gather[], walk_prepare_backup[], walk_do_snapshot_set[],
        walk_backup_complete[], walk_pre_restore[], walk_post_restore[], walk_abort[],
        walk_release[], walk_release_aborting[];

/* phase_setting() - key of [timeout] for configuration, NULL when the row has none */
const char *phase_setting(enum phase_id id);

/* level_at() - application level that is frozen as number @rank, 0 when @rank is too large */
uint32_t level_at(unsigned rank);
#define LEVEL_COUNT 4u

#endif
