/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delta.h - change knowledge of a job: what providers say has changed since the base, and the
 * reference snapshots that the next backup will ask about. For the requester's own files, and for
 * what writers leave to the requester's judgement (I-103).
 *
 * It is used only where it is certain to say the same as a comparison with the base's manifest:
 * the base has a reference of the volume, the same was taken and left out as now, and the provider
 * told all to the end. Anything else means comparing, and is said. Each component has a base of its
 * own, and so what is asked about for it.
 */
#ifndef BACKUP_DELTA_H
#define BACKUP_DELTA_H

#include "backup/engine.h"
#include "backup/job.h"

/* delta_foretell() - for the plan: notes what will be asked, and what will be compared */
void delta_foretell(struct job *job);

/* delta_settle() - release what interrupted runs and removals left to release; @writing is the set
 * that is being written. Before new references push out the oldest ones */
void delta_settle(struct job *job, const struct vss_id *writing);

/* delta_ask() - after the copies exist, before anything is read. 0 whatever is known; -ENOMEM */
int delta_ask(struct job *job);

/* delta_of_source() - the names at and below @path, of the volume mounted at @volume, that may
 * differ from the base of the item's component; false: compare */
bool delta_of_source(const struct job *job, const struct plan_item *item, const char *volume,
                     const char *path, const struct changed_path **ret, size_t *ret_count);

/* delta_keep() - when all was read: have the copies' state remembered, and put what names it into
 * the operation of @set. Killed after it, the next backup releases them (kept.h) */
int delta_keep(struct job *job, const struct vss_id *set, struct vss_error *reterr);

/* delta_published() - the set exists, and is in @sets: what nothing will be built on any more needs
 * no reference. NULL: nobody knows what will */
void delta_published(struct job *job, const struct set_list *sets);

/* delta_close() - before the session ends; references of a set that was not published go */
void delta_close(struct job *job);

#endif
