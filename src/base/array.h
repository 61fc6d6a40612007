/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * array.h - growing arrays: a pointer, a count, a capacity, doubled when full.
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* array_reserve() - room for one more element; 0 or -ENOMEM. Use through ARRAY_RESERVE(). */
static inline int array_reserve(void **items, size_t count, size_t *capacity, size_t size) {
        size_t want;
        void *grown;

        if (count < *capacity)
                return 0;
        want = *capacity ? *capacity * 2 : 8;
        if (want < *capacity || want > SIZE_MAX / size)
                return -ENOMEM;
        grown = realloc(*items, want * size);
        if (!grown)
                return -ENOMEM;
        *items = grown;
        *capacity = want;
        return 0;
}

/* ARRAY_RESERVE(&a->items, a->count, &a->capacity) */
#define ARRAY_RESERVE(items, count, capacity)                                                      \
        array_reserve((void **)(items), (count), (capacity), sizeof(**(items)))

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))

#endif
