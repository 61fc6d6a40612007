/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * btrfs-stream.c - see btrfs-stream.h. Bytes become commands; what they mean for names is
 * btrfs-names.c.
 */
#define _GNU_SOURCE
#include "btrfs-stream.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
        MAGIC_SIZE = 13, /* with its NUL */
        HEADER_SIZE = MAGIC_SIZE + 4,
        COMMAND_HEADER = 10, /* length, command, checksum */
        COMMAND_MAX = 65536, /* of version 1, header included */
        PATH_SIZE_MAX = 4096
};

/* attributes; the numbers are those of the kernel */
enum {
        A_UUID = 1,
        A_CTRANSID,
        A_INO,
        A_SIZE,
        A_MODE,
        A_UID,
        A_GID,
        A_RDEV,
        A_CTIME,
        A_MTIME,
        A_ATIME,
        A_OTIME,
        A_XATTR_NAME,
        A_XATTR_DATA,
        A_PATH,
        A_PATH_TO,
        A_PATH_LINK,
        A_FILE_OFFSET,
        A_DATA,
        A_CLONE_UUID,
        A_CLONE_CTRANSID,
        A_CLONE_PATH,
        A_CLONE_OFFSET,
        A_CLONE_LEN,
        A_COUNT
};

/* the size of an attribute's value; PATH and BYTES are bounded by the command */
enum { BYTES = -1, PATH = -2, NOT_HERE = -3 };
static const int attribute_sizes[A_COUNT] = {
        [0] = NOT_HERE,
        [A_UUID] = 16,
        [A_CTRANSID] = 8,
        [A_INO] = 8,
        [A_SIZE] = 8,
        [A_MODE] = 8,
        [A_UID] = 8,
        [A_GID] = 8,
        [A_RDEV] = 8,
        [A_CTIME] = 12,
        [A_MTIME] = 12,
        [A_ATIME] = 12,
        [A_OTIME] = 12,
        [A_XATTR_NAME] = BYTES,
        [A_XATTR_DATA] = BYTES,
        [A_PATH] = PATH,
        [A_PATH_TO] = PATH,
        [A_PATH_LINK] = BYTES,
        [A_FILE_OFFSET] = 8,
        [A_DATA] = NOT_HERE,
        [A_CLONE_UUID] = 16,
        [A_CLONE_CTRANSID] = 8,
        [A_CLONE_PATH] = PATH,
        [A_CLONE_OFFSET] = 8,
        [A_CLONE_LEN] = 8,
};

#define A(name) (UINT32_C(1) << A_##name)

/* exactly these attributes make a command; 0: it does not come without file data */
static const uint32_t command_attributes[] = {
        [STREAM_SNAPSHOT] = A(PATH) | A(UUID) | A(CTRANSID) | A(CLONE_UUID) | A(CLONE_CTRANSID),
        [STREAM_MKFILE] = A(PATH) | A(INO),
        [STREAM_MKDIR] = A(PATH) | A(INO),
        [STREAM_MKNOD] = A(PATH) | A(INO) | A(RDEV) | A(MODE),
        [STREAM_MKFIFO] = A(PATH) | A(INO) | A(RDEV) | A(MODE),
        [STREAM_MKSOCK] = A(PATH) | A(INO) | A(RDEV) | A(MODE),
        [STREAM_SYMLINK] = A(PATH) | A(INO) | A(PATH_LINK),
        [STREAM_RENAME] = A(PATH) | A(PATH_TO),
        [STREAM_LINK] = A(PATH) | A(PATH_LINK),
        [STREAM_UNLINK] = A(PATH),
        [STREAM_RMDIR] = A(PATH),
        [STREAM_SET_XATTR] = A(PATH) | A(XATTR_NAME) | A(XATTR_DATA),
        [STREAM_REMOVE_XATTR] = A(PATH) | A(XATTR_NAME),
        [STREAM_CLONE] = A(PATH) | A(FILE_OFFSET) | A(CLONE_LEN) | A(CLONE_UUID) |
                         A(CLONE_CTRANSID) | A(CLONE_PATH) | A(CLONE_OFFSET),
        [STREAM_TRUNCATE] = A(PATH) | A(SIZE),
        [STREAM_CHMOD] = A(PATH) | A(MODE),
        [STREAM_CHOWN] = A(PATH) | A(UID) | A(GID),
        [STREAM_UTIMES] = A(PATH) | A(ATIME) | A(MTIME) | A(CTIME),
        [STREAM_UPDATE_EXTENT] = A(PATH) | A(FILE_OFFSET) | A(SIZE),
};
#define COMMANDS (sizeof(command_attributes) / sizeof(command_attributes[0]))

struct stream {
        stream_sink_t sink;
        void *userdata;
        const char *words;
        int failure;
        bool begun, named, ended; /* header read, SNAPSHOT seen, END seen */
        size_t size, wanted; /* in @buffer */
        uint8_t buffer[COMMAND_MAX];
        char paths[2][PATH_SIZE_MAX];
};

struct stream *stream_new(stream_sink_t sink, void *userdata) {
        struct stream *stream = calloc(1, sizeof(*stream));

        if (!stream)
                return NULL;
        stream->sink = sink;
        stream->userdata = userdata;
        stream->wanted = HEADER_SIZE;
        return stream;
}

struct stream *stream_free(struct stream *stream) {
        free(stream);
        return NULL;
}

const char *stream_words(const struct stream *stream) {
        return stream->words ? stream->words : "the stream ended before its end";
}

static int malformed(struct stream *stream, const char *words) {
        stream->words = words;
        return -EBADMSG;
}

uint32_t stream_crc(uint32_t crc, const void *data, size_t size) {
        static const uint32_t table[16] = { /* of the polynomial 0x82f63b78, four bits at a time */
                                            0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                            0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                            0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                            0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75
        };
        const uint8_t *p = data;

        while (size-- > 0) {
                crc ^= *p++;
                crc = (crc >> 4) ^ table[crc & 15];
                crc = (crc >> 4) ^ table[crc & 15];
        }
        return crc;
}

static uint16_t get16(const uint8_t *p) {
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return le16toh(v);
}

static uint32_t get32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static uint64_t get64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

/* is it a relative path without empty parts, "." and ".."? "" is the subvolume's root */
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

static int take_path(struct stream *stream, size_t slot, const uint8_t *data, size_t size,
                     const char **ret) {
        char *path = stream->paths[slot];

        if (size >= PATH_SIZE_MAX || memchr(data, 0, size))
                return malformed(stream, "a path is too long or holds a zero byte");
        memcpy(path, data, size);
        path[size] = '\0';
        if (!is_clean(path))
                return malformed(stream, "a path is not clean");
        *ret = path;
        return 0;
}

static int take_value(struct stream *stream, struct stream_command *command, unsigned attribute,
                      const uint8_t *data, size_t size) {
        if (attribute == A_PATH)
                return take_path(stream, 0, data, size, &command->path);
        if (attribute == A_PATH_TO || (attribute == A_PATH_LINK && command->kind == STREAM_LINK))
                return take_path(stream, 1, data, size, &command->to);
        if (attribute == A_CLONE_PATH)
                return take_path(stream, 1, data, size, &command->to);
        if (attribute == A_SIZE || attribute == A_CLONE_LEN)
                command->size = get64(data);
        else if (attribute == A_FILE_OFFSET)
                command->offset = get64(data);
        else if (attribute == A_UUID)
                command->uuid = data;
        else if (attribute == A_CLONE_UUID)
                command->reference_uuid = data;
        return 0;
}

static int take_attributes(struct stream *stream, struct stream_command *command) {
        const uint8_t *p = stream->buffer + COMMAND_HEADER, *end = stream->buffer + stream->size;
        uint32_t seen = 0;

        while (p < end) {
                unsigned attribute;
                size_t size;
                int r;

                if (end - p < 4)
                        return malformed(stream, "an attribute is cut off");
                attribute = get16(p);
                size = get16(p + 2);
                p += 4;
                if (size > (size_t)(end - p))
                        return malformed(stream, "an attribute is longer than its command");
                if (attribute >= A_COUNT || attribute_sizes[attribute] == NOT_HERE)
                        return malformed(stream, "an attribute is not known");
                if (seen & (UINT32_C(1) << attribute))
                        return malformed(stream, "an attribute comes twice");
                if (attribute_sizes[attribute] >= 0 && size != (size_t)attribute_sizes[attribute])
                        return malformed(stream, "an attribute has a wrong size");
                seen |= UINT32_C(1) << attribute;
                r = take_value(stream, command, attribute, p, size);
                if (r < 0)
                        return r;
                p += size;
        }
        if (seen != command_attributes[command->kind])
                return malformed(stream, "a command has not the attributes that belong to it");
        return 0;
}

/* what no single attribute shows to be wrong */
static int check_command(struct stream *stream, const struct stream_command *command) {
        bool root = command->path && !*command->path;

        switch (command->kind) {
        case STREAM_SNAPSHOT:
                return stream->named ? malformed(stream, "a second snapshot is named") : 0;
        case STREAM_SET_XATTR:
        case STREAM_REMOVE_XATTR:
        case STREAM_CHMOD:
        case STREAM_CHOWN:
        case STREAM_UTIMES:
                return 0;
        case STREAM_UPDATE_EXTENT:
        case STREAM_CLONE:
                if (command->size > UINT64_MAX - command->offset)
                        return malformed(stream, "an extent ends beyond all numbers");
                break;
        case STREAM_MKFILE:
        case STREAM_MKDIR:
        case STREAM_MKNOD:
        case STREAM_MKFIFO:
        case STREAM_MKSOCK:
        case STREAM_SYMLINK:
        case STREAM_RENAME:
        case STREAM_LINK:
        case STREAM_UNLINK:
        case STREAM_RMDIR:
        case STREAM_TRUNCATE:
        case STREAM_END:
                break;
        }
        if (root || (command->to && !*command->to))
                return malformed(stream, "a command makes no sense for the root");
        return 0;
}

static int take_command(struct stream *stream) {
        struct stream_command command = { 0 };
        uint32_t crc = get32(stream->buffer + 6);
        unsigned kind = get16(stream->buffer + 4);
        int r;

        memset(stream->buffer + 6, 0, 4);
        if (stream_crc(0, stream->buffer, stream->size) != crc)
                return malformed(stream, "a checksum does not fit");
        if (kind >= COMMANDS || (command_attributes[kind] == 0 && kind != STREAM_END))
                return malformed(stream, "a command is not known");
        command.kind = (enum stream_kind)kind;
        if (!stream->named && kind != STREAM_SNAPSHOT)
                return malformed(stream, "the stream does not begin with a snapshot");
        r = take_attributes(stream, &command);
        if (r >= 0)
                r = check_command(stream, &command);
        if (r < 0)
                return r;
        stream->named = true;
        stream->ended = kind == STREAM_END;
        r = stream->sink(stream->userdata, &command);
        if (r < 0)
                stream->words = "a command does not fit to those before it";
        return r;
}

static int take_header(struct stream *stream) {
        static const char magic[MAGIC_SIZE] = "btrfs-stream";

        if (memcmp(stream->buffer, magic, MAGIC_SIZE) != 0)
                return malformed(stream, "it is no stream of btrfs send");
        if (get32(stream->buffer + MAGIC_SIZE) != 1)
                return malformed(stream, "the stream is of a version that is not known");
        stream->begun = true;
        return 0;
}

/* the buffer holds all that was wanted: header, a command's beginning, or a command */
static int take_wanted(struct stream *stream) {
        bool whole = stream->wanted != COMMAND_HEADER;
        int r;

        if (stream->begun && !whole) {
                uint32_t length = get32(stream->buffer);

                if (length > COMMAND_MAX - COMMAND_HEADER)
                        return malformed(stream, "a command is too long");
                stream->wanted = COMMAND_HEADER + length;
                if (length > 0)
                        return 0;
        }
        r = stream->begun ? take_command(stream) : take_header(stream);
        stream->size = 0;
        stream->wanted = COMMAND_HEADER;
        return r;
}

int stream_feed(struct stream *stream, const void *data, size_t size) {
        const uint8_t *p = data;

        while (stream->failure == 0 && size > 0) {
                size_t n = stream->wanted - stream->size;

                if (stream->ended) {
                        stream->failure = malformed(stream, "something follows the end");
                        break;
                }
                if (n > size)
                        n = size;
                memcpy(stream->buffer + stream->size, p, n);
                stream->size += n;
                p += n;
                size -= n;
                if (stream->size == stream->wanted)
                        stream->failure = take_wanted(stream);
        }
        return stream->failure;
}

int stream_finish(const struct stream *stream) {
        return stream->failure < 0 ? stream->failure : stream->ended ? 0 : -EBADMSG;
}
