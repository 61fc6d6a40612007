/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.c - the bare sequence that a btrfs shadow copy cannot do without, by hand: one
 * read-write snapshot ioctl, timed; what the freeze window is measured against.
 *
 *   snapshot SUBVOLUME TIMES    microseconds of each, one per line; the snapshots are deleted
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static long microseconds(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static int one(int folder) {
        struct btrfs_ioctl_vol_args_v2 create = { .fd = folder, .name = "bench-snapshot" };
        struct btrfs_ioctl_vol_args destroy = { .name = "bench-snapshot" };
        long began = microseconds();

        if (ioctl(folder, BTRFS_IOC_SNAP_CREATE_V2, &create) < 0)
                return -errno;
        printf("%ld\n", microseconds() - began);
        return ioctl(folder, BTRFS_IOC_SNAP_DESTROY, &destroy) < 0 ? -errno : 0;
}

int main(int argc, char *argv[]) {
        int folder = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

        if (folder < 0) {
                fprintf(stderr, "usage: snapshot SUBVOLUME TIMES\n");
                return 2;
        }
        for (int i = 0; i < atoi(argv[2]); i++) {
                int r;

                if (syncfs(folder) < 0)
                        return 1;
                r = one(folder);
                if (r < 0) {
                        fprintf(stderr, "snapshot: %s\n", strerror(-r));
                        return 1;
                }
        }
        return 0;
}
