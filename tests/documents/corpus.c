/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corpus.c - every sample of wmd/ and bcd/: NAME.in.xml is written back as NAME.out.xml, any
 * other as itself, to the byte; what is written reads and writes the same again (D-1);
 * NAME-invalid.xml is refused with words. A newline at the end of a file does not count.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>

#include "base/file.h"
#include "documents/components-document.h"
#include "tests/check.h"
#include "vss/documents.h"

static char *read_sample(const char *path, size_t *ret_size) {
        char *text;
        size_t size;
        int r = read_whole_file(AT_FDCWD, path, 1 << 20, &text, &size);

        if (r < 0)
                CHECK_FAIL_("%s: %s", path, strerror(-r));
        if (size > 0 && text[size - 1] == '\n')
                text[--size] = '\0';
        *ret_size = size;
        return text;
}

/* convert() - read and write once */
static int convert(bool is_bcd, const char *xml, size_t size, char **ret,
                   struct vss_error *reterr) {
        struct vss_examine_writer_metadata *metadata;
        struct bcd *bcd;
        int r;

        if (is_bcd) {
                r = bcd_load(xml, size, NULL, &bcd, reterr);
                if (r < 0)
                        return r;
                r = bcd_save(bcd, ret, NULL, reterr);
                bcd_free(bcd);
                return r;
        }
        r = vss_examine_writer_metadata_create(xml, size, &metadata, reterr);
        if (r < 0)
                return r;
        r = vss_examine_writer_metadata_save_as_xml(metadata, ret, NULL, reterr);
        vss_examine_writer_metadata_free(metadata);
        return r;
}

static bool ends_with(const char *text, const char *end) {
        size_t a = strlen(text), b = strlen(end);

        return a >= b && strcmp(text + a - b, end) == 0;
}

static void check_invalid(bool is_bcd, const char *path, const char *xml, size_t size) {
        struct vss_error error = VSS_ERROR_INIT;
        char *saved;

        if (convert(is_bcd, xml, size, &saved, &error) != VSS_E_INVALID_XML_DOCUMENT)
                CHECK_FAIL_("%s was accepted", path);
        CHECK(error.message);
        printf("ok %s: %s\n", strrchr(path, '/') + 1, error.message);
        vss_error_clear(&error);
}

static void check_valid(bool is_bcd, const char *path, const char *xml, size_t size) {
        struct vss_error error = VSS_ERROR_INIT;
        char *expected = NULL, *saved, *again, *out_path;
        size_t expected_size;

        if (ends_with(path, ".in.xml")) {
                CHECK(asprintf(&out_path, "%.*s.out.xml", (int)(strlen(path) - 7), path) > 0);
                expected = read_sample(out_path, &expected_size);
                free(out_path);
        }
        if (convert(is_bcd, xml, size, &saved, &error) < 0)
                CHECK_FAIL_("%s: %s", path, vss_error_message(&error));
        if (strcmp(saved, expected ? expected : xml) != 0)
                CHECK_FAIL_("%s is written as\n%s\nexpected\n%s", path, saved,
                            expected ? expected : xml);
        CHECK_INT(convert(is_bcd, saved, strlen(saved), &again, &error), 0);
        CHECK_STR(again, saved);
        printf("ok %s\n", strrchr(path, '/') + 1);
        free(expected);
        free(saved);
        free(again);
}

static size_t check_folder(const char *top, const char *folder, bool is_bcd) {
        glob_t found;
        char *pattern;
        size_t count;

        CHECK(asprintf(&pattern, "%s/%s/*.xml", top, folder) > 0);
        CHECK_INT(glob(pattern, 0, NULL, &found), 0);
        count = found.gl_pathc;
        for (size_t i = 0; i < count; i++) {
                const char *path = found.gl_pathv[i];
                size_t size;
                char *xml = read_sample(path, &size);

                if (ends_with(path, "-invalid.xml"))
                        check_invalid(is_bcd, path, xml, size);
                else
                        check_valid(is_bcd, path, xml, size);
                free(xml);
        }
        globfree(&found);
        free(pattern);
        return count;
}

int main(int argc, char **argv) {
        CHECK_INT(argc, 2);
        CHECK(check_folder(argv[1], "wmd", false) >= 20);
        CHECK(check_folder(argv[1], "bcd", true) >= 15);
        return 0;
}
