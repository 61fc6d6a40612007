/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-real-path.c - many paths resolved beside us. One that hangs: tests/system/refusals.sh.
 */
#define _GNU_SOURCE
#include "base/real-path.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/check.h"

static void test_paths(void) {
        char folder[] = "/tmp/test-real-path.XXXXXX", odd[] = "a\377\n", link[] = "link";
        char dot[] = ".", none[] = "none";
        char *paths[] = { dot, odd, link, none, dot }, *found[5], expected[64];

        CHECK(mkdtemp(folder) && chdir(folder) == 0);
        CHECK_INT(mkdir(odd, 0700), 0);
        CHECK_INT(symlink(odd, link), 0);
        CHECK_INT(real_paths(paths, 0, 1000, found), 0);
        CHECK_INT(real_paths(paths, 3, 10000, found), 0);
        snprintf(expected, sizeof(expected), "%s/%s", folder, odd);
        CHECK_STR(found[0], folder);
        CHECK_STR(found[1], expected);
        CHECK_STR(found[2], expected);
        for (size_t i = 0; i < 3; i++)
                free(found[i]);
        CHECK_INT(real_paths(paths, 5, 10000, found), -ENOENT);
        CHECK(found[2] && !found[3] && !found[4]); /* the caller can name the one */
        for (size_t i = 0; i < 5; i++)
                free(found[i]);
        CHECK(rmdir(odd) == 0 && unlink(link) == 0 && chdir("/") == 0 && rmdir(folder) == 0);
}

int main(void) {
        RUN(test_paths);
        return 0;
}
