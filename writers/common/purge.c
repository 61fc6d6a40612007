/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * purge.c - see purge.h. Users own folders of what is copied and may put links anywhere in them: a
 * path is followed beneath the copy's root only, without links and without other file systems.
 */
#define _GNU_SOURCE
#include "common/purge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct purge {
        struct vss_writer *writer;
        const struct file_set *set;
        const char *volume; /* whose copy it is */
        dev_t device; /* of the copy */
        size_t left; /* files that could not be deleted */
        char words[512]; /* about the first of them */
};

static void tell(struct purge *purge, const char *name, int code) {
        if (purge->left++ == 0)
                (void)snprintf(
                        purge->words, sizeof(purge->words), "'%s' of '%s': %s", name, purge->volume,
                        code == EROFS ? "the provider's copies cannot be written" : strerror(code));
}

/* open_beneath() - a folder of the copy, by a path without links; negative errno */
static int open_beneath(int root, const char *path) {
        const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
                                      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                                 RESOLVE_NO_XDEV };
        int fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

static bool is_folder(int at, const struct dirent *entry) {
        struct stat st;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type == DT_DIR;
        return fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void purge_folder(struct purge *purge, int take_fd);

static void purge_entry(struct purge *purge, int at, const struct dirent *entry) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return;
        if (is_folder(at, entry)) {
                int fd = purge->set->recursive ? open_beneath(at, name) : -ENOENT;

                if (fd >= 0)
                        purge_folder(purge, fd);
                else if (fd != -ENOENT && fd != -EXDEV)
                        tell(purge, name, -fd);
                return;
        }
        if (vss_filespec_matches(purge->set->filespec, name) && unlinkat(at, name, 0) < 0 &&
            errno != ENOENT)
                tell(purge, name, errno);
}

/* what is removed while a folder is read may only hide names that are gone (readdir(3)) */
static void purge_folder(struct purge *purge, int take_fd) {
        DIR *folder = fdopendir(take_fd);
        struct dirent *entry;
        struct stat st;

        if (!folder) {
                close(take_fd);
                return;
        }
        if (fstat(dirfd(folder), &st) == 0 && st.st_dev == purge->device)
                while ((entry = readdir(folder)))
                        purge_entry(purge, dirfd(folder), entry);
        (void)closedir(folder);
}

static const char *below(const char *path, const char *ancestor) {
        path += strlen(ancestor);
        return path + strspn(path, "/");
}

/* deepest_volume() - the volume of the set that holds @path; NULL when none does */
static const char *deepest_volume(const char *const *volumes, const char *path) {
        const char *best = NULL;

        for (; *volumes; volumes++)
                if (util_path_is_below(path, *volumes) &&
                    (!best || strlen(*volumes) > strlen(best)))
                        best = *volumes;
        return best;
}

/* where_in() - the folder of the file set in the copy of @volume, relative; NULL: none of it */
static const char *where_in(const struct file_set *set, const char *const *volumes,
                            const char *volume) {
        const char *holder;

        if (util_path_is_below(set->path, PURGE_EVERY_VOLUME))
                return below(set->path, PURGE_EVERY_VOLUME);
        holder = deepest_volume(volumes, set->path);
        if (holder && strcmp(holder, volume) == 0)
                return below(set->path, volume);
        /* a volume mounted below a recursive set (B-151) */
        return set->recursive && util_path_is_below(volume, set->path) ? "" : NULL;
}

/* is_original() - a provider that promises no copies (memory) hands out the volume itself */
static bool is_original(const char *volume, const struct stat *copy) {
        struct stat st;

        return stat(volume, &st) < 0 || (st.st_dev == copy->st_dev && st.st_ino == copy->st_ino);
}

static void purge_volume(struct purge *purge, const char *path) {
        _cleanup_close_ int root = -1;
        const char *copy;
        struct stat st;
        int fd;

        if (vss_writer_get_snapshot_device_name(purge->writer, purge->volume, &copy) < 0)
                return;
        root = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root < 0 || fstat(root, &st) < 0) {
                tell(purge, copy, errno);
                return;
        }
        if (is_original(purge->volume, &st)) {
                tell(purge, copy, EROFS);
                return;
        }
        purge->device = st.st_dev;
        fd = open_beneath(root, path);
        if (fd >= 0)
                purge_folder(purge, fd); /* else it is not there, or not in this file system */
}

void purge_copies(struct vss_writer *writer, const struct file_set *sets, size_t count) {
        const char *const *volumes = vss_writer_get_current_volume_array(writer);
        struct purge purge = { .writer = writer };
        char words[640];

        if (vss_writer_get_context(writer) & VSS_VOLSNAP_ATTR_NO_AUTORECOVERY)
                return;
        for (size_t i = 0; i < count; i++)
                for (size_t k = 0; volumes && volumes[k]; k++) {
                        const char *path = where_in(&sets[i], volumes, volumes[k]);

                        purge.set = &sets[i];
                        purge.volume = volumes[k];
                        if (path)
                                purge_volume(&purge, path);
                }
        if (purge.left == 0)
                return;
        (void)snprintf(words, sizeof(words),
                       "%zu of the files that belong into no shadow copy stay in it; the first: %s",
                       purge.left, purge.words);
        util_printable(words);
        (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0, words);
}
