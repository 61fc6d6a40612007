/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-plan-files.c - see restore-plan.h: where one file goes when the course of its set is
 * known (restore-protocol section 8, first match wins).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "backup/restore-planning.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/ranges.h"

/* ---- lists of paths ---- */

static int compare_paths(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int path_list_add(struct path_list *list, const char *folder, const char *name) {
        size_t size = strlen(folder);
        char *path;

        while (size > 0 && folder[size - 1] == '/')
                size--;
        if (ARRAY_RESERVE(&list->items, list->count, &list->capacity) < 0 ||
            asprintf(&path, "%.*s%s%s", (int)size, folder, name ? "/" : "", name ? name : "") < 0)
                return -ENOMEM;
        list->items[list->count++] = path;
        return 0;
}

static void path_list_sort(struct path_list *list) {
        size_t kept = 0;

        if (list->count > 1)
                qsort(list->items, list->count, sizeof(*list->items), compare_paths);
        for (size_t i = 0; i < list->count; i++)
                if (kept > 0 && strcmp(list->items[kept - 1], list->items[i]) == 0)
                        free(list->items[i]);
                else
                        list->items[kept++] = list->items[i];
        list->count = kept;
}

static bool path_list_has(const struct path_list *list, const char *path) {
        return list->count > 0 && bsearch(&path, list->items, list->count, sizeof(*list->items),
                                          compare_paths) != NULL;
}

static void path_list_done(struct path_list *list) {
        for (size_t i = 0; i < list->count; i++)
                free(list->items[i]);
        free(list->items);
        *list = (struct path_list){ 0 };
}

/* ---- what the component says ---- */

/* the file that holds the ranges is on the medium, too */
static int add_ranges_file(struct restore_plan *plan, const char *text, struct vss_error *reterr) {
        struct ranges ranges = { 0 };
        const char *file;
        int r = ranges_parse(text, &ranges, &file, reterr);

        ranges_done(&ranges);
        return r < 0 || !file ? r : path_list_add(&plan->ranges_files, file, NULL);
}

static int load_partial(struct restore_plan *plan, struct vss_error *reterr) {
        const struct vss_component *c = plan->input.component;
        const char *path, *name, *ranges;
        int r = 0;

        for (size_t i = 0;
             r >= 0 && vss_component_get_partial_file(c, i, &path, &name, &ranges, NULL) >= 0;
             i++) {
                r = path_list_add(&plan->partial, path, name);
                if (r >= 0)
                        r = add_ranges_file(plan, ranges, reterr);
        }
        path_list_sort(&plan->partial);
        path_list_sort(&plan->ranges_files);
        return r;
}

int plan_files_load(struct restore_plan *plan, struct vss_error *reterr) {
        struct vss_directed_target target;
        int r = plan->input.component ? load_partial(plan, reterr) : 0;

        for (size_t i = 0; r >= 0 && restore_plan_directed(plan, i, &target); i++)
                r = path_list_add(&plan->directed, target.source_path, target.source_filename);
        path_list_sort(&plan->directed);
        return r;
}

void plan_files_done(struct restore_plan *plan) {
        path_list_done(&plan->directed);
        path_list_done(&plan->partial);
        path_list_done(&plan->ranges_files);
        free(plan->place.text);
        free(plan->other.text);
        free(plan->first_unmapped);
        free(plan->mistake);
}

/* ---- the sets of a file ---- */

struct matched {
        struct planned_set *first; /* of those that belong to the set, in document order */
        struct planned_set *others[4]; /* more than one is a mistake already (M-45) */
        size_t others_count;
        struct planned_set *foreign; /* of another set, with a mapping (I-109) */
};

static void on_match(void *userdata, struct planned_set *set) {
        struct matched *m = userdata;

        if (!set->belongs) {
                if (set->mapped && (!m->foreign || set->order < m->foreign->order))
                        m->foreign = set;
                return;
        }
        if (m->first && m->others_count < ELEMENTSOF(m->others))
                m->others[m->others_count++] = set->order < m->first->order ? m->first : set;
        if (!m->first || set->order < m->first->order)
                m->first = set;
}

/* below() - R-91: only the root is another one; NULL: out of memory */
static const char *below(struct path_buffer *buffer, const struct planned_set *set,
                         const char *root, const char *path) {
        size_t size = strlen(root), need;

        while (size > 0 && root[size - 1] == '/')
                size--;
        need = size + strlen(path + set->size) + 2;
        if (need > buffer->capacity) {
                char *text = realloc(buffer->text, need * 2);

                if (!text)
                        return NULL;
                buffer->text = text;
                buffer->capacity = need * 2;
        }
        memcpy(buffer->text, root, size);
        strcpy(buffer->text + size, path + set->size);
        if (!*buffer->text)
                strcpy(buffer->text, "/");
        return buffer->text;
}

/* ---- one file ---- */

struct found {
        struct restore_destination to;
        struct matched matched;
        const char *root; /* where its set begins now, or NULL */
        bool ranges_file; /* in no file set: it stays where the component's entry names it */
};

static const char *root_of(const struct planned_set *set, enum restore_course course) {
        return set->new_target ? set->new_target : course == COURSE_MAPPED ? set->mapped : NULL;
}

static size_t index_of(const struct restore_plan *plan, const struct planned_set *set) {
        return set ? (size_t)(set - plan->sets.items) : RESTORE_NO_FILE_SET;
}

/* follow() - rows 5 to 11 */
static void follow(const struct restore_plan *plan, enum restore_course course, const char *path,
                   struct found *f) {
        struct planned_set *set = f->matched.first ? f->matched.first : NULL;

        f->to.rule = plan->file_rule;
        f->to.fate = course == COURSE_AT_BOOT ? FATE_AT_BOOT : FATE_ORIGINAL;
        if (course == COURSE_NOTHING) {
                f->to.fate = FATE_NOT;
                f->to.rule = "R-90";
        } else if (f->ranges_file) {
                f->to.fate = FATE_ORIGINAL;
                f->to.rule = "R-122";
        } else if (course == COURSE_MAPPED) {
                /* a file that the writer added itself may fit a mapping of another component
                 * (I-109), ranges of one may not (I-131) */
                if (!set && !path_list_has(&plan->partial, path))
                        set = f->matched.foreign;
                f->root = set ? set->mapped : NULL;
                f->to.fate = f->root ? FATE_MAPPED : FATE_NOT;
        }
}

static int find(struct restore_plan *plan, const char *path, enum entry_type type,
                enum restore_course course, struct found *f) {
        struct planned_set *set;

        *f = (struct found){ 0 };
        planned_sets_match(&plan->sets, path, type, on_match, &f->matched);
        set = f->matched.first;
        f->to.file_set = index_of(plan, set);
        f->ranges_file = !set && path_list_has(&plan->ranges_files, path);
        if (set ? !set->selected : plan->input.part_count > 0) {
                f->to.fate = FATE_NOT_SELECTED;
                f->to.rule = "R-80";
        } else if (course != COURSE_NOTHING && path_list_has(&plan->directed, path)) {
                f->to.fate = FATE_DIRECTED;
                f->to.rule = "R-81";
        } else if (course != COURSE_NOTHING && set && set->new_target) {
                f->to.fate = FATE_NEW_TARGET;
                f->to.rule = "R-82";
                f->root = set->new_target;
        } else
                follow(plan, course, path, f);
        if (f->root) {
                const struct planned_set *from = set ? set : f->matched.foreign;

                f->to.path = below(&plan->place, from, f->root, path);
                return f->to.path ? 0 : -ENOMEM;
        }
        if (f->to.fate == FATE_ORIGINAL || f->to.fate == FATE_AT_BOOT)
                f->to.path = path;
        return 0;
}

int restore_plan_destination(struct restore_plan *plan, const char *path, enum entry_type type,
                             struct restore_destination *ret) {
        struct found f;
        int r = find(plan, path, type, plan->verdict.course, &f);

        *ret = f.to;
        return r;
}

/* ---- while the destinations are looked at ---- */

/* sets that share a file must send it to one place */
static void check_others(struct restore_plan *plan, const char *path, const struct found *f) {
        for (size_t i = 0; i < f->matched.others_count && !plan->mistake; i++) {
                const struct planned_set *other = f->matched.others[i];
                const char *root = root_of(other, plan->looking);
                const char *there = root ? below(&plan->other, other, root, path) : path;

                if (!there || (f->to.path && strcmp(there, f->to.path) == 0))
                        continue;
                plan->mistake_rule = "R-97";
                if (asprintf(&plan->mistake,
                             "'%s' is in two of the writer's file sets, which send it to '%s' and "
                             "to '%s'",
                             path, f->to.path ? f->to.path : "no place", there) < 0)
                        plan->mistake = NULL;
        }
}

static int add_directed_ranges(const struct restore_plan *plan, const char *path,
                               struct ranges *ret) {
        struct vss_directed_target target;
        int r = 0;

        for (size_t i = 0; r >= 0 && restore_plan_directed(plan, i, &target); i++) {
                _cleanup_free_ char *source = NULL;
                const char *file;

                if (asprintf(&source, "%s/%s", target.source_path, target.source_filename) < 0) {
                        source = NULL;
                        return -ENOMEM;
                }
                if (strcmp(source, path) == 0)
                        r = ranges_parse(target.source_ranges, ret, &file, NULL);
        }
        ranges_normalize(ret);
        return r;
}

/* of a file of which ranges are stored, these are what can be directed */
static void check_directed(struct restore_plan *plan, const struct entry *entry) {
        struct ranges wanted = { 0 }, stored = { 0 };
        int r = add_directed_ranges(plan, entry->path, &wanted);
        bool equal;

        for (size_t i = 0; r >= 0 && i < entry->ranges_count; i++)
                r = ranges_add(&stored, entry->ranges[i].offset, entry->ranges[i].length);
        ranges_normalize(&stored);
        equal = wanted.count == stored.count;
        for (size_t i = 0; equal && i < stored.count; i++)
                equal = wanted.items[i].offset == stored.items[i].offset &&
                        wanted.items[i].length == stored.items[i].length;
        ranges_done(&wanted);
        ranges_done(&stored);
        if (r == -ENOMEM)
                plan->failed = true;
        if (equal || plan->mistake)
                return;
        plan->mistake_rule = "R-129";
        if (asprintf(&plan->mistake,
                     "the backup holds ranges of '%s', and the writer directs others of it",
                     entry->path) < 0)
                plan->mistake = NULL;
}

/* note_unmapped() - a file is better to name than the folder that it is in */
static void note_unmapped(struct restore_plan *plan, const struct entry *entry,
                          const struct found *f) {
        if (f->matched.first && f->matched.first->bad_mapping && !plan->bad_mapping)
                plan->bad_mapping = f->matched.first->bad_mapping;
        if (plan->unmapped++ > 0 &&
            (entry->type == ENTRY_DIRECTORY || !plan->unmapped_is_directory))
                return;
        free(plan->first_unmapped);
        plan->first_unmapped = strdup(entry->path);
        plan->unmapped_is_directory = entry->type == ENTRY_DIRECTORY;
}

/* passes_by() - does no test of section 6 ask for it? */
static bool passes_by(const struct restore_plan *plan, const struct entry *entry,
                      const struct found *f) {
        return f->to.fate == FATE_NEW_TARGET || /* */
               f->ranges_file || entry->type == ENTRY_SOCKET ||
               (plan->strictly && plan->was_put && entry->type != ENTRY_DIRECTORY &&
                plan->was_put(plan->was_put_userdata, entry->path)); /* */
}

const char *plan_place(void *userdata, const struct entry *entry) {
        struct restore_plan *plan = userdata;
        struct planned_set *set;
        struct found f;

        if (find(plan, entry->path, entry->type, plan->looking, &f) < 0) {
                plan->failed = true;
                return NULL;
        }
        set = f.matched.first;
        if (set && f.to.fate != FATE_NOT_SELECTED)
                set->seen = true;
        if (f.to.fate == FATE_DIRECTED) {
                if (set)
                        set->split = true;
                if (entry->partial)
                        check_directed(plan, entry);
                return NULL;
        }
        if (f.to.fate == FATE_NOT)
                note_unmapped(plan, entry, &f);
        else if (f.to.fate != FATE_NOT_SELECTED && entry->type != ENTRY_DIRECTORY)
                check_others(plan, entry->path, &f);
        return passes_by(plan, entry, &f) ? NULL : f.to.path;
}

/* ---- for the engine ---- */

static const char *place_if(struct restore_plan *plan, const struct entry *entry, bool at_boot) {
        struct restore_destination to;

        if (restore_plan_destination(plan, entry->path, entry->type, &to) < 0)
                plan->failed = true;
        return plan->failed || (to.fate == FATE_AT_BOOT) != at_boot ? NULL : to.path;
}

const char *restore_plan_now(void *userdata, const struct entry *entry) {
        return place_if(userdata, entry, false);
}

const char *restore_plan_at_boot(void *userdata, const struct entry *entry) {
        return place_if(userdata, entry, true);
}
