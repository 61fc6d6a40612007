/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - for every file set and tree of a backup: copied how, read from where, by which rule.
 *
 * The same plan is printed by --plan and carried out by the backup. It is made from the gathered
 * metadata before the shadow copies exist, and completed from what the writers wrote into their
 * components afterwards (I-143).
 */
#ifndef BACKUP_PLAN_H
#define BACKUP_PLAN_H

#include "backup/select.h"

enum decision {
        DECIDE_WHOLE, /* every file */
        DECIDE_COMPARE, /* files that differ from the base by the requester's own history */
        DECIDE_SINCE, /* files modified at or after a time the writer gave */
        DECIDE_RANGES, /* byte ranges of one file */
        DECIDE_SKIP, /* nothing, and the catalogue says so */
        DECIDE_MAX
};

#define PLAN_OWN SIZE_MAX /* the requester's own paths: no writer */

struct plan_item {
        size_t writer; /* index into the selection, or PLAN_OWN */
        size_t component; /* index into the writer's components; unused for own paths */
        char *path; /* directory, or for own paths a file or tree */
        char *filespec; /* NULL: the whole of @path, own paths only */
        bool recursive;
        char *alternate; /* read there instead of @path, or NULL */
        enum decision decision;
        vss_timestamp_t since; /* DECIDE_SINCE */
        char **ranges; /* DECIDE_RANGES: as the writer wrote them, each a list or a file (I-130) */
        size_t ranges_count, ranges_capacity;
        bool from_snapshot; /* else from the original volume, where no copy is */
        bool live; /* from the original in any case: a ranges file (I-128) */
        bool differenced; /* an entry decides about it, not the mask (I-105) */
        bool failed; /* when it was carried out, or its component before that */
        bool left_out; /* when it was carried out: excluded, though the writer named it (I-135) */
        bool must_exist; /* a plain name that is missing fails the component (M-43) */
        const char *rule; /* number of the rule behind the decision, or behind its failure */
        size_t next_in_set; /* of the same explicit component, or PLAN_END */
};

#define PLAN_END SIZE_MAX

/* The items of one explicit component and its set, in the order of the plan. */
struct plan_set {
        size_t first, last;
};

struct plan {
        const struct selection *selection; /* lent */
        uint32_t type; /* requested, enum vss_backup_type */
        struct plan_item *items;
        size_t count, capacity;
        struct plan_set **sets; /* per writer and component; what has entries can be many */
        size_t sets_count; /* writers */
        size_t single_count; /* items that take one file away from the file sets around it */
};

/* plan_make() - the items by selectability, schema and masks, and the own paths */
int plan_make(const struct selection *selection, const char *const *paths, uint32_t type,
              struct plan *ret);

/*
 * plan_add_entries() - what a writer said in its components: differenced files first, then
 * partial files (I-134..I-142) and the ranges files that these name (I-128). @writer is an index
 * into the selection.
 *
 * Contradictions (I-138) become notes of @notes; the entry with precedence stands.
 */
int plan_add_entries(struct plan *plan, size_t writer, struct vss_writer_components *components,
                     struct selection *notes, struct vss_error *reterr);
void plan_done(struct plan *plan);

/* plan_item_word() - what is, or was, done with it: "whole", "ranges", "skipped", "failed", ... */
const char *plan_item_word(const struct plan_item *item);

/* plan_reads() - the directory or file that the item is read from, before shadow copies */
const char *plan_reads(const struct plan_item *item);

/* plan_takes_alone() - does the item take one file away from the file sets around it? (I-127) */
bool plan_takes_alone(const struct plan_item *item);

/* plan_needs_snapshot() - must the item's volume be in the set? Counts items that entries may
 * turn up later for (I-93, I-94) */
bool plan_needs_snapshot(const struct plan *plan, const struct plan_item *item);

#endif
