/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undo-line.h - how the lines of an undo list are spelled: fields between tabs, as in a manifest.
 */
#ifndef BACKUP_UNDO_LINE_H
#define BACKUP_UNDO_LINE_H

#include <stdio.h>

#include "backup/undo-list.h"

enum undo_line_kind { LINE_END = 0, LINE_HEAD = 1, LINE_ROOT, LINE_ITEM, LINE_MARK, LINE_FOLDER };

/* struct undo_line - what reading or writing goes on from: items repeat no folder */
struct undo_line {
        char *text;
        size_t size;
        char *folder;
        size_t folder_root;
        dev_t device;
        ino_t inode;
        struct leftovers_maker maker;
        const char *root;
        enum undo_mark mark;
        struct undo_attributes set_old, set_new;
};

void undo_line_done(struct undo_line *line);

void undo_line_head(struct text *text, const struct leftovers_maker *maker, char *const *roots,
                    size_t roots_count);
/* undo_line_folder() - what follows is in the item's folder: 1 it is another one than before, 0 the
 * same */
int undo_line_folder(struct undo_line *line, struct text *text, const struct undo_item *item);
int undo_line_put(struct undo_line *line, struct text *text, const struct undo_item *item);
void undo_line_mark(struct text *text, enum undo_mark mark);

/* undo_line_next() - enum undo_line_kind, with what it says in @line or @ret; LINE_END also before
 * a line that makes no sense: nothing behind it ever counted. Negative: it cannot be read */
int undo_line_next(struct undo_line *line, FILE *file, struct undo_item *ret);

#endif
