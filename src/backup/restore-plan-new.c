/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-plan-new.c - see restore-plan.h: what a plan is made from, and what of it the document
 * gets; all but the decision.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "backup/restore-planning.h"
#include "base/cleanup.h"

void restore_sight_done(struct restore_sight *sight) {
        free(sight->there_words);
        free(sight->obstacle_words);
        *sight = (struct restore_sight){ 0 };
}

/* ---- the plan ---- */

/* full_path() - "logical\path\name"; the caller frees it */
static char *full_path(const char *logical_path, const char *name) {
        char *path;

        if (asprintf(&path, "%s%s%s", logical_path ? logical_path : "",
                     logical_path && *logical_path ? "\\" : "", name) < 0)
                return NULL;
        return path;
}

static bool is_at_or_below(const char *path, const char *above) {
        size_t size = strlen(above);

        return strncmp(path, above, size) == 0 && (path[size] == '\0' || path[size] == '\\');
}

static int find_component(const struct restore_plan *plan, size_t *ret, struct vss_error *reterr) {
        const struct vss_examine_writer_metadata *metadata = plan->input.metadata;
        const struct component_key *key = plan->input.key;
        size_t count;

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; i < count; i++) {
                struct vss_component_info info;

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                if (strcmp(info.name, key->name) == 0 &&
                    strcmp(info.logical_path ? info.logical_path : "", key->logical_path) == 0) {
                        *ret = i;
                        return 0;
                }
        }
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "the writer's document that was stored with the backup has no component "
                        "'%s'",
                        key->name);
}

/* select_part() - R-23: the part with all below it */
static int select_part(struct restore_plan *plan, size_t top, const struct restore_part *part,
                       bool *selected, struct vss_error *reterr) {
        const struct vss_examine_writer_metadata *metadata = plan->input.metadata;
        _cleanup_free_ char *wanted = full_path(part->logical_path, part->name);
        bool found = false;
        size_t count;

        if (!wanted)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *path = NULL;
                struct vss_component_info info;

                vss_wm_component_get_component_info(
                        vss_examine_writer_metadata_get_component(metadata, i), &info);
                path = full_path(info.logical_path, info.name);
                if (!path)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                if (!is_at_or_below(path, wanted) ||
                    !vss_examine_writer_metadata_is_below(metadata, i, top))
                        continue;
                if (strcmp(path, wanted) == 0 && i != top && !info.selectable_for_restore)
                        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                        "component '%s' cannot be restored alone (R-23); restore "
                                        "'%s' as a whole",
                                        wanted, plan->input.key->name);
                found |= strcmp(path, wanted) == 0;
                selected[i] = true;
        }
        return found ? 0
                     : vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "component '%s' has no part '%s' (R-23)", plan->input.key->name,
                                wanted);
}

/* select_sets() - the file sets of the component set, and those to be restored of them */
static int select_sets(struct restore_plan *plan, struct vss_error *reterr) {
        const struct vss_examine_writer_metadata *metadata = plan->input.metadata;
        _cleanup_free_ bool *selected = NULL;
        size_t top = 0, count;
        int r = find_component(plan, &top, reterr);

        vss_examine_writer_metadata_get_file_counts(metadata, NULL, NULL, &count);
        selected = calloc(count + 1, sizeof(*selected));
        if (r >= 0 && !selected)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        for (size_t i = 0; r >= 0 && i < plan->input.part_count; i++)
                r = select_part(plan, top, &plan->input.parts[i], selected, reterr);
        for (size_t i = 0; r >= 0 && i < plan->sets.count; i++) {
                struct planned_set *set = &plan->sets.items[i];

                set->belongs = vss_examine_writer_metadata_is_below(metadata, set->component, top);
                set->selected =
                        set->belongs && (plan->input.part_count == 0 || selected[set->component]);
        }
        return r;
}

/* by triple, within the set; the document took none without the schema's leave */
static void load_new_targets(struct restore_plan *plan) {
        const struct vss_component *c = plan->input.component;
        bool allowed = vss_examine_writer_metadata_get_backup_schema(plan->input.metadata) &
                       VSS_BS_WRITER_SUPPORTS_NEW_TARGET;

        for (size_t i = 0; c && allowed && i < vss_component_get_new_target_count(c); i++) {
                const struct vss_wm_filedesc *target = vss_component_get_new_target(c, i);
                const struct vss_file_set triple = {
                        .path = vss_wm_filedesc_get_path(target),
                        .filespec = vss_wm_filedesc_get_filespec(target),
                        .recursive = vss_wm_filedesc_get_recursive(target),
                };
                size_t count;
                struct planned_set *set = planned_sets_find(&plan->sets, &triple, &count);

                for (size_t k = 0; k < count; k++)
                        set[k].new_target = vss_wm_filedesc_get_alternate_location(target);
        }
}

int restore_plan_new(const struct restore_plan_input *input, struct restore_plan **ret,
                     struct vss_error *reterr) {
        struct restore_plan *plan = calloc(1, sizeof(*plan));
        int r;

        if (!plan)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *plan = (struct restore_plan){ .input = *input, .target = VSS_RT_ORIGINAL };
        /* what is not declared is UNDEFINED; a document with that for the writer's part in
         * restores cannot be loaded */
        if (vss_examine_writer_metadata_get_restore_method(input->metadata, &plan->method) != 0)
                plan->method = (struct vss_restore_method){ .method = VSS_RME_UNDEFINED };
        if (input->component)
                plan->target = vss_component_get_restore_target(input->component);
        plan->verdict = (struct restore_verdict){ .rule = "R-90" };
        r = planned_sets_load(input->metadata, &plan->sets);
        if (r < 0)
                vss_fail(reterr, r, "out of memory");
        else
                r = select_sets(plan, reterr);
        if (r >= 0) {
                load_new_targets(plan);
                r = plan_files_load(plan, reterr);
        }
        if (r < 0) {
                restore_plan_free(plan);
                return r;
        }
        *ret = plan;
        return 0;
}

struct restore_plan *restore_plan_free(struct restore_plan *plan) {
        if (!plan)
                return NULL;
        plan_files_done(plan);
        planned_sets_done(&plan->sets);
        free(plan->words);
        free(plan->warning);
        free(plan);
        return NULL;
}

/* ---- what the document gets, and what of it counts ---- */

const struct restore_file_set *restore_plan_file_set(struct restore_plan *plan, size_t index) {
        struct planned_set *set = index < plan->sets.count ? &plan->sets.items[index] : NULL;

        if (!set || !set->belongs)
                return NULL;
        set->shown.destination = plan->verdict.course == COURSE_NOTHING  ? NULL
                                 : set->new_target                       ? set->new_target
                                 : plan->verdict.course == COURSE_MAPPED ? set->mapped
                                                                         : NULL;
        return &set->shown;
}

bool restore_plan_directed(const struct restore_plan *plan, size_t index,
                           struct vss_directed_target *ret) {
        return plan->target == VSS_RT_DIRECTED && /* */
               plan->method.method != VSS_RME_RESTORE_AT_REBOOT && /* */
               vss_component_get_directed_target(plan->input.component, index, ret) >= 0;
}

bool restore_plan_mapping(struct restore_plan *plan, size_t index, struct vss_file_set *ret,
                          const char **ret_destination) {
        for (size_t i = 0; plan->verdict.course == COURSE_MAPPED && i < plan->sets.count; i++) {
                const struct planned_set *set = &plan->sets.items[i];

                /* of a chain, what earlier images put of it is there, too */
                if (!set->selected || set->new_target || !set->mapped || set->split ||
                    (!set->seen && plan->input.before == COURSE_NOTHING) || index-- > 0)
                        continue;
                *ret = set->shown.files;
                *ret_destination = set->mapped;
                return true;
        }
        return false;
}
