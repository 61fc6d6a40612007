/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

struct child {
        sd_event *event;
        struct process process;
        sd_event_source *source, *timer;
        child_exited_t exited;
        void *userdata;
};

static unsigned running;

unsigned child_count(void) {
        return running;
}

pid_t child_pid(const struct child *child) {
        return child->process.pid;
}

static void child_free(struct child *child) {
        sd_event_source_disable_unref(child->source);
        sd_event_source_disable_unref(child->timer);
        if (child->process.pidfd >= 0)
                close(child->process.pidfd);
        free(child);
        running--;
}

static void describe(int status, char words[96]) {
        if (WIFSIGNALED(status))
                (void)snprintf(words, 96, "was killed by signal %d (%s)", WTERMSIG(status),
                               strsignal(WTERMSIG(status)));
        else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                (void)snprintf(words, 96, "has ended");
        else
                (void)snprintf(words, 96, "has ended with status %d", WEXITSTATUS(status));
}

static int on_exit_of(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct child *child = userdata;
        char words[96];
        int status = 0;

        if (waitpid(child->process.pid, &status, WNOHANG) == 0)
                return 0;
        describe(status, words);
        sd_event_source_disable_unref(child->source);
        child->source = NULL;
        if (child->exited)
                child->exited(child->userdata, status, words);
        child_free(child);
        return 0;
}

int child_start(sd_event *event, const char *path, char *const argv[], int fd, unsigned flags,
                child_exited_t exited, void *userdata, struct child **ret) {
        struct child *child = calloc(1, sizeof(*child));
        int r;

        if (!child)
                return -ENOMEM;
        running++;
        *child = (struct child){
                .event = event, .process = PROCESS_NONE, .exited = exited, .userdata = userdata
        };
        r = process_spawn(path, argv, fd, flags, &child->process);
        if (r < 0) {
                child_free(child);
                return r;
        }
        r = sd_event_add_io(event, &child->source, child->process.pidfd, EPOLLIN, on_exit_of,
                            child);
        if (r < 0) {
                process_kill(&child->process);
                child_free(child);
                return r;
        }
        /* what it said before it died is read first */
        (void)sd_event_source_set_priority(child->source, SD_EVENT_PRIORITY_NORMAL + 10);
        *ret = child;
        return 0;
}

void child_kill(struct child *child) {
        (void)syscall(SYS_pidfd_send_signal, child->process.pidfd, SIGKILL, NULL, 0);
}

static int on_grace_over(sd_event_source *source, uint64_t usec, void *userdata) {
        child_kill(userdata);
        return 0;
}

struct child *child_leave(struct child *child, uint64_t grace_us) {
        if (!child)
                return NULL;
        child->exited = NULL;
        if (grace_us == 0 ||
            sd_event_add_time(child->event, &child->timer, CLOCK_MONOTONIC,
                              monotonic_us() + grace_us, 10000, on_grace_over, child) < 0)
                child_kill(child);
        return NULL;
}
