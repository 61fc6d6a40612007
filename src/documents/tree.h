/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - a document in memory: nodes whose attributes sit in the slots of names.h, children in
 * document order and, by kind, in arrays; what names.h does not know is kept beside it as text.
 *
 * Values are kept as they are written (canonical text), except paths, which are plain bytes, and
 * VALUE_BYTES. All memory belongs to the tree's arena.
 */
#ifndef DOCUMENTS_TREE_H
#define DOCUMENTS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "documents/arena.h"
#include "documents/limits.h"
#include "documents/names.h"
#include "vss/types.h"

struct text;

/* struct blob - what a VALUE_BYTES slot points to */
struct blob {
        size_t size;
        unsigned char data[];
};

/* struct extra - an attribute that names.h does not know; @name as written, prefix included */
struct extra {
        struct extra *next;
        const char *name;
        const char *value;
};

struct list {
        struct node **items;
        size_t count, capacity;
};

struct children {
        struct node *first, *last;
        struct list lists[]; /* element->list_count */
};

/* struct node - @element NULL: an unknown element, values[0] is its whole text */
struct node {
        const struct element *element;
        struct node *next;
        struct extra *extras, *last_extra;
        struct children *children; /* NULL until there is one */
        const char *values[]; /* element->attribute_count */
};

struct tree {
        struct arena arena;
        struct document_limits limits;
        struct node *root;
        uint64_t elements; /* all that were ever made, those inside unknown ones included */
};

/* tree_init() - with an empty root; @limits NULL for the default */
int tree_init(struct tree *tree, const struct element *root, const struct document_limits *limits);
void tree_done(struct tree *tree);

/* node_new() - not yet in the document; NULL: out of memory */
struct node *node_new(struct tree *tree, const struct element *element);
struct node *node_new_unknown(struct tree *tree, const char *text, size_t size);

/* node_append() - 0, -ENOMEM; E_INVALIDARG when the parent has no such children, or has its one */
int node_append(struct tree *tree, struct node *parent, struct node *node);
int node_add_extra(struct tree *tree, struct node *node, const char *name, const char *value);

size_t node_count(const struct node *node, unsigned list);
struct node *node_get(const struct node *node, unsigned list, size_t index); /* or NULL */

/* Reading a slot: NULL or @fallback when it is absent. */
const char *node_text(const struct node *node, size_t slot);
bool node_bool(const struct node *node, size_t slot);
uint32_t node_mask(const struct node *node, size_t slot, uint32_t fallback);
uint32_t node_word(const struct node *node, size_t slot, uint32_t fallback);
int64_t node_time(const struct node *node, size_t slot);
struct vss_id node_id(const struct node *node, size_t slot);

/* node_tag_size() - bytes of the node's start tag as it is written */
size_t node_tag_size(const struct node *node);

/* Writing a slot. NULL text takes the attribute away. node_set_text() is for TEXT, NAME and PATH
 * slots and checks what the document can hold: E_INVALIDARG with words; -ENOMEM. */
int node_set_text(struct tree *tree, struct node *node, size_t slot, const char *text,
                  struct vss_error *reterr);
int node_set_bool(struct node *node, size_t slot, bool value);
int node_set_mask(struct tree *tree, struct node *node, size_t slot, uint32_t value);
int node_set_word(struct node *node, size_t slot, uint32_t value, struct vss_error *reterr);
int node_set_time(struct tree *tree, struct node *node, size_t slot, int64_t value);
int node_set_id(struct tree *tree, struct node *node, size_t slot, const struct vss_id *id);
int node_set_bytes(struct tree *tree, struct node *node, size_t slot, const void *data, size_t size,
                   struct vss_error *reterr);

/* node_copy_value() - from a node of another tree and the same element */
int node_copy_value(struct tree *tree, struct node *node, const struct node *from, size_t slot);

/* value_parse() - an attribute as read, decoded in place, into what its slot holds
 * Return: 0, E_INVALIDARG with @ret_wanted saying what it must be, -ENOMEM */
int value_parse(struct tree *tree, const struct attribute *attribute, char *data, size_t size,
                const char **ret, const char **ret_wanted);

/* tree_save() - the whole document, checked against the limits that reading has
 * Return: 0, E_INVALIDARG with words when it outgrew them, -ENOMEM */
int tree_save(const struct tree *tree, char **ret, size_t *ret_size, struct vss_error *reterr);

/* tree_write_node() - one node and what is below it, without checks */
void tree_write_node(struct text *text, const struct node *node);

/* tree_write_open() - "<NAME" and its attributes, the tag left open; @all false: of the unknown
 * attributes only the declarations of prefixes */
void tree_write_open(struct text *text, const struct node *node, bool all);

/* tree_read() - xml.c: @tree is uninitialized before and initialized on success only
 * Return: 0, VSS_E_INVALID_XML_DOCUMENT with line and words, -ENOMEM */
int tree_read(struct tree *tree, const struct element *root, const char *xml, size_t size,
              const struct document_limits *limits, struct vss_error *reterr);

#endif
