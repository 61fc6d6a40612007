/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-forget.c - vssctl forget: old backups go, by name or by rule; what a backup that stays is
 * restored from stays as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/forget.h"
#include "backup/kept.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

enum { OPT_FROM = 1, OPT_KEEP, OPT_OLDER_THAN, OPT_PLAN };

#define TICKS_PER_HOUR (INT64_C(36000000000))
#define HOURS_MAX (INT64_C(24) * 366 * 400)

static const char *arg_from;
static uint32_t arg_keep;
static vss_timestamp_t arg_before;
static bool arg_plan;

static int parse_number(const char *text, int64_t max, int64_t *ret, const char **ret_end) {
        char *end;

        errno = 0;
        *ret = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : -1;
        if (*ret < 1 || *ret > max || errno)
                return -ERANGE;
        *ret_end = end;
        return 0;
}

static int parse_keep(const char *text) {
        const char *end;
        int64_t number;

        if (parse_number(text, 1000000, &number, &end) < 0 || *end)
                return usage_error("--keep '%s': a number from 1 on; what is the only one is "
                                   "removed by its name",
                                   printable(text));
        arg_keep = (uint32_t)number;
        return EXIT_OK;
}

static int parse_age(const char *text) {
        static const struct {
                char unit;
                int64_t hours;
        } units[] = { { 'h', 1 }, { 'd', 24 }, { 'w', 24 * 7 }, { 'y', 24 * 365 } };
        const char *end;
        int64_t number;

        if (parse_number(text, HOURS_MAX, &number, &end) == 0 && strlen(end) == 1)
                for (size_t i = 0; i < ELEMENTSOF(units); i++)
                        if (*end == units[i].unit && number <= HOURS_MAX / units[i].hours) {
                                arg_before = vss_timestamp_now() -
                                             number * units[i].hours * TICKS_PER_HOUR;
                                return EXIT_OK;
                        }
        return usage_error("--older-than '%s': a number and h, d, w or y, as in 30d",
                           printable(text));
}

/* ---- telling ---- */

static const char *reason_word(const struct forget_item *item) {
        static const char *const words[] = {
                [FORGET_IT] = "not needed", [KEEP_NOT_NAMED] = "not asked for",
                [KEEP_NEWEST] = "newest",   [KEEP_YOUNG] = "young",
                [KEEP_FUTURE] = "future",   [KEEP_NEEDED] = "needed",
        };

        return !item->set && item->why != FORGET_IT ? "unreadable" : words[item->why];
}

static void print_reason(const struct forget_item *item) {
        if (!item->set && item->why != FORGET_IT) {
                printf("cannot be read; repair it, or remove it by its name");
                return;
        }
        switch (item->why) {
        case FORGET_IT:
                printf("%s", format_bytes(item->bytes));
                return;
        case KEEP_NOT_NAMED:
                printf("not asked for");
                return;
        case KEEP_NEWEST:
                printf("among the newest of %s",
                       *item->whose ? printable(item->whose) : "the plain files");
                return;
        case KEEP_YOUNG:
                printf("young enough");
                return;
        case KEEP_FUTURE:
                printf("its time is in the future; remove it by its name");
                return;
        case KEEP_NEEDED:
                printf("%s builds on it", printable(item->whose));
                return;
        }
}

static int json_item(const struct forget_item *item, bool goes) {
        struct json json = { 0 };

        json_string(&json, "record", "forget");
        json_string(&json, "folder", item->folder);
        if (item->set)
                json_id(&json, "id", &item->set->id);
        json_string(&json, "action", goes ? "forget" : "keep");
        json_string(&json, "reason", reason_word(item));
        json_string(&json, item->why == KEEP_NEEDED ? "needed_by" : "component", item->whose);
        json_number(&json, "stored_bytes", (int64_t)item->bytes);
        return json_print(&json);
}

static int tell(const struct forget *forget) {
        size_t gone = 0, failed = 0;
        uint64_t bytes = 0;
        struct json json = { 0 };

        for (size_t i = 0; i < forget->count; i++) {
                const struct forget_item *item = &forget->items[i];
                const bool goes = arg_plan ? item->why == FORGET_IT : item->removed;

                gone += goes;
                failed += item->why == FORGET_IT && !goes;
                bytes += goes ? item->bytes : 0;
                if (arg_json) {
                        if (json_item(item, goes) != EXIT_OK)
                                return EXIT_MEMORY;
                } else if (arg_plan || (goes && !arg_quiet)) {
                        printf("%s %s  ", goes ? "forget" : "keep  ", printable(item->folder));
                        print_reason(item);
                        putchar('\n');
                }
        }
        if (!arg_json) {
                if (arg_quiet && !arg_plan)
                        return EXIT_OK;
                printf("%s %s: %zu backup%s %s, %zu %s\n", arg_plan ? "would free" : "freed",
                       format_bytes(bytes), gone, gone == 1 ? "" : "s",
                       arg_plan ? "would go" : (gone == 1 ? "is gone" : "are gone"),
                       forget->count - gone, forget->count - gone == 1 ? "stays" : "stay");
                return EXIT_OK;
        }
        json_string(&json, "record", "forgotten");
        json_bool(&json, "plan", arg_plan);
        json_number(&json, "removed", arg_plan ? 0 : (int64_t)gone);
        json_number(&json, "kept", (int64_t)(forget->count - gone));
        json_number(&json, "failed", arg_plan ? 0 : (int64_t)failed);
        json_number(&json, "freed_bytes", (int64_t)bytes);
        return json_print(&json);
}

/* ---- doing ---- */

/* release_references() - without the service the next backup does it: nothing fails for that */
static void release_references(struct store *store) {
        const struct vss_connection how = { .config_dir = arg_config,
                                            .embedded = arg_config ? 1 : 0 };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_backup_components *bc = NULL;
        int r = vss_backup_components_create(&how, &bc, &error);

        if (r >= 0)
                r = vss_backup_components_initialize_for_backup(bc, NULL, &error);
        if (r >= 0)
                r = kept_settle(store, bc, NULL, &error);
        if (r < 0)
                print_note(vss_error_message(&error));
        vss_backup_components_free(bc);
}

static int forget_from(const struct forget_request *request) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct forget forget = { 0 };
        int result, r = store_open(arg_from, 0, &store, &error);

        if (r >= 0 && !arg_plan)
                r = store_lock(store, &error);
        if (r >= 0 && !arg_plan)
                r = store_lock_readers(store, &error);
        if (r >= 0)
                r = forget_decide(store, request, &forget, &error);
        if (r < 0)
                return report_error(&error, "nothing is removed");
        if (!arg_plan)
                r = forget_run(store, &forget, &error);
        result = tell(&forget);
        if (r < 0)
                result = report_error(&error, "not all is removed");
        if (!arg_plan && kept_is_noted(store))
                release_references(store);
        forget_done(&forget);
        return result;
}

static const struct opt options[] = {
        { "from", "STORE", "folder of the backups", OPT_FROM },
        { "keep", "N", "the newest N of each component stay", OPT_KEEP },
        { "older-than", "AGE", "only what is older: 12h, 30d, 8w, 1y", OPT_OLDER_THAN },
        { "plan", NULL, "remove nothing, say what would go and why", OPT_PLAN },
        { NULL, NULL, NULL, 0 },
};

static int run_forget(int argc, char *argv[]) {
        struct forget_request request = { 0 };
        int c, r = EXIT_OK;

        while (r == EXIT_OK && (c = next_option(&verb_forget, argc, argv)) != -1)
                switch (c) {
                case OPT_FROM:
                        arg_from = optarg;
                        break;
                case OPT_KEEP:
                        r = parse_keep(optarg);
                        break;
                case OPT_OLDER_THAN:
                        r = parse_age(optarg);
                        break;
                case OPT_PLAN:
                        arg_plan = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        if (r != EXIT_OK)
                return r;
        if (!arg_from)
                return usage_error("say which store: --from STORE");
        if ((optind < argc) == (arg_keep || arg_before))
                return usage_error("say what to forget: backups by name, or --keep N, "
                                   "--older-than AGE or both");
        for (int i = optind; i < argc; i++)
                if (*argv[i] == '\0')
                        return usage_error("an empty name would be every backup's");
        request.names = (const char *const *)argv + optind;
        request.name_count = (size_t)(argc - optind);
        request.keep = arg_keep ? arg_keep : 1;
        request.before = arg_before;
        return forget_from(&request);
}

const struct verb verb_forget = {
        .name = "forget",
        .synopsis = "--from STORE [OPTIONS] [BACKUP...]",
        .summary = "Remove backups that nothing else needs.",
        .options = options,
        .run = run_forget,
};
