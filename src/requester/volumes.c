/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumes.c - what can be copied, and which volume holds a path. Asked of vssd, which has a child
 * for probing; allowed at any time.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

static int hand_out(sd_bus_message *reply, const char *member, vss_volume_sink_t sink,
                    void *userdata, struct vss_error *reterr) {
        struct wire_records records = { 0 };
        const struct wire_candidate *candidates;
        int r = wire_read_records(reply, &wire_candidate, &records);

        if (r < 0)
                return bc_malformed(member, r, reterr);
        candidates = records.items;
        for (size_t i = 0; r >= 0 && i < records.count; i++)
                r = sink(userdata, &candidates[i].volume, candidates[i].provider,
                         candidates[i].refusal);
        wire_clear_records(&wire_candidate, &records);
        return r < 0 ? r : 0;
}

int vss_backup_components_query_volumes(struct vss_backup_components *bc, vss_volume_sink_t sink,
                                        void *userdata, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListVolumes", &m,
                               reterr);

        if (r < 0)
                return r;
        r = bc_send(bc, m, 0, &reply, reterr);
        return r < 0 ? r : hand_out(reply, "ListVolumes", sink, userdata, reterr);
}

int vss_backup_components_resolve_path(struct vss_backup_components *bc, const char *path,
                                       bool below, vss_volume_sink_t sink, void *userdata,
                                       struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r;

        if (!path || *path != '/')
                return vss_fail(reterr, E_INVALIDARG, "'%s' is no absolute path", path ? path : "");
        r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ResolvePath", &m, reterr);
        if (r < 0)
                return r;
        r = wire_append_path(m, path);
        if (r >= 0)
                r = sd_bus_message_append(m, "b", (int)below);
        r = bc_send(bc, m, r, &reply, reterr);
        return r < 0 ? r : hand_out(reply, "ResolvePath", sink, userdata, reterr);
}
