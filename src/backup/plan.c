/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plan.c - see plan.h. Decisions only; expanding patterns on the shadow copy is the engine's.
 */
#define _GNU_SOURCE
#include "backup/plan.h"

#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"
#include "vss/documents.h"

const char *plan_item_word(const struct plan_item *item) {
        static const char *const words[DECIDE_MAX] = {
                [DECIDE_WHOLE] = "whole",   [DECIDE_COMPARE] = "changed", [DECIDE_SINCE] = "since",
                [DECIDE_RANGES] = "ranges", [DECIDE_SKIP] = "skipped",
        };

        return item->failed ? "failed" : words[item->left_out ? DECIDE_SKIP : item->decision];
}

static void item_done(struct plan_item *item) {
        free(item->path);
        free(item->filespec);
        free(item->alternate);
        for (size_t i = 0; i < item->ranges_count; i++)
                free(item->ranges[i]);
        free(item->ranges);
}

void plan_done(struct plan *plan) {
        for (size_t i = 0; i < plan->count; i++)
                item_done(&plan->items[i]);
        free(plan->items);
        for (size_t i = 0; i < plan->sets_count; i++)
                free(plan->sets[i]);
        free(plan->sets);
        memset(plan, 0, sizeof(*plan));
}

const char *plan_reads(const struct plan_item *item) {
        return item->alternate ? item->alternate : item->path;
}

/* add_item() - an empty item with its path set, NULL when out of memory */
static struct plan_item *add_item(struct plan *plan, const char *path, const char *filespec) {
        struct plan_item *item;

        if (ARRAY_RESERVE(&plan->items, plan->count, &plan->capacity) < 0)
                return NULL;
        item = &plan->items[plan->count];
        *item = (struct plan_item){ .path = strdup(path) };
        if (filespec)
                item->filespec = strdup(filespec);
        if (!item->path || (filespec && !item->filespec)) {
                item_done(item);
                return NULL;
        }
        plan->count++;
        return item;
}

/* new_sets() - of one writer, all empty */
static struct plan_set *new_sets(const struct chosen_writer *writer) {
        struct plan_set *sets = calloc(writer->component_count + 1, sizeof(*sets));

        for (size_t i = 0; sets && i < writer->component_count; i++)
                sets[i].first = sets[i].last = PLAN_END;
        return sets;
}

/* belong() - the last item is @component's of @writer; it goes to the end of that one's set */
static int belong(struct plan *plan, size_t writer, size_t component) {
        const struct chosen_writer *w = &plan->selection->writers[writer];
        size_t at = plan->count - 1;
        struct plan_set *set;

        plan->items[at].writer = writer;
        plan->items[at].component = component;
        plan->items[at].next_in_set = PLAN_END;
        if (!plan->sets[writer])
                plan->sets[writer] = new_sets(w);
        if (!plan->sets[writer])
                return -ENOMEM;
        set = &plan->sets[writer][w->components[component].defining];
        if (set->last == PLAN_END)
                set->first = at;
        else
                plan->items[set->last].next_in_set = at;
        set->last = at;
        return 0;
}

/* first_of() - the first item of the component @defining of @writer, and of its set */
static size_t first_of(const struct plan *plan, size_t writer, size_t defining) {
        return plan->sets[writer] ? plan->sets[writer][defining].first : PLAN_END;
}

static bool is_pattern(const char *filespec) {
        return strpbrk(filespec, "*?") != NULL;
}

struct file_set_context {
        struct plan *plan;
        size_t writer, component;
        uint32_t effective;
};

/* I-83..I-85: the mask decides, unless an entry supersedes it later */
static int add_file_set(void *userdata, const struct vss_wm_filedesc *file) {
        const struct file_set_context *c = userdata;
        const char *alternate = vss_wm_filedesc_get_alternate_location(file);
        uint32_t mask = vss_wm_filedesc_get_backup_type_mask(file);
        bool required = vss_file_set_is_required(mask, c->effective);
        bool snapshot = vss_file_set_needs_snapshot(mask, c->effective);
        struct plan_item *item = add_item(c->plan, vss_wm_filedesc_get_path(file),
                                          vss_wm_filedesc_get_filespec(file));

        if (!item)
                return -ENOMEM;
        if (belong(c->plan, c->writer, c->component) < 0)
                return -ENOMEM;
        item->recursive = vss_wm_filedesc_get_recursive(file);
        item->decision = required ? DECIDE_WHOLE : DECIDE_SKIP;
        item->from_snapshot = snapshot;
        item->rule = !required ? "I-85" : snapshot ? "I-83" : "I-84";
        item->must_exist = !is_pattern(item->filespec);
        if (alternate) {
                item->alternate = strdup(alternate);
                if (!item->alternate)
                        return -ENOMEM;
        }
        return 0;
}

static int add_writer(struct plan *plan, size_t index) {
        const struct chosen_writer *writer = &plan->selection->writers[index];
        struct file_set_context context = {
                .plan = plan,
                .writer = index,
                .effective = vss_effective_backup_type(plan->type, writer->schema),
        };

        for (size_t i = 0; i < writer->component_count; i++) {
                int r;

                if (!writer->components[i].included)
                        continue;
                context.component = i;
                r = each_file_set(&writer->components[i], add_file_set, &context);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* I-114: what belongs to no writer goes by the requester's own history */
static int add_own_path(struct plan *plan, const char *path) {
        bool by_history = plan->type == VSS_BT_INCREMENTAL || plan->type == VSS_BT_DIFFERENTIAL;
        struct plan_item *item = add_item(plan, path, NULL);

        if (!item)
                return -ENOMEM;
        item->writer = PLAN_OWN;
        item->recursive = true;
        item->from_snapshot = true;
        item->decision = by_history ? DECIDE_COMPARE : DECIDE_WHOLE;
        item->rule = by_history ? "I-114" : "B-149";
        return 0;
}

int plan_make(const struct selection *selection, const char *const *paths, uint32_t type,
              struct plan *ret) {
        struct plan plan = { .selection = selection,
                             .type = type,
                             .sets = calloc(selection->writer_count + 1, sizeof(*plan.sets)) };
        int r = plan.sets ? 0 : -ENOMEM;

        plan.sets_count = r < 0 ? 0 : selection->writer_count;
        for (size_t i = 0; r >= 0 && i < selection->writer_count; i++)
                r = add_writer(&plan, i);
        for (size_t i = 0; r >= 0 && paths && paths[i]; i++)
                r = add_own_path(&plan, paths[i]);
        if (r < 0) {
                plan_done(&plan);
                return r;
        }
        *ret = plan;
        return 0;
}

bool plan_needs_snapshot(const struct plan *plan, const struct plan_item *item) {
        if (!item->from_snapshot)
                return false;
        if (item->writer == PLAN_OWN || item->decision != DECIDE_SKIP)
                return true;
        /* differenced and partial files may still turn up in this file set (I-94) */
        return plan->selection->writers[item->writer].schema & VSS_BS_LAST_MODIFY ||
               plan->selection->writers[item->writer].schema & VSS_BS_TIMESTAMPED;
}

/* ---- what the writer said in its components ---- */

static bool same_path(const char *a, const char *b) {
        size_t n = strlen(a), m = strlen(b);

        while (n > 1 && a[n - 1] == '/')
                n--;
        while (m > 1 && b[m - 1] == '/')
                m--;
        return n == m && memcmp(a, b, n) == 0;
}

static struct plan_item *find_exact(struct plan *plan, size_t writer, size_t defining,
                                    const char *path, const char *filespec, bool recursive) {
        for (size_t i = first_of(plan, writer, defining); i != PLAN_END;
             i = plan->items[i].next_in_set) {
                struct plan_item *item = &plan->items[i];

                if (!plan_takes_alone(item) && item->recursive == recursive &&
                    same_path(item->path, path) && strcmp(item->filespec, filespec) == 0)
                        return item;
        }
        return NULL;
}

static bool item_covers(const struct plan_item *item, const char *path, const char *name) {
        return (item->recursive ? path_is_below(path, item->path) : same_path(path, item->path)) &&
               vss_filespec_matches(item->filespec, name);
}

/* find_covering() - the file set that holds the file; of several one that an entry decides about */
static struct plan_item *find_covering(struct plan *plan, size_t writer, size_t defining,
                                       const char *path, const char *name) {
        struct plan_item *found = NULL;

        for (size_t i = first_of(plan, writer, defining); i != PLAN_END;
             i = plan->items[i].next_in_set) {
                struct plan_item *item = &plan->items[i];

                if (!plan_takes_alone(item) && item_covers(item, path, name) &&
                    (!found || (item->differenced && !found->differenced)))
                        found = item;
        }
        return found;
}

static int add_differenced(struct plan *plan, size_t writer, size_t defining,
                           const struct vss_component *component, size_t index) {
        uint32_t effective =
                vss_effective_backup_type(plan->type, plan->selection->writers[writer].schema);
        const char *path, *filespec;
        struct plan_item *item;
        vss_timestamp_t since;
        bool recursive;
        int r = vss_component_get_differenced_file(component, index, &path, &filespec, &recursive,
                                                   &since);

        if (r < 0)
                return r;
        item = find_exact(plan, writer, defining, path, filespec, recursive);
        if (!item) { /* I-112: new files, from the shadow copy (I-106) */
                item = add_item(plan, path, filespec);
                if (!item)
                        return -ENOMEM;
                if (belong(plan, writer, defining) < 0)
                        return -ENOMEM;
                item->recursive = recursive;
                item->from_snapshot = true;
        }
        item->differenced = true;
        if (effective != VSS_BT_INCREMENTAL && effective != VSS_BT_DIFFERENTIAL) {
                item->decision = DECIDE_WHOLE;
                item->rule = "I-108";
        } else if (since) {
                item->decision = DECIDE_SINCE;
                item->since = since;
                item->rule = "I-102";
        } else {
                item->decision = DECIDE_COMPARE;
                item->rule = "I-103";
        }
        return 0;
}

bool plan_takes_alone(const struct plan_item *item) {
        return item->decision == DECIDE_RANGES || item->live;
}

static int join_ranges(struct plan_item *item, const char *ranges) {
        if (ARRAY_RESERVE(&item->ranges, item->ranges_count, &item->ranges_capacity) < 0)
                return -ENOMEM;
        item->ranges[item->ranges_count] = strdup(ranges);
        return item->ranges[item->ranges_count] ? (item->ranges_count++, 0) : -ENOMEM;
}

/* new_partial() - @covering, the file set that holds the file or NULL, is gone when items move */
static int new_partial(struct plan *plan, size_t writer, size_t component, const char *path,
                       const char *name, const char *ranges, const struct plan_item *covering) {
        _cleanup_free_ char *alternate = NULL;
        bool from_snapshot = covering ? covering->from_snapshot : true; /* I-125 */
        struct plan_item *item;

        if (covering && covering->alternate) { /* I-126 */
                alternate = strdup(covering->alternate);
                if (!alternate)
                        return -ENOMEM;
        }
        item = add_item(plan, path, name);
        if (!item)
                return -ENOMEM;
        if (belong(plan, writer, component) < 0)
                return -ENOMEM;
        item->decision = DECIDE_RANGES;
        item->rule = "I-124";
        item->must_exist = true;
        item->from_snapshot = from_snapshot;
        item->alternate = take(alternate);
        plan->single_count++;
        return join_ranges(item, ranges);
}

/* add_ranges_file() - I-128: a restore needs it. Saved once per component that stands or falls, as
 * it is on the running system, where the writer keeps it (M-63); a file set that it lies in does
 * without */
static int add_ranges_file(struct plan *plan, size_t writer, size_t component, const char *ranges,
                           struct selection *notes) {
        size_t defining = plan->selection->writers[writer].components[component].defining;
        struct ranges none = { 0 };
        _cleanup_free_ char *folder = NULL;
        struct plan_item *item;
        const char *file, *name;
        int r = ranges_parse(ranges, &none, &file, NULL);

        ranges_done(&none);
        if (r < 0 || !file) /* what is wrong with it fails the component when it is read */
                return r == -ENOMEM ? r : 0;
        if (!path_is_clean(file)) {
                selection_note(notes,
                               "writer '%s' names its ranges file as '%s', which is no plain "
                               "path: what it says is saved, the file itself is not (I-128)",
                               plan->selection->writers[writer].identity.name, file);
                return 0;
        }
        name = strrchr(file, '/') + 1;
        folder = strndup(file, name == file + 1 ? 1 : (size_t)(name - file) - 1);
        if (!folder)
                return -ENOMEM;
        for (size_t i = first_of(plan, writer, defining); i != PLAN_END;
             i = plan->items[i].next_in_set)
                if (plan->items[i].live && strcmp(plan->items[i].path, folder) == 0 &&
                    strcmp(plan->items[i].filespec, name) == 0)
                        return 0;
        item = add_item(plan, folder, name);
        if (!item)
                return -ENOMEM;
        if (belong(plan, writer, component) < 0)
                return -ENOMEM;
        item->decision = DECIDE_WHOLE;
        item->rule = "I-128";
        item->must_exist = item->live = true;
        plan->single_count++;
        return 0;
}

struct entries {
        struct plan *plan;
        size_t writer;
        struct selection *notes;
};

/* find_partial() - what an earlier entry of the same file made (I-130) */
static struct plan_item *find_partial(struct plan *plan, size_t writer, size_t defining,
                                      const char *path, const char *name) {
        for (size_t i = first_of(plan, writer, defining); i != PLAN_END;
             i = plan->items[i].next_in_set) {
                struct plan_item *item = &plan->items[i];

                if (item->decision == DECIDE_RANGES && same_path(item->path, path) &&
                    strcmp(item->filespec, name) == 0)
                        return item;
        }
        return NULL;
}

static int add_partial(const struct entries *e, size_t defining,
                       const struct vss_component *component, size_t index) {
        const char *path, *name, *ranges, *metadata;
        const struct plan_item *covering;
        struct plan_item *item;
        size_t owner;
        int r = vss_component_get_partial_file(component, index, &path, &name, &ranges, &metadata);

        if (r < 0)
                return r;
        covering = find_covering(e->plan, e->writer, defining, path, name);
        if (covering && covering->differenced) {
                selection_note(e->notes,
                               "writer '%s' names '%s/%s' as differenced and as partial file; "
                               "it is treated as differenced (I-138)",
                               e->plan->selection->writers[e->writer].identity.name, path, name);
                return 0;
        }
        owner = covering ? covering->component : defining;
        item = find_partial(e->plan, e->writer, defining, path, name);
        r = item ? join_ranges(item, ranges)
                 : new_partial(e->plan, e->writer, owner, path, name, ranges, covering);
        return r < 0 ? r : add_ranges_file(e->plan, e->writer, owner, ranges, e->notes);
}

typedef int (*entry_fn)(const struct entries *, size_t defining, const struct vss_component *,
                        struct vss_error *);

static int each_differenced(const struct entries *e, size_t defining, const struct vss_component *c,
                            struct vss_error *reterr) {
        int r = 0;

        for (size_t k = 0; r >= 0 && k < vss_component_get_differenced_files_count(c); k++)
                r = add_differenced(e->plan, e->writer, defining, c, k);
        return r;
}

static int each_partial(const struct entries *e, size_t defining, const struct vss_component *c,
                        struct vss_error *reterr) {
        int r = 0;

        for (size_t k = 0; r >= 0 && k < vss_component_get_partial_file_count(c); k++)
                r = add_partial(e, defining, c, k);
        return r;
}

static int each_component(const struct entries *e, struct vss_writer_components *components,
                          entry_fn fn, struct vss_error *reterr) {
        size_t count = vss_writer_components_get_component_count(components);

        for (size_t i = 0; i < count; i++) {
                struct vss_component *c = vss_writer_components_get_component(components, i);
                size_t at = chosen_writer_find_key(&e->plan->selection->writers[e->writer],
                                                   vss_component_get_logical_path(c),
                                                   vss_component_get_component_name(c));
                int r;

                if (at == COMPONENT_NONE)
                        return vss_fail(reterr, VSS_E_UNEXPECTED,
                                        "the document names a component '%s' that the writer did "
                                        "not declare",
                                        vss_component_get_component_name(c));
                r = fn(e, at, c, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

int plan_add_entries(struct plan *plan, size_t writer, struct vss_writer_components *components,
                     struct selection *notes, struct vss_error *reterr) {
        const struct entries e = { plan, writer, notes };
        int r = each_component(&e, components, each_differenced, reterr);

        return r < 0 ? r : each_component(&e, components, each_partial, reterr);
}
