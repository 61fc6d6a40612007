/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memfd.h - documents travel as sealed memory files: the receiver can map them without fear.
 */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include <stddef.h>
#include <stdint.h>

/* memfd_new_sealed() - a descriptor holding @data, which nobody can change any more.
 * Return: descriptor, or negative errno */
int memfd_new_sealed(const char *name, const void *data, size_t size);

/* memfd_check() - is @fd a sealed memory file of at most @max bytes?
 * Return: 0 and *ret_size, -EINVAL not sealed, -EFBIG too large, other negative errno */
int memfd_check(int fd, uint64_t max, uint64_t *ret_size);

/* memfd_read() - check, then copy all into *ret, NUL-terminated; the caller frees it */
int memfd_read(int fd, uint64_t max, char **ret, size_t *ret_size);

#endif
