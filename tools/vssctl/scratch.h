/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.h - a folder for data that are restored only to be looked at: for nobody else to read,
 * and gone afterwards, at the latest when the next one is made in the same place.
 */
#ifndef TOOLS_VSSCTL_SCRATCH_H
#define TOOLS_VSSCTL_SCRATCH_H

#include <stdint.h>

#include "vss/error.h"

struct scratch {
        char *path; /* resolved, clean */
        int fd, parent;
};

/* scratch_make() - below @parent, NULL: $TMPDIR or /var/tmp. What others left there that died goes
 * first. 0, or negative with words; scratch_remove() is needed after 0 only */
int scratch_make(const char *parent, struct scratch *ret, struct vss_error *reterr);
/* scratch_folder() - an empty folder in it, its path is the caller's; what was there goes */
int scratch_folder(const struct scratch *scratch, char **ret, struct vss_error *reterr);
/* scratch_check_room() - VSS_E_INSUFFICIENT_STORAGE with words when @bytes or @files do not fit */
int scratch_check_room(const struct scratch *scratch, uint64_t bytes, uint64_t files,
                       struct vss_error *reterr);
/* scratch_remove() - 0, or negative with words that name what is left */
int scratch_remove(struct scratch *scratch, struct vss_error *reterr);

#endif
