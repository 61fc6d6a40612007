/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots.c - the shadow copy set, and copies that exist.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

int vss_backup_components_start_snapshot_set(struct vss_backup_components *bc,
                                             struct vss_id *ret_set_id, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct vss_id id;
        int r = bc_check(bc, STATE_BACKUP, "StartSnapshotSet", reterr);

        if (r < 0)
                return r;
        if (bc->context == VSS_CTX_ALL) /* S-5 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "StartSnapshotSet: VSS_CTX_ALL is for looking and deleting");
        r = bc_call(bc, "StartSnapshotSet", &reply, reterr, "");
        if (r < 0)
                return r;
        r = wire_read_id(reply, &id);
        if (r < 0)
                return bc_malformed("StartSnapshotSet", r, reterr);
        bc->set_started = true;
        r = bcd_set_snapshot_set_id(bc->bcd, &id); /* D-50 */
        if (r < 0)
                return vss_fail(reterr, r, "cannot note the set in the document");
        if (ret_set_id)
                *ret_set_id = id;
        return 0;
}

static int append_volume_and_provider(sd_bus_message *m, const char *volume,
                                      const struct vss_id *provider_id) {
        int r = wire_append_path(m, volume);

        return r < 0 ? r : wire_append_id(m, provider_id);
}

int vss_backup_components_is_volume_supported(struct vss_backup_components *bc,
                                              const struct vss_id *provider_id, const char *volume,
                                              bool *ret, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        struct wire_answer answer = { 0 };
        int supported, r = bc_check(bc, STATE_BACKUP, "IsVolumeSupported", reterr);

        if (r < 0)
                return r;
        if (!volume || !*volume)
                return vss_fail(reterr, E_INVALIDARG, "IsVolumeSupported without a volume");
        r = bc_new_call(bc, "IsVolumeSupported", &m, reterr);
        if (r < 0)
                return r;
        r = bc_send(bc, m, append_volume_and_provider(m, volume, provider_id), &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'b', &supported);
        if (r >= 0)
                r = wire_read(reply, &wire_answer, &answer);
        if (r < 0)
                return bc_malformed("IsVolumeSupported", r, reterr);
        *ret = supported;
        if (!supported)
                vss_fail(reterr, 0, "%s",
                         answer.refusal ? answer.refusal : "no provider copies this volume");
        wire_clear(&wire_answer, &answer);
        return 0;
}

int vss_backup_components_add_to_snapshot_set(struct vss_backup_components *bc, const char *volume,
                                              const struct vss_id *provider_id,
                                              const char *const *paths, struct vss_id *ret_id,
                                              struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        struct vss_id id;
        int r = bc_check(bc, STATE_BACKUP, "AddToSnapshotSet", reterr);

        if (r < 0)
                return r;
        if (!volume || !*volume)
                return vss_fail(reterr, E_INVALIDARG, "AddToSnapshotSet without a volume");
        if (!bc->set_started)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "AddToSnapshotSet '%s' before StartSnapshotSet", volume);
        r = bc_new_call(bc, "AddToSnapshotSet", &m, reterr);
        if (r < 0)
                return r;
        r = append_volume_and_provider(m, volume, provider_id);
        if (r >= 0)
                r = wire_append_paths(m, paths);
        r = bc_send(bc, m, r, &reply, reterr);
        if (r < 0)
                return r;
        r = wire_read_id(reply, &id);
        if (r < 0)
                return bc_malformed("AddToSnapshotSet", r, reterr);
        if (ret_id)
                *ret_id = id;
        return 0;
}

int vss_backup_components_get_snapshot_properties(struct vss_backup_components *bc,
                                                  const struct vss_id *snapshot_id,
                                                  struct vss_snapshot_prop *ret,
                                                  struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        struct vss_snapshot_prop prop = { 0 };
        int r = bc_check(bc, STATE_BACKUP, "GetSnapshotProperties", reterr);

        if (r < 0)
                return r;
        r = bc_new_call(bc, "GetSnapshotProperties", &m, reterr);
        if (r < 0)
                return r;
        r = bc_send(bc, m, wire_append_id(m, snapshot_id), &reply, reterr);
        if (r < 0)
                return r;
        r = wire_read(reply, &wire_snapshot, &prop);
        if (r < 0)
                return bc_malformed("GetSnapshotProperties", r, reterr);
        *ret = prop;
        return 0;
}

int vss_backup_components_delete_snapshots(struct vss_backup_components *bc,
                                           const struct vss_id *id, uint32_t type, bool force,
                                           uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                           struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        const char *name, *words;
        struct vss_id nondeleted;
        uint32_t deleted;
        int r = bc_check(bc, STATE_BACKUP, "DeleteSnapshots", reterr);

        if (r < 0)
                return r;
        r = bc_new_call(bc, "DeleteSnapshots", &m, reterr);
        if (r < 0)
                return r;
        r = wire_append_id(m, id);
        if (r >= 0)
                r = sd_bus_message_append(m, "ub", type, (int)force);
        r = bc_send(bc, m, r, &reply, reterr);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'u', &deleted);
        if (r >= 0)
                r = wire_read_id(reply, &nondeleted);
        if (r >= 0)
                r = sd_bus_message_read(reply, "ss", &name, &words);
        if (r < 0)
                return bc_malformed("DeleteSnapshots", r, reterr);
        if (ret_deleted)
                *ret_deleted = deleted;
        if (ret_nondeleted)
                *ret_nondeleted = nondeleted;
        r = wire_error_code(name); /* what is gone stays gone (S-71) */
        return r < 0 ? vss_fail(reterr, r, "%s", *words ? words : vss_error_text(r)) : 0;
}

int vss_backup_components_get_set_timing(struct vss_backup_components *bc, uint64_t *ret_freeze_us,
                                         uint64_t *ret_hold_us, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        uint64_t freeze, hold;
        int r = bc_check(bc, STATE_BACKUP, "GetSetTiming", reterr);

        if (r < 0)
                return r;
        r = bc_call(bc, "GetSetTiming", &reply, reterr, "");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "tt", &freeze, &hold);
        if (r < 0)
                return bc_malformed("GetSetTiming", r, reterr);
        if (ret_freeze_us)
                *ret_freeze_us = freeze;
        if (ret_hold_us)
                *ret_hold_us = hold;
        return 0;
}
