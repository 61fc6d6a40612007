/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-internal.h - what the files of the Backup Components Document share. Not for others.
 */
#ifndef DOCUMENTS_COMPONENTS_INTERNAL_H
#define DOCUMENTS_COMPONENTS_INTERNAL_H

#include "documents/component-index.h"
#include "documents/components-document.h"
#include "documents/tree.h"
#include "documents/writer-metadata.h"

struct vss_component {
        struct vss_writer_components *owner;
        struct node *node;
};

struct vss_writer_components {
        struct bcd *bcd;
        struct node *node;
        struct component_index index;
        /* what has an explicit component below it; nodes of no document, made for this (L-32) */
        struct component_index above;
        bool above_known; /* false in a document that was loaded, until a component is added */
        struct vss_component **components; /* handles that are lent; same order as the list */
        size_t count, capacity;
        const struct vss_examine_writer_metadata *metadata; /* lent, or NULL */
        enum component_event event;
        bool changed;
};

struct bcd {
        struct tree tree;
        struct map by_instance; /* of struct vss_writer_components */
        struct vss_writer_components **writers;
        size_t count, capacity;
};

/* bcd_append_writer() - @node becomes part of the document; writer_add_component() likewise, and
 * VSS_E_OBJECT_ALREADY_EXISTS */
int bcd_append_writer(struct bcd *bcd, struct node *node, struct vss_writer_components **ret);
int writer_add_component(struct vss_writer_components *writer, struct node *node);

/* bcd_find_writer() - by instance; NULL when it has no component here */
struct vss_writer_components *bcd_find_writer(const struct bcd *bcd, const struct vss_id *instance);

/* bcd_find_component() - by key over all instances of the class (M-13): VSS_E_OBJECT_NOT_FOUND */
int bcd_find_component(const struct bcd *bcd, const struct vss_component_key *key,
                       struct vss_component *ret, struct vss_error *reterr);

/* bcd_find_metadata_writer() - who in the document is described by @metadata: the same instance,
 * else another one of the class; NULL when there is none */
struct vss_writer_components *
bcd_find_metadata_writer(const struct bcd *bcd, const struct vss_examine_writer_metadata *metadata);

uint32_t writer_schema(const struct vss_writer_components *writer);

/* component_words() - "writerData\Set1" for a message; returns @buffer */
char *component_words(const struct node *component, char *buffer);

void directed_target_of(const struct node *node, struct vss_directed_target *ret);

/* ---- what a writer may do in which event (component-edit.c) ---- */

enum component_item {
        ITEM_STAMP,
        ITEM_BACKUP_METADATA,
        ITEM_RESTORE_METADATA,
        ITEM_PREPARE_MESSAGE,
        ITEM_POST_SNAPSHOT_MESSAGE,
        ITEM_PRE_RESTORE_MESSAGE,
        ITEM_POST_RESTORE_MESSAGE,
        ITEM_FAILURE,
        ITEM_TARGET,
        ITEM_PARTIAL_FILE,
        ITEM_DIFFERENCED_FILES,
        ITEM_DIRECTED_TARGET,
        ITEM_NONE
};

bool component_item_is_allowed(enum component_item item, enum component_event event);

/* The rules of one entry, apart from the event; used again when a fragment comes back. */
int component_check_partial_file(const struct vss_component *component, const char *path,
                                 const char *name, const char *ranges, struct vss_error *reterr);
int component_check_differenced(const struct vss_component *component, struct file_triple triple,
                                vss_timestamp_t time, struct vss_error *reterr);
int component_check_directed(const struct vss_component *component,
                             const struct vss_directed_target *target, struct vss_error *reterr);

#endif
