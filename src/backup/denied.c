/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "backup/denied.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

static const char *user_name(uid_t uid, char name[NAME_SIZE]) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
                (void)snprintf(name, NAME_SIZE, "%s", found->pw_name);
        else
                (void)snprintf(name, NAME_SIZE, "uid %u", (unsigned)uid);
        return name;
}

int fail_open(const char *what, const char *path, int at, const char *path_at, int r,
              struct vss_error *reterr) {
        char owner[NAME_SIZE], self[NAME_SIZE];
        struct stat st;

        if (r != -EACCES && r != -EPERM)
                return vss_fail(reterr, r, "cannot open %s '%s': %s", what, path, strerror(-r));
        user_name(geteuid(), self);
        if (fstatat(at, path_at, &st, 0) < 0)
                return vss_fail(reterr, r,
                                "cannot open %s '%s': a folder above it is closed to %s; ask its "
                                "owner, or run this as a user who may enter",
                                what, path, self);
        return vss_fail(
                reterr, r,
                "cannot open %s '%s': it belongs to %s (mode %03o) and is closed to %s; run "
                "this as %s, or name one of your own",
                what, path, user_name(st.st_uid, owner), (unsigned)(st.st_mode & 07777), self,
                owner);
}
