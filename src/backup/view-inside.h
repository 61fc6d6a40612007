/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view-inside.h - a view, between view.c, which goes from name to name, and view-skip.c, which
 * leaves names out without reading them.
 */
#ifndef BACKUP_VIEW_INSIDE_H
#define BACKUP_VIEW_INSIDE_H

#include "backup/internal.h"

struct cursor {
        struct manifest_reader *reader;
        const struct record *record; /* the next one, NULL at the end of the component */
        uint32_t component;
        struct text before; /* the path of the one before; empty: there was none */
};

struct shade {
        char *path;
        size_t link; /* hides what earlier links have below (and at) @path */
        bool gone; /* because it was deleted: the name is known to be gone, not replaced */
        bool tree; /* also below it */
};

struct view {
        struct store *store;
        const struct chain *chain;
        struct cursor *cursors;
        struct shade *shades;
        size_t shades_count, shades_capacity;
        bool own; /* deletions are reproduced; otherwise they are reported (I-189) */
        bool first_only; /* items are the first link's, see view_open_image() */
        char *below;
        struct view_part *parts;
        struct text path; /* of the item that is lent */
        struct view_item item;
        bool lent; /* the cursors at the item's path have yet to move on */
        struct byte_range *ranges;
        struct entry entry;
        const char *const *only; /* view_only(); NULL: all */
        size_t only_count;
        struct view *gone; /* for view_next_gone(), once it is called */
};

/* one link's next record */
int view_advance(struct view *view, size_t link, struct vss_error *reterr);
/* the same, the first that is not before @path */
int view_start_cursor(struct view *view, size_t link, const char *path, struct vss_error *reterr);
/* past the item that was lent */
int view_move_on(struct view *view, struct vss_error *reterr);
/* the next name that some link has; NULL: none */
const char *view_lowest_path(const struct view *view);
/* what the links have at the item's path: its parts, and what that hides from here on. 0, -ENOMEM
 */
int view_take(struct view *view);
/* view_skip_unwanted() - past what view_only() leaves out */
int view_skip_unwanted(struct view *view, struct vss_error *reterr);

#endif
