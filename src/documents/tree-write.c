/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-write.c - a document as text, in exactly the evidenced form: no declaration, one line, no
 * white space, attributes in the order of names.h, then the unknown ones (xml-format section 1).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "documents/text.h"
#include "documents/tree.h"

static void write_name(struct text *text, const char *name) {
        text_add(text, " ", 1);
        text_add_string(text, name);
        text_add(text, "=\"", 2);
}

static void write_attribute(struct text *text, const struct attribute *attribute,
                            const char *value) {
        write_name(text, attribute->name);
        if (attribute->kind == VALUE_PATH)
                text_add_path(text, value);
        else if (attribute->kind == VALUE_BYTES) {
                const struct blob *blob = (const void *)value;

                text_add_base64(text, blob->data, blob->size);
        } else
                text_add_escaped(text, value, strlen(value));
        text_add(text, "\"", 1);
}

void tree_write_open(struct text *text, const struct node *node, bool all) {
        const struct element *element = node->element;

        text_add(text, "<", 1);
        text_add_string(text, element->name);
        if (element->xmlns) {
                write_name(text, "xmlns");
                text_add_string(text, element->xmlns);
                text_add(text, "\"", 1);
        }
        for (size_t i = 0; i < element->attribute_count; i++)
                if (node->values[i])
                        write_attribute(text, &element->attributes[i], node->values[i]);
        for (const struct extra *extra = node->extras; extra; extra = extra->next) {
                if (!all && strncmp(extra->name, "xmlns:", 6) != 0)
                        continue;
                write_name(text, extra->name);
                text_add_escaped(text, extra->value, strlen(extra->value));
                text_add(text, "\"", 1);
        }
}

size_t node_tag_size(const struct node *node) {
        struct text text = { .counting = true };

        tree_write_open(&text, node, true);
        return text.size;
}

void tree_write_node(struct text *text, const struct node *node) {
        if (!node->element) {
                text_add_string(text, node->values[0]);
                return;
        }
        tree_write_open(text, node, true);
        if (!node->children || !node->children->first) {
                text_add(text, "/>", 2);
                return;
        }
        text_add(text, ">", 1);
        /* the depth is that of the schema: unknown elements are one string each */
        for (const struct node *child = node->children->first; child; child = child->next)
                tree_write_node(text, child);
        text_add(text, "</", 2);
        text_add_string(text, node->element->name);
        text_add(text, ">", 1);
}

/* check_node() - is there all that a reader demands, and no more than it takes? */
static int check_node(const struct tree *tree, const struct node *node, struct vss_error *reterr) {
        const struct element *element = node->element;
        uint64_t attributes = 0;

        if (!element)
                return 0;
        for (size_t i = 0; i < element->attribute_count; i++) {
                attributes += node->values[i] != NULL;
                if (!node->values[i] && element->attributes[i].required)
                        return vss_fail(reterr, E_INVALIDARG,
                                        "the document is incomplete: %s lacks %s", element->name,
                                        element->attributes[i].name);
        }
        for (const struct extra *extra = node->extras; extra; extra = extra->next)
                attributes++;
        if (node_tag_size(node) > tree->limits.tag_size)
                return vss_fail(reterr, E_INVALIDARG,
                                "the attributes of an element %s are too long together",
                                element->name);
        if (attributes > tree->limits.attributes)
                return vss_fail(reterr, E_INVALIDARG,
                                "an element %s has %" PRIu64 " attributes, more than the limit",
                                element->name, attributes);
        for (size_t i = 0; i < element->child_count; i++)
                if (element->children[i].occurrence == EXACTLY_ONE &&
                    node_count(node, element->children[i].list) != 1)
                        return vss_fail(reterr, E_INVALIDARG,
                                        "the document is incomplete: %s lacks %s", element->name,
                                        element->children[i].element->name);
        for (const struct node *child = node->children ? node->children->first : NULL; child;
             child = child->next) {
                int r = check_node(tree, child, reterr);

                if (r < 0)
                        return r;
        }
        return 0;
}

int tree_save(const struct tree *tree, char **ret, size_t *ret_size, struct vss_error *reterr) {
        struct text text = { 0 };
        int r = check_node(tree, tree->root, reterr);

        if (r < 0)
                return r;
        if (tree->elements > tree->limits.elements)
                return vss_fail(reterr, E_INVALIDARG,
                                "the document has %" PRIu64
                                " elements, more than the limit of %" PRIu64,
                                tree->elements, tree->limits.elements);
        tree_write_node(&text, tree->root);
        if (text.failed) {
                text_done(&text);
                return -ENOMEM;
        }
        if (text.size > tree->limits.size) {
                r = vss_fail(reterr, E_INVALIDARG,
                             "the document would have %zu bytes, more than the limit of %" PRIu64,
                             text.size, tree->limits.size);
                text_done(&text);
                return r;
        }
        *ret = text.data;
        if (ret_size)
                *ret_size = text.size;
        return 0;
}
