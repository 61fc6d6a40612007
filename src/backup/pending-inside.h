/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-inside.h - what pending.c and pending-run.c share.
 */
#ifndef BACKUP_PENDING_INSIDE_H
#define BACKUP_PENDING_INSIDE_H

#include "backup/pending-journal.h"

/* pending_sweep() - sets that were never committed are gone, and what was staged for them and for
 * sets that went before. Locked alone, journal read. */
int pending_sweep(struct journal *journal, uint64_t *ret_removed, struct vss_error *reterr);

bool pending_is_protected(const struct restore_settings *settings, const char *destination);
/* was permission given, and not since the boot @boot? */
bool pending_is_permitted(const struct journal *journal, const char *boot);

#endif
