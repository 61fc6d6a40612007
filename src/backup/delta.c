/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * delta.c - see delta.h. How names are told is libvss's business, how they are walked the engine's.
 */
#define _GNU_SOURCE
#include "backup/delta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backup/internal.h"
#include "backup/kept.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum {
        /* of names that changed, in memory; of more than that a comparison is as good */
        BYTES_MAX = 48 << 20
};

/* struct known - what is known of one volume */
struct known {
        bool asked; /* and answered */
        struct changed_path *paths; /* sorted, each once; owned */
        size_t count, capacity, bytes;
};

struct delta {
        struct known *volumes; /* like those of the job */
        size_t count;
        struct vss_id set; /* the one that is written */
        struct references kept; /* by this job */
        bool published;
};

/* ---- is the same taken and left out? ---- */

static void describe_list(struct text *text, const char *word, char *const *list) {
        for (; list && *list; list++) {
                text_string(text, word);
                text_char(text, '\t');
                text_field(text, *list);
                text_char(text, '\n');
        }
}

static int by_mount_point(const void *a, const void *b) {
        return strcmp((*(const struct used_volume *const *)a)->mount_point,
                      (*(const struct used_volume *const *)b)->mount_point);
}

static int describe_volumes(const struct job *job, struct text *text) {
        _cleanup_free_ const struct used_volume **sorted =
                calloc(job->volumes.count + 1, sizeof(*sorted));

        if (!sorted)
                return -ENOMEM;
        for (size_t i = 0; i < job->volumes.count; i++)
                sorted[i] = &job->volumes.items[i];
        qsort(sorted, job->volumes.count, sizeof(*sorted), by_mount_point);
        for (size_t i = 0; i < job->volumes.count; i++) {
                text_string(text, "volume\t");
                text_field(text, sorted[i]->mount_point);
                text_char(text, '\t');
                text_field(text, sorted[i]->id);
                text_char(text, '\n');
        }
        return 0;
}

/* fingerprint() - of everything that decides which names are taken; names that did not change are
 * taken as before only while it is the same */
static int fingerprint(const struct job *job, char ret[2 * DIGEST_SIZE + 1]) {
        struct coverage_map *map = NULL;
        struct text text = { 0 }, hex = { 0 };
        uint8_t digest[DIGEST_SIZE];
        int r = job_coverage_new(job, &map);

        describe_list(&text, "path", job->request->what->paths);
        describe_list(&text, "exclude", job->request->what->excludes);
        text_string(&text, "store\t");
        text_field(&text, job->request->store ? job->request->store : "");
        text_char(&text, '\n');
        not_to_backup_describe(job->left_out, &text);
        if (r >= 0) {
                job_coverage_describe(map, &text);
                r = describe_volumes(job, &text);
        }
        if (r >= 0 && !text_cstring(&text))
                r = -ENOMEM;
        if (r >= 0)
                r = digest_bytes(text.data, text.size, digest);
        if (r >= 0) {
                text_hex(&hex, digest, sizeof(digest));
                r = text_cstring(&hex) ? 0 : -ENOMEM;
        }
        if (r >= 0)
                memcpy(ret, hex.data, 2 * DIGEST_SIZE + 1);
        text_done(&text);
        text_done(&hex);
        job_coverage_free(map);
        return r;
}

/* ---- what the base offers ---- */

/* is_own_volume() - is something of the own paths read on it? */
static bool is_own_volume(const struct job *job, const struct used_volume *volume) {
        for (char *const *p = job->request->what->paths; *p; p++)
                if (volumes_find(&job->volumes, *p) == volume ||
                    path_is_below(volume->mount_point, *p))
                        return true;
        return false;
}

static const struct reference *reference_of(const struct references *references,
                                            const struct used_volume *volume) {
        for (size_t i = 0; i < references->count; i++)
                if (strcmp(references->items[i].volume, volume->id) == 0 &&
                    strcmp(references->items[i].mount_point, volume->mount_point) == 0)
                        return &references->items[i];
        return NULL;
}

/* why_not() - NULL: the base's references may be asked about; else the reason for comparing */
static const char no_references[] = "the last backup has no reference snapshot";

static const char *why_not(const struct job *job, struct references *ret) {
        char now[2 * DIGEST_SIZE + 1];
        int r;

        if (job->request->no_delta)
                return "so it was asked for (--no-delta)";
        r = references_of(job->store, job->own_base.set, job->own_base.operation, ret);
        if (r == VSS_E_OBJECT_NOT_FOUND || r == -ENOENT)
                return no_references;
        if (r < 0 || fingerprint(job, now) < 0)
                return "the last backup's list of reference snapshots cannot be read";
        if (strcmp(now, ret->fingerprint) != 0)
                return "what is taken or left out is not the same as in the last backup";
        return NULL;
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
        why = why_not(job, &references);
        if (why == no_references)
                return; /* perhaps no provider here knows of changes: what is usual needs no words
                         */
        for (size_t i = 0; i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];

                if (!is_own_volume(job, v))
                        continue;
                if (why || !reference_of(&references, v))
                        note_compared(job, v, why ? why : "it has no reference snapshot");
                else
                        selection_note(&job->selection,
                                       "what changed on '%s' will be asked of provider '%s'",
                                       v->mount_point, v->provider);
        }
        references_done(&references);
}

/* ---- asking ---- */

void delta_settle(struct job *job, const struct vss_id *writing) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (kept_settle(job->store, job->bc, writing, &error) < 0)
                selection_note(&job->selection, "%s", vss_error_message(&error));
}

static void drop_ranges(struct changed_path *path) {
        free(path->ranges);
        path->ranges = NULL;
        path->ranges_count = 0;
}

static void known_done(struct known *known) {
        for (size_t i = 0; i < known->count; i++) {
                drop_ranges(&known->paths[i]);
                free((char *)(uintptr_t)known->paths[i].path);
        }
        free(known->paths);
        *known = (struct known){ 0 };
}

struct asking {
        const struct used_volume *volume;
        struct known *known;
};

static int add_ranges(struct known *known, const struct vss_change *change) {
        struct changed_path *path = &known->paths[known->count - 1];
        size_t size = change->extent_count * sizeof(*path->ranges);

        if (change->kind != VSS_CHANGE_CHANGED || !change->content || size == 0)
                return 0;
        path->ranges = malloc(size);
        if (!path->ranges)
                return -ENOMEM;
        for (size_t i = 0; i < change->extent_count; i++)
                path->ranges[i] =
                        (struct byte_range){ change->extents[i].offset, change->extents[i].length };
        path->ranges_count = change->extent_count;
        known->bytes += size;
        return known->bytes > BYTES_MAX ? -E2BIG : 0;
}

static int add_path(struct asking *a, const char *path, bool whole, bool content) {
        struct known *known = a->known;
        char *full =
                *path ? path_join(a->volume->mount_point, path) : strdup(a->volume->mount_point);

        if (!full || ARRAY_RESERVE(&known->paths, known->count, &known->capacity) < 0) {
                free(full);
                return -ENOMEM;
        }
        known->paths[known->count++] =
                (struct changed_path){ .path = full, .whole = whole, .content = content };
        known->bytes += strlen(full) + 2 * sizeof(*known->paths);
        return known->bytes > BYTES_MAX ? -E2BIG : 0;
}

static int on_change(void *userdata, const struct vss_change *change) {
        struct asking *a = userdata;
        bool whole = change->kind != VSS_CHANGE_CHANGED;
        int r = change->from ? add_path(a, change->from, true, false) : 0;

        if (r >= 0)
                r = add_path(a, change->path, whole, change->content);
        return r < 0 ? r : add_ranges(a->known, change);
}

static int by_path(const void *a, const void *b) {
        return path_compare(((const struct changed_path *)a)->path,
                            ((const struct changed_path *)b)->path);
}

/* each name once, with all that was said of it */
static void sort_known(struct known *known) {
        size_t last = 0;

        if (known->count == 0)
                return;
        qsort(known->paths, known->count, sizeof(*known->paths), by_path);
        for (size_t i = 1; i < known->count; i++) {
                struct changed_path *p = &known->paths[i], *l = &known->paths[last];

                if (strcmp(p->path, l->path) != 0) {
                        known->paths[++last] = *p;
                        continue;
                }
                /* told twice: which of both is all of it? */
                drop_ranges(l);
                drop_ranges(p);
                l->whole |= p->whole;
                l->content |= p->content;
                free((char *)(uintptr_t)p->path);
        }
        known->count = last + 1;
}

static void ask_volume(struct job *job, const struct used_volume *volume,
                       const struct references *references, struct known *known) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct reference *reference = reference_of(references, volume);
        struct asking asking = { volume, known };
        int r;

        if (!reference) {
                note_compared(job, volume, "it has no reference snapshot");
                return;
        }
        r = vss_backup_components_query_changes(job->bc, &volume->snapshot_id, &reference->id,
                                                on_change, &asking, &error);
        if (r < 0) {
                known_done(known);
                note_compared(job, volume,
                              r == -E2BIG ? "so much has changed that asking gains nothing"
                                          : vss_error_message(&error));
                return;
        }
        sort_known(known);
        known->asked = true;
        selection_note(&job->selection, "'%s': provider '%s' knows what changed: %zu name%s",
                       volume->mount_point, volume->provider, known->count,
                       known->count == 1 ? "" : "s");
}

static struct delta *delta_new(struct job *job) {
        struct delta *delta = calloc(1, sizeof(*delta));

        if (!delta)
                return NULL;
        delta->volumes = calloc(job->volumes.count + 1, sizeof(*delta->volumes));
        if (!delta->volumes) {
                free(delta);
                return NULL;
        }
        delta->count = job->volumes.count;
        job->delta = delta;
        return delta;
}

int delta_ask(struct job *job) {
        struct references references = { 0 };
        const char *why;

        if (!delta_new(job))
                return -ENOMEM;
        if (!job->has_own_base)
                return 0;
        why = why_not(job, &references);
        for (size_t i = 0; i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];

                if (!is_own_volume(job, v) || !v->preserves_inodes)
                        continue;
                if (why)
                        note_compared(job, v, why);
                else
                        ask_volume(job, v, &references, &job->delta->volumes[i]);
        }
        references_done(&references);
        return 0;
}

/* ---- what concerns a source ---- */

static const struct known *known_of(const struct job *job, const char *volume) {
        for (size_t i = 0; job->delta && i < job->delta->count; i++)
                if (strcmp(job->volumes.items[i].mount_point, volume) == 0)
                        return job->delta->volumes[i].asked ? &job->delta->volumes[i] : NULL;
        return NULL;
}

/* first_at() - index of the first path that is not before @path */
static size_t first_at(const struct known *known, const char *path) {
        size_t low = 0, high = known->count;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (path_compare(known->paths[middle].path, path) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool delta_of_source(const struct job *job, const char *volume, const char *path,
                     const struct changed_path **ret, size_t *ret_count) {
        const struct known *known = known_of(job, volume);
        size_t first, end;

        if (!known)
                return false;
        /* where a folder above, or the path itself, is another one, the walk says what is there */
        for (size_t i = 0; i < known->count; i++)
                if (known->paths[i].whole && path_is_below(path, known->paths[i].path))
                        return false;
        first = end = first_at(known, path);
        while (end < known->count && path_is_below(known->paths[end].path, path))
                end++;
        *ret = known->paths + first;
        *ret_count = end - first;
        return true;
}

/* ---- for the next one ---- */

/* copies_to_keep() - as references whose ids are those of the copies */
static int copies_to_keep(struct job *job, struct references *ret) {
        int r = fingerprint(job, ret->fingerprint);

        ret->owner = references_owner(job->store);
        if (!ret->owner)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                struct vss_snapshot_prop prop = { 0 };

                if (!v->preserves_inodes || !is_own_volume(job, v) ||
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

static int put_document(struct job *job, const struct references *noted, struct vss_error *reterr) {
        struct references *kept = &job->delta->kept;
        struct text text = { 0 };
        int r;

        memcpy(kept->fingerprint, noted->fingerprint, sizeof(kept->fingerprint));
        kept->owner = strdup(noted->owner);
        r = kept->owner ? references_format(kept, &text) : -ENOMEM;
        if (r >= 0)
                r = op_put_document(job->operation, REFERENCES_DOCUMENT, text.data, text.size,
                                    reterr);
        text_done(&text);
        return r;
}

int delta_keep(struct job *job, const struct vss_id *set, struct vss_error *reterr) {
        struct references noted = { 0 };
        size_t count;
        int r;

        /* only on these a later one is built */
        if (!job->delta || !job->own_paths || job->own_failed ||
            (job->type != VSS_BT_FULL && job->type != VSS_BT_INCREMENTAL))
                return 0;
        job->delta->set = *set;
        r = copies_to_keep(job, &noted);
        count = noted.count;
        if (r >= 0 && count > 0) {
                r = kept_note(job->store, set, &noted);
                if (r < 0)
                        r = store_failed(job->store, r, reterr);
        }
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = keep_copy(job, &noted, i);
        if (r >= 0 && job->delta->kept.count > 0)
                r = put_document(job, &noted, reterr);
        else if (r >= 0 && count > 0)
                kept_strike(job->store, set);
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

static void release_of(struct job *job, const struct set_place *place) {
        _cleanup_free_ char *owner = references_owner(job->store);
        struct references references = { 0 };

        if (references_of(job->store, place->set, place->operation, &references) >= 0 &&
            references_are_of(&references, owner))
                (void)release(job, &references);
        references_done(&references);
}

/* The next increment builds on this image, a differential one on the last FULL. What the provider
 * does not hear here goes by its limit. */
void delta_published(struct job *job) {
        static const struct component_key own = { .instance_name = "",
                                                  .logical_path = "",
                                                  .name = "" };
        static const uint32_t types[] = { VSS_BT_INCREMENTAL, VSS_BT_DIFFERENTIAL };
        struct set_place place;

        if (!job->delta)
                return;
        job->delta->published = true;
        if (job->delta->kept.count == 0)
                return;
        kept_strike(job->store, &job->delta->set); /* the set names them */
        if (job->type == VSS_BT_INCREMENTAL && job->has_own_base &&
            set_place_operation(&job->own_base)->type != VSS_BT_FULL)
                release_of(job, &job->own_base);
        for (size_t i = 0; job->type == VSS_BT_FULL && i < ELEMENTSOF(types); i++)
                if (job->sets && catalogue_base(job->sets, &own, types[i], &place) >= 0)
                        release_of(job, &place);
}

void delta_close(struct job *job) {
        struct delta *delta = job->delta;

        if (!delta)
                return;
        if (!delta->published && delta->kept.count > 0 && release(job, &delta->kept))
                kept_strike(job->store, &delta->set);
        for (size_t i = 0; i < delta->count; i++)
                known_done(&delta->volumes[i]);
        free(delta->volumes);
        references_done(&delta->kept);
        free(delta);
        job->delta = NULL;
}
