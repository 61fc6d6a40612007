/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-names.h - what a send stream means for names: it tells steps, with names in between that
 * neither state has; this keeps what was touched and says in the end what became of it.
 */
#ifndef PROVIDERS_BTRFS_NAMES_H
#define PROVIDERS_BTRFS_NAMES_H

#include <stdbool.h>

#include "btrfs-stream.h"

struct names;

/* names_new() - @max_bytes: no more memory than that; NULL when out of memory */
struct names *names_new(size_t max_bytes);
struct names *names_free(struct names *names);

/* names_apply() - 0, -E2BIG when @max_bytes do not suffice, -EBADMSG when the command cannot
 * follow those before it, -ENOMEM */
int names_apply(struct names *names, const struct stream_command *command);

enum name_fate {
        NAME_CHANGED, /* the same thing at the same place, itself changed */
        NAME_NEW, /* was not there before */
        NAME_GONE, /* what the reference had at this path; all below it, too, unless renamed */
        NAME_RENAMED /* @from is where the reference has it; of a directory all below it came along
                      */
};

struct name_extent {
        uint64_t offset, length;
};

/* struct name_told - paths are lent for the call */
struct name_told {
        enum name_fate fate;
        bool is_directory; /* known to be one: made or renamed as such */
        const char *path, *from;
        const struct name_extent *extents; /* what of the content may differ */
        size_t extents_count;
        bool content; /* content may differ; without extents: anywhere */
};

/* names_tell() - all of it, in no order. A name may be told as gone and as new, when another thing
 * bears it now. 0, or what the sink returned, -ENOMEM */
int names_tell(struct names *names, int (*sink)(void *userdata, const struct name_told *told),
               void *userdata);

#endif
