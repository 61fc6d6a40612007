/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify.h - the parts of 'vssctl verify'.
 */
#ifndef TOOLS_VSSCTL_VERIFY_H
#define TOOLS_VSSCTL_VERIFY_H

#include "backup/engine.h"
#include "list.h"

/* struct restore_test_options - all lent
 * @scratch: a folder that is there, or NULL */
struct restore_test_options {
        const struct set_info *const *sets;
        size_t set_count;
        const struct component_list *components;
        const char *scratch;
};

/* verify_restore_test() - restore to a scratch folder, let the writers look; exit code */
int verify_restore_test(struct store *store, const struct set_list *sets,
                        const struct restore_test_options *options);

#endif
