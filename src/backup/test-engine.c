/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-engine.c - the parts of the engine that need no tree: spelling, order, patterns, frames,
 * manifests, set files, the view over a chain. The trees are in tests/system/engine.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/writing.h"
#include "base/file.h"
#include "tests/check.h"
#include "tests/scratch.h"

static int scratch(void) {
        int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        CHECK(fd >= 0);
        return fd;
}

static void test_fields(void) {
        char field[64], *fields[3];
        struct text text = { 0 };
        char line[] = "a\t\tb";
        uint8_t bytes[3];
        uint64_t number;
        int64_t with_sign;

        text_field(&text, "a b%\n\t\xff\x7f");
        CHECK_STR(text_cstring(&text), "a%20b%25%0a%09\xff%7f");
        snprintf(field, sizeof(field), "%s", text.data);
        CHECK_INT(field_unescape(field), 0);
        CHECK_STR(field, "a b%\n\t\xff\x7f");
        text_done(&text);
        CHECK_INT(field_unescape((char[]){ "%0" }), -EBADMSG);
        CHECK_INT(field_unescape((char[]){ "%zz" }), -EBADMSG);
        CHECK_INT(field_unescape((char[]){ "%00" }), -EBADMSG);
        CHECK_INT(field_split(line, fields, 3), 3);
        CHECK_STR(fields[1], "");
        CHECK_INT(field_number("18446744073709551615", &number), 0);
        CHECK_INT(field_number("18446744073709551616", &number), -EBADMSG);
        CHECK_INT(field_number("", &number), -EBADMSG);
        CHECK_INT(field_hex("00ff7e", bytes, 3), 0);
        CHECK(bytes[0] == 0 && bytes[1] == 0xff && bytes[2] == 0x7e);
        CHECK_INT(field_hex("00ff7e", bytes, 2), -EBADMSG);
        CHECK_INT(field_hex("00ff7", bytes, 3), -EBADMSG);
        CHECK_INT(field_hex("0\xff"
                            "ff7e",
                            bytes, 3),
                  -EBADMSG);
        CHECK_INT(field_hex("00ff7E", bytes, 3), -EBADMSG);
        CHECK_INT(field_signed("-7", &with_sign), 0);
        CHECK_INT(with_sign, -7);
}

static void test_path_order(void) {
        static const char *const order[] = { "/",   "/a",     "/a/b", "/a/b/c", "/a\x01", "/a b",
                                             "/a-", "/a.d/x", "/ab",  "/b",     "/\xff" };

        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
                for (size_t j = 0; j < sizeof(order) / sizeof(order[0]); j++) {
                        int r = path_compare(order[i], order[j]);

                        CHECK_INT(r, i < j ? -1 : i > j);
                }
}

static void test_patterns(void) { /* M-48, M-49 */
        CHECK(pattern_matches("f1.*", "f1.txt"));
        CHECK(!pattern_matches("f1.*", "f2.txt"));
        CHECK(pattern_matches("*.*", "no-dot"));
        CHECK(pattern_matches("*", ".hidden"));
        CHECK(pattern_matches("?", "\xc3\xbc"));
        CHECK(pattern_matches("?x", "\xffx"));
        CHECK(!pattern_matches("?", ""));
        CHECK(pattern_matches("a*b*c", "aXbYbZc"));
        CHECK(!pattern_matches("[a]", "a"));
        CHECK(pattern_matches("[a]", "[a]"));
        CHECK(pattern_is_plain("a[b]") && !pattern_is_plain("a?"));
}

static void test_ranges(void) { /* I-130: the list of a partial file */
        struct byte_range *ranges = NULL;
        size_t count = 7;

        CHECK_INT(record_ranges_parse("0:5,100:20", &ranges, &count), 0);
        CHECK_INT(count, 2);
        CHECK_INT(ranges[1].offset, 100);
        CHECK_INT(ranges[1].length, 20);
        free(ranges);
        CHECK_INT(record_ranges_parse("", &ranges, &count), 0);
        CHECK_INT(count, 0);
        free(ranges);
        ranges = NULL;
        CHECK_INT(record_ranges_parse("0:5,", &ranges, &count), -EBADMSG);
        CHECK_INT(record_ranges_parse("5", &ranges, &count), -EBADMSG);
        CHECK_INT(record_ranges_parse("9223372036854775807:1", &ranges, &count), -EBADMSG);
}

static char *pattern_bytes(size_t size, unsigned seed) {
        char *data = malloc(size);

        CHECK(data);
        for (size_t i = 0; i < size; i++)
                data[i] = (char)((i * 2654435761U >> (i % 13)) + seed);
        return data;
}

/* any place of the stream can be reached; what was taken back never was; a lost table is rebuilt */
static void frames_with(unsigned threads) {
        struct vss_error error = VSS_ERROR_INIT;
        struct frame_writer *writer;
        struct frame_reader *reader;
        uint8_t digest[DIGEST_SIZE], again[DIGEST_SIZE];
        size_t size = 5000000, got;
        char *data = pattern_bytes(size, 1);
        uint64_t stored, on_disk;
        const char *piece;
        int fd = scratch(), copy = dup(fd);

        CHECK_INT(frame_writer_new(fd, FRAME_SIZE_MANIFEST, 1, threads, &writer), 0);
        CHECK_INT(frame_writer_put(writer, data, 1000000), 0);
        CHECK_INT(frame_writer_mark(writer), 0);
        CHECK_INT(frame_writer_put(writer, data, 3000000), 0);
        CHECK_INT(frame_writer_rewind(writer), 0);
        CHECK_INT(frame_writer_position(writer), 1000000);
        CHECK_INT(frame_writer_put(writer, data + 1000000, size - 1000000), 0);
        CHECK_INT(frame_writer_finish(writer, digest, &stored), 0);
        frame_writer_free(writer);
        CHECK_INT(digest_file(copy, again, &on_disk), 0);
        CHECK_INT(on_disk, stored);
        CHECK(memcmp(digest, again, DIGEST_SIZE) == 0);
        for (int lost = 0; lost < 2; lost++) {
                if (lost)
                        CHECK_INT(ftruncate(copy, (off_t)stored - 3), 0);
                CHECK_INT(frame_reader_new(dup(copy), "frames", &reader, &error), 0);
                CHECK_INT(frame_reader_was_rebuilt(reader), lost);
                CHECK_INT(frame_reader_size(reader), size);
                for (size_t at = 0; at < size; at += 77777) {
                        CHECK_INT(frame_reader_at(reader, at, &piece, &got, &error), 1);
                        CHECK(memcmp(piece, data + at, got) == 0);
                }
                CHECK_INT(frame_reader_at(reader, size, &piece, &got, &error), lost ? -EBADMSG : 0);
                frame_reader_free(reader);
        }
        vss_error_clear(&error);
        close(copy);
        free(data);
}

static void test_frames(void) {
        frames_with(0);
        frames_with(2);
}

/* a disk that is full somewhere in the stream: an error, no hang */
static void test_frames_full(void) {
        char *data = pattern_bytes(8000000, 3);
        struct frame_writer *writer;
        uint8_t digest[DIGEST_SIZE];
        uint64_t stored;
        int fd = open("/dev/full", O_RDWR | O_CLOEXEC), r;

        CHECK(fd >= 0);
        CHECK_INT(frame_writer_new(fd, FRAME_SIZE_MANIFEST, 1, 2, &writer), 0);
        r = frame_writer_put(writer, data, 8000000);
        if (r >= 0)
                r = frame_writer_finish(writer, digest, &stored);
        CHECK_INT(r, -ENOSPC);
        frame_writer_free(writer);
        free(data);
}

static struct record record_of(uint32_t component, char *path, char kind) {
        static char none[] = "";

        return (struct record){ .kind = kind,
                                .component = component,
                                .path = path,
                                .mode = 0644,
                                .size = 5,
                                .mtime = -1,
                                .mtime_ns = 5,
                                .links = 1,
                                .archive = ARCHIVE_DATA,
                                .offset = 512,
                                .link = none,
                                .extra = none };
}

static void test_manifest_seek(void) {
        struct vss_error error = VSS_ERROR_INIT;
        struct manifest_writer *writer;
        struct manifest_reader *reader;
        const struct record *record;
        uint8_t digest[DIGEST_SIZE];
        uint64_t stored;
        char path[300];
        int fd = scratch(), copy = dup(fd);

        CHECK_INT(manifest_writer_new(fd, false, &writer), 0);
        for (uint32_t i = 0; i < 20000; i++) {
                struct record put = record_of(i / 10000, path, ENTRY_FILE);

                snprintf(path, sizeof(path), "/d/%08u %s", i,
                         i % 3 ? "x" : "yyyyyyyyyyyyyyyyyyyyyyyy");
                CHECK_INT(manifest_put(writer, &put), 0);
                if (i % 1000 == 0)
                        for (uint64_t n = 0; n < 100; n++)
                                CHECK_INT(manifest_put_chunks(writer, n * 64, digest, 1), 0);
        }
        CHECK_INT(manifest_finish(writer, digest, &stored), 0);
        manifest_writer_free(writer);
        CHECK_INT(manifest_reader_new(copy, "manifest", &reader, &error), 0);
        for (uint32_t i = 0; i < 20000; i += 997) {
                snprintf(path, sizeof(path), "/d/%08u", i);
                CHECK_INT(manifest_seek(reader, i / 10000, path, &error), 0);
                CHECK_INT(manifest_next(reader, &record, &error), 1);
                CHECK(strncmp(record->path, path, strlen(path)) == 0);
                CHECK_INT(record->component, i / 10000);
                CHECK_INT(record->mtime, -1);
        }
        CHECK_INT(manifest_seek(reader, 2, "/", &error), 0);
        CHECK_INT(manifest_next(reader, &record, &error), 0);
        manifest_reader_free(reader);
}

static void test_content_digest(void) {
        struct content_digest *digest = content_digest_new();
        size_t size = 3 * CHUNK_SIZE + 17;
        char *data = pattern_bytes(size, 9);
        uint8_t a[DIGEST_SIZE], b[DIGEST_SIZE], plain[DIGEST_SIZE];
        const uint64_t *numbers;
        const uint8_t *pieces;

        memset(data + CHUNK_SIZE, 0, CHUNK_SIZE);
        CHECK_INT(content_digest_begin(digest, 1000), 0);
        CHECK_INT(content_digest_data(digest, 0, data, 1000), 0);
        CHECK_INT(content_digest_end(digest, a), 0);
        CHECK_INT(digest_bytes(data, 1000, plain), 0);
        CHECK(memcmp(a, plain, DIGEST_SIZE) == 0);
        for (int odd = 0; odd < 2; odd++) { /* however the bytes come, a hole left out */
                size_t step = odd ? 77777 : CHUNK_SIZE / 2;

                CHECK_INT(content_digest_begin(digest, size), 0);
                for (size_t at = 0; at < CHUNK_SIZE; at += step)
                        CHECK_INT(content_digest_data(digest, at, data + at,
                                                      at + step > CHUNK_SIZE ? CHUNK_SIZE - at
                                                                             : step),
                                  0);
                for (size_t at = 2 * CHUNK_SIZE; at < size; at += step)
                        CHECK_INT(content_digest_data(digest, at, data + at,
                                                      at + step > size ? size - at : step),
                                  0);
                CHECK_INT(content_digest_end(digest, odd ? b : a), 0);
        }
        CHECK(memcmp(a, b, DIGEST_SIZE) == 0);
        CHECK_INT(content_digest_chunks(digest, &numbers, &pieces), 3);
        CHECK_INT(numbers[1], 2);
        CHECK_INT(content_digest_data(digest, size, data, 1), -EINVAL);
        content_digest_free(digest);
        free(data);
}

static void test_set_file(void) {
        struct set_record *set = calloc(1, sizeof(*set)), *read = calloc(1, sizeof(*read));
        struct component_key key = {
                .instance_name = "in st", .type = 2, .logical_path = "a/b", .name = "n\nm"
        };
        struct vss_error error = VSS_ERROR_INIT;
        struct set_component *component;
        struct text text = { 0 };
        uint8_t digest[DIGEST_SIZE] = { 7 };

        CHECK(set && read);
        CHECK_INT(vss_id_new(&set->info.id), 0);
        set->info.type = VSS_BT_INCREMENTAL;
        set->info.time = vss_timestamp_now();
        set->info.label = strdup("a label");
        set->info.host = strdup("host");
        component = operation_add_component(set_add_operation(set, VSS_BT_FULL), &key);
        component->words = strdup("it failed");
        component->good = false;
        component->base = set->info.id;
        CHECK_INT(set_add_file(set, "op-1/manifest.zst", 99, digest), 0);
        CHECK_INT(set_record_format(set, &text), 0);
        CHECK(text_cstring(&text));
        for (size_t i = 0; i < text.size; i++) { /* every changed byte is seen */
                char *copy = malloc(text.size + 1);

                memcpy(copy, text.data, text.size + 1);
                copy[i] ^= 1;
                CHECK(set_record_parse(copy, text.size, read, &error) < 0);
                free(copy);
        }
        CHECK_INT(set_record_parse(text.data, text.size, read, &error), 0);
        component = &read->info.operations[0].components[0];
        CHECK(component_key_equal(&component->key, &key));
        CHECK(!component->good && vss_id_equal(&component->base, &set->info.id));
        CHECK_STR(component->words, "it failed");
        CHECK_INT(read->info.stored_bytes, 99);
        vss_error_clear(&error);
        text_done(&text);
        set_record_free(set);
        set_record_free(read);
}

/* ---- sets with real files, small ---- */

static char store_path[] = "/tmp/vss-engine-XXXXXX";

struct fixture {
        struct store *store;
        struct set_list list;
        struct vss_error error;
};

static void write_text(int at, const char *name, const char *text) {
        int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        CHECK(fd >= 0);
        CHECK_INT(write_all(fd, text, strlen(text)), 0);
        close(fd);
}

static void backup(struct fixture *run, uint32_t type, const char *filespec, bool good,
                   enum source_pick pick) {
        struct component_key key = { .writer_id = { { 1 } },
                                     .instance_name = "",
                                     .type = 2,
                                     .logical_path = "",
                                     .name = "files" };
        struct source source = { .path = "/data",
                                 .read_path = "data",
                                 .filespec = filespec,
                                 .pick = pick,
                                 .names_only_change_with_ctime = true };
        struct set_options options = { .type = type };
        struct set_place base;
        struct set_writer *set;
        struct operation *op;
        int failed;

        source.root_fd = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_INT(set_begin(run->store, &options, &set, &run->error), 0);
        CHECK_INT(op_begin(set, type, &op, &run->error), 0);
        CHECK_INT(op_add_component(op, &key, &source.component, &run->error), 0);
        CHECK_INT(op_add_component(op, &key, NULL, &run->error), E_INVALIDARG);
        if (catalogue_base(&run->list, &key, type, &base) == 0)
                CHECK_INT(op_set_base(op, 1, &base, &run->list, &run->error), 0);
        CHECK_INT(op_put_document(op, "backup-components.xml", "<a/>", 4, &run->error), 0);
        CHECK_INT(op_put_document(op, "../x", "", 0, &run->error), E_INVALIDARG);
        CHECK_INT(op_put_document(op, "manifest.zst", "", 0, &run->error), E_INVALIDARG);
        CHECK_INT(op_run(op, &source, NULL, &run->error), 0);
        CHECK_INT(op_end(op, &run->error), 0);
        failed = !set_writer_info(set)->operations[0].components[1].good;
        CHECK_INT(failed, !good);
        CHECK_INT(set_publish(set, &run->error), 0);
        close(source.root_fd);
        set_list_done(&run->list);
        CHECK_INT(store_list(run->store, &run->list, &run->error), 0);
}

static void check_view(struct fixture *run, const char *want, const char *want_gone) {
        struct component_key key = run->list.sets[0]->operations[0].components[1].key;
        struct set_place place;
        struct text names = { 0 }, gone = { 0 };
        const struct entry *entry;
        struct chain chain;
        struct view *view;
        const char *name;

        CHECK_INT(catalogue_find(run->list.sets[run->list.count - 1], &key, &place), 0);
        CHECK_INT(chain_of(&run->list, &place, &chain, &run->error), 0);
        CHECK_INT(view_open(run->store, &chain, NULL, &view, &run->error), 0);
        while (view_next(view, &entry, &run->error) > 0) {
                text_string(&names, strrchr(entry->path, '/') + 1);
                text_char(&names, ' ');
        }
        while (view_next_gone(view, &name, &run->error) > 0) {
                text_string(&gone, strrchr(name, '/') + 1);
                text_char(&gone, ' ');
        }
        CHECK_STR(text_cstring(&names), want);
        CHECK_STR(text_cstring(&gone), want_gone);
        view_close(view);
        chain_done(&chain);
        text_done(&names);
        text_done(&gone);
}

static void
test_writers_sets(void) { /* M-41, M-43, M-44, I-83, I-157, I-189, IV-33, IV-82, IV-115 */
        struct fixture run = { .error = VSS_ERROR_INIT };
        _Static_assert(sizeof(store_path) > 1, "a path");
        char path[64];
        char *document;
        int at;

        scratch_folder(store_path);
        snprintf(path, sizeof(path), "%s/store", store_path);
        at = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_INT(mkdirat(at, "data", 0755), 0);
        CHECK_INT(mkdirat(at, "data/sub", 0755), 0);
        write_text(at, "data/a.t", "a");
        write_text(at, "data/b.t", "b");
        write_text(at, "data/c.u", "c");
        write_text(at, "data/sub/d.t", "d");
        CHECK_INT(store_open(path, 0, &run.store, &run.error), -ENOENT);
        CHECK_INT(store_open(path, STORE_CREATE, &run.store, &run.error), 0);
        CHECK_INT(store_lock(run.store, &run.error), 0);
        backup(&run, VSS_BT_FULL, "*.t", true, SOURCE_WHOLE);
        check_view(&run, "a.t b.t ", "");
        CHECK_INT(store_read_document(run.store, run.list.sets[0], 1, "backup-components.xml",
                                      &document, NULL, &run.error),
                  0);
        CHECK_STR(document, "<a/>");
        free(document);
        backup(&run, VSS_BT_COPY, "*.none", true, SOURCE_WHOLE); /* IV-33 */
        check_view(&run, "", "");
        CHECK_INT(unlinkat(at, "data/b.t", 0), 0);
        write_text(at, "data/e.t", "e");
        backup(&run, VSS_BT_INCREMENTAL, "*.t", true, SOURCE_COMPARE);
        CHECK_INT(run.list.sets[2]->operations[0].components[1].entries, 1); /* only e.t */
        CHECK(vss_id_equal(&run.list.sets[2]->operations[0].components[1].base,
                           &run.list.sets[0]->id)); /* IV-82 */
        check_view(&run, "a.t b.t e.t ", "b.t ");
        backup(&run, VSS_BT_INCREMENTAL, "missing", false, SOURCE_WHOLE); /* IV-32 */
        backup(&run, VSS_BT_INCREMENTAL, "*.t", true,
               SOURCE_COMPARE); /* not on the failed one: IV-83 */
        CHECK(vss_id_equal(&run.list.sets[4]->operations[0].components[1].base,
                           &run.list.sets[2]->id));
        CHECK_INT(run.list.sets[4]->operations[0].components[1].entries, 0);
        check_view(&run, "a.t b.t e.t ", "b.t ");
        set_list_done(&run.list);
        store_close(run.store);
        close(at);
        vss_error_clear(&run.error);
}

int main(void) {
        RUN(test_fields);
        RUN(test_path_order);
        RUN(test_patterns);
        RUN(test_ranges);
        RUN(test_frames);
        RUN(test_frames_full);
        RUN(test_manifest_seek);
        RUN(test_content_digest);
        RUN(test_set_file);
        RUN(test_writers_sets);
        return 0;
}
