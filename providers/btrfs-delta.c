/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-delta.c - see btrfs-delta.h.
 *
 * Two threads: the kernel writes its stream into a pipe in one, the other reads it, and in the end
 * tells what became of it. A deletion of the copy, the end of the provider and a reader that went
 * away end both. What is not told to its last line is no knowledge: the reader wants the end line.
 */
#define _GNU_SOURCE
#include "btrfs-delta.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "btrfs-links.h"
#include "btrfs-names.h"
#include "kit.h"

enum {
        NAMES_MAX = 64 << 20, /* bytes; of more changes than that a comparison is as good */
        PIECE = 4096 /* PIPE_BUF: a pipe that polls writable takes that much without blocking */
};

struct delta {
        struct delta *next;
        struct vss_id snapshot;
        pthread_t worker, sender;
        atomic_bool over;
        int reference, copy, stream, cancel;
        int pipe[2]; /* kernel to worker */
        int sent; /* what the ioctl returned */
        uint8_t uuids[4][16]; /* of copy and reference, own and received */
        struct names *names;
        bool hide; /* the folder .vss at the root is a provider's */

        char out[PIECE];
        size_t out_size;
        uint64_t records;
        uint64_t *told; /* inodes whose names were all told; a set of @told_size slots */
        size_t told_count, told_size;
};

/* ---- lines to the reader ---- */

static int wait_for(const struct delta *d, int fd, short events) {
        struct pollfd fds[] = { { .fd = fd, .events = events },
                                { .fd = d->cancel, .events = POLLIN } };

        while (poll(fds, 2, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return fds[1].revents ? -ECANCELED : 0;
}

static int flush(struct delta *d) {
        size_t done = 0;

        while (done < d->out_size) {
                int r = wait_for(d, d->stream, POLLOUT);
                ssize_t n;

                if (r < 0)
                        return r;
                n = write(d->stream, d->out + done, d->out_size - done);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                done += n > 0 ? (size_t)n : 0;
        }
        d->out_size = 0;
        return 0;
}

static int put(struct delta *d, const char *text, size_t size) {
        while (size > 0) {
                size_t n = sizeof(d->out) - d->out_size;
                int r;

                if (n > size)
                        n = size;
                memcpy(d->out + d->out_size, text, n);
                d->out_size += n;
                text += n;
                size -= n;
                r = d->out_size == sizeof(d->out) ? flush(d) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* put_line() - a word and its fields; bytes of a path that would end a field are escaped */
static int put_line(struct delta *d, const char *word, const char *first, const char *second) {
        const char *fields[] = { first, second };
        int r = put(d, word, strlen(word));

        for (int i = 0; r >= 0 && i < 2 && fields[i]; i++) {
                _cleanup_free_ char *escaped = kit_escape(fields[i]);

                if (!escaped)
                        return -ENOMEM;
                r = put(d, "\t", 1);
                if (r >= 0)
                        r = put(d, escaped, strlen(escaped));
        }
        d->records++;
        return r < 0 ? r : put(d, "\n", 1);
}

/* ---- what follows from a name that was told ---- */

/* told_before() - 1 or 0 and it is noted; -ENOMEM */
static int told_before(struct delta *d, uint64_t number) {
        size_t at;

        if (d->told_count * 2 >= d->told_size) {
                size_t size = d->told_size ? d->told_size * 2 : 256, old_size = d->told_size;
                uint64_t *old = d->told;

                d->told = calloc(size, sizeof(*d->told));
                if (!d->told) {
                        d->told = old;
                        return -ENOMEM;
                }
                d->told_size = size;
                d->told_count = 0;
                for (size_t i = 0; i < old_size; i++)
                        if (old[i])
                                (void)told_before(d, old[i]);
                free(old);
        }
        at = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (d->told_size - 1);
        for (; d->told[at]; at = (at + 1) & (d->told_size - 1))
                if (d->told[at] == number)
                        return 1;
        d->told[at] = number;
        d->told_count++;
        return 0;
}

static bool is_hidden(const struct delta *d, const char *path) {
        return d->hide && strncmp(path, ".vss", 4) == 0 && (path[4] == '\0' || path[4] == '/');
}

static int tell_content(void *userdata, const char *path) {
        struct delta *d = userdata;

        return is_hidden(d, path) ? 0 : put_line(d, "content", path, NULL);
}

static int tell_changed(void *userdata, const char *path) {
        struct delta *d = userdata;

        return is_hidden(d, path) ? 0 : put_line(d, "changed", path, NULL);
}

/* a stub that the reference alone has: its subvolume was deleted or moved */
static int tell_stub(void *userdata, const char *path) {
        struct delta *d = userdata;
        struct stat st;

        if (is_hidden(d, path) || fstatat(d->copy, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        return errno == ENOENT ? put_line(d, "gone", path, NULL) : -errno;
}

/* all names of a file that has several, because each of them shows its new state */
static int tell_names(void *userdata, uint64_t number) {
        struct delta *d = userdata;
        int r = told_before(d, number);

        return r != 0 ? (r < 0 ? r : 0) : links_of(d->copy, number, tell_content, d);
}

static int tell_consequences(struct delta *d, const struct name_told *told) {
        struct stat st;
        int r = 0;

        if (fstatat(d->copy, *told->path ? told->path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno; /* the stream and the copy disagree */
        if (!S_ISDIR(st.st_mode))
                return st.st_nlink > 1 ? tell_names(d, st.st_ino) : 0;
        if (told->fate == NAME_RENAMED)
                return links_below(d->copy, told->path, tell_names, d);
        if (told->fate == NAME_CHANGED) {
                r = links_stubs(d->copy, told->path, tell_changed, d);
                if (r >= 0)
                        r = links_stubs(d->reference, told->path, tell_stub, d);
        }
        return r;
}

static int tell(void *userdata, const struct name_told *told) {
        struct delta *d = userdata;
        char numbers[64];
        int r = 0;

        if (is_hidden(d, told->path))
                return 0;
        if (told->fate == NAME_GONE)
                return put_line(d, "gone", told->path, NULL);
        if (told->fate == NAME_NEW)
                r = put_line(d, "new", told->path, NULL);
        else if (told->fate == NAME_RENAMED)
                r = put_line(d, "renamed", told->from, told->path);
        else
                r = put_line(d, told->content ? "content" : "changed", told->path, NULL);
        for (size_t i = 0; r >= 0 && told->fate == NAME_CHANGED && i < told->extents_count; i++) {
                snprintf(numbers, sizeof(numbers), "extent\t%" PRIu64 "\t%" PRIu64 "\n",
                         told->extents[i].offset, told->extents[i].length);
                r = put(d, numbers, strlen(numbers));
                d->records++;
        }
        return r < 0 ? r : tell_consequences(d, told);
}

/* ---- the kernel's stream ---- */

static int is_one_of(const uint8_t *uuid, const uint8_t a[16], const uint8_t b[16]) {
        return memcmp(uuid, a, 16) == 0 || memcmp(uuid, b, 16) == 0;
}

static int on_command(void *userdata, const struct stream_command *command) {
        struct delta *d = userdata;

        if (command->kind == STREAM_SNAPSHOT &&
            (!is_one_of(command->uuid, d->uuids[0], d->uuids[1]) ||
             !is_one_of(command->reference_uuid, d->uuids[2], d->uuids[3])))
                return -ESTALE;
        return names_apply(d->names, command);
}

static void *send(void *userdata) {
        struct delta *d = userdata;
        struct btrfs_ioctl_get_subvol_info_args info = { 0 };
        struct btrfs_ioctl_send_args args = { .send_fd = d->pipe[1],
                                              .flags = BTRFS_SEND_FLAG_NO_FILE_DATA };

        d->sent = 0;
        if (ioctl(d->reference, BTRFS_IOC_GET_SUBVOL_INFO, &info) < 0)
                d->sent = -errno;
        args.parent_root = info.treeid;
        if (d->sent == 0 && ioctl(d->copy, BTRFS_IOC_SEND, &args) < 0)
                d->sent = -errno;
        close(d->pipe[1]);
        return NULL;
}

static int read_stream(struct delta *d, struct stream *stream) {
        _cleanup_free_ char *buffer = malloc(1 << 16);

        if (!buffer)
                return -ENOMEM;
        for (;;) {
                int r = wait_for(d, d->pipe[0], POLLIN);
                ssize_t n = r < 0 ? 0 : read(d->pipe[0], buffer, 1 << 16);

                if (r < 0)
                        return r;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                r = stream_feed(stream, buffer, (size_t)n);
                if (r < 0)
                        return r;
        }
}

/* compare() - 0, or the failure with words */
static int compare(struct delta *d, char *words, size_t size) {
        struct stream *stream = stream_new(on_command, d);
        int r = stream ? read_stream(d, stream) : -ENOMEM;

        close(d->pipe[0]); /* if the kernel still writes, that ends it */
        pthread_join(d->sender, NULL);
        if (r == 0 && d->sent < 0)
                snprintf(words, size, "the kernel cannot compare them: %s",
                         kit_strerror(r = d->sent));
        else if (r == 0)
                r = stream_finish(stream);
        if (r < 0 && !*words)
                snprintf(words, size, "%s: %s",
                         stream && r == -EBADMSG ? stream_words(stream)
                                                 : "the changes cannot be read",
                         kit_strerror(r));
        stream_free(stream);
        return r;
}

static bool has_place(int root) {
        struct stat st;

        return fstatat(root, ".vss", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
               (st.st_mode & 07777) == 0700 && st.st_uid == geteuid();
}

static int run(struct delta *d, char *words, size_t size) {
        char count[32];
        int r = compare(d, words, size);

        if (r < 0)
                return r;
        d->hide = has_place(d->copy) || has_place(d->reference);
        r = put_line(d, "vss-delta", "1", NULL);
        if (r >= 0)
                r = names_tell(d->names, tell, d);
        snprintf(count, sizeof(count), "%" PRIu64, d->records);
        if (r >= 0)
                r = put_line(d, "end", count, NULL);
        if (r < 0)
                snprintf(words, size, "the changes cannot be told: %s", kit_strerror(r));
        return r;
}

static void *work(void *userdata) {
        struct delta *d = userdata;
        char words[160] = "";
        int r = run(d, words, sizeof(words));

        /* a line of its own even behind half a line: the reader wants "end" and nothing else */
        if (r < 0 && r != -ECANCELED && r != -EPIPE)
                (void)(put(d, "\n", 1) < 0 || put_line(d, "failed", words, NULL) < 0);
        (void)flush(d);
        close(d->stream);
        d->stream = -1;
        atomic_store(&d->over, true);
        return NULL;
}

/* ---- the list ---- */

static void delta_free(struct delta *d) {
        int *fds[] = { &d->reference, &d->copy, &d->stream, &d->cancel };

        for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
                kit_closep(fds[i]);
        names_free(d->names);
        free(d->told);
        free(d);
}

static int identify(struct delta *d) {
        struct btrfs_ioctl_get_subvol_info_args info;
        const int fds[] = { d->copy, d->reference };

        for (int i = 0; i < 2; i++) {
                info = (struct btrfs_ioctl_get_subvol_info_args){ 0 };
                if (ioctl(fds[i], BTRFS_IOC_GET_SUBVOL_INFO, &info) < 0)
                        return -errno;
                memcpy(d->uuids[2 * i], info.uuid, 16);
                /* where it has none, the same twice: 16 zeros are nobody's */
                memcpy(d->uuids[2 * i + 1],
                       memcmp(info.received_uuid, (uint8_t[16]){ 0 }, 16) ? info.received_uuid
                                                                          : info.uuid,
                       16);
        }
        return 0;
}

/* start_threads() - with all signals blocked: one is sent when the reader of a pipe goes away */
static int start_threads(struct delta *d) {
        sigset_t all, before;
        int r;

        if (pipe2(d->pipe, O_CLOEXEC) < 0)
                return -errno;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&d->sender, NULL, send, d);
        if (r != 0) {
                close(d->pipe[0]);
                close(d->pipe[1]);
        } else {
                r = pthread_create(&d->worker, NULL, work, d);
                if (r != 0) {
                        close(d->pipe[0]);
                        pthread_join(d->sender, NULL);
                }
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

static void forget_over(struct delta **deltas) {
        while (*deltas) {
                struct delta *d = *deltas;

                if (!atomic_load(&d->over)) {
                        deltas = &d->next;
                        continue;
                }
                *deltas = d->next;
                pthread_join(d->worker, NULL);
                delta_free(d);
        }
}

int delta_start(struct delta **deltas, const struct vss_id *snapshot, int take_reference,
                int take_copy, int stream, struct vss_error *reterr) {
        struct delta *d = calloc(1, sizeof(*d));
        struct stat st;
        int r;

        forget_over(deltas);
        if (!d) {
                close(take_reference);
                close(take_copy);
                return fail_memory(reterr);
        }
        *d = (struct delta){ .snapshot = *snapshot,
                             .reference = take_reference,
                             .copy = take_copy,
                             .stream = fcntl(stream, F_DUPFD_CLOEXEC, 3),
                             .cancel = eventfd(0, EFD_CLOEXEC),
                             .names = names_new(NAMES_MAX) };
        r = d->stream < 0 || d->cancel < 0 ? -errno : d->names ? identify(d) : -ENOMEM;
        if (r >= 0 && (fstat(d->stream, &st) < 0 || !S_ISFIFO(st.st_mode)))
                r = vss_fail(reterr, E_INVALIDARG, "the stream must be a pipe");
        else if (r >= 0)
                r = start_threads(d);
        if (r < 0) {
                delta_free(d);
                return r == E_INVALIDARG ? r
                                         : fail_errno(reterr, r, "cannot compare %s",
                                                      "the copy with its reference");
        }
        d->next = *deltas;
        *deltas = d;
        return 0;
}

void delta_stop(struct delta **deltas, const struct vss_id *snapshot) {
        uint64_t one = 1;

        for (struct delta *d = *deltas; d; d = d->next)
                if (!snapshot || vss_id_equal(&d->snapshot, snapshot)) {
                        (void)!write(d->cancel, &one, sizeof(one));
                        pthread_join(d->worker, NULL);
                }
        while (*deltas) {
                struct delta *d = *deltas;

                if (snapshot && !vss_id_equal(&d->snapshot, snapshot)) {
                        deltas = &d->next;
                        continue;
                }
                *deltas = d->next;
                delta_free(d);
        }
}
