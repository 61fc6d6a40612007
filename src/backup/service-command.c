/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-command.c - services of a machine without systemd, through the program that the
 * administrator names: PROGRAM NAME stop|start|status, as of old (vss.conf(5)).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backup/service-inside.h"
#include "base/cleanup.h"
#include "base/file.h"

/* what "status" ends with */
enum { STATUS_RUNS = 0, STATUS_STOPPED = 3, STATUS_UNKNOWN = 4 };

enum { PATIENCE_MS = 200 };

/* SEC-60: what we run as root is nobody else's */
static int check_program(const char *path, struct vss_error *reterr) {
        struct stat st;

        if (stat(path, &st) < 0)
                return vss_fail(reterr, -errno, "service_command '%s': %s", path, strerror(errno));
        if (!S_ISREG(st.st_mode) || (st.st_mode & 022) ||
            (st.st_uid != 0 && st.st_uid != geteuid()))
                return vss_fail(reterr, -EPERM,
                                "service_command '%s' must be a program of root that no other can "
                                "write",
                                path);
        return 0;
}

static int asked_to_end(struct service_manager *m) {
        const struct service_options *options = m->options;
        int r = options->go_on ? options->go_on(options->userdata) : 0;

        return r < 0 ? r : 0;
}

/* the exit status of "PROGRAM name verb", or negative with words. @stopping: go_on is asked */
static int call(struct service_manager *m, const char *name, const char *verb, uint64_t deadline_us,
                bool stopping, struct vss_error *reterr) {
        char *program = m->options->settings->service_command;
        _cleanup_free_ char *name_copy = strdup(name), *verb_copy = strdup(verb);
        char *argv[] = { program, name_copy, verb_copy, NULL };
        struct process process = PROCESS_NONE;
        int r = name_copy && verb_copy ? check_program(program, reterr) : -ENOMEM;

        if (r < 0)
                return r;
        r = process_spawn(program, argv, -1,
                          PROCESS_NEW_SESSION | PROCESS_NULL_STDIO | PROCESS_CLEAN_ENVIRONMENT,
                          &process);
        if (r < 0)
                return vss_fail(reterr, r, "cannot run '%s': %s", program, strerror(-r));
        do {
                r = process_wait(&process, PATIENCE_MS);
                if (r == -ETIMEDOUT && stopping && asked_to_end(m) < 0)
                        r = vss_fail(reterr, asked_to_end(m), "interrupted");
                else if (r == -ETIMEDOUT && monotonic_us() >= deadline_us)
                        r = vss_fail(reterr, -ETIME, "'%s %s %s' does not end", program, name,
                                     verb);
        } while (r == -ETIMEDOUT);
        process_kill(&process);
        if (r < 0)
                return r == -ETIME ? -ETIMEDOUT : r;
        if (WIFEXITED(r))
                return WEXITSTATUS(r);
        return vss_fail(reterr, -EIO, "'%s %s %s' was killed by signal %d", program, name, verb,
                        WTERMSIG(r));
}

static int command_is_active(struct service_manager *m, const char *name,
                             struct vss_error *reterr) {
        int r = call(m, name, "status", monotonic_us() + m->options->settings->service_timeout_us,
                     false, reterr);

        if (r < 0)
                return r;
        if (r == STATUS_UNKNOWN)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "there is no service '%s'", name);
        if (r != STATUS_RUNS && r != STATUS_STOPPED)
                return vss_fail(reterr, -EIO,
                                "'%s %s status' ends with %d: neither running (0) nor stopped (3)",
                                m->options->settings->service_command, name, r);
        return r == STATUS_RUNS;
}

static int command_look(struct service_manager *m, const char *name, struct service_look *ret,
                        struct vss_error *reterr) {
        int r = command_is_active(m, name, reterr);

        if (r < 0)
                return r;
        ret->active = r > 0;
        ret->id = strdup(name);
        r = ret->id ? 0 : -ENOMEM;
        if (r >= 0 && ret->active)
                r = names_add(&ret->stop, name);
        if (r >= 0 && ret->active)
                r = names_add(&ret->again, name);
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

/* @verb, and then until "status" says @wanted: some scripts end before the deed is done */
static int change(struct service_manager *m, const char *name, const char *verb, bool wanted,
                  uint64_t deadline_us, struct vss_error *reterr) {
        int r = call(m, name, verb, deadline_us, !wanted, reterr);

        if (r > 0)
                return vss_fail(reterr, -EIO, "'%s %s %s' ends with %d",
                                m->options->settings->service_command, name, verb, r);
        while (r >= 0) {
                r = command_is_active(m, name, reterr);
                if (r < 0 || (r > 0) == wanted)
                        return r < 0 ? r : 0;
                if (!wanted && asked_to_end(m) < 0)
                        return vss_fail(reterr, asked_to_end(m), "interrupted");
                if (monotonic_us() >= deadline_us)
                        return vss_fail(
                                reterr, -ETIMEDOUT,
                                "'%s' %s, says '%s %s status'; service_timeout in [restore] "
                                "of vss.conf is how long to wait",
                                name, wanted ? "does not run yet" : "runs still",
                                m->options->settings->service_command, name);
                (void)nanosleep(&(struct timespec){ .tv_nsec = PATIENCE_MS * 1000000 }, NULL);
        }
        return r;
}

static int command_stop(struct service_manager *m, const struct service_look *look,
                        uint64_t deadline_us, struct vss_error *reterr) {
        return change(m, look->id, "stop", false, deadline_us, reterr);
}

static int command_start(struct service_manager *m, const struct names *names, uint64_t deadline_us,
                         bool *ret_settled, struct vss_error *reterr) {
        int r = 0;

        *ret_settled = true;
        for (size_t i = 0; i < names->count; i++) {
                int one = command_is_active(m, names->items[i], NULL) > 0
                                  ? 0
                                  : change(m, names->items[i], "start", true, deadline_us, reterr);

                if (one < 0)
                        r = vss_wrap(reterr, one, "'%s' cannot be started again", names->items[i]);
        }
        return r;
}

static char *command_line(struct service_manager *m, const struct names *names) {
        char *line;

        if (asprintf(&line, "%s %s start", m->options->settings->service_command,
                     names->count ? names->items[0] : "") < 0)
                return NULL;
        return line;
}

static void command_close(struct service_manager *m) {
        free(m);
}

static const struct service_manager_ops ops = { .look = command_look,
                                                .stop = command_stop,
                                                .start = command_start,
                                                .is_active = command_is_active,
                                                .command_line = command_line,
                                                .close = command_close };

int command_open(const struct service_options *options, struct service_manager **ret,
                 struct vss_error *reterr) {
        struct service_manager *m = malloc(sizeof(*m));

        if (!m)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *m = (struct service_manager){ &ops, options };
        *ret = m;
        return 0;
}
