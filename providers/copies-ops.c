/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copies-ops.h"

#include "kit.h"

void *copies_new(struct vss_provider *p, size_t size, const struct copies_kind *kind) {
        struct copies *copies = calloc(1, size);

        if (copies && copies_init(copies, kind) < 0) {
                free(copies);
                copies = NULL;
        }
        vss_provider_set_data(p, copies);
        return copies;
}

struct copies *copies_of(const struct vss_provider *p) {
        return vss_provider_data(p);
}

int copies_configure(struct copies *copies, const char *key, const char *value,
                     struct vss_error *reterr) {
        int r = copies_setting(copies, key, value, reterr);

        if (r != 0)
                return r < 0 ? r : 0;
        return vss_fail(reterr, E_INVALIDARG, "provider '%s' has no setting '%s'",
                        copies->kind->name, key);
}

void copies_promise(const struct copies *copies, struct vss_promise *ret) {
        ret->hold = VSS_HOLD_OWN;
        ret->instant = copies->kind->instant;
        ret->attributes = VSS_VOLSNAP_ATTR_PERSISTENT | VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE |
                          VSS_VOLSNAP_ATTR_NO_AUTORECOVERY | VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE |
                          copies->kind->technique;
}

int copies_op_is_volume_snapshotted(struct vss_provider *p, const struct vss_volume *volume,
                                    uint32_t *ret_compatibility, struct vss_error *reterr) {
        return copies_is_snapshotted(copies_of(p), volume, ret_compatibility, reterr);
}

int copies_op_pre_final_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                         struct vss_error *reterr) {
        int r = copies_is_current(copies_of(p), set, reterr);

        if (r >= 0)
                copies_status(copies_of(p), VSS_SS_PREFINALCOMMITTED, 0);
        return r;
}

void copies_op_abort_snapshots(struct vss_provider *p, const struct vss_id *set) {
        copies_abort(copies_of(p), set);
}

int copies_op_get_snapshot_properties(struct vss_provider *p, const struct vss_id *id,
                                      struct vss_snapshot_prop *ret, struct vss_error *reterr) {
        return copies_get(copies_of(p), id, ret, reterr);
}

int copies_op_query(struct vss_provider *p, vss_snapshot_sink_t sink, void *userdata,
                    struct vss_error *reterr) {
        return copies_query(copies_of(p), sink, userdata, reterr);
}

int copies_op_delete_snapshots(struct vss_provider *p, const struct vss_id *id, uint32_t type,
                               bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                               struct vss_error *reterr) {
        struct copies *copies = copies_of(p);
        int r = copies_delete(copies, id, type, force, ret_deleted, ret_nondeleted, reterr);

        copies_sweep(copies);
        return r;
}

int copies_op_set_snapshot_property(struct vss_provider *p, const struct vss_id *id,
                                    uint32_t property, const char *value,
                                    struct vss_error *reterr) {
        return copies_set_property(copies_of(p), id, property, value, reterr);
}
