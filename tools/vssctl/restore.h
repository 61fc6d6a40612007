/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - the parts of 'vssctl restore': the order as the command line gave it, what of a
 * backup it is about, how the files get into place, and what is said about it. Its plan, too.
 */
#ifndef TOOLS_VSSCTL_RESTORE_H
#define TOOLS_VSSCTL_RESTORE_H

#include "backup/engine.h"
#include "list.h"

struct restore_order {
        const char *from, *set;
        const char *into; /* a folder that is there, resolved; NULL: in place */
        struct component_list components;
        const char *const *paths; /* clean; count 0: everything */
        size_t path_count;
        bool in_place, keep_existing;
};

/* struct source_set - what a restore runs over, the same for all its parts */
struct source_set {
        const struct restore_order *order;
        struct store *store;
        const struct set_list *sets;
        const struct set_info *set;
};

/* ---- restore-choice.c: what was asked for ---- */

/* restore_check_asked() - all that was named is there: who restores two things and mistypes one
 * must not be told that all went well. Exit code, after words */
int restore_check_asked(const struct source_set *from);

/* restore_for_each() - calls @each with each image that was asked for; 0 or what @each returned */
int restore_for_each(const struct source_set *from,
                     int (*each)(void *userdata, const struct set_place *place), void *userdata);

bool restore_is_asked_path(const struct restore_order *order, const char *path);

/* ---- restore-run.c: the files ---- */

/* restore_was_cut_short() - a signal came, and something was left undone for it */
bool restore_was_cut_short(void);

/* restore_all() - exit code, after words; @found: there was anything */
int restore_all(const struct source_set *from, bool *found, struct restore_summary *total);

/* ---- restore-report.c: what is said ---- */

void restore_say_failed_then(const struct set_component *component);
void restore_say_left(const struct component_key *key, size_t done, size_t count);
int restore_print_summary(const struct set_info *set, const struct restore_summary *summary);

#endif
