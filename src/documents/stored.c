/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stored.c - public calls of a requester without a session: what a backup type means for a writer,
 * and a Backup Components Document that was stored with a backup, to look at.
 */
#include <string.h>

#include "documents/backup-types.h"
#include "documents/components-document.h"
#include "vss/documents.h"

uint32_t vss_effective_backup_type(uint32_t requested, uint32_t schema) {
        return backup_type_effective(requested, schema);
}

bool vss_file_set_is_required(uint32_t mask, uint32_t effective_type) {
        return backup_type_is_required(effective_type, mask);
}

bool vss_file_set_needs_snapshot(uint32_t mask, uint32_t effective_type) {
        return backup_type_is_snapshot_required(effective_type, mask);
}

/* The public type is the document itself under a name that outsiders may know. */
static struct bcd *bcd_of(struct vss_stored_backup_components *stored) {
        return (struct bcd *)stored;
}

int vss_stored_backup_components_load(const char *xml, size_t size,
                                      struct vss_stored_backup_components **ret,
                                      struct vss_error *reterr) {
        struct bcd *bcd;
        int r = bcd_load(xml, size, NULL, &bcd, reterr);

        if (r >= 0)
                *ret = (struct vss_stored_backup_components *)bcd;
        return r;
}

struct vss_stored_backup_components *
vss_stored_backup_components_free(struct vss_stored_backup_components *stored) {
        bcd_free(bcd_of(stored));
        return NULL;
}

size_t vss_stored_backup_components_get_writer_count(struct vss_stored_backup_components *stored) {
        return bcd_get_writer_count(bcd_of(stored));
}

struct vss_writer_components *
vss_stored_backup_components_get_writer(struct vss_stored_backup_components *stored, size_t index) {
        return bcd_get_writer(bcd_of(stored), index);
}

static bool is_component(const struct vss_component *component,
                         const struct vss_component_key *key) {
        const char *path = vss_component_get_logical_path(component);

        return vss_component_get_component_type(component) == key->type &&
               strcmp(vss_component_get_component_name(component), key->name) == 0 &&
               strcmp(path ? path : "", key->logical_path ? key->logical_path : "") == 0;
}

const struct vss_component *
vss_stored_backup_components_find(struct vss_stored_backup_components *stored,
                                  const struct vss_component_key *key) {
        for (size_t i = 0; i < bcd_get_writer_count(bcd_of(stored)); i++) {
                struct vss_writer_components *writer = bcd_get_writer(bcd_of(stored), i);
                struct vss_id instance, writer_id;

                vss_writer_components_get_writer_info(writer, &instance, &writer_id);
                if (!vss_id_equal(&writer_id, &key->writer_id))
                        continue;
                for (size_t k = 0; k < vss_writer_components_get_component_count(writer); k++) {
                        struct vss_component *c = vss_writer_components_get_component(writer, k);

                        if (is_component(c, key))
                                return c;
                }
        }
        return NULL;
}
