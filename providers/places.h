/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.h - find the copies that lie on this machine, from their folders alone.
 */
#ifndef PROVIDERS_PLACES_H
#define PROVIDERS_PLACES_H

#include "copies.h"

#define PLACE_NAME ".vss"

/* struct copy - a folder of ours that was found */
struct copy {
        struct record record; /* status 0: a folder without a record */
        char *place;
        char name[RECORD_NAME_SIZE];
        bool demoted; /* its own record says CREATED, another one of its set does not */
        bool living; /* place_live_in() by somebody */
};

struct copy_list {
        struct copy *items;
        size_t count, capacity;
        char *silent; /* a place where copies may lie that cannot be read today, or NULL */
};

/* places_collect() - all copies of this provider, whatever their state; folders that are not ours
 * by name, owner and identity are left out. A set of which one copy is half-made counts as
 * half-made as a whole (S-32). 0 or negative errno */
int places_collect(const struct copies *copies, struct copy_list *ret);
void copy_list_done(struct copy_list *list);

/* places_remove() - mark as deleted, remove the copy, then its folder; 0 or negative errno.
 * Does nothing to a folder that is not the one of @record any more (-ESTALE). When another process
 * is removing it, @wait for that, else -EBUSY, as for one that somebody lives in */
int places_remove(const struct copies_kind *kind, const char *place, const char *name,
                  const struct record *record, bool wait);

/* place_live_in() - say that @folder is being made, until its descriptor is closed or its process
 * ends; nobody else sweeps it then. A lock of its own kind: it keeps no removal waiting. -ENOENT:
 * a sweep was faster, the folder is gone */
int place_live_in(int folder);

bool place_is_lived_in(int folder);

/* places_each() - every folder `.vss` that only we can enter: its path and a descriptor, lent.
 * 0 or what @each returned, negative errno */
int places_each(const struct copies *copies, int (*each)(void *userdata, const char *path, int fd),
                void *userdata);

/* place_check() - is it a folder that only we can enter? 0, -ENOTDIR, -EPERM */
int place_check(int fd);

#endif
