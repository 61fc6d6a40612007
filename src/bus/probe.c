/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"
#include "bus/child.h"

/* What a command line holds: 2 MiB on any Linux, and a path has 4 KiB at most. */
enum { ANSWER_MAX = 64 * 1024 * 1024, QUESTIONS_PER_PROCESS = 200 };

struct probe {
        sd_event *event;
        struct child *child;
        int fd;
        sd_event_source *input, *timer;
        char *text; /* answers that are not read yet */
        size_t size, capacity;
        uint64_t deadline_us;
        char **words; /* verb, name ("" of a list), verb, name ... */
        size_t count, answered, asked; /* questions: all; answered; given to processes so far */
        char **skip;
        probe_answer_t answer;
        void *userdata;
};

static void stop(struct probe *probe) {
        probe->input = sd_event_source_disable_unref(probe->input);
        probe->timer = sd_event_source_disable_unref(probe->timer);
        if (probe->fd >= 0)
                close(probe->fd);
        probe->fd = -1;
        probe->child = child_leave(probe->child, 0);
        probe->size = 0;
}

static void free_words(char **words) {
        for (size_t i = 0; words && words[i]; i++)
                free(words[i]);
        free(words);
}

struct probe *probe_free(struct probe *probe) {
        if (!probe)
                return NULL;
        stop(probe);
        free(probe->text);
        free_words(probe->words);
        free_words(probe->skip);
        free(probe);
        return NULL;
}

static const char *name_of(const struct probe *probe, size_t question) {
        return probe->words[2 * question + 1];
}

/* The next question has no answer but this. */
static void answer_failure(struct probe *probe, int code, const struct vss_error *error) {
        struct volume_list none = { 0 };

        probe->answer(probe->userdata, probe->answered++, code, error, &none);
}

static int start_process(struct probe *probe, struct vss_error *reterr);

/* Nothing more comes from this process. Another one takes what is left. */
static void go_on(struct probe *probe) {
        stop(probe);
        while (probe->answered < probe->count) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                int r = start_process(probe, &error);

                if (r >= 0)
                        return;
                stop(probe);
                while (probe->answered < probe->count)
                        answer_failure(probe, r, &error);
        }
        probe_free(probe);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct probe *probe = userdata;
        const char *name = name_of(probe, probe->answered);
        int r = vss_fail(&error, -ETIMEDOUT,
                         "looking at %s%s%s took longer than %.1f s; a device or server that does "
                         "not answer may be mounted",
                         *name ? "'" : "the volumes", name, *name ? "'" : "",
                         (double)probe->deadline_us / 1e6);

        answer_failure(probe, r, &error);
        go_on(probe);
        return 0;
}

static int arm(struct probe *probe) {
        uint64_t at = monotonic_us() + probe->deadline_us;

        if (probe->timer) {
                int r = sd_event_source_set_time(probe->timer, at);

                return r < 0 ? r : sd_event_source_set_enabled(probe->timer, SD_EVENT_ONESHOT);
        }
        return sd_event_add_time(probe->event, &probe->timer, CLOCK_MONOTONIC, at, 10000,
                                 on_deadline, probe);
}

/* All answers that have arrived as a whole. */
static void read_answers(struct probe *probe) {
        size_t at = 0;

        while (probe->answered < probe->asked && at < probe->size) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                struct volume_list volumes = { 0 };
                size_t used;
                int r = volume_list_read(&volumes, probe->text + at, probe->size - at, &used,
                                         &error);

                if (used > 0) {
                        at += used;
                        probe->answer(probe->userdata, probe->answered++, r, &error, &volumes);
                        (void)arm(probe);
                }
                volume_list_clear(&volumes);
                if (used == 0)
                        break;
        }
        memmove(probe->text, probe->text + at, probe->size - at);
        probe->size -= at;
}

/* It died, or answered what nobody can read: the question that it was at is to blame. */
static void answer_broken(struct probe *probe) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = vss_fail(&error, -EBADMSG, "the volume probe ended before it had answered");

        answer_failure(probe, r, &error);
        go_on(probe);
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
                answer_broken(probe);
                return 0;
        }
        n = read(fd, probe->text + probe->size, probe->capacity - probe->size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n > 0) {
                probe->size += (size_t)n;
                read_answers(probe);
        }
        if (probe->answered == probe->asked)
                go_on(probe);
        else if (n <= 0)
                answer_broken(probe);
        return 0;
}

static void on_exited(void *userdata, int status, const char *words) {
        struct probe *probe = userdata;

        probe->child = NULL; /* its answer comes through the pipe, complete or not */
}

/* The command line for the next questions; its strings are lent. */
static char **command_line(struct probe *probe, char *program) {
        size_t n = 0, skipped = 0, last = probe->answered;
        char **argv;

        while (probe->skip[skipped])
                skipped++;
        argv = calloc(2 + 2 * skipped + 2 * QUESTIONS_PER_PROCESS, sizeof(*argv));
        if (!argv)
                return NULL;
        argv[n++] = program;
        for (size_t i = 0; i < skipped; i++) {
                argv[n++] = (char *)(uintptr_t) "--skip";
                argv[n++] = probe->skip[i];
        }
        for (; last < probe->count && last - probe->answered < QUESTIONS_PER_PROCESS; last++) {
                argv[n++] = probe->words[2 * last];
                if (strcmp(probe->words[2 * last], "list") != 0)
                        argv[n++] = probe->words[2 * last + 1];
        }
        probe->asked = last;
        return argv;
}

static int start_child(struct probe *probe) {
        _cleanup_free_ char *program = layout_program("vss-probe");
        _cleanup_free_ char **argv = program ? command_line(probe, program) : NULL;
        _cleanup_close_ int write_end = -1;
        int fds[2];

        if (!argv)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        probe->fd = fds[0];
        write_end = fds[1];
        /* the probe may write at its leisure */
        if (fcntl(write_end, F_SETFL, 0) < 0)
                return -errno;
        return child_start(probe->event, program, argv, write_end,
                           PROCESS_DIE_WITH_PARENT | PROCESS_NULL_STDIO | PROCESS_NEW_SESSION,
                           on_exited, probe, &probe->child);
}

static int start_process(struct probe *probe, struct vss_error *reterr) {
        int r = start_child(probe);

        if (r >= 0)
                r = sd_event_add_io(probe->event, &probe->input, probe->fd, EPOLLIN, on_input,
                                    probe);
        if (r >= 0)
                r = arm(probe);
        return r < 0 ? vss_fail(reterr, r, "cannot start vss-probe: %s", strerror(-r)) : 0;
}

static char **copy_words(const char *const *words, size_t count) {
        char **copy = calloc(count + 1, sizeof(*copy));

        for (size_t i = 0; copy && i < count; i++) {
                copy[i] = strdup(words[i]);
                if (!copy[i]) {
                        free_words(copy);
                        return NULL;
                }
        }
        return copy;
}

static char **copy_questions(const struct probe_question *questions, size_t count) {
        _cleanup_free_ const char **words = calloc(2 * count + 1, sizeof(*words));

        for (size_t i = 0; words && i < count; i++) {
                words[2 * i] = questions[i].verb;
                words[2 * i + 1] = questions[i].name ? questions[i].name : "";
        }
        return words ? copy_words(words, 2 * count) : NULL;
}

int probe_new(sd_event *event, uint64_t deadline_us, const struct probe_question *questions,
              size_t count, const char *const *skip, probe_answer_t answer, void *userdata,
              struct probe **ret) {
        struct probe *probe = calloc(1, sizeof(*probe));
        size_t skipped = 0;

        if (!probe)
                return -ENOMEM;
        while (skip && skip[skipped])
                skipped++;
        *probe = (struct probe){ .event = event,
                                 .fd = -1,
                                 .deadline_us = deadline_us,
                                 .words = copy_questions(questions, count),
                                 .count = count,
                                 .skip = copy_words(skip, skipped),
                                 .answer = answer,
                                 .userdata = userdata };
        if (!probe->words || !probe->skip) {
                probe_free(probe);
                return -ENOMEM;
        }
        *ret = probe;
        return 0;
}

void probe_run(struct probe *take_probe) {
        go_on(take_probe);
}
