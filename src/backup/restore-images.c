/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-images.c - see restore-images.h: which image comes next, and what stops a component.
 *
 * Nothing is remembered on disk. A restore that was cut short leaves a component at one of its
 * images; the next one begins with the first again and comes to the same end.
 */
#define _GNU_SOURCE
#include "backup/restore-images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restore-writers.h"
#include "base/array.h"
#include "base/cleanup.h"

struct component {
        struct chain chain;
        size_t next; /* images in place, or let out with @at_once; the link that comes next */
        bool at_once;
        bool told; /* its writer heard of the image before */
        bool touched; /* files of it may have changed */
        bool over;
        bool in_turn, is_put; /* of the bracket that is open */
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
};

DEFINE_CLEANUP(struct restore_writers *, restore_writers_free)

int restore_images_new(struct store *store, const struct set_list *list,
                       const struct restore_images_watch *watch, struct restore_images **ret) {
        struct restore_images *images = calloc(1, sizeof(*images));

        if (!images)
                return -ENOMEM;
        *images = (struct restore_images){ .store = store, .list = list, .watch = watch };
        *ret = images;
        return 0;
}

struct restore_images *restore_images_free(struct restore_images *images) {
        if (!images)
                return NULL;
        for (size_t i = 0; i < images->count; i++)
                chain_done(&images->items[i].chain);
        free(images->items);
        free(images->readable);
        free(images);
        return NULL;
}

static const struct set_place *last_of(const struct component *c) {
        return &c->chain.links[c->chain.count - 1];
}

static const struct component_key *key_of(const struct component *c) {
        return &set_place_component(last_of(c))->key;
}

/* ---- before anything happens ---- */

static bool is_same_operation(const struct set_place *a, const struct set_place *b) {
        return a->set == b->set && a->operation == b->operation;
}

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

int restore_images_add(struct restore_images *images, const struct set_place *wanted) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT, words = VSS_ERROR_INIT;
        struct component c = { .at_once = images->watch->at_once };
        int r;

        if (ARRAY_RESERVE(&images->items, images->count, &images->capacity) < 0)
                return -ENOMEM;
        r = chain_of(images->list, wanted, &c.chain, &error);
        if (r >= 0)
                r = check_chain(images, &c.chain, &error);
        if (r < 0) {
                vss_fail(&words, r, "nothing of it is changed: %s", vss_error_message(&error));
                images->watch->failed(images->watch->userdata, &set_place_component(wanted)->key,
                                      &words);
                chain_done(&c.chain);
                return r == -ENOMEM ? r : 0;
        }
        if (c.at_once)
                c.next = c.chain.count - 1;
        images->items[images->count++] = c;
        return 0;
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
                if (is_same_operation(last_of(&images->items[i]), place))
                        r = restore_writers_select(writers, key_of(&images->items[i]), false,
                                                   reterr);
        return r;
}

int restore_images_rehearse(struct restore_images *images, struct vss_error *reterr) {
        for (size_t i = 0; i < images->count; i++) {
                bool before = false;
                int r;

                for (size_t k = 0; k < i && !before; k++)
                        before = is_same_operation(last_of(&images->items[k]),
                                                   last_of(&images->items[i]));
                r = before ? 0 : rehearse_operation(images, i, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- one component ---- */

static struct image_turn turn_of(const struct component *c) {
        return (struct image_turn){ .chain = &c->chain,
                                    .image = c->at_once ? 0 : c->next + 1,
                                    .number = c->next + 1,
                                    .place = &c->chain.links[c->next],
                                    .key = key_of(c) };
}

/* fail() - it goes no further */
static void fail(struct restore_images *images, struct component *c,
                 const struct vss_error *error) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        const char *folder = c->chain.links[c->next].set->folder;
        int code = error->code;

        c->over = true;
        c->in_turn = false;
        if (!c->touched)
                vss_fail(&words, code, "nothing of it is changed: %s", vss_error_message(error));
        else if (c->at_once || c->chain.count == 1)
                vss_fail(&words, code, "%s", vss_error_message(error));
        else
                vss_fail(&words, code,
                         "%s; it stops at image %zu of %zu (%s) and is no state of the backup: "
                         "clear the cause and give the same command again, which begins with the "
                         "first image",
                         vss_error_message(error), c->next + 1, c->chain.count, folder);
        images->watch->failed(images->watch->userdata, key_of(c), &words);
}

/* the image of the bracket is in place, and its writer is content */
static void go_on(struct component *c, struct restore_writers *writers) {
        c->told = restore_writers_is_told(writers, key_of(c));
        c->next++;
        c->over = c->next == c->chain.count;
}

/* ---- one bracket ---- */

static int select_one(struct component *c, struct restore_writers *writers,
                      struct vss_error *reterr) {
        bool more = c->next + 1 < c->chain.count;
        int r = restore_writers_select(writers, key_of(c), more, reterr);

        if (r < 0 || restore_writers_is_told(writers, key_of(c)))
                return r;
        if (c->told)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "its writer, told of the images before, is not there any more");
        /* nobody hears of it: each file at once, in its last state */
        c->at_once = true;
        c->next = c->chain.count - 1;
        c->in_turn = !more;
        return 0;
}

/* how many are in this bracket; those that cannot be are told */
static size_t select_all(struct restore_images *images, const struct set_place *place,
                         struct restore_writers *writers) {
        size_t count = 0;

        for (size_t i = 0; i < images->count; i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                struct component *c = &images->items[i];

                if (!c->in_turn)
                        continue;
                if (select_one(c, writers, &error) < 0)
                        fail(images, c, &error);
                count += c->in_turn;
        }
        return count;
}

static void fail_all(struct restore_images *images, const struct vss_error *error) {
        for (size_t i = 0; i < images->count; i++)
                if (images->items[i].in_turn)
                        fail(images, &images->items[i], error);
}

/* put_files() - @turn with the ranges files of the document that @writers hold */
static int put_files(struct restore_images *images, struct image_turn *turn,
                     struct restore_writers *writers, struct vss_error *reterr) {
        _cleanup_free_ const char **files = NULL;
        size_t count = 0, capacity = 0;
        const char *file;

        while ((file = restore_writers_ranges_file(writers, turn->key, count))) {
                if (ARRAY_RESERVE(&files, count, &capacity) < 0)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                files[count++] = file;
        }
        turn->first = files;
        turn->first_count = count;
        return images->watch->files(images->watch->userdata, turn, reterr);
}

static void put_one(struct restore_images *images, struct component *c,
                    struct restore_writers *writers) {
        const struct restore_images_watch *watch = images->watch;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct image_turn turn = turn_of(c);
        int r = restore_writers_check(writers, key_of(c), &error);

        if (r >= 0) {
                watch->begun(watch->userdata, &turn);
                c->touched = true;
                r = put_files(images, &turn, writers, &error);
                /* a part of the files may be in place */
                restore_writers_result(writers, key_of(c), r < 0 ? VSS_RS_FAILED : VSS_RS_ALL);
        }
        c->is_put = r >= 0;
        if (r < 0)
                fail(images, c, &error);
}

static void end_bracket(struct restore_images *images, struct restore_writers *writers) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = restore_writers_end(writers, &error);

        for (size_t i = 0; i < images->count; i++) {
                _cleanup_error_ struct vss_error own = VSS_ERROR_INIT;
                struct component *c = &images->items[i];

                if (!c->in_turn || !c->is_put)
                        continue;
                if (r < 0 && restore_writers_is_told(writers, key_of(c)))
                        fail(images, c, &error);
                else if (restore_writers_accepted(writers, key_of(c), &own) < 0)
                        fail(images, c, &own);
                else
                        go_on(c, writers);
        }
}

static void run_bracket(struct restore_images *images, const struct set_place *place) {
        const struct restore_images_watch *watch = images->watch;
        const struct restore_writers_watch notes = { watch->userdata, watch->wishes, watch->note };
        _cleanup_(restore_writers_freep) struct restore_writers *writers = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = restore_writers_open(images->store, place->set, place->operation, watch->config_dir,
                                     &notes, &writers, &error);

        if (r >= 0 && select_all(images, place, writers) == 0)
                return;
        if (r >= 0)
                r = restore_writers_begin(writers, &error);
        if (r < 0) {
                fail_all(images, &error);
                return; /* what was begun ends with the writers */
        }
        for (size_t i = 0; i < images->count && !watch->stop(watch->userdata); i++)
                if (images->items[i].in_turn)
                        put_one(images, &images->items[i], writers);
        end_bracket(images, writers);
}

/* ---- all of them ---- */

/* comes_later() - has somebody to wait for an earlier image before this one? */
static bool comes_later(const struct restore_images *images, const struct set_place *place) {
        for (size_t i = 0; i < images->count; i++) {
                const struct component *c = &images->items[i];

                for (size_t k = c->next + 1; !c->over && k < c->chain.count; k++)
                        if (is_same_operation(&c->chain.links[k], place))
                                return true;
        }
        return false;
}

/* the next image of somebody, as many components as possible in one bracket; NULL: all is done */
static const struct set_place *next_image(const struct restore_images *images) {
        const struct set_place *first = NULL;

        for (size_t i = 0; i < images->count; i++) {
                const struct component *c = &images->items[i];
                const struct set_place *place = &c->chain.links[c->next];

                if (c->over)
                        continue;
                if (!comes_later(images, place))
                        return place;
                if (!first)
                        first = place;
        }
        return first;
}

void restore_images_run(struct restore_images *images) {
        const struct restore_images_watch *watch = images->watch;
        const struct set_place *place;

        while (!watch->stop(watch->userdata) && (place = next_image(images))) {
                for (size_t i = 0; i < images->count; i++) {
                        struct component *c = &images->items[i];

                        c->is_put = false;
                        c->in_turn = !c->over && is_same_operation(&c->chain.links[c->next], place);
                }
                run_bracket(images, place);
        }
        for (size_t i = 0; i < images->count; i++) {
                struct component *c = &images->items[i];

                if (!c->over)
                        watch->left(watch->userdata, key_of(c), c->touched ? c->next : 0,
                                    c->chain.count);
        }
}
