/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answers.c - does a file system that another program or machine shows answer at all? Asked in a
 * child, because a look at one that does not may last for ever, even against SIGKILL.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "volume/scan.h"

enum { PATIENCE_MS = 2000 };
enum { NOT_ASKED, ANSWERS, SILENT };

/* A failure is an answer, too. */
static void look_and_exit(const struct mount_entry *mount, int parent) {
        struct statx stx;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
                (void)statx(AT_FDCWD, mount->point, AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT,
                            STATX_BASIC_STATS, &stx);
        _exit(0);
}

static bool ask(const struct mount_entry *mount) {
        pid_t parent = getpid(), child;
        struct pollfd end = { .events = POLLIN };
        int fds[2], n;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return true;
        child = fork();
        if (child == 0) {
                /* vssd waits for the end of what we write: a child that cannot die must not hold
                 * it open, nor anything else */
                if (dup2(fds[1], 0) < 0 || close_range(1, ~0U, 0) < 0)
                        _exit(1);
                look_and_exit(mount, parent);
        }
        close(fds[1]);
        end.fd = fds[0];
        n = child < 0 ? 1 : poll(&end, 1, PATIENCE_MS);
        close(fds[0]);
        if (child > 0 && n <= 0)
                (void)kill(child, SIGKILL);
        if (child > 0)
                (void)waitpid(child, NULL, n > 0 ? 0 : WNOHANG);
        return n > 0;
}

bool scan_answers(const struct scan *scan, const struct mount_entry *mount) {
        uint8_t *state = &scan->answers[mount - scan->mounts.items];

        if (*state == NOT_ASKED)
                *state = ask(mount) ? ANSWERS : SILENT;
        return *state == ANSWERS;
}
