/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-jobs.c - the connection to systemd, and its jobs. As root by systemd's own socket, which
 * needs no bus daemon; that connection ends when systemd executes itself anew ("daemon-reexec"),
 * while its jobs go on: then it is opened again, and a job that is not there any more has ended.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

#include "backup/service-systemd.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define UNIT "org.freedesktop.systemd1.Unit"
#define PRIVATE_SOCKET "/run/systemd/private"

/* how long systemd may take to come back from executing itself, and between two looks */
enum { RECONNECT_US = 20 * 1000 * 1000, PATIENCE_US = 200 * 1000 };

struct job {
        char *path, *unit, *result; /* @result NULL: it goes on */
        bool is_start;
};

struct systemd {
        struct service_manager manager;
        sd_bus *bus;
        bool lost;
        struct job *jobs;
        size_t count, capacity;
        pid_t coordinator; /* 0: none, or it cannot be known */
};

struct systemd *systemd_of(struct service_manager *m) {
        return (struct systemd *)m;
}

bool systemd_is_lost(const struct systemd *s) {
        return s->lost;
}

void systemd_forget_jobs(struct systemd *s) {
        for (size_t i = 0; i < s->count; i++) {
                free(s->jobs[i].path);
                free(s->jobs[i].unit);
                free(s->jobs[i].result);
        }
        s->count = 0;
}

void systemd_close(struct service_manager *m) {
        struct systemd *s = systemd_of(m);

        systemd_forget_jobs(s);
        free(s->jobs);
        sd_bus_close_unref(s->bus);
        free(s);
}

/* ---- the connection ---- */

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct systemd *s = userdata;
        const char *path, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
                return 0;
        for (size_t i = 0; i < s->count; i++)
                if (!s->jobs[i].result && strcmp(s->jobs[i].path, path) == 0)
                        s->jobs[i].result = strdup(result);
        return 0;
}

static int open_direct(const char *address, sd_bus **ret) {
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r < 0)
                sd_bus_unref(bus);
        else
                *ret = bus;
        return r;
}

static int open_bus(struct systemd *s) {
        const char *address = s->manager.options->manager, *sender = NULL;
        sd_bus *bus = NULL;
        int r = -ENOENT;

        if (address)
                r = open_direct(address, &bus);
        else if (geteuid() == 0)
                r = open_direct("unix:path=" PRIVATE_SOCKET, &bus);
        if (r < 0 && !address) {
                r = sd_bus_open_system(&bus);
                sender = SYSTEMD; /* there are others on it */
        }
        if (r >= 0)
                r = sd_bus_match_signal(bus, NULL, sender, MANAGER_PATH, MANAGER, "JobRemoved",
                                        on_job_removed, s);
        if (r >= 0 && sender)
                r = sd_bus_call_method(bus, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe", NULL, NULL,
                                       "");
        if (r < 0) {
                sd_bus_close_unref(bus);
                return r;
        }
        sd_bus_close_unref(s->bus);
        s->bus = bus;
        return 0;
}

static bool is_disconnected(int r) {
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ESHUTDOWN;
}

static int reconnect(struct systemd *s, struct vss_error *reterr) {
        uint64_t end = monotonic_us() + RECONNECT_US;
        int r;

        while ((r = open_bus(s)) < 0 && monotonic_us() < end && !s->lost)
                (void)usleep(PATIENCE_US);
        s->lost = r < 0;
        return r < 0 ? vss_fail(reterr, r, "systemd cannot be reached any more: %s", strerror(-r))
                     : 0;
}

/* call() - @words: for a person, what is wanted. @ret may be NULL */
static int call(struct systemd *s, const char *what, const char *path, const char *interface,
                const char *member, sd_bus_message **ret, struct vss_error *reterr,
                const char *types, const char *first, const char *second) {
        for (bool again = false;; again = true) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int r = sd_bus_call_method(s->bus, SYSTEMD, path, interface, member, &error, ret,
                                           types, first, second);

                if (r >= 0)
                        return 0;
                if (is_disconnected(r) && !again) {
                        sd_bus_error_free(&error);
                        r = reconnect(s, reterr);
                        if (r < 0)
                                return r;
                        continue;
                }
                r = sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_PROPERTY) ? -ENODATA
                    : sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT) ? -ENXIO
                                                                                 : -EIO;
                r = vss_fail(reterr, r, "systemd: %s: %s", what,
                             error.message ? error.message : strerror(-r));
                sd_bus_error_free(&error);
                return r;
        }
}

static int get(struct systemd *s, const char *path, const char *interface, const char *property,
               const char *type, sd_bus_message **ret, struct vss_error *reterr) {
        int r = call(s, property, path, "org.freedesktop.DBus.Properties", "Get", ret, reterr, "ss",
                     interface, property);

        if (r >= 0 && sd_bus_message_enter_container(*ret, 'v', type) < 0)
                r = vss_fail(reterr, -EIO, "systemd tells '%s' as another type than '%s'", property,
                             type);
        return r;
}

static int get_string(struct systemd *s, const char *path, const char *interface,
                      const char *property, char **ret, struct vss_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *text;
        int r = get(s, path, interface, property, "s", &answer, reterr);

        if (r < 0)
                return r;
        if (sd_bus_message_read(answer, "s", &text) < 0)
                return vss_fail(reterr, -EIO, "systemd answers nonsense to '%s'", property);
        *ret = strdup(text);
        return *ret ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");
}

/* ---- questions ---- */

int systemd_load(struct systemd *s, const char *unit, char **ret, struct vss_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *path;
        int r = call(s, unit, MANAGER_PATH, MANAGER, "LoadUnit", &answer, reterr, "s", unit, NULL);

        if (r < 0)
                return r;
        if (sd_bus_message_read(answer, "o", &path) < 0)
                return vss_fail(reterr, -EIO, "systemd answers nonsense to '%s'", unit);
        *ret = strdup(path);
        return *ret ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");
}

int systemd_get(struct systemd *s, const char *path, const char *property, char **ret,
                struct vss_error *reterr) {
        return get_string(s, path, UNIT, property, ret, reterr);
}

int systemd_get_names(struct systemd *s, const char *path, const char *property, struct names *ret,
                      struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *name;
        int r = get(s, path, UNIT, property, "as", &answer, &error), more;

        if (r == -ENODATA)
                return 0;
        if (r < 0) {
                vss_error_move(reterr, &error);
                return r;
        }
        if (sd_bus_message_enter_container(answer, 'a', "s") < 0)
                return vss_fail(reterr, -EIO, "systemd answers nonsense to '%s'", property);
        while ((more = sd_bus_message_read(answer, "s", &name)) > 0)
                if (names_add(ret, name) < 0)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
        return more < 0 ? vss_fail(reterr, -EIO, "systemd answers nonsense to '%s'", property) : 0;
}

int systemd_job_type(struct systemd *s, const char *path, char **ret, struct vss_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const char *job;
        uint32_t id;
        int r = get(s, path, UNIT, "Job", "(uo)", &answer, reterr);

        if (r < 0)
                return r;
        if (sd_bus_message_read(answer, "(uo)", &id, &job) < 0)
                return vss_fail(reterr, -EIO, "systemd answers nonsense to 'Job'");
        /* it may have ended meanwhile */
        if (id == 0 || get_string(s, job, SYSTEMD ".Job", "JobType", ret, &error) < 0)
                *ret = strdup("");
        return *ret ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");
}

/* ---- who lives where ---- */

/* the control group of a process, as systemd counts them; NULL when it has none */
static char *group_of(pid_t pid) {
        _cleanup_fclose_ FILE *file = NULL;
        _cleanup_free_ char *line = NULL;
        char path[40];
        size_t size = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
        file = fopen(path, "re");
        while (file && getline(&line, &size, file) > 0) {
                char *group =
                        strncmp(line, "0::", 3) == 0 ? line + 3 : strstr(line, ":name=systemd:");

                if (!group)
                        continue;
                group += *group == ':' ? strlen(":name=systemd:") : 0;
                group[strcspn(group, "\n")] = '\0';
                if (strcmp(group, "/") != 0)
                        return strdup(group);
        }
        return NULL;
}

static bool lives_in(pid_t pid, const char *group) {
        _cleanup_free_ char *own = pid > 0 ? group_of(pid) : NULL;

        return own && path_is_below(own, group);
}

int systemd_refuse_inhabited(struct systemd *s, const char *path, const char *service,
                             struct vss_error *reterr) {
        const struct service_options *options = s->manager.options;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *group = NULL;
        const char *who = NULL;

        /* units that are no services have no such property, or no processes */
        if (get_string(s, path, SYSTEMD ".Service", "ControlGroup", &group, &error) < 0 || !*group)
                return 0;
        if (lives_in(getpid(), group))
                who = "this program runs";
        if (lives_in(s->coordinator, group))
                who = "the shadow copy service runs";
        for (size_t i = 0; i < options->processes_count; i++)
                if (lives_in(options->processes[i], group))
                        who = "the writer runs";
        return who ? vss_fail(reterr, VSS_E_BAD_STATE,
                              "%s within '%s', or in what is stopped with it ('%s'), and would not "
                              "survive: it cannot be stopped for a restore",
                              who, service, group)
                   : 0;
}

static pid_t find_coordinator(void) {
        sd_bus_creds *creds = NULL;
        sd_bus *bus = NULL;
        pid_t pid = 0;

        if (sd_bus_open_system(&bus) >= 0 &&
            sd_bus_get_name_creds(bus, "org.vss1", SD_BUS_CREDS_PID, &creds) >= 0)
                (void)sd_bus_creds_get_pid(creds, &pid);
        sd_bus_creds_unref(creds);
        sd_bus_close_unref(bus);
        return pid;
}

int systemd_open(const struct service_options *options, struct service_manager **ret,
                 struct vss_error *reterr) {
        struct systemd *s;
        int r;

        if (!options->manager && access("/run/systemd/system", F_OK) < 0)
                return vss_fail(
                        reterr, VSS_E_NOT_SUPPORTED,
                        "no systemd runs here that could stop a service; name a program that "
                        "does it as service_command in [restore] of vss.conf");
        s = calloc(1, sizeof(*s));
        if (!s)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        s->manager = (struct service_manager){ &systemd_ops, options };
        r = open_bus(s);
        if (r < 0) {
                systemd_close(&s->manager);
                return vss_fail(reterr, r, "cannot reach systemd: %s", strerror(-r));
        }
        if (!options->manager)
                s->coordinator = find_coordinator();
        *ret = &s->manager;
        return 0;
}

/* ---- jobs ---- */

int systemd_queue(struct systemd *s, const char *member, const char *unit, const char *mode,
                  struct vss_error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        struct job job = { .is_start = strcmp(member, "StartUnit") == 0 };
        const char *path;
        int r = call(s, unit, MANAGER_PATH, MANAGER, member, &answer, reterr, "ss", unit, mode);

        if (r < 0)
                return r;
        if (sd_bus_message_read(answer, "o", &path) < 0)
                return vss_fail(reterr, -EIO, "systemd answers nonsense to '%s'", member);
        job.path = strdup(path);
        job.unit = strdup(unit);
        if (!job.path || !job.unit || ARRAY_RESERVE(&s->jobs, s->count, &s->capacity) < 0) {
                free(job.path);
                free(job.unit);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        s->jobs[s->count++] = job;
        return 0;
}

static const struct job *unfinished(const struct systemd *s) {
        for (size_t i = 0; i < s->count; i++)
                if (!s->jobs[i].result)
                        return &s->jobs[i];
        return NULL;
}

/* behind a new connection: jobs that are gone have ended, how is seen by their units */
static void look_at_jobs(struct systemd *s) {
        for (size_t i = 0; i < s->count; i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                _cleanup_free_ char *state = NULL, *path = NULL;
                struct job *job = &s->jobs[i];

                if (job->result ||
                    get_string(s, job->path, SYSTEMD ".Job", "State", &state, &error) >= 0)
                        continue;
                if (systemd_load(s, job->unit, &path, &error) >= 0 &&
                    systemd_get(s, path, "ActiveState", &state, &error) >= 0)
                        job->result = strdup(
                                job->is_start && strcmp(state, "failed") == 0 ? "failed" : "done");
        }
}

static int too_late(struct systemd *s, const struct job *job, struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL, *state = NULL, *sub = NULL;

        if (systemd_load(s, job->unit, &path, NULL) < 0 ||
            systemd_get(s, path, "ActiveState", &state, NULL) < 0 ||
            systemd_get(s, path, "SubState", &sub, NULL) < 0)
                state = NULL;
        return vss_fail(
                reterr, -ETIMEDOUT,
                "'%s' does not %s: it is %s (%s) after %llu s; see 'systemctl status %s'. "
                "service_timeout in [restore] of vss.conf is how long to wait",
                job->unit, job->is_start ? "start" : "stop", state ? state : "unknown",
                state ? sub : "unknown",
                (unsigned long long)(s->manager.options->settings->service_timeout_us / 1000000),
                job->unit);
}

static int results(struct systemd *s, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; i < s->count; i++) {
                const struct job *job = &s->jobs[i];

                if (strcmp(job->result, "done") != 0 && strcmp(job->result, "skipped") != 0)
                        r = vss_fail(reterr, -EIO,
                                     "'%s' cannot be %s (%s): see 'systemctl status %s' and "
                                     "'journalctl -u %s'",
                                     job->unit, job->is_start ? "started again" : "stopped",
                                     job->result, job->unit, job->unit);
        }
        systemd_forget_jobs(s);
        return r;
}

int systemd_wait(struct systemd *s, bool stopping, uint64_t deadline_us, struct vss_error *reterr) {
        const struct service_options *options = s->manager.options;
        const struct job *job;

        while ((job = unfinished(s))) {
                int r = sd_bus_process(s->bus, NULL);

                if (r == 0 && stopping && options->go_on) {
                        r = options->go_on(options->userdata);
                        if (r < 0)
                                return vss_fail(reterr, r, "interrupted while '%s' was stopping",
                                                job->unit);
                        r = 0;
                }
                if (r == 0 && monotonic_us() >= deadline_us)
                        return too_late(s, job, reterr);
                if (r == 0)
                        r = sd_bus_wait(s->bus, PATIENCE_US);
                if (r == -EINTR)
                        continue;
                if (r < 0) {
                        r = reconnect(s, reterr);
                        if (r < 0)
                                return r;
                        look_at_jobs(s);
                }
        }
        return results(s, reterr);
}
