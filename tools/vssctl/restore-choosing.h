/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-choosing.h - inside of restore-choice.c and restore-companions.c: the choice in the
 * making.
 */
#ifndef TOOLS_VSSCTL_RESTORE_CHOOSING_H
#define TOOLS_VSSCTL_RESTORE_CHOOSING_H

#include "restore.h"

struct choosing {
        const struct source_set *from;
        bool *path_found; /* per path asked for */
        bool any_path; /* in what the name at hand means */
};

/* choosing_stored() - the writers of an operation, read when first asked for; NULL: they cannot be
 */
const struct stored_writers *choosing_stored(const struct source_set *from, uint32_t operation);

/* choosing_add() - all of this component, if there is anything of it and it is not there yet: 1
 * when it was added, 0 or -ENOMEM */
int choosing_add(struct choosing *c, const struct set_place *place, bool named);

/* choosing_above() - the closest component that is in the backup by itself and brings @index */
bool choosing_above(const struct source_set *from, const struct chosen_writer *writer,
                    uint32_t operation, size_t index, struct set_place *ret);

/* choosing_companions() - what the chosen ones cannot do without, with notes; exit code */
int choosing_companions(struct choosing *c);

/* choosing_list_parts() - once nothing moves any more; exit code */
int choosing_list_parts(struct restore_choice *choice);

#endif
