/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c - the coordinator's ports of clock, records, slot and notice, and the service's life.
 */
#define _GNU_SOURCE
#include "bus/server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "bus/authorize.h"
#include "bus/hold-port.h"
#include "bus/names.h"
#include "bus/participant.h"
#include "bus/session-object.h"
#include "config.h"

/* ---- words ---- */

static void print_line(enum log_level level, const char *line) {
        /* a journal takes the level from a prefix */
        if (getenv("JOURNAL_STREAM"))
                fprintf(stderr, "<%d>vssd: %s\n", (int)level, line);
        else
                fprintf(stderr, "vssd: %s\n", line);
}

static void flush_log(struct server *server) {
        for (size_t i = 0; i < server->log.count; i++)
                print_line((enum log_level)server->log.items[i][0], server->log.items[i] + 1);
        words_done(&server->log);
}

/* The log may lie on a file system that is just being held: then nothing is written (S-30). */
void server_log(struct server *server, enum log_level level, const char *format, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;
        int r;

        if (level > WORDS_NOTICE && !server->debug)
                return;
        if (server->private && level > WORDS_WARNING && !server->debug)
                return;
        va_start(ap, format);
        r = vasprintf(&line, format, ap);
        va_end(ap);
        if (r < 0) {
                line = NULL;
                return;
        }
        if (server->coordinator && coordinator_held(server->coordinator))
                (void)words_add(&server->log, "%c%s", (char)level, line);
        else
                print_line(level, line);
}

/* ---- clock ---- */

static uint64_t op_now_us(void *userdata) {
        return monotonic_us();
}

static vss_timestamp_t op_timestamp(void *userdata) {
        return vss_timestamp_now();
}

static void op_arm(void *userdata, uint64_t at_us) {
        struct server *server = userdata;

        server->armed_us = at_us;
        if (at_us != UINT64_MAX)
                (void)sd_event_source_set_time(server->timer, at_us);
        (void)sd_event_source_set_enabled(server->timer,
                                          at_us == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static const struct clock_ops clock_ops = { op_now_us, op_timestamp, op_arm };

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct server *server = userdata;

        coordinator_run_timers(server->coordinator);
        return 0;
}

/* ---- notice ---- */

static void op_progress(void *userdata, struct operation *operation, const char *phase,
                        const char *who) {
        operation_progress(userdata, operation, phase, who);
}

static void op_completed(void *userdata, struct operation *operation, int code, const char *words) {
        operation_completed(userdata, operation, code, words);
}

/* is_told() - who gathers writers hears with the result why one is left out, and what a writer
 * rejects with its status; not so what happens when that was asked for the last time */
static bool is_told(const struct log_record *record) {
        static const char *const early[] = { "load", "identify" };
        static const char *const rejected[] = { "prepare_backup", "prepare_snapshot", "freeze",
                                                "thaw",           "post_snapshot",    "pre_restore",
                                                "post_restore" };
        bool told = false;

        for (size_t i = 0; i < ELEMENTSOF(early); i++)
                told = told || strcmp(record->phase, early[i]) == 0;
        for (size_t i = 0; record->code && i < ELEMENTSOF(rejected); i++)
                told = told || strcmp(record->phase, rejected[i]) == 0;
        return told && !vss_id_is_null(&record->session_id);
}

/* B-161: what an administrator needs to find the writer; a requester that has a service of its own
 * sees it with the writer's status */
static void log_rejected(struct server *server, const struct log_record *record) {
        char class[VSS_ID_TEXT_SIZE], instance[VSS_ID_TEXT_SIZE], session[VSS_ID_TEXT_SIZE];

        server_log(server, record->level,
                   "%s: event %s failed with %s (class %s, instance %s, session %s)", record->who,
                   record->phase, vss_error_name(record->code),
                   vss_id_format(&record->writer_id, class),
                   vss_id_format(&record->instance_id, instance),
                   vss_id_format(&record->session_id, session));
}

static void op_log(void *userdata, const struct log_record *record) {
        struct server *server = userdata;
        char set[VSS_ID_TEXT_SIZE] = "";

        if (server->private && is_told(record) && !server->debug)
                return;
        if (!vss_id_is_null(&record->set_id))
                vss_id_format(&record->set_id, set);
        server_log(userdata, record->level, "%s%s%s%s%s%s%s", *set ? "set " : "", set,
                   *set ? ": " : "", record->who, *record->who ? ": " : "", record->message, "");
        if (record->code && (!server->private || server->debug))
                log_rejected(server, record);
}

static const struct notice_ops notice_ops = { op_progress, op_completed, op_log };

/* ---- records and slot: plugged in, with our own duties beside ---- */

static int op_write(void *userdata, const struct set_record *record, struct vss_error *reterr) {
        struct server *server = userdata;

        return server->store.records->write(server->store.userdata, record, reterr);
}

static int op_remove(void *userdata, const struct vss_id *set_id, uint32_t context,
                     struct vss_error *reterr) {
        struct server *server = userdata;

        return server->store.records->remove(server->store.userdata, set_id, context, reterr);
}

static bool op_is_elsewhere(void *userdata, const struct vss_id *set_id, uint32_t context) {
        struct server *server = userdata;

        return server->store.records->is_elsewhere(server->store.userdata, set_id, context);
}

static const struct record_ops record_ops = { op_write, op_remove, op_is_elsewhere };

static int op_acquire(void *userdata, const struct vss_id *session_id, struct vss_error *reterr) {
        struct server *server = userdata;

        return server->store.slot->acquire(server->store.userdata, session_id, reterr);
}

/* No set is being created any more: a vss-hold that was prepared and never froze can go. */
static void op_release(void *userdata) {
        struct server *server = userdata;

        hold_port_kill(server);
        server->store.slot->release(server->store.userdata);
}

static const struct slot_ops slot_ops = { op_acquire, op_release };

/* ---- probes that have to wait ---- */

struct pending_probe {
        struct probe *probe;
        struct pending_probe *next;
};

static int keep_for_later(struct server *server, struct probe *take_probe) {
        struct pending_probe *pending = calloc(1, sizeof(*pending)), **last = &server->probes;

        if (!pending) {
                probe_free(take_probe);
                return -ENOMEM;
        }
        pending->probe = take_probe;
        while (*last)
                last = &(*last)->next;
        *last = pending;
        return 0;
}

int server_probe(struct server *server, const struct probe_question *questions, size_t count,
                 probe_answer_t answer, void *userdata) {
        const char *skip[] = { server->settings.runtime_dir, server->settings.state_dir, NULL };
        struct probe *probe;
        int r = probe_new(server->event, server->settings.probe_us, questions, count, skip, answer,
                          userdata, &probe);

        if (r < 0)
                return r;
        if (coordinator_held(server->coordinator))
                return keep_for_later(server, probe);
        probe_run(probe);
        return 0;
}

static void run_pending_probes(struct server *server) {
        while (server->probes) {
                struct pending_probe *pending = server->probes;

                server->probes = pending->next;
                probe_run(pending->probe);
                free(pending);
        }
}

/* ---- after each event ---- */

static bool is_idle(const struct server *server) {
        return !server->sessions && !participants_connected(server) &&
               !coordinator_busy(server->coordinator);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
        struct server *server = userdata;

        if (is_idle(server)) {
                server_log(server, WORDS_NOTICE,
                           "nobody uses the service; it ends until it is "
                           "needed");
                server_end(server);
        }
        return 0;
}

static void watch_idle(struct server *server) {
        if (!server->idle)
                return;
        if (!is_idle(server))
                (void)sd_event_source_set_enabled(server->idle, SD_EVENT_OFF);
        else if (sd_event_source_get_enabled(server->idle, NULL) == 0) {
                (void)sd_event_source_set_time(server->idle,
                                               monotonic_us() + server->settings.idle_us);
                (void)sd_event_source_set_enabled(server->idle, SD_EVENT_ONESHOT);
        }
}

static int on_post(sd_event_source *source, void *userdata) {
        struct server *server = userdata;

        if (coordinator_held(server->coordinator))
                return 0;
        flush_log(server);
        run_pending_probes(server);
        watch_idle(server);
        if (!server->ending || coordinator_busy(server->coordinator))
                return 0;
        /* All sessions are released, nothing is held: let participants go, then end. */
        participants_end(server);
        if (child_count() == 0)
                return sd_event_exit(server->event, 0);
        return 0;
}

/* ---- life ---- */

static void warn_of_all(struct server *server) {
        for (size_t i = 0; i < server->settings.warnings.count; i++)
                server_log(server, WORDS_WARNING, "%s", server->settings.warnings.items[i]);
        for (size_t i = 0; !server->private && i < server->settings.left_out.count; i++)
                server_log(server, WORDS_WARNING, "%s", server->settings.left_out.items[i]);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        server_end(userdata);
        return 0;
}

static int watch_signals(struct server *server, struct vss_error *reterr) {
        static const int ends[] = { SIGTERM, SIGINT };
        sigset_t set;
        int r = 0;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return vss_fail(reterr, -errno, "cannot block signals: %m");
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; r >= 0 && i < sizeof(ends) / sizeof(*ends); i++)
                r = sd_event_add_signal(server->event, NULL, ends[i], on_signal, server);
        return r < 0 ? vss_fail(reterr, r, "cannot watch signals: %s", strerror(-r)) : 0;
}

int server_new(const struct server_options *options, struct server **ret,
               struct vss_error *reterr) {
        struct server *server = calloc(1, sizeof(*server));
        int r;

        if (!server)
                return -ENOMEM;
        server->debug = options->debug;
        r = settings_read(&server->settings, options->config_dir, reterr);
        if (r >= 0)
                r = programs_read(&server->programs, options->config_dir, &server->settings);
        if (r >= 0)
                r = sd_event_new(&server->event);
        if (r >= 0)
                r = sd_event_add_time(server->event, &server->timer, CLOCK_MONOTONIC, 0, 1000,
                                      on_timer, server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
        if (r < 0) {
                server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

int server_open(struct server *server, const struct server_store *store, struct vss_error *reterr) {
        const struct ports ports = { .userdata = server,
                                     .clock = &clock_ops,
                                     .party = &participant_ops,
                                     .records = &record_ops,
                                     .slot = &slot_ops,
                                     .notice = &notice_ops };
        int r;

        server->store = *store;
        r = coordinator_new(&ports, &server->settings.coordinator, &server->coordinator);
        if (r >= 0)
                r = sd_event_add_post(server->event, &server->post, on_post, server);
        if (r >= 0)
                r = participants_add_programs(server, reterr);
        if (r >= 0 && geteuid() == 0)
                r = hold_port_new(server);
        if (r >= 0)
                warn_of_all(server);
        return r < 0 ? r : 0;
}

struct server *server_free(struct server *server) {
        if (!server)
                return NULL;
        server->coordinator = coordinator_free(server->coordinator);
        while (server->participants) /* whom the coordinator never knew */
                participant_ops.gone(server, server->participants->kind, server->participants);
        hold_port_free(server);
        sd_bus_flush_close_unref(server->bus);
        sd_event_source_disable_unref(server->timer);
        sd_event_source_disable_unref(server->post);
        sd_event_source_disable_unref(server->idle);
        sd_event_unref(server->event);
        flush_log(server);
        programs_done(&server->programs);
        settings_done(&server->settings);
        free(server);
        return NULL;
}

void server_end(struct server *server) {
        if (server->ending)
                return;
        server->ending = true;
        session_objects_end(server);
}

int server_run(struct server *server) {
        int r = sd_event_loop(server->event);

        return r < 0 ? r : 0;
}

/* ---- who is served ---- */

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct server *server = userdata;

        if (!server->private)
                server_log(server, WORDS_ERROR, "the bus is gone; everything is released");
        server_end(server);
        return 0;
}

static int serve(struct server *server, struct vss_error *reterr) {
        static const char match[] = "type='signal',sender='org.freedesktop.DBus.Local',"
                                    "path='/org/freedesktop/DBus/Local',"
                                    "interface='org.freedesktop.DBus.Local',member='Disconnected'";
        int r = watch_signals(server, reterr);

        if (r >= 0)
                r = manager_export(server, server->bus);
        if (r >= 0)
                r = session_export(server, server->bus);
        if (r >= 0)
                r = operation_export(server, server->bus);
        if (r >= 0)
                r = sd_bus_add_match(server->bus, NULL, match, on_disconnected, server);
        if (r >= 0)
                r = sd_bus_attach_event(server->bus, server->event, SD_EVENT_PRIORITY_NORMAL);
        return r < 0 ? r : 0;
}

int server_serve_fd(struct server *server, int fd, struct vss_error *reterr) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        int r;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return vss_fail(reterr, -errno,
                                "descriptor %d is no socket; a private service is started by a "
                                "program that uses libvss, not by hand",
                                fd);
        server->private = true;
        server->peer_uid = peer.uid;
        r = wire_connect(fd, true, &server->bus);
        if (r >= 0)
                r = serve(server, reterr);
        return r < 0 ? vss_wrap(reterr, r, "cannot serve descriptor %d", fd) : 0;
}

static int connect_bus(const char *where, sd_bus **ret) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if (strcmp(where, "system") == 0)
                return sd_bus_open_system(ret);
        if (strcmp(where, "session") == 0)
                return sd_bus_open_user(ret);
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, where);
        if (r >= 0)
                r = sd_bus_set_bus_client(bus, 1);
        if (r >= 0)
                r = sd_bus_start(bus);
        if (r >= 0)
                *ret = take(bus);
        return r;
}

int server_serve_bus(struct server *server, const char *where, struct vss_error *reterr) {
        int r = connect_bus(where, &server->bus);

        if (r < 0)
                return vss_fail(reterr, r, "cannot connect to the bus '%s': %s", where,
                                strerror(-r));
        r = serve(server, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "cannot serve the bus '%s'", where);
        r = sd_bus_request_name(server->bus, VSS_BUS_NAME, 0);
        if (r < 0)
                return vss_fail(reterr, r,
                                "cannot take the name '%s' on the bus '%s': %s; is another vssd "
                                "running, and does the bus policy allow it?",
                                VSS_BUS_NAME, where, strerror(-r));
        r = sd_event_add_time(server->event, &server->idle, CLOCK_MONOTONIC, 0, 1000000, on_idle,
                              server);
        if (r >= 0)
                r = sd_event_source_set_enabled(server->idle, SD_EVENT_OFF);
        return r < 0 ? r : 0;
}
