/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-document.c - the Backup Components Document as a whole: loading, the global state,
 * and which components are in it.
 */
#include "documents/components-document.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "documents/components-internal.h"
#include "documents/text.h"

static struct vss_writer_components *writer_free(struct vss_writer_components *writer) {
        if (writer) {
                component_index_done(&writer->index);
                component_index_done(&writer->above);
                free(writer->components);
                free(writer);
        }
        return NULL;
}
DEFINE_CLEANUP(struct vss_writer_components *, writer_free)

struct bcd *bcd_free(struct bcd *bcd) {
        if (bcd) {
                for (size_t i = 0; i < bcd->count; i++)
                        writer_free(bcd->writers[i]);
                free(bcd->writers);
                map_done(&bcd->by_instance);
                tree_done(&bcd->tree);
                free(bcd);
        }
        return NULL;
}
DEFINE_CLEANUP(struct bcd *, bcd_free)

char *component_words(const struct node *component, char *buffer) {
        struct text path = { 0 };

        component_full_path(&path, component);
        (void)text_excerpt(path.failed ? "" : path.data, path.failed ? 0 : path.size, buffer);
        text_done(&path);
        return buffer;
}

/* ---- finding ---- */

static uint64_t hash_id(const struct map *map, const struct vss_id *id) {
        return map_hash_end(map_hash(map, map_hash_start(map), id->bytes, sizeof(id->bytes)));
}

static bool matches_instance(const void *value, const void *wanted) {
        struct vss_id id =
                node_id(((const struct vss_writer_components *)value)->node, WC_INSTANCE);

        return vss_id_equal(&id, wanted);
}

struct vss_writer_components *bcd_find_writer(const struct bcd *bcd,
                                              const struct vss_id *instance) {
        union {
                const void *lent;
                struct vss_writer_components *writer;
        } found = { map_find(&bcd->by_instance, hash_id(&bcd->by_instance, instance),
                             matches_instance, instance) };

        return found.writer;
}

static struct vss_id writer_class(const struct vss_writer_components *writer) {
        return node_id(writer->node, WC_WRITER);
}

uint32_t writer_schema(const struct vss_writer_components *writer) {
        return node_mask(writer->node, WC_SCHEMA, VSS_BS_UNDEFINED);
}

int bcd_find_component(const struct bcd *bcd, const struct vss_component_key *key,
                       struct vss_component *ret, struct vss_error *reterr) {
        const char *name = key->name ? key->name : "";
        char excerpt[TEXT_EXCERPT_SIZE];

        for (size_t i = 0; i < bcd->count; i++) {
                struct vss_id id = writer_class(bcd->writers[i]);
                struct node *node;

                if (!vss_id_equal(&id, &key->writer_id))
                        continue;
                node = component_index_find(&bcd->writers[i]->index, key->logical_path, name);
                if (!node || node_word(node, CP_TYPE, VSS_CT_UNDEFINED) != key->type)
                        continue;
                *ret = (struct vss_component){ bcd->writers[i], node };
                return 0;
        }
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "component '%s' of this type and logical path was not added to the "
                        "backup",
                        text_excerpt(name, strlen(name), excerpt));
}

struct vss_writer_components *
bcd_find_metadata_writer(const struct bcd *bcd,
                         const struct vss_examine_writer_metadata *metadata) {
        struct vss_id instance = node_id(metadata->m.identification, ID_INSTANCE);
        struct vss_id class = node_id(metadata->m.identification, ID_WRITER);
        struct vss_writer_components *writer = bcd_find_writer(bcd, &instance);

        for (size_t i = 0; !writer && i < bcd->count; i++) {
                struct vss_id id = writer_class(bcd->writers[i]);

                if (vss_id_equal(&id, &class))
                        writer = bcd->writers[i];
        }
        return writer;
}

/* ---- making and loading ---- */

static int writer_add_handle(struct vss_writer_components *writer, struct node *node) {
        struct vss_component *component;
        int r = ARRAY_RESERVE(&writer->components, writer->count, &writer->capacity);

        if (r < 0)
                return r;
        component = arena_alloc(&writer->bcd->tree.arena, sizeof(*component));
        if (!component)
                return -ENOMEM;
        *component = (struct vss_component){ writer, node };
        r = component_index_add(&writer->index, node);
        if (r < 0)
                return r;
        writer->components[writer->count++] = component;
        return 0;
}

static int bcd_add_writer(struct bcd *bcd, struct node *node, struct vss_writer_components **ret) {
        _cleanup_(writer_freep) struct vss_writer_components *writer = calloc(1, sizeof(*writer));
        struct vss_id instance = node_id(node, WC_INSTANCE);
        int r;

        if (!writer)
                return -ENOMEM;
        writer->bcd = bcd;
        writer->node = node;
        r = component_index_init(&writer->index);
        if (r >= 0)
                r = component_index_init(&writer->above);
        if (r >= 0)
                r = ARRAY_RESERVE(&bcd->writers, bcd->count, &bcd->capacity);
        if (r >= 0)
                r = map_add(&bcd->by_instance, hash_id(&bcd->by_instance, &instance), writer);
        if (r < 0)
                return r;
        *ret = writer;
        bcd->writers[bcd->count++] = take(writer);
        return 0;
}

int bcd_append_writer(struct bcd *bcd, struct node *node, struct vss_writer_components **ret) {
        int r = bcd_add_writer(bcd, node, ret);

        return r < 0 ? r : node_append(&bcd->tree, bcd->tree.root, node);
}

int writer_add_component(struct vss_writer_components *writer, struct node *node) {
        int r = writer_add_handle(writer, node);

        return r < 0 ? r : node_append(&writer->bcd->tree, writer->node, node);
}

static int index_writer(struct bcd *bcd, struct node *node, struct vss_error *reterr) {
        struct vss_id instance = node_id(node, WC_INSTANCE);
        struct vss_writer_components *writer;
        char words[TEXT_EXCERPT_SIZE];
        int r;

        if (bcd_find_writer(bcd, &instance))
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "the document has two WRITER_COMPONENTS of instance %s",
                                node_text(node, WC_INSTANCE));
        r = bcd_add_writer(bcd, node, &writer);
        for (size_t i = 0; i < node_count(node, WC_COMPONENTS) && r >= 0; i++) {
                struct node *component = node_get(node, WC_COMPONENTS, i);

                r = writer_add_handle(writer, component);
                if (r == VSS_E_OBJECT_ALREADY_EXISTS)
                        return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                        "the document has component '%s' twice",
                                        component_words(component, words));
        }
        return r;
}

int bcd_load(const char *xml, size_t size, const struct document_limits *limits, struct bcd **ret,
             struct vss_error *reterr) {
        _cleanup_(bcd_freep) struct bcd *bcd = calloc(1, sizeof(*bcd));
        int r;

        if (!bcd)
                return -ENOMEM;
        r = map_init(&bcd->by_instance);
        if (r >= 0)
                r = tree_read(&bcd->tree, &element_backup_components, xml, size, limits, reterr);
        for (size_t i = 0; r >= 0 && i < node_count(bcd->tree.root, BC_WRITERS); i++)
                r = index_writer(bcd, node_get(bcd->tree.root, BC_WRITERS, i), reterr);
        if (r < 0)
                return r;
        *ret = take(bcd);
        return 0;
}

int bcd_new(struct bcd **ret) {
        _cleanup_(bcd_freep) struct bcd *bcd = calloc(1, sizeof(*bcd));
        int r;

        if (!bcd)
                return -ENOMEM;
        r = map_init(&bcd->by_instance);
        if (r >= 0)
                r = tree_init(&bcd->tree, &element_backup_components, NULL);
        if (r >= 0)
                r = node_set_text(&bcd->tree, bcd->tree.root, BC_VERSION, DOCUMENT_VERSION, NULL);
        if (r < 0)
                return r;
        *ret = take(bcd);
        return 0;
}

int bcd_save(const struct bcd *bcd, char **ret, size_t *ret_size, struct vss_error *reterr) {
        return tree_save(&bcd->tree, ret, ret_size, reterr);
}

/* ---- global items ---- */

void bcd_get_state(const struct bcd *bcd, struct bcd_state *ret) {
        const struct node *root = bcd->tree.root;

        *ret = (struct bcd_state){
                .select_components = node_bool(root, BC_SELECT),
                .bootable_system_state = node_bool(root, BC_BOOTABLE),
                .partial_file_support = node_bool(root, BC_PARTIAL),
                .backup_type = node_word(root, BC_BACKUP_TYPE, VSS_BT_UNDEFINED),
                .restore_type = node_word(root, BC_RESTORE_TYPE, VSS_RTYPE_UNDEFINED),
                .snapshot_set_id = node_id(root, BC_SNAPSHOT_SET),
        };
}

int bcd_set_backup_state(struct bcd *bcd, bool select_components, bool bootable_system_state,
                         uint32_t backup_type, bool partial_file_support,
                         struct vss_error *reterr) {
        struct node *root = bcd->tree.root;
        int r;

        if (backup_type == VSS_BT_UNDEFINED)
                return vss_fail(reterr, E_INVALIDARG, "the backup type must be given");
        r = node_set_word(root, BC_BACKUP_TYPE, backup_type, reterr);
        if (r < 0)
                return r;
        (void)node_set_bool(root, BC_SELECT, select_components);
        (void)node_set_bool(root, BC_BOOTABLE, bootable_system_state);
        (void)node_set_bool(root, BC_PARTIAL, partial_file_support);
        return 0;
}

int bcd_set_restore_state(struct bcd *bcd, uint32_t restore_type, struct vss_error *reterr) {
        return node_set_word(bcd->tree.root, BC_RESTORE_TYPE, restore_type, reterr);
}

int bcd_set_snapshot_set_id(struct bcd *bcd, const struct vss_id *id) {
        return node_set_id(&bcd->tree, bcd->tree.root, BC_SNAPSHOT_SET, id);
}

size_t bcd_get_writer_count(const struct bcd *bcd) {
        return bcd->count;
}

struct vss_writer_components *bcd_get_writer(struct bcd *bcd, size_t index) {
        return index < bcd->count ? bcd->writers[index] : NULL;
}
