/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - components made of files, as a settings file declares them: [component NAME], [restore]
 * and [backup]. Read, checked, declared in identify, selected in a backup. What the files and the
 * test writer share; what they do at an event is theirs.
 */
#ifndef WRITERS_COMMON_TREE_H
#define WRITERS_COMMON_TREE_H

#include "common/file-set.h"
#include "vss/writer.h"

struct tree_dependency {
        struct vss_id writer;
        char *logical_path; /* NULL: the root */
        char *name;
};

struct tree_component {
        char *name, *logical_path, *caption;
        bool selectable, selectable_for_restore, not_system_state;
        bool database;
        bool restore_metadata, notify; /* of the declaration (D-27, D-28) */
        bool purges; /* some of its files are deleted from the copies: they must be writable */
        struct file_set *sets;
        size_t set_count;
        struct tree_dependency *dependencies;
        size_t dependency_count;
};

/* what one backup chose; several may be in the middle of theirs */
struct tree_selection {
        struct vss_id session;
        bool *chosen; /* by index of the component */
};

struct tree {
        struct tree_component *components;
        size_t component_count;
        struct file_set *excludes;
        size_t exclude_count;
        struct file_set *purges; /* of them: what is deleted from the copies */
        size_t purge_count;
        struct file_set *mappings;
        size_t mapping_count;
        uint32_t method, writer_restore;
        bool events_given; /* the settings say what writer_restore is */
        char *service, *procedure;
        bool reboot;
        bool databases; /* "logs" may be given: its component is a database then */
        bool anything; /* nothing is checked: what is wrong is to be seen by others */
        uint32_t schema;
        struct tree_selection *selections;
        size_t selection_count;
};

void tree_init(struct tree *tree, uint32_t writer_restore);
void tree_done(struct tree *tree);

/* tree_configure() - one setting.
 *
 * Return: 1 taken, 0 not a section of this room, E_INVALIDARG with words, -ENOMEM. Section and
 * key are named by the runtime, which gave them */
int tree_configure(struct tree *tree, const char *section, const char *key, const char *value,
                   struct vss_error *reterr);

/* tree_find() - the component of a section "component NAME", created when new; NULL and *ret_r 0
 * when the section is another, NULL and a code when it is wrong */
struct tree_component *tree_find(struct tree *tree, const char *section, int *ret_r,
                                 struct vss_error *reterr);

/* tree_check() - when all settings are there: overlaps, mappings, what is missing */
int tree_check(const struct tree *tree, struct vss_error *reterr);

/* tree_identify() - declare everything; changes nothing (W-1) */
int tree_identify(const struct tree *tree, struct vss_create_writer_metadata *metadata,
                  struct vss_error *reterr);

/* tree_select() - in prepare_backup: remember what takes part; NULL is everything.
 * Return: 0, -ENOMEM */
int tree_select(struct tree *tree, const struct vss_id *session,
                struct vss_writer_components *components);

/* tree_is_selected() - everything is, in a session that never called tree_select() */
bool tree_is_selected(const struct tree *tree, const struct vss_id *session, size_t component);

/* tree_forget() - the session is over */
void tree_forget(struct tree *tree, const struct vss_id *session);

/* tree_match() - our component for one of the document's, NULL when it is not configured */
struct tree_component *tree_match(const struct tree *tree, const struct vss_component *component);

/* tree_is_below() - does @component belong to the set of @ancestor, or is it that? (M-35) */
bool tree_is_below(const struct tree_component *component, const struct tree_component *ancestor);

/*
 * tree_affected() - what W-7 asks: do the selected files lie on the set's volumes? In handlers
 *
 * Return: 1 all, 0 none, VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT only some, with words
 */
int tree_affected(const struct tree *tree, const struct vss_writer *writer,
                  struct vss_error *reterr);

#endif
