/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kit.h - what the plug-ins here need from nobody else: release at the end of the scope, errno as
 * a result that a provider may give (P-40), text that holds any byte, small files.
 *
 * Plug-ins include vss/ and the system only, so this repeats a little of what libvss has inside.
 */
#ifndef PROVIDERS_KIT_H
#define PROVIDERS_KIT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "vss/provider.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void kit_freep(void *p) {
        free(*(void **)p);
}

static inline void kit_closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

#define _cleanup_free_ _cleanup_(kit_freep)
#define _cleanup_close_ _cleanup_(kit_closep)

#define take(p)                                                                                    \
        __extension__({                                                                            \
                __typeof__(p) taken_ = (p);                                                        \
                (p) = NULL;                                                                        \
                taken_;                                                                            \
        })

static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

/* kit_grow() - room for one more element of @size in @items; false when out of memory */
bool kit_grow(void **items, size_t count, size_t *capacity, size_t size);
#define KIT_GROW(items, count, capacity)                                                           \
        kit_grow((void **)(items), (count), (capacity), sizeof(**(items)))

/* kit_result() - the code that a provider may return for an errno (P-40) */
int kit_result(int error);

/* fail_errno(reterr, errno, "cannot do %s", what) adds the system's words and returns the code */
#define fail_errno(reterr, error_, format, ...)                                                    \
        __extension__({                                                                            \
                int e_ = (error_);                                                                 \
                vss_fail((reterr), kit_result(e_), format ": %s", __VA_ARGS__, kit_strerror(e_));  \
        })
const char *kit_strerror(int error);
int fail_memory(struct vss_error *reterr);

/* kit_escape() - bytes below 0x21, 0x7f and '%' as %XX; NULL when out of memory */
char *kit_escape(const char *text);
/* kit_unescape() - in place; a lone '%' stays */
void kit_unescape(char *text);

/* kit_read() - a small regular file, NUL-terminated; NULL with errno */
char *kit_read(int at, const char *name, size_t max);
/* kit_write() - beside, synced, renamed, the folder synced; 0 or negative errno */
int kit_write(int at, const char *name, const char *text);

/* Values of settings: 0 and *ret, or E_INVALIDARG with words. */
int kit_duration(const char *key, const char *value, uint64_t *ret_us, struct vss_error *reterr);
int kit_size(const char *key, const char *value, uint64_t *ret, struct vss_error *reterr);
int kit_directory(const char *key, const char *value, char **ret, struct vss_error *reterr);

/* kit_common_setting() - `enabled` and `order` are the service's own, and no mistake here */
bool kit_common_setting(const char *key);

/* kit_space() - are at least @min_free bytes free at @fd? @min_free 0 means one per cent of the
 * file system, at most 1 GiB. VSS_E_INSUFFICIENT_STORAGE with both figures and the setting */
int kit_space(int fd, const char *where, uint64_t min_free, struct vss_error *reterr);

uint64_t kit_monotonic_us(void);

#endif
