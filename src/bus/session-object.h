/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-object.h - a requester's session as a D-Bus object, and who owns it.
 *
 * Only the connection that created a session can see it: for others the object does not exist
 * (SEC-23). When the connection goes, the session is released.
 */
#ifndef BUS_SESSION_OBJECT_H
#define BUS_SESSION_OBJECT_H

#include "bus/server.h"

#define SESSION_PATH_SIZE 64

/* what came as a(sh) */
struct documents {
        struct component_document *items;
        size_t count, capacity;
};

struct session_object {
        struct server *server;
        struct session *session;
        char path[SESSION_PATH_SIZE];
        char *owner; /* unique name; NULL on a private connection */
        sd_bus_track *track;
        struct operation **operations; /* lent by the session, all that it ever had */
        size_t n_operations, operations_capacity;
        struct documents given; /* by GiveDocuments, for the next call that takes documents */
        struct session_object *next;
};

/* session_object_new() - @owner is the sender's unique name, NULL on a private connection */
int session_object_new(struct server *server, uid_t uid, bool restore, const char *owner,
                       struct session_object **ret, struct vss_error *reterr);

/* session_objects_end() - release all of them; the coordinator finishes what it has to */
void session_objects_end(struct server *server);

struct session_object *session_object_find(struct server *server, const char *path);

/* is_owner() - did the owner of @object send the message that is being handled? */
bool session_object_is_owner(const struct session_object *object, sd_bus *bus);

/* documents_take() - those that were given before, and those of @m; on failure, too, the caller
 * closes what is in @ret. documents_close() leaves the list itself to be freed */
int documents_take(struct session_object *object, sd_bus_message *m, struct documents *ret,
                   struct vss_error *reterr);
void documents_close(struct documents *list);

/* Members that are not in session-object.c; userdata is the object */
int method_abort_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_add_to_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_backup_complete(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_delete_snapshots(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_do_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_gather_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_set_timing(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_snapshot_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_writer_components(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_get_writer_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_is_volume_supported(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_post_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_give_documents(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_pre_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_prepare_for_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_keep_reference(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_query_changes(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_release_reference(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_query(sd_bus_message *m, void *userdata, sd_bus_error *reterr);
int method_start_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr);

#endif
