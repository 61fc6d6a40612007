/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * release.c - how a backup ends before its time, and how every session ends.
 *
 * Whoever holds something is let go first; the session is freed when all have answered or were
 * given up. What could not be undone stays in the set's ledger.
 */
#include "coordinator/inside.h"

static void drop_set(struct session *s) {
        if (s->adding) {
                vss_fail(&s->adding->error, -ECANCELED, "the set was dropped");
                question_answer(s->adding, -ECANCELED);
        }
        s->set = set_free(s->set);
        session_set_over(s);
}

/* ---- AbortBackup, and a set that nobody finished ---- */

static void abandoned(struct session *s) {
        reply_t done = s->abort_done;

        s->abort_done = NULL;
        s->aborted = true;
        if (!s->done) /* what was published stays until the session is released (OQ-B7) */
                drop_set(s);
        if (done)
                done(s->abort_userdata, &(struct reply){ .words = "", .provider = "" });
        if (s->releasing)
                session_next(s);
}

void session_abandon(struct session *s) {
        walk_start(s, walk_abort, abandoned);
}

int session_abort_backup(struct session *s, reply_t done, void *userdata,
                         struct vss_error *reterr) {
        if (s->restore) /* */
                return session_bad_state(reterr, "a restore is not aborted; call PostRestore");
        if (s->abort_done || (walk_runs(&s->walk) && !s->running))
                return session_bad_state(reterr, "an AbortBackup is being answered");
        if (!s->set && !s->running) { /* B-135 */
                done(userdata, &(struct reply){ .words = "", .provider = "" });
                return 0;
        }
        s->abort_done = done;
        s->abort_userdata = userdata;
        if (s->running) {
                s->abort_wanted = true;
                walk_cancel(&s->walk);
        } else {
                session_abandon(s);
        }
        return 0;
}

/* ---- the end ---- */

static void released(struct session *s) {
        struct reply reply = { .code = s->walk.failure, .provider = "" };
        reply_t done = s->release_done;
        void *userdata = s->release_userdata;

        reply.words =
                reply.code < 0 ? "some copies could not be deleted; it will be tried again" : "";
        session_free(s);
        if (done)
                done(userdata, &reply);
}

static void release(struct session *s) {
        bool open = !s->restore && !s->done && !s->completed; /* also while it was prepared */

        walk_start(s, open ? walk_release_aborting : walk_release, released);
}

void session_next(struct session *s) {
        if (s->abort_wanted) {
                s->abort_wanted = false;
                session_abandon(s);
        } else if (s->releasing) {
                release(s);
        }
}

void session_release(struct session *s, reply_t done, void *userdata) {
        s->releasing = true;
        s->release_done = done;
        s->release_userdata = userdata;
        timer_stop(&s->set_idle);
        questions_cancel(s->coordinator, s);
        if (!walk_runs(&s->walk))
                release(s);
        else if (s->running)
                walk_cancel(&s->walk);
}
