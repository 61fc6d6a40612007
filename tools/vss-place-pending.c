/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vss-place-pending - puts restored files in place that waited for the boot, before anything runs
 * that could have them open. See vss-place-pending(8); the moves are backup/pending.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "backup/pending.h"
#include "backup/reboot.h"
#include "backup/service-record.h"
#include "base/cleanup.h"
#include "base/layout.h"
#include "base/process.h"
#include "config.h"
#include "vssctl/vssctl.h"

bool arg_json, arg_quiet; /* vssctl/output.c speaks by them */

enum action { RUN, LIST, DISCARD, PERMIT, FORBID };

enum { EXIT_WRONG = 2 };

static const char help[] =
        "usage: vss-place-pending [--run [--now]] [--config=DIR]\n"
        "       vss-place-pending --list [--json] [--config=DIR]\n"
        "       vss-place-pending --discard SET [--config=DIR]\n"
        "       vss-place-pending --allow-protected | --forbid-protected [--config=DIR]\n"
        "\n"
        "Files that a restore left for the next boot: put them in place.\n"
        "\n"
        "  --run               put in place what was registered before this boot\n"
        "  --now               also what was registered since: nothing may use these files\n"
        "  --list              what waits, what failed, and why a reboot is needed\n"
        "  --json              one JSON object per line\n"
        "  --discard           forget a set, by its id or the beginning of it, and remove its "
        "files\n"
        "  --allow-protected   the next boot, and only that, may replace protected files\n"
        "  --forbid-protected  it may not\n"
        "  --config=DIR        configuration, instead of %s\n"
        "  --help, --version\n"
        "\n"
        "Exit status: 0 done, 1 not all of it (words on standard error), 2 wrong usage.\n";

/* say() - to who looks at this machine later: by systemd into its journal, else into the syslog,
 * which may not run that early, and the console */
static void say(int priority, const char *words) {
        if (getenv("JOURNAL_STREAM")) {
                fprintf(stderr, "<%d>%s\n", priority, printable(words));
                return;
        }
        fprintf(stderr, "vss-place-pending: %s\n", printable(words));
        syslog(LOG_DAEMON | priority, "%s", printable(words));
}

static void on_trouble(void *userdata, const char *words) {
        bool *troubled = userdata;

        *troubled = true;
        say(LOG_ERR, words);
}

static int run(const struct restore_settings *settings, unsigned flags, struct vss_error *reterr) {
        struct pending_summary sum;
        bool troubled = false;
        char words[160];
        int r = pending_run(settings, flags, on_trouble, &troubled, &sum, reterr), left;

        if (sum.placed > 0) {
                (void)snprintf(words, sizeof(words), "%llu restored file%s put in place",
                               (unsigned long long)sum.placed, sum.placed == 1 ? "" : "s");
                say(LOG_NOTICE, words);
        }
        if (sum.waiting > 0) {
                (void)snprintf(words, sizeof(words), "%llu restored file%s for the next boot",
                               (unsigned long long)sum.waiting,
                               sum.waiting == 1 ? " waits" : "s wait");
                say(LOG_NOTICE, words);
        }
        left = service_records_at_boot(settings, on_trouble, &troubled, r < 0 ? NULL : reterr);
        (void)reboot_happened(settings);
        if (r >= 0)
                r = left;
        return r < 0 ? r : troubled;
}

/* ---- looking ---- */

static const char *state_word(const struct pending_info *set, const struct pending_move *move) {
        static const char *const words[] = {
                [PENDING_WAITS] = "waits", [PENDING_PLACED] = "placed", [PENDING_FAILED] = "failed"
        };

        return set->committed ? words[move->state] : "unfinished";
}

static void list_json(const struct pending_info *set, const struct pending_move *move) {
        struct json json = { 0 };

        json_string(&json, "record", "move");
        json_id(&json, "set", &set->id);
        json_string(&json, "title", set->title);
        json_time(&json, "registered", set->time);
        json_string(&json, "path", move->destination);
        json_string(&json, "staged", move->staged);
        json_string(&json, "state", state_word(set, move));
        json_bool(&json, "protected", move->is_protected);
        json_string(&json, "message", move->words);
        (void)json_print(&json);
}

static void list_set(const struct pending_info *set) {
        if (!arg_json)
                printf("%s  %s  '%s'%s\n", format_id(&set->id), format_time(set->time),
                       printable(set->title),
                       set->committed ? "" : ": being restored, or the restore was killed");
        for (size_t i = 0; i < set->count; i++) {
                const struct pending_move *move = &set->moves[i];

                if (arg_json)
                        list_json(set, move);
                else
                        printf("  %-10s  %s%s%s%s\n", state_word(set, move),
                               printable(move->destination),
                               move->is_protected && move->state == PENDING_WAITS ? "  (protected)"
                                                                                  : "",
                               move->words ? ": " : "", move->words ? printable(move->words) : "");
                if (!arg_json && move->state == PENDING_FAILED)
                        printf("  %-10s  it lies at %s\n", "", printable(move->staged));
        }
}

static void list_end(const struct pending_list *list, char **reasons, size_t count) {
        struct json json = { 0 };

        if (arg_json) {
                json_string(&json, "record", "pending");
                json_number(&json, "sets", (int64_t)list->count);
                json_bool(&json, "protected_allowed", list->permission);
                json_number(&json, "damaged_lines", (int64_t)list->damaged);
                json_bool(&json, "reboot_required", count > 0);
                (void)json_print(&json);
                for (size_t i = 0; i < count; i++) {
                        json_string(&json, "record", "reboot");
                        json_string(&json, "reason", reasons[i]);
                        (void)json_print(&json);
                }
                return;
        }
        if (list->damaged > 0)
                printf("%zu lines of the journal are damaged; their sets do not count\n",
                       list->damaged);
        if (list->permission)
                printf("the next boot may replace protected files\n");
        if (count == 0)
                printf("no reboot is needed\n");
        for (size_t i = 0; i < count; i++)
                printf("%s%s\n", i == 0 ? "a reboot is needed: " : "    ", printable(reasons[i]));
}

static int list(const struct restore_settings *settings, struct vss_error *reterr) {
        struct pending_list pending = { 0 };
        char **reasons = NULL;
        size_t count = 0;
        int r = pending_read(settings, &pending, reterr);

        if (r >= 0)
                r = reboot_reasons(settings, &reasons, &count, reterr);
        for (size_t i = 0; r >= 0 && i < pending.count; i++)
                list_set(&pending.sets[i]);
        if (r >= 0)
                list_end(&pending, reasons, count);
        for (size_t i = 0; i < count; i++)
                free(reasons[i]);
        free(reasons);
        pending_list_done(&pending);
        return r;
}

/* ---- */

static int discard(const struct restore_settings *settings, const char *set,
                   struct vss_error *reterr) {
        uint64_t removed;
        int r = pending_discard(settings, set, &removed, reterr);

        if (r >= 0)
                printf("discarded; %llu staged file%s removed\n", (unsigned long long)removed,
                       removed == 1 ? "" : "s");
        return r;
}

static int act(enum action action, const char *config, const char *set, unsigned flags) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore_settings settings;
        int r = restore_settings_read(&settings, config, &error);

        for (size_t i = 0; i < settings.warnings_count; i++)
                say(LOG_WARNING, settings.warnings[i]);
        if (r >= 0)
                r = action == RUN       ? run(&settings, flags, &error)
                    : action == LIST    ? list(&settings, &error)
                    : action == DISCARD ? discard(&settings, set, &error)
                                        : pending_permit(&settings, action == PERMIT, &error);
        restore_settings_done(&settings);
        if (r < 0)
                say(LOG_ERR, vss_error_message(&error));
        if (fflush(stdout) != 0 || ferror(stdout))
                r = -EIO;
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int usage(const char *words) {
        fprintf(stderr, "vss-place-pending: %s; try 'vss-place-pending --help'\n", words);
        return EXIT_WRONG;
}

int main(int argc, char **argv) {
        enum {
                OPTION_CONFIG = 256,
                OPTION_NOW,
                OPTION_JSON,
                OPTION_HELP,
                OPTION_VERSION,
                OPTION_ACTION
        };
        static const struct option options[] = {
                { "run", no_argument, NULL, OPTION_ACTION + RUN },
                { "list", no_argument, NULL, OPTION_ACTION + LIST },
                { "discard", required_argument, NULL, OPTION_ACTION + DISCARD },
                { "allow-protected", no_argument, NULL, OPTION_ACTION + PERMIT },
                { "forbid-protected", no_argument, NULL, OPTION_ACTION + FORBID },
                { "now", no_argument, NULL, OPTION_NOW },
                { "json", no_argument, NULL, OPTION_JSON },
                { "config", required_argument, NULL, OPTION_CONFIG },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                { NULL, 0, NULL, 0 },
        };
        const char *config = NULL, *set = NULL;
        unsigned flags = 0, actions = 0;
        int action = RUN, c;

        process_settle();
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIG:
                        config = optarg;
                        break;
                case OPTION_NOW:
                        flags |= PENDING_NOW;
                        break;
                case OPTION_JSON:
                        arg_json = true;
                        break;
                case OPTION_HELP:
                        printf(help, layout_config_dir());
                        return EXIT_SUCCESS;
                case OPTION_VERSION:
                        puts("vss-place-pending " VSS_VERSION);
                        return EXIT_SUCCESS;
                case '?':
                        return EXIT_WRONG;
                default:
                        action = c - OPTION_ACTION;
                        actions++;
                        if (action == DISCARD)
                                set = optarg;
                }
        if (optind < argc)
                return usage("no arguments are expected");
        if (actions > 1)
                return usage("give one of --run, --list, --discard, --allow-protected and "
                             "--forbid-protected");
        if ((flags && action != RUN) || (arg_json && action != LIST))
                return usage("--now goes with --run, --json with --list");
        return act((enum action)action, config, set, flags);
}
