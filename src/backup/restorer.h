/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restorer.h - the restore itself: what restore.c decides and restore-leaf.c does for one file.
 */
#ifndef BACKUP_RESTORER_H
#define BACKUP_RESTORER_H

#include "backup/in-use.h"
#include "backup/restoring.h"

struct restore {
        struct store *store;
        const struct restore_request *request;
        const struct engine_watch *watch;
        struct chain chain; /* the request's, or from its image on; links are borrowed */
        struct members members;
        struct places places;
        struct linked_names linked;
        struct small_files *small;
        struct in_use *in_use; /* NULL: nobody asks */
        struct probing *probing; /* only looks */
        struct restore_summary summary;
        uint32_t component;
        int first; /* code of the first failure */
        char *first_words;
        int cancelled; /* negative: progress() said so, and this file is not the reason */
        uint64_t steps;
        const char *path; /* of the current item */
};

/* what placing a thing returns beside 0 and negative values */
enum { PLACE_KEPT = 1, PLACE_LATER /* report_placed() will be called */ };

/* ---- restore-leaf.c ---- */

/* restore_leaf() - put one thing that is no directory in place; 0, PLACE_KEPT, PLACE_LATER, or
 * negative with words. @ret_broken: it should have been a link to something that went elsewhere */
int restore_leaf(struct restore *restore, const struct view_item *item, struct spot *spot,
                 bool *ret_broken, struct vss_error *reterr);
/* is the spot's name in its directory spelled as it is in the backup; else words */
bool spot_is_exact(const struct spot *spot);
int spot_not_exact(const struct spot *spot, struct vss_error *reterr);

/* ---- restore-directed.c ---- */

/* restore_targets() - everything made beside, for restore_directed() */
int restore_targets(struct restore *restore, const struct directed_target *targets, size_t count,
                    struct vss_error *reterr);

/* ---- probe.c ---- */

struct probing *probing_new(void (*found)(void *userdata, const struct entry *entry,
                                          const char *place, enum restore_state state, int code,
                                          const char *words));
struct probing *probing_free(struct probing *probing);
/* probe_item() - 0 or -ENOMEM; what is in the way is in the result */
int probe_item(struct restore *restore, const struct view_item *item, struct spot *spot);
void probing_end(struct probing *probing, struct restore_probe *ret);

#endif
