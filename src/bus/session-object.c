/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-object.c - org.vss1.Session: each member reads its arguments, calls the function of
 * coordinator/session.h that bears its name, and writes what came back.
 */
#define _GNU_SOURCE
#include "bus/session-object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "bus/names.h"
#include "bus/late-reply.h"
#include "bus/wire.h"

/* ---- life ---- */

static void session_object_free(struct session_object *object) {
        struct session_object **p = &object->server->sessions;

        while (*p && *p != object)
                p = &(*p)->next;
        if (*p)
                *p = object->next;
        sd_bus_track_unref(object->track);
        documents_close(&object->given);
        free(object->given.items);
        free(object->operations);
        free(object->owner);
        free(object);
}

/* The owner is gone: nobody waits for the end of it. */
static int on_owner_gone(sd_bus_track *track, void *userdata) {
        struct session_object *object = userdata;
        struct session *session = object->session;

        session_object_free(object);
        session_release(session, NULL, NULL);
        return 0;
}

static int watch_owner(struct session_object *object, const char *owner) {
        int r;

        if (!owner)
                return 0;
        object->owner = strdup(owner);
        if (!object->owner)
                return -ENOMEM;
        r = sd_bus_track_new(object->server->bus, &object->track, on_owner_gone, object);
        return r < 0 ? r : sd_bus_track_add_name(object->track, owner);
}

static void set_path(struct session_object *object) {
        const struct vss_id *id = session_id(object->session);
        size_t n = strlen(VSS_SESSION_PREFIX);

        memcpy(object->path, VSS_SESSION_PREFIX, n + 1);
        for (size_t i = 0; i < sizeof(id->bytes); i++)
                (void)snprintf(object->path + n + 2 * i, 3, "%02x", id->bytes[i]);
}

int session_object_new(struct server *server, uid_t uid, bool restore, const char *owner,
                       struct session_object **ret, struct vss_error *reterr) {
        struct session_object *object = calloc(1, sizeof(*object));
        int r;

        if (!object)
                return -ENOMEM;
        object->server = server;
        object->next = server->sessions;
        server->sessions = object;
        r = session_new(server->coordinator, uid, restore, object, &object->session, reterr);
        if (r >= 0) {
                set_path(object);
                r = watch_owner(object, owner);
                if (r < 0)
                        session_release(object->session, NULL, NULL);
        }
        if (r < 0) {
                session_object_free(object);
                return r;
        }
        *ret = object;
        return 0;
}

void session_objects_end(struct server *server) {
        while (server->sessions) {
                struct session *session = server->sessions->session;

                session_object_free(server->sessions);
                session_release(session, NULL, NULL);
        }
}

struct session_object *session_object_find(struct server *server, const char *path) {
        for (struct session_object *o = server->sessions; o; o = o->next)
                if (strcmp(o->path, path) == 0)
                        return o;
        return NULL;
}

bool session_object_is_owner(const struct session_object *object, sd_bus *bus) {
        sd_bus_message *m = sd_bus_get_current_message(bus);
        const char *sender = m ? sd_bus_message_get_sender(m) : NULL;

        return !object->owner || (sender && strcmp(object->owner, sender) == 0);
}

/* ---- state ---- */

static int done(sd_bus_message *m, int r, const struct vss_error *error, sd_bus_error *reterr) {
        return r < 0 ? wire_set_error(reterr, r, error) : sd_bus_reply_method_return(m, NULL);
}

static int method_set_context(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        uint32_t context;
        int r = sd_bus_message_read(m, "u", &context);

        if (r >= 0)
                r = session_set_context(o->session, context, &error);
        return done(m, r, &error, reterr);
}

static int method_set_backup_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        int select, bootable, partial, r;
        uint32_t type;

        r = sd_bus_message_read(m, "bbub", &select, &bootable, &type, &partial);
        if (r >= 0)
                r = session_set_backup_state(o->session, select, bootable, type, partial, &error);
        return done(m, r, &error, reterr);
}

static int method_set_restore_state(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        uint32_t type;
        int r = sd_bus_message_read(m, "u", &type);

        if (r >= 0)
                r = session_set_restore_state(o->session, type, &error);
        return done(m, r, &error, reterr);
}

static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct session_object *o = userdata;
        struct session *session = o->session;
        struct late_reply *late = late_reply_new(m, NULL);

        if (!late)
                return -ENOMEM;
        session_object_free(o);
        session_release(session, late_reply_send, late);
        return 1;
}

/* ---- the object ---- */

#define METHOD(name, in, out, handler)                                                             \
        SD_BUS_METHOD(name, in "a{sv}", out, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("SetContext", "u", "", method_set_context),
        METHOD("SetBackupState", "bbub", "", method_set_backup_state),
        METHOD("SetRestoreState", "u", "", method_set_restore_state),
        METHOD("GatherWriterMetadata", "asasas", "o", method_gather_writer_metadata),
        METHOD("GetWriterMetadata", "", "a(a{sv}h)", method_get_writer_metadata),
        METHOD("StartSnapshotSet", "", "s", method_start_snapshot_set),
        METHOD("IsVolumeSupported", "ays", "ba{sv}", method_is_volume_supported),
        METHOD("AddToSnapshotSet", "aysaay", "s", method_add_to_snapshot_set),
        METHOD("GiveDocuments", "a(sh)", "", method_give_documents),
        METHOD("PrepareForBackup", "a(sh)", "o", method_prepare_for_backup),
        METHOD("DoSnapshotSet", "", "o", method_do_snapshot_set),
        METHOD("GetWriterComponents", "", "a(sh)", method_get_writer_components),
        METHOD("GetWriterStatus", "", "aa{sv}", method_get_writer_status),
        METHOD("BackupComplete", "a(sh)", "o", method_backup_complete),
        METHOD("AbortBackup", "", "", method_abort_backup),
        METHOD("PreRestore", "a(sh)", "o", method_pre_restore),
        METHOD("PostRestore", "a(sh)", "o", method_post_restore),
        METHOD("GetSnapshotProperties", "s", "a{sv}", method_get_snapshot_properties),
        METHOD("Query", "u", "aa{sv}", method_query),
        METHOD("DeleteSnapshots", "sub", "usss", method_delete_snapshots),
        METHOD("KeepReference", "s", "s", method_keep_reference),
        METHOD("ReleaseReference", "ss", "", method_release_reference),
        METHOD("QueryChanges", "ssh", "", method_query_changes),
        METHOD("GetSetTiming", "", "tt", method_get_set_timing),
        METHOD("Release", "", "", method_release),
        SD_BUS_VTABLE_END
};

static int find_session(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret_found, sd_bus_error *reterr) {
        struct session_object *object = session_object_find(userdata, path);

        if (!object || !session_object_is_owner(object, bus))
                return 0;
        *ret_found = object;
        return 1;
}

int session_export(struct server *server, sd_bus *bus) {
        return sd_bus_add_fallback_vtable(bus, NULL, "/org/vss1/session", VSS_SESSION_INTERFACE,
                                          session_vtable, find_session, server);
}
