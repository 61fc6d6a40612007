/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.h - the provider's runtime from inside.
 *
 * Two threads. The socket's thread (serve.c) owns the connection: it turns messages into jobs and
 * finished jobs into answers, and sees an abort while a job runs (P-32). The plug-in's thread, the
 * one that called vss_provider_run(), runs one job after the other (methods.c). Between them lies
 * the queue, under one lock.
 */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-bus.h>

#include "bus/wire.h"
#include "vss/provider.h"

/* how far the current set has come, P-30 */
enum set_state {
        SET_NONE, /* UNKNOWN, ABORTED */
        SET_PREPARING,
        SET_PREPARED,
        SET_PRECOMMITTED,
        SET_COMMITTED,
        SET_POSTCOMMITTED,
        SET_PREFINALCOMMITTED,
        SET_CREATED,
        SET_FAILED /* a step failed; the coordinator's abort is awaited */
};

struct job {
        struct job *next;
        const struct provider_method *method;
        sd_bus_message *message; /* the socket's thread only */
        struct wire_request request;
        int result;
        struct vss_error error;
        struct wire_answer answer;
        struct vss_snapshot_prop snapshot;
};

struct job_list {
        struct job *first, **end;
};

struct vss_provider {
        struct vss_provider_ops ops;
        void *data;
        bool loaded;
        _Atomic bool aborted;

        /* the plug-in's thread writes these under the lock */
        enum set_state state;
        struct vss_id set_id;
        uint32_t context;

        pthread_mutex_t lock;
        pthread_cond_t wake_worker;
        struct job_list todo, done;
        bool closing; /* no more jobs will come */

        sd_bus *bus;
        int wake_fd; /* a job is done */
        int term_fd;
        int connection; /* how the connection ended */
};

enum reply_kind { REPLY_EMPTY, REPLY_ANSWER, REPLY_SNAPSHOT, REPLY_IDENTITY };

/* methods.c: one row per member of org.vss1.Provider */
struct provider_method {
        const char *member;
        enum reply_kind reply;
        int (*run)(struct vss_provider *provider, struct job *job);
};
const struct provider_method *provider_find_method(const char *member);

/* provider_drop_set() - give up what is being made, if anything is */
void provider_drop_set(struct vss_provider *provider);
void provider_unload(struct vss_provider *provider);

/* serve.c: the socket's thread */
void *provider_serve(void *provider);
struct job *job_free(struct job *job);

#endif
