/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * not-to-backup.h - the machine-wide list of files that no backup holds (B-148, CFG-16):
 * not_to_backup.d below the configuration folder, one file per product.
 */
#ifndef BACKUP_NOT_TO_BACKUP_H
#define BACKUP_NOT_TO_BACKUP_H

#include "backup/record.h"
#include "backup/select.h"

struct not_to_backup;

/*
 * not_to_backup_load() - all files of the folder, in lexical order, and what writers without
 * components exclude: files that they keep out of the copies (B-155)
 *
 * Entries of a section [writer NAME] count only while no writer of that name was identified: it
 * would name such files itself. What cannot be understood, and a file that others can write, is
 * ignored and becomes a note of @selection: an exclusion that is missing costs room, a wrong one
 * costs files. @told: the notes are known from another operation of the run.
 *
 * Return: 0, also without a folder; -ENOMEM
 */
int not_to_backup_load(const char *config_dir, struct selection *selection, bool told,
                       struct not_to_backup **ret);
/* not_to_backup_load_for_restore() - what no restore puts back either. Without notes: each
 * backup says them. Nobody knows which writers will take part, so sections never count */
int not_to_backup_load_for_restore(const char *config_dir, struct not_to_backup **ret);
struct not_to_backup *not_to_backup_free(struct not_to_backup *list);

/* not_to_backup_has() - @path is where the file normally is (M-47), @volume the mount point of its
 * volume. A folder is left out only by an entry that leaves out all that is in it */
bool not_to_backup_has(const struct not_to_backup *list, const char *path, bool is_directory,
                       const char *volume);

/* not_to_backup_describe() - all entries, as lines: equal lines, equal answers */
void not_to_backup_describe(const struct not_to_backup *list, struct text *text);

#endif
