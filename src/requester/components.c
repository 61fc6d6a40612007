/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components.c - the components of a backup, before and after copying. What belongs to a restore
 * stands in restore.c.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

static bool is_writerless(const struct vss_backup_components *bc) {
        return bc->context & VSS_VOLSNAP_ATTR_NO_WRITERS && bc->context != VSS_CTX_ALL;
}

static int check_key(const char *call, const struct vss_component_key *key,
                     struct vss_error *reterr) {
        if (!key || !key->name)
                return vss_fail(reterr, E_INVALIDARG, "%s without the name of a component", call);
        return 0;
}

/* ---- before PrepareForBackup (B-8, B-11) ---- */

static int check_before_prepare(struct vss_backup_components *bc, const char *call,
                                struct vss_error *reterr) {
        if (bc->prepare_called)
                return vss_fail(reterr, VSS_E_BAD_STATE, "%s after PrepareForBackup", call);
        return 0;
}

int vss_backup_components_add_component(struct vss_backup_components *bc,
                                        const struct vss_id *instance_id,
                                        const struct vss_component_key *key,
                                        struct vss_error *reterr) {
        struct gathered *writer;
        int r = bc_check(bc, STATE_BACKUP, "AddComponent", reterr);

        if (r >= 0)
                r = check_before_prepare(bc, "AddComponent", reterr);
        if (r >= 0)
                r = check_key("AddComponent", key, reterr);
        if (r < 0)
                return r;
        if (!bc->metadata_ready) /* L-27 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "AddComponent before GatherWriterMetadata has finished");
        if (is_writerless(bc))
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "AddComponent in a context without writers (BV-7)");
        writer = instance_id ? bc_find_writer(bc, instance_id) : NULL;
        if (!writer || !vss_id_equal(&writer->identity.writer_id, &key->writer_id))
                return vss_fail(reterr, E_INVALIDARG, /* L-28 */
                                "AddComponent '%s': no such instance of this writer class was "
                                "gathered",
                                key->name);
        return bcd_add_component(bc->bcd, instance_id, key, writer->metadata, reterr);
}

int vss_backup_components_set_backup_options(struct vss_backup_components *bc,
                                             const struct vss_component_key *key,
                                             const char *options, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "SetBackupOptions", reterr);

        if (r >= 0)
                r = check_before_prepare(bc, "SetBackupOptions", reterr);
        if (r >= 0)
                r = check_key("SetBackupOptions", key, reterr);
        return r < 0 ? r : bcd_set_backup_options(bc->bcd, key, options, reterr);
}

/* In a restore it tells the writer which link of the chain this is (OQ-R6). */
int vss_backup_components_set_previous_backup_stamp(struct vss_backup_components *bc,
                                                    const struct vss_component_key *key,
                                                    const char *stamp, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP | STATE_RESTORE | STATE_RESTORE_GATHERED,
                         "SetPreviousBackupStamp", reterr);

        if (r >= 0)
                r = check_before_prepare(bc, "SetPreviousBackupStamp", reterr);
        if (r >= 0)
                r = check_key("SetPreviousBackupStamp", key, reterr);
        return r < 0 ? r : bcd_set_previous_backup_stamp(bc->bcd, key, stamp, reterr);
}

/* ---- after copying (B-17) ---- */

static int check_succeeded(struct vss_backup_components *bc, struct vss_error *reterr) {
        if (!bc->prepare_called)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "SetBackupSucceeded before PrepareForBackup");
        if (bc->snapshot_failed) /* BV-27 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "SetBackupSucceeded after a failed DoSnapshotSet");
        if (bc->complete_called)
                return vss_fail(reterr, VSS_E_BAD_STATE, "SetBackupSucceeded after BackupComplete");
        return 0;
}

int vss_backup_components_set_backup_succeeded(struct vss_backup_components *bc,
                                               const struct vss_id *instance_id,
                                               const struct vss_component_key *key, bool succeeded,
                                               struct vss_error *reterr) {
        const struct gathered *writer;
        int r = bc_check(bc, STATE_BACKUP, "SetBackupSucceeded", reterr);

        if (r >= 0)
                r = check_succeeded(bc, reterr);
        if (r >= 0)
                r = check_key("SetBackupSucceeded", key, reterr);
        if (r < 0)
                return r;
        writer = instance_id ? bc_find_writer(bc, instance_id) : NULL;
        if (succeeded && writer && writer->spoiled)
                return vss_fail(reterr, VSS_E_UNEXPECTED_WRITER_ERROR, "'%s' stays failed: %s",
                                key->name, writer->spoiled);
        return bcd_set_backup_succeeded(bc->bcd, instance_id, key, succeeded, reterr);
}

/* ---- what writers made of them ---- */

int vss_backup_components_get_writer_components_count(struct vss_backup_components *bc, size_t *ret,
                                                      struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, "GetWriterComponentsCount", reterr);

        if (r >= 0)
                *ret = bcd_get_writer_count(bc->bcd);
        return r;
}

int vss_backup_components_get_writer_components(struct vss_backup_components *bc, size_t index,
                                                struct vss_writer_components **ret,
                                                struct vss_error *reterr) {
        struct vss_writer_components *components;
        int r = bc_check(bc, STATE_INITIALIZED, "GetWriterComponents", reterr);

        if (r < 0)
                return r;
        components = bcd_get_writer(bc->bcd, index);
        if (!components)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "GetWriterComponents: there is no writer %zu, only %zu", index,
                                bcd_get_writer_count(bc->bcd));
        *ret = components;
        return 0;
}

/* ---- the events of a backup ---- */

/* L-33: who takes part must have everything that it always wants in */
static int check_required(struct vss_backup_components *bc, struct vss_error *reterr) {
        struct bcd_state state;

        bcd_get_state(bc->bcd, &state);
        for (size_t i = 0; state.select_components && i < bc->writer_count; i++) {
                struct gathered *writer = &bc->writers[i];
                int r = bcd_check_required(bc->bcd, &writer->identity.instance_id, writer->metadata,
                                           reterr);

                if (r < 0)
                        return vss_wrap(reterr, r, "writer '%s'", writer->identity.name);
        }
        return 0;
}

static int check_prepare(struct vss_backup_components *bc, struct vss_error *reterr) {
        if (is_writerless(bc)) /* BV-7 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "PrepareForBackup in a context without writers");
        if (!bc->state_set) /* BV-1 */
                return vss_fail(reterr, VSS_E_BAD_STATE, "PrepareForBackup before SetBackupState");
        if (!bc->metadata_ready)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "PrepareForBackup before GatherWriterMetadata has finished");
        if (!bc->set_started)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "PrepareForBackup before StartSnapshotSet");
        if (bc->prepare_called)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "PrepareForBackup a second time: begin with a new object");
        return check_required(bc, reterr);
}

/* add_cleaners() - who only keeps files out of the copies is asked to in each backup */
static int add_cleaners(struct vss_backup_components *bc) {
        struct bcd_state state;
        int r = 0;

        bcd_get_state(bc->bcd, &state);
        for (size_t i = 0; r >= 0 && state.select_components && i < bc->writer_count; i++)
                r = bcd_add_cleaner(bc->bcd, bc->writers[i].metadata);
        return r;
}

int vss_backup_components_prepare_for_backup(struct vss_backup_components *bc,
                                             struct vss_async **ret, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "PrepareForBackup", reterr);

        if (r >= 0)
                r = check_prepare(bc, reterr);
        if (r >= 0 && add_cleaners(bc) < 0)
                r = vss_fail(reterr, -ENOMEM, "no memory for the components");
        if (r >= 0)
                r = bc_start_with_fragments(bc, OPERATION_PREPARE, "PrepareForBackup", ret, reterr);
        if (r >= 0)
                bc->prepare_called = true;
        return r;
}

int vss_backup_components_do_snapshot_set(struct vss_backup_components *bc, struct vss_async **ret,
                                          struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "DoSnapshotSet", reterr);

        if (r < 0)
                return r;
        if (!bc->set_started)
                return vss_fail(reterr, VSS_E_BAD_STATE, "DoSnapshotSet before StartSnapshotSet");
        if (!is_writerless(bc) && !bc->prepare_called) /* B-25, BV-6 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "DoSnapshotSet before GatherWriterMetadata and PrepareForBackup");
        r = bc_start(bc, OPERATION_SNAPSHOT, "DoSnapshotSet", ret, reterr);
        if (r >= 0)
                bc->snapshot_called = true;
        return r;
}

int vss_backup_components_backup_complete(struct vss_backup_components *bc, struct vss_async **ret,
                                          struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "BackupComplete", reterr);

        if (r < 0)
                return r;
        if (is_writerless(bc)) /* BV-7 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "BackupComplete in a context without writers");
        if (!bc->prepare_called)
                return vss_fail(reterr, VSS_E_BAD_STATE, "BackupComplete before PrepareForBackup");
        if (bc->snapshot_failed) /* B-18 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "BackupComplete after a failed DoSnapshotSet: call AbortBackup");
        if (bc->complete_called)
                return vss_fail(reterr, VSS_E_BAD_STATE, "BackupComplete a second time");
        r = bc_start_with_fragments(bc, OPERATION_COMPLETE, "BackupComplete", ret, reterr);
        if (r >= 0)
                bc->complete_called = true;
        return r;
}

/* Also while a long call runs: that is when giving up is wanted most (B-135). */
int vss_backup_components_abort_backup(struct vss_backup_components *bc, struct vss_error *reterr) {
        if (bc->state & STATE_ANY_RESTORE) /* */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "AbortBackup does not belong to a restore: set the statuses and "
                                "call PostRestore");
        if (bc->state == STATE_CREATED) /* BV-23 */
                return 0;
        return bc_call(bc, "AbortBackup", NULL, reterr, "");
}
