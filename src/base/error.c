/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - the two channels of failure: an int for control, a sentence for people.
 */
#define _GNU_SOURCE
#include "vss/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error-table.h"

static const struct error_row *error_row_by_code(int code) {
        for (size_t i = 0; i < error_table_size; i++)
                if (error_table[i].code == code)
                        return &error_table[i];
        return NULL;
}

int vss_fail(struct vss_error *reterr, int code, const char *format, ...) {
        va_list ap;
        char *message = NULL;

        if (!reterr)
                return code;

        va_start(ap, format);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL; /* out of memory: the code alone must do */
        va_end(ap);

        vss_error_clear(reterr);
        reterr->code = code;
        reterr->message = message;
        return code;
}

int vss_wrap(struct vss_error *reterr, int code, const char *format, ...) {
        va_list ap;
        char *context = NULL, *message = NULL;

        if (!reterr)
                return code;

        va_start(ap, format);
        if (vasprintf(&context, format, ap) < 0)
                context = NULL;
        va_end(ap);

        reterr->code = code;
        if (context && asprintf(&message, "%s: %s", context,
                                reterr->message ? reterr->message : vss_error_text(code)) >= 0) {
                free(reterr->message);
                reterr->message = message;
        }
        free(context);
        return code;
}

void vss_error_clear(struct vss_error *error) {
        if (!error)
                return;
        free(error->message);
        error->message = NULL;
        error->code = 0;
}

void vss_error_move(struct vss_error *reterr, struct vss_error *from) {
        if (reterr) {
                vss_error_clear(reterr);
                *reterr = *from;
                from->message = NULL;
                from->code = 0;
        } else
                vss_error_clear(from);
}

const char *vss_error_name(int code) {
        const struct error_row *row = error_row_by_code(code);
        const char *name;

        if (row)
                return row->name;
        name = code < 0 && code > -4096 ? strerrorname_np(-code) : NULL;
        return name ? name : "unknown";
}

const char *vss_error_text(int code) {
        const struct error_row *row = error_row_by_code(code);
        const char *text;

        if (row)
                return row->text;
        text = code < 0 && code > -4096 ? strerrordesc_np(-code) : NULL;
        return text ? text : "an error without a name";
}

const char *vss_error_message(const struct vss_error *error) {
        return error->message ? error->message : vss_error_text(error->code);
}

bool vss_error_is_retryable(int code) {
        const struct error_row *row = error_row_by_code(code);

        return row && row->retryable;
}

int vss_error_from_name(const char *name) {
        for (size_t i = 0; i < error_table_size; i++)
                if (strcmp(error_table[i].name, name) == 0)
                        return error_table[i].code;
        return 0;
}
