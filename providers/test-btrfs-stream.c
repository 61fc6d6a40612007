/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-btrfs-stream.c - the reader of send streams and what it makes of names, without a kernel:
 * streams that are put together here, whole, cut and damaged.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>

#include "btrfs-names.h"
#include "tests/check.h"

/* ---- a stream being put together ---- */

struct made {
        uint8_t data[1 << 23];
        size_t size, command; /* where the last command begins */
};

static void put(struct made *m, const void *data, size_t size) {
        CHECK(m->size + size <= sizeof(m->data));
        memcpy(m->data + m->size, data, size);
        m->size += size;
}

static void put16(struct made *m, unsigned value) {
        uint16_t v = htole16((uint16_t)value);

        put(m, &v, 2);
}

static void put32(struct made *m, uint32_t value) {
        uint32_t v = htole32(value);

        put(m, &v, 4);
}

static void seal(struct made *m) {
        uint32_t length = htole32((uint32_t)(m->size - m->command - 10)), crc = 0;

        memcpy(m->data + m->command, &length, 4);
        memcpy(m->data + m->command + 6, &crc, 4);
        crc = htole32(stream_crc(0, m->data + m->command, m->size - m->command));
        memcpy(m->data + m->command + 6, &crc, 4);
}

static void command(struct made *m, unsigned kind) {
        m->command = m->size;
        put32(m, 0);
        put16(m, kind);
        put32(m, 0);
        seal(m);
}

static void attribute(struct made *m, unsigned type, const void *data, size_t size) {
        put16(m, type);
        put16(m, (unsigned)size);
        put(m, data, size);
        seal(m);
}

enum {
        UUID = 1,
        CTRANSID,
        INO,
        SIZE,
        MODE,
        UID,
        GID,
        RDEV,
        CTIME,
        MTIME,
        ATIME,
        OTIME,
        XATTR_NAME,
        XATTR_DATA,
        PATH,
        PATH_TO,
        PATH_LINK,
        OFFSET,
        DATA,
        CLONE_UUID,
        CLONE_CTRANSID,
        CLONE_PATH,
        CLONE_OFFSET,
        CLONE_LEN
};

static void text(struct made *m, unsigned type, const char *value) {
        attribute(m, type, value, strlen(value));
}

static void number(struct made *m, unsigned type, uint64_t value) {
        uint64_t v = htole64(value);

        attribute(m, type, &v, 8);
}

static void begin(struct made *m) {
        static const uint8_t uuid[16] = "0123456789abcde", other[16] = "fedcba987654321";

        m->size = 0;
        put(m, "btrfs-stream", 13);
        put32(m, 1);
        command(m, STREAM_SNAPSHOT);
        text(m, PATH, "copy");
        attribute(m, UUID, uuid, 16);
        number(m, CTRANSID, 7);
        attribute(m, CLONE_UUID, other, 16);
        number(m, CLONE_CTRANSID, 6);
}

static void make(struct made *m, unsigned kind, const char *path) {
        command(m, kind);
        text(m, PATH, path);
        if (kind == STREAM_MKFILE || kind == STREAM_MKDIR)
                number(m, INO, 300);
}

static void touch(struct made *m, const char *path) {
        static const uint8_t time[12];

        command(m, STREAM_UTIMES);
        text(m, PATH, path);
        attribute(m, ATIME, time, 12);
        attribute(m, MTIME, time, 12);
        attribute(m, CTIME, time, 12);
}

static void move(struct made *m, const char *from, const char *to) {
        command(m, STREAM_RENAME);
        text(m, PATH, from);
        text(m, PATH_TO, to);
}

static void hard_link(struct made *m, const char *path, const char *target) {
        command(m, STREAM_LINK);
        text(m, PATH, path);
        text(m, PATH_LINK, target);
}

static void extent(struct made *m, const char *path, uint64_t offset, uint64_t size) {
        command(m, STREAM_UPDATE_EXTENT);
        text(m, PATH, path);
        number(m, OFFSET, offset);
        number(m, SIZE, size);
}

static void clone(struct made *m, const char *path, uint64_t offset, uint64_t size) {
        command(m, STREAM_CLONE);
        number(m, OFFSET, offset);
        number(m, CLONE_LEN, size);
        text(m, PATH, path);
        attribute(m, CLONE_UUID, "0123456789abcdef", 16);
        number(m, CLONE_CTRANSID, 7);
        text(m, CLONE_PATH, "other/file");
        number(m, CLONE_OFFSET, 0);
}

/* ---- reading it ---- */

static int apply(void *userdata, const struct stream_command *c) {
        return names_apply(userdata, c);
}

static int read_into(struct names *names, const struct made *m, size_t piece) {
        struct stream *stream = stream_new(apply, names);
        int r = 0;

        CHECK(stream != NULL);
        for (size_t at = 0; r == 0 && at < m->size; at += piece)
                r = stream_feed(stream, m->data + at, at + piece > m->size ? m->size - at : piece);
        if (r == 0)
                r = stream_finish(stream);
        if (r < 0)
                CHECK(*stream_words(stream) != '\0');
        stream_free(stream);
        return r;
}

/* as one text: lines sorted, so that the order does not count */
struct told {
        char lines[64][200];
        size_t count;
};

static int remember(void *userdata, const struct name_told *t) {
        static const char *const fates[] = { "changed", "new", "gone", "renamed" };
        struct told *told = userdata;
        char *line = told->lines[told->count++];
        int n = snprintf(line, 200, "%s %s%s%s", fates[t->fate], t->from ? t->from : "",
                         t->from ? " " : "", t->path);

        CHECK(told->count < 64);
        if (t->content)
                n += snprintf(line + n, (size_t)(200 - n), " content");
        for (size_t i = 0; i < t->extents_count; i++)
                n += snprintf(line + n, (size_t)(200 - n), " %" PRIu64 "+%" PRIu64,
                              t->extents[i].offset, t->extents[i].length);
        return 0;
}

static int by_line(const void *a, const void *b) {
        return strcmp(a, b);
}

static char *outcome(struct made *m) {
        static char all[64 * 200];
        struct names *names = names_new(1 << 22);
        struct told told = { .count = 0 };

        command(m, STREAM_END);
        CHECK_INT(read_into(names, m, 7), 0);
        CHECK_INT(names_tell(names, remember, &told), 0);
        qsort(told.lines, told.count, sizeof(told.lines[0]), by_line);
        all[0] = '\0';
        for (size_t i = 0; i < told.count; i++) {
                strcat(all, told.lines[i]);
                strcat(all, "\n");
        }
        names_free(names);
        return all;
}

static int verdict(struct made *m) {
        struct names *names = names_new(1 << 20);
        int r = read_into(names, m, 1000000);
        int again = 0;

        /* the same, however it is cut */
        for (size_t piece = 1; piece < 30 && m->size < 5000; piece += 4) {
                struct names *other = names_new(1 << 20);

                again = read_into(other, m, piece);
                CHECK_INT(again, r);
                names_free(other);
        }
        names_free(names);
        return r;
}

static struct made made;

static void test_plain(void) {
        begin(&made);
        make(&made, STREAM_MKFILE, "o300-7-0");
        move(&made, "o300-7-0", "d/new");
        extent(&made, "d/new", 0, 100);
        touch(&made, "d/new");
        touch(&made, "d");
        extent(&made, "d/big", 4096, 4096);
        extent(&made, "d/big", 8192, 10);
        extent(&made, "d/big", 1 << 20, 1);
        touch(&made, "d/big");
        make(&made, STREAM_UNLINK, "d/old");
        touch(&made, "");
        CHECK_STR(outcome(&made), "changed \n"
                                  "changed d\n"
                                  "changed d/big content 4096+4106 1048576+1\n"
                                  "gone d/old\n"
                                  "new d/new content 0+100\n");
}

static void test_swap(void) {
        begin(&made);
        move(&made, "a", "o257-5-0");
        move(&made, "b", "a");
        move(&made, "o257-5-0", "b");
        touch(&made, "a/x");
        CHECK_STR(outcome(&made), "changed a/x\nrenamed a b\nrenamed b a\n");
        /* there and back is nothing */
        begin(&made);
        move(&made, "a", "o257-5-0");
        move(&made, "o257-5-0", "a");
        CHECK_STR(outcome(&made), "");
}

static void test_directories(void) {
        begin(&made);
        /* a goes, its child stays elsewhere, another goes with it; a new a comes */
        move(&made, "a", "o257-5-0");
        make(&made, STREAM_MKDIR, "a");
        move(&made, "o257-5-0/kept", "a/kept");
        make(&made, STREAM_UNLINK, "o257-5-0/lost");
        make(&made, STREAM_RMDIR, "o257-5-0");
        CHECK_STR(outcome(&made), "gone a\nnew a\nrenamed a/kept a/kept\n");
        begin(&made);
        move(&made, "a", "b/c");
        make(&made, STREAM_UNLINK, "b/c/gone");
        touch(&made, "b/c/deep/file");
        CHECK_STR(outcome(&made), "changed b/c/deep/file\ngone a/gone\nrenamed a b/c\n");
}

static void test_links(void) {
        begin(&made);
        hard_link(&made, "new", "old"); /* how send renames a file */
        make(&made, STREAM_UNLINK, "old");
        hard_link(&made, "second", "kept");
        touch(&made, "kept");
        CHECK_STR(outcome(&made), "changed kept\nnew second\nrenamed old new\n");
        begin(&made);
        make(&made, STREAM_MKFILE, "one");
        extent(&made, "one", 0, 9);
        hard_link(&made, "two", "one");
        make(&made, STREAM_UNLINK, "one");
        CHECK_STR(outcome(&made), "new two content\n");
        /* the name that a link was made from goes with its directory */
        begin(&made);
        hard_link(&made, "new", "d/old");
        make(&made, STREAM_UNLINK, "d/old");
        make(&made, STREAM_RMDIR, "d");
        CHECK_STR(outcome(&made), "gone d\nrenamed d/old new\n");
        begin(&made);
        hard_link(&made, "new", "d/old");
        make(&made, STREAM_UNLINK, "d/old");
        make(&made, STREAM_UNLINK, "new");
        make(&made, STREAM_RMDIR, "d");
        CHECK_STR(outcome(&made), "gone d\n");
}

static void test_extents(void) {
        char expected[64];

        begin(&made);
        command(&made, STREAM_TRUNCATE);
        text(&made, PATH, "f");
        number(&made, SIZE, 5);
        clone(&made, "h", 4096, 8192);
        extent(&made, "h", 12288, 4096);
        extent(&made, "g", 9000, 10);
        extent(&made, "g", 0, 10); /* not in order: then nothing is known of where */
        command(&made, STREAM_TRUNCATE);
        text(&made, PATH, "g");
        number(&made, SIZE, 9000);
        extent(&made, "i", 4096, 904);
        command(&made,
                STREAM_TRUNCATE); /* cut in the middle of a block: its byte ends the extent */
        text(&made, PATH, "i");
        number(&made, SIZE, 5000);
        CHECK_STR(outcome(&made), "changed f content 5+1\nchanged g content\n"
                                  "changed h content 4096+12288\nchanged i content 4096+905\n");
        begin(&made);
        for (unsigned i = 0; i < 66000; i++)
                extent(&made, "f", (uint64_t)i * 8192, 4096);
        snprintf(expected, sizeof(expected), "changed f content\n");
        CHECK_STR(outcome(&made), expected);
}

/* ---- what must be refused ---- */

static void finish(void) {
        command(&made, STREAM_END);
}

static void test_cut(void) {
        begin(&made);
        touch(&made, "a/b");
        finish();
        CHECK_INT(verdict(&made), 0);
        for (size_t whole = made.size; made.size > 0;) {
                made.size--;
                CHECK_INT(verdict(&made), -EBADMSG);
                CHECK(made.size < whole);
        }
        begin(&made);
        finish();
        put(&made, "", 1);
        CHECK_INT(verdict(&made), -EBADMSG); /* something after the end */
}

static void test_flipped(void) {
        size_t size;

        begin(&made);
        touch(&made, "a/b");
        finish();
        size = made.size;
        for (size_t i = 0; i < size; i++) {
                made.data[i] ^= 4;
                CHECK_INT(verdict(&made), -EBADMSG); /* header, length, checksum: all is held */
                made.data[i] ^= 4;
        }
        CHECK_INT(verdict(&made), 0);
}

#define REFUSED(...)                                                                               \
        do {                                                                                       \
                begin(&made);                                                                      \
                __VA_ARGS__;                                                                       \
                finish();                                                                          \
                CHECK_INT(verdict(&made), -EBADMSG);                                               \
        } while (0)

static void test_paths(void) {
        static const char *const bad[] = { "/a",  "a/",  "a//b", ".",  "..", "a/../b",
                                           "./a", "a/.", "a/..", "//", "/",  "../a" };
        static const char *const good[] = { "...", "a/...", ".a", "..a", "a/b..", " ", "\xff\n" };
        static char path[5000];

        for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
                REFUSED(touch(&made, bad[i]));
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                begin(&made);
                touch(&made, good[i]);
                finish();
                CHECK_INT(verdict(&made), 0);
        }
        memset(path, 'x', 4096);
        REFUSED(touch(&made, path));
        path[4095] = '\0';
        begin(&made);
        touch(&made, path);
        finish();
        CHECK_INT(verdict(&made), 0);
        REFUSED(command(&made, STREAM_UNLINK), attribute(&made, PATH, "a\0b", 3));
        REFUSED(make(&made, STREAM_UNLINK, "")); /* the root */
        REFUSED(make(&made, STREAM_MKDIR, ""));
        REFUSED(move(&made, "a", ""));
        REFUSED(extent(&made, "", 0, 1));
}

static void test_commands(void) {
        REFUSED(command(&made, 0));
        REFUSED(command(&made, 15)); /* WRITE: data were not asked for */
        REFUSED(clone(&made, "a", 0, 1), number(&made, CLONE_OFFSET, 1));
        REFUSED(clone(&made, "a", UINT64_MAX, 1));
        REFUSED(clone(&made, "", 0, 1));
        REFUSED(command(&made, STREAM_CLONE), text(&made, PATH, "a"));
        REFUSED(command(&made, 23));
        REFUSED(command(&made, 65535));
        REFUSED(command(&made, STREAM_UNLINK)); /* without its path */
        REFUSED(make(&made, STREAM_UNLINK, "a"), number(&made, SIZE, 1));
        REFUSED(make(&made, STREAM_UNLINK, "a"), text(&made, PATH, "b"));
        REFUSED(command(&made, STREAM_TRUNCATE), text(&made, PATH, "a"),
                attribute(&made, SIZE, "1234567", 7));
        REFUSED(command(&made, STREAM_UNLINK), put16(&made, PATH), put16(&made, 9),
                put(&made, "a", 1), seal(&made));
        REFUSED(command(&made, STREAM_UNLINK), put(&made, "\x0f", 1), seal(&made));
        REFUSED(make(&made, STREAM_UNLINK, "a"), attribute(&made, 99, "", 0));
        REFUSED(make(&made, STREAM_UNLINK, "a"), attribute(&made, DATA, "", 0));
        REFUSED(extent(&made, "a", UINT64_MAX, 2));
        REFUSED(command(&made, STREAM_SNAPSHOT), text(&made, PATH, "x"),
                attribute(&made, UUID, "0123456789abcdef", 16), number(&made, CTRANSID, 1),
                attribute(&made, CLONE_UUID, "0123456789abcdef", 16),
                number(&made, CLONE_CTRANSID, 1));
        begin(&made); /* END with something in it */
        finish();
        number(&made, SIZE, 1);
        CHECK_INT(verdict(&made), -EBADMSG);
        begin(&made); /* longer than a command of version 1 can be */
        made.command = made.size;
        put32(&made, 65536);
        put16(&made, STREAM_UNLINK);
        put32(&made, 0);
        CHECK_INT(verdict(&made), -EBADMSG);
        made.size = 0; /* no snapshot first */
        put(&made, "btrfs-stream", 13);
        put32(&made, 1);
        touch(&made, "a");
        finish();
        CHECK_INT(verdict(&made), -EBADMSG);
        made.data[13] = 2; /* another version */
        CHECK_INT(verdict(&made), -EBADMSG);
}

static void test_steps(void) {
        REFUSED(make(&made, STREAM_UNLINK, "a"), touch(&made, "a"));
        REFUSED(make(&made, STREAM_RMDIR, "a"), touch(&made, "a/b"));
        REFUSED(make(&made, STREAM_MKFILE, "a"), make(&made, STREAM_MKFILE, "a"));
        REFUSED(make(&made, STREAM_MKFILE, "a"), touch(&made, "a/b"));
        REFUSED(make(&made, STREAM_MKDIR, "a"), touch(&made, "a/b"));
        REFUSED(make(&made, STREAM_MKDIR, "a"), make(&made, STREAM_UNLINK, "a"));
        REFUSED(make(&made, STREAM_MKDIR, "a"), hard_link(&made, "b", "a"));
        REFUSED(make(&made, STREAM_MKDIR, "a"), make(&made, STREAM_MKFILE, "a/b"),
                make(&made, STREAM_RMDIR, "a"));
        REFUSED(move(&made, "a", "b"), touch(&made, "a"));
        REFUSED(touch(&made, "b"), move(&made, "a", "b"));
        REFUSED(move(&made, "a", "a/b"));
        REFUSED(move(&made, "a", "a"));
}

static void test_bounded(void) {
        struct names *names = names_new(1 << 16);

        begin(&made);
        for (unsigned i = 0; i < 2000; i++) {
                char name[20];

                snprintf(name, sizeof(name), "f%u", i);
                touch(&made, name);
        }
        finish();
        CHECK_INT(read_into(names, &made, 4096), -E2BIG);
        names_free(names);
        /* a removed tree is forgotten while it goes */
        names = names_new(1 << 16);
        begin(&made);
        for (unsigned d = 0; d < 20; d++) {
                char name[40];

                for (unsigned i = 0; i < 100; i++) {
                        snprintf(name, sizeof(name), "d%u/f%u", d, i);
                        make(&made, STREAM_UNLINK, name);
                }
                snprintf(name, sizeof(name), "d%u", d);
                make(&made, STREAM_RMDIR, name);
        }
        finish();
        CHECK_INT(read_into(names, &made, 4096), 0);
        names_free(names);
}

static void test_checksum(void) {
        /* CRC-32C of "123456789", without the inversions at both ends */
        CHECK_INT(~stream_crc(UINT32_MAX, "123456789", 9), UINT32_C(0xe3069283));
}

int main(void) {
        RUN(test_checksum);
        RUN(test_plain);
        RUN(test_swap);
        RUN(test_directories);
        RUN(test_links);
        RUN(test_extents);
        RUN(test_cut);
        RUN(test_flipped);
        RUN(test_paths);
        RUN(test_commands);
        RUN(test_steps);
        RUN(test_bounded);
        return 0;
}
