/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hosts.c - what a writer's and a provider's object say of themselves, asked of vss-host with
 * a packaged plug-in, as vssd starts it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "base/process.h"
#include "bus/names.h"
#include "bus/wire.h"
#include "tests/bus/introspection.h"

static char *introspect(const char *option, const char *plugin, const char *path) {
        char *argv[] = { (char *)(uintptr_t)VSS_HOST, (char *)(uintptr_t)option,
                         (char *)(uintptr_t)plugin, NULL };
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        struct process process = PROCESS_NONE;
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        const char *text;
        char *copy;
        int pair[2];

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(process_spawn(VSS_HOST, argv, pair[1], PROCESS_DIE_WITH_PARENT, &process), 0);
        close(pair[1]);
        CHECK_INT(wire_connect(pair[0], true, &bus), 0);
        if (sd_bus_call_method(bus, NULL, path, "org.freedesktop.DBus.Introspectable", "Introspect",
                               &e, &reply, "") < 0)
                CHECK_FAIL_("%s does not answer: %s", plugin, e.message);
        CHECK(sd_bus_message_read(reply, "s", &text) > 0);
        copy = strdup(text);
        CHECK(copy);
        sd_bus_message_unref(reply);
        sd_bus_close_unref(bus);
        /* the end of the connection ends the host */
        CHECK_INT(process_wait(&process, 10000), 0);
        return copy;
}

static void test_writer(void) {
        check_introspection(introspect("--writer", WRITER, VSS_WRITER_PATH), VSS_WRITER_INTERFACE);
}

static void test_provider(void) {
        check_introspection(introspect("--provider", PROVIDER, VSS_PROVIDER_PATH),
                            VSS_PROVIDER_INTERFACE);
}

int main(void) {
        RUN(test_writer);
        RUN(test_provider);
        return 0;
}
