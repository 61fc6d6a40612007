/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/copy.h"
#include "sqlite/hold.h"

static const char *const sidecars[] = { "wal", "shm", "journal" };

static int open_writable(const char *path, sqlite3 **ret) {
        int rc = sqlite3_open_v2(
                path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                NULL);

        if (rc != SQLITE_OK)
                return rc;
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        return SQLITE_OK;
}

/* The last one who closes a database takes its log into it and removes it; so do that. */
static void close_cleanly(const char *path) {
        sqlite3 *connection = NULL;

        if (open_writable(path, &connection) == SQLITE_OK &&
            copy_check_connection(connection, path, CHECK_OPEN, NULL) >= 0)
                (void)sqlite3_wal_checkpoint_v2(connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                                NULL);
        (void)sqlite3_close_v2(connection);
}

/* name number @n of what was set aside: an earlier restore that did not end well has left some */
static void name_aside(const char *path, const char *sidecar, unsigned n, char *ret, size_t size) {
        if (n == 0)
                (void)snprintf(ret, size, "%s" BEFORE_RESTORE "%s", path, sidecar);
        else
                (void)snprintf(ret, size, "%s" BEFORE_RESTORE "%s.%u", path, sidecar, n);
}

static int set_aside_one(const char *path, const char *sidecar) {
        char from[4200], to[4300];

        (void)snprintf(from, sizeof(from), "%s-%s", path, sidecar);
        for (unsigned n = 0;; n++) {
                name_aside(path, sidecar, n, to, sizeof(to));
                if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
                        return 0;
                if (errno != EEXIST)
                        return errno == ENOENT ? 0 : -errno;
        }
}

static int set_aside(const char *path, const char *sidecar, struct vss_error *reterr) {
        int r = set_aside_one(path, sidecar);

        return r < 0 ? util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "cannot move '%s-%s' out of the way of the restored database: %s",
                                 path, sidecar, strerror(-r))
                     : 0;
}

int restore_set_aside_log(const char *path, struct vss_error *reterr) {
        return set_aside(path, "wal", reterr);
}

int restore_set_aside(const char *path, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sidecars); i++)
                r = set_aside(path, sidecars[i], reterr);
        return r;
}

static void remove_aside(const char *path) {
        char aside[4300];

        for (size_t i = 0; i < ELEMENTSOF(sidecars); i++) {
                unsigned n = 0;

                do
                        name_aside(path, sidecars[i], n++, aside, sizeof(aside));
                while (unlink(aside) == 0);
        }
}

int restore_refuse_open(const char *path, const char *when, struct vss_error *reterr) {
        char users[256];

        return hold_name_users(path, true, users, sizeof(users)) > 0
                       ? util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                                   "'%s' is open in %s: stop it before %s", path, users, when)
                       : 0;
}

int restore_clear(const char *path, struct vss_error *reterr) {
        struct stat st;

        if (stat(path, &st) == 0)
                close_cleanly(path);
        return restore_set_aside(path, reterr);
}

int restore_verify(const char *path, enum copy_check check, struct vss_error *reterr) {
        sqlite3 *connection = NULL;
        int r, rc = open_writable(path, &connection);

        if (rc == SQLITE_OK)
                r = copy_check_connection(connection, path, check, reterr);
        else
                r = util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                              "the restored '%s' cannot be opened: %s", path, sqlite3_errstr(rc));
        (void)sqlite3_close_v2(connection);
        if (r >= 0)
                remove_aside(path);
        return r;
}
