/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stored-writers.c - see stored-writers.h.
 */
#define _GNU_SOURCE
#include "backup/stored-writers.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

#define WRITERS_FOLDER "writers/"

struct names {
        char **items;
        size_t count;
};

static void names_done(struct names *names) {
        for (size_t i = 0; i < names->count; i++)
                free(names->items[i]);
        free(names->items);
}

static int add_document(struct stored_writers *writers, const char *xml, size_t size,
                        struct vss_error *reterr) {
        struct vss_examine_writer_metadata *document;
        struct vss_writer_identity identity;
        int r;

        if (ARRAY_RESERVE(&writers->documents, writers->count, &writers->capacity) < 0)
                return -ENOMEM;
        r = vss_examine_writer_metadata_create(xml, size, &document, reterr);
        if (r < 0)
                return r;
        writers->documents[writers->count++] = document;
        vss_examine_writer_metadata_get_identity(document, &identity);
        return selection_add_writer(&writers->all, &identity.instance_id, document);
}

static int load_one(struct store *store, const struct set_info *set, uint32_t operation,
                    const char *name, struct stored_writers *writers) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *xml = NULL;
        size_t size;
        int r = store_read_document(store, set, operation, name, &xml, &size, &error);

        if (r >= 0)
                r = add_document(writers, xml, size, &error);
        if (r < 0 && r != -ENOMEM) {
                selection_note(&writers->all, "what a writer declared cannot be read: %s: %s", name,
                               vss_error_message(&error));
                return 0;
        }
        return r;
}

int stored_writers_load(struct store *store, const struct set_info *set, uint32_t operation,
                        struct stored_writers *ret, struct vss_error *reterr) {
        _cleanup_(names_done) struct names names = { 0 };
        struct stored_writers writers = { 0 };
        int r = store_documents(store, set, operation, &names.items, &names.count, reterr);

        for (size_t i = 0; r >= 0 && i < names.count; i++)
                if (strncmp(names.items[i], WRITERS_FOLDER, strlen(WRITERS_FOLDER)) == 0)
                        r = load_one(store, set, operation, names.items[i], &writers);
        if (r < 0) {
                stored_writers_done(&writers);
                return r == -ENOMEM ? vss_fail(reterr, -ENOMEM, "out of memory") : r;
        }
        *ret = writers;
        return 0;
}

void stored_writers_done(struct stored_writers *writers) {
        selection_done(&writers->all);
        for (size_t i = 0; i < writers->count; i++)
                vss_examine_writer_metadata_free(writers->documents[i]);
        free(writers->documents);
        *writers = (struct stored_writers){ 0 };
}

const struct chosen_writer *stored_writers_find(const struct stored_writers *writers,
                                                const struct component_key *key,
                                                size_t *ret_index) {
        const struct chosen_writer *best = NULL;

        for (size_t i = 0; i < writers->all.writer_count; i++) {
                const struct chosen_writer *writer = &writers->all.writers[i];
                const char *instance = writer->identity.instance_name;
                size_t index;

                if (!vss_id_equal(&writer->identity.writer_id, &key->writer_id))
                        continue;
                index = chosen_writer_find_key(writer, key->logical_path, key->name);
                if (index == COMPONENT_NONE)
                        continue;
                if (best && strcmp(instance ? instance : "", key->instance_name) != 0)
                        continue; /* several instances have one of this name */
                best = writer;
                *ret_index = index;
        }
        return best;
}

bool stored_component_comes_with(const struct chosen_writer *writer, size_t index,
                                 size_t explicit) {
        return vss_examine_writer_metadata_is_below(writer->metadata, index, explicit);
}
