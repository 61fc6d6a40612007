/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack.h - one frame unpacked at a time, and the next one meanwhile by a thread, for who reads
 * a stream from its beginning to its end. Where frames are is the reader's knowledge.
 */
#ifndef BACKUP_UNPACK_H
#define BACKUP_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

struct frame_place {
        uint64_t plain, packed; /* where it starts */
        uint32_t plain_size, packed_size;
};

struct unpacker;

/* @fd and @name are lent for its life; no frame is larger than @plain_max and @packed_max */
int unpacker_new(int fd, const char *name, size_t plain_max, size_t packed_max,
                 struct unpacker **ret);
struct unpacker *unpacker_free(struct unpacker *unpacker);

/* unpacker_get() - the content of @frame, lent until the next call; @next, or NULL, is what will
 * probably be wanted then. Return: 0, -EBADMSG, or a negative errno */
int unpacker_get(struct unpacker *unpacker, const struct frame_place *frame,
                 const struct frame_place *next, const char **ret, struct vss_error *reterr);

#endif
