/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BASE_ERROR_TABLE_H
#define BASE_ERROR_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct error_row {
        int code;
        const char *name;
        bool retryable;
        const char *text;
};

extern const struct error_row error_table[];
extern const size_t error_table_size;

#endif
