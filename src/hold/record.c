/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "hold/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

bool hold_record_all_final(const struct hold_record *record) {
        for (uint32_t i = 0; i < record->count; i++)
                if (!hold_state_is_final(atomic_load(&record->entries[i].state)))
                        return false;
        return true;
}

int hold_runtime_open(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct statfs st;

        if (fd < 0 || fstatfs(fd, &st) < 0)
                return -errno;
        if (st.f_type != TMPFS_MAGIC && st.f_type != RAMFS_MAGIC)
                return -EMEDIUMTYPE;
        return take_fd(&fd);
}

int hold_boot_id(char ret[48]) {
        _cleanup_close_ int fd =
                open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC | O_NOCTTY);
        ssize_t n;

        if (fd < 0)
                return -errno;
        memset(ret, 0, 48);
        n = read(fd, ret, 47);
        return n < 0 ? -errno : n == 0 ? -ENODATA : 0;
}

int hold_record_create(int runtime_fd, uint32_t count, struct hold_record **ret, int *ret_fd) {
        _cleanup_close_ int fd = openat(runtime_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        struct hold_record *record;
        size_t size = hold_record_size(count);
        int r;

        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        /* all pages now: a store into a hole of a full tmpfs would be SIGBUS, later */
        r = posix_fallocate(fd, 0, (off_t)size);
        if (r != 0)
                return -r;
        record = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (record == MAP_FAILED)
                return -errno;
        r = hold_boot_id(record->boot_id);
        if (r < 0) {
                munmap(record, size);
                return r;
        }
        strcpy(record->magic, HOLD_RECORD_MAGIC);
        record->count = count;
        *ret = record;
        *ret_fd = take_fd(&fd);
        return 0;
}

int hold_record_publish(int runtime_fd, int fd, char ret_name[64]) {
        char self[32];

        snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        snprintf(ret_name, 64, HOLD_RECORD_PREFIX "%" PRIu64 "-%d", monotonic_us(), getpid());
        return linkat(AT_FDCWD, self, runtime_fd, ret_name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}
