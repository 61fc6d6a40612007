/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-daemon.c - vssd on a message bus: who is let in, who sees what, and what becomes of those
 * whose connection ends. Run it under tests/bus/run-daemon.sh, which makes the bus.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/layout.h"
#include "base/process.h"
#include "bus/wire.h"
#include "tests/bus/client.h"
#include "tests/scratch.h"

static char folder[] = "/dev/shm/vss-daemon.XXXXXX";
static struct process daemon_process = { 0, -1 };
static struct test_writer writer;

static sd_bus *connect_to_bus(void) {
        sd_bus *bus = NULL;

        CHECK(sd_bus_new(&bus) >= 0);
        CHECK(sd_bus_set_address(bus, getenv("DBUS_SESSION_BUS_ADDRESS")) >= 0);
        CHECK(sd_bus_set_bus_client(bus, 1) >= 0);
        CHECK(sd_bus_negotiate_fds(bus, 1) >= 0);
        CHECK(sd_bus_start(bus) >= 0);
        return bus;
}

static bool has_service(void) {
        sd_bus_message *reply = NULL;
        int has;

        CHECK(sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                 "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                                 VSS_BUS_NAME) >= 0);
        CHECK(sd_bus_message_read(reply, "b", &has) > 0);
        sd_bus_message_unref(reply);
        return has;
}

static void wait_for_service(bool there) {
        for (unsigned i = 0; has_service() != there; i++) {
                CHECK(i < 500);
                usleep(10000);
        }
}

static void start_daemon(void) {
        char *program = layout_program("vssd"), bus[512];
        char *argv[] = { program, bus, (char[]){ "--config" }, folder, NULL };

        snprintf(bus, sizeof(bus), "--bus=%s", getenv("DBUS_SESSION_BUS_ADDRESS"));
        CHECK_INT(process_spawn(program, argv, -1, 0, &daemon_process), 0);
        wait_for_service(true);
        free(program);
}

static void write_config(const char *more) {
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s/vss.conf", folder);
        file = fopen(path, "w");
        CHECK(file);
        fprintf(file, "[service]\nruntime_dir = %s/run\nstate_dir = %s/state\n%s", folder, folder,
                more);
        CHECK_INT(fclose(file), 0);
        CHECK_INT(chmod(path, 0600), 0);
}

/* ---- one connection's session is nobody else's (SEC-23) ---- */

static void test_others_see_nothing(void) {
        char *session = create_session(), *operation;
        sd_bus *first = client;

        operation = take_text(
                call(session, VSS_SESSION_INTERFACE, "GatherWriterMetadata", "asasas", 0, 0, 0),
                "o");
        client = connect_to_bus();
        call_fails("UnknownObject", "", session, VSS_SESSION_INTERFACE, "GetWriterStatus", "");
        call_fails("UnknownObject", "", operation, VSS_OPERATION_INTERFACE, "Cancel", "");
        sd_bus_close_unref(client);
        client = first;
        CHECK_INT(finish(operation), VSS_S_ASYNC_FINISHED);
        sd_bus_message_unref(call(session, VSS_SESSION_INTERFACE, "Release", ""));
        free(session);
}

/* S-13, S-46: the slot is one, and is freed when its holder's connection ends */
static void test_slot_ends_with_the_connection(void) {
        sd_bus *first = client;
        char *session, *other = create_session();

        client = connect_to_bus();
        session = create_session();
        sd_bus_message_unref(
                call(session, VSS_SESSION_INTERFACE, "SetContext", "u", VSS_CTX_NAS_ROLLBACK));
        free(take_text(call(session, VSS_SESSION_INTERFACE, "StartSnapshotSet", ""), "s"));
        free(session);
        sd_bus_flush(client);
        {
                sd_bus *holder = client;

                client = first;
                sd_bus_message_unref(call(other, VSS_SESSION_INTERFACE, "SetContext", "u",
                                          VSS_CTX_NAS_ROLLBACK));
                call_fails("VSS_E_SNAPSHOT_SET_IN_PROGRESS", "", other, VSS_SESSION_INTERFACE,
                           "StartSnapshotSet", ""); /* BV-9 */
                sd_bus_close_unref(holder); /* as if it had been killed */
        }
        for (unsigned i = 0;; i++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;
                sd_bus_message *m = NULL, *reply;

                CHECK(sd_bus_message_new_method_call(client, &m, service, other,
                                                     VSS_SESSION_INTERFACE,
                                                     "StartSnapshotSet") >= 0);
                CHECK(sd_bus_message_append(m, "a{sv}", 0) >= 0);
                reply = send_and_wait(m, &e);
                sd_bus_error_free(&e);
                sd_bus_message_unref(reply);
                if (reply)
                        break;
                CHECK(i < 200);
                usleep(10000);
        }
        sd_bus_message_unref(call(other, VSS_SESSION_INTERFACE, "Release", ""));
        free(other);
}

/* ---- a writer that registers, takes part, and leaves ---- */

/* which process it is, by the word of the bus */
static void check_process(const char *session) {
        sd_bus_message *reply = call(session, VSS_SESSION_INTERFACE, "GetWriterStatus", "");
        struct wire_records records = { 0 };
        const struct wire_status *status;

        CHECK_INT(wire_read_records(reply, &wire_status, &records), 0);
        CHECK_INT(records.count, 1);
        status = (const struct wire_status *)records.items;
        CHECK_INT(status->process, getpid());
        wire_clear_records(&wire_status, &records);
        sd_bus_message_unref(reply);
}

static unsigned writers_now(void) {
        char *session = create_session();
        unsigned n;

        CHECK_INT(finish(take_text(call(session, VSS_SESSION_INTERFACE, "GatherWriterMetadata",
                                        "asasas", 0, 0, 0),
                                   "o")),
                  VSS_S_ASYNC_FINISHED);
        n = take_count(call(session, VSS_SESSION_INTERFACE, "GetWriterMetadata", ""), "(a{sv}h)");
        if (n == 1)
                check_process(session);
        sd_bus_message_unref(call(session, VSS_SESSION_INTERFACE, "Release", ""));
        free(session);
        return n;
}

static void test_writer_is_watched(void) {
        sd_bus *first = client;

        CHECK_INT(writers_now(), 0);
        client = connect_to_bus();
        CHECK(sd_bus_add_filter(client, NULL, on_writer_call, &writer) >= 0);
        free(register_writer("/test/writer"));
        CHECK_INT(writers_now(), 1);
        sd_bus_close_unref(client);
        client = first;
        for (unsigned i = 0; writers_now() != 0; i++) {
                CHECK(i < 100);
                usleep(10000);
        }
}

/* ---- who may (SEC-1); root is in charge of the bus, so this one needs root ---- */

/* M-8: refused before anything is looked at */
static void test_user_without_rights(void) {
        pid_t pid;
        int status;

        if (geteuid() != 0) {
                printf("skipped: needs root\n");
                return;
        }
        fflush(stdout);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                CHECK_INT(setresgid(65534, 65534, 65534), 0);
                CHECK_INT(setresuid(65534, 65534, 65534), 0);
                client = connect_to_bus();
                call_fails("E_ACCESSDENIED", "user 65534 may not make backups", VSS_MANAGER_PATH,
                           VSS_MANAGER_INTERFACE, "CreateSession", "");
                call_fails("E_ACCESSDENIED", "", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE,
                           "ListVolumes", "");
                call_fails("E_ACCESSDENIED", "", VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "Thaw",
                           "");
                call_fails("E_ACCESSDENIED", "may not register", VSS_MANAGER_PATH,
                           VSS_MANAGER_INTERFACE, "RegisterWriter", "oa{sv}", "/x", 0);
                (void)take_count(call(VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "ListProviders", ""),
                                 "a{sv}"); /* SEC-12 */
                fflush(stdout);
                _exit(0);
        }
        CHECK_INT(waitpid(pid, &status, 0), pid);
        CHECK_INT(status, 0);
}

/* ---- its life ---- */

static void test_second_daemon(void) { /* M-1: one per machine */
        char *program = layout_program("vssd"), bus[512];
        char *argv[] = { program, bus, (char[]){ "--config" }, folder, NULL };
        struct process second;
        int status;

        snprintf(bus, sizeof(bus), "--bus=%s", getenv("DBUS_SESSION_BUS_ADDRESS"));
        CHECK_INT(process_spawn(program, argv, -1, 0, &second), 0);
        status = process_wait(&second, 10000);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        free(program);
}

/* SIGTERM: the session that was there is ended, then the service */
static void test_sigterm(void) {
        int status;

        free(create_session());
        CHECK_INT(kill(daemon_process.pid, SIGTERM), 0);
        status = process_wait(&daemon_process, 10000);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        wait_for_service(false);
}

/* CFG-11: a service that nobody uses ends; a registered writer is a use */
static void test_idle_end(void) {
        sd_bus *first = client;
        int status;

        write_config("idle_timeout = 300ms\n");
        start_daemon();
        client = connect_to_bus();
        free(register_writer("/test/writer"));
        CHECK_INT(process_wait(&daemon_process, 1000), -ETIMEDOUT);
        sd_bus_close_unref(client);
        client = first;
        status = process_wait(&daemon_process, 10000);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
        CHECK(getenv("DBUS_SESSION_BUS_ADDRESS"));
        scratch_folder(folder);
        CHECK_INT(chmod(folder, 0755), 0);
        client = connect_to_bus();
        service = VSS_BUS_NAME;
        write_config("");
        start_daemon();
        RUN(test_others_see_nothing);
        RUN(test_slot_ends_with_the_connection);
        RUN(test_writer_is_watched);
        RUN(test_user_without_rights);
        RUN(test_second_daemon);
        RUN(test_sigterm);
        RUN(test_idle_end);
        sd_bus_close_unref(client);
        return 0;
}
