/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cleanup.h - release at the end of the scope. Never in public headers.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vss/error.h"

#define _cleanup_(f) __attribute__((cleanup(f)))

/* DEFINE_CLEANUP() - a cleanup function for pointers whose release accepts NULL */
#define DEFINE_CLEANUP(type, release)                                                              \
        static inline void release##p(type *p) {                                                   \
                if (*p)                                                                            \
                        release(*p);                                                               \
        }

static inline void freep(void *p) {
        free(*(void **)p);
}

static inline void closep(int *fd) {
        if (*fd >= 0) {
                int saved = errno;

                close(*fd);
                errno = saved;
        }
}

DEFINE_CLEANUP(FILE *, fclose)
DEFINE_CLEANUP(DIR *, closedir)

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)
#define _cleanup_closedir_ _cleanup_(closedirp)
#define _cleanup_error_ _cleanup_(vss_error_clear)

/* take() - give a pointer away and forget it, so that cleanup leaves it alone */
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

#endif
