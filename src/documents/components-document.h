/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-document.h - the Backup Components Document (struct bcd), whole at the requester and
 * one writer's part of it at the writer.
 *
 * What depends on the phase of a backup (L-27, table 2.1 of the restore protocol) is the
 * requester's to check; what depends on the documents is checked here. A call that fails changes
 * nothing. Unless said otherwise calls return 0, -ENOMEM, E_INVALIDARG for text that a document
 * cannot hold, and VSS_E_OBJECT_NOT_FOUND for a component that is not in the document (D-81).
 */
#ifndef DOCUMENTS_COMPONENTS_DOCUMENT_H
#define DOCUMENTS_COMPONENTS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "vss/documents.h"

struct bcd;
struct document_limits;

int bcd_new(struct bcd **ret);
struct bcd *bcd_free(struct bcd *bcd); /* accepts NULL, returns NULL */

/* bcd_load() - VSS_E_INVALID_XML_DOCUMENT with line and words; @limits NULL for the default */
int bcd_load(const char *xml, size_t size, const struct document_limits *limits, struct bcd **ret,
             struct vss_error *reterr);

/* bcd_save() - @ret is NUL-terminated, the caller frees it */
int bcd_save(const struct bcd *bcd, char **ret, size_t *ret_size, struct vss_error *reterr);

/* ---- global items, D-45..D-50 ---- */

struct bcd_state {
        bool select_components;
        bool bootable_system_state;
        bool partial_file_support;
        uint32_t backup_type; /* enum vss_backup_type; UNDEFINED until set */
        uint32_t restore_type; /* enum vss_restore_type */
        struct vss_id snapshot_set_id; /* null until set */
};
void bcd_get_state(const struct bcd *bcd, struct bcd_state *ret);

/* E_INVALIDARG for VSS_BT_UNDEFINED and unknown types (I-46, IV-103) */
int bcd_set_backup_state(struct bcd *bcd, bool select_components, bool bootable_system_state,
                         uint32_t backup_type, bool partial_file_support, struct vss_error *reterr);
int bcd_set_restore_state(struct bcd *bcd, uint32_t restore_type, struct vss_error *reterr);
int bcd_set_snapshot_set_id(struct bcd *bcd, const struct vss_id *id);

/* ---- writers and their components ---- */

/* writers that have a component in the document, in document order (D-52, D-54) */
size_t bcd_get_writer_count(const struct bcd *bcd);

/* bcd_get_writer() - lent until the document goes, NULL beyond the end; read-only for good */
struct vss_writer_components *bcd_get_writer(struct bcd *bcd, size_t index);

/*
 * bcd_add_component() - the checks of L-28..L-32
 * @instance: of the writer; @key: of the component
 * @metadata: that writer's document, as gathered
 *
 * Return: 0, E_INVALIDARG (unknown component; a bound one, L-30), VSS_E_OBJECT_ALREADY_EXISTS
 * (L-29, L-31, L-32), -ENOMEM
 */
int bcd_add_component(struct bcd *bcd, const struct vss_id *instance,
                      const struct vss_component_key *key,
                      const struct vss_examine_writer_metadata *metadata, struct vss_error *reterr);

/*
 * bcd_add_cleaner() - a writer that declares no component, but files to be kept out of shadow
 * copies (OQ-D8), takes part in every backup: there is nothing of it to choose (S-58)
 *
 * Return: 1 it is such a writer and in the document now, 0 it is not, -ENOMEM
 */
int bcd_add_cleaner(struct bcd *bcd, const struct vss_examine_writer_metadata *metadata);

/* bcd_check_required() - L-33 for one writer: VSS_E_BAD_STATE whose words list what is missing;
 * 0 also for a writer that does not take part */
int bcd_check_required(const struct bcd *bcd, const struct vss_id *instance,
                       const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr);

/* bcd_is_included() - is component @index of @metadata backed up, explicitly or implicitly?
 * bcd_is_restored() - would it be restored as things are selected now? (L-19..L-22) */
bool bcd_is_included(const struct bcd *bcd, const struct vss_examine_writer_metadata *metadata,
                     size_t index);
bool bcd_is_restored(const struct bcd *bcd, const struct vss_examine_writer_metadata *metadata,
                     size_t index);

/* bcd_get_entry_of() - the entry that this component is backed up by, its own or that of the one
 * above it; lent, NULL when it is not in the backup */
struct vss_component *bcd_get_entry_of(const struct bcd *bcd,
                                       const struct vss_examine_writer_metadata *metadata,
                                       size_t index);

/* ---- what a requester sets, D-56..D-78 ---- */

int bcd_set_backup_options(struct bcd *bcd, const struct vss_component_key *key,
                           const char *options, struct vss_error *reterr);
int bcd_set_previous_backup_stamp(struct bcd *bcd, const struct vss_component_key *key,
                                  const char *stamp, struct vss_error *reterr);
int bcd_set_backup_succeeded(struct bcd *bcd, const struct vss_id *instance,
                             const struct vss_component_key *key, bool succeeded,
                             struct vss_error *reterr);

/* bcd_set_selected_for_restore() - @instance NULL or null: whichever lives; else the writer must
 * have RESTORE_WITH_MOVE in its schema, VSS_E_NOT_SUPPORTED */
int bcd_set_selected_for_restore(struct bcd *bcd, const struct vss_component_key *key,
                                 bool selected, const struct vss_id *instance,
                                 struct vss_error *reterr);

/* bcd_get_selected_instance() - what bcd_set_selected_for_restore() was told, null otherwise */
struct vss_id bcd_get_selected_instance(const struct bcd *bcd, const struct vss_component_key *key);

/*
 * bcd_add_restore_subcomponent() - R-23, R-24, SV-20..SV-25
 * @metadata: the writer's document as stored with the backup, or NULL: then the flag
 *            selectable-for-restore goes unchecked
 *
 * Return: 0, E_INVALIDARG (a name is missing), VSS_E_BAD_STATE (the ancestor is not selected),
 * VSS_E_OBJECT_NOT_FOUND (no such component in its set, or not selectable for restore),
 * VSS_E_OBJECT_ALREADY_EXISTS, -ENOMEM
 */
int bcd_add_restore_subcomponent(struct bcd *bcd, const struct vss_component_key *ancestor,
                                 const char *logical_path, const char *name,
                                 const struct vss_examine_writer_metadata *metadata,
                                 struct vss_error *reterr);

/* bcd_set_restore_options() - the grammar of R-43 is checked */
int bcd_set_restore_options(struct bcd *bcd, const struct vss_component_key *key,
                            const char *options, struct vss_error *reterr);

/* bcd_each_contradiction() - where the options of @component and the typed calls differ:
 * @call, and of @option the @value that does not count */
typedef void (*bcd_contradiction_t)(void *userdata, const struct vss_component *component,
                                    const char *call, const char *option, const char *value);
int bcd_each_contradiction(const struct vss_component *component, bcd_contradiction_t tell,
                           void *userdata);

/* bcd_get_component() - its entry, lent; NULL when it is not in the document */
struct vss_component *bcd_get_component(const struct bcd *bcd, const struct vss_component_key *key);
struct vss_writer_components *component_get_owner(const struct vss_component *component);

/* the schema and the instance's name as they were at backup */
uint32_t writer_components_get_schema(const struct vss_writer_components *components);
const char *writer_components_get_instance_name(const struct vss_writer_components *components);
int bcd_set_additional_restores(struct bcd *bcd, const struct vss_component_key *key,
                                bool additional, struct vss_error *reterr);
int bcd_set_file_restore_status(struct bcd *bcd, const struct vss_component_key *key,
                                uint32_t status, struct vss_error *reterr);

/* bcd_set_deferred() - R-156 */
int bcd_set_deferred(struct bcd *bcd, const struct vss_component_key *key,
                     struct vss_error *reterr);

/* bcd_set_ranges_file_path() - D-65, R-122: VSS_E_OBJECT_NOT_FOUND beyond the last entry */
int bcd_set_ranges_file_path(struct bcd *bcd, const struct vss_component_key *key, size_t index,
                             const char *path, struct vss_error *reterr);

/* bcd_add_new_target() - R-94: VSS_E_NOT_SUPPORTED when the writer's schema lacks NEW_TARGET;
 * with @metadata the triple must be a file set of the component's set, VSS_E_OBJECT_NOT_FOUND */
int bcd_add_new_target(struct bcd *bcd, const struct vss_component_key *key,
                       const struct vss_file_set *from, const char *destination,
                       const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr);
int bcd_add_alternative_location_mapping(struct bcd *bcd, const struct vss_component_key *key,
                                         const struct vss_file_set *from, const char *destination,
                                         const struct vss_examine_writer_metadata *metadata,
                                         struct vss_error *reterr);
int bcd_set_authoritative_restore(struct bcd *bcd, const struct vss_component_key *key,
                                  bool authoritative, struct vss_error *reterr);
int bcd_set_roll_forward(struct bcd *bcd, const struct vss_component_key *key, uint32_t type,
                         const char *point, struct vss_error *reterr);
int bcd_set_restore_name(struct bcd *bcd, const struct vss_component_key *key, const char *name,
                         struct vss_error *reterr);

/* ---- the way to a writer and back ---- */

/* enum component_event - what a writer is doing; decides which of its setters work */
enum component_event {
        COMPONENT_EVENT_NONE = 0, /* read-only */
        COMPONENT_EVENT_PREPARE_BACKUP,
        COMPONENT_EVENT_POST_SNAPSHOT,
        COMPONENT_EVENT_BACKUP_COMPLETE, /* read-only */
        COMPONENT_EVENT_PRE_RESTORE,
        COMPONENT_EVENT_POST_RESTORE /* only the failure calls work */
};

/*
 * bcd_fragment() - the text that the writer @instance gets: the global state and its own part,
 * nothing of others (D-53)
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND when it has no component here, -ENOMEM
 */
int bcd_fragment(const struct bcd *bcd, const struct vss_id *instance, char **ret, size_t *ret_size,
                 struct vss_error *reterr);

enum bcd_merge {
        BCD_MERGE_ALL,
        BCD_MERGE_FAILURES /* the writer rejected the event with PARTIAL_FAILURE: only what
                              SetFailure set is kept (B-84) */
};

/*
 * bcd_merge() - take over what a writer made of its fragment
 * @event:    in which it had it: only what the writer may set there may differ (D-82)
 * @metadata: of the writer or NULL; with it the rules about file sets are checked again
 *
 * Return: 0, VSS_E_INVALID_XML_DOCUMENT, VSS_E_UNEXPECTED_WRITER_ERROR with words when the
 * writer changed what is not its own; then nothing is taken over. -ENOMEM
 */
int bcd_merge(struct bcd *bcd, const struct vss_id *instance, enum component_event event,
              enum bcd_merge what, const char *xml, size_t size,
              const struct vss_examine_writer_metadata *metadata, struct vss_error *reterr);

/*
 * writer_components_load() - a writer's side of it: the fragment as an object of its own
 * @metadata: this writer's own document or NULL; lent until the object goes (I-100)
 */
int writer_components_load(const char *xml, size_t size, const struct document_limits *limits,
                           const struct vss_examine_writer_metadata *metadata,
                           struct vss_writer_components **ret, struct vss_error *reterr);

/* writer_components_free() - only for what writer_components_load() made; accepts NULL */
struct vss_writer_components *writer_components_free(struct vss_writer_components *components);

/* writer_components_set_event() - open the gate for one handler, close it with EVENT_NONE */
void writer_components_set_event(struct vss_writer_components *components,
                                 enum component_event event);
void writer_components_get_state(const struct vss_writer_components *components,
                                 struct bcd_state *ret);

/* writer_components_is_changed() - has a setter succeeded since it was loaded? */
bool writer_components_is_changed(const struct vss_writer_components *components);
int writer_components_save(const struct vss_writer_components *components, char **ret,
                           size_t *ret_size, struct vss_error *reterr);

#endif
