/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * components.c - components as people name them: their paths, and lists of them that a command was
 * given with --component.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/engine.h"
#include "base/array.h"
#include "list.h"
#include "vssctl.h"

const char *component_name(const struct component_key *key) {
        static char *text;

        free(text);
        if (asprintf(&text, "%s%s%s", key->logical_path, *key->logical_path ? "\\" : "",
                     key->name) < 0)
                text = NULL;
        return text ? text : key->name;
}

bool component_is_named(const char *given, const struct component_key *key) {
        const char *path = component_name(key), *colon = strchr(given, ':');
        struct vss_id id;

        if (strcmp(given, path) == 0)
                return true;
        if (!colon || strcmp(colon + 1, path) != 0)
                return false;
        return vss_id_parse(strndupa(given, (size_t)(colon - given)), &id) < 0 ||
               vss_id_equal(&id, &key->writer_id);
}

int component_list_add(struct component_list *list, const char *given) {
        if (list->count == ELEMENTSOF(list->items))
                return usage_error("at most %zu components at a time", ELEMENTSOF(list->items));
        list->items[list->count++] = given;
        return EXIT_OK;
}

bool component_list_has(const struct component_list *list, const struct component_key *key) {
        for (size_t i = 0; i < list->count; i++)
                if (*key->name && component_is_named(list->items[i], key))
                        return true;
        return list->count == 0;
}
