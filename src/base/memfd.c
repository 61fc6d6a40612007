/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define WANTED_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

int memfd_new_sealed(const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, WANTED_SEALS) < 0)
                return -errno;
        return take_fd(&fd);
}

int memfd_check(int fd, uint64_t max, uint64_t *ret_size) {
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);

        if (seals < 0 || (seals & WANTED_SEALS) != WANTED_SEALS)
                return -EINVAL;
        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size > max)
                return -EFBIG;
        *ret_size = (uint64_t)st.st_size;
        return 0;
}

int memfd_read(int fd, uint64_t max, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        uint64_t size;
        int r = memfd_check(fd, max, &size);

        if (r < 0)
                return r;
        data = malloc(size + 1);
        if (!data)
                return -ENOMEM;
        r = pread_all(fd, data, size, 0);
        if (r < 0)
                return r;
        data[size] = '\0';
        *ret = take(data);
        *ret_size = size;
        return 0;
}
