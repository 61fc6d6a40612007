/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame-writer.c - a ring of blocks: the caller fills them, threads compress them, one thread
 * writes them in order and takes the digest of the stored bytes in the same pass.
 *
 * A block goes FREE -> FILLED -> PACKED -> FREE; only the order of numbers decides who may touch
 * it, the mutex guards the states. The first error stops everything and is kept.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "backup/frames.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define RING_MAX 10
#define THREADS_MAX 4
#define WRITE_STEP ((size_t)128 << 10)
#define WRITEBACK_STEP (UINT64_C(8) << 20)

enum block_state { BLOCK_FREE, BLOCK_FILLED, BLOCK_PACKING, BLOCK_PACKED };

struct block {
        enum block_state state;
        char *plain, *packed;
        size_t plain_size, packed_size;
};

struct frame_row {
        uint32_t packed, plain;
};

struct frame_writer {
        int fd;
        uint32_t frame_size;
        int level; /* of zstd */
        uint64_t position; /* bytes put */
        /* the ring; numbers grow for ever, a block is number % ring_count */
        struct block ring[RING_MAX];
        size_t ring_count;
        uint64_t filling, packing, writing;
        /* what is written; touched by the writing thread, or by the caller when all is written */
        EVP_MD_CTX *digest;
        uint64_t stored, written_back;
        struct frame_row *rows;
        size_t rows_count, rows_capacity;
        /* where frame_writer_rewind() goes back to */
        EVP_MD_CTX *mark_digest;
        uint64_t mark_stored, mark_position, mark_number;
        size_t mark_rows;
        bool marked;
        ZSTD_CCtx *own_context; /* without threads */
        pthread_t threads[THREADS_MAX + 1];
        size_t threads_count;
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        bool stop;
        int error;
};

static struct block *block_of(struct frame_writer *writer, uint64_t number) {
        return &writer->ring[number % writer->ring_count];
}

static ZSTD_CCtx *context_new(int level) {
        ZSTD_CCtx *context = ZSTD_createCCtx();

        if (!context)
                return NULL;
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
        return context;
}

static int pack(struct frame_writer *writer, ZSTD_CCtx *context, struct block *block) {
        size_t n = ZSTD_compress2(context, block->packed, ZSTD_compressBound(writer->frame_size),
                                  block->plain, block->plain_size);

        if (ZSTD_isError(n))
                return -ENOMEM;
        block->packed_size = n;
        return 0;
}

/* start writeback early, so that the fsync at the end has little left to do */
static void write_back(struct frame_writer *writer) {
        if (writer->stored - writer->written_back < WRITEBACK_STEP)
                return;
        (void)sync_file_range(writer->fd, (off_t)writer->written_back,
                              (off_t)(writer->stored - writer->written_back),
                              SYNC_FILE_RANGE_WRITE);
        writer->written_back = writer->stored;
}

/* in steps: the kernel takes longer over large pieces, and what was just digested is near */
static int store_bytes(struct frame_writer *writer, const char *data, size_t size) {
        for (size_t n; size > 0; data += n, size -= n) {
                int r;

                n = size < WRITE_STEP ? size : WRITE_STEP;
                r = pwrite_all(writer->fd, data, n, (off_t)writer->stored);
                if (r < 0)
                        return r;
                if (EVP_DigestUpdate(writer->digest, data, n) != 1)
                        return -EIO;
                writer->stored += n;
        }
        write_back(writer);
        return 0;
}

/* @is_marked: frame_writer_rewind() goes back to before this block */
static int store_block(struct frame_writer *writer, const struct block *block, bool is_marked) {
        int r;

        if (is_marked) {
                writer->mark_stored = writer->stored;
                writer->mark_rows = writer->rows_count;
                if (EVP_MD_CTX_copy_ex(writer->mark_digest, writer->digest) != 1)
                        return -ENOMEM;
        }
        r = ARRAY_RESERVE(&writer->rows, writer->rows_count, &writer->rows_capacity);
        if (r >= 0)
                r = store_bytes(writer, block->packed, block->packed_size);
        if (r < 0)
                return r;
        writer->rows[writer->rows_count++] =
                (struct frame_row){ .packed = (uint32_t)block->packed_size,
                                    .plain = (uint32_t)block->plain_size };
        return 0;
}

static void fail_locked(struct frame_writer *writer, int error) {
        if (writer->error >= 0)
                writer->error = error;
        pthread_cond_broadcast(&writer->changed);
}

static void *pack_thread(void *userdata) {
        struct frame_writer *writer = userdata;
        ZSTD_CCtx *context = context_new(writer->level);

        pthread_mutex_lock(&writer->mutex);
        if (!context)
                fail_locked(writer, -ENOMEM);
        while (!writer->stop && context) {
                struct block *block = block_of(writer, writer->packing);
                int r;

                if (writer->error < 0 || writer->packing == writer->filling ||
                    block->state != BLOCK_FILLED) {
                        pthread_cond_wait(&writer->changed, &writer->mutex);
                        continue;
                }
                block->state = BLOCK_PACKING;
                writer->packing++;
                pthread_mutex_unlock(&writer->mutex);
                r = pack(writer, context, block);
                pthread_mutex_lock(&writer->mutex);
                block->state = BLOCK_PACKED;
                if (r < 0)
                        fail_locked(writer, r);
                pthread_cond_broadcast(&writer->changed);
        }
        pthread_mutex_unlock(&writer->mutex);
        ZSTD_freeCCtx(context);
        return NULL;
}

static void *write_thread(void *userdata) {
        struct frame_writer *writer = userdata;

        pthread_mutex_lock(&writer->mutex);
        while (!writer->stop) {
                struct block *block = block_of(writer, writer->writing);
                bool is_marked = writer->marked && writer->writing == writer->mark_number;
                int r;

                if (writer->error < 0 || writer->writing == writer->packing ||
                    block->state != BLOCK_PACKED) {
                        pthread_cond_wait(&writer->changed, &writer->mutex);
                        continue;
                }
                pthread_mutex_unlock(&writer->mutex);
                r = store_block(writer, block, is_marked);
                pthread_mutex_lock(&writer->mutex);
                if (r < 0) {
                        fail_locked(writer, r);
                        continue;
                }
                block->state = BLOCK_FREE;
                writer->writing++;
                pthread_cond_broadcast(&writer->changed);
        }
        pthread_mutex_unlock(&writer->mutex);
        return NULL;
}

static int start_thread(struct frame_writer *writer, void *(*run)(void *)) {
        int r = pthread_create(&writer->threads[writer->threads_count], NULL, run, writer);

        if (r != 0)
                return -r;
        writer->threads_count++;
        return 0;
}

static int allocate(struct frame_writer *writer, unsigned threads) {
        writer->ring_count = threads ? 2 * threads + 2 : 1;
        for (size_t i = 0; i < writer->ring_count; i++) {
                writer->ring[i].plain = malloc(writer->frame_size);
                writer->ring[i].packed = malloc(ZSTD_compressBound(writer->frame_size));
                if (!writer->ring[i].plain || !writer->ring[i].packed)
                        return -ENOMEM;
        }
        writer->digest = EVP_MD_CTX_new();
        writer->mark_digest = EVP_MD_CTX_new();
        if (!writer->digest || !writer->mark_digest ||
            EVP_DigestInit_ex(writer->digest, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        if (threads == 0) {
                writer->own_context = context_new(writer->level);
                return writer->own_context ? 0 : -ENOMEM;
        }
        return 0;
}

int frame_writer_new(int take_fd, uint32_t frame_size, int level, unsigned threads,
                     struct frame_writer **ret) {
        struct frame_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer) {
                close(take_fd);
                return -ENOMEM;
        }
        if (threads > THREADS_MAX)
                threads = THREADS_MAX;
        writer->fd = take_fd;
        writer->frame_size = frame_size;
        writer->level = level;
        pthread_mutex_init(&writer->mutex, NULL);
        pthread_cond_init(&writer->changed, NULL);
        r = allocate(writer, threads);
        for (unsigned i = 0; r >= 0 && i < threads; i++)
                r = start_thread(writer, pack_thread);
        if (r >= 0 && threads > 0)
                r = start_thread(writer, write_thread);
        if (r < 0) {
                frame_writer_free(writer);
                return r;
        }
        *ret = writer;
        return 0;
}

struct frame_writer *frame_writer_free(struct frame_writer *writer) {
        if (!writer)
                return NULL;
        pthread_mutex_lock(&writer->mutex);
        writer->stop = true;
        pthread_cond_broadcast(&writer->changed);
        pthread_mutex_unlock(&writer->mutex);
        for (size_t i = 0; i < writer->threads_count; i++)
                pthread_join(writer->threads[i], NULL);
        for (size_t i = 0; i < writer->ring_count; i++) {
                free(writer->ring[i].plain);
                free(writer->ring[i].packed);
        }
        pthread_mutex_destroy(&writer->mutex);
        pthread_cond_destroy(&writer->changed);
        ZSTD_freeCCtx(writer->own_context);
        EVP_MD_CTX_free(writer->digest);
        EVP_MD_CTX_free(writer->mark_digest);
        free(writer->rows);
        close(writer->fd);
        free(writer);
        return NULL;
}

/* hand the block over that is being filled */
static int flush_block(struct frame_writer *writer) {
        struct block *block = block_of(writer, writer->filling);
        int r;

        if (block->plain_size == 0)
                return 0;
        if (writer->threads_count == 0) {
                r = writer->error < 0 ? writer->error : pack(writer, writer->own_context, block);
                if (r >= 0)
                        r = store_block(writer, block,
                                        writer->marked && writer->filling == writer->mark_number);
                writer->filling++;
                block->plain_size = 0;
                if (r < 0)
                        writer->error = r;
                return r;
        }
        pthread_mutex_lock(&writer->mutex);
        block->state = BLOCK_FILLED;
        writer->filling++;
        pthread_cond_broadcast(&writer->changed);
        block = block_of(writer, writer->filling);
        while (block->state != BLOCK_FREE && writer->error >= 0)
                pthread_cond_wait(&writer->changed, &writer->mutex);
        r = writer->error;
        pthread_mutex_unlock(&writer->mutex);
        if (r >= 0)
                block->plain_size = 0;
        return r;
}

char *frame_writer_space(struct frame_writer *writer, size_t *ret_size) {
        struct block *block = block_of(writer, writer->filling);

        *ret_size = writer->frame_size - block->plain_size;
        return block->plain + block->plain_size;
}

int frame_writer_commit(struct frame_writer *writer, size_t size) {
        struct block *block = block_of(writer, writer->filling);

        block->plain_size += size;
        writer->position += size;
        return block->plain_size == writer->frame_size ? flush_block(writer) : 0;
}

int frame_writer_put(struct frame_writer *writer, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                size_t n;
                char *to = frame_writer_space(writer, &n);
                int r;

                if (n > size)
                        n = size;
                memcpy(to, p, n);
                r = frame_writer_commit(writer, n);
                if (r < 0)
                        return r;
                p += n;
                size -= n;
        }
        return 0;
}

uint64_t frame_writer_position(const struct frame_writer *writer) {
        return writer->position;
}

/* wait until every block handed over is on its way to the disk */
static int drain(struct frame_writer *writer) {
        int r = flush_block(writer);

        if (r < 0 || writer->threads_count == 0)
                return r;
        pthread_mutex_lock(&writer->mutex);
        while (writer->writing != writer->filling && writer->error >= 0)
                pthread_cond_wait(&writer->changed, &writer->mutex);
        r = writer->error;
        pthread_mutex_unlock(&writer->mutex);
        return r;
}

int frame_writer_mark(struct frame_writer *writer) {
        int r = flush_block(writer);

        if (r < 0)
                return r;
        /* the block of this number is not handed over yet: nobody else reads the mark */
        pthread_mutex_lock(&writer->mutex);
        writer->marked = true;
        writer->mark_number = writer->filling;
        writer->mark_position = writer->position;
        pthread_mutex_unlock(&writer->mutex);
        return 0;
}

int frame_writer_rewind(struct frame_writer *writer) {
        int r;

        if (writer->filling == writer->mark_number) {
                block_of(writer, writer->filling)->plain_size = 0;
                writer->position = writer->mark_position;
                return 0;
        }
        r = drain(writer);
        if (r < 0)
                return r;
        if (ftruncate(writer->fd, (off_t)writer->mark_stored) < 0)
                return -errno;
        if (EVP_MD_CTX_copy_ex(writer->digest, writer->mark_digest) != 1)
                return -ENOMEM;
        writer->stored = writer->mark_stored;
        if (writer->written_back > writer->stored)
                writer->written_back = writer->stored;
        writer->rows_count = writer->mark_rows;
        writer->position = writer->mark_position;
        writer->marked = false;
        return 0;
}

static void put_u32(char *p, uint32_t value) {
        for (int i = 0; i < 4; i++)
                p[i] = (char)(value >> (8 * i) & 0xff);
}

/* the seek table, see docs/store-format.md */
static int store_table(struct frame_writer *writer) {
        size_t size = 8 + writer->rows_count * 8 + 9;
        _cleanup_free_ char *table = malloc(size);
        char *p = table;

        if (!table)
                return -ENOMEM;
        if (writer->rows_count > UINT32_C(0x8000000))
                return -EFBIG;
        put_u32(p, UINT32_C(0x184D2A5E));
        put_u32(p + 4, (uint32_t)(size - 8));
        p += 8;
        for (size_t i = 0; i < writer->rows_count; i++, p += 8) {
                put_u32(p, writer->rows[i].packed);
                put_u32(p + 4, writer->rows[i].plain);
        }
        put_u32(p, (uint32_t)writer->rows_count);
        p[4] = 0;
        put_u32(p + 5, UINT32_C(0x8F92EAB1));
        return store_bytes(writer, table, size);
}

int frame_writer_finish(struct frame_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                        uint64_t *ret_stored) {
        int r = drain(writer);

        if (r >= 0)
                r = store_table(writer);
        if (r < 0 || !ret_digest)
                return r;
        if (fsync(writer->fd) < 0)
                return -errno;
        if (EVP_DigestFinal_ex(writer->digest, ret_digest, NULL) != 1)
                return -EIO;
        *ret_stored = writer->stored;
        return 0;
}
