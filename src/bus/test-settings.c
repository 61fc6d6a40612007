/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-settings.c - vss.conf, writers.d, and who may do what by them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/restore-settings.h"
#include "base/file.h"
#include "bus/authorize.h"
#include "tests/check.h"
#include "tests/scratch.h"

static char folder[] = "/tmp/vss-settings.XXXXXX";

static void put(const char *name, const char *text, mode_t mode) {
        char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "w");
        CHECK(file);
        CHECK(fputs(text, file) >= 0);
        CHECK_INT(fclose(file), 0);
        CHECK_INT(chmod(path, mode), 0);
}

static struct settings read_it(const char *text) {
        struct settings s;

        put("vss.conf", text, 0644);
        CHECK_INT(settings_read(&s, folder, NULL), 0);
        return s;
}

/* one warning, and it names the key */
static void check_warning(const struct settings *s, const char *words) {
        CHECK_INT(s->warnings.count, 1);
        if (!strstr(s->warnings.items[0], words))
                CHECK_FAIL_("'%s' does not say '%s'", s->warnings.items[0], words);
}

static void test_defaults(void) {
        struct settings s;

        CHECK_INT(settings_read(&s, "/nonexistent", NULL), 0);
        CHECK_INT(s.warnings.count, 0);
        CHECK_INT(s.hold_limit_us, 0);
        CHECK_INT(s.idle_us, 180000000); /* CFG-11, M-82, B-52 */
        CHECK(s.state_dir && s.runtime_dir);
        settings_done(&s);
}

/* CT-1, CFG-3 */
static void test_values(void) {
        static const struct {
                const char *key, *value;
                uint64_t expected; /* 0: the default, with a warning */
                size_t offset;
                bool wide;
        } rows[] = {
#define WIDE(field) offsetof(struct settings, field), true
#define NARROW(field) offsetof(struct settings, field), false
                { "[hold]\nmax", "5s", 5000000, WIDE(hold_limit_us) },
                { "[hold]\nmax", "10s", 10000000, WIDE(hold_limit_us) },
                { "[hold]\nmax", "20s", 0, WIDE(hold_limit_us) }, /* CT-8 */
                { "[hold]\nmax", "0", 0, WIDE(hold_limit_us) },
                { "[hold]\nmax", "soon", 0, WIDE(hold_limit_us) },
                { "[hold]\npresync", "1", 1, NARROW(coordinator.presync_rounds) },
                { "[hold]\npresync", "17", 0, NARROW(coordinator.presync_rounds) },
                { "[hold]\npresync", "-1", 0, NARROW(coordinator.presync_rounds) },
                { "[timeout]\nfreeze_window", "20s", 20000000, WIDE(coordinator.freeze_window_us) },
                { "[timeout]\nfreeze_window", "61s", 0, WIDE(coordinator.freeze_window_us) },
                { "[timeout]\nset_idle", "1min", 60000000, WIDE(coordinator.set_idle_us) },
                { "[timeout]\nidentify", "7s", 7000000,
                  WIDE(coordinator.deadline_us[PHASE_IDENTIFY]) },
                { "[timeout]\nidentify", "", 0, WIDE(coordinator.deadline_us[PHASE_IDENTIFY]) },
                { "[timeout]\nprovider_end_prepare", "2h", 7200000000,
                  WIDE(coordinator.deadline_us[PHASE_END_PREPARE]) },
                { "[limits]\nmax_volumes_per_set", "64", 64, NARROW(coordinator.max_volumes) },
                { "[limits]\nmax_volumes_per_set", "65", 0, NARROW(coordinator.max_volumes) },
                { "[limits]\nmax_client_accessible", "512", 512,
                  NARROW(coordinator.max_client_accessible) },
                { "[limits]\nmax_client_accessible", "513", 0,
                  NARROW(coordinator.max_client_accessible) }, /* CT-4 */
        };

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char text[128];
                struct settings s;
                const void *field;

                snprintf(text, sizeof(text), "%s = %s\n", rows[i].key, rows[i].value);
                s = read_it(text);
                field = (const char *)&s + rows[i].offset;
                CHECK_INT(rows[i].wide ? *(const uint64_t *)field : *(const uint32_t *)field,
                          rows[i].expected);
                CHECK_INT(s.warnings.count, rows[i].expected == 0);
                settings_done(&s);
        }
}

static void test_idle(void) {
        struct settings s = read_it("[service]\nidle_timeout = 0\n"); /* CT-2 */

        CHECK_INT(s.idle_us, 180000000);
        CHECK_INT(s.warnings.count, 0);
        settings_done(&s);
}

static void test_shared_deadline(void) {
        struct settings s = read_it("[timeout]\nprovider_call = 3s\nscale = 0.5\n");

        CHECK_INT(s.coordinator.deadline_us[PHASE_ASK_PROVIDER], 3000000);
        CHECK_INT(s.coordinator.deadline_us[PHASE_BEGIN_PREPARE], 3000000);
        CHECK(s.coordinator.scale > 0.49 && s.coordinator.scale < 0.51);
        CHECK_INT(s.probe_us, 15000000);
        CHECK_INT(s.warnings.count, 0);
        settings_done(&s);
        s = read_it("[timeout]\nscale = 0\n");
        check_warning(&s, "'scale' in [timeout]");
        settings_done(&s);
}

/* CFG-3 */
static void test_unknown(void) {
        struct settings s = read_it("[hold]\nmaximum = 3s\n");

        check_warning(&s, "vss.conf:2: unknown key 'maximum' in [hold]");
        settings_done(&s);
        s = read_it("max = 3s\n");
        CHECK_INT(s.warnings.count, 1);
        settings_done(&s);
        s = read_it("[hold\n");
        check_warning(&s, "closing bracket");
        settings_done(&s);
        /* the lines around a bad one hold */
        s = read_it("[hold]\nnever_freeze = /x\nnonsense\nmax = 3s\n");
        check_warning(&s, "vss.conf:3: expected 'key = value'; the line is ignored");
        CHECK_INT(s.never_freeze.count, 1);
        CHECK_INT(s.hold_limit_us, 3000000);
        settings_done(&s);
}

/* CFG-2, CT-5 */
static void test_writable_by_others(void) {
        struct settings s;

        put("vss.conf", "[hold]\nmax = 3s\n", 0666);
        CHECK_INT(settings_read(&s, folder, NULL), 0);
        CHECK_INT(s.hold_limit_us, 0);
        check_warning(&s, "writable by its owner");
        settings_done(&s);
}

static void test_drop_ins(void) {
        struct settings s;
        char path[256];

        snprintf(path, sizeof(path), "%s/vss.conf.d", folder);
        CHECK_INT(mkdir(path, 0755), 0);
        put("vss.conf.d/10-a.conf", "[hold]\nmax = 4s\nnever_freeze = /x, /y z\n", 0644);
        put("vss.conf.d/20-b.conf", "[hold]\nmax = 2s\nnever_freeze = /w\n", 0644);
        put("vss.conf.d/30-c.off", "[hold]\nmax = 1s\n", 0644);
        s = read_it("[hold]\nmax = 9s\n[service]\nruntime_dir = /r\nstate_dir = /s\n");
        CHECK_INT(s.hold_limit_us, 2000000);
        CHECK_INT(s.never_freeze.count, 3);
        CHECK_STR(s.never_freeze.items[1], "/y z");
        CHECK_STR(s.never_freeze.items[2], "/w");
        CHECK(!s.never_freeze.items[3]);
        CHECK_STR(s.runtime_dir, "/r");
        CHECK_STR(s.state_dir, "/s");
        CHECK_INT(s.warnings.count, 0);
        settings_done(&s);
        remove_tree(AT_FDCWD, path);
}

static void test_folders_must_be_clean(void) {
        struct settings s = read_it("[service]\nruntime_dir = relative\nstate_dir = /a/../b\n");

        CHECK_INT(s.warnings.count, 2);
        CHECK(s.runtime_dir && strcmp(s.runtime_dir, "relative") != 0);
        settings_done(&s);
}

/* every line of the sample, with its "#" removed, is a setting that is known and allowed */
static void test_sample(void) {
        char *text, *out;
        size_t size, lines = 0;
        struct settings s;

        CHECK_INT(read_whole_file(AT_FDCWD, SAMPLE, 65536, &text, &size), 0);
        out = text;
        for (const char *in = text; *in; in++)
                if (*in == '#' && in[1] >= 'a' && in[1] <= 'z' && (in == text || in[-1] == '\n'))
                        lines++;
                else
                        *out++ = *in;
        *out = '\0';
        CHECK(lines > 25);
        s = read_it(text);
        for (size_t i = 0; i < s.warnings.count; i++)
                CHECK_FAIL_("%s", s.warnings.items[i]);
        CHECK_INT(s.n_access, 1);
        CHECK_STR(s.state_dir, "/var/lib/vss");
        settings_done(&s);
        free(text);
}

/* what vssd says of [restore] is what a restore says of it */
static void test_restore_section(void) {
        static const struct {
                const char *line;
                bool good;
        } rows[] = { { "pending_dir = /srv/pending", true },
                     { "pending_dir = pending", false },
                     { "service_command = /usr/sbin/service", true },
                     { "service_command = service", false },
                     { "service_timeout = 20s", true },
                     { "service_timeout = 0", false },
                     { "inuse_policy = rename", true },
                     { "inuse_policy = yes", false },
                     { "protected_paths = /etc, /opt/x", true },
                     { "protected_paths =", true },
                     { "protected_paths = /etc, opt", false },
                     { "protected_path = /etc", false } };

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct restore_settings mine;
                char text[200];
                struct settings s;

                snprintf(text, sizeof(text), "[restore]\n%s\n", rows[i].line);
                s = read_it(text);
                CHECK_INT(restore_settings_read(&mine, folder, NULL), 0);
                if (s.warnings.count != !rows[i].good || mine.warnings_count != !rows[i].good)
                        CHECK_FAIL_("'%s': %zu and %zu warnings", rows[i].line, s.warnings.count,
                                    mine.warnings_count);
                restore_settings_done(&mine);
                settings_done(&s);
        }
}

/* CFG-2, CFG-3, CFG-21, CFG-22 */
static void test_restore_settings(void) {
        struct restore_settings s;

        CHECK_INT(restore_settings_read(&s, "/nonexistent", NULL), 0);
        CHECK_INT(s.protected_count, 4);
        CHECK_STR(s.protected_paths[2], "/etc");
        CHECK(!s.service_command && !s.rename_in_use);
        CHECK_INT(s.service_timeout_us, 300000000);
        CHECK(path_is_below(s.pending_dir, s.state_dir));
        restore_settings_done(&s);

        put("vss.conf",
            "[service]\nstate_dir = /srv/state\n[restore]\nprotected_paths = /a\nnonsense\n"
            "protected_paths = /b,/c\ninuse_policy = rename\nservice_timeout = 7s\n",
            0644);
        CHECK_INT(restore_settings_read(&s, folder, NULL), 0);
        CHECK_STR(s.pending_dir, "/srv/state/pending");
        CHECK_INT(s.protected_count, 3);
        CHECK_STR(s.protected_paths[2], "/c");
        CHECK_INT(s.service_timeout_us, 7000000);
        CHECK(s.rename_in_use);
        CHECK_INT(s.warnings_count, 1);
        CHECK(strstr(s.warnings[0], "vss.conf:5"));
        restore_settings_done(&s);

        put("vss.conf", "[restore]\nprotected_paths =\npending_dir = /srv/p\n", 0644);
        CHECK_INT(restore_settings_read(&s, folder, NULL), 0);
        CHECK_INT(s.protected_count, 0);
        CHECK_STR(s.pending_dir, "/srv/p");
        restore_settings_done(&s);

        put("vss.conf", "[restore]\npending_dir = /srv/p\n", 0666);
        CHECK_INT(restore_settings_read(&s, folder, NULL), 0);
        CHECK(strcmp(s.pending_dir, "/srv/p") != 0);
        CHECK_INT(s.warnings_count, 1);
        restore_settings_done(&s);
}

/* ---- writers.d and providers ---- */

static const struct program *find(const struct program_list *list, enum party_kind kind,
                                  const char *name) {
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].kind == kind && strcmp(list->items[i].name, name) == 0)
                        return &list->items[i];
        return NULL;
}

static void test_programs(void) {
        struct settings s = read_it("[provider.nosuch]\narea = /x\n");
        struct program_list list = { 0 };
        const struct program *mail;
        char path[256], text[1024];

        snprintf(path, sizeof(path), "%s/writers.d", folder);
        CHECK_INT(mkdir(path, 0755), 0);
        put("code.so", "", 0644);
        put("loose.so", "", 0666);
        snprintf(text, sizeof(text),
                 "[writer]\nplugin = %s/code.so\ninstance-name = first\n"
                 "[mail]\nspool = /var/mail\nspool = /srv/mail\n",
                 folder);
        put("writers.d/mail.conf", text, 0644);
        put("writers.d/others.conf", text, 0664); /* PT-12 */
        snprintf(text, sizeof(text), "[writer]\nprogram = %s/code.so\n", folder);
        put("writers.d/program.conf", text, 0644);
        put("writers.d/empty.conf", "[mail]\nspool = /x\n", 0644);
        put("writers.d/broken.conf", "what\n", 0644);
        put("writers.d/gone.conf", "[writer]\nplugin = /nonexistent.so\n", 0644);
        snprintf(text, sizeof(text), "[writer]\nplugin = %s/loose.so\n", folder);
        put("writers.d/loose.conf", text, 0644); /* P-11 */
        CHECK_INT(programs_read(&list, folder, &s), 0);

        mail = find(&list, PARTY_WRITER, "mail");
        CHECK(mail && mail->plugin);
        CHECK_STR(mail->instance_name, "first");
        CHECK_INT(mail->settings.count, 2);
        CHECK_STR(mail->settings.items[1].section, "mail");
        CHECK_STR(mail->settings.items[1].value, "/srv/mail");
        CHECK(find(&list, PARTY_WRITER, "program") &&
              !find(&list, PARTY_WRITER, "program")->plugin);
        CHECK(!find(&list, PARTY_WRITER, "others") && !find(&list, PARTY_WRITER, "empty"));
        CHECK(!find(&list, PARTY_WRITER, "broken") && !find(&list, PARTY_WRITER, "gone"));
        CHECK(!find(&list, PARTY_WRITER, "loose"));
        CHECK_INT(s.left_out.count, 5); /* those five, and the stranger */
        CHECK_INT(s.warnings.count, 1);
        programs_done(&list);
        settings_done(&s);
        remove_tree(AT_FDCWD, path);
}

/* B-156, CFG-17: a list switches its writer on, and CFG-18, CFG-19 reach it */
static void test_not_to_snapshot(void) {
        struct settings s = read_it("[exclude]\nexpand_user_profile = no\nprofiles = glob:/h/*\n");
        struct program_list list = { 0 };
        const struct program *cleaner;
        char path[256];

        CHECK_INT(s.warnings.count, 0);
        snprintf(path, sizeof(path), "%s/not_to_snapshot.d", folder);
        CHECK_INT(mkdir(path, 0755), 0);
        CHECK_INT(programs_read(&list, folder, &s), 0);
        CHECK(!find(&list, PARTY_WRITER, "optimization")); /* no list, no process */
        programs_done(&list);
        put("not_to_snapshot.d/shop.conf", "/a/*\n", 0644);
        CHECK_INT(programs_read(&list, folder, &s), 0);
        cleaner = find(&list, PARTY_WRITER, "optimization");
        CHECK(cleaner && cleaner->plugin);
        CHECK_INT(cleaner->settings.count, 3);
        CHECK_STR(cleaner->settings.items[0].value, path);
        CHECK_STR(cleaner->settings.items[1].section, "exclude");
        CHECK_STR(cleaner->settings.items[2].value, "glob:/h/*");
        programs_done(&list);
        settings_done(&s);
        s = read_it("[exclude]\nexpand_user_profile = 2\n");
        check_warning(&s, "expand_user_profile");
        settings_done(&s);
        s = read_it("[exclude]\nprofiles = ldap\n");
        check_warning(&s, "profiles");
        settings_done(&s);
        s = read_it("[exclude]\nother = 1\n");
        check_warning(&s, "other");
        CHECK_INT(s.exclude.count, 0);
        settings_done(&s);
        remove_tree(AT_FDCWD, path);
}

/* ---- SEC-4, M-8: user x {0, 1, 2, 3, absent} x groups ---- */

static void add_rule(struct settings *s, bool is_group, uint32_t id, unsigned grant) {
        s->access = realloc(s->access, (s->n_access + 1) * sizeof(*s->access));
        CHECK(s->access);
        s->access[s->n_access++] = (struct access_rule){ is_group, id, grant };
}

/* What user 1000, member of 10 and 11, may do: 1 writer, 2 requester, or-ed */
static unsigned may(int user, int first_group, int second_group, bool backup_group) {
        static const uint32_t groups[] = { 10, 11, 12 };
        struct caller caller = { 1000, groups, backup_group ? 3 : 2 };
        struct settings s = { .backup_gid = 12 };
        unsigned allowed = 0;

        if (first_group >= 0)
                add_rule(&s, true, 10, (unsigned)first_group);
        if (second_group >= 0)
                add_rule(&s, true, 11, (unsigned)second_group);
        if (user >= 0)
                add_rule(&s, false, 1000, (unsigned)user);
        add_rule(&s, false, 1001, 3); /* somebody else */
        allowed |= authorize(&s, 0, &caller, ROLE_WRITER, NULL) == 0 ? 1 : 0;
        allowed |= authorize(&s, 0, &caller, ROLE_REQUESTER, NULL) == 0 ? 2 : 0;
        CHECK_INT(authorize(&s, 0, &caller, ROLE_ADMINISTRATOR, NULL), E_ACCESSDENIED);
        CHECK_INT(authorize(&s, 0, &caller, ROLE_LOOK, NULL), 0); /* SEC-12 */
        free(s.access);
        return allowed;
}

static void test_access_matrix(void) {
        for (int user = -1; user <= 3; user++)
                for (int first = -1; first <= 3; first++)
                        for (int second = -1; second <= 3; second++) {
                                unsigned expected;

                                if (user >= 0)
                                        expected = (unsigned)user;
                                else if (first == 0 || second == 0)
                                        expected = 0;
                                else if (first > 0 || second > 0)
                                        expected = (first > 0 ? (unsigned)first : 0) |
                                                   (second > 0 ? (unsigned)second : 0);
                                else
                                        expected = 0;
                                CHECK_INT(may(user, first, second, false), expected);
                        }
        CHECK_INT(may(-1, -1, -1, true), 3); /* SEC-1 */
        CHECK_INT(may(-1, 0, -1, true), 0); /* deny beats the group of SEC-1 */
        CHECK_INT(may(0, -1, -1, true), 0);
}

static void test_access_of_the_service(void) {
        struct vss_error error = VSS_ERROR_INIT;
        struct caller caller = { 1000, NULL, 0 }, root = { 0, NULL, 0 };
        struct settings s = { .backup_gid = (gid_t)-1 };

        add_rule(&s, false, 0, 0); /* uid 0 cannot be denied */
        CHECK_INT(authorize(&s, 1000, &caller, ROLE_ADMINISTRATOR, NULL), 0);
        CHECK_INT(authorize(&s, 1000, &root, ROLE_ADMINISTRATOR, NULL), 0);
        CHECK_INT(authorize(&s, 0, &caller, ROLE_REQUESTER, &error), E_ACCESSDENIED);
        CHECK(strstr(error.message, "user 1000 may not make backups"));
        vss_error_clear(&error);
        free(s.access);
}

int main(void) {
        scratch_folder(folder);
        (void)setenv("XDG_STATE_HOME", "/nonexistent/state", 1);
        RUN(test_defaults);
        RUN(test_values);
        RUN(test_idle);
        RUN(test_shared_deadline);
        RUN(test_unknown);
        RUN(test_writable_by_others);
        RUN(test_drop_ins);
        RUN(test_folders_must_be_clean);
        RUN(test_sample);
        RUN(test_restore_section);
        RUN(test_restore_settings);
        RUN(test_programs);
        RUN(test_not_to_snapshot);
        RUN(test_access_matrix);
        RUN(test_access_of_the_service);
        return 0;
}
