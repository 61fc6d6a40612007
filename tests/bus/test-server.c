/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-server.c - vssd's server and a client in one process, over a socket pair: every member is
 * called, every refusal has its official name, and the introspection is the committed one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "bus/server.h"
#include "bus/wire.h"
#include "tests/bus/client.h"
#include "tests/bus/introspection.h"
#include "tests/scratch.h"

static char folder[] = "/dev/shm/vss-server.XXXXXX";
static struct test_writer writer;

/* ---- the server, in a thread of its own ---- */

static unsigned slot_taken;

static int fake_write(void *userdata, const struct set_record *record, struct vss_error *reterr) {
        return 0;
}

static int fake_remove(void *userdata, const struct vss_id *set_id, uint32_t context,
                       struct vss_error *reterr) {
        return 0;
}

static bool fake_elsewhere(void *userdata, const struct vss_id *set_id, uint32_t context) {
        return false;
}

static int fake_acquire(void *userdata, const struct vss_id *session_id, struct vss_error *reterr) {
        if (slot_taken)
                return vss_fail(reterr, VSS_E_SNAPSHOT_SET_IN_PROGRESS, "somebody else creates");
        slot_taken = 1;
        return 0;
}

static void fake_release(void *userdata) {
        slot_taken = 0;
}

static void *serve(void *fd) {
        static const struct record_ops record_ops = { fake_write, fake_remove, fake_elsewhere };
        static const struct slot_ops slot_ops = { fake_acquire, fake_release };
        const struct server_store store = { &record_ops, &slot_ops, NULL };
        const struct server_options options = { .config_dir = folder };
        struct vss_error error = VSS_ERROR_INIT;
        struct server *server;
        int r = server_new(&options, &server, &error);

        if (r >= 0)
                r = server_open(server, &store, &error);
        if (r >= 0)
                r = server_serve_fd(server, *(int *)fd, &error);
        if (r >= 0)
                r = server_run(server);
        if (r < 0)
                CHECK_FAIL_("%s", vss_error_message(&error));
        server_free(server);
        return NULL;
}

static void write_config(void) {
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/vss.conf", folder);
        file = fopen(path, "w");
        CHECK(file);
        fprintf(file, "[service]\nruntime_dir = %s\nstate_dir = %s\n", folder, folder);
        fprintf(file, "[timeout]\nscale = 0.2\n[hold]\nmix = 1\n");
        CHECK_INT(fclose(file), 0);
        CHECK_INT(chmod(path, 0600), 0);
}

/* ---- the manager ---- */

static void test_properties(void) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char **warnings = NULL, *version = NULL;

        CHECK(sd_bus_get_property_string(client, NULL, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                                         "Version", &e, &version) >= 0);
        CHECK(*version);
        free(version);
        CHECK(sd_bus_get_property_strv(client, NULL, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                                       "Warnings", &e, &warnings) >= 0);
        CHECK(warnings[0] && strstr(warnings[0], "unknown key 'mix' in [hold]")); /* CFG-3 */
        wire_free_strings(warnings);
}

static void test_volumes(void) {
        sd_bus_message *reply = call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListVolumes", "");

        CHECK(take_count(reply, "a{sv}") >= 1);
        reply = call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ResolvePath", "ayb", 4, '/', 'u',
                     's', 'r', 0);
        CHECK_INT(take_count(reply, "a{sv}"), 1);
        call_fails("VSS_E_VOLUME_NOT_SUPPORTED", "proc", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                   "ResolvePath", "ayb", 5, '/', 'p', 'r', 'o', 'c', 0);
        call_fails("VSS_E_OBJECT_NOT_FOUND", "'/?'", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                   "ResolvePath", "ayb", 2, '/', 0xff, 0); /* no UTF-8 */
        call_fails("Errno.EBADMSG", "", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ResolvePath",
                   "ayb", 3, '/', 0, 'x', 0);
}

static void check_resolved(const struct wire_resolved *answer, const char *error, const char *words,
                           size_t volumes) {
        CHECK_STR(answer->error ? answer->error : "", error);
        CHECK(strstr(answer->words ? answer->words : "", words));
        CHECK_INT(answer->volumes.count, volumes);
}

/* Each path is answered by itself, whatever the others are; 600 are more than one probe takes. */
static void test_paths(void) {
        enum { MANY = 600 };
        static struct wire_path_question questions[MANY];
        static char usr[] = "/usr", proc[] = "/proc", odd[] = "/\377", empty[] = "";
        sd_bus_message *m = NULL, *reply;
        struct wire_records records = { questions, MANY };
        struct wire_resolved *answers;

        for (size_t i = 0; i < MANY; i++)
                questions[i].path = i % 4 == 0 ? usr : i % 4 == 1 ? proc : i % 4 == 2 ? odd : empty;
        CHECK(sd_bus_message_new_method_call(client, &m, NULL, VSS_MANAGER_PATH,
                                             VSS_MANAGER_INTERFACE, "ResolvePaths") >= 0);
        CHECK(wire_append_records(m, &wire_path_question, &records) >= 0);
        CHECK(wire_append_options(m) >= 0);
        CHECK(sd_bus_call(client, m, 60 * UINT64_C(1000000), NULL, &reply) >= 0);
        sd_bus_message_unref(m);
        CHECK_INT(wire_read_records(reply, &wire_resolved, &records), 0);
        sd_bus_message_unref(reply);
        CHECK_INT(records.count, MANY);
        answers = records.items;
        for (size_t i = 0; i < MANY; i += 4) {
                check_resolved(&answers[i], "", "", 1);
                check_resolved(&answers[i + 1], "org.vss1.Error.VSS_E_VOLUME_NOT_SUPPORTED", "proc",
                               0);
                check_resolved(&answers[i + 2], "org.vss1.Error.VSS_E_OBJECT_NOT_FOUND", "'/?'", 0);
                check_resolved(&answers[i + 3], "org.vss1.Error.E_INVALIDARG", "absolute", 0);
        }
        wire_clear_records(&wire_resolved, &records);
}

static void test_providers(void) {
        (void)take_count(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListProviders", ""),
                         "a{sv}");
}

static void test_thaw(void) {
        sd_bus_message *reply = call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "Thaw", "");
        uint32_t n;

        CHECK(sd_bus_message_read(reply, "u", &n) > 0);
        CHECK_INT(n, 0);
        sd_bus_message_unref(reply);
}

static void test_register(void) {
        char *first = register_writer("/test/first"), *second = register_writer("/test/second");
        struct vss_id id;

        CHECK_INT(vss_id_parse(first, &id), 0);
        CHECK(strcmp(first, second) != 0); /* M-9, M-10: one class, two instances */
        call_fails("VSS_E_WRITER_ALREADY_SUBSCRIBED", "/test/first", VSS_MANAGER_PATH,
                   VSS_MANAGER_INTERFACE, "RegisterWriter", "oa{sv}", "/test/first", 1, "writer-id",
                   "s", TEST_WRITER_CLASS); /* B-76 */
        call_fails("E_INVALIDARG", "", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "RegisterWriter",
                   "oa{sv}", "/test/third", 0);
        /* who comes again in its life keeps its id (M-10), but nobody gets that of another */
        call_fails("VSS_E_WRITER_ALREADY_SUBSCRIBED", "registered before", VSS_MANAGER_PATH,
                   VSS_MANAGER_INTERFACE, "RegisterWriter", "oa{sv}", "/test/third", 6, "writer-id",
                   "s", TEST_WRITER_CLASS, "name", "s", "Third", "usage", "u", VSS_UT_USERDATA,
                   "source", "u", VSS_ST_OTHER, "level", "u", VSS_APP_BACK_END, "instance-id", "s",
                   first);
        sd_bus_message_unref(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "UnregisterWriter", "o",
                                  "/test/second"));
        call_fails("VSS_E_OBJECT_NOT_FOUND", "/test/second", VSS_MANAGER_PATH,
                   VSS_MANAGER_INTERFACE, "UnregisterWriter", "o", "/test/second");
        sd_bus_message_unref(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "UnregisterWriter", "o",
                                  "/test/first"));
        free(second);
        second = register_writer("/test/first"); /* M-10: at each start another instance id */
        CHECK(strcmp(first, second) != 0);
        sd_bus_message_unref(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "UnregisterWriter", "o",
                                  "/test/first"));
        free(first);
        free(second);
}

/* ---- sessions ---- */

static char *session;

static sd_bus_message *ask(const char *member) {
        return call(session, VSS_SESSION_INTERFACE, member, "");
}

static int document_of(const char *text) {
        int fd = memfd_new_sealed("components", text, strlen(text));

        CHECK(fd >= 0);
        return fd;
}

#define SESSION session, VSS_SESSION_INTERFACE

/* ask_from() - a page of documents; the answer of one page is what a message can carry at most */
static sd_bus_message *ask_from(const char *member, uint32_t first) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *m = NULL;

        CHECK(sd_bus_message_new_method_call(client, &m, NULL, session, VSS_SESSION_INTERFACE,
                                             member) >= 0);
        CHECK(sd_bus_message_append(m, "a{sv}", 1, "first", "u", first) >= 0);
        return send_and_wait(m, &e);
}

/* Documents that come ahead count with those of the call, once; nobody can pile them up */
static void give_ahead(const char *instance, int document) {
        call_fails("E_INVALIDARG", "sealed", SESSION, "GiveDocuments", "a(sh)", 1, instance, 0);
        sd_bus_message_unref(call(SESSION, "GiveDocuments", "a(sh)", 1, instance, document));
        call_fails("E_INVALIDARG", "more documents", SESSION, "GiveDocuments", "a(sh)", 1, instance,
                   document);
        call_fails("E_INVALIDARG", "named twice", SESSION, "PrepareForBackup", "a(sh)", 1, instance,
                   document);
        sd_bus_message_unref(call(SESSION, "GiveDocuments", "a(sh)", 1, instance, document));
}

/* B-22, S-12: a set with writers may be empty */
static void test_backup(void) {
        char *instance = register_writer("/test/writer"), *set;
        int document = document_of("<components/>");
        sd_bus_message *reply;
        uint64_t freeze, hold;

        session = create_session();
        CHECK(strncmp(session, VSS_SESSION_PREFIX, strlen(VSS_SESSION_PREFIX)) == 0);
        call_fails("VSS_E_BAD_STATE", "", SESSION, "GetSetTiming", "");
        sd_bus_message_unref(call(SESSION, "SetContext", "u", VSS_CTX_BACKUP));
        call_fails("VSS_E_BAD_STATE", "", SESSION, "SetContext", "u", VSS_CTX_BACKUP); /* S-4 */
        sd_bus_message_unref(call(SESSION, "SetBackupState", "bbub", 1, 0, VSS_BT_FULL, 0));
        call_fails("VSS_E_BAD_STATE", "", SESSION, "SetRestoreState", "u", VSS_RTYPE_BY_COPY);
        CHECK_INT(finish(take_text(call(SESSION, "GatherWriterMetadata", "asasas", 0, 0, 0), "o")),
                  VSS_S_ASYNC_FINISHED);
        CHECK_INT(take_count(ask("GetWriterMetadata"), "(a{sv}h)"), 1);
        CHECK_INT(take_count(ask_from("GetWriterMetadata", 0), "(a{sv}h)"), 1);
        CHECK_INT(take_count(ask_from("GetWriterMetadata", 1), "(a{sv}h)"), 0);
        set = take_text(ask("StartSnapshotSet"), "s");
        CHECK_INT(strlen(set), 36);
        CHECK_INT(slot_taken, 1);
        call_fails("E_INVALIDARG", "sealed", SESSION, "PrepareForBackup", "a(sh)", 1, instance, 0);
        give_ahead(instance, document);
        CHECK_INT(finish(take_text(call(SESSION, "PrepareForBackup", "a(sh)", 0), "o")),
                  VSS_S_ASYNC_FINISHED);
        CHECK_INT(finish(take_text(ask("DoSnapshotSet"), "o")), VSS_S_ASYNC_FINISHED);
        CHECK_INT(take_count(ask("GetWriterStatus"), "a{sv}"), 1);
        CHECK_INT(take_count(ask("GetWriterComponents"), "(sh)"), 1);
        CHECK_INT(take_count(ask_from("GetWriterComponents", 1), "(sh)"), 0);
        reply = ask("GetSetTiming");
        CHECK(sd_bus_message_read(reply, "tt", &freeze, &hold) > 0);
        CHECK(freeze > 0 && hold < 10000); /* nothing was held */
        sd_bus_message_unref(reply);
        CHECK_INT(finish(take_text(call(SESSION, "BackupComplete", "a(sh)", 1, instance, document),
                                   "o")),
                  VSS_S_ASYNC_FINISHED);
        sd_bus_message_unref(ask("Release"));
        CHECK_STR(writer.events, "Identify PrepareBackup PrepareSnapshot Freeze Thaw PostSnapshot "
                                 "BackupComplete BackupShutdown");
        CHECK_INT(slot_taken, 0);
        call_fails("UnknownObject", "", SESSION, "GetWriterStatus", "");
        close(document);
        free(session);
        free(instance);
        free(set);
}

/* A veto is a result, not an error (B-45), and reaches the requester with its words */
static void test_veto(void) {
        sd_bus_message *reply;
        bool found = false;

        memset(&writer, 0, sizeof(writer));
        writer.refuse_freeze = true;
        session = create_session();
        sd_bus_message_unref(call(SESSION, "SetBackupState", "bbub", 0, 0, VSS_BT_FULL, 0));
        CHECK_INT(finish(take_text(call(SESSION, "GatherWriterMetadata", "asasas", 0, 0, 0), "o")),
                  VSS_S_ASYNC_FINISHED);
        free(take_text(ask("StartSnapshotSet"), "s"));
        CHECK_INT(finish(take_text(call(SESSION, "PrepareForBackup", "a(sh)", 0), "o")),
                  VSS_S_ASYNC_FINISHED);
        CHECK_INT(finish(take_text(ask("DoSnapshotSet"), "o")), VSS_S_ASYNC_FINISHED);
        reply = ask("GetWriterStatus");
        CHECK(sd_bus_message_enter_container(reply, 'a', "a{sv}") > 0);
        CHECK(sd_bus_message_enter_container(reply, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(reply, 'e', "sv") > 0) {
                const char *key, *words;

                CHECK(sd_bus_message_read(reply, "s", &key) > 0);
                if (strcmp(key, "message") == 0) {
                        CHECK(sd_bus_message_read(reply, "v", "s", &words) > 0);
                        found = strstr(words, "busy") != NULL;
                } else
                        CHECK(sd_bus_message_skip(reply, "v") > 0);
                CHECK(sd_bus_message_exit_container(reply) >= 0);
        }
        CHECK(found);
        sd_bus_message_unref(reply);
        sd_bus_message_unref(ask("AbortBackup"));
        CHECK(strstr(writer.events, "Freeze Abort"));
        CHECK(!strstr(writer.events, "Thaw"));
        sd_bus_message_unref(ask("Release"));
        free(session);
        writer.refuse_freeze = false;
}

static void test_volume_of_a_set(void) {
        sd_bus_message *reply;
        int supported;

        session = create_session();
        reply = call(SESSION, "IsVolumeSupported", "ays", 5, '/', 'p', 'r', 'o', 'c', "");
        CHECK(sd_bus_message_read(reply, "b", &supported) > 0);
        CHECK(!supported);
        sd_bus_message_unref(reply);
        call_fails("VSS_E_OBJECT_NOT_FOUND", "inside of a volume", SESSION, "IsVolumeSupported",
                   "ays", 4, '/', 'u', 's', 'r', ""); /* T-3 */
        call_fails("VSS_E_BAD_STATE", "", SESSION, "AddToSnapshotSet", "aysaay", 1, '/', "", 0);
        call_fails("E_INVALIDARG", "'/../x'", SESSION, "AddToSnapshotSet", "aysaay", 1, '/', "", 1,
                   5, '/', '.', '.', '/', 'x'); /* SEC-60 */
        call_fails("VSS_E_OBJECT_NOT_FOUND", "", SESSION, "GetSnapshotProperties", "s",
                   TEST_WRITER_CLASS);
        call_fails("Errno.EBADMSG", "", SESSION, "GetSnapshotProperties", "s", "nonsense");
        /* how many there are is the machine's affair */
        (void)take_count(call(SESSION, "Query", "u", VSS_OBJECT_SNAPSHOT), "a{sv}");
        (void)take_count(call(SESSION, "Query", "u", VSS_OBJECT_PROVIDER), "a{sv}");
        call_fails("E_INVALIDARG", "", SESSION, "Query", "u", 77);
        sd_bus_message_unref(ask("Release"));
        free(session);
}

/* S-70: what was deleted is told in both cases */
static void test_delete(void) {
        const char *not_deleted, *name, *words;
        sd_bus_message *reply;
        uint32_t deleted;

        session = create_session();
        reply = call(SESSION, "DeleteSnapshots", "sub", TEST_WRITER_CLASS, VSS_OBJECT_SNAPSHOT, 0);
        CHECK(sd_bus_message_read(reply, "usss", &deleted, &not_deleted, &name, &words) > 0);
        CHECK_INT(deleted, 0);
        CHECK_STR(name, VSS_BUS_ERROR_PREFIX "VSS_E_OBJECT_NOT_FOUND");
        CHECK(*words);
        sd_bus_message_unref(reply);
        sd_bus_message_unref(ask("Release"));
        free(session);
}

static void test_restore(void) {
        int document = document_of("<components/>");
        char *instance = register_writer("/test/restorer");
        sd_bus_message *m = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;

        CHECK(sd_bus_message_new_method_call(client, &m, NULL, VSS_MANAGER_PATH,
                                             VSS_MANAGER_INTERFACE, "CreateSession") >= 0);
        CHECK(sd_bus_message_append(m, "a{sv}", 1, "restore", "b", 1) >= 0);
        session = take_text(send_and_wait(m, &e), "o");
        call_fails("VSS_E_BAD_STATE", "", SESSION, "StartSnapshotSet", "");
        sd_bus_message_unref(call(SESSION, "SetRestoreState", "u", VSS_RTYPE_BY_COPY));
        CHECK_INT(finish(take_text(call(SESSION, "GatherWriterMetadata", "asasas", 0, 0, 0), "o")),
                  VSS_S_ASYNC_FINISHED);
        CHECK_INT(
                finish(take_text(call(SESSION, "PreRestore", "a(sh)", 1, instance, document), "o")),
                VSS_S_ASYNC_FINISHED);
        CHECK_INT(finish(take_text(call(SESSION, "PostRestore", "a(sh)", 1, instance, document),
                                   "o")),
                  VSS_S_ASYNC_FINISHED);
        sd_bus_message_unref(ask("Release"));
        sd_bus_message_unref(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "UnregisterWriter", "o",
                                  "/test/restorer"));
        close(document);
        free(session);
        free(instance);
}

static void test_operation(void) {
        sd_bus_message *reply;
        char *operation;
        int32_t code;

        session = create_session();
        operation = take_text(call(SESSION, "GatherWriterMetadata", "asasas", 0, 0, 0), "o");
        reply = call(operation, VSS_OPERATION_INTERFACE, "Cancel", "");
        CHECK(sd_bus_message_read(reply, "i", &code) > 0);
        sd_bus_message_unref(reply);
        CHECK_INT(finish(operation), VSS_S_ASYNC_CANCELLED); /* B-128 */
        call_fails("UnknownObject", "", VSS_OPERATION_PREFIX "4711", VSS_OPERATION_INTERFACE,
                   "GetStatus", "");
        call_fails("UnknownMethod", "", SESSION, "NoSuchMember", "");
        sd_bus_message_unref(ask("Release"));
        free(session);
}

/* ---- introspection ---- */

static void ask_introspection(const char *path, const char *interface) {
        sd_bus_message *m = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;

        CHECK(sd_bus_message_new_method_call(client, &m, NULL, path,
                                             "org.freedesktop.DBus.Introspectable",
                                             "Introspect") >= 0);
        check_introspection(take_text(send_and_wait(m, &e), "s"), interface);
}

static void test_introspection(void) {
        char *operation;

        session = create_session();
        operation = take_text(call(SESSION, "GatherWriterMetadata", "asasas", 0, 0, 0), "o");
        ask_introspection(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE);
        ask_introspection(session, VSS_SESSION_INTERFACE);
        ask_introspection(operation, VSS_OPERATION_INTERFACE);
        CHECK_INT(finish(operation), VSS_S_ASYNC_FINISHED);
        sd_bus_message_unref(ask("Release"));
        free(session);
}

int main(void) {
        pthread_t thread;
        sigset_t all;
        int pair[2];

        scratch_folder(folder);
        write_config();
        sigfillset(&all);
        CHECK_INT(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(pthread_create(&thread, NULL, serve, &pair[0]), 0);
        CHECK_INT(wire_connect(pair[1], false, &client), 0);
        CHECK(sd_bus_add_filter(client, NULL, on_writer_call, &writer) >= 0);
        RUN(test_properties);
        RUN(test_volumes);
        RUN(test_paths);
        RUN(test_providers);
        RUN(test_thaw);
        RUN(test_register);
        RUN(test_backup);
        RUN(test_veto);
        RUN(test_volume_of_a_set);
        RUN(test_delete);
        RUN(test_restore);
        RUN(test_operation);
        RUN(test_introspection);
        /* the end of the connection ends the service */
        sd_bus_close_unref(client);
        CHECK_INT(pthread_join(thread, NULL), 0);
        printf("ok the service ended with its client\n");
        return 0;
}
