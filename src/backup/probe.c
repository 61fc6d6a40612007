/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c - could it be put in place? The same walk as the restore's, changing nothing: what
 * is at each place, and what is in the way of a name being exchanged there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/restorer.h"
#include "base/array.h"
#include "base/cleanup.h"

#define BLOCK 4096
#define XFS_MAGIC 0x58465342
/* of larger ones it is looked up how much of them is hole */
#define LARGE (UINT64_C(64) << 20)

struct room {
        dev_t device;
        uint64_t bytes, files; /* needed */
        uint64_t free_bytes, free_files;
        bool clones;
        char *path;
};

struct probing {
        struct restore_probe result;
        void (*found)(void *userdata, const struct entry *entry, const char *place,
                      enum restore_state state, int code, const char *words);
        struct room *rooms;
        size_t rooms_count, rooms_capacity;
        /* the directory that was looked at last, and what it said */
        dev_t device;
        ino_t inode;
        int code;
        struct vss_error words;
};

void restore_probe_done(struct restore_probe *probe) {
        free(probe->obstacle);
        free(probe->words);
        free(probe->present);
        *probe = (struct restore_probe){ 0 };
}

struct probing *probing_free(struct probing *probing) {
        if (!probing)
                return NULL;
        for (size_t i = 0; i < probing->rooms_count; i++)
                free(probing->rooms[i].path);
        free(probing->rooms);
        vss_error_clear(&probing->words);
        restore_probe_done(&probing->result);
        free(probing);
        return NULL;
}

struct probing *probing_new(void (*found)(void *userdata, const struct entry *entry,
                                          const char *place, enum restore_state state, int code,
                                          const char *words)) {
        struct probing *probing = calloc(1, sizeof(*probing));

        if (probing)
                probing->found = found;
        return probing;
}

/* ---- directories ---- */

static int check_flags(const struct statx *stx, const char *full, struct vss_error *reterr) {
        const char *words = stx->stx_attributes & STATX_ATTR_IMMUTABLE
                                    ? "is immutable; end that (chattr -i)"
                            : stx->stx_attributes & STATX_ATTR_APPEND
                                    ? "may only be appended to; end that (chattr -a)"
                                    : NULL;

        return words ? vss_fail(reterr, -EPERM, "'%s' cannot be put in place: it %s", full, words)
                     : 0;
}

/* is_locked() - encrypted, and its key is not there: only the kernel knows all the ways in
 * which it could be. A file without a name is no change */
static bool is_locked(int fd, const struct statx *stx) {
        _cleanup_close_ int made = -1;

        if (!(stx->stx_attributes & STATX_ATTR_ENCRYPTED))
                return false;
        made = openat(fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        return made < 0 && errno == ENOKEY;
}

static int check_directory(int fd, const char *full, struct vss_error *reterr) {
        struct statvfs fs;
        struct statx stx;

        if (fstatvfs(fd, &fs) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
                return vss_fail(reterr, -errno, "'%s' cannot be put in place: %s", full,
                                strerror(errno));
        if (fs.f_flag & ST_RDONLY)
                return vss_fail(reterr, -EROFS,
                                "'%s' cannot be put in place: the file system is read-only; mount "
                                "it for writing, or restore to another place",
                                full);
        if (stx.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
                return vss_fail(reterr, -EPERM,
                                "'%s' cannot be put in place: its directory is immutable or may "
                                "only be appended to; end that (chattr -i -a)",
                                full);
        if (is_locked(fd, &stx))
                return vss_fail(reterr, -ENOKEY, "'%s' cannot be put in place: %s", full,
                                place_trouble(-ENOKEY));
        if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
                return vss_fail(reterr, -errno,
                                "'%s' cannot be put in place: its directory may not be written; "
                                "restore as its owner or as root",
                                full);
        return 0;
}

static struct room *room_on(struct probing *probing, int fd, const char *full) {
        struct statvfs fs = { 0 };
        struct statfs type = { 0 };
        struct room *room;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return NULL;
        for (size_t i = 0; i < probing->rooms_count; i++)
                if (probing->rooms[i].device == st.st_dev)
                        return &probing->rooms[i];
        if (fstatvfs(fd, &fs) < 0 || fstatfs(fd, &type) < 0 ||
            ARRAY_RESERVE(&probing->rooms, probing->rooms_count, &probing->rooms_capacity) < 0)
                return NULL;
        room = &probing->rooms[probing->rooms_count++];
        *room = (struct room){ .device = st.st_dev, .path = strdup(full) };
        room->free_bytes = (geteuid() == 0 ? fs.f_bfree : fs.f_bavail) * (uint64_t)fs.f_frsize;
        room->free_files = fs.f_files > 0 ? fs.f_favail : UINT64_MAX;
        room->clones = type.f_type == BTRFS_SUPER_MAGIC || type.f_type == XFS_MAGIC;
        return room;
}

/* the innermost directory that is there; each is looked at once */
static int look_at_directory(struct restore *restore, const struct spot *spot,
                             struct room **ret_room, struct vss_error *reterr) {
        struct probing *probing = restore->probing;
        const struct places *places = &restore->places;
        _cleanup_close_ int opened = -1;
        int fd = places->levels_count > 0 ? places->levels[places->levels_count - 1].fd : -1;
        struct stat st;

        *ret_room = NULL;
        if (fd < 0) /* not even the folder that everything goes into */
                fd = opened = places_open_above(places);
        if (fd < 0 || fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "'%s' cannot be put in place: %s", spot->full,
                                strerror(errno));
        *ret_room = room_on(probing, fd, spot->full);
        if (!*ret_room)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (probing->device != st.st_dev || probing->inode != st.st_ino) {
                vss_error_clear(&probing->words);
                probing->code = check_directory(fd, spot->full, &probing->words);
                probing->device = st.st_dev;
                probing->inode = st.st_ino;
        }
        return probing->code < 0
                       ? vss_fail(reterr, probing->code, "%s", vss_error_message(&probing->words))
                       : 0;
}

/* ---- what is there ---- */

static int check_present(struct restore *restore, const struct spot *spot, const struct statx *stx,
                         bool for_write, struct vss_error *reterr) {
        const struct place_level *level = &restore->places.levels[restore->places.levels_count - 1];
        _cleanup_close_ int held = -1;
        int r = check_flags(stx, spot->full, reterr);

        if (r < 0)
                return r;
        if (S_ISDIR(stx->stx_mode))
                return vss_fail(reterr, -EISDIR,
                                "'%s' cannot be put in place: a directory is there; move it away, "
                                "or restore to another place",
                                spot->full);
        if (stx->stx_attributes & STATX_ATTR_VERITY)
                return vss_fail(reterr, -EPERM,
                                "'%s' cannot be put in place: it is sealed by fs-verity; remove it "
                                "first",
                                spot->full);
        if (stx->stx_attributes & STATX_ATTR_MOUNT_ROOT ||
            makedev(stx->stx_dev_major, stx->stx_dev_minor) != level->device)
                return vss_fail(reterr, -EBUSY,
                                "'%s' cannot be put in place: something is mounted there; unmount "
                                "it first",
                                spot->full);
        if (level->folds_case && !spot_is_exact(spot))
                return spot_not_exact(spot, reterr);
        return in_use_take(restore->in_use, spot->fd, spot->name, spot->full, for_write, &held,
                           reterr);
}

/* ---- room ---- */

static uint64_t ranges_size(const struct record *record) {
        _cleanup_free_ struct byte_range *ranges = NULL;
        uint64_t size = 0;
        size_t count;

        if (record_ranges_parse(record->extra, &ranges, &count) < 0)
                return 0;
        for (size_t i = 0; i < count; i++)
                size += ranges[i].length;
        return size;
}

static uint64_t size_of(struct restore *restore, const struct view_item *item,
                        const struct room *room) {
        const struct view_part *last = &item->parts[item->parts_count - 1];
        const struct record *record = item->parts[0].record;
        uint64_t size = record->size;

        if (record->kind != ENTRY_FILE || record->link[0])
                return 0;
        if (last->record->archive == ARCHIVE_RANGES) /* the new ones, and the old for the undo */
                return ranges_size(record) * (room->clones ? 1 : 2);
        if (size >= LARGE && item->parts_count == 1)
                (void)members_data_size(&restore->members, last, &size);
        return (size + BLOCK - 1) / BLOCK * BLOCK;
}

static void obstacle(struct probing *probing, const char *path, int code, const char *words) {
        if (probing->result.code < 0)
                return;
        probing->result.code = code;
        probing->result.obstacle = strdup(path);
        probing->result.words = strdup(words);
}

/* ---- each ---- */

static void told(struct restore *restore, const struct view_item *item, const struct spot *spot,
                 enum restore_state state, int code, const char *words) {
        const struct view_part *part = &item->parts[0];
        struct probing *probing = restore->probing;
        struct byte_range *ranges = NULL;
        struct entry entry;

        if (code < 0)
                obstacle(probing, spot->full ? spot->full : item->path, code, words);
        if (part->record->kind == ENTRY_DIRECTORY && code >= 0)
                return;
        probing->result.creatable += state == RESTORE_CREATABLE;
        probing->result.replaceable += state == RESTORE_REPLACEABLE;
        probing->result.blocked_absent += state == RESTORE_BLOCKED_ABSENT;
        probing->result.blocked += state == RESTORE_BLOCKED;
        probing->result.in_use += code == -EBUSY;
        if (probing->found &&
            record_to_entry(part->record, &restore->chain.links[part->link], &entry, &ranges) >= 0)
                probing->found(restore->request->userdata, &entry, spot->full ? spot->full : "",
                               state, code, words);
        free(ranges);
}

/* 0: absent, 1: there, negative */
static int look(struct restore *restore, const struct view_item *item, const struct spot *spot,
                struct vss_error *reterr) {
        const struct record *last = item->parts[item->parts_count - 1].record;
        bool patch = restore->request->image > 0 && last->archive == ARCHIVE_RANGES;
        bool is_directory = item->parts[0].record->kind == ENTRY_DIRECTORY;
        struct statx stx;

        if (statx(spot->fd, spot->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx) < 0) {
                if (errno != ENOENT)
                        return cannot_place(spot, -errno, reterr);
                return patch && strncmp(last->extra, "0:", 2) != 0
                               ? vss_fail(reterr, -ENOENT,
                                          "'%s' is missing: the image holds only ranges of it, "
                                          "restore its base first",
                                          spot->full)
                               : 0;
        }
        if (is_directory)
                return vss_fail(reterr, -ENOTDIR,
                                "'%s' is no directory, and the backup has one there; move it away, "
                                "or restore to another place",
                                spot->full);
        if (!restore->probing->result.present)
                restore->probing->result.present = strdup(spot->full);
        return check_present(restore, spot, &stx, patch && last->links > 1, reterr) < 0
                       ? reterr->code
                       : 1;
}

static bool is_there(const struct spot *spot) {
        return spot->fd >= 0 && faccessat(spot->fd, spot->name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/* a directory on a directory changes nothing in the one above */
static bool is_merged(const struct view_item *item, const struct spot *spot) {
        struct stat st;

        return item->parts[0].record->kind == ENTRY_DIRECTORY &&
               (!*spot->name || (fstatat(spot->fd, spot->name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                                 S_ISDIR(st.st_mode)));
}

int probe_item(struct restore *restore, const struct view_item *item, struct spot *spot) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct places *places = &restore->places;
        struct room *room = NULL;
        int r = places->roots[spot->root].fd < 0
                        ? -ENOENT
                        : places_enter(places, spot, item->parts[0].record->uid, false, &error);
        int there = r == -ENOENT ? 0 : r;

        if (r >= 0 && is_merged(item, spot))
                return 0;
        if (r == -ENOENT || r >= 0) {
                vss_error_clear(&error);
                r = look_at_directory(restore, spot, &room, &error);
        }
        if (r >= 0 && spot->fd >= 0)
                r = there = look(restore, item, spot, &error);
        if (room && (there >= 0)) {
                room->bytes += size_of(restore, item, room);
                room->files += there != 1 && !item->parts[0].record->link[0];
        }
        told(restore, item, spot,
             r >= 0           ? (there == 1 ? RESTORE_REPLACEABLE : RESTORE_CREATABLE)
             : is_there(spot) ? RESTORE_BLOCKED
                              : RESTORE_BLOCKED_ABSENT,
             r < 0 ? r : 0, r < 0 ? vss_error_message(&error) : NULL);
        return r == -ENOMEM ? r : 0;
}

/* ---- the end ---- */

static void check_room(struct probing *probing, const struct room *room) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        bool full = room->bytes > room->free_bytes;

        if (!full && room->files <= room->free_files)
                return;
        if (full)
                vss_fail(&error, -ENOSPC,
                         "%llu bytes are needed on the file system of '%s' until all files are in "
                         "place, and %llu are free; make room, or restore to another place",
                         (unsigned long long)room->bytes, room->path,
                         (unsigned long long)room->free_bytes);
        else
                vss_fail(&error, -ENOSPC,
                         "the file system of '%s' can take %llu more files, and %llu are to be "
                         "made; make room, or restore to another place",
                         room->path, (unsigned long long)room->free_files,
                         (unsigned long long)room->files);
        obstacle(probing, room->path, -ENOSPC, vss_error_message(&error));
}

void probing_end(struct probing *probing, struct restore_probe *ret) {
        const struct room *least = NULL;

        for (size_t i = 0; i < probing->rooms_count; i++) {
                const struct room *room = &probing->rooms[i];

                check_room(probing, room);
                if (!least || (int64_t)(room->free_bytes - room->bytes) <
                                      (int64_t)(least->free_bytes - least->bytes))
                        least = room;
        }
        if (least) {
                probing->result.bytes_needed = least->bytes;
                probing->result.bytes_free = least->free_bytes;
        }
        *ret = probing->result;
        probing->result = (struct restore_probe){ 0 };
}
