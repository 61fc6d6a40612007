/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drive.c - stands in for vss-host: loads a plug-in, calls its operations as the runtime does, and
 * defines what a plug-in asks of its runtime. Knows nothing of where a provider keeps its copies.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct suite suite;
struct vss_provider provider;
struct vss_provider_ops *ops;
struct vss_error words;
static struct vss_provider_ops copy_of_ops;

void vss_provider_set_data(struct vss_provider *p, void *data) {
        p->data = data;
}

void *vss_provider_data(const struct vss_provider *p) {
        return p->data;
}

bool vss_provider_aborted(const struct vss_provider *p) {
        return p->aborted;
}

/* CALL() - remember which operation runs, for the words when it never returns */
#define CALL(name, ...)                                                                            \
        (snprintf(suite.verdict->call, sizeof(suite.verdict->call), "%s", #name),                  \
         vss_error_clear(&words), ops->name(__VA_ARGS__))

/* ---- load ---- */

static void check_ops(const struct vss_provider_ops *given) {
        const struct {
                const char *name;
                bool present;
        } required[] = {
                { "is_volume_supported", given->is_volume_supported },
                { "begin_prepare_snapshot", given->begin_prepare_snapshot },
                { "commit_snapshots", given->commit_snapshots },
                { "abort_snapshots", given->abort_snapshots },
                { "get_snapshot_properties", given->get_snapshot_properties },
                { "query", given->query },
                { "delete_snapshots", given->delete_snapshots },
        };

        MUST(given->api == VSS_PROVIDER_API, "built for API %u, this is %u: rebuild it", given->api,
             VSS_PROVIDER_API);
        MUST(given->name && *given->name && given->version && *given->version,
             "it has no name or no version");
        MUST(!vss_id_is_null(&given->id) && !vss_id_is_null(&given->version_id),
             "it has no id or no version_id");
        MUST(given->kind >= VSS_PROV_SYSTEM && given->kind <= VSS_PROV_FILESHARE,
             "kind %u is none of enum vss_provider_type", given->kind);
        for (size_t i = 0; i < ELEMENTSOF(required); i++)
                MUST(required[i].present, "the required operation '%s' is missing",
                     required[i].name);
        MUST(!given->keep_reference == !given->query_changes &&
                     !given->keep_reference == !given->release_reference,
             "keep_reference, release_reference and query_changes: all three or none");
}

static void configure_and_load(void) {
        int r = 0;

        provider = (struct vss_provider){ 0 };
        for (size_t i = 0; i < suite.setting_count; i++) {
                char *key = strdup(suite.settings[i]), *value = key ? strchr(key, '=') : NULL;

                MUST(value, "setting '%s'", suite.settings[i]);
                *value++ = '\0';
                r = ops->configure ? CALL(configure, &provider, key, value, &words) : E_INVALIDARG;
                if (r < 0)
                        skip("the setting '%s' is refused: %s", suite.settings[i], fail_of(r));
                free(key);
        }
        if (ops->load)
                r = CALL(load, &provider, &words);
        if (r < 0)
                skip("the provider cannot be loaded: %s", fail_of(r));
}

static void ask_promises(void) {
        suite.persistent = true;
        for (size_t i = 0; i < suite.volume_count; i++) {
                suite.promises[i] = (struct vss_promise){ 0 };
                (void)CALL(is_volume_supported, &provider, &suite.volumes[i], VSS_CTX_BACKUP,
                           &suite.promises[i], &words);
                suite.persistent = suite.persistent &&
                                   (suite.promises[i].attributes & VSS_VOLSNAP_ATTR_PERSISTENT);
        }
}

void provider_open(void) {
        struct vss_provider_ops *(*init)(void), *given;
        void *handle = dlopen(suite.plugin, RTLD_NOW | RTLD_LOCAL);
        size_t size;

        if (!handle)
                skip("cannot be loaded: %s", dlerror());
        *(void **)&init = dlsym(handle, "vss_provider_init");
        if (!init)
                skip("'%s' is no provider: it has no vss_provider_init, see VSS_PROVIDER()",
                     suite.plugin);
        given = init();
        if (!given || given->size < offsetof(struct vss_provider_ops, configure))
                skip("its operations are not registered: use VSS_PROVIDER()");
        size = given->size < sizeof(copy_of_ops) ? given->size : sizeof(copy_of_ops);
        memcpy(&copy_of_ops, given, size); /* an older one is shorter */
        ops = &copy_of_ops;
        check_ops(ops);
        configure_and_load();
        ask_promises();
}

/* The plug-in is never unmapped: its code may run until the end. */
void provider_close(void) {
        if (ops->unload)
                ops->unload(&provider);
        MUST(!provider.data, "unload leaves the data of vss_provider_set_data() behind");
        vss_error_clear(&words);
}

void provider_restart(void) {
        if (ops->unload)
                CALL(unload, &provider);
        configure_and_load();
}

void need_support(void) {
        for (size_t i = 0; i < suite.volume_count; i++) {
                struct vss_promise promise = { 0 };
                int r = CALL(is_volume_supported, &provider, &suite.volumes[i], VSS_CTX_BACKUP,
                             &promise, &words);

                if (r != 1)
                        skip("the provider says no to '%s': %s", suite.volumes[i].mount_point,
                             vss_error_message(&words));
        }
}

/* ---- sets ---- */

struct set set_new(void) {
        struct set set = { .context = VSS_CTX_BACKUP };

        (void)vss_id_new(&set.id);
        for (size_t i = 0; i < VOLUMES_MAX; i++)
                (void)vss_id_new(&set.copies[i]);
        return set;
}

static int begin(struct set *set) {
        static const char *const everything[] = { NULL };
        struct verdict *v = suite.verdict;
        int r = 0;

        if (v->set_count < SETS_MAX)
                v->sets[v->set_count++] = set->id;
        provider.aborted = false;
        hold_release(); /* of a set that was dropped */
        if (ops->set_context)
                r = CALL(set_context, &provider, set->context, &words);
        for (size_t i = 0; i < suite.volume_count && r >= 0; i++) {
                struct vss_prepare prepare = { .set_id = set->id,
                                               .snapshot_id = set->copies[i],
                                               .context = set->context,
                                               .volume = &suite.volumes[i],
                                               .paths = set->paths ? set->paths : everything };

                r = CALL(begin_prepare_snapshot, &provider, &prepare, &words);
        }
        return r;
}

static int commit(struct set *set) {
        int r;

        hold_freeze();
        r = CALL(commit_snapshots, &provider, &set->id, &words);
        hold_release();
        return r;
}

#define OPTIONAL(name, ...) (ops->name ? CALL(name, &provider, &set->id, __VA_ARGS__) : 0)

int set_step(struct set *set, enum step step) {
        switch (step) {
        case BEGIN:
                return begin(set);
        case END_PREPARE:
                return OPTIONAL(end_prepare_snapshots, &words);
        case PRE_COMMIT:
                hold_prepare();
                return OPTIONAL(pre_commit_snapshots, &words);
        case COMMIT:
                return commit(set);
        case POST_COMMIT:
                return OPTIONAL(post_commit_snapshots, (uint32_t)suite.volume_count, &words);
        case PRE_FINAL:
                return OPTIONAL(pre_final_commit_snapshots, &words);
        case POST_FINAL:
                return OPTIONAL(post_final_commit_snapshots, &words);
        case STEPS:
                break;
        }
        return E_INVALIDARG;
}

const char *step_name(unsigned step) {
        static const char *const names[] = {
                "begin_prepare_snapshot",     "end_prepare_snapshots", "pre_commit_snapshots",
                "commit_snapshots",           "post_commit_snapshots", "pre_final_commit_snapshots",
                "post_final_commit_snapshots"
        };

        return names[step];
}

static bool is_allowed(int r) {
        static const int allowed[] = { -ENOMEM,
                                       E_OUTOFMEMORY,
                                       E_INVALIDARG,
                                       E_ACCESSDENIED,
                                       VSS_E_BAD_STATE,
                                       VSS_E_OBJECT_NOT_FOUND,
                                       VSS_E_INSUFFICIENT_STORAGE,
                                       VSS_E_VOLUME_NOT_SUPPORTED,
                                       VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER,
                                       VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED,
                                       VSS_E_PROVIDER_VETO,
                                       VSS_E_UNSUPPORTED_CONTEXT,
                                       -ECANCELED };

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
                if (r == allowed[i])
                        return true;
        return false;
}

void check_refusal(int r, const char *call) {
        rule("P-40");
        MUST(r < 0 && is_allowed(r), "%s returns %s (%d), which becomes UNEXPECTED_PROVIDER_ERROR",
             call, vss_error_name(r), r);
        rule("P-41");
        MUST(words.message && *words.message, "%s fails with %s and does not say why", call,
             vss_error_name(r));
}

void set_run(struct set *set, enum step from, enum step to) {
        for (unsigned step = from; step <= (unsigned)to; step++) {
                int r = set_step(set, (enum step)step);

                if (r > 0 || (r < 0 && !is_allowed(r)))
                        rule("P-40");
                MUST(r == 0, "%s returns %s", step_name(step),
                     r > 0 ? vss_error_name(r) : fail_of(r));
        }
}

void set_abort(const struct set *set) {
        CALL(abort_snapshots, &provider, &set->id);
        hold_release();
}

void set_delete(const struct set *set) {
        struct vss_id left;
        uint32_t deleted = 0;
        int r = delete_object(&set->id, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left);

        MUST(r == 0, "delete_snapshots of a whole set, forced: %s", fail_of(r));
}

/* ---- copies ---- */

struct vss_snapshot_prop properties_of(const struct vss_id *copy) {
        struct vss_snapshot_prop prop = { 0 };
        int r = CALL(get_snapshot_properties, &provider, copy, &prop, &words);

        MUST(r == 0, "get_snapshot_properties: %s", fail_of(r));
        MUST(prop.device_object && *prop.device_object == '/',
             "get_snapshot_properties gives no device object");
        return prop;
}

struct counting {
        const struct vss_id *set;
        int count;
};

static int count_one(void *userdata, const struct vss_snapshot_prop *prop) {
        struct counting *c = userdata;

        if (!vss_id_equal(&prop->snapshot_set_id, c->set))
                return 0;
        MUST(prop->status == VSS_SS_CREATED, "query shows a copy with status %u, not CREATED",
             prop->status);
        c->count++;
        return 0;
}

int count_copies(const struct vss_id *set) {
        struct counting c = { .set = set };
        int r = CALL(query, &provider, count_one, &c, &words);

        MUST(r == 0, "query: %s", fail_of(r));
        return c.count;
}

int delete_object(const struct vss_id *id, uint32_t type, bool force, uint32_t *ret_deleted,
                  struct vss_id *ret_nondeleted) {
        *ret_deleted = 0;
        *ret_nondeleted = (struct vss_id){ 0 };
        return CALL(delete_snapshots, &provider, id, type, force, ret_deleted, ret_nondeleted,
                    &words);
}

const char *text_of(const struct vss_id *id) {
        static char texts[4][VSS_ID_TEXT_SIZE];
        static unsigned turn;

        return vss_id_format(id, texts[turn++ % 4]);
}
