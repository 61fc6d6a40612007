/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-changes.c - the reader of a provider's list of changes: whole, cut, and malformed in every
 * way that a line can be. Only a list that came to its end is knowledge.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "requester/changes.h"
#include "tests/check.h"

static char told[4096];
static int verdict_of_sink;

static int sink(void *userdata, const struct vss_change *change) {
        size_t n = strlen(told);

        snprintf(told + n, sizeof(told) - n, "%u%s %s%s%s", change->kind,
                 change->content ? "+" : "", change->path, change->from ? "<" : "",
                 change->from ? change->from : "");
        for (size_t i = 0; i < change->extent_count; i++) {
                n = strlen(told);
                snprintf(told + n, sizeof(told) - n, " %" PRIu64 ":%" PRIu64,
                         change->extents[i].offset, change->extents[i].length);
        }
        strcat(told, ";");
        return verdict_of_sink;
}

static int take(const char *text, size_t size) {
        struct vss_error error = VSS_ERROR_INIT;
        int fd = memfd_create("list", MFD_CLOEXEC), r;

        CHECK(fd >= 0 && write(fd, text, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
        told[0] = '\0';
        r = changes_read(fd, sink, NULL, &error);
        CHECK(r == 0 || verdict_of_sink < 0 || error.message);
        vss_error_clear(&error);
        close(fd);
        return r;
}

static int take_text(const char *text) {
        return take(text, strlen(text));
}

#define HEAD "vss-delta\t1\n"

static void test_whole(void) {
        static const char list[] =
                HEAD "changed\t\nchanged\ta/b\ncontent\tc\nextent\t0\t4096\nextent\t8192\t1\n"
                     "content\td\nnew\ta%20b%25%0a\xff\ngone\te/f\nrenamed\tg/h\ti\nend\t10\n";

        CHECK_INT(take_text(list), 0);
        CHECK_STR(told, "1 ;1 a/b;1+ c 0:4096 8192:1;1+ d;2+ a b%\n\xff;3 e/f;4+ i<g/h;");
        CHECK_INT(take_text(HEAD "end\t1\n"), 0);
        for (size_t n = 0; n < sizeof(list) - 1; n++)
                CHECK_INT(take(list, n), VSS_E_UNEXPECTED_PROVIDER_ERROR);
}

static void test_malformed(void) {
        static const char *const bad[] = {
                "",
                "\n",
                "vss-delta\t2\nend\t1\n",
                "changed\ta\nend\t1\n",
                HEAD "end\t0\n",
                HEAD "end\t2\n",
                HEAD "end\t1\nend\t2\n",
                HEAD "end\t1\nchanged\ta\n",
                HEAD "end\t1\nx",
                HEAD "end\t-1\n",
                HEAD "end\t1x\n",
                HEAD "end\t\n",
                HEAD "changed\t/a\nend\t2\n",
                HEAD "changed\ta/\nend\t2\n",
                HEAD "changed\ta//b\nend\t2\n",
                HEAD "changed\t..\nend\t2\n",
                HEAD "changed\ta/../b\nend\t2\n",
                HEAD "changed\ta/.\nend\t2\n",
                HEAD "changed\ta%\nend\t2\n",
                HEAD "changed\ta%0\nend\t2\n",
                HEAD "changed\ta%00\nend\t2\n",
                HEAD "changed\ta%0g\nend\t2\n",
                HEAD "changed\nend\t2\n",
                HEAD "changed\ta\tb\nend\t2\n",
                HEAD "changed\ta\tb\tc\nend\t2\n",
                HEAD "renamed\ta\nend\t2\n",
                HEAD "renamed\t../a\tb\nend\t2\n",
                HEAD "renamed\t\tb\nend\t2\n" /* the root's own name */,
                HEAD "new\t\nend\t2\n",
                HEAD "gone\t\nend\t2\n",
                HEAD "lost\ta\nend\t2\n",
                HEAD "extent\t0\t1\nend\t2\n",
                HEAD "changed\ta\nextent\t0\t1\nend\t3\n",
                HEAD "content\ta\nextent\t18446744073709551615\t1\nend\t3\n",
                HEAD "content\ta\nextent\t18446744073709551616\t1\nend\t3\n",
                HEAD "content\ta\nextent\t1\nend\t3\n",
                HEAD "failed\tthe%20reason\n",
                HEAD "changed\ta\n\nfailed\tthe%20reason\n",
                HEAD "changed\ta\n\nend\t3\nfailed\tlate\n",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                if (take_text(bad[i]) != VSS_E_UNEXPECTED_PROVIDER_ERROR)
                        CHECK_FAIL_("taken: %s", bad[i]);
        }
        CHECK_INT(take(HEAD "changed\ta\0b\nend\t2\n", sizeof(HEAD "changed\ta\0b\nend\t2\n") - 1),
                  VSS_E_UNEXPECTED_PROVIDER_ERROR);
}

static void test_bounds(void) {
        static char list[2000000];
        size_t n = (size_t)snprintf(list, sizeof(list), HEAD "content\ta\n");

        for (int i = 0; i < 65537; i++)
                n += (size_t)snprintf(list + n, sizeof(list) - n, "extent\t%d\t1\n", i * 2);
        snprintf(list + n, sizeof(list) - n, "end\t65539\n");
        CHECK_INT(take_text(list), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        strcpy(list, HEAD "changed\t");
        memset(list + strlen(list), 'x', 40000);
        CHECK_INT(take_text(list), VSS_E_UNEXPECTED_PROVIDER_ERROR);
        verdict_of_sink = -ECANCELED;
        CHECK_INT(take_text(HEAD "changed\ta\nchanged\tb\nend\t3\n"), -ECANCELED);
        CHECK_STR(told, "1 a;");
        verdict_of_sink = 0;
}

int main(void) {
        RUN(test_whole);
        RUN(test_malformed);
        RUN(test_bounds);
        return 0;
}
