/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * examine-metadata.c - a Writer Metadata Document that is read: loading and the public getters.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "documents/backup-types.h"
#include "documents/text.h"
#include "documents/writer-metadata.h"

void metadata_done(struct metadata *metadata) {
        metadata->by_path = file_set_index_free(metadata->by_path);
        component_index_done(&metadata->index);
        tree_done(&metadata->tree);
}

static int duplicate_component(const struct node *node, struct vss_error *reterr) {
        struct text path = { 0 };
        char excerpt[TEXT_EXCERPT_SIZE];

        component_full_path(&path, node);
        (void)vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                       "the document declares component '%s' twice",
                       path.data ? text_excerpt(path.data, path.size, excerpt) : "?");
        text_done(&path);
        return VSS_E_INVALID_XML_DOCUMENT;
}

static size_t count_file_sets(const struct node *component) {
        return node_count(component, CO_FILES) + node_count(component, CO_DATABASE_FILES) +
               node_count(component, CO_LOGFILES);
}

static int metadata_index(struct metadata *metadata, struct vss_error *reterr) {
        const struct document_limits *limits = &metadata->tree.limits;
        size_t count = metadata_component_count(metadata);

        if (count > limits->components)
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "the writer declares %zu components, more than the limit of "
                                "%" PRIu64,
                                count, limits->components);
        for (size_t i = 0; i < count; i++) {
                struct node *node = node_get(metadata->locations, BL_COMPONENTS, i);
                int r = component_index_add(&metadata->index, node);

                if (r < 0)
                        return r == -ENOMEM ? r : duplicate_component(node, reterr);
                metadata->file_set_count += count_file_sets(node);
        }
        if (metadata->file_set_count > limits->file_sets)
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "the writer declares %zu file sets, more than the limit of "
                                "%" PRIu64,
                                metadata->file_set_count, limits->file_sets);
        return 0;
}

static int metadata_read(struct metadata *metadata, const char *xml, size_t size,
                         const struct document_limits *limits, struct vss_error *reterr) {
        int r = component_index_init(&metadata->index);

        if (r < 0)
                return r;
        r = tree_read(&metadata->tree, &element_writer_metadata, xml, size, limits, reterr);
        if (r < 0) {
                component_index_done(&metadata->index);
                return r;
        }
        metadata->identification = node_get(metadata->tree.root, WM_IDENTIFICATION, 0);
        metadata->restore_method = node_get(metadata->tree.root, WM_RESTORE_METHOD, 0);
        metadata->locations = node_get(metadata->tree.root, WM_BACKUP_LOCATIONS, 0);
        metadata->file_set_count = 0;
        metadata->by_path = file_set_index_new();
        r = metadata->by_path ? metadata_index(metadata, reterr) : -ENOMEM;
        if (r < 0)
                metadata_done(metadata);
        return r;
}

int examine_writer_metadata_load(const char *xml, size_t size, const struct document_limits *limits,
                                 struct vss_examine_writer_metadata **ret,
                                 struct vss_error *reterr) {
        _cleanup_free_ struct vss_examine_writer_metadata *metadata = calloc(1, sizeof(*metadata));
        int r;

        if (!metadata)
                return -ENOMEM;
        r = metadata_read(&metadata->m, xml, size, limits, reterr);
        if (r < 0)
                return r;
        *ret = take(metadata);
        return 0;
}

int vss_examine_writer_metadata_create(const char *xml, size_t size,
                                       struct vss_examine_writer_metadata **ret,
                                       struct vss_error *reterr) {
        return examine_writer_metadata_load(xml, size, NULL, ret, reterr);
}

struct vss_examine_writer_metadata *
vss_examine_writer_metadata_free(struct vss_examine_writer_metadata *metadata) {
        if (metadata) {
                metadata_done(&metadata->m);
                free(metadata);
        }
        return NULL;
}

int vss_examine_writer_metadata_load_from_xml(struct vss_examine_writer_metadata *metadata,
                                              const char *xml, size_t size,
                                              struct vss_error *reterr) {
        struct metadata loaded = { 0 };
        int r = metadata_read(&loaded, xml, size, &metadata->m.tree.limits, reterr);

        if (r < 0)
                return r;
        metadata_done(&metadata->m);
        metadata->m = loaded;
        return 0;
}

int vss_examine_writer_metadata_save_as_xml(const struct vss_examine_writer_metadata *metadata,
                                            char **ret, size_t *ret_size,
                                            struct vss_error *reterr) {
        return tree_save(&metadata->m.tree, ret, ret_size, reterr);
}

/* ---- the writer ---- */

void vss_examine_writer_metadata_get_identity(const struct vss_examine_writer_metadata *metadata,
                                              struct vss_writer_identity *ret) {
        const struct node *id = metadata->m.identification;

        *ret = (struct vss_writer_identity){
                .instance_id = node_id(id, ID_INSTANCE),
                .writer_id = node_id(id, ID_WRITER),
                .name = node_text(id, ID_NAME),
                .instance_name = node_text(id, ID_INSTANCE_NAME),
                .usage = node_word(id, ID_USAGE, VSS_UT_UNDEFINED),
                .source = node_word(id, ID_SOURCE, VSS_ST_UNDEFINED),
                .version_major = node_mask(id, ID_MAJOR, 0),
                .version_minor = node_mask(id, ID_MINOR, 0),
        };
}

void vss_examine_writer_metadata_get_version(const struct vss_examine_writer_metadata *metadata,
                                             uint32_t *ret_major, uint32_t *ret_minor) {
        *ret_major = node_mask(metadata->m.identification, ID_MAJOR, 0);
        *ret_minor = node_mask(metadata->m.identification, ID_MINOR, 0);
}

uint32_t
vss_examine_writer_metadata_get_backup_schema(const struct vss_examine_writer_metadata *metadata) {
        return node_mask(metadata->m.tree.root, WM_SCHEMA, VSS_BS_UNDEFINED);
}

int vss_examine_writer_metadata_get_restore_method(
        const struct vss_examine_writer_metadata *metadata, struct vss_restore_method *ret) {
        const struct node *node = metadata->m.restore_method;

        if (!node) {
                *ret = (struct vss_restore_method){ 0 };
                return S_FALSE;
        }
        *ret = (struct vss_restore_method){
                .method = node_word(node, RM_METHOD, VSS_RME_UNDEFINED),
                .service = node_text(node, RM_SERVICE),
                .user_procedure = node_text(node, RM_PROCEDURE),
                .writer_restore = node_word(node, RM_WRITER_RESTORE, VSS_WRE_UNDEFINED),
                .reboot_required = node_bool(node, RM_REBOOT),
                .mapping_count = node_count(node, RM_MAPPINGS),
        };
        return 0;
}

/* ---- lists ---- */

size_t metadata_component_count(const struct metadata *metadata) {
        return node_count(metadata->locations, BL_COMPONENTS);
}

const struct node *metadata_component(const struct metadata *metadata, size_t index) {
        return node_get(metadata->locations, BL_COMPONENTS, index);
}

void vss_examine_writer_metadata_get_file_counts(const struct vss_examine_writer_metadata *metadata,
                                                 size_t *ret_include, size_t *ret_exclude,
                                                 size_t *ret_components) {
        if (ret_include)
                *ret_include = node_count(metadata->m.locations, BL_INCLUDES);
        if (ret_exclude)
                *ret_exclude = node_count(metadata->m.locations, BL_EXCLUDES);
        if (ret_components)
                *ret_components = metadata_component_count(&metadata->m);
}

const struct vss_wm_filedesc *
vss_examine_writer_metadata_get_include_file(const struct vss_examine_writer_metadata *metadata,
                                             size_t index) {
        return node_filedesc(node_get(metadata->m.locations, BL_INCLUDES, index));
}

const struct vss_wm_filedesc *
vss_examine_writer_metadata_get_exclude_file(const struct vss_examine_writer_metadata *metadata,
                                             size_t index) {
        return node_filedesc(node_get(metadata->m.locations, BL_EXCLUDES, index));
}

size_t vss_examine_writer_metadata_get_exclude_from_snapshot_count(
        const struct vss_examine_writer_metadata *metadata) {
        return node_count(metadata->m.locations, BL_SNAPSHOT_EXCLUDES);
}

const struct vss_wm_filedesc *vss_examine_writer_metadata_get_exclude_from_snapshot_file(
        const struct vss_examine_writer_metadata *metadata, size_t index) {
        return node_filedesc(node_get(metadata->m.locations, BL_SNAPSHOT_EXCLUDES, index));
}

const struct vss_wm_filedesc *vss_examine_writer_metadata_get_alternate_location_mapping(
        const struct vss_examine_writer_metadata *metadata, size_t index) {
        return node_filedesc(node_get(metadata->m.restore_method, RM_MAPPINGS, index));
}

const struct vss_wm_component *
vss_examine_writer_metadata_get_component(const struct vss_examine_writer_metadata *metadata,
                                          size_t index) {
        return (const void *)metadata_component(&metadata->m, index);
}

/* ---- a component ---- */

uint32_t component_type_of(const struct node *component) {
        return component->element == &element_database ? VSS_CT_DATABASE : VSS_CT_FILEGROUP;
}

void vss_wm_component_get_component_info(const struct vss_wm_component *component,
                                         struct vss_component_info *ret) {
        const struct node *node = component_node(component);
        const struct blob *icon = (const void *)node_text(node, CO_ICON);

        *ret = (struct vss_component_info){
                .type = component_type_of(node),
                .logical_path = node_text(node, CO_PATH),
                .name = node_text(node, CO_NAME),
                .caption = node_text(node, CO_CAPTION),
                .icon = icon ? icon->data : NULL,
                .icon_size = icon ? icon->size : 0,
                .restore_metadata = node_bool(node, CO_RESTORE_METADATA),
                .notify_on_backup_complete = node_bool(node, CO_NOTIFY),
                .selectable = node_bool(node, CO_SELECTABLE),
                .selectable_for_restore = node_bool(node, CO_SELECTABLE_RESTORE),
                .flags = node_mask(node, CO_FLAGS, 0),
                .file_count = node_count(node, CO_FILES),
                .database_count = node_count(node, CO_DATABASE_FILES),
                .log_file_count = node_count(node, CO_LOGFILES),
                .dependency_count = node_count(node, CO_DEPENDENCIES),
        };
}

const struct vss_wm_filedesc *vss_wm_component_get_file(const struct vss_wm_component *component,
                                                        size_t index) {
        return node_filedesc(node_get(component_node(component), CO_FILES, index));
}

const struct vss_wm_filedesc *
vss_wm_component_get_database_file(const struct vss_wm_component *component, size_t index) {
        return node_filedesc(node_get(component_node(component), CO_DATABASE_FILES, index));
}

const struct vss_wm_filedesc *
vss_wm_component_get_database_log_file(const struct vss_wm_component *component, size_t index) {
        return node_filedesc(node_get(component_node(component), CO_LOGFILES, index));
}

const struct vss_wm_dependency *
vss_wm_component_get_dependency(const struct vss_wm_component *component, size_t index) {
        return (const void *)node_get(component_node(component), CO_DEPENDENCIES, index);
}

/* ---- a file set, a dependency ---- */

const char *vss_wm_filedesc_get_path(const struct vss_wm_filedesc *file) {
        return node_text(filedesc_node(file), FS_PATH);
}

const char *vss_wm_filedesc_get_filespec(const struct vss_wm_filedesc *file) {
        return node_text(filedesc_node(file), FS_FILESPEC);
}

bool vss_wm_filedesc_get_recursive(const struct vss_wm_filedesc *file) {
        return node_bool(filedesc_node(file), FS_RECURSIVE);
}

const char *vss_wm_filedesc_get_alternate_location(const struct vss_wm_filedesc *file) {
        return node_text(filedesc_node(file), FS_ALTERNATE);
}

uint32_t vss_wm_filedesc_get_backup_type_mask(const struct vss_wm_filedesc *file) {
        return node_mask(filedesc_node(file), FS_MASK, FILE_SET_MASK_DEFAULT);
}

static const struct node *dependency_node(const struct vss_wm_dependency *dependency) {
        return (const void *)dependency;
}

struct vss_id vss_wm_dependency_get_writer_id(const struct vss_wm_dependency *dependency) {
        return node_id(dependency_node(dependency), DE_WRITER);
}

const char *vss_wm_dependency_get_logical_path(const struct vss_wm_dependency *dependency) {
        return node_text(dependency_node(dependency), DE_PATH);
}

const char *vss_wm_dependency_get_component_name(const struct vss_wm_dependency *dependency) {
        return node_text(dependency_node(dependency), DE_NAME);
}

/* ---- two instances of a class ---- */

int examine_writer_metadata_check_conflict(const struct vss_examine_writer_metadata *first,
                                           const struct vss_examine_writer_metadata *second,
                                           struct vss_error *reterr) {
        struct vss_id a = node_id(first->m.identification, ID_WRITER);
        struct vss_id b = node_id(second->m.identification, ID_WRITER);
        char excerpt[TEXT_EXCERPT_SIZE];
        const char *name;

        if (!vss_id_equal(&a, &b))
                return 0;
        for (size_t i = 0; i < metadata_component_count(&second->m); i++) {
                const struct node *node = metadata_component(&second->m, i);

                name = node_text(node, CO_NAME);
                if (!component_index_find(&first->m.index, node_text(node, CO_PATH), name))
                        continue;
                return vss_fail(reterr, VSS_E_OBJECT_ALREADY_EXISTS,
                                "another instance of writer '%s' declares component '%s' too; "
                                "give the instances different logical paths",
                                node_text(second->m.identification, ID_NAME),
                                text_excerpt(name, strlen(name), excerpt));
        }
        return 0;
}
