/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.h - which components a backup takes: those asked for by name, or all whose files lie
 * wholly below the given paths, completed by the rules of selectability.
 */
#ifndef BACKUP_SELECT_H
#define BACKUP_SELECT_H

#include <stdint.h>

#include "vss/requester.h"

struct chosen_component {
        const struct vss_wm_component *component; /* lent by the metadata */
        struct vss_component_info info; /* lent likewise */
        char *full_path; /* "logical\path\name" */
        uint32_t kind; /* enum vss_component_kind */
        bool explicit_; /* goes into the Backup Components Document */
        bool included; /* explicit, or below an explicit one */
        bool warned; /* that what it depends on is missing was said */
        bool covered; /* included in some operation of the run: its files are nobody else's */
        size_t defining; /* index of the explicit component that stands for it */
        const char *rule; /* why it is included, where not because the user named it; or NULL */

        /* what is selectable and nearest above, and who has this one as that; COMPONENT_NONE */
        size_t above, first_below, next_below;
};

#define COMPONENT_NONE SIZE_MAX

struct chosen_writer {
        struct vss_id instance_id;
        struct vss_examine_writer_metadata *metadata; /* lent by the backup components */
        struct vss_writer_identity identity; /* lent likewise */
        uint32_t schema;
        struct chosen_component *components;
        size_t component_count;
        size_t *by_path; /* indices in the order of full paths */
        bool participates;
};

struct selection {
        struct chosen_writer *writers;
        size_t writer_count, writer_capacity;
        char **notes; /* things the user should know: what was left out and why */
        size_t note_count, note_capacity;
};

/* What the user asked for. Lists end with NULL and may be NULL. */
struct selection_request {
        const char *const *paths; /* absolute and clean */
        const char *const *components; /* "WRITER:logical\path\name", WRITER a name or an id */
        bool all_components;
        bool system_state; /* what system-state writers have, but for what they exempt (L-15) */
};

/*
 * selection_make() - read the gathered metadata and choose
 *
 * A component is wanted when every file set of it and of the components in its set lies below one
 * of the paths. When a writer takes part, its required components come too (L-10), wherever their
 * files are; so does what an included component of another writer depends on (B-158), and what
 * that one needs; notes say so. The time is that of reading the metadata: writers declare
 * components by the hundred thousand.
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND for a component that nobody has and for system state that
 * nobody declares, E_INVALIDARG for one that cannot be chosen by itself (L-8), with words
 */
int selection_make(struct vss_backup_components *bc, const struct selection_request *request,
                   struct selection *ret, struct vss_error *reterr);
void selection_done(struct selection *selection);

/* The two halves of it: a writer's metadata (lent), and the choice over all that were added. */
int selection_add_writer(struct selection *selection, const struct vss_id *instance,
                         struct vss_examine_writer_metadata *metadata);
int selection_choose(struct selection *selection, const struct selection_request *request,
                     struct vss_error *reterr);

/* chosen_writer_find() - index of the component with this full path, or COMPONENT_NONE;
 * chosen_writer_find_key() - by logical path and name */
size_t chosen_writer_find(const struct chosen_writer *writer, const char *full_path);
size_t chosen_writer_find_key(const struct chosen_writer *writer, const char *logical_path,
                              const char *name);

/* selection_note() - keep a sentence for the user; out of memory only loses the sentence */
void selection_note(struct selection *selection, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* each_file_set() - all file sets of a component, of whatever kind; stops at a negative return */
typedef int (*file_set_fn)(void *userdata, const struct vss_wm_filedesc *file);
int each_file_set(const struct chosen_component *component, file_set_fn fn, void *userdata);

struct vss_component_key component_key(const struct chosen_writer *writer,
                                       const struct chosen_component *component);

#endif
