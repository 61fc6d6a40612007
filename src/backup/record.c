/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backup/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void text_done(struct text *text) {
        free(text->data);
        *text = (struct text){ 0 };
}

void text_reset(struct text *text) {
        text->size = 0;
        text->failed = false;
}

/* room for @size more bytes and a NUL */
static bool text_reserve(struct text *text, size_t size) {
        size_t want = text->capacity ? text->capacity : 256;
        char *grown;

        if (text->failed)
                return false;
        if (text->capacity > text->size && size < text->capacity - text->size)
                return true;
        while (want - text->size <= size) {
                if (want > SIZE_MAX / 4) {
                        text->failed = true;
                        return false;
                }
                want *= 2;
        }
        grown = realloc(text->data, want);
        if (!grown) {
                text->failed = true;
                return false;
        }
        text->data = grown;
        text->capacity = want;
        return true;
}

void text_raw(struct text *text, const void *data, size_t size) {
        if (size == 0 || !text_reserve(text, size))
                return;
        memcpy(text->data + text->size, data, size);
        text->size += size;
}

void text_char(struct text *text, char c) {
        if (text_reserve(text, 1))
                text->data[text->size++] = c;
}

void text_string(struct text *text, const char *string) {
        text_raw(text, string, strlen(string));
}

static bool is_plain_byte(unsigned char c) {
        return c > 0x20 && c != 0x7f && c != '%';
}

void text_field(struct text *text, const char *bytes) {
        const char *p = bytes;

        while (*p) {
                const char *start = p;

                while (is_plain_byte((unsigned char)*p))
                        p++;
                text_raw(text, start, (size_t)(p - start));
                if (*p) {
                        unsigned char c = (unsigned char)*p++;
                        char escaped[3] = { '%', hex_digits[c >> 4], hex_digits[c & 15] };

                        text_raw(text, escaped, 3);
                }
        }
}

void text_number(struct text *text, uint64_t number) {
        char digits[20];
        size_t at = sizeof(digits);

        do {
                digits[--at] = (char)('0' + number % 10);
                number /= 10;
        } while (number > 0);
        text_raw(text, digits + at, sizeof(digits) - at);
}

void text_signed(struct text *text, int64_t number) {
        if (number < 0)
                text_char(text, '-');
        text_number(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void text_octal(struct text *text, uint32_t number) {
        char digits[11];
        size_t at = sizeof(digits);

        do {
                digits[--at] = (char)('0' + (number & 7));
                number >>= 3;
        } while (number > 0);
        text_raw(text, digits + at, sizeof(digits) - at);
}

void text_hex(struct text *text, const uint8_t *bytes, size_t size) {
        if (!text_reserve(text, size * 2))
                return;
        for (size_t i = 0; i < size; i++) {
                text->data[text->size++] = hex_digits[bytes[i] >> 4];
                text->data[text->size++] = hex_digits[bytes[i] & 15];
        }
}

char *text_cstring(struct text *text) {
        if (!text_reserve(text, 1))
                return NULL;
        text->data[text->size] = '\0';
        return text->data;
}

size_t field_split(char *line, char **fields, size_t max) {
        size_t count = 0;

        for (char *p = line;;) {
                char *tab = strchr(p, '\t');

                if (count == max)
                        return max + 1;
                fields[count++] = p;
                if (!tab)
                        return count;
                *tab = '\0';
                p = tab + 1;
        }
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -1;
}

int field_unescape(char *field) {
        char *in = strchr(field, '%');
        char *out = in;

        if (!in)
                return 0;
        while (*in) {
                if (*in != '%') {
                        *out++ = *in++;
                        continue;
                }
                int high = hex_value(in[1]);
                int low = high < 0 ? -1 : hex_value(in[2]);

                if (low < 0 || (high == 0 && low == 0))
                        return -EBADMSG;
                *out++ = (char)(high * 16 + low);
                in += 3;
        }
        *out = '\0';
        return 0;
}

int field_number(const char *field, uint64_t *ret) {
        uint64_t number = 0;

        if (*field == '\0')
                return -EBADMSG;
        for (const char *p = field; *p; p++) {
                unsigned digit = (unsigned)(*p - '0');

                if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, digit, &number))
                        return -EBADMSG;
        }
        *ret = number;
        return 0;
}

int field_u32(const char *field, uint32_t *ret) {
        uint64_t number = 0;

        if (field_number(field, &number) < 0 || number > UINT32_MAX)
                return -EBADMSG;
        *ret = (uint32_t)number;
        return 0;
}

int field_signed(const char *field, int64_t *ret) {
        bool negative = *field == '-';
        uint64_t number = 0;

        if (field_number(field + negative, &number) < 0 || number > INT64_MAX)
                return -EBADMSG;
        *ret = negative ? -(int64_t)number : (int64_t)number;
        return 0;
}

int field_octal(const char *field, uint32_t *ret) {
        uint32_t number = 0;

        if (*field == '\0' || strlen(field) > 7)
                return -EBADMSG;
        for (const char *p = field; *p; p++) {
                if (*p < '0' || *p > '7')
                        return -EBADMSG;
                number = number * 8 + (uint32_t)(*p - '0');
        }
        *ret = number;
        return 0;
}

int field_hex(const char *field, uint8_t *ret, size_t size) {
        /* a manifest is full of digests: by table, and what is wrong is known at the end */
        static const int8_t values[256] = {
                ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
                ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
                ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
        };
        const unsigned char *p = (const unsigned char *)field;
        bool good = true;

        if (strlen(field) != 2 * size)
                return -EBADMSG;
        for (size_t i = 0; i < size; i++) {
                int high = values[p[2 * i]], low = values[p[2 * i + 1]];

                good = good && high > 0 && low > 0;
                ret[i] = (uint8_t)((high - 1) * 16 + (low - 1));
        }
        return good ? 0 : -EBADMSG;
}

int path_compare(const char *a, const char *b) {
        while (*a && *a == *b) {
                a++;
                b++;
        }
        if (*a == *b)
                return 0;
        if (*a == '\0' || *b == '\0')
                return *a ? 1 : -1;
        if (*a == '/' || *b == '/')
                return *b == '/' ? 1 : -1;
        return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

/* bytes of the code point at @p; 1 for a byte that starts none */
static size_t code_point_size(const char *p) {
        const unsigned char *u = (const unsigned char *)p;
        size_t size = u[0] >= 0xf0 && u[0] < 0xf8   ? 4
                      : u[0] >= 0xe0 && u[0] < 0xf0 ? 3
                      : u[0] >= 0xc2 && u[0] < 0xe0 ? 2
                                                    : 1;

        for (size_t i = 1; i < size; i++)
                if ((u[i] & 0xc0) != 0x80)
                        return 1;
        return size;
}

bool pattern_matches(const char *pattern, const char *name) {
        const char *star = NULL, *resume = NULL;

        if (strcmp(pattern, "*.*") == 0)
                return true;
        while (*name) {
                if (*pattern == '*') {
                        star = ++pattern;
                        resume = name;
                } else if (*pattern == '?') {
                        pattern++;
                        name += code_point_size(name);
                } else if (*pattern == *name) {
                        pattern++;
                        name++;
                } else if (star) {
                        pattern = star;
                        resume += code_point_size(resume);
                        name = resume;
                } else {
                        return false;
                }
        }
        while (*pattern == '*')
                pattern++;
        return *pattern == '\0';
}

bool pattern_is_plain(const char *pattern) {
        return strpbrk(pattern, "*?") == NULL;
}
