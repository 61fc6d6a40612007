/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event.c - the operations that carry each writer's part of the components document:
 * PrepareForBackup, BackupComplete, PreRestore, PostRestore.
 */
#include "coordinator/inside.h"

/* ---- documents that come with an operation ---- */

static void drop_documents(struct session *s, const struct component_document *documents,
                           size_t n) {
        const struct ports *ports = s->coordinator->ports;

        for (size_t i = 0; i < n; i++)
                if (documents[i].document >= 0)
                        ports->party->drop_document(ports->userdata, documents[i].document);
}

static int check_documents(struct session *s, const struct component_document *documents, size_t n,
                           struct vss_error *reterr) {
        char text[VSS_ID_TEXT_SIZE];

        for (size_t i = 0; i < n; i++) {
                if (!session_member(s, &documents[i].instance_id))
                        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                        "this session knows no writer instance %s",
                                        vss_id_format(&documents[i].instance_id, text));
                for (size_t k = 0; k < i; k++)
                        if (vss_id_equal(&documents[i].instance_id, &documents[k].instance_id))
                                return vss_fail(reterr, E_INVALIDARG,
                                                "writer instance %s is named twice",
                                                vss_id_format(&documents[i].instance_id, text));
        }
        return 0;
}

/* give_documents() - the members that are named get theirs; takes them, whatever it returns */
static int give_documents(struct session *s, const struct component_document *documents, size_t n,
                          struct vss_error *reterr) {
        const struct ports *ports = s->coordinator->ports;
        int r = check_documents(s, documents, n, reterr);

        if (r < 0) {
                drop_documents(s, documents, n);
                return r;
        }
        for (size_t i = 0; i < s->n_members; i++)
                s->members[i]->named = false;
        for (size_t i = 0; i < n; i++) {
                struct member *m = session_member(s, &documents[i].instance_id);

                m->named = true;
                if (m->components >= 0)
                        ports->party->drop_document(ports->userdata, m->components);
                m->components = documents[i].document;
        }
        return 0;
}

/* begin() - the documents, the operation, its walk; @r: of the checks before */
static int begin(struct session *s, int r, const struct component_document *documents, size_t n,
                 struct operation **ret_op, struct vss_error *reterr) {
        if (r < 0) {
                drop_documents(s, documents, n);
                return r;
        }
        r = give_documents(s, documents, n, reterr);
        return r < 0 ? r : operation_new(s, ret_op, reterr);
}

/* cancelled_members() - whose answer is not waited for any more */
static void cancelled_members(struct session *s) {
        if (!s->walk.cancelled)
                return;
        for (size_t i = 0; i < s->n_members; i++)
                if (s->members[i]->asked)
                        member_cancelled(s->members[i], &phases[s->walk.stopped_at]);
}

/* ---- PrepareForBackup ---- */

static void prepared(struct session *s) {
        cancelled_members(s);
        if (s->walk.cancelled)
                s->prepared = false;
        if (s->set)
                session_restart_idle(s);
        operation_finish(s);
}

static int may_prepare(const struct session *s, size_t n_documents, struct vss_error *reterr) {
        int r = session_in_backup(s, reterr);

        if (r >= 0)
                r = session_with_writers(s, reterr);
        if (r < 0)
                return r;
        if (!s->backup_state_set)
                return session_bad_state(reterr,
                                         "SetBackupState comes before PrepareForBackup (B-4)");
        if (!s->set || s->done || s->failed)
                return session_bad_state(reterr,
                                         "PrepareForBackup belongs between StartSnapshotSet and "
                                         "DoSnapshotSet (B-12)");
        if (s->prepared)
                return session_bad_state(reterr, "PrepareForBackup is called once");
        if (s->adding)
                return session_bad_state(reterr, "an AddToSnapshotSet is still being answered");
        if (n_documents > 0 && !s->select_components)
                return vss_fail(reterr, E_INVALIDARG,
                                "components were not selected, so there are no documents for "
                                "writers");
        return 0;
}

int session_prepare_for_backup(struct session *s, const struct component_document *documents,
                               size_t n_documents, bool snapshot_follows, struct operation **ret,
                               struct vss_error *reterr) {
        struct operation *op;
        int r = begin(s, may_prepare(s, n_documents, reterr), documents, n_documents, &op, reterr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < s->n_members; i++) /* B-30 */
                s->members[i]->participates = !s->select_components || s->members[i]->named;
        s->snapshot_follows = snapshot_follows;
        s->prepared = true;
        session_tell_autorecovery(s);
        operation_start(s, op, walk_prepare_backup, prepared, ret);
        return 0;
}

/* ---- BackupComplete ---- */

static void completed(struct session *s) {
        cancelled_members(s);
        session_set_over(s); /* B-22: the set that stayed empty is over */
        operation_finish(s);
}

static int may_complete(const struct session *s, struct vss_error *reterr) {
        int r = session_in_backup(s, reterr);

        if (r >= 0)
                r = session_with_writers(s, reterr);
        if (r < 0)
                return r;
        if (s->failed) /* BV-27, OQ-B13 */
                return session_bad_state(reterr, "DoSnapshotSet failed, so nothing is complete");
        if (!s->prepared || s->completed)
                return session_bad_state(reterr,
                                         "BackupComplete comes once, after PrepareForBackup");
        return 0;
}

int session_backup_complete(struct session *s, const struct component_document *documents,
                            size_t n_documents, struct operation **ret, struct vss_error *reterr) {
        struct operation *op;
        int r = begin(s, may_complete(s, reterr), documents, n_documents, &op, reterr);

        if (r < 0)
                return r;
        s->completed = true;
        operation_start(s, op, walk_backup_complete, completed, ret);
        return 0;
}

/* ---- restore: the states of 2.1 there ---- */

static void restored(struct session *s) {
        cancelled_members(s);
        for (size_t i = 0; i < s->n_members;
             i++) /* who was left out of PostRestore is through too */
                if (!s->members[i]->restoring || s->post_restored)
                        bracket_end(s->members[i]);
        operation_finish(s);
}

void session_log(struct session *s, const char *words) {
        char line[200];

        (void)snprintf(line, sizeof(line), "%s", words);
        for (char *p = line; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f) /* it is not ours */
                        *p = '?';
        note_log(s->coordinator, WORDS_WARNING, s, "", "", "the requester notes: %s", line);
}

static int may_restore(const struct session *s, bool post, struct vss_error *reterr) {
        int r = session_idle(s, reterr);

        if (r < 0)
                return r;
        if (!s->restore || !s->gathered || s->pre_restored != post || s->post_restored)
                return session_bad_state(reterr,
                                         post ? "PostRestore comes once, after PreRestore"
                                              : "PreRestore comes once, in a restore, after "
                                                "GatherWriterMetadata");
        return 0;
}

int session_pre_restore(struct session *s, const struct component_document *documents,
                        size_t n_documents, struct operation **ret, struct vss_error *reterr) {
        struct operation *op;
        int r = begin(s, may_restore(s, false, reterr), documents, n_documents, &op, reterr);

        if (r < 0)
                return r;
        s->select_components = true;
        s->pre_restored = true;
        operation_start(s, op, walk_pre_restore, restored, ret);
        return 0;
}

int session_post_restore(struct session *s, const struct component_document *documents,
                         size_t n_documents, struct operation **ret, struct vss_error *reterr) {
        struct operation *op;
        int r = begin(s, may_restore(s, true, reterr), documents, n_documents, &op, reterr);

        if (r < 0)
                return r;
        s->post_restored = true;
        operation_start(s, op, walk_post_restore, restored, ret);
        return 0;
}
