/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire-error.c - our codes as D-Bus errors and back (the only place that converts), and the
 * private connection.
 */
#define _GNU_SOURCE
#include "bus/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "bus/names.h"

const char *wire_error_name(int code, char buffer[WIRE_ERROR_NAME_SIZE]) {
        const char *name = vss_error_name(code);
        bool is_errno = code < 0 && code > -4096;

        if (code >= 0)
                return strcpy(buffer, "");
        if (strcmp(name, "unknown") == 0) {
                name = "E_UNEXPECTED";
                is_errno = false;
        }
        snprintf(buffer, WIRE_ERROR_NAME_SIZE, "%s%s",
                 is_errno ? VSS_BUS_ERROR_ERRNO_PREFIX : VSS_BUS_ERROR_PREFIX, name);
        return buffer;
}

static int errno_from_name(const char *name) {
        for (int e = 1; e < 4096; e++) {
                const char *candidate = strerrorname_np(e);

                if (candidate && strcmp(candidate, name) == 0)
                        return -e;
        }
        return E_UNEXPECTED;
}

int wire_error_code(const char *name) {
        const size_t errno_prefix = strlen(VSS_BUS_ERROR_ERRNO_PREFIX);
        const size_t prefix = strlen(VSS_BUS_ERROR_PREFIX);
        int code;

        if (!*name)
                return 0;
        if (strncmp(name, VSS_BUS_ERROR_ERRNO_PREFIX, errno_prefix) == 0)
                return errno_from_name(name + errno_prefix);
        if (strncmp(name, VSS_BUS_ERROR_PREFIX, prefix) != 0)
                return E_UNEXPECTED;
        code = vss_error_from_name(name + prefix);
        return code < 0 ? code : E_UNEXPECTED; /* a success is no error's name */
}

/* How many bytes the UTF-8 character at @s takes, 0 when it is none. */
static size_t utf8_length(const unsigned char *s) {
        size_t n = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 : *s >= 0xe0 && *s < 0xf0 ? 3 : 4;

        if ((*s >= 0x80 && *s < 0xc2) || *s > 0xf4)
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        /* longer than needed, a surrogate, above the last character */
        if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
            (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
                return 0;
        return n;
}

char *wire_words(const char *words) {
        char *clean = strdup(words);

        for (unsigned char *s = (unsigned char *)clean; s && *s;) {
                size_t n = utf8_length(s);

                if (n == 0)
                        *s = '?';
                s += n ? n : 1;
        }
        return clean;
}

int wire_set_error(sd_bus_error *ret, int code, const struct vss_error *error) {
        char name[WIRE_ERROR_NAME_SIZE];
        _cleanup_free_ char *clean = error && error->message ? wire_words(error->message) : NULL;
        const char *words = clean ? clean : vss_error_text(code);

        if (code >= 0)
                return sd_bus_error_set(ret, VSS_BUS_ERROR_PREFIX "E_UNEXPECTED", words);
        return sd_bus_error_set(ret, wire_error_name(code, name), words);
}

int wire_get_error(const sd_bus_error *error, struct vss_error *reterr) {
        const char *name = error->name ? error->name : "";
        const char *words = error->message && *error->message ? error->message : name;
        int code;

        if (strncmp(name, VSS_BUS_ERROR_PREFIX, strlen(VSS_BUS_ERROR_PREFIX)) == 0)
                code = wire_error_code(name);
        else if (strcmp(name, SD_BUS_ERROR_ACCESS_DENIED) == 0)
                code = E_ACCESSDENIED;
        else
                code = *name ? -sd_bus_error_get_errno(error) : E_UNEXPECTED;
        if (code >= 0)
                code = E_UNEXPECTED;
        return vss_fail(reterr, code, "%s", *words ? words : vss_error_text(code));
}

static int set_up(sd_bus *bus, bool server) {
        sd_id128_t id;
        int r;

        r = sd_bus_set_anonymous(bus, 1);
        if (r < 0)
                return r;
        r = sd_bus_negotiate_fds(bus, 1);
        if (r < 0)
                return r;
        if (!server)
                return 0;
        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        r = sd_bus_set_trusted(bus, 1); /* who has the other end was given it */
        if (r < 0)
                return r;
        return sd_bus_set_server(bus, 1, id);
}

int wire_connect(int fd, bool server, sd_bus **ret) {
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_close_ int taken = fd;
        int flags, r;

        flags = fcntl(fd, F_GETFD);
        if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
                return -errno;
        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = set_up(bus, server);
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, fd, fd);
        if (r < 0)
                return r;
        taken = -1; /* the bus closes it */
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        *ret = take(bus);
        return 0;
}
