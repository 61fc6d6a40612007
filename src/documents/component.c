/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * component.c - the public getters of a component's entry, for both sides.
 */
#include <errno.h>

#include "documents/components-internal.h"

size_t vss_writer_components_get_component_count(const struct vss_writer_components *components) {
        return components->count;
}

struct vss_component *vss_writer_components_get_component(struct vss_writer_components *components,
                                                          size_t index) {
        return index < components->count ? components->components[index] : NULL;
}

void vss_writer_components_get_writer_info(const struct vss_writer_components *components,
                                           struct vss_id *ret_instance, struct vss_id *ret_writer) {
        if (ret_instance)
                *ret_instance = node_id(components->node, WC_INSTANCE);
        if (ret_writer)
                *ret_writer = node_id(components->node, WC_WRITER);
}

uint32_t vss_component_get_component_type(const struct vss_component *component) {
        return node_word(component->node, CP_TYPE, VSS_CT_UNDEFINED);
}

const char *vss_component_get_logical_path(const struct vss_component *component) {
        return node_text(component->node, CP_PATH);
}

const char *vss_component_get_component_name(const struct vss_component *component) {
        return node_text(component->node, CP_NAME);
}

bool vss_component_get_backup_succeeded(const struct vss_component *component) {
        return node_bool(component->node, CP_SUCCEEDED);
}

const char *vss_component_get_backup_options(const struct vss_component *component) {
        return node_text(component->node, CP_BACKUP_OPTIONS);
}

const char *vss_component_get_backup_stamp(const struct vss_component *component) {
        return node_text(component->node, CP_STAMP);
}

const char *vss_component_get_previous_backup_stamp(const struct vss_component *component) {
        return node_text(component->node, CP_PREVIOUS_STAMP);
}

const char *vss_component_get_backup_metadata(const struct vss_component *component) {
        return node_text(node_get(component->node, CP_BACKUP_METADATA, 0), MD_METADATA);
}

const char *vss_component_get_restore_metadata(const struct vss_component *component) {
        return node_text(node_get(component->node, CP_RESTORE_METADATA, 0), MD_METADATA);
}

const char *vss_component_get_restore_options(const struct vss_component *component) {
        return node_text(component->node, CP_RESTORE_OPTIONS);
}

const char *vss_component_get_restore_name(const struct vss_component *component) {
        return node_text(component->node, CP_RESTORE_NAME);
}

bool vss_component_is_selected_for_restore(const struct vss_component *component) {
        return node_bool(component->node, CP_SELECTED);
}

bool vss_component_get_additional_restores(const struct vss_component *component) {
        return node_bool(component->node, CP_ADDITIONAL);
}

bool vss_component_get_authoritative_restore(const struct vss_component *component) {
        return node_bool(component->node, CP_AUTHORITATIVE);
}

void vss_component_get_roll_forward(const struct vss_component *component, uint32_t *ret_type,
                                    const char **ret_point) {
        if (ret_type)
                *ret_type = node_word(component->node, CP_ROLL_TYPE, VSS_RF_UNDEFINED);
        if (ret_point)
                *ret_point = node_text(component->node, CP_ROLL_POINT);
}

uint32_t vss_component_get_file_restore_status(const struct vss_component *component) {
        return node_word(component->node, CP_STATUS, VSS_RS_UNDEFINED);
}

uint32_t vss_component_get_restore_target(const struct vss_component *component) {
        return node_word(component->node, CP_TARGET, VSS_RT_ORIGINAL);
}

const char *
vss_component_get_prepare_for_backup_failure_msg(const struct vss_component *component) {
        return node_text(component->node, CP_PREPARE_MESSAGE);
}

const char *vss_component_get_post_snapshot_failure_msg(const struct vss_component *component) {
        return node_text(component->node, CP_POST_SNAPSHOT_MESSAGE);
}

const char *vss_component_get_pre_restore_failure_msg(const struct vss_component *component) {
        return node_text(component->node, CP_PRE_RESTORE_MESSAGE);
}

const char *vss_component_get_post_restore_failure_msg(const struct vss_component *component) {
        return node_text(component->node, CP_POST_RESTORE_MESSAGE);
}

int vss_component_get_failure(const struct vss_component *component, int32_t *ret_failure,
                              int32_t *ret_application, const char **ret_message) {
        const struct node *node = node_get(component->node, CP_FAILURE, 0);

        if (ret_failure)
                *ret_failure = (int32_t)node_mask(node, FA_CODE, 0);
        if (ret_application)
                *ret_application = (int32_t)node_mask(node, FA_APPLICATION, 0);
        if (ret_message)
                *ret_message = node_text(node, FA_MESSAGE);
        return S_OK;
}

/* ---- lists ---- */

size_t vss_component_get_partial_file_count(const struct vss_component *component) {
        return node_count(component->node, CP_PARTIAL_FILES);
}

int vss_component_get_partial_file(const struct vss_component *component, size_t index,
                                   const char **ret_path, const char **ret_name,
                                   const char **ret_ranges, const char **ret_metadata) {
        const struct node *node = node_get(component->node, CP_PARTIAL_FILES, index);
        const char *metadata = node_text(node, PF_METADATA);

        if (!node)
                return VSS_E_OBJECT_NOT_FOUND;
        if (ret_path)
                *ret_path = node_text(node, PF_PATH);
        if (ret_name)
                *ret_name = node_text(node, PF_NAME);
        if (ret_ranges)
                *ret_ranges = node_text(node, PF_RANGES);
        if (ret_metadata)
                *ret_metadata = metadata ? metadata : ""; /* I-119 */
        return 0;
}

size_t vss_component_get_differenced_files_count(const struct vss_component *component) {
        return node_count(component->node, CP_DIFFERENCED_FILES);
}

int vss_component_get_differenced_file(const struct vss_component *component, size_t index,
                                       const char **ret_path, const char **ret_filespec,
                                       bool *ret_recursive, vss_timestamp_t *ret_time) {
        const struct node *node = node_get(component->node, CP_DIFFERENCED_FILES, index);

        if (!node)
                return VSS_E_OBJECT_NOT_FOUND;
        if (ret_path)
                *ret_path = node_text(node, DF_PATH);
        if (ret_filespec)
                *ret_filespec = node_text(node, DF_FILESPEC);
        if (ret_recursive)
                *ret_recursive = node_bool(node, DF_RECURSIVE);
        if (ret_time)
                *ret_time = node_time(node, DF_TIME);
        return 0;
}

size_t vss_component_get_new_target_count(const struct vss_component *component) {
        return node_count(component->node, CP_NEW_TARGETS);
}

const struct vss_wm_filedesc *vss_component_get_new_target(const struct vss_component *component,
                                                           size_t index) {
        return node_filedesc(node_get(component->node, CP_NEW_TARGETS, index));
}

size_t vss_component_get_alternate_location_mapping_count(const struct vss_component *component) {
        return node_count(component->node, CP_MAPPINGS);
}

const struct vss_wm_filedesc *
vss_component_get_alternate_location_mapping(const struct vss_component *component, size_t index) {
        return node_filedesc(node_get(component->node, CP_MAPPINGS, index));
}

size_t vss_component_get_directed_target_count(const struct vss_component *component) {
        return node_count(component->node, CP_DIRECTED_TARGETS);
}

void directed_target_of(const struct node *node, struct vss_directed_target *ret) {
        *ret = (struct vss_directed_target){
                .source_path = node_text(node, DT_SOURCE_PATH),
                .source_filename = node_text(node, DT_SOURCE_NAME),
                .source_ranges = node_text(node, DT_SOURCE_RANGES),
                .destination_path = node_text(node, DT_DESTINATION_PATH),
                .destination_filename = node_text(node, DT_DESTINATION_NAME),
                .destination_ranges = node_text(node, DT_DESTINATION_RANGES),
        };
}

int vss_component_get_directed_target(const struct vss_component *component, size_t index,
                                      struct vss_directed_target *ret) {
        const struct node *node = node_get(component->node, CP_DIRECTED_TARGETS, index);

        if (!node)
                return VSS_E_OBJECT_NOT_FOUND;
        directed_target_of(node, ret);
        return 0;
}

size_t vss_component_get_restore_subcomponent_count(const struct vss_component *component) {
        return node_count(component->node, CP_SUBCOMPONENTS);
}

int vss_component_get_restore_subcomponent(const struct vss_component *component, size_t index,
                                           const char **ret_logical_path, const char **ret_name) {
        const struct node *node = node_get(component->node, CP_SUBCOMPONENTS, index);

        if (!node)
                return VSS_E_OBJECT_NOT_FOUND;
        if (ret_logical_path)
                *ret_logical_path = node_text(node, RS_PATH);
        if (ret_name)
                *ret_name = node_text(node, RS_NAME);
        return 0;
}
