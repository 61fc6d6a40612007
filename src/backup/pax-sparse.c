/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pax-sparse.c - the header of a sparse file with a long name, which libarchive 3.6 would cut to
 * 100 bytes (it writes GNU.sparse.name after it has shortened the name). GNU's sparse format 1.0:
 * the true name and length in pax records, then a list of pieces before the data.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/pax.h"

#define BLOCK 512
#define USTAR_ID_MAX 07777777U
#define USTAR_SIZE_MAX UINT64_C(077777777777)

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself */
static void put_pax(struct text *text, const char *key, const void *value, size_t size) {
        size_t rest = 1 + strlen(key) + 1 + size + 1, digits = 1, power = 10;

        while (rest + digits >= power) {
                power *= 10;
                digits++;
        }
        text_number(text, rest + digits);
        text_char(text, ' ');
        text_string(text, key);
        text_char(text, '=');
        text_raw(text, value, size);
        text_char(text, '\n');
}

static void put_pax_number(struct text *text, const char *key, uint64_t number) {
        char digits[24];

        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
        put_pax(text, key, digits, strlen(digits));
}

static void put_mtime(struct text *text, const struct record *record) {
        bool negative = record->mtime < 0 && record->mtime_ns > 0;
        /* -1.5 is two seconds before and half a second on */
        int64_t seconds = negative ? record->mtime + 1 : record->mtime;
        uint32_t ns = negative ? 1000000000 - record->mtime_ns : record->mtime_ns;
        char number[48];

        snprintf(number, sizeof(number), "%s%lld.%09u", negative && seconds == 0 ? "-" : "",
                 (long long)seconds, ns);
        put_pax(text, "mtime", number, strlen(number));
}

static bool is_ascii(const char *name) {
        for (; *name; name++)
                if ((unsigned char)*name >= 0x80)
                        return false;
        return true;
}

static void put_records(struct text *text, const struct member *member, uint64_t stored) {
        const struct record *record = member->record;

        if (!is_ascii(member->name))
                put_pax(text, "hdrcharset", "BINARY", 6);
        put_pax(text, "GNU.sparse.major", "1", 1);
        put_pax(text, "GNU.sparse.minor", "0", 1);
        put_pax(text, "GNU.sparse.name", member->name, strlen(member->name));
        put_pax_number(text, "GNU.sparse.realsize", record->size);
        put_mtime(text, record);
        if (record->uid > USTAR_ID_MAX)
                put_pax_number(text, "uid", record->uid);
        if (record->gid > USTAR_ID_MAX)
                put_pax_number(text, "gid", record->gid);
        if (stored > USTAR_SIZE_MAX)
                put_pax_number(text, "size", stored);
        for (size_t i = 0; member->attributes && i < member->attributes->count; i++) {
                const struct attribute *item = &member->attributes->items[i];
                struct text key = { 0 };

                text_string(&key, "SCHILY.xattr.");
                text_string(&key, item->name);
                if (text_cstring(&key))
                        put_pax(text, key.data, item->value, item->size);
                else
                        text->failed = true;
                text_done(&key);
        }
}

static void pad(struct text *text) {
        while (text->size % BLOCK != 0 && !text->failed)
                text_char(text, '\0');
}

static void put_header(struct text *text, const char *name, char type, const struct record *record,
                       uint64_t size) {
        bool extended = type == 'x';
        uint32_t uid = record->uid > USTAR_ID_MAX ? 0 : record->uid;
        uint32_t gid = record->gid > USTAR_ID_MAX ? 0 : record->gid;
        int64_t mtime = record->mtime < 0 ? 0 : record->mtime;
        char block[BLOCK + 1] = { 0 };
        unsigned sum = 0;

        snprintf(block, 100, "%s", name);
        snprintf(block + 100, 8, "%07o", extended ? 0644U : record->mode & 07777U);
        snprintf(block + 108, 8, "%07o", uid & USTAR_ID_MAX);
        snprintf(block + 116, 8, "%07o", gid & USTAR_ID_MAX);
        snprintf(block + 124, 13, "%011llo ",
                 (unsigned long long)(size > USTAR_SIZE_MAX ? 0 : size));
        snprintf(block + 136, 13, "%011llo ", (unsigned long long)mtime & USTAR_SIZE_MAX);
        memset(block + 148, ' ', 8);
        block[156] = type;
        memcpy(block + 257, "ustar\00000", 8);
        for (size_t i = 0; i < BLOCK; i++)
                sum += (unsigned char)block[i];
        snprintf(block + 148, 8, "%06o", sum & 0777777);
        block[155] = ' ';
        text_raw(text, block, BLOCK);
}

bool pax_sparse_is_needed(const struct member *member) {
        const char *slash = strrchr(member->name, '/');
        size_t base = strlen(slash ? slash + 1 : member->name);

        return member->extents && (strlen(member->name) > 100 || base > 90);
}

int pax_sparse_header(const struct member *member, struct text *ret) {
        struct text map = { 0 }, records = { 0 };
        const struct byte_range *last =
                member->extents_count > 0 ? &member->extents[member->extents_count - 1] : NULL;
        uint64_t stored = 0, end = last ? last->offset + last->length : 0;

        /* a hole at the end is told by an empty piece there */
        text_number(&map, member->extents_count + (end < member->record->size));
        text_char(&map, '\n');
        for (size_t i = 0; i < member->extents_count; i++) {
                text_number(&map, member->extents[i].offset);
                text_char(&map, '\n');
                text_number(&map, member->extents[i].length);
                text_char(&map, '\n');
                stored += member->extents[i].length;
        }
        if (end < member->record->size) {
                text_number(&map, member->record->size);
                text_string(&map, "\n0\n");
        }
        pad(&map);
        stored += map.size;
        put_records(&records, member, stored);
        put_header(ret, "PaxHeader/GNUSparseFile.0", 'x', member->record, records.size);
        text_raw(ret, records.data, records.size);
        pad(ret);
        put_header(ret, "GNUSparseFile.0/sparse", '0', member->record, stored);
        text_raw(ret, map.data, map.size);
        if (map.failed || records.failed)
                ret->failed = true;
        text_done(&map);
        text_done(&records);
        return ret->failed ? -ENOMEM : 0;
}
