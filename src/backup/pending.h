/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending.h - files that are put in place at the next boot: the journal of moves.
 *
 * A set of moves counts when it is committed, or not at all. Each move is a rename within one file
 * system, of a file that lies there already, complete. Only root can register moves (SEC-54), and
 * only what was registered before the boot is moved. Who decides that a file must wait, and makes
 * the staged one, is not here.
 *
 * The journal <pending_dir>/journal is appended to, line by line, each with its sum: a torn end
 * costs the set that was being written. No line is ever changed; when nothing waits any more, the
 * file goes.
 */
#ifndef BACKUP_PENDING_H
#define BACKUP_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backup/restore-settings.h"
#include "vss/error.h"
#include "vss/types.h"

/* ---- registering ---- */

struct pending_set;

/* pending_begin() - a set: all of its moves or none. @title: for people, the component's name.
 * Removes the staged files of sets whose restore was killed before it committed them.
 *
 * Return: 0, -EPERM (not root), -EBUSY (moves are being carried out), negative errno */
int pending_begin(const struct restore_settings *settings, const struct vss_id *session,
                  const char *title, struct pending_set **ret, struct vss_error *reterr);

/* pending_add() - the thing at @staged is to become @destination. Both absolute; @staged exists,
 * complete, in a directory of the destination's file system; the destination's directory exists.
 * A directory can be moved too, if nothing is at its destination at boot. Call it as soon as the
 * staged thing has its name: from then on it is removed if the set is never committed.
 *
 * Return: 0, -EXDEV, -EISDIR (@destination is a directory, or @staged is one and something is
 * there), other negative errno */
int pending_add(struct pending_set *set, const char *staged, const char *destination,
                struct vss_error *reterr);

/* pending_add_in() - of a restore that holds the directory of both: on the way to it somebody may
 * have swapped a directory for a link to elsewhere since (SEC-69). -ESTALE: it is another one */
int pending_add_in(struct pending_set *set, const char *staged, const char *destination,
                   uint64_t device, uint64_t inode, struct vss_error *reterr);

/* pending_commit() - syncs the file systems of all moves, then the journal; on success the set will
 * be moved. Consumes @take_set; on failure it is abandoned */
int pending_commit(struct pending_set *take_set, struct vss_error *reterr);

/* pending_abandon() - removes the staged things that are still there. Accepts NULL, returns NULL */
struct pending_set *pending_abandon(struct pending_set *set);

/* ---- looking ---- */

enum pending_state {
        PENDING_WAITS, /* for the next boot */
        PENDING_PLACED,
        PENDING_FAILED, /* could not be put in place; the staged file is kept */
};

struct pending_move {
        char *staged, *destination;
        enum pending_state state;
        int code; /* negative errno, if failed */
        char *words; /* if failed */
        bool is_protected; /* needs permission */
};

struct pending_info {
        struct vss_id id, session;
        char *title;
        vss_timestamp_t time; /* of registration */
        bool committed, since_boot; /* registered since this machine's last boot */
        struct pending_move *moves;
        size_t count, capacity;
};

struct pending_list {
        struct pending_info *sets; /* in order of registration */
        size_t count, capacity;
        size_t damaged; /* lines of the journal that are none; their sets do not count */
        bool permission; /* protected files may be replaced at the next boot */
};

/* pending_read() - what the journal holds; an absent one is empty. -EPERM when others could have
 * written it */
int pending_read(const struct restore_settings *settings, struct pending_list *ret,
                 struct vss_error *reterr);
void pending_list_done(struct pending_list *list);

/* ---- at boot ---- */

struct pending_summary {
        uint64_t placed, failed, removed; /* removed: staged files of sets that do not count */
        uint64_t waiting; /* registered since the boot */
};

enum { PENDING_NOW = 1 << 0 /* also what was registered since the boot */ };

/* pending_run() - the moves, in order of registration; goes on after a failure.
 * @trouble: for each thing that an administrator must know, a sentence that names the file
 *
 * Return: 0 also with failed moves; negative errno when the journal cannot be read or written */
int pending_run(const struct restore_settings *settings, unsigned flags,
                void (*trouble)(void *userdata, const char *words), void *userdata,
                struct pending_summary *ret, struct vss_error *reterr);

/* pending_discard() - the set is forgotten, its staged files that are not in place are removed.
 * @set: an id or its unique beginning. VSS_E_OBJECT_NOT_FOUND, E_INVALIDARG when ambiguous */
int pending_discard(const struct restore_settings *settings, const char *set, uint64_t *ret_removed,
                    struct vss_error *reterr);

/* pending_permit() - protected files may be replaced at the next boot, by that one only */
int pending_permit(const struct restore_settings *settings, bool permit, struct vss_error *reterr);

#endif
