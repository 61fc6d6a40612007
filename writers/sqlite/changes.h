/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes.h - the byte ranges of a file that differ from an older one, as a partial file wants
 * them (I-120, I-122). Found in ascending order; knows nothing of databases.
 */
#ifndef WRITERS_SQLITE_CHANGES_H
#define WRITERS_SQLITE_CHANGES_H

#include <stddef.h>
#include <stdint.h>

struct change {
        uint64_t offset, length;
};

/* What lies nearer than @gap to the last range is joined to it. The gap is zero until there are
 * too many ranges to keep; then it grows: more is copied than need be, never less. */
struct changes {
        struct change *items;
        size_t count;
        size_t max; /* 0: about a million */
        uint64_t gap;
};

/* changes_add() - @offset is not below the end of the range before; 0 or -ENOMEM */
int changes_add(struct changes *changes, uint64_t offset, uint64_t length);
uint64_t changes_bytes(const struct changes *changes);
void changes_done(struct changes *changes);

/* changes_text() - "offset:length,...", "0:0" for nothing (I-121); NULL when out of memory */
char *changes_text(const struct changes *changes);

/* changes_write() - the same as a ranges file; 0 or negative errno */
int changes_write(const struct changes *changes, int fd);

#endif
