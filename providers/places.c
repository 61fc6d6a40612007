/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "places.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "kit.h"
#include "mounts.h"

/* struct search - the places seen so far, because one file system may be mounted several times */
struct search {
        const struct copies *copies;
        struct copy_list *list;
        struct seen {
                dev_t device;
                ino_t inode;
        } * seen;
        size_t count, capacity;
        int (*each)(void *userdata, const char *path, int fd); /* instead of filling the list */
        void *userdata;
};

static void copy_done(struct copy *copy) {
        record_done(&copy->record);
        free(copy->place);
}

void copy_list_done(struct copy_list *list) {
        for (size_t i = 0; i < list->count; i++)
                copy_done(&list->items[i]);
        free(list->items);
        free(list->silent);
        *list = (struct copy_list){ 0 };
}

/* note_silent() - a place on a sick volume hides its copies; that is not the same as none */
static void note_silent(struct search *s, const char *path, int error) {
        switch (error < 0 ? -error : error) {
        case ENOENT:
        case ENOTDIR:
        case ELOOP:
        case EACCES:
        case EPERM:
        case ESTALE:
                return;
        default:
                if (s->list && !s->list->silent)
                        s->list->silent = strdup(path);
        }
}

int place_check(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        if (st.st_uid != geteuid() || (st.st_mode & 0077) != 0)
                return -EPERM;
        return 0;
}

bool place_is_lived_in(int folder) {
        struct flock mark = { .l_type = F_WRLCK };

        return fcntl(folder, F_OFD_GETLK, &mark) == 0 && mark.l_type != F_UNLCK;
}

/* read_folder() - what lies in the folder @name: 0, -ENOENT for nothing of ours */
static int read_folder(int place, const char *name, struct copy *copy) {
        _cleanup_close_ int fd =
                openat(place, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *identity = fd < 0 ? NULL : record_identity(fd);
        struct vss_id set = copy->record.prop.snapshot_set_id;
        struct vss_id id = copy->record.prop.snapshot_id;
        int r;

        if (fd < 0)
                return -errno;
        if (!identity || place_check(fd) < 0)
                return -ENOENT;
        copy->living = place_is_lived_in(fd); /* first: who is done by then has written so */
        r = record_read(fd, &copy->record);
        if (r == -ENOENT) /* begun, and killed before the record stood */
                return 0;
        if (r == -EINVAL)
                return -ENOENT;
        if (r < 0)
                return r;
        if (!vss_id_equal(&copy->record.prop.snapshot_id, &id) ||
            !vss_id_equal(&copy->record.prop.snapshot_set_id, &set) ||
            strcmp(copy->record.identity, identity) != 0)
                return -ENOENT; /* brought here by somebody else, a backup for example */
        return 0;
}

static int add_copy(struct search *s, const char *path, int place, const char *name) {
        struct copy_list *list = s->list;
        struct copy copy = { 0 };
        int r;

        if (!record_parse_name(s->copies->kind->name, name, &copy.record.prop.snapshot_set_id,
                               &copy.record.prop.snapshot_id))
                return 0;
        r = read_folder(place, name, &copy);
        if (r < 0) {
                copy_done(&copy);
                note_silent(s, path, r);
                return r == -ENOMEM ? r : 0;
        }
        snprintf(copy.name, sizeof(copy.name), "%s", name);
        copy.place = strdup(path);
        if (!copy.place || !KIT_GROW(&list->items, list->count, &list->capacity) ||
            asprintf(&copy.record.prop.device_object, "%s/%s/copy", path, name) < 0) {
                copy_done(&copy);
                return -ENOMEM;
        }
        list->items[list->count++] = copy;
        return 0;
}

/* note_seen() - 1 when the place is new, 0 when another path led to it already */
static int note_seen(struct search *s, int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        for (size_t i = 0; i < s->count; i++)
                if (s->seen[i].device == st.st_dev && s->seen[i].inode == st.st_ino)
                        return 0;
        if (!KIT_GROW(&s->seen, s->count, &s->capacity))
                return -ENOMEM;
        s->seen[s->count++] = (struct seen){ st.st_dev, st.st_ino };
        return 1;
}

static int search_place(struct search *s, int root, const char *root_path) {
        _cleanup_close_ int fd =
                openat(root, PLACE_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_free_ char *path = NULL;
        struct dirent *entry;
        DIR *dir = NULL;
        int r;

        if (fd < 0)
                note_silent(s, root_path, errno);
        if (fd < 0 || place_check(fd) < 0)
                return 0;
        r = note_seen(s, fd);
        if (r <= 0)
                return r;
        if (asprintf(&path, "%s/" PLACE_NAME, strcmp(root_path, "/") == 0 ? "" : root_path) < 0)
                return -ENOMEM;
        if (s->each)
                return s->each(s->userdata, path, fd);
        dir = fdopendir(fd);
        if (!dir)
                return -ENOMEM;
        fd = -1;
        r = 0;
        while (r >= 0 && (errno = 0, entry = readdir(dir)))
                r = add_copy(s, path, dirfd(dir), entry->d_name);
        if (r >= 0)
                note_silent(s, path, errno ? errno : ENOENT);
        closedir(dir);
        return r;
}

static int search_path(struct search *s, const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                return search_place(s, fd, path);
        note_silent(s, path, errno);
        return 0; /* a place that is not there today */
}

static int search_mounts(struct search *s) {
        struct mounts mounts;
        int r = mounts_read(&mounts);

        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < mounts.count; i++) {
                _cleanup_close_ int fd = -1;

                if (!s->copies->kind->searches(mounts.items[i].fs_type))
                        continue;
                fd = mount_open(&mounts.items[i]);
                if (fd >= 0)
                        r = search_place(s, fd, mounts.items[i].point);
                else
                        note_silent(s, mounts.items[i].point, fd);
        }
        mounts_done(&mounts);
        return r;
}

static int search_remembered(struct search *s) {
        _cleanup_free_ char *text = NULL, *path = NULL;
        char *rest = NULL;
        int r = 0;

        if (!s->copies->state_dir)
                return 0;
        if (asprintf(&path, "%s/%s.places", s->copies->state_dir, s->copies->kind->name) < 0)
                return -ENOMEM;
        text = kit_read(AT_FDCWD, path, 1 << 20);
        for (char *l = text ? strtok_r(text, "\n", &rest) : NULL; l && r >= 0;
             l = strtok_r(NULL, "\n", &rest)) {
                kit_unescape(l);
                r = search_path(s, l);
        }
        return r;
}

static bool is_half_made(const struct record *record) {
        return record->prop.status != 0 && record->prop.status != VSS_SS_CREATED &&
               record->prop.status != VSS_SS_DELETED;
}

/* demote() - copies of a set that was not finished are not CREATED, whatever their records say */
static void demote(struct copy_list *list) {
        for (size_t i = 0; i < list->count; i++) {
                if (!is_half_made(&list->items[i].record))
                        continue;
                for (size_t k = 0; k < list->count; k++) {
                        struct vss_snapshot_prop *p = &list->items[k].record.prop;

                        if (p->status == VSS_SS_CREATED &&
                            vss_id_equal(&p->snapshot_set_id,
                                         &list->items[i].record.prop.snapshot_set_id)) {
                                p->status = VSS_SS_PROCESSING_POSTFINALCOMMIT;
                                list->items[k].demoted = true;
                        }
                }
        }
}

static int search_all(struct search *s) {
        int r = search_mounts(s);

        if (r >= 0 && s->copies->area)
                r = search_path(s, s->copies->area);
        if (r >= 0)
                r = search_remembered(s);
        free(s->seen);
        return r < 0 ? r : 0;
}

int places_each(const struct copies *copies, int (*each)(void *userdata, const char *path, int fd),
                void *userdata) {
        struct search s = { .copies = copies, .each = each, .userdata = userdata };

        return search_all(&s);
}

int places_collect(const struct copies *copies, struct copy_list *ret) {
        struct copy_list list = { 0 };
        struct search s = { .copies = copies, .list = &list };
        int r = search_all(&s);

        if (r < 0) {
                copy_list_done(&list);
                return r;
        }
        demote(&list);
        *ret = list;
        return 0;
}

/* is_same() - nobody put another folder there since the record was read */
static bool is_same(int folder, const struct record *record) {
        _cleanup_free_ char *identity = record_identity(folder);

        return identity && place_check(folder) == 0 &&
               (!record->identity || strcmp(identity, record->identity) == 0);
}

/* lock() - one process removes at a time; a death releases it. 0, -EBUSY, -ENOENT when another one
 * was faster */
static int lock(int folder, bool wait) {
        struct stat st;

        while (flock(folder, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
                if (errno != EINTR)
                        return errno == EWOULDBLOCK ? -EBUSY : -errno;
        if (fstat(folder, &st) < 0)
                return -errno;
        return st.st_nlink == 0 ? -ENOENT : 0;
}

int place_live_in(int folder) {
        struct flock mark = { .l_type = F_RDLCK };
        int r = lock(folder, true); /* a sweep that saw no mark yet may be at it */

        (void)fcntl(folder, F_OFD_SETLK, &mark); /* where that fails, one set at a time must do */
        (void)flock(folder, LOCK_UN);
        return r;
}

int places_remove(const struct copies_kind *kind, const char *place, const char *name,
                  const struct record *record, bool wait) {
        _cleanup_close_ int at = open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int folder = -1;
        int r;

        if (at < 0)
                return -errno;
        folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!is_same(folder, record))
                return -ESTALE;
        r = lock(folder, wait);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (!wait && place_is_lived_in(folder))
                return -EBUSY; /* since the list was made */
        /* a rename needs no space, so that a full file system can be emptied */
        if (renameat(folder, "record", folder, "deleted") < 0 && errno != ENOENT)
                return -errno;
        if (fsync(folder) < 0)
                return -errno;
        if (record->identity) { /* without a record nothing can have been begun */
                r = kind->remove(folder);
                if (r < 0)
                        return r;
        }
        (void)unlinkat(folder, "record.new", 0);
        (void)unlinkat(folder, "deleted", 0);
        return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}
