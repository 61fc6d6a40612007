/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/copy.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sqlite/hold.h"

/* "file:" URI of a path: bytes that mean something in a URI go as %HH */
static char *uri_of(const char *path, const char *parameters) {
        static const char hex[] = "0123456789abcdef";
        char *uri = malloc(strlen(path) * 3 + strlen(parameters) + 8), *out;

        if (!uri)
                return NULL;
        out = stpcpy(uri, "file:");
        for (; *path; path++) {
                unsigned char c = (unsigned char)*path;

                if (strchr("%?#&=", c) || c < 0x21 || c > 0x7e) {
                        *out++ = '%';
                        *out++ = hex[c >> 4];
                        *out++ = hex[c & 15];
                } else {
                        *out++ = *path;
                }
        }
        (void)stpcpy(stpcpy(out, "?"), parameters);
        return uri;
}

static bool has_log(const char *path) {
        _cleanup_free_ char *wal = database_sidecar(path, "-wal");
        struct stat st;

        return wal && stat(wal, &st) == 0 && st.st_size > 0;
}

/*
 * The copy may be on a read-only file system, and must not change anyway. Without a log the file
 * is read as immutable. With one SQLite has to put the log over the file: with locking_mode
 * EXCLUSIVE it keeps the index of the log in memory instead of in a -shm file, which needs a lock
 * that a read-only descriptor cannot have; the VFS without locks gives it, nobody else is there.
 * (nolock=1 will not do: SQLite then refuses a log.)
 */
static int open_copy(const char *path, sqlite3 **ret) {
        bool log = has_log(path);
        _cleanup_free_ char *uri =
                uri_of(path, log ? "mode=ro&vfs=unix-none" : "mode=ro&immutable=1");
        int rc = uri ? sqlite3_open_v2(
                               uri, ret,
                               SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, NULL)
                     : SQLITE_NOMEM;

        if (rc != SQLITE_OK)
                return rc;
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        (void)sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return log ? sqlite3_exec(*ret, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL)
                   : SQLITE_OK;
}

static int judge(int rc, const char *path, const char *words, struct vss_error *reterr) {
        bool damaged = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;

        return util_fail(reterr,
                         damaged ? VSS_E_WRITERERROR_NONRETRYABLE : VSS_E_WRITERERROR_RETRYABLE,
                         "'%s' cannot be used: %s", path, words);
}

int copy_check_connection(sqlite3 *connection, const char *path, enum copy_check check,
                          struct vss_error *reterr) {
        static const char *const statements[] = { [CHECK_OPEN] =
                                                          "SELECT count(*) FROM sqlite_schema",
                                                  [CHECK_QUICK] = "PRAGMA quick_check(1)",
                                                  [CHECK_INTEGRITY] = "PRAGMA integrity_check(1)" };
        sqlite3_stmt *statement = NULL;
        const char *text;
        int rc, r = 0;

        if (check == CHECK_NONE)
                return 0;
        rc = sqlite3_prepare_v2(connection, statements[check], -1, &statement, NULL);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(statement);
        text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (rc != SQLITE_ROW)
                r = judge(rc, path, sqlite3_errmsg(connection), reterr);
        else if (check != CHECK_OPEN && (!text || strcmp(text, "ok") != 0))
                r = judge(SQLITE_CORRUPT, path, text ? text : "no answer", reterr);
        (void)sqlite3_finalize(statement);
        return r;
}

int copy_check(const char *path, enum copy_check check, int *ret_sqlite_code,
               struct vss_error *reterr) {
        sqlite3 *connection = NULL;
        struct stat st;
        int rc, r = 0;

        if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
                return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                                 "the shadow copy has no file '%s'", path);
        if (hold_is_hot_journal(path))
                return util_fail(reterr, VSS_E_WRITERERROR_RETRYABLE,
                                 "'%s' has a journal that is not rolled back", path);
        if (check == CHECK_NONE)
                return 0;
        rc = open_copy(path, &connection);
        if (rc != SQLITE_OK)
                r = judge(rc, path, connection ? sqlite3_errmsg(connection) : sqlite3_errstr(rc),
                          reterr);
        else
                r = copy_check_connection(connection, path, check, reterr);
        if (ret_sqlite_code)
                *ret_sqlite_code = connection ? sqlite3_errcode(connection) : rc;
        (void)sqlite3_close_v2(connection);
        return r;
}
