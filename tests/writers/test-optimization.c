/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The writer that keeps files out of shadow copies: how it reads the machine's lists, what it
 * declares, what it deletes and what it says when it cannot. On real file systems:
 * tests/system/not-to-snapshot.sh.
 */
#define _GNU_SOURCE
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/array.h"
#include "host.h"
#include "tests/check.h"

static void refuse(const char *section, const char *key, const char *value) {
        const char *const settings[] = { section, key, value, NULL };
        struct host host;

        if (host_start(&host, "optimization", settings) >= 0)
                CHECK_FAIL_("[%s] %s = %s is taken", section, key, value);
        CHECK(strstr(host.error.message, "[lists] folder"));
        vss_error_clear(&host.error);
}

static void test_refused(void) {
        refuse("lists", "folder", "relative");
        refuse("lists", "file", "/etc");
        refuse("exclude", "expand_user_profile", "2");
        refuse("exclude", "profiles", "ldap");
        refuse("exclude", "expand_user_profile", "no"); /* alone: the folder is missing */
}

/* run() - the writer with this list, after Identify; its copy of "data" is "copy" */
static void run(struct host *host, const char *text, const char *profiles) {
        const char *const settings[] = { "lists",   "folder",   scratch_path("lists"),
                                         "exclude", "profiles", profiles,
                                         NULL };

        (void)mkdir(scratch_path("lists"), 0700);
        write_file(scratch_path("lists/a.conf"), text, 0644);
        if (host_start(host, "optimization", settings) < 0)
                CHECK_FAIL_("%s", vss_error_message(&host->error));
        host->volumes[0] = scratch_path("data");
        host->devices[0] = scratch_path("copy");
        CHECK_INT(host_identify(host), 0);
}

static bool declares(const struct host *host, const char *path, const char *filespec,
                     bool recursive) {
        size_t count = vss_examine_writer_metadata_get_exclude_from_snapshot_count(host->metadata);

        for (size_t i = 0; i < count; i++) {
                const struct vss_wm_filedesc *a =
                        vss_examine_writer_metadata_get_exclude_from_snapshot_file(host->metadata,
                                                                                   i);
                const struct vss_wm_filedesc *b =
                        vss_examine_writer_metadata_get_exclude_file(host->metadata, i);

                /* B-155: what is deleted from copies is excluded from backups too */
                CHECK(b && strcmp(vss_wm_filedesc_get_path(a), vss_wm_filedesc_get_path(b)) == 0);
                if (strcmp(vss_wm_filedesc_get_path(a), path) == 0 &&
                    strcmp(vss_wm_filedesc_get_filespec(a), filespec) == 0 &&
                    vss_wm_filedesc_get_recursive(a) == recursive)
                        return true;
        }
        return false;
}

static size_t count(const struct host *host) {
        return vss_examine_writer_metadata_get_exclude_from_snapshot_count(host->metadata);
}

/* S-58, B-156, W-84, CFG-17 */
static void test_lines(void) {
        struct host host;

        run(&host,
            "; comment\n  /d/*.tmp\n/top?\n/deep/* \t/S\n$AllVolumes$/c/x* /s\n$AllVolumes$/y\n",
            "passwd");
        CHECK_INT(host.identity.usage, VSS_UT_SYSTEMSERVICE);
        CHECK(declares(&host, "/d", "*.tmp", false));
        CHECK(declares(&host, "/", "top?", false));
        CHECK(declares(&host, "/deep", "*", true));
        CHECK(declares(&host, "/$AllVolumes$/c", "x*", true));
        CHECK(declares(&host, "/$AllVolumes$", "y", false));
        CHECK_INT(count(&host), 5);
        CHECK(host.result.autorecover); /* W-10: the copy must be writable, S-51 */
        CHECK_INT(host_event(&host, "PrepareBackup"), 0);
        CHECK_INT(host_event(&host, "PrepareSnapshot"), 0);
        host_stop(&host);
}

/* CFG-18, CFG-19, W-85 */
static void test_users(void) {
        const struct passwd *user;
        char glob[256];
        size_t persons = 0;
        struct host host;

        (void)mkdir(scratch_path("home"), 0755);
        (void)mkdir(scratch_path("home/ann"), 0755);
        (void)mkdir(scratch_path("home/bob"), 0755);
        write_file(scratch_path("home/no-folder"), "", 0644);
        (void)snprintf(glob, sizeof(glob), "glob:%s/home/*", scratch());
        run(&host, "$UserProfile$/.cache/* /s\n", glob);
        CHECK_INT(count(&host), 2);
        CHECK(declares(&host, scratch_path("home/ann/.cache"), "*", true));
        CHECK(declares(&host, scratch_path("home/bob/.cache"), "*", true));
        host_stop(&host);
        while ((user = getpwent()))
                persons += user->pw_uid >= 1000 && user->pw_uid < 60000 &&
                           !strstr(user->pw_shell, "nologin") && !strstr(user->pw_shell, "false") &&
                           strcmp(user->pw_dir, "/") != 0;
        endpwent();
        run(&host, "$UserProfile$/.cache/* /s\n/a\n", "passwd");
        CHECK_INT(count(&host), persons + 1);
        host_stop(&host);
}

static void post_snapshot(struct host *host, const char *words) {
        static const char *const events[] = { "PrepareBackup", "PrepareSnapshot", "Freeze",
                                              "Thaw" };

        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                CHECK_INT(host_event(host, events[i]), 0);
        /* told, and no veto: the backup goes on */
        CHECK_INT(host_event(host, "PostSnapshot"), words ? VSS_E_WRITERERROR_PARTIAL_FAILURE : 0);
        CHECK(!host->result.fatal);
        if (words && !strstr(host->result.message, words))
                CHECK_FAIL_("'%s' does not say '%s'", host->result.message, words);
}

/* CFG-2, CFG-3: a bad line is ignored and said, the others count */
static void test_bad_lines(void) {
        static const char *const bad[] = { "relative/*",   "/a/*/b",         "/a/../b", "/",
                                           "$AllVolumes$", "$UserProfile$x", "/a//b" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char text[64];
                struct host host;

                (void)snprintf(text, sizeof(text), "/good/*\n%s\n", bad[i]);
                run(&host, text, "passwd");
                CHECK_INT(count(&host), 1);
                (void)mkdir(host.devices[0], 0700);
                post_snapshot(&host, "a.conf', line 2");
                host_stop(&host);
        }
}

static void test_nothing(void) {
        struct host host;

        run(&host, "# all is commented out\n", "passwd");
        CHECK_INT(count(&host), 1); /* a name that nothing has: a writer must declare something */
        CHECK(!vss_examine_writer_metadata_get_exclude_file(host.metadata, 0));
        post_snapshot(&host, NULL);
        host_stop(&host);
}

static void unmount_copy(void) {
        (void)umount2(scratch_path("copy"), MNT_DETACH);
}

/* a copy that cannot be written: said, and the original is as it was (W-86) */
static void test_sealed(void) {
        char *copy = scratch_path("copy"), *data = scratch_path("data");
        char *entry = scratch_path("data/a.tmp");
        struct host host;

        (void)mkdir(data, 0700);
        (void)mkdir(copy, 0700);
        write_file(entry, "original", 0600);
        write_file(scratch_path("copy/a.tmp"), "copy", 0600);
        run(&host, scratch_path("data/*.tmp"), "passwd");
        post_snapshot(&host, NULL);
        CHECK(!exists(scratch_path("copy/a.tmp")) && exists(entry));
        host_stop(&host);
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(data, copy, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, copy, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0) {
                printf("not root: no read-only copy is tried\n");
                return;
        }
        (void)atexit(unmount_copy);
        run(&host, scratch_path("data/*.tmp"), "passwd");
        post_snapshot(&host, "the provider's copies cannot be written");
        CHECK(exists(entry));
        host_stop(&host);
}

int main(void) {
        RUN(test_refused);
        RUN(test_lines);
        RUN(test_users);
        RUN(test_bad_lines);
        RUN(test_nothing);
        RUN(test_sealed);
        return 0;
}
