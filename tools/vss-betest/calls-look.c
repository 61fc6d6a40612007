/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-look.c - the calls that ask: writers and what they declare, their status, the document,
 * shadow copies; and the checks that a script makes of the answers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "betest.h"

#define CALL(verb)                                                                                 \
        static int call_##verb(struct run *run, const struct words *words, struct vss_error *reterr)

/* ---- writers ---- */

static void say_file_set(const char *kind, const struct vss_wm_filedesc *file) {
        char mask[16];

        snprintf(mask, sizeof(mask), "0x%05x", vss_wm_filedesc_get_backup_type_mask(file));
        say_begin("file_set");
        say_text("kind", kind);
        say_text("path", vss_wm_filedesc_get_path(file));
        say_text("filespec", vss_wm_filedesc_get_filespec(file));
        say_bool("recursive", vss_wm_filedesc_get_recursive(file));
        say_text("alternate", vss_wm_filedesc_get_alternate_location(file));
        say_text("mask", mask);
        say_end();
}

static void say_component(const struct vss_examine_writer_metadata *metadata, size_t index) {
        static const char *const kinds[] = { "required", "optional", "bound", "optional_sub" };
        const struct vss_wm_component *component =
                vss_examine_writer_metadata_get_component(metadata, index);
        uint32_t kind = vss_examine_writer_metadata_classify(metadata, index);
        struct vss_component_info info;

        vss_wm_component_get_component_info(component, &info);
        say_begin("component");
        say_text("type", value_word(component_types, info.type));
        say_text("logical_path", info.logical_path);
        say_text("name", info.name);
        say_text("kind", kind < 4 ? kinds[kind] : "?");
        say_bool("selectable", info.selectable);
        say_bool("selectable_for_restore", info.selectable_for_restore);
        say_end();
        for (size_t i = 0; i < info.file_count; i++)
                say_file_set("files", vss_wm_component_get_file(component, i));
        for (size_t i = 0; i < info.database_count; i++)
                say_file_set("database", vss_wm_component_get_database_file(component, i));
        for (size_t i = 0; i < info.log_file_count; i++)
                say_file_set("logs", vss_wm_component_get_database_log_file(component, i));
        for (size_t i = 0; i < info.dependency_count; i++) {
                const struct vss_wm_dependency *d = vss_wm_component_get_dependency(component, i);
                struct vss_id id = vss_wm_dependency_get_writer_id(d);

                say_begin("dependency");
                say_id("writer_id", &id);
                say_text("logical_path", vss_wm_dependency_get_logical_path(d));
                say_text("name", vss_wm_dependency_get_component_name(d));
                say_end();
        }
}

static void say_writer(const struct vss_examine_writer_metadata *metadata) {
        struct vss_writer_identity identity;
        struct vss_restore_method method = { 0 };
        size_t excludes, components;
        char schema[16];

        vss_examine_writer_metadata_get_identity(metadata, &identity);
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, &excludes, &components);
        snprintf(schema, sizeof(schema), "0x%04x",
                 vss_examine_writer_metadata_get_backup_schema(metadata));
        (void)vss_examine_writer_metadata_get_restore_method(metadata, &method);
        say_begin("writer");
        say_text("name", identity.name);
        say_text("instance_name", identity.instance_name);
        say_id("writer_id", &identity.writer_id);
        say_id("instance_id", &identity.instance_id);
        say_number("usage", identity.usage);
        say_number("source", identity.source);
        say_text("schema", schema);
        say_number("restore_method", method.method);
        say_number("writer_restore", method.writer_restore);
        say_end();
        for (size_t i = 0; i < components; i++)
                say_component(metadata, i);
        for (size_t i = 0; i < excludes; i++)
                say_file_set("exclude", vss_examine_writer_metadata_get_exclude_file(metadata, i));
        for (size_t i = 0;
             i < vss_examine_writer_metadata_get_exclude_from_snapshot_count(metadata); i++)
                say_file_set(
                        "exclude_from_snapshot",
                        vss_examine_writer_metadata_get_exclude_from_snapshot_file(metadata, i));
        for (size_t i = 0; i < method.mapping_count; i++)
                say_file_set("mapping", vss_examine_writer_metadata_get_alternate_location_mapping(
                                                metadata, i));
}

typedef int (*metadata_t)(struct run *run, struct vss_examine_writer_metadata *metadata,
                          const struct vss_id *instance, const char *argument,
                          struct vss_error *reterr);

static int each_metadata(struct run *run, metadata_t sink, const char *argument,
                         struct vss_error *reterr) {
        size_t count = 0;
        int r = vss_backup_components_get_writer_metadata_count(run->bc, &count, reterr);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_id instance;

                r = vss_backup_components_get_writer_metadata(run->bc, i, &instance, &metadata,
                                                              reterr);
                if (r >= 0)
                        r = sink(run, metadata, &instance, argument, reterr);
        }
        return r;
}

static int show_metadata(struct run *run, struct vss_examine_writer_metadata *metadata,
                         const struct vss_id *instance, const char *argument,
                         struct vss_error *reterr) {
        say_writer(metadata);
        return 0;
}

CALL(get_writer_metadata) {
        return each_metadata(run, show_metadata, NULL, reterr);
}

static int write_document(const char *path, char *take_xml, size_t size, struct vss_error *reterr) {
        int r = write_file_atomic(AT_FDCWD, path, take_xml, size, 0600);

        free(take_xml);
        return r < 0 ? vss_fail(reterr, r, "cannot write '%s': %s", path, strerror(-r)) : 0;
}

static int save_metadata(struct run *run, struct vss_examine_writer_metadata *metadata,
                         const struct vss_id *instance, const char *folder,
                         struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL;
        char id[VSS_ID_TEXT_SIZE], *xml;
        size_t size;
        int r = vss_examine_writer_metadata_save_as_xml(metadata, &xml, &size, reterr);

        if (r < 0)
                return r;
        if (asprintf(&path, "%s/%s.xml", folder, vss_id_format(instance, id)) < 0) {
                free(xml);
                return -ENOMEM;
        }
        return write_document(path, xml, size, reterr);
}

CALL(save_writer_metadata) {
        int r = mkdir_parents(words->items[0], 0700);

        return r < 0 ? vss_fail(reterr, r, "cannot make '%s': %s", words->items[0], strerror(-r))
                     : each_metadata(run, save_metadata, words->items[0], reterr);
}

CALL(expect_writers) {
        size_t count = 0, wanted = 0;
        int r = vss_backup_components_get_writer_metadata_count(run->bc, &count, reterr);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity identity;
                struct vss_id instance;
                bool found = false;

                r = vss_backup_components_get_writer_metadata(run->bc, i, &instance, &metadata,
                                                              reterr);
                if (r < 0)
                        break;
                vss_examine_writer_metadata_get_identity(metadata, &identity);
                for (size_t j = 0; !found && j < words->count; j++)
                        found = writer_matches(words->items[j], &identity);
                wanted += found;
                if (!found)
                        return vss_fail(reterr, VSS_E_UNEXPECTED, "writer '%s' has answered too",
                                        identity.name);
        }
        if (r >= 0 && wanted != words->count)
                return vss_fail(reterr, VSS_E_UNEXPECTED, "%zu of %zu writers have answered",
                                wanted, words->count);
        return r;
}

/* ---- status ---- */

typedef int (*status_t)(struct run *run, const struct vss_writer_status *status,
                        const struct words *words, struct vss_error *reterr);

static int each_status(struct run *run, const struct words *words, status_t sink,
                       struct vss_error *reterr) {
        struct vss_async *async = NULL;
        size_t count = 0;
        int r = vss_backup_components_gather_writer_status(run->bc, &async, reterr);

        if (r >= 0)
                r = vss_async_finish(async, reterr);
        if (r >= 0)
                r = vss_backup_components_get_writer_status_count(run->bc, &count, reterr);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_writer_status status;

                r = vss_backup_components_get_writer_status(run->bc, i, &status, reterr);
                if (r >= 0)
                        r = sink(run, &status, words, reterr);
        }
        return r;
}

static int show_status(struct run *run, const struct vss_writer_status *status,
                       const struct words *words, struct vss_error *reterr) {
        say_begin("status");
        say_text("name", status->name);
        say_id("instance_id", &status->instance_id);
        say_text("state", value_word(writer_states, status->state));
        say_number("number", status->state);
        say_code("failure", status->failure);
        say_number("application", status->application_failure);
        say_text("message", status->message && *status->message ? status->message : NULL);
        say_end();
        if (status->failure < 0)
                run->writer_failed = true;
        return 0;
}

CALL(gather_writer_status) {
        return each_status(run, words, show_status, reterr);
}

static int compare_status(struct run *run, const struct vss_writer_status *status,
                          const struct words *words, struct vss_error *reterr) {
        struct vss_writer_identity identity = { .instance_id = status->instance_id,
                                                .writer_id = status->writer_id,
                                                .name = status->name };
        int wanted = words->count > 2 ? code_from_name(words->items[2]) : 0, r;
        uint32_t state;

        if (!writer_matches(words->items[0], &identity))
                return 0;
        r = word_value(writer_states, words->items[1], &state, reterr);
        if (r < 0)
                return r;
        if (status->state != state || status->failure != wanted)
                return vss_fail(reterr, VSS_E_UNEXPECTED, "'%s' is %s with %s: %s", status->name,
                                value_word(writer_states, status->state),
                                vss_error_name(status->failure), status->message);
        return 1;
}

CALL(expect_status) {
        size_t count = 0;
        bool found = false;
        int r = each_status(run, words, compare_status, reterr);

        /* each_status() tells of a mismatch; that the writer was there at all is asked here */
        if (r >= 0)
                r = vss_backup_components_get_writer_status_count(run->bc, &count, reterr);
        for (size_t i = 0; r >= 0 && !found && i < count; i++) {
                struct vss_writer_status status;
                struct vss_writer_identity identity = { .usage = 0 };

                r = vss_backup_components_get_writer_status(run->bc, i, &status, reterr);
                if (r < 0)
                        break;
                identity.writer_id = status.writer_id;
                identity.instance_id = status.instance_id;
                identity.name = status.name;
                found = writer_matches(words->items[0], &identity);
        }
        if (r < 0)
                return r;
        return found ? 0
                     : vss_fail(reterr, VSS_E_UNEXPECTED, "no status of a writer '%s'",
                                words->items[0]);
}

/* ---- the document ---- */

static void say_lists(const struct vss_component *c) {
        for (size_t i = 0; i < vss_component_get_partial_file_count(c); i++) {
                const char *path, *name, *ranges, *metadata;

                (void)vss_component_get_partial_file(c, i, &path, &name, &ranges, &metadata);
                say_begin("partial");
                say_text("path", path);
                say_text("name", name);
                say_text("ranges", ranges);
                say_text("metadata", *metadata ? metadata : NULL);
                say_end();
        }
        for (size_t i = 0; i < vss_component_get_differenced_files_count(c); i++) {
                const char *path, *filespec;
                vss_timestamp_t time;
                bool recursive;

                (void)vss_component_get_differenced_file(c, i, &path, &filespec, &recursive, &time);
                say_begin("differenced");
                say_text("path", path);
                say_text("filespec", filespec);
                say_bool("recursive", recursive);
                say_number("time", time);
                say_end();
        }
        for (size_t i = 0; i < vss_component_get_directed_target_count(c); i++) {
                struct vss_directed_target t;

                (void)vss_component_get_directed_target(c, i, &t);
                say_begin("directed_target");
                say_text("source_path", t.source_path);
                say_text("source_filename", t.source_filename);
                say_text("source_ranges", t.source_ranges);
                say_text("destination_path", t.destination_path);
                say_text("destination_filename", t.destination_filename);
                say_text("destination_ranges", t.destination_ranges);
                say_end();
        }
        for (size_t i = 0; i < vss_component_get_restore_subcomponent_count(c); i++) {
                const char *path, *name;

                (void)vss_component_get_restore_subcomponent(c, i, &path, &name);
                say_begin("restore_subcomponent");
                say_text("logical_path", path);
                say_text("name", name);
                say_end();
        }
        for (size_t i = 0; i < vss_component_get_new_target_count(c); i++)
                say_file_set("new_target", vss_component_get_new_target(c, i));
        for (size_t i = 0; i < vss_component_get_alternate_location_mapping_count(c); i++)
                say_file_set("used_mapping", vss_component_get_alternate_location_mapping(c, i));
}

static void say_restore(const struct vss_component *c) {
        static const struct word roll_forwards[] = { { "none", VSS_RF_NONE },
                                                     { "all", VSS_RF_ALL },
                                                     { "partial", VSS_RF_PARTIAL },
                                                     { NULL, 0 } };
        const char *point;
        uint32_t type;

        vss_component_get_roll_forward(c, &type, &point);
        say_bool("selected", vss_component_is_selected_for_restore(c));
        say_bool("additional_restores", vss_component_get_additional_restores(c));
        say_text("target", value_word(target_words, vss_component_get_restore_target(c)));
        say_text("file_status", value_word(status_words, vss_component_get_file_restore_status(c)));
        say_text("restore_options", vss_component_get_restore_options(c));
        say_text("restore_name", vss_component_get_restore_name(c));
        say_bool("authoritative", vss_component_get_authoritative_restore(c));
        say_text("roll_forward", type == VSS_RF_UNDEFINED ? NULL : value_word(roll_forwards, type));
        say_text("point", point);
}

static void say_entry(const struct vss_id *class, const struct vss_component *c, bool is_restore) {
        const char *message;
        int32_t failure;

        (void)vss_component_get_failure(c, &failure, NULL, &message);
        say_begin("entry");
        say_id("writer_id", class);
        say_text("type", value_word(component_types, vss_component_get_component_type(c)));
        say_text("logical_path", vss_component_get_logical_path(c));
        say_text("name", vss_component_get_component_name(c));
        say_bool("succeeded", vss_component_get_backup_succeeded(c));
        say_text("options", vss_component_get_backup_options(c));
        say_text("stamp", vss_component_get_backup_stamp(c));
        say_text("previous_stamp", vss_component_get_previous_backup_stamp(c));
        say_text("backup_metadata", vss_component_get_backup_metadata(c));
        say_text("restore_metadata", vss_component_get_restore_metadata(c));
        if (is_restore)
                say_restore(c);
        say_code("failure", failure);
        say_text("message", message);
        say_text("prepare_message", vss_component_get_prepare_for_backup_failure_msg(c));
        say_text("post_snapshot_message", vss_component_get_post_snapshot_failure_msg(c));
        say_text("pre_restore_message", vss_component_get_pre_restore_failure_msg(c));
        say_text("post_restore_message", vss_component_get_post_restore_failure_msg(c));
        say_end();
        say_lists(c);
}

CALL(get_writer_components) {
        size_t writers = 0;
        int r = vss_backup_components_get_writer_components_count(run->bc, &writers, reterr);

        for (size_t i = 0; r >= 0 && i < writers; i++) {
                struct vss_writer_components *components;
                struct vss_id class;

                r = vss_backup_components_get_writer_components(run->bc, i, &components, reterr);
                if (r < 0)
                        break;
                vss_writer_components_get_writer_info(components, NULL, &class);
                for (size_t j = 0; j < vss_writer_components_get_component_count(components); j++)
                        say_entry(&class, vss_writer_components_get_component(components, j),
                                  run->is_restore);
        }
        return r;
}

CALL(save_as_xml) {
        char *xml;
        size_t size;
        int r = vss_backup_components_save_as_xml(run->bc, &xml, &size, reterr);

        return r < 0 ? r : write_document(words->items[0], xml, size, reterr);
}

/* ---- shadow copies ---- */

static void say_copy(const struct vss_snapshot_prop *prop) {
        say_begin("snapshot");
        say_id("snapshot_id", &prop->snapshot_id);
        say_id("set_id", &prop->snapshot_set_id);
        say_number("count", prop->snapshots_count);
        say_text("volume", prop->original_volume);
        say_text("mount", prop->original_mount);
        say_text("device", prop->device_object);
        say_id("provider_id", &prop->provider_id);
        say_number("attributes", prop->attributes);
        say_number("time", prop->creation_timestamp);
        say_end();
}

CALL(get_snapshot_properties) {
        for (size_t i = 0; i < run->copy_count; i++) {
                struct vss_snapshot_prop prop = { 0 };
                int r = vss_backup_components_get_snapshot_properties(run->bc, &run->copies[i].id,
                                                                      &prop, reterr);

                if (r < 0)
                        return r;
                say_copy(&prop);
                vss_free_snapshot_properties(&prop);
        }
        return 0;
}

CALL(query) {
        static const struct word kinds[] = { { "snapshots", VSS_OBJECT_SNAPSHOT },
                                             { "providers", VSS_OBJECT_PROVIDER },
                                             { NULL, 0 } };
        struct vss_enum_object *cursor = NULL;
        struct vss_object_prop prop;
        size_t fetched = 0;
        uint32_t kind;
        int r = word_value(kinds, words->items[0], &kind, reterr);

        if (r >= 0)
                r = vss_backup_components_query(run->bc, kind, &cursor, reterr);
        while (r >= 0 && vss_enum_object_next(cursor, 1, &prop, &fetched) >= 0 && fetched == 1) {
                if (prop.type == VSS_OBJECT_SNAPSHOT) {
                        say_copy(&prop.obj.snap);
                        continue;
                }
                say_begin("provider");
                say_text("name", prop.obj.prov.name);
                say_text("title", prop.obj.prov.title);
                say_text("version", prop.obj.prov.version);
                say_number("kind", prop.obj.prov.kind);
                say_id("provider_id", &prop.obj.prov.provider_id);
                say_end();
        }
        vss_enum_object_free(cursor);
        return r;
}

CALL(get_set_timing) {
        uint64_t freeze, hold;
        int r = vss_backup_components_get_set_timing(run->bc, &freeze, &hold, reterr);

        if (r < 0)
                return r;
        say_begin("timing");
        say_number("freeze_us", (int64_t)freeze);
        say_number("hold_us", (int64_t)hold);
        say_end();
        return 0;
}

const struct call calls_look[] = {
        { "get_writer_metadata", "", 0, 0, call_get_writer_metadata },
        { "save_writer_metadata", "DIR", 1, 1, call_save_writer_metadata },
        { "expect_writers", "[WRITER]...", 0, MAX_WORDS, call_expect_writers },
        { "gather_writer_status", "", 0, 0, call_gather_writer_status },
        { "expect_status", "WRITER STATE [CODE]", 2, 3, call_expect_status },
        { "get_writer_components", "", 0, 0, call_get_writer_components },
        { "save_as_xml", "FILE", 1, 1, call_save_as_xml },
        { "get_snapshot_properties", "", 0, 0, call_get_snapshot_properties },
        { "query", "snapshots|providers", 1, 1, call_query },
        { "get_set_timing", "", 0, 0, call_get_set_timing },
        { NULL, NULL, 0, 0, NULL },
};
