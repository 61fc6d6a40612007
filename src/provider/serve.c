/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - the socket's thread: messages become jobs, finished jobs become answers.
 */
#define _GNU_SOURCE
#include "provider/provider.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bus/loop.h"
#include "bus/names.h"

struct job *job_free(struct job *job) {
        if (!job)
                return NULL;
        sd_bus_message_unref(job->message);
        wire_clear(&wire_request, &job->request);
        wire_clear(&wire_answer, &job->answer);
        vss_free_snapshot_properties(&job->snapshot);
        vss_error_clear(&job->error);
        free(job);
        return NULL;
}

/* P-32: the plug-in's thread is busy with this very set */
static void notice_abort(struct vss_provider *provider, const struct job *job) {
        if (strcmp(job->method->member, "AbortSnapshots") != 0)
                return;
        if (provider->state != SET_NONE && provider->state != SET_CREATED &&
            vss_id_equal(&provider->set_id, &job->request.set_id))
                provider->aborted = true;
}

static int method_any(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct vss_provider *provider = userdata;
        struct job *job = calloc(1, sizeof(*job));
        int r;

        if (!job)
                return -ENOMEM;
        job->method = provider_find_method(sd_bus_message_get_member(m));
        r = wire_read(m, &wire_request, &job->request);
        if (r < 0) {
                job_free(job);
                return wire_set_error(e, r, NULL);
        }
        job->message = sd_bus_message_ref(m);
        pthread_mutex_lock(&provider->lock);
        notice_abort(provider, job);
        *provider->todo.end = job;
        provider->todo.end = &job->next;
        pthread_cond_signal(&provider->wake_worker);
        pthread_mutex_unlock(&provider->lock);
        return 1; /* answered when it is done */
}

#define METHOD(member)                                                                             \
        SD_BUS_METHOD_WITH_ARGS(member, SD_BUS_ARGS("a{sv}", request),                             \
                                SD_BUS_RESULT("a{sv}", answer), method_any,                        \
                                SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("Configure"),
        METHOD("Load"),
        METHOD("Unload"),
        METHOD("IsVolumeSupported"),
        METHOD("BeginPrepareSnapshot"),
        METHOD("EndPrepareSnapshots"),
        METHOD("PreCommitSnapshots"),
        METHOD("CommitSnapshots"),
        METHOD("PostCommitSnapshots"),
        METHOD("PreFinalCommitSnapshots"),
        METHOD("PostFinalCommitSnapshots"),
        METHOD("AbortSnapshots"),
        METHOD("GetSnapshotProperties"),
        METHOD("Query"),
        METHOD("DeleteSnapshots"),
        METHOD("SetSnapshotProperty"),
        METHOD("KeepReference"),
        METHOD("ReleaseReference"),
        METHOD("QueryChanges"),
        SD_BUS_VTABLE_END,
};

/* lends: only for writing */
static struct vss_provider_prop identity_of(const struct vss_provider *provider) {
        const struct vss_provider_ops *ops = &provider->ops;

        return (struct vss_provider_prop){
                .provider_id = ops->id,
                .name = (char *)(uintptr_t)ops->name,
                .title = (char *)(uintptr_t)(ops->title ? ops->title : ops->name),
                .version = (char *)(uintptr_t)(ops->version ? ops->version : ""),
                .version_id = ops->version_id,
                .kind = ops->kind,
        };
}

static int append_answer(struct vss_provider *provider, struct job *job, sd_bus_message *reply) {
        struct vss_provider_prop identity;

        switch (job->method->reply) {
        case REPLY_ANSWER:
                return wire_append(reply, &wire_answer, &job->answer);
        case REPLY_SNAPSHOT:
                return wire_append(reply, &wire_snapshot, &job->snapshot);
        case REPLY_IDENTITY:
                identity = identity_of(provider);
                return wire_append(reply, &wire_provider, &identity);
        case REPLY_EMPTY:
                break;
        }
        return wire_append_options(reply);
}

static int answer_job(struct vss_provider *provider, struct job *job) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        if (job->result < 0) {
                (void)wire_set_error(&e, job->result, &job->error);
                return sd_bus_reply_method_error(job->message, &e);
        }
        r = sd_bus_message_new_method_return(job->message, &reply);
        if (r >= 0)
                r = append_answer(provider, job, reply);
        /* text that D-Bus cannot carry must not leave the coordinator without an answer */
        if (r < 0)
                return sd_bus_reply_method_errno(job->message, r, NULL);
        return sd_bus_message_send(reply);
}

static int answer_all(struct vss_provider *provider) {
        uint64_t count;
        int r = 0;

        (void)!read(provider->wake_fd, &count, sizeof(count));
        for (;;) {
                struct job *job;

                pthread_mutex_lock(&provider->lock);
                job = provider->done.first;
                if (job)
                        provider->done.first = job->next;
                if (!provider->done.first)
                        provider->done.end = &provider->done.first;
                pthread_mutex_unlock(&provider->lock);
                if (!job)
                        return r;
                if (r >= 0)
                        r = answer_job(provider, job);
                job_free(job);
        }
}

static int serve(struct vss_provider *provider) {
        int r = sd_bus_add_object_vtable(provider->bus, NULL, VSS_PROVIDER_PATH,
                                         VSS_PROVIDER_INTERFACE, vtable, provider);

        while (r >= 0) {
                do
                        r = sd_bus_process(provider->bus, NULL);
                while (r > 0);
                if (r < 0)
                        break;
                r = loop_wait(provider->bus, provider->wake_fd, provider->term_fd, UINT64_MAX);
                if (r < 0)
                        break;
                if (r & 2)
                        return 0; /* SIGTERM */
                r = r & 1 ? answer_all(provider) : 0;
        }
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE ? 0 : r;
}

void *provider_serve(void *userdata) {
        struct vss_provider *provider = userdata;
        int r = serve(provider);

        pthread_mutex_lock(&provider->lock);
        provider->connection = r;
        provider->closing = true;
        provider->aborted = true; /* nobody waits for the result any more */
        pthread_cond_signal(&provider->wake_worker);
        pthread_mutex_unlock(&provider->lock);
        return NULL;
}
