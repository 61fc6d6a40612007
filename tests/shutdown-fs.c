/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shutdown-fs.c - make a file system fail as if its disk had gone: XFS and ext4 know a request for
 * that. For tests/system/vanish.sh. usage: shutdown-fs MOUNT-POINT
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* XFS_IOC_GOINGDOWN; ext4 took the same number for EXT4_IOC_SHUTDOWN */
#define GOING_DOWN _IOR('X', 125, uint32_t)
enum { WITHOUT_LOG_FLUSH = 2 };

int main(int argc, char **argv) {
        uint32_t how = WITHOUT_LOG_FLUSH;
        int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

        if (fd < 0 || ioctl(fd, GOING_DOWN, &how) < 0) {
                perror(argc == 2 ? argv[1] : "usage: shutdown-fs MOUNT-POINT");
                return 1;
        }
        return 0;
}
