/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * selectability.c - the four kinds of components (L-6..L-9).
 */
#include "documents/writer-metadata.h"

/* stops at the first selectable one; the nonselectable are stepped over (L-1) */
static bool is_not_selectable(void *userdata, struct node *node) {
        (void)userdata;
        return !node_bool(node, CO_SELECTABLE);
}

bool has_selectable_ancestor(const struct metadata *metadata, const struct node *node) {
        return !component_index_ancestors(&metadata->index, node_text(node, CO_PATH),
                                          is_not_selectable, NULL);
}

uint32_t component_classify(const struct metadata *metadata, const struct node *node) {
        bool selectable = node_bool(node, CO_SELECTABLE);

        if (has_selectable_ancestor(metadata, node))
                return selectable ? VSS_COMPONENT_OPTIONAL_SUB : VSS_COMPONENT_BOUND;
        return selectable ? VSS_COMPONENT_OPTIONAL : VSS_COMPONENT_REQUIRED;
}

uint32_t vss_examine_writer_metadata_classify(const struct vss_examine_writer_metadata *metadata,
                                              size_t component_index) {
        const struct node *node = metadata_component(&metadata->m, component_index);

        return node ? component_classify(&metadata->m, node) : VSS_COMPONENT_REQUIRED;
}

bool vss_examine_writer_metadata_is_below(const struct vss_examine_writer_metadata *metadata,
                                          size_t index, size_t ancestor) {
        const struct node *node = metadata_component(&metadata->m, index);
        const struct node *above = metadata_component(&metadata->m, ancestor);

        if (!node || !above)
                return false;
        return node == above ||
               (node_bool(above, CO_SELECTABLE) && component_is_ancestor(above, node));
}
