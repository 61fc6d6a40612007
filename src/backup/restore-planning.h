/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-planning.h - a plan as the files that make it see it: restore-plan.c decides about the
 * set, restore-plan-files.c about each file. Not for others.
 */
#ifndef BACKUP_RESTORE_PLANNING_H
#define BACKUP_RESTORE_PLANNING_H

#include "backup/restore-sets.h"

/* struct path_list - sorted, none twice; owned */
struct path_list {
        char **items;
        size_t count, capacity;
};

/* struct path_buffer - a destination, until the next one is made */
struct path_buffer {
        char *text;
        size_t capacity;
};

struct restore_plan {
        struct restore_plan_input input;
        struct vss_restore_method method;
        uint32_t target; /* enum vss_restore_target */
        bool new_target_supported;
        struct planned_sets sets;
        struct path_list directed; /* sources, when they count */
        struct path_list partial; /* files of which the writer named ranges */
        struct path_list ranges_files;
        struct restore_verdict verdict;
        const char *file_rule; /* of section 8, for what follows the verdict's course */
        char *words, *warning; /* owned, for the verdict */
        bool decided, failed;

        /* while the destinations are looked at */
        enum restore_course looking; /* as if it were this */
        bool strictly; /* nothing may be there */
        bool (*was_put)(void *userdata, const char *path);
        void *was_put_userdata;
        uint64_t unmapped; /* things without a place in COURSE_MAPPED */
        bool unmapped_is_directory; /* the one below is one */
        const char *bad_mapping; /* why one of them has none, or NULL */
        char *first_unmapped, *mistake; /* owned; a mistake is a writer error by itself */
        const char *mistake_rule;
        struct path_buffer place, other;
};

/* plan_files_load() - what the component says of single files; 0, -ENOMEM, E_INVALIDARG with words
 * for range lists that are none */
int plan_files_load(struct restore_plan *plan, struct vss_error *reterr);
void plan_files_done(struct restore_plan *plan);

/* plan_place() - a restore_place_fn: where the thing goes when the course is plan->looking, of what
 * has to pass the tests of section 6; counts what has no place */
const char *plan_place(void *userdata, const struct entry *entry);

#endif
