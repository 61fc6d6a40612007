/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.c - the folder that holds backup sets: its marker, its lock, its list.
 *
 * Nothing in it is a database: a set is there when its folder is there. Folders whose names begin
 * with a dot are unfinished or being removed; whoever gets the lock next removes them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "backup/denied.h"

#define SET_FILE_MAX (UINT64_C(256) << 20)
#define MARKER_WAIT_MS 10000
#define READERS_WAIT_MS 2000

static const char marker_text[] = STORE_MARKER
        "\t1\n"
        "\n"
        "This folder is a store of backup sets. Each folder in it is one set, and each op-N in\n"
        "that one operation of it. A full one is unpacked with nothing but zstd and tar:\n"
        "    zstd -dc op-1/data.tar.zst |\n"
        "    tar -xp --acls --xattrs --xattrs-include='*' --warning=no-unknown-keyword\n"
        "An increment is unpacked over its base; manifest.zst lists what each holds and what it\n"
        "knows to be gone (lines x and X). backup-set.txt has the digest of every file. Folders\n"
        "that begin with a dot are unfinished.\n";

struct store *store_close(struct store *store) {
        if (!store)
                return NULL;
        closep(&store->lock_fd);
        closep(&store->marker_fd);
        closep(&store->fd);
        free(store->path);
        free(store);
        return NULL;
}

int store_failed(const struct store *store, int code, struct vss_error *reterr) {
        if (code == -ENOSPC || code == -EDQUOT)
                return vss_fail(reterr, VSS_E_INSUFFICIENT_STORAGE,
                                "no room left in the backup store '%s'; the set was not made: free "
                                "some space there, or forget old backups",
                                store->path);
        return vss_fail(reterr, code, "cannot write to the backup store '%s': %s", store->path,
                        code == -ENOMEM ? "out of memory" : strerror(-code));
}

/* is there nothing but what making a store leaves behind? */
static int folder_is_empty(int fd) {
        static const char *const ours[] = { ".", "..", "lost+found", "lock", STORE_MARKER ".new" };
        _cleanup_closedir_ DIR *dir = read_directory(fd);
        struct dirent *entry;

        if (!dir)
                return -errno;
        while ((errno = 0, entry = readdir(dir))) {
                bool known = false;

                for (size_t i = 0; i < ELEMENTSOF(ours); i++)
                        known = known || strcmp(entry->d_name, ours[i]) == 0;
                if (!known)
                        return 0;
        }
        return errno ? -errno : 1;
}

bool store_is_new(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return errno == ENOENT;
        return fstatat(fd, STORE_MARKER, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT &&
               folder_is_empty(fd) > 0;
}

static int create_marker(struct store *store, struct vss_error *reterr) {
        int r = folder_is_empty(store->fd);

        if (r == 0)
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' is not a backup store, and not empty: give an empty or a new "
                                "folder",
                                store->path);
        if (r > 0)
                r = write_file_atomic(store->fd, STORE_MARKER, marker_text, strlen(marker_text),
                                      0600);
        return r < 0 ? store_failed(store, r, reterr) : 0;
}

static int check_marker(struct store *store, unsigned flags, struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        uint32_t version = 0;
        char *newline;
        int r = read_whole_file(store->fd, STORE_MARKER, 65536, &text, NULL);

        if (r == -ENOENT && flags & STORE_CREATE)
                return create_marker(store, reterr);
        if (r == -ENOENT)
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' is not a backup store: it has no file '%s'", store->path,
                                STORE_MARKER);
        if (r < 0)
                return fail_open("the mark of the backup store", store->path, store->fd,
                                 STORE_MARKER, r, reterr);
        newline = strchr(text, '\n');
        if (newline)
                *newline = '\0';
        if (!newline || strncmp(text, STORE_MARKER "\t", strlen(STORE_MARKER) + 1) != 0 ||
            field_u32(text + strlen(STORE_MARKER) + 1, &version) < 0)
                return vss_fail(reterr, E_INVALIDARG, "'%s/%s' is not the marker of a backup store",
                                store->path, STORE_MARKER);
        if (version > STORE_FORMAT)
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                                "the backup store '%s' has format %u, this version knows %d; use a "
                                "newer version",
                                store->path, version, STORE_FORMAT);
        return 0;
}

/* Whoever has the store open shares a lock of the marker, which is there for as long as the store:
 * what somebody reads is not removed. A store that cannot be written, or that knows no locks, is
 * read without: nobody removes anything there either. */
static int lock_marker(struct store *store, struct vss_error *reterr) {
        const uint64_t until = monotonic_us() + UINT64_C(1000) * MARKER_WAIT_MS;
        const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

        store->marker_fd = openat(store->fd, STORE_MARKER, O_RDWR | flags);
        if (store->marker_fd < 0)
                store->marker_fd = openat(store->fd, STORE_MARKER, O_RDONLY | flags);
        if (store->marker_fd < 0)
                return vss_fail(reterr, -errno, "cannot open '%s/%s': %s", store->path,
                                STORE_MARKER, strerror(errno));
        while (flock(store->marker_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
                if (monotonic_us() >= until)
                        return vss_fail(reterr, -EBUSY,
                                        "backups are being removed from the store '%s'; wait for "
                                        "the end of that",
                                        store->path);
                usleep(20000);
        }
        return 0;
}

int store_open(const char *path, unsigned flags, struct store **ret, struct vss_error *reterr) {
        struct store *store = calloc(1, sizeof(*store));
        int r = 0;

        if (!store)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        store->lock_fd = store->marker_fd = -1;
        store->path = strdup(path);
        if (flags & STORE_CREATE)
                r = mkdir_parents(path, 0700);
        store->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!store->path || store->fd < 0) {
                r = r < 0 ? r : !store->path ? -ENOMEM : -errno;
                store_close(store);
                return fail_open("the backup store", path, AT_FDCWD, path, r, reterr);
        }
        r = check_marker(store, flags, reterr);
        if (r >= 0)
                r = lock_marker(store, reterr);
        if (r < 0) {
                store_close(store);
                return r;
        }
        *ret = store;
        return 0;
}

static bool is_leftover(const char *name) {
        return strncmp(name, INCOMPLETE_PREFIX, strlen(INCOMPLETE_PREFIX)) == 0 ||
               strncmp(name, REMOVED_PREFIX, strlen(REMOVED_PREFIX)) == 0;
}

typedef int (*folder_visit_t)(struct store *store, const char *name, void *userdata);

static int visit_folders(struct store *store, folder_visit_t visit, void *userdata) {
        _cleanup_closedir_ DIR *dir = read_directory(store->fd);
        struct dirent *entry;

        if (!dir)
                return -errno;
        while ((errno = 0, entry = readdir(dir))) {
                int r = visit(store, entry->d_name, userdata);

                if (r < 0)
                        return r;
        }
        return errno ? -errno : 0;
}

static int remove_leftover(struct store *store, const char *name, void *userdata) {
        return is_leftover(name) ? remove_tree(store->fd, name) : 0;
}

int store_cleanup(struct store *store, struct vss_error *reterr) {
        int r = visit_folders(store, remove_leftover, NULL);

        if (r < 0)
                return vss_fail(reterr, r, "cannot remove what an interrupted run left in '%s': %s",
                                store->path, strerror(-r));
        return 0;
}

int store_lock(struct store *store, struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;

        if (store->lock_fd >= 0)
                return 0;
        fd = openat(store->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return store_failed(store, -errno, reterr);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK
                               ? vss_fail(reterr, -EBUSY,
                                          "another backup is writing to the store '%s', or old "
                                          "ones are being removed; wait for its end",
                                          store->path)
                               : store_failed(store, -errno, reterr);
        store->lock_fd = take_fd(&fd);
        return store_cleanup(store, reterr);
}

int store_lock_readers(struct store *store, struct vss_error *reterr) {
        const uint64_t until = monotonic_us() + UINT64_C(1000) * READERS_WAIT_MS;

        if (store->lock_fd < 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the store must be locked first");
        /* a listing, or another one that is about to be refused, is over in a moment */
        while (flock(store->marker_fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return store_failed(store, -errno, reterr);
                if (monotonic_us() >= until)
                        return vss_fail(reterr, -EBUSY,
                                        "somebody reads the store '%s', to restore or to verify "
                                        "for instance; wait for its end",
                                        store->path);
                usleep(20000);
        }
        return 0;
}

void store_unlock_readers(struct store *store) {
        (void)flock(store->marker_fd, LOCK_SH | LOCK_NB); /* ours is the only exclusive one */
}

int store_open_file(struct store *store, const struct set_info *set, const char *name,
                    struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(set->folder, name);
        _cleanup_close_ int fd = -1;
        struct stat st;

        if (!path)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        /* nobody waits for the other end of a fifo that somebody put there */
        fd = openat(store->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == EACCES)
                return fail_open("the backup", path, store->fd, path, -errno, reterr);
        if (fd < 0 || fstat(fd, &st) < 0)
                return vss_fail(reterr, errno == ENOENT ? -EBADMSG : -errno,
                                "cannot open '%s/%s': %s", store->path, path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return vss_fail(reterr, -EBADMSG, "'%s/%s' is not a file", store->path, path);
        return take_fd(&fd);
}

static int read_set(struct store *store, const char *name, struct set_record **ret,
                    struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(name, SET_FILE), *text = NULL;
        struct set_record *set = calloc(1, sizeof(*set));
        size_t size = 0;
        int r;

        if (!path || !set) {
                set_record_free(set);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        r = read_whole_file(store->fd, path, SET_FILE_MAX, &text, &size);
        if (r < 0)
                r = vss_fail(reterr, r == -ENOENT ? -EBADMSG : r, "cannot read %s: %s", SET_FILE,
                             strerror(-r));
        if (r >= 0)
                r = set_record_parse(text, size, set, reterr);
        if (r >= 0) {
                set->info.folder = strdup(name);
                r = set->info.folder ? 0 : vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (r < 0) {
                set_record_free(set);
                return r;
        }
        *ret = set;
        return 0;
}

static bool looks_like_set(const char *name) {
        for (int i = 0; i < 8; i++)
                if (name[i] < '0' || name[i] > '9')
                        return false;
        return name[8] == 'T';
}

static int add_unreadable(struct set_list *list, const char *name, const struct vss_error *error) {
        struct unreadable_set *set;

        if (ARRAY_RESERVE(&list->unreadable, list->unreadable_count, &list->unreadable_capacity) <
            0)
                return -ENOMEM;
        set = &list->unreadable[list->unreadable_count++];
        set->folder = strdup(name);
        set->words = strdup(vss_error_message(error));
        set->code = error->code;
        return set->folder && set->words ? 0 : -ENOMEM;
}

static int list_folder(struct store *store, const char *name, void *userdata) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct set_list *list = userdata;
        struct set_record *set = NULL;
        int r;

        if (!looks_like_set(name))
                return 0;
        r = read_set(store, name, &set, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return add_unreadable(list, name, &error);
        if (ARRAY_RESERVE(&list->sets, list->count, &list->capacity) < 0) {
                set_record_free(set);
                return -ENOMEM;
        }
        list->sets[list->count++] = &set->info;
        return 0;
}

static int by_folder(const void *a, const void *b) {
        const struct unreadable_set *x = a, *y = b;

        return strcmp(x->folder, y->folder);
}

static int by_age(const void *a, const void *b) {
        const struct set_info *x = *(struct set_info *const *)a, *y = *(struct set_info *const *)b;

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        if (x->time != y->time)
                return x->time < y->time ? -1 : 1;
        return strcmp(x->folder, y->folder);
}

int store_list(struct store *store, struct set_list *ret, struct vss_error *reterr) {
        struct set_list list = { 0 };
        int r = visit_folders(store, list_folder, &list);

        if (r < 0) {
                set_list_done(&list);
                return vss_fail(reterr, r, "cannot list the backup store '%s': %s", store->path,
                                strerror(-r));
        }
        if (list.count > 0)
                qsort(list.sets, list.count, sizeof(*list.sets), by_age);
        if (list.unreadable_count > 0)
                qsort(list.unreadable, list.unreadable_count, sizeof(*list.unreadable), by_folder);
        *ret = list;
        return 0;
}

void set_list_done(struct set_list *list) {
        for (size_t i = 0; i < list->count; i++)
                set_record_free(set_record_of(list->sets[i]));
        for (size_t i = 0; i < list->unreadable_count; i++) {
                free(list->unreadable[i].folder);
                free(list->unreadable[i].words);
        }
        free(list->sets);
        free(list->unreadable);
        *list = (struct set_list){ 0 };
}

int store_read_document(struct store *store, const struct set_info *set, uint32_t operation,
                        const char *name, char **ret, size_t *ret_size, struct vss_error *reterr) {
        _cleanup_free_ char *file_name = operation_file(operation, name), *path = NULL,
                            *data = NULL;
        const struct stored_file *file;
        uint8_t digest[DIGEST_SIZE];
        size_t size = 0;
        int r;

        path = file_name ? path_join(set->folder, file_name) : NULL;
        if (!path)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        file = set_find_file(set_record_of(set), file_name);
        if (!file)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "the set '%s' has no document '%s'",
                                set->folder, file_name);
        r = read_whole_file(store->fd, path, SET_FILE_MAX, &data, &size);
        if (r < 0)
                return vss_fail(reterr, r, "cannot read '%s/%s': %s", store->path, path,
                                strerror(-r));
        r = digest_bytes(data, size, digest);
        if (r < 0)
                return vss_fail(reterr, r, "cannot compute a digest");
        if (size != file->size || memcmp(digest, file->digest, DIGEST_SIZE) != 0)
                return vss_fail(reterr, -EBADMSG,
                                "the document '%s/%s' is damaged: its digest does not fit",
                                store->path, path);
        *ret = take(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

static bool is_document(const char *name) {
        return strcmp(name, DATA_FILE) != 0 && strcmp(name, RANGES_FILE) != 0 &&
               strcmp(name, MANIFEST_FILE) != 0;
}

int store_documents(struct store *store, const struct set_info *set, uint32_t operation,
                    char ***ret, size_t *ret_count, struct vss_error *reterr) {
        const struct set_record *record = set_record_of(set);
        _cleanup_free_ char *prefix = operation_file(operation, "");
        char **names = calloc(record->files_count + 1, sizeof(*names));
        size_t count = 0;

        for (size_t i = 0; prefix && names && i < record->files_count; i++) {
                const char *name = record->files[i].name;

                if (strncmp(name, prefix, strlen(prefix)) != 0 ||
                    !is_document(name + strlen(prefix)))
                        continue;
                names[count] = strdup(name + strlen(prefix));
                if (!names[count++])
                        break;
        }
        if (!prefix || !names || (count > 0 && !names[count - 1])) {
                while (names && count > 0)
                        free(names[--count]);
                free(names);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        *ret = names;
        *ret_count = count;
        return 0;
}
