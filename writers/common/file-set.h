/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file-set.h - one line of a settings file that names files: read it, compare it with another.
 */
#ifndef WRITERS_COMMON_FILE_SET_H
#define WRITERS_COMMON_FILE_SET_H

#include "common/util.h"
#include "vss/documents.h"

struct file_set {
        char *path; /* absolute directory, clean, without wildcards */
        char *filespec; /* one name or pattern */
        bool recursive;
        char *alternate; /* where to read, or NULL; in a mapping: where to restore */
        uint32_t mask; /* 0: the default */
        bool log; /* log files of a database component */
};

/* What may follow the pattern on the line. */
enum {
        FILE_SET_ALTERNATE = 1 << 0, /* alternate=DIR */
        FILE_SET_MASK = 1 << 1, /* backup= snapshot= mask= created-during-backup */
        FILE_SET_TO = 1 << 2, /* to=DIR, required: a mapping */
        FILE_SET_NEVER = 1 << 3 /* a mask that no backup type meets is taken too */
};

/*
 * file_set_parse() - "/dir/pattern [recursive] [alternate=/dir] [backup=full,log] ..."
 * @text:  the value; changed while it is read
 *
 * Return: 0; E_INVALIDARG with words that say what is wrong with the value and what to write;
 * -ENOMEM. On failure @ret is empty.
 */
int file_set_parse(char *text, unsigned allowed, struct file_set *ret, struct vss_error *reterr);
void file_set_done(struct file_set *set);

/* file_set_public() - the same as documents.h wants it; strings lent */
struct vss_file_set file_set_public(const struct file_set *set);

/* file_set_same() - the triple (path, filespec, recursive) is equal */
bool file_set_same(const struct file_set *a, const struct file_set *b);

/* file_sets_overlap() - could one file belong to both (M-45)? Patterns decide, not the disk */
bool file_sets_overlap(const struct file_set *a, const struct file_set *b);

/* file_set_needs_snapshot() - any backup type reads it from the shadow copy (I-83) */
bool file_set_needs_snapshot(const struct file_set *set);

#endif
