/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * component-edit.c - what a writer writes into a component's entry, and in which event it may
 * (B-61..B-67, D-58..D-76).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/ranges.h"
#include "documents/components-internal.h"
#include "documents/text.h"

#define PB (1u << COMPONENT_EVENT_PREPARE_BACKUP)
#define PS (1u << COMPONENT_EVENT_POST_SNAPSHOT)
#define PRE (1u << COMPONENT_EVENT_PRE_RESTORE)
#define POST (1u << COMPONENT_EVENT_POST_RESTORE)

bool component_item_is_allowed(enum component_item item, enum component_event event) {
        static const unsigned allowed[] = {
                [ITEM_STAMP] = PB | PS, /* D-58, B-62 */
                [ITEM_BACKUP_METADATA] = PB | PS, /* D-59, B-61 */
                [ITEM_RESTORE_METADATA] = PB | PS | PRE, /* D-60 */
                [ITEM_PREPARE_MESSAGE] = PB, /* D-61, B-65 */
                [ITEM_POST_SNAPSHOT_MESSAGE] = PS, /* D-62, B-66 */
                [ITEM_PRE_RESTORE_MESSAGE] = PRE, /* D-76 */
                [ITEM_POST_RESTORE_MESSAGE] = POST, /* D-76, R-16 */
                [ITEM_FAILURE] = PB | PS | PRE | POST, /* D-63, B-67 */
                [ITEM_TARGET] = PRE, /* D-72 */
                [ITEM_PARTIAL_FILE] = PB | PS, /* D-64, B-63 */
                [ITEM_DIFFERENCED_FILES] = PB | PS, /* D-66, B-64 */
                [ITEM_DIRECTED_TARGET] = PRE, /* D-73 */
                [ITEM_NONE] = 0,
        };

        return (size_t)item < ELEMENTSOF(allowed) && (allowed[item] & 1u << event);
}

static int check_event(const struct vss_component *component, enum component_item item,
                       struct vss_error *reterr) {
        if (component_item_is_allowed(item, component->owner->event))
                return 0;
        return vss_fail(reterr, VSS_E_BAD_STATE,
                        "component '%s': not in this event, and not by others than its writer",
                        node_text(component->node, CP_NAME));
}

static struct tree *tree_of(const struct vss_component *component) {
        return &component->owner->bcd->tree;
}

/* done() - remember that something changed */
static int done(const struct vss_component *component, int r) {
        if (r >= 0)
                component->owner->changed = true;
        return r;
}

/* ---- texts ---- */

static int set_text(const struct vss_component *component, enum component_item item, size_t slot,
                    const char *text) {
        int r = check_event(component, item, NULL);

        if (r < 0)
                return r;
        if (!text)
                return E_INVALIDARG;
        return done(component,
                    node_set_text(tree_of(component), component->node, slot, text, NULL));
}

int vss_component_set_backup_stamp(struct vss_component *component, const char *stamp) {
        return set_text(component, ITEM_STAMP, CP_STAMP, stamp);
}

int vss_component_set_prepare_for_backup_failure_msg(struct vss_component *component,
                                                     const char *message) {
        return set_text(component, ITEM_PREPARE_MESSAGE, CP_PREPARE_MESSAGE, message);
}

int vss_component_set_post_snapshot_failure_msg(struct vss_component *component,
                                                const char *message) {
        return set_text(component, ITEM_POST_SNAPSHOT_MESSAGE, CP_POST_SNAPSHOT_MESSAGE, message);
}

int vss_component_set_pre_restore_failure_msg(struct vss_component *component,
                                              const char *message) {
        return set_text(component, ITEM_PRE_RESTORE_MESSAGE, CP_PRE_RESTORE_MESSAGE, message);
}

int vss_component_set_post_restore_failure_msg(struct vss_component *component,
                                               const char *message) {
        return set_text(component, ITEM_POST_RESTORE_MESSAGE, CP_POST_RESTORE_MESSAGE, message);
}

int vss_component_set_restore_target(struct vss_component *component, uint32_t target) {
        int r = check_event(component, ITEM_TARGET, NULL);

        if (r < 0)
                return r;
        if (target == VSS_RT_UNDEFINED)
                return E_INVALIDARG; /* */
        return done(component, node_set_word(component->node, CP_TARGET, target, NULL));
}

/* only_child() - the component's one child of this kind; a new one is appended when it is full */
static int only_child(const struct vss_component *component, unsigned list,
                      const struct element *element, struct node **ret, bool *ret_new) {
        struct node *node = node_get(component->node, list, 0);

        *ret_new = !node;
        *ret = node ? node : node_new(tree_of(component), element);
        return *ret ? 0 : -ENOMEM;
}

static int set_metadata(const struct vss_component *component, enum component_item item,
                        unsigned list, const struct element *element, const char *data) {
        struct node *node;
        bool is_new;
        int r = check_event(component, item, NULL);

        if (r < 0)
                return r;
        if (!data)
                return E_INVALIDARG;
        r = only_child(component, list, element, &node, &is_new);
        if (r >= 0 && !is_new && item == ITEM_BACKUP_METADATA)
                return VSS_E_OBJECT_ALREADY_EXISTS; /* D-59 */
        r = r < 0 ? r : node_set_text(tree_of(component), node, MD_METADATA, data, NULL);
        if (r >= 0 && is_new)
                r = node_append(tree_of(component), component->node, node);
        return done(component, r);
}

int vss_component_set_backup_metadata(struct vss_component *component, const char *data) {
        return set_metadata(component, ITEM_BACKUP_METADATA, CP_BACKUP_METADATA,
                            &element_backup_metadata, data);
}

int vss_component_set_restore_metadata(struct vss_component *component, const char *data) {
        return set_metadata(component, ITEM_RESTORE_METADATA, CP_RESTORE_METADATA,
                            &element_restore_metadata, data);
}

int vss_component_set_failure(struct vss_component *component, int32_t failure, int32_t application,
                              const char *message) {
        struct tree *tree = tree_of(component);
        struct node *node;
        bool is_new;
        int r = check_event(component, ITEM_FAILURE, NULL);

        r = r < 0 ? r : only_child(component, CP_FAILURE, &element_failure, &node, &is_new);
        r = r < 0 ? r : node_set_text(tree, node, FA_MESSAGE, message, NULL);
        r = r < 0 ? r : node_set_mask(tree, node, FA_APPLICATION, (uint32_t)application);
        r = r < 0 ? r : node_set_mask(tree, node, FA_CODE, (uint32_t)failure);
        if (r >= 0 && is_new)
                r = node_append(tree, component->node, node);
        return done(component, r);
}

/* ---- partial files, I-115..I-119 ---- */

int component_check_partial_file(const struct vss_component *component, const char *path,
                                 const char *name, const char *ranges, struct vss_error *reterr) {
        struct ranges list = { 0 };
        const char *file;
        int r;

        if (!node_bool(component->owner->bcd->tree.root, BC_PARTIAL))
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the requester does not support partial files (I-115)");
        r = file_path_check("path", path, reterr);
        r = r < 0 ? r : file_name_check("the partial file's name", name, reterr);
        r = r < 0 ? r : ranges_parse(ranges, &list, &file, reterr);
        ranges_done(&list);
        return r;
}

int vss_component_add_partial_file(struct vss_component *component, const char *path,
                                   const char *name, const char *ranges, const char *metadata,
                                   struct vss_error *reterr) {
        struct tree *tree = tree_of(component);
        struct node *node;
        int r = check_event(component, ITEM_PARTIAL_FILE, reterr);

        r = r < 0 ? r : component_check_partial_file(component, path, name, ranges, reterr);
        if (r < 0)
                return r;
        node = node_new(tree, &element_partial_file);
        if (!node)
                return -ENOMEM;
        r = node_set_text(tree, node, PF_PATH, path, reterr);
        r = r < 0 ? r : node_set_text(tree, node, PF_NAME, name, reterr);
        r = r < 0 ? r : node_set_text(tree, node, PF_RANGES, ranges, reterr);
        r = r < 0 ? r : node_set_text(tree, node, PF_METADATA, metadata, reterr);
        return done(component, r < 0 ? r : node_append(tree, component->node, node));
}

/* ---- differenced files, I-95..I-101 ---- */

static int check_schema(const struct vss_component *component, struct vss_error *reterr) {
        uint32_t schema = writer_schema(component->owner);
        uint32_t type =
                node_word(component->owner->bcd->tree.root, BC_BACKUP_TYPE, VSS_BT_UNDEFINED);

        if (!(schema & VSS_BS_LAST_MODIFY))
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the writer's backup schema lacks LAST_MODIFY (I-96)");
        if ((type == VSS_BT_INCREMENTAL && !(schema & VSS_BS_INCREMENTAL)) ||
            (type == VSS_BT_DIFFERENTIAL && !(schema & VSS_BS_DIFFERENTIAL)))
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the writer's backup schema lacks the type of this backup (I-97)");
        return 0;
}

/* check_against_sets() - I-100: exactly one of the set's own, or none of anybody's */
static int check_against_sets(const struct vss_component *component, struct file_triple triple,
                              struct vss_error *reterr) {
        const struct metadata *metadata = &component->owner->metadata->m;
        const struct node *declared =
                component_index_find(&metadata->index, node_text(component->node, CP_PATH),
                                     node_text(component->node, CP_NAME));
        const struct node *found = NULL;
        char path[TEXT_EXCERPT_SIZE], other[TEXT_EXCERPT_SIZE];
        int r = declared ? component_find_set(metadata, declared, triple, &found) : 0;

        if (r < 0 || found)
                return r;
        r = metadata_find_overlap(metadata, triple, &found);
        if (r < 0 || !found)
                return r;
        return vss_fail(
                reterr, E_INVALIDARG,
                "the differenced files at '%s' overlap the file set at '%s'; they must "
                "equal a file set of the component or touch none (I-100)",
                text_excerpt(triple.path, strlen(triple.path), path),
                text_excerpt(node_text(found, FS_PATH), strlen(node_text(found, FS_PATH)), other));
}

int component_check_differenced(const struct vss_component *component, struct file_triple triple,
                                vss_timestamp_t time, struct vss_error *reterr) {
        int r = check_schema(component, reterr);

        r = r < 0 ? r : file_path_check("path", triple.path, reterr);
        r = r < 0 ? r : filespec_check(triple.filespec, reterr);
        if (r >= 0 && time < 0)
                r = vss_fail(reterr, E_INVALIDARG, "the time lies before 1601");
        return r < 0 || !component->owner->metadata ? r
                                                    : check_against_sets(component, triple, reterr);
}

int vss_component_add_differenced_files_by_last_modify_time(struct vss_component *component,
                                                            const char *path, const char *filespec,
                                                            bool recursive, vss_timestamp_t time,
                                                            struct vss_error *reterr) {
        struct file_triple triple = { path, filespec, recursive };
        struct tree *tree = tree_of(component);
        struct node *node;
        int r = check_event(component, ITEM_DIFFERENCED_FILES, reterr);

        r = r < 0 ? r : component_check_differenced(component, triple, time, reterr);
        if (r < 0)
                return r;
        node = node_new(tree, &element_differenced_files);
        if (!node)
                return -ENOMEM;
        r = node_set_text(tree, node, DF_PATH, path, reterr);
        r = r < 0 ? r : node_set_text(tree, node, DF_FILESPEC, filespec, reterr);
        r = r < 0 ? r : node_set_bool(node, DF_RECURSIVE, recursive);
        r = r < 0 ? r : node_set_time(tree, node, DF_TIME, time);
        return done(component, r < 0 ? r : node_append(tree, component->node, node));
}

int vss_component_add_differenced_files_by_last_modify_lsn(struct vss_component *component,
                                                           const char *path, const char *filespec,
                                                           bool recursive, const char *lsn) {
        (void)component, (void)path, (void)filespec, (void)recursive, (void)lsn;
        return VSS_E_NOT_SUPPORTED; /* I-111 */
}

/* ---- directed targets, R-125 ---- */

/* check_range_pair() - ranges files are the writer's own; only lists can be compared here */
static int check_range_pair(const char *source, const char *destination, struct vss_error *reterr) {
        struct ranges from = { 0 }, to = { 0 };
        const char *from_file = NULL, *to_file = NULL;
        int r = ranges_parse(source, &from, &from_file, reterr);

        r = r < 0 ? r : ranges_parse(destination, &to, &to_file, reterr);
        if (r >= 0 && !from_file && !to_file) {
                if (!ranges_is_same_shape(&from, &to))
                        r = vss_fail(reterr, E_INVALIDARG,
                                     "source and destination need equally many ranges of the same "
                                     "lengths (R-125)");
                else
                        r = ranges_overlap(&to);
                if (r > 0)
                        r = vss_fail(reterr, E_INVALIDARG,
                                     "the destination's ranges overlap (R-120)");
        }
        ranges_done(&from);
        ranges_done(&to);
        return r;
}

/* partial_ranges() - of @target's source all ranges that were backed up, in normal form (I-130).
 * Return: 1, 0 it is no partial file or a ranges file tells, -ENOMEM */
static int partial_ranges(const struct vss_component *component,
                          const struct vss_directed_target *target, struct ranges *ret) {
        int found = 0;

        for (size_t i = 0; i < node_count(component->node, CP_PARTIAL_FILES); i++) {
                const struct node *node = node_get(component->node, CP_PARTIAL_FILES, i);
                const char *file = NULL;

                if (strcmp(node_text(node, PF_PATH), target->source_path) != 0 ||
                    strcmp(node_text(node, PF_NAME), target->source_filename) != 0)
                        continue;
                if (ranges_parse(node_text(node, PF_RANGES), ret, &file, NULL) == -ENOMEM)
                        return -ENOMEM;
                if (file)
                        return 0;
                found = 1;
        }
        ranges_normalize(ret);
        return found;
}

static bool same_ranges(const struct ranges *a, const struct ranges *b) {
        return a->count == b->count &&
               (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(*a->items)) == 0);
}

/* check_partial() - R-129: there is nothing of the file but these ranges */
static int check_partial(const struct vss_component *component,
                         const struct vss_directed_target *target, struct vss_error *reterr) {
        struct ranges stored = { 0 }, wanted = { 0 };
        const char *file = NULL;
        int r = partial_ranges(component, target, &stored);

        if (r > 0)
                r = ranges_parse(target->source_ranges, &wanted, &file, NULL) < 0 ? -ENOMEM : 1;
        ranges_normalize(&wanted);
        if (r > 0 && !file && !same_ranges(&stored, &wanted))
                r = vss_fail(reterr, E_INVALIDARG,
                             "of '%.200s' other ranges were backed up than are to be directed "
                             "(R-129)",
                             target->source_filename);
        ranges_done(&stored);
        ranges_done(&wanted);
        return r < 0 ? r : 0;
}

int component_check_directed(const struct vss_component *component,
                             const struct vss_directed_target *target, struct vss_error *reterr) {
        const struct vss_examine_writer_metadata *metadata = component->owner->metadata;
        const struct node *declared =
                metadata ? component_index_find(&metadata->m.index,
                                                node_text(component->node, CP_PATH),
                                                node_text(component->node, CP_NAME))
                         : NULL;
        bool covered = true;
        int r = file_path_check("source path", target->source_path, reterr);

        r = r < 0 ? r : file_name_check("the source file's name", target->source_filename, reterr);
        r = r < 0 ? r : file_path_check("destination path", target->destination_path, reterr);
        r = r < 0 ? r
                  : file_name_check("the destination file's name", target->destination_filename,
                                    reterr);
        r = r < 0 ? r : check_range_pair(target->source_ranges, target->destination_ranges, reterr);
        r = r < 0 ? r : check_partial(component, target, reterr);
        if (r >= 0 && declared)
                r = component_covers_path(&metadata->m, declared, target->source_path, &covered);
        if (r >= 0 && !covered)
                r = vss_fail(reterr, E_INVALIDARG,
                             "source path '%.200s' is neither that of a file set of the component "
                             "nor below one (R-125)",
                             target->source_path);
        return r;
}

int vss_component_add_directed_target(struct vss_component *component,
                                      const struct vss_directed_target *target,
                                      struct vss_error *reterr) {
        const char *const values[DT_SLOTS] = {
                [DT_SOURCE_PATH] = target->source_path,
                [DT_SOURCE_NAME] = target->source_filename,
                [DT_SOURCE_RANGES] = target->source_ranges,
                [DT_DESTINATION_PATH] = target->destination_path,
                [DT_DESTINATION_NAME] = target->destination_filename,
                [DT_DESTINATION_RANGES] = target->destination_ranges,
        };
        struct tree *tree = tree_of(component);
        struct node *node;
        int r = check_event(component, ITEM_DIRECTED_TARGET, reterr);

        r = r < 0 ? r : component_check_directed(component, target, reterr);
        if (r < 0)
                return r;
        node = node_new(tree, &element_directed_target);
        if (!node)
                return -ENOMEM;
        for (size_t i = 0; i < DT_SLOTS && r >= 0; i++)
                r = node_set_text(tree, node, i, values[i], reterr);
        return done(component, r < 0 ? r : node_append(tree, component->node, node));
}
