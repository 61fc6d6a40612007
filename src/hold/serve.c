/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.c - vss-hold before it becomes two: collect the volumes, check them, write the record.
 *
 * The only part that may allocate and read files. When it has answered PREPARED, everything that
 * the window needs is open, mapped and locked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hold/hold.h"

/* volumes as they came; their descriptors live until the process ends */
struct arrivals {
        struct hold_request request[HOLD_VOLUMES_MAX];
        int fd[HOLD_VOLUMES_MAX];
        struct fs_identity identity[HOLD_VOLUMES_MAX];
};

static struct arrivals arrivals;

struct failure {
        enum hold_reason reason;
        uint32_t volume;
};

/* receive() - one request, with at most one descriptor. 1, 0 at the end, negative errno */
static int receive(int socket_fd, struct hold_request *ret, int *ret_fd) {
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control;
        struct iovec part = { ret, sizeof(*ret) };
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        struct cmsghdr *header;
        ssize_t n;

        *ret_fd = -1;
        do
                n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
        return n == sizeof(*ret) ? 1 : -EBADMSG;
}

/* collect() - 1 when PREPARE has come, 0 the client went, -EBADMSG nonsense */
static int collect(struct hold *hold) {
        for (;;) {
                struct hold_request request;
                int fd, r = receive(hold->client_fd, &request, &fd);

                if (r <= 0)
                        return r;
                if (request.type == HOLD_PREPARE && fd < 0)
                        return hold->count > 0 ? 1 : -EBADMSG;
                if (request.type != HOLD_ADD || fd < 0 || hold->count == HOLD_VOLUMES_MAX)
                        return -EBADMSG;
                arrivals.request[hold->count] = request;
                arrivals.fd[hold->count++] = fd;
        }
}

/* The descriptor must be the very mount that vssd chose (S-27), and not hold our record. */
static int check_volume(struct hold *hold, uint32_t i, struct failure *failure) {
        const struct hold_request *request = &arrivals.request[i];
        struct fs_identity *identity = &arrivals.identity[i];
        struct stat st;
        int r = fs_identify(arrivals.fd[i], identity);

        failure->volume = i;
        failure->reason = HOLD_REASON_IDENTITY;
        if (r < 0)
                return r;
        if (identity->device != request->device || identity->mount_id != request->mount_id)
                return -ESTALE;
        if (fstat(hold->runtime_fd, &st) < 0)
                return -errno;
        failure->reason = HOLD_REASON_RECORD_FS;
        return st.st_dev == identity->device && request->value != HOLD_SYNC_ONLY ? -EDEADLK : 0;
}

/* One entry per file system; of two mounts the one with the lower level is meant (P-82). */
static void assign_slots(struct hold *hold, uint32_t *first, uint32_t *level) {
        for (uint32_t i = 0; i < hold->count; i++) {
                uint32_t slot = 0;

                while (slot < hold->slots &&
                       arrivals.identity[first[slot]].super != arrivals.identity[i].super)
                        slot++;
                hold->slot[i] = slot;
                if (slot == hold->slots) {
                        hold->slots++;
                        first[slot] = i;
                        level[slot] = arrivals.request[i].value;
                        hold->volume_fd[slot] = arrivals.fd[i];
                } else if (arrivals.request[i].value < level[slot]) {
                        level[slot] = arrivals.request[i].value;
                }
        }
}

static int write_record(struct hold *hold) {
        uint32_t first[HOLD_VOLUMES_MAX], level[HOLD_VOLUMES_MAX];
        int r;

        assign_slots(hold, first, level);
        r = hold_record_create(hold->runtime_fd, hold->slots, &hold->record, &hold->record_fd);
        if (r < 0)
                return r;
        for (uint32_t slot = 0; slot < hold->slots; slot++) {
                hold->record->entries[slot].identity = arrivals.identity[first[slot]];
                hold->record->entries[slot].level = level[slot];
                if (level[slot] == HOLD_SYNC_ONLY)
                        atomic_store(&hold->record->entries[slot].state, HOLD_STATE_ENDED);
                else
                        hold->to_freeze++;
        }
        atomic_store(&hold->record->freezer, getpid());
        return hold_record_publish(hold->runtime_fd, hold->record_fd, hold->record_name);
}

/* SIGINT and SIGHUP mean somebody at a terminal, not us; SIGTERM thaws and ends. */
static int take_signals(struct hold *hold) {
        sigset_t set;

        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGCHLD, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        hold->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return hold->signal_fd < 0 ? -errno : 0;
}

/* Ahead of others, and not the one to be killed for memory. Without the right to it we go on. */
static void ask_for_privileges(void) {
        struct sched_param priority = { .sched_priority = 1 };
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd >= 0) {
                (void)!write(fd, "-1000", 5);
                close(fd);
        }
        (void)sched_setscheduler(0, SCHED_RR, &priority);
}

static int lock_and_start_crew(struct hold *hold) {
        if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
                return -errno;
        return crew_start(&hold->crew, hold->record, hold->volume_fd);
}

static void __attribute__((noreturn))
be_guardian(struct hold *hold, int freezer_pidfd, int ready_fd) {
        int r;

        (void)setsid();
        r = lock_and_start_crew(hold);
        atomic_store(&hold->record->guardian, getpid());
        (void)eventfd_write(ready_fd, r < 0 ? 2 : 1);
        if (r >= 0) {
                hold_guardian(hold, freezer_pidfd);
                hold_finish(hold);
        }
        _exit(r < 0);
}

static int wait_for_guardian(int guardian_pidfd, int ready_fd) {
        struct pollfd poll_fds[2] = { { ready_fd, POLLIN, 0 }, { guardian_pidfd, POLLIN, 0 } };
        eventfd_t answer = 0;

        while (poll(poll_fds, 2, -1) < 0)
                ;
        if (!poll_fds[0].revents || eventfd_read(ready_fd, &answer) < 0)
                return -ESRCH;
        return answer == 1 ? 0 : -ENOMEM;
}

/* start_guardian() - its pidfd; the child does not return from here */
static int start_guardian(struct hold *hold) {
        _cleanup_close_ int freezer = (int)syscall(SYS_pidfd_open, getpid(), 0);
        _cleanup_close_ int ready = eventfd(0, EFD_CLOEXEC);
        _cleanup_close_ int guardian = -1;
        pid_t pid;
        int r;

        if (freezer < 0 || ready < 0)
                return -errno;
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                be_guardian(hold, freezer, ready);
        guardian = (int)syscall(SYS_pidfd_open, pid, 0);
        if (guardian < 0)
                return -errno;
        r = wait_for_guardian(guardian, ready);
        return r < 0 ? r : take_fd(&guardian);
}

/* prepare() - the guardian's pidfd, or a negative errno and who is to blame */
static int prepare(struct hold *hold, struct failure *failure) {
        int guardian, r = 0;

        for (uint32_t i = 0; i < hold->count && r >= 0; i++)
                r = check_volume(hold, i, failure);
        if (r < 0)
                return r;
        *failure = (struct failure){ HOLD_REASON_SETUP, hold->count };
        r = take_signals(hold);
        if (r < 0)
                return r;
        hold->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (hold->timer_fd < 0)
                return -errno;
        r = write_record(hold);
        if (r < 0)
                return r;
        guardian = start_guardian(hold);
        if (guardian < 0)
                return guardian;
        r = lock_and_start_crew(hold);
        atomic_store(&hold->crew.final, 1);
        return r < 0 ? r : guardian;
}

int hold_serve(struct hold *hold, const char *runtime_dir) {
        struct failure failure = { HOLD_REASON_BAD_REQUEST, 0 };
        int guardian, r;

        ask_for_privileges();
        r = collect(hold);
        if (r == 0)
                return 0;
        if (r > 0) {
                failure = (struct failure){ HOLD_REASON_RUNTIME, hold->count };
                r = hold->runtime_fd = hold_runtime_open(runtime_dir);
        }
        if (r >= 0)
                r = guardian = prepare(hold, &failure);
        if (r < 0) {
                if (hold->record_name[0])
                        (void)unlinkat(hold->runtime_fd, hold->record_name, 0);
                hold_send(hold, HOLD_PREPARED, r, failure.reason, failure.volume, -r);
                return 1;
        }
        hold_send(hold, HOLD_PREPARED, 0, HOLD_REASON_NONE, hold->count, 0);
        hold_freezer(hold, guardian);
        return 0;
}
