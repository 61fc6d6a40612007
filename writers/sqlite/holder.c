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
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* What is asked of each open file. /proc is walked once for all of it: there may be thousands. */
struct question {
        bool (*fits)(const struct question *question, const struct stat *st, const char *link);
        struct stat files[3]; /* is_open(): one of these */
        size_t count;
        const char *path; /* is_open(): or once of this name; NULL: that does not count */
        const struct hold_former *former; /* is_former() */
};

static bool is_deleted(const char *path, const struct stat *st, const char *link) {
        size_t n = strlen(path);

        return st->st_nlink == 0 && strncmp(link, path, n) == 0 &&
               strcmp(link + n, " (deleted)") == 0;
}

/* Inode numbers alone repeat between file systems */
static bool is_open(const struct question *question, const struct stat *st, const char *link) {
        for (size_t i = 0; i < question->count; i++)
                if (st->st_ino == question->files[i].st_ino &&
                    st->st_dev == question->files[i].st_dev)
                        return true;
        return question->path && is_deleted(question->path, st, link);
}

/* An inode number may be given again: it is the former file only without a name, or set aside. */
static bool is_former(const struct question *question, const struct stat *st, const char *link) {
        for (size_t i = 0; i < ELEMENTSOF(question->former->files); i++)
                if (question->former->files[i].inode == st->st_ino &&
                    question->former->files[i].device == st->st_dev)
                        return S_ISREG(st->st_mode) &&
                               (st->st_nlink == 0 || strstr(link, BEFORE_RESTORE));
        return false;
}

static bool has_open(long pid, const struct question *question) {
        char path[300], link[PATH_MAX];
        struct dirent *entry;
        struct stat st;
        bool found = false;
        DIR *directory;

        (void)snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
        directory = opendir(path);
        while (directory && !found && (entry = readdir(directory))) {
                ssize_t n;

                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                (void)snprintf(path, sizeof(path), "/proc/%ld/fd/%s", pid, entry->d_name);
                n = readlink(path, link, sizeof(link) - 1);
                link[n > 0 ? n : 0] = '\0';
                found = stat(path, &st) == 0 && question->fits(question, &st, link);
        }
        if (directory)
                (void)closedir(directory);
        return found;
}

/* /proc/locks: "1: POSIX  ADVISORY  WRITE 1234 fd:01:5678 1073741825 1073741825" */
static void find_lockers(const struct stat *file, struct users *users) {
        const struct question question = { .fits = is_open, .files = { *file }, .count = 1 };
        FILE *locks = fopen("/proc/locks", "re");
        char line[256];

        while (locks && fgets(line, sizeof(line), locks)) {
                unsigned long long inode;
                long pid;

                if (sscanf(line, "%*s POSIX %*s WRITE %ld %*x:%*x:%llu", &pid, &inode) == 2 &&
                    inode == file->st_ino && has_open(pid, &question))
                        add_user(users, pid);
        }
        if (locks)
                (void)fclose(locks);
}

static void find_openers(const struct question *question, struct users *users) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;

        while (proc && (entry = readdir(proc))) {
                long pid = strtol(entry->d_name, NULL, 10);

                if (pid > 0 && has_open(pid, question))
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

static unsigned name_users(const struct users *users, char *buffer, size_t size) {
        size_t used = 0;

        buffer[0] = '\0';
        for (unsigned i = 0; i < users->count && used < size; i++) {
                char name[32];
                int n;

                name_process(users->pid[i], name, sizeof(name));
                n = snprintf(buffer + used, size - used, "%sprocess %ld (%s)", i ? ", " : "",
                             users->pid[i], name);
                used += n > 0 ? (size_t)n : 0;
        }
        return users->count;
}

static const char *const files[] = { "", "-wal", "-shm" };

unsigned hold_name_users(const char *path, bool open, char *buffer, size_t size) {
        struct question question = { .fits = is_open, .path = path };
        struct users users = { .count = 0 };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *file = database_sidecar(path, files[i]);

                if (!file || stat(file, &question.files[question.count]) < 0)
                        continue;
                if (open)
                        question.count++;
                else
                        find_lockers(&question.files[0], &users);
        }
        if (open)
                find_openers(&question, &users);
        return name_users(&users, buffer, size);
}

void hold_remember(const char *path, struct hold_former *ret) {
        *ret = (struct hold_former){ 0 };
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *file = database_sidecar(path, files[i]);
                struct stat st;

                if (!file || stat(file, &st) < 0)
                        continue;
                ret->files[i].device = st.st_dev;
                ret->files[i].inode = st.st_ino;
        }
}

unsigned hold_name_left_behind(const struct hold_former *former, char *buffer, size_t size) {
        struct users users = { .count = 0 };

        find_openers(&(struct question){ .fits = is_former, .former = former }, &users);
        return name_users(&users, buffer, size);
}
