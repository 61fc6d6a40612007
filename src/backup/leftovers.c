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
        if (p && (p[2] == 'Z' || p[2] == 'X')) /* dead, and its parent has not noticed yet */
                return 0;
        for (int i = 0; p && i < 20; i++)
                p = strchr(p + 1, ' ');
        return p && sscanf(p, "%llu", &started) == 1 ? started : 0;
}

static void print_name(int pid, unsigned long long started, unsigned long long chance,
                       char ret[LEFTOVERS_NAME_SIZE]) {
        snprintf(ret, LEFTOVERS_NAME_SIZE, PREFIX "%d-%llu-%016llx", pid, started, chance);
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
        print_name(pid, started, chance, ret);
        return 0;
}

/* names count up in the lowest bits */
#define COUNT_BITS 40

static bool parse_name(const char *name, int *ret_pid, unsigned long long *ret_started,
                       unsigned long long *ret_chance) {
        char again[LEFTOVERS_NAME_SIZE];

        if (sscanf(name, PREFIX "%d-%llu-%llx", ret_pid, ret_started, ret_chance) != 3 ||
            *ret_pid <= 0)
                return false;
        print_name(*ret_pid, *ret_started, *ret_chance, again);
        return strcmp(again, name) == 0;
}

int leftovers_maker_init(struct leftovers_maker *ret) {
        uint64_t chance;

        if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
                return -EIO;
        *ret = (struct leftovers_maker){ getpid(), start_time(getpid()),
                                         chance >> COUNT_BITS << COUNT_BITS };
        return 0;
}

void leftovers_maker_name(const struct leftovers_maker *maker, uint64_t number,
                          char ret[LEFTOVERS_NAME_SIZE]) {
        print_name(maker->pid, maker->started, maker->chance + number, ret);
}

bool leftovers_maker_made(const struct leftovers_maker *maker, const char *name) {
        unsigned long long started, chance;
        int pid;

        return parse_name(name, &pid, &started, &chance) && pid == maker->pid &&
               started == maker->started && chance >> COUNT_BITS == maker->chance >> COUNT_BITS;
}

static bool is_left_over(const char *name) {
        unsigned long long started, chance;
        int pid;

        return parse_name(name, &pid, &started, &chance) && start_time(pid) != started;
}

void leftovers_remove(int fd) {
        _cleanup_closedir_ DIR *dir = read_directory(fd);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
                    is_left_over(entry->d_name))
                        (void)remove_tree(fd, entry->d_name);
}
