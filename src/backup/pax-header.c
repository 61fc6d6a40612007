/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pax-header.c - what comes before the data of a member: pax records and the ustar header. By
 * hand, since libarchive's is half the cost of a small file, cuts long names of sparse files
 * (3.6) and spells names of attributes as nobody else reads them.
 *
 * Names are the bytes they are (hdrcharset=BINARY). mtime is kept to the nanosecond; access and
 * change time are not, a restore could not set the latter. Holes are GNU's sparse format 1.0:
 * the true name and length in pax records, then a list of pieces before the data.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/pax.h"
#include "base/array.h"

#define BLOCK 512
#define NAME_SIZE 100
#define USTAR_ID_MAX 07777777U
#define USTAR_SIZE_MAX UINT64_C(077777777777)

/* ---- pax records ---- */

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

static void put_pax_string(struct text *text, const char *key, const char *value) {
        put_pax(text, key, value, strlen(value));
}

static void put_pax_number(struct text *text, const char *key, uint64_t number) {
        char digits[24];

        snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
        put_pax_string(text, key, digits);
}

static void put_mtime(struct text *text, const struct record *record) {
        bool negative = record->mtime < 0 && record->mtime_ns > 0;
        /* -1.5 is two seconds before and half a second on */
        int64_t seconds = negative ? record->mtime + 1 : record->mtime;
        uint32_t ns = negative ? 1000000000 - record->mtime_ns : record->mtime_ns;
        char number[48];

        if (ns == 0 && seconds >= 0 && (uint64_t)seconds <= USTAR_SIZE_MAX)
                return; /* the header can say it */
        snprintf(number, sizeof(number), "%s%lld.%09u", negative && seconds == 0 ? "-" : "",
                 (long long)seconds, ns);
        put_pax_string(text, "mtime", number);
}

static bool is_ascii(const char *name) {
        for (; *name; name++)
                if ((unsigned char)*name >= 0x80)
                        return false;
        return true;
}

/* ---- attributes ---- */

void pax_put_attribute_name(struct text *text, const char *name) {
        for (; *name; name++) {
                if (*name == '%' || *name == '=')
                        text_string(text, *name == '%' ? "%25" : "%3D");
                else
                        text_char(text, *name);
        }
}

static int hex_value(char c) {
        return c >= '0' && c <= '9'   ? c - '0'
               : c >= 'A' && c <= 'F' ? c - 'A' + 10
               : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                      : -1;
}

void pax_decode_attribute_name(char *name) {
        char *to = name;

        for (const char *p = name; *p; p++) {
                if (*p == '%' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0) {
                        *to++ = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
                        p += 2;
                } else {
                        *to++ = *p;
                }
        }
        *to = '\0';
}

static uint32_t get_le(const uint8_t *p, size_t size) {
        uint32_t value = 0;

        while (size-- > 0)
                value = value << 8 | p[size];
        return value;
}

/* tar's --acls knows ACLs only as text in keywords of their own. A restore of ours takes the
 * attribute, which is kept as it is. */
static void put_acl(struct text *text, const char *key, const struct attribute *attribute) {
        static const struct {
                uint32_t tag;
                const char *name;
                bool named;
        } tags[] = {
                { 0x01, "user:", false }, { 0x02, "user:", true },  { 0x04, "group:", false },
                { 0x08, "group:", true }, { 0x10, "mask:", false }, { 0x20, "other:", false },
        };
        const uint8_t *value = attribute->value;
        struct text acl = { 0 };

        if (attribute->size < 4 || get_le(value, 4) != 2)
                return;
        for (size_t at = 4; at + 8 <= attribute->size; at += 8) {
                uint32_t bits = get_le(value + at + 2, 2);
                char allowed[] = { bits & 4 ? 'r' : '-', bits & 2 ? 'w' : '-', bits & 1 ? 'x' : '-',
                                   '\0' };

                for (size_t i = 0; i < ELEMENTSOF(tags); i++) {
                        if (tags[i].tag != get_le(value + at, 2))
                                continue;
                        if (acl.size > 0)
                                text_char(&acl, ',');
                        text_string(&acl, tags[i].name);
                        if (tags[i].named)
                                text_number(&acl, get_le(value + at + 4, 4));
                        text_char(&acl, ':');
                        text_string(&acl, allowed);
                }
        }
        if (text_cstring(&acl))
                put_pax(text, key, acl.data, acl.size);
        else
                text->failed = true;
        text_done(&acl);
}

static void put_attribute(struct text *text, const struct attribute *item) {
        struct text key = { 0 };

        if (strcmp(item->name, "system.posix_acl_access") == 0)
                put_acl(text, "SCHILY.acl.access", item);
        if (strcmp(item->name, "system.posix_acl_default") == 0)
                put_acl(text, "SCHILY.acl.default", item);
        text_string(&key, "SCHILY.xattr.");
        pax_put_attribute_name(&key, item->name);
        if (text_cstring(&key))
                put_pax(text, key.data, item->value, item->size);
        else
                text->failed = true;
        text_done(&key);
}

/* ---- the records that a member needs ---- */

static const char *link_of(const struct member *member) {
        return member->hard_link                       ? member->hard_link
               : member->record->kind == ENTRY_SYMLINK ? member->record->extra
                                                       : "";
}

static bool needs_record(const char *name) {
        return strlen(name) > NAME_SIZE || !is_ascii(name);
}

static void put_names(struct text *text, const struct member *member) {
        const char *link = link_of(member);

        if (!is_ascii(member->name) || !is_ascii(link))
                put_pax_string(text, "hdrcharset", "BINARY");
        if (member->extents) {
                put_pax_string(text, "GNU.sparse.major", "1");
                put_pax_string(text, "GNU.sparse.minor", "0");
                put_pax_string(text, "GNU.sparse.name", member->name);
                put_pax_number(text, "GNU.sparse.realsize", member->record->size);
        } else if (needs_record(member->name)) {
                put_pax_string(text, "path", member->name);
        }
        if (needs_record(link))
                put_pax_string(text, "linkpath", link);
}

static void put_records(struct text *text, const struct member *member, uint64_t size) {
        const struct record *record = member->record;

        put_names(text, member);
        if (member->hard_link)
                return; /* all else is the first name's */
        put_mtime(text, record);
        if (record->uid > USTAR_ID_MAX)
                put_pax_number(text, "uid", record->uid);
        if (record->gid > USTAR_ID_MAX)
                put_pax_number(text, "gid", record->gid);
        if (size > USTAR_SIZE_MAX)
                put_pax_number(text, "size", size);
        for (size_t i = 0; member->attributes && i < member->attributes->count; i++)
                put_attribute(text, &member->attributes->items[i]);
}

/* ---- ustar headers ---- */

static void pad(struct text *text) {
        static const char zeros[BLOCK];

        text_raw(text, zeros, -text->size % BLOCK);
}

/* @digits octal ones; what does not fit is in a pax record */
static void put_octal(char *field, unsigned digits, uint64_t number) {
        while (digits-- > 0) {
                field[digits] = (char)('0' + (number & 7));
                number >>= 3;
        }
}

static void put_device(char *block, const struct record *record) {
        unsigned device_major = 0, device_minor = 0;

        if ((record->kind == ENTRY_CHAR || record->kind == ENTRY_BLOCK) &&
            sscanf(record->extra, "%u:%u", &device_major, &device_minor) == 2) {
                put_octal(block + 329, 7, device_major);
                put_octal(block + 337, 7, device_minor);
        }
}

static void put_name(char *field, const char *name) {
        size_t n = strnlen(name, NAME_SIZE);

        memcpy(field, name, n);
}

static void put_header(struct text *text, const char *name, const char *link, char type,
                       uint32_t mode, const struct record *record, uint64_t size) {
        char block[BLOCK] = { 0 };
        unsigned sum = 0;

        put_name(block, name);
        put_octal(block + 100, 7, mode);
        put_octal(block + 108, 7, record->uid > USTAR_ID_MAX ? 0 : record->uid);
        put_octal(block + 116, 7, record->gid > USTAR_ID_MAX ? 0 : record->gid);
        put_octal(block + 124, 11, size > USTAR_SIZE_MAX ? 0 : size);
        put_octal(block + 136, 11, record->mtime < 0 ? 0 : (uint64_t)record->mtime);
        memset(block + 148, ' ', 8);
        block[156] = type;
        put_name(block + 157, link);
        memcpy(block + 257, "ustar\00000", 8);
        put_device(block, record);
        for (size_t i = 0; i < BLOCK; i++)
                sum += (unsigned char)block[i];
        put_octal(block + 148, 6, sum);
        block[154] = '\0';
        text_raw(text, block, BLOCK);
}

static char type_of(const struct member *member) {
        if (member->hard_link)
                return '1';
        switch (member->record->kind) {
        case ENTRY_DIRECTORY:
                return '5';
        case ENTRY_SYMLINK:
                return '2';
        case ENTRY_FIFO:
                return '6';
        case ENTRY_CHAR:
                return '3';
        case ENTRY_BLOCK:
                return '4';
        default:
                return '0';
        }
}

/* the list of pieces, padded; *ret_data is what they hold together */
static void put_map(struct text *map, const struct member *member, uint64_t *ret_data) {
        const struct byte_range *last =
                member->extents_count > 0 ? &member->extents[member->extents_count - 1] : NULL;
        uint64_t end = last ? last->offset + last->length : 0;

        *ret_data = 0;
        /* a hole at the end is told by an empty piece there */
        text_number(map, member->extents_count + (end < member->record->size));
        text_char(map, '\n');
        for (size_t i = 0; i < member->extents_count; i++) {
                text_number(map, member->extents[i].offset);
                text_char(map, '\n');
                text_number(map, member->extents[i].length);
                text_char(map, '\n');
                *ret_data += member->extents[i].length;
        }
        if (end < member->record->size) {
                text_number(map, member->record->size);
                text_string(map, "\n0\n");
        }
        pad(map);
}

int pax_header(const struct member *member, struct text *scratch, struct text *ret,
               uint64_t *ret_stored) {
        const struct record *record = member->record;
        struct text map = { 0 };
        bool has_data = record->kind == ENTRY_FILE && !member->hard_link;
        const char *name = member->extents ? "GNUSparseFile.0/sparse" : member->name;

        *ret_stored = has_data ? record->size : 0;
        if (member->extents)
                put_map(&map, member, ret_stored);
        text_reset(scratch);
        put_records(scratch, member, map.size + *ret_stored);
        if (scratch->size > 0) {
                put_header(ret, "PaxHeader/x", "", 'x', 0644, record, scratch->size);
                text_raw(ret, scratch->data, scratch->size);
                pad(ret);
        }
        put_header(ret, name, link_of(member), type_of(member), record->mode & 07777U, record,
                   map.size + *ret_stored);
        text_raw(ret, map.data, map.size);
        if (map.failed || scratch->failed)
                ret->failed = true;
        text_done(&map);
        return ret->failed ? -ENOMEM : 0;
}
