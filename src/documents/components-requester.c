/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components-requester.c - what a requester writes into a component's entry (D-56..D-78). When it
 * may do so is the requester half's business.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "documents/components-document.h"
#include "documents/components-internal.h"
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

static const char *skip_space(const char *p) {
        return p + strspn(p, " \t\r\n");
}

/* skip_quoted() - behind the closing quote, NULL when there is no quoted text */
static const char *skip_quoted(const char *p) {
        const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;

        return end ? end + 1 : NULL;
}

/* skip_pair() - pair = [ quoted ":" ] quoted "=" quoted */
static const char *skip_pair(const char *p) {
        p = skip_quoted(skip_space(p));
        p = p ? skip_space(p) : NULL;
        if (p && *p == ':') {
                p = skip_quoted(skip_space(p + 1));
                p = p ? skip_space(p) : NULL;
        }
        if (!p || *p != '=')
                return NULL;
        p = skip_quoted(skip_space(p + 1));
        return p ? skip_space(p) : NULL;
}

static bool is_option_list(const char *options) {
        const char *p = skip_pair(options);

        while (p && *p == ',')
                p = skip_pair(p + 1);
        return p && *p == '\0';
}

int bcd_set_restore_options(struct bcd *bcd, const struct vss_component_key *key,
                            const char *options, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (options && !is_option_list(options))
                return vss_fail(reterr, E_INVALIDARG,
                                "restore options must read \"Name\"=\"Value\", or "
                                "\"Component\": \"Name\"=\"Value\", with commas between, not '%s'",
                                text_excerpt(options, strlen(options), excerpt));
        return set_text(bcd, key, CP_RESTORE_OPTIONS, options, reterr);
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
