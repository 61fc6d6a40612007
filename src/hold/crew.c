/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "hold/crew.h"

#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { STACK_SIZE = 64 * 1024, RETRY_NS = 20 * 1000 * 1000 };

static void sync_volume(struct crew_member *member) {
        uint64_t start = monotonic_us();
        int error = 0;

        for (uint32_t i = 0; i < member->crew->rounds && !error; i++)
                if (syncfs(member->volume_fd) < 0)
                        error = errno;
        atomic_store(&member->entry->sync_us, monotonic_us() - start);
        atomic_store(&member->entry->error, error);
        atomic_fetch_add(&member->crew->synced, 1);
}

static void freeze_volume(struct crew_member *member) {
        struct hold_entry *entry = member->entry;
        uint32_t state = HOLD_STATE_IDLE;
        uint64_t start;
        int error;

        /* Undo before do: from here on whoever comes after us thaws. */
        if (!atomic_compare_exchange_strong(&entry->state, &state, HOLD_STATE_FREEZING))
                return;
        start = monotonic_us();
        error = ioctl(member->volume_fd, FIFREEZE, 0) < 0 ? errno : 0;
        /* The state first: dying between the call and this line means that a freeze of somebody
         * else would be taken for ours. When the guardian has thawed already, that stays. */
        state = HOLD_STATE_FREEZING;
        atomic_compare_exchange_strong(&entry->state, &state,
                                       error ? HOLD_STATE_REFUSED : HOLD_STATE_FROZEN);
        /* ... but it may have thawed a freeze of somebody else while we stood still before the call
         */
        if (!error && state != HOLD_STATE_FREEZING)
                (void)ioctl(member->volume_fd, FITHAW, 0);
        atomic_store(&entry->error, error);
        atomic_store(&entry->freeze_us, monotonic_us() - start);
}

/* thaw_once() - true when the volume's state is final now */
static bool thaw_once(struct crew_member *member) {
        struct hold_entry *entry = member->entry;
        /* both read before the call: what it says must be younger */
        bool final = atomic_load(&member->crew->final);
        uint32_t state = HOLD_STATE_IDLE;
        int error;

        if (atomic_compare_exchange_strong(&entry->state, &state, HOLD_STATE_ENDED) ||
            hold_state_is_final(state))
                return true;
        error = ioctl(member->volume_fd, FITHAW, 0) < 0 ? errno : 0;
        if (error && (error != EINVAL || (state == HOLD_STATE_FREEZING && !final)))
                return hold_state_is_final(atomic_load(&entry->state));
        if (error) {
                uint32_t none = HOLD_REASON_NONE;

                /* Somebody else ended it while we meant to hold: the set is worth nothing. */
                if (state == HOLD_STATE_FROZEN)
                        atomic_compare_exchange_strong(&member->crew->record->reason, &none,
                                                       HOLD_REASON_FOREIGN_THAW);
        }
        atomic_store(&entry->state, HOLD_STATE_THAWED);
        return true;
}

static void thaw_volume(struct crew_member *member) {
        uint64_t start = monotonic_us();

        while (!thaw_once(member))
                (void)nanosleep(&(struct timespec){ .tv_nsec = RETRY_NS }, NULL);
        atomic_store(&member->entry->thaw_us, monotonic_us() - start);
}

static void *work(void *argument) {
        struct crew_member *member = argument;

        for (;;) {
                uint32_t jobs;

                while (sem_wait(&member->wake) < 0)
                        ;
                jobs = atomic_exchange(&member->jobs, 0);
                if (jobs & CREW_SYNC)
                        sync_volume(member);
                if ((jobs & CREW_FREEZE) && !(jobs & CREW_THAW))
                        freeze_volume(member);
                if (jobs & CREW_THAW)
                        thaw_volume(member);
                if (jobs)
                        (void)eventfd_write(member->crew->tick_fd, 1);
        }
        return NULL;
}

int crew_start(struct crew *crew, struct hold_record *record, const int *volume_fds) {
        pthread_attr_t attributes;
        int r = pthread_attr_init(&attributes);

        if (r == 0)
                r = pthread_attr_setstacksize(&attributes, STACK_SIZE);
        if (r != 0)
                return -r;
        crew->record = record;
        crew->tick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (crew->tick_fd < 0)
                return -errno;
        for (uint32_t i = 0; i < record->count && r == 0; i++) {
                struct crew_member *member = &crew->members[i];
                pthread_t thread;

                member->crew = crew;
                member->entry = &record->entries[i];
                member->volume_fd = volume_fds[i];
                if (sem_init(&member->wake, 0, 0) < 0)
                        r = errno;
                else
                        r = pthread_create(&thread, &attributes, work, member);
        }
        (void)pthread_attr_destroy(&attributes);
        return -r;
}

void crew_post(struct crew *crew, uint32_t index, uint32_t job) {
        atomic_fetch_or(&crew->members[index].jobs, job);
        (void)sem_post(&crew->members[index].wake);
}

void crew_post_all(struct crew *crew, uint32_t job) {
        for (uint32_t i = 0; i < crew->record->count; i++)
                crew_post(crew, i, job);
}
