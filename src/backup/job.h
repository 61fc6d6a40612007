/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h - one operation of a run: a session with the service, a selection, a plan, a shadow copy
 * set, and what is read from it. Inside of src/backup only.
 */
#ifndef BACKUP_JOB_H
#define BACKUP_JOB_H

#include "backup/engine.h"
#include "backup/not-to-backup.h"
#include "backup/record.h"
#include "backup/run.h"

struct job_component {
        size_t writer, component; /* of the selection: an explicit one */
        struct vss_component_key key;
        uint32_t index; /* in the engine's operation */
        struct set_place base;
        bool has_base, failed;
        const char *rule; /* behind a failure before the copy */
};

struct delta;

struct job {
        const struct backup_request *request;
        const struct backup_watch *watch;
        struct store *store; /* lent by the run; NULL when only planning */
        const struct set_list *sets; /* lent */
        bool fallback; /* this is the FULL beside an operation of the type asked for (I-76) */
        uint32_t type; /* of this operation */

        struct vss_backup_components *bc;
        struct selection selection;
        struct plan plan;
        struct not_to_backup *left_out; /* machine-wide */
        struct used_volumes volumes;
        struct vss_id set_id;
        struct job_component *components; /* in the order of writers and their components */
        size_t component_count;
        bool own_paths; /* the requester's own paths are in this operation */
        bool writers_missing; /* a configured writer could not be asked (B-82) */
        struct set_place own_base;
        bool has_own_base, own_failed;
        bool item_failed, item_left_out; /* of the item that is being carried out */
        const char *item_rule; /* behind that */
        struct operation *operation; /* owned by the set being written */
        struct delta *delta; /* delta.h */
        size_t notes_told;
        uint64_t freeze_us, hold_us;
};

/* job_open() - connect, gather, select, leave out what belongs to the other operation. The job may
 * turn out empty. @ret_other: somebody needs the other operation as well */
int job_open(struct job *job, bool *ret_other, struct vss_error *reterr);
bool job_is_empty(const struct job *job);

/* job_plan() - the items, the volumes */
int job_plan(struct job *job, struct vss_error *reterr);

/* job_snapshot() - PrepareForBackup, DoSnapshotSet, entries of the writers into the plan */
int job_snapshot(struct job *job, struct vss_error *reterr);

/* job_copy() - read everything into a new operation of @set, documents included */
int job_copy(struct job *job, struct set_writer *set, struct vss_error *reterr);

/* job_complete() - BackupComplete, after the set was published */
int job_complete(struct job *job, struct vss_error *reterr);

/* job_close() - release the session: copies go, writers hear BackupShutdown. Any state */
void job_close(struct job *job);

void job_tell_notes(struct job *job);

/* job_component_find() - by its indices in the selection; NULL when it is none of this operation */
struct job_component *job_component_find(struct job *job, size_t writer, size_t component);
struct component_key job_engine_key(const struct job *job, const struct job_component *component);

/* sources.c: is the item read from a copy? The same answer before and after it exists */
bool job_reads_copy(const struct job *job, const struct plan_item *item);
/* one item of the plan to the engine */
int job_run_item(struct job *job, const struct plan_item *item, uint32_t component,
                 struct vss_error *reterr);
/* coverage: what belongs to a writer's component is not the requester's own */
struct coverage_map;
int job_coverage_new(const struct job *job, struct coverage_map **ret);
struct coverage_map *job_coverage_free(struct coverage_map *map);
/* job_is_own() - an own_name_fn: is it below the own paths, and neither left out nor somebody
 * else's? */
struct own_names {
        const struct job *job;
        struct coverage_map *map;
        size_t first, end; /* the own items of the plan: they stand together */
};
int job_own_names_init(struct own_names *own, const struct job *job);
bool job_is_own(void *userdata, const char *path, bool is_directory);
/* job_trimmed() - a writer's folder without separators at its end; the caller frees it */
char *job_trimmed(const char *path);
/* job_coverage_has() - a file that fits a component's file set; a folder below a recursive set that
 * takes every name */
bool job_coverage_has(const struct coverage_map *map, const char *path, bool is_directory);
/* all that a decision about a name below @paths is made from, as lines */
void job_coverage_describe(const struct coverage_map *map, char *const *paths, struct text *text);

#endif
