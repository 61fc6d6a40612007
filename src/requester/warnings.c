/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * warnings.c - what is allowed, but is probably not what was meant. The call that brings it on
 * succeeds and leaves the words in its error record with code 0; they are kept for
 * vss_backup_components_get_warnings(), and go into the service's log with the next event of the
 * restore. This library itself writes nothing anywhere.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <stdio.h>
#include <string.h>

enum { WARNINGS_MAX = 64 * 1024 }; /* a document may give cause for any number */

static int add_line(char **text, const char *line) {
        size_t before = *text ? strlen(*text) : 0, size = strlen(line);
        char *grown;

        if (before + size + 2 > WARNINGS_MAX)
                return 0;
        grown = realloc(*text, before + size + 2);
        if (!grown)
                return -ENOMEM;
        memcpy(grown + before, line, size + 1);
        if (before > 0) {
                memmove(grown + before + 1, grown + before, size + 1);
                grown[before] = '\n';
        }
        *text = grown;
        return 0;
}

/* several, one after the other */
static void add_words(struct vss_error *words, const char *more) {
        _cleanup_free_ char *before = words->message;

        words->message = NULL;
        vss_fail(words, 0, "%s%s%s", before ? before : "", before ? "; " : "", more);
}

static void keep(struct vss_backup_components *bc, struct vss_error *reterr, bool tell,
                 const char *format, va_list args) {
        _cleanup_free_ char *words = NULL;

        if (vasprintf(&words, format, args) < 0) {
                words = NULL;
                return; /* who has no memory for words has other worries */
        }
        (void)add_line(&bc->unlogged, words);
        if (!tell)
                return;
        (void)add_line(&bc->warnings, words);
        if (reterr)
                add_words(reterr, words);
}

void bc_warn(struct vss_backup_components *bc, struct vss_error *reterr, const char *format, ...) {
        va_list args;

        va_start(args, format);
        keep(bc, reterr, true, format, args);
        va_end(args);
}

void bc_note(struct vss_backup_components *bc, const char *format, ...) {
        va_list args;

        va_start(args, format);
        keep(bc, NULL, false, format, args);
        va_end(args);
}

const char *vss_backup_components_get_warnings(const struct vss_backup_components *bc) {
        return bc->warnings ? bc->warnings : "";
}

void bc_free_warnings(struct vss_backup_components *bc) {
        free(bc->warnings);
        free(bc->unlogged);
        bc->warnings = bc->unlogged = NULL;
}
