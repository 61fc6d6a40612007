/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sources.c - an item of the plan as sources for the engine: where the copy is, what is excluded,
 * and what belongs to somebody else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backup/delta.h"
#include "backup/job.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"

DEFINE_CLEANUP(struct coverage_map *, job_coverage_free)

/* ---- what the engine asks about each name ---- */

struct deciding {
        const struct job *job;
        const struct plan_item *item;
        const struct coverage_map *map; /* own paths */
        const char *volume; /* mount point of the volume that is read */
        const char *original; /* the same where no copy is read, else NULL */
};

/* excluded_by() - an exclusion: "/folder/pattern" names what lies there and below; a pattern
 * without a separator fits a name anywhere */
static bool excluded_by(const char *exclusion, const char *path) {
        const char *last = strrchr(exclusion, '/');
        const char *name = strrchr(path, '/') + 1;
        size_t folder;

        if (!last)
                return vss_filespec_matches(exclusion, name);
        folder = (size_t)(last - exclusion);
        return strncmp(path, exclusion, folder) == 0 && path[folder] == '/' &&
               strchr(path + folder + 1, '/') == NULL &&
               vss_filespec_matches(last + 1, path + folder + 1);
}

/* B-146, I-134, I-135: the writer's exclusions win over its own file sets and entries; B-47 by
 * the original path */
static bool writer_excludes(const struct chosen_writer *writer, const char *path) {
        const char *name = strrchr(path, '/') + 1;
        size_t count, folder = (size_t)(name - path) - 1;

        vss_examine_writer_metadata_get_file_counts(writer->metadata, NULL, &count, NULL);
        for (size_t i = 0; i < count; i++) {
                const struct vss_wm_filedesc *e =
                        vss_examine_writer_metadata_get_exclude_file(writer->metadata, i);
                _cleanup_free_ char *base = job_trimmed(vss_wm_filedesc_get_path(e));
                bool inside;

                if (!base)
                        continue;
                inside = vss_wm_filedesc_get_recursive(e)
                                 ? path_is_below(path, base) && strcmp(path, base) != 0
                                 : strlen(base) == folder && strncmp(base, path, folder) == 0;
                if (inside && vss_filespec_matches(vss_wm_filedesc_get_filespec(e), name))
                        return true;
        }
        return false;
}

/* of_one_component() - what another component says of its files takes nothing from this one */
static bool of_one_component(const struct deciding *d, const struct plan_item *other) {
        const struct chosen_component *components;

        if (d->item->writer == PLAN_OWN || d->item->writer != other->writer)
                return false;
        components = d->job->selection.writers[other->writer].components;
        return components[d->item->component].defining == components[other->component].defining;
}

/* taken_alone() - a partial file is not copied by the file set around it (I-127), a ranges file by
 * nobody else (I-128) */
static bool taken_alone(const struct deciding *d, const char *path) {
        const struct plan *plan = &d->job->plan;
        const char *name = strrchr(path, '/') + 1;
        size_t folder = (size_t)(name - path) - 1;

        if (plan_takes_alone(d->item))
                return false;
        for (size_t i = 0; plan->single_count > 0 && i < plan->count; i++) {
                const struct plan_item *item = &plan->items[i];
                size_t n = strlen(item->path);

                while (n > 0 && item->path[n - 1] == '/')
                        n--;
                if (plan_takes_alone(item) && n == folder && strncmp(item->path, path, n) == 0 &&
                    strcmp(item->filespec, name) == 0 &&
                    (of_one_component(d, item) || (item->live && d->item->writer == PLAN_OWN)))
                        return true;
        }
        return false;
}

static enum source_verdict decide_own(const struct deciding *d, const char *path,
                                      bool is_directory) {
        const struct job *job = d->job;

        if (job->request->store && path_is_below(path, job->request->store))
                return SOURCE_LEAVE_OUT; /* a backup never contains itself */
        for (char *const *e = job->request->what->excludes; *e; e++)
                if (excluded_by(*e, path))
                        return SOURCE_LEAVE_OUT;
        return job_coverage_has(d->map, path, is_directory) ||
                               (!is_directory && taken_alone(d, path))
                       ? SOURCE_ELSEWHERE
                       : SOURCE_TAKE;
}

static bool is_other_volume(const struct deciding *d, const char *path) {
        const struct used_volumes *volumes = &d->job->volumes;

        for (size_t i = 0; i < volumes->count; i++)
                if (strcmp(volumes->items[i].mount_point, path) == 0 &&
                    strcmp(d->volume, path) != 0)
                        return true;
        return false;
}

/* machine_leaves_out() - B-148: nobody's backup has it, whoever declared it */
static bool machine_leaves_out(const struct deciding *d, const char *path, bool is_directory) {
        const struct used_volume *v = volumes_find(&d->job->volumes, path);
        const char *volume = d->original ? d->original : v ? v->mount_point : d->volume;

        return not_to_backup_has(d->job->left_out, path, is_directory, volume);
}

static enum source_verdict decide(void *userdata, const char *path, bool is_directory) {
        const struct deciding *d = userdata;

        if (is_directory && is_other_volume(d, path))
                return SOURCE_ELSEWHERE;
        if (machine_leaves_out(d, path, is_directory))
                return SOURCE_LEAVE_OUT;
        if (d->item->writer == PLAN_OWN)
                return decide_own(d, path, is_directory);
        if (writer_excludes(&d->job->selection.writers[d->item->writer], path))
                return is_directory ? SOURCE_TAKE : SOURCE_LEAVE_OUT;
        return !is_directory && taken_alone(d, path) ? SOURCE_ELSEWHERE : SOURCE_TAKE;
}

int job_own_names_init(struct own_names *own, const struct job *job) {
        const struct plan *plan = &job->plan;

        *own = (struct own_names){ .job = job };
        while (own->first < plan->count && plan->items[own->first].writer != PLAN_OWN)
                own->first++;
        for (own->end = own->first; own->end < plan->count; own->end++)
                if (plan->items[own->end].writer != PLAN_OWN)
                        break;
        return job_coverage_new(job, &own->map);
}

bool job_is_own(void *userdata, const char *path, bool is_directory) {
        const struct own_names *own = userdata;
        const struct used_volume *volume = volumes_find(&own->job->volumes, path);

        for (size_t i = own->first; volume && i < own->end; i++) {
                const struct plan_item *item = &own->job->plan.items[i];
                const struct deciding deciding = { .job = own->job,
                                                   .item = item,
                                                   .map = own->map,
                                                   .volume = volume->mount_point };

                if (path_is_below(path, item->path) &&
                    decide((void *)(uintptr_t)&deciding, path, is_directory) == SOURCE_TAKE)
                        return true;
        }
        return false;
}

/* ---- running an item ---- */

struct watching {
        struct job *job;
        const struct plan_item *item;
};

static int watch_progress(void *userdata, uint64_t entries, uint64_t bytes, const char *path) {
        const struct watching *w = userdata;

        return w->job->watch->progress
                       ? w->job->watch->progress(w->job->watch->userdata, entries, bytes, path)
                       : 0;
}

static void mark_failed(struct job *job, uint32_t component) {
        job->item_failed = true;
        if (component == 0)
                job->own_failed = true;
        for (size_t i = 0; i < job->component_count; i++)
                if (component && job->components[i].index == component)
                        job->components[i].failed = true;
}

static void watch_trouble(void *userdata, uint32_t component, const char *path, int code,
                          const char *words) {
        const struct watching *w = userdata;
        const struct plan_item *item = w->item;
        const char *name = item->writer == PLAN_OWN ? ""
                                                    : w->job->selection.writers[item->writer]
                                                              .components[item->component]
                                                              .full_path;

        mark_failed(w->job, component);
        if (code == -ERANGE && item->decision == DECIDE_RANGES)
                w->job->item_rule = "I-121";
        else if (code == -ENOENT && item->must_exist)
                w->job->item_rule = "M-43";
        if (w->job->watch->trouble)
                w->job->watch->trouble(w->job->watch->userdata, name, path, code, words);
}

static int read_ranges(const struct plan_item *item, struct ranges *ret, struct vss_error *reterr) {
        for (size_t i = 0; i < item->ranges_count; i++) {
                const char *file;
                int r = ranges_parse(item->ranges[i], ret, &file, reterr);

                if (r >= 0 && file) /* I-128: from the running system */
                        r = ranges_read_file(AT_FDCWD, file, ret, reterr);
                if (r < 0)
                        return r;
        }
        ranges_normalize(ret);
        return 0;
}

static enum source_pick pick_of(enum decision decision) {
        switch (decision) {
        case DECIDE_COMPARE:
                return SOURCE_COMPARE;
        case DECIDE_SINCE:
                return SOURCE_SINCE;
        case DECIDE_RANGES:
                return SOURCE_RANGES;
        case DECIDE_WHOLE:
        case DECIDE_SKIP:
        case DECIDE_MAX:
                break;
        }
        return SOURCE_WHOLE;
}

static const char *below(const char *path, const char *ancestor) {
        const char *p = path + strlen(ancestor);

        while (*p == '/')
                p++;
        return p;
}

/* is_taken() - would the walk have come to @path and taken it? */
static bool is_taken(const struct source *source, const struct deciding *deciding,
                     const char *path) {
        _cleanup_free_ char *part = strdup(path);
        size_t top = strlen(source->path);

        if (!part || !path_is_below(path, source->path))
                return part != NULL ? false : true;
        if (source->filespec && !vss_filespec_matches(source->filespec, strrchr(path, '/') + 1))
                return false;
        if (source->filespec && !source->recursive && strchr(path + top + 1, '/'))
                return false;
        for (char *p = part + top; *p && (p = strchr(p + 1, '/'));) {
                *p = '\0';
                if (decide((void *)(uintptr_t)deciding, part, true) != SOURCE_TAKE)
                        return false;
                *p = '/';
        }
        return decide((void *)(uintptr_t)deciding, path, false) == SOURCE_TAKE;
}

/* original_path() - where a name that was read at @path belongs; NULL when out of memory */
static char *original_path(const struct plan_item *item, const char *path) {
        const char *rest;

        if (!item->alternate || !path_is_below(path, item->alternate))
                return strdup(path);
        rest = below(path, item->alternate);
        return *rest ? path_join(item->path, rest) : strdup(item->path);
}

/* report_missing() - what the copy lacks is not in the backup, and its component says so (B-153) */
static int report_missing(struct job *job, const struct plan_item *item,
                          const struct source *source, const struct deciding *deciding,
                          const struct used_volume *volume) {
        struct watching watching = { job, item };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < volume->missing_count; i++) {
                const struct missing_name *m = &volume->missing[i];
                _cleanup_free_ char *path = original_path(item, m->path);

                char words[128];

                if (!path)
                        return -ENOMEM;
                snprintf(words, sizeof(words), "it could not be read for the shadow copy: %s",
                         strerror(-m->code));
                /* a folder on the way to the source is missing: all of it is */
                if (!path_is_below(plan_reads(item), m->path) && !is_taken(source, deciding, path))
                        continue;
                watch_trouble(&watching, source->component, path, m->code, words);
                r = op_component_failed(job->operation, source->component,
                                        "the shadow copy lacks a file that could not be read");
        }
        return r;
}

static int run_ranges(struct job *job, const struct plan_item *item, struct source *source,
                      const struct engine_watch *watch, struct vss_error *reterr) {
        struct ranges ranges = { 0 };
        int r;

        if (source->decide(source->userdata, source->path, false) == SOURCE_LEAVE_OUT) {
                selection_note(&job->selection,
                               "writer '%s' names '%s' as partial file, which is left out of "
                               "backups: it is not saved (I-134)",
                               job->selection.writers[item->writer].identity.name, source->path);
                job->item_left_out = true;
                return 0;
        }
        r = read_ranges(item, &ranges, reterr);
        if (r < 0 && r != -ENOMEM)
                r = E_INVALIDARG; /* whatever is wrong with what the writer named is its component's
                                   */
        /* same two fields; the engine knows nothing of ranges as text */
        source->ranges = (const struct byte_range *)(const void *)ranges.items;
        source->ranges_count = ranges.count;
        if (r >= 0)
                r = op_run(job->operation, source, watch, reterr);
        ranges_done(&ranges);
        return r;
}

/* leaves_out_name() - the one file of an item is left out: it need not be there either (M-26) */
static bool leaves_out_name(const struct plan_item *item, const struct deciding *deciding) {
        _cleanup_free_ char *path =
                item->filespec ? path_join(item->path, item->filespec) : strdup(item->path);

        return path && decide((void *)(uintptr_t)deciding, path, false) == SOURCE_LEAVE_OUT;
}

static int run_source(struct job *job, const struct plan_item *item, struct source *source,
                      struct deciding *deciding, struct vss_error *reterr) {
        struct watching watching = { job, item };
        const struct engine_watch watch = { &watching, watch_progress, watch_trouble };
        const struct changed_path *changed;
        size_t count;

        source->pick = pick_of(item->decision);
        source->since = item->since;
        source->may_be_absent = !item->must_exist || leaves_out_name(item, deciding);
        source->decide = decide;
        source->userdata = deciding;
        if (item->decision == DECIDE_RANGES)
                return run_ranges(job, item, source, &watch, reterr);
        if (source->pick == SOURCE_COMPARE && !deciding->original &&
            delta_of_source(job, item, deciding->volume, source->path, &changed, &count))
                return op_run_changed(job->operation, source, changed, count, &watch, reterr);
        return op_run(job->operation, source, &watch, reterr);
}

static bool copy_has(const struct used_volume *volume, const char *path) {
        for (size_t i = 0; i < volume->path_count; i++)
                if (path_is_below(path, volume->paths[i]))
                        return true;
        return false;
}

/* mount_point_of() - up to where the device changes; what is read without a copy was never
 * resolved by the service */
static char *mount_point_of(const char *path) {
        char *top = strdup(path);
        struct stat here, above;

        while (top && stat(top, &here) < 0 && strcmp(top, "/") != 0) {
                char *slash = strrchr(top, '/');

                slash[slash == top] = '\0';
        }
        while (top && strcmp(top, "/") != 0) {
                char *slash = strrchr(top, '/');
                _cleanup_free_ char *parent =
                        slash == top ? strdup("/") : strndup(top, (size_t)(slash - top));

                if (!parent || stat(parent, &above) < 0 || above.st_dev != here.st_dev)
                        return top;
                memcpy(top, parent, strlen(parent) + 1);
        }
        return top;
}

static int run_on_original(struct job *job, const struct plan_item *item, uint32_t component,
                           struct vss_error *reterr) {
        _cleanup_close_ int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *mount_point = mount_point_of(item->path);
        struct deciding deciding = {
                .job = job, .item = item, .volume = "", .original = mount_point
        };
        struct source source = { .component = component,
                                 .path = item->path,
                                 .root_fd = root,
                                 .filespec = item->filespec,
                                 .recursive = item->recursive,
                                 .follow = true,
                                 .names_only_change_with_ctime = true };

        if (root < 0)
                return -errno;
        if (!mount_point)
                return -ENOMEM;
        source.read_path = below(plan_reads(item), "/");
        return run_source(job, item, &source, &deciding, reterr);
}

/* is_left_out() - a mount point, or a folder on the way to it from the item's */
static bool is_left_out(const struct deciding *deciding, const char *from, const char *path) {
        _cleanup_free_ char *part = strdup(path);
        char *rest = part ? part + (strcmp(from, "/") == 0 ? 0 : strlen(from)) : NULL;

        for (char *slash = rest; slash && (slash = strchr(slash + 1, '/'));) {
                enum source_verdict verdict;

                *slash = '\0';
                verdict = decide((void *)(uintptr_t)deciding, part, true);
                *slash = '/';
                if (verdict == SOURCE_LEAVE_OUT)
                        return true;
        }
        return decide((void *)(uintptr_t)deciding, path, true) == SOURCE_LEAVE_OUT;
}

/* run_nested() - the volumes mounted or nested below a recursive item (B-151) */
static int run_nested(struct job *job, const struct plan_item *item, struct deciding *deciding,
                      uint32_t component, struct vss_error *reterr) {
        const char *top = plan_reads(item);

        for (size_t i = 0; item->recursive && i < job->volumes.count; i++) {
                const struct used_volume *v = &job->volumes.items[i];
                _cleanup_free_ char *path = NULL;
                struct source source = { .component = component,
                                         .root_fd = v->copy_fd,
                                         .read_path = "",
                                         .filespec = item->filespec,
                                         .recursive = true,
                                         .names_only_change_with_ctime = v->preserves_inodes,
                                         .unchanging = true };
                int r;

                if (strcmp(v->mount_point, top) == 0 || !path_is_below(v->mount_point, top))
                        continue;
                path = item->alternate ? path_join(item->path, below(v->mount_point, top))
                                       : strdup(v->mount_point);
                if (!path)
                        return -ENOMEM;
                source.path = path;
                deciding->volume = v->mount_point;
                if (is_left_out(deciding, item->path, path))
                        continue;
                r = run_source(job, item, &source, deciding, reterr);
                if (r >= 0)
                        r = report_missing(job, item, &source, deciding, v);
                if (r < 0)
                        return r;
        }
        return 0;
}

bool job_reads_copy(const struct job *job, const struct plan_item *item) {
        const struct used_volume *v = volumes_find(&job->volumes, plan_reads(item));
        _cleanup_free_ char *file = NULL;

        if (item->live || item->from_snapshot)
                return !item->live;
        if (plan_takes_alone(item) && item->filespec) /* as it stands in the plan */
                file = path_join(plan_reads(item), item->filespec);
        /* I-84: read the original only where there is no copy */
        return v && copy_has(v, file ? file : plan_reads(item));
}

/* is_reached() - does the walk of the own path @from come to @path, which lies below it? In doubt
 * not: then it is read twice, which costs room only */
static bool is_reached(struct own_names *own, const char *from, const char *path) {
        _cleanup_free_ char *part = strdup(path);
        char *rest = part ? part + (strcmp(from, "/") == 0 ? 0 : strlen(from)) : NULL;

        if (!rest || !job_is_own(own, path, true) || !job_is_own(own, path, false) ||
            strstr(rest, "/.vss"))
                return false;
        for (char *slash = *rest ? strchr(rest + 1, '/') : NULL; slash;
             slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (!job_is_own(own, part, true))
                        return false;
                *slash = '/';
        }
        return true;
}

/* is_repeated() - an own path that another one takes along is read there: '/ /home', say. One that
 * the copy lacks is told as before */
static bool is_repeated(const struct job *job, const struct plan_item *item,
                        const struct source *source) {
        struct own_names own;
        bool repeated = false;

        if (item->writer != PLAN_OWN || item->live ||
            faccessat(source->root_fd, *source->read_path ? source->read_path : ".", F_OK,
                      AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if (job_own_names_init(&own, job) < 0)
                return false;
        for (size_t i = own.first; i < own.end && !repeated; i++) {
                const struct plan_item *other = &job->plan.items[i];
                bool same = strcmp(other->path, item->path) == 0;

                repeated = other->recursive && path_is_below(item->path, other->path) &&
                           (same ? other < item : is_reached(&own, other->path, item->path));
        }
        job_coverage_free(own.map);
        return repeated;
}

/* run_whole_item() - an item whose paths are those to read */
static int run_whole_item(struct job *job, const struct plan_item *item, uint32_t component,
                          struct vss_error *reterr) {
        _cleanup_(job_coverage_freep) struct coverage_map *map = NULL;
        const struct used_volume *v = volumes_find(&job->volumes, plan_reads(item));
        struct deciding deciding = { .job = job, .item = item };
        struct source source = { .component = component,
                                 .path = item->path,
                                 .filespec = item->filespec,
                                 .recursive = item->recursive };
        int r = 0;

        if (!job_reads_copy(job, item))
                return run_on_original(job, item, component, reterr);
        if (!v)
                return vss_fail(reterr, VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT,
                                "'%s' lies on no volume of the shadow copy set (I-101)",
                                plan_reads(item));
        if (item->writer == PLAN_OWN)
                r = job_coverage_new(job, &map);
        if (r < 0)
                return r;
        deciding.map = map;
        deciding.volume = v->mount_point;
        source.root_fd = v->copy_fd;
        source.read_path = below(plan_reads(item), v->mount_point);
        source.names_only_change_with_ctime = v->preserves_inodes;
        source.unchanging = true;
        if (is_repeated(job, item, &source))
                return 0;
        r = run_source(job, item, &source, &deciding, reterr);
        if (r >= 0)
                r = report_missing(job, item, &source, &deciding, v);
        return r < 0 ? r : run_nested(job, item, &deciding, component, reterr);
}

int job_run_item(struct job *job, const struct plan_item *item, uint32_t component,
                 struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL, *alternate = NULL;
        struct plan_item file = *item;

        if (!plan_takes_alone(item))
                return run_whole_item(job, item, component, reterr);
        /* the plan keeps folder and name apart, as the writer does; the engine wants the file */
        path = path_join(item->path, item->filespec);
        alternate = item->alternate ? path_join(item->alternate, item->filespec) : NULL;
        if (!path || (item->alternate && !alternate))
                return -ENOMEM;
        file.path = path;
        file.alternate = alternate;
        file.filespec = NULL;
        return run_whole_item(job, &file, component, reterr);
}
