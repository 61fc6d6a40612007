/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cursor.c - what a query found: shadow copies or providers, one after the other (S-64). Clones
 * share the records, so that lent strings live as long as any of them.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <string.h>

struct found {
        unsigned references;
        uint32_t type; /* enum vss_object_type */
        const struct wire_table *table;
        struct wire_records records;
};

struct vss_enum_object {
        struct found *found;
        size_t position;
};

static int new_cursor(struct found *found, size_t position, struct vss_enum_object **ret) {
        struct vss_enum_object *cursor = calloc(1, sizeof(*cursor));

        if (!cursor)
                return -ENOMEM;
        cursor->found = found;
        cursor->position = position;
        found->references++;
        *ret = cursor;
        return 0;
}

static void found_unref(struct found *found) {
        if (--found->references > 0)
                return;
        wire_clear_records(found->table, &found->records);
        free(found);
}

static int ask(struct vss_backup_components *bc, struct found *found, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        int r;

        if (found->type == VSS_OBJECT_SNAPSHOT)
                r = bc_new_call(bc, "Query", &m, reterr);
        else
                r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListProviders", &m,
                                   reterr);
        if (r < 0)
                return r;
        if (found->type == VSS_OBJECT_SNAPSHOT)
                r = sd_bus_message_append_basic(m, 'u', &found->type);
        r = bc_send(bc, m, r, &reply, reterr);
        if (r < 0)
                return r;
        r = wire_read_records(reply, found->table, &found->records);
        return r < 0 ? bc_malformed("Query", r, reterr) : 0;
}

int vss_backup_components_query(struct vss_backup_components *bc, uint32_t returned_type,
                                struct vss_enum_object **ret, struct vss_error *reterr) {
        struct found *found;
        int r = bc_check(bc, STATE_BACKUP, "Query", reterr);

        if (r < 0)
                return r;
        if (returned_type != VSS_OBJECT_SNAPSHOT && returned_type != VSS_OBJECT_PROVIDER)
                return vss_fail(reterr, E_INVALIDARG,
                                "Query: only snapshots and providers can be asked for");
        found = calloc(1, sizeof(*found));
        if (!found)
                return vss_fail(reterr, -ENOMEM, "no memory for a query");
        found->references = 1;
        found->type = returned_type;
        found->table = returned_type == VSS_OBJECT_SNAPSHOT ? &wire_snapshot : &wire_provider;
        r = ask(bc, found, reterr);
        if (r >= 0) {
                r = new_cursor(found, 0, ret);
                if (r < 0)
                        vss_fail(reterr, r, "no memory for a query");
                else if (found->records.count == 0)
                        r = S_FALSE;
        }
        found_unref(found);
        return r;
}

int vss_enum_object_next(struct vss_enum_object *cursor, size_t count, struct vss_object_prop *ret,
                         size_t *ret_fetched) {
        const struct found *found = cursor->found;
        size_t fetched = 0;

        for (; fetched < count && cursor->position < found->records.count; fetched++) {
                struct vss_object_prop *prop = &ret[fetched];
                size_t i = cursor->position++;

                memset(prop, 0, sizeof(*prop));
                prop->type = found->type;
                if (found->type == VSS_OBJECT_SNAPSHOT)
                        prop->obj.snap = ((struct vss_snapshot_prop *)found->records.items)[i];
                else
                        prop->obj.prov = ((struct vss_provider_prop *)found->records.items)[i];
        }
        if (ret_fetched)
                *ret_fetched = fetched;
        return fetched < count ? S_FALSE : 0;
}

int vss_enum_object_skip(struct vss_enum_object *cursor, size_t count) {
        size_t left = cursor->found->records.count - cursor->position;

        cursor->position += count < left ? count : left;
        return count > left ? S_FALSE : 0;
}

int vss_enum_object_reset(struct vss_enum_object *cursor) {
        cursor->position = 0;
        return 0;
}

int vss_enum_object_clone(struct vss_enum_object *cursor, struct vss_enum_object **ret) {
        return new_cursor(cursor->found, cursor->position, ret);
}

struct vss_enum_object *vss_enum_object_free(struct vss_enum_object *cursor) {
        if (!cursor)
                return NULL;
        found_unref(cursor->found);
        free(cursor);
        return NULL;
}
