/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.h - questions about volumes, answered by vss-probe. One process answers many; one that
 * hangs on a question is killed, that question is refused, and another process answers the rest.
 */
#ifndef BUS_PROBE_H
#define BUS_PROBE_H

#include <systemd/sd-event.h>

#include "volume/volume.h"

struct probe;

/* A verb of vss-probe and what it is about; name NULL for "list". */
struct probe_question {
        const char *verb, *name;
};

/* probe_answer_t - @code 0 and the volumes, or a failure with words. Called once for each question,
 * in their order, from the event loop. The list is lent */
typedef void (*probe_answer_t)(void *userdata, size_t question, int code,
                               const struct vss_error *error, const struct volume_list *volumes);

/* probe_new() - copies everything; probe_free() is for one that was not run.
 * @deadline_us: for each question, since the one before was answered
 * @skip: what is mounted below one of these folders is a copy of ours */
int probe_new(sd_event *event, uint64_t deadline_us, const struct probe_question *questions,
              size_t count, const char *const *skip, probe_answer_t answer, void *userdata,
              struct probe **ret);
struct probe *probe_free(struct probe *probe);

/* probe_run() - begin. It frees itself after its last answer, which may come before this returns:
 * a probe that cannot be started is a failure of each question */
void probe_run(struct probe *take_probe);

#endif
