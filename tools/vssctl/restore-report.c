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

/* ---- at the end ---- */

/* its writer is not content, though all of it is there */
static bool is_doubted(const struct restore_images_result *result) {
        return !result->good && result->status == VSS_RS_ALL;
}

static const char *status_word(uint32_t status) {
        return status == VSS_RS_ALL ? "all" : status == VSS_RS_NONE ? "none" : "failed";
}

static const char *next_step(const struct restore_images_result *result) {
        if (is_doubted(result))
                return "do what its writer says above, then give the same command again";
        if (result->words)
                return result->status == VSS_RS_NONE
                               ? "clear the cause named above, then give the same command again"
                               : "let no program use it, clear the cause named above, then give "
                                 "the same command again";
        if (!result->good)
                return "give the same command again";
        if (result->deferred && result->reboot)
                return "reboot, which puts it in place, and its writer asks for one";
        if (result->deferred)
                return "reboot, which puts it in place";
        return result->reboot ? "reboot, its writer asks for one" : NULL;
}

/* state_of() - for people, in the words of the protocol */
static const char *state_of(const struct restore_images_result *result) {
        if (is_doubted(result))
                return "ALL of it is in place, but its writer is not content";
        if (!result->good)
                return result->status == VSS_RS_NONE
                               ? "NONE of it is restored, nothing of it is changed"
                               : "FAILED: some of it is changed, and it is no state of the backup";
        if (result->status == VSS_RS_ALL)
                return result->deferred ? "ALL of it comes at the next boot"
                                        : "ALL of it is in place";
        if (result->status == VSS_RS_NONE)
                return "NONE of its files is changed";
        return result->is_part
                       ? (result->deferred ? "the part that was asked for comes at the next boot"
                                           : "the part that was asked for is in place")
                       : "what was missing is in place, the rest is as it was";
}

static int print_component(const struct restore_images_result *result) {
        const char *next = next_step(result);
        struct json json = { 0 };

        json_string(&json, "record", "component");
        json_string(&json, "component", component_name(result->key));
        json_id(&json, "writer", &result->key->writer_id);
        json_string(&json, "status", status_word(result->status));
        json_bool(&json, "good", result->good);
        json_bool(&json, "part", result->is_part);
        json_bool(&json, "told", result->told);
        json_string(&json, "when",
                    result->deferred                ? "boot"
                    : result->status == VSS_RS_NONE ? NULL
                                                    : "now");
        json_bool(&json, "reboot", result->deferred || result->reboot);
        json_number(&json, "images", (int64_t)result->count);
        json_number(&json, "images_done", (int64_t)result->done);
        if (next)
                json_string(&json, "next", next);
        if (result->words) {
                json_code(&json, "code", result->code);
                json_string(&json, "message", result->words);
        }
        return json_print(&json);
}

int restore_say_component(const struct restore_images_result *result) {
        const char *next = next_step(result);

        progress("%s", "");
        if (arg_json)
                return print_component(result);
        if (arg_quiet)
                return EXIT_OK;
        printf("%s: %s%s%s\n", printable(component_name(result->key)), state_of(result),
               next ? "; " : "", next ? next : "");
        return EXIT_OK;
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
