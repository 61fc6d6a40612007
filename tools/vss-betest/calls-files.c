/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-files.c - what a backup program does with files between the calls: volumes for the set,
 * and a plain copy of what the plan names. A folder of such a copy:
 *
 *   files/PATH   files that are there whole
 *   ranges/N     the bytes of the ranges of one file, one behind the other
 *   index        one line per file: decision, component, and for ranges N, size and the list
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "betest.h"
#include "plan.h"

#define CALL(verb)                                                                                 \
        static int call_##verb(struct run *run, const struct words *words, struct vss_error *reterr)

/* ---- volumes ---- */

/* a volume that the set needs, and what will be read of it: a provider that copies data copies
 * nothing else */
struct needed {
        char *volume;
        char **paths; /* NULL-terminated */
        size_t count, capacity;
};

struct adding {
        struct run *run;
        struct needed needed[MAX_COPIES + 1];
        size_t count;
        const char *path; /* of the file set that is looked at */
        struct vss_error *reterr;
};

static int add_path(struct needed *n, const char *path) {
        if (ARRAY_RESERVE(&n->paths, n->count + 1, &n->capacity) < 0)
                return -ENOMEM;
        n->paths[n->count] = strdup(path);
        n->paths[n->count + 1] = NULL;
        return n->paths[n->count++] ? 0 : -ENOMEM;
}

/* of a volume mounted below everything is read */
static int need(void *userdata, const struct vss_volume *volume, const char *provider,
                const char *refusal) {
        struct adding *a = userdata;
        bool is_below = path_is_below(volume->mount_point, a->path);
        size_t i = 0;

        while (i < a->count && strcmp(a->needed[i].volume, volume->id) != 0)
                i++;
        if (i == a->count) {
                if (i == MAX_COPIES)
                        return vss_fail(a->reterr, VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                                        "the files lie on more than %d volumes", MAX_COPIES);
                a->needed[i].volume = strdup(volume->id);
                if (!a->needed[i].volume)
                        return -ENOMEM;
                a->count++;
        }
        return add_path(&a->needed[i], is_below ? volume->mount_point : a->path);
}

static int need_volume_of(void *userdata, const struct vss_wm_filedesc *file, uint32_t schema) {
        struct adding *a = userdata;
        const char *alternate = vss_wm_filedesc_get_alternate_location(file);
        _cleanup_free_ char *path = NULL;
        struct stat st;

        if (!needs_volume(a->run, file, schema))
                return 0;
        path = strdup(alternate ? alternate : vss_wm_filedesc_get_path(file));
        while (path && lstat(path, &st) < 0 && path[1]) { /* it may come into being later */
                char *slash = strrchr(path, '/');

                slash[slash == path] = '\0';
        }
        a->path = path;
        return !path ? -ENOMEM
                     : vss_backup_components_resolve_path(a->run->bc, path,
                                                          vss_wm_filedesc_get_recursive(file), need,
                                                          a, a->reterr);
}

CALL(add_volumes) {
        struct adding a = { .run = run, .reterr = reterr };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++)
                r = each_member(run, &run->chosen[i], need_volume_of, &a);
        for (size_t i = 0; i < a.count; i++) {
                if (r >= 0)
                        r = add_volume(run, a.needed[i].volume, NULL,
                                       (const char *const *)a.needed[i].paths, reterr);
                for (size_t j = 0; j < a.needed[i].count; j++)
                        free(a.needed[i].paths[j]);
                free(a.needed[i].paths);
                free(a.needed[i].volume);
        }
        return r;
}

/* ---- bytes ---- */

static int copy_bytes(int from, off_t at, int to, uint64_t length) {
        char buffer[65536];

        while (length > 0) {
                size_t want = length < sizeof(buffer) ? (size_t)length : sizeof(buffer);
                int r = pread_all(from, buffer, want, at);

                if (r >= 0)
                        r = write_all(to, buffer, want);
                if (r < 0)
                        return r;
                at += (off_t)want;
                length -= want;
        }
        return 0;
}

static int make_parent(const char *path) {
        _cleanup_free_ char *folder = strdup(path);

        if (!folder)
                return -ENOMEM;
        *strrchr(folder, '/') = '\0';
        return *folder ? mkdir_parents(folder, 0700) : 0;
}

/* regular files and links; others have no content that a test could compare */
static int copy_whole(const char *source, const char *to) {
        struct timespec times[2];
        _cleanup_close_ int in = -1, out = -1;
        char target[4096];
        struct stat st;
        ssize_t n;
        int r = make_parent(to);

        if (r < 0 || lstat(source, &st) < 0)
                return r < 0 ? r : -errno;
        if (unlink(to) < 0 && errno != ENOENT)
                return -errno;
        if (S_ISLNK(st.st_mode)) {
                n = readlink(source, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                return n < 0 || symlink(target, to) < 0 ? -errno : 0;
        }
        if (!S_ISREG(st.st_mode))
                return 0;
        in = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (in < 0 || out < 0)
                return -errno;
        r = copy_bytes(in, 0, out, (uint64_t)st.st_size);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (r >= 0 && (fchown(out, st.st_uid, st.st_gid) < 0 ||
                       fchmod(out, st.st_mode & 07777) < 0 || futimens(out, times) < 0))
                r = -errno;
        return r;
}

static int copy_ranges(const struct planned *file, const char *to, uint64_t *ret_size) {
        _cleanup_close_ int in = -1, out = -1;
        struct stat st;
        int r = make_parent(to);

        in = open(file->source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (r < 0 || in < 0 || fstat(in, &st) < 0)
                return r < 0 ? r : -errno;
        *ret_size = (uint64_t)st.st_size;
        if (ranges_end(&file->ranges) > (uint64_t)st.st_size)
                return -ENODATA; /* I-121 */
        out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        for (size_t i = 0; r >= 0 && i < file->ranges.count; i++)
                r = copy_bytes(in, (off_t)file->ranges.items[i].offset, out,
                               file->ranges.items[i].length);
        return r;
}

/* ---- the index ---- */

static void put_encoded(FILE *out, const char *text) {
        for (const unsigned char *s = (const unsigned char *)text; *s; s++)
                if (*s <= 0x20 || *s >= 0x7f || *s == '%')
                        (void)fprintf(out, "%%%02x", *s);
                else
                        (void)fputc(*s, out);
}

static void decode(char *text) {
        char *out = text;

        while (*text) {
                unsigned byte;

                if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
                        *out++ = (char)byte;
                        text += 3;
                } else {
                        *out++ = *text++;
                }
        }
        *out = '\0';
}

char *component_text(const struct chosen *c) {
        char id[VSS_ID_TEXT_SIZE], *text;
        const char *path = c->key.logical_path;

        return asprintf(&text, "%s:%s%s%s", vss_id_format(&c->key.writer_id, id), path ? path : "",
                        path ? "\\" : "", c->key.name) < 0
                       ? NULL
                       : text;
}

static void say_file(const struct planned *file, const char *component, int code) {
        static const char *const decisions[] = { "skipped", "whole", "ranges" };

        say_begin("file");
        say_text("decision", decisions[file->decision]);
        say_text("path", file->path);
        say_text("component", component);
        say_text("source", file->from_copy ? "shadow copy" : "original");
        if (file->decision == RANGES)
                say_number("bytes", (int64_t)ranges_total(&file->ranges));
        if (code < 0)
                say_code("failed", code);
        say_end();
}

/* where the bytes of @file go below @dir; NULL when out of memory */
static char *stored_path(const char *dir, const struct planned *file, size_t number) {
        char *path;
        int n = file->decision == RANGES ? asprintf(&path, "%s/ranges/%zu", dir, number)
                                         : asprintf(&path, "%s/files%s", dir, file->path);

        return n < 0 ? NULL : path;
}

static int copy_file(struct run *run, const struct planned *file, size_t number, const char *dir,
                     FILE *index) {
        static const char *const words[] = { "skip", "whole", "ranges" };
        struct chosen *chosen = &run->chosen[file->chosen];
        _cleanup_free_ char *component = component_text(chosen), *list = NULL,
                            *to = stored_path(dir, file, number);
        uint64_t size = 0;
        int r = 0;

        if (!component || !to || ranges_format(&file->ranges, &list) < 0)
                return -ENOMEM;
        if (file->decision == WHOLE)
                r = copy_whole(file->source, to);
        else if (file->decision == RANGES)
                r = copy_ranges(file, to, &size);
        say_file(file, component, r);
        if (r < 0) {
                chosen->failed++;
                return r == -ENOMEM ? r : 0;
        }
        (void)fprintf(index, "%s ", words[file->decision]);
        put_encoded(index, component);
        (void)fputc(' ', index);
        put_encoded(index, file->path);
        if (file->decision == RANGES)
                (void)fprintf(index, " %zu %" PRIu64 " %s", number, size, *list ? list : "0:0");
        (void)fputc('\n', index);
        return 0;
}

int each_indexed(const char *dir, indexed_t sink, void *userdata, struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(dir, "index"), *line = NULL;
        _cleanup_fclose_ FILE *file = path ? fopen(path, "re") : NULL;
        size_t capacity = 0;
        int r = 0;

        if (!path)
                return -ENOMEM;
        if (!file)
                return vss_fail(reterr, -errno, "cannot read '%s': %s", path, strerror(errno));
        while (r >= 0 && getline(&line, &capacity, file) >= 0) {
                char *words[8], *rest = line;
                size_t count = 0;

                line[strcspn(line, "\n")] = '\0';
                while (count < 8 && (words[count] = strsep(&rest, " ")))
                        decode(words[count++]);
                r = sink(userdata, words, count);
        }
        return r;
}

static int take_base(void *userdata, char *const *words, size_t count) {
        struct base *base = userdata;
        char *path;

        if (count == 2 && strcmp(words[0], "time") == 0) {
                base->time = strtoll(words[1], NULL, 10);
                return 0;
        }
        path = count > 2 ? strdup(words[2]) : NULL;
        if (count <= 2)
                return 0;
        return path && tsearch(path, &base->names, (int (*)(const void *, const void *))strcmp)
                       ? 0
                       : -ENOMEM;
}

/* the instant that the files show: of the copy, or now when there is none */
static vss_timestamp_t instant_of(const struct run *run) {
        for (size_t i = 0; i < run->copy_count; i++)
                if (run->copies[i].prop.creation_timestamp)
                        return run->copies[i].prop.creation_timestamp;
        return vss_timestamp_now();
}

static int copy_plan(struct run *run, const struct plan *plan, const char *dir,
                     struct vss_error *reterr) {
        _cleanup_free_ char *path = path_join(dir, "index");
        _cleanup_fclose_ FILE *index = NULL;
        int r = path ? make_parent(path) : -ENOMEM;

        index = r >= 0 ? fopen(path, "wxe") : NULL;
        if (!index)
                return vss_fail(reterr, r < 0 ? r : -errno,
                                "cannot begin a copy in '%s' (a new folder each time): %s", dir,
                                strerror(r < 0 ? -r : errno));
        (void)fprintf(index, "time %" PRId64 "\n", instant_of(run));
        for (size_t i = 0; r >= 0 && i < plan->count; i++)
                r = copy_file(run, plan->files[i], i, dir, index);
        if (r >= 0 && (fflush(index) != 0 || ferror(index)))
                r = vss_fail(reterr, -EIO, "cannot write the index of '%s'", dir);
        return r;
}

/* @write: copy; else only tell what would be copied */
static int plan_and_copy(struct run *run, const struct words *words, bool write,
                         struct vss_error *reterr) {
        const char *base_dir = words->count > (write ? 1 : 0) ? words->items[write] : NULL;
        struct base base = { 0 };
        struct plan plan = { .base = base_dir ? &base : NULL };
        int r = base_dir ? each_indexed(base_dir, take_base, &base, reterr) : 0;

        if (r >= 0)
                r = plan_make(run, &plan, reterr);
        if (r >= 0 && write)
                r = copy_plan(run, &plan, words->items[0], reterr);
        for (size_t i = 0; r >= 0 && !write && i < plan.count; i++) {
                _cleanup_free_ char *component =
                        component_text(&run->chosen[plan.files[i]->chosen]);

                say_file(plan.files[i], component, 0);
        }
        plan_done(&plan);
        tdestroy(base.names, free);
        return r;
}

CALL(copy) {
        return plan_and_copy(run, words, true, reterr);
}

CALL(plan) {
        return plan_and_copy(run, words, false, reterr);
}

const struct call calls_files[] = {
        { "add_volumes", "", 0, 0, call_add_volumes },
        { "plan", "[BASE-DIR]", 0, 1, call_plan },
        { "copy", "DIR [BASE-DIR]", 1, 2, call_copy },
        { "restore_files", "DIR [INTO]", 1, 2, call_restore_files },
        { NULL, NULL, 0, 0, NULL },
};
