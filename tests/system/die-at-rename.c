/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * die-at-rename.c - to be preloaded: the process is killed as it is about to rename a name that
 * begins with $DIE_FROM, or to $DIE_TO (where $DIE_IN is part of the folder's path, if it is set),
 * or as it just did ($DIE_AFTER=1); or as it is about to do
 * the $DIE_RENAME-th rename with flags; or as its $DIE_FDATASYNC-th fdatasync() is done. With
 * $NO_FLAGS=1 renames know no flags, as on some file systems.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_in(int folder) {
        const char *in = getenv("DIE_IN");
        char name[32], path[4096];
        ssize_t n;

        if (!in)
                return 1;
        snprintf(name, sizeof(name), "/proc/self/fd/%d", folder);
        n = readlink(name, path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        return strstr(path, in) != NULL;
}

int renameat(int old_at, const char *old_path, int new_at, const char *new_path) {
        int (*real)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
        const char *from = getenv("DIE_FROM"), *to = getenv("DIE_TO");
        int r = 0, hit = (from && strncmp(old_path, from, strlen(from)) == 0) ||
                         (to && strcmp(new_path, to) == 0 && is_in(new_at));

        if (!hit || getenv("DIE_AFTER"))
                r = real(old_at, old_path, new_at, new_path);
        if (hit)
                kill(getpid(), SIGKILL);
        return r;
}

int renameat2(int old_at, const char *old_path, int new_at, const char *new_path, unsigned flags) {
        int (*real)(int, const char *, int, const char *, unsigned) = dlsym(RTLD_NEXT, "renameat2");
        const char *number = getenv("DIE_RENAME");
        static int count;

        if (number && flags != 0 && __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) == atoi(number))
                kill(getpid(), SIGKILL);
        if (flags != 0 && getenv("NO_FLAGS")) {
                errno = EINVAL;
                return -1;
        }
        return real(old_at, old_path, new_at, new_path, flags);
}

int fdatasync(int fd) {
        int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
        const char *number = getenv("DIE_FDATASYNC");
        static int count;
        int r = real(fd);

        if (number && __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) == atoi(number))
                kill(getpid(), SIGKILL);
        return r;
}

/* $DIE_SYNCFS: as the file systems are to be synced, all files made */
int syncfs(int fd) {
        int (*real)(int) = dlsym(RTLD_NEXT, "syncfs");

        if (getenv("DIE_SYNCFS"))
                kill(getpid(), SIGKILL);
        return real(fd);
}
