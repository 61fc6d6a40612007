/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.c - open addressing, at most three quarters full; nothing is ever removed.
 */
#include "documents/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vss/types.h"

int map_init(struct map *map) {
        struct vss_id random;
        int r = vss_id_new(&random);

        if (r < 0)
                return r;
        *map = (struct map){ 0 };
        memcpy(&map->seed, random.bytes, sizeof(map->seed));
        memcpy(&map->multiplier, random.bytes + 8, sizeof(map->multiplier));
        map->multiplier |= 1;
        return 0;
}

void map_done(struct map *map) {
        free(map->slots);
        map->slots = NULL;
        map->count = map->capacity = 0;
}

const void *map_find(const struct map *map, uint64_t hash, map_match_t match, const void *wanted) {
        if (!map->capacity)
                return NULL;
        for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
                const struct map_slot *slot = &map->slots[i];

                if (!slot->value)
                        return NULL;
                if (slot->hash == hash && match(slot->value, wanted))
                        return slot->value;
        }
}

static void map_put(struct map_slot *slots, size_t capacity, struct map_slot item) {
        size_t i = item.hash & (capacity - 1);

        while (slots[i].value)
                i = (i + 1) & (capacity - 1);
        slots[i] = item;
}

int map_add(struct map *map, uint64_t hash, const void *value) {
        if (map->count + 1 > map->capacity / 4 * 3) {
                size_t capacity = map->capacity ? map->capacity * 2 : 16;
                struct map_slot *slots = calloc(capacity, sizeof(*slots));

                if (!slots)
                        return -ENOMEM;
                for (size_t i = 0; i < map->capacity; i++)
                        if (map->slots[i].value)
                                map_put(slots, capacity, map->slots[i]);
                free(map->slots);
                map->slots = slots;
                map->capacity = capacity;
        }
        map_put(map->slots, map->capacity, (struct map_slot){ hash, value });
        map->count++;
        return 0;
}
