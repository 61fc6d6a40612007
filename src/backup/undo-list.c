/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undo-list.c - the file of an undo list: begun, locked, written, marked, found again. Its lines
 * are spelled in undo-line.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "backup/undo-line.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define FLUSH_SIZE (64U << 10)
#define LOCK_WAIT_US (UINT64_C(120) * 1000000)

struct undo_list {
        int dir;
        int fd; /* locked */
        char name[40];
        struct leftovers_maker maker;
        char **roots;
        size_t roots_count, roots_capacity;
        enum undo_mark mark;
        struct undo_line line, written; /* that is read; that was put last */
        struct text text; /* not written yet */
        uint64_t size; /* of the file */
        bool is_empty;
        FILE *reading, *unwritten; /* the second: of what could not be written */
};

static int add_root(struct undo_list *list, const char *path) {
        if (ARRAY_RESERVE(&list->roots, list->roots_count, &list->roots_capacity) < 0)
                return -ENOMEM;
        list->roots[list->roots_count] = strdup(path);
        return list->roots[list->roots_count++] ? 0 : -ENOMEM;
}

struct undo_list *undo_list_free(struct undo_list *list) {
        if (!list)
                return NULL;
        for (size_t i = 0; i < list->roots_count; i++)
                free(list->roots[i]);
        free(list->roots);
        undo_line_done(&list->line);
        undo_line_done(&list->written);
        text_done(&list->text);
        if (list->reading)
                fclose(list->reading);
        if (list->unwritten)
                fclose(list->unwritten);
        closep(&list->fd);
        closep(&list->dir);
        free(list);
        return NULL;
}

DEFINE_CLEANUP(struct undo_list *, undo_list_free)

void undo_list_remove(struct undo_list *list) {
        (void)unlinkat(list->dir, list->name, 0);
}

static int cannot_keep(int r, struct vss_error *reterr) {
        return vss_fail(reterr, r, "the list of what a restore changes cannot be written: %s",
                        strerror(-r));
}

static int open_dir(const char *path, struct vss_error *reterr) {
        int r = mkdir_parents(path, 0700), fd = -1;

        if (r >= 0) {
                fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = fd < 0 ? -errno : fd;
        }
        return r < 0 ? vss_fail(reterr, r,
                                "cannot use the folder '%s' for the list of what a restore "
                                "changes: %s",
                                path, strerror(-r))
                     : r;
}

static int lock_fd(int fd, const char *path, struct vss_error *reterr) {
        uint64_t until = monotonic_us() + LOCK_WAIT_US;

        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        return vss_fail(reterr, -errno, "cannot lock '%s': %s", path,
                                        strerror(errno));
                if (monotonic_us() > until)
                        return vss_fail(reterr, -EBUSY,
                                        "another restore is putting its files in place; try again "
                                        "when it has ended");
                usleep(20000);
        }
        return 0;
}

int undo_list_lock(const char *dir, int *ret_fd, struct vss_error *reterr) {
        _cleanup_close_ int fd = open_dir(dir, reterr);
        int r = fd < 0 ? fd : lock_fd(fd, dir, reterr);

        if (r >= 0)
                *ret_fd = take_fd(&fd);
        return r;
}

/* under the folder's lock, so that nobody sees it unlocked */
static int create(struct undo_list *list, const char *dir, struct vss_error *reterr) {
        _cleanup_close_ int lock = -1;
        int r = undo_list_lock(dir, &lock, reterr);

        if (r < 0)
                return r;
        snprintf(list->name, sizeof(list->name), "%016llx.undo",
                 (unsigned long long)list->maker.chance);
        list->dir = openat(lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* without the lock */
        list->fd = openat(lock, list->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (list->dir < 0 || list->fd < 0 || flock(list->fd, LOCK_EX | LOCK_NB) < 0)
                return cannot_keep(-errno, reterr);
        return 0;
}

int undo_list_new(const char *dir, char *const *roots, size_t roots_count, struct undo_list **ret,
                  struct vss_error *reterr) {
        _cleanup_(undo_list_freep) struct undo_list *list = calloc(1, sizeof(*list));
        int r = 0;

        if (!list)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        list->dir = list->fd = -1;
        list->is_empty = true;
        for (size_t i = 0; i < roots_count && r >= 0; i++)
                r = add_root(list, roots[i]);
        if (r >= 0)
                r = leftovers_maker_init(&list->maker);
        if (r < 0)
                return cannot_keep(r, reterr);
        undo_line_head(&list->text, &list->maker, list->roots, list->roots_count);
        r = create(list, dir, reterr);
        if (r >= 0)
                *ret = take(list);
        return r;
}

/* ---- writing ---- */

static int flush(struct undo_list *list, struct vss_error *reterr) {
        int r = list->text.failed ? -ENOMEM : 0;

        if (r >= 0 && list->text.size > 0)
                r = pwrite_all(list->fd, list->text.data, list->text.size, (off_t)list->size);
        if (r < 0)
                return cannot_keep(r, reterr);
        list->size += list->text.size;
        text_reset(&list->text);
        return 0;
}

int undo_list_put(struct undo_list *list, const struct undo_item *item, struct vss_error *reterr) {
        if (undo_line_put(&list->written, &list->text, item) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        list->is_empty = false;
        return list->text.size < FLUSH_SIZE ? 0 : flush(list, reterr);
}

int undo_list_folder(struct undo_list *list, const struct undo_item *item) {
        int r = undo_line_folder(&list->written, &list->text, item);

        /* without room for it the next line that is put says so */
        if (r > 0)
                (void)flush(list, NULL);
        return r < 0 ? r : 0;
}

int undo_list_sync(struct undo_list *list, struct vss_error *reterr) {
        int r = flush(list, reterr);

        if (r >= 0 && (fsync(list->fd) < 0 || fsync(list->dir) < 0))
                r = cannot_keep(-errno, reterr);
        return r;
}

int undo_list_mark(struct undo_list *list, enum undo_mark mark, struct vss_error *reterr) {
        /* what is before the mark must not come to the disk after it */
        int r = undo_list_sync(list, reterr);

        if (r < 0)
                return r;
        undo_line_mark(&list->text, mark);
        r = flush(list, reterr);
        if (r >= 0 && fdatasync(list->fd) < 0)
                r = cannot_keep(-errno, reterr);
        if (r >= 0)
                list->mark = mark;
        return r;
}

int undo_list_remove_now(struct undo_list *list, struct vss_error *reterr) {
        if (unlinkat(list->dir, list->name, 0) < 0 || fsync(list->dir) < 0)
                return vss_fail(reterr, -errno,
                                "the list of what a restore changes cannot be removed: %s",
                                strerror(errno));
        return 0;
}

/* ---- names ---- */

void undo_list_made_name(const struct undo_list *list, uint64_t number,
                         char ret[LEFTOVERS_NAME_SIZE]) {
        leftovers_maker_name(&list->maker, 2 * number, ret);
}

void undo_list_old_name(const struct undo_list *list, uint64_t number,
                        char ret[LEFTOVERS_NAME_SIZE]) {
        leftovers_maker_name(&list->maker, 2 * number + 1, ret);
}

bool undo_list_is_name(const struct undo_list *list, const char *name) {
        return leftovers_maker_made(&list->maker, name);
}

/* ---- reading ---- */

/* where there is no room for the list nothing is put in place, but what was made has to go */
static int open_unwritten(struct undo_list *list) {
        if (list->unwritten)
                fclose(list->unwritten);
        list->unwritten = NULL;
        if (flush(list, NULL) >= 0)
                return 0;
        list->unwritten =
                list->text.size > 0 ? fmemopen(list->text.data, list->text.size, "r") : NULL;
        return list->unwritten ? 0 : -ENOMEM;
}

int undo_list_rewind(struct undo_list *list) {
        int r = open_unwritten(list);

        if (r < 0)
                return r;
        if (!list->reading) {
                char path[40];

                /* an offset of its own */
                snprintf(path, sizeof(path), "/proc/self/fd/%d", list->fd);
                list->reading = fopen(path, "re");
        }
        if (!list->reading || fseeko(list->reading, 0, SEEK_SET) < 0)
                return -errno;
        undo_line_done(&list->line);
        return 0;
}

static int next(struct undo_list *list, FILE *file, int kind, struct undo_item *ret) {
        int r;

        do
                r = undo_line_next(&list->line, file, ret);
        while (r > 0 && r != kind);
        return r == kind ? 1 : r;
}

int undo_list_next(struct undo_list *list, struct undo_item *ret) {
        int r = next(list, list->reading, LINE_ITEM, ret);

        return r == 0 && list->unwritten ? next(list, list->unwritten, LINE_ITEM, ret) : r;
}

int undo_list_next_folder(struct undo_list *list, struct undo_item *ret) {
        return next(list, list->reading, LINE_FOLDER, ret);
}

/* head, roots and mark */
static int read_through(struct undo_list *list) {
        struct undo_item item;
        int r = undo_list_rewind(list);

        while (r >= 0 && (r = undo_line_next(&list->line, list->reading, &item)) != LINE_END) {
                if (r == LINE_HEAD)
                        list->maker = list->line.maker;
                else if (r == LINE_ROOT)
                        r = add_root(list, list->line.root);
                else if (r == LINE_MARK)
                        list->mark = list->line.mark;
                else if (r == LINE_ITEM)
                        list->is_empty = false;
        }
        return r < 0 ? r : 0;
}

int undo_list_open(int dir, const char *name, struct undo_list **ret, struct vss_error *reterr) {
        _cleanup_(undo_list_freep) struct undo_list *list = calloc(1, sizeof(*list));
        struct stat st;
        int r;

        if (!list)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        list->is_empty = true;
        snprintf(list->name, sizeof(list->name), "%s", name);
        list->dir = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        list->fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (list->dir < 0 || list->fd < 0 || fstat(list->fd, &st) < 0)
                return vss_fail(reterr, -errno, "'%s': %s", name, strerror(errno));
        if (flock(list->fd, LOCK_EX | LOCK_NB) < 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the restore of '%s' runs", name);
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
                return vss_fail(reterr, -EBADMSG, "'%s' is no list of a restore", name);
        list->size = (uint64_t)st.st_size;
        r = read_through(list);
        if (r < 0)
                return vss_fail(reterr, r, "'%s' cannot be read: %s", name, strerror(-r));
        *ret = take(list);
        return 0;
}

enum undo_mark undo_list_marked(const struct undo_list *list) {
        return list->mark;
}

size_t undo_list_roots(const struct undo_list *list, char *const **ret) {
        *ret = list->roots;
        return list->roots_count;
}

bool undo_list_is_empty(const struct undo_list *list) {
        return list->is_empty;
}
