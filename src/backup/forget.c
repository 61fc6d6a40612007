/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forget.c - which sets of a store may go. First the reasons to stay by themselves (named, newest,
 * young), then what those build on; what is left goes.
 */
#define _GNU_SOURCE
#include "backup/forget.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/internal.h"
#include "backup/kept.h"
#include "backup/request.h"
#include "base/array.h"
#include "base/cleanup.h"

/* struct series_image - an image in its series: the images of one component, or of plain files of
 * the same paths */
struct series_image {
        const struct image *image;
        const char *paths; /* "" for components */
        size_t set; /* index */
};

struct decision {
        struct store *store;
        const struct forget_request *request;
        struct forget *forget;
        struct vss_error *reterr;
};

static const char *keep_text(struct forget *forget, char *take_text) {
        if (!take_text ||
            ARRAY_RESERVE(&forget->texts, forget->text_count, &forget->text_capacity) < 0) {
                free(take_text);
                return NULL;
        }
        return forget->texts[forget->text_count++] = take_text;
}

/* ---- by name ---- */

/* a folder that cannot be read is named by the beginning of its name */
static int find_unreadable(const struct set_list *sets, const char *name, size_t *ret) {
        size_t found = sets->unreadable_count;

        for (size_t i = 0; i < sets->unreadable_count; i++) {
                if (strncmp(sets->unreadable[i].folder, name, strlen(name)) != 0)
                        continue;
                if (found < sets->unreadable_count)
                        return E_INVALIDARG;
                found = i;
        }
        *ret = found;
        return found < sets->unreadable_count ? 0 : VSS_E_OBJECT_NOT_FOUND;
}

static int name_one(struct decision *d, const char *name) {
        struct set_list *sets = &d->forget->sets;
        const struct set_info *set;
        size_t index;
        int r = set_find(sets, name, &set, d->reterr);

        if (r == VSS_E_OBJECT_NOT_FOUND && find_unreadable(sets, name, &index) == 0) {
                if (sets->unreadable[index].code == VSS_E_NOT_SUPPORTED)
                        return vss_fail(
                                d->reterr, VSS_E_NOT_SUPPORTED,
                                "'%s' was written by a newer version; use that to remove it",
                                sets->unreadable[index].folder);
                d->forget->items[sets->count + index].why = FORGET_IT;
                return 0;
        }
        if (r < 0)
                return r;
        for (size_t i = 0; i < sets->count; i++)
                if (sets->sets[i] == set)
                        d->forget->items[i].why = FORGET_IT;
        return 0;
}

/* ---- by rule ---- */

/* the paths that were asked for, as one string; an image whose request is damaged is a series of
 * its own, and stays */
static const char *paths_of(struct decision *d, const struct image *image) {
        const struct set_info *set = image->place.set;
        _cleanup_free_ char *text = NULL;
        struct text joined = { 0 };
        struct request request;
        const char *result;
        int r = store_read_document(d->store, set, image->place.operation, REQUEST_DOCUMENT, &text,
                                    NULL, NULL);

        if (r == VSS_E_OBJECT_NOT_FOUND)
                return ""; /* the set was made without one */
        if (r < 0 || request_parse(text, &request, NULL) < 0)
                return set->folder;
        for (char **p = request.paths; *p; p++) {
                text_field(&joined, *p);
                text_char(&joined, '\n');
        }
        text_char(&joined, '\n');
        request_done(&request);
        result = text_cstring(&joined) ? keep_text(d->forget, strdup(joined.data)) : NULL;
        text_done(&joined);
        return result;
}

static int compare_keys(const struct component_key *a, const struct component_key *b) {
        int order = memcmp(a->writer_id.bytes, b->writer_id.bytes, sizeof(a->writer_id.bytes));

        if (order == 0)
                order = strcmp(a->instance_name, b->instance_name);
        if (order == 0)
                order = (a->type > b->type) - (a->type < b->type);
        if (order == 0)
                order = strcmp(a->logical_path, b->logical_path);
        return order ? order : strcmp(a->name, b->name);
}

static int compare_series(const struct series_image *a, const struct series_image *b) {
        int order = compare_keys(&a->image->component->key, &b->image->component->key);

        return order ? order : strcmp(a->paths, b->paths);
}

/* by series, in it the newest first */
static int compare_members(const void *a, const void *b) {
        const struct series_image *x = a, *y = b;
        int order = compare_series(x, y);

        return order ? order : (x->set < y->set) - (x->set > y->set);
}

/* in each series down to the last of the newest that can be restored; what failed since stays, too:
 * it may hold the last trace of something. Copies count, but the newest that is none stays as well,
 * or the next increment would have nothing to build on (I-44, I-53) */
static void keep_newest(struct decision *d, const struct series_image *members, size_t count) {
        bool based = false;
        uint32_t seen = 0;

        for (size_t i = 0; i < count; i++) {
                struct forget_item *item = &d->forget->items[members[i].set];
                bool good = members[i].image->state == IMAGE_GOOD, base;

                if (i == 0 || compare_series(&members[i - 1], &members[i]) != 0) {
                        based = false;
                        seen = 0;
                }
                if (item->why == KEEP_FUTURE)
                        continue; /* it must not take a newer one's place */
                base = good && !based && d->forget->sets.sets[members[i].set]->type != VSS_BT_COPY;
                if (seen >= d->request->keep && !base)
                        continue;
                if (good)
                        seen++;
                based = based || base;
                if (item->why != FORGET_IT)
                        continue;
                item->why = KEEP_NEWEST;
                item->whose = members[i].image->component->key.name;
        }
}

static int by_rule(struct decision *d) {
        const struct images *images = &d->forget->images;
        struct series_image *members = calloc(images->count + 1, sizeof(*members));
        const vss_timestamp_t now = vss_timestamp_now();
        int r = members ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < images->list->count; i++) {
                const struct set_info *set = images->list->sets[i];

                if (set->time > now)
                        d->forget->items[i].why = KEEP_FUTURE;
                else if (d->request->before && set->time >= d->request->before)
                        d->forget->items[i].why = KEEP_YOUNG;
                for (size_t k = images->first[i]; r >= 0 && k < images->first[i + 1]; k++) {
                        const struct image *image = &images->items[k];

                        members[k] = (struct series_image){ image, "", i };
                        if (component_is_own(&image->component->key))
                                members[k].paths = paths_of(d, image);
                        r = members[k].paths ? 0 : -ENOMEM;
                }
        }
        if (r >= 0 && images->count > 0)
                qsort(members, images->count, sizeof(*members), compare_members);
        if (r >= 0)
                keep_newest(d, members, images->count);
        free(members);
        return r < 0 ? vss_fail(d->reterr, r, "out of memory") : 0;
}

/* ---- what stays needs what it builds on ---- */

/* what cannot be read may build on anything, unless its name says that it builds on nothing */
static int refuse_unreadable(const struct decision *d) {
        const struct set_list *sets = &d->forget->sets;

        for (size_t i = 0; i < sets->unreadable_count; i++) {
                const struct unreadable_set *set = &sets->unreadable[i];

                if (d->forget->items[sets->count + i].why == FORGET_IT)
                        continue;
                if (set->code == VSS_E_NOT_SUPPORTED)
                        return vss_fail(d->reterr, VSS_E_NOT_SUPPORTED,
                                        "'%s' was written by a newer version, and what it builds "
                                        "on is not known here; use that version",
                                        set->folder);
                if (!strstr(set->folder, "-full-") && !strstr(set->folder, "-copy-"))
                        return vss_fail(d->reterr, VSS_E_BAD_STATE,
                                        "'%s' cannot be read (%s), so what it builds on is not "
                                        "known; repair it, or remove it by its name first",
                                        set->folder, set->words);
        }
        return 0;
}

static int needed(struct decision *d, struct forget_item *item, const struct set_info *by,
                  bool *changed) {
        if (item->why != FORGET_IT)
                return 0;
        if (d->request->name_count > 0)
                return vss_fail(d->reterr, VSS_E_BAD_STATE,
                                "'%s' builds on '%s'; name both, or leave both", by->folder,
                                item->folder);
        item->why = KEEP_NEEDED;
        item->whose = by->folder;
        *changed = true;
        return 0;
}

/* all that one set names as a base, good or not, there or not: whoever stays must still verify */
static int keep_bases(struct decision *d, const struct set_info *set, bool *changed) {
        struct forget *forget = d->forget;
        const struct vss_id *last = NULL;
        int r = 0;

        for (size_t o = 0; o < set->operations_count; o++)
                for (size_t k = 0; r >= 0 && k < set->operations[o].components_count; k++) {
                        const struct vss_id *base = &set->operations[o].components[k].base;
                        const struct unreadable_set *unreadable;
                        size_t i = 0;

                        if (vss_id_is_null(base) || (last && vss_id_equal(last, base)))
                                continue;
                        last = base;
                        while (i < forget->sets.count &&
                               !vss_id_equal(&forget->sets.sets[i]->id, base))
                                i++;
                        unreadable = i < forget->sets.count
                                             ? NULL
                                             : set_list_unreadable(&forget->sets, base);
                        if (unreadable)
                                i += (size_t)(unreadable - forget->sets.unreadable);
                        if (i < forget->sets.count || unreadable)
                                r = needed(d, &forget->items[i], set, changed);
                }
        return r;
}

/* later sets first, so that mostly one round is enough; a clock that jumped costs some more */
static int keep_needed(struct decision *d) {
        bool changed = true;

        while (changed) {
                changed = false;
                for (size_t i = d->forget->sets.count; i-- > 0;) {
                        int r = d->forget->items[i].why == FORGET_IT
                                        ? 0
                                        : keep_bases(d, d->forget->sets.sets[i], &changed);

                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int decide(struct decision *d) {
        struct forget *forget = d->forget;
        const struct set_list *sets = &forget->sets;
        const bool by_name = d->request->name_count > 0;
        int r = 0;

        for (size_t i = 0; i < forget->count; i++) {
                struct forget_item *item = &forget->items[i];
                const bool readable = i < sets->count;

                item->set = readable ? sets->sets[i] : NULL;
                item->folder =
                        readable ? item->set->folder : sets->unreadable[i - sets->count].folder;
                item->why = by_name || !readable ? KEEP_NOT_NAMED : FORGET_IT;
        }
        for (size_t i = 0; r >= 0 && i < d->request->name_count; i++)
                r = name_one(d, d->request->names[i]);
        if (r >= 0)
                r = refuse_unreadable(d);
        if (r >= 0 && !by_name)
                r = by_rule(d);
        if (r >= 0)
                r = keep_needed(d);
        for (size_t i = 0; r >= 0 && i < forget->count; i++)
                forget->items[i].bytes = set_folder_bytes(d->store, forget->items[i].folder);
        return r;
}

int forget_decide(struct store *store, const struct forget_request *request, struct forget *ret,
                  struct vss_error *reterr) {
        struct forget forget = { 0 };
        struct decision d = { store, request, &forget, reterr };
        int r = store_list(store, &forget.sets, reterr);

        if (r < 0)
                return r;
        forget.count = forget.sets.count + forget.sets.unreadable_count;
        forget.items = calloc(forget.count + 1, sizeof(*forget.items));
        r = forget.items ? images_read(&forget.sets, &forget.images, reterr)
                         : vss_fail(reterr, -ENOMEM, "out of memory");
        /* the images lend the list, which moves with the struct */
        forget.images.list = &forget.sets;
        if (r >= 0)
                r = decide(&d);
        if (r < 0) {
                forget_done(&forget);
                return r;
        }
        *ret = forget;
        ret->images.list = &ret->sets;
        return 0;
}

/* what builds on a set disappears before it, whatever their clocks said: killed between the two,
 * nothing is without its beginning. @begun keeps sets that go in a circle from doing so here */
static int hide(struct store *store, struct forget *forget, size_t index, bool *begun,
                struct vss_error *reterr) {
        struct forget_item *item = &forget->items[index];
        int r = 0;

        begun[index] = true;
        for (size_t i = forget->sets.count; item->set && r >= 0 && i-- > 0;)
                if (forget->items[i].why == FORGET_IT && !begun[i] &&
                    set_builds_on(forget->items[i].set, &item->set->id))
                        r = hide(store, forget, i, begun, reterr);
        /* what cannot be noted, on a full disk for instance, goes by the provider's limit */
        if (r >= 0 && item->set)
                (void)kept_note_of(store, item->set);
        if (r >= 0)
                r = set_folder_hide(store, item->folder, reterr);
        item->removed = r >= 0;
        return r;
}

int forget_run(struct store *store, struct forget *forget, struct vss_error *reterr) {
        _cleanup_free_ bool *begun = calloc(forget->count + 1, sizeof(*begun));
        int r = begun ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");

        for (size_t i = forget->count; r >= 0 && i-- > 0;)
                if (forget->items[i].why == FORGET_IT && !begun[i])
                        r = hide(store, forget, i, begun, reterr);
        /* the folders are out of sight: whoever comes now reads what is left */
        store_unlock_readers(store);
        for (size_t i = forget->count; i-- > 0;) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                int r2 = forget->items[i].removed
                                 ? set_folder_delete(store, forget->items[i].folder, &error)
                                 : 0;

                if (r2 < 0 && r >= 0)
                        r = vss_fail(reterr, r2, "%s", vss_error_message(&error));
        }
        return r;
}

void forget_done(struct forget *forget) {
        for (size_t i = 0; i < forget->text_count; i++)
                free(forget->texts[i]);
        free(forget->texts);
        free(forget->items);
        images_done(&forget->images);
        set_list_done(&forget->sets);
        *forget = (struct forget){ 0 };
}
