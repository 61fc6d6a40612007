/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.h - what freezer and guardian of one vss-hold share and do; inside of src/hold only.
 *
 * serve.c collects the volumes and prepares; then the process has become two. All memory below is
 * static and locked. Rule for everything called after preparation: no allocation, no stdio, no
 * file but the record's unlink on tmpfs.
 */
#ifndef HOLD_HOLD_H
#define HOLD_HOLD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "hold/crew.h"
#include "hold/protocol.h"
#include "hold/record.h"

struct hold {
        int client_fd; /* both hold it; only the freezer reads */
        int runtime_fd;
        int record_fd; /* carries the lock on the record */
        int timer_fd; /* one timer for both; armed before the first FIFREEZE, never read */
        int signal_fd; /* SIGTERM */
        uint64_t limit_us;
        uint32_t count; /* of volumes, as the client counts */
        uint32_t slot[HOLD_VOLUMES_MAX]; /* volume -> entry; two mounts may share one (P-82) */
        uint32_t slots;
        uint32_t to_freeze; /* of the slots; the others are HOLD_SYNC_ONLY */
        int volume_fd[HOLD_VOLUMES_MAX]; /* per entry */
        struct hold_record *record;
        char record_name[64];
        struct crew crew; /* each process has its own copy */
        struct hold_reply reply;
};

/* hold_serve() - vss-hold's life on @hold->client_fd; returns the exit status */
int hold_serve(struct hold *hold, const char *runtime_dir);

/* hold_send() - send the reply with @type and results; lost when the client is gone */
void hold_send(struct hold *hold, enum hold_reply_type type, int code, enum hold_reason reason,
               uint32_t volume, int error);

/* hold_break() - the hold ends early: remember why, tell the client, wake all threads to thaw.
 * Nothing happens when all states are final already. True when it did something */
bool hold_break(struct hold *hold, enum hold_reason reason);

/* hold_finish() - all states are final: the record goes, the client hears RELEASED */
void hold_finish(struct hold *hold);

/* hold_code() - the official code for a broken hold */
int hold_code(enum hold_reason reason);

/* hold_freezer() and hold_guardian() - run until all is thawed and the client is gone; the
 * pidfds are those of the other one */
void hold_freezer(struct hold *hold, int guardian_pidfd);
void hold_guardian(struct hold *hold, int freezer_pidfd);

#endif
