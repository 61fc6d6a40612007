/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leftovers.h - thaw what a dead vss-hold left frozen. For `vssctl thaw` and each start of vssd.
 */
#ifndef HOLD_LEFTOVERS_H
#define HOLD_LEFTOVERS_H

#include "vss/error.h"

/*
 * hold_thaw_leftovers() - act on the records in @runtime_dir whose owners are dead (S-47)
 *
 * Only file systems that vss-hold had frozen, or was freezing, are thawed; a freeze of somebody
 * else is left alone. A file system that is mounted nowhere any more keeps its record.
 *
 * Return: 0, and *ret_thawed (may be NULL) says how many file systems were thawed by this call;
 * VSS_E_SNAPSHOT_SET_IN_PROGRESS when a living vss-hold holds (it thaws by itself);
 * VSS_E_OBJECT_NOT_FOUND when something stays frozen because it must be mounted first, the words
 * name it; negative errno. *ret_thawed is set in each case. No such folder is success.
 */
int hold_thaw_leftovers(const char *runtime_dir, unsigned *ret_thawed, struct vss_error *reterr);

#endif
