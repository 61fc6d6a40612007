/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-file.c - copy one inode: data with their holes, owner, mode, attributes, times.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "kit.h"
#include "mirror.h"

enum { BUFFER_SIZE = 1 << 20, FAULT_NS = 1000 * 1000 * 1000 };

int64_t real_time_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t to_ns(const struct statx_timestamp *t) {
        return t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct timespec from_ns(int64_t ns) {
        struct timespec t = { ns / 1000000000, (long)(ns % 1000000000) };

        if (t.tv_nsec < 0) {
                t.tv_nsec += 1000000000;
                t.tv_sec--;
        }
        return t;
}

int meta_read(int dir, const char *name, struct meta *ret) {
        /* a name may be the root of what a server or program shows, which may hang: all that
         * matters of it is that it is a mount, and that the kernel knows without asking there */
        unsigned flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
        struct statx st;

        if (statx(dir, name, (int)(flags | (*name ? 0 : AT_EMPTY_PATH)), STATX_BASIC_STATS, &st) <
            0)
                return -errno;
        *ret = (struct meta){ .ino = st.stx_ino,
                              .blocks = st.stx_blocks,
                              .size = (int64_t)st.stx_size,
                              .mtime = to_ns(&st.stx_mtime),
                              .ctime = to_ns(&st.stx_ctime),
                              .atime = to_ns(&st.stx_atime),
                              .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
                              .rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor),
                              .mode = st.stx_mode,
                              .uid = st.stx_uid,
                              .gid = st.stx_gid,
                              .nlink = st.stx_nlink,
                              .mount_root = st.stx_attributes & STATX_ATTR_MOUNT_ROOT };
        return 0;
}

/*
 * A store to a clean mapped page moves the times when its fault begins, the page is dirty when the
 * fault ends, and what is stored to a dirty page moves nothing. So a file that changed after the
 * syncfs before this round, or so shortly before it that a fault may have been under way, may
 * change again unseen. A second is generous for a fault, and covers the grain of time stamps.
 */
int mirror_stat(const struct mirror *m, int dir, const char *name, struct meta *ret) {
        int r = meta_read(dir, name, ret);

        if (r >= 0)
                ret->racy = ret->ctime >= m->synced_ns - FAULT_NS;
        return r;
}

/* mirror_trouble() - the copy's side failed: fatal when the next file would fail alike */
int mirror_trouble(struct mirror *m, int error, const char *what) {
        switch (error) {
        case ENOSPC:
        case EDQUOT:
                vss_fail(&m->error, VSS_E_INSUFFICIENT_STORAGE,
                         "'%s' is full, the copy of '%s' cannot be finished: free space there, or "
                         "set area to a folder with more",
                         m->place, m->mount_point);
                return -ECANCELED;
        case EROFS:
        case EIO:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
                (void)fail_errno(&m->error, error, "cannot write the copy of '%s' in '%s' (%s)",
                                 m->mount_point, m->place, what);
                return -ECANCELED;
        default:
                return -error;
        }
}

/* struct handle - an inode by descriptor, or by folder and name where it cannot be opened */
struct handle {
        int fd;
        char path[32 + NAME_MAX + 1];
};

static void handle_at(struct handle *h, int dir, const char *name) {
        h->fd = -1;
        snprintf(h->path, sizeof(h->path), "/proc/self/fd/%d/%s", dir, name);
}

static ssize_t list_xattrs(const struct handle *h, char *buffer, size_t size) {
        return h->fd >= 0 ? flistxattr(h->fd, buffer, size) : llistxattr(h->path, buffer, size);
}

static ssize_t get_xattr(const struct handle *h, const char *name, void *value, size_t size) {
        return h->fd >= 0 ? fgetxattr(h->fd, name, value, size)
                          : lgetxattr(h->path, name, value, size);
}

static int set_xattr(const struct handle *h, const char *name, const void *value, size_t size) {
        return h->fd >= 0 ? fsetxattr(h->fd, name, value, size, 0)
                          : lsetxattr(h->path, name, value, size, 0);
}

/* names_of() - the list of @h's attributes in *ret; its size, 0 none, negative errno */
static ssize_t names_of(const struct handle *h, char **ret) {
        char small[1024];
        ssize_t n = list_xattrs(h, small, sizeof(small));

        if (n < 0 && (errno == ENOTSUP || errno == ENOENT))
                return 0;
        if (n <= 0 && !(n < 0 && errno == ERANGE))
                return n < 0 ? -errno : 0;
        *ret = malloc(XATTR_LIST_MAX);
        if (!*ret)
                return -ENOMEM;
        n = list_xattrs(h, *ret, XATTR_LIST_MAX);
        return n < 0 ? -errno : n;
}

/* how XFS keeps its ACLs, listed beside the ACLs themselves: set elsewhere they would be strange
 * attributes, and removed they would take the ACL with them */
static bool is_shadow_of_acl(const char *name) {
        return strcmp(name, "trusted.SGI_ACL_FILE") == 0 ||
               strcmp(name, "trusted.SGI_ACL_DEFAULT") == 0;
}

static int copy_xattr(struct mirror *m, const struct handle *from, const struct handle *to,
                      const char *name) {
        ssize_t n;

        if (is_shadow_of_acl(name))
                return 0;
        n = get_xattr(from, name, m->buffer, XATTR_SIZE_MAX);
        if (n < 0)
                return errno == ENODATA ? 0 : -errno;
        if (set_xattr(to, name, m->buffer, (size_t)n) == 0)
                return 0;
        /* properties of btrfs, such as compression, are not the file's */
        if (errno == ENOTSUP && strncmp(name, "btrfs.", 6) == 0)
                return 0;
        /* what a user may not set is no loss to that user */
        return errno == EPERM && geteuid() != 0 ? 0 : -errno;
}

/* copy_xattrs() - ACLs are among them; returns 0 or what the first one that failed said */
static int copy_xattrs(struct mirror *m, const struct handle *from, const struct handle *to) {
        _cleanup_free_ char *names = NULL;
        ssize_t size = names_of(from, &names);
        int first = size < 0 ? (int)size : 0;

        for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
                int r = copy_xattr(m, from, to, name);

                if (r < 0 && first == 0)
                        first = r;
        }
        return first;
}

static int remove_xattr(const struct handle *h, const char *name) {
        return h->fd >= 0 ? fremovexattr(h->fd, name) : lremovexattr(h->path, name);
}

/* drop_xattrs() - those that @from has not, or no more: folders are updated in place, and what is
 * made in a folder with a default ACL begins with that */
static void drop_xattrs(struct mirror *m, const struct handle *from, const struct handle *to) {
        _cleanup_free_ char *names = NULL;
        ssize_t size = names_of(to, &names);

        for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1)
                if (!is_shadow_of_acl(name) &&
                    get_xattr(from, name, m->buffer, XATTR_SIZE_MAX) < 0 && errno == ENODATA)
                        (void)remove_xattr(to, name);
}

/* allowed() - a user's copy belongs to that user, and nothing can be done about it */
static bool allowed(int r) {
        return r == 0 || (errno == EPERM && geteuid() != 0);
}

static int attributes_by_fd(struct mirror *m, const struct handle *from, const struct handle *to,
                            const struct meta *meta) {
        const struct timespec times[2] = { from_ns(meta->atime), from_ns(meta->mtime) };
        int r;

        if (!allowed(fchown(to->fd, meta->uid, meta->gid)))
                return mirror_trouble(m, errno, "owner");
        drop_xattrs(m, from, to);
        r = copy_xattrs(m, from, to); /* after the owner, whose change drops capabilities */
        if (fchmod(to->fd, meta->mode & 07777) < 0 || futimens(to->fd, times) < 0)
                return mirror_trouble(m, errno, "mode and times");
        return r;
}

static int attributes_by_name(struct mirror *m, int from_dir, const char *from, int to_dir,
                              const char *to, const struct meta *meta) {
        const struct timespec times[2] = { from_ns(meta->atime), from_ns(meta->mtime) };
        struct handle a, b;
        int r;

        handle_at(&a, from_dir, from);
        handle_at(&b, to_dir, to);
        if (!allowed(fchownat(to_dir, to, meta->uid, meta->gid, AT_SYMLINK_NOFOLLOW)))
                return mirror_trouble(m, errno, "owner");
        drop_xattrs(m, &a, &b);
        r = copy_xattrs(m, &a, &b);
        if (!S_ISLNK(meta->mode) && fchmodat(to_dir, to, meta->mode & 07777, 0) < 0)
                return mirror_trouble(m, errno, "mode");
        if (utimensat(to_dir, to, times, AT_SYMLINK_NOFOLLOW) < 0)
                return mirror_trouble(m, errno, "times");
        return r;
}

/* as_loss() - what was copied without some attributes is no failure, but is told */
static int as_loss(int r) {
        return r < 0 && r != -ECANCELED ? -r : r;
}

int directory_attributes(struct mirror *m, int from, int to, const struct meta *meta) {
        struct handle a = { .fd = from }, b = { .fd = to };

        return as_loss(attributes_by_fd(m, &a, &b, meta));
}

/* copy_by_hand() - through memory; 1 at the end of the source, 0, negative errno */
static int copy_by_hand(struct mirror *m, int from, int to, off_t at, size_t want, size_t *ret) {
        ssize_t n = pread(from, m->buffer, want < BUFFER_SIZE ? want : BUFFER_SIZE, at);
        size_t done = 0;

        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        while (done < (size_t)n) {
                ssize_t w =
                        pwrite(to, (char *)m->buffer + done, (size_t)n - done, at + (off_t)done);

                if (w < 0 && errno == EINTR)
                        continue;
                if (w <= 0)
                        return mirror_trouble(m, w < 0 ? errno : EIO, "data");
                done += (size_t)w;
        }
        *ret = (size_t)n;
        return n == 0;
}

/* copy_range() - bytes from @at up to @end, in the kernel where it can. The kernel does not say
 * whose error it met: reading by hand tells source and copy apart */
static int copy_range(struct mirror *m, int from, int to, off_t at, off_t end) {
        bool in_kernel = true;
        int r = 0;

        while (r == 0 && at < end) {
                size_t want = (size_t)(end - at), done = 0;

                if (m->stop)
                        return -ECANCELED;
                if (in_kernel) {
                        off_t in = at, out = at;
                        ssize_t n = copy_file_range(from, &in, to, &out,
                                                    want < 64 << 20 ? want : 64 << 20, 0);

                        in_kernel = n > 0;
                        done = n > 0 ? (size_t)n : 0;
                } else {
                        r = copy_by_hand(m, from, to, at, want, &done);
                }
                at += (off_t)done;
                m->round.copied_bytes += done;
        }
        return r < 0 ? r : 0;
}

/* copy_extents() - data only: what is a hole stays one */
static int copy_extents(struct mirror *m, int from, int to, off_t size) {
        struct stat st;
        off_t at = 0;

        /* XFS reserves space behind a file that grows, and keeps it where a hole comes to lie */
        if (fstat(from, &st) == 0 && st.st_blocks < size / 512 && ftruncate(to, size) < 0)
                return mirror_trouble(m, errno, "size");
        while (at < size) {
                off_t data = lseek(from, at, SEEK_DATA), hole;
                int r;

                if (data < 0 && errno == ENXIO)
                        break;
                if (data < 0)
                        data = at; /* no such knowledge: all of it is data */
                hole = lseek(from, data, SEEK_HOLE);
                if (hole < 0 || hole > size)
                        hole = size;
                if (data >= hole)
                        break;
                r = copy_range(m, from, to, data, hole);
                if (r < 0)
                        return r;
                at = hole;
        }
        if (fstat(from, &st) == 0 && st.st_size < size)
                size = st.st_size; /* truncated meanwhile: no zeroes instead of data */
        return ftruncate(to, size) < 0 ? mirror_trouble(m, errno, "size") : 0;
}

/* share() - FICLONE; 1 done, 0 must be copied, negative errno */
static int share(struct mirror *m, int from, int to) {
        int flags;

        if (!m->clones)
                return 0;
        if (ioctl(to, FICLONE, from) == 0)
                return 1;
        /* both or none may be without copy-on-write */
        if (errno == EINVAL && ioctl(from, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_NOCOW_FL)) {
                flags = FS_NOCOW_FL;
                if (ioctl(to, FS_IOC_SETFLAGS, &flags) == 0 && ioctl(to, FICLONE, from) == 0)
                        return 1;
        }
        if (errno == ENOSPC || errno == EDQUOT || errno == EROFS)
                return mirror_trouble(m, errno, "reflink");
        return 0; /* a swap file, one being executed from elsewhere, EIO: copying finds out */
}

static int create(struct mirror *m, int dir, const char *name) {
        const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(dir, name, flags, 0600);

        if (fd < 0 && errno == EEXIST && unlinkat(dir, name, 0) == 0)
                fd = openat(dir, name, flags, 0600);
        return fd < 0 ? mirror_trouble(m, errno, "new file") : fd;
}

static int open_source(int dir, const char *name) {
        const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        int fd = openat(dir, name, flags | O_NOATIME);

        if (fd < 0 && errno == EPERM) /* only the owner may leave the access time alone */
                fd = openat(dir, name, flags);
        if (fd < 0) /* no regular file any more: the next round sees what it is */
                return errno == ELOOP || errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
        return fd;
}

static int copy_regular(struct mirror *m, int from_dir, const char *from, int to_dir,
                        const char *to, struct meta *meta) {
        _cleanup_close_ int in = open_source(from_dir, from), out = -1;
        struct handle a = { .fd = in }, b;
        int r;

        if (in < 0)
                return in;
        r = mirror_stat(m, in, "", meta);
        if (r >= 0 && !S_ISREG(meta->mode))
                r = -ENOENT; /* the next round sees what it is */
        if (r < 0)
                return r;
        out = create(m, to_dir, to);
        if (out < 0)
                return out;
        b.fd = out;
        r = meta->size > 0 ? share(m, in, out) : 1;
        if (r == 0)
                r = copy_extents(m, in, out, meta->size);
        if (r < 0) { /* never a short file */
                (void)unlinkat(to_dir, to, 0);
                return r;
        }
        return as_loss(attributes_by_fd(m, &a, &b, meta));
}

static int copy_symlink(struct mirror *m, int from_dir, const char *from, int to_dir,
                        const char *to) {
        ssize_t n = readlinkat(from_dir, from, m->buffer, PATH_MAX);

        if (n < 0)
                return errno == EINVAL ? -ENOENT : -errno;
        ((char *)m->buffer)[n] = '\0';
        return symlinkat(m->buffer, to_dir, to) < 0 ? mirror_trouble(m, errno, "symbolic link") : 0;
}

int file_copy(struct mirror *m, int from_dir, const char *from, int to_dir, const char *to,
              struct meta *meta) {
        int r;

        m->round.copied++;
        if (S_ISREG(meta->mode))
                return copy_regular(m, from_dir, from, to_dir, to, meta);
        if (unlinkat(to_dir, to, 0) < 0 && errno != ENOENT)
                return mirror_trouble(m, errno, "old name");
        if (S_ISLNK(meta->mode))
                r = copy_symlink(m, from_dir, from, to_dir, to);
        else
                r = mknodat(to_dir, to, meta->mode & (S_IFMT | 0600), meta->rdev) < 0
                            ? mirror_trouble(m, errno, "special file")
                            : 0;
        return r < 0 ? r : as_loss(attributes_by_name(m, from_dir, from, to_dir, to, meta));
}
