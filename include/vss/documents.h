/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * documents.h - the two documents: Writer Metadata Document and Backup Components Document.
 *
 * A writer builds the first in identify and edits its part of the second in later events; a
 * requester examines the first. Both are stored with a backup as text. Getters lend strings until
 * their object is released; NULL stands for "not set". Paths are bytes and stay bytes.
 */
#ifndef VSS_DOCUMENTS_H
#define VSS_DOCUMENTS_H

#include "vss/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

struct vss_create_writer_metadata;
struct vss_examine_writer_metadata;
struct vss_wm_component;
struct vss_wm_filedesc;
struct vss_wm_dependency;
struct vss_writer_components;
struct vss_component;

/** struct vss_component_key - names a component of a writer class (M-13)
 * @type: enum vss_component_type; @logical_path: NULL is the root */
struct vss_component_key {
        struct vss_id writer_id;
        uint32_t type;
        const char *logical_path;
        const char *name;
};

/** struct vss_file_set - a set of files: M-38..M-47
 * @path: absolute directory; @filespec: one name pattern; @alternate_path: where to read, or NULL;
 * @backup_type_mask: enum vss_file_spec_backup_type, 0 stands for the default 0x0F0F where a
 * backup has one */
struct vss_file_set {
        const char *path;
        const char *filespec;
        bool recursive;
        const char *alternate_path;
        uint32_t backup_type_mask;
};

/** struct vss_component_info - D-23..D-36. The counts are filled by getters only */
struct vss_component_info {
        uint32_t type; /* enum vss_component_type */
        const char *logical_path;
        const char *name;
        const char *caption;
        const void *icon;
        size_t icon_size;
        bool restore_metadata;
        bool notify_on_backup_complete;
        bool selectable;
        bool selectable_for_restore;
        uint32_t flags; /* enum vss_component_flags */
        size_t file_count;
        size_t database_count;
        size_t log_file_count;
        size_t dependency_count;
};

/* ---- a writer builds its document: only inside identify, VSS_E_BAD_STATE elsewhere (B-56) ----
 * All of these return 0, E_INVALIDARG for texts that a document cannot hold (docs/documents.md),
 * E_OUTOFMEMORY beyond the limits of a writer (SEC-43), -ENOMEM, and what is said with each. */

/** vss_create_writer_metadata_add_component() - declare a component (D-22..D-32)
 * @info: its counts are ignored; logical_path NULL or "" is the root
 *
 * Return: E_INVALIDARG (no name, separator in it, type, flags), VSS_E_OBJECT_ALREADY_EXISTS,
 * VSS_E_NOT_SUPPORTED for what an express writer may not have (M-37) */
int vss_create_writer_metadata_add_component(struct vss_create_writer_metadata *metadata,
                                             const struct vss_component_info *info,
                                             struct vss_error *reterr);

/** vss_create_writer_metadata_add_files_to_file_group() - a file set of a file group (M-28..M-46)
 * @logical_path, @name: of a component that was added before
 *
 * Return: VSS_E_OBJECT_NOT_FOUND (no such component), E_INVALIDARG (it is a database, the path is
 * not absolute or has wildcards, unknown mask bits: D-43, I-92), VSS_E_NOT_SUPPORTED (I-65) */
int vss_create_writer_metadata_add_files_to_file_group(struct vss_create_writer_metadata *metadata,
                                                       const char *logical_path, const char *name,
                                                       const struct vss_file_set *files,
                                                       struct vss_error *reterr);

/** vss_create_writer_metadata_add_database_files() - data files of a database component; neither
 * recursive nor with an alternate path (M-29, M-30). Returns as the call above */
int vss_create_writer_metadata_add_database_files(struct vss_create_writer_metadata *metadata,
                                                  const char *logical_path, const char *name,
                                                  const struct vss_file_set *files,
                                                  struct vss_error *reterr);

/** vss_create_writer_metadata_add_database_log_files() - its log files (M-31) */
int vss_create_writer_metadata_add_database_log_files(struct vss_create_writer_metadata *metadata,
                                                      const char *logical_path, const char *name,
                                                      const struct vss_file_set *files,
                                                      struct vss_error *reterr);

/** vss_create_writer_metadata_add_component_dependency() - the component must travel together with
 * one of another writer (D-36, L-16)
 *
 * Return: VSS_E_OBJECT_NOT_FOUND, E_INVALIDARG (no name or class, or the writer itself, SV-41) */
int vss_create_writer_metadata_add_component_dependency(struct vss_create_writer_metadata *metadata,
                                                        const char *logical_path, const char *name,
                                                        const struct vss_id *on_writer,
                                                        const char *on_logical_path,
                                                        const char *on_name,
                                                        struct vss_error *reterr);

/** vss_create_writer_metadata_add_exclude_files() - files that no backup should take; they beat the
 * file sets of components (D-18). Alternate path and mask are ignored */
int vss_create_writer_metadata_add_exclude_files(struct vss_create_writer_metadata *metadata,
                                                 const struct vss_file_set *files,
                                                 struct vss_error *reterr);

/** vss_create_writer_metadata_add_exclude_files_from_snapshot() - files that the writer deletes
 * from shadow copies by itself (D-20). VSS_E_NOT_SUPPORTED for an express writer */
int vss_create_writer_metadata_add_exclude_files_from_snapshot(
        struct vss_create_writer_metadata *metadata, const struct vss_file_set *files,
        struct vss_error *reterr);

/** vss_create_writer_metadata_add_include_files() - withdrawn: VSS_E_NOT_SUPPORTED (D-19) */
int vss_create_writer_metadata_add_include_files(struct vss_create_writer_metadata *metadata,
                                                 const struct vss_file_set *files,
                                                 struct vss_error *reterr);

/** vss_create_writer_metadata_add_alternate_location_mapping() - where a file set may be restored
 * when its own place is impossible (D-21)
 * @files: must equal a file set of one of the writer's components; checked when identify ends
 * @destination: absolute directory */
int vss_create_writer_metadata_add_alternate_location_mapping(
        struct vss_create_writer_metadata *metadata, const struct vss_file_set *files,
        const char *destination, struct vss_error *reterr);

/** struct vss_restore_method - D-17. @method: enum vss_restoremethod_enum; @writer_restore: enum
 * vss_writerrestore_enum; @service and @user_procedure may be NULL */
struct vss_restore_method {
        uint32_t method;
        const char *service;
        const char *user_procedure;
        uint32_t writer_restore;
        bool reboot_required;
        size_t mapping_count; /* filled by the getter only */
};

/** vss_create_writer_metadata_set_restore_method() - mandatory, once (D-17, D-44)
 *
 * Return: E_INVALIDARG (undefined values, a missing or strange service name: R-63, SEC-36),
 * VSS_E_OBJECT_ALREADY_EXISTS the second time, VSS_E_NOT_SUPPORTED (express writers, R-76) */
int vss_create_writer_metadata_set_restore_method(struct vss_create_writer_metadata *metadata,
                                                  const struct vss_restore_method *method,
                                                  struct vss_error *reterr);

/** vss_create_writer_metadata_set_backup_schema() - what the writer supports (D-16)
 * @schema: enum vss_backup_schema, or-ed; LOG is taken out again when there is no log file (I-64)
 *
 * Return: E_INVALIDARG for illegal combinations (I-48..I-64), VSS_E_NOT_SUPPORTED (I-65) */
int vss_create_writer_metadata_set_backup_schema(struct vss_create_writer_metadata *metadata,
                                                 uint32_t schema, struct vss_error *reterr);

/** vss_create_writer_metadata_save_as_xml() - the document so far
 * @ret: NUL-terminated, the caller frees it; @ret_size may be NULL
 *
 * Return: 0, E_INVALIDARG while something mandatory is missing, -ENOMEM */
int vss_create_writer_metadata_save_as_xml(struct vss_create_writer_metadata *metadata, char **ret,
                                           size_t *ret_size, struct vss_error *reterr);

/* ---- a requester examines it ---- */

/** vss_examine_writer_metadata_create() - load a stored document
 * @xml, @size: its text, UTF-8 or UTF-16 (xml-format section 1)
 *
 * Return: 0, VSS_E_INVALID_XML_DOCUMENT with words, -ENOMEM */
int vss_examine_writer_metadata_create(const char *xml, size_t size,
                                       struct vss_examine_writer_metadata **ret,
                                       struct vss_error *reterr);

/** vss_examine_writer_metadata_free() - accepts NULL, returns NULL */
struct vss_examine_writer_metadata *
vss_examine_writer_metadata_free(struct vss_examine_writer_metadata *metadata);

/** vss_examine_writer_metadata_load_from_xml() - replace what is there; unchanged on failure */
int vss_examine_writer_metadata_load_from_xml(struct vss_examine_writer_metadata *metadata,
                                              const char *xml, size_t size,
                                              struct vss_error *reterr);

/** vss_examine_writer_metadata_save_as_xml() - as it was loaded, unknown parts included (D-86) */
int vss_examine_writer_metadata_save_as_xml(const struct vss_examine_writer_metadata *metadata,
                                            char **ret, size_t *ret_size, struct vss_error *reterr);

/** struct vss_writer_identity - D-8..D-14; strings lent */
struct vss_writer_identity {
        struct vss_id instance_id;
        struct vss_id writer_id;
        const char *name;
        const char *instance_name;
        uint32_t usage; /* enum vss_usage_type */
        uint32_t source; /* enum vss_source_type */
        uint32_t version_major, version_minor;
        uint32_t reserved[8];
};

/** vss_examine_writer_metadata_get_identity() - class, instance, names, usage and source */
void vss_examine_writer_metadata_get_identity(const struct vss_examine_writer_metadata *metadata,
                                              struct vss_writer_identity *ret);

/** vss_examine_writer_metadata_get_version() - of the writer, 0 and 0 when it has none (D-12) */
void vss_examine_writer_metadata_get_version(const struct vss_examine_writer_metadata *metadata,
                                             uint32_t *ret_major, uint32_t *ret_minor);

/** vss_examine_writer_metadata_get_backup_schema() - enum vss_backup_schema, or-ed; 0: full only */
uint32_t
vss_examine_writer_metadata_get_backup_schema(const struct vss_examine_writer_metadata *metadata);

/** vss_examine_writer_metadata_get_file_counts() - include files (always 0 in what we write, D-19),
 * exclude files and components; any of the three may be NULL */
void vss_examine_writer_metadata_get_file_counts(const struct vss_examine_writer_metadata *metadata,
                                                 size_t *ret_include, size_t *ret_exclude,
                                                 size_t *ret_components);

/* By index, in document order, NULL beyond the end; lent until the document goes. */

/** vss_examine_writer_metadata_get_include_file() - D-19 */
const struct vss_wm_filedesc *
vss_examine_writer_metadata_get_include_file(const struct vss_examine_writer_metadata *metadata,
                                             size_t index);

/** vss_examine_writer_metadata_get_exclude_file() - D-18 */
const struct vss_wm_filedesc *
vss_examine_writer_metadata_get_exclude_file(const struct vss_examine_writer_metadata *metadata,
                                             size_t index);

/** vss_examine_writer_metadata_get_exclude_from_snapshot_count() - D-20 */
size_t vss_examine_writer_metadata_get_exclude_from_snapshot_count(
        const struct vss_examine_writer_metadata *metadata);

/** vss_examine_writer_metadata_get_exclude_from_snapshot_file() - D-20 */
const struct vss_wm_filedesc *vss_examine_writer_metadata_get_exclude_from_snapshot_file(
        const struct vss_examine_writer_metadata *metadata, size_t index);

/** vss_examine_writer_metadata_get_component() - D-22; the index is that of
 * vss_examine_writer_metadata_classify() too */
const struct vss_wm_component *
vss_examine_writer_metadata_get_component(const struct vss_examine_writer_metadata *metadata,
                                          size_t index);

/** vss_examine_writer_metadata_get_alternate_location_mapping() - offered by the writer (D-21);
 * their count comes with vss_examine_writer_metadata_get_restore_method() */
const struct vss_wm_filedesc *vss_examine_writer_metadata_get_alternate_location_mapping(
        const struct vss_examine_writer_metadata *metadata, size_t index);

/** vss_examine_writer_metadata_get_restore_method() - S_FALSE when the writer declared none */
int vss_examine_writer_metadata_get_restore_method(
        const struct vss_examine_writer_metadata *metadata, struct vss_restore_method *ret);

/** vss_wm_component_get_component_info() - all fields and the counts of the lists below
 * (D-23..D-36); strings and icon are lent */
void vss_wm_component_get_component_info(const struct vss_wm_component *component,
                                         struct vss_component_info *ret);

/** vss_wm_component_get_file() - a file set of a file group, by index */
const struct vss_wm_filedesc *vss_wm_component_get_file(const struct vss_wm_component *component,
                                                        size_t index);

/** vss_wm_component_get_database_file(), vss_wm_component_get_database_log_file() - of a database
 */
const struct vss_wm_filedesc *
vss_wm_component_get_database_file(const struct vss_wm_component *component, size_t index);
const struct vss_wm_filedesc *
vss_wm_component_get_database_log_file(const struct vss_wm_component *component, size_t index);

/** vss_wm_component_get_dependency() - on a component of another writer, by index */
const struct vss_wm_dependency *
vss_wm_component_get_dependency(const struct vss_wm_component *component, size_t index);

/** vss_wm_filedesc_get_path(), vss_wm_filedesc_get_filespec(), vss_wm_filedesc_get_recursive() -
 * the three that name a file set (D-37..D-39) */
const char *vss_wm_filedesc_get_path(const struct vss_wm_filedesc *file);
const char *vss_wm_filedesc_get_filespec(const struct vss_wm_filedesc *file);
bool vss_wm_filedesc_get_recursive(const struct vss_wm_filedesc *file);

/** vss_wm_filedesc_get_alternate_location() - two meanings, D-40, D-42: where to read at backup,
 * or where to restore in a mapping; NULL when not set */
const char *vss_wm_filedesc_get_alternate_location(const struct vss_wm_filedesc *file);

/** vss_wm_filedesc_get_backup_type_mask() - enum vss_file_spec_backup_type; 0x0F0F when not set
 * (D-41, I-35) */
uint32_t vss_wm_filedesc_get_backup_type_mask(const struct vss_wm_filedesc *file);

/** vss_wm_dependency_get_writer_id(), vss_wm_dependency_get_logical_path() (NULL is the root),
 * vss_wm_dependency_get_component_name() - what is depended on (D-36) */
struct vss_id vss_wm_dependency_get_writer_id(const struct vss_wm_dependency *dependency);
const char *vss_wm_dependency_get_logical_path(const struct vss_wm_dependency *dependency);
const char *vss_wm_dependency_get_component_name(const struct vss_wm_dependency *dependency);

/** vss_filespec_matches() - M-48: does a name fit a file specification */
bool vss_filespec_matches(const char *filespec, const char *name);

/* ---- backup types (incremental-differential sections 4 and 5) ---- */

/** vss_effective_backup_type() - what a requested type means for a writer (I-66..I-71)
 * @requested: enum vss_backup_type; @schema: enum vss_backup_schema, or-ed */
uint32_t vss_effective_backup_type(uint32_t requested, uint32_t schema);

/** vss_file_set_is_required() - must a file set with this mask be in the backup? (B(t), I-83) */
bool vss_file_set_is_required(uint32_t mask, uint32_t effective_type);

/** vss_file_set_needs_snapshot() - must it be read from the shadow copy? (S(t), I-84) */
bool vss_file_set_needs_snapshot(uint32_t mask, uint32_t effective_type);

/* ---- a stored Backup Components Document, to look at; read-only ---- */

struct vss_stored_backup_components;

/** vss_stored_backup_components_load() - from the text that was saved with a backup
 *
 * Return: 0, VSS_E_INVALID_XML_DOCUMENT with line and words, -ENOMEM */
int vss_stored_backup_components_load(const char *xml, size_t size,
                                      struct vss_stored_backup_components **ret,
                                      struct vss_error *reterr);
/** vss_stored_backup_components_free() - accepts NULL, returns NULL */
struct vss_stored_backup_components *
vss_stored_backup_components_free(struct vss_stored_backup_components *stored);
/** vss_stored_backup_components_get_writer_count() - writers that have a component in it */
size_t vss_stored_backup_components_get_writer_count(struct vss_stored_backup_components *stored);
/** vss_stored_backup_components_get_writer() - lent, NULL beyond the end */
struct vss_writer_components *
vss_stored_backup_components_get_writer(struct vss_stored_backup_components *stored, size_t index);

/** vss_stored_backup_components_find() - by class id, type, path and name; NULL when not there */
const struct vss_component *
vss_stored_backup_components_find(struct vss_stored_backup_components *stored,
                                  const struct vss_component_key *key);

/* ---- selectability (selectability.md); a requester's help before AddComponent ---- */

/** enum vss_component_kind - L-6..L-9 */
enum vss_component_kind {
        VSS_COMPONENT_REQUIRED = 0,
        VSS_COMPONENT_OPTIONAL = 1,
        VSS_COMPONENT_BOUND = 2,
        VSS_COMPONENT_OPTIONAL_SUB = 3
};

/** vss_examine_writer_metadata_classify() - the kind of a component by its own flag and those above
 * it; REQUIRED for an index beyond the end */
uint32_t vss_examine_writer_metadata_classify(const struct vss_examine_writer_metadata *metadata,
                                              size_t component_index);

/** vss_examine_writer_metadata_is_below() - true when component @index lies in the component set
 * of the selectable component @ancestor (or is it): what comes along when it is included */
bool vss_examine_writer_metadata_is_below(const struct vss_examine_writer_metadata *metadata,
                                          size_t index, size_t ancestor);

/* ---- a writer's part of the Backup Components Document ---- */

/** vss_writer_components_get_component_count() - entries, that is explicitly included components */

size_t vss_writer_components_get_component_count(const struct vss_writer_components *components);

/** vss_writer_components_get_component() - by index, NULL beyond the end; lent */
struct vss_component *vss_writer_components_get_component(struct vss_writer_components *components,
                                                          size_t index);

/** vss_writer_components_get_writer_info() - whose they are; either may be NULL */
void vss_writer_components_get_writer_info(const struct vss_writer_components *components,
                                           struct vss_id *ret_instance, struct vss_id *ret_writer);

/* What is in an entry. Strings are lent and NULL when not set. */

/** vss_component_get_component_type(), vss_component_get_logical_path(),
 * vss_component_get_component_name() - the key (D-55) */
uint32_t vss_component_get_component_type(const struct vss_component *component);
const char *vss_component_get_logical_path(const struct vss_component *component);
const char *vss_component_get_component_name(const struct vss_component *component);

/** vss_component_get_backup_succeeded() - false until the requester said so (D-67) */
bool vss_component_get_backup_succeeded(const struct vss_component *component);

/** vss_component_get_backup_options() - from the requester, format of the writer (D-56) */
const char *vss_component_get_backup_options(const struct vss_component *component);

/** vss_component_get_backup_stamp() - of this backup (D-58),
 * vss_component_get_previous_backup_stamp() - of the one it builds on (D-57, I-152) */
const char *vss_component_get_backup_stamp(const struct vss_component *component);
const char *vss_component_get_previous_backup_stamp(const struct vss_component *component);

/** vss_component_get_backup_metadata(), vss_component_get_restore_metadata() - the writer's own
 * strings (D-59, D-60) */
const char *vss_component_get_backup_metadata(const struct vss_component *component);
const char *vss_component_get_restore_metadata(const struct vss_component *component);

/** vss_component_get_restore_options() (D-70), vss_component_get_restore_name() (D-78, R-46) */
const char *vss_component_get_restore_options(const struct vss_component *component);
const char *vss_component_get_restore_name(const struct vss_component *component);

/** vss_component_is_selected_for_restore() - D-68 */
bool vss_component_is_selected_for_restore(const struct vss_component *component);

/** vss_component_get_additional_restores() - more restores follow: no recovery yet (D-71, I-186) */
bool vss_component_get_additional_restores(const struct vss_component *component);

/** vss_component_get_authoritative_restore() - this copy wins over its peers (D-78, R-47) */
bool vss_component_get_authoritative_restore(const struct vss_component *component);

/** vss_component_get_roll_forward() - enum vss_rollforward_type and the point to stop at (D-78) */
void vss_component_get_roll_forward(const struct vss_component *component, uint32_t *ret_type,
                                    const char **ret_point);

/** vss_component_get_file_restore_status() - enum vss_file_restore_status (D-77, R-100) */
uint32_t vss_component_get_file_restore_status(const struct vss_component *component);

/** vss_component_get_restore_target() - enum vss_restore_target, ORIGINAL by default (D-72, R-2) */
uint32_t vss_component_get_restore_target(const struct vss_component *component);

/** vss_component_get_prepare_for_backup_failure_msg(),
 * vss_component_get_post_snapshot_failure_msg(), vss_component_get_pre_restore_failure_msg(),
 * vss_component_get_post_restore_failure_msg() - why the writer failed there (D-61, D-62, D-76) */
const char *vss_component_get_prepare_for_backup_failure_msg(const struct vss_component *component);
const char *vss_component_get_post_snapshot_failure_msg(const struct vss_component *component);
const char *vss_component_get_pre_restore_failure_msg(const struct vss_component *component);
const char *vss_component_get_post_restore_failure_msg(const struct vss_component *component);

/** vss_component_get_failure() - D-63; returns S_OK with zeros when none was set */
int vss_component_get_failure(const struct vss_component *component, int32_t *ret_failure,
                              int32_t *ret_application, const char **ret_message);

/* Lists, by index; the order is that in which the entries were added (I-130). Any pointer may be
 * NULL. VSS_E_OBJECT_NOT_FOUND beyond the end. */

/** vss_component_get_partial_file_count(), vss_component_get_partial_file() - files of which only
 * ranges are backed up (D-64). @ret_metadata is "" when there is none (I-119) */
size_t vss_component_get_partial_file_count(const struct vss_component *component);
int vss_component_get_partial_file(const struct vss_component *component, size_t index,
                                   const char **ret_path, const char **ret_name,
                                   const char **ret_ranges, const char **ret_metadata);

/** vss_component_get_differenced_files_count(), vss_component_get_differenced_file() - files that
 * are backed up when modified since @ret_time (D-66); zero: since the base (I-103) */
size_t vss_component_get_differenced_files_count(const struct vss_component *component);
int vss_component_get_differenced_file(const struct vss_component *component, size_t index,
                                       const char **ret_path, const char **ret_filespec,
                                       bool *ret_recursive, vss_timestamp_t *ret_time);

/** vss_component_get_new_target_count(), vss_component_get_new_target() - the requester's own
 * places (D-74); NULL beyond the end */
size_t vss_component_get_new_target_count(const struct vss_component *component);
const struct vss_wm_filedesc *vss_component_get_new_target(const struct vss_component *component,
                                                           size_t index);

/** vss_component_get_alternate_location_mapping_count(),
 * vss_component_get_alternate_location_mapping() - mappings that a restore used (D-75) */
size_t vss_component_get_alternate_location_mapping_count(const struct vss_component *component);
const struct vss_wm_filedesc *
vss_component_get_alternate_location_mapping(const struct vss_component *component, size_t index);

/** struct vss_directed_target - D-73; strings lent */
struct vss_directed_target {
        const char *source_path, *source_filename, *source_ranges;
        const char *destination_path, *destination_filename, *destination_ranges;
};

/** vss_component_get_directed_target_count(), vss_component_get_directed_target() - D-73 */
size_t vss_component_get_directed_target_count(const struct vss_component *component);
int vss_component_get_directed_target(const struct vss_component *component, size_t index,
                                      struct vss_directed_target *ret);

/** vss_component_get_restore_subcomponent_count(), vss_component_get_restore_subcomponent() - what
 * is restored instead of the whole set (D-69, L-24) */
size_t vss_component_get_restore_subcomponent_count(const struct vss_component *component);
int vss_component_get_restore_subcomponent(const struct vss_component *component, size_t index,
                                           const char **ret_logical_path, const char **ret_name);

/* A writer's edits. In brackets the events in which they work; elsewhere VSS_E_BAD_STATE (D-82).
 * Also E_INVALIDARG for NULL and for texts that a document cannot hold, -ENOMEM. */

/** vss_component_set_backup_stamp() [prepare_backup, post_snapshot] - may be set again (IV-110) */
int vss_component_set_backup_stamp(struct vss_component *component, const char *stamp);

/** vss_component_set_backup_metadata() [prepare_backup, post_snapshot]
 *
 * Return: VSS_E_OBJECT_ALREADY_EXISTS the second time (D-59) */
int vss_component_set_backup_metadata(struct vss_component *component, const char *data);

/** vss_component_set_restore_metadata() [prepare_backup, post_snapshot, pre_restore] - replaces
 * what was there (D-60) */
int vss_component_set_restore_metadata(struct vss_component *component, const char *data);

/** vss_component_set_prepare_for_backup_failure_msg() [prepare_backup],
 * vss_component_set_post_snapshot_failure_msg() [post_snapshot],
 * vss_component_set_pre_restore_failure_msg() [pre_restore],
 * vss_component_set_post_restore_failure_msg() [post_restore] - words for the operator */
int vss_component_set_prepare_for_backup_failure_msg(struct vss_component *component,
                                                     const char *message);
int vss_component_set_post_snapshot_failure_msg(struct vss_component *component,
                                                const char *message);
int vss_component_set_pre_restore_failure_msg(struct vss_component *component, const char *message);
int vss_component_set_post_restore_failure_msg(struct vss_component *component,
                                               const char *message);

/** vss_component_set_failure() [all but identify, backup_complete] - this component failed and
 * others did not: set VSS_E_WRITERERROR_PARTIAL_FAILURE as the writer's failure too (B-85)
 * @message: NULL is allowed here */
int vss_component_set_failure(struct vss_component *component, int32_t failure, int32_t application,
                              const char *message);

/** vss_component_set_restore_target() [pre_restore] - enum vss_restore_target but UNDEFINED
 */
int vss_component_set_restore_target(struct vss_component *component, uint32_t target);

/** vss_component_add_partial_file() [prepare_backup, post_snapshot] - only ranges of a file (I-115)
 * @path, @name: absolute directory, one plain name
 * @ranges: "offset:length,...", or the absolute path of a ranges file (I-120)
 * @metadata: opaque, NULL is allowed
 *
 * Return: VSS_E_BAD_STATE also when the requester does not support it (IV-70) */
int vss_component_add_partial_file(struct vss_component *component, const char *path,
                                   const char *name, const char *ranges, const char *metadata,
                                   struct vss_error *reterr);

/** vss_component_add_differenced_files_by_last_modify_time() [prepare_backup, post_snapshot] - take
 * these files when modified since @time (I-95, I-102)
 *
 * Return: VSS_E_BAD_STATE also without LAST_MODIFY or the backup's type in the schema (I-96, I-97),
 * E_INVALIDARG when the triple neither equals a file set of the component's set nor is apart from
 * all file sets of the writer (I-100) */
int vss_component_add_differenced_files_by_last_modify_time(struct vss_component *component,
                                                            const char *path, const char *filespec,
                                                            bool recursive, vss_timestamp_t time,
                                                            struct vss_error *reterr);

/** vss_component_add_differenced_files_by_last_modify_lsn() - VSS_E_NOT_SUPPORTED (I-111) */
int vss_component_add_differenced_files_by_last_modify_lsn(struct vss_component *component,
                                                           const char *path, const char *filespec,
                                                           bool recursive, const char *lsn);

/** vss_component_add_directed_target() [pre_restore] - where ranges of a file shall go;
 * they count when the restore target is DIRECTED
 *
 * Return: E_INVALIDARG also for range lists that do not fit each other, or a source outside of the
 * component's file sets */
int vss_component_add_directed_target(struct vss_component *component,
                                      const struct vss_directed_target *target,
                                      struct vss_error *reterr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
