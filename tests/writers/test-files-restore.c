/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files writer in a restore: every method can be declared, what cannot work is refused at the
 * start, and programs take the application off its files and bring it back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/stat.h>

#include "base/array.h"
#include "host.h"
#include "tests/check.h"

static void start(struct host *host, const char *const *settings) {
        if (host_start(host, "files", settings) < 0)
                CHECK_FAIL_("%s", vss_error_message(&host->error));
}

static void refuse(const char *const *settings, const char *words) {
        struct host host;

        if (host_start(&host, "files", settings) >= 0)
                CHECK_FAIL_("taken, but should say '%s'", words);
        if (!host.error.message || !strstr(host.error.message, words))
                CHECK_FAIL_("'%s' does not say '%s'", host.error.message, words);
        vss_error_clear(&host.error);
}

/* ---- what is declared ---- */

struct method_case {
        const char *word;
        uint32_t method;
        const char *key, *value; /* what it needs */
};

static const struct method_case methods[] = {
        { "restore_if_not_there", VSS_RME_RESTORE_IF_NOT_THERE, NULL, NULL },
        { "restore_if_can_replace", VSS_RME_RESTORE_IF_CAN_REPLACE, NULL, NULL },
        { "stop_restore_start", VSS_RME_STOP_RESTORE_START, "service", "web.service" },
        { "restore_to_alternate_location", VSS_RME_RESTORE_TO_ALTERNATE_LOCATION, "mapping",
          "/srv/web/* recursive to=/srv/other" },
        { "restore_at_reboot", VSS_RME_RESTORE_AT_REBOOT, NULL, NULL },
        { "restore_at_reboot_if_cannot_replace", VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE, NULL,
          NULL },
        { "custom", VSS_RME_CUSTOM, "procedure", "see the manual" },
        { "restore_stop_start", VSS_RME_RESTORE_STOP_START, "service", "web.service" },
};

/* each with what it needs, in the document; the same without it is refused */
static void test_methods(void) {
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                const struct method_case *c = &methods[i];
                const char *settings[] = { "component web",
                                           "files",
                                           "/srv/web/* recursive",
                                           "restore",
                                           "method",
                                           c->word,
                                           "restore",
                                           c->key,
                                           c->value,
                                           NULL };
                struct vss_restore_method method;
                struct host host;

                if (!c->key)
                        settings[6] = NULL;
                start(&host, settings);
                CHECK_INT(host_identify(&host), 0);
                CHECK_INT(vss_examine_writer_metadata_get_restore_method(host.metadata, &method),
                          0);
                CHECK_INT(method.method, c->method);
                CHECK_INT(method.writer_restore, VSS_WRE_NEVER);
                CHECK(!method.reboot_required);
                host_stop(&host);
                settings[6] = NULL;
                if (c->key)
                        refuse(settings, c->key);
        }
}

/* what could only fail when the restore is needed fails at the start */
static void test_mappings_refused(void) {
        const char *settings[] = { "component web",
                                   "files",
                                   "/srv/web/* recursive",
                                   "component logs",
                                   "files",
                                   "/srv/log/*.log",
                                   "restore",
                                   "method",
                                   "restore_to_alternate_location",
                                   "restore",
                                   "mapping",
                                   "/srv/web/* recursive to=/srv/other",
                                   "restore",
                                   "mapping",
                                   "/srv/log/*.log to=/srv/other",
                                   NULL };
        struct vss_restore_method method;
        struct host host;

        start(&host, settings);
        CHECK_INT(host_identify(&host), 0);
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(host.metadata, &method), 0);
        CHECK_INT(method.mapping_count, 2);
        host_stop(&host);
        settings[14] = "/srv/web/* recursive to=/srv/third";
        refuse(settings, "twice");
        settings[14] = "/srv/log/* to=/srv/other";
        refuse(settings, "no file set");
        settings[14] = "/srv/log/*.log to=/srv/web/sub";
        refuse(settings, "place of its own");
        settings[14] = "/srv/log/*.log to=/srv/log";
        refuse(settings, "place of its own");
        settings[12] = NULL;
        refuse(settings, "none is given for [component logs] /srv/log/*.log");
        settings[8] = "restore_at_reboot";
        refuse(settings, "waits for a boot");
        settings[8] = "restore_at_reboot_if_cannot_replace";
        refuse(settings, "waits for a boot");
        settings[8] = "stop_restore_start";
        settings[10] = "service";
        settings[11] = "two units";
        refuse(settings, "no name of one unit");
}

/* ---- programs ---- */

static const char *const program_keys[] = { "pre_restore", "post_restore" };

/* each writes what it was told into "log"; @pre: what pre_restore does besides */
static void write_programs(const char *pre) {
        for (size_t i = 0; i < ELEMENTSOF(program_keys); i++) {
                char *text;

                CHECK(asprintf(&text,
                               "#!/bin/bash\ncd '%s'\n"
                               "echo \"$VSS_EVENT ${VSS_STATUS--} ${VSS_COMPONENTS//$'\\n'/,} "
                               "${VSS_SET_ID-no set}\" >>log\n%s\n",
                               scratch(), i == 0 ? pre : "") > 0);
                write_file(scratch_path("%s", program_keys[i]), text, 0755);
                free(text);
        }
        (void)unlink(scratch_path("log"));
}

static void expect_log(const char *text) {
        char *log = read_file(scratch_path("log"));

        CHECK_STR(log ? log : "", text);
        free(log);
        (void)unlink(scratch_path("log"));
}

/* mark_restore() - a component of the document, set_restore() - one that comes into it */
static void mark_restore(struct host *host, const char *path, const char *name, uint32_t status,
                         bool more) {
        const struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                               .type = VSS_CT_FILEGROUP,
                                               .logical_path = path,
                                               .name = name };

        CHECK_INT(bcd_set_restore_state(host->bcd, VSS_RTYPE_BY_COPY, NULL), 0);
        CHECK_INT(bcd_set_selected_for_restore(host->bcd, &key, true, NULL, NULL), 0);
        CHECK_INT(bcd_set_additional_restores(host->bcd, &key, more, NULL), 0);
        CHECK_INT(bcd_set_file_restore_status(host->bcd, &key, status, NULL), 0);
}

static void set_restore(struct host *host, const char *path, const char *name, uint32_t status,
                        bool more) {
        host_select(host, VSS_CT_FILEGROUP, path, name);
        mark_restore(host, path, name, status, more);
}

static void set_new_target(struct host *host, const char *name) {
        const struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                               .type = VSS_CT_FILEGROUP,
                                               .name = name };
        const struct vss_file_set set = { .path = "/srv/web", .filespec = "*", .recursive = true };

        CHECK_INT(bcd_add_new_target(host->bcd, &key, &set, "/new", host->metadata, NULL), 0);
}

static void start_with_programs(struct host *host) {
        const char *const settings[] = { "component web",
                                         "files",
                                         "/srv/web/* recursive",
                                         "component logs",
                                         "files",
                                         "/srv/log/*",
                                         "component logs",
                                         "logical_path",
                                         "deep\\er",
                                         "component rest",
                                         "files",
                                         "/srv/rest/*",
                                         "hooks",
                                         "pre_restore",
                                         scratch_path("pre_restore"),
                                         "hooks",
                                         "post_restore",
                                         scratch_path("post_restore"),
                                         "hooks",
                                         "restore_timeout",
                                         "5s",
                                         NULL };

        start(host, settings);
}

/* what is selected, and nothing else; the events are asked for, since there are programs */
static void test_programs(void) {
        struct vss_restore_method method;
        struct host host;

        write_programs("");
        start_with_programs(&host);
        set_restore(&host, NULL, "web", VSS_RS_ALL, false);
        set_restore(&host, "deep\\er", "logs", VSS_RS_ALL, false);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "rest");
        CHECK_INT(vss_examine_writer_metadata_get_restore_method(host.metadata, &method), 0);
        CHECK_INT(method.writer_restore, VSS_WRE_ALWAYS);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        expect_log("pre_restore - web,deep\\er\\logs no set\n");
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("post_restore all web,deep\\er\\logs no set\n");
        mark_restore(&host, NULL, "rest", VSS_RS_NONE, false);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("pre_restore - web,deep\\er\\logs,rest no set\n"
                   "post_restore failed web,deep\\er\\logs,rest no set\n");
        host_stop(&host);
        expect_log(""); /* nothing at the end */
}

/* while one image follows the other the application stays off */
static void test_chain(void) {
        struct host host;

        write_programs("");
        start_with_programs(&host);
        set_restore(&host, NULL, "web", VSS_RS_ALL, true);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("pre_restore - web no set\n");
        host_stop(&host);
        expect_log("");
}

/* at another place the application is not concerned */
static void test_new_target(void) {
        struct host host;

        write_programs("");
        start_with_programs(&host);
        set_restore(&host, NULL, "web", VSS_RS_ALL, false);
        set_new_target(&host, "web");
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("");
        set_restore(&host, NULL, "rest", VSS_RS_ALL, false);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("pre_restore - rest no set\npost_restore all rest no set\n");
        host_stop(&host);
}

static const char *pre_words(struct host *host, const char *name) {
        return vss_component_get_pre_restore_failure_msg(host_component(host, name));
}

/* words on the components that are restored, and what had begun is undone at once;
 * PostRestore, which comes all the same, finds it done */
static void test_pre_fails(void) {
        struct host host;

        write_programs("echo 'it will not stop' >&2; exit 3");
        start_with_programs(&host);
        set_restore(&host, NULL, "web", VSS_RS_NONE, false);
        host_select(&host, VSS_CT_FILEGROUP, NULL, "rest");
        CHECK_INT(host_event(&host, "PreRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        CHECK(strstr(pre_words(&host, "web"), "exit code 3: it will not stop"));
        CHECK(!pre_words(&host, "rest"));
        expect_log("pre_restore - web no set\npost_restore none web no set\n");
        CHECK_INT(host_event(&host, "PostRestore"), 0);
        expect_log("");
        host_stop(&host);
}

static void test_post_fails(void) {
        struct host host;
        const char *words;

        write_programs("");
        write_file(scratch_path("post_restore"), "#!/bin/sh\necho no start; sleep 20\n", 0755);
        start_with_programs(&host);
        set_restore(&host, NULL, "web", VSS_RS_ALL, false);
        CHECK_INT(host_event(&host, "PreRestore"), 0);
        CHECK_INT(host_event(&host, "PostRestore"), VSS_E_WRITERERROR_PARTIAL_FAILURE);
        words = vss_component_get_post_restore_failure_msg(host_component(&host, "web"));
        CHECK(words && strstr(words, "no start") && strstr(words, "look after the application"));
        host_stop(&host);
}

/* SEC-60, and programs that would never run, or begin what nobody ends */
static void test_programs_refused(void) {
        const char *settings[] = { "component web",
                                   "files",
                                   "/srv/web/*",
                                   "hooks",
                                   "post_restore",
                                   scratch_path("post_restore"),
                                   "restore",
                                   "events",
                                   "if_replace_fails",
                                   "hooks",
                                   "pre_restore",
                                   scratch_path("pre_restore"),
                                   NULL };
        struct host host;

        write_programs("");
        refuse(settings, "it must be always");
        settings[9] = NULL;
        start(&host, settings);
        host_stop(&host);
        settings[8] = "never";
        refuse(settings, "would never run");
        settings[8] = "always";
        settings[9] = "hooks";
        settings[5] = "";
        refuse(settings, "no program");
        settings[5] = scratch_path("post_restore");
        CHECK_INT(chmod(scratch_path("pre_restore"), 0777), 0);
        refuse(settings, "writable by its owner only");
        CHECK_INT(chmod(scratch_path("pre_restore"), 0755), 0);
        settings[4] = "pre_restore";
        refuse(settings, "name both");
        settings[4] = "restore_timeout";
        settings[5] = "1h";
        refuse(settings, "up to 10min");
}

int main(int argc, char **argv) {
        RUN(test_methods);
        RUN(test_mappings_refused);
        RUN(test_programs);
        RUN(test_chain);
        RUN(test_new_target);
        RUN(test_pre_fails);
        RUN(test_post_fails);
        RUN(test_programs_refused);
        return 0;
}
