/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test - a writer that does what its settings file tells: declares files, fails, delays, hangs or
 * dies at an event, holds a file that shows whether it is frozen, and writes down what it was told
 * and when. For system tests; it holds no application.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "test/test-writer.h"

static struct test_writer test;
static bool prepared;
static struct vss_writer_ops ops;

static void prepare(void) {
        if (!prepared)
                tree_init(&test.tree, VSS_WRE_ALWAYS);
        test.tree.databases = true;
        prepared = true;
}

void test_log(const struct test_writer *self, const struct vss_writer *writer, const char *format,
              ...) {
        _cleanup_free_ char *words = NULL, *line = NULL;
        struct vss_id session = vss_writer_get_session_id(writer);
        char id[VSS_ID_TEXT_SIZE];
        _cleanup_close_ int fd = -1;
        va_list arguments;
        int n;

        if (!self->log)
                return;
        va_start(arguments, format);
        n = vasprintf(&words, format, arguments);
        va_end(arguments);
        if (n < 0)
                return;
        util_printable(words);
        n = asprintf(&line, "%ju %s %s\n", (uintmax_t)util_now_us(), vss_id_format(&session, id),
                     words);
        fd = open(self->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (n > 0 && fd >= 0)
                (void)!write(fd, line, (size_t)n);
}

static void sleep_ms(uint32_t ms) {
        struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

int test_fault(struct test_writer *self, struct vss_writer *writer, enum test_event event,
               struct vss_error *reterr) {
        struct fault *fault = &self->faults[event];

        sleep_ms(fault->delay_ms);
        if (fault->die)
                (void)raise(SIGKILL);
        while (fault->hang)
                sleep_ms(1000);
        if (fault->code == 0 || fault->times == 0)
                return 0;
        fault->times--;
        if (fault->soft) {
                (void)vss_writer_set_writer_failure(writer, fault->code, 0,
                                                    "failed softly, as told");
                return 0;
        }
        return util_fail(reterr, fault->code, "failed at %s, as told", test_event_names[event]);
}

static int configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr) {
        prepare();
        return test_configure(&test, &ops, section, key, value, reterr);
}

static int load(struct vss_writer *writer, struct vss_error *reterr) {
        prepare();
        return tree_check(&test.tree, reterr);
}

static void unload(struct vss_writer *writer) {
        test_done(&test);
        prepared = false;
}

static int identify(struct vss_writer *writer, struct vss_create_writer_metadata *metadata,
                    struct vss_error *reterr) {
        int r;

        test_log(&test, writer, "identify");
        r = test_fault(&test, writer, TEST_IDENTIFY, reterr);
        return r < 0 ? r : tree_identify(&test.tree, metadata, reterr);
}

/* what every event with components logs of them: how many, and the stamps of their bases */
static void log_event(struct vss_writer *writer, enum test_event event,
                      struct vss_writer_components *components) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        test_log(&test, writer, "%s type=%u components=%zu%s", test_event_names[event],
                 vss_writer_get_backup_type(writer), count,
                 vss_writer_is_bootable_system_state_backed_up(writer) ? " system-state" : "");
        for (size_t i = 0; i < count; i++) {
                const struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                const char *previous = vss_component_get_previous_backup_stamp(component);

                if (previous)
                        test_log(&test, writer, "previous %s %s",
                                 vss_component_get_component_name(component), previous);
        }
}

static int prepare_backup(struct vss_writer *writer, struct vss_writer_components *components,
                          struct vss_error *reterr) {
        struct vss_id session = vss_writer_get_session_id(writer);

        log_event(writer, TEST_PREPARE_BACKUP, components);
        if (tree_select(&test.tree, &session, components) < 0)
                return -ENOMEM;
        return test_fault(&test, writer, TEST_PREPARE_BACKUP, reterr);
}

static int prepare_snapshot(struct vss_writer *writer, struct vss_error *reterr) {
        int r;

        test_log(&test, writer, "prepare_snapshot volumes=%zu",
                 vss_writer_get_current_volume_count(writer));
        r = test.held_file ? vss_writer_deposit_undo(writer, test.held_file, strlen(test.held_file))
                           : 0;
        return r < 0 ? util_fail(reterr, r, "the undo token was not taken")
                     : test_fault(&test, writer, TEST_PREPARE_SNAPSHOT, reterr);
}

/* what is held comes first, so that a fault leaves it behind */
static int freeze(struct vss_writer *writer, struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;

        test_log(&test, writer, "freeze");
        if (test.held_file) {
                fd = open(test.held_file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd < 0)
                        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                         "cannot make '%s': %s", test.held_file, strerror(errno));
        }
        return test_fault(&test, writer, TEST_FREEZE, reterr);
}

static void release(void) {
        if (test.held_file)
                (void)unlink(test.held_file);
}

static int thaw(struct vss_writer *writer, struct vss_error *reterr) {
        int r;

        test_log(&test, writer, "thaw");
        r = test_fault(&test, writer, TEST_THAW, reterr);
        if (r >= 0)
                release();
        return r;
}

static void add_entry(struct vss_writer *writer, struct vss_component *component,
                      const struct script_entry *entry) {
        const char *what = entry->ranges ? "partial" : "differenced";
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        if (entry->ranges)
                r = vss_component_add_partial_file(component, entry->set.path, entry->set.filespec,
                                                   entry->ranges, entry->metadata, &error);
        else
                r = vss_component_add_differenced_files_by_last_modify_time(
                        component, entry->set.path, entry->set.filespec, entry->set.recursive,
                        entry->since, &error);
        if (r < 0)
                test_log(&test, writer, "%s refused %s", what, vss_error_name(r));
}

/* entries are for increments; a whole backup carries everything anyway */
static void play_script(struct vss_writer *writer, const struct script *script,
                        struct vss_component *component) {
        uint32_t type = vss_writer_get_backup_type(writer);
        bool increment = type == VSS_BT_INCREMENTAL || type == VSS_BT_DIFFERENTIAL;

        for (size_t i = 0; increment && i < script->entry_count; i++)
                if (!script->entries[i].ranges ||
                    vss_writer_is_partial_file_support_enabled(writer))
                        add_entry(writer, component, &script->entries[i]);
        if (script->stamp)
                (void)vss_component_set_backup_stamp(component, script->stamp);
        if (script->restore_metadata)
                (void)vss_component_set_restore_metadata(component, script->restore_metadata);
        if (script->failure) {
                (void)vss_component_set_failure(component, script->failure, 0, "failed, as told");
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    "a component failed, as told");
        }
}

static int post_snapshot(struct vss_writer *writer, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        log_event(writer, TEST_POST_SNAPSHOT, components);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                const struct tree_component *ours = tree_match(&test.tree, component);
                const struct script *script = ours ? test_find_script(&test, ours->name) : NULL;

                if (script)
                        play_script(writer, script, component);
                if (ours && test.check_includes)
                        check_remember(&test, writer, ours, component);
                if (ours && test.delete_files)
                        check_delete(&test, ours);
        }
        return test_fault(&test, writer, TEST_POST_SNAPSHOT, reterr);
}

/* M-66: logs that a good backup holds are not needed any more; only now, and only if this type is
 * a base of later ones (I-38..I-42) */
static void truncate_logs(struct vss_writer *writer, struct vss_component *component) {
        const struct tree_component *ours = tree_match(&test.tree, component);
        const struct script *script = ours ? test_find_script(&test, ours->name) : NULL;
        uint32_t type =
                vss_effective_backup_type(vss_writer_get_backup_type(writer), test.tree.schema);

        if (script && script->truncate && vss_component_get_backup_succeeded(component) &&
            (type == VSS_BT_FULL || type == VSS_BT_INCREMENTAL || type == VSS_BT_LOG))
                check_truncate(&test, ours);
}

static int backup_complete(struct vss_writer *writer, struct vss_writer_components *components,
                           struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        log_event(writer, TEST_BACKUP_COMPLETE, components);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);

                test_log(&test, writer, "succeeded %s %s",
                         vss_component_get_component_name(component),
                         vss_component_get_backup_succeeded(component) ? "yes" : "no");
                truncate_logs(writer, component);
        }
        return test_fault(&test, writer, TEST_BACKUP_COMPLETE, reterr);
}

static void backup_shutdown(struct vss_writer *writer, const struct vss_id *set_id) {
        struct vss_id session = vss_writer_get_session_id(writer);

        test_log(&test, writer, "backup_shutdown");
        tree_forget(&test.tree, &session);
        (void)test_fault(&test, writer, TEST_BACKUP_SHUTDOWN, NULL);
}

static void writer_abort(struct vss_writer *writer) {
        test_log(&test, writer, "abort");
        (void)test_fault(&test, writer, TEST_ABORT, NULL);
        release();
}

static int undo(struct vss_writer *writer, const void *token, size_t size,
                struct vss_error *reterr) {
        _cleanup_free_ char *path = strndup(token, size);
        int r;

        test_log(&test, writer, "undo");
        if (!path)
                return -ENOMEM;
        r = test_fault(&test, writer, TEST_UNDO, reterr);
        if (r >= 0)
                (void)unlink(path);
        return r;
}

static int pre_restore(struct vss_writer *writer, struct vss_writer_components *components,
                       struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        test_log(&test, writer, "pre_restore components=%zu", count);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                const struct tree_component *ours = tree_match(&test.tree, component);
                const struct script *script = ours ? test_find_script(&test, ours->name) : NULL;

                test_log(&test, writer, "selected %s %s",
                         vss_component_get_component_name(component),
                         vss_component_is_selected_for_restore(component) ? "yes" : "no");
                if (script && script->restore_target)
                        (void)vss_component_set_restore_target(component, script->restore_target);
        }
        return test_fault(&test, writer, TEST_PRE_RESTORE, reterr);
}

static void check_component(struct vss_writer *writer, struct vss_component *component) {
        uint32_t status = vss_component_get_file_restore_status(component);

        test_log(&test, writer, "status %s %u", vss_component_get_component_name(component),
                 status);
        if (!test.check_includes || status != VSS_RS_ALL ||
            !vss_component_is_selected_for_restore(component) ||
            vss_component_get_new_target_count(component) > 0 ||
            vss_component_get_alternate_location_mapping_count(component) > 0)
                return;
        if (check_restored(&test, writer, component) > 0) {
                (void)vss_component_set_post_restore_failure_msg(
                        component, "what was restored is not what was backed up; see the log");
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    "restored files differ");
        }
}

static int post_restore(struct vss_writer *writer, struct vss_writer_components *components,
                        struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        test_log(&test, writer, "post_restore components=%zu", count);
        for (size_t i = 0; i < count; i++)
                check_component(writer, vss_writer_components_get_component(components, i));
        if (test.check_excludes && check_excluded(&test, writer) > 0)
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    "excluded files are there after the restore");
        return test_fault(&test, writer, TEST_POST_RESTORE, reterr);
}

static struct vss_writer_ops ops = {
        .name = "Test Writer",
        .version_major = 1,
        .id = { { 0xc4, 0x2f, 0x9a, 0x06, 0xe1, 0x58, 0x4d, 0x3b, 0xb7, 0x0a, 0x91, 0x5c, 0x6d,
                  0x23, 0xf8, 0x40 } },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .configure = configure,
        .load = load,
        .unload = unload,
        .identify = identify,
        .prepare_backup = prepare_backup,
        .prepare_snapshot = prepare_snapshot,
        .freeze = freeze,
        .thaw = thaw,
        .post_snapshot = post_snapshot,
        .backup_complete = backup_complete,
        .backup_shutdown = backup_shutdown,
        .abort = writer_abort,
        .undo = undo,
        .pre_restore = pre_restore,
        .post_restore = post_restore,
};

VSS_WRITER(ops);
