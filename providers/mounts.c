/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kit.h"

static void mount_done(struct mount *mount) {
        free(mount->root);
        free(mount->point);
        free(mount->fs_type);
}

static int add(struct mounts *mounts, struct libmnt_fs *fs) {
        const char *options = mnt_fs_get_vfs_options(fs), *super = mnt_fs_get_fs_options(fs);
        struct mount mount = {
                .id = (uint64_t)mnt_fs_get_id(fs),
                .major = major(mnt_fs_get_devno(fs)),
                .minor = minor(mnt_fs_get_devno(fs)),
                .root = strdup(mnt_fs_get_root(fs) ?: ""),
                .point = strdup(mnt_fs_get_target(fs) ?: ""),
                .fs_type = strdup(mnt_fs_get_fstype(fs) ?: ""),
                .read_only = (options && mnt_optstr_get_option(options, "ro", NULL, NULL) == 0) ||
                             (super && mnt_optstr_get_option(super, "ro", NULL, NULL) == 0),
        };

        if (!mount.root || !mount.point || !mount.fs_type ||
            !KIT_GROW(&mounts->items, mounts->count, &mounts->capacity)) {
                mount_done(&mount);
                return -ENOMEM;
        }
        mounts->items[mounts->count++] = mount;
        return 0;
}

int mounts_read(struct mounts *ret) {
        struct libmnt_table *table = mnt_new_table();
        struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
        struct mounts mounts = { 0 };
        struct libmnt_fs *fs;
        int r = table && iter ? mnt_table_parse_file(table, "/proc/self/mountinfo") : -ENOMEM;

        while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0)
                r = add(&mounts, fs);
        mnt_free_iter(iter);
        mnt_unref_table(table);
        if (r != 0) {
                mounts_done(&mounts);
                return r < 0 ? r : -EIO;
        }
        *ret = mounts;
        return 0;
}

void mounts_done(struct mounts *mounts) {
        for (size_t i = 0; i < mounts->count; i++)
                mount_done(&mounts->items[i]);
        free(mounts->items);
        *mounts = (struct mounts){ 0 };
}

const struct mount *mounts_by_id(const struct mounts *mounts, uint64_t id) {
        for (size_t i = 0; id != 0 && i < mounts->count; i++)
                if (mounts->items[i].id == id)
                        return &mounts->items[i];
        return NULL;
}

uint64_t mount_id_of(int fd) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
                return 0;
        return st.stx_mnt_id;
}

int mount_open(const struct mount *mount) {
        int fd = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (mount_id_of(fd) == mount->id)
                return fd;
        close(fd);
        return -ESTALE;
}

static bool is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        while (n > 0 && ancestor[n - 1] == '/')
                n--;
        return strncmp(path, ancestor, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* inside_path() - @folder as its file system sees it, given the mount that holds it */
static char *inside_path(const struct mount *holder, const char *folder) {
        size_t skip = strcmp(holder->point, "/") == 0 ? 0 : strlen(holder->point);
        char *path;

        if (!is_below(folder, holder->point) ||
            asprintf(&path, "%s%s", strcmp(holder->root, "/") == 0 ? "" : holder->root,
                     folder + skip) < 0)
                return NULL;
        return path;
}

size_t mounts_using(const char *folder, bool detach) {
        _cleanup_close_ int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *inside = NULL;
        const struct mount *holder;
        struct mounts mounts;
        size_t left = 0;

        if (fd < 0 || mounts_read(&mounts) < 0)
                return 0;
        holder = mounts_by_id(&mounts, mount_id_of(fd));
        inside = holder ? inside_path(holder, folder) : NULL;
        for (size_t i = mounts.count; i-- > 0;) { /* the youngest first */
                const struct mount *m = &mounts.items[i];
                bool shows = inside && m != holder && m->major == holder->major &&
                             m->minor == holder->minor && is_below(m->root, inside);

                if (!shows && !(m != holder && is_below(m->point, folder)))
                        continue;
                if (!detach || umount2(m->point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                        left++;
        }
        mounts_done(&mounts);
        return left;
}
