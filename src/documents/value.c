/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * value.c - from the text of an attribute to what its slot holds: read liberally, kept in the one
 * form that is written (xml-format section 6).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents/text.h"
#include "documents/tree.h"

static const char *keep(struct tree *tree, const char *text, size_t size) {
        return arena_string(&tree->arena, text, size);
}

/* parse_number() - decimal, or hexadecimal behind 0x; no sign, no space */
static bool parse_number(const char *text, uint64_t max, uint64_t *ret) {
        unsigned base = 10;
        uint64_t value = 0;

        if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
                base = 16;
                text += 2;
        }
        if (!*text)
                return false;
        for (; *text; text++) {
                char c = *text;
                unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                                 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                                        : 99;

                if (digit >= base || value > (max - digit) / base)
                        return false;
                value = value * base + digit;
        }
        *ret = value;
        return true;
}

static int parse_count(struct tree *tree, const char *data, uint64_t max, const char **ret) {
        uint64_t value;
        char number[24];

        if (!parse_number(data, max, &value))
                return E_INVALIDARG;
        (void)snprintf(number, sizeof(number), "%" PRIu64, value);
        *ret = keep(tree, number, strlen(number));
        return *ret ? 0 : -ENOMEM;
}

static int parse_id(struct tree *tree, const char *data, const char **ret) {
        struct vss_id id;
        char text[VSS_ID_TEXT_SIZE];

        if (vss_id_parse(data, &id) < 0)
                return E_INVALIDARG;
        *ret = keep(tree, vss_id_format(&id, text), VSS_ID_TEXT_SIZE - 1);
        return *ret ? 0 : -ENOMEM;
}

static int parse_word(const struct word *words, const char *data, const char **ret) {
        for (const struct word *w = words; w->text; w++)
                if (strcmp(w->text, data) == 0) {
                        *ret = words_text(words, w->value);
                        return 0;
                }
        return E_INVALIDARG;
}

static int parse_bool(const char *data, const char **ret) {
        *ret = strcmp(data, "yes") == 0 ? "yes" : strcmp(data, "no") == 0 ? "no" : NULL;
        return *ret ? 0 : E_INVALIDARG;
}

/* parse_path() - an empty one that need not be there counts as absent */
static int parse_path(struct tree *tree, const struct attribute *attribute, char *data, size_t size,
                      const char **ret) {
        if (size == 0) {
                *ret = NULL;
                return attribute->required ? E_INVALIDARG : 0;
        }
        *ret = keep(tree, data, text_path_from(data, size));
        return *ret ? 0 : -ENOMEM;
}

static int parse_bytes(struct tree *tree, char *data, size_t size, const char **ret) {
        ptrdiff_t n = text_from_base64(data, size, data);
        struct blob *blob;

        if (n < 0)
                return E_INVALIDARG;
        blob = arena_alloc(&tree->arena, sizeof(*blob) + (size_t)n);
        if (!blob)
                return -ENOMEM;
        blob->size = (size_t)n;
        memcpy(blob->data, data, (size_t)n);
        *ret = (const char *)blob;
        return 0;
}

int value_parse(struct tree *tree, const struct attribute *attribute, char *data, size_t size,
                const char **ret, const char **ret_wanted) {
        switch (attribute->kind) {
        case VALUE_ID:
                *ret_wanted = "an identifier like 01234567-89ab-cdef-0123-456789abcdef";
                return parse_id(tree, data, ret);
        case VALUE_BOOL:
                *ret_wanted = "yes or no";
                return parse_bool(data, ret);
        case VALUE_WORD:
                *ret_wanted = "one of the words that are defined for it";
                return parse_word(attribute->words, data, ret);
        case VALUE_MASK:
                *ret_wanted = "a number of 32 bits, decimal or 0x and hexadecimal";
                return parse_count(tree, data, UINT32_MAX, ret);
        case VALUE_TIME:
                *ret_wanted = "a count of 100 ns since 1601, decimal or 0x and hexadecimal";
                return parse_count(tree, data, INT64_MAX, ret);
        case VALUE_PATH:
                *ret_wanted = "a path or name, not empty";
                return parse_path(tree, attribute, data, size, ret);
        case VALUE_BYTES:
                *ret_wanted = "base64";
                return parse_bytes(tree, data, size, ret);
        case VALUE_NAME:
                *ret_wanted = "a name without a backslash, not empty";
                if (size == 0 || memchr(data, '\\', size))
                        return E_INVALIDARG;
                break;
        case VALUE_TEXT:
                break;
        }
        *ret = keep(tree, data, size);
        return *ret ? 0 : -ENOMEM;
}
