/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delta-keep.c - see delta.h: what the next backup will ask about, from the finished copies to
 * their release.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "backup/delta-inside.h"
#include "backup/internal.h"
#include "backup/kept.h"
#include "backup/taken.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum { SOURCES_MAX = 4096 /* file sets of writers in one document; more are compared */ };

static bool own_is_good(const struct job *job) {
        return job->own_paths && !job->own_failed;
}

/* list_taken() - what an increment of this image may rest on */
static int list_taken(struct job *job, struct references *ret) {
        int r = own_is_good(job) ? taken_own(job, ret->fingerprint) : 0;

        for (size_t i = 0; r >= 0 && i < job->plan.count; i++) {
                const struct plan_item *item = &job->plan.items[i];
                const struct chosen_writer *w;
                const struct job_component *c;
                _cleanup_free_ char *path = NULL;
                char digest[TAKEN_SIZE];

                if (item->live) {
                        path = path_join(item->path, item->filespec);
                        r = path ? references_add_alone(ret, path) : -ENOMEM;
                }
                if (item->writer == PLAN_OWN || ret->sources_count == SOURCES_MAX)
                        continue;
                w = &job->selection.writers[item->writer];
                c = job_component_find(job, item->writer, w->components[item->component].defining);
                /* nobody else can leave something to the requester's judgement (I-96) */
                if (!(w->schema & VSS_BS_LAST_MODIFY) || !c || c->failed ||
                    !taken_is_exact(job, item))
                        continue;
                r = taken_item(job, item, digest);
                if (r >= 0)
                        r = references_add_source(ret, c->index, digest);
        }
        return r;
}

/* is_asked_about() - by the next increment */
static bool is_asked_about(const struct job *job, const struct references *taken,
                           const struct used_volume *volume) {
        if (!volume->preserves_inodes)
                return false;
        if (own_is_good(job) && delta_is_own_volume(job, volume))
                return true;
        for (size_t i = 0; taken->sources_count > 0 && i < job->plan.count; i++) {
                const struct plan_item *item = &job->plan.items[i];

                if (item->writer != PLAN_OWN &&
                    job->selection.writers[item->writer].schema & VSS_BS_LAST_MODIFY &&
                    taken_is_exact(job, item) && taken_reads(job, item, volume))
                        return true;
        }
        return false;
}

/* list_replaced() - what components of this operation were built on */
static int list_replaced(const struct job *job, const struct component_key *key,
                         struct references *ret) {
        static const uint32_t types[] = { VSS_BT_INCREMENTAL, VSS_BT_DIFFERENTIAL };
        struct set_place place;
        int r = 0;

        for (size_t i = 0; r >= 0 && job->sets && i < ELEMENTSOF(types); i++)
                if (catalogue_base(job->sets, key, types[i], &place) >= 0)
                        r = references_add_replaced(ret, &place.set->id, place.operation);
        return r;
}

static int list_all_replaced(const struct job *job, struct references *ret) {
        static const struct component_key own = { .instance_name = "",
                                                  .logical_path = "",
                                                  .name = "" };
        int r = job->own_paths ? list_replaced(job, &own, ret) : 0;

        for (size_t i = 0; r >= 0 && i < job->component_count; i++) {
                const struct component_key key = job_engine_key(job, &job->components[i]);

                if (job->selection.writers[job->components[i].writer].schema & VSS_BS_LAST_MODIFY)
                        r = list_replaced(job, &key, ret);
        }
        return r;
}

/* copies_to_keep() - as references whose ids are those of the copies */
static int copies_to_keep(struct job *job, struct references *ret) {
        int r = list_taken(job, ret);

        if (r >= 0)
                r = list_all_replaced(job, ret);
        ret->owner = references_owner(job->store);
        if (!ret->owner)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                struct vss_snapshot_prop prop = { 0 };

                if (!is_asked_about(job, ret, v) ||
                    vss_backup_components_get_snapshot_properties(job->bc, &v->snapshot_id, &prop,
                                                                  NULL) < 0)
                        continue;
                r = references_add(ret, v->id, v->mount_point, &prop.provider_id, &v->snapshot_id);
                vss_free_snapshot_properties(&prop);
        }
        return r;
}

/* keep_copy() - the note must know the reference before it is one: a provider that gives it the
 * copy's id was foreseen, the id of another is noted as soon as it is heard */
static int keep_copy(struct job *job, struct references *noted, size_t index) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct reference *copy = &noted->items[index];
        struct vss_id id;
        int r = vss_backup_components_keep_reference(job->bc, &copy->id, &id, &error);

        if (r < 0 && r != E_NOTIMPL)
                selection_note(&job->selection,
                               "no reference snapshot of '%s' is kept, the next backup compares: "
                               "%s",
                               copy->mount_point, vss_error_message(&error));
        if (r < 0)
                return 0;
        r = references_add(&job->delta->kept, copy->volume, copy->mount_point, &copy->provider_id,
                           &id);
        if (r < 0 || vss_id_equal(&id, &copy->id))
                return r;
        r = references_add(noted, copy->volume, copy->mount_point, &copy->provider_id, &id);
        return r < 0 ? r : kept_note(job->store, &job->delta->set, noted);
}

/* put_document() - what @noted says, of the references that are @kept */
static int put_document(struct job *job, const struct references *noted, struct vss_error *reterr) {
        const struct references *kept = &job->delta->kept;
        struct references document = *noted;
        struct text text = { 0 };
        int r;

        document.items = kept->items;
        document.count = kept->count;
        document.replaced_count = 0;
        r = references_format(&document, &text);
        if (r >= 0)
                r = op_put_document(job->operation, REFERENCES_DOCUMENT, text.data, text.size,
                                    reterr);
        text_done(&text);
        return r;
}

/* replaces_references() - has an image that this one takes the place of any? */
static bool replaces_references(const struct job *job, const struct references *noted) {
        bool any = false;

        for (size_t i = 0; !any && i < noted->replaced_count; i++) {
                const struct replaced *replaced = &noted->replaced[i];
                const struct set_info *set = set_find_id(job->sets, &replaced->set);
                struct references references = { 0 };

                any = set &&
                      references_of(job->store, set, replaced->operation, &references) >= 0 &&
                      references_are_of(&references, noted->owner);
                references_done(&references);
        }
        return any;
}

int delta_keep(struct job *job, const struct vss_id *set, struct vss_error *reterr) {
        struct references noted = { 0 };
        size_t count;
        int r;

        /* only on these a later one is built */
        if (!job->delta || (job->type != VSS_BT_FULL && job->type != VSS_BT_INCREMENTAL))
                return 0;
        job->delta->set = *set;
        r = copies_to_keep(job, &noted);
        count = noted.count;
        /* whether or not one is kept: those of the replaced images must go */
        if (r >= 0 && (count > 0 || replaces_references(job, &noted))) {
                job->delta->noted = true;
                r = kept_note(job->store, set, &noted);
                if (r < 0)
                        r = store_failed(job->store, r, reterr);
        }
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = keep_copy(job, &noted, i);
        if (r >= 0 && job->delta->kept.count > 0)
                r = put_document(job, &noted, reterr);
        references_done(&noted);
        return r;
}

/* release() - were all? */
static bool release(struct job *job, const struct references *references) {
        bool all = true;

        for (size_t i = 0; i < references->count; i++)
                all = kept_release(job->bc, &references->items[i], NULL) >= 0 && all;
        return all;
}

void delta_published(struct job *job, const struct set_list *sets) {
        if (!job->delta)
                return;
        job->delta->published = true;
        if (job->delta->noted && sets)
                kept_published(job->store, job->bc, sets, &job->delta->set);
}

void delta_forsake(struct job *job) {
        struct delta *delta = job->delta;

        if (!delta->published && delta->noted && release(job, &delta->kept))
                kept_strike(job->store, &delta->set);
}
