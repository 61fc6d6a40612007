/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c - nodes, their children and the typed access to their attributes.
 */
#include "documents/tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents/text.h"

/* A text up to SMALL_TEXT is not counted; the reserve is what all slots of an element can have of
 * such texts, six bytes written for each */
#define SMALL_TEXT ((size_t)4096)
#define TAG_RESERVE ((size_t)600000)

int tree_init(struct tree *tree, const struct element *root, const struct document_limits *limits) {
        int r;

        *tree = (struct tree){ .limits = limits ? *limits : *document_limits_default() };
        r = arena_init(&tree->arena);
        if (r < 0)
                return r;
        tree->root = node_new(tree, root);
        if (!tree->root) {
                tree_done(tree);
                return -ENOMEM;
        }
        return 0;
}

void tree_done(struct tree *tree) {
        arena_done(&tree->arena);
        tree->root = NULL;
}

struct node *node_new(struct tree *tree, const struct element *element) {
        struct node *node = arena_alloc(
                &tree->arena, sizeof(*node) + element->attribute_count * sizeof(node->values[0]));

        if (node) {
                node->element = element;
                tree->elements++;
        }
        return node;
}

struct node *node_new_unknown(struct tree *tree, const char *text, size_t size) {
        struct node *node = arena_alloc(&tree->arena, sizeof(*node) + sizeof(node->values[0]));

        if (!node)
                return NULL;
        node->values[0] = arena_string(&tree->arena, text, size);
        return node->values[0] ? node : NULL;
}

static const struct child *find_child(const struct element *parent, const struct element *element) {
        for (size_t i = 0; i < parent->child_count; i++)
                if (parent->children[i].element == element)
                        return &parent->children[i];
        return NULL;
}

static int list_append(struct tree *tree, struct list *list, struct node *node) {
        if (list->count == list->capacity) {
                size_t capacity = list->capacity ? list->capacity * 2 : 2;
                struct node **items = arena_alloc(&tree->arena, capacity * sizeof(struct node *));

                if (!items)
                        return -ENOMEM;
                if (list->count > 0)
                        memcpy(items, list->items, list->count * sizeof(struct node *));
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->count++] = node;
        return 0;
}

static int append_to_list(struct tree *tree, struct node *parent, struct node *node) {
        const struct child *child = find_child(parent->element, node->element);
        struct list *list;

        if (!child)
                return E_INVALIDARG;
        list = &parent->children->lists[child->list];
        if (child->occurrence != ANY_NUMBER && list->count > 0)
                return E_INVALIDARG;
        return list_append(tree, list, node);
}

int node_append(struct tree *tree, struct node *parent, struct node *node) {
        int r;

        if (!parent->children) {
                parent->children = arena_alloc(&tree->arena, sizeof(*parent->children) +
                                                                     parent->element->list_count *
                                                                             sizeof(struct list));
                if (!parent->children)
                        return -ENOMEM;
        }
        r = node->element ? append_to_list(tree, parent, node) : 0;
        if (r < 0)
                return r;
        if (parent->children->last)
                parent->children->last->next = node;
        else
                parent->children->first = node;
        parent->children->last = node;
        return 0;
}

int node_add_extra(struct tree *tree, struct node *node, const char *name, const char *value) {
        struct extra *extra = arena_alloc(&tree->arena, sizeof(*extra));

        if (!extra)
                return -ENOMEM;
        extra->name = arena_string(&tree->arena, name, strlen(name));
        extra->value = arena_string(&tree->arena, value, strlen(value));
        if (!extra->name || !extra->value)
                return -ENOMEM;
        if (node->last_extra)
                node->last_extra->next = extra;
        else
                node->extras = extra;
        node->last_extra = extra;
        return 0;
}

size_t node_count(const struct node *node, unsigned list) {
        return node && node->children ? node->children->lists[list].count : 0;
}

struct node *node_get(const struct node *node, unsigned list, size_t index) {
        return index < node_count(node, list) ? node->children->lists[list].items[index] : NULL;
}

/* ---- reading ---- */

const char *node_text(const struct node *node, size_t slot) {
        return node && slot < node->element->attribute_count ? node->values[slot] : NULL;
}

bool node_bool(const struct node *node, size_t slot) {
        const char *text = node_text(node, slot);

        return text && text[0] == 'y';
}

uint32_t node_mask(const struct node *node, size_t slot, uint32_t fallback) {
        const char *text = node_text(node, slot);

        return text ? (uint32_t)strtoul(text, NULL, 10) : fallback;
}

uint32_t node_word(const struct node *node, size_t slot, uint32_t fallback) {
        const char *text = node_text(node, slot);

        if (!text)
                return fallback;
        for (const struct word *w = node->element->attributes[slot].words; w->text; w++)
                if (strcmp(w->text, text) == 0)
                        return w->value;
        return fallback;
}

int64_t node_time(const struct node *node, size_t slot) {
        const char *text = node_text(node, slot);

        return text ? (int64_t)strtoll(text, NULL, 10) : 0;
}

struct vss_id node_id(const struct node *node, size_t slot) {
        const char *text = node_text(node, slot);
        struct vss_id id = { { 0 } };

        if (text)
                (void)vss_id_parse(text, &id);
        return id;
}

/* ---- writing ---- */

static int set_string(struct tree *tree, struct node *node, size_t slot, const char *text) {
        const char *copy = arena_string(&tree->arena, text, strlen(text));

        if (!copy)
                return -ENOMEM;
        node->values[slot] = copy;
        return 0;
}

static int check_name(const struct attribute *attribute, const char *text,
                      struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (text[0] == '\0')
                return vss_fail(reterr, E_INVALIDARG, "%s must not be empty", attribute->name);
        if (attribute->kind == VALUE_NAME && strchr(text, '\\'))
                return vss_fail(reterr, E_INVALIDARG,
                                "%s '%s' contains a backslash; put what is before it into the "
                                "logical path",
                                attribute->name, text_excerpt(text, strlen(text), excerpt));
        return 0;
}

/* set_within_tag() - a reader takes whole start tags, so the attributes count together */
static int set_within_tag(struct tree *tree, struct node *node, size_t slot, const char *text,
                          struct vss_error *reterr) {
        const char *before = node->values[slot];
        int r = set_string(tree, node, slot, text);

        if (r < 0 || strlen(text) <= SMALL_TEXT ||
            node_tag_size(node) + TAG_RESERVE <= tree->limits.tag_size)
                return r;
        node->values[slot] = before;
        return vss_fail(reterr, E_INVALIDARG,
                        "%s does not fit: the attributes of one %s may have %" PRIu64
                        " bytes together, as they are written",
                        node->element->attributes[slot].name, node->element->name,
                        tree->limits.tag_size);
}

int node_set_text(struct tree *tree, struct node *node, size_t slot, const char *text,
                  struct vss_error *reterr) {
        const struct attribute *attribute = &node->element->attributes[slot];
        size_t size = text ? strlen(text) : 0;
        char excerpt[TEXT_EXCERPT_SIZE];
        int r;

        if (!text) {
                node->values[slot] = NULL;
                return 0;
        }
        if (attribute->kind != VALUE_TEXT) {
                r = check_name(attribute, text, reterr);
                if (r < 0)
                        return r;
        }
        if (attribute->kind == VALUE_PATH)
                size = text_path_size(text);
        else if (!text_check(text, size))
                return vss_fail(reterr, E_INVALIDARG,
                                "%s '%s' contains bytes that are no text of XML: control "
                                "characters, or not UTF-8",
                                attribute->name, text_excerpt(text, size, excerpt));
        if (size > tree->limits.attribute_size)
                return vss_fail(reterr, E_INVALIDARG,
                                "%s has %zu bytes, more than the limit of %" PRIu64,
                                attribute->name, size, tree->limits.attribute_size);
        return set_within_tag(tree, node, slot, text, reterr);
}

int node_set_bool(struct node *node, size_t slot, bool value) {
        node->values[slot] = value ? "yes" : "no";
        return 0;
}

int node_set_mask(struct tree *tree, struct node *node, size_t slot, uint32_t value) {
        char number[16];

        (void)snprintf(number, sizeof(number), "%" PRIu32, value);
        return set_string(tree, node, slot, number);
}

int node_set_word(struct node *node, size_t slot, uint32_t value, struct vss_error *reterr) {
        const struct attribute *attribute = &node->element->attributes[slot];
        const char *text = words_text(attribute->words, value);

        if (!text)
                return vss_fail(reterr, E_INVALIDARG, "%s has no value %" PRIu32, attribute->name,
                                value);
        node->values[slot] = text;
        return 0;
}

int node_set_time(struct tree *tree, struct node *node, size_t slot, int64_t value) {
        char number[24];

        (void)snprintf(number, sizeof(number), "%" PRId64, value);
        return set_string(tree, node, slot, number);
}

int node_set_id(struct tree *tree, struct node *node, size_t slot, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        return set_string(tree, node, slot, vss_id_format(id, text));
}

int node_set_bytes(struct tree *tree, struct node *node, size_t slot, const void *data, size_t size,
                   struct vss_error *reterr) {
        struct blob *blob;

        if (size > tree->limits.attribute_size / 4 * 3)
                return vss_fail(reterr, E_INVALIDARG, "%s has %zu bytes, too many for a document",
                                node->element->attributes[slot].name, size);
        blob = arena_alloc(&tree->arena, sizeof(*blob) + size);
        if (!blob)
                return -ENOMEM;
        blob->size = size;
        if (size > 0)
                memcpy(blob->data, data, size);
        node->values[slot] = (const char *)blob;
        return 0;
}

int node_copy_value(struct tree *tree, struct node *node, const struct node *from, size_t slot) {
        const struct blob *blob;

        if (!from->values[slot])
                return 0;
        if (from->element->attributes[slot].kind != VALUE_BYTES)
                return set_string(tree, node, slot, from->values[slot]);
        blob = (const void *)from->values[slot];
        return node_set_bytes(tree, node, slot, blob->data, blob->size, NULL);
}
