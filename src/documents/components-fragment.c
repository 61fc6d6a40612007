/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-fragment.c - one writer's part of the Backup Components Document: cut out, read at
 * the writer, and merged when it comes back. What comes back is not trusted: it is compared with
 * what was sent, and what differs is written again through the writer's own calls, which check it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "documents/components-document.h"
#include "documents/components-internal.h"
#include "documents/text.h"

DEFINE_CLEANUP(struct bcd *, bcd_free)

int bcd_fragment(const struct bcd *bcd, const struct vss_id *instance, char **ret, size_t *ret_size,
                 struct vss_error *reterr) {
        const struct vss_writer_components *writer = bcd_find_writer(bcd, instance);
        struct text text = { 0 };

        if (!writer)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "this writer has no component in the backup");
        tree_write_open(&text, bcd->tree.root, false);
        text_add(&text, ">", 1);
        tree_write_node(&text, writer->node);
        text_add(&text, "</", 2);
        text_add_string(&text, element_backup_components.name);
        text_add(&text, ">", 1);
        if (text.failed) {
                text_done(&text);
                return -ENOMEM;
        }
        *ret = text.data;
        if (ret_size)
                *ret_size = text.size;
        return 0;
}

static int load_fragment(const char *xml, size_t size, const struct document_limits *limits,
                         struct bcd **ret, struct vss_error *reterr) {
        _cleanup_(bcd_freep) struct bcd *bcd = NULL;
        int r = bcd_load(xml, size, limits, &bcd, reterr);

        if (r < 0)
                return r;
        if (bcd->count != 1)
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "a writer's part of the document has %zu writers in it",
                                bcd->count);
        *ret = take(bcd);
        return 0;
}

/* ---- at the writer ---- */

int writer_components_load(const char *xml, size_t size, const struct document_limits *limits,
                           const struct vss_examine_writer_metadata *metadata,
                           struct vss_writer_components **ret, struct vss_error *reterr) {
        struct bcd *bcd;
        int r = load_fragment(xml, size, limits, &bcd, reterr);

        if (r < 0)
                return r;
        bcd->writers[0]->metadata = metadata;
        *ret = bcd->writers[0]; /* owns its document: writer_components_free() */
        return 0;
}

struct vss_writer_components *writer_components_free(struct vss_writer_components *components) {
        if (components)
                bcd_free(components->bcd);
        return NULL;
}

void writer_components_set_event(struct vss_writer_components *components,
                                 enum component_event event) {
        components->event = event;
}

void writer_components_get_state(const struct vss_writer_components *components,
                                 struct bcd_state *ret) {
        bcd_get_state(components->bcd, ret);
}

bool writer_components_is_changed(const struct vss_writer_components *components) {
        return components->changed;
}

int writer_components_save(const struct vss_writer_components *components, char **ret,
                           size_t *ret_size, struct vss_error *reterr) {
        return bcd_save(components->bcd, ret, ret_size, reterr);
}

/* ---- back at the requester: comparing ---- */

static bool same_text(const char *a, const char *b) {
        return (a && b) ? strcmp(a, b) == 0 : a == b;
}

static bool same_values(const struct node *a, const struct node *b) {
        for (size_t i = 0; i < a->element->attribute_count; i++)
                if (!same_text(a->values[i], b->values[i]))
                        return false;
        return true;
}

static int lie(const struct node *component, const char *what, struct vss_error *reterr) {
        char words[TEXT_EXCERPT_SIZE];

        return vss_fail(reterr, VSS_E_UNEXPECTED_WRITER_ERROR,
                        "the writer changed %s of component '%s', which is not its own to change "
                        "in this event",
                        what, component_words(component, words));
}

static enum component_item item_of_slot(size_t slot) {
        switch (slot) {
        case CP_STAMP:
                return ITEM_STAMP;
        case CP_TARGET:
                return ITEM_TARGET;
        case CP_PREPARE_MESSAGE:
                return ITEM_PREPARE_MESSAGE;
        case CP_POST_SNAPSHOT_MESSAGE:
                return ITEM_POST_SNAPSHOT_MESSAGE;
        case CP_PRE_RESTORE_MESSAGE:
                return ITEM_PRE_RESTORE_MESSAGE;
        case CP_POST_RESTORE_MESSAGE:
                return ITEM_POST_RESTORE_MESSAGE;
        default:
                return ITEM_NONE;
        }
}

static enum component_item item_of_list(unsigned list) {
        static const enum component_item items[CP_LISTS] = {
                [CP_BACKUP_METADATA] = ITEM_BACKUP_METADATA,
                [CP_RESTORE_METADATA] = ITEM_RESTORE_METADATA,
                [CP_FAILURE] = ITEM_FAILURE,
                [CP_PARTIAL_FILES] = ITEM_PARTIAL_FILE,
                [CP_DIFFERENCED_FILES] = ITEM_DIFFERENCED_FILES,
                [CP_NEW_TARGETS] = ITEM_NONE,
                [CP_MAPPINGS] = ITEM_NONE,
                [CP_DIRECTED_TARGETS] = ITEM_DIRECTED_TARGET,
                [CP_SUBCOMPONENTS] = ITEM_NONE,
        };

        return items[list];
}

static int check_slots(const struct vss_component *ours, const struct node *theirs,
                       struct vss_error *reterr) {
        for (size_t i = 0; i < CP_SLOTS; i++)
                if (!same_text(ours->node->values[i], theirs->values[i]) &&
                    (!theirs->values[i] ||
                     !component_item_is_allowed(item_of_slot(i), ours->owner->event)))
                        return lie(ours->node, element_component.attributes[i].name, reterr);
        return 0;
}

static int check_entry(const struct vss_component *ours, unsigned list, const struct node *entry,
                       struct vss_error *reterr) {
        struct vss_directed_target target;

        switch (list) {
        case CP_PARTIAL_FILES:
                return component_check_partial_file(ours, node_text(entry, PF_PATH),
                                                    node_text(entry, PF_NAME),
                                                    node_text(entry, PF_RANGES), reterr);
        case CP_DIFFERENCED_FILES:
                return component_check_differenced(ours, file_triple_of(entry),
                                                   node_time(entry, DF_TIME), reterr);
        case CP_DIRECTED_TARGETS:
                directed_target_of(entry, &target);
                return component_check_directed(ours, &target, reterr);
        default:
                return 0;
        }
}

/* check_list() - what was there is there still; what is new is allowed here and well-formed */
static int check_list(const struct vss_component *ours, const struct node *theirs, unsigned list,
                      struct vss_error *reterr) {
        const char *what = element_component.children[list].element->name;
        size_t before = node_count(ours->node, list), after = node_count(theirs, list);
        bool allowed = component_item_is_allowed(item_of_list(list), ours->owner->event);
        bool replaceable = allowed && (list == CP_RESTORE_METADATA || list == CP_FAILURE);

        if (after < before || (after > before && !allowed))
                return lie(ours->node, what, reterr);
        for (size_t i = 0; i < before && !replaceable; i++)
                if (!same_values(node_get(ours->node, list, i), node_get(theirs, list, i)))
                        return lie(ours->node, what, reterr);
        for (size_t i = before; i < after; i++) {
                int r = check_entry(ours, list, node_get(theirs, list, i), reterr);

                if (r < 0 && r != -ENOMEM)
                        return vss_wrap(reterr, VSS_E_UNEXPECTED_WRITER_ERROR, "component '%s'",
                                        node_text(ours->node, CP_NAME));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_component(const struct vss_component *ours, const struct node *theirs,
                           enum bcd_merge what, struct vss_error *reterr) {
        int r;

        if (what == BCD_MERGE_FAILURES)
                return check_list(ours, theirs, CP_FAILURE, reterr);
        r = check_slots(ours, theirs, reterr);
        for (unsigned list = 0; list < CP_LISTS && r >= 0; list++)
                r = check_list(ours, theirs, list, reterr);
        return r;
}

static int check_frame(const struct vss_writer_components *ours,
                       const struct vss_writer_components *theirs, struct vss_error *reterr) {
        if (!same_values(ours->bcd->tree.root, theirs->bcd->tree.root) ||
            !same_values(ours->node, theirs->node) || ours->count != theirs->count)
                return vss_fail(reterr, VSS_E_UNEXPECTED_WRITER_ERROR,
                                "the writer sent back another document than the one it was given");
        for (size_t i = 0; i < ours->count; i++)
                for (size_t slot = CP_PATH; slot <= CP_TYPE; slot++)
                        if (!same_text(ours->components[i]->node->values[slot],
                                       theirs->components[i]->node->values[slot]))
                                return lie(ours->components[i]->node, "the identity", reterr);
        return 0;
}

/* ---- taking over; everything has been checked, only memory can run out ---- */

static int take_failure(struct vss_component *ours, const struct vss_component *theirs) {
        const struct node *new = node_get(theirs->node, CP_FAILURE, 0);
        const struct node *old = node_get(ours->node, CP_FAILURE, 0);
        int32_t failure, application;
        const char *message;

        if (!new || (old && same_values(old, new)))
                return 0;
        (void)vss_component_get_failure(theirs, &failure, &application, &message);
        return vss_component_set_failure(ours, failure, application, message);
}

static int take_slots(struct vss_component *ours, const struct node *theirs) {
        int r = 0;

        for (size_t i = 0; i < CP_SLOTS && r >= 0; i++) {
                if (same_text(ours->node->values[i], theirs->values[i]))
                        continue;
                if (i == CP_TARGET)
                        r = node_set_word(ours->node, i, node_word(theirs, i, VSS_RT_ORIGINAL),
                                          NULL);
                else
                        r = node_set_text(&ours->owner->bcd->tree, ours->node, i, theirs->values[i],
                                          NULL);
        }
        return r;
}

static int take_metadata(struct vss_component *ours, const struct vss_component *theirs) {
        const char *backup = vss_component_get_backup_metadata(theirs);
        const char *restore = vss_component_get_restore_metadata(theirs);
        int r = 0;

        if (!same_text(backup, vss_component_get_backup_metadata(ours)))
                r = vss_component_set_backup_metadata(ours, backup);
        if (r >= 0 && !same_text(restore, vss_component_get_restore_metadata(ours)))
                r = vss_component_set_restore_metadata(ours, restore);
        return r;
}

/* take_list() - new entries are copied slot by slot: they were read by the same rules */
static int take_list(struct vss_component *ours, const struct node *theirs, unsigned list) {
        struct tree *tree = &ours->owner->bcd->tree;
        int r = 0;

        for (size_t i = node_count(ours->node, list); i < node_count(theirs, list) && r >= 0; i++) {
                const struct node *entry = node_get(theirs, list, i);
                struct node *copy = node_new(tree, entry->element);

                if (!copy)
                        return -ENOMEM;
                for (size_t s = 0; s < entry->element->attribute_count && r >= 0; s++)
                        r = node_copy_value(tree, copy, entry, s);
                r = r < 0 ? r : node_append(tree, ours->node, copy);
        }
        return r;
}

static int take_component(struct vss_component *ours, const struct vss_component *theirs,
                          enum bcd_merge what) {
        static const unsigned lists[] = { CP_PARTIAL_FILES, CP_DIFFERENCED_FILES,
                                          CP_DIRECTED_TARGETS };
        int r = take_failure(ours, theirs);

        if (r < 0 || what == BCD_MERGE_FAILURES)
                return r;
        r = take_slots(ours, theirs->node);
        r = r < 0 ? r : take_metadata(ours, theirs);
        for (size_t i = 0; i < ELEMENTSOF(lists) && r >= 0; i++)
                r = take_list(ours, theirs->node, lists[i]);
        return r;
}

static int merge(struct vss_writer_components *ours, const struct vss_writer_components *theirs,
                 enum bcd_merge what, struct vss_error *reterr) {
        int r = check_frame(ours, theirs, reterr);

        for (size_t i = 0; i < ours->count && r >= 0; i++)
                r = check_component(ours->components[i], theirs->components[i]->node, what, reterr);
        for (size_t i = 0; i < ours->count && r >= 0; i++)
                r = take_component(ours->components[i], theirs->components[i], what);
        return r;
}

int bcd_merge(struct bcd *bcd, const struct vss_id *instance, enum component_event event,
              enum bcd_merge what, const char *xml, size_t size,
              const struct vss_examine_writer_metadata *metadata, struct vss_error *reterr) {
        struct vss_writer_components *ours = bcd_find_writer(bcd, instance);
        _cleanup_(bcd_freep) struct bcd *fragment = NULL;
        int r;

        if (!ours)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "this writer has no component in the backup");
        r = load_fragment(xml, size, &bcd->tree.limits, &fragment, reterr);
        if (r < 0)
                return r;
        ours->event = event;
        ours->metadata = metadata;
        r = merge(ours, fragment->writers[0], what, reterr);
        ours->event = COMPONENT_EVENT_NONE; /* the requester's own view stays read-only */
        ours->metadata = NULL;
        return r;
}
