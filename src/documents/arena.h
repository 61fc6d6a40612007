/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.h - memory that lives and dies with one document: strings kept once, nodes packed.
 */
#ifndef DOCUMENTS_ARENA_H
#define DOCUMENTS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "documents/map.h"

struct arena_chunk;

struct arena {
        struct arena_chunk *chunks;
        char *at, *end; /* free room of the newest chunk */
        size_t next_size;
        struct map strings; /* interned ones */
};

int arena_init(struct arena *arena); /* 0 or -ENOMEM */
void arena_done(struct arena *arena);

/* arena_alloc() - zeroed, aligned for pointers; NULL when out of memory */
void *arena_alloc(struct arena *arena, size_t size);

/* arena_string() - a copy with a NUL; short ones are kept once and shared. NULL: out of memory */
const char *arena_string(struct arena *arena, const char *text, size_t length);

#endif
