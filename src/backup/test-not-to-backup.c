/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-not-to-backup.c - the machine-wide list: its files, its lines, what they fit.
 */
#define _GNU_SOURCE
#include "tests/check.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/not-to-backup.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

static char root[] = "/tmp/vss-not-to-backup.XXXXXX";

static void put(const char *name, const char *text, mode_t mode) {
        _cleanup_free_ char *path = NULL;

        CHECK(asprintf(&path, "%s/not_to_backup.d/%s", root, name) > 0);
        if (!text) {
                CHECK_INT(unlink(path), 0);
                return;
        }
        CHECK_INT(write_file_atomic(AT_FDCWD, path, text, strlen(text), mode), 0);
        CHECK_INT(chmod(path, mode), 0);
}

/* The writers that were identified: one, called "Shop". */
static struct not_to_backup *load(struct selection *s) {
        struct not_to_backup *list;

        s->writers = calloc(1, sizeof(*s->writers));
        s->writer_count = 1;
        s->writers[0].identity.name = "Shop";
        s->writers[0].component_count = 1; /* it has its own files, and excludes among these */
        CHECK_INT(not_to_backup_load(root, s, false, &list), 0);
        return list;
}

static bool noted(const struct selection *s, const char *words) {
        for (size_t i = 0; i < s->note_count; i++)
                if (strstr(s->notes[i], words))
                        return true;
        return false;
}

static const char lines[] = "# a comment\n"
                            "/d/*.tmp\n"
                            "  /deep/*.tmp   /s\n"
                            "/gone/* /S\n"
                            "/a file\n"
                            "/top?\n"
                            "$AllVolumes$/cache/c*  /s\n"
                            "[writer Shop]\n"
                            "/present/*\n"
                            "[ writer Nobody]\n"
                            "/unread/*\n"
                            "[writer Old One]\n"
                            "/absent/*\n";

static const struct row {
        const char *path;
        const char *volume;
        bool directory, left_out;
} rows[] = {
        { "/d/x.tmp", "/", false, true },
        { "/d/x.txt", "/", false, false },
        { "/d/sub/x.tmp", "/", false, false }, /* no /s */
        { "/dd/x.tmp", "/", false, false },
        { "/d/x.tmp", "/", true, false }, /* a folder of that name */
        { "/deep/x.tmp", "/", false, true },
        { "/deep/a/b/x.tmp", "/", false, true },
        { "/deeper/x.tmp", "/", false, false },
        { "/deep/a", "/", true, false },
        { "/gone", "/", true, false }, /* the folder itself stays */
        { "/gone/x", "/", false, true },
        { "/gone/a", "/", true, true }, /* all below goes */
        { "/a file", "/", false, true },
        { "/a", "/", false, false },
        { "/top1", "/", false, true },
        { "/top12", "/", false, false },
        { "/v/cache/c1", "/v", false, true },
        { "/v/cache/sub/c1", "/v", false, true },
        { "/v/cache/x1", "/v", false, false },
        { "/cache/c1", "/", false, true },
        { "/v/cache/c1", "/", false, false }, /* relative to its volume */
        { "/v/w/cache/c1", "/v", false, false },
        { "/vcache/c1", "/v", false, false },
        /* B-148: keyed by a writer that is present, by one that is not */
        { "/present/x", "/", false, false },
        { "/absent/x", "/", false, true },
        { "/unread/x", "/", false, false },
};

/* B-148, CFG-16 */
static void test_lines(void) {
        struct selection s = { 0 };
        struct not_to_backup *list;

        put("product.conf", lines, 0644);
        list = load(&s);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (not_to_backup_has(list, rows[i].path, rows[i].directory, rows[i].volume) !=
                    rows[i].left_out)
                        CHECK_FAIL_("%s of %s", rows[i].path, rows[i].volume);
        CHECK(noted(&s, "/deep/*.tmp and below"));
        CHECK(noted(&s, "on every volume /cache/c* and below"));
        CHECK(noted(&s, "line 10: a section is written [writer NAME]"));
        CHECK(!noted(&s, "/present") && !noted(&s, "/unread"));
        CHECK_INT(s.note_count, 8);
        not_to_backup_free(list);
        selection_done(&s);
        put("product.conf", NULL, 0);
}

/* the same for a restore; whose writers are there is not known, so no section counts */
static void test_restore(void) {
        struct not_to_backup *list;

        put("product.conf", lines, 0644);
        put("open.conf", "/open/*\n", 0666);
        CHECK_INT(not_to_backup_load_for_restore(root, &list), 0);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (not_to_backup_has(list, rows[i].path, rows[i].directory, rows[i].volume) !=
                    (rows[i].left_out && strcmp(rows[i].path, "/absent/x") != 0))
                        CHECK_FAIL_("%s of %s", rows[i].path, rows[i].volume);
        CHECK(!not_to_backup_has(list, "/open/x", false, "/"));
        not_to_backup_free(list);
        put("product.conf", NULL, 0);
        put("open.conf", NULL, 0);
}

/* a line that says nothing sure leaves nothing out, and is named */
static void test_bad_lines(void) {
        static const char *const bad[] = {
                "relative/x", "/d*/x",           "/d/../x", "/d/",          "/",
                "//x",        "$UserProfile$/x", "/a/?/*",  "$AllVolumes$", "$AllVolumes$x/y",
                "[shop]"
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct selection s = { 0 };
                struct not_to_backup *list;
                _cleanup_free_ char *text = NULL;

                CHECK(asprintf(&text, "%s\n", bad[i]) > 0);
                put("bad.conf", text, 0644);
                list = load(&s);
                if (s.note_count != 1 || !noted(&s, "bad.conf', line 1: ") ||
                    not_to_backup_has(list, "/d/x", false, "/") ||
                    not_to_backup_has(list, "/x", false, "/"))
                        CHECK_FAIL_("'%s'", bad[i]);
                not_to_backup_free(list);
                selection_done(&s);
        }
        put("bad.conf", NULL, 0);
}

/* others must not be able to keep files out of a backup; other names are not read */
static void test_files(void) {
        struct selection s = { 0 };
        struct not_to_backup *list;

        put("open.conf", "/open\n", 0666);
        put("readme", "/readme\n", 0644);
        put(".hidden.conf", "/hidden\n", 0644);
        put("good.conf", "/good\n", 0600);
        list = load(&s);
        CHECK(!not_to_backup_has(list, "/open", false, "/") && noted(&s, "open.conf' is ignored"));
        CHECK(!not_to_backup_has(list, "/readme", false, "/"));
        CHECK(!not_to_backup_has(list, "/hidden", false, "/"));
        CHECK(not_to_backup_has(list, "/good", false, "/"));
        not_to_backup_free(list);
        selection_done(&s);
        put("open.conf", NULL, 0);
        put("readme", NULL, 0);
        put(".hidden.conf", NULL, 0);
        put("good.conf", NULL, 0);
}

static void test_none(void) {
        struct selection s = { 0 };
        struct not_to_backup *list;

        CHECK_INT(not_to_backup_load("/nonexistent", &s, false, &list), 0);
        CHECK(!not_to_backup_has(list, "/x", false, "/") && s.note_count == 0);
        CHECK(!not_to_backup_has(NULL, "/x", false, "/"));
        not_to_backup_free(list);
}

int main(void) {
        _cleanup_free_ char *folder = NULL;

        scratch_folder(root);
        CHECK(asprintf(&folder, "%s/not_to_backup.d", root) > 0);
        CHECK_INT(mkdir(folder, 0755), 0);
        RUN(test_lines);
        RUN(test_restore);
        RUN(test_bad_lines);
        RUN(test_files);
        RUN(test_none);
        return 0;
}
