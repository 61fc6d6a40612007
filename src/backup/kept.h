/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept.h - reference snapshots that somebody must still release, written into the store.
 *
 * Before a provider is asked to keep one, and before a set that names some is removed, they are
 * written down as .references-<id of the set>, and with them the images that less will be built on
 * once the set exists. The note goes when the set is published and what nobody needs any more is
 * released, or when all of it is. Whoever is killed in between leaves the note to the next backup
 * into the store, or the next removal.
 */
#ifndef BACKUP_KEPT_H
#define BACKUP_KEPT_H

#include "backup/references.h"
#include "vss/requester.h"

/* kept_note() - on disk when it returns; what an earlier note of the set has stays in it. The store
 * is locked */
int kept_note(struct store *store, const struct vss_id *set, const struct references *references);
/* kept_note_of() - all that the set names, if they are this store's and machine's */
int kept_note_of(struct store *store, const struct set_info *set);
void kept_strike(struct store *store, const struct vss_id *set);

/* kept_published() - the set exists, and is in @sets: release what it took the place of, and
 * what is noted and not named by it; then the note goes. What cannot be released now is another
 * time */
void kept_published(struct store *store, struct vss_backup_components *bc,
                    const struct set_list *sets, const struct vss_id *set);

bool kept_is_noted(struct store *store);

/* kept_settle() - release what is noted of sets that do not exist, except @writing (may be NULL).
 * What a published set names stays; a note stays while its volume is not there or its provider
 * does not answer. 0, or negative with words when a note could not be settled; nothing is lost then
 */
int kept_settle(struct store *store, struct vss_backup_components *bc, const struct vss_id *writing,
                struct vss_error *reterr);

/* kept_release() - one reference; 0 also when it is gone already */
int kept_release(struct vss_backup_components *bc, const struct reference *reference,
                 struct vss_error *reterr);

#endif
