/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * real-path.h - realpath(3) for paths that may lead to a server or program that hangs.
 */
#ifndef BASE_REAL_PATH_H
#define BASE_REAL_PATH_H

#include <stddef.h>

/* real_paths() - resolve @count paths in a child process, which is left alone when one of them
 * takes longer than @patience_ms: it may be beyond SIGKILL.
 * @ret: @count strings, each and the array the caller's to free; on failure as well, NULL from the
 * first that has no answer
 *
 * Return: 0, -ETIMEDOUT, negative errno of that path */
int real_paths(char *const paths[], size_t count, int patience_ms, char **ret);

#endif
