/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copies-made.c - what is asked of copies that exist: properties, query, delete.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kit.h"
#include "mounts.h"
#include "places.h"

static bool is_listed(const struct copies *copies, const struct copy *copy) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;

        if (copy->record.prop.status != VSS_SS_CREATED ||
            asprintf(&path, "%s/%s", copy->place, copy->name) < 0)
                return false;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd >= 0 && copies->kind->is_intact(fd); /* a lost copy is gone (P-42) */
}

static int collect(const struct copies *copies, struct copy_list *ret, struct vss_error *reterr) {
        int r = places_collect(copies, ret);

        return r < 0 ? fail_errno(reterr, r, "provider '%s' cannot look for its copies",
                                  copies->kind->name)
                     : 0;
}

static struct copy *find(const struct copies *copies, const struct copy_list *list,
                         const struct vss_id *snapshot) {
        for (size_t i = 0; i < list->count; i++)
                if (vss_id_equal(&list->items[i].record.prop.snapshot_id, snapshot) &&
                    is_listed(copies, &list->items[i]))
                        return &list->items[i];
        return NULL;
}

static int fail_unknown(const struct copies *copies, const struct vss_id *id,
                        struct vss_error *reterr) {
        char text[VSS_ID_TEXT_SIZE];

        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "provider '%s' has no copy %s",
                        copies->kind->name, vss_id_format(id, text));
}

/* A copy that cannot be seen is not gone: who would forget it would leave it there for ever. */
static int fail_not_deleted(const struct copies *copies, const struct copy_list *list,
                            const struct vss_id *id, struct vss_error *reterr) {
        char text[VSS_ID_TEXT_SIZE];

        if (!list->silent)
                return fail_unknown(copies, id, reterr);
        return vss_fail(
                reterr, -EIO,
                "provider '%s' cannot find the copy %s; it may lie on '%s', which cannot be "
                "read",
                copies->kind->name, vss_id_format(id, text), list->silent);
}

static struct making *find_making(const struct copies *copies, const struct vss_id *snapshot) {
        for (size_t i = 0; i < copies->count; i++)
                if (vss_id_equal(&copies->made[i]->record.prop.snapshot_id, snapshot))
                        return copies->made[i];
        return NULL;
}

int copies_get(struct copies *copies, const struct vss_id *snapshot, struct vss_snapshot_prop *ret,
               struct vss_error *reterr) {
        const struct making *making = find_making(copies, snapshot);
        struct copy_list list = { 0 };
        const struct copy *copy;
        int r;

        if (making)
                return record_copy_properties(&making->record, ret) < 0 ? fail_memory(reterr) : 0;
        r = collect(copies, &list, reterr);
        if (r < 0)
                return r;
        copy = find(copies, &list, snapshot);
        if (!copy)
                r = fail_unknown(copies, snapshot, reterr);
        else if (record_copy_properties(&copy->record, ret) < 0)
                r = fail_memory(reterr);
        copy_list_done(&list);
        return r;
}

int copies_query(struct copies *copies, vss_snapshot_sink_t sink, void *userdata,
                 struct vss_error *reterr) {
        struct copy_list list = { 0 };
        int r = collect(copies, &list, reterr);

        for (size_t i = 0; r >= 0 && i < list.count; i++)
                if (is_listed(copies, &list.items[i]))
                        r = sink(userdata, &list.items[i].record.prop);
        copy_list_done(&list);
        return r < 0 ? r : 0;
}

/* delete_one() - S-71: unmounted lazily with force, VSS_E_VOLUME_IN_USE without */
static int delete_one(const struct copies *copies, const struct copy *copy, bool force,
                      struct vss_error *reterr) {
        const struct vss_snapshot_prop *p = &copy->record.prop;
        _cleanup_free_ char *folder = NULL;
        int r;

        if (asprintf(&folder, "%s/%s", copy->place, copy->name) < 0) {
                folder = NULL;
                return fail_memory(reterr);
        }
        if (!force && ((p->exposed_name && *p->exposed_name) || mounts_using(folder, false) > 0))
                return vss_fail(reterr, VSS_E_VOLUME_IN_USE,
                                "the copy '%s' is exposed or mounted: unexpose it first, or delete "
                                "with force",
                                p->device_object);
        if (force)
                (void)mounts_using(folder, true);
        r = places_remove(copies->kind, copy->place, copy->name, &copy->record, true);
        if (r == -EBUSY)
                return vss_fail(reterr, VSS_E_VOLUME_IN_USE, "the copy '%s' is busy",
                                p->device_object);
        return r < 0 ? fail_errno(reterr, r, "cannot delete the copy '%s'", p->device_object) : 0;
}

static int delete_matching(struct copies *copies, const struct copy_list *list,
                           const struct vss_id *id, uint32_t type, bool force,
                           uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                           struct vss_error *reterr) {
        for (size_t i = 0; i < list->count; i++) {
                const struct vss_snapshot_prop *p = &list->items[i].record.prop;
                int r;

                if (!vss_id_equal(type == VSS_OBJECT_SNAPSHOT ? &p->snapshot_id
                                                              : &p->snapshot_set_id,
                                  id) ||
                    !is_listed(copies, &list->items[i]))
                        continue;
                r = delete_one(copies, &list->items[i], force, reterr);
                if (r < 0) { /* S-70: the first failure stops and is named */
                        *ret_nondeleted = p->snapshot_id;
                        return r;
                }
                ++*ret_deleted;
        }
        if (*ret_deleted > 0)
                return 0;
        *ret_nondeleted = *id;
        return fail_not_deleted(copies, list, id, reterr);
}

int copies_delete(struct copies *copies, const struct vss_id *id, uint32_t type, bool force,
                  uint32_t *ret_deleted, struct vss_id *ret_nondeleted, struct vss_error *reterr) {
        struct copy_list list = { 0 };
        int r;

        *ret_deleted = 0;
        *ret_nondeleted = (struct vss_id){ 0 };
        if (type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_SNAPSHOT_SET)
                return vss_fail(reterr, E_INVALIDARG,
                                "only a copy or a set can be deleted, not an object of type %u",
                                type);
        r = collect(copies, &list, reterr);
        if (r < 0)
                return r;
        r = delete_matching(copies, &list, id, type, force, ret_deleted, ret_nondeleted, reterr);
        copy_list_done(&list);
        return r;
}

static int set_text(char **to, const char *value) {
        char *copy = value && *value ? strdup(value) : NULL;

        if (value && *value && !copy)
                return -ENOMEM;
        free(*to);
        *to = copy;
        return 0;
}

static int set_in_record(struct record *record, uint32_t property, const char *value,
                         struct vss_error *reterr) {
        int r = 0;

        if (property == VSS_SPROPID_EXPOSED_NAME)
                r = set_text(&record->prop.exposed_name, value);
        else if (property == VSS_SPROPID_EXPOSED_PATH)
                r = set_text(&record->prop.exposed_path, value);
        else if (property == VSS_SPROPID_SERVICE_MACHINE)
                r = set_text(&record->prop.service_machine, value);
        else if (property == VSS_SPROPID_SNAPSHOT_ATTRIBUTES && value)
                record->prop.attributes = (uint32_t)strtoul(value, NULL, 0);
        else if (property == VSS_SPROPID_CREATION_TIMESTAMP && value)
                record->prop.creation_timestamp = strtoll(value, NULL, 10);
        else
                return vss_fail(reterr, E_INVALIDARG, "property %u cannot be changed", property);
        return r < 0 ? fail_memory(reterr) : 0;
}

int copies_set_property(struct copies *copies, const struct vss_id *snapshot, uint32_t property,
                        const char *value, struct vss_error *reterr) {
        struct making *making = find_making(copies, snapshot);
        struct copy_list list = { 0 };
        struct copy *copy;
        int r;

        if (making)
                return set_in_record(&making->record, property, value, reterr);
        r = collect(copies, &list, reterr);
        if (r < 0)
                return r;
        copy = find(copies, &list, snapshot);
        r = copy ? set_in_record(&copy->record, property, value, reterr)
                 : fail_unknown(copies, snapshot, reterr);
        if (r >= 0) {
                _cleanup_free_ char *path = NULL;
                _cleanup_close_ int fd = -1;

                if (asprintf(&path, "%s/%s", copy->place, copy->name) >= 0)
                        fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = fd < 0 ? -errno : record_write(fd, &copy->record);
                if (r < 0)
                        r = fail_errno(reterr, r, "cannot write the record of '%s'",
                                       copy->record.prop.device_object);
        }
        copy_list_done(&list);
        return r;
}

int copies_is_snapshotted(struct copies *copies, const struct vss_volume *volume,
                          uint32_t *ret_compatibility, struct vss_error *reterr) {
        struct copy_list list = { 0 };
        int r = collect(copies, &list, reterr);

        *ret_compatibility = 0;
        for (size_t i = 0; r == 0 && i < list.count; i++)
                if (is_listed(copies, &list.items[i]) &&
                    strcmp(list.items[i].record.prop.original_volume, volume->id) == 0)
                        r = 1;
        if (r == 1)
                *ret_compatibility = copies->kind->compatibility;
        copy_list_done(&list);
        return r;
}
