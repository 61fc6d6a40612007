/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * component-index.c - a full path is the logical path, a backslash and the name; names hold no
 * backslash, so full paths are unique exactly when (logical path, name) is.
 */
#include "documents/component-index.h"

#include <errno.h>
#include <string.h>

#include "documents/text.h"

_Static_assert((int)CO_PATH == (int)CP_PATH && (int)CO_NAME == (int)CP_NAME,
               "both documents' components are indexed alike");

/* struct span - part of a string */
struct span {
        const char *text;
        size_t size;
};

/* strip() - one backslash at either end does not count (M-34) */
static struct span strip(const char *logical_path) {
        struct span span = { logical_path ? logical_path : "", 0 };

        span.size = strlen(span.text);
        if (span.size > 0 && span.text[0] == '\\') {
                span.text++;
                span.size--;
        }
        if (span.size > 0 && span.text[span.size - 1] == '\\')
                span.size--;
        return span;
}

static struct span path_of(const struct node *node) {
        return strip(node_text(node, CO_PATH));
}

static bool span_equal(struct span a, struct span b) {
        return a.size == b.size && memcmp(a.text, b.text, a.size) == 0;
}

/* is_full_path() - does @full spell the component (path, name)? */
static bool is_full_path(struct span full, struct span path, const char *name) {
        size_t name_size = strlen(name);

        if (path.size == 0)
                return span_equal(full, (struct span){ name, name_size });
        return full.size == path.size + 1 + name_size &&
               memcmp(full.text, path.text, path.size) == 0 && full.text[path.size] == '\\' &&
               memcmp(full.text + path.size + 1, name, name_size) == 0;
}

int component_index_init(struct component_index *index) {
        return map_init(&index->map);
}

void component_index_done(struct component_index *index) {
        map_done(&index->map);
}

static uint64_t hash_of(const struct map *map, struct span path, const char *name) {
        uint64_t hash = map_hash(map, map_hash_start(map), path.text, path.size);

        if (path.size > 0)
                hash = map_hash(map, hash, "\\", 1);
        return map_hash_end(map_hash(map, hash, name, strlen(name)));
}

struct wanted_component {
        struct span path;
        const char *name;
};

static bool matches_component(const void *value, const void *wanted) {
        const struct wanted_component *w = wanted;

        return strcmp(node_text(value, CO_NAME), w->name) == 0 &&
               span_equal(path_of(value), w->path);
}

static bool matches_full_path(const void *value, const void *wanted) {
        return is_full_path(*(const struct span *)wanted, path_of(value),
                            node_text(value, CO_NAME));
}

/* node_at() - the index lends what it was given; maps hold const pointers */
static struct node *node_at(const void *value) {
        union {
                const void *lent;
                struct node *node;
        } u = { value };

        return u.node;
}

struct node *component_index_find(const struct component_index *index, const char *logical_path,
                                  const char *name) {
        struct wanted_component wanted = { strip(logical_path), name };

        return node_at(map_find(&index->map, hash_of(&index->map, wanted.path, name),
                                matches_component, &wanted));
}

int component_index_add(struct component_index *index, struct node *node) {
        const char *path = node_text(node, CO_PATH), *name = node_text(node, CO_NAME);

        if (component_index_find(index, path, name))
                return VSS_E_OBJECT_ALREADY_EXISTS;
        return map_add(&index->map, hash_of(&index->map, strip(path), name), node);
}

bool component_index_ancestors(const struct component_index *index, const char *logical_path,
                               component_found_t found, void *userdata) {
        struct span path = strip(logical_path), prefix = path;
        uint64_t hash = map_hash_start(&index->map);

        for (size_t i = 0; i <= path.size && path.size > 0; i++) {
                struct node *node;

                if (i == path.size || path.text[i] == '\\') {
                        prefix.size = i;
                        node = node_at(map_find(&index->map, map_hash_end(hash), matches_full_path,
                                                &prefix));
                        if (node && !found(userdata, node))
                                return false;
                }
                if (i < path.size)
                        hash = map_hash(&index->map, hash, path.text + i, 1);
        }
        return true;
}

bool component_is_path_below(const struct node *ancestor, const char *logical_path) {
        struct span path = strip(logical_path), above = path_of(ancestor), prefix = path;
        const char *name = node_text(ancestor, CO_NAME);

        prefix.size = above.size + (above.size > 0) + strlen(name);
        if (prefix.size > path.size || (prefix.size < path.size && path.text[prefix.size] != '\\'))
                return false;
        return is_full_path(prefix, above, name);
}

bool component_is_ancestor(const struct node *ancestor, const struct node *node) {
        return component_is_path_below(ancestor, node_text(node, CO_PATH));
}

bool component_same_path(const char *a, const char *b) {
        return span_equal(strip(a), strip(b));
}

void component_full_path(struct text *text, const struct node *node) {
        struct span path = path_of(node);

        text_add(text, path.text, path.size);
        if (path.size > 0)
                text_add(text, "\\", 1);
        text_add_string(text, node_text(node, CO_NAME));
}
