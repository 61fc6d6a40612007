/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory - the reference provider: copies that are only remembered, promises from settings, and
 * faults on request.
 *
 * It touches no volume; the device object is the live mount. Writers, coordinator and vss-hold can
 * be tried with it on any machine. It is no backup. Its copies end with its process, whatever the
 * context asked for.
 *
 * Settings: hold = none|own|freeze, instant = none|spread|one, volumes = all or mount points and
 * volume ids separated by commas, fail_at = METHOD[:CODE], delay_at = METHOD:ms, die_at = METHOD,
 * hang_at = METHOD. METHOD is a field of struct vss_provider_ops; the last four may come again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "kit.h"

#define METHODS(X)                                                                                 \
        X(load)                                                                                    \
        X(is_volume_supported)                                                                     \
        X(begin_prepare_snapshot) X(end_prepare_snapshots) X(pre_commit_snapshots)                 \
                X(commit_snapshots) X(post_commit_snapshots) X(pre_final_commit_snapshots)         \
                        X(post_final_commit_snapshots) X(abort_snapshots)                          \
                                X(get_snapshot_properties) X(query) X(delete_snapshots)
#define AS_ENUM(m) AT_##m,
#define AS_NAME(m) #m,

enum method { METHODS(AS_ENUM) METHOD_COUNT };
static const char *const method_names[] = { METHODS(AS_NAME) };

struct fault {
        int code;
        unsigned delay_ms;
        bool die, hang;
};

struct memory {
        uint32_t hold, instant;
        char *volumes; /* NULL means all */
        struct fault faults[METHOD_COUNT];
        struct vss_snapshot_prop *copies;
        size_t count, capacity;
};

static struct vss_provider_ops memory_ops;

static struct memory *memory_of(struct vss_provider *p) {
        struct memory *m = vss_provider_data(p);

        if (!m) {
                m = calloc(1, sizeof(*m));
                vss_provider_set_data(p, m);
        }
        return m;
}

/* fault_at() - what the settings want of this call; a negative or odd code means: return it */
static int fault_at(struct vss_provider *p, enum method at, struct vss_error *reterr) {
        struct memory *m = memory_of(p);
        const struct fault *fault;

        if (!m)
                return fail_memory(reterr);
        fault = &m->faults[at];
        usleep(fault->delay_ms * 1000);
        if (fault->die)
                raise(SIGKILL);
        while (fault->hang)
                pause();
        if (fault->code == 0)
                return 0;
        return vss_fail(reterr, fault->code, "setting fail_at makes %s fail", method_names[at]);
}

static int configure_fault(struct memory *m, const char *key, const char *value,
                           struct vss_error *reterr) {
        size_t n = strcspn(value, ":");
        const char *argument = value[n] ? value + n + 1 : "";

        for (size_t i = 0; i < METHOD_COUNT; i++) {
                struct fault *fault = &m->faults[i];

                if (strncmp(value, method_names[i], n) != 0 || method_names[i][n] != '\0')
                        continue;
                if (key[0] == 'f')
                        fault->code = !*argument ? VSS_E_PROVIDER_VETO
                                                 : (vss_error_from_name(argument)
                                                            ?: (int)strtol(argument, NULL, 0));
                else if (strcmp(key, "delay_at") == 0)
                        fault->delay_ms = (unsigned)strtoul(argument, NULL, 10);
                else if (strcmp(key, "die_at") == 0)
                        fault->die = true;
                else
                        fault->hang = true;
                return 0;
        }
        return vss_fail(reterr, E_INVALIDARG, "setting '%s': there is no method '%s'", key, value);
}

static int choose(const char *key, const char *value, const char *const names[3], uint32_t *ret,
                  struct vss_error *reterr) {
        for (uint32_t i = 0; i < 3; i++)
                if (strcmp(value, names[i]) == 0) {
                        *ret = i;
                        return 0;
                }
        return vss_fail(reterr, E_INVALIDARG, "setting '%s' is '%s', expected %s, %s or %s", key,
                        value, names[0], names[1], names[2]);
}

static int memory_configure(struct vss_provider *p, const char *key, const char *value,
                            struct vss_error *reterr) {
        static const char *const holds[] = { "none", "own", "freeze" };
        static const char *const instants[] = { "none", "spread", "one" };
        struct memory *m = memory_of(p);

        if (!m)
                return fail_memory(reterr);
        if (strcmp(key, "hold") == 0)
                return choose(key, value, holds, &m->hold, reterr);
        if (strcmp(key, "instant") == 0)
                return choose(key, value, instants, &m->instant, reterr);
        if (strcmp(key, "fail_at") == 0 || strcmp(key, "delay_at") == 0 ||
            strcmp(key, "die_at") == 0 || strcmp(key, "hang_at") == 0)
                return configure_fault(m, key, value, reterr);
        if (strcmp(key, "volumes") == 0) {
                free(m->volumes);
                m->volumes = strcmp(value, "all") == 0 ? NULL : strdup(value);
                return 0;
        }
        if (kit_common_setting(key))
                return 0;
        return vss_fail(reterr, E_INVALIDARG, "provider 'memory' has no setting '%s'", key);
}

static int memory_load(struct vss_provider *p, struct vss_error *reterr) {
        return fault_at(p, AT_load, reterr);
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

        if (!m)
                return;
        while (m->count > 0)
                forget(m, m->count - 1);
        free(m->copies);
        free(m->volumes);
        free(m);
        vss_provider_set_data(p, NULL);
}

static bool is_listed(const char *list, const char *name) {
        size_t n = strlen(name);

        for (const char *p = list; (p = strstr(p, name)); p++)
                if ((p == list || p[-1] == ',' || p[-1] == ' ') &&
                    (p[n] == '\0' || p[n] == ',' || p[n] == ' '))
                        return true;
        return false;
}

static int memory_is_volume_supported(struct vss_provider *p, const struct vss_volume *volume,
                                      uint32_t context, struct vss_promise *ret,
                                      struct vss_error *reterr) {
        int r = fault_at(p, AT_is_volume_supported, reterr);
        const struct memory *m = vss_provider_data(p);

        if (r != 0)
                return r;
        if (m->volumes && !is_listed(m->volumes, volume->mount_point) &&
            !is_listed(m->volumes, volume->id)) {
                vss_fail(reterr, 0, "'%s' is not in the setting volumes", volume->mount_point);
                return 0;
        }
        ret->hold = m->hold;
        ret->instant = m->instant;
        ret->attributes = context & 0xffff;
        return 1;
}

static int memory_begin_prepare_snapshot(struct vss_provider *p, const struct vss_prepare *prepare,
                                         struct vss_error *reterr) {
        int r = fault_at(p, AT_begin_prepare_snapshot, reterr);
        struct memory *m = vss_provider_data(p);
        struct vss_snapshot_prop *copy;
        char host[256] = "localhost";

        if (r != 0)
                return r;
        drop(m, &prepare->set_id, true); /* P-30: a new set drops an unfinished one */
        if (!KIT_GROW(&m->copies, m->count, &m->capacity))
                return fail_memory(reterr);
        (void)gethostname(host, sizeof(host) - 1);
        copy = &m->copies[m->count++];
        *copy = (struct vss_snapshot_prop){ .snapshot_id = prepare->snapshot_id,
                                            .snapshot_set_id = prepare->set_id,
                                            .device_object = strdup(prepare->volume->mount_point),
                                            .original_volume = strdup(prepare->volume->id),
                                            .original_mount = strdup(prepare->volume->mount_point),
                                            .originating_machine = strdup(host),
                                            .service_machine = strdup(host),
                                            .provider_id = memory_ops.id,
                                            .attributes = prepare->context,
                                            .instant = m->instant,
                                            .status = VSS_SS_PREPARING };
        return 0;
}

/* move_on() - one step of the set's life; @count above 0 is the number of copies of the whole set
 */
static int move_on(struct vss_provider *p, const struct vss_id *set, enum method at,
                   uint32_t status, uint32_t count, struct vss_error *reterr) {
        int r = fault_at(p, at, reterr);
        struct memory *m = vss_provider_data(p);
        vss_timestamp_t now = vss_timestamp_now();
        bool found = false;

        if (r != 0)
                return r;
        for (size_t i = 0; i < m->count; i++) {
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
        return found ? 0 : vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "no such set is being made");
}

#define STEP(method, status)                                                                       \
        static int memory_##method(struct vss_provider *p, const struct vss_id *set,               \
                                   struct vss_error *reterr) {                                     \
                return move_on(p, set, AT_##method, status, 0, reterr);                            \
        }
STEP(end_prepare_snapshots, VSS_SS_PREPARED)
STEP(pre_commit_snapshots, VSS_SS_PRECOMMITTED)
STEP(commit_snapshots, VSS_SS_COMMITTED)
STEP(pre_final_commit_snapshots, VSS_SS_PREFINALCOMMITTED)
STEP(post_final_commit_snapshots, VSS_SS_CREATED)

static int memory_post_commit_snapshots(struct vss_provider *p, const struct vss_id *set,
                                        uint32_t count, struct vss_error *reterr) {
        return move_on(p, set, AT_post_commit_snapshots, VSS_SS_POSTCOMMITTED, count, reterr);
}

static void memory_abort_snapshots(struct vss_provider *p, const struct vss_id *set) {
        if (fault_at(p, AT_abort_snapshots, NULL) == 0)
                drop(vss_provider_data(p), set, false);
}

static int memory_get_snapshot_properties(struct vss_provider *p, const struct vss_id *id,
                                          struct vss_snapshot_prop *ret, struct vss_error *reterr) {
        int r = fault_at(p, AT_get_snapshot_properties, reterr);
        struct memory *m = vss_provider_data(p);

        if (r != 0)
                return r;
        for (size_t i = 0; i < m->count; i++)
                if (vss_id_equal(&m->copies[i].snapshot_id, id)) {
                        *ret = m->copies[i];
                        ret->device_object = strdup(ret->device_object);
                        ret->original_volume = strdup(ret->original_volume);
                        ret->original_mount = strdup(ret->original_mount);
                        ret->originating_machine = strdup(ret->originating_machine);
                        ret->service_machine = strdup(ret->service_machine);
                        return 0;
                }
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "provider 'memory' has no such copy");
}

static int memory_query(struct vss_provider *p, vss_snapshot_sink_t sink, void *userdata,
                        struct vss_error *reterr) {
        int r = fault_at(p, AT_query, reterr);
        struct memory *m = vss_provider_data(p);

        for (size_t i = 0; r == 0 && i < m->count; i++)
                if (m->copies[i].status == VSS_SS_CREATED)
                        r = sink(userdata, &m->copies[i]);
        return r;
}

static int memory_delete_snapshots(struct vss_provider *p, const struct vss_id *id, uint32_t type,
                                   bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                   struct vss_error *reterr) {
        int r = fault_at(p, AT_delete_snapshots, reterr);
        struct memory *m = vss_provider_data(p);

        *ret_deleted = 0;
        *ret_nondeleted = (struct vss_id){ 0 };
        if (r != 0)
                return r;
        if (type != VSS_OBJECT_SNAPSHOT && type != VSS_OBJECT_SNAPSHOT_SET)
                return vss_fail(reterr, E_INVALIDARG, "only copies and sets can be deleted");
        for (size_t i = m->count; i-- > 0;) {
                struct vss_snapshot_prop *copy = &m->copies[i];

                if (copy->status != VSS_SS_CREATED ||
                    !vss_id_equal(type == VSS_OBJECT_SNAPSHOT ? &copy->snapshot_id
                                                              : &copy->snapshot_set_id,
                                  id))
                        continue;
                forget(m, i);
                ++*ret_deleted;
        }
        if (*ret_deleted > 0)
                return 0;
        *ret_nondeleted = *id;
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "provider 'memory' has no such copy");
}

static struct vss_provider_ops memory_ops = {
        .name = "memory",
        .title = "copies that are only remembered, for tests",
        .version = "1.0",
        .id = { { 0x4d, 0x45, 0x4d, 0x4f, 0x52, 0x59, 0x40, 0x01, 0x80, 0x01, 1, 1, 1, 1, 1, 1 } },
        .version_id = { { 0x4d, 0x45, 0x4d, 0x4f, 0x52, 0x59, 0x40, 1, 0x80, 1, 1, 1, 1, 1, 1,
                          2 } },
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
