/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes.c - reference snapshots, and a provider's list of changes, read from a pipe. What is not
 * understood or does not come to its end is no knowledge. docs/protocol.md has the lines.
 */
#define _GNU_SOURCE
#include "requester/changes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "requester/inside.h"

enum { LINE_MAX_SIZE = 32768 /* two paths, every byte escaped */, EXTENTS_MAX = 65536 };

struct reading {
        vss_change_sink_t sink;
        void *userdata;
        struct vss_change change; /* being put together: extents follow */
        char *path, *from; /* its strings */
        struct vss_extent extents[EXTENTS_MAX];
        uint64_t lines;
        bool begun, ended;
        struct vss_error *reterr;
};

static int malformed(struct reading *r) {
        return vss_fail(r->reterr, VSS_E_UNEXPECTED_PROVIDER_ERROR,
                        "the provider's list of changes is malformed in line %" PRIu64, r->lines);
}

static bool number_of(const char *text, uint64_t *ret) {
        char *end;

        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        return errno == 0 && *end == '\0';
}

/* in place; false for a lone '%' and a zero byte */
static bool unescape(char *text) {
        char *to = text;

        for (; *text; text++) {
                if (*text == '%') {
                        char hex[3] = { text[1], text[1] ? text[2] : '\0', '\0' };

                        if (!isxdigit((unsigned char)hex[0]) || !isxdigit((unsigned char)hex[1]))
                                return false;
                        *to = (char)strtoul(hex, NULL, 16);
                        if (*to++ == '\0')
                                return false;
                        text += 2;
                } else {
                        *to++ = *text;
                }
        }
        *to = '\0';
        return true;
}

/* relative, without empty parts, "." and ".."; "" is the root */
static bool is_clean(const char *path) {
        while (*path) {
                size_t n = strcspn(path, "/");

                if (n == 0 || (n <= 2 && path[0] == '.' && path[n - 1] == '.'))
                        return false;
                path += n;
                if (*path == '/' && *++path == '\0')
                        return false;
        }
        return true;
}

/* the change before is complete now */
static int deliver(struct reading *r) {
        int code;

        if (r->change.kind == 0)
                return 0;
        r->change.path = r->path;
        r->change.from = r->from;
        r->change.extents = r->change.extent_count ? r->extents : NULL;
        code = r->sink(r->userdata, &r->change);
        r->change = (struct vss_change){ 0 };
        return code < 0 ? code : 0;
}

static int take_name(struct reading *r, uint32_t kind, bool content, char *from, char *path) {
        if (!unescape(path) || !is_clean(path) || (from && (!unescape(from) || !is_clean(from))))
                return malformed(r);
        if ((!*path && kind != VSS_CHANGE_CHANGED) || (from && !*from))
                return malformed(r);
        free(r->path);
        free(r->from);
        r->path = strdup(path);
        r->from = from ? strdup(from) : NULL;
        if (!r->path || (from && !r->from))
                return vss_fail(r->reterr, -ENOMEM, "out of memory");
        r->change = (struct vss_change){ .kind = kind, .content = content };
        return 0;
}

static int take_extent(struct reading *r, const char *offset, const char *length) {
        struct vss_extent *extent = &r->extents[r->change.extent_count];

        if (r->change.kind != VSS_CHANGE_CHANGED || !r->change.content ||
            r->change.extent_count == EXTENTS_MAX || !number_of(offset, &extent->offset) ||
            !number_of(length, &extent->length) || extent->length > UINT64_MAX - extent->offset)
                return malformed(r);
        r->change.extent_count++;
        return 0;
}

static int take_end(struct reading *r, const char *count) {
        uint64_t lines;

        if (!number_of(count, &lines) || lines != r->lines - 1)
                return malformed(r);
        r->ended = true;
        return 0;
}

static int take_line(struct reading *r, char *line) {
        static const struct {
                const char *word;
                uint32_t kind;
                bool content;
        } words[] = { { "changed", VSS_CHANGE_CHANGED, false },
                      { "content", VSS_CHANGE_CHANGED, true },
                      { "new", VSS_CHANGE_NEW, true },
                      { "gone", VSS_CHANGE_GONE, false },
                      { "renamed", VSS_CHANGE_RENAMED, true } };
        const char *word = strsep(&line, "\t");
        char *first = strsep(&line, "\t"), *second = strsep(&line, "\t");
        int code;

        r->lines++;
        if (strcmp(word, "failed") == 0 && first)
                return vss_fail(r->reterr, VSS_E_UNEXPECTED_PROVIDER_ERROR, "%s",
                                unescape(first) ? first : "the provider failed");
        if (r->ended || line || !first)
                return !r->ended && !*word && !first ? 0 : malformed(r);
        if (!r->begun) {
                r->begun = strcmp(word, "vss-delta") == 0 && strcmp(first, "1") == 0 && !second;
                return r->begun ? 0 : malformed(r);
        }
        if (strcmp(word, "extent") == 0)
                return second ? take_extent(r, first, second) : malformed(r);
        code = deliver(r);
        if (code < 0)
                return code;
        if (strcmp(word, "end") == 0 && !second)
                return take_end(r, first);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                bool two = words[i].kind == VSS_CHANGE_RENAMED;

                if (strcmp(word, words[i].word) == 0 && two == (second != NULL))
                        return take_name(r, words[i].kind, words[i].content, two ? first : NULL,
                                         two ? second : first);
        }
        return malformed(r);
}

/* take_lines() - the whole ones of @buffer; how many bytes they were, or the failure */
static ssize_t take_lines(struct reading *r, char *buffer, size_t size) {
        char *p = buffer, *end;

        while ((end = memchr(p, '\n', size - (size_t)(p - buffer)))) {
                int code;

                *end = '\0';
                code = strlen(p) == (size_t)(end - p) ? take_line(r, p) : malformed(r);
                if (code < 0)
                        return code;
                p = end + 1;
        }
        return p - buffer;
}

/* read_more() - a signal ends it, also where reads are restarted: who waits here could not be told
 */
static ssize_t read_more(int fd, char *buffer, size_t size) {
        struct pollfd pollfd = { .fd = fd, .events = POLLIN };

        return poll(&pollfd, 1, -1) < 0 ? -1 : read(fd, buffer, size);
}

static int read_all(int fd, struct reading *r) {
        _cleanup_free_ char *buffer = malloc(LINE_MAX_SIZE);
        size_t size = 0;

        if (!buffer)
                return vss_fail(r->reterr, -ENOMEM, "out of memory");
        for (;;) {
                ssize_t taken, n = read_more(fd, buffer + size, LINE_MAX_SIZE - size);

                if (n < 0)
                        return vss_fail(r->reterr, -errno,
                                        "the provider's list of changes cannot be read: %s",
                                        strerror(errno));
                if (n == 0)
                        break;
                size += (size_t)n;
                taken = take_lines(r, buffer, size);
                if (taken < 0)
                        return (int)taken;
                size -= (size_t)taken;
                memmove(buffer, buffer + taken, size);
                if (size == LINE_MAX_SIZE)
                        return malformed(r);
        }
        if (r->ended && size == 0)
                return 0;
        return vss_fail(r->reterr, VSS_E_UNEXPECTED_PROVIDER_ERROR,
                        "the provider's list of changes ends before its end");
}

int changes_read(int fd, vss_change_sink_t sink, void *userdata, struct vss_error *reterr) {
        _cleanup_free_ struct reading *r = calloc(1, sizeof(*r));
        int code;

        if (!r)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        r->sink = sink;
        r->userdata = userdata;
        r->reterr = reterr;
        code = read_all(fd, r);
        free(r->path);
        free(r->from);
        return code;
}

/* ---- the calls ---- */

int vss_backup_components_keep_reference(struct vss_backup_components *bc,
                                         const struct vss_id *snapshot_id,
                                         struct vss_id *ret_reference, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL, *reply = NULL;
        struct vss_id id;
        int r = bc_check(bc, STATE_BACKUP, "KeepReference", reterr);

        if (r >= 0)
                r = bc_new_call(bc, "KeepReference", &m, reterr);
        if (r >= 0)
                r = bc_send(bc, m, wire_append_id(m, snapshot_id), &reply, reterr);
        if (r < 0)
                return r;
        r = wire_read_id(reply, &id);
        if (r < 0 || vss_id_is_null(&id))
                return bc_malformed("KeepReference", r < 0 ? r : -EBADMSG, reterr);
        *ret_reference = id;
        return 0;
}

int vss_backup_components_release_reference(struct vss_backup_components *bc,
                                            const struct vss_id *provider_id,
                                            const struct vss_id *reference,
                                            struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = bc_check(bc, STATE_BACKUP, "ReleaseReference", reterr);

        if (r >= 0)
                r = bc_new_call(bc, "ReleaseReference", &m, reterr);
        if (r < 0)
                return r;
        r = wire_append_id(m, provider_id);
        if (r >= 0)
                r = wire_append_id(m, reference);
        return bc_send(bc, m, r, NULL, reterr);
}

static int start_query(struct vss_backup_components *bc, const struct vss_id *snapshot_id,
                       const struct vss_id *reference, int stream, struct vss_error *reterr) {
        _cleanup_message_ sd_bus_message *m = NULL;
        int r = bc_new_call(bc, "QueryChanges", &m, reterr);

        if (r < 0)
                return r;
        r = wire_append_id(m, snapshot_id);
        if (r >= 0)
                r = wire_append_id(m, reference);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 'h', &stream);
        return bc_send(bc, m, r, NULL, reterr);
}

int vss_backup_components_query_changes(struct vss_backup_components *bc,
                                        const struct vss_id *snapshot_id,
                                        const struct vss_id *reference, vss_change_sink_t sink,
                                        void *userdata, struct vss_error *reterr) {
        _cleanup_close_ int from = -1, to = -1;
        int fds[2], r = bc_check(bc, STATE_BACKUP, "QueryChanges", reterr);

        if (r < 0)
                return r;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return vss_fail(reterr, -errno, "cannot make a pipe: %s", strerror(errno));
        from = fds[0];
        to = fds[1];
        r = start_query(bc, snapshot_id, reference, to, reterr);
        if (r < 0)
                return r;
        closep(&to); /* the provider's is the last one: its end is the end */
        to = -1;
        return changes_read(from, sink, userdata, reterr);
}
