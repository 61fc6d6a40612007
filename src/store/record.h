/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - the text of one record: lines of words, bytes in hexadecimal, and at the end a sum
 * over all before it, so that a torn or foreign file is known as such.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "coordinator/ports.h"

/* record_format() - *ret is NUL-terminated, the caller frees it; 0 or -ENOMEM */
int record_format(const struct set_record *record, const struct vss_id *life, char **ret,
                  size_t *ret_size);

/* A record that was read; everything that @record points to is owned. */
struct record_read {
        struct set_record record;
        struct vss_id life;
};

/* record_parse() - 0, E_INVALIDARG with the line in @reterr, -ENOMEM */
int record_parse(char *text, size_t size, struct record_read *ret, struct vss_error *reterr);
void record_done(struct record_read *read);

#endif
