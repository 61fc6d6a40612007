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

#endif
