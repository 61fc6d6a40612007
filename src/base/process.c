/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { CHILD_FD = 3, STATUS_FD = 4 };

enum { CUSTOMARY_DESCRIPTORS = 1024 };

void process_raise_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void lower_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= CUSTOMARY_DESCRIPTORS)
                return;
        limit.rlim_cur = CUSTOMARY_DESCRIPTORS;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void reset_signals(void) {
        sigset_t none;

        for (int n = 1; n < NSIG; n++)
                (void)signal(n, SIG_DFL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int place_descriptors(int fd, int status, unsigned flags) {
        int moved_status = fcntl(status, F_DUPFD_CLOEXEC, 10);
        int moved_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);

        if (moved_status < 0 || (fd >= 0 && moved_fd < 0))
                return -errno;
        if (flags & PROCESS_NULL_STDIO) {
                int null = open("/dev/null", O_RDWR | O_CLOEXEC);

                if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
                        return -errno;
        }
        if (moved_fd >= 0 ? dup2(moved_fd, CHILD_FD) < 0 : (close(CHILD_FD), 0))
                return -errno;
        if (dup3(moved_status, STATUS_FD, O_CLOEXEC) < 0)
                return -errno;
        return close_range(STATUS_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

static void __attribute__((noreturn))
child(const char *path, char *const argv[], int fd, int status, unsigned flags, pid_t parent) {
        static char search[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        char *const clean[] = { search, NULL };
        int r = place_descriptors(fd, status, flags);

        if (r >= 0) {
                status = STATUS_FD;
                reset_signals();
                lower_descriptors();
                if (flags & PROCESS_NEW_SESSION)
                        (void)setsid();
                if (flags & PROCESS_DIE_WITH_PARENT) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        if (getppid() != parent)
                                _exit(127);
                }
                execve(path, argv, flags & PROCESS_CLEAN_ENVIRONMENT ? clean : environ);
                r = -errno;
        }
        (void)!write(status, &r, sizeof(r));
        _exit(127);
}

void process_settle(void) {
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        (void)!open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY); /* the lowest */
        (void)signal(SIGXFSZ, SIG_IGN);
}

int process_spawn(const char *path, char *const argv[], int fd, unsigned flags,
                  struct process *ret) {
        _cleanup_close_ int read_end = -1;
        int status[2], r = 0;
        pid_t pid, parent = getpid();

        if (pipe2(status, O_CLOEXEC) < 0)
                return -errno;
        read_end = status[0];
        pid = fork();
        if (pid == 0)
                child(path, argv, fd, status[1], flags, parent);
        if (pid < 0)
                r = -errno;
        close(status[1]);
        if (r < 0)
                return r;

        /* The pipe closes at execve; what comes through it is why there was none. */
        if (read(read_end, &r, sizeof(r)) == (ssize_t)sizeof(r)) {
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        ret->pid = pid;
        ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (ret->pidfd < 0) {
                r = -errno;
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        (void)fcntl(ret->pidfd, F_SETFD, FD_CLOEXEC);
        return 0;
}

int process_wait(struct process *process, int timeout_ms) {
        struct pollfd poll_fd = { .fd = process->pidfd, .events = POLLIN };
        int status, r;

        do
                r = poll(&poll_fd, 1, timeout_ms);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        if (r == 0)
                return -ETIMEDOUT;
        if (waitpid(process->pid, &status, 0) < 0)
                return -errno;
        close(process->pidfd);
        *process = PROCESS_NONE;
        return status;
}

void process_kill(struct process *process) {
        if (process->pidfd < 0)
                return;
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
        (void)process_wait(process, -1);
}

static ssize_t read_text(const char *path, char *buffer, size_t size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buffer, size - 1);

        if (n < 0)
                return -errno;
        buffer[n] = '\0';
        return n;
}

unsigned long long process_start_time(pid_t pid) {
        char path[40], text[1024];
        unsigned long long started = 0;
        const char *p;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        if (read_text(path, text, sizeof(text)) <= 0)
                return 0;
        /* the name in parentheses may hold anything; the 20th number after it is what counts */
        p = strrchr(text, ')');
        if (p && (p[2] == 'Z' || p[2] == 'X')) /* dead, and its parent has not noticed yet */
                return 0;
        for (int i = 0; p && i < 20; i++)
                p = strchr(p + 1, ' ');
        return p && sscanf(p, "%llu", &started) == 1 ? started : 0;
}

int boot_identity(char ret[BOOT_IDENTITY_SIZE]) {
        char id[48];
        ssize_t n = read_text("/proc/sys/kernel/random/boot_id", id, sizeof(id));

        if (n < 0)
                return (int)n;
        id[strcspn(id, "\n")] = '\0';
        /* a container is started without the kernel, by a new first process */
        (void)snprintf(ret, BOOT_IDENTITY_SIZE, "%s.%llx", id, process_start_time(1));
        return 0;
}

int socketpair_cloexec(int ret[2]) {
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}
