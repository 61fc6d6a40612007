/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-compare.c - are two trees the same? Names, types, owners, modes, times to the nanosecond,
 * contents, link texts, device numbers, extended attributes with ACLs, which names are hard links
 * of each other, and that holes stayed holes. It shares no code with what it judges.
 *
 *   tree-compare [-n MAX] [-T] [-s] A B
 *
 * Prints the first MAX (20) differences. -T: without times. -s: sockets may be missing in B.
 * Exit 0: the same, 1: not, 2: trouble.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static unsigned long differences, most = 20;
static bool without_times, without_sockets;
static char *path;
static size_t path_size, path_capacity;

static void trouble(const char *what) {
        fprintf(stderr, "tree-compare: %s: %s: %s\n", path, what, strerror(errno));
        exit(2);
}

static void *must(void *p) {
        if (!p)
                trouble("out of memory");
        return p;
}

__attribute__((format(printf, 1, 2))) static void differ(const char *format, ...) {
        va_list ap;

        if (++differences > most)
                return;
        printf("%s: ", path_size ? path : ".");
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
}

static size_t path_push(const char *name) {
        size_t before = path_size, n = strlen(name);

        if (path_size + n + 2 > path_capacity) {
                path_capacity = (path_size + n + 2) * 2;
                path = must(realloc(path, path_capacity));
        }
        if (path_size > 0)
                path[path_size++] = '/';
        memcpy(path + path_size, name, n + 1);
        path_size += n;
        return before;
}

static void path_pop(size_t before) {
        path_size = before;
        path[before] = '\0';
}

/* ---- hard links: an inode of A must always be the same inode of B, and the other way round ----
 */

struct pair {
        dev_t device_a, device_b;
        ino_t inode_a, inode_b;
};

static struct pair *pairs;
static size_t pairs_count;

static void compare_links(const struct stat *a, const struct stat *b) {
        if (a->st_nlink != b->st_nlink)
                differ("%lu names, not %lu", (unsigned long)b->st_nlink,
                       (unsigned long)a->st_nlink);
        if (a->st_nlink < 2)
                return;
        for (size_t i = 0; i < pairs_count; i++) {
                bool same_a = pairs[i].device_a == a->st_dev && pairs[i].inode_a == a->st_ino;
                bool same_b = pairs[i].device_b == b->st_dev && pairs[i].inode_b == b->st_ino;

                if (same_a != same_b)
                        differ("hard links are not the same");
                if (same_a || same_b)
                        return;
        }
        pairs = must(realloc(pairs, (pairs_count + 1) * sizeof(*pairs)));
        pairs[pairs_count++] = (struct pair){ a->st_dev, b->st_dev, a->st_ino, b->st_ino };
}

/* ---- attributes ---- */

static char *magic(int fd) {
        static char buffers[2][40];
        static int which;

        which = !which;
        snprintf(buffers[which], sizeof(buffers[which]), "/proc/self/fd/%d", fd);
        return buffers[which];
}

static ssize_t names_of(int fd, char *names) {
        ssize_t n = listxattr(magic(fd), names, 65536);

        if (n < 0 && errno != ENOTSUP)
                trouble("listxattr");
        return n < 0 ? 0 : n;
}

/* XFS lists how it keeps ACLs; the ACLs themselves are compared */
static bool is_kept_by_xfs(const char *name, int fd) {
        struct statfs fs;

        return strncmp(name, "trusted.SGI_ACL_", 16) == 0 && fstatfs(fd, &fs) == 0 &&
               fs.f_type == XFS_SUPER_MAGIC;
}

static void compare_attributes(int a, int b) {
        static char names_a[65536], names_b[65536], value_a[65536], value_b[65536];
        ssize_t size_a = names_of(a, names_a), size_b = names_of(b, names_b);

        for (char *name = names_a; name < names_a + size_a; name += strlen(name) + 1) {
                ssize_t n = getxattr(magic(a), name, value_a, sizeof(value_a));
                ssize_t m = getxattr(magic(b), name, value_b, sizeof(value_b));

                if (is_kept_by_xfs(name, a))
                        continue;
                if (n != m || (n > 0 && memcmp(value_a, value_b, (size_t)n) != 0))
                        differ("attribute %s differs", name);
        }
        for (char *name = names_b; name < names_b + size_b; name += strlen(name) + 1)
                if (!is_kept_by_xfs(name, b) &&
                    getxattr(magic(a), name, value_a, sizeof(value_a)) < 0)
                        differ("attribute %s should not be there", name);
}

/* ---- contents ---- */

static void compare_contents(int a, int b, const struct stat *st_a, const struct stat *st_b) {
        static char data_a[1 << 18], data_b[1 << 18];
        off_t at = 0;

        if (st_a->st_size != st_b->st_size) {
                differ("%lld bytes, not %lld", (long long)st_b->st_size, (long long)st_a->st_size);
                return;
        }
        if (st_b->st_blocks > st_a->st_blocks + 2048 + st_a->st_blocks / 4)
                differ("%lld blocks, not %lld: holes were filled", (long long)st_b->st_blocks,
                       (long long)st_a->st_blocks);
        /* a region that is a hole in both is the same */
        while (at < st_a->st_size) {
                off_t next_a = lseek(a, at, SEEK_DATA), next_b = lseek(b, at, SEEK_DATA);
                ssize_t n, m;

                if (next_a < 0)
                        next_a = st_a->st_size;
                if (next_b < 0)
                        next_b = st_a->st_size;
                if (next_a > at && next_b > at) {
                        at = next_a < next_b ? next_a : next_b;
                        continue;
                }
                n = pread(a, data_a, sizeof(data_a), at);
                m = pread(b, data_b, sizeof(data_b), at);
                if (n <= 0 || m <= 0)
                        trouble("read");
                if (n != m || memcmp(data_a, data_b, (size_t)n) != 0) {
                        size_t i = 0;

                        while (i < (size_t)n && data_a[i] == data_b[i])
                                i++;
                        differ("contents differ at byte %lld", (long long)at + (long long)i);
                        return;
                }
                at += n;
        }
}

static void compare_targets(int a, int b) {
        char text_a[8192] = "", text_b[8192] = "";

        if (readlinkat(a, "", text_a, sizeof(text_a) - 1) < 0 ||
            readlinkat(b, "", text_b, sizeof(text_b) - 1) < 0)
                trouble("readlink");
        if (strcmp(text_a, text_b) != 0)
                differ("link to '%s', not '%s'", text_b, text_a);
}

/* ---- trees ---- */

static void compare(int a, int b);

static int by_name(const void *x, const void *y) {
        return strcmp(*(char *const *)x, *(char *const *)y);
}

static char **names_in(int fd, size_t *ret_count) {
        DIR *dir = must(fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
        struct dirent *entry;
        char **names = NULL;

        *ret_count = 0;
        while ((entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                names = must(realloc(names, (*ret_count + 1) * sizeof(*names)));
                names[(*ret_count)++] = must(strdup(entry->d_name));
        }
        closedir(dir);
        if (*ret_count > 0)
                qsort(names, *ret_count, sizeof(*names), by_name);
        return names;
}

static int open_name(int at, const char *name) {
        struct stat st;
        int fd, flags = O_PATH;

        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                trouble("stat");
        if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
                flags = O_RDONLY;
        fd = openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                trouble("open");
        return fd;
}

static void compare_named(int a, int b, const char *name) {
        size_t before = path_push(name);
        int fd_a = open_name(a, name), fd_b = open_name(b, name);

        compare(fd_a, fd_b);
        close(fd_a);
        close(fd_b);
        path_pop(before);
}

static void only_in(int fd, const char *name, const char *where) {
        size_t before = path_push(name);
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                trouble("stat");
        if (!without_sockets || !S_ISSOCK(st.st_mode) || *where != 'f')
                differ("only in the %s", where);
        path_pop(before);
}

static void compare_directories(int a, int b) {
        size_t count_a, count_b, i = 0, j = 0;
        char **names_a = names_in(a, &count_a), **names_b = names_in(b, &count_b);

        while (i < count_a || j < count_b) {
                int order = i == count_a ? 1 : j == count_b ? -1 : strcmp(names_a[i], names_b[j]);

                if (order < 0)
                        only_in(a, names_a[i++], "first");
                else if (order > 0)
                        only_in(b, names_b[j++], "second");
                else
                        compare_named(a, b, names_a[i++]), j++;
        }
        while (count_a > 0)
                free(names_a[--count_a]);
        while (count_b > 0)
                free(names_b[--count_b]);
        free(names_a);
        free(names_b);
}

static void compare(int a, int b) {
        struct stat st_a, st_b;

        if (fstat(a, &st_a) < 0 || fstat(b, &st_b) < 0)
                trouble("stat");
        if ((st_a.st_mode & S_IFMT) != (st_b.st_mode & S_IFMT)) {
                differ("another type");
                return;
        }
        if (st_a.st_mode != st_b.st_mode && !S_ISLNK(st_a.st_mode))
                differ("mode %o, not %o", st_b.st_mode & 07777, st_a.st_mode & 07777);
        if (st_a.st_uid != st_b.st_uid || st_a.st_gid != st_b.st_gid)
                differ("owner %u:%u, not %u:%u", st_b.st_uid, st_b.st_gid, st_a.st_uid,
                       st_a.st_gid);
        if (S_ISDIR(st_a.st_mode))
                compare_directories(a, b);
        if (!without_times && (st_a.st_mtim.tv_sec != st_b.st_mtim.tv_sec ||
                               st_a.st_mtim.tv_nsec != st_b.st_mtim.tv_nsec))
                differ("mtime %lld.%09ld, not %lld.%09ld", (long long)st_b.st_mtim.tv_sec,
                       st_b.st_mtim.tv_nsec, (long long)st_a.st_mtim.tv_sec, st_a.st_mtim.tv_nsec);
        compare_attributes(a, b);
        if (!S_ISDIR(st_a.st_mode))
                compare_links(&st_a, &st_b);
        if (S_ISREG(st_a.st_mode))
                compare_contents(a, b, &st_a, &st_b);
        if (S_ISLNK(st_a.st_mode))
                compare_targets(a, b);
        if ((S_ISCHR(st_a.st_mode) || S_ISBLK(st_a.st_mode)) && st_a.st_rdev != st_b.st_rdev)
                differ("another device number");
}

int main(int argc, char **argv) {
        struct rlimit files;
        int a, b, c;

        while ((c = getopt(argc, argv, "n:Ts")) >= 0) {
                if (c == 'n')
                        most = strtoul(optarg, NULL, 10);
                else if (c == 'T')
                        without_times = true;
                else if (c == 's')
                        without_sockets = true;
                else
                        return 2;
        }
        if (argc - optind != 2) {
                fprintf(stderr, "usage: tree-compare [-n MAX] [-T] [-s] A B\n");
                return 2;
        }
        /* a directory stays open at every level */
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &files);
        }
        path_push("");
        a = open_name(AT_FDCWD, argv[optind]);
        b = open_name(AT_FDCWD, argv[optind + 1]);
        compare(a, b);
        if (differences > most)
                printf("and %lu more differences\n", differences - most);
        return differences > 0;
}
