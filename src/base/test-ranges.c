/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-ranges.c - I-120..I-123 and the vectors IV-54..IV-66.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/ranges.h"
#include "tests/check.h"

static struct ranges parsed(const char *text) {
        struct ranges ranges = { 0 };
        const char *file = text;
        struct vss_error error = VSS_ERROR_INIT;

        if (ranges_parse(text, &ranges, &file, &error) < 0)
                CHECK_FAIL_("'%s': %s", text, vss_error_message(&error));
        CHECK(!file);
        return ranges;
}

static void check_list(const char *text, const char *expected) {
        struct ranges ranges = parsed(text);
        char *formatted;

        CHECK_INT(ranges_format(&ranges, &formatted), 0);
        CHECK_STR(formatted, expected);
        free(formatted);
        ranges_done(&ranges);
}

static void test_lists(void) {
        check_list("0:5,100:20", "0:5,100:20"); /* IV-54 */
        check_list("0:5, 100:20", "0:5,100:20"); /* IV-55 */
        check_list("0:5 ,100:20", "0:5,100:20"); /* I-120 */
        check_list("0x10:16", "16:16"); /* IV-56 */
        check_list("0X10:0xfF", "16:255"); /* I-120: each number on its own */
        check_list("64:448,0x1239E8577A:65536", "64:448,78280939386:65536"); /* IV-57 */
        check_list("0:0", "0:0"); /* IV-58 */
        check_list("100:20,0:5", "100:20,0:5"); /* IV-59: any order */
        check_list("9223372036854775807:0,0:9223372036854775807",
                   "9223372036854775807:0,0:9223372036854775807"); /* I-120: up to 2^63-1 */
}

static void test_bad_lists(void) {
        static const char *const bad[] = {
                NULL,
                "",
                "5",
                "5:",
                ":5",
                "0:5,",
                "-1:5",
                "0x:1",
                "1:2:3",
                "a:b", /* IV-60 */
                "18446744073709551615:1", /* IV-61 */
                "9223372036854775807:1",
                "0:9223372036854775808",
                "99999999999999999999:1",
                "0:5 ",
                "0:5;6:7",
                "0:5,,6:7",
                "0:0x",
                "1 :2",
                "0:5\n,6:7",
                "r.bin",
                "File=r.bin",
                "File=",
                " /r.bin", /* IV-63 */
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct ranges ranges = { 0 };
                struct vss_error error = VSS_ERROR_INIT;
                const char *file = "untouched";

                if (ranges_parse(bad[i], &ranges, &file, &error) != E_INVALIDARG)
                        CHECK_FAIL_("'%s' was accepted", bad[i] ? bad[i] : "(null)");
                CHECK_STR(file, "untouched");
                CHECK_INT(ranges.count, 0);
                CHECK(error.message);
                vss_error_clear(&error);
        }
}

static void test_files_by_name(void) { /* IV-62, R-121 */
        static const char *const texts[] = { "/var/lib/app/r.bin", "File=/var/lib/app/r.bin",
                                             "file= /var/lib/app/r.bin" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                struct ranges ranges = { 0 };
                const char *file = NULL;

                CHECK_INT(ranges_parse(texts[i], &ranges, &file, NULL), 0);
                CHECK_STR(file, "/var/lib/app/r.bin");
                CHECK_INT(ranges.count, 0);
        }
}

/* I-123: the example, as list and as file */
static const unsigned char example[40] = {
        0x02, 0, 0, 0, 0,    0,    0,    0,    0x40, 0, 0, 0, 0, 0, 0,    0, 0xc0, 0x01, 0, 0,
        0,    0, 0, 0, 0x7a, 0x57, 0xe8, 0x39, 0x12, 0, 0, 0, 0, 0, 0x01, 0, 0,    0,    0, 0,
};

static void test_binary(void) { /* */
        struct ranges list = parsed("64:448,0x1239E8577A:65536"), file = { 0 };
        static const unsigned char none[8] = { 0 };
        unsigned char grown[41] = { 0 };

        CHECK_INT(ranges_parse_file(example, sizeof(example), &file, NULL), 0);
        CHECK_INT(file.count, list.count);
        CHECK(memcmp(file.items, list.items, list.count * sizeof(*list.items)) == 0);
        ranges_done(&file);
        ranges_done(&list);

        CHECK_INT(ranges_parse_file(none, sizeof(none), &file, NULL), 0); /* IV-64 */
        CHECK_INT(file.count, 0);
        memcpy(grown, example, sizeof(example));
        CHECK_INT(ranges_parse_file(grown, 39, &file, NULL), E_INVALIDARG); /* IV-65 */
        CHECK_INT(ranges_parse_file(grown, 41, &file, NULL), E_INVALIDARG);
        CHECK_INT(ranges_parse_file(grown, 7, &file, NULL), E_INVALIDARG);
        grown[15] = 0x80; /* an offset above 2^63 */
        CHECK_INT(ranges_parse_file(grown, 40, &file, NULL), E_INVALIDARG);
        ranges_done(&file);
}

static void test_binary_by_name(void) {
        char name[] = "/var/tmp/test-ranges.XXXXXX";
        struct ranges ranges = { 0 };
        struct vss_error error = VSS_ERROR_INIT;
        int fd = mkostemp(name, O_CLOEXEC);

        CHECK(fd >= 0);
        CHECK_INT(write(fd, example, sizeof(example)), sizeof(example));
        CHECK_INT(ranges_read_file(AT_FDCWD, name, &ranges, &error), 0);
        CHECK_INT(ranges.count, 2);
        CHECK_INT(ftruncate(fd, 39), 0);
        CHECK_INT(ranges_read_file(AT_FDCWD, name, &ranges, &error), E_INVALIDARG);
        CHECK(strstr(error.message, name));
        close(fd);
        unlink(name);
        CHECK_INT(ranges_read_file(AT_FDCWD, name, &ranges, &error), -ENOENT);
        vss_error_clear(&error);
        ranges_done(&ranges);
}

static void test_normal_form(void) { /* I-121, I-130 */
        struct ranges ranges = parsed("100:20,0:5,7:0,110:30,5:5,300:1"), more = parsed("139:2");
        char *text;

        CHECK_INT(ranges_end(&ranges), 301); /* IV-66: compared with the file's size */
        CHECK_INT(ranges_union(&ranges, &more), 0);
        ranges_normalize(&ranges);
        CHECK_INT(ranges_format(&ranges, &text), 0);
        CHECK_STR(text, "0:10,100:41,300:1");
        CHECK_INT(ranges_total(&ranges), 52);
        free(text);
        ranges_done(&ranges);
        ranges_done(&more);

        ranges = parsed("1000:0");
        CHECK_INT(ranges_end(&ranges), 0);
        ranges_normalize(&ranges);
        CHECK_INT(ranges.count, 0);
        CHECK_INT(ranges_format(&ranges, &text), 0);
        CHECK_STR(text, "");
        free(text);
        ranges_done(&ranges);
}

static void check_overlap(const char *text, int expected) {
        struct ranges ranges = parsed(text);

        CHECK_INT(ranges_overlap(&ranges), expected);
        ranges_done(&ranges);
}

static void test_pairs(void) { /* */
        struct ranges a = parsed("64:448,1000:65536"), b = parsed("0:448,448:65536"),
                      c = parsed("0:448");

        CHECK(ranges_is_same_shape(&a, &b));
        CHECK(!ranges_is_same_shape(&a, &c));
        a.items[1].length++;
        CHECK(!ranges_is_same_shape(&a, &b));
        ranges_done(&a);
        ranges_done(&b);
        ranges_done(&c);
        check_overlap("0:10,10:10", 0);
        check_overlap("10:10,0:11", 1);
        check_overlap("10:10,15:0", 0);
        check_overlap("0:100,10:5,200:1", 1);
}

int main(void) {
        RUN(test_lists);
        RUN(test_bad_lists);
        RUN(test_files_by_name);
        RUN(test_binary);
        RUN(test_binary_by_name);
        RUN(test_normal_form);
        RUN(test_pairs);
        return 0;
}
