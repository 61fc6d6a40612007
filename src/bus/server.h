/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.h - vssd between the coordinator and the world: who is connected, what runs, and the
 * ports that the coordinator asks for. It decides nothing about backups.
 *
 * One thread, one event loop. Everything here is called from that loop.
 */
#ifndef BUS_SERVER_H
#define BUS_SERVER_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "bus/child.h"
#include "bus/probe.h"
#include "bus/programs.h"
#include "bus/settings.h"
#include "coordinator/session.h"

struct participant;
struct session_object;
struct hold_port;

/* What the records, and the slot of S-13, are kept by; tools/vssd.c plugs the store in */
struct server_store {
        const struct record_ops *records;
        const struct slot_ops *slot;
        void *userdata;
};

struct server {
        sd_event *event;
        struct settings settings;
        struct program_list programs;
        struct coordinator *coordinator;
        struct server_store store;

        sd_bus *bus; /* to the requesters: a bus, or the one peer of a private service */
        bool private;
        uid_t peer_uid; /* of the private peer */
        sd_event_source *timer, *post, *idle;
        uint64_t armed_us;

        struct participant *participants;
        struct session_object *sessions;
        struct hold_port *hold;
        struct pending_probe *probes; /* wait for the end of a hold */
        struct words log; /* said while writes were held, not written yet */
        bool debug, ending;
};

struct server_options {
        const char *config_dir;
        bool debug;
};

/* server_new() - read the configuration, make the coordinator, know the programs. Warnings go to
 * standard error. server_free() expects that nothing runs any more */
int server_new(const struct server_options *options, struct server **ret, struct vss_error *reterr);
struct server *server_free(struct server *server);

/* server_open() - make the coordinator; @store must outlive the server */
int server_open(struct server *server, const struct server_store *store, struct vss_error *reterr);

/* server_serve_fd() - a private service for who has the other end of @fd; taken.
 * server_serve_bus() - take the name on the bus: "system", "session" or an address */
int server_serve_fd(struct server *server, int fd, struct vss_error *reterr);
int server_serve_bus(struct server *server, const char *where, struct vss_error *reterr);

/* server_run() - until server_end() and everything is released. Return: 0 or negative errno */
int server_run(struct server *server);

/* server_end() - release every session, then let server_run() return */
void server_end(struct server *server);

/* server_log() - one line to standard error; kept back while writes are held (S-30) */
void server_log(struct server *server, enum log_level level, const char *format, ...)
        VSS_PRINTF(3, 4);

/* server_probe() - ask a vss-probe, but not while something is held. @answer may be called before
 * this returns, and is not when it fails: -ENOMEM */
int server_probe(struct server *server, const struct probe_question *questions, size_t count,
                 probe_answer_t answer, void *userdata);

/* ---- the objects, each in its file ---- */

int manager_export(struct server *server, sd_bus *bus);
int session_export(struct server *server, sd_bus *bus);
int operation_export(struct server *server, sd_bus *bus);

/* operation_progress(), operation_completed() - the signals of org.vss1.Operation */
void operation_progress(struct server *server, struct operation *operation, const char *phase,
                        const char *who);
void operation_completed(struct server *server, struct operation *operation, int code,
                         const char *words);

/* operation_path() - "/org/vss1/operation/7", into @buffer */
#define OPERATION_PATH_SIZE 48
const char *operation_path(const struct operation *operation, char buffer[OPERATION_PATH_SIZE]);

#endif
