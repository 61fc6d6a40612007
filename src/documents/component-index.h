/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * component-index.h - finds a component by its logical path and name, and its ancestors (M-34,
 * M-35). Works on the elements of both documents that bear logicalPath and componentName.
 */
#ifndef DOCUMENTS_COMPONENT_INDEX_H
#define DOCUMENTS_COMPONENT_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "documents/map.h"
#include "documents/tree.h"

struct component_index {
        struct map map; /* of struct node, lent */
};

int component_index_init(struct component_index *index);
void component_index_done(struct component_index *index);

/* component_index_add() - 0, -ENOMEM, VSS_E_OBJECT_ALREADY_EXISTS */
int component_index_add(struct component_index *index, struct node *node);

/* component_index_find() - @logical_path NULL, "" and "\" are the root */
struct node *component_index_find(const struct component_index *index, const char *logical_path,
                                  const char *name);

/* component_index_ancestors() - call @found for every component that is an ancestor of what has
 * this logical path, the outermost first, until it returns false; false then, else true */
typedef bool (*component_found_t)(void *userdata, struct node *node);
bool component_index_ancestors(const struct component_index *index, const char *logical_path,
                               component_found_t found, void *userdata);

/* component_is_ancestor() - is @ancestor above @node? False for the same component */
bool component_is_ancestor(const struct node *ancestor, const struct node *node);

/* component_is_path_below() - is what has this logical path below @ancestor? */
bool component_is_path_below(const struct node *ancestor, const char *logical_path);

/* component_same_path() - do two logical paths mean the same place? */
bool component_same_path(const char *a, const char *b);

/* component_full_path() - "writerData\Set1\Jan" for messages; appended to @text */
struct text;
void component_full_path(struct text *text, const struct node *node);

#endif
