/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page hash lists and ranges by themselves: files that no SQLite would make, and more ranges than
 * anybody wants to keep.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sqlite/pages.h"
#include "tests/check.h"

/* the three files of this test, in a folder that goes at the end */
static char folder[] = "/dev/shm/vss-pages.XXXXXX", file[64], list[64], ranges[64];

static void remove_folder(void) {
        (void)unlink(file);
        (void)unlink(list);
        (void)unlink(ranges);
        (void)rmdir(folder);
}

static void make_folder(void) {
        CHECK(mkdtemp(folder));
        (void)snprintf(file, sizeof(file), "%s/file", folder);
        (void)snprintf(list, sizeof(list), "%s/list", folder);
        (void)snprintf(ranges, sizeof(ranges), "%s/ranges", folder);
        CHECK_INT(atexit(remove_folder), 0);
}

/* ---- ranges ---- */

static bool is_in(const struct changes *changes, uint64_t at) {
        for (size_t i = 0; i < changes->count; i++)
                if (at >= changes->items[i].offset &&
                    at < changes->items[i].offset + changes->items[i].length)
                        return true;
        return false;
}

/* too many ranges: fewer and longer ones that hold all of them, in order, at most so many */
static void test_coarser(void) {
        for (size_t max = 2; max <= 64; max = max * 2 + 1) {
                struct changes changes = { .max = max };
                uint64_t at = 0, offsets[500];

                srandom((unsigned)max);
                for (size_t i = 0; i < ELEMENTSOF(offsets); i++) {
                        at += 512 * (1 + (uint64_t)random() % 40);
                        offsets[i] = at;
                        CHECK_INT(changes_add(&changes, at, 512), 0);
                        at += 512;
                        CHECK(changes.count <= max);
                }
                for (size_t i = 0; i < ELEMENTSOF(offsets); i++)
                        CHECK(is_in(&changes, offsets[i]) && is_in(&changes, offsets[i] + 511));
                for (size_t i = 1; i < changes.count; i++)
                        CHECK(changes.items[i].offset >
                              changes.items[i - 1].offset + changes.items[i - 1].length);
                CHECK(changes_bytes(&changes) <= at);
                changes_done(&changes);
        }
}

/* I-120, I-122: as text, as a file; neighbours are one range */
static void test_forms(void) {
        static const unsigned char wanted[] = { 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0 };
        struct changes changes = { 0 };
        char *text = changes_text(&changes);
        unsigned char data[sizeof(wanted) + 1];
        int fd;

        CHECK_STR(text, "0:0");
        free(text);
        CHECK_INT(changes_add(&changes, 0, 512), 0);
        CHECK_INT(changes_add(&changes, 512, 512), 0);
        CHECK_INT(changes_add(&changes, UINT64_C(1) << 32, 7), 0);
        text = changes_text(&changes);
        CHECK_STR(text, "0:1024,4294967296:7");
        free(text);
        fd = open(ranges, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        CHECK_INT(changes_write(&changes, fd), 0);
        CHECK_INT(pread(fd, data, sizeof(data), 0), sizeof(wanted));
        CHECK(memcmp(data, wanted, sizeof(wanted)) == 0);
        close(fd);
        /* more than a buffer of them */
        for (uint64_t i = 1; i < 5000; i++)
                CHECK_INT(changes_add(&changes, (UINT64_C(1) << 32) + i * 1024, 512), 0);
        fd = open(ranges, O_RDWR | O_TRUNC | O_CLOEXEC);
        CHECK_INT(changes_write(&changes, fd), 0);
        CHECK_INT(lseek(fd, 0, SEEK_END), 8 + 16 * (int)changes.count);
        close(fd);
        changes_done(&changes);
}

/* ---- lists ---- */

static void make_file(size_t size, unsigned page_size) {
        char *data = malloc(size + 1);
        int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        CHECK(fd >= 0 && data);
        for (size_t i = 0; i < size; i++)
                data[i] = (char)random();
        if (size > 18) {
                data[16] = (char)(page_size == 65536 ? 0 : page_size >> 8);
                data[17] = (char)(page_size == 65536 ? 1 : page_size);
        }
        CHECK_INT(write(fd, data, size), size);
        close(fd);
        free(data);
}

static struct pages_sum make_list(void) {
        struct pages_scan scan = { .file = file, .type = 2, .path = file };
        struct pages_sum sum;
        bool sound;

        scan.out = open(list, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(scan.out >= 0);
        CHECK_INT(pages_scan(&scan, &sum, &sound), 0);
        close(scan.out);
        return sum;
}

static int compare(struct changes *changes, bool *ret_sound) {
        struct pages_list base;
        struct pages_sum sum;
        int r = pages_list_open(open(list, O_RDONLY | O_CLOEXEC), &base);

        if (r < 0)
                return r;
        CHECK_STR(base.path, file);
        CHECK_INT(base.type, 2);
        r = pages_scan(
                &(struct pages_scan){ .file = file, .out = -1, .base = &base, .changes = changes },
                &sum, ret_sound);
        pages_list_close(&base);
        return r;
}

static void flip(const char *path, uint64_t offset) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        unsigned char byte;

        CHECK(fd >= 0);
        CHECK_INT(pread(fd, &byte, 1, (off_t)offset), 1);
        byte ^= 0x10;
        CHECK_INT(pwrite(fd, &byte, 1, (off_t)offset), 1);
        close(fd);
}

/* every size around page and chunk borders, every page size: each single bit is found, where it is
 */
static void test_single_bits(void) {
        static const size_t sizes[] = { 1,       511,           512,
                                        513,     4096,          65537,
                                        1 << 20, (1 << 20) + 1, (2 << 20) + 700 };
        for (unsigned page_size = 512; page_size <= 65536; page_size *= 2)
                for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                        uint64_t at = (uint64_t)random() % sizes[i], page;
                        struct changes changes = { 0 };
                        struct pages_sum sum;
                        bool sound;

                        make_file(sizes[i], page_size);
                        sum = make_list();
                        if (at == 16 || at == 17)
                                at = 0; /* the page size itself */
                        CHECK_INT(compare(&changes, &sound), 0);
                        CHECK(sound);
                        CHECK_INT(changes.count, 0);
                        flip(file, at);
                        CHECK_INT(compare(&changes, &sound), 0);
                        CHECK(sound);
                        page = at / sum.page_size * sum.page_size;
                        CHECK_INT(changes.count, 1);
                        CHECK_INT(changes.items[0].offset, page);
                        CHECK_INT(changes.items[0].length, sizes[i] - page < sum.page_size
                                                                   ? sizes[i] - page
                                                                   : sum.page_size);
                        changes_done(&changes);
                }
}

/* grown and shrunk, over the border of a chunk: what is new is in, what went is not */
static void test_lengths(void) {
        const size_t sizes[] = { 0, 4096, (1 << 20) - 4096, (1 << 20) + 4096, 3 << 20 };

        make_file(3 << 20, 4096);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                for (size_t k = 0; k < ELEMENTSOF(sizes); k++) {
                        struct changes changes = { 0 };
                        bool sound;

                        CHECK_INT(truncate(file, (off_t)sizes[i]), 0);
                        (void)make_list();
                        CHECK_INT(truncate(file, (off_t)sizes[k]), 0);
                        CHECK_INT(compare(&changes, &sound), 0);
                        CHECK(sound);
                        for (size_t at = 0; at < sizes[k]; at += 4096)
                                CHECK(is_in(&changes, at) == (at >= sizes[i]));
                        changes_done(&changes);
                }
}

/* a list of which any byte is another one is refused, or found out; never believed */
static void test_damaged_list(void) {
        struct stat st;

        make_file(10 * 4096, 4096);
        (void)make_list();
        CHECK_INT(stat(list, &st), 0);
        for (off_t at = 0; at < st.st_size; at++) {
                struct changes changes = { 0 };
                struct pages_list base;
                struct pages_sum sum;
                bool sound = false;

                /* type and path only help to tidy up */
                if (at >= 24 && at < 28)
                        continue;
                if (at >= 32 && at < 32 + (off_t)strlen(file))
                        continue;
                flip(list, (uint64_t)at);
                if (pages_list_open(open(list, O_RDONLY | O_CLOEXEC), &base) >= 0) {
                        CHECK_INT(pages_scan(&(struct pages_scan){ .file = file,
                                                                   .out = -1,
                                                                   .base = &base,
                                                                   .changes = &changes },
                                             &sum, &sound),
                                  0);
                        pages_list_close(&base);
                        CHECK(!sound);
                }
                changes_done(&changes);
                flip(list, (uint64_t)at);
        }
        for (off_t size = 0; size < st.st_size; size += 7) {
                struct pages_list base;

                CHECK_INT(truncate(list, size), 0);
                CHECK_INT(pages_list_open(open(list, O_RDONLY | O_CLOEXEC), &base), -EBADMSG);
                (void)make_list();
        }
}

int main(int argc, char **argv) {
        make_folder();
        RUN(test_coarser);
        RUN(test_forms);
        RUN(test_single_bits);
        RUN(test_lengths);
        RUN(test_damaged_list);
        return 0;
}
