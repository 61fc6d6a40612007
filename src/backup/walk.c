/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c - a tree or a file set of a shadow copy, name by name in path order.
 *
 * Every step is one name below an open directory, so depth and length of paths have no limit and
 * no link is followed. Of deep trees only the innermost directories stay open; the others are
 * found again through ".." and checked.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backup/walk.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define OPEN_LEVELS 100

/* names of a directory that are looked at together */
#define LOOKS 512

int open_beneath(int root_fd, const char *path, int flags, bool follow) {
        struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC) };
        long fd;

        how.resolve = RESOLVE_NO_MAGICLINKS |
                      (follow ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        do
                fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
        while (fd < 0 && (errno == EAGAIN || errno == EINTR));
        return fd < 0 ? -errno : (int)fd;
}

/* ---- levels ---- */

static void level_done(struct level *level) {
        closep(&level->fd);
        text_done(&level->names);
        free(level->list);
        free(level->looks);
}

static int add_name(struct level *level, const struct dirent *entry) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                return 0;
        if (ARRAY_RESERVE(&level->list, level->count, &level->capacity) < 0)
                return -ENOMEM;
        level->list[level->count++] =
                (struct name){ level->names.size, entry->d_ino, entry->d_type };
        text_raw(&level->names, entry->d_name, strlen(entry->d_name) + 1);
        return level->names.failed ? -ENOMEM : 0;
}

static int by_text(const void *a, const void *b, void *userdata) {
        const char *names = userdata;

        return strcmp(names + ((const struct name *)a)->text,
                      names + ((const struct name *)b)->text);
}

static int read_names(struct level *level) {
        _cleanup_closedir_ DIR *dir = read_directory(level->fd);
        struct dirent *entry;

        if (!dir)
                return -errno;
        while ((errno = 0, entry = readdir(dir))) {
                int r = add_name(level, entry);

                if (r < 0)
                        return r;
        }
        if (errno)
                return -errno;
        if (level->count > 1)
                qsort_r(level->list, level->count, sizeof(*level->list), by_text,
                        level->names.data);
        return 0;
}

/* -EIO and the like are the directory's trouble, -ENOMEM ends everything */
static int push_level(struct walk *walk, int *take_fd_from, const struct stat *st) {
        struct level *level;
        int r;

        if (ARRAY_RESERVE(&walk->levels, walk->count, &walk->capacity) < 0)
                return -ENOMEM;
        level = &walk->levels[walk->count];
        *level = (struct level){ .fd = take_fd(take_fd_from),
                                 .device = st->st_dev,
                                 .inode = st->st_ino,
                                 .path_size = walk->path.size };
        r = read_names(level);
        if (r < 0) {
                level_done(level);
                return r;
        }
        walk->count++;
        if (walk->count > OPEN_LEVELS)
                closep(&walk->levels[walk->count - 1 - OPEN_LEVELS].fd);
        if (walk->count > OPEN_LEVELS)
                walk->levels[walk->count - 1 - OPEN_LEVELS].fd = -1;
        return 0;
}

static int pop_level(struct walk *walk) {
        struct level *level = &walk->levels[walk->count - 1];
        struct level *above = walk->count > 1 ? level - 1 : NULL;
        struct stat st;
        int r = 0;

        if (above && above->fd < 0) {
                above->fd = openat(level->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (above->fd < 0 || fstat(above->fd, &st) < 0)
                        r = -errno;
                else if (st.st_dev != above->device || st.st_ino != above->inode)
                        r = -ESTALE;
        }
        level_done(level);
        walk->count--;
        return r;
}

/* the walk's path becomes that of @name in the innermost level */
static int set_path(struct walk *walk, const char *name) {
        walk->path.size = walk->levels[walk->count - 1].path_size;
        if (walk->path.size > 1)
                text_char(&walk->path, '/');
        text_string(&walk->path, name);
        return text_cstring(&walk->path) ? 0 : -ENOMEM;
}

/* ---- decisions ---- */

bool walk_is_provider_folder(const char *name, const struct stat *st) {
        return strcmp(name, ".vss") == 0 && S_ISDIR(st->st_mode) && (st->st_mode & 07777) == 0700 &&
               (st->st_uid == 0 || st->st_uid == geteuid());
}

static bool has_changed_since(const struct stat *st, vss_timestamp_t since) {
        vss_timestamp_t m =
                vss_timestamp_from_unix(st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec);
        vss_timestamp_t c =
                vss_timestamp_from_unix(st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec);

        return (m > c ? m : c) >= since;
}

static int put_same(struct pass *pass, char *path) {
        static char none[] = "";
        struct record record = { .kind = RECORD_SAME,
                                 .component = pass->source->component,
                                 .path = path,
                                 .extra = none };

        return batches_put_same(pass, &record);
}

/* must what lies at @name be stored? 1, 0 it is recorded as the same, negative */
static int must_store(struct pass *pass, int at, const char *name, char *path,
                      const struct stat *st) {
        int r;

        if (pass->source->pick == SOURCE_SINCE && !S_ISDIR(st->st_mode))
                return has_changed_since(st, pass->source->since) ? 1 : put_same(pass, path);
        if (pass->source->pick != SOURCE_COMPARE)
                return 1;
        r = changes_same(pass, at, name, path, st);
        if (r <= 0)
                return r < 0 ? r : 1;
        if (st->st_nlink > 1 && !S_ISDIR(st->st_mode)) {
                struct hard_link *link =
                        hard_links_get(&pass->op->links, pass->source->component, st);

                if (!link || (!link->path && hard_link_keep(link, path, st) < 0))
                        return -ENOMEM;
                if (link->path)
                        return 1; /* another name of it is stored: this one must follow */
        }
        return put_same(pass, path);
}

static int open_to_read(int at, const char *name, const struct stat *st) {
        bool readable = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
        int flags = (readable ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH) | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(at, name, flags | (readable ? O_NOATIME : 0));

        if (fd < 0 && errno == EPERM && readable)
                fd = openat(at, name, flags);
        return fd < 0 ? -errno : fd;
}

/* store what @fd is, if it is still what was looked at */
static int store_opened(struct pass *pass, int fd, const char *path, const struct stat *seen) {
        _cleanup_free_ struct byte_range *ranges = NULL;
        struct stat st;
        size_t count;
        int r;

        if (fstat(fd, &st) < 0)
                return pass_trouble(pass, path, -errno, NULL);
        if (st.st_ino != seen->st_ino || (st.st_mode & S_IFMT) != (seen->st_mode & S_IFMT))
                return pass_trouble(pass, path, -ESTALE, "it was replaced while it was read");
        pass->entries++;
        r = changes_ranges(pass, fd, path, &st, &ranges, &count);
        if (r < 0)
                return r;
        return r > 0 ? member_store_ranges(pass, fd, path, &st, ranges, count)
                     : member_store(pass, fd, path, &st);
}

int walk_visit_leaf(struct walk *walk, int at, const char *name, const struct stat *st) {
        struct pass *pass = walk->pass;
        _cleanup_close_ int fd = -1;
        int r = must_store(pass, at, name, walk->path.data, st);

        if (r <= 0)
                return r;
        fd = open_to_read(at, name, st);
        if (fd < 0)
                return pass_trouble(pass, walk->path.data, fd, NULL);
        r = store_opened(pass, fd, walk->path.data, st);
        return r < 0 ? r : pass_progress(pass, walk->path.data);
}

/* a directory's own record, then its names are next; 0, or negative */
int walk_enter_directory(struct walk *walk, int at, const char *name, const struct stat *st,
                         bool record, bool descend) {
        struct pass *pass = walk->pass;
        _cleanup_close_ int fd = -1;
        int r = record ? must_store(pass, at, name, walk->path.data, st) : 0;

        if (r < 0)
                return r;
        fd = open_to_read(at, name, st);
        if (fd < 0) {
                r = pass_trouble(pass, walk->path.data, fd, NULL);
                return r < 0 ? r : 0;
        }
        if (r > 0)
                r = store_opened(pass, fd, walk->path.data, st);
        if (r < 0 || !descend || st->st_dev != pass->device)
                return r < 0 ? r : 0;
        r = push_level(walk, &fd, st);
        if (r < 0 && r != -ENOMEM)
                r = pass_trouble(pass, walk->path.data, r, "the directory cannot be read");
        return r < 0 ? r : 0;
}

/* is a name part of the source? by pattern, kind and the caller's decision */
int walk_decide(struct pass *pass, char *path, const char *name, bool is_directory) {
        const struct source *source = pass->source;
        enum source_verdict verdict;

        if (!is_directory && source->filespec && !pattern_matches(source->filespec, name))
                return 0;
        if (name[0] == '.' && leftovers_is_name(name))
                return 0;
        verdict =
                source->decide ? source->decide(source->userdata, path, is_directory) : SOURCE_TAKE;
        if (verdict == SOURCE_ELSEWHERE) {
                int r = put_same(pass, path);

                pass->matches++;
                return r;
        }
        return verdict == SOURCE_TAKE;
}

/* a regular file that is wanted whatever its age: opened at once, one look at it is enough */
static int visit_regular(struct walk *walk, int at, const char *name) {
        struct pass *pass = walk->pass;
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r = walk_decide(pass, walk->path.data, name, false);

        if (r <= 0)
                return r;
        pass->matches++;
        st.st_mode = S_IFREG;
        fd = open_to_read(at, name, &st);
        if (fd < 0 || fstat(fd, &st) < 0)
                return fd == -ENOENT
                               ? 0
                               : pass_trouble(pass, walk->path.data, fd < 0 ? fd : -errno, NULL);
        if (!S_ISREG(st.st_mode))
                return pass_trouble(pass, walk->path.data, -ESTALE,
                                    "it was replaced while it was read");
        pass->entries++;
        r = member_store(pass, fd, walk->path.data, &st);
        return r < 0 ? r : pass_progress(pass, walk->path.data);
}

/* take_looks() - at the names of the level from @index on */
static void take_looks(struct walk *walk, struct level *level, size_t index) {
        size_t count = level->count - index < LOOKS ? level->count - index : LOOKS;

        if (!level->looks)
                level->looks = malloc(count * sizeof(*level->looks));
        if (!level->looks)
                return; /* one by one, then */
        for (size_t i = 0; i < count; i++)
                level->looks[i] = (struct look){ .inode = level->list[index + i].inode,
                                                 .type = level->list[index + i].type };
        level->looks_first = index;
        level->looks_count = count;
        looks_take(walk->looks, level->fd, level->device, level->looks, count);
}

/* look_at() - lstat() of a name, by the level's list if it is there */
static int look_at(struct walk *walk, int at, const char *name, const struct name *listed,
                   struct stat *ret) {
        struct level *level = listed ? &walk->levels[walk->count - 1] : NULL;
        size_t index = level ? (size_t)(listed - level->list) : 0;

        if (level && walk->looks && index >= level->looks_first + level->looks_count)
                take_looks(walk, level, index);
        if (level && level->looks && index >= level->looks_first &&
            level->looks[index - level->looks_first].there) {
                *ret = level->looks[index - level->looks_first].st;
                return 0;
        }
        return fstatat(at, name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int visit(struct walk *walk, int at, const char *name, const struct name *listed) {
        struct pass *pass = walk->pass;
        struct stat st;
        int r;

        if (listed && listed->type == DT_REG && pass->source->pick == SOURCE_WHOLE)
                return visit_regular(walk, at, name);
        r = look_at(walk, at, name, listed, &st);
        if (r < 0)
                return r == -ENOENT ? 0 : pass_trouble(pass, walk->path.data, r, NULL);
        if (walk_is_provider_folder(name, &st))
                return 0;
        if (S_ISDIR(st.st_mode) && pass->source->filespec && !pass->source->recursive)
                return 0;
        r = walk_decide(pass, walk->path.data, name, S_ISDIR(st.st_mode));
        if (r <= 0)
                return r;
        if (S_ISDIR(st.st_mode))
                return walk_enter_directory(walk, at, name, &st, true, true);
        pass->matches++;
        return walk_visit_leaf(walk, at, name, &st);
}

int walk_levels(struct walk *walk) {
        while (walk->count > 0) {
                struct level *level = &walk->levels[walk->count - 1];
                const struct name *next;
                const char *name;
                int r;

                if (level->next == level->count) {
                        walk->path.size = level->path_size;
                        r = text_cstring(&walk->path) ? pop_level(walk) : -ENOMEM;
                        if (r < 0)
                                return r;
                        continue;
                }
                next = &level->list[level->next++];
                name = level->names.data + next->text;
                r = set_path(walk, name);
                if (r >= 0)
                        r = visit(walk, level->fd, name, next);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- the beginning of a source ---- */

int walk_open_parent(const struct source *source, const char *read_path, int *ret_fd,
                     const char **ret_name) {
        const char *slash = strrchr(read_path, '/');
        _cleanup_free_ char *parent =
                slash ? strndup(read_path, (size_t)(slash - read_path)) : strdup("");

        if (!parent)
                return -ENOMEM;
        *ret_name = *read_path == '\0' ? "." : slash ? slash + 1 : read_path;
        *ret_fd = open_beneath(source->root_fd, parent, O_RDONLY | O_DIRECTORY, source->follow);
        return *ret_fd < 0 ? *ret_fd : 0;
}

static int missing(struct pass *pass, const char *path) {
        return pass->source->may_be_absent ? 0
                                           : pass_trouble(pass, path, -ENOENT, "it does not exist");
}

/* the one thing at the source's path, and all below it */
static int walk_tree(struct walk *walk) {
        struct pass *pass = walk->pass;
        const struct source *source = pass->source;
        _cleanup_close_ int parent = -1;
        const char *name;
        struct stat st;
        int r = walk_open_parent(source, source->read_path, &parent, &name);

        if (r == -ENOENT ||
            (r >= 0 && fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT))
                return missing(pass, source->path);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return pass_trouble(pass, source->path, r, NULL);
        pass->device = st.st_dev;
        r = walk_decide(pass, walk->path.data, name, S_ISDIR(st.st_mode));
        if (r <= 0)
                return r;
        if (!S_ISDIR(st.st_mode))
                return walk_visit_leaf(walk, parent, name, &st);
        r = walk_enter_directory(walk, parent, name, &st, true, true);
        return r < 0 ? r : walk_levels(walk);
}

/* one plain name in one directory: no need to read all its names */
static int walk_plain_name(struct walk *walk, int fd, const struct stat *st) {
        struct pass *pass = walk->pass;
        const struct source *source = pass->source;
        int r;

        pass->device = st->st_dev;
        if (walk->path.size > 1)
                text_char(&walk->path, '/');
        text_string(&walk->path, source->filespec);
        if (!text_cstring(&walk->path))
                return -ENOMEM;
        r = visit(walk, fd, source->filespec, NULL);
        if (r >= 0 && pass->matches == 0 &&
            faccessat(fd, source->filespec, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                r = missing(pass, walk->path.data);
        return r;
}

static int walk_file_set(struct walk *walk) {
        struct pass *pass = walk->pass;
        const struct source *source = pass->source;
        bool plain = pattern_is_plain(source->filespec);
        _cleanup_close_ int fd = open_beneath(source->root_fd, source->read_path,
                                              O_RDONLY | O_DIRECTORY, source->follow);
        struct stat st;
        int r;

        if (fd == -ENOENT)
                return plain ? missing(pass, source->path) : 0;
        if (fd < 0 || fstat(fd, &st) < 0)
                return pass_trouble(pass, source->path, fd < 0 ? fd : -errno, NULL);
        if (plain && !source->recursive)
                return walk_plain_name(walk, fd, &st);
        pass->device = st.st_dev;
        r = walk_enter_directory(walk, fd, ".", &st, source->recursive, true);
        if (r >= 0)
                r = walk_levels(walk);
        if (r >= 0 && plain && pass->matches == 0)
                r = missing(pass, source->path);
        return r;
}

static int walk_ranges(struct pass *pass) {
        const struct source *source = pass->source;
        _cleanup_close_ int fd = open_beneath(source->root_fd, source->read_path,
                                              O_RDONLY | O_NONBLOCK | O_NOCTTY, source->follow);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return pass_trouble(pass, source->path, fd < 0 ? fd : -errno, NULL);
        if (!S_ISREG(st.st_mode))
                return pass_trouble(pass, source->path, -EINVAL, "it is not a regular file");
        pass->entries++;
        return member_store_ranges(pass, fd, source->path, &st, source->ranges,
                                   source->ranges_count);
}

void walk_done(struct walk *walk) {
        while (walk->count > 0)
                level_done(&walk->levels[--walk->count]);
        free(walk->levels);
        text_done(&walk->path);
        looks_free(walk->looks);
}

int walk_begin(struct walk *walk, struct pass *pass, const char *path) {
        *walk = (struct walk){ .pass = pass };
        text_string(&walk->path, path);
        return text_cstring(&walk->path) ? 0 : -ENOMEM;
}

int walk_source(struct pass *pass) {
        struct walk walk;
        int r;

        if (pass->source->pick == SOURCE_RANGES)
                return walk_ranges(pass);
        r = walk_begin(&walk, pass, pass->source->path);
        if (r >= 0 && pass->source->unchanging && pass->source->pick != SOURCE_WHOLE)
                walk.looks = looks_new(pass->source->root_fd);
        if (r >= 0)
                r = pass->source->filespec ? walk_file_set(&walk) : walk_tree(&walk);
        walk_done(&walk);
        return r;
}
