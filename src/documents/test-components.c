/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-components.c - the Backup Components Document: every item of D-45 to D-83 and who may write
 * it when.
 */
#include "documents/test-components.h"

/* ---- global items: D-45, D-46, D-47, D-48, D-49, D-50, D-52, D-54; D-51 is kept as unknown ----
 */

static void test_state(void) {
        struct backup t = begin(0, VSS_BT_INCREMENTAL, true);
        struct vss_id set = test_id("11111111-2222-3333-4444-555555555555"), instance, writer;
        struct bcd_state state;

        FAILS(E_INVALIDARG,
              bcd_set_backup_state(t.bcd, true, true, VSS_BT_UNDEFINED, true, e)); /* IV-103 */
        FAILS(E_INVALIDARG, bcd_set_backup_state(t.bcd, true, true, 7, true, e));
        FAILS(E_INVALIDARG, bcd_set_restore_state(t.bcd, 9, e));
        WORKS(bcd_set_restore_state(t.bcd, VSS_RTYPE_IMPORT, e));
        CHECK_INT(bcd_set_snapshot_set_id(t.bcd, &set), 0);
        reload(&t);
        bcd_get_state(t.bcd, &state);
        CHECK(state.select_components && !state.bootable_system_state &&
              state.partial_file_support);
        CHECK_INT(state.backup_type, VSS_BT_INCREMENTAL);
        CHECK_INT(state.restore_type, VSS_RTYPE_IMPORT);
        CHECK(vss_id_equal(&state.snapshot_set_id, &set));
        CHECK_INT(bcd_get_writer_count(t.bcd), 1); /* D-54: writers, not components */
        vss_writer_components_get_writer_info(bcd_get_writer(t.bcd, 0), &instance, &writer);
        CHECK(vss_id_equal(&instance, &t.instance) && vss_id_equal(&writer, &t.a.writer_id));
        CHECK(!bcd_get_writer(t.bcd, 1));
        CHECK(!vss_writer_components_get_component(bcd_get_writer(t.bcd, 0), 2));
        end(&t);
        for (uint32_t type = VSS_BT_FULL; type <= VSS_BT_OTHER; type++) {
                t = begin(0, type, false);
                reload(&t);
                bcd_get_state(t.bcd, &state);
                CHECK_INT(state.backup_type, type);
                end(&t);
        }
}

/* xml-format section 3: the evidenced form, to the byte */
static void test_exact_form(void) {
        struct backup t = begin(0, VSS_BT_FULL, false);
        struct vss_id set = test_id("11111111-2222-3333-4444-555555555555");
        struct vss_writer_components *writer;
        char *xml, *fragment;
        size_t size;

        CHECK_INT(bcd_set_snapshot_set_id(t.bcd, &set), 0);
        WORKS(bcd_fragment(t.bcd, &t.instance, &fragment, &size, e));
        WORKS(writer_components_load(fragment, size, NULL, NULL, &writer, e));
        free(fragment);
        writer_components_set_event(writer, COMPONENT_EVENT_POST_SNAPSHOT);
        CHECK_INT(vss_component_set_backup_stamp(vss_writer_components_get_component(writer, 1),
                                                 "CAAA=="),
                  0);
        CHECK_INT(vss_component_set_backup_metadata(vss_writer_components_get_component(writer, 1),
                                                    "BBB="),
                  0);
        WORKS(writer_components_save(writer, &fragment, &size, e));
        WORKS(bcd_merge(t.bcd, &t.instance, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, fragment,
                        size, t.metadata, e));
        WORKS(bcd_save(t.bcd, &xml, NULL, e));
        CHECK_STR(
                xml,
                "<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" version=\"1.2\" "
                "bootableSystemStateBackup=\"no\" selectComponents=\"yes\" backupType=\"full\" "
                "partialFileSupport=\"no\" snapshotSetId=\"11111111-2222-3333-4444-555555555555\">"
                "<WRITER_COMPONENTS instanceId=\"" TEST_INSTANCE "\" writerId=\"" TEST_WRITER
                "\" backupSchema=\"0\"><COMPONENT componentName=\"a\" "
                "componentType=\"filegroup\"/><COMPONENT logicalPath=\"p\" componentName=\"b\" "
                "componentType=\"filegroup\" backupStamp=\"CAAA==\">"
                "<BACKUP_METADATA metadata=\"BBB=\"/></COMPONENT></WRITER_COMPONENTS>"
                "</BACKUP_COMPONENTS>");
        CHECK_STR(fragment, xml); /* with one writer the part is the whole */
        free(xml);
        free(fragment);
        writer_components_free(writer);
        end(&t);
}

/* ---- what the requester sets ---- */

static void test_requester_items(void) {
        struct backup t = begin(0xf37f & ~(uint32_t)VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL,
                                VSS_BT_FULL, true);
        struct vss_id other = test_id("11111111-2222-3333-4444-555555555555"), selected;
        const struct vss_component *c;
        const char *point;
        uint32_t type;

        c = entry(&t, 0);
        CHECK(!vss_component_get_backup_succeeded(c)); /* D-67 default, B-154 */
        CHECK(!vss_component_get_previous_backup_stamp(c)); /* D-57: none set */
        CHECK_INT(vss_component_get_restore_target(c), VSS_RT_ORIGINAL); /* R-2 default */
        CHECK_INT(vss_component_get_file_restore_status(c), VSS_RS_UNDEFINED);
        CHECK(!vss_component_get_additional_restores(c)); /* D-71 default */

        WORKS(bcd_set_backup_options(t.bcd, &t.a, "opt \"1\"", e)); /* D-56 */
        WORKS(bcd_set_previous_backup_stamp(t.bcd, &t.a, "s0", e)); /* D-57 */
        WORKS(bcd_set_backup_succeeded(t.bcd, &t.instance, &t.a, true, e)); /* D-67 */
        WORKS(bcd_set_selected_for_restore(t.bcd, &t.a, true, &other, e)); /* D-68, R-29 */
        WORKS(bcd_set_restore_options(t.bcd, &t.a, "\"Authoritative\"=\"All\"", e)); /* D-70 */
        WORKS(bcd_set_additional_restores(t.bcd, &t.a, true, e)); /* D-71 */
        WORKS(bcd_set_file_restore_status(t.bcd, &t.a, VSS_RS_FAILED, e)); /* D-77 */
        WORKS(bcd_set_authoritative_restore(t.bcd, &t.a, true, e)); /* D-78 */
        WORKS(bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_PARTIAL, "here", e));
        WORKS(bcd_set_restore_name(t.bcd, &t.a, "new", e));
        reload(&t);
        c = entry(&t, 0);
        CHECK_INT(vss_component_get_component_type(c), VSS_CT_FILEGROUP); /* D-55 */
        CHECK_STR(vss_component_get_component_name(c), "a");
        CHECK_STR(vss_component_get_logical_path(c), NULL);
        CHECK_STR(vss_component_get_backup_options(c), "opt \"1\"");
        CHECK_STR(vss_component_get_previous_backup_stamp(c), "s0");
        CHECK(vss_component_get_backup_succeeded(c));
        CHECK(vss_component_is_selected_for_restore(c));
        selected = bcd_get_selected_instance(t.bcd, &t.a);
        CHECK(vss_id_equal(&selected, &other));
        CHECK_STR(vss_component_get_restore_options(c), "\"Authoritative\"=\"All\"");
        CHECK(vss_component_get_additional_restores(c));
        CHECK_INT(vss_component_get_file_restore_status(c), VSS_RS_FAILED);
        CHECK(vss_component_get_authoritative_restore(c));
        vss_component_get_roll_forward(c, &type, &point);
        CHECK_INT(type, VSS_RF_PARTIAL);
        CHECK_STR(point, "here");
        CHECK_STR(vss_component_get_restore_name(c), "new");

        WORKS(bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_ALL, "ignored", e)); /* */
        vss_component_get_roll_forward(c, &type, &point);
        CHECK(type == VSS_RF_ALL && !point);
        WORKS(bcd_set_selected_for_restore(t.bcd, &t.a, false, NULL, e));
        selected = bcd_get_selected_instance(t.bcd, &t.a);
        CHECK(vss_id_is_null(&selected) && !vss_component_is_selected_for_restore(c));
        end(&t);
}

/* D-81, I-158: whatever is set on a component that is not in the document */
static void test_not_found(void) {
        struct backup t =
                begin(0x3ff & ~(uint32_t)(VSS_BS_LSN | VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL),
                      VSS_BT_FULL, true);
        struct vss_file_set from = { .path = "/d", .filespec = "*.t" };
        struct vss_component_key wrong = t.a;
        struct vss_id other = test_id("11111111-2222-3333-4444-555555555555");

        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_options(t.bcd, &t.unknown, "x", e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_previous_backup_stamp(t.bcd, &t.unknown, "x", e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_set_backup_succeeded(t.bcd, &t.instance, &t.unknown, true, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_set_selected_for_restore(t.bcd, &t.unknown, true, NULL, e)); /* */
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_restore_options(t.bcd, &t.unknown, "\"a\"=\"\"", e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_additional_restores(t.bcd, &t.unknown, true, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_set_file_restore_status(t.bcd, &t.unknown, VSS_RS_ALL, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_ranges_file_path(t.bcd, &t.unknown, 0, "/r", e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_authoritative_restore(t.bcd, &t.unknown, true, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_roll_forward(t.bcd, &t.unknown, VSS_RF_ALL, NULL, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_restore_name(t.bcd, &t.unknown, "x", e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_add_new_target(t.bcd, &t.unknown, &from, "/n", t.metadata, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_add_alternative_location_mapping(t.bcd, &t.unknown, &from, "/n", NULL, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_succeeded(t.bcd, &other, &t.a, true, e));
        wrong.type = VSS_CT_DATABASE;
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_options(t.bcd, &wrong, "x", e));
        wrong = t.a;
        wrong.writer_id = other;
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_options(t.bcd, &wrong, "x", e));
        wrong.name = NULL;
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_backup_options(t.bcd, &wrong, "x", e));
        end(&t);
}

static void test_bad_values(void) {
        struct backup t = begin(0, VSS_BT_FULL, false);
        static const char *const bad_options[] = { "",
                                                   "a",
                                                   "\"a\"",
                                                   "\"a\"=",
                                                   "\"a\"=b",
                                                   "a=\"b\"",
                                                   "\"a\"=\"b\",",
                                                   ",\"a\"=\"b\"",
                                                   "\"a\"=\"b\" \"c\"=\"d\"",
                                                   "\"a\":\"b\"",
                                                   "\"a\":\"b\":\"c\"=\"d\"",
                                                   "\"a=\"b\"",
                                                   "\"a\"=\"b\"x" };
        static const char *const good_options[] = {
                "\"a\"=\"b\"",
                " \"a\" = \"b\" ",
                "\"a\"=\"\"",
                "\"c\\d\":\"a\"=\"b\"",
                "\"a\"=\"b\",\"c\"=\"d\"",
                "\"x\" : \"a\"\t=\n\"b,=:\" , \"c\"=\"d\"",
        };

        FAILS(E_INVALIDARG, bcd_set_backup_options(t.bcd, &t.a, NULL, e));
        FAILS(E_INVALIDARG, bcd_set_backup_options(t.bcd, &t.a, "\x01", e));
        FAILS(E_INVALIDARG, bcd_set_previous_backup_stamp(t.bcd, &t.a, "\xff", e));
        FAILS(E_INVALIDARG, bcd_set_file_restore_status(t.bcd, &t.a, 4, e));
        FAILS(E_INVALIDARG, bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_UNDEFINED, NULL, e));
        FAILS(E_INVALIDARG, bcd_set_roll_forward(t.bcd, &t.a, VSS_RF_PARTIAL, NULL, e)); /* */
        FAILS(E_INVALIDARG, bcd_set_roll_forward(t.bcd, &t.a, 4, NULL, e));
        for (size_t i = 0; i < ELEMENTSOF(bad_options); i++) /* */
                FAILS(E_INVALIDARG, bcd_set_restore_options(t.bcd, &t.a, bad_options[i], e));
        for (size_t i = 0; i < ELEMENTSOF(good_options); i++)
                WORKS(bcd_set_restore_options(t.bcd, &t.a, good_options[i], e));
        end(&t);
}

static void test_targets(void) { /* D-74, D-75, R-83, R-93, R-94, D-79, D-80 */
        struct backup t = begin(VSS_BS_WRITER_SUPPORTS_NEW_TARGET, VSS_BT_FULL, false);
        struct vss_file_set from = { .path = "/d/", .filespec = "*.t" };
        struct vss_file_set sub = { .path = "/s", .filespec = "*", .recursive = true };
        struct vss_file_set other = { .path = "/b", .filespec = "*.log" };
        struct vss_id instance = test_id(TEST_INSTANCE);
        const struct vss_wm_filedesc *file;

        WORKS(bcd_add_new_target(t.bcd, &t.a, &from, "/new", t.metadata, e));
        WORKS(bcd_add_new_target(t.bcd, &t.a, &sub, "/new", t.metadata, e));
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_add_new_target(t.bcd, &t.a, &other, "/new", t.metadata, e));
        from.recursive = true;
        FAILS(VSS_E_OBJECT_NOT_FOUND,
              bcd_add_new_target(t.bcd, &t.a, &from, "/new", t.metadata, e));
        FAILS(E_INVALIDARG, bcd_add_new_target(t.bcd, &t.a, &sub, "new", t.metadata, e));
        FAILS(E_INVALIDARG, bcd_add_new_target(t.bcd, &t.a, &sub, "/new*", t.metadata, e));
        WORKS(bcd_add_alternative_location_mapping(t.bcd, &t.a, &sub, "/mapped", t.metadata, e));
        FAILS(VSS_E_NOT_SUPPORTED,
              bcd_set_selected_for_restore(t.bcd, &t.a, true, &instance, e)); /* */
        reload(&t);
        CHECK_INT(vss_component_get_new_target_count(entry(&t, 0)), 2);
        file = vss_component_get_new_target(entry(&t, 0), 0);
        CHECK_STR(vss_wm_filedesc_get_path(file), "/d/");
        CHECK_STR(vss_wm_filedesc_get_alternate_location(file), "/new");
        CHECK(!vss_component_get_new_target(entry(&t, 0), 2));
        CHECK_INT(vss_component_get_alternate_location_mapping_count(entry(&t, 0)), 1);
        file = vss_component_get_alternate_location_mapping(entry(&t, 0), 0);
        CHECK_STR(vss_wm_filedesc_get_alternate_location(file), "/mapped"); /* M-50: not "/new" */
        CHECK(vss_wm_filedesc_get_recursive(file));
        end(&t);

        t = begin(0, VSS_BT_FULL, false);
        FAILS(VSS_E_NOT_SUPPORTED, bcd_add_new_target(t.bcd, &t.a, &sub, "/new", t.metadata, e));
        end(&t);
}

/* ---- what the writer sets, and when ---- */

/* one call of each setter; the table says in which events it is allowed */
static int call_setter(struct vss_component *c, int which) {
        static const struct vss_directed_target target = { "/d", "p.t", "0:5", "/x", "q", "7:5" };

        switch (which) {
        case 0:
                return vss_component_set_backup_stamp(c, "stamp");
        case 1:
                return vss_component_set_backup_metadata(c, "data");
        case 2:
                return vss_component_set_restore_metadata(c, "data");
        case 3:
                return vss_component_set_prepare_for_backup_failure_msg(c, "m");
        case 4:
                return vss_component_set_post_snapshot_failure_msg(c, "m");
        case 5:
                return vss_component_set_pre_restore_failure_msg(c, "m");
        case 6:
                return vss_component_set_post_restore_failure_msg(c, "m");
        case 7:
                return vss_component_set_failure(c, VSS_E_WRITERERROR_RETRYABLE, 5, "m");
        case 8:
                return vss_component_set_restore_target(c, VSS_RT_DIRECTED);
        case 9:
                return vss_component_add_partial_file(c, "/d", "p.t", "0:5", NULL, NULL);
        case 10:
                return vss_component_add_differenced_files_by_last_modify_time(c, "/d", "*.t",
                                                                               false, 7, NULL);
        case 11:
                return vss_component_add_directed_target(c, &target, NULL);
        default:
                return vss_component_add_differenced_files_by_last_modify_lsn(c, "/d", "*", false,
                                                                              "1");
        }
}

static void test_events(void) { /* B-61..B-67, D-58..D-78, D-82, R-16, BV-28, IV-49, IV-53 */
        /*                 none   PB     PS     BC     PreR   PostR */
        static const bool allowed[12][6] = {
                { false, true, true, false, false, false }, /* stamp */
                { false, true, true, false, false, false }, /* backup metadata, BV-28 */
                { false, true, true, false, true, false }, /* restore metadata, D-60 */
                { false, true, false, false, false, false }, /* D-61 */
                { false, false, true, false, false, false }, /* D-62 */
                { false, false, false, false, true, false }, /* D-76 */
                { false, false, false, false, false, true }, /* D-76, R-16 */
                { false, true, true, false, true, true }, /* D-63 */
                { false, false, false, false, true, false }, /* D-72 */
                { false, true, true, false, false, false }, /* D-64 */
                { false, true, true, false, false, false }, /* D-66, IV-49, I-98 */
                { false, false, false, false, true, false }, /* D-73, R-125 */
        };
        struct backup t = begin(0x0073, VSS_BT_INCREMENTAL, true);

        for (int event = 0; event < 6; event++)
                for (int which = 0; which < 13; which++) {
                        struct vss_writer_components *writer =
                                visit(&t, (enum component_event)event);
                        int expected = which == 12             ? VSS_E_NOT_SUPPORTED /* IV-53 */
                                       : allowed[which][event] ? 0
                                                               : VSS_E_BAD_STATE;
                        int r = call_setter(vss_writer_components_get_component(writer, 0), which);

                        if (r != expected)
                                CHECK_FAIL_("setter %d in event %d: %s", which, event,
                                            vss_error_name(r));
                        CHECK_INT(writer_components_is_changed(writer), r == 0);
                        WORKS(leave(&t, writer, (enum component_event)event, BCD_MERGE_ALL, e));
                        end(&t);
                        t = begin(0x0073, VSS_BT_INCREMENTAL, true);
                }
        /* D-82: the requester's own view is never writable */
        for (int which = 0; which < 12; which++)
                CHECK_INT(call_setter(entry(&t, 0), which), VSS_E_BAD_STATE);
        end(&t);
}

static void test_backup_events(void) { /* D-58..D-66, IV-110, BV-29 */
        struct backup t = begin(0x0073, VSS_BT_INCREMENTAL, true);
        struct vss_writer_components *writer;
        struct vss_component *c;
        const char *path, *name, *ranges, *metadata, *message;
        int32_t failure, application;
        vss_timestamp_t time;
        bool recursive;

        WORKS(bcd_set_previous_backup_stamp(t.bcd, &t.b, "s0", e));
        writer = visit(&t, COMPONENT_EVENT_PREPARE_BACKUP);
        CHECK_INT(vss_writer_components_get_component_count(writer), 2);
        c = vss_writer_components_get_component(writer, 1);
        CHECK_STR(vss_component_get_previous_backup_stamp(c), "s0");
        CHECK_INT(vss_component_set_backup_stamp(c, "p"), 0);
        CHECK_INT(vss_component_set_backup_metadata(c, "data"), 0);
        CHECK_INT(vss_component_set_backup_metadata(c, "more"), VSS_E_OBJECT_ALREADY_EXISTS);
        WORKS(vss_component_add_partial_file(c, "/b", "x.log", "0:5,100:20", "check", e));
        WORKS(leave(&t, writer, COMPONENT_EVENT_PREPARE_BACKUP, BCD_MERGE_ALL, e));
        CHECK_INT(vss_component_get_differenced_files_count(entry(&t, 1)), 0); /* IV-109 */

        writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        c = vss_writer_components_get_component(writer, 1);
        CHECK_INT(vss_component_set_backup_stamp(c, "q"), 0); /* IV-110 */
        CHECK_INT(vss_component_set_backup_metadata(c, "again"),
                  VSS_E_OBJECT_ALREADY_EXISTS); /* D-59, BV-29 */
        WORKS(vss_component_add_partial_file(c, "/b\xff", "y\n.log", "/var/r.bin", NULL, e));
        WORKS(vss_component_add_differenced_files_by_last_modify_time(
                c, "/b", "*.log", false, INT64_C(132216568820000000), e));
        CHECK_INT(vss_component_set_failure(c, VSS_E_WRITERERROR_TIMEOUT, -3, "why"), 0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, e));
        reload(&t);

        c = entry(&t, 1);
        CHECK_STR(vss_component_get_backup_stamp(c), "q");
        CHECK_STR(vss_component_get_backup_metadata(c), "data");
        CHECK_INT(vss_component_get_partial_file_count(c), 2);
        CHECK_INT(vss_component_get_partial_file(c, 0, &path, &name, &ranges, &metadata), 0);
        CHECK_STR(path, "/b");
        CHECK_STR(name, "x.log");
        CHECK_STR(ranges, "0:5,100:20");
        CHECK_STR(metadata, "check");
        CHECK_INT(vss_component_get_partial_file(c, 1, &path, &name, &ranges, &metadata), 0);
        CHECK_STR(path, "/b\xff");
        CHECK_STR(name, "y\n.log");
        CHECK_STR(metadata, ""); /* I-119 */
        CHECK_INT(vss_component_get_partial_file(c, 2, NULL, NULL, NULL, NULL),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(vss_component_get_differenced_file(c, 0, &path, &name, &recursive, &time), 0);
        CHECK(time == INT64_C(132216568820000000) && !recursive);
        CHECK_INT(vss_component_get_differenced_file(c, 1, NULL, NULL, NULL, NULL),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(vss_component_get_failure(c, &failure, &application, &message), S_OK);
        CHECK(failure == VSS_E_WRITERERROR_TIMEOUT && application == -3);
        CHECK_STR(message, "why");
        CHECK_INT(vss_component_get_failure(entry(&t, 0), &failure, &application, &message), S_OK);
        CHECK(failure == 0 && application == 0 && !message);

        /* D-65, R-122, IV-76 */
        WORKS(bcd_set_deferred(t.bcd, &t.b, e)); /* R-156, D-60 */
        CHECK_STR(vss_component_get_restore_metadata(c), "deferred=yes");
        WORKS(bcd_set_ranges_file_path(t.bcd, &t.b, 1, "/elsewhere/r.bin", e));
        CHECK_INT(vss_component_get_partial_file(c, 1, NULL, NULL, &ranges, NULL), 0);
        CHECK_STR(ranges, "/elsewhere/r.bin");
        FAILS(VSS_E_OBJECT_NOT_FOUND, bcd_set_ranges_file_path(t.bcd, &t.b, 2, "/r", e));
        FAILS(E_INVALIDARG, bcd_set_ranges_file_path(t.bcd, &t.b, 1, "r", e));
        end(&t);
}

static void test_restore_events(void) { /* D-60, D-69, D-72, D-73, D-76 */
        struct backup t = begin(0, VSS_BT_FULL, false);
        struct vss_directed_target target = { "/d/sub", "p.t", "64:448,1000:65536",
                                              "/x",     "q",   "0:448,448:65536" },
                                   read; /* */
        struct vss_writer_components *writer;
        struct vss_component *c;
        const char *path, *name;

        WORKS(bcd_set_selected_for_restore(t.bcd, &t.a, true, NULL, e));
        WORKS(bcd_add_restore_subcomponent(t.bcd, &t.a, "a", "s", t.metadata, e));
        writer = visit(&t, COMPONENT_EVENT_PRE_RESTORE);
        c = vss_writer_components_get_component(writer, 0);
        CHECK(vss_component_is_selected_for_restore(c));
        CHECK_INT(vss_component_get_restore_subcomponent_count(c), 1);
        CHECK_INT(vss_component_get_restore_subcomponent(c, 0, &path, &name), 0);
        CHECK_STR(path, "a");
        CHECK_STR(name, "s");
        CHECK_INT(vss_component_get_restore_subcomponent(c, 1, NULL, NULL), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(vss_component_set_restore_target(c, VSS_RT_UNDEFINED), E_INVALIDARG); /* */
        CHECK_INT(vss_component_set_restore_target(c, 5), E_INVALIDARG);
        CHECK_INT(vss_component_set_restore_target(c, VSS_RT_ORIGINAL_LOCATION), 0);
        CHECK_INT(vss_component_set_restore_metadata(c, "one"), 0);
        CHECK_INT(vss_component_set_restore_metadata(c, "two"), 0);
        CHECK_INT(vss_component_set_pre_restore_failure_msg(c, "pre"), 0);
        WORKS(vss_component_add_directed_target(c, &target, e));
        target.source_path = "/elsewhere"; /* outside the set */
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.source_path = "/s/deep";
        target.destination_ranges = "0:448,448:65535";
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.destination_ranges = "0:448";
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.destination_ranges = "0:448,447:65536"; /* overlap */
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.destination_ranges = NULL;
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.destination_ranges = "0:448,448:65536";
        target.source_filename = "*.t";
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        WORKS(leave(&t, writer, COMPONENT_EVENT_PRE_RESTORE, BCD_MERGE_ALL, e));
        reload(&t);

        c = entry(&t, 0);
        CHECK_INT(vss_component_get_restore_target(c), VSS_RT_ORIGINAL_LOCATION);
        CHECK_STR(vss_component_get_restore_metadata(c), "two");
        CHECK_STR(vss_component_get_pre_restore_failure_msg(c), "pre");
        CHECK_INT(vss_component_get_directed_target_count(c), 1);
        CHECK_INT(vss_component_get_directed_target(c, 0, &read), 0);
        CHECK_STR(read.source_path, "/d/sub");
        CHECK_STR(read.source_filename, "p.t");
        CHECK_STR(read.destination_path, "/x");
        CHECK_STR(read.destination_filename, "q");
        CHECK_STR(read.destination_ranges, "0:448,448:65536");
        CHECK_INT(vss_component_get_directed_target(c, 1, &read), VSS_E_OBJECT_NOT_FOUND);

        /* a restore may follow a restore: metadata of the last one are replaced */
        writer = visit(&t, COMPONENT_EVENT_PRE_RESTORE);
        c = vss_writer_components_get_component(writer, 0);
        CHECK_INT(vss_component_set_restore_metadata(c, "three"), 0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_PRE_RESTORE, BCD_MERGE_ALL, e));
        CHECK_STR(vss_component_get_restore_metadata(entry(&t, 0)), "three");
        WORKS(bcd_set_deferred(t.bcd, &t.a, e)); /* */

        writer = visit(&t, COMPONENT_EVENT_POST_RESTORE);
        c = vss_writer_components_get_component(writer, 0);
        CHECK_STR(vss_component_get_restore_metadata(c), "three;deferred=yes");
        CHECK_INT(vss_component_set_post_restore_failure_msg(c, "post"), 0);
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_RESTORE, BCD_MERGE_ALL, e));
        CHECK_STR(vss_component_get_post_restore_failure_msg(entry(&t, 0)), "post");
        CHECK(!vss_component_get_post_snapshot_failure_msg(entry(&t, 0)));
        CHECK(!vss_component_get_prepare_for_backup_failure_msg(entry(&t, 0)));
        end(&t);
}

/* of a partial file there is nothing but its ranges; R-127: they may go to several places */
static void test_directed_partial(void) {
        struct backup t = begin(VSS_BS_INCREMENTAL, VSS_BT_INCREMENTAL, true);
        struct vss_directed_target target = { "/d", "p.t", "0:5", "/x", "q", "100:5" };
        struct vss_writer_components *writer = visit(&t, COMPONENT_EVENT_POST_SNAPSHOT);
        struct vss_component *c = vss_writer_components_get_component(writer, 0);

        WORKS(vss_component_add_partial_file(c, "/d", "p.t", "0:5,100:10", NULL, e));
        WORKS(vss_component_add_partial_file(c, "/d", "p.t", "110:10", NULL, e));
        WORKS(vss_component_add_partial_file(c, "/d", "by-file.t", "/ranges", NULL, e));
        WORKS(leave(&t, writer, COMPONENT_EVENT_POST_SNAPSHOT, BCD_MERGE_ALL, e));

        writer = visit(&t, COMPONENT_EVENT_PRE_RESTORE);
        c = vss_writer_components_get_component(writer, 0);
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.source_ranges = "0:5,100:21";
        target.destination_ranges = "0:5,5:21";
        FAILS(E_INVALIDARG, vss_component_add_directed_target(c, &target, e));
        target.source_ranges = "100:20,0:5"; /* in another order the same */
        target.destination_ranges = "0:20,20:5";
        WORKS(vss_component_add_directed_target(c, &target, e));
        target.destination_filename = "r";
        WORKS(vss_component_add_directed_target(c, &target, e));
        target.source_ranges = "1:2";
        target.destination_ranges = "0:2";
        target.source_filename = "by-file.t"; /* what its file says is not known here */
        WORKS(vss_component_add_directed_target(c, &target, e));
        target.source_filename = "whole.t";
        WORKS(vss_component_add_directed_target(c, &target, e));
        WORKS(leave(&t, writer, COMPONENT_EVENT_PRE_RESTORE, BCD_MERGE_ALL, e));
        CHECK_INT(vss_component_get_directed_target_count(entry(&t, 0)), 4);
        end(&t);
}

int main(void) {
        RUN(test_state);
        RUN(test_exact_form);
        RUN(test_requester_items);
        RUN(test_not_found);
        RUN(test_bad_values);
        RUN(test_targets);
        RUN(test_events);
        RUN(test_backup_events);
        RUN(test_restore_events);
        RUN(test_directed_partial);
        return 0;
}
