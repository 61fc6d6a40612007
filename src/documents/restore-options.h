/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-options.h - what this library itself has to know of restore options: do they say
 * something else than the calls that mean the same?
 */
#ifndef DOCUMENTS_RESTORE_OPTIONS_H
#define DOCUMENTS_RESTORE_OPTIONS_H

#include <stdint.h>

#include "vss/documents.h"
#include "vss/restore-options.h"

/* what was said by SetAuthoritativeRestore, SetRollForward, SetRestoreName */
struct restore_choice {
        bool has_authoritative, authoritative;
        uint32_t roll_forward; /* enum vss_rollforward_type, UNDEFINED: not said */
        const char *point;
        const char *name; /* NULL: not said */
};

/* restore_options_contradict() - the @which-th thing that can be said in two ways
 *
 * Return: the option's name and *ret_value when it differs; "" when not; NULL: no such thing */
const char *restore_options_contradict(const struct vss_restore_options *options,
                                       const char *logical_path, const char *name,
                                       const struct restore_choice *typed, size_t which,
                                       const char **ret_value);

#endif
