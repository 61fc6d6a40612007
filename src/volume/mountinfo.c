/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "volume/mountinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

static bool is_octal(const char *s) {
        return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' &&
               s[2] <= '7';
}

/* The kernel writes space, tab, newline and backslash as \040 and so on; all else is itself. */
static char *unescape(const char *field) {
        char *plain = strdup(field), *to = plain;

        if (!plain)
                return NULL;
        while (*field) {
                if (*field == '\\' && is_octal(field + 1)) {
                        *to++ = (char)((field[1] - '0') << 6 | (field[2] - '0') << 3 |
                                       (field[3] - '0'));
                        field += 4;
                } else
                        *to++ = *field++;
        }
        *to = '\0';
        return plain;
}

static bool has_option(const char *options, const char *word) {
        size_t length = strlen(word);

        for (const char *s = options; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
                if (strncmp(s, word, length) == 0 && (s[length] == ',' || s[length] == '\0'))
                        return true;
        return false;
}

static void mount_entry_done(struct mount_entry *mount) {
        free(mount->root);
        free(mount->point);
        free(mount->type);
        free(mount->source);
}

enum { FIXED_FIELDS = 6, TAIL_FIELDS = 3 };

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static bool split_line(char *line, char *fixed[FIXED_FIELDS], char *tail[TAIL_FIELDS]) {
        char *rest = line, *field;

        for (size_t i = 0; i < FIXED_FIELDS; i++)
                if (!(fixed[i] = strsep(&rest, " ")))
                        return false;
        do
                field = strsep(&rest, " ");
        while (field && strcmp(field, "-") != 0);
        for (size_t i = 0; i < TAIL_FIELDS; i++)
                if (!(tail[i] = strsep(&rest, " ")))
                        return false;
        return true;
}

static int parse_line(struct mount_entry *ret, char *line) {
        struct mount_entry mount = { 0 };
        char *fixed[FIXED_FIELDS], *tail[TAIL_FIELDS], rest;

        if (!split_line(line, fixed, tail))
                return -EBADMSG;
        if (sscanf(fixed[0], "%" SCNu64 "%c", &mount.id, &rest) != 1 ||
            sscanf(fixed[1], "%" SCNu64 "%c", &mount.parent, &rest) != 1 ||
            sscanf(fixed[2], "%u:%u%c", &mount.dev_major, &mount.dev_minor, &rest) != 2)
                return -EBADMSG;
        mount.root = unescape(fixed[3]);
        mount.point = unescape(fixed[4]);
        mount.type = unescape(tail[0]);
        mount.source = unescape(tail[1]);
        mount.read_only = has_option(fixed[5], "ro") || has_option(tail[2], "ro");
        if (!mount.root || !mount.point || !mount.type || !mount.source) {
                mount_entry_done(&mount);
                return -ENOMEM;
        }
        *ret = mount;
        return 0;
}

int mount_table_parse(struct mount_table *table, const char *text, struct vss_error *reterr) {
        _cleanup_free_ char *copy = strdup(text);
        char *rest = copy, *line;
        unsigned number = 0;

        if (!copy)
                return -ENOMEM;
        while ((line = strsep(&rest, "\n"))) {
                int r;

                number++;
                if (!*line)
                        continue;
                r = ARRAY_RESERVE(&table->items, table->count, &table->capacity);
                if (r == 0)
                        r = parse_line(&table->items[table->count], line);
                if (r < 0)
                        return vss_fail(reterr, r, "cannot read line %u of the table of mounts",
                                        number);
                table->count++;
        }
        return 0;
}

int mount_table_read(struct mount_table *table, struct vss_error *reterr) {
        _cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        /* files of /proc tell no size, and no line of it holds a NUL: read up to one */
        if (!file || getdelim(&text, &size, '\0', file) < 0)
                return vss_fail(reterr, errno ? -errno : -EIO,
                                "cannot read /proc/self/mountinfo: %m");
        return mount_table_parse(table, text, reterr);
}

void mount_table_done(struct mount_table *table) {
        for (size_t i = 0; i < table->count; i++)
                mount_entry_done(&table->items[i]);
        free(table->items);
        *table = (struct mount_table){ 0 };
}

const struct mount_entry *mount_table_find(const struct mount_table *table, uint64_t id) {
        for (size_t i = 0; i < table->count; i++)
                if (table->items[i].id == id)
                        return &table->items[i];
        return NULL;
}

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
