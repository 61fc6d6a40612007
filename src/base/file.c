/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

int pread_all(int fd, void *data, size_t size, off_t offset) {
        char *p = data;

        while (size > 0) {
                ssize_t n = pread(fd, p, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -ENODATA;
                p += n;
                size -= (size_t)n;
                offset += n;
        }
        return 0;
}

int pwrite_all(int fd, const void *data, size_t size, off_t offset) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, offset);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t)n;
                offset += n;
        }
        return 0;
}

int read_whole_file(int at, const char *path, size_t max, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_free_ char *data = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if ((uint64_t)st.st_size > max)
                return -EFBIG;
        data = malloc((size_t)st.st_size + 1);
        if (!data)
                return -ENOMEM;
        r = pread_all(fd, data, (size_t)st.st_size, 0);
        if (r < 0)
                return r;
        data[st.st_size] = '\0';
        *ret = take(data);
        if (ret_size)
                *ret_size = (size_t)st.st_size;
        return 0;
}

static int fsync_folder_of(int at, const char *path) {
        _cleanup_free_ char *copy = strdup(path);
        _cleanup_close_ int fd = -1;
        char *slash;

        if (!copy)
                return -ENOMEM;
        slash = strrchr(copy, '/');
        if (slash == copy)
                copy[1] = '\0';
        else if (slash)
                *slash = '\0';
        fd = openat(at, slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int replace_file(int at, const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_free_ char *beside = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        if (asprintf(&beside, "%s.new", path) < 0) {
                beside = NULL;
                return -ENOMEM;
        }
        (void)unlinkat(at, beside, 0);
        fd = openat(at, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(at, beside, at, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(at, beside, 0);
        return r;
}

int write_file_atomic(int at, const char *path, const void *data, size_t size, mode_t mode) {
        int r = replace_file(at, path, data, size, mode);

        return r < 0 ? r : fsync_folder_of(at, path);
}

int mkdir_parents(const char *path, mode_t mode) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy + 1;; p++) {
                char c = *p;

                if (c != '/' && c != '\0')
                        continue;
                *p = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST)
                        return -errno;
                if (c == '\0')
                        return 0;
                *p = c;
        }
}

char *path_join(const char *a, const char *b) {
        size_t n = strlen(a);
        char *joined;

        if (asprintf(&joined, "%s%s%s", a, n > 0 && a[n - 1] == '/' ? "" : "/", b) < 0)
                return NULL;
        return joined;
}

bool path_is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        while (n > 0 && ancestor[n - 1] == '/')
                n--;
        return strncmp(path, ancestor, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

bool path_is_clean(const char *path) {
        const char *p = path;

        if (*p != '/' || strlen(path) >= PATH_MAX)
                return false;
        if (p[1] == '\0')
                return true;
        while (*p == '/') {
                size_t n = strcspn(++p, "/");

                if (n == 0 || n > NAME_MAX || (n == 1 && p[0] == '.') ||
                    (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                p += n;
        }
        return true;
}

static int remove_below(int fd, dev_t device);

static int remove_entry(int fd, const char *name, dev_t device) {
        _cleanup_close_ int child = -1;
        struct stat st;
        int r;

        if (unlinkat(fd, name, 0) >= 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
                return -errno;
        if (fstat(child, &st) < 0)
                return -errno;
        if (st.st_dev != device)
                return -EXDEV;
        r = remove_below(child, device);
        if (r < 0)
                return r;
        return unlinkat(fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

DIR *read_directory(int fd) {
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);

        if (!dir && copy >= 0) {
                int saved = errno;

                close(copy);
                errno = saved;
        }
        return dir;
}

static int remove_below(int fd, dev_t device) {
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        _cleanup_closedir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        struct dirent *entry;

        if (!dir) {
                if (copy >= 0)
                        close(copy);
                return -errno;
        }
        while ((errno = 0, entry = readdir(dir))) {
                int r;

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = remove_entry(fd, entry->d_name, device);
                if (r < 0)
                        return r;
        }
        return errno ? -errno : 0;
}

int remove_tree(int at, const char *name) {
        struct stat st;

        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        return remove_entry(at, name, st.st_dev);
}

uint64_t monotonic_us(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
