/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-writer.c - the writer's runtime over a real socket pair: a small plug-in in a thread, this
 * thread is the coordinator.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memfd.h"
#include "base/process.h"
#include "bus/names.h"
#include "bus/wire.h"
#include "documents/components-document.h"
#include "tests/check.h"
#include "vss/writer.h"

#define ID(n)                                                                                      \
        {                                                                                          \
                { n, 2, 3 }                                                                        \
        }
static const struct vss_id class_id = ID(0xc), instance = ID(0x1), session_a = ID(0xa),
                           session_b = ID(0xb), set_id = ID(0x5), null_id = ID(0);

/* ---- the plug-in ---- */

static char story[4096];
static _Atomic unsigned story_size;
static void (*at)(struct vss_writer *w, const char *event); /* asks things in a handler */
static const char *veto_at; /* event to fail, */
static int veto_set, veto_return; /* with set_writer_failure, with a return code */
static unsigned slow_ms; /* freeze takes so long */

static void tell(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        vsnprintf(story + story_size, sizeof(story) - story_size, format, ap);
        va_end(ap);
        story_size = (unsigned)strlen(story);
}

static int event(struct vss_writer *w, const char *name, struct vss_error *e) {
        tell("%s ", name);
        if (at)
                at(w, name);
        if (!veto_at || strcmp(veto_at, name) != 0)
                return 0;
        if (veto_set)
                CHECK_INT(vss_writer_set_writer_failure(w, veto_set, 42, "set words"), 0);
        return veto_return ? vss_fail(e, veto_return, "returned words") : 0;
}

static int w_configure(struct vss_writer *w, const char *section, const char *key,
                       const char *value, struct vss_error *e) {
        if (strcmp(key, "bad") == 0)
                return vss_fail(e, E_INVALIDARG, "no such setting");
        tell("%s.%s=%s ", section, key, value);
        return 0;
}

static int w_load(struct vss_writer *w, struct vss_error *e) {
        vss_writer_set_data(w, story);
        return event(w, "load", e);
}

static void w_unload(struct vss_writer *w) {
        CHECK(vss_writer_data(w) == story);
        tell("unload ");
}

static uint32_t schema_bits;

static int w_identify(struct vss_writer *w, struct vss_create_writer_metadata *md,
                      struct vss_error *e) {
        const struct vss_component_info info = { .type = VSS_CT_FILEGROUP,
                                                 .name = "data",
                                                 .selectable = true,
                                                 .flags = VSS_CF_BACKUP_RECOVERY };
        const struct vss_restore_method method = { .method = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                                   .writer_restore = VSS_WRE_ALWAYS };
        const struct vss_file_set files = { .path = "/srv", .filespec = "*", .recursive = true };
        int r = vss_create_writer_metadata_add_component(md, &info, e);

        if (r >= 0)
                r = vss_create_writer_metadata_add_files_to_file_group(md, NULL, "data", &files, e);
        if (r >= 0)
                r = vss_create_writer_metadata_set_restore_method(md, &method, e);
        if (r >= 0 && schema_bits)
                r = vss_create_writer_metadata_set_backup_schema(md, schema_bits, e);
        return r < 0 ? r : event(w, "identify", e);
}

#define COMPONENTS(op, change)                                                                     \
        static int w_##op(struct vss_writer *w, struct vss_writer_components *c,                   \
                          struct vss_error *e) {                                                   \
                if (c)                                                                             \
                        change(vss_writer_components_get_component(c, 0));                         \
                else                                                                               \
                        tell("(no components) ");                                                  \
                return event(w, #op, e);                                                           \
        }

static void change_prepare(struct vss_component *c) {
        CHECK_STR(vss_component_get_component_name(c), "data");
        CHECK_INT(vss_component_set_backup_metadata(c, "from prepare"), 0);
}

static void change_post(struct vss_component *c) {
        CHECK_INT(vss_component_set_backup_stamp(c, "stamp"), 0);
}

static void change_complete(struct vss_component *c) { /* BV-28 */
        CHECK_INT(vss_component_set_backup_metadata(c, "late"), VSS_E_BAD_STATE);
        tell("(%s) ", vss_component_get_backup_succeeded(c) ? "succeeded" : "failed");
}

static void change_pre_restore(struct vss_component *c) {
        CHECK_INT(vss_component_set_restore_target(c, VSS_RT_ALTERNATE), 0);
}

static void change_post_restore(struct vss_component *c) { /* */
        CHECK_INT(vss_component_set_restore_target(c, VSS_RT_ORIGINAL), VSS_E_BAD_STATE);
        CHECK_INT(vss_component_set_post_restore_failure_msg(c, "half"), 0);
}

COMPONENTS(prepare_backup, change_prepare)
COMPONENTS(post_snapshot, change_post)
COMPONENTS(backup_complete, change_complete)
COMPONENTS(pre_restore, change_pre_restore)
COMPONENTS(post_restore, change_post_restore)

static int w_prepare_snapshot(struct vss_writer *w, struct vss_error *e) {
        return event(w, "prepare_snapshot", e);
}

static int w_freeze(struct vss_writer *w, struct vss_error *e) {
        usleep(slow_ms * 1000);
        return event(w, "freeze", e);
}

static int w_thaw(struct vss_writer *w, struct vss_error *e) {
        return event(w, "thaw", e);
}

static void w_abort(struct vss_writer *w) {
        (void)event(w, "abort", NULL);
}

static void w_shutdown(struct vss_writer *w, const struct vss_id *set) {
        CHECK(vss_id_equal(set, &set_id) || vss_id_is_null(set));
        (void)event(w, vss_id_is_null(set) ? "shutdown(null)" : "shutdown", NULL);
}

static int w_undo(struct vss_writer *w, const void *token, size_t size, struct vss_error *e) {
        tell("[%.*s] ", (int)size, (const char *)token);
        return event(w, "undo", e);
}

static const struct vss_writer_ops full_ops = {
        .size = sizeof(struct vss_writer_ops),
        .api = VSS_WRITER_API,
        .name = "testing",
        .version_major = 1,
        .id = ID(0xc),
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .configure = w_configure,
        .load = w_load,
        .unload = w_unload,
        .identify = w_identify,
        .prepare_backup = w_prepare_backup,
        .prepare_snapshot = w_prepare_snapshot,
        .freeze = w_freeze,
        .thaw = w_thaw,
        .post_snapshot = w_post_snapshot,
        .backup_complete = w_backup_complete,
        .backup_shutdown = w_shutdown,
        .abort = w_abort,
        .undo = w_undo,
        .pre_restore = w_pre_restore,
        .post_restore = w_post_restore,
};

/* ---- the coordinator's end ---- */

static struct vss_writer_ops ops;
static sd_bus *bus;
static pthread_t host;
static int host_fd, host_result;

static void *host_thread(void *unused) {
        host_result = vss_writer_run(&ops, host_fd, NULL);
        return NULL;
}

static void forget(void) {
        story[0] = '\0';
        story_size = 0;
}

static void start(void) {
        int pair[2];

        forget();
        at = NULL;
        veto_at = NULL;
        veto_set = veto_return = 0;
        slow_ms = 0;
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

static sd_bus_message *new_call(const char *member) {
        sd_bus_message *m;

        CHECK(sd_bus_message_new_method_call(bus, &m, NULL, VSS_WRITER_PATH, VSS_WRITER_INTERFACE,
                                             member) >= 0);
        return m;
}

static int transact(sd_bus_message *m, sd_bus_message **ret, struct vss_error *reterr) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(bus, m, 0, &e, ret);

        return r >= 0 ? 0 : sd_bus_error_is_set(&e) ? wire_get_error(&e, reterr) : r;
}

static int load(void) {
        _cleanup_message_ sd_bus_message *m = new_call("Load"), *reply = NULL;
        struct wire_identity told = { .instance_id = instance }, got = { 0 };
        int r;

        CHECK_INT(wire_append(m, &wire_identity, &told), 0);
        r = transact(m, &reply, NULL);
        if (r < 0)
                return r;
        CHECK_INT(wire_read(reply, &wire_identity, &got), 0);
        CHECK(vss_id_equal(&got.writer_id, &class_id) && vss_id_equal(&got.instance_id, &instance));
        CHECK_STR(got.name, "testing");
        CHECK_INT(got.usage, VSS_UT_USERDATA);
        CHECK_INT(got.level, VSS_APP_FRONT_END); /* the default */
        CHECK_INT(got.freeze_timeout_ms, 60000); /* B-47 */
        wire_clear(&wire_identity, &got);
        forget();
        return 0;
}

static char volume_root[] = "/", volume_srv[] = "/srv", device_root[] = "/copies/1/",
            device_srv[] = "/copies/2";
static char *volumes[] = { volume_root, volume_srv, NULL };
static char *devices[] = { device_root, device_srv, NULL };
static uint32_t window_ms;
static struct wire_result result;
static int answer_fd = -1; /* document of the last answer */

static sd_bus_message *new_event(const char *member, const struct vss_id *session, int document) {
        struct wire_info info = { .backup_type = VSS_BT_FULL,
                                  .restore_type = VSS_RTYPE_BY_COPY,
                                  .select_components = true,
                                  .partial_files = true,
                                  .set_id = set_id,
                                  .instant = VSS_INSTANT_ONE,
                                  .volumes = volumes,
                                  .freeze_timeout_ms = window_ms };
        sd_bus_message *m = new_call(member);

        if (strcmp(member, "PostSnapshot") == 0)
                info.devices = devices;
        if (strcmp(member, "Undo") == 0)
                info.token = (struct wire_bytes){ volume_srv, 4 };
        CHECK_INT(wire_append_id(m, session), 0);
        CHECK(sd_bus_message_open_container(m, 'a', "h") >= 0);
        if (document >= 0)
                CHECK(sd_bus_message_append_basic(m, 'h', &document) >= 0);
        CHECK(sd_bus_message_close_container(m) >= 0);
        CHECK_INT(wire_append(m, &wire_info, &info), 0);
        return m;
}

static void read_answer(sd_bus_message *reply) {
        int fd = -1;

        if (answer_fd >= 0)
                close(answer_fd);
        answer_fd = -1;
        CHECK(sd_bus_message_enter_container(reply, 'a', "h") > 0);
        if (sd_bus_message_read_basic(reply, 'h', &fd) > 0)
                answer_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        CHECK(sd_bus_message_exit_container(reply) >= 0);
        wire_clear(&wire_result, &result);
        CHECK_INT(wire_read(reply, &wire_result, &result), 0);
}

static int send_document(const char *member, const struct vss_id *session, int document,
                         struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = new_event(member, session, document), *reply = NULL;
        int r = transact(m, &reply, reterr);

        if (r >= 0)
                read_answer(reply);
        return r;
}

static int send(const char *member, const struct vss_id *session) {
        return send_document(member, session, -1, NULL);
}

/* the event goes well: no failure in the answer */
static void good(const char *member) {
        CHECK_INT(send(member, &session_a), 0);
        CHECK_INT(result.failure, 0);
        CHECK(!result.fatal);
}

static void wait_for_story(const char *expected) {
        for (int i = 0; i < 5000 && strcmp(story, expected) != 0; i++)
                usleep(1000);
        CHECK_STR(story, expected);
}

/* the document that a requester would send, with the writer's one component */
static struct bcd *new_document(void) {
        struct vss_component_key key = { .writer_id = class_id,
                                         .type = VSS_CT_FILEGROUP,
                                         .name = "data" };
        struct vss_examine_writer_metadata *md;
        _cleanup_free_ char *xml = NULL;
        struct bcd *bcd;
        size_t size;

        CHECK_INT(send("Identify", &null_id), 0);
        CHECK(answer_fd >= 0);
        CHECK_INT(memfd_read(answer_fd, 1 << 20, &xml, &size), 0);
        CHECK_INT(vss_examine_writer_metadata_create(xml, size, &md, NULL), 0);
        CHECK_INT(bcd_new(&bcd), 0);
        CHECK_INT(bcd_set_backup_state(bcd, true, false, VSS_BT_FULL, true, NULL), 0);
        CHECK_INT(bcd_add_component(bcd, &instance, &key, md, NULL), 0);
        vss_examine_writer_metadata_free(md);
        forget();
        return bcd;
}

static void send_fragment(struct bcd *bcd, const char *member, enum component_event merged) {
        _cleanup_free_ char *xml = NULL, *answer = NULL;
        size_t size;
        int fd;

        CHECK_INT(bcd_fragment(bcd, &instance, &xml, &size, NULL), 0);
        fd = memfd_new_sealed("fragment", xml, size);
        CHECK(fd >= 0);
        CHECK_INT(send_document(member, &session_a, fd, NULL), 0);
        CHECK_INT(result.failure, 0);
        close(fd);
        if (merged == COMPONENT_EVENT_NONE) {
                CHECK_INT(answer_fd, -1);
                return;
        }
        CHECK(answer_fd >= 0);
        CHECK_INT(memfd_read(answer_fd, 1 << 20, &answer, &size), 0);
        CHECK_INT(bcd_merge(bcd, &instance, merged, BCD_MERGE_ALL, answer, size, NULL, NULL), 0);
}

/* ---- tests ---- */

static void test_life(void) {
        _cleanup_message_ sd_bus_message *good_settings = NULL, *bad = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        start();
        CHECK_INT(send("Identify", &null_id), VSS_E_BAD_STATE); /* before Load */
        good_settings = new_call("Configure");
        CHECK(sd_bus_message_append(good_settings, "a(sss)a{sv}", 2, "s", "k", "v", "", "x", "y",
                                    0) >= 0);
        CHECK_INT(transact(good_settings, NULL, NULL), 0);
        bad = new_call("Configure");
        CHECK(sd_bus_message_append(bad, "a(sss)a{sv}", 1, "s", "bad", "v", 0) >= 0);
        CHECK_INT(transact(bad, NULL, &error), E_INVALIDARG);
        CHECK_STR(error.message, "writer 'testing', setting 'bad' of section [s]: no such setting");
        CHECK_STR(story, "s.k=v .x=y ");
        CHECK_INT(load(), 0);
        CHECK_INT(load(), VSS_E_BAD_STATE);
        stop();
        CHECK_STR(story, "unload ");
}

/* BV-11, B-104: the whole backup with documents */
static void test_backup(void) {
        struct vss_component_key key = { .writer_id = class_id,
                                         .type = VSS_CT_FILEGROUP,
                                         .name = "data" };
        struct vss_component *c;
        struct bcd *bcd;

        start();
        CHECK_INT(load(), 0);
        CHECK(!result.parallel_restores);
        schema_bits = VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES;
        bcd = new_document();
        schema_bits = 0;
        CHECK(result.parallel_restores); /* */
        CHECK(result.autorecover && !result.rollback_recovery); /* M-37 */
        send_fragment(bcd, "PrepareBackup", COMPONENT_EVENT_PREPARE_BACKUP);
        c = vss_writer_components_get_component(bcd_get_writer(bcd, 0), 0);
        CHECK_STR(vss_component_get_backup_metadata(c), "from prepare");
        good("PrepareSnapshot");
        good("Freeze");
        good("Thaw");
        send_fragment(bcd, "PostSnapshot", COMPONENT_EVENT_POST_SNAPSHOT);
        CHECK_INT(bcd_set_backup_succeeded(bcd, &instance, &key, true, NULL), 0);
        send_fragment(bcd, "BackupComplete", COMPONENT_EVENT_NONE);
        good("BackupShutdown");
        c = vss_writer_components_get_component(bcd_get_writer(bcd, 0), 0);
        CHECK_STR(vss_component_get_backup_stamp(c), "stamp");
        stop();
        CHECK_STR(story, "prepare_backup prepare_snapshot freeze thaw post_snapshot (succeeded) "
                         "backup_complete shutdown unload ");
        bcd_free(bcd);
}

/* B-59: components are not selected */
static void test_no_components(void) {
        start();
        CHECK_INT(load(), 0);
        good("PrepareBackup");
        CHECK_INT(answer_fd, -1);
        good("BackupComplete"); /* B-22: without a shadow copy */
        good("BackupShutdown");
        stop();
        CHECK_STR(story, "(no components) prepare_backup (no components) backup_complete shutdown "
                         "unload ");
}

static void test_restore(void) {
        struct bcd *bcd;

        start();
        CHECK_INT(load(), 0);
        bcd = new_document();
        CHECK_INT(send("PostRestore", &session_a), VSS_E_BAD_STATE);
        send_fragment(bcd, "PreRestore", COMPONENT_EVENT_PRE_RESTORE);
        CHECK_INT(send("Abort", &session_a), VSS_E_BAD_STATE); /* */
        CHECK_INT(send("PrepareBackup", &session_a), VSS_E_BAD_STATE);
        send_fragment(bcd, "PostRestore", COMPONENT_EVENT_POST_RESTORE);
        CHECK_INT(send("PostRestore", &session_a), VSS_E_BAD_STATE);
        stop();
        CHECK_STR(story, "pre_restore post_restore unload ");
        bcd_free(bcd);
}

static void test_order(void) {
        static const char *const forward[] = {
                "PrepareBackup", "PrepareSnapshot", "Freeze",
                "Thaw",          "PostSnapshot",    "BackupComplete"
        };

        start();
        CHECK_INT(load(), 0);
        for (unsigned done = 0; done < 6; done++) {
                for (unsigned wrong = 0; wrong < 6; wrong++) {
                        if (wrong == done || wrong == 0 || (done == 1 && wrong == 5))
                                continue; /* in order; starting again; B-22 */
                        for (unsigned i = 0; i < done; i++)
                                good(forward[i]);
                        forget();
                        CHECK_INT(send(forward[wrong], &session_a), VSS_E_BAD_STATE);
                        CHECK_STR(story, "");
                        good("Abort");
                        good("BackupShutdown");
                }
        }
        CHECK_INT(send("Nonsense", &session_a), -EBADR);
        stop();
}

/* B-78..B-81 */
static void veto(const char *op, int set, int ret, int failure, bool fatal, const char *words) {
        veto_at = op;
        veto_set = set;
        veto_return = ret;
        CHECK_INT(send("PrepareBackup", &session_a), 0);
        CHECK_INT(result.failure, failure);
        CHECK_INT(result.fatal, fatal);
        CHECK_INT(result.application_failure, set ? 42 : 0);
        CHECK_STR(result.message, words);
}

static void test_results(void) {
        struct bcd *bcd;

        start();
        CHECK_INT(load(), 0);
        veto("prepare_backup", VSS_E_WRITERERROR_RETRYABLE, 0, VSS_E_WRITERERROR_RETRYABLE, false,
             "set words");
        CHECK_INT(send("PrepareSnapshot", &session_a), VSS_E_BAD_STATE); /* B-86 */
        veto("prepare_backup", VSS_E_WRITERERROR_RETRYABLE, -EIO, VSS_E_WRITERERROR_RETRYABLE, true,
             "set words");
        veto("prepare_backup", 0, -EIO, VSS_E_WRITERERROR_NONRETRYABLE, true, "returned words");
        veto("prepare_backup", 0, VSS_E_WRITERERROR_OUTOFRESOURCES,
             VSS_E_WRITERERROR_OUTOFRESOURCES, true, "returned words");
        veto("prepare_backup", VSS_E_WRITERERROR_PARTIAL_FAILURE, 0,
             VSS_E_WRITERERROR_PARTIAL_FAILURE, false, "set words");
        good("PrepareSnapshot"); /* B-86: with PARTIAL_FAILURE it goes on */
        good("Abort");
        good("BackupShutdown");

        /* B-82: a failed Identify */
        veto_at = "identify";
        veto_set = 0;
        veto_return = -EIO;
        CHECK_INT(send("Identify", &null_id), 0);
        CHECK(result.fatal);
        CHECK_STR(result.message, "returned words");
        CHECK_INT(answer_fd, -1);
        veto_at = NULL;

        /* B-84: what it changed is sent, with the veto; dropping it is the coordinator's */
        bcd = new_document();
        veto_at = "prepare_backup";
        {
                _cleanup_free_ char *xml = NULL;
                size_t size;
                int fd;

                CHECK_INT(bcd_fragment(bcd, &instance, &xml, &size, NULL), 0);
                fd = memfd_new_sealed("fragment", xml, size);
                CHECK_INT(send_document("PrepareBackup", &session_a, fd, NULL), 0);
                CHECK(result.fatal);
                CHECK(answer_fd >= 0);
                close(fd);
        }
        bcd_free(bcd);
        stop();
}

/* a document that is none */
static void test_bad_documents(void) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int pipe_fd[2], fd;

        start();
        CHECK_INT(load(), 0);
        CHECK(pipe(pipe_fd) == 0);
        CHECK_INT(send_document("PrepareBackup", &session_a, pipe_fd[0], &error), -EINVAL);
        CHECK(strstr(error.message, "no readable sealed document"));
        fd = memfd_new_sealed("nonsense", "<a>", 3);
        CHECK_INT(send_document("PrepareBackup", &session_a, fd, &error),
                  VSS_E_INVALID_XML_DOCUMENT);
        close(fd);
        close(pipe_fd[0]);
        close(pipe_fd[1]);
        stop();
        CHECK_STR(story, "unload ");
}

/* ---- what handlers may ask: the table of section 3 ---- */

static unsigned asked;

static unsigned bits(struct vss_writer *w) {
        struct vss_id id = vss_writer_get_current_snapshot_set_id(w),
                      session = vss_writer_get_session_id(w);
        const char *device;
        unsigned b = 0;

        if (vss_writer_set_writer_failure(w, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0, NULL) == 0)
                b |= 1; /* B-57 */
        if (vss_writer_get_backup_type(w) == VSS_BT_FULL && vss_writer_get_instant(w) &&
            vss_writer_is_partial_file_support_enabled(w) && vss_writer_get_current_level(w) == 3)
                b |= 2; /* B-58 */
        if (vss_writer_is_path_affected(w, "/srv/x") &&
            vss_writer_get_current_volume_count(w) == 2 &&
            vss_writer_get_current_volume_array(w)[1] &&
            !strcmp(vss_writer_get_current_volume_array(w)[1], "/srv"))
                b |= 4; /* B-68 */
        if (vss_id_equal(&id, &set_id))
                b |= 8; /* B-69 */
        if (vss_writer_get_snapshot_device_name(w, "/srv", &device) == 0 &&
            !strcmp(device, "/copies/2"))
                b |= 16; /* B-70 */
        if (vss_id_equal(&session, &session_a))
                b |= 32; /* B-71 */
        if (vss_writer_deposit_undo(w, "token", 5) == 0)
                b |= 64;
        if (vss_writer_get_restore_type(w) == VSS_RTYPE_BY_COPY)
                b |= 128;
        return b;
}

static void ask_all(struct vss_writer *w, const char *name) {
        asked = bits(w);
}

static void asks(const char *member, unsigned expected) {
        asked = ~0U;
        CHECK_INT(send(member, &session_a), 0);
        CHECK_INT(asked, expected);
}

static void test_table(void) {
        start();
        CHECK_INT(load(), 0);
        at = ask_all;
        asks("Identify", 32); /* B-56..B-71, column by column; M-3: no backup is known there */
        asks("PrepareBackup", 1 | 2 | 4 | 32 | 64);
        CHECK_INT(result.undo.size, 5);
        CHECK(memcmp(result.undo.data, "token", 5) == 0);
        asks("PrepareSnapshot", 1 | 2 | 4 | 8 | 32 | 64);
        asks("Freeze", 1 | 2 | 4 | 8 | 32);
        CHECK_INT(result.undo.size, 0);
        asks("Thaw", 1 | 2 | 4 | 8 | 32);
        asks("PostSnapshot", 1 | 2 | 4 | 8 | 16 | 32);
        asks("BackupComplete", 1 | 2 | 32);
        asks("Abort", 1 | 2 | 32);
        asks("BackupShutdown", 1 | 32);
        asks("PreRestore", 1 | 32 | 128);
        asks("PostRestore", 1 | 32 | 128);
        asks("Undo", 32);
        stop();
}

static void ask_paths(struct vss_writer *w, const char *name) {
        char *path;

        if (strcmp(name, "post_snapshot") != 0) {
                CHECK_INT(vss_writer_get_snapshot_path(w, "/srv/x", &path), VSS_E_BAD_STATE);
                return;
        }
        CHECK_INT(vss_writer_get_snapshot_path(w, "/srv/x/y", &path), 0); /* longest volume wins */
        CHECK_STR(path, "/copies/2/x/y");
        free(path);
        CHECK_INT(vss_writer_get_snapshot_path(w, "/srvx", &path), 0);
        CHECK_STR(path, "/copies/1/srvx");
        free(path);
        CHECK_INT(vss_writer_get_snapshot_path(w, "/srv", &path), 0);
        CHECK_STR(path, "/copies/2");
        free(path);
        CHECK_INT(vss_writer_get_snapshot_path(w, "relative", &path), E_INVALIDARG);
        CHECK_INT(vss_writer_set_writer_failure(w, VSS_E_BAD_STATE, 0, NULL), E_INVALIDARG);
        asked = 1;
}

static void test_snapshot_paths(void) {
        start();
        CHECK_INT(load(), 0);
        at = ask_paths;
        asked = 0;
        good("PrepareBackup");
        good("PrepareSnapshot");
        good("Freeze");
        good("Thaw");
        good("PostSnapshot");
        CHECK_INT(asked, 1);
        stop();
}

static void *ask_elsewhere(void *writer) {
        asked = bits(writer);
        return NULL;
}

static void ask_on_worker(struct vss_writer *w, const char *name) {
        pthread_t thread;

        pthread_create(&thread, NULL, ask_elsewhere, w);
        pthread_join(thread, NULL);
}

/* B-72, BV-30 */
static void test_worker_thread(void) {
        start();
        CHECK_INT(load(), 0);
        at = ask_on_worker;
        asks("PrepareBackup", 0);
        CHECK_INT(result.failure, 0);
        stop();
}

/* ---- the window ---- */

static void freeze_session(uint32_t ms) {
        window_ms = 0;
        good("PrepareBackup");
        good("PrepareSnapshot");
        forget();
        window_ms = ms;
        good("Freeze");
        window_ms = 0;
}

/* BV-18, B-47, B-55 */
static void test_window(void) {
        uint64_t begun;

        start();
        CHECK_INT(load(), 0);
        begun = monotonic_us();
        freeze_session(200);
        wait_for_story("freeze abort ");
        CHECK(monotonic_us() - begun >= 200000);
        CHECK_INT(send("Thaw", &session_a), 0); /* too late: the writer hears nothing */
        CHECK_INT(result.failure, VSS_E_WRITERERROR_TIMEOUT);
        CHECK(result.fatal && strstr(result.message, "thawed by itself"));
        CHECK_STR(story, "freeze abort ");
        CHECK_INT(send("PostSnapshot", &session_a), VSS_E_BAD_STATE);
        good("Abort"); /* the coordinator's own, B-136 */
        good("BackupShutdown");
        CHECK_STR(story, "freeze abort abort shutdown ");

        /* a new backup starts clean (B-104), and in time nothing happens */
        freeze_session(150);
        good("Thaw");
        usleep(250000);
        CHECK_STR(story, "freeze thaw ");
        good("BackupShutdown");

        /* freeze itself took longer than the window */
        freeze_session(100);
        good("Abort");
        good("PrepareBackup");
        good("PrepareSnapshot");
        forget();
        slow_ms = 150;
        window_ms = 100;
        CHECK_INT(send("Freeze", &session_a), 0);
        CHECK_INT(result.failure, VSS_E_WRITERERROR_TIMEOUT);
        CHECK_STR(story, "freeze abort ");
        window_ms = 0;
        stop();
}

/* a failed Freeze or Thaw whose Abort never comes */
static void test_window_after_veto(void) {
        start();
        CHECK_INT(load(), 0);
        window_ms = 200;
        good("PrepareBackup");
        good("PrepareSnapshot");
        forget();
        veto_at = "freeze";
        veto_return = VSS_E_WRITERERROR_RETRYABLE;
        CHECK_INT(send("Freeze", &session_a), 0); /* BV-15 */
        CHECK(result.fatal);
        wait_for_story("freeze abort ");
        veto_at = NULL;

        /* B-79: a veto with success in Freeze is frozen all the same, and is thawed */
        good("PrepareBackup");
        good("PrepareSnapshot");
        forget();
        veto_at = "freeze";
        veto_set = VSS_E_WRITERERROR_RETRYABLE;
        veto_return = 0;
        CHECK_INT(send("Freeze", &session_a), 0);
        CHECK_INT(result.failure, VSS_E_WRITERERROR_RETRYABLE);
        CHECK(!result.fatal);
        veto_at = NULL;
        good("Thaw");
        CHECK_STR(story, "freeze thaw ");

        /* BackupShutdown of somebody frozen: let go first */
        good("Abort");
        good("PrepareBackup");
        good("PrepareSnapshot");
        good("Freeze");
        forget();
        good("BackupShutdown");
        CHECK_STR(story, "abort shutdown ");
        window_ms = 0;
        stop();
}

static int identify_code = -1;

static int on_identified(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        identify_code = sd_bus_message_is_method_error(m, NULL) ? 1 : 0;
        return 0;
}

/* BV-20, B-74: Identify and another session between Freeze and Thaw are answered, but never at
 * the frozen application's cost: they wait until it is thawed */
static void test_between(void) {
        _cleanup_message_ sd_bus_message *identify = NULL, *other = NULL;

        start();
        CHECK_INT(load(), 0);
        freeze_session(5000);
        identify_code = -1;
        identify = new_event("Identify", &null_id, -1);
        other = new_event("PreRestore", &session_b, -1);
        CHECK(sd_bus_call_async(bus, NULL, identify, on_identified, NULL, UINT64_MAX) >= 0);
        CHECK(sd_bus_call_async(bus, NULL, other, NULL, NULL, UINT64_MAX) >= 0);
        good("Thaw");
        for (int i = 0; i < 5000 && identify_code < 0; i++) {
                CHECK(sd_bus_process(bus, NULL) >= 0);
                usleep(1000);
        }
        CHECK_INT(identify_code, 0);
        wait_for_story("freeze thaw identify (no components) pre_restore ");
        good("PostSnapshot"); /* the session's state is what it was */
        stop();
}

/* ---- the end ---- */

static void test_connection_end(void) {
        start();
        CHECK_INT(load(), 0);
        freeze_session(0);
        stop(); /* the coordinator died: BackupShutdown as well, B-137, with the null id, B-138 */
        CHECK_STR(story, "freeze abort shutdown(null) unload ");

        start();
        CHECK_INT(load(), 0);
        freeze_session(0);
        good("Thaw");
        good("PostSnapshot");
        forget();
        stop(); /* nothing is held: no Abort (OQ-B7) */
        CHECK_STR(story, "shutdown unload ");

        start();
        CHECK_INT(load(), 0);
        good("PrepareBackup");
        CHECK_INT(send("PrepareBackup", &session_b), 0);
        good("BackupComplete");
        forget();
        stop(); /* two sessions, B-140: only the unfinished one is undone */
        CHECK(strstr(story, "abort shutdown(null) shutdown(null) unload ") ||
              strstr(story, "shutdown(null) abort shutdown(null) unload "));
}

/* the coordinator dies between PreRestore and PostRestore: the writer hears PostRestore from
 * its own runtime, with the components and without a status, and comes back on line; not twice */
static void test_connection_end_in_restore(void) {
        struct bcd *bcd;

        start();
        CHECK_INT(load(), 0);
        bcd = new_document();
        send_fragment(bcd, "PreRestore", COMPONENT_EVENT_PRE_RESTORE);
        stop();
        CHECK_STR(story, "pre_restore post_restore unload ");
        bcd_free(bcd);

        start();
        CHECK_INT(load(), 0);
        CHECK_INT(send("PreRestore", &session_a), 0); /* not in component mode */
        CHECK_INT(send("PostRestore", &session_a), 0);
        CHECK_INT(send("PreRestore", &session_b), 0);
        forget();
        stop();
        CHECK_STR(story, "(no components) post_restore unload ");
}

static void test_sigterm(void) {
        start();
        CHECK_INT(load(), 0);
        freeze_session(0);
        kill(getpid(), SIGINT);
        kill(getpid(), SIGHUP);
        usleep(20000);
        CHECK_STR(story, "freeze ");
        kill(getpid(), SIGTERM);
        pthread_join(host, NULL);
        CHECK_INT(host_result, 0);
        CHECK_STR(story, "freeze abort shutdown(null) unload ");
        bus = sd_bus_close_unref(bus);
}

static void test_undo(void) {
        start();
        CHECK_INT(load(), 0);
        good("Undo"); /* in a fresh process */
        CHECK_STR(story, "[/srv] undo ");
        veto_at = "undo";
        veto_return = -EIO;
        CHECK_INT(send("Undo", &session_a), 0);
        CHECK(result.fatal);
        stop();
        ops.undo = NULL;
        start();
        CHECK_INT(load(), 0);
        CHECK_INT(send("Undo", &session_a), E_NOTIMPL);
        at = ask_all;
        asks("PrepareBackup", 1 | 2 | 4 | 32); /* no undo, no deposit */
        stop();
        ops = full_ops;
}

/* an old plug-in's struct was smaller; missing handlers have nothing to do (B-75) */
static void test_old_size(void) {
        ops.size = offsetof(struct vss_writer_ops, undo);
        start();
        CHECK_INT(load(), 0);
        CHECK_INT(send("Undo", &session_a), E_NOTIMPL);
        good("PreRestore");
        good("PostRestore");
        CHECK_STR(story, "");
        stop();
        ops = full_ops;
}

static void refused(const char *words) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_writer *writer;
        int pair[2];

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(vss_writer_run(&ops, pair[1], &error), E_INVALIDARG);
        CHECK_STR(error.message, words);
        CHECK_INT(vss_writer_create(&ops, &writer, NULL), E_INVALIDARG);
        close(pair[0]);
        ops = full_ops;
}

static void test_required(void) {
        ops.identify = NULL;
        refused("writer 'testing' lacks the required operation 'identify'");
        ops.thaw = NULL;
        refused("writer 'testing' has 'freeze' but lacks 'thaw'");
        ops.abort = NULL;
        refused("writer 'testing' prepares or freezes but lacks 'abort'");
        ops.name = "";
        refused("the writer has no name: set vss_writer_ops.name");
        ops.api = 7;
        refused("writer 'testing' is built for API 7, this library has 1: rebuild it");
        ops.size = 8;
        refused("the writer's operations are not registered: use VSS_WRITER()");
        ops.id = null_id;
        ops.id.bytes[1] = ops.id.bytes[2] = 0;
        refused("writer 'testing' has no id: give it one in vss_writer_ops.id");
        ops.usage = 0;
        refused("writer 'testing': usage 0 is none of enum vss_usage_type");
        ops.source = 9;
        refused("writer 'testing': source 9 is none of enum vss_source_type");
        ops.level = 9;
        refused("writer 'testing': level 9 is none of enum vss_application_level");
}

/* a program by itself, without a service: words, no crash */
static void test_program(void) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct vss_writer *writer;

        forget();
        CHECK_INT(vss_writer_create(&ops, &writer, NULL), 0);
        CHECK_INT(vss_writer_subscribe(writer, NULL, VSS_SM_ALL_FLAGS, &error), VSS_E_BAD_STATE);
        CHECK_INT(vss_writer_initialize(writer, "one", NULL), 0);
        CHECK_INT(vss_writer_initialize(writer, "one", NULL), VSS_E_BAD_STATE);
        CHECK(vss_writer_subscribe(writer, "unix:path=/nonexistent", VSS_SM_ALL_FLAGS, &error) < 0);
        CHECK(strstr(error.message, "/nonexistent"));
        CHECK_INT(vss_writer_process(writer, 0), -ENOTCONN);
        CHECK_INT(vss_writer_unsubscribe(writer), VSS_E_BAD_STATE);
        CHECK_INT(vss_writer_get_backup_type(writer), 0); /* outside of any event */
        CHECK(!vss_writer_get_current_volume_array(writer)[0]);
        CHECK(!vss_writer_free(writer));
        CHECK_STR(story, "load unload ");
}

int main(void) {
        ops = full_ops;
        RUN(test_life);
        RUN(test_backup);
        RUN(test_no_components);
        RUN(test_restore);
        RUN(test_order);
        RUN(test_results);
        RUN(test_bad_documents);
        RUN(test_table);
        RUN(test_snapshot_paths);
        RUN(test_worker_thread);
        RUN(test_window);
        RUN(test_window_after_veto);
        RUN(test_between);
        RUN(test_connection_end);
        RUN(test_connection_end_in_restore);
        RUN(test_sigterm);
        RUN(test_undo);
        RUN(test_old_size);
        RUN(test_required);
        RUN(test_program);
        wire_clear(&wire_result, &result);
        if (answer_fd >= 0)
                close(answer_fd);
        return 0;
}
