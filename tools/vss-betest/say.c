/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * say.c - how vss-betest speaks. A record is written at once when it is complete, so that nothing
 * is left to be written while a volume is frozen (T-8).
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "betest.h"

bool arg_json;
static bool is_first;

/* bytes of the UTF-8 character at @s, 0 when there is none */
static size_t character(const unsigned char *s) {
        size_t n = s[0] < 0x80       ? 1
                   : s[0] >> 5 == 6  ? 2
                   : s[0] >> 4 == 14 ? 3
                   : s[0] >> 3 == 30 ? 4
                                     : 0;

        for (size_t i = 1; i < n; i++)
                if (s[i] >> 6 != 2)
                        return 0;
        return n;
}

/* names are bytes: what is no UTF-8 becomes a lone surrogate, as Python writes it */
static void put_quoted(const char *bytes) {
        const unsigned char *s = (const unsigned char *)bytes;

        putchar('"');
        while (*s) {
                size_t n = character(s);

                if (n == 0 || (n == 1 && (*s < 0x20 || *s == 0x7f))) {
                        printf(n == 0 ? "\\udc%02x" : "\\u%04x", *s++);
                        continue;
                }
                if (*s == '"' || *s == '\\')
                        putchar('\\');
                fwrite(s, 1, n, stdout);
                s += n;
        }
        putchar('"');
}

static void put_key(const char *key) {
        if (arg_json) {
                printf("%s\"%s\":", is_first ? "{" : ",", key);
        } else {
                printf(is_first ? "%s" : " %s", is_first ? "" : key);
                if (!is_first)
                        putchar('=');
        }
        is_first = false;
}

void say_begin(const char *record) {
        is_first = true;
        put_key("record");
        if (arg_json)
                put_quoted(record);
        else
                printf("%s", record);
}

void say_text(const char *key, const char *bytes) {
        if (!bytes)
                return;
        put_key(key);
        put_quoted(bytes);
}

void say_number(const char *key, int64_t value) {
        put_key(key);
        printf("%" PRId64, value);
}

void say_bool(const char *key, bool value) {
        put_key(key);
        fputs(arg_json ? (value ? "true" : "false") : value ? "yes" : "no", stdout);
}

void say_id(const char *key, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        put_key(key);
        printf(arg_json ? "\"%s\"" : "{%s}", vss_id_format(id, text));
}

void say_code(const char *key, int code) {
        put_key(key);
        if (arg_json) {
                put_quoted(vss_error_name(code));
                put_key("hex");
                printf("\"0x%08x\"", (unsigned)code);
        } else {
                printf("%s/0x%08x", vss_error_name(code), (unsigned)code);
        }
}

/* a stamp may be a mebibyte: only what a reader can take in */
void say_arguments(const struct words *words) {
        const char *sep = "";

        put_key("arguments");
        if (arg_json)
                putchar('[');
        for (size_t i = 0; i < words->count; i++) {
                if (!words->items[i])
                        continue; /* a variable in it was not set */
                printf("%s", sep);
                put_quoted(strlen(words->items[i]) < 256 ? words->items[i] : "...");
                sep = ",";
        }
        if (arg_json)
                putchar(']');
}

void say_end(void) {
        puts(arg_json ? "}" : "");
        fflush(stdout);
}
