/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs.c - subvolumes: read-only after the final commit, nested ones, a user's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static void delete_set(struct set *set) {
        struct vss_id left;
        uint32_t deleted;

        CHECK_INT(delete_object(&set->id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left), 0);
        CHECK_INT(folders_of_set(&set->id), 0);
}

static int can_write(const struct vss_id *copy) {
        struct vss_snapshot_prop prop = properties_of(copy);
        char path[4200];
        int fd;

        snprintf(path, sizeof(path), "%s/written", prop.device_object);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        vss_free_snapshot_properties(&prop);
        if (fd < 0)
                return -errno;
        close(fd);
        return 0;
}

/* S-54, S-55: writable for recovery, then read-only; without auto-recovery read-only at once */
static void test_read_only(void) {
        struct set set = set_new(), fixed = set_new();

        set_run(&set, BEGIN, PRE_FINAL);
        CHECK_INT(can_write(&set.copies[0]), 0);
        set_run(&set, POST_FINAL, POST_FINAL);
        CHECK_INT(can_write(&set.copies[0]), -EROFS);
        delete_set(&set);

        fixed.context = VSS_VOLSNAP_ATTR_NO_AUTORECOVERY;
        set_run(&fixed, BEGIN, COMMIT);
        CHECK_INT(can_write(&fixed.copies[0]), -EROFS);
        set_run(&fixed, POST_COMMIT, POST_FINAL);
        CHECK_INT(can_write(&fixed.copies[0]), -EROFS);
        delete_set(&fixed);
}

/* A plain folder and a read-only subvolume are no volumes of ours (7.2) */
static void test_refusals(void) {
        struct vss_promise promise;
        struct vss_volume volume;
        char folder[4200];

        snprintf(folder, sizeof(folder), "%s/plain", mounts[0]);
        CHECK_INT(mkdir(folder, 0755), 0);
        volume_of(folder, "plain", &volume);
        CHECK_INT(ops->is_volume_supported(&provider, &volume, 0, &promise, &words), 0);
        CHECK(strstr(words.message, "subvolume"));
        CHECK_INT(rmdir(folder), 0);
        volume_of("/dev/shm", "", &volume);
        CHECK_INT(ops->is_volume_supported(&provider, &volume, 0, &promise, &words), 0);
}

void btrfs_cases(void) {
        RUN(test_read_only);
        RUN(test_refusals);
}

/* P-62, S-33, S-67, P-92: a nested subvolume is an empty folder in its parent's copy, has a copy
 * of its own, is taken first, and both bear one time */
void btrfs_nested(void) {
        struct set set = set_new();
        struct vss_snapshot_prop parent, child;

        CHECK_INT(suite.volume_count, 2);
        shell("echo inner >\"$1\"/inner && echo outer >\"$2\"/outer", mounts[1], mounts[0]);
        set_run(&set, BEGIN, POST_FINAL);
        parent = properties_of(&set.copies[0]);
        child = properties_of(&set.copies[1]);
        CHECK_INT(parent.creation_timestamp, child.creation_timestamp);
        CHECK_INT(parent.snapshots_count, 2);
        CHECK_INT(parent.instant, VSS_INSTANT_SPREAD);
        shell("[ \"$(cat \"$2\"/inner)\" = inner ] && [ \"$(cat \"$1\"/outer)\" = outer ] && "
              "[ -d \"$1\"/nested ] && [ -z \"$(ls -A \"$1\"/nested)\" ]",
              parent.device_object, child.device_object);
        CHECK_INT(fresh("query", text_of(&set.id)), 2);
        /* a copy that was lost is not listed (P-42) */
        shell("btrfs -q subvolume delete \"$1\" >/dev/null", child.device_object, "");
        CHECK_INT(fresh("query", text_of(&set.id)), 1);
        vss_free_snapshot_properties(&parent);
        vss_free_snapshot_properties(&child);
        CHECK_INT(fresh("delete-set", text_of(&set.id)), 1);
        printf("ok btrfs_nested\n");
}

/* A user: only what can be deleted again is made, and the mount option decides */
void btrfs_user(void) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0) {
                struct set set = set_new();
                struct vss_promise promise;
                struct vss_volume volume;
                struct vss_id left;
                uint32_t deleted;
                bool may = strstr(mounts[0], "may") != NULL;

                CHECK_INT(setgid(4242), 0);
                CHECK_INT(setuid(4242), 0);
                volume_of(mounts[0], subvolumes[0], &volume);
                CHECK_INT(ops->is_volume_supported(&provider, &volume, 0, &promise, &words), may);
                if (!may) {
                        CHECK(strstr(words.message, "user_subvol_rm_allowed"));
                        _exit(0);
                }
                set_run(&set, BEGIN, POST_FINAL);
                CHECK_INT(count_copies(&set.id), 1);
                CHECK_INT(delete_object(&set.id, VSS_OBJECT_SNAPSHOT_SET, false, &deleted, &left),
                          0);
                CHECK_INT(folders_of_set(&set.id), 0);
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
        printf("ok btrfs_user\n");
}
