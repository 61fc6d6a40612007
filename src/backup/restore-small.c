/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-small.c - small files on their way into place. Nearly all of what they cost is the
 * kernel's work of making them; so the restore reads and checks them one after the other, and
 * threads and the restore itself make them, several at a time.
 *
 * Batches go round in a ring, FREE -> FULL -> BUSY -> DONE -> FREE. A full one is for whoever takes
 * it first. Who waits helps: a directory of few files is made by the restore itself and wakes
 * nobody. Results are told in order, from the restore's own thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/cleanup.h"
#include "base/file.h"

#define RING_COUNT 6
#define BATCH_ITEMS 16
#define BATCH_BYTES (256U << 10)
#define FILE_MAX (128U << 10)
#define THREADS_MAX 3

enum batch_state { BATCH_FREE, BATCH_FULL, BATCH_BUSY, BATCH_DONE };

struct small_file {
        struct record record; /* its strings lie in the batch, as do all others */
        size_t link;
        struct spot spot;
        struct attributes attributes;
        char *data;
        bool clear_acl;
        int result;
        struct vss_error error;
};

struct batch {
        enum batch_state state;
        struct small_file items[BATCH_ITEMS];
        size_t count, used;
        char *bytes;
};

struct small_files {
        small_placed_t placed;
        void *userdata;
        struct batch ring[RING_COUNT];
        uint64_t filling, taking, telling; /* numbers of batches, for ever growing */
        pthread_t threads[THREADS_MAX];
        size_t threads_count;
        bool started, stop;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
};

static struct batch *batch_of(struct small_files *small, uint64_t number) {
        return &small->ring[number % RING_COUNT];
}

/* ---- making them: any thread ---- */

static int made_inode(int fd, struct spot *spot, struct vss_error *reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return cannot_place(spot, -errno, reterr);
        spot->made = st.st_ino;
        return 0;
}

static int make_file(struct small_file *item) {
        struct vss_error *reterr = &item->error;
        struct new_file file;
        int r = new_file_begin(&file, &item->spot, item->record.mode, reterr);

        if (r < 0)
                return r;
        r = pwrite_all(file.fd, item->data, (size_t)item->record.size, 0);
        r = r < 0 ? cannot_place(&item->spot, r, reterr)
                  : attributes_apply(file.fd, &item->record, &item->attributes, item->clear_acl,
                                     reterr);
        if (r >= 0)
                r = new_file_place(&file, &item->spot, reterr);
        if (r >= 0 && item->spot.beside[0])
                r = made_inode(file.fd, &item->spot, reterr);
        new_file_done(&file, &item->spot);
        return r;
}

/* make the files of the next full batch; the mutex is held, but not meanwhile. False: there is none
 */
static bool work_locked(struct small_files *small) {
        struct batch *batch = batch_of(small, small->taking);

        if (small->taking == small->filling || batch->state != BATCH_FULL)
                return false;
        batch->state = BATCH_BUSY;
        small->taking++;
        pthread_mutex_unlock(&small->mutex);
        for (size_t i = 0; i < batch->count; i++)
                batch->items[i].result = make_file(&batch->items[i]);
        pthread_mutex_lock(&small->mutex);
        batch->state = BATCH_DONE;
        pthread_cond_broadcast(&small->changed);
        return true;
}

static void *run_thread(void *userdata) {
        struct small_files *small = userdata;

        pthread_mutex_lock(&small->mutex);
        while (!small->stop)
                if (!work_locked(small))
                        pthread_cond_wait(&small->changed, &small->mutex);
        pthread_mutex_unlock(&small->mutex);
        return NULL;
}

/* ---- the restore's side ---- */

struct small_files *small_files_new(small_placed_t placed, void *userdata) {
        struct small_files *small = calloc(1, sizeof(*small));

        if (!small)
                return NULL;
        small->placed = placed;
        small->userdata = userdata;
        pthread_mutex_init(&small->mutex, NULL);
        pthread_cond_init(&small->changed, NULL);
        for (size_t i = 0; i < RING_COUNT; i++) {
                small->ring[i].bytes = malloc(BATCH_BYTES);
                if (!small->ring[i].bytes)
                        return small_files_free(small);
        }
        return small;
}

struct small_files *small_files_free(struct small_files *small) {
        if (!small)
                return NULL;
        pthread_mutex_lock(&small->mutex);
        small->stop = true;
        pthread_cond_broadcast(&small->changed);
        pthread_mutex_unlock(&small->mutex);
        for (size_t i = 0; i < small->threads_count; i++)
                pthread_join(small->threads[i], NULL);
        for (size_t i = 0; i < RING_COUNT; i++)
                free(small->ring[i].bytes);
        pthread_mutex_destroy(&small->mutex);
        pthread_cond_destroy(&small->changed);
        free(small);
        return NULL;
}

/* one thread less than processors: the restore helps. Without threads it does everything */
static void start_threads(struct small_files *small) {
        long threads = sysconf(_SC_NPROCESSORS_ONLN) - 1;

        small->started = true;
        if (threads > THREADS_MAX)
                threads = THREADS_MAX;
        while ((long)small->threads_count < threads &&
               pthread_create(&small->threads[small->threads_count], NULL, run_thread, small) == 0)
                small->threads_count++;
}

static void tell(struct small_files *small, struct batch *batch) {
        for (size_t i = 0; i < batch->count; i++) {
                struct small_file *item = &batch->items[i];
                struct view_part part = { item->link, &item->record };

                small->placed(small->userdata, &part, &item->spot, item->result,
                              item->result < 0 ? vss_error_message(&item->error) : NULL);
                attributes_done(&item->attributes);
                vss_error_clear(&item->error);
        }
        batch->count = batch->used = 0;
        batch->state = BATCH_FREE;
        small->telling++;
}

/* until at most @left batches are not told */
static void wait_for(struct small_files *small, uint64_t left) {
        pthread_mutex_lock(&small->mutex);
        while (small->filling - small->telling > left) {
                struct batch *oldest = batch_of(small, small->telling);

                if (oldest->state == BATCH_DONE) {
                        pthread_mutex_unlock(&small->mutex);
                        tell(small, oldest); /* nobody else touches what is done */
                        pthread_mutex_lock(&small->mutex);
                } else if (!work_locked(small)) {
                        pthread_cond_wait(&small->changed, &small->mutex);
                }
        }
        pthread_mutex_unlock(&small->mutex);
}

/* the batch that is being filled is ready */
static void hand_over(struct small_files *small, bool wake) {
        struct batch *batch = batch_of(small, small->filling);

        if (batch->count == 0)
                return;
        if (wake && !small->started)
                start_threads(small);
        pthread_mutex_lock(&small->mutex);
        batch->state = BATCH_FULL;
        small->filling++;
        if (wake)
                pthread_cond_broadcast(&small->changed);
        pthread_mutex_unlock(&small->mutex);
}

void small_files_settle(struct small_files *small) {
        hand_over(small, false);
        wait_for(small, 0);
}

static size_t strings_size(const struct record *record, const struct spot *spot) {
        return strlen(record->path) + strlen(record->extra) + strlen(spot->full) + 3;
}

bool small_files_want(const struct view_item *item) {
        const struct record *record = item->parts[0].record;

        return item->parts_count == 1 && record->kind == ENTRY_FILE &&
               record->archive == ARCHIVE_DATA && record->links < 2 && !record->link[0] &&
               record->size <= FILE_MAX && strlen(record->path) < PATH_MAX;
}

int small_files_put(struct small_files *small, struct members *members,
                    const struct view_part *part, const struct spot *spot, bool clear_acl,
                    struct vss_error *reterr) {
        size_t strings = strings_size(part->record, spot), size = (size_t)part->record->size;
        struct batch *batch = batch_of(small, small->filling);
        struct small_file *item;
        int r;

        if (strings + size > BATCH_BYTES)
                return vss_fail(reterr, -ENAMETOOLONG, "the path is too long");
        if (batch->count == BATCH_ITEMS || batch->used + strings + size > BATCH_BYTES) {
                hand_over(small, true);
                wait_for(small, RING_COUNT - 1);
                batch = batch_of(small, small->filling);
        }
        item = &batch->items[batch->count];
        *item = (struct small_file){
                .record = *part->record, .link = part->link, .spot = *spot, .clear_acl = clear_acl
        };
        item->data = batch->bytes + batch->used + strings;
        r = members_attributes(members, part, &item->attributes, reterr);
        if (r >= 0)
                r = members_read(members, part, item->data, reterr);
        if (r < 0) {
                attributes_done(&item->attributes);
                return r;
        }
        item->record.path = put_string(batch->bytes, &batch->used, part->record->path);
        item->record.extra = put_string(batch->bytes, &batch->used, part->record->extra);
        item->record.link = item->record.extra + strlen(item->record.extra); /* empty */
        item->spot.full = put_string(batch->bytes, &batch->used, spot->full);
        item->spot.path = item->spot.full + (spot->path - spot->full);
        item->spot.name = item->spot.full + (spot->name - spot->full);
        batch->used += size;
        batch->count++;
        return 0;
}
