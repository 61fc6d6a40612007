/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - the parts of 'vssctl restore': the order as the command line gave it, what of a
 * backup it is about, how the files get into place, and what is said about it. Its plan, too.
 */
#ifndef TOOLS_VSSCTL_RESTORE_H
#define TOOLS_VSSCTL_RESTORE_H

#include "backup/engine.h"
#include "backup/restore-images.h"
#include "backup/restore-settings.h"
#include "backup/restore-wishes.h"
#include "list.h"

/* struct restore_order - where to: one of @into, @in_place, targets, or the last two */
struct restore_order {
        const char *from, *set;
        const char *into; /* a folder that is there, resolved */
        struct component_list components;
        const char **paths; /* clean; count 0: everything */
        size_t path_count, path_capacity;
        struct restore_mapping targets[32]; /* from NULL: all that is asked for */
        struct restore_wishes wishes;
        bool in_place, keep_existing, file_by_file, plan;
        /* what all this lends */
        char *into_resolved, *common, *target_from[32], *target_to[32];
        struct component_key *keys;
};

/* ---- restore-order.c: the command line; exit codes, after words ---- */

/* @path: absolute; slashes at its end, as the shell completes a folder, are taken off. It is lent
 */
int restore_order_path(struct restore_order *order, char *path);
int restore_order_target(struct restore_order *order, const char *given); /* "[FROM=]DIR" */
int restore_order_roll_forward(struct restore_order *order, const char *given);
/* restore_order_check() - what goes together; makes @into */
int restore_order_check(struct restore_order *order);
void restore_order_done(struct restore_order *order);

struct restore_choice;
struct restore_damage;
struct restore_listed;

/* struct source_set - what a restore runs over, the same for all its parts */
struct source_set {
        struct restore_order *order;
        struct store *store;
        const struct set_list *sets;
        const struct set_info *set;
        struct restore_choice *choice;
        struct restore_damage *damage; /* what was seen of it */
        struct restore_listed *listed; /* what is not restored; NULL: everything is */
        /* NULL until they are known */
        const char *undo_dir; /* of the engine */
        const struct restore_settings *settings;
};

/* ---- restore-choice.c: what was asked for ---- */

/* struct chosen_image - a component, or the requester's own files, that will be restored */
struct chosen_image {
        struct set_place place;
        bool named; /* asked for, else it comes along */
        bool whole; /* else only these subcomponents with all below them: */
        size_t *parts, part_count, part_capacity; /* indices of @writer's components */
        const struct chosen_writer *writer; /* as stored; NULL: not known, or not looked for yet */
        size_t index; /* of the component itself there */
};

struct choice_operation {
        size_t *slots; /* of each component: its number among the images from 1, while choosing */
        bool tried, good; /* to read: */
        struct stored_writers writers;
};

struct restore_choice {
        struct chosen_image *images; /* in the order of the set */
        size_t count, capacity;
        struct wished_part *parts; /* of all of them; lent for struct restore_wishes */
        size_t part_count;
        struct choice_operation *operations;
        size_t operation_count;
};

/* restore_choose() - fills from->choice; exit code, after words. restore_choice_done() is needed
 * either way */
int restore_choose(const struct source_set *from);
void restore_choice_done(struct restore_choice *choice);

/* restore_image_of() - NULL when the component is not restored */
struct chosen_image *restore_image_of(const struct restore_choice *choice,
                                      const struct component_key *key);
/* restore_image_wants() - is this file of the image among what was chosen of it? */
bool restore_image_wants(const struct chosen_image *image, const char *path);

/* restore_know_writer() - what it declared, from the backup, if that can be read */
void restore_know_writer(const struct source_set *from, struct chosen_image *image);

/* restore_for_each_file_set() - of what was chosen of the image; none when the writer's document
 * cannot be read. What @fn returned */
int restore_for_each_file_set(const struct source_set *from, struct chosen_image *image,
                              file_set_fn fn, void *userdata);

/* restore-folders.c: restore_missing_folders() - makes those that the chosen components lay in and
 * that are gone, from the plain files of the backup. Before the first writer is told */
void restore_missing_folders(const struct source_set *from);

/* ---- restore-gates.c: what was asked of the writers ---- */

/* restore_check_wishes() - can the writers do what is wished for, do the new targets fit? Completes
 * the order's wishes; exit code, after words */
int restore_check_wishes(const struct source_set *from);

/* restore_has_wishes() - beyond parts of components */
bool restore_has_wishes(const struct restore_wishes *wishes);

/* ---- restore-listed.c: what is not restored (R-107) ---- */

/* restore_listed_load() - exit code; restore_listed_free() is needed either way */
int restore_listed_load(struct restore_listed **ret);
void restore_listed_free(struct restore_listed *listed);
/* restore_listed_has() - is it not to be restored? The first one is told */
bool restore_listed_has(struct restore_listed *listed, const struct entry *entry);
bool restore_listed_met(const struct restore_listed *listed); /* had it anything? */

/* ---- restore-run.c: the files ---- */

/* restore_was_cut_short() - a signal came, and something was left undone for it */
bool restore_was_cut_short(void);

/* restore_settings_load() - exit code, after words; what cannot be understood is told */
int restore_settings_load(struct restore_settings *ret);

/* restore_all() - exit code, after words */
int restore_all(const struct source_set *from, struct restore_summary *total);

/* ---- restore-plan.c: what would be done ---- */

/* restore_show_plan() - exit code: EXIT_RUNTIME also when something would not be restored */
int restore_show_plan(const struct source_set *from);

/* ---- restore-advice.c: another backup, when this one has lost something ---- */

struct damaged_set {
        struct set_place wanted; /* of what was restored */
        const struct set_info *set; /* where the damage lies, or may lie */
        bool certain;
};

struct restore_damage {
        struct damaged_set *items;
        size_t count, capacity;
};

bool restore_is_damage(int code);
/* restore_saw_damage() - @set: where it lies; NULL: not known, somewhere in the chain */
void restore_saw_damage(const struct source_set *from, const struct set_place *wanted,
                        const struct set_info *set);
/* restore_advise() - notes, when something was damaged: what can be restored instead */
void restore_advise(const struct source_set *from, const struct restore_damage *damage);
void restore_damage_done(struct restore_damage *damage);

/* ---- restore-report.c: what is said ---- */

void restore_say_failed_then(const struct set_component *component);
/* restore_say_file() - with --json one record each; for people only what they should know */
void restore_say_file(const char *component, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, const char *words);
void restore_say_left(const struct component_key *key, size_t done, size_t count);
/* restore_say_component() - at the end; exit code */
int restore_say_component(const struct restore_images_result *result);
int restore_print_summary(const struct set_info *set, const struct restore_summary *summary);

#endif
