/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-delta.h - what changed between a reference snapshot and a copy, written to whoever asked
 * while the provider does other things. docs/protocol.md has the lines.
 */
#ifndef PROVIDERS_BTRFS_DELTA_H
#define PROVIDERS_BTRFS_DELTA_H

#include "vss/provider.h"

struct delta; /* one comparison that runs */

/* delta_start() - both descriptors are taken, also on failure; @stream is lent, must be a pipe.
 * The comparison is put into the list @deltas, from which those that are over are removed */
int delta_start(struct delta **deltas, const struct vss_id *snapshot, int take_reference,
                int take_copy, int stream, struct vss_error *reterr);

/* delta_stop() - end those that read the copy @snapshot, NULL all: the kernel deletes no subvolume
 * that is being compared. Waits for them */
void delta_stop(struct delta **deltas, const struct vss_id *snapshot);

#endif
