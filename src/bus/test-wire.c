/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-wire.c - every record crosses a real connection; errors keep code and words. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/process.h"
#include "bus/names.h"
#include "bus/wire.h"
#include "tests/check.h"

#define TEXT(literal) ((char[]){ literal }) /* records own writable strings */

static sd_bus *bus;

static sd_bus_message *new_message(void) {
        sd_bus_message *m;

        CHECK_INT(sd_bus_message_new_signal(bus, &m, "/test", "org.vss1.Test", "Signal"), 0);
        return m;
}

static void seal(sd_bus_message *m) {
        CHECK(sd_bus_message_seal(m, 1, 0) >= 0);
        CHECK(sd_bus_message_rewind(m, true) >= 0);
}

static const struct vss_id id_a = { { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 } };

static void test_request(void) {
        char *paths[] = { TEXT("/a/\xff"), TEXT("/b"), NULL };
        char *settings[] = { TEXT("key"), TEXT("value"), TEXT("k"), TEXT(""), NULL };
        struct wire_request sent = { .set_id = id_a,
                                     .context = 9,
                                     .paths = paths,
                                     .count = 3,
                                     .settings = settings,
                                     .force = true,
                                     .value = TEXT("v") };
        struct wire_request got = { 0 };
        _cleanup_message_ sd_bus_message *m = new_message();

        sent.volume = (struct vss_volume){
                .id = "UUID=x", .mount_point = "/m\xfe", .mount_id = 1ULL << 40, .read_only = 1
        };
        CHECK_INT(wire_append(m, &wire_request, &sent), 0);
        seal(m);
        CHECK_INT(wire_read(m, &wire_request, &got), 0);
        CHECK(vss_id_equal(&got.set_id, &id_a));
        CHECK(vss_id_is_null(&got.snapshot_id));
        CHECK_INT(got.context, 9);
        CHECK_INT(got.count, 3);
        CHECK(got.force);
        CHECK_STR(got.value, "v");
        CHECK_STR(got.paths[0], "/a/\xff");
        CHECK_STR(got.paths[1], "/b");
        CHECK(!got.paths[2]);
        CHECK_STR(got.settings[3], "");
        CHECK(!got.settings[4]);
        CHECK_STR(got.volume.mount_point, "/m\xfe");
        CHECK_STR(got.volume.device, ""); /* never NULL */
        CHECK(got.volume.mount_id == 1ULL << 40);
        CHECK_INT(got.volume.read_only, 1);
        wire_clear(&wire_request, &got);
        CHECK(!got.paths && !got.value);
}

/* what arrives is a descriptor of the record's own, and goes with it */
static void test_stream(void) {
        struct wire_request sent = { .reference_id = id_a }, got = { 0 };
        _cleanup_message_ sd_bus_message *m = new_message(), *none = new_message();
        int fds[2], fd;
        char byte;

        CHECK(pipe2(fds, O_CLOEXEC) == 0);
        sent.stream = (struct wire_stream){ true, fds[1] };
        CHECK_INT(wire_append(m, &wire_request, &sent), 0);
        close(fds[1]);
        seal(m);
        CHECK_INT(wire_read(m, &wire_request, &got), 0);
        CHECK(vss_id_equal(&got.reference_id, &id_a) && got.stream.given);
        fd = got.stream.fd;
        CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        m = sd_bus_message_unref(m);
        CHECK(write(fd, "x", 1) == 1 && read(fds[0], &byte, 1) == 1 && byte == 'x');
        wire_clear(&wire_request, &got);
        CHECK(fcntl(fd, F_GETFD) < 0);
        CHECK(read(fds[0], &byte, 1) == 0); /* nobody has the other end any more */
        close(fds[0]);
        sent.stream.given = false; /* 0 is a descriptor, too */
        CHECK_INT(wire_append(none, &wire_request, &sent), 0);
        seal(none);
        CHECK_INT(wire_read(none, &wire_request, &got), 0);
        CHECK(!got.stream.given);
        wire_clear(&wire_request, &got);
}

static void test_records(void) {
        struct vss_snapshot_prop props[3] = { { .snapshot_id = id_a, .snapshots_count = -1 },
                                              { .device_object = TEXT("/dev/x") },
                                              { .creation_timestamp = 1LL << 60 } };
        struct wire_answer sent = { .snapshots = { props, 3 }, .supported = true }, got = { 0 };
        _cleanup_message_ sd_bus_message *m = new_message();
        struct vss_snapshot_prop *items;

        CHECK_INT(wire_append(m, &wire_answer, &sent), 0);
        seal(m);
        CHECK_INT(wire_read(m, &wire_answer, &got), 0);
        CHECK_INT(got.snapshots.count, 3);
        items = got.snapshots.items;
        CHECK_INT(items[0].snapshots_count, -1);
        CHECK_STR(items[1].device_object, "/dev/x");
        CHECK_STR(items[0].device_object, "");
        CHECK(!items[0].exposed_name); /* NULL means not exposed */
        CHECK(items[2].creation_timestamp == 1LL << 60);
        wire_clear(&wire_answer, &got);
}

static void test_info_and_result(void) {
        char *volumes[] = { TEXT("/"), NULL };
        struct wire_info info = { .backup_type = 2,
                                  .select_components = true,
                                  .set_id = id_a,
                                  .volumes = volumes,
                                  .token = { TEXT("\0\1\2"), 3 } };
        struct wire_info got = { .level = 7 };
        struct wire_result result = { .failure = VSS_E_WRITERERROR_RETRYABLE,
                                      .fatal = true,
                                      .message = TEXT("words \xff") };
        struct wire_result got_result = { 0 };
        _cleanup_message_ sd_bus_message *m = new_message();

        CHECK_INT(wire_append(m, &wire_info, &info), 0);
        CHECK_INT(wire_append(m, &wire_result, &result), 0);
        CHECK_INT(wire_append_options(m), 0);
        seal(m);
        CHECK_INT(wire_read(m, &wire_info, &got), 0);
        CHECK_INT(wire_read(m, &wire_result, &got_result), 0);
        CHECK_INT(got.backup_type, 2);
        CHECK(got.select_components && !got.partial_files);
        CHECK_STR(got.volumes[0], "/");
        CHECK(!got.devices);
        CHECK_INT(got.token.size, 3);
        CHECK(memcmp(got.token.data, "\0\1\2", 3) == 0);
        CHECK_INT(got_result.failure, VSS_E_WRITERERROR_RETRYABLE);
        CHECK(got_result.fatal && !got_result.autorecover);
        CHECK_STR(got_result.message, "words ?");
        CHECK(!got_result.undo.data);
        wire_clear(&wire_info, &got);
        wire_clear(&wire_result, &got_result);
}

/* A hostile or newer peer: unknown keys are skipped, wrong types and NUL bytes refused. */
static void test_strange_peers(void) {
        struct wire_status status = { 0 };
        struct wire_request request = { 0 };
        struct wire_identity identity = { 0 };
        _cleanup_message_ sd_bus_message *m = new_message(), *bad = new_message(),
                                         *nul = new_message(), *twice = new_message(),
                                         *no_id = new_message(), *other = new_message();

        CHECK(sd_bus_message_append(m, "a{sv}", 3, "news", "a{sv}", 1, "x", "aas", 0, "state", "u",
                                    5, "name", "s", "n") >= 0);
        seal(m);
        CHECK_INT(wire_read(m, &wire_status, &status), 0);
        CHECK_INT(status.state, 5);
        CHECK_STR(status.name, "n");
        wire_clear(&wire_status, &status);

        CHECK(sd_bus_message_append(bad, "a{sv}", 2, "name", "s", "leak?", "state", "s", "5") >= 0);
        seal(bad);
        CHECK_INT(wire_read(bad, &wire_status, &status), -EBADMSG);
        CHECK(!status.name);

        CHECK(sd_bus_message_append(nul, "a{sv}", 1, "paths", "aay", 1, 3, 'a', 0, 'b') >= 0);
        seal(nul);
        CHECK_INT(wire_read(nul, &wire_request, &request), -EBADMSG);

        CHECK(sd_bus_message_append(twice, "a{sv}", 2, "name", "s", "one", "name", "s", "two") >=
              0);
        seal(twice);
        CHECK_INT(wire_read(twice, &wire_status, &status), 0);
        CHECK_STR(status.name, "two");
        wire_clear(&wire_status, &status);

        CHECK(sd_bus_message_append(no_id, "a{sv}", 1, "writer-id", "s", "no id") >= 0);
        seal(no_id);
        CHECK_INT(wire_read(no_id, &wire_identity, &identity), -EBADMSG);

        CHECK(sd_bus_message_append(other, "s", "no dictionary") >= 0);
        seal(other);
        CHECK_INT(wire_read(other, &wire_identity, &identity), -EBADMSG);
}

static void check_error(int code, const char *name, const char *words, int back) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_error_ struct vss_error sent = VSS_ERROR_INIT, got = VSS_ERROR_INIT;
        char buffer[WIRE_ERROR_NAME_SIZE];

        if (words)
                vss_fail(&sent, code, "%s", words);
        CHECK(wire_set_error(&e, code, &sent) < 0);
        CHECK_STR(e.name, name);
        CHECK_INT(wire_get_error(&e, &got), back);
        CHECK_INT(got.code, back);
        CHECK_STR(got.message, words ? words : vss_error_text(code));
        CHECK_INT(wire_error_code(wire_error_name(back, buffer)), back);
}

static void test_errors(void) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        char buffer[WIRE_ERROR_NAME_SIZE];

        check_error(VSS_E_BAD_STATE, "org.vss1.Error.VSS_E_BAD_STATE", "called twice",
                    VSS_E_BAD_STATE);
        check_error(E_ACCESSDENIED, "org.vss1.Error.E_ACCESSDENIED", NULL, E_ACCESSDENIED);
        check_error(-ENOSPC, "org.vss1.Error.Errno.ENOSPC", "the area is full", -ENOSPC);
        check_error(-3999, "org.vss1.Error.E_UNEXPECTED", "what is this", E_UNEXPECTED);
        check_error(0, "org.vss1.Error.E_UNEXPECTED", "no failure at all", E_UNEXPECTED);

        CHECK_STR(wire_error_name(0, buffer), "");
        CHECK_INT(wire_error_code(""), 0);
        CHECK_INT(wire_error_code("org.vss1.Error.S_OK"), E_UNEXPECTED);
        CHECK_INT(wire_error_code("org.vss1.Error.Errno.ENONSENSE"), E_UNEXPECTED);
        CHECK_INT(wire_error_code("org.example.Error"), E_UNEXPECTED);

        sd_bus_error_set(&e, SD_BUS_ERROR_ACCESS_DENIED, "policy");
        CHECK_INT(wire_get_error(&e, NULL), E_ACCESSDENIED);
        sd_bus_error_free(&e);
        sd_bus_error_set(&e, SD_BUS_ERROR_NO_REPLY, NULL);
        CHECK_INT(wire_get_error(&e, NULL), -ETIMEDOUT);
}

/* One round trip with a document over wire_connect(), both ends in this thread. */
/* Words name files, and those are bytes; D-Bus would refuse the whole answer. */
static void test_words_of_bytes(void) {
        static const char *const pairs[][2] = {
                { "plain", "plain" },
                { "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
                  "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
                { "a\xff\xc3", "a??" }, /* cut at the end */
                { "\xc0\xaf", "??" }, /* longer than needed */
                { "\xed\xa0\x80", "???" }, /* a surrogate */
                { "\xf4\x90\x80\x80", "????" }, /* above the last character */
                { "\xe2\x82", "??" },
        };
        struct vss_error error = VSS_ERROR_INIT;
        sd_bus_error e = SD_BUS_ERROR_NULL;

        for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
                char *clean = wire_words(pairs[i][0]);

                CHECK_STR(clean, pairs[i][1]);
                free(clean);
        }
        vss_fail(&error, E_INVALIDARG, "'%s'", "\xff");
        (void)wire_set_error(&e, E_INVALIDARG, &error);
        CHECK_STR(e.message, "'?'");
        sd_bus_error_free(&e);
        vss_error_clear(&error);
}

static void test_connection(void) {
        _cleanup_bus_ sd_bus *server = NULL, *client = NULL;
        _cleanup_message_ sd_bus_message *call = NULL, *got = NULL;
        int pair[2], pipe_fd[2], fd;
        const char *words;

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(wire_connect(pair[0], true, &server), 0);
        CHECK_INT(wire_connect(pair[1], false, &client), 0);
        CHECK(pipe(pipe_fd) == 0);
        while (sd_bus_is_ready(client) == 0 || sd_bus_is_ready(server) == 0) {
                CHECK(sd_bus_process(client, NULL) >= 0);
                CHECK(sd_bus_process(server, NULL) >= 0);
        }
        CHECK(sd_bus_message_new_method_call(client, &call, NULL, "/x", "org.vss1.Test", "Do") >=
              0);
        CHECK(sd_bus_message_append(call, "sh", "hello", pipe_fd[0]) >= 0);
        CHECK(sd_bus_call_async(client, NULL, call, NULL, NULL, 0) >= 0);
        for (int i = 0; i < 200 && !got; i++) {
                CHECK(sd_bus_process(client, NULL) >= 0);
                CHECK(sd_bus_process(server, &got) >= 0);
        }
        CHECK(got);
        CHECK(sd_bus_message_read(got, "sh", &words, &fd) > 0);
        CHECK_STR(words, "hello");
        CHECK(fcntl(fd, F_GETFD) >= 0);
        close(pipe_fd[0]);
        close(pipe_fd[1]);
        CHECK_INT(wire_connect(-1, false, &client), -EBADF);
}

int main(void) {
        int pair[2];

        CHECK_INT(socketpair_cloexec(pair), 0);
        CHECK_INT(wire_connect(pair[0], true, &bus), 0);
        RUN(test_request);
        RUN(test_stream);
        RUN(test_records);
        RUN(test_info_and_result);
        RUN(test_strange_peers);
        RUN(test_errors);
        RUN(test_words_of_bytes);
        RUN(test_connection);
        sd_bus_close_unref(bus);
        close(pair[1]);
        return 0;
}
