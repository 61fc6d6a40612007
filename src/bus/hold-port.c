/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/hold-port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/layout.h"
#include "hold/hold-client.h"

enum { PRIORITY = SD_EVENT_PRIORITY_NORMAL - 20 }; /* before everybody else */

struct hold_port {
        struct server *server;
        struct party *party;
        struct hold_client *client;
        sd_event_source *source;
        uint64_t tickets[HOLD_BROKEN + 1]; /* who waits for which event, 0 nobody */
        sd_event_source *idle; /* answers what needs no vss-hold */
        uint64_t idle_ticket;
        bool lost; /* vss-hold ended unasked: of this set nothing can be frozen any more */
};

static void answer(struct hold_port *port, uint64_t *ticket, int code, const char *words) {
        struct answer a = ANSWER_INIT;
        uint64_t number = *ticket;

        if (number == 0)
                return;
        *ticket = 0;
        a.result = code;
        a.message = words;
        coordinator_answer(port->server->coordinator, number, &a);
}

static void drop_client(struct hold_port *port) {
        port->source = sd_event_source_disable_unref(port->source);
        port->client = hold_client_free(port->client);
}

/* vss-hold is gone without having said that everything is released: what waits has failed, and a
 * later life of this service, or the guardian, thaws. */
static void lose_client(struct hold_port *port, const char *words) {
        drop_client(port);
        port->lost = true;
        for (size_t i = 0; i < sizeof(port->tickets) / sizeof(*port->tickets); i++)
                answer(port, &port->tickets[i], VSS_E_HOLD_WRITES_TIMEOUT, words);
}

static void take_event(struct hold_port *port, const struct hold_event *event) {
        if (event->type == HOLD_EVENT_BROKEN) {
                coordinator_hold_expired(port->server->coordinator, event->words);
                return;
        }
        if (event->type == HOLD_EVENT_RELEASED) {
                _cleanup_free_ char *words = strdup(event->words ? event->words : "");
                int code = event->code;

                drop_client(port);
                port->lost = port->tickets[HOLD_RELEASED] == 0;
                answer(port, &port->tickets[HOLD_PRESYNCED], VSS_E_HOLD_WRITES_TIMEOUT, words);
                answer(port, &port->tickets[HOLD_FROZEN], VSS_E_HOLD_WRITES_TIMEOUT, words);
                answer(port, &port->tickets[HOLD_RELEASED], code, words);
                return;
        }
        answer(port, &port->tickets[event->type], event->code, event->words);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct hold_port *port = userdata;
        struct hold_event event;
        int r = 1;

        while (port->client && (r = hold_client_process(port->client, &event, &error)) > 0)
                take_event(port, &event);
        if (r < 0 && port->client)
                lose_client(port, vss_error_message(&error));
        return 0;
}

/* ---- calls ---- */

static int on_idle(sd_event_source *source, void *userdata) {
        struct hold_port *port = userdata;

        answer(port, &port->idle_ticket, 0, NULL);
        return 0;
}

/* Nothing to do: the answer comes from the event loop all the same. */
static int answer_later(struct hold_port *port, uint64_t ticket) {
        int r;

        port->idle_ticket = ticket;
        if (!port->idle) {
                r = sd_event_add_defer(port->server->event, &port->idle, on_idle, port);
                if (r < 0)
                        return r;
                (void)sd_event_source_set_priority(port->idle, PRIORITY);
        }
        return sd_event_source_set_enabled(port->idle, SD_EVENT_ONESHOT);
}

static uint64_t limit_us(const struct settings *settings) {
        uint64_t limit = settings->hold_limit_us ? settings->hold_limit_us : HOLD_LIMIT_US;
        double scale = settings->coordinator.scale;

        return scale > 0 && scale < 1 ? (uint64_t)((double)limit * scale) : limit;
}

/* Those that must be frozen; beside them, those that hold by themselves are written out at least:
 * their providers commit while the others are held, and should be quick (S-26, S-31). */
static size_t volumes_to_hold(const struct set_view *set, struct hold_volume *ret) {
        size_t n = 0, to_freeze = 0;

        for (size_t i = 0; set && i < set->n_copies && n < HOLD_VOLUMES_MAX; i++) {
                const struct vss_volume *v = &set->copies[i].volume;
                bool freeze = set->copies[i].hold == VSS_HOLD_FREEZE;

                if (!freeze && set->copies[i].hold != VSS_HOLD_OWN)
                        continue;
                to_freeze += freeze;
                ret[n++] = (struct hold_volume){
                        .mount_point = v->mount_point,
                        .device = makedev(v->dev_major, v->dev_minor),
                        .mount_id = v->mount_id,
                        .level = freeze ? 0 : HOLD_SYNC_ONLY,
                };
        }
        return to_freeze > 0 ? n : 0;
}

static int start_client(struct hold_port *port, struct vss_error *reterr) {
        const struct settings *settings = &port->server->settings;
        _cleanup_free_ char *program = layout_program("vss-hold");
        struct hold_settings s = {
                .program = program,
                .runtime_dir = settings->runtime_dir,
                .limit_us = limit_us(settings),
                .never_freeze = (const char *const *)settings->never_freeze.items,
        };
        int r;

        if (!program)
                return -ENOMEM;
        r = hold_client_start(&s, &port->client, reterr);
        if (r < 0)
                return r;
        r = sd_event_add_io(port->server->event, &port->source, hold_client_fd(port->client),
                            EPOLLIN, on_input, port);
        if (r >= 0)
                r = sd_event_source_set_priority(port->source, PRIORITY);
        return r < 0 ? r : 0;
}

static int prepare(struct hold_port *port, uint64_t ticket, const struct set_view *set,
                   struct vss_error *reterr) {
        struct hold_volume volumes[HOLD_VOLUMES_MAX];
        size_t n = volumes_to_hold(set, volumes);
        int r;

        drop_client(port);
        memset(port->tickets, 0, sizeof(port->tickets));
        port->lost = false;
        if (n == 0)
                return answer_later(port, ticket);
        r = start_client(port, reterr);
        if (r >= 0)
                r = hold_client_prepare(port->client, volumes, n, reterr);
        if (r < 0)
                drop_client(port);
        else
                port->tickets[HOLD_PREPARED] = ticket;
        return r;
}

static int forward(struct hold_port *port, uint64_t ticket, enum verb verb,
                   struct vss_error *reterr) {
        /* never a success for a volume that nobody can hold any more */
        if (!port->client && port->lost && verb != VERB_HOLD_RELEASE)
                return vss_fail(reterr, VSS_E_HOLD_WRITES_TIMEOUT,
                                "vss-hold ended before the volumes were frozen; try again");
        if (!port->client)
                return answer_later(port, ticket);
        if (verb == VERB_HOLD_SYNC) {
                port->tickets[HOLD_PRESYNCED] = ticket;
                return hold_client_presync(port->client, 1, reterr);
        }
        if (verb == VERB_HOLD_FREEZE) {
                port->tickets[HOLD_FROZEN] = ticket;
                return hold_client_freeze(port->client, reterr);
        }
        if (hold_client_release(port->client, NULL) < 0) {
                /* it had not come as far as to freeze anything, or it is gone with its guardian */
                drop_client(port);
                return answer_later(port, ticket);
        }
        port->tickets[HOLD_RELEASED] = ticket;
        return 0;
}

/* A refusal with words is an answer: it comes from the event loop, as all answers do. */
struct refusal {
        struct hold_port *port;
        sd_event_source *source;
        uint64_t ticket;
        struct vss_error error;
};

static int on_refusal(sd_event_source *source, void *userdata) {
        struct refusal *refusal = userdata;

        answer(refusal->port, &refusal->ticket, refusal->error.code,
               vss_error_message(&refusal->error));
        vss_error_clear(&refusal->error);
        sd_event_source_disable_unref(refusal->source);
        free(refusal);
        return 0;
}

static int refuse_later(struct hold_port *port, uint64_t ticket, int code,
                        struct vss_error *error) {
        struct refusal *refusal = calloc(1, sizeof(*refusal));

        if (!refusal)
                return -ENOMEM;
        *refusal = (struct refusal){ .port = port, .ticket = ticket };
        vss_error_move(&refusal->error, error);
        refusal->error.code = code;
        if (sd_event_add_defer(port->server->event, &refusal->source, on_refusal, refusal) >= 0)
                return 0;
        vss_error_clear(&refusal->error);
        free(refusal);
        return code;
}

int hold_port_call(struct server *server, uint64_t ticket, const struct call *call) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct hold_port *port = server->hold;
        int r;

        if (call->verb == VERB_HOLD_PREPARE)
                r = prepare(port, ticket, call->set, &error);
        else
                r = forward(port, ticket, call->verb, &error);
        if (r >= 0)
                return 0;
        hold_port_forget(server, ticket);
        return refuse_later(port, ticket, r, &error);
}

void hold_port_forget(struct server *server, uint64_t ticket) {
        struct hold_port *port = server->hold;

        for (size_t i = 0; port && i < sizeof(port->tickets) / sizeof(*port->tickets); i++)
                if (port->tickets[i] == ticket)
                        port->tickets[i] = 0;
        if (port && port->idle_ticket == ticket)
                port->idle_ticket = 0;
}

void hold_port_kill(struct server *server) {
        if (server->hold)
                drop_client(server->hold);
}

int hold_port_new(struct server *server) {
        struct hold_port *port = calloc(1, sizeof(*port));
        int r;

        if (!port)
                return -ENOMEM;
        port->server = server;
        server->hold = port;
        r = coordinator_set_hold(server->coordinator, port, &port->party);
        if (r < 0)
                hold_port_free(server);
        return r;
}

void hold_port_free(struct server *server) {
        struct hold_port *port = server->hold;

        if (!port)
                return;
        drop_client(port);
        sd_event_source_disable_unref(port->idle);
        free(port);
        server->hold = NULL;
}
