/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pending-move.c - one move of the journal: is everything what it was when the move was registered,
 * and the rename. Whoever can write in the directory meanwhile gains nothing: every step goes by
 * descriptors, no link is followed, and a thing that is another one stays where it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backup/pending-journal.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/sum.h"

#define XFS_MAGIC 0x58465342

/* XFS_IOC_FSGEOMETRY_V1, which every XFS answers; its statfs tells of the device only */
struct xfs_geometry {
        uint32_t before[16];
        uint8_t uuid[16];
        uint32_t after[8];
};
#define GET_XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)

int directory_identify(int fd, struct directory_identity *ret) {
        struct xfs_geometry geometry = { 0 };
        struct statfs fs;
        struct stat st;

        if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
                return -errno;
        *ret = (struct directory_identity){ .device = st.st_dev,
                                            .inode = st.st_ino,
                                            .fs_type = (uint64_t)fs.f_type };
        if (fs.f_type != XFS_MAGIC) {
                _Static_assert(sizeof(fs.f_fsid) == sizeof(ret->fs_id), "it is 64 bits");
                memcpy(&ret->fs_id, &fs.f_fsid, sizeof(ret->fs_id));
        } else if (ioctl(fd, GET_XFS_GEOMETRY, &geometry) >= 0)
                ret->fs_id = sum_add(SUM_BEGIN, geometry.uuid, sizeof(geometry.uuid));
        return 0;
}

bool directory_is(const struct directory_identity *a, const struct directory_identity *b) {
        if (a->inode != b->inode || a->fs_type != b->fs_type)
                return false;
        return a->fs_id && b->fs_id ? a->fs_id == b->fs_id : a->device == b->device;
}

int open_directory_of(const char *path, int *ret_fd, const char **ret_name) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
        const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
        int fd;

        if (!parent)
                return -ENOMEM;
        fd = (int)syscall(SYS_openat2, AT_FDCWD, parent, &how, sizeof(how));
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        *ret_name = slash + 1;
        return 0;
}

/* the directory of @path, if it is the one that it was */
static int open_same(const char *path, const struct directory_identity *expected, int *ret_fd,
                     const char **ret_name, struct vss_error *reterr) {
        _cleanup_close_ int fd = -1;
        struct directory_identity now;
        int r = open_directory_of(path, &fd, ret_name);

        if (r == -ELOOP)
                return vss_fail(reterr, r,
                                "'%s': there is a symbolic link on the way that was not there "
                                "when it was restored",
                                path);
        if (r >= 0)
                r = directory_identify(fd, &now);
        if (r < 0)
                return vss_fail(reterr, r, "'%s': cannot open its directory: %s", path,
                                strerror(-r));
        if (!directory_is(&now, expected))
                return vss_fail(reterr, -ESTALE,
                                "'%s': its directory is not the one that it was when the file was "
                                "restored; is the file system mounted?",
                                path);
        *ret_fd = take_fd(&fd);
        return 0;
}

static bool is_staged(const struct journal_move *move, const struct stat *st) {
        return st->st_ino == move->inode && (st->st_mode & S_IFMT) == (move->mode & S_IFMT);
}

static int rename_staged(const struct journal_move *move, int from, const char *staged, int to,
                         const char *name, struct vss_error *reterr) {
        const char *path = move->told.destination;
        bool directory = S_ISDIR(move->mode);
        struct stat st;
        int r;

        if (fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode) && !directory)
                return vss_fail(reterr, -EISDIR, "'%s' has become a directory", path);
        if (renameat2(from, staged, to, name, directory ? RENAME_NOREPLACE : 0) >= 0)
                return 0;
        r = -errno;
        return vss_fail(reterr, r, "'%s' cannot be put in place: %s", path, strerror(-r));
}

int move_place(const struct journal_move *move, int *ret_fd, struct vss_error *reterr) {
        _cleanup_close_ int from = -1, to = -1;
        const char *staged, *name;
        struct stat st;
        int r = open_same(move->told.destination, &move->parent, &to, &name, reterr);

        if (r >= 0)
                r = open_same(move->told.staged, &move->staged_parent, &from, &staged, reterr);
        if (r < 0)
                return r;
        if (fstatat(from, staged, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                r = -errno;
                /* a run that was killed behind the rename */
                if (r == -ENOENT && fstatat(to, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                    is_staged(move, &st))
                        r = 0;
                else
                        r = vss_fail(reterr, r, "'%s': what was to be put there is gone",
                                     move->told.destination);
        } else if (!is_staged(move, &st))
                r = vss_fail(reterr, -ESTALE, "'%s': what was to be put there is another file now",
                             move->told.destination);
        else
                r = rename_staged(move, from, staged, to, name, reterr);
        if (r >= 0)
                *ret_fd = take_fd(&to);
        return r;
}

int move_remove_staged(const struct journal_move *move) {
        _cleanup_close_ int fd = -1;
        const char *name;
        struct stat st;
        int r = open_same(move->told.staged, &move->staged_parent, &fd, &name, NULL);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!is_staged(move, &st))
                return 0;
        r = remove_tree(fd, name);
        return r < 0 ? r : 1;
}
