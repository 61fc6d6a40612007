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
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/purge.h"
#include "test/test-writer.h"

static struct test_writer test;
static bool prepared;
static char name[128] = "Test Writer"; /* the runtime keeps the place, so the words may change */
static struct vss_writer_ops ops;

static void prepare(void) {
        if (!prepared)
                tree_init(&test.tree, VSS_WRE_ALWAYS);
        test.tree.databases = true;
        prepared = true;
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
        return test_configure(&test, &ops, name, sizeof(name), section, key, value, reterr);
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

/* play() - for each component what the settings say; the first that cannot be done */
static int play(struct vss_writer *writer, struct vss_writer_components *components, unsigned at,
                struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++)
                r = play_component(&test, writer,
                                   vss_writer_components_get_component(components, i), at, reterr);
        return r;
}

/* done() - the event's proper work answered @r; then its fault has its turn */
static int done(struct vss_writer *writer, enum test_event event, int r, struct vss_error *reterr) {
        if (r >= 0)
                r = test_fault(&test, writer, event, reterr);
        return test_result(&test, writer, event, r);
}

static int prepare_backup(struct vss_writer *writer, struct vss_writer_components *components,
                          struct vss_error *reterr) {
        struct vss_id session = vss_writer_get_session_id(writer);
        int r;

        test_log_event(&test, writer, TEST_PREPARE_BACKUP, components);
        if (tree_select(&test.tree, &session, components) < 0)
                return -ENOMEM;
        r = data_advance(&test, true);
        if (r < 0)
                r = util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE, "cannot write the data: %s",
                              strerror(-r));
        test.noted = test.generation;
        test.noted_time = vss_timestamp_now();
        if (r >= 0)
                r = play(writer, components, AT_PREPARE_BACKUP, reterr);
        return done(writer, TEST_PREPARE_BACKUP, r, reterr);
}

static int prepare_snapshot(struct vss_writer *writer, struct vss_error *reterr) {
        int r;

        test_log(&test, writer, "prepare_snapshot volumes=%zu",
                 vss_writer_get_current_volume_count(writer));
        r = test.held_file ? vss_writer_deposit_undo(writer, test.held_file, strlen(test.held_file))
                           : 0;
        if (r < 0)
                r = util_fail(reterr, r, "the undo token was not taken");
        return done(writer, TEST_PREPARE_SNAPSHOT, r, reterr);
}

static int hold(struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;

        test.noted_time = vss_timestamp_now();
        if (!test.held_file)
                return 0;
        fd = open(test.held_file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        return fd < 0 ? util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE, "cannot make '%s': %s",
                                  test.held_file, strerror(errno))
                      : 0;
}

/* what is held comes first, so that a fault leaves it behind */
static int freeze(struct vss_writer *writer, struct vss_error *reterr) {
        test_log(&test, writer, "freeze");
        return done(writer, TEST_FREEZE, hold(reterr), reterr);
}

static void release(void) {
        if (test.held_file)
                (void)unlink(test.held_file);
}

/* the application goes on: who reads it instead of the copy gets what came later */
static int thaw(struct vss_writer *writer, struct vss_error *reterr) {
        int r;

        test_log(&test, writer, "thaw");
        r = test_fault(&test, writer, TEST_THAW, reterr);
        if (r >= 0) {
                release();
                if (data_advance(&test, false) < 0)
                        test_log(&test, writer, "data cannot be written");
        }
        return test_result(&test, writer, TEST_THAW, r);
}

static int post_snapshot(struct vss_writer *writer, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        int r;

        test_log_event(&test, writer, TEST_POST_SNAPSHOT, components);
        r = play(writer, components, AT_POST_SNAPSHOT, reterr);
        for (size_t i = 0; i < count; i++) {
                const struct tree_component *ours =
                        tree_match(&test.tree, vss_writer_components_get_component(components, i));

                if (ours && test.delete_files)
                        check_delete(&test, ours);
        }
        purge_copies(writer, test.tree.purges, test.tree.purge_count);
        return done(writer, TEST_POST_SNAPSHOT, r, reterr);
}

/* M-66, I-172..I-178: logs that a good backup holds are not needed any more; only now, and only if
 * this type is a base of later ones (I-38..I-42) */
static void truncate_logs(struct vss_writer *writer, const struct vss_component *component) {
        const struct tree_component *ours = tree_match(&test.tree, component);
        const struct script *script = ours ? test_find_script(&test, ours->name) : NULL;
        uint32_t type = play_effective_type(&test, writer);

        if (!vss_component_get_backup_succeeded(component) ||
            (type != VSS_BT_FULL && type != VSS_BT_INCREMENTAL && type != VSS_BT_LOG))
                return;
        if (script && script->truncate)
                check_truncate(&test, ours);
        for (size_t i = 0; i < test.data_count; i++)
                if (in_set(&test, test.data[i].component, component))
                        data_truncate(&test, writer, &test.data[i]);
}

static int backup_complete(struct vss_writer *writer, struct vss_writer_components *components,
                           struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        test_log_event(&test, writer, TEST_BACKUP_COMPLETE, components);
        for (size_t i = 0; i < count; i++)
                truncate_logs(writer, vss_writer_components_get_component(components, i));
        return done(writer, TEST_BACKUP_COMPLETE, 0, reterr);
}

static void backup_shutdown(struct vss_writer *writer, const struct vss_id *set_id) {
        struct vss_id session = vss_writer_get_session_id(writer);

        char id[VSS_ID_TEXT_SIZE];

        test_log(&test, writer, "backup_shutdown set=%s", vss_id_format(set_id, id));
        tree_forget(&test.tree, &session);
        (void)done(writer, TEST_BACKUP_SHUTDOWN, 0, NULL);
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

static const struct script *script_of(const struct vss_component *component) {
        const struct tree_component *ours = tree_match(&test.tree, component);

        return ours ? test_find_script(&test, ours->name) : NULL;
}

static int pre_restore(struct vss_writer *writer, struct vss_writer_components *components,
                       struct vss_error *reterr) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        test_log_event(&test, writer, TEST_PRE_RESTORE, components);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);

                play_restore(&test, writer, script_of(component), component, TEST_PRE_RESTORE);
        }
        return done(writer, TEST_PRE_RESTORE, 0, reterr);
}

/* with another image to come there is nothing to compare yet (I-186) */
static void check_component(struct vss_writer *writer, struct vss_component *component) {
        if (vss_component_get_file_restore_status(component) != VSS_RS_ALL ||
            !vss_component_is_selected_for_restore(component) ||
            vss_component_get_additional_restores(component))
                return;
        if (vss_component_get_restore_name(component))
                test_log(&test, writer, "brought up %s as %s",
                         vss_component_get_component_name(component),
                         vss_component_get_restore_name(component));
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

        test_log_event(&test, writer, TEST_POST_RESTORE, components);
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);

                check_component(writer, component);
                play_restore(&test, writer, script_of(component), component, TEST_POST_RESTORE);
        }
        if (test.check_excludes && check_excluded(&test, writer) > 0)
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    "excluded files are there after the restore");
        return done(writer, TEST_POST_RESTORE, 0, reterr);
}

static struct vss_writer_ops ops = {
        .name = name,
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
