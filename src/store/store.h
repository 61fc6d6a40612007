/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - the coordinator's records on disk: one small file per set, written before the deed,
 * and what a new life finds of the dead one's.
 *
 * Auto-release sets are recorded in the runtime folder (a reboot ends them and their record),
 * the others in the state folder. A record belongs to the life (one running vssd) that wrote it;
 * that life holds a lock on a file of its own, which the kernel releases however it dies. Used
 * from one thread; it writes files, so it is never called while something is held.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "coordinator/ports.h"

struct store;

/* store_open() - create the folders <runtime_dir>/sets and <state_dir>/sets (0700) if needed and
 * begin a life.
 *
 * Return: 0, -EACCES and other errno with words */
int store_open(const char *runtime_dir, const char *state_dir, struct store **ret,
               struct vss_error *reterr);

/* store_close() - end this life; its records stay. Accepts NULL, returns NULL */
struct store *store_close(struct store *store);

/* For the ports: struct record_ops forwards to these two. */
int store_write(struct store *store, const struct set_record *record, struct vss_error *reterr);
int store_remove(struct store *store, const struct vss_id *set_id, uint32_t context,
                 struct vss_error *reterr);

/* store_is_elsewhere() - is the set recorded by a life that runs and is not this one? */
bool store_is_elsewhere(struct store *store, const struct vss_id *set_id, uint32_t context);

typedef int (*store_sink_t)(void *userdata, const struct set_record *record);

/* store_adopt() - every record of a life that is over becomes this life's, and @sink is called with
 * it (hand it to coordinator_reconcile()). Records of lives that run are left alone; torn or
 * foreign files are renamed to "*.damaged" and told through @damaged (may be NULL).
 *
 * Return: number adopted, the sink's negative return, or a negative errno */
int store_adopt(struct store *store, store_sink_t sink,
                void (*damaged)(void *userdata, const char *path, const char *words),
                void *userdata, struct vss_error *reterr);

/* store_slot_acquire() - S-13, over all processes: a lock on <runtime_dir>/creation.lock.
 * Return: 0, VSS_E_SNAPSHOT_SET_IN_PROGRESS naming the holder, negative errno */
int store_slot_acquire(struct store *store, const struct vss_id *session_id,
                       struct vss_error *reterr);
void store_slot_release(struct store *store);

#endif
