/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remove.c - sets that go: a rename that hides the folder, then the removal of what is in it.
 *
 * Killed between any two steps the store holds whole sets only. What builds on a set goes before
 * it, so that no chain is ever without its beginning.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/internal.h"
#include "base/cleanup.h"
#include "base/file.h"

/* a set is folder, op-N, writers; more is none of ours */
#define COUNT_DEPTH 6

static char *hidden_name(const char *folder) {
        char *hidden;

        return asprintf(&hidden, REMOVED_PREFIX "%s", folder) < 0 ? NULL : hidden;
}

static int cannot_remove(const char *folder, int r, struct vss_error *reterr) {
        return vss_fail(reterr, r, "cannot remove the set '%s': %s", folder,
                        r == -ENOMEM ? "out of memory" : strerror(-r));
}

int set_folder_hide(struct store *store, const char *folder, struct vss_error *reterr) {
        _cleanup_free_ char *hidden = hidden_name(folder);
        int r = hidden ? 0 : -ENOMEM;

        if (r >= 0 && renameat(store->fd, folder, store->fd, hidden) < 0 && errno != ENOENT)
                r = -errno;
        if (r >= 0 && fsync(store->fd) < 0)
                r = -errno;
        return r < 0 ? cannot_remove(folder, r, reterr) : 0;
}

int set_folder_delete(struct store *store, const char *folder, struct vss_error *reterr) {
        _cleanup_free_ char *hidden = hidden_name(folder);
        int r = hidden ? remove_tree(store->fd, hidden) : -ENOMEM;

        return r < 0 ? cannot_remove(folder, r, reterr) : 0;
}

static uint64_t count_bytes(int at, const char *name, unsigned depth) {
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        uint64_t sum = 0;
        struct stat st;

        if (!dir)
                closep(&fd);
        while (dir && (entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (S_ISREG(st.st_mode))
                        sum += (uint64_t)st.st_size;
                else if (S_ISDIR(st.st_mode) && depth > 0)
                        sum += count_bytes(fd, entry->d_name, depth - 1);
        }
        return sum;
}

uint64_t set_folder_bytes(struct store *store, const char *folder) {
        return count_bytes(store->fd, folder, COUNT_DEPTH);
}

bool set_builds_on(const struct set_info *set, const struct vss_id *base) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t j = 0; j < set->operations[i].components_count; j++)
                        if (vss_id_equal(&set->operations[i].components[j].base, base))
                                return true;
        return false;
}

static int remove_with(struct store *store, const struct set_list *list, const struct vss_id *id,
                       bool with_dependants, struct vss_error *reterr) {
        const struct set_info *set = set_find_id(list, id);
        int r;

        if (!set)
                return 0;
        for (size_t i = list->count; i-- > 0;) {
                if (list->sets[i] == set || !set_builds_on(list->sets[i], id))
                        continue;
                if (!with_dependants)
                        return vss_fail(reterr, VSS_E_BAD_STATE,
                                        "the set '%s' builds on '%s'; remove that first or both",
                                        list->sets[i]->folder, set->folder);
                r = remove_with(store, list, &list->sets[i]->id, true, reterr);
                if (r < 0)
                        return r;
        }
        r = set_folder_hide(store, set->folder, reterr);
        return r < 0 ? r : set_folder_delete(store, set->folder, reterr);
}

int store_remove(struct store *store, const struct set_info *set, bool with_dependants,
                 struct vss_error *reterr) {
        struct set_list list = { 0 };
        struct vss_id id = set->id;
        int r;

        if (store->lock_fd < 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the store must be locked first");
        r = store_list(store, &list, reterr);
        if (r >= 0)
                r = remove_with(store, &list, &id, with_dependants, reterr);
        set_list_done(&list);
        return r;
}
