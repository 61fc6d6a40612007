/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * participant.c - starting, calling and losing writers and providers.
 *
 * A process that ends is heard of twice, by its connection and by its pidfd. What it had said
 * before is read first; then it is dead once, with the better words.
 */
#define _GNU_SOURCE
#include "bus/participant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"
#include "bus/hold-port.h"
#include "bus/names.h"

enum {
        GRACE_US = 10000000, /* for a process whose connection was closed: abort, unload, end */
        CLOSING_US = 200000, /* between the end of a connection and that of its process */
        PRIORITY = SD_EVENT_PRIORITY_NORMAL - 10 /* participants before requesters */
};

/* ---- pending calls ---- */

static void pending_free(struct pending *pending) {
        struct pending **p = &pending->participant->pending;

        while (*p && *p != pending)
                p = &(*p)->next;
        if (*p)
                *p = pending->next;
        sd_bus_slot_unref(pending->slot);
        free(pending);
}

static void answer_failure(struct server *server, uint64_t ticket, int code,
                           const struct vss_error *error) {
        struct answer answer = ANSWER_INIT;

        answer.result = code;
        answer.message = vss_error_message(error);
        coordinator_answer(server->coordinator, ticket, &answer);
}

static int send_load(struct participant *p, uint64_t ticket, const struct call *call);

/* Answers what @reply brings. A connection's end is told by the participant's death instead. */
static void deliver(struct participant *p, enum verb verb, uint64_t ticket, sd_bus_message *reply) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        int r;

        if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) && sd_bus_is_open(p->bus) <= 0)
                return;
        if (e) {
                r = wire_get_error(e, &error);
                answer_failure(p->server, ticket, r, &error);
                return;
        }
        r = p->kind == PARTY_WRITER ? writer_deliver(p->server, verb, ticket, reply)
                                    : provider_deliver(p->server, verb, ticket, reply);
        if (r < 0) {
                r = vss_fail(&error,
                             p->kind == PARTY_WRITER ? VSS_E_UNEXPECTED_WRITER_ERROR
                                                     : VSS_E_UNEXPECTED_PROVIDER_ERROR,
                             "'%s' answered %s with something that makes no sense: %s", p->name,
                             verb_name(verb), strerror(-r));
                answer_failure(p->server, ticket, r, &error);
        }
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        struct pending *pending = userdata;
        struct participant *p = pending->participant;
        uint64_t ticket = pending->ticket;
        enum verb verb = pending->verb;

        pending_free(pending);
        deliver(p, verb, ticket, reply);
        return 0;
}

static struct pending *find_load(const struct participant *p) {
        struct pending *pending = p->pending;

        while (pending && pending->verb != VERB_LOAD)
                pending = pending->next;
        return pending;
}

/* Several may have asked for the same start: one answer is for all of them. */
static int on_loaded(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        struct participant *p = ((struct pending *)userdata)->participant;
        struct pending *pending;

        while ((pending = find_load(p))) {
                uint64_t ticket = pending->ticket;

                pending_free(pending);
                (void)sd_bus_message_rewind(reply, 1);
                deliver(p, VERB_LOAD, ticket, reply);
        }
        return 0;
}

static struct pending *pending_new(struct participant *p, uint64_t ticket, enum verb verb) {
        struct pending *pending = calloc(1, sizeof(*pending));

        if (!pending)
                return NULL;
        *pending = (struct pending){ p, ticket, verb, NULL, p->pending };
        p->pending = pending;
        return pending;
}

static int send_call(struct participant *p, uint64_t ticket, enum verb verb, sd_bus_message *m,
                     sd_bus_message_handler_t handler) {
        struct pending *pending = pending_new(p, ticket, verb);
        int r;

        if (!pending)
                return -ENOMEM;
        r = sd_bus_call_async(p->bus, &pending->slot, m, handler, pending, VSS_BUS_FOREVER);
        if (r < 0)
                pending_free(pending);
        return r < 0 ? r : 0;
}

/* ---- end ---- */

/* After this it does not run; the party stays. */
static void participant_stop(struct participant *p, uint64_t grace_us) {
        sd_bus *bus = take(p->bus);

        p->closing = sd_event_source_disable_unref(p->closing);
        while (p->pending)
                pending_free(p->pending);
        p->track = sd_bus_track_unref(p->track);
        if (p->program)
                sd_bus_close_unref(bus);
        else
                sd_bus_unref(bus);
        p->child = child_leave(p->child, grace_us);
}

static void participant_died(struct participant *p, const char *words) {
        if (!p->bus)
                return;
        participant_stop(p, GRACE_US);
        coordinator_party_died(p->server->coordinator, p->party, words);
}

static int on_closing(sd_event_source *source, uint64_t usec, void *userdata) {
        participant_died(userdata, "closed its connection");
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct participant *p = userdata;

        if (p->closing || !p->child)
                return 0;
        /* its pidfd knows more, and is about to say it */
        if (sd_event_add_time(p->server->event, &p->closing, CLOCK_MONOTONIC,
                              monotonic_us() + CLOSING_US, 10000, on_closing, p) < 0)
                participant_died(p, "closed its connection");
        return 0;
}

static void on_exited(void *userdata, int status, const char *words) {
        struct participant *p = userdata;
        sd_bus *bus = sd_bus_ref(p->bus);

        p->child = NULL;
        while (bus && p->bus == bus && sd_bus_process(bus, NULL) > 0)
                ;
        /* what it had said may have led to its end already, and to a new life */
        if (p->bus == bus)
                participant_died(p, words);
        sd_bus_unref(bus);
}

/* ---- start ---- */

static int spawn(struct participant *p, int fd) {
        _cleanup_free_ char *host = layout_program("vss-host");
        const char *option = p->kind == PARTY_WRITER ? "--writer" : "--provider";
        char *hosted[] = { host, (char *)(uintptr_t)option, p->program->path, NULL };
        char *itself[] = { p->program->path, NULL };

        if (!host)
                return -ENOMEM;
        return child_start(p->server->event, p->program->plugin ? host : p->program->path,
                           p->program->plugin ? hosted : itself, fd,
                           PROCESS_NULL_STDIO | PROCESS_NEW_SESSION, on_exited, p, &p->child);
}

static int connect_to(struct participant *p, int fd) {
        static const char match[] = "type='signal',sender='org.freedesktop.DBus.Local',"
                                    "path='/org/freedesktop/DBus/Local',"
                                    "interface='org.freedesktop.DBus.Local',member='Disconnected'";
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = wire_connect(fd, true, &bus);

        if (r >= 0)
                r = sd_bus_add_match(bus, NULL, match, on_disconnected, p);
        if (r >= 0)
                r = sd_bus_attach_event(bus, p->server->event, PRIORITY);
        if (r < 0)
                return r;
        p->bus = take(bus);
        return 0;
}

static int participant_start(struct participant *p) {
        _cleanup_close_ int theirs = -1;
        int fds[2], r;

        participant_stop(p, GRACE_US); /* a former life that is still about to end */
        r = socketpair_cloexec(fds);
        if (r < 0)
                return r;
        theirs = fds[1];
        r = connect_to(p, fds[0]);
        if (r >= 0)
                r = spawn(p, theirs);
        if (r < 0)
                participant_stop(p, 0);
        return r;
}

static int append_writer_settings(sd_bus_message *m, const struct plugin_settings *settings) {
        int r = sd_bus_message_open_container(m, 'a', "(sss)");

        for (size_t i = 0; r >= 0 && i < settings->count; i++)
                r = sd_bus_message_append(m, "(sss)", settings->items[i].section,
                                          settings->items[i].key, settings->items[i].value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : wire_append_options(m);
}

static int append_provider_settings(sd_bus_message *m, const struct plugin_settings *settings) {
        struct wire_request request = { 0 };
        _cleanup_free_ char **pairs = calloc(2 * settings->count + 1, sizeof(*pairs));

        if (!pairs)
                return -ENOMEM;
        for (size_t i = 0; i < settings->count; i++) {
                pairs[2 * i] = settings->items[i].key;
                pairs[2 * i + 1] = settings->items[i].value;
        }
        request.settings = pairs;
        return wire_append(m, &wire_request, &request);
}

static int on_configured(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        struct pending *pending = userdata;
        struct participant *p = pending->participant;
        struct call call = { .verb = VERB_LOAD, .document = -1 };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        uint64_t ticket = pending->ticket;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL))
                return on_loaded(reply, userdata, reterr);
        pending_free(pending);
        r = send_load(p, ticket, &call);
        if (r < 0)
                answer_failure(p->server, ticket, vss_fail(&error, r, "%s", strerror(-r)), &error);
        return 0;
}

static int configure(struct participant *p, uint64_t ticket) {
        _cleanup_message_ sd_bus_message *m = NULL;
        const char *interface =
                p->kind == PARTY_WRITER ? VSS_WRITER_INTERFACE : VSS_PROVIDER_INTERFACE;
        int r = sd_bus_message_new_method_call(p->bus, &m, NULL, p->path, interface, "Configure");

        if (r < 0)
                return r;
        r = p->kind == PARTY_WRITER ? append_writer_settings(m, &p->program->settings)
                                    : append_provider_settings(m, &p->program->settings);
        return r < 0 ? r : send_call(p, ticket, VERB_LOAD, m, on_configured);
}

static int compose(struct participant *p, const struct call *call, sd_bus_message **ret) {
        return p->kind == PARTY_WRITER ? writer_compose(p, call, ret)
                                       : provider_compose(p, call, ret);
}

static int send_load(struct participant *p, uint64_t ticket, const struct call *call) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = compose(p, call, &m);

        return r < 0 ? r : send_call(p, ticket, VERB_LOAD, m, on_loaded);
}

static int load(struct participant *p, uint64_t ticket) {
        int r;

        if (find_load(p)) /* it is about to */
                return pending_new(p, ticket, VERB_LOAD) ? 0 : -ENOMEM;
        r = participant_start(p);
        return r < 0 ? r : configure(p, ticket);
}

/* ---- the port ---- */

static int op_call(void *userdata, enum party_kind kind, void *peer, uint64_t ticket,
                   const struct call *call) {
        _cleanup_message_ sd_bus_message *m = NULL;
        struct participant *p = peer;
        int r;

        if (kind == PARTY_HOLD)
                return hold_port_call(userdata, ticket, call);
        if (call->verb == VERB_LOAD && p->program)
                return load(p, ticket);
        if (!p->bus)
                return -ENOTCONN;
        r = compose(p, call, &m);
        return r < 0 ? r : send_call(p, ticket, call->verb, m, on_reply);
}

/* The answer may still come: who has not answered is at work, and is killed rather than asked. */
static void op_forget(void *userdata, uint64_t ticket) {
        struct server *server = userdata;

        if (ticket == 0)
                return;
        for (struct participant *p = server->participants; p; p = p->next)
                for (struct pending *pending = p->pending; pending; pending = pending->next)
                        if (pending->ticket == ticket)
                                pending->ticket = 0;
        hold_port_forget(server, ticket);
}

static void op_kill(void *userdata, enum party_kind kind, void *peer) {
        struct participant *p = peer;

        if (kind == PARTY_HOLD)
                hold_port_kill(userdata);
        else
                participant_stop(p, p->pending ? 0 : GRACE_US);
}

static void op_gone(void *userdata, enum party_kind kind, void *peer) {
        struct server *server = userdata;
        struct participant **p = &server->participants, *gone = peer;

        if (kind == PARTY_HOLD)
                return;
        while (*p && *p != gone)
                p = &(*p)->next;
        if (*p)
                *p = gone->next;
        participant_stop(gone, GRACE_US);
        free(gone->name);
        free(gone->destination);
        free(gone->path);
        free(gone);
}

static void op_drop_document(void *userdata, int document) {
        close(document);
}

const struct party_ops participant_ops = {
        .call = op_call,
        .forget = op_forget,
        .kill = op_kill,
        .gone = op_gone,
        .drop_document = op_drop_document,
};

/* ---- the roster ---- */

static struct participant *participant_new(struct server *server, enum party_kind kind,
                                           const char *name, const char *path) {
        struct participant *p = calloc(1, sizeof(*p));

        if (!p)
                return NULL;
        *p = (struct participant){ .server = server,
                                   .kind = kind,
                                   .name = strdup(name),
                                   .path = strdup(path),
                                   .next = server->participants };
        server->participants = p;
        if (p->name && p->path)
                return p;
        op_gone(server, kind, p);
        return NULL;
}

static int add_program(struct server *server, const struct program *program,
                       struct vss_error *reterr) {
        struct participant *p = participant_new(server, program->kind, program->name,
                                                program->kind == PARTY_WRITER ? VSS_WRITER_PATH
                                                                              : VSS_PROVIDER_PATH);
        int r;

        if (!p)
                return -ENOMEM;
        p->program = program;
        r = coordinator_add_program(server->coordinator, program->kind, program->name,
                                    program->order, p, &p->party, reterr);
        if (r < 0)
                op_gone(server, program->kind, p);
        return r;
}

int participants_add_programs(struct server *server, struct vss_error *reterr) {
        for (size_t i = 0; i < server->programs.count; i++) {
                int r = add_program(server, &server->programs.items[i], reterr);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int on_owner_gone(sd_bus_track *track, void *userdata) {
        struct participant *p = userdata;

        participant_died(p, "has left the bus");
        return 0;
}

static int watch_owner(struct participant *p, const char *destination) {
        int r;

        if (!destination)
                return 0; /* a private connection: its end ends the service */
        p->destination = strdup(destination);
        if (!p->destination)
                return -ENOMEM;
        r = sd_bus_track_new(p->bus, &p->track, on_owner_gone, p);
        return r < 0 ? r : sd_bus_track_add_name(p->track, destination);
}

int participant_register(struct server *server, sd_bus *bus, const char *destination,
                         const char *path, const struct wire_identity *w, uint32_t process,
                         struct participant **ret, struct vss_error *reterr) {
        struct writer_identity identity = {
                .writer_id = w->writer_id,
                .instance_id = w->instance_id,
                .instance_name = w->instance_name ? w->instance_name : "",
                .name = w->name ? w->name : "",
                .usage = w->usage,
                .source = w->source,
                .level = w->level,
                .freeze_timeout_ms = w->freeze_timeout_ms,
                .version_major = w->version_major,
                .version_minor = w->version_minor,
                .process = process,
        };
        struct participant *p = participant_new(server, PARTY_WRITER, identity.name, path);
        int r;

        if (!p)
                return -ENOMEM;
        p->bus = sd_bus_ref(bus);
        r = watch_owner(p, destination);
        if (r >= 0)
                r = coordinator_add_writer(server->coordinator, &identity, p, &p->party, reterr);
        if (r < 0) {
                op_gone(server, PARTY_WRITER, p);
                return r;
        }
        *ret = p;
        return 0;
}

struct participant *participant_find(struct server *server, const char *destination,
                                     const char *path) {
        for (struct participant *p = server->participants; p; p = p->next)
                if (!p->program && strcmp(p->path, path) == 0 &&
                    strcmp(p->destination ? p->destination : "", destination ? destination : "") ==
                            0)
                        return p;
        return NULL;
}

bool participants_connected(const struct server *server) {
        for (const struct participant *p = server->participants; p; p = p->next)
                if (!p->program)
                        return true;
        return false;
}

void participants_end(struct server *server) {
        for (struct participant *p = server->participants; p; p = p->next)
                participant_stop(p, p->pending ? 0 : GRACE_US);
}

/* Requesters remember instances between sessions, to leave one out; so it is made of the machine
 * and the file's name, not drawn anew. */
void participant_hosted_id(const char *name, struct vss_id *ret) {
        static const sd_id128_t application =
                SD_ID128_MAKE(5e, 2d, 71, 0b, 9c, 44, 4f, 1d, 8a, 36, c0, 1e, 57, f2, 6b, 90);
        sd_id128_t machine = application;
        uint64_t hash[2] = { UINT64_C(0xcbf29ce484222325), UINT64_C(0x84222325cbf29ce4) };

        (void)sd_id128_get_machine_app_specific(application, &machine);
        for (size_t k = 0; k < 2; k++) {
                for (size_t i = 0; i < sizeof(machine.bytes); i++)
                        hash[k] = (hash[k] ^ machine.bytes[i]) * UINT64_C(0x100000001b3);
                for (const char *s = name; *s; s++)
                        hash[k] = (hash[k] ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
        }
        memcpy(ret->bytes, hash, sizeof(ret->bytes));
        ret->bytes[6] = (ret->bytes[6] & 0x0f) | 0x80; /* RFC 9562: version 8, made by us */
        ret->bytes[8] = (ret->bytes[8] & 0x3f) | 0x80;
}
