/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * looks.c - see looks.h. On btrfs: the inode items of neighbouring numbers come with one search of
 * the tree, without an inode of the kernel for each of them, in the order in which they lie on
 * disk.
 *
 * Only of a read-only snapshot: of anything else the newest state may be in memory alone. What a
 * writer changed in its copy was committed when the copy became read-only, ctime and all; only a
 * size can be late then, and whatever has another ctime than in the base is stored by what fstat()
 * says. Not of directories, whose number may be that of a subvolume, and not of devices.
 */
#define _GNU_SOURCE
#include "backup/looks.h"

#include <dirent.h>
#include <endian.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

enum {
        BUFFER = 256 << 10, /* bytes that one search brings */
        GAP = 16, /* numbers in between that belong to other directories */
        RUN_MIN = 4, /* names for which a search pays */
        LOOKS_MAX = 4096
};

struct looks {
        bool failed; /* it is not asked again */
        struct look *sorted[LOOKS_MAX];
        struct btrfs_ioctl_search_args_v2 search; /* BUFFER bytes follow */
};

struct looks *looks_new(int fd) {
        struct looks *looks;
        struct statfs fs;
        __u64 flags = 0;

        if (fstatfs(fd, &fs) < 0 || fs.f_type != BTRFS_SUPER_MAGIC ||
            ioctl(fd, BTRFS_IOC_SUBVOL_GETFLAGS, &flags) < 0 || !(flags & BTRFS_SUBVOL_RDONLY))
                return NULL;
        looks = malloc(sizeof(*looks) + BUFFER);
        if (looks)
                looks->failed = false;
        return looks;
}

struct looks *looks_free(struct looks *looks) {
        free(looks);
        return NULL;
}

static struct timespec time_of(const struct btrfs_timespec *time) {
        return (struct timespec){ .tv_sec = (time_t)le64toh(time->sec),
                                  .tv_nsec = le32toh(time->nsec) };
}

/* an item of the tree, which lies unaligned */
static void fill(struct look *look, dev_t device, const char *bytes, size_t size) {
        struct btrfs_inode_item item;

        if (size != sizeof(item))
                return;
        memcpy(&item, bytes, sizeof(item));
        look->st = (struct stat){ .st_dev = device,
                                  .st_ino = look->inode,
                                  .st_mode = le32toh(item.mode),
                                  .st_nlink = le32toh(item.nlink),
                                  .st_uid = le32toh(item.uid),
                                  .st_gid = le32toh(item.gid),
                                  .st_size = (off_t)le64toh(item.size),
                                  .st_mtim = time_of(&item.mtime),
                                  .st_ctim = time_of(&item.ctime) };
        look->there = IFTODT(look->st.st_mode) == look->type;
}

/* take_items() - what one search brought, for the sorted names from @next to @end; the first that
 * is behind it */
static size_t take_items(struct looks *looks, dev_t device, size_t next, size_t end) {
        const char *at = (const char *)looks->search.buf;
        struct btrfs_ioctl_search_header header;

        for (size_t i = 0; i < looks->search.key.nr_items; i++, at += header.len) {
                memcpy(&header, at, sizeof(header));
                at += sizeof(header);
                if (header.type != BTRFS_INODE_ITEM_KEY)
                        continue;
                while (next < end && looks->sorted[next]->inode < header.objectid)
                        next++;
                /* several names of one file */
                for (; next < end && looks->sorted[next]->inode == header.objectid; next++)
                        fill(looks->sorted[next], device, at, header.len);
        }
        return next;
}

/* search() - the sorted names from @begin to @end, whose numbers are near each other */
static int search(struct looks *looks, int fd, dev_t device, size_t begin, size_t end) {
        struct btrfs_ioctl_search_key *key = &looks->search.key;
        size_t before;

        do {
                /* what else the one before has, many extents perhaps, is passed over */
                *key = (struct btrfs_ioctl_search_key){
                        .min_objectid = looks->sorted[begin]->inode,
                        .max_objectid = looks->sorted[end - 1]->inode,
                        .min_type = BTRFS_INODE_ITEM_KEY,
                        .max_type = BTRFS_INODE_ITEM_KEY,
                        .max_offset = UINT64_MAX,
                        .max_transid = UINT64_MAX,
                        .nr_items = UINT32_MAX,
                };
                looks->search.buf_size = BUFFER;
                if (ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, &looks->search) < 0)
                        return -1;
                before = begin;
                begin = take_items(looks, device, begin, end);
        } while (begin > before && begin < end);
        return 0;
}

static int by_inode(const void *a, const void *b) {
        const struct look *x = *(const struct look *const *)a, *y = *(const struct look *const *)b;

        return (x->inode > y->inode) - (x->inode < y->inode);
}

void looks_take(struct looks *looks, int fd, dev_t device, struct look *names, size_t count) {
        size_t wanted = 0;

        for (size_t i = 0; i < count && wanted < LOOKS_MAX; i++)
                if (names[i].type == DT_REG || names[i].type == DT_LNK)
                        looks->sorted[wanted++] = &names[i];
        qsort(looks->sorted, wanted, sizeof(*looks->sorted), by_inode);
        for (size_t begin = 0, end; begin < wanted && !looks->failed; begin = end) {
                end = begin + 1;
                while (end < wanted &&
                       looks->sorted[end]->inode - looks->sorted[end - 1]->inode <= GAP)
                        end++;
                if (end - begin >= RUN_MIN)
                        looks->failed = search(looks, fd, device, begin, end) < 0;
        }
}
