/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * left.c - what a provider leaves behind. Where its copies lie is its own affair: all names on the
 * volumes and in the places that were told, and all that a command lists, must be the same after
 * as before.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "lines.h"

static struct lines before;

void lines_add(struct lines *lines, char *take_line) {
        MUST(take_line && ARRAY_RESERVE(&lines->items, lines->count, &lines->capacity) == 0,
             "out of memory");
        lines->items[lines->count++] = take_line;
}

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort(struct lines *lines) {
        if (lines->count > 1)
                qsort(lines->items, lines->count, sizeof(*lines->items), compare);
}

void lines_done(struct lines *lines) {
        for (size_t i = 0; i < lines->count; i++)
                free(lines->items[i]);
        free(lines->items);
        *lines = (struct lines){ 0 };
}

static bool same_name(const char *a, const char *b) {
        const char *end = strstr(a, ": ");

        return end && strncmp(a, b, (size_t)(end - a) + 2) == 0;
}

void lines_differ(const struct lines *a, const struct lines *b, const char **ret_a,
                  const char **ret_b) {
        size_t i = 0, k = 0;

        *ret_a = *ret_b = NULL;
        while (i < a->count && k < b->count && strcmp(a->items[i], b->items[k]) == 0)
                i++, k++;
        if (i < a->count)
                *ret_a = a->items[i];
        if (k < b->count)
                *ret_b = b->items[k];
        if (!*ret_a || !*ret_b || same_name(*ret_a, *ret_b))
                return;
        if (strcmp(*ret_a, *ret_b) < 0)
                *ret_b = NULL;
        else
                *ret_a = NULL;
}

static void add_names(struct lines *lines, const char *root) {
        char *const roots[] = { (char *)(uintptr_t)root, NULL };
        FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
        FTSENT *entry;

        while (fts && (entry = fts_read(fts))) {
                if (entry->fts_info == FTS_DP)
                        continue;
                if (entry->fts_level == 1 && strcmp(entry->fts_name, TREE) == 0)
                        (void)fts_set(fts, entry, FTS_SKIP);
                else
                        lines_add(lines, strdup(entry->fts_path));
        }
        if (fts)
                fts_close(fts);
}

static void add_listed(struct lines *lines) {
        char *line = NULL;
        size_t size = 0;
        FILE *from;

        if (!suite.list_command)
                return;
        from = popen(suite.list_command, "re");
        while (from && getline(&line, &size, from) >= 0)
                lines_add(lines, strndup(line, strcspn(line, "\n")));
        free(line);
        MUST(from && pclose(from) == 0, "the command of --list fails: %s", suite.list_command);
}

static struct lines look(void) {
        struct lines lines = { 0 };

        for (size_t i = 0; i < suite.volume_count; i++)
                add_names(&lines, suite.volumes[i].mount_point);
        if (suite.full)
                add_names(&lines, suite.full->mount_point);
        for (size_t i = 0; i < suite.place_count; i++)
                add_names(&lines, suite.places[i]);
        add_listed(&lines);
        lines_sort(&lines);
        return lines;
}

void left_begin(void) {
        lines_done(&before);
        before = look();
}

/* extra() - something that was not there before; what is gone since may be gone */
static char *extra(const struct lines *now) {
        size_t i = 0;

        for (size_t k = 0; k < now->count; k++) {
                while (i < before.count && strcmp(before.items[i], now->items[k]) < 0)
                        i++;
                if (i >= before.count || strcmp(before.items[i], now->items[k]) != 0)
                        return strdup(now->items[k]);
        }
        return NULL;
}

void left_check(const char *after) {
        for (unsigned tries = 0;; tries++) {
                struct lines now = look();
                char *left = extra(&now);

                lines_done(&now);
                if (!left)
                        return;
                MUST(tries < 50, "%s, '%s' is left behind", after, left);
                free(left);
                usleep(100000);
        }
}
