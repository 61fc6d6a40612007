/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * moving.c - a program counts up in four files, two by write and two through mappings, until it is
 * frozen. A copy holds what was there at the commit, and does not move on.
 */
#define _GNU_SOURCE
#include "moving.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static int counter(const char *root, int i, int flags) {
        char path[8192];

        snprintf(path, sizeof(path), "%s/%s/counter%d", root, TREE, i);
        return open(path, flags | O_CLOEXEC, 0600);
}

static _Noreturn void count_up(const char *root, int in, int out) {
        uint64_t *mapped[2];
        int fds[MOVING_COUNTERS];
        char byte;

        for (int i = 0; i < MOVING_COUNTERS; i++) {
                fds[i] = counter(root, i, O_RDWR | O_CREAT);
                if (ftruncate(fds[i], 4096) < 0)
                        _exit(1);
        }
        for (int i = 0; i < 2; i++)
                mapped[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[2 + i], 0);
        fcntl(in, F_SETFL, O_NONBLOCK);
        for (uint64_t n = 0;; n++) {
                ssize_t r = read(in, &byte, 1);

                if (r == 0)
                        _exit(0);
                if (r == 1) { /* frozen: say so, then wait for the thaw */
                        fcntl(in, F_SETFL, 0);
                        if (write(out, "f", 1) != 1 || read(in, &byte, 1) != 1)
                                _exit(0);
                        fcntl(in, F_SETFL, O_NONBLOCK);
                }
                for (int i = 0; i < 2; i++)
                        if (pwrite(fds[i], &n, sizeof(n), 0) != sizeof(n))
                                _exit(1);
                for (int i = 0; i < 2; i++)
                        *(volatile uint64_t *)mapped[i] = n;
        }
}

struct moving_writer moving_start(const char *root) {
        struct moving_writer w;
        int to[2], from[2];

        MUST(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "no descriptor left");
        w.pid = fork();
        MUST(w.pid >= 0, "cannot start a process");
        if (w.pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(to[1]);
                count_up(root, to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        w.to = to[1];
        w.from = from[0];
        return w;
}

void moving_read(const char *root, uint64_t values[MOVING_COUNTERS], const char *whose) {
        for (int i = 0; i < MOVING_COUNTERS; i++) {
                int fd = counter(root, i, O_RDONLY);

                MUST(fd >= 0 && pread(fd, &values[i], 8, 0) == 8, "the %s lacks '%s/counter%d'",
                     whose, TREE, i);
                close(fd);
        }
}

void moving_end(struct moving_writer *w) {
        close(w->to);
        close(w->from);
        waitpid(w->pid, NULL, 0);
}

static void tell(const struct moving_writer *w, const char *word) {
        char byte;

        MUST(write(w->to, word, 1) == 1 && (*word != 'f' || read(w->from, &byte, 1) == 1),
             "the program that writes has died: is there room on the volume?");
}

static void one_copy(const struct moving_writer *w) {
        uint64_t copied[MOVING_COUNTERS], live[MOVING_COUNTERS], later[MOVING_COUNTERS];
        const char *root = suite.volumes[0].mount_point;
        struct vss_snapshot_prop prop;
        struct set set = set_new();

        usleep(50000);
        rule("S-20");
        set_run(&set, BEGIN, END_PREPARE);
        usleep(20000);
        tell(w, "f");
        rule("P-90");
        set_run(&set, PRE_COMMIT, PRE_COMMIT);
        moving_read(root, live, "volume");
        set_run(&set, COMMIT, POST_COMMIT);
        tell(w, "t");
        set_run(&set, PRE_FINAL, POST_FINAL);
        prop = properties_of(&set.copies[0]);
        moving_read(prop.device_object, copied, "copy");
        for (int i = 0; i < MOVING_COUNTERS; i++)
                MUST(copied[i] >= live[i],
                     "what a program %s before it was frozen is not in the copy",
                     i < 2 ? "wrote" : "stored through a mapping");
        rule("P-4");
        usleep(20000);
        moving_read(prop.device_object, later, "copy");
        MUST(memcmp(copied, later, sizeof(later)) == 0 && memcmp(copied, live, sizeof(live)) == 0,
             "the copy follows its original");
        vss_free_snapshot_properties(&prop);
        set_delete(&set);
}

void moving_writers(void) {
        struct moving_writer w;

        need_support();
        tree_make(suite.volumes[0].mount_point);
        suite.volume_count = 1;
        w = moving_start(suite.volumes[0].mount_point);
        for (int i = 0; i < 4; i++)
                one_copy(&w);
        moving_end(&w);
}
