/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.h - a hash table of lent pointers. The key is whatever the caller's match function compares;
 * the hash is computed byte by byte, so that the hashes of all prefixes of a path cost one pass,
 * and starts from random numbers, so that a hostile document cannot aim at it.
 */
#ifndef DOCUMENTS_MAP_H
#define DOCUMENTS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
        uint64_t hash;
        const void *value;
};

struct map {
        struct map_slot *slots;
        size_t count, capacity; /* a power of two, or 0 */
        uint64_t seed, multiplier;
};

typedef bool (*map_match_t)(const void *value, const void *wanted);

int map_init(struct map *map); /* 0 or negative errno */
void map_done(struct map *map);

static inline uint64_t map_hash_start(const struct map *map) {
        return map->seed;
}

static inline uint64_t map_hash(const struct map *map, uint64_t hash, const void *data,
                                size_t size) {
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i++)
                hash = (hash ^ p[i]) * map->multiplier;
        return hash;
}

static inline uint64_t map_hash_end(uint64_t hash) {
        hash ^= hash >> 32;
        hash *= UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

/* map_find() - the value that matches, or NULL */
const void *map_find(const struct map *map, uint64_t hash, map_match_t match, const void *wanted);

/* map_add() - 0 or -ENOMEM; the caller has looked that it is not there */
int map_add(struct map *map, uint64_t hash, const void *value);

#endif
