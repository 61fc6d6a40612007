/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attributes.c - extended attributes with ACLs, read from a source; and set again, with owner, mode
 * and times, on the descriptor of what was restored. Owner first, since a change of owner clears
 * set-id bits and capabilities.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/array.h"
#include "base/cleanup.h"

#define ATTRIBUTE_LIST_MAX 65536

#define MODE_UNKNOWN UINT32_MAX

#define ACCESS_ACL "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"

/* how XFS keeps its ACLs, listed beside the ACLs themselves: no attributes of the file, and on
 * other file systems they would be (sets of earlier versions have them) */
static bool is_shadow_of_acl(const char *name) {
        return strcmp(name, "trusted.SGI_ACL_FILE") == 0 ||
               strcmp(name, "trusted.SGI_ACL_DEFAULT") == 0;
}

/* ---- reading ---- */

int attributes_add(struct attributes *ret, const char *name, const void *value, size_t size) {
        struct attribute *item;

        if (ARRAY_RESERVE(&ret->items, ret->count, &ret->capacity) < 0)
                return -ENOMEM;
        item = &ret->items[ret->count++];
        *item = (struct attribute){ strdup(name), malloc(size + 1), size };
        if (!item->name || !item->value)
                return -ENOMEM;
        if (size > 0)
                memcpy(item->value, value, size);
        return 0;
}

/* @where: what cannot be opened for reading (links, devices) is reached through its O_PATH fd */
static int attributes_read_list(int fd, const char *where, struct attributes *ret) {
        _cleanup_free_ char *names = malloc(ATTRIBUTE_LIST_MAX),
                            *value = malloc(ATTRIBUTE_LIST_MAX);
        ssize_t size;

        if (!names || !value)
                return -ENOMEM;
        size = where ? listxattr(where, names, ATTRIBUTE_LIST_MAX)
                     : flistxattr(fd, names, ATTRIBUTE_LIST_MAX);
        if (size < 0)
                return errno == ENOTSUP ? 0 : -errno;
        for (const char *name = names; name < names + size; name += strlen(name) + 1) {
                ssize_t n;
                int r;

                if (is_shadow_of_acl(name))
                        continue;
                n = where ? getxattr(where, name, value, ATTRIBUTE_LIST_MAX)
                          : fgetxattr(fd, name, value, ATTRIBUTE_LIST_MAX);
                if (n < 0 && errno == ENODATA)
                        continue;
                r = n < 0 ? -errno : attributes_add(ret, name, value, (size_t)n);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct attribute *)a)->name, ((const struct attribute *)b)->name);
}

void attributes_sort(struct attributes *attributes) {
        if (attributes->count > 1)
                qsort(attributes->items, attributes->count, sizeof(*attributes->items), by_name);
}

int attributes_read(int fd, struct attributes *ret) {
        char magic[40];
        ssize_t size = flistxattr(fd, NULL, 0);
        int r;

        attributes_done(ret);
        if (size < 0 && errno == EBADF) {
                snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
                r = attributes_read_list(fd, magic, ret);
        } else if (size > 0) {
                r = attributes_read_list(fd, NULL, ret);
        } else {
                return size == 0 || errno == ENOTSUP ? 0 : -errno;
        }
        attributes_sort(ret);
        return r;
}

int attributes_digest(const struct attributes *attributes, uint8_t ret[8]) {
        struct text text = { 0 };
        uint8_t digest[DIGEST_SIZE];
        int r;

        for (size_t i = 0; i < attributes->count; i++) {
                text_string(&text, attributes->items[i].name);
                text_char(&text, '\0');
                text_number(&text, attributes->items[i].size);
                text_char(&text, '\0');
                text_raw(&text, attributes->items[i].value, attributes->items[i].size);
        }
        r = text.failed ? -ENOMEM : digest_bytes(text.data, text.size, digest);
        text_done(&text);
        if (r >= 0)
                memcpy(ret, digest, 8);
        return r;
}

/* ---- setting ---- */

/* only an administrator may set these; a user's restore goes on without them (SEC-65) */
static bool is_administrators(const char *name) {
        return strncmp(name, "trusted.", 8) == 0 || strncmp(name, "security.", 9) == 0;
}

/* properties of one kind of file system, not of the file */
static bool is_file_systems(const char *name) {
        return strncmp(name, "btrfs.", 6) == 0 || strcmp(name, "security.selinux") == 0;
}

/* what an administrator lacks, inside a container as a rule */
static const char *lacks(int r, const char *capability) {
        return r == -EPERM && geteuid() == 0 ? capability : "";
}

static int set_attribute(int fd, const char *magic, const struct attribute *attribute) {
        int r = magic ? setxattr(magic, attribute->name, attribute->value, attribute->size, 0)
                      : fsetxattr(fd, attribute->name, attribute->value, attribute->size, 0);

        if (r >= 0 || (errno == ENOTSUP && is_file_systems(attribute->name)))
                return 0;
        return -errno;
}

static int set_attributes(int fd, const char *magic, const struct record *record,
                          const struct attributes *attributes, struct vss_error *reterr) {
        for (size_t i = 0; i < attributes->count; i++) {
                const struct attribute *attribute = &attributes->items[i];
                int r;

                if (is_shadow_of_acl(attribute->name) ||
                    (geteuid() != 0 && is_administrators(attribute->name)))
                        continue;
                r = set_attribute(fd, magic, attribute);
                if (r < 0)
                        return vss_fail(reterr, r, "cannot set the attribute '%s' of '%s': %s%s",
                                        attribute->name, record->path, strerror(-r),
                                        strcmp(attribute->name, "security.capability") == 0
                                                ? lacks(r, "; it needs CAP_SETFCAP")
                                                : lacks(r, "; it needs CAP_SYS_ADMIN"));
        }
        return 0;
}

static bool has_attribute(const struct attributes *attributes, const char *name) {
        for (size_t i = 0; i < attributes->count; i++)
                if (strcmp(attributes->items[i].name, name) == 0)
                        return true;
        return false;
}

/* what a directory's default ACL gave to something made in it */
static void clear_inherited(int fd, const char *magic, const struct attributes *attributes) {
        static const char *const acls[] = { ACCESS_ACL, DEFAULT_ACL };

        for (size_t i = 0; i < ELEMENTSOF(acls); i++)
                if (!has_attribute(attributes, acls[i]))
                        (void)(magic ? removexattr(magic, acls[i]) : fremovexattr(fd, acls[i]));
}

/* labels and keys that the system gave are not the backup's to take */
static bool is_users(const char *name) {
        return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
               (geteuid() == 0 && strncmp(name, "trusted.", 8) == 0 && !is_shadow_of_acl(name));
}

void attributes_drop_others(int fd, const struct attributes *attributes) {
        _cleanup_free_ char *names = NULL;
        ssize_t size = flistxattr(fd, NULL, 0);

        if (size > 0)
                names = malloc(ATTRIBUTE_LIST_MAX);
        if (names)
                size = flistxattr(fd, names, ATTRIBUTE_LIST_MAX);
        for (const char *name = names; name && name < names + size; name += strlen(name) + 1)
                if (is_users(name) && !has_attribute(attributes, name))
                        (void)fremovexattr(fd, name);
}

static int set_owner(int fd, const struct record *record, const struct stat *st,
                     struct vss_error *reterr) {
        if (st->st_uid == record->uid && st->st_gid == record->gid)
                return 0;
        if (fchownat(fd, "", record->uid, record->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) >= 0)
                return 0;
        if (errno == EPERM && geteuid() != 0)
                return 0; /* a user's files belong to the user */
        return vss_fail(reterr, -errno, "cannot set the owner of '%s': %s%s", record->path,
                        strerror(errno), lacks(-errno, "; it needs CAP_CHOWN"));
}

/* @has: the mode that it is known to have, or MODE_UNKNOWN */
static int set_mode(int fd, const char *magic, const struct record *record, uint32_t has,
                    struct vss_error *reterr) {
        uint32_t mode = record->mode;

        if (geteuid() != 0)
                mode &= 01777; /* the owner may be another one than the one it was set for */
        if (record->kind == ENTRY_SYMLINK || mode == has)
                return 0;
        if ((magic ? chmod(magic, mode) : fchmod(fd, mode)) < 0)
                return vss_fail(reterr, -errno, "cannot set the mode of '%s': %s%s", record->path,
                                strerror(errno), lacks(-errno, "; it needs CAP_FOWNER"));
        return 0;
}

int attributes_apply(int fd, const struct record *record, const struct attributes *attributes,
                     bool clear_acl, struct vss_error *reterr) {
        bool by_path = record->kind != ENTRY_FILE && record->kind != ENTRY_DIRECTORY;
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                     { record->mtime, (long)record->mtime_ns } };
        char buffer[40];
        const char *magic = NULL;
        struct stat st;
        bool plain;
        int r;

        if (by_path) {
                snprintf(buffer, sizeof(buffer), "/proc/self/fd/%d", fd);
                magic = buffer;
        }
        if (fstat(fd, &st) < 0)
                return vss_fail(reterr, -errno, "'%s': %s", record->path, strerror(errno));
        /* a change of owner or of ACLs may change the mode */
        plain = !clear_acl && attributes->count == 0 && st.st_uid == record->uid &&
                st.st_gid == record->gid;
        r = set_owner(fd, record, &st, reterr);
        if (r >= 0 && clear_acl)
                clear_inherited(fd, magic, attributes);
        if (r >= 0)
                r = set_attributes(fd, magic, record, attributes, reterr);
        if (r >= 0)
                r = set_mode(fd, magic, record, plain ? st.st_mode & 07777 : MODE_UNKNOWN, reterr);
        if (r < 0)
                return r;
        if (utimensat(fd, "", times, AT_EMPTY_PATH) < 0)
                return vss_fail(reterr, -errno, "cannot set the times of '%s': %s", record->path,
                                strerror(errno));
        return 0;
}
