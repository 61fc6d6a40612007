/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c - characters, escapes and the spelling of paths. No domain word, no XML parser.
 */
#include "documents/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* first of the 256 private characters that stand for bytes; the one for NUL is never used */
#define SPELLED_FIRST UINT32_C(0x10f700)

void text_done(struct text *text) {
        free(text->data);
        *text = (struct text){ 0 };
}

void text_add(struct text *text, const char *data, size_t size) {
        if (text->failed)
                return;
        if (text->counting) {
                text->size += size;
                return;
        }
        if (text->capacity - text->size <= size) {
                size_t want = text->size + size + 1;
                char *grown;

                if (want < text->capacity + text->capacity / 2)
                        want = text->capacity + text->capacity / 2;
                if (want < 256)
                        want = 256;
                grown = want > size ? realloc(text->data, want) : NULL;
                if (!grown) {
                        text->failed = true;
                        return;
                }
                text->data = grown;
                text->capacity = want;
        }
        if (size > 0)
                memcpy(text->data + text->size, data, size);
        text->size += size;
        text->data[text->size] = '\0';
}

void text_add_string(struct text *text, const char *string) {
        text_add(text, string, strlen(string));
}

static const char *escape_of(char c) {
        switch (c) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '"':
                return "&quot;";
        case '\t': /* a parser would turn these three into spaces */
                return "&#9;";
        case '\n':
                return "&#10;";
        case '\r':
                return "&#13;";
        default:
                return NULL;
        }
}

void text_add_escaped(struct text *text, const char *data, size_t size) {
        size_t start = 0;

        if (size == 0)
                return; /* then @data may be NULL */
        for (size_t i = 0; i < size; i++) {
                const char *escape = (unsigned char)data[i] > '>' ? NULL : escape_of(data[i]);

                if (!escape)
                        continue;
                text_add(text, data + start, i - start);
                text_add_string(text, escape);
                start = i + 1;
        }
        text_add(text, data + start, size - start);
}

/* decode_utf8() - the code point at @data, shortest form only; 0 when there is none */
static uint32_t decode_utf8(const char *data, size_t size, size_t *ret_length) {
        const unsigned char *p = (const unsigned char *)data;
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t length;
        uint32_t c;

        if (size == 0)
                return 0;
        if (p[0] < 0x80) {
                *ret_length = 1;
                return p[0];
        }
        length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
        if (p[0] < 0xc2 || p[0] > 0xf4 || size < length)
                return 0;
        c = p[0] & (0xffu >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < smallest[length])
                return 0;
        *ret_length = length;
        return c;
}

static bool is_xml_char(uint32_t c) {
        if (c < 0x20)
                return c == '\t' || c == '\n' || c == '\r';
        return c <= 0xd7ff || (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

size_t text_char(const char *data, size_t size) {
        size_t length = 0;
        uint32_t c = decode_utf8(data, size, &length);

        return c && is_xml_char(c) ? length : 0;
}

size_t text_step(const char *data, size_t size) {
        size_t length = 1;

        (void)decode_utf8(data, size, &length);
        return length;
}

bool text_check(const char *data, size_t size) {
        for (size_t i = 0, n; i < size; i += n) {
                n = (unsigned char)data[i] >= 0x20 && (unsigned char)data[i] < 0x80
                            ? 1
                            : text_char(data + i, size - i);
                if (n == 0)
                        return false;
        }
        return true;
}

static bool is_spelled(uint32_t c) {
        return c > SPELLED_FIRST && c <= SPELLED_FIRST + 0xff;
}

/* path_char() - length of a character at @data that stands for itself, 0 when its first byte has
 * to be spelled */
static size_t path_char(const char *data, size_t size) {
        size_t length = 0;
        uint32_t c = decode_utf8(data, size, &length);

        return c && is_xml_char(c) && !is_spelled(c) ? length : 0;
}

void text_add_path(struct text *text, const char *path) {
        size_t size = strlen(path), start = 0, n;

        for (size_t i = 0; i < size; i += n) {
                uint32_t c = SPELLED_FIRST + (unsigned char)path[i];
                char spelled[4] = { (char)0xf4, (char)0x8f, (char)(0x80 | ((c >> 6) & 0x3f)),
                                    (char)(0x80 | (c & 0x3f)) };

                n = path_char(path + i, size - i);
                if (n > 0)
                        continue;
                n = 1;
                text_add_escaped(text, path + start, i - start);
                text_add(text, spelled, sizeof(spelled));
                start = i + 1;
        }
        text_add_escaped(text, path + start, size - start);
}

size_t text_path_size(const char *path) {
        size_t size = strlen(path), total = 0, n;

        for (size_t i = 0; i < size; i += n) {
                n = path_char(path + i, size - i);
                total += n > 0 ? n : 4;
                if (n == 0)
                        n = 1;
        }
        return total;
}

size_t text_path_from(char *data, size_t size) {
        size_t out = 0;

        if (!memchr(data, 0xf4, size))
                return size;
        for (size_t i = 0, n; i < size; i += n) {
                size_t length = 0;
                uint32_t c = decode_utf8(data + i, size - i, &length);

                n = length > 0 ? length : 1;
                if (length > 0 && is_spelled(c)) {
                        data[out++] = (char)(c - SPELLED_FIRST);
                        continue;
                }
                memmove(data + out, data + i, n);
                out += n;
        }
        return out;
}

char *text_excerpt(const char *data, size_t size, char buffer[TEXT_EXCERPT_SIZE]) {
        size_t out = 0, i = 0, n;

        for (; i < size && out < TEXT_EXCERPT_SIZE - 8; i += n) {
                n = text_char(data + i, size - i);
                if (n == 0 || (n == 1 && ((unsigned char)data[i] < 0x20 || data[i] == 0x7f))) {
                        buffer[out++] = '?';
                        n = 1;
                        continue;
                }
                memcpy(buffer + out, data + i, n);
                out += n;
        }
        memcpy(buffer + out, i < size ? "..." : "", i < size ? 4 : 1);
        return buffer;
}

void text_add_base64(struct text *text, const void *data, size_t size) {
        static const char digits[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const unsigned char *p = data;

        for (size_t i = 0; i < size; i += 3) {
                size_t left = size - i;
                uint32_t v = (uint32_t)p[i] << 16 | (uint32_t)(left > 1 ? p[i + 1] : 0) << 8 |
                             (uint32_t)(left > 2 ? p[i + 2] : 0);
                char quad[4] = { digits[v >> 18], digits[(v >> 12) & 63],
                                 left > 1 ? digits[(v >> 6) & 63] : '=',
                                 left > 2 ? digits[v & 63] : '=' };

                text_add(text, quad, sizeof(quad));
        }
}

static int base64_value(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ptrdiff_t text_from_base64(const char *data, size_t size, char *ret) {
        uint32_t bits = 0;
        size_t digits = 0, padding = 0, out = 0;

        for (size_t i = 0; i < size; i++) {
                int value = base64_value(data[i]);

                if (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t')
                        continue;
                if (data[i] == '=') {
                        padding++;
                        continue;
                }
                if (value < 0 || padding > 0)
                        return -1;
                bits = bits << 6 | (uint32_t)value;
                if (++digits % 4 != 1)
                        ret[out++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)));
        }
        if ((digits + padding) % 4 != 0 || padding > 2)
                return -1;
        return (ptrdiff_t)out;
}
