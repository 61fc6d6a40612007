/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * staging.h - a restore that is whole, while its files are made: which name beside
 * its place each has, and the list of them. In directories that exist files get a name beside;
 * a directory that does not exist is built under one such name, with all that is in it.
 */
#ifndef BACKUP_STAGING_H
#define BACKUP_STAGING_H

#include "backup/in-use.h"
#include "backup/restoring.h"

struct staging;

/* staging_new() - @for_later: see restore_stage(). @places must live longer */
int staging_new(const struct places *places, bool for_later, struct staging **ret,
                struct vss_error *reterr);
/* staging_free() - what is not committed must have been discarded */
struct staging *staging_free(struct staging *staging);
bool staging_is_for_later(const struct staging *staging);
/* the innermost open directory */
const struct place_level *staging_level(const struct staging *staging);

/* staging_spot() - its file is made beside: sets ->beside, and what is in place now; the innermost
 * level is the spot's directory. -ELOOP and the like never happen here: 0 or negative errno */
int staging_spot(struct staging *staging, struct spot *spot);
/* staging_put() - the file is made, and is @spot->made. @strict: from what is in place */
int staging_put(struct staging *staging, const struct spot *spot, bool strict,
                struct vss_error *reterr);
/* staging_write() - what was made has ranges for the file in place, which gets @record too */
int staging_write(struct staging *staging, const struct spot *spot, const char *ranges,
                  uint64_t new_size, struct vss_error *reterr);
/* staging_remove() - what is in place goes; @tree: with all that is in it */
int staging_remove(struct staging *staging, const struct spot *spot, bool tree,
                   struct vss_error *reterr);
/* staging_set() - an existing directory (@name is "") or file gets these; its attributes now are
 * read from @fd */
int staging_set(struct staging *staging, const struct place_level *level, size_t root,
                const char *name, int fd, const struct record *record,
                const struct attributes *attributes, struct vss_error *reterr);

/* staging_time() - an existing directory that the backup does not have: should all be undone, its
 * time as well */
int staging_time(struct staging *staging, const struct place_level *level, size_t root,
                 struct vss_error *reterr);

/*
 * staging_open_tree() - the directory @name, absent in @level, beside its place: made if it is not
 * there yet
 * @path: below the root, @size bytes of it
 * @replace: something that is no directory may be in the way
 *
 * Return: a descriptor or negative errno
 */
int staging_open_tree(struct staging *staging, const struct place_level *level, size_t root,
                      const char *path, size_t size, const char *name, bool replace,
                      uint64_t *ret_number, bool *ret_created);
/* the name beside that a tree has */
void staging_tree_name(const struct staging *staging, uint64_t number,
                       char ret[LEFTOVERS_NAME_SIZE]);

/* staging_commit() - all is made, and nothing is open for writing any more: put it in place.
 * Return: 0; negative with words, then everything is as it was unless *ret_changed */
int staging_commit(struct staging *staging, bool *ret_changed, struct vss_error *reterr);
/* staging_hand_over() - for later: @staged is told of each; 0 or negative, then all is discarded */
int staging_hand_over(struct staging *staging,
                      int (*staged)(void *userdata, const struct restore_staged *staged,
                                    struct vss_error *reterr),
                      void *userdata, struct vss_error *reterr);
/* staging_discard() - nothing comes of it */
void staging_discard(struct staging *staging);

/* ---- recover.c ---- */

/* recover_killed() - finish or undo what restores that were killed began; @watch is told of what
 * is left as it is. False: some of it could not be done now, and what lies beside must stay */
bool recover_killed(const char *dir, const struct engine_watch *watch, uint32_t component);
/* the folder of a request's list; the caller frees it; NULL: there is none */
char *undo_dir_of(const struct restore_request *request);

#endif
