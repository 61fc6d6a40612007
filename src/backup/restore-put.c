/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-put.c - see restore-put.h. In this order: what waits for the boot is staged, which nobody
 * sees; then files are put and ranges are directed, some perhaps into these files; then the moves
 * of the boot are registered. A failure undoes what the engine can undo, and the status
 * says what is left.
 */
#define _GNU_SOURCE
#include "backup/restore-put.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backup/pending.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"

struct putting {
        const struct restore_putter *putter;
        const struct restore_image *image;
        struct restore_plan *plan;
        const struct restore_verdict *verdict;
        struct pending_set *pending; /* when something is staged */
        struct restore_put_result *result;
        bool first; /* the pass over what goes before the others */
        const struct set_place *only; /* of what is staged: the image it comes from, or NULL */
        bool any_put, any_kept; /* files; directories are merged */
};

static void note(const struct putting *p, const char *format, ...) VSS_PRINTF(2, 3);

static void note(const struct putting *p, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        if (words && p->putter->note)
                p->putter->note(p->putter->userdata, words);
}

/* ---- the caller's questions, asked for it ---- */

static bool is_wanted(const struct putting *p, const struct entry *entry) {
        const struct restore_request *request = p->putter->request;

        return !request->wanted || request->wanted(request->userdata, entry);
}

static bool is_first(const struct putting *p, const char *path) {
        for (size_t i = 0; i < p->image->first_count; i++)
                if (strcmp(p->image->first[i], path) == 0)
                        return true;
        return false;
}

/* is_asked_for() - the first pass has paths of its own */
static bool is_asked_for(const struct restore_request *request, const char *path) {
        for (size_t i = 0; i < request->paths_count; i++)
                if (path_is_below(path, request->paths[i]))
                        return true;
        return request->paths == NULL;
}

static const char *where_now(void *userdata, const struct entry *entry) {
        struct putting *p = userdata;

        return is_first(p, entry->path) == p->first &&
                               is_asked_for(p->putter->request, entry->path) && is_wanted(p, entry)
                       ? restore_plan_now(p->plan, entry)
                       : NULL;
}

static const char *where_at_boot(void *userdata, const struct entry *entry) {
        struct putting *p = userdata;

        return (!p->only || entry->image == p->only) && is_wanted(p, entry)
                       ? restore_plan_at_boot(p->plan, entry)
                       : NULL;
}

static void on_result(void *userdata, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, int code, const char *words) {
        struct putting *p = userdata;
        const struct restore_request *request = p->putter->request;

        p->any_put |= (outcome == RESTORE_PLACED || outcome == RESTORE_REPLACED) &&
                      entry->type != ENTRY_DIRECTORY;
        p->any_kept |= outcome == RESTORE_KEPT && entry->type != ENTRY_SOCKET &&
                       request->existing == RESTORE_KEEP;
        if (request->result)
                request->result(request->userdata, entry, placed, outcome, code, words);
}

static struct restore_request request_of(struct putting *p) {
        struct restore_request request = *p->putter->request;

        request.chain = p->image->chain;
        request.image = p->image->image;
        request.wanted = NULL;
        request.result = on_result;
        request.userdata = p;
        request.whole = true;
        if (p->verdict->must_be_absent && request.existing == RESTORE_REPLACE)
                request.existing = RESTORE_MUST_BE_ABSENT;
        request.in_use =
                p->putter->settings->rename_in_use ? RESTORE_IN_USE_RENAME : RESTORE_IN_USE_REFUSE;
        return request;
}

static void add(struct putting *p, const struct restore_summary *one, int r) {
        struct restore_summary *total = &p->result->summary;

        total->failed += one->failed;
        total->links_broken += one->links_broken;
        total->changed |= r < 0 ? one->changed : one->placed + one->removed > 0;
        if (r < 0 && !one->changed)
                return; /* it was put back */
        total->placed += one->placed;
        total->replaced += one->replaced;
        total->kept += one->kept;
        total->bytes += one->bytes;
}

int restore_put_is_part(struct store *store, const struct chain *chain,
                        const struct restore_request *request, bool *ret,
                        struct vss_error *reterr) {
        const struct entry *entry;
        struct view *view;
        int r = 0;

        *ret = false;
        if (!request->paths)
                return 0;
        r = view_open(store, chain, NULL, &view, reterr);
        if (r < 0)
                return r;
        while (!*ret && (r = view_next(view, &entry, reterr)) > 0)
                *ret = entry->type != ENTRY_DIRECTORY && entry->type != ENTRY_SOCKET &&
                       !is_asked_for(request, entry->path) &&
                       (!request->wanted || request->wanted(request->userdata, entry));
        view_close(view);
        return r < 0 ? r : 0;
}

/* ---- now ---- */

static int put_pass(struct putting *p, bool first, struct vss_error *reterr) {
        struct restore_request request = request_of(p);
        struct restore_summary one = { 0 };
        int r;

        p->first = first;
        request.where = where_now;
        if (first) {
                request.paths = p->image->first;
                request.paths_count = p->image->first_count;
        }
        r = restore_run(p->putter->store, &request, p->putter->watch, &one, reterr);
        add(p, &one, r);
        return r >= 0 && restore_plan_failed(p->plan) ? vss_fail(reterr, -ENOMEM, "out of memory")
                                                      : r;
}

static int put_now(struct putting *p, struct vss_error *reterr) {
        int r = p->image->first_count ? put_pass(p, true, reterr) : 0;

        return r < 0 ? r : put_pass(p, false, reterr);
}

/* ---- at boot ---- */

static int on_staged(void *userdata, const struct restore_staged *staged,
                     struct vss_error *reterr) {
        struct putting *p = userdata;

        return pending_add_in(p->pending, staged->staged, staged->destination,
                              staged->parent_device, staged->parent_inode, reterr);
}

/* stage() - of a later image its own files, whole: what they build on is staged, not in place */
static int stage(struct putting *p, const char *title, struct vss_error *reterr) {
        struct restore_request request = request_of(p);
        struct restore_summary one = { 0 };
        struct vss_id session;
        struct chain chain = *p->image->chain;
        int r = vss_id_new(&session);

        if (r < 0)
                return vss_fail(reterr, r, "no random numbers");
        if (p->image->image > 0) {
                chain.count = p->image->image;
                p->only = &chain.links[chain.count - 1];
        }
        request.chain = &chain;
        request.image = 0;
        request.where = where_at_boot;
        r = pending_begin(p->putter->settings, &session, title, &p->pending, reterr);
        if (r >= 0)
                r = restore_stage(p->putter->store, &request, p->putter->watch, on_staged, p, &one,
                                  reterr);
        if (r >= 0 && restore_plan_failed(p->plan))
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        one.changed = false; /* until the boot nothing is */
        if (r >= 0)
                p->result->summary.placed += one.placed;
        return r;
}

static int commit(struct putting *p, struct vss_error *reterr) {
        int r = pending_commit(take(p->pending), reterr);

        if (r < 0)
                return r;
        p->result->deferred = true;
        note(p, "its files are put in place at the next boot%s%s", p->verdict->words ? ": " : "",
             p->verdict->words ? p->verdict->words : "");
        return 0;
}

/* ---- directed ---- */

struct directions {
        struct directed_target *items;
        size_t count, capacity;
};

static void directions_done(struct directions *d) {
        for (size_t i = 0; i < d->count; i++) {
                free((char *)(uintptr_t)d->items[i].source);
                free((char *)(uintptr_t)d->items[i].destination);
                free((struct byte_range *)(uintptr_t)d->items[i].source_ranges);
                free((struct byte_range *)(uintptr_t)d->items[i].destination_ranges);
        }
        free(d->items);
}

static int read_ranges(const char *text, struct byte_range **ret, size_t *ret_count,
                       struct vss_error *reterr) {
        struct ranges ranges = { 0 };
        const char *file;
        int r = ranges_parse(text, &ranges, &file, reterr);

        if (r >= 0 && file)
                r = vss_fail(reterr, E_INVALIDARG, "a directed target names the ranges file '%s'",
                             file);
        *ret = r < 0 ? NULL : calloc(ranges.count + 1, sizeof(**ret));
        if (r >= 0 && !*ret)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        for (size_t i = 0; r >= 0 && i < ranges.count; i++)
                (*ret)[i] = (struct byte_range){ ranges.items[i].offset, ranges.items[i].length };
        *ret_count = ranges.count;
        ranges_done(&ranges);
        return r;
}

static char *full_name(const char *folder, const char *name) {
        size_t size = strlen(folder);
        char *path;

        while (size > 0 && folder[size - 1] == '/')
                size--;
        return asprintf(&path, "%.*s/%s", (int)size, folder, name) < 0 ? NULL : path;
}

static int add_direction(struct directions *d, const struct vss_directed_target *target,
                         struct vss_error *reterr) {
        struct byte_range *source = NULL, *destination = NULL;
        struct directed_target *to;
        size_t count, other;
        int r;

        if (ARRAY_RESERVE(&d->items, d->count, &d->capacity) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        to = &d->items[d->count++];
        *to = (struct directed_target){
                .source = full_name(target->source_path, target->source_filename),
                .destination = full_name(target->destination_path, target->destination_filename),
        };
        r = read_ranges(target->source_ranges, &source, &count, reterr);
        to->source_ranges = source;
        if (r >= 0)
                r = read_ranges(target->destination_ranges, &destination, &other, reterr);
        to->destination_ranges = destination;
        if (r >= 0 && (!to->source || !to->destination))
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        if (r >= 0 && count != other)
                r = vss_fail(reterr, E_INVALIDARG,
                             "the writer directs '%s' to '%s' by lists of ranges that do not fit "
                             "each other (R-125)",
                             to->source, to->destination);
        to->ranges_count = r < 0 ? 0 : count;
        return r;
}

static int load_directions(struct putting *p, struct directions *d, struct vss_error *reterr) {
        struct vss_directed_target target;
        int r = 0;

        for (size_t i = 0; r >= 0 && restore_plan_directed(p->plan, i, &target); i++)
                r = add_direction(d, &target, reterr);
        return r;
}

static int direct(struct putting *p, const struct directions *d, struct vss_error *reterr) {
        struct restore_request request = request_of(p);
        struct restore_summary one = { 0 };
        int r;

        if (d->count == 0)
                return 0;
        request.where = NULL;
        r = restore_directed(p->putter->store, &request, d->items, d->count, p->putter->watch, &one,
                             reterr);
        add(p, &one, r);
        p->any_put |= r >= 0;
        return r;
}

/* may_come_first() - nobody has looked at the places of ranges: what is wrong with them is better
 * found before anything is put, unless a file that is put could be one of these places */
static bool may_come_first(struct putting *p, const struct vss_component *component,
                           const struct directions *d) {
        bool first = p->verdict->course == COURSE_ORIGINAL &&
                     vss_component_get_new_target_count(component) == 0;

        for (size_t i = 0; first && i < d->count; i++) {
                struct restore_destination to;

                first = restore_plan_destination(p->plan, d->items[i].destination, ENTRY_FILE,
                                                 &to) >= 0 &&
                        (to.file_set == RESTORE_NO_FILE_SET || to.fate == FATE_DIRECTED);
        }
        return first;
}

static int put_and_direct(struct putting *p, const struct vss_component *component,
                          struct vss_error *reterr) {
        _cleanup_(directions_done) struct directions d = { 0 };
        int r = load_directions(p, &d, reterr);
        bool first = r >= 0 && d.count > 0 && may_come_first(p, component, &d);

        if (first)
                r = direct(p, &d, reterr);
        if (r >= 0)
                r = put_now(p, reterr);
        return r < 0 || first ? r : direct(p, &d, reterr);
}

/* ---- all of it ---- */

static int decide(struct putting *p, struct vss_error *reterr) {
        struct restore_looker looker = { .putter = p->putter, .image = p->image };
        const struct restore_plan_ops ops = {
                .userdata = &looker,
                .look = restore_look,
                .was_put = p->image->image > 1 ? restore_was_put : NULL,
                .stop = restore_look_stop,
        };
        int r = restore_plan_decide(p->plan, &ops, reterr);

        restore_looker_done(&looker);
        if (r >= 0 && p->verdict->warning)
                note(p, "%s", p->verdict->warning);
        if (r >= 0 && p->verdict->course == COURSE_NOTHING)
                r = vss_fail(reterr, p->verdict->code, "%s",
                             p->verdict->words ? p->verdict->words : "");
        if (r >= 0 && p->verdict->course == COURSE_MAPPED && p->verdict->words)
                note(p, "it goes to its alternate location: %s", p->verdict->words);
        return r;
}

static int carry_out(struct putting *p, const struct restore_plan_input *input,
                     struct vss_error *reterr) {
        bool at_boot = p->verdict->course == COURSE_AT_BOOT;
        int r = at_boot ? stage(p, input->key->name, reterr) : 0;

        if (r >= 0)
                r = put_and_direct(p, input->component, reterr);
        if (r >= 0 && at_boot)
                r = commit(p, reterr);
        p->pending = pending_abandon(p->pending);
        return r;
}

/* status_of() - R-100: one file that is not the backup's already forbids ALL */
static uint32_t status_of(const struct putting *p, int r) {
        if (r < 0)
                return p->result->summary.changed ? VSS_RS_FAILED : VSS_RS_NONE;
        if (!p->image->is_part && !p->any_kept)
                return VSS_RS_ALL;
        return p->any_put ? VSS_RS_FAILED : VSS_RS_NONE;
}

int restore_put(const struct restore_putter *putter, const struct restore_image *image,
                const struct restore_plan_input *input, struct restore_plan **ret_plan,
                struct restore_put_result *ret, struct vss_error *reterr) {
        struct putting p = { .putter = putter, .image = image, .result = ret };
        int r;

        *ret = (struct restore_put_result){ .status = VSS_RS_NONE };
        *ret_plan = NULL;
        r = restore_plan_new(input, &p.plan, reterr);
        if (r < 0)
                return r;
        *ret_plan = p.plan;
        p.verdict = restore_plan_verdict(p.plan);
        r = decide(&p, reterr);
        if (r >= 0)
                r = carry_out(&p, input, reterr);
        ret->status = status_of(&p, r);
        return r;
}
