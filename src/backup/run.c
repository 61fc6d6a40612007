/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.c - see run.h: the order of things over one or two operations.
 */
#define _GNU_SOURCE
#include "backup/run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/delta.h"
#include "backup/job.h"
#include "base/cleanup.h"
#include "base/file.h"

DEFINE_CLEANUP(struct store *, store_close)

struct run {
        struct job jobs[2]; /* the type asked for, and the FULL beside it */
        size_t count;
};

static void run_done(struct run *run) {
        for (size_t i = 0; i < run->count; i++)
                job_close(&run->jobs[i]);
}

static struct job *add_job(struct run *run, const struct backup_request *request,
                           const struct backup_watch *watch, struct store *store,
                           const struct set_list *sets) {
        struct job *job = &run->jobs[run->count];

        *job = (struct job){ .request = request,
                             .watch = watch,
                             .store = store,
                             .sets = sets,
                             .fallback = run->count > 0 };
        job->type = job->fallback ? (uint32_t)VSS_BT_FULL : request->type;
        run->count++;
        return job;
}

/* open_jobs() - the first operation; when it is empty or leaves something over, the second */
static int open_jobs(struct run *run, const struct backup_request *request,
                     const struct backup_watch *watch, struct store *store,
                     const struct set_list *sets, struct vss_error *reterr) {
        struct job *job = add_job(run, request, watch, store, sets);
        bool other = false, ignored;
        int r = job_open(job, &other, reterr);

        if (r >= 0 && !job_is_empty(job))
                r = job_plan(job, reterr);
        else if (r >= 0)
                job_tell_notes(job);
        if (r < 0 || !other)
                return r;
        if (job_is_empty(job)) {
                job_close(job); /* its session would only wait */
                *job = (struct job){ 0 };
        }
        job = add_job(run, request, watch, store, sets);
        r = job_open(job, &ignored, reterr);
        return r < 0 ? r : job_plan(job, reterr);
}

static bool is_idle(const struct job *job) {
        return !job->request || job_is_empty(job);
}

static int nothing_to_do(const struct run *run, struct vss_error *reterr) {
        for (size_t i = 0; i < run->count; i++)
                if (!is_idle(&run->jobs[i]))
                        return 0;
        return vss_fail(reterr, E_INVALIDARG,
                        "there is nothing to back up: name paths or components");
}

/* tell_items() - the plan, item by item, to who watches */
static void tell_items(const struct job *job, bool final) {
        for (size_t i = 0; job->watch->item && i < job->plan.count; i++) {
                const struct plan_item *item = &job->plan.items[i];
                const struct planned planned = {
                        .plan = &job->plan,
                        .item = item,
                        .volume = volumes_find(&job->volumes, plan_reads(item)),
                        .from_copy = job_reads_copy(job, item),
                        .final = final,
                        .type = job->type,
                };

                job->watch->item(job->watch->userdata, &planned);
        }
}

int backup_plan(const struct backup_request *request, const struct backup_watch *watch,
                struct vss_error *reterr) {
        _cleanup_(store_closep) struct store *store = NULL;
        struct set_list sets = { 0 };
        struct run run = { 0 };
        int r = 0;

        /* a plan for a store that does not exist yet is a plan without history */
        if (request->store && !store_is_new(request->store)) {
                r = store_open(request->store, 0, &store, reterr);
                if (r >= 0)
                        r = store_list(store, &sets, reterr);
        }
        if (r >= 0)
                r = open_jobs(&run, request, watch, store, store ? &sets : NULL, reterr);
        if (r >= 0)
                r = nothing_to_do(&run, reterr);
        for (size_t i = 0; r >= 0 && i < run.count; i++) {
                struct job *job = &run.jobs[i];

                if (!is_idle(job)) {
                        delta_foretell(job);
                        job_tell_notes(job);
                        tell_items(job, false);
                }
        }
        run_done(&run);
        set_list_done(&sets);
        return r;
}

static int run_jobs(struct run *run, struct set_writer *set, uint64_t *copy_us,
                    struct vss_error *reterr) {
        for (size_t i = 0; i < run->count; i++) {
                struct job *job = &run->jobs[i];
                uint64_t began;
                int r;

                if (is_idle(job))
                        continue;
                r = job_snapshot(job, reterr);
                began = monotonic_us();
                if (r >= 0)
                        r = job_copy(job, set, reterr);
                if (r < 0)
                        return r;
                tell_items(job, true);
                *copy_us += monotonic_us() - began;
        }
        return 0;
}

static void describe(const struct run *run, const struct set_info *info,
                     struct backup_outcome *ret) {
        for (size_t i = 0; i < run->count; i++) {
                const struct job *job = &run->jobs[i];

                ret->writers_missing |= job->writers_missing;
                if (is_idle(job))
                        continue;
                ret->operations[ret->operation_count++] = (struct backup_operation_outcome){
                        .type = job->type,
                        .system_state = job->request->what->system_state,
                        .freeze_us = job->freeze_us,
                        .hold_us = job->hold_us,
                        .instant = job->volumes.count ? job->volumes.items[0].instant : 0,
                        .volumes = job->volumes.count,
                };
                for (size_t k = 0; k < job->component_count; k++)
                        if (job->components[k].failed)
                                ret->components_failed++;
                        else
                                ret->components_good++;
                if (job->own_paths && job->own_failed)
                        ret->components_failed++;
                else if (job->own_paths)
                        ret->components_good++;
        }
        for (size_t i = 0; i < info->operations_count; i++)
                for (size_t k = 0; k < info->operations[i].components_count; k++) {
                        ret->entries += info->operations[i].components[k].entries;
                        ret->bytes += info->operations[i].components[k].bytes;
                }
}

static void complete(struct run *run, const struct backup_watch *watch, struct store *store) {
        struct set_list sets = { 0 };
        bool listed = store_list(store, &sets, NULL) >= 0;

        for (size_t i = 0; i < run->count; i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

                /* the set exists: what fails from here on is told, and takes nothing back */
                if (is_idle(&run->jobs[i]))
                        continue;
                if (job_complete(&run->jobs[i], &error) < 0 && watch->note)
                        watch->note(watch->userdata, vss_error_message(&error));
                delta_published(&run->jobs[i], listed ? &sets : NULL);
        }
        set_list_done(&sets);
}

/* stored_size() - of a set that was just published */
static int read_back(struct store *store, struct backup_outcome *ret, struct vss_error *reterr) {
        struct set_list sets = { 0 };
        const struct set_info *info;
        int r = store_list(store, &sets, reterr);

        info = r < 0 ? NULL : set_find_id(&sets, &ret->set_id);
        if (info) {
                ret->stored_bytes = info->stored_bytes;
                ret->folder = strdup(info->folder);
        }
        set_list_done(&sets);
        if (r < 0)
                return r;
        return info && ret->folder ? 0
                                   : vss_fail(reterr, -EIO,
                                              "the set that was just published cannot be read "
                                              "back; verify the store");
}

static void note(const struct backup_watch *watch, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void note(const struct backup_watch *watch, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&words, format, arguments) < 0)
                words = NULL;
        va_end(arguments);
        if (words && watch->note)
                watch->note(watch->userdata, words);
}

static bool builds(uint32_t type) {
        return type == VSS_BT_INCREMENTAL || type == VSS_BT_DIFFERENTIAL || type == VSS_BT_LOG;
}

/* note_gap() - the words, if an image of @set lacks something of its chain (I-188) */
static void note_gap(const struct set_list *sets, const struct set_info *set,
                     const struct backup_watch *watch) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_place place = { set, set->operations[i].number,
                                                         (uint32_t)k };
                        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                        struct chain chain = { 0 };

                        if (!set->operations[i].components[k].good)
                                continue;
                        if (chain_of(sets, &place, &chain, &error) < 0) {
                                note(watch, "on the last backup nothing is built: %s",
                                     vss_error_message(&error));
                                return;
                        }
                        chain_done(&chain);
                }
}

/* note_history() - what of the store's backups this one cannot build on, though it might */
static void note_history(const struct set_list *sets, uint32_t type,
                         const struct backup_watch *watch) {
        if (!builds(type))
                return;
        for (size_t i = 0; i < sets->unreadable_count; i++)
                note(watch, "the backup '%s' cannot be read, so nothing is built on it: %s",
                     sets->unreadable[i].folder, sets->unreadable[i].words);
        for (size_t i = sets->count; i-- > 0;)
                if (sets->sets[i]->type == VSS_BT_FULL ||
                    sets->sets[i]->type == VSS_BT_INCREMENTAL) {
                        note_gap(sets, sets->sets[i], watch);
                        return;
                }
}

/* damaged_base() - a backup reads nothing else that can be damaged or not be there */
static int damaged_base(const struct backup_request *request, int code, struct vss_error *reterr) {
        if (!builds(request->type) || (code != -EBADMSG && code != -ENOENT))
                return code;
        return vss_wrap(reterr, code,
                        "a backup that this one builds on is damaged; make a full one, and verify "
                        "the store");
}

/* note_clock() - it went back: what is dated after this set proves nothing by times (changes.c) */
static void note_clock(const struct run *run, const struct set_info *info,
                       const struct backup_watch *watch) {
        const struct set_list *sets = run->jobs[0].sets ? run->jobs[0].sets : run->jobs[1].sets;
        const struct set_info *last = sets && sets->count > 0 ? sets->sets[sets->count - 1] : NULL;

        if (last && last->time > info->time)
                note(watch,
                     "the clock of this machine went back: the last backup, '%s', is dated after "
                     "this one. What differs from it is found by reading the files, not by their "
                     "times",
                     last->folder);
}

static int write_set(struct run *run, const struct backup_request *request,
                     const struct backup_watch *watch, struct store *store,
                     struct backup_outcome *ret, struct vss_error *reterr) {
        const struct set_options options = { .type = request->type, .label = request->label };
        struct set_writer *set;
        uint64_t began;
        int r = set_begin(store, &options, &set, reterr);

        if (r < 0)
                return r;
        for (size_t i = 0; i < run->count; i++)
                run->jobs[i].store = store; /* it may be new */
        note_clock(run, set_writer_info(set), watch);
        r = run_jobs(run, set, &ret->copy_us, reterr);
        if (r < 0) {
                set_abandon(set);
                return damaged_base(request, r, reterr);
        }
        ret->set_id = set_writer_info(set)->id;
        describe(run, set_writer_info(set), ret);
        began = monotonic_us();
        r = set_publish(set, reterr);
        if (r < 0)
                return r;
        ret->copy_us += monotonic_us() - began;
        complete(run, watch, store);
        return read_back(store, ret, reterr);
}

void backup_outcome_done(struct backup_outcome *outcome) {
        free(outcome->folder);
        memset(outcome, 0, sizeof(*outcome));
}

/* open_existing() - a store that is not there yet is made only when something goes into it */
static int open_existing(const char *path, struct store **ret, struct set_list *ret_sets,
                         struct vss_error *reterr) {
        int r;

        if (access(path, F_OK) < 0 && errno == ENOENT)
                return 0;
        r = store_open(path, STORE_CREATE, ret, reterr);
        if (r >= 0)
                r = store_lock(*ret, reterr);
        return r < 0 ? r : store_list(*ret, ret_sets, reterr);
}

static int open_new(const char *path, struct store **ret, struct vss_error *reterr) {
        int r = store_open(path, STORE_CREATE, ret, reterr);

        return r < 0 ? r : store_lock(*ret, reterr);
}

int backup_run(const struct backup_request *request, const struct backup_watch *watch,
               struct backup_outcome *ret, struct vss_error *reterr) {
        _cleanup_(store_closep) struct store *store = NULL;
        struct backup_outcome outcome = { 0 };
        struct set_list sets = { 0 };
        struct run run = { 0 };
        uint64_t began = monotonic_us();
        int r = open_existing(request->store, &store, &sets, reterr);

        if (r >= 0)
                note_history(&sets, request->type, watch);
        if (r >= 0)
                r = open_jobs(&run, request, watch, store, &sets, reterr);
        if (r >= 0)
                r = nothing_to_do(&run, reterr);
        if (r >= 0 && !store)
                r = open_new(request->store, &store, reterr);
        if (r >= 0)
                r = write_set(&run, request, watch, store, &outcome, reterr);
        run_done(&run);
        set_list_done(&sets);
        if (r < 0) {
                backup_outcome_done(&outcome);
                return r;
        }
        outcome.total_us = monotonic_us() - began;
        *ret = outcome;
        return 0;
}
