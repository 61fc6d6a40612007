/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sqlite - a writer for SQLite databases that a settings file tells of. Their programs need not
 * know: writers are held off by SQLite's own locks, for the time of the shadow copy only. What of
 * a database goes into a backup, and how a restore is proved, is image.c's business.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sqlite/copy.h"
#include "sqlite/hold.h"
#include "sqlite/image.h"
#include "sqlite/lists.h"
#include "sqlite/restoring.h"

/* One backup of a requester; several may be in the middle of theirs, only one is frozen. */
struct session {
        struct session *next;
        struct vss_id id;
        struct databases databases;
        bool by_components;
        uint64_t hash_end_us; /* one time for all: the event has a deadline (B-51) */
};

static struct config config;
static bool configured;
static struct session *sessions;

static void prepare_config(void) {
        if (!configured)
                config_init(&config);
        configured = true;
}

static int configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr) {
        prepare_config();
        return config_set(&config, section, key, value, reterr);
}

static int default_state(void) {
        const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        int n;

        if (geteuid() == 0)
                n = asprintf(&config.state, "/var/lib/vss/writers/sqlite");
        else if (base && *base == '/')
                n = asprintf(&config.state, "%s/vss/writers/sqlite", base);
        else
                n = asprintf(&config.state, "%s/.local/state/vss/writers/sqlite",
                             home && *home == '/' ? home : "/nonexistent");
        if (n < 0)
                config.state = NULL;
        return n < 0 ? -ENOMEM : 0;
}

static int load(struct vss_writer *writer, struct vss_error *reterr) {
        prepare_config();
        if (!config.state && default_state() < 0)
                return -ENOMEM;
        if (!config.restore_dir)
                config.restore_dir = util_join(config.state, "restore");
        if (!config.restore_dir)
                return -ENOMEM;
        return config_check(&config, reterr);
}

/* ---- sessions ---- */

static struct session *find_session(const struct vss_writer *writer) {
        struct vss_id id = vss_writer_get_session_id(writer);
        struct session *session = sessions;

        while (session && !vss_id_equal(&session->id, &id))
                session = session->next;
        return session;
}

static void end_session(struct session *session) {
        struct session **link = &sessions;

        while (*link != session)
                link = &(*link)->next;
        *link = session->next;
        hold_release_all(&session->databases);
        for (size_t i = 0; i < session->databases.count; i++)
                image_lost(&config, &session->databases.items[i]);
        databases_done(&session->databases);
        free(session);
}

static int new_session(const struct vss_writer *writer, struct session **ret) {
        struct session *session = find_session(writer);
        int r;

        if (session)
                end_session(session);
        session = calloc(1, sizeof(*session));
        if (!session)
                return -ENOMEM;
        r = databases_list(&config, &session->databases);
        if (r < 0) {
                free(session);
                return r;
        }
        session->id = vss_writer_get_session_id(writer);
        session->next = sessions;
        sessions = session;
        *ret = session;
        return 0;
}

static void unload(struct vss_writer *writer) {
        while (sessions)
                end_session(sessions);
        restoring_forget();
        config_done(&config);
        configured = false;
}

/* ---- identify ---- */

static int add_files(struct vss_create_writer_metadata *metadata, const struct database *database,
                     struct vss_error *reterr) {
        _cleanup_free_ char *wal = database_sidecar(database->name, "-wal*");
        _cleanup_free_ char *journal = database_sidecar(database->name, "-journal*");
        _cleanup_free_ char *shm = database_sidecar(database->name, "-shm");
        struct vss_file_set set = { .path = database->directory, .filespec = database->name };
        int r;

        if (!wal || !journal || !shm)
                return -ENOMEM;
        r = vss_create_writer_metadata_add_database_files(metadata, database->logical_path,
                                                          database->component, &set, reterr);
        /* patterns, because both may be absent (M-43, W-140) */
        set.filespec = wal;
        if (r >= 0)
                r = vss_create_writer_metadata_add_database_log_files(
                        metadata, database->logical_path, database->component, &set, reterr);
        set.filespec = journal;
        if (r >= 0)
                r = vss_create_writer_metadata_add_database_log_files(
                        metadata, database->logical_path, database->component, &set, reterr);
        /* an index of the log for processes that run: worthless and wrong anywhere else */
        set.filespec = shm;
        return r < 0 ? r : vss_create_writer_metadata_add_exclude_files(metadata, &set, reterr);
}

static int add_component(struct vss_create_writer_metadata *metadata,
                         const struct database *database, struct vss_error *reterr) {
        const struct config_section *section = database->section;
        struct vss_component_info info = { .type = VSS_CT_DATABASE,
                                           .logical_path = database->logical_path,
                                           .name = database->component,
                                           .caption = section->caption,
                                           .notify_on_backup_complete = true,
                                           .selectable = section->selectable,
                                           .selectable_for_restore =
                                                   section->selectable_for_restore };
        int r = vss_create_writer_metadata_add_component(metadata, &info, reterr);

        /* a name with a wildcard would name other files too: declared, and failed when chosen */
        if (r >= 0 && !database->unspeakable)
                r = add_files(metadata, database, reterr);
        if (r >= 0 && !database->unspeakable)
                r = restoring_add_mappings(&config, metadata, database, reterr);
        return r < 0 ? vss_wrap(reterr, r, "[database %s]", section->name) : 0;
}

static int identify(struct vss_writer *writer, struct vss_create_writer_metadata *metadata,
                    struct vss_error *reterr) {
        static const struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                                          .writer_restore = VSS_WRE_ALWAYS };
        struct databases databases;
        int r = databases_list(&config, &databases);

        if (r < 0)
                return r;
        r = vss_create_writer_metadata_set_restore_method(metadata, &method, reterr);
        if (r >= 0)
                r = vss_create_writer_metadata_set_backup_schema(metadata, image_schema(&config),
                                                                 reterr);
        for (size_t i = 0; r >= 0 && i < databases.count; i++)
                r = add_component(metadata, &databases.items[i], reterr);
        databases_done(&databases);
        return r;
}

/* ---- what failed ---- */

/* the first failure that the requester has not heard of: in the document, or at all */
static const struct database *first_news(const struct session *session, bool in_document) {
        for (size_t i = 0; i < session->databases.count; i++) {
                const struct database *database = &session->databases.items[i];

                if (database->selected && database->failure &&
                    !(in_document ? database->in_document : database->told))
                        return database;
        }
        return NULL;
}

static const char *words_of(const struct database *database) {
        return database->message ? database->message : vss_error_text(database->failure);
}

static struct database *database_of(const struct session *session,
                                    const struct vss_component *component) {
        return databases_find(&session->databases, vss_component_get_logical_path(component),
                              vss_component_get_component_name(component));
}

/* B-85: on each bad component, in the events that have them, and once on the writer */
static void report(struct vss_writer *writer, struct session *session,
                   struct vss_writer_components *components, bool prepare) {
        const struct database *first = first_news(session, components != NULL);
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                struct database *database = database_of(session, component);

                if (!database || !database->failure || database->in_document)
                        continue;
                (void)vss_component_set_failure(component, database->failure, database->sqlite_code,
                                                words_of(database));
                (void)(prepare ? vss_component_set_prepare_for_backup_failure_msg
                               : vss_component_set_post_snapshot_failure_msg)(component,
                                                                              words_of(database));
                database->in_document = true;
        }
        if (!first)
                return;
        (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE,
                                            first->sqlite_code, words_of(first));
        for (size_t i = 0; i < session->databases.count; i++)
                session->databases.items[i].told |= session->databases.items[i].failure != 0;
}

/* Components that the requester chose and that are no longer there: their database was dropped
 * between identify and now. */
static void fail_unknown(struct vss_writer *writer, struct session *session,
                         struct vss_writer_components *components) {
        static const char words[] = "this database is no longer there, or no longer in the "
                                    "settings; gather the metadata again";
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);

                if (database_of(session, component))
                        continue;
                (void)vss_component_set_failure(component, VSS_E_WRITERERROR_NONRETRYABLE, 0,
                                                words);
                (void)vss_component_set_prepare_for_backup_failure_msg(component, words);
                (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
                                                    words);
        }
}

/* ---- one backup ---- */

static void select_databases(struct session *session, struct vss_writer_components *components) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        session->by_components = components != NULL;
        for (size_t i = 0; i < session->databases.count; i++)
                session->databases.items[i].selected = !components;
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                struct database *database = database_of(session, component);

                if (database)
                        database->selected = true;
        }
}

static int prepare_backup(struct vss_writer *writer, struct vss_writer_components *components,
                          struct vss_error *reterr) {
        struct session *session;
        int r = new_session(writer, &session);

        if (r < 0)
                return util_fail(reterr, VSS_E_WRITERERROR_OUTOFRESOURCES, "out of memory");
        select_databases(session, components);
        for (size_t i = 0; i < session->databases.count; i++) {
                struct database *database = &session->databases.items[i];

                if (!database->selected)
                        continue;
                if (database->unspeakable)
                        database_fail(database, VSS_E_WRITERERROR_NONRETRYABLE, 0,
                                      "'%s' has a wildcard in its name, and no file set can name "
                                      "it alone: rename it",
                                      database->path);
                hold_open(database);
        }
        /* Not kept open until then: a program may want to rename or convert its database. */
        hold_release_all(&session->databases);
        report(writer, session, components, true);
        fail_unknown(writer, session, components);
        return 0;
}

/*
 * Nothing is undone after our death: SQLite's locks are the kernel's locks of this process and end
 * with it. The token is deposited all the same, so that undo() is called, confirms it, and the
 * coordinator does not have to guess whether this writer holds anything that outlives it.
 */
static const char TOKEN[] = "sqlite 1: locks ended with their process";

static int prepare_snapshot(struct vss_writer *writer, struct vss_error *reterr) {
        struct session *session = find_session(writer);
        size_t taking_part = 0;
        int r;

        for (size_t i = 0; session && i < session->databases.count; i++) {
                struct database *database = &session->databases.items[i];

                if (!database->selected || database->failure)
                        continue;
                if (!vss_writer_is_path_affected(writer, database->path)) {
                        /* W-7; each database is independent of the others */
                        if (session->by_components)
                                database_fail(database, VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT, 0,
                                              "'%s' is on no volume of the shadow copy set: add "
                                              "its volume",
                                              database->path);
                        else
                                database->selected = false;
                        continue;
                }
                hold_open(database);
                hold_checkpoint(database);
                taking_part++;
        }
        if (!session)
                return 0;
        report(writer, session, NULL, false);
        r = taking_part ? vss_writer_deposit_undo(writer, TOKEN, sizeof(TOKEN) - 1) : 0;
        return r < 0 ? util_fail(reterr, r, "the undo token was not taken: %s", vss_error_name(r))
                     : 0;
}

/* Is it better to refuse the whole? When nothing good would be left, and when there are no
 * components on which the failure could be told. */
static bool must_veto(const struct session *session) {
        size_t good = 0;

        for (size_t i = 0; i < session->databases.count; i++)
                good += session->databases.items[i].selected &&
                        !session->databases.items[i].failure;
        return !session->by_components || good == 0;
}

static int freeze(struct vss_writer *writer, struct vss_error *reterr) {
        struct session *session = find_session(writer);
        const struct database *first;

        if (!session)
                return 0;
        hold_begin_all(&session->databases, config.freeze_wait_ms);
        first = first_news(session, false);
        if (first && must_veto(session)) {
                hold_release_all(&session->databases);
                return util_fail(reterr, first->failure, "%s", words_of(first));
        }
        report(writer, session, NULL, false);
        return 0;
}

static int thaw(struct vss_writer *writer, struct vss_error *reterr) {
        struct session *session = find_session(writer);

        if (session) {
                hold_release_all(&session->databases);
                report(writer, session, NULL, false);
        }
        return 0;
}

static void check_one(struct vss_writer *writer, const struct session *session,
                      struct database *database, struct vss_component *component) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *copy = NULL;
        int sqlite_code = 0, r;

        if (!database->selected || database->failure)
                return;
        r = vss_writer_get_snapshot_path(writer, database->path, &copy);
        if (r < 0)
                (void)util_fail(&error, r = VSS_E_WRITERERROR_RETRYABLE,
                                "the set has no shadow copy of '%s'", database->path);
        else
                r = copy_check(copy, config.copy_check, &sqlite_code, &error);
        if (r < 0)
                database_fail(database, r, sqlite_code, "%s", util_words(&error, r));
        else if (component)
                image_describe(&config, writer, database, component, copy, session->hash_end_us);
}

static int post_snapshot(struct vss_writer *writer, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        struct session *session = find_session(writer);
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        if (!session)
                return 0;
        session->hash_end_us = util_now_us() + (uint64_t)config.hash_time_ms * 1000;
        for (size_t i = 0; i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                struct database *database = database_of(session, component);

                if (database)
                        check_one(writer, session, database, component);
        }
        for (size_t i = 0; !components && i < session->databases.count; i++)
                check_one(writer, session, &session->databases.items[i], NULL);
        report(writer, session, components, false);
        return 0;
}

static int backup_complete(struct vss_writer *writer, struct vss_writer_components *components,
                           struct vss_error *reterr) {
        struct session *session = find_session(writer);
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        for (size_t i = 0; session && i < count; i++) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                struct database *database = database_of(session, component);

                if (!database)
                        continue;
                if (vss_component_get_backup_succeeded(component))
                        image_saved(&config, database);
                else
                        image_lost(&config, database);
        }
        lists_tidy(config.state);
        return 0;
}

static void backup_shutdown(struct vss_writer *writer, const struct vss_id *set_id) {
        struct session *session = find_session(writer);

        if (session)
                end_session(session);
}

static void writer_abort(struct vss_writer *writer) {
        struct session *session = find_session(writer);

        if (session)
                hold_release_all(&session->databases);
}

static int undo(struct vss_writer *writer, const void *token, size_t size,
                struct vss_error *reterr) {
        if (size != sizeof(TOKEN) - 1 || memcmp(token, TOKEN, size) != 0)
                return util_fail(reterr, E_INVALIDARG, "this is no undo token of this writer");
        return 0;
}

/* ---- one restore ---- */

static bool is_held(const char *path) {
        for (const struct session *session = sessions; session; session = session->next)
                for (size_t i = 0; i < session->databases.count; i++)
                        if (session->databases.items[i].connection &&
                            strcmp(session->databases.items[i].path, path) == 0)
                                return true;
        return false;
}

static int pre_restore(struct vss_writer *writer, struct vss_writer_components *components,
                       struct vss_error *reterr) {
        return restoring_event(&config, writer, components, true, is_held);
}

static int post_restore(struct vss_writer *writer, struct vss_writer_components *components,
                        struct vss_error *reterr) {
        return restoring_event(&config, writer, components, false, is_held);
}

static struct vss_writer_ops ops = {
        .name = "SQLite",
        .version_major = 1,
        .id = { { 0x8b, 0x6d, 0x41, 0xf2, 0x0c, 0x93, 0x4e, 0x57, 0xa8, 0x15, 0xd3, 0x60, 0x2f,
                  0x7e, 0xb9, 0x14 } },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_TRANSACTEDDB,
        .level = VSS_APP_BACK_END,
        .configure = configure,
        .load = load,
        .unload = unload,
        .identify = identify,
        .prepare_backup = prepare_backup,
        .prepare_snapshot = prepare_snapshot,
        .freeze = freeze,
        .thaw = thaw,
        .post_snapshot = post_snapshot,
        .backup_complete = backup_complete,
        .backup_shutdown = backup_shutdown,
        .abort = writer_abort,
        .undo = undo,
        .pre_restore = pre_restore,
        .post_restore = post_restore,
};

VSS_WRITER(ops);
