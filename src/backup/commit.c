/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commit.c - see commit.h: the passes over a list. Each folder is reached from its root by single
 * steps that follow no link, and must be the one that the list was made in (SEC-61, SEC-69).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/commit.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define DEVICES_MAX 64

typedef int (*act_t)(struct commit *commit, const struct undo_item *item, int at, const char *full,
                     struct vss_error *reterr);

void commit_init(struct commit *commit, struct undo_list *list, const int *roots,
                 struct in_use *in_use) {
        *commit = (struct commit){ .list = list, .roots = roots, .in_use = in_use, .fd = -1 };
}

void commit_done(struct commit *commit) {
        closep(&commit->fd);
        free(commit->folder);
        commit->folder = NULL;
        commit->fd = -1;
}

/* ---- folders ---- */

static int open_folder(struct commit *commit, const struct undo_item *item) {
        char *const *roots;
        struct stat st;

        if (commit->fd >= 0 && commit->root == item->root &&
            strcmp(commit->folder, item->folder) == 0)
                return 0;
        commit_done(commit);
        if (item->root >= undo_list_roots(commit->list, &roots) || commit->roots[item->root] < 0)
                return -ENOENT;
        commit->folder = strdup(item->folder);
        commit->root = item->root;
        if (!commit->folder)
                return -ENOMEM;
        commit->fd = open_by_steps(commit->roots[item->root], item->folder);
        if (commit->fd < 0)
                return commit->fd;
        if (fstat(commit->fd, &st) < 0 || st.st_ino != item->inode ||
            (!commit->recovering && st.st_dev != item->device)) {
                commit_done(commit);
                return -ESTALE;
        }
        return 0;
}

static char *full_path(const struct commit *commit, const struct undo_item *item) {
        char *const *roots;
        size_t count = undo_list_roots(commit->list, &roots);
        const char *root = item->root < count ? roots[item->root] : "/";
        char *path = NULL;

        if (asprintf(&path, "%s%s%s%s%s", root[1] ? root : "", item->folder[0] ? "/" : "",
                     item->folder, item->name[0] ? "/" : "", item->name) < 0)
                return NULL;
        return path;
}

static bool is_not_there(int r) {
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -ESTALE;
}

static int do_item(struct commit *commit, const struct undo_item *item, act_t act,
                   struct vss_error *reterr) {
        _cleanup_free_ char *full = full_path(commit, item);
        int r = full ? open_folder(commit, item) : -ENOMEM;

        if (r == -ENOMEM)
                return vss_fail(reterr, r, "out of memory");
        if (is_not_there(r) && commit->recovering)
                commit->elsewhere++;
        if (r < 0)
                return vss_fail(reterr, r,
                                "'%s' cannot be reached: its directory was moved, or is a link or "
                                "something else by now",
                                full);
        return act(commit, item, commit->fd, full, reterr);
}

/* ---- passes ---- */

enum pass { PASS_STOP, PASS_GO_ON };

/* @act for all items of one kind */
static int each(struct commit *commit, enum undo_kind kind, act_t act, enum pass pass,
                struct vss_error *reterr) {
        struct undo_item item;
        int first = 0, r = undo_list_rewind(commit->list);

        while (r >= 0 && (r = undo_list_next(commit->list, &item)) > 0) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

                if (item.kind != (char)kind)
                        continue;
                r = do_item(commit, &item, act, &error);
                if (r >= 0)
                        continue;
                if (first == 0)
                        first = vss_fail(reterr, r, "%s", vss_error_message(&error));
                if (commit->stays && !is_not_there(r))
                        commit->stays(commit->userdata, item.name, r, vss_error_message(&error));
                if (pass == PASS_STOP && !commit->recovering)
                        return first;
                r = 0;
        }
        if (r < 0 && first == 0)
                first = vss_fail(reterr, r, "the list of what a restore changes is unreadable: %s",
                                 strerror(-r));
        return first;
}

struct step {
        enum undo_kind kind;
        act_t act;
};

static int all(struct commit *commit, const struct step *steps, size_t count, enum pass pass,
               struct vss_error *reterr) {
        int first = 0;

        for (size_t i = 0; i < count; i++) {
                int r = each(commit, steps[i].kind, steps[i].act, pass, first == 0 ? reterr : NULL);

                if (r < 0 && first == 0)
                        first = r;
                if (r < 0 && pass == PASS_STOP && !commit->recovering)
                        break;
        }
        commit_done(commit);
        return first;
}

/* what goes makes room for what comes; times come last, renames change them */
int commit_forward(struct commit *commit, struct vss_error *reterr) {
        static const struct step steps[] = { { UNDO_REMOVE, commit_remove },
                                             { UNDO_PUT, commit_put },
                                             { UNDO_WRITE, commit_write },
                                             { UNDO_SET, commit_set } };

        return all(commit, steps, ELEMENTSOF(steps), PASS_STOP, reterr);
}

int commit_back(struct commit *commit, struct vss_error *reterr) {
        static const struct step steps[] = { { UNDO_WRITE, commit_unwrite },
                                             { UNDO_PUT, commit_unput },
                                             { UNDO_REMOVE, commit_unremove },
                                             { UNDO_SET, commit_unset } };

        return all(commit, steps, ELEMENTSOF(steps), PASS_GO_ON, reterr);
}

/* ---- what lies beside ---- */

static void pending_name(const struct commit *commit, uint64_t number,
                         char ret[LEFTOVERS_NAME_SIZE]) {
        char made[LEFTOVERS_NAME_SIZE];

        undo_list_made_name(commit->list, number, made);
        snprintf(ret, LEFTOVERS_NAME_SIZE, PENDING_PREFIX "%s", strrchr(made, '-') + 1);
}

static int clean(struct commit *commit, const struct undo_item *item, int at, const char *full,
                 struct vss_error *reterr) {
        char name[LEFTOVERS_NAME_SIZE];
        int r;

        undo_list_made_name(commit->list, item->number, name);
        r = remove_tree(at, name);
        if (r >= 0) {
                undo_list_old_name(commit->list, item->number, name);
                r = remove_tree(at, name);
        }
        /* as long as the list is there nobody relies on these */
        if (r >= 0 && item->kind == UNDO_PUT && undo_list_marked(commit->list) == MARK_NONE) {
                pending_name(commit, item->number, name);
                r = remove_tree(at, name);
        }
        return r < 0 ? vss_fail(reterr, r,
                                "the restore of '%s' left '%s' beside it, which cannot be removed: "
                                "%s",
                                full, name, strerror(-r))
                     : 0;
}

/* what a list that was killed had no time to name; nothing of it is in place */
static void sweep(struct commit *commit) {
        struct undo_item item;
        int r = undo_list_rewind(commit->list);

        while (r >= 0 && (r = undo_list_next_folder(commit->list, &item)) > 0) {
                _cleanup_closedir_ DIR *dir =
                        open_folder(commit, &item) < 0 ? NULL : read_directory(commit->fd);
                const struct dirent *entry;

                while (dir && (entry = readdir(dir)))
                        if (undo_list_is_name(commit->list, entry->d_name))
                                (void)remove_tree(commit->fd, entry->d_name);
        }
        commit_done(commit);
}

int commit_clean(struct commit *commit, struct vss_error *reterr) {
        static const struct step steps[] = { { UNDO_REMOVE, clean },
                                             { UNDO_WRITE, clean },
                                             { UNDO_PUT, clean } };
        static const struct step times[] = { { UNDO_SET, commit_times },
                                             { UNDO_TIME, commit_times } };
        int first = 0;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                int r = all(commit, &steps[i], 1, PASS_GO_ON, &error);

                /* a folder that became something else took what lay in it along */
                if (r < 0 && !is_not_there(r) && first == 0)
                        first = vss_fail(reterr, r, "%s", vss_error_message(&error));
        }
        if (commit->recovering && undo_list_marked(commit->list) == MARK_NONE)
                sweep(commit);
        /* what goes changes the time of its folder */
        (void)all(commit, times, ELEMENTSOF(times), PASS_GO_ON, NULL);
        return first;
}

int commit_sync(struct commit *commit, struct vss_error *reterr) {
        dev_t devices[DEVICES_MAX];
        struct undo_item item;
        size_t count = 0;
        int r = undo_list_rewind(commit->list);

        while (r >= 0 && (r = undo_list_next(commit->list, &item)) > 0) {
                bool known = false;
                struct stat st;

                if (open_folder(commit, &item) < 0 || fstat(commit->fd, &st) < 0)
                        continue;
                for (size_t i = 0; i < count && !known; i++)
                        known = devices[i] == st.st_dev;
                if (known)
                        continue;
                if (syncfs(commit->fd) < 0)
                        r = -errno;
                if (count < DEVICES_MAX)
                        devices[count++] = st.st_dev;
        }
        commit_done(commit);
        return r < 0 ? vss_fail(reterr, r, "the destination cannot be synced: %s", strerror(-r))
                     : 0;
}

/* ---- for later ---- */

struct staging_watch {
        int (*staged)(void *userdata, const struct restore_staged *staged,
                      struct vss_error *reterr);
        void *userdata;
};

static int stage_one(struct commit *commit, const struct undo_item *item, int at, const char *full,
                     struct vss_error *reterr) {
        const struct staging_watch *watch = commit->userdata;
        char made[LEFTOVERS_NAME_SIZE], pending[LEFTOVERS_NAME_SIZE];
        _cleanup_free_ char *path = NULL;
        struct restore_staged staged;
        struct stat st;

        undo_list_made_name(commit->list, item->number, made);
        pending_name(commit, item->number, pending);
        if (asprintf(&path, "%.*s/%s", (int)(strrchr(full, '/') - full), full, pending) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (fstatat(at, made, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != item->made ||
            renameat(at, made, at, pending) < 0)
                return vss_fail(reterr, -ESTALE,
                                "'%s' cannot be staged: what was made for it is "
                                "gone",
                                full);
        staged = (struct restore_staged){ .staged = path,
                                          .destination = full,
                                          .parent_device = item->device,
                                          .parent_inode = item->inode,
                                          .is_directory = S_ISDIR(st.st_mode),
                                          .replaces = inode_at(at, item->name) != 0 };
        return watch->staged(watch->userdata, &staged, reterr);
}

int commit_stage(struct commit *commit,
                 int (*staged)(void *userdata, const struct restore_staged *staged,
                               struct vss_error *reterr),
                 void *userdata, struct vss_error *reterr) {
        static const struct step steps[] = { { UNDO_PUT, stage_one } };
        struct staging_watch watch = { staged, userdata };
        int r;

        commit->userdata = &watch;
        r = all(commit, steps, 1, PASS_STOP, reterr);
        if (r >= 0)
                r = commit_sync(commit, reterr);
        commit->userdata = NULL;
        return r;
}
