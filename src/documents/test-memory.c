/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-memory.c - every allocation fails once: the answer is -ENOMEM, nothing leaks (with
 * sanitizers), nothing crashes. The linker puts the wrappers below in front of malloc and friends.
 */
#include "documents/components-document.h"
#include "documents/test-documents.h"

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);

static long until_failure = -1; /* -1: never */

static bool fails_now(void) {
        if (until_failure < 0)
                return false;
        if (until_failure > 0) {
                until_failure--;
                return false;
        }
        return true; /* and from now on: memory does not come back */
}

void *__wrap_malloc(size_t size) {
        return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
        return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size) {
        return fails_now() ? NULL : __real_realloc(p, size);
}

/* enough of everything that each kind of chunk, table and array grows at least once */
static int build(char **ret, size_t *ret_size) {
        struct vss_writer_identity identity = test_identity();
        struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                             .writer_restore = VSS_WRE_ALWAYS };
        struct vss_create_writer_metadata *metadata;
        char filespec[32] = "*"; /* each component its own (M-45) */
        struct vss_file_set files = { .path = "/a", .filespec = filespec };
        int r = create_writer_metadata_new(&identity, false, &metadata, NULL);

        if (r < 0)
                return r;
        for (int i = 0; i < 40 && r >= 0; i++) {
                char name[32];
                struct vss_component_info info = { .type = VSS_CT_FILEGROUP,
                                                   .name = name,
                                                   .selectable = true };

                (void)snprintf(name, sizeof(name), "component%d", i);
                (void)snprintf(filespec, sizeof(filespec), "*.%d", i);
                r = vss_create_writer_metadata_add_component(metadata, &info, NULL);
                if (r >= 0)
                        r = vss_create_writer_metadata_add_files_to_file_group(metadata, NULL, name,
                                                                               &files, NULL);
        }
        if (r >= 0)
                r = vss_create_writer_metadata_add_alternate_location_mapping(metadata, &files,
                                                                              "/b", NULL);
        if (r >= 0)
                r = vss_create_writer_metadata_set_restore_method(metadata, &method, NULL);
        if (r >= 0)
                r = create_writer_metadata_finish(metadata, NULL, ret, ret_size, NULL);
        create_writer_metadata_free(metadata);
        return r;
}

static char *metadata_xml;
static size_t metadata_size;

static int load(void) {
        struct vss_examine_writer_metadata *metadata;
        char *xml;
        int r = vss_examine_writer_metadata_create(metadata_xml, metadata_size, &metadata, NULL);

        if (r < 0)
                return r;
        r = vss_examine_writer_metadata_save_as_xml(metadata, &xml, NULL, NULL);
        if (r >= 0)
                free(xml);
        vss_examine_writer_metadata_free(metadata);
        return r;
}

static int add_all(struct bcd *bcd, const struct vss_id *instance,
                   const struct vss_examine_writer_metadata *metadata) {
        int r = 0;

        for (size_t i = 0; i < 20 && r >= 0; i++) {
                struct vss_component_key key = { test_id(TEST_WRITER), VSS_CT_FILEGROUP, NULL,
                                                 test_info(metadata, i).name };

                r = bcd_add_component(bcd, instance, &key, metadata, NULL);
                if (r >= 0)
                        r = bcd_set_backup_options(bcd, &key, "some options", NULL);
        }
        return r;
}

static int visit(struct bcd *bcd, const struct vss_id *instance,
                 const struct vss_examine_writer_metadata *metadata) {
        struct vss_writer_components *writer = NULL;
        char *part = NULL, *answer = NULL;
        size_t size;
        int r = bcd_fragment(bcd, instance, &part, &size, NULL);

        if (r >= 0)
                r = writer_components_load(part, size, NULL, metadata, &writer, NULL);
        if (r >= 0) {
                struct vss_component *c = vss_writer_components_get_component(writer, 0);

                writer_components_set_event(writer, COMPONENT_EVENT_POST_SNAPSHOT);
                r = vss_component_set_backup_stamp(c, "stamp");
                r = r < 0 ? r : vss_component_set_backup_metadata(c, "metadata");
                r = r < 0 ? r : vss_component_set_failure(c, VSS_E_WRITERERROR_RETRYABLE, 1, "m");
                r = r < 0 ? r : vss_component_add_partial_file(c, "/a", "b", "0:5,9:9", "m", NULL);
                r = r < 0 ? r : writer_components_save(writer, &answer, &size, NULL);
        }
        if (r >= 0)
                r = bcd_merge(bcd, instance, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, answer,
                              size, metadata, NULL);
        writer_components_free(writer);
        free(part);
        free(answer);
        return r;
}

static struct vss_examine_writer_metadata *shared;

static int backup(void) {
        struct vss_id instance = test_id(TEST_INSTANCE);
        struct bcd *bcd;
        int r = bcd_new(&bcd);

        if (r < 0)
                return r;
        r = bcd_set_backup_state(bcd, true, false, VSS_BT_FULL, true, NULL);
        r = r < 0 ? r : add_all(bcd, &instance, shared);
        r = r < 0 ? r : visit(bcd, &instance, shared);
        bcd_free(bcd);
        return r;
}

static int build_once(void) {
        char *xml;
        int r = build(&xml, NULL);

        if (r >= 0)
                free(xml);
        return r;
}

static void torture(int (*operation)(void), long least) {
        for (long n = 0;; n++) {
                int r;

                until_failure = n;
                r = operation();
                until_failure = -1;
                if (r == 0) {
                        CHECK(n >= least);
                        return;
                }
                if (r != -ENOMEM)
                        CHECK_FAIL_("allocation %ld fails: %s", n, vss_error_name(r));
        }
}

static void test_build(void) {
        torture(build_once, 10);
}

static void test_load(void) {
        torture(load, 10);
}

static void test_backup(void) {
        torture(backup, 20);
}

int main(void) {
        CHECK_INT(build(&metadata_xml, &metadata_size), 0);
        CHECK_INT(vss_examine_writer_metadata_create(metadata_xml, metadata_size, &shared, NULL),
                  0);
        RUN(test_build);
        RUN(test_load);
        RUN(test_backup);
        vss_examine_writer_metadata_free(shared);
        free(metadata_xml);
        return 0;
}
