/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - between C structs and D-Bus messages: dictionaries by table, errors both ways, and the
 * private connection. Knows the records of docs/protocol.md, not who sends them or why.
 *
 * A record is a struct and a table of its fields; the same table writes and reads it, so that both
 * ends cannot drift apart. Strings in a record that was read belong to it: wire_clear().
 */
#ifndef BUS_WIRE_H
#define BUS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "base/cleanup.h"
#include "vss/types.h"

enum wire_type {
        WIRE_U32, /* u  uint32_t */
        WIRE_I32, /* i  int32_t */
        WIRE_U64, /* t  uint64_t */
        WIRE_I64, /* x  int64_t */
        WIRE_BOOL, /* b  bool */
        WIRE_BOOL32, /* b  uint32_t, in public structs */
        WIRE_STRING, /* s  char *, not sent when NULL */
        WIRE_PATH, /* ay char *, bytes without a NUL, not sent when NULL */
        WIRE_PATHS, /* aay char **, NULL-terminated, not sent when NULL */
        WIRE_BYTES, /* ay struct wire_bytes, not sent when empty */
        WIRE_ID, /* s  struct vss_id, "" for null */
        WIRE_PAIRS, /* a(ss) char **: first, second, first, second, NULL */
        WIRE_STREAM, /* h  struct wire_stream, not sent unless given */
        WIRE_RECORD, /* a{sv} a struct inside the struct, described by .record */
        WIRE_RECORDS /* aa{sv} struct wire_records, described by .record */
};

struct wire_field {
        const char *key; /* NULL ends the table */
        enum wire_type type;
        size_t offset;
        bool never_null; /* a string that is "" when it was not sent */
        const struct wire_table *record; /* of WIRE_RECORD and WIRE_RECORDS */
};

struct wire_table {
        size_t size; /* of the struct */
        const struct wire_field *fields;
};

struct wire_bytes {
        void *data;
        size_t size;
};

/* A descriptor; of a record that was read it belongs to the record. */
struct wire_stream {
        bool given;
        int fd;
};

struct wire_records {
        void *items; /* of the record's type */
        size_t count;
};

/* wire_append() - @record as one a{sv}; 0 or negative errno, as all below */
int wire_append(sd_bus_message *m, const struct wire_table *table, const void *record);

/* wire_read() - one a{sv} into @record, which is all zero or a valid record before (what is not
 * sent stays). Unknown keys are ignored; -EBADMSG when a known key has another type, a path holds a
 * NUL byte, or an id is none. On failure @record is cleared */
int wire_read(sd_bus_message *m, const struct wire_table *table, void *record);

/* wire_clear() - release what a record owns, and zero it */
void wire_clear(const struct wire_table *table, void *record);

/* The same for aa{sv}. */
int wire_append_records(sd_bus_message *m, const struct wire_table *table,
                        const struct wire_records *records);
int wire_read_records(sd_bus_message *m, const struct wire_table *table, struct wire_records *ret);
void wire_clear_records(const struct wire_table *table, struct wire_records *records);

/* wire_append_options() - the empty a{sv} at the end of every method */
int wire_append_options(sd_bus_message *m);

/* Single values outside of dictionaries. */
int wire_append_id(sd_bus_message *m, const struct vss_id *id);
int wire_read_id(sd_bus_message *m, struct vss_id *ret);
int wire_append_path(sd_bus_message *m, const char *path);
int wire_read_path(sd_bus_message *m, char **ret); /* the caller frees it */
int wire_append_paths(sd_bus_message *m, const char *const *paths);
int wire_read_paths(sd_bus_message *m, char ***ret); /* wire_free_strings() */
void wire_free_strings(char **strings);

/* ---- the records ---- */

extern const struct wire_table wire_volume; /* struct vss_volume; wire_read leaves no string NULL */
extern const struct wire_table
        wire_snapshot; /* struct vss_snapshot_prop, likewise but for exposed_* */
extern const struct wire_table wire_provider; /* struct vss_provider_prop: Load's answer, Query */

/* A volume and what would become of it: ListVolumes, ResolvePath */
struct wire_candidate {
        struct vss_volume volume;
        char *provider; /* NULL when refused */
        char *refusal;
};
extern const struct wire_table wire_candidate;

/* PreRestore, PostRestore: what the requester's side noted, one per line, for the log */
struct wire_restore_options {
        char *warnings;
};
extern const struct wire_table wire_restore_options;

/* ResolvePaths: a path, and what is said of it */
struct wire_path_question {
        char *path;
        bool below;
};
extern const struct wire_table wire_path_question;
struct wire_resolved {
        char *error; /* name of a failure, NULL when there is none */
        char *words;
        struct wire_records volumes; /* of wire_candidate */
};
extern const struct wire_table wire_resolved;

/* What a writer says of itself: Load's answer, RegisterWriter, GetWriterMetadata */
struct wire_identity {
        struct vss_id writer_id;
        struct vss_id instance_id;
        char *instance_name;
        char *name;
        uint32_t usage, source, level, freeze_timeout_ms;
        uint32_t version_major, version_minor;
};
extern const struct wire_table wire_identity;

/* Info of a writer's event */
struct wire_info {
        uint32_t backup_type, restore_type;
        bool select_components, bootable_system_state, partial_files, snapshot_follows, quiet;
        uint32_t context, instant, level, freeze_timeout_ms;
        struct vss_id set_id, instance_id;
        char **volumes;
        char **devices;
        struct wire_bytes token;
};
extern const struct wire_table wire_info;

/* Result of a writer's event */
struct wire_result {
        int32_t failure, application_failure;
        char *message;
        bool fatal;
        bool autorecover, rollback_recovery, parallel_restores;
        struct wire_bytes undo;
};
extern const struct wire_table wire_result;

/* GetWriterStatus */
struct wire_status {
        struct vss_id instance_id, writer_id;
        char *name;
        uint32_t state;
        int32_t failure, application_failure;
        char *message;
        uint32_t process;
};
extern const struct wire_table wire_status;

/* Question to a provider, all methods */
struct wire_request {
        char **settings; /* Configure: pairs */
        struct vss_id set_id, snapshot_id;
        uint32_t context;
        struct vss_volume volume;
        char **paths;
        uint32_t count, type;
        bool force;
        uint32_t property;
        char *value;
        struct vss_id reference_id;
        struct wire_stream stream; /* QueryChanges */
};
extern const struct wire_table wire_request;

/* Answer of a provider: all methods but Load (wire_provider) and GetSnapshotProperties
 * (wire_snapshot) */
struct wire_answer {
        bool supported;
        char *refusal;
        uint32_t hold, instant, attributes;
        uint32_t deleted; /* DeleteSnapshots */
        struct vss_id nondeleted;
        int32_t failure; /* why @nondeleted could not be deleted */
        char *message;
        struct wire_records snapshots; /* Query: of wire_snapshot */
        struct vss_id reference_id; /* KeepReference */
};
extern const struct wire_table wire_answer;

/* ---- errors ---- */

/* wire_set_error() - fill the bus error of a method handler from our code and words.
 * @error may be NULL or without words. Return: negative errno for the handler to return */
int wire_set_error(sd_bus_error *ret, int code, const struct vss_error *error);

/* wire_words() - @words as D-Bus can carry them: names in them are bytes, a string must be UTF-8.
 * What is none becomes "?"; the caller frees it; NULL when out of memory */
char *wire_words(const char *words);

/* wire_get_error() - our code and words from a bus error. Names that are not ours become errno
 * values, an error without a name E_UNEXPECTED. Return: the code, always negative */
int wire_get_error(const sd_bus_error *error, struct vss_error *reterr);

/* wire_error_code() - the code of a bare error name ("org.vss1.Error..."); 0 for "" */
int wire_error_code(const char *name);

/* wire_error_name() - the opposite, into @buffer; "" for codes that are no failure */
#define WIRE_ERROR_NAME_SIZE 96
const char *wire_error_name(int code, char buffer[WIRE_ERROR_NAME_SIZE]);

/* ---- connections ---- */

/* wire_connect() - D-Bus over one end of a socket pair. vssd is always the server end.
 * @fd: taken, also on failure. Started, not processed */
int wire_connect(int fd, bool server, sd_bus **ret);

#define _cleanup_bus_ _cleanup_(sd_bus_close_unrefp)
#define _cleanup_message_ _cleanup_(sd_bus_message_unrefp)
#define _cleanup_slot_ _cleanup_(sd_bus_slot_unrefp)
#define _cleanup_bus_error_ _cleanup_(sd_bus_error_free)

/* wire_open_bus() - as a client; @address NULL is the system bus. 0 or negative errno */
int wire_open_bus(const char *address, sd_bus **ret);

#endif
