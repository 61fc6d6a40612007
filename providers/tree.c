/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kit.h"

/* to_trash() - give the directory @name of @at a free name in @trash */
static int to_trash(int at, const char *name, int trash) {
        static _Atomic unsigned counter;
        char free_name[32];

        for (unsigned tries = 0; tries < 1000000; tries++) {
                snprintf(free_name, sizeof(free_name), "t%u", counter++);
                if (renameat2(at, name, trash, free_name, RENAME_NOREPLACE) == 0)
                        return 0;
                if (errno == EACCES && geteuid() != 0 && tries == 0) {
                        (void)fchmodat(at, name, 0700, 0); /* ".." of it is about to change */
                        continue;
                }
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

/* remove_leaf() - unlink what is no directory, move away what is one */
static int remove_leaf(int at, const char *name, int trash) {
        if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return -errno;
        if (unlinkat(at, name, AT_REMOVEDIR) == 0)
                return 0;
        if (errno == ENOTEMPTY || errno == EEXIST || errno == EACCES)
                return to_trash(at, name, trash);
        return -errno;
}

static int open_listing(int at, const char *name, DIR **ret) {
        int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fdopendir(fd);
        if (*ret)
                return 0;
        close(fd);
        return -ENOMEM;
}

static int empty_one(int trash, const char *name) {
        struct dirent *entry;
        DIR *dir = NULL;
        int r;

        if (geteuid() != 0) /* a user's own copy may hold folders that its owner cannot write */
                (void)fchmodat(trash, name, 0700, 0);
        r = open_listing(trash, name, &dir);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        while (r >= 0 && (errno = 0, entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        r = remove_leaf(dirfd(dir), entry->d_name, trash);
        closedir(dir);
        if (r < 0 || unlinkat(trash, name, AT_REMOVEDIR) == 0)
                return r;
        /* a listing may miss names while they are being removed: the next pass sees them */
        return errno == ENOENT || errno == ENOTEMPTY ? 0 : -errno;
}

/* one_pass() - remove what @trash holds now; *ret_seen tells whether there was anything */
static int one_pass(int trash, bool *ret_seen) {
        struct dirent *entry;
        DIR *dir = NULL;
        int r = open_listing(trash, ".", &dir);

        *ret_seen = false;
        if (r < 0)
                return r;
        while (r >= 0 && (errno = 0, entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                *ret_seen = true;
                r = unlinkat(trash, entry->d_name, 0) == 0 ? 0 : -errno;
                if (r == -EISDIR || r == -EPERM)
                        r = empty_one(trash, entry->d_name);
                if (r == -ENOENT)
                        r = 0;
        }
        closedir(dir);
        return r;
}

int tree_empty(int trash) {
        bool seen = true;
        int r = 0;

        while (r >= 0 && seen) /* a pass moves subdirectories up, and they are seen by the next */
                r = one_pass(trash, &seen);
        return r;
}

int tree_remove(int at, const char *name, int trash) {
        int r = remove_leaf(at, name, trash);

        return r < 0 ? r : tree_empty(trash);
}
