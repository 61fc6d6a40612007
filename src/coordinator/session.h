/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - one operation object of a requester: its calls, in the order in which they are
 * allowed, and what became of its writers. Each member of org.vss1.Session is one function here.
 */
#ifndef COORDINATOR_SESSION_H
#define COORDINATOR_SESSION_H

#include "coordinator/coordinator.h"

/* session_new() - B-1. The session ends only by session_release().
 * @restore:  R-10: true InitializeForRestore, false InitializeForBackup
 * @userdata: of the caller, session_userdata() gives it back
 *
 * Return: 0, VSS_E_WRITER_STATUS_NOT_AVAILABLE when @uid has too many (SEC-24), -ENOMEM */
int session_new(struct coordinator *c, uint32_t uid, bool restore, void *userdata,
                struct session **ret, struct vss_error *reterr);

const struct vss_id *session_id(const struct session *session);
void *session_userdata(const struct session *session);

/* session_release() - the requester let go, or its connection died: what runs is cancelled as S-46
 * says, writers get Abort where due and BackupShutdown, auto-release copies go, the slot is freed.
 * @session is dead for the caller at once; @done (may be NULL) hears when all that is finished:
 * code is that of the first copy that could not be deleted. Its unanswered questions are
 * answered with -ECANCELED before. */
void session_release(struct session *session, reply_t done, void *userdata);

/* ---- short calls ---- */

int session_set_context(struct session *session, uint32_t context, struct vss_error *reterr);
int session_set_backup_state(struct session *session, bool select_components,
                             bool bootable_system_state, uint32_t backup_type, bool partial_files,
                             struct vss_error *reterr);
int session_set_restore_state(struct session *session, uint32_t restore_type,
                              struct vss_error *reterr);
int session_start_snapshot_set(struct session *session, struct vss_id *ret_set_id,
                               struct vss_error *reterr);

/* session_get_set_timing() - of the last DoSnapshotSet: µs from the first Freeze sent to the last
 * Thaw answered, and from the first hold sent to the release answered; VSS_E_BAD_STATE before */
int session_get_set_timing(const struct session *session, uint64_t *ret_freeze_us,
                           uint64_t *ret_hold_us, struct vss_error *reterr);

/* ---- what became of the writers ---- */

struct session_writer {
        struct writer_identity identity;
        uint32_t state; /* enum vss_writer_state */
        int32_t failure;
        int32_t application_failure;
        const char *message; /* never NULL */
        int metadata; /* the Writer Metadata Document; lent */
        int components; /* its part of the Backup Components Document, or -1; lent */
};

/* session_count_writers() - those whose Identify succeeded (B-29).
 * Return: 0, VSS_E_BAD_STATE before GatherWriterMetadata finished or while an operation runs */
int session_count_writers(const struct session *session, size_t *ret, struct vss_error *reterr);

/* session_get_writer() - @ret is lent until the session's next call */
int session_get_writer(const struct session *session, size_t index, struct session_writer *ret);

/* ---- questions ---- */

int session_is_volume_supported(struct session *session, const struct vss_volume *volume,
                                const struct vss_id *provider_id, reply_t done, void *userdata,
                                struct vss_error *reterr);

/* session_add_to_snapshot_set() - @paths: absolute, NULL-terminated; empty or NULL: all of it.
 * @provider_id NULL or null: the service chooses */
int session_add_to_snapshot_set(struct session *session, const struct vss_volume *volume,
                                const struct vss_id *provider_id, const char *const *paths,
                                reply_t done, void *userdata, struct vss_error *reterr);

/* session_abort_backup() - B-131, B-135; answers when the writers have answered */
int session_abort_backup(struct session *session, reply_t done, void *userdata,
                         struct vss_error *reterr);
int session_get_snapshot_properties(struct session *session, const struct vss_id *snapshot_id,
                                    reply_t done, void *userdata, struct vss_error *reterr);

/* session_query() - @type VSS_OBJECT_SNAPSHOT or VSS_OBJECT_PROVIDER (S-64) */
int session_query(struct session *session, uint32_t type, reply_t done, void *userdata,
                  struct vss_error *reterr);

/* session_delete_snapshots() - reply.code is the first failure; deleted and not_deleted hold in
 * both cases (S-70). Without @force an auto-release copy of another session that lives is refused
 * with VSS_E_VOLUME_IN_USE */
int session_delete_snapshots(struct session *session, const struct vss_id *id, uint32_t type,
                             bool force, reply_t done, void *userdata, struct vss_error *reterr);

/* ---- change knowledge: of copies of the session's own set ---- */

/* session_keep_reference() - have the provider remember the copy's state; reply.id names it.
 * E_NOTIMPL: this provider knows no changes */
int session_keep_reference(struct session *session, const struct vss_id *snapshot_id, reply_t done,
                           void *userdata, struct vss_error *reterr);
int session_release_reference(struct session *session, const struct vss_id *provider_id,
                              const struct vss_id *reference_id, reply_t done, void *userdata,
                              struct vss_error *reterr);
/* session_query_changes() - the provider writes into @stream, which is lent until this returns */
int session_query_changes(struct session *session, const struct vss_id *snapshot_id,
                          const struct vss_id *reference_id, int stream, reply_t done,
                          void *userdata, struct vss_error *reterr);

/* ---- operations: one at a time (B-130) ---- */

/* Which writers may take part (B-31); arrays may be NULL when their count is 0 */
struct writer_filter {
        const struct vss_id *enabled_classes, *disabled_classes, *disabled_instances;
        size_t n_enabled_classes, n_disabled_classes, n_disabled_instances;
};

/* One writer's part of the Backup Components Document; the document is taken, also on failure */
struct component_document {
        struct vss_id instance_id;
        int document;
};

/* *ret is lent: it lives until the session is released */
int session_gather_writer_metadata(struct session *session, const struct writer_filter *filter,
                                   struct operation **ret, struct vss_error *reterr);

/* session_absent() - a sentence about a writer that is left out (B-6), told when the gathering that
 * runs has succeeded; without one it does nothing */
void session_absent(struct session *session, const char *words);

/* session_prepare_for_backup() - in component mode exactly the writers of @documents take part.
 * @snapshot_follows: false when the requester knows that DoSnapshotSet will not be called (B-22) */
int session_prepare_for_backup(struct session *session, const struct component_document *documents,
                               size_t n_documents, bool snapshot_follows, struct operation **ret,
                               struct vss_error *reterr);
int session_do_snapshot_set(struct session *session, struct operation **ret,
                            struct vss_error *reterr);
int session_backup_complete(struct session *session, const struct component_document *documents,
                            size_t n_documents, struct operation **ret, struct vss_error *reterr);
int session_pre_restore(struct session *session, const struct component_document *documents,
                        size_t n_documents, struct operation **ret, struct vss_error *reterr);
/* session_log() - one line that the requester's side has noted of this session */
void session_log(struct session *session, const char *words);
int session_post_restore(struct session *session, const struct component_document *documents,
                         size_t n_documents, struct operation **ret, struct vss_error *reterr);

/* operation_status() - a code of B-126; *ret_words is lent and never NULL */
int operation_status(const struct operation *operation, const char **ret_words);

/* operation_cancel() - B-128, B-129, S-34: 0 when it will end as cancelled */
int operation_cancel(struct operation *operation);

uint64_t operation_number(const struct operation *operation); /* unique in this coordinator */
struct session *operation_session(const struct operation *operation);

#endif
