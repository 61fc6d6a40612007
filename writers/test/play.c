/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * play.c - what the settings, and the requester's options, tell the test writer to say of one
 * component: stamps, metadata, partial and differenced files, failures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "test/test-writer.h"

uint32_t play_effective_type(const struct test_writer *test, const struct vss_writer *writer) {
        return vss_effective_backup_type(vss_writer_get_backup_type(writer), test->tree.schema);
}

bool in_set(const struct test_writer *test, const char *name,
            const struct vss_component *component) {
        const struct tree_component *top = tree_match(&test->tree, component);

        for (size_t i = 0; top && i < test->tree.component_count; i++) {
                const struct tree_component *c = &test->tree.components[i];

                if (strcmp(c->name, name) == 0)
                        return c == top || (top->selectable && tree_is_below(c, top));
        }
        return false;
}

/* what of the settings is replaced by the requester's words: "stamp=x; fail=VSS_E_..." */
static const char *option(const char *options, const char *key, char buffer[4096]) {
        size_t n = strlen(key);

        while (options && *options) {
                size_t length;

                options += strspn(options, " ");
                length = strcspn(options, ";");
                if (strncmp(options, key, n) == 0 && options[n] == '=' && length - n < 4096) {
                        memcpy(buffer, options + n + 1, length - n - 1);
                        buffer[length - n - 1] = '\0';
                        return buffer;
                }
                options += length + (options[length] == ';');
        }
        return NULL;
}

static void refused(const struct test_writer *test, struct vss_writer *writer, const char *what,
                    int r) {
        if (r < 0)
                test_log(test, writer, "%s refused %s", what, vss_error_name(r));
}

/* ---- entries ---- */

static void add_entry(const struct test_writer *test, struct vss_writer *writer,
                      struct vss_component *component, const struct script_entry *entry) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        vss_timestamp_t since = entry->since;
        uint64_t generation;
        int r;

        if (entry->ranges) {
                r = vss_component_add_partial_file(component, entry->set.path, entry->set.filespec,
                                                   entry->ranges, entry->metadata, &error);
                refused(test, writer, "partial", r);
                return;
        }
        if (entry->since_stamp &&
            !data_read_stamp(vss_component_get_previous_backup_stamp(component), &generation,
                             &since))
                since = 1; /* I-159: everything, by the smallest time that is one */
        r = vss_component_add_differenced_files_by_last_modify_time(
                component, entry->set.path, entry->set.filespec, entry->set.recursive, since,
                &error);
        refused(test, writer, "differenced", r);
}

static void add_entries(const struct test_writer *test, struct vss_writer *writer,
                        const struct script *script, struct vss_component *component, unsigned at) {
        uint32_t type = play_effective_type(test, writer);

        for (size_t i = 0; i < script->entry_count; i++)
                if ((script->entries[i].at & at) && (script->entries[i].types & 1u << type))
                        add_entry(test, writer, component, &script->entries[i]);
}

/* a file that is read where it is rests from prepare_backup on, any other is in the copy */
static int add_data(struct test_writer *test, struct vss_writer *writer,
                    struct vss_component *component, unsigned at, struct vss_error *reterr) {
        const char *stamp = vss_component_get_previous_backup_stamp(component);
        uint32_t type = play_effective_type(test, writer);
        int r = 0;

        if (type != VSS_BT_INCREMENTAL && type != VSS_BT_DIFFERENTIAL)
                return 0;
        for (size_t i = 0; r >= 0 && i < test->data_count; i++) {
                const struct data *data = &test->data[i];
                bool now = at == (data->live ? AT_PREPARE_BACKUP : AT_POST_SNAPSHOT);

                if (!in_set(test, data->component, component) ||
                    (data->kind == DATA_PARTIAL &&
                     !vss_writer_is_partial_file_support_enabled(writer)))
                        continue; /* I-132: by its mask, whole */
                r = data_check_stamp(data, stamp, reterr);
                if (r >= 0 && now)
                        r = data_add_entry(test, data, stamp, component, reterr);
        }
        return r;
}

/* ---- stamps and metadata ---- */

static bool has_data(const struct test_writer *test, const struct vss_component *component,
                     bool live) {
        for (size_t i = 0; i < test->data_count; i++)
                if (test->data[i].live == live && in_set(test, test->data[i].component, component))
                        return true;
        return false;
}

static void set_stamp(const struct test_writer *test, struct vss_writer *writer,
                      const struct script *script, struct vss_component *component, unsigned at) {
        bool made = has_data(test, component, at == AT_PREPARE_BACKUP);
        _cleanup_free_ char *own = made ? data_stamp(test) : NULL;
        char buffer[4096];
        const char *stamp = option(vss_component_get_backup_options(component), "stamp", buffer);

        if (!stamp && script)
                stamp = at == AT_PREPARE_BACKUP ? script->provisional_stamp : script->stamp;
        if (!stamp)
                stamp = own;
        if (stamp)
                refused(test, writer, "stamp", vss_component_set_backup_stamp(component, stamp));
}

/* what post_restore will need, because another process may ask for it then; or what is told */
static void set_backup_metadata(struct test_writer *test, struct vss_writer *writer,
                                const struct script *script, struct vss_component *component,
                                unsigned at) {
        const struct tree_component *ours = tree_match(&test->tree, component);
        char buffer[4096], *text = NULL;
        const char *told =
                option(vss_component_get_backup_options(component), "backup_metadata", buffer);
        bool live = has_data(test, component, true), resting = has_data(test, component, false);
        size_t size;
        FILE *out;

        if (!told && script)
                told = script->backup_metadata;
        if (vss_component_get_backup_metadata(component)) /* there is one, and only one (D-59) */
                return;
        out = open_memstream(&text, &size);
        if (!out)
                return;
        if (told && at == AT_POST_SNAPSHOT)
                (void)fputs(told, out);
        else if (!told && (at == AT_PREPARE_BACKUP ? live && !resting : live || resting))
                (void)fprintf(out, "generation %ju\n", (uintmax_t)test->noted);
        if (!told && ours && test->check_includes && at == AT_POST_SNAPSHOT)
                check_remember(test, writer, ours, out);
        if (fclose(out) == 0 && size > 0)
                refused(test, writer, "backup metadata",
                        vss_component_set_backup_metadata(component, text));
        free(text);
}

void play_failure(const struct script *script, struct vss_writer *writer,
                  struct vss_component *component, enum test_event event) {
        char buffer[4096];
        const char *told = option(vss_component_get_backup_options(component), "fail", buffer);
        int code = told && event == TEST_POST_SNAPSHOT ? vss_error_from_name(told) : 0;

        if (code == 0 && script && script->failure_at == event)
                code = script->failure;
        if (code == 0)
                return;
        (void)vss_component_set_failure(component, code, 0, "failed, as told");
        (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                            "a component failed, as told");
}

static int play(struct test_writer *test, struct vss_writer *writer, const struct script *script,
                struct vss_component *component, unsigned at, struct vss_error *reterr) {
        char buffer[4096];
        const char *metadata =
                option(vss_component_get_backup_options(component), "restore_metadata", buffer);

        if (script)
                add_entries(test, writer, script, component, at);
        set_stamp(test, writer, script, component, at);
        set_backup_metadata(test, writer, script, component, at);
        if (!metadata && script)
                metadata = script->restore_metadata;
        if (metadata && at == AT_POST_SNAPSHOT)
                (void)vss_component_set_restore_metadata(component, metadata);
        play_failure(script, writer, component,
                     at == AT_PREPARE_BACKUP ? TEST_PREPARE_BACKUP : TEST_POST_SNAPSHOT);
        return add_data(test, writer, component, at, reterr);
}

int play_component(struct test_writer *test, struct vss_writer *writer,
                   struct vss_component *component, unsigned at, struct vss_error *reterr) {
        const struct tree_component *ours = tree_match(&test->tree, component);
        int r = play(test, writer, ours ? test_find_script(test, ours->name) : NULL, component, at,
                     reterr);

        if (r >= 0)
                return 0;
        if (at == AT_PREPARE_BACKUP)
                (void)vss_component_set_prepare_for_backup_failure_msg(component,
                                                                       util_words(reterr, r));
        else
                (void)vss_component_set_post_snapshot_failure_msg(component, util_words(reterr, r));
        return r;
}

static void play_directed(const struct test_writer *test, struct vss_writer *writer,
                          const struct script *script, struct vss_component *component) {
        for (size_t i = 0; i < script->directed_count; i++) {
                const struct directed *d = &script->directed[i];
                const struct vss_directed_target target = { d->from_path,   d->from_name,
                                                            d->from_ranges, d->to_path,
                                                            d->to_name,     d->to_ranges };

                refused(test, writer, "directed",
                        vss_component_add_directed_target(component, &target, NULL));
        }
}

void play_restore(const struct test_writer *test, struct vss_writer *writer,
                  const struct script *script, struct vss_component *component,
                  enum test_event event) {
        if (!script)
                return;
        if (script->has_target && script->target_at == event)
                refused(test, writer, "target",
                        vss_component_set_restore_target(component, script->restore_target));
        if (event == TEST_PRE_RESTORE) {
                play_directed(test, writer, script, component);
                if (script->pre_message)
                        (void)vss_component_set_pre_restore_failure_msg(component,
                                                                        script->pre_message);
        } else if (script->post_message) {
                (void)vss_component_set_post_restore_failure_msg(component, script->post_message);
        }
        play_failure(script, writer, component, event);
}
