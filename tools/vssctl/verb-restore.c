/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-restore.c - vssctl restore: all of a backup, components of it, or single paths, beside the
 * originals or in their place.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

enum { OPT_FROM = 1, OPT_SET, OPT_INTO, OPT_IN_PLACE, OPT_COMPONENT, OPT_KEEP };

static struct restore_order order = { .set = "latest" };

static int restore_set(const struct source_set *from, struct restore_summary *total) {
        int result = restore_check_asked(from);
        bool found = false;

        if (result != EXIT_OK)
                return result;
        result = restore_all(from, &found, total);
        if (restore_was_cut_short()) {
                fprintf(stderr, "vssctl: interrupted; what was restored so far is whole and on "
                                "disk, everything else is as it was; the same command restores the "
                                "rest\n");
                return EXIT_RUNTIME;
        }
        if (!found)
                return usage_error("nothing of what was asked for is in this backup");
        return result;
}

static int restore_from(void) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary total = { 0 };
        struct set_list sets = { 0 };
        const struct set_info *set = NULL;
        int r = store_open(order.from, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r >= 0)
                r = set_find(&sets, order.set, &set, &error);
        for (size_t i = 0; r >= 0 && i < sets.unreadable_count; i++)
                fprintf(stderr, "vssctl: note: passed over, it cannot be read: %s: %s\n",
                        printable(sets.unreadable[i].folder), printable(sets.unreadable[i].words));
        if (r < 0)
                r = report_error(&error, "cannot find the backup");
        else {
                r = restore_set(&(struct source_set){ &order, store, &sets, set }, &total);
                if (r != EXIT_USAGE && restore_print_summary(set, &total) != EXIT_OK)
                        r = EXIT_MEMORY;
                if (r == EXIT_OK && total.failed)
                        r = EXIT_RUNTIME;
                if (r == EXIT_OK && order.path_count && total.placed == 0 && total.kept == 0)
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
                        order.from = optarg;
                        break;
                case OPT_SET:
                        order.set = optarg;
                        break;
                case OPT_INTO:
                        order.into = optarg;
                        break;
                case OPT_IN_PLACE:
                        order.in_place = true;
                        break;
                case OPT_COMPONENT:
                        if (component_list_add(&order.components, optarg) != EXIT_OK)
                                return EXIT_USAGE;
                        break;
                case OPT_KEEP:
                        order.keep_existing = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (!order.from)
                return usage_error("say which store: --from STORE");
        if (order.into && order.in_place)
                return usage_error("--into or --in-place, not both");
        if (!order.into && !order.in_place)
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
        if (order.into) {
                r = mkdir_parents(order.into, 0755);
                into = r < 0 ? NULL : realpath(order.into, NULL);
                if (!into)
                        return usage_error("'%s': %s", printable(order.into),
                                           strerror(r < 0 ? -r : errno));
                order.into = into;
        }
        watch_interrupts();
        order.paths = (const char *const *)(argv + optind);
        order.path_count = (size_t)(argc - optind);
        return restore_from();
}

const struct verb verb_restore = {
        .name = "restore",
        .synopsis = "--from STORE --into DIR | --in-place [OPTIONS] [PATH...]",
        .summary = "Bring files back from a backup.",
        .options = options,
        .run = run_restore,
};
