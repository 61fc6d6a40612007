/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h - what the user asked for, as kept in each operation of a set, so that an incremental
 * backup repeats it without being told.
 */
#ifndef BACKUP_REQUEST_H
#define BACKUP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "vss/error.h"

#define REQUEST_DOCUMENT "request"

/* Lists end with NULL, never NULL themselves after request_parse(). */
struct request {
        char **paths, **components, **excludes;
        bool all_components, system_state;
};

/* request_format() - text: a word and a percent-encoded value per line; the caller frees it */
char *request_format(const struct request *request);
int request_parse(const char *text, struct request *ret, struct vss_error *reterr);
void request_done(struct request *request);

/* request_copy_list() - a NULL-terminated copy of a NULL-terminated list (or NULL) */
char **request_copy_list(const char *const *list);
bool request_same_list(char *const *a, char *const *b);

#endif
