/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold-client.c - vssd's side of vss-hold: records out, events in, and words for people.
 */
#define _GNU_SOURCE
#include "hold/hold-client.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/process.h"
#include "hold/identity.h"
#include "hold/leftovers.h"

struct hold_client {
        int fd;
        char *runtime_dir;
        char **forbidden; /* CFG-56 */
        char **mount_points; /* of the volumes, for words */
        size_t count;
        bool prepared; /* PREPARED came with code 0: a RELEASED is owed */
        bool released; /* and was paid */
        bool broken; /* the news is old */
        pid_t freezer, guardian;
        struct hold_reply reply;
        struct vss_error error; /* words of the last event */
};

enum { START_TIMEOUT_MS = 5000, SEND_BUFFER = 1024 * 1024 };

static char **free_strings(char **strings) {
        for (char **s = strings; s && *s; s++)
                free(*s);
        free(strings);
        return NULL;
}

static char **copy_strings(const char *const *strings) {
        size_t n = 0;
        char **copy;

        while (strings && strings[n])
                n++;
        copy = calloc(n + 1, sizeof(*copy));
        for (size_t i = 0; copy && i < n; i++) {
                copy[i] = strdup(strings[i]);
                if (!copy[i])
                        return free_strings(copy);
        }
        return copy;
}

struct hold_client *hold_client_free(struct hold_client *client) {
        if (!client)
                return NULL;
        if (client->fd >= 0)
                close(client->fd);
        free(client->runtime_dir);
        free_strings(client->forbidden);
        free_strings(client->mount_points);
        vss_error_clear(&client->error);
        free(client);
        return NULL;
}

DEFINE_CLEANUP(struct hold_client *, hold_client_free)

/* The program that we start forks and ends at once, so waiting for it is short. */
static int spawn(const struct hold_settings *settings, int fd, struct vss_error *reterr) {
        uint64_t limit = settings->limit_us;
        char limit_text[24];
        char *argv[] = { NULL, NULL, limit_text, NULL };
        _cleanup_free_ char *program = strdup(settings->program);
        _cleanup_free_ char *runtime = strdup(settings->runtime_dir);
        struct process process = PROCESS_NONE;
        int r;

        if (!program || !runtime)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (limit == 0 || limit > HOLD_LIMIT_US)
                limit = HOLD_LIMIT_US;
        snprintf(limit_text, sizeof(limit_text), "%" PRIu64, limit);
        argv[0] = program;
        argv[1] = runtime;
        r = process_spawn(program, argv, fd, PROCESS_NULL_STDIO | PROCESS_NEW_SESSION, &process);
        if (r < 0)
                return vss_fail(reterr, r, "cannot start '%s': %s", program, strerror(-r));
        r = process_wait(&process, START_TIMEOUT_MS);
        process_kill(&process);
        if (r != 0)
                return vss_fail(reterr, r < 0 ? r : -EPROTO, "'%s' did not start properly",
                                program);
        return 0;
}

int hold_client_start(const struct hold_settings *settings, struct hold_client **ret,
                      struct vss_error *reterr) {
        _cleanup_(hold_client_freep) struct hold_client *client = calloc(1, sizeof(*client));
        _cleanup_close_ int theirs = -1;
        int pair[2], size = SEND_BUFFER, r;

        if (!client)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        client->fd = -1;
        client->runtime_dir = strdup(settings->runtime_dir);
        client->forbidden = copy_strings(settings->never_freeze);
        if (!client->runtime_dir || !client->forbidden)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return vss_fail(reterr, -errno, "cannot make a socket for vss-hold: %m");
        client->fd = pair[0];
        theirs = pair[1];
        /* all volumes fit before the other side reads any */
        if (setsockopt(client->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                (void)setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        r = spawn(settings, theirs, reterr);
        if (r < 0)
                return r;
        *ret = take(client);
        return 0;
}

int hold_client_fd(const struct hold_client *client) {
        return client->fd;
}

void hold_client_pids(const struct hold_client *client, pid_t *ret_freezer, pid_t *ret_guardian) {
        *ret_freezer = client->freezer;
        *ret_guardian = client->guardian;
}

static int send_request(struct hold_client *client, const struct hold_request *request, int fd,
                        struct vss_error *reterr) {
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { { 0 } };
        struct hold_request copy = *request;
        struct iovec part = { &copy, sizeof(copy) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        if (fd >= 0) {
                struct cmsghdr *header;

                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(header), &fd, sizeof(int));
        }
        if (sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                return 0;
        /* When it is gone the events tell so; here that is no failure of its own. */
        if (errno == EPIPE || errno == ECONNRESET)
                return 0;
        return vss_fail(reterr, -errno, "cannot talk to vss-hold: %m");
}

/* CFG-56: by name, and by file system for another mount of the same one */
static int check_allowed(const struct hold_client *client, const struct hold_volume *volume,
                         uint64_t device, struct vss_error *reterr) {
        for (char **path = client->forbidden; *path; path++) {
                struct stat st;

                if (strcmp(*path, volume->mount_point) == 0 ||
                    (stat(*path, &st) >= 0 && st.st_dev == device))
                        return vss_fail(reterr, VSS_E_VOLUME_NOT_SUPPORTED,
                                        "'%s' must not be frozen: '%s' is listed in [hold] "
                                        "never_freeze",
                                        volume->mount_point, *path);
        }
        return 0;
}

/* S-27. On btrfs mountinfo's number is not st_dev; either may have been noted. */
static bool is_expected(int fd, const struct hold_volume *volume,
                        const struct hold_request *request) {
        _cleanup_free_ struct fs_identity *identity = NULL;

        if (volume->mount_id && volume->mount_id != request->mount_id)
                return false;
        if (!volume->device || volume->device == request->device)
                return true;
        identity = malloc(sizeof(*identity));
        return identity && fs_identify(fd, identity) >= 0 && identity->super == volume->device;
}

static int add_volume(struct hold_client *client, const struct hold_volume *volume,
                      struct vss_error *reterr) {
        struct hold_request request = { .type = HOLD_ADD, .value = volume->level };
        _cleanup_close_ int fd =
                open(volume->mount_point, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        int r;

        if (fd < 0)
                return vss_fail(reterr, errno == ENOENT ? VSS_E_OBJECT_NOT_FOUND : -errno,
                                "cannot open '%s': %m", volume->mount_point);
        r = fs_device_and_mount(fd, &request.device, &request.mount_id);
        if (r < 0)
                return vss_fail(reterr, r, "cannot tell the mount of '%s': %s", volume->mount_point,
                                strerror(-r));
        if (!is_expected(fd, volume, &request))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "'%s' is not the mount any more that it was when it was added; "
                                "add the volume again",
                                volume->mount_point);
        r = volume->level == HOLD_SYNC_ONLY ? 0
                                            : check_allowed(client, volume, request.device, reterr);
        if (r < 0)
                return r;
        return send_request(client, &request, fd, reterr);
}

int hold_client_prepare(struct hold_client *client, const struct hold_volume *volumes, size_t count,
                        struct vss_error *reterr) {
        if (client->count > 0 || count == 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "volumes are handed over once");
        if (count > HOLD_VOLUMES_MAX)
                return vss_fail(reterr, VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED,
                                "at most %d volumes can be held at one time", HOLD_VOLUMES_MAX);
        client->mount_points = calloc(count + 1, sizeof(char *));
        if (!client->mount_points)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        client->count = count;
        for (size_t i = 0; i < count; i++) {
                int r;

                client->mount_points[i] = strdup(volumes[i].mount_point);
                if (!client->mount_points[i])
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                r = add_volume(client, &volumes[i], reterr);
                if (r < 0)
                        return r;
        }
        return send_request(client, &(struct hold_request){ .type = HOLD_PREPARE }, -1, reterr);
}

int hold_client_presync(struct hold_client *client, unsigned rounds, struct vss_error *reterr) {
        struct hold_request request = { .type = HOLD_PRESYNC, .value = rounds };

        if (!client->prepared)
                return vss_fail(reterr, VSS_E_BAD_STATE, "vss-hold is not prepared");
        return send_request(client, &request, -1, reterr);
}

int hold_client_freeze(struct hold_client *client, struct vss_error *reterr) {
        if (!client->prepared)
                return vss_fail(reterr, VSS_E_BAD_STATE, "vss-hold is not prepared");
        return send_request(client, &(struct hold_request){ .type = HOLD_FREEZE }, -1, reterr);
}

int hold_client_release(struct hold_client *client, struct vss_error *reterr) {
        if (!client->prepared)
                return vss_fail(reterr, VSS_E_BAD_STATE, "vss-hold is not prepared");
        return send_request(client, &(struct hold_request){ .type = HOLD_RELEASE }, -1, reterr);
}

static const char *words_for_freeze(int error) {
        switch (error) {
        case EBUSY:
                return "somebody else has frozen it (fsfreeze, a guest agent, another backup); "
                       "end that first";
        case EOPNOTSUPP:
        case ENOTTY:
                return "its file system cannot hold writes";
        case EPERM:
                return "freezing needs CAP_SYS_ADMIN over that file system";
        default:
                return strerror(error);
        }
}

static const char *words_for_break(uint32_t reason) {
        static const char *const words[] = {
                [HOLD_REASON_BAD_REQUEST] = "vss-hold was asked out of order",
                [HOLD_REASON_EXPIRED] = "writes were held up to the limit and have been let go",
                [HOLD_REASON_FLUSH_EXPIRED] =
                        "writing out took up to the limit for holding writes; "
                        "try again when less is written",
                [HOLD_REASON_FREEZER_DIED] = "the freezer of vss-hold ended while writes were "
                                             "held; its guardian let them go",
                [HOLD_REASON_GUARDIAN_DIED] = "the guardian of vss-hold ended while writes were "
                                              "held; its freezer let them go",
                [HOLD_REASON_TERMINATED] = "vss-hold was told to end (SIGTERM) and let writes go",
                [HOLD_REASON_CLIENT_GONE] = "the service hung up while writes were held",
                [HOLD_REASON_FOREIGN_THAW] = "somebody else let writes go while they were held",
        };

        return reason < ELEMENTSOF(words) && words[reason] ? words[reason] : "vss-hold failed";
}

static void make_words(struct hold_client *client) {
        const struct hold_reply *reply = &client->reply;
        const char *volume =
                reply->volume < client->count ? client->mount_points[reply->volume] : "?";
        const char *why = strerror(reply->error);
        struct vss_error *error = &client->error;

        switch (reply->reason) {
        case HOLD_REASON_RUNTIME:
                vss_fail(error, reply->code,
                         "'%s' must be a folder on tmpfs to keep the record of what is frozen "
                         "(%s); mount a tmpfs there",
                         client->runtime_dir, reply->error == EMEDIUMTYPE ? "it is not" : why);
                break;
        case HOLD_REASON_IDENTITY:
                vss_fail(error, reply->code, "'%s' is not the mount that it was before: %s", volume,
                         why);
                break;
        case HOLD_REASON_RECORD_FS:
                vss_fail(error, reply->code,
                         "'%s' stores the record of what is frozen and so cannot be frozen",
                         volume);
                break;
        case HOLD_REASON_SETUP:
                vss_fail(error, reply->code, "vss-hold cannot prepare: %s", why);
                break;
        case HOLD_REASON_SYNC:
                vss_fail(error, reply->code, "cannot write out '%s': %s", volume, why);
                break;
        case HOLD_REASON_FREEZE:
                vss_fail(error, reply->code, "cannot hold writes on '%s': %s", volume,
                         words_for_freeze(reply->error));
                break;
        default:
                vss_fail(error, reply->code, "%s", words_for_break(reply->reason));
        }
}

static void fill_event(struct hold_client *client, struct hold_event *ret) {
        const struct hold_reply *reply = &client->reply;

        vss_error_clear(&client->error);
        if (reply->code != 0)
                make_words(client);
        *ret = (struct hold_event){
                .type = reply->type,
                .code = reply->code,
                .words = reply->code ? vss_error_message(&client->error) : NULL,
                .first_us = reply->first_us,
                .last_us = reply->last_us,
                .count = client->count,
                .results = reply->results,
        };
}

/* Both processes are gone without a last word: we are the third who may thaw. The caller hears
 * of it as of any other end, BROKEN and then RELEASED. */
static int end_of_file(struct hold_client *client, struct hold_event *ret,
                       struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r;

        if (!client->prepared || client->released)
                return vss_fail(reterr, VSS_E_BAD_STATE, "vss-hold has ended");
        client->released = client->broken;
        client->broken = true;
        r = hold_thaw_leftovers(client->runtime_dir, NULL, &error);
        vss_fail(&client->error, VSS_E_HOLD_WRITES_TIMEOUT,
                 "both processes of vss-hold died while they held writes%s%s",
                 r < 0 ? ": " : "; the service let them go",
                 r < 0 ? vss_error_message(&error) : "");
        *ret = (struct hold_event){ .type = client->released ? HOLD_EVENT_RELEASED
                                                             : HOLD_EVENT_BROKEN,
                                    .code = VSS_E_HOLD_WRITES_TIMEOUT,
                                    .words = vss_error_message(&client->error) };
        return 1;
}

int hold_client_process(struct hold_client *client, struct hold_event *ret,
                        struct vss_error *reterr) {
        for (;;) {
                ssize_t n = recv(client->fd, &client->reply, sizeof(client->reply), MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n != (ssize_t)sizeof(client->reply))
                        return end_of_file(client, ret, reterr);
                /* the second process reports the same end */
                if (client->released || (client->broken && client->reply.type == HOLD_BROKEN))
                        continue;
                client->freezer = client->reply.freezer;
                client->guardian = client->reply.guardian;
                if (client->reply.type == HOLD_PREPARED)
                        client->prepared = client->reply.code == 0;
                client->released = client->reply.type == HOLD_RELEASED;
                client->broken |= client->reply.type == HOLD_BROKEN;
                fill_event(client, ret);
                return 1;
        }
}
