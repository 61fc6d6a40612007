/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-leaf.c - one file, link or device into its place.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/restorer.h"
#include "backup/staging.h"
#include "base/cleanup.h"
#include "base/file.h"

/* ---- one file ---- */

/* where upper and lower case are one, a name that is found may be another one */
bool spot_is_exact(const struct spot *spot) {
        _cleanup_closedir_ DIR *dir = read_directory(spot->fd);
        const struct dirent *entry;

        while (dir && (entry = readdir(dir)))
                if (strcmp(entry->d_name, spot->name) == 0)
                        return true;
        return false;
}

int spot_not_exact(const struct spot *spot, struct vss_error *reterr) {
        return vss_fail(reterr, -EEXIST,
                        "'%s' cannot be put in place: a file is there whose name differs "
                        "only in upper and lower case or spelling, which is one name here; "
                        "rename it, or restore to another place",
                        spot->full);
}

/* PLACE_KEPT: something is there and stays */
static int look_first(struct restore *restore, const struct spot *spot, struct vss_error *reterr) {
        const struct places *places = &restore->places;
        enum restore_existing existing = restore->request->existing;
        _cleanup_close_ int held = -1;

        if (existing == RESTORE_REPLACE && !restore->in_use &&
            !places->levels[places->levels_count - 1].folds_case)
                return 0;
        if (faccessat(spot->fd, spot->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : cannot_place(spot, -errno, reterr);
        if (places->levels[places->levels_count - 1].folds_case && !spot_is_exact(spot))
                return spot_not_exact(spot, reterr);
        if (existing == RESTORE_KEEP)
                return PLACE_KEPT;
        if (existing == RESTORE_MUST_BE_ABSENT)
                return cannot_place(spot, -EEXIST, reterr);
        /* a whole restore looks right before the exchange */
        return places->staging ? 0
                               : in_use_take(restore->in_use, spot->fd, spot->name, spot->full,
                                             false, &held, reterr);
}

static bool inherits_acl(const struct restore *restore) {
        return restore->places.levels[restore->places.levels_count - 1].has_default_acl;
}

static int fill_file(struct restore *restore, const struct view_item *item, int fd,
                     struct vss_error *reterr) {
        const struct view_part *newest = &item->parts[0];
        struct attributes attributes = { 0 };
        int r = members_attributes(&restore->members, newest, &attributes, reterr);

        if (r >= 0)
                r = members_content(&restore->members, item, fd, reterr);
        if (r >= 0)
                r = attributes_apply(fd, newest->record, &attributes, inherits_acl(restore),
                                     reterr);
        attributes_done(&attributes);
        return r;
}

static int made(struct restore *restore, const struct view_part *part, struct spot *spot, int fd,
                struct vss_error *reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return cannot_place(spot, -errno, reterr);
        spot->made = st.st_ino;
        return linked_add(&restore->linked, part, spot, places_made_path(&restore->places, spot),
                          fd) < 0
                       ? vss_fail(reterr, -ENOMEM, "out of memory")
                       : 0;
}

static int place_file(struct restore *restore, const struct view_item *item, struct spot *spot,
                      struct vss_error *reterr) {
        struct new_file file;
        int r = new_file_begin(&file, spot, item->parts[0].record->mode, reterr);

        if (r < 0)
                return r;
        r = fill_file(restore, item, file.fd, reterr);
        if (r >= 0)
                r = new_file_place(&file, spot, reterr);
        if (r >= 0)
                r = made(restore, &item->parts[0], spot, file.fd, reterr);
        new_file_done(&file, spot);
        return r;
}

static int make_special(const struct record *record, const struct spot *spot, const char *name) {
        unsigned device_major = 0, device_minor = 0;
        dev_t device;
        int r;

        if (record->kind == ENTRY_SYMLINK)
                r = symlinkat(record->extra, spot->fd, name);
        else if (record->kind == ENTRY_FIFO)
                r = mkfifoat(spot->fd, name, 0600);
        else {
                if (sscanf(record->extra, "%u:%u", &device_major, &device_minor) != 2)
                        return -EBADMSG;
                device = makedev(device_major, device_minor);
                r = mknodat(spot->fd, name, (record->kind == ENTRY_CHAR ? S_IFCHR : S_IFBLK) | 0600,
                            device);
        }
        return r < 0 ? -errno : 0;
}

static int place_special(struct restore *restore, const struct view_item *item, struct spot *spot,
                         struct vss_error *reterr) {
        const struct record *record = item->parts[0].record;
        struct attributes attributes = { 0 };
        _cleanup_close_ int fd = -1;
        char name[LEFTOVERS_NAME_SIZE];
        int r = leftovers_name(name);

        if (r >= 0)
                r = make_special(record, spot, name);
        if (r < 0)
                return cannot_place(spot, r, reterr);
        fd = openat(spot->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? cannot_place(spot, -errno, reterr)
                   : members_attributes(&restore->members, &item->parts[0], &attributes, reterr);
        if (r >= 0)
                r = attributes_apply(fd, record, &attributes, inherits_acl(restore), reterr);
        attributes_done(&attributes);
        if (r >= 0)
                r = rename_in(spot, name, -1, reterr);
        if (r < 0) {
                (void)unlinkat(spot->fd, name, 0);
                return r;
        }
        return made(restore, &item->parts[0], spot, fd, reterr);
}

/* another name of something restored before: 0 done, 1 it cannot be linked, make it anew */
static int place_link(struct restore *restore, const struct linked *linked, struct spot *spot,
                      struct vss_error *reterr) {
        const char *slash = strrchr(linked->path, '/');
        _cleanup_free_ char *folder =
                slash ? strndup(linked->path, (size_t)(slash - linked->path)) : strdup("");
        const char *first = slash ? slash + 1 : linked->path;
        _cleanup_close_ int fd = -1;
        char name[LEFTOVERS_NAME_SIZE];
        struct stat st;
        int r = leftovers_name(name);

        if (!folder || r < 0)
                return cannot_place(spot, r < 0 ? r : -ENOMEM, reterr);
        fd = open_by_steps(restore->places.roots[linked->root].fd, folder);
        if (fd < 0 || linkat(fd, first, spot->fd, name, 0) < 0)
                return 1;
        if (fstatat(spot->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != linked->device ||
            st.st_ino != linked->inode) {
                (void)unlinkat(spot->fd, name, 0);
                return 1;
        }
        r = rename_in(spot, name, -1, reterr);
        spot->made = st.st_ino;
        /* a rename onto another name of the same file does nothing at all */
        (void)unlinkat(spot->fd, name, 0);
        return r;
}

/* what goes for the spot in its directory, and its name beside if it has one */
static int settle_spot(struct restore *restore, struct spot *spot, struct vss_error *reterr) {
        struct places *places = &restore->places;
        const struct place_level *level = &places->levels[places->levels_count - 1];
        int r = 0;

        spot->fresh = level->created || level->staged;
        spot->replace = restore->request->existing == RESTORE_REPLACE && !spot->fresh;
        if (!places->staging || level->staged)
                return 0;
        r = staging_spot(places->staging, spot);
        spot->replace = false; /* nothing has the name beside */
        return r < 0 ? cannot_place(spot, r, reterr) : 0;
}

static int place_leaf(struct restore *restore, const struct view_item *item, struct spot *spot,
                      bool *ret_broken, struct vss_error *reterr) {
        const struct view_part *part = &item->parts[0];
        const struct linked *linked = NULL;
        int r;

        if (item->parts_count == 1 && part->record->links > 1) {
                linked = linked_find(&restore->linked, part, spot->moved);
                *ret_broken = linked || linked_find(&restore->linked, part, !spot->moved);
        }
        r = linked ? place_link(restore, linked, spot, reterr) : 1;
        *ret_broken = *ret_broken && r == 1;
        if (r != 1)
                return r;
        spot->bytes = part->record->size;
        if (small_files_want(item)) {
                r = small_files_put(restore->small, &restore->members, part, spot,
                                    inherits_acl(restore), reterr);
                return r < 0 ? r : PLACE_LATER;
        }
        small_files_settle(restore->small);
        if (part->record->kind == ENTRY_FILE)
                return place_file(restore, item, spot, reterr);
        return place_special(restore, item, spot, reterr);
}

/* what was written through one name of a file is there under the others: a second time would save
 * as old what is new */
static int place_ranges(struct restore *restore, const struct view_part *part, struct spot *spot,
                        struct vss_error *reterr) {
        struct staging *staging = restore->places.staging;
        _cleanup_close_ int fd = -1;
        int r;

        if (staging && linked_find(&restore->linked, part, spot->moved))
                return 0;
        r = restore_ranges(&restore->members, part, spot, staging, reterr);
        if (r < 0 || !staging || part->record->links < 2)
                return r;
        fd = openat(spot->fd, spot_name(spot), O_PATH | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? cannot_place(spot, -errno, reterr) : made(restore, part, spot, fd, reterr);
}

int restore_leaf(struct restore *restore, const struct view_item *item, struct spot *spot,
                 bool *ret_broken, struct vss_error *reterr) {
        const struct view_part *part = &item->parts[0];
        struct staging *staging = restore->places.staging;
        bool patch = restore->request->image > 0 &&
                     item->parts[item->parts_count - 1].record->archive == ARCHIVE_RANGES;
        int r;

        *ret_broken = false;
        if (!places_is_here(&restore->places, spot))
                small_files_settle(restore->small);
        r = places_enter(&restore->places, spot, part->record->uid, true, reterr);
        if (r >= 0)
                r = settle_spot(restore, spot, reterr);
        if (r >= 0 && !patch && !spot->fresh)
                r = look_first(restore, spot, reterr);
        if (r != 0)
                return r;
        if (patch)
                return place_ranges(restore, part, spot, reterr);
        r = place_leaf(restore, item, spot, ret_broken, reterr);
        return r == 0 && spot->beside[0] ? staging_put(staging, spot, false, reterr) : r;
}
