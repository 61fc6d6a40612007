/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/question.h"

#include <errno.h>
#include <stdlib.h>

void reply_failure(sd_bus_message *m, int code, const struct vss_error *error) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;

        (void)wire_set_error(&e, code, error);
        (void)sd_bus_reply_method_error(m, &e);
}

void question_free(struct question *question) {
        sd_bus_message_unref(question->m);
        free(question);
}

static int send_answer(struct question *question, const struct reply *answer) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(question->m, &reply);

        if (r >= 0 && question->fill)
                r = question->fill(reply, answer);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

void question_answer(void *userdata, const struct reply *answer) {
        struct vss_error error = { answer->code, (char *)(uintptr_t)answer->words };
        struct question *question = userdata;
        int r;

        if (answer->code < 0 && !question->fill_failure)
                reply_failure(question->m, answer->code, &error);
        else {
                r = send_answer(question, answer);
                if (r < 0)
                        reply_failure(question->m, r, NULL);
        }
        question_free(question);
}

struct question *question_new(sd_bus_message *m, question_fill_t fill) {
        struct question *question = calloc(1, sizeof(*question));

        if (question)
                *question = (struct question){ sd_bus_message_ref(m), fill, false };
        return question;
}

int question_asked(struct question *question, int r, const struct vss_error *error,
                   sd_bus_error *reterr) {
        if (r >= 0)
                return 1;
        if (question)
                question_free(question);
        return wire_set_error(reterr, r, error);
}
