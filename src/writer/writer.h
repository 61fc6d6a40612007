/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.h - the writer's runtime from inside: one writer, its sessions, the event it is in.
 *
 * writer.c makes it and checks the ops, ask.c answers what handlers ask, session.c remembers,
 * events.c runs handlers, serve.c and subscribe.c bring the events. One thread does all of it.
 */
#ifndef WRITER_WRITER_H
#define WRITER_WRITER_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "bus/wire.h"
#include "documents/components-document.h"
#include "vss/writer.h"

/* what the writer is being told; a bit each, so that rules are masks */
enum writer_event {
        EVENT_NONE = 0,
        EVENT_IDENTIFY = 1 << 0,
        EVENT_PREPARE_BACKUP = 1 << 1,
        EVENT_PREPARE_SNAPSHOT = 1 << 2,
        EVENT_FREEZE = 1 << 3,
        EVENT_THAW = 1 << 4,
        EVENT_POST_SNAPSHOT = 1 << 5,
        EVENT_ABORT = 1 << 6,
        EVENT_BACKUP_COMPLETE = 1 << 7,
        EVENT_BACKUP_SHUTDOWN = 1 << 8,
        EVENT_PRE_RESTORE = 1 << 9,
        EVENT_POST_RESTORE = 1 << 10,
        EVENT_UNDO = 1 << 11,
        EVENT_LIFE = 1 << 12 /* configure, load, unload */
};

/* how far a session has come; a bit each */
enum session_state {
        SESSION_NEW = 1 << 0,
        SESSION_PREPARED = 1 << 1, /* PrepareBackup done */
        SESSION_WAITING_FREEZE = 1 << 2, /* PrepareSnapshot done */
        SESSION_FROZEN = 1 << 3,
        SESSION_THAWED = 1 << 4,
        SESSION_SNAPSHOT_DONE = 1 << 5, /* PostSnapshot done */
        SESSION_COMPLETE = 1 << 6,
        SESSION_FAILED = 1 << 7, /* an event was rejected: Abort and BackupShutdown only (B-86) */
        SESSION_ABORTED = 1 << 8,
        SESSION_EXPIRED = 1 << 9, /* the window ran out and abort was called (B-55) */
        SESSION_RESTORING = 1 << 10, /* PreRestore done, whatever came of it */
        SESSION_RESTORED = 1 << 11
};

struct writer_session {
        struct writer_session *next;
        struct vss_id id;
        enum session_state state;
        bool may_hold; /* something was prepared that abort or PostSnapshot undo */
        bool has_copies; /* PostSnapshot came: BackupShutdown names the set (B-138) */
        uint64_t window_end; /* monotonic µs; 0 when the application is surely not frozen */
        struct wire_info info; /* what the coordinator told last */
        struct vss_writer_components *restoring; /* of PreRestore, for a PostRestore that does not
                                                  * come; owned, or NULL */
};

/* one event, while its handler runs */
struct writer_call {
        struct vss_writer *writer;
        enum writer_event event;
        struct writer_session *session; /* NULL in Identify, Undo and life */
        struct vss_id session_id;
        int failure, application;
        char *message;
        struct wire_bytes undo;
};

/* an event that waits until the writer is not frozen any more */
struct deferred {
        struct deferred *next;
        sd_bus_message *message;
};

struct vss_writer {
        struct vss_writer_ops ops; /* a copy; what the plug-in's smaller struct lacks is NULL */
        const struct vss_writer_ops *given; /* a plug-in's own, whose identity load may change */
        void *data;
        struct vss_id instance_id;
        char *instance_name;
        bool loaded;
        bool shutting_down;
        uint32_t event_flags; /* enum vss_subscribe_mask */
        struct writer_session *sessions;
        struct vss_examine_writer_metadata *described; /* what identify said last, or NULL */

        sd_bus *bus;
        bool on_bus; /* a program on a bus, as opposed to a socket of its own */
        char *service; /* unique name of the only one that may send events, on a bus */
        struct deferred *deferred, **deferred_end;
};

/* writer.c */
int writer_new(const struct vss_writer_ops *ops, struct vss_writer **ret, struct vss_error *reterr);
int writer_configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr);
int writer_load(struct vss_writer *writer, const struct vss_id *instance, const char *instance_name,
                struct vss_error *reterr);
void writer_get_identity(struct vss_writer *writer, struct wire_identity *ret); /* lends strings */

/* session.c */
struct writer_session *writer_find_session(struct vss_writer *writer, const struct vss_id *id);
int writer_get_session(struct vss_writer *writer, const struct vss_id *id,
                       struct writer_session **ret);
void writer_end_session(struct vss_writer *writer, struct writer_session *session);

/* the session, at most one, for which the application is or may be frozen */
struct writer_session *writer_frozen_session(struct vss_writer *writer);

/* events.c */

/* writer_event() - run what @member names for a session
 * @document: lent descriptor, -1 for none; @info: message before the a{sv}
 * @ret_document: descriptor of the answer, -1 for none; @result: empty; wire_clear() it
 *
 * Return: 0, also when the writer vetoes; negative when the call itself was wrong */
int writer_event(struct vss_writer *writer, const char *member, const struct vss_id *session_id,
                 int document, sd_bus_message *info, int *ret_document, struct wire_result *result,
                 struct vss_error *reterr);

/* writer_expire() - if a window is over: abort; returns µs until the next one ends, or UINT64_MAX
 */
uint64_t writer_expire(struct vss_writer *writer);

/* writer_abandon() - nobody will send events any more: undo whatever is held, end all sessions */
void writer_abandon(struct vss_writer *writer);

/* the call whose handler runs on this thread, or NULL (B-72) */
struct writer_call *writer_current_call(const struct vss_writer *writer);
void writer_enter(struct writer_call *call);
void writer_leave(struct writer_call *call);

/* one of VSS_E_WRITERERROR_*? */
bool writer_is_failure_code(int code);

/* serve.c */

/* writer_serve() - put the object on writer->bus */
int writer_serve(struct vss_writer *writer, struct vss_error *reterr);

/* writer_serve_for() - handle events until @timeout_us is over or @stop_fd (or -1) is readable.
 * Return: 1 something was handled, 0 nothing, -EINTR for @stop_fd, else the connection is lost */
int writer_serve_for(struct vss_writer *writer, int stop_fd, uint64_t timeout_us);
void writer_disconnect(struct vss_writer *writer);

#endif
