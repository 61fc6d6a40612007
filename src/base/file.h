/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file.h - whole reads, whole writes, and files that appear complete or not at all.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* 0 or negative errno; a short write is retried, never reported as success */
int write_all(int fd, const void *data, size_t size);

/* 0, negative errno, -ENODATA when the file ends early */
int pread_all(int fd, void *data, size_t size, off_t offset);
int pwrite_all(int fd, const void *data, size_t size, off_t offset);

/* read_whole_file() - up to @max bytes, NUL-terminated, the caller frees *ret; -EFBIG when larger.
 * @at may be AT_FDCWD. Refuses anything but regular files (-EINVAL) */
int read_whole_file(int at, const char *path, size_t max, char **ret, size_t *ret_size);

/* write_file_atomic() - write beside, fsync, rename, fsync the folder: old or new, never between */
int write_file_atomic(int at, const char *path, const void *data, size_t size, mode_t mode);
/* replace_file() - the same without the last step: for who syncs the folder later, once */
int replace_file(int at, const char *path, const void *data, size_t size, mode_t mode);

/* mkdir_parents() - like mkdir -p, each new folder with @mode; 0 or negative errno */
int mkdir_parents(const char *path, mode_t mode);

/* path_join() - "a" and "b" give "a/b"; the caller frees it; NULL when out of memory */
char *path_join(const char *a, const char *b);

/* path_is_below() - element-wise: "/a/b" and "/a" are below "/a", "/ab" is not */
bool path_is_below(const char *path, const char *ancestor);

/* path_is_clean() - absolute, no "." "..", no empty element, no separator at its end, at most
 * 4095 bytes (SEC-60) */
bool path_is_clean(const char *path);

/* remove_tree() - unlink everything below @name in @at, and itself; never follows a link, never
 * leaves the file system. -ENOENT is success */
int remove_tree(int at, const char *name);

/* read_directory() - the names in an open directory, from the first, whatever was read of @fd; it
 * stays open. NULL with errno */
DIR *read_directory(int fd);

uint64_t monotonic_us(void);

#endif
