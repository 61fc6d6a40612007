/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batches.c - small things on their way into the archive. The walk reads them, a thread of its own
 * takes digests, makes headers and records, in the order in which they were read.
 *
 * Batches go round in a ring: the walk fills one, the thread empties those before it. Whoever
 * writes to the archive or the run directly settles first (batches_settle()); then the thread
 * sleeps and touches nothing. Only what is complicated (links, attributes, holes, large files)
 * is stored by the walk itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/feed.h"
#include "base/cleanup.h"

#define RING_COUNT 6
#define BATCH_ITEMS 64
#define BATCH_BYTES (512U << 10)
#define FILE_MAX (128U << 10)

struct item {
        struct record record; /* its strings lie in the batch */
        char *data;
};

struct batch {
        struct item items[BATCH_ITEMS];
        size_t count, used;
        char *bytes;
};

struct batches {
        struct pass *pass;
        struct batch ring[RING_COUNT];
        uint64_t filling, emptying; /* numbers of batches, for ever growing */
        struct content_digest *digest;
        pthread_t thread;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool stop;
        int error;
};

static struct batch *batch_of(struct batches *batches, uint64_t number) {
        return &batches->ring[number % RING_COUNT];
}

/* ---- the thread's side ---- */

static int take_digest(struct batches *batches, struct item *item) {
        struct record *record = &item->record;
        int r = content_digest_begin(batches->digest, record->size);

        if (r >= 0)
                r = content_digest_data(batches->digest, 0, item->data, (size_t)record->size);
        record->has_digest = true;
        return r < 0 ? r : content_digest_end(batches->digest, record->digest);
}

static int store_item(struct batches *batches, struct item *item) {
        struct operation *op = batches->pass->op;
        struct record *record = &item->record;
        struct set_component *component = &op_info(op)->components[record->component];
        struct member member = { .name = record->path[1] ? record->path + 1 : ".",
                                 .record = record };
        int r;

        if (record->kind == RECORD_SAME)
                return manifest_put(batches->pass->run, record);
        record->archive = ARCHIVE_DATA;
        r = archive_writer_begin(op->data, &member, &record->offset);
        if (r >= 0 && record->kind == ENTRY_FILE)
                r = take_digest(batches, item);
        if (r >= 0 && record->size > 0)
                r = archive_writer_data(op->data, item->data, (size_t)record->size);
        if (r >= 0)
                r = archive_writer_end(op->data);
        component->entries++;
        component->bytes += record->size;
        return r < 0 ? r : manifest_put(batches->pass->run, record);
}

static void *run_thread(void *userdata) {
        struct batches *batches = userdata;

        pthread_mutex_lock(&batches->mutex);
        for (;;) {
                struct batch *batch = batch_of(batches, batches->emptying);
                int r = batches->error;

                if (batches->emptying == batches->filling) {
                        if (batches->stop)
                                break;
                        pthread_cond_wait(&batches->changed, &batches->mutex);
                        continue;
                }
                pthread_mutex_unlock(&batches->mutex);
                for (size_t i = 0; i < batch->count && r >= 0; i++)
                        r = store_item(batches, &batch->items[i]);
                pthread_mutex_lock(&batches->mutex);
                if (r < 0)
                        batches->error = r;
                batches->emptying++;
                pthread_cond_broadcast(&batches->changed);
        }
        pthread_mutex_unlock(&batches->mutex);
        return NULL;
}

/* ---- the walk's side ---- */

/* after its thread has ended, if it had one */
static void batches_free(struct batches *batches) {
        for (size_t i = 0; i < RING_COUNT; i++)
                free(batches->ring[i].bytes);
        content_digest_free(batches->digest);
        pthread_mutex_destroy(&batches->mutex);
        pthread_cond_destroy(&batches->changed);
        free(batches);
}

static int start(struct pass *pass) {
        struct batches *batches = calloc(1, sizeof(*batches));
        bool room = batches != NULL;

        if (!batches)
                return -ENOMEM;
        batches->pass = pass;
        batches->digest = content_digest_new();
        for (size_t i = 0; i < RING_COUNT; i++)
                room = (batches->ring[i].bytes = malloc(BATCH_BYTES)) != NULL && room;
        pthread_mutex_init(&batches->mutex, NULL);
        pthread_cond_init(&batches->changed, NULL);
        if (room && batches->digest &&
            pthread_create(&batches->thread, NULL, run_thread, batches) == 0) {
                pass->batches = batches;
                return 0;
        }
        batches_free(batches);
        return -ENOMEM;
}

/* hand the batch over that is being filled; at most @left are then under way */
static int hand_over(struct batches *batches, uint64_t left) {
        int r;

        pthread_mutex_lock(&batches->mutex);
        if (batch_of(batches, batches->filling)->count > 0) {
                batches->filling++;
                pthread_cond_broadcast(&batches->changed);
        }
        while (batches->filling - batches->emptying > left)
                pthread_cond_wait(&batches->changed, &batches->mutex);
        r = batches->error;
        pthread_mutex_unlock(&batches->mutex);
        batch_of(batches, batches->filling)->count = 0;
        batch_of(batches, batches->filling)->used = 0;
        return r;
}

int batches_settle(struct pass *pass) {
        return pass->batches ? hand_over(pass->batches, 0) : 0;
}

void batches_stop(struct pass *pass) {
        struct batches *batches = pass->batches;

        if (!batches)
                return;
        pthread_mutex_lock(&batches->mutex);
        batches->stop = true;
        pthread_cond_broadcast(&batches->changed);
        pthread_mutex_unlock(&batches->mutex);
        pthread_join(batches->thread, NULL);
        batches_free(batches);
        pass->batches = NULL;
}

/* room for one more with @size bytes of data; its strings are copied, its data is not there yet */
static int add(struct batches *batches, const struct record *record, size_t size,
               struct item **ret) {
        struct batch *batch = batch_of(batches, batches->filling);
        size_t strings = strlen(record->path) + strlen(record->extra) + 2;
        struct item *item;

        if (batch->count == BATCH_ITEMS || batch->used + strings + size > BATCH_BYTES) {
                int r = hand_over(batches, RING_COUNT - 1);

                if (r < 0)
                        return r;
                batch = batch_of(batches, batches->filling);
        }
        item = &batch->items[batch->count];
        item->record = *record;
        item->record.path = put_string(batch->bytes, &batch->used, record->path);
        item->record.extra = put_string(batch->bytes, &batch->used, record->extra);
        item->data = batch->bytes + batch->used;
        *ret = item;
        return 0;
}

static bool fits(const struct record *record) {
        return strlen(record->path) + strlen(record->extra) + 2 + FILE_MAX <= BATCH_BYTES;
}

bool batches_want(const struct record *record, const struct stat *st) {
        if (!fits(record) || (st->st_nlink > 1 && !S_ISDIR(st->st_mode)))
                return false;
        return !S_ISREG(st->st_mode) ||
               (st->st_size <= FILE_MAX && st->st_blocks >= (st->st_size + 511) / 512);
}

int batches_put_same(struct pass *pass, const struct record *record) {
        struct item *item;
        int r;

        if (!pass->batches || !fits(record)) {
                r = batches_settle(pass);
                return r < 0 ? r : manifest_put(pass->run, record);
        }
        r = add(pass->batches, record, 0, &item);
        if (r >= 0)
                batch_of(pass->batches, pass->batches->filling)->count++;
        return r;
}

int batches_put(struct pass *pass, int fd, const struct record *record) {
        struct batch *batch;
        struct item *item;
        uint64_t got = 0;
        int r = pass->batches ? 0 : start(pass);

        if (r >= 0)
                r = add(pass->batches, record, (size_t)record->size, &item);
        if (r < 0)
                return r;
        batch = batch_of(pass->batches, pass->batches->filling);
        if (record->kind == ENTRY_FILE) {
                r = feed_read(fd, item->data, record->size, 0, &got);
                if (r < 0)
                        return pass_trouble(pass, record->path, r, NULL);
                item->record.size = got; /* a live file may have shrunk since the stat */
        }
        batch->used += (size_t)got;
        batch->count++;
        pass->bytes += got;
        return 0;
}
