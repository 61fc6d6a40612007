/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files writer: what its settings declare and what they refuse, and that whatever its freeze
 * program began is undone, whoever dies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/file.h"
#include "host.h"
#include "tests/check.h"

static void start(struct host *host, const char *const *settings) {
        if (host_start(host, "files", settings) < 0)
                CHECK_FAIL_("%s", vss_error_message(&host->error));
        host->volumes[0] = scratch_path("data");
        host->devices[0] = scratch_path("copy");
}

static void refuse_all(const char *const *settings, const char *words) {
        struct host host;

        if (host_start(&host, "files", settings) >= 0)
                CHECK_FAIL_("taken, but should say '%s'", words);
        if (!host.error.message || !strstr(host.error.message, words))
                CHECK_FAIL_("'%s' does not say '%s'", host.error.message, words);
        vss_error_clear(&host.error);
}

static void refuse(const char *section, const char *key, const char *value, const char *words) {
        const char *const settings[] = { section, key, value, NULL };

        refuse_all(settings, words);
}

/* M-39, M-40, I-92, SEC-60: every mistake names section, key and what to write */
static void test_refused(void) {
        refuse("component a", "files", "srv/x", "not absolute");
        refuse("component a", "files", "srv/x", "'files' of section [component a]");
        refuse("component a", "files", "/srv/", "'/srv/*' for all files");
        refuse("component a", "files", "/srv/*/x", "last element only");
        refuse("component a", "files", "/srv/../x", "'..'");
        refuse("component a", "files", "/srv//x", "empty");
        refuse("component a", "files", "", "empty");
        refuse("component a", "files", "\"/srv/x", "quote");
        refuse("component a", "files", "/srv/my file", "quotes");
        refuse("component a", "files", "/srv/x alternate=rel", "alternate=rel");
        refuse("component a", "files", "/srv/x backup=ful", "known are full");
        refuse("component a", "files", "/srv/x mask=0x20000", "mask=0x20000");
        refuse("component a", "files", "/srv/x backup=none", "no backup would ever");
        refuse("component a", "file", "/srv/x", "unknown");
        refuse("component a", "exclude", "/srv/x backup=full", "unknown word");
        refuse("component a", "selectable", "2", "yes nor no");
        refuse("component a", "depends", "somebody", "other writer's id");
        refuse("component a\\b", "files", "/srv/x", "logical_path");
        refuse("component", "files", "/srv/x", "[component NAME]");
        refuse("componet a", "files", "/srv/x", "section is unknown");
        refuse("restore", "method", "copy", "no restore method");
        refuse("restore", "mapping", "/srv/x", "to=");
        refuse("identity", "level", "low", "front_end|back_end|system");
        refuse("hooks", "timeout", "soon", "duration");
        refuse("hooks", "freeze", "/bin/true", "nothing is declared");
}

static void overlap(bool expected, const char *a, const char *b) {
        const char *const settings[] = {
                "component a", "files", a, "component b", "files", b, NULL
        };
        struct host host;

        if (expected) {
                refuse_all(settings, "every file belongs to one set only");
                return;
        }
        start(&host, settings);
        host_stop(&host);
}

/* M-45, W-2: two sets that could name one file, by their patterns alone */
static void test_overlap(void) {
        overlap(true, "/srv/a/*", "/srv/a/*");
        overlap(true, "/srv/a/*", "/srv/a/x.log");
        overlap(true, "/srv/a/* recursive", "/srv/a/b/c/x.log");
        overlap(true, "/srv/a/x*y", "/srv/a/*yx?y");
        overlap(true, "/srv/a/*.*", "/srv/a/README"); /* M-48: *.* is * */
        overlap(true, "/srv/a/?.db", "/srv/a/\xc3\xa4.db"); /* one character, two bytes */
        overlap(true, "/* recursive", "/srv/a/b");
        overlap(false, "/srv/a/*", "/srv/a/b/*");
        overlap(false, "/srv/a/* recursive", "/srv/ab/*");
        overlap(false, "/srv/a/*.db", "/srv/a/*.log");
        overlap(false, "/srv/a/x?y", "/srv/a/xy");
        overlap(false, "/srv/a/[ab]", "/srv/a/a"); /* M-48: a bracket is a bracket */
        overlap(false, "/srv/a/*.log recursive", "/srv/a/b/*.db recursive");
}

static void expect_set(const struct vss_wm_filedesc *file, const char *path, const char *filespec,
                       bool recursive, uint32_t mask) {
        CHECK_STR(vss_wm_filedesc_get_path(file), path);
        CHECK_STR(vss_wm_filedesc_get_filespec(file), filespec);
        CHECK_INT(vss_wm_filedesc_get_recursive(file), recursive);
        CHECK_INT(vss_wm_filedesc_get_backup_type_mask(file), mask);
}

static const char other[] = "01234567-89ab-cdef-0123-456789abcdef";

/* clang-format off: three by three */
static const char *const everything[] = {
        "component web",
        "files",
        "/srv/web/* recursive",
        "component web",
        "files",
        "\"/srv/my \\\"odd\\\" \\xff/*\" backup=full,log snapshot=none",
        "component web",
        "exclude",
        "/srv/web/*.tmp recursive",
        "component web",
        "caption",
        "The web",
        "component logs",
        "files",
        "/srv/logs/*.log mask=0x10101 alternate=/var/spit",
        "component logs",
        "logical_path",
        "\\web\\deep\\",
        "component logs",
        "selectable",
        "no",
        "component logs",
        "selectable_for_restore",
        "no",
        "component logs",
        "depends",
        "01234567-89ab-cdef-0123-456789abcdef db\\one two",
        "restore",
        "method",
        "stop_restore_start",
        "restore",
        "service",
        "web.service",
        "restore",
        "reboot",
        "yes",
        "restore",
        "mapping",
        "/srv/web/* recursive to=/srv/other",
        "identity",
        "usage",
        "service",
        "identity",
        "level",
        "back_end",
        "identity",
        "window",
        "20s",
        NULL
};
/* clang-format on */

static void check_dependency(const struct vss_wm_dependency *dependency) {
        struct vss_id on = vss_wm_dependency_get_writer_id(dependency), id;

        CHECK_INT(vss_id_parse(other, &id), 0);
        CHECK(vss_id_equal(&on, &id));
        CHECK_STR(vss_wm_dependency_get_logical_path(dependency), "db");
        CHECK_STR(vss_wm_dependency_get_component_name(dependency), "one two");
}

static void check_components(const struct vss_examine_writer_metadata *metadata) {
        const struct vss_wm_component *component =
                vss_examine_writer_metadata_get_component(metadata, 0);
        struct vss_component_info info;

        vss_wm_component_get_component_info(component, &info);
        CHECK_STR(info.name, "web");
        CHECK_STR(info.caption, "The web");
        CHECK_INT(info.type, VSS_CT_FILEGROUP);
        CHECK(info.selectable && info.selectable_for_restore);
        expect_set(vss_wm_component_get_file(component, 0), "/srv/web", "*", true, 0x0f0f);
        expect_set(vss_wm_component_get_file(component, 1), "/srv/my \"odd\" \xff", "*", false,
                   0x9);
        component = vss_examine_writer_metadata_get_component(metadata, 1);
        vss_wm_component_get_component_info(component, &info);
        CHECK_STR(info.logical_path, "web\\deep");
        CHECK(!info.selectable && !info.selectable_for_restore);
        expect_set(vss_wm_component_get_file(component, 0), "/srv/logs", "*.log", false, 0x10101);
        CHECK_STR(vss_wm_filedesc_get_alternate_location(vss_wm_component_get_file(component, 0)),
                  "/var/spit");
        check_dependency(vss_wm_component_get_dependency(component, 0));
}

/* D-8 to D-41: everything that can be said arrives in the document */
static void test_identify(void) {
        struct vss_restore_method method;
        struct host host;

        start(&host, everything);
        CHECK_INT(host.identity.usage, VSS_UT_SYSTEMSERVICE);
        CHECK_INT(host.identity.level, VSS_APP_BACK_END);
        CHECK_INT(host.identity.freeze_timeout_ms, 20000);
        CHECK_INT(host_identify(&host), 0);
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(host.metadata),
                  VSS_BS_COPY | VSS_BS_WRITER_SUPPORTS_NEW_TARGET |
                          VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE);
        check_components(host.metadata);
        CHECK_STR(vss_wm_filedesc_get_filespec(
                          vss_examine_writer_metadata_get_exclude_file(host.metadata, 0)),
                  "*.tmp");
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(host.metadata, &method), 0);
        CHECK_INT(method.method, VSS_RME_STOP_RESTORE_START);
        CHECK_STR(method.service, "web.service");
        CHECK(method.reboot_required);
        CHECK_INT(method.writer_restore, VSS_WRE_NEVER);
        CHECK_STR(vss_wm_filedesc_get_alternate_location(
                          vss_examine_writer_metadata_get_alternate_location_mapping(host.metadata,
                                                                                     0)),
                  "/srv/other");
        host_stop(&host);
}

/* S-57, W-10, W-11, B-155: excluded from copies is excluded from backups, and the copy must be
 * writable; M-37: what is no part of the system state says so */
static void test_purged(void) {
        static const char *const settings[] = { "component app",
                                                "files",
                                                "/srv/app/* recursive",
                                                "component app",
                                                "exclude_from_snapshot",
                                                "/srv/app/*.idx recursive",
                                                "component local",
                                                "files",
                                                "/srv/local/*",
                                                "component local",
                                                "not_system_state",
                                                "yes",
                                                NULL };
        static const char *const foreign[] = {
                "component app",         "files",        "/srv/app/*", "component app",
                "exclude_from_snapshot", "/srv/b/*.idx", NULL
        };
        static const uint32_t flags[] = { VSS_CF_BACKUP_RECOVERY, VSS_CF_NOT_SYSTEM_STATE };
        const struct vss_wm_filedesc *file;
        struct host host;

        refuse_all(foreign, "names no file of any component");
        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        CHECK(host.result.autorecover);
        CHECK_INT(vss_examine_writer_metadata_get_exclude_from_snapshot_count(host.metadata), 1);
        file = vss_examine_writer_metadata_get_exclude_from_snapshot_file(host.metadata, 0);
        expect_set(file, "/srv/app", "*.idx", true, vss_wm_filedesc_get_backup_type_mask(file));
        file = vss_examine_writer_metadata_get_exclude_file(host.metadata, 0);
        expect_set(file, "/srv/app", "*.idx", true, vss_wm_filedesc_get_backup_type_mask(file));
        for (size_t i = 0; i < 2; i++) {
                struct vss_component_info info;

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(host.metadata, i), &info);
                CHECK_INT(info.flags, flags[i]);
        }
        host_stop(&host);
}

/* W-7: none of the volumes: success; some: INCONSISTENTSNAPSHOT; only what is chosen counts */
static void test_affected(void) {
        const char *const settings[] = { "component in",
                                         "files",
                                         scratch_path("data/*"),
                                         "component out",
                                         "files",
                                         scratch_path("elsewhere/*"),
                                         NULL };
        struct host host;

        start(&host, settings);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT);
        CHECK(strstr(host.result.message, "elsewhere"));
        host_stop(&host);
        start(&host, settings);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "in");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        host_stop(&host);
        start(&host, settings);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "out");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        host_stop(&host);
}

/* I-55, I-95, I-103: increments are offered only when told, by the requester's own records */
static void test_incremental(void) {
        const char *const settings[] = { "component top",
                                         "files",
                                         scratch_path("data/*"),
                                         "component below",
                                         "files",
                                         scratch_path("data/sub/* recursive"),
                                         "component below",
                                         "logical_path",
                                         "top",
                                         "component below",
                                         "selectable",
                                         "no",
                                         "backup",
                                         "incremental",
                                         "yes",
                                         NULL };
        struct vss_component *component;
        const char *path, *filespec;
        vss_timestamp_t since;
        struct host host;
        bool recursive;

        start(&host, settings);
        host.backup_type = VSS_BT_INCREMENTAL;
        host_select(&host, VSS_CT_FILEGROUP, NULL, "top");
        CHECK_INT(vss_examine_writer_metadata_get_backup_schema(host.metadata),
                  VSS_BS_COPY | VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL | VSS_BS_LAST_MODIFY |
                          VSS_BS_WRITER_SUPPORTS_NEW_TARGET |
                          VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        component = host_component(&host, "top");
        CHECK_INT(vss_component_get_differenced_files_count(component), 2);
        CHECK_INT(vss_component_get_differenced_file(component, 1, &path, &filespec, &recursive,
                                                     &since),
                  0);
        CHECK_STR(path, scratch_path("data/sub"));
        CHECK(recursive && since == 0);
        host_stop(&host);
        start(&host, settings);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "top");
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(vss_component_get_differenced_files_count(host_component(&host, "top")), 0);
        host_stop(&host);
}

/* ---- hooks ---- */

/* An application that is held is a file "held"; what happens is written to "log". */
static void write_hooks(const char *freeze_body) {
        char *text;

        CHECK(asprintf(&text,
                       "#!/bin/bash\ncd '%s'\necho \"freeze $VSS_EVENT $# $(env | wc -l)\" "
                       ">>log\n: >held\n%s\n",
                       scratch(), freeze_body) > 0);
        write_file(scratch_path("freeze"), text, 0755);
        free(text);
        CHECK(asprintf(&text, "#!/bin/bash\ncd '%s'\necho \"thaw $VSS_SET_ID\" >>log\nrm -f held\n",
                       scratch()) > 0);
        write_file(scratch_path("thaw"), text, 0755);
        free(text);
        (void)unlink(scratch_path("log"));
        (void)unlink(scratch_path("held"));
}

static bool is_held(void) {
        return exists(scratch_path("held"));
}

static unsigned logged(const char *word) {
        char *text = read_file(scratch_path("log")), *at = text;
        unsigned count = 0;

        while (at && (at = strstr(at, word))) {
                count++;
                at++;
        }
        free(text);
        return count;
}

static void start_hooked(struct host *host, const char *timeout) {
        const char *const settings[] = { "component a", "files",   scratch_path("data/*"),
                                         "hooks",       "freeze",  scratch_path("freeze"),
                                         "hooks",       "thaw",    scratch_path("thaw"),
                                         "hooks",       "timeout", timeout,
                                         NULL };

        start(host, settings);
        CHECK_INT(host_event(host, "PrepareBackup"), 0);
        CHECK_INT(host_event(host, "PrepareSnapshot"), 0);
        CHECK(host->token.size > 0); /* before the freeze program starts */
        CHECK(!is_held());
}

static void test_hooks(void) {
        char set[VSS_ID_TEXT_SIZE];
        struct host host;

        write_hooks("");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(is_held());
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK(!is_held());
        CHECK_INT(host_event(&host, "PostSnapshot"), 0);
        CHECK_INT(host_event(&host, "BackupShutdown"), 0);
        CHECK_INT(logged("thaw"), 1); /* once, not again at shutdown */
        CHECK_INT(logged(vss_id_format(&host.set, set)), 1);
        /* no arguments; VSS_EVENT, VSS_SET_ID, PATH, LC_ALL and what bash adds: PWD SHLVL OLDPWD _
         */
        CHECK(logged("freeze freeze 0 8\n") + logged("freeze freeze 0 7\n") == 1);
        free(host.token.data);
        host.token = (struct wire_bytes){ NULL, 0 };
        host_stop(&host);
}

/* no volume of ours in the set: no hook runs */
static void test_hooks_not_affected(void) {
        const char *const settings[] = { "component a", "files",  scratch_path("elsewhere/*"),
                                         "hooks",       "freeze", scratch_path("freeze"),
                                         "hooks",       "thaw",   scratch_path("thaw"),
                                         NULL };
        struct host host;

        write_hooks("");
        start(&host, settings);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host.token.size, 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK_INT(logged("e"), 0);
        host_stop(&host);
}

/* B-68: "/" in the set is not everything below it: another file system is another volume */
static void test_mount_below(void) {
        const char *const settings[] = { "component a", "files",  "/proc/sys/*",
                                         "hooks",       "freeze", scratch_path("freeze"),
                                         "hooks",       "thaw",   scratch_path("thaw"),
                                         NULL };
        static char root[] = "/", proc[] = "/proc";
        struct host host;

        write_hooks("");
        for (int i = 0; i < 2; i++) {
                start(&host, settings);
                host.volumes[0] = i ? proc : root;
                CHECK_INT(host_event(&host, "PrepareBackup"), 0);
                CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
                CHECK_INT(host.token.size > 0, i);
                host_stop(&host);
        }
}

/* B-44, B-136: abort thaws, also twice; so does the end of the connection */
static void test_hooks_abort(void) {
        struct host host;

        write_hooks("");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK(!is_held());
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK_INT(logged("thaw"), 1);
        host_stop(&host);

        write_hooks("");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(is_held());
        host_stop(&host);
        CHECK(!is_held());
}

/* B-47, W-6: nobody says anything any more, the connection stands: the window closes by itself */
static void test_hooks_window(void) {
        const char *const settings[] = { "component a", "files",   scratch_path("data/*"),
                                         "hooks",       "freeze",  scratch_path("freeze"),
                                         "hooks",       "thaw",    scratch_path("thaw"),
                                         "hooks",       "timeout", "500ms",
                                         "identity",    "window",  "1500ms",
                                         NULL };
        struct host host;

        write_hooks("");
        start(&host, settings);
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(is_held());
        for (int i = 0; i < 400 && is_held(); i++)
                usleep(10000);
        CHECK(!is_held());
        CHECK_INT(host_event(&host, "Thaw"), VSS_E_WRITERERROR_TIMEOUT);
        CHECK_INT(logged("thaw"), 1);
        host_stop(&host);
}

/* B-83: exit code and words reach the requester; what had begun is undone at once */
static void test_hooks_fail(void) {
        struct host host;

        write_hooks("echo 'the database \xff says no' >&2; exit 7");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(host.result.fatal);
        CHECK(strstr(host.result.message, "exit code 7"));
        CHECK(strstr(host.result.message, "the database ? says no"));
        CHECK(strstr(host.result.message, scratch_path("freeze")));
        CHECK(!is_held());
        CHECK_INT(logged("thaw"), 1);
        host_stop(&host);

        write_hooks("kill -SEGV $$");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(strstr(host.result.message, "signal 11"));
        CHECK(!is_held());
        host_stop(&host);

        /* much output neither blocks it nor ends it */
        write_hooks("head -c 1000000 /dev/zero | tr '\\0' x; exit 3");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(strstr(host.result.message, "exit code 3"));
        CHECK(strlen(host.result.message) < 2000);
        host_stop(&host);
}

/* "sleep" of the hook that hangs, found by its odd number of seconds, which no other run has */
static const char *sleeper(void) {
        static char text[32];

        snprintf(text, sizeof(text), "sleep 7531.%d", getpid());
        return text;
}

static bool sleeper_lives(void) {
        char command[64];

        snprintf(command, sizeof(command), "pgrep -f '^%s$' >/dev/null", sleeper());
        return system(command) == 0;
}

/* what was just forked bears the shell's name until it runs */
static bool sleeper_comes(void) {
        for (int i = 0; i < 200 && !sleeper_lives(); i++)
                usleep(10000);
        return sleeper_lives();
}

/* a killed process takes its moment to go */
static bool sleeper_goes(void) {
        for (int i = 0; i < 200 && sleeper_lives(); i++)
                usleep(10000);
        return !sleeper_lives();
}

/* W-6: killed at its deadline with all its children, and undone */
static void test_hooks_hang(void) {
        struct host host;
        char hang[96];
        uint64_t began;

        snprintf(hang, sizeof(hang), "%s & %s", sleeper(), sleeper());
        write_hooks(hang);
        start_hooked(&host, "300ms");
        began = monotonic_us();
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_RETRYABLE);
        CHECK(monotonic_us() - began < 3000000);
        CHECK(strstr(host.result.message, "300 ms"));
        CHECK(!is_held());
        CHECK(sleeper_goes());
        host_stop(&host);
}

/* a thaw program that fails is tried again by abort, and its words are told */
static void test_thaw_fails(void) {
        char *text;
        struct host host;

        write_hooks("");
        CHECK(asprintf(&text,
                       "#!/bin/bash\ncd '%s'\necho thaw >>log\ntest -e second || { : >second; "
                       "echo not yet; exit 4; }\nrm -f held\n",
                       scratch()) > 0);
        write_file(scratch_path("thaw"), text, 0755);
        free(text);
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK_INT(host_event(&host, "Thaw"), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK(strstr(host.result.message, "exit code 4: not yet"));
        CHECK_INT(host_event(&host, "Abort"), 0);
        CHECK(!is_held());
        CHECK_INT(logged("thaw"), 2);
        host_stop(&host);
        (void)unlink(scratch_path("second"));
}

static void undo_in_fresh_process(struct host *dead) {
        const char *const settings[] = { "component a", "files", "/srv/other/*", NULL };
        struct host fresh;

        start(&fresh, settings); /* settings may have changed: the token has all */
        CHECK_INT(host_undo(&fresh, &dead->token), 0);
        host_stop(&fresh);
        free(dead->token.data);
        dead->token = (struct wire_bytes){ NULL, 0 };
}

/* The writer dies while it is frozen: a fresh process thaws. */
static void test_killed_while_frozen(void) {
        struct host host;

        write_hooks("");
        start_hooked(&host, "5s");
        CHECK_INT(host_event(&host, "Freeze"), 0);
        host_kill(&host);
        CHECK(is_held());
        undo_in_fresh_process(&host);
        CHECK(!is_held());
        CHECK_INT(logged("thaw"), 1);
}

/* The writer dies while its freeze program runs: that is killed with its children, and only then
 * the thaw program runs, so nothing holds again afterwards. */
static void test_killed_while_freezing(void) {
        struct host host;
        struct wire_bytes token;
        char hang[96];

        snprintf(hang, sizeof(hang), "(while :; do : >held; sleep 0.01; done) & %s", sleeper());
        write_hooks(hang);
        start_hooked(&host, "5s");
        fflush(stdout);
        token = host.token;
        host.token = (struct wire_bytes){ NULL, 0 };
        host_kill_later(host.pid, 200000);
        {
                /* the call breaks when the writer is gone */
                _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
                _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                struct wire_info info = { .set_id = host.set };

                CHECK(sd_bus_message_new_method_call(host.bus, &m, NULL, "/org/vss1/writer",
                                                     "org.vss1.Writer", "Freeze") >= 0);
                CHECK(wire_append_id(m, &host.session) >= 0);
                CHECK(sd_bus_message_append(m, "ah", 0) >= 0);
                info.volumes = host.volumes;
                CHECK(wire_append(m, &wire_info, &info) >= 0);
                CHECK(sd_bus_call(host.bus, m, UINT64_MAX, &error, &reply) < 0);
        }
        host_kill(&host); /* reap */
        host.token = token;
        undo_in_fresh_process(&host);
        CHECK(!is_held());
        CHECK(sleeper_goes());
        usleep(100000);
        CHECK(!is_held());
}

/* SEC-60: what may not be run is refused before anything is held, and again when it changes */
static void test_programs_refused(void) {
        const char *const settings[] = { "component a", "files",  scratch_path("data/*"),
                                         "hooks",       "freeze", scratch_path("freeze"),
                                         "hooks",       "thaw",   scratch_path("thaw"),
                                         NULL };
        const char *const one[] = { "component a", "files",     "/srv/x", "hooks",
                                    "freeze",      "/bin/true", NULL };
        const char *const slow[] = { "component a", "files", "/srv/x", "hooks",     "freeze",
                                     "/bin/true",   "hooks", "thaw",   "/bin/true", "hooks",
                                     "timeout",     "30s",   NULL };
        struct host host;

        write_hooks("");
        CHECK_INT(chmod(scratch_path("freeze"), 0775), 0);
        refuse_all(settings, "writable by its owner only");
        CHECK_INT(chmod(scratch_path("freeze"), 0644), 0);
        refuse_all(settings, "not executable");
        CHECK_INT(unlink(scratch_path("freeze")), 0);
        refuse_all(settings, "cannot open");
        CHECK_INT(mkdir(scratch_path("freeze"), 0755), 0);
        refuse_all(settings, "no regular file");
        CHECK_INT(rmdir(scratch_path("freeze")), 0);
        refuse_all(one, "name both");
        refuse_all(slow, "third of the window");
        if (geteuid() == 0) {
                write_hooks("");
                CHECK_INT(chown(scratch_path("thaw"), 1, 1), 0);
                refuse_all(settings, "belong to root");
        }
        write_hooks("");
        (void)unlink(scratch_path("thaw"));
        write_file(scratch_path("thaw"), "#!/bin/sh\n", 0755);
        start_hooked(&host, "5s");
        CHECK_INT(chmod(scratch_path("freeze"), 0777), 0);
        CHECK_INT(host_event(&host, "Freeze"), VSS_E_WRITERERROR_NONRETRYABLE);
        CHECK_INT(logged("freeze"), 0);
        host_stop(&host);
}

/* something that the freeze program leaves running lives until thaw, and does not delay anything */
static void test_background_holder(void) {
        struct host host;
        uint64_t began;
        char *text, hang[64];

        snprintf(hang, sizeof(hang), "%s & echo $! >pid", sleeper());
        write_hooks(hang);
        CHECK(asprintf(&text, "#!/bin/bash\ncd '%s'\nkill $(cat pid)\nrm -f held\n", scratch()) >
              0);
        write_file(scratch_path("thaw"), text, 0755);
        free(text);
        start_hooked(&host, "5s");
        began = monotonic_us();
        CHECK_INT(host_event(&host, "Freeze"), 0);
        CHECK(monotonic_us() - began < 3000000);
        CHECK(sleeper_comes());
        CHECK_INT(host_event(&host, "Thaw"), 0);
        CHECK(sleeper_goes());
        host_stop(&host);
}

int main(int argc, char **argv) {
        CHECK_INT(mkdir(scratch_path("data"), 0755), 0);
        RUN(test_refused);
        RUN(test_purged);
        RUN(test_overlap);
        RUN(test_identify);
        RUN(test_affected);
        RUN(test_incremental);
        RUN(test_hooks);
        RUN(test_hooks_not_affected);
        RUN(test_mount_below);
        RUN(test_hooks_abort);
        RUN(test_hooks_window);
        RUN(test_hooks_fail);
        RUN(test_hooks_hang);
        RUN(test_thaw_fails);
        RUN(test_killed_while_frozen);
        RUN(test_killed_while_freezing);
        RUN(test_programs_refused);
        RUN(test_background_holder);
        return 0;
}
