/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus/late-reply.h"

#include <errno.h>
#include <stdlib.h>

void reply_failure(sd_bus_message *m, int code, const struct vss_error *error) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;

        (void)wire_set_error(&e, code, error);
        (void)sd_bus_reply_method_error(m, &e);
}

void late_reply_free(struct late_reply *late) {
        sd_bus_message_unref(late->m);
        free(late);
}

static int send_answer(struct late_reply *late, const struct reply *answer) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(late->m, &reply);

        if (r >= 0 && late->fill)
                r = late->fill(reply, answer);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

void late_reply_send(void *userdata, const struct reply *answer) {
        struct vss_error error = { answer->code, (char *)(uintptr_t)answer->words };
        struct late_reply *late = userdata;
        int r;

        if (answer->code < 0 && !late->fill_failure)
                reply_failure(late->m, answer->code, &error);
        else {
                r = send_answer(late, answer);
                if (r < 0)
                        reply_failure(late->m, r, NULL);
        }
        late_reply_free(late);
}

struct late_reply *late_reply_new(sd_bus_message *m, late_reply_fill_t fill) {
        struct late_reply *late = calloc(1, sizeof(*late));

        if (late)
                *late = (struct late_reply){ sd_bus_message_ref(m), fill, false };
        return late;
}

int late_reply_begun(struct late_reply *late, int r, const struct vss_error *error,
                     sd_bus_error *reterr) {
        if (r >= 0)
                return 1;
        if (late)
                late_reply_free(late);
        return wire_set_error(reterr, r, error);
}
