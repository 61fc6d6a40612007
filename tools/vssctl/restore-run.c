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

#include "backup/reboot.h"
#include "backup/restore-images.h"
#include "base/array.h"
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

struct restoring {
        const char *component; /* for people; "" for the requester's own files */
        uint64_t failed;
        int first_code;
};

/* what one pass over a chain is about */
struct pass {
        const struct source_set *from;
        struct restoring restoring;
        const struct chosen_image *chosen;
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

/* @r: of restore_run() or the like; what was put back was not placed */
static void add_summary(struct restore_summary *total, const struct restore_summary *one, int r) {
        total->failed += one->failed;
        total->removed += one->removed;
        if (r < 0 && !one->changed)
                return;
        total->placed += one->placed;
        total->replaced += one->replaced;
        total->kept += one->kept;
        total->bytes += one->bytes;
}

static bool is_wanted(void *userdata, const struct entry *entry) {
        const struct pass *pass = userdata;

        return (pass->chosen->whole || restore_image_wants(pass->chosen, entry->path)) &&
               !restore_listed_has(pass->from->listed, entry);
}

static struct pass pass_of(const struct source_set *from, const struct chosen_image *chosen) {
        const struct component_key *key = &set_place_component(&chosen->place)->key;

        return (struct pass){ from, { .component = component_name(key) }, chosen };
}

/* of_one() - a chain with a gap is no wrong command: the others may be restored */
static int of_one(int result) {
        return result == EXIT_USAGE ? EXIT_RUNTIME : result;
}

/* request_of() - what the order says of it; @pass is lent to it */
static struct restore_request request_of(const struct source_set *from, struct pass *pass) {
        const struct restore_order *order = from->order;

        return (struct restore_request){
                .paths = order->path_count ? order->paths : NULL,
                .paths_count = order->path_count,
                .existing = order->keep_existing ? RESTORE_KEEP : RESTORE_REPLACE,
                .undo_dir = from->undo_dir,
                .untouched = from->settings->own,
                .untouched_count = ELEMENTSOF(from->settings->own),
                .records = from->settings->state_dir,
                .result = on_result,
                .wanted = pass->chosen->whole && !from->listed ? NULL : is_wanted,
                .userdata = pass,
        };
}

/* restore_at_once() - the chain put together: beside, or the requester's own files */
static int restore_at_once(const struct source_set *from, const struct chosen_image *chosen,
                           struct restore_summary *total) {
        const struct set_component *component = set_place_component(&chosen->place);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct pass pass = pass_of(from, chosen);
        const struct engine_watch watch = { &pass.restoring, on_progress, on_trouble };
        struct restore_request request = request_of(from, &pass);
        struct restore_summary one = { 0 };
        struct chain chain = { 0 };
        int result, r = chain_of(from->sets, &chosen->place, &chain, &error);

        if (r >= 0 && !component->good)
                restore_say_failed_then(component);
        request.chain = &chain;
        request.into = from->order->into;
        request.mappings = from->order->targets;
        request.mappings_count = from->order->wishes.target_count;
        request.whole = !from->order->into && !from->order->file_by_file;
        if (r >= 0)
                r = restore_run(from->store, &request, &watch, &one, &error);
        if (restore_is_damage(r))
                restore_saw_damage(from, &chosen->place, NULL);
        add_summary(total, &one, r);
        chain_done(&chain);
        if (r >= 0)
                return EXIT_OK;
        result = of_one(report_error(&error, "%s",
                                     *component->key.name ? component_name(&component->key)
                                                          : "plain files"));
        if (request.whole && !one.changed && !restore_was_cut_short())
                print_note("nothing of the plain files is changed, because all of them are put in "
                           "place or none; --file-by-file replaces each one that can be");
        return result;
}

/* ---- into place: components with their writers, image by image ---- */

struct in_place {
        const struct source_set *from;
        struct restore_summary *total;
        struct restore_images *images;
        struct pass pass; /* of the component whose turn it is */
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
        const struct set_component *component = set_place_component(turn->place);
        _cleanup_free_ char *words = NULL;

        if (!component->good)
                restore_say_failed_then(component);
        if (turn->chain->count < 2 || arg_quiet)
                return;
        if (asprintf(&words, "%s: image %zu of %zu%s, %s", component_name(turn->key), turn->number,
                     turn->chain->count, turn->image ? "" : " with all before it",
                     turn->place->set->folder) < 0)
                words = NULL;
        if (words)
                print_note(words);
}

static void on_request(void *userdata, const struct image_turn *turn, struct restore_request *ret) {
        struct in_place *all = userdata;

        all->pass = pass_of(all->from, restore_image_of(all->from->choice, turn->key));
        *ret = request_of(all->from, &all->pass);
}

static void on_put(void *userdata, const struct image_turn *turn,
                   const struct restore_summary *summary) {
        struct in_place *all = userdata;

        add_summary(all->total, summary, 0);
}

static void on_service_trouble(void *userdata, const struct vss_error *error) {
        struct in_place *all = userdata;

        all->result = of_one(report_error(error, "after the restore"));
}

static void on_failed(void *userdata, const struct component_key *key,
                      const struct vss_error *error) {
        struct in_place *all = userdata;
        const struct chosen_image *chosen = restore_image_of(all->from->choice, key);

        if (chosen && restore_is_damage(error->code))
                restore_saw_damage(all->from, &chosen->place, NULL);
        all->result = of_one(report_error(error, "'%s' is not restored", component_name(key)));
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

int restore_settings_load(struct restore_settings *ret) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (restore_settings_read(ret, arg_config, &error) < 0)
                return report_error(&error, "the settings of restores");
        for (size_t i = 0; i < ret->warnings_count; i++)
                print_note(ret->warnings[i]);
        return EXIT_OK;
}

/* say_reboot() - R-155; what cannot be read was told when it was written */
static void say_reboot(const struct restore_settings *settings) {
        char **reasons;
        size_t count;

        if (reboot_reasons(settings, &reasons, &count, NULL) < 0)
                return;
        for (size_t i = 0; i < count; i++) {
                char *words;

                if (asprintf(&words, "a reboot is needed: %s", reasons[i]) >= 0) {
                        print_note(words);
                        free(words);
                }
                free(reasons[i]);
        }
        free(reasons);
}

/* say_components() - what became of each; exit code */
static int say_components(const struct restore_images *images) {
        struct restore_images_result result;
        int r = EXIT_OK;

        for (size_t i = 0; images && restore_images_result(images, i, &result); i++)
                if (restore_say_component(&result) != EXIT_OK)
                        r = EXIT_MEMORY;
        return r;
}

static int run(const struct source_set *from, struct restore_summary *total) {
        struct in_place all = { .from = from, .total = total };
        const struct restore_images_watch watch = {
                .userdata = &all,
                .config_dir = arg_config,
                .settings = from->settings,
                .wishes = &from->order->wishes,
                .at_once = from->order->keep_existing,
                .note = on_note,
                .stop = on_stop,
                .begun = on_begun,
                .request = on_request,
                .engine = { &all.pass.restoring, on_progress, on_trouble },
                .put = on_put,
                .trouble = on_service_trouble,
                .failed = on_failed,
                .left = on_left,
        };
        int r = EXIT_MEMORY;

        if (from->order->into || add_components(&all, &watch) >= 0)
                r = rehearse(&all);
        if (r == EXIT_OK) {
                r = put_plain(&all);
                if (r != EXIT_MEMORY && all.images) {
                        if (!stop_now() && from->order->wishes.target_count == 0)
                                restore_missing_folders(from);
                        restore_images_run(all.images);
                }
                if (say_components(all.images) != EXIT_OK)
                        r = EXIT_MEMORY;
        }
        if (all.images && restore_images_need_reboot(all.images))
                say_reboot(from->settings);
        restore_images_free(all.images);
        return r != EXIT_OK ? r : all.result;
}

int restore_all(const struct source_set *from, struct restore_summary *total) {
        _cleanup_(restore_settings_done) struct restore_settings settings = { 0 };
        _cleanup_free_ char *undo_dir = NULL;
        struct source_set with = *from;
        int r = restore_settings_load(&settings);

        if (r != EXIT_OK)
                return r;
        with.settings = &settings;
        with.undo_dir = undo_dir = path_join(settings.state_dir, "restores");
        return undo_dir ? run(&with, total) : EXIT_MEMORY;
}
