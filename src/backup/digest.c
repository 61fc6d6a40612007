/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * digest.c - SHA-256 of stored bytes and of contents (2 GB/s where the processor has it, faster
 * than BLAKE2 there: the reason for the choice).
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

int digest_bytes(const void *data, size_t size, uint8_t ret[DIGEST_SIZE]) {
        return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

int digest_file(int fd, uint8_t ret[DIGEST_SIZE], uint64_t *ret_size) {
        _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
        _cleanup_free_ char *buffer = malloc(1 << 18);
        uint64_t size = 0;

        if (!context || !buffer || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        for (;;) {
                ssize_t n = pread(fd, buffer, 1 << 18, (off_t)size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                if (EVP_DigestUpdate(context, buffer, (size_t)n) != 1)
                        return -EIO;
                size += (uint64_t)n;
        }
        *ret_size = size;
        return EVP_DigestFinal_ex(context, ret, NULL) == 1 ? 0 : -EIO;
}

struct content_digest {
        EVP_MD_CTX *piece; /* the current piece, or the whole small file */
        EVP_MD *sha256; /* fetched once: an implicit fetch per file costs more than a small file */
        uint64_t file_size, position, number; /* of the current piece */
        bool large, open; /* the current piece has data */
        uint64_t *numbers;
        size_t numbers_count, numbers_capacity;
        uint8_t *digests;
        size_t digests_capacity;
};

struct content_digest *content_digest_free(struct content_digest *digest) {
        if (!digest)
                return NULL;
        EVP_MD_CTX_free(digest->piece);
        EVP_MD_free(digest->sha256);
        free(digest->numbers);
        free(digest->digests);
        free(digest);
        return NULL;
}

struct content_digest *content_digest_new(void) {
        struct content_digest *digest = calloc(1, sizeof(*digest));

        if (!digest)
                return NULL;
        digest->piece = EVP_MD_CTX_new();
        digest->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (!digest->piece || !digest->sha256)
                return content_digest_free(digest);
        return digest;
}

int content_digest_begin(struct content_digest *digest, uint64_t file_size) {
        digest->file_size = file_size;
        digest->large = file_size > CHUNK_SIZE;
        digest->position = digest->number = 0;
        digest->numbers_count = 0;
        digest->open = !digest->large;
        return EVP_DigestInit_ex(digest->piece, digest->sha256, NULL) == 1 ? 0 : -EIO;
}

static int update(struct content_digest *digest, const void *data, size_t size) {
        digest->position += size;
        return EVP_DigestUpdate(digest->piece, data, size) == 1 ? 0 : -EIO;
}

/* holes count as zeros inside a piece that has data */
static int update_zeros(struct content_digest *digest, uint64_t until) {
        static const char zeros[4096];

        while (digest->position < until) {
                uint64_t left = until - digest->position;
                int r = update(digest, zeros, left < sizeof(zeros) ? (size_t)left : sizeof(zeros));

                if (r < 0)
                        return r;
        }
        return 0;
}

static uint64_t piece_end(const struct content_digest *digest) {
        uint64_t end = digest->large ? (digest->number + 1) * CHUNK_SIZE : digest->file_size;

        return end < digest->file_size ? end : digest->file_size;
}

static int close_piece(struct content_digest *digest) {
        int r = update_zeros(digest, piece_end(digest));

        if (r < 0)
                return r;
        r = ARRAY_RESERVE(&digest->numbers, digest->numbers_count, &digest->numbers_capacity);
        if (r < 0)
                return r;
        if (digest->numbers_capacity * DIGEST_SIZE > digest->digests_capacity) {
                uint8_t *grown = realloc(digest->digests, digest->numbers_capacity * DIGEST_SIZE);

                if (!grown)
                        return -ENOMEM;
                digest->digests = grown;
                digest->digests_capacity = digest->numbers_capacity * DIGEST_SIZE;
        }
        digest->numbers[digest->numbers_count] = digest->number;
        if (EVP_DigestFinal_ex(digest->piece, digest->digests + digest->numbers_count * DIGEST_SIZE,
                               NULL) != 1)
                return -EIO;
        digest->numbers_count++;
        digest->open = false;
        return 0;
}

static int open_piece(struct content_digest *digest, uint64_t number) {
        digest->number = number;
        digest->position = number * CHUNK_SIZE;
        digest->open = true;
        return EVP_DigestInit_ex(digest->piece, digest->sha256, NULL) == 1 ? 0 : -EIO;
}

int content_digest_data(struct content_digest *digest, uint64_t offset, const void *data,
                        size_t size) {
        const char *p = data;
        int r = 0;

        while (size > 0 && r >= 0) {
                uint64_t number = digest->large ? offset / CHUNK_SIZE : 0;
                size_t n = size;

                if (digest->open && digest->large && number != digest->number)
                        r = close_piece(digest);
                if (r >= 0 && !digest->open)
                        r = open_piece(digest, number);
                if (r >= 0)
                        r = update_zeros(digest, offset);
                if (r < 0)
                        break;
                if (n > piece_end(digest) - offset)
                        n = (size_t)(piece_end(digest) - offset);
                if (n == 0)
                        return -EINVAL; /* beyond the size that was announced */
                r = update(digest, p, n);
                offset += n;
                p += n;
                size -= n;
        }
        return r;
}

int content_digest_end(struct content_digest *digest, uint8_t ret[DIGEST_SIZE]) {
        int r;

        if (!digest->large) {
                r = update_zeros(digest, digest->file_size);
                if (r < 0)
                        return r;
                return EVP_DigestFinal_ex(digest->piece, ret, NULL) == 1 ? 0 : -EIO;
        }
        r = digest->open ? close_piece(digest) : 0;
        if (r < 0)
                return r;
        if (EVP_DigestInit_ex(digest->piece, digest->sha256, NULL) != 1)
                return -EIO;
        for (size_t i = 0; i < digest->numbers_count; i++) {
                uint8_t number[8];

                for (int j = 0; j < 8; j++)
                        number[j] = (uint8_t)(digest->numbers[i] >> (8 * j));
                if (EVP_DigestUpdate(digest->piece, number, sizeof(number)) != 1 ||
                    EVP_DigestUpdate(digest->piece, digest->digests + i * DIGEST_SIZE,
                                     DIGEST_SIZE) != 1)
                        return -EIO;
        }
        return EVP_DigestFinal_ex(digest->piece, ret, NULL) == 1 ? 0 : -EIO;
}

size_t content_digest_chunks(const struct content_digest *digest, const uint64_t **ret_numbers,
                             const uint8_t **ret_digests) {
        *ret_numbers = digest->numbers;
        *ret_digests = digest->digests;
        return digest->large ? digest->numbers_count : 0;
}
