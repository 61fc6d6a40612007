/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undo-line.c - see undo-line.h. "vss-undo", "root", then "d" for each folder and the items in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backup/undo-line.h"
#include "base/cleanup.h"

#define FIELDS_MAX 16

void undo_line_done(struct undo_line *line) {
        free(line->text);
        free(line->folder);
        attributes_done(&line->set_old.attributes);
        attributes_done(&line->set_new.attributes);
        *line = (struct undo_line){ 0 };
}

/* ---- writing ---- */

static void put_number(struct text *text, uint64_t number) {
        text_char(text, '\t');
        text_number(text, number);
}

static void put_signed(struct text *text, int64_t number) {
        text_char(text, '\t');
        text_signed(text, number);
}

static void put_field(struct text *text, const char *bytes) {
        text_char(text, '\t');
        text_field(text, bytes);
}

void undo_line_head(struct text *text, const struct leftovers_maker *maker, char *const *roots,
                    size_t roots_count) {
        text_string(text, "vss-undo\t1");
        put_number(text, (uint64_t)maker->pid);
        put_number(text, maker->started);
        put_number(text, maker->chance);
        text_char(text, '\n');
        for (size_t i = 0; i < roots_count; i++) {
                text_string(text, "root");
                put_field(text, roots[i]);
                text_char(text, '\n');
        }
}

/* names and values, each with its size before it, as one field */
static void put_attributes(struct text *text, const struct undo_attributes *set) {
        put_number(text, (uint64_t)(unsigned char)set->record.kind);
        put_number(text, set->record.mode);
        put_number(text, set->record.uid);
        put_number(text, set->record.gid);
        put_signed(text, set->record.mtime);
        put_number(text, set->record.mtime_ns);
        text_char(text, '\t');
        for (size_t i = 0; i < set->attributes.count; i++) {
                const struct attribute *attribute = &set->attributes.items[i];
                uint32_t sizes[2] = { (uint32_t)strlen(attribute->name) + 1,
                                      (uint32_t)attribute->size };

                text_hex(text, (const uint8_t *)sizes, sizeof(sizes));
                text_hex(text, (const uint8_t *)attribute->name, sizes[0]);
                text_hex(text, attribute->value, attribute->size);
        }
}

int undo_line_folder(struct undo_line *line, struct text *text, const struct undo_item *item) {
        if (line->folder && line->folder_root == item->root && line->inode == item->inode &&
            line->device == item->device && strcmp(line->folder, item->folder) == 0)
                return 0;
        free(line->folder);
        line->folder = strdup(item->folder);
        line->folder_root = item->root;
        line->device = item->device;
        line->inode = item->inode;
        text_char(text, 'd');
        put_number(text, item->root);
        put_number(text, item->device);
        put_number(text, item->inode);
        put_field(text, item->folder);
        text_char(text, '\n');
        return line->folder ? 1 : -ENOMEM;
}

int undo_line_put(struct undo_line *line, struct text *text, const struct undo_item *item) {
        if (undo_line_folder(line, text, item) < 0)
                return -ENOMEM;
        text_char(text, item->kind);
        put_field(text, item->name);
        if (item->kind == UNDO_SET) {
                put_attributes(text, item->set_old);
                put_attributes(text, item->set_new);
        } else {
                put_number(text, item->number);
                put_number(text, item->made);
                put_number(text, item->old);
                put_signed(text, item->old_ctime);
                put_number(text, item->old_ctime_ns);
                put_number(text, (item->strict ? 1U : 0U) | (item->tree ? 2U : 0U));
        }
        if (item->kind == UNDO_WRITE) {
                put_number(text, item->old_size);
                put_number(text, item->new_size);
                put_field(text, item->ranges);
        }
        text_char(text, '\n');
        return text_cstring(text) ? 0 : -ENOMEM;
}

void undo_line_mark(struct text *text, enum undo_mark mark) {
        text_string(text, "mark\t");
        text_char(text, (char)mark);
        text_char(text, '\n');
}

/* ---- reading ---- */

static int number(const char *field, uint64_t *ret) {
        return field_number(field, ret);
}

static int get_values(struct attributes *ret, const char *hex) {
        size_t size = strlen(hex) / 2;
        _cleanup_free_ uint8_t *bytes = malloc(size + 1);

        attributes_done(ret);
        if (!bytes)
                return -ENOMEM;
        if (field_hex(hex, bytes, size) < 0)
                return -EBADMSG;
        for (size_t at = 0; at < size;) {
                uint32_t sizes[2];
                int r;

                if (size - at < sizeof(sizes))
                        return -EBADMSG;
                memcpy(sizes, bytes + at, sizeof(sizes));
                at += sizeof(sizes);
                if (sizes[0] == 0 || sizes[0] > size - at || sizes[1] > size - at - sizes[0] ||
                    bytes[at + sizes[0] - 1] != '\0')
                        return -EBADMSG;
                r = attributes_add(ret, (const char *)bytes + at, bytes + at + sizes[0], sizes[1]);
                if (r < 0)
                        return r;
                at += sizes[0] + sizes[1];
        }
        return 0;
}

static int get_attributes(char *const *fields, struct undo_attributes *ret) {
        struct record *record = &ret->record;
        uint64_t kind;

        *record = (struct record){ 0 };
        if (number(fields[0], &kind) < 0 || field_u32(fields[1], &record->mode) < 0 ||
            field_u32(fields[2], &record->uid) < 0 || field_u32(fields[3], &record->gid) < 0 ||
            field_signed(fields[4], &record->mtime) < 0 ||
            field_u32(fields[5], &record->mtime_ns) < 0)
                return -EBADMSG;
        record->kind = (char)kind;
        return get_values(&ret->attributes, fields[6]);
}

static int get_folder(struct undo_line *line, char **fields, size_t count) {
        uint64_t root, device, inode;

        if (count != 5 || number(fields[1], &root) < 0 || number(fields[2], &device) < 0 ||
            number(fields[3], &inode) < 0 || field_unescape(fields[4]) < 0)
                return -EBADMSG;
        free(line->folder);
        line->folder = strdup(fields[4]);
        line->folder_root = root;
        line->device = device;
        line->inode = inode;
        return line->folder ? 0 : -ENOMEM;
}

static int get_change(char **fields, size_t count, struct undo_item *ret) {
        uint64_t made, old, flags;

        if (count != (ret->kind == UNDO_WRITE ? 11 : 8) || number(fields[2], &ret->number) < 0 ||
            number(fields[3], &made) < 0 || number(fields[4], &old) < 0 ||
            field_signed(fields[5], &ret->old_ctime) < 0 ||
            field_u32(fields[6], &ret->old_ctime_ns) < 0 || number(fields[7], &flags) < 0)
                return -EBADMSG;
        ret->made = made;
        ret->old = old;
        ret->strict = flags & 1;
        ret->tree = flags & 2;
        if (ret->kind != UNDO_WRITE)
                return 0;
        if (number(fields[8], &ret->old_size) < 0 || number(fields[9], &ret->new_size) < 0 ||
            field_unescape(fields[10]) < 0)
                return -EBADMSG;
        ret->ranges = fields[10];
        return 0;
}

static int get_item(struct undo_line *line, char **fields, size_t count, struct undo_item *ret) {
        int r;

        if (!line->folder || count < 2 || field_unescape(fields[1]) < 0)
                return -EBADMSG;
        *ret = (struct undo_item){ .kind = fields[0][0],
                                   .root = line->folder_root,
                                   .folder = line->folder,
                                   .device = line->device,
                                   .inode = line->inode,
                                   .name = fields[1] };
        if (ret->kind != UNDO_SET)
                return get_change(fields, count, ret);
        if (count != 16)
                return -EBADMSG;
        r = get_attributes(fields + 2, &line->set_old);
        if (r >= 0)
                r = get_attributes(fields + 9, &line->set_new);
        line->set_old.record.path = line->set_new.record.path = fields[1];
        ret->set_old = &line->set_old;
        ret->set_new = &line->set_new;
        return r;
}

static int get_head(struct undo_line *line, char **fields, size_t count) {
        uint64_t pid, started, chance;

        if (count != 5 || strcmp(fields[1], "1") != 0 || number(fields[2], &pid) < 0 ||
            number(fields[3], &started) < 0 || number(fields[4], &chance) < 0)
                return -EBADMSG;
        line->maker = (struct leftovers_maker){ (int)pid, started, chance };
        return 0;
}

static int get_line(struct undo_line *line, char **fields, size_t count, struct undo_item *ret) {
        const char *what = fields[0];
        int r;

        if (strcmp(what, "vss-undo") == 0) {
                r = get_head(line, fields, count);
                return r < 0 ? r : LINE_HEAD;
        }
        if (strcmp(what, "root") == 0 && count == 2) {
                r = field_unescape(fields[1]);
                line->root = fields[1];
                return r < 0 ? r : LINE_ROOT;
        }
        if (strcmp(what, "mark") == 0 && count == 2) {
                line->mark = (enum undo_mark)fields[1][0];
                return LINE_MARK;
        }
        if (strcmp(what, "d") == 0) {
                r = get_folder(line, fields, count);
                *ret = (struct undo_item){ .root = line->folder_root,
                                           .folder = line->folder,
                                           .device = line->device,
                                           .inode = line->inode,
                                           .name = "" };
                return r < 0 ? r : LINE_FOLDER;
        }
        if (strlen(what) != 1 || !strchr("pwrst", what[0]))
                return -EBADMSG;
        r = get_item(line, fields, count, ret);
        return r < 0 ? r : LINE_ITEM;
}

int undo_line_next(struct undo_line *line, FILE *file, struct undo_item *ret) {
        char *fields[FIELDS_MAX];
        ssize_t n;
        int r;

        errno = 0;
        n = getline(&line->text, &line->size, file);
        if (n <= 0)
                return errno == ENOMEM || errno == EIO ? -errno : LINE_END;
        if (line->text[n - 1] != '\n' || strlen(line->text) != (size_t)n)
                return LINE_END;
        line->text[n - 1] = '\0';
        r = get_line(line, fields, field_split(line->text, fields, FIELDS_MAX), ret);
        return r == -EBADMSG ? LINE_END : r;
}
