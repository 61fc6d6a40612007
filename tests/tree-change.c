/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-change.c - make a tree, and change it at random: everything that a backup must notice, and
 * some things that try to escape notice (same size, mtime put back, swapped names).
 *
 *   tree-change SEED STEPS DIR [links|clones]
 *
 *     links   nearly nothing but hard links and renames
 *     clones  also shared extents, holes punched, ACLs, and what else needs a modern file system
 *
 * The same seed on the same tree does the same. Needs root (owners, devices, trusted attributes).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t state;
static bool links_only, clones;

static uint64_t chance(uint64_t below) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (state * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

/* one of few names, so that steps meet; some of them are nasty */
static const char *any_name(void) {
        static const char *const nasty[] = { "new\nline", "bad\xff\xfe", "ta\tb",  "per%cent",
                                             "a=b",       "-rf",         "sp ace", "\xc3\xbc",
                                             "d-",        "d.x",         "d!" };
        static char names[4][300];
        static int turn;
        char *name = names[turn = (turn + 1) % 4];

        if (chance(6) == 0)
                return nasty[chance(sizeof(nasty) / sizeof(nasty[0]))];
        if (chance(60) == 0) {
                memset(name, 'L', 255);
                name[255] = '\0';
                return name;
        }
        snprintf(name, 300, "%c%llu", "fd"[chance(2)], (unsigned long long)chance(20));
        return name;
}

static const char *any_path(void) {
        static char paths[4][2048];
        static int turn;
        char *path = paths[turn = (turn + 1) % 4];
        uint64_t depth = chance(4);

        path[0] = '\0';
        for (uint64_t i = 0; i <= depth; i++) {
                if (i > 0)
                        strcat(path, "/");
                strcat(path, i < depth ? (char[][3]){ "d1", "d2", "d3" }[chance(3)] : any_name());
        }
        return path;
}

static void make_parents(const char *path) {
        char copy[2048];

        snprintf(copy, sizeof(copy), "%s", path);
        for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void)mkdir(copy, 0755);
                *slash = '/';
        }
}

static void write_file(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0644);
        uint64_t size = chance(20) == 0 ? chance(5000000) : chance(9000);
        char data[4096];

        if (fd < 0)
                return;
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (char)chance(i % 7 == 0 ? 256 : 3);
        for (uint64_t at = 0; at < size; at += sizeof(data))
                if (pwrite(fd, data, sizeof(data), (off_t)at) < 0)
                        break;
        while (ftruncate(fd, (off_t)size) < 0 && errno == EINTR)
                ;
        close(fd);
}

static void change_quietly(const char *path) {
        int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        char byte = (char)chance(256);

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        if (pwrite(fd, &byte, 1, (off_t)chance((uint64_t)st.st_size)) == 1) {
                struct timespec times[2] = { st.st_atim, st.st_mtim };

                (void)futimens(fd, times);
        }
        close(fd);
}

static void make_sparse(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);

        if (fd < 0)
                return;
        /* on a fifo or a device both fail, and that is all right */
        for (uint64_t i = ftruncate(fd, (off_t)chance(30000000)) < 0 ? 0 : chance(4); i > 0; i--)
                if (pwrite(fd, "data", 4, (off_t)chance(30000000)) < 0)
                        break;
        close(fd);
}

static void change_attributes(const char *path) {
        char value[100];

        memset(value, (int)chance(256), sizeof(value));
        switch (chance(6)) {
        case 0:
                (void)fchmodat(AT_FDCWD, path, (mode_t)(chance(4096) | 0600), 0);
                break;
        case 1:
                (void)lchown(path, (uid_t)chance(3) * 1000, (gid_t)chance(3) * 1000);
                break;
        case 2:
                (void)lsetxattr(path, "user.test", value, chance(100), 0);
                break;
        case 3:
                (void)lsetxattr(path, "trusted.test", value, chance(100), 0);
                break;
        case 4:
                (void)lremovexattr(path, "user.test");
                break;
        default: {
                struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                             { (time_t)chance(2000000000),
                                               (long)chance(1000000000) } };

                (void)utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
        }
        }
}

static void make_special(const char *path) {
        switch (chance(4)) {
        case 0:
                (void)mkfifo(path, 0644);
                break;
        case 1:
                (void)mknod(path, S_IFCHR | 0600,
                            makedev((unsigned)chance(9), (unsigned)chance(9)));
                break;
        default:
                (void)symlink(any_path(), path);
        }
}

static void remove_all(const char *path) {
        char command[2300];

        if (unlink(path) < 0 && errno == EISDIR && rmdir(path) < 0 &&
            !strpbrk(path, "'\n\xff\xfe")) {
                snprintf(command, sizeof(command), "rm -rf -- './%s'", path);
                if (system(command) != 0)
                        perror(path);
        }
}

/* the same file under names in several directories, which are then renamed */
static void change_links(const char *path, const char *other) {
        static const char *const folders[] = { "d1", "d2", "d3", "d1/d2", "d2/d3", "d3/d1" };
        const char *from = folders[chance(6)], *to = folders[chance(6)];
        char parked[300];

        switch (chance(6)) {
        case 0: /* a new name first, so that nothing but the names change */
                if (link(path, other) == 0)
                        (void)unlink(path);
                break;
        case 1: /* gone and linked again */
                if (link(path, "parked") == 0 && unlink(path) == 0)
                        (void)link("parked", chance(2) ? path : other);
                (void)unlink("parked");
                break;
        case 2:
                (void)unlink(path);
                break;
        case 3:
                snprintf(parked, sizeof(parked), "moved%llu", (unsigned long long)chance(6));
                (void)rename(from, parked);
                break;
        case 4:
                snprintf(parked, sizeof(parked), "moved%llu", (unsigned long long)chance(6));
                (void)rename(parked, to);
                break;
        default:
                (void)renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
        }
}

static int open_file(const char *path, int flags) {
        int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;

        if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
                close(fd);
                return -1;
        }
        return fd;
}

static void change_extents(const char *path, const char *other) {
        int from = open_file(path, O_RDWR), to = open_file(other, O_RDWR);
        struct file_clone_range range = { .src_fd = from,
                                          .src_offset = chance(20) * 4096,
                                          .src_length = (1 + chance(20)) * 4096,
                                          .dest_offset = chance(50) * 4096 };
        static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     FALLOC_FL_ZERO_RANGE, FALLOC_FL_KEEP_SIZE, 0 };

        if (chance(3) == 0 && from >= 0 && to >= 0)
                (void)ioctl(to, FICLONE, from);
        else if (chance(2) && from >= 0 && to >= 0)
                (void)ioctl(to, FICLONERANGE, &range);
        else if (chance(2) && from >= 0)
                (void)fallocate(from, modes[chance(4)], (off_t)chance(300000),
                                (off_t)(1 + chance(300000)));
        else if (from >= 0 && ftruncate(from, (off_t)chance(400000)) < 0)
                perror(path);
        if (from >= 0)
                close(from);
        if (to >= 0)
                close(to);
}

static void change_acl(const char *path) {
        /* version 2; owner, a user, group, mask, others: tag, permissions, id */
        uint16_t acl[] = {
                2, 0,      1,      6,    0xffff, 0xffff, 2,      4,    7, 0,      4,
                4, 0xffff, 0xffff, 0x10, 6,      0xffff, 0xffff, 0x20, 4, 0xffff, 0xffff
        };

        acl[8] = (uint16_t)chance(5);
        if (chance(3) == 0)
                (void)lremovexattr(path, "system.posix_acl_access");
        else
                (void)lsetxattr(path,
                                chance(3) ? "system.posix_acl_access" : "system.posix_acl_default",
                                acl, sizeof(acl), 0);
}

/* a folder with what is in it, through several names and back, or not */
static void move_around(const char *path, const char *other) {
        switch (chance(4)) {
        case 0: /* there and back: nothing */
                if (rename(path, "away") == 0)
                        (void)rename("away", path);
                break;
        case 1: /* replaced by another one of the same name */
                if (rename(path, "away") == 0 && mkdir(path, 0755) == 0)
                        (void)rename(other, path);
                (void)rename("away", other);
                break;
        case 2: /* the same name, another kind */
                if (unlink(path) == 0)
                        (void)mkdir(path, 0755);
                break;
        default:
                if (rename(path, other) == 0)
                        (void)symlink(other, path);
        }
}

static void step(void) {
        const char *path = any_path(), *other = any_path();

        make_parents(path);
        make_parents(other);
        if (links_only && chance(10) > 0) {
                if (chance(3) == 0)
                        (void)link(path, other);
                else
                        change_links(path, other);
                return;
        }
        switch (chance(clones ? 21 : 16)) {
        case 16:
        case 17:
        case 18:
                change_extents(path, other);
                break;
        case 19:
                change_acl(path);
                break;
        case 20:
                move_around(path, other);
                break;
        case 14:
        case 15:
                change_links(path, other);
                break;
        case 0:
        case 1:
        case 2:
        case 3:
                write_file(path);
                break;
        case 4:
                change_quietly(path);
                break;
        case 5:
                make_sparse(path);
                break;
        case 6:
        case 7:
                change_attributes(path);
                break;
        case 8:
                make_special(path);
                break;
        case 9:
                (void)link(path, other);
                break;
        case 10:
                (void)rename(path, other);
                break;
        case 11:
                remove_all(path);
                break;
        case 12:
                (void)mkdir(path, (mode_t)chance(512) | 0700);
                break;
        default:
                (void)renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE);
        }
}

int main(int argc, char **argv) {
        links_only = argc == 5 && strcmp(argv[4], "links") == 0;
        clones = argc == 5 && strcmp(argv[4], "clones") == 0;
        if ((argc != 4 && !links_only && !clones) ||
            (mkdir(argv[3], 0755) < 0 && errno != EEXIST) || chdir(argv[3]) < 0) {
                fprintf(stderr, "usage: tree-change SEED STEPS DIR [links|clones]\n");
                return 2;
        }
        state = strtoull(argv[1], NULL, 10) * 2654435761U + 88172645463325252U;
        for (unsigned long steps = strtoul(argv[2], NULL, 10); steps > 0; steps--)
                step();
        return 0;
}
