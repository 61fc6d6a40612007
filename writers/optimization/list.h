/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - the files of not_to_snapshot.d as file sets (S-58, CFG-17): one per line, one per user
 * where a line is for every user.
 */
#ifndef WRITERS_OPTIMIZATION_LIST_H
#define WRITERS_OPTIMIZATION_LIST_H

#include "common/file-set.h"

struct list_settings {
        char *folder;
        bool expand_user_profile; /* CFG-18 */
        char *profiles; /* "passwd", or "glob:" and a pattern (CFG-19) */
};

struct list {
        struct file_set *sets;
        size_t count;
        char *complaint; /* about the first line or file that is ignored, or NULL */
};

/* list_read() - all "*.conf" in lexical order. What cannot be understood, and a file that others
 * can write, is ignored: a file too many in a copy costs room, one too few may be missed. 0 or
 * -ENOMEM */
int list_read(const struct list_settings *settings, struct list *ret);
void list_done(struct list *list);

#endif
