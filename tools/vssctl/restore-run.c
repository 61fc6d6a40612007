/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-run.c - 'vssctl restore' at work: beside the originals with the chains put together, or
 * into place with the writers, image by image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restore-images.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

static bool cut_short;

static bool stop_now(void) {
        cut_short = cut_short || is_interrupted();
        return cut_short;
}

bool restore_was_cut_short(void) {
        return cut_short;
}

struct paths {
        const char *const *items;
        size_t count;
};

struct restoring {
        const char *component; /* for people; "" for the requester's own files */
        uint64_t failed;
        int first_code;
};

/* what one pass over a chain is about */
struct pass {
        const struct source_set *from;
        struct restoring restoring;
        const struct chain *chain;
        const struct chosen_image *chosen;
        size_t image; /* as in struct restore_request */
        const struct paths *first; /* put in the pass before, or NULL */
};

static void on_result(void *userdata, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, int code, const char *words) {
        const struct pass *pass = userdata;

        if (outcome == RESTORE_FAILED && restore_is_damage(code))
                restore_saw_damage(pass->from, &pass->chosen->place, entry->image->set);
        if (outcome != RESTORE_FAILED) /* on_trouble() tells that */
                restore_say_file(pass->restoring.component, entry, placed, outcome, words);
}

static void on_trouble(void *userdata, uint32_t component, const char *path, int code,
                       const char *words) {
        struct restoring *r = userdata;

        r->failed++;
        print_trouble(r->component, path, NULL, code, words);
}

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries, %s  %s", entries, format_bytes(bytes), printable(path));
        return stop_now() ? -EINTR : 0;
}

static void add_summary(struct restore_summary *total, const struct restore_summary *one) {
        total->placed += one->placed;
        total->replaced += one->replaced;
        total->kept += one->kept;
        total->failed += one->failed;
        total->removed += one->removed;
        total->bytes += one->bytes;
}

static bool is_wanted(void *userdata, const struct entry *entry) {
        const struct pass *pass = userdata;

        for (size_t i = 0; pass->first && i < pass->first->count; i++)
                if (strcmp(pass->first->items[i], entry->path) == 0)
                        return false;
        return restore_image_wants(pass->chosen, entry->path);
}

static int run_pass(const struct source_set *from, struct pass *pass, const struct paths *paths,
                    struct restore_summary *total, struct vss_error *error) {
        const struct engine_watch watch = { &pass->restoring, on_progress, on_trouble };
        struct restore_summary one = { 0 };
        const struct restore_request request = {
                .chain = pass->chain,
                .image = pass->image,
                .into = from->order->into,
                .paths = paths->count ? paths->items : NULL,
                .paths_count = paths->count,
                .existing = from->order->keep_existing ? RESTORE_KEEP : RESTORE_REPLACE,
                .result = on_result,
                .mappings = from->order->targets,
                .mappings_count = from->order->wishes.target_count,
                .wanted = pass->first || !pass->chosen->whole ? is_wanted : NULL,
                .userdata = pass,
        };
        int r = restore_run(from->store, &request, &watch, &one, error);

        add_summary(total, &one);
        return r;
}

static bool is_asked_path(const struct restore_order *order, const char *path) {
        for (size_t i = 0; i < order->path_count; i++)
                if (path_is_below(path, order->paths[i]))
                        return true;
        return order->path_count == 0;
}

/* restore_chain() - @first: files to put before the others; those not asked for are none */
static int restore_chain(const struct source_set *from, const struct chain *chain, size_t image,
                         const struct chosen_image *chosen, const struct paths *first,
                         struct restore_summary *total, struct vss_error *error) {
        const struct component_key *key = &set_place_component(&chosen->place)->key;
        struct pass pass = { .from = from,
                             .restoring = { .component = component_name(key) },
                             .chain = chain,
                             .chosen = chosen,
                             .image = image };
        _cleanup_free_ const char **items = calloc(first->count + 1, sizeof(*items));
        const struct paths all = { from->order->paths, from->order->path_count };
        struct paths asked = { items, 0 };
        int r = 0;

        if (!items)
                return vss_fail(error, -ENOMEM, "out of memory");
        for (size_t i = 0; i < first->count; i++)
                if (is_asked_path(from->order, first->items[i]))
                        items[asked.count++] = first->items[i];
        if (asked.count > 0) {
                r = run_pass(from, &pass, &asked, total, error);
                pass.first = &asked;
        }
        return r < 0 ? r : run_pass(from, &pass, &all, total, error);
}

/* restore_at_once() - the chain put together: beside, or the requester's own files */
static int restore_at_once(const struct source_set *from, const struct chosen_image *chosen,
                           struct restore_summary *total) {
        const struct set_component *component = set_place_component(&chosen->place);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        int r = chain_of(from->sets, &chosen->place, &chain, &error);

        if (r >= 0 && !component->good)
                restore_say_failed_then(component);
        if (r >= 0)
                r = restore_chain(from, &chain, 0, chosen, &(struct paths){ NULL, 0 }, total,
                                  &error);
        if (restore_is_damage(r))
                restore_saw_damage(from, &chosen->place, NULL);
        chain_done(&chain);
        return r < 0 ? report_error(&error, "%s", component_name(&component->key)) : EXIT_OK;
}

/* ---- into place: components with their writers, image by image ---- */

struct in_place {
        const struct source_set *from;
        struct restore_summary *total;
        struct restore_images *images;
        int result; /* exit code */
};

static void on_note(void *userdata, const char *words) {
        print_note(words);
}

static bool on_stop(void *userdata) {
        return stop_now();
}

/* on_begun() - where the restore is; chains only, and the writers of components are in it */
static void on_begun(void *userdata, const struct image_turn *turn) {
        _cleanup_free_ char *words = NULL;

        if (turn->chain->count < 2 || arg_quiet)
                return;
        if (asprintf(&words, "%s: image %zu of %zu%s, %s", component_name(turn->key), turn->number,
                     turn->chain->count, turn->image ? "" : " with all before it",
                     turn->place->set->folder) < 0)
                words = NULL;
        if (words)
                print_note(words);
}

static int on_files(void *userdata, const struct image_turn *turn, struct vss_error *reterr) {
        const struct set_component *component = set_place_component(turn->place);
        struct in_place *all = userdata;

        if (!component->good)
                restore_say_failed_then(component);
        return restore_chain(all->from, turn->chain, turn->image,
                             restore_image_of(all->from->choice, turn->key),
                             &(struct paths){ turn->first, turn->first_count }, all->total, reterr);
}

static void on_failed(void *userdata, const struct component_key *key,
                      const struct vss_error *error) {
        struct in_place *all = userdata;
        const struct chosen_image *chosen = restore_image_of(all->from->choice, key);

        if (chosen && restore_is_damage(error->code))
                restore_saw_damage(all->from, &chosen->place, NULL);
        all->result = report_error(error, "'%s' is not restored", component_name(key));
}

static void on_left(void *userdata, const struct component_key *key, size_t done, size_t count) {
        restore_say_left(key, done, count);
}

/* put_plain() - what no writer hears of; 0 or the last exit code */
static int put_plain(struct in_place *all) {
        const struct restore_choice *choice = all->from->choice;
        int result = EXIT_OK;

        for (size_t i = 0; i < choice->count; i++) {
                const struct chosen_image *chosen = &choice->images[i];
                int r = EXIT_OK;

                if (all->images && chosen->place.component > 0)
                        continue;
                if (stop_now())
                        restore_say_left(&set_place_component(&chosen->place)->key, 0, 1);
                else
                        r = restore_at_once(all->from, chosen, all->total);
                if (r != EXIT_OK)
                        result = r;
        }
        return result;
}

/* add_components() - all chains are looked through before the first byte is written or the first
 * writer told */
static int add_components(struct in_place *all, const struct restore_images_watch *watch) {
        const struct restore_choice *choice = all->from->choice;
        int r = restore_images_new(all->from->store, all->from->sets, watch, &all->images);

        for (size_t i = 0; r >= 0 && i < choice->count; i++)
                if (choice->images[i].place.component > 0)
                        r = restore_images_add(all->images, &choice->images[i].place);
        return r;
}

/* rehearse() - a wish that a writer cannot fulfil is refused as a whole; exit code */
static int rehearse(const struct in_place *all) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (!all->images || !restore_has_wishes(&all->from->order->wishes) ||
            restore_images_rehearse(all->images, &error) >= 0)
                return EXIT_OK;
        return report_error(&error, "nothing is restored");
}

int restore_all(const struct source_set *from, struct restore_summary *total) {
        struct in_place all = { .from = from, .total = total };
        const struct restore_images_watch watch = {
                .userdata = &all,
                .config_dir = arg_config,
                .wishes = &from->order->wishes,
                .at_once = from->order->keep_existing,
                .note = on_note,
                .stop = on_stop,
                .begun = on_begun,
                .files = on_files,
                .failed = on_failed,
                .left = on_left,
        };
        int r = EXIT_MEMORY;

        if (from->order->into || add_components(&all, &watch) >= 0)
                r = rehearse(&all);
        if (r == EXIT_OK) {
                r = put_plain(&all);
                if (r != EXIT_MEMORY && all.images)
                        restore_images_run(all.images);
        }
        restore_images_free(all.images);
        return r != EXIT_OK ? r : all.result;
}
