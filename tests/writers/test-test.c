/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The test writer does what it is told: tests of the service stand on that.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "host.h"
#include "tests/check.h"

/* one component over data/, log and held file, and up to eight more settings */
static void start(struct host *host, const char *const *more) {
        const char *settings[64] = {
                "component a", "files",     scratch_path("data/* recursive"),
                "component a", "exclude",   scratch_path("data/*.tmp recursive"),
                "test",        "log",       scratch_path("log"),
                "test",        "held_file", scratch_path("held")
        };
        size_t n = 12;

        while (more && *more)
                settings[n++] = *more++;
        if (host_start(host, "test", settings) < 0)
                CHECK_FAIL_("%s", vss_error_message(&host->error));
        host->volumes[0] = scratch_path("data");
        host->devices[0] = scratch_path("copy");
        (void)unlink(scratch_path("log"));
}

static bool logged(const char *words) {
        char *text = read_file(scratch_path("log"));
        bool found = text && strstr(text, words);

        free(text);
        return found;
}

static bool is_held(void) {
        return exists(scratch_path("held"));
}

/* who was told what, when, and in which session */
static void test_log(void) {
        static const char *const events[] = { "PrepareBackup", "PrepareSnapshot", "Freeze",
                                              "Thaw",          "PostSnapshot",    "BackupComplete",
                                              "BackupShutdown" };
        static const char *const words[] = { "prepare_backup type=1 components=1",
                                             "prepare_snapshot volumes=1",
                                             "freeze",
                                             "thaw",
                                             "post_snapshot type=1 components=1",
                                             "backup_complete type=1 components=1",
                                             "backup_shutdown" };
        /* of the writer before the event (B-87..B-92) */
        static const int states[] = { VSS_WS_STABLE,
                                      0,
                                      0,
                                      0,
                                      VSS_WS_WAITING_FOR_POST_SNAPSHOT,
                                      VSS_WS_WAITING_FOR_BACKUP_COMPLETE,
                                      0 };
        char session[VSS_ID_TEXT_SIZE], *text, *line, *rest;
        struct host host;
        uint64_t last = 0;
        size_t n = 0;

        start(&host, NULL);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        (void)unlink(scratch_path("log"));
        for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
                CHECK_INT(host_event(&host, events[i]), 0);
                CHECK_INT(is_held(), strcmp(events[i], "Freeze") == 0);
        }
        (void)vss_id_format(&host.session, session);
        host_stop(&host);
        text = rest = read_file(scratch_path("log"));
        while ((line = strsep(&rest, "\n")) && *line) {
                char id[64], said[256];
                uint64_t us;

                CHECK_INT(sscanf(line, "%" SCNu64 " %63s %255[^\n]", &us, id, said), 3);
                CHECK(us >= last && us <= monotonic_us());
                CHECK_STR(id, session);
                last = us;
                if (strncmp(said, "succeeded", 9) == 0 || strncmp(said, "component", 9) == 0)
                        continue;
                CHECK(n < sizeof(words) / sizeof(*words));
                if (strncmp(said, words[n], strlen(words[n])) != 0)
                        CHECK_FAIL_("'%s' instead of '%s'", said, words[n]);
                if (strstr(said, "state="))
                        CHECK_INT(atoi(strstr(said, "state=") + 6), states[n]);
                n++;
        }
        CHECK_INT(n, sizeof(words) / sizeof(*words));
        free(text);
}

static void test_faults(void) {
        static const char *const fail[] = { "test", "fail", "freeze VSS_E_WRITERERROR_RETRYABLE 1",
                                            NULL };
        static const char *const soft[] = {
                "test", "fail", "prepare_snapshot VSS_E_WRITERERROR_PARTIAL_FAILURE soft", NULL
        };
        static const char *const delay[] = { "test", "delay", "thaw 200ms", NULL };
        static const char *const wrong[] = { "component a", "files", "/x/*",
                                             "test",        "fail",  "freezing VSS_E_BAD_STATE",
                                             NULL };
        uint64_t began;
        struct host host;

        start(&host, fail);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(host.result.fatal);
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK(!is_held());
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0); /* told: one time */
        CHECK_INT(host_event(&host, "Thaw"), 0);
        host_stop(&host);

        start(&host, soft);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(!host.result.fatal);
        host_stop(&host);

        start(&host, delay);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        began = monotonic_us();
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK(monotonic_us() - began >= 200000);
        host_stop(&host);

        CHECK(host_start(&host, "test", wrong) < 0);
        CHECK(strstr(host.error.message, "'fail' of section [test]"));
        CHECK(strstr(host.error.message, "prepare_snapshot"));
        vss_error_clear(&host.error);
}

/* dies with what it holds; a fresh one undoes it */
static void test_die(void) {
        static const char *const die[] = { "test", "die", "thaw", NULL };
        struct host host, fresh;
        struct wire_bytes token;

        start(&host, die);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(is_held());
        host_kill(&host);
        token = host.token;
        CHECK(is_held());
        start(&fresh, NULL);
        CHECK_INT(host_undo(&fresh, &token), 0);
        CHECK(logged(" undo"));
        CHECK(!is_held());
        host_stop(&fresh);
        free(token.data);
}

static void in_restore(struct host *host, const char *xml, size_t size) {
        struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                         .type = VSS_CT_FILEGROUP,
                                         .name = "a" };

        CHECK_INT(host_identify(host), 0);
        CHECK_INT(bcd_load(xml, size, NULL, &host->bcd, NULL), 0);
        /* a new life has a new instance, the document names the old one */
        vss_writer_components_get_writer_info(bcd_get_writer(host->bcd, 0), &host->instance, NULL);
        CHECK_INT(bcd_set_restore_state(host->bcd, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(bcd_set_selected_for_restore(host->bcd, &key, true, NULL, NULL), 0);
        CHECK_INT(host_event(host, "PreRestore"), 0);
        CHECK_INT(bcd_set_file_restore_status(host->bcd, &key, VSS_RS_ALL, NULL), 0);
}

/* checkIncludes, checkExcludes, deleteFiles: a requester that brings back something else, reads
 * the original, or restores what is excluded, is caught */
static void test_checks(void) {
        static const char *const checks[] = { "test", "check_includes", "yes",
                                              "test", "check_excludes", "yes",
                                              "test", "delete_files",   "yes",
                                              NULL };
        struct host host;
        size_t size;
        char *xml;

        CHECK_INT(mkdir(scratch_path("data/sub"), 0755), 0);
        write_file(scratch_path("data/one"), "first", 0644);
        write_file(scratch_path("data/sub/two \xff"), "second", 0644);
        write_file(scratch_path("data/x.tmp"), "temporary", 0644);
        start(&host, checks);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        {
                char *command;

                CHECK(asprintf(&command, "cp -a '%s' '%s'", scratch_path("data"),
                               scratch_path("copy")) > 0);
                CHECK_INT(system(command), 0);
                free(command);
        }
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        CHECK(!exists(scratch_path("data/one")));
        CHECK(!exists(scratch_path("data/sub/two \xff")));
        CHECK(exists(scratch_path("data/x.tmp")));
        CHECK_INT(bcd_save(host.bcd, &xml, &size, NULL), 0);
        host_stop(&host);

        (void)unlink(scratch_path("data/x.tmp"));
        write_file(scratch_path("data/one"), "first", 0644);
        write_file(scratch_path("data/sub/two \xff"), "second", 0644);
        start(&host, checks);
        in_restore(&host, xml, size);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        CHECK(logged("check restored good=2 bad=0"));
        write_file(scratch_path("data/one"), "changed", 0644);
        write_file(scratch_path("data/x.tmp"), "temporary", 0644);
        (void)unlink(scratch_path("data/sub/two \xff"));
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(logged("check different"));
        CHECK(logged("check missing"));
        CHECK(logged("check excluded"));
        host_stop(&host);
        free(xml);
}

static void whole_backup(struct host *host) {
        static const char *const events[] = { "PrepareSnapshot", "Freeze", "Thaw", "PostSnapshot" };

        CHECK_INT(host_event(host, "PrepareBackup"), 0);
        for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
                CHECK_INT(host_event(host, events[i]), 0);
}

static void start_data(struct host *host) {
        const char *settings[] = { "test",
                                   "schema",
                                   "incremental,timestamped",
                                   "component a",
                                   "data",
                                   scratch_path("data/made size=64K"
                                                " by=partial"),
                                   NULL };

        start(host, settings);
}

static void first_generation(char stamp[64], char **ret_xml, size_t *ret_size) {
        struct vss_component *a;
        struct host host;

        start_data(&host);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        whole_backup(&host);
        a = host_component(&host, "a");
        (void)snprintf(stamp, 64, "%s", vss_component_get_backup_stamp(a));
        CHECK(strncmp(stamp, "generation:1:", 13) == 0);
        CHECK_STR(vss_component_get_backup_metadata(a), "generation 1\n");
        CHECK_INT(vss_component_get_partial_file_count(a), 0);
        CHECK_INT(bcd_save(host.bcd, ret_xml, ret_size, NULL), 0);
        host_stop(&host);
}

/* the thaw has gone on to 2; each PrepareBackup too: the first block is always changed */
static void changed_blocks(const char *stamp) {
        struct vss_component_key key = { .type = VSS_CT_FILEGROUP, .name = "a" };
        const char *path, *name, *ranges, *metadata;
        struct vss_component *a;
        struct host host;

        start_data(&host);
        host.backup_type = VSS_BT_INCREMENTAL;
        host.partial_files = true;
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        CHECK_INT(host_event(&host, "PrepareBackup"), VSS_E_WRITERERROR_NONRETRYABLE);
        key.writer_id = host.identity.writer_id;
        CHECK_INT(bcd_set_previous_backup_stamp(host.bcd, &key, stamp, NULL), 0);
        whole_backup(&host);
        a = host_component(&host, "a");
        CHECK(strncmp(vss_component_get_backup_stamp(a), "generation:4:", 13) == 0);
        CHECK_INT(vss_component_get_partial_file(a, 0, &path, &name, &ranges, &metadata), 0);
        CHECK_STR(name, "made");
        CHECK(strncmp(ranges, "0:4096,", 7) == 0);
        host_stop(&host);
}

/* what stands there now is of a later generation than the first backup holds; begun anew, it is
 * good; with one wrong byte it is not */
static void judged(const char *xml, size_t size) {
        struct host host;
        int fd;

        start_data(&host);
        in_restore(&host, xml, size);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(logged("check data different"));
        host_stop(&host);

        (void)unlink(scratch_path("data/made"));
        start_data(&host);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        host_stop(&host);
        start_data(&host);
        in_restore(&host, xml, size);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        CHECK(logged("check data good"));
        fd = open(scratch_path("data/made"), O_WRONLY | O_CLOEXEC);
        CHECK(fd >= 0 && pwrite(fd, "x", 1, 40000) == 1);
        close(fd);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(logged("block=9"));
        host_stop(&host);
}

/* the data that it makes: stamps name a generation, increments the blocks since then, a base of
 * which nothing is known is refused (I-159), and one wrong byte is seen */
static void test_data(void) {
        char stamp[64], *xml;
        size_t size;

        first_generation(stamp, &xml, &size);
        changed_blocks(stamp);
        judged(xml, size);
        free(xml);
}

/* ---- what a restore has put elsewhere is looked for there ---- */

static void move(const char *from, const char *to) {
        CHECK_INT(rename(scratch_path("%s", from), scratch_path("%s", to)), 0);
}

/* a document of a backup that shows generation 1, and data/made as it was then */
static void generation_one(char **ret_xml, size_t *ret_size) {
        char stamp[64];
        struct host host;

        (void)unlink(scratch_path("data/made"));
        first_generation(stamp, ret_xml, ret_size);
        (void)unlink(scratch_path("data/made"));
        start_data(&host);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "a");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        host_stop(&host);
}

static void start_elsewhere(struct host *host, const char *xml, size_t size, const char *schema) {
        const char *settings[] = {
                "test",        "schema",         schema,
                "component a", "data",           scratch_path("data/made size=64K by=partial"),
                "component a", "message",        "pre_restore going down",
                "component a", "message",        "post_restore up again",
                "component a", "restore_target", "alternate post_restore",
                NULL
        };

        start(host, settings);
        in_restore(host, xml, size);
}

/* by a new target, by a mapping */
static void test_elsewhere(void) {
        const struct vss_file_set from = { .path = scratch_path("data"),
                                           .filespec = "*",
                                           .recursive = true };
        struct vss_component_key key = { .type = VSS_CT_FILEGROUP, .name = "a" };
        struct host host;
        size_t size;
        char *xml;

        generation_one(&xml, &size);
        CHECK_INT(mkdir(scratch_path("new"), 0755), 0);
        move("data/made", "new/made");
        start_elsewhere(&host, xml, size, "incremental,timestamped,new_target");
        key.writer_id = host.identity.writer_id;
        CHECK_INT(bcd_add_alternative_location_mapping(host.bcd, &key, &from, scratch_path("new"),
                                                       NULL, NULL),
                  0);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        CHECK(logged("used_mapping a"));
        CHECK(logged(scratch_path("new/made generation=1")));
        CHECK(logged("target refused VSS_E_BAD_STATE")); /* */
        CHECK_STR(vss_component_get_pre_restore_failure_msg(host_component(&host, "a")),
                  "going down");
        CHECK_STR(vss_component_get_post_restore_failure_msg(host_component(&host, "a")),
                  "up again");
        host_stop(&host);

        start_elsewhere(&host, xml, size, "incremental,timestamped,new_target");
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(logged("check data missing")); /* nobody said that it lies elsewhere */
        host_stop(&host);
        move("new/made", "data/made");
        free(xml);
}

static void copy_range(const char *from, off_t at, const char *to, off_t to_at, size_t length) {
        char *bytes = malloc(length);
        int in = open(scratch_path("%s", from), O_RDONLY | O_CLOEXEC),
            out = open(scratch_path("%s", to), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        CHECK(bytes && in >= 0 && out >= 0);
        CHECK_INT(pread(in, bytes, length, at), (ssize_t)length);
        CHECK_INT(pwrite(out, bytes, length, to_at), (ssize_t)length);
        close(in);
        close(out);
        free(bytes);
}

/* its ranges are put together from where they were directed to */
static void test_directed(void) {
        char first[512], second[512];
        const char *settings[] = {
                "test",        "schema",         "incremental,timestamped",
                "component a", "data",           scratch_path("data/made size=64K by=partial"),
                "component a", "directed",       first,
                "component a", "directed",       second,
                "component a", "restore_target", "directed",
                NULL
        };
        struct host host;
        size_t size;
        char *xml;

        (void)snprintf(first, sizeof(first), "%s 0:4096,60000:100 %s 100:4096,9000:100",
                       scratch_path("data/made"), scratch_path("x"));
        (void)snprintf(second, sizeof(second), "%s 8192:8192 %s 0:8192", scratch_path("data/made"),
                       scratch_path("y"));
        generation_one(&xml, &size);
        copy_range("data/made", 0, "x", 100, 4096);
        copy_range("data/made", 60000, "x", 9000, 100);
        copy_range("data/made", 8192, "y", 0, 8192);
        (void)unlink(scratch_path("data/made"));
        start(&host, settings);
        in_restore(&host, xml, size);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        CHECK(logged("check data good"));
        CHECK(logged(" 8192:8192 to "));
        copy_range("y", 0, "y", 4096, 10);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(logged("block=3"));
        host_stop(&host);
        free(xml);
}

/* settings that make no sense are refused in words */
static void test_settings(void) {
        static const char *const wrong[][2] = {
                { "data", "/x/y size=0" },
                { "data", "x" },
                { "data", "/x/y by=magic" },
                { "partial", "/x/y" },
                { "differenced", "/x/* since=now" },
                { "differenced", "/x/* types=often" },
                { "fail", "VSS_E_BAD_STATE thaw" },
                { "directed", "/x/y 0:5 /z" },
                { "restore_target", "here" },
                { "type", "table" },
                { "message", "freeze too early" },
                { "message", "pre_restore" },
                { "restore_target", "original freeze" },
        };
        struct host host;

        for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
                const char *settings[] = { "component a", "files",     "/x/*", "component a",
                                           wrong[i][0],   wrong[i][1], NULL };

                CHECK(host_start(&host, "test", settings) < 0);
                if (!strstr(host.error.message, wrong[i][0]))
                        CHECK_FAIL_("%s: %s", wrong[i][1], host.error.message);
                vss_error_clear(&host.error);
        }
}

int main(int argc, char **argv) {
        CHECK_INT(mkdir(scratch_path("data"), 0755), 0);
        RUN(test_log);
        RUN(test_faults);
        RUN(test_die);
        RUN(test_checks);
        RUN(test_data);
        RUN(test_elsewhere);
        RUN(test_directed);
        RUN(test_settings);
        return 0;
}
