/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verb-backup.c - vssctl backup: the command line of src/backup/run.h, and its account.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/engine.h"
#include "backup/run.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/real-path.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

enum {
        OPT_TO = 1,
        OPT_TYPE,
        OPT_PLAN,
        OPT_COMPONENT,
        OPT_ALL,
        OPT_SYSTEM_STATE,
        OPT_EXCLUDE,
        OPT_LABEL,
        OPT_PROVIDER,
        OPT_STRICT,
        OPT_VERIFY,
        OPT_NO_DELTA,
        OPT_EXPLAIN
};

static const char *arg_to, *arg_label, *arg_provider;
static uint32_t arg_type = VSS_BT_FULL;
static bool arg_plan, arg_all, arg_system_state, arg_strict, arg_verify, arg_no_delta, arg_explain;

/* ---- the account while it runs ---- */

/* phase_words() - for who waits; a name that has none here is shown as the service calls it */
static const char *phase_words(const char *phase) {
        static const struct {
                const char *phase, *words;
        } known[] = {
                { "load", "starting" },
                { "identify", "asking what there is" },
                { "prepare_backup", "announcing the backup" },
                { "begin_prepare_snapshot", "preparing the shadow copies" },
                { "end_prepare_snapshots", "preparing the shadow copies" },
                { "prepare_snapshot", "getting ready for the copy" },
                { "sync", "writing out the file systems" },
                { "freeze", "making the shadow copies" },
                { "commit_snapshots", "making the shadow copies" },
                { "post_snapshot", "looking at the copy" },
                { "get_snapshot_properties", "opening the shadow copies" },
                { "backup_complete", "telling the applications that all is saved" },
        };

        for (size_t i = 0; i < ELEMENTSOF(known); i++)
                if (strcmp(phase, known[i].phase) == 0)
                        return known[i].words;
        return phase;
}

static void tell_phase(void *userdata, const char *phase, const char *who) {
        progress("%s%s%s", phase_words(phase), *who ? ": " : "", printable(who));
}

static int tell_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries, %s  %s", entries, format_bytes(bytes), printable(path));
        return is_interrupted() ? -EINTR : 0;
}

static void tell_note(void *userdata, const char *words) {
        print_note(words);
}

static void tell_trouble(void *userdata, const char *component, const char *path, int code,
                         const char *words) {
        print_trouble(component, path, NULL, code, words);
}

/* is_told() - the writers are asked after the copy and at the end; a person reads one answer once.
 * What does not fit is said twice */
static bool is_told(const struct vss_writer_status *status) {
        static struct {
                struct vss_id instance;
                uint32_t state;
                int failure;
        } told[64];
        static size_t count;

        for (size_t i = 0; i < count; i++)
                if (vss_id_equal(&told[i].instance, &status->instance_id) &&
                    told[i].state == status->state && told[i].failure == status->failure)
                        return true;
        if (count < ELEMENTSOF(told)) {
                told[count].instance = status->instance_id;
                told[count].state = status->state;
                told[count++].failure = status->failure;
        }
        return false;
}

static void tell_writer(void *userdata, const struct vss_writer_status *status) {
        struct json json = { 0 };

        progress("%s", "");
        if (!arg_json) {
                if (is_told(status))
                        return;
                fprintf(stderr, "vssctl: writer '%s': %s: %s\n", printable(status->name),
                        writer_state_word(status->state),
                        status->message && *status->message ? printable(status->message)
                                                            : vss_error_text(status->failure));
                return;
        }
        json_string(&json, "record", "writer");
        json_string(&json, "name", status->name);
        json_id(&json, "writer_id", &status->writer_id);
        json_number(&json, "state", status->state);
        json_code(&json, "failure", status->failure);
        json_string(&json, "message", status->message);
        (void)json_print(&json);
}

static void tell_item(void *userdata, const struct planned *planned) {
        const struct plan_item *item = planned->item;
        const struct plan *plan = planned->plan;
        const struct used_volume *volume = planned->volume;
        bool own = item->writer == PLAN_OWN;
        const struct chosen_writer *w = own ? NULL : &plan->selection->writers[item->writer];
        const char *component = own ? "" : w->components[item->component].full_path;
        const char *from = item->decision == DECIDE_SKIP || item->left_out ? "nowhere"
                           : planned->from_copy                            ? "shadow copy"
                                                                           : "original";
        struct json json = { 0 };

        if (planned->final && !arg_explain)
                return;
        if (arg_json) {
                json_string(&json, "record", "plan");
                json_string(&json, "writer", own ? NULL : w->identity.name);
                json_string(&json, "component", own ? NULL : component);
                json_string(&json, "path", item->path);
                json_string(&json, "filespec", item->filespec);
                json_bool(&json, "recursive", item->recursive);
                json_string(&json, "read_from", plan_reads(item));
                json_string(&json, "decision", plan_item_word(item));
                json_string(&json, "source", from);
                json_string(&json, "volume", volume ? volume->mount_point : NULL);
                json_string(&json, "provider", volume ? volume->provider : NULL);
                json_string(&json, "rule", item->rule);
                json_string(&json, "type", backup_type_word(planned->type));
                json_bool(&json, "final", planned->final);
                json_string(&json, "selected_by", own ? NULL : w->components[item->component].rule);
                (void)json_print(&json);
                return;
        }
        progress("%s", "");
        printf("%-8s %s%s%s%s  from %s", plan_item_word(item), printable(item->path),
               item->filespec ? "/" : "", item->filespec ? printable(item->filespec) : "",
               item->recursive ? " and below" : "", from);
        if (volume && planned->from_copy && item->decision != DECIDE_SKIP && !item->left_out)
                printf(" of %s by %s", printable(volume->mount_point), printable(volume->provider));
        if (own)
                printf("  (%s)\n", item->rule);
        else
                printf("  (%s%s%s, %s: %s)\n", item->rule,
                       w->components[item->component].rule ? ", " : "",
                       w->components[item->component].rule ? w->components[item->component].rule
                                                           : "",
                       printable(w->identity.name), printable(component));
}

static const struct backup_watch watch = {
        .phase = tell_phase,
        .progress = tell_progress,
        .note = tell_note,
        .trouble = tell_trouble,
        .writer = tell_writer,
        .item = tell_item,
};

/* ---- the account at the end ---- */

static int print_outcome(const struct backup_outcome *o) {
        struct json json = { 0 };

        if (arg_quiet && !arg_json)
                return EXIT_OK; /* what went wrong was told when it did */
        if (!arg_json) {
                printf("backup %s %s\n", o->folder, format_id(&o->set_id));
                for (size_t i = 0; i < o->operation_count; i++)
                        printf("  %s: %zu volume%s, writers still for %.1f ms, copies taken in "
                               "%.1f ms\n",
                               backup_type_word(o->operations[i].type), o->operations[i].volumes,
                               o->operations[i].volumes == 1 ? "" : "s",
                               (double)o->operations[i].freeze_us / 1000,
                               (double)o->operations[i].hold_us / 1000);
                printf("  %zu component%s saved, %zu failed\n", o->components_good,
                       o->components_good == 1 ? "" : "s", o->components_failed);
                printf("  %s, %s read, %s stored, %.2f s\n", format_entries(o->entries),
                       format_bytes(o->bytes), format_bytes(o->stored_bytes),
                       (double)o->total_us / 1e6);
                return EXIT_OK;
        }
        for (size_t i = 0; i < o->operation_count; i++) {
                json_string(&json, "record", "operation");
                json_string(&json, "type", backup_type_word(o->operations[i].type));
                json_bool(&json, "system_state", o->operations[i].system_state);
                json_number(&json, "volumes", (int64_t)o->operations[i].volumes);
                json_number(&json, "freeze_us", (int64_t)o->operations[i].freeze_us);
                json_number(&json, "hold_us", (int64_t)o->operations[i].hold_us);
                json_time(&json, "instant", o->operations[i].instant);
                json_number(&json, "instant_ticks", o->operations[i].instant);
                (void)json_print(&json);
        }
        json_string(&json, "record", "backup");
        json_id(&json, "id", &o->set_id);
        json_string(&json, "folder", o->folder);
        json_number(&json, "components_good", (int64_t)o->components_good);
        json_number(&json, "components_failed", (int64_t)o->components_failed);
        json_number(&json, "entries", (int64_t)o->entries);
        json_number(&json, "bytes", (int64_t)o->bytes);
        json_number(&json, "stored_bytes", (int64_t)o->stored_bytes);
        json_number(&json, "copy_us", (int64_t)o->copy_us);
        json_number(&json, "total_us", (int64_t)o->total_us);
        return json_print(&json);
}

static int verify_outcome(const struct backup_outcome *o) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct verify_summary summary;
        struct set_list sets = { 0 };
        const struct set_info *set;
        int r = store_open(arg_to, 0, &store, &error);

        progress("verifying");
        if (r >= 0)
                r = store_list(store, &sets, &error);
        set = r < 0 ? NULL : set_find_id(&sets, &o->set_id);
        if (set)
                r = verify_set(store, set, VERIFY_CONTENT, NULL, NULL, &summary, &error);
        set_list_done(&sets);
        progress("%s", "");
        if (r < 0)
                return report_error(&error, "the backup does not verify");
        if (arg_json)
                print_verify_record(o->folder, &summary, &(struct chain_summary){ 0 }, true);
        else if (!arg_quiet)
                printf("  verified: %s, %s\n", format_entries(summary.entries),
                       format_bytes(summary.content));
        return EXIT_OK;
}

/* ---- the command line ---- */

static int parse_type(const char *word, uint32_t *ret) {
        for (uint32_t type = VSS_BT_FULL; type <= VSS_BT_COPY; type++)
                if (strcmp(word, backup_type_word(type)) == 0) {
                        *ret = type;
                        return EXIT_OK;
                }
        return usage_error("--type is full, copy, incremental, differential or log, not '%s'",
                           word);
}

static int add(char ***list, size_t *count, size_t *capacity, char *take_item) {
        if (!take_item || ARRAY_RESERVE(list, *count + 1, capacity) < 0) {
                free(take_item);
                return EXIT_MEMORY;
        }
        (*list)[(*count)++] = take_item;
        (*list)[*count] = NULL;
        return EXIT_OK;
}

struct lists {
        struct request request;
        size_t paths, components, excludes; /* counts */
        size_t paths_capacity, components_capacity, excludes_capacity;
};

/* is_pattern() - one that could never fit would leave out nothing, without a word */
static bool is_pattern(const char *text) {
        const char *last = strrchr(text, '/');

        return !last ||
               (*text == '/' && last[1] != '\0' && strcspn(text, "*?") >= (size_t)(last - text));
}

static int parse_options(int argc, char *argv[], struct lists *l) {
        int c, r = EXIT_OK;

        while (r == EXIT_OK && (c = next_option(&verb_backup, argc, argv)) != -1)
                switch (c) {
                case OPT_TO:
                        arg_to = optarg;
                        break;
                case OPT_TYPE:
                        r = parse_type(optarg, &arg_type);
                        break;
                case OPT_PLAN:
                        arg_plan = true;
                        break;
                case OPT_COMPONENT:
                        r = add(&l->request.components, &l->components, &l->components_capacity,
                                strdup(optarg));
                        break;
                case OPT_ALL:
                        arg_all = true;
                        break;
                case OPT_SYSTEM_STATE:
                        arg_system_state = true;
                        break;
                case OPT_EXCLUDE:
                        if (!is_pattern(optarg))
                                return usage_error("--exclude '%s': a pattern is a name, or an "
                                                   "absolute path with '*' and '?' in the last "
                                                   "element only",
                                                   printable(optarg));
                        r = add(&l->request.excludes, &l->excludes, &l->excludes_capacity,
                                strdup(optarg));
                        break;
                case OPT_LABEL:
                        arg_label = optarg;
                        break;
                case OPT_PROVIDER:
                        arg_provider = optarg;
                        break;
                case OPT_STRICT:
                        arg_strict = true;
                        break;
                case OPT_VERIFY:
                        arg_verify = true;
                        break;
                case OPT_EXPLAIN:
                        arg_explain = true;
                        break;
                case OPT_NO_DELTA:
                        arg_no_delta = true;
                        break;
                default:
                        return EXIT_USAGE;
                }
        return r;
}

enum { PATIENCE_MS = 10000 };

/* add_paths() - the links at a path's end are followed once, here (B-152) */
static int add_paths(char *argv[], struct lists *l) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char **resolved = NULL;
        size_t count = 0, i = 0;
        int r, status = EXIT_OK;

        while (argv[count])
                count++;
        resolved = calloc(count + 1, sizeof(*resolved));
        if (!resolved)
                return EXIT_MEMORY;
        r = real_paths(argv, count, PATIENCE_MS, resolved);
        for (; i < count && resolved[i]; i++) {
                if (status != EXIT_OK)
                        free(resolved[i]);
                else
                        status = add(&l->request.paths, &l->paths, &l->paths_capacity, resolved[i]);
        }
        if (r == -ETIMEDOUT)
                vss_fail(&error, r,
                         "'%s' cannot be looked at: a program or server that shows it does not "
                         "answer",
                         printable(argv[i]));
        if (r == -ETIMEDOUT)
                return report_error(&error, "no backup was made");
        if (r < 0)
                return usage_error("'%s': %s", printable(argv[i]), strerror(-r));
        return status;
}

/* store_path() - absolute, also when the store does not exist yet; the caller frees it */
static char *store_path(const char *given) {
        char *resolved = realpath(given, NULL);
        _cleanup_free_ char *folder = NULL, *up = NULL;
        const char *slash;

        if (resolved || errno != ENOENT)
                return resolved;
        slash = strrchr(given, '/');
        folder = slash ? strndup(given, slash == given ? 1 : (size_t)(slash - given)) : strdup(".");
        /* several folders may be missing; the one above is nearer to the root, or "." */
        up = folder && *given ? store_path(folder) : NULL;
        return up ? path_join(up, slash ? slash + 1 : given) : NULL;
}

static bool is_empty(const struct lists *l) {
        return l->paths == 0 && l->components == 0 && !arg_all && !arg_system_state;
}

/* repeat_last() - 'vssctl backup --type incremental' says again what the last backup was told */
static int repeat_last(const char *path, struct lists *l) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *text = NULL;
        struct set_list sets = { 0 };
        const struct set_info *set;
        size_t size;
        int r = store_open(path, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r >= 0)
                r = set_find(&sets, "latest", &set, &error);
        if (r >= 0)
                r = store_read_document(store, set, 1, REQUEST_DOCUMENT, &text, &size, &error);
        if (r >= 0) {
                request_done(&l->request);
                r = request_parse(text, &l->request, &error);
        }
        set_list_done(&sets);
        return r < 0 ? report_error(&error, "name what to back up (no earlier backup says what)")
                     : EXIT_OK;
}

static int run_request(const struct backup_request *request) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct backup_outcome outcome = { 0 };
        int r;

        if (arg_plan) {
                r = backup_plan(request, &watch, &error);
                progress("%s", "");
                return r < 0 ? report_error(&error, "cannot plan the backup") : EXIT_OK;
        }
        watch_interrupts();
        r = backup_run(request, &watch, &outcome, &error);
        progress("%s", "");
        if (r < 0)
                return report_error(&error, "no backup was made");
        r = print_outcome(&outcome);
        if (r == EXIT_OK && arg_verify)
                r = verify_outcome(&outcome);
        if (r == EXIT_OK && (outcome.components_failed || outcome.writers_missing))
                r = arg_strict ? EXIT_RUNTIME : EXIT_WRITER;
        backup_outcome_done(&outcome);
        return r;
}

static int run_with(struct lists *l) {
        _cleanup_free_ char *store = arg_to ? store_path(arg_to) : NULL;
        struct backup_request request = { .config_dir = arg_config,
                                          .what = &l->request,
                                          .type = arg_type,
                                          .label = arg_label,
                                          .store = store,
                                          .no_delta = arg_no_delta };
        struct vss_id provider;
        int r;

        if (!arg_to && !arg_plan)
                return usage_error("say where the backup goes: --to STORE");
        if (arg_to && !store)
                return usage_error("'%s': %s", printable(arg_to), strerror(errno));
        if (is_empty(l) && (!arg_to || l->excludes > 0))
                return usage_error("name what to back up: paths, --component, --all-components or "
                                   "--system-state");
        if (arg_provider) {
                r = find_provider(arg_provider, &provider);
                if (r != EXIT_OK)
                        return r;
                request.provider = &provider;
        }
        if (is_empty(l)) {
                r = repeat_last(store, l);
                if (r != EXIT_OK)
                        return r;
        }
        l->request.all_components |= arg_all;
        l->request.system_state |= arg_system_state;
        return run_request(&request);
}

static const struct opt options[] = {
        { "to", "STORE", "folder of the backups; made when absent", OPT_TO },
        { "type", "TYPE", "full (default), copy, incremental, differential, log", OPT_TYPE },
        { "plan", NULL, "show what would be copied, from where, by which rule", OPT_PLAN },
        { "component", "WRITER:PATH", "also this component; repeatable", OPT_COMPONENT },
        { "all-components", NULL, "also every component of every writer", OPT_ALL },
        { "system-state", NULL, "also what writers of the system have", OPT_SYSTEM_STATE },
        { "exclude", "PATTERN", "leave out names or /paths that fit; repeatable", OPT_EXCLUDE },
        { "label", "TEXT", "words kept with the backup", OPT_LABEL },
        { "provider", "NAME", "the provider that makes the shadow copies", OPT_PROVIDER },
        { "strict", NULL, "exit 2 instead of 4 when a component failed", OPT_STRICT },
        { "verify", NULL, "read the finished backup again and compare", OPT_VERIFY },
        { "explain", NULL, "list what was copied, from where, by which rule", OPT_EXPLAIN },
        { "no-delta", NULL, "compare all, whatever the provider knows of changes", OPT_NO_DELTA },
        { NULL, NULL, NULL, 0 },
};

static int run_backup(int argc, char *argv[]) {
        struct lists l = { .request = { request_copy_list(NULL), request_copy_list(NULL),
                                        request_copy_list(NULL), false, false },
                           .paths_capacity = 1,
                           .components_capacity = 1,
                           .excludes_capacity = 1 };
        int r = l.request.paths && l.request.components && l.request.excludes ? EXIT_OK
                                                                              : EXIT_MEMORY;

        if (r == EXIT_OK)
                r = parse_options(argc, argv, &l);
        if (r == EXIT_OK)
                r = add_paths(argv + optind, &l);
        if (r == EXIT_OK)
                r = run_with(&l);
        request_done(&l.request);
        return r;
}

const struct verb verb_backup = {
        .name = "backup",
        .synopsis = "--to STORE [OPTIONS] [PATH...]",
        .summary = "Back up paths and the applications below them, consistently.",
        .options = options,
        .run = run_backup,
};
