/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - the test writer's log: what it was told, in which session and state, and what it
 * answered. Every line is written at once, in one piece: several writers may share a file.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "test/test-writer.h"

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

/* ---- states (B-87..B-102), as the service counts them too ---- */

static struct {
        struct vss_id session;
        uint32_t state;
} states[16]; /* more sessions at once than any test has; the oldest is forgotten */
static size_t next_state;

static uint32_t *state_of(const struct vss_id *session) {
        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (vss_id_equal(&states[i].session, session))
                        return &states[i].state;
        next_state = (next_state + 1) % ELEMENTSOF(states);
        states[next_state].session = *session;
        states[next_state].state = VSS_WS_STABLE;
        return &states[next_state].state;
}

int test_result(const struct test_writer *test, const struct vss_writer *writer,
                enum test_event event, int r) {
        static const struct {
                uint32_t good, bad;
        } after[TEST_EVENT_COUNT] = {
                [TEST_IDENTIFY] = { VSS_WS_UNKNOWN, VSS_WS_UNKNOWN }, /* changes nothing (B-74) */
                [TEST_PREPARE_BACKUP] = { VSS_WS_STABLE, VSS_WS_FAILED_AT_PREPARE_BACKUP },
                [TEST_PREPARE_SNAPSHOT] = { VSS_WS_WAITING_FOR_FREEZE,
                                            VSS_WS_FAILED_AT_PREPARE_SNAPSHOT },
                [TEST_FREEZE] = { VSS_WS_WAITING_FOR_THAW, VSS_WS_FAILED_AT_FREEZE },
                [TEST_THAW] = { VSS_WS_WAITING_FOR_POST_SNAPSHOT, VSS_WS_FAILED_AT_THAW },
                [TEST_POST_SNAPSHOT] = { VSS_WS_WAITING_FOR_BACKUP_COMPLETE,
                                         VSS_WS_FAILED_AT_POST_SNAPSHOT },
                [TEST_ABORT] = { VSS_WS_STABLE, VSS_WS_STABLE },
                [TEST_BACKUP_COMPLETE] = { VSS_WS_STABLE, VSS_WS_FAILED_AT_BACKUP_COMPLETE },
                [TEST_BACKUP_SHUTDOWN] = { VSS_WS_STABLE, VSS_WS_STABLE },
                [TEST_PRE_RESTORE] = { VSS_WS_STABLE, VSS_WS_FAILED_AT_PRE_RESTORE },
                [TEST_POST_RESTORE] = { VSS_WS_STABLE, VSS_WS_FAILED_AT_POST_RESTORE },
                [TEST_UNDO] = { VSS_WS_UNKNOWN, VSS_WS_UNKNOWN },
        };
        struct vss_id session = vss_writer_get_session_id(writer);
        uint32_t to = r < 0 ? after[event].bad : after[event].good;

        if (r < 0)
                test_log(test, writer, "answered %s %s", test_event_names[event],
                         vss_error_name(r));
        if (to != VSS_WS_UNKNOWN)
                *state_of(&session) = to;
        return r;
}

/* ---- events ---- */

static const char *or_none(const char *text) {
        return text ? text : "-";
}

static void log_component(const struct test_writer *test, const struct vss_writer *writer,
                          const struct vss_component *c) {
        test_log(test, writer,
                 "component %s type=%s path=%s options=%s stamp=%s previous=%s partial=%zu "
                 "differenced=%zu",
                 vss_component_get_component_name(c),
                 vss_component_get_component_type(c) == VSS_CT_DATABASE ? "database" : "filegroup",
                 or_none(vss_component_get_logical_path(c)),
                 or_none(vss_component_get_backup_options(c)),
                 or_none(vss_component_get_backup_stamp(c)),
                 or_none(vss_component_get_previous_backup_stamp(c)),
                 vss_component_get_partial_file_count(c),
                 vss_component_get_differenced_files_count(c));
}

/* what a backup's requester said before this event */
static void log_backup(const struct test_writer *test, const struct vss_writer *writer,
                       enum test_event event, const struct vss_component *c) {
        const char *name = vss_component_get_component_name(c);
        const char *previous = vss_component_get_previous_backup_stamp(c);

        if (previous)
                test_log(test, writer, "previous %s %s", name, previous);
        if (event == TEST_BACKUP_COMPLETE)
                test_log(test, writer, "succeeded %s %s", name,
                         vss_component_get_backup_succeeded(c) ? "yes" : "no");
}

static void log_place(const struct test_writer *test, const struct vss_writer *writer,
                      const char *what, const char *name, const struct vss_wm_filedesc *file) {
        test_log(test, writer, "%s %s %s/%s%s to %s", what, name, vss_wm_filedesc_get_path(file),
                 vss_wm_filedesc_get_filespec(file),
                 vss_wm_filedesc_get_recursive(file) ? " recursive" : "",
                 or_none(vss_wm_filedesc_get_alternate_location(file)));
}

static void log_places(const struct test_writer *test, const struct vss_writer *writer,
                       const struct vss_component *c) {
        const char *name = vss_component_get_component_name(c), *path, *sub, *ranges;
        struct vss_directed_target d;

        for (size_t i = 0; i < vss_component_get_new_target_count(c); i++)
                log_place(test, writer, "new_target", name, vss_component_get_new_target(c, i));
        for (size_t i = 0; i < vss_component_get_alternate_location_mapping_count(c); i++)
                log_place(test, writer, "used_mapping", name,
                          vss_component_get_alternate_location_mapping(c, i));
        for (size_t i = 0; vss_component_get_directed_target(c, i, &d) >= 0; i++)
                test_log(test, writer, "directed %s %s/%s %s to %s/%s %s", name, d.source_path,
                         d.source_filename, d.source_ranges, d.destination_path,
                         d.destination_filename, d.destination_ranges);
        for (size_t i = 0; vss_component_get_restore_subcomponent(c, i, &path, &sub) >= 0; i++)
                test_log(test, writer, "subcomponent %s %s\\%s", name, or_none(path), sub);
        for (size_t i = 0; vss_component_get_partial_file(c, i, NULL, NULL, &ranges, NULL) >= 0;
             i++)
                if (strchr(ranges, '/'))
                        test_log(test, writer, "ranges_file %s %zu %s", name, i, ranges);
        if (vss_component_get_restore_metadata(c))
                test_log(test, writer, "restore_metadata %s %s", name,
                         vss_component_get_restore_metadata(c));
}

static void log_restore(const struct test_writer *test, const struct vss_writer *writer,
                        enum test_event event, const struct vss_component *c) {
        const char *name = vss_component_get_component_name(c), *point;
        uint32_t type;

        vss_component_get_roll_forward(c, &type, &point);
        if (event == TEST_POST_RESTORE)
                test_log(test, writer, "status %s %u", name,
                         vss_component_get_file_restore_status(c));
        else
                test_log(test, writer, "selected %s %s", name,
                         vss_component_is_selected_for_restore(c) ? "yes" : "no");
        test_log(test, writer,
                 "restoring %s additional=%s target=%u options=%s name=%s authoritative=%s "
                 "roll_forward=%u:%s new_targets=%zu mappings=%zu",
                 name, vss_component_get_additional_restores(c) ? "yes" : "no",
                 vss_component_get_restore_target(c), or_none(vss_component_get_restore_options(c)),
                 or_none(vss_component_get_restore_name(c)),
                 vss_component_get_authoritative_restore(c) ? "yes" : "no", type, or_none(point),
                 vss_component_get_new_target_count(c),
                 vss_component_get_alternate_location_mapping_count(c));
        log_places(test, writer, c);
}

void test_log_event(const struct test_writer *test, const struct vss_writer *writer,
                    enum test_event event, struct vss_writer_components *components) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        bool restore = event == TEST_PRE_RESTORE || event == TEST_POST_RESTORE;
        struct vss_id session = vss_writer_get_session_id(writer);

        if (restore)
                test_log(test, writer, "%s components=%zu state=%u restore=%u",
                         test_event_names[event], count, *state_of(&session),
                         vss_writer_get_restore_type(writer));
        else
                test_log(test, writer,
                         "%s type=%u components=%zu%s effective=%u selected=%s partial=%s "
                         "context=0x%x state=%u",
                         test_event_names[event], vss_writer_get_backup_type(writer), count,
                         vss_writer_is_bootable_system_state_backed_up(writer) ? " system-state"
                                                                               : "",
                         play_effective_type(test, writer),
                         vss_writer_are_components_selected(writer) ? "yes" : "no",
                         vss_writer_is_partial_file_support_enabled(writer) ? "yes" : "no",
                         vss_writer_get_context(writer), *state_of(&session));
        for (size_t i = 0; i < count; i++) {
                const struct vss_component *c = vss_writer_components_get_component(components, i);

                log_component(test, writer, c);
                if (restore)
                        log_restore(test, writer, event, c);
                else
                        log_backup(test, writer, event, c);
        }
}
