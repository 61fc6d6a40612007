/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/lists.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "vss/types.h"

enum { KEEP_GONE_DAYS = 30 };
static const char LIST[] = ".pages", NEW[] = ".pages.new", RANGES[] = ".ranges";

int lists_key(const char *logical_path, const char *component, char ret[LISTS_KEY_SIZE]) {
        _cleanup_free_ char *name = NULL;
        unsigned char digest[PAGES_DIGEST];
        int size = asprintf(&name, "%s\\%s", logical_path ? logical_path : "", component);

        if (size < 0 || EVP_Digest(name, (size_t)size, digest, NULL, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        for (size_t i = 0; i < (LISTS_KEY_SIZE - 1) / 2; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
        return 0;
}

static bool ends_with(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && strcmp(name + n - m, suffix) == 0;
}

/* like mkdir -p, the last for the owner only */
int lists_make_folder(const char *path) {
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

static int open_folder(const char *state) {
        int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

/* ---- files of one backup ---- */

/* Locked, and still there: somebody who tidies up may have come in between. */
static int lock_new(int fd) {
        struct stat st;

        if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
                return -errno;
        return st.st_nlink > 0 ? 0 : -EAGAIN;
}

static int begin(const char *state, const char *key, const char *suffix, struct kept_file *ret) {
        _cleanup_close_ int folder = -1, fd = -1;
        char text[VSS_ID_TEXT_SIZE], *name;
        struct vss_id id;
        int r = lists_make_folder(state);

        if (r >= 0)
                r = vss_id_new(&id);
        if (r >= 0)
                r = folder = open_folder(state);
        if (r < 0)
                return r;
        if (asprintf(&name, "%s-%s%s", key, vss_id_format(&id, text), suffix) < 0)
                return -ENOMEM;
        fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        r = fd < 0 ? -errno : lock_new(fd);
        if (r < 0) {
                free(name);
                return r;
        }
        *ret = (struct kept_file){ .name = name, .fd = fd };
        fd = -1;
        return 0;
}

int lists_begin(const char *state, const char *key, struct kept_file *ret) {
        return begin(state, key, NEW, ret);
}

int lists_begin_ranges(const char *state, const char *key, struct kept_file *ret) {
        return begin(state, key, RANGES, ret);
}

static void forget(struct kept_file *file) {
        util_closep(&file->fd);
        free(file->name);
        *file = KEPT_NOTHING;
}

void lists_drop(const char *state, struct kept_file *file) {
        _cleanup_free_ char *path = file->name ? util_join(state, file->name) : NULL;

        if (path)
                (void)unlink(path);
        forget(file);
}

int lists_confirm(const char *state, struct kept_file *file, struct clone *clone) {
        _cleanup_close_ int folder = open_folder(state);
        _cleanup_free_ char *final = strndup(file->name, strlen(file->name) - strlen(".new"));
        int r = folder < 0 ? folder : final ? 0 : -ENOMEM;

        if (r >= 0)
                clone_keep(state, clone, final, file->fd);
        if (r >= 0 && (renameat(folder, file->name, folder, final) < 0 || fsync(folder) < 0))
                r = -errno;
        if (r < 0)
                lists_drop(state, file);
        else
                forget(file);
        return r;
}

/* ---- confirmed lists ---- */

int lists_open(const char *state, const char *key, const char *name, struct pages_list *ret) {
        _cleanup_free_ char *path = NULL;
        int fd;

        if (strchr(name, '/') || strncmp(name, key, strlen(key)) != 0 || !ends_with(name, LIST))
                return E_INVALIDARG;
        path = util_join(state, name);
        if (!path)
                return -ENOMEM;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : pages_list_open(fd, ret);
}

static void drop_clone(const char *state, const char *name) {
        _cleanup_free_ char *path = util_join(state, name);
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
        struct pages_list list;

        if (fd < 0 || pages_list_open(fd, &list) < 0)
                return;
        clone_remove(state, name, list.fd, list.end);
        pages_list_close(&list);
}

void lists_remove(const char *state, const char *name) {
        _cleanup_free_ char *path = util_join(state, name);

        drop_clone(state, name);
        if (path)
                (void)unlink(path);
}

struct found {
        char *name;
        uint32_t type;
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

/* false: it is none; what is damaged is of no use to anybody, and goes */
static bool look_at(int folder, const char *name, struct found *ret, char **ret_path) {
        struct pages_list list;
        struct stat st;
        int r, fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd < 0)
                return false;
        r = fstat(fd, &st) < 0 ? -errno : 0;
        if (r >= 0)
                r = pages_list_open(fd, &list);
        else
                close(fd);
        if (r == -EBADMSG)
                (void)unlinkat(folder, name, 0);
        if (r < 0)
                return false;
        ret->type = list.type;
        ret->time = st.st_mtim;
        if (ret_path) {
                *ret_path = list.path;
                list.path = NULL;
        }
        pages_list_close(&list);
        return true;
}

static size_t find_lists(DIR *folder, const char *key, struct found **ret) {
        struct dirent *entry;
        size_t count = 0;

        while ((entry = readdir(folder))) {
                if (strncmp(entry->d_name, key, strlen(key)) != 0 ||
                    !ends_with(entry->d_name, LIST) || GROW(ret, count) < 0 ||
                    !look_at(dirfd(folder), entry->d_name, &(*ret)[count], NULL))
                        continue;
                (*ret)[count].name = strdup(entry->d_name);
                count += (*ret)[count].name != NULL;
        }
        return count;
}

void lists_prune(const char *state, const char *key, uint32_t keep) {
        DIR *folder = opendir(state);
        struct found *found = NULL;
        size_t count = folder ? find_lists(folder, key, &found) : 0;
        uint32_t full = 0, others = 0;

        if (count > 0)
                qsort(found, count, sizeof(*found), newest_first);
        for (size_t i = 0; i < count; i++) {
                uint32_t *seen = found[i].type == VSS_BT_FULL ? &full : &others;

                if ((*seen)++ >= keep)
                        lists_remove(state, found[i].name);
                else if (i > 0 && (seen == &others || full > 1))
                        drop_clone(state, found[i].name);
                free(found[i].name);
        }
        free(found);
        if (folder)
                (void)closedir(folder);
}

/* ---- what is left behind ---- */

/* The lock ends with its process, however that ends. */
static void remove_orphan(int folder, const char *name) {
        _cleanup_close_ int fd =
                openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
                (void)unlinkat(folder, name, 0);
}

/* the blocks of a database that is gone are free at once, its list may be of use for a while */
static void remove_gone(const char *state, int folder, const char *name) {
        _cleanup_free_ char *path = NULL;
        struct found found;
        struct stat st;

        if (!look_at(folder, name, &found, &path) || lstat(path, &st) == 0 || errno != ENOENT)
                return;
        if (found.time.tv_sec < time(NULL) - KEEP_GONE_DAYS * 24 * 3600)
                lists_remove(state, name);
        else
                drop_clone(state, name);
}

void lists_tidy(const char *state) {
        DIR *folder = opendir(state);
        struct dirent *entry;

        while (folder && (entry = readdir(folder)))
                if (ends_with(entry->d_name, NEW) || ends_with(entry->d_name, RANGES))
                        remove_orphan(dirfd(folder), entry->d_name);
                else if (ends_with(entry->d_name, LIST))
                        remove_gone(state, dirfd(folder), entry->d_name);
        if (folder)
                (void)closedir(folder);
}

void lists_forget_restored(const char *state, const char *path) {
        size_t n = strlen(state);
        _cleanup_close_ int folder = -1;

        if (strncmp(path, state, n) != 0 || path[n] != '/' || strchr(path + n + 1, '/') ||
            !ends_with(path, RANGES))
                return;
        folder = open_folder(state);
        if (folder >= 0)
                remove_orphan(folder, path + n + 1);
}
