/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.c - from an event to the writer's handler and back: order, documents, results (B-78 to
 * B-86), and the window between Freeze and Thaw, which this side closes by itself (B-47, B-55).
 */
#define _GNU_SOURCE
#include "writer/writer.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/memfd.h"
#include "bus/names.h"
#include "documents/create-metadata.h"

DEFINE_CLEANUP(struct vss_writer_components *, writer_components_free)
DEFINE_CLEANUP(struct vss_create_writer_metadata *, create_writer_metadata_free)

enum { WINDOW_MAX_MS = 60000 }; /* more has no effect (OQ-B15) */

typedef int (*runner_t)(struct vss_writer *writer, struct vss_writer_components *components,
                        struct vss_error *reterr);

/* One row per event: the order is held here and nowhere else. */
struct event_row {
        const char *member;
        enum writer_event event;
        unsigned from; /* session states in which it may come */
        enum session_state to, rejected; /* what it leads to */
        uint32_t subscription; /* enum vss_subscribe_mask */
        enum component_event components;
        runner_t run;
};

/* ---- the ops: a missing one has nothing to do ---- */

#define RUN_WITH_COMPONENTS(op)                                                                    \
        static int run_##op(struct vss_writer *writer, struct vss_writer_components *components,   \
                            struct vss_error *reterr) {                                            \
                return writer->ops.op ? writer->ops.op(writer, components, reterr) : 0;            \
        }
#define RUN_PLAIN(op)                                                                              \
        static int run_##op(struct vss_writer *writer, struct vss_writer_components *components,   \
                            struct vss_error *reterr) {                                            \
                return writer->ops.op ? writer->ops.op(writer, reterr) : 0;                        \
        }

RUN_WITH_COMPONENTS(prepare_backup)
RUN_PLAIN(prepare_snapshot)
RUN_PLAIN(freeze)
RUN_PLAIN(thaw)
RUN_WITH_COMPONENTS(post_snapshot)
RUN_WITH_COMPONENTS(backup_complete)
RUN_WITH_COMPONENTS(pre_restore)
RUN_WITH_COMPONENTS(post_restore)

static int run_abort(struct vss_writer *writer, struct vss_writer_components *components,
                     struct vss_error *reterr) {
        if (writer->ops.abort)
                writer->ops.abort(writer);
        return 0;
}

static int run_backup_shutdown(struct vss_writer *writer, struct vss_writer_components *components,
                               struct vss_error *reterr) {
        const struct writer_call *call = writer_current_call(writer);

        if (writer->ops.backup_shutdown)
                writer->ops.backup_shutdown(writer, &call->session->info.set_id);
        return 0;
}

enum {
        NOT_RESTORING = ~(unsigned)(SESSION_RESTORING),
        /* a failed state lasts until a new PrepareForBackup (B-104), which a frozen one never gets
         */
        MAY_PREPARE = ~(unsigned)(SESSION_RESTORING | SESSION_FROZEN),
        BACKUP = VSS_SM_BACKUP_EVENTS_FLAG,
        POST = VSS_SM_POST_SNAPSHOT_FLAG,
        RESTORE = VSS_SM_RESTORE_EVENTS_FLAG
};

static const struct event_row rows[] = {
        { "PrepareBackup", EVENT_PREPARE_BACKUP, MAY_PREPARE, SESSION_PREPARED, SESSION_FAILED,
          BACKUP, COMPONENT_EVENT_PREPARE_BACKUP, run_prepare_backup },
        { "PrepareSnapshot", EVENT_PREPARE_SNAPSHOT, SESSION_PREPARED, SESSION_WAITING_FREEZE,
          SESSION_FAILED, BACKUP, COMPONENT_EVENT_NONE, run_prepare_snapshot },
        { "Freeze", EVENT_FREEZE, SESSION_WAITING_FREEZE, SESSION_FROZEN, SESSION_FAILED, BACKUP,
          COMPONENT_EVENT_NONE, run_freeze },
        { "Thaw", EVENT_THAW, SESSION_FROZEN, SESSION_THAWED, SESSION_FAILED, BACKUP,
          COMPONENT_EVENT_NONE, run_thaw },
        { "PostSnapshot", EVENT_POST_SNAPSHOT, SESSION_THAWED, SESSION_SNAPSHOT_DONE,
          SESSION_FAILED, POST, COMPONENT_EVENT_POST_SNAPSHOT, run_post_snapshot },
        { "Abort", EVENT_ABORT, NOT_RESTORING, SESSION_ABORTED, SESSION_ABORTED, BACKUP,
          COMPONENT_EVENT_NONE, run_abort },
        { "BackupComplete", EVENT_BACKUP_COMPLETE, SESSION_PREPARED | SESSION_SNAPSHOT_DONE,
          SESSION_COMPLETE, SESSION_COMPLETE, BACKUP, COMPONENT_EVENT_BACKUP_COMPLETE,
          run_backup_complete },
        { "BackupShutdown", EVENT_BACKUP_SHUTDOWN, ~0U, SESSION_COMPLETE, SESSION_COMPLETE, BACKUP,
          COMPONENT_EVENT_NONE, run_backup_shutdown },
        { "PreRestore", EVENT_PRE_RESTORE, SESSION_NEW | SESSION_RESTORED, SESSION_RESTORING,
          SESSION_RESTORING, RESTORE, COMPONENT_EVENT_PRE_RESTORE, run_pre_restore },
        { "PostRestore", EVENT_POST_RESTORE, SESSION_RESTORING, SESSION_RESTORED, SESSION_RESTORED,
          RESTORE, COMPONENT_EVENT_POST_RESTORE, run_post_restore },
};

static const struct event_row *find_row(const char *member) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (strcmp(rows[i].member, member) == 0)
                        return &rows[i];
        return NULL;
}

/* ---- results ---- */

/* B-78 to B-81; what the handler said with set_writer_failure goes before what it returned */
static void fill_result(struct writer_call *call, int r, struct vss_error *words,
                        struct wire_result *result) {
        result->fatal = r < 0;
        result->application_failure = call->application;
        if (call->failure)
                result->failure = call->failure;
        else if (r < 0)
                result->failure = writer_is_failure_code(r) ? r : VSS_E_WRITERERROR_NONRETRYABLE;
        if (call->message) {
                result->message = take(call->message);
        } else if (r < 0) {
                words->code = r;
                result->message = strdup(vss_error_message(words));
        }
        result->undo = call->undo;
        call->undo = (struct wire_bytes){ 0 };
}

/* with PARTIAL_FAILURE the writer goes on (B-85, B-86) */
static bool is_rejected(const struct wire_result *result) {
        return result->fatal ||
               (result->failure && result->failure != VSS_E_WRITERERROR_PARTIAL_FAILURE);
}

static void clear_call(struct writer_call *call) {
        free(call->message);
        free(call->undo.data);
}

/* ---- the window ---- */

static void call_abort(struct vss_writer *writer, struct writer_session *session) {
        struct writer_call call = { .writer = writer,
                                    .event = EVENT_ABORT,
                                    .session = session,
                                    .session_id = session->id };

        writer_enter(&call);
        (void)run_abort(writer, NULL, NULL);
        writer_leave(&call);
        clear_call(&call);
        session->may_hold = false;
        session->window_end = 0;
}

static void expire_session(struct vss_writer *writer, struct writer_session *session) {
        call_abort(writer, session);
        session->state = SESSION_EXPIRED;
}

uint64_t writer_expire(struct vss_writer *writer) {
        uint64_t now = monotonic_us(), next = UINT64_MAX;

        for (struct writer_session *s = writer->sessions; s; s = s->next) {
                if (s->window_end == 0)
                        continue;
                if (s->window_end <= now)
                        expire_session(writer, s);
                else if (s->window_end - now < next)
                        next = s->window_end - now;
        }
        return next;
}

static uint64_t window_us(const struct vss_writer *writer, const struct wire_info *info) {
        uint32_t ms = WINDOW_MAX_MS;

        if (writer->ops.freeze_timeout_ms < ms)
                ms = writer->ops.freeze_timeout_ms;
        if (info->freeze_timeout_ms > 0 && info->freeze_timeout_ms < ms)
                ms = info->freeze_timeout_ms;
        return (uint64_t)ms * 1000;
}

static int timeout_result(struct vss_writer *writer, struct wire_result *result) {
        result->failure = VSS_E_WRITERERROR_TIMEOUT;
        result->fatal = true;
        free(result->message);
        if (asprintf(&result->message,
                     "writer '%s' was frozen longer than its window and thawed by itself",
                     writer->ops.name) < 0) {
                result->message = NULL;
                return -ENOMEM;
        }
        return 0;
}

/* Before a handler that may hold something, and after it. A fatal Freeze or Thaw keeps the clock
 * running: the application may be half frozen, and the coordinator's Abort may never come. */
static void open_window(struct vss_writer *writer, struct writer_session *session,
                        const struct event_row *row) {
        if (session->window_end && (row->event & (EVENT_PREPARE_BACKUP | EVENT_BACKUP_SHUTDOWN)))
                call_abort(writer, session); /* neither Thaw nor Abort came before it */
        if (row->event & (EVENT_PREPARE_BACKUP | EVENT_PREPARE_SNAPSHOT | EVENT_FREEZE))
                session->may_hold = true;
        if (row->event == EVENT_FREEZE)
                session->window_end = monotonic_us() + window_us(writer, &session->info);
        if (row->event & (EVENT_PREPARE_BACKUP | EVENT_POST_SNAPSHOT))
                session->has_copies = row->event == EVENT_POST_SNAPSHOT;
}

static int close_window(struct vss_writer *writer, struct writer_session *session,
                        const struct event_row *row, struct wire_result *result) {
        /* who vetoes Freeze but says true is frozen all the same, and gets its Thaw (B-44, B-79) */
        bool rejected = row->event == EVENT_FREEZE ? result->fatal : is_rejected(result);

        session->state = rejected ? row->rejected : row->to;
        if (row->event == EVENT_ABORT || (row->event == EVENT_THAW && !result->fatal))
                session->window_end = 0;
        if (row->event &
            (EVENT_ABORT | EVENT_POST_SNAPSHOT | EVENT_BACKUP_COMPLETE | EVENT_BACKUP_SHUTDOWN))
                session->may_hold = false;
        if (row->event == EVENT_FREEZE && session->window_end <= monotonic_us()) {
                expire_session(writer, session);
                return timeout_result(writer, result);
        }
        return 0;
}

/* ---- documents ---- */

static int load_components(struct vss_writer *writer, const struct event_row *row, int document,
                           struct vss_writer_components **ret, struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        size_t size;
        int r;

        if (document < 0 || row->components == COMPONENT_EVENT_NONE)
                return 0;
        r = memfd_read(document, VSS_DOCUMENT_SIZE_MAX, &xml, &size);
        if (r < 0)
                return vss_fail(reterr, r,
                                "the components of writer '%s' are no readable sealed document",
                                writer->ops.name);
        r = writer_components_load(xml, size, NULL, writer->described, ret, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "the components of writer '%s'", writer->ops.name);
        writer_components_set_event(*ret, row->components);
        return 0;
}

static int save_components(struct vss_writer_components *components, int *ret,
                           struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        size_t size;
        int r;

        if (!components)
                return 0;
        writer_components_set_event(components, COMPONENT_EVENT_NONE);
        if (!writer_components_is_changed(components))
                return 0;
        r = writer_components_save(components, &xml, &size, reterr);
        if (r < 0)
                return r;
        *ret = memfd_new_sealed("vss-components", xml, size);
        return *ret < 0 ? vss_fail(reterr, *ret, "cannot write the components into memory") : 0;
}

static void copy_words(const struct vss_component *from, struct vss_component *to) {
        const char *pre = vss_component_get_pre_restore_failure_msg(from),
                   *post = vss_component_get_post_restore_failure_msg(from), *message;
        int32_t failure, application;

        if (pre)
                (void)vss_component_set_pre_restore_failure_msg(to, pre);
        if (post)
                (void)vss_component_set_post_restore_failure_msg(to, post);
        (void)vss_component_get_failure(from, &failure, &application, &message);
        if (failure)
                (void)vss_component_set_failure(to, failure, application, message);
}

/* keep_words() - R-115: of what a handler that failed has written only its words are kept; in a
 * backup nothing at all is (B-84) */
static void keep_words(struct vss_writer *writer, const struct event_row *row, int document,
                       struct vss_writer_components **components) {
        struct vss_writer_components *fresh = NULL;
        size_t count;

        if (!*components || !(row->event & (EVENT_PRE_RESTORE | EVENT_POST_RESTORE)) ||
            load_components(writer, row, document, &fresh, NULL) < 0)
                return;
        count = vss_writer_components_get_component_count(*components);
        for (size_t i = 0; i < count; i++)
                copy_words(vss_writer_components_get_component(*components, i),
                           vss_writer_components_get_component(fresh, i));
        writer_components_free(*components);
        *components = fresh;
}

/* ---- events of a session ---- */

static int check_order(struct vss_writer *writer, const struct writer_session *session,
                       const struct event_row *row, struct vss_error *reterr) {
        char id[VSS_ID_TEXT_SIZE];

        if (session->state & row->from)
                return 0;
        return vss_fail(reterr, VSS_E_BAD_STATE,
                        "%s is not expected by writer '%s' in session %s now", row->member,
                        writer->ops.name, vss_id_format(&session->id, id));
}

static int run_row(struct vss_writer *writer, struct writer_session *session,
                   const struct event_row *row, int document, int *ret_document,
                   struct wire_result *result, struct vss_error *reterr) {
        _cleanup_(writer_components_freep) struct vss_writer_components *components = NULL;
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct writer_call call = {
                .writer = writer, .event = row->event, .session = session, .session_id = session->id
        };
        int r = load_components(writer, row, document, &components, reterr);

        if (r < 0)
                return r;
        open_window(writer, session, row);
        writer_enter(&call);
        if ((writer->event_flags & row->subscription) && !session->info.quiet)
                r = row->run(writer, components, &words);
        writer_leave(&call);
        if (r < 0 || (call.failure && call.failure != VSS_E_WRITERERROR_PARTIAL_FAILURE))
                keep_words(writer, row, document, &components);
        if (r >= 0)
                r = save_components(components, ret_document, &words);
        else
                (void)save_components(components, ret_document, NULL); /* B-84 is not ours */
        fill_result(&call, r, &words, result);
        clear_call(&call);
        if (row->event & (EVENT_PRE_RESTORE | EVENT_POST_RESTORE)) {
                writer_components_free(session->restoring);
                session->restoring = row->event == EVENT_PRE_RESTORE ? take(components) : NULL;
        }
        return close_window(writer, session, row, result);
}

static int session_event(struct vss_writer *writer, const struct event_row *row,
                         const struct vss_id *session_id, int document, sd_bus_message *info,
                         int *ret_document, struct wire_result *result, struct vss_error *reterr) {
        struct writer_session *session;
        int r = writer_get_session(writer, session_id, &session);

        if (r < 0)
                return vss_fail(reterr, r, "no memory for a session of writer '%s'",
                                writer->ops.name);
        r = wire_read(info, &wire_info, &session->info);
        if (r < 0)
                return vss_fail(reterr, r, "%s for writer '%s' is malformed", row->member,
                                writer->ops.name);
        if (row->event == EVENT_THAW && session->state == SESSION_EXPIRED)
                return timeout_result(writer, result); /* the writer hears nothing (B-55) */
        r = check_order(writer, session, row, reterr);
        if (r < 0)
                return r;
        r = run_row(writer, session, row, document, ret_document, result, reterr);
        if (row->event & (EVENT_BACKUP_SHUTDOWN | EVENT_POST_RESTORE))
                writer_end_session(writer, session);
        return r;
}

/* ---- Identify and Undo: without a session, at any time (B-74) ---- */

static void remember_description(struct vss_writer *writer, const char *xml, size_t size) {
        vss_examine_writer_metadata_free(writer->described);
        writer->described = NULL;
        (void)vss_examine_writer_metadata_create(xml, size, &writer->described, NULL);
}

static int finish_metadata(struct vss_writer *writer, struct vss_create_writer_metadata *metadata,
                           int *ret_document, struct wire_result *result,
                           struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        uint32_t flags, dropped = 0;
        size_t size;
        int r = create_writer_metadata_finish(metadata, &dropped, &xml, &size, reterr);

        if (r < 0)
                return r;
        *ret_document = memfd_new_sealed("vss-writer-metadata", xml, size);
        if (*ret_document < 0)
                return vss_fail(reterr, *ret_document, "cannot write the metadata into memory");
        remember_description(writer, xml, size);
        flags = create_writer_metadata_component_flags(metadata);
        /* W-10: what is deleted from a copy asks for one that can be written */
        result->autorecover =
                flags & VSS_CF_BACKUP_RECOVERY ||
                (writer->described &&
                 vss_examine_writer_metadata_get_exclude_from_snapshot_count(writer->described));
        result->rollback_recovery = flags & VSS_CF_APP_ROLLBACK_RECOVERY;
        result->parallel_restores =
                writer->described &&
                vss_examine_writer_metadata_get_backup_schema(writer->described) &
                        VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES;
        if (dropped && asprintf(&result->message,
                                "writer '%s' declares schema bits 0x%x that its components do "
                                "not bear; they are left out",
                                writer->ops.name, dropped) < 0)
                result->message = NULL;
        return 0;
}

static int identify(struct vss_writer *writer, const struct vss_id *session_id, int *ret_document,
                    struct wire_result *result, struct vss_error *reterr) {
        _cleanup_(create_writer_metadata_freep) struct vss_create_writer_metadata *metadata = NULL;
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct vss_writer_identity identity = { .instance_id = writer->instance_id,
                                                .writer_id = writer->ops.id,
                                                .name = writer->ops.name,
                                                .instance_name = writer->instance_name,
                                                .usage = writer->ops.usage,
                                                .source = writer->ops.source,
                                                .version_major = writer->ops.version_major,
                                                .version_minor = writer->ops.version_minor };
        struct writer_call call = { .writer = writer,
                                    .event = EVENT_IDENTIFY,
                                    .session_id = *session_id };
        int r = create_writer_metadata_new(&identity, false, &metadata, reterr);

        if (r < 0)
                return vss_wrap(reterr, r, "writer '%s'", writer->ops.name);
        writer_enter(&call);
        r = writer->ops.identify(writer, metadata, &words);
        writer_leave(&call);
        if (r >= 0)
                r = finish_metadata(writer, metadata, ret_document, result, &words);
        if (r < 0)
                fill_result(&call, r, &words, result);
        clear_call(&call);
        return 0;
}

static int undo(struct vss_writer *writer, const struct vss_id *session_id, sd_bus_message *m,
                struct wire_result *result, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct writer_call call = { .writer = writer,
                                    .event = EVENT_UNDO,
                                    .session_id = *session_id };
        struct wire_info info = { 0 };
        int r;

        if (!writer->ops.undo)
                return vss_fail(reterr, E_NOTIMPL, "writer '%s' has no operation 'undo'",
                                writer->ops.name);
        r = wire_read(m, &wire_info, &info);
        if (r < 0)
                return vss_fail(reterr, r, "Undo for writer '%s' is malformed", writer->ops.name);
        writer_enter(&call);
        r = writer->ops.undo(writer, info.token.data, info.token.size, &words);
        writer_leave(&call);
        fill_result(&call, r, &words, result);
        clear_call(&call);
        wire_clear(&wire_info, &info);
        return 0;
}

int writer_event(struct vss_writer *writer, const char *member, const struct vss_id *session_id,
                 int document, sd_bus_message *info, int *ret_document, struct wire_result *result,
                 struct vss_error *reterr) {
        const struct event_row *row;

        if (!writer->loaded)
                return vss_fail(reterr, VSS_E_BAD_STATE, "writer '%s' is not loaded yet",
                                writer->ops.name);
        (void)writer_expire(writer);
        if (strcmp(member, "Identify") == 0)
                return identify(writer, session_id, ret_document, result, reterr);
        if (strcmp(member, "Undo") == 0)
                return undo(writer, session_id, info, result, reterr);
        row = find_row(member);
        if (!row)
                return vss_fail(reterr, E_NOTIMPL, "writers know no event '%s'", member);
        return session_event(writer, row, session_id, document, info, ret_document, result, reterr);
}

/* ---- the end ---- */

/* last_event() - one that nobody sends any more and nobody hears the answer of */
static void last_event(struct vss_writer *writer, struct writer_session *session,
                       enum writer_event event, runner_t run) {
        _cleanup_error_ struct vss_error words = VSS_ERROR_INIT;
        struct writer_call call = {
                .writer = writer, .event = event, .session = session, .session_id = session->id
        };

        writer_enter(&call);
        (void)run(writer, session->restoring, &words);
        writer_leave(&call);
        clear_call(&call);
}

/* as if the requester had gone; no component has a status, and who is off line comes back */
static void end_restore(struct vss_writer *writer, struct writer_session *session) {
        if (session->restoring)
                writer_components_set_event(session->restoring, COMPONENT_EVENT_POST_RESTORE);
        if (writer->event_flags & VSS_SM_RESTORE_EVENTS_FLAG)
                last_event(writer, session, EVENT_POST_RESTORE, run_post_restore);
}

void writer_abandon(struct vss_writer *writer) {
        while (writer->sessions) {
                struct writer_session *session = writer->sessions;

                if (session->may_hold)
                        call_abort(writer, session);
                if (!session->has_copies)
                        session->info.set_id = (struct vss_id){ 0 };
                if (session->state == SESSION_RESTORING)
                        end_restore(writer, session);
                else if (!(session->state & (SESSION_NEW | SESSION_RESTORED)))
                        last_event(writer, session, EVENT_BACKUP_SHUTDOWN, run_backup_shutdown);
                writer_end_session(writer, session);
        }
}
