/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sqlite/lists.h"

char *stage_folder(const struct config *config, const char *logical_path, const char *component) {
        char key[LISTS_KEY_SIZE];

        if (lists_key(logical_path, component, key) < 0)
                return NULL;
        return util_join(config->restore_dir, key);
}

/* like mkdir -p; what is made is for the owner only */
static int make_folders(const char *path) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                if (mkdir(copy, 0700) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* the files of @folder; it holds no folders */
static int empty(const char *folder) {
        DIR *directory = opendir(folder);
        struct dirent *entry;
        int r = 0;

        if (!directory)
                return errno == ENOENT ? 0 : -errno;
        while ((entry = readdir(directory)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                    unlinkat(dirfd(directory), entry->d_name, 0) < 0 && r == 0)
                        r = -errno;
        (void)closedir(directory);
        return r;
}

int stage_make(const char *folder) {
        int r = make_folders(folder);

        return r < 0 ? r : empty(folder);
}

void stage_clear(const char *folder) {
        (void)empty(folder);
        (void)rmdir(folder);
}

/* ---- one restoring process at a time ---- */

static int claimed = -1; /* the folder, locked */

/* state_dir itself is locked: nothing is left over, and the kernel releases it with the process */
int stage_claim(const struct config *config, struct vss_error *reterr) {
        uint64_t end = util_now_us() + (uint64_t)config->restore_wait_ms * 1000;
        _cleanup_close_ int fd = -1;
        int r;

        if (claimed >= 0 || lists_make_folder(config->state) < 0)
                return 0;
        fd = open(config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        while ((r = flock(fd, LOCK_EX | LOCK_NB)) < 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
                if (util_now_us() >= end)
                        return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                                         "an earlier restore still works in '%s' after %u ms: wait "
                                         "for its end, and restore again (restore_wait)",
                                         config->state, config->restore_wait_ms);
                (void)usleep(20000);
        }
        if (r == 0) {
                claimed = fd;
                fd = -1;
        }
        return 0;
}

void stage_release(void) {
        if (claimed >= 0)
                (void)close(claimed);
        claimed = -1;
}

/* ---- another name ---- */

static int copy_content(int from, int to) {
        char buffer[65536];
        ssize_t n;

        while ((n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0)) > 0)
                ;
        if (n == 0)
                return 0;
        if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
                return -errno;
        while ((n = read(from, buffer, sizeof(buffer))) > 0)
                for (ssize_t done = 0; done < n;) {
                        ssize_t written = write(to, buffer + done, (size_t)(n - done));

                        if (written < 0)
                                return -errno;
                        done += written;
                }
        return n < 0 ? -errno : 0;
}

/* ACLs and labels; what the file system there does not know is left */
static int copy_attributes(int from, int to) {
        _cleanup_free_ char *names = NULL, *value = malloc(XATTR_SIZE_MAX);
        ssize_t size = flistxattr(from, NULL, 0), n;

        if (size <= 0)
                return value ? 0 : -ENOMEM;
        names = malloc((size_t)size);
        if (!names || !value)
                return -ENOMEM;
        size = flistxattr(from, names, (size_t)size);
        for (char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
                n = fgetxattr(from, name, value, XATTR_SIZE_MAX);
                if (n >= 0 && fsetxattr(to, name, value, (size_t)n, 0) < 0 && errno != EOPNOTSUPP)
                        return -errno;
        }
        return 0;
}

static int copy_file(int from, int to) {
        struct stat st;
        int r;

        if (fstat(from, &st) < 0)
                return -errno;
        r = copy_content(from, to);
        if (r < 0)
                return r;
        /* the owner first: that clears what the mode and the attributes say */
        if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
                return -errno;
        r = copy_attributes(from, to);
        if (r >= 0 &&
            (futimens(to, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0 || fsync(to) < 0))
                r = -errno;
        return r;
}

/* into the other file system under a name that nobody takes for a database, then renamed */
static int publish_copy(const char *from, const char *to) {
        _cleanup_free_ char *temporary = database_sidecar(to, BEFORE_RESTORE "new");
        _cleanup_close_ int in = -1, out = -1;
        int r;

        if (!temporary)
                return -ENOMEM;
        in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (in < 0)
                return -errno;
        (void)unlink(temporary); /* of one that was killed here */
        out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (out < 0)
                return -errno;
        r = copy_file(in, out);
        if (r >= 0 && renameat2(AT_FDCWD, temporary, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(temporary);
        return r;
}

static void sync_folder_of(const char *path) {
        _cleanup_free_ char *folder = strdup(path);
        _cleanup_close_ int fd = -1;
        char *slash = folder ? strrchr(folder, '/') : NULL;

        if (!slash)
                return;
        slash[slash == folder] = '\0';
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
                (void)fsync(fd);
}

int stage_publish(const char *from, const char *to, struct vss_error *reterr) {
        _cleanup_free_ char *wal = database_sidecar(from, "-wal");
        struct stat st;
        int r = 0;

        if (!wal)
                return -ENOMEM;
        if (stat(wal, &st) == 0 && st.st_size > 0)
                return util_fail(reterr, -EBUSY,
                                 "'%s' cannot be named '%s': a log lies beside it, some program "
                                 "has it open",
                                 from, to);
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
                r = errno == EXDEV ? publish_copy(from, to) : -errno;
        if (r < 0)
                return util_fail(reterr, r, "the restored '%s' cannot be named '%s': %s", from, to,
                                 strerror(-r));
        sync_folder_of(to);
        return 0;
}
