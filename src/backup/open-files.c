/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open-files.c - which process has which file open, runs it or maps it, as /proc tells. One look at
 * all of them: for the words about a file in use, and for file systems without leases. Nothing is
 * opened but /proc, and no file system is asked that might hang.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/in-use.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

static int add(struct open_files *files, int at, const char *name, int pid, bool writes) {
        struct statx stx;

        if (statx(at, name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_INO, &stx) <
                    0 ||
            !S_ISREG(stx.stx_mode))
                return 0;
        if (ARRAY_RESERVE(&files->items, files->count, &files->capacity) < 0)
                return -ENOMEM;
        files->items[files->count++] =
                (struct open_file){ .device = makedev(stx.stx_dev_major, stx.stx_dev_minor),
                                    .inode = stx.stx_ino,
                                    .pid = pid,
                                    .writes = writes };
        return 0;
}

void proc_read(int at, const char *path, char *ret, size_t size) {
        _cleanup_close_ int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

        ret[n > 0 ? n : 0] = '\0';
}

static bool is_open_for_writing(int process, const char *number) {
        char path[300], text[512];
        const char *flags;
        unsigned value = 0;

        snprintf(path, sizeof(path), "fdinfo/%s", number);
        proc_read(process, path, text, sizeof(text));
        flags = strstr(text, "flags:");
        if (!flags || sscanf(flags, "flags: %o", &value) != 1)
                return true; /* it may be */
        return (value & O_ACCMODE) != O_RDONLY;
}

static int add_descriptors(struct open_files *files, int process, int pid) {
        int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;
        size_t before = files->count;

        if (!dir)
                closep(&fd);
        while (dir && r >= 0 && (entry = readdir(dir))) {
                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                r = add(files, fd, entry->d_name, pid, false);
                if (r >= 0 && files->count > before)
                        files->items[files->count - 1].writes =
                                is_open_for_writing(process, entry->d_name);
                before = files->count;
        }
        return r;
}

/* a mapping outlives its descriptor */
static int add_mappings(struct open_files *files, int process, int pid) {
        int fd = openat(process, "map_files", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;

        if (!dir)
                closep(&fd);
        while (dir && r >= 0 && (entry = readdir(dir)))
                if (entry->d_name[0] != '.')
                        r = add(files, fd, entry->d_name, -pid, false);
        return r;
}

static int by_file(const void *a, const void *b) {
        const struct open_file *x = a, *y = b;

        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        return x->inode < y->inode ? -1 : x->inode > y->inode;
}

int open_files_read(struct open_files *files) {
        _cleanup_closedir_ DIR *proc = opendir("/proc");
        const struct dirent *entry;
        int r = 0;

        files->count = 0;
        while (proc && r >= 0 && (entry = readdir(proc))) {
                int pid = atoi(entry->d_name);
                _cleanup_close_ int process = -1;

                if (!isdigit((unsigned char)entry->d_name[0]) || pid == getpid())
                        continue;
                process = openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (process < 0)
                        continue;
                r = add_descriptors(files, process, pid);
                if (r >= 0)
                        r = add(files, process, "exe", -pid, false);
                if (r >= 0)
                        r = add_mappings(files, process, pid);
        }
        if (files->count > 1)
                qsort(files->items, files->count, sizeof(*files->items), by_file);
        files->taken_us = monotonic_us();
        return r;
}

const struct open_file *open_files_find(const struct open_files *files, const struct stat *st,
                                        size_t *ret_count) {
        const struct open_file wanted = { .device = st->st_dev, .inode = st->st_ino };
        const struct open_file *found =
                files->count == 0
                        ? NULL
                        : bsearch(&wanted, files->items, files->count, sizeof(wanted), by_file);
        size_t count = 0;

        *ret_count = 0;
        if (!found)
                return NULL;
        while (found > files->items && by_file(found - 1, &wanted) == 0)
                found--;
        while (found + count < files->items + files->count && by_file(found + count, &wanted) == 0)
                count++;
        *ret_count = count;
        return found;
}

void open_files_done(struct open_files *files) {
        free(files->items);
        *files = (struct open_files){ 0 };
}
