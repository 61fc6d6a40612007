/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inside.h - the coordinator's own structures. Only the files of this folder include it.
 *
 * coordinator owns parties (roster), sessions, ledgers, questions; a session owns its members
 * (writers in this session), its set, its operations and the one walk that can run in it.
 */
#ifndef COORDINATOR_INSIDE_H
#define COORDINATOR_INSIDE_H

#include <inttypes.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "coordinator/coordinator.h"
#include "coordinator/session.h"
#include "coordinator/timer.h"

#define MAX_VOLUMES 64u /* S-14 */
#define TIMEOUTS_IN_A_ROW 3u /* SEC-43 */

/* ---- lists: intrusive, the owner holds the first ---- */

#define LIST_ADD(head, item)                                                                       \
        do {                                                                                       \
                (item)->next = *(head);                                                            \
                *(head) = (item);                                                                  \
        } while (0)
#define LIST_REMOVE(head, item)                                                                    \
        do {                                                                                       \
                for (__typeof__(head) at_ = (head); *at_; at_ = &(*at_)->next)                     \
                        if (*at_ == (item)) {                                                      \
                                *at_ = (item)->next;                                               \
                                break;                                                             \
                        }                                                                          \
        } while (0)

/* ---- calls under way ---- */

enum ending {
        ENDED_ANSWERED,
        ENDED_LATE, /* the deadline came first */
        ENDED_LOST /* the party died, does not run, or could not be reached */
};

/* @answer is never NULL; after ENDED_LATE and ENDED_LOST its result is negative */
typedef void (*call_done_t)(void *owner, void *target, enum ending ending, struct answer *answer);

struct pending {
        struct pending *next;
        struct party *party;
        struct timer deadline;
        uint64_t ticket;
        void *owner, *target; /* for @done, and by which it is forgotten */
        call_done_t done;
        bool loads; /* the call is VERB_LOAD */
        bool waits; /* for the VERB_LOAD of another; nothing is sent */
        bool held_back; /* until nothing is held (S-30); nothing is sent */
        bool starting; /* after VERB_LOAD, whosever, @after_start follows */
        struct call after_start;
        uint64_t timeout_us; /* of after_start */
        uint64_t load_timeout_us; /* when it is held back */
};

/* ---- roster ---- */

struct party {
        struct party *next;
        struct coordinator *coordinator;
        enum party_kind kind;
        void *peer; /* the outside's */
        char *name; /* for words, and by which records find it again */
        uint32_t order;
        bool program; /* VERB_LOAD starts it; else it registered itself */
        bool running;
        bool refused; /* a provider could not be started, and that was said */
        unsigned timeouts; /* in a row */
        struct writer_identity writer; /* strings owned */
        struct vss_provider_prop provider;
};

/* ---- ledger: what the record of one set says ---- */

struct ledger_copy {
        struct vss_id snapshot_id, provider_id;
        char *provider, *volume, *mount_point;
        bool hold;
        bool gone; /* nothing is left to do about it */
        bool aborted; /* its provider answered AbortSnapshots */
        unsigned tries;
};

struct ledger_undo {
        struct vss_id writer_id;
        char *writer, *instance_name;
        void *token;
        size_t token_size;
        struct member *member; /* who deposited it and still lives; NULL: it is lost, undo is due */
        unsigned tries;
};

struct ledger {
        struct ledger *next;
        struct coordinator *coordinator;
        struct vss_id set_id, session_id;
        uint32_t context;
        bool created, reached_writers;
        bool in_session; /* its copies are still the session's matter */
        bool on_disk, dirty;
        struct ledger_copy *copies;
        size_t n_copies, copies_capacity;
        struct ledger_undo *undos;
        size_t n_undos, undos_capacity;
        struct timer work;
        bool working; /* a call is under way: */
        const void *working_token; /* for the undo with this token, or */
        size_t working_copy; /* for this copy */
        bool working_abort; /* of which the provider is told AbortSnapshots */
};

/* ---- a writer in one session ---- */

struct member {
        struct session *session;
        struct party *party; /* NULL: lost */
        struct writer_identity identity; /* strings owned */
        uint32_t state;
        int32_t failure, application_failure;
        char *message;
        int metadata, components; /* owned, -1 none */
        bool identified, participates;
        bool autorecover, rollback_recovery, parallel;
        bool named; /* in the document list of the operation that runs */
        bool reached; /* ROW_PARTICIPATES was sent */
        bool abort_over; /* ROW_ENDS_ABORT_DUTY was sent */
        bool aborted; /* Abort was sent since the last PrepareForBackup */
        bool restoring; /* PreRestore sent, PostRestore not yet */
        bool bracket; /* PreRestore sent, PostRestore not yet over */
        uint64_t turn; /* its number among those that wait for that, 0 when it does not wait */
        uint64_t turn_ends_us;
        struct timer turn_timer;
        bool asked; /* in the rank that runs */
        uint64_t window_us; /* end of its freeze window, 0 when it has none */
        void *token;
        size_t token_size;
};

/* ---- a set ---- */

struct copy_state {
        struct party *provider; /* NULL: removed from the roster */
        struct vss_id provider_id;
        char **paths;
        char *device;
        bool deleted;
        bool asked;
        unsigned tries;
};

struct set_provider {
        struct party *party;
        uint32_t count; /* of its copies */
        bool ending; /* EndPrepareSnapshots was sent: AbortSnapshots is allowed (P-31) */
        bool finishing; /* PostFinalCommitSnapshots was sent */
        bool finished; /* and answered: CREATED */
        bool asked;
        unsigned tries;
};

struct set {
        struct set_view view; /* view.copies is copies */
        struct copy *copies; /* MAX_VOLUMES of each are allocated at StartSnapshotSet */
        struct copy_state *states;
        struct set_provider *providers;
        size_t n_providers;
        uint32_t state; /* enum vss_snapshot_state */
        vss_timestamp_t timestamp;
        struct ledger *ledger;
        bool published;
        bool held; /* VERB_HOLD_FREEZE was sent, no release answered */
        uint64_t freeze_began_us, freeze_us, hold_began_us, hold_us;
};

/* ---- a walk over rows ---- */

struct walk {
        struct session *session; /* NULL while it does not run */
        const enum phase_id *at; /* the row that runs */
        enum phase_id stopped_at; /* the row from which it turned back */
        unsigned rank; /* group of that row */
        unsigned pending;
        bool row_open;
        bool undoing;
        bool cancel; /* asked for */
        bool cancelled; /* carried out */
        unsigned hold_tries;
        struct vss_error error; /* the first failure that made it turn back */
        int failure; /* the first of any kind */
        struct timer kick, window;
        void (*done)(struct session *session);
};

struct operation {
        struct operation *next;
        struct session *session;
        uint64_t number;
        int code;
        char *words;
};

/* ---- questions ---- */

struct question {
        struct question *next;
        struct coordinator *coordinator;
        struct session *session; /* or NULL */
        reply_t done;
        void *userdata;
        struct reply reply;
        struct vss_error error;
        void (*step)(struct question *question); /* what follows when nothing is pending */
        void (*after)(struct question *question); /* and after the query */
        struct timer kick;
        unsigned pending;

        struct vss_volume volume; /* owned strings */
        char **paths;
        struct vss_id id; /* of the copy, the set or the provider that it is about */
        uint32_t context, type;
        bool add, given, force;
        bool deleting, waiting; /* DeleteSnapshots: one after the other (S-70) */
        char *refusals;
        struct party **candidates; /* in the order of P-13; lent, emptied when one is removed */
        size_t n_candidates, at;
        uint32_t hold, instant;
        struct found {
                struct vss_snapshot_prop prop; /* owned strings */
                struct party *party;
        } * found;
        size_t n_found, found_capacity;
};

/* session_provider_of() - of a finished copy of the session's own set; NULL: it is none */
struct party *session_provider_of(const struct session *session, const struct vss_id *snapshot_id);

/* ---- a session ---- */

enum filter { ENABLED_CLASSES, DISABLED_CLASSES, DISABLED_INSTANCES, FILTER_COUNT };

struct session {
        struct session *next;
        struct coordinator *coordinator;
        struct vss_id id;
        uint32_t uid;
        void *userdata;
        bool restore;

        uint32_t context;
        bool context_set, backup_state_set, gathered, prepared, aborted;
        bool doing, done, failed; /* DoSnapshotSet: runs, succeeded, failed */
        bool completed, pre_restored, post_restored;
        char *absent; /* why writers are missing from what was gathered, for whoever gathers */
        bool select_components, bootable_system_state, partial_files, snapshot_follows;
        uint32_t backup_type, restore_type;

        struct vss_id *filter[FILTER_COUNT]; /* B-31 */
        size_t n_filter[FILTER_COUNT];
        struct member **members;
        size_t n_members, members_capacity;
        struct set *set;
        bool has_slot, set_dropped;
        struct timer set_idle;

        struct walk walk;
        struct operation *operations; /* newest first */
        struct operation *running; /* the one that @walk serves, or NULL */
        struct question *adding; /* AddToSnapshotSet that is being answered */

        reply_t abort_done;
        void *abort_userdata;
        bool abort_wanted;
        bool releasing;
        reply_t release_done;
        void *release_userdata;
};

/* ---- words that wait until nothing is held ---- */

struct note {
        bool progress;
        struct operation *operation;
        struct log_record record;
        char who[96], message[256];
};
#define MIN_NOTES 256u

struct coordinator {
        const struct ports *ports; /* &own_ports */
        struct ports own_ports;
        struct coordinator_settings settings; /* every 0 replaced, everything scaled */
        struct timers timers;
        struct party *parties;
        struct party *hold;
        struct session *sessions;
        struct ledger *ledgers;
        struct question *questions;
        struct pending *pending, *spare;
        uint64_t last_ticket, last_operation, last_turn;
        bool window_open, hold_open;
        struct note *notes;
        size_t n_notes, notes_capacity, lost_notes;
};

/* ---- roster.c ---- */

char *text_or_empty(const char *text); /* strdup() that takes NULL */
int writer_identity_copy(struct writer_identity *ret, const struct writer_identity *from);
void writer_identity_done(struct writer_identity *identity);

struct party *party_find(struct coordinator *c, enum party_kind kind, const char *name);
struct party *provider_find(struct coordinator *c, const struct vss_id *id);

/* party_call() - ask; @done is called exactly once, later, unless forgotten. With @start a program
 * that does not run is loaded first. What @call points to must live as long as the call.
 * Return: 0, or negative with @done not called: -ECONNRESET does not run, -ENOMEM, errno */
int party_call(struct party *party, const struct call *call, uint64_t timeout_us, bool start,
               call_done_t done, void *owner, void *target);

/* calls_reserve() - from now on @count calls can be made without allocating */
int calls_reserve(struct coordinator *c, size_t count);
void calls_forget(struct coordinator *c, const void *owner, const void *target); /* NULL: any */
void calls_go_on(struct coordinator *c); /* nothing is held any more: start what waits to be */

/* party_kill() - end it, as if it had died */
void party_kill(struct party *party, const char *words);
/* party_late() - it missed a deadline and is ended, if that does no harm */
void party_late(struct party *party);
uint64_t phase_timeout(const struct coordinator *c, enum phase_id id);
void roster_done(struct coordinator *c);

/* ---- notes.c ---- */

void note_progress(struct coordinator *c, struct operation *operation, const char *phase,
                   const char *who);
void note_log(struct coordinator *c, enum log_level level, struct session *session,
              const char *phase, const char *who, const char *format, ...) VSS_PRINTF(6, 7);
/* note_rejected() - B-161: @member has rejected, missed or lost the event of @phase */
void note_rejected(const struct member *member, const struct phase *phase, int code,
                   const char *words);
/* notes_reserve() - room for @count words that wait; before anything is held */
int notes_reserve(struct coordinator *c, size_t count);
void notes_flush(struct coordinator *c); /* when nothing is held any more */
void notes_forget(struct coordinator *c, const struct operation *operation);

/* provider_code() - P-40: what a provider may return stays, all else has one code */
int provider_code(int result);

/* ---- ledger.c ---- */

int ledger_new(struct coordinator *c, const struct vss_id *set_id, const struct vss_id *session_id,
               uint32_t context, struct ledger **ret);
int ledger_add_copy(struct ledger *ledger, const struct record_copy *copy);
void ledger_drop_copy(struct ledger *ledger, const struct vss_id *snapshot_id);
int ledger_add_undo(struct ledger *ledger, struct member *member, const void *token, size_t size);
/* Of every ledger: a set that was dropped leaves one, and its writers live on in the session */
void ledgers_drop_undo(const struct member *member);
void ledgers_lose_member(const struct member *member); /* undo is due */

/* ledger_save() - to the record; kept for later while something is held */
int ledger_save(struct ledger *ledger, struct vss_error *reterr);

/* ledger_leave() - the session has nothing to do with it any more; may free it */
void ledger_leave(struct ledger *ledger);
void ledgers_work(struct coordinator *c); /* look again for what is due */
struct ledger *ledger_free(struct ledger *ledger);

/* ---- set.c ---- */

int volume_copy(struct vss_volume *ret, const struct vss_volume *from);
void volume_done(struct vss_volume *volume);
char **paths_copy(const char *const *paths);
void paths_free(char **paths);
int snapshot_prop_copy(struct vss_snapshot_prop *ret, const struct vss_snapshot_prop *from);

int set_new(struct session *session, struct set **ret);
struct set *set_free(struct set *set);
bool set_has(const struct set *set, const char *volume_id);
bool set_must_freeze(const struct set *set);
int set_add(struct set *set, struct question *question, struct party *provider);
void set_remove(struct set *set, const struct vss_id *snapshot_id);
struct set_provider *set_provider_of(struct set *set, const struct party *party);

/* ---- walk.c ---- */

void walk_start(struct session *session, const enum phase_id *rows, void (*done)(struct session *));
void walk_cancel(struct walk *walk);
void walk_fail(struct walk *walk, int code, const char *format, ...) VSS_PRINTF(3, 4);
void walk_answered(struct walk *walk); /* one of the pending is in */
void walk_window(struct walk *walk); /* a window was set or ended: look at the timer again */
static inline bool walk_runs(const struct walk *walk) {
        return walk->session != NULL;
}

/* ---- audience.c, member.c: who is due, what they are sent, what their answer means ---- */

struct audience_ops {
        unsigned (*ranks)(struct walk *walk, const struct phase *phase); /* groups, one after one */
        void (*open)(struct walk *walk, const struct phase *phase); /* before the first rank */
        void (*send)(struct walk *walk, const struct phase *phase, unsigned rank);
};
extern const struct audience_ops *const audiences[WHO_COUNT]; /* audience.c */
extern const struct audience_ops audience_writers; /* member.c */

void member_lost(struct member *member, const char *words);
void member_window_over(struct walk *walk, struct member *member);
void member_abort(struct member *member); /* Abort to this one alone */
void member_cancelled(struct member *member, const struct phase *phase);
/* member_ask() - send it the event of the row that runs; member_not_asked() - it fails without */
void member_ask(struct walk *walk, struct member *member);
void member_not_asked(struct walk *walk, struct member *member, int code, const char *words);
struct member *member_free(struct member *member);

/* ---- bracket.c ---- */

/* bracket_must_wait() - is @member in another restore? Then it is sent its event later, and @walk
 * has one more pending */
bool bracket_must_wait(struct walk *walk, struct member *member);
void bracket_end(struct member *member); /* its restore is over, or nobody waits for it any more */
void bracket_lost(struct member *member); /* its process is gone */

/* ---- session.c ---- */

bool context_has_writers(uint32_t context);
bool session_wants(const struct session *session, const struct writer_identity *writer);
int session_add_member(struct session *session, struct party *party);
struct member *session_member(struct session *session, const struct vss_id *instance_id);
struct session *session_free(struct session *session);
int session_bad_state(struct vss_error *reterr, const char *words);
int session_idle(const struct session *session, struct vss_error *reterr);
int session_in_backup(const struct session *session, struct vss_error *reterr);
int session_with_writers(const struct session *session, struct vss_error *reterr);

int operation_new(struct session *session, struct operation **ret, struct vss_error *reterr);
void operation_start(struct session *session, struct operation *operation,
                     const enum phase_id *rows, void (*done)(struct session *),
                     struct operation **ret);
void operation_finish(struct session *session);

/* ---- backup.c ---- */

void session_set_over(struct session *session); /* the slot is free, the idle timer stops */
void session_restart_idle(struct session *session);
void session_tell_autorecovery(struct session *session);

/* ---- release.c ---- */

void session_abandon(struct session *session); /* Abort to the writers, the set is dropped */
void session_next(struct session *session); /* an operation is over: what waited for that */

/* ---- question.c ---- */

int question_new(struct coordinator *c, struct session *session, reply_t done, void *userdata,
                 struct question **ret);
void question_answer(struct question *question, int code); /* words: question->error; frees it */

/* question_ask() - one call to @party; when all are in, @then follows from the event loop */
void question_ask(struct question *question, struct party *party, const struct call *call,
                  call_done_t done);
void question_answered(struct question *question);
/* question_ended() - what came of a call of @verb: a silent provider is ended, a failure told */
void question_ended(struct question *question, struct party *party, enum verb verb,
                    enum ending ending, const struct answer *answer);
/* question_refused() - a provider that will not do, for the words */
void question_refused(struct question *question, const char *who, const char *why);
void question_then(struct question *question, void (*then)(struct question *));
/* question_later() - the same after some time, which is not spent waiting for somebody */
void question_later(struct question *question, void (*then)(struct question *));
void questions_cancel(struct coordinator *c, const struct session *session);
void question_load_providers(struct question *question, void (*then)(struct question *));
void question_query(struct question *question, void (*then)(struct question *));
int question_find_add(struct question *question, struct party *party,
                      const struct vss_snapshot_prop *prop);

/* ---- select.c ---- */

void select_provider(struct question *question); /* volume, context, given, add are set */

#endif
