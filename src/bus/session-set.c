/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-set.c - the members of org.vss1.Session that concern volumes and copies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "bus/late-reply.h"
#include "bus/session-object.h"
#include "bus/wire.h"

int method_start_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
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
        struct late_reply *late = late_reply_new(q->m, q->add ? fill_id : fill_supported);
        int r;

        if (!late)
                return -ENOMEM;
        r = check_paths(q, volume, reterr);
        if (r >= 0 && q->add)
                r = session_add_to_snapshot_set(o->session, volume, &q->provider_id,
                                                (const char *const *)q->paths, late_reply_send,
                                                late, reterr);
        else if (r >= 0)
                r = session_is_volume_supported(o->session, volume, &q->provider_id,
                                                late_reply_send, late, reterr);
        if (r < 0)
                late_reply_free(late);
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

static void on_volume(void *userdata, size_t question, int code, const struct vss_error *error,
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
                r = server_probe(o->server, &(struct probe_question){ "name", q->volume }, 1,
                                 on_volume, q);
        if (r >= 0)
                return 1;
        volume_question_free(q);
        return wire_set_error(reterr, r, &error);
}

int method_is_volume_supported(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return ask_volume(m, userdata, false, reterr);
}

int method_add_to_snapshot_set(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        return ask_volume(m, userdata, true, reterr);
}

int method_abort_backup(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct session_object *o = userdata;
        struct late_reply *late = late_reply_new(m, NULL);

        if (!late)
                return -ENOMEM;
        return late_reply_begun(late,
                                session_abort_backup(o->session, late_reply_send, late, &error),
                                &error, reterr);
}

int method_get_set_timing(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
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

int method_get_snapshot_properties(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, fill_properties);
        struct session_object *o = userdata;
        struct vss_id id;
        int r = late ? wire_read_id(m, &id) : -ENOMEM;

        if (r >= 0)
                r = session_get_snapshot_properties(o->session, &id, late_reply_send, late, &error);
        return late_reply_begun(late, r, &error, reterr);
}

static int fill_objects(sd_bus_message *reply, const struct reply *answer) {
        struct wire_records snapshots = { (void *)(uintptr_t)answer->snapshots,
                                          answer->n_snapshots };
        struct wire_records providers = { (void *)(uintptr_t)answer->providers,
                                          answer->n_providers };

        return answer->n_providers > 0 ? wire_append_records(reply, &wire_provider, &providers)
                                       : wire_append_records(reply, &wire_snapshot, &snapshots);
}

int method_query(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, fill_objects);
        struct session_object *o = userdata;
        uint32_t type;
        int r = late ? sd_bus_message_read(m, "u", &type) : -ENOMEM;

        if (r >= 0)
                r = session_query(o->session, type, late_reply_send, late, &error);
        return late_reply_begun(late, r, &error, reterr);
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

int method_delete_snapshots(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, fill_deleted);
        struct session_object *o = userdata;
        struct vss_id id;
        uint32_t type;
        int force, r = late ? wire_read_id(m, &id) : -ENOMEM;

        if (r >= 0)
                r = sd_bus_message_read(m, "ub", &type, &force);
        if (r >= 0) {
                late->fill_failure = true;
                r = session_delete_snapshots(o->session, &id, type, force, late_reply_send, late,
                                             &error);
        }
        return late_reply_begun(late, r, &error, reterr);
}

/* ---- change knowledge ---- */

int method_keep_reference(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, fill_id);
        struct session_object *o = userdata;
        struct vss_id id;
        int r = late ? wire_read_id(m, &id) : -ENOMEM;

        if (r >= 0)
                r = session_keep_reference(o->session, &id, late_reply_send, late, &error);
        return late_reply_begun(late, r, &error, reterr);
}

int method_release_reference(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, NULL);
        struct session_object *o = userdata;
        struct vss_id provider, reference;
        int r = late ? wire_read_id(m, &provider) : -ENOMEM;

        if (r >= 0)
                r = wire_read_id(m, &reference);
        if (r >= 0)
                r = session_release_reference(o->session, &provider, &reference, late_reply_send,
                                              late, &error);
        return late_reply_begun(late, r, &error, reterr);
}

int method_query_changes(sd_bus_message *m, void *userdata, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct late_reply *late = late_reply_new(m, NULL);
        struct session_object *o = userdata;
        struct vss_id snapshot, reference;
        int stream, r = late ? wire_read_id(m, &snapshot) : -ENOMEM;

        if (r >= 0)
                r = wire_read_id(m, &reference);
        if (r >= 0)
                r = sd_bus_message_read_basic(m, 'h', &stream);
        if (r >= 0)
                r = session_query_changes(o->session, &snapshot, &reference, stream,
                                          late_reply_send, late, &error);
        return late_reply_begun(late, r, &error, reterr);
}
