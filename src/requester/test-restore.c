/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-restore.c - a restore against a service that does what it is told: the table of calls, who
 * takes part, what is warned of, and a service that dies.
 */
#define _GNU_SOURCE
#include "requester/test-object.h"

/* the document of a backup whose writer had another instance id */
static char *stored_document(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        char *xml;
        size_t size;

        fake_add_writer(&fake, &class_a, &two, "Notes", "data")->edit = edit_stamp;
        begin();
        backup_begun(true);
        CHECK_INT(vss_backup_components_add_component(bc, &two, &key, NULL), 0);
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_prepare_for_backup), 0);
        CHECK_INT(vss_backup_components_save_as_xml(bc, &xml, &size, NULL), 0);
        end();
        return xml;
}

/* one call of each row of restore-protocol 2.1; the columns in which it works, U I G C D */
enum { U = 1, I = 2, G = 4, C = 8, D = 16 };

static const struct vss_component_key *rkey;

static const struct restore_row {
        const char *name;
        unsigned allowed;
} rows[] = {
        { "SetRestoreState", I | G },
        { "SetSelectedForRestore", G },
        { "AddRestoreSubcomponent", G },
        { "SetRestoreOptions", I | G },
        { "SetRollForward", I | G },
        { "SetRestoreName", I | G },
        { "SetAuthoritativeRestore", I | G },
        { "SetPreviousBackupStamp", I | G },
        { "SetAdditionalRestores", I | G | C },
        { "AddNewTarget", I | G | C },
        { "AddAlternativeLocationMapping", C },
        { "SetFileRestoreStatus", C },
        { "SetDeferred", C },
        { "SetRangesFilePath", C },
        { "GetWriterComponents", I | G | C | D },
        { "GatherWriterStatus", I | G | C | D },
        { "StartSnapshotSet", 0 },
        { "AddToSnapshotSet", 0 },
        { "DoSnapshotSet", 0 },
        { "PrepareForBackup", 0 },
        { "SetBackupState", 0 },
        { "SetBackupOptions", 0 },
        { "SetBackupSucceeded", 0 },
        { "BackupComplete", 0 },
};

static int try_row(const char *name) {
        const struct vss_file_set from = { .path = "/srv", .filespec = "*", .recursive = true };
        struct vss_async *async = NULL;
        size_t count;
        int r;

#define ROW(n, call)                                                                               \
        if (strcmp(name, n) == 0)                                                                  \
        return call
        ROW("SetRestoreState", vss_backup_components_set_restore_state(bc, 1, NULL));
        ROW("SetSelectedForRestore",
            vss_backup_components_set_selected_for_restore(bc, rkey, true, NULL, NULL));
        ROW("AddRestoreSubcomponent",
            vss_backup_components_add_restore_subcomponent(bc, rkey, "data", "x", NULL));
        ROW("SetRestoreOptions", vss_backup_components_set_restore_options(bc, rkey, "", NULL));
        ROW("SetRollForward",
            vss_backup_components_set_roll_forward(bc, rkey, VSS_RF_NONE, NULL, NULL));
        ROW("SetRestoreName", vss_backup_components_set_restore_name(bc, rkey, "n", NULL));
        ROW("SetAuthoritativeRestore",
            vss_backup_components_set_authoritative_restore(bc, rkey, false, NULL));
        ROW("SetPreviousBackupStamp",
            vss_backup_components_set_previous_backup_stamp(bc, rkey, "s", NULL));
        ROW("SetAdditionalRestores",
            vss_backup_components_set_additional_restores(bc, rkey, false, NULL));
        ROW("AddNewTarget", vss_backup_components_add_new_target(bc, rkey, &from, "/new", NULL));
        ROW("AddAlternativeLocationMapping",
            vss_backup_components_add_alternative_location_mapping(bc, rkey, &from, "/n", NULL));
        ROW("SetFileRestoreStatus",
            vss_backup_components_set_file_restore_status(bc, rkey, VSS_RS_ALL, NULL));
        ROW("SetDeferred", vss_backup_components_set_deferred(bc, rkey, NULL));
        ROW("SetRangesFilePath",
            vss_backup_components_set_ranges_file_path(bc, rkey, 0, "/r", NULL));
        ROW("GetWriterComponents",
            vss_backup_components_get_writer_components_count(bc, &count, NULL));
        ROW("StartSnapshotSet", vss_backup_components_start_snapshot_set(bc, NULL, NULL));
        ROW("AddToSnapshotSet",
            vss_backup_components_add_to_snapshot_set(bc, "/", NULL, NULL, NULL, NULL));
        ROW("DoSnapshotSet", vss_backup_components_do_snapshot_set(bc, &async, NULL));
        ROW("PrepareForBackup", vss_backup_components_prepare_for_backup(bc, &async, NULL));
        ROW("SetBackupState",
            vss_backup_components_set_backup_state(bc, true, false, 1, false, NULL));
        ROW("SetBackupOptions", vss_backup_components_set_backup_options(bc, rkey, "", NULL));
        ROW("SetBackupSucceeded",
            vss_backup_components_set_backup_succeeded(bc, &two, rkey, true, NULL));
        ROW("BackupComplete", vss_backup_components_backup_complete(bc, &async, NULL));
        CHECK_STR(name, "GatherWriterStatus");
        r = vss_backup_components_gather_writer_status(bc, &async, NULL);
        return r < 0 ? r : vss_async_finish(async, NULL);
}

static void column(unsigned state) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                bool refused = try_row(rows[i].name) == VSS_E_BAD_STATE;

                if (refused == !!(rows[i].allowed & state))
                        CHECK_FAIL_("%s in column %u: %s", rows[i].name, state,
                                    refused ? "refused" : "not refused");
        }
}

/* the whole table, with a living instance that is not the stored one */
static void test_restore(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        _cleanup_free_ char *xml = stored_document();
        struct vss_async *async;

        rkey = &key;
        fake_add_writer(&fake, &class_a, &one, "Notes", "data")->edit = edit_stamp;
        fake_add_writer(&fake, &class_b, &two, "Mail", "mail");
        begin();
        column(U);
        CHECK_INT(vss_backup_components_initialize_for_restore(bc, xml, NULL), 0);
        CHECK(strstr(fake.calls, "Release CreateSession "));
        column(I);
        BAD(vss_backup_components_set_selected_for_restore(bc, &key, true, NULL,
                                                           &error)); /* R-19a */
        BAD(vss_backup_components_pre_restore(bc, &async, &error));
        BAD(vss_backup_components_abort_backup(bc, &error)); /* */
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        column(G);
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        CHECK(fake.writers[0].components >= 0); /* the living one got its part */
        CHECK_INT(fake.writers[1].components, -1); /* */
        CHECK_INT(vss_component_get_restore_target(component()), VSS_RT_ALTERNATE); /* */
        BAD(vss_backup_components_pre_restore(bc, &async, &error));
        column(C);
        CHECK_INT(vss_backup_components_set_file_restore_status(bc, &key, VSS_RS_ALL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        column(D);
        BAD(vss_backup_components_post_restore(bc, &async, &error));
        end();
}

static void test_restore_selection(void) {
        struct vss_component_key key = key_of(&class_a, "data"), other = key_of(&class_b, "data");
        _cleanup_free_ char *xml = stored_document();

        /* the writer does not run */
        fake_add_writer(&fake, &class_b, &two, "Mail", "mail");
        begin();
        CHECK_INT(vss_backup_components_initialize_for_restore(bc, xml, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, NULL, &error),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_STR(error.message, "'data' cannot be selected: its writer does not run, start it");
        /* runs, but has nothing in the document */
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &other, true, NULL, &error),
                  VSS_E_OBJECT_NOT_FOUND);
        /* an instance of another class */
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, &two, &error),
                  VSS_E_OBJECT_NOT_FOUND);
        /* nothing is selected, nobody hears of it */
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        CHECK_INT(fake.writers[0].components, -1);
        end();
}

/* ---- who takes part ---- */

static const struct vss_id three = ID(0x33);

/* a backup of what @d declares, all that may be added by name and is not in @leave_out; saved */
static char *backup_of(const struct fake_declaration *const *declarations) {
        struct vss_wm_component const *c;
        char *xml;
        size_t size;

        for (size_t i = 0; declarations[i]; i++)
                fake_declare(&fake, declarations[i]);
        begin();
        backup_begun(true);
        for (size_t i = 0; i < bc->writer_count; i++)
                for (size_t k = 0;
                     (c = vss_examine_writer_metadata_get_component(bc->writers[i].metadata, k));
                     k++) {
                        struct vss_component_key key = {
                                .writer_id = bc->writers[i].identity.writer_id
                        };
                        struct vss_component_info info;

                        vss_wm_component_get_component_info(c, &info);
                        key.type = info.type;
                        key.logical_path = info.logical_path;
                        key.name = info.name;
                        CHECK_INT(vss_backup_components_add_component(
                                          bc, &bc->writers[i].identity.instance_id, &key, NULL),
                                  0);
                }
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_prepare_for_backup), 0);
        CHECK_INT(vss_backup_components_save_as_xml(bc, &xml, &size, NULL), 0);
        end();
        return xml;
}

/* up to GatherWriterMetadata, with these living; takes @take_xml */
static void restoring(char *take_xml, const struct fake_declaration *const *living) {
        for (size_t i = 0; living[i]; i++)
                fake_declare(&fake, living[i]);
        begin();
        CHECK_INT(vss_backup_components_initialize_for_restore(bc, take_xml, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        free(take_xml);
}

static void selected(const struct vss_component_key *key) {
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, key, true, NULL, NULL), 0);
}

static void status(const struct vss_component_key *key, uint32_t s) {
        CHECK_INT(vss_backup_components_set_file_restore_status(bc, key, s, NULL), 0);
}

static void warned(const char *words) {
        if (!strstr(vss_error_message(&error), words))
                CHECK_FAIL_("no '%s' in '%s'", words, vss_error_message(&error));
        CHECK_INT(error.code, 0);
        CHECK(strstr(vss_backup_components_get_warnings(bc), words));
}

static void not_warned(void) {
        if (error.message)
                CHECK_FAIL_("warned: %s", error.message);
}

static void both_events(void) {
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
}

#define USUAL .class_id = &class_a, .instance = &one, .name = "Notes", .instance_name = "one"
#define DATA .components = { { "data" } }

static const struct fake_declaration usual = { USUAL, DATA };
static const struct fake_declaration *const only_usual[] = { &usual, NULL };

/* ALWAYS hears both, whatever became of the files */
static void test_always(void) {
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(only_usual), only_usual);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        status(&key, VSS_RS_ALL);
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        CHECK_STR(fake.given, "PreRestore:Notes/one PostRestore:Notes/one ");
        not_warned();
        CHECK_STR(fake.warnings, "");
        end();
}

/* IF_REPLACE_FAILS hears PostRestore only of methods 1 and 2, and only when something did not
 * go where it came from */
static void if_replace_fails(uint32_t method, uint32_t s, bool mapped, bool expected) {
        const struct vss_file_set from = { .path = "/srv", .filespec = "*", .recursive = true };
        const struct fake_declaration d = { USUAL, DATA, .events = VSS_WRE_IF_REPLACE_FAILS,
                                            .method = method };
        const struct fake_declaration *const declared[] = { &d, NULL };
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(declared), declared);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        if (s != VSS_RS_UNDEFINED)
                status(&key, s);
        if (mapped)
                CHECK_INT(vss_backup_components_add_alternative_location_mapping(bc, &key, &from,
                                                                                 "/alt", NULL),
                          0);
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        CHECK_STR(fake.given, expected ? "PreRestore:Notes/one PostRestore:Notes/one "
                                       : "PreRestore:Notes/one ");
        end();
}

static void test_if_replace_fails(void) {
        if_replace_fails(VSS_RME_RESTORE_IF_CAN_REPLACE, VSS_RS_ALL, false, false);
        if_replace_fails(VSS_RME_RESTORE_IF_NOT_THERE, VSS_RS_ALL, false, false);
        if_replace_fails(VSS_RME_RESTORE_IF_CAN_REPLACE, VSS_RS_ALL, true, true);
        if_replace_fails(VSS_RME_RESTORE_IF_NOT_THERE, VSS_RS_NONE, false, true);
        if_replace_fails(VSS_RME_RESTORE_IF_CAN_REPLACE, VSS_RS_FAILED, false, true);
        if_replace_fails(VSS_RME_RESTORE_IF_CAN_REPLACE, VSS_RS_UNDEFINED, false, true);
        if_replace_fails(VSS_RME_RESTORE_AT_REBOOT, VSS_RS_NONE, false, false);
        if_replace_fails(VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE, VSS_RS_FAILED, false, false);
}

/* NEVER hears nothing, even when it is selected; that is worth a word */
static void test_never(void) {
        const struct fake_declaration d = { USUAL, DATA, .events = VSS_WRE_NEVER };
        const struct fake_declaration *const declared[] = { &d, NULL };
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(declared), declared);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        warned("'Notes' takes part in no restore");
        CHECK(strstr(fake.warnings, "'Notes' takes part in no restore"));
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        not_warned();
        CHECK_STR(fake.given, "");
        end();
}

/* of several instances the one with the name of the backup; else the one that declares the
 * component; else the earliest that wants to hear of restores. The choice is logged */
static const char *chosen(const struct fake_declaration *first,
                          const struct fake_declaration *second) {
        const struct fake_declaration *const living[] = { first, second, NULL };
        struct vss_component_key key = key_of(&class_a, "data");
        static char given[sizeof(fake.given)];

        restoring(backup_of(only_usual), living);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        not_warned();
        CHECK(strstr(fake.warnings, "component 'data' goes to instance"));
        CHECK(strstr(fake.warnings, "of 2 that run"));
        (void)snprintf(given, sizeof(given), "%s", fake.given);
        end();
        return given;
}

static void test_instances(void) {
        const struct fake_declaration named = { USUAL, .components = { { "x" } } };
        const struct fake_declaration other = { .class_id = &class_a,
                                                .instance = &two,
                                                .name = "Notes",
                                                .instance_name = "two",
                                                DATA };
        const struct fake_declaration late = { .class_id = &class_a,
                                               .instance = &three,
                                               .name = "Notes",
                                               .instance_name = "three",
                                               .components = { { "y" } } };
        const struct fake_declaration never = { .class_id = &class_a,
                                                .instance = &two,
                                                .name = "Notes",
                                                .instance_name = "two",
                                                .events = VSS_WRE_NEVER,
                                                .components = { { "z" } } };

        CHECK_STR(chosen(&other, &named), "PreRestore:Notes/one ");
        CHECK_STR(chosen(&late, &other), "PreRestore:Notes/two ");
        CHECK_STR(chosen(&never, &late), "PreRestore:Notes/three ");
}

/* another instance of the class, when the writer can move what it restores */
static void test_move(void) {
        const struct fake_declaration mover = { USUAL, DATA,
                                                .schema =
                                                        VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE };
        const struct fake_declaration other = { .class_id = &class_a,
                                                .instance = &two,
                                                .name = "Notes",
                                                .instance_name = "two",
                                                .components = { { "x" } } };
        const struct fake_declaration *const stored[] = { &mover, NULL };
        const struct fake_declaration *const living[] = { &mover, &other, NULL };
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(stored), living);
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, &three, &error),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, &two, NULL), 0);
        both_events();
        CHECK_STR(fake.given, "PreRestore:Notes/two PostRestore:Notes/two ");
        end();
        restoring(backup_of(only_usual), living); /* it did not say so at backup */
        CHECK_INT(vss_backup_components_set_selected_for_restore(bc, &key, true, &two, &error),
                  VSS_E_NOT_SUPPORTED);
        end();
}

/* ---- what is warned of ---- */

/* what belongs to every restore of a writer */
static void test_forgotten(void) {
        const struct fake_declaration d = {
                USUAL,
                .components = { { "data" },
                                { .name = "registry", .is_required = true, .files = "/etc" } }
        };
        const struct fake_declaration *const declared[] = { &d, NULL };
        struct vss_component_key key = key_of(&class_a, "data"),
                                 registry = key_of(&class_a, "registry");

        restoring(backup_of(declared), declared);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        warned("component 'registry' of writer 'Notes' is not selected");
        CHECK(strstr(fake.warnings, "registry"));
        end();
        restoring(backup_of(declared), declared);
        selected(&key);
        selected(&registry);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        not_warned();
        end();
        restoring(backup_of(declared), declared); /* nothing is restored */
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        not_warned();
        end();
}

/* without the bit in the schema, and when both ways differ; R-42: a second string */
static void test_settings_warn(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        const char *before;

        restoring(backup_of(only_usual), only_usual);
        CHECK_INT(vss_backup_components_set_authoritative_restore(bc, &key, true, &error), 0);
        warned("AUTHORITATIVE_RESTORE");
        CHECK_INT(vss_backup_components_set_roll_forward(bc, &key, VSS_RF_ALL, NULL, &error), 0);
        warned("ROLLFORWARD_RESTORE");
        CHECK_INT(vss_backup_components_set_restore_name(bc, &key, "other", &error), 0);
        warned("RESTORE_RENAME");
        vss_error_clear(&error);
        CHECK_INT(vss_backup_components_set_restore_options(bc, &key, "\"Roll Forward\"=\"All\"",
                                                            &error),
                  0);
        not_warned();
        CHECK_INT(vss_backup_components_set_restore_options(bc, &key, "\"Roll Forward\"=\"None\"",
                                                            &error),
                  0);
        warned("these replace them (R-42)");
        before = vss_backup_components_get_warnings(bc);
        CHECK(strchr(before, '\n'));
        CHECK_STR(fake.warnings, ""); /* not yet */
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        warned("SetRollForward was called, so \"Roll Forward\"=\"None\" of its restore options "
               "does not count");
        CHECK(!strstr(error.message, "RESTORE_RENAME")); /* told before */
        CHECK(strstr(fake.warnings, "RESTORE_RENAME") && strstr(fake.warnings, "R-42") &&
              strstr(fake.warnings, "does not count"));
        CHECK_STR(vss_component_get_restore_options(component()), "\"Roll Forward\"=\"None\"");
        CHECK(vss_component_get_authoritative_restore(component())); /* passed on */
        CHECK_STR(vss_component_get_restore_name(component()), "other"); /* */
        fake.warnings[0] = '\0';
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        CHECK_STR(fake.warnings, ""); /* once */
        end();
}

static void test_schema_is_enough(void) {
        const struct fake_declaration d = { USUAL, DATA,
                                            .schema = VSS_BS_AUTHORITATIVE_RESTORE |
                                                      VSS_BS_ROLLFORWARD_RESTORE |
                                                      VSS_BS_RESTORE_RENAME };
        const struct fake_declaration *const declared[] = { &d, NULL };
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(declared), declared);
        CHECK_INT(vss_backup_components_set_authoritative_restore(bc, &key, true, &error), 0);
        CHECK_INT(vss_backup_components_set_roll_forward(bc, &key, VSS_RF_ALL, NULL, &error), 0);
        CHECK_INT(vss_backup_components_set_restore_name(bc, &key, "other", &error), 0);
        CHECK_STR(vss_backup_components_get_warnings(bc), "");
        not_warned();
        end();
}

/* OQ-R1, OQ-R2: accepted while copying, with a word */
static void test_late(void) {
        const struct vss_file_set from = { .path = "/srv", .filespec = "*", .recursive = true };
        const struct fake_declaration d = { USUAL, DATA,
                                            .schema = VSS_BS_WRITER_SUPPORTS_NEW_TARGET };
        const struct fake_declaration *const declared[] = { &d, NULL };
        struct vss_component_key key = key_of(&class_a, "data");

        restoring(backup_of(declared), declared);
        CHECK_INT(vss_backup_components_set_additional_restores(bc, &key, true, &error), 0);
        CHECK_INT(vss_backup_components_add_new_target(bc, &key, &from, "/one", &error), 0);
        not_warned();
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        CHECK_INT(vss_backup_components_set_additional_restores(bc, &key, false, &error), 0);
        warned("SetAdditionalRestores after PreRestore");
        CHECK_INT(vss_backup_components_add_new_target(bc, &key, &from, "/two", &error), 0);
        warned("AddNewTarget after PreRestore");
        CHECK_INT(finish(vss_backup_components_post_restore), 0);
        CHECK(strstr(fake.warnings, "AddNewTarget after PreRestore"));
        CHECK_INT(vss_component_get_new_target_count(component()), 2);
        end();
}

/* every setting is about an explicit component; R-20 as well */
static void test_unknown(void) {
        const struct vss_file_set from = { .path = "/srv", .filespec = "*", .recursive = true };
        struct vss_component_key key = key_of(&class_a, "nothing");

        restoring(backup_of(only_usual), only_usual);
#define UNKNOWN(call) CHECK_INT(call, VSS_E_OBJECT_NOT_FOUND)
        UNKNOWN(vss_backup_components_set_restore_options(bc, &key, "\"a\"=\"b\"", &error));
        UNKNOWN(vss_backup_components_set_roll_forward(bc, &key, VSS_RF_ALL, NULL, &error));
        UNKNOWN(vss_backup_components_set_restore_name(bc, &key, "n", &error));
        UNKNOWN(vss_backup_components_set_authoritative_restore(bc, &key, true, &error));
        UNKNOWN(vss_backup_components_set_additional_restores(bc, &key, true, &error));
        UNKNOWN(vss_backup_components_set_previous_backup_stamp(bc, &key, "s", &error));
        UNKNOWN(vss_backup_components_set_selected_for_restore(bc, &key, true, NULL, &error));
        UNKNOWN(vss_backup_components_add_new_target(bc, &key, &from, "/new", &error));
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        UNKNOWN(vss_backup_components_set_file_restore_status(bc, &key, VSS_RS_ALL, &error));
        CHECK_STR(vss_backup_components_get_warnings(bc), "");
        end();
}

/* ---- dependencies ---- */

/* all that is depended on, and what that depends on; what is not there is told */
static void test_dependencies(void) {
        const struct fake_declaration notes = { USUAL,
                                                .components = { { .name = "data",
                                                                  .depends_on = &class_b,
                                                                  .depends_on_name = "mail" } } };
        const struct vss_id class_c = ID(0xc1);
        const struct fake_declaration mail = { .class_id = &class_b,
                                               .instance = &two,
                                               .name = "Mail",
                                               .instance_name = "one",
                                               .components = { { .name = "mail",
                                                                 .depends_on = &class_c,
                                                                 .depends_on_name = "keys" } } };
        const struct fake_declaration keys = {
                .class_id = &class_c,
                .instance = &three,
                .name = "Keys",
                .instance_name = "one",
                .components = { { .name = "keys",
                                  .depends_on = &class_a,
                                  .depends_on_name = "data" } } /* in a circle */
        };
        const struct fake_declaration *const all[] = { &notes, &mail, &keys, NULL },
                                             *const some[] = { &notes, &mail, NULL };
        struct vss_component_key key = key_of(&class_a, "data");
        size_t added;

        restoring(backup_of(all), all);
        CHECK_INT(vss_backup_components_select_dependencies(bc, &added, &error), 0);
        CHECK_INT(added, 0);
        selected(&key);
        CHECK_INT(vss_backup_components_select_dependencies(bc, &added, &error), 0);
        CHECK_INT(added, 2);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        CHECK_STR(fake.given, "PreRestore:Notes/one PreRestore:Mail/one PreRestore:Keys/one ");
        BAD(vss_backup_components_select_dependencies(bc, &added, &error));
        end();

        restoring(backup_of(some), all);
        selected(&key);
        CHECK_INT(vss_backup_components_select_dependencies(bc, &added, &error), S_FALSE);
        CHECK_INT(added, 1);
        CHECK_STR(error.message, "what is restored depends on more: 'keys' is not in this backup");
        end();

        restoring(backup_of(all), some);
        selected(&key);
        CHECK_INT(vss_backup_components_select_dependencies(bc, NULL, &error), S_FALSE);
        CHECK_STR(error.message,
                  "what is restored depends on more: 'keys' is of a writer that does not run");
        end();
}

/* ---- the service dies ---- */

/* in the middle: nothing is remembered of who was told what */
static void test_service_dies(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        struct vss_async *async;

        for (int later = 0; later < 2; later++) {
                restoring(backup_of(only_usual), only_usual);
                selected(&key);
                CHECK_INT(finish(vss_backup_components_pre_restore), 0);
                fake.die_at = "PostRestore";
                fake.die_later = fake.never_completes = later;
                CHECK_INT(finish(vss_backup_components_post_restore), VSS_E_WRITER_INFRASTRUCTURE);
                CHECK(strstr(error.message, "vssd has ended in the middle"));
                end();
        }
        restoring(backup_of(only_usual), only_usual);
        selected(&key);
        CHECK_INT(finish(vss_backup_components_pre_restore), 0);
        fake.die_at = "SetRestoreState";
        fake.die_later = true;
        (void)bc_call(bc, "SetRestoreState", NULL, NULL, "u", 1);
        CHECK_INT(vss_backup_components_post_restore(bc, &async, &error),
                  VSS_E_WRITER_INFRASTRUCTURE);
        end();
}

int main(void) {
        RUN(test_restore);
        RUN(test_restore_selection);
        RUN(test_always);
        RUN(test_if_replace_fails);
        RUN(test_never);
        RUN(test_instances);
        RUN(test_move);
        RUN(test_forgotten);
        RUN(test_settings_warn);
        RUN(test_schema_is_enough);
        RUN(test_late);
        RUN(test_unknown);
        RUN(test_dependencies);
        RUN(test_service_dies);
        return 0;
}
