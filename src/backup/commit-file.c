/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit-file.c - one name changes hands, or goes, or has its attributes changed; and back. Where
 * the file system can, two names are exchanged, so that there is always a file under the name; else
 * the old one is put aside first, and for a moment there is none.
 *
 * What to do is told by the inodes that lie under the names, not by memory: each function may be
 * called again, by whoever, after any of its steps.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/commit.h"
#include "backup/restoring.h"
#include "base/cleanup.h"
#include "base/file.h"

ino_t inode_at(int at, const char *name) {
        struct stat st;

        return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_ino;
}

static bool cannot_do_that(void) {
        return errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

/* a name that nothing has */
static int rename_new(int at, const char *from, const char *to) {
        if (renameat2(at, from, at, to, RENAME_NOREPLACE) >= 0)
                return 0;
        if (!cannot_do_that())
                return -errno;
        if (inode_at(at, to) != 0)
                return -EEXIST;
        return renameat(at, from, at, to) < 0 ? -errno : 0;
}

/* @made takes @name; what had it is @made then, or @old where names cannot be exchanged */
static int exchange(int at, const char *made, const char *name, const char *old) {
        int r;

        if (renameat2(at, made, at, name, RENAME_EXCHANGE) >= 0)
                return 0;
        if (!cannot_do_that())
                return -errno;
        r = rename_new(at, name, old);
        if (r >= 0)
                r = rename_new(at, made, name);
        if (r < 0 && inode_at(at, name) == 0)
                (void)rename_new(at, old, name);
        return r;
}

/* a directory that holds only what this list put beside */
static bool is_emptied(const struct commit *commit, int at, const char *name) {
        _cleanup_close_ int fd = open_beneath(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : read_directory(fd);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    !undo_list_is_name(commit->list, entry->d_name))
                        return false;
        return dir != NULL;
}

static int failed(int r, const char *full, struct vss_error *reterr) {
        return vss_fail(reterr, r, "'%s' cannot be put in place: %s", full, place_trouble(r));
}

/* ---- names that are taken ---- */

/* is what is in place still what was seen when the list was made (SEC-69)? */
static int check_old(const struct commit *commit, const struct undo_item *item,
                     const struct stat *st, const char *full, struct vss_error *reterr) {
        if (st->st_ino != item->old)
                return vss_fail(reterr, -ESTALE,
                                "'%s' was put there by somebody else during the restore, or the "
                                "backup has another file that gets this name (upper and lower case "
                                "or two spellings may be one name here)",
                                full);
        if ((item->strict || commit->recovering) &&
            (st->st_ctim.tv_sec != item->old_ctime ||
             st->st_ctim.tv_nsec != (long)item->old_ctime_ns))
                return vss_fail(reterr, -ESTALE, "'%s' was changed since the restore began", full);
        return 0;
}

static int replace(struct commit *commit, const struct undo_item *item, int at, const char *made,
                   const struct stat *st, const char *full, struct vss_error *reterr) {
        char old[LEFTOVERS_NAME_SIZE];
        _cleanup_close_ int held = -1; /* until the names are exchanged */
        int r = check_old(commit, item, st, full, reterr);

        if (r < 0)
                return r;
        if (S_ISDIR(st->st_mode) && !is_emptied(commit, at, item->name))
                return vss_fail(reterr, -EISDIR,
                                "'%s' cannot be put in place: a directory that is not empty is in "
                                "the way",
                                full);
        r = in_use_take(commit->in_use, at, item->name, full, false, &held, reterr);
        if (r < 0)
                return r;
        undo_list_old_name(commit->list, item->number, old);
        r = exchange(at, made, item->name, old);
        if (r < 0)
                return failed(r, full, reterr);
        if (inode_at(at, made) == item->old || inode_at(at, old) == item->old)
                return 0;
        /* somebody was between the look and the exchange */
        (void)renameat2(at, made, at, item->name, RENAME_EXCHANGE);
        return failed(-ESTALE, full, reterr);
}

int commit_put(struct commit *commit, const struct undo_item *item, int at, const char *full,
               struct vss_error *reterr) {
        char made[LEFTOVERS_NAME_SIZE];
        struct stat st;
        ino_t is;
        int r;

        undo_list_made_name(commit->list, item->number, made);
        is = inode_at(at, made);
        if (commit->recovering &&
            ((is == item->old && is != 0) || (is == 0 && inode_at(at, item->name) == item->made)))
                return 0;
        if (is != item->made)
                return vss_fail(reterr, -ESTALE,
                                "'%s' cannot be put in place: what was made for it is gone", full);
        if (fstatat(at, item->name, &st, AT_SYMLINK_NOFOLLOW) >= 0)
                return replace(commit, item, at, made, &st, full, reterr);
        r = errno == ENOENT ? rename_new(at, made, item->name) : -errno;
        return r < 0 ? failed(r, full, reterr) : 0;
}

static int not_back(int r, const char *full, const char *beside, struct vss_error *reterr) {
        return vss_fail(reterr, r,
                        "'%s' could not be put back as it was: %s; the old one lies beside it as "
                        "'%s'",
                        full, strerror(-r), beside);
}

int commit_unput(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr) {
        char made[LEFTOVERS_NAME_SIZE], old[LEFTOVERS_NAME_SIZE];
        ino_t is = inode_at(at, item->name), beside;
        int r = 0;

        undo_list_made_name(commit->list, item->number, made);
        undo_list_old_name(commit->list, item->number, old);
        beside = inode_at(at, made);
        if (item->old != 0 && beside == item->old) {
                if (is == item->made)
                        r = renameat2(at, made, at, item->name, RENAME_EXCHANGE) < 0 ? -errno : 0;
                else
                        r = rename_new(at, made, item->name);
                return r < 0 ? not_back(r, full, made, reterr) : 0;
        }
        if (is == item->made && beside == 0)
                r = rename_new(at, item->name, made);
        if (r >= 0 && inode_at(at, old) != 0) {
                r = rename_new(at, old, item->name);
                return r < 0 ? not_back(r, full, old, reterr) : 0;
        }
        return r < 0 ? vss_fail(reterr, r, "'%s' could not be taken away again: %s", full,
                                strerror(-r))
                     : 0;
}

/* ---- names that go ---- */

int commit_remove(struct commit *commit, const struct undo_item *item, int at, const char *full,
                  struct vss_error *reterr) {
        _cleanup_close_ int held = -1;
        char made[LEFTOVERS_NAME_SIZE];
        struct stat st;
        int r;

        undo_list_made_name(commit->list, item->number, made);
        if (inode_at(at, made) == item->old)
                return 0;
        if (fstatat(at, item->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return 0; /* somebody else did it */
        r = S_ISDIR(st.st_mode) ? 0 : check_old(commit, item, &st, full, reterr);
        if (r < 0)
                return r;
        if (S_ISDIR(st.st_mode) && !item->tree && !is_emptied(commit, at, item->name))
                return vss_fail(reterr, -ENOTEMPTY,
                                "the directory '%s' is to be removed and is not empty", full);
        r = in_use_take(commit->in_use, at, item->name, full, false, &held, reterr);
        if (r >= 0) {
                r = rename_new(at, item->name, made);
                if (r < 0)
                        vss_fail(reterr, r, "'%s' cannot be removed: %s", full, strerror(-r));
        }
        return r;
}

int commit_unremove(struct commit *commit, const struct undo_item *item, int at, const char *full,
                    struct vss_error *reterr) {
        char made[LEFTOVERS_NAME_SIZE];
        int r;

        undo_list_made_name(commit->list, item->number, made);
        if (inode_at(at, made) == 0)
                return 0;
        r = rename_new(at, made, item->name);
        return r < 0 ? not_back(r, full, made, reterr) : 0;
}

/* ---- attributes ---- */

static int set(const struct undo_item *item, int at, const struct undo_attributes *to,
               bool drop_others, struct vss_error *reterr) {
        _cleanup_close_ int opened = -1;
        int fd = at;

        if (item->name[0]) {
                fd = opened = open_beneath(at, item->name,
                                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, false);
                if (fd < 0)
                        return vss_fail(reterr, fd, "'%s': %s", item->name, strerror(-fd));
        }
        if (drop_others)
                attributes_drop_others(fd, &to->attributes);
        return attributes_apply(fd, &to->record, &to->attributes, false, reterr);
}

int commit_set(struct commit *commit, const struct undo_item *item, int at, const char *full,
               struct vss_error *reterr) {
        commit->sets = true;
        item->set_new->record.path = (char *)(uintptr_t)full;
        return set(item, at, item->set_new, item->set_new->record.kind == ENTRY_DIRECTORY, reterr);
}

int commit_unset(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr) {
        /* what another restore set since stays */
        if (!commit->sets && !commit->recovering)
                return 0;
        item->set_old->record.path = (char *)(uintptr_t)full;
        return set(item, at, item->set_old, true, reterr);
}

static int set_time(int fd, int64_t seconds, uint32_t nanoseconds) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { seconds, (long)nanoseconds } };

        return futimens(fd, times) < 0 ? -errno : 0;
}

int commit_times(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr) {
        enum undo_mark mark = undo_list_marked(commit->list);
        bool old = mark == MARK_NONE || mark == MARK_UNDO;
        const struct record *record;

        /* later than that nobody knows what the time says */
        if (item->name[0] || (commit->recovering && mark != MARK_COMMIT))
                return 0;
        if (item->kind == UNDO_TIME)
                return old ? set_time(at, item->old_ctime, item->old_ctime_ns) : 0;
        record = old ? &item->set_old->record : &item->set_new->record;
        return set_time(at, record->mtime, record->mtime_ns);
}
