/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set-file.c - what a set says about itself, and the digest of each of its files: the record, and
 * how it is read from backup-set.txt (set-file-write.c writes it).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"

static const char *const type_names[] = {
        [VSS_BT_FULL] = "full",
        [VSS_BT_INCREMENTAL] = "incremental",
        [VSS_BT_DIFFERENTIAL] = "differential",
        [VSS_BT_LOG] = "log",
        [VSS_BT_COPY] = "copy",
        [VSS_BT_OTHER] = "other",
};

const char *backup_type_name(uint32_t type) {
        return type < ELEMENTSOF(type_names) ? type_names[type] : NULL;
}

static int parse_type(const char *text, uint32_t *ret) {
        for (uint32_t i = 0; i < ELEMENTSOF(type_names); i++) {
                if (type_names[i] && strcmp(type_names[i], text) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        return -EBADMSG;
}

char *operation_file(uint32_t operation, const char *name) {
        char *path;

        return asprintf(&path, "op-%u/%s", operation, name) < 0 ? NULL : path;
}

static void component_done(struct set_component *component) {
        free((void *)(uintptr_t)component->key.instance_name);
        free((void *)(uintptr_t)component->key.logical_path);
        free((void *)(uintptr_t)component->key.name);
        free(component->words);
}

struct set_record *set_record_free(struct set_record *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->info.operations_count; i++) {
                struct set_operation *operation = &set->info.operations[i];

                for (size_t j = 0; j < operation->components_count; j++)
                        component_done(&operation->components[j]);
                free(operation->components);
        }
        for (size_t i = 0; i < set->files_count; i++)
                free(set->files[i].name);
        for (size_t i = 0; i < set->failures_count; i++) {
                free(set->failures[i].path);
                free(set->failures[i].words);
        }
        free(set->info.operations);
        free(set->info.folder);
        free(set->info.label);
        free(set->info.host);
        free(set->files);
        free(set->failures);
        free(set);
        return NULL;
}

int set_add_file(struct set_record *set, const char *name, uint64_t size,
                 const uint8_t digest[DIGEST_SIZE]) {
        struct stored_file *file = NULL;
        int r;

        for (size_t i = 0; i < set->files_count; i++)
                if (strcmp(set->files[i].name, name) == 0)
                        file = &set->files[i];
        if (!file) {
                r = ARRAY_RESERVE(&set->files, set->files_count, &set->files_capacity);
                if (r < 0)
                        return r;
                file = &set->files[set->files_count];
                file->name = strdup(name);
                if (!file->name)
                        return -ENOMEM;
                set->files_count++;
        } else {
                set->info.stored_bytes -= file->size;
        }
        file->size = size;
        memcpy(file->digest, digest, DIGEST_SIZE);
        set->info.stored_bytes += size;
        return 0;
}

const struct stored_file *set_find_file(const struct set_record *set, const char *name) {
        for (size_t i = 0; i < set->files_count; i++)
                if (strcmp(set->files[i].name, name) == 0)
                        return &set->files[i];
        return NULL;
}

struct set_operation *set_add_operation(struct set_record *set, uint32_t type) {
        struct set_info *info = &set->info;
        struct set_operation *operation;

        if (ARRAY_RESERVE(&info->operations, info->operations_count, &info->operations_capacity) <
            0)
                return NULL;
        operation = &info->operations[info->operations_count++];
        *operation =
                (struct set_operation){ .number = (uint32_t)info->operations_count, .type = type };
        return operation;
}

struct set_component *operation_add_component(struct set_operation *operation,
                                              const struct component_key *key) {
        struct set_component *component;

        if (ARRAY_RESERVE(&operation->components, operation->components_count,
                          &operation->components_capacity) < 0)
                return NULL;
        component = &operation->components[operation->components_count];
        *component = (struct set_component){ .key = { .writer_id = key->writer_id,
                                                      .instance_name = strdup(key->instance_name),
                                                      .type = key->type,
                                                      .logical_path = strdup(key->logical_path),
                                                      .name = strdup(key->name) },
                                             .good = true };
        if (!component->key.instance_name || !component->key.logical_path || !component->key.name) {
                component_done(component);
                return NULL;
        }
        operation->components_count++;
        return component;
}

/* ---- reading ---- */

static int parse_id(const char *field, struct vss_id *ret) {
        *ret = (struct vss_id){ 0 };
        if (strcmp(field, "-") == 0)
                return 0;
        return vss_id_parse(field, ret) < 0 ? -EBADMSG : 0;
}

static struct set_operation *last_operation(struct set_record *set) {
        struct set_info *info = &set->info;

        return info->operations_count > 0 ? &info->operations[info->operations_count - 1] : NULL;
}

static int parse_component(struct set_record *set, char **f) {
        struct set_operation *operation = last_operation(set);
        struct set_component *component, read = { 0 };
        uint32_t number = 0, index = 0;

        for (int i = 1; i < 16; i++)
                if (field_unescape(f[i]) < 0)
                        return -EBADMSG;
        if (!operation || field_u32(f[1], &number) < 0 || number != operation->number ||
            field_u32(f[2], &index) < 0 || index != operation->components_count ||
            parse_id(f[4], &read.key.writer_id) < 0 || field_u32(f[6], &read.key.type) < 0 ||
            parse_id(f[9], &read.base) < 0 || field_u32(f[10], &read.base_operation) < 0 ||
            field_u32(f[11], &read.base_component) < 0 || field_number(f[12], &read.entries) < 0 ||
            field_number(f[13], &read.bytes) < 0 || field_number(f[14], &read.gone) < 0)
                return -EBADMSG;
        read.key.instance_name = f[5];
        read.key.logical_path = f[7];
        read.key.name = f[8];
        component = operation_add_component(operation, &read.key);
        if (!component)
                return -ENOMEM;
        component->good = strcmp(f[3], "good") == 0;
        component->base = read.base;
        component->base_operation = read.base_operation;
        component->base_component = read.base_component;
        component->entries = read.entries;
        component->bytes = read.bytes;
        component->gone = read.gone;
        component->words = f[15][0] ? strdup(f[15]) : NULL;
        return f[15][0] && !component->words ? -ENOMEM : 0;
}

static int parse_operation(struct set_record *set, char **f) {
        uint32_t number = 0, type = 0;

        if (field_u32(f[1], &number) < 0 || number != set->info.operations_count + 1 ||
            parse_type(f[2], &type) < 0)
                return -EBADMSG;
        return set_add_operation(set, type) ? 0 : -ENOMEM;
}

static int parse_failure(struct set_record *set, char **f) {
        struct set_failure failure = { 0 };
        int64_t code = 0;

        if (field_u32(f[1], &failure.operation) < 0 || field_u32(f[2], &failure.component) < 0 ||
            field_signed(f[3], &code) < 0 || code < INT32_MIN || code > 0 ||
            field_unescape(f[4]) < 0 || field_unescape(f[5]) < 0)
                return -EBADMSG;
        failure.code = (int)code;
        if (ARRAY_RESERVE(&set->failures, set->failures_count, &set->failures_capacity) < 0)
                return -ENOMEM;
        failure.path = strdup(f[4]);
        failure.words = strdup(f[5]);
        set->failures[set->failures_count++] = failure;
        return failure.path && failure.words ? 0 : -ENOMEM;
}

static int parse_file(struct set_record *set, char **f) {
        uint8_t digest[DIGEST_SIZE];
        uint64_t size = 0;

        if (field_unescape(f[1]) < 0 || field_number(f[2], &size) < 0 ||
            field_hex(f[3], digest, DIGEST_SIZE) < 0 || f[1][0] == '/' || strstr(f[1], ".."))
                return -EBADMSG;
        return set_add_file(set, f[1], size, digest);
}

static int parse_text(char *field, char **ret) {
        if (field_unescape(field) < 0 || *ret)
                return -EBADMSG;
        *ret = strdup(field);
        return *ret ? 0 : -ENOMEM;
}

static int parse_id_line(struct set_record *set, char **f) {
        return parse_id(f[1], &set->info.id);
}

static int parse_time_line(struct set_record *set, char **f) {
        return field_signed(f[1], &set->info.time);
}

static int parse_number_line(struct set_record *set, char **f) {
        return field_number(f[1], &set->info.number);
}

static int parse_type_line(struct set_record *set, char **f) {
        return parse_type(f[1], &set->info.type);
}

static int parse_label(struct set_record *set, char **f) {
        return parse_text(f[1], &set->info.label);
}

static int parse_host(struct set_record *set, char **f) {
        return parse_text(f[1], &set->info.host);
}

static const struct {
        const char *word;
        size_t fields;
        int (*parse)(struct set_record *set, char **f);
} line_kinds[] = {
        { "id", 2, parse_id_line },          { "time", 3, parse_time_line },
        { "number", 2, parse_number_line },  { "type", 2, parse_type_line },
        { "label", 2, parse_label },         { "host", 2, parse_host },
        { "operation", 3, parse_operation }, { "component", 16, parse_component },
        { "failure", 6, parse_failure },     { "file", 4, parse_file },
};

static int parse_line(struct set_record *set, char *line) {
        char *f[16];
        size_t count = field_split(line, f, 16);

        for (size_t i = 0; i < ELEMENTSOF(line_kinds); i++)
                if (strcmp(f[0], line_kinds[i].word) == 0)
                        return count == line_kinds[i].fields ? line_kinds[i].parse(set, f)
                                                             : -EBADMSG;
        return -EBADMSG;
}

/* the last line must be the digest of everything before; returns the size of that, or negative */
static int check_digest(const char *text, size_t size, size_t *ret_size) {
        static const size_t last = 7 + 2 * DIGEST_SIZE + 1;
        uint8_t said[DIGEST_SIZE], is[DIGEST_SIZE];
        char hex[2 * DIGEST_SIZE + 1];

        if (size <= last || text[size - 1] != '\n' ||
            memcmp(text + size - last, "sha256\t", 7) != 0)
                return -EBADMSG;
        memcpy(hex, text + size - last + 7, 2 * DIGEST_SIZE);
        hex[2 * DIGEST_SIZE] = '\0';
        if (field_hex(hex, said, DIGEST_SIZE) < 0 || digest_bytes(text, size - last, is) < 0 ||
            memcmp(said, is, DIGEST_SIZE) != 0)
                return -EBADMSG;
        *ret_size = size - last;
        return 0;
}

int set_record_parse(char *text, size_t size, struct set_record *set, struct vss_error *reterr) {
        static const char head[] = "vss-backup-set\t";
        char *p = text + strlen(head), *next;
        size_t body = 0;
        int r;

        if (size < sizeof(head) || memcmp(text, head, strlen(head)) != 0)
                return vss_fail(reterr, -EBADMSG, "this is not the description of a backup set");
        if (strncmp(p, "1\n", 2) != 0)
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                                "the set was written by a newer version; use that to read it");
        if (check_digest(text, size, &body) < 0)
                return vss_fail(reterr, -EBADMSG,
                                "the file is damaged or cut off (its digest does "
                                "not fit)");
        text[body] = '\0';
        for (p += 2; *p; p = next) {
                next = strchrnul(p, '\n');
                if (*next)
                        *next++ = '\0';
                r = parse_line(set, p);
                if (r < 0)
                        return vss_fail(reterr, r, "line '%.40s' makes no sense", p);
        }
        if (vss_id_is_null(&set->info.id) || !set->info.label || !set->info.host)
                return vss_fail(reterr, -EBADMSG, "lines are missing");
        return 0;
}
