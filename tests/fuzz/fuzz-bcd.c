/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-bcd.c - whatever loads as a Backup Components Document must save, load again and save
 * equal; each writer's part must go to the writer and come back without a change; and the input
 * taken as what a writer sent must be refused or leave a document that still saves (SEC-33).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ranges.h"
#include "documents/components-document.h"
#include "documents/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at_ranges(const char *text) {
        struct ranges ranges = { 0 };
        const char *file;

        if (ranges_parse(text, &ranges, &file, NULL) >= 0)
                ranges_normalize(&ranges);
        ranges_done(&ranges);
}

static void look(const struct vss_component *component) {
        struct vss_directed_target target;
        const char *text;
        int32_t failure;
        uint32_t type;

        vss_component_get_roll_forward(component, &type, &text);
        (void)vss_component_get_failure(component, &failure, &failure, &text);
        (void)vss_component_get_component_type(component);
        (void)vss_component_get_restore_target(component);
        (void)vss_component_get_file_restore_status(component);
        for (size_t i = 0; i < vss_component_get_partial_file_count(component); i++) {
                (void)vss_component_get_partial_file(component, i, NULL, NULL, &text, NULL);
                look_at_ranges(text);
        }
        for (size_t i = 0; i < vss_component_get_differenced_files_count(component); i++)
                (void)vss_component_get_differenced_file(component, i, &text, NULL, NULL, NULL);
        for (size_t i = 0; i < vss_component_get_directed_target_count(component); i++)
                (void)vss_component_get_directed_target(component, i, &target);
}

static char *save(const struct bcd *bcd, size_t *ret_size) {
        char *text;

        if (bcd_save(bcd, &text, ret_size, NULL) < 0)
                abort();
        return text;
}

/* there_and_back() - the part that nobody changed merges, and changes nothing */
static void there_and_back(struct bcd *bcd, struct vss_writer_components *writer,
                           const char *whole) {
        struct vss_id instance;
        char *part, *after;
        size_t size;

        vss_writer_components_get_writer_info(writer, &instance, NULL);
        for (size_t i = 0; i < vss_writer_components_get_component_count(writer); i++)
                look(vss_writer_components_get_component(writer, i));
        if (bcd_fragment(bcd, &instance, &part, &size, NULL) < 0 ||
            bcd_merge(bcd, &instance, COMPONENT_EVENT_BACKUP_COMPLETE, BCD_MERGE_ALL, part, size,
                      NULL, NULL) < 0)
                abort();
        after = save(bcd, &size);
        if (strcmp(after, whole) != 0)
                abort();
        free(part);
        free(after);
}

/* as_a_writers_answer() - to a question that the first of its writers could have been asked */
static void as_a_writers_answer(struct bcd *bcd, const uint8_t *data, size_t size) {
        struct vss_id instance;
        size_t saved_size;

        vss_writer_components_get_writer_info(bcd_get_writer(bcd, 0), &instance, NULL);
        for (enum component_event event = COMPONENT_EVENT_NONE;
             event <= COMPONENT_EVENT_POST_RESTORE; event++)
                (void)bcd_merge(bcd, &instance, event, BCD_MERGE_ALL, (const char *)data, size,
                                NULL, NULL);
        free(save(bcd, &saved_size));
}

/* The input is one document, or two with a zero between: what there is, and a writer's answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct document_limits limits = *document_limits_default();
        const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
        size_t first_size = zero && zero > data + 1 ? (size_t)(zero - data) : size;
        struct vss_error error = VSS_ERROR_INIT;
        struct bcd *first, *second;
        char *saved, *again;
        size_t saved_size, again_size;

        limits.parse_us = 0;
        if (bcd_load((const char *)data, first_size, &limits, &first, &error) < 0) {
                if (!error.message)
                        abort();
                vss_error_clear(&error);
                return 0;
        }
        saved = save(first, &saved_size);
        if (bcd_load(saved, saved_size, &limits, &second, NULL) < 0)
                abort();
        again = save(second, &again_size);
        if (saved_size != again_size || memcmp(saved, again, saved_size) != 0)
                abort();
        for (size_t i = 0; i < bcd_get_writer_count(first) && i < 8; i++)
                there_and_back(first, bcd_get_writer(first, i), saved);
        if (first_size < size && bcd_get_writer_count(first) > 0)
                as_a_writers_answer(first, data + first_size + 1, size - first_size - 1);
        free(saved);
        free(again);
        bcd_free(first);
        bcd_free(second);
        return 0;
}
