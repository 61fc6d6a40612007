/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inside.h - struct vss_backup_components from inside: one backup or restore of a requester.
 *
 * connection.c reaches the service, async.c waits for long calls, backup.c and restore.c hold the
 * order of calls, writers.c and components.c the documents, fragments.c their way to the writers
 * and back, snapshots.c, cursor.c and volumes.c the rest. One thread.
 */
#ifndef REQUESTER_INSIDE_H
#define REQUESTER_INSIDE_H

#include <stdarg.h>

#include "base/process.h"
#include "bus/names.h"
#include "bus/wire.h"
#include "documents/components-document.h"
#include "vss/requester.h"

/* What a restore object may do is a table over these; a backup has a history instead. */
enum bc_state {
        STATE_CREATED = 1 << 0,
        STATE_BACKUP = 1 << 1, /* initialized for backup; see the flags */
        STATE_RESTORE = 1 << 2, /* I: initialized for restore */
        STATE_RESTORE_GATHERED = 1 << 3, /* G */
        STATE_RESTORE_COPYING = 1 << 4, /* C: PreRestore has finished */
        STATE_RESTORE_DONE = 1 << 5, /* D: PostRestore has finished */
        STATE_ANY_RESTORE =
                STATE_RESTORE | STATE_RESTORE_GATHERED | STATE_RESTORE_COPYING | STATE_RESTORE_DONE,
        STATE_INITIALIZED = STATE_BACKUP | STATE_ANY_RESTORE
};

enum operation_kind {
        OPERATION_GATHER,
        OPERATION_STATUS,
        OPERATION_PREPARE,
        OPERATION_SNAPSHOT,
        OPERATION_COMPLETE,
        OPERATION_PRE_RESTORE,
        OPERATION_POST_RESTORE
};

/* A long call. Held by the object while it runs, and by the caller until vss_async_free(). */
struct vss_async {
        unsigned references;
        struct vss_backup_components *bc; /* NULL when the object is gone */
        enum operation_kind kind;
        char *path; /* of the operation object */
        bool completed; /* the service said so; what follows here is still to be done */
        int code; /* VSS_S_ASYNC_PENDING until it is over */
        char *words;
        char *warnings; /* found before it began; told with its success */
};

/* A writer that answered Identify */
struct gathered {
        struct wire_identity identity;
        struct vss_examine_writer_metadata *metadata;
        struct vss_id stored_instance; /* restore: whose part of the document it gets */
        char *spoiled; /* words why its components cannot succeed, or NULL */
        uint32_t spoiled_state; /* enum vss_writer_state */
};

struct id_list {
        struct vss_id *ids;
        size_t count, capacity;
};

struct vss_backup_components {
        sd_bus *bus;
        sd_bus_slot *operations, *owner; /* signal matches */
        struct process service; /* a private vssd, or none */
        char *service_name; /* unique name on a bus, NULL on a socket */
        char *session; /* object path */
        bool lost; /* the service has ended */
        char *lost_words;

        vss_progress_t progress;
        void *progress_data;

        enum bc_state state;
        struct bcd *bcd;
        uint32_t context;
        bool context_set, state_set, restore_state_set;
        bool gathered_once, metadata_ready; /* GatherWriterMetadata called; its answer is here */
        bool set_started, prepare_called, snapshot_called, snapshot_failed, complete_called;

        struct id_list enabled, disabled, disabled_instances;
        bool some_enabled; /* EnableWriterClasses was called: a list of the enabled (B-31) */
        struct gathered *writers;
        size_t writer_count, writer_capacity;
        bool metadata_freed;
        struct wire_records status; /* of wire_status */
        bool status_ready;
        struct vss_async *running; /* at most one (B-130) */
        char *warnings; /* all that were told, one per line, or NULL */
        char *unlogged; /* what the service's log does not have yet */
};

/* ---- connection.c ---- */
int bc_connect(struct vss_backup_components *bc, const struct vss_connection *connection,
               struct vss_error *reterr);

/* bc_open_session() - on a bus or socket that is connected: listen, and be a backup */
int bc_open_session(struct vss_backup_components *bc, struct vss_error *reterr);
int bc_create_session(struct vss_backup_components *bc, bool restore, struct vss_error *reterr);
void bc_disconnect(struct vss_backup_components *bc);

/* bc_new_call() - a message to the session, or with @path and @interface to another object */
int bc_new_call(struct vss_backup_components *bc, const char *member, sd_bus_message **ret,
                struct vss_error *reterr);
int bc_new_call_to(struct vss_backup_components *bc, const char *path, const char *interface,
                   const char *member, sd_bus_message **ret, struct vss_error *reterr);

/* bc_send() - append the empty options, call, wait for the answer as long as the service lives.
 * @built: result of building @m; a failure is reported in its stead. @ret may be NULL */
int bc_send(struct vss_backup_components *bc, sd_bus_message *m, int built, sd_bus_message **ret,
            struct vss_error *reterr);

/* bc_send_complete() - the same for a message that has its options already */
int bc_send_complete(struct vss_backup_components *bc, sd_bus_message *m, int built,
                     sd_bus_message **ret, struct vss_error *reterr);

/* bc_call() - the same for a method with basic arguments, or none: "" */
int bc_call(struct vss_backup_components *bc, const char *member, sd_bus_message **ret,
            struct vss_error *reterr, const char *types, ...);

/* bc_each_document() - what @member, GetWriterMetadata or GetWriterComponents, tells of each
 * writer:
 * @take_one reads one struct of @contents. It says in @warnings what it leaves out. */
typedef int (*bc_take_t)(struct vss_backup_components *bc, sd_bus_message *m, void *userdata,
                         struct vss_error *warnings);
int bc_each_document(struct vss_backup_components *bc, const char *member, const char *contents,
                     bc_take_t take_one, void *userdata, struct vss_error *reterr);

/* bc_malformed() - words for an answer that does not fit the protocol */
int bc_malformed(const char *member, int r, struct vss_error *reterr);

/* bc_process() - take in what has arrived; 0, or the code of a lost service */
int bc_process(struct vss_backup_components *bc, struct vss_error *reterr);

/* bc_wait() - the same, after waiting for something at most @timeout_us */
int bc_wait(struct vss_backup_components *bc, uint64_t timeout_us, struct vss_error *reterr);

/* bc_lost() - the service has ended: remember and say so */
int bc_lost(struct vss_backup_components *bc, struct vss_error *reterr);

/* ---- requester.c ---- */

/* bc_check() - VSS_E_BAD_STATE when @call is not allowed: in this state, or while a long call runs
 * (B-130); VSS_E_UNEXPECTED when the service is gone */
int bc_check(struct vss_backup_components *bc, unsigned states, const char *call,
             struct vss_error *reterr);

/* ---- async.c ---- */

/* bc_begin() - take the operation out of @reply (or NULL: it is over at once) */
int bc_begin(struct vss_backup_components *bc, enum operation_kind kind, sd_bus_message *reply,
             struct vss_async **ret, struct vss_error *reterr);

/* bc_start() - call a method that hands out an operation, and begin it */
int bc_start(struct vss_backup_components *bc, enum operation_kind kind, const char *member,
             struct vss_async **ret, struct vss_error *reterr);
int bc_on_operation(sd_bus_message *m, void *bc, sd_bus_error *e); /* handler of its signals */
void bc_forget_running(struct vss_backup_components *bc);
int bc_lost_code(enum operation_kind kind); /* of an operation whose service has ended */

/* ---- what is left to do when an operation has succeeded; words of a warning in @reterr ---- */
int bc_take_metadata(struct vss_backup_components *bc, struct vss_error *reterr);
int bc_take_status(struct vss_backup_components *bc, struct vss_error *reterr);
int bc_take_fragments(struct vss_backup_components *bc, enum component_event event,
                      uint32_t spoiled_state, struct vss_error *reterr);

/* ---- writers.c ---- */
struct gathered *bc_find_writer(struct vss_backup_components *bc, const struct vss_id *instance);
bool bc_find_declared(const struct gathered *writer, const char *logical_path, const char *name,
                      size_t *ret_index);
bool bc_declares(const struct gathered *writer, const char *logical_path, const char *name);
void bc_free_writers(struct vss_backup_components *bc);
void bc_spoil(struct gathered *writer, uint32_t state, const char *words);

/* ---- participants.c ---- */

/* A component of the document, and what its writer was called then */
struct wanted {
        const struct vss_id *class_id;
        const char *instance_name; /* NULL is no name */
        const char *logical_path, *name;
        bool tell; /* into the service's log, when there was a choice */
};

/* bc_find_living() - R-30: the instance of the class that stands for it; NULL when none runs.
 * bc_find_by_key() - the same for a component, also one that is not in the document */
struct gathered *bc_find_living(struct vss_backup_components *bc, const struct wanted *wanted);
struct gathered *bc_find_by_key(struct vss_backup_components *bc,
                                const struct vss_component_key *key);

/* bc_choose_restoring() - does a living writer hear of this event (@post: PostRestore) for @part?
 * Return: 1 and *ret, 0, VSS_E_OBJECT_NOT_FOUND; warnings in @words */
int bc_choose_restoring(struct vss_backup_components *bc, struct vss_writer_components *part,
                        bool post, struct gathered **ret, struct vss_error *words);

/* ---- warnings.c ---- */

struct warned {
        struct vss_backup_components *bc;
        struct vss_error *words;
};

/* bc_warn() - a call succeeds with words (code 0) in @reterr; bc_note() - only the log gets them */
void bc_warn(struct vss_backup_components *bc, struct vss_error *reterr, const char *format, ...)
        VSS_PRINTF(3, 4);
void bc_note(struct vss_backup_components *bc, const char *format, ...) VSS_PRINTF(2, 3);
void bc_free_warnings(struct vss_backup_components *bc);

/* ---- fragments.c ---- */

/* bc_start_with_fragments() - bc_start() for a method whose first argument is a(sh) */
int bc_start_with_fragments(struct vss_backup_components *bc, enum operation_kind kind,
                            const char *member, struct vss_async **ret, struct vss_error *reterr);

#endif
