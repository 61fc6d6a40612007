/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protocol.h - the fixed records between vssd and vss-hold.
 *
 * A SOCK_SEQPACKET pair, one record per packet, same machine and same build, so plain C layout.
 * vssd sends struct hold_request, a HOLD_ADD with the volume's descriptor attached (SCM_RIGHTS);
 * vss-hold sends struct hold_reply. The socket's end of file is a message of its own: whatever is
 * frozen is thawed at once. No words travel: vssd makes them from reason, error and volume.
 *
 *   ADD (once per volume)           no answer
 *   PREPARE                         PREPARED: record stands, both processes are ready
 *   PRESYNC                         PRESYNCED
 *   FREEZE                          FROZEN, or with a code: all is thawed again
 *   RELEASE                         RELEASED; code != 0: the hold was broken before
 *   (at any time, unasked)          BROKEN when somebody had to thaw, then RELEASED, then the end
 */
#ifndef HOLD_PROTOCOL_H
#define HOLD_PROTOCOL_H

#include <stdint.h>

enum {
        HOLD_VOLUMES_MAX = 64, /* S-14 */
        HOLD_PRESYNC_MAX = 16,
};

/* A level: such a volume takes part in PRESYNC and is never frozen (P-60, P-61). */
#define HOLD_SYNC_ONLY UINT32_MAX

/* From the first freeze to the last thaw; a setting may lower it, nothing raises it (CFG-51). */
#define HOLD_LIMIT_US UINT64_C(10000000)

enum hold_request_type {
        HOLD_ADD = 1,
        HOLD_PREPARE,
        HOLD_PRESYNC,
        HOLD_FREEZE,
        HOLD_RELEASE,
};

enum hold_reply_type {
        HOLD_PREPARED = 1,
        HOLD_PRESYNCED,
        HOLD_FROZEN,
        HOLD_RELEASED,
        HOLD_BROKEN,
};

enum hold_reason {
        HOLD_REASON_NONE,
        HOLD_REASON_BAD_REQUEST, /* out of order, or nonsense */
        HOLD_REASON_RUNTIME, /* the runtime folder is not on tmpfs */
        HOLD_REASON_IDENTITY, /* the descriptor is not the volume it was said to be (S-27) */
        HOLD_REASON_RECORD_FS, /* the volume would hold the record itself */
        HOLD_REASON_SETUP, /* no memory, thread, timer, record: see error */
        HOLD_REASON_SYNC, /* syncfs reported error */
        HOLD_REASON_FREEZE, /* FIFREEZE reported error; EBUSY: frozen by somebody else (S-28) */
        HOLD_REASON_EXPIRED, /* the limit was reached while all was frozen */
        HOLD_REASON_FLUSH_EXPIRED, /* the limit was reached while FIFREEZE still wrote out (S-42) */
        HOLD_REASON_FREEZER_DIED,
        HOLD_REASON_GUARDIAN_DIED,
        HOLD_REASON_TERMINATED, /* SIGTERM */
        HOLD_REASON_CLIENT_GONE,
        HOLD_REASON_FOREIGN_THAW, /* somebody else ended our freeze */
};

struct hold_request {
        uint32_t type;
        uint32_t value; /* ADD: the level, lower is frozen first (S-29); PRESYNC: rounds */
        uint64_t device; /* ADD: st_dev of the mount's root */
        uint64_t mount_id; /* ADD: STATX_MNT_ID of the mount's root */
};

struct hold_result {
        int32_t error; /* errno, positive; 0 is success */
        uint32_t flags;
        uint64_t took_us; /* PRESYNCED: of all rounds; FROZEN: FIFREEZE; RELEASED: FITHAW */
};

struct hold_reply {
        uint32_t type;
        int32_t code; /* 0 or an official code or negative errno */
        uint32_t reason;
        uint32_t volume; /* the one to blame, in the order of ADD; count when it is none of them */
        int32_t error; /* positive errno behind the code */
        uint32_t count;
        int32_t freezer, guardian; /* process ids, from PREPARED on */
        uint64_t first_us,
                last_us; /* monotonic: before the first FIFREEZE, after the last FITHAW */
        struct hold_result results[HOLD_VOLUMES_MAX];
};

#endif
