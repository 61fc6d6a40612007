/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - see plan.h. The order is that of section 9 of the rules: differenced, partial, masks,
 * then what the writer excludes.
 */
#define _GNU_SOURCE
#include "plan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

/* ---- the list ---- */

static int by_path(const void *a, const void *b) {
        return strcmp(((const struct planned *)a)->path, ((const struct planned *)b)->path);
}

static void planned_free(struct planned *file) {
        free(file->path);
        free(file->source);
        ranges_done(&file->ranges);
        free(file);
}

void plan_done(struct plan *plan) {
        for (size_t i = 0; i < plan->count; i++) {
                (void)tdelete(plan->files[i], &plan->by_path, by_path);
                planned_free(plan->files[i]);
        }
        free(plan->files);
        memset(plan, 0, sizeof(*plan));
}

static struct planned *planned_find(const struct plan *plan, const char *path) {
        const struct planned like = { .path = (char *)(uintptr_t)path };
        void *found = tfind(&like, &plan->by_path, by_path);

        return found ? *(struct planned **)found : NULL;
}

/* the file of that name, new when there is none yet; NULL when out of memory */
static struct planned *planned_get(struct plan *plan, const char *path, const char *source,
                                   size_t chosen) {
        struct planned *file = planned_find(plan, path);

        if (file)
                return file;
        if (ARRAY_RESERVE(&plan->files, plan->count, &plan->capacity) < 0)
                return NULL;
        file = calloc(1, sizeof(*file));
        if (!file)
                return NULL;
        file->path = strdup(path);
        file->source = strdup(source);
        file->chosen = chosen;
        if (!file->path || !file->source || !tsearch(file, &plan->by_path, by_path)) {
                planned_free(file);
                return NULL;
        }
        plan->files[plan->count++] = file;
        return file;
}

/* ---- where to read ---- */

struct place {
        struct run *run;
        const char *path;
        char *in_copy;
};

static int take_place(void *userdata, const struct vss_volume *volume, const char *provider,
                      const char *refusal) {
        struct place *place = userdata;

        for (size_t i = 0; !place->in_copy && i < place->run->copy_count; i++) {
                const struct vss_snapshot_prop *prop = &place->run->copies[i].prop;
                size_t skip = strlen(volume->mount_point);

                if (!prop->device_object || strcmp(prop->original_volume, volume->id) != 0)
                        continue;
                while (skip > 0 && volume->mount_point[skip - 1] == '/')
                        skip--;
                if (asprintf(&place->in_copy, "%s%s", prop->device_object, place->path + skip) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* the volume of what may not be there is that of the nearest folder that is */
static int resolve(struct run *run, const char *path, bool below, vss_volume_sink_t sink,
                   void *userdata, struct vss_error *reterr) {
        _cleanup_free_ char *there = strdup(path);
        struct stat st;

        while (there && lstat(there, &st) < 0 && there[1]) {
                char *slash = strrchr(there, '/');

                slash[slash == there] = '\0';
        }
        return !there ? -ENOMEM
                      : vss_backup_components_resolve_path(run->bc, there, below, sink, userdata,
                                                           reterr);
}

bool find_in_copy(struct run *run, const char *path, char **ret) {
        struct place place = { .run = run, .path = path };

        if (run->copy_count == 0 || resolve(run, path, false, take_place, &place, NULL) < 0) {
                free(place.in_copy);
                return false;
        }
        *ret = place.in_copy;
        return place.in_copy != NULL;
}

/* ---- members ---- */

static const struct vss_examine_writer_metadata *metadata_of(struct run *run,
                                                             const struct chosen *chosen) {
        struct vss_examine_writer_metadata *metadata;
        size_t count = 0;

        (void)vss_backup_components_get_writer_metadata_count(run->bc, &count, NULL);
        for (size_t i = 0; i < count; i++) {
                struct vss_id instance;

                if (vss_backup_components_get_writer_metadata(run->bc, i, &instance, &metadata,
                                                              NULL) >= 0 &&
                    vss_id_equal(&instance, &chosen->instance))
                        return metadata;
        }
        return NULL;
}

static bool same(const char *a, const char *b) {
        return strcmp(a ? a : "", b ? b : "") == 0;
}

static int each_file_set(const struct vss_wm_component *component, uint32_t schema, member_t sink,
                         void *userdata) {
        struct vss_component_info info;
        int r = 0;

        vss_wm_component_get_component_info(component, &info);
        for (size_t i = 0; r >= 0 && i < info.file_count; i++)
                r = sink(userdata, vss_wm_component_get_file(component, i), schema);
        for (size_t i = 0; r >= 0 && i < info.database_count; i++)
                r = sink(userdata, vss_wm_component_get_database_file(component, i), schema);
        for (size_t i = 0; r >= 0 && i < info.log_file_count; i++)
                r = sink(userdata, vss_wm_component_get_database_log_file(component, i), schema);
        return r;
}

int each_member(struct run *run, const struct chosen *chosen, member_t sink, void *userdata) {
        const struct vss_examine_writer_metadata *metadata = metadata_of(run, chosen);
        size_t count = 0, top = SIZE_MAX;
        uint32_t schema;
        int r = 0;

        if (!metadata)
                return 0;
        schema = vss_examine_writer_metadata_get_backup_schema(metadata);
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; top == SIZE_MAX && i < count; i++) {
                struct vss_component_info info;

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                if (same(info.name, chosen->key.name) &&
                    same(info.logical_path, chosen->key.logical_path))
                        top = i;
        }
        for (size_t i = 0; r >= 0 && top != SIZE_MAX && i < count; i++)
                if (i == top || vss_examine_writer_metadata_is_below(metadata, i, top))
                        r = each_file_set(vss_examine_writer_metadata_get_component(metadata, i),
                                          schema, sink, userdata);
        return r;
}

bool needs_volume(struct run *run, const struct vss_wm_filedesc *file, uint32_t schema) {
        uint32_t type = vss_effective_backup_type(run->type, schema);
        uint32_t mask = vss_wm_filedesc_get_backup_type_mask(file);

        return vss_file_set_needs_snapshot(mask, type) &&
               (vss_file_set_is_required(mask, type) ||
                (schema & (VSS_BS_LAST_MODIFY | VSS_BS_TIMESTAMPED)));
}

/* ---- one component ---- */

struct planning {
        struct run *run;
        struct plan *plan;
        struct chosen *chosen;
        size_t index; /* of @chosen */
        uint32_t type; /* effective */
        struct vss_error *reterr;
};

static void complain(struct planning *p, const char *path, const char *words) {
        p->chosen->failed++;
        say_begin("trouble");
        say_text("component", p->chosen->key.name);
        say_text("path", path);
        say_text("message", words);
        say_end();
}

/* one pattern in one folder, and what is done with each file that fits */
struct search {
        struct planning *planning;
        const char *filespec;
        bool recursive, from_copy;
        bool by_entry; /* of a differenced entry, which decides by @since */
        vss_timestamp_t since;
        size_t found;
};

/* I-102, I-103; in other types the time does not count (I-108) */
static bool qualifies(const struct search *s, const char *path, const struct stat *st) {
        const struct base *base = s->planning->plan->base;
        vss_timestamp_t written =
                vss_timestamp_from_unix(st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec);
        vss_timestamp_t changed =
                vss_timestamp_from_unix(st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec);
        vss_timestamp_t since = s->since ? s->since : base ? base->time : 0;

        if (!s->by_entry ||
            (s->planning->type != VSS_BT_INCREMENTAL && s->planning->type != VSS_BT_DIFFERENTIAL))
                return true;
        if (!s->since &&
            (!base || !tfind(path, &base->names, (int (*)(const void *, const void *))strcmp)))
                return true;
        return written >= since || changed >= since;
}

static int take_file(struct search *s, const char *source, const char *path,
                     const struct stat *st) {
        struct planning *p = s->planning;
        bool known = planned_find(p->plan, path) != NULL;
        struct planned *file = planned_get(p->plan, path, source, p->index);

        if (!file)
                return -ENOMEM;
        s->found++;
        file->from_copy = s->from_copy;
        if (!known || s->by_entry) /* what an entry decided stays (I-136, I-137) */
                file->decision = qualifies(s, path, st) ? WHOLE : SKIP;
        return 0;
}

static int search_folder(struct search *s, const char *source, const char *path) {
        _cleanup_closedir_ DIR *folder = opendir(source);
        struct dirent *entry;
        int r = 0;

        while (r >= 0 && folder && (entry = readdir(folder))) {
                _cleanup_free_ char *below = path_join(source, entry->d_name);
                _cleanup_free_ char *name = path_join(path, entry->d_name);
                struct stat st;

                if (!below || !name)
                        return -ENOMEM;
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                    lstat(below, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode) && s->recursive)
                        r = search_folder(s, below, name);
                else if (!S_ISDIR(st.st_mode) && vss_filespec_matches(s->filespec, entry->d_name))
                        r = take_file(s, below, name, &st);
        }
        return r;
}

/* volumes mounted below a recursive set are read from copies of their own (B-151) */
struct below {
        struct search *search;
        const char *read, *path;
};

static int search_below(void *userdata, const struct vss_volume *volume, const char *provider,
                        const char *refusal) {
        const struct below *b = userdata;
        _cleanup_free_ char *in_copy = NULL, *path = NULL;

        if (strcmp(volume->mount_point, b->read) == 0 ||
            !path_is_below(volume->mount_point, b->read) ||
            !find_in_copy(b->search->planning->run, volume->mount_point, &in_copy))
                return 0;
        path = path_join(b->path, volume->mount_point + strlen(b->read) + 1);
        return path ? search_folder(b->search, in_copy, path) : -ENOMEM;
}

/* @read: alternate path, or @path; @snapshot: S(t) of the file set */
static int search(struct search *s, const char *read, const char *path, bool snapshot) {
        struct planning *p = s->planning;
        struct below below = { s, read, path };
        _cleanup_free_ char *in_copy = NULL;
        int r;

        s->from_copy = find_in_copy(p->run, read, &in_copy);
        if (snapshot && !s->from_copy) {
                complain(p, read, "must be read from a shadow copy, but its volume is in none");
                return 0;
        }
        r = search_folder(s, in_copy ? in_copy : read, path);
        if (r >= 0 && s->recursive && s->from_copy)
                r = resolve(p->run, read, true, search_below, &below, NULL);
        return r == -ENOMEM ? r : 0;
}

/* ---- entries ---- */

struct lookup {
        const char *path, *filespec;
        bool recursive, exact;
        const struct vss_wm_filedesc *found;
};

static int look_up(void *userdata, const struct vss_wm_filedesc *file, uint32_t schema) {
        struct lookup *l = userdata;
        bool recursive = vss_wm_filedesc_get_recursive(file);
        const char *path = vss_wm_filedesc_get_path(file),
                   *spec = vss_wm_filedesc_get_filespec(file);

        if (l->exact && recursive == l->recursive && strcmp(path, l->path) == 0 &&
            strcmp(spec, l->filespec) == 0)
                l->found = file;
        if (!l->exact && vss_filespec_matches(spec, l->filespec) &&
            (recursive ? path_is_below(l->path, path) : strcmp(path, l->path) == 0))
                l->found = file;
        return 0;
}

static int plan_differenced(struct planning *p, const struct vss_component *entry, size_t index) {
        struct lookup l = { .exact = true };
        struct search s = { .planning = p, .by_entry = true };
        const char *alternate;
        bool snapshot;

        (void)vss_component_get_differenced_file(entry, index, &l.path, &l.filespec, &l.recursive,
                                                 &s.since);
        (void)each_member(p->run, p->chosen, look_up, &l);
        alternate = l.found ? vss_wm_filedesc_get_alternate_location(l.found) : NULL;
        /* a new file must lie on a volume of the set (I-106, I-112) */
        snapshot = !l.found || vss_file_set_needs_snapshot(
                                       vss_wm_filedesc_get_backup_type_mask(l.found), p->type);
        s.filespec = l.filespec;
        s.recursive = l.recursive;
        return search(&s, alternate ? alternate : l.path, l.path, snapshot);
}

static int add_ranges(struct planning *p, struct planned *file, const char *text) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const char *ranges_file;
        int r = ranges_parse(text, &file->ranges, &ranges_file, &error);

        if (r >= 0 && ranges_file)
                r = ranges_read_file(AT_FDCWD, ranges_file, &file->ranges, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                complain(p, file->path, vss_error_message(&error));
        ranges_normalize(&file->ranges);
        return 0;
}

static int plan_partial(struct planning *p, const struct vss_component *entry, size_t index) {
        _cleanup_free_ char *path = NULL, *read = NULL, *in_copy = NULL;
        const char *ranges, *metadata, *alternate;
        struct lookup l = { .exact = false };
        struct planned *file;
        bool snapshot;

        (void)vss_component_get_partial_file(entry, index, &l.path, &l.filespec, &ranges,
                                             &metadata);
        (void)each_member(p->run, p->chosen, look_up, &l);
        alternate = l.found ? vss_wm_filedesc_get_alternate_location(l.found) : NULL;
        snapshot = !l.found || vss_file_set_needs_snapshot(
                                       vss_wm_filedesc_get_backup_type_mask(l.found), p->type);
        path = path_join(l.path, l.filespec);
        read = path_join(alternate ? alternate : l.path, l.filespec);
        if (!path || !read)
                return -ENOMEM;
        file = planned_find(p->plan, path);
        if (file && file->decision != RANGES) {
                complain(p, path, "the writer names it as differenced and as partial (I-138)");
                p->chosen->failed--; /* saved all the same, as the differenced entry says */
                return 0;
        }
        if (!find_in_copy(p->run, read, &in_copy) && snapshot) {
                complain(p, read,
                         "a partial file must be read from a shadow copy, but its volume "
                         "is in none");
                return 0;
        }
        file = planned_get(p->plan, path, in_copy ? in_copy : read, p->index);
        if (!file)
                return -ENOMEM;
        file->decision = RANGES;
        file->from_copy = in_copy != NULL;
        return add_ranges(p, file, ranges);
}

/* ---- masks ---- */

struct done_sets {
        struct planning *planning;
        const struct vss_component *entry;
};

static bool is_differenced(const struct vss_component *entry, const struct vss_wm_filedesc *file) {
        for (size_t i = 0; entry && i < vss_component_get_differenced_files_count(entry); i++) {
                const char *path, *spec;
                bool recursive;

                (void)vss_component_get_differenced_file(entry, i, &path, &spec, &recursive, NULL);
                if (recursive == vss_wm_filedesc_get_recursive(file) &&
                    strcmp(path, vss_wm_filedesc_get_path(file)) == 0 &&
                    strcmp(spec, vss_wm_filedesc_get_filespec(file)) == 0)
                        return true;
        }
        return false;
}

static int plan_set(void *userdata, const struct vss_wm_filedesc *file, uint32_t schema) {
        const struct done_sets *d = userdata;
        uint32_t mask = vss_wm_filedesc_get_backup_type_mask(file), type = d->planning->type;
        struct search s = { .planning = d->planning,
                            .filespec = vss_wm_filedesc_get_filespec(file),
                            .recursive = vss_wm_filedesc_get_recursive(file) };
        const char *path = vss_wm_filedesc_get_path(file);
        const char *alternate = vss_wm_filedesc_get_alternate_location(file);
        size_t failed = d->planning->chosen->failed;
        int r;

        if (!vss_file_set_is_required(mask, type) || is_differenced(d->entry, file))
                return 0;
        r = search(&s, alternate ? alternate : path, path, vss_file_set_needs_snapshot(mask, type));
        if (r >= 0 && s.found == 0 && d->planning->chosen->failed == failed &&
            !strpbrk(s.filespec, "*?"))
                complain(d->planning, path, "a file named without wildcards is not there (M-43)");
        return r;
}

/* I-134, I-135: the writer's exclusions go by the normal path and always win */
static void drop_excluded(struct planning *p) {
        const struct vss_examine_writer_metadata *metadata = metadata_of(p->run, p->chosen);
        size_t count = 0;

        if (metadata)
                vss_examine_writer_metadata_get_file_counts(metadata, NULL, &count, NULL);
        for (size_t i = 0; i < p->plan->count; i++) {
                struct planned *file = p->plan->files[i];
                const char *name = strrchr(file->path, '/') + 1;
                _cleanup_free_ char *folder = strndup(file->path, (size_t)(name - file->path - 1));
                struct lookup l = { .path = folder, .filespec = name };

                for (size_t j = 0; file->chosen == p->index && folder && j < count; j++)
                        (void)look_up(&l, vss_examine_writer_metadata_get_exclude_file(metadata, j),
                                      0);
                if (l.found)
                        file->decision = SKIP;
        }
}

static int plan_component(struct planning *p) {
        const struct vss_examine_writer_metadata *metadata = metadata_of(p->run, p->chosen);
        const struct vss_component *entry = entry_of(p->run, p->chosen);
        struct done_sets d = { p, entry };
        int r = 0;

        if (!metadata)
                return 0;
        p->type = vss_effective_backup_type(
                p->run->type, vss_examine_writer_metadata_get_backup_schema(metadata));
        for (size_t i = 0; r >= 0 && entry && i < vss_component_get_differenced_files_count(entry);
             i++)
                r = plan_differenced(p, entry, i);
        for (size_t i = 0; r >= 0 && entry && i < vss_component_get_partial_file_count(entry); i++)
                r = plan_partial(p, entry, i);
        if (r >= 0)
                r = each_member(p->run, p->chosen, plan_set, &d);
        drop_excluded(p);
        return r;
}

int plan_make(struct run *run, struct plan *plan, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++) {
                struct planning p = {
                        .run = run, .plan = plan, .chosen = &run->chosen[i], .index = i
                };

                p.chosen->failed = 0;
                p.chosen->done = true;
                r = plan_component(&p);
        }
        return r;
}
