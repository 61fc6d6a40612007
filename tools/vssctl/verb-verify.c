/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-verify.c - vssctl verify: is what lies in a store still what was written? With a backup all
 * that it builds on is checked, each once.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/engine.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "list.h"
#include "verify.h"
#include "vssctl.h"

enum { OPT_FROM = 1, OPT_QUICK, OPT_RESTORE_TEST, OPT_COMPONENT, OPT_SCRATCH };

static const char *arg_from, *arg_scratch;
static bool arg_quick, arg_restore_test;
static struct component_list arg_components;

/* struct checked - one set of the store */
struct checked {
        bool needed; /* asked for, or below one that is */
        int result; /* of verify_set() */
        struct verify_summary summary;
        struct vss_error error;
};

void print_verify_record(const char *folder, const struct verify_summary *summary,
                         const struct chain_summary *chains, bool good) {
        struct json json = { 0 };

        json_string(&json, "record", "verify");
        json_string(&json, "folder", folder);
        json_number(&json, "entries", (int64_t)summary->entries);
        json_number(&json, "bytes", (int64_t)summary->content);
        json_number(&json, "stored_files", (int64_t)summary->files);
        json_number(&json, "stored_bytes", (int64_t)summary->bytes);
        json_number(&json, "damaged", (int64_t)summary->damaged);
        json_number(&json, "lost_with_bases", (int64_t)chains->lost);
        json_number(&json, "components_broken", (int64_t)chains->broken);
        json_bool(&json, "good", good);
        (void)json_print(&json);
}

struct verifying {
        struct store *store;
        struct set_list sets;
        struct checked *checked; /* one for each set */
        struct set_damages *damages;
};

static void on_trouble(void *userdata, uint32_t component, const char *path, int code,
                       const char *words) {
        const struct set_info *set = userdata;

        print_trouble(set->folder, path, NULL, code, words);
}

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries, %s  %s", entries, format_bytes(bytes), printable(path));
        return 0;
}

/* need() - the set, and all that its components build on */
static void need(struct verifying *v, const struct set_info *set) {
        size_t index = 0;

        while (index < v->sets.count && v->sets.sets[index] != set)
                index++;
        if (index == v->sets.count || v->checked[index].needed)
                return;
        v->checked[index].needed = true;
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct vss_id *base = &set->operations[i].components[k].base;

                        if (!vss_id_is_null(base))
                                need(v, set_find_id(&v->sets, base));
                }
}

/* verify_own() - what lies in the set itself */
static void verify_own(struct verifying *v, size_t index) {
        struct checked *checked = &v->checked[index];
        struct set_info *set = v->sets.sets[index];
        const struct engine_watch watch = { set, on_progress, on_trouble };

        checked->result = verify_set(v->store, set, arg_quick ? 0 : VERIFY_CONTENT, &watch,
                                     v->damages, &checked->summary, &checked->error);
        progress("%s", "");
}

static void print_verified(const struct set_info *set, const struct checked *checked,
                           const struct chain_summary *chains, int result) {
        const struct verify_summary *s = &checked->summary;

        if (arg_json) {
                print_verify_record(set->folder, s, chains, checked->result >= 0 && result >= 0);
                return;
        }
        printf("%s: %s, ", printable(set->folder),
               checked->result < 0 ? "DAMAGED"
               : result < 0        ? "NOT WHOLE"
                                   : "good");
        if (!arg_quick)
                printf("%s, %s, ", format_entries(s->entries), format_bytes(s->content));
        printf("%s stored\n", format_bytes(s->bytes));
}

/* verify_inherited() - what it builds on, now that all below it is known; exit code */
static int verify_inherited(struct verifying *v, size_t index) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct checked *checked = &v->checked[index];
        struct set_info *set = v->sets.sets[index];
        const struct engine_watch watch = { set, on_progress, on_trouble };
        struct chain_summary chains = { 0 };
        int r = verify_chains(v->store, &v->sets, set, v->damages, &watch, &chains, &error);

        print_verified(set, checked, &chains, r);
        if (checked->result < 0)
                (void)report_error(&checked->error, "%s", printable(set->folder));
        if (r < 0)
                (void)report_error(&error, "%s", printable(set->folder));
        return checked->result < 0 || r < 0 ? EXIT_RUNTIME : EXIT_OK;
}

static int verify_needed(struct verifying *v) {
        int result = EXIT_OK;

        for (size_t i = 0; i < v->sets.count; i++)
                if (v->checked[i].needed)
                        verify_own(v, i);
        for (size_t i = 0; i < v->sets.count; i++)
                if (v->checked[i].needed && verify_inherited(v, i) != EXIT_OK)
                        result = EXIT_RUNTIME;
        return result;
}

/* choose() - all sets, or the named ones; exit code */
static int choose(struct verifying *v, char *names[]) {
        for (size_t i = 0; !*names && i < v->sets.count; i++)
                need(v, v->sets.sets[i]);
        for (; *names; names++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                const struct set_info *set;

                if (set_find(&v->sets, *names, &set, &error) < 0)
                        return report_error(&error, "cannot verify '%s'", printable(*names));
                need(v, set);
        }
        return EXIT_OK;
}

static int verify_open(struct verifying *v) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = store_open(arg_from, 0, &v->store, &error);

        if (r >= 0)
                r = store_list(v->store, &v->sets, &error);
        if (r < 0)
                return report_error(&error, "cannot verify");
        v->checked = calloc(v->sets.count + 1, sizeof(*v->checked));
        v->damages = set_damages_new();
        return v->checked && v->damages ? EXIT_OK : EXIT_MEMORY;
}

static int verify_store(char *names[]) {
        struct verifying v = { 0 };
        bool all = !*names;
        int result = verify_open(&v);

        if (result == EXIT_OK)
                result = choose(&v, names);
        if (result == EXIT_OK)
                result = verify_needed(&v);
        for (size_t i = 0; all && i < v.sets.unreadable_count; i++)
                result = print_unreadable(&v.sets.unreadable[i]);
        for (size_t i = 0; v.checked && i < v.sets.count; i++)
                vss_error_clear(&v.checked[i].error);
        free(v.checked);
        set_damages_free(v.damages);
        set_list_done(&v.sets);
        store_close(v.store);
        return result;
}

/* ---- a restore, to see whether it works ---- */

/* each named backup, or the latest one; exit code */
static int find_sets(const struct set_list *list, char *names[], const struct set_info **ret) {
        static char latest[] = "latest";
        char *fallback[] = { latest, NULL };

        for (char **name = *names ? names : fallback; *name; name++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

                if (set_find(list, *name, ret++, &error) < 0)
                        return report_error(&error, "cannot verify '%s'", printable(*name));
        }
        return EXIT_OK;
}

static int test_store(char *names[], size_t count) {
        struct restore_test_options with = { .set_count = count ? count : 1,
                                             .components = &arg_components,
                                             .scratch = arg_scratch };
        _cleanup_free_ const struct set_info **sets = calloc(with.set_count, sizeof(*sets));
        struct verifying v = { 0 };
        int result = sets ? verify_open(&v) : EXIT_MEMORY;

        if (result == EXIT_OK)
                result = find_sets(&v.sets, names, sets);
        with.sets = sets;
        if (result == EXIT_OK)
                result = verify_restore_test(v.store, &v.sets, &with);
        free(v.checked);
        set_damages_free(v.damages);
        set_list_done(&v.sets);
        store_close(v.store);
        return result;
}

static const struct opt options[] = {
        { "from", "STORE", "folder of the backups", OPT_FROM },
        { "quick", NULL, "stored bytes only, without unpacking", OPT_QUICK },
        { "restore-test", NULL, "restore to a scratch folder, let the writers check it",
          OPT_RESTORE_TEST },
        { "component", "PATH", "restore only this component; repeatable", OPT_COMPONENT },
        { "scratch", "DIR", "where the scratch folder is made", OPT_SCRATCH },
        { NULL, NULL, NULL, 0 },
};

static int parse_verify(int argc, char *argv[]) {
        int c;

        while ((c = next_option(&verb_verify, argc, argv)) != -1)
                switch (c) {
                case OPT_FROM:
                        arg_from = optarg;
                        break;
                case OPT_QUICK:
                        arg_quick = true;
                        break;
                case OPT_RESTORE_TEST:
                        arg_restore_test = true;
                        break;
                case OPT_COMPONENT:
                        if (component_list_add(&arg_components, optarg) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case OPT_SCRATCH:
                        arg_scratch = optarg;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (!arg_from)
                return usage_error("say which store: --from STORE");
        if (!arg_restore_test && (arg_components.count || arg_scratch))
                return usage_error("--component and --scratch belong to --restore-test");
        if (arg_restore_test && arg_quick)
                return usage_error("--quick unpacks nothing, --restore-test does: one of them");
        return EXIT_OK;
}

static int run_verify(int argc, char *argv[]) {
        int r = parse_verify(argc, argv);

        if (r != EXIT_OK)
                return r;
        return arg_restore_test ? test_store(argv + optind, (size_t)(argc - optind))
                                : verify_store(argv + optind);
}

const struct verb verb_verify = {
        .name = "verify",
        .synopsis = "--from STORE [OPTIONS] [BACKUP...]",
        .summary = "Check that backups are still what was written.",
        .options = options,
        .run = run_verify,
};
