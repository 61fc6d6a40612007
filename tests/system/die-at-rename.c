/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * die-at-rename.c - to be preloaded: the process is killed as it is about to rename a name that
 * begins with $DIE_FROM, or to $DIE_TO, or as it just did ($DIE_AFTER=1).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int renameat(int old_at, const char *old_path, int new_at, const char *new_path) {
        int (*real)(int, const char *, int, const char *) = dlsym(RTLD_NEXT, "renameat");
        const char *from = getenv("DIE_FROM"), *to = getenv("DIE_TO");
        int r = 0, hit = (from && strncmp(old_path, from, strlen(from)) == 0) ||
                         (to && strcmp(new_path, to) == 0);

        if (!hit || getenv("DIE_AFTER"))
                r = real(old_at, old_path, new_at, new_path);
        if (hit)
                kill(getpid(), SIGKILL);
        return r;
}
