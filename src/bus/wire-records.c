/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire-records.c - the dictionaries of docs/protocol.md as tables. A key that is added there is
 * one line here.
 */
#include "bus/wire.h"

#define FIELD(struct_, member, key_, type_)                                                        \
        { .key = (key_), .type = (type_), .offset = offsetof(struct_, member) }
#define TEXT(struct_, member, key_, type_)                                                         \
        { .key = (key_), .type = (type_), .offset = offsetof(struct_, member), .never_null = true }
#define NESTED(struct_, member, key_, type_, table)                                                \
        { .key = (key_), .type = (type_), .offset = offsetof(struct_, member), .record = &(table) }

#define F(member, key, type) FIELD(struct vss_volume, member, key, type)
#define T(member, key, type) TEXT(struct vss_volume, member, key, type)
static const struct wire_field volume_fields[] = {
        T(id, "id", WIRE_STRING),
        T(mount_point, "mount-point", WIRE_PATH),
        T(device, "device", WIRE_PATH),
        T(fs_type, "fs-type", WIRE_STRING),
        T(fs_uuid, "fs-uuid", WIRE_STRING),
        T(subvolume, "subvolume", WIRE_PATH),
        F(mount_id, "mount-id", WIRE_U64),
        F(dev_major, "dev-major", WIRE_U32),
        F(dev_minor, "dev-minor", WIRE_U32),
        F(read_only, "read-only", WIRE_BOOL32),
        { 0 },
};
const struct wire_table wire_volume = { sizeof(struct vss_volume), volume_fields };
#undef F
#undef T

#define F(member, key, type) FIELD(struct vss_snapshot_prop, member, key, type)
#define T(member, key, type) TEXT(struct vss_snapshot_prop, member, key, type)
static const struct wire_field snapshot_fields[] = {
        F(snapshot_id, "snapshot-id", WIRE_ID),
        F(snapshot_set_id, "set-id", WIRE_ID),
        F(snapshots_count, "count", WIRE_I32),
        T(device_object, "device-object", WIRE_PATH),
        T(original_volume, "original-volume", WIRE_STRING),
        T(original_mount, "original-mount", WIRE_PATH),
        T(originating_machine, "originating-machine", WIRE_STRING),
        T(service_machine, "service-machine", WIRE_STRING),
        F(exposed_name, "exposed-name", WIRE_PATH),
        F(exposed_path, "exposed-path", WIRE_PATH),
        F(provider_id, "provider-id", WIRE_ID),
        F(attributes, "attributes", WIRE_U32),
        F(instant, "instant", WIRE_U32),
        F(creation_timestamp, "created", WIRE_I64),
        F(status, "status", WIRE_U32),
        { 0 },
};
const struct wire_table wire_snapshot = { sizeof(struct vss_snapshot_prop), snapshot_fields };
#undef F
#undef T

#define F(member, key, type) FIELD(struct vss_provider_prop, member, key, type)
#define T(member, key, type) TEXT(struct vss_provider_prop, member, key, type)
static const struct wire_field provider_fields[] = {
        F(provider_id, "provider-id", WIRE_ID),
        T(name, "name", WIRE_STRING),
        T(title, "title", WIRE_STRING),
        T(version, "version", WIRE_STRING),
        F(version_id, "version-id", WIRE_ID),
        F(kind, "kind", WIRE_U32),
        { 0 },
};
const struct wire_table wire_provider = { sizeof(struct vss_provider_prop), provider_fields };
#undef F
#undef T

/* One dictionary on the wire: the volume's keys and two more. */
#define V(member, key, type) TEXT(struct wire_candidate, volume.member, key, type)
#define F(member, key, type) FIELD(struct wire_candidate, member, key, type)
static const struct wire_field candidate_fields[] = {
        V(id, "id", WIRE_STRING),
        V(mount_point, "mount-point", WIRE_PATH),
        V(device, "device", WIRE_PATH),
        V(fs_type, "fs-type", WIRE_STRING),
        V(fs_uuid, "fs-uuid", WIRE_STRING),
        V(subvolume, "subvolume", WIRE_PATH),
        F(volume.mount_id, "mount-id", WIRE_U64),
        F(volume.dev_major, "dev-major", WIRE_U32),
        F(volume.dev_minor, "dev-minor", WIRE_U32),
        F(volume.read_only, "read-only", WIRE_BOOL32),
        F(provider, "provider", WIRE_STRING),
        F(refusal, "refusal", WIRE_STRING),
        { 0 },
};
const struct wire_table wire_candidate = { sizeof(struct wire_candidate), candidate_fields };
#undef V
#undef F

static const struct wire_field restore_option_fields[] = {
        FIELD(struct wire_restore_options, warnings, "warnings", WIRE_STRING),
        { 0 },
};
const struct wire_table wire_restore_options = { sizeof(struct wire_restore_options),
                                                 restore_option_fields };

#define F(member, key, type) FIELD(struct wire_path_question, member, key, type)
static const struct wire_field path_question_fields[] = {
        TEXT(struct wire_path_question, path, "path", WIRE_PATH),
        F(below, "below", WIRE_BOOL),
        { 0 },
};
const struct wire_table wire_path_question = { sizeof(struct wire_path_question),
                                               path_question_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_resolved, member, key, type)
static const struct wire_field resolved_fields[] = {
        F(error, "error", WIRE_STRING),
        F(words, "words", WIRE_STRING),
        { "volumes", WIRE_RECORDS, offsetof(struct wire_resolved, volumes), false,
          &wire_candidate },
        { 0 },
};
const struct wire_table wire_resolved = { sizeof(struct wire_resolved), resolved_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_identity, member, key, type)
#define T(member, key, type) TEXT(struct wire_identity, member, key, type)
static const struct wire_field identity_fields[] = {
        F(writer_id, "writer-id", WIRE_ID),
        F(instance_id, "instance-id", WIRE_ID),
        T(instance_name, "instance-name", WIRE_STRING),
        T(name, "name", WIRE_STRING),
        F(usage, "usage", WIRE_U32),
        F(source, "source", WIRE_U32),
        F(level, "level", WIRE_U32),
        F(freeze_timeout_ms, "freeze-timeout-ms", WIRE_U32),
        F(version_major, "version-major", WIRE_U32),
        F(version_minor, "version-minor", WIRE_U32),
        { 0 },
};
const struct wire_table wire_identity = { sizeof(struct wire_identity), identity_fields };
#undef F
#undef T

#define F(member, key, type) FIELD(struct wire_info, member, key, type)
static const struct wire_field info_fields[] = {
        F(backup_type, "backup-type", WIRE_U32),
        F(restore_type, "restore-type", WIRE_U32),
        F(select_components, "select-components", WIRE_BOOL),
        F(bootable_system_state, "bootable-system-state", WIRE_BOOL),
        F(partial_files, "partial-files", WIRE_BOOL),
        F(snapshot_follows, "snapshot-follows", WIRE_BOOL),
        F(quiet, "quiet", WIRE_BOOL),
        F(context, "context", WIRE_U32),
        F(instant, "instant", WIRE_U32),
        F(level, "level", WIRE_U32),
        F(freeze_timeout_ms, "freeze-timeout-ms", WIRE_U32),
        F(set_id, "set-id", WIRE_ID),
        F(instance_id, "instance-id", WIRE_ID),
        F(volumes, "volumes", WIRE_PATHS),
        F(devices, "devices", WIRE_PATHS),
        F(token, "token", WIRE_BYTES),
        { 0 },
};
const struct wire_table wire_info = { sizeof(struct wire_info), info_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_result, member, key, type)
static const struct wire_field result_fields[] = {
        F(failure, "failure", WIRE_I32),
        F(application_failure, "application-failure", WIRE_I32),
        F(message, "message", WIRE_STRING),
        F(fatal, "fatal", WIRE_BOOL),
        F(autorecover, "autorecover", WIRE_BOOL),
        F(rollback_recovery, "rollback-recovery", WIRE_BOOL),
        F(parallel_restores, "parallel-restores", WIRE_BOOL),
        F(undo, "undo", WIRE_BYTES),
        { 0 },
};
const struct wire_table wire_result = { sizeof(struct wire_result), result_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_status, member, key, type)
static const struct wire_field status_fields[] = {
        F(instance_id, "instance-id", WIRE_ID),
        F(writer_id, "writer-id", WIRE_ID),
        TEXT(struct wire_status, name, "name", WIRE_STRING),
        F(state, "state", WIRE_U32),
        F(failure, "failure", WIRE_I32),
        F(application_failure, "application-failure", WIRE_I32),
        TEXT(struct wire_status, message, "message", WIRE_STRING),
        F(process, "process-id", WIRE_U32),
        { 0 },
};
const struct wire_table wire_status = { sizeof(struct wire_status), status_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_request, member, key, type)
static const struct wire_field request_fields[] = {
        F(settings, "settings", WIRE_PAIRS),
        F(set_id, "set-id", WIRE_ID),
        F(snapshot_id, "snapshot-id", WIRE_ID),
        F(context, "context", WIRE_U32),
        NESTED(struct wire_request, volume, "volume", WIRE_RECORD, wire_volume),
        F(paths, "paths", WIRE_PATHS),
        F(count, "count", WIRE_U32),
        F(type, "type", WIRE_U32),
        F(force, "force", WIRE_BOOL),
        F(property, "property", WIRE_U32),
        F(value, "value", WIRE_STRING),
        F(reference_id, "reference-id", WIRE_ID),
        F(stream, "stream", WIRE_STREAM),
        { 0 },
};
const struct wire_table wire_request = { sizeof(struct wire_request), request_fields };
#undef F

#define F(member, key, type) FIELD(struct wire_answer, member, key, type)
static const struct wire_field answer_fields[] = {
        F(supported, "supported", WIRE_BOOL),
        F(refusal, "refusal", WIRE_STRING),
        F(hold, "hold", WIRE_U32),
        F(instant, "instant", WIRE_U32),
        F(attributes, "attributes", WIRE_U32),
        F(deleted, "deleted", WIRE_U32),
        F(nondeleted, "nondeleted", WIRE_ID),
        F(failure, "failure", WIRE_I32),
        F(message, "message", WIRE_STRING),
        NESTED(struct wire_answer, snapshots, "snapshots", WIRE_RECORDS, wire_snapshot),
        F(reference_id, "reference-id", WIRE_ID),
        { 0 },
};
const struct wire_table wire_answer = { sizeof(struct wire_answer), answer_fields };
#undef F
