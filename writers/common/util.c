/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "common/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

int util_grow(void **items, size_t count, size_t size) {
        void *grown;

        /* full at zero and at every power of two */
        if (count & (count - 1))
                return 0;
        grown = reallocarray(*items, count ? count * 2 : 1, size);
        if (!grown)
                return -ENOMEM;
        *items = grown;
        return 0;
}

/* length of the UTF-8 sequence at @s, 0 when it is none (overlong forms and surrogates too) */
static size_t utf8_length(const unsigned char *s) {
        size_t n;
        uint32_t c;

        if (s[0] < 0x80)
                return 1;
        n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
        if (n == 0 || s[0] > 0xf4)
                return 0;
        c = s[0] & (0xffu >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
            (c >= 0xd800 && c <= 0xdfff))
                return 0;
        return n;
}

size_t util_character(const char *text) {
        unsigned char c = (unsigned char)*text;

        return c < 0x20 || c == 0x7f ? 0 : utf8_length((const unsigned char *)text);
}

void util_printable(char *text) {
        while (*text) {
                size_t n = util_character(text);

                if (n == 0)
                        *text++ = '?';
                else
                        text += n;
        }
}

int util_fail(struct vss_error *reterr, int code, const char *format, ...) {
        char *words = NULL;
        va_list arguments;
        int r;

        va_start(arguments, format);
        r = vasprintf(&words, format, arguments);
        va_end(arguments);
        if (r < 0)
                return vss_fail(reterr, code, "out of memory");
        util_printable(words);
        (void)vss_fail(reterr, code, "%s", words);
        free(words);
        return code;
}

const char *util_words(const struct vss_error *from, int code) {
        return from->message ? from->message : vss_error_text(code);
}

uint64_t util_now_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

char *util_join(const char *directory, const char *name) {
        char *joined;

        if (asprintf(&joined, "%s%s%s", directory, strcmp(directory, "/") == 0 ? "" : "/", name) <
            0)
                return NULL;
        return joined;
}

bool util_path_is_clean(const char *path) {
        if (*path != '/' || strlen(path) > 4095)
                return false;
        if (path[1] == '\0')
                return true;
        while (*path) {
                size_t n;

                path++;
                n = strcspn(path, "/");
                if (n == 0 || n > 255 || (n == 1 && *path == '.') ||
                    (n == 2 && path[0] == '.' && path[1] == '.'))
                        return false;
                path += n;
        }
        return true;
}

bool util_path_is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        if (strcmp(ancestor, "/") == 0)
                return *path == '/';
        return strncmp(path, ancestor, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

int util_replace(char **to, const char *from) {
        char *copy = strdup(from);

        if (!copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

/* one character inside quotes; E_INVALIDARG for a bad escape */
static int take_quoted(char **in, char **out) {
        char *s = *in;
        int high, low;

        if (*s != '\\') {
                *(*out)++ = *s;
                *in = s + 1;
                return 0;
        }
        if (s[1] == '"' || s[1] == '\\') {
                *(*out)++ = s[1];
                *in = s + 2;
                return 0;
        }
        if (s[1] != 'x' || (high = hex_digit(s[2])) < 0 || (low = hex_digit(s[3])) < 0 ||
            (high | low) == 0)
                return E_INVALIDARG;
        *(*out)++ = (char)(high << 4 | low);
        *in = s + 4;
        return 0;
}

int util_next_word(char **rest, char **ret) {
        char *in = *rest + strspn(*rest, " \t"), *out = in;
        bool quoted = false;

        if (!*in)
                return 0;
        *ret = out;
        while (*in && (quoted || (*in != ' ' && *in != '\t'))) {
                if (*in == '"') {
                        quoted = !quoted;
                        in++;
                } else if (quoted) {
                        if (take_quoted(&in, &out) < 0)
                                return E_INVALIDARG;
                } else {
                        *out++ = *in++;
                }
        }
        if (quoted)
                return E_INVALIDARG;
        *rest = *in ? in + 1 : in;
        *out = '\0';
        return 1;
}

int util_bool(const char *value, bool *ret) {
        static const char *const words[] = { "no", "yes", "false", "true", "0", "1", NULL };
        int i = util_word_in(value, words);

        if (i < 0)
                return E_INVALIDARG;
        *ret = i & 1;
        return 0;
}

int util_duration_ms(const char *value, uint32_t *ret) {
        static const struct {
                const char *unit;
                uint32_t factor;
        } units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "min", 60000 } };
        char *end;
        unsigned long number;

        if (*value < '0' || *value > '9')
                return E_INVALIDARG;
        errno = 0;
        number = strtoul(value, &end, 10);
        end += strspn(end, " ");
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strcasecmp(end, units[i].unit) == 0) {
                        if (errno || number > INT32_MAX / units[i].factor)
                                return E_INVALIDARG;
                        *ret = (uint32_t)number * units[i].factor;
                        return 0;
                }
        return E_INVALIDARG;
}

int util_number(const char *value, uint64_t max, uint64_t *ret) {
        char *end;
        unsigned long long number;

        if (*value < '0' || *value > '9')
                return E_INVALIDARG;
        errno = 0;
        number = strtoull(value, &end, strncasecmp(value, "0x", 2) == 0 ? 16 : 10);
        if (errno || *end || number > max)
                return E_INVALIDARG;
        *ret = number;
        return 0;
}

int util_word_in(const char *word, const char *const *words) {
        for (int i = 0; words[i]; i++)
                if (strcasecmp(word, words[i]) == 0)
                        return i;
        return -1;
}
