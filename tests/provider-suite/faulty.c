/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faulty - the provider that VSS_FAULTY_INNER names, with one fault, VSS_FAULTY: what
 * vss-provider-suite must find. The names are those of the table at the end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vss/provider.h"

typedef struct vss_provider P;
typedef struct vss_error E;
typedef const struct vss_id *ID;

static struct vss_provider_ops inner, ops;

static int not_in_words(P *p, const char *key, const char *value, E *e) {
        int r = inner.configure(p, key, value, e);

        vss_error_clear(e);
        return r;
}

static int takes_any(P *p, const char *key, const char *value, E *e) {
        int r = inner.configure(p, key, value, e);

        return r == E_INVALIDARG ? 0 : r;
}

static int yes_to_all(P *p, const struct vss_volume *volume, uint32_t context,
                      struct vss_promise *ret, E *e) {
        (void)inner.is_volume_supported(p, volume, 0, ret, e);
        return 1;
}

static int silent_no(P *p, const struct vss_volume *volume, uint32_t context,
                     struct vss_promise *ret, E *e) {
        int r = inner.is_volume_supported(p, volume, context, ret, e);

        vss_error_clear(e);
        return r;
}

static int makes_litter(P *p, const struct vss_prepare *prepare, E *e) {
        char name[4096];

        snprintf(name, sizeof(name), "%s/litter-%02x%02x", prepare->volume->mount_point,
                 prepare->set_id.bytes[0], prepare->set_id.bytes[1]);
        (void)mkdir(name, 0700);
        return inner.begin_prepare_snapshot(p, prepare, e);
}

/* one set in a life, and no other */
static int once(P *p, const struct vss_prepare *prepare, E *e) {
        static struct vss_id first;

        if (vss_id_is_null(&first))
                first = prepare->set_id;
        if (!vss_id_equal(&first, &prepare->set_id))
                return vss_fail(e, VSS_E_PROVIDER_VETO, "there was a set already");
        return inner.begin_prepare_snapshot(p, prepare, e);
}

static int s_false(P *p, ID set, E *e) {
        (void)inner.commit_snapshots(p, set, e);
        return S_FALSE;
}

static int odd_code(P *p, ID set, E *e) {
        return vss_fail(e, -5, "input or output");
}

static int dies(P *p, ID set, E *e) {
        abort();
}

static int hangs(P *p, ID set, E *e) {
        while (pause() < 0)
                ;
        return 0;
}

static int slow(P *p, ID set, E *e) {
        sleep(11);
        return inner.commit_snapshots(p, set, e);
}

/* the copy is made when the writers go on already */
static int not_yet(P *p, ID set, E *e) {
        return 0;
}

static int copies_late(P *p, ID set, uint32_t count, E *e) {
        return inner.post_commit_snapshots(p, set, count, e);
}

static int late(P *p, ID set, E *e) {
        usleep(50000);
        (void)inner.commit_snapshots(p, set, e);
        return inner.post_final_commit_snapshots(p, set, e);
}

static int early(P *p, ID set, uint32_t count, E *e) {
        int r = inner.post_commit_snapshots(p, set, count, e);

        return r < 0 ? r : inner.post_final_commit_snapshots(p, set, e);
}

static int finished(P *p, ID set, E *e) {
        return 0;
}

static void ignores(P *p, ID set) {
}

static void aborts_all(P *p, ID set) {
        struct vss_id left;
        uint32_t deleted;

        inner.abort_snapshots(p, set);
        (void)inner.delete_snapshots(p, set, VSS_OBJECT_SNAPSHOT_SET, true, &deleted, &left, NULL);
}

static int other_set(P *p, ID id, struct vss_snapshot_prop *ret, E *e) {
        int r = inner.get_snapshot_properties(p, id, ret, e);

        ret->snapshot_set_id.bytes[0] ^= 1;
        return r;
}

static int other_times(P *p, ID id, struct vss_snapshot_prop *ret, E *e) {
        int r = inner.get_snapshot_properties(p, id, ret, e);

        ret->creation_timestamp -= id->bytes[0] + 256 * id->bytes[1];
        return r;
}

static int original(P *p, ID id, struct vss_snapshot_prop *ret, E *e) {
        int r = inner.get_snapshot_properties(p, id, ret, e);

        if (r < 0)
                return r;
        free(ret->device_object);
        ret->device_object = strdup(ret->original_mount);
        return r;
}

static int nothing(P *p, vss_snapshot_sink_t sink, void *data, E *e) {
        return 0;
}

/* only what this process has made */
static int made_here;

static int makes(P *p, const struct vss_prepare *prepare, E *e) {
        made_here = 1;
        return inner.begin_prepare_snapshot(p, prepare, e);
}

static int forgetful(P *p, vss_snapshot_sink_t sink, void *data, E *e) {
        return made_here ? inner.query(p, sink, data, e) : 0;
}

static void forgets(P *p) {
        made_here = 0;
}

static int miscounts(P *p, ID id, uint32_t type, bool force, uint32_t *deleted, struct vss_id *left,
                     E *e) {
        int r = inner.delete_snapshots(p, id, type, force, deleted, left, e);

        ++*deleted;
        return r;
}

static int ruthless(P *p, ID id, uint32_t type, bool force, uint32_t *deleted, struct vss_id *left,
                    E *e) {
        return inner.delete_snapshots(p, id, type, true, deleted, left, e);
}

static int deletes_younger(P *p, ID id, uint32_t type, bool force, uint32_t *deleted,
                           struct vss_id *left, E *e) {
        int r = inner.delete_snapshots(p, id, type, force, deleted, left, e);

        (void)system("rm -f \"$VSS_FAULTY_COPIES\"/*/*/copy/vss-provider-suite/one");
        return r;
}

struct vss_provider_ops *vss_provider_init(void);
VSS_PLUGIN_EXPORT struct vss_provider_ops *vss_provider_init(void) {
        const char *path = getenv("VSS_FAULTY_INNER"), *fault = getenv("VSS_FAULTY");
        void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
        struct vss_provider_ops *(*init)(void);

        if (!library || !fault)
                return NULL;
        *(void **)&init = dlsym(library, "vss_provider_init");
        inner = ops = *init();
#define FAULT(name_, field, function)                                                              \
        if (strcmp(fault, name_) == 0)                                                             \
                ops.field = function;
        FAULT("no-id", id, (struct vss_id){ 0 })
        FAULT("not-in-words", configure, not_in_words)
        FAULT("takes-any", configure, takes_any)
        FAULT("yes-to-all", is_volume_supported, yes_to_all)
        FAULT("silent-no", is_volume_supported, silent_no)
        FAULT("litter", begin_prepare_snapshot, makes_litter)
        FAULT("once", begin_prepare_snapshot, once)
        FAULT("s-false", commit_snapshots, s_false)
        FAULT("odd-code", commit_snapshots, odd_code)
        FAULT("dies", commit_snapshots, dies)
        FAULT("hangs", commit_snapshots, hangs)
        FAULT("slow", commit_snapshots, slow)
        FAULT("late", commit_snapshots, not_yet)
        FAULT("late", post_commit_snapshots, copies_late)
        FAULT("late", post_final_commit_snapshots, late)
        FAULT("early", post_commit_snapshots, early)
        FAULT("early", post_final_commit_snapshots, finished)
        FAULT("ignores-abort", abort_snapshots, ignores)
        FAULT("aborts-all", abort_snapshots, aborts_all)
        FAULT("other-set", get_snapshot_properties, other_set)
        FAULT("other-times", get_snapshot_properties, other_times)
        FAULT("original", get_snapshot_properties, original)
        FAULT("shows-nothing", query, nothing)
        FAULT("forgetful", begin_prepare_snapshot, makes)
        FAULT("forgetful", query, forgetful)
        FAULT("forgetful", unload, forgets)
        FAULT("miscounts", delete_snapshots, miscounts)
        FAULT("ruthless", delete_snapshots, ruthless)
        FAULT("hurts-younger", delete_snapshots, deletes_younger)
        return &ops;
}
