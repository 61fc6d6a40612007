/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undo-list.h - what a whole restore has made beside its places, and what it does with it: a file
 * that outlives it. Lines of fields; a mark at its end says how far it came.
 */
#ifndef BACKUP_UNDO_LIST_H
#define BACKUP_UNDO_LIST_H

#include "backup/restoring.h"

enum undo_kind {
        UNDO_PUT = 'p', /* what lies beside takes the name; what had it lies beside then */
        UNDO_WRITE = 'w', /* ranges of what lies beside are written into the file in place */
        UNDO_REMOVE = 'r', /* the thing in place is put beside */
        UNDO_SET = 's', /* owner, mode, times, attributes of what is in place */
        UNDO_TIME = 't' /* of the folder itself; old_ctime is the time of its change at first */
};

enum undo_mark {
        MARK_NONE, /* nothing in place is changed yet */
        MARK_COMMIT = 'c', /* everything is complete beside; the places are being changed */
        MARK_UNDO = 'u', /* they are being put back */
        MARK_DONE = 'e' /* all are changed; what lies beside is not needed any more */
};

struct undo_attributes {
        struct record record; /* kind, mode, uid, gid, mtime; path is for words */
        struct attributes attributes;
};

/* struct undo_item - strings are lent until the next one is read */
struct undo_item {
        char kind; /* enum undo_kind */
        size_t root;
        const char *folder; /* below the root, without links */
        dev_t device; /* of the folder */
        ino_t inode;
        const char *name; /* in it; "" with UNDO_SET: the folder itself */
        uint64_t number; /* of its names beside */
        ino_t made; /* what lies beside at first; 0 with UNDO_REMOVE */
        ino_t old; /* what is in place at first; 0: nothing */
        int64_t old_ctime;
        uint32_t old_ctime_ns;
        bool strict; /* what is in place must be as it was: what is made was made from it */
        bool tree; /* UNDO_REMOVE: with all that is in it */
        const char *ranges; /* UNDO_WRITE */
        uint64_t old_size, new_size;
        struct undo_attributes *set_old, *set_new; /* UNDO_SET */
};

struct undo_list;

/* undo_list_new() - a new list in @dir, which is made if need be; nobody else takes it for one that
 * was left while it is open. @roots: their paths, in order */
int undo_list_new(const char *dir, char *const *roots, size_t roots_count, struct undo_list **ret,
                  struct vss_error *reterr);
/* undo_list_open() - one that was left; VSS_E_BAD_STATE: its restore runs, -EBADMSG */
int undo_list_open(int dir, const char *name, struct undo_list **ret, struct vss_error *reterr);
struct undo_list *undo_list_free(struct undo_list *list);
/* undo_list_remove() - it is not needed any more; should it come back after a power failure,
 * nothing is done again that was done */
void undo_list_remove(struct undo_list *list);
/* undo_list_remove_now() - it must not come back */
int undo_list_remove_now(struct undo_list *list, struct vss_error *reterr);

/* undo_list_lock() - one restore at a time changes places, in all of @dir's; wait for it.
 * @ret_fd: until it is closed */
int undo_list_lock(const char *dir, int *ret_fd, struct vss_error *reterr);

/* the names beside: of what is made, and of what was replaced where names cannot be exchanged */
void undo_list_made_name(const struct undo_list *list, uint64_t number,
                         char ret[LEFTOVERS_NAME_SIZE]);
void undo_list_old_name(const struct undo_list *list, uint64_t number,
                        char ret[LEFTOVERS_NAME_SIZE]);
/* is it one of this list's names? */
bool undo_list_is_name(const struct undo_list *list, const char *name);

int undo_list_put(struct undo_list *list, const struct undo_item *item, struct vss_error *reterr);
/* undo_list_folder() - names beside will be made in the item's folder: from now on whoever finds
 * the list finds them, though they are not put yet */
int undo_list_folder(struct undo_list *list, const struct undo_item *item);
/* undo_list_sync() - what was put is on disk */
int undo_list_sync(struct undo_list *list, struct vss_error *reterr);
/* undo_list_mark() - on disk when it returns, and all before it */
int undo_list_mark(struct undo_list *list, enum undo_mark mark, struct vss_error *reterr);
enum undo_mark undo_list_marked(const struct undo_list *list);
size_t undo_list_roots(const struct undo_list *list, char *const **ret);
bool undo_list_is_empty(const struct undo_list *list);

/* undo_list_rewind(), undo_list_next() - 1 and *ret, 0 at the end or the first line that makes no
 * sense, negative. Nothing may be put meanwhile */
int undo_list_rewind(struct undo_list *list);
int undo_list_next(struct undo_list *list, struct undo_item *ret);
/* undo_list_next_folder() - the same for folders that items are in; one may come more than once */
int undo_list_next_folder(struct undo_list *list, struct undo_item *ret);

#endif
