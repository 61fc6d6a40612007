/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * identify.c - the lasting names of a file system and of a btrfs subvolume, and the subvolumes that
 * lie inside of another. Asks the mounted file system first; the device only when that is silent.
 */
#define _GNU_SOURCE
#include <blkid/blkid.h>
#include <btrfsutil.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "volume/scan.h"

/* Linux 6.9; older headers do not have it. */
struct fs_uuid {
        uint8_t length;
        uint8_t uuid[16];
};
#define IOC_GET_FS_UUID _IOR(0x15, 0, struct fs_uuid)

enum { SUBVOLUME_READ_ONLY = 1 };

static int format_uuid(const uint8_t bytes[16], char **ret) {
        char text[VSS_ID_TEXT_SIZE];
        struct vss_id id;

        memcpy(id.bytes, bytes, sizeof(id.bytes));
        *ret = strdup(vss_id_format(&id, text));
        return *ret ? 0 : -ENOMEM;
}

static char *uuid_of_device(const char *device) {
        blkid_probe probe = blkid_new_probe_from_filename(device);
        const char *value = NULL;
        char *uuid = NULL;

        if (probe && blkid_do_safeprobe(probe) == 0 &&
            blkid_probe_lookup_value(probe, "UUID", &value, NULL) == 0)
                uuid = strdup(value);
        blkid_free_probe(probe);
        return uuid ? uuid : blkid_get_tag_value(NULL, "UUID", device);
}

static int find_fs_uuid(const struct volume *volume, int fd, char **ret) {
        static const uint8_t none[16];
        struct btrfs_ioctl_fs_info_args info = { 0 };
        struct fs_uuid known = { 0 };

        if (fd >= 0 && strcmp(volume->v.fs_type, "btrfs") == 0 &&
            ioctl(fd, BTRFS_IOC_FS_INFO, &info) == 0)
                return format_uuid(info.fsid, ret);
        if (fd >= 0 && ioctl(fd, IOC_GET_FS_UUID, &known) == 0 && known.length == 16 &&
            memcmp(known.uuid, none, sizeof(none)) != 0)
                return format_uuid(known.uuid, ret);
        *ret = uuid_of_device(volume->v.device);
        if (!*ret)
                *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
}

static int set_id(struct volume *volume, const uint8_t *subvolume) {
        char *id = NULL, text[VSS_ID_TEXT_SIZE] = "";
        struct vss_id uuid;
        int r;

        if (!*volume->v.fs_uuid)
                return 0;
        if (subvolume) {
                memcpy(uuid.bytes, subvolume, sizeof(uuid.bytes));
                vss_id_format(&uuid, text);
        }
        r = asprintf(&id, "UUID=%s%s%s", volume->v.fs_uuid, *text ? ":" : "", text);
        if (r < 0)
                return -ENOMEM;
        free((char *)(uintptr_t)volume->v.id);
        volume->v.id = id;
        return 0;
}

int scan_identify(struct volume *volume, int fd) {
        struct btrfs_util_subvolume_info info;
        char *uuid = NULL;
        int r = find_fs_uuid(volume, fd, &uuid);

        if (r < 0)
                return r;
        free((char *)(uintptr_t)volume->v.fs_uuid);
        volume->v.fs_uuid = uuid;
        if (fd < 0 || strcmp(volume->v.fs_type, "btrfs") != 0 ||
            btrfs_util_subvolume_info_fd(fd, 0, &info) != BTRFS_UTIL_OK)
                return set_id(volume, NULL);
        if (info.flags & SUBVOLUME_READ_ONLY)
                volume->v.read_only = 1;
        return set_id(volume, info.uuid);
}

/* A nested subvolume counts when one can step into it from @within: not covered by a mount. */
static int add_nested(struct scan *scan, const struct sight *within, int fd, const char *path,
                      const struct btrfs_util_subvolume_info *info) {
        _cleanup_free_ char *point = path_join(within->volume.v.mount_point, path);
        _cleanup_free_ char *inside = path_join(within->volume.v.subvolume, path);
        struct sight sight = *within;
        struct look look;
        int r;

        if (!point || !inside)
                return -ENOMEM;
        if (scan_is_ours(scan, point) || look_at(fd, path, &look) < 0 || look.inode != 256 ||
            look.mount_id != within->volume.v.mount_id)
                return 0;
        sight.mounted = false;
        sight.volume.v.mount_point = point;
        sight.volume.v.subvolume = *within->volume.v.subvolume ? inside : path;
        sight.volume.v.dev_major = look.dev_major;
        sight.volume.v.dev_minor = look.dev_minor;
        sight.volume.v.read_only |= (info->flags & SUBVOLUME_READ_ONLY) != 0;
        sight.volume.v.id = strdup("");
        r = sight.volume.v.id ? set_id(&sight.volume, info->uuid) : -ENOMEM;
        if (r == 0)
                r = scan_add(scan, &sight);
        free((char *)(uintptr_t)sight.volume.v.id);
        return r;
}

/* The kernel lets a user without privileges see the subvolumes that he can reach himself. The
 * library then closes descriptors on its way, that of the caller too: give it one of its own. */
int scan_nested(struct scan *scan, const struct sight *within, int fd) {
        struct btrfs_util_subvolume_iterator *iterator;
        struct btrfs_util_subvolume_info info;
        char path_of_fd[32];
        int r = 0;

        (void)snprintf(path_of_fd, sizeof(path_of_fd), "/proc/self/fd/%d", fd);
        if (btrfs_util_create_subvolume_iterator(path_of_fd, 0, 0, &iterator) != BTRFS_UTIL_OK)
                return 0;
        while (r == 0) {
                char *path = NULL;

                if (btrfs_util_subvolume_iterator_next_info(iterator, &path, &info) !=
                    BTRFS_UTIL_OK)
                        break;
                r = add_nested(scan, within, fd, path, &info);
                free(path);
        }
        btrfs_util_destroy_subvolume_iterator(iterator);
        return r;
}
