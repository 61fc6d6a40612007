/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "backup/request.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

static void free_list(char **list) {
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
}

void request_done(struct request *request) {
        free_list(request->paths);
        free_list(request->components);
        free_list(request->excludes);
        memset(request, 0, sizeof(*request));
}

static int append(char ***list, size_t *count, size_t *capacity, char *take_item) {
        if (!take_item || ARRAY_RESERVE(list, *count + 1, capacity) < 0) {
                free(take_item);
                return -ENOMEM;
        }
        (*list)[(*count)++] = take_item;
        (*list)[*count] = NULL;
        return 0;
}

char **request_copy_list(const char *const *list) {
        char **copy = calloc(1, sizeof(*copy));
        size_t count = 0, capacity = 1;

        for (; copy && list && *list; list++)
                if (append(&copy, &count, &capacity, strdup(*list)) < 0) {
                        free_list(copy);
                        return NULL;
                }
        return copy;
}

bool request_same_list(char *const *a, char *const *b) {
        while (*a && *b && strcmp(*a, *b) == 0) {
                a++;
                b++;
        }
        return !*a && !*b;
}

static void put_list(FILE *f, const char *word, char *const *list) {
        for (; list && *list; list++) {
                fprintf(f, "%s ", word);
                for (const unsigned char *s = (const unsigned char *)*list; *s; s++)
                        fprintf(f, *s <= 0x20 || *s >= 0x7f || *s == '%' ? "%%%02x" : "%c", *s);
                fputc('\n', f);
        }
}

char *request_format(const struct request *request) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        put_list(f, "path", request->paths);
        put_list(f, "component", request->components);
        put_list(f, "exclude", request->excludes);
        if (request->all_components)
                fputs("all-components\n", f);
        if (request->system_state)
                fputs("system-state\n", f);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static char *decode(const char *value) {
        char *decoded = malloc(strlen(value) + 1), *p = decoded;
        unsigned byte;

        while (decoded && *value) {
                if (*value == '%' && sscanf(value, "%%%2x", &byte) == 1 && byte) {
                        *p++ = (char)byte;
                        value += 3;
                } else
                        *p++ = *value++;
        }
        if (decoded)
                *p = '\0';
        return decoded;
}

int request_parse(const char *text, struct request *ret, struct vss_error *reterr) {
        struct request q = { request_copy_list(NULL), request_copy_list(NULL),
                             request_copy_list(NULL), false, false };
        struct {
                const char *word;
                char ***list;
                size_t count, capacity;
        } lists[] = { { "path ", &q.paths, 0, 1 },
                      { "component ", &q.components, 0, 1 },
                      { "exclude ", &q.excludes, 0, 1 } };
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;
        int r = copy && q.paths && q.components && q.excludes ? 0 : -ENOMEM;

        while (r >= 0 && (line = strsep(&rest, "\n"))) {
                q.all_components |= strcmp(line, "all-components") == 0;
                q.system_state |= strcmp(line, "system-state") == 0;
                for (size_t i = 0; r >= 0 && i < ELEMENTSOF(lists); i++)
                        if (strncmp(line, lists[i].word, strlen(lists[i].word)) == 0)
                                r = append(lists[i].list, &lists[i].count, &lists[i].capacity,
                                           decode(line + strlen(lists[i].word)));
        }
        if (r < 0) {
                request_done(&q);
                return vss_fail(reterr, r, "out of memory");
        }
        *ret = q;
        return 0;
}
