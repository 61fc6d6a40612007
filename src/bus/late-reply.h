/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late-reply.h - method calls of a requester that the coordinator answers later.
 */
#ifndef BUS_LATE_REPLY_H
#define BUS_LATE_REPLY_H

#include "bus/wire.h"
#include "coordinator/session.h"

/* late_reply_fill_t - append the answer's values to @reply; 0 or negative errno */
typedef int (*late_reply_fill_t)(sd_bus_message *reply, const struct reply *answer);

struct late_reply {
        sd_bus_message *m;
        late_reply_fill_t fill; /* NULL: the answer is empty */
        bool fill_failure; /* a failure is part of the answer, not an error */
};

struct late_reply *late_reply_new(sd_bus_message *m, late_reply_fill_t fill);
void late_reply_free(struct late_reply *late);

/* late_reply_send() - the reply_t to give the coordinator, with the late reply; frees it */
void late_reply_send(void *userdata, const struct reply *answer);

/* late_reply_begun() - the rest of a method handler. @r is what the coordinator's function
 * returned: 0, and late_reply_send() was or will be called; else @late is freed and @error told
 */
int late_reply_begun(struct late_reply *late, int r, const struct vss_error *error,
                     sd_bus_error *reterr);

/* reply_failure() - answer @m with an error */
void reply_failure(sd_bus_message *m, int code, const struct vss_error *error);

#endif
