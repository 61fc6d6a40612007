/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reboot.h - that this machine has to be started anew, and why. One boot serves all.
 *
 * A note in the runtime folder, one reason per line, that the next boot clears. It is told, never
 * acted upon.
 */
#ifndef BACKUP_REBOOT_H
#define BACKUP_REBOOT_H

#include <stddef.h>

#include "backup/restore-settings.h"
#include "vss/error.h"

/* reboot_require() - add a reason, a sentence; one that is there already is not added again. For
 * a writer with reboot_required, after any restore of it, whatever its method */
int reboot_require(const struct restore_settings *settings, const char *why,
                   struct vss_error *reterr);

/* reboot_reasons() - all of them since the last boot, sets that wait in the journal included; the
 * caller frees each and the array. *ret_count 0: no reboot is needed */
int reboot_reasons(const struct restore_settings *settings, char ***ret, size_t *ret_count,
                   struct vss_error *reterr);

/* reboot_happened() - at boot: what was required before it is not any more. 0 or negative errno */
int reboot_happened(const struct restore_settings *settings);

#endif
