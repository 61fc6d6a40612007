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
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"

static void print_name(int pid, unsigned long long started, unsigned long long chance,
                       char ret[LEFTOVERS_NAME_SIZE]) {
        snprintf(ret, LEFTOVERS_NAME_SIZE, RESTORE_PREFIX "%d-%llu-%016llx", pid, started, chance);
}

int leftovers_name(char ret[LEFTOVERS_NAME_SIZE]) {
        static _Thread_local unsigned long long started;
        static _Thread_local int pid;
        uint64_t chance;

        if (pid != getpid()) {
                pid = getpid();
                started = process_start_time(pid);
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

        if (sscanf(name, RESTORE_PREFIX "%d-%llu-%llx", ret_pid, ret_started, ret_chance) != 3 ||
            *ret_pid <= 0)
                return false;
        print_name(*ret_pid, *ret_started, *ret_chance, again);
        return strcmp(again, name) == 0;
}

int leftovers_maker_init(struct leftovers_maker *ret) {
        uint64_t chance;

        if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
                return -EIO;
        *ret = (struct leftovers_maker){ getpid(), process_start_time(getpid()),
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

        return parse_name(name, &pid, &started, &chance) && process_start_time(pid) != started;
}

void leftovers_remove(int fd) {
        _cleanup_closedir_ DIR *dir = read_directory(fd);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strncmp(entry->d_name, RESTORE_PREFIX, strlen(RESTORE_PREFIX)) == 0 &&
                    is_left_over(entry->d_name))
                        (void)remove_tree(fd, entry->d_name);
}

bool leftovers_is_name(const char *name) {
        static const char *const beginnings[] = { RESTORE_PREFIX, PENDING_PREFIX };

        for (size_t i = 0; i < ELEMENTSOF(beginnings); i++) {
                size_t n = strlen(beginnings[i]);

                /* numbers follow, nothing that a person would write */
                if (strncmp(name, beginnings[i], n) == 0 && strlen(name) >= n + 16 &&
                    name[n + strspn(name + n, "0123456789abcdef-")] == '\0')
                        return true;
        }
        return false;
}
