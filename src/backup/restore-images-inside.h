/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-images-inside.h - what the files of restore-images.h share: a component on its way, and
 * all of them.
 */
#ifndef BACKUP_RESTORE_IMAGES_INSIDE_H
#define BACKUP_RESTORE_IMAGES_INSIDE_H

#include "backup/restore-images.h"
#include "backup/restore-services.h"

struct component {
        const struct component_key *key; /* lent by the list */
        struct chain chain; /* empty when it cannot be restored */
        size_t next; /* images in place, or let out with @at_once; the link that comes next */
        bool at_once;
        bool told; /* its writer heard of the image before */
        bool heard; /* it heard of any */
        bool touched; /* files of it may have changed */
        bool torn; /* the image whose turn it is changed some, and is not through */
        bool over;
        bool is_part, kept, deferred, reboot; /* as in struct restore_images_result */
        uint32_t status; /* of the last image that was put */
        struct vss_error error; /* why it goes no further */
        enum restore_course course; /* of the image before */
        /* of the bracket that is open */
        bool in_turn, is_put;
        char *restarts; /* a service, when the bracket is closed (method 8); owned */
};

struct restore_images {
        struct store *store;
        const struct set_list *list;
        const struct restore_images_watch *watch;
        struct component *items;
        size_t count, capacity;
        /* operations whose documents were found readable; .component is not used */
        struct set_place *readable;
        size_t readable_count, readable_capacity;
        struct restore_services services;
        bool reboot;
};

static inline const struct set_place *last_of(const struct component *c) {
        return &c->chain.links[c->chain.count - 1];
}

static inline const struct component_key *key_of(const struct component *c) {
        return c->key;
}

static inline struct image_turn turn_of(const struct component *c) {
        return (struct image_turn){ .chain = &c->chain,
                                    .image = c->at_once ? 0 : c->next + 1,
                                    .number = c->next + 1,
                                    .place = &c->chain.links[c->next],
                                    .key = key_of(c) };
}

static inline bool is_same_operation(const struct set_place *a, const struct set_place *b) {
        return a->set == b->set && a->operation == b->operation;
}

#endif
