/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-links.c - see btrfs-links.h.
 */
#define _GNU_SOURCE
#include "btrfs-links.h"

#include <dirent.h>
#include <endian.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kit.h"

enum { SEARCH_SIZE = 65536, DEPTH_MAX = 256 };

/* name_at() - @name in the directory with the number @parent */
static int name_at(int root, uint64_t parent, const uint8_t *name, size_t length, links_sink_t sink,
                   void *userdata) {
        struct btrfs_ioctl_ino_lookup_args lookup = { .objectid = parent };
        _cleanup_free_ char *path = NULL;

        if (parent != BTRFS_FIRST_FREE_OBJECTID && ioctl(root, BTRFS_IOC_INO_LOOKUP, &lookup) < 0)
                return -errno;
        /* it ends with its separator */
        if (asprintf(&path, "%.*s%.*s", (int)sizeof(lookup.name), lookup.name, (int)length,
                     (const char *)name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return sink(userdata, path);
}

/* names_in_item() - one item may hold many names */
static int names_in_item(int root, const struct btrfs_ioctl_search_header *header,
                         const uint8_t *data, links_sink_t sink, void *userdata) {
        bool extended = header->type == BTRFS_INODE_EXTREF_KEY;
        size_t fixed = extended ? 18 : 10; /* parent if extended, index, length of the name */
        uint64_t parent = header->offset;
        int r = 0;

        for (size_t at = 0; r >= 0 && at + fixed <= header->len;) {
                uint16_t length;

                if (extended) {
                        memcpy(&parent, data + at, 8);
                        parent = le64toh(parent);
                }
                memcpy(&length, data + at + fixed - 2, 2);
                length = le16toh(length);
                if (at + fixed + length > header->len)
                        return -EIO;
                r = name_at(root, parent, data + at + fixed, length, sink, userdata);
                at += fixed + length;
        }
        return r;
}

int links_of(int root, uint64_t number, links_sink_t sink, void *userdata) {
        _cleanup_free_ struct btrfs_ioctl_search_args_v2 *args =
                calloc(1, sizeof(*args) + SEARCH_SIZE);
        struct btrfs_ioctl_search_key *key = args ? &args->key : NULL;
        const uint8_t *p;

        if (!args)
                return -ENOMEM;
        *key = (struct btrfs_ioctl_search_key){ .min_objectid = number,
                                                .max_objectid = number,
                                                .min_type = BTRFS_INODE_REF_KEY,
                                                .max_type = BTRFS_INODE_EXTREF_KEY,
                                                .max_offset = UINT64_MAX,
                                                .max_transid = UINT64_MAX };
        for (;;) {
                struct btrfs_ioctl_search_header header;
                int r = 0;

                args->buf_size = SEARCH_SIZE;
                key->nr_items = 4096;
                if (ioctl(root, BTRFS_IOC_TREE_SEARCH_V2, args) < 0)
                        return -errno;
                if (key->nr_items == 0)
                        return 0;
                p = (const uint8_t *)args + sizeof(*args);
                for (uint32_t i = 0; r >= 0 && i < key->nr_items; i++) {
                        memcpy(&header, p, sizeof(header));
                        p += sizeof(header);
                        r = names_in_item(root, &header, p, sink, userdata);
                        p += header.len;
                }
                if (r < 0)
                        return r;
                key->min_type = header.type;
                key->min_offset = header.offset + 1;
                if (header.offset == UINT64_MAX) {
                        if (header.type == BTRFS_INODE_EXTREF_KEY)
                                return 0;
                        key->min_type = BTRFS_INODE_EXTREF_KEY;
                        key->min_offset = 0;
                }
        }
}

static DIR *open_directory(int at, const char *path) {
        int fd = openat(at, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);

        if (!dir && fd >= 0)
                close(fd);
        return dir;
}

static bool is_dots(const char *name) {
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int below(DIR *dir, unsigned depth, int (*sink)(void *userdata, uint64_t number),
                 void *userdata) {
        struct dirent *entry;
        int r = 0;

        if (depth == DEPTH_MAX)
                return -E2BIG;
        while (r >= 0 && (errno = 0, entry = readdir(dir))) {
                struct stat st;
                DIR *inner;

                if (is_dots(entry->d_name))
                        continue;
                if (entry->d_type == DT_DIR) {
                        inner = open_directory(dirfd(dir), entry->d_name);
                        if (!inner)
                                return -errno;
                        r = below(inner, depth + 1, sink, userdata);
                        closedir(inner);
                } else if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        return -errno;
                } else if (st.st_nlink > 1) {
                        r = sink(userdata, st.st_ino);
                }
        }
        return r < 0 ? r : -errno;
}

int links_below(int root, const char *path, int (*sink)(void *userdata, uint64_t number),
                void *userdata) {
        DIR *dir = open_directory(root, path);
        int r;

        if (!dir)
                return errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
        r = below(dir, 0, sink, userdata);
        closedir(dir);
        return r;
}

int links_stubs(int root, const char *path, links_sink_t sink, void *userdata) {
        DIR *dir = open_directory(root, path);
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -errno;
        while (r >= 0 && (errno = 0, entry = readdir(dir))) {
                _cleanup_free_ char *full = NULL;
                struct stat st;

                /* the listing has the subvolume's number; only stat tells a stub */
                if (entry->d_type != DT_DIR || is_dots(entry->d_name))
                        continue;
                if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        r = -errno;
                        break;
                }
                if (st.st_ino != BTRFS_EMPTY_SUBVOL_DIR_OBJECTID)
                        continue;
                if (asprintf(&full, "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0) {
                        full = NULL;
                        r = -ENOMEM;
                } else {
                        r = sink(userdata, full);
                }
        }
        if (r >= 0)
                r = -errno;
        closedir(dir);
        return r;
}
