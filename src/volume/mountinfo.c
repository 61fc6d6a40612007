/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "volume/mountinfo.h"

#include <errno.h>
#include <libmount/libmount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

static bool has_option(const char *options, const char *word) {
        char *value;
        size_t size;

        return options && mnt_optstr_get_option(options, word, &value, &size) == 0;
}

/* The kernel appends this to the root of a bind mount whose folder was removed. A folder cannot
 * bear such a name: of two slashes it would have shown one. */
static bool ends_deleted(const char *root) {
        static const char mark[] = "//deleted";
        size_t length = strlen(root);

        return length >= sizeof(mark) - 1 && strcmp(root + length - (sizeof(mark) - 1), mark) == 0;
}

static int add_line(struct mount_table *table, struct libmnt_fs *fs) {
        struct mount_entry mount = { .id = (uint64_t)mnt_fs_get_id(fs),
                                     .parent = (uint64_t)mnt_fs_get_parent_id(fs),
                                     .dev_major = major(mnt_fs_get_devno(fs)),
                                     .dev_minor = minor(mnt_fs_get_devno(fs)),
                                     .root = mnt_fs_get_root(fs),
                                     .point = mnt_fs_get_target(fs),
                                     .type = mnt_fs_get_fstype(fs),
                                     .source = mnt_fs_get_source(fs) };
        int r;

        /* a line of fstab, which libmount reads as well, is none of the kernel's */
        if (!mnt_fs_is_kernel(fs) || !mount.root || !mount.point || !mount.type)
                return -EBADMSG;
        r = ARRAY_RESERVE(&table->items, table->count, &table->capacity);
        if (r < 0)
                return r;
        if (!mount.source)
                mount.source = "";
        mount.read_only = has_option(mnt_fs_get_vfs_options(fs), "ro") ||
                          has_option(mnt_fs_get_fs_options(fs), "ro");
        mount.deleted = ends_deleted(mount.root);
        table->items[table->count++] = mount;
        return 0;
}

/* libmount would go on without the line, and at the end of a file it forgets what we return. */
static int refuse_line(struct libmnt_table *lines, const char *file, int line) {
        *(bool *)mnt_table_get_userdata(lines) = true;
        return -EBADMSG;
}

static int read_lines(struct mount_table *table, const char *file) {
        struct libmnt_iter *iterator = mnt_new_iter(MNT_ITER_FORWARD);
        struct libmnt_fs *fs;
        bool broken = false;
        int r = iterator ? 0 : -ENOMEM;

        table->lines = mnt_new_table();
        if (!table->lines)
                r = -ENOMEM;
        if (r == 0)
                r = mnt_table_set_userdata(table->lines, &broken);
        if (r == 0)
                r = mnt_table_set_parser_errcb(table->lines, refuse_line);
        if (r == 0)
                r = mnt_table_parse_file(table->lines, file);
        if (broken)
                r = -EBADMSG;
        while (r == 0 && mnt_table_next_fs(table->lines, iterator, &fs) == 0)
                r = add_line(table, fs);
        mnt_free_iter(iterator);
        return r > 0 ? -EBADMSG : r;
}

int mount_table_read(struct mount_table *table, const char *file, struct vss_error *reterr) {
        int r;

        if (!file)
                file = "/proc/self/mountinfo";
        r = read_lines(table, file);
        if (r == 0)
                return 0;
        mount_table_done(table);
        return vss_fail(reterr, r, "cannot read the table of mounts '%s': %s", file, strerror(-r));
}

void mount_table_done(struct mount_table *table) {
        mnt_unref_table(table->lines);
        free(table->items);
        *table = (struct mount_table){ 0 };
}

const struct mount_entry *mount_table_find(const struct mount_table *table, uint64_t id) {
        for (size_t i = 0; i < table->count; i++)
                if (table->items[i].id == id)
                        return &table->items[i];
        return NULL;
}

/* ---- which mount a path is reached by ---- */

static bool is_root(const struct mount_table *table, const struct mount_entry *mount) {
        return mount->parent == mount->id || !mount_table_find(table, mount->parent);
}

/* The next mount that the way to @path crosses after @from, NULL for its first. What is mounted
 * over another on one point is that one's child, so the way ends on the topmost. */
static const struct mount_entry *next_crossed(const struct mount_table *table, const char *path,
                                              const struct mount_entry *from) {
        const struct mount_entry *next = NULL;

        for (size_t i = 0; i < table->count; i++) {
                const struct mount_entry *mount = &table->items[i];

                if (mount == from || !path_is_below(path, mount->point) ||
                    (from ? mount->parent != from->id : !is_root(table, mount)))
                        continue;
                if (!next || strlen(mount->point) < strlen(next->point))
                        next = mount;
        }
        return next;
}

const struct mount_entry *mount_table_at(const struct mount_table *table, const char *path,
                                         const struct mount_entry **ret_foreign) {
        const struct mount_entry *at = NULL, *next;

        *ret_foreign = NULL;
        for (size_t steps = 0; steps < table->count; steps++) {
                enum mount_kind kind;

                next = next_crossed(table, path, at);
                if (!next)
                        break;
                at = next;
                kind = mount_entry_kind(at);
                if (kind == MOUNT_NETWORK || kind == MOUNT_FUSE)
                        *ret_foreign = at;
        }
        return at;
}

/* ---- kinds ---- */

static bool is_one_of(const char *type, const char *const words[]) {
        for (size_t i = 0; words[i]; i++)
                if (strcmp(type, words[i]) == 0)
                        return true;
        return false;
}

enum mount_kind mount_entry_kind(const struct mount_entry *mount) {
        static const char *const network[] = { "nfs",   "nfs4",   "cifs",      "smb3",  "smbfs",
                                               "ceph",  "9p",     "glusterfs", "afs",   "coda",
                                               "ncpfs", "lustre", "virtiofs",  "davfs", NULL };
        static const char *const stacked[] = { "overlay", "aufs", "ecryptfs", NULL };
        /* local although their device number is one of memory's (major 0) */
        static const char *const anonymous[] = { "btrfs", "bcachefs", "zfs", NULL };

        if (is_one_of(mount->type, network))
                return MOUNT_NETWORK;
        if (strncmp(mount->type, "fuse", 4) == 0 && strcmp(mount->type, "fusectl") != 0)
                return MOUNT_FUSE;
        if (is_one_of(mount->type, stacked))
                return MOUNT_STACKED;
        if (mount->dev_major != 0 || is_one_of(mount->type, anonymous))
                return MOUNT_LOCAL;
        return MOUNT_PSEUDO;
}
