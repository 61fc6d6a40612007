/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-reference.h - reference snapshots: what a later copy is compared with to know what changed.
 *
 * A reference is no shadow copy: nobody lists, exposes or deletes it as one. It lies in the folder
 * `.vss` as btrfs-reference-ID, with `copy` and a record; a folder without a record was never
 * finished. Each volume has at most so many as the setting says, the oldest go first.
 */
#ifndef PROVIDERS_BTRFS_REFERENCE_H
#define PROVIDERS_BTRFS_REFERENCE_H

#include "copies.h"

/* reference_keep() - remember the state of the finished copy @snapshot, at most @limit of its
 * volume. 0; E_NOTIMPL when @limit is 0, VSS_E_INSUFFICIENT_STORAGE, others of P-40 */
int reference_keep(struct copies *copies, const struct vss_id *snapshot, unsigned limit,
                   struct vss_id *ret_id, struct vss_error *reterr);

/* reference_release() - it is not needed any more; absent is success */
int reference_release(struct copies *copies, const struct vss_id *id, struct vss_error *reterr);

/* reference_open() - both sides of a comparison, after all checks that it tells the truth: the
 * reference is as it was kept, and @snapshot is a later copy of the same subvolume.
 * VSS_E_OBJECT_NOT_FOUND: one of them is not there; VSS_E_BAD_STATE: they cannot be compared */
int reference_open(struct copies *copies, const struct vss_id *id, const struct vss_id *snapshot,
                   int *ret_reference_fd, int *ret_copy_fd, struct vss_error *reterr);

/* reference_sweep() - remove what a dead process left half-made */
void reference_sweep(const struct copies *copies);

#endif
