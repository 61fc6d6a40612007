/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requester.h - for backup programs.
 *
 * One struct vss_backup_components is one backup or one restore, from creation to release. The
 * calls follow the order of backup-protocol B-1 to B-21; a call in the wrong place returns
 * VSS_E_BAD_STATE and changes nothing. Long calls hand out a struct vss_async. Strings given by a
 * getter live until the object is released or the same getter is called again.
 */
#ifndef VSS_REQUESTER_H
#define VSS_REQUESTER_H

#include "vss/documents.h"
#include "vss/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

struct vss_backup_components;
struct vss_async;
struct vss_enum_object;

/**
 * struct vss_connection - how to reach the service; all zero is the usual way
 * @address:     D-Bus address of a bus with the service on it; NULL: the system bus when the
 *               service is there, else a private one that ends with the object
 * @config_dir:  configuration of the private service, NULL for /etc/vss
 * @embedded:    1: always the private one
 */
struct vss_connection {
        const char *address;
        const char *config_dir;
        uint32_t embedded;
        uint32_t reserved[8];
};

/**
 * vss_backup_components_create() - begin a backup or a restore (B-1)
 * @connection:  NULL for the usual way
 *
 * Return: 0, E_ACCESSDENIED when the service refuses (never a fallback), -errno
 */
int vss_backup_components_create(const struct vss_connection *connection,
                                 struct vss_backup_components **ret, struct vss_error *reterr);

/** vss_backup_components_free() - release: writers get BackupShutdown, auto-release copies go
 * (B-21). Blocks until they are gone. Accepts NULL, returns NULL */
struct vss_backup_components *vss_backup_components_free(struct vss_backup_components *bc);

/* ---- long calls ---- */

/** vss_async_wait() - block until the operation ends or @timeout_ms is over (UINT32_MAX: forever)
 *
 * Return: what vss_async_query_status() then returns */
int vss_async_wait(struct vss_async *async, uint32_t timeout_ms, struct vss_error *reterr);

/** vss_async_query_status() - VSS_S_ASYNC_PENDING, _FINISHED, _CANCELLED, or the code it failed
 * with, words in @reterr (B-126) */
int vss_async_query_status(struct vss_async *async, struct vss_error *reterr);

/** vss_async_cancel() - B-128, B-129 */
int vss_async_cancel(struct vss_async *async);

/** vss_async_free() - accepts NULL, returns NULL. The operation itself goes on */
struct vss_async *vss_async_free(struct vss_async *async);

/** vss_async_finish() - wait for ever, release, and fold: 0 when finished, else the failure;
 * VSS_S_ASYNC_CANCELLED stays that */
int vss_async_finish(struct vss_async *async, struct vss_error *reterr);

/**
 * vss_progress_t - told of each phase while an operation runs
 * @phase:  verb of the phase, "freeze", "commit_snapshots", ...
 * @who:    writer or provider it concerns, or ""
 */
typedef void (*vss_progress_t)(void *userdata, const char *phase, const char *who);
/** vss_backup_components_set_progress() - @progress is called while a call of this object waits;
 * NULL ends it */
void vss_backup_components_set_progress(struct vss_backup_components *bc, vss_progress_t progress,
                                        void *userdata);

/* ---- beginning ---- */

/** vss_backup_components_initialize_for_backup() - B-2; @xml NULL, or a stored document */
int vss_backup_components_initialize_for_backup(struct vss_backup_components *bc, const char *xml,
                                                struct vss_error *reterr);
/** vss_backup_components_initialize_for_restore() - @xml: the document that was saved with the
 * backup
 *
 * Return: 0, VSS_E_BAD_STATE, VSS_E_INVALID_XML_DOCUMENT
 */
int vss_backup_components_initialize_for_restore(struct vss_backup_components *bc, const char *xml,
                                                 struct vss_error *reterr);
/** vss_backup_components_set_context() - enum vss_snapshot_context with attributes or-ed in; once,
 * right after initialize (S-4)
 *
 * Return: 0, VSS_E_BAD_STATE, E_INVALIDARG, VSS_E_UNSUPPORTED_CONTEXT
 */
int vss_backup_components_set_context(struct vss_backup_components *bc, uint32_t context,
                                      struct vss_error *reterr);
/** vss_backup_components_set_backup_state() - what kind of backup this is (B-4)
 * @select_components: components are chosen one by one; @backup_type: enum vss_backup_type;
 * @partial_file_support: this program can store byte ranges (I-115)
 *
 * Return: 0, VSS_E_BAD_STATE, E_INVALIDARG for an undefined type (I-46)
 */
int vss_backup_components_set_backup_state(struct vss_backup_components *bc, bool select_components,
                                           bool bootable_system_state, uint32_t backup_type,
                                           bool partial_file_support, struct vss_error *reterr);
/** vss_backup_components_set_restore_state() - enum vss_restore_type; before PreRestore, optional
 * (R-40) */
int vss_backup_components_set_restore_state(struct vss_backup_components *bc, uint32_t restore_type,
                                            struct vss_error *reterr);
/** vss_backup_components_get_session_id() - the session as writers see it; null before anything was
 * asked of the service */
struct vss_id vss_backup_components_get_session_id(const struct vss_backup_components *bc);

/* ---- writers ---- */
/** vss_backup_components_enable_writer_classes() - only these classes take part; more calls add.
 * Before GatherWriterMetadata (B-31) */
int vss_backup_components_enable_writer_classes(struct vss_backup_components *bc,
                                                const struct vss_id *ids, size_t count,
                                                struct vss_error *reterr);
/** vss_backup_components_disable_writer_classes() - these classes do not take part (B-31) */
int vss_backup_components_disable_writer_classes(struct vss_backup_components *bc,
                                                 const struct vss_id *ids, size_t count,
                                                 struct vss_error *reterr);
/** vss_backup_components_disable_writer_instances() - these instances do not take part (B-31) */
int vss_backup_components_disable_writer_instances(struct vss_backup_components *bc,
                                                   const struct vss_id *ids, size_t count,
                                                   struct vss_error *reterr);
/** vss_backup_components_gather_writer_metadata() - ask every enabled writer to describe itself,
 * once per object (B-6)
 *
 * Return: 0 and an operation, VSS_E_BAD_STATE. A writer that fails is missing from the list
 */
int vss_backup_components_gather_writer_metadata(struct vss_backup_components *bc,
                                                 struct vss_async **ret, struct vss_error *reterr);
/** vss_backup_components_get_writer_metadata_count() - writers that answered */
int vss_backup_components_get_writer_metadata_count(struct vss_backup_components *bc, size_t *ret,
                                                    struct vss_error *reterr);

/** vss_backup_components_get_writer_metadata() - @ret_metadata is lent until
 * vss_backup_components_free_writer_metadata() */
int vss_backup_components_get_writer_metadata(struct vss_backup_components *bc, size_t index,
                                              struct vss_id *ret_instance,
                                              struct vss_examine_writer_metadata **ret_metadata,
                                              struct vss_error *reterr);
int vss_backup_components_free_writer_metadata(struct vss_backup_components *bc,
                                               struct vss_error *reterr);

/** struct vss_writer_status - what GetWriterStatus tells of one writer (B-87..B-115)
 * @state: enum vss_writer_state; @failure: S_OK or VSS_E_WRITERERROR_*; strings are lent
 * @process_id: of a writer that is a program of its own and has registered, 0 of others; a service
 * that a restore stops must not hold it */
struct vss_writer_status {
        struct vss_id instance_id;
        struct vss_id writer_id;
        const char *name;
        uint32_t state;
        int32_t failure;
        int32_t application_failure;
        const char *message;
        uint32_t process_id;
        uint32_t reserved[7];
};
/** vss_backup_components_gather_writer_status() - after PrepareForBackup, DoSnapshotSet,
 * BackupComplete and the restore calls (B-28) */
int vss_backup_components_gather_writer_status(struct vss_backup_components *bc,
                                               struct vss_async **ret, struct vss_error *reterr);
/** vss_backup_components_get_writer_status_count() - writers in this session; VSS_E_BAD_STATE
 * before gathering */
int vss_backup_components_get_writer_status_count(struct vss_backup_components *bc, size_t *ret,
                                                  struct vss_error *reterr);
/** vss_backup_components_get_writer_status() - success only means that the question was answered
 * (B-115)
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND beyond the end, VSS_E_BAD_STATE
 */
int vss_backup_components_get_writer_status(struct vss_backup_components *bc, size_t index,
                                            struct vss_writer_status *ret,
                                            struct vss_error *reterr);
/** vss_backup_components_free_writer_status() - forget what was gathered */
int vss_backup_components_free_writer_status(struct vss_backup_components *bc,
                                             struct vss_error *reterr);

/* ---- components: the key is struct vss_component_key of documents.h ---- */
/** vss_backup_components_add_component() - include a component (B-8); what is below a selectable
 * one comes along
 *
 * Return: 0, VSS_E_BAD_STATE, E_INVALIDARG (unknown, or only implicit: L-28, L-30),
 * VSS_E_OBJECT_ALREADY_EXISTS (L-29, L-31, L-32)
 */
int vss_backup_components_add_component(struct vss_backup_components *bc,
                                        const struct vss_id *instance_id,
                                        const struct vss_component_key *key,
                                        struct vss_error *reterr);
/** vss_backup_components_set_backup_options() - words for the writer, in its own format (D-56).
 * Before PrepareForBackup
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND (D-81), VSS_E_BAD_STATE
 */
int vss_backup_components_set_backup_options(struct vss_backup_components *bc,
                                             const struct vss_component_key *key,
                                             const char *options, struct vss_error *reterr);
/** vss_backup_components_set_previous_backup_stamp() - the stamp of the base, verbatim (I-151,
 * I-157). Before PrepareForBackup
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE (I-158)
 */
int vss_backup_components_set_previous_backup_stamp(struct vss_backup_components *bc,
                                                    const struct vss_component_key *key,
                                                    const char *stamp, struct vss_error *reterr);
/** vss_backup_components_set_backup_succeeded() - after copying, before BackupComplete, for every
 * explicit component (B-17)
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_set_backup_succeeded(struct vss_backup_components *bc,
                                               const struct vss_id *instance_id,
                                               const struct vss_component_key *key, bool succeeded,
                                               struct vss_error *reterr);

/** vss_backup_components_get_writer_components_count() - counts writers, not components (D-54) */
int vss_backup_components_get_writer_components_count(struct vss_backup_components *bc, size_t *ret,
                                                      struct vss_error *reterr);

/** vss_backup_components_get_writer_components() - lent until the object is released; a later
 * PrepareForBackup, DoSnapshotSet or PreRestore makes it stale */
int vss_backup_components_get_writer_components(struct vss_backup_components *bc, size_t index,
                                                struct vss_writer_components **ret,
                                                struct vss_error *reterr);

/* ---- the shadow copy set ---- */
/** vss_backup_components_start_snapshot_set() - begin a set; one at a time on a machine (S-13)
 *
 * Return: 0, VSS_E_SNAPSHOT_SET_IN_PROGRESS (wait and retry), VSS_E_BAD_STATE
 */
int vss_backup_components_start_snapshot_set(struct vss_backup_components *bc,
                                             struct vss_id *ret_set_id, struct vss_error *reterr);

/**
 * vss_backup_components_is_volume_supported() - B-10, P-2
 * @provider_id:  NULL or the null id: any
 * @volume:       mount point, device, "UUID=..." or volume id (T-3)
 * @ret:          true or false; words of the refusal in @reterr when false
 */
int vss_backup_components_is_volume_supported(struct vss_backup_components *bc,
                                              const struct vss_id *provider_id, const char *volume,
                                              bool *ret, struct vss_error *reterr);

/**
 * vss_backup_components_add_to_snapshot_set() - S-16
 * @paths:   what will be read below the volume, NULL-terminated; NULL means all of it
 * @ret_id:  id of the copy to be
 *
 * Return: 0, VSS_E_OBJECT_ALREADY_EXISTS, VSS_E_OBJECT_NOT_FOUND, VSS_E_VOLUME_NOT_SUPPORTED,
 * VSS_E_VOLUME_NOT_LOCAL, VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED, VSS_E_PROVIDER_VETO ...
 */
int vss_backup_components_add_to_snapshot_set(struct vss_backup_components *bc, const char *volume,
                                              const struct vss_id *provider_id,
                                              const char *const *paths, struct vss_id *ret_id,
                                              struct vss_error *reterr);
/** vss_backup_components_prepare_for_backup() - tell the writers what is going to happen (B-12)
 *
 * Return: 0 and an operation, VSS_E_BAD_STATE (also when required components are missing, L-33)
 */
int vss_backup_components_prepare_for_backup(struct vss_backup_components *bc,
                                             struct vss_async **ret, struct vss_error *reterr);
/** vss_backup_components_do_snapshot_set() - freeze, copy, thaw (B-14, section 2)
 *
 * Return: 0 and an operation; its failures: B-118..B-124. A veto of a writer is not one (B-45)
 */
int vss_backup_components_do_snapshot_set(struct vss_backup_components *bc, struct vss_async **ret,
                                          struct vss_error *reterr);
/** vss_backup_components_backup_complete() - everything is on the medium: writers may truncate logs
 * (B-18)
 *
 * Return: 0 and an operation, VSS_E_BAD_STATE also after a failed DoSnapshotSet
 */
int vss_backup_components_backup_complete(struct vss_backup_components *bc, struct vss_async **ret,
                                          struct vss_error *reterr);
/** vss_backup_components_abort_backup() - the backup is off; writers hear Abort (B-131, B-135).
 * Harmless when nothing is under way */
int vss_backup_components_abort_backup(struct vss_backup_components *bc, struct vss_error *reterr);

/** vss_backup_components_get_snapshot_properties() - release @ret's strings with
 * vss_free_snapshot_properties() */
int vss_backup_components_get_snapshot_properties(struct vss_backup_components *bc,
                                                  const struct vss_id *snapshot_id,
                                                  struct vss_snapshot_prop *ret,
                                                  struct vss_error *reterr);

/** vss_backup_components_query() - copies or providers (S-64)
 *
 * Return: 0, or S_FALSE when there is none; @ret is then an empty cursor */
int vss_backup_components_query(struct vss_backup_components *bc, uint32_t returned_type,
                                struct vss_enum_object **ret, struct vss_error *reterr);

/** vss_backup_components_delete_snapshots() - S-70, S-71
 *
 * Return: 0, or the first failure; VSS_E_VOLUME_IN_USE without @force when an auto-release copy
 *   belongs to another object that lives, VSS_E_OBJECT_NOT_FOUND */
int vss_backup_components_delete_snapshots(struct vss_backup_components *bc,
                                           const struct vss_id *id, uint32_t type, bool force,
                                           uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                           struct vss_error *reterr);

/** vss_backup_components_get_set_timing() - how long the last DoSnapshotSet kept things still
 * @ret_freeze_us:  microseconds from the first Freeze sent to the last Thaw answered
 * @ret_hold_us:    microseconds from the first hold of writes to their release, 0 if none
 */
int vss_backup_components_get_set_timing(struct vss_backup_components *bc, uint64_t *ret_freeze_us,
                                         uint64_t *ret_hold_us, struct vss_error *reterr);

/* ---- what changed ---- */

/** enum vss_change_kind - how a name differs from the reference */
enum vss_change_kind {
        VSS_CHANGE_CHANGED = 1, /* the same thing at the same place; itself, not what is below it */
        VSS_CHANGE_NEW = 2, /* nothing or another thing was there; each below it is told, too */
        VSS_CHANGE_GONE = 3, /* what was there, and all below it unless it was moved away */
        VSS_CHANGE_RENAMED = 4 /* was at @from, may be changed too; all below came along untold */
};

/**
 * struct vss_change - one name; strings and extents are lent for the call
 * @kind:     enum vss_change_kind
 * @content:  CHANGED: the content may differ, too
 * @path:     below the volume's root, "" the root itself
 * @from:     RENAMED: the path in the reference
 * @extents:  CHANGED: what of the content may differ, with the new file's size beyond the smaller
 * of both; none and @content set: all of it may. Perhaps beyond the end: of a file that only
 *            became shorter nothing else is told
 */
struct vss_change {
        uint32_t kind;
        uint32_t content;
        const char *path, *from;
        const struct vss_extent { uint64_t offset, length; } * extents;
        size_t extent_count;
        uint32_t reserved[8];
};

/** vss_change_sink_t - takes one change; a negative value ends the query and is returned */
typedef int (*vss_change_sink_t)(void *userdata, const struct vss_change *change);

/**
 * vss_backup_components_keep_reference() - have the state of a copy remembered
 * @snapshot_id:   a finished copy of this object's set
 * @ret_reference: what vss_backup_components_query_changes() needs
 *
 * The provider keeps it beyond the copy's life, as long as its settings let it; the oldest of a
 * volume goes first. Release it when nothing builds on it any more.
 *
 * Return: 0, E_NOTIMPL (the provider knows no changes), VSS_E_INSUFFICIENT_STORAGE,
 * VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_keep_reference(struct vss_backup_components *bc,
                                         const struct vss_id *snapshot_id,
                                         struct vss_id *ret_reference, struct vss_error *reterr);

/** vss_backup_components_release_reference() - it is not needed any more; an unknown one is success
 * @provider_id: of the provider that keeps it, as in struct vss_snapshot_prop
 *
 * Return: 0, E_NOTIMPL, VSS_E_PROVIDER_NOT_REGISTERED
 */
int vss_backup_components_release_reference(struct vss_backup_components *bc,
                                            const struct vss_id *provider_id,
                                            const struct vss_id *reference,
                                            struct vss_error *reterr);

/**
 * vss_backup_components_query_changes() - what differs between a reference and a later copy
 * @snapshot_id: a finished copy of this object's set, of the volume that the reference is of
 * @reference:   from vss_backup_components_keep_reference(), perhaps of an earlier run
 * @sink:        called for each change, in no order; a name may be told more than once
 *
 * A name that is not told, and not below one that is new, gone or renamed, is the same in both,
 * with everything that belongs to it. All names of a file with several are told when one of them
 * is. This holds only when 0 is returned; after any failure nothing is known, compare everything.
 * Blocks until all is told.
 *
 * Return: 0, what @sink returned, or
 *   VSS_E_OBJECT_NOT_FOUND  the reference is gone
 *   VSS_E_BAD_STATE         it was written to, or is not of this volume's past
 *   E_NOTIMPL               the provider knows no changes
 *   VSS_E_UNEXPECTED_PROVIDER_ERROR  they could not be told to the end; words say why
 */
int vss_backup_components_query_changes(struct vss_backup_components *bc,
                                        const struct vss_id *snapshot_id,
                                        const struct vss_id *reference, vss_change_sink_t sink,
                                        void *userdata, struct vss_error *reterr);

/** struct vss_object_prop - one record of a query; strings are lent until the cursor is freed */
struct vss_object_prop {
        uint32_t type; /* enum vss_object_type */
        union {
                struct vss_snapshot_prop snap;
                struct vss_provider_prop prov;
        } obj;
};

/** vss_enum_object_next() - up to @count records; returns 0, or S_FALSE when fewer were left */
int vss_enum_object_next(struct vss_enum_object *cursor, size_t count, struct vss_object_prop *ret,
                         size_t *ret_fetched);
/** vss_enum_object_skip() - 0, or S_FALSE when fewer than @count were left */
int vss_enum_object_skip(struct vss_enum_object *cursor, size_t count);
/** vss_enum_object_reset() - back to the first record */
int vss_enum_object_reset(struct vss_enum_object *cursor);
/** vss_enum_object_clone() - a second cursor at the same place; release it as well */
int vss_enum_object_clone(struct vss_enum_object *cursor, struct vss_enum_object **ret);
/** vss_enum_object_free() - accepts NULL, returns NULL */
struct vss_enum_object *vss_enum_object_free(struct vss_enum_object *cursor);

/* ---- volumes ---- */

/** vss_volume_sink_t - takes one volume; @refusal is NULL, or why no provider copies it */
typedef int (*vss_volume_sink_t)(void *userdata, const struct vss_volume *volume,
                                 const char *provider, const char *refusal);

/** vss_backup_components_query_volumes() - every local volume and who would copy it (P-2) */
int vss_backup_components_query_volumes(struct vss_backup_components *bc, vss_volume_sink_t sink,
                                        void *userdata, struct vss_error *reterr);

/**
 * vss_backup_components_resolve_path() - the volume that holds a path
 * @path:   absolute; its last symbolic links are resolved (B-152)
 * @below:  true: also every volume mounted or nested below it (B-151, P-62)
 * @sink:   called for the holding volume first
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND when the path does not exist, VSS_E_VOLUME_NOT_LOCAL for
 * network file systems, VSS_E_VOLUME_NOT_SUPPORTED for proc, tmpfs and the like
 */
int vss_backup_components_resolve_path(struct vss_backup_components *bc, const char *path,
                                       bool below, vss_volume_sink_t sink, void *userdata,
                                       struct vss_error *reterr);

/** struct vss_path_question - one call of vss_backup_components_resolve_path() */
struct vss_path_question {
        const char *path;
        bool below;
};

/** vss_path_sink_t - vss_volume_sink_t, for the question of this index */
typedef int (*vss_path_sink_t)(void *userdata, size_t question, const struct vss_volume *volume,
                               const char *provider, const char *refusal);

/**
 * vss_backup_components_resolve_paths() - the same for any number of paths, and far cheaper than
 * one by one: the mounts are looked at once
 * @sink:      called in the order of @questions
 * @failures:  NULL: the first path that cannot be resolved ends the call with its failure. Or
 *             @count records, VSS_ERROR_INIT before: each takes its own path's failure, the others
 *             are answered, and the caller releases them with vss_error_clear()
 *
 * A path that hangs is refused with -ETIMEDOUT after the service's deadline for probes; the others
 * wait for it.
 *
 * Return: as vss_backup_components_resolve_path()
 */
int vss_backup_components_resolve_paths(struct vss_backup_components *bc,
                                        const struct vss_path_question *questions, size_t count,
                                        vss_path_sink_t sink, void *userdata,
                                        struct vss_error *failures, struct vss_error *reterr);

/* ---- documents ---- */

/** vss_backup_components_save_as_xml() - @ret is NUL-terminated, the caller frees it (B-20) */
int vss_backup_components_save_as_xml(struct vss_backup_components *bc, char **ret,
                                      size_t *ret_size, struct vss_error *reterr);

/* ---- restore ---- */
/** vss_backup_components_set_selected_for_restore() - restore this explicit component and its set
 * (R-20..R-22)
 * @instance: NULL, or the running instance to restore into
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND, VSS_E_NOT_SUPPORTED, VSS_E_BAD_STATE
 */
int vss_backup_components_set_selected_for_restore(struct vss_backup_components *bc,
                                                   const struct vss_component_key *key,
                                                   bool selected, const struct vss_id *instance,
                                                   struct vss_error *reterr);
/** vss_backup_components_add_restore_subcomponent() - only this part of a selected set
 *
 * Return: 0, E_INVALIDARG, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_add_restore_subcomponent(struct vss_backup_components *bc,
                                                   const struct vss_component_key *key,
                                                   const char *sub_logical_path,
                                                   const char *sub_name, struct vss_error *reterr);
/** vss_backup_components_select_dependencies() - select what the selected components depend on, and
 * what that depends on; the order of restores does not follow from it. Before PreRestore
 *
 * Return: 0 and how many were selected, S_FALSE with words when something is not in this backup or
 * its writer does not run, VSS_E_BAD_STATE */
int vss_backup_components_select_dependencies(struct vss_backup_components *bc, size_t *ret_added,
                                              struct vss_error *reterr);
/** vss_backup_components_set_restore_options() - words for the writer, by the grammar of R-43;
 * before PreRestore
 *
 * Return: 0, E_INVALIDARG, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_set_restore_options(struct vss_backup_components *bc,
                                              const struct vss_component_key *key,
                                              const char *options, struct vss_error *reterr);
/** vss_backup_components_set_additional_restores() - true when another image follows: no recovery
 * yet (I-186) */
int vss_backup_components_set_additional_restores(struct vss_backup_components *bc,
                                                  const struct vss_component_key *key,
                                                  bool additional, struct vss_error *reterr);
/** vss_backup_components_set_file_restore_status() - enum vss_file_restore_status, for every
 * selected component, before PostRestore */
int vss_backup_components_set_file_restore_status(struct vss_backup_components *bc,
                                                  const struct vss_component_key *key,
                                                  uint32_t status, struct vss_error *reterr);
/** vss_backup_components_set_ranges_file_path() - where the ranges file of the index-th partial
 * file lies now (D-65) */
int vss_backup_components_set_ranges_file_path(struct vss_backup_components *bc,
                                               const struct vss_component_key *key, size_t index,
                                               const char *path, struct vss_error *reterr);
/** vss_backup_components_set_deferred() - files of the component are registered for the next boot:
 * "deferred=yes" is added to its restore metadata, after ";" when the writer has some */
int vss_backup_components_set_deferred(struct vss_backup_components *bc,
                                       const struct vss_component_key *key,
                                       struct vss_error *reterr);
/** vss_backup_components_add_new_target() - the requester restores a file set elsewhere
 *
 * Return: 0, VSS_E_NOT_SUPPORTED, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_add_new_target(struct vss_backup_components *bc,
                                         const struct vss_component_key *key,
                                         const struct vss_file_set *from, const char *destination,
                                         struct vss_error *reterr);
/** vss_backup_components_add_alternative_location_mapping() - record that a file set went to its
 * mapped place (D-75) */
int vss_backup_components_add_alternative_location_mapping(struct vss_backup_components *bc,
                                                           const struct vss_component_key *key,
                                                           const struct vss_file_set *from,
                                                           const char *destination,
                                                           struct vss_error *reterr);
/** vss_backup_components_set_authoritative_restore() - this copy wins over its peers */
int vss_backup_components_set_authoritative_restore(struct vss_backup_components *bc,
                                                    const struct vss_component_key *key,
                                                    bool authoritative, struct vss_error *reterr);
/** vss_backup_components_set_roll_forward() - enum vss_rollforward_type; @point for PARTIAL
 *
 * Return: 0, E_INVALIDARG, VSS_E_OBJECT_NOT_FOUND, VSS_E_BAD_STATE
 */
int vss_backup_components_set_roll_forward(struct vss_backup_components *bc,
                                           const struct vss_component_key *key, uint32_t type,
                                           const char *point, struct vss_error *reterr);
/** vss_backup_components_set_restore_name() - bring the component up under another name */
int vss_backup_components_set_restore_name(struct vss_backup_components *bc,
                                           const struct vss_component_key *key, const char *name,
                                           struct vss_error *reterr);
/** vss_backup_components_get_warnings() - what was allowed, but is probably not what was meant: one
 * line each, "" when there is none; lent until the next call. A call that brings one on succeeds
 * and leaves the words in its error record with code 0; PreRestore and PostRestore when they have
 * ended. The service's log gets them too */
const char *vss_backup_components_get_warnings(const struct vss_backup_components *bc);
/** vss_backup_components_pre_restore() - writers get ready for their files to be replaced (R table
 * 2, row 8) */
int vss_backup_components_pre_restore(struct vss_backup_components *bc, struct vss_async **ret,
                                      struct vss_error *reterr);
/** vss_backup_components_post_restore() - writers take their files over; always, once PreRestore
 * was sent */
int vss_backup_components_post_restore(struct vss_backup_components *bc, struct vss_async **ret,
                                       struct vss_error *reterr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
