/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copies-ops.h - operations of a provider for whose copies the book of copies.h is the answer.
 *
 * The plug-in's data begin with their struct copies (copies_new()); the functions go into its
 * struct vss_provider_ops as they are, or are called by its own.
 */
#ifndef PROVIDERS_COPIES_OPS_H
#define PROVIDERS_COPIES_OPS_H

#include "copies.h"

/* copies_new() - data of @size bytes for the plug-in, zero behind their struct copies; NULL when
 * out of memory */
void *copies_new(struct vss_provider *p, size_t size, const struct copies_kind *kind);
struct copies *copies_of(const struct vss_provider *p);

/* copies_configure() - what is common, and no for the rest */
int copies_configure(struct copies *copies, const char *key, const char *value,
                     struct vss_error *reterr);
void copies_promise(const struct copies *copies, struct vss_promise *ret);

int copies_op_is_volume_snapshotted(struct vss_provider *p, const struct vss_volume *volume,
                                    uint32_t *ret_compatibility, struct vss_error *reterr);
int copies_op_pre_final_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                         struct vss_error *reterr);
void copies_op_abort_snapshots(struct vss_provider *p, const struct vss_id *set);
int copies_op_get_snapshot_properties(struct vss_provider *p, const struct vss_id *id,
                                      struct vss_snapshot_prop *ret, struct vss_error *reterr);
int copies_op_query(struct vss_provider *p, vss_snapshot_sink_t sink, void *userdata,
                    struct vss_error *reterr);
/* and what the dead have left goes too */
int copies_op_delete_snapshots(struct vss_provider *p, const struct vss_id *id, uint32_t type,
                               bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                               struct vss_error *reterr);
int copies_op_set_snapshot_property(struct vss_provider *p, const struct vss_id *id,
                                    uint32_t property, const char *value, struct vss_error *reterr);

#endif
