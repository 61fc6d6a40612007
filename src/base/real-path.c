/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/real-path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"

/* One message for each path; SOCK_SEQPACKET keeps them apart. */
struct answer {
        int code;
        char path[PATH_MAX];
};

/* Between fork and exit: nothing but what is written here. */
static void resolve_and_exit(char *const paths[], size_t count, int fd, pid_t parent) {
        bool go_on = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;

        for (size_t i = 0; go_on && i < count; i++) {
                struct answer answer = { .code = 0 };

                if (!realpath(paths[i], answer.path))
                        answer.code = -errno;
                go_on = send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) &&
                        answer.code == 0;
        }
        _exit(0);
}

static int receive(int fd, int patience_ms, char **ret) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        struct answer answer;
        int n;

        while ((n = poll(&ready, 1, patience_ms)) < 0 && errno == EINTR)
                ;
        if (n <= 0)
                return n < 0 ? -errno : -ETIMEDOUT;
        if (recv(fd, &answer, sizeof(answer), 0) != sizeof(answer))
                return -EIO;
        if (answer.code == 0) {
                *ret = strdup(answer.path);
                answer.code = *ret ? 0 : -ENOMEM;
        }
        return answer.code;
}

int real_paths(char *const paths[], size_t count, int patience_ms, char **ret) {
        pid_t parent = getpid(), child;
        int fds[2], r = 0;

        memset(ret, 0, count * sizeof(*ret));
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        child = fork();
        if (child == 0) {
                close(fds[0]);
                resolve_and_exit(paths, count, fds[1], parent);
        }
        if (child < 0)
                r = -errno;
        close(fds[1]);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = receive(fds[0], patience_ms, &ret[i]);
        close(fds[0]);
        if (child > 0 && r == -ETIMEDOUT)
                (void)kill(child, SIGKILL);
        if (child > 0)
                (void)waitpid(child, NULL, r == -ETIMEDOUT ? WNOHANG : 0);
        return r;
}
