/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-metadata.c - a writer builds its document: D-8 to D-44, the exact form, express writers.
 */
#define _GNU_SOURCE
#include "documents/backup-types.h"
#include "documents/test-documents.h"

static char *finished(struct vss_create_writer_metadata *metadata) {
        char *xml;

        WORKS(create_writer_metadata_finish(metadata, NULL, &xml, NULL, e));
        create_writer_metadata_free(metadata);
        return xml;
}

/* xml-format section 2, D-84, D-85, M-31: a live writer's document, to the byte */
static void test_exact_form(void) {
        struct vss_writer_identity identity = test_identity();
        struct vss_create_writer_metadata *m;
        struct vss_component_info group = { .type = VSS_CT_FILEGROUP,
                                            .logical_path = "ASR",
                                            .name = "BCD",
                                            .caption = "two\r\nlines",
                                            .selectable = true,
                                            .flags = VSS_CF_NOT_SYSTEM_STATE };
        struct vss_component_info database = { .type = VSS_CT_DATABASE,
                                               .name = "db",
                                               .caption = "",
                                               .notify_on_backup_complete = true,
                                               .selectable_for_restore = true };
        struct vss_file_set files = { .path = "/srv/app", .filespec = "*.dat", .recursive = true };
        struct vss_file_set one = { .path = "/etc/app",
                                    .filespec = "app.conf",
                                    .alternate_path = "/run/app/spit",
                                    .backup_type_mask = 0x0101 };
        struct vss_file_set data = { .path = "/var/lib/db", .filespec = "data.*" };
        struct vss_file_set log = { .path = "/var/lib/db", .filespec = "log.*" };
        struct vss_file_set cache = { .path = "/srv/app/cache/", .filespec = "*" };
        char *xml;

        identity.instance_name = "main";
        identity.version_major = 1;
        WORKS(create_writer_metadata_new(&identity, false, &m, e));
        WORKS(vss_create_writer_metadata_set_backup_schema(m, 0x371, e));
        test_set_method(m);
        WORKS(vss_create_writer_metadata_add_component(m, &group, e));
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, "ASR", "BCD", &files, e));
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, "ASR", "BCD", &one, e));
        WORKS(vss_create_writer_metadata_add_component(m, &database, e));
        WORKS(vss_create_writer_metadata_add_database_files(m, NULL, "db", &data, e));
        WORKS(vss_create_writer_metadata_add_database_log_files(m, "", "db", &log, e));
        WORKS(vss_create_writer_metadata_add_exclude_files(m, &cache, e));
        WORKS(vss_create_writer_metadata_add_exclude_files_from_snapshot(m, &files, e));
        xml = finished(m);
        CHECK_STR(xml,
                  "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" version=\"1.2\" "
                  "backupSchema=\"881\"><IDENTIFICATION writerId=\"" TEST_WRITER
                  "\" instanceId=\"" TEST_INSTANCE "\" instanceName=\"main\" "
                  "friendlyName=\"Test Writer\" usage=\"USER_DATA\" dataSource=\"OTHER\" "
                  "majorVersion=\"1\" minorVersion=\"0\"/>"
                  "<RESTORE_METHOD method=\"RESTORE_IF_CAN_BE_REPLACED\" writerRestore=\"always\" "
                  "rebootRequired=\"no\"/><BACKUP_LOCATIONS>"
                  "<FILE_GROUP logicalPath=\"ASR\" componentName=\"BCD\" "
                  "caption=\"two&#13;&#10;lines\" restoreMetadata=\"no\" "
                  "notifyOnBackupComplete=\"no\" selectable=\"yes\" selectableForRestore=\"no\" "
                  "componentFlags=\"4\"><FILE_LIST path=\"/srv/app\" filespec=\"*.dat\" "
                  "recursive=\"yes\" filespecBackupType=\"3855\"/>"
                  "<FILE_LIST path=\"/etc/app\" filespec=\"app.conf\" "
                  "alternatePath=\"/run/app/spit\" filespecBackupType=\"257\"/></FILE_GROUP>"
                  "<DATABASE componentName=\"db\" caption=\"\" restoreMetadata=\"no\" "
                  "notifyOnBackupComplete=\"yes\" selectable=\"no\" selectableForRestore=\"yes\" "
                  "componentFlags=\"0\"><DATABASE_FILES path=\"/var/lib/db\" filespec=\"data.*\" "
                  "filespecBackupType=\"3855\"/><DATABASE_LOGFILES path=\"/var/lib/db\" "
                  "filespec=\"log.*\" filespecBackupType=\"3855\"/></DATABASE>"
                  "<EXCLUDE_FILES path=\"/srv/app/cache/\" filespec=\"*\" recursive=\"no\"/>"
                  "<EXCLUDE_FILES_FROM_SNAPSHOT path=\"/srv/app\" filespec=\"*.dat\" "
                  "recursive=\"yes\"/></BACKUP_LOCATIONS></WRITER_METADATA>");
        free(xml);
}

/* D-4: same data, same document */
static void test_reproducible(void) {
        char *xml[2];

        for (size_t i = 0; i < 2; i++) {
                struct vss_create_writer_metadata *m = test_create(false);

                WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
                test_set_method(m);
                xml[i] = finished(m);
        }
        CHECK_STR(xml[0], xml[1]);
        free(xml[0]);
        free(xml[1]);
}

static void test_identity_rules(void) { /* D-8, D-10, D-13, D-14 */
        struct vss_create_writer_metadata *m;
        struct vss_writer_identity bad = test_identity();

        bad.writer_id = (struct vss_id){ { 0 } };
        FAILS(E_INVALIDARG, create_writer_metadata_new(&bad, false, &m, e));
        bad = test_identity();
        bad.name = NULL;
        FAILS(E_INVALIDARG, create_writer_metadata_new(&bad, false, &m, e));
        bad.name = "bad \x01 name";
        FAILS(E_INVALIDARG, create_writer_metadata_new(&bad, false, &m, e));
        bad = test_identity();
        bad.usage = VSS_UT_UNDEFINED; /* M-51 */
        FAILS(E_INVALIDARG, create_writer_metadata_new(&bad, false, &m, e));
        bad = test_identity();
        bad.source = VSS_ST_UNDEFINED; /* M-52 */
        FAILS(E_INVALIDARG, create_writer_metadata_new(&bad, false, &m, e));
        CHECK(!create_writer_metadata_free(NULL));
}

/* every item that a getter gives is the one that was set: D-8, D-9 (instance), D-10..D-14, D-16,
 * D-17, and of a component D-23, D-24, D-25, D-26, D-27, D-28, D-29, D-30, D-31, D-32, D-33 and
 * D-36; of a file set D-37, D-38, D-39, D-40, D-41, D-42. D-15 is not in the document */
static void test_all_items(void) {
        struct vss_writer_identity identity = test_identity(), read;
        struct vss_create_writer_metadata *m;
        struct vss_examine_writer_metadata *x;
        struct vss_component_info info = { .type = VSS_CT_FILEGROUP,
                                           .logical_path = "p\\q",
                                           .name = "n",
                                           .caption = "c",
                                           .icon = "\x00\x01\xff",
                                           .icon_size = 3,
                                           .restore_metadata = true,
                                           .notify_on_backup_complete = true,
                                           .selectable = true,
                                           .selectable_for_restore = true,
                                           .flags = 7 };
        struct vss_file_set files = { .path = "/a\n\xff",
                                      .filespec = "\xfe*",
                                      .recursive = true,
                                      .alternate_path = "/alt",
                                      .backup_type_mask = 0x10f0f };
        struct vss_file_set mapped = { .path = "/a\n\xff/",
                                       .filespec = "\xfe*",
                                       .recursive = true };
        struct vss_restore_method method = { .method = VSS_RME_STOP_RESTORE_START,
                                             .service = "app@1.service",
                                             .user_procedure = "http://example.org/how",
                                             .writer_restore = VSS_WRE_IF_REPLACE_FAILS,
                                             .reboot_required = true };
        const struct vss_wm_component *component;
        const struct vss_wm_filedesc *file;
        uint32_t major, minor;
        size_t includes, excludes, components;

        identity.usage = VSS_UT_SYSTEMSERVICE;
        identity.source = VSS_ST_TRANSACTEDDB;
        identity.instance_name = "one";
        identity.version_major = 3;
        identity.version_minor = 4;
        WORKS(create_writer_metadata_new(&identity, false, &m, e));
        WORKS(vss_create_writer_metadata_add_component(m, &info, e));
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, "p\\q", "n", &files, e));
        WORKS(vss_create_writer_metadata_add_alternate_location_mapping(m, &mapped, "/else", e));
        WORKS(vss_create_writer_metadata_set_restore_method(m, &method, e));
        WORKS(vss_create_writer_metadata_add_exclude_files(m, &mapped, e));
        CHECK_INT(create_writer_metadata_component_flags(m), 7); /* M-37 */
        x = test_finish(m);

        vss_examine_writer_metadata_get_identity(x, &read);
        CHECK(vss_id_equal(&read.writer_id, &identity.writer_id));
        CHECK(vss_id_equal(&read.instance_id, &identity.instance_id));
        CHECK_STR(read.name, "Test Writer");
        CHECK_STR(read.instance_name, "one"); /* D-11 */
        CHECK_INT(read.usage, VSS_UT_SYSTEMSERVICE);
        CHECK_INT(read.source, VSS_ST_TRANSACTEDDB);
        vss_examine_writer_metadata_get_version(x, &major, &minor); /* D-12 */
        CHECK(major == 3 && minor == 4 && read.version_major == 3 && read.version_minor == 4);

        memset(&method, 0, sizeof(method));
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(x, &method), 0); /* D-17 */
        CHECK_INT(method.method, VSS_RME_STOP_RESTORE_START);
        CHECK_STR(method.service, "app@1.service");
        CHECK_STR(method.user_procedure, "http://example.org/how");
        CHECK_INT(method.writer_restore, VSS_WRE_IF_REPLACE_FAILS);
        CHECK(method.reboot_required && method.mapping_count == 1);
        file = vss_examine_writer_metadata_get_alternate_location_mapping(x, 0); /* D-21 */
        CHECK_STR(vss_wm_filedesc_get_alternate_location(file), "/else"); /* D-42, M-50 */
        CHECK_STR(vss_wm_filedesc_get_path(file), "/a\n\xff/");
        CHECK(!vss_examine_writer_metadata_get_alternate_location_mapping(x, 1));

        vss_examine_writer_metadata_get_file_counts(x, &includes, &excludes, &components);
        CHECK(includes == 0 && excludes == 1 && components == 1); /* D-18, D-19, D-22 */
        vss_examine_writer_metadata_get_file_counts(x, NULL, NULL, NULL);
        CHECK(!vss_examine_writer_metadata_get_include_file(x, 0));
        CHECK(vss_wm_filedesc_get_recursive(vss_examine_writer_metadata_get_exclude_file(x, 0)));

        info = test_info(x, 0);
        CHECK_STR(info.logical_path, "p\\q");
        CHECK_STR(info.caption, "c");
        CHECK(info.icon_size == 3 && memcmp(info.icon, "\x00\x01\xff", 3) == 0); /* D-27 */
        CHECK(info.restore_metadata && info.notify_on_backup_complete && info.selectable &&
              info.selectable_for_restore && info.flags == 7 && info.file_count == 1);
        component = vss_examine_writer_metadata_get_component(x, 0);
        CHECK(!vss_examine_writer_metadata_get_component(x, 1));
        file = vss_wm_component_get_file(component, 0);
        CHECK_STR(vss_wm_filedesc_get_path(file), "/a\n\xff"); /* bytes stay bytes */
        CHECK_STR(vss_wm_filedesc_get_filespec(file), "\xfe*");
        CHECK_STR(vss_wm_filedesc_get_alternate_location(file), "/alt"); /* D-40, M-50 */
        CHECK_INT(vss_wm_filedesc_get_backup_type_mask(file), 0x10f0f);
        CHECK(vss_wm_filedesc_get_recursive(file));
        CHECK(!vss_wm_component_get_file(component, 1));
        CHECK(!vss_wm_component_get_database_file(component, 0));
        CHECK(!vss_wm_component_get_database_log_file(component, 0));
        CHECK(!vss_wm_component_get_dependency(component, 0));
        vss_examine_writer_metadata_free(x);
}

/* every word of every enumeration comes back as its number */
static void test_enumerations(void) {
        for (uint32_t method = 1; method <= 8; method++)
                for (uint32_t restore = 1; restore <= 3; restore++) {
                        struct vss_create_writer_metadata *m = test_create(false);
                        struct vss_restore_method set = { .method = method,
                                                          .service = "s",
                                                          .writer_restore = restore };
                        struct vss_examine_writer_metadata *x;

                        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
                        WORKS(vss_create_writer_metadata_set_restore_method(m, &set, e));
                        x = test_finish(m);
                        CHECK_INT(vss_examine_writer_metadata_get_restore_method(x, &set), 0);
                        CHECK(set.method == method && set.writer_restore == restore);
                        vss_examine_writer_metadata_free(x);
                }
        for (uint32_t usage = 1; usage <= 4; usage++)
                for (uint32_t source = 1; source <= 3; source++) {
                        struct vss_writer_identity identity = test_identity();
                        struct vss_create_writer_metadata *m;
                        struct vss_examine_writer_metadata *x;

                        identity.usage = usage;
                        identity.source = source;
                        WORKS(create_writer_metadata_new(&identity, false, &m, e));
                        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
                        test_set_method(m);
                        x = test_finish(m);
                        vss_examine_writer_metadata_get_identity(x, &identity);
                        CHECK(identity.usage == usage && identity.source == source);
                        vss_examine_writer_metadata_free(x);
                }
}

static void test_component_rules(void) { /* M-27, M-34, D-22..D-32 */
        struct vss_create_writer_metadata *m = test_create(false);
        struct vss_component_info info = { .type = VSS_CT_UNDEFINED, .name = "a" };

        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.type = 3;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.type = VSS_CT_DATABASE;
        info.name = NULL;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.name = "";
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.name = "not\xfftext";
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.name = "a";
        info.flags = 8;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.flags = 0;
        info.caption = "\x02";
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        info.caption = NULL;
        WORKS(vss_create_writer_metadata_add_component(m, &info, e));
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS, vss_create_writer_metadata_add_component(m, &info, e));
        info.type = VSS_CT_FILEGROUP; /* the pair counts, not the type */
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS, vss_create_writer_metadata_add_component(m, &info, e));
        create_writer_metadata_free(m);
}

static void test_file_set_rules(void) { /* D-43, M-28..M-46, I-92 */
        struct vss_create_writer_metadata *m = test_create(false);
        struct vss_file_set good = { .path = "/a", .filespec = "*" }, bad;

        WORKS(test_add(m, "g", VSS_CT_FILEGROUP, true, false, e));
        WORKS(test_add(m, "d", VSS_CT_DATABASE, true, false, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "x", &good, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              vss_create_writer_metadata_add_files_to_file_group(m, "p", "g", &good, e));
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, NULL, &good, e));
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_files_to_file_group(m, NULL, "d", &good,
                                                                               e)); /* M-32 */
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_database_files(m, NULL, "g", &good, e));
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_database_log_files(m, NULL, "g", &good, e));
        bad = good;
        bad.recursive = true;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_database_files(m, NULL, "d", &bad, e));
        bad = good;
        bad.alternate_path = "/alt";
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_database_files(m, NULL, "d", &bad, e));
        bad.alternate_path = "alt";
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &bad, e));
        bad = good;
        bad.path = "/a*";
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &bad, e));
        bad.path = "%ProgramData%/a"; /* OQ-M3: no variables */
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &bad, e));
        bad = good;
        bad.filespec = "b/*";
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &bad, e));
        bad = good;
        bad.backup_type_mask = 0x1000;
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &bad, e));
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_add_include_files(m, &good, e)); /* D-19 */
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &good, e));
        create_writer_metadata_free(m);
}

/* M-45: two sets of one writer, in one component or in two, that can name the same file */
static void test_doubles(void) {
        static const struct {
                const char *path_a, *spec_a;
                bool recursive_a;
                const char *path_b, *spec_b;
                bool recursive_b, refused;
        } rows[] = {
                { "/d", "*", false, "/d", "*", false, true },
                { "/d", "*.db", false, "/d/", "app*", false, true },
                { "/d", "*.db", false, "/d", "*.log", false, false },
                { "/d", "*", false, "/d/e", "*", false, false },
                { "/d", "*", true, "/d/e", "x.log", false, true }, /* W-2 */
                { "/d/e", "x.log", false, "/d", "*", true, true },
                { "/d", "*.db", true, "/d/e", "x.log", false, false },
                { "/d/e", "*", true, "/d", "*", false, false },
                { "/", "*", true, "/d", "x", false, true },
                { "/d", "*", true, "/de", "*", true, false },
        };

        for (size_t i = 0; i < 2 * ELEMENTSOF(rows); i++) {
                size_t k = i / 2;
                const char *second = i % 2 ? "h" : "g";
                struct vss_create_writer_metadata *m = test_create(false);
                const struct vss_file_set a = { .path = rows[k].path_a,
                                                .filespec = rows[k].spec_a,
                                                .recursive = rows[k].recursive_a },
                                          b = { .path = rows[k].path_b,
                                                .filespec = rows[k].spec_b,
                                                .recursive = rows[k].recursive_b };
                struct vss_error error = VSS_ERROR_INIT;
                char *xml = NULL;
                int r;

                WORKS(test_add(m, "g", VSS_CT_FILEGROUP, true, false, e));
                WORKS(test_add(m, "h", VSS_CT_FILEGROUP, true, false, e));
                WORKS(vss_create_writer_metadata_add_files_to_file_group(m, NULL, "g", &a, e));
                WORKS(vss_create_writer_metadata_add_files_to_file_group(m, NULL, second, &b, e));
                test_set_method(m);
                r = create_writer_metadata_finish(m, NULL, &xml, NULL, &error);
                if (r != (rows[k].refused ? E_INVALIDARG : 0) ||
                    (r < 0 && !strstr(vss_error_message(&error), "M-45")))
                        CHECK_FAIL_("row %zu: %s", k, vss_error_message(&error));
                vss_error_clear(&error);
                free(xml);
                create_writer_metadata_free(m);
        }
}

static void test_restore_method_rules(void) { /* D-17, R-3, R-63, SEC-36 */
        static const char *const bad_services[] = { NULL,   "",    ";reboot", "../x.service",
                                                    "$(x)", "a b", "a\n" };
        struct vss_create_writer_metadata *m = test_create(false);
        struct vss_restore_method method = { .method = VSS_RME_UNDEFINED,
                                             .writer_restore = VSS_WRE_NEVER };
        char name[257];

        FAILS(E_INVALIDARG, vss_create_writer_metadata_set_restore_method(m, &method, e));
        method.method = VSS_RME_RESTORE_STOP_START;
        for (size_t i = 0; i < ELEMENTSOF(bad_services); i++) {
                method.service = bad_services[i];
                FAILS(E_INVALIDARG, vss_create_writer_metadata_set_restore_method(m, &method, e));
        }
        memset(name, 'a', sizeof(name));
        name[256] = '\0';
        method.service = name;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_set_restore_method(m, &method, e));
        name[255] = '\0';
        method.writer_restore = VSS_WRE_UNDEFINED;
        FAILS(E_INVALIDARG, vss_create_writer_metadata_set_restore_method(m, &method, e));
        method.writer_restore = VSS_WRE_NEVER;
        WORKS(vss_create_writer_metadata_set_restore_method(m, &method, e));
        FAILS(VSS_E_OBJECT_ALREADY_EXISTS,
              vss_create_writer_metadata_set_restore_method(m, &method, e));
        create_writer_metadata_free(m);
}

static void check_unfinished(struct vss_create_writer_metadata *m) {
        char *xml;

        FAILS(E_INVALIDARG, create_writer_metadata_finish(m, NULL, &xml, NULL, e));
        create_writer_metadata_free(m);
}

static void test_end_of_identify(void) { /* D-2, D-44, OQ-D8, R-92, B-56, M-19, M-56 */
        struct vss_file_set files = { .path = "/a", .filespec = "*" };
        struct vss_create_writer_metadata *m = test_create(false);
        char *xml;

        test_set_method(m);
        check_unfinished(m); /* no component */
        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
        FAILS(E_INVALIDARG,
              vss_create_writer_metadata_add_alternate_location_mapping(m, &files, "else", e));
        check_unfinished(m); /* no method */

        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
        WORKS(vss_create_writer_metadata_add_alternate_location_mapping(m, &files, "/b", e));
        FAILS(E_INVALIDARG, vss_create_writer_metadata_save_as_xml(m, &xml, NULL, e));
        check_unfinished(m); /* a mapping is no method */

        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
        WORKS(vss_create_writer_metadata_add_alternate_location_mapping(m, &files, "/b", e));
        test_set_method(m);
        check_unfinished(m); /* the mapping fits no file set */

        m = test_create(false);
        WORKS(vss_create_writer_metadata_add_exclude_files(m, &files, e));
        free(finished(m)); /* a writer of excludes only */

        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_FILEGROUP, true, false, e));
        test_set_method(m);
        WORKS(create_writer_metadata_finish(m, NULL, &xml, NULL, e));
        free(xml);
        FAILS(VSS_E_BAD_STATE, test_add(m, "b", VSS_CT_FILEGROUP, true, false, e));
        FAILS(VSS_E_BAD_STATE, vss_create_writer_metadata_set_backup_schema(m, 0, e));
        FAILS(VSS_E_BAD_STATE, vss_create_writer_metadata_add_exclude_files(m, &files, e));
        FAILS(VSS_E_BAD_STATE,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "a", &files, e));
        FAILS(VSS_E_BAD_STATE,
              vss_create_writer_metadata_add_alternate_location_mapping(m, &files, "/b", e));
        WORKS(vss_create_writer_metadata_save_as_xml(m, &xml, NULL, e));
        free(xml);
        create_writer_metadata_free(m);
}

static void test_schema(void) { /* I-64, IV-6, IV-7, D-16 */
        struct vss_create_writer_metadata *m = test_create(false);
        struct vss_file_set logs = { .path = "/log", .filespec = "*" };
        struct vss_examine_writer_metadata *x;
        uint32_t dropped = 77;
        char *xml;
        size_t size;

        WORKS(test_add(m, "a", VSS_CT_DATABASE, true, false, e));
        test_set_method(m);
        FAILS(E_INVALIDARG, vss_create_writer_metadata_set_backup_schema(m, 4, e));
        WORKS(vss_create_writer_metadata_set_backup_schema(m, VSS_BS_LOG, e));
        WORKS(create_writer_metadata_finish(m, &dropped, &xml, &size, e));
        CHECK_INT(dropped, VSS_BS_LOG);
        CHECK(!strstr(xml, "backupSchema")); /* omitted when 0 */
        create_writer_metadata_free(m);
        free(xml);

        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_DATABASE, true, false, e));
        WORKS(vss_create_writer_metadata_add_database_log_files(m, NULL, "a", &logs, e));
        test_set_method(m);
        WORKS(vss_create_writer_metadata_set_backup_schema(m, VSS_BS_LOG | VSS_BS_COPY, e));
        WORKS(create_writer_metadata_finish(m, &dropped, &xml, &size, e));
        CHECK_INT(dropped, 0);
        create_writer_metadata_free(m);
        WORKS(vss_examine_writer_metadata_create(xml, size, &x, e));
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(x), 0x18);
        vss_examine_writer_metadata_free(x);
        free(xml);

        m = test_create(false);
        WORKS(test_add(m, "a", VSS_CT_DATABASE, true, false, e));
        test_set_method(m);
        WORKS(vss_create_writer_metadata_set_backup_schema(m, VSS_BS_LOG | VSS_BS_COPY, e));
        WORKS(vss_create_writer_metadata_set_backup_schema(m, VSS_BS_COPY | VSS_BS_LOG, e));
        x = test_finish(m);
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(x), VSS_BS_COPY);
        vss_examine_writer_metadata_free(x);
}

static void test_express(void) { /* I-65, M-37, R-76, D-20 */
        struct vss_create_writer_metadata *m = test_create(true);
        struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "a", .flags = 4 };
        struct vss_file_set files = { .path = "/a", .filespec = "*" }, other = files;
        struct vss_restore_method method = { .method = VSS_RME_CUSTOM,
                                             .writer_restore = VSS_WRE_NEVER };
        char *xml;

        WORKS(vss_create_writer_metadata_add_component(m, &info, e));
        info.name = "b";
        info.flags = VSS_CF_BACKUP_RECOVERY;
        FAILS(VSS_E_NOT_SUPPORTED, vss_create_writer_metadata_add_component(m, &info, e));
        info.flags = 0;
        info.type = VSS_CT_DATABASE;
        FAILS(VSS_E_NOT_SUPPORTED, vss_create_writer_metadata_add_component(m, &info, e));
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, NULL, "a", &files, e));
        other.alternate_path = "/b";
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "a", &other, e));
        other = files;
        other.backup_type_mask = 0x0303;
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_add_files_to_file_group(m, NULL, "a", &other, e));
        other.backup_type_mask = 0x0f01;
        other.path = "/b";
        WORKS(vss_create_writer_metadata_add_files_to_file_group(m, NULL, "a", &other, e));
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_add_exclude_files_from_snapshot(m, &files, e));
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_add_alternate_location_mapping(m, &files, "/c", e));
        FAILS(VSS_E_NOT_SUPPORTED, vss_create_writer_metadata_set_restore_method(m, &method, e));
        method.method = VSS_RME_RESTORE_IF_NOT_THERE;
        method.writer_restore = VSS_WRE_ALWAYS;
        FAILS(VSS_E_NOT_SUPPORTED, vss_create_writer_metadata_set_restore_method(m, &method, e));
        method.writer_restore = VSS_WRE_NEVER;
        WORKS(vss_create_writer_metadata_set_restore_method(m, &method, e));
        FAILS(VSS_E_NOT_SUPPORTED,
              vss_create_writer_metadata_set_backup_schema(m, VSS_BS_INCREMENTAL, e));
        WORKS(vss_create_writer_metadata_set_backup_schema(m, VSS_BS_COPY, e));
        xml = finished(m);
        /* express writers write what live ones leave out (xml-format 2.1) */
        CHECK(strstr(xml, "filespec=\"*\" recursive=\"no\" filespecBackupType=\"3855\""));
        free(xml);
}

/* what the writer takes the reader takes: the limits hold on both sides */
static void test_limits_while_building(void) {
        struct vss_create_writer_metadata *m = test_create(false);
        size_t size = (size_t)4 << 20;
        char *text = malloc(size + 2);
        struct vss_component_info info = { .type = VSS_CT_FILEGROUP, .name = "a", .caption = text };
        struct vss_examine_writer_metadata *x;

        CHECK(text);
        memset(text, 'x', size + 1);
        text[size + 1] = '\0';
        FAILS(E_INVALIDARG, vss_create_writer_metadata_add_component(m, &info, e));
        text[size] = '\0';
        WORKS(vss_create_writer_metadata_add_component(m, &info, e));
        test_set_method(m);
        x = test_finish(m);
        CHECK_INT(strlen(test_info(x, 0).caption), size);
        vss_examine_writer_metadata_free(x);
        free(text);
}

int main(void) {
        RUN(test_exact_form);
        RUN(test_reproducible);
        RUN(test_identity_rules);
        RUN(test_all_items);
        RUN(test_enumerations);
        RUN(test_component_rules);
        RUN(test_file_set_rules);
        RUN(test_doubles);
        RUN(test_restore_method_rules);
        RUN(test_end_of_identify);
        RUN(test_schema);
        RUN(test_express);
        RUN(test_limits_while_building);
        return 0;
}
