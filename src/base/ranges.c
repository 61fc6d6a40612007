/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ranges.c - byte ranges: two ways to read them, one normal form.
 */
#include "base/ranges.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define RANGES_FILE_MAX ((size_t)256 << 20)

void ranges_done(struct ranges *ranges) {
        free(ranges->items);
        *ranges = (struct ranges){ 0 };
}

int ranges_add(struct ranges *ranges, uint64_t offset, uint64_t length) {
        int r;

        if (offset > INT64_MAX || length > INT64_MAX - offset)
                return E_INVALIDARG;
        r = ARRAY_RESERVE(&ranges->items, ranges->count, &ranges->capacity);
        if (r < 0)
                return r;
        ranges->items[ranges->count++] = (struct range){ offset, length };
        return 0;
}

int ranges_union(struct ranges *ranges, const struct ranges *from) {
        for (size_t i = 0; i < from->count; i++) {
                int r = ranges_add(ranges, from->items[i].offset, from->items[i].length);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- text ---- */

/* parse_number() - moves *text behind the number; false when there is none or it is too large */
static bool parse_number(const char **text, uint64_t *ret) {
        const char *p = *text;
        unsigned base = 10;
        uint64_t value = 0;
        bool any = false;

        if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
                base = 16;
                p += 2;
        }
        for (;; p++, any = true) {
                unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                                 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a' + 10)
                                 : *p >= 'A' && *p <= 'F' ? (unsigned)(*p - 'A' + 10)
                                                          : 99;

                if (digit >= base)
                        break;
                if (value > (UINT64_MAX - digit) / base)
                        return false;
                value = value * base + digit;
        }
        *text = p;
        *ret = value;
        return any;
}

static int parse_list(const char *text, struct ranges *ret, struct vss_error *reterr) {
        const char *p = text;

        for (;;) {
                const char *start = p;
                uint64_t offset = 0, length = 0;
                bool is_range =
                        parse_number(&p, &offset) && *p == ':' && (p++, parse_number(&p, &length));
                int r = is_range ? ranges_add(ret, offset, length) : E_INVALIDARG;

                if (r == E_INVALIDARG)
                        return vss_fail(reterr, r,
                                        "ranges: at byte %zu there is no 'offset:length' with an "
                                        "end within 63 bits",
                                        (size_t)(start - text));
                if (r < 0)
                        return r;
                p += strspn(p, " ");
                if (*p == '\0' && p[-1] != ' ')
                        return 0;
                if (*p != ',')
                        return vss_fail(reterr, E_INVALIDARG,
                                        "ranges: at byte %zu there should be a comma",
                                        (size_t)(p - text));
                p++;
                p += strspn(p, " ");
        }
}

int ranges_parse(const char *text, struct ranges *ret, const char **ret_file,
                 struct vss_error *reterr) {
        struct ranges list = { 0 };
        int r;

        if (!text || !*text)
                return vss_fail(reterr, E_INVALIDARG, "ranges are missing");
        if (*text < '0' || *text > '9') {
                const char *path = text;

                if (strncasecmp(text, "File=", 5) == 0)
                        path += 5 + strspn(text + 5, " ");
                if (*path != '/')
                        return vss_fail(reterr, E_INVALIDARG,
                                        "ranges are neither 'offset:length,...' nor the absolute "
                                        "path of a ranges file");
                *ret_file = path;
                return 0;
        }
        r = parse_list(text, &list, reterr);
        if (r >= 0)
                r = ranges_union(ret, &list);
        ranges_done(&list);
        if (r >= 0)
                *ret_file = NULL;
        return r;
}

int ranges_format(const struct ranges *ranges, char **ret) {
        size_t size = ranges->count * 42 + 1, at = 0; /* two numbers of 20 digits, ':' and ',' */
        char *text = malloc(size);

        if (!text)
                return -ENOMEM;
        text[0] = '\0';
        for (size_t i = 0; i < ranges->count; i++)
                at += (size_t)snprintf(text + at, size - at, "%s%" PRIu64 ":%" PRIu64,
                                       i > 0 ? "," : "", ranges->items[i].offset,
                                       ranges->items[i].length);
        *ret = text;
        return 0;
}

/* ---- ranges files ---- */

static uint64_t little_endian(const unsigned char *p) {
        uint64_t value = 0;

        for (int i = 7; i >= 0; i--)
                value = value << 8 | p[i];
        return value;
}

int ranges_parse_file(const void *data, size_t size, struct ranges *ret, struct vss_error *reterr) {
        const unsigned char *p = data;
        uint64_t count = size >= 8 ? little_endian(p) : 0;

        if (size < 8 || (size - 8) % 16 != 0 || count != (size - 8) / 16)
                return vss_fail(reterr, E_INVALIDARG,
                                "a ranges file of %" PRIu64 " ranges has 8 + 16 bytes for each; "
                                "this one has %zu",
                                count, size);
        for (p += 8; count > 0; count--, p += 16) {
                int r = ranges_add(ret, little_endian(p), little_endian(p + 8));

                if (r == E_INVALIDARG)
                        return vss_fail(reterr, r,
                                        "the ranges file has a range that ends beyond 63 bits");
                if (r < 0)
                        return r;
        }
        return 0;
}

int ranges_read_file(int at, const char *path, struct ranges *ret, struct vss_error *reterr) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r = read_whole_file(at, path, RANGES_FILE_MAX, &data, &size);

        if (r < 0)
                return vss_fail(reterr, r, "cannot read ranges file '%s': %s", path,
                                vss_error_text(r));
        r = ranges_parse_file(data, size, ret, reterr);
        return r < 0 ? vss_wrap(reterr, r, "%s", path) : 0;
}

/* ---- sets of bytes ---- */

static int compare_ranges(const void *a, const void *b) {
        const struct range *x = a, *y = b;

        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void ranges_normalize(struct ranges *ranges) {
        size_t out = 0;

        if (ranges->count > 0)
                qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
        for (size_t i = 0; i < ranges->count; i++) {
                struct range next = ranges->items[i], *last = &ranges->items[out ? out - 1 : 0];
                uint64_t end = next.offset + next.length;

                if (next.length == 0)
                        continue;
                if (out == 0 || next.offset > last->offset + last->length)
                        ranges->items[out++] = next;
                else if (end > last->offset + last->length)
                        last->length = end - last->offset;
        }
        ranges->count = out;
}

uint64_t ranges_total(const struct ranges *ranges) {
        uint64_t total = 0;

        for (size_t i = 0; i < ranges->count; i++)
                total += ranges->items[i].length;
        return total;
}

uint64_t ranges_end(const struct ranges *ranges) {
        uint64_t end = 0;

        for (size_t i = 0; i < ranges->count; i++) {
                const struct range *range = &ranges->items[i];

                if (range->length > 0 && range->offset + range->length > end)
                        end = range->offset + range->length;
        }
        return end;
}

bool ranges_is_same_shape(const struct ranges *a, const struct ranges *b) {
        if (a->count != b->count)
                return false;
        for (size_t i = 0; i < a->count; i++)
                if (a->items[i].length != b->items[i].length)
                        return false;
        return true;
}

int ranges_overlap(const struct ranges *ranges) {
        struct ranges copy = { 0 };
        uint64_t end = 0;
        int r = ranges_union(&copy, ranges);

        if (r < 0) {
                ranges_done(&copy);
                return r;
        }
        if (copy.count > 0)
                qsort(copy.items, copy.count, sizeof(*copy.items), compare_ranges);
        for (size_t i = 0; i < copy.count && r == 0; i++) {
                if (copy.items[i].length == 0)
                        continue;
                r = copy.items[i].offset < end;
                end = copy.items[i].offset + copy.items[i].length;
        }
        ranges_done(&copy);
        return r;
}
