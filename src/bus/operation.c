/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * operation.c - org.vss1.Operation: one long call of a session, by its number.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bus/names.h"
#include "bus/session-object.h"
#include "bus/wire.h"

const char *operation_path(const struct operation *operation, char buffer[OPERATION_PATH_SIZE]) {
        (void)snprintf(buffer, OPERATION_PATH_SIZE, VSS_OPERATION_PREFIX "%" PRIu64,
                       operation_number(operation));
        return buffer;
}

/* ---- signals: to the session's owner alone ---- */

static int new_signal(struct server *server, struct operation *operation, const char *member,
                      sd_bus_message **ret) {
        const struct session_object *object = session_userdata(operation_session(operation));
        char path[OPERATION_PATH_SIZE];
        int r = sd_bus_message_new_signal(server->bus, ret, operation_path(operation, path),
                                          VSS_OPERATION_INTERFACE, member);

        if (r >= 0 && object->owner)
                r = sd_bus_message_set_destination(*ret, object->owner);
        return r;
}

/* A session that was released finishes without anybody to tell. */
static bool has_listener(struct server *server, struct operation *operation) {
        struct session *session = operation_session(operation);

        for (const struct session_object *o = server->sessions; o; o = o->next)
                if (o->session == session)
                        return true;
        return false;
}

void operation_progress(struct server *server, struct operation *operation, const char *phase,
                        const char *who) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (has_listener(server, operation) && new_signal(server, operation, "Progress", &m) >= 0 &&
            sd_bus_message_append(m, "ss", phase, who) >= 0)
                (void)sd_bus_send(server->bus, m, NULL);
}

void operation_completed(struct server *server, struct operation *operation, int code,
                         const char *words) {
        _cleanup_free_ char *clean = wire_words(words);
        _cleanup_message_ sd_bus_message *m = NULL;

        if (clean && has_listener(server, operation) &&
            new_signal(server, operation, "Completed", &m) >= 0 &&
            sd_bus_message_append(m, "is", (int32_t)code, clean) >= 0)
                (void)sd_bus_send(server->bus, m, NULL);
}

/* ---- the object ---- */

static int method_get_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        const char *words;
        int code = operation_status(userdata, &words);
        _cleanup_free_ char *clean = wire_words(words);

        return clean ? sd_bus_reply_method_return(m, "is", (int32_t)code, clean) : -ENOMEM;
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return sd_bus_reply_method_return(m, "i", (int32_t)operation_cancel(userdata));
}

static const sd_bus_vtable operation_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("GetStatus", "a{sv}", "is", method_get_status, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("Cancel", "a{sv}", "i", method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("Progress", "ss", 0),
        SD_BUS_SIGNAL("Completed", "is", 0),
        SD_BUS_VTABLE_END
};

static struct operation *find_number(const struct session_object *object, uint64_t number) {
        for (size_t i = 0; i < object->n_operations; i++)
                if (operation_number(object->operations[i]) == number)
                        return object->operations[i];
        return NULL;
}

static int find_operation(sd_bus *bus, const char *path, const char *interface, void *userdata,
                          void **ret_found, sd_bus_error *reterr) {
        struct server *server = userdata;
        const char *text = path + strlen(VSS_OPERATION_PREFIX);
        uint64_t number;
        char *end;

        if (strncmp(path, VSS_OPERATION_PREFIX, strlen(VSS_OPERATION_PREFIX)) != 0)
                return 0;
        number = strtoull(text, &end, 10);
        if (end == text || *end)
                return 0;
        for (struct session_object *o = server->sessions; o; o = o->next) {
                struct operation *operation = find_number(o, number);

                if (operation && session_object_is_owner(o, bus)) {
                        *ret_found = operation;
                        return 1;
                }
        }
        return 0;
}

int operation_export(struct server *server, sd_bus *bus) {
        return sd_bus_add_fallback_vtable(bus, NULL, "/org/vss1/operation", VSS_OPERATION_INTERFACE,
                                          operation_vtable, find_operation, server);
}
