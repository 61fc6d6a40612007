/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - the writer's object on a connection: messages in, answers out, and the loop that also
 * watches the window. What an event does is not decided here.
 */
#define _GNU_SOURCE
#include "writer/writer.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "bus/loop.h"
#include "bus/names.h"

static int refuse(sd_bus_error *e, int code, struct vss_error *error) {
        return wire_set_error(e, code, error);
}

/* On a bus anybody can send messages; only the service that registered us may. */
static bool may_send(const struct vss_writer *writer, sd_bus_message *m) {
        const char *sender = sd_bus_message_get_sender(m);

        return !writer->on_bus || (writer->service && sender && !strcmp(writer->service, sender));
}

static int reply_event(sd_bus_message *m, int document, const struct wire_result *result) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(m, &reply);

        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "h");
        if (r >= 0 && document >= 0)
                r = sd_bus_message_append_basic(reply, 'h', &document);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = wire_append(reply, &wire_result, result);
        return r < 0 ? r : sd_bus_message_send(reply);
}

/* s session id, ah documents; what follows is the info */
static int read_head(sd_bus_message *m, struct vss_id *ret_session, int *ret_document) {
        int r = wire_read_id(m, ret_session);

        if (r < 0)
                return r;
        *ret_document = -1;
        r = sd_bus_message_enter_container(m, 'a', "h");
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(m, 'h', ret_document);
        if (r > 0)
                r = sd_bus_message_at_end(m, false) == 1 ? 0 : -EBADMSG; /* at most one */
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int handle_event(struct vss_writer *writer, sd_bus_message *m, sd_bus_error *e) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_close_ int answer = -1;
        struct wire_result result = { 0 };
        struct vss_id session;
        int document, r;

        r = read_head(m, &session, &document);
        if (r < 0)
                return refuse(e, r, NULL);
        r = writer_event(writer, sd_bus_message_get_member(m), &session, document, m, &answer,
                         &result, &error);
        if (r < 0)
                r = refuse(e, r, &error);
        else
                r = reply_event(m, answer, &result);
        wire_clear(&wire_result, &result);
        return r < 0 ? r : 1;
}

/* ---- one thing at a time while frozen ---- */

static bool is_for_session(sd_bus_message *m, const struct vss_id *session) {
        struct vss_id id;
        bool same = wire_read_id(m, &id) >= 0 && vss_id_equal(&id, session);

        (void)sd_bus_message_rewind(m, true);
        return same && !sd_bus_message_is_method_call(m, NULL, "Identify");
}

static int defer(struct vss_writer *writer, sd_bus_message *m) {
        struct deferred *entry = calloc(1, sizeof(*entry));

        if (!entry)
                return -ENOMEM;
        entry->message = sd_bus_message_ref(m);
        *writer->deferred_end = entry;
        writer->deferred_end = &entry->next;
        return 1;
}

static sd_bus_message *next_deferred(struct vss_writer *writer) {
        struct deferred *entry = writer->deferred;
        sd_bus_message *m;

        if (!entry)
                return NULL;
        m = entry->message;
        writer->deferred = entry->next;
        if (!writer->deferred)
                writer->deferred_end = &writer->deferred;
        free(entry);
        return m;
}

/* Whatever else is asked meanwhile waits: a handler that is slow, or that wants what the frozen
 * application holds, would keep this thread from closing the window in time. */
static int method_event(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct vss_writer *writer = userdata;
        struct writer_session *frozen;

        if (!may_send(writer, m))
                return refuse(e, E_ACCESSDENIED, NULL);
        (void)writer_expire(writer);
        frozen = writer_frozen_session(writer);
        if (frozen && !is_for_session(m, &frozen->id))
                return defer(writer, m);
        return handle_event(writer, m, e);
}

static int handle_deferred(struct vss_writer *writer) {
        int handled = 0, r;

        while (!writer_frozen_session(writer)) {
                _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
                _cleanup_message_ sd_bus_message *m = next_deferred(writer);

                if (!m)
                        break;
                handled = 1;
                r = handle_event(writer, m, &e);
                if (r < 0)
                        (void)sd_bus_reply_method_errno(m, r, &e);
        }
        return handled;
}

/* ---- life ---- */

static int read_settings(struct vss_writer *writer, sd_bus_message *m, struct vss_error *reterr) {
        const char *section, *key, *value;
        int r = sd_bus_message_enter_container(m, 'a', "(sss)");

        while (r >= 0 && (r = sd_bus_message_read(m, "(sss)", &section, &key, &value)) > 0)
                r = writer_configure(writer, section, key, value, reterr);
        return r;
}

static int method_configure(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        if (!may_send(userdata, m))
                return refuse(e, E_ACCESSDENIED, NULL);
        r = read_settings(userdata, m, &error);
        return r < 0 ? refuse(e, r, &error) : sd_bus_reply_method_return(m, "");
}

static int method_load(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct wire_identity told = { 0 }, identity;
        struct vss_writer *writer = userdata;
        int r;

        if (!may_send(writer, m))
                return refuse(e, E_ACCESSDENIED, NULL);
        r = wire_read(m, &wire_identity, &told);
        if (r < 0)
                return refuse(e, r, NULL);
        r = writer_load(writer, &told.instance_id, told.instance_name, &error);
        wire_clear(&wire_identity, &told);
        if (r < 0)
                return refuse(e, r, &error);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r < 0)
                return r;
        writer_get_identity(writer, &identity);
        r = wire_append(reply, &wire_identity, &identity);
        return r < 0 ? r : sd_bus_message_send(reply);
}

#define EVENT(member)                                                                              \
        SD_BUS_METHOD_WITH_ARGS(member, SD_BUS_ARGS("s", session, "ah", documents, "a{sv}", info), \
                                SD_BUS_RESULT("ah", documents, "a{sv}", result), method_event,     \
                                SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Configure", SD_BUS_ARGS("a(sss)", settings, "a{sv}", options),
                                SD_BUS_NO_RESULT, method_configure, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Load", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", identity), method_load,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        EVENT("Identify"),
        EVENT("PrepareBackup"),
        EVENT("PrepareSnapshot"),
        EVENT("Freeze"),
        EVENT("Thaw"),
        EVENT("PostSnapshot"),
        EVENT("Abort"),
        EVENT("BackupComplete"),
        EVENT("BackupShutdown"),
        EVENT("PreRestore"),
        EVENT("PostRestore"),
        EVENT("Undo"),
        SD_BUS_VTABLE_END,
};

int writer_serve(struct vss_writer *writer, struct vss_error *reterr) {
        int r = sd_bus_add_object_vtable(writer->bus, NULL, VSS_WRITER_PATH, VSS_WRITER_INTERFACE,
                                         vtable, writer);

        if (r < 0)
                return vss_fail(reterr, r, "cannot serve writer '%s'", writer->ops.name);
        writer->deferred_end = &writer->deferred;
        return 0;
}

void writer_disconnect(struct vss_writer *writer) {
        sd_bus_message *m;

        while ((m = next_deferred(writer)))
                sd_bus_message_unref(m);
        writer->bus = sd_bus_flush_close_unref(writer->bus);
        free(writer->service);
        writer->service = NULL;
}

/* everything that has arrived; 1 something, 0 nothing */
static int process_all(struct vss_writer *writer) {
        int handled = 0, r;

        do {
                r = sd_bus_process(writer->bus, NULL);
                if (r < 0)
                        return r;
                if (handle_deferred(writer) > 0)
                        r = 1;
                handled |= r > 0;
        } while (r > 0);
        return handled;
}

int writer_serve_for(struct vss_writer *writer, int stop_fd, uint64_t timeout_us) {
        uint64_t now = monotonic_us();
        uint64_t end = timeout_us > UINT64_MAX - now ? UINT64_MAX : now + timeout_us;

        for (;;) {
                uint64_t window = writer_expire(writer), left;
                int r = process_all(writer);

                if (r != 0)
                        return r;
                window = writer_expire(writer);
                now = monotonic_us();
                left = end == UINT64_MAX ? UINT64_MAX : (end > now ? end - now : 0);
                if (left == 0)
                        return 0;
                r = loop_wait(writer->bus, stop_fd, -1, window < left ? window : left);
                if (r != 0)
                        return r > 0 ? -EINTR : r;
        }
}

/* ---- hosted: one coordinator, one socket ---- */

static int serve_until_end(struct vss_writer *writer, int term_fd) {
        int r;

        do {
                r = writer_serve_for(writer, term_fd, UINT64_MAX);
                if (r == -EINTR) {
                        writer->shutting_down = true;
                        return 0;
                }
        } while (r >= 0);
        /* the other end is gone: the normal way for a host to end */
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE ? 0 : r;
}

int vss_writer_run(struct vss_writer_ops *ops, int fd, struct vss_error *reterr) {
        _cleanup_close_ int taken = fd;
        struct vss_writer *writer = NULL;
        struct loop_signals signals;
        int r = writer_new(ops, &writer, reterr);

        if (r < 0)
                return r;
        writer->given = ops;
        r = wire_connect(take_fd(&taken), false, &writer->bus);
        if (r < 0) {
                vss_fail(reterr, r, "writer '%s' cannot use its socket: %s", writer->ops.name,
                         vss_error_text(r));
                vss_writer_free(writer);
                return r;
        }
        r = writer_serve(writer, reterr);
        if (r >= 0) {
                r = loop_catch_signals(&signals);
                if (r >= 0) {
                        r = serve_until_end(writer, signals.fd);
                        writer_abandon(writer);
                        loop_release_signals(&signals);
                }
                if (r < 0)
                        vss_fail(reterr, r, "writer '%s' lost its coordinator", writer->ops.name);
        }
        vss_writer_free(writer);
        return r;
}
