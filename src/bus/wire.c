/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.c - dictionaries by table, both ways. The tables stand in wire-records.c, errors and
 * connections in wire-error.c.
 */
#define _GNU_SOURCE
#include "bus/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"

static void *field_of(const struct wire_field *field, void *record) {
        return (char *)record + field->offset;
}

static const void *const_field_of(const struct wire_field *field, const void *record) {
        return (const char *)record + field->offset;
}

/* ---- writing ---- */

int wire_append_options(sd_bus_message *m) {
        int r = sd_bus_message_append(m, "a{sv}", 0);

        return r < 0 ? r : 0;
}

int wire_append_id(sd_bus_message *m, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE] = "";

        if (id && !vss_id_is_null(id))
                vss_id_format(id, text);
        return sd_bus_message_append_basic(m, 's', text);
}

int wire_append_path(sd_bus_message *m, const char *path) {
        return sd_bus_message_append_array(m, 'y', path, path ? strlen(path) : 0);
}

int wire_append_paths(sd_bus_message *m, const char *const *paths) {
        int r = sd_bus_message_open_container(m, 'a', "ay");

        for (size_t i = 0; r >= 0 && paths && paths[i]; i++)
                r = wire_append_path(m, paths[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_pairs(sd_bus_message *m, char *const *pairs) {
        int r = sd_bus_message_open_container(m, 'a', "(ss)");

        for (size_t i = 0; r >= 0 && pairs[i] && pairs[i + 1]; i += 2)
                r = sd_bus_message_append(m, "(ss)", pairs[i], pairs[i + 1]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static const char *const signatures[] = {
        [WIRE_U32] = "u",    [WIRE_I32] = "i",        [WIRE_U64] = "t",
        [WIRE_I64] = "x",    [WIRE_BOOL] = "b",       [WIRE_BOOL32] = "b",
        [WIRE_STRING] = "s", [WIRE_PATH] = "ay",      [WIRE_PATHS] = "aay",
        [WIRE_BYTES] = "ay", [WIRE_ID] = "s",         [WIRE_PAIRS] = "a(ss)",
        [WIRE_STREAM] = "h", [WIRE_RECORD] = "a{sv}", [WIRE_RECORDS] = "aa{sv}",
};

static bool is_set(const struct wire_field *field, const void *value) {
        switch (field->type) {
        case WIRE_STRING:
        case WIRE_PATH:
        case WIRE_PATHS:
        case WIRE_PAIRS:
                return *(void *const *)value != NULL;
        case WIRE_BYTES:
                return ((const struct wire_bytes *)value)->size > 0;
        case WIRE_STREAM:
                return ((const struct wire_stream *)value)->given;
        case WIRE_U32:
        case WIRE_I32:
        case WIRE_U64:
        case WIRE_I64:
        case WIRE_BOOL:
        case WIRE_BOOL32:
        case WIRE_ID:
        case WIRE_RECORD:
        case WIRE_RECORDS:
                break;
        }
        return true;
}

/* a plug-in's words may hold a name's bytes; they must not cost the whole message */
static int append_string(sd_bus_message *m, const char *text) {
        _cleanup_free_ char *clean = wire_words(text);

        return clean ? sd_bus_message_append_basic(m, 's', clean) : -ENOMEM;
}

static int append_value(sd_bus_message *m, const struct wire_field *field, const void *value) {
        const struct wire_bytes *bytes = value;
        int b;

        switch (field->type) {
        case WIRE_U32:
        case WIRE_I32:
        case WIRE_U64:
        case WIRE_I64:
                return sd_bus_message_append_basic(m, signatures[field->type][0], value);
        case WIRE_BOOL:
                b = *(const bool *)value;
                return sd_bus_message_append_basic(m, 'b', &b);
        case WIRE_BOOL32:
                b = *(const uint32_t *)value != 0;
                return sd_bus_message_append_basic(m, 'b', &b);
        case WIRE_STRING:
                return append_string(m, *(const char *const *)value);
        case WIRE_PATH:
                return wire_append_path(m, *(const char *const *)value);
        case WIRE_PATHS:
                return wire_append_paths(m, *(const char *const *const *)value);
        case WIRE_BYTES:
                return sd_bus_message_append_array(m, 'y', bytes->data, bytes->size);
        case WIRE_ID:
                return wire_append_id(m, value);
        case WIRE_PAIRS:
                return append_pairs(m, *(char *const *const *)value);
        case WIRE_STREAM:
                return sd_bus_message_append_basic(m, 'h',
                                                   &((const struct wire_stream *)value)->fd);
        case WIRE_RECORD:
                return wire_append(m, field->record, value);
        case WIRE_RECORDS:
                return wire_append_records(m, field->record, value);
        }
        return -EINVAL;
}

static int append_entry(sd_bus_message *m, const struct wire_field *field, const void *value) {
        int r = sd_bus_message_open_container(m, 'e', "sv");

        if (r < 0)
                return r;
        r = sd_bus_message_append_basic(m, 's', field->key);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, 'v', signatures[field->type]);
        if (r < 0)
                return r;
        r = append_value(m, field, value);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int wire_append(sd_bus_message *m, const struct wire_table *table, const void *record) {
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (const struct wire_field *f = table->fields; r >= 0 && f->key; f++)
                if (is_set(f, const_field_of(f, record)))
                        r = append_entry(m, f, const_field_of(f, record));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int wire_append_records(sd_bus_message *m, const struct wire_table *table,
                        const struct wire_records *records) {
        int r = sd_bus_message_open_container(m, 'a', "a{sv}");

        for (size_t i = 0; r >= 0 && i < records->count; i++)
                r = wire_append(m, table, (const char *)records->items + i * table->size);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* ---- reading ---- */

int wire_read_id(sd_bus_message *m, struct vss_id *ret) {
        const char *text;
        int r = sd_bus_message_read_basic(m, 's', &text);

        if (r < 0)
                return r;
        if (!*text) {
                *ret = (struct vss_id){ 0 };
                return 0;
        }
        return vss_id_parse(text, ret) < 0 ? -EBADMSG : 0;
}

int wire_read_path(sd_bus_message *m, char **ret) {
        const void *bytes;
        char *path;
        size_t size;
        int r = sd_bus_message_read_array(m, 'y', &bytes, &size);

        if (r < 0)
                return r;
        if (size > 0 && memchr(bytes, 0, size))
                return -EBADMSG;
        path = malloc(size + 1);
        if (!path)
                return -ENOMEM;
        if (size > 0)
                memcpy(path, bytes, size);
        path[size] = '\0';
        *ret = path;
        return 0;
}

void wire_free_strings(char **strings) {
        for (size_t i = 0; strings && strings[i]; i++)
                free(strings[i]);
        free(strings);
}

/* A growing NULL-terminated array of strings. */
struct strings {
        char **items;
        size_t count, capacity;
};

static int strings_take(struct strings *s, char *text) {
        int r = text ? ARRAY_RESERVE(&s->items, s->count, &s->capacity) : -ENOMEM;

        if (r < 0) {
                free(text);
                return r;
        }
        s->items[s->count++] = text;
        return 0;
}

static int strings_finish(struct strings *s, int r, char ***ret) {
        if (r >= 0)
                r = ARRAY_RESERVE(&s->items, s->count, &s->capacity);
        if (r < 0) {
                while (s->count > 0)
                        free(s->items[--s->count]);
                free(s->items);
                return r;
        }
        s->items[s->count] = NULL;
        *ret = s->items;
        return 0;
}

int wire_read_paths(sd_bus_message *m, char ***ret) {
        struct strings paths = { 0 };
        int r = sd_bus_message_enter_container(m, 'a', "ay");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                char *path = NULL;

                r = wire_read_path(m, &path);
                if (r >= 0)
                        r = strings_take(&paths, path);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return strings_finish(&paths, r, ret);
}

static int read_pairs(sd_bus_message *m, char ***ret) {
        struct strings pairs = { 0 };
        const char *first, *second;
        int r = sd_bus_message_enter_container(m, 'a', "(ss)");

        while (r >= 0 && (r = sd_bus_message_read(m, "(ss)", &first, &second)) > 0) {
                r = strings_take(&pairs, strdup(first));
                if (r >= 0)
                        r = strings_take(&pairs, strdup(second));
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return strings_finish(&pairs, r, ret);
}

static void clear_value(const struct wire_field *field, void *value) {
        struct wire_bytes *bytes = value;

        switch (field->type) {
        case WIRE_STRING:
        case WIRE_PATH:
                free(*(void **)value);
                *(void **)value = NULL;
                break;
        case WIRE_PATHS:
        case WIRE_PAIRS:
                wire_free_strings(*(char ***)value);
                *(char ***)value = NULL;
                break;
        case WIRE_BYTES:
                free(bytes->data);
                *bytes = (struct wire_bytes){ 0 };
                break;
        case WIRE_STREAM:
                if (((struct wire_stream *)value)->given)
                        close(((struct wire_stream *)value)->fd);
                break;
        case WIRE_RECORD:
                wire_clear(field->record, value);
                break;
        case WIRE_RECORDS:
                wire_clear_records(field->record, value);
                break;
        case WIRE_U32:
        case WIRE_I32:
        case WIRE_U64:
        case WIRE_I64:
        case WIRE_BOOL:
        case WIRE_BOOL32:
        case WIRE_ID:
                break;
        }
}

void wire_clear(const struct wire_table *table, void *record) {
        for (const struct wire_field *f = table->fields; f->key; f++)
                clear_value(f, field_of(f, record));
        memset(record, 0, table->size);
}

void wire_clear_records(const struct wire_table *table, struct wire_records *records) {
        for (size_t i = 0; i < records->count; i++)
                wire_clear(table, (char *)records->items + i * table->size);
        free(records->items);
        *records = (struct wire_records){ 0 };
}

static int read_string(sd_bus_message *m, char **ret) {
        const char *text;
        int r = sd_bus_message_read_basic(m, 's', &text);

        if (r < 0)
                return r;
        *ret = strdup(text);
        return *ret ? 0 : -ENOMEM;
}

static int read_bytes(sd_bus_message *m, struct wire_bytes *ret) {
        const void *bytes;
        size_t size;
        int r = sd_bus_message_read_array(m, 'y', &bytes, &size);

        if (r < 0 || size == 0)
                return r;
        ret->data = malloc(size);
        if (!ret->data)
                return -ENOMEM;
        memcpy(ret->data, bytes, size);
        ret->size = size;
        return 0;
}

static int read_bool(sd_bus_message *m, const struct wire_field *field, void *value) {
        int b, r = sd_bus_message_read_basic(m, 'b', &b);

        if (r < 0)
                return r;
        if (field->type == WIRE_BOOL)
                *(bool *)value = b;
        else
                *(uint32_t *)value = b ? 1 : 0;
        return 0;
}

/* a copy: the message keeps its own */
static int read_stream(sd_bus_message *m, struct wire_stream *ret) {
        int fd, r = sd_bus_message_read_basic(m, 'h', &fd);

        if (r < 0)
                return r;
        ret->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (ret->fd < 0)
                return -errno;
        ret->given = true;
        return 0;
}

static int read_value(sd_bus_message *m, const struct wire_field *field, void *value) {
        clear_value(field, value); /* a key sent twice must not leak the first */
        switch (field->type) {
        case WIRE_U32:
        case WIRE_I32:
        case WIRE_U64:
        case WIRE_I64:
                return sd_bus_message_read_basic(m, signatures[field->type][0], value);
        case WIRE_BOOL:
        case WIRE_BOOL32:
                return read_bool(m, field, value);
        case WIRE_STRING:
                return read_string(m, value);
        case WIRE_PATH:
                return wire_read_path(m, value);
        case WIRE_PATHS:
                return wire_read_paths(m, value);
        case WIRE_BYTES:
                return read_bytes(m, value);
        case WIRE_ID:
                return wire_read_id(m, value);
        case WIRE_PAIRS:
                return read_pairs(m, value);
        case WIRE_STREAM:
                return read_stream(m, value);
        case WIRE_RECORD:
                return wire_read(m, field->record, value);
        case WIRE_RECORDS:
                return wire_read_records(m, field->record, value);
        }
        return -EINVAL;
}

static int read_entry(sd_bus_message *m, const struct wire_table *table, void *record) {
        const struct wire_field *f = table->fields;
        const char *key, *contents;
        char type;
        int r = sd_bus_message_read_basic(m, 's', &key);

        if (r < 0)
                return r;
        while (f->key && strcmp(f->key, key) != 0)
                f++;
        if (!f->key)
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0 || type != 'v' || strcmp(contents, signatures[f->type]) != 0)
                return -EBADMSG;
        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r < 0)
                return r;
        r = read_value(m, f, field_of(f, record));
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* Public structs promise that strings are never NULL; what was not sent is empty. */
static int fill_empty(const struct wire_table *table, void *record) {
        for (const struct wire_field *f = table->fields; f->key; f++) {
                char **text = field_of(f, record);

                if (f->type == WIRE_RECORD) {
                        int r = fill_empty(f->record, text);

                        if (r < 0)
                                return r;
                }
                if (!f->never_null || *text)
                        continue;
                *text = strdup("");
                if (!*text)
                        return -ENOMEM;
        }
        return 0;
}

static int read_entries(sd_bus_message *m, const struct wire_table *table, void *record) {
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, table, record);
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : fill_empty(table, record);
}

int wire_read(sd_bus_message *m, const struct wire_table *table, void *record) {
        int r = read_entries(m, table, record);

        if (r < 0) {
                wire_clear(table, record);
                return r == -ENXIO ? -EBADMSG : r;
        }
        return 0;
}

static int read_next_record(sd_bus_message *m, const struct wire_table *table,
                            struct wire_records *records, size_t *capacity) {
        char *item;
        int r = array_reserve(&records->items, records->count, capacity, table->size);

        if (r < 0)
                return r;
        item = (char *)records->items + records->count * table->size;
        memset(item, 0, table->size);
        r = wire_read(m, table, item);
        if (r < 0)
                return r;
        records->count++;
        return 0;
}

int wire_read_records(sd_bus_message *m, const struct wire_table *table, struct wire_records *ret) {
        struct wire_records records = { 0 };
        size_t capacity = 0;
        int r = sd_bus_message_enter_container(m, 'a', "a{sv}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                r = read_next_record(m, table, &records, &capacity);
                if (r < 0)
                        break;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0) {
                wire_clear_records(table, &records);
                return r;
        }
        *ret = records;
        return 0;
}

int wire_open_bus(const char *address, sd_bus **ret) {
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if (!address)
                return sd_bus_open_system(ret);
        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address);
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, 1);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = take(bus);
        return 0;
}
