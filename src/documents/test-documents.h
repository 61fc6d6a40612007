/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-documents.h - short ways to make documents in tests.
 */
#ifndef DOCUMENTS_TEST_DOCUMENTS_H
#define DOCUMENTS_TEST_DOCUMENTS_H

#include "base/array.h"
#include "documents/create-metadata.h"
#include "tests/check.h"
#include "vss/documents.h"

#define TEST_WRITER "01234567-89ab-cdef-0123-456789abcdef"
#define TEST_INSTANCE "fedcba98-7654-3210-fedc-ba9876543210"

/* WORKS() - a call that must succeed, its words printed when it does not */
#define WORKS(call)                                                                                \
        do {                                                                                       \
                struct vss_error error_ = VSS_ERROR_INIT, *e = &error_;                            \
                int works_ = (call);                                                               \
                if (works_ < 0)                                                                    \
                        CHECK_FAIL_("%s: %s: %s", #call, vss_error_name(works_),                   \
                                    vss_error_message(e));                                         \
                vss_error_clear(e);                                                                \
        } while (0)

/* FAILS() - a call that must return @wanted and say why */
#define FAILS(wanted, call)                                                                        \
        do {                                                                                       \
                struct vss_error error_ = VSS_ERROR_INIT, *e = &error_;                            \
                int wanted_ = (wanted), fails_ = (call);                                           \
                if (fails_ != wanted_)                                                             \
                        CHECK_FAIL_("%s: %s, expected %s: %s", #call, vss_error_name(fails_),      \
                                    vss_error_name(wanted_), vss_error_message(e));                \
                if (!e->message || e->code != fails_)                                              \
                        CHECK_FAIL_("%s: failed without words", #call);                            \
                vss_error_clear(e);                                                                \
        } while (0)

static inline struct vss_id test_id(const char *text) {
        struct vss_id id = { { 0 } };

        CHECK_INT(vss_id_parse(text, &id), 0);
        return id;
}

static inline struct vss_writer_identity test_identity(void) {
        return (struct vss_writer_identity){ .writer_id = test_id(TEST_WRITER),
                                             .instance_id = test_id(TEST_INSTANCE),
                                             .name = "Test Writer",
                                             .usage = VSS_UT_USERDATA,
                                             .source = VSS_ST_OTHER };
}

static inline struct vss_create_writer_metadata *test_create(bool express) {
        struct vss_writer_identity identity = test_identity();
        struct vss_create_writer_metadata *metadata;

        WORKS(create_writer_metadata_new(&identity, express, &metadata, e));
        return metadata;
}

/* test_add() - a component; @full is its full path, split at the last backslash */
static inline int test_add(struct vss_create_writer_metadata *metadata, const char *full,
                           uint32_t type, bool selectable, bool for_restore,
                           struct vss_error *reterr) {
        const char *last = strrchr(full, '\\');
        char *path = last ? strndup(full, (size_t)(last - full)) : NULL;
        struct vss_component_info info = { .type = type,
                                           .logical_path = path,
                                           .name = last ? last + 1 : full,
                                           .selectable = selectable,
                                           .selectable_for_restore = for_restore };
        int r = vss_create_writer_metadata_add_component(metadata, &info, reterr);

        free(path);
        return r;
}

static inline int test_add_files(struct vss_create_writer_metadata *metadata, const char *path,
                                 const char *name, const char *directory, const char *filespec,
                                 bool recursive) {
        struct vss_file_set files = { .path = directory,
                                      .filespec = filespec,
                                      .recursive = recursive };

        return vss_create_writer_metadata_add_files_to_file_group(metadata, path, name, &files,
                                                                  NULL);
}

static inline void test_set_method(struct vss_create_writer_metadata *metadata) {
        struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                             .writer_restore = VSS_WRE_ALWAYS };

        WORKS(vss_create_writer_metadata_set_restore_method(metadata, &method, e));
}

/* test_finish() - the end of identify; @metadata is released */
static inline struct vss_examine_writer_metadata *
test_finish(struct vss_create_writer_metadata *metadata) {
        struct vss_examine_writer_metadata *examine;
        char *xml;
        size_t size;

        WORKS(create_writer_metadata_finish(metadata, NULL, &xml, &size, e));
        create_writer_metadata_free(metadata);
        WORKS(vss_examine_writer_metadata_create(xml, size, &examine, e));
        free(xml);
        return examine;
}

static inline struct vss_component_info
test_info(const struct vss_examine_writer_metadata *metadata, size_t index) {
        struct vss_component_info info;

        vss_wm_component_get_component_info(
                vss_examine_writer_metadata_get_component(metadata, index), &info);
        return info;
}

#endif
