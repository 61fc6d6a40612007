/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - the written undo of a hold: which file systems, and how far each one is.
 *
 * A file on tmpfs that freezer and guardian map shared, so that the states which they act on are
 * the record itself: a store to memory inside the window, no write. It stands complete before the
 * first FIFREEZE and goes after the last FITHAW. Both processes share one open file with a
 * flock(2) on it: the lock falls when the last thread of the last of them has ended, and only then
 * is what FITHAW says about a file system final. After that, leftovers.c acts on the states.
 */
#ifndef HOLD_RECORD_H
#define HOLD_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hold/identity.h"

#define HOLD_RECORD_PREFIX "hold-"
#define HOLD_RECORD_MAGIC "vss-hold record 1\n"

/* The way of a state: IDLE -> FREEZING -> FROZEN -> THAWED, or REFUSED (FIFREEZE failed: not our
 * freeze, never thawed by us), or ENDED (never tried). The last three are final. */
enum hold_state {
        HOLD_STATE_IDLE,
        HOLD_STATE_FREEZING, /* stored before FIFREEZE: it may be frozen */
        HOLD_STATE_FROZEN,
        HOLD_STATE_THAWED,
        HOLD_STATE_REFUSED,
        HOLD_STATE_ENDED,
};

struct hold_entry {
        _Atomic uint32_t state;
        _Atomic int32_t error;
        _Atomic uint64_t sync_us, freeze_us, thaw_us;
        uint32_t level;
        struct fs_identity identity;
};

struct hold_record {
        char magic[32];
        char boot_id[48];
        _Atomic int32_t freezer, guardian;
        _Atomic uint32_t
                reason; /* why the hold was broken, enum hold_reason; the first one stays */
        uint32_t count;
        _Atomic uint64_t first_us;
        struct hold_entry entries[];
};

static inline size_t hold_record_size(uint32_t count) {
        return sizeof(struct hold_record) + count * sizeof(struct hold_entry);
}

static inline bool hold_state_is_final(uint32_t state) {
        return state >= HOLD_STATE_THAWED;
}

/* hold_record_all_final() - nothing is frozen by us and nothing will be */
bool hold_record_all_final(const struct hold_record *record);

/* hold_runtime_open() - descriptor of the folder for records; -EMEDIUMTYPE when it is not on
 * tmpfs or ramfs (P-78), other negative errno */
int hold_runtime_open(const char *path);

/* hold_record_create() - a locked record of @count entries without a name yet; the caller fills
 * the entries and publishes it. *ret_fd carries the lock.
 * Return: 0 or negative errno */
int hold_record_create(int runtime_fd, uint32_t count, struct hold_record **ret, int *ret_fd);

/* hold_record_publish() - give it its name, of at most 63 bytes, in the folder */
int hold_record_publish(int runtime_fd, int fd, char ret_name[64]);

/* hold_boot_id() - with its newline, as the kernel writes it */
int hold_boot_id(char ret[48]);

#endif
