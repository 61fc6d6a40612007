/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manager.c - org.vss1.Manager: sessions, writers that register themselves, and questions that need
 * no session.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/authorize.h"
#include "bus/names.h"
#include "bus/participant.h"
#include "bus/late-reply.h"
#include "bus/listing.h"
#include "bus/session-object.h"
#include "bus/wire.h"
#include "config.h"

/* ---- sessions ---- */

struct create_options {
        bool restore;
};

static const struct wire_field create_option_fields[] = {
        { .key = "restore", .type = WIRE_BOOL, .offset = offsetof(struct create_options, restore) },
        { 0 },
};
static const struct wire_table create_options_table = { sizeof(struct create_options),
                                                        create_option_fields };

static int create_session(struct server *server, sd_bus_message *m, const struct caller *caller,
                          struct vss_error *reterr) {
        struct create_options options = { 0 };
        struct session_object *object;
        int r = wire_read(m, &create_options_table, &options);

        if (r >= 0 && server->ending)
                r = vss_fail(reterr, -ECANCELED, "the service is about to end");
        if (r >= 0)
                r = session_object_new(server, caller->uid, options.restore,
                                       sd_bus_message_get_sender(m), &object, reterr);
        return r < 0 ? r : sd_bus_reply_method_return(m, "o", object->path);
}

static int method_create_session(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, create_session, reterr);
}

/* ---- writers that run by themselves ---- */

static int register_writer(struct server *server, sd_bus_message *m, const struct caller *caller,
                           struct vss_error *reterr) {
        const char *path, *sender = sd_bus_message_get_sender(m);
        struct wire_identity identity = { 0 };
        struct participant *participant;
        char text[VSS_ID_TEXT_SIZE];
        int r = sd_bus_message_read(m, "o", &path);

        if (r >= 0)
                r = wire_read(m, &wire_identity, &identity);
        if (r >= 0 && participant_find(server, sender, path))
                r = vss_fail(reterr, VSS_E_WRITER_ALREADY_SUBSCRIBED,
                             "the writer at '%s' has registered before", path); /* B-76 */
        if (r >= 0 && vss_id_is_null(&identity.instance_id))
                r = vss_id_new(&identity.instance_id);
        if (r >= 0)
                r = participant_register(server, server->bus, sender, path, &identity, caller->pid,
                                         &participant, reterr);
        if (r >= 0)
                r = sd_bus_reply_method_return(m, "s", vss_id_format(&identity.instance_id, text));
        wire_clear(&wire_identity, &identity);
        return r;
}

static int method_register_writer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_WRITER, register_writer, reterr);
}

/* Only its own connection can name it, so there is nobody else to ask. */
static int method_unregister_writer(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct server *server = userdata;
        struct participant *participant;
        const char *path;
        int r = sd_bus_message_read(m, "o", &path);

        if (r < 0)
                return wire_set_error(reterr, r, NULL);
        participant = participant_find(server, sd_bus_message_get_sender(m), path);
        if (!participant) {
                r = vss_fail(&error, VSS_E_OBJECT_NOT_FOUND, "no writer at '%s' has registered",
                             path);
                return wire_set_error(reterr, r, &error);
        }
        coordinator_remove_party(server->coordinator, participant->party, "has unregistered");
        return sd_bus_reply_method_return(m, NULL);
}

/* ---- providers ---- */

static void on_providers(void *userdata, const struct reply *answer) {
        struct vss_error error = { answer->code, (char *)(uintptr_t)answer->words };
        struct wire_records records = { (void *)(uintptr_t)answer->providers, answer->n_providers };
        _cleanup_message_ sd_bus_message *m = userdata, *reply = NULL;
        int r = answer->code;

        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = wire_append_records(reply, &wire_provider, &records);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        if (r < 0)
                reply_failure(m, r, answer->code < 0 ? &error : NULL);
}

static int list_providers(struct server *server, sd_bus_message *m, const struct caller *caller,
                          struct vss_error *reterr) {
        int r = coordinator_list_providers(server->coordinator, on_providers, sd_bus_message_ref(m),
                                           reterr);

        if (r < 0)
                sd_bus_message_unref(m);
        return r;
}

static int method_list_providers(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_LOOK, list_providers, reterr);
}

/* ---- what a dead life left frozen ---- */

static void on_thawed(void *userdata, size_t question, int code, const struct vss_error *error,
                      const struct volume_list *thawed) {
        _cleanup_message_ sd_bus_message *m = userdata;

        if (code < 0)
                reply_failure(m, code, error);
        else
                (void)sd_bus_reply_method_return(m, "u", (uint32_t)thawed->count);
}

static int thaw(struct server *server, sd_bus_message *m, const struct caller *caller,
                struct vss_error *reterr) {
        int r = server_probe(server,
                             &(struct probe_question){ "thaw", server->settings.runtime_dir }, 1,
                             on_thawed, sd_bus_message_ref(m));

        if (r < 0)
                sd_bus_message_unref(m);
        return r;
}

static int method_thaw(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_ADMINISTRATOR, thaw, reterr);
}

/* ---- the object ---- */

static int property_get_version(sd_bus *bus, const char *path, const char *interface,
                                const char *property, sd_bus_message *reply, void *userdata,
                                sd_bus_error *reterr) {
        return sd_bus_message_append(reply, "s", VSS_VERSION);
}

/* What was wrong with the configuration when it was read (CFG-3) */
static int property_get_warnings(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *reterr) {
        struct server *server = userdata;

        return sd_bus_message_append_strv(reply, server->settings.warnings.items);
}

#define METHOD(name, in, out, handler)                                                             \
        SD_BUS_METHOD(name, in "a{sv}", out, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Warnings", "as", property_get_warnings, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        METHOD("CreateSession", "", "o", method_create_session),
        METHOD("RegisterWriter", "oa{sv}", "s", method_register_writer),
        METHOD("UnregisterWriter", "o", "", method_unregister_writer),
        METHOD("ListProviders", "", "aa{sv}", method_list_providers),
        METHOD("ListVolumes", "", "aa{sv}", method_list_volumes),
        METHOD("ResolvePath", "ayb", "aa{sv}", method_resolve_path),
        METHOD("ResolvePaths", "aa{sv}", "aa{sv}", method_resolve_paths),
        METHOD("Thaw", "", "u", method_thaw),
        SD_BUS_VTABLE_END
};

int manager_export(struct server *server, sd_bus *bus) {
        return sd_bus_add_object_vtable(bus, NULL, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                                        manager_vtable, server);
}
