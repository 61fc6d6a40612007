/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delta.c - see delta.h. What a provider told is in known.c, what must be the same in taken.c, how
 * names are walked is the engine's business.
 */
#define _GNU_SOURCE
#include "backup/delta-inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backup/internal.h"
#include "backup/kept.h"
#include "backup/taken.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum {
        /* of names that changed, in memory; of more than that a comparison is as good */
        BYTES_MAX = 48 << 20
};

static const char no_references[] = "the last backup has no reference snapshot";
static const char not_the_same[] =
        "what is taken or left out is not the same as in the last backup";

static const struct reference *reference_of(const struct references *references,
                                            const struct used_volume *volume) {
        for (size_t i = 0; i < references->count; i++)
                if (strcmp(references->items[i].volume, volume->id) == 0 &&
                    strcmp(references->items[i].mount_point, volume->mount_point) == 0)
                        return &references->items[i];
        return NULL;
}

/* ---- the requester's own files ---- */

bool delta_is_own_volume(const struct job *job, const struct used_volume *volume) {
        for (char *const *p = job->request->what->paths; *p; p++)
                if (volumes_find(&job->volumes, *p) == volume ||
                    path_is_below(volume->mount_point, *p))
                        return true;
        return false;
}

static const char *why_no_references(const struct job *job, const struct set_place *place,
                                     struct references *ret) {
        int r;

        if (job->request->no_delta)
                return "so it was asked for (--no-delta)";
        r = references_of(job->store, place->set, place->operation, ret);
        if (r == VSS_E_OBJECT_NOT_FOUND || r == -ENOENT)
                return no_references;
        return r < 0 ? "the last backup's list of reference snapshots cannot be read" : NULL;
}

/* why_not_own() - NULL: the base's references may be asked about; else the reason for comparing */
static const char *why_not_own(const struct job *job, const struct references *references) {
        char now[TAKEN_SIZE];

        if (!*references->fingerprint)
                return no_references;
        return taken_own(job, now) >= 0 && strcmp(now, references->fingerprint) == 0 ? NULL
                                                                                     : not_the_same;
}

static void note_compared(struct job *job, const struct used_volume *volume, const char *why) {
        selection_note(&job->selection, "'%s' is compared with the last backup as a whole: %s",
                       volume->mount_point, why);
}

void delta_foretell(struct job *job) {
        struct references references = { 0 };
        const char *why;

        if (!job->has_own_base)
                return;
        why = why_no_references(job, &job->own_base, &references);
        if (!why)
                why = why_not_own(job, &references);
        for (size_t i = 0; why != no_references && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];

                if (!delta_is_own_volume(job, v))
                        continue;
                if (why || !reference_of(&references, v))
                        note_compared(job, v, why ? why : "it has no reference snapshot");
                else
                        selection_note(&job->selection,
                                       "what changed on '%s' will be asked of provider '%s'",
                                       v->mount_point, v->provider);
        }
        /* without references there is perhaps no provider here that knows of changes: what is usual
         * needs no words */
        references_done(&references);
}

/* ---- asking ---- */

void delta_settle(struct job *job, const struct vss_id *writing) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (kept_settle(job->store, job->bc, writing, &error) < 0)
                selection_note(&job->selection, "%s", vss_error_message(&error));
}

/* base_at() - read once for all components that build on it; NULL when out of memory */
static struct base *base_at(struct job *job, const struct set_place *place) {
        struct delta *delta = job->delta;
        struct base *base;

        for (size_t i = 0; i < delta->base_count; i++)
                if (same_operation(&delta->bases[i].place, place))
                        return &delta->bases[i];
        if (ARRAY_RESERVE(&delta->bases, delta->base_count, &delta->base_capacity) < 0)
                return NULL;
        base = &delta->bases[delta->base_count++];
        *base = (struct base){ .place = *place };
        base->why_not = why_no_references(job, place, &base->references);
        return base;
}

static struct known *find_known(const struct delta *delta, size_t volume,
                                const struct vss_id *reference) {
        for (size_t i = 0; i < delta->known_count; i++)
                if (delta->known[i].volume == volume &&
                    vss_id_equal(&delta->known[i].reference, reference))
                        return &delta->known[i];
        return NULL;
}

/* add_given_up() - ranges files lie in the own paths and are their component's (I-128). One that
 * was when the base was made and is not now is an own file that the base does not have, and nobody
 * tells that it changed */
static int add_given_up(const struct job *job, const struct references *base, struct known *known) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < base->alone_count; i++)
                if (volumes_find(&job->volumes, base->alone[i]) ==
                    &job->volumes.items[known->volume])
                        r = known_add(known, base->alone[i]);
        return r;
}

/* ask() - what changed on a volume since a reference of @base; *ret may have no answer */
static int ask(struct job *job, const struct base *base, size_t volume,
               const struct reference *reference, const struct known **ret) {
        struct delta *delta = job->delta;
        struct known *known = find_known(delta, volume, &reference->id);
        size_t used = 0;
        int r;

        *ret = known;
        if (known)
                return 0;
        if (ARRAY_RESERVE(&delta->known, delta->known_count, &delta->known_capacity) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < delta->known_count; i++)
                used += delta->known[i].bytes;
        known = &delta->known[delta->known_count++];
        *known = (struct known){ .volume = volume,
                                 .reference = reference->id,
                                 .room = used < BYTES_MAX ? BYTES_MAX - used : 0 };
        *ret = known;
        r = add_given_up(job, &base->references, known);
        return r < 0 ? r : known_ask(known, job->bc, &job->volumes.items[volume]);
}

static int ask_own(struct job *job, const struct base *base) {
        const char *why = base->why_not ? base->why_not : why_not_own(job, &base->references);
        int r = 0;

        job->delta->own = !why;
        for (size_t i = 0; r >= 0 && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                const struct reference *reference = reference_of(&base->references, v);
                const struct known *known;

                if (!delta_is_own_volume(job, v) || !v->preserves_inodes)
                        continue;
                if (why || !reference) {
                        note_compared(job, v, why ? why : "it has no reference snapshot");
                        continue;
                }
                r = ask(job, base, i, reference, &known);
                if (r >= 0 && !known->asked)
                        note_compared(job, v, known->why);
                else if (r >= 0)
                        selection_note(&job->selection,
                                       "'%s': provider '%s' knows what changed: %zu name%s",
                                       v->mount_point, v->provider, known->count,
                                       known->count == 1 ? "" : "s");
        }
        return r;
}

/* ---- what writers leave to the requester's judgement ---- */

/* base_of_item() - that of its component; NULL: there is none, or it was not asked about */
static const struct base *base_of_item(const struct job *job, const struct plan_item *item,
                                       const struct set_place **ret) {
        const struct set_place *place = NULL;

        if (item->writer == PLAN_OWN) {
                place = job->has_own_base ? &job->own_base : NULL;
        } else {
                const struct chosen_writer *w = &job->selection.writers[item->writer];
                const struct job_component *c =
                        job_component_find((struct job *)(uintptr_t)job, item->writer,
                                           w->components[item->component].defining);

                place = c && c->has_base && !c->failed ? &c->base : NULL;
        }
        *ret = place;
        for (size_t i = 0; place && i < job->delta->base_count; i++)
                if (same_operation(&job->delta->bases[i].place, place))
                        return &job->delta->bases[i];
        return NULL;
}

/* rests_on() - has the base what the item names as its copies had it? */
static bool rests_on(const struct job *job, const struct plan_item *item, const struct base *base,
                     const struct set_place *place) {
        char now[TAKEN_SIZE];

        return !base->why_not && taken_is_exact(job, item) && taken_item(job, item, now) >= 0 &&
               references_have_source(&base->references, place->component, now);
}

/* note_item() - the file sets of a component often have the same to say */
static void note_item(struct job *job, size_t first, const struct plan_item *item,
                      const char *format, ...) {
        const struct chosen_component *components = job->selection.writers[item->writer].components;
        _cleanup_free_ char *words = NULL, *note = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&words, format, arguments) < 0)
                words = NULL;
        va_end(arguments);
        if (!words ||
            asprintf(&note, "component '%s': %s",
                     components[components[item->component].defining].full_path, words) < 0) {
                note = NULL;
                return;
        }
        for (size_t i = first; i < job->selection.note_count; i++)
                if (strcmp(job->selection.notes[i], note) == 0)
                        return;
        selection_note(&job->selection, "%s", note);
}

static int ask_item(struct job *job, const struct plan_item *item, size_t first_note) {
        const struct set_place *place;
        const struct base *base = base_of_item(job, item, &place);
        bool rests;
        int r = 0;

        if (!place || !taken_is_exact(job, item) || base->why_not == no_references)
                return 0;
        rests = rests_on(job, item, base, place);
        for (size_t i = 0; r >= 0 && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                const struct reference *reference = reference_of(&base->references, v);
                const struct known *known = NULL;

                if (!v->preserves_inodes || !taken_reads(job, item, v))
                        continue;
                if (rests && reference)
                        r = ask(job, base, i, reference, &known);
                if (r >= 0 && known && known->asked)
                        note_item(job, first_note, item,
                                  "'%s': provider '%s' knows what changed: %zu name%s",
                                  v->mount_point, v->provider, known->count,
                                  known->count == 1 ? "" : "s");
                else if (r >= 0)
                        note_item(job, first_note, item,
                                  "'%s' is compared with the last backup as a whole: %s",
                                  v->mount_point,
                                  base->why_not ? base->why_not
                                  : !rests      ? not_the_same
                                  : !reference  ? "it has no reference snapshot"
                                                : known->why);
        }
        return r;
}

static int ask_items(struct job *job) {
        size_t first_note = job->selection.note_count;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->component_count; i++)
                if (job->components[i].has_base && !base_at(job, &job->components[i].base))
                        r = -ENOMEM;
        for (size_t i = 0; r >= 0 && i < job->plan.count; i++) {
                const struct plan_item *item = &job->plan.items[i];

                if (item->writer != PLAN_OWN && item->decision == DECIDE_COMPARE)
                        r = ask_item(job, item, first_note);
        }
        return r;
}

int delta_ask(struct job *job) {
        struct base *base;
        int r = 0;

        job->delta = calloc(1, sizeof(*job->delta));
        if (!job->delta)
                return -ENOMEM;
        if (job->has_own_base) {
                base = base_at(job, &job->own_base);
                r = base ? ask_own(job, base) : -ENOMEM;
        }
        return r < 0 ? r : ask_items(job);
}

/* ---- what concerns a source ---- */

bool delta_of_source(const struct job *job, const struct plan_item *item, const char *volume,
                     const char *path, const struct changed_path **ret, size_t *ret_count) {
        const struct set_place *place;
        const struct base *base = job->delta ? base_of_item(job, item, &place) : NULL;

        if (!base || base->why_not ||
            (item->writer == PLAN_OWN ? !job->delta->own : !rests_on(job, item, base, place)))
                return false;
        for (size_t i = 0; i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                const struct reference *reference;
                const struct known *known;

                if (strcmp(v->mount_point, volume) != 0)
                        continue;
                reference = reference_of(&base->references, v);
                known = reference ? find_known(job->delta, i, &reference->id) : NULL;
                return known && known->asked && known_below(known, path, ret, ret_count);
        }
        return false;
}

void delta_close(struct job *job) {
        struct delta *delta = job->delta;

        if (!delta)
                return;
        delta_forsake(job);
        for (size_t i = 0; i < delta->known_count; i++)
                known_done(&delta->known[i]);
        for (size_t i = 0; i < delta->base_count; i++)
                references_done(&delta->bases[i].references);
        free(delta->known);
        free(delta->bases);
        references_done(&delta->kept);
        free(delta);
        job->delta = NULL;
}
