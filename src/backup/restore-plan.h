/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-plan.h - where the files of a component set finally go: restore method, restore target,
 * alternate location mappings, new targets and directed targets (restore-protocol sections 6 to 8)
 * as one decision for the set, and a destination for each of its files.
 *
 * Decides and computes; touches no file, stops no service, tells no writer. What it has to know of
 * the destinations it asks through struct restore_plan_ops: of the engine in a restore and for
 * 'restore --plan', of a table in the test.
 */
#ifndef BACKUP_RESTORE_PLAN_H
#define BACKUP_RESTORE_PLAN_H

#include "backup/engine.h"
#include "vss/documents.h"

struct restore_plan;

/* enum restore_course - what becomes of the set, but for files that a new or a directed target
 * names: all of it */
enum restore_course {
        COURSE_NOTHING, /* none of it is touched, also none with a target */
        COURSE_ORIGINAL,
        COURSE_MAPPED,
        COURSE_AT_BOOT, /* staged beside the original place, moved at the next boot */
        COURSE_MAX
};

/* struct restore_part - a subcomponent that is restored alone, with all below it */
struct restore_part {
        const char *logical_path, *name; /* logical_path NULL or "": the root */
};

/* struct restore_plan_input - all of it is lent until restore_plan_free()
 * @metadata:  of the writer, as stored with the backup
 * @key:       the explicit component
 * @component: what stands in the document after PreRestore: target, directed and new
 * targets; also for the entries of partial files. NULL: nothing of that
 * @parts:     none: all of the set
 * @before:    what became of the image before this one of the same chain: what comes on top of it
 *             goes where it is, or nowhere. COURSE_NOTHING: there was none
 */
struct restore_plan_input {
        const struct vss_examine_writer_metadata *metadata;
        const struct component_key *key;
        const struct vss_component *component;
        const struct restore_part *parts;
        size_t part_count;
        enum restore_course before;
};

/* restore_place_fn - destination of one thing, lent until the next call; NULL: it is left out */
typedef const char *(*restore_place_fn)(void *userdata, const struct entry *entry);

/* struct restore_sight - how the destinations look; directories that are there are no obstacle
 * @there:    things that exist
 * @obstacles: things that can neither be replaced nor created there
 * The words are of the first one each, for people; owned */
struct restore_sight {
        uint64_t there, obstacles;
        char *there_words, *obstacle_words;
};

void restore_sight_done(struct restore_sight *sight);

struct restore_plan_ops {
        void *userdata;
        /* look at the destinations that @where gives to all things of the set on the medium, each
         * of which is asked for once. Negative: the medium cannot be read */
        int (*look)(void *userdata, restore_place_fn where, void *where_userdata,
                    struct restore_sight *ret, struct vss_error *reterr);
        /* was it put by an earlier image of the same chain? Asked in path order, from the
         * first again with each look. NULL: there was none */
        bool (*was_put)(void *userdata, const char *path);
        /* stop the service until the set's files are in place; may come again for another
         * set. Negative with words: it cannot be stopped */
        int (*stop)(void *userdata, const char *service, struct vss_error *reterr);
};

/* restore_plan_check() - what can be told before PreRestore: 0, or negative with words when nothing
 * of this writer can be restored by its method */
int restore_plan_check(const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr);

/* restore_plan_new() - VSS_E_OBJECT_NOT_FOUND when the document has no such component, no such
 * part, or one that cannot be restored alone; -ENOMEM */
int restore_plan_new(const struct restore_plan_input *input, struct restore_plan **ret,
                     struct vss_error *reterr);
struct restore_plan *restore_plan_free(struct restore_plan *plan);

/* restore_plan_decide() - once, after PreRestore. 0, also when nothing is restored; negative when
 * that could not be found out */
int restore_plan_decide(struct restore_plan *plan, const struct restore_plan_ops *ops,
                        struct vss_error *reterr);

/* struct restore_verdict - lent by the plan
 * @rule:         number of the rule behind the course
 * @words:        why nothing is restored, or why not at the original place; or NULL
 * @code:         for that, negative
 * @writer_error: nothing is restored because of what the writer said
 * @warning:      something of the writer's that does not count, or NULL
 * @service:      that is stopped for it, or has to be restarted; NULL: none
 * @must_be_absent: nothing may be replaced
 */
struct restore_verdict {
        enum restore_course course;
        int code;
        const char *rule, *words, *warning, *service;
        bool writer_error, must_be_absent;
        bool stops; /* the service was stopped for it (method 3) */
        bool restarts; /* the service is to be stopped and started after PostRestore (method 8) */
        bool announces_reboot; /* */
        bool to_new_targets; /* every file set has one */
};

const struct restore_verdict *restore_plan_verdict(const struct restore_plan *plan);

/* ---- each file ---- */

enum restore_fate {
        FATE_NOT_SELECTED, /* */
        FATE_NOT, /* */
        FATE_DIRECTED, /* restore_plan_directed() says where */
        FATE_NEW_TARGET, /* */
        FATE_MAPPED, /* */
        FATE_ORIGINAL, /* */
        FATE_AT_BOOT, /* */
        FATE_MAX
};

/* struct restore_destination - of one thing
 * @path:     where it goes, or for FATE_AT_BOOT will be; NULL: nowhere, or directed. Lent until the
 *            next question
 * @rule:     of section 8
 * @file_set: index for restore_plan_file_set(), or RESTORE_NO_FILE_SET */
struct restore_destination {
        enum restore_fate fate;
        const char *path, *rule;
        size_t file_set;
};

#define RESTORE_NO_FILE_SET SIZE_MAX

/* restore_plan_destination() - after the decision. -ENOMEM */
int restore_plan_destination(struct restore_plan *plan, const char *path, enum entry_type type,
                             struct restore_destination *ret);

/* struct restore_file_set - @destination: of its files, or NULL where they came from; lent */
struct restore_file_set {
        struct vss_file_set files;
        const char *destination;
};
const struct restore_file_set *restore_plan_file_set(struct restore_plan *plan, size_t index);

/* restore_plan_now(), restore_plan_at_boot() - destinations for struct restore_request: of what is
 * put at once, and of what is staged; @userdata is the plan. When memory runs out a thing is left
 * out and restore_plan_failed() says so */
const char *restore_plan_now(void *userdata, const struct entry *entry);
const char *restore_plan_at_boot(void *userdata, const struct entry *entry);
bool restore_plan_failed(const struct restore_plan *plan);

/* restore_plan_directed() - the @index-th directed target that counts, lent; false:
 * no more */
bool restore_plan_directed(const struct restore_plan *plan, size_t index,
                           struct vss_directed_target *ret);

/* restore_plan_mapping() - the @index-th mapping to record when all went well; false: no
 * more. Lent */
bool restore_plan_mapping(struct restore_plan *plan, size_t index, struct vss_file_set *ret,
                          const char **ret_destination);

#endif
