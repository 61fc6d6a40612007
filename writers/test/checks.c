/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * checks.c - the test writer checks the requester: is back what was in the shadow copy? What was
 * there is kept in the component's backup metadata, because another process may ask for it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "test/test-writer.h"

/* called with the path of a regular file, and the same relative to the walk's beginning */
typedef void (*visit_t)(void *userdata, const char *path, const char *relative);

static void walk(const char *base, const char *relative, const struct file_set *set, visit_t visit,
                 void *userdata) {
        _cleanup_free_ char *folder = *relative ? util_join(base, relative) : strdup(base);
        DIR *directory = folder ? opendir(folder) : NULL;
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                const char *name = entry->d_name;
                _cleanup_free_ char *path = util_join(folder, name);
                _cleanup_free_ char *below = *relative ? util_join(relative, name) : strdup(name);
                struct stat st;

                if (!path || !below || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                    lstat(path, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode) && set->recursive)
                        walk(base, below, set, visit, userdata);
                else if (S_ISREG(st.st_mode) && vss_filespec_matches(set->filespec, name))
                        visit(userdata, path, below);
        }
        if (directory)
                (void)closedir(directory);
}

/* FNV-1a: it is to notice mistakes, nobody forges here. 0 and *ret, or negative errno */
static int hash_file(const char *path, uint64_t *ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        unsigned char buffer[65536];
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        ssize_t n;

        if (fd < 0)
                return -errno;
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
                for (ssize_t i = 0; i < n; i++)
                        hash = (hash ^ buffer[i]) * UINT64_C(0x100000001b3);
        if (n < 0)
                return -errno;
        *ret = hash;
        return 0;
}

static bool is_excluded(const struct test_writer *test, const char *path) {
        const char *slash = strrchr(path, '/');

        for (size_t i = 0; i < test->tree.exclude_count; i++) {
                const struct file_set *set = &test->tree.excludes[i];
                size_t n = strlen(set->path);
                bool inside = set->recursive ? util_path_is_below(path, set->path)
                                             : (size_t)(slash - path) == n &&
                                                       strncmp(path, set->path, n) == 0;

                if (inside && vss_filespec_matches(set->filespec, slash + 1))
                        return true;
        }
        return false;
}

struct remember {
        const struct test_writer *test;
        const struct file_set *set;
        FILE *out;
};

static void remember_file(void *userdata, const char *path, const char *relative) {
        const struct remember *remember = userdata;
        _cleanup_free_ char *original = util_join(remember->set->path, relative);
        uint64_t hash;

        if (!original || is_excluded(remember->test, original) || hash_file(path, &hash) < 0)
                return;
        (void)fprintf(remember->out, "%016jx ", (uintmax_t)hash);
        for (const unsigned char *s = (const unsigned char *)original; *s; s++)
                if (*s <= 0x20 || *s >= 0x7f || *s == '%')
                        (void)fprintf(remember->out, "%%%02x", *s);
                else
                        (void)fputc(*s, remember->out);
        (void)fputc('\n', remember->out);
}

void check_remember(const struct test_writer *test, struct vss_writer *writer,
                    const struct tree_component *ours, FILE *out) {
        for (size_t i = 0; i < ours->set_count; i++) {
                const struct file_set *set = &ours->sets[i];
                struct remember remember = { test, set, out };
                _cleanup_free_ char *copy = NULL;

                if (vss_writer_get_snapshot_path(
                            writer, set->alternate ? set->alternate : set->path, &copy) >= 0)
                        walk(copy, "", set, remember_file, &remember);
        }
}

/* "%0a" is a byte; in place */
static void decode(char *text) {
        char *out = text;

        for (; *text; text++) {
                unsigned byte;

                if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
                        *out++ = (char)byte;
                        text += 2;
                } else {
                        *out++ = *text;
                }
        }
        *out = '\0';
}

/* what the writer directed elsewhere, or what was not named, says nothing of this file */
static bool is_to_be_there(const struct test_writer *test, const struct vss_component *component,
                           const char *path) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *folder = strndup(path, (size_t)(slash - path) + (slash == path));

        return place_is_restored(test, component, path) && folder &&
               !place_is_directed(component, folder, slash + 1);
}

/* "HASH path": 1 good, 0 bad, -1 not to be looked at */
static int check_line(const struct test_writer *test, struct vss_writer *writer,
                      const struct vss_component *component, char *line) {
        _cleanup_free_ char *place = NULL;
        uint64_t wanted, found;
        char *end;
        int r;

        wanted = strtoull(line, &end, 16);
        decode(++end);
        if (!is_to_be_there(test, component, end))
                return -1;
        place = place_of(component, end);
        r = place ? hash_file(place, &found) : -ENOMEM;
        if (r >= 0 && found == wanted)
                return 1;
        test_log(test, writer, "check %s %s", r < 0 ? "missing" : "different", place ? place : end);
        return 0;
}

static unsigned check_data(struct test_writer *test, struct vss_writer *writer,
                           const struct vss_component *component, uint64_t generation) {
        unsigned bad = 0;

        for (size_t i = 0; i < test->data_count; i++) {
                const struct data *data = &test->data[i];
                _cleanup_free_ char *path = util_join(data->path, data->name);

                if (in_set(test, data->component, component) && path &&
                    place_is_restored(test, component, path))
                        bad += data_check(test, writer, data, component, generation);
        }
        return bad;
}

unsigned check_restored(struct test_writer *test, struct vss_writer *writer,
                        struct vss_component *component) {
        const char *metadata = vss_component_get_backup_metadata(component);
        _cleanup_free_ char *text = strdup(metadata ? metadata : "");
        char *rest = text, *line;
        unsigned bad = 0, good = 0, lines = 0;
        uintmax_t generation;
        int r;

        while (text && (line = strsep(&rest, "\n"))) {
                if (sscanf(line, "generation %ju", &generation) == 1) {
                        bad += check_data(test, writer, component, generation);
                } else if (*line && (r = check_line(test, writer, component, line)) >= 0) {
                        lines++;
                        good += (unsigned)r;
                }
        }
        if (lines > 0)
                test_log(test, writer, "check restored good=%u bad=%u", good, lines - good);
        return bad + lines - good;
}

struct report {
        const struct test_writer *test;
        struct vss_writer *writer;
        unsigned count;
};

static void report_file(void *userdata, const char *path, const char *relative) {
        struct report *report = userdata;

        report->count++;
        test_log(report->test, report->writer, "check excluded %s", path);
}

unsigned check_excluded(const struct test_writer *test, struct vss_writer *writer) {
        struct report report = { test, writer, 0 };

        for (size_t i = 0; i < test->tree.exclude_count; i++)
                walk(test->tree.excludes[i].path, "", &test->tree.excludes[i], report_file,
                     &report);
        return report.count;
}

static void delete_file(void *userdata, const char *path, const char *relative) {
        if (!is_excluded(userdata, path))
                (void)unlink(path);
}

void check_delete(const struct test_writer *test, const struct tree_component *ours) {
        for (size_t i = 0; i < ours->set_count; i++)
                walk(ours->sets[i].path, "", &ours->sets[i], delete_file, (void *)(uintptr_t)test);
}

void check_truncate(const struct test_writer *test, const struct tree_component *ours) {
        for (size_t i = 0; i < ours->set_count; i++)
                if (ours->sets[i].log)
                        walk(ours->sets[i].path, "", &ours->sets[i], delete_file,
                             (void *)(uintptr_t)test);
}
