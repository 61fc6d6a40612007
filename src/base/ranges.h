/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ranges.h - byte ranges of a file, as text and as a ranges file (I-120..I-123).
 */
#ifndef BASE_RANGES_H
#define BASE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

struct range {
        uint64_t offset;
        uint64_t length;
};

/* struct ranges - owned array, in the order given until ranges_normalize(); all zero is empty */
struct ranges {
        struct range *items;
        size_t count;
        size_t capacity;
};

void ranges_done(struct ranges *ranges);

/* ranges_add() - 0, -ENOMEM, E_INVALIDARG when the end lies beyond 2^63-1 */
int ranges_add(struct ranges *ranges, uint64_t offset, uint64_t length);

/*
 * ranges_parse() - read a ranges string
 * @ret:      the list, appended to what is there; left alone when @text names a file
 * @ret_file: set when @text names a ranges file: its absolute path, a pointer into @text; else
 *            NULL
 *
 * Return: 0, E_INVALIDARG with words (also for NULL and ""), -ENOMEM
 */
int ranges_parse(const char *text, struct ranges *ret, const char **ret_file,
                 struct vss_error *reterr);

/* ranges_parse_file() - the content of a ranges file, appended; E_INVALIDARG when the size does
 * not fit the count (I-122) */
int ranges_parse_file(const void *data, size_t size, struct ranges *ret, struct vss_error *reterr);

/* ranges_read_file() - the same for a file by name; @at may be AT_FDCWD. Also negative errno */
int ranges_read_file(int at, const char *path, struct ranges *ret, struct vss_error *reterr);

/* ranges_union() - append all of @from (I-130) */
int ranges_union(struct ranges *ranges, const struct ranges *from);

/* ranges_normalize() - sorted, without empty ones, overlapping and touching ones joined (I-121) */
void ranges_normalize(struct ranges *ranges);

/* ranges_total() - bytes covered; of a normal form */
uint64_t ranges_total(const struct ranges *ranges);

/* ranges_end() - first byte behind all nonempty ranges, 0 when there is none (IV-66) */
uint64_t ranges_end(const struct ranges *ranges);

/* ranges_format() - "0:5,100:20"; the caller frees *ret; 0 or -ENOMEM */
int ranges_format(const struct ranges *ranges, char **ret);

/* ranges_is_same_shape() - R-125: equally many entries of pairwise equal lengths? */
bool ranges_is_same_shape(const struct ranges *a, const struct ranges *b);

/* ranges_overlap() - does any byte occur twice? Sorts nothing, changes nothing; 1, 0, -ENOMEM */
int ranges_overlap(const struct ranges *ranges);

#endif
