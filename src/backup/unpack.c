/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unpack.c - two slots: one is lent to the caller, the other is filled ahead of time by a thread
 * and then becomes the lent one. Between request and completion only the thread touches it.
 */
#define _GNU_SOURCE
#include "backup/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/file.h"

struct slot {
        struct frame_place frame; /* packed_size 0: nothing */
        ZSTD_DCtx *context;
        char *plain, *packed;
        int result;
        struct vss_error error;
};

struct unpacker {
        int fd;
        const char *name;
        size_t plain_max, packed_max;
        struct slot slots[2];
        struct slot *lent, *ahead;
        pthread_t thread;
        bool has_thread, no_thread; /* started; could not be */
        bool wanted, stop; /* @ahead is the thread's; both under the mutex */
        pthread_mutex_t mutex;
        pthread_cond_t changed;
};

/* ---- one frame ---- */

static int slot_prepare(const struct unpacker *unpacker, struct slot *slot) {
        if (slot->context)
                return 0;
        slot->plain = malloc(unpacker->plain_max);
        slot->packed = malloc(unpacker->packed_max);
        slot->context = slot->plain && slot->packed ? ZSTD_createDCtx() : NULL;
        if (slot->context)
                return 0;
        free(slot->plain);
        free(slot->packed);
        slot->plain = slot->packed = NULL;
        return -ENOMEM;
}

static void slot_done(struct slot *slot) {
        ZSTD_freeDCtx(slot->context);
        free(slot->plain);
        free(slot->packed);
        vss_error_clear(&slot->error);
}

static bool is_same(const struct frame_place *a, const struct frame_place *b) {
        return a->packed == b->packed && a->packed_size == b->packed_size;
}

/* never more than the frame's place says it has: the buffer is no larger */
static int unpack(const struct unpacker *unpacker, struct slot *slot) {
        const struct frame_place *frame = &slot->frame;
        struct vss_error *reterr = &slot->error;
        size_t n;
        int r = pread_all(unpacker->fd, slot->packed, frame->packed_size, (off_t)frame->packed);

        if (r < 0)
                return vss_fail(reterr, r == -ENODATA ? -EBADMSG : r,
                                "'%s' cannot be read at byte %" PRIu64 ": %s", unpacker->name,
                                frame->packed, strerror(-r));
        n = ZSTD_decompressDCtx(slot->context, slot->plain, frame->plain_size, slot->packed,
                                frame->packed_size);
        if (ZSTD_isError(n) || n != frame->plain_size)
                return vss_fail(reterr, -EBADMSG,
                                "'%s' is damaged between byte %" PRIu64 " and %" PRIu64 ": %s",
                                unpacker->name, frame->packed, frame->packed + frame->packed_size,
                                ZSTD_isError(n) ? ZSTD_getErrorName(n) : "wrong length");
        return 0;
}

static void slot_fill(const struct unpacker *unpacker, struct slot *slot) {
        vss_error_clear(&slot->error);
        slot->result = unpack(unpacker, slot);
}

/* ---- the thread ---- */

static void *run_thread(void *userdata) {
        struct unpacker *unpacker = userdata;

        pthread_mutex_lock(&unpacker->mutex);
        while (!unpacker->stop) {
                if (!unpacker->wanted) {
                        pthread_cond_wait(&unpacker->changed, &unpacker->mutex);
                        continue;
                }
                pthread_mutex_unlock(&unpacker->mutex);
                slot_fill(unpacker, unpacker->ahead);
                pthread_mutex_lock(&unpacker->mutex);
                unpacker->wanted = false;
                pthread_cond_broadcast(&unpacker->changed);
        }
        pthread_mutex_unlock(&unpacker->mutex);
        return NULL;
}

/* without memory or threads everything still works, one frame after the other */
static void ask_for(struct unpacker *unpacker, const struct frame_place *frame) {
        if (unpacker->no_thread || slot_prepare(unpacker, unpacker->ahead) < 0)
                return;
        if (!unpacker->has_thread &&
            pthread_create(&unpacker->thread, NULL, run_thread, unpacker) != 0) {
                unpacker->no_thread = true;
                return;
        }
        unpacker->has_thread = true;
        pthread_mutex_lock(&unpacker->mutex);
        unpacker->ahead->frame = *frame;
        unpacker->wanted = true;
        pthread_cond_broadcast(&unpacker->changed);
        pthread_mutex_unlock(&unpacker->mutex);
}

static void wait_for_thread(struct unpacker *unpacker) {
        pthread_mutex_lock(&unpacker->mutex);
        while (unpacker->wanted)
                pthread_cond_wait(&unpacker->changed, &unpacker->mutex);
        pthread_mutex_unlock(&unpacker->mutex);
}

/* ---- the caller's side ---- */

int unpacker_new(int fd, const char *name, size_t plain_max, size_t packed_max,
                 struct unpacker **ret) {
        struct unpacker *unpacker = calloc(1, sizeof(*unpacker));

        if (!unpacker)
                return -ENOMEM;
        *unpacker = (struct unpacker){
                .fd = fd, .name = name, .plain_max = plain_max, .packed_max = packed_max
        };
        unpacker->lent = &unpacker->slots[0];
        unpacker->ahead = &unpacker->slots[1];
        pthread_mutex_init(&unpacker->mutex, NULL);
        pthread_cond_init(&unpacker->changed, NULL);
        if (slot_prepare(unpacker, unpacker->lent) < 0) {
                unpacker_free(unpacker);
                return -ENOMEM;
        }
        *ret = unpacker;
        return 0;
}

struct unpacker *unpacker_free(struct unpacker *unpacker) {
        if (!unpacker)
                return NULL;
        if (unpacker->has_thread) {
                pthread_mutex_lock(&unpacker->mutex);
                unpacker->stop = true;
                pthread_cond_broadcast(&unpacker->changed);
                pthread_mutex_unlock(&unpacker->mutex);
                pthread_join(unpacker->thread, NULL);
        }
        slot_done(&unpacker->slots[0]);
        slot_done(&unpacker->slots[1]);
        pthread_mutex_destroy(&unpacker->mutex);
        pthread_cond_destroy(&unpacker->changed);
        free(unpacker);
        return NULL;
}

int unpacker_get(struct unpacker *unpacker, const struct frame_place *frame,
                 const struct frame_place *next, const char **ret, struct vss_error *reterr) {
        struct slot *slot = unpacker->lent;

        wait_for_thread(unpacker);
        if (is_same(&unpacker->ahead->frame, frame)) {
                unpacker->lent = unpacker->ahead;
                unpacker->ahead = slot;
                slot = unpacker->lent;
        } else if (!is_same(&slot->frame, frame)) {
                slot->frame = *frame;
                slot_fill(unpacker, slot);
        }
        if (slot->result < 0) {
                slot->frame = (struct frame_place){ 0 }; /* the next time it is tried again */
                return vss_fail(reterr, slot->result, "%s", vss_error_message(&slot->error));
        }
        if (next && !is_same(&unpacker->ahead->frame, next))
                ask_for(unpacker, next);
        *ret = slot->plain;
        return 0;
}
