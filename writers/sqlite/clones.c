/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/clones.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "common/util.h"
#include "sqlite/extents.h"

static const char PLACE[] = ".vss", MAGIC[] = "VSSCLONE";
enum { NUMBERS = 7, TRAILER_SIZE = 8 + 8 * NUMBERS + 4 };
enum { TICK_MS = 50 }; /* longer than any clock that stamps files stands still */

/* ---- the place ---- */

/* as the providers have it: a folder that only we can enter */
static bool is_ours(int folder) {
        struct stat st;

        return fstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
               (st.st_mode & 0077) == 0;
}

/* the uppermost folder of the file system, or subvolume, as it is mounted here */
static int open_root(const char *directory) {
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat here, up;

        while (fd >= 0) {
                int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (parent < 0 || fstat(fd, &here) < 0 || fstat(parent, &up) < 0) {
                        util_closep(&parent);
                        break;
                }
                if (here.st_dev != up.st_dev || here.st_ino == up.st_ino) {
                        close(parent);
                        return fd;
                }
                close(fd);
                fd = parent;
        }
        util_closep(&fd);
        return -ENOENT;
}

static int open_place(const char *directory, bool make) {
        _cleanup_close_ int root = open_root(directory);
        int fd;

        if (root < 0 || geteuid() != 0 || !extents_usable(root))
                return root < 0 ? root : -EOPNOTSUPP;
        if (make && mkdirat(root, PLACE, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(root, PLACE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (is_ours(fd))
                return fd;
        close(fd);
        return -EPERM;
}

/* "sqlite-TAG-" and the name of the list */
static char *name_of(const char *state, const char *list_name) {
        unsigned char digest[32];
        char *name;

        if (EVP_Digest(state, strlen(state), digest, NULL, EVP_sha256(), NULL) != 1 ||
            asprintf(&name, "sqlite-%02x%02x%02x%02x-%s", digest[0], digest[1], digest[2],
                     digest[3], list_name) < 0)
                return NULL;
        return name;
}

/* a list that waits for its backup's end counts, too; it is looked for first, since it is renamed
 */
static bool has_list(const char *state, const char *list_name) {
        _cleanup_free_ char *path = NULL;
        struct stat st;
        bool has;

        if (asprintf(&path, "%s/%s.new", state, list_name) < 0)
                return true;
        has = lstat(path, &st) == 0;
        path[strlen(path) - strlen(".new")] = '\0';
        return has || lstat(path, &st) == 0;
}

static void sweep(const char *state, int folder, bool all) {
        _cleanup_free_ char *prefix = name_of(state, "");
        int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *entry;

        if (!dir)
                util_closep(&fd);
        while (dir && prefix && (entry = readdir(dir)))
                if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
                    (all || !has_list(state, entry->d_name + strlen(prefix))))
                        (void)unlinkat(folder, entry->d_name, 0);
        if (dir)
                (void)closedir(dir);
}

void clone_sweep(const char *state, const char *directory, bool all) {
        _cleanup_close_ int folder = open_place(directory, false);

        if (folder >= 0)
                sweep(state, folder, all);
}

/* ---- making one ---- */

static bool is_same_time(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* so that whatever is written from now on leaves another time behind than the file has now */
static int wait_for_tick(const struct stat *st) {
        for (int i = 0; i <= TICK_MS / 10; i++) {
                struct timespec now;
                int64_t age_ms;

                if (clock_gettime(CLOCK_REALTIME, &now) < 0)
                        return -errno;
                age_ms = (now.tv_sec - st->st_ctim.tv_sec) * 1000 +
                         (now.tv_nsec - st->st_ctim.tv_nsec) / 1000000;
                if (age_ms > TICK_MS)
                        return 0;
                (void)usleep(10 * 1000);
        }
        return -EAGAIN; /* written to at this moment, or by a clock that went back */
}

/* btrfs clones only between files that are alike in this */
static int like(int from, int to) {
        int source, flags;

        if (ioctl(from, FS_IOC_GETFLAGS, &source) < 0 || ioctl(to, FS_IOC_GETFLAGS, &flags) < 0)
                return -errno;
        if (((source ^ flags) & FS_NOCOW_FL) == 0)
                return 0;
        flags ^= FS_NOCOW_FL;
        return ioctl(to, FS_IOC_SETFLAGS, &flags) < 0 ? -errno : 0;
}

static int take(const char *copy, struct clone *clone) {
        _cleanup_close_ int from = open(copy, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        int r;

        if (from < 0 || fstat(from, &clone->copy) < 0)
                return -errno;
        r = wait_for_tick(&clone->copy);
        if (r < 0)
                return r;
        clone->fd = openat(clone->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (clone->fd < 0)
                return -errno;
        r = like(from, clone->fd);
        if (r < 0)
                return r;
        if (ioctl(clone->fd, FICLONE, from) < 0)
                return -errno;
        return extents_usable(clone->fd) && clone_is_of(clone, copy) ? 0 : -EAGAIN;
}

int clone_make(const char *state, const char *directory, const char *copy, struct clone *ret) {
        struct clone clone = CLONE_NOTHING;
        int r = clone.folder = open_place(directory, true);

        if (r < 0)
                return r;
        sweep(state, clone.folder, false);
        r = take(copy, &clone);
        if (r < 0)
                clone_done(&clone);
        else
                *ret = clone;
        return r;
}

bool clone_is_of(const struct clone *clone, const char *copy) {
        const struct stat *was = &clone->copy;
        struct stat st;

        return lstat(copy, &st) == 0 && st.st_dev == was->st_dev && st.st_ino == was->st_ino &&
               st.st_size == was->st_size && is_same_time(&st.st_mtim, &was->st_mtim) &&
               is_same_time(&st.st_ctim, &was->st_ctim);
}

void clone_done(struct clone *clone) {
        util_closep(&clone->fd);
        util_closep(&clone->folder);
        *clone = CLONE_NOTHING;
}

/* ---- what a list says of one ---- */

struct trailer {
        unsigned char head[TRAILER_SIZE];
        char folder[PATH_MAX];
};

static void put(unsigned char *to, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (unsigned char)(value >> 8 * i);
}

/* everything but the folder */
static int describe(int fd, struct trailer *ret) {
        int generation;
        struct stat st;

        if (fstat(fd, &st) < 0 || ioctl(fd, FS_IOC_GETVERSION, &generation) < 0)
                return -errno;
        memset(ret, 0, sizeof(*ret));
        memcpy(ret->head, MAGIC, 8);
        put(ret->head + 8, st.st_ino, 8);
        put(ret->head + 16, (uint32_t)generation, 8);
        put(ret->head + 24, (uint64_t)st.st_size, 8);
        put(ret->head + 32, (uint64_t)st.st_mtim.tv_sec, 8);
        put(ret->head + 40, (uint64_t)st.st_mtim.tv_nsec, 8);
        put(ret->head + 48, (uint64_t)st.st_ctim.tv_sec, 8);
        put(ret->head + 56, (uint64_t)st.st_ctim.tv_nsec, 8);
        return 0;
}

static int read_trailer(int list, uint64_t at, struct trailer *ret) {
        ssize_t n = pread(list, ret->head, TRAILER_SIZE, (off_t)at), length = 0;

        if (n != TRAILER_SIZE || memcmp(ret->head, MAGIC, 8) != 0)
                return -ENOENT;
        for (int i = 3; i >= 0; i--)
                length = length << 8 | ret->head[TRAILER_SIZE - 4 + i];
        if (length >= PATH_MAX ||
            pread(list, ret->folder, (size_t)length, (off_t)at + TRAILER_SIZE) != length)
                return -ENOENT;
        ret->folder[length] = '\0';
        return 0;
}

/* The name changes the ctime, so it comes first; all of it is on the disk before the list says so.
 */
static int name_it(const struct clone *clone, const char *name, struct trailer *ret) {
        char path[64], folder[64];
        ssize_t n;
        int r;

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", clone->fd);
        (void)snprintf(folder, sizeof(folder), "/proc/self/fd/%d", clone->folder);
        if (linkat(AT_FDCWD, path, clone->folder, name, AT_SYMLINK_FOLLOW) < 0 ||
            fsync(clone->fd) < 0 || fsync(clone->folder) < 0)
                return -errno;
        r = describe(clone->fd, ret);
        if (r < 0)
                return r;
        n = readlink(folder, ret->folder, sizeof(ret->folder) - 1);
        if (n < 0)
                return -errno;
        put(ret->head + TRAILER_SIZE - 4, (uint64_t)n, 4);
        return 0;
}

void clone_keep(const char *state, struct clone *clone, const char *list_name, int list) {
        _cleanup_free_ char *name = clone->fd >= 0 ? name_of(state, list_name) : NULL;
        off_t end = lseek(list, 0, SEEK_END);
        struct trailer trailer;
        size_t size;

        if (name && end >= 0 && name_it(clone, name, &trailer) >= 0) {
                size = TRAILER_SIZE + strlen(trailer.folder);
                if (pwrite(list, &trailer, size, end) != (ssize_t)size || fsync(list) < 0) {
                        (void)!ftruncate(list, end);
                        (void)unlinkat(clone->folder, name, 0);
                }
        } else if (name) {
                (void)unlinkat(clone->folder, name, 0);
        }
        clone_done(clone);
}

/* Only we write there; but whoever is root may have changed it, or put another one there. */
int clone_open(const char *state, const struct clone *clone, const char *list_name, int list,
               uint64_t at) {
        _cleanup_free_ char *name = name_of(state, list_name);
        _cleanup_close_ int fd = -1;
        struct trailer wanted, is;
        struct stat st, beside;
        int r = name ? read_trailer(list, at, &wanted) : -ENOMEM;

        if (r < 0)
                return r;
        fd = openat(clone->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || fstat(clone->fd, &beside) < 0)
                return -errno;
        if (st.st_mode != (S_IFREG | 0600) || st.st_uid != geteuid() || st.st_nlink != 1 ||
            st.st_dev != beside.st_dev || !extents_usable(fd))
                return -ESTALE;
        r = describe(fd, &is);
        if (r < 0)
                return r;
        if (memcmp(is.head, wanted.head, TRAILER_SIZE - 4) != 0)
                return -ESTALE;
        r = fd;
        fd = -1;
        return r;
}

void clone_remove(const char *state, const char *list_name, int list, uint64_t at) {
        _cleanup_free_ char *name = name_of(state, list_name);
        _cleanup_close_ int folder = -1;
        struct trailer trailer;

        if (!name || read_trailer(list, at, &trailer) < 0)
                return;
        folder = open(trailer.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder >= 0 && is_ours(folder))
                (void)unlinkat(folder, name, 0);
}
