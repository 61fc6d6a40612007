/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.c - all images of a store as one graph (I-184, I-188).
 */
#define _GNU_SOURCE
#include "backup/images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"

struct known_set {
        const struct vss_id *id;
        size_t index; /* in the list */
};

struct reading {
        struct images *images;
        struct known_set *known; /* by id */
        bool *settled; /* per image: its state is final */
        size_t *path; /* images on the way down to a settled one */
        bool *on_path;
};

bool set_component_is_there(const struct set_place *place) {
        const struct set_component *c = set_place_component(place);

        return c &&
               (place->component > 0 || c->entries > 0 || !c->good || !vss_id_is_null(&c->base));
}

const struct unreadable_set *set_list_unreadable(const struct set_list *list,
                                                 const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        vss_id_format(id, text);
        text[8] = '\0';
        for (size_t i = 0; i < list->unreadable_count; i++) {
                const char *end = strrchr(list->unreadable[i].folder, '-');

                if (end && strcmp(end + 1, text) == 0)
                        return &list->unreadable[i];
        }
        return NULL;
}

static int by_id(const void *a, const void *b) {
        const struct known_set *x = a, *y = b;
        int order = memcmp(x->id->bytes, y->id->bytes, sizeof(x->id->bytes));

        return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* the index of the first set with this id, as set_find_id() has it, or the number of sets */
static size_t find_set(const struct reading *reading, const struct vss_id *id) {
        size_t low = 0, count = reading->images->list->count, high = count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (memcmp(reading->known[middle].id->bytes, id->bytes, sizeof(id->bytes)) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < count && vss_id_equal(reading->known[low].id, id) ? reading->known[low].index
                                                                       : count;
}

static int collect(struct images *images) {
        for (size_t i = 0; i < images->list->count; i++) {
                const struct set_info *set = images->list->sets[i];

                images->first[i] = images->count;
                for (size_t o = 0; o < set->operations_count; o++)
                        for (size_t k = 0; k < set->operations[o].components_count; k++) {
                                struct set_place place = { set, set->operations[o].number,
                                                           (uint32_t)k };

                                if (!set_component_is_there(&place))
                                        continue;
                                if (ARRAY_RESERVE(&images->items, images->count,
                                                  &images->capacity) < 0)
                                        return -ENOMEM;
                                images->items[images->count++] =
                                        (struct image){ .place = place,
                                                        .component = set_place_component(&place) };
                        }
        }
        images->first[images->list->count] = images->count;
        return 0;
}

static struct image *image_at(const struct images *images, size_t set,
                              const struct set_place *place) {
        size_t low = images->first[set], high = images->first[set + 1];

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct set_place *here = &images->items[middle].place;

                if (here->operation < place->operation ||
                    (here->operation == place->operation && here->component < place->component))
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == images->first[set + 1] ||
            images->items[low].place.operation != place->operation ||
            images->items[low].place.component != place->component)
                return NULL;
        return &images->items[low];
}

static void find_base(const struct reading *reading, struct image *image) {
        const struct set_component *c = image->component;
        const struct set_list *list = reading->images->list;
        struct set_place place = { NULL, c->base_operation, c->base_component };
        const struct image *base;
        size_t set;

        if (vss_id_is_null(&c->base))
                return;
        set = find_set(reading, &c->base);
        if (set == list->count) {
                image->gap = set_list_unreadable(list, &c->base) ? GAP_UNREADABLE : GAP_MISSING;
                return;
        }
        place.set = list->sets[set];
        if (set_place_component(&place) && place.component == 0 && !set_component_is_there(&place))
                return; /* made on an operation without plain files: it is whole by itself */
        base = image_at(reading->images, set, &place);
        if (!base || !component_key_equal(&base->component->key, &c->key))
                image->gap = GAP_NOT_IN_SET;
        else if (!base->component->good)
                image->gap = GAP_FAILED;
        else
                image->base = base;
}

static void settle(struct image *image) {
        const struct image *base = image->base;

        image->depth = base ? base->depth + 1 : 1;
        if (image->gap != GAP_NONE)
                image->broken = image;
        else if (base && base->state == IMAGE_GAP)
                image->broken = base->broken;
        image->state = !image->component->good ? IMAGE_FAILED
                       : image->broken         ? IMAGE_GAP
                                               : IMAGE_GOOD;
}

/* from the image down to what is settled, and back up; no recursion, chains may be long */
static void settle_chain(struct reading *reading, size_t index) {
        struct images *images = reading->images;
        size_t depth = 0;

        while (!reading->settled[index]) {
                struct image *image = &images->items[index];

                reading->path[depth++] = index;
                reading->on_path[index] = true;
                if (!image->base)
                        break;
                if (reading->on_path[image->base - images->items]) {
                        image->base = NULL;
                        image->gap = GAP_CIRCLE;
                        break;
                }
                index = (size_t)(image->base - images->items);
        }
        while (depth > 0) {
                index = reading->path[--depth];
                settle(&images->items[index]);
                reading->settled[index] = true;
                reading->on_path[index] = false;
        }
}

static int read_images(struct reading *reading) {
        struct images *images = reading->images;
        int r = collect(images);

        if (r < 0)
                return r;
        reading->settled = calloc(images->count + 1, sizeof(*reading->settled));
        reading->on_path = calloc(images->count + 1, sizeof(*reading->on_path));
        reading->path = calloc(images->count + 1, sizeof(*reading->path));
        if (!reading->settled || !reading->on_path || !reading->path)
                return -ENOMEM;
        for (size_t i = 0; i < images->list->count; i++)
                reading->known[i] = (struct known_set){ &images->list->sets[i]->id, i };
        if (images->list->count > 0)
                qsort(reading->known, images->list->count, sizeof(*reading->known), by_id);
        for (size_t i = 0; i < images->count; i++)
                find_base(reading, &images->items[i]);
        for (size_t i = 0; i < images->count; i++)
                settle_chain(reading, i);
        return 0;
}

int images_read(const struct set_list *list, struct images *ret, struct vss_error *reterr) {
        struct images images = { .list = list };
        struct reading reading = { .images = &images };
        int r;

        images.first = calloc(list->count + 1, sizeof(*images.first));
        reading.known = calloc(list->count + 1, sizeof(*reading.known));
        r = images.first && reading.known ? read_images(&reading) : -ENOMEM;
        free(reading.known);
        free(reading.settled);
        free(reading.on_path);
        free(reading.path);
        if (r < 0) {
                images_done(&images);
                return vss_fail(reterr, r, "out of memory");
        }
        *ret = images;
        return 0;
}

void images_done(struct images *images) {
        free(images->items);
        free(images->first);
        *images = (struct images){ 0 };
}

/* the component of @key in the images of one set; most often it stands where it stood before */
static const struct image *find_in_set(const struct images *images, size_t set,
                                       const struct image *like) {
        const struct image *same = image_at(images, set, &like->place);

        if (same && component_key_equal(&same->component->key, &like->component->key))
                return same;
        for (size_t i = images->first[set]; i < images->first[set + 1]; i++)
                if (component_key_equal(&images->items[i].component->key, &like->component->key))
                        return &images->items[i];
        return NULL;
}

const struct image *images_best_before(const struct images *images, const struct image *image) {
        size_t set = images->list->count;

        while (set > 0 && images->list->sets[set - 1] != image->place.set)
                set--;
        for (set = set > 0 ? set - 1 : 0; set-- > 0;) {
                const struct image *found = find_in_set(images, set, image);

                if (found && found->state == IMAGE_GOOD)
                        return found;
        }
        return NULL;
}

char *image_gap_words(const struct images *images, const struct image *image) {
        const struct image *broken = image->broken;
        const struct set_component *c = broken->component;
        const struct unreadable_set *unreadable = set_list_unreadable(images->list, &c->base);
        const struct set_info *base = set_find_id(images->list, &c->base);
        char id[VSS_ID_TEXT_SIZE], *words = NULL;
        const char *who = broken->place.set->folder;
        int n = -1;

        vss_id_format(&c->base, id);
        switch (broken->gap) {
        case GAP_MISSING:
        case GAP_NONE:
                n = asprintf(&words, "'%s' builds on the set %s, which is missing", who, id);
                break;
        case GAP_UNREADABLE:
                n = asprintf(&words, "'%s' builds on '%s', which cannot be read", who,
                             unreadable ? unreadable->folder : id);
                break;
        case GAP_NOT_IN_SET:
                n = asprintf(&words, "'%s' builds on '%s', which does not hold it", who,
                             base ? base->folder : id);
                break;
        case GAP_FAILED:
                n = asprintf(&words, "'%s' builds on '%s', in which it failed", who,
                             base ? base->folder : id);
                break;
        case GAP_CIRCLE:
                n = asprintf(&words, "'%s' and what it builds on go in a circle", who);
                break;
        }
        return n < 0 ? NULL : words;
}
