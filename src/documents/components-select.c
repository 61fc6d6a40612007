/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-select.c - what gets into the Backup Components Document, and what comes along
 * without being in it (selectability.md).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "documents/components-document.h"
#include "documents/components-internal.h"
#include "documents/text.h"

#define MISSING_NAMED 16 /* missing components that a message names */

_Static_assert((int)RS_PATH == (int)CO_PATH && (int)RS_NAME == (int)CO_NAME,
               "restore subcomponents are compared like components");

/* ---- adding ---- */

static int make_writer(struct bcd *bcd, const struct vss_examine_writer_metadata *metadata,
                       struct node **ret, struct vss_error *reterr) {
        const struct node *id = metadata->m.identification;
        struct vss_id instance = node_id(id, ID_INSTANCE), class = node_id(id, ID_WRITER);
        struct tree *tree = &bcd->tree;
        struct node *node = node_new(tree, &element_writer_components);
        int r;

        if (!node)
                return -ENOMEM;
        r = node_set_id(tree, node, WC_INSTANCE, &instance);
        r = r < 0 ? r : node_set_id(tree, node, WC_WRITER, &class);
        r = r < 0 ? r
                  : node_set_text(tree, node, WC_INSTANCE_NAME, node_text(id, ID_INSTANCE_NAME),
                                  reterr);
        r = r < 0 ? r
                  : node_set_mask(tree, node, WC_SCHEMA,
                                  node_mask(metadata->m.tree.root, WM_SCHEMA, 0));
        if (r >= 0)
                *ret = node;
        return r;
}

static int find_declared(const struct vss_id *instance, const struct vss_component_key *key,
                         const struct vss_examine_writer_metadata *metadata,
                         const struct node **ret, struct vss_error *reterr) {
        struct vss_id own_instance = node_id(metadata->m.identification, ID_INSTANCE);
        struct vss_id own_class = node_id(metadata->m.identification, ID_WRITER);
        const char *writer = node_text(metadata->m.identification, ID_NAME);
        char excerpt[TEXT_EXCERPT_SIZE];
        const struct node *node;

        if (!key->name || !vss_id_equal(instance, &own_instance) ||
            !vss_id_equal(&key->writer_id, &own_class))
                return vss_fail(reterr, E_INVALIDARG,
                                "the component's name is missing, or its writer is not '%s'",
                                writer);
        node = component_index_find(&metadata->m.index, key->logical_path, key->name);
        if (!node || component_type_of(node) != key->type)
                return vss_fail(reterr, E_INVALIDARG,
                                "writer '%s' has no component '%s' of this type and logical path",
                                writer, text_excerpt(key->name, strlen(key->name), excerpt));
        *ret = node;
        return 0;
}

/* struct explicit_search - looks for an ancestor that is both selectable and explicit */
struct explicit_search {
        const struct vss_writer_components *writer;
        const struct node *found;
};

static bool is_not_explicit(void *userdata, struct node *node) {
        struct explicit_search *search = userdata;

        if (!node_bool(node, CO_SELECTABLE) ||
            !component_index_find(&search->writer->index, node_text(node, CO_PATH),
                                  node_text(node, CO_NAME)))
                return true;
        search->found = node;
        return false;
}

/* explicit_ancestor() - a member of selAnc that is in the document, NULL when none is */
static const struct node *explicit_ancestor(const struct vss_writer_components *writer,
                                            const struct metadata *metadata,
                                            const struct node *node) {
        struct explicit_search search = { writer, NULL };

        (void)component_index_ancestors(&metadata->index, node_text(node, CO_PATH), is_not_explicit,
                                        &search);
        return search.found;
}

static int check_selectable(const struct vss_writer_components *writer,
                            const struct metadata *metadata, const struct node *node,
                            struct vss_error *reterr) {
        char words[TEXT_EXCERPT_SIZE], above_words[TEXT_EXCERPT_SIZE];
        const struct node *above;

        (void)component_words(node, words);
        if (component_classify(metadata, node) == VSS_COMPONENT_BOUND)
                return vss_fail(reterr, E_INVALIDARG,
                                "component '%s' is not selectable; it comes along with the "
                                "selectable one above it (L-30)",
                                words);
        if (!writer)
                return 0;
        if (component_index_find(&writer->index, node_text(node, CO_PATH),
                                 node_text(node, CO_NAME)))
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "component '%s' was added before", words);
        above = explicit_ancestor(writer, metadata, node);
        if (above)
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "component '%s' comes along with '%s', which was added before",
                                words, component_words(above, above_words));
        if (node_bool(node, CO_SELECTABLE) &&
            component_index_find(&writer->above, node_text(node, CO_PATH),
                                 node_text(node, CO_NAME)))
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "a component below '%s' was added before; add one or the other",
                                words);
        return 0;
}

/* remember_above() - called for each ancestor of an explicit component */
static bool remember_above(void *userdata, struct node *ancestor) {
        struct vss_writer_components *writer = userdata;
        struct tree *tree = &writer->bcd->tree;
        struct node *copy;
        int r;

        if (!node_bool(ancestor, CO_SELECTABLE) ||
            component_index_find(&writer->above, node_text(ancestor, CO_PATH),
                                 node_text(ancestor, CO_NAME)))
                return true;
        copy = node_new(tree, &element_component);
        if (!copy)
                return false;
        tree->elements--; /* it will not be in the document */
        r = node_set_text(tree, copy, CP_PATH, node_text(ancestor, CO_PATH), NULL);
        r = r < 0 ? r : node_set_text(tree, copy, CP_NAME, node_text(ancestor, CO_NAME), NULL);
        r = r < 0 ? r : component_index_add(&writer->above, copy);
        return r >= 0;
}

static int remember_loaded(struct vss_writer_components *writer, const struct metadata *metadata) {
        for (size_t i = 0; i < writer->count && !writer->above_known; i++)
                if (!component_index_ancestors(&metadata->index,
                                               node_text(writer->components[i]->node, CP_PATH),
                                               remember_above, writer))
                        return -ENOMEM;
        writer->above_known = true;
        return 0;
}

static int add_explicit(struct vss_writer_components *writer, const struct metadata *metadata,
                        const struct node *declared, struct vss_error *reterr) {
        struct tree *tree = &writer->bcd->tree;
        struct node *node = node_new(tree, &element_component);
        const char *path = node_text(declared, CO_PATH);
        int r;

        if (!node)
                return -ENOMEM;
        r = node_set_text(tree, node, CP_PATH, path, reterr);
        r = r < 0 ? r : node_set_text(tree, node, CP_NAME, node_text(declared, CO_NAME), reterr);
        r = r < 0 ? r : node_set_word(node, CP_TYPE, component_type_of(declared), reterr);
        if (r >= 0 && !component_index_ancestors(&metadata->index, path, remember_above, writer))
                r = -ENOMEM;
        r = r < 0 ? r : writer_add_component(writer, node);
        return r;
}

int bcd_add_component(struct bcd *bcd, const struct vss_id *instance,
                      const struct vss_component_key *key,
                      const struct vss_examine_writer_metadata *metadata,
                      struct vss_error *reterr) {
        struct vss_writer_components *writer = bcd_find_writer(bcd, instance);
        const struct node *declared = NULL;
        struct node *node;
        int r;

        r = find_declared(instance, key, metadata, &declared, reterr);
        if (r >= 0 && writer)
                r = remember_loaded(writer, &metadata->m);
        if (r >= 0)
                r = check_selectable(writer, &metadata->m, declared, reterr);
        if (r >= 0 && !writer) {
                r = make_writer(bcd, metadata, &node, reterr);
                r = r < 0 ? r : bcd_append_writer(bcd, node, &writer);
        }
        return r < 0 ? r : add_explicit(writer, &metadata->m, declared, reterr);
}

int bcd_add_cleaner(struct bcd *bcd, const struct vss_examine_writer_metadata *metadata) {
        struct vss_writer_components *writer;
        struct node *node;
        int r;

        if (metadata_component_count(&metadata->m) > 0 ||
            vss_examine_writer_metadata_get_exclude_from_snapshot_count(metadata) == 0)
                return 0;
        r = make_writer(bcd, metadata, &node, NULL);
        r = r < 0 ? r : bcd_append_writer(bcd, node, &writer);
        return r < 0 ? r : 1;
}

/* ---- asking ---- */

int bcd_check_required(const struct bcd *bcd, const struct vss_id *instance,
                       const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr) {
        const struct vss_writer_components *writer = bcd_find_writer(bcd, instance);
        struct text missing = { 0 };
        size_t count = 0;

        if (!writer || writer->count == 0)
                return 0; /* it does not take part (L-10) */
        for (size_t i = 0; i < metadata_component_count(&metadata->m); i++) {
                const struct node *node = metadata_component(&metadata->m, i);
                char words[TEXT_EXCERPT_SIZE];

                if (node_bool(node, CO_SELECTABLE) ||
                    component_index_find(&writer->index, node_text(node, CO_PATH),
                                         node_text(node, CO_NAME)) ||
                    has_selectable_ancestor(&metadata->m, node))
                        continue;
                if (count++ >= MISSING_NAMED)
                        continue;
                text_add_string(&missing, count > 1 ? ", '" : "'");
                text_add_string(&missing, component_words(node, words));
                text_add_string(&missing, "'");
        }
        if (count > 0)
                (void)vss_fail(reterr, VSS_E_BAD_STATE,
                               "writer '%s' takes part, so these components must be added too: "
                               "%s%s",
                               node_text(metadata->m.identification, ID_NAME),
                               missing.failed ? "(out of memory)" : missing.data,
                               count > MISSING_NAMED ? " and more" : "");
        text_done(&missing);
        return count > 0 ? VSS_E_BAD_STATE : 0;
}

/* standing_for() - the document's entry that component @node of @metadata belongs to: its own or
 * that of a selectable ancestor; NULL when it is not backed up */
static const struct node *standing_for(const struct vss_writer_components *writer,
                                       const struct metadata *metadata, const struct node *node) {
        const struct node *entry = component_index_find(&writer->index, node_text(node, CO_PATH),
                                                        node_text(node, CO_NAME));
        const struct node *above = entry ? NULL : explicit_ancestor(writer, metadata, node);

        return above ? component_index_find(&writer->index, node_text(above, CO_PATH),
                                            node_text(above, CO_NAME))
                     : entry;
}

bool bcd_is_included(const struct bcd *bcd, const struct vss_examine_writer_metadata *metadata,
                     size_t index) {
        const struct vss_writer_components *writer = bcd_find_metadata_writer(bcd, metadata);
        const struct node *node = metadata_component(&metadata->m, index);

        return writer && node && standing_for(writer, &metadata->m, node);
}

struct vss_component *bcd_get_entry_of(const struct bcd *bcd,
                                       const struct vss_examine_writer_metadata *metadata,
                                       size_t index) {
        const struct vss_writer_components *writer = bcd_find_metadata_writer(bcd, metadata);
        const struct node *node = metadata_component(&metadata->m, index);
        const struct node *entry = writer && node ? standing_for(writer, &metadata->m, node) : NULL;

        for (size_t i = 0; entry && i < writer->count; i++)
                if (writer->components[i]->node == entry)
                        return writer->components[i];
        return NULL;
}

static bool same_component(const struct node *a, const struct node *b) {
        return component_same_path(node_text(a, CO_PATH), node_text(b, CO_PATH)) &&
               strcmp(node_text(a, CO_NAME), node_text(b, CO_NAME)) == 0;
}

bool bcd_is_restored(const struct bcd *bcd, const struct vss_examine_writer_metadata *metadata,
                     size_t index) {
        const struct vss_writer_components *writer = bcd_find_metadata_writer(bcd, metadata);
        const struct node *node = metadata_component(&metadata->m, index);
        const struct node *entry = writer && node ? standing_for(writer, &metadata->m, node) : NULL;

        if (!entry || !node_bool(entry, CP_SELECTED))
                return false;
        if (node_count(entry, CP_SUBCOMPONENTS) == 0)
                return true;
        for (size_t i = 0; i < node_count(entry, CP_SUBCOMPONENTS); i++) {
                const struct node *sub = node_get(entry, CP_SUBCOMPONENTS, i);

                if (same_component(sub, node) || component_is_ancestor(sub, node))
                        return true;
        }
        return false;
}

/* ---- restoring a part of a set ---- */

static int check_subcomponent(const struct vss_component *ancestor, const char *logical_path,
                              const char *name, const struct metadata *metadata,
                              struct vss_error *reterr) {
        const struct node *sub = component_index_find(&metadata->index, logical_path, name);
        const struct node *above = sub ? explicit_ancestor(ancestor->owner, metadata, sub) : NULL;
        char words[TEXT_EXCERPT_SIZE];

        if (!above || !same_component(above, ancestor->node))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "no component '%s' was backed up as a part of '%s'",
                                text_excerpt(name, strlen(name), words),
                                node_text(ancestor->node, CP_NAME));
        if (!node_bool(sub, CO_SELECTABLE_RESTORE))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "component '%s' cannot be restored alone: it is not selectable "
                                "for restore",
                                component_words(sub, words));
        return 0;
}

int bcd_add_restore_subcomponent(struct bcd *bcd, const struct vss_component_key *key,
                                 const char *logical_path, const char *name,
                                 const struct vss_examine_writer_metadata *metadata,
                                 struct vss_error *reterr) {
        struct vss_component ancestor;
        struct node *node;
        int r;

        if (!logical_path || !name)
                return vss_fail(reterr, E_INVALIDARG,
                                "a subcomponent needs its logical path and its name (R-24)");
        r = bcd_find_component(bcd, key, &ancestor, reterr);
        if (r < 0)
                return r;
        if (!component_is_path_below(ancestor.node, logical_path))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "logical path '%s' is not below component '%s'", logical_path,
                                node_text(ancestor.node, CP_NAME));
        r = metadata ? check_subcomponent(&ancestor, logical_path, name, &metadata->m, reterr) : 0;
        if (r < 0)
                return r;
        if (!node_bool(ancestor.node, CP_SELECTED))
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "select component '%s' for restore before a part of it (R-23)",
                                node_text(ancestor.node, CP_NAME));
        node = node_new(&bcd->tree, &element_restore_subcomponent);
        if (!node)
                return -ENOMEM;
        r = node_set_text(&bcd->tree, node, RS_PATH, logical_path, reterr);
        r = r < 0 ? r : node_set_text(&bcd->tree, node, RS_NAME, name, reterr);
        for (size_t i = 0; r >= 0 && i < node_count(ancestor.node, CP_SUBCOMPONENTS); i++)
                if (same_component(node_get(ancestor.node, CP_SUBCOMPONENTS, i), node))
                        r = vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                     "subcomponent '%s' was added before", name);
        return r < 0 ? r : node_append(&bcd->tree, ancestor.node, node);
}
