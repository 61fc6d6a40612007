/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-verify.c - vssctl verify, and the listing of backups: what lies in a store, and whether it
 * is still what was written.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/engine.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

enum { OPT_FROM = 1, OPT_QUICK };

static const char *arg_from;
static bool arg_quick;

/* ---- list backups ---- */

static void count_components(const struct set_info *set, size_t *ret_good, size_t *ret_failed,
                             uint64_t *ret_entries, uint64_t *ret_bytes) {
        *ret_good = *ret_failed = 0;
        *ret_entries = *ret_bytes = 0;
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_component *c = &set->operations[i].components[k];

                        *ret_entries += c->entries;
                        *ret_bytes += c->bytes;
                        if (k == 0 && c->entries == 0 && c->good && vss_id_is_null(&c->base))
                                continue; /* no own paths in this operation */
                        if (c->good)
                                ++*ret_good;
                        else
                                ++*ret_failed;
                }
}

/* base_of() - the folder that the set's first image with a base builds on, or NULL */
static const char *base_of(const struct set_list *sets, const struct set_info *set) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_component *c = &set->operations[i].components[k];
                        const struct set_info *base =
                                vss_id_is_null(&c->base) ? NULL : set_find_id(sets, &c->base);

                        if (base)
                                return base->folder;
                }
        return NULL;
}

/* print_components() - what 'vssctl restore --component' can name, and why some of it cannot */
static void print_components(const struct set_info *set) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_component *c = &set->operations[i].components[k];
                        const char *path = c->key.logical_path;

                        if (k == 0 && c->good)
                                continue; /* the plain files */
                        printf("    %s%s%s%s%s\n", printable(path), *path ? "\\" : "",
                               k == 0 ? "plain files" : printable(c->key.name),
                               c->good ? "" : ": failed: ",
                               c->good || !c->words ? "" : printable(c->words));
                }
}

static int print_set(const struct set_list *sets, const struct set_info *set) {
        const char *base = base_of(sets, set);
        size_t good, failed;
        uint64_t entries, bytes;
        struct json json = { 0 };

        count_components(set, &good, &failed, &entries, &bytes);
        if (!arg_json) {
                printf("%s  %s  %s\n", printable(set->folder), format_time(set->time),
                       backup_type_word(set->type));
                printf("  id:         %s%s%s\n", format_id(&set->id), base ? ", builds on " : "",
                       base ? printable(base) : "");
                if (set->label && *set->label)
                        printf("  label:      %s\n", printable(set->label));
                printf("  components: %zu good, %zu failed\n", good, failed);
                print_components(set);
                printf("  holds:      %s, %s, %s stored\n", format_entries(entries),
                       format_bytes(bytes), format_bytes(set->stored_bytes));
                return EXIT_OK;
        }
        json_string(&json, "record", "backup");
        json_id(&json, "id", &set->id);
        json_string(&json, "folder", set->folder);
        json_time(&json, "time", set->time);
        json_string(&json, "type", backup_type_word(set->type));
        json_string(&json, "base", base);
        json_string(&json, "label", set->label);
        json_string(&json, "host", set->host);
        json_number(&json, "components_good", (int64_t)good);
        json_number(&json, "components_failed", (int64_t)failed);
        json_number(&json, "entries", (int64_t)entries);
        json_number(&json, "bytes", (int64_t)bytes);
        json_number(&json, "stored_bytes", (int64_t)set->stored_bytes);
        return json_print(&json);
}

static int print_damaged(const char *words) {
        struct json json = { 0 };

        if (!arg_json) {
                printf("DAMAGED %s\n", printable(words));
                return EXIT_RUNTIME;
        }
        json_string(&json, "record", "damaged");
        json_string(&json, "message", words);
        (void)json_print(&json);
        return EXIT_RUNTIME;
}

int list_backups(const char *path) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct set_list sets = { 0 };
        int r = store_open(path, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r < 0)
                return report_error(&error, "cannot list backups");
        r = EXIT_OK;
        for (size_t i = 0; i < sets.count && r == EXIT_OK; i++)
                r = print_set(&sets, sets.sets[i]);
        for (size_t i = 0; i < sets.damaged_count; i++)
                r = print_damaged(sets.damaged[i]);
        if (sets.count == 0 && sets.damaged_count == 0 && !arg_json)
                printf("There are no backups in this store.\n");
        set_list_done(&sets);
        return r;
}

/* ---- verify ---- */

static void on_trouble(void *userdata, uint32_t component, const char *path, int code,
                       const char *words) {
        const struct set_info *set = userdata;

        print_trouble(set->folder, path, NULL, code, words);
}

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries, %s  %s", entries, format_bytes(bytes), printable(path));
        return 0;
}

/* check_chains() - what a set builds on must be there, or it cannot be restored */
static int check_chains(const struct set_list *sets, const struct set_info *set,
                        struct vss_error *reterr) {
        for (uint32_t i = 0; i < set->operations_count; i++)
                for (uint32_t k = 0; k < set->operations[i].components_count; k++) {
                        struct set_place place = { set, i + 1, k };
                        const struct set_component *component = set_place_component(&place);
                        struct chain chain = { 0 };
                        int r = component && component->good
                                        ? chain_of(sets, &place, &chain, reterr)
                                        : 0;

                        chain_done(&chain);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int verify_one(struct store *store, const struct set_list *sets, struct set_info *set) {
        const struct engine_watch watch = { set, on_progress, on_trouble };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct verify_summary s = { 0 };
        struct json json = { 0 };
        int r = verify_set(store, set, arg_quick ? 0 : VERIFY_CONTENT, &watch, &s, &error);

        if (r >= 0)
                r = check_chains(sets, set, &error);
        progress("%s", "");
        if (arg_json) {
                json_string(&json, "record", "verify");
                json_string(&json, "folder", set->folder);
                json_number(&json, "files", (int64_t)s.files);
                json_number(&json, "bytes", (int64_t)s.bytes);
                json_number(&json, "damaged", (int64_t)s.damaged);
                json_bool(&json, "good", r >= 0);
                (void)json_print(&json);
        } else
                printf("%s: %s, %" PRIu64 " files, %s\n", printable(set->folder),
                       r < 0 ? "DAMAGED" : "good", s.files, format_bytes(s.bytes));
        return r < 0 ? report_error(&error, "%s", printable(set->folder)) : EXIT_OK;
}

static int verify_store(char *names[]) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct set_list sets = { 0 };
        int result = EXIT_OK, r = store_open(arg_from, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r < 0)
                return report_error(&error, "cannot verify");
        for (size_t i = 0; !*names && i < sets.count; i++)
                if (verify_one(store, &sets, sets.sets[i]) != EXIT_OK)
                        result = EXIT_RUNTIME;
        for (size_t i = 0; !*names && i < sets.damaged_count; i++)
                result = print_damaged(sets.damaged[i]);
        for (; *names && result != EXIT_USAGE; names++) {
                const struct set_info *set;

                r = set_find(&sets, *names, &set, &error);
                if (r < 0)
                        result = report_error(&error, "cannot verify '%s'", printable(*names));
                else
                        for (size_t i = 0; i < sets.count; i++)
                                if (sets.sets[i] == set &&
                                    verify_one(store, &sets, sets.sets[i]) != EXIT_OK)
                                        result = EXIT_RUNTIME;
        }
        set_list_done(&sets);
        return result;
}

static const struct opt options[] = {
        { "from", "STORE", "folder of the backups", OPT_FROM },
        { "quick", NULL, "stored bytes only, without unpacking", OPT_QUICK },
        { NULL, NULL, NULL, 0 },
};

static int run_verify(int argc, char *argv[]) {
        int c;

        while ((c = next_option(&verb_verify, argc, argv)) != -1)
                switch (c) {
                case OPT_FROM:
                        arg_from = optarg;
                        break;
                case OPT_QUICK:
                        arg_quick = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (!arg_from)
                return usage_error("say which store: --from STORE");
        return verify_store(argv + optind);
}

const struct verb verb_verify = {
        .name = "verify",
        .synopsis = "--from STORE [OPTIONS] [BACKUP...]",
        .summary = "Check that backups are still what was written.",
        .options = options,
        .run = run_verify,
};
