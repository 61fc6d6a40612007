/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/restoring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/hold.h"
#include "sqlite/image.h"
#include "sqlite/restore.h"
#include "sqlite/stage.h"
#include "sqlite/through.h"

/* ---- between the two events ---- */

/* What PreRestore saw and moved at one place; PostRestore of the same session wants to know. */
struct remembered {
        struct remembered *next;
        struct vss_id session;
        char *path;
        struct hold_former former;
        struct restore_aside aside;
};

static struct remembered *memory;

static void forget(struct remembered *item) {
        struct remembered **link = &memory;

        while (*link != item)
                link = &(*link)->next;
        *link = item->next;
        restore_aside_done(&item->aside);
        free(item->path);
        free(item);
}

void restoring_forget(void) {
        while (memory)
                forget(memory);
        stage_release();
}

static struct remembered *recall(const struct vss_id *session, const char *path) {
        struct remembered *item = memory;

        while (item && !(vss_id_equal(&item->session, session) && strcmp(item->path, path) == 0))
                item = item->next;
        return item;
}

static struct remembered *remember(const struct vss_id *session, const char *path) {
        struct remembered *item = recall(session, path);

        if (item)
                forget(item);
        item = calloc(1, sizeof(*item));
        if (!item)
                return NULL;
        item->session = *session;
        item->next = memory;
        memory = item;
        item->path = strdup(path);
        if (!item->path) {
                forget(item);
                return NULL;
        }
        hold_remember(path, &item->former);
        return item;
}

/* ---- where to ---- */

enum where {
        WHERE_HOME,
        WHERE_NEW, /* the requester's new target */
        WHERE_STAGE
};

struct place {
        enum where where;
        char *folder, *path; /* where the requester puts it */
        char *final; /* its path in the end, when it gets another name; or NULL */
        const struct database *database; /* that lives here by this name; or NULL */
};

static void place_done(struct place *place) {
        free(place->folder);
        free(place->path);
        free(place->final);
}

static const struct vss_wm_filedesc *target_of(const struct vss_component *component,
                                               const char *filespec, const char *suffix) {
        for (size_t i = 0; i < vss_component_get_new_target_count(component); i++) {
                const struct vss_wm_filedesc *file = vss_component_get_new_target(component, i);
                const char *have = vss_wm_filedesc_get_filespec(file);
                size_t n = strlen(filespec);

                if (strncmp(have, filespec, n) == 0 && strcmp(have + n, suffix) == 0)
                        return file;
        }
        return NULL;
}

static bool same_place(const struct vss_wm_filedesc *a, const struct vss_wm_filedesc *b) {
        return a && b &&
               strcmp(vss_wm_filedesc_get_alternate_location(a),
                      vss_wm_filedesc_get_alternate_location(b)) == 0;
}

/* A log that does not come along would lie beside another database, which would believe it. */
static int find_new_target(const struct vss_component *component, struct place *ret,
                           struct vss_error *reterr) {
        const struct vss_wm_filedesc *first = vss_component_get_new_target(component, 0);
        size_t count = vss_component_get_new_target_count(component), n;

        for (size_t i = 0; i < count; i++) {
                const struct vss_wm_filedesc *file = vss_component_get_new_target(component, i);
                const char *name = vss_wm_filedesc_get_filespec(file);

                if (!same_place(file, target_of(component, name, "-wal*")) ||
                    !same_place(file, target_of(component, name, "-journal*")) ||
                    !same_place(file, first))
                        continue;
                ret->where = WHERE_NEW;
                ret->folder = strdup(vss_wm_filedesc_get_alternate_location(file));
                n = ret->folder ? strlen(ret->folder) : 0;
                if (n > 1 && ret->folder[n - 1] == '/')
                        ret->folder[n - 1] = '\0';
                ret->path = ret->folder ? util_join(ret->folder, name) : NULL;
                return ret->path ? 0 : -ENOMEM;
        }
        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                         "the new place of '%s' is not that of its log: name one place for all of "
                         "its file sets",
                         vss_component_get_component_name(component));
}

static int find_stage(const struct config *config, const struct vss_component *component,
                      struct place *ret) {
        const struct vss_wm_filedesc *used;

        ret->where = WHERE_STAGE;
        free(ret->folder);
        free(ret->path);
        ret->path = NULL;
        /* where the requester says that it went: the settings may be others since the backup */
        used = vss_component_get_alternate_location_mapping_count(component) > 0
                       ? vss_component_get_alternate_location_mapping(component, 0)
                       : NULL;
        ret->folder = used ? strdup(vss_wm_filedesc_get_alternate_location(used))
                           : stage_folder(config, vss_component_get_logical_path(component),
                                          vss_component_get_component_name(component));
        if (ret->folder)
                ret->path = util_join(ret->folder, ret->database->name);
        return ret->path ? 0 : -ENOMEM;
}

static int find_home(const struct config *config, const struct vss_component *component,
                     struct databases *databases, struct place *ret, struct vss_error *reterr) {
        const char *logical_path = vss_component_get_logical_path(component),
                   *name = vss_component_get_component_name(component);
        int r = databases_add_absent(config, logical_path, name, databases);

        if (r < 0)
                return r;
        ret->where = WHERE_HOME;
        ret->database = databases_find(databases, logical_path, name);
        if (!ret->database)
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "the settings have no database '%s': put it back into them, or "
                                 "restore it to a new place",
                                 name);
        ret->folder = strdup(ret->database->directory);
        ret->path = strdup(ret->database->path);
        return ret->folder && ret->path ? 0 : -ENOMEM;
}

/* the file name that a restore name means: its last element, as for components of patterns
 */
static int find_name(const struct vss_component *component, struct place *place,
                     struct vss_error *reterr) {
        const char *name = vss_component_get_restore_name(component), *last;

        if (!name || !*name)
                return 0;
        last = strrchr(name, '\\');
        last = last ? last + 1 : name;
        if (!*last || strpbrk(last, "/*?") || strlen(last) > 200 || strcmp(last, ".") == 0 ||
            strcmp(last, "..") == 0 || strstr(last, BEFORE_RESTORE))
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "'%s' is no new name of a database: write one file name, without "
                                 "wildcards and slashes",
                                 name);
        place->final = util_join(place->folder, last);
        return place->final ? 0 : -ENOMEM;
}

static int find_place(const struct config *config, const struct vss_component *component,
                      struct databases *databases, struct place *ret, struct vss_error *reterr) {
        int r = vss_component_get_new_target_count(component) > 0
                        ? find_new_target(component, ret, reterr)
                        : find_home(config, component, databases, ret, reterr);

        return r < 0 ? r : find_name(component, ret, reterr);
}

/* ---- before the files come ---- */

static bool is_increment(const struct vss_component *component) {
        return vss_component_get_previous_backup_stamp(component) != NULL;
}

static int check_final(const struct place *place, const struct databases *databases,
                       struct vss_error *reterr) {
        static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *path = database_sidecar(place->final, suffixes[i]);

                if (!path)
                        return -ENOMEM;
                if (lstat(path, &st) == 0)
                        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                         "'%s' exists: restore under a name that is free", path);
        }
        /* on the way to its new name it would take the place of a database that lives */
        for (size_t i = 0; place->where == WHERE_NEW && i < databases->count; i++)
                if (strcmp(databases->items[i].path, place->path) == 0)
                        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                         "'%s' lives at the new place: with another name alone, "
                                         "without a new place, it stays as it is",
                                         place->path);
        return 0;
}

static int stage(const struct config *config, struct vss_component *component, struct place *place,
                 struct vss_error *reterr) {
        int r = find_stage(config, component, place);

        if (r >= 0 && !is_increment(component)) {
                r = stage_make(place->folder);
                if (r < 0)
                        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                         "cannot make the folder '%s' (restore_dir): %s",
                                         place->folder, strerror(-r));
        }
        return r < 0 ? r : vss_component_set_restore_target(component, VSS_RT_ALTERNATE);
}

static bool is_staged(const struct config *config, const struct vss_component *component,
                      const struct place *place) {
        struct place staged = { .database = place->database };
        struct stat st;
        bool there = find_stage(config, component, &staged) >= 0 && stat(staged.path, &st) == 0;

        place_done(&staged);
        return there;
}

static void drop_stage(const struct config *config, const struct vss_component *component) {
        _cleanup_free_ char *folder =
                stage_folder(config, vss_component_get_logical_path(component),
                             vss_component_get_component_name(component));

        if (folder)
                stage_clear(folder);
}

/* is there a database that something can be written through to? A locked one is */
static bool is_usable(const char *path) {
        sqlite3 *connection = NULL;
        int rc = restore_open(path, &connection);

        if (rc == SQLITE_OK)
                rc = sqlite3_exec(connection, "SELECT count(*) FROM sqlite_schema", NULL, NULL,
                                  NULL);
        (void)sqlite3_close_v2(connection);
        return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED;
}

/* an image of a chain goes where the one before it went */
static bool goes_to_stage(const struct config *config, const struct vss_component *component,
                          const struct place *place) {
        if (place->final)
                return true;
        if (is_increment(component))
                return is_staged(config, component, place);
        return place->database->section->through && is_usable(place->path);
}

/* the place that it lives at: now, or through the stage */
static int settle_home(const struct config *config, struct vss_component *component,
                       struct place *place, struct vss_error *reterr) {
        int r;

        /* what an earlier restore left there is no base of the images that follow this one */
        if (!is_increment(component))
                drop_stage(config, component);
        if (goes_to_stage(config, component, place))
                return stage(config, component, place, reterr);
        r = restore_refuse_open(place->path, "the restore", reterr);
        /* whoever opens it now finds it refused, not put into the stage */
        return r < 0 ? r : vss_component_set_restore_target(component, VSS_RT_ORIGINAL_LOCATION);
}

static int clear_place(const struct vss_id *session, const struct place *place,
                       const struct vss_component *component, struct vss_error *reterr) {
        struct remembered *item = remember(session, place->path);

        if (!item)
                return -ENOMEM;
        /* the base of these ranges, just restored: closing it cleanly would change it (I-185) */
        return image_stands_there(place->path, component)
                       ? restore_set_aside(place->path, &item->aside, reterr)
                       : restore_clear(place->path, &item->aside, reterr);
}

/* What runs in one event */
struct event {
        const struct config *config;
        struct databases databases;
        struct vss_id session;
        bool (*is_held)(const char *path);
};

static int before_files(struct event *event, struct vss_component *component,
                        struct vss_error *reterr) {
        struct place place = { 0 };
        int r = find_place(event->config, component, &event->databases, &place, reterr);

        if (r >= 0 && event->is_held(place.path)) /* closing it would drop the hold */
                r = util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                              "'%s' is held by a backup that runs: wait for its end", place.path);
        if (r >= 0 && place.final)
                r = check_final(&place, &event->databases, reterr);
        if (r >= 0 && place.where == WHERE_HOME)
                r = settle_home(event->config, component, &place, reterr);
        else if (r >= 0)
                r = restore_refuse_open(place.path, "the restore", reterr);
        if (r >= 0)
                r = clear_place(&event->session, &place, component, reterr);
        place_done(&place);
        return r;
}

/* ---- and after ---- */

/* refused before, but somebody may have come between that and the files */
static int check_left_behind(const struct remembered *item, struct vss_error *reterr) {
        char users[256];

        if (!item || hold_name_left_behind(&item->former, users, sizeof(users)) == 0)
                return 0;
        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                         "'%s' is restored, but %s opened the former one meanwhile: what it writes "
                         "is lost, stop it, and restore again",
                         item->path, users);
}

static int bring_up(const struct event *event, const struct place *place,
                    struct vss_error *reterr) {
        bool staged = place->where == WHERE_STAGE;
        int r = restore_verify(place->path, event->config->restore_check, staged || place->final,
                               reterr);

        if (r >= 0 && place->final)
                r = stage_publish(place->path, place->final, reterr);
        else if (r >= 0 && staged && !place->database->section->through)
                r = util_fail(
                        reterr, VSS_E_WRITERERROR_RETRYABLE,
                        "'%s' is as it was: the restored one is good and lies in '%s', but the "
                        "settings do not say restore = through any more; restore again",
                        place->database->path, place->folder);
        else if (r >= 0 && staged)
                r = through_copy(place->path, place->database->path, event->config->restore_wait_ms,
                                 reterr);
        if (r >= 0 && staged)
                stage_clear(place->folder);
        return r;
}

static int all_in_place(struct event *event, const struct vss_component *component,
                        const struct place *place, struct vss_error *reterr) {
        const struct remembered *item = recall(&event->session, place->path);
        int r = restore_refuse_open(place->path, "it is checked", reterr);

        if (r >= 0) /* before SQLite opens it, which would take the log into it */
                r = image_prove(event->config, place->path, component, reterr);
        if (r >= 0)
                r = check_left_behind(item, reterr);
        if (r < 0 || vss_component_get_additional_restores(component)) /* I-186, R-141 */
                return r;
        return bring_up(event, place, reterr);
}

static int not_in_place(const struct event *event, const struct place *place, uint32_t status,
                        struct vss_error *reterr) {
        const struct remembered *item = recall(&event->session, place->path);

        if (status != VSS_RS_NONE) /* the parts are of two times */
                return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                                 "'%s' was restored in part, or nobody knows: let no program open "
                                 "it, and restore it again",
                                 place->path);
        if (item)
                restore_put_back(place->path, &item->aside);
        return 0;
}

static bool went_to_stage(const struct vss_component *component) {
        return vss_component_get_restore_target(component) == VSS_RT_ALTERNATE ||
               vss_component_get_alternate_location_mapping_count(component) > 0;
}

static int after_files(struct event *event, struct vss_component *component,
                       struct vss_error *reterr) {
        uint32_t status = vss_component_get_file_restore_status(component);
        struct place place = { 0 };
        struct remembered *item;
        int r;

        if (vss_component_get_pre_restore_failure_msg(component))
                return 0; /* refused: it was not touched */
        r = find_place(event->config, component, &event->databases, &place, reterr);
        if (r >= 0 && place.where == WHERE_HOME && went_to_stage(component))
                r = find_stage(event->config, component, &place);
        if (r >= 0)
                r = status == VSS_RS_ALL ? all_in_place(event, component, &place, reterr)
                                         : not_in_place(event, &place, status, reterr);
        item = place.path ? recall(&event->session, place.path) : NULL;
        if (item)
                forget(item);
        place_done(&place);
        return r;
}

static void tell(struct vss_writer *writer, struct vss_component *component, bool before, int code,
                 const char *words) {
        (void)vss_component_set_failure(component, code, 0, words);
        (void)(before ? vss_component_set_pre_restore_failure_msg
                      : vss_component_set_post_restore_failure_msg)(component, words);
        (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0, words);
}

int restoring_event(const struct config *config, struct vss_writer *writer,
                    struct vss_writer_components *components, bool before,
                    bool (*is_held)(const char *path)) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        struct event event = { .config = config,
                               .session = vss_writer_get_session_id(writer),
                               .is_held = is_held };
        int r = databases_list(config, &event.databases);

        for (size_t i = 0; r >= 0 && i < count; i++) {
                _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
                struct vss_component *component =
                        vss_writer_components_get_component(components, i);
                int failure;

                if (!vss_component_is_selected_for_restore(component))
                        continue;
                failure = stage_claim(config, &error);
                if (failure >= 0)
                        failure = (before ? before_files : after_files)(&event, component, &error);
                if (failure < 0)
                        tell(writer, component, before, failure, util_words(&error, failure));
        }
        if (!before && !memory)
                stage_release();
        databases_done(&event.databases);
        return r;
}

/* ---- what is declared ---- */

int restoring_add_mappings(const struct config *config, struct vss_create_writer_metadata *metadata,
                           const struct database *database, struct vss_error *reterr) {
        static const char *const suffixes[] = { "", "-wal*", "-journal*" };
        _cleanup_free_ char *folder =
                stage_folder(config, database->logical_path, database->component);
        int r = folder ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *name = database_sidecar(database->name, suffixes[i]);
                struct vss_file_set set = { .path = database->directory, .filespec = name };

                r = name ? vss_create_writer_metadata_add_alternate_location_mapping(metadata, &set,
                                                                                     folder, reterr)
                         : -ENOMEM;
        }
        return r;
}
