/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-journal.h - the journal of moves as a file: what its lines say, and how they get there.
 * For the files of pending.h only.
 *
 * A line is a sum and a record, fields between tabs (backup/record.h), whose first is its kind:
 *
 *     journal  1
 *     set      ID SESSION TIME BOOT TITLE
 *     move     ID NUMBER STAGED DESTINATION  INODE MODE  DIRECTORY  DIRECTORY-OF-STAGED
 *     commit   ID COUNT SUM-OF-SUMS
 *     done     ID NUMBER CODE WORDS
 *     gone     ID
 *
 * where a directory is DEVICE INODE FS-TYPE FS-ID.
 */
#ifndef BACKUP_PENDING_JOURNAL_H
#define BACKUP_PENDING_JOURNAL_H

#include <sys/stat.h>

#include "backup/pending.h"
#include "backup/record.h"
#include "base/process.h"

/* struct directory_identity - the same directory after a boot: devices may have other numbers then,
 * file systems tell of themselves what they are */
struct directory_identity {
        uint64_t device, inode;
        uint64_t fs_type, fs_id; /* fs_id 0: not known, the device decides */
};

int directory_identify(int fd, struct directory_identity *ret);
bool directory_is(const struct directory_identity *a, const struct directory_identity *b);

struct journal_move {
        struct pending_move told;
        uint64_t inode;
        uint32_t mode; /* type bits are compared */
        struct directory_identity parent, staged_parent;
        bool unmarked; /* its fate is not in the journal yet */
};

struct journal_set {
        struct vss_id id, session;
        char *title, boot[BOOT_IDENTITY_SIZE];
        vss_timestamp_t time;
        struct journal_move *moves;
        size_t count, capacity;
        uint64_t sum; /* of the moves' sums */
        bool damaged, committed, gone;
};

struct journal {
        int folder; /* descriptor of pending_dir */
        int lock; /* held shared by who registers, alone by who moves or discards */
        int fd; /* the file; -1: there is none */
        struct journal_set *sets;
        size_t count, capacity;
        size_t damaged; /* lines */
};

#define JOURNAL_NONE ((struct journal){ .folder = -1, .lock = -1, .fd = -1 })

/* journal_open() - the folder, checked; with @create made if absent, else -ENOENT without words.
 * -EPERM when others could have written there */
int journal_open(const struct restore_settings *settings, bool create, struct journal *ret,
                 struct vss_error *reterr);
void journal_done(struct journal *journal);
/* journal_lock() - shared or alone; waits some seconds, then -EBUSY with words */
int journal_lock(struct journal *journal, bool alone, struct vss_error *reterr);
/* journal_try_alone() - right now, or -EWOULDBLOCK */
int journal_try_alone(struct journal *journal);
/* journal_read() - all of the file; anew */
int journal_read(struct journal *journal, struct vss_error *reterr);

/* ---- pending-lines.c ---- */

/* journal_parse() - @text, NUL-terminated, is changed. 0, -ENOMEM, VSS_E_NOT_SUPPORTED */
int journal_parse(struct journal *journal, char *text, size_t size, struct vss_error *reterr);

/* The lines of a record each append to @text. */
void line_set(struct text *text, const struct journal_set *set);
uint64_t line_move(struct text *text, const struct vss_id *id, size_t number,
                   const struct journal_move *move); /* the line's sum */
void line_commit(struct text *text, const struct vss_id *id, size_t count, uint64_t sum);
void line_done(struct text *text, const struct vss_id *id, size_t number, int code,
               const char *words);
void line_gone(struct text *text, const struct vss_id *id);

/* journal_append() - all of @text, or as if none, behind what is whole; empties @text. Opens the
 * file if need be. @sync: it is on disk when this returns */
int journal_append(struct journal *journal, struct text *text, bool sync, struct vss_error *reterr);

/* journal_is_finished() - nothing waits and nothing failed: the file can go */
bool journal_is_finished(const struct journal *journal);
int journal_remove(struct journal *journal, struct vss_error *reterr);

void journal_set_done(struct journal_set *set);
void journal_move_done(struct journal_move *move);

/* sum_of_sums() - what a commit says of its moves */
uint64_t sum_of_sums(uint64_t sum, uint64_t line);

/* ---- pending-move.c: the things themselves ---- */

/* split_path() - the directory of @path, open, by a way without links; *ret_name is in @path */
int open_directory_of(const char *path, int *ret_fd, const char **ret_name);
/* move_place() - the staged thing becomes its destination, if both are what they were. 0 also when
 * it has become it already; *ret_fd: a descriptor on the file system, to be synced. Negative with
 * words that name the file */
int move_place(const struct journal_move *move, int *ret_fd, struct vss_error *reterr);
/* move_remove_staged() - 1 removed, 0 it is not there any more or is another thing, negative errno
 */
int move_remove_staged(const struct journal_move *move);

#endif
