/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * status.c - how the writers are: GatherWriterStatus and what it found (B-87 to B-115).
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

int bc_take_status(struct vss_backup_components *bc, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct wire_records status = { 0 };
        int r = bc_call(bc, "GetWriterStatus", &reply, reterr, "");

        if (r < 0)
                return r;
        r = wire_read_records(reply, &wire_status, &status);
        if (r < 0)
                return bc_malformed("GetWriterStatus", r, reterr);
        wire_clear_records(&wire_status, &bc->status);
        bc->status = status;
        bc->status_ready = true;
        return 0;
}

/* The service has the answer at hand: the operation is over when it begins. */
int vss_backup_components_gather_writer_status(struct vss_backup_components *bc,
                                               struct vss_async **ret, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, "GatherWriterStatus", reterr);

        return r < 0 ? r : bc_begin(bc, OPERATION_STATUS, NULL, ret, reterr);
}

static int check_status(struct vss_backup_components *bc, const char *call,
                        struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, call, reterr);

        if (r < 0)
                return r;
        return bc->status_ready ? 0
                                : vss_fail(reterr, VSS_E_BAD_STATE,
                                           "%s before GatherWriterStatus has finished", call);
}

int vss_backup_components_get_writer_status_count(struct vss_backup_components *bc, size_t *ret,
                                                  struct vss_error *reterr) {
        int r = check_status(bc, "GetWriterStatusCount", reterr);

        if (r >= 0)
                *ret = bc->status.count;
        return r;
}

int vss_backup_components_get_writer_status(struct vss_backup_components *bc, size_t index,
                                            struct vss_writer_status *ret,
                                            struct vss_error *reterr) {
        const struct wire_status *found;
        const struct gathered *writer;
        int r = check_status(bc, "GetWriterStatus", reterr);

        if (r < 0)
                return r;
        if (index >= bc->status.count)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "GetWriterStatus: there is no writer %zu, only %zu", index,
                                bc->status.count);
        found = (const struct wire_status *)bc->status.items + index;
        *ret = (struct vss_writer_status){ .instance_id = found->instance_id,
                                           .writer_id = found->writer_id,
                                           .name = found->name,
                                           .state = found->state,
                                           .failure = found->failure,
                                           .application_failure = found->application_failure,
                                           .message = found->message,
                                           .process_id = found->process };
        writer = bc_find_writer(bc, &found->instance_id);
        if (writer && writer->spoiled && found->failure == 0) {
                ret->state = writer->spoiled_state;
                ret->failure = VSS_E_WRITERERROR_NONRETRYABLE;
                ret->message = writer->spoiled;
        }
        return 0;
}

int vss_backup_components_free_writer_status(struct vss_backup_components *bc,
                                             struct vss_error *reterr) {
        int r = check_status(bc, "FreeWriterStatus", reterr);

        if (r < 0)
                return r;
        wire_clear_records(&wire_status, &bc->status);
        bc->status_ready = false;
        return 0;
}
