/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory - the reference provider: copies that are only remembered, promises from settings, and
 * faults on request. The device object is the live mount. It is no backup; its copies end with its
 * process, whatever the context asked for.
 *
 * Settings: hold = none|own|freeze, instant = none|spread|one, volumes = all, or mount points and
 * volume ids between commas, and those of memory-faults.h.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "kit.h"
#include "memory-faults.h"

#define MEMORY_ID(n)                                                                               \
        {                                                                                          \
                { 0x4d, 0x45, 0x4d, 0x4f, 0x52, 0x59, 0x40, 1, 0x80, 1, 1, 1, 1, 1, 1, n }         \
        }

struct memory {
        uint32_t hold, instant;
        char *volumes; /* between commas; NULL means all */
        struct faults faults;
        struct vss_snapshot_prop *copies;
        size_t count, capacity;
};

static struct memory *memory_of(struct vss_provider *p) {
        if (!vss_provider_data(p))
                vss_provider_set_data(p, calloc(1, sizeof(struct memory)));
        return vss_provider_data(p);
}

/* enter() - every operation begins so; what it returns other than 0 is the operation's result */
static int enter(struct vss_provider *p, const char *function, struct vss_error *reterr) {
        const struct memory *m = memory_of(p);

        return m ? faults_act(&m->faults, function + strlen("memory_"), reterr)
                 : fail_memory(reterr);
}

static int choose(const char *key, const char *value, const char *choices, uint32_t *ret,
                  struct vss_error *reterr) {
        *ret = 0;
        for (const char *c = choices; *c; c += strlen(c) + 1, ++*ret)
                if (strcmp(value, c) == 0)
                        return 0;
        return vss_fail(reterr, E_INVALIDARG, "'%s' is no value of the setting '%s'", value, key);
}

static int memory_configure(struct vss_provider *p, const char *key, const char *value,
                            struct vss_error *reterr) {
        struct memory *m = memory_of(p);

        if (!m)
                return fail_memory(reterr);
        if (strcmp(key, "hold") == 0)
                return choose(key, value, "none\0own\0freeze\0", &m->hold, reterr);
        if (strcmp(key, "instant") == 0)
                return choose(key, value, "none\0spread\0one\0", &m->instant, reterr);
        if (faults_is_setting(key))
                return faults_setting(&m->faults, key, value, reterr);
        if (strcmp(key, "volumes") == 0 && !m->volumes && strcmp(value, "all") != 0)
                return asprintf(&m->volumes, ",%s,", value) < 0 ? fail_memory(reterr) : 0;
        if (strcmp(key, "volumes") == 0 || kit_common_setting(key))
                return 0;
        return vss_fail(reterr, E_INVALIDARG, "provider 'memory' has no setting '%s'", key);
}

static int memory_load(struct vss_provider *p, struct vss_error *reterr) {
        return enter(p, __func__, reterr);
}

static void forget(struct memory *m, size_t i) {
        vss_free_snapshot_properties(&m->copies[i]);
        m->copies[i] = m->copies[--m->count];
}

/* drop() - forget what never became CREATED of @set, or of every other set */
static void drop(struct memory *m, const struct vss_id *set, bool others) {
        for (size_t i = m->count; i-- > 0;)
                if (m->copies[i].status != VSS_SS_CREATED &&
                    vss_id_equal(&m->copies[i].snapshot_set_id, set) != others)
                        forget(m, i);
}

static void memory_unload(struct vss_provider *p) {
        struct memory *m = vss_provider_data(p);

        while (m && m->count > 0)
                forget(m, m->count - 1);
        if (m) {
                free(m->copies);
                faults_done(&m->faults);
                free(m->volumes);
        }
        free(m);
        vss_provider_set_data(p, NULL);
}

static bool is_listed(const char *list, const char *name) {
        char *entry;
        bool found;

        if (asprintf(&entry, ",%s,", name) < 0)
                return false;
        found = strstr(list, entry) != NULL;
        free(entry);
        return found;
}

static int memory_is_volume_supported(struct vss_provider *p, const struct vss_volume *volume,
                                      uint32_t context, struct vss_promise *ret,
                                      struct vss_error *reterr) {
        int r = enter(p, __func__, reterr);
        const struct memory *m = vss_provider_data(p);

        if (r != 0)
                return r;
        if (m->volumes && !is_listed(m->volumes, volume->mount_point) &&
            !is_listed(m->volumes, volume->id))
                return vss_fail(reterr, 0, "the setting volumes lacks '%s'", volume->mount_point);
        *ret = (struct vss_promise){ .hold = m->hold, .instant = m->instant };
        return 1;
}

/* copy_of() - @from with strings of its own */
static struct vss_snapshot_prop copy_of(const struct vss_snapshot_prop *from) {
        struct vss_snapshot_prop copy = *from;

        copy.device_object = strdup(from->device_object);
        copy.original_volume = strdup(from->original_volume);
        copy.original_mount = strdup(from->original_mount);
        copy.originating_machine = strdup(from->originating_machine);
        copy.service_machine = strdup(from->service_machine);
        return copy;
}

static int memory_begin_prepare_snapshot(struct vss_provider *p, const struct vss_prepare *prepare,
                                         struct vss_error *reterr) {
        int r = enter(p, __func__, reterr);
        struct memory *m = vss_provider_data(p);
        char *mount = (char *)(uintptr_t)prepare->volume->mount_point;
        char host[256] = "";
        const struct vss_snapshot_prop copy = {
                .snapshot_id = prepare->snapshot_id,
                .snapshot_set_id = prepare->set_id,
                .device_object = mount,
                .original_volume = (char *)(uintptr_t)prepare->volume->id,
                .original_mount = mount,
                .originating_machine = host,
                .service_machine = host,
                .provider_id = MEMORY_ID(1),
                .attributes = prepare->context,
                .status = VSS_SS_PREPARING,
        };

        if (r != 0)
                return r;
        drop(m, &prepare->set_id, true); /* P-30: a new set drops an unfinished one */
        if (!KIT_GROW(&m->copies, m->count, &m->capacity))
                return fail_memory(reterr);
        (void)gethostname(host, sizeof(host) - 1);
        m->copies[m->count] = copy_of(&copy);
        m->copies[m->count++].instant = m->instant;
        return 0;
}

/* step() - of the set's life; @count above 0 is the number of copies of the whole set */
static int step(struct vss_provider *p, const struct vss_id *set, const char *function,
                uint32_t status, uint32_t count, struct vss_error *reterr) {
        int r = enter(p, function, reterr);
        const struct memory *m = vss_provider_data(p);
        vss_timestamp_t now = vss_timestamp_now();
        bool found = false;

        for (size_t i = 0; r == 0 && i < m->count; i++) {
                struct vss_snapshot_prop *copy = &m->copies[i];

                if (copy->status == VSS_SS_CREATED || !vss_id_equal(&copy->snapshot_set_id, set))
                        continue;
                found = true;
                copy->status = status;
                if (count > 0)
                        copy->snapshots_count = (int32_t)count;
                if (status == VSS_SS_COMMITTED)
                        copy->creation_timestamp = now;
        }
        if (r != 0 || found)
                return r;
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "no such set is being made");
}

#define STEP(method, status)                                                                       \
        static int memory_##method(struct vss_provider *p, const struct vss_id *set,               \
                                   struct vss_error *reterr) {                                     \
                return step(p, set, __func__, status, 0, reterr);                                  \
        }
STEP(end_prepare_snapshots, VSS_SS_PREPARED)
STEP(pre_commit_snapshots, VSS_SS_PRECOMMITTED)
STEP(commit_snapshots, VSS_SS_COMMITTED)
STEP(pre_final_commit_snapshots, VSS_SS_PREFINALCOMMITTED)
STEP(post_final_commit_snapshots, VSS_SS_CREATED)

static int memory_post_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                        uint32_t count, struct vss_error *reterr) {
        return step(p, set, __func__, VSS_SS_POSTCOMMITTED, count, reterr);
}

static void memory_abort_snapshots(struct vss_provider *p, const struct vss_id *set) {
        if (enter(p, __func__, NULL) == 0)
                drop(vss_provider_data(p), set, false);
}

static int memory_get_snapshot_properties(struct vss_provider *p, const struct vss_id *id,
                                          struct vss_snapshot_prop *ret, struct vss_error *reterr) {
        int r = enter(p, __func__, reterr);
        const struct memory *m = vss_provider_data(p);

        for (size_t i = 0; r == 0 && i < m->count; i++)
                if (vss_id_equal(&m->copies[i].snapshot_id, id)) {
                        *ret = copy_of(&m->copies[i]);
                        return 0;
                }
        return r ?: vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "provider 'memory' has no such copy");
}

static int memory_query(struct vss_provider *p, vss_snapshot_sink_t sink, void *userdata,
                        struct vss_error *reterr) {
        int r = enter(p, __func__, reterr);
        const struct memory *m = vss_provider_data(p);

        for (size_t i = 0; r == 0 && i < m->count; i++)
                if (m->copies[i].status == VSS_SS_CREATED)
                        r = sink(userdata, &m->copies[i]);
        return r;
}

static int memory_delete_snapshots(struct vss_provider *p, const struct vss_id *id, uint32_t type,
                                   bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                   struct vss_error *reterr) {
        int r = enter(p, __func__, reterr);
        struct memory *m = vss_provider_data(p);

        *ret_deleted = 0;
        *ret_nondeleted = (struct vss_id){ 0 };
        if (r == 0 && type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_SNAPSHOT_SET)
                r = vss_fail(reterr, E_INVALIDARG, "only copies and sets can be deleted");
        for (size_t i = r == 0 ? m->count : 0; i-- > 0;) {
                const struct vss_snapshot_prop *c = &m->copies[i];

                if (c->status == VSS_SS_CREATED &&
                    vss_id_equal(type == VSS_OBJECT_SNAPSHOT ? &c->snapshot_id
                                                             : &c->snapshot_set_id,
                                 id)) {
                        forget(m, i);
                        ++*ret_deleted;
                }
        }
        if (r != 0 || *ret_deleted > 0)
                return r;
        *ret_nondeleted = *id;
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "provider 'memory' has no such copy");
}

static struct vss_provider_ops memory_ops = {
        .name = "memory",
        .title = "copies that are only remembered, for tests",
        .version = "1.0",
        .id = MEMORY_ID(1),
        .version_id = MEMORY_ID(2),
        .kind = VSS_PROV_SYSTEM, /* asked last (P-13), and off unless enabled */
        .configure = memory_configure,
        .load = memory_load,
        .unload = memory_unload,
        .is_volume_supported = memory_is_volume_supported,
        .begin_prepare_snapshot = memory_begin_prepare_snapshot,
        .end_prepare_snapshots = memory_end_prepare_snapshots,
        .pre_commit_snapshots = memory_pre_commit_snapshots,
        .commit_snapshots = memory_commit_snapshots,
        .post_commit_snapshots = memory_post_commit_snapshots,
        .pre_final_commit_snapshots = memory_pre_final_commit_snapshots,
        .post_final_commit_snapshots = memory_post_final_commit_snapshots,
        .abort_snapshots = memory_abort_snapshots,
        .get_snapshot_properties = memory_get_snapshot_properties,
        .query = memory_query,
        .delete_snapshots = memory_delete_snapshots,
};

VSS_PROVIDER(memory_ops);
