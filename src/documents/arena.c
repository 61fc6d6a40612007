/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.c - chunks from malloc, never given back one by one.
 *
 * A value that is replaced stays until the document goes: documents are edited a few hundred
 * times, not for ever, and in exchange every lent string lives as long as its document.
 */
#include "documents/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK (size_t)4096
#define LARGEST_CHUNK ((size_t)1 << 20)
#define INTERN_MAX 255 /* longer ones are rarely the same */

struct arena_chunk {
        struct arena_chunk *next;
        max_align_t data[];
};

struct wanted_string {
        const char *text;
        size_t length;
};

int arena_init(struct arena *arena) {
        *arena = (struct arena){ .next_size = FIRST_CHUNK };
        return map_init(&arena->strings);
}

void arena_done(struct arena *arena) {
        struct arena_chunk *chunk = arena->chunks;

        while (chunk) {
                struct arena_chunk *next = chunk->next;

                free(chunk);
                chunk = next;
        }
        map_done(&arena->strings);
        *arena = (struct arena){ 0 };
}

/* arena_grow() - room for @size bytes; a large string gets a chunk of its own size */
static int arena_grow(struct arena *arena, size_t size) {
        size_t want = size > arena->next_size ? size : arena->next_size;
        struct arena_chunk *chunk;

        if (size > SIZE_MAX / 2)
                return -ENOMEM;
        chunk = malloc(sizeof(*chunk) + want);
        if (!chunk)
                return -ENOMEM;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        arena->at = (char *)chunk->data;
        arena->end = arena->at + want;
        if (arena->next_size < LARGEST_CHUNK)
                arena->next_size *= 2;
        return 0;
}

static void *arena_take(struct arena *arena, size_t size, size_t align) {
        size_t pad = (size_t)(-(uintptr_t)arena->at & (align - 1));
        char *p;

        if (!arena->at || (size_t)(arena->end - arena->at) < pad + size) {
                if (arena_grow(arena, size) < 0)
                        return NULL;
                pad = 0;
        }
        p = arena->at + pad;
        arena->at = p + size;
        return p;
}

void *arena_alloc(struct arena *arena, size_t size) {
        void *p = arena_take(arena, size, sizeof(void *));

        if (p)
                memset(p, 0, size);
        return p;
}

static bool string_matches(const void *value, const void *wanted) {
        const struct wanted_string *w = wanted;
        const char *text = value;

        return strncmp(text, w->text, w->length) == 0 && text[w->length] == '\0';
}

static const char *arena_copy(struct arena *arena, const char *text, size_t length) {
        char *copy = arena_take(arena, length + 1, 1);

        if (!copy)
                return NULL;
        memcpy(copy, text, length);
        copy[length] = '\0';
        return copy;
}

const char *arena_string(struct arena *arena, const char *text, size_t length) {
        struct wanted_string wanted = { text, length };
        const char *copy;
        uint64_t hash;

        if (length > INTERN_MAX)
                return arena_copy(arena, text, length);
        hash = map_hash_end(
                map_hash(&arena->strings, map_hash_start(&arena->strings), text, length));
        copy = map_find(&arena->strings, hash, string_matches, &wanted);
        if (copy)
                return copy;
        copy = arena_copy(arena, text, length);
        if (!copy || map_add(&arena->strings, hash, copy) < 0)
                return NULL;
        return copy;
}
