/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-object.c - org.vss1.Session: each member reads its arguments, calls the function of
 * coordinator/session.h that bears its name, and writes what came back.
 */
#define _GNU_SOURCE
#include "bus/session-object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memfd.h"
#include "bus/names.h"
#include "bus/wire.h"

/* ---- life ---- */

static void session_object_free(struct session_object *object) {
        struct session_object **p = &object->server->sessions;

        while (*p && *p != object)
                p = &(*p)->next;
        if (*p)
                *p = object->next;
        sd_bus_track_unref(object->track);
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

/* ---- answers that come later ---- */

typedef int (*fill_t)(sd_bus_message *reply, const struct reply *answer);

struct question {
        sd_bus_message *m;
        fill_t fill;
        bool fill_failure; /* a failure is part of the answer */
};

void reply_failure(sd_bus_message *m, int code, const struct vss_error *error) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;

        (void)wire_set_error(&e, code, error);
        (void)sd_bus_reply_method_error(m, &e);
}

static void question_free(struct question *question) {
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

static void on_answer(void *userdata, const struct reply *answer) {
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

static struct question *ask(sd_bus_message *m, fill_t fill) {
        struct question *question = calloc(1, sizeof(*question));

        if (question)
                *question = (struct question){ sd_bus_message_ref(m), fill, false };
        return question;
}

/* @r is what the coordinator's function returned: 0, and on_answer() was or will be called. */
static int asked(struct question *question, int r, const struct vss_error *error,
                 sd_bus_error *reterr) {
        if (r >= 0)
                return 1;
        if (question)
                question_free(question);
        return wire_set_error(reterr, r, error);
}

static int done(sd_bus_message *m, int r, const struct vss_error *error, sd_bus_error *reterr) {
        return r < 0 ? wire_set_error(reterr, r, error) : sd_bus_reply_method_return(m, NULL);
}

/* ---- state ---- */

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

/* ---- operations ---- */

static int reply_operation(struct session_object *o, sd_bus_message *m, struct operation *operation,
                           int r, const struct vss_error *error, sd_bus_error *reterr) {
        char path[OPERATION_PATH_SIZE];

        if (r >= 0)
                r = ARRAY_RESERVE(&o->operations, o->n_operations, &o->operations_capacity);
        if (r < 0)
                return wire_set_error(reterr, r, error);
        o->operations[o->n_operations++] = operation;
        return sd_bus_reply_method_return(m, "o", operation_path(operation, path));
}

struct id_list {
        struct vss_id *items;
        size_t count, capacity;
};

static int read_ids(sd_bus_message *m, struct id_list *list) {
        int r = sd_bus_message_enter_container(m, 'a', "s");

        while (r >= 0 && (r = sd_bus_message_at_end(m, 0)) == 0) {
                r = ARRAY_RESERVE(&list->items, list->count, &list->capacity);
                if (r >= 0)
                        r = wire_read_id(m, &list->items[list->count]);
                if (r >= 0)
                        list->count++;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int method_gather_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct id_list enabled = { 0 }, disabled = { 0 }, instances = { 0 };
        struct session_object *o = userdata;
        struct operation *operation = NULL;
        struct writer_filter filter;
        int r = read_ids(m, &enabled);

        if (r >= 0)
                r = read_ids(m, &disabled);
        if (r >= 0)
                r = read_ids(m, &instances);
        filter = (struct writer_filter){
                .enabled_classes = enabled.items,
                .n_enabled_classes = enabled.count,
                .disabled_classes = disabled.items,
                .n_disabled_classes = disabled.count,
                .disabled_instances = instances.items,
                .n_disabled_instances = instances.count,
        };
        if (r >= 0)
                r = session_gather_writer_metadata(o->session, &filter, &operation, &error);
        free(enabled.items);
        free(disabled.items);
        free(instances.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

/* a(sh): what comes from outside is checked here, and never read (SEC-35) */
struct documents {
        struct component_document *items;
        size_t count, capacity;
};

static int read_document(sd_bus_message *m, struct documents *list, struct vss_error *reterr) {
        struct component_document document = { .document = -1 };
        uint64_t size;
        int fd, r = ARRAY_RESERVE(&list->items, list->count, &list->capacity);

        if (r >= 0)
                r = wire_read_id(m, &document.instance_id);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0)
                return r;
        r = memfd_check(fd, VSS_DOCUMENT_SIZE_MAX, &size);
        if (r < 0)
                return vss_fail(reterr, r == -EFBIG ? VSS_E_INVALID_XML_DOCUMENT : E_INVALIDARG,
                                r == -EFBIG ? "a document is larger than 256 MiB"
                                            : "a document must be a sealed memory file");
        document.document = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (document.document < 0)
                return -errno;
        list->items[list->count++] = document;
        return 0;
}

static int read_documents(sd_bus_message *m, struct documents *list, struct vss_error *reterr) {
        int r = sd_bus_message_enter_container(m, 'a', "(sh)");

        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sh")) > 0) {
                r = read_document(m, list, reterr);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static void close_documents(struct documents *list) {
        for (size_t i = 0; i < list->count; i++)
                close(list->items[i].document);
        list->count = 0;
}

typedef int (*with_documents_t)(struct session *session, const struct component_document *documents,
                                size_t n_documents, struct operation **ret,
                                struct vss_error *reterr);

static int call_with_documents(sd_bus_message *m, struct session_object *o, with_documents_t call,
                               sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct operation *operation = NULL;
        struct documents list = { 0 };
        int r = read_documents(m, &list, &error);

        if (r < 0)
                close_documents(&list);
        else
                r = call(o->session, list.items, list.count, &operation, &error);
        free(list.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

struct prepare_options {
        bool snapshot_follows;
};

static const struct wire_field prepare_option_fields[] = {
        { .key = "snapshot-follows",
          .type = WIRE_BOOL,
          .offset = offsetof(struct prepare_options, snapshot_follows) },
        { 0 },
};
static const struct wire_table prepare_options_table = { sizeof(struct prepare_options),
                                                         prepare_option_fields };

static int method_prepare_for_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct prepare_options options = { .snapshot_follows = true };
        struct session_object *o = userdata;
        struct operation *operation = NULL;
        struct documents list = { 0 };
        int r = read_documents(m, &list, &error);

        if (r >= 0)
                r = wire_read(m, &prepare_options_table, &options);
        if (r < 0)
                close_documents(&list);
        else
                r = session_prepare_for_backup(o->session, list.items, list.count,
                                               options.snapshot_follows, &operation, &error);
        free(list.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

static int method_do_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        struct operation *operation = NULL;
        int r = session_do_snapshot_set(o->session, &operation, &error);

        return reply_operation(o, m, operation, r, &error, reterr);
}

static int method_backup_complete(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return call_with_documents(m, userdata, session_backup_complete, reterr);
}

static int method_pre_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return call_with_documents(m, userdata, session_pre_restore, reterr);
}

static int method_post_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return call_with_documents(m, userdata, session_post_restore, reterr);
}

/* ---- what became of the writers ---- */

typedef int (*append_writer_t)(sd_bus_message *reply, const struct session_writer *writer);

static int append_metadata(sd_bus_message *reply, const struct session_writer *w) {
        struct wire_identity identity = {
                .writer_id = w->identity.writer_id,
                .instance_id = w->identity.instance_id,
                .instance_name = (char *)(uintptr_t)w->identity.instance_name,
                .name = (char *)(uintptr_t)w->identity.name,
                .usage = w->identity.usage,
                .source = w->identity.source,
                .level = w->identity.level,
                .freeze_timeout_ms = w->identity.freeze_timeout_ms,
                .version_major = w->identity.version_major,
                .version_minor = w->identity.version_minor,
        };
        int r;

        if (w->metadata < 0)
                return 0;
        r = sd_bus_message_open_container(reply, 'r', "a{sv}h");
        if (r >= 0)
                r = wire_append(reply, &wire_identity, &identity);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'h', &w->metadata);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_components(sd_bus_message *reply, const struct session_writer *w) {
        int r;

        if (w->components < 0)
                return 0;
        r = sd_bus_message_open_container(reply, 'r', "sh");
        if (r >= 0)
                r = wire_append_id(reply, &w->identity.instance_id);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'h', &w->components);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_status(sd_bus_message *reply, const struct session_writer *w) {
        _cleanup_free_ char *words = wire_words(w->message);
        struct wire_status status = {
                .instance_id = w->identity.instance_id,
                .writer_id = w->identity.writer_id,
                .name = (char *)(uintptr_t)w->identity.name,
                .state = w->state,
                .failure = w->failure,
                .application_failure = w->application_failure,
                .message = words,
        };

        return words ? wire_append(reply, &wire_status, &status) : -ENOMEM;
}

static int reply_writers(sd_bus_message *m, struct session_object *o, const char *contents,
                         append_writer_t append, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct session_writer writer;
        size_t n = 0;
        int r = session_count_writers(o->session, &n, &error);

        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', contents);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = session_get_writer(o->session, i, &writer);
                if (r >= 0)
                        r = append(reply, &writer);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r < 0)
                return wire_set_error(reterr, r, &error);
        return sd_bus_send(NULL, reply, NULL);
}

static int method_get_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return reply_writers(m, userdata, "(a{sv}h)", append_metadata, reterr);
}

static int method_get_writer_components(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return reply_writers(m, userdata, "(sh)", append_components, reterr);
}

static int method_get_writer_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return reply_writers(m, userdata, "a{sv}", append_status, reterr);
}

/* ---- the set ---- */

static int method_start_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        char text[VSS_ID_TEXT_SIZE];
        struct vss_id id;
        int r = session_start_snapshot_set(o->session, &id, &error);

        if (r < 0)
                return wire_set_error(reterr, r, &error);
        return sd_bus_reply_method_return(m, "s", vss_id_format(&id, text));
}

/* A volume has to be looked at before the coordinator is asked; the session may be gone by then. */
struct volume_question {
        struct server *server;
        char session[SESSION_PATH_SIZE];
        sd_bus_message *m;
        char *volume;
        struct vss_id provider_id;
        bool add;
        char **paths;
};

static void volume_question_free(struct volume_question *q) {
        if (!q)
                return;
        sd_bus_message_unref(q->m);
        wire_free_strings(q->paths);
        free(q->volume);
        free(q);
}

static int fill_supported(sd_bus_message *reply, const struct reply *answer) {
        _cleanup_free_ char *words = wire_words(answer->supported ? "" : answer->words);
        int r = sd_bus_message_append(reply, "b", (int)answer->supported);

        if (r < 0 || !words)
                return r < 0 ? r : -ENOMEM;
        return *words ? sd_bus_message_append(reply, "a{sv}", 1, "refusal", "s", words)
                      : wire_append_options(reply);
}

static int fill_id(sd_bus_message *reply, const struct reply *answer) {
        return wire_append_id(reply, &answer->id);
}

static int check_paths(const struct volume_question *q, const struct vss_volume *volume,
                       struct vss_error *reterr) {
        for (size_t i = 0; q->paths && q->paths[i]; i++)
                if (!path_is_clean(q->paths[i]) || !path_is_below(q->paths[i], volume->mount_point))
                        return vss_fail(reterr, E_INVALIDARG,
                                        "'%s' is no clean absolute path below '%s'", q->paths[i],
                                        volume->mount_point);
        return 0;
}

static int ask_session(struct volume_question *q, struct session_object *o,
                       const struct vss_volume *volume, struct vss_error *reterr) {
        struct question *question = ask(q->m, q->add ? fill_id : fill_supported);
        int r;

        if (!question)
                return -ENOMEM;
        r = check_paths(q, volume, reterr);
        if (r >= 0 && q->add)
                r = session_add_to_snapshot_set(o->session, volume, &q->provider_id,
                                                (const char *const *)q->paths, on_answer, question,
                                                reterr);
        else if (r >= 0)
                r = session_is_volume_supported(o->session, volume, &q->provider_id, on_answer,
                                                question, reterr);
        if (r < 0)
                question_free(question);
        return r;
}

/* Whether somebody supports a volume that is none has a plain answer: no, because ... */
static bool reply_refusal(const struct volume_question *q, int code,
                          const struct vss_error *error) {
        _cleanup_free_ char *words = NULL;

        if (q->add || (code != VSS_E_VOLUME_NOT_SUPPORTED && code != VSS_E_VOLUME_NOT_LOCAL))
                return false;
        words = wire_words(vss_error_message(error));
        return words &&
               sd_bus_reply_method_return(q->m, "ba{sv}", 0, 1, "refusal", "s", words) >= 0;
}

static void on_volume(void *userdata, int code, const struct vss_error *error,
                      const struct volume_list *volumes) {
        _cleanup_error_ struct vss_error own = VSS_ERROR_INIT;
        struct volume_question *q = userdata;
        struct session_object *o = session_object_find(q->server, q->session);
        int r = code;

        if (!o)
                reply_failure(q->m, -ECANCELED, NULL);
        else if (r >= 0) {
                r = ask_session(q, o, &volumes->items[0].v, &own);
                if (r < 0)
                        reply_failure(q->m, r, &own);
        } else if (!reply_refusal(q, r, error))
                reply_failure(q->m, r, error);
        volume_question_free(q);
}

static int ask_volume(sd_bus_message *m, struct session_object *o, bool add, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct volume_question *q = calloc(1, sizeof(*q));
        int r;

        if (!q)
                return -ENOMEM;
        q->server = o->server;
        q->add = add;
        memcpy(q->session, o->path, sizeof(q->session));
        q->m = sd_bus_message_ref(m);
        r = wire_read_path(m, &q->volume);
        if (r >= 0)
                r = wire_read_id(m, &q->provider_id);
        if (r >= 0 && add)
                r = wire_read_paths(m, &q->paths);
        if (r >= 0)
                r = server_probe(o->server, "name", q->volume, on_volume, q, &error);
        if (r >= 0)
                return 1;
        volume_question_free(q);
        return wire_set_error(reterr, r, &error);
}

static int method_is_volume_supported(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return ask_volume(m, userdata, false, reterr);
}

static int method_add_to_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return ask_volume(m, userdata, true, reterr);
}

static int method_abort_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        struct question *question = ask(m, NULL);

        if (!question)
                return -ENOMEM;
        return asked(question, session_abort_backup(o->session, on_answer, question, &error),
                     &error, reterr);
}

static int method_get_set_timing(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        uint64_t freeze_us = 0, hold_us = 0;
        int r = session_get_set_timing(o->session, &freeze_us, &hold_us, &error);

        if (r < 0)
                return wire_set_error(reterr, r, &error);
        return sd_bus_reply_method_return(m, "tt", freeze_us, hold_us);
}

/* ---- copies ---- */

static int fill_properties(sd_bus_message *reply, const struct reply *answer) {
        if (answer->n_snapshots < 1)
                return -ENODATA;
        return wire_append(reply, &wire_snapshot, &answer->snapshots[0]);
}

static int method_get_snapshot_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct question *question = ask(m, fill_properties);
        struct session_object *o = userdata;
        struct vss_id id;
        int r = question ? wire_read_id(m, &id) : -ENOMEM;

        if (r >= 0)
                r = session_get_snapshot_properties(o->session, &id, on_answer, question, &error);
        return asked(question, r, &error, reterr);
}

static int fill_objects(sd_bus_message *reply, const struct reply *answer) {
        struct wire_records snapshots = { (void *)(uintptr_t)answer->snapshots,
                                          answer->n_snapshots };
        struct wire_records providers = { (void *)(uintptr_t)answer->providers,
                                          answer->n_providers };

        return answer->n_providers > 0 ? wire_append_records(reply, &wire_provider, &providers)
                                       : wire_append_records(reply, &wire_snapshot, &snapshots);
}

static int method_query(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct question *question = ask(m, fill_objects);
        struct session_object *o = userdata;
        uint32_t type;
        int r = question ? sd_bus_message_read(m, "u", &type) : -ENOMEM;

        if (r >= 0)
                r = session_query(o->session, type, on_answer, question, &error);
        return asked(question, r, &error, reterr);
}

static int fill_deleted(sd_bus_message *reply, const struct reply *answer) {
        _cleanup_free_ char *words = wire_words(answer->code < 0 ? answer->words : "");
        char name[WIRE_ERROR_NAME_SIZE];
        int r = words ? sd_bus_message_append(reply, "u", answer->deleted) : -ENOMEM;

        if (r >= 0)
                r = wire_append_id(reply, &answer->not_deleted);
        return r < 0 ? r
                     : sd_bus_message_append(reply, "ss", wire_error_name(answer->code, name),
                                             words);
}

static int method_delete_snapshots(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct question *question = ask(m, fill_deleted);
        struct session_object *o = userdata;
        struct vss_id id;
        uint32_t type;
        int force, r = question ? wire_read_id(m, &id) : -ENOMEM;

        if (r >= 0)
                r = sd_bus_message_read(m, "ub", &type, &force);
        if (r >= 0) {
                question->fill_failure = true;
                r = session_delete_snapshots(o->session, &id, type, force, on_answer, question,
                                             &error);
        }
        return asked(question, r, &error, reterr);
}

static int method_release(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        struct session_object *o = userdata;
        struct session *session = o->session;
        struct question *question = ask(m, NULL);

        if (!question)
                return -ENOMEM;
        session_object_free(o);
        session_release(session, on_answer, question);
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
