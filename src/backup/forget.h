/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forget.h - which sets of a store may go, and their removal.
 *
 * A set goes when it was named, or when the rules of age and number let it go, and nothing that
 * stays builds on it. The decision is made from the sets alone, under the store's locks.
 */
#ifndef BACKUP_FORGET_H
#define BACKUP_FORGET_H

#include "backup/images.h"

struct forget_request {
        const char *const *names; /* ids, beginnings of ids or of names; or by rule: */
        size_t name_count;
        /* of each component, and of the plain files of the same paths, the newest so many that can
         * be restored stay; at least 1 */
        uint32_t keep;
        vss_timestamp_t before; /* only what is older than this; 0: whatever its age */
};

enum forget_why {
        FORGET_IT,
        KEEP_NOT_NAMED,
        KEEP_NEWEST, /* @whose is the component, "" plain files */
        KEEP_YOUNG,
        KEEP_FUTURE, /* the clock was or is wrong: nobody can say how old it is */
        KEEP_NEEDED /* @whose is the folder of a set that stays and builds on it */
};

/* struct forget_item - one folder of the store and what becomes of it */
struct forget_item {
        const char *folder; /* lent, like all strings here */
        const struct set_info *set; /* NULL: cannot be read */
        enum forget_why why;
        const char *whose;
        uint64_t bytes; /* what it takes in the store */
        bool removed;
};

struct forget {
        struct set_list sets;
        struct images images;
        struct forget_item *items; /* as sets.sets, then as sets.unreadable */
        size_t count;
        char **texts; /* strings that items lend */
        size_t text_count, text_capacity;
};

/*
 * forget_decide() - read the store and decide; removes nothing. For a removal the store must be
 * locked before, readers too.
 *
 * Return: 0; VSS_E_OBJECT_NOT_FOUND, E_INVALIDARG for a name; VSS_E_BAD_STATE when a set that stays
 * builds on a named one, or when a set cannot be read, so that nobody knows what it builds on;
 * VSS_E_NOT_SUPPORTED when that is one of a newer version
 */
int forget_decide(struct store *store, const struct forget_request *request, struct forget *ret,
                  struct vss_error *reterr);

/* forget_run() - remove what was decided, later sets first, and tell in the items what is gone;
 * lets readers in again. Stops at the first that cannot be removed. Reference snapshots that the
 * sets name are noted (kept.h), and not yet released. */
int forget_run(struct store *store, struct forget *forget, struct vss_error *reterr);
void forget_done(struct forget *forget);

#endif
