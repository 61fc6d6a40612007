/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * id.c - identifiers and points in time, and the release of the shared records.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "vss/types.h"

/* 100 ns units between 1601-01-01 and 1970-01-01 */
#define UNIX_EPOCH_TICKS INT64_C(116444736000000000)
#define TICKS_PER_SECOND INT64_C(10000000)

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int vss_id_parse(const char *text, struct vss_id *ret) {
        static const int dash_before[] = { 4, 6, 8, 10 };
        struct vss_id id;
        const char *p = text;
        size_t dash = 0;

        if (!text)
                return E_INVALIDARG;
        if (*p == '{')
                p++;
        for (size_t i = 0; i < sizeof(id.bytes); i++) {
                int high, low;

                if (dash < 4 && i == (size_t)dash_before[dash]) {
                        if (*p++ != '-')
                                return E_INVALIDARG;
                        dash++;
                }
                high = hex_digit(*p);
                low = high < 0 ? -1 : hex_digit(p[1]);
                if (low < 0)
                        return E_INVALIDARG;
                id.bytes[i] = (uint8_t)(high << 4 | low);
                p += 2;
        }
        if (strcmp(p, *text == '{' ? "}" : "") != 0)
                return E_INVALIDARG;
        *ret = id;
        return 0;
}

char *vss_id_format(const struct vss_id *id, char buffer[VSS_ID_TEXT_SIZE]) {
        static const char digits[] = "0123456789abcdef";
        char *p = buffer;

        for (size_t i = 0; i < sizeof(id->bytes); i++) {
                if (i == 4 || i == 6 || i == 8 || i == 10)
                        *p++ = '-';
                *p++ = digits[id->bytes[i] >> 4];
                *p++ = digits[id->bytes[i] & 15];
        }
        *p = '\0';
        return buffer;
}

int vss_id_new(struct vss_id *ret) {
        struct vss_id id;

        if (getrandom(id.bytes, sizeof(id.bytes), 0) != (ssize_t)sizeof(id.bytes))
                return errno ? -errno : -EIO;
        id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
        id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
        *ret = id;
        return 0;
}

bool vss_id_equal(const struct vss_id *a, const struct vss_id *b) {
        return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool vss_id_is_null(const struct vss_id *id) {
        static const struct vss_id null;

        return vss_id_equal(id, &null);
}

vss_timestamp_t vss_timestamp_from_unix(int64_t seconds, uint32_t nanoseconds) {
        return seconds * TICKS_PER_SECOND + nanoseconds / 100 + UNIX_EPOCH_TICKS;
}

void vss_timestamp_to_unix(vss_timestamp_t timestamp, int64_t *ret_seconds,
                           uint32_t *ret_nanoseconds) {
        int64_t ticks = timestamp - UNIX_EPOCH_TICKS;
        int64_t seconds = ticks / TICKS_PER_SECOND, rest = ticks % TICKS_PER_SECOND;

        if (rest < 0) {
                rest += TICKS_PER_SECOND;
                seconds--;
        }
        *ret_seconds = seconds;
        *ret_nanoseconds = (uint32_t)rest * 100;
}

vss_timestamp_t vss_timestamp_now(void) {
        struct timespec ts;

        clock_gettime(CLOCK_REALTIME, &ts);
        return vss_timestamp_from_unix(ts.tv_sec, (uint32_t)ts.tv_nsec);
}

void vss_free_snapshot_properties(struct vss_snapshot_prop *prop) {
        if (!prop)
                return;
        free(prop->device_object);
        free(prop->original_volume);
        free(prop->original_mount);
        free(prop->originating_machine);
        free(prop->service_machine);
        free(prop->exposed_name);
        free(prop->exposed_path);
        memset(prop, 0, sizeof(*prop));
}

void vss_free_provider_properties(struct vss_provider_prop *prop) {
        if (!prop)
                return;
        free(prop->name);
        free(prop->title);
        free(prop->version);
        memset(prop, 0, sizeof(*prop));
}
