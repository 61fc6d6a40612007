/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c - an operation up to its shadow copies: who takes part, on what base, and the calls to the
 * service in the order of backup-protocol B-1 to B-21.
 */
#define _GNU_SOURCE
#include "backup/delta.h"
#include "backup/job.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

static void job_note(const struct job *job, const char *words) {
        if (job->watch->note)
                job->watch->note(job->watch->userdata, words);
}

void job_tell_notes(struct job *job) {
        for (; job->notes_told < job->selection.note_count; job->notes_told++)
                job_note(job, job->selection.notes[job->notes_told]);
}

struct component_key job_engine_key(const struct job *job, const struct job_component *component) {
        const struct chosen_writer *w = &job->selection.writers[component->writer];
        const struct vss_component_key *key = &component->key;

        return (struct component_key){
                .writer_id = key->writer_id,
                .instance_name = w->identity.instance_name ? w->identity.instance_name : "",
                .type = key->type,
                .logical_path = key->logical_path ? key->logical_path : "",
                .name = key->name,
        };
}

enum { BUILDING = VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL | VSS_BS_LOG };

static bool needs_base(uint32_t type) {
        return type == VSS_BT_INCREMENTAL || type == VSS_BT_DIFFERENTIAL || type == VSS_BT_LOG;
}

/* ---- which operation a writer belongs to (I-76) ---- */

/* would_mix() - I-75: an increment after a differential, or the other way round, of a writer that
 * does not mix them */
static bool would_mix(const struct job *job, uint32_t schema, const struct component_key *key,
                      uint32_t effective) {
        uint32_t other = effective == VSS_BT_INCREMENTAL ? VSS_BT_DIFFERENTIAL : VSS_BT_INCREMENTAL;

        return (schema & VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL) && effective != VSS_BT_LOG &&
               catalogue_has_since_full(job->sets, key, other);
}

/* has_base() - a component of a writer whose effective type is FULL needs none (I-67..I-69) */
static bool has_base(const struct job *job, size_t writer, size_t component) {
        const struct chosen_writer *w = &job->selection.writers[writer];
        uint32_t effective = vss_effective_backup_type(job->request->type, w->schema);
        const struct job_component c = { writer, component,
                                         component_key(w, &w->components[component]) };
        struct component_key key = job_engine_key(job, &c);
        struct set_place base;

        if (job->request->type != effective && job->request->type == VSS_BT_COPY)
                return !(w->schema & BUILDING); /* I-74: later ones can build on this one only */
        return !needs_base(effective) ||
               (job->sets && catalogue_base(job->sets, &key, effective, &base) >= 0 &&
                !would_mix(job, w->schema, &key, effective));
}

/* may_part() - required components must be together (L-33), and of a writer that does not mix the
 * types nothing may stay behind (I-75) */
static bool may_part(const struct chosen_writer *writer) {
        for (size_t i = 0; i < writer->component_count; i++)
                if (writer->components[i].kind == VSS_COMPONENT_REQUIRED)
                        return false;
        return !(writer->schema & VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL);
}

/* find_based() - which explicit components go on from an earlier image, and how many do not */
static int find_based(const struct job *job, size_t index, bool **ret, size_t *ret_explicit,
                      size_t *ret_without) {
        const struct chosen_writer *w = &job->selection.writers[index];
        bool *based = calloc(w->component_count + 1, sizeof(*based));

        if (!based)
                return -ENOMEM;
        *ret_explicit = *ret_without = 0;
        for (size_t i = 0; i < w->component_count; i++) {
                if (!w->components[i].explicit_)
                        continue;
                based[i] = has_base(job, index, i);
                ++*ret_explicit;
                *ret_without += !based[i];
        }
        if (*ret_without > 0 && !may_part(w)) {
                memset(based, 0, w->component_count * sizeof(*based));
                *ret_without = *ret_explicit;
        }
        *ret = based;
        return 0;
}

/* note_without() - what gets a full backup although another type was asked for */
static void note_without(struct job *job, const struct chosen_writer *writer, const bool *based,
                         bool all) {
        if (all)
                selection_note(&job->selection,
                               "writer '%s' has no backup that this one can build on: its "
                               "components get a full backup",
                               writer->identity.name);
        for (size_t i = 0; !all && i < writer->component_count; i++)
                if (writer->components[i].explicit_ && !based[i])
                        selection_note(&job->selection,
                                       "component '%s' of writer '%s' has no backup that this one "
                                       "can build on: it gets a full backup",
                                       writer->components[i].full_path, writer->identity.name);
}

/* divide_writer() - keep of a writer what belongs to this operation; 1 when something does not */
static int divide_writer(struct job *job, size_t index) {
        struct chosen_writer *w = &job->selection.writers[index];
        _cleanup_free_ bool *based = NULL;
        size_t explicit_count, without, left;
        int r = find_based(job, index, &based, &explicit_count, &without);

        if (r < 0)
                return r;
        if (!job->fallback && without > 0 && job->request->type != VSS_BT_COPY)
                note_without(job, w, based, without == explicit_count);
        for (size_t i = 0; i < w->component_count; i++)
                if (w->components[i].included && based[w->components[i].defining] == job->fallback)
                        w->components[i].included = w->components[i].explicit_ = false;
        left = job->fallback ? explicit_count - without : without;
        w->participates = left < explicit_count;
        return left > 0;
}

/* same_request() - own paths can only build on an image of the same paths */
static bool same_request(const struct job *job, const struct set_place *base) {
        _cleanup_free_ char *text = NULL;
        struct request earlier;
        bool same;
        size_t size;

        if (store_read_document(job->store, base->set, base->operation, REQUEST_DOCUMENT, &text,
                                &size, NULL) < 0 ||
            request_parse(text, &earlier, NULL) < 0)
                return false;
        same = request_same_list(earlier.paths, job->request->what->paths);
        request_done(&earlier);
        return same;
}

static bool find_own_base(struct job *job) {
        static const struct component_key own = { .instance_name = "",
                                                  .logical_path = "",
                                                  .name = "" };

        if (!job->sets || !job->store ||
            catalogue_base(job->sets, &own, job->request->type, &job->own_base) < 0)
                return false;
        if (!same_request(job, &job->own_base)) {
                if (!job->fallback)
                        selection_note(&job->selection,
                                       "the paths differ from those of the last backup: they are "
                                       "saved in full");
                return false;
        }
        return true;
}

static int collect_components(struct job *job) {
        size_t capacity = 0;

        for (size_t i = 0; i < job->selection.writer_count; i++) {
                const struct chosen_writer *w = &job->selection.writers[i];
                uint32_t effective = vss_effective_backup_type(job->type, w->schema);

                for (size_t k = 0; k < w->component_count; k++) {
                        struct job_component *c;
                        struct component_key key;

                        if (!w->components[k].explicit_)
                                continue;
                        if (ARRAY_RESERVE(&job->components, job->component_count, &capacity) < 0)
                                return -ENOMEM;
                        c = &job->components[job->component_count++];
                        *c = (struct job_component){ .writer = i,
                                                     .component = k,
                                                     .key = component_key(w, &w->components[k]) };
                        key = job_engine_key(job, c);
                        c->has_base = needs_base(effective) && job->sets &&
                                      catalogue_base(job->sets, &key, effective, &c->base) >= 0;
                }
        }
        return 0;
}

struct job_component *job_component_find(struct job *job, size_t writer, size_t component) {
        size_t low = 0, high = job->component_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                struct job_component *c = &job->components[middle];

                if (c->writer == writer && c->component == component)
                        return c;
                if (c->writer < writer || (c->writer == writer && c->component < component))
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

/* tell_effective() - I-73: the writer has no such backups and behaves as in a full one */
static void tell_effective(struct job *job, const struct chosen_writer *writer) {
        if (vss_effective_backup_type(job->request->type, writer->schema) == job->request->type ||
            job->fallback)
                return;
        selection_note(&job->selection,
                       job->request->type == VSS_BT_COPY
                               ? "writer '%s' has no copy backups: for it this is a full one, "
                                 "which later ones may build on and after which it may truncate "
                                 "its logs (I-74)"
                               : "writer '%s' has no backups of this type: its components are "
                                 "saved in full",
                       writer->identity.name);
}

/* divide() - keep what belongs to this operation; say whether the other one is needed */
static int divide(struct job *job, bool *ret_other) {
        /* a log backup has plain files as a whole (I-114), so it builds on nothing */
        bool by_history = needs_base(job->request->type) && job->request->type != VSS_BT_LOG;
        bool wants_own = job->request->what->paths[0] != NULL;
        bool own_ready = !by_history || find_own_base(job);
        int r;

        *ret_other = false;
        for (size_t i = 0; i < job->selection.writer_count; i++) {
                struct chosen_writer *w = &job->selection.writers[i];

                if (w->participates)
                        tell_effective(job, w);
                r = w->participates ? divide_writer(job, i) : 0;
                if (r < 0)
                        return r;
                *ret_other |= r > 0;
        }
        job->own_paths = wants_own && own_ready != job->fallback;
        if (wants_own && !job->own_paths)
                *ret_other = true;
        job->has_own_base = job->own_paths && by_history && !job->fallback;
        return collect_components(job);
}

static int gather(struct job *job, struct vss_error *reterr) {
        const struct vss_connection how = { .config_dir = job->request->config_dir,
                                            .embedded = job->request->config_dir ? 1 : 0 };
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct vss_async *async;
        int r = vss_backup_components_create(&how, &job->bc, reterr);

        if (r < 0)
                return r;
        if (job->watch->phase)
                vss_backup_components_set_progress(job->bc, job->watch->phase,
                                                   job->watch->userdata);
        r = vss_backup_components_initialize_for_backup(job->bc, NULL, reterr);
        if (r >= 0)
                r = vss_backup_components_set_context(job->bc, VSS_CTX_BACKUP, reterr);
        if (r >= 0)
                r = vss_backup_components_set_backup_state(
                        job->bc, true, job->request->what->system_state, job->type, true, reterr);
        if (r >= 0)
                r = vss_backup_components_gather_writer_metadata(job->bc, &async, reterr);
        if (r < 0)
                return r;
        r = vss_async_finish(async, &words);
        if (r < 0) {
                vss_error_move(reterr, &words);
                return r;
        }
        job->writers_missing = words.message != NULL;
        if (words.message && !job->fallback)
                job_note(job, words.message);
        return 0;
}

int job_open(struct job *job, bool *ret_other, struct vss_error *reterr) {
        const struct selection_request wanted = {
                .paths = (const char *const *)job->request->what->paths,
                .components = (const char *const *)job->request->what->components,
                .all_components = job->request->what->all_components,
                .system_state = job->request->what->system_state,
        };
        int r = gather(job, reterr);

        if (r >= 0)
                r = selection_make(job->bc, &wanted, &job->selection, reterr);
        if (r >= 0)
                r = not_to_backup_load(job->request->config_dir, &job->selection, job->fallback,
                                       &job->left_out);
        if (r >= 0)
                r = divide(job, ret_other);
        return r;
}

bool job_is_empty(const struct job *job) {
        return job->component_count == 0 && !job->own_paths;
}

int job_plan(struct job *job, struct vss_error *reterr) {
        const char *const *paths = (const char *const *)job->request->what->paths;
        int r = plan_make(&job->selection, job->own_paths ? paths : NULL, job->type, &job->plan);

        if (r >= 0)
                r = volumes_collect(job->bc, &job->plan, &job->selection, &job->volumes, reterr);
        if (r >= 0 && job->request->provider)
                r = volumes_choose_provider(job->bc, job->request->provider, &job->volumes, reterr);
        job_tell_notes(job);
        return r;
}

/* ---- the session ---- */

/* stamp_of_base() - the backup stamp that the writer left in the base's document, or NULL */
static int stamp_of_base(const struct job *job, const struct job_component *c, char **ret,
                         struct vss_error *reterr) {
        struct vss_stored_backup_components *stored;
        _cleanup_free_ char *xml = NULL;
        const struct vss_component *component;
        const char *stamp;
        size_t size;
        int r = store_read_document(job->store, c->base.set, c->base.operation,
                                    "backup-components.xml", &xml, &size, reterr);

        if (r >= 0)
                r = vss_stored_backup_components_load(xml, size, &stored, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "the documents of backup '%s'", c->base.set->folder);
        component = vss_stored_backup_components_find(stored, &c->key);
        stamp = component ? vss_component_get_backup_stamp(component) : NULL;
        *ret = stamp ? strdup(stamp) : NULL;
        vss_stored_backup_components_free(stored);
        return stamp && !*ret ? -ENOMEM : 0;
}

static int add_component(struct job *job, struct job_component *c, struct vss_error *reterr) {
        const struct chosen_writer *w = &job->selection.writers[c->writer];
        _cleanup_free_ char *stamp = NULL;
        int r = vss_backup_components_add_component(job->bc, &w->instance_id, &c->key, reterr);

        if (r >= 0 && c->has_base)
                r = stamp_of_base(job, c, &stamp, reterr);
        if (r >= 0 && stamp) /* I-151 */
                r = vss_backup_components_set_previous_backup_stamp(job->bc, &c->key, stamp,
                                                                    reterr);
        return r < 0 ? vss_wrap(reterr, r, "component '%s' of writer '%s'",
                                w->components[c->component].full_path, w->identity.name)
                     : 0;
}

static bool writer_failed(const struct vss_writer_status *status) {
        return status->failure != S_OK &&
               status->failure != (int32_t)VSS_E_WRITERERROR_PARTIAL_FAILURE;
}

static const char *words_of(const struct vss_writer_status *status) {
        return status->message && *status->message ? status->message
                                                   : vss_error_text(status->failure);
}

static void fail_components_of(struct job *job, const struct vss_writer_status *status) {
        for (size_t i = 0; i < job->component_count; i++) {
                struct job_component *c = &job->components[i];
                const struct chosen_writer *w = &job->selection.writers[c->writer];

                if (!vss_id_equal(&w->instance_id, &status->instance_id) || c->failed)
                        continue;
                c->failed = true;
                c->rule = "B-116";
                selection_note(&job->selection, "component '%s' of writer '%s' is not saved: %s",
                               w->components[c->component].full_path, w->identity.name,
                               words_of(status));
        }
}

/* B-18: the set is published by then; what did not fail before is in it */
static void tell_incomplete(struct job *job, const struct vss_writer_status *status) {
        for (size_t i = 0; i < job->component_count; i++) {
                const struct job_component *c = &job->components[i];
                const struct chosen_writer *w = &job->selection.writers[c->writer];

                if (c->failed || !vss_id_equal(&w->instance_id, &status->instance_id))
                        continue;
                selection_note(&job->selection,
                               "the backup is whole, but writer '%s' failed when it was "
                               "told so: what it does then, truncate logs for instance, "
                               "may not be done: %s",
                               w->identity.name, words_of(status));
                return;
        }
}

/* check_writers() - B-13, B-15: a veto spoils that writer's components and nobody else's (B-116) */
static int check_writers(struct job *job,
                         void (*failed)(struct job *job, const struct vss_writer_status *status),
                         struct vss_error *reterr) {
        struct vss_async *async;
        size_t count = 0;
        int r = vss_backup_components_gather_writer_status(job->bc, &async, reterr);

        if (r >= 0)
                r = vss_async_finish(async, reterr);
        if (r >= 0)
                r = vss_backup_components_get_writer_status_count(job->bc, &count, reterr);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_writer_status status;

                r = vss_backup_components_get_writer_status(job->bc, i, &status, reterr);
                if (r < 0)
                        break;
                if (status.failure != S_OK && job->watch->writer)
                        job->watch->writer(job->watch->userdata, &status);
                if (writer_failed(&status))
                        failed(job, &status);
        }
        (void)vss_backup_components_free_writer_status(job->bc, NULL);
        return r;
}

/* tell_message() - a message without a failure is for the operator: the component is saved (I-159)
 */
static void tell_message(struct job *job, const struct vss_component *component) {
        const char *words = vss_component_get_post_snapshot_failure_msg(component);

        if (!words)
                words = vss_component_get_prepare_for_backup_failure_msg(component);
        if (words)
                selection_note(&job->selection, "component '%s': %s",
                               vss_component_get_component_name(component), words);
}

/* read_failures() - B-85: the writer goes on, the component named does not */
static void read_failures(struct job *job, size_t writer,
                          struct vss_writer_components *components) {
        size_t count = vss_writer_components_get_component_count(components);

        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                struct job_component *c = job_component_find(
                        job, writer,
                        chosen_writer_find_key(&job->selection.writers[writer],
                                               vss_component_get_logical_path(component),
                                               vss_component_get_component_name(component)));
                const char *message;
                int32_t failure, application;

                (void)vss_component_get_failure(component, &failure, &application, &message);
                if (!c || c->failed)
                        continue;
                if (failure == S_OK) {
                        tell_message(job, component);
                        continue;
                }
                c->failed = true;
                c->rule = "B-85";
                selection_note(&job->selection, "component '%s' is not saved: %s",
                               vss_component_get_component_name(component),
                               message ? message : vss_error_text(failure));
        }
}

static ssize_t writer_of_instance(const struct job *job, const struct vss_id *instance) {
        for (size_t i = 0; i < job->selection.writer_count; i++)
                if (vss_id_equal(&job->selection.writers[i].instance_id, instance))
                        return (ssize_t)i;
        return -1;
}

/* read_entries() - I-110: what the writers said is complete now */
static int read_entries(struct job *job, struct vss_error *reterr) {
        size_t count;
        int r = vss_backup_components_get_writer_components_count(job->bc, &count, reterr);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_writer_components *components;
                struct vss_id instance, writer_id;
                ssize_t writer;

                r = vss_backup_components_get_writer_components(job->bc, i, &components, reterr);
                if (r < 0)
                        break;
                vss_writer_components_get_writer_info(components, &instance, &writer_id);
                writer = writer_of_instance(job, &instance);
                if (writer < 0)
                        continue;
                read_failures(job, (size_t)writer, components);
                r = plan_add_entries(&job->plan, (size_t)writer, components, &job->selection,
                                     reterr);
        }
        return r;
}

static int finish(int r, struct vss_async *async, struct vss_error *reterr) {
        return r < 0 ? r : vss_async_finish(async, reterr);
}

static int make_copies(struct job *job, struct vss_error *reterr) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_prepare_for_backup(job->bc, &async, reterr);

        r = finish(r, async, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "preparing the writers");
        r = check_writers(job, fail_components_of, reterr);
        if (r >= 0)
                r = vss_backup_components_do_snapshot_set(job->bc, &async, reterr);
        r = finish(r, async, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "making the shadow copies");
        r = check_writers(job, fail_components_of, reterr);
        if (r >= 0)
                r = vss_backup_components_get_set_timing(job->bc, &job->freeze_us, &job->hold_us,
                                                         reterr);
        return r;
}

enum { SLOT_WAIT_US = 300000000, SLOT_PAUSE_US = 100000 };

/* start_set() - another set in creation is a matter of seconds: wait for it, and say so (S-13) */
static int start_set(struct job *job, struct vss_error *reterr) {
        uint64_t deadline = monotonic_us() + SLOT_WAIT_US;

        for (bool told = false;; told = true) {
                int r = vss_backup_components_start_snapshot_set(job->bc, &job->set_id, reterr);

                if (r != VSS_E_SNAPSHOT_SET_IN_PROGRESS || monotonic_us() > deadline)
                        return r;
                if (!told)
                        job_note(job, "another shadow copy set is being made on this machine; "
                                      "waiting for it");
                if (job->watch->progress &&
                    job->watch->progress(job->watch->userdata, 0, 0, "waiting") < 0)
                        return vss_fail(reterr, -EINTR, "interrupted");
                usleep(SLOT_PAUSE_US);
        }
}

int job_snapshot(struct job *job, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->component_count; i++)
                r = add_component(job, &job->components[i], reterr);
        if (r >= 0)
                r = start_set(job, reterr);
        if (r >= 0)
                r = volumes_add_to_set(job->bc, &job->volumes, job->request->provider, reterr);
        if (r >= 0)
                r = make_copies(job, reterr);
        if (r < 0) {
                /* B-135: the writers hear of it; what failed first is what the user reads */
                (void)vss_backup_components_abort_backup(job->bc, NULL);
                job_tell_notes(job);
                return r;
        }
        r = read_entries(job, reterr);
        if (r >= 0)
                r = volumes_open_copies(job->bc, &job->volumes, reterr);
        job_tell_notes(job);
        return r;
}

int job_complete(struct job *job, struct vss_error *reterr) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_backup_complete(job->bc, &async, reterr);

        r = finish(r, async, reterr);
        if (r >= 0)
                r = check_writers(job, tell_incomplete, reterr);
        job_tell_notes(job);
        return r;
}

void job_close(struct job *job) {
        delta_close(job); /* while there is a session */
        plan_done(&job->plan);
        volumes_done(&job->volumes); /* before the release: a copy in use is not deleted */
        selection_done(&job->selection);
        job->left_out = not_to_backup_free(job->left_out);
        free(job->components);
        job->components = NULL;
        job->component_count = 0;
        job->bc = vss_backup_components_free(job->bc);
}
