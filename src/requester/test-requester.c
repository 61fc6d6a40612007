/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-requester.c - every call of a backup program against a service that does what it is told,
 * over a real socket pair.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "requester/test-object.h"

static unsigned progresses;

static void on_progress(void *userdata, const char *phase, const char *who) {
        CHECK(userdata == &progresses);
        CHECK_STR(phase, "freeze");
        CHECK_STR(who, "Notes");
        progresses++;
}

/* B-1 to B-21 */
static void test_backup(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        struct vss_examine_writer_metadata *md;
        struct vss_id instance, session;
        _cleanup_free_ char *xml = NULL;
        size_t count, size;

        fake_add_writer(&fake, &class_a, &one, "Notes", "data")->edit = edit_stamp;
        fake_add_writer(&fake, &class_b, &two, "Mail", "mail");
        begin();
        progresses = 0;
        vss_backup_components_set_progress(bc, on_progress, &progresses);
        session = vss_backup_components_get_session_id(bc);
        CHECK_INT(session.bytes[15], 0x10);
        backup_begun(true);
        CHECK_INT(vss_backup_components_get_writer_metadata_count(bc, &count, NULL), 0);
        CHECK_INT(count, 2);
        CHECK_INT(vss_backup_components_get_writer_components_count(bc, &count, NULL), 0);
        CHECK_INT(count,
                  0); /* M-17: empty in the beginning; M-22: of the one before nothing is left */
        CHECK_INT(vss_backup_components_get_writer_metadata(bc, 1, &instance, &md, NULL), 0);
        CHECK(vss_id_equal(&instance, &two));
        CHECK_INT(vss_backup_components_get_writer_metadata(bc, 2, NULL, NULL, &error),
                  VSS_E_OBJECT_NOT_FOUND); /* B-7 */
        CHECK_INT(vss_backup_components_free_writer_metadata(bc, NULL), 0);
        CHECK_INT(vss_backup_components_get_writer_metadata_count(bc, &count, NULL),
                  VSS_E_BAD_STATE);
        CHECK_INT(vss_backup_components_add_component(bc, &one, &key, NULL), 0);
        CHECK_INT(vss_backup_components_set_backup_options(bc, &key, "fast", NULL), 0);
        CHECK_INT(vss_backup_components_set_previous_backup_stamp(bc, &key, "old", NULL), 0);
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_prepare_for_backup), 0);
        CHECK_STR(vss_component_get_backup_stamp(component()), "stamp");
        CHECK_INT(fake.writers[1].components, -1); /* D-53, BV-12: nobody gets others' parts */
        CHECK_INT(finish(vss_backup_components_do_snapshot_set), 0);
        CHECK_INT(vss_backup_components_set_backup_succeeded(bc, &one, &key, true, NULL), 0);
        CHECK_INT(finish(vss_backup_components_backup_complete), 0);
        CHECK_INT(progresses, 4);
        CHECK_INT(vss_backup_components_get_writer_components_count(bc, &count, NULL), 0);
        CHECK_INT(count, 1); /* D-54 */
        CHECK_INT(vss_backup_components_save_as_xml(bc, &xml, &size, NULL), 0);
        CHECK(strstr(xml, "stamp") && strstr(xml, "fast"));
        CHECK_STR(fake.calls, "CreateSession SetBackupState GatherWriterMetadata "
                              "GetWriterMetadata StartSnapshotSet PrepareForBackup "
                              "GetWriterComponents DoSnapshotSet GetWriterComponents "
                              "BackupComplete ");
        end();
}

/* before and after their time: L-27, BV-1, BV-2, BV-6, B-17, B-18, B-30 */
static void test_backup_states(void) {
        struct vss_component_key key = key_of(&class_a, "data"), none = key_of(&class_a, "none");
        struct vss_async *async;
        size_t count;

        fake_add_writer(&fake, &class_a, &one, "Notes", "data");
        begin();
        BAD(vss_backup_components_set_context(bc, 0, &error));
        BAD(vss_backup_components_gather_writer_metadata(bc, &async, &error));
        BAD(vss_backup_components_start_snapshot_set(bc, NULL, &error));
        BAD(vss_backup_components_save_as_xml(bc, NULL, NULL, &error));
        CHECK_STR(error.message, "SaveAsXML before InitializeForBackup or InitializeForRestore");
        CHECK_INT(vss_backup_components_abort_backup(bc, NULL), 0); /* BV-23 */
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        BAD(vss_backup_components_initialize_for_backup(bc, NULL, &error));
        BAD(vss_backup_components_initialize_for_restore(bc, "<x/>", &error));
        BAD(vss_backup_components_get_writer_metadata_count(bc, &count, &error));
        BAD(vss_backup_components_add_component(bc, &one, &key, &error));
        BAD(vss_backup_components_add_to_snapshot_set(bc, "/", NULL, NULL, NULL, &error));
        BAD(vss_backup_components_do_snapshot_set(bc, &async, &error));
        BAD(vss_backup_components_prepare_for_backup(bc, &async, &error));
        CHECK_STR(error.message, "PrepareForBackup before SetBackupState");
        BAD(vss_backup_components_backup_complete(bc, &async, &error));
        BAD(vss_backup_components_get_writer_status_count(bc, &count, &error));
        CHECK_INT(vss_backup_components_set_backup_state(bc, true, false, 99, false, &error),
                  E_INVALIDARG);
        CHECK_INT(vss_backup_components_set_backup_state(bc, true, false, 1, false, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        BAD(vss_backup_components_gather_writer_metadata(bc, &async, &error)); /* BV-2 */
        BAD(vss_backup_components_prepare_for_backup(bc, &async, &error)); /* no set, BV-1 */
        CHECK_INT(vss_backup_components_add_component(bc, &two, &key, &error), E_INVALIDARG);
        CHECK_INT(vss_backup_components_add_component(bc, &one, &none, &error), E_INVALIDARG);
        CHECK_INT(vss_backup_components_add_component(bc, &one, &key, NULL), 0);
        CHECK_INT(vss_backup_components_add_component(bc, &one, &key, &error),
                  VSS_E_OBJECT_ALREADY_EXISTS); /* L-29 */
        CHECK_INT(vss_backup_components_set_backup_options(bc, &none, "x", &error),
                  VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        BAD(vss_backup_components_do_snapshot_set(bc, &async, &error)); /* not prepared */
        BAD(vss_backup_components_set_backup_succeeded(bc, &one, &key, true, &error));
        CHECK_INT(finish(vss_backup_components_prepare_for_backup), 0);
        BAD(vss_backup_components_add_component(bc, &one, &key, &error));
        BAD(vss_backup_components_set_backup_state(bc, true, false, 1, false, &error));
        BAD(vss_backup_components_prepare_for_backup(bc, &async, &error));
        fake.completes_with = VSS_E_HOLD_WRITES_TIMEOUT;
        CHECK_INT(finish(vss_backup_components_do_snapshot_set), VSS_E_HOLD_WRITES_TIMEOUT);
        CHECK_STR(error.message, "the words of the failure");
        BAD(vss_backup_components_set_backup_succeeded(bc, &one, &key, true, &error)); /* BV-27 */
        BAD(vss_backup_components_backup_complete(bc, &async, &error));
        CHECK_INT(vss_backup_components_abort_backup(bc, NULL), 0);
        end();
}

/* BV-7 */
static void test_writerless(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        struct vss_async *async;

        fake_add_writer(&fake, &class_a, &one, "Notes", "data");
        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_set_context(bc, VSS_CTX_NAS_ROLLBACK, NULL), 0);
        BAD(vss_backup_components_set_context(bc, VSS_CTX_BACKUP, &error)); /* S-4: once */
        CHECK_INT(vss_backup_components_set_backup_state(bc, true, false, 1, false, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        BAD(vss_backup_components_add_component(bc, &one, &key, &error));
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        BAD(vss_backup_components_prepare_for_backup(bc, &async, &error));
        BAD(vss_backup_components_backup_complete(bc, &async, &error));
        CHECK_INT(finish(vss_backup_components_do_snapshot_set), 0);
        end();

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_set_context(bc, VSS_CTX_ALL, NULL), 0);
        BAD(vss_backup_components_start_snapshot_set(bc, NULL, &error)); /* S-5 */
        end();
}

/* BV-3, BV-4, BV-5, B-31: what goes over the wire */
static void test_filter(void) {
        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_enable_writer_classes(bc, &class_a, 1, NULL), 0);
        CHECK_INT(vss_backup_components_enable_writer_classes(bc, &class_b, 1, NULL), 0);
        CHECK_INT(vss_backup_components_disable_writer_classes(bc, &class_a, 1, NULL), 0);
        CHECK_INT(vss_backup_components_disable_writer_instances(bc, &two, 1, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        CHECK_STR(fake.filter, "b1|a1|22|");
        CHECK_INT(vss_backup_components_enable_writer_classes(bc, &class_a, 1, NULL), 0);
        end();

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_disable_writer_classes(bc, &class_a, 1, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        CHECK_STR(fake.filter, "|a1||");
        end();

        begin(); /* all that were enabled are disabled again: nobody, and not everybody */
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_enable_writer_classes(bc, &class_a, 1, NULL), 0);
        CHECK_INT(vss_backup_components_disable_writer_classes(bc, &class_a, 1, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        CHECK_STR(fake.filter, "ff|a1||");
        end();
}

/* B-82, SV-39: a writer that cannot be used is left out, and said */
static void test_bad_metadata(void) {
        struct fake_writer *broken;
        size_t count;

        fake_add_writer(&fake, &class_a, &one, "Notes", "data");
        fake_add_writer(&fake, &class_a, &two, "Notes again", "data");
        broken = fake_add_writer(&fake, &class_b, &two, "Broken", "x");
        broken->metadata_size = 30;
        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_gather_writer_metadata), 0);
        CHECK_INT(error.code, 0);
        CHECK(strstr(error.message, "writer 'Notes again' is left out"));
        CHECK(strstr(error.message, "writer 'Broken' is left out"));
        CHECK_INT(vss_backup_components_get_writer_metadata_count(bc, &count, NULL), 0);
        CHECK_INT(count, 1);
        end();
}

/* a writer that changes what is not its own: refused, and its components cannot succeed */
static void test_liar(void) {
        struct vss_component_key key = key_of(&class_a, "data");
        struct vss_writer_status status;
        struct fake_writer *liar = fake_add_writer(&fake, &class_a, &one, "Notes", "data");
        struct vss_async *async;

        liar->edit = edit_stamp;
        liar->lie = true;
        begin();
        backup_begun(true);
        CHECK_INT(vss_backup_components_add_component(bc, &one, &key, NULL), 0);
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, NULL), 0);
        CHECK_INT(finish(vss_backup_components_prepare_for_backup), 0);
        CHECK(strstr(error.message, "writer 'Notes' made of its components is refused"));
        CHECK(!vss_component_get_backup_stamp(component()));
        CHECK_STR(vss_component_get_component_name(component()), "data");
        CHECK_INT(vss_backup_components_gather_writer_status(bc, &async, NULL), 0);
        CHECK_INT(vss_async_finish(async, NULL), 0);
        CHECK_INT(vss_backup_components_get_writer_status(bc, 0, &status, NULL), 0);
        CHECK_INT(status.state, VSS_WS_FAILED_AT_PREPARE_BACKUP);
        CHECK_INT(status.failure, VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(status.message, "refused"));
        CHECK_INT(vss_backup_components_free_writer_status(bc, NULL), 0);
        BAD(vss_backup_components_get_writer_status(bc, 0, &status, &error));
        CHECK_INT(vss_backup_components_set_backup_succeeded(bc, &one, &key, true, &error),
                  VSS_E_UNEXPECTED_WRITER_ERROR);
        CHECK(strstr(error.message, "'data' stays failed"));
        CHECK_INT(vss_backup_components_set_backup_succeeded(bc, &one, &key, false, NULL), 0);
        end();
}

/* B-126 to B-130, BV-33, BV-34 */
static void test_async(void) {
        struct vss_async *async;
        uint64_t begun;

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        fake.never_completes = true;
        CHECK_INT(vss_backup_components_gather_writer_metadata(bc, &async, NULL), 0);
        CHECK_INT(vss_async_query_status(async, NULL), VSS_S_ASYNC_PENDING);
        begun = monotonic_us();
        CHECK_INT(vss_async_wait(async, 100, NULL), VSS_S_ASYNC_PENDING);
        CHECK(monotonic_us() - begun >= 100000);
        BAD(vss_backup_components_start_snapshot_set(bc, NULL, &error)); /* B-130 */
        CHECK_STR(error.message, "StartSnapshotSet while a long call runs: wait for it first");
        CHECK_INT(vss_async_cancel(async), 0);
        CHECK(strstr(fake.calls, "Cancel "));
        CHECK_INT(vss_backup_components_abort_backup(bc, NULL), 0); /* also meanwhile */
        vss_backup_components_free(bc); /* before the operation's object */
        CHECK_INT(vss_async_query_status(async, NULL), VSS_S_ASYNC_CANCELLED);
        CHECK_INT(vss_async_cancel(async), VSS_S_ASYNC_CANCELLED);
        CHECK(!vss_async_free(async));
        fake_stop(&fake);

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        fake.completes_with = VSS_S_ASYNC_CANCELLED;
        CHECK_INT(vss_backup_components_gather_writer_metadata(bc, &async, NULL), 0);
        CHECK_INT(vss_async_wait(async, UINT32_MAX, NULL), VSS_S_ASYNC_CANCELLED);
        CHECK_INT(vss_async_cancel(async), VSS_S_ASYNC_CANCELLED); /* B-129 */
        CHECK_INT(vss_async_finish(async, NULL), VSS_S_ASYNC_CANCELLED);
        end();

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_gather_writer_metadata(bc, &async, NULL), 0);
        vss_async_free(async); /* the operation itself goes on, and is concluded by the next call */
        while (bc->running && bc_check(bc, STATE_BACKUP, "x", NULL) == VSS_E_BAD_STATE)
                usleep(1000);
        CHECK(bc->metadata_ready);
        end();
}

/* the service dies: in a call, while waiting, between two calls */
static void test_death(void) {
        struct vss_async *async;
        struct vss_id id;

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        fake.die_at = "StartSnapshotSet";
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, &id, &error), VSS_E_UNEXPECTED);
        CHECK(strstr(error.message, "vssd has ended in the middle"));
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, &id, &error), VSS_E_UNEXPECTED);
        CHECK_INT(vss_backup_components_query_volumes(bc, NULL, NULL, &error), VSS_E_UNEXPECTED);
        end();

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        fake.die_at = "GatherWriterMetadata";
        fake.die_later = true;
        fake.never_completes = true;
        CHECK_INT(vss_backup_components_gather_writer_metadata(bc, &async, NULL), 0);
        CHECK_INT(vss_async_finish(async, &error), VSS_E_UNEXPECTED);
        CHECK(strstr(error.message, "vssd has ended in the middle"));
        end();
}

static void test_refusals(void) {
        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        fake.refuse = "SetContext";
        fake.refuse_code = VSS_E_UNSUPPORTED_CONTEXT;
        CHECK_INT(vss_backup_components_set_context(bc, 0, &error), VSS_E_UNSUPPORTED_CONTEXT);
        CHECK_STR(error.message, "SetContext is refused");
        fake.refuse = "StartSnapshotSet";
        fake.refuse_code = VSS_E_SNAPSHOT_SET_IN_PROGRESS; /* BV-9 */
        CHECK_INT(vss_backup_components_start_snapshot_set(bc, NULL, &error),
                  VSS_E_SNAPSHOT_SET_IN_PROGRESS);
        CHECK_INT(vss_backup_components_add_to_snapshot_set(bc, "/", NULL, NULL, NULL, &error),
                  VSS_E_BAD_STATE); /* nothing was started */
        CHECK_INT(vss_backup_components_add_to_snapshot_set(bc, "", NULL, NULL, NULL, &error),
                  E_INVALIDARG);
        CHECK_INT(vss_backup_components_initialize_for_restore(bc, NULL, &error), E_INVALIDARG);
        end();
        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, "<nonsense", &error),
                  VSS_E_INVALID_XML_DOCUMENT);
        end();
}

static int take_volume(void *userdata, const struct vss_volume *volume, const char *provider,
                       const char *refusal) {
        unsigned *n = userdata;

        if ((*n)++ == 0) {
                CHECK_STR(volume->mount_point, "/");
                CHECK_STR(provider, "memory");
                CHECK(!refusal);
                return 0;
        }
        CHECK_STR(volume->fs_type, "");
        CHECK(!provider);
        CHECK_STR(refusal, "nobody wants it");
        return *n == 2 ? -ECANCELED : 0;
}

static int take_path(void *userdata, size_t question, const struct vss_volume *volume,
                     const char *provider, const char *refusal) {
        size_t *seen = userdata;

        CHECK_STR(provider, "memory");
        CHECK(!refusal);
        CHECK_INT(volume->read_only, question % 2); /* the fake's way to say "below" */
        CHECK_INT(seen[question]++, 0);
        return question == 2000 ? -ECANCELED : 0;
}

/* Any number of paths; more than fit into one message. */
static void test_paths(void) {
        enum { MANY = 2500 };
        static struct vss_path_question paths[MANY];
        static struct vss_error failures[MANY];
        static size_t seen[MANY];

        for (size_t i = 0; i < MANY; i++)
                paths[i] = (struct vss_path_question){ i % 100 ? "/x" : "/bad", i % 2 };
        begin();
        CHECK_INT(vss_backup_components_resolve_paths(bc, paths, 0, take_path, seen, NULL, NULL),
                  0);
        CHECK_INT(
                vss_backup_components_resolve_paths(bc, paths, 1500, take_path, seen, NULL, &error),
                VSS_E_VOLUME_NOT_LOCAL);
        CHECK_STR(error.message, "it is bad");
        memset(seen, 0, sizeof(seen));
        paths[2000].path = "/x";
        CHECK_INT(vss_backup_components_resolve_paths(bc, paths, MANY, take_path, seen, failures,
                                                      NULL),
                  -ECANCELED);
        for (size_t i = 0; i < MANY; i++) {
                bool bad = i % 100 == 0 && i < 2000;

                CHECK_INT(failures[i].code, bad ? VSS_E_VOLUME_NOT_LOCAL : 0);
                CHECK_INT(seen[i], !bad && i <= 2000);
                vss_error_clear(&failures[i]);
        }
        paths[1].path = "x";
        CHECK_INT(vss_backup_components_resolve_paths(bc, paths, 2, take_path, seen, failures,
                                                      &error),
                  E_INVALIDARG);
        end();
}

static void test_volumes(void) {
        bool supported = true;
        unsigned n = 0;

        begin();
        CHECK_INT(vss_backup_components_query_volumes(bc, take_volume, &n, NULL), -ECANCELED);
        CHECK_INT(n, 2);
        n = 0;
        CHECK_INT(vss_backup_components_resolve_path(bc, "/srv", true, take_volume, &n, NULL),
                  -ECANCELED);
        CHECK_INT(vss_backup_components_resolve_path(bc, "srv", true, take_volume, &n, &error),
                  E_INVALIDARG);
        CHECK_STR(error.message, "'srv' is no absolute path");
        BAD(vss_backup_components_is_volume_supported(bc, NULL, "/", &supported, &error));
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_is_volume_supported(bc, NULL, "/", &supported, &error), 0);
        CHECK(!supported);
        CHECK_STR(error.message, "too small");
        end();
}

/* S-64: cursors, their ends and their clones */
static void test_query(void) {
        char device[] = "/copies/1", volume[] = "UUID=1";
        struct vss_snapshot_prop copies[3] = {
                { .snapshot_id = one, .device_object = device, .original_volume = volume },
                { .snapshot_id = two },
                { .snapshot_id = class_a }
        };
        struct vss_enum_object *cursor, *clone;
        struct vss_object_prop props[3];
        size_t fetched;

        begin();
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT, &cursor, NULL), S_FALSE);
        CHECK_INT(vss_enum_object_next(cursor, 1, props, &fetched), S_FALSE);
        CHECK_INT(fetched, 0);
        vss_enum_object_free(cursor);
        CHECK_INT(vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT_SET, &cursor, &error),
                  E_INVALIDARG);
        fake.copies = (struct wire_records){ copies, 3 };
        CHECK_INT(vss_backup_components_query(bc, VSS_OBJECT_SNAPSHOT, &cursor, NULL), 0);
        CHECK_INT(vss_enum_object_next(cursor, 2, props, &fetched), 0);
        CHECK_STR(props[0].obj.snap.device_object, "/copies/1");
        CHECK_INT(vss_enum_object_clone(cursor, &clone), 0);
        CHECK_INT(vss_enum_object_next(cursor, 2, props, &fetched), S_FALSE);
        CHECK_INT(fetched, 1);
        CHECK(vss_id_equal(&props[0].obj.snap.snapshot_id, &class_a));
        CHECK_INT(vss_enum_object_reset(cursor), 0);
        CHECK_INT(vss_enum_object_skip(cursor, 3), 0);
        CHECK_INT(vss_enum_object_skip(cursor, 1), S_FALSE);
        CHECK(!vss_enum_object_free(cursor));
        CHECK_INT(vss_enum_object_next(clone, 1, props, &fetched), 0); /* outlives the first */
        CHECK_INT(fetched, 1);
        vss_enum_object_free(clone);
        CHECK_INT(vss_backup_components_query(bc, VSS_OBJECT_PROVIDER, &cursor, NULL), 0);
        CHECK_INT(vss_enum_object_next(cursor, 1, props, NULL), 0);
        CHECK_INT(props[0].type, VSS_OBJECT_PROVIDER);
        CHECK_STR(props[0].obj.prov.name, "memory");
        vss_enum_object_free(cursor);
        end();
}

static void test_copies(void) {
        char volume[] = "UUID=1";
        struct vss_snapshot_prop copy = { .snapshot_id = one, .original_volume = volume }, prop;
        uint64_t freeze, hold;
        struct vss_id id, none;
        uint32_t deleted;

        begin();
        fake.copies = (struct wire_records){ &copy, 1 };
        CHECK_INT(vss_backup_components_initialize_for_backup(bc, NULL, NULL), 0);
        CHECK_INT(vss_backup_components_get_snapshot_properties(bc, &one, &prop, NULL), 0);
        CHECK_STR(prop.original_volume, "UUID=1");
        CHECK_STR(prop.service_machine, "");
        vss_free_snapshot_properties(&prop);
        CHECK_INT(vss_backup_components_delete_snapshots(bc, &one, VSS_OBJECT_SNAPSHOT, false,
                                                         &deleted, &none, &error),
                  VSS_E_PROVIDER_VETO); /* S-71 */
        CHECK_INT(deleted, 1);
        CHECK(vss_id_parse("01020300-0000-0000-0000-000000000000", &id) == 0);
        CHECK(vss_id_equal(&none, &id));
        CHECK_STR(error.message, "in use");
        CHECK_INT(vss_backup_components_get_set_timing(bc, &freeze, &hold, NULL), 0);
        CHECK(freeze == 1234 && hold == 56);
        end();
}

static void test_not_reachable(void) {
        const struct vss_connection bus = { .address = "unix:path=/nonexistent" };
        const struct vss_connection both = { .address = "unix:path=/x", .embedded = 1 };
        struct vss_backup_components *none;

        CHECK(vss_backup_components_create(&bus, &none, &error) < 0);
        CHECK(strstr(error.message, "cannot reach the bus at unix:path=/nonexistent"));
        CHECK_INT(vss_backup_components_create(&both, &none, &error), E_INVALIDARG);
        CHECK(!vss_backup_components_free(NULL));
        CHECK(!vss_async_free(NULL));
        CHECK(!vss_enum_object_free(NULL));
        vss_error_clear(&error);
}

int main(void) {
        RUN(test_backup);
        RUN(test_backup_states);
        RUN(test_writerless);
        RUN(test_filter);
        RUN(test_bad_metadata);
        RUN(test_liar);
        RUN(test_async);
        RUN(test_death);
        RUN(test_refusals);
        RUN(test_volumes);
        RUN(test_paths);
        RUN(test_query);
        RUN(test_copies);
        RUN(test_not_reachable);
        return 0;
}
