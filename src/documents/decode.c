/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decode.c - from the bytes of a stored document to plain UTF-8 (xml-format section 1, SEC-32).
 *
 * The parser behind us never sees another encoding, a NUL or a control character.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "documents/text.h"

enum encoding { UTF_8, UTF_16LE, UTF_16BE };

static size_t put_utf8(uint32_t c, char *out) {
        if (c < 0x80) {
                out[0] = (char)c;
                return 1;
        }
        if (c < 0x800) {
                out[0] = (char)(0xc0 | c >> 6);
                out[1] = (char)(0x80 | (c & 0x3f));
                return 2;
        }
        if (c < 0x10000) {
                out[0] = (char)(0xe0 | c >> 12);
                out[1] = (char)(0x80 | ((c >> 6) & 0x3f));
                out[2] = (char)(0x80 | (c & 0x3f));
                return 3;
        }
        out[0] = (char)(0xf0 | c >> 18);
        out[1] = (char)(0x80 | ((c >> 12) & 0x3f));
        out[2] = (char)(0x80 | ((c >> 6) & 0x3f));
        out[3] = (char)(0x80 | (c & 0x3f));
        return 4;
}

static uint32_t unit_at(const char *data, size_t i, enum encoding encoding) {
        unsigned char a = (unsigned char)data[i], b = (unsigned char)data[i + 1];

        return encoding == UTF_16LE ? (uint32_t)(b << 8 | a) : (uint32_t)(a << 8 | b);
}

/* from_utf16() - @data has whole units; *ret is allocated */
static int from_utf16(const char *data, size_t size, enum encoding encoding, char **ret,
                      size_t *ret_size, struct vss_error *reterr) {
        size_t out = 0;
        char *text = malloc(size / 2 * 3 + 1);

        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < size; i += 2) {
                uint32_t c = unit_at(data, i, encoding), low;

                if (c >= 0xd800 && c <= 0xdfff) {
                        low = c < 0xdc00 && size - i >= 4 ? unit_at(data, i + 2, encoding) : 0;
                        if (low < 0xdc00 || low > 0xdfff) {
                                free(text);
                                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                                "the document's UTF-16 is damaged: half of a "
                                                "surrogate pair at byte %zu",
                                                i);
                        }
                        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                        i += 2;
                }
                out += put_utf8(c, text + out);
        }
        text[out] = '\0';
        *ret = text;
        *ret_size = out;
        return 0;
}

static enum encoding detect(const char *data, size_t size, size_t *ret_mark) {
        *ret_mark = 0;
        if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
                *ret_mark = 3;
                return UTF_8;
        }
        if (size < 2)
                return UTF_8;
        if (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0) {
                *ret_mark = 2;
                return data[0] == '\xff' ? UTF_16LE : UTF_16BE;
        }
        if (data[0] != '\0' && data[1] == '\0')
                return UTF_16LE;
        return data[0] == '\0' && data[1] != '\0' ? UTF_16BE : UTF_8;
}

static int check_chars(const char *text, size_t size, struct vss_error *reterr) {
        size_t line = 1;

        for (size_t i = 0, n; i < size; i += n) {
                n = (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x80
                            ? 1
                            : text_char(text + i, size - i);
                if (n == 0)
                        return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                        "line %zu: byte 0x%02x is not part of a character that "
                                        "XML allows",
                                        line, (unsigned char)text[i]);
                line += text[i] == '\n';
        }
        return 0;
}

/* check_declaration() - the text is UTF-8 now; a declaration that says it was something else
 * than UTF-8 or UTF-16 means that it was read as what it is not */
static int check_declaration(const char *text, size_t size, struct vss_error *reterr) {
        const char *end, *p;
        char name[16];
        size_t n;

        if (!text || size < 6 || memcmp(text, "<?xml", 5) != 0)
                return 0;
        end = memmem(text, size < 512 ? size : 512, "?>", 2);
        p = end ? memmem(text, (size_t)(end - text), "encoding", 8) : NULL;
        if (!p)
                return 0;
        p += strcspn(p, "\"'?");
        n = *p == '?' ? 0 : strcspn(p + 1, "\"'?");
        if (n >= sizeof(name))
                n = sizeof(name) - 1;
        memcpy(name, p + 1, n);
        name[n] = '\0';
        if (strncasecmp(name, "utf-8", 6) == 0 || strncasecmp(name, "utf-16", 6) == 0 ||
            strncasecmp(name, "us-ascii", 9) == 0)
                return 0;
        return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                        "line 1: the document declares an encoding other than UTF-8 and UTF-16; "
                        "convert it first");
}

int text_decode(const char *data, size_t size, uint64_t max, const char **ret, size_t *ret_size,
                char **ret_owned, struct vss_error *reterr) {
        size_t mark;
        enum encoding encoding = detect(data, size, &mark);
        const char *text = data + mark;
        char *owned = NULL;
        int r;

        if (size > max)
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "the document has %zu bytes, more than the limit of %" PRIu64, size,
                                max);
        size -= mark;
        while (size > 0 && text[size - 1] == '\0' &&
               (encoding == UTF_8 || size % 2 == 1 || text[size - 2] == '\0'))
                size -= encoding == UTF_8 || size % 2 == 1 ? 1 : 2;
        if (encoding != UTF_8) {
                if (size % 2 != 0)
                        return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                        "the document looks like UTF-16 but has an odd number "
                                        "of bytes");
                r = from_utf16(text, size, encoding, &owned, &size, reterr);
                if (r < 0)
                        return r;
                text = owned;
        }
        r = check_chars(text, size, reterr);
        if (r >= 0)
                r = check_declaration(text, size, reterr);
        if (r >= 0 && size > max)
                r = vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                             "the document has %zu bytes as UTF-8, more than the limit of %" PRIu64,
                             size, max);
        if (r < 0) {
                free(owned);
                return r;
        }
        *ret = text;
        *ret_size = size;
        *ret_owned = owned;
        return 0;
}
