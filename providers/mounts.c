/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "kit.h"

/* unoctal() - "\040" and the like, as the kernel writes them; in place */
static void unoctal(char *text) {
        char *to = text;

        for (const char *p = text; *p; p++) {
                if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
                        *to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
                        p += 3;
                } else {
                        *to++ = *p;
                }
        }
        *to = '\0';
}

static void mount_done(struct mount *mount) {
        free(mount->root);
        free(mount->point);
        free(mount->fs_type);
}

/* "36 35 98:0 /root /point rw,noatime master:1 - ext4 /dev/root rw,errors=continue" */
static int parse_line(char *line, struct mount *ret) {
        char *fields[6], *rest = NULL, *options, *tail = strstr(line, " - ");
        struct mount mount = { 0 };
        size_t n = 0;

        if (!tail)
                return -EINVAL;
        *tail = '\0';
        for (char *f = strtok_r(line, " ", &rest); f && n < 6; f = strtok_r(NULL, " ", &rest))
                fields[n++] = f;
        if (n < 6 || sscanf(fields[2], "%u:%u", &mount.major, &mount.minor) != 2)
                return -EINVAL;
        mount.id = strtoull(fields[0], NULL, 10);
        unoctal(fields[3]);
        unoctal(fields[4]);
        tail += 3;
        options = strrchr(tail, ' ');
        mount.read_only =
                strncmp(fields[5], "ro", 2) == 0 || (options && strncmp(options + 1, "ro", 2) == 0);
        mount.root = strdup(fields[3]);
        mount.point = strdup(fields[4]);
        mount.fs_type = strndup(tail, strcspn(tail, " "));
        if (!mount.root || !mount.point || !mount.fs_type) {
                mount_done(&mount);
                return -ENOMEM;
        }
        *ret = mount;
        return 0;
}

static int read_all(FILE *file, struct mounts *mounts) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;

        while (getline(&line, &size, file) >= 0) {
                struct mount mount;
                int r = parse_line(line, &mount);

                if (r == -EINVAL)
                        continue;
                if (r >= 0 && !KIT_GROW(&mounts->items, mounts->count, &mounts->capacity)) {
                        mount_done(&mount);
                        r = -ENOMEM;
                }
                if (r < 0)
                        return r;
                mounts->items[mounts->count++] = mount;
        }
        return ferror(file) ? -EIO : 0;
}

int mounts_read(struct mounts *ret) {
        FILE *file = fopen("/proc/self/mountinfo", "re");
        struct mounts mounts = { 0 };
        int r;

        if (!file)
                return -errno;
        r = read_all(file, &mounts);
        fclose(file);
        if (r < 0) {
                mounts_done(&mounts);
                return r;
        }
        *ret = mounts;
        return 0;
}

void mounts_done(struct mounts *mounts) {
        for (size_t i = 0; i < mounts->count; i++)
                mount_done(&mounts->items[i]);
        free(mounts->items);
        *mounts = (struct mounts){ 0 };
}

const struct mount *mounts_by_id(const struct mounts *mounts, uint64_t id) {
        for (size_t i = 0; id != 0 && i < mounts->count; i++)
                if (mounts->items[i].id == id)
                        return &mounts->items[i];
        return NULL;
}

uint64_t mount_id_of(int fd) {
        struct statx st;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
                return 0;
        return st.stx_mnt_id;
}

int mount_open(const struct mount *mount) {
        int fd = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        if (mount_id_of(fd) == mount->id)
                return fd;
        close(fd);
        return -ESTALE;
}

static bool is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        while (n > 0 && ancestor[n - 1] == '/')
                n--;
        return strncmp(path, ancestor, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* inside_path() - @folder as its file system sees it, given the mount that holds it */
static char *inside_path(const struct mount *holder, const char *folder) {
        size_t skip = strcmp(holder->point, "/") == 0 ? 0 : strlen(holder->point);
        char *path;

        if (!is_below(folder, holder->point) ||
            asprintf(&path, "%s%s", strcmp(holder->root, "/") == 0 ? "" : holder->root,
                     folder + skip) < 0)
                return NULL;
        return path;
}

size_t mounts_using(const char *folder, bool detach) {
        _cleanup_close_ int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *inside = NULL;
        const struct mount *holder;
        struct mounts mounts;
        size_t left = 0;

        if (fd < 0 || mounts_read(&mounts) < 0)
                return 0;
        holder = mounts_by_id(&mounts, mount_id_of(fd));
        inside = holder ? inside_path(holder, folder) : NULL;
        for (size_t i = mounts.count; i-- > 0;) { /* the youngest first */
                const struct mount *m = &mounts.items[i];
                bool shows = inside && m != holder && m->major == holder->major &&
                             m->minor == holder->minor && is_below(m->root, inside);

                if (!shows && !(m != holder && is_below(m->point, folder)))
                        continue;
                if (!detach || umount2(m->point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
                        left++;
        }
        mounts_done(&mounts);
        return left;
}
