/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-provider.c - the provider's runtime over a real socket pair: a small plug-in in a thread,
 * this thread is the coordinator.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "bus/names.h"
#include "bus/wire.h"
#include "tests/check.h"
#include "vss/provider.h"

#define ID(n)                                                                                      \
        {                                                                                          \
                { n, 2, 3 }                                                                        \
        }
static const struct vss_id set_a = ID(0xa), set_b = ID(0xb), copy_1 = ID(1), copy_2 = ID(2);

/* ---- the plug-in: writes down what it was told ---- */

static char story[4096];
static int next_result; /* of the next step */
static _Atomic bool in_end_prepare;
static bool wait_for_abort;

static void tell(const char *format, ...) {
        size_t n = strlen(story);
        va_list ap;

        va_start(ap, format);
        vsnprintf(story + n, sizeof(story) - n, format, ap);
        va_end(ap);
}

static int step(const char *name, const struct vss_id *set, struct vss_error *e) {
        int r = next_result;

        tell("%s:%x ", name, set->bytes[0]);
        next_result = 0;
        return r < 0 ? vss_fail(e, r, "%s did not want to", name) : 0;
}

static int p_configure(struct vss_provider *p, const char *key, const char *value,
                       struct vss_error *e) {
        if (strcmp(key, "bad") == 0)
                return vss_fail(e, E_INVALIDARG, "'%s' is no known setting", key);
        tell("%s=%s ", key, value);
        return 0;
}

static int p_load(struct vss_provider *p, struct vss_error *e) {
        vss_provider_set_data(p, story);
        tell("load ");
        return 0;
}

static void p_unload(struct vss_provider *p) {
        CHECK(vss_provider_data(p) == story);
        tell("unload ");
}

static int p_is_volume_supported(struct vss_provider *p, const struct vss_volume *v, uint32_t ctx,
                                 struct vss_promise *ret, struct vss_error *e) {
        if (strcmp(v->fs_type, "xfs") != 0) {
                vss_fail(e, 0, "'%s' is not XFS", v->mount_point);
                return 0;
        }
        ret->hold = VSS_HOLD_FREEZE;
        ret->instant = VSS_INSTANT_ONE;
        ret->attributes = VSS_VOLSNAP_ATTR_PERSISTENT;
        return 1;
}

static int p_begin(struct vss_provider *p, const struct vss_prepare *x, struct vss_error *e) {
        CHECK(x->paths);
        tell("[%s%s%s] ", x->volume->mount_point, x->paths[0] ? " " : "",
             x->paths[0] ? x->paths[0] : "");
        return step("begin", &x->set_id, e);
}

static int p_end_prepare(struct vss_provider *p, const struct vss_id *set, struct vss_error *e) {
        in_end_prepare = true;
        for (int i = 0; wait_for_abort && i < 5000; i++) {
                if (vss_provider_aborted(p)) {
                        tell("cancelled ");
                        return vss_fail(e, -ECANCELED, "given up");
                }
                usleep(1000);
        }
        return step("end", set, e);
}

static int p_pre_commit(struct vss_provider *p, const struct vss_id *set, struct vss_error *e) {
        return step("precommit", set, e);
}

static int p_commit(struct vss_provider *p, const struct vss_id *set, struct vss_error *e) {
        return step("commit", set, e);
}

static int p_post_commit(struct vss_provider *p, const struct vss_id *set, uint32_t count,
                         struct vss_error *e) {
        tell("(%u) ", count);
        return step("postcommit", set, e);
}

static void p_abort(struct vss_provider *p, const struct vss_id *set) {
        (void)step("abort", set, NULL);
}

static void fill(struct vss_snapshot_prop *prop, const struct vss_id *id) {
        *prop = (struct vss_snapshot_prop){
                .snapshot_id = *id, .snapshot_set_id = set_a, .snapshots_count = 2, .attributes = 9
        };
        prop->device_object = strdup("/copies/\xff");
        prop->original_volume = strdup("UUID=1");
}

static int p_properties(struct vss_provider *p, const struct vss_id *id,
                        struct vss_snapshot_prop *ret, struct vss_error *e) {
        if (!vss_id_equal(id, &copy_1))
                return vss_fail(e, VSS_E_OBJECT_NOT_FOUND, "no such copy");
        fill(ret, id);
        return 0;
}

static int p_query(struct vss_provider *p, vss_snapshot_sink_t sink, void *userdata,
                   struct vss_error *e) {
        const struct vss_id *ids[] = { &copy_1, &copy_2 };

        for (int i = 0; i < 2; i++) {
                struct vss_snapshot_prop prop;
                int r;

                fill(&prop, ids[i]);
                r = sink(userdata, &prop);
                vss_free_snapshot_properties(&prop);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int p_delete(struct vss_provider *p, const struct vss_id *id, uint32_t type, bool force,
                    uint32_t *ret_deleted, struct vss_id *ret_nondeleted, struct vss_error *e) {
        *ret_deleted = 1;
        if (force)
                return 0;
        *ret_nondeleted = copy_2;
        return vss_fail(e, VSS_E_PROVIDER_VETO, "copy 2 is mounted: unmount it");
}

static const struct vss_provider_ops full_ops = {
        .size = sizeof(struct vss_provider_ops),
        .api = VSS_PROVIDER_API,
        .name = "testing",
        .version = "1.2",
        .id = ID(0x77),
        .kind = VSS_PROV_SOFTWARE,
        .configure = p_configure,
        .load = p_load,
        .unload = p_unload,
        .is_volume_supported = p_is_volume_supported,
        .begin_prepare_snapshot = p_begin,
        .end_prepare_snapshots = p_end_prepare,
        .pre_commit_snapshots = p_pre_commit,
        .commit_snapshots = p_commit,
        .post_commit_snapshots = p_post_commit,
        .abort_snapshots = p_abort,
        .get_snapshot_properties = p_properties,
        .query = p_query,
        .delete_snapshots = p_delete,
};

/* ---- the coordinator's end ---- */

static struct vss_provider_ops ops;
static sd_bus *bus;
static pthread_t host;
static int host_fd, host_result;
static struct vss_error host_error;

static void *host_thread(void *unused) {
        host_result = vss_provider_run(&ops, host_fd, &host_error);
        return NULL;
}

static void start(void) {
        int pair[2];

        story[0] = '\0';
        next_result = 0;
        in_end_prepare = wait_for_abort = false;
        CHECK_INT(socketpair_cloexec(pair), 0);
        host_fd = pair[1];
        CHECK_INT(pthread_create(&host, NULL, host_thread, NULL), 0);
        CHECK_INT(wire_connect(pair[0], true, &bus), 0);
}

static void stop(void) {
        bus = sd_bus_close_unref(bus);
        pthread_join(host, NULL);
        CHECK_INT(host_result, 0);
}

static sd_bus_message *new_call(const char *member, const struct wire_request *request) {
        sd_bus_message *m;

        CHECK(sd_bus_message_new_method_call(bus, &m, NULL, VSS_PROVIDER_PATH,
                                             VSS_PROVIDER_INTERFACE, member) >= 0);
        CHECK_INT(wire_append(m, &wire_request, request), 0);
        return m;
}

static int call(const char *member, const struct wire_request *request, sd_bus_message **ret,
                struct vss_error *reterr) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *m = new_call(member, request), *reply = NULL;
        int r = sd_bus_call(bus, m, 0, &e, &reply);

        if (r < 0)
                return sd_bus_error_is_set(&e) ? wire_get_error(&e, reterr) : r;
        if (ret)
                *ret = take(reply);
        return 0;
}

static int on_set(const char *member, const struct vss_id *set) {
        struct wire_request request = { .set_id = *set,
                                        .count = 2,
                                        .volume = { .mount_point = "/m" } };

        return call(member, &request, NULL, NULL);
}

static void load(void) {
        struct wire_request request = { 0 };

        CHECK_INT(call("Load", &request, NULL, NULL), 0);
        story[0] = '\0';
}

static void test_life(void) {
        char key[] = "area", value[] = "/x", bad[] = "bad";
        char *settings[] = { key, value, NULL }, *wrong[] = { bad, value, NULL };
        struct wire_request request = { .settings = settings }, none = { 0 };
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_message_ sd_bus_message *reply = NULL;
        struct vss_provider_prop prop = { 0 };

        start();
        CHECK_INT(call("Query", &none, NULL, NULL), VSS_E_BAD_STATE); /* before Load */
        CHECK_INT(call("Configure", &request, NULL, NULL), 0);
        request.settings = wrong;
        CHECK_INT(call("Configure", &request, NULL, &error), E_INVALIDARG);
        CHECK_STR(error.message, "provider 'testing', setting 'bad': 'bad' is no known setting");
        CHECK_INT(call("Load", &none, &reply, NULL), 0);
        CHECK_INT(wire_read(reply, &wire_provider, &prop), 0);
        CHECK_STR(prop.name, "testing");
        CHECK_STR(prop.title, "testing");
        CHECK_STR(prop.version, "1.2");
        CHECK_INT(prop.kind, VSS_PROV_SOFTWARE);
        CHECK(vss_id_equal(&prop.provider_id, &full_ops.id));
        wire_clear(&wire_provider, &prop);
        CHECK_INT(call("Load", &none, NULL, NULL), VSS_E_BAD_STATE);
        CHECK_INT(call("Configure", &request, NULL, NULL), VSS_E_BAD_STATE);
        CHECK_INT(call("Nonsense", &none, NULL, NULL), -EBADR);
        stop();
        CHECK_STR(story, "area=/x load unload "); /* the end of the connection unloads */
}

/* P-2: yes with promises, no with words */
static void test_questions(void) {
        struct wire_request request = { .volume = { .fs_type = "xfs", .mount_point = "/m" } };
        struct wire_answer answer = { 0 };
        _cleanup_message_ sd_bus_message *yes = NULL, *no = NULL;

        start();
        load();
        CHECK_INT(call("IsVolumeSupported", &request, &yes, NULL), 0);
        CHECK_INT(wire_read(yes, &wire_answer, &answer), 0);
        CHECK(answer.supported && !answer.refusal);
        CHECK_INT(answer.hold, VSS_HOLD_FREEZE);
        CHECK_INT(answer.instant, VSS_INSTANT_ONE);
        CHECK_INT(answer.attributes, VSS_VOLSNAP_ATTR_PERSISTENT);
        request.volume.fs_type = "vfat";
        CHECK_INT(call("IsVolumeSupported", &request, &no, NULL), 0);
        CHECK_INT(wire_read(no, &wire_answer, &answer), 0);
        CHECK(!answer.supported);
        CHECK_STR(answer.refusal, "'/m' is not XFS");
        wire_clear(&wire_answer, &answer);
        stop();
}

/* P-30, the diagonal: one set in order */
static void test_set_in_order(void) {
        char path[] = "/m/data";
        char *paths[] = { path, NULL };
        struct wire_request second = { .set_id = set_a,
                                       .volume = { .mount_point = "/n" },
                                       .paths = paths };

        start();
        load();
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        CHECK_INT(call("BeginPrepareSnapshot", &second, NULL, NULL), 0);
        CHECK_INT(on_set("EndPrepareSnapshots", &set_a), 0);
        CHECK_INT(on_set("PreCommitSnapshots", &set_a), 0);
        CHECK_INT(on_set("CommitSnapshots", &set_a), 0);
        CHECK_INT(on_set("PostCommitSnapshots", &set_a), 0);
        CHECK_INT(on_set("PreFinalCommitSnapshots", &set_a), 0); /* the plug-in has none */
        CHECK_INT(on_set("PostFinalCommitSnapshots", &set_a), 0);
        CHECK_INT(on_set("AbortSnapshots", &set_a), 0); /* CREATED: stays */
        CHECK_INT(on_set("AbortSnapshots", &set_b), 0); /* of an earlier life */
        stop();
        CHECK_STR(story, "[/m] begin:a [/n /m/data] begin:a end:a precommit:a commit:a (2) "
                         "postcommit:a abort:b unload ");
}

/* P-30: every other call in every state is a veto that drops the set */
static void test_veto(void) {
        static const char *const steps[] = {
                "EndPrepareSnapshots", "PreCommitSnapshots",      "CommitSnapshots",
                "PostCommitSnapshots", "PreFinalCommitSnapshots", "PostFinalCommitSnapshots"
        };

        start();
        load();
        for (int done = -1; done < 6; done++) /* -1: no set at all */
                for (int wrong = 0; wrong < 6; wrong++) {
                        if (wrong == done)
                                continue;
                        if (done >= 0)
                                CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
                        for (int i = 0; i < done; i++)
                                CHECK_INT(on_set(steps[i], &set_a), 0);
                        story[0] = '\0';
                        CHECK_INT(on_set(steps[wrong], &set_a), VSS_E_PROVIDER_VETO);
                        CHECK_STR(story, done >= 0 ? "abort:a " : "");
                }

        /* the right step with another set's id */
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        story[0] = '\0';
        CHECK_INT(on_set("EndPrepareSnapshots", &set_b), VSS_E_PROVIDER_VETO);
        CHECK_STR(story, "abort:a ");

        /* a new set silently drops the old one */
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        CHECK_INT(on_set("EndPrepareSnapshots", &set_a), 0);
        story[0] = '\0';
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_b), 0);
        CHECK_STR(story, "abort:a [/m] begin:b ");
        CHECK_INT(on_set("EndPrepareSnapshots", &set_b), 0);
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_b), VSS_E_PROVIDER_VETO);
        stop();
}

static void test_failures(void) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct wire_request request = { .set_id = set_a, .volume = { .mount_point = "/m" } };
        _cleanup_message_ sd_bus_message *reply = NULL, *all = NULL, *some = NULL, *list = NULL;
        struct vss_snapshot_prop prop = { 0 }, *items;
        struct wire_answer answer = { 0 };

        start();
        load();
        next_result = VSS_E_INSUFFICIENT_STORAGE;
        CHECK_INT(call("BeginPrepareSnapshot", &request, NULL, &error), VSS_E_INSUFFICIENT_STORAGE);
        CHECK_STR(error.message, "begin did not want to");
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        next_result = -ENOSPC;
        CHECK_INT(on_set("EndPrepareSnapshots", &set_a), -ENOSPC);
        CHECK_INT(on_set("AbortSnapshots", &set_a), 0);
        CHECK_INT(on_set("AbortSnapshots", &set_a), 0); /* twice too */
        CHECK(strstr(story, "abort:a abort:a "));

        request.snapshot_id = copy_2;
        CHECK_INT(call("GetSnapshotProperties", &request, NULL, NULL), VSS_E_OBJECT_NOT_FOUND);
        request.snapshot_id = copy_1;
        CHECK_INT(call("GetSnapshotProperties", &request, &reply, NULL), 0);
        CHECK_INT(wire_read(reply, &wire_snapshot, &prop), 0);
        CHECK_STR(prop.device_object, "/copies/\xff");
        wire_clear(&wire_snapshot, &prop);

        CHECK_INT(call("Query", &request, &list, NULL), 0);
        CHECK_INT(wire_read(list, &wire_answer, &answer), 0);
        CHECK_INT(answer.snapshots.count, 2);
        items = answer.snapshots.items;
        CHECK(vss_id_equal(&items[1].snapshot_id, &copy_2));
        CHECK_STR(items[1].original_volume, "UUID=1");
        wire_clear(&wire_answer, &answer);

        CHECK_INT(call("DeleteSnapshots", &request, &some, NULL), 0);
        CHECK_INT(wire_read(some, &wire_answer, &answer), 0);
        CHECK_INT(answer.deleted, 1);
        CHECK(vss_id_equal(&answer.nondeleted, &copy_2));
        CHECK_INT(answer.failure, VSS_E_PROVIDER_VETO);
        CHECK_STR(answer.message, "copy 2 is mounted: unmount it");
        wire_clear(&wire_answer, &answer);
        request.force = true;
        CHECK_INT(call("DeleteSnapshots", &request, &all, NULL), 0);
        CHECK_INT(wire_read(all, &wire_answer, &answer), 0);
        CHECK_INT(answer.failure, 0);
        wire_clear(&wire_answer, &answer);
        CHECK_INT(call("SetSnapshotProperty", &request, NULL, NULL), E_NOTIMPL);
        CHECK_INT(call("KeepReference", &request, NULL, NULL), E_NOTIMPL);
        CHECK_INT(call("ReleaseReference", &request, NULL, NULL), E_NOTIMPL);
        CHECK_INT(call("QueryChanges", &request, NULL, NULL), E_NOTIMPL);
        stop();
}

static int end_prepare_result = 1;

static int on_end_prepare(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        const sd_bus_error *error = sd_bus_message_get_error(m);

        end_prepare_result = error ? wire_get_error(error, NULL) : 0;
        return 0;
}

static void begin_long_preparation(void) {
        struct wire_request request = { .set_id = set_a };
        _cleanup_message_ sd_bus_message *m = NULL;

        wait_for_abort = true;
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        m = new_call("EndPrepareSnapshots", &request);
        CHECK(sd_bus_call_async(bus, NULL, m, on_end_prepare, NULL, UINT64_MAX) >= 0);
        CHECK(sd_bus_flush(bus) >= 0);
        while (!in_end_prepare)
                usleep(1000);
}

/* P-32: AbortSnapshots arrives while EndPrepareSnapshots runs */
static void test_abort_during_end_prepare(void) {
        uint64_t begun = monotonic_us();

        start();
        load();
        begin_long_preparation();
        CHECK_INT(on_set("AbortSnapshots", &set_a), 0);
        while (sd_bus_process(bus, NULL) > 0)
                ;
        CHECK_INT(end_prepare_result, -ECANCELED);
        CHECK(monotonic_us() - begun < 3000000);
        CHECK_STR(story, "[/m] begin:a cancelled abort:a ");
        /* the flag does not stay for the next set */
        wait_for_abort = false;
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_b), 0);
        CHECK_INT(on_set("EndPrepareSnapshots", &set_b), 0);
        stop();
        CHECK(strstr(story, "end:b abort:b unload ")); /* an unfinished set is dropped at the end */
}

/* the coordinator dies in the middle: the long work ends, the set is dropped */
static void test_connection_end(void) {
        start();
        load();
        begin_long_preparation();
        stop();
        CHECK_STR(story, "[/m] begin:a cancelled abort:a unload ");
}

static void test_sigterm(void) {
        start();
        load();
        CHECK_INT(on_set("BeginPrepareSnapshot", &set_a), 0);
        kill(getpid(), SIGINT); /* a terminal's signals mean others */
        kill(getpid(), SIGHUP);
        CHECK_INT(on_set("EndPrepareSnapshots", &set_a), 0);
        kill(getpid(), SIGTERM);
        pthread_join(host, NULL);
        CHECK_INT(host_result, 0);
        CHECK_STR(story, "[/m] begin:a end:a abort:a unload ");
        bus = sd_bus_close_unref(bus);
}

/* an old plug-in's struct was smaller; what it lacks is not there */
static void test_old_size(void) {
        ops.size = offsetof(struct vss_provider_ops, set_snapshot_property);
        ops.set_snapshot_property = (void *)(uintptr_t)1; /* memory behind the old struct */
        start();
        load();
        CHECK_INT(call("SetSnapshotProperty", &(struct wire_request){ 0 }, NULL, NULL), E_NOTIMPL);
        stop();
        ops = full_ops;
}

static void refused(const char *words) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int pair[2];

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(vss_provider_run(&ops, pair[1], &error), E_INVALIDARG);
        CHECK_STR(error.message, words);
        close(pair[0]);
        ops = full_ops;
}

static void test_required(void) {
        ops.commit_snapshots = NULL;
        refused("provider 'testing' lacks the required operation 'commit_snapshots'");
        ops.query = NULL;
        refused("provider 'testing' lacks the required operation 'query'");
        ops.name = NULL;
        refused("the provider has no name: set vss_provider_ops.name");
        ops.api = 99;
        refused("provider 'testing' is built for API 99, this library has 1: rebuild it");
        ops.size = 4;
        refused("the provider's operations are not registered: use VSS_PROVIDER()");
        ops.id = (struct vss_id){ 0 };
        refused("provider 'testing' has no id: give it one in vss_provider_ops.id");
        ops.kind = 0;
        refused("provider 'testing': kind 0 is none of enum vss_provider_type");
}

int main(void) {
        ops = full_ops;
        RUN(test_life);
        RUN(test_questions);
        RUN(test_set_in_order);
        RUN(test_veto);
        RUN(test_failures);
        RUN(test_abort_during_end_prepare);
        RUN(test_connection_end);
        RUN(test_sigterm);
        RUN(test_old_size);
        RUN(test_required);
        return 0;
}
