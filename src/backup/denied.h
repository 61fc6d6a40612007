/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * denied.h - words for a folder or file that somebody else owns.
 */
#ifndef BACKUP_DENIED_H
#define BACKUP_DENIED_H

#include "vss/error.h"

/* fail_open() - @what ("the backup store"), its @path, and why; when that is a lack of rights, also
 * whose it is and what to do. @at: a descriptor that @path_at counts from, or AT_FDCWD
 *
 * Return: @r, negative errno */
int fail_open(const char *what, const char *path, int at, const char *path_at, int r,
              struct vss_error *reterr);

#endif
