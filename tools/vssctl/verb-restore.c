/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-restore.c - vssctl restore: all of a backup, components of it, or single paths, beside the
 * originals or in their place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "backup/restore-images.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

enum { OPT_FROM = 1, OPT_SET, OPT_INTO, OPT_IN_PLACE, OPT_COMPONENT, OPT_KEEP };

static const char *arg_from, *arg_set = "latest", *arg_into;
static bool arg_in_place, arg_keep;
static char *arg_components[64];
static size_t arg_component_count;

static bool cut_short; /* a signal came, and something was left undone for it */

static bool stop_now(void) {
        cut_short = cut_short || is_interrupted();
        return cut_short;
}

DEFINE_CLEANUP(struct restore_images *, restore_images_free)

struct paths {
        const char *const *items;
        size_t count;
};

struct restoring {
        const char *component; /* for people; "" for the requester's own files */
        uint64_t failed;
        int first_code;
};

static void on_result(void *userdata, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, int code, const char *words) {
        /* what failed is told by on_trouble(); what --keep-existing kept is counted: it may be all
         */
        if (outcome == RESTORE_KEPT && !arg_json && entry->type == ENTRY_SOCKET)
                fprintf(stderr, "vssctl: left out, its program makes this socket: %s\n",
                        printable(placed));
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
        total->kept += one->kept;
        total->failed += one->failed;
        total->removed += one->removed;
        total->bytes += one->bytes;
}

/* is_asked_for() - without --component everything is */
static bool is_asked_for(const struct component_key *key) {
        for (size_t i = 0; i < arg_component_count; i++)
                if (*key->name && component_is_named(arg_components[i], key))
                        return true;
        return arg_component_count == 0;
}

/* What a restore runs over, the same for all its parts. */
struct source_set {
        struct store *store;
        const struct set_list *sets;
        const struct set_info *set;
        const struct paths *paths;
};

/* what one pass over a chain is about */
struct pass {
        struct restoring restoring;
        const struct chain *chain;
        size_t image; /* as in struct restore_request */
        const struct paths *first; /* put in the pass before, or NULL */
};

static bool is_not_first(void *userdata, const struct entry *entry) {
        const struct pass *pass = userdata;

        for (size_t i = 0; i < pass->first->count; i++)
                if (strcmp(pass->first->items[i], entry->path) == 0)
                        return false;
        return true;
}

static int run_pass(const struct source_set *from, struct pass *pass, const struct paths *paths,
                    struct restore_summary *total, struct vss_error *error) {
        const struct engine_watch watch = { &pass->restoring, on_progress, on_trouble };
        struct restore_summary one = { 0 };
        const struct restore_request request = {
                .chain = pass->chain,
                .image = pass->image,
                .into = arg_into,
                .paths = paths->count ? paths->items : NULL,
                .paths_count = paths->count,
                .existing = arg_keep ? RESTORE_KEEP : RESTORE_REPLACE,
                .result = on_result,
                .wanted = pass->first ? is_not_first : NULL,
                .userdata = pass,
        };
        int r = restore_run(from->store, &request, &watch, &one, error);

        add_summary(total, &one);
        return r;
}

static bool is_asked_path(const struct paths *paths, const char *path) {
        for (size_t i = 0; i < paths->count; i++)
                if (path_is_below(path, paths->items[i]))
                        return true;
        return paths->count == 0;
}

/* restore_chain() - @first: files to put before the others; those not asked for are none */
static int restore_chain(const struct source_set *from, const struct chain *chain, size_t image,
                         const struct paths *first, struct restore_summary *total,
                         struct vss_error *error) {
        const struct set_component *component = set_place_component(&chain->links[0]);
        struct pass pass = { { .component = component_name(&component->key) }, chain, image, NULL };
        _cleanup_free_ const char **items = calloc(first->count + 1, sizeof(*items));
        struct paths asked = { items, 0 };
        int r = 0;

        if (!items)
                return vss_fail(error, -ENOMEM, "out of memory");
        for (size_t i = 0; i < first->count; i++)
                if (is_asked_path(from->paths, first->items[i]))
                        items[asked.count++] = first->items[i];
        if (asked.count > 0) {
                r = run_pass(from, &pass, &asked, total, error);
                pass.first = &asked;
        }
        return r < 0 ? r : run_pass(from, &pass, from->paths, total, error);
}

static void warn_failed(const struct set_component *component) {
        fprintf(stderr,
                "vssctl: %s%s is incomplete in this backup (%s); what was saved is restored\n",
                *component->key.name ? "component " : "the set of plain files",
                *component->key.name ? printable(component_name(&component->key)) : "",
                component->words ? printable(component->words) : "no reason recorded");
}

/* holds() - is any of these paths in this image? */
static bool holds(const struct source_set *from, const struct set_place *place,
                  const char *const *paths, size_t count) {
        struct chain chain = { 0 };
        bool found = false;

        if (chain_of(from->sets, place, &chain, NULL) < 0)
                return true; /* what is wrong with the chain is told when it is restored */
        for (size_t i = 0; !found && i < count; i++) {
                const struct entry *entry;
                struct view *view;

                if (view_open(from->store, &chain, paths[i], &view, NULL) < 0)
                        continue;
                found = view_next(view, &entry, NULL) == 1;
                view_close(view);
        }
        chain_done(&chain);
        return found;
}

static bool may_hold(const struct set_component *component) {
        return is_asked_for(&component->key) &&
               (component->entries > 0 || !vss_id_is_null(&component->base));
}

/* wanted_here() - is there anything of what was asked for? */
static bool wanted_here(const struct source_set *from, const struct set_operation *operation,
                        size_t index) {
        const struct set_place place = { from->set, operation->number, (uint32_t)index };

        return may_hold(&operation->components[index]) &&
               (from->paths->count == 0 ||
                holds(from, &place, from->paths->items, from->paths->count));
}

static bool is_in_set(const struct source_set *from, const char *path) {
        for (size_t i = 0; i < from->set->operations_count; i++) {
                const struct set_operation *operation = &from->set->operations[i];

                for (size_t k = 0; k < operation->components_count; k++) {
                        const struct set_place place = { from->set, operation->number,
                                                         (uint32_t)k };

                        if (may_hold(&operation->components[k]) && holds(from, &place, &path, 1))
                                return true;
                }
        }
        return false;
}

static bool has_component(const struct set_info *set, const char *name) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct component_key *key = &set->operations[i].components[k].key;

                        if (*key->name && component_is_named(name, key))
                                return true;
                }
        return false;
}

static int not_there(const char *what, const char *name) {
        return usage_error("nothing is restored: there is no such %s in this backup: '%s'; 'vssctl "
                           "list backups' shows its components, 'vssctl list paths' its paths",
                           what, printable(name));
}

/* check_asked() - all that was named is there: who restores two things and mistypes one must not be
 * told that all went well */
static int check_asked(const struct source_set *from) {
        for (size_t i = 0; i < arg_component_count; i++)
                if (!has_component(from->set, arg_components[i]))
                        return not_there("component", arg_components[i]);
        for (size_t i = 0; i < from->paths->count; i++)
                if (!is_in_set(from, from->paths->items[i]))
                        return not_there("path", from->paths->items[i]);
        return EXIT_OK;
}

/* restore_at_once() - the chain put together: beside, or the requester's own files */
static int restore_at_once(const struct source_set *from, const struct set_place *place,
                           struct restore_summary *total) {
        const struct set_component *component = set_place_component(place);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        int r = chain_of(from->sets, place, &chain, &error);

        if (r >= 0 && !component->good)
                warn_failed(component);
        if (r >= 0)
                r = restore_chain(from, &chain, 0, &(struct paths){ NULL, 0 }, total, &error);
        chain_done(&chain);
        return r < 0 ? report_error(&error, "%s", component_name(&component->key)) : EXIT_OK;
}

static void say_left(const struct component_key *key, size_t done, size_t count) {
        const char *name = printable(component_name(key));

        if (done == 0)
                fprintf(stderr, "vssctl: %s%snot begun\n", name, *name ? ": " : "plain files: ");
        else
                fprintf(stderr,
                        "vssctl: %s: stops after image %zu of %zu, which is no state of the "
                        "backup; "
                        "the same command begins with the first again\n",
                        name, done, count);
}

/* each place that was asked for; 0 or what @each returned */
static int for_each_place(const struct source_set *from,
                          int (*each)(void *userdata, const struct set_place *place),
                          void *userdata) {
        int result = 0;

        for (size_t i = 0; i < from->set->operations_count; i++) {
                const struct set_operation *operation = &from->set->operations[i];

                for (size_t k = 0; k < operation->components_count; k++) {
                        const struct set_place place = { from->set, operation->number,
                                                         (uint32_t)k };
                        int r = wanted_here(from, operation, k) ? each(userdata, &place) : 0;

                        if (r != 0)
                                result = r;
                }
        }
        return result;
}

/* ---- into place: components with their writers, image by image ---- */

struct in_place {
        const struct source_set *from;
        struct restore_summary *total;
        struct restore_images *images;
        int result; /* exit code */
        bool found;
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
                warn_failed(component);
        return restore_chain(all->from, turn->chain, turn->image,
                             &(struct paths){ turn->first, turn->first_count }, all->total, reterr);
}

static void on_failed(void *userdata, const struct component_key *key,
                      const struct vss_error *error) {
        struct in_place *all = userdata;

        all->result = report_error(error, "'%s' is not restored", component_name(key));
}

static void on_left(void *userdata, const struct component_key *key, size_t done, size_t count) {
        say_left(key, done, count);
}

static int add_in_place(void *userdata, const struct set_place *place) {
        struct in_place *all = userdata;

        all->found = true;
        return place->component > 0 ? restore_images_add(all->images, place) : 0;
}

static int put_plain(void *userdata, const struct set_place *place) {
        struct in_place *all = userdata;

        all->found = true;
        if (all->images && place->component > 0)
                return 0;
        if (stop_now()) {
                say_left(&set_place_component(place)->key, 0, 1);
                return 0;
        }
        return restore_at_once(all->from, place, all->total);
}

/* all chains are looked through before the first byte is written or the first writer told */
static int restore_all(const struct source_set *from, bool *found, struct restore_summary *total) {
        _cleanup_(restore_images_freep) struct restore_images *images = NULL;
        struct in_place all = { .from = from, .total = total };
        const struct restore_images_watch watch = {
                .userdata = &all,
                .config_dir = arg_config,
                .at_once = arg_keep,
                .note = on_note,
                .stop = on_stop,
                .begun = on_begun,
                .files = on_files,
                .failed = on_failed,
                .left = on_left,
        };
        int r;

        if (arg_in_place && (restore_images_new(from->store, from->sets, &watch, &images) < 0 ||
                             (all.images = images, for_each_place(from, add_in_place, &all) < 0)))
                return EXIT_MEMORY;
        r = for_each_place(from, put_plain, &all);
        if (images)
                restore_images_run(images);
        *found = all.found;
        return r != EXIT_OK ? r : all.result;
}

static int restore_set(const struct source_set *from, struct restore_summary *total) {
        int result = check_asked(from);
        bool found = false;

        if (result != EXIT_OK)
                return result;
        result = restore_all(from, &found, total);
        if (cut_short) {
                fprintf(stderr, "vssctl: interrupted; what was restored so far is whole and on "
                                "disk, everything else is as it was; the same command restores the "
                                "rest\n");
                return EXIT_RUNTIME;
        }
        if (!found)
                return usage_error("nothing of what was asked for is in this backup");
        return result;
}

static int print_summary(const struct set_info *set, const struct restore_summary *s) {
        struct json json = { 0 };

        progress("%s", "");
        if (arg_quiet && !arg_json && !s->failed)
                return EXIT_OK;
        if (!arg_json) {
                printf("restored %s, %s, from %s", format_entries(s->placed),
                       format_bytes(s->bytes), set->folder);
                if (s->kept)
                        printf("; %" PRIu64 " kept as they were", s->kept);
                if (s->failed)
                        printf("; %" PRIu64 " FAILED", s->failed);
                putchar('\n');
                return EXIT_OK;
        }
        json_string(&json, "record", "restore");
        json_string(&json, "folder", set->folder);
        json_number(&json, "placed", (int64_t)s->placed);
        json_number(&json, "kept", (int64_t)s->kept);
        json_number(&json, "failed", (int64_t)s->failed);
        json_number(&json, "bytes", (int64_t)s->bytes);
        json_bool(&json, "interrupted", cut_short);
        return json_print(&json);
}

static int restore_from(const struct paths *paths) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary total = { 0 };
        struct set_list sets = { 0 };
        const struct set_info *set = NULL;
        int r = store_open(arg_from, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r >= 0)
                r = set_find(&sets, arg_set, &set, &error);
        for (size_t i = 0; r >= 0 && i < sets.unreadable_count; i++)
                fprintf(stderr, "vssctl: note: passed over, it cannot be read: %s: %s\n",
                        printable(sets.unreadable[i].folder), printable(sets.unreadable[i].words));
        if (r < 0)
                r = report_error(&error, "cannot find the backup");
        else {
                r = restore_set(&(struct source_set){ store, &sets, set, paths }, &total);
                if (r != EXIT_USAGE && print_summary(set, &total) != EXIT_OK)
                        r = EXIT_MEMORY;
                if (r == EXIT_OK && total.failed)
                        r = EXIT_RUNTIME;
                if (r == EXIT_OK && paths->count && total.placed == 0 && total.kept == 0)
                        r = usage_error("no such path is in this backup");
        }
        set_list_done(&sets);
        return r;
}

static const struct opt options[] = {
        { "from", "STORE", "folder of the backups", OPT_FROM },
        { "set", "ID", "which backup: id, beginning of its name, or latest", OPT_SET },
        { "into", "DIR", "below this folder, which is made when absent", OPT_INTO },
        { "in-place", NULL, "where the files came from", OPT_IN_PLACE },
        { "component", "PATH", "only this component; repeatable", OPT_COMPONENT },
        { "keep-existing", NULL, "leave files that exist as they are", OPT_KEEP },
        { NULL, NULL, NULL, 0 },
};

static int parse_options(int argc, char *argv[]) {
        int c;

        while ((c = next_option(&verb_restore, argc, argv)) != -1)
                switch (c) {
                case OPT_FROM:
                        arg_from = optarg;
                        break;
                case OPT_SET:
                        arg_set = optarg;
                        break;
                case OPT_INTO:
                        arg_into = optarg;
                        break;
                case OPT_IN_PLACE:
                        arg_in_place = true;
                        break;
                case OPT_COMPONENT:
                        if (arg_component_count == ELEMENTSOF(arg_components))
                                return usage_error("at most %zu components at a time",
                                                   ELEMENTSOF(arg_components));
                        arg_components[arg_component_count++] = optarg;
                        break;
                case OPT_KEEP:
                        arg_keep = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (!arg_from)
                return usage_error("say which store: --from STORE");
        if (arg_into && arg_in_place)
                return usage_error("--into or --in-place, not both");
        if (!arg_into && !arg_in_place)
                return usage_error("say where to: --into DIR, or --in-place to replace what is "
                                   "there");
        return EXIT_OK;
}

static int run_restore(int argc, char *argv[]) {
        _cleanup_free_ char *into = NULL;
        int r = parse_options(argc, argv);

        if (r != EXIT_OK)
                return r;
        for (int i = optind; i < argc; i++)
                if (!path_is_clean(argv[i]))
                        return usage_error("'%s': name paths as they were, absolute and without "
                                           "'.' or '..'",
                                           printable(argv[i]));
        if (arg_into) {
                r = mkdir_parents(arg_into, 0755);
                into = r < 0 ? NULL : realpath(arg_into, NULL);
                if (!into)
                        return usage_error("'%s': %s", printable(arg_into),
                                           strerror(r < 0 ? -r : errno));
                arg_into = into;
        }
        watch_interrupts();
        return restore_from(
                &(struct paths){ (const char *const *)(argv + optind), (size_t)(argc - optind) });
}

const struct verb verb_restore = {
        .name = "restore",
        .synopsis = "--from STORE --into DIR | --in-place [OPTIONS] [PATH...]",
        .summary = "Bring files back from a backup.",
        .options = options,
        .run = run_restore,
};
