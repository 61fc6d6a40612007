/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * world.h - everything outside of the coordinator, in one process and with a clock of its own:
 * writers, providers, vss-hold, the record, the slot, a requester.
 *
 * The actors are strict: each one checks at every call that it may be called now (level order, the
 * state machine of P-30, the hold around the commit), so that every test that uses them holds
 * those rules as well. What they hold outlives their process, as it does in life.
 */
#ifndef TESTS_MATRIX_WORLD_H
#define TESTS_MATRIX_WORLD_H

#include "coordinator/coordinator.h"
#include "coordinator/session.h"
#include "tests/check.h"

enum fault_kind {
        FAULT_NONE,
        FAULT_RETRYABLE, /* writers: VSS_E_WRITERERROR_RETRYABLE, false; others: a veto */
        FAULT_NONRETRYABLE, /* writers: NONRETRYABLE, true; others: a code that is not allowed */
        FAULT_LATE, /* answers one second after its deadline, all that follows waits behind */
        FAULT_STUCK, /* answers nothing any more until it is killed */
        FAULT_DIES,
        FAULT_TWICE, /* answers twice */
        FAULT_COUNT
};
extern const char *const fault_names[FAULT_COUNT];

#define MAX_ACTORS 16
#define MAX_TOLD 1024

struct disk_copy {
        struct vss_id id, set_id;
        char volume[32];
        uint32_t attributes;
        bool committed, created;
};

struct actor {
        struct world *world;
        enum party_kind kind;
        char name[32];
        bool program, running;
        struct party *party;
        struct vss_id id, instance;
        struct {
                enum verb verb;
                uint64_t at_us;
                unsigned seq; /* over all actors */
        } told[MAX_TOLD];
        size_t n_told;
        struct {
                enum fault_kind kind; /* at the next call of: */
                enum verb verb;
        } faults[2]; /* the second one when the first has struck */
        uint64_t busy_until; /* UINT64_MAX: stuck */
        uint64_t cost_us[VERB_COUNT];

        /* a writer */
        uint32_t level, freeze_timeout_ms;
        enum verb token_at; /* deposits its undo token there */
        bool token, holding; /* outside of its process */
        bool answered_freeze, autorecover, parallel;
        int32_t veto; /* answered at fault RETRYABLE instead of that */
        unsigned freezes, thaws, aborts, undos;
        struct vss_id shutdown_set;
        uint32_t last_context, last_count;

        /* a provider */
        uint32_t provider_kind, hold, instant, attributes;
        const char *only_volume; /* those that it supports; NULL: all */
        uint32_t set_state; /* P-30; of its process */
        struct vss_id set_id;
        struct disk_copy disk[80]; /* outlives it */
        size_t n_disk;
};

struct queued {
        uint64_t ticket, at_us, sent_us, deadline_us;
        struct actor *actor;
        struct call call; /* what it points to may be dead, so: */
        char volume[32];
        unsigned freezable;
        bool used, forgotten;
        enum fault_kind fault;
};

struct record_kept {
        bool used;
        struct vss_id set_id;
        bool created;
        size_t n_copies, n_undos;
};

struct world {
        struct coordinator *c;
        struct session *session;
        uint64_t now, timer;
        struct actor actors[MAX_ACTORS];
        size_t n_actors;
        struct actor *hold;
        struct queued queue[512];
        unsigned volumes_frozen;
        uint64_t frozen_since;
        bool guardian_sleeps; /* vss-hold's own deadline is not played */
        int next_document;
        unsigned documents; /* that somebody owns */
        bool slot, slot_refused;
        struct record_kept records[16];
        bool record_broken; /* -ENOSPC */
        unsigned record_writes;
        struct vss_id elsewhere; /* a set that another service has made, which still runs */

        bool several; /* sessions: one operation may end while another is looked at */
        bool op_done;
        int op_code;
        char op_words[512];
        unsigned completions, notices_while_held;
        char log[4096];
        bool replied;
        struct reply reply;
        struct vss_snapshot_prop reply_copies[80];
        char reply_words[512], reply_provider[64];
        bool released;
        int released_code;
        /* called when @trigger_verb is first sent, before it is answered */
        enum verb trigger_verb;
        void (*trigger)(struct world *w);
        bool pulled;
        unsigned seq;
        const char *device; /* what providers tell as the root of every copy */
        struct vss_id wanted; /* for triggers */
        uint32_t last_instant; /* that a writer was told */
};

struct world *world_new(const struct coordinator_settings *settings);
void world_free(struct world *w);

struct actor *world_writer(struct world *w, const char *name, uint32_t level, bool program);
struct actor *world_provider(struct world *w, const char *name, uint32_t kind, uint32_t hold);
void world_hold(struct world *w);
struct actor *world_actor(struct world *w, const char *name);
void world_reregister(struct world *w, struct actor *a); /* a registered writer comes back */
void world_die(struct actor *a);
void world_let_go(struct world *w); /* vss-hold thaws by itself */

/* world_run() - until *@done; CHECK fails when nothing happens any more before */
void world_run(struct world *w, const bool *done);
void world_settle(struct world *w, uint64_t us); /* let that much time pass */
void world_strike(struct actor *a, enum verb verb, enum fault_kind fault);

struct vss_volume world_volume(const char *name);

/* The requester: each asserts 0 unless it returns the code. Waits for the end. */
void world_session(struct world *w, uint32_t context);
int world_gather(struct world *w);
int world_start(struct world *w, struct vss_id *ret_set);
int world_add(struct world *w, const char *volume, struct vss_id *ret_copy);
int world_prepare(struct world *w); /* not in component mode */
int world_prepare_for(struct world *w, const char *const *writers); /* component mode */
int world_do(struct world *w);
int world_complete(struct world *w);
int world_abort(struct world *w);
void world_release(struct world *w);
int world_query(struct world *w);
int world_op(struct world *w, int r, struct operation *op); /* wait for its end */
void world_upto_do(struct world *w, uint32_t context, size_t n_volumes);

/* world_told() - "identify prepare_backup …", what the actor was asked, in order */
const char *world_told(const struct actor *a);
bool world_was_told(const struct actor *a, enum verb verb);
struct session_writer world_status(struct world *w, const char *writer);

/* world_check_end() - nothing held, nothing left over, nothing leaked (after the release) */
void world_check_end(struct world *w);
int world_document(struct world *w); /* a document that the coordinator will take */
void world_reply(void *userdata, const struct reply *reply);

#endif
