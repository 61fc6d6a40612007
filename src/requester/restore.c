/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - the calls of a restore, each with its row of restore-protocol 2.1.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

enum {
        BEFORE_SELECTION = STATE_RESTORE | STATE_RESTORE_GATHERED,
        SELECTION = STATE_RESTORE_GATHERED,
        /* late, but some requesters know only while copying (OQ-R1, OQ-R2) */
        ALSO_WHILE_COPYING = BEFORE_SELECTION | STATE_RESTORE_COPYING,
        COPYING = STATE_RESTORE_COPYING
};

static int check(struct vss_backup_components *bc, unsigned states, const char *call,
                 const struct vss_component_key *key, struct vss_error *reterr) {
        int r = bc_check(bc, states, call, reterr);

        if (r < 0)
                return r;
        if (!key || !key->name)
                return vss_fail(reterr, E_INVALIDARG, "%s without the name of a component", call);
        return 0;
}

/* The living writer's document, if it knows the component; one that lost its data may not. */
static const struct vss_examine_writer_metadata *
living_metadata(struct vss_backup_components *bc, const struct vss_component_key *key) {
        const struct gathered *writer = bc_find_by_key(bc, key);

        return writer && bc_declares(writer, key->logical_path, key->name) ? writer->metadata
                                                                           : NULL;
}

/* ---- selection ---- */

int vss_backup_components_set_selected_for_restore(struct vss_backup_components *bc,
                                                   const struct vss_component_key *key,
                                                   bool selected, const struct vss_id *instance,
                                                   struct vss_error *reterr) {
        const struct gathered *living;
        int r = check(bc, SELECTION, "SetSelectedForRestore", key, reterr);

        if (r < 0)
                return r;
        if (instance && !vss_id_is_null(instance)) { /* */
                living = bc_find_writer(bc, instance);
                if (living && !vss_id_equal(&living->identity.writer_id, &key->writer_id))
                        living = NULL;
        } else {
                living = bc_find_by_key(bc, key);
        }
        if (!living) /* */
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "'%s' cannot be selected: its writer does not run, start it",
                                key->name);
        return bcd_set_selected_for_restore(bc->bcd, key, selected, instance, reterr);
}

int vss_backup_components_add_restore_subcomponent(struct vss_backup_components *bc,
                                                   const struct vss_component_key *key,
                                                   const char *sub_logical_path,
                                                   const char *sub_name, struct vss_error *reterr) {
        int r = check(bc, SELECTION, "AddRestoreSubcomponent", key, reterr);

        return r < 0 ? r
                     : bcd_add_restore_subcomponent(bc->bcd, key, sub_logical_path, sub_name,
                                                    living_metadata(bc, key), reterr);
}

/* ---- settings ---- */

/* one string per component; the last one counts */
int vss_backup_components_set_restore_options(struct vss_backup_components *bc,
                                              const struct vss_component_key *key,
                                              const char *options, struct vss_error *reterr) {
        int r = check(bc, BEFORE_SELECTION, "SetRestoreOptions", key, reterr);
        const struct vss_component *c;
        bool again;

        if (r < 0)
                return r;
        c = bcd_get_component(bc->bcd, key);
        again = c && vss_component_get_restore_options(c);
        r = bcd_set_restore_options(bc->bcd, key, options, reterr);
        if (r >= 0 && again)
                bc_warn(bc, reterr,
                        "component '%s' had restore options already: these replace them (R-42)",
                        key->name);
        return r;
}

/* OQ-R1, OQ-R2: late, but some requesters know only while copying */
static void warn_late(struct vss_backup_components *bc, const struct vss_component_key *key,
                      const char *call, struct vss_error *reterr) {
        if (bc->state == STATE_RESTORE_COPYING)
                bc_warn(bc, reterr,
                        "component '%s': %s after PreRestore: its writer could not heed it there",
                        key->name, call);
}

/* accepted; the writer decides */
static void warn_schema(struct vss_backup_components *bc, const struct vss_component_key *key,
                        uint32_t bit, const char *call, const char *name,
                        struct vss_error *reterr) {
        struct vss_component *c = bcd_get_component(bc->bcd, key);

        if (c && !(writer_components_get_schema(component_get_owner(c)) & bit))
                bc_warn(bc, reterr,
                        "component '%s': %s, but its writer does not say that it knows %s; it may "
                        "ignore this",
                        key->name, call, name);
}

int vss_backup_components_set_additional_restores(struct vss_backup_components *bc,
                                                  const struct vss_component_key *key,
                                                  bool additional, struct vss_error *reterr) {
        int r = check(bc, ALSO_WHILE_COPYING, "SetAdditionalRestores", key, reterr);

        if (r >= 0)
                r = bcd_set_additional_restores(bc->bcd, key, additional, reterr);
        if (r >= 0)
                warn_late(bc, key, "SetAdditionalRestores", reterr);
        return r;
}

int vss_backup_components_set_authoritative_restore(struct vss_backup_components *bc,
                                                    const struct vss_component_key *key,
                                                    bool authoritative, struct vss_error *reterr) {
        int r = check(bc, BEFORE_SELECTION, "SetAuthoritativeRestore", key, reterr);

        if (r >= 0)
                r = bcd_set_authoritative_restore(bc->bcd, key, authoritative, reterr);
        if (r >= 0)
                warn_schema(bc, key, VSS_BS_AUTHORITATIVE_RESTORE, "SetAuthoritativeRestore",
                            "AUTHORITATIVE_RESTORE", reterr);
        return r;
}

int vss_backup_components_set_roll_forward(struct vss_backup_components *bc,
                                           const struct vss_component_key *key, uint32_t type,
                                           const char *point, struct vss_error *reterr) {
        int r = check(bc, BEFORE_SELECTION, "SetRollForward", key, reterr);

        if (r >= 0)
                r = bcd_set_roll_forward(bc->bcd, key, type, point, reterr);
        if (r >= 0)
                warn_schema(bc, key, VSS_BS_ROLLFORWARD_RESTORE, "SetRollForward",
                            "ROLLFORWARD_RESTORE", reterr);
        return r;
}

int vss_backup_components_set_restore_name(struct vss_backup_components *bc,
                                           const struct vss_component_key *key, const char *name,
                                           struct vss_error *reterr) {
        int r = check(bc, BEFORE_SELECTION, "SetRestoreName", key, reterr);

        if (r >= 0)
                r = bcd_set_restore_name(bc->bcd, key, name, reterr);
        if (r >= 0)
                warn_schema(bc, key, VSS_BS_RESTORE_RENAME, "SetRestoreName", "RESTORE_RENAME",
                            reterr);
        return r;
}

static int check_mapping(const char *call, const struct vss_file_set *from, const char *destination,
                         struct vss_error *reterr) {
        if (!from || !from->path || !from->filespec || !destination)
                return vss_fail(reterr, E_INVALIDARG,
                                "%s needs the path and names of a file set and a destination",
                                call);
        return 0;
}

int vss_backup_components_add_new_target(struct vss_backup_components *bc,
                                         const struct vss_component_key *key,
                                         const struct vss_file_set *from, const char *destination,
                                         struct vss_error *reterr) {
        int r = check(bc, ALSO_WHILE_COPYING, "AddNewTarget", key, reterr);

        if (r >= 0)
                r = check_mapping("AddNewTarget", from, destination, reterr);
        if (r >= 0)
                r = bcd_add_new_target(bc->bcd, key, from, destination, living_metadata(bc, key),
                                       reterr);
        if (r >= 0)
                warn_late(bc, key, "AddNewTarget", reterr);
        return r;
}

/* ---- while copying ---- */

int vss_backup_components_add_alternative_location_mapping(struct vss_backup_components *bc,
                                                           const struct vss_component_key *key,
                                                           const struct vss_file_set *from,
                                                           const char *destination,
                                                           struct vss_error *reterr) {
        int r = check(bc, COPYING, "AddAlternativeLocationMapping", key, reterr);

        if (r >= 0)
                r = check_mapping("AddAlternativeLocationMapping", from, destination, reterr);
        return r < 0 ? r
                     : bcd_add_alternative_location_mapping(bc->bcd, key, from, destination,
                                                            living_metadata(bc, key), reterr);
}

int vss_backup_components_set_file_restore_status(struct vss_backup_components *bc,
                                                  const struct vss_component_key *key,
                                                  uint32_t status, struct vss_error *reterr) {
        int r = check(bc, COPYING, "SetFileRestoreStatus", key, reterr);

        return r < 0 ? r : bcd_set_file_restore_status(bc->bcd, key, status, reterr);
}

int vss_backup_components_set_deferred(struct vss_backup_components *bc,
                                       const struct vss_component_key *key,
                                       struct vss_error *reterr) {
        int r = check(bc, COPYING, "SetDeferred", key, reterr);

        return r < 0 ? r : bcd_set_deferred(bc->bcd, key, reterr);
}

int vss_backup_components_set_ranges_file_path(struct vss_backup_components *bc,
                                               const struct vss_component_key *key, size_t index,
                                               const char *path, struct vss_error *reterr) {
        int r = check(bc, COPYING, "SetRangesFilePath", key, reterr);

        return r < 0 ? r : bcd_set_ranges_file_path(bc->bcd, key, index, path, reterr);
}

/* ---- the events ---- */

/* a service that has ended has forgotten who was told what */
static int start_event(struct vss_backup_components *bc, unsigned states, enum operation_kind kind,
                       const char *call, struct vss_async **ret, struct vss_error *reterr) {
        int r = bc_check(bc, states, call, reterr);

        if (r >= 0)
                r = bc_start_with_fragments(bc, kind, call, ret, reterr);
        return r < 0 && bc->lost ? vss_wrap(reterr, bc_lost_code(kind), "%s", call) : r;
}

int vss_backup_components_pre_restore(struct vss_backup_components *bc, struct vss_async **ret,
                                      struct vss_error *reterr) {
        return start_event(bc, SELECTION, OPERATION_PRE_RESTORE, "PreRestore", ret, reterr);
}

int vss_backup_components_post_restore(struct vss_backup_components *bc, struct vss_async **ret,
                                       struct vss_error *reterr) {
        return start_event(bc, COPYING, OPERATION_POST_RESTORE, "PostRestore", ret, reterr);
}
