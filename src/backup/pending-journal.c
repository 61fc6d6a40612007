/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-journal.c - see pending-journal.h: the file and its locks. Lines are taken apart in
 * pending-lines.c.
 */
#define _GNU_SOURCE
#include "backup/pending-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define JOURNAL "journal"
#define JOURNAL_LOCK "lock"

/* a torn line is not longer than this: two paths of PATH_MAX, each byte three */
enum { LINE_MAX_SIZE = 64 * 1024, LOCK_PATIENCE = 50 };

static const uint64_t journal_max_size = UINT64_C(4) << 30;

void journal_move_done(struct journal_move *move) {
        free(move->told.staged);
        free(move->told.destination);
        free(move->told.words);
        *move = (struct journal_move){ 0 };
}

void journal_set_done(struct journal_set *set) {
        for (size_t i = 0; i < set->count; i++)
                journal_move_done(&set->moves[i]);
        free(set->moves);
        free(set->title);
        *set = (struct journal_set){ 0 };
}

static void forget_sets(struct journal *journal) {
        for (size_t i = 0; i < journal->count; i++)
                journal_set_done(&journal->sets[i]);
        free(journal->sets);
        journal->sets = NULL;
        journal->count = journal->capacity = journal->damaged = 0;
}

void journal_done(struct journal *journal) {
        forget_sets(journal);
        closep(&journal->fd);
        closep(&journal->lock);
        closep(&journal->folder);
        *journal = JOURNAL_NONE;
}

/* Who can write here decides what root will do at boot. */
static int check_folder(int fd, const char *path, struct vss_error *reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "cannot look at '%s': %s", path, strerror(errno));
        if (st.st_uid == geteuid() && !(st.st_mode & 022))
                return 0;
        return vss_fail(reterr, -EPERM,
                        "'%s' must belong to root and be writable by no other (chown root, chmod "
                        "700); nothing in it is looked at",
                        path);
}

int journal_open(const struct restore_settings *settings, bool create, struct journal *ret,
                 struct vss_error *reterr) {
        struct journal journal = JOURNAL_NONE;
        const char *path = settings->pending_dir;
        int r = create ? mkdir_parents(path, 0700) : 0;

        if (r < 0)
                return vss_fail(reterr, r, "cannot make '%s': %s", path, strerror(-r));
        journal.folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (journal.folder < 0 && errno == ENOENT && !create)
                return -ENOENT;
        if (journal.folder < 0)
                return vss_fail(reterr, -errno, "cannot open '%s': %s", path, strerror(errno));
        r = check_folder(journal.folder, path, reterr);
        if (r >= 0) {
                journal.lock = openat(journal.folder, JOURNAL_LOCK,
                                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (journal.lock < 0)
                        r = vss_fail(reterr, -errno, "cannot open '%s/%s': %s", path, JOURNAL_LOCK,
                                     strerror(errno));
        }
        if (r < 0)
                journal_done(&journal);
        else
                *ret = journal;
        return r;
}

int journal_try_alone(struct journal *journal) {
        return flock(journal->lock, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

int journal_lock(struct journal *journal, bool alone, struct vss_error *reterr) {
        for (int i = 0; i < LOCK_PATIENCE; i++) {
                if (flock(journal->lock, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) >= 0)
                        return 0;
                if (errno != EWOULDBLOCK)
                        return vss_fail(reterr, -errno, "cannot lock the journal of moves: %s",
                                        strerror(errno));
                (void)nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000 * 1000 }, NULL);
        }
        return vss_fail(reterr, -EBUSY,
                        alone ? "a restore is registering files for the next boot; wait for its end"
                              : "files are being put in place that waited for the boot; wait for "
                                "vss-place-pending to end");
}

/* ---- the file ---- */

static int open_file(struct journal *journal, bool create) {
        if (journal->fd >= 0)
                return 0;
        journal->fd =
                openat(journal->folder, JOURNAL,
                       O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
        return journal->fd < 0 ? -errno : 0;
}

static int cut_torn_line(int fd) {
        _cleanup_free_ char *tail = malloc(LINE_MAX_SIZE);
        struct stat st;
        off_t from;
        size_t size;
        const char *end;
        int r;

        if (!tail)
                return -ENOMEM;
        if (fstat(fd, &st) < 0)
                return -errno;
        from = st.st_size > LINE_MAX_SIZE ? st.st_size - LINE_MAX_SIZE : 0;
        size = (size_t)(st.st_size - from);
        r = pread_all(fd, tail, size, from);
        if (r < 0)
                return r;
        end = memrchr(tail, '\n', size);
        if (!end && from > 0)
                return write_all(fd, "\n", 1); /* no line of ours: it counts as damaged */
        return ftruncate(fd, end ? from + (end - tail) + 1 : 0) < 0 ? -errno : 0;
}

static int append(int fd, const char *data, size_t size, bool sync) {
        char last = '\n';
        struct stat st;
        int r = fstat(fd, &st) < 0 ? -errno : 0;

        if (r >= 0 && st.st_size > 0)
                r = pread_all(fd, &last, 1, st.st_size - 1);
        /* a life that ended while it wrote leaves the beginning of a line, which is none */
        if (r >= 0 && last != '\n') {
                r = cut_torn_line(fd);
                if (r >= 0 && fstat(fd, &st) < 0)
                        r = -errno;
        }
        if (r < 0)
                return r;
        r = write_all(fd, data, size);
        if (r >= 0 && sync && fdatasync(fd) < 0)
                r = -errno;
        if (r < 0)
                (void)!ftruncate(fd, st.st_size); /* of a full disk, say */
        return r;
}

int journal_append(struct journal *journal, struct text *text, bool sync,
                   struct vss_error *reterr) {
        int r = text->failed ? -ENOMEM : open_file(journal, true);

        if (r >= 0 && flock(journal->fd, LOCK_EX) < 0)
                r = -errno;
        if (r >= 0) {
                r = append(journal->fd, text->data, text->size, sync);
                (void)flock(journal->fd, LOCK_UN);
        }
        if (r >= 0 && sync && fsync(journal->folder) < 0)
                r = -errno;
        text_reset(text);
        return r < 0 ? vss_fail(reterr, r,
                                "cannot write the journal of files that wait for a boot: %s",
                                strerror(-r))
                     : 0;
}

int journal_read(struct journal *journal, struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r;

        forget_sets(journal);
        r = open_file(journal, false);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = read_whole_file(journal->folder, JOURNAL, journal_max_size, &text, &size);
        if (r < 0)
                return vss_fail(reterr, r,
                                "cannot read the journal of files that wait for a boot: %s",
                                strerror(-r));
        return journal_parse(journal, text, size, reterr);
}

bool journal_is_finished(const struct journal *journal) {
        for (size_t i = 0; i < journal->count; i++)
                for (size_t k = 0; !journal->sets[i].gone && k < journal->sets[i].count; k++)
                        if (journal->sets[i].moves[k].told.state != PENDING_PLACED)
                                return false;
        return true;
}

int journal_remove(struct journal *journal, struct vss_error *reterr) {
        if ((unlinkat(journal->folder, JOURNAL, 0) < 0 && errno != ENOENT) ||
            fsync(journal->folder) < 0)
                return vss_fail(reterr, -errno, "cannot remove the journal of moves: %s",
                                strerror(errno));
        closep(&journal->fd);
        journal->fd = -1;
        forget_sets(journal);
        return 0;
}
