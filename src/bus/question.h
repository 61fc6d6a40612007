/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * question.h - method calls of a requester that the coordinator answers later.
 */
#ifndef BUS_QUESTION_H
#define BUS_QUESTION_H

#include "bus/wire.h"
#include "coordinator/session.h"

/* question_fill_t - append the answer's values to @reply; 0 or negative errno */
typedef int (*question_fill_t)(sd_bus_message *reply, const struct reply *answer);

struct question {
        sd_bus_message *m;
        question_fill_t fill; /* NULL: the answer is empty */
        bool fill_failure; /* a failure is part of the answer, not an error */
};

struct question *question_new(sd_bus_message *m, question_fill_t fill);
void question_free(struct question *question);

/* question_answer() - the reply_t to give the coordinator, with the question; frees it */
void question_answer(void *userdata, const struct reply *answer);

/* question_asked() - the rest of a method handler. @r is what the coordinator's function returned:
 * 0, and question_answer() was or will be called; else the question is freed and @error told */
int question_asked(struct question *question, int r, const struct vss_error *error,
                   sd_bus_error *reterr);

/* reply_failure() - answer @m with an error */
void reply_failure(sd_bus_message *m, int code, const struct vss_error *error);

#endif
