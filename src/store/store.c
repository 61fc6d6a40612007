/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.c - where the records lie, who owns them, and the lock on the creation slot.
 *
 *   <runtime>/sets/<set>.set    auto-release sets; gone after a reboot, as their copies' use is
 *   <state>/sets/<set>.set      the other contexts, while they are created
 *   <runtime>/lives/<id>.lock   locked by a running life
 *   <runtime>/lives/adopt       locked by who adopts
 *   <runtime>/creation.lock     locked by who creates a set (S-13)
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/life.h"
#include "store/record.h"

#define RECORD_MAX (64u << 20)
#define SUFFIX ".set"

enum { VOLATILE, LASTING, PLACES };

struct store {
        char *path[PLACES]; /* of the folders, for words */
        int sets[PLACES];
        int runtime, lives;
        struct life life;
        int slot; /* locked, or -1 */
};

static int open_folder(const char *path, struct vss_error *reterr) {
        int fd, r = mkdir_parents(path, 0700);

        if (r < 0)
                return vss_fail(reterr, r,
                                "the folder '%s' cannot be made: %s; let XDG_STATE_HOME, or "
                                "runtime_dir and state_dir in vss.conf, name folders that can",
                                path, strerror(-r));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? vss_fail(reterr, -errno, "the folder '%s' cannot be opened: %s", path,
                                 strerror(errno))
                      : fd;
}

static int open_below(const char *folder, const char *name, char **ret_path,
                      struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(folder, name);
        int fd;

        if (!path)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        fd = open_folder(path, reterr);
        if (fd >= 0 && ret_path)
                *ret_path = take(path);
        return fd;
}

static int open_all(struct store *s, const char *runtime_dir, const char *state_dir,
                    struct vss_error *reterr) {
        int r;

        s->runtime = open_folder(runtime_dir, reterr);
        if (s->runtime < 0)
                return s->runtime;
        s->sets[VOLATILE] = open_below(runtime_dir, "sets", &s->path[VOLATILE], reterr);
        if (s->sets[VOLATILE] < 0)
                return s->sets[VOLATILE];
        s->sets[LASTING] = open_below(state_dir, "sets", &s->path[LASTING], reterr);
        if (s->sets[LASTING] < 0)
                return s->sets[LASTING];
        s->lives = open_below(runtime_dir, "lives", NULL, reterr);
        if (s->lives < 0)
                return s->lives;
        r = life_begin(s->lives, &s->life);
        return r < 0 ? vss_fail(reterr, r, "no lock can be taken in '%s/lives': %s", runtime_dir,
                                strerror(-r))
                     : 0;
}

int store_open(const char *runtime_dir, const char *state_dir, struct store **ret,
               struct vss_error *reterr) {
        struct store *s = malloc(sizeof(*s));
        int r;

        if (!s)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *s = (struct store){
                .sets = { -1, -1 }, .runtime = -1, .lives = -1, .life = { .fd = -1 }, .slot = -1
        };
        r = open_all(s, runtime_dir, state_dir, reterr);
        if (r < 0) {
                store_close(s);
                return r;
        }
        *ret = s;
        return 0;
}

struct store *store_close(struct store *s) {
        if (!s)
                return NULL;
        store_slot_release(s);
        life_end(s->lives, &s->life);
        closep(&s->lives);
        closep(&s->runtime);
        for (int i = 0; i < PLACES; i++) {
                closep(&s->sets[i]);
                free(s->path[i]);
        }
        free(s);
        return NULL;
}

/* ---- records ---- */

#define NAME_SIZE (VSS_ID_TEXT_SIZE + sizeof(SUFFIX))

static const char *name_of(const struct vss_id *set_id, char name[NAME_SIZE]) {
        char text[VSS_ID_TEXT_SIZE];

        (void)snprintf(name, NAME_SIZE, "%s" SUFFIX, vss_id_format(set_id, text));
        return name;
}

static int place_of(uint32_t context) {
        return context & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE ? LASTING : VOLATILE;
}

int store_write(struct store *s, const struct set_record *record, struct vss_error *reterr) {
        int place = place_of(record->context);
        _cleanup_free_ char *text = NULL;
        char name[NAME_SIZE];
        size_t size;
        int r = record_format(record, &s->life.id, &text, &size);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = write_file_atomic(s->sets[place], name_of(&record->set_id, name), text, size, 0600);
        if (r < 0)
                return vss_fail(reterr, r, "the record '%s/%s' cannot be written: %s",
                                s->path[place], name, strerror(-r));
        return 0;
}

int store_remove(struct store *s, const struct vss_id *set_id, uint32_t context,
                 struct vss_error *reterr) {
        int place = place_of(context);
        char name[NAME_SIZE];

        if (unlinkat(s->sets[place], name_of(set_id, name), 0) < 0 && errno != ENOENT)
                return vss_fail(reterr, -errno, "the record '%s/%s' cannot be removed: %s",
                                s->path[place], name, strerror(errno));
        /* without it a removed record could come back after a power failure, and a finished
         * persistent set would be deleted by the next life */
        if (fsync(s->sets[place]) < 0)
                return vss_fail(reterr, -errno, "the folder '%s' cannot be synced: %s",
                                s->path[place], strerror(errno));
        return 0;
}

bool store_is_elsewhere(struct store *s, const struct vss_id *set_id, uint32_t context) {
        _cleanup_(record_done) struct record_read read = { 0 };
        _cleanup_free_ char *text = NULL;
        char name[NAME_SIZE];
        size_t size;

        if (read_whole_file(s->sets[place_of(context)], name_of(set_id, name), RECORD_MAX, &text,
                            &size) < 0 ||
            record_parse(text, size, &read, NULL) < 0)
                return false; /* nobody's, or for store_adopt() to put aside */
        return !vss_id_equal(&read.life, &s->life.id) && !life_is_over(s->lives, &read.life);
}

/* ---- what a dead life left ---- */

struct adoption {
        struct store *store;
        store_sink_t sink;
        void (*damaged)(void *userdata, const char *path, const char *words);
        void *userdata;
        int count;
};

static void put_aside(struct adoption *a, int place, const char *name, const char *words) {
        _cleanup_free_ char *aside = NULL, *path = path_join(a->store->path[place], name);

        if (asprintf(&aside, "%s.damaged", name) < 0)
                aside = NULL;
        if (aside)
                (void)renameat(a->store->sets[place], name, a->store->sets[place], aside);
        if (a->damaged)
                a->damaged(a->userdata, path ? path : name, words);
}

static int adopt_one(struct adoption *a, int place, const char *name) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_(record_done) struct record_read read = { 0 };
        struct store *s = a->store;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = read_whole_file(s->sets[place], name, RECORD_MAX, &text, &size);

        if (r == -ENOENT)
                return 0; /* its owner has just removed it */
        if (r == -EIO || r == -ENOMEM)
                return r;
        if (r >= 0)
                r = record_parse(text, size, &read, &error);
        else
                vss_fail(&error, r, "it cannot be read: %s", strerror(-r));
        if (r < 0) {
                put_aside(a, place, name, error.message ? error.message : "out of memory");
                return 0;
        }
        if (vss_id_equal(&read.life, &s->life.id) || !life_is_over(s->lives, &read.life))
                return 0;
        /* ours from now on; with a full disk it stays the dead one's, and what is undone twice is
         * undone all the same */
        (void)store_write(s, &read.record, NULL);
        a->count++;
        return a->sink(a->userdata, &read.record);
}

static bool is_record(const char *name) {
        size_t n = strlen(name), suffix = strlen(SUFFIX);

        return n > suffix && strcmp(name + n - suffix, SUFFIX) == 0;
}

static int adopt_place(struct adoption *a, int place) {
        _cleanup_closedir_ DIR *folder = NULL;
        struct dirent *entry;
        int fd = openat(a->store->sets[place], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        folder = fdopendir(fd);
        if (!folder) {
                close(fd);
                return -ENOMEM;
        }
        while ((entry = readdir(folder))) {
                int r = is_record(entry->d_name) ? adopt_one(a, place, entry->d_name) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* lock_adoption() - two that start at once must not both undo the same. Whoever takes longer than
 * this is stopped or stuck; nobody else waits for it for ever */
static int lock_adoption(int fd) {
        const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };

        for (unsigned tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
                if (errno != EWOULDBLOCK || tries == 50)
                        return -errno;
                (void)nanosleep(&pause, NULL);
        }
        return 0;
}

int store_adopt(struct store *s, store_sink_t sink,
                void (*damaged)(void *userdata, const char *path, const char *words),
                void *userdata, struct vss_error *reterr) {
        struct adoption a = { s, sink, damaged, userdata, 0 };
        _cleanup_close_ int lock =
                openat(s->lives, "adopt", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        int locked = lock < 0 ? -errno : lock_adoption(lock);

        if (locked == -EWOULDBLOCK)
                return vss_fail(reterr, -EBUSY,
                                "another vssd has been cleaning up since it started and does not "
                                "go on; see who holds '%s/../lives/adopt' ('fuser -v') and end it",
                                s->path[VOLATILE]);
        errno = -locked;
        if (locked < 0)
                return vss_fail(reterr, -errno, "the lock for adopting records cannot be taken: %s",
                                strerror(errno));
        for (int place = 0; place < PLACES; place++) {
                int r = adopt_place(&a, place);

                if (r < 0)
                        return vss_wrap(reterr, r, "reading the records in '%s'", s->path[place]);
        }
        return a.count;
}

/* ---- the slot ---- */

static int slot_taken(int fd, struct vss_error *reterr) {
        char holder[128];
        ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

        holder[n > 0 ? n : 0] = '\0';
        return vss_fail(reterr, VSS_E_SNAPSHOT_SET_IN_PROGRESS,
                        "another shadow copy set is being created (%s); wait and try again",
                        *holder ? holder : "by an unknown session");
}

int store_slot_acquire(struct store *s, const struct vss_id *session_id, struct vss_error *reterr) {
        char text[VSS_ID_TEXT_SIZE], line[128];
        _cleanup_close_ int fd = -1;
        int n;

        if (s->slot >= 0)
                return slot_taken(s->slot, reterr);
        fd = openat(s->runtime, "creation.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return vss_fail(reterr, -errno,
                                "the lock of the creation slot cannot be opened: %s",
                                strerror(errno));
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK
                               ? slot_taken(fd, reterr)
                               : vss_fail(reterr, -errno, "the creation slot cannot be locked: %s",
                                          strerror(errno));
        n = snprintf(line, sizeof(line), "session %s of process %ld",
                     vss_id_format(session_id, text), (long)getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, line, (size_t)n, 0) < 0)
                n = 0; /* the words are for people, the lock holds without them */
        s->slot = take_fd(&fd);
        return 0;
}

void store_slot_release(struct store *s) {
        closep(&s->slot);
        s->slot = -1;
}
