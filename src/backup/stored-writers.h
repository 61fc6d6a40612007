/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stored-writers.h - what the writers declared when a backup was made: their documents as they lie
 * in it, for those who restore. Knows nothing of writers that run now.
 */
#ifndef BACKUP_STORED_WRITERS_H
#define BACKUP_STORED_WRITERS_H

#include "backup/engine.h"
#include "backup/select.h"

struct stored_writers {
        struct selection all; /* one writer for each document; nothing is chosen */
        struct vss_examine_writer_metadata **documents;
        size_t count, capacity;
};

/* stored_writers_load() - those of one operation. A document that cannot be read leaves its writer
 * out, with words among @ret's notes: the others can be restored */
int stored_writers_load(struct store *store, const struct set_info *set, uint32_t operation,
                        struct stored_writers *ret, struct vss_error *reterr);
void stored_writers_done(struct stored_writers *writers);

/* stored_writers_find() - the writer of this component, and *ret_index of it there; NULL when it is
 * not known */
const struct chosen_writer *stored_writers_find(const struct stored_writers *writers,
                                                const struct component_key *key, size_t *ret_index);

/* stored_component_comes_with() - does component @index belong to the set of @explicit? */
bool stored_component_comes_with(const struct chosen_writer *writer, size_t index, size_t explicit);

#endif
