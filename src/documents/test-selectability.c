/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-selectability.c - the trees T1 to T4 and the vectors SV-1 to SV-42 of selectability.md.
 */
#define _GNU_SOURCE
#include "documents/backup-types.h"
#include "documents/components-document.h"
#include "documents/test-documents.h"

/* struct declared - one row of a tree; @id is the letter of the tables */
struct declared {
        char id;
        const char *path;
        bool selectable, for_restore;
        uint32_t kind;
};

static const struct declared t1[] = {
        { 'a', "Executables", false, false, VSS_COMPONENT_REQUIRED },
        { 'b', "Executables\\ConfigFiles", false, false, VSS_COMPONENT_REQUIRED },
        { 'c', "LicenseInfo", true, false, VSS_COMPONENT_OPTIONAL },
        { 'd', "Security", true, false, VSS_COMPONENT_OPTIONAL },
        { 'e', "Security\\UserInfo", false, false, VSS_COMPONENT_BOUND },
        { 'f', "Security\\Certificates", false, false, VSS_COMPONENT_BOUND },
        { 'g', "writerData", true, true, VSS_COMPONENT_OPTIONAL },
        { 'h', "writerData\\Set1", false, true, VSS_COMPONENT_BOUND },
        { 'i', "writerData\\Set1\\Jan", false, false, VSS_COMPONENT_BOUND },
        { 'j', "writerData\\Set1\\Dec", false, false, VSS_COMPONENT_BOUND },
        { 'k', "writerData\\Set2", false, true, VSS_COMPONENT_BOUND },
        { 'l', "writerData\\Set2\\Jan", false, false, VSS_COMPONENT_BOUND },
        { 'm', "writerData\\Set2\\Dec", false, false, VSS_COMPONENT_BOUND },
        { 'n', "writerData\\QueryLogs\\Query", false, false, VSS_COMPONENT_BOUND },
        { 'o', "writerData\\Usage", true, true, VSS_COMPONENT_OPTIONAL_SUB },
        { 'p', "writerData\\Usage\\Jan", false, false, VSS_COMPONENT_BOUND },
        { 'q', "writerData\\Usage\\Dec", false, false, VSS_COMPONENT_BOUND },
};

static const struct declared t2[] = {
        { 'A', "A", true, false, VSS_COMPONENT_OPTIONAL },
        { 'B', "A\\B", false, false, VSS_COMPONENT_BOUND },
        { 'C', "A\\B\\C", true, false, VSS_COMPONENT_OPTIONAL_SUB },
        { 'D', "A\\B\\C\\D", false, false, VSS_COMPONENT_BOUND },
};

static const struct declared t3[] = {
        { 'X', "X", false, false, VSS_COMPONENT_REQUIRED },
        { 'P', "X\\P", true, false, VSS_COMPONENT_OPTIONAL },
        { 'Q', "X\\P\\Q", false, false, VSS_COMPONENT_BOUND },
        { 'Y', "Y", false, false, VSS_COMPONENT_REQUIRED },
};

/* struct tree_case - one backup over one tree */
struct tree_case {
        const struct declared *rows;
        size_t count;
        struct vss_examine_writer_metadata *metadata;
        struct bcd *bcd;
        struct vss_id instance;
};

static struct tree_case begin(const struct declared *rows, size_t count) {
        struct tree_case c = { .rows = rows, .count = count, .instance = test_id(TEST_INSTANCE) };
        struct vss_create_writer_metadata *metadata = test_create(false);

        for (size_t i = 0; i < count; i++)
                WORKS(test_add(metadata, rows[i].path, VSS_CT_FILEGROUP, rows[i].selectable,
                               rows[i].for_restore, e));
        test_set_method(metadata);
        c.metadata = test_finish(metadata);
        CHECK_INT(bcd_new(&c.bcd), 0);
        return c;
}

static void end(struct tree_case *c) {
        bcd_free(c->bcd);
        vss_examine_writer_metadata_free(c->metadata);
}

static size_t row_of(const struct tree_case *c, char id) {
        for (size_t i = 0; i < c->count; i++)
                if (c->rows[i].id == id)
                        return i;
        CHECK_FAIL_("no row '%c'", id);
}

/* key_of() - strings belong to the tree's metadata */
static struct vss_component_key key_of(const struct tree_case *c, char id) {
        struct vss_component_info info = test_info(c->metadata, row_of(c, id));

        return (struct vss_component_key){ test_id(TEST_WRITER), VSS_CT_FILEGROUP,
                                           info.logical_path, info.name };
}

static int add(struct tree_case *c, char id, struct vss_error *reterr) {
        struct vss_component_key key = key_of(c, id);

        return bcd_add_component(c->bcd, &c->instance, &key, c->metadata, reterr);
}

static void add_all(struct tree_case *c, const char *ids) {
        for (; *ids; ids++)
                WORKS(add(c, *ids, e));
}

static void check_set(const struct tree_case *c, const char *expected, bool restored) {
        char got[32] = "";

        for (size_t i = 0; i < c->count; i++)
                if (restored ? bcd_is_restored(c->bcd, c->metadata, i)
                             : bcd_is_included(c->bcd, c->metadata, i))
                        strncat(got, &c->rows[i].id, 1);
        CHECK_STR(got, expected);
}

static void check_entries(const struct tree_case *c, size_t expected) {
        struct vss_writer_components *writer = bcd_get_writer(c->bcd, 0);

        CHECK_INT(writer ? vss_writer_components_get_component_count(writer) : 0, expected);
}

static int required(const struct tree_case *c, struct vss_error *reterr) {
        return bcd_check_required(c->bcd, &c->instance, c->metadata, reterr);
}

static void check_missing(const struct tree_case *c, const char *words) {
        struct vss_error error = VSS_ERROR_INIT;

        CHECK_INT(required(c, &error), VSS_E_BAD_STATE); /* L-33 */
        if (!strstr(error.message, words))
                CHECK_FAIL_("'%s' does not say '%s'", error.message, words);
        vss_error_clear(&error);
}

/* L-1, L-6..L-9: the kinds of the tables */
static void check_kinds(const struct declared *rows, size_t count) {
        struct tree_case c = begin(rows, count);

        for (size_t i = 0; i < count; i++)
                CHECK_INT(vss_examine_writer_metadata_classify(c.metadata, i), rows[i].kind);
        end(&c);
}

static void test_kinds(void) {
        check_kinds(t1, ELEMENTSOF(t1));
        check_kinds(t2, ELEMENTSOF(t2));
        check_kinds(t3, ELEMENTSOF(t3));
}

/* M-36, L-5: is_below() */
static void test_below(void) {
        struct tree_case c = begin(t1, ELEMENTSOF(t1));
        size_t g = row_of(&c, 'g'), n = row_of(&c, 'n'), a = row_of(&c, 'a'), b = row_of(&c, 'b');

        CHECK(vss_examine_writer_metadata_is_below(c.metadata, n, g));
        CHECK(vss_examine_writer_metadata_is_below(c.metadata, g, g));
        CHECK(!vss_examine_writer_metadata_is_below(c.metadata, g, n));
        CHECK(!vss_examine_writer_metadata_is_below(c.metadata, b, a)); /* a is not selectable */
        CHECK(vss_examine_writer_metadata_is_below(c.metadata, a, a));
        CHECK(!vss_examine_writer_metadata_is_below(c.metadata, 99, 99));
        end(&c);
}

/* struct step - what is added in order and what comes of it */
struct vector {
        const char *name;
        const struct declared *rows;
        size_t count;
        const char *added; /* these work */
        char last; /* then this one, 0 none */
        int code; /* gives this */
        const char *included;
        size_t entries;
        const char *missing; /* words of L-33, NULL: complete */
};

#define T1 t1, ELEMENTSOF(t1)
#define T2 t2, ELEMENTSOF(t2)
#define T3 t3, ELEMENTSOF(t3)

static const struct vector vectors[] = {
        { "SV-1", T1, "", 0, 0, "", 0, NULL },
        { "SV-2", T1, "ab", 0, 0, "ab", 2, NULL },
        { "SV-3", T1, "a", 0, 0, "a", 1, "'Executables\\ConfigFiles'" },
        { "SV-4", T1, "abc", 0, 0, "abc", 3, NULL },
        { "SV-5", T1, "c", 0, 0, "c", 1, "'Executables', 'Executables\\ConfigFiles'" },
        { "SV-6", T1, "abd", 0, 0, "abdef", 3, NULL },
        { "SV-7", T1, "", 'e', E_INVALIDARG, "", 0, NULL },
        { "SV-8", T1, "d", 'e', E_INVALIDARG, "def", 1, "'Executables'" },
        { "SV-9", T1, "abg", 0, 0, "abghijklmnopq", 3, NULL },
        { "SV-10", T1, "g", 'o', VSS_E_OBJECT_ALREADY_EXISTS, "ghijklmnopq", 1, "'Executables'" },
        { "SV-11", T1, "o", 'g', VSS_E_OBJECT_ALREADY_EXISTS, "opq", 1, "'Executables'" },
        { "SV-12", T1, "abo", 0, 0, "abopq", 3, NULL },
        { "SV-13", T1, "", 'h', E_INVALIDARG, "", 0, NULL },
        { "SV-14", T1, "", 'n', E_INVALIDARG, "", 0, NULL },
        { "SV-15", T1, "c", 'c', VSS_E_OBJECT_ALREADY_EXISTS, "c", 1, "'Executables'" },
        { "SV-27", T2, "A", 0, 0, "ABCD", 1, NULL },
        { "SV-28", T2, "C", 0, 0, "CD", 1, NULL },
        { "SV-29", T2, "", 'B', E_INVALIDARG, "", 0, NULL },
        { "SV-30", T2, "A", 'C', VSS_E_OBJECT_ALREADY_EXISTS, "ABCD", 1, NULL },
        { "L-32", T2, "C", 'A', VSS_E_OBJECT_ALREADY_EXISTS, "CD", 1, NULL },
        { "SV-31", T3, "XY", 0, 0, "XY", 2, NULL },
        { "SV-32", T3, "XYP", 0, 0, "XPQY", 3, NULL },
        { "SV-33", T3, "P", 0, 0, "PQ", 1, "'X', 'Y'" },
};

static void check_vector(const struct vector *v) {
        struct tree_case c = begin(v->rows, v->count);

        add_all(&c, v->added);
        if (v->last)
                FAILS(v->code, add(&c, v->last, e));
        check_set(&c, v->included, false);
        check_entries(&c, v->entries);
        if (v->missing)
                check_missing(&c, v->missing);
        else
                WORKS(required(&c, e));
        end(&c);
}

static void test_vectors(void) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                check_vector(&vectors[i]);
                printf("ok   %s\n", vectors[i].name);
        }
}

/* the same after the document was saved and loaded in between */
static void test_after_load(void) {
        struct tree_case c = begin(t1, ELEMENTSOF(t1));
        struct bcd *loaded;
        char *xml;
        size_t size;

        add_all(&c, "abo");
        WORKS(bcd_save(c.bcd, &xml, &size, e));
        WORKS(bcd_load(xml, size, NULL, &loaded, e));
        free(xml);
        bcd_free(c.bcd);
        c.bcd = loaded;
        check_set(&c, "abopq", false);
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS, add(&c, 'g', e)); /* L-32 */
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS, add(&c, 'o', e)); /* L-29 */
        WORKS(add(&c, 'd', e));
        check_set(&c, "abdefopq", false);
        end(&c);
}

static void test_unknown_names(void) {
        struct tree_case c = begin(t1, ELEMENTSOF(t1));
        struct vss_component_key key = { test_id(TEST_WRITER), VSS_CT_FILEGROUP, NULL, "Nope" };
        struct vss_id other = test_id("11111111-2222-3333-4444-555555555555");

        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &c.instance, &key, c.metadata, e)); /* SV-16 */
        key.name = "Jan";
        key.logical_path = "writerData";
        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &c.instance, &key, c.metadata, e)); /* SV-17 */
        key = key_of(&c, 'd');
        key.type = VSS_CT_DATABASE;
        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &c.instance, &key, c.metadata, e)); /* SV-18 */
        key = key_of(&c, 'd');
        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &other, &key, c.metadata, e)); /* L-28 */
        key.writer_id = other;
        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &c.instance, &key, c.metadata, e));
        key = key_of(&c, 'd');
        key.name = NULL;
        FAILS(E_INVALIDARG, bcd_add_component(c.bcd, &c.instance, &key, c.metadata, e));
        CHECK_INT(bcd_get_writer_count(c.bcd), 0);
        end(&c);
}

static void select_for_restore(struct tree_case *c, char id) {
        struct vss_component_key key = key_of(c, id);

        WORKS(bcd_set_selected_for_restore(c->bcd, &key, true, NULL, e));
}

static int add_sub(struct tree_case *c, char ancestor, char sub, struct vss_error *reterr) {
        struct vss_component_key key = key_of(c, ancestor), part = key_of(c, sub);

        return bcd_add_restore_subcomponent(c->bcd, &key, part.logical_path, part.name, c->metadata,
                                            reterr);
}

static void test_restore(void) {
        struct tree_case c = begin(t1, ELEMENTSOF(t1));
        struct vss_component_key g, l;

        add_all(&c, "abg");
        g = key_of(&c, 'g');
        l = key_of(&c, 'l');
        WORKS(bcd_set_backup_succeeded(c.bcd, &c.instance, &g, false, e)); /* SV-19, D-80 */
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_succeeded(c.bcd, &c.instance, &l, false, e));
        check_set(&c, "", true);
        FAILS(VSS_E_BAD_STATE, add_sub(&c, 'g', 'h', e)); /* ancestor not selected yet */
        select_for_restore(&c, 'g');
        check_set(&c, "ghijklmnopq", true); /* L-19, R-22 */
        FAILS(VSS_E_OBJECT_NOT_FOUND, add_sub(&c, 'g', 'i', e)); /* SV-21 */
        check_set(&c, "ghijklmnopq", true);
        WORKS(add_sub(&c, 'g', 'h', e)); /* SV-20, L-25 */
        check_set(&c, "hij", true);
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS, add_sub(&c, 'g', 'h', e));
        WORKS(add_sub(&c, 'g', 'o', e)); /* SV-22 */
        check_set(&c, "hijopq", true);
        check_entries(&c, 3); /* L-24: no entry of their own */
        FAILS(E_INVALIDARG, bcd_add_restore_subcomponent(c.bcd, &g, NULL, "Set1", c.metadata, e));
        FAILS(E_INVALIDARG, bcd_add_restore_subcomponent(c.bcd, &g, "writerData", NULL, c.metadata,
                                                         e)); /* */
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_add_restore_subcomponent(c.bcd, &g, "elsewhere", "Set1", NULL, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, add_sub(&c, 'a', 'b', e)); /* b is explicit itself */
        end(&c);
}

static void test_restore_explicit(void) {
        struct tree_case c = begin(t1, ELEMENTSOF(t1));

        add_all(&c, "abo");
        select_for_restore(&c, 'o'); /* SV-23 */
        check_set(&c, "opq", true);
        end(&c);

        c = begin(t1, ELEMENTSOF(t1));
        add_all(&c, "abd");
        FAILS(VSS_E_OBJECT_NOT_FOUND, add_sub(&c, 'd', 'e', e)); /* SV-25 */
        select_for_restore(&c, 'd'); /* SV-24, R-21: the flag does not matter for it */
        check_set(&c, "def", true);
        FAILS(VSS_E_OBJECT_NOT_FOUND, add_sub(&c, 'd', 'e', e)); /* SV-25: implicit and r- */
        /* L-23, R-25: at the top the flag means nothing, neither r- (c) nor r+ (g): never a part */
        FAILS(E_INVALIDARG, add_sub(&c, 'd', 'c', e));
        FAILS(E_INVALIDARG, add_sub(&c, 'd', 'g', e));
        check_set(&c, "def", true);
        end(&c);
}

/* SV-26: without component mode nothing is in the document, and nothing is asked of it */
static void test_no_components(void) { /* L-14 */
        struct tree_case c = begin(t1, ELEMENTSOF(t1));

        WORKS(bcd_set_backup_state(c.bcd, false, false, VSS_BT_FULL, false, e));
        WORKS(required(&c, e));
        CHECK_INT(bcd_get_writer_count(c.bcd), 0);
        end(&c);
}

/* T4: SV-34, SV-35, L-13, I-89 */
static void test_mask_beats_selectability(void) {
        struct vss_create_writer_metadata *metadata = test_create(false);
        struct vss_file_set logs = { .path = "/log", .filespec = "*", .backup_type_mask = 0x0808 };
        struct vss_file_set data = { .path = "/data", .filespec = "*", .backup_type_mask = 0x0808 };
        struct vss_component_info info;
        struct vss_examine_writer_metadata *examine;
        struct vss_component_key key = { test_id(TEST_WRITER), VSS_CT_DATABASE, NULL, "K" };
        struct vss_id instance = test_id(TEST_INSTANCE);
        struct bcd *bcd;
        uint32_t mask;

        WORKS(test_add(metadata, "K", VSS_CT_DATABASE, false, false, e));
        WORKS(vss_create_writer_metadata_add_database_log_files(metadata, NULL, "K", &logs, e));
        WORKS(vss_create_writer_metadata_add_database_files(metadata, NULL, "K", &data, e));
        WORKS(vss_create_writer_metadata_set_backup_schema(metadata, VSS_BS_LOG, e));
        test_set_method(metadata);
        examine = test_finish(metadata);
        info = test_info(examine, 0);
        CHECK(info.file_count == 0 && info.database_count == 1 &&
              info.log_file_count == 1); /* D-33,
D-34, D-35 */
        CHECK_INT(bcd_new(&bcd), 0);
        WORKS(bcd_add_component(bcd, &instance, &key, examine, e));
        mask = vss_wm_filedesc_get_backup_type_mask(vss_wm_component_get_database_log_file(
                vss_examine_writer_metadata_get_component(examine, 0), 0));
        CHECK(!backup_type_is_required(VSS_BT_FULL, mask));
        CHECK(backup_type_is_required(VSS_BT_LOG, mask));
        CHECK(backup_type_is_snapshot_required(VSS_BT_LOG, mask));
        WORKS(bcd_set_backup_succeeded(bcd, &instance, &key, true, e));
        bcd_free(bcd);
        vss_examine_writer_metadata_free(examine);
}

static void test_names(void) {
        struct vss_create_writer_metadata *metadata = test_create(false);
        struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "a" };

        WORKS(vss_create_writer_metadata_add_component(metadata, &info, e));
        info.logical_path = "";
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS,
              vss_create_writer_metadata_add_component(metadata, &info, e)); /* SV-36 */
        info.logical_path = "\\";
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS,
              vss_create_writer_metadata_add_component(metadata, &info, e)); /* M-34 */
        info.logical_path = "x";
        WORKS(vss_create_writer_metadata_add_component(metadata, &info, e)); /* SV-37 */
        info.logical_path = "y";
        WORKS(vss_create_writer_metadata_add_component(metadata, &info, e));
        info.logical_path = "\\x\\";
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS,
              vss_create_writer_metadata_add_component(metadata, &info, e)); /* M-34 */
        info.logical_path = "X";
        WORKS(vss_create_writer_metadata_add_component(metadata, &info, e)); /* OQ-M1 */
        info.name = "a\\b";
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_component(metadata, &info, e)); /* SV-38 */
        create_writer_metadata_free(metadata);
}

/* SV-39 */
static void test_two_instances(void) {
        struct vss_writer_identity identity = test_identity();
        struct vss_examine_writer_metadata *all[3];
        static const char *const names[] = { "x\\a", "x\\a", "y\\a" };

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                struct vss_create_writer_metadata *metadata;

                identity.instance_id.bytes[0] = (uint8_t)i;
                WORKS(create_writer_metadata_new(&identity, false, &metadata, e));
                WORKS(test_add(metadata, names[i], VSS_CT_FILEGROUP, true, false, e));
                test_set_method(metadata);
                all[i] = test_finish(metadata);
        }
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS,
              examine_writer_metadata_check_conflict(all[0], all[1], e));
        WORKS(examine_writer_metadata_check_conflict(all[0], all[2], e));
        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                vss_examine_writer_metadata_free(all[i]);
}

/* SV-40: M-35, by whole elements */
static void test_whole_elements(void) {
        static const struct declared rows[] = {
                { 'a', "app", true, false, VSS_COMPONENT_OPTIONAL },
                { 'b', "application\\data", false, false, VSS_COMPONENT_REQUIRED },
                { 'c', "app\\data", false, false, VSS_COMPONENT_BOUND },
                { 'd', "application", true, false, VSS_COMPONENT_OPTIONAL },
        };
        struct tree_case c = begin(rows, 3);

        CHECK_INT(vss_examine_writer_metadata_classify(c.metadata, 1), VSS_COMPONENT_REQUIRED);
        CHECK_INT(vss_examine_writer_metadata_classify(c.metadata, 2), VSS_COMPONENT_BOUND);
        add_all(&c, "ab");
        check_set(&c, "abc", false);
        end(&c);
}

/* SV-41, SV-42, B-159: what it says is for the requester (src/backup/test-plan.c) */
static void test_dependencies(void) {
        struct vss_create_writer_metadata *metadata = test_create(false);
        struct vss_id own = test_id(TEST_WRITER);
        struct vss_id other = test_id("11111111-2222-3333-4444-555555555555"), read;
        struct vss_examine_writer_metadata *examine;
        const struct vss_wm_dependency *dependency;

        WORKS(test_add(metadata, "U", VSS_CT_FILEGROUP, true, false, e));
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component_dependency(
                                    metadata, NULL, "U", &own, NULL, "V", e)); /* SV-41 */
        FAILS(VSS_E_OBJECT_NOT_FOUND, vss_create_writer_metadata_add_component_dependency(
                                              metadata, NULL, "W", &other, NULL, "V", e));
        WORKS(vss_create_writer_metadata_add_component_dependency(metadata, NULL, "U", &other, "at",
                                                                  "V", e));
        test_set_method(metadata);
        examine = test_finish(metadata);
        CHECK_INT(test_info(examine, 0).dependency_count, 1);
        /* what the requester needs to add V or drop U; nothing is added by itself */
        dependency = vss_wm_component_get_dependency(
                vss_examine_writer_metadata_get_component(examine, 0), 0);
        read = vss_wm_dependency_get_writer_id(dependency);
        CHECK(vss_id_equal(&read, &other));
        CHECK_STR(vss_wm_dependency_get_logical_path(dependency), "at");
        CHECK_STR(vss_wm_dependency_get_component_name(dependency), "V");
        vss_examine_writer_metadata_free(examine);
}

int main(void) {
        RUN(test_kinds);
        RUN(test_below);
        RUN(test_vectors);
        RUN(test_after_load);
        RUN(test_unknown_names);
        RUN(test_restore);
        RUN(test_restore_explicit);
        RUN(test_no_components);
        RUN(test_mask_beats_selectability);
        RUN(test_names);
        RUN(test_two_instances);
        RUN(test_whole_elements);
        RUN(test_dependencies);
        return 0;
}
