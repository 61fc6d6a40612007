/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-restore-whole.c - the way back through the engine's own calls: places that the caller
 * chooses, all of a request or nothing, probing, staging, directed ranges. What needs file systems
 * of its own is in tests/system/restore-whole.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup/engine.h"
#include "base/file.h"
#include "tests/check.h"
#include "tests/scratch.h"

static char scratch[] = "/var/tmp/vss-whole.XXXXXX";
static char undo_dir[64];
static struct store *store;

/* ---- trees ---- */

/* a path in the scratch folder; good until four calls later */
static const char *at(const char *format, ...) {
        static char paths[4][512];
        static unsigned turn;
        char *path = paths[turn++ % 4];
        va_list arguments;
        int n = snprintf(path, sizeof(paths[0]), "%s/", scratch);

        va_start(arguments, format);
        vsnprintf(path + n, sizeof(paths[0]) - (size_t)n, format, arguments);
        va_end(arguments);
        return path;
}

static void put(const char *path, const char *text) {
        char folder[512];

        snprintf(folder, sizeof(folder), "%s", path);
        *strrchr(folder, '/') = '\0';
        CHECK_INT(mkdir_parents(folder, 0755), 0);
        CHECK_INT(write_file_atomic(AT_FDCWD, path, text, strlen(text), 0644), 0);
}

static bool has(const char *path, const char *text) {
        char *data = NULL;
        size_t size;
        bool same = read_whole_file(AT_FDCWD, path, 1 << 20, &data, &size) >= 0 &&
                    strcmp(data, text) == 0;

        free(data);
        return same;
}

static bool is_absent(const char *path) {
        return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static ino_t inode_of(const char *path) {
        struct stat st;

        CHECK_INT(lstat(path, &st), 0);
        return st.st_ino;
}

static mode_t mode_of(const char *path) {
        struct stat st;

        CHECK_INT(lstat(path, &st), 0);
        return st.st_mode & 07777;
}

/* ---- sets ---- */

struct saved {
        struct set_list list;
        struct chain chain;
};

/* everything below "source", or ranges of one file, into a new set, on top of the last one if @type
 * says so */
static void save_source(uint32_t type, struct source *source) {
        const struct set_options options = { .type = type };
        struct vss_error error = VSS_ERROR_INIT;
        struct component_key key = { .instance_name = "", .logical_path = "", .name = "" };
        struct set_list list = { 0 };
        struct set_place base;
        struct set_writer *set;
        struct operation *op;

        CHECK_INT(store_list(store, &list, &error), 0);
        CHECK_INT(set_begin(store, &options, &set, &error), 0);
        CHECK_INT(op_begin(set, type, &op, &error), 0);
        if (type != VSS_BT_FULL) {
                CHECK_INT(catalogue_base(&list, &key, type, &base), 0);
                CHECK_INT(op_set_base(op, 0, &base, &list, &error), 0);
        }
        CHECK(source->root_fd >= 0);
        CHECK_INT(op_run(op, source, NULL, &error), 0);
        close(source->root_fd);
        CHECK_INT(op_end(op, &error), 0);
        CHECK_INT(set_publish(set, &error), 0);
        set_list_done(&list);
}

static void save(uint32_t type) {
        struct source source = { .path = at("source"),
                                 .read_path = "",
                                 .pick = type == VSS_BT_FULL ? SOURCE_WHOLE : SOURCE_COMPARE,
                                 .root_fd =
                                         open(at("source"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

        save_source(type, &source);
}

static void save_ranges(const char *path, const struct byte_range *range) {
        struct source source = { .path = path,
                                 .read_path = strrchr(path, '/') + 1,
                                 .pick = SOURCE_RANGES,
                                 .ranges = range,
                                 .ranges_count = 1,
                                 .root_fd =
                                         open(at("source"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

        save_source(VSS_BT_INCREMENTAL, &source);
}

static void load(struct saved *saved) {
        struct component_key key = { .instance_name = "", .logical_path = "", .name = "" };
        struct vss_error error = VSS_ERROR_INIT;
        const struct set_info *set;
        struct set_place place;

        *saved = (struct saved){ 0 };
        CHECK_INT(store_list(store, &saved->list, &error), 0);
        CHECK_INT(set_find(&saved->list, "latest", &set, &error), 0);
        CHECK_INT(catalogue_find(set, &key, &place), 0);
        CHECK_INT(chain_of(&saved->list, &place, &saved->chain, &error), 0);
}

static void unload(struct saved *saved) {
        chain_done(&saved->chain);
        set_list_done(&saved->list);
}

/* a new store, and nothing in the folders */
static void begin(void) {
        struct vss_error error = VSS_ERROR_INIT;

        store = store_close(store);
        (void)remove_tree(AT_FDCWD, at("store"));
        (void)remove_tree(AT_FDCWD, at("source"));
        (void)remove_tree(AT_FDCWD, at("to"));
        CHECK_INT(mkdir(at("source"), 0755), 0);
        CHECK_INT(mkdir(at("to"), 0755), 0);
        CHECK_INT(store_open(at("store"), STORE_CREATE, &store, &error), 0);
        CHECK_INT(store_lock(store, &error), 0);
}

/* ---- places ---- */

struct told {
        unsigned placed, copies, failed;
        char words[300];
};

static void tell(void *userdata, const struct entry *entry, const char *placed,
                 enum restore_outcome outcome, int code, const char *words) {
        struct told *told = userdata;

        told->placed += outcome == RESTORE_PLACED || outcome == RESTORE_REPLACED;
        told->failed += outcome == RESTORE_FAILED;
        told->copies += outcome != RESTORE_FAILED && words;
        if (words)
                snprintf(told->words, sizeof(told->words), "%s", words);
}

/* "source/a" stays what it is, "source/b" becomes "to/x/y", "source/c" is left out */
static const char *to_elsewhere(void *userdata, const struct entry *entry) {
        static char path[512];
        const char *rest = entry->path + strlen(at("source"));

        if (strncmp(rest, "/c", 2) == 0)
                return NULL;
        if (strncmp(rest, "/b", 2) != 0)
                return entry->path;
        snprintf(path, sizeof(path), "%s%s", at("to/x/y"), rest + 2);
        return path;
}

static void test_where(void) { /* links between what was moved and what was not */
        struct restore_request request = { .where = to_elsewhere, .result = tell };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct told told = { 0 };
        struct saved saved;

        begin();
        put(at("source/a/one"), "linked");
        put(at("source/b/deep/file"), "b");
        put(at("source/c/file"), "c");
        CHECK_INT(link(at("source/a/one"), at("source/a/two")), 0);
        CHECK_INT(link(at("source/a/one"), at("source/b/three")), 0);
        CHECK_INT(link(at("source/a/one"), at("source/b/four")), 0);
        CHECK_INT(chmod(at("source/b/deep"), 0710), 0);
        save(VSS_BT_FULL);
        CHECK_INT(remove_tree(AT_FDCWD, at("source")), 0);
        load(&saved);
        request.chain = &saved.chain;
        request.userdata = &told;
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
        CHECK(has(at("source/a/one"), "linked") && has(at("to/x/y/three"), "linked"));
        CHECK_INT(inode_of(at("source/a/one")), inode_of(at("source/a/two")));
        CHECK_INT(inode_of(at("to/x/y/three")), inode_of(at("to/x/y/four")));
        CHECK(inode_of(at("source/a/one")) != inode_of(at("to/x/y/three")));
        CHECK(is_absent(at("source/b")) && is_absent(at("source/c")));
        CHECK(has(at("to/x/y/deep/file"), "b"));
        CHECK_INT(summary.links_broken, 1);
        CHECK_INT(told.copies, 1);
        CHECK(summary.changed && told.failed == 0);
        unload(&saved);
}

static const char *nowhere(void *userdata, const struct entry *entry) {
        return "relative";
}

static void test_where_is_checked(void) {
        struct restore_request request = { .where = nowhere, .result = tell };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct told told = { 0 };
        struct saved saved;

        begin();
        put(at("source/file"), "text");
        save(VSS_BT_FULL);
        load(&saved);
        request.chain = &saved.chain;
        request.userdata = &told;
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), E_INVALIDARG);
        CHECK(strstr(told.words, "no absolute path"));
        CHECK(told.placed == 0 && !summary.changed);
        vss_error_clear(&error);
        unload(&saved);
}

/* neither replaced nor removed, nor what holds it */
static void test_untouched(void) {
        char own[2][512], undo[512];
        const char *const untouched[] = { own[0], own[1] };
        struct restore_request request = { .result = tell, .remove_gone = true };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct saved saved;

        snprintf(own[0], sizeof(own[0]), "%s", at("source/own"));
        snprintf(own[1], sizeof(own[1]), "%s", at("source/holder/own"));
        snprintf(undo, sizeof(undo), "%s", at("undo"));
        request.untouched = untouched;
        request.untouched_count = 2;
        request.undo_dir = undo;
        for (int whole = 0; whole < 2; whole++) {
                struct told told = { 0 };

                begin();
                put(at("source/own/journal"), "old");
                put(at("source/own2"), "old");
                put(at("source/holder/own/journal"), "old");
                put(at("source/gone"), "old");
                save(VSS_BT_FULL);
                CHECK_INT(chmod(at("source/own"), 0700), 0);
                put(at("source/own/journal"), "live");
                put(at("source/own2"), "changed");
                load(&saved);
                request.chain = &saved.chain;
                request.userdata = &told;
                request.whole = whole;
                request.image = 0;
                CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
                CHECK(has(at("source/own/journal"), "live") && has(at("source/own2"), "old"));
                CHECK_INT(mode_of(at("source/own")), 0700);
                CHECK(strstr(told.words, "its own records"));
                unload(&saved);

                CHECK_INT(remove_tree(AT_FDCWD, at("source/own")), 0);
                CHECK_INT(remove_tree(AT_FDCWD, at("source/holder")), 0);
                CHECK_INT(unlink(at("source/gone")), 0);
                save(VSS_BT_INCREMENTAL);
                put(at("source/own/journal"), "live");
                put(at("source/holder/own/journal"), "live");
                put(at("source/gone"), "there again");
                load(&saved);
                request.chain = &saved.chain;
                request.image = 2;
                CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
                CHECK(has(at("source/own/journal"), "live"));
                CHECK(has(at("source/holder/own/journal"), "live"));
                CHECK(is_absent(at("source/gone")));
                unload(&saved);
        }
}

static const char *into_records(void *userdata, const struct entry *entry) {
        static char path[512];

        if (!strstr(entry->path, "/app"))
                return entry->path;
        snprintf(path, sizeof(path), "%s%s", at("source/state/writers"),
                 entry->path + strlen(at("source")));
        return path;
}

/* the records stay, but a writer's folder among them is as good a place as any */
static void test_records(void) {
        struct restore_request request = { .where = into_records, .result = tell };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct saved saved;
        char records[512];

        snprintf(records, sizeof(records), "%s", at("source/state"));
        request.records = records;
        for (int whole = 0; whole < 2; whole++) {
                struct told told = { 0 };

                begin();
                put(at("source/state/list"), "old");
                put(at("source/app/db"), "data");
                save(VSS_BT_FULL);
                put(at("source/state/list"), "live");
                load(&saved);
                request.chain = &saved.chain;
                request.userdata = &told;
                request.whole = whole;
                CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
                CHECK(has(at("source/state/writers/app/db"), "data"));
                CHECK(has(at("source/state/list"), "live"));
                CHECK(strstr(told.words, "its own records"));
                unload(&saved);
        }
}

/* what waits beside its place is no application's data; nor is a person's file called like it */
static void test_beside_is_left_out(void) {
        static const char *const names[] = { ".vss-pending-00ffee1234567890",
                                             ".vss-restore-12-345-00ffee1234567890",
                                             ".vss-pending-letter",
                                             "x.vss-pending-00ffee1234567890" };
        struct restore_request request = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct saved saved;

        for (int image = 0; image < 2; image++) {
                begin();
                put(at("source/file"), "text");
                if (image)
                        save(VSS_BT_FULL);
                for (size_t i = 0; i < 4; i++)
                        put(at("source/%s", names[i]), "text");
                put(at("source/%s/below", ".vss-pending-0000000000000001"), "text");
                save(image ? VSS_BT_INCREMENTAL : VSS_BT_FULL);
                CHECK_INT(remove_tree(AT_FDCWD, at("source")), 0);
                load(&saved);
                request.chain = &saved.chain;
                CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
                for (size_t i = 0; i < 4; i++)
                        CHECK(has(at("source/%s", names[i]), "text") == (i >= 2));
                CHECK(is_absent(at("source/.vss-pending-0000000000000001")));
                CHECK(has(at("source/file"), "text"));
                unload(&saved);
        }
}

/* ---- all or nothing ---- */

static struct restore_request whole_of(const struct saved *saved, struct told *told) {
        return (struct restore_request){ .chain = &saved->chain,
                                         .whole = true,
                                         .undo_dir = undo_dir,
                                         .result = tell,
                                         .userdata = told };
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *walk) {
        CHECK(strncmp(path + walk->base, ".vss-", 5) != 0);
        return 0;
}

/* no file beside anything, no list of one */
static void check_nothing_left(void) {
        CHECK_INT(nftw(scratch, visit, 16, FTW_PHYS), 0);
        CHECK(is_absent(at("undo")) || rmdir(at("undo")) == 0);
}

static void three_files(void) {
        begin();
        put(at("source/a/one"), "one");
        put(at("source/a/new/deep/two"), "two");
        put(at("source/b"), "three");
        CHECK_INT(chmod(at("source/a"), 0750), 0);
        save(VSS_BT_FULL);
}

static int64_t mtime_of(const char *path) {
        struct stat st;

        CHECK_INT(lstat(path, &st), 0);
        return st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static void test_whole(void) { /* */
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct restore_request request;
        struct told told = { 0 };
        struct saved saved;
        struct stat st;
        int64_t mtime;

        three_files();
        mtime = mtime_of(at("source/a"));
        put(at("source/a/one"), "older");
        put(at("source/a/mine"), "mine");
        CHECK_INT(remove_tree(AT_FDCWD, at("source/a/new")), 0);
        CHECK_INT(chmod(at("source/a"), 0700), 0);
        load(&saved);
        request = whole_of(&saved, &told);
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
        CHECK(has(at("source/a/one"), "one") && has(at("source/a/new/deep/two"), "two"));
        CHECK(has(at("source/b"), "three") && has(at("source/a/mine"), "mine"));
        CHECK_INT(stat(at("source/a"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0750);
        CHECK_INT(mtime_of(at("source/a")), mtime);
        CHECK(summary.changed && summary.placed == told.placed && told.placed == 7);
        check_nothing_left();
        unload(&saved);
}

/* the last of several things cannot be put in place: those before it are taken back */
static void test_whole_undone(void) { /* */
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct restore_request request;
        struct told told = { 0 };
        struct saved saved;
        struct stat st;
        int64_t mtime;
        ino_t inode;

        three_files();
        put(at("source/a/one"), "older");
        CHECK_INT(remove_tree(AT_FDCWD, at("source/a/new")), 0);
        CHECK_INT(chmod(at("source/a"), 0700), 0);
        CHECK_INT(unlink(at("source/b")), 0);
        put(at("source/b/in/the/way"), "of a file");
        inode = inode_of(at("source/a/one"));
        mtime = mtime_of(at("source/a"));
        load(&saved);
        request = whole_of(&saved, &told);
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), -EISDIR);
        CHECK(strstr(vss_error_message(&error), "nothing was changed: "));
        CHECK(strstr(vss_error_message(&error), "not empty is in the way"));
        CHECK(!summary.changed && summary.placed == 0 && summary.failed == 1);
        CHECK(has(at("source/a/one"), "older") && inode_of(at("source/a/one")) == inode);
        CHECK(is_absent(at("source/a/new")) && has(at("source/b/in/the/way"), "of a file"));
        CHECK_INT(stat(at("source/a"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0700);
        CHECK_INT(mtime_of(at("source/a")), mtime);
        check_nothing_left();
        vss_error_clear(&error);
        unload(&saved);
}

static int stop_at_the_end(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        return entries > 60 ? -ECANCELED : 0;
}

static void test_whole_cancelled(void) {
        const struct engine_watch watch = { .progress = stop_at_the_end };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct restore_request request;
        struct told told = { 0 };
        struct saved saved;

        begin();
        for (unsigned i = 0; i < 200; i++)
                put(at("source/a/%u", i), "text");
        save(VSS_BT_FULL);
        load(&saved);
        request = whole_of(&saved, &told);
        request.into = at("to/not/yet");
        CHECK_INT(restore_run(store, &request, &watch, &summary, &error), -ECANCELED);
        CHECK(told.placed > 0 && summary.placed == 0 && !summary.changed);
        CHECK(is_absent(at("to/not")));
        put(at("source/a/7"), "older");
        request.into = NULL;
        CHECK_INT(restore_run(store, &request, &watch, &summary, &error), -ECANCELED);
        CHECK(has(at("source/a/7"), "older"));
        check_nothing_left();
        vss_error_clear(&error);
        unload(&saved);
}

/* every file gets the same name, in a folder that is there or not */
static const char *to_one_name(void *userdata, const struct entry *entry) {
        static char path[512];

        snprintf(path, sizeof(path), "%s/same", at(userdata ? "to" : "to/new"));
        return entry->type == ENTRY_FILE ? path : NULL;
}

static void one_name(const struct saved *saved, void *there, bool whole) {
        struct restore_request request = { .chain = &saved->chain,
                                           .where = to_one_name,
                                           .userdata = there,
                                           .undo_dir = undo_dir,
                                           .whole = whole };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;

        CHECK(restore_run(store, &request, NULL, &summary, &error) < 0);
        if (whole) {
                CHECK(strstr(vss_error_message(&error), "nothing was changed") &&
                      strstr(vss_error_message(&error), "may be one name"));
                CHECK(!summary.changed && is_absent(at("to/new")) && is_absent(at("to/same")));
        }
        vss_error_clear(&error);
        CHECK_INT(remove_tree(AT_FDCWD, at("to/new")), 0);
        check_nothing_left();
}

/* two of the backup's names that are one at the destination: told, not one in the other's place */
static void test_same_place(void) {
        struct saved saved;

        three_files();
        load(&saved);
        one_name(&saved, NULL, true);
        one_name(&saved, &saved, true);
        one_name(&saved, NULL, false);
        unload(&saved);
}

/* ---- probing ---- */

struct states {
        unsigned count[4];
        char words[400];
};

static void state(void *userdata, const struct entry *entry, const char *place,
                  enum restore_state state, int code, const char *words) {
        struct states *states = userdata;

        states->count[state]++;
        if (words)
                snprintf(states->words, sizeof(states->words), "%s", words);
        CHECK((code < 0) == (words != NULL));
}

static struct restore_probe probe_with(struct restore_request request, struct states *states) {
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_probe probe;

        *states = (struct states){ 0 };
        request.userdata = states;
        CHECK_INT(restore_probe(store, &request, state, NULL, &probe, &error), 0);
        CHECK_INT(probe.creatable, states->count[RESTORE_CREATABLE]);
        CHECK_INT(probe.replaceable, states->count[RESTORE_REPLACEABLE]);
        CHECK_INT(probe.blocked, states->count[RESTORE_BLOCKED]);
        CHECK_INT(probe.blocked_absent, states->count[RESTORE_BLOCKED_ABSENT]);
        return probe;
}

static void test_probe(void) { /* R-60 b, R-50 */
        struct restore_request request = { 0 };
        struct restore_probe probe;
        struct states states;
        struct saved saved;

        three_files();
        load(&saved);
        request.chain = &saved.chain;
        request.into = at("to/x/y");
        probe = probe_with(request, &states);
        CHECK(probe.creatable == 3 && probe.code == 0 && !probe.present);
        CHECK(is_absent(at("to/x")));
        CHECK_INT(probe.bytes_needed, 3 * 4096);
        restore_probe_done(&probe);
        request.into = NULL;
        CHECK_INT(unlink(at("source/b")), 0);
        probe = probe_with(request, &states);
        CHECK(probe.creatable == 1 && probe.replaceable == 2 && probe.code == 0);
        CHECK_STR(probe.present, at("source/a/new/deep/two"));
        restore_probe_done(&probe);
        put(at("source/b/in/the/way"), "");
        CHECK_INT(remove_tree(AT_FDCWD, at("source/a/new")), 0);
        put(at("source/a/new"), "a file where a directory should be");
        probe = probe_with(request, &states);
        CHECK_INT(probe.code, -ENOTDIR);
        CHECK_STR(probe.obstacle, at("source/a/new"));
        CHECK(probe.blocked == 2 && probe.blocked_absent == 2 && probe.replaceable == 1);
        CHECK(has(at("source/a/new"), "a file where a directory should be"));
        restore_probe_done(&probe);
        unload(&saved);
}

/* a process with the file open, and how it was opened */
static pid_t user_of(const char *path, int flags, bool map) {
        int ready[2];
        char byte;
        pid_t pid;

        CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                int fd = open(path, flags | O_CLOEXEC);

                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (map && mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED)
                        close(fd);
                if (fd < 0 || write(ready[1], "x", 1) != 1)
                        _exit(1);
                pause();
                _exit(0);
        }
        CHECK_INT(read(ready[0], &byte, 1), 1);
        close(ready[0]);
        close(ready[1]);
        return pid;
}

static void end_user(pid_t pid) {
        CHECK_INT(kill(pid, SIGKILL), 0);
        CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static void in_use_by(const struct saved *saved, int flags, bool map, bool readers_only) {
        struct restore_request request = { .chain = &saved->chain,
                                           .undo_dir = undo_dir,
                                           .whole = true,
                                           .in_use = RESTORE_IN_USE_REFUSE };
        pid_t pid = user_of(at("source/a/one"), flags, map);
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct restore_probe probe;
        struct states states;
        char number[40];

        snprintf(number, sizeof(number), "(process %d)", (int)pid);
        probe = probe_with(request, &states);
        CHECK(probe.blocked == 1 && probe.in_use == 1 && probe.code == -EBUSY);
        CHECK(strstr(probe.words, number));
        CHECK(strstr(probe.words, "test-restore"));
        restore_probe_done(&probe);
        put(at("source/b"), "older");
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), -EBUSY);
        CHECK(strstr(vss_error_message(&error), number));
        CHECK(has(at("source/b"), "older") && !summary.changed);
        request.in_use = RESTORE_IN_USE_RENAME;
        probe = probe_with(request, &states);
        CHECK_INT(probe.in_use, readers_only ? 0 : 1);
        restore_probe_done(&probe);
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), readers_only ? 0 : -EBUSY);
        CHECK(has(at("source/b"), readers_only ? "three" : "older"));
        end_user(pid);
        request.in_use = RESTORE_IN_USE_REFUSE;
        probe = probe_with(request, &states);
        CHECK(probe.in_use == 0 && probe.code == 0);
        restore_probe_done(&probe);
        vss_error_clear(&error);
        check_nothing_left();
}

static void test_in_use(void) { /* R-60 g, R-61, R-62 */
        struct saved saved;

        three_files();
        load(&saved);
        in_use_by(&saved, O_RDONLY, false, true);
        in_use_by(&saved, O_RDWR, false, false);
        in_use_by(&saved, O_RDONLY, true, true);
        unload(&saved);
}

static void test_immutable(void) { /* R-60 d */
        struct restore_request request = { .in_use = RESTORE_IN_USE_REFUSE };
        struct restore_probe probe;
        struct states states;
        struct saved saved;
        int fd, flags = 0, set = FS_IMMUTABLE_FL;

        three_files();
        load(&saved);
        request.chain = &saved.chain;
        for (int i = 0; i < 2; i++) {
                fd = open(i == 0 ? at("source/b") : at("source/a"), O_RDONLY | O_CLOEXEC);
                CHECK_INT(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
                set |= flags;
                if (ioctl(fd, FS_IOC_SETFLAGS, &set) < 0) {
                        close(fd);
                        break; /* not root, or no such file system */
                }
                probe = probe_with(request, &states);
                CHECK_INT(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
                close(fd);
                CHECK_INT(probe.code, -EPERM);
                CHECK_INT(probe.blocked, 1);
                CHECK(strstr(probe.words, "chattr -i"));
                restore_probe_done(&probe);
        }
        unload(&saved);
}

/* ---- for later ---- */

struct staged_one {
        char staged[300], destination[300];
        bool is_directory, replaces;
};

struct staged_all {
        struct staged_one items[8];
        unsigned count;
        int refuse; /* at this one */
};

static int take_staged(void *userdata, const struct restore_staged *staged,
                       struct vss_error *reterr) {
        struct staged_all *all = userdata;
        struct staged_one *one = &all->items[all->count++];
        char folder[300];
        struct stat st;

        snprintf(one->staged, sizeof(one->staged), "%s", staged->staged);
        snprintf(one->destination, sizeof(one->destination), "%s", staged->destination);
        one->is_directory = staged->is_directory;
        one->replaces = staged->replaces;
        snprintf(folder, sizeof(folder), "%s", staged->destination);
        *strrchr(folder, '/') = '\0';
        CHECK_INT(stat(folder, &st), 0);
        CHECK(st.st_dev == staged->parent_device && st.st_ino == staged->parent_inode);
        CHECK(strncmp(staged->staged, folder, strlen(folder)) == 0);
        return (int)all->count == all->refuse ? vss_fail(reterr, -EDQUOT, "no more of these") : 0;
}

static void test_stage(void) { /* */
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct restore_request request;
        struct staged_all all = { .refuse = 2 };
        char one[300];
        struct told told = { 0 };
        struct saved saved;
        struct stat st;

        three_files();
        snprintf(one, sizeof(one), "%s", at("source/a/one"));
        put(at("source/a/one"), "older");
        CHECK_INT(chmod(at("source/a/one"), 0600), 0);
        CHECK_INT(remove_tree(AT_FDCWD, at("source/a/new")), 0);
        load(&saved);
        request = whole_of(&saved, &told);
        request.whole = false;
        CHECK_INT(restore_stage(store, &request, NULL, take_staged, &all, &summary, &error),
                  -EDQUOT);
        CHECK(!summary.changed && has(at("source/a/one"), "older"));
        check_nothing_left();
        all = (struct staged_all){ 0 };
        CHECK_INT(restore_stage(store, &request, NULL, take_staged, &all, &summary, &error), 0);
        CHECK_INT(all.count, 3);
        CHECK(has(at("source/a/one"), "older") && is_absent(at("source/a/new")));
        CHECK(is_absent(at("undo")) || rmdir(at("undo")) == 0);
        /* no restore cleans it away */
        request.paths = (const char *[]){ one };
        request.paths_count = 1;
        request.existing = RESTORE_KEEP;
        CHECK_INT(restore_run(store, &request, NULL, &summary, &error), 0);
        CHECK_INT(summary.kept, 1);
        request.paths = NULL;
        for (unsigned i = 0; i < all.count; i++) {
                CHECK(all.items[i].is_directory == (strstr(all.items[i].destination, "new") != 0));
                CHECK(all.items[i].replaces != all.items[i].is_directory);
                CHECK_INT(rename(all.items[i].staged, all.items[i].destination), 0);
        }
        CHECK(has(at("source/a/one"), "one") && has(at("source/a/new/deep/two"), "two"));
        CHECK_INT(stat(at("source/a/one"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0644);
        check_nothing_left();
        request.remove_gone = true;
        CHECK_INT(restore_stage(store, &request, NULL, take_staged, &all, &summary, &error),
                  E_INVALIDARG);
        vss_error_clear(&error);
        unload(&saved);
}

/* ---- elsewhere ---- */

static struct restore_summary direct(const struct saved *saved,
                                     const struct directed_target *targets, size_t count,
                                     int expected) {
        const struct restore_request request = { .chain = &saved->chain, .undo_dir = undo_dir };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;

        CHECK_INT(restore_directed(store, &request, targets, count, NULL, &summary, &error),
                  expected);
        vss_error_clear(&error);
        check_nothing_left();
        return summary;
}

static void test_directed(void) { /* */
        const struct byte_range from[] = { { 0, 2 }, { 4, 3 } }, to[] = { { 3, 2 }, { 0, 3 } };
        const struct byte_range all = { 0, 10 }, second = { 6, 2 };
        struct directed_target targets[4];
        struct saved saved;
        struct stat st;

        begin();
        put(at("source/a"), "0123456789");
        put(at("source/b"), "abcdefghij");
        CHECK_INT(chmod(at("source/b"), 0640), 0);
        save(VSS_BT_FULL);
        put(at("source/a"), "ABCDEFGHIJKLMNO");
        CHECK_INT(chmod(at("source/a"), 0604), 0);
        load(&saved);
        /* in place, from two sources, to a new folder, and a whole file */
        targets[0] = (struct directed_target){ strdup(at("source/a")), strdup(at("source/a")), from,
                                               to, 2 };
        targets[1] = (struct directed_target){ strdup(at("source/b")), targets[0].source, from,
                                               &second, 1 };
        targets[2] = (struct directed_target){ targets[1].source, strdup(at("to/new/copy")), &all,
                                               &all, 1 };
        targets[3] =
                (struct directed_target){ targets[0].source, strdup(at("to/other")), from, to, 1 };
        CHECK_INT(direct(&saved, targets, 4, 0).placed, 3);
        CHECK(has(at("source/a"), "45601FabIJKLMNO"));
        CHECK(has(at("to/new/copy"), "abcdefghij"));
        CHECK_INT(stat(at("source/a"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0604);
        CHECK_INT(stat(at("to/new/copy"), &st), 0);
        CHECK_INT(st.st_mode & 07777, 0640);
        CHECK_INT(stat(at("to/other"), &st), 0);
        CHECK_INT(st.st_size, 5);
        /* what comes later fails: nothing of it */
        put(at("source/a"), "mine");
        CHECK_INT(mkdir(at("to/way"), 0755), 0);
        free((void *)(uintptr_t)targets[3].destination);
        targets[3].destination = strdup(at("to/way"));
        CHECK(!direct(&saved, targets, 4, -EISDIR).changed);
        CHECK(has(at("source/a"), "mine"));
        targets[2].source = "/no/such/file";
        CHECK(!direct(&saved, targets, 3, VSS_E_OBJECT_NOT_FOUND).changed);
        targets[1].destination_ranges = to;
        CHECK(!direct(&saved, targets, 2, E_INVALIDARG).changed); /* overlap */
        targets[0].destination_ranges = &all;
        targets[0].ranges_count = 1;
        CHECK(!direct(&saved, targets, 1, E_INVALIDARG).changed); /* lengths */
        CHECK(has(at("source/a"), "mine"));
        for (unsigned i = 0; i < 2; i++)
                free((void *)(uintptr_t)targets[i].source);
        free((void *)(uintptr_t)targets[0].destination);
        for (unsigned i = 2; i < 4; i++)
                free((void *)(uintptr_t)targets[i].destination);
        unload(&saved);
}

/* where files cannot be cloned they are written into at the end: the second cannot be, because it
 * is open, and the first gets its old bytes back */
static void test_written_into_and_undone(void) { /* */
        const struct byte_range from = { 2, 5 }, to = { 1, 5 }, beyond = { 4, 5 };
        char a[300], b[300];
        const struct directed_target targets[] = { { a, a, &from, &beyond, 1 },
                                                   { b, b, &from, &to, 1 } };
        struct restore_request request = { .undo_dir = undo_dir, .in_use = RESTORE_IN_USE_REFUSE };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct saved saved;
        ino_t inode;
        pid_t pid;

        begin();
        snprintf(a, sizeof(a), "%s", at("source/a"));
        snprintf(b, sizeof(b), "%s", at("source/b"));
        put(a, "0123456789");
        put(b, "abcdefghij");
        save(VSS_BT_FULL);
        put(a, "ABCDEF");
        put(b, "GHIJKL");
        inode = inode_of(a);
        load(&saved);
        request.chain = &saved.chain;
        pid = user_of(b, O_RDONLY, false);
        CHECK_INT(restore_directed(store, &request, targets, 2, NULL, &summary, &error), -EBUSY);
        end_user(pid);
        CHECK(!summary.changed && has(a, "ABCDEF") && has(b, "GHIJKL"));
        CHECK_INT(inode_of(a), inode);
        vss_error_clear(&error);
        CHECK_INT(restore_directed(store, &request, targets, 2, NULL, &summary, &error), 0);
        CHECK(has(a, "ABCD23456") && has(b, "Gcdefg"));
        check_nothing_left();
        unload(&saved);
}

/* of a file that was stored in parts, exactly those may be directed */
static void test_directed_partial(void) {
        const struct byte_range stored = { 2, 3 }, other = { 2, 4 }, to = { 0, 3 },
                                to_four = { 0, 4 };
        char a[300], b[300];
        struct directed_target target = { a, b, &stored, &to, 1 };
        struct restore_request request = { .undo_dir = undo_dir, .image = 2 };
        struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary summary;
        struct saved saved;

        begin();
        snprintf(a, sizeof(a), "%s", at("source/a"));
        snprintf(b, sizeof(b), "%s", at("to/b"));
        put(a, "0123456789");
        save(VSS_BT_FULL);
        put(a, "ABCDEFGHIJ");
        save_ranges(a, &stored);
        load(&saved);
        request.chain = &saved.chain;
        target.source_ranges = &other;
        target.destination_ranges = &to_four;
        CHECK_INT(restore_directed(store, &request, &target, 1, NULL, &summary, &error),
                  E_INVALIDARG);
        CHECK(strstr(vss_error_message(&error), "other ranges") && is_absent(b));
        target.source_ranges = &stored;
        target.destination_ranges = &to;
        vss_error_clear(&error);
        CHECK_INT(restore_directed(store, &request, &target, 1, NULL, &summary, &error), 0);
        CHECK(has(b, "CDE"));
        check_nothing_left();
        unload(&saved);
}

int main(void) {
        scratch_folder(scratch);
        snprintf(undo_dir, sizeof(undo_dir), "%s", at("undo"));
        RUN(test_where);
        RUN(test_where_is_checked);
        RUN(test_untouched);
        RUN(test_records);
        RUN(test_beside_is_left_out);
        RUN(test_whole);
        RUN(test_whole_undone);
        RUN(test_whole_cancelled);
        RUN(test_same_place);
        RUN(test_probe);
        RUN(test_in_use);
        RUN(test_immutable);
        RUN(test_stage);
        RUN(test_directed);
        RUN(test_written_into_and_undone);
        RUN(test_directed_partial);
        store = store_close(store);
        return 0;
}
