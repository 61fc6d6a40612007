/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run.h - one backup from the first question to the published set.
 *
 * One run may hold several operations (I-76): what has no base for the type asked for gets a FULL
 * of its own beside the others. Each operation is one session with the writers and one shadow copy
 * set. Writers hear BackupComplete only after the set is published, so that a log is never
 * truncated for a backup that does not exist.
 */
#ifndef BACKUP_RUN_H
#define BACKUP_RUN_H

#include "backup/plan.h"
#include "backup/request.h"
#include "backup/volumes.h"

struct backup_request {
        const char *config_dir; /* NULL: the usual service */
        const char *store;
        const struct request *what; /* paths are absolute, clean, links at their end resolved */
        uint32_t type; /* enum vss_backup_type */
        const char *label; /* or NULL */
        const struct vss_id *provider; /* or NULL */
        bool no_delta; /* compare everything, whatever providers know of changes */
};

/* struct planned - one item of the plan, told before the copies exist or after it was carried out
 * @final: it was carried out: the writers' entries are in it, what failed says so (I-143)
 * @type:  of the operation it belongs to, enum vss_backup_type */
struct planned {
        const struct plan *plan;
        const struct plan_item *item;
        const struct used_volume *volume; /* that it lies on, or NULL: on none of the set */
        bool from_copy, final;
        uint32_t type;
};

/* All may be NULL. Called from the thread that runs the backup. */
struct backup_watch {
        void *userdata;
        void (*phase)(void *userdata, const char *phase, const char *who);
        int (*progress)(void *userdata, uint64_t entries, uint64_t bytes, const char *path);
        void (*note)(void *userdata, const char *words);
        /* a file that could not be stored; @component "" for the requester's own paths */
        void (*trouble)(void *userdata, const char *component, const char *path, int code,
                        const char *words);
        void (*writer)(void *userdata, const struct vss_writer_status *status);
        /* backup_plan(), and backup_run() once the operation is stored */
        void (*item)(void *userdata, const struct planned *planned);
};

struct backup_operation_outcome {
        uint32_t type;
        bool system_state; /* the writers were told that it is saved */
        uint64_t freeze_us, hold_us;
        vss_timestamp_t instant; /* of the shadow copies; 0 when there was none */
        size_t volumes;
};

struct backup_outcome {
        struct vss_id set_id;
        char *folder;
        struct backup_operation_outcome operations[2];
        size_t operation_count;
        size_t components_good, components_failed; /* explicit ones, and own paths as one */
        bool writers_missing; /* a configured writer could not be asked; nobody knows what it has */
        uint64_t entries, bytes, stored_bytes;
        uint64_t copy_us; /* from the finished shadow copies to the published set */
        uint64_t total_us;
};
void backup_outcome_done(struct backup_outcome *outcome);

/*
 * backup_run() - do it
 *
 * Return: 0 when a set was published, though components may have failed (look at @ret); negative
 * with words when there is no set: the store is as it was
 */
int backup_run(const struct backup_request *request, const struct backup_watch *watch,
               struct backup_outcome *ret, struct vss_error *reterr);

/* backup_plan() - what backup_run() would do, told to watch->item; freezes and stores nothing */
int backup_plan(const struct backup_request *request, const struct backup_watch *watch,
                struct vss_error *reterr);

#endif
