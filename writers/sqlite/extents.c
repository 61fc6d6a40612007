/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/extents.h"

#include <errno.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "common/util.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum { AT_ONCE = 512, MAX_EXTENTS = 1000 * 1000 };

bool extents_usable(int fd) {
        struct fsxattr attributes;
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return false;
        if (fs.f_type == BTRFS_SUPER_MAGIC)
                return true;
        return fs.f_type == XFS_SUPER_MAGIC && ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0 &&
               (attributes.fsx_xflags & FS_XFLAG_REALTIME) == 0;
}

/* The map of one file, as it is walked through. */
struct map {
        int fd;
        struct fiemap *part; /* owned */
        uint32_t at;
        uint64_t next; /* where the part after this one begins */
        bool last;
};

static int map_begin(struct map *map, int fd) {
        *map = (struct map){ .fd = fd };
        map->part = calloc(1, sizeof(*map->part) + AT_ONCE * sizeof(map->part->fm_extents[0]));
        return map->part ? 0 : -ENOMEM;
}

/* 1 and *ret, 0 at the end */
static int map_current(struct map *map, const struct fiemap_extent **ret) {
        const struct fiemap_extent *end;

        if (map->at == map->part->fm_mapped_extents) {
                if (map->last)
                        return 0;
                *map->part = (struct fiemap){ .fm_start = map->next,
                                              .fm_length = FIEMAP_MAX_OFFSET - map->next,
                                              .fm_flags = FIEMAP_FLAG_SYNC,
                                              .fm_extent_count = AT_ONCE };
                map->at = 0;
                if (ioctl(map->fd, FS_IOC_FIEMAP, map->part) < 0)
                        return -errno;
                if (map->part->fm_mapped_extents == 0)
                        return map->last = true, 0;
                end = &map->part->fm_extents[map->part->fm_mapped_extents - 1];
                if (end->fe_logical + end->fe_length <= map->next)
                        return -EIO;
                map->next = end->fe_logical + end->fe_length;
                map->last = end->fe_flags & FIEMAP_EXTENT_LAST;
        }
        *ret = &map->part->fm_extents[map->at];
        return 1;
}

/* No other flag may be there: each says that the address is none, or not that of these bytes
 * (compressed, inline, unwritten, on its way). And what two files have is shared, if this is true.
 */
static bool is_plain(const struct fiemap_extent *extent) {
        return (extent->fe_flags & ~(uint32_t)FIEMAP_EXTENT_LAST) == FIEMAP_EXTENT_SHARED;
}

static int add(struct extents *to, uint64_t offset, uint64_t length) {
        struct extent *last = to->count > 0 ? &to->items[to->count - 1] : NULL;

        if (last && last->offset + last->length == offset) {
                last->length += length;
                return 0;
        }
        if (to->count == MAX_EXTENTS)
                return 0; /* less is told, nothing false */
        if (GROW(&to->items, to->count) < 0)
                return -ENOMEM;
        to->items[to->count++] = (struct extent){ offset, length };
        return 0;
}

/* what was found, with the addresses, in 64 bits (FNV-1a) */
static void mark(uint64_t *sum, uint64_t value) {
        for (int i = 0; i < 8; i++) {
                *sum ^= value >> 8 * i & 0xff;
                *sum *= UINT64_C(0x100000001b3);
        }
}

/* the part that two extents have in common: are these the same blocks? */
static int compare(const struct fiemap_extent *x, const struct fiemap_extent *y, struct extents *to,
                   uint64_t *sum) {
        uint64_t start = x->fe_logical > y->fe_logical ? x->fe_logical : y->fe_logical;
        uint64_t x_end = x->fe_logical + x->fe_length, y_end = y->fe_logical + y->fe_length;
        uint64_t end = x_end < y_end ? x_end : y_end;
        uint64_t physical = x->fe_physical + (start - x->fe_logical);

        if (start >= end || !is_plain(x) || !is_plain(y) ||
            physical != y->fe_physical + (start - y->fe_logical))
                return 0;
        mark(sum, start);
        mark(sum, end);
        mark(sum, physical);
        return to ? add(to, start, end - start) : 0;
}

static int walk(struct map *a, struct map *b, struct extents *to, uint64_t *sum) {
        const struct fiemap_extent *x, *y;
        int r;

        *sum = UINT64_C(0xcbf29ce484222325);
        while ((r = map_current(a, &x)) > 0 && (r = map_current(b, &y)) > 0) {
                uint64_t x_end = x->fe_logical + x->fe_length;
                uint64_t y_end = y->fe_logical + y->fe_length;

                r = compare(x, y, to, sum);
                if (r < 0)
                        return r;
                a->at += x_end <= y_end;
                b->at += y_end <= x_end;
        }
        return r;
}

static int walk_files(int fd_a, int fd_b, struct extents *to, uint64_t *sum) {
        struct map a, b = { .part = NULL };
        int r = map_begin(&a, fd_a);

        if (r >= 0)
                r = map_begin(&b, fd_b);
        if (r >= 0)
                r = walk(&a, &b, to, sum);
        free(a.part);
        free(b.part);
        return r;
}

/*
 * Twice: the two maps are not read in one moment, and a balance may move blocks meanwhile. An
 * address that was free for others between the looks at one file and at the other would then show
 * in the second walk.
 */
int extents_shared(int a, int b, struct extents *ret) {
        struct extents found = { NULL, 0 };
        uint64_t before, after;
        int r = walk_files(a, b, &found, &before);

        if (r >= 0 && found.count > 0)
                r = walk_files(a, b, NULL, &after);
        if (r >= 0 && found.count > 0 && before != after)
                r = -EAGAIN;
        if (r < 0)
                extents_done(&found);
        else
                *ret = found;
        return r;
}

void extents_done(struct extents *extents) {
        free(extents->items);
        *extents = (struct extents){ NULL, 0 };
}

bool extents_cover(const struct extents *extents, size_t *hint, uint64_t offset, uint64_t length) {
        const struct extent *at;

        while (*hint < extents->count &&
               extents->items[*hint].offset + extents->items[*hint].length <= offset)
                ++*hint;
        if (*hint == extents->count)
                return false;
        at = &extents->items[*hint];
        return at->offset <= offset && offset + length <= at->offset + at->length;
}
