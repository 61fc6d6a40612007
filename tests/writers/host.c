/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/file.h"
#include "base/memfd.h"
#include "base/process.h"
#include "bus/names.h"
#include "tests/check.h"

static int call(struct host *host, sd_bus_message *m, sd_bus_message **ret) {
        _cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(host->bus, m, UINT64_MAX, &error, ret);

        vss_error_clear(&host->error);
        if (r < 0 && sd_bus_error_is_set(&error))
                return wire_get_error(&error, &host->error);
        return r < 0 ? r : 0;
}

static sd_bus_message *new_call(struct host *host, const char *member) {
        sd_bus_message *m;

        CHECK(sd_bus_message_new_method_call(host->bus, &m, NULL, VSS_WRITER_PATH,
                                             VSS_WRITER_INTERFACE, member) >= 0);
        return m;
}

static int configure(struct host *host, const char *const *settings) {
        _cleanup_message_ sd_bus_message *m = new_call(host, "Configure"), *reply = NULL;

        CHECK(sd_bus_message_open_container(m, 'a', "(sss)") >= 0);
        for (; settings && *settings; settings += 3)
                CHECK(sd_bus_message_append(m, "(sss)", settings[0], settings[1], settings[2]) >=
                      0);
        CHECK(sd_bus_message_close_container(m) >= 0);
        CHECK(wire_append_options(m) >= 0);
        return call(host, m, &reply);
}

static int load(struct host *host) {
        _cleanup_message_ sd_bus_message *m = new_call(host, "Load"), *reply = NULL;
        struct wire_identity identity = { .instance_id = host->instance };
        int r;

        CHECK(wire_append(m, &wire_identity, &identity) >= 0);
        r = call(host, m, &reply);
        if (r >= 0)
                CHECK(wire_read(reply, &wire_identity, &host->identity) >= 0);
        return r;
}

int host_start(struct host *host, const char *plugin, const char *const *settings) {
        char path[4096], *argv[] = { (char *)(uintptr_t) "runner", path, NULL };
        struct process process;
        int pair[2], r;

        memset(host, 0, sizeof(*host));
        host->backup_type = VSS_BT_FULL;
        CHECK(vss_id_new(&host->session) >= 0 && vss_id_new(&host->set) >= 0 &&
              vss_id_new(&host->instance) >= 0);
        (void)snprintf(path, sizeof(path), "%s/%s.so", WRITERS_DIR, plugin);
        CHECK(socketpair_cloexec(pair) >= 0);
        CHECK_INT(process_spawn(RUNNER, argv, pair[1], 0, &process), 0);
        close(process.pidfd);
        host->pid = process.pid;
        close(pair[1]);
        CHECK(wire_connect(pair[0], true, &host->bus) >= 0);
        r = configure(host, settings);
        if (r >= 0)
                r = load(host);
        if (r < 0) {
                struct vss_error kept = host->error;

                host->error = (struct vss_error)VSS_ERROR_INIT;
                host_stop(host);
                host->error = kept;
        }
        return r;
}

static bool wants_documents(const char *member) {
        return strcmp(member, "PrepareBackup") == 0 || strcmp(member, "PostSnapshot") == 0 ||
               strcmp(member, "BackupComplete") == 0 || strcmp(member, "PreRestore") == 0 ||
               strcmp(member, "PostRestore") == 0;
}

static enum component_event event_of(const char *member) {
        return strcmp(member, "PrepareBackup") == 0    ? COMPONENT_EVENT_PREPARE_BACKUP
               : strcmp(member, "PostSnapshot") == 0   ? COMPONENT_EVENT_POST_SNAPSHOT
               : strcmp(member, "BackupComplete") == 0 ? COMPONENT_EVENT_BACKUP_COMPLETE
               : strcmp(member, "PreRestore") == 0     ? COMPONENT_EVENT_PRE_RESTORE
                                                       : COMPONENT_EVENT_POST_RESTORE;
}

static void append_document(struct host *host, sd_bus_message *m, const char *member) {
        _cleanup_close_ int fd = -1;
        _cleanup_free_ char *xml = NULL;
        size_t size;

        CHECK(sd_bus_message_open_container(m, 'a', "h") >= 0);
        if (host->bcd && wants_documents(member)) {
                CHECK(bcd_fragment(host->bcd, &host->instance, &xml, &size, NULL) >= 0);
                fd = memfd_new_sealed("fragment", xml, size);
                CHECK(fd >= 0);
                CHECK(sd_bus_message_append(m, "h", fd) >= 0);
        }
        CHECK(sd_bus_message_close_container(m) >= 0);
}

static char *read_document(sd_bus_message *reply, size_t *ret_size) {
        char *xml = NULL;
        int fd, r;

        CHECK(sd_bus_message_enter_container(reply, 'a', "h") >= 0);
        r = sd_bus_message_read(reply, "h", &fd);
        CHECK(r >= 0);
        if (r > 0)
                CHECK(memfd_read(fd, VSS_DOCUMENT_SIZE_MAX, &xml, ret_size) >= 0);
        CHECK(sd_bus_message_exit_container(reply) >= 0);
        return xml;
}

static void fill_info(const struct host *host, const char *member, struct wire_info *info) {
        *info = (struct wire_info){ .backup_type = host->backup_type,
                                    .select_components = host->bcd != NULL,
                                    .partial_files = host->partial_files,
                                    .instant = VSS_INSTANT_ONE,
                                    .set_id = host->set,
                                    .volumes = (char **)(uintptr_t)host->volumes };
        if (strcmp(member, "PostSnapshot") == 0)
                info->devices = (char **)(uintptr_t)host->devices;
}

/* 0 and the answer of the event, or the code with which the call broke */
static int send_event(struct host *host, const char *member, const struct wire_info *info,
                      char **ret_xml, size_t *ret_size) {
        _cleanup_message_ sd_bus_message *m = new_call(host, member), *reply = NULL;
        int r;

        CHECK(wire_append_id(m, &host->session) >= 0);
        append_document(host, m, member);
        CHECK(wire_append(m, &wire_info, info) >= 0);
        r = call(host, m, &reply);
        if (r < 0)
                return r;
        *ret_xml = read_document(reply, ret_size);
        wire_clear(&wire_result, &host->result);
        CHECK(wire_read(reply, &wire_result, &host->result) >= 0);
        return 0;
}

int host_identify(struct host *host) {
        _cleanup_free_ char *xml = NULL;
        struct wire_info info;
        size_t size;

        fill_info(host, "Identify", &info);
        CHECK_INT(send_event(host, "Identify", &info, &xml, &size), 0);
        if (host->result.failure) {
                fprintf(stderr, "Identify: %s\n", host->result.message);
                return host->result.failure;
        }
        host->metadata = vss_examine_writer_metadata_free(host->metadata);
        CHECK(xml);
        CHECK_INT(vss_examine_writer_metadata_create(xml, size, &host->metadata, NULL), 0);
        return 0;
}

void host_select(struct host *host, uint32_t type, const char *logical_path, const char *name) {
        struct vss_component_key key = { .writer_id = host->identity.writer_id,
                                         .type = type,
                                         .logical_path = logical_path,
                                         .name = name };
        struct vss_error error = VSS_ERROR_INIT;

        if (!host->metadata)
                CHECK_INT(host_identify(host), 0);
        if (!host->bcd) {
                CHECK_INT(bcd_new(&host->bcd), 0);
                CHECK_INT(bcd_set_backup_state(host->bcd, true, false, host->backup_type,
                                               host->partial_files, NULL),
                          0);
        }
        if (bcd_add_component(host->bcd, &host->instance, &key, host->metadata, &error) < 0)
                CHECK_FAIL_("%s: %s", name, vss_error_message(&error));
}

int host_event(struct host *host, const char *member) {
        _cleanup_free_ char *xml = NULL;
        struct vss_error error = VSS_ERROR_INIT;
        struct wire_info info;
        size_t size;
        int r;

        fill_info(host, member, &info);
        r = send_event(host, member, &info, &xml, &size);
        if (r < 0)
                CHECK_FAIL_("%s: %s", member, vss_error_message(&host->error));
        if (getenv("TEST_DEBUG"))
                fprintf(stderr, "%s: %s %s\n", member, vss_error_name(host->result.failure),
                        host->result.message ? host->result.message : "");
        if (xml && host->bcd) {
                r = bcd_merge(host->bcd, &host->instance, event_of(member),
                              host->result.fatal ? BCD_MERGE_FAILURES : BCD_MERGE_ALL, xml, size,
                              host->metadata, &error);
                if (r < 0)
                        CHECK_FAIL_("%s: %s", member, vss_error_message(&error));
        }
        if (host->result.undo.size) {
                free(host->token.data);
                host->token = host->result.undo;
                host->result.undo = (struct wire_bytes){ NULL, 0 };
        }
        return host->result.failure;
}

bool host_event_killed(struct host *host, const char *member, unsigned us) {
        _cleanup_free_ char *xml = NULL;
        struct wire_info info;
        size_t size;

        fill_info(host, member, &info);
        host_kill_later(host->pid, us);
        return send_event(host, member, &info, &xml, &size) >= 0;
}

int host_undo(struct host *host, const struct wire_bytes *token) {
        struct wire_info info = { .token = *token };
        _cleanup_free_ char *xml = NULL;
        size_t size;

        CHECK_INT(send_event(host, "Undo", &info, &xml, &size), 0);
        return host->result.failure;
}

struct vss_component *host_component(struct host *host, const char *name) {
        for (size_t i = 0; i < bcd_get_writer_count(host->bcd); i++) {
                struct vss_writer_components *writer = bcd_get_writer(host->bcd, i);

                for (size_t j = 0; j < vss_writer_components_get_component_count(writer); j++) {
                        struct vss_component *component =
                                vss_writer_components_get_component(writer, j);

                        if (strcmp(vss_component_get_component_name(component), name) == 0)
                                return component;
                }
        }
        CHECK_FAIL_("no component '%s' in the document", name);
}

static void host_clear(struct host *host) {
        host->bus = sd_bus_close_unref(host->bus);
        host->metadata = vss_examine_writer_metadata_free(host->metadata);
        host->bcd = bcd_free(host->bcd);
        wire_clear(&wire_identity, &host->identity);
        wire_clear(&wire_result, &host->result);
        free(host->token.data);
        host->token = (struct wire_bytes){ NULL, 0 };
        vss_error_clear(&host->error);
}

void host_stop(struct host *host) {
        int status;

        host_clear(host);
        CHECK_INT(waitpid(host->pid, &status, 0), host->pid);
        CHECK_INT(status, 0);
}

void host_kill(struct host *host) {
        struct wire_bytes token = host->token;

        CHECK_INT(kill(host->pid, SIGKILL), 0);
        CHECK_INT(waitpid(host->pid, NULL, 0), host->pid);
        host->token = (struct wire_bytes){ NULL, 0 };
        host_clear(host);
        host->token = token;
}

void host_kill_later(pid_t pid, unsigned us) {
        pid_t first = fork();

        CHECK(first >= 0);
        if (first > 0) {
                CHECK_INT(waitpid(first, NULL, 0), first);
                return;
        }
        if (fork() == 0) {
                usleep(us);
                (void)kill(pid, SIGKILL);
        }
        _exit(0);
}

/* ---- files ---- */

static char *scratch_folder;
static char **paths; /* what scratch_path() gave, so that leaks of others show */
static size_t path_count, path_capacity;
static pid_t scratch_owner;

static void remove_scratch(void) {
        if (getpid() == scratch_owner)
                (void)remove_tree(AT_FDCWD, scratch_folder);
}

const char *scratch(void) {
        const char *base = getenv("TEST_DIR");

        if (scratch_folder)
                return scratch_folder;
        if (asprintf(&scratch_folder, "%s/vss-writers.XXXXXX", base ? base : "/dev/shm") < 0 ||
            !mkdtemp(scratch_folder))
                CHECK_FAIL_("no scratch folder");
        scratch_owner = getpid();
        (void)atexit(remove_scratch);
        return scratch_folder;
}

char *scratch_path(const char *format, ...) {
        char *tail, *path;
        va_list arguments;

        va_start(arguments, format);
        CHECK(vasprintf(&tail, format, arguments) >= 0);
        va_end(arguments);
        CHECK(asprintf(&path, "%s/%s", scratch(), tail) >= 0);
        free(tail);
        CHECK_INT(ARRAY_RESERVE(&paths, path_count, &path_capacity), 0);
        return paths[path_count++] = path;
}

void write_file(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        CHECK(fd >= 0);
        CHECK_INT(write_all(fd, text, strlen(text)), 0);
        CHECK_INT(fchmod(fd, mode), 0);
        close(fd);
}

char *read_file(const char *path) {
        size_t size;
        char *text;

        return read_whole_file(AT_FDCWD, path, 1024 * 1024, &text, &size) < 0 ? NULL : text;
}

bool exists(const char *path) {
        return access(path, F_OK) == 0;
}
