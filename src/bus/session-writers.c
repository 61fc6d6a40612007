/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-writers.c - the members of org.vss1.Session that start an operation, and those that tell
 * what became of the writers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/memfd.h"
#include "bus/names.h"
#include "bus/session-object.h"
#include "bus/wire.h"

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

int method_gather_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
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
        for (size_t i = 0; r >= 0 && i < o->server->settings.left_out.count; i++)
                session_absent(o->session, o->server->settings.left_out.items[i]);
        free(enabled.items);
        free(disabled.items);
        free(instances.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

typedef int (*with_documents_t)(struct session *session, const struct component_document *documents,
                                size_t n_documents, struct operation **ret,
                                struct vss_error *reterr);

static int call_with_documents(sd_bus_message *m, struct session_object *o, with_documents_t call,
                               sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct operation *operation = NULL;
        struct documents list;
        int r = documents_take(o, m, &list, &error);

        if (r < 0)
                documents_close(&list);
        else
                r = call(o->session, list.items, list.count, &operation, &error);
        free(list.items); /* the descriptors are the session's now */
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

int method_prepare_for_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct prepare_options options = { .snapshot_follows = true };
        struct session_object *o = userdata;
        struct operation *operation = NULL;
        struct documents list;
        int r = documents_take(o, m, &list, &error);

        if (r >= 0)
                r = wire_read(m, &prepare_options_table, &options);
        if (r < 0)
                documents_close(&list);
        else
                r = session_prepare_for_backup(o->session, list.items, list.count,
                                               options.snapshot_follows, &operation, &error);
        free(list.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

int method_do_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        struct operation *operation = NULL;
        int r = session_do_snapshot_set(o->session, &operation, &error);

        return reply_operation(o, m, operation, r, &error, reterr);
}

int method_backup_complete(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return call_with_documents(m, userdata, session_backup_complete, reterr);
}

/* the requester's side has noted what only it can know: into our log with it */
static void log_warnings(struct session *session, char *lines) {
        char *rest = lines, *line;

        while (rest && (line = strsep(&rest, "\n")))
                session_log(session, line);
}

static int restore_event(sd_bus_message *m, struct session_object *o, with_documents_t call,
                         sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct wire_restore_options options = { 0 };
        struct operation *operation = NULL;
        struct documents list;
        int r = documents_take(o, m, &list, &error);

        if (r >= 0)
                r = wire_read(m, &wire_restore_options, &options);
        if (r < 0)
                documents_close(&list);
        else
                r = call(o->session, list.items, list.count, &operation, &error);
        if (r >= 0)
                log_warnings(o->session, options.warnings);
        wire_clear(&wire_restore_options, &options);
        free(list.items);
        return reply_operation(o, m, operation, r, &error, reterr);
}

int method_pre_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return restore_event(m, userdata, session_pre_restore, reterr);
}

int method_post_restore(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return restore_event(m, userdata, session_post_restore, reterr);
}

/* ---- what became of the writers ---- */

/* has: is there a document to send? NULL: everything is told of everybody, without documents */
struct telling {
        const char *contents;
        bool (*has)(const struct session_writer *writer);
        int (*append)(sd_bus_message *reply, const struct session_writer *writer);
};

static bool has_metadata(const struct session_writer *w) {
        return w->metadata >= 0;
}

static bool has_components(const struct session_writer *w) {
        return w->components >= 0;
}

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
        int r = sd_bus_message_open_container(reply, 'r', "a{sv}h");

        if (r >= 0)
                r = wire_append(reply, &wire_identity, &identity);
        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 'h', &w->metadata);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int append_components(sd_bus_message *reply, const struct session_writer *w) {
        int r = sd_bus_message_open_container(reply, 'r', "sh");

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
                .process = w->identity.process,
        };

        return words ? wire_append(reply, &wire_status, &status) : -ENOMEM;
}

struct page {
        uint32_t first; /* this many were told before */
};

static const struct wire_field page_fields[] = {
        { .key = "first", .type = WIRE_U32, .offset = offsetof(struct page, first) },
        { 0 },
};
static const struct wire_table page_table = { sizeof(struct page), page_fields };

/* append_page() - of those with documents no more than one message may carry */
static int append_page(struct session_object *o, sd_bus_message *reply,
                       const struct telling *telling, size_t n, uint32_t first) {
        struct session_writer writer;
        size_t told = 0;
        int r = sd_bus_message_open_container(reply, 'a', telling->contents);

        for (size_t i = 0; r >= 0 && i < n && told < VSS_DOCUMENTS_MAX; i++) {
                r = session_get_writer(o->session, i, &writer);
                if (r < 0 || (telling->has && !telling->has(&writer)))
                        continue;
                if (first > 0) {
                        first--;
                        continue;
                }
                r = telling->append(reply, &writer);
                told += telling->has != NULL;
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_writers(sd_bus_message *m, struct session_object *o, const struct telling *telling,
                         sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct page page = { 0 };
        size_t n = 0;
        int r = wire_read(m, &page_table, &page);

        if (r >= 0)
                r = session_count_writers(o->session, &n, &error);
        if (r >= 0)
                r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_page(o, reply, telling, n, page.first);
        if (r < 0)
                return wire_set_error(reterr, r, &error);
        return sd_bus_send(NULL, reply, NULL);
}

int method_get_writer_metadata(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        static const struct telling telling = { "(a{sv}h)", has_metadata, append_metadata };

        return reply_writers(m, userdata, &telling, reterr);
}

int method_get_writer_components(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        static const struct telling telling = { "(sh)", has_components, append_components };

        return reply_writers(m, userdata, &telling, reterr);
}

int method_get_writer_status(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        static const struct telling telling = { "a{sv}", NULL, append_status };

        return reply_writers(m, userdata, &telling, reterr);
}
