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

enum {
        OPT_FROM = 1,
        OPT_SET,
        OPT_INTO,
        OPT_IN_PLACE,
        OPT_TARGET,
        OPT_PATH,
        OPT_COMPONENT,
        OPT_KEEP,
        OPT_PLAN,
        OPT_FILE_BY_FILE,
        OPT_RENAME,
        OPT_ROLL_FORWARD,
        OPT_AUTHORITATIVE,
        OPT_INSTANCE,
        OPT_RESTORE_OPTION
};

static struct restore_order order = { .set = "latest" };

static int restore_set(const struct source_set *from, struct restore_summary *total) {
        int r = restore_choose(from);

        if (r == EXIT_OK && from->choice->count == 0)
                r = usage_error("nothing of what was asked for is in this backup");
        if (r == EXIT_OK)
                r = restore_check_wishes(from);
        if (r != EXIT_OK)
                return r;
        if (from->order->plan)
                return restore_show_plan(from);
        r = restore_all(from, total);
        restore_advise(from, from->damage);
        if (!restore_was_cut_short())
                return r;
        fprintf(stderr, "vssctl: interrupted; what was restored so far is whole and on disk, "
                        "everything else is as it was; give the same command again for the rest\n");
        return EXIT_RUNTIME;
}

static int restore_from(void) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore_summary total = { 0 };
        struct restore_choice choice = { 0 };
        struct restore_damage damage = { 0 };
        struct set_list sets = { 0 };
        const struct set_info *set = NULL;
        struct restore_listed *listed = NULL;
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
        else if (!order.into && restore_listed_load(&listed) != EXIT_OK)
                r = EXIT_MEMORY;
        else {
                r = restore_set(
                        &(struct source_set){ &order, store, &sets, set, &choice, &damage, listed },
                        &total);
                if (r != EXIT_USAGE && !order.plan && restore_print_summary(set, &total) != EXIT_OK)
                        r = EXIT_MEMORY;
                if (r == EXIT_OK && total.failed)
                        r = EXIT_RUNTIME;
                if (r == EXIT_OK && !order.plan && order.path_count && total.placed == 0 &&
                    total.kept == 0)
                        r = restore_listed_met(listed)
                                    ? EXIT_RUNTIME
                                    : usage_error("no such path is in this backup");
        }
        restore_listed_free(listed);
        restore_choice_done(&choice);
        restore_damage_done(&damage);
        set_list_done(&sets);
        return r;
}

static const struct opt options[] = {
        { "from", "STORE", "folder of the backups", OPT_FROM },
        { "set", "ID", "which backup: id, beginning of its name, or latest", OPT_SET },
        { "into", "DIR", "below this folder, which is made when absent", OPT_INTO },
        { "in-place", NULL, "where the files came from", OPT_IN_PLACE },
        { "target", "[FROM=]DIR", "what lay in FROM goes into DIR; repeatable", OPT_TARGET },
        { "path", "PATH", "like an operand: only this path; repeatable", OPT_PATH },
        { "component", "PATH", "only this component, or part of one; repeatable", OPT_COMPONENT },
        { "keep-existing", NULL, "leave files that exist as they are", OPT_KEEP },
        { "file-by-file", NULL, "plain files: replace those that can be, not all or none",
          OPT_FILE_BY_FILE },
        { "dry-run", NULL, "the same as --plan", OPT_PLAN },
        { "plan", NULL, "say what would go where, by which rule; do nothing", OPT_PLAN },
        { "rename", "NAME", "its application shall call the component so", OPT_RENAME },
        { "roll-forward", "HOW", "replay logs: all, none, or up to the point HOW",
          OPT_ROLL_FORWARD },
        { "authoritative", NULL, "this state wins over those of its peers", OPT_AUTHORITATIVE },
        { "instance", "NAME", "into this running instance, by name or id", OPT_INSTANCE },
        { "restore-option", "TEXT", "words for the writer of the component", OPT_RESTORE_OPTION },
        { NULL, NULL, NULL, 0 },
};

static int take_option(int c) {
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
        case OPT_TARGET:
                return restore_order_target(&order, optarg);
        case OPT_PATH:
                return restore_order_path(&order, optarg);
        case OPT_COMPONENT:
                return component_list_add(&order.components, optarg);
        case OPT_KEEP:
                order.keep_existing = true;
                break;
        case OPT_FILE_BY_FILE:
                order.file_by_file = true;
                break;
        case OPT_PLAN:
                order.plan = true;
                break;
        case OPT_RENAME:
                order.wishes.name = optarg;
                break;
        case OPT_ROLL_FORWARD:
                return restore_order_roll_forward(&order, optarg);
        case OPT_AUTHORITATIVE:
                order.wishes.authoritative = true;
                break;
        case OPT_INSTANCE:
                order.wishes.instance = optarg;
                break;
        case OPT_RESTORE_OPTION:
                order.wishes.options = optarg;
                break;
        default:
                return EXIT_USAGE;
        }
        return EXIT_OK;
}

static int run_restore(int argc, char *argv[]) {
        int c, r = EXIT_OK;

        while (r == EXIT_OK && (c = next_option(&verb_restore, argc, argv)) != -1)
                r = take_option(c);
        for (int i = optind; r == EXIT_OK && i < argc; i++)
                r = restore_order_path(&order, argv[i]);
        if (r == EXIT_OK)
                r = restore_order_check(&order);
        if (r == EXIT_OK) {
                watch_interrupts();
                r = restore_from();
        }
        restore_order_done(&order);
        return r;
}

const struct verb verb_restore = {
        .name = "restore",
        .synopsis =
                "--from STORE --into DIR | --in-place | --target [FROM=]DIR [OPTIONS] [PATH...]",
        .summary = "Bring files back from a backup.",
        .options = options,
        .run = run_restore,
};
