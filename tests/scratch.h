/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.h - the one folder of a test program, which goes with it when a check fails as well.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/check.h"

static const char *scratch_path_;
static pid_t scratch_owner_; /* its children leave it alone */

static inline void scratch_remove_(void) {
        if (getpid() == scratch_owner_)
                (void)remove_tree(AT_FDCWD, scratch_path_);
}

/* scratch_folder() - make it; @template ends with XXXXXX, becomes its path, and stays */
static inline void scratch_folder(char *template) {
        CHECK(mkdtemp(template));
        scratch_path_ = template;
        scratch_owner_ = getpid();
        CHECK_INT(atexit(scratch_remove_), 0);
}

#endif
