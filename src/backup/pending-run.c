/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-run.c - the moves are carried out, sets are discarded, permission is given.
 *
 * All renames first, then what they changed is synced, then they are marked: a run that is killed
 * anywhere is resumed by the next one, which knows a thing that is in place already by its inode.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/pending-inside.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PERMISSION "allow-protected"

typedef void (*trouble_t)(void *userdata, const char *words);

struct run {
        const struct restore_settings *settings;
        struct journal *journal;
        trouble_t trouble;
        void *userdata;
        bool permitted;
        struct touched {
                dev_t device;
                int fd;
        } * touched;
        size_t count, capacity;
        struct pending_summary sum;
};

static void tell(struct run *run, const char *format, ...) VSS_PRINTF(2, 3);

static void tell(struct run *run, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        if (run->trouble)
                run->trouble(run->userdata, words ? words : "out of memory");
}

/* ---- protected files (R-153) ---- */

bool pending_is_protected(const struct restore_settings *settings, const char *destination) {
        for (size_t i = 0; i < settings->protected_count; i++) {
                /* the journal has paths without links: /lib is usr/lib on many machines */
                _cleanup_free_ char *real = realpath(settings->protected_paths[i], NULL);

                if (path_is_below(destination, settings->protected_paths[i]) ||
                    (real && path_is_below(destination, real)))
                        return true;
        }
        return false;
}

bool pending_is_permitted(const struct journal *journal, const char *boot) {
        _cleanup_free_ char *since = NULL;

        return read_whole_file(journal->folder, PERMISSION, BOOT_IDENTITY_SIZE, &since, NULL) >=
                       0 &&
               strcmp(since, boot) != 0;
}

static int withdraw_permission(struct journal *journal, struct vss_error *reterr) {
        if ((unlinkat(journal->folder, PERMISSION, 0) < 0 && errno != ENOENT) ||
            fsync(journal->folder) < 0)
                return vss_fail(reterr, -errno,
                                "cannot withdraw the permission to replace protected files: %s",
                                strerror(errno));
        return 0;
}

static int give_permission(struct journal *journal, struct vss_error *reterr) {
        char boot[BOOT_IDENTITY_SIZE];
        int r = boot_identity(boot);

        if (r >= 0)
                r = write_file_atomic(journal->folder, PERMISSION, boot, strlen(boot), 0600);
        return r < 0 ? vss_fail(reterr, r, "cannot permit the replacement of protected files: %s",
                                strerror(-r))
                     : 0;
}

int pending_permit(const struct restore_settings *settings, bool permit, struct vss_error *reterr) {
        struct journal journal = JOURNAL_NONE;
        int r = journal_open(settings, permit, &journal, reterr);

        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = permit ? give_permission(&journal, reterr)
                           : withdraw_permission(&journal, reterr);
        journal_done(&journal);
        return r;
}

/* ---- the moves ---- */

/* consumes @take_fd_ */
static int remember(struct run *run, int take_fd_) {
        struct stat st;

        if (fstat(take_fd_, &st) < 0 ||
            ARRAY_RESERVE(&run->touched, run->count, &run->capacity) < 0) {
                close(take_fd_);
                return -ENOMEM;
        }
        for (size_t i = 0; i < run->count; i++)
                if (run->touched[i].device == st.st_dev) {
                        close(take_fd_);
                        return 0;
                }
        run->touched[run->count++] = (struct touched){ st.st_dev, take_fd_ };
        return 0;
}

static int place(struct run *run, const struct journal_move *move, struct vss_error *reterr) {
        int fd = -1, r;

        if (!run->permitted && pending_is_protected(run->settings, move->told.destination))
                return vss_fail(reterr, -EACCES,
                                "'%s' is protected, and nobody permitted its replacement before "
                                "this boot (vss-place-pending --allow-protected)",
                                move->told.destination);
        r = move_place(move, &fd, reterr);
        return r < 0 ? r : remember(run, fd);
}

static int run_move(struct run *run, struct journal_move *move) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        if (move->told.state != PENDING_WAITS)
                return 0;
        r = place(run, move, &error);
        if (r == -ENOMEM)
                return r;
        move->unmarked = true;
        if (r >= 0) {
                move->told.state = PENDING_PLACED;
                run->sum.placed++;
                return 0;
        }
        move->told.state = PENDING_FAILED;
        move->told.code = r < -4095 ? -EIO : r;
        move->told.words = strdup(vss_error_message(&error));
        run->sum.failed++;
        tell(run, "%s; the restored file stays at '%s'", vss_error_message(&error),
             move->told.staged);
        return move->told.words ? 0 : -ENOMEM;
}

static int sync_touched(struct run *run, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; i < run->count; i++)
                if (syncfs(run->touched[i].fd) < 0)
                        r = vss_fail(reterr, -errno,
                                     "cannot write to disk what was put in place: %s",
                                     strerror(errno));
        return r;
}

static int mark(struct run *run, struct vss_error *reterr) {
        struct text text = { 0 };
        int r = 0;

        for (size_t i = 0; i < run->journal->count; i++) {
                const struct journal_set *set = &run->journal->sets[i];

                for (size_t k = 0; k < set->count; k++)
                        if (set->moves[k].unmarked)
                                line_done(&text, &set->id, k, set->moves[k].told.code,
                                          set->moves[k].told.words ? set->moves[k].told.words : "");
        }
        if (text.size > 0 || text.failed)
                r = journal_append(run->journal, &text, true, reterr);
        text_done(&text);
        return r;
}

/* @boot: what was registered since is not for this one; "" for all */
static int run_sets(struct run *run, const char *boot) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < run->journal->count; i++) {
                struct journal_set *set = &run->journal->sets[i];

                if (set->gone || !set->committed)
                        continue;
                if (strcmp(set->boot, boot) == 0) {
                        run->sum.waiting += set->count;
                        continue;
                }
                for (size_t k = 0; r >= 0 && k < set->count; k++)
                        r = run_move(run, &set->moves[k]);
        }
        return r;
}

static int run_locked(struct run *run, unsigned flags, struct vss_error *reterr) {
        char boot[BOOT_IDENTITY_SIZE] = "";
        int r = journal_read(run->journal, reterr), marked;

        if (r >= 0 && run->journal->damaged > 0)
                tell(run,
                     "%zu lines of the journal '%s/journal' are damaged; a set of files that "
                     "misses "
                     "one is not put in place",
                     run->journal->damaged, run->settings->pending_dir);
        for (size_t i = 0; r >= 0 && i < run->journal->count; i++)
                if (!run->journal->sets[i].committed && !run->journal->sets[i].gone)
                        tell(run,
                             "'%s': the restore ended before all its files waited for this boot; "
                             "none of them is put in place: restore it again",
                             run->journal->sets[i].title);
        if (r >= 0)
                r = pending_sweep(run->journal, &run->sum.removed, reterr);
        if (r >= 0 && !(flags & PENDING_NOW) && (r = boot_identity(boot)) < 0)
                r = vss_fail(reterr, r, "cannot tell this boot from the last: %s", strerror(-r));
        if (r < 0)
                return r;
        run->permitted = pending_is_permitted(run->journal, boot);
        r = run_sets(run, boot);
        if (r < 0)
                (void)vss_fail(reterr, r, "out of memory");
        marked = sync_touched(run, reterr);
        if (marked >= 0)
                marked = mark(run, reterr);
        r = r < 0 ? r : marked;
        if (r >= 0 && run->permitted)
                r = withdraw_permission(run->journal, reterr);
        if (r >= 0 && journal_is_finished(run->journal))
                r = journal_remove(run->journal, reterr);
        return r;
}

int pending_run(const struct restore_settings *settings, unsigned flags, trouble_t trouble,
                void *userdata, struct pending_summary *ret, struct vss_error *reterr) {
        struct journal journal = JOURNAL_NONE;
        struct run run = {
                .settings = settings, .journal = &journal, .trouble = trouble, .userdata = userdata
        };
        int r = journal_open(settings, false, &journal, reterr);

        *ret = (struct pending_summary){ 0 };
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = journal_lock(&journal, true, reterr);
        if (r >= 0)
                r = run_locked(&run, flags, reterr);
        *ret = run.sum;
        for (size_t i = 0; i < run.count; i++)
                close(run.touched[i].fd);
        free(run.touched);
        journal_done(&journal);
        return r;
}

/* ---- discarding ---- */

/* NULL with words when none or several begin so */
static struct journal_set *find_set(struct journal *journal, const char *text,
                                    struct vss_error *reterr) {
        struct journal_set *found = NULL;

        for (size_t i = 0; *text && i < journal->count; i++) {
                char id[VSS_ID_TEXT_SIZE];

                if (journal->sets[i].gone ||
                    strncmp(vss_id_format(&journal->sets[i].id, id), text, strlen(text)) != 0)
                        continue;
                if (found) {
                        (void)vss_fail(reterr, E_INVALIDARG,
                                       "several sets begin with '%s'; give more of the id", text);
                        return NULL;
                }
                found = &journal->sets[i];
        }
        if (!found)
                (void)vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                               "no set of files that wait for a boot begins with '%s'", text);
        return found;
}

static int discard(struct journal *journal, struct journal_set *set, uint64_t *ret_removed,
                   struct vss_error *reterr) {
        struct text text = { 0 };
        int r, left = 0;

        /* first the line: from then on no boot moves what is left of the set */
        line_gone(&text, &set->id);
        r = journal_append(journal, &text, true, reterr);
        text_done(&text);
        set->gone = r >= 0;
        for (size_t k = 0; r >= 0 && k < set->count; k++) {
                int removed = move_remove_staged(&set->moves[k]);

                if (removed < 0 && left == 0)
                        left = vss_fail(reterr, removed,
                                        "the set is discarded, but '%s' cannot be removed: %s; "
                                        "remove it yourself",
                                        set->moves[k].told.staged,
                                        removed == -ESTALE || removed == -ELOOP
                                                ? "its directory is not where it was"
                                                : strerror(-removed));
                *ret_removed += removed > 0;
        }
        if (r >= 0 && journal_is_finished(journal))
                r = journal_remove(journal, reterr);
        return r < 0 ? r : left;
}

static int discard_named(struct journal *journal, const char *text, uint64_t *ret_removed,
                         struct vss_error *reterr) {
        struct journal_set *set;
        int r = journal_lock(journal, true, reterr);

        if (r >= 0)
                r = journal_read(journal, reterr);
        if (r < 0)
                return r;
        set = find_set(journal, text, reterr);
        return set ? discard(journal, set, ret_removed, reterr) : reterr->code;
}

int pending_discard(const struct restore_settings *settings, const char *set, uint64_t *ret_removed,
                    struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct journal journal = JOURNAL_NONE;
        int r = journal_open(settings, false, &journal, &error);

        *ret_removed = 0;
        if (r == -ENOENT)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "no files wait for a boot");
        if (r >= 0)
                r = discard_named(&journal, set, ret_removed, &error);
        journal_done(&journal);
        if (r < 0)
                vss_error_move(reterr, &error);
        return r;
}
