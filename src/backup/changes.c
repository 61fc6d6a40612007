/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes.c - is this still the file that the base has?
 *
 * The walk and the base's view come in the same order, so both are read once. What cannot be
 * proven from stat is read and compared by its digest; a doubt that remains stores the file again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/feed.h"
#include "base/array.h"
#include "base/cleanup.h"

/* A change in the clock tick of the base's instant can bear the same ctime as the state before it;
 * what was that young when the base was made is compared by content. */
#define YOUNG_NS INT64_C(2000000000)

static int next_item(struct pass *pass) {
        int r;

        do
                r = view_next_item(pass->base, &pass->base_item, pass->reterr);
        while (r > 0 && pass->base_item->gone);
        if (r == 0)
                pass->base_item = NULL;
        return r;
}

int changes_begin(struct pass *pass) {
        struct chain *chain = &pass->op->bases[pass->source->component];
        int r;

        pass->base_item = NULL;
        if (chain->count == 0)
                return 0;
        r = view_open(pass->op->set->store, chain, pass->source->path, &pass->base, pass->reterr);
        return r < 0 ? r : next_item(pass);
}

void changes_end(struct pass *pass) {
        pass->base = view_close(pass->base);
        pass->base_item = NULL;
}

static int advance_to(struct pass *pass, const char *path) {
        if (pass->changed && pass->base_item && path_compare(pass->base_item->path, path) < 0) {
                int r = view_skip_to(pass->base, path, pass->reterr);

                if (r >= 0)
                        r = next_item(pass);
                if (r < 0)
                        return r;
        }
        while (pass->base_item && path_compare(pass->base_item->path, path) < 0) {
                int r = next_item(pass);

                if (r < 0)
                        return r;
        }
        return pass->base_item && strcmp(pass->base_item->path, path) == 0;
}

int changes_find(struct pass *pass, const char *path, const struct record **ret) {
        int r = pass->base ? advance_to(pass, path) : 0;

        if (r > 0)
                *ret = pass->base_item->parts[0].record;
        return r;
}

/* what holds on any copy, also on one with inode numbers of its own */
static bool same_looks(const struct record *now, const struct record *base) {
        return now->kind == base->kind && now->mode == base->mode && now->uid == base->uid &&
               now->gid == base->gid && now->size == base->size && now->mtime == base->mtime &&
               now->mtime_ns == base->mtime_ns && now->links == base->links;
}

static bool same_inode(const struct record *now, const struct record *base) {
        return now->inode == base->inode && now->ctime == base->ctime &&
               now->ctime_ns == base->ctime_ns;
}

/* was the record made long enough after the file's last change? Not when its image is dated after
 * this one: where a clock goes back, a time comes twice */
static bool is_settled(const struct pass *pass, const struct record *base) {
        const struct chain *chain = &pass->op->bases[pass->source->component];
        const struct set_info *set = chain->links[pass->base_item->parts[0].link].set;
        vss_timestamp_t changed = vss_timestamp_from_unix(base->ctime, base->ctime_ns);

        return changed < set->time - YOUNG_NS / 100 &&
               set->time <= pass->op->set->record->info.time;
}

static int same_target(int fd, const struct record *base) {
        char target[8192];
        ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

        if (n < 0)
                return 0;
        target[n] = '\0';
        return strcmp(target, base->extra) == 0;
}

static bool same_device(const struct stat *st, const struct record *base) {
        char device[40];

        snprintf(device, sizeof(device), "%u:%u", major(st->st_rdev), minor(st->st_rdev));
        return strcmp(device, base->extra) == 0;
}

static int same_attributes(struct pass *pass, int fd, const struct record *base) {
        struct attributes *attributes = &pass->op->attributes;
        uint8_t digest[8];
        int r = attributes_read(fd, attributes);

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if ((attributes->count > 0) != base->has_attributes)
                return 0;
        if (attributes->count == 0)
                return 1;
        r = attributes_digest(attributes, digest);
        return r < 0 ? r : memcmp(digest, base->attributes, 8) == 0;
}

/* by reading it: attributes, link text, content */
static int same_content(struct pass *pass, int at, const char *name, const struct stat *st,
                        const struct record *base) {
        bool readable = base->kind == ENTRY_FILE || base->kind == ENTRY_DIRECTORY;
        _cleanup_close_ int fd = openat(at, name,
                                        (readable ? O_RDONLY | O_NONBLOCK | O_NOCTTY : O_PATH) |
                                                O_NOFOLLOW | O_CLOEXEC);
        uint8_t digest[DIGEST_SIZE];
        int r;

        if (fd < 0)
                return 0;
        r = same_attributes(pass, fd, base);
        if (r <= 0)
                return r;
        if (base->kind == ENTRY_SYMLINK)
                return same_target(fd, base);
        if (base->kind == ENTRY_CHAR || base->kind == ENTRY_BLOCK)
                return same_device(st, base);
        if (base->kind != ENTRY_FILE)
                return 1;
        if (!base->has_digest)
                return 0;
        r = feed_digest(pass->op, fd, base->size, digest);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        return memcmp(digest, base->digest, DIGEST_SIZE) == 0;
}

int changes_same(struct pass *pass, int at, const char *name, const char *path,
                 const struct stat *st) {
        const struct record *base;
        struct record now;
        bool by_stat;
        int r = changes_find(pass, path, &base);

        if (r <= 0)
                return r;
        record_from_stat(st, (char *)(uintptr_t)path, base->component, &now);
        /* of ranges there is no digest of the whole: what stat does not prove is stored again */
        by_stat = base->archive == ARCHIVE_RANGES;
        if ((by_stat && pass->source->component > 0) || !same_looks(&now, base))
                return 0;
        if (pass->source->names_only_change_with_ctime) {
                if (!same_inode(&now, base))
                        return 0;
                if (!pass->doubt && is_settled(pass, base))
                        return 1;
        }
        return by_stat ? 0 : same_content(pass, at, name, st, base);
}

/* ---- only some of it ---- */

/* Below it a file is better stored whole: its chain needs no more than one member */
#define LARGE (UINT64_C(4) << 20)
#define RANGES_MANY 65536

/* is the thing in the base the file at @path, and is there a whole one below its ranges? */
static bool is_grounded(const struct pass *pass, const struct record *base, const struct stat *st) {
        const struct view_item *item = pass->base_item;

        return base->kind == ENTRY_FILE && base->inode == st->st_ino && base->links == 1 &&
               base->has_digest &&
               item->parts[item->parts_count - 1].record->archive == ARCHIVE_DATA;
}

static int by_offset(const void *a, const void *b) {
        const struct byte_range *x = a, *y = b;

        return (x->offset > y->offset) - (x->offset < y->offset);
}

/* what lies below @size, sorted, each byte once; returns how many bytes */
static uint64_t tidy(struct byte_range *ranges, size_t *count, uint64_t size) {
        uint64_t total = 0, end = 0;
        size_t kept = 0;

        qsort(ranges, *count, sizeof(*ranges), by_offset);
        for (size_t i = 0; i < *count; i++) {
                struct byte_range range = ranges[i];
                uint64_t until = range.length < size ? range.offset + range.length : UINT64_MAX;

                if (until < range.offset || until > size)
                        until = size;
                if (range.offset < end)
                        range.offset = end;
                if (range.offset >= until)
                        continue;
                total += until - range.offset;
                if (kept > 0 && range.offset == end)
                        ranges[kept - 1].length += until - range.offset;
                else
                        ranges[kept++] = (struct byte_range){ range.offset, until - range.offset };
                end = until;
        }
        *count = kept;
        return total;
}

/* have_holes() - a range of zeros would fill them on the way back */
static bool have_holes(int fd, const struct byte_range *ranges, size_t count) {
        uint64_t hole = 0; /* there is none before it from the last place that was asked about */

        for (size_t i = 0; i < count; i++) {
                uint64_t end = ranges[i].offset + ranges[i].length;
                off_t found;

                if (end <= hole)
                        continue;
                found = lseek(fd, (off_t)ranges[i].offset, SEEK_HOLE);
                if (found < 0 || (uint64_t)found < end)
                        return true;
                hole = (uint64_t)found;
        }
        return false;
}

/* add_growth() - the data beyond the base's end: the length alone brings back the holes there. 0,
 * or -E2BIG when it is better stored whole */
static int add_growth(int fd, uint64_t from, uint64_t size, struct byte_range **ranges,
                      size_t *count, size_t *capacity, uint64_t *total) {
        for (uint64_t at = from; at < size;) {
                off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

                if ((data < 0 && errno == ENXIO) || (data >= 0 && (uint64_t)data >= size))
                        return 0;
                hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
                if (hole < 0 || *count > RANGES_MANY)
                        return -E2BIG;
                at = (uint64_t)hole < size ? (uint64_t)hole : size;
                if (ARRAY_RESERVE(ranges, *count, capacity) < 0)
                        return -ENOMEM;
                (*ranges)[(*count)++] = (struct byte_range){ (uint64_t)data, at - (uint64_t)data };
                *total += at - (uint64_t)data;
        }
        return 0;
}

/* any_byte() - of a file of which only the length differs: a list is never empty. False: it has no
 * data */
static bool any_byte(int fd, uint64_t size, struct byte_range *ret) {
        off_t data = lseek(fd, 0, SEEK_DATA);

        *ret = (struct byte_range){ data < 0 ? 0 : (uint64_t)data, 1 };
        return data >= 0 && (uint64_t)data < size;
}

/* may_be_partial() - is it a large own file of which a provider told where its content differs? */
static bool may_be_partial(const struct pass *pass, const char *path, const struct stat *st) {
        const struct changed_path *changed = pass->changed;

        return pass->source->component == 0 && changed && !changed->whole &&
               changed->ranges_count > 0 && pass->source->names_only_change_with_ctime &&
               strcmp(changed->path, path) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
               (uint64_t)st->st_size >= LARGE;
}

int changes_ranges(struct pass *pass, int fd, const char *path, const struct stat *st,
                   struct byte_range **ret, size_t *ret_count) {
        const struct changed_path *changed = pass->changed;
        const uint64_t size = (uint64_t)st->st_size;
        _cleanup_free_ struct byte_range *ranges = NULL;
        const struct record *base;
        size_t count, capacity;
        uint64_t total;
        int r = may_be_partial(pass, path, st) ? changes_find(pass, path, &base) : 0;

        if (r <= 0 || !is_grounded(pass, base, st))
                return r < 0 ? r : 0;
        count = changed->ranges_count;
        capacity = count + 1;
        ranges = calloc(capacity, sizeof(*ranges));
        if (!ranges)
                return -ENOMEM;
        memcpy(ranges, changed->ranges, count * sizeof(*ranges));
        total = tidy(ranges, &count, size < base->size ? size : base->size);
        r = add_growth(fd, base->size, size, &ranges, &count, &capacity, &total);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || total > size / 2)
                return 0;
        if (count == 0 && (size == base->size || !any_byte(fd, size, &ranges[count++])))
                return 0; /* what differs then? */
        if (have_holes(fd, ranges, count))
                return 0;
        *ret = take(ranges);
        *ret_count = count;
        return 1;
}
