/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * set-file-write.c - backup-set.txt as text: written last, and its last line is the digest of the
 * lines before. Reading it is in set-file.c.
 */
#include <errno.h>
#include <time.h>

#include "backup/internal.h"

static void column(struct text *text, uint64_t number) {
        text_char(text, '\t');
        text_number(text, number);
}

static void column_text(struct text *text, const char *bytes) {
        text_char(text, '\t');
        text_field(text, bytes ? bytes : "");
}

static void column_id(struct text *text, const struct vss_id *id) {
        char buffer[VSS_ID_TEXT_SIZE];

        column_text(text, vss_id_is_null(id) ? "-" : vss_id_format(id, buffer));
}

static void put_component(struct text *text, uint32_t operation, size_t index,
                          const struct set_component *component) {
        text_string(text, "component");
        column(text, operation);
        column(text, index);
        column_text(text, component->good ? "good" : "failed");
        column_id(text, &component->key.writer_id);
        column_text(text, component->key.instance_name);
        column(text, component->key.type);
        column_text(text, component->key.logical_path);
        column_text(text, component->key.name);
        column_id(text, &component->base);
        column(text, component->base_operation);
        column(text, component->base_component);
        column(text, component->entries);
        column(text, component->bytes);
        column(text, component->gone);
        column_text(text, component->words);
        text_char(text, '\n');
}

static void put_head(struct text *text, const struct set_info *info) {
        int64_t seconds = 0;
        uint32_t nanoseconds = 0;
        char readable[40] = "";
        struct tm tm;
        time_t time;

        vss_timestamp_to_unix(info->time, &seconds, &nanoseconds);
        time = (time_t)seconds;
        if (gmtime_r(&time, &tm))
                strftime(readable, sizeof(readable), "%Y-%m-%dT%H:%M:%SZ", &tm);
        text_string(text, "vss-backup-set\t1\nid");
        column_id(text, &info->id);
        text_string(text, "\ntime\t");
        text_signed(text, info->time);
        column_text(text, readable);
        text_string(text, "\nnumber");
        column(text, info->number);
        text_string(text, "\ntype");
        column_text(text, backup_type_name(info->type));
        text_string(text, "\nlabel");
        column_text(text, info->label);
        text_string(text, "\nhost");
        column_text(text, info->host);
        text_char(text, '\n');
}

static void put_failure(struct text *text, const struct set_failure *failure) {
        text_string(text, "failure");
        column(text, failure->operation);
        column(text, failure->component);
        text_char(text, '\t');
        text_signed(text, failure->code);
        column_text(text, failure->path);
        column_text(text, failure->words);
        text_char(text, '\n');
}

int set_record_format(const struct set_record *set, struct text *ret) {
        uint8_t digest[DIGEST_SIZE];
        int r;

        put_head(ret, &set->info);
        for (size_t i = 0; i < set->info.operations_count; i++) {
                const struct set_operation *operation = &set->info.operations[i];

                text_string(ret, "operation");
                column(ret, operation->number);
                column_text(ret, backup_type_name(operation->type));
                text_char(ret, '\n');
                for (size_t j = 0; j < operation->components_count; j++)
                        put_component(ret, operation->number, j, &operation->components[j]);
        }
        for (size_t i = 0; i < set->failures_count; i++)
                put_failure(ret, &set->failures[i]);
        for (size_t i = 0; i < set->files_count; i++) {
                text_string(ret, "file");
                column_text(ret, set->files[i].name);
                column(ret, set->files[i].size);
                text_char(ret, '\t');
                text_hex(ret, set->files[i].digest, DIGEST_SIZE);
                text_char(ret, '\n');
        }
        if (ret->failed)
                return -ENOMEM;
        r = digest_bytes(ret->data, ret->size, digest);
        if (r < 0)
                return r;
        text_string(ret, "sha256\t");
        text_hex(ret, digest, DIGEST_SIZE);
        text_char(ret, '\n');
        return ret->failed ? -ENOMEM : 0;
}
