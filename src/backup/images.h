/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.h - all images of a store as one graph: what each builds on, what a restore of it takes,
 * and where a chain has a gap (I-184, I-188).
 *
 * Made from the sets that store_list() read and from nothing else; linear in the number of images.
 */
#ifndef BACKUP_IMAGES_H
#define BACKUP_IMAGES_H

#include "backup/engine.h"

enum image_state {
        IMAGE_GOOD, /* a restore reaches it with what is there */
        IMAGE_FAILED, /* its component failed in its set: nothing builds on it */
        IMAGE_GAP /* good by itself, but something that it builds on is not */
};

enum image_gap {
        GAP_NONE,
        GAP_MISSING, /* no such set */
        GAP_UNREADABLE, /* a folder of that name is there, but damaged or from a newer version */
        GAP_NOT_IN_SET, /* the set does not hold this component */
        GAP_FAILED, /* the component failed there */
        GAP_CIRCLE
};

/* struct image - one component of one set. Lends from the list; pointers live with the images. */
struct image {
        struct set_place place;
        const struct set_component *component;
        const struct image *base; /* NULL: it has none, or @gap says why it is not there */
        enum image_state state;
        enum image_gap gap; /* of this very image's base pointer */
        /* with IMAGE_GAP: the image whose base pointer leads nowhere; itself or an earlier one */
        const struct image *broken;
        size_t depth; /* images on the way to it, itself included */
};

struct images {
        const struct set_list *list;
        struct image *items; /* in the order of the sets, operations, components */
        size_t count, capacity;
        size_t *first; /* the images of list->sets[i] are items[first[i]] up to items[first[i + 1]]
                        */
};

/* images_read() - @list must live longer. Operations without plain files of the requester have no
 * image of them. 0 or -ENOMEM */
int images_read(const struct set_list *list, struct images *ret, struct vss_error *reterr);
void images_done(struct images *images);

/* images_best_before() - the newest image of the same component before @image that can be
 * restored (IV-96), or NULL */
const struct image *images_best_before(const struct images *images, const struct image *image);

/* image_gap_words() - why the chain of an image with IMAGE_GAP ends, for people; the caller frees
 * it; NULL when out of memory */
char *image_gap_words(const struct images *images, const struct image *image);

/* set_component_is_there() - component 0 stands for plain files also in an operation that has
 * none */
bool set_component_is_there(const struct set_place *place);

/* set_list_unreadable() - the folder of a set with this id that could not be read, or NULL. Its
 * name is all that is known of it */
const struct unreadable_set *set_list_unreadable(const struct set_list *list,
                                                 const struct vss_id *id);

#endif
