/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-set.c - the life of one copy: where it goes, the rounds while applications run, the last
 * one while the writers are frozen.
 *
 * Each round begins with syncfs, which leaves mapped pages clean, so that the next store to them
 * moves times; what changed since shortly before it is copied again by the next round
 * (mirror_stat()).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "kit.h"
#include "mirror.h"
#include "mounts.h"
#include "places.h"
#include "tree.h"

enum { BUFFER_SIZE = 1 << 20, MAX_ROUNDS = 8, STALE_US = 1000000 };

/* can_share() - FICLONE between two files without a name in @root */
static bool can_share(const char *root) {
        _cleanup_close_ int a = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        _cleanup_close_ int b = open(root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return a >= 0 && b >= 0 && ioctl(b, FICLONE, a) == 0;
}

/* is_one_fs() - by super block; subvolumes of one btrfs are one */
static bool is_one_fs(const char *a, const char *b) {
        _cleanup_close_ int x = open(a, O_PATH | O_CLOEXEC), y = open(b, O_PATH | O_CLOEXEC);
        const struct mount *m, *n;
        struct mounts mounts;
        bool one;

        if (x < 0 || y < 0 || mounts_read(&mounts) < 0)
                return false;
        m = mounts_by_id(&mounts, mount_id_of(x));
        n = mounts_by_id(&mounts, mount_id_of(y));
        one = m && n && m->major == n->major && m->minor == n->minor;
        mounts_done(&mounts);
        return one;
}

int mirror_support(const struct copies *copies, const struct vss_volume *volume, char **ret_root,
                   bool *ret_clones, struct vss_error *reterr) {
        const char *root = volume->mount_point;

        *ret_clones = !volume->read_only && can_share(root);
        if (!*ret_clones) {
                struct stat st;

                root = copies->area;
                if (stat(root, &st) < 0 || !S_ISDIR(st.st_mode) || access(root, W_OK) < 0) {
                        vss_fail(reterr, 0,
                                 "'%s' cannot share extents between files, and the folder '%s' for "
                                 "copies cannot be written: set area",
                                 volume->mount_point, root);
                        return 0;
                }
                *ret_clones = is_one_fs(root, volume->mount_point) && can_share(root);
        }
        *ret_root = strdup(root);
        if (!*ret_root)
                return fail_memory(reterr);
        return 1;
}

static bool is_below(const char *path, const char *mount_point) {
        size_t n = strlen(mount_point);

        while (n > 0 && mount_point[n - 1] == '/')
                n--;
        return strncmp(path, mount_point, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static int take_paths(struct mirror *m, const char *const *paths, struct vss_error *reterr) {
        size_t skip = strlen(m->mount_point);

        for (size_t i = 0; paths && paths[i]; i++) {
                if (!is_below(paths[i], m->mount_point) || strstr(paths[i], "/../") ||
                    strstr(paths[i], "/./"))
                        return vss_fail(reterr, E_INVALIDARG, "'%s' is not below the volume '%s'",
                                        paths[i], m->mount_point);
                if (want_add(&m->want,
                             paths[i] + (skip < strlen(paths[i]) ? skip : strlen(paths[i]))) < 0)
                        return fail_memory(reterr);
        }
        return 0;
}

/* open_source() - the volume's root, and none that was mounted there since */
static int open_source(struct mirror *m, const struct vss_volume *volume,
                       struct vss_error *reterr) {
        struct meta meta;

        m->source = open(volume->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (m->source < 0 || meta_read(m->source, "", &meta) < 0)
                return fail_errno(reterr, errno, "cannot open '%s'", volume->mount_point);
        if (volume->mount_id != 0 && mount_id_of(m->source) != volume->mount_id)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "another file system is mounted at '%s' by now",
                                volume->mount_point);
        m->source_dev = meta.dev;
        return 0;
}

int mirror_new(struct copies *copies, const struct vss_prepare *prepare, uint64_t max_last_round_us,
               struct mirror **ret, struct vss_error *reterr) {
        struct mirror *m = calloc(1, sizeof(*m));
        int r;

        if (!m)
                return fail_memory(reterr);
        m->source = m->copy = m->links = m->trash = -1;
        m->max_last_round_us = max_last_round_us;
        m->min_free = copies->min_free;
        m->mount_point = strdup(prepare->volume->mount_point);
        m->buffer = malloc(BUFFER_SIZE);
        r = !m->mount_point || !m->buffer || index_init(&m->index) < 0
                    ? fail_memory(reterr)
                    : open_source(m, prepare->volume, reterr);
        if (r >= 0)
                r = take_paths(m, prepare->paths, reterr);
        if (r < 0) {
                mirror_free(m);
                return r;
        }
        *ret = m;
        return 0;
}

static int make_folder(int at, const char *name, int *ret) {
        if (mkdirat(at, name, 0700) < 0)
                return -errno;
        *ret = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return *ret < 0 ? -errno : 0;
}

/* run_round() - and how long it took */
static int run_round(struct mirror *m, bool counting, uint64_t limit_us, struct vss_provider *p) {
        uint64_t start = kit_monotonic_us();
        int r;

        round_done(&m->round);
        m->round.number++;
        m->round.counting = counting;
        m->round.provider = p;
        m->round.deadline_us = limit_us ? start + limit_us : 0;
        r = mirror_round(m);
        m->finished_us = kit_monotonic_us();
        m->last_us = m->finished_us - start;
        return r;
}

static int sync_source(struct mirror *m) {
        int64_t now = real_time_ns();

        if (syncfs(m->source) < 0 && errno != EROFS)
                return fail_errno(&m->error, errno, "cannot sync '%s'", m->mount_point);
        m->synced_ns = now;
        return 0;
}

/* check_room() - for a copy of data: everything must fit beside what shall stay free */
static int check_room(struct mirror *m, struct vss_provider *p) {
        uint64_t available, need;
        struct statvfs fs;
        int r = run_round(m, true, 0, p);

        if (r < 0)
                return r;
        if (fstatvfs(m->folder, &fs) < 0)
                return fail_errno(&m->error, errno, "cannot ask for the free space at '%s'",
                                  m->place);
        available = (uint64_t)fs.f_bavail * fs.f_frsize;
        need = m->round.needed_bytes + m->min_free;
        if (need <= available)
                return 0;
        return vss_fail(&m->error, VSS_E_INSUFFICIENT_STORAGE,
                        "a copy of '%s' needs %" PRIu64 " bytes, '%s' has %" PRIu64
                        " free: back up fewer paths, or set area to a folder with more space",
                        m->mount_point, need, m->place, available);
}

/* catch_up() - rounds until one more would not make the last one shorter */
static int catch_up(struct mirror *m, struct vss_provider *p) {
        uint64_t before = UINT64_MAX;
        int r = 0;

        for (unsigned i = 0; r >= 0 && i < MAX_ROUNDS; i++) {
                bool first = m->round.number == 0 || m->round.counting;

                r = sync_source(m);
                if (r >= 0)
                        r = run_round(m, false, 0, p);
                if (first || r < 0)
                        continue; /* the first one copies all and predicts nothing */
                if (m->round.copied == 0 || m->last_us < m->max_last_round_us / 4 ||
                    m->last_us > before / 10 * 7)
                        break;
                before = m->last_us;
        }
        return r;
}

static int first_rounds(struct mirror *m, struct vss_provider *p) {
        int r = sync_source(m);

        if (r >= 0 && !m->clones)
                r = check_room(m, p);
        return r < 0 ? r : catch_up(m, p);
}

static void *thread_main(void *userdata) {
        struct mirror *m = userdata;

        (void)first_rounds(m, NULL); /* m->error tells */
        return NULL;
}

int mirror_start(struct mirror *m, struct making *making, struct vss_error *reterr) {
        _cleanup_close_ int place = open(making->place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct meta meta;
        int r;

        m->folder = making->folder;
        m->place = strdup(making->place);
        if (!m->place)
                return fail_memory(reterr);
        r = place < 0 ? -errno : meta_read(place, "", &meta);
        if (r >= 0) {
                m->excluded = meta.ino;
                m->excluded_dev = meta.dev;
                r = make_folder(m->folder, "copy", &m->copy);
        }
        if (r >= 0)
                r = make_folder(m->folder, "links", &m->links);
        if (r >= 0)
                r = make_folder(m->folder, "trash", &m->trash);
        if (r < 0)
                return fail_errno(reterr, r, "cannot begin a copy in '%s'", m->place);
        r = pthread_create(&m->thread, NULL, thread_main, m);
        if (r != 0)
                return fail_errno(reterr, r, "cannot start a thread for '%s'", m->mount_point);
        m->thread_runs = true;
        return 0;
}

static void join(struct mirror *m) {
        m->stop = true;
        if (m->thread_runs)
                pthread_join(m->thread, NULL);
        m->thread_runs = false;
}

/* wait_for_thread() - while the set may be given up at any moment (P-32) */
static int wait_for_thread(struct mirror *m, struct vss_provider *p, struct vss_error *reterr) {
        while (m->thread_runs) {
                struct timespec until;

                if (vss_provider_aborted(p)) {
                        join(m);
                        return vss_fail(reterr, -ECANCELED, "the set was given up");
                }
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += 20 * 1000 * 1000;
                if (until.tv_nsec >= 1000000000) {
                        until.tv_nsec -= 1000000000;
                        until.tv_sec++;
                }
                m->thread_runs = pthread_timedjoin_np(m->thread, NULL, &until) != 0;
        }
        return 0;
}

static int hand_error(struct mirror *m, int r, struct vss_error *reterr) {
        vss_error_move(reterr, &m->error);
        return r;
}

/* check_prediction() - the writers would have to wait for the last round */
static int check_prediction(struct mirror *m, struct vss_error *reterr) {
        if (m->last_us <= m->max_last_round_us)
                return 0;
        return vss_fail(reterr, VSS_E_PROVIDER_VETO,
                        "the last round over '%s' would take %" PRIu64 " ms while applications "
                        "wait (%" PRIu64 " names, %" PRIu64 " changed), allowed are %" PRIu64
                        " ms: back up fewer paths, or raise the provider's setting max_last_round",
                        m->mount_point, m->last_us / 1000, m->round.names, m->round.copied,
                        m->max_last_round_us / 1000);
}

int mirror_settle(struct mirror *m, struct vss_provider *p, struct vss_error *reterr) {
        int r = wait_for_thread(m, p, reterr);

        if (r < 0)
                return r;
        if (m->error.code < 0)
                return hand_error(m, m->error.code, reterr);
        if (kit_monotonic_us() - m->finished_us > STALE_US)
                r = catch_up(m, p);
        return r < 0 ? hand_error(m, r, reterr) : check_prediction(m, reterr);
}

int mirror_pre_commit(struct mirror *m, struct vss_error *reterr) {
        int r = sync_source(m); /* the writers are frozen: what they left is clean from here on */

        return r < 0 ? hand_error(m, r, reterr) : check_prediction(m, reterr);
}

int mirror_commit(struct mirror *m, struct vss_error *reterr) {
        int r = run_round(m, false, m->max_last_round_us * 2, NULL);

        return r < 0 ? hand_error(m, r, reterr) : 0;
}

/* write_problems() - what the copy lacks, beside it: errno's name, a space, the escaped path */
static int write_problems(struct mirror *m) {
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *to;

        if (m->round.problem_count == 0)
                return 0;
        to = open_memstream(&text, &size);
        if (!to)
                return -ENOMEM;
        for (size_t i = 0; i < m->round.problem_count; i++) {
                _cleanup_free_ char *escaped = kit_escape(m->round.problems[i].path);

                fprintf(to, "%s %s\n", strerrorname_np(m->round.problems[i].error) ?: "EIO",
                        escaped ?: "?");
        }
        if (fclose(to) != 0)
                return -ENOMEM;
        return kit_write(m->folder, "problems", text);
}

int mirror_tidy(struct mirror *m, struct vss_error *reterr) {
        int r = write_problems(m);

        if (r >= 0)
                r = tree_remove(m->folder, "links", m->trash);
        if (r >= 0 && unlinkat(m->folder, "trash", AT_REMOVEDIR) < 0)
                r = -errno;
        if (r < 0)
                return fail_errno(reterr, r, "cannot tidy the copy in '%s'", m->place);
        close(m->source); /* nothing keeps the volume busy any more */
        m->source = -1;
        return 0;
}

void mirror_free(struct mirror *m) {
        if (!m)
                return;
        join(m);
        kit_closep(&m->source);
        kit_closep(&m->copy);
        kit_closep(&m->links);
        kit_closep(&m->trash);
        round_done(&m->round);
        index_done(&m->index);
        want_free(m->want);
        vss_error_clear(&m->error);
        free(m->mount_point);
        free(m->place);
        free(m->buffer);
        free(m);
}

int mirror_remove(int folder) {
        _cleanup_close_ int trash = -1;
        int r = 0;

        if (mkdirat(folder, "trash", 0700) < 0 && errno != EEXIST && errno != ENOSPC)
                return -errno;
        trash = openat(folder, "trash", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (trash < 0)
                return -errno;
        r = tree_remove(folder, "copy", trash);
        if (r >= 0)
                r = tree_remove(folder, "links", trash);
        if (r >= 0)
                r = tree_empty(trash);
        if (r < 0)
                return r;
        (void)unlinkat(folder, "problems", 0);
        (void)unlinkat(folder, "problems.new", 0);
        return unlinkat(folder, "trash", AT_REMOVEDIR) < 0 ? -errno : 0;
}
