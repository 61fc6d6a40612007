/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * participant.h - a writer or provider as the server sees it: a connection, perhaps a process, and
 * the calls that wait for an answer. The coordinator knows it as the "peer" of a party.
 */
#ifndef BUS_PARTICIPANT_H
#define BUS_PARTICIPANT_H

#include "bus/server.h"
#include "bus/wire.h"

/* A call that was sent and not answered */
struct pending {
        struct participant *participant;
        uint64_t ticket;
        enum verb verb;
        sd_bus_slot *slot;
        struct pending *next;
};

struct participant {
        struct server *server;
        enum party_kind kind;
        struct party *party;
        char *name; /* for words */
        struct participant *next;

        const struct program *program; /* NULL: a program that registered itself */
        struct child *child;
        sd_event_source *closing; /* its connection ended, its process not yet */

        sd_bus *bus; /* NULL while it does not run */
        char *destination; /* unique name on a bus; NULL on a private socket */
        char *path; /* of its object */
        sd_bus_track *track; /* of @destination */

        struct pending *pending;
        unsigned unanswered; /* forgotten calls are counted too: they may still be at work */
};

/* The port of the coordinator (struct party_ops); userdata is the server */
extern const struct party_ops participant_ops;

/* participants_add_programs() - put all programs of the server into the coordinator's roster */
int participants_add_programs(struct server *server, struct vss_error *reterr);

/* participant_register() - a running program is a writer. @bus, @destination (NULL on a private
 * connection) and @path say where its object is; @process: its number, 0 if not known */
int participant_register(struct server *server, sd_bus *bus, const char *destination,
                         const char *path, const struct wire_identity *identity, uint32_t process,
                         struct participant **ret, struct vss_error *reterr);
struct participant *participant_find(struct server *server, const char *destination,
                                     const char *path);

/* participants_connected() - programs that registered themselves and are still there */
bool participants_connected(const struct server *server);

/* participants_end() - close all connections; processes that do not end are killed */
void participants_end(struct server *server);

/* participant_hosted_id() - the instance of a packaged writer: the same each time it is started */
void participant_hosted_id(const char *name, struct vss_id *ret);

/* ---- the two kinds of messages ---- */

/* writer_compose() - the message for @call; writer_answer() - what came back, or -EBADMSG.
 * Strings in @ret are lent from @reply and @result, which the caller clears */
int writer_compose(struct participant *to, const struct call *call, sd_bus_message **ret);
int provider_compose(struct participant *to, const struct call *call, sd_bus_message **ret);

/* writer_deliver(), provider_deliver() - read @reply and hand it to the coordinator.
 * Negative: the message makes no sense, nothing was handed over */
int writer_deliver(struct server *server, enum verb verb, uint64_t ticket, sd_bus_message *reply);
int provider_deliver(struct server *server, enum verb verb, uint64_t ticket, sd_bus_message *reply);

#endif
