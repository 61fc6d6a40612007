/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backup.c - the set of a session, from StartSnapshotSet to the end of DoSnapshotSet.
 */
#include "coordinator/inside.h"

#include <string.h>

/* ---- the set ---- */

void session_set_over(struct session *s) {
        timer_stop(&s->set_idle);
        if (s->has_slot)
                s->coordinator->ports->slot->release(s->coordinator->ports->userdata);
        s->has_slot = false;
}

static void idle_over(struct timer *timer);

/* SEC-25: the slot is not a lock that one may hold */
void session_restart_idle(struct session *s) {
        struct timers *timers = &s->coordinator->timers;

        timer_set(timers, &s->set_idle, timers_now(timers) + s->coordinator->settings.set_idle_us,
                  idle_over);
}

static void idle_over(struct timer *timer) {
        struct session *s = container(timer, struct session, set_idle);

        if (walk_runs(&s->walk) || s->adding) {
                session_restart_idle(s);
                return;
        }
        note_log(s->coordinator, WORDS_WARNING, s, "", "",
                 "the set was dropped: DoSnapshotSet did not come in time");
        s->set_dropped = true;
        session_abandon(s);
}

int session_start_snapshot_set(struct session *s, struct vss_id *ret_set_id,
                               struct vss_error *reterr) {
        const struct ports *ports = s->coordinator->ports;
        int r = session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->context == VSS_CTX_ALL)
                return session_bad_state(reterr,
                                         "VSS_CTX_ALL is for looking and deleting only (S-5)");
        if (s->set || s->set_dropped)
                return session_bad_state(reterr, "one set per session; open a new session (M-79)");
        if (context_has_writers(s->context) && !s->gathered)
                return session_bad_state(reterr,
                                         "GatherWriterMetadata comes before StartSnapshotSet");
        r = ports->slot->acquire(ports->userdata, &s->id, reterr);
        if (r < 0)
                return r;
        s->has_slot = true;
        r = set_new(s, &s->set);
        if (r < 0) {
                session_set_over(s);
                return vss_fail(reterr, r, "no set can be made");
        }
        session_restart_idle(s);
        *ret_set_id = s->set->view.set_id;
        return 0;
}

/* S-51, S-52: over those that take part, or before that is known, over all */
void session_tell_autorecovery(struct session *s) {
        bool wanted = false;

        for (size_t i = 0; i < s->n_members; i++) {
                const struct member *m = s->members[i];

                if (!s->prepared || m->participates)
                        wanted = wanted || m->autorecover ||
                                 (m->rollback_recovery &&
                                  (s->context & VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY));
        }
        s->set->view.context = s->context;
        if (wanted && context_has_writers(s->context) &&
            !(s->context & (VSS_VOLSNAP_ATTR_NO_AUTORECOVERY | VSS_VOLSNAP_ATTR_TRANSPORTABLE)))
                s->set->view.context |= VSS_VOLSNAP_ATTR_AUTORECOVER;
}

static int new_volume_question(struct session *s, const struct vss_volume *volume,
                               const struct vss_id *provider_id, reply_t done, void *userdata,
                               struct question **ret, struct vss_error *reterr) {
        struct question *q;
        int r = question_new(s->coordinator, s, NULL, userdata, &q);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = volume_copy(&q->volume, volume);
        if (r < 0) {
                question_answer(q, r);
                return vss_fail(reterr, r, "out of memory");
        }
        q->done = done;
        q->context = s->context;
        if (provider_id && !vss_id_is_null(provider_id)) {
                q->given = true;
                q->id = *provider_id;
        }
        *ret = q;
        return 0;
}

int session_is_volume_supported(struct session *s, const struct vss_volume *volume,
                                const struct vss_id *provider_id, reply_t done, void *userdata,
                                struct vss_error *reterr) {
        struct question *q;
        int r = session_in_backup(s, reterr);

        if (r >= 0)
                r = new_volume_question(s, volume, provider_id, done, userdata, &q, reterr);
        if (r < 0)
                return r;
        select_provider(q);
        return 0;
}

static int may_add(const struct session *s, const struct vss_volume *volume,
                   struct vss_error *reterr) {
        int r = session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->set_dropped)
                return session_bad_state(reterr,
                                         "the set was dropped because nothing was done with it for "
                                         "too long (SEC-25); open a new session");
        if (!s->set || s->done || s->failed)
                return session_bad_state(reterr,
                                         "AddToSnapshotSet belongs between StartSnapshotSet and "
                                         "DoSnapshotSet");
        if (s->adding)
                return session_bad_state(reterr,
                                         "another AddToSnapshotSet is still being answered");
        if (set_has(s->set, volume->id))
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS, "'%s' is in the set already",
                                volume->mount_point);
        if (s->set->view.n_copies >= s->coordinator->settings.max_volumes)
                return vss_fail(reterr, VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                                "the set has %zu volumes, the most allowed", s->set->view.n_copies);
        return 0;
}

int session_add_to_snapshot_set(struct session *s, const struct vss_volume *volume,
                                const struct vss_id *provider_id, const char *const *paths,
                                reply_t done, void *userdata, struct vss_error *reterr) {
        struct question *q;
        int r = may_add(s, volume, reterr);

        if (r >= 0)
                r = new_volume_question(s, volume, provider_id, done, userdata, &q, reterr);
        if (r < 0)
                return r;
        q->paths = paths_copy(paths);
        if (!q->paths) {
                q->done = NULL;
                question_answer(q, -ENOMEM);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        q->add = true;
        s->adding = q;
        session_tell_autorecovery(s);
        session_restart_idle(s);
        select_provider(q);
        return 0;
}

/* ---- DoSnapshotSet ---- */

static void did(struct session *s) {
        s->doing = false;
        s->done = s->set->published;
        s->failed = !s->done;
        session_set_over(s);
        operation_finish(s);
}

static int may_do(const struct session *s, struct vss_error *reterr) {
        bool writers = context_has_writers(s->context);
        int r = session_in_backup(s, reterr);

        if (r < 0)
                return r;
        if (s->set_dropped)
                return session_bad_state(reterr,
                                         "the set was dropped because nothing was done with it for "
                                         "too long (SEC-25); open a new session");
        if (!s->set || s->done || s->failed || s->completed)
                return session_bad_state(reterr,
                                         "DoSnapshotSet comes once, after StartSnapshotSet (B-25)");
        if (writers && !s->prepared)
                return session_bad_state(reterr,
                                         "PrepareForBackup comes before DoSnapshotSet (B-25)");
        if (!writers && s->set->view.n_copies == 0)
                return session_bad_state(reterr, "the set has neither writers nor volumes (S-12)");
        if (s->adding)
                return session_bad_state(reterr, "an AddToSnapshotSet is still being answered");
        return 0;
}

int session_do_snapshot_set(struct session *s, struct operation **ret, struct vss_error *reterr) {
        struct operation *op;
        int r = may_do(s, reterr);

        if (r >= 0)
                r = operation_new(s, &op, reterr);
        if (r < 0)
                return r;
        timer_stop(&s->set_idle);
        s->doing = true;
        operation_start(s, op, walk_do_snapshot_set, did, ret);
        return 0;
}

int session_get_set_timing(const struct session *s, uint64_t *ret_freeze_us, uint64_t *ret_hold_us,
                           struct vss_error *reterr) {
        if (!s->set || !(s->done || s->failed))
                return session_bad_state(reterr,
                                         "there are no times before DoSnapshotSet has ended");
        *ret_freeze_us = s->set->freeze_us;
        *ret_hold_us = s->set->hold_us;
        return 0;
}
