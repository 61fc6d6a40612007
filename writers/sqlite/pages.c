/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD_SIZE = 32, VERSION = 2, MAX_BEHIND = 2 * PATH_MAX };
enum { CHUNK = 1024 * 1024, DEFAULT_PAGE = 4096, MIN_PAGE = 512, MAX_PAGE = 65536 };
enum { CHUNK_HASHES = CHUNK / MIN_PAGE * PAGES_HASH };

static void put(unsigned char *to, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *from, size_t size) {
        uint64_t value = 0;

        while (size-- > 0)
                value = value << 8 | from[size];
        return value;
}

static uint64_t page_count(const struct pages_sum *sum) {
        return sum->size / sum->page_size + (sum->size % sum->page_size != 0);
}

static bool is_page_size(uint64_t size) {
        return size >= MIN_PAGE && size <= MAX_PAGE && (size & (size - 1)) == 0;
}

void pages_digest_format(const unsigned char digest[PAGES_DIGEST], char ret[PAGES_DIGEST_TEXT]) {
        for (size_t i = 0; i < PAGES_DIGEST; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

bool pages_digest_parse(const char *text, unsigned char ret[PAGES_DIGEST]) {
        if (strlen(text) != PAGES_DIGEST_TEXT - 1 ||
            strspn(text, "0123456789abcdef") != PAGES_DIGEST_TEXT - 1)
                return false;
        for (size_t i = 0; i < PAGES_DIGEST; i++) {
                unsigned byte;

                if (sscanf(text + 2 * i, "%2x", &byte) != 1)
                        return false;
                ret[i] = (unsigned char)byte;
        }
        return true;
}

/* as much as there is up to @size; short only at the end of the file */
static ssize_t read_at(int fd, void *buffer, size_t size, uint64_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                done += n > 0 ? (size_t)n : 0;
        }
        return (ssize_t)done;
}

/* ---- a list that was written before ---- */

static int read_head(struct pages_list *list) {
        unsigned char head[HEAD_SIZE];
        ssize_t n = read_at(list->fd, head, sizeof(head), 0);
        uint64_t length;
        struct stat st;

        if (n < 0 || fstat(list->fd, &st) < 0)
                return n < 0 ? (int)n : -errno;
        if (n < HEAD_SIZE || memcmp(head, "VSSPAGES", 8) != 0 || get(head + 8, 4) != VERSION ||
            !is_page_size(get(head + 12, 4)) || get(head + 16, 8) > INT64_MAX)
                return -EBADMSG;
        list->sum.page_size = (uint32_t)get(head + 12, 4);
        list->sum.size = get(head + 16, 8);
        list->type = (uint32_t)get(head + 24, 4);
        length = get(head + 28, 4);
        list->hashes_at = HEAD_SIZE + length;
        list->end = list->hashes_at + page_count(&list->sum) * PAGES_HASH + PAGES_DIGEST;
        if (length >= PATH_MAX || (uint64_t)st.st_size < list->end ||
            (uint64_t)st.st_size > list->end + MAX_BEHIND)
                return -EBADMSG;
        list->path = calloc(1, length + 1);
        if (!list->path)
                return -ENOMEM;
        if (read_at(list->fd, list->path, length, HEAD_SIZE) != (ssize_t)length ||
            read_at(list->fd, list->sum.digest, PAGES_DIGEST, list->end - PAGES_DIGEST) !=
                    PAGES_DIGEST)
                return -EBADMSG;
        return 0;
}

int pages_list_open(int take_fd, struct pages_list *ret) {
        struct pages_list list = { .fd = take_fd };
        int r = read_head(&list);

        if (r < 0) {
                pages_list_close(&list);
                return r;
        }
        *ret = list;
        return 0;
}

void pages_list_close(struct pages_list *list) {
        util_closep(&list->fd);
        list->fd = -1;
        free(list->path);
        list->path = NULL;
}

/* ---- one reading of a file ---- */

struct reading {
        struct pages_scan *scan;
        int in;
        struct pages_sum *sum; /* of the file */
        bool compare;
        EVP_MD *sha256;
        EVP_MD_CTX *page, *whole, *base; /* base: of the list that is read along */
        uint64_t base_done; /* its hashes read so far */
        size_t same_hint;
        unsigned char *data; /* CHUNK bytes of pages */
        unsigned char *hashes, *base_hashes; /* of one chunk */
};

static int write_out(const struct reading *reading, const void *data, size_t size) {
        const unsigned char *from = data;

        for (size_t done = 0; reading->scan->out >= 0 && done < size;) {
                ssize_t n = write(reading->scan->out, from + done, size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

/* what a digest begins with */
static int begin_digest(const struct reading *reading, EVP_MD_CTX *context,
                        const struct pages_sum *sum) {
        unsigned char sizes[12];

        put(sizes, sum->page_size, 4);
        put(sizes + 4, sum->size, 8);
        return EVP_DigestInit_ex(context, reading->sha256, NULL) == 1 &&
                               EVP_DigestUpdate(context, sizes, sizeof(sizes)) == 1
                       ? 0
                       : -ENOMEM;
}

static int hash_page(const struct reading *reading, const unsigned char *page, size_t size,
                     unsigned char *to) {
        unsigned char digest[PAGES_DIGEST];

        if (EVP_DigestInit_ex(reading->page, reading->sha256, NULL) != 1 ||
            EVP_DigestUpdate(reading->page, page, size) != 1 ||
            EVP_DigestFinal_ex(reading->page, digest, NULL) != 1)
                return -ENOMEM;
        memcpy(to, digest, PAGES_HASH);
        return 0;
}

/* up to @count hashes of the base go on; *ret: how many there were */
static int read_base(struct reading *reading, size_t count, size_t *ret) {
        const struct pages_list *base = reading->scan->base;
        uint64_t left = page_count(&base->sum) - reading->base_done;
        size_t n = count < left ? count : (size_t)left;

        *ret = n;
        if (n == 0)
                return 0;
        if (read_at(base->fd, reading->base_hashes, n * PAGES_HASH,
                    base->hashes_at + reading->base_done * PAGES_HASH) != (ssize_t)(n * PAGES_HASH))
                return -EIO;
        reading->base_done += n;
        return EVP_DigestUpdate(reading->base, reading->base_hashes, n * PAGES_HASH) == 1 ? 0
                                                                                          : -ENOMEM;
}

/* @count pages of @size bytes together, from page @first on, whose hashes are known */
static int compare_chunk(struct reading *reading, uint64_t first, size_t count, size_t size,
                         size_t have) {
        const uint32_t page_size = reading->sum->page_size;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++) {
                size_t at = i * page_size, rest = size - at;

                if (i < have && memcmp(reading->hashes + i * PAGES_HASH,
                                       reading->base_hashes + i * PAGES_HASH, PAGES_HASH) == 0)
                        continue;
                r = changes_add(reading->scan->changes, first * page_size + at,
                                rest < page_size ? rest : page_size);
        }
        return r;
}

/* Is the page at @offset known from the base? It must have been there, and as long as it is now. */
static bool is_known(struct reading *reading, uint64_t offset, size_t size) {
        const struct pages_scan *scan = reading->scan;

        return scan->same && reading->compare && offset + size <= scan->base->sum.size &&
               (size == reading->sum->page_size || offset + size == scan->base->sum.size) &&
               extents_cover(scan->same, &reading->same_hint, offset, size);
}

/* read and hash @size bytes of whole pages (the last may be short), those from @at on in the chunk
 */
static int read_pages(const struct reading *reading, uint64_t chunk, size_t at, size_t size) {
        const uint32_t page_size = reading->sum->page_size;
        ssize_t n = read_at(reading->in, reading->data + at, size, chunk + at);
        int r = 0;

        if (n != (ssize_t)size)
                return n < 0 ? (int)n : -EBADMSG; /* shorter than it was: it changes */
        for (size_t end = at + size; r >= 0 && at < end; at += page_size)
                r = hash_page(reading, reading->data + at,
                              end - at < page_size ? end - at : page_size,
                              reading->hashes + at / page_size * PAGES_HASH);
        return r;
}

/* the hashes of a chunk: those that are known, and what lies between them in one go each */
static int fill_chunk(struct reading *reading, uint64_t offset, size_t size) {
        const uint32_t page_size = reading->sum->page_size;
        size_t from = 0, at = 0, length;
        int r = 0;

        for (; r >= 0 && at < size; at += length) {
                length = size - at < page_size ? size - at : page_size;
                if (!is_known(reading, offset + at, length))
                        continue;
                if (at > from)
                        r = read_pages(reading, offset, from, at - from);
                memcpy(reading->hashes + at / page_size * PAGES_HASH,
                       reading->base_hashes + at / page_size * PAGES_HASH, PAGES_HASH);
                reading->scan->spared += length;
                from = at + length;
        }
        return r >= 0 && size > from ? read_pages(reading, offset, from, size - from) : r;
}

static int read_chunk(struct reading *reading, uint64_t offset, size_t size) {
        const uint32_t page_size = reading->sum->page_size;
        size_t count = size / page_size + (size % page_size != 0), have = 0;
        int r = reading->compare ? read_base(reading, count, &have) : 0;

        if (r >= 0)
                r = fill_chunk(reading, offset, size);
        if (r >= 0 && EVP_DigestUpdate(reading->whole, reading->hashes, PAGES_HASH * count) != 1)
                r = -ENOMEM;
        if (r >= 0)
                r = write_out(reading, reading->hashes, PAGES_HASH * count);
        if (r >= 0 && reading->compare)
                r = compare_chunk(reading, offset / page_size, count, size, have);
        return r;
}

static int read_all(struct reading *reading) {
        uint64_t size = reading->sum->size;
        int r = 0;

        for (uint64_t at = 0; r >= 0 && at < size; at += CHUNK) {
                r = read_chunk(reading, at, size - at < CHUNK ? (size_t)(size - at) : CHUNK);
                if (r >= 0 && reading->scan->end_us && util_now_us() > reading->scan->end_us)
                        r = -ETIME;
        }
        return r;
}

/* the page size stands in the file itself: bytes 16 and 17, where 1 means 65536 */
static int read_sizes(struct reading *reading) {
        unsigned char head[18] = { 0 };
        ssize_t n = read_at(reading->in, head, sizeof(head), 0);
        struct stat st;
        uint32_t size;

        if (n < 0 || fstat(reading->in, &st) < 0)
                return n < 0 ? (int)n : -errno;
        size = (uint32_t)head[16] << 8 | head[17];
        size = size == 1 ? MAX_PAGE : size;
        reading->sum->size = (uint64_t)st.st_size;
        reading->sum->page_size = is_page_size(size) ? size : DEFAULT_PAGE;
        return 0;
}

static int write_head(const struct reading *reading) {
        unsigned char head[HEAD_SIZE] = "VSSPAGES";
        size_t length = strlen(reading->scan->path ? reading->scan->path : "");
        int r;

        put(head + 8, VERSION, 4);
        put(head + 12, reading->sum->page_size, 4);
        put(head + 16, reading->sum->size, 8);
        put(head + 24, reading->scan->type, 4);
        put(head + 28, length, 4);
        r = write_out(reading, head, sizeof(head));
        return r < 0 ? r : write_out(reading, reading->scan->path, length);
}

/* the rest of the base, which is longer than the file is now; then: is it what it says? */
static int judge_base(struct reading *reading, bool *ret_sound) {
        unsigned char digest[PAGES_DIGEST];
        size_t n;
        int r;

        do
                r = read_base(reading, CHUNK_HASHES / PAGES_HASH, &n);
        while (r >= 0 && n > 0);
        if (r >= 0 && EVP_DigestFinal_ex(reading->base, digest, NULL) != 1)
                r = -ENOMEM;
        *ret_sound = r >= 0 && memcmp(digest, reading->scan->base->sum.digest, sizeof(digest)) == 0;
        return r == -ENOMEM ? r : 0;
}

static int scan_file(struct reading *reading, bool *ret_sound) {
        const struct pages_list *base = reading->scan->base;
        int r = read_sizes(reading);

        if (r < 0)
                return r;
        reading->compare = base && base->sum.page_size == reading->sum->page_size;
        r = begin_digest(reading, reading->whole, reading->sum);
        if (r >= 0 && base)
                r = begin_digest(reading, reading->base, &base->sum);
        if (r >= 0)
                r = write_head(reading);
        if (r >= 0)
                r = read_all(reading);
        if (r >= 0 && EVP_DigestFinal_ex(reading->whole, reading->sum->digest, NULL) != 1)
                r = -ENOMEM;
        if (r >= 0)
                r = write_out(reading, reading->sum->digest, PAGES_DIGEST);
        if (r >= 0 && reading->scan->out >= 0 && fsync(reading->scan->out) < 0)
                r = -errno;
        return r < 0 || !base ? r : judge_base(reading, ret_sound);
}

static void reading_done(struct reading *reading) {
        EVP_MD_CTX_free(reading->page);
        EVP_MD_CTX_free(reading->whole);
        EVP_MD_CTX_free(reading->base);
        EVP_MD_free(reading->sha256);
        free(reading->data);
        free(reading->hashes);
        free(reading->base_hashes);
}

static bool reading_ready(struct reading *reading) {
        /* fetched once: a digest that is looked up for each page costs more than hashing it */
        reading->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        reading->page = EVP_MD_CTX_new();
        reading->whole = EVP_MD_CTX_new();
        reading->base = EVP_MD_CTX_new();
        reading->data = malloc(CHUNK);
        reading->hashes = malloc(CHUNK_HASHES);
        reading->base_hashes = malloc(CHUNK_HASHES);
        return reading->sha256 && reading->page && reading->whole && reading->base &&
               reading->data && reading->hashes && reading->base_hashes;
}

int pages_scan(struct pages_scan *scan, struct pages_sum *ret, bool *ret_sound) {
        _cleanup_close_ int in = open(scan->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct reading reading = { .scan = scan, .in = in, .sum = ret };
        int r;

        *ret_sound = false;
        memset(ret, 0, sizeof(*ret));
        if (in < 0)
                return -errno;
        scan->spared = 0;
        (void)posix_fadvise(in, 0, 0, scan->same ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
        r = reading_ready(&reading) ? scan_file(&reading, ret_sound) : -ENOMEM;
        reading_done(&reading);
        return r;
}

int pages_digest_file(const char *path, uint64_t *ret_size, unsigned char ret[PAGES_DIGEST]) {
        _cleanup_close_ int in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_free_ unsigned char *data = malloc(CHUNK);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        ssize_t n = 0;
        int r = 0;

        *ret_size = 0;
        if (in < 0)
                r = -errno;
        else if (!data || !context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
                r = -ENOMEM;
        while (r >= 0 && (n = read_at(in, data, CHUNK, *ret_size)) > 0) {
                *ret_size += (uint64_t)n;
                if (EVP_DigestUpdate(context, data, (size_t)n) != 1)
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = n < 0 ? (int)n : EVP_DigestFinal_ex(context, ret, NULL) == 1 ? 0 : -ENOMEM;
        EVP_MD_CTX_free(context);
        return r;
}
