/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * purge.h - delete files from the shadow copies, in post_snapshot, while these can be written
 * (S-57, S-58). Files and links, never folders; never anything outside of the copies.
 */
#ifndef WRITERS_COMMON_PURGE_H
#define WRITERS_COMMON_PURGE_H

#include "common/file-set.h"
#include "vss/writer.h"

/* What stands for the root of each volume at the beginning of a file set's path. No path of a
 * component can begin so, and other readers of the metadata find nothing there. */
#define PURGE_EVERY_VOLUME "/$AllVolumes$"

/*
 * purge_copies() - the files of @sets, in every copy that has some of them
 *
 * As well as it can be done: what cannot be deleted stays and is told as a partial failure of the
 * writer, in one sentence. Nothing is done in a context that forbids it (S-53).
 */
void purge_copies(struct vss_writer *writer, const struct file_set *sets, size_t count);

#endif
