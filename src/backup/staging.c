/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * staging.c - see staging.h. Names beside are numbers; only of trees, which may be entered more
 * than once, is it remembered which has what number, by the digest of its path.
 */
#define _GNU_SOURCE
#include "backup/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/commit.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"

struct tree {
        uint8_t key[16];
        uint64_t number; /* 0: empty slot */
};

struct staging {
        const struct places *places;
        bool for_later;
        char *dir;
        struct undo_list *list;
        uint64_t number; /* the last one used */
        struct tree *trees;
        size_t trees_count, trees_size; /* the size is a power of two */
};

char *undo_dir_of(const struct restore_request *request) {
        _cleanup_free_ char *state = NULL;

        if (request->undo_dir)
                return strdup(request->undo_dir);
        state = layout_state_dir();
        return state ? path_join(state, "restores") : NULL;
}

/* by their real paths: whoever finds the list works elsewhere */
static int begin_list(struct staging *staging, struct vss_error *reterr) {
        const struct places *places = staging->places;
        char **roots = calloc(places->roots_count, sizeof(*roots));
        int r = roots ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");

        for (size_t i = 0; i < places->roots_count && r >= 0; i++) {
                char magic[40], path[PATH_MAX + 1];
                ssize_t n;

                snprintf(magic, sizeof(magic), "/proc/self/fd/%d", places->roots[i].fd);
                n = readlink(magic, path, PATH_MAX);
                roots[i] = n < 0 ? strdup(places->roots[i].path) : strndup(path, (size_t)n);
                if (!roots[i])
                        r = vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (r >= 0)
                r = undo_list_new(staging->dir, roots, places->roots_count, &staging->list, reterr);
        for (size_t i = 0; roots && i < places->roots_count; i++)
                free(roots[i]);
        free(roots);
        return r;
}

int staging_new(const struct places *places, bool for_later, struct staging **ret,
                struct vss_error *reterr) {
        struct staging *staging = calloc(1, sizeof(*staging));
        int r;

        if (!staging)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *staging = (struct staging){ .places = places, .for_later = for_later };
        staging->dir = undo_dir_of(places->request);
        r = staging->dir ? begin_list(staging, reterr)
                         : vss_fail(reterr, -ENOENT,
                                    "there is no folder for the list of what a restore changes: "
                                    "set HOME or XDG_STATE_HOME");
        if (r < 0) {
                staging_free(staging);
                return r;
        }
        *ret = staging;
        return 0;
}

struct staging *staging_free(struct staging *staging) {
        if (!staging)
                return NULL;
        undo_list_free(staging->list);
        free(staging->trees);
        free(staging->dir);
        free(staging);
        return NULL;
}

bool staging_is_for_later(const struct staging *staging) {
        return staging->for_later;
}

const struct place_level *staging_level(const struct staging *staging) {
        return &staging->places->levels[staging->places->levels_count - 1];
}

/* ---- items ---- */

static struct undo_item item_in(const struct place_level *level, size_t root, enum undo_kind kind,
                                const char *name) {
        return (struct undo_item){ .kind = (char)kind,
                                   .root = root,
                                   .folder = level->path,
                                   .device = level->device,
                                   .inode = level->inode,
                                   .name = name };
}

static struct undo_item item_of(const struct staging *staging, const struct spot *spot,
                                enum undo_kind kind) {
        const struct places *places = staging->places;
        struct undo_item item =
                item_in(&places->levels[places->levels_count - 1], spot->root, kind, spot->name);

        item.number = spot->number;
        item.made = spot->made;
        /* the same number: what was seen there was gone before this was made, and is nobody's old
         * file; what is there by now was put by somebody else */
        item.old = spot->made == spot->old ? 0 : spot->old;
        item.old_ctime = spot->old_ctime.tv_sec;
        item.old_ctime_ns = (uint32_t)spot->old_ctime.tv_nsec;
        return item;
}

int staging_spot(struct staging *staging, struct spot *spot) {
        const struct undo_item folder =
                item_in(staging_level(staging), spot->root, UNDO_PUT, spot->name);
        struct stat st;
        int r = undo_list_folder(staging->list, &folder);

        if (r < 0)
                return r;
        spot->old = 0;
        if (fstatat(spot->fd, spot->name, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                spot->old = st.st_ino;
                spot->old_ctime = st.st_ctim;
                spot->old_size = (uint64_t)st.st_size;
        } else if (errno != ENOENT) {
                return -errno;
        }
        spot->number = ++staging->number;
        undo_list_made_name(staging->list, spot->number, spot->beside);
        return 0;
}

int staging_put(struct staging *staging, const struct spot *spot, bool strict,
                struct vss_error *reterr) {
        struct undo_item item = item_of(staging, spot, UNDO_PUT);

        item.strict = strict;
        return undo_list_put(staging->list, &item, reterr);
}

int staging_write(struct staging *staging, const struct spot *spot, const char *ranges,
                  uint64_t new_size, struct vss_error *reterr) {
        struct undo_item item = item_of(staging, spot, UNDO_WRITE);

        item.strict = true;
        item.ranges = ranges;
        item.old_size = spot->old_size;
        item.new_size = new_size;
        return undo_list_put(staging->list, &item, reterr);
}

int staging_remove(struct staging *staging, const struct spot *spot, bool tree,
                   struct vss_error *reterr) {
        struct undo_item item = item_of(staging, spot, UNDO_REMOVE);

        item.tree = tree;
        return undo_list_put(staging->list, &item, reterr);
}

int staging_set(struct staging *staging, const struct place_level *level, size_t root,
                const char *name, int fd, const struct record *record,
                const struct attributes *attributes, struct vss_error *reterr) {
        struct undo_attributes old = { 0 }, set = { *record, *attributes };
        struct undo_item item = item_in(level, root, UNDO_SET, name);
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "'%s': %s", level->path, strerror(errno));
        if (!*name)
                st.st_mtim = level->mtime;
        r = attributes_read(fd, &old.attributes);
        old.record = (struct record){ .kind = record->kind,
                                      .mode = st.st_mode & 07777,
                                      .uid = st.st_uid,
                                      .gid = st.st_gid,
                                      .mtime = st.st_mtim.tv_sec,
                                      .mtime_ns = (uint32_t)st.st_mtim.tv_nsec };
        item.set_old = &old;
        item.set_new = &set;
        r = r < 0 ? vss_fail(reterr, r, "cannot read the attributes of '%s': %s", level->path,
                             strerror(-r))
                  : undo_list_put(staging->list, &item, reterr);
        attributes_done(&old.attributes);
        return r;
}

int staging_time(struct staging *staging, const struct place_level *level, size_t root,
                 struct vss_error *reterr) {
        struct undo_item item = item_in(level, root, UNDO_TIME, "");

        item.old_ctime = level->mtime.tv_sec;
        item.old_ctime_ns = (uint32_t)level->mtime.tv_nsec;
        return undo_list_put(staging->list, &item, reterr);
}

/* ---- trees ---- */

static int tree_key(size_t root, const char *path, size_t size, uint8_t ret[16]) {
        uint8_t digest[DIGEST_SIZE];
        struct text text = { 0 };
        int r;

        text_number(&text, root);
        text_char(&text, '/');
        text_raw(&text, path, size);
        r = text.failed ? -ENOMEM : digest_bytes(text.data, text.size, digest);
        text_done(&text);
        if (r >= 0)
                memcpy(ret, digest, 16);
        return r;
}

static struct tree *tree_slot(struct tree *trees, size_t size, const uint8_t key[16]) {
        size_t i;

        memcpy(&i, key, sizeof(i));
        while (trees[i & (size - 1)].number != 0 && memcmp(trees[i & (size - 1)].key, key, 16) != 0)
                i++;
        return &trees[i & (size - 1)];
}

static int remember_tree(struct staging *staging, const uint8_t key[16], uint64_t number) {
        struct tree *slot;

        if (staging->trees_count * 4 >= staging->trees_size * 3) {
                size_t size = staging->trees_size ? 2 * staging->trees_size : 64;
                struct tree *larger = calloc(size, sizeof(*larger));

                if (!larger)
                        return -ENOMEM;
                for (size_t i = 0; i < staging->trees_size; i++)
                        if (staging->trees[i].number != 0)
                                *tree_slot(larger, size, staging->trees[i].key) = staging->trees[i];
                free(staging->trees);
                staging->trees = larger;
                staging->trees_size = size;
        }
        slot = tree_slot(staging->trees, staging->trees_size, key);
        memcpy(slot->key, key, 16);
        slot->number = number;
        staging->trees_count++;
        return 0;
}

void staging_tree_name(const struct staging *staging, uint64_t number,
                       char ret[LEFTOVERS_NAME_SIZE]) {
        undo_list_made_name(staging->list, number, ret);
}

static int make_tree(struct staging *staging, const struct place_level *level, size_t root,
                     const char *name, bool replace, uint64_t *ret_number) {
        struct undo_item item = item_in(level, root, UNDO_PUT, name);
        char made[LEFTOVERS_NAME_SIZE];
        struct stat st;
        int r;

        if (fstatat(level->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                if (!replace)
                        return -ENOTDIR;
                item.old = st.st_ino;
                item.old_ctime = st.st_ctim.tv_sec;
                item.old_ctime_ns = (uint32_t)st.st_ctim.tv_nsec;
        } else if (errno != ENOENT) {
                return -errno;
        }
        *ret_number = item.number = ++staging->number;
        undo_list_made_name(staging->list, item.number, made);
        r = undo_list_folder(staging->list, &item);
        if (r < 0)
                return r;
        if (mkdirat(level->fd, made, 0700) < 0)
                return -errno;
        item.made = inode_at(level->fd, made);
        if (item.made == item.old)
                item.old = 0; /* see item_of() */
        r = undo_list_put(staging->list, &item, NULL);
        if (r < 0)
                (void)unlinkat(level->fd, made, AT_REMOVEDIR);
        return r;
}

int staging_open_tree(struct staging *staging, const struct place_level *level, size_t root,
                      const char *path, size_t size, const char *name, bool replace,
                      uint64_t *ret_number, bool *ret_created) {
        char made[LEFTOVERS_NAME_SIZE];
        struct tree *slot = NULL;
        uint8_t key[16];
        int r = tree_key(root, path, size, key);

        if (r < 0)
                return r;
        if (staging->trees_size > 0)
                slot = tree_slot(staging->trees, staging->trees_size, key);
        *ret_created = !slot || slot->number == 0;
        if (*ret_created) {
                r = make_tree(staging, level, root, name, replace, ret_number);
                if (r >= 0)
                        r = remember_tree(staging, key, *ret_number);
                if (r < 0)
                        return r;
        } else {
                *ret_number = slot->number;
        }
        undo_list_made_name(staging->list, *ret_number, made);
        return open_beneath(level->fd, made, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false);
}

/* ---- the end ---- */

static int *root_fds(const struct staging *staging) {
        const struct places *places = staging->places;
        int *fds = calloc(places->roots_count, sizeof(*fds));

        for (size_t i = 0; fds && i < places->roots_count; i++)
                fds[i] = places->roots[i].fd;
        return fds;
}

static int sync_all(const struct staging *staging, struct vss_error *reterr) {
        return places_sync(staging->places, reterr);
}

void staging_discard(struct staging *staging) {
        _cleanup_free_ int *roots = root_fds(staging);
        struct commit commit;

        if (!roots)
                return; /* the next restore finds the list */
        commit_init(&commit, staging->list, roots, NULL);
        if (commit_clean(&commit, NULL) >= 0)
                undo_list_remove(staging->list);
        commit_done(&commit);
}

/* the failure that made it necessary stays the one that is told, unless this one is worse */
static bool put_back(struct staging *staging, struct commit *commit, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT, first = VSS_ERROR_INIT;
        int r = sync_all(staging, &error);

        /* whoever finds the mark relies on what was saved beside: until then all goes forward */
        if (r >= 0)
                r = undo_list_mark(staging->list, MARK_UNDO, &error);
        /* without the mark as well: better put back than half done */
        if (commit_back(commit, &error) < 0)
                r = -EIO;
        if (sync_all(staging, &error) < 0)
                r = -EIO;
        if (r >= 0) {
                if (commit_clean(commit, NULL) >= 0)
                        undo_list_remove(staging->list);
                return true;
        }
        vss_fail(&first, reterr ? reterr->code : r, "%s", vss_error_message(reterr));
        vss_fail(reterr, first.code,
                 "%s; and not everything could be put back: %s. The next restore tries again",
                 vss_error_message(&first), vss_error_message(&error));
        return false;
}

static int commit_all(struct staging *staging, struct commit *commit, bool *ret_changed,
                      struct vss_error *reterr) {
        _cleanup_close_ int lock = -1;
        int r = sync_all(staging, reterr);

        /* sets come into place one after the other, each entirely */
        if (r >= 0)
                r = undo_list_lock(staging->dir, &lock, reterr);
        if (r >= 0)
                r = undo_list_mark(staging->list, MARK_COMMIT, reterr);
        if (r < 0) {
                staging_discard(staging);
                return r;
        }
        r = commit_forward(commit, reterr);
        if (r >= 0)
                r = sync_all(staging, reterr);
        if (r < 0)
                *ret_changed = !put_back(staging, commit, reterr);
        return r;
}

int staging_commit(struct staging *staging, bool *ret_changed, struct vss_error *reterr) {
        _cleanup_free_ int *roots = root_fds(staging);
        struct in_use *in_use = NULL;
        struct commit commit;
        int r;

        *ret_changed = false;
        if (!roots || in_use_new(staging->places->request->in_use, &in_use) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        commit_init(&commit, staging->list, roots, in_use);
        r = commit_all(staging, &commit, ret_changed, reterr);
        if (r >= 0) {
                /* a list without the mark would only be gone through again */
                (void)undo_list_mark(staging->list, MARK_DONE, NULL);
                if (commit_clean(&commit, NULL) >= 0)
                        undo_list_remove(staging->list);
        }
        commit_done(&commit);
        in_use_free(in_use);
        return r;
}

int staging_hand_over(struct staging *staging,
                      int (*staged)(void *userdata, const struct restore_staged *staged,
                                    struct vss_error *reterr),
                      void *userdata, struct vss_error *reterr) {
        _cleanup_free_ int *roots = root_fds(staging);
        struct commit commit;
        int r = roots ? sync_all(staging, reterr) : vss_fail(reterr, -ENOMEM, "out of memory");

        /* it must be known in full should we be killed between the two names */
        if (r >= 0)
                r = undo_list_sync(staging->list, reterr);
        if (r >= 0) {
                commit_init(&commit, staging->list, roots, NULL);
                r = commit_stage(&commit, staged, userdata, reterr);
                commit_done(&commit);
        }
        if (r >= 0)
                r = undo_list_remove_now(staging->list, reterr);
        if (r < 0)
                staging_discard(staging);
        return r;
}
