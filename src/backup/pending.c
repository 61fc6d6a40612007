/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending.c - see pending.h: registering and looking. The moves themselves are in pending-run.c.
 */
#define _GNU_SOURCE
#include "backup/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backup/pending-inside.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sum.h"

struct staged_fs {
        dev_t device;
        int fd;
};

struct pending_set {
        struct journal journal;
        struct journal_set set;
        struct text text;
        struct staged_fs *file_systems; /* to be synced */
        size_t fs_count, fs_capacity;
};

static struct pending_set *set_free(struct pending_set *set) {
        if (!set)
                return NULL;
        for (size_t i = 0; i < set->fs_count; i++)
                close(set->file_systems[i].fd);
        free(set->file_systems);
        journal_set_done(&set->set);
        journal_done(&set->journal);
        text_done(&set->text);
        free(set);
        return NULL;
}

DEFINE_CLEANUP(struct pending_set *, set_free)

int pending_sweep(struct journal *journal, uint64_t *ret_removed, struct vss_error *reterr) {
        struct text text = { 0 };
        int r = 0;

        *ret_removed = 0;
        for (size_t i = 0; i < journal->count; i++)
                if (!journal->sets[i].committed && !journal->sets[i].gone) {
                        journal->sets[i].gone = true;
                        line_gone(&text, &journal->sets[i].id);
                }
        if (text.size > 0 || text.failed)
                r = journal_append(journal, &text, true, reterr);
        text_done(&text);
        for (size_t i = 0; r >= 0 && i < journal->count; i++)
                for (size_t k = 0; journal->sets[i].gone && k < journal->sets[i].count; k++)
                        *ret_removed += move_remove_staged(&journal->sets[i].moves[k]) > 0;
        return r;
}

/* What a restore left that was killed before its set counted. Not while another one registers. */
static int sweep_first(struct journal *journal, struct vss_error *reterr) {
        uint64_t removed;
        int r = journal_try_alone(journal);

        if (r < 0)
                return 0;
        r = journal_read(journal, reterr);
        if (r >= 0)
                r = pending_sweep(journal, &removed, reterr);
        if (r >= 0 && journal->count > 0 && journal_is_finished(journal))
                r = journal_remove(journal, reterr);
        /* until it is locked again another process may remove the file */
        closep(&journal->fd);
        journal->fd = -1;
        return r;
}

int pending_begin(const struct restore_settings *settings, const struct vss_id *session,
                  const char *title, struct pending_set **ret, struct vss_error *reterr) {
        _cleanup_(set_freep) struct pending_set *set = NULL;
        int r;

        if (geteuid() != 0)
                return vss_fail(reterr, -EPERM,
                                "only root can have files put in place at the next boot");
        set = calloc(1, sizeof(*set));
        if (!set)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        set->journal = JOURNAL_NONE;
        set->set = (struct journal_set){ .session = *session,
                                         .time = vss_timestamp_now(),
                                         .sum = SUM_BEGIN,
                                         .title = strdup(title) };
        r = set->set.title ? vss_id_new(&set->set.id) : -ENOMEM;
        if (r >= 0)
                r = boot_identity(set->set.boot);
        if (r < 0)
                return vss_fail(reterr, r, "cannot begin to register files for the next boot: %s",
                                strerror(-r));
        r = journal_open(settings, true, &set->journal, reterr);
        if (r >= 0)
                r = sweep_first(&set->journal, reterr);
        if (r >= 0)
                r = journal_lock(&set->journal, false, reterr);
        if (r >= 0) {
                line_set(&set->text, &set->set);
                r = journal_append(&set->journal, &set->text, false, reterr);
        }
        if (r >= 0)
                *ret = take(set);
        return r;
}

/* One descriptor for each file system. */
static int remember_fs(struct pending_set *set, dev_t device, int fd) {
        for (size_t i = 0; i < set->fs_count; i++)
                if (set->file_systems[i].device == device)
                        return 0;
        if (ARRAY_RESERVE(&set->file_systems, set->fs_count, &set->fs_capacity) < 0)
                return -ENOMEM;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
                return -errno;
        set->file_systems[set->fs_count++] = (struct staged_fs){ device, fd };
        return 0;
}

/* As open_directory_of(), and *ret is the path by which it is reached without links. */
static int open_real(const char *path, int *ret_fd, char **ret, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
        _cleanup_free_ char *real = parent ? realpath(parent, NULL) : NULL;
        int r;

        if (!real)
                return parent ? -errno : -ENOMEM;
        *ret = path_join(real, slash + 1);
        if (!*ret)
                return -ENOMEM;
        r = open_directory_of(*ret, ret_fd, ret_name);
        if (r < 0) {
                free(*ret);
                *ret = NULL;
        }
        return r;
}

/* Both ends as they are now: what the boot will look for. */
static int describe(struct pending_set *set, const char *staged, const char *destination,
                    struct journal_move *move, struct vss_error *reterr) {
        _cleanup_close_ int from = -1, to = -1;
        const char *from_name, *to_name;
        struct stat st, there;
        int r = open_real(destination, &to, &move->told.destination, &to_name);

        if (r >= 0)
                r = directory_identify(to, &move->parent);
        if (r < 0)
                return vss_fail(reterr, r, "'%s': cannot open its directory: %s", destination,
                                strerror(-r));
        r = open_real(staged, &from, &move->told.staged, &from_name);
        if (r >= 0)
                r = directory_identify(from, &move->staged_parent);
        if (r >= 0 && fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = -errno;
        if (r >= 0)
                r = remember_fs(set, st.st_dev, from);
        if (r < 0)
                return vss_fail(reterr, r, "'%s' cannot wait for a boot: %s", staged, strerror(-r));
        if (st.st_dev != move->parent.device || st.st_dev != move->staged_parent.device)
                return vss_fail(reterr, -EXDEV, "'%s' and '%s' are not on one file system", staged,
                                destination);
        if (fstatat(to, to_name, &there, AT_SYMLINK_NOFOLLOW) >= 0 &&
            (S_ISDIR(there.st_mode) || S_ISDIR(st.st_mode)))
                return vss_fail(
                        reterr, -EISDIR, "'%s' cannot be replaced at the next boot: %s directory",
                        destination,
                        S_ISDIR(there.st_mode) ? "it is a" : "it is none, and would become a");
        move->inode = st.st_ino;
        move->mode = st.st_mode;
        return 0;
}

static bool is_in(const struct directory_identity *directory, uint64_t device, uint64_t inode) {
        return inode == 0 || (directory->device == device && directory->inode == inode);
}

int pending_add(struct pending_set *set, const char *staged, const char *destination,
                struct vss_error *reterr) {
        return pending_add_in(set, staged, destination, 0, 0, reterr);
}

int pending_add_in(struct pending_set *set, const char *staged, const char *destination,
                   uint64_t device, uint64_t inode, struct vss_error *reterr) {
        struct journal_move move = { 0 };
        uint64_t sum = 0;
        int r = 0;

        if (!path_is_clean(staged) || !path_is_clean(destination) || !staged[1] || !destination[1])
                return vss_fail(reterr, E_INVALIDARG, "'%s' or '%s' is no absolute path", staged,
                                destination);
        r = describe(set, staged, destination, &move, reterr);
        if (r >= 0 &&
            (!is_in(&move.parent, device, inode) || !is_in(&move.staged_parent, device, inode)))
                r = vss_fail(reterr, -ESTALE,
                             "'%s' cannot wait for a boot: its directory was moved, or is a link "
                             "or something else by now",
                             destination);
        if (r >= 0 && ARRAY_RESERVE(&set->set.moves, set->set.count, &set->set.capacity) < 0)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        if (r >= 0) {
                sum = line_move(&set->text, &set->set.id, set->set.count, &move);
                r = journal_append(&set->journal, &set->text, false, reterr);
        }
        if (r < 0) {
                journal_move_done(&move);
                return r;
        }
        set->set.sum = sum_of_sums(set->set.sum, sum);
        set->set.moves[set->set.count++] = move;
        return 0;
}

int pending_commit(struct pending_set *take_set, struct vss_error *reterr) {
        struct pending_set *set = take_set;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < set->fs_count; i++)
                if (syncfs(set->file_systems[i].fd) < 0)
                        r = vss_fail(reterr, -errno, "cannot write the staged files to disk: %s",
                                     strerror(errno));
        if (r >= 0) {
                line_commit(&set->text, &set->set.id, set->set.count, set->set.sum);
                r = journal_append(&set->journal, &set->text, true, reterr);
        }
        if (r < 0)
                pending_abandon(set);
        else
                set_free(set);
        return r;
}

struct pending_set *pending_abandon(struct pending_set *set) {
        if (!set)
                return NULL;
        /* the line is no more than tidy: a set without a commit does not count */
        line_gone(&set->text, &set->set.id);
        (void)journal_append(&set->journal, &set->text, false, NULL);
        for (size_t i = 0; i < set->set.count; i++)
                (void)move_remove_staged(&set->set.moves[i]);
        return set_free(set);
}

/* ---- looking ---- */

void pending_list_done(struct pending_list *list) {
        for (size_t i = 0; i < list->count; i++) {
                struct pending_info *info = &list->sets[i];

                for (size_t k = 0; k < info->count; k++) {
                        free(info->moves[k].staged);
                        free(info->moves[k].destination);
                        free(info->moves[k].words);
                }
                free(info->moves);
                free(info->title);
        }
        free(list->sets);
        *list = (struct pending_list){ 0 };
}

/* the strings change hands */
static int tell_set(const struct restore_settings *settings, struct journal_set *set,
                    const char *boot, struct pending_list *list) {
        struct pending_info info = { .id = set->id,
                                     .session = set->session,
                                     .time = set->time,
                                     .committed = set->committed,
                                     .since_boot = strcmp(set->boot, boot) == 0 };

        if (ARRAY_RESERVE(&list->sets, list->count, &list->capacity) < 0)
                return -ENOMEM;
        info.moves = calloc(set->count ? set->count : 1, sizeof(*info.moves));
        if (!info.moves)
                return -ENOMEM;
        for (size_t k = 0; k < set->count; k++) {
                struct pending_move *move = &info.moves[info.count++];

                *move = set->moves[k].told;
                move->is_protected = pending_is_protected(settings, move->destination);
                set->moves[k].told = (struct pending_move){ 0 };
        }
        info.title = take(set->title);
        list->sets[list->count++] = info;
        return 0;
}

int pending_read(const struct restore_settings *settings, struct pending_list *ret,
                 struct vss_error *reterr) {
        struct pending_list list = { 0 };
        struct journal journal = JOURNAL_NONE;
        char boot[BOOT_IDENTITY_SIZE];
        int r = journal_open(settings, false, &journal, reterr);

        if (r == -ENOENT) {
                *ret = list;
                return 0;
        }
        if (r >= 0)
                r = journal_read(&journal, reterr);
        if (r >= 0)
                r = boot_identity(boot);
        for (size_t i = 0; r >= 0 && i < journal.count; i++)
                if (!journal.sets[i].gone)
                        r = tell_set(settings, &journal.sets[i], boot, &list);
        if (r < 0)
                pending_list_done(&list);
        else {
                list.damaged = journal.damaged;
                list.permission = pending_is_permitted(&journal, "");
                *ret = list;
        }
        journal_done(&journal);
        return r;
}
