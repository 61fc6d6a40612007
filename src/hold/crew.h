/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crew.h - one waiting thread per file system, made before the window, that does its ioctls.
 *
 * FIFREEZE cannot be interrupted, so whoever decides must never call it itself (S-26). Freezer
 * and guardian each have a crew of their own; what the threads find out stands in the record, and
 * each finished job is one tick of an eventfd.
 */
#ifndef HOLD_CREW_H
#define HOLD_CREW_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include "hold/protocol.h"
#include "hold/record.h"

enum {
        CREW_SYNC = 1 << 0,
        CREW_FREEZE = 1 << 1,
        CREW_THAW = 1 << 2, /* wins over a FREEZE that has not begun; retried for ever (S-30) */
};

struct crew;

struct crew_member {
        sem_t wake;
        _Atomic uint32_t jobs;
        struct crew *crew;
        struct hold_entry *entry;
        int volume_fd;
};

struct crew {
        struct hold_record *record;
        int tick_fd;
        uint32_t rounds;
        _Atomic uint32_t synced;
        /* Is FITHAW's "not frozen" final for a volume that is FREEZING? True for the freezer, whose
         * thread did it itself, and for the guardian once the freezer is dead. */
        _Atomic uint32_t final;
        struct crew_member members[HOLD_VOLUMES_MAX];
};

/* crew_start() - make the threads; 0 or negative errno. @crew must live for ever */
int crew_start(struct crew *crew, struct hold_record *record, const int *volume_fds);

/* crew_post() - give @job to the thread of entry @index; never blocks */
void crew_post(struct crew *crew, uint32_t index, uint32_t job);
void crew_post_all(struct crew *crew, uint32_t job);

#endif
