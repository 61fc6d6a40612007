/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * participant-message.c - the coordinator's calls as messages of org.vss1.Writer and
 * org.vss1.Provider, and their answers back. docs/protocol.md names the keys.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "bus/names.h"
#include "bus/participant.h"

static const char *const members[VERB_COUNT] = {
        [VERB_LOAD] = "Load",
        [VERB_IDENTIFY] = "Identify",
        [VERB_PREPARE_BACKUP] = "PrepareBackup",
        [VERB_PREPARE_SNAPSHOT] = "PrepareSnapshot",
        [VERB_FREEZE] = "Freeze",
        [VERB_THAW] = "Thaw",
        [VERB_POST_SNAPSHOT] = "PostSnapshot",
        [VERB_ABORT] = "Abort",
        [VERB_BACKUP_COMPLETE] = "BackupComplete",
        [VERB_BACKUP_SHUTDOWN] = "BackupShutdown",
        [VERB_UNDO] = "Undo",
        [VERB_PRE_RESTORE] = "PreRestore",
        [VERB_POST_RESTORE] = "PostRestore",
        [VERB_IS_VOLUME_SUPPORTED] = "IsVolumeSupported",
        [VERB_BEGIN_PREPARE_SNAPSHOT] = "BeginPrepareSnapshot",
        [VERB_END_PREPARE_SNAPSHOTS] = "EndPrepareSnapshots",
        [VERB_PRE_COMMIT_SNAPSHOTS] = "PreCommitSnapshots",
        [VERB_COMMIT_SNAPSHOTS] = "CommitSnapshots",
        [VERB_POST_COMMIT_SNAPSHOTS] = "PostCommitSnapshots",
        [VERB_PRE_FINAL_COMMIT_SNAPSHOTS] = "PreFinalCommitSnapshots",
        [VERB_POST_FINAL_COMMIT_SNAPSHOTS] = "PostFinalCommitSnapshots",
        [VERB_ABORT_SNAPSHOTS] = "AbortSnapshots",
        [VERB_GET_SNAPSHOT_PROPERTIES] = "GetSnapshotProperties",
        [VERB_QUERY] = "Query",
        [VERB_DELETE_SNAPSHOTS] = "DeleteSnapshots",
        [VERB_SET_SNAPSHOT_PROPERTY] = "SetSnapshotProperty",
        [VERB_KEEP_REFERENCE] = "KeepReference",
        [VERB_RELEASE_REFERENCE] = "ReleaseReference",
        [VERB_QUERY_CHANGES] = "QueryChanges",
};

static int new_call(struct participant *to, const char *interface, enum verb verb,
                    sd_bus_message **ret) {
        if (!members[verb])
                return -EOPNOTSUPP;
        return sd_bus_message_new_method_call(to->bus, ret, to->destination, to->path, interface,
                                              members[verb]);
}

/* Arrays of strings that a record lends: cleanup frees the array, not the strings. */
static char **lend_mount_points(const struct set_view *set) {
        char **list = calloc(set->n_copies + 1, sizeof(*list));

        for (size_t i = 0; list && i < set->n_copies; i++)
                list[i] = (char *)(uintptr_t)set->copies[i].volume.mount_point;
        return list;
}

static char **lend_devices(const struct set_view *set) {
        char **list = calloc(set->n_copies + 1, sizeof(*list));

        for (size_t i = 0; list && i < set->n_copies; i++)
                list[i] = (char *)(uintptr_t)set->copies[i].device;
        return list;
}

/* ---- writers ---- */

static int append_documents(sd_bus_message *m, int document) {
        int r = sd_bus_message_open_container(m, 'a', "h");

        if (r >= 0 && document >= 0)
                r = sd_bus_message_append_basic(m, 'h', &document);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_info(sd_bus_message *m, const struct call *call) {
        struct wire_info info = {
                .backup_type = call->backup_type,
                .restore_type = call->restore_type,
                .select_components = call->select_components,
                .bootable_system_state = call->bootable_system_state,
                .partial_files = call->partial_files,
                .snapshot_follows = call->snapshot_follows,
                .quiet = call->quiet,
                .level = call->level,
                .freeze_timeout_ms = call->freeze_timeout_ms,
                .instance_id = call->instance_id,
                .token = { (void *)(uintptr_t)call->token, call->token_size },
        };
        _cleanup_free_ char **volumes = NULL, **devices = NULL;

        if (call->set) {
                /* B-138: at the end the id of a set that came into being, or none */
                info.set_id = call->verb == VERB_BACKUP_SHUTDOWN ? call->set_id : call->set->set_id;
                info.context = call->set->context;
                info.instant = call->set->instant;
                info.volumes = volumes = lend_mount_points(call->set);
                if (call->verb == VERB_POST_SNAPSHOT)
                        info.devices = devices = lend_devices(call->set);
                if (!volumes || (call->verb == VERB_POST_SNAPSHOT && !devices))
                        return -ENOMEM;
        }
        return wire_append(m, &wire_info, &info);
}

static int compose_load(struct participant *to, sd_bus_message *m) {
        struct wire_identity options = { .instance_name = to->program->instance_name };

        participant_hosted_id(to->name, &options.instance_id);
        return wire_append(m, &wire_identity, &options);
}

int writer_compose(struct participant *to, const struct call *call, sd_bus_message **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = new_call(to, VSS_WRITER_INTERFACE, call->verb, &m);

        if (r < 0)
                return r;
        if (call->verb == VERB_LOAD)
                r = compose_load(to, m);
        else {
                r = wire_append_id(m, &call->session_id);
                if (r >= 0)
                        r = append_documents(m, call->document);
                if (r >= 0)
                        r = append_info(m, call);
        }
        if (r < 0)
                return r;
        *ret = take(m);
        return 0;
}

static int deliver_identity(struct server *server, uint64_t ticket, sd_bus_message *reply) {
        struct wire_identity w = { 0 };
        int r = wire_read(reply, &wire_identity, &w);
        struct writer_identity identity = {
                .writer_id = w.writer_id,
                .instance_id = w.instance_id,
                .instance_name = w.instance_name ? w.instance_name : "",
                .name = w.name ? w.name : "",
                .usage = w.usage,
                .source = w.source,
                .level = w.level,
                .freeze_timeout_ms = w.freeze_timeout_ms,
                .version_major = w.version_major,
                .version_minor = w.version_minor,
        };
        struct answer answer = ANSWER_INIT;

        if (r < 0)
                return r;
        answer.writer = &identity;
        coordinator_answer(server->coordinator, ticket, &answer);
        wire_clear(&wire_identity, &w);
        return 0;
}

/* A document is believed only when nobody can change it any more; it is not read here. */
static int take_document(sd_bus_message *m, int *ret) {
        uint64_t size;
        int fd, r = sd_bus_message_enter_container(m, 'a', "h");

        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r > 0) {
                r = memfd_check(fd, VSS_DOCUMENT_SIZE_MAX, &size);
                if (r < 0)
                        return r;
                *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                if (*ret < 0)
                        return -errno;
                r = sd_bus_message_at_end(m, 0);
                if (r == 0)
                        return -EBADMSG;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int writer_deliver(struct server *server, enum verb verb, uint64_t ticket, sd_bus_message *reply) {
        struct answer answer = ANSWER_INIT;
        struct wire_result result = { 0 };
        int r;

        if (verb == VERB_LOAD)
                return deliver_identity(server, ticket, reply);
        r = take_document(reply, &answer.document);
        if (r >= 0)
                r = wire_read(reply, &wire_result, &result);
        if (r < 0) {
                if (answer.document >= 0)
                        close(answer.document);
                return r;
        }
        answer.message = result.message;
        answer.fatal = result.fatal;
        answer.failure = result.failure;
        answer.application_failure = result.application_failure;
        answer.undo = result.undo.data;
        answer.undo_size = result.undo.size;
        answer.autorecover = result.autorecover;
        answer.rollback_recovery = result.rollback_recovery;
        answer.parallel_restores = result.parallel_restores;
        coordinator_answer(server->coordinator, ticket, &answer);
        wire_clear(&wire_result, &result);
        return 0;
}

/* ---- providers ---- */

int provider_compose(struct participant *to, const struct call *call, sd_bus_message **ret) {
        _cleanup_message_ sd_bus_message *m = NULL;
        struct wire_request request = {
                .set_id = call->set_id,
                .snapshot_id = call->snapshot_id,
                .context = call->context,
                .paths = (char **)(uintptr_t)call->paths,
                .count = call->count,
                .type = call->type,
                .force = call->force,
                .property = call->property,
                .value = (char *)(uintptr_t)call->value,
                .reference_id = call->reference_id,
                .stream = { call->verb == VERB_QUERY_CHANGES, call->document },
        };
        int r = new_call(to, VSS_PROVIDER_INTERFACE, call->verb, &m);

        if (r < 0)
                return r;
        if (call->volume)
                request.volume = *call->volume;
        r = wire_append(m, &wire_request, &request);
        if (r < 0)
                return r;
        *ret = take(m);
        return 0;
}

static int deliver_provider(struct server *server, uint64_t ticket, sd_bus_message *reply) {
        struct vss_provider_prop prop = { 0 };
        struct answer answer = ANSWER_INIT;
        int r = wire_read(reply, &wire_provider, &prop);

        if (r < 0)
                return r;
        answer.provider = &prop;
        coordinator_answer(server->coordinator, ticket, &answer);
        wire_clear(&wire_provider, &prop);
        return 0;
}

static int deliver_snapshot(struct server *server, uint64_t ticket, sd_bus_message *reply) {
        struct vss_snapshot_prop prop = { 0 };
        struct answer answer = ANSWER_INIT;
        int r = wire_read(reply, &wire_snapshot, &prop);

        if (r < 0)
                return r;
        answer.snapshots = &prop;
        answer.n_snapshots = 1;
        coordinator_answer(server->coordinator, ticket, &answer);
        wire_clear(&wire_snapshot, &prop);
        return 0;
}

int provider_deliver(struct server *server, enum verb verb, uint64_t ticket,
                     sd_bus_message *reply) {
        struct answer answer = ANSWER_INIT;
        struct wire_answer w = { 0 };
        int r;

        if (verb == VERB_LOAD)
                return deliver_provider(server, ticket, reply);
        if (verb == VERB_GET_SNAPSHOT_PROPERTIES)
                return deliver_snapshot(server, ticket, reply);
        r = wire_read(reply, &wire_answer, &w);
        if (r < 0)
                return r;
        answer.supported = w.supported;
        answer.message = w.refusal ? w.refusal : w.message;
        answer.hold = w.hold;
        answer.instant = w.instant;
        answer.attributes = w.attributes;
        answer.snapshots = w.snapshots.items;
        answer.n_snapshots = w.snapshots.count;
        answer.deleted = w.deleted;
        answer.not_deleted = w.nondeleted;
        answer.reference_id = w.reference_id;
        if (w.failure < 0)
                answer.result = w.failure;
        coordinator_answer(server->coordinator, ticket, &answer);
        wire_clear(&wire_answer, &w);
        return 0;
}
