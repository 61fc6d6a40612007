/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * subscribe.c - a program that is a writer by itself: finds the service on a bus, registers, and
 * registers again when the service was restarted.
 */
#define _GNU_SOURCE
#include "writer/writer.h"

#include <errno.h>
#include <string.h>

#include "bus/names.h"

static int new_call(struct vss_writer *writer, const char *member, sd_bus_message **ret) {
        int r = sd_bus_message_new_method_call(writer->bus, ret, VSS_BUS_NAME, VSS_MANAGER_PATH,
                                               VSS_MANAGER_INTERFACE, member);

        return r < 0 ? r : sd_bus_message_append(*ret, "o", VSS_WRITER_PATH);
}

/* RegisterWriter(o path, a{sv} identity, a{sv} options) */
static int new_register(struct vss_writer *writer, sd_bus_message **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        struct wire_identity identity;
        int r = new_call(writer, "RegisterWriter", &m);

        if (r < 0)
                return r;
        writer_get_identity(writer, &identity);
        r = wire_append(m, &wire_identity, &identity);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a{sv}", 1, "event-flags", "u", writer->event_flags);
        if (r < 0)
                return r;
        *ret = take(m);
        return 0;
}

static int take_registration(struct vss_writer *writer, sd_bus_message *reply) {
        char *service =
                strdup(sd_bus_message_get_sender(reply) ? sd_bus_message_get_sender(reply) : "");
        int r;

        if (!service)
                return -ENOMEM;
        r = wire_read_id(reply, &writer->instance_id);
        if (r < 0) {
                free(service);
                return r;
        }
        free(writer->service);
        writer->service = service;
        return 0;
}

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *e) {
        if (!sd_bus_message_is_method_error(reply, NULL))
                (void)take_registration(userdata, reply);
        return 1;
}

/* sss: name, old owner, new owner */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        _cleanup_message_ sd_bus_message *call = NULL;
        struct vss_writer *writer = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || strcmp(name, VSS_BUS_NAME) != 0)
                return 0;
        if (writer->service && strcmp(old, writer->service) == 0) {
                writer_abandon(writer); /* whoever froze us cannot thaw us any more */
                free(writer->service);
                writer->service = NULL;
        }
        if (*new &&new_register(writer, &call) >= 0)
                (void)sd_bus_call_async(writer->bus, NULL, call, on_registered, writer, 0);
        return 0;
}

static int register_writer(struct vss_writer *writer, struct vss_error *reterr) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        int r = new_register(writer, &call);

        if (r >= 0)
                r = sd_bus_call(writer->bus, call, 0, &e, &reply);
        if (r < 0) {
                r = sd_bus_error_is_set(&e) ? wire_get_error(&e, reterr)
                                            : vss_fail(reterr, r, "%s", vss_error_text(r));
                return vss_wrap(reterr, r,
                                "writer '%s' cannot register with " VSS_BUS_NAME
                                "; is vssd running on this bus?",
                                writer->ops.name);
        }
        r = take_registration(writer, reply);
        return r < 0 ? vss_fail(reterr, r, "the service gave writer '%s' no instance id",
                                writer->ops.name)
                     : 0;
}

static int connect_writer(struct vss_writer *writer, const char *address,
                          struct vss_error *reterr) {
        int r = wire_open_bus(address, &writer->bus);

        if (r < 0)
                return vss_fail(reterr, r, "cannot reach the %s%s: start it, or name another one",
                                address ? "bus at " : "system bus", address ? address : "");
        writer->on_bus = true;
        r = sd_bus_match_signal(writer->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "NameOwnerChanged", on_owner_changed,
                                writer);
        if (r < 0)
                return vss_fail(reterr, r, "cannot watch " VSS_BUS_NAME " on the bus");
        r = writer_serve(writer, reterr);
        return r < 0 ? r : register_writer(writer, reterr);
}

int vss_writer_subscribe(struct vss_writer *writer, const char *address, uint32_t event_flags,
                         struct vss_error *reterr) {
        int r;

        if (writer->bus)
                return vss_fail(reterr, VSS_E_WRITER_ALREADY_SUBSCRIBED,
                                "writer '%s' has subscribed before", writer->ops.name);
        if (!writer->loaded)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "writer '%s': call vss_writer_initialize() first",
                                writer->ops.name);
        writer->event_flags = event_flags;
        r = connect_writer(writer, address, reterr);
        if (r < 0)
                writer_disconnect(writer);
        return r;
}

int vss_writer_unsubscribe(struct vss_writer *writer) {
        _cleanup_message_ sd_bus_message *m = NULL;

        if (!writer->bus || !writer->on_bus)
                return VSS_E_BAD_STATE;
        if (writer_current_call(writer))
                return VSS_E_BAD_STATE; /* not from a handler: its answer is still to be sent */
        if (writer->service && new_call(writer, "UnregisterWriter", &m) >= 0 &&
            wire_append_options(m) >= 0)
                (void)sd_bus_call(writer->bus, m, 0, NULL, NULL);
        writer_abandon(writer);
        writer_disconnect(writer);
        return 0;
}

int vss_writer_process(struct vss_writer *writer, int timeout_ms) {
        int r;

        if (!writer->bus)
                return -ENOTCONN;
        if (writer_current_call(writer))
                return VSS_E_BAD_STATE;
        r = writer_serve_for(writer, -1, timeout_ms < 0 ? UINT64_MAX : (uint64_t)timeout_ms * 1000);
        if (r < 0)
                writer_abandon(writer);
        return r;
}
