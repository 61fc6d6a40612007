/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "volume/volume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

/* The strings of a volume, in the order in which they are written. */
static const struct {
        const char *key;
        size_t offset;
} strings[] = {
        { "id", offsetof(struct volume, v.id) },
        { "mount-point", offsetof(struct volume, v.mount_point) },
        { "device", offsetof(struct volume, v.device) },
        { "fs-type", offsetof(struct volume, v.fs_type) },
        { "fs-uuid", offsetof(struct volume, v.fs_uuid) },
        { "subvolume", offsetof(struct volume, v.subvolume) },
        { "refusal", offsetof(struct volume, refusal) },
};

static char **string_of(struct volume *volume, size_t i) {
        return (char **)((char *)volume + strings[i].offset);
}

static const char *const_string_of(const struct volume *volume, size_t i) {
        return *(const char *const *)((const char *)volume + strings[i].offset);
}

void volume_clear(struct volume *volume) {
        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                free(*string_of(volume, i));
        *volume = (struct volume){ 0 };
}

void volume_list_clear(struct volume_list *list) {
        for (size_t i = 0; i < list->count; i++)
                volume_clear(&list->items[i]);
        free(list->items);
        *list = (struct volume_list){ 0 };
}

int volume_clone(struct volume *ret, const struct volume *from) {
        struct volume copy = *from;
        bool complete = true;

        for (size_t i = 0; i < ELEMENTSOF(strings); i++) {
                const char *text = const_string_of(from, i);
                bool required = strcmp(strings[i].key, "refusal") != 0;

                *string_of(&copy, i) = text ? strdup(text) : required ? strdup("") : NULL;
                complete &= *string_of(&copy, i) || (!text && !required);
        }
        if (!complete) {
                volume_clear(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

int volume_list_add(struct volume_list *list, const struct volume *volume) {
        int r = ARRAY_RESERVE(&list->items, list->count, &list->capacity);

        if (r == 0)
                r = volume_clone(&list->items[list->count], volume);
        if (r == 0)
                list->count++;
        return r;
}

static void write_pair(FILE *file, const char *key, const char *value) {
        (void)fwrite(key, strlen(key) + 1, 1, file);
        (void)fwrite(value, strlen(value) + 1, 1, file);
}

static void write_number(FILE *file, const char *key, int64_t value) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        write_pair(file, key, text);
}

static int write_close(FILE *file) {
        (void)fputc('\0', file);
        return ferror(file) ? -EIO : 0;
}

int volume_write(FILE *file, const struct volume *volume) {
        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                if (const_string_of(volume, i))
                        write_pair(file, strings[i].key, const_string_of(volume, i));
        write_number(file, "mount-id", (int64_t)volume->v.mount_id);
        write_number(file, "dev-major", volume->v.dev_major);
        write_number(file, "dev-minor", volume->v.dev_minor);
        write_number(file, "read-only", volume->v.read_only);
        return write_close(file);
}

int volume_write_end(FILE *file, const struct vss_error *failure) {
        if (failure->code < 0) {
                write_number(file, "error", failure->code);
                write_pair(file, "message", vss_error_message(failure));
        } else
                write_pair(file, "end", "");
        return write_close(file);
}

/* What is known of one record while its pairs are read. */
struct record {
        struct volume volume;
        bool end;
        int64_t error;
        const char *message;
};

static void take_number(struct record *record, const char *key, int64_t number) {
        if (strcmp(key, "mount-id") == 0)
                record->volume.v.mount_id = (uint64_t)number;
        else if (strcmp(key, "dev-major") == 0)
                record->volume.v.dev_major = (uint32_t)number;
        else if (strcmp(key, "dev-minor") == 0)
                record->volume.v.dev_minor = (uint32_t)number;
        else if (strcmp(key, "read-only") == 0)
                record->volume.v.read_only = number != 0;
        else if (strcmp(key, "error") == 0)
                record->error = number;
}

static int take_pair(struct record *record, const char *key, const char *value) {
        for (size_t i = 0; i < ELEMENTSOF(strings); i++)
                if (strcmp(key, strings[i].key) == 0) {
                        free(*string_of(&record->volume, i));
                        *string_of(&record->volume, i) = strdup(value);
                        return *string_of(&record->volume, i) ? 0 : -ENOMEM;
                }
        if (strcmp(key, "end") == 0)
                record->end = true;
        else if (strcmp(key, "message") == 0)
                record->message = value;
        else
                take_number(record, key, strtoll(value, NULL, 10));
        return 0;
}

/* The next string of @text, or NULL when no NUL is left. */
static const char *next_string(const char **text, const char *limit) {
        const char *s = *text, *nul = memchr(s, 0, (size_t)(limit - s));

        if (nul)
                *text = nul + 1;
        return nul ? s : NULL;
}

static int read_record(struct record *record, const char **text, const char *limit) {
        const char *key, *value;

        while ((key = next_string(text, limit)) && *key) {
                int r;

                value = next_string(text, limit);
                if (!value)
                        return -EBADMSG;
                r = take_pair(record, key, value);
                if (r < 0)
                        return r;
        }
        return key ? 0 : -EBADMSG;
}

int volume_list_read(struct volume_list *list, const char *text, size_t size, size_t *ret_used,
                     struct vss_error *reterr) {
        const char *begin = text, *limit = text + size;

        *ret_used = 0;
        for (;;) {
                struct record record = { 0 };
                int r = read_record(&record, &text, limit);

                if (r == 0 && !record.end && record.error == 0)
                        r = volume_list_add(list, &record.volume);
                volume_clear(&record.volume);
                if (r < 0)
                        return vss_fail(reterr, r, "the volume probe ended before it had answered");
                if (record.error < 0 || record.end)
                        *ret_used = (size_t)(text - begin);
                if (record.error < 0)
                        return vss_fail(reterr, (int)record.error, "%s",
                                        record.message ? record.message : "probing failed");
                if (record.end)
                        return 0;
        }
}
