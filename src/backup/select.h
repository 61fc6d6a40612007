/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * select.h - which components a backup takes: those asked for by name, or all whose files lie
 * wholly below the given paths, completed by the rules of selectability.
 */
#ifndef BACKUP_SELECT_H
#define BACKUP_SELECT_H

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
};

struct chosen_writer {
        struct vss_id instance_id;
        struct vss_examine_writer_metadata *metadata; /* lent by the backup components */
        struct vss_writer_identity identity; /* lent likewise */
        uint32_t schema;
        struct chosen_component *components;
        size_t component_count;
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
};

/*
 * selection_make() - read the gathered metadata and choose
 *
 * A component is wanted when every file set of it and of the components in its set lies below one
 * of the paths. When a writer takes part, its required components come too (L-10), wherever their
 * files are; so does what an included component of another writer depends on (B-158), and what
 * that one needs; notes say so.
 *
 * Return: 0, VSS_E_OBJECT_NOT_FOUND for a component that nobody has, E_INVALIDARG for one that
 * cannot be chosen by itself (L-8), with words
 */
int selection_make(struct vss_backup_components *bc, const struct selection_request *request,
                   struct selection *ret, struct vss_error *reterr);
void selection_done(struct selection *selection);

/* The two halves of it: a writer's metadata (lent), and the choice over all that were added. */
int selection_add_writer(struct selection *selection, const struct vss_id *instance,
                         struct vss_examine_writer_metadata *metadata);
int selection_choose(struct selection *selection, const struct selection_request *request,
                     struct vss_error *reterr);

/* selection_note() - keep a sentence for the user; out of memory only loses the sentence */
void selection_note(struct selection *selection, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* each_file_set() - all file sets of a component, of whatever kind; stops at a negative return */
typedef int (*file_set_fn)(void *userdata, const struct vss_wm_filedesc *file);
int each_file_set(const struct chosen_component *component, file_set_fn fn, void *userdata);

struct vss_component_key component_key(const struct chosen_writer *writer,
                                       const struct chosen_component *component);

#endif
