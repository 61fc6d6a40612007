/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-images.c - see restore-images.h: which image comes next, and what stops a component.
 *
 * Nothing is remembered on disk. A restore that was cut short leaves a component at one of its
 * images; the next one begins with the first again and comes to the same end.
 */
#define _GNU_SOURCE
#include "backup/restore-images-inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/reboot.h"
#include "backup/restore-put.h"
#include "backup/restore-writers.h"
#include "base/array.h"
#include "base/cleanup.h"

DEFINE_CLEANUP(struct restore_writers *, restore_writers_free)
DEFINE_CLEANUP(struct restore_plan *, restore_plan_free)

/* ---- services, for whom it is done ---- */

static void on_service_trouble(void *userdata, const struct vss_error *error) {
        const struct restore_images *images = userdata;

        images->watch->trouble(images->watch->userdata, error);
}

static int on_service_wait(void *userdata) {
        const struct restore_images *images = userdata;

        return images->watch->stop(images->watch->userdata) ? -EINTR : 0;
}

int restore_images_new(struct store *store, const struct set_list *list,
                       const struct restore_images_watch *watch, struct restore_images **ret) {
        struct restore_images *images = calloc(1, sizeof(*images));

        if (!images)
                return -ENOMEM;
        *images = (struct restore_images){ .store = store, .list = list, .watch = watch };
        images->services = (struct restore_services){ .settings = watch->settings,
                                                      .userdata = images,
                                                      .trouble = on_service_trouble,
                                                      .go_on = on_service_wait };
        *ret = images;
        return 0;
}

struct restore_images *restore_images_free(struct restore_images *images) {
        if (!images)
                return NULL;
        restore_services_done(&images->services);
        for (size_t i = 0; i < images->count; i++) {
                chain_done(&images->items[i].chain);
                free(images->items[i].restarts);
                vss_error_clear(&images->items[i].error);
        }
        free(images->items);
        free(images->readable);
        free(images);
        return NULL;
}

/* ---- one component ---- */

/* after_prefix() - the engine's words, without those that say the same of its request */
static const char *after_prefix(const struct vss_error *error) {
        static const char prefix[] = "nothing was changed: ";
        const char *words = vss_error_message(error);

        return strncmp(words, prefix, strlen(prefix)) == 0 ? words + strlen(prefix) : words;
}

/* fail() - it goes no further */
static void fail(struct restore_images *images, struct component *c,
                 const struct vss_error *error) {
        struct vss_error *words = &c->error;
        size_t image = c->next + (c->torn ? 1 : 0); /* from 1 */
        int code = error->code;

        c->over = true;
        c->in_turn = false;
        if (!c->touched)
                vss_fail(words, code, "nothing of it is changed: %s", after_prefix(error));
        else if (c->at_once || c->chain.count == 1)
                vss_fail(words, code, "%s", vss_error_message(error));
        else
                vss_fail(words, code,
                         "%s; it stops %s image %zu of %zu (%s) and is no state of the backup: "
                         "clear the cause and give the same command again, which begins with the "
                         "first image",
                         vss_error_message(error), c->torn ? "at" : "after", image, c->chain.count,
                         c->chain.links[image - 1].set->folder);
        images->watch->failed(images->watch->userdata, key_of(c), words);
}

/* the image of the bracket is in place, and its writer is content */
static void go_on(struct component *c, struct restore_writers *writers) {
        c->told = restore_writers_is_told(writers, key_of(c));
        c->torn = false;
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

/* a component being put, for the functions that the putter calls */
struct putting {
        struct restore_images *images;
        const struct component *component;
};

static void on_note(void *userdata, const char *words) {
        const struct putting *p = userdata;
        const struct restore_images_watch *watch = p->images->watch;
        _cleanup_free_ char *said = NULL;

        if (asprintf(&said, "component '%s': %s", key_of(p->component)->name, words) < 0)
                said = NULL;
        if (watch->note && said)
                watch->note(watch->userdata, said);
}

static int on_stop_service(void *userdata, const char *service, struct vss_error *reterr) {
        const struct putting *p = userdata;

        return restore_services_stop(&p->images->services, service,
                                     &key_of(p->component)->writer_id, reterr);
}

/* ranges_files() - those that the document names; the caller frees the array */
static int ranges_files(struct restore_writers *writers, const struct component_key *key,
                        const char ***ret, size_t *ret_count) {
        size_t capacity = 0;
        const char *file;

        while ((file = restore_writers_ranges_file(writers, key, *ret_count))) {
                if (ARRAY_RESERVE(ret, *ret_count, &capacity) < 0)
                        return -ENOMEM;
                (*ret)[(*ret_count)++] = file;
        }
        return 0;
}

/* note_put() - what has to be remembered of an image that is in place, or registered */
static int note_put(struct restore_images *images, struct component *c,
                    const struct restore_verdict *verdict, bool deferred,
                    struct vss_error *reterr) {
        bool last = c->next + 1 == c->chain.count;
        _cleanup_free_ char *why = NULL;

        c->course = verdict->course;
        c->deferred |= deferred;
        c->reboot |= verdict->announces_reboot;
        images->reboot |= deferred || verdict->announces_reboot;
        if (last && verdict->restarts) {
                free(c->restarts);
                c->restarts = strdup(verdict->service);
                if (!c->restarts)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (!verdict->announces_reboot)
                return 0;
        if (asprintf(&why, "component '%s' was restored, and its writer asks for a reboot",
                     key_of(c)->name) < 0)
                why = NULL;
        return why ? reboot_require(images->watch->settings, why, reterr)
                   : vss_fail(reterr, -ENOMEM, "out of memory");
}

/* put_files() - plan and carry out; tells the writers what is to be recorded */
static int put_files(struct restore_images *images, struct component *c,
                     const struct image_turn *turn, struct restore_writers *writers,
                     struct vss_error *reterr) {
        const struct restore_images_watch *watch = images->watch;
        struct putting putting = { images, c };
        _cleanup_(restore_plan_freep) struct restore_plan *plan = NULL;
        _cleanup_free_ struct restore_part *parts = NULL;
        _cleanup_free_ const char **first = NULL;
        struct restore_request request = { 0 };
        struct restore_put_result result = { 0 };
        const struct restore_putter putter = { images->store,  watch->settings, &request,
                                               &watch->engine, &putting,        on_note,
                                               on_stop_service };
        struct restore_image image = { .chain = turn->chain,
                                       .image = turn->image,
                                       .is_part = c->is_part };
        struct restore_plan_input input = { .key = turn->key, .before = c->course };
        int r = restore_wishes_parts(watch->wishes, turn->key, &parts, &input.part_count);

        if (r >= 0)
                r = ranges_files(writers, turn->key, &first, &image.first_count);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        image.first = first;
        input.parts = parts;
        input.component = restore_writers_component(writers, turn->key);
        input.metadata = restore_writers_metadata(writers, turn->key, reterr);
        if (!input.metadata)
                return VSS_E_OBJECT_NOT_FOUND;
        watch->request(watch->userdata, turn, &request);
        r = restore_put(&putter, &image, &input, &plan, &result, reterr);
        watch->put(watch->userdata, turn, &result.summary);
        if (r >= 0)
                r = restore_writers_record(writers, turn->key, plan, result.status == VSS_RS_ALL,
                                           result.deferred, reterr);
        if (r >= 0 && result.status != VSS_RS_ALL)
                c->kept = !c->is_part;
        if (r >= 0 && result.status != VSS_RS_ALL && restore_writers_is_told(writers, turn->key))
                on_note(&putting, c->is_part ? "its writer is told that not all of it is in place, "
                                               "since the paths that were named are a part (R-100)"
                                             : "its writer is told that not all of it is in place, "
                                               "since files that exist were kept (R-100)");
        /* files of which the writer does not know where they are: not all is well */
        if (r < 0 && result.status == VSS_RS_ALL)
                result.status = VSS_RS_FAILED;
        restore_writers_result(writers, turn->key, result.status);
        c->status = result.status;
        c->torn = result.status != VSS_RS_NONE;
        c->touched |= c->torn;
        return r < 0 ? r : note_put(images, c, restore_plan_verdict(plan), result.deferred, reterr);
}

/* put_by_caller() - the same without a plan */
static int put_by_caller(struct restore_images *images, struct component *c,
                         const struct image_turn *turn, struct restore_writers *writers,
                         struct vss_error *reterr) {
        const struct restore_images_watch *watch = images->watch;
        int r = watch->files(watch->userdata, turn, reterr);

        c->torn = c->touched = true;
        c->status = r < 0 ? VSS_RS_FAILED : VSS_RS_ALL;
        restore_writers_result(writers, turn->key, c->status);
        return r;
}

static void put_one(struct restore_images *images, struct component *c,
                    struct restore_writers *writers) {
        const struct restore_images_watch *watch = images->watch;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct image_turn turn = turn_of(c);
        int r = restore_writers_check(writers, key_of(c), &error);

        c->heard |= restore_writers_is_told(writers, key_of(c));

        if (r >= 0) {
                watch->begun(watch->userdata, &turn);
                r = watch->files ? put_by_caller(images, c, &turn, writers, &error)
                                 : put_files(images, c, &turn, writers, &error);
        }
        c->is_put = r >= 0;
        if (r < 0)
                fail(images, c, &error);
}

/* is_needed() - has the writer images to come for which its service has to stay stopped? */
static bool is_needed(void *userdata, const struct vss_id *writer) {
        const struct restore_images *images = userdata;

        for (size_t i = 0; i < images->count; i++) {
                const struct component *c = &images->items[i];

                if (!c->over && vss_id_equal(&key_of(c)->writer_id, writer) &&
                    c->next + (c->in_turn && c->is_put ? 1 : 0) < c->chain.count)
                        return !images->watch->stop(images->watch->userdata);
        }
        return false;
}

/* restart_services() - method 8, R-57: after PostRestore, each once */
static void restart_services(struct restore_images *images) {
        for (size_t i = 0; i < images->count; i++) {
                _cleanup_free_ char *name = take(images->items[i].restarts);

                if (!name)
                        continue;
                restore_services_restart(&images->services, name);
                for (size_t k = i + 1; k < images->count; k++)
                        if (images->items[k].restarts &&
                            strcmp(images->items[k].restarts, name) == 0) {
                                free(images->items[k].restarts);
                                images->items[k].restarts = NULL;
                        }
        }
}

static void end_bracket(struct restore_images *images, struct restore_writers *writers) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        restore_services_start(&images->services, is_needed, images); /* before PostRestore */
        r = restore_writers_end(writers, &error);
        restart_services(images);
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

/* who must not live in a service that is stopped */
static int learn_processes(struct restore_services *services, struct restore_writers *writers,
                           struct vss_error *reterr) {
        pid_t process;

        services->processes_count = 0;
        while ((process = restore_writers_process(writers, services->processes_count)) != 0) {
                if (ARRAY_RESERVE(&services->processes, services->processes_count,
                                  &services->processes_capacity) < 0)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                services->processes[services->processes_count++] = process;
        }
        return 0;
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
        if (r >= 0)
                r = learn_processes(&images->services, writers, &error);
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

/* look_for_leftovers() - what a run that was killed left stopped: told, before anything else */
static void look_for_leftovers(struct restore_images *images) {
        const struct service_options options = { .settings = images->watch->settings };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (service_leftovers(&options, images->watch->note, images->watch->userdata, &error) < 0)
                images->watch->trouble(images->watch->userdata, &error);
}

void restore_images_run(struct restore_images *images) {
        const struct restore_images_watch *watch = images->watch;
        const struct set_place *place;

        if (!watch->files)
                look_for_leftovers(images);
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
        restore_services_start(&images->services, NULL, NULL);
}

bool restore_images_result(const struct restore_images *images, size_t index,
                           struct restore_images_result *ret) {
        const struct component *c = index < images->count ? &images->items[index] : NULL;

        if (!c)
                return false;
        *ret = (struct restore_images_result){
                .key = c->key,
                .status = c->status,
                .good = c->over && c->error.code == 0,
                .is_part = c->is_part,
                .kept = c->kept,
                .deferred = c->deferred,
                .reboot = c->reboot,
                .told = c->heard,
                .done = c->touched ? c->next : 0,
                .count = c->chain.count,
                .code = c->error.code,
                .words = c->error.code < 0 ? vss_error_message(&c->error) : NULL,
        };
        /* earlier images are there, and the last is not; that is more than a discontent writer */
        if (c->touched && !ret->good && !(c->torn && c->next + 1 == c->chain.count))
                ret->status = VSS_RS_FAILED;
        return true;
}

bool restore_images_need_reboot(const struct restore_images *images) {
        return images->reboot;
}
