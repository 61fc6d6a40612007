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
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/feed.h"
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

/* was the record made long enough after the file's last change? */
static bool is_settled(const struct pass *pass, const struct record *base) {
        const struct chain *chain = &pass->op->bases[pass->source->component];
        const struct set_info *set = chain->links[pass->base_item->parts[0].link].set;
        vss_timestamp_t changed = vss_timestamp_from_unix(base->ctime, base->ctime_ns);

        return changed < set->time - YOUNG_NS / 100;
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
        int r = changes_find(pass, path, &base);

        if (r <= 0)
                return r;
        record_from_stat(st, (char *)(uintptr_t)path, base->component, &now);
        if (base->archive == ARCHIVE_RANGES || !same_looks(&now, base))
                return 0;
        if (pass->source->names_only_change_with_ctime) {
                if (!same_inode(&now, base))
                        return 0;
                if (!pass->doubt && is_settled(pass, base))
                        return 1;
        }
        return same_content(pass, at, name, st, base);
}
