/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * child.h - a process that vssd started, watched without ever waiting for it: a process on a sick
 * device may take for ever to die.
 */
#ifndef BUS_CHILD_H
#define BUS_CHILD_H

#include <systemd/sd-event.h>

#include "base/process.h"

struct child;

/* child_exited_t - the process has ended and was reaped; @words is "was killed by signal 9 ..." */
typedef void (*child_exited_t)(void *userdata, int wait_status, const char *words);

/* child_start() - run @path; @fd becomes its descriptor 3, the caller keeps its own copy.
 * @exited is called once, from the event loop; the child is freed after it */
int child_start(sd_event *event, const char *path, char *const argv[], int fd, unsigned flags,
                child_exited_t exited, void *userdata, struct child **ret);

pid_t child_pid(const struct child *child);

/* child_kill() - SIGKILL; @exited follows when the kernel has got rid of it */
void child_kill(struct child *child);

/* child_leave() - nobody wants to hear of it any more: @exited is not called. It is killed when it
 * still runs after @grace_us. Returns NULL; accepts NULL */
struct child *child_leave(struct child *child, uint64_t grace_us);

/* child_count() - processes that were started and have not been reaped */
unsigned child_count(void);

#endif
