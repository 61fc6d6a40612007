/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ports.h - what the coordinator asks of the outside, and the records that cross that line.
 *
 * The coordinator decides and nothing else: who speaks D-Bus, keeps files, waits and starts
 * processes implements these ops. No function of a port blocks and none calls back into the
 * coordinator: an answer comes later, through coordinator_answer(), from the event loop. Every
 * pointer handed to a port is lent until the function returns. Documents are descriptors that the
 * coordinator hands on and never reads.
 */
#ifndef COORDINATOR_PORTS_H
#define COORDINATOR_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"
#include "vss/provider.h"
#include "vss/types.h"

struct operation;
struct session;

/* ---- calls: what participants are asked ---- */

enum party_kind {
        PARTY_WRITER,
        PARTY_PROVIDER,
        PARTY_HOLD, /* vss-hold */
        PARTY_KIND_COUNT
};

/* Each verb bears the name that bus, library, plug-in and manual use; verb_name() spells it. */
enum verb {
        VERB_LOAD, /* start the program unless it runs, configure, load; answers its identity */

        VERB_IDENTIFY,
        VERB_PREPARE_BACKUP,
        VERB_PREPARE_SNAPSHOT,
        VERB_FREEZE,
        VERB_THAW,
        VERB_POST_SNAPSHOT,
        VERB_ABORT,
        VERB_BACKUP_COMPLETE,
        VERB_BACKUP_SHUTDOWN,
        VERB_UNDO,
        VERB_PRE_RESTORE,
        VERB_POST_RESTORE,

        VERB_IS_VOLUME_SUPPORTED,
        VERB_BEGIN_PREPARE_SNAPSHOT,
        VERB_END_PREPARE_SNAPSHOTS,
        VERB_PRE_COMMIT_SNAPSHOTS,
        VERB_COMMIT_SNAPSHOTS,
        VERB_POST_COMMIT_SNAPSHOTS,
        VERB_PRE_FINAL_COMMIT_SNAPSHOTS,
        VERB_POST_FINAL_COMMIT_SNAPSHOTS,
        VERB_ABORT_SNAPSHOTS,
        VERB_GET_SNAPSHOT_PROPERTIES,
        VERB_QUERY,
        VERB_DELETE_SNAPSHOTS,
        VERB_SET_SNAPSHOT_PROPERTY,
        VERB_KEEP_REFERENCE,
        VERB_RELEASE_REFERENCE,
        VERB_QUERY_CHANGES,

        VERB_HOLD_PREPARE, /* open and check what set->copies with VSS_HOLD_FREEZE will need */
        VERB_HOLD_SYNC, /* one round of syncfs on every volume of the set, nothing held (S-26) */
        VERB_HOLD_FREEZE, /* freeze the volumes with VSS_HOLD_FREEZE */
        VERB_HOLD_RELEASE, /* thaw whatever this set holds, also when some freeze still runs;
                            * must reach the guardian of a dead vss-hold too; idempotent */
        VERB_COUNT
};

const char *verb_name(enum verb verb); /* "post_snapshot" */

/* One volume of a set. Strings and arrays live as long as the set. */
struct copy {
        struct vss_id snapshot_id;
        struct vss_volume volume;
        const char *const *paths; /* what will be read; NULL-terminated; empty: all of it */
        uint32_t hold; /* enum vss_hold that its provider promised */
        uint32_t instant; /* enum vss_instant */
        const char *device; /* root of the copy, from GetSnapshotProperties; "" before */
        void *provider_peer;
};

struct set_view {
        struct vss_id set_id;
        uint32_t context; /* enum vss_snapshot_context, attributes or-ed in, AUTORECOVER too */
        uint32_t instant; /* what writers are told: the weakest promise of the set */
        const struct copy *copies;
        size_t n_copies;
};

/* What one participant is asked: a verb and the arguments that concern it, the rest zero. */
struct call {
        enum verb verb;
        uint64_t deadline_us; /* absolute, of ports' clock; the coordinator itself watches it */
        struct vss_id session_id; /* writers */
        const struct set_view *set; /* writers (NULL before StartSnapshotSet), providers, hold */
        int document; /* writers: their part of the components document, or -1; lent.
                       * QUERY_CHANGES: the pipe to write to; nobody here reads what goes through */

        /* info for writers */
        uint32_t backup_type;
        uint32_t restore_type;
        uint32_t level;
        uint32_t freeze_timeout_ms; /* the writer's own window, never above the service's */
        bool select_components;
        bool bootable_system_state;
        bool partial_files;
        bool snapshot_follows;
        bool quiet; /* POST_RESTORE: the restore is over, and the writer is not to hear of it
                     */
        struct vss_id instance_id;
        const void *token; /* VERB_UNDO */
        size_t token_size;

        /* arguments for providers */
        uint32_t context; /* IS_VOLUME_SUPPORTED, BEGIN_PREPARE_SNAPSHOT */
        const struct vss_volume *volume; /* both */
        const char *const *paths; /* BEGIN_PREPARE_SNAPSHOT; never NULL */
        struct vss_id set_id; /* BEGIN_PREPARE … ABORT; also when set is NULL (an earlier life) */
        struct vss_id snapshot_id; /* BEGIN_PREPARE, GET_PROPERTIES, DELETE, SET_PROPERTY,
                                    * KEEP_REFERENCE, QUERY_CHANGES */
        struct vss_id reference_id; /* RELEASE_REFERENCE, QUERY_CHANGES */
        uint32_t count; /* POST_COMMIT_SNAPSHOTS */
        uint32_t type; /* DELETE: enum vss_object_type */
        bool force; /* DELETE */
        uint32_t property; /* SET_SNAPSHOT_PROPERTY */
        const char *value;
};

struct writer_identity {
        struct vss_id writer_id;
        struct vss_id instance_id;
        const char *instance_name; /* never NULL */
        const char *name;
        uint32_t usage, source, level;
        uint32_t freeze_timeout_ms; /* 0 means the service's */
        uint32_t version_major, version_minor;
        uint32_t process; /* of a writer that has registered, if known; else 0 */
};

/*
 * What came back. result 0: the fields of the verb hold. result < 0: an answer that is an error:
 * for providers the code that they returned, for writers "the runtime broke" (a veto is a result
 * 0 with failure or fatal set), for all -ECONNRESET when the peer is gone.
 */
struct answer {
        int result;
        const char *message; /* words with result < 0, or a writer's own; may be NULL */

        const struct writer_identity *writer; /* VERB_LOAD */
        const struct vss_provider_prop *provider; /* VERB_LOAD */

        int document; /* writers: taken when >= 0. Set it to -1 when there is none! */
        bool fatal; /* the handler returned a failure (B-80, B-81) */
        int32_t failure; /* VSS_E_WRITERERROR_*, 0 none */
        int32_t application_failure;
        const void *undo; /* token that the handler deposited */
        size_t undo_size;
        bool autorecover; /* IDENTIFY: a component asks for a writable copy (S-51) */
        bool rollback_recovery; /* IDENTIFY: likewise, for rollback contexts only */
        bool parallel_restores; /* IDENTIFY: several restores of it may run at once */

        bool supported; /* IS_VOLUME_SUPPORTED; message says why not */
        uint32_t hold, instant, attributes;
        const struct vss_snapshot_prop *snapshots; /* GET_SNAPSHOT_PROPERTIES: one; QUERY: all */
        size_t n_snapshots;
        struct vss_id reference_id; /* KEEP_REFERENCE */
        uint32_t deleted; /* DELETE_SNAPSHOTS */
        struct vss_id not_deleted;
};

#define ANSWER_INIT ((struct answer){ .document = -1 })

/* ---- ports ---- */

struct clock_ops {
        uint64_t (*now_us)(void *userdata); /* monotonic */
        vss_timestamp_t (*timestamp)(void *userdata); /* wall clock, for S-33 */
        /* One timer: call coordinator_run_timers() at @at_us or soon after; UINT64_MAX disarms. A
         * later call replaces it. @at_us may be in the past: "from the event loop, now". */
        void (*arm)(void *userdata, uint64_t at_us);
};

struct party_ops {
        /* Send @call to @peer; its answer comes with @ticket. Negative: it could not be sent, and
         * no answer will come. A peer that does not run is started by VERB_LOAD only. */
        int (*call)(void *userdata, enum party_kind kind, void *peer, uint64_t ticket,
                    const struct call *call);
        /* The answer to @ticket is not wanted any more (it may still come, and is dropped). */
        void (*forget)(void *userdata, uint64_t ticket);
        /* End a hosted process, or drop the connection of a program that registered itself. No
         * coordinator_party_died() follows; the next VERB_LOAD starts a hosted one afresh. */
        void (*kill)(void *userdata, enum party_kind kind, void *peer);
        /* The coordinator has removed the party and forgotten @peer. May be NULL. */
        void (*gone)(void *userdata, enum party_kind kind, void *peer);
        /* A document that the coordinator owned is not needed any more. */
        void (*drop_document)(void *userdata, int document);
};

/* What must be known after a crash: written whole before the deed that it tells about. */
struct set_record {
        struct vss_id set_id;
        struct vss_id session_id;
        uint32_t context;
        bool created; /* the CREATED mark: the set was published */
        bool reached_writers; /* PrepareForBackup or PrepareForSnapshot was sent */
        const struct record_copy {
                struct vss_id snapshot_id;
                struct vss_id provider_id;
                const char *provider; /* name under which the roster has it */
                const char *volume; /* struct vss_volume.id */
                const char *mount_point;
                bool hold; /* vss-hold may freeze it */
        } * copies;
        size_t n_copies;
        const struct record_undo {
                struct vss_id writer_id;
                const char *writer; /* name under which the roster has it; "" when it registered */
                const char *instance_name;
                const void *token;
                size_t token_size;
        } * undos; /* deposited and not yet answered by thaw or abort */
        size_t n_undos;
};

struct record_ops {
        /* Atomic; before the deed. Never called between the first freeze and the last release. */
        int (*write)(void *userdata, const struct set_record *record, struct vss_error *reterr);
        int (*remove)(void *userdata, const struct vss_id *set_id, uint32_t context,
                      struct vss_error *reterr);
        /* Is there a record of this set that belongs to another service which still runs? Never
         * called while something is held either */
        bool (*is_elsewhere)(void *userdata, const struct vss_id *set_id, uint32_t context);
};

/* S-13: one creation per machine, over all coordinators. */
struct slot_ops {
        /* 0, or VSS_E_SNAPSHOT_SET_IN_PROGRESS with words that say who holds it */
        int (*acquire)(void *userdata, const struct vss_id *session_id, struct vss_error *reterr);
        void (*release)(void *userdata);
};

/* The numbers are those of syslog. */
enum log_level { WORDS_ERROR = 3, WORDS_WARNING = 4, WORDS_NOTICE = 5, WORDS_DEBUG = 7 };

struct log_record {
        enum log_level level;
        struct vss_id session_id; /* null when it concerns none */
        struct vss_id set_id;
        const char *phase; /* "" when outside of one */
        const char *who; /* name of the participant, or "" */
        const char *message;
        struct vss_id writer_id, instance_id; /* of a writer that rejected an event (B-161) */
        int code; /* and how; 0: no such thing happened */
};

/*
 * Out. Between the first freeze and the last thaw none of these is called: what happened meanwhile
 * comes right after (S-30).
 */
struct notice_ops {
        void (*progress)(void *userdata, struct operation *operation, const char *phase,
                         const char *who);
        /* Always after the call that made @operation has returned. */
        void (*completed)(void *userdata, struct operation *operation, int code, const char *words);
        void (*log)(void *userdata, const struct log_record *record);
};

struct ports {
        void *userdata; /* first parameter of every op */
        const struct clock_ops *clock;
        const struct party_ops *party;
        const struct record_ops *records;
        const struct slot_ops *slot;
        const struct notice_ops *notice;
};

#endif
