/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"
#include "bus/child.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, ARGUMENTS_MAX = 16 };

struct probe {
        struct child *child;
        int fd;
        sd_event_source *input, *timer;
        char *text;
        size_t size, capacity;
        uint64_t deadline_us;
        char *name;
        probe_done_t done;
        void *userdata;
};

static void probe_free(struct probe *probe) {
        sd_event_source_disable_unref(probe->input);
        sd_event_source_disable_unref(probe->timer);
        if (probe->fd >= 0)
                close(probe->fd);
        probe->child = child_leave(probe->child, 0);
        free(probe->text);
        free(probe->name);
        free(probe);
}

/* The probe's end, whatever it was: tell it once and forget it. */
static void finish(struct probe *probe, int code, struct vss_error *error,
                   const struct volume_list *volumes) {
        probe->done(probe->userdata, code, error, volumes);
        probe_free(probe);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct volume_list none = { 0 };
        struct probe *probe = userdata;
        int r = vss_fail(&error, -ETIMEDOUT,
                         "looking at %s%s%s took longer than %.1f s; a device or server that does "
                         "not answer may be mounted",
                         *probe->name ? "'" : "the volumes", probe->name, *probe->name ? "'" : "",
                         (double)probe->deadline_us / 1e6);

        finish(probe, r, &error, &none);
        return 0;
}

static void read_answer(struct probe *probe) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct volume_list volumes = { 0 };
        int r = volume_list_read(&volumes, probe->text ? probe->text : "", probe->size, &error);

        finish(probe, r, &error, &volumes);
        volume_list_clear(&volumes);
}

static int make_room(struct probe *probe) {
        size_t want = probe->capacity ? probe->capacity * 2 : 65536;
        char *grown;

        if (probe->size < probe->capacity)
                return 0;
        grown = want > ANSWER_MAX ? NULL : realloc(probe->text, want);
        if (!grown)
                return -ENOMEM;
        probe->text = grown;
        probe->capacity = want;
        return 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct probe *probe = userdata;
        ssize_t n;

        if (make_room(probe) < 0) {
                read_answer(probe); /* it is not complete, and says so */
                return 0;
        }
        n = read(fd, probe->text + probe->size, probe->capacity - probe->size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0)
                probe->size += (size_t)n;
        else
                read_answer(probe);
        return 0;
}

static void on_exited(void *userdata, int status, const char *words) {
        struct probe *probe = userdata;

        probe->child = NULL; /* its answer comes through the pipe, complete or not */
}

static int run(sd_event *event, struct probe *probe, const char *verb, const char *const *skip) {
        _cleanup_free_ char *program = layout_program("vss-probe");
        char *argv[ARGUMENTS_MAX + 1] = { NULL };
        _cleanup_close_ int write_end = -1;
        size_t n = 0;
        int fds[2];

        if (!program)
                return -ENOMEM;
        argv[n++] = program;
        argv[n++] = (char *)(uintptr_t)verb;
        if (*probe->name)
                argv[n++] = probe->name;
        for (size_t i = 0; skip && skip[i] && n < ARGUMENTS_MAX; i++)
                argv[n++] = (char *)(uintptr_t)skip[i];
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        probe->fd = fds[0];
        write_end = fds[1];
        /* the probe may write at its leisure */
        if (fcntl(write_end, F_SETFL, 0) < 0)
                return -errno;
        return child_start(event, program, argv, write_end,
                           PROCESS_DIE_WITH_PARENT | PROCESS_NULL_STDIO | PROCESS_NEW_SESSION,
                           on_exited, probe, &probe->child);
}

int probe_start(sd_event *event, uint64_t deadline_us, const char *verb, const char *name,
                const char *const *skip, probe_done_t done, void *userdata,
                struct vss_error *reterr) {
        struct probe *probe = calloc(1, sizeof(*probe));
        int r;

        if (!probe)
                return -ENOMEM;
        *probe = (struct probe){ .fd = -1,
                                 .name = strdup(name ? name : ""),
                                 .deadline_us = deadline_us,
                                 .done = done,
                                 .userdata = userdata };
        r = probe->name ? run(event, probe, verb, skip) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_io(event, &probe->input, probe->fd, EPOLLIN, on_input, probe);
        if (r >= 0)
                r = sd_event_add_time(event, &probe->timer, CLOCK_MONOTONIC,
                                      monotonic_us() + deadline_us, 10000, on_deadline, probe);
        if (r >= 0)
                return 0;
        probe_free(probe);
        return vss_fail(reterr, r, "cannot start vss-probe: %s", strerror(-r));
}
