/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-verify.c - vssctl verify: is what lies in a store still what was written?
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
        for (size_t i = 0; !*names && i < sets.unreadable_count; i++)
                result = print_unreadable(&sets.unreadable[i]);
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
