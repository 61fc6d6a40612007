/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look-compare.c - looks_take() against lstat(), for all names of a subvolume; prints how many of
 * the names were had at once. Exit 2: the tree cannot be asked so. For tests/system/looks.sh.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/looks.h"

enum { NAMES_MAX = 20000 };

static struct looks *looks;
static unsigned taken, asked;

static void die(const char *words, const char *name) {
        fprintf(stderr, "%s: %s\n", name, words);
        exit(1);
}

static bool is_same_time(struct timespec a, struct timespec b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void compare(const struct look *look, const struct stat *st, const char *name) {
        const struct stat *l = &look->st;

        if (l->st_dev != st->st_dev || l->st_ino != st->st_ino || l->st_mode != st->st_mode ||
            l->st_nlink != st->st_nlink || l->st_uid != st->st_uid || l->st_gid != st->st_gid)
                die("what it is differs", name);
        if (l->st_size != st->st_size || !is_same_time(l->st_mtim, st->st_mtim) ||
            !is_same_time(l->st_ctim, st->st_ctim))
                die("size or times differ", name);
}

static void walk(int at, const char *path, dev_t device) {
        int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct look *list = calloc(NAMES_MAX, sizeof(*list));
        char(*names)[256] = calloc(NAMES_MAX, sizeof(*names));
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        struct stat st;
        size_t count = 0;

        if (!dir || !list || !names || fstat(fd, &st) < 0)
                die("cannot be read", path);
        while (st.st_dev == device && count < NAMES_MAX && (entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                list[count] = (struct look){ .inode = entry->d_ino, .type = entry->d_type };
                strcpy(names[count++], entry->d_name);
        }
        for (size_t i = 0; i < count; i += 512)
                looks_take(looks, fd, device, list + i, count - i < 512 ? count - i : 512);
        for (size_t i = 0; i < count; i++) {
                asked++;
                taken += list[i].there;
                if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
                        die("no lstat()", names[i]);
                if (list[i].there)
                        compare(&list[i], &st, names[i]);
                if (S_ISDIR(st.st_mode) && st.st_dev == device)
                        walk(fd, names[i], device);
        }
        free(list);
        free(names);
        closedir(dir);
}

int main(int argc, char **argv) {
        struct stat st;
        int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;

        if (fd < 0 || fstat(fd, &st) < 0)
                die("usage: look-compare FOLDER", "look-compare");
        looks = looks_new(fd);
        if (!looks)
                return 2;
        walk(fd, ".", st.st_dev);
        looks_free(looks);
        printf("%u %u\n", taken, asked);
        return 0;
}
