/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.h - what an undo list says, carried out: forward, or back. It is the restore's last step,
 * and what the next restore does for one that was killed.
 */
#ifndef BACKUP_COMMIT_H
#define BACKUP_COMMIT_H

#include "backup/in-use.h"
#include "backup/undo-list.h"

/*
 * struct commit
 * @roots:      a descriptor of each root of the list, negative: it is not there
 * @recovering: time has passed since the list was written: what is in place is changed only if it
 *              is still what it was then. Devices may have other numbers by now
 * @stays:      with @recovering: told what is left as it is, and why; else the first failure ends
 *              the call
 * @elsewhere:  with @recovering: folders that are not there now
 */
struct commit {
        struct undo_list *list;
        const int *roots;
        struct in_use *in_use;
        bool recovering;
        void (*stays)(void *userdata, const char *path, int code, const char *words);
        void *userdata;
        uint64_t elsewhere;
        bool sets; /* attributes in place may have been changed */
        /* the folder of the current item */
        size_t root;
        char *folder;
        int fd;
};

void commit_init(struct commit *commit, struct undo_list *list, const int *roots,
                 struct in_use *in_use);
void commit_done(struct commit *commit);

/* commit_forward() - after MARK_COMMIT. Done again it goes on where it was ended */
int commit_forward(struct commit *commit, struct vss_error *reterr);
/* commit_back() - everything is as it was; goes on after a failure, words are the first one's */
int commit_back(struct commit *commit, struct vss_error *reterr);
/* commit_clean() - nothing of the list lies beside any more; 0, or words for the first that does */
int commit_clean(struct commit *commit, struct vss_error *reterr);
/* commit_sync() - every file system of the list */
int commit_sync(struct commit *commit, struct vss_error *reterr);

/* commit_stage() - what is to take names gets another one beside, which outlives the list, and is
 * told. A failure discards all */
int commit_stage(struct commit *commit,
                 int (*staged)(void *userdata, const struct restore_staged *staged,
                               struct vss_error *reterr),
                 void *userdata, struct vss_error *reterr);

/* ---- commit-file.c: one item, in its folder @at ---- */

/* the inode of a name; 0: nothing is there */
ino_t inode_at(int at, const char *name);
/* @full: its path, for words */
int commit_put(struct commit *commit, const struct undo_item *item, int at, const char *full,
               struct vss_error *reterr);
int commit_unput(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr);
int commit_remove(struct commit *commit, const struct undo_item *item, int at, const char *full,
                  struct vss_error *reterr);
int commit_unremove(struct commit *commit, const struct undo_item *item, int at, const char *full,
                    struct vss_error *reterr);
int commit_set(struct commit *commit, const struct undo_item *item, int at, const char *full,
               struct vss_error *reterr);
int commit_unset(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr);
/* only the time of the folder itself, as it is to be at the end or was at the beginning */
int commit_times(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr);

/* ---- commit-ranges.c ---- */

int commit_write(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr);
int commit_unwrite(struct commit *commit, const struct undo_item *item, int at, const char *full,
                   struct vss_error *reterr);
/* only these ranges, at their own offsets, below @end; 0 or negative errno */
int copy_ranges(int from, int to, const struct byte_range *ranges, size_t count, uint64_t end);

#endif
