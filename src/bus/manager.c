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
                r = participant_register(server, server->bus, sender, path, &identity, &participant,
                                         reterr);
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

/* ---- volumes ---- */

struct listing;

struct listed {
        struct listing *listing;
        struct volume volume;
        char *provider;
};

/* Volumes that were found, while the providers are asked about each */
struct listing {
        struct server *server;
        sd_bus_message *m;
        struct listed *items;
        size_t count;
        size_t waiting;
};

static void listing_free(struct listing *listing) {
        for (size_t i = 0; i < listing->count; i++) {
                volume_clear(&listing->items[i].volume);
                free(listing->items[i].provider);
        }
        free(listing->items);
        sd_bus_message_unref(listing->m);
        free(listing);
}

static int send_listing(struct listing *listing) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(listing->m, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < listing->count; i++) {
                const char *refusal = listing->items[i].volume.refusal;
                _cleanup_free_ char *words = refusal ? wire_words(refusal) : NULL;
                struct wire_candidate candidate = { .volume = listing->items[i].volume.v,
                                                    .provider = listing->items[i].provider,
                                                    .refusal = words };

                r = refusal && !words ? -ENOMEM : wire_append(reply, &wire_candidate, &candidate);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static void one_less(struct listing *listing) {
        int r;

        if (--listing->waiting > 0)
                return;
        r = send_listing(listing);
        if (r < 0)
                reply_failure(listing->m, r, NULL);
        listing_free(listing);
}

static void on_asked(void *userdata, const struct reply *answer) {
        struct listed *listed = userdata;

        if (answer->code >= 0 && answer->supported)
                listed->provider = strdup(answer->provider);
        else
                listed->volume.refusal =
                        strdup(*answer->words ? answer->words : "no provider supports it");
        one_less(listed->listing);
}

static void ask_all(struct listing *listing) {
        listing->waiting = 1; /* this function itself */
        for (size_t i = 0; i < listing->count; i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                struct listed *listed = &listing->items[i];
                int r;

                if (listed->volume.refusal)
                        continue;
                listing->waiting++;
                r = coordinator_ask_volume(listing->server->coordinator, &listed->volume.v,
                                           on_asked, listed, &error);
                if (r < 0) {
                        listing->waiting--;
                        listed->volume.refusal = strdup(vss_error_message(&error));
                }
        }
        one_less(listing);
}

static int take_volumes(struct listing *listing, const struct volume_list *volumes) {
        listing->items = calloc(volumes->count + 1, sizeof(*listing->items));
        if (!listing->items)
                return -ENOMEM;
        for (; listing->count < volumes->count; listing->count++) {
                struct listed *listed = &listing->items[listing->count];

                listed->listing = listing;
                if (volume_clone(&listed->volume, &volumes->items[listing->count]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void on_volumes(void *userdata, int code, const struct vss_error *error,
                       const struct volume_list *volumes) {
        struct listing *listing = userdata;
        int r = code;

        if (r >= 0)
                r = take_volumes(listing, volumes);
        if (r >= 0) {
                ask_all(listing);
                return;
        }
        reply_failure(listing->m, r, code < 0 ? error : NULL);
        listing_free(listing);
}

static int start_listing(struct server *server, sd_bus_message *m, const char *verb,
                         const char *name, struct vss_error *reterr) {
        struct listing *listing = calloc(1, sizeof(*listing));
        int r;

        if (!listing)
                return -ENOMEM;
        *listing = (struct listing){ .server = server, .m = sd_bus_message_ref(m) };
        r = server_probe(server, verb, name, on_volumes, listing, reterr);
        if (r < 0)
                listing_free(listing);
        return r;
}

static int list_volumes(struct server *server, sd_bus_message *m, const struct caller *caller,
                        struct vss_error *reterr) {
        return start_listing(server, m, "list", NULL, reterr);
}

static int method_list_volumes(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, list_volumes, reterr);
}

static int resolve_path(struct server *server, sd_bus_message *m, const struct caller *caller,
                        struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL;
        int below = 0, r = wire_read_path(m, &path);

        if (r >= 0)
                r = sd_bus_message_read(m, "b", &below);
        return r < 0 ? r : start_listing(server, m, below ? "below" : "path", path, reterr);
}

static int method_resolve_path(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return admit(userdata, m, ROLE_REQUESTER, resolve_path, reterr);
}

/* ---- what a dead life left frozen ---- */

static void on_thawed(void *userdata, int code, const struct vss_error *error,
                      const struct volume_list *thawed) {
        _cleanup_message_ sd_bus_message *m = userdata;

        if (code < 0)
                reply_failure(m, code, error);
        else
                (void)sd_bus_reply_method_return(m, "u", (uint32_t)thawed->count);
}

static int thaw(struct server *server, sd_bus_message *m, const struct caller *caller,
                struct vss_error *reterr) {
        int r = server_probe(server, "thaw", server->settings.runtime_dir, on_thawed,
                             sd_bus_message_ref(m), reterr);

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
        METHOD("Thaw", "", "u", method_thaw),
        SD_BUS_VTABLE_END
};

int manager_export(struct server *server, sd_bus *bus) {
        return sd_bus_add_object_vtable(bus, NULL, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                                        manager_vtable, server);
}
