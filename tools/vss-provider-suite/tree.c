/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.c - all kinds of files that a volume may hold, and are they in the copy as they were?
 *
 * A tree is told as lines, one for each name, sorted; two trees are equal when their lines are.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lines.h"

/* ---- make ---- */

static int folder(int at, const char *name) {
        int fd;

        (void)mkdirat(at, name, 0755);
        fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        MUST(fd >= 0, "cannot make the folder '%s' on the volume: %s", name, strerror(errno));
        return fd;
}

static int file(int at, const char *name, size_t size) {
        int fd = openat(at, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        char block[997];

        MUST(fd >= 0, "cannot make the file '%s' on the volume: %s", name, strerror(errno));
        for (size_t i = 0; i < sizeof(block); i++)
                block[i] = (char)('a' + i % 26);
        for (size_t left = size; left > 0;) {
                size_t n = left < sizeof(block) ? left : sizeof(block);

                MUST(write(fd, block, n) == (ssize_t)n, "cannot write to the volume: %s",
                     strerror(errno));
                left -= n;
        }
        return fd;
}

/* what a volume may not take, ownership for a user and devices, is left out */
static void odd_files(int at) {
        const struct timespec then[2] = { { 1000000000, 123456700 }, { 1000000000, 123456700 } };
        char longest[256] = "";
        _cleanup_close_ int plain = file(at, "with space", 10);
        _cleanup_close_ int sparse = file(at, "sparse", 0);

        memset(longest, 'n', 255);
        close(file(at, longest, 1));
        close(file(at, "new\nline", 1));
        close(file(at, "bytes \377\376", 1));
        (void)fchmod(plain, 04751);
        (void)fsetxattr(plain, "user.colour", "green", 5, 0);
        if (ftruncate(sparse, 64 << 20) == 0)
                (void)!pwrite(sparse, "x", 1, 32 << 20);
        (void)linkat(at, "with space", at, "the same", 0);
        (void)symlinkat("/etc/shadow", at, "absolute");
        (void)symlinkat("nowhere", at, "dangling");
        (void)mkfifoat(at, "fifo", 0600);
        (void)mknodat(at, "null", S_IFCHR | 0666, makedev(1, 3));
        (void)fchownat(at, "new\nline", 1234, 4321, 0);
        (void)utimensat(at, "new\nline", then, 0);
        (void)utimensat(at, "dangling", then, AT_SYMLINK_NOFOLLOW);
}

void tree_make(const char *mount) {
        _cleanup_close_ int root = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int tree, inner;

        tree_remove(mount);
        tree = folder(root, TREE);
        inner = folder(tree, "a");
        close(file(inner, "many", 300000));
        close(file(inner, "nothing", 0));
        odd_files(inner);
        (void)fchmod(inner, 02770);
        close(inner);
        close(folder(tree, "empty"));
        close(file(tree, "one", 100));
        close(tree);
}

static FTS *walk(const char *root, int options) {
        char *const roots[] = { (char *)(uintptr_t)root, NULL };

        return fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | options, NULL);
}

void tree_remove(const char *mount) {
        char path[4096];
        FTSENT *entry;
        FTS *fts;

        snprintf(path, sizeof(path), "%s/%s", mount, TREE);
        fts = walk(path, FTS_XDEV);
        while (fts && (entry = fts_read(fts)))
                if (entry->fts_info == FTS_DP)
                        (void)rmdir(entry->fts_accpath);
                else if (entry->fts_info != FTS_D && entry->fts_info != FTS_NS)
                        (void)unlink(entry->fts_accpath);
        if (fts)
                fts_close(fts);
}

/* ---- compare ---- */

static void put_name(FILE *to, const char *name) {
        for (const unsigned char *p = (const unsigned char *)name; *p; p++)
                fprintf(to, *p < ' ' || *p > '~' ? "\\x%02x" : "%c", *p);
}

static uint64_t mix(uint64_t sum, const void *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                sum = (sum ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
        return sum;
}

static uint64_t content_sum(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        uint64_t sum = UINT64_C(0xcbf29ce484222325);
        static char block[65536];
        ssize_t n = 0;

        while (fd >= 0 && (n = read(fd, block, sizeof(block))) > 0)
                sum = mix(sum, block, (size_t)n);
        return fd < 0 || n < 0 ? 0 : sum;
}

/* attributes are summed in any order; security labels belong to the machine's policy */
static uint64_t attribute_sum(const char *path) {
        char names[4096], value[4096];
        ssize_t size = llistxattr(path, names, sizeof(names));
        uint64_t sum = 0;

        for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
                ssize_t n = lgetxattr(path, names + i, value, sizeof(value));

                if (strncmp(names + i, "security.", 9) != 0 && n >= 0)
                        sum += mix(mix(1, names + i, strlen(names + i)), value, (size_t)n);
        }
        return sum;
}

static void tell_entry(FILE *to, const FTSENT *entry, size_t skip) {
        const struct stat *st = entry->fts_statp;
        char target[4096] = "";

        put_name(to, entry->fts_path + skip);
        fprintf(to, ": mode %o, owner %u:%u", st->st_mode, st->st_uid, st->st_gid);
        fprintf(to, ", time %" PRId64 ".%09ld", (int64_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
        if (S_ISREG(st->st_mode))
                fprintf(to, ", links %ju, size %jd, content %016" PRIx64, (uintmax_t)st->st_nlink,
                        (intmax_t)st->st_size, content_sum(entry->fts_accpath));
        if (S_ISLNK(st->st_mode) && readlink(entry->fts_accpath, target, sizeof(target) - 1) >= 0)
                fprintf(to, " -> %s", target);
        if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
                fprintf(to, ", device %ju", (uintmax_t)st->st_rdev);
        if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
                fprintf(to, ", attributes %016" PRIx64, attribute_sum(entry->fts_accpath));
}

/* tell_tree() - a line for each name below @root/TREE */
static struct lines tell_tree(const char *root) {
        struct lines lines = { 0 };
        char path[4096];
        FTSENT *entry;
        FTS *fts;

        snprintf(path, sizeof(path), "%s/%s", root, TREE);
        fts = walk(path, FTS_XDEV);
        while (fts && (entry = fts_read(fts))) {
                char *line = NULL;
                size_t size;
                FILE *to;

                if (entry->fts_info == FTS_DP)
                        continue;
                to = open_memstream(&line, &size);
                if (to && entry->fts_info != FTS_NS && entry->fts_info != FTS_DNR)
                        tell_entry(to, entry, strlen(root) + 1);
                if (to && fclose(to) == 0)
                        lines_add(&lines, line);
        }
        if (fts)
                fts_close(fts);
        lines_sort(&lines);
        return lines;
}

void tree_compare(const char *mount, const char *copy) {
        struct lines original = tell_tree(mount), copied = tell_tree(copy);
        const char *only_original = NULL, *only_copied = NULL;

        MUST(original.count > 0 && copied.count > 0, "there is no '%s/%s'",
             copied.count > 0 ? mount : copy, TREE);
        lines_differ(&original, &copied, &only_original, &only_copied);
        MUST(!only_original && !only_copied, "the copy differs from its original: %s%s%s%s",
             only_original ? "original " : "", only_original ?: "", only_copied ? "; copy " : "",
             only_copied ?: "");
        lines_done(&original);
        lines_done(&copied);
}
