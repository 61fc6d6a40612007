/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connection.c - how a requester reaches vssd: the system bus, another bus, or a private vssd over
 * a socket pair; calls without a deadline of their own, and the service's death.
 */
#define _GNU_SOURCE
#include "requester/inside.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/layout.h"
#include "bus/loop.h"

enum { REAP_TIMEOUT_MS = 30 * 1000 };

/* ---- the end of the service ---- */

static char *describe_end(struct vss_backup_components *bc) {
        int status = bc->service.pidfd >= 0 ? process_wait(&bc->service, 2000) : -ESRCH;
        char how[64] = "has ended", *words;

        if (status >= 0 && WIFSIGNALED(status))
                snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
        else if (status >= 0)
                snprintf(how, sizeof(how), "has ended with status %d", WEXITSTATUS(status));
        if (asprintf(&words,
                     "vssd %s in the middle of this operation; what it held is released, look at "
                     "its messages and begin again",
                     how) < 0)
                return NULL;
        return words;
}

int bc_lost(struct vss_backup_components *bc, struct vss_error *reterr) {
        if (!bc->lost) {
                bc->lost = true;
                bc->lost_words = describe_end(bc);
        }
        return vss_fail(reterr, VSS_E_UNEXPECTED, "%s",
                        bc->lost_words ? bc->lost_words : "vssd has ended");
}

static bool is_end_of_connection(int r) {
        return r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE || r == -ESHUTDOWN;
}

/* on a bus; on a socket the end of the connection tells */
static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *e) {
        struct vss_backup_components *bc = userdata;
        const char *name, *old, *new;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0)
                return 0;
        if (bc->service_name && strcmp(old, bc->service_name) == 0 &&
            strcmp(name, VSS_BUS_NAME) == 0)
                (void)bc_lost(bc, NULL);
        return 0;
}

/* ---- calls ---- */

int bc_new_call_to(struct vss_backup_components *bc, const char *path, const char *interface,
                   const char *member, sd_bus_message **ret, struct vss_error *reterr) {
        const char *destination = bc->service_name; /* not its successor, which knows us not */
        int r;

        if (bc->lost)
                return bc_lost(bc, reterr);
        r = sd_bus_message_new_method_call(bc->bus, ret, destination, path, interface, member);
        if (is_end_of_connection(r))
                return bc_lost(bc, reterr);
        return r < 0 ? vss_fail(reterr, r, "cannot ask vssd: %s", vss_error_text(r)) : 0;
}

int bc_new_call(struct vss_backup_components *bc, const char *member, sd_bus_message **ret,
                struct vss_error *reterr) {
        return bc_new_call_to(bc, bc->session, VSS_SESSION_INTERFACE, member, ret, reterr);
}

static int call_failed(struct vss_backup_components *bc, int r, const sd_bus_error *e,
                       struct vss_error *reterr) {
        if (is_end_of_connection(r) || sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(e, SD_BUS_ERROR_DISCONNECTED) ||
            (bc->service_name && (sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                                  sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER))))
                return bc_lost(bc, reterr);
        if (sd_bus_error_is_set(e))
                return wire_get_error(e, reterr);
        return vss_fail(reterr, r, "cannot ask vssd: %s", vss_error_text(r));
}

int bc_send(struct vss_backup_components *bc, sd_bus_message *m, int built, sd_bus_message **ret,
            struct vss_error *reterr) {
        return bc_send_complete(bc, m, built < 0 ? built : wire_append_options(m), ret, reterr);
}

int bc_send_complete(struct vss_backup_components *bc, sd_bus_message *m, int built,
                     sd_bus_message **ret, struct vss_error *reterr) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r = built;

        if (r < 0)
                return vss_fail(reterr, r == -EINVAL ? E_INVALIDARG : r,
                                "%s: an argument cannot be sent: %s", sd_bus_message_get_member(m),
                                vss_error_text(r));
        r = sd_bus_call(bc->bus, m, VSS_BUS_FOREVER, &e, &reply);
        if (r < 0)
                return call_failed(bc, r, &e, reterr);
        if (ret)
                *ret = take(reply);
        return 0;
}

int bc_call(struct vss_backup_components *bc, const char *member, sd_bus_message **ret,
            struct vss_error *reterr, const char *types, ...) {
        _cleanup_message_ sd_bus_message *m = NULL;
        va_list ap;
        int r = bc_new_call(bc, member, &m, reterr);

        if (r < 0)
                return r;
        va_start(ap, types);
        r = *types ? sd_bus_message_appendv(m, types, ap) : 0;
        va_end(ap);
        return bc_send(bc, m, r, ret, reterr);
}

int bc_malformed(const char *member, int r, struct vss_error *reterr) {
        return vss_fail(reterr, r == -ENOMEM ? r : VSS_E_UNEXPECTED,
                        "vssd's answer to %s is malformed; is it of another version?", member);
}

static int take_page(struct vss_backup_components *bc, sd_bus_message *page, const char *contents,
                     bc_take_t take_one, void *userdata, uint32_t *count,
                     struct vss_error *reterr) {
        char array[16];
        int r;

        (void)snprintf(array, sizeof(array), "(%s)", contents);
        r = sd_bus_message_enter_container(page, 'a', array);
        while (r >= 0 && (r = sd_bus_message_enter_container(page, 'r', contents)) > 0) {
                r = take_one(bc, page, userdata, reterr);
                if (r >= 0)
                        r = sd_bus_message_exit_container(page);
                ++*count;
        }
        return r;
}

int bc_each_document(struct vss_backup_components *bc, const char *member, const char *contents,
                     bc_take_t take_one, void *userdata, struct vss_error *reterr) {
        uint32_t first = 0, count;

        do {
                _cleanup_message_ sd_bus_message *m = NULL, *page = NULL;
                int r = bc_new_call(bc, member, &m, reterr);

                if (r < 0)
                        return r;
                r = sd_bus_message_append(m, "a{sv}", 1, "first", "u", first);
                r = bc_send_complete(bc, m, r, &page, reterr);
                if (r < 0)
                        return r;
                count = 0;
                r = take_page(bc, page, contents, take_one, userdata, &count, reterr);
                if (r < 0)
                        return bc_malformed(member, r, reterr);
                first += count;
        } while (count == VSS_DOCUMENTS_MAX);
        return 0;
}

/* ---- waiting ---- */

int bc_process(struct vss_backup_components *bc, struct vss_error *reterr) {
        int r;

        do
                r = bc->lost ? -ECONNRESET : sd_bus_process(bc->bus, NULL);
        while (r > 0);
        return r < 0 ? bc_lost(bc, reterr) : 0;
}

int bc_wait(struct vss_backup_components *bc, uint64_t timeout_us, struct vss_error *reterr) {
        int r = loop_wait(bc->bus, bc->service.pidfd, -1, timeout_us);

        if (r < 0)
                return bc_lost(bc, reterr);
        return bc_process(bc, reterr);
}

/* ---- a private vssd ---- */

static int spawn_vssd(struct vss_backup_components *bc, const char *config_dir, int fd,
                      struct vss_error *reterr) {
        _cleanup_free_ char *program = layout_program("vssd");
        char name[] = "vssd", private[] = "--private", option[] = "--config", empty[] = "";
        _cleanup_free_ char *config = strdup(config_dir ? config_dir : empty);
        char *argv[] = { name, private, config_dir ? option : NULL, config, NULL };
        int r;

        if (!program || !config)
                return vss_fail(reterr, -ENOMEM, "no memory to start vssd");
        /* a session of its own: ^C at the requester's terminal is not for who holds writes */
        r = process_spawn(program, argv, fd, PROCESS_NEW_SESSION | PROCESS_NULL_STDIO,
                          &bc->service);
        return r < 0 ? vss_fail(reterr, r, "cannot start '%s': %s; is vss installed?", program,
                                vss_error_text(r))
                     : 0;
}

static int connect_private(struct vss_backup_components *bc, const char *config_dir,
                           struct vss_error *reterr) {
        int pair[2], r = socketpair_cloexec(pair);

        if (r < 0)
                return vss_fail(reterr, r, "cannot make a socket pair for vssd");
        r = spawn_vssd(bc, config_dir, pair[1], reterr);
        close(pair[1]);
        if (r < 0) {
                close(pair[0]);
                return r;
        }
        r = wire_connect(pair[0], false, &bc->bus);
        return r < 0 ? vss_fail(reterr, r, "cannot talk to the private vssd") : 0;
}

/* ---- a bus ---- */

/* The unique name of the service, started by the bus when it can be; -ENXIO when there is none. */
static int find_service(sd_bus *bus, char **ret, struct vss_error *reterr) {
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *name;
        int r;

        (void)sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                 "org.freedesktop.DBus", "StartServiceByName", NULL, NULL, "su",
                                 VSS_BUS_NAME, 0);
        r = sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                               "org.freedesktop.DBus", "GetNameOwner", &e, &reply, "s",
                               VSS_BUS_NAME);
        if (r < 0)
                return sd_bus_error_has_name(&e, SD_BUS_ERROR_NAME_HAS_NO_OWNER)
                               ? vss_fail(reterr, -ENXIO,
                                          "no service " VSS_BUS_NAME
                                          " on the bus: start vssd, or use a private one")
                               : wire_get_error(&e, reterr);
        r = sd_bus_message_read_basic(reply, 's', &name);
        if (r < 0)
                return r;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

static int connect_bus(struct vss_backup_components *bc, const char *address,
                       struct vss_error *reterr) {
        int r = wire_open_bus(address, &bc->bus);

        if (r < 0)
                return vss_fail(reterr, address ? r : -ENXIO, "cannot reach the %s%s: %s",
                                address ? "bus at " : "system bus", address ? address : "",
                                vss_error_text(r));
        r = sd_bus_match_signal(bc->bus, &bc->owner, "org.freedesktop.DBus",
                                "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                                on_owner_changed, bc);
        if (r < 0)
                return vss_fail(reterr, r, "cannot watch " VSS_BUS_NAME " on the bus");
        return find_service(bc->bus, &bc->service_name, reterr);
}

/* ---- all ways ---- */

static void drop_bus(struct vss_backup_components *bc) {
        bc->owner = sd_bus_slot_unref(bc->owner);
        bc->operations = sd_bus_slot_unref(bc->operations);
        bc->bus = sd_bus_close_unref(bc->bus);
        free(bc->service_name);
        bc->service_name = NULL;
}

static int reach(struct vss_backup_components *bc, const struct vss_connection *connection,
                 struct vss_error *reterr) {
        const struct vss_connection usual = { 0 };
        int r;

        if (!connection)
                connection = &usual;
        if (connection->address && connection->embedded)
                return vss_fail(reterr, E_INVALIDARG,
                                "a private vssd has no address: give one or the other");
        if (connection->address)
                return connect_bus(bc, connection->address, reterr);
        if (!connection->embedded) {
                r = connect_bus(bc, NULL, reterr);
                if (r != -ENXIO) /* a service that refuses is an error, never a fallback */
                        return r;
                vss_error_clear(reterr);
                drop_bus(bc);
        }
        return connect_private(bc, connection->config_dir, reterr);
}

int bc_create_session(struct vss_backup_components *bc, bool restore, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        const char *path;
        int r = bc_new_call_to(bc, VSS_MANAGER_PATH, VSS_MANAGER_INTERFACE, "CreateSession", &m,
                               reterr);

        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "a{sv}", 1, "restore", "b", (int)restore);
        r = bc_send_complete(bc, m, r, &reply, reterr);
        if (r < 0)
                return r;
        free(bc->session);
        r = sd_bus_message_read_basic(reply, 'o', &path);
        if (r < 0)
                return bc_malformed("CreateSession", r, reterr);
        bc->session = strdup(path);
        return bc->session ? 0 : vss_fail(reterr, -ENOMEM, "no memory for a session");
}

int bc_open_session(struct vss_backup_components *bc, struct vss_error *reterr) {
        int r = sd_bus_match_signal(bc->bus, &bc->operations, bc->service_name, NULL,
                                    VSS_OPERATION_INTERFACE, NULL, bc_on_operation, bc);

        if (r < 0)
                return vss_fail(reterr, r, "cannot listen to vssd");
        return bc_create_session(bc, false, reterr);
}

int bc_connect(struct vss_backup_components *bc, const struct vss_connection *connection,
               struct vss_error *reterr) {
        int r = reach(bc, connection, reterr);

        return r < 0 ? r : bc_open_session(bc, reterr);
}

void bc_disconnect(struct vss_backup_components *bc) {
        drop_bus(bc);
        /* it ends with its only client; who does not is stuck, and vss-hold thaws without it */
        if (bc->service.pidfd >= 0 && process_wait(&bc->service, REAP_TIMEOUT_MS) < 0)
                process_kill(&bc->service);
        free(bc->session);
        free(bc->lost_words);
}
