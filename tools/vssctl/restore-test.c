/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-test.c - vssctl verify --restore-test: can a backup be restored, and are its writers
 * content with it? Each component goes to a scratch folder and away again, as a new target through
 * the whole protocol where its writer can do that, so that the writer checks the data there.
 *
 * Nothing that lives is touched: no file is put outside of the scratch folder, no service stopped,
 * and a writer that cannot look at another place is not told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restore-images.h"
#include "backup/restore.h"
#include "base/cleanup.h"
#include "scratch.h"
#include "verify.h"
#include "vssctl.h"

struct restore_test {
        struct store *store;
        const struct set_list *sets;
        struct scratch scratch;
        bool cut_short;
};

/* One component of one backup */
struct trial {
        struct restore_test *test;
        const struct set_place *place;
        const struct component_key *key;
        char *root; /* everything goes below it */
        uint64_t entries, bytes; /* of the backup, as it is in the end */
        bool by_writer; /* else compared with digests only */
        char *why_not; /* why the writer does not check it, for people */
        struct vss_error error;
        int code; /* 0: good */
};

static bool stop_now(struct restore_test *test) {
        test->cut_short = test->cut_short || is_interrupted();
        return test->cut_short;
}

static void keep(struct trial *trial, int code, const struct vss_error *error) {
        if (trial->code < 0)
                return; /* the first one counts */
        trial->code = code;
        vss_fail(&trial->error, code, "%s", vss_error_message(error));
}

/* ---- how much room ---- */

struct need {
        uint64_t bytes, files, largest; /* most of any image */
};

static int count_view(struct trial *trial, const struct chain *chain, struct need *need,
                      struct vss_error *reterr) {
        const struct entry *entry;
        struct need now = { 0 };
        struct view *view;
        int r = view_open(trial->test->store, chain, NULL, &view, reterr);

        if (r < 0)
                return r;
        while ((r = view_next(view, &entry, reterr)) > 0) {
                now.files++;
                if (entry->type != ENTRY_FILE || entry->is_hard_link)
                        continue;
                now.bytes += entry->size;
                if (entry->size > need->largest)
                        need->largest = entry->size;
        }
        view_close(view);
        trial->entries = now.files;
        trial->bytes = now.bytes;
        if (now.bytes > need->bytes)
                need->bytes = now.bytes;
        if (now.files > need->files)
                need->files = now.files;
        return r;
}

/* the fullest image of the chain, and one file beside it: a file is replaced when it is whole */
static int check_room(struct trial *trial, struct vss_error *reterr) {
        const struct restore_test *test = trial->test;
        struct chain chain = { 0 }, part;
        struct need need = { 0 };
        int r = chain_of(test->sets, trial->place, &chain, reterr);

        for (size_t i = 1; r >= 0 && i <= chain.count; i++) {
                part = (struct chain){ .links = chain.links, .count = i };
                r = count_view(trial, &part, &need, reterr);
        }
        chain_done(&chain);
        return r < 0 ? r
                     : scratch_check_room(&test->scratch,
                                          need.bytes + need.largest + need.files * 4096,
                                          need.files + 16, reterr);
}

/* ---- the files ---- */

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        struct trial *trial = userdata;

        progress("%s: %" PRIu64 " entries, %s", printable(component_name(trial->key)), entries,
                 format_bytes(bytes));
        return stop_now(trial->test) ? -EINTR : 0;
}

static void on_trouble(void *userdata, uint32_t component, const char *path, int code,
                       const char *words) {
        const struct trial *trial = userdata;

        print_trouble(component_name(trial->key), path, NULL, code, words);
}

/* every content is compared with the digest of the backup while it is written */
static int put(struct trial *trial, const struct chain *chain, size_t image,
               struct vss_error *reterr) {
        const struct engine_watch watch = { trial, on_progress, on_trouble };
        const struct restore_request request = { .chain = chain,
                                                 .image = image,
                                                 .into = trial->root };
        struct restore_summary one = { 0 };
        int r = restore_run(trial->test->store, &request, &watch, &one, reterr);

        progress("%s", "");
        return r;
}

static int put_at_once(struct trial *trial, struct vss_error *reterr) {
        struct chain chain = { 0 };
        int r = chain_of(trial->test->sets, trial->place, &chain, reterr);

        if (r >= 0)
                r = put(trial, &chain, 0, reterr);
        chain_done(&chain);
        return r;
}

/* ---- with the writer ---- */

static void on_note(void *userdata, const char *words) {
        print_note(words);
}

static bool on_stop(void *userdata) {
        struct trial *trial = userdata;

        return stop_now(trial->test);
}

static void on_begun(void *userdata, const struct image_turn *turn) {
}

static int on_files(void *userdata, const struct image_turn *turn, struct vss_error *reterr) {
        struct trial *trial = userdata;

        return put(trial, turn->chain, turn->image, reterr);
}

static void on_failed(void *userdata, const struct component_key *key,
                      const struct vss_error *error) {
        keep(userdata, error->code, error);
}

static void on_left(void *userdata, const struct component_key *key, size_t done, size_t count) {
}

/* run_images() - through the protocol, if the writer can; else *ret_told is false */
static int run_images(struct trial *trial, bool *ret_told, struct vss_error *reterr) {
        struct restore_mapping target = { "/", trial->root };
        const struct restore_wishes wishes = { .components = trial->key,
                                               .component_count = 1,
                                               .targets = &target,
                                               .target_count = 1 };
        const struct restore_images_watch watch = { .userdata = trial,
                                                    .config_dir = arg_config,
                                                    .wishes = &wishes,
                                                    .note = on_note,
                                                    .stop = on_stop,
                                                    .begun = on_begun,
                                                    .files = on_files,
                                                    .failed = on_failed,
                                                    .left = on_left };
        struct restore_images *images = NULL;
        int r = restore_images_new(trial->test->store, trial->test->sets, &watch, &images);

        *ret_told = true;
        if (r >= 0)
                r = restore_images_add(images, trial->place);
        if (r >= 0 && trial->code == 0) {
                r = restore_images_rehearse(images, reterr);
                /* it has no new targets, is not there, wants to hear of nothing, or has no files */
                *ret_told = r != VSS_E_NOT_SUPPORTED && r != VSS_E_OBJECT_NOT_FOUND;
        }
        if (r >= 0 && trial->code == 0)
                restore_images_run(images);
        restore_images_free(images);
        return r < 0 && r == -ENOMEM ? vss_fail(reterr, r, "out of memory") : r;
}

static int run_trial(struct trial *trial, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        int r = check_room(trial, reterr);

        if (r >= 0)
                r = scratch_folder(&trial->test->scratch, &trial->root, reterr);
        if (r < 0)
                return r;
        r = run_images(trial, &trial->by_writer, &words);
        if (trial->by_writer)
                return r < 0 ? vss_fail(reterr, r, "%s", vss_error_message(&words)) : 0;
        /* "its writer does not run here, and ...": what could be done is not meant for this */
        trial->why_not =
                strndup(vss_error_message(&words), strcspn(vss_error_message(&words), ",;"));
        return put_at_once(trial, reterr);
}

/* ---- what is said ---- */

static void print_record(const struct trial *trial, bool good) {
        struct json json = { 0 };

        json_string(&json, "record", "restore-test");
        json_string(&json, "folder", trial->place->set->folder);
        json_string(&json, "component", component_name(trial->key));
        json_id(&json, "writer", &trial->key->writer_id);
        json_string(&json, "checked_by", trial->by_writer ? "writer" : "digests");
        if (trial->why_not)
                json_string(&json, "reason", trial->why_not);
        json_number(&json, "entries", (int64_t)trial->entries);
        json_number(&json, "bytes", (int64_t)trial->bytes);
        json_bool(&json, "good", good);
        if (trial->code < 0) {
                json_code(&json, "code", trial->code);
                json_string(&json, "message", vss_error_message(&trial->error));
        }
        (void)json_print(&json);
}

static int print_trial(const struct trial *trial) {
        bool good = trial->code >= 0;

        if (arg_json) {
                print_record(trial, good);
                return good ? EXIT_OK : EXIT_RUNTIME;
        }
        if (!good)
                return report_error(&trial->error, "%s: '%s' CANNOT BE RESTORED as it is",
                                    printable(trial->place->set->folder),
                                    printable(component_name(trial->key)));
        if (arg_quiet)
                return EXIT_OK;
        printf("%s: '%s' good, %s, %s restored, ", printable(trial->place->set->folder),
               printable(component_name(trial->key)), format_entries(trial->entries),
               format_bytes(trial->bytes));
        if (trial->by_writer)
                printf("checked by its writer\n");
        else
                printf("compared with digests only: %s\n",
                       trial->why_not ? printable(trial->why_not) : "");
        return EXIT_OK;
}

/* ---- all of them ---- */

static int test_place(struct restore_test *test, const struct set_place *place) {
        const struct set_component *component = set_place_component(place);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct trial trial = { .test = test, .place = place, .key = &component->key };
        int r;

        if (!component->good) {
                r = vss_fail(&error, VSS_E_BAD_STATE, "it was not saved: %s",
                             component->words ? component->words : "no reason is recorded");
                keep(&trial, r, &error);
        } else {
                r = run_trial(&trial, &error);
                if (r < 0)
                        keep(&trial, r, &error);
        }
        r = test->cut_short ? EXIT_RUNTIME : print_trial(&trial);
        vss_error_clear(&trial.error);
        free(trial.why_not);
        free(trial.root);
        return r;
}

static bool is_to_be_tested(const struct set_component *component,
                            const struct component_list *components) {
        return *component->key.name && component_list_has(components, &component->key);
}

/* check_named() - all that was named is there */
static int check_named(const struct set_info *set, const struct component_list *components) {
        for (size_t n = 0; n < components->count; n++) {
                bool found = false;

                for (size_t i = 0; i < set->operations_count; i++)
                        for (size_t k = 0; k < set->operations[i].components_count; k++) {
                                const struct component_key *key =
                                        &set->operations[i].components[k].key;

                                found |=
                                        *key->name && component_is_named(components->items[n], key);
                        }
                if (!found)
                        return usage_error("there is no such component in %s: '%s'",
                                           printable(set->folder), printable(components->items[n]));
        }
        return EXIT_OK;
}

static int test_set(struct restore_test *test, const struct set_info *set,
                    const struct component_list *components) {
        int result = EXIT_OK;
        size_t count = 0;

        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_place place = { set, set->operations[i].number,
                                                         (uint32_t)k };

                        if (!is_to_be_tested(&set->operations[i].components[k], components) ||
                            stop_now(test))
                                continue;
                        count++;
                        if (test_place(test, &place) != EXIT_OK)
                                result = EXIT_RUNTIME;
                }
        if (count == 0 && !test->cut_short)
                result = usage_error("%s has no components of writers to restore",
                                     printable(set->folder));
        return result;
}

int verify_restore_test(struct store *store, const struct set_list *sets,
                        const struct restore_test_options *options) {
        struct restore_test test = { .store = store, .sets = sets };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int result = EXIT_OK;

        for (size_t i = 0; i < options->set_count; i++)
                if (check_named(options->sets[i], options->components) != EXIT_OK)
                        return EXIT_USAGE;
        if (scratch_make(options->scratch, &test.scratch, &error) < 0)
                return report_error(&error, "cannot try a restore");
        watch_interrupts();
        for (size_t i = 0; i < options->set_count && !stop_now(&test); i++) {
                int r = test_set(&test, options->sets[i], options->components);

                if (r != EXIT_OK)
                        result = r;
        }
        if (scratch_remove(&test.scratch, &error) < 0)
                result = report_error(&error, "cannot clean up");
        if (test.cut_short) {
                fprintf(stderr, "vssctl: interrupted; what was restored to be tested is removed\n");
                result = EXIT_RUNTIME;
        }
        return result;
}
