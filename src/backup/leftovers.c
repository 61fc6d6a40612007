/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * leftovers.c - names of files that are made beside their place, and what a restore that was
 * killed left under such names. A name bears the process that made it, by number and time of
 * start; only what belongs to no living process of this machine is taken away.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PREFIX ".vss-restore-"

/* in ticks since the machine started; 0: there is no such process */
static unsigned long long start_time(int pid) {
        char path[40], text[1024];
        _cleanup_close_ int fd = -1;
        unsigned long long started = 0;
        const char *p;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        /* the name in parentheses may hold anything; the 20th number after it is what counts */
        p = strrchr(text, ')');
        for (int i = 0; p && i < 20; i++)
                p = strchr(p + 1, ' ');
        return p && sscanf(p, "%llu", &started) == 1 ? started : 0;
}

int leftovers_name(char ret[LEFTOVERS_NAME_SIZE]) {
        static _Thread_local unsigned long long started;
        static _Thread_local int pid;
        uint64_t chance;

        if (pid != getpid()) {
                pid = getpid();
                started = start_time(pid);
        }
        if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
                return -EIO;
        snprintf(ret, LEFTOVERS_NAME_SIZE, PREFIX "%d-%llu-%016llx", pid, started,
                 (unsigned long long)chance);
        return 0;
}

static bool is_left_over(const char *name) {
        unsigned long long started, chance;
        char again[LEFTOVERS_NAME_SIZE];
        int pid;

        if (sscanf(name, PREFIX "%d-%llu-%llx", &pid, &started, &chance) != 3 || pid <= 0)
                return false;
        snprintf(again, sizeof(again), PREFIX "%d-%llu-%016llx", pid, started, chance);
        return strcmp(again, name) == 0 && start_time(pid) != started;
}

void leftovers_remove(int fd) {
        _cleanup_closedir_ DIR *dir = read_directory(fd);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
                    is_left_over(entry->d_name))
                        (void)unlinkat(fd, entry->d_name, 0);
}
