/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * freezer.c - the first of the two: takes requests, has its crew carry them out, and answers.
 *
 * The one rule of its ending: once every state in the record is final the hold is over, whoever
 * brought that about. It then answers RELEASED and waits for the client to hang up. (When there is
 * nothing to freeze all states are final from the start; then it takes a wish to end.)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"
#include "hold/hold.h"
#include "vss/error.h"

enum { CLIENT, GUARDIAN, TIMER, SIGNAL, TICK, SOURCES };

enum phase { READY, SYNCING, FREEZING, FROZEN, RELEASING, ENDED };

struct freezer {
        struct hold *hold;
        enum phase phase;
        uint32_t level; /* being frozen or released */
        uint32_t refused; /* entry whose FIFREEZE failed; record->count: none */
        bool wanted_end; /* by RELEASE, or by what ends a hold early */
        struct pollfd poll_fds[SOURCES];
};

static uint32_t volume_of(const struct hold *hold, uint32_t slot) {
        uint32_t i = 0;

        while (i < hold->count && hold->slot[i] != slot)
                i++;
        return i;
}

/* The nearest level from @level on that has an entry in @state; UINT32_MAX when there is none. */
static uint32_t next_level(const struct hold_record *record, uint32_t state, bool highest) {
        uint32_t found = UINT32_MAX;

        for (uint32_t i = 0; i < record->count; i++) {
                const struct hold_entry *entry = &record->entries[i];

                if (atomic_load(&entry->state) != state)
                        continue;
                if (found == UINT32_MAX || (highest ? entry->level > found : entry->level < found))
                        found = entry->level;
        }
        return found;
}

static void post_level(struct freezer *freezer, uint32_t job) {
        struct hold_record *record = freezer->hold->record;

        for (uint32_t i = 0; i < record->count; i++)
                if (record->entries[i].level == freezer->level)
                        crew_post(&freezer->hold->crew, i, job);
}

static void end_presync(struct freezer *freezer) {
        struct hold *hold = freezer->hold;
        uint32_t bad = 0;
        int error;

        if (atomic_load(&hold->crew.synced) < hold->slots)
                return;
        while (bad < hold->slots && !atomic_load(&hold->record->entries[bad].error))
                bad++;
        error = bad < hold->slots ? atomic_load(&hold->record->entries[bad].error) : 0;
        freezer->phase = READY;
        hold_send(hold, HOLD_PRESYNCED, -error, error ? HOLD_REASON_SYNC : HOLD_REASON_NONE,
                  volume_of(hold, bad), error);
}

/* One volume that cannot be held ends the hold of the others. */
static void note_refusal(struct freezer *freezer) {
        struct hold *hold = freezer->hold;

        for (uint32_t i = 0; i < hold->slots && freezer->refused == hold->slots; i++)
                if (atomic_load(&hold->record->entries[i].state) == HOLD_STATE_REFUSED) {
                        freezer->refused = i;
                        crew_post_all(&hold->crew, CREW_THAW);
                }
}

/* Lower levels first: an image's file system flushes into the one that stores it (S-29). */
static void go_on_freezing(struct freezer *freezer) {
        struct hold *hold = freezer->hold;
        uint32_t level;

        for (uint32_t i = 0; i < hold->slots; i++) {
                if (atomic_load(&hold->record->entries[i].state) == HOLD_STATE_FREEZING)
                        return;
        }
        if (freezer->refused < hold->slots || atomic_load(&hold->record->reason))
                return;
        level = next_level(hold->record, HOLD_STATE_IDLE, false);
        if (level == UINT32_MAX) {
                freezer->phase = FROZEN;
                hold_send(hold, HOLD_FROZEN, 0, HOLD_REASON_NONE, hold->count, 0);
        } else if (level != freezer->level) {
                freezer->level = level;
                post_level(freezer, CREW_FREEZE);
        }
}

static void go_on_releasing(struct freezer *freezer) {
        struct hold_record *record = freezer->hold->record;
        uint32_t level = next_level(record, HOLD_STATE_FROZEN, true);

        if (level == UINT32_MAX || level == freezer->level)
                return;
        freezer->level = level;
        post_level(freezer, CREW_THAW);
}

static int code_of_refusal(int error) {
        switch (error) {
        case EBUSY:
                return VSS_E_HOLD_WRITES_TIMEOUT;
        case EOPNOTSUPP:
        case ENOTTY:
                return VSS_E_VOLUME_NOT_SUPPORTED;
        case EPERM:
                return E_ACCESSDENIED;
        default:
                return -error;
        }
}

static void finish(struct freezer *freezer) {
        struct hold *hold = freezer->hold;

        if (freezer->refused < hold->slots) {
                int error = atomic_load(&hold->record->entries[freezer->refused].error);

                hold_send(hold, HOLD_FROZEN, code_of_refusal(error), HOLD_REASON_FREEZE,
                          volume_of(hold, freezer->refused), error);
        }
        hold_finish(hold);
        freezer->phase = ENDED;
        for (unsigned i = CLIENT + 1; i < SOURCES; i++)
                freezer->poll_fds[i].fd = -1;
}

static bool is_over(const struct freezer *freezer) {
        return (freezer->hold->to_freeze > 0 || freezer->wanted_end) &&
               hold_record_all_final(freezer->hold->record);
}

static void advance(struct freezer *freezer) {
        if (freezer->phase == FREEZING)
                note_refusal(freezer); /* it may be all there was, and then it is over */
        if (freezer->phase != ENDED && is_over(freezer))
                finish(freezer);
        else if (freezer->phase == SYNCING)
                end_presync(freezer);
        else if (freezer->phase == FREEZING)
                go_on_freezing(freezer);
        else if (freezer->phase == RELEASING)
                go_on_releasing(freezer);
}

static int start_presync(struct freezer *freezer, uint32_t rounds) {
        struct hold *hold = freezer->hold;

        if (freezer->phase != READY || rounds == 0 || rounds > HOLD_PRESYNC_MAX)
                return VSS_E_BAD_STATE;
        hold->crew.rounds = rounds;
        atomic_store(&hold->crew.synced, 0);
        freezer->phase = SYNCING;
        crew_post_all(&hold->crew, CREW_SYNC);
        return 0;
}

static int start_freeze(struct freezer *freezer) {
        struct hold *hold = freezer->hold;
        struct itimerspec limit = { .it_value = { (time_t)(hold->limit_us / 1000000),
                                                  (long)(hold->limit_us % 1000000) * 1000 } };

        if (freezer->phase != READY)
                return VSS_E_BAD_STATE;
        /* The limit stands before the first freeze, for both processes. */
        if (hold->to_freeze > 0 && timerfd_settime(hold->timer_fd, 0, &limit, NULL) < 0)
                return -errno;
        atomic_store(&hold->record->first_us, monotonic_us());
        freezer->phase = FREEZING;
        freezer->level = UINT32_MAX;
        return 0;
}

/* Before all is frozen it means: give up, in whatever order. */
static void start_release(struct freezer *freezer) {
        /* on its way already, or over: no second answer */
        if (freezer->phase == RELEASING || freezer->phase == ENDED ||
            atomic_load(&freezer->hold->record->reason))
                return;
        if (freezer->phase != FROZEN)
                crew_post_all(&freezer->hold->crew, CREW_THAW);
        freezer->level = UINT32_MAX;
        freezer->phase = RELEASING;
        freezer->wanted_end = true;
}

static void handle_request(struct freezer *freezer) {
        struct hold *hold = freezer->hold;
        struct hold_request request;
        enum hold_reply_type type = HOLD_BROKEN;
        int r = VSS_E_BAD_STATE;

        if (recv(hold->client_fd, &request, sizeof(request), MSG_DONTWAIT) != sizeof(request))
                return;
        if (request.type == HOLD_PRESYNC) {
                type = HOLD_PRESYNCED;
                r = start_presync(freezer, request.value);
        } else if (request.type == HOLD_FREEZE) {
                type = HOLD_FROZEN;
                r = start_freeze(freezer);
        } else if (request.type == HOLD_RELEASE) {
                start_release(freezer);
                r = 0;
        }
        if (r < 0)
                hold_send(hold, type, r, HOLD_REASON_BAD_REQUEST, hold->count, 0);
}

/* What ends a hold early is heard once each, so that a lasting condition does not spin us. */
static void hear(struct freezer *freezer, unsigned source, enum hold_reason reason) {
        struct pollfd *poll_fd = &freezer->poll_fds[source];

        if (poll_fd->fd < 0 || !(poll_fd->revents & (POLLHUP | POLLERR | poll_fd->events)))
                return;
        poll_fd->fd = -1;
        freezer->wanted_end = true;
        (void)hold_break(freezer->hold, reason);
}

static void dispatch(struct freezer *freezer) {
        struct pollfd *poll_fds = freezer->poll_fds;
        eventfd_t ticks;

        if (poll_fds[TICK].revents)
                (void)eventfd_read(freezer->hold->crew.tick_fd, &ticks);
        hear(freezer, GUARDIAN, HOLD_REASON_GUARDIAN_DIED);
        hear(freezer, TIMER, HOLD_REASON_EXPIRED);
        hear(freezer, SIGNAL, HOLD_REASON_TERMINATED);
        if (poll_fds[CLIENT].revents & POLLHUP)
                hear(freezer, CLIENT, HOLD_REASON_CLIENT_GONE);
        else if (poll_fds[CLIENT].revents)
                handle_request(freezer);
        advance(freezer);
}

void hold_freezer(struct hold *hold, int guardian_pidfd) {
        struct freezer freezer = {
                .hold = hold,
                .phase = READY,
                .refused = hold->slots,
                .poll_fds = {
                        [CLIENT] = { hold->client_fd, POLLIN, 0 },
                        [GUARDIAN] = { guardian_pidfd, POLLIN, 0 },
                        [TIMER] = { hold->timer_fd, POLLIN, 0 },
                        [SIGNAL] = { hold->signal_fd, POLLIN, 0 },
                        [TICK] = { hold->crew.tick_fd, POLLIN, 0 },
                },
        };

        while (freezer.phase != ENDED || freezer.poll_fds[CLIENT].fd >= 0) {
                if (poll(freezer.poll_fds, SOURCES, -1) < 0)
                        continue;
                dispatch(&freezer);
        }
}
