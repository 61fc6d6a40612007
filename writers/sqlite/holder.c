/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * holder.c - who keeps a database? From /proc alone: asking with fcntl(2) would need a descriptor
 * of the database, and closing that would drop our own locks.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/hold.h"

enum { USERS_MAX = 4 };

struct users {
        long pid[USERS_MAX];
        unsigned count;
};

static void add_user(struct users *users, long pid) {
        if (pid <= 0 || pid == (long)getpid() || users->count == USERS_MAX)
                return;
        for (unsigned i = 0; i < users->count; i++)
                if (users->pid[i] == pid)
                        return;
        users->pid[users->count++] = pid;
}

/* has @pid a descriptor of this very file? Inode numbers alone repeat between file systems */
static bool has_open(long pid, const struct stat *file) {
        char path[300];
        struct dirent *entry;
        struct stat st;
        bool found = false;
        DIR *directory;

        (void)snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
        directory = opendir(path);
        while (directory && !found && (entry = readdir(directory))) {
                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                (void)snprintf(path, sizeof(path), "/proc/%ld/fd/%s", pid, entry->d_name);
                found = stat(path, &st) == 0 && st.st_ino == file->st_ino &&
                        st.st_dev == file->st_dev;
        }
        if (directory)
                (void)closedir(directory);
        return found;
}

/* /proc/locks: "1: POSIX  ADVISORY  WRITE 1234 fd:01:5678 1073741825 1073741825" */
static void find_lockers(const struct stat *file, struct users *users) {
        FILE *locks = fopen("/proc/locks", "re");
        char line[256];

        while (locks && fgets(line, sizeof(line), locks)) {
                unsigned long long inode;
                long pid;

                if (sscanf(line, "%*s POSIX %*s WRITE %ld %*x:%*x:%llu", &pid, &inode) == 2 &&
                    inode == file->st_ino && has_open(pid, file))
                        add_user(users, pid);
        }
        if (locks)
                (void)fclose(locks);
}

static void find_openers(const struct stat *file, struct users *users) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;

        while (proc && (entry = readdir(proc))) {
                long pid = strtol(entry->d_name, NULL, 10);

                if (pid > 0 && has_open(pid, file))
                        add_user(users, pid);
        }
        if (proc)
                (void)closedir(proc);
}

static void name_process(long pid, char *name, size_t size) {
        char path[64];
        FILE *comm;

        (void)snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
        comm = fopen(path, "re");
        if (!comm || !fgets(name, (int)size, comm))
                (void)snprintf(name, size, "?");
        name[strcspn(name, "\n")] = '\0';
        if (comm)
                (void)fclose(comm);
}

unsigned hold_name_users(const char *path, bool open, char *buffer, size_t size) {
        static const char *const files[] = { "", "-wal", "-shm" };
        struct users users = { .count = 0 };
        size_t used = 0;
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *file = database_sidecar(path, files[i]);

                if (!file || stat(file, &st) < 0)
                        continue;
                if (open)
                        find_openers(&st, &users);
                else
                        find_lockers(&st, &users);
        }
        buffer[0] = '\0';
        for (unsigned i = 0; i < users.count && used < size; i++) {
                char name[32];
                int n;

                name_process(users.pid[i], name, sizeof(name));
                n = snprintf(buffer + used, size - used, "%sprocess %ld (%s)", i ? ", " : "",
                             users.pid[i], name);
                used += n > 0 ? (size_t)n : 0;
        }
        return users.count;
}
