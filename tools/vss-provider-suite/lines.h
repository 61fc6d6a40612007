/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lines.h - what is there, a line for each thing, sorted, to be held against what was.
 */
#ifndef VSS_PROVIDER_SUITE_LINES_H
#define VSS_PROVIDER_SUITE_LINES_H

#include <stddef.h>

struct lines {
        char **items;
        size_t count, capacity;
};

void lines_add(struct lines *lines, char *take_line);
void lines_sort(struct lines *lines);
void lines_done(struct lines *lines);

/* lines_differ() - the first line that only one of both, sorted, has; lent, or NULL. When both
 * begin with the same name (up to ": "), both are given */
void lines_differ(const struct lines *a, const struct lines *b, const char **ret_a,
                  const char **ret_b);

#endif
