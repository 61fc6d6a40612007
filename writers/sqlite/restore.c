/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sqlite/copy.h"
#include "sqlite/hold.h"

/* integrity_check sorts out every index; 4 GB take a minute or two */
static const int64_t INTEGRITY_MAX = INT64_C(4) << 30;

static const char *const sidecars[] = { "wal", "shm", "journal" };

int restore_open(const char *path, sqlite3 **ret) {
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

        if (restore_open(path, &connection) == SQLITE_OK &&
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

/* @ret_name: what it is called now, NULL when there was none; may be NULL itself */
static int set_aside_one(const char *path, const char *sidecar, char **ret_name) {
        char from[4200], to[4300];

        (void)snprintf(from, sizeof(from), "%s-%s", path, sidecar);
        for (unsigned n = 0;; n++) {
                name_aside(path, sidecar, n, to, sizeof(to));
                if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
                        if (ret_name)
                                *ret_name = strdup(to);
                        return 0;
                }
                if (errno != EEXIST)
                        return errno == ENOENT ? 0 : -errno;
        }
}

static int set_aside(const char *path, const char *sidecar, char **ret_name,
                     struct vss_error *reterr) {
        int r = set_aside_one(path, sidecar, ret_name);

        return r < 0 ? util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "cannot move '%s-%s' out of the way of the restored database: %s",
                                 path, sidecar, strerror(-r))
                     : 0;
}

int restore_set_aside_log(const char *path, struct vss_error *reterr) {
        return set_aside(path, "wal", NULL, reterr);
}

int restore_set_aside(const char *path, struct restore_aside *ret, struct vss_error *reterr) {
        int r = 0;

        *ret = (struct restore_aside){ { NULL } };
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(sidecars); i++)
                r = set_aside(path, sidecars[i], &ret->names[i], reterr);
        if (r < 0) { /* none of them, or all */
                restore_put_back(path, ret);
                restore_aside_done(ret);
        }
        return r;
}

void restore_put_back(const char *path, const struct restore_aside *aside) {
        char to[4200];

        for (size_t i = 0; i < ELEMENTSOF(sidecars); i++) {
                (void)snprintf(to, sizeof(to), "%s-%s", path, sidecars[i]);
                if (aside->names[i])
                        (void)renameat2(AT_FDCWD, aside->names[i], AT_FDCWD, to, RENAME_NOREPLACE);
        }
}

void restore_aside_done(struct restore_aside *aside) {
        for (size_t i = 0; i < ELEMENTSOF(aside->names); i++)
                free(aside->names[i]);
        *aside = (struct restore_aside){ { NULL } };
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

/*
 * A write lease is refused while anybody else has the file open, also who cannot be seen in /proc.
 * Older kernels refuse it for a moment when somebody only looks, so it is asked for again.
 */
static bool lease_is_refused(const char *path) {
        _cleanup_close_ int fd =
                open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

        for (int i = 0; fd >= 0 && i < 20; i++) {
                if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
                        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
                        return false;
                }
                if (errno != EAGAIN)
                        return false; /* no leases here */
                (void)usleep(5000);
        }
        return fd >= 0;
}

int restore_refuse_open(const char *path, const char *when, struct vss_error *reterr) {
        char users[256];

        if (hold_name_users(path, true, users, sizeof(users)) == 0) {
                if (!lease_is_refused(path))
                        return 0;
                (void)snprintf(users, sizeof(users), "a process that cannot be seen from here");
        }
        return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                         "'%s' is open in %s: stop it before %s", path, users, when);
}

int restore_clear(const char *path, struct restore_aside *ret, struct vss_error *reterr) {
        struct stat st;

        if (stat(path, &st) == 0)
                close_cleanly(path);
        return restore_set_aside(path, ret, reterr);
}

/* every page and every index is looked at, as long as that ends in minutes */
static enum copy_check choose_check(const char *path, enum copy_check check) {
        struct stat st;

        if (check != CHECK_AUTO)
                return check;
        return stat(path, &st) == 0 && st.st_size > INTEGRITY_MAX ? CHECK_QUICK : CHECK_INTEGRITY;
}

int restore_verify(const char *path, enum copy_check check, bool settle, struct vss_error *reterr) {
        sqlite3 *connection = NULL;
        int r, rc = restore_open(path, &connection);

        check = choose_check(path, check);
        if (settle && check == CHECK_NONE)
                check = CHECK_OPEN;
        if (rc == SQLITE_OK)
                r = copy_check_connection(connection, path, check, reterr);
        else
                r = util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                              "the restored '%s' cannot be opened: %s", path, sqlite3_errstr(rc));
        if (r >= 0 && settle)
                (void)sqlite3_wal_checkpoint_v2(connection, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                                NULL);
        (void)sqlite3_close_v2(connection);
        if (r >= 0)
                remove_aside(path);
        return r;
}
