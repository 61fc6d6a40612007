/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * taken.h - what decides which names an image takes, as a digest. A name that did not change is
 * taken as it was before only while the digest is the same; whoever skips it must know that.
 */
#ifndef BACKUP_TAKEN_H
#define BACKUP_TAKEN_H

#include "backup/internal.h"
#include "backup/job.h"

#define TAKEN_SIZE (2 * DIGEST_SIZE + 1)

/* taken_own() - of the requester's own files; 0 or -ENOMEM */
int taken_own(const struct job *job, char ret[TAKEN_SIZE]);

/* taken_is_exact() - when the item is carried out, are all names of its pattern in the image as
 * they are in the copies? So that the next image may rest on it (I-103). Not said of a plain name,
 * which costs nothing to look at, and of files that are read at another place */
bool taken_is_exact(const struct job *job, const struct plan_item *item);

/* taken_item() - of an exact item; 0 or -ENOMEM */
int taken_item(const struct job *job, const struct plan_item *item, char ret[TAKEN_SIZE]);

/* taken_reads() - does the item look at names of @volume? */
bool taken_reads(const struct job *job, const struct plan_item *item,
                 const struct used_volume *volume);

#endif
