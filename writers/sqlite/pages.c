/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.c - page hash lists: written from a shadow copy, named by backup stamps.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/copy.h"
#include "vss/types.h"

enum { HEAD_SIZE = 40, HASH_SIZE = 16, DIGEST_SIZE = 32, KEY_SIZE = 32 };
enum { CHUNK = 1024 * 1024, DEFAULT_PAGE = 4096 };
static const char SUFFIX[] = ".pages";

/* one list being written */
struct list {
        int in, out;
        uint32_t page_size;
        uint64_t file_size;
        const EVP_MD *sha256;
        EVP_MD_CTX *page, *whole;
        uint64_t end_us;
        unsigned char *data; /* CHUNK bytes of pages */
        unsigned char *hashes; /* of one chunk */
};

static void put(unsigned char *to, uint64_t value, size_t size) {
        for (size_t i = 0; i < size; i++)
                to[i] = (unsigned char)(value >> 8 * i);
}

static int write_part(struct list *list, const void *data, size_t size) {
        const unsigned char *from = data;
        size_t done = 0;

        if (EVP_DigestUpdate(list->whole, data, size) != 1)
                return -ENOMEM;
        while (done < size) {
                ssize_t n = write(list->out, from + done, size - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

static ssize_t read_chunk(struct list *list) {
        size_t done = 0;

        while (done < CHUNK) {
                ssize_t n = read(list->in, list->data + done, CHUNK - done);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                done += n > 0 ? (size_t)n : 0;
        }
        return (ssize_t)done;
}

static int hash_page(struct list *list, const unsigned char *page, size_t size, unsigned char *to) {
        unsigned char digest[DIGEST_SIZE];

        if (EVP_DigestInit_ex(list->page, list->sha256, NULL) != 1 ||
            EVP_DigestUpdate(list->page, page, size) != 1 ||
            EVP_DigestFinal_ex(list->page, digest, NULL) != 1)
                return -ENOMEM;
        memcpy(to, digest, HASH_SIZE);
        return 0;
}

static int hash_all(struct list *list) {
        uint64_t left = list->file_size;

        while (left > 0) {
                ssize_t n = read_chunk(list);
                size_t count = 0, size;
                int r = 0;

                if (n <= 0)
                        return n < 0 ? (int)n : -EIO; /* shorter than it was: it changes */
                size = (size_t)n < left ? (size_t)n : (size_t)left;
                for (size_t at = 0; r >= 0 && at < size; at += list->page_size) {
                        size_t rest = size - at;

                        r = hash_page(list, list->data + at,
                                      rest < list->page_size ? rest : list->page_size,
                                      list->hashes + HASH_SIZE * count++);
                }
                if (r >= 0)
                        r = write_part(list, list->hashes, HASH_SIZE * count);
                if (r < 0)
                        return r;
                left -= size;
                if (util_now_us() > list->end_us)
                        return -ETIME;
        }
        return 0;
}

/* the page size stands in the file itself: bytes 16 and 17, where 1 means 65536 */
static int read_head(struct list *list) {
        unsigned char head[18] = { 0 };
        struct stat st;
        uint32_t size;

        if (fstat(list->in, &st) < 0 || pread(list->in, head, sizeof(head), 0) < 0)
                return -errno;
        list->file_size = (uint64_t)st.st_size;
        size = (uint32_t)head[16] << 8 | head[17];
        size = size == 1 ? 65536 : size;
        list->page_size = size >= 512 && (size & (size - 1)) == 0 ? size : DEFAULT_PAGE;
        return 0;
}

static int write_list(struct list *list, unsigned char digest[DIGEST_SIZE]) {
        unsigned char head[HEAD_SIZE] = "VSSPAGES";
        int r = read_head(list);

        if (r < 0)
                return r;
        put(head + 8, 1, 4);
        put(head + 12, list->page_size, 4);
        put(head + 16, list->file_size, 8);
        put(head + 24, (list->file_size + list->page_size - 1) / list->page_size, 8);
        put(head + 32, HASH_SIZE, 4);
        if (EVP_DigestInit_ex(list->whole, list->sha256, NULL) != 1)
                return -ENOMEM;
        r = write_part(list, head, sizeof(head));
        if (r >= 0)
                r = hash_all(list);
        if (r < 0)
                return r;
        if (EVP_DigestFinal_ex(list->whole, digest, NULL) != 1)
                return -ENOMEM;
        if (write(list->out, digest, DIGEST_SIZE) != DIGEST_SIZE || fsync(list->out) < 0)
                return errno ? -errno : -EIO;
        return 0;
}

static int write_temporary(int folder, const char *temporary, const char *copy, uint32_t time_ms,
                           unsigned char digest[DIGEST_SIZE]) {
        _cleanup_close_ int in = open(copy, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), out = -1;
        struct list list = { .end_us = util_now_us() + (uint64_t)time_ms * 1000 };
        int r;

        if (in < 0)
                return -errno;
        out = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        list.in = in;
        list.out = out;
        list.sha256 = EVP_sha256();
        list.page = EVP_MD_CTX_new();
        list.whole = EVP_MD_CTX_new();
        list.data = malloc(CHUNK);
        list.hashes = malloc(CHUNK / 512 * HASH_SIZE);
        r = list.page && list.whole && list.data && list.hashes ? write_list(&list, digest)
                                                                : -ENOMEM;
        EVP_MD_CTX_free(list.page);
        EVP_MD_CTX_free(list.whole);
        free(list.data);
        free(list.hashes);
        return r;
}

/* like mkdir -p, for the owner only */
static int make_folder(const char *path) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *s = copy + 1; (s = strchr(s, '/')); s++) {
                *s = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *s = '/';
        }
        return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_stamp(const char *file, const unsigned char digest[DIGEST_SIZE], char **ret) {
        char hex[2 * HASH_SIZE + 1];

        for (size_t i = 0; i < HASH_SIZE; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        return asprintf(ret, "sqlite-pages:1:%s:%s", file, hex) < 0 ? -ENOMEM : 0;
}

static int write_named(const char *state, const char *file, const char *copy, uint32_t time_ms,
                       char **ret_stamp) {
        _cleanup_free_ char *temporary = database_sidecar(file, ".new");
        _cleanup_close_ int folder = -1;
        unsigned char digest[DIGEST_SIZE];
        int r = temporary ? make_folder(state) : -ENOMEM;

        if (r < 0)
                return r;
        folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        r = write_temporary(folder, temporary, copy, time_ms, digest);
        if (r >= 0)
                r = make_stamp(file, digest, ret_stamp);
        if (r >= 0 && (renameat(folder, temporary, folder, file) < 0 || fsync(folder) < 0)) {
                r = -errno;
                free(*ret_stamp);
                *ret_stamp = NULL;
        }
        if (r < 0)
                (void)unlinkat(folder, temporary, 0);
        return r;
}

int pages_write(const char *state, const char *key, const char *copy, uint32_t time_ms,
                char **ret_stamp, char **ret_file, struct vss_error *reterr) {
        char id_text[VSS_ID_TEXT_SIZE], *file;
        struct vss_id id;
        int r = vss_id_new(&id);

        if (r < 0)
                return r;
        if (asprintf(&file, "%s-%s%s", key, vss_id_format(&id, id_text), SUFFIX) < 0)
                return -ENOMEM;
        r = write_named(state, file, copy, time_ms, ret_stamp);
        if (r < 0) {
                free(file);
                return util_fail(reterr, r, "no page hash list of '%s' in '%s': %s", copy, state,
                                 strerror(-r));
        }
        *ret_file = file;
        return 0;
}

void pages_forget(const char *state, const char *file) {
        _cleanup_free_ char *path = util_join(state, file);

        if (path)
                (void)unlink(path);
}

struct found {
        char *name;
        struct timespec time;
};

static int newest_first(const void *a, const void *b) {
        const struct found *x = a, *y = b;

        if (x->time.tv_sec != y->time.tv_sec)
                return x->time.tv_sec < y->time.tv_sec ? 1 : -1;
        if (x->time.tv_nsec != y->time.tv_nsec)
                return x->time.tv_nsec < y->time.tv_nsec ? 1 : -1;
        return strcmp(x->name, y->name);
}

void pages_prune(const char *state, const char *key, uint32_t keep) {
        struct found *found = NULL;
        struct dirent *entry;
        size_t count = 0;
        struct stat st;
        DIR *folder = opendir(state);

        while (folder && (entry = readdir(folder))) {
                if (strncmp(entry->d_name, key, KEY_SIZE) != 0 ||
                    fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    GROW(&found, count) < 0)
                        continue;
                found[count].name = strdup(entry->d_name);
                found[count].time = st.st_mtim;
                count += found[count].name != NULL;
        }
        if (count > 0)
                qsort(found, count, sizeof(*found), newest_first);
        for (size_t i = 0; i < count; i++) {
                if (i >= keep)
                        (void)unlinkat(dirfd(folder), found[i].name, 0);
                free(found[i].name);
        }
        free(found);
        if (folder)
                (void)closedir(folder);
}

int pages_key(const char *logical_path, const char *component, char ret[33]) {
        _cleanup_free_ char *name = NULL;
        unsigned char digest[DIGEST_SIZE];
        int size = asprintf(&name, "%s\\%s", logical_path ? logical_path : "", component);

        if (size < 0 || EVP_Digest(name, (size_t)size, digest, NULL, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        for (size_t i = 0; i < KEY_SIZE / 2; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
        return 0;
}
