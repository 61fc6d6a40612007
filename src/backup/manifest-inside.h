/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest-inside.h - the reader, between manifest-read.c, which goes through lines, and
 * manifest-seek.c, which looks for one.
 */
#ifndef BACKUP_MANIFEST_INSIDE_H
#define BACKUP_MANIFEST_INSIDE_H

#include "backup/manifest.h"

/* struct mark - the first record behind the first newline of a frame */
struct mark {
        bool known;
        uint32_t component;
        char *path; /* NULL: no record begins there */
        uint64_t at;
};

struct manifest_reader {
        struct frame_reader *frames;
        uint64_t position; /* of the next line in the stream */
        const char *line; /* the last line with its newline; in the frame, or in @pieces */
        size_t line_size;
        struct text pieces;
        struct text work; /* a copy of it, cut up */
        struct record record;
        uint8_t *digests;
        uint64_t count; /* records since the beginning; not after a seek */
        bool sought;
        bool keys_only;
        struct mark *marks; /* one for each frame; NULL: nothing was looked for yet */
};

int manifest_damaged(const struct manifest_reader *reader, struct vss_error *reterr);
/* the line at @position: 1, 0 at the end of the stream */
int manifest_read_line(struct manifest_reader *reader, struct vss_error *reterr);
bool manifest_line_is(const struct manifest_reader *reader, const char *word);
/* manifest_parse_key() - of the line, which must be a record's; lent like one. 0, negative */
int manifest_parse_key(struct manifest_reader *reader, const struct record **ret,
                       struct vss_error *reterr);

#endif
