/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stage.h - a folder of this writer's own where a restored database waits: to be put through SQLite
 * into one that is in use, or to be named anew. The requester puts it there by the alternate
 * location mapping; nobody but root can reach it.
 */
#ifndef WRITERS_SQLITE_STAGE_H
#define WRITERS_SQLITE_STAGE_H

#include "sqlite/database.h"

/* stage_folder() - of one component, "RESTORE_DIR/KEY"; the caller frees it; NULL: no memory */
char *stage_folder(const struct config *config, const char *logical_path, const char *component);

/* stage_make() - it exists and is empty. stage_clear() - it is gone, as far as it can be.
 * Return: 0 or negative errno */
int stage_make(const char *folder);
void stage_clear(const char *folder);

/*
 * stage_claim() - this process restores, and no other one of the same state_dir: one whose vssd was
 * killed works on to the end of its event, and would clear what the next restore has put there.
 * It is waited for, restore_wait at most. The claim stays until stage_release() or our end; where
 * no folder can be locked there is none.
 *
 * Return: 0, VSS_E_WRITERERROR_RETRYABLE with words
 */
int stage_claim(const struct config *config, struct vss_error *reterr);
void stage_release(void);

/*
 * stage_publish() - a closed database gets its final name @to, which must be free, also in another
 * file system; then it lies there whole or not at all
 *
 * Return: 0, -EEXIST and other negative errno with words
 */
int stage_publish(const char *from, const char *to, struct vss_error *reterr);

#endif
