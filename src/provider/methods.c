/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * methods.c - what each call of the coordinator does with the plug-in's operations. The state
 * machine of P-30 is held here, so that plug-ins need none.
 */
#define _GNU_SOURCE
#include "provider/provider.h"

#include <string.h>

#include "base/array.h"

static void set_state(struct vss_provider *provider, enum set_state state) {
        pthread_mutex_lock(&provider->lock);
        provider->state = state;
        pthread_mutex_unlock(&provider->lock);
}

static bool in_progress(enum set_state state) {
        return state != SET_NONE && state != SET_CREATED;
}

void provider_drop_set(struct vss_provider *provider) {
        if (in_progress(provider->state))
                provider->ops.abort_snapshots(provider, &provider->set_id);
        set_state(provider, SET_NONE);
}

void provider_unload(struct vss_provider *provider) {
        if (provider->loaded && provider->ops.unload)
                provider->ops.unload(provider);
        provider->loaded = false;
}

static int veto(struct vss_provider *provider, struct job *job) {
        char id[VSS_ID_TEXT_SIZE];

        provider_drop_set(provider);
        return vss_fail(&job->error, VSS_E_PROVIDER_VETO,
                        "provider '%s' does not expect %s for set %s now and has dropped its set",
                        provider->ops.name, job->method->member,
                        vss_id_format(&job->request.set_id, id));
}

/* ---- life and questions ---- */

static int run_configure(struct vss_provider *provider, struct job *job) {
        char **settings = job->request.settings;

        if (provider->loaded)
                return vss_fail(&job->error, VSS_E_BAD_STATE,
                                "provider '%s' is loaded: settings come before",
                                provider->ops.name);
        for (size_t i = 0; settings && settings[i]; i += 2) {
                int r;

                if (!provider->ops.configure)
                        return vss_fail(&job->error, E_INVALIDARG,
                                        "provider '%s' takes no settings: remove '%s'",
                                        provider->ops.name, settings[i]);
                r = provider->ops.configure(provider, settings[i], settings[i + 1], &job->error);
                if (r < 0)
                        return vss_wrap(&job->error, r, "provider '%s', setting '%s'",
                                        provider->ops.name, settings[i]);
        }
        return 0;
}

static int run_load(struct vss_provider *provider, struct job *job) {
        int r = 0;

        if (provider->loaded)
                return vss_fail(&job->error, VSS_E_BAD_STATE, "provider '%s' is loaded already",
                                provider->ops.name);
        if (provider->ops.load)
                r = provider->ops.load(provider, &job->error);
        if (r < 0)
                return vss_wrap(&job->error, r, "provider '%s' cannot start", provider->ops.name);
        provider->loaded = true;
        return 0;
}

static int run_unload(struct vss_provider *provider, struct job *job) {
        provider_drop_set(provider);
        provider_unload(provider);
        return 0;
}

static int run_is_volume_supported(struct vss_provider *provider, struct job *job) {
        struct vss_promise promise = { 0 };
        int r = provider->ops.is_volume_supported(provider, &job->request.volume,
                                                  job->request.context, &promise, &job->error);

        if (r < 0)
                return r;
        job->answer.supported = r > 0;
        job->answer.hold = promise.hold;
        job->answer.instant = promise.instant;
        job->answer.attributes = promise.attributes;
        if (r == 0)
                job->answer.refusal = take(job->error.message);
        return 0;
}

/* ---- one set ---- */

static int follow_context(struct vss_provider *provider, struct job *job) {
        uint32_t context = job->request.context;
        int r = 0;

        if (provider->ops.set_context && context != provider->context)
                r = provider->ops.set_context(provider, context, &job->error);
        if (r >= 0)
                provider->context = context;
        return r;
}

static int run_begin_prepare_snapshot(struct vss_provider *provider, struct job *job) {
        static const char *const everything[] = { NULL };
        struct vss_prepare prepare = { .set_id = job->request.set_id,
                                       .snapshot_id = job->request.snapshot_id,
                                       .context = job->request.context,
                                       .volume = &job->request.volume,
                                       .paths = (const char *const *)job->request.paths };
        bool same = vss_id_equal(&provider->set_id, &prepare.set_id);
        int r;

        if (same && in_progress(provider->state) && provider->state != SET_PREPARING)
                return veto(provider, job);
        if (!same)
                provider_drop_set(provider); /* silently: its requester has given up */
        if (!prepare.paths)
                prepare.paths = everything;
        r = follow_context(provider, job);
        if (r < 0)
                return r;
        provider->aborted = false;
        r = provider->ops.begin_prepare_snapshot(provider, &prepare, &job->error);

        /* also after a failure: something may be left that only abort removes */
        pthread_mutex_lock(&provider->lock);
        provider->set_id = prepare.set_id;
        provider->state = SET_PREPARING;
        pthread_mutex_unlock(&provider->lock);
        return r;
}

typedef int (*set_op_t)(struct vss_provider *, const struct vss_id *, struct vss_error *);

static int run_step(struct vss_provider *provider, struct job *job, enum set_state from,
                    enum set_state to, set_op_t op) {
        int r = 0;

        if (provider->state != from || !vss_id_equal(&provider->set_id, &job->request.set_id))
                return veto(provider, job);
        if (op)
                r = op(provider, &job->request.set_id, &job->error);
        set_state(provider, r < 0 ? SET_FAILED : to);
        return r;
}

#define STEP(op, from, to)                                                                         \
        static int run_##op(struct vss_provider *provider, struct job *job) {                      \
                return run_step(provider, job, from, to, provider->ops.op);                        \
        }

STEP(end_prepare_snapshots, SET_PREPARING, SET_PREPARED)
STEP(pre_commit_snapshots, SET_PREPARED, SET_PRECOMMITTED)
STEP(commit_snapshots, SET_PRECOMMITTED, SET_COMMITTED)
STEP(pre_final_commit_snapshots, SET_POSTCOMMITTED, SET_PREFINALCOMMITTED)
STEP(post_final_commit_snapshots, SET_PREFINALCOMMITTED, SET_CREATED)

static int run_post_commit_snapshots(struct vss_provider *provider, struct job *job) {
        const struct vss_id *set = &job->request.set_id;
        int r = 0;

        if (provider->state != SET_COMMITTED || !vss_id_equal(&provider->set_id, set))
                return veto(provider, job);
        if (provider->ops.post_commit_snapshots)
                r = provider->ops.post_commit_snapshots(provider, set, job->request.count,
                                                        &job->error);
        set_state(provider, r < 0 ? SET_FAILED : SET_POSTCOMMITTED);
        return r;
}

/* Any set, also of an earlier life; but one that this life has finished stays. */
static int run_abort_snapshots(struct vss_provider *provider, struct job *job) {
        const struct vss_id *set = &job->request.set_id;
        bool current = vss_id_equal(&provider->set_id, set);

        if (!current || provider->state != SET_CREATED)
                provider->ops.abort_snapshots(provider, set);
        if (current && provider->state != SET_CREATED)
                set_state(provider, SET_NONE);
        if (current)
                provider->aborted = false;
        return 0;
}

/* ---- copies that exist ---- */

static int run_get_snapshot_properties(struct vss_provider *provider, struct job *job) {
        return provider->ops.get_snapshot_properties(provider, &job->request.snapshot_id,
                                                     &job->snapshot, &job->error);
}

struct collected {
        struct wire_records *records;
        size_t capacity;
};

static int copy_text(char **text) {
        if (!*text)
                return 0;
        *text = strdup(*text);
        return *text ? 0 : -ENOMEM;
}

static int collect(void *userdata, const struct vss_snapshot_prop *prop) {
        struct collected *c = userdata;
        struct vss_snapshot_prop copy = *prop, *items;
        char **texts[] = { &copy.device_object,       &copy.original_volume, &copy.original_mount,
                           &copy.originating_machine, &copy.service_machine, &copy.exposed_name,
                           &copy.exposed_path };
        int r = array_reserve(&c->records->items, c->records->count, &c->capacity, sizeof(copy));
        size_t i;

        for (i = 0; r >= 0 && i < ELEMENTSOF(texts); i++)
                r = copy_text(texts[i]);
        if (r < 0) {
                while (i-- > 1)
                        free(*texts[i - 1]);
                return r;
        }
        items = c->records->items;
        items[c->records->count++] = copy;
        return 0;
}

static int run_query(struct vss_provider *provider, struct job *job) {
        struct collected collected = { .records = &job->answer.snapshots };

        return provider->ops.query(provider, collect, &collected, &job->error);
}

/* A failure is part of the answer: an error would lose the count of what is gone (S-71). */
static int run_delete_snapshots(struct vss_provider *provider, struct job *job) {
        struct wire_answer *answer = &job->answer;
        int r = provider->ops.delete_snapshots(provider, &job->request.snapshot_id,
                                               job->request.type, job->request.force,
                                               &answer->deleted, &answer->nondeleted, &job->error);

        if (r < 0) {
                answer->failure = r;
                answer->message = take(job->error.message);
        }
        return 0;
}

static int run_set_snapshot_property(struct vss_provider *provider, struct job *job) {
        if (!provider->ops.set_snapshot_property)
                return vss_fail(&job->error, E_NOTIMPL,
                                "provider '%s' keeps no properties of its copies",
                                provider->ops.name);
        return provider->ops.set_snapshot_property(
                provider, &job->request.snapshot_id, job->request.property,
                job->request.value ? job->request.value : "", &job->error);
}

/* ---- change knowledge ---- */

static int no_changes(struct vss_provider *provider, struct job *job) {
        return vss_fail(&job->error, E_NOTIMPL, "provider '%s' does not know what changes",
                        provider->ops.name);
}

static int run_keep_reference(struct vss_provider *provider, struct job *job) {
        if (!provider->ops.keep_reference)
                return no_changes(provider, job);
        return provider->ops.keep_reference(provider, &job->request.snapshot_id,
                                            &job->answer.reference_id, &job->error);
}

static int run_release_reference(struct vss_provider *provider, struct job *job) {
        if (!provider->ops.release_reference)
                return no_changes(provider, job);
        return provider->ops.release_reference(provider, &job->request.reference_id, &job->error);
}

static int run_query_changes(struct vss_provider *provider, struct job *job) {
        const struct wire_request *request = &job->request;

        if (!provider->ops.query_changes)
                return no_changes(provider, job);
        if (!request->stream.given)
                return vss_fail(&job->error, E_INVALIDARG, "QueryChanges without a stream");
        return provider->ops.query_changes(provider, &request->snapshot_id, &request->reference_id,
                                           request->stream.fd, &job->error);
}

static const struct provider_method methods[] = {
        { "Configure", REPLY_EMPTY, run_configure },
        { "Load", REPLY_IDENTITY, run_load },
        { "Unload", REPLY_EMPTY, run_unload },
        { "IsVolumeSupported", REPLY_ANSWER, run_is_volume_supported },
        { "BeginPrepareSnapshot", REPLY_EMPTY, run_begin_prepare_snapshot },
        { "EndPrepareSnapshots", REPLY_EMPTY, run_end_prepare_snapshots },
        { "PreCommitSnapshots", REPLY_EMPTY, run_pre_commit_snapshots },
        { "CommitSnapshots", REPLY_EMPTY, run_commit_snapshots },
        { "PostCommitSnapshots", REPLY_EMPTY, run_post_commit_snapshots },
        { "PreFinalCommitSnapshots", REPLY_EMPTY, run_pre_final_commit_snapshots },
        { "PostFinalCommitSnapshots", REPLY_EMPTY, run_post_final_commit_snapshots },
        { "AbortSnapshots", REPLY_EMPTY, run_abort_snapshots },
        { "GetSnapshotProperties", REPLY_SNAPSHOT, run_get_snapshot_properties },
        { "Query", REPLY_ANSWER, run_query },
        { "DeleteSnapshots", REPLY_ANSWER, run_delete_snapshots },
        { "SetSnapshotProperty", REPLY_EMPTY, run_set_snapshot_property },
        { "KeepReference", REPLY_ANSWER, run_keep_reference },
        { "ReleaseReference", REPLY_EMPTY, run_release_reference },
        { "QueryChanges", REPLY_EMPTY, run_query_changes },
};

const struct provider_method *provider_find_method(const char *member) {
        for (size_t i = 0; i < ELEMENTSOF(methods); i++)
                if (strcmp(methods[i].member, member) == 0)
                        return &methods[i];
        return NULL;
}
