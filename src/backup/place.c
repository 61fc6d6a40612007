/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place.c - where restored things go: from the destination's root one name at a time, by
 * descriptors, never through a link (SEC-61).
 *
 * Entries come in path order, so the directories above the current one form a stack. A directory
 * gets its stored owner, mode and times when the walk leaves it. Of deep trees only the innermost
 * descriptors stay open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backup/staging.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define OPEN_LEVELS 100

static void level_done(struct place_level *level) {
        closep(&level->fd);
        attributes_done(&level->attributes);
        if (level->has_record)
                free(level->record.path);
        free(level->path);
}

void places_done(struct places *places) {
        for (size_t i = 0; i < places->levels_count; i++)
                level_done(&places->levels[i]);
        for (size_t i = 0; i < places->context_count; i++)
                level_done(&places->context[i]);
        for (size_t i = 0; i < places->roots_count; i++) {
                closep(&places->roots[i].fd);
                free(places->roots[i].path);
        }
        for (size_t i = 0; i < places->syncs_count; i++)
                closep(&places->syncs[i].fd);
        free(places->roots);
        free(places->levels);
        free(places->context);
        free(places->syncs);
}

/* ---- levels ---- */

static int remember_sync(struct places *places, const struct stat *st, int fd) {
        for (size_t i = 0; i < places->syncs_count; i++)
                if (places->syncs[i].device == st->st_dev)
                        return 0;
        if (ARRAY_RESERVE(&places->syncs, places->syncs_count, &places->syncs_capacity) < 0)
                return -ENOMEM;
        places->syncs[places->syncs_count] =
                (struct place_sync){ st->st_dev, fcntl(fd, F_DUPFD_CLOEXEC, 3) };
        if (places->syncs[places->syncs_count].fd < 0)
                return -errno;
        places->syncs_count++;
        return 0;
}

/* names that differ in case only are one name here: such file systems, and folders of others */
static bool folds_case(int fd) {
        struct statfs fs;
        int flags = 0;

        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) >= 0 && flags & FS_CASEFOLD_FL)
                return true;
        return fstatfs(fd, &fs) >= 0 && (fs.f_type == MSDOS_SUPER_MAGIC ||
                                         fs.f_type == EXFAT_SUPER_MAGIC || fs.f_type == 0x7366746e);
}

static int push_level(struct places *places, int *take_fd_from, const char *path, size_t size,
                      bool created) {
        struct place_level *level;
        struct stat st;
        int r;

        if (fstat(*take_fd_from, &st) < 0)
                return -errno;
        r = remember_sync(places, &st, *take_fd_from);
        if (r >= 0)
                r = ARRAY_RESERVE(&places->levels, places->levels_count, &places->levels_capacity);
        if (r < 0)
                return r;
        level = &places->levels[places->levels_count];
        *level = (struct place_level){ .path = strndup(path, size),
                                       .fd = take_fd(take_fd_from),
                                       .device = st.st_dev,
                                       .inode = st.st_ino,
                                       .mtime = st.st_mtim,
                                       .created = created };
        places->levels_count++;
        if (!level->path)
                return -ENOMEM;
        if (!created && !places->only_looks && !places->keep_leftovers)
                leftovers_remove(level->fd);
        level->folds_case = !created && folds_case(level->fd);
        level->has_default_acl = fgetxattr(level->fd, "system.posix_acl_default", NULL, 0) > 0;
        if (places->levels_count > OPEN_LEVELS) {
                closep(&places->levels[places->levels_count - 1 - OPEN_LEVELS].fd);
                places->levels[places->levels_count - 1 - OPEN_LEVELS].fd = -1;
        }
        return 0;
}

/* the directory above again, if its descriptor was closed: through "..", and only if it is it */
static int reopen_above(struct place_level *level, struct place_level *above) {
        struct stat st;

        if (above->fd >= 0)
                return 0;
        above->fd = openat(level->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above->fd < 0 || fstat(above->fd, &st) < 0)
                return -errno;
        return st.st_dev == above->device && st.st_ino == above->inode ? 0 : -ESTALE;
}

static int set_attributes(struct places *places, struct place_level *level,
                          const struct place_level *above, struct vss_error *reterr) {
        if (places->staging && !level->staged)
                return staging_is_for_later(places->staging)
                               ? 0
                               : staging_set(places->staging, level, places->current, "", level->fd,
                                             &level->record, &level->attributes, reterr);
        if (!level->created)
                attributes_drop_others(level->fd, &level->attributes);
        return attributes_apply(level->fd, &level->record, &level->attributes,
                                level->created && above && above->has_default_acl, reterr);
}

static int pop_level(struct places *places, struct vss_error *reterr) {
        struct place_level *level = &places->levels[places->levels_count - 1];
        struct place_level *above = places->levels_count > 1 ? level - 1 : NULL;
        int r = above ? reopen_above(level, above) : 0;

        if (r < 0)
                r = vss_fail(reterr, r, "the directory above '%s' was moved during the restore",
                             level->path);
        if (r >= 0 && level->has_record)
                r = set_attributes(places, level, above, reterr);
        else if (r >= 0 && places->staging && !level->staged)
                r = staging_time(places->staging, level, places->current, reterr);
        level_done(level);
        places->levels_count--;
        return r;
}

static struct place_level *top(struct places *places) {
        return &places->levels[places->levels_count - 1];
}

/* leave directories that are not above @path (of @size bytes) */
static int pop_to(struct places *places, size_t root, const char *path, size_t size,
                  struct vss_error *reterr) {
        int first = 0;

        while (places->levels_count > 0) {
                const char *have = top(places)->path;
                size_t n = strlen(have);
                int r;

                if (places->current == root && n <= size && strncmp(have, path, n) == 0 &&
                    (n == 0 || n == size || path[n] == '/'))
                        break;
                r = pop_level(places, reterr);
                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}

static int push_root(struct places *places, size_t root) {
        _cleanup_close_ int fd = fcntl(places->roots[root].fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return -errno;
        places->current = root;
        return push_level(places, &fd, "", 0, false);
}

static const struct place_level *find_context(const struct places *places, const char *path,
                                              size_t size) {
        for (size_t i = 0; i < places->context_count; i++)
                if (strlen(places->context[i].path) == size &&
                    strncmp(places->context[i].path, path, size) == 0)
                        return &places->context[i];
        return NULL;
}

static int copy_record(struct place_level *level, const struct record *record,
                       struct attributes *take_attributes) {
        char *path = strdup(record->path);

        if (!path)
                return -ENOMEM;
        if (level->has_record)
                free(level->record.path);
        level->record = *record;
        level->record.path = path;
        level->has_record = true;
        attributes_done(&level->attributes);
        level->attributes = *take_attributes;
        *take_attributes = (struct attributes){ 0 };
        return 0;
}

int places_add_context(struct places *places, const struct spot *spot, const struct record *record,
                       struct attributes *take_attributes) {
        struct place_level *context;

        /* siblings that were passed are not needed any more */
        while (places->context_count > 0) {
                const char *have = places->context[places->context_count - 1].path;
                size_t n = strlen(have);

                if (strncmp(spot->path, have, n) == 0 && (n == 0 || spot->path[n] == '/'))
                        break;
                level_done(&places->context[--places->context_count]);
        }
        if (ARRAY_RESERVE(&places->context, places->context_count, &places->context_capacity) < 0)
                return -ENOMEM;
        context = &places->context[places->context_count];
        *context = (struct place_level){ .fd = -1, .path = strdup(spot->path) };
        places->context_count++;
        return context->path ? copy_record(context, record, take_attributes) : -ENOMEM;
}

/* a directory made on the way gets what the backup knows of it */
static int use_context(struct places *places) {
        struct place_level *level = top(places);
        const struct place_level *context = find_context(places, level->path, strlen(level->path));
        struct attributes attributes = { 0 };
        int r = 0;

        if (!context || level->has_record)
                return 0;
        for (size_t i = 0; i < context->attributes.count && r >= 0; i++) {
                const struct attribute *from = &context->attributes.items[i];

                r = attributes_add(&attributes, from->name, from->value, from->size);
        }
        if (r >= 0)
                r = copy_record(level, &context->record, &attributes);
        attributes_done(&attributes);
        return r;
}

/* SEC-63: what everybody may write in, and does not protect by the sticky bit, is not trusted */
static int check_writable(const struct place_level *level, uint32_t owner) {
        struct stat st;

        if (level->created || level->staged || level->path[0] == '\0' || geteuid() != 0)
                return 0;
        if (fstat(level->fd, &st) < 0)
                return -errno;
        if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX) && st.st_uid != owner)
                return -EPERM;
        return 0;
}

static int open_child(struct places *places, const char *name, bool create, bool replace,
                      bool *ret_created) {
        int at = top(places)->fd, fd;

        *ret_created = false;
        fd = open_beneath(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false);
        if (fd >= 0 || !create || (places->staging && !top(places)->staged))
                return fd;
        /* something else is in the way: only a restore that replaces takes it away */
        if ((fd == -ENOTDIR || fd == -ELOOP) && replace) {
                if (unlinkat(at, name, 0) < 0)
                        return -errno;
                fd = -ENOENT;
        }
        if (fd != -ENOENT)
                return fd;
        if (mkdirat(at, name, 0700) < 0)
                return -errno;
        *ret_created = true;
        return open_beneath(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false);
}

static int enter_failed(const struct spot *spot, const char *path, size_t size, int r,
                        struct vss_error *reterr) {
        /* @path is the end of the full one */
        size_t above = strlen(spot->full) - (strlen(path) - size);

        return vss_fail(reterr, r, "'%s' cannot be reached: the directory '%.*s' %s%s", spot->full,
                        (int)above, spot->full,
                        r == -ENOTDIR || r == -ELOOP
                                ? "is a link or something else; it is not followed"
                        : r == -EPERM ? "may be written by everybody, or forbids it"
                                      : "cannot be made or opened: ",
                        r == -ENOTDIR || r == -ELOOP || r == -EPERM ? "" : strerror(-r));
}

/* the level that was pushed is the root of a tree beside its place, or lies in one */
static void note_tree(struct places *places, uint64_t tree, size_t size) {
        struct place_level *level = top(places);
        const struct place_level *above = level - 1;

        level->staged = tree != 0 || above->staged;
        level->tree = tree != 0 ? tree : above->tree;
        level->tree_size = tree != 0 ? size : above->tree_size;
}

/* descend from the innermost level to the directory @path of @size bytes */
static int descend(struct places *places, const struct spot *spot, const char *path, size_t size,
                   uint32_t owner, bool create, bool replace_last, struct vss_error *reterr) {
        size_t done = strlen(top(places)->path);

        while (done < size) {
                size_t start = done + (done > 0), end = start;
                _cleanup_free_ char *name = NULL;
                _cleanup_close_ int fd = -1;
                uint64_t tree;
                bool created;
                int r = check_writable(top(places), owner);

                if (r < 0)
                        return enter_failed(spot, path, done, r, reterr);
                while (end < size && path[end] != '/')
                        end++;
                name = strndup(path + start, end - start);
                if (!name)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                r = fd = open_child(places, name, create, replace_last && end == size, &created);
                tree = 0;
                if ((r == -ENOENT || r == -ENOTDIR || r == -ELOOP) && create && places->staging &&
                    !top(places)->staged)
                        r = fd = staging_open_tree(places->staging, top(places), places->current,
                                                   path, end, name, replace_last && end == size,
                                                   &tree, &created);
                if (r >= 0)
                        r = push_level(places, &fd, path, end, created);
                if (r >= 0)
                        note_tree(places, tree, end);
                if (r >= 0 && created)
                        r = use_context(places);
                if (r < 0)
                        return enter_failed(spot, path, end, r, reterr);
                done = end;
        }
        return 0;
}

static int go_to(struct places *places, const struct spot *spot, size_t size, uint32_t owner,
                 bool create, bool replace_last, struct vss_error *reterr) {
        int r = pop_to(places, spot->root, spot->path, size, reterr);

        if (places->levels_count == 0) {
                int pushed = push_root(places, spot->root);

                if (pushed < 0)
                        return vss_fail(reterr, pushed, "cannot use the destination '%s': %s",
                                        places->roots[spot->root].path, strerror(-pushed));
        }
        if (r < 0)
                return r;
        return descend(places, spot, spot->path, size, owner, create, replace_last, reterr);
}

static size_t directory_size(const struct spot *spot) {
        return spot->name > spot->path ? (size_t)(spot->name - spot->path) - 1 : 0;
}

bool places_is_here(const struct places *places, const struct spot *spot) {
        const struct place_level *level =
                places->levels_count > 0 ? &places->levels[places->levels_count - 1] : NULL;
        size_t size = directory_size(spot);

        return level && places->current == spot->root && strlen(level->path) == size &&
               strncmp(level->path, spot->path, size) == 0;
}

int places_enter(struct places *places, struct spot *spot, uint32_t owner, bool create,
                 struct vss_error *reterr) {
        size_t size = directory_size(spot);
        int r = go_to(places, spot, size, owner, create, false, reterr);

        if (r >= 0 && check_writable(top(places), owner) < 0)
                r = enter_failed(spot, spot->path, size, -EPERM, reterr);
        spot->fd = r < 0 ? -1 : top(places)->fd;
        return r;
}

int places_directory(struct places *places, struct spot *spot, const struct record *record,
                     struct attributes *take_attributes, struct vss_error *reterr) {
        bool replace = places->request->existing == RESTORE_REPLACE;
        struct place_level *level;
        int r = go_to(places, spot, strlen(spot->path), record->uid, true, replace, reterr);

        if (r < 0)
                return r;
        level = top(places);
        /* RESTORE_KEEP leaves a directory that was there as it is */
        if (!level->created && !level->staged && !replace)
                return 0;
        r = copy_record(level, record, take_attributes);
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

int open_by_steps(int root_fd, const char *path) {
        int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);

        while (*path && fd >= 0) {
                size_t n = strcspn(path, "/");
                _cleanup_free_ char *name = strndup(path, n);
                int next = name ? open_beneath(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false)
                                : -ENOMEM;

                close(fd);
                fd = next;
                path += n + (path[n] == '/');
        }
        return fd;
}

char *places_made_path(const struct places *places, const struct spot *spot) {
        const struct place_level *level = &places->levels[places->levels_count - 1];
        char name[LEFTOVERS_NAME_SIZE];
        size_t above;
        char *path;

        if (!level->staged)
                return asprintf(&path, "%.*s%s", (int)(spot->name - spot->path), spot->path,
                                spot_name(spot)) < 0
                               ? NULL
                               : path;
        above = level->tree_size;
        while (above > 0 && spot->path[above - 1] != '/')
                above--;
        staging_tree_name(places->staging, level->tree, name);
        return asprintf(&path, "%.*s%s%s", (int)above, spot->path, name,
                        spot->path + level->tree_size) < 0
                       ? NULL
                       : path;
}

/* ---- the end ---- */

int places_leave(struct places *places, struct vss_error *reterr) {
        int first = 0;

        while (places->levels_count > 0) {
                int r = pop_level(places, first == 0 ? reterr : NULL);

                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}

int places_sync(const struct places *places, struct vss_error *reterr) {
        int first = 0;

        for (size_t i = 0; i < places->syncs_count; i++)
                if (syncfs(places->syncs[i].fd) < 0 && first == 0)
                        first = vss_fail(reterr, -errno, "the destination cannot be synced: %s",
                                         strerror(errno));
        return first;
}

const char *place_trouble(int r) {
        return r == -EROFS    ? "the file system is read-only; mount it for writing, or restore to "
                                "another place"
               : r == -EPERM  ? "it, or its folder, may not be changed; see lsattr, and end that "
                                "(chattr -i -a)"
               : r == -ENOKEY ? "its folder is encrypted and locked; unlock it first"
               : r == -EBUSY  ? "something is mounted there, or the system uses it"
                              : strerror(-r);
}

int cannot_place(const struct spot *spot, int r, struct vss_error *reterr) {
        return vss_fail(reterr, r, "'%s' cannot be put in place: %s", spot->full,
                        r == -EISDIR ? "a directory that is not empty is in the way"
                        : r == -EEXIST && spot->fresh
                                ? "another file of the backup has this name there (upper and lower "
                                  "case, or two spellings, may be one name)"
                        : r == -EEXIST ? "something is there already"
                                       : place_trouble(r));
}
