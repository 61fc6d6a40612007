/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.h - which files a backup holds, worked out from the documents alone. This is written a
 * second time on purpose: the engine of vssctl and this program must come to the same files.
 */
#ifndef TOOLS_VSS_BETEST_PLAN_H
#define TOOLS_VSS_BETEST_PLAN_H

#include "base/ranges.h"
#include "betest.h"

enum decision { SKIP, WHOLE, RANGES };

struct planned {
        char *path; /* as the original names it */
        char *source; /* where it is read */
        enum decision decision;
        bool from_copy;
        struct ranges ranges;
        size_t chosen; /* index of the component that stands for it */
};

struct plan {
        struct planned **files; /* in the order in which they were found */
        size_t count, capacity;
        void *by_path; /* tsearch(3) */
        const struct base *base; /* what a time of zero is measured by; NULL: nothing is known */
};

/* struct base - what the index of an earlier copy says (I-103) */
struct base {
        vss_timestamp_t time;
        void *names; /* tsearch(3) of paths */
};

/* plan_make() - after PostSnapshot (I-143). A component that cannot be planned has its count of
 * failed files raised, with words about why. 0 or -ENOMEM */
int plan_make(struct run *run, struct plan *plan, struct vss_error *reterr);
void plan_done(struct plan *plan);

/* needs_volume() - must the volume of this file set be in the set (I-93, I-94)? */
bool needs_volume(struct run *run, const struct vss_wm_filedesc *file, uint32_t schema);

/* each_member() - the file sets of every component in the set of @chosen */
typedef int (*member_t)(void *userdata, const struct vss_wm_filedesc *file, uint32_t schema);
int each_member(struct run *run, const struct chosen *chosen, member_t sink, void *userdata);

/* where the copy of @path is; false when its volume is not in the set. Either string is freed by
 * the caller */
bool find_in_copy(struct run *run, const char *path, char **ret);

#endif
