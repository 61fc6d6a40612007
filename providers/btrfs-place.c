/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-place.c - subvolumes and the file system below them: what can be copied, where copies go,
 * whether there is room.
 */
#define _GNU_SOURCE
#include <btrfsutil.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "btrfs.h"
#include "kit.h"
#include "mounts.h"
#include "places.h"

enum { MIN_METADATA = 4 << 20 };

bool subvolume_is_there(int folder) {
        struct stat st;

        return fstatat(folder, "copy", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
               st.st_ino == BTRFS_FIRST_FREE_OBJECTID;
}

int subvolume_delete(int folder, const char *name) {
        _cleanup_close_ int fd = -1;

        if (btrfs_util_delete_subvolume_fd(folder, name, 0) == BTRFS_UTIL_OK || errno == ENOENT)
                return 0;
        /* a user must make it writable first, and a broken copy may have got subvolumes of its own
         */
        fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        (void)btrfs_util_set_subvolume_read_only_fd(fd, false);
        if (btrfs_util_delete_subvolume_fd(folder, name, BTRFS_UTIL_DELETE_SUBVOLUME_RECURSIVE) ==
            BTRFS_UTIL_OK)
                return 0;
        return errno == ENOENT ? 0 : -errno;
}

int subvolume_make_read_only(int folder, const char *name, const char *of,
                             struct vss_error *reterr) {
        _cleanup_close_ int fd =
                openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || btrfs_util_set_subvolume_read_only_fd(fd, true) != BTRFS_UTIL_OK)
                return fail_errno(reterr, errno, "cannot make the copy of '%s' read-only", of);
        return 0;
}

/* try_delete() - may this user delete subvolumes below @root? Tried with an empty one, which a
 * plain rmdir removes in any case. 1, 0 with words */
static int try_delete(const char *root, struct vss_error *reterr) {
        _cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char name[64];
        bool deleted;

        snprintf(name, sizeof(name), ".vss-trial-%d", (int)getpid());
        if (fd < 0 || btrfs_util_create_subvolume_fd(fd, name, 0, NULL, NULL) != BTRFS_UTIL_OK) {
                vss_fail(reterr, 0, "user %u cannot make subvolumes in '%s': %s", geteuid(), root,
                         kit_strerror(errno));
                return 0;
        }
        deleted = btrfs_util_delete_subvolume_fd(fd, name, 0) == BTRFS_UTIL_OK;
        if (deleted)
                return 1;
        (void)unlinkat(fd, name, AT_REMOVEDIR);
        vss_fail(reterr, 0,
                 "user %u could not delete copies of '%s' again: mount it with "
                 "user_subvol_rm_allowed",
                 geteuid(), root);
        return 0;
}

static int check_for_user(int fd, const struct vss_volume *volume, struct vss_error *reterr) {
        struct stat st;

        if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
                vss_fail(reterr, 0, "the subvolume '%s' is not user %u's", volume->mount_point,
                         geteuid());
                return 0;
        }
        return try_delete(volume->mount_point, reterr);
}

int volume_check(const struct vss_volume *volume, struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;
        struct statfs fs;
        struct stat st;

        if (strcmp(volume->fs_type, "btrfs") != 0) {
                vss_fail(reterr, 0, "'%s' is %s, not btrfs", volume->mount_point, volume->fs_type);
                return 0;
        }
        fd = open(volume->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0) {
                vss_fail(reterr, 0, "cannot open '%s': %s", volume->mount_point,
                         kit_strerror(errno));
                return 0;
        }
        if (fs.f_type != BTRFS_SUPER_MAGIC || st.st_ino != BTRFS_FIRST_FREE_OBJECTID) {
                vss_fail(reterr, 0, "'%s' is not the root of a subvolume", volume->mount_point);
                return 0;
        }
        if (volume->read_only) {
                vss_fail(reterr, 0, "'%s' is read-only, a copy cannot be put there",
                         volume->mount_point);
                return 0;
        }
        return geteuid() == 0 ? 1 : check_for_user(fd, volume, reterr);
}

/* can_hold() - could the folder `.vss` be there? */
static bool can_hold(const char *root) {
        _cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), place = -1;
        bool subvolume_read_only = true;

        if (fd < 0 || btrfs_util_get_subvolume_read_only_fd(fd, &subvolume_read_only) ||
            subvolume_read_only)
                return false;
        place = openat(fd, PLACE_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (place >= 0)
                return place_check(place) == 0;
        return errno == ENOENT && faccessat(fd, ".", W_OK, AT_EACCESS) == 0;
}

static bool shows_top_level(const struct mount *m) {
        _cleanup_close_ int fd = strcmp(m->root, "/") == 0 && !m->read_only ? mount_open(m) : -1;

        return fd >= 0 && can_hold(m->point);
}

static int choose(const struct mounts *mounts, const struct vss_volume *volume, uint64_t mount_id,
                  char **ret, bool *ret_is_mount) {
        const struct mount *own = mounts_by_id(mounts, mount_id);
        const char *root = volume->mount_point;

        *ret_is_mount = true;
        for (size_t i = 0; own && i < mounts->count; i++) {
                const struct mount *m = &mounts->items[i];

                if (m->major != own->major || m->minor != own->minor || !shows_top_level(m))
                        continue;
                *ret = strdup(m->point);
                return *ret ? 0 : -ENOMEM;
        }
        if (own && !own->read_only && can_hold(own->point))
                root = own->point;
        else
                *ret_is_mount = false;
        *ret = strdup(root);
        return *ret ? 0 : -ENOMEM;
}

int place_choose(struct copies *copies, const struct vss_volume *volume, char **ret,
                 struct vss_error *reterr) {
        _cleanup_close_ int fd = open(volume->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct mounts mounts;
        bool is_mount;
        int r = fd < 0 ? -errno : mounts_read(&mounts);

        if (r < 0)
                return fail_errno(reterr, r, "cannot find a place for a copy of '%s'",
                                  volume->mount_point);
        r = choose(&mounts, volume, mount_id_of(fd), ret, &is_mount);
        mounts_done(&mounts);
        if (r < 0)
                return fail_memory(reterr);
        return is_mount ? 0 : copies_remember_place(copies, *ret, reterr);
}

/* unallocated() - bytes of the devices that belong to no chunk yet; UINT64_MAX when not told */
static uint64_t unallocated(int fd) {
        struct btrfs_ioctl_fs_info_args fs = { 0 };
        uint64_t sum = 0;

        if (ioctl(fd, BTRFS_IOC_FS_INFO, &fs) < 0)
                return UINT64_MAX;
        for (uint64_t id = 0; id <= fs.max_id; id++) {
                struct btrfs_ioctl_dev_info_args device = { .devid = id };

                if (ioctl(fd, BTRFS_IOC_DEV_INFO, &device) == 0)
                        sum += device.total_bytes - device.bytes_used;
                else if (errno != ENODEV)
                        return UINT64_MAX; /* a user may not ask */
        }
        return sum;
}

/* free_metadata() - in chunks that are metadata already, without the file system's own reserve */
static uint64_t free_metadata(int fd) {
        enum { SLOTS = 32 };
        _cleanup_free_ struct btrfs_ioctl_space_args *args =
                calloc(1, sizeof(*args) + SLOTS * sizeof(args->spaces[0]));
        uint64_t free_bytes = 0, reserve = 0;

        if (!args)
                return UINT64_MAX;
        args->space_slots = SLOTS;
        if (ioctl(fd, BTRFS_IOC_SPACE_INFO, args) < 0)
                return UINT64_MAX;
        for (uint64_t i = 0; i < args->total_spaces && i < SLOTS; i++) {
                const struct btrfs_ioctl_space_info *s = &args->spaces[i];

                if (s->flags & BTRFS_SPACE_INFO_GLOBAL_RSV)
                        reserve = s->total_bytes - s->used_bytes;
                else if (s->flags & BTRFS_BLOCK_GROUP_METADATA)
                        free_bytes += s->total_bytes - s->used_bytes;
        }
        return free_bytes > reserve ? free_bytes - reserve : 0;
}

int metadata_check(const char *root, uint64_t min_free, struct vss_error *reterr) {
        _cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t more, have;
        int r;

        if (fd < 0)
                return fail_errno(reterr, errno, "cannot open '%s'", root);
        r = kit_space(fd, root, min_free, reterr);
        if (r < 0)
                return r;
        more = unallocated(fd);
        have = free_metadata(fd);
        if (more == UINT64_MAX || have == UINT64_MAX || more >= MIN_METADATA ||
            have >= MIN_METADATA)
                return 0;
        return vss_fail(reterr, VSS_E_INSUFFICIENT_STORAGE,
                        "'%s' has only %" PRIu64 " bytes left for metadata: free space, or run a "
                        "balance (btrfs balance start -dusage=50)",
                        root, have + more);
}

int source_open(struct source *source, struct vss_error *reterr) {
        struct btrfs_ioctl_get_subvol_info_args info = { 0 };
        struct btrfs_ioctl_fs_info_args fs = { 0 };
        _cleanup_close_ int fd = open(source->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t device;

        if (fd < 0 || ioctl(fd, BTRFS_IOC_GET_SUBVOL_INFO, &info) < 0 ||
            ioctl(fd, BTRFS_IOC_FS_INFO, &fs) < 0)
                return fail_errno(reterr, errno, "cannot open the subvolume '%s'",
                                  source->mount_point);
        memcpy(&device, fs.fsid, sizeof(device));
        if (!source->known) {
                memcpy(source->uuid, info.uuid, sizeof(source->uuid));
                source->fs_device = device;
                source->known = true;
        } else if (memcmp(source->uuid, info.uuid, sizeof(source->uuid)) != 0) {
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "another volume lies at '%s' than when the set began",
                                source->mount_point);
        }
        if (source->fd >= 0)
                close(source->fd);
        source->fd = take_fd(&fd);
        return 0;
}
