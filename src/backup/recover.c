/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c - restores that were killed: what they had not begun to put in place is taken away,
 * what they had begun is finished (all of it was complete and on disk), what they were putting back
 * is put back. Only what nobody changed since; the rest stays, and is told.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backup/commit.h"
#include "backup/staging.h"
#include "base/cleanup.h"
#include "base/file.h"

/* a list whose folders are not there any more is not kept for ever */
#define KEPT_SECONDS (30 * 86400)

struct recovery {
        const struct engine_watch *watch;
        uint32_t component;
};

DEFINE_CLEANUP(struct undo_list *, undo_list_free)

static void stays(void *userdata, const char *path, int code, const char *words) {
        const struct recovery *recovery = userdata;

        if (recovery->watch && recovery->watch->trouble)
                recovery->watch->trouble(recovery->watch->userdata, recovery->component, path, code,
                                         words);
}

static int *open_roots(const struct undo_list *list, size_t *ret_count) {
        char *const *paths;
        size_t count = undo_list_roots(list, &paths);
        int *fds = calloc(count + 1, sizeof(*fds));

        for (size_t i = 0; fds && i < count; i++)
                fds[i] = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *ret_count = fds ? count : 0;
        return fds;
}

/* false: later again */
static bool carry_out(struct commit *commit) {
        enum undo_mark mark = undo_list_marked(commit->list);
        bool done = true;

        /* a change that was not made now is told, and is not made later either */
        if (mark == MARK_COMMIT)
                (void)commit_forward(commit, NULL);
        else if (mark == MARK_UNDO)
                done = commit_back(commit, NULL) >= 0;
        if (mark == MARK_COMMIT || mark == MARK_UNDO)
                done = commit_sync(commit, NULL) >= 0 && done;
        if (!done)
                return false;
        commit->stays = NULL;
        return commit_clean(commit, NULL) >= 0;
}

static bool recover_one(struct recovery *recovery, int dir, const char *name) {
        _cleanup_(undo_list_freep) struct undo_list *list = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct commit commit;
        uint64_t elsewhere;
        struct stat st;
        size_t count;
        int *roots;
        bool done, old;

        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return true;
        old = time(NULL) - st.st_mtime > KEPT_SECONDS;
        if (undo_list_open(dir, name, &list, &error) < 0) {
                if (error.code != VSS_E_BAD_STATE)
                        stays(recovery, name, error.code, vss_error_message(&error));
                return true;
        }
        roots = open_roots(list, &count);
        if (!roots)
                return false;
        commit_init(&commit, list, roots, NULL);
        commit.recovering = true;
        commit.stays = stays;
        commit.userdata = recovery;
        done = carry_out(&commit);
        elsewhere = commit.elsewhere;
        commit_done(&commit);
        for (size_t i = 0; i < count; i++)
                closep(&roots[i]);
        free(roots);
        /* what is not mounted now is found again when it is */
        if (old || (done && (elsewhere == 0 || undo_list_marked(list) == MARK_NONE)))
                undo_list_remove(list);
        return done;
}

static bool has_suffix(const char *name) {
        size_t n = strlen(name);

        return n > 5 && strcmp(name + n - 5, ".undo") == 0;
}

bool recover_killed(const char *path, const struct engine_watch *watch, uint32_t component) {
        struct recovery recovery = { watch, component };
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        _cleanup_close_ int lock = -1;
        const struct dirent *entry;
        bool done = true;

        if (!dir) {
                closep(&fd);
                return true; /* there never was one */
        }
        /* who puts files in place now has a list that is locked, and nothing of it is ours */
        while ((entry = readdir(dir))) {
                if (!has_suffix(entry->d_name))
                        continue;
                if (lock < 0 && undo_list_lock(path, &lock, NULL) < 0)
                        return false;
                done = recover_one(&recovery, fd, entry->d_name) && done;
        }
        return done;
}
