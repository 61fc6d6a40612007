/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-writer.h - inside of the test writer: what is told, what goes wrong on purpose, what is
 * checked of the requester.
 */
#ifndef WRITERS_TEST_TEST_WRITER_H
#define WRITERS_TEST_TEST_WRITER_H

#include <stdio.h>

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

/* when something is said of a component */
enum { AT_PREPARE_BACKUP = 1 << 0, AT_POST_SNAPSHOT = 1 << 1 };

/* what is said of one component */
struct script {
        char *component; /* section name */
        char *stamp, *provisional_stamp; /* in post_snapshot, in prepare_backup (I-160) */
        char *backup_metadata, *restore_metadata;
        struct script_entry *entries;
        size_t entry_count;
        struct directed *directed;
        size_t directed_count;
        int failure; /* set on the component (B-85) */
        enum test_event failure_at;
        uint32_t restore_target;
        bool has_target;
        enum test_event target_at; /* pre_restore; in post_restore it is too late */
        char *pre_message, *post_message; /* in pre_restore, in post_restore */
        bool truncate; /* the log files go in backup_complete */
};

/* a partial file (ranges set) or a differenced file set */
struct script_entry {
        struct file_set set; /* for a partial file path and filespec name the one file */
        char *ranges, *metadata;
        vss_timestamp_t since;
        bool since_stamp; /* the time in the previous stamp */
        unsigned at;
        uint32_t types; /* bit per enum vss_backup_type, of the effective type */
};

struct directed {
        char *from_path, *from_name, *from_ranges, *to_path, *to_name, *to_ranges;
};

enum data_kind { DATA_WHOLE, DATA_PARTIAL, DATA_DIFFERENCED, DATA_LOGGED, DATA_JOURNAL };

/* a file that the writer makes itself (data.c) */
struct data {
        char *component, *path, *name, *ranges_file;
        uint64_t size, seed, changes;
        enum data_kind kind;
        bool live; /* read where it is, so it rests from prepare_backup on */
};

struct test_writer {
        struct tree tree;
        struct fault faults[TEST_EVENT_COUNT];
        struct script *scripts;
        size_t script_count;
        struct data *data;
        size_t data_count;
        uint64_t generation; /* of all data */
        uint64_t noted; /* that the backup under way shows */
        vss_timestamp_t noted_time;
        char *log, *held_file;
        bool check_includes, check_excludes, delete_files;
};

/* ---- settings.c; @ops receives what identifies the writer, @name of @size bytes its name ---- */

int test_configure(struct test_writer *test, struct vss_writer_ops *ops, char *name, size_t size,
                   const char *section, const char *key, const char *value,
                   struct vss_error *reterr);
void test_done(struct test_writer *test);

/* test_code() - an official name, "retryable" or "nonretryable"; 0 for other words */
int test_code(const char *word);

/* ---- script.c: the test writer's own keys of [component NAME] ---- */

/* 1 taken, 0 not a key of this room, E_INVALIDARG, -ENOMEM */
int script_configure(struct test_writer *test, struct tree_component *component, const char *key,
                     const char *value, struct vss_error *reterr);
const struct script *test_find_script(const struct test_writer *test, const char *component);
void script_done(struct script *script);

/* ---- log.c ---- */

/* test_log() - one line: monotonic µs, session id, words. Written at once, in one piece */
void test_log(const struct test_writer *test, const struct vss_writer *writer, const char *format,
              ...) VSS_PRINTF(3, 4);

/* test_fault() - delay, die, hang or fail as told; the code to return, words in @reterr */
int test_fault(struct test_writer *test, struct vss_writer *writer, enum test_event event,
               struct vss_error *reterr);

/* test_log_event() - what an event brought: type, components, and of each what its entry says */
void test_log_event(const struct test_writer *test, const struct vss_writer *writer,
                    enum test_event event, struct vss_writer_components *components);

/* test_result() - remember in which state the event leaves this session, and hand @r on; what
 * was no success is told */
int test_result(const struct test_writer *test, const struct vss_writer *writer,
                enum test_event event, int r);

/* ---- play.c: what the settings say of a component, in prepare_backup and post_snapshot ---- */

int play_component(struct test_writer *test, struct vss_writer *writer,
                   struct vss_component *component, unsigned at, struct vss_error *reterr);
void play_failure(const struct script *script, struct vss_writer *writer,
                  struct vss_component *component, enum test_event event);
/* play_restore() - target, directed targets and words of one of the two events of a restore */
void play_restore(const struct test_writer *test, struct vss_writer *writer,
                  const struct script *script, struct vss_component *component,
                  enum test_event event);
uint32_t play_effective_type(const struct test_writer *test, const struct vss_writer *writer);

/* in_set() - does @name, a section of ours, belong to the set that @component stands for? */
bool in_set(const struct test_writer *test, const char *name,
            const struct vss_component *component);

/* ---- data.c ---- */

int data_parse(const char *component, const char *value, struct data *ret,
               struct vss_error *reterr);
void data_done(struct data *data);

/* data_advance() - the application works: everything to the next generation; @live: also what is
 * read where it is. 0 or negative errno */
int data_advance(struct test_writer *test, bool live);

/* the stamp says which generation the backup shows, and when it was; the caller frees it */
char *data_stamp(const struct test_writer *test);
bool data_read_stamp(const char *stamp, uint64_t *ret_generation, vss_timestamp_t *ret_time);

/* data_check_stamp() - I-159: a base of which nothing is known is refused, never guessed */
int data_check_stamp(const struct data *data, const char *stamp, struct vss_error *reterr);

/* data_add_entry() - what changed since @stamp, which is good */
int data_add_entry(const struct test_writer *test, const struct data *data, const char *stamp,
                   struct vss_component *component, struct vss_error *reterr);

/* data_check() - does the file hold what @generation says, where the restore of @component has put
 * it? Deviations are logged, and counted */
unsigned data_check(struct test_writer *test, struct vss_writer *writer, const struct data *data,
                    const struct vss_component *component, uint64_t generation);
void data_truncate(const struct test_writer *test, struct vss_writer *writer,
                   const struct data *data);

/* ---- places.c: where a restore has put what belongs to a component ---- */

/* place_of() - where the file with the original path @path is now: by new target, by a mapping
 * that was used, or where it was. The caller frees it; NULL when out of memory */
char *place_of(const struct vss_component *component, const char *path);

/* place_is_directed() - has it been torn into ranges that lie elsewhere? */
bool place_is_directed(const struct vss_component *component, const char *path, const char *name);

/* place_collect() - write those ranges back to where they were in the source, into @to.
 * 0, negative errno, E_INVALIDARG for lists that are none */
int place_collect(const struct vss_component *component, const char *path, const char *name,
                  int to);

/* place_is_restored() - with subcomponents named only their files are */
bool place_is_restored(const struct test_writer *test, const struct vss_component *component,
                       const char *path);

/* ---- checks.c: that the requester brings back what was there (T table of tools.md) ---- */

/* check_truncate() - remove the log files of @component */
void check_truncate(const struct test_writer *test, const struct tree_component *ours);

/* check_remember() - hash what the shadow copy holds of @component, one line per file */
void check_remember(const struct test_writer *test, struct vss_writer *writer,
                    const struct tree_component *ours, FILE *out);

/* check_restored() - compare with it what is there now; deviations are logged, and counted */
unsigned check_restored(struct test_writer *test, struct vss_writer *writer,
                        struct vss_component *component);

/* check_excluded() - log every file that excludes name and that is there now, and count */
unsigned check_excluded(const struct test_writer *test, struct vss_writer *writer);

/* check_delete() - remove the originals, so that who reads them instead of the copy is caught */
void check_delete(const struct test_writer *test, const struct tree_component *ours);

#endif
