/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "backup/fake-systemd.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/check.h"

#define UNIT_PATH "/org/freedesktop/systemd1/unit/u"
#define JOB_PATH "/org/freedesktop/systemd1/job/"

enum { JOBS = 4096, CONNECTIONS = 64 };

struct fake_job {
        bool is_live, is_start;
        size_t unit;
};

static struct {
        pthread_t thread;
        pthread_mutex_t lock; /* of all that follows */
        sd_event *event;
        int listening, wake[2];
        struct fake_unit *units;
        struct fake_job jobs[JOBS];
        unsigned job_count, delay_ms;
        bool reexec;
        char log[8192];
        sd_bus *connections[CONNECTIONS];
        size_t connection_count;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t index_of(const char *name) {
        for (size_t i = 0; fake.units[i].name; i++)
                if (strcmp(fake.units[i].name, name) == 0)
                        return fake.units[i].alias_of ? index_of(fake.units[i].alias_of) : i;
        return SIZE_MAX;
}

struct fake_unit *fake_find(const char *name) {
        size_t i = index_of(name);

        CHECK(i != SIZE_MAX);
        return &fake.units[i];
}

static void note(const char *verb, const char *unit, const char *mode) {
        size_t n = strlen(fake.log);

        snprintf(fake.log + n, sizeof(fake.log) - n, "%s %s%s%s; ", verb, unit, *mode ? "/" : "",
                 mode);
}

/* ---- jobs ---- */

static void job_removed(unsigned id, const char *result) {
        struct fake_job *job = &fake.jobs[id];
        char path[64];

        job->is_live = false;
        snprintf(path, sizeof(path), JOB_PATH "%u", id);
        for (size_t i = 0; i < fake.connection_count; i++)
                if (fake.connections[i])
                        (void)sd_bus_emit_signal(fake.connections[i], "/org/freedesktop/systemd1",
                                                 "org.freedesktop.systemd1.Manager", "JobRemoved",
                                                 "uoss", id, path, fake.units[job->unit].name,
                                                 result);
}

static void stop_unit(size_t at) {
        struct fake_unit *unit = &fake.units[at];
        char list[512], *rest = list, *name;

        unit->active = unit->comes_back;
        unit->starting = false;
        snprintf(list, sizeof(list), "%s", unit->required_by ? unit->required_by : "");
        while ((name = strsep(&rest, " ")))
                if (*name && fake_find(name)->active)
                        stop_unit(index_of(name));
}

static int job_ends(sd_event_source *source, uint64_t usec, void *userdata) {
        unsigned id = (unsigned)(uintptr_t)userdata;
        struct fake_job *job = &fake.jobs[id];
        struct fake_unit *unit;
        bool fails;

        sd_event_source_unref(source);
        pthread_mutex_lock(&fake.lock);
        if (job->is_live) {
                unit = &fake.units[job->unit];
                fails = job->is_start ? unit->start_fails : unit->stop_fails;
                if (!fails && job->is_start)
                        unit->active = true;
                else if (!fails)
                        stop_unit(job->unit);
                unit->failed = fails;
                job_removed(id, fails ? "failed" : "done");
        }
        pthread_mutex_unlock(&fake.lock);
        return 0;
}

static void drop_connections(void) {
        for (size_t i = 0; i < fake.connection_count; i++)
                sd_bus_close(fake.connections[i]); /* released when the next one comes */
}

static unsigned add_job(size_t unit, bool is_start) {
        unsigned id = ++fake.job_count;

        CHECK(id < JOBS);
        /* the later one of two is what counts */
        for (unsigned i = 1; i < id; i++)
                if (fake.jobs[i].is_live && fake.jobs[i].unit == unit)
                        job_removed(i, "canceled");
        fake.jobs[id] = (struct fake_job){ true, is_start, unit };
        if (is_start || !fake.units[unit].stop_hangs) {
                sd_event_source *source = NULL;

                CHECK(sd_event_add_time_relative(fake.event, &source, CLOCK_MONOTONIC,
                                                 fake.delay_ms * 1000, 1, job_ends,
                                                 (void *)(uintptr_t)id) >= 0);
        }
        return id;
}

/* ---- answers ---- */

static int answer_job(sd_bus_message *message, bool is_start) {
        const char *name, *mode;
        char path[64];
        size_t at;

        CHECK(sd_bus_message_read(message, "ss", &name, &mode) > 0);
        at = index_of(name);
        if (at == SIZE_MAX)
                return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit",
                                                  "Unit %s not loaded.", name);
        note(is_start ? "start" : "stop", name, is_start ? mode : "");
        snprintf(path, sizeof(path), JOB_PATH "%u", add_job(at, is_start));
        return sd_bus_reply_method_return(message, "o", path);
}

static int answer_load(sd_bus_message *message) {
        const char *name;
        char path[64];
        size_t at;

        CHECK(sd_bus_message_read(message, "s", &name) > 0);
        at = index_of(name);
        if (at == SIZE_MAX)
                return sd_bus_reply_method_return(message, "o", UNIT_PATH "none");
        snprintf(path, sizeof(path), UNIT_PATH "%zu", at);
        return sd_bus_reply_method_return(message, "o", path);
}

static int answer_list(sd_bus_message *message, const char *list) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        char copy[512], *rest = copy, *name;

        snprintf(copy, sizeof(copy), "%s", list ? list : "");
        CHECK(sd_bus_message_new_method_return(message, &answer) >= 0);
        CHECK(sd_bus_message_open_container(answer, 'v', "as") >= 0);
        CHECK(sd_bus_message_open_container(answer, 'a', "s") >= 0);
        while ((name = strsep(&rest, " ")))
                if (*name)
                        CHECK(sd_bus_message_append(answer, "s", name) >= 0);
        CHECK(sd_bus_message_close_container(answer) >= 0);
        CHECK(sd_bus_message_close_container(answer) >= 0);
        return sd_bus_send(NULL, answer, NULL);
}

static int answer_text(sd_bus_message *message, const char *text) {
        return sd_bus_reply_method_return(message, "v", "s", text);
}

static int answer_own_job(sd_bus_message *message, size_t at) {
        char path[64] = "/";
        unsigned found = 0;

        for (unsigned i = 1; i <= fake.job_count; i++)
                if (fake.jobs[i].is_live && fake.jobs[i].unit == at)
                        found = i;
        if (!found && fake.units[at].starting) {
                found = JOBS - 1; /* one that never ends by itself */
                fake.jobs[found] = (struct fake_job){ true, true, at };
        }
        if (found)
                snprintf(path, sizeof(path), JOB_PATH "%u", found);
        return sd_bus_reply_method_return(message, "v", "(uo)", found, path);
}

static int answer_job_property(sd_bus_message *message, unsigned id, const char *property) {
        if (id == 0 || id >= JOBS || !fake.jobs[id].is_live)
                return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_UNKNOWN_OBJECT, "no job");
        if (strcmp(property, "JobType") == 0)
                return answer_text(message, fake.jobs[id].is_start ? "start" : "stop");
        return answer_text(message, "running");
}

static int answer_property(sd_bus_message *message) {
        const char *path = sd_bus_message_get_path(message), *interface, *property;
        const struct fake_unit *unit;
        unsigned at;

        CHECK(sd_bus_message_read(message, "ss", &interface, &property) > 0);
        if (sscanf(path, JOB_PATH "%u", &at) == 1)
                return answer_job_property(message, at, property);
        if (sscanf(path, UNIT_PATH "%u", &at) != 1)
                return answer_text(message, strcmp(property, "LoadState") == 0 ? "not-found" : "");
        unit = &fake.units[at];
        if (strcmp(property, "Id") == 0)
                return answer_text(message, unit->name);
        if (strcmp(property, "LoadState") == 0)
                return answer_text(message, unit->load ? unit->load : "loaded");
        if (strcmp(property, "ActiveState") == 0)
                return answer_text(message, unit->active   ? "active"
                                            : unit->failed ? "failed"
                                                           : "inactive");
        if (strcmp(property, "SubState") == 0)
                return answer_text(message, unit->active ? "running" : "dead");
        if (strcmp(property, "ControlGroup") == 0)
                return answer_text(message, unit->group ? unit->group : "");
        if (strcmp(property, "Job") == 0)
                return answer_own_job(message, at);
        if (strcmp(property, "TriggeredBy") == 0)
                return answer_list(message, unit->triggered_by);
        if (strcmp(property, "RequiredBy") == 0)
                return answer_list(message, unit->required_by);
        if (strcmp(property, "PropagatesStopTo") == 0) /* of newer ones */
                return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_UNKNOWN_PROPERTY, "old");
        return answer_list(message, "");
}

static int on_message(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        int r = 1;

        pthread_mutex_lock(&fake.lock);
        if (sd_bus_message_is_method_call(message, NULL, "LoadUnit"))
                r = answer_load(message);
        else if (sd_bus_message_is_method_call(message, NULL, "StopUnit"))
                r = answer_job(message, false);
        else if (sd_bus_message_is_method_call(message, NULL, "StartUnit"))
                r = answer_job(message, true);
        else if (sd_bus_message_is_method_call(message, NULL, "Get"))
                r = answer_property(message);
        if (fake.reexec && sd_bus_message_is_method_call(message, NULL, "StopUnit")) {
                fake.reexec = false;
                (void)sd_bus_flush(sd_bus_message_get_bus(message));
                drop_connections();
        }
        pthread_mutex_unlock(&fake.lock);
        return r < 0 ? r : 1;
}

/* ---- the thread ---- */

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        sd_id128_t id;
        sd_bus *bus;

        CHECK(client >= 0 && sd_id128_randomize(&id) >= 0);
        CHECK(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, client, client) >= 0);
        CHECK(sd_bus_set_server(bus, true, id) >= 0 && sd_bus_set_anonymous(bus, true) >= 0);
        CHECK(sd_bus_add_filter(bus, NULL, on_message, NULL) >= 0);
        if (sd_bus_start(bus) < 0) { /* a client that was killed meanwhile */
                sd_bus_close_unref(bus);
                return 0;
        }
        CHECK(sd_bus_attach_event(bus, fake.event, 0) >= 0);
        pthread_mutex_lock(&fake.lock);
        /* those that are over make room */
        for (size_t i = 0; i < fake.connection_count;)
                if (sd_bus_is_open(fake.connections[i]) <= 0) {
                        sd_bus_detach_event(fake.connections[i]);
                        sd_bus_unref(fake.connections[i]);
                        fake.connections[i] = fake.connections[--fake.connection_count];
                } else
                        i++;
        CHECK(fake.connection_count < CONNECTIONS);
        fake.connections[fake.connection_count++] = bus;
        pthread_mutex_unlock(&fake.lock);
        return 0;
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        return sd_event_exit(fake.event, 0);
}

static void *serve(void *nothing) {
        CHECK(sd_event_loop(fake.event) >= 0);
        for (size_t i = 0; i < fake.connection_count; i++) {
                sd_bus_detach_event(fake.connections[i]);
                sd_bus_close_unref(fake.connections[i]);
        }
        sd_event_unref(fake.event);
        return NULL;
}

void fake_start(const char *path, struct fake_unit *units) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        fake.units = units;
        fake.listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_INT(bind(fake.listening, (struct sockaddr *)&address, sizeof(address)), 0);
        CHECK_INT(listen(fake.listening, 16), 0);
        CHECK_INT(pipe(fake.wake), 0);
        CHECK(sd_event_new(&fake.event) >= 0);
        CHECK(sd_event_add_io(fake.event, NULL, fake.listening, EPOLLIN, on_connection, NULL) >= 0);
        CHECK(sd_event_add_io(fake.event, NULL, fake.wake[0], EPOLLIN, on_wake, NULL) >= 0);
        CHECK_INT(pthread_create(&fake.thread, NULL, serve, NULL), 0);
}

void fake_stop(void) {
        CHECK_INT(write(fake.wake[1], "x", 1), 1);
        CHECK_INT(pthread_join(fake.thread, NULL), 0);
        close(fake.listening);
        close(fake.wake[0]);
        close(fake.wake[1]);
}

void fake_reset(void) {
        pthread_mutex_lock(&fake.lock);
        for (struct fake_unit *unit = fake.units; unit->name; unit++) {
                unit->active = unit->was_active;
                unit->failed = unit->stop_hangs = unit->stop_fails = unit->start_fails = false;
                unit->comes_back = unit->starting = false;
                unit->group = NULL;
        }
        for (unsigned i = 0; i < JOBS; i++)
                fake.jobs[i].is_live = false;
        /* numbers go on: a late end of a former job finds its own */
        if (fake.job_count > JOBS / 2)
                fake.job_count = 0;
        *fake.log = '\0';
        fake.delay_ms = 0;
        fake.reexec = false;
        pthread_mutex_unlock(&fake.lock);
}

const char *fake_log(void) {
        return fake.log;
}

void fake_delay(unsigned ms) {
        fake.delay_ms = ms;
}

void fake_reexec(void) {
        fake.reexec = true;
}
