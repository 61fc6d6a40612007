/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * limits.c - the defaults of SEC-31 and SEC-43.
 */
#include "documents/limits.h"

#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

const struct document_limits *document_limits_default(void) {
        static const struct document_limits root = { .size = 1024 * MIB,
                                                     .depth = 32,
                                                     .attributes = 64,
                                                     .attribute_size = 4 * MIB,
                                                     .tag_size = 9600000,
                                                     .elements = 4000000,
                                                     .components = 200000,
                                                     .file_sets = 2000000,
                                                     .parse_us = UINT64_C(30000000) };
        static const struct document_limits other = { .size = 16 * MIB,
                                                      .depth = 32,
                                                      .attributes = 64,
                                                      .attribute_size = 4 * MIB,
                                                      .tag_size = 9600000,
                                                      .elements = 4000000,
                                                      .components = 200000,
                                                      .file_sets = 2000000,
                                                      .parse_us = UINT64_C(30000000) };

        return geteuid() == 0 ? &root : &other;
}
