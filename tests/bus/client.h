/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.h - calls to vssd with words when they fail, and a writer that lives in the test. For the
 * tests of the bus: messages are composed by hand here, so that a mistake of wire.c or of a vtable
 * does not cancel itself out.
 */
#ifndef TESTS_BUS_CLIENT_H
#define TESTS_BUS_CLIENT_H

#include <systemd/sd-bus.h>

#include "base/memfd.h"
#include "bus/names.h"
#include "tests/check.h"
#include "vss/types.h"

#define CALL_TIMEOUT_US UINT64_C(20000000)

static sd_bus *client;
static const char *service; /* NULL on a private connection */

static inline int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        *(sd_bus_message **)userdata = sd_bus_message_ref(reply);
        return 0;
}

/* Like sd_bus_call(), but a writer in this process answers meanwhile. Releases @m */
static inline sd_bus_message *send_and_wait(sd_bus_message *m, sd_bus_error *e) {
        sd_bus_message *reply = NULL;

        CHECK(sd_bus_call_async(client, NULL, m, on_reply, &reply, CALL_TIMEOUT_US) >= 0);
        sd_bus_message_unref(m);
        while (!reply) {
                int r = sd_bus_process(client, NULL);

                CHECK(r >= 0);
                if (r == 0 && !reply)
                        CHECK(sd_bus_wait(client, UINT64_MAX) >= 0);
        }
        if (!sd_bus_message_is_method_error(reply, NULL))
                return reply;
        CHECK(sd_bus_error_copy(e, sd_bus_message_get_error(reply)) < 0);
        sd_bus_message_unref(reply);
        return NULL;
}

/* The reply, or NULL and @e is set */
static inline sd_bus_message *try_call(sd_bus_error *e, const char *path, const char *interface,
                                       const char *member, const char *types, va_list ap) {
        sd_bus_message *m = NULL;

        CHECK(sd_bus_message_new_method_call(client, &m, service, path, interface, member) >= 0);
        if (*types)
                CHECK(sd_bus_message_appendv(m, types, ap) >= 0);
        CHECK(sd_bus_message_append(m, "a{sv}", 0) >= 0);
        return send_and_wait(m, e);
}

static inline sd_bus_message *call(const char *path, const char *interface, const char *member,
                                   const char *types, ...) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply;
        va_list ap;

        va_start(ap, types);
        reply = try_call(&e, path, interface, member, types, ap);
        va_end(ap);
        if (!reply)
                CHECK_FAIL_("%s: %s: %s", member, e.name, e.message);
        return reply;
}

/* A call that must fail, with this official name and words that hold @words */
static inline void call_fails(const char *name, const char *words, const char *path,
                              const char *interface, const char *member, const char *types, ...) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply;
        va_list ap;

        va_start(ap, types);
        reply = try_call(&e, path, interface, member, types, ap);
        va_end(ap);
        if (reply)
                CHECK_FAIL_("%s succeeded, expected %s", member, name);
        if (!strstr(e.name, name) || !strstr(e.message, words))
                CHECK_FAIL_("%s: %s: '%s', expected %s with '%s'", member, e.name, e.message, name,
                            words);
        sd_bus_error_free(&e);
}

/* The string that is all of @reply, which is released */
static inline char *take_text(sd_bus_message *reply, const char *type) {
        const char *text;
        char *copy;

        CHECK(sd_bus_message_read(reply, type, &text) > 0);
        copy = strdup(text);
        CHECK(copy);
        sd_bus_message_unref(reply);
        return copy;
}

/* How many elements the array that is all of @reply has; it is released */
static inline unsigned take_count(sd_bus_message *reply, const char *contents) {
        unsigned n = 0;

        CHECK(sd_bus_message_enter_container(reply, 'a', contents) > 0);
        while (sd_bus_message_at_end(reply, 0) == 0) {
                CHECK(sd_bus_message_skip(reply, contents) > 0);
                n++;
        }
        sd_bus_message_unref(reply);
        return n;
}

static inline char *create_session(void) {
        return take_text(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "CreateSession", ""), "o");
}

/* Wait for the end of an operation, by its signal and by its status. Returns the code */
struct finished {
        const char *path;
        int32_t code;
        bool done;
};

static inline int on_completed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct finished *finished = userdata;
        const char *words;

        if (strcmp(sd_bus_message_get_path(m), finished->path) != 0)
                return 0;
        CHECK(sd_bus_message_read(m, "is", &finished->code, &words) > 0);
        finished->done = true;
        return 0;
}

static inline int32_t finish(char *operation) {
        struct finished finished = { .path = operation };
        sd_bus_slot *slot = NULL;
        sd_bus_message *reply;
        const char *words;
        int32_t code;

        CHECK(sd_bus_match_signal(client, &slot, NULL, operation, VSS_OPERATION_INTERFACE,
                                  "Completed", on_completed, &finished) >= 0);
        for (;;) {
                reply = call(operation, VSS_OPERATION_INTERFACE, "GetStatus", "");
                CHECK(sd_bus_message_read(reply, "is", &code, &words) > 0);
                sd_bus_message_unref(reply);
                if (code != VSS_S_ASYNC_PENDING || finished.done)
                        break;
                while (sd_bus_process(client, NULL) > 0)
                        ;
                CHECK(sd_bus_wait(client, 10000) >= 0);
        }
        sd_bus_slot_unref(slot);
        free(operation);
        return finished.done ? finished.code : code;
}

/* ---- a writer in the test ---- */

struct test_writer {
        char events[512]; /* members called, in order, "Identify PrepareBackup ..." */
        bool refuse_freeze;
};

static inline int on_writer_call(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct test_writer *writer = userdata;
        const char *member = sd_bus_message_get_member(m);
        sd_bus_message *reply = NULL;
        int fd, document = -1;

        if (!sd_bus_message_is_method_call(m, VSS_WRITER_INTERFACE, NULL))
                return 0;
        strcat(strcat(writer->events, *writer->events ? " " : ""), member);
        CHECK(sd_bus_message_skip(m, "s") > 0);
        CHECK(sd_bus_message_enter_container(m, 'a', "h") > 0);
        if (sd_bus_message_read(m, "h", &fd) > 0)
                document = fd;
        CHECK(sd_bus_message_new_method_return(m, &reply) >= 0);
        CHECK(sd_bus_message_open_container(reply, 'a', "h") >= 0);
        if (strcmp(member, "Identify") == 0) {
                document = memfd_new_sealed("metadata", "<metadata/>", 11);
                CHECK(document >= 0);
        }
        if (document >= 0)
                CHECK(sd_bus_message_append(reply, "h", document) >= 0);
        CHECK(sd_bus_message_close_container(reply) >= 0);
        if (writer->refuse_freeze && strcmp(member, "Freeze") == 0)
                CHECK(sd_bus_message_append(reply, "a{sv}", 3, "failure", "i",
                                            VSS_E_WRITERERROR_RETRYABLE, "fatal", "b", 1, "message",
                                            "s", "busy") >= 0);
        else
                CHECK(sd_bus_message_append(reply, "a{sv}", 0) >= 0);
        CHECK(sd_bus_send(NULL, reply, NULL) >= 0);
        sd_bus_message_unref(reply);
        return 1;
}

#define TEST_WRITER_CLASS "3fe3c4e6-8a5c-4c3a-9c39-6a1e7a9a6d11"

static inline char *register_writer(const char *path) {
        sd_bus_message *m = NULL, *reply = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;

        CHECK(sd_bus_message_new_method_call(client, &m, service, VSS_MANAGER_PATH,
                                             VSS_MANAGER_INTERFACE, "RegisterWriter") >= 0);
        CHECK(sd_bus_message_append(m, "oa{sv}a{sv}", path, 6, "writer-id", "s", TEST_WRITER_CLASS,
                                    "name", "s", "Test", "usage", "u", VSS_UT_USERDATA, "source",
                                    "u", VSS_ST_OTHER, "level", "u", VSS_APP_BACK_END, "unknown",
                                    "s", "is ignored", 0) >= 0);
        reply = send_and_wait(m, &e);
        if (!reply)
                CHECK_FAIL_("RegisterWriter: %s: %s", e.name, e.message);
        return take_text(reply, "s");
}

#endif
