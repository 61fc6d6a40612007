/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.c - files that the test writer makes itself, so that it knows at every moment what they
 * have to hold: the application in miniature. All of them share one generation, a number in the
 * first block; each generation changes some blocks, and what a block holds follows from seed,
 * block and the generation that changed it last. A journal has one small file per generation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "test/test-writer.h"

enum { BLOCK = 4096, MAX_BLOCKS = 1 << 18 };

static uint64_t mix(uint64_t x) {
        x += UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

static void fill(const struct data *data, uint64_t block, uint64_t generation, char to[BLOCK]) {
        uint64_t state = mix(data->seed ^ mix(block ^ mix(generation)));

        for (size_t i = 0; i < BLOCK; i += sizeof(state)) {
                state = mix(state);
                memcpy(to + i, &state, sizeof(state));
        }
        if (block == 0)
                (void)snprintf(to, 64, "vss-test-data %ju\n", (uintmax_t)generation);
}

static uint64_t blocks_of(const struct data *data) {
        return (data->size + BLOCK - 1) / BLOCK;
}

/* the @i-th block that @generation changes; 0 is changed by every one */
static uint64_t changed_block(const struct data *data, uint64_t generation, uint64_t i) {
        uint64_t blocks = blocks_of(data);

        return blocks < 2 ? 0 : 1 + mix(data->seed ^ mix(generation) ^ (i << 32)) % (blocks - 1);
}

static int write_block(int fd, const struct data *data, uint64_t block, uint64_t generation) {
        char bytes[BLOCK];

        fill(data, block, generation, bytes);
        return pwrite(fd, bytes, BLOCK, (off_t)(block * BLOCK)) == BLOCK ? 0 : -EIO;
}

static char *journal_path(const struct data *data, uint64_t generation) {
        char *path;

        return asprintf(&path, "%s/%s.%ju", data->path, data->name, (uintmax_t)generation) < 0
                       ? NULL
                       : path;
}

static int write_journal(const struct data *data, uint64_t generation) {
        _cleanup_free_ char *path = journal_path(data, generation);
        _cleanup_close_ int fd = -1;

        if (!path)
                return -ENOMEM;
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        return fd < 0 ? -errno : write_block(fd, data, 0, generation);
}

static int open_data(const struct data *data, int flags) {
        _cleanup_free_ char *path = util_join(data->path, data->name);
        int fd = path ? open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0644) : -1;

        return fd >= 0 ? fd : path ? -errno : -ENOMEM;
}

/* generation that the file shows; false when it is not there or is not ours */
static bool read_generation(int fd, uint64_t *ret) {
        char text[65] = "";
        uintmax_t generation;

        if (pread(fd, text, 64, 0) < 16 || sscanf(text, "vss-test-data %ju", &generation) != 1)
                return false;
        *ret = generation;
        return true;
}

/* make a new file at generation 0, or one that was restored go on from where it is */
static int advance(const struct data *data, uint64_t to) {
        _cleanup_close_ int fd = -1;
        uint64_t at = 0;
        int r = 0;

        if (data->kind == DATA_JOURNAL)
                return 0;
        fd = open_data(data, O_RDWR | O_CREAT);
        if (fd < 0)
                return fd;
        if (!read_generation(fd, &at))
                for (uint64_t b = 0; r >= 0 && b < blocks_of(data); b++)
                        r = write_block(fd, data, b, 0);
        for (uint64_t g = at + 1; r >= 0 && g <= to; g++)
                for (uint64_t i = 0; r >= 0 && i < data->changes; i++)
                        r = write_block(fd, data, changed_block(data, g, i), g);
        if (r >= 0)
                r = write_block(fd, data, 0, to > at ? to : at);
        return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

/* one step of the application: everything to the next generation */
int data_advance(struct test_writer *test, bool live) {
        uint64_t now = test->generation;
        int r = 0;

        for (size_t i = 0; i < test->data_count; i++) {
                uint64_t at;
                int fd = test->data[i].kind == DATA_JOURNAL ? -1
                                                            : open_data(&test->data[i], O_RDONLY);

                if (fd >= 0 && read_generation(fd, &at) && at > now)
                        now = at;
                util_closep(&fd);
        }
        test->generation = now + 1;
        for (size_t i = 0; r >= 0 && i < test->data_count; i++) {
                if (!live && test->data[i].live)
                        continue; /* it is read after the thaw, where it is */
                if (test->data[i].kind == DATA_JOURNAL)
                        r = write_journal(&test->data[i], test->generation);
                else
                        r = advance(&test->data[i], test->generation);
        }
        return r;
}

/* ---- stamps and entries ---- */

char *data_stamp(const struct test_writer *test) {
        char *stamp;

        return asprintf(&stamp, "generation:%ju:%jd", (uintmax_t)test->noted,
                        (intmax_t)test->noted_time) < 0
                       ? NULL
                       : stamp;
}

bool data_read_stamp(const char *stamp, uint64_t *ret_generation, vss_timestamp_t *ret_time) {
        uintmax_t generation;
        intmax_t time;

        if (!stamp || sscanf(stamp, "generation:%ju:%jd", &generation, &time) != 2)
                return false;
        *ret_generation = generation;
        *ret_time = time;
        return true;
}

/* the blocks that changed after @since, as a bit map; NULL when out of memory */
static bool *changed_since(const struct data *data, uint64_t since, uint64_t to) {
        bool *map = calloc((size_t)blocks_of(data), sizeof(*map));

        for (uint64_t g = since + 1; map && g <= to; g++)
                for (uint64_t i = 0; i < data->changes; i++)
                        map[changed_block(data, g, i)] = true;
        if (map)
                map[0] = true;
        return map;
}

static int put_ranges(const struct data *data, const bool *map, FILE *out, bool binary) {
        uint64_t count = 0, written = 0;

        for (uint64_t b = 0; b < blocks_of(data); b++)
                count += map[b];
        if (binary) /* I-122: little-endian, as every machine is that we know */
                (void)fwrite(&count, sizeof(count), 1, out);
        for (uint64_t b = 0; b < blocks_of(data); b++) {
                uint64_t pair[2] = { b * BLOCK, BLOCK };

                if (!map[b])
                        continue;
                if (binary)
                        (void)fwrite(pair, sizeof(pair), 1, out);
                else
                        (void)fprintf(out, "%s%ju:%d", written++ ? "," : "", (uintmax_t)pair[0],
                                      BLOCK);
        }
        return ferror(out) ? -EIO : 0;
}

static int add_partial(const struct test_writer *test, const struct data *data, uint64_t since,
                       struct vss_component *component, struct vss_error *reterr) {
        _cleanup_free_ bool *map = changed_since(data, since, test->noted);
        _cleanup_free_ char *list = NULL;
        size_t size;
        FILE *out;
        int r;

        out = data->ranges_file ? fopen(data->ranges_file, "we") : open_memstream(&list, &size);
        if (!map || !out)
                return map && !out ? -errno : -ENOMEM;
        r = put_ranges(data, map, out, data->ranges_file != NULL);
        if (fclose(out) != 0)
                r = -EIO;
        return r < 0 ? r
                     : vss_component_add_partial_file(component, data->path, data->name,
                                                      data->ranges_file ? data->ranges_file : list,
                                                      NULL, reterr);
}

int data_check_stamp(const struct data *data, const char *stamp, struct vss_error *reterr) {
        vss_timestamp_t time;
        uint64_t since;

        if ((data->kind != DATA_PARTIAL && data->kind != DATA_DIFFERENCED) ||
            data_read_stamp(stamp, &since, &time))
                return 0;
        return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                         "'%s/%s': the base's stamp %s; make a full backup", data->path, data->name,
                         stamp ? "is none of this writer" : "was not given");
}

int data_add_entry(const struct test_writer *test, const struct data *data, const char *stamp,
                   struct vss_component *component, struct vss_error *reterr) {
        vss_timestamp_t time = 0;
        uint64_t since = 0;

        if (data->kind != DATA_PARTIAL && data->kind != DATA_DIFFERENCED)
                return 0;
        (void)data_read_stamp(stamp, &since, &time);
        if (data->kind == DATA_PARTIAL)
                return add_partial(test, data, since, component, reterr);
        return vss_component_add_differenced_files_by_last_modify_time(
                component, data->path, data->name, false, time, reterr);
}

/* ---- after a restore ---- */

/* with_place() - @data as it lies after the restore; names stay. The caller frees *ret_path
 */
static int with_place(const struct data *data, const struct vss_component *component,
                      struct data *ret, char **ret_path) {
        _cleanup_free_ char *name = data->kind == DATA_JOURNAL ? journal_path(data, 1)
                                                               : util_join(data->path, data->name);
        char *slash;

        *ret_path = name ? place_of(component, name) : NULL;
        if (!*ret_path)
                return -ENOMEM;
        slash = strrchr(*ret_path, '/');
        slash[slash == *ret_path] = '\0';
        *ret = *data;
        ret->path = *ret_path;
        return 0;
}

static bool has_journal(const struct test_writer *test, const struct vss_component *component,
                        uint64_t generation) {
        for (size_t i = 0; i < test->data_count; i++) {
                _cleanup_free_ char *path = NULL, *journal = NULL;
                struct data here;

                if (test->data[i].kind != DATA_JOURNAL)
                        continue;
                if (with_place(&test->data[i], component, &here, &path) < 0)
                        return false;
                journal = journal_path(&here, generation);
                if (!journal || access(journal, F_OK) < 0)
                        return false;
        }
        return true;
}

/* roll_to() - R-146: where the replay of what shows generation @at has to stop: at what the backup
 * noted, unless the requester wants another point */
static uint64_t roll_to(const struct test_writer *test, const struct vss_component *component,
                        uint64_t at, uint64_t noted) {
        const char *point;
        uint64_t to = at;
        uint32_t type;

        vss_component_get_roll_forward(component, &type, &point);
        if (type == VSS_RF_NONE)
                return at;
        if (type == VSS_RF_PARTIAL)
                return util_number(point, UINT64_MAX, &to) < 0 ? at : to;
        if (type != VSS_RF_ALL)
                return noted;
        while (has_journal(test, component, to + 1))
                to++;
        return to;
}

/* replay() - the journals up to @to; false when one is missing */
static bool replay(const struct test_writer *test, struct vss_writer *writer,
                   const struct data *data, const struct vss_component *component, uint64_t at,
                   uint64_t to) {
        for (uint64_t g = at + 1; g <= to; g++)
                if (!has_journal(test, component, g)) {
                        test_log(test, writer, "check data %s/%s: no journal of generation %ju",
                                 data->path, data->name, (uintmax_t)g);
                        return false;
                }
        if (at >= to)
                return true;
        test_log(test, writer, "check replayed %s/%s from %ju to %ju", data->path, data->name,
                 (uintmax_t)at, (uintmax_t)to);
        return advance(data, to) >= 0;
}

/* the generation that changed each block last, up to @generation; NULL when out of memory */
static uint64_t *last_changes(const struct data *data, uint64_t generation) {
        uint64_t *last = calloc((size_t)blocks_of(data), sizeof(*last));

        for (uint64_t g = 1; last && g <= generation; g++)
                for (uint64_t i = 0; i < data->changes; i++)
                        last[changed_block(data, g, i)] = g;
        if (last)
                last[0] = generation;
        return last;
}

/* first block that is not as @generation has to show it, UINT64_MAX when all are */
static uint64_t compare(const struct data *data, int fd, uint64_t generation) {
        _cleanup_free_ uint64_t *last = last_changes(data, generation);
        uint64_t blocks = blocks_of(data), bad = UINT64_MAX;
        char wanted[BLOCK], found[BLOCK];
        struct stat st;

        if (!last || fstat(fd, &st) < 0 || (uint64_t)st.st_size != blocks * BLOCK)
                return 0;
        for (uint64_t b = 0; bad == UINT64_MAX && b < blocks; b++) {
                fill(data, b, last[b], wanted);
                if (pread(fd, found, BLOCK, (off_t)(b * BLOCK)) != BLOCK ||
                    memcmp(wanted, found, BLOCK) != 0)
                        bad = b;
        }
        return bad;
}

/* collect() - what was directed elsewhere, put together again; what was not directed is as it
 * should be, because nobody said that it is anywhere */
static int collect(const struct data *data, const struct vss_component *component,
                   uint64_t generation) {
        _cleanup_free_ uint64_t *last = last_changes(data, generation);
        int fd = last ? memfd_create("vss-test-data", MFD_CLOEXEC) : -1;
        int r = !last ? -ENOMEM : fd < 0 ? -errno : 0;

        for (uint64_t b = 0; r >= 0 && b < blocks_of(data); b++)
                r = write_block(fd, data, b, last[b]);
        if (r >= 0)
                r = place_collect(component, data->path, data->name, fd);
        if (r < 0)
                util_closep(&fd);
        return r < 0 ? r : fd;
}

static unsigned judge(const struct test_writer *test, struct vss_writer *writer,
                      const struct data *data, int fd, uint64_t generation) {
        uint64_t bad = compare(data, fd, generation), shows = 0;

        (void)read_generation(fd, &shows);
        if (bad == UINT64_MAX)
                test_log(test, writer, "check data good %s/%s generation=%ju", data->path,
                         data->name, (uintmax_t)generation);
        else
                test_log(test, writer,
                         "check data different %s/%s generation=%ju block=%ju shows=%ju",
                         data->path, data->name, (uintmax_t)generation, (uintmax_t)bad,
                         (uintmax_t)shows);
        return bad != UINT64_MAX;
}

static unsigned missing(const struct test_writer *test, struct vss_writer *writer,
                        const struct data *data) {
        test_log(test, writer, "check data missing %s/%s", data->path, data->name);
        return 1;
}

unsigned data_check(struct test_writer *test, struct vss_writer *writer, const struct data *data,
                    const struct vss_component *component, uint64_t generation) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -1;
        struct data here;
        uint64_t at;

        if (data->kind == DATA_JOURNAL)
                return 0; /* looked at with the file that needs it */
        if (place_is_directed(component, data->path, data->name)) {
                fd = collect(data, component, generation);
                return fd < 0 ? missing(test, writer, data)
                              : judge(test, writer, data, fd, generation);
        }
        if (with_place(data, component, &here, &path) < 0)
                return 1;
        fd = open_data(&here, O_RDONLY);
        if (fd < 0 || !read_generation(fd, &at))
                return missing(test, writer, &here);
        if (data->kind == DATA_LOGGED) {
                generation = roll_to(test, component, at, generation);
                if (!replay(test, writer, &here, component, at, generation))
                        return 1;
        }
        return judge(test, writer, &here, fd, generation);
}

/* ---- the end of a backup ---- */

/* I-172..I-178: what was decided is told, so that a test sees it */
void data_truncate(const struct test_writer *test, struct vss_writer *writer,
                   const struct data *data) {
        unsigned count = 0;

        for (uint64_t g = test->noted; data->kind == DATA_JOURNAL && g > 0; g--) {
                _cleanup_free_ char *path = journal_path(data, g);

                if (!path || unlink(path) < 0)
                        break;
                count++;
        }
        if (data->kind == DATA_JOURNAL)
                test_log(test, writer, "truncated %s/%s up to %ju, %u files", data->path,
                         data->name, (uintmax_t)test->noted, count);
}

/* ---- settings ---- */

/* "1M", "256K", plain bytes */
static int parse_size(char *value, uint64_t *ret) {
        size_t n = strlen(value);
        unsigned shift = n == 0 ? 0 : value[n - 1] == 'K' ? 10 : value[n - 1] == 'M' ? 20 : 0;

        if (shift)
                value[n - 1] = '\0';
        if (util_number(value, (uint64_t)MAX_BLOCKS * BLOCK >> shift, ret) < 0 || *ret == 0)
                return E_INVALIDARG;
        *ret <<= shift;
        return 0;
}

static int take_option(struct data *data, char *word, struct vss_error *reterr) {
        static const char *const kinds[] = { "whole",  "partial", "differenced",
                                             "logged", "journal", NULL };
        char *value = strchr(word, '=');
        int kind;

        if (strcmp(word, "live") == 0) {
                data->live = true;
                return 0;
        }
        if (value)
                *value++ = '\0';
        if (value && strcmp(word, "size") == 0 && parse_size(value, &data->size) >= 0)
                return 0;
        if (value && strcmp(word, "seed") == 0 && util_number(value, UINT64_MAX, &data->seed) >= 0)
                return 0;
        if (value && strcmp(word, "changes") == 0 &&
            util_number(value, MAX_BLOCKS, &data->changes) >= 0)
                return 0;
        if (value && strcmp(word, "ranges_file") == 0 && util_path_is_clean(value))
                return util_replace(&data->ranges_file, value);
        if (value && strcmp(word, "by") == 0 && (kind = util_word_in(value, kinds)) >= 0) {
                data->kind = (enum data_kind)kind;
                return 0;
        }
        return util_fail(reterr, E_INVALIDARG,
                         "'%s': known are size=BYTES, seed=N, changes=BLOCKS, "
                         "by=whole|partial|differenced|logged|journal, ranges_file=/path and live",
                         word);
}

void data_done(struct data *data) {
        free(data->component);
        free(data->path);
        free(data->name);
        free(data->ranges_file);
}

int data_parse(const char *component, const char *value, struct data *ret,
               struct vss_error *reterr) {
        struct data data = { .size = 64 * 1024, .changes = 3, .seed = 1 };
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word = NULL, *slash;
        int r = text ? util_next_word(&rest, &word) : -ENOMEM;

        slash = r > 0 ? strrchr(word, '/') : NULL;
        if (!slash || slash == word || !slash[1] || !util_path_is_clean(word))
                return r < 0 ? r : util_fail(reterr, E_INVALIDARG, "'%s': write /dir/name", value);
        *slash = '\0';
        data.component = strdup(component);
        data.path = strdup(word);
        data.name = strdup(slash + 1);
        r = data.component && data.path && data.name ? 0 : -ENOMEM;
        while (r >= 0 && (r = util_next_word(&rest, &word)) > 0)
                r = take_option(&data, word, reterr);
        if (r < 0) {
                data_done(&data);
                return r;
        }
        *ret = data;
        return 0;
}
