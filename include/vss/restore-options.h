/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-options.h - the text of SetRestoreOptions, for who writes it and for who reads it.
 *
 * It is a list of pairs, "Name"="Value" or "Component": "Name"="Value", with commas between
 * . Common names are "Authoritative" ("All", or "Item:..." several times), "Roll Forward"
 * ("None", "All", "Partial:...") and "New Component Name"; all others are between the
 * requester and the writer. A double quote inside of a part cannot be written.
 */
#ifndef VSS_RESTORE_OPTIONS_H
#define VSS_RESTORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "vss/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

/** struct vss_restore_option - one pair; strings are lent
 * @component: "logical path\name" of a subcomponent: the pair is about it and what is below it;
 * NULL: about everything */
struct vss_restore_option {
        const char *component;
        const char *name, *value;
};

struct vss_restore_options; /* a list that was read */

/** vss_restore_options_parse() - what vss_component_get_restore_options() gave
 *
 * Return: 0, E_INVALIDARG with words, -ENOMEM */
int vss_restore_options_parse(const char *text, struct vss_restore_options **ret,
                              struct vss_error *reterr);

/** vss_restore_options_free() - accepts NULL, returns NULL */
struct vss_restore_options *vss_restore_options_free(struct vss_restore_options *options);

/** vss_restore_options_get_count(), vss_restore_options_get() - the pairs as they were written;
 * VSS_E_OBJECT_NOT_FOUND beyond the end */
size_t vss_restore_options_get_count(const struct vss_restore_options *options);
int vss_restore_options_get(const struct vss_restore_options *options, size_t index,
                            struct vss_restore_option *ret);

/** vss_restore_option_covers() - is the pair about the component @name at @logical_path (NULL: the
 * root)? Names are compared without case */
bool vss_restore_option_covers(const struct vss_restore_option *option, const char *logical_path,
                               const char *name);

/** vss_restore_options_find() - the value that @option has for a component
 * @index: where to go on, 0 at first; an option may come several times
 *
 * Return: 0 and *ret_value (lent), S_FALSE when there is none any more */
int vss_restore_options_find(const struct vss_restore_options *options, size_t *index,
                             const char *logical_path, const char *name, const char *option,
                             const char **ret_value);

/** vss_restore_options_format() - the text for vss_backup_components_set_restore_options()
 * @ret: the caller frees it
 *
 * Return: 0, E_INVALIDARG for a double quote in a part (OQ-R9), a part that is missing, no pair at
 * all, or "Authoritative"="All" twice; -ENOMEM */
int vss_restore_options_format(const struct vss_restore_option *options, size_t count, char **ret,
                               struct vss_error *reterr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
