/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * archive-write.c - libarchive makes the pax headers, the frames below make it reachable.
 *
 * Names are written as the bytes they are (hdrcharset=BINARY). The integer and fractional mtime
 * is kept; access time and change time are not, a restore could not set the latter.
 */
#define _GNU_SOURCE
#include "backup/pax.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"

struct archive_writer {
        struct archive *archive;
        struct archive_entry *entry;
        struct frame_writer *frames;
        bool discard; /* what libarchive still writes belongs to a member that is taken back */
        bool by_hand; /* the current member is not libarchive's */
        uint64_t by_hand_size; /* data put for it */
        int error; /* of the frames, since libarchive only says that it failed */
};

void attributes_done(struct attributes *attributes) {
        for (size_t i = 0; i < attributes->count; i++) {
                free(attributes->items[i].name);
                free(attributes->items[i].value);
        }
        free(attributes->items);
        *attributes = (struct attributes){ 0 };
}

static la_ssize_t take_bytes(struct archive *archive, void *userdata, const void *data,
                             size_t size) {
        struct archive_writer *writer = userdata;
        int r;

        if (writer->discard)
                return (la_ssize_t)size;
        r = frame_writer_put(writer->frames, data, size);
        if (r < 0) {
                writer->error = r;
                archive_set_error(archive, -r, "%s", strerror(-r));
                return -1;
        }
        return (la_ssize_t)size;
}

/* libarchive's result as errno; a warning would mean that something was not kept */
static int result(const struct archive_writer *writer, int r) {
        if (r == ARCHIVE_OK)
                return 0;
        if (writer->error < 0)
                return writer->error;
        r = archive_errno(writer->archive);
        return r > 0 ? -r : -EIO;
}

static int set_up(struct archive_writer *writer) {
        writer->archive = archive_write_new();
        writer->entry = archive_entry_new();
        if (!writer->archive || !writer->entry)
                return -ENOMEM;
        if (archive_write_set_format_pax(writer->archive) != ARCHIVE_OK ||
            archive_write_set_format_option(writer->archive, "pax", "hdrcharset", "BINARY") !=
                    ARCHIVE_OK ||
            archive_write_set_format_option(writer->archive, "pax", "xattrheader", "SCHILY") !=
                    ARCHIVE_OK ||
            archive_write_set_bytes_per_block(writer->archive, 0) != ARCHIVE_OK)
                return -ENOTSUP;
        return result(writer, archive_write_open(writer->archive, writer, NULL, take_bytes, NULL));
}

int archive_writer_new(int take_fd, unsigned threads, struct archive_writer **ret) {
        struct archive_writer *writer = calloc(1, sizeof(*writer));
        int r;

        if (!writer) {
                close(take_fd);
                return -ENOMEM;
        }
        r = frame_writer_new(take_fd, FRAME_SIZE_DATA, 1, threads, &writer->frames);
        if (r >= 0)
                r = set_up(writer);
        if (r < 0) {
                archive_writer_free(writer);
                return r;
        }
        *ret = writer;
        return 0;
}

struct archive_writer *archive_writer_free(struct archive_writer *writer) {
        if (!writer)
                return NULL;
        writer->discard = true;
        archive_entry_free(writer->entry);
        if (writer->archive)
                archive_write_free(writer->archive);
        frame_writer_free(writer->frames);
        free(writer);
        return NULL;
}

static mode_t file_type(char kind) {
        switch (kind) {
        case ENTRY_DIRECTORY:
                return S_IFDIR;
        case ENTRY_SYMLINK:
                return S_IFLNK;
        case ENTRY_FIFO:
                return S_IFIFO;
        case ENTRY_CHAR:
                return S_IFCHR;
        case ENTRY_BLOCK:
                return S_IFBLK;
        default:
                return S_IFREG;
        }
}

static void fill_device(struct archive_entry *entry, const char *extra) {
        unsigned device_major = 0, device_minor = 0;

        if (sscanf(extra, "%u:%u", &device_major, &device_minor) == 2)
                archive_entry_set_rdev(entry, makedev(device_major, device_minor));
}

static uint32_t get_le(const uint8_t *p, size_t size) {
        uint32_t value = 0;

        while (size-- > 0)
                value = value << 8 | p[size];
        return value;
}

/* tar's --acls knows ACLs only as text in keywords of their own: libarchive makes it from these.
 * A restore of ours takes the attribute, which is kept as it is. */
static void fill_acl(struct archive_entry *entry, int type, const struct attribute *attribute) {
        static const struct {
                uint32_t kernel;
                int archive;
        } tags[] = {
                { 0x01, ARCHIVE_ENTRY_ACL_USER_OBJ },  { 0x02, ARCHIVE_ENTRY_ACL_USER },
                { 0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ }, { 0x08, ARCHIVE_ENTRY_ACL_GROUP },
                { 0x10, ARCHIVE_ENTRY_ACL_MASK },      { 0x20, ARCHIVE_ENTRY_ACL_OTHER },
        };
        const uint8_t *value = attribute->value;

        if (attribute->size < 4 || get_le(value, 4) != 2)
                return;
        for (size_t at = 4; at + 8 <= attribute->size; at += 8)
                for (size_t i = 0; i < ELEMENTSOF(tags); i++)
                        if (tags[i].kernel == get_le(value + at, 2))
                                archive_entry_acl_add_entry(
                                        entry, type, (int)get_le(value + at + 2, 2),
                                        tags[i].archive, (int)get_le(value + at + 4, 4), NULL);
}

static void fill_attributes(struct archive_entry *entry, const struct attributes *attributes) {
        for (size_t i = 0; i < attributes->count; i++) {
                const struct attribute *item = &attributes->items[i];

                archive_entry_xattr_add_entry(entry, item->name, item->value, item->size);
                if (strcmp(item->name, "system.posix_acl_access") == 0)
                        fill_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, item);
                if (strcmp(item->name, "system.posix_acl_default") == 0)
                        fill_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, item);
        }
}

static void fill_entry(struct archive_entry *entry, const struct member *member) {
        const struct record *record = member->record;

        archive_entry_clear(entry);
        archive_entry_copy_pathname(entry, member->name);
        archive_entry_set_filetype(entry, file_type(record->kind));
        archive_entry_set_perm(entry, record->mode);
        archive_entry_set_uid(entry, record->uid);
        archive_entry_set_gid(entry, record->gid);
        archive_entry_set_mtime(entry, record->mtime, (long)record->mtime_ns);
        if (member->hard_link) {
                archive_entry_copy_hardlink(entry, member->hard_link);
                return;
        }
        if (record->kind == ENTRY_FILE)
                archive_entry_set_size(entry, (int64_t)record->size);
        if (record->kind == ENTRY_SYMLINK)
                archive_entry_copy_symlink(entry, record->extra);
        if (record->kind == ENTRY_CHAR || record->kind == ENTRY_BLOCK)
                fill_device(entry, record->extra);
        if (member->attributes)
                fill_attributes(entry, member->attributes);
        for (size_t i = 0; i < member->extents_count; i++)
                archive_entry_sparse_add_entry(entry, (int64_t)member->extents[i].offset,
                                               (int64_t)member->extents[i].length);
        /* nothing but holes: an empty piece of data says so */
        if (member->extents && member->extents_count == 0)
                archive_entry_sparse_add_entry(entry, 0, 0);
}

static int begin_by_hand(struct archive_writer *writer, const struct member *member) {
        struct text header = { 0 };
        int r = pax_sparse_header(member, &header);

        if (r >= 0)
                r = frame_writer_put(writer->frames, header.data, header.size);
        text_done(&header);
        writer->by_hand = true;
        writer->by_hand_size = 0;
        return r;
}

static int end_by_hand(struct archive_writer *writer) {
        static const char zeros[512];
        size_t pad = (size_t)(-writer->by_hand_size % sizeof(zeros));

        writer->by_hand = false;
        return writer->discard ? 0 : frame_writer_put(writer->frames, zeros, pad);
}

int archive_writer_begin(struct archive_writer *writer, const struct member *member,
                         uint64_t *ret_offset) {
        *ret_offset = frame_writer_position(writer->frames);
        if (pax_sparse_is_needed(member))
                return begin_by_hand(writer, member);
        fill_entry(writer->entry, member);
        return result(writer, archive_write_header(writer->archive, writer->entry));
}

int archive_writer_data(struct archive_writer *writer, const void *data, size_t size) {
        const char *p = data;

        if (writer->by_hand) {
                writer->by_hand_size += size;
                return frame_writer_put(writer->frames, data, size);
        }
        while (size > 0) {
                la_ssize_t n = archive_write_data(writer->archive, p, size);

                if (n <= 0)
                        return n < 0 ? result(writer, ARCHIVE_FATAL) : -EIO;
                p += n;
                size -= (size_t)n;
        }
        return 0;
}

int archive_writer_hole(struct archive_writer *writer, uint64_t size) {
        static const char zeros[1 << 16];

        if (writer->by_hand)
                return 0;
        /* libarchive counts the bytes of a hole and drops them */
        while (size > 0) {
                size_t n = size < sizeof(zeros) ? (size_t)size : sizeof(zeros);
                int r = archive_writer_data(writer, zeros, n);

                if (r < 0)
                        return r;
                size -= n;
        }
        return 0;
}

int archive_writer_end(struct archive_writer *writer) {
        if (writer->by_hand)
                return end_by_hand(writer);
        return result(writer, archive_write_finish_entry(writer->archive));
}

int archive_writer_mark(struct archive_writer *writer) {
        return frame_writer_mark(writer->frames);
}

int archive_writer_rewind(struct archive_writer *writer) {
        int r;

        writer->discard = true;
        r = archive_writer_end(writer);
        writer->discard = false;
        return r < 0 ? r : frame_writer_rewind(writer->frames);
}

int archive_writer_finish(struct archive_writer *writer, uint8_t ret_digest[DIGEST_SIZE],
                          uint64_t *ret_stored) {
        int r = result(writer, archive_write_close(writer->archive));

        if (r < 0)
                return r;
        return frame_writer_finish(writer->frames, ret_digest, ret_stored);
}

char *path_to_member(const char *path, bool ranges) {
        char *name;

        if (path[0] == '/' && path[1] == '\0')
                return strdup(".");
        return asprintf(&name, "%s%s", ranges ? "ranges/" : "", path + 1) < 0 ? NULL : name;
}
