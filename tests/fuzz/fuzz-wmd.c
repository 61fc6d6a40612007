/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-wmd.c - whatever loads as a Writer Metadata Document must save, load again and save equal;
 * every getter may be called on it (SEC-33).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "documents/create-metadata.h"
#include "documents/limits.h"
#include "vss/documents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_file(const struct vss_wm_filedesc *file) {
        const char *filespec = vss_wm_filedesc_get_filespec(file);

        (void)vss_filespec_matches(filespec, vss_wm_filedesc_get_path(file));
        (void)vss_filespec_matches(filespec, filespec);
        (void)vss_wm_filedesc_get_recursive(file);
        (void)vss_wm_filedesc_get_alternate_location(file);
        (void)vss_wm_filedesc_get_backup_type_mask(file);
}

static void look_at_component(const struct vss_wm_component *component) {
        struct vss_component_info info;

        vss_wm_component_get_component_info(component, &info);
        for (size_t i = 0; i < info.file_count; i++)
                look_at_file(vss_wm_component_get_file(component, i));
        for (size_t i = 0; i < info.database_count; i++)
                look_at_file(vss_wm_component_get_database_file(component, i));
        for (size_t i = 0; i < info.log_file_count; i++)
                look_at_file(vss_wm_component_get_database_log_file(component, i));
        for (size_t i = 0; i < info.dependency_count; i++)
                (void)vss_wm_dependency_get_writer_id(
                        vss_wm_component_get_dependency(component, i));
}

static void look(const struct vss_examine_writer_metadata *metadata) {
        struct vss_writer_identity identity;
        struct vss_restore_method method;
        size_t components;

        vss_examine_writer_metadata_get_identity(metadata, &identity);
        (void)vss_examine_writer_metadata_get_restore_method(metadata, &method);
        (void)vss_examine_writer_metadata_get_backup_schema(metadata);
        for (size_t i = 0; i < method.mapping_count; i++)
                look_at_file(
                        vss_examine_writer_metadata_get_alternate_location_mapping(metadata, i));
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &components);
        for (size_t i = 0; i < components; i++) {
                look_at_component(vss_examine_writer_metadata_get_component(metadata, i));
                (void)vss_examine_writer_metadata_classify(metadata, i);
                (void)vss_examine_writer_metadata_is_below(metadata, i, 0);
        }
        (void)examine_writer_metadata_check_conflict(metadata, metadata, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct document_limits limits = *document_limits_default();
        struct vss_examine_writer_metadata *first, *second;
        struct vss_error error = VSS_ERROR_INIT;
        char *saved, *again;
        size_t saved_size, again_size;

        limits.parse_us = 0; /* sanitizers are slow */
        if (examine_writer_metadata_load((const char *)data, size, &limits, &first, &error) < 0) {
                if (!error.message)
                        abort(); /* every refusal has words */
                vss_error_clear(&error);
                return 0;
        }
        look(first);
        if (vss_examine_writer_metadata_save_as_xml(first, &saved, &saved_size, NULL) < 0 ||
            examine_writer_metadata_load(saved, saved_size, &limits, &second, NULL) < 0 ||
            vss_examine_writer_metadata_save_as_xml(second, &again, &again_size, NULL) < 0 ||
            saved_size != again_size || memcmp(saved, again, saved_size) != 0)
                abort();
        free(saved);
        free(again);
        vss_examine_writer_metadata_free(first);
        vss_examine_writer_metadata_free(second);
        return 0;
}
