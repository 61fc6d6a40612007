/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-requester.c - what a requester writes into a component's entry (D-56..D-78). When it
 * may do so is the requester half's business.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "documents/components-document.h"
#include "documents/components-internal.h"
#include "documents/restore-options.h"
#include "documents/text.h"

static int set_text(struct bcd *bcd, const struct vss_component_key *key, size_t slot,
                    const char *text, struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        if (!text)
                return vss_fail(reterr, E_INVALIDARG, "%s is missing",
                                element_component.attributes[slot].name);
        return node_set_text(&bcd->tree, component.node, slot, text, reterr);
}

static int set_bool(struct bcd *bcd, const struct vss_component_key *key, size_t slot, bool value,
                    struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        return r < 0 ? r : node_set_bool(component.node, slot, value);
}

int bcd_set_backup_options(struct bcd *bcd, const struct vss_component_key *key,
                           const char *options, struct vss_error *reterr) {
        return set_text(bcd, key, CP_BACKUP_OPTIONS, options, reterr);
}

int bcd_set_previous_backup_stamp(struct bcd *bcd, const struct vss_component_key *key,
                                  const char *stamp, struct vss_error *reterr) {
        return set_text(bcd, key, CP_PREVIOUS_STAMP, stamp, reterr);
}

int bcd_set_backup_succeeded(struct bcd *bcd, const struct vss_id *instance,
                             const struct vss_component_key *key, bool succeeded,
                             struct vss_error *reterr) {
        struct vss_component component;
        struct vss_id id;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        id = node_id(component.owner->node, WC_INSTANCE);
        if (instance && !vss_id_equal(instance, &id))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "component '%s' was added for another instance of its writer",
                                key->name);
        return node_set_bool(component.node, CP_SUCCEEDED, succeeded);
}

int bcd_set_additional_restores(struct bcd *bcd, const struct vss_component_key *key,
                                bool additional, struct vss_error *reterr) {
        return set_bool(bcd, key, CP_ADDITIONAL, additional, reterr);
}

int bcd_set_authoritative_restore(struct bcd *bcd, const struct vss_component_key *key,
                                  bool authoritative, struct vss_error *reterr) {
        return set_bool(bcd, key, CP_AUTHORITATIVE, authoritative, reterr);
}

int bcd_set_restore_name(struct bcd *bcd, const struct vss_component_key *key, const char *name,
                         struct vss_error *reterr) {
        return set_text(bcd, key, CP_RESTORE_NAME, name, reterr);
}

int bcd_set_file_restore_status(struct bcd *bcd, const struct vss_component_key *key,
                                uint32_t status, struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        return r < 0 ? r : node_set_word(component.node, CP_STATUS, status, reterr);
}

int bcd_set_roll_forward(struct bcd *bcd, const struct vss_component_key *key, uint32_t type,
                         const char *point, struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        if (type == VSS_RF_UNDEFINED)
                return vss_fail(reterr, E_INVALIDARG, "the kind of roll-forward must be given");
        if (type == VSS_RF_PARTIAL && (!point || !*point))
                return vss_fail(reterr, E_INVALIDARG,
                                "a partial roll-forward needs the point to stop at (R-45)");
        if (!words_text(element_component.attributes[CP_ROLL_TYPE].words, type))
                return vss_fail(reterr, E_INVALIDARG, "there is no roll-forward %" PRIu32, type);
        r = node_set_text(&bcd->tree, component.node, CP_ROLL_POINT,
                          type == VSS_RF_PARTIAL ? point : NULL, reterr);
        return r < 0 ? r : node_set_word(component.node, CP_ROLL_TYPE, type, reterr);
}

/* ---- selection ---- */

int bcd_set_selected_for_restore(struct bcd *bcd, const struct vss_component_key *key,
                                 bool selected, const struct vss_id *instance,
                                 struct vss_error *reterr) {
        bool moved = instance && !vss_id_is_null(instance);
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        if (moved && !(writer_schema(component.owner) & VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE))
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                                "the writer of component '%s' cannot restore it into another "
                                "instance (R-29)",
                                key->name);
        r = moved ? node_set_id(&bcd->tree, component.node, CP_SELECTED_INSTANCE, instance)
                  : node_set_text(&bcd->tree, component.node, CP_SELECTED_INSTANCE, NULL, NULL);
        return r < 0 ? r : node_set_bool(component.node, CP_SELECTED, selected);
}

struct vss_id bcd_get_selected_instance(const struct bcd *bcd,
                                        const struct vss_component_key *key) {
        struct vss_component component;

        if (bcd_find_component(bcd, key, &component, NULL) < 0)
                return (struct vss_id){ { 0 } };
        return node_id(component.node, CP_SELECTED_INSTANCE);
}

/* ---- restore options ---- */

int bcd_set_restore_options(struct bcd *bcd, const struct vss_component_key *key,
                            const char *options, struct vss_error *reterr) {
        struct vss_restore_options *parsed;
        int r = options ? vss_restore_options_parse(options, &parsed, reterr) : 0;

        if (r < 0)
                return r;
        if (options)
                vss_restore_options_free(parsed);
        return set_text(bcd, key, CP_RESTORE_OPTIONS, options, reterr);
}

/* what differs of "which" and how it is told; NULL when there is nothing more to look at */
static const char *contradiction(const struct vss_component *c,
                                 const struct vss_restore_options *options, size_t which,
                                 const char **ret_value) {
        const struct restore_choice typed = {
                .has_authoritative = node_text(c->node, CP_AUTHORITATIVE) != NULL,
                .authoritative = node_bool(c->node, CP_AUTHORITATIVE),
                .roll_forward = node_word(c->node, CP_ROLL_TYPE, VSS_RF_UNDEFINED),
                .point = node_text(c->node, CP_ROLL_POINT),
                .name = node_text(c->node, CP_RESTORE_NAME),
        };

        return restore_options_contradict(options, node_text(c->node, CP_PATH),
                                          node_text(c->node, CP_NAME), &typed, which, ret_value);
}

int bcd_each_contradiction(const struct vss_component *component, bcd_contradiction_t tell,
                           void *userdata) {
        static const char *const calls[] = { "SetAuthoritativeRestore", "SetRollForward",
                                             "SetRestoreName" };
        const char *text = node_text(component->node, CP_RESTORE_OPTIONS), *name, *value;
        struct vss_restore_options *options;
        int r = text ? vss_restore_options_parse(text, &options, NULL) : 0;

        if (r < 0 || !text)
                return r;
        for (size_t i = 0; (name = contradiction(component, options, i, &value)); i++)
                if (*name)
                        tell(userdata, component, calls[i], name, value);
        vss_restore_options_free(options);
        return 0;
}

struct vss_component *bcd_get_component(const struct bcd *bcd,
                                        const struct vss_component_key *key) {
        struct vss_component found;

        if (bcd_find_component(bcd, key, &found, NULL) < 0)
                return NULL;
        for (size_t i = 0; i < found.owner->count; i++)
                if (found.owner->components[i]->node == found.node)
                        return found.owner->components[i];
        return NULL;
}

uint32_t writer_components_get_schema(const struct vss_writer_components *writer) {
        return writer_schema(writer);
}

const char *writer_components_get_instance_name(const struct vss_writer_components *writer) {
        return node_text(writer->node, WC_INSTANCE_NAME);
}

struct vss_writer_components *component_get_owner(const struct vss_component *component) {
        return component->owner;
}

/* ---- places ---- */

int bcd_set_ranges_file_path(struct bcd *bcd, const struct vss_component_key *key, size_t index,
                             const char *path, struct vss_error *reterr) {
        struct vss_component component;
        struct node *partial;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        if (!path || path[0] != '/')
                return vss_fail(reterr, E_INVALIDARG, "a ranges file needs an absolute path");
        partial = node_get(component.node, CP_PARTIAL_FILES, index);
        if (!partial)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "component '%s' has %zu partial files, none of index %zu",
                                key->name, node_count(component.node, CP_PARTIAL_FILES), index);
        return node_set_text(&bcd->tree, partial, PF_RANGES, path, reterr);
}

int bcd_set_deferred(struct bcd *bcd, const struct vss_component_key *key,
                     struct vss_error *reterr) {
        static const char entry[] = "deferred=yes";
        _cleanup_free_ char *text = NULL;
        struct vss_component component;
        struct node *metadata;
        const char *said;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        metadata = node_get(component.node, CP_RESTORE_METADATA, 0);
        said = metadata ? node_text(metadata, MD_METADATA) : NULL;
        if (asprintf(&text, "%s%s%s", said ? said : "", said && *said ? ";" : "", entry) < 0) {
                text = NULL;
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (metadata)
                return node_set_text(&bcd->tree, metadata, MD_METADATA, text, reterr);
        metadata = node_new(&bcd->tree, &element_restore_metadata);
        if (!metadata)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        r = node_set_text(&bcd->tree, metadata, MD_METADATA, text, reterr);
        return r < 0 ? r : node_append(&bcd->tree, component.node, metadata);
}

/* check_from() - the triple must be a file set of the component's set, exactly */
static int check_from(const struct vss_component *component, const struct vss_file_set *from,
                      const struct metadata *metadata, struct vss_error *reterr) {
        struct file_triple triple = { from->path, from->filespec, from->recursive };
        const struct node *declared =
                component_index_find(&metadata->index, node_text(component->node, CP_PATH),
                                     node_text(component->node, CP_NAME));
        const struct node *found = NULL;
        char path[TEXT_EXCERPT_SIZE], spec[TEXT_EXCERPT_SIZE];
        int r = declared ? component_find_set(metadata, declared, triple, &found) : 0;

        if (r < 0 || found)
                return r;
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "'%s', '%s'%s is no file set of component '%s' or its subcomponents",
                        text_excerpt(from->path, strlen(from->path), path),
                        text_excerpt(from->filespec, strlen(from->filespec), spec),
                        from->recursive ? " with all below" : "",
                        node_text(component->node, CP_NAME));
}

static int add_mapping(struct bcd *bcd, const struct vss_component *component,
                       const struct element *element, const struct vss_file_set *from,
                       const char *destination, const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr) {
        struct node *node;
        int r = file_path_check("path", from->path, reterr);

        r = r < 0 ? r : filespec_check(from->filespec, reterr);
        r = r < 0 ? r : file_path_check("destination", destination, reterr);
        if (r >= 0 && metadata)
                r = check_from(component, from, &metadata->m, reterr);
        if (r < 0)
                return r;
        node = node_new(&bcd->tree, element);
        if (!node)
                return -ENOMEM;
        r = node_set_text(&bcd->tree, node, FS_PATH, from->path, reterr);
        r = r < 0 ? r : node_set_text(&bcd->tree, node, FS_FILESPEC, from->filespec, reterr);
        r = r < 0 ? r : node_set_bool(node, FS_RECURSIVE, from->recursive);
        r = r < 0 ? r : node_set_text(&bcd->tree, node, FS_ALTERNATE, destination, reterr);
        return r < 0 ? r : node_append(&bcd->tree, component->node, node);
}

int bcd_add_new_target(struct bcd *bcd, const struct vss_component_key *key,
                       const struct vss_file_set *from, const char *destination,
                       const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        if (r < 0)
                return r;
        if (!(writer_schema(component.owner) & VSS_BS_WRITER_SUPPORTS_NEW_TARGET))
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                                "the writer of component '%s' cannot restore to a new place "
                                "(R-83)",
                                key->name);
        return add_mapping(bcd, &component, &element_new_target, from, destination, metadata,
                           reterr);
}

int bcd_add_alternative_location_mapping(struct bcd *bcd, const struct vss_component_key *key,
                                         const struct vss_file_set *from, const char *destination,
                                         const struct vss_examine_writer_metadata *metadata,
                                         struct vss_error *reterr) {
        struct vss_component component;
        int r = bcd_find_component(bcd, key, &component, reterr);

        return r < 0 ? r
                     : add_mapping(bcd, &component, &element_mapping_used, from, destination,
                                   metadata, reterr);
}
