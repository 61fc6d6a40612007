/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * output.c - how vssctl speaks: JSON lines for programs, safe text for people, one progress line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "vssctl.h"

/* ---- a growing line ---- */

static void put(struct json *json, const char *bytes, size_t size) {
        while (!json->failed && json->size + size + 1 > json->capacity) {
                size_t want = json->capacity ? json->capacity * 2 : 256;
                char *grown = realloc(json->text, want);

                if (!grown)
                        json->failed = true;
                else {
                        json->text = grown;
                        json->capacity = want;
                }
        }
        if (json->failed)
                return;
        memcpy(json->text + json->size, bytes, size);
        json->size += size;
        json->text[json->size] = '\0';
}

static void put_format(struct json *json, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void put_format(struct json *json, const char *format, ...) {
        char text[64];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        put(json, text, (size_t)n);
}

/* utf8_length() - bytes of the valid sequence at @s, 0 when it is none */
static size_t utf8_length(const unsigned char *s) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        size_t n = s[0] < 0x80       ? 1
                   : s[0] >> 5 == 6  ? 2
                   : s[0] >> 4 == 14 ? 3
                   : s[0] >> 3 == 30 ? 4
                                     : 0;
        uint32_t c;

        if (n <= 1)
                return n;
        c = s[0] & (0xffu >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if (s[i] >> 6 != 2)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static void put_quoted(struct json *json, const char *bytes) {
        const unsigned char *s = (const unsigned char *)bytes;

        put(json, "\"", 1);
        while (*s) {
                size_t n = utf8_length(s);

                if (n == 0) {
                        put_format(json, "\\udc%02x", *s++);
                        continue;
                }
                if (*s == '"' || *s == '\\')
                        put(json, "\\", 1);
                if (*s < 0x20 || *s == 0x7f)
                        put_format(json, "\\u%04x", *s);
                else
                        put(json, (const char *)s, n);
                s += n;
        }
        put(json, "\"", 1);
}

static void put_key(struct json *json, const char *key) {
        put(json, json->size ? "," : "{", 1);
        put_quoted(json, key);
        put(json, ":", 1);
}

void json_string(struct json *json, const char *key, const char *bytes) {
        put_key(json, key);
        if (bytes)
                put_quoted(json, bytes);
        else
                put(json, "null", 4);
}

void json_number(struct json *json, const char *key, int64_t value) {
        put_key(json, key);
        put_format(json, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value) {
        put_key(json, key);
        put_format(json, value ? "true" : "false");
}

void json_code(struct json *json, const char *key, int code) {
        char hex[16];

        json_string(json, key, vss_error_name(code));
        snprintf(hex, sizeof(hex), "0x%08x", (unsigned)code);
        json_string(json, "hex", hex);
}

void json_id(struct json *json, const char *key, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        json_string(json, key, vss_id_format(id, text));
}

static time_t seconds_of(vss_timestamp_t time) {
        uint32_t nanoseconds;
        int64_t seconds;

        vss_timestamp_to_unix(time, &seconds, &nanoseconds);
        return (time_t)seconds;
}

void json_time(struct json *json, const char *key, vss_timestamp_t time) {
        time_t t = seconds_of(time);
        char text[40];
        struct tm tm;

        gmtime_r(&t, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
        json_string(json, key, time ? text : NULL);
}

void json_strings(struct json *json, const char *key, const char *const *list) {
        put_key(json, key);
        put(json, "[", 1);
        for (size_t i = 0; list && list[i]; i++) {
                if (i > 0)
                        put(json, ",", 1);
                put_quoted(json, list[i]);
        }
        put(json, "]", 1);
}

int json_print(struct json *json) {
        bool failed = json->failed;

        if (!failed) {
                put(json, json->size ? "}\n" : "{}\n", json->size ? 2 : 3);
                failed = json->failed || fwrite(json->text, 1, json->size, stdout) != json->size;
        }
        free(json->text);
        memset(json, 0, sizeof(*json));
        return failed ? EXIT_MEMORY : EXIT_OK;
}

/* ---- for people ---- */

static char **ring_slot(void) {
        static char *ring[8];
        static unsigned next;
        char **slot = &ring[next++ % ELEMENTSOF(ring)];

        free(*slot);
        *slot = NULL;
        return slot;
}

static const char *ring_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

static const char *ring_format(const char *format, ...) {
        char **slot = ring_slot();
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(slot, format, ap);
        va_end(ap);
        if (n < 0)
                *slot = NULL;
        return *slot ? *slot : "(out of memory)";
}

const char *printable(const char *bytes) {
        const unsigned char *s = (const unsigned char *)(bytes ? bytes : "");
        char **slot = ring_slot(), *p = malloc(strlen((const char *)s) * 4 + 1);

        *slot = p;
        if (!p)
                return "(out of memory)";
        while (*s) {
                size_t n = utf8_length(s);

                /* C1 controls, two bytes from 0xc2 0x80 to 0xc2 0x9f, move cursors as well */
                if (n == 0 || *s < 0x20 || *s == 0x7f || (n == 2 && *s == 0xc2 && s[1] < 0xa0)) {
                        p += sprintf(p, "\\x%02x", *s++);
                        continue;
                }
                memcpy(p, s, n);
                p += n;
                s += n;
        }
        *p = '\0';
        return *slot;
}

const char *format_id(const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        return ring_format("{%s}", vss_id_format(id, text));
}

const char *format_time(vss_timestamp_t time) {
        time_t t = seconds_of(time);
        char text[40];
        struct tm tm;

        localtime_r(&t, &tm);
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        return ring_format("%s", text);
}

const char *format_bytes(uint64_t bytes) {
        static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB" };
        double value = (double)bytes;
        size_t unit = 0;

        while (value >= 1000 && unit + 1 < ELEMENTSOF(units)) {
                value /= 1000;
                unit++;
        }
        return ring_format(unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

const char *format_entries(uint64_t count) {
        return ring_format("%" PRIu64 " %s", count, count == 1 ? "entry" : "entries");
}

const char *writer_state_word(uint32_t state) {
        static const char *const words[] = {
                [VSS_WS_UNKNOWN] = "Unknown",
                [VSS_WS_STABLE] = "Stable",
                [VSS_WS_WAITING_FOR_FREEZE] = "Waiting for freeze",
                [VSS_WS_WAITING_FOR_THAW] = "Frozen",
                [VSS_WS_WAITING_FOR_POST_SNAPSHOT] = "Waiting for post-snapshot",
                [VSS_WS_WAITING_FOR_BACKUP_COMPLETE] = "Waiting for completion",
                [VSS_WS_FAILED_AT_IDENTIFY] = "Failed at identify",
                [VSS_WS_FAILED_AT_PREPARE_BACKUP] = "Failed at prepare backup",
                [VSS_WS_FAILED_AT_PREPARE_SNAPSHOT] = "Failed at prepare snapshot",
                [VSS_WS_FAILED_AT_FREEZE] = "Failed at freeze",
                [VSS_WS_FAILED_AT_THAW] = "Failed at thaw",
                [VSS_WS_FAILED_AT_POST_SNAPSHOT] = "Failed at post-snapshot",
                [VSS_WS_FAILED_AT_BACKUP_COMPLETE] = "Failed at backup complete",
                [VSS_WS_FAILED_AT_PRE_RESTORE] = "Failed at pre-restore",
                [VSS_WS_FAILED_AT_POST_RESTORE] = "Failed at post-restore",
                [VSS_WS_FAILED_AT_BACKUPSHUTDOWN] = "Failed at backup shutdown",
        };

        return state < ELEMENTSOF(words) ? words[state] : "Unknown";
}

const char *backup_type_word(uint32_t type) {
        static const char *const words[] = { "undefined", "full", "incremental", "differential",
                                             "log",       "copy", "other" };

        return type < ELEMENTSOF(words) ? words[type] : words[0];
}

const char *attribute_words(uint32_t attributes) {
        static const struct {
                uint32_t bit;
                const char *word;
        } words[] = {
                { VSS_VOLSNAP_ATTR_TRANSPORTABLE, "Transportable" },
                { VSS_VOLSNAP_ATTR_PERSISTENT, "Persistent" },
                { VSS_VOLSNAP_ATTR_CLIENT_ACCESSIBLE, "Client_accessible" },
                { VSS_VOLSNAP_ATTR_HARDWARE_ASSISTED, "Hardware" },
                { VSS_VOLSNAP_ATTR_NO_WRITERS, "No_Writers" },
                { VSS_VOLSNAP_ATTR_IMPORTED, "Imported" },
                { VSS_VOLSNAP_ATTR_PLEX, "Plex" },
                { VSS_VOLSNAP_ATTR_DIFFERENTIAL, "Differential" },
                { VSS_VOLSNAP_ATTR_NO_AUTORECOVERY, "No_Autorecovery" },
                { VSS_VOLSNAP_ATTR_AUTORECOVER, "Autorecover" },
                { VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY, "Rollback_recovery" },
        };
        const char *text =
                ring_format("%s", attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE ? "No_Auto_Release"
                                                                                : "Auto_Release");

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (attributes & words[i].bit)
                        text = ring_format("%s %s", text, words[i].word);
        return text;
}

void progress(const char *format, ...) {
        static bool shown;
        struct winsize size;
        _Bool clear = *format == '\0';
        char text[256];
        va_list ap;

        if (arg_quiet || arg_json || !isatty(STDERR_FILENO) || (clear && !shown))
                return;
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 &&
            size.ws_col <= sizeof(text))
                text[size.ws_col - 1] = '\0';
        fprintf(stderr, "\r\033[K%s", text);
        fflush(stderr);
        shown = !clear;
}

void print_note(const char *words) {
        struct json json = { 0 };

        progress("%s", "");
        if (!arg_json) {
                fprintf(stderr, "vssctl: note: %s\n", printable(words));
                return;
        }
        json_string(&json, "record", "note");
        json_string(&json, "message", words);
        (void)json_print(&json);
}

void print_trouble(const char *where, const char *path, const char *placed, int code,
                   const char *words) {
        struct json json = { 0 };

        progress("%s", "");
        if (!arg_json) {
                size_t n = strlen(path);

                /* words that begin with the path, "'PATH' is lost", need it no second time */
                if (*words == '\'' && n > 0 && strncmp(words + 1, path, n) == 0 &&
                    strncmp(words + 1 + n, "' is ", 5) == 0)
                        words += n + 6;
                fprintf(stderr, "vssctl: %s%s%s%s%s\n", printable(where), *where ? ": " : "",
                        printable(path), *path ? ": " : "", printable(words));
                return;
        }
        json_string(&json, "record", "trouble");
        json_string(&json, "where", where);
        json_string(&json, "path", path);
        json_string(&json, "placed", placed);
        json_code(&json, "code", code);
        json_string(&json, "message", words);
        (void)json_print(&json);
}
