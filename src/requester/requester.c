/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * requester.c - the object's life: creation, initialization, its global settings, release.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

/* writers get 60 s for BackupShutdown; deleting a mirror takes longer than that */
#define RELEASE_TIMEOUT_US (UINT64_C(600) * 1000000)

int vss_backup_components_create(const struct vss_connection *connection,
                                 struct vss_backup_components **ret, struct vss_error *reterr) {
        struct vss_backup_components *bc = calloc(1, sizeof(*bc));
        int r;

        if (!bc)
                return vss_fail(reterr, -ENOMEM, "no memory for a backup");
        bc->state = STATE_CREATED;
        bc->service = PROCESS_NONE;
        r = bc_connect(bc, connection, reterr);
        if (r < 0) {
                vss_backup_components_free(bc);
                return r;
        }
        *ret = bc;
        return 0;
}

/* Answered when writers had BackupShutdown and the auto-release copies are gone (B-21). The end of
 * the connection would do the same without telling when. */
static void release(struct vss_backup_components *bc) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (!bc->session || bc->lost || bc_new_call(bc, "Release", &m, NULL) < 0)
                return;
        if (wire_append_options(m) >= 0)
                (void)sd_bus_call(bc->bus, m, RELEASE_TIMEOUT_US, NULL, NULL);
}

struct vss_backup_components *vss_backup_components_free(struct vss_backup_components *bc) {
        if (!bc)
                return NULL;
        release(bc);
        bc_forget_running(bc);
        bc_disconnect(bc);
        bc_free_writers(bc);
        bc_free_warnings(bc);
        wire_clear_records(&wire_status, &bc->status);
        free(bc->enabled.ids);
        free(bc->disabled.ids);
        free(bc->disabled_instances.ids);
        bcd_free(bc->bcd);
        free(bc);
        return NULL;
}

void vss_backup_components_set_progress(struct vss_backup_components *bc, vss_progress_t progress,
                                        void *userdata) {
        bc->progress = progress;
        bc->progress_data = userdata;
}

int bc_check(struct vss_backup_components *bc, unsigned states, const char *call,
             struct vss_error *reterr) {
        struct vss_async *running = bc->running;

        if (bc->lost)
                return bc_lost(bc, reterr);
        if (running && vss_async_query_status(running, NULL) == VSS_S_ASYNC_PENDING)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "%s while a long call runs: wait for it first", call);
        if (bc->state & states)
                return 0;
        if (bc->state == STATE_CREATED)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "%s before InitializeForBackup or InitializeForRestore", call);
        if (bc->state == STATE_BACKUP)
                return vss_fail(reterr, VSS_E_BAD_STATE, "%s does not belong to a backup", call);
        if (!(states & STATE_ANY_RESTORE))
                return vss_fail(reterr, VSS_E_BAD_STATE, "%s does not belong to a restore", call);
        return vss_fail(reterr, VSS_E_BAD_STATE,
                        "%s is too early or too late in this restore (restore-protocol 2.1)", call);
}

/* ---- beginning ---- */

/* The session of creation is that of a backup; the service wants to know which from the start. */
static int become_restore(struct vss_backup_components *bc, struct vss_error *reterr) {
        int r = bc_call(bc, "Release", NULL, reterr, "");

        return r < 0 ? r : bc_create_session(bc, true, reterr);
}

static int initialize(struct vss_backup_components *bc, const char *xml, enum bc_state state,
                      const char *call, struct vss_error *reterr) {
        struct bcd *bcd;
        int r;

        if (bc->state != STATE_CREATED)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "%s: this object is initialized already; make another one", call);
        if (bc->lost)
                return bc_lost(bc, reterr);
        r = xml ? bcd_load(xml, strlen(xml), NULL, &bcd, reterr) : bcd_new(&bcd);
        if (r < 0)
                return xml ? vss_wrap(reterr, r, "the stored document")
                           : vss_fail(reterr, r, "no memory for a document");
        if (state == STATE_RESTORE) {
                r = become_restore(bc, reterr);
                if (r < 0) {
                        bcd_free(bcd);
                        return r;
                }
        }
        bc->bcd = bcd;
        bc->state = state;
        return 0;
}

int vss_backup_components_initialize_for_backup(struct vss_backup_components *bc, const char *xml,
                                                struct vss_error *reterr) {
        return initialize(bc, xml, STATE_BACKUP, "InitializeForBackup", reterr);
}

int vss_backup_components_initialize_for_restore(struct vss_backup_components *bc, const char *xml,
                                                 struct vss_error *reterr) {
        if (!xml)
                return vss_fail(reterr, E_INVALIDARG,
                                "InitializeForRestore needs the document stored with the backup");
        return initialize(bc, xml, STATE_RESTORE, "InitializeForRestore", reterr);
}

int vss_backup_components_set_context(struct vss_backup_components *bc, uint32_t context,
                                      struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "SetContext", reterr);

        if (r < 0)
                return r;
        if (bc->context_set || bc->set_started || bc->gathered_once) /* S-4 */
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "SetContext: once, right after InitializeForBackup");
        r = bc_call(bc, "SetContext", NULL, reterr, "u", context);
        if (r < 0)
                return r;
        bc->context = context;
        bc->context_set = true;
        return 0;
}

int vss_backup_components_set_backup_state(struct vss_backup_components *bc, bool select_components,
                                           bool bootable_system_state, uint32_t backup_type,
                                           bool partial_file_support, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_BACKUP, "SetBackupState", reterr);

        if (r < 0)
                return r;
        if (bc->prepare_called)
                return vss_fail(reterr, VSS_E_BAD_STATE, "SetBackupState after PrepareForBackup");
        r = bcd_set_backup_state(bc->bcd, select_components, bootable_system_state, backup_type,
                                 partial_file_support, reterr);
        if (r < 0)
                return r;
        r = bc_call(bc, "SetBackupState", NULL, reterr, "bbub", (int)select_components,
                    (int)bootable_system_state, backup_type, (int)partial_file_support);
        if (r >= 0)
                bc->state_set = true;
        return r;
}

int vss_backup_components_set_restore_state(struct vss_backup_components *bc, uint32_t restore_type,
                                            struct vss_error *reterr) {
        int r = bc_check(bc, STATE_RESTORE | STATE_RESTORE_GATHERED, "SetRestoreState", reterr);

        if (r < 0)
                return r;
        r = bcd_set_restore_state(bc->bcd, restore_type, reterr);
        if (r < 0)
                return r;
        r = bc_call(bc, "SetRestoreState", NULL, reterr, "u", restore_type);
        if (r >= 0)
                bc->restore_state_set = true;
        return r;
}

static int nibble(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* the object path ends in the id, 32 digits without dashes */
struct vss_id vss_backup_components_get_session_id(const struct vss_backup_components *bc) {
        struct vss_id id = { 0 }, none = { 0 };
        const char *hex = bc->session;

        if (strncmp(hex, VSS_SESSION_PREFIX, strlen(VSS_SESSION_PREFIX)) != 0)
                return none;
        hex += strlen(VSS_SESSION_PREFIX);
        if (strlen(hex) != 2 * sizeof(id.bytes))
                return none;
        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return none;
                id.bytes[i] = (uint8_t)(high << 4 | low);
        }
        return id;
}

int vss_backup_components_save_as_xml(struct vss_backup_components *bc, char **ret,
                                      size_t *ret_size, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, "SaveAsXML", reterr);

        return r < 0 ? r : bcd_save(bc->bcd, ret, ret_size, reterr);
}
