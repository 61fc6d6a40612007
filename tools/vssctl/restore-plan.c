/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-plan.c - 'vssctl restore --plan': for every file from which image it would come, where it
 * would go, when, and by which rule. Decides nothing: the restore itself is asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/restore-foresee.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct restore_foresight *, restore_foresight_free)

#define NO_GROUP SIZE_MAX

/* struct group - files that one line can tell of */
struct group {
        size_t file_set, image; /* @image from 1 */
        enum restore_fate fate;
        const char *rule;
        char *path, *to; /* of the first one */
        uint64_t entries, bytes;
        size_t next; /* of the same file set, or NO_GROUP */
};

struct telling {
        const struct source_set *from;
        const struct chosen_image *chosen;
        const char *component; /* for people */
        const struct chain *chain;
        struct restore_plan *plan; /* NULL: files that belong to no writer */
        struct group *groups;
        size_t count, capacity;
        size_t *heads; /* first group of each file set, of those without at 0 */
        size_t head_count, head_capacity;
};

static const char *when_word(enum restore_fate fate) {
        static const char *const words[] = {
                [FATE_NOT_SELECTED] = "not", [FATE_NOT] = "not",    [FATE_DIRECTED] = "now",
                [FATE_NEW_TARGET] = "now",   [FATE_MAPPED] = "now", [FATE_ORIGINAL] = "now",
                [FATE_AT_BOOT] = "at boot",
        };

        return words[fate];
}

static const char *course_word(enum restore_course course) {
        static const char *const words[] = {
                [COURSE_NOTHING] = "nothing",
                [COURSE_ORIGINAL] = "original",
                [COURSE_MAPPED] = "alternate",
                [COURSE_AT_BOOT] = "at boot",
        };

        return words[course];
}

/* ---- one file ---- */

/* plain_destination() - of the requester's own files: by --into or --target */
static int plain_destination(const struct telling *t, const char *path, char **owned,
                             struct restore_destination *ret) {
        const struct restore_order *order = t->from->order;
        int r;

        *ret = (struct restore_destination){ FATE_ORIGINAL, path, "R-38", RESTORE_NO_FILE_SET };
        if (order->into) {
                if (asprintf(owned, "%s%s", order->into, path) < 0) {
                        *owned = NULL;
                        return -ENOMEM;
                }
                ret->rule = "R-39";
        } else {
                r = restore_wishes_destination(&order->wishes, path, owned);
                if (r < 0)
                        return r;
        }
        if (*owned)
                ret->path = *owned;
        return 0;
}

static size_t image_number(const struct chain *chain, const struct set_place *image) {
        for (size_t i = 0; i < chain->count; i++)
                if (chain->links[i].set == image->set &&
                    chain->links[i].operation == image->operation)
                        return i + 1;
        return chain->count;
}

static int print_file(const struct telling *t, const struct entry *entry,
                      const struct restore_destination *to) {
        size_t image = image_number(t->chain, entry->image);
        struct json json = { 0 };

        json_string(&json, "record", "plan-file");
        json_string(&json, "component", t->component);
        json_string(&json, "path", entry->path);
        json_string(&json, "destination", to->path);
        json_string(&json, "when", when_word(to->fate));
        json_string(&json, "rule", to->rule);
        json_number(&json, "image", (int64_t)image);
        json_string(&json, "folder", entry->image->set->folder);
        json_bool(&json, "ranges", entry->partial);
        return json_print(&json);
}

/* ---- groups ---- */

static size_t *head_of(struct telling *t, size_t file_set) {
        size_t at = file_set == RESTORE_NO_FILE_SET ? 0 : file_set + 1;

        while (t->head_count <= at) {
                if (ARRAY_RESERVE(&t->heads, t->head_count, &t->head_capacity) < 0)
                        return NULL;
                t->heads[t->head_count++] = NO_GROUP;
        }
        return &t->heads[at];
}

static struct group *find_group(struct telling *t, const struct restore_destination *to,
                                size_t image) {
        size_t *head = head_of(t, to->file_set);
        struct group *group;

        if (!head)
                return NULL;
        for (size_t i = *head; i != NO_GROUP; i = t->groups[i].next)
                if (t->groups[i].fate == to->fate && t->groups[i].image == image &&
                    strcmp(t->groups[i].rule, to->rule) == 0)
                        return &t->groups[i];
        if (ARRAY_RESERVE(&t->groups, t->count, &t->capacity) < 0)
                return NULL;
        group = &t->groups[t->count];
        *group = (struct group){ .file_set = to->file_set,
                                 .image = image,
                                 .fate = to->fate,
                                 .rule = to->rule,
                                 .next = *head };
        *head = t->count++;
        return group;
}

static int add_to_group(struct telling *t, const struct entry *entry,
                        const struct restore_destination *to) {
        struct group *group = find_group(t, to, image_number(t->chain, entry->image));

        if (!group)
                return EXIT_MEMORY;
        if (group->entries++ == 0) {
                group->path = strdup(entry->path);
                group->to = to->path ? strdup(to->path) : NULL;
                if (!group->path || (to->path && !group->to))
                        return EXIT_MEMORY;
        }
        group->bytes += entry->type == ENTRY_FILE ? entry->size : 0;
        return EXIT_OK;
}

/* print_what() - "/data  *.db and below", or the one file, or the first of those without a set */
static void print_what(const struct telling *t, const struct group *group) {
        const struct restore_file_set *set =
                t->plan ? restore_plan_file_set(t->plan, group->file_set) : NULL;

        if (!set) {
                printf("%s%s", printable(group->path), group->entries > 1 ? " and others" : "");
                return;
        }
        printf("%s  %s%s", printable(set->files.path), printable(set->files.filespec),
               set->files.recursive ? "  and below" : "");
}

static void print_where(const struct telling *t, const struct group *group) {
        const struct restore_file_set *set =
                t->plan ? restore_plan_file_set(t->plan, group->file_set) : NULL;

        if (group->fate == FATE_DIRECTED)
                printf("  -> by ranges, as the writer directs");
        else if (set && set->destination)
                printf("  -> %s", printable(set->destination));
        else if (group->to && strcmp(group->to, group->path) != 0)
                printf("  -> %s%s", printable(group->to), group->entries > 1 ? " ..." : "");
}

static void print_groups(const struct telling *t) {
        for (size_t i = 0; i < t->count; i++) {
                const struct group *group = &t->groups[i];

                printf("  %-8s%-6s", when_word(group->fate), group->rule);
                print_what(t, group);
                print_where(t, group);
                printf(": %s, %s, image %zu of %zu (%s)\n", format_entries(group->entries),
                       format_bytes(group->bytes), group->image, t->chain->count,
                       t->chain->links[group->image - 1].set->folder);
        }
}

static void telling_done(struct telling *t) {
        for (size_t i = 0; i < t->count; i++) {
                free(t->groups[i].path);
                free(t->groups[i].to);
        }
        free(t->groups);
        free(t->heads);
}

/* ---- all files of a component ---- */

static bool is_wanted(const struct telling *t, const struct entry *entry) {
        const char *path = entry->path;
        const struct restore_order *order = t->from->order;
        bool asked = order->path_count == 0;

        for (size_t i = 0; i < order->path_count && !asked; i++)
                asked = path_is_below(path, order->paths[i]);
        return asked && (t->chosen->whole || restore_image_wants(t->chosen, path)) &&
               !restore_listed_has(t->from->listed, entry);
}

static int tell_entry(struct telling *t, const struct entry *entry) {
        _cleanup_free_ char *owned = NULL;
        struct restore_destination to;
        int r;

        if (!is_wanted(t, entry))
                return EXIT_OK;
        r = t->plan ? restore_plan_destination(t->plan, entry->path, entry->type, &to)
                    : plain_destination(t, entry->path, &owned, &to);
        if (r < 0)
                return EXIT_MEMORY;
        return arg_json ? print_file(t, entry, &to) : add_to_group(t, entry, &to);
}

static int tell_files(struct telling *t) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct entry *entry;
        struct view *view = NULL;
        int result = EXIT_OK;
        int r = view_open(t->from->store, t->chain, NULL, &view, &error);

        while (r >= 0 && result == EXIT_OK && (r = view_next(view, &entry, &error)) > 0)
                result = tell_entry(t, entry);
        view_close(view);
        if (r < 0)
                result = report_error(&error, "%s", t->component);
        if (result == EXIT_OK && !arg_json)
                print_groups(t);
        telling_done(t);
        return result;
}

/* ---- what is said of a component as a whole ---- */

static int print_course_json(const struct telling *t, const struct restore_verdict *verdict,
                             bool told) {
        struct json json = { 0 };

        json_string(&json, "record", "plan");
        json_string(&json, "component", t->component);
        json_string(&json, "course", course_word(verdict->course));
        json_bool(&json, "new_targets", verdict->to_new_targets);
        json_string(&json, "rule", verdict->rule);
        json_string(&json, "message", verdict->words);
        json_bool(&json, "writer_error", verdict->writer_error);
        json_bool(&json, "writer_takes_part", told);
        json_string(&json, "service", verdict->service);
        json_bool(&json, "reboot", verdict->announces_reboot || verdict->course == COURSE_AT_BOOT);
        json_number(&json, "images", (int64_t)t->chain->count);
        return json_print(&json);
}

static int print_course(const struct telling *t, const struct restore_verdict *verdict, bool told) {
        static const char *const words[] = {
                [COURSE_NOTHING] = "nothing of it is restored",
                [COURSE_ORIGINAL] = "to where it came from",
                [COURSE_MAPPED] = "to its alternate location",
                [COURSE_AT_BOOT] = "put in place at the next boot",
        };

        if (arg_json)
                return print_course_json(t, verdict, told);
        if (verdict->to_new_targets && verdict->course != COURSE_NOTHING)
                printf("%s: to new places (R-95)\n", printable(t->component));
        else
                printf("%s: %s (%s)%s%s\n", printable(t->component), words[verdict->course],
                       verdict->rule, verdict->words ? ": " : "",
                       verdict->words ? printable(verdict->words) : "");
        if (verdict->warning)
                printf("  %s\n", printable(verdict->warning));
        if (verdict->service)
                printf("  service '%s' is %s\n", printable(verdict->service),
                       verdict->restarts ? "stopped and started again when all is done"
                                         : "stopped before, and started again after");
        if (!told)
                printf("  its writer does not take part\n");
        if (verdict->announces_reboot)
                printf("  its writer asks for a reboot after any restore (R-155)\n");
        return EXIT_OK;
}

/* ---- components ---- */

static bool wants_entry(void *userdata, const struct entry *entry) {
        return is_wanted(userdata, entry);
}

static int plan_component(struct restore_foresight *foresight, struct telling *t) {
        const struct restore_request request = {
                .existing = t->from->order->keep_existing ? RESTORE_KEEP : RESTORE_REPLACE,
                .wanted = wants_entry,
                .userdata = t,
        };
        _cleanup_(restore_foreseen_done) struct restore_foreseen foreseen = { 0 };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct restore_verdict *verdict;
        int r, result;

        r = restore_foresee(foresight, &t->chosen->place, &request, &foreseen, &error);
        progress("%s", "");
        if (r < 0) {
                result = report_error(&error, "'%s' would not be restored", t->component);
                return result == EXIT_USAGE ? EXIT_RUNTIME : result;
        }
        t->chain = &foreseen.chain;
        t->plan = foreseen.plan;
        verdict = restore_plan_verdict(foreseen.plan);
        result = print_course(t, verdict, foreseen.told);
        r = result == EXIT_OK ? tell_files(t) : result;
        return r == EXIT_OK && verdict->course == COURSE_NOTHING ? EXIT_RUNTIME : r;
}

static int plan_plain(struct telling *t) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        int r = chain_of(t->from->sets, &t->chosen->place, &chain, &error);

        if (r < 0)
                return report_error(&error, "%s", t->component);
        t->chain = &chain;
        if (!arg_json)
                printf("%s: %s\n", *t->component ? printable(t->component) : "plain files",
                       t->from->order->into ? "below another folder, no writer hears of it"
                                            : "no writer hears of it");
        r = tell_files(t);
        chain_done(&chain);
        return r;
}

static int on_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        progress("%" PRIu64 " entries looked at  %s", entries, printable(path));
        return is_interrupted() ? -EINTR : 0;
}

static void on_note(void *userdata, const char *words) {
        print_note(words);
}

int restore_show_plan(const struct source_set *from) {
        _cleanup_(restore_settings_done) struct restore_settings settings = { 0 };
        const struct engine_watch watch = { NULL, on_progress, NULL };
        const struct restore_foresight_options options = {
                .store = from->store,
                .list = from->sets,
                .config_dir = arg_config,
                .settings = &settings,
                .wishes = &from->order->wishes,
                .watch = &watch,
                .note = on_note,
        };
        _cleanup_(restore_foresight_freep) struct restore_foresight *foresight = NULL;
        int result = restore_settings_load(&settings);

        if (result != EXIT_OK)
                return result;
        if (restore_foresight_new(&options, &foresight) < 0)
                return EXIT_MEMORY;
        for (size_t i = 0; i < from->choice->count && !is_interrupted(); i++) {
                const struct chosen_image *chosen = &from->choice->images[i];
                struct telling t = {
                        .from = from,
                        .chosen = chosen,
                        .component = component_name(&set_place_component(&chosen->place)->key),
                };
                int r = chosen->place.component > 0 && !from->order->into
                                ? plan_component(foresight, &t)
                                : plan_plain(&t);

                if (r != EXIT_OK)
                        result = r;
        }
        if (!arg_quiet && !from->order->into)
                print_note("nothing was touched, and no writer was told: those that send their "
                           "files elsewhere say so only when they are restored");
        return result;
}
