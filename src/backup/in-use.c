/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * in-use.c - see in-use.h. A write lease is what the documents' exclusive open is elsewhere: it is
 * granted only while nobody else has the file open, runs or maps it; a read lease, while nobody has
 * it open for writing. It lasts over the rename. Where file systems know no leases, /proc and the
 * locks on the file tell.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/in-use.h"
#include "backup/record.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

/* what /proc said is believed for so long */
#define LOOK_US 500000

struct swap {
        dev_t device;
        ino_t inode;
};

struct in_use {
        enum restore_in_use policy;
        struct open_files files;
        struct swap *swaps;
        size_t swaps_count, swaps_capacity;
};

/* a path in /proc/swaps has blanks as \040 */
static void unescape(char *path) {
        char *to = path;

        for (const char *p = path; *p; to++) {
                unsigned c;

                if (p[0] == '\\' && sscanf(p + 1, "%3o", &c) == 1) {
                        *to = (char)c;
                        p += 4;
                } else {
                        *to = *p++;
                }
        }
        *to = '\0';
}

static int read_swaps(struct in_use *in_use) {
        _cleanup_fclose_ FILE *file = fopen("/proc/swaps", "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        struct stat st;

        while (file && getline(&line, &size, file) > 0) {
                line[strcspn(line, " \t\n")] = '\0';
                unescape(line);
                if (line[0] != '/' || stat(line, &st) < 0 || !S_ISREG(st.st_mode))
                        continue;
                if (ARRAY_RESERVE(&in_use->swaps, in_use->swaps_count, &in_use->swaps_capacity) < 0)
                        return -ENOMEM;
                in_use->swaps[in_use->swaps_count++] = (struct swap){ st.st_dev, st.st_ino };
        }
        return 0;
}

int in_use_new(enum restore_in_use policy, struct in_use **ret) {
        struct in_use *in_use;

        *ret = NULL;
        if (policy == RESTORE_IN_USE_IGNORE)
                return 0;
        in_use = calloc(1, sizeof(*in_use));
        if (!in_use)
                return -ENOMEM;
        in_use->policy = policy;
        if (read_swaps(in_use) < 0) {
                in_use_free(in_use);
                return -ENOMEM;
        }
        *ret = in_use;
        return 0;
}

struct in_use *in_use_free(struct in_use *in_use) {
        if (!in_use)
                return NULL;
        open_files_done(&in_use->files);
        free(in_use->swaps);
        free(in_use);
        return NULL;
}

static bool is_swap(const struct in_use *in_use, const struct stat *st) {
        for (size_t i = 0; i < in_use->swaps_count; i++)
                if (in_use->swaps[i].device == st->st_dev && in_use->swaps[i].inode == st->st_ino)
                        return true;
        return false;
}

static const struct open_file *look(struct in_use *in_use, const struct stat *st, bool again,
                                    size_t *ret_count) {
        *ret_count = 0;
        if ((again || monotonic_us() - in_use->files.taken_us > LOOK_US) &&
            open_files_read(&in_use->files) < 0)
                return NULL;
        return open_files_find(&in_use->files, st, ret_count);
}

static void process_name(int pid, char name[32]) {
        char path[40];

        snprintf(path, sizeof(path), "/proc/%d/comm", pid);
        proc_read(AT_FDCWD, path, name, 32);
        name[strcspn(name, "\n")] = '\0';
        if (!*name)
                snprintf(name, 32, "a program");
}

/* @readers: those who only read are in the way as well */
static int refuse(struct in_use *in_use, const struct stat *st, const char *full, bool readers,
                  struct vss_error *reterr) {
        const struct open_file *file, *chosen = NULL;
        size_t count;
        char name[32];

        file = look(in_use, st, true, &count);
        for (size_t i = 0; i < count; i++)
                if (!chosen || (file[i].writes && !chosen->writes))
                        chosen = &file[i];
        if (!chosen)
                return vss_fail(reterr, -EBUSY,
                                "'%s' is in use by a process that cannot be seen; stop what uses "
                                "it, or let it be replaced at the next boot",
                                full);
        process_name(abs(chosen->pid), name);
        return vss_fail(reterr, -EBUSY,
                        "'%s' is in use: %s by %s (process %d); stop that%s, or let the file be "
                        "replaced at the next boot",
                        full,
                        chosen->pid < 0  ? "it is run or mapped"
                        : chosen->writes ? "open for writing"
                                         : "open for reading",
                        name, abs(chosen->pid), count > 1 && readers ? " and the others" : "");
}

/* without leases: locks say of other machines what /proc says of this one */
static int ask_around(struct in_use *in_use, int fd, const struct stat *st, const char *full,
                      bool readers, struct vss_error *reterr) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        const struct open_file *file;
        size_t count;

        if (fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) >= 0 && lock.l_type != F_UNLCK &&
            (readers || lock.l_type == F_WRLCK))
                return vss_fail(reterr, -EBUSY,
                                "'%s' is in use: it is locked by process %d; stop that, or let the "
                                "file be replaced at the next boot",
                                full, (int)lock.l_pid);
        file = look(in_use, st, false, &count);
        for (size_t i = 0; i < count; i++)
                if (readers || file[i].writes)
                        return refuse(in_use, st, full, readers, reterr);
        return 0;
}

int in_use_take(struct in_use *in_use, int at, const char *name, const char *full, bool for_write,
                int *ret_fd, struct vss_error *reterr) {
        _cleanup_close_ int path = -1, fd = -1;
        bool readers = in_use && (for_write || in_use->policy == RESTORE_IN_USE_REFUSE);
        char self[32];
        struct stat st;

        *ret_fd = -1;
        if (!in_use)
                return 0;
        path = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (path < 0 || fstat(path, &st) < 0)
                return errno == ENOENT ? 0
                                       : vss_fail(reterr, -errno, "cannot look at '%s': %s", full,
                                                  strerror(errno));
        if (!S_ISREG(st.st_mode))
                return 0;
        if (is_swap(in_use, &st))
                return vss_fail(reterr, -EBUSY, "'%s' is swapped to; end that first (swapoff '%s')",
                                full, full);
        snprintf(self, sizeof(self), "/proc/self/fd/%d", path);
        fd = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && errno == EWOULDBLOCK) /* somebody else's lease */
                return refuse(in_use, &st, full, readers, reterr);
        /* who opens it while we hold it makes the kernel send a signal: one that nobody hears */
        if (fd >= 0 && fcntl(fd, F_SETSIG, SIGURG) >= 0 &&
            fcntl(fd, F_SETLEASE, readers ? F_WRLCK : F_RDLCK) >= 0) {
                *ret_fd = take_fd(&fd);
                return 0;
        }
        if (fd >= 0 && errno == EAGAIN)
                return refuse(in_use, &st, full, readers, reterr);
        return ask_around(in_use, fd, &st, full, readers, reterr);
}
