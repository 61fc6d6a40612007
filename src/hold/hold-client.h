/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-client.h - vssd's side of vss-hold: ask, then hear of it through an event.
 *
 * For a program of one thread: no call waits for a disk. One client serves one hold, in the order
 * start, prepare, presync, freeze, release, free; free at any time ends it, and everything frozen
 * is thawed by vss-hold at once. Start and prepare belong outside of any window (S-30).
 */
#ifndef HOLD_CLIENT_H
#define HOLD_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hold/protocol.h"
#include "vss/error.h"

struct hold_client;

struct hold_settings {
        const char *program; /* layout_program("vss-hold") */
        const char *runtime_dir; /* on tmpfs, 0700, exists */
        uint64_t limit_us; /* 0 or more than HOLD_LIMIT_US means HOLD_LIMIT_US */
        const char *const *never_freeze; /* CFG-56: mount points, ends with NULL; may be NULL */
};

struct hold_volume {
        const char *mount_point;
        uint64_t device; /* st_dev, or mountinfo's number, as the probe saw it; 0 = not known */
        uint64_t mount_id; /* STATX_MNT_ID = first field of mountinfo; 0 = not known */
        uint32_t level; /* 0 unless stacked: an image's file system below the one storing it (S-29);
                         * HOLD_SYNC_ONLY for one that its provider holds itself */
};

enum hold_event_type {
        HOLD_EVENT_PREPARED = HOLD_PREPARED,
        HOLD_EVENT_PRESYNCED = HOLD_PRESYNCED,
        HOLD_EVENT_FROZEN = HOLD_FROZEN, /* with a code: refused, RELEASED follows */
        HOLD_EVENT_RELEASED = HOLD_RELEASED, /* nothing is frozen any more; after a PREPARED
                                              * without code it comes once, always */
        HOLD_EVENT_BROKEN = HOLD_BROKEN, /* the hold ends early, now; RELEASED follows, and no
                                          * FROZEN if that was still awaited */
};

/* struct hold_event - what happened. @code: 0, or what to fail with (FLUSH_WRITES_TIMEOUT,
 * HOLD_WRITES_TIMEOUT, VOLUME_NOT_SUPPORTED, E_ACCESSDENIED, a negative errno); @words belong to
 * the client and last until its next call */
struct hold_event {
        enum hold_event_type type;
        int code;
        const char *words;
        uint64_t first_us, last_us; /* see struct hold_reply */
        size_t count;
        const struct hold_result *results; /* in the order of prepare's volumes */
};

/* hold_client_start() - start vss-hold; it waits for requests and freezes nothing yet */
int hold_client_start(const struct hold_settings *settings, struct hold_client **ret,
                      struct vss_error *reterr);

/* hold_client_free() - hang up; whatever is frozen is thawed by vss-hold. Returns NULL */
struct hold_client *hold_client_free(struct hold_client *client);

/* hold_client_fd() - readable when hold_client_process() has something to do */
int hold_client_fd(const struct hold_client *client);

/* hold_client_prepare() - open and check the mounts' roots (S-27), hand them over. An event
 * PREPARED follows. Two mounts of one file system are one freeze (P-82).
 * Return: 0; VSS_E_VOLUME_NOT_SUPPORTED forbidden by never_freeze; VSS_E_OBJECT_NOT_FOUND no
 * mount there, or another one than expected; VSS_E_BAD_STATE; negative errno */
int hold_client_prepare(struct hold_client *client, const struct hold_volume *volumes, size_t count,
                        struct vss_error *reterr);

/* hold_client_presync() - write out what is dirty, @rounds times (S-26); event PRESYNCED */
int hold_client_presync(struct hold_client *client, unsigned rounds, struct vss_error *reterr);

/* hold_client_freeze() - hold writes on all volumes; event FROZEN, its code tells whether. When it
 * failed nothing is frozen any more. The limit runs from here */
int hold_client_freeze(struct hold_client *client, struct vss_error *reterr);

/* hold_client_release() - let writes flow; event RELEASED, whose code says whether the volumes
 * were held without a gap until now. At any time after PREPARED: before FROZEN it means give up,
 * after BROKEN it changes nothing */
int hold_client_release(struct hold_client *client, struct vss_error *reterr);

/* hold_client_process() - take one event, without waiting.
 * Return: 1 and *ret, 0 nothing more for now, VSS_E_BAD_STATE when vss-hold is gone and its
 * RELEASED has been taken */
int hold_client_process(struct hold_client *client, struct hold_event *ret,
                        struct vss_error *reterr);

/* hold_client_pids() - freezer and guardian; 0 before PREPARED. For diagnosis and tests */
void hold_client_pids(const struct hold_client *client, pid_t *ret_freezer, pid_t *ret_guardian);

#endif
