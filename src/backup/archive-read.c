/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive-read.c - members of an archive, by offset.
 *
 * Near the last member the headers in between are read; farther away libarchive is started anew
 * at the wanted place: a tar stream may begin at any member.
 */
#include "backup/pax.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define NEAR (UINT64_C(4) << 20)
/* attributes, and pieces as many as a small file may have; each further piece follows a hole of
 * PIECE_MIN (feed.c) and takes two numbers */
#define HEADER_MAX (UINT64_C(4) << 20)
#define PIECE_MIN (UINT64_C(1) << 20)
#define PIECE_TEXT 64

struct archive_reader {
        struct frame_reader *frames;
        struct archive *archive;
        uint64_t begin; /* where @archive started in the stream */
        uint64_t position; /* of the next byte to hand to libarchive */
        uint64_t last; /* header of the current member */
        uint64_t allowed; /* bytes that the header being read may still take */
        struct vss_error error; /* of the frames below */
};

struct archive_reader *archive_reader_free(struct archive_reader *reader) {
        if (!reader)
                return NULL;
        if (reader->archive)
                archive_read_free(reader->archive);
        frame_reader_free(reader->frames);
        vss_error_clear(&reader->error);
        free(reader);
        return NULL;
}

int archive_reader_new(int take_fd, const char *name, struct archive_reader **ret,
                       struct vss_error *reterr) {
        struct archive_reader *reader = calloc(1, sizeof(*reader));
        int r;

        if (!reader) {
                close(take_fd);
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        r = frame_reader_new(take_fd, name, &reader->frames, reterr);
        if (r < 0) {
                archive_reader_free(reader);
                return r;
        }
        *ret = reader;
        return 0;
}

static la_ssize_t give_bytes(struct archive *archive, void *userdata, const void **ret) {
        struct archive_reader *reader = userdata;
        const char *data;
        size_t size;
        int r;

        vss_error_clear(&reader->error);
        if (reader->allowed == 0) {
                archive_set_error(archive, EBADMSG, "the header of a member has no end");
                return -1;
        }
        r = frame_reader_at(reader->frames, reader->position, &data, &size, &reader->error);
        if (r < 0) {
                archive_set_error(archive, EBADMSG, "%s", vss_error_message(&reader->error));
                return -1;
        }
        if (r == 0)
                return 0;
        reader->position += size;
        reader->allowed -= size < reader->allowed ? size : reader->allowed;
        *ret = data;
        return (la_ssize_t)size;
}

static la_int64_t skip_bytes(struct archive *archive, void *userdata, la_int64_t request) {
        struct archive_reader *reader = userdata;
        uint64_t left = frame_reader_size(reader->frames) - reader->position;

        if (request < 0)
                return 0;
        if ((uint64_t)request > left)
                request = (la_int64_t)left;
        reader->position += (uint64_t)request;
        return request;
}

static int failed(struct archive_reader *reader, struct vss_error *reterr) {
        int code = reader->error.code;

        if (code == -ENOMEM)
                return vss_fail(reterr, code, "out of memory");
        return vss_fail(reterr, -EBADMSG, "archive '%s', byte %" PRIu64 " of its content: %s",
                        frame_reader_name(reader->frames), reader->last,
                        code < 0 ? vss_error_message(&reader->error)
                                 : archive_error_string(reader->archive));
}

static int start_at(struct archive_reader *reader, uint64_t offset, struct vss_error *reterr) {
        if (reader->archive)
                archive_read_free(reader->archive);
        vss_error_clear(&reader->error);
        reader->archive = archive_read_new();
        if (!reader->archive)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        reader->begin = reader->position = reader->last = offset;
        reader->allowed = UINT64_MAX;
        archive_read_support_format_tar(reader->archive);
        archive_read_set_read_callback(reader->archive, give_bytes);
        archive_read_set_skip_callback(reader->archive, skip_bytes);
        archive_read_set_callback_data(reader->archive, reader);
        if (archive_read_open1(reader->archive) != ARCHIVE_OK)
                return failed(reader, reterr);
        return 0;
}

/* libarchive keeps a header and the list of a sparse file's pieces in memory, and both may be
 * bombs. @size: of the member's content, which an honest list of pieces grows with */
static int next_header(struct archive_reader *reader, uint64_t size, struct archive_entry **ret,
                       struct vss_error *reterr) {
        int r;

        reader->allowed = HEADER_MAX + size / PIECE_MIN * PIECE_TEXT;
        r = archive_read_next_header(reader->archive, ret);
        reader->allowed = UINT64_MAX;
        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK)
                return failed(reader, reterr);
        reader->last = reader->begin + (uint64_t)archive_read_header_position(reader->archive);
        return 1;
}

int archive_reader_member(struct archive_reader *reader, uint64_t offset, uint64_t size,
                          struct archive_entry **ret, struct vss_error *reterr) {
        int r = 1;

        if (reader->archive && offset > reader->last && offset - reader->last < NEAR) {
                do
                        r = next_header(reader, size, ret, NULL);
                while (r > 0 && reader->last < offset);
                if (r > 0 && reader->last == offset)
                        return 0;
        }
        r = start_at(reader, offset, reterr);
        if (r >= 0)
                r = next_header(reader, size, ret, reterr);
        if (r == 0)
                return vss_fail(reterr, -EBADMSG,
                                "archive '%s': no member begins at byte %" PRIu64 " of its content",
                                frame_reader_name(reader->frames), offset);
        return r < 0 ? r : 0;
}

int archive_reader_data(struct archive_reader *reader, const void **ret, size_t *ret_size,
                        uint64_t *ret_offset, struct vss_error *reterr) {
        la_int64_t offset = 0;
        int r = archive_read_data_block(reader->archive, ret, ret_size, &offset);

        if (r == ARCHIVE_EOF)
                return 0;
        if (r != ARCHIVE_OK)
                return failed(reader, reterr);
        *ret_offset = (uint64_t)offset;
        return 1;
}
