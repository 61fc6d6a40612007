/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-backup.c - the requester's calls of a backup, one line of a script each (B-1 to B-21).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "betest.h"

#define CALL(verb)                                                                                 \
        static int call_##verb(struct run *run, const struct words *words, struct vss_error *reterr)

int finish(struct run *run, int r, struct vss_async *async, struct vss_error *reterr) {
        if (r < 0)
                return r;
        if (!run->want_async)
                return vss_async_finish(async, reterr);
        vss_async_free(run->async);
        run->async = async;
        return 0;
}

/* ---- beginning ---- */

void forget_object(struct run *run) {
        run->async = vss_async_free(run->async);
        run->bc = vss_backup_components_free(run->bc);
        for (size_t i = 0; i < run->copy_count; i++) {
                vss_free_snapshot_properties(&run->copies[i].prop);
                free(run->copies[i].volume);
        }
        memset(run->copies, 0, sizeof(run->copies));
        run->copy_count = 0;
        forget_chosen(run);
        run->is_restore = run->under_way = run->component_mode = false;
        memset(&run->set_id, 0, sizeof(run->set_id));
}

CALL(create) {
        forget_object(run);
        return vss_backup_components_create(&run->connection, &run->bc, reterr);
}

CALL(free) {
        forget_object(run);
        return 0;
}

CALL(initialize_for_backup) {
        _cleanup_free_ char *xml = NULL;
        int r = words->count ? read_text(words->items[0], &xml, reterr) : 0;

        return r < 0 ? r : vss_backup_components_initialize_for_backup(run->bc, xml, reterr);
}

/* an attribute may be added to a context: "backup plex" */
CALL(set_context) {
        static const struct word contexts[] = {
                { "backup", VSS_CTX_BACKUP },
                { "file_share_backup", VSS_CTX_FILE_SHARE_BACKUP },
                { "nas_rollback", VSS_CTX_NAS_ROLLBACK },
                { "app_rollback", VSS_CTX_APP_ROLLBACK },
                { "client_accessible", VSS_CTX_CLIENT_ACCESSIBLE },
                { "client_accessible_writers", VSS_CTX_CLIENT_ACCESSIBLE_WRITERS },
                { "all", VSS_CTX_ALL },
                { "plex", VSS_VOLSNAP_ATTR_PLEX },
                { "differential", VSS_VOLSNAP_ATTR_DIFFERENTIAL },
                { "transportable", VSS_VOLSNAP_ATTR_TRANSPORTABLE },
                { "no_autorecovery", VSS_VOLSNAP_ATTR_NO_AUTORECOVERY },
                { "rollback_recovery", VSS_VOLSNAP_ATTR_ROLLBACK_RECOVERY },
                { "txf_recovery", VSS_VOLSNAP_ATTR_TXF_RECOVERY },
                { NULL, 0 }
        };
        uint32_t context = 0;

        for (size_t i = 0; i < words->count; i++) {
                uint32_t bits;
                int r = word_value(contexts, words->items[i], &bits, reterr);

                if (r < 0)
                        return r;
                context |= bits;
        }
        return vss_backup_components_set_context(run->bc, context, reterr);
}

CALL(set_backup_state) {
        bool components = true, bootable = false, partial = false;
        uint32_t type;
        int r = word_value(backup_types, words->items[0], &type, reterr);

        for (size_t i = 1; r >= 0 && i < words->count; i++)
                if (strcmp(words->items[i], "no_components") == 0)
                        components = false;
                else if (strcmp(words->items[i], "bootable") == 0)
                        bootable = true;
                else if (strcmp(words->items[i], "partial") == 0)
                        partial = true;
                else
                        r = vss_fail(reterr, E_INVALIDARG,
                                     "'%s': known are no_components, bootable and partial",
                                     words->items[i]);
        if (r >= 0)
                r = vss_backup_components_set_backup_state(run->bc, components, bootable, type,
                                                           partial, reterr);
        if (r >= 0) {
                run->type = type;
                run->component_mode = components;
                run->partial = partial;
        }
        return r;
}

/* ---- writers ---- */

typedef int (*filter_t)(struct vss_backup_components *bc, const struct vss_id *ids, size_t count,
                        struct vss_error *reterr);

static int filter(struct run *run, const struct words *words, filter_t call,
                  struct vss_error *reterr) {
        struct vss_id ids[MAX_WORDS];

        for (size_t i = 0; i < words->count; i++) {
                int r = parse_id(words->items[i], &ids[i], reterr);

                if (r < 0)
                        return r;
        }
        return call(run->bc, ids, words->count, reterr);
}

CALL(enable_writer_classes) {
        return filter(run, words, vss_backup_components_enable_writer_classes, reterr);
}

CALL(disable_writer_classes) {
        return filter(run, words, vss_backup_components_disable_writer_classes, reterr);
}

CALL(disable_writer_instances) {
        return filter(run, words, vss_backup_components_disable_writer_instances, reterr);
}

CALL(gather_writer_metadata) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_gather_writer_metadata(run->bc, &async, reterr);

        return finish(run, r, async, reterr);
}

/* ---- components ---- */

CALL(add_component) {
        struct chosen chosen;
        int r = find_component(run, words->items[0], &chosen, reterr);

        if (r < 0)
                return r;
        r = vss_backup_components_add_component(run->bc, &chosen.instance, &chosen.key, reterr);
        if (r >= 0)
                return add_chosen(run, &chosen);
        chosen_done(&chosen);
        return r;
}

static int add_one(struct run *run, const struct vss_id *instance,
                   const struct vss_component_key *key, struct vss_error *reterr) {
        struct chosen chosen = { .instance = *instance, .key = *key };
        int r;

        chosen.key.name = strdup(key->name);
        chosen.key.logical_path = key->logical_path ? strdup(key->logical_path) : NULL;
        if (!chosen.key.name || (key->logical_path && !chosen.key.logical_path)) {
                chosen_done(&chosen);
                return -ENOMEM;
        }
        r = vss_backup_components_add_component(run->bc, instance, key, reterr);
        if (r >= 0)
                return add_chosen(run, &chosen);
        chosen_done(&chosen);
        return r;
}

CALL(add_components) {
        size_t before = run->chosen_count;
        int r = each_explicit(run, words->items, add_one, reterr);

        return r < 0 ? r : run->chosen_count == before ? S_FALSE : 0;
}

/* "COMPONENT TEXT|@FILE" */
static int with_text(struct run *run, const struct words *words,
                     int (*call)(struct vss_backup_components *, const struct vss_component_key *,
                                 const char *, struct vss_error *),
                     struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        struct chosen chosen;
        int r = read_text(words->items[1], &text, reterr);

        if (r >= 0)
                r = find_component(run, words->items[0], &chosen, reterr);
        if (r < 0)
                return r;
        r = call(run->bc, &chosen.key, text, reterr);
        chosen_done(&chosen);
        return r;
}

CALL(set_backup_options) {
        return with_text(run, words, vss_backup_components_set_backup_options, reterr);
}

CALL(set_previous_backup_stamp) {
        return with_text(run, words, vss_backup_components_set_previous_backup_stamp, reterr);
}

/* I-149, I-151: the stamps of the components that succeeded in the base */
CALL(set_previous_stamps) {
        struct vss_stored_backup_components *stored = NULL;
        _cleanup_free_ char *path = NULL, *xml = NULL;
        int r;

        if (asprintf(&path, "@%s", words->items[0]) < 0)
                return -ENOMEM;
        r = read_text(path, &xml, reterr);
        if (r >= 0)
                r = vss_stored_backup_components_load(xml, strlen(xml), &stored, reterr);
        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++) {
                const struct vss_component *base =
                        vss_stored_backup_components_find(stored, &run->chosen[i].key);
                const char *stamp = base && vss_component_get_backup_succeeded(base)
                                            ? vss_component_get_backup_stamp(base)
                                            : NULL;

                if (stamp)
                        r = vss_backup_components_set_previous_backup_stamp(
                                run->bc, &run->chosen[i].key, stamp, reterr);
        }
        vss_stored_backup_components_free(stored);
        return r;
}

CALL(set_backup_succeeded) {
        struct chosen chosen;
        bool succeeded;
        int r = parse_yes(words->items[1], &succeeded, reterr);

        if (r >= 0)
                r = find_component(run, words->items[0], &chosen, reterr);
        if (r < 0)
                return r;
        r = vss_backup_components_set_backup_succeeded(run->bc, &chosen.instance, &chosen.key,
                                                       succeeded, reterr);
        chosen_done(&chosen);
        return r;
}

/* has the writer of @chosen failed as a whole (B-116)? */
static bool writer_has_failed(struct run *run, const struct chosen *chosen) {
        size_t count = 0;

        (void)vss_backup_components_get_writer_status_count(run->bc, &count, NULL);
        for (size_t i = 0; i < count; i++) {
                struct vss_writer_status status;

                if (vss_backup_components_get_writer_status(run->bc, i, &status, NULL) >= 0 &&
                    vss_id_equal(&status.instance_id, &chosen->instance) &&
                    status.state >= VSS_WS_FAILED_AT_IDENTIFY)
                        return true;
        }
        return false;
}

/* what "copy" found, for all (B-153); without a copy they are good. Neither is one of which the
 * writer said that it failed (B-112), nor any of a writer that has failed */
CALL(set_succeeded) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_gather_writer_status(run->bc, &async, reterr);

        if (r >= 0)
                r = vss_async_finish(async, reterr);
        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++) {
                const struct chosen *c = &run->chosen[i];
                const struct vss_component *entry = entry_of(run, c);
                int32_t failure = 0;

                if (entry)
                        (void)vss_component_get_failure(entry, &failure, NULL, NULL);
                r = vss_backup_components_set_backup_succeeded(
                        run->bc, &c->instance, &c->key,
                        c->failed == 0 && failure >= 0 && !writer_has_failed(run, c), reterr);
        }
        return r;
}

/* ---- the shadow copy set ---- */

static int set_id_variable(struct run *run, const char *name, const struct vss_id *id) {
        char text[VSS_ID_TEXT_SIZE];

        return set_variable(run, name, vss_id_format(id, text));
}

CALL(start_snapshot_set) {
        int r = vss_backup_components_start_snapshot_set(run->bc, &run->set_id, reterr);

        return r < 0 ? r : set_id_variable(run, "VSS_SET_ID", &run->set_id);
}

int add_volume(struct run *run, const char *volume, const struct vss_id *provider,
               const char *const *paths, struct vss_error *reterr) {
        struct copy *copy = &run->copies[run->copy_count];
        struct vss_id id;
        char name[32];
        int r;

        r = vss_backup_components_add_to_snapshot_set(run->bc, volume, provider, paths, &id,
                                                      reterr);
        if (r < 0)
                return r;
        if (run->copy_count == MAX_COPIES)
                return vss_fail(reterr, VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                                "a set holds at most %d volumes", MAX_COPIES);
        copy->id = id;
        copy->volume = strdup(volume);
        if (!copy->volume)
                return -ENOMEM;
        run->copy_count++;
        snprintf(name, sizeof(name), "VSS_SNAPSHOT_%zu", run->copy_count);
        return set_id_variable(run, name, &id);
}

CALL(add_to_snapshot_set) {
        bool has_provider = words->count > 1 && *words->items[1] != '/';
        size_t first = has_provider ? 2 : 1;
        struct vss_id provider;
        int r = has_provider ? parse_id(words->items[1], &provider, reterr) : 0;

        return r < 0 ? r
                     : add_volume(run, words->items[0], has_provider ? &provider : NULL,
                                  words->count > first ? (const char *const *)&words->items[first]
                                                       : NULL,
                                  reterr);
}

CALL(is_volume_supported) {
        struct vss_error why = VSS_ERROR_INIT;
        bool supported = false;
        int r = vss_backup_components_is_volume_supported(run->bc, NULL, words->items[0],
                                                          &supported, &why);

        if (r >= 0) {
                say_begin("volume");
                say_text("volume", words->items[0]);
                say_bool("supported", supported);
                say_text("refusal", supported ? NULL : vss_error_message(&why));
                say_end();
        }
        vss_error_move(r < 0 ? reterr : NULL, &why);
        return r;
}

CALL(prepare_for_backup) {
        struct vss_async *async = NULL;
        struct vss_id session;
        int r = vss_backup_components_prepare_for_backup(run->bc, &async, reterr);

        run->under_way = run->under_way || r >= 0;
        session = vss_backup_components_get_session_id(run->bc);
        (void)set_id_variable(run, "VSS_SESSION_ID", &session);
        return finish(run, r, async, reterr);
}

CALL(do_snapshot_set) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_do_snapshot_set(run->bc, &async, reterr);

        r = finish(run, r, async, reterr);
        for (size_t i = 0; r >= 0 && !run->want_async && i < run->copy_count; i++) {
                struct copy *copy = &run->copies[i];
                char name[32];

                vss_free_snapshot_properties(&copy->prop);
                memset(&copy->prop, 0, sizeof(copy->prop));
                if (vss_backup_components_get_snapshot_properties(run->bc, &copy->id, &copy->prop,
                                                                  NULL) < 0)
                        continue; /* who wants to know asks */
                snprintf(name, sizeof(name), "VSS_DEVICE_%zu", i + 1);
                if (set_variable(run, name, copy->prop.device_object) < 0)
                        return -ENOMEM;
        }
        return r;
}

CALL(backup_complete) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_backup_complete(run->bc, &async, reterr);

        r = finish(run, r, async, reterr);
        run->under_way = run->under_way && r < 0;
        return r;
}

CALL(abort_backup) {
        int r = vss_backup_components_abort_backup(run->bc, reterr);

        run->under_way = run->under_way && r < 0;
        return r;
}

CALL(delete_snapshots) {
        bool set = words->count > 1 && strcmp(words->items[1], "set") == 0, force = false;
        struct vss_id id, not_deleted;
        uint32_t deleted = 0;
        int r = parse_id(words->items[0], &id, reterr);

        for (size_t i = 1; i < words->count; i++)
                force = force || strcmp(words->items[i], "force") == 0;
        if (r < 0)
                return r;
        r = vss_backup_components_delete_snapshots(
                run->bc, &id, set ? VSS_OBJECT_SNAPSHOT_SET : VSS_OBJECT_SNAPSHOT, force, &deleted,
                &not_deleted, reterr);
        say_begin("deleted");
        say_number("count", deleted);
        say_end();
        return r;
}

/* ---- long calls ---- */

static int no_async(struct vss_error *reterr) {
        return vss_fail(reterr, E_INVALIDARG, "nothing was started with 'async'");
}

CALL(query_status) {
        return run->async ? vss_async_query_status(run->async, reterr) : no_async(reterr);
}

CALL(wait) {
        uint32_t ms = UINT32_MAX;
        int r;

        if (!run->async)
                return no_async(reterr);
        r = words->count ? word_value((const struct word[]){ { "forever", UINT32_MAX }, { 0 } },
                                      words->items[0], &ms, reterr)
                         : 0;
        return r < 0 ? r : vss_async_wait(run->async, ms, reterr);
}

CALL(cancel) {
        return run->async ? vss_async_cancel(run->async) : no_async(reterr);
}

const struct call calls_backup[] = {
        { "create", "", 0, 0, call_create },
        { "initialize_for_backup", "[@FILE]", 0, 1, call_initialize_for_backup },
        { "set_context", "CONTEXT [ATTRIBUTE]...", 1, 8, call_set_context },
        { "set_backup_state", "TYPE [no_components] [bootable] [partial]", 1, 4,
          call_set_backup_state },
        { "enable_writer_classes", "ID...", 1, MAX_WORDS, call_enable_writer_classes },
        { "disable_writer_classes", "ID...", 1, MAX_WORDS, call_disable_writer_classes },
        { "disable_writer_instances", "ID...", 1, MAX_WORDS, call_disable_writer_instances },
        { "gather_writer_metadata", "", 0, 0, call_gather_writer_metadata },
        { "add_component", "COMPONENT", 1, 1, call_add_component },
        { "add_components", "[WRITER]...", 0, MAX_WORDS, call_add_components },
        { "set_backup_options", "COMPONENT TEXT", 2, 2, call_set_backup_options },
        { "set_previous_backup_stamp", "COMPONENT TEXT", 2, 2, call_set_previous_backup_stamp },
        { "set_previous_stamps", "FILE", 1, 1, call_set_previous_stamps },
        { "start_snapshot_set", "", 0, 0, call_start_snapshot_set },
        { "is_volume_supported", "VOLUME", 1, 1, call_is_volume_supported },
        { "add_to_snapshot_set", "VOLUME [PROVIDER-ID] [PATH]...", 1, MAX_WORDS,
          call_add_to_snapshot_set },
        { "prepare_for_backup", "", 0, 0, call_prepare_for_backup },
        { "do_snapshot_set", "", 0, 0, call_do_snapshot_set },
        { "set_backup_succeeded", "COMPONENT yes|no", 2, 2, call_set_backup_succeeded },
        { "set_succeeded", "", 0, 0, call_set_succeeded },
        { "backup_complete", "", 0, 0, call_backup_complete },
        { "abort_backup", "", 0, 0, call_abort_backup },
        { "delete_snapshots", "ID [set] [force]", 1, 3, call_delete_snapshots },
        { "query_status", "", 0, 0, call_query_status },
        { "wait", "[MILLISECONDS]", 0, 1, call_wait },
        { "cancel", "", 0, 0, call_cancel },
        { "free", "", 0, 0, call_free },
        { NULL, NULL, 0, 0, NULL },
};
