/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "hold/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* linux/fs.h has it since 6.9 */
struct fsuuid {
        uint8_t size;
        uint8_t uuid[16];
};
#define GET_FS_UUID _IOR(0x15, 0, struct fsuuid)

/* mountinfo writes space, tab, newline and backslash as \ooo */
static void unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; from++) {
                if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
                        *to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
                                       (from[3] - '0'));
                        from += 3;
                } else {
                        *to++ = *from;
                }
        }
        *to = '\0';
}

/* "id parent major:minor root mount-point options..." */
static bool parse_line(char *line, struct mount_line *ret) {
        unsigned major_number, minor_number;
        char *field[5], *rest = line;

        for (int i = 0; i < 5; i++) {
                field[i] = strsep(&rest, " ");
                if (!rest)
                        return false;
        }
        if (sscanf(field[0], "%" SCNu64, &ret->mount_id) != 1 ||
            sscanf(field[2], "%u:%u", &major_number, &minor_number) != 2)
                return false;
        unescape(field[4]);
        ret->super = makedev(major_number, minor_number);
        ret->mount_point = field[4];
        return true;
}

int mounts_each(int (*each)(void *userdata, const struct mount_line *line), void *userdata) {
        _cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        if (!file)
                return -errno;
        while (getline(&line, &size, file) > 0) {
                struct mount_line mount;
                int r;

                if (!parse_line(line, &mount))
                        continue;
                r = each(userdata, &mount);
                if (r != 0)
                        return r;
        }
        return ferror(file) ? -EIO : 0;
}

int fs_device_and_mount(int fd, uint64_t *ret_device, uint64_t *ret_mount_id) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &st) < 0)
                return -errno;
        if (!(st.stx_mask & STATX_MNT_ID))
                return -EOPNOTSUPP;
        *ret_device = makedev(st.stx_dev_major, st.stx_dev_minor);
        *ret_mount_id = st.stx_mnt_id;
        return 0;
}

static void read_uuid(int fd, struct fs_identity *identity) {
        struct fsuuid uuid = { 0 };
        struct btrfs_ioctl_fs_info_args info = { 0 };
        struct statfs st;

        if (ioctl(fd, GET_FS_UUID, &uuid) >= 0 && uuid.size == sizeof(uuid.uuid)) {
                identity->uuid_size = sizeof(uuid.uuid);
                memcpy(identity->uuid, uuid.uuid, sizeof(uuid.uuid));
        } else if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) >= 0) {
                identity->uuid_size = sizeof(info.fsid);
                memcpy(identity->uuid, info.fsid, sizeof(info.fsid));
        } else if (fstatfs(fd, &st) >= 0) {
                identity->uuid_size = sizeof(st.f_fsid);
                memcpy(identity->uuid, &st.f_fsid, sizeof(st.f_fsid));
        }
}

static int take_line(void *userdata, const struct mount_line *line) {
        struct fs_identity *identity = userdata;

        if (line->mount_id != identity->mount_id)
                return 0;
        if (strlen(line->mount_point) >= sizeof(identity->mount_point))
                return -ENAMETOOLONG;
        identity->super = line->super;
        strcpy(identity->mount_point, line->mount_point);
        return 1;
}

int fs_identify(int fd, struct fs_identity *ret) {
        int r;

        memset(ret, 0, sizeof(*ret));
        r = fs_device_and_mount(fd, &ret->device, &ret->mount_id);
        if (r < 0)
                return r;
        r = mounts_each(take_line, ret);
        if (r < 0)
                return r;
        if (r == 0)
                return -ENOENT;
        read_uuid(fd, ret);
        return 0;
}

int fs_same_uuid(const struct fs_identity *a, const struct fs_identity *b) {
        return a->uuid_size != b->uuid_size || memcmp(a->uuid, b->uuid, a->uuid_size) == 0;
}
