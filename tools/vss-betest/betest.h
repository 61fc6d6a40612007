/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * betest.h - inside of vss-betest: the run of one script, its words, and how it speaks. Nothing in
 * this folder knows more of the service than include/vss tells.
 */
#ifndef TOOLS_VSS_BETEST_H
#define TOOLS_VSS_BETEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/requester.h"

enum { MAX_COPIES = 64, MAX_WORDS = 80 };

/* a component that the script added or selected; several entries of one class differ by instance */
struct chosen {
        struct vss_id instance;
        struct vss_component_key key; /* strings owned */
        size_t failed; /* files that could not be copied or brought back */
        bool done; /* copied, or brought back, by us: @failed counts */
        uint32_t status; /* brought back: enum vss_file_restore_status */
};

struct copy {
        struct vss_id id;
        char *volume; /* as the script named it */
        struct vss_snapshot_prop prop; /* zero until asked */
};

struct variable {
        char *name, *value;
};

/* one script while it runs */
struct run {
        struct vss_connection connection;
        struct vss_backup_components *bc;
        struct vss_async *async; /* of a call that was started with "async" */
        bool want_async; /* the present line began with it */
        bool is_restore, component_mode, partial;
        bool under_way; /* writers are owed AbortBackup, or PostRestore */
        uint32_t type;
        struct vss_id set_id;
        struct copy copies[MAX_COPIES];
        size_t copy_count;
        struct chosen *chosen;
        size_t chosen_count, chosen_capacity;
        struct variable *variables;
        size_t variable_count, variable_capacity;
        struct back *back; /* what restore_files needs again, or NULL */
        bool writer_failed; /* a status showed one that the script did not expect */
};

/* the words behind the name of a call */
struct words {
        char *items[MAX_WORDS + 1]; /* NULL-terminated */
        size_t count;
};

struct call {
        const char *name;
        const char *arguments; /* for people */
        size_t least, most;
        int (*run)(struct run *run, const struct words *words, struct vss_error *reterr);
};

extern const struct call calls_backup[], calls_restore[], calls_look[],
        calls_files[]; /* NULL ends */

/* ---- script.c ---- */

/* next_word() - cut one word off, in place: blanks separate, "quotes" keep them, \" \\ \xHH in
 * quotes. Return: 1 and *ret, 0 at the end, E_INVALIDARG */
int next_word(char **rest, char **ret);

/* variables are %NAME% in the script and NAME in the environment of exec */
const char *get_variable(const struct run *run, const char *name);
int set_variable(struct run *run, const char *name, const char *value);

/* expand_variables() - *ret is @text with every %NAME% replaced; the caller frees it.
 * Return: 0, E_INVALIDARG for a name that nobody set, -ENOMEM */
int expand_variables(const struct run *run, const char *text, char **ret, struct vss_error *reterr);

/* word_value() - @word in the table @words ("full", "incremental", ...), else a number.
 * Return: 0, E_INVALIDARG with what is known */
struct word {
        const char *text;
        uint32_t value;
};
int word_value(const struct word *words, const char *word, uint32_t *ret, struct vss_error *reterr);
const char *value_word(const struct word *words, uint32_t value); /* "?" when there is none */
extern const struct word backup_types[], component_types[], writer_states[], target_words[],
        status_words[];

int code_from_name(const char *name); /* "VSS_E_BAD_STATE", "ENOENT"; 0 for others */
int parse_yes(const char *word, bool *ret, struct vss_error *reterr);
int parse_id(const char *word, struct vss_id *ret, struct vss_error *reterr);
int parse_file_set(char *text, struct vss_file_set *ret, struct vss_error *reterr);

/* read_text() - @word itself, or the content of FILE for "@FILE"; the caller frees *ret */
int read_text(const char *word, char **ret, struct vss_error *reterr);

/* ---- names.c ---- */

/* find_component() - "WRITER:path\name"; WRITER is a name, a class id or an instance id. Looks at
 * what the writers told and, in a restore, at the document. What nobody knows is taken as it is
 * written (a file group), so that a script can see it refused.
 *
 * Return: 0; E_INVALIDARG, VSS_E_OBJECT_NOT_FOUND when WRITER is neither known nor an id */
int find_component(struct run *run, const char *text, struct chosen *ret, struct vss_error *reterr);
void chosen_done(struct chosen *chosen);
struct chosen *find_chosen(struct run *run, const struct chosen *like);
int add_chosen(struct run *run, struct chosen *take_chosen);
void forget_chosen(struct run *run);

/* writer_matches() - does WRITER of a script name this one? */
bool writer_matches(const char *text, const struct vss_writer_identity *identity);

/* each_explicit() - every component that a backup may name by itself, of the writers named (none:
 * of all) */
typedef int (*explicit_t)(struct run *run, const struct vss_id *instance,
                          const struct vss_component_key *key, struct vss_error *reterr);
int each_explicit(struct run *run, char *const *writers, explicit_t sink, struct vss_error *reterr);

/* entry_of() - the entry of a component in the present document, NULL when there is none */
struct vss_component *entry_of(struct run *run, const struct chosen *chosen);

/* ---- calls-backup.c ---- */

void forget_object(struct run *run); /* release it, and what was known of it */
/* add_volume() - @paths: what will be read of it, NULL-terminated; NULL: all */
int add_volume(struct run *run, const char *volume, const struct vss_id *provider,
               const char *const *paths, struct vss_error *reterr);

/* finish() - @r began a long call: wait for it, or keep it when the line says "async" */
int finish(struct run *run, int r, struct vss_async *async, struct vss_error *reterr);

/* ---- calls-files.c: the index of a folder of "copy" ---- */

/* component_text() - as it stands there; the caller frees it, NULL when out of memory */
char *component_text(const struct chosen *c);

/* each_indexed() - the lines of the index of @dir, their words decoded */
typedef int (*indexed_t)(void *userdata, char *const *words, size_t count);
int each_indexed(const char *dir, indexed_t sink, void *userdata, struct vss_error *reterr);

/* ---- calls-back.c ---- */

int call_restore_files(struct run *run, const struct words *words, struct vss_error *reterr);

/* services that were stopped run again before PostRestore; others are restarted after it */
void back_before_post_restore(struct run *run);
void back_after_post_restore(struct run *run);
void back_done(struct run *run);

/* ---- say.c: one record, as words for people or as one JSON object (T-6) ---- */

extern bool arg_json;
void say_begin(const char *record);
void say_text(const char *key, const char *bytes); /* NULL is left out */
void say_number(const char *key, int64_t value);
void say_bool(const char *key, bool value);
void say_id(const char *key, const struct vss_id *id);
void say_code(const char *key, int code); /* name and hex value (T-5) */
void say_arguments(const struct words *words);
void say_end(void);

#endif
