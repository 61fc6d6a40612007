/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-sets.h - all file sets of a writer, where its mappings and new targets send them, and
 * which of them a path belongs to. Of restore-plan.h.
 */
#ifndef BACKUP_RESTORE_SETS_H
#define BACKUP_RESTORE_SETS_H

#include "backup/restore-plan.h"

/* struct planned_set - a file set; strings are lent by the document
 * @mapped:      where its alternate location mapping sends it, or NULL
 * @bad_mapping: words why its mapping does not count, or NULL
 * @new_target:  where the requester sends it, or NULL
 * @belongs:     to the component set that is planned
 * @selected:    it is to be restored
 * @seen:        something of it is on the medium
 * @split:       a file of it goes where a directed target says */
struct planned_set {
        struct restore_file_set shown;
        size_t size; /* of the path, without separators at the end */
        size_t component, order; /* in the document */
        const char *mapped, *bad_mapping, *new_target;
        bool belongs, selected, seen, split;
};

struct planned_sets {
        struct planned_set *items; /* by directory, pattern, recursion, order */
        size_t count, capacity;
};

/* planned_sets_load() - of the document, with its mappings; 0 or -ENOMEM */
int planned_sets_load(const struct vss_examine_writer_metadata *metadata, struct planned_sets *ret);
void planned_sets_done(struct planned_sets *sets);

/* planned_sets_find() - those that equal the triple: the first, and how many follow each other */
struct planned_set *planned_sets_find(const struct planned_sets *sets,
                                      const struct vss_file_set *triple, size_t *ret_count);

/* planned_sets_match() - calls @found for every set that @path, a thing of @type, belongs to, in no
 * order. Directories belong to recursive ones (M-42) */
typedef void (*planned_match_fn)(void *userdata, struct planned_set *set);
void planned_sets_match(const struct planned_sets *sets, const char *path, enum entry_type type,
                        planned_match_fn found, void *userdata);

#endif
