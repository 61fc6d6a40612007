/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - vss_provider_run(): checks, the two threads, the plug-in's thread itself.
 */
#define _GNU_SOURCE
#include "provider/provider.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus/loop.h"

void vss_provider_set_data(struct vss_provider *provider, void *data) {
        provider->data = data;
}

void *vss_provider_data(const struct vss_provider *provider) {
        return provider->data;
}

bool vss_provider_aborted(const struct vss_provider *provider) {
        return provider->aborted;
}

/* ---- checks ---- */

static int check_required(const struct vss_provider_ops *ops, struct vss_error *reterr) {
        const struct {
                const char *name;
                bool present;
        } required[] = {
                { "is_volume_supported", ops->is_volume_supported },
                { "begin_prepare_snapshot", ops->begin_prepare_snapshot },
                { "commit_snapshots", ops->commit_snapshots },
                { "abort_snapshots", ops->abort_snapshots },
                { "get_snapshot_properties", ops->get_snapshot_properties },
                { "query", ops->query },
                { "delete_snapshots", ops->delete_snapshots },
        };

        for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
                if (!required[i].present)
                        return vss_fail(reterr, E_INVALIDARG,
                                        "provider '%s' lacks the required operation '%s'",
                                        ops->name, required[i].name);
        return 0;
}

static int copy_ops(const struct vss_provider_ops *ops, struct vss_provider_ops *ret,
                    struct vss_error *reterr) {
        size_t size;

        if (!ops || ops->size < offsetof(struct vss_provider_ops, configure))
                return vss_fail(reterr, E_INVALIDARG,
                                "the provider's operations are not registered: use VSS_PROVIDER()");
        size = ops->size < sizeof(*ret) ? ops->size : sizeof(*ret);
        memcpy(ret, ops, size);
        if (!ret->name || !*ret->name)
                return vss_fail(reterr, E_INVALIDARG,
                                "the provider has no name: set vss_provider_ops.name");
        if (ret->api != VSS_PROVIDER_API)
                return vss_fail(reterr, E_INVALIDARG,
                                "provider '%s' is built for API %u, this library has %u: rebuild "
                                "it",
                                ret->name, ret->api, VSS_PROVIDER_API);
        if (vss_id_is_null(&ret->id))
                return vss_fail(reterr, E_INVALIDARG,
                                "provider '%s' has no id: give it one in vss_provider_ops.id",
                                ret->name);
        if (ret->kind < VSS_PROV_SYSTEM || ret->kind > VSS_PROV_FILESHARE)
                return vss_fail(reterr, E_INVALIDARG,
                                "provider '%s': kind %u is none of enum vss_provider_type",
                                ret->name, ret->kind);
        return check_required(ret, reterr);
}

/* ---- the plug-in's thread ---- */

static struct job *next_job(struct vss_provider *provider) {
        struct job *job;

        pthread_mutex_lock(&provider->lock);
        while (!provider->todo.first && !provider->closing)
                pthread_cond_wait(&provider->wake_worker, &provider->lock);
        job = provider->closing ? NULL : provider->todo.first;
        if (job) {
                provider->todo.first = job->next;
                if (!provider->todo.first)
                        provider->todo.end = &provider->todo.first;
                job->next = NULL;
        }
        pthread_mutex_unlock(&provider->lock);
        return job;
}

static void hand_back(struct vss_provider *provider, struct job *job) {
        uint64_t one = 1;

        pthread_mutex_lock(&provider->lock);
        *provider->done.end = job;
        provider->done.end = &job->next;
        pthread_mutex_unlock(&provider->lock);
        (void)!write(provider->wake_fd, &one, sizeof(one));
}

static int run_job(struct vss_provider *provider, struct job *job) {
        const char *member = job->method->member;

        if (!provider->loaded && strcmp(member, "Configure") != 0 && strcmp(member, "Load") != 0)
                return vss_fail(&job->error, VSS_E_BAD_STATE, "provider '%s' is not loaded",
                                provider->ops.name);
        return job->method->run(provider, job);
}

static void work(struct vss_provider *provider) {
        struct job *job;

        while ((job = next_job(provider))) {
                job->result = run_job(provider, job);
                hand_back(provider, job);
        }
        /* nobody is left who could tell what becomes of the set */
        provider_drop_set(provider);
        provider_unload(provider);
}

static void free_jobs(struct job_list *list) {
        while (list->first) {
                struct job *job = list->first;

                list->first = job->next;
                job_free(job);
        }
}

static int run_threads(struct vss_provider *provider, struct vss_error *reterr) {
        struct loop_signals signals;
        pthread_t thread;
        int r = loop_catch_signals(&signals);

        if (r < 0)
                return vss_fail(reterr, r, "provider '%s' cannot catch signals",
                                provider->ops.name);
        provider->term_fd = signals.fd;
        r = -pthread_create(&thread, NULL, provider_serve, provider);
        if (r < 0) {
                loop_release_signals(&signals);
                return vss_fail(reterr, r, "provider '%s' cannot start a thread",
                                provider->ops.name);
        }
        work(provider);
        pthread_join(thread, NULL);
        loop_release_signals(&signals);
        if (provider->connection < 0)
                return vss_fail(reterr, provider->connection, "provider '%s' lost its coordinator",
                                provider->ops.name);
        return 0;
}

static int run_on(struct vss_provider *provider, int fd, struct vss_error *reterr) {
        _cleanup_close_ int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = wire_connect(fd, false, &bus);

        if (r < 0)
                return vss_fail(reterr, r, "provider '%s' cannot use its socket: %s",
                                provider->ops.name, vss_error_text(r));
        if (wake < 0)
                return vss_fail(reterr, -EMFILE, "provider '%s' has no descriptor left",
                                provider->ops.name);
        provider->bus = bus;
        provider->wake_fd = wake;
        provider->todo.end = &provider->todo.first;
        provider->done.end = &provider->done.first;
        pthread_mutex_init(&provider->lock, NULL);
        pthread_cond_init(&provider->wake_worker, NULL);
        r = run_threads(provider, reterr);
        free_jobs(&provider->todo);
        free_jobs(&provider->done);
        pthread_cond_destroy(&provider->wake_worker);
        pthread_mutex_destroy(&provider->lock);
        return r;
}

int vss_provider_run(struct vss_provider_ops *ops, int fd, struct vss_error *reterr) {
        _cleanup_close_ int taken = fd;
        struct vss_provider provider = { 0 };
        int r = copy_ops(ops, &provider.ops, reterr);

        return r < 0 ? r : run_on(&provider, take_fd(&taken), reterr);
}
