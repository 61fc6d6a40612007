/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coordinator.h - the whole coordinator as its server sees it: made from ports and settings, fed
 * with participants, answers and time. What a requester asks is in session.h.
 */
#ifndef COORDINATOR_COORDINATOR_H
#define COORDINATOR_COORDINATOR_H

#include "coordinator/phases.h"
#include "coordinator/ports.h"

struct coordinator;
struct party; /* a writer, a provider or vss-hold in the roster */

/* Numbers that configuration may change; 0 means the default in the comment. CFG-5: those marked
 * "at most" can be lowered only, a larger value is taken as the default. */
struct coordinator_settings {
        uint64_t deadline_us[PHASE_COUNT]; /* defaults in phases.c, names in phase_setting() */
        double scale; /* 1.0; multiplies every time below and in phases.c; for tests */
        uint64_t freeze_window_us; /* 60 s at most (S-23) */
        uint64_t set_idle_us; /* 300 s (SEC-25) */
        uint32_t max_sessions_per_uid; /* 16 (SEC-24); root is not limited */
        uint32_t max_volumes; /* 64 at most (S-14) */
        uint32_t max_copies_per_volume; /* 512 at most */
        uint32_t max_client_accessible; /* 64, up to 512 */
        uint32_t presync_rounds; /* 2 (CFG-52) */
};

int coordinator_new(const struct ports *ports, const struct coordinator_settings *settings,
                    struct coordinator **ret);

/* coordinator_free() - drops everything without telling anybody: end the sessions first
 * (session_release()), else only what was recorded will be undone, by the next life. Every
 * unanswered question is answered with -ECANCELED. Accepts NULL, returns NULL */
struct coordinator *coordinator_free(struct coordinator *c);

/* coordinator_busy() - true while a session, a duty or a question is left; for the idle exit */
bool coordinator_busy(const struct coordinator *c);

/* coordinator_held() - true between the first Freeze sent and the last Thaw answered: keep off
 * disk, bus and fork (S-30) */
bool coordinator_held(const struct coordinator *c);

/* ---- from the event loop ---- */

void coordinator_run_timers(struct coordinator *c);

/* coordinator_answer() - @ticket as given to party_ops.call. A second, a late or an unknown answer
 * is dropped. @answer is lent, its document taken */
void coordinator_answer(struct coordinator *c, uint64_t ticket, struct answer *answer);

/* coordinator_party_died() - the process or connection is gone; open calls to it fail. A party
 * that can be started stays in the roster, one that registered itself is removed (then @party is
 * dead after the call) */
void coordinator_party_died(struct coordinator *c, struct party *party, const char *words);

/* coordinator_hold_expired() - vss-hold thawed by itself: the set fails (S-25) */
void coordinator_hold_expired(struct coordinator *c, const char *words);

/* ---- who takes part ---- */

/* coordinator_add_program() - a writer or provider that VERB_LOAD starts when it is needed.
 * @name is its file's, unique per kind (VSS_E_OBJECT_ALREADY_EXISTS); @order as in P-13 */
int coordinator_add_program(struct coordinator *c, enum party_kind kind, const char *name,
                            uint32_t order, void *peer, struct party **ret,
                            struct vss_error *reterr);

/* coordinator_add_writer() - a running program registered itself.
 *
 * Return: 0, E_INVALIDARG for an identity that names no class, an unknown level, ..., -ENOMEM;
 *   VSS_E_WRITER_ALREADY_SUBSCRIBED when the instance id is taken */
int coordinator_add_writer(struct coordinator *c, const struct writer_identity *identity,
                           void *peer, struct party **ret, struct vss_error *reterr);

/* coordinator_set_hold() - where VERB_HOLD_* goes; NULL: nobody can freeze, volumes whose provider
 * promised VSS_HOLD_FREEZE are refused */
int coordinator_set_hold(struct coordinator *c, void *peer, struct party **ret);

/* coordinator_remove_party() - as if it had died, and for good; party_ops.gone follows at once */
void coordinator_remove_party(struct coordinator *c, struct party *party, const char *words);

/* ---- questions without a session ---- */

/* What a question brought. Lent during the callback. */
struct reply {
        int code; /* 0, S_FALSE, or the failure */
        const char *words; /* of the failure, or why a volume is not supported; never NULL */
        bool supported;
        const char *provider; /* who would copy the volume; "" nobody */
        struct vss_id id; /* AddToSnapshotSet: the copy's; KeepReference: the reference's */
        const struct vss_snapshot_prop *snapshots;
        size_t n_snapshots;
        const struct vss_provider_prop *providers;
        size_t n_providers;
        uint32_t deleted;
        struct vss_id not_deleted;
};

/* A function that takes a reply_t returns 0: the callback was called or will be, exactly once; or
 * negative: it never will. */
typedef void (*reply_t)(void *userdata, const struct reply *reply);

/* coordinator_list_providers() - loads those that do not run; one that cannot be is left out */
int coordinator_list_providers(struct coordinator *c, reply_t done, void *userdata,
                               struct vss_error *reterr);

/* coordinator_ask_volume() - who would copy @volume in the context BACKUP (ListVolumes) */
int coordinator_ask_volume(struct coordinator *c, const struct vss_volume *volume, reply_t done,
                           void *userdata, struct vss_error *reterr);

/* ---- after a restart ---- */

/* coordinator_reconcile() - carry out what @record, left by a dead life, makes necessary: undo the
 * writers, abort or delete the copies. The record is removed when all is done; what failed is
 * tried again later, and by the next life. Call after the programs were added (S-47, S-63). */
int coordinator_reconcile(struct coordinator *c, const struct set_record *record,
                          struct vss_error *reterr);

#endif
