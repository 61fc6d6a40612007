/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-writers.c - see restore-writers.h: the calls of restore-protocol section 2, rows 1 to 16,
 * except the files themselves.
 */
#define _GNU_SOURCE
#include "backup/restore-writers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"
#include "vss/requester.h"

struct selected {
        struct component_key key; /* lent by the set's info */
        bool told; /* its writer takes part */
        uint32_t status; /* enum vss_file_restore_status */
};

struct restore_writers {
        struct vss_backup_components *bc;
        struct restore_writers_watch watch;
        struct stored_writers stored;
        struct selected *items;
        size_t count, capacity;
        bool any_told, begun;
};

static void note(const struct restore_writers *rw, const char *format, ...) VSS_PRINTF(2, 3);

static void note(const struct restore_writers *rw, const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        if (words && rw->watch.note)
                rw->watch.note(rw->watch.userdata, words);
}

static struct vss_component_key public_key(const struct component_key *key) {
        return (struct vss_component_key){ .writer_id = key->writer_id,
                                           .type = key->type,
                                           .logical_path =
                                                   *key->logical_path ? key->logical_path : NULL,
                                           .name = key->name };
}

static int finish(int r, struct vss_async *async, struct vss_error *reterr) {
        return r < 0 ? r : vss_async_finish(async, reterr);
}

int restore_writers_open(struct store *store, const struct set_info *set, uint32_t operation,
                         const char *config_dir, const struct restore_writers_watch *watch,
                         struct restore_writers **ret, struct vss_error *reterr) {
        const struct vss_connection how = { .config_dir = config_dir,
                                            .embedded = config_dir ? 1 : 0 };
        struct restore_writers *rw = calloc(1, sizeof(*rw));
        _cleanup_free_ char *xml = NULL;
        struct vss_async *async = NULL;
        size_t size;
        int r = rw ? store_read_document(store, set, operation, "backup-components.xml", &xml,
                                         &size, reterr)
                   : -ENOMEM;

        if (r >= 0)
                r = vss_backup_components_create(&how, &rw->bc, reterr);
        if (r >= 0)
                r = vss_backup_components_initialize_for_restore(rw->bc, xml, reterr);
        if (r >= 0)
                r = vss_backup_components_gather_writer_metadata(rw->bc, &async, reterr);
        r = finish(r, async, reterr);
        if (r >= 0)
                r = stored_writers_load(store, set, operation, &rw->stored, reterr);
        if (r < 0) {
                restore_writers_free(rw);
                return r;
        }
        rw->watch = *watch;
        *ret = rw;
        return 0;
}

enum presence {
        WRITER_ABSENT,
        WRITER_SILENT, /* runs, but does not want to hear of restores */
        WRITER_TOLD
};

static enum presence presence_of(const struct restore_writers *rw, const struct vss_id *class) {
        enum presence best = WRITER_ABSENT;
        size_t count;

        if (vss_backup_components_get_writer_metadata_count(rw->bc, &count, NULL) < 0)
                return best;
        for (size_t i = 0; i < count && best != WRITER_TOLD; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity identity;
                struct vss_restore_method method;
                struct vss_id instance;

                if (vss_backup_components_get_writer_metadata(rw->bc, i, &instance, &metadata,
                                                              NULL) < 0)
                        continue;
                vss_examine_writer_metadata_get_identity(metadata, &identity);
                if (!vss_id_equal(&identity.writer_id, class))
                        continue;
                best = vss_examine_writer_metadata_get_restore_method(metadata, &method) == 0 &&
                                       method.writer_restore != VSS_WRE_NEVER
                               ? WRITER_TOLD
                               : WRITER_SILENT;
        }
        return best;
}

const struct vss_examine_writer_metadata *restore_writers_metadata(const struct restore_writers *rw,
                                                                   const struct component_key *key,
                                                                   struct vss_error *reterr) {
        size_t index;
        const struct chosen_writer *writer = stored_writers_find(&rw->stored, key, &index);

        if (writer)
                return writer->metadata;
        vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                 "what its writer declared cannot be read from the backup, so nobody knows where "
                 "it may go%s%s; restore it with --into",
                 rw->stored.all.note_count ? ": " : "",
                 rw->stored.all.note_count ? rw->stored.all.notes[0] : "");
        return NULL;
}

static int select_told(struct restore_writers *rw, const struct component_key *key, bool more,
                       struct vss_error *reterr) {
        const struct restore_wishes *wishes = rw->watch.wishes;
        const struct vss_component_key public = public_key(key);
        struct vss_id instance = { { 0 } };
        int r = 0;

        if (wishes)
                r = restore_wishes_instance(wishes, rw->bc, key, &instance, reterr);
        if (r >= 0)
                r = vss_backup_components_set_selected_for_restore(rw->bc, &public, true, &instance,
                                                                   reterr);
        if (r >= 0 && wishes)
                r = restore_wishes_apply(wishes, rw->bc, key, &rw->stored, reterr);
        if (r >= 0)
                r = vss_backup_components_set_additional_restores(rw->bc, &public, more, reterr);
        if (r < 0) /* its writer hears nothing of it */
                (void)vss_backup_components_set_selected_for_restore(rw->bc, &public, false, NULL,
                                                                     NULL);
        return r;
}

int restore_writers_select(struct restore_writers *rw, const struct component_key *key, bool more,
                           struct vss_error *reterr) {
        const struct vss_examine_writer_metadata *metadata =
                restore_writers_metadata(rw, key, reterr);
        enum presence presence = presence_of(rw, &key->writer_id);
        struct selected *s;
        int r = metadata ? restore_plan_check(metadata, reterr) : VSS_E_OBJECT_NOT_FOUND;

        if (r < 0)
                return r;
        if (ARRAY_RESERVE(&rw->items, rw->count, &rw->capacity) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        s = &rw->items[rw->count];
        *s = (struct selected){ .key = *key, .status = VSS_RS_NONE };
        if (presence == WRITER_TOLD) {
                r = select_told(rw, key, more, reterr);
                s->told = r >= 0;
        } else if (rw->watch.wishes && restore_wishes_need_writer(rw->watch.wishes, key))
                r = vss_fail(reterr, VSS_E_NOT_SUPPORTED,
                             "its writer %s, and only the writer can do what was asked for; "
                             "restore it without these options, or with --into",
                             presence == WRITER_ABSENT ? "does not run here"
                                                       : "wants to hear of no restore");
        else if (presence == WRITER_ABSENT && !more)
                note(rw,
                     "the writer of component '%s' does not run here; its files are put back "
                     "without it (R-37): make sure that no program has them open",
                     key->name);
        if (r < 0)
                return r;
        rw->any_told |= s->told;
        rw->count++;
        return 0;
}

const struct vss_component *restore_writers_component(struct restore_writers *rw,
                                                      const struct component_key *key) {
        size_t count;

        if (vss_backup_components_get_writer_components_count(rw->bc, &count, NULL) < 0)
                return NULL;
        for (size_t i = 0; i < count; i++) {
                struct vss_writer_components *writer;
                struct vss_id instance, class;

                if (vss_backup_components_get_writer_components(rw->bc, i, &writer, NULL) < 0)
                        continue;
                vss_writer_components_get_writer_info(writer, &instance, &class);
                if (!vss_id_equal(&class, &key->writer_id))
                        continue;
                for (size_t k = 0; k < vss_writer_components_get_component_count(writer); k++) {
                        struct vss_component *c = vss_writer_components_get_component(writer, k);
                        const char *path = vss_component_get_logical_path(c);

                        if (strcmp(vss_component_get_component_name(c), key->name) == 0 &&
                            strcmp(path ? path : "", key->logical_path) == 0)
                                return c;
                }
        }
        return NULL;
}

/* is_refusal() - the writer is content but for components, and restore_writers_check() says what it
 * has against each: no words twice. After the restore they are known from before it */
static bool is_refusal(struct restore_writers *rw, const struct vss_writer_status *status) {
        if (status->failure != (int32_t)VSS_E_WRITERERROR_PARTIAL_FAILURE)
                return false;
        for (size_t i = 0; i < rw->count; i++) {
                const struct vss_component *c =
                        rw->items[i].told && vss_id_equal(&rw->items[i].key.writer_id,
                                                          &status->writer_id)
                                ? restore_writers_component(rw, &rw->items[i].key)
                                : NULL;

                if (c && vss_component_get_pre_restore_failure_msg(c))
                        return true;
        }
        return false;
}

static int report_status(struct restore_writers *rw, struct vss_error *reterr) {
        struct vss_async *async = NULL;
        size_t count = 0;
        int r = vss_backup_components_gather_writer_status(rw->bc, &async, reterr);

        r = finish(r, async, reterr);
        if (r >= 0)
                r = vss_backup_components_get_writer_status_count(rw->bc, &count, reterr);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_writer_status status;

                r = vss_backup_components_get_writer_status(rw->bc, i, &status, reterr);
                if (r >= 0 && status.failure != S_OK && !is_refusal(rw, &status))
                        note(rw, "writer '%s': %s", status.name,
                             status.message && *status.message ? status.message
                                                               : vss_error_text(status.failure));
        }
        return r;
}

pid_t restore_writers_process(struct restore_writers *rw, size_t index) {
        size_t count;

        if (vss_backup_components_get_writer_status_count(rw->bc, &count, NULL) < 0)
                return 0;
        for (size_t i = 0; i < count; i++) {
                struct vss_writer_status status;

                if (vss_backup_components_get_writer_status(rw->bc, i, &status, NULL) >= 0 &&
                    status.process_id != 0 && index-- == 0)
                        return (pid_t)status.process_id;
        }
        return 0;
}

int restore_writers_begin(struct restore_writers *rw, struct vss_error *reterr) {
        struct vss_async *async = NULL;
        int r;

        if (!rw->any_told)
                return 0;
        rw->begun = true;
        r = vss_backup_components_pre_restore(rw->bc, &async, reterr);
        r = finish(r, async, reterr);
        return r < 0 ? r : report_status(rw, reterr);
}

static struct selected *find(struct restore_writers *rw, const struct component_key *key) {
        for (size_t i = 0; i < rw->count; i++)
                if (component_key_equal(&rw->items[i].key, key))
                        return &rw->items[i];
        return NULL;
}

bool restore_writers_is_told(const struct restore_writers *rw, const struct component_key *key) {
        for (size_t i = 0; i < rw->count; i++)
                if (component_key_equal(&rw->items[i].key, key))
                        return rw->items[i].told;
        return false;
}

const char *restore_writers_ranges_file(struct restore_writers *rw, const struct component_key *key,
                                        size_t index) {
        const struct vss_component *c = restore_writers_component(rw, key);
        const char *ranges, *file = NULL;

        for (size_t i = 0;
             c && vss_component_get_partial_file(c, i, NULL, NULL, &ranges, NULL) >= 0; i++) {
                struct ranges none = { 0 };
                int r = ranges_parse(ranges, &none, &file, NULL);

                ranges_done(&none);
                if (r >= 0 && file && path_is_clean(file) && index-- == 0)
                        return file;
        }
        return NULL;
}

/* writer_failed() - the state of the class's instance in this session */
static bool writer_failed(struct restore_writers *rw, const struct vss_id *class) {
        size_t count;

        if (vss_backup_components_get_writer_status_count(rw->bc, &count, NULL) < 0)
                return true;
        for (size_t i = 0; i < count; i++) {
                struct vss_writer_status status;

                if (vss_backup_components_get_writer_status(rw->bc, i, &status, NULL) >= 0 &&
                    vss_id_equal(&status.writer_id, class) && status.failure != S_OK &&
                    status.failure != (int32_t)VSS_E_WRITERERROR_PARTIAL_FAILURE)
                        return true;
        }
        return false;
}

int restore_writers_check(struct restore_writers *rw, const struct component_key *key,
                          struct vss_error *reterr) {
        struct selected *s = find(rw, key);
        const struct vss_component *c = s && s->told ? restore_writers_component(rw, key) : NULL;
        const char *message, *told;
        int32_t failure, application;

        if (!s || !s->told)
                return 0;
        if (!c)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "the backup's document has no component '%s'", key->name);
        (void)vss_component_get_failure(c, &failure, &application, &message);
        told = vss_component_get_pre_restore_failure_msg(c);
        if (failure != S_OK || told)
                return vss_fail(reterr, failure != S_OK ? failure : VSS_E_WRITERERROR_NONRETRYABLE,
                                "the writer refuses: %s",
                                told      ? told
                                : message ? message
                                          : vss_error_text(failure));
        if (writer_failed(rw, &key->writer_id))
                return vss_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                "the writer failed in PreRestore");
        return 0;
}

void restore_writers_result(struct restore_writers *rw, const struct component_key *key,
                            uint32_t status) {
        struct selected *s = find(rw, key);

        if (s)
                s->status = status;
}

/* record_ranges_files() - R-122: where those lie that went elsewhere */
static int record_ranges_files(struct restore_writers *rw, const struct component_key *key,
                               struct restore_plan *plan, struct vss_error *reterr) {
        const struct vss_component *c = restore_writers_component(rw, key);
        const struct vss_component_key public = public_key(key);
        const char *ranges;
        int r = 0;

        for (size_t i = 0;
             r >= 0 && c && vss_component_get_partial_file(c, i, NULL, NULL, &ranges, NULL) >= 0;
             i++) {
                struct ranges none = { 0 };
                struct restore_destination to;
                const char *file;

                r = ranges_parse(ranges, &none, &file, reterr);
                ranges_done(&none);
                if (r < 0 || !file)
                        continue;
                r = restore_plan_destination(plan, file, ENTRY_FILE, &to);
                if (r < 0)
                        return vss_fail(reterr, r, "out of memory");
                if (to.path && strcmp(to.path, file) != 0)
                        r = vss_backup_components_set_ranges_file_path(rw->bc, &public, i, to.path,
                                                                       reterr);
        }
        return r;
}

int restore_writers_record(struct restore_writers *rw, const struct component_key *key,
                           struct restore_plan *plan, bool all, bool deferred,
                           struct vss_error *reterr) {
        const struct vss_component_key public = public_key(key);
        struct vss_file_set set;
        const char *to;
        int r = 0;

        if (!restore_writers_is_told(rw, key))
                return 0;
        for (size_t i = 0; all && r >= 0 && restore_plan_mapping(plan, i, &set, &to); i++)
                r = vss_backup_components_add_alternative_location_mapping(rw->bc, &public, &set,
                                                                           to, reterr);
        if (r >= 0 && deferred)
                r = vss_backup_components_set_deferred(rw->bc, &public, reterr);
        return r < 0 ? r : record_ranges_files(rw, key, plan, reterr);
}

int restore_writers_end(struct restore_writers *rw, struct vss_error *reterr) {
        struct vss_async *async = NULL;
        int r = 0;

        if (!rw->begun)
                return 0;
        rw->begun = false;
        for (size_t i = 0; i < rw->count; i++) {
                const struct vss_component_key key = public_key(&rw->items[i].key);

                if (rw->items[i].told)
                        (void)vss_backup_components_set_file_restore_status(
                                rw->bc, &key, rw->items[i].status, NULL);
        }
        r = vss_backup_components_post_restore(rw->bc, &async, reterr);
        r = finish(r, async, reterr);
        return r < 0 ? r : report_status(rw, reterr);
}

int restore_writers_accepted(struct restore_writers *rw, const struct component_key *key,
                             struct vss_error *reterr) {
        const struct vss_component *c =
                restore_writers_is_told(rw, key) ? restore_writers_component(rw, key) : NULL;
        const char *words = c ? vss_component_get_post_restore_failure_msg(c) : NULL, *message;
        int32_t failure = S_OK, application;

        if (!c)
                return 0;
        (void)vss_component_get_failure(c, &failure, &application, &message);
        if (words || failure != S_OK)
                return vss_fail(reterr, failure != S_OK ? failure : VSS_E_WRITERERROR_NONRETRYABLE,
                                "the writer is not content with what was restored: %s",
                                words     ? words
                                : message ? message
                                          : vss_error_text(failure));
        return writer_failed(rw, &key->writer_id) ? vss_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                                             "the writer failed in PostRestore")
                                                  : 0;
}

struct restore_writers *restore_writers_free(struct restore_writers *rw) {
        if (!rw)
                return NULL;
        (void)restore_writers_end(rw, NULL); /* whatever happened in between */
        vss_backup_components_free(rw->bc);
        stored_writers_done(&rw->stored);
        free(rw->items);
        free(rw);
        return NULL;
}
