/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delta-inside.h - what the two halves of delta.h share: asking, and keeping for the next one.
 */
#ifndef BACKUP_DELTA_INSIDE_H
#define BACKUP_DELTA_INSIDE_H

#include "backup/delta.h"
#include "backup/known.h"
#include "backup/references.h"

/* struct base - an operation that components of this one build on */
struct base {
        struct set_place place;
        struct references references;
        const char *why_not; /* NULL: it has some */
};

struct delta {
        struct base *bases;
        size_t base_count, base_capacity;
        struct known *known; /* of volumes, since a reference each */
        size_t known_count, known_capacity;
        bool own; /* the own files may be asked about */
        struct vss_id set; /* the one that is written */
        struct references kept; /* by this job */
        bool noted; /* what is to be released, perhaps without keeping any */
        bool published;
};

static inline bool same_operation(const struct set_place *a, const struct set_place *b) {
        return vss_id_equal(&a->set->id, &b->set->id) && a->operation == b->operation;
}

/* delta_is_own_volume() - is something of the own paths read on it? */
bool delta_is_own_volume(const struct job *job, const struct used_volume *volume);
/* delta_forsake() - the references of a set that was not published go */
void delta_forsake(struct job *job);

#endif
