/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-images-add.c - see restore-images.h: what is looked through before the first writer is
 * told and the first file touched.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "backup/restore-images-inside.h"
#include "backup/restore-put.h"
#include "backup/restore-writers.h"
#include "base/array.h"
#include "base/cleanup.h"

DEFINE_CLEANUP(struct restore_writers *, restore_writers_free)

static int check_document(struct restore_images *images, const struct set_place *place,
                          struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        size_t size;
        int r;

        for (size_t i = 0; i < images->readable_count; i++)
                if (is_same_operation(&images->readable[i], place))
                        return 0;
        if (ARRAY_RESERVE(&images->readable, images->readable_count, &images->readable_capacity) <
            0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        r = store_read_document(images->store, place->set, place->operation,
                                "backup-components.xml", &xml, &size, reterr);
        if (r >= 0)
                images->readable[images->readable_count++] = *place;
        return r;
}

/* check_chain() - its manifests belong to each other, and every image has its document */
static int check_chain(struct restore_images *images, const struct chain *chain,
                       struct vss_error *reterr) {
        struct view *view = NULL;
        int r = view_open(images->store, chain, NULL, &view, reterr);

        view_close(view);
        for (size_t i = 0; r >= 0 && i < chain->count; i++)
                r = check_document(images, &chain->links[i], reterr);
        return r;
}

/* fail_as_is() - its chain cannot be restored: nothing of it is changed */
static void fail_as_is(struct restore_images *images, struct component *c,
                       const struct vss_error *error) {
        vss_fail(&c->error, error->code, "nothing of it is changed: %s", vss_error_message(error));
        c->over = true;
        chain_done(&c->chain);
        images->watch->failed(images->watch->userdata, c->key, &c->error);
}

/* check_part() - does the caller leave files of it out? */
static int check_part(struct restore_images *images, struct component *c,
                      struct vss_error *reterr) {
        struct restore_request request = { 0 };
        const struct image_turn turn = turn_of(c);
        int r;

        if (!images->watch->request)
                return 0;
        images->watch->request(images->watch->userdata, &turn, &request);
        r = restore_put_is_part(images->store, &c->chain, &request, &c->is_part, reterr);
        c->at_once |= c->is_part;
        return r;
}

int restore_images_add(struct restore_images *images, const struct set_place *wanted) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct component *c;
        int r;

        if (ARRAY_RESERVE(&images->items, images->count, &images->capacity) < 0)
                return -ENOMEM;
        c = &images->items[images->count++];
        *c = (struct component){ .key = &set_place_component(wanted)->key,
                                 .status = VSS_RS_NONE,
                                 .at_once = images->watch->at_once };
        r = chain_of(images->list, wanted, &c->chain, &error);
        if (r >= 0)
                r = check_chain(images, &c->chain, &error);
        if (r >= 0)
                r = check_part(images, c, &error);
        if (r < 0)
                fail_as_is(images, c, &error);
        else if (c->at_once)
                c->next = c->chain.count - 1;
        return r == -ENOMEM ? r : 0;
}

/* rehearse_operation() - all components whose last image lies where that of @first does */
static int rehearse_operation(struct restore_images *images, size_t first,
                              struct vss_error *reterr) {
        const struct set_place *place = last_of(&images->items[first]);
        const struct restore_writers_watch silent = { NULL, images->watch->wishes, NULL };
        _cleanup_(restore_writers_freep) struct restore_writers *writers = NULL;
        int r = restore_writers_open(images->store, place->set, place->operation,
                                     images->watch->config_dir, &silent, &writers, reterr);

        for (size_t i = first; r >= 0 && i < images->count; i++)
                if (!images->items[i].over && is_same_operation(last_of(&images->items[i]), place))
                        r = restore_writers_select(writers, key_of(&images->items[i]), false,
                                                   reterr);
        return r;
}

int restore_images_rehearse(struct restore_images *images, struct vss_error *reterr) {
        for (size_t i = 0; i < images->count; i++) {
                bool before = images->items[i].over;
                int r;

                for (size_t k = 0; k < i && !before; k++)
                        before = !images->items[k].over &&
                                 is_same_operation(last_of(&images->items[k]),
                                                   last_of(&images->items[i]));
                r = before ? 0 : rehearse_operation(images, i, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}
