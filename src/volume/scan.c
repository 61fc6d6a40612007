/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "volume/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum { BTRFS_ROOT_INODE = 256 }; /* of every subvolume's root, the top-level one included */

int look_at(int fd, const char *path, struct look *ret) {
        struct statx stx;

        if (statx(fd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
                  STATX_BASIC_STATS | STATX_MNT_ID, &stx) < 0)
                return -errno;
        *ret = (struct look){ .mount_id = stx.stx_mnt_id,
                              .inode = stx.stx_ino,
                              .dev_major = stx.stx_dev_major,
                              .dev_minor = stx.stx_dev_minor,
                              .mode = stx.stx_mode };
        return 0;
}

static void sight_done(struct sight *sight) {
        volume_clear(&sight->volume);
        free(sight->shown);
}

void scan_done(struct scan *scan) {
        for (size_t i = 0; i < scan->count; i++)
                sight_done(&scan->items[i]);
        free(scan->items);
        free(scan->answers);
        mount_table_done(&scan->mounts);
        *scan = (struct scan){ 0 };
}

int scan_add(struct scan *scan, const struct sight *sight) {
        struct sight copy = *sight;
        int r = ARRAY_RESERVE(&scan->items, scan->count, &scan->capacity);

        if (r == 0)
                r = volume_clone(&copy.volume, &sight->volume);
        if (r < 0)
                return r;
        copy.shown = sight->shown ? strdup(sight->shown) : NULL;
        if (sight->shown && !copy.shown) {
                volume_clear(&copy.volume);
                return -ENOMEM;
        }
        scan->items[scan->count++] = copy;
        return 0;
}

static bool has_copies_folder(const char *path) {
        for (const char *s = path; (s = strstr(s, ".vss")); s++)
                if ((s == path || s[-1] == '/') && (s[4] == '/' || s[4] == '\0'))
                        return true;
        return false;
}

bool scan_is_ours(const struct scan *scan, const char *path) {
        for (size_t i = 0; scan->skip && scan->skip[i]; i++)
                if (path_is_below(path, scan->skip[i]))
                        return true;
        return has_copies_folder(path);
}

static bool is_btrfs(const struct mount_entry *mount) {
        return strcmp(mount->type, "btrfs") == 0;
}

static struct volume volume_of_mount(const struct mount_entry *mount, const struct look *look) {
        return (struct volume){ .v = { .id = "",
                                       .mount_point = mount->point,
                                       .device = mount->source,
                                       .fs_type = mount->type,
                                       .fs_uuid = "",
                                       .subvolume = "",
                                       .mount_id = mount->id,
                                       .dev_major = look->dev_major,
                                       .dev_minor = look->dev_minor,
                                       .read_only = mount->read_only } };
}

/* The root of a mount, if it is visible (not covered by another mount) and a directory. */
static int open_mount(const struct mount_entry *mount, struct look *look) {
        _cleanup_close_ int fd = open(mount->point, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (look_at(fd, "", look) < 0 || look->mount_id != mount->id)
                return -ENOENT;
        return take_fd(&fd);
}

static int add_identified(struct scan *scan, const struct mount_entry *mount,
                          const struct look *look, int fd) {
        struct sight lent = { .volume = volume_of_mount(mount, look), .mounted = true };
        _cleanup_close_ int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct sight sight = lent;
        int r = volume_clone(&sight.volume, &lent.volume);

        sight.whole =
                is_btrfs(mount) ? look->inode == BTRFS_ROOT_INODE : strcmp(mount->root, "/") == 0;
        sight.shown = sight.whole ? NULL : (char *)(uintptr_t)mount->root; /* lent */
        if (r == 0 && is_btrfs(mount) && sight.whole) {
                char *inside = strdup(mount->root + (*mount->root == '/'));

                free((char *)(uintptr_t)sight.volume.v.subvolume);
                sight.volume.v.subvolume = inside;
                r = inside ? 0 : -ENOMEM;
        }
        if (r == 0)
                r = scan_identify(&sight.volume, readable);
        if (r == 0)
                r = scan_add(scan, &sight);
        if (r == 0 && is_btrfs(mount) && sight.whole && readable >= 0)
                r = scan_nested(scan, &sight, readable);
        volume_clear(&sight.volume);
        return r;
}

/* A mount that cannot be looked at is left out: one sick file system must not hide the others.
 * That is also why one that is covered is not opened: the way would lead to what covers it. */
static int scan_mount(struct scan *scan, const struct mount_entry *mount) {
        const struct mount_entry *foreign;
        _cleanup_close_ int fd = -1;
        struct look look;

        if (mount_entry_kind(mount) != MOUNT_LOCAL || scan_is_ours(scan, mount->point) ||
            (is_btrfs(mount) && has_copies_folder(mount->root)))
                return 0;
        if (mount->deleted || mount_table_at(&scan->mounts, mount->point, &foreign) != mount ||
            (foreign && !scan_answers(scan, foreign)))
                return 0;
        fd = open_mount(mount, &look);
        return fd < 0 ? 0 : add_identified(scan, mount, &look, fd);
}

static bool same_volume(const struct sight *a, const struct sight *b) {
        return a->volume.v.dev_major == b->volume.v.dev_major &&
               a->volume.v.dev_minor == b->volume.v.dev_minor;
}

/* A sight of the root beats one of a part; then the shorter path; then the order. */
static bool is_better(const struct sight *a, const struct sight *b) {
        if (a->whole != b->whole)
                return a->whole;
        return strlen(a->volume.v.mount_point) < strlen(b->volume.v.mount_point);
}

static void choose(struct scan *scan) {
        for (size_t i = 0; i < scan->count; i++) {
                bool best = true;

                for (size_t k = 0; k < scan->count && best; k++)
                        if (k != i && same_volume(&scan->items[i], &scan->items[k]))
                                best = k < i ? is_better(&scan->items[i], &scan->items[k])
                                             : !is_better(&scan->items[k], &scan->items[i]);
                scan->items[i].chosen = best;
        }
}

static int set_device_id(struct volume *volume) {
        char *id;

        if (asprintf(&id, "DEVICE=%s", volume->v.device) < 0)
                return -ENOMEM;
        free((char *)(uintptr_t)volume->v.id);
        volume->v.id = id;
        return 0;
}

static bool is_ambiguous(const struct scan *scan, const struct sight *sight) {
        for (size_t i = 0; i < scan->count; i++)
                if (!same_volume(&scan->items[i], sight) &&
                    strcmp(scan->items[i].volume.v.id, sight->volume.v.id) == 0)
                        return true;
        return false;
}

/* A file system without an identifier, and clones that share one, are told apart by device. */
static int settle_ids(struct scan *scan) {
        for (size_t i = 0; i < scan->count; i++)
                scan->items[i].ambiguous =
                        !*scan->items[i].volume.v.id || is_ambiguous(scan, &scan->items[i]);
        for (size_t i = 0; i < scan->count; i++)
                if (scan->items[i].ambiguous && set_device_id(&scan->items[i].volume) < 0)
                        return -ENOMEM;
        return 0;
}

static int by_mount_point(const void *a, const void *b) {
        return strcmp(((const struct sight *)a)->volume.v.mount_point,
                      ((const struct sight *)b)->volume.v.mount_point);
}

int scan_init(struct scan *scan, const char *const *skip, struct vss_error *reterr) {
        int r;

        *scan = (struct scan){ .skip = skip };
        r = mount_table_read(&scan->mounts, NULL, reterr);
        if (r < 0)
                return r;
        scan->answers = calloc(scan->mounts.count + 1, sizeof(*scan->answers));
        if (!scan->answers)
                return -ENOMEM;
        for (size_t i = 0; r == 0 && i < scan->mounts.count; i++)
                r = scan_mount(scan, &scan->mounts.items[i]);
        if (r == 0)
                r = settle_ids(scan);
        if (scan->count > 0)
                qsort(scan->items, scan->count, sizeof(*scan->items), by_mount_point);
        choose(scan);
        return r < 0 ? vss_fail(reterr, r, "cannot list the volumes: %s", strerror(-r)) : 0;
}

int scan_list(const struct scan *scan, struct volume_list *list) {
        for (size_t i = 0; i < scan->count; i++) {
                int r = scan->items[i].chosen ? volume_list_add(list, &scan->items[i].volume) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}
