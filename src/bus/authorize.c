/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/authorize.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bus/names.h"
#include "bus/wire.h"

static bool is_member(const struct caller *caller, uint32_t gid) {
        for (size_t i = 0; i < caller->n_groups; i++)
                if (caller->groups[i] == gid)
                        return true;
        return false;
}

/* The user's own entry, then a denial of any group, then a grant of any group (SEC-4). */
static bool find_grant(const struct settings *settings, const struct caller *caller,
                       unsigned *ret) {
        bool found = false, denied = false;
        unsigned granted = 0;

        for (size_t i = 0; i < settings->n_access; i++) {
                const struct access_rule *rule = &settings->access[i];

                if (!rule->is_group && rule->id == caller->uid) {
                        *ret = rule->grant;
                        return true;
                }
                if (!rule->is_group || !is_member(caller, rule->id))
                        continue;
                found = true;
                denied |= rule->grant == ACCESS_NONE;
                granted |= rule->grant;
        }
        *ret = denied ? ACCESS_NONE : granted;
        return found;
}

static unsigned grant_of(const struct settings *settings, const struct caller *caller) {
        unsigned grant;

        if (find_grant(settings, caller, &grant))
                return grant;
        if (settings->backup_gid != (gid_t)-1 && is_member(caller, settings->backup_gid))
                return ACCESS_WRITER | ACCESS_REQUESTER;
        return ACCESS_NONE;
}

int authorize(const struct settings *settings, uid_t service, const struct caller *caller,
              enum role role, struct vss_error *reterr) {
        static const struct {
                unsigned grant;
                const char *what;
        } roles[] = { [ROLE_LOOK] = { ACCESS_NONE, "look" },
                      [ROLE_WRITER] = { ACCESS_WRITER, "register as a writer" },
                      [ROLE_REQUESTER] = { ACCESS_REQUESTER, "make backups" },
                      [ROLE_ADMINISTRATOR] = { ACCESS_NONE, "do what only root may" } };

        if (caller->uid == 0 || caller->uid == service || role == ROLE_LOOK)
                return 0;
        if (role != ROLE_ADMINISTRATOR && (grant_of(settings, caller) & roles[role].grant))
                return 0;
        return vss_fail(reterr, E_ACCESSDENIED,
                        "user %u may not %s: root, members of the group '%s' and the accounts in "
                        "[access] of vss.conf may",
                        (unsigned)caller->uid, roles[role].what,
                        settings->backup_group ? settings->backup_group : "vss-backup");
}

/* ---- who is it? ---- */

struct admission {
        struct server *server;
        sd_bus_message *m;
        enum role role;
        admit_t then;
};

static int go_on(struct server *server, sd_bus_message *m, enum role role, admit_t then,
                 const struct caller *caller, sd_bus_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = authorize(&server->settings, geteuid(), caller, role, &error);

        if (r >= 0)
                r = then(server, m, caller, &error);
        return r < 0 ? wire_set_error(reterr, r, &error) : 1;
}

static int read_credentials(sd_bus_message *reply, struct caller *ret) {
        const char *key;
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        bool known = false;

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = sd_bus_message_read_basic(reply, 's', &key);
                if (r >= 0 && strcmp(key, "UnixUserID") == 0) {
                        r = sd_bus_message_read(reply, "v", "u", &ret->uid);
                        known = true;
                } else if (r >= 0 && strcmp(key, "ProcessID") == 0) {
                        r = sd_bus_message_read(reply, "v", "u", &ret->pid);
                } else if (r >= 0 && strcmp(key, "UnixGroupIDs") == 0) {
                        size_t size = 0;

                        r = sd_bus_message_enter_container(reply, 'v', "au");
                        if (r >= 0)
                                r = sd_bus_message_read_array(reply, 'u',
                                                              (const void **)&ret->groups, &size);
                        ret->n_groups = size / sizeof(*ret->groups);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(reply);
                } else if (r >= 0)
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r < 0 ? r : known ? 0 : -ENODATA;
}

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *reterr) {
        struct admission *admission = userdata;
        _cleanup_bus_error_ sd_bus_error e = SD_BUS_ERROR_NULL;
        struct caller caller = { .uid = (uid_t)-1 };
        int r;

        if (sd_bus_message_is_method_error(reply, NULL) || read_credentials(reply, &caller) < 0)
                r = wire_set_error(&e, E_ACCESSDENIED, NULL);
        else
                r = go_on(admission->server, admission->m, admission->role, admission->then,
                          &caller, &e);
        if (r < 0)
                (void)sd_bus_reply_method_error(admission->m, &e);
        sd_bus_message_unref(admission->m);
        free(admission);
        return 0;
}

int admit(struct server *server, sd_bus_message *m, enum role role, admit_t then,
          sd_bus_error *reterr) {
        struct caller peer = { .uid = server->peer_uid };
        struct admission *admission;
        int r;

        if (server->private)
                return go_on(server, m, role, then, &peer, reterr);
        admission = calloc(1, sizeof(*admission));
        if (!admission)
                return -ENOMEM;
        *admission = (struct admission){ server, sd_bus_message_ref(m), role, then };
        r = sd_bus_call_method_async(server->bus, NULL, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionCredentials", on_credentials, admission, "s",
                                     sd_bus_message_get_sender(m));
        if (r < 0) {
                sd_bus_message_unref(m);
                free(admission);
                return wire_set_error(reterr, r, NULL);
        }
        return 1;
}
