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

struct restoring {
        const char *component; /* for people; "" for the requester's own files */
        uint64_t failed;
        int first_code;
};

static void tell_failure(const struct restoring *r, const char *path, const char *placed, int code,
                         const char *words) {
        struct json json = { 0 };

        progress("%s", "");
        if (!arg_json) {
                fprintf(stderr, "vssctl: %s: %s\n", printable(path), printable(words));
                return;
        }
        json_string(&json, "record", "trouble");
        json_string(&json, "component", r->component);
        json_string(&json, "path", path);
        json_string(&json, "placed", placed);
        json_code(&json, "code", code);
        json_string(&json, "message", words);
        (void)json_print(&json);
}

static void on_result(void *userdata, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, int code, const char *words) {
        struct restoring *r = userdata;

        if (outcome == RESTORE_KEPT && !arg_json)
                fprintf(stderr, "vssctl: kept: %s\n", printable(placed));
        if (outcome != RESTORE_FAILED)
                return;
        r->failed++;
        tell_failure(r, entry->path, placed, code, words ? words : vss_error_text(code));
}

static void on_trouble(void *userdata, uint32_t component, const char *path, int code,
                       const char *words) {
        struct restoring *r = userdata;

        r->failed++;
        tell_failure(r, path, NULL, code, words);
}

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries, %s  %s", entries, format_bytes(bytes), printable(path));
        return 0;
}

static void add_summary(struct restore_summary *total, const struct restore_summary *one) {
        total->placed += one->placed;
        total->kept += one->kept;
        total->failed += one->failed;
        total->removed += one->removed;
        total->bytes += one->bytes;
}

static const char *component_name(const struct component_key *key) {
        static char *text;

        free(text);
        if (asprintf(&text, "%s%s%s", key->logical_path, *key->logical_path ? "\\" : "",
                     key->name) < 0)
                text = NULL;
        return text ? text : key->name;
}

/* is_asked_for() - no --component: everything; else those named by "PATH" or "WRITER-ID:PATH" */
static bool is_asked_for(const struct component_key *key) {
        if (arg_component_count == 0)
                return true;
        for (size_t i = 0; i < arg_component_count; i++) {
                const char *given = arg_components[i], *colon = strchr(given, ':');
                struct vss_id id;
                char *writer = colon ? strndupa(given, (size_t)(colon - given)) : NULL;

                if (writer &&
                    (vss_id_parse(writer, &id) < 0 || !vss_id_equal(&id, &key->writer_id)))
                        continue;
                if (*key->name && strcmp(colon ? colon + 1 : given, component_name(key)) == 0)
                        return true;
        }
        return false;
}

static int restore_place(struct store *store, const struct set_list *sets,
                         const struct set_place *place, const char *const *paths, size_t count,
                         struct restore_summary *total, struct vss_error *error) {
        const struct set_component *component = set_place_component(place);
        struct restoring restoring = { .component = component_name(&component->key) };
        const struct engine_watch watch = { &restoring, on_progress, on_trouble };
        struct chain chain = { 0 };
        struct restore_summary one = { 0 };
        struct restore_request request = {
                .chain = &chain,
                .into = arg_into,
                .paths = count ? paths : NULL,
                .paths_count = count,
                .existing = arg_keep ? RESTORE_KEEP : RESTORE_REPLACE,
                .result = on_result,
                .userdata = &restoring,
        };
        int r = chain_of(sets, place, &chain, error);

        if (r < 0)
                return r;
        r = restore_run(store, &request, &watch, &one, error);
        chain_done(&chain);
        add_summary(total, &one);
        return r;
}

static void warn_failed(const struct set_component *component) {
        fprintf(stderr,
                "vssctl: %s%s is incomplete in this backup (%s); what was saved is restored\n",
                *component->key.name ? "component " : "the set of plain files",
                *component->key.name ? printable(component_name(&component->key)) : "",
                component->words ? printable(component->words) : "no reason recorded");
}

static int restore_set(struct store *store, const struct set_list *sets, const struct set_info *set,
                       const char *const *paths, size_t count, struct restore_summary *total) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int result = EXIT_OK;
        bool found = false;

        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_place place = { set, set->operations[i].number,
                                                         (uint32_t)k };
                        const struct set_component *component = set_place_component(&place);
                        int r;

                        if (!is_asked_for(&component->key) ||
                            (component->entries == 0 && vss_id_is_null(&component->base)))
                                continue;
                        found = true;
                        if (!component->good)
                                warn_failed(component);
                        r = restore_place(store, sets, &place, paths, count, total, &error);
                        if (r < 0)
                                result =
                                        report_error(&error, "%s", component_name(&component->key));
                }
        if (!found)
                return usage_error("this backup has nothing of what was named; "
                                   "'vssctl list backups' shows what it has");
        return result;
}

static int print_summary(const struct set_info *set, const struct restore_summary *s) {
        struct json json = { 0 };

        progress("%s", "");
        if (!arg_json) {
                printf("restored %" PRIu64 " entries, %s, from %s", s->placed,
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
        return json_print(&json);
}

static int restore_from(const char *const *paths, size_t count) {
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
        if (r < 0)
                r = report_error(&error, "cannot find the backup");
        else {
                r = restore_set(store, &sets, set, paths, count, &total);
                if (r != EXIT_USAGE && print_summary(set, &total) != EXIT_OK)
                        r = EXIT_MEMORY;
                if (r == EXIT_OK && total.failed)
                        r = EXIT_RUNTIME;
                if (r == EXIT_OK && count && total.placed == 0 && total.kept == 0)
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
        if (!arg_into == !arg_in_place)
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
        return restore_from((const char *const *)(argv + optind), (size_t)(argc - optind));
}

const struct verb verb_restore = {
        .name = "restore",
        .synopsis = "--from STORE --into DIR | --in-place [OPTIONS] [PATH...]",
        .summary = "Bring files back from a backup.",
        .options = options,
        .run = run_restore,
};
