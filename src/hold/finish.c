/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * finish.c - how a hold ends, the same for freezer and guardian, whoever of them is first.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "hold/hold.h"
#include "vss/error.h"

static uint64_t took(const struct hold_entry *entry, enum hold_reply_type type) {
        switch (type) {
        case HOLD_PRESYNCED:
                return atomic_load(&entry->sync_us);
        case HOLD_FROZEN:
                return atomic_load(&entry->freeze_us);
        case HOLD_RELEASED:
                return atomic_load(&entry->thaw_us);
        case HOLD_PREPARED:
        case HOLD_BROKEN:
                break;
        }
        return 0;
}

void hold_send(struct hold *hold, enum hold_reply_type type, int code, enum hold_reason reason,
               uint32_t volume, int error) {
        struct hold_reply *reply = &hold->reply;

        memset(reply, 0, sizeof(*reply));
        reply->type = type;
        reply->code = code;
        reply->reason = reason;
        reply->volume = volume;
        reply->error = error;
        reply->count = hold->count;
        if (hold->record) {
                reply->freezer = atomic_load(&hold->record->freezer);
                reply->guardian = atomic_load(&hold->record->guardian);
                reply->first_us = atomic_load(&hold->record->first_us);
        }
        if (type == HOLD_RELEASED)
                reply->last_us = monotonic_us();
        for (uint32_t i = 0; hold->record && i < hold->count; i++) {
                const struct hold_entry *entry = &hold->record->entries[hold->slot[i]];

                reply->results[i].took_us = took(entry, type);
                reply->results[i].error = atomic_load(&entry->error);
        }
        (void)send(hold->client_fd, reply, sizeof(*reply), MSG_DONTWAIT | MSG_NOSIGNAL);
}

int hold_code(enum hold_reason reason) {
        if (reason == HOLD_REASON_NONE)
                return 0;
        return reason == HOLD_REASON_FLUSH_EXPIRED ? VSS_E_FLUSH_WRITES_TIMEOUT
                                                   : VSS_E_HOLD_WRITES_TIMEOUT;
}

/* Not yet frozen at the limit: flushing was too slow. All frozen: what came after was (S-42). */
static enum hold_reason reason_of_expiry(const struct hold_record *record) {
        for (uint32_t i = 0; i < record->count; i++)
                if (atomic_load(&record->entries[i].state) < HOLD_STATE_FROZEN)
                        return HOLD_REASON_FLUSH_EXPIRED;
        return HOLD_REASON_EXPIRED;
}

bool hold_break(struct hold *hold, enum hold_reason reason) {
        uint32_t first = HOLD_REASON_NONE;

        if (hold_record_all_final(hold->record))
                return false;
        if (reason == HOLD_REASON_EXPIRED)
                reason = reason_of_expiry(hold->record);
        if (atomic_compare_exchange_strong(&hold->record->reason, &first, reason))
                first = reason;
        hold_send(hold, HOLD_BROKEN, hold_code(first), first, hold->count, 0);
        crew_post_all(&hold->crew, CREW_THAW);
        return true;
}

void hold_finish(struct hold *hold) {
        uint32_t reason = atomic_load(&hold->record->reason);

        (void)unlinkat(hold->runtime_fd, hold->record_name, 0);
        hold_send(hold, HOLD_RELEASED, hold_code(reason), reason, hold->count, 0);
}
