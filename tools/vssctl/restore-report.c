/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-report.c - what 'vssctl restore' says, to people and to programs.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "restore.h"
#include "vssctl.h"

void restore_say_failed_then(const struct set_component *component) {
        fprintf(stderr,
                "vssctl: %s%s is incomplete in this backup (%s); what was saved is restored\n",
                *component->key.name ? "component " : "the set of plain files",
                *component->key.name ? printable(component_name(&component->key)) : "",
                component->words ? printable(component->words) : "no reason recorded");
}

void restore_say_file(const char *component, const struct entry *entry, const char *placed,
                      enum restore_outcome outcome, const char *words) {
        struct json json = { 0 };

        if (outcome == RESTORE_KEPT && entry->type == ENTRY_SOCKET && !arg_json) {
                fprintf(stderr, "vssctl: left out, its program makes this socket: %s\n",
                        printable(placed));
                return;
        }
        if (!arg_json) {
                if (words)
                        print_trouble(component, placed, NULL, 0, words);
                return;
        }
        json_string(&json, "record", "file");
        json_string(&json, "component", component);
        json_string(&json, "path", entry->path);
        json_string(&json, "placed", placed);
        json_string(&json, "outcome",
                    outcome == RESTORE_KEPT       ? "kept"
                    : outcome == RESTORE_REPLACED ? "replaced"
                                                  : "placed");
        if (words)
                json_string(&json, "message", words);
        (void)json_print(&json);
}

void restore_say_left(const struct component_key *key, size_t done, size_t count) {
        const char *name = printable(component_name(key));

        if (done == 0)
                fprintf(stderr, "vssctl: %s%snot begun\n", name, *name ? ": " : "plain files: ");
        else
                fprintf(stderr,
                        "vssctl: %s: stops after image %zu of %zu, which is no state of the "
                        "backup; "
                        "the same command begins with the first again\n",
                        name, done, count);
}

int restore_print_summary(const struct set_info *set, const struct restore_summary *s) {
        struct json json = { 0 };

        progress("%s", "");
        if (arg_quiet && !arg_json && !s->failed)
                return EXIT_OK;
        if (!arg_json) {
                printf("restored %s, %s, from %s", format_entries(s->placed),
                       format_bytes(s->bytes), set->folder);
                if (s->replaced)
                        printf("; %" PRIu64 " replaced what was there", s->replaced);
                if (s->kept)
                        printf("; %" PRIu64 " kept as they were", s->kept);
                if (s->failed)
                        printf("; %" PRIu64 " FAILED", s->failed);
                putchar('\n');
                return EXIT_OK;
        }
        json_string(&json, "record", "restore");
        json_string(&json, "folder", set->folder);
        json_number(&json, "placed", (int64_t)s->placed);
        json_number(&json, "replaced", (int64_t)s->replaced);
        json_number(&json, "kept", (int64_t)s->kept);
        json_number(&json, "failed", (int64_t)s->failed);
        json_number(&json, "bytes", (int64_t)s->bytes);
        json_bool(&json, "interrupted", restore_was_cut_short());
        return json_print(&json);
}
