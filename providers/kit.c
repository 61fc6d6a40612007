/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "kit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

bool kit_grow(void **items, size_t count, size_t *capacity, size_t size) {
        size_t want;
        void *grown;

        if (count < *capacity)
                return true;
        want = *capacity ? *capacity * 2 : 8;
        if (want < *capacity || want > SIZE_MAX / size)
                return false;
        grown = realloc(*items, want * size);
        if (!grown)
                return false;
        *items = grown;
        *capacity = want;
        return true;
}

int kit_result(int error) {
        switch (error < 0 ? -error : error) {
        case ENOSPC:
        case EDQUOT:
                return VSS_E_INSUFFICIENT_STORAGE;
        case ENOMEM:
                return E_OUTOFMEMORY;
        case ENOENT:
                return VSS_E_OBJECT_NOT_FOUND;
        case EACCES:
        case EPERM:
                return E_ACCESSDENIED;
        default:
                return VSS_E_PROVIDER_VETO;
        }
}

const char *kit_strerror(int error) {
        return strerrordesc_np(error < 0 ? -error : error) ?: "unknown error";
}

int fail_memory(struct vss_error *reterr) {
        return vss_fail(reterr, E_OUTOFMEMORY, "out of memory");
}

char *kit_escape(const char *text) {
        char *escaped = malloc(strlen(text) * 3 + 1), *to = escaped;

        if (!escaped)
                return NULL;
        for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
                if (*p < 0x20 || *p == 0x7f || *p == '%')
                        to += sprintf(to, "%%%02X", *p);
                else
                        *to++ = (char)*p;
        }
        *to = '\0';
        return escaped;
}

void kit_unescape(char *text) {
        char *to = text;

        for (const char *p = text; *p; p++) {
                unsigned byte;

                if (*p == '%' && p[1] && p[2] && sscanf(p + 1, "%2X", &byte) == 1 && byte != 0) {
                        *to++ = (char)byte;
                        p += 2;
                } else {
                        *to++ = *p;
                }
        }
        *to = '\0';
}

char *kit_read(int at, const char *name, size_t max) {
        _cleanup_close_ int fd =
                openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        _cleanup_free_ char *text = NULL;
        size_t have = 0;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return NULL;
        if (!S_ISREG(st.st_mode) || st.st_size < 0 || (size_t)st.st_size > max) {
                errno = EINVAL;
                return NULL;
        }
        text = malloc((size_t)st.st_size + 1);
        while (text && have < (size_t)st.st_size) {
                ssize_t n = read(fd, text + have, (size_t)st.st_size - have);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return NULL;
                if (n == 0)
                        break;
                have += (size_t)n;
        }
        if (text)
                text[have] = '\0';
        return take(text);
}

static int write_synced(int fd, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(fd, text, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                text += n;
                left -= (size_t)n;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

int kit_write(int at, const char *name, const char *text) {
        _cleanup_close_ int fd = -1, folder = -1;
        char beside[80];
        int r;

        snprintf(beside, sizeof(beside), "%s.new", name);
        (void)unlinkat(at, beside, 0);
        fd = openat(at, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_synced(fd, text);
        if (r >= 0 && renameat(at, beside, at, name) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(at, beside, 0);
                return r;
        }
        folder = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return folder < 0 || fsync(folder) < 0 ? -errno : 0;
}

static int scaled(const char *value, const char *const *units, const uint64_t *factors,
                  uint64_t *ret) {
        char *end;

        errno = 0;
        *ret = strtoull(value, &end, 10);
        if (end == value || errno || *value == '-')
                return -EINVAL;
        while (*end == ' ')
                end++;
        for (size_t i = 0; units[i]; i++)
                if (strcmp(end, units[i]) == 0)
                        return __builtin_mul_overflow(*ret, factors[i], ret) ? -EINVAL : 0;
        return -EINVAL;
}

int kit_duration(const char *key, const char *value, uint64_t *ret_us, struct vss_error *reterr) {
        static const char *const units[] = { "", "s", "ms", "min", NULL };
        static const uint64_t factors[] = { 1000000, 1000000, 1000, 60000000 };

        if (scaled(value, units, factors, ret_us) < 0)
                return vss_fail(reterr, E_INVALIDARG,
                                "setting '%s' is '%s', expected a duration such as 5s or 200ms",
                                key, value);
        return 0;
}

int kit_size(const char *key, const char *value, uint64_t *ret, struct vss_error *reterr) {
        static const char *const units[] = { "", "KB", "MB", "GB", "TB", NULL };
        static const uint64_t factors[] = { 1, UINT64_C(1) << 10, UINT64_C(1) << 20,
                                            UINT64_C(1) << 30, UINT64_C(1) << 40 };

        if (scaled(value, units, factors, ret) < 0)
                return vss_fail(reterr, E_INVALIDARG,
                                "setting '%s' is '%s', expected a size such as 500MB", key, value);
        return 0;
}

int kit_directory(const char *key, const char *value, char **ret, struct vss_error *reterr) {
        char *copy;

        if (value[0] != '/' || strstr(value, "/../"))
                return vss_fail(reterr, E_INVALIDARG,
                                "setting '%s' is '%s', expected the absolute path of a folder", key,
                                value);
        copy = strdup(value);
        if (!copy)
                return fail_memory(reterr);
        for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
                copy[n - 1] = '\0';
        free(*ret);
        *ret = copy;
        return 0;
}

bool kit_common_setting(const char *key) {
        return strcmp(key, "enabled") == 0 || strcmp(key, "order") == 0;
}

int kit_space(int fd, const char *where, uint64_t min_free, struct vss_error *reterr) {
        struct statvfs fs;
        uint64_t available;

        if (fstatvfs(fd, &fs) < 0)
                return fail_errno(reterr, errno, "cannot ask for the free space at '%s'", where);
        available = (uint64_t)fs.f_bavail * fs.f_frsize;
        if (min_free == 0) {
                min_free = (uint64_t)fs.f_blocks * fs.f_frsize / 100;
                if (min_free > UINT64_C(1) << 30)
                        min_free = UINT64_C(1) << 30;
        }
        if (available >= min_free)
                return 0;
        return vss_fail(reterr, VSS_E_INSUFFICIENT_STORAGE,
                        "'%s' has %" PRIu64 " bytes free, a copy needs at least %" PRIu64
                        ": free some, or lower the provider's setting min_free",
                        where, available, min_free);
}

uint64_t kit_monotonic_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
