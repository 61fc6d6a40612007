/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h - volumes that own their strings, and how they travel from the probe to vssd.
 *
 * The probe is a process of its own (vss-probe), because looking at a volume can hang. It writes
 * records: pairs of NUL-terminated strings, an empty key closes a record. The last record of each
 * answer says "end" or "error"; without it the probe died on its way.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdio.h>

#include "vss/types.h"

struct volume {
        struct vss_volume v; /* all strings are owned */
        char *refusal; /* why nobody can copy it, NULL when nothing speaks against it */
};

struct volume_list {
        struct volume *items;
        size_t count, capacity;
};

/* volume_clone() - *ret owns copies of @from's strings; 0 or -ENOMEM */
int volume_clone(struct volume *ret, const struct volume *from);
void volume_clear(struct volume *volume);
void volume_list_clear(struct volume_list *list);

/* volume_list_add() - appends a copy */
int volume_list_add(struct volume_list *list, const struct volume *volume);

/* volume_write(), volume_write_end() - 0 or negative errno; @failure with code 0 means "end" */
int volume_write(FILE *file, const struct volume *volume);
int volume_write_end(FILE *file, const struct vss_error *failure);

/* volume_list_read() - the first answer in what a probe wrote. Return: 0, or the probe's own error
 * with its words, and the size of the answer in @ret_used; -EBADMSG and 0 there when it is not
 * complete (yet); -ENOMEM and 0 */
int volume_list_read(struct volume_list *list, const char *text, size_t size, size_t *ret_used,
                     struct vss_error *reterr);

#endif
