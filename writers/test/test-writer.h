/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-writer.h - inside of the test writer: what is told, what goes wrong on purpose, what is
 * checked of the requester.
 */
#ifndef WRITERS_TEST_TEST_WRITER_H
#define WRITERS_TEST_TEST_WRITER_H

#include "common/tree.h"

enum test_event {
        TEST_IDENTIFY,
        TEST_PREPARE_BACKUP,
        TEST_PREPARE_SNAPSHOT,
        TEST_FREEZE,
        TEST_THAW,
        TEST_POST_SNAPSHOT,
        TEST_ABORT,
        TEST_BACKUP_COMPLETE,
        TEST_BACKUP_SHUTDOWN,
        TEST_PRE_RESTORE,
        TEST_POST_RESTORE,
        TEST_UNDO,
        TEST_EVENT_COUNT
};

extern const char *const test_event_names[TEST_EVENT_COUNT + 1];

/* what happens at one event besides its proper work */
struct fault {
        int code; /* 0 none */
        bool soft; /* told, but the handler succeeds (B-79) */
        uint64_t times; /* how often it still fails */
        uint32_t delay_ms;
        bool die, hang;
};

/* what is said of one component in post_snapshot or pre_restore */
struct script {
        char *component; /* section name */
        char *stamp, *restore_metadata;
        struct script_entry *entries;
        size_t entry_count;
        int failure; /* set on the component in post_snapshot (B-85) */
        uint32_t restore_target;
        bool truncate; /* the log files go in backup_complete */
};

/* a partial file (ranges set) or a differenced file set */
struct script_entry {
        struct file_set set; /* for a partial file path and filespec name the one file */
        char *ranges, *metadata;
        vss_timestamp_t since;
};

struct test_writer {
        struct tree tree;
        struct fault faults[TEST_EVENT_COUNT];
        struct script *scripts;
        size_t script_count;
        char *log, *held_file;
        bool check_includes, check_excludes, delete_files;
};

/* settings.c; @ops receives level, usage, window and id */
int test_configure(struct test_writer *test, struct vss_writer_ops *ops, const char *section,
                   const char *key, const char *value, struct vss_error *reterr);
const struct script *test_find_script(const struct test_writer *test, const char *component);
void test_done(struct test_writer *test);

/* test_log() - one line: monotonic µs, session id, words. Written at once, in one piece */
void test_log(const struct test_writer *test, const struct vss_writer *writer, const char *format,
              ...) VSS_PRINTF(3, 4);

/* test_fault() - delay, die, hang or fail as told; the code to return, words in @reterr */
int test_fault(struct test_writer *test, struct vss_writer *writer, enum test_event event,
               struct vss_error *reterr);

/* checks.c: that the requester brings back what was there (T table of tools.md, checkIncludes) */

/* check_truncate() - remove the log files of @component */
void check_truncate(const struct test_writer *test, const struct tree_component *ours);

/* check_remember() - hash what the shadow copy holds of @component into its backup metadata */
void check_remember(const struct test_writer *test, struct vss_writer *writer,
                    const struct tree_component *ours, struct vss_component *component);

/* check_restored() - compare with it what is there now; deviations are logged, and counted */
unsigned check_restored(const struct test_writer *test, struct vss_writer *writer,
                        struct vss_component *component);

/* check_excluded() - log every file that excludes name and that is there now, and count */
unsigned check_excluded(const struct test_writer *test, struct vss_writer *writer);

/* check_delete() - remove the originals, so that who reads them instead of the copy is caught */
void check_delete(const struct test_writer *test, const struct tree_component *ours);

#endif
