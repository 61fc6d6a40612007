/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sum.h - FNV-1a: against torn writes, not against malice.
 */
#ifndef BASE_SUM_H
#define BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

#define SUM_BEGIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t sum_add(uint64_t sum, const void *data, size_t size) {
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i++)
                sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
        return sum;
}

#endif
