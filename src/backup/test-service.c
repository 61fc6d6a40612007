/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service.c - a service is stopped for a restore, with all that would start it, and whatever
 * happens exactly that runs again which ran before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "backup/fake-systemd.h"
#include "backup/service-record.h"
#include "backup/service.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sum.h"
#include "tests/kill-anywhere.h"
#include "tests/scratch.h"

static char folder[] = "/dev/shm/vss-service.XXXXXX";
static char address[128], command[128];
static struct restore_settings settings = { .service_timeout_us = 3000000 };
static struct service_options options = { .settings = &settings, .manager = address };

static struct fake_unit units[] = {
        { .name = "app.service",
          .was_active = true,
          .triggered_by = "app.socket app.timer app.path",
          .required_by = "web.service admin.service" },
        { .name = "app.socket", .was_active = true },
        { .name = "app.timer", .was_active = true },
        { .name = "app.path" },
        { .name = "alias.service", .alias_of = "app.service" },
        { .name = "web.service", .was_active = true, .triggered_by = "web.socket" },
        { .name = "web.socket", .was_active = true },
        { .name = "admin.service" },
        { .name = "idle.service", .triggered_by = "idle.socket" },
        { .name = "idle.socket", .was_active = true },
        { .name = "masked.service", .load = "masked" },
        { .name = "broken.service", .load = "bad-setting" },
        { .name = "odd.service", .alias_of = "odd.target" },
        { .name = "odd.target", .was_active = true },
        { .name = "grouped.service", .was_active = true, .required_by = "group.target" },
        { .name = "group.target", .was_active = true },
        { .name = "db@main.service", .was_active = true },
        { .name = NULL },
};

/* what runs of all units, as a word each */
static const char *running(void) {
        static char text[512];

        *text = '\0';
        for (const struct fake_unit *unit = units; unit->name; unit++)
                if (unit->active)
                        strcat(strcat(text, unit->name), " ");
        return text;
}

static char at_first[512];

static void fresh(void) {
        fake_reset();
        snprintf(at_first, sizeof(at_first), "%s", running());
        settings.service_timeout_us = 3000000;
        options.files_are_complete = false;
        options.processes_count = 0;
        options.go_on = NULL;
}

static bool has_record(const char *service) {
        char path[256];

        snprintf(path, sizeof(path), "%s/stopped/%s", folder, service);
        return access(path, F_OK) == 0;
}

static int stop_fails(const char *name, const char *words) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct service *service = NULL;
        int r = service_stop(name, &options, &service, &error);

        CHECK(r < 0 && !service);
        if (!strstr(vss_error_message(&error), words))
                CHECK_FAIL_("'%s' does not say '%s'", vss_error_message(&error), words);
        return r;
}

static struct service *stop(const char *name) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct service *service = NULL;

        if (service_stop(name, &options, &service, &error) < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        return service;
}

/* ---- */

/* R-63, SEC-36 */
static void test_names(void) {
        static const char *const bad[] = {
                "",           ";reboot",           "../x.service", "$(x)", "a b",      "app.socket",
                "app.target", "app@.service",      "app@",         "-x",   ".service", ".hidden",
                "app\n",      "multi-user.target", "x/y.service"
        };
        char longest[300];
        bool active = false;

        fresh();
        memset(longest, 'a', sizeof(longest));
        longest[250] = '\0';
        CHECK_INT(stop_fails(longest, "no name of a service"), E_INVALIDARG);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                CHECK_INT(stop_fails(bad[i], "'"), E_INVALIDARG);
        CHECK_INT(stop_fails("none.service", "no service 'none.service'"), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(stop_fails("masked.service", "masked"), VSS_E_BAD_STATE);
        CHECK_INT(stop_fails("broken", "bad-setting"), VSS_E_BAD_STATE);
        CHECK_INT(stop_fails("odd", "'odd.target', which is no service"), E_INVALIDARG);
        CHECK_INT(service_check("alias", &options, &active, NULL), 0);
        CHECK(active);
        CHECK_INT(service_check("idle.service", &options, &active, NULL), 0);
        CHECK(!active);
        CHECK_INT(service_check("db@main", &options, &active, NULL), 0);
        CHECK_STR(fake_log(), "");
        CHECK_STR(running(), at_first);
}

/* R-52, R-64: with what triggers it and what needs it; only what ran is started again. By an alias:
 * R-63 */
static void test_stop_and_start(void) {
        struct service *service;

        fresh();
        service = stop("alias");
        CHECK(!fake_find("app.service")->active && !fake_find("app.socket")->active);
        CHECK(!fake_find("app.timer")->active && !fake_find("web.service")->active);
        CHECK(!fake_find("web.socket")->active);
        CHECK_STR(fake_log(),
                  "stop app.socket; stop app.timer; stop web.socket; stop app.service; ");
        CHECK(has_record("app.service"));
        CHECK_INT(service_is_stopped(service, NULL), 0);
        CHECK_INT(service_start(service, NULL), 0);
        CHECK_STR(running(), at_first);
        CHECK(!fake_find("app.path")->active && !fake_find("admin.service")->active);
        /* sockets before their services, timers behind them */
        CHECK_STR(strstr(fake_log(), "start"),
                  "start app.socket/replace; start web.socket/replace; start app.service/replace; "
                  "start web.service/replace; start app.timer/replace; ");
        CHECK(!has_record("app.service"));
        CHECK_INT(service_start(service, NULL), 0);
        CHECK(!service_free(service));
        CHECK_STR(running(), at_first);
        CHECK(!service_free(NULL));
}

/* R-64: one that does not run is not started; what would start it is stopped all the same */
static void test_inactive(void) {
        struct service *service;

        fresh();
        service = stop("idle.service");
        CHECK_STR(fake_log(), "stop idle.socket; ");
        CHECK(!service_free(service));
        CHECK_STR(running(), at_first);
        CHECK(!strstr(fake_log(), "start idle.service"));
        /* one that is about to be started counts as running */
        fake_find("admin.service")->starting = true;
        service = stop("admin.service");
        CHECK(strstr(fake_log(), "stop admin.service"));
        CHECK(!service_free(service));
        CHECK(fake_find("admin.service")->active);
}

static void test_target(void) {
        struct service *service;

        fresh();
        service = stop("grouped");
        CHECK(!fake_find("group.target")->active);
        CHECK(!service_free(service));
        CHECK(strstr(fake_log(), "start group.target/ignore-requirements; "));
        CHECK_STR(running(), at_first);
}

/* R-52, TV-13: it does not stop; all is as it was */
static void test_does_not_stop(void) {
        fresh();
        fake_find("app.service")->stop_hangs = true;
        settings.service_timeout_us = 400000;
        CHECK_INT(stop_fails("app", "'app.service' does not stop: it is active (running)"),
                  -ETIMEDOUT);
        CHECK_STR(running(), at_first);
        CHECK(strstr(fake_log(), "start app.service/replace")); /* it may end stopping later */
        CHECK(!has_record("app.service"));

        fresh();
        fake_find("app.service")->stop_fails = true;
        CHECK_INT(stop_fails("app", "'app.service' cannot be stopped (failed)"), -EIO);
        CHECK_STR(running(), at_first);

        fresh(); /* a trigger that hangs: the service has not been touched */
        fake_find("app.timer")->stop_hangs = true;
        settings.service_timeout_us = 400000;
        CHECK_INT(stop_fails("app", "'app.timer' does not stop"), -ETIMEDOUT);
        CHECK(!strstr(fake_log(), "stop app.service"));
        CHECK_STR(running(), at_first);

        fresh();
        fake_find("app.service")->comes_back = true;
        CHECK_INT(stop_fails("app", "does not stay stopped"), -ETIMEDOUT);
        CHECK_STR(running(), at_first);
}

static int no_more(void *userdata) {
        unsigned *left = userdata;

        return (*left)-- == 0 ? -EINTR : 0;
}

static void test_interrupted(void) {
        unsigned left = 1;

        fresh();
        fake_find("app.service")->stop_hangs = true;
        options.go_on = no_more;
        options.userdata = &left;
        CHECK_INT(stop_fails("app", "interrupted"), -EINTR);
        CHECK_STR(running(), at_first);
        CHECK(!has_record("app.service"));
}

/* the one that cannot be started is named, the others run */
static void test_does_not_start(void) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct service *service;

        fresh();
        service = stop("app");
        fake_find("app.service")->start_fails = true;
        CHECK_INT(service_start(service, &error), -EIO);
        CHECK(strstr(vss_error_message(&error), "'app.service' cannot be started again (failed)"));
        CHECK(strstr(vss_error_message(&error), "journalctl -u app.service"));
        CHECK(fake_find("app.socket")->active && fake_find("app.timer")->active);
        CHECK(fake_find("web.service")->active);
        CHECK(!has_record("app.service"));
        service_free(service);
}

/* R-64: somebody else starts it while files are copied */
static void test_started_meanwhile(void) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct service *service;

        fresh();
        service = stop("app");
        CHECK_INT(service_is_stopped(service, NULL), 0);
        fake_find("app.service")->active = true;
        CHECK_INT(service_is_stopped(service, &error), -EBUSY);
        CHECK(strstr(vss_error_message(&error), "app.service"));
        service_free(service);
        CHECK_STR(running(), at_first);
}

/* "systemctl daemon-reexec" meanwhile */
static void test_reexec(void) {
        struct service *service;

        fresh();
        fake_delay(100);
        fake_reexec();
        service = stop("app");
        CHECK(!fake_find("app.service")->active && !fake_find("app.socket")->active);
        CHECK_INT(service_start(service, NULL), 0);
        CHECK_STR(running(), at_first);
        service_free(service);
}

/* ---- R-18, R-63: who lives in it ---- */

static char group[64];

/* a child in a control group of its own, or 0 where there can be none */
static pid_t inhabitant(void) {
        char path[256], number[16];
        pid_t pid;
        int fd;

        snprintf(group, sizeof(group), "/vss-test-%d", (int)getpid());
        snprintf(path, sizeof(path), "%s/cgroup", folder);
        if (mkdir(path, 0700) < 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("cgroup2", path, "cgroup2", 0, NULL) < 0)
                return 0;
        strcat(path, group);
        if (mkdir(path, 0755) < 0)
                return 0;
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                for (;;)
                        (void)pause();
        }
        strcat(path, "/cgroup.procs");
        fd = open(path, O_WRONLY | O_CLOEXEC);
        snprintf(number, sizeof(number), "%d", (int)pid);
        if (fd >= 0 && write_all(fd, number, strlen(number)) == 0) {
                close(fd);
                return pid;
        }
        closep(&fd);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return 0;
}

static void test_inhabited(void) {
        char path[256];
        pid_t pid;

        fresh();
        pid = inhabitant();
        snprintf(path, sizeof(path), "%s/cgroup%s", folder, group);
        if (pid == 0)
                printf("no control groups here: not who lives in a service\n");
        else {
                options.processes = &pid;
                options.processes_count = 1;
                fake_find("app.service")->group = group;
                CHECK_INT(stop_fails("app", "the writer runs within 'app.service'"),
                          VSS_E_BAD_STATE);
                CHECK_INT(service_check("app", &options, NULL, NULL), VSS_E_BAD_STATE);
                fake_find("app.service")->group = NULL;
                fake_find("web.service")->group = group; /* would be stopped with it */
                CHECK_INT(stop_fails("app", "the writer runs within 'app.service'"),
                          VSS_E_BAD_STATE);
                fake_find("web.service")->group = "/vss-test"; /* another one's name begins so */
                service_free(stop("app"));
                CHECK_STR(running(), at_first);
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
        }
        (void)rmdir(path);
        snprintf(path, sizeof(path), "%s/cgroup", folder);
        (void)umount2(path, MNT_DETACH);
}

/* ---- killed ---- */

static char notes[2048];

static void on_note(void *userdata, const char *words) {
        strcat(strcat(notes, words), "\n");
}

static int leftovers(void) {
        *notes = '\0';
        return service_leftovers(&options, on_note, NULL, NULL);
}

static void stop_and_die(void) {
        struct service *service;

        if (service_stop("app", &options, &service, NULL) < 0)
                _exit(1);
        (void)kill(getpid(), SIGKILL);
}

static void die_stopped(void) {
        pid_t pid = fork();

        CHECK(pid >= 0);
        if (pid == 0)
                stop_and_die();
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        CHECK(!fake_find("app.service")->active);
        CHECK(has_record("app.service"));
}

static void test_killed(void) {
        struct service *service;

        /* told, with what to do; started by no one: the files may be half and half */
        fresh();
        die_stopped();
        CHECK_INT(leftovers(), 1);
        CHECK(strstr(notes, "'app.service' stopped"));
        CHECK(strstr(notes,
                     "systemctl start app.socket web.socket app.service web.service app.timer"));
        CHECK(!fake_find("app.service")->active);
        /* the restore is repeated: it ends with all running */
        service = stop("app");
        CHECK_INT(service_start(service, NULL), 0);
        service_free(service);
        CHECK_STR(running(), at_first);
        CHECK(!has_record("app.service"));
        CHECK_INT(leftovers(), 0);

        /* somebody has started it */
        fresh();
        die_stopped();
        fake_reset();
        CHECK_INT(leftovers(), 0);
        CHECK(!has_record("app.service"));

        /* R-57: nothing but a restart; the files are complete */
        fresh();
        options.files_are_complete = true;
        die_stopped();
        CHECK_INT(leftovers(), 1);
        CHECK(strstr(notes, "it has been started"));
        CHECK_STR(running(), at_first);
        CHECK(!has_record("app.service"));
}

static void stop_and_start(void) {
        struct service *service;

        if (service_stop("app", &options, &service, NULL) < 0 || service_start(service, NULL) < 0)
                _exit(1);
        service_free(service);
}

/* at any system call: the restore that is repeated ends with all running */
static void test_killed_anywhere(void) {
        unsigned stops = 0, down = 0;
        bool killed = true;

        /* not each: a few seconds, not minutes */
        for (unsigned stop_at = 1; killed; stop_at += 23) {
                struct service *service;

                fresh();
                killed = run_until(stop_and_start, stop_at);
                /* what systemd was asked for last, it does */
                (void)usleep(3000);
                down += strcmp(running(), at_first) != 0;
                CHECK(strcmp(running(), at_first) == 0 || has_record("app.service"));
                service = stop("app");
                CHECK_INT(service_start(service, NULL), 0);
                service_free(service);
                CHECK_STR(running(), at_first);
                CHECK(!has_record("app.service"));
                stops++;
        }
        CHECK(stops > 10 && down > 3);
}

/* the record becomes one of a former boot */
static void make_former(const char *service) {
        char path[256], *text, *boot;
        uint64_t sum;
        size_t size;
        FILE *file;

        snprintf(path, sizeof(path), "%s/stopped/%s", folder, service);
        CHECK_INT(read_whole_file(AT_FDCWD, path, 4096, &text, &size), 0);
        boot = strstr(text, "boot\t");
        CHECK(boot && size > 21);
        boot[5] = boot[5] == '0' ? '1' : '0';
        sum = sum_add(SUM_BEGIN, text, size - 21);
        file = fopen(path, "w");
        CHECK(file && fwrite(text, size - 21, 1, file) == 1);
        CHECK(fprintf(file, "sum\t%016" PRIx64 "\n", sum) > 0 && fclose(file) == 0);
        free(text);
}

/* two restores of one service, and a boot meanwhile */
static void test_records(void) {
        struct service_record record = { .service = strdup("app.service") };
        struct service *service;
        pid_t pid;
        int status;

        fresh();
        service = stop("app");
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
                _exit(stop_fails("app", "another restore, process") != -EBUSY);
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK_INT(leftovers(), 0); /* this one lives */
        CHECK(!fake_find("app.service")->active);
        service_free(service);
        CHECK_STR(running(), at_first);

        /* of a former boot: told once, whoever comes first */
        CHECK_INT(names_add(&record.again, "app.service"), 0);
        for (int complete = 0; complete < 2; complete++) {
                record.files_are_complete = complete;
                CHECK_INT(service_record_put(&settings, &record, NULL), 0);
                *notes = '\0';
                CHECK_INT(service_records_at_boot(&settings, on_note, NULL, NULL), 0);
                CHECK_STR(notes, "");
                make_former("app.service");
                CHECK_INT(service_records_at_boot(&settings, on_note, NULL, NULL), 0);
                CHECK(strstr(notes, complete ? "being restarted" : "restore it again"));
                CHECK(!has_record("app.service"));
        }
        service_record_done(&record);
}

/* ---- machines without systemd ---- */

static void script(const char *body) {
        FILE *file = fopen(command, "w");

        CHECK(file);
        fprintf(file, "#!/bin/sh\ncd %s || exit 9\necho \"$2 $1\" >>log\n%s\n", folder, body);
        CHECK_INT(fclose(file), 0);
        CHECK_INT(chmod(command, 0755), 0);
}

static const char ordinary[] = "case $2 in\n"
                               "status) [ \"$1\" = shop ] || exit 4; [ -e up ] || exit 3;;\n"
                               "stop) rm up;;\n"
                               "start) env >env; : >up;;\n"
                               "esac";

static char *content(const char *name) {
        static char text[4096];
        char path[256], *data;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (read_whole_file(AT_FDCWD, path, sizeof(text) - 1, &data, NULL) < 0)
                return NULL;
        strcpy(text, data);
        free(data);
        (void)unlink(path);
        return text;
}

/* does the service of the script run? */
static bool up(void) {
        char path[256];

        snprintf(path, sizeof(path), "%s/up", folder);
        return access(path, F_OK) == 0;
}

static void set_up(bool runs) {
        char path[256];
        int fd;

        snprintf(path, sizeof(path), "%s/up", folder);
        fd = runs ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : unlink(path);
        CHECK(fd >= 0);
        if (runs)
                close(fd);
}

static void test_command(void) {
        struct service *service;
        bool active = false;
        pid_t pid;

        fresh();
        settings.service_command = command;
        script(ordinary);
        set_up(true);
        CHECK_INT(setenv("SECRET", "x", 1), 0);
        CHECK_INT(service_check("shop", &options, &active, NULL), 0);
        CHECK(active);
        service = stop("shop");
        CHECK(!up() && has_record("shop"));
        CHECK_INT(service_start(service, NULL), 0);
        CHECK(up() && !has_record("shop"));
        service_free(service);
        CHECK(!strstr(content("env"), "SECRET")); /* SEC-60 */
        CHECK_STR(content("log"), "status shop\nstatus shop\nstop shop\nstatus shop\nstatus shop\n"
                                  "start shop\nstatus shop\n");
        /* it does not run: R-64 */
        set_up(false);
        service_free(stop("shop"));
        CHECK_STR(content("log"), "status shop\n");

        CHECK_INT(stop_fails("else", "no service 'else'"), VSS_E_OBJECT_NOT_FOUND);
        CHECK_INT(stop_fails("shop; reboot", "no name"), E_INVALIDARG); /* SEC-36 */

        /* killed meanwhile */
        set_up(true);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                if (service_stop("shop", &options, &service, NULL) >= 0)
                        (void)kill(getpid(), SIGKILL);
                _exit(1);
        }
        CHECK_INT(waitpid(pid, NULL, 0), pid);
        CHECK(!up());
        CHECK_INT(leftovers(), 1);
        CHECK(strstr(notes, "service shop start"));
        service_free(stop("shop"));
        CHECK(up());
        settings.service_command = NULL;
}

static void test_command_fails(void) {
        fresh();
        settings.service_command = command;
        settings.service_timeout_us = 600000;
        set_up(true);
        script("case $2 in status) ;; stop) exit 1;; esac");
        CHECK_INT(stop_fails("shop", "stop' ends with 1"), -EIO);
        script("case $2 in status) ;; stop) sleep 60;; esac");
        CHECK_INT(stop_fails("shop", "does not end"), -ETIMEDOUT);
        script("case $2 in status) ;; stop) ;; esac");
        CHECK_INT(stop_fails("shop", "runs still"), -ETIMEDOUT);
        script("case $2 in status) exit 1;; esac");
        CHECK_INT(stop_fails("shop", "neither running (0) nor stopped (3)"), -EIO);
        script("kill -9 $$");
        CHECK_INT(stop_fails("shop", "signal 9"), -EIO);
        CHECK(!has_record("shop"));
        script(ordinary);
        CHECK_INT(chmod(command, 0777), 0);
        CHECK_INT(stop_fails("shop", "that no other can write"), -EPERM);
        CHECK_INT(unlink(command), 0);
        CHECK_INT(stop_fails("shop", "service_command"), -ENOENT);
        settings.service_command = NULL;
}

static void test_no_manager(void) {
        fresh();
        if (access("/run/systemd/system", F_OK) == 0)
                return;
        options.manager = NULL;
        CHECK_INT(stop_fails("app", "service_command in [restore]"), VSS_E_NOT_SUPPORTED);
        options.manager = address;
}

int main(void) {
        char path[100];

        if (geteuid() != 0)
                SKIP("needs root");
        scratch_folder(folder);
        settings.state_dir = folder;
        snprintf(path, sizeof(path), "%s/socket", folder);
        snprintf(address, sizeof(address), "unix:path=%s", path);
        snprintf(command, sizeof(command), "%s/service", folder);
        fake_start(path, units);
        RUN(test_names);
        RUN(test_stop_and_start);
        RUN(test_inactive);
        RUN(test_target);
        RUN(test_does_not_stop);
        RUN(test_interrupted);
        RUN(test_does_not_start);
        RUN(test_started_meanwhile);
        RUN(test_reexec);
        RUN(test_killed);
        RUN(test_killed_anywhere);
        RUN(test_records);
        RUN(test_command);
        RUN(test_command_fails);
        RUN(test_no_manager);
        RUN(test_inhabited);
        fake_stop();
        return 0;
}
