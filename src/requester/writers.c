/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writers.c - which writers are asked, what they said of themselves, and how they are.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

#include "base/array.h"
#include "base/memfd.h"
#include "documents/create-metadata.h"

/* ---- the filter (B-31) ---- */

static int list_add(struct id_list *list, const struct vss_id *ids, size_t count) {
        for (size_t i = 0; i < count; i++) {
                int r = ARRAY_RESERVE(&list->ids, list->count, &list->capacity);

                if (r < 0)
                        return r;
                list->ids[list->count++] = ids[i];
        }
        return 0;
}

static void list_remove(struct id_list *list, const struct vss_id *id) {
        size_t kept = 0;

        for (size_t i = 0; i < list->count; i++)
                if (!vss_id_equal(&list->ids[i], id))
                        list->ids[kept++] = list->ids[i];
        list->count = kept;
}

static int check_filter(struct vss_backup_components *bc, const char *call,
                        const struct vss_id *ids, size_t count, struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, call, reterr);

        if (r < 0)
                return r;
        return !ids && count > 0 ? vss_fail(reterr, E_INVALIDARG, "%s without ids", call) : 0;
}

static int add_to_filter(struct id_list *list, const struct vss_id *ids, size_t count,
                         struct vss_error *reterr) {
        int r = list_add(list, ids, count);

        return r < 0 ? vss_fail(reterr, r, "no memory for the list of writers") : 0;
}

int vss_backup_components_enable_writer_classes(struct vss_backup_components *bc,
                                                const struct vss_id *ids, size_t count,
                                                struct vss_error *reterr) {
        int r = check_filter(bc, "EnableWriterClasses", ids, count, reterr);

        if (r < 0 || bc->gathered_once) /* later it has no effect (BV-3) */
                return r;
        r = add_to_filter(&bc->enabled, ids, count, reterr);
        if (r < 0)
                return r;
        bc->some_enabled = true;
        for (size_t i = 0; i < count; i++)
                list_remove(&bc->disabled, &ids[i]);
        return 0;
}

int vss_backup_components_disable_writer_classes(struct vss_backup_components *bc,
                                                 const struct vss_id *ids, size_t count,
                                                 struct vss_error *reterr) {
        int r = check_filter(bc, "DisableWriterClasses", ids, count, reterr);

        if (r < 0 || bc->gathered_once)
                return r;
        r = add_to_filter(&bc->disabled, ids, count, reterr);
        if (r < 0)
                return r;
        for (size_t i = 0; i < count; i++)
                list_remove(&bc->enabled, &ids[i]);
        return 0;
}

int vss_backup_components_disable_writer_instances(struct vss_backup_components *bc,
                                                   const struct vss_id *ids, size_t count,
                                                   struct vss_error *reterr) {
        int r = check_filter(bc, "DisableWriterInstances", ids, count, reterr);

        if (r < 0 || bc->gathered_once)
                return r;
        return add_to_filter(&bc->disabled_instances, ids, count, reterr);
}

/* ---- gathering ---- */

static int append_ids(sd_bus_message *m, const struct id_list *list) {
        int r = sd_bus_message_open_container(m, 'a', "s");

        for (size_t i = 0; r >= 0 && i < list->count; i++)
                r = wire_append_id(m, &list->ids[i]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* An empty list of the enabled means "all" on the wire. Who enabled some and disabled them again
 * wants none, which is an id that no writer has (B-31). */
static int append_filter(struct vss_backup_components *bc, sd_bus_message *m) {
        struct vss_id nobody = { { 0xff } };
        struct id_list only_nobody = { .ids = &nobody, .count = 1 };
        bool none = bc->some_enabled && bc->enabled.count == 0;
        int r = append_ids(m, none ? &only_nobody : &bc->enabled);

        if (r >= 0)
                r = append_ids(m, &bc->disabled);
        return r < 0 ? r : append_ids(m, &bc->disabled_instances);
}

int vss_backup_components_gather_writer_metadata(struct vss_backup_components *bc,
                                                 struct vss_async **ret, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r = bc_check(bc, STATE_BACKUP | STATE_RESTORE, "GatherWriterMetadata", reterr);

        if (r < 0)
                return r;
        if (bc->gathered_once)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "GatherWriterMetadata: once per object (BV-2)");
        r = bc_new_call(bc, "GatherWriterMetadata", &m, reterr);
        if (r < 0)
                return r;
        r = bc_send(bc, m, append_filter(bc, m), &reply, reterr);
        if (r < 0)
                return r;
        bc->gathered_once = true;
        return bc_begin(bc, OPERATION_GATHER, reply, ret, reterr);
}

static void gathered_clear(struct gathered *writer) {
        wire_clear(&wire_identity, &writer->identity);
        vss_examine_writer_metadata_free(writer->metadata);
        free(writer->spoiled);
        memset(writer, 0, sizeof(*writer));
}

void bc_free_writers(struct vss_backup_components *bc) {
        while (bc->writer_count > 0)
                gathered_clear(&bc->writers[--bc->writer_count]);
        free(bc->writers);
        bc->writers = NULL;
        bc->writer_capacity = 0;
}

void bc_spoil(struct gathered *writer, uint32_t state, const char *words) {
        if (writer->spoiled)
                return;
        writer->spoiled = strdup(words ? words : "its document was refused");
        writer->spoiled_state = state;
}

/* several warnings, one after the other */
static void add_words(struct vss_error *words, const char *more) {
        _cleanup_free_ char *before = words->message;

        words->message = NULL;
        vss_fail(words, 0, "%s%s%s", before ? before : "", before ? "; " : "", more);
}

/* SV-39: two instances of a class may not declare the same component */
static int check_conflict(struct vss_backup_components *bc, const struct gathered *writer,
                          struct vss_error *reterr) {
        for (size_t i = 0; i < bc->writer_count; i++) {
                const struct gathered *other = &bc->writers[i];
                int r;

                if (!vss_id_equal(&other->identity.writer_id, &writer->identity.writer_id))
                        continue;
                r = examine_writer_metadata_check_conflict(other->metadata, writer->metadata,
                                                           reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_metadata(struct gathered *writer, int fd, struct vss_error *reterr) {
        _cleanup_free_ char *xml = NULL;
        struct vss_writer_identity said;
        size_t size;
        int r = memfd_read(fd, VSS_DOCUMENT_SIZE_MAX, &xml, &size);

        if (r < 0)
                return vss_fail(reterr, r, "its document is no sealed memory file");
        r = vss_examine_writer_metadata_create(xml, size, &writer->metadata, reterr);
        if (r < 0)
                return r;
        vss_examine_writer_metadata_get_identity(writer->metadata, &said);
        if (!vss_id_equal(&said.writer_id, &writer->identity.writer_id))
                return vss_fail(reterr, VSS_E_INVALID_XML_DOCUMENT,
                                "its document names another writer class");
        return 0;
}

/* A writer that cannot be used is left out, as one that failed Identify (B-82), and said. */
static int take_writer(struct vss_backup_components *bc, sd_bus_message *m, void *userdata,
                       struct vss_error *warnings) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct gathered writer = { 0 };
        int fd, r = wire_read(m, &wire_identity, &writer.identity);

        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(m, 'h', &fd);
        if (r < 0) {
                gathered_clear(&writer);
                return r;
        }
        r = load_metadata(&writer, fd, &error);
        if (r >= 0)
                r = check_conflict(bc, &writer, &error);
        if (r < 0) {
                vss_wrap(&error, r, "writer '%s' is left out", writer.identity.name);
                if (warnings)
                        add_words(warnings, vss_error_message(&error));
                gathered_clear(&writer);
                return r == -ENOMEM ? r : 0;
        }
        r = ARRAY_RESERVE(&bc->writers, bc->writer_count, &bc->writer_capacity);
        if (r < 0) {
                gathered_clear(&writer);
                return r;
        }
        bc->writers[bc->writer_count++] = writer;
        return 0;
}

int bc_take_metadata(struct vss_backup_components *bc, struct vss_error *reterr) {
        int r = bc_each_document(bc, "GetWriterMetadata", "a{sv}h", take_writer, NULL, reterr);

        if (r >= 0)
                bc->metadata_ready = true;
        return r;
}

struct gathered *bc_find_writer(struct vss_backup_components *bc, const struct vss_id *instance) {
        for (size_t i = 0; i < bc->writer_count; i++)
                if (vss_id_equal(&bc->writers[i].identity.instance_id, instance))
                        return &bc->writers[i];
        return NULL;
}

bool bc_find_declared(const struct gathered *writer, const char *logical_path, const char *name,
                      size_t *ret_index) {
        const struct vss_wm_component *component;
        struct vss_component_info info;

        for (size_t i = 0;
             (component = vss_examine_writer_metadata_get_component(writer->metadata, i)); i++) {
                vss_wm_component_get_component_info(component, &info);
                if (strcmp(info.name, name) == 0 &&
                    strcmp(info.logical_path ? info.logical_path : "",
                           logical_path ? logical_path : "") == 0) {
                        *ret_index = i;
                        return true;
                }
        }
        return false;
}

bool bc_declares(const struct gathered *writer, const char *logical_path, const char *name) {
        size_t index;

        return bc_find_declared(writer, logical_path, name, &index);
}

static int check_metadata(struct vss_backup_components *bc, const char *call,
                          struct vss_error *reterr) {
        int r = bc_check(bc, STATE_INITIALIZED, call, reterr);

        if (r < 0)
                return r;
        if (!bc->metadata_ready || bc->metadata_freed)
                return vss_fail(reterr, VSS_E_BAD_STATE, "%s %s", call,
                                bc->metadata_freed ? "after FreeWriterMetadata"
                                                   : "before GatherWriterMetadata has finished");
        return 0;
}

int vss_backup_components_get_writer_metadata_count(struct vss_backup_components *bc, size_t *ret,
                                                    struct vss_error *reterr) {
        int r = check_metadata(bc, "GetWriterMetadataCount", reterr);

        if (r >= 0)
                *ret = bc->writer_count;
        return r;
}

int vss_backup_components_get_writer_metadata(struct vss_backup_components *bc, size_t index,
                                              struct vss_id *ret_instance,
                                              struct vss_examine_writer_metadata **ret_metadata,
                                              struct vss_error *reterr) {
        int r = check_metadata(bc, "GetWriterMetadata", reterr);

        if (r < 0)
                return r;
        if (index >= bc->writer_count)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "GetWriterMetadata: there is no writer %zu, only %zu", index,
                                bc->writer_count);
        if (ret_instance)
                *ret_instance = bc->writers[index].identity.instance_id;
        if (ret_metadata)
                *ret_metadata = bc->writers[index].metadata;
        return 0;
}

/* The documents stay: AddComponent and the checks of what writers send back need them. */
int vss_backup_components_free_writer_metadata(struct vss_backup_components *bc,
                                               struct vss_error *reterr) {
        int r = check_metadata(bc, "FreeWriterMetadata", reterr);

        if (r >= 0)
                bc->metadata_freed = true;
        return r;
}
