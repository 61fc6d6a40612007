/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known.h - what a provider told about one volume: the names that may differ between a copy and
 * the state that a reference snapshot holds. Either all of them, or nothing.
 */
#ifndef BACKUP_KNOWN_H
#define BACKUP_KNOWN_H

#include "backup/engine.h"
#include "backup/volumes.h"

struct known {
        size_t volume; /* index of the job's volumes */
        struct vss_id reference;
        bool asked; /* and answered */
        char *why; /* if not, the reason; or NULL */
        struct changed_path *paths; /* sorted, each once; owned */
        size_t count, capacity, bytes, room;
};

/* known_ask() - @known is zeroed but for volume, reference and room, the bytes of memory that it
 * may take; names that were added before are as good as told. 0 whatever the answer; -ENOMEM */
int known_ask(struct known *known, struct vss_backup_components *bc,
              const struct used_volume *volume);
/* known_add() - a name whose file must be looked at, too. Before known_ask() */
int known_add(struct known *known, const char *path);
void known_done(struct known *known);

/* known_below() - the names at and below @path; false: something above is another thing than it
 * was, so that only a walk says what is there */
bool known_below(const struct known *known, const char *path, const struct changed_path **ret,
                 size_t *ret_count);

#endif
