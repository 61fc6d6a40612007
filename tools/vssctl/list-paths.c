/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list-paths.c - vssctl list paths: the names in a backup as a restore would bring them back, each
 * component with its chain put together. A stream: nothing is kept but the entry at hand.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backup/images.h"
#include "backup/record.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)
DEFINE_CLEANUP(struct view *, view_close)

struct path_list {
        const struct path_listing *what;
        struct store *store;
        const struct set_list *sets;
        const struct set_info *set;
        const struct component_key *key; /* of the component being listed */
        bool headed; /* its name was printed */
        uint64_t entries; /* listed so far, of all */
        const char *gone; /* the next name that is gone; NULL: no more */
        bool *found; /* per path asked for */
};

/* ---- one entry ---- */

static void put_time(char text[64], int64_t seconds, uint32_t nanoseconds, bool local) {
        time_t time = (time_t)seconds;
        struct tm tm;
        size_t size;

        if (!(local ? localtime_r(&time, &tm) : gmtime_r(&time, &tm))) {
                snprintf(text, 64, "%" PRId64, seconds); /* beyond what years hold */
                return;
        }
        if (local) {
                strftime(text, 64, "%Y-%m-%d %H:%M:%S", &tm);
                return;
        }
        size = strftime(text, 64, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + size, 64 - size, ".%09uZ", nanoseconds);
}

/* "-rwxr-xr-x", as ls(1) has it */
static void put_mode(char text[11], const struct entry *entry) {
        static const char bits[] = "rwxrwxrwx";

        text[0] = entry->type == ENTRY_FILE ? '-' : (char)entry->type;
        for (int i = 0; i < 9; i++)
                text[i + 1] = entry->mode & (0400U >> i) ? bits[i] : '-';
        if (entry->mode & 04000)
                text[3] = text[3] == 'x' ? 's' : 'S';
        if (entry->mode & 02000)
                text[6] = text[6] == 'x' ? 's' : 'S';
        if (entry->mode & 01000)
                text[9] = text[9] == 'x' ? 't' : 'T';
        text[10] = '\0';
}

static bool is_device(const struct entry *entry) {
        return entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;
}

static void print_entry(struct path_list *list, const struct entry *entry, bool gone) {
        char mode[11], time[64], size[48];

        if (!list->headed)
                printf("%s:\n",
                       *list->key->name ? printable(component_name(list->key)) : "plain files");
        list->headed = true;
        put_mode(mode, entry);
        put_time(time, entry->mtime, entry->mtime_ns, true);
        if (is_device(entry))
                snprintf(size, sizeof(size), "%u:%u", entry->dev_major, entry->dev_minor);
        else
                snprintf(size, sizeof(size), "%" PRIu64, entry->size);
        printf("  %s %5u %5u %12s %s %s%s%s%s\n", mode, entry->uid, entry->gid, size, time,
               printable(entry->path), entry->target ? " -> " : "",
               entry->target ? printable(entry->target) : "",
               gone ? "  (deleted since; a restore brings it back)" : "");
}

static const char *type_word(const struct entry *entry) {
        switch (entry->type) {
        case ENTRY_FILE:
                return "file";
        case ENTRY_DIRECTORY:
                return "directory";
        case ENTRY_SYMLINK:
                return "symlink";
        case ENTRY_FIFO:
                return "fifo";
        case ENTRY_SOCKET:
                return "socket";
        case ENTRY_CHAR:
                return "character device";
        case ENTRY_BLOCK:
                return "block device";
        }
        return "unknown";
}

static int json_entry(struct path_list *list, const struct entry *entry, bool gone) {
        char mode[16], device[32], time[64];
        struct json json = { 0 };

        json_string(&json, "record", "path");
        json_string(&json, "component", component_name(list->key));
        json_string(&json, "path", entry->path);
        json_string(&json, "type", type_word(entry));
        snprintf(mode, sizeof(mode), "%04o", entry->mode);
        json_string(&json, "mode", mode);
        json_number(&json, "uid", entry->uid);
        json_number(&json, "gid", entry->gid);
        json_number(&json, "size", (int64_t)entry->size);
        put_time(time, entry->mtime, entry->mtime_ns, false);
        json_string(&json, "mtime", time);
        if (entry->type != ENTRY_DIRECTORY)
                json_number(&json, "links", (int64_t)entry->links);
        if (entry->target)
                json_string(&json, "target", entry->target);
        if (is_device(entry)) {
                snprintf(device, sizeof(device), "%u:%u", entry->dev_major, entry->dev_minor);
                json_string(&json, "device", device);
        }
        json_string(&json, "stored_in", entry->image->set->folder);
        json_bool(&json, "ranges", entry->partial);
        json_bool(&json, "gone", gone);
        return json_print(&json);
}

/* ---- one component ---- */

/* is the entry one of those that the last image knows to be deleted? (I-189) Both streams are in
 * order, so the one follows the other */
static int is_gone(struct path_list *list, struct view *view, const char *path, bool *ret,
                   struct vss_error *reterr) {
        while (list->gone && path_compare(list->gone, path) < 0) {
                int r = view_next_gone(view, &list->gone, reterr);

                if (r < 0)
                        return r;
                if (r == 0)
                        list->gone = NULL;
        }
        *ret = list->gone && strcmp(list->gone, path) == 0;
        return 0;
}

static int list_view(struct path_list *list, struct view *view, bool with_gone,
                     struct vss_error *reterr) {
        const struct entry *entry;
        bool gone = false;
        int r;

        list->gone = NULL;
        r = with_gone ? view_next_gone(view, &list->gone, reterr) : 0;
        while (r >= 0 && (r = view_next(view, &entry, reterr)) > 0) {
                if (with_gone)
                        r = is_gone(list, view, entry->path, &gone, reterr);
                if (r < 0)
                        break;
                list->entries++;
                if (!arg_json)
                        print_entry(list, entry, gone);
                else if (json_entry(list, entry, gone) != EXIT_OK)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                if (ferror(stdout))
                        return 0; /* main() says so */
        }
        return r < 0 ? r : 0;
}

static int list_chain(struct path_list *list, const struct chain *chain, struct vss_error *reterr) {
        const bool with_gone = *list->key->name && chain->count > 1;
        const size_t times = list->what->path_count ? list->what->path_count : 1;

        for (size_t i = 0; i < times; i++) {
                _cleanup_(view_closep) struct view *view = NULL;
                const char *below = list->what->path_count ? list->what->paths[i] : NULL;
                uint64_t before = list->entries;
                int r = view_open(list->store, chain, below, &view, reterr);

                if (r >= 0)
                        r = list_view(list, view, with_gone, reterr);
                if (r < 0)
                        return r;
                if (below && list->entries > before)
                        list->found[i] = true;
        }
        return 0;
}

static int list_component(struct path_list *list, const struct set_place *place) {
        const struct set_component *component = set_place_component(place);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        int r;

        list->key = &component->key;
        list->headed = false;
        if (!component->good)
                fprintf(stderr,
                        "vssctl: %s is incomplete in this backup (%s); what was saved is "
                        "listed\n",
                        *list->key->name ? printable(component_name(list->key)) : "plain files",
                        component->words ? printable(component->words) : "no reason recorded");
        r = chain_of(list->sets, place, &chain, &error);
        if (r >= 0)
                r = list_chain(list, &chain, &error);
        chain_done(&chain);
        if (r >= 0)
                return EXIT_OK;
        fflush(stdout);
        (void)report_error(&error, "%s",
                           *list->key->name ? component_name(list->key) : "plain files");
        return r == -ENOMEM ? EXIT_MEMORY : EXIT_RUNTIME;
}

static int list_set(struct path_list *list) {
        const struct set_info *set = list->set;
        bool any = false;
        int result = EXIT_OK;

        for (uint32_t o = 1; o <= set->operations_count; o++)
                for (uint32_t k = 0; k < set->operations[o - 1].components_count; k++) {
                        const struct set_place place = { set, o, k };
                        int r;

                        if (!set_component_is_there(&place) ||
                            !component_list_has(list->what->components,
                                                &set_place_component(&place)->key))
                                continue;
                        any = true;
                        r = list_component(list, &place);
                        if (r != EXIT_OK)
                                result = r;
                }
        if (!any && list->what->components->count)
                return usage_error("there is no such component in this backup; 'vssctl list "
                                   "backups' shows them");
        for (size_t i = 0; result == EXIT_OK && i < list->what->path_count; i++)
                if (!list->found[i])
                        result = usage_error("'%s' is not in this backup",
                                             printable(list->what->paths[i]));
        return result;
}

int list_paths(const struct path_listing *what) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct path_list list = { .what = what };
        struct set_list sets = { 0 };
        int r;

        for (size_t i = 0; i < what->path_count; i++)
                if (!path_is_clean(what->paths[i]))
                        return usage_error("'%s': name paths as they were, absolute and without "
                                           "'.' or '..'",
                                           printable(what->paths[i]));
        r = store_open(what->store, 0, &store, &error);
        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r >= 0)
                r = set_find(&sets, what->set, &list.set, &error);
        if (r < 0)
                r = report_error(&error, "cannot find the backup");
        else {
                list.store = store;
                list.sets = &sets;
                list.found = calloc(what->path_count + 1, sizeof(*list.found));
                r = list.found ? list_set(&list) : EXIT_MEMORY;
        }
        free(list.found);
        set_list_done(&sets);
        return r;
}
