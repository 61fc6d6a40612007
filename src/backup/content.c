/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * content.c - the bytes of a file put together from the images of a chain (I-133, I-187): the
 * newest whole content, then the ranges of every later image on top, then the stored length.
 */
#define _GNU_SOURCE
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define ASK_STEP (UINT64_C(16) << 20)
#define POUR_STEP ((size_t)128 << 10)

int members_init(struct members *members, struct store *store, const struct chain *chain) {
        *members = (struct members){ .store = store, .chain = chain };
        members->digest = content_digest_new();
        return members->digest ? 0 : -ENOMEM;
}

void members_done(struct members *members) {
        for (size_t i = 0; i < MEMBER_READERS; i++)
                archive_reader_free(members->readers[i].reader);
        content_digest_free(members->digest);
}

static int open_reader(struct members *members, size_t link, bool ranges,
                       struct member_reader *slot, struct vss_error *reterr) {
        const struct set_place *place = &members->chain->links[link];
        _cleanup_free_ char *file = operation_file(place->operation,
                                                   ranges ? RANGES_FILE : DATA_FILE),
                            *name = NULL;
        int fd, r;

        name = file ? path_join(place->set->folder, file) : NULL;
        if (!name)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        slot->reader = archive_reader_free(slot->reader);
        fd = store_open_file(members->store, place->set, file, reterr);
        if (fd < 0)
                return fd;
        r = archive_reader_new(fd, name, &slot->reader, reterr);
        if (r < 0)
                return r;
        slot->link = link;
        slot->ranges = ranges;
        return 0;
}

static int find_reader(struct members *members, size_t link, bool ranges,
                       struct archive_reader **ret, struct vss_error *reterr) {
        struct member_reader *oldest = &members->readers[0], *found = NULL;

        for (size_t i = 0; i < MEMBER_READERS; i++) {
                struct member_reader *slot = &members->readers[i];

                if (slot->reader && slot->link == link && slot->ranges == ranges)
                        found = slot;
                if (slot->used < oldest->used)
                        oldest = slot;
        }
        if (!found) {
                int r = open_reader(members, link, ranges, oldest, reterr);

                if (r < 0)
                        return r;
                found = oldest;
        }
        found->used = ++members->clock;
        *ret = found->reader;
        return 0;
}

/* the part's member, with a check that it is the one the manifest means */
static int find_member(struct members *members, const struct view_part *part,
                       struct archive_reader **ret_reader, struct archive_entry **ret,
                       struct vss_error *reterr) {
        const struct record *record = part->record;
        bool ranges = record->archive == ARCHIVE_RANGES;
        const char *path = record->link[0] ? record->link : record->path;
        _cleanup_free_ char *name = path_to_member(path, ranges);
        const char *is;
        size_t n;
        int r = find_reader(members, part->link, ranges, ret_reader, reterr);

        if (r >= 0)
                r = archive_reader_member(*ret_reader, record->offset, record->size, ret, reterr);
        if (r < 0)
                return vss_wrap(reterr, r, "'%s' is lost", record->path);
        if (!name)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        is = archive_entry_pathname(*ret);
        n = is ? strlen(is) : 0;
        while (n > 1 && is[n - 1] == '/')
                n--;
        if (!is || strncmp(is, name, n) != 0 || name[n] != '\0')
                return vss_fail(reterr, -EBADMSG,
                                "'%s' is lost: the archive has '%s' where it should be",
                                record->path, is ? is : "");
        return 0;
}

static int entry_attributes(struct archive_entry *entry, struct attributes *ret) {
        const char *name;
        const void *value;
        size_t size;

        archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
                int r = attributes_add(ret, name, value, size);

                if (r < 0)
                        return r;
                pax_decode_attribute_name(ret->items[ret->count - 1].name);
        }
        attributes_sort(ret);
        return 0;
}

int members_attributes(struct members *members, const struct view_part *part,
                       struct attributes *ret, struct vss_error *reterr) {
        struct archive_reader *reader;
        struct archive_entry *entry;
        uint8_t digest[8];
        int r;

        if (!part->record->has_attributes)
                return 0;
        r = find_member(members, part, &reader, &entry, reterr);
        if (r < 0)
                return r;
        r = entry_attributes(entry, ret);
        if (r >= 0)
                r = attributes_digest(ret, digest);
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        if (memcmp(digest, part->record->attributes, 8) != 0)
                return vss_fail(reterr, -EBADMSG,
                                "'%s': its extended attributes in the archive are not those that "
                                "were stored",
                                part->record->path);
        return 0;
}

/* struct sink - takes pieces of a member's content in ascending order */
struct sink {
        int fd; /* -1: not into a file */
        char *memory; /* NULL: not into memory */
        const struct byte_range *ranges; /* NULL: the content lies where it says */
        size_t count, index;
        uint64_t before; /* bytes in the ranges before [index] */
};

static int sink_write(struct sink *sink, const char *data, size_t size, uint64_t offset) {
        while (size > 0) {
                size_t n = size;
                uint64_t at = offset;
                int r;

                if (sink->ranges) {
                        const struct byte_range *range = &sink->ranges[sink->index];

                        if (sink->index == sink->count)
                                return -EBADMSG;
                        if (offset - sink->before >= range->length) {
                                sink->before += range->length;
                                sink->index++;
                                continue;
                        }
                        at = range->offset + (offset - sink->before);
                        if (n > range->length - (offset - sink->before))
                                n = (size_t)(range->length - (offset - sink->before));
                }
                if (sink->memory)
                        memcpy(sink->memory + at, data, n);
                r = sink->fd < 0 ? 0 : pwrite_all(sink->fd, data, n, (off_t)at);
                if (r < 0)
                        return r;
                data += n;
                offset += n;
                size -= n;
        }
        return 0;
}

int members_data_size(struct members *members, const struct view_part *part, uint64_t *ret) {
        struct archive_reader *reader;
        struct archive_entry *entry;
        int64_t offset, length;
        uint64_t sum = 0;
        int r = find_member(members, part, &reader, &entry, NULL);

        if (r < 0 || archive_entry_sparse_count(entry) == 0)
                return r;
        (void)archive_entry_sparse_reset(entry);
        while (archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK)
                sum += (uint64_t)length;
        *ret = sum;
        return 0;
}

static int check_digest(struct members *members, const struct record *record,
                        struct vss_error *reterr) {
        uint8_t digest[DIGEST_SIZE];

        if (content_digest_end(members->digest, digest) < 0)
                return vss_fail(reterr, -ENOMEM, "cannot compute a digest");
        if (record->has_digest && memcmp(digest, record->digest, DIGEST_SIZE) != 0)
                return vss_fail(reterr, -EBADMSG,
                                "'%s' is lost: what the archive holds is not what was stored (its "
                                "digest does not fit)",
                                record->path);
        return 0;
}

/* digest and write in steps that stay in the processor's cache */
static int pour_piece(struct members *members, struct sink *sink, const char *data, size_t size,
                      uint64_t offset) {
        int r = 0;

        for (size_t at = 0, n; at < size && r >= 0; at += n) {
                n = size - at < POUR_STEP ? size - at : POUR_STEP;
                r = content_digest_data(members->digest, offset + at, data + at, n);
                if (r >= 0)
                        r = sink_write(sink, data + at, n, offset + at);
        }
        return r;
}

static int set_length(const struct record *record, int fd, struct vss_error *reterr) {
        if (ftruncate(fd, (off_t)record->size) < 0)
                return vss_fail(reterr, -errno, "cannot set the length of '%s': %s", record->path,
                                strerror(errno));
        return 0;
}

/* pour the part's member into the sink; *ret_end is the end of the last data */
static int pour(struct members *members, const struct view_part *part, uint64_t size,
                struct sink *sink, uint64_t *ret_end, struct vss_error *reterr) {
        struct archive_reader *reader;
        struct archive_entry *entry;
        const void *data;
        uint64_t offset, poured = 0;
        size_t n;
        int r = find_member(members, part, &reader, &entry, reterr);

        *ret_end = 0;
        /* before the first write: XFS reserves space behind a file that grows, and keeps it where a
         * hole comes to lie */
        if (r >= 0 && sink->fd >= 0 && !sink->ranges && archive_entry_sparse_count(entry) > 0)
                r = set_length(part->record, sink->fd, reterr);
        if (r < 0)
                return r;
        if (content_digest_begin(members->digest, size) < 0)
                return vss_fail(reterr, -ENOMEM, "cannot compute a digest");
        while ((r = archive_reader_data(reader, &data, &n, &offset, reterr)) > 0) {
                if (n == 0)
                        continue;
                if (offset > size || n > size - offset)
                        return vss_fail(reterr, -EBADMSG,
                                        "'%s' is lost: the archive holds more than was stored",
                                        part->record->path);
                r = pour_piece(members, sink, data, n, offset);
                if (r < 0)
                        return vss_fail(reterr, r, "cannot write '%s': %s", part->record->path,
                                        strerror(-r));
                *ret_end = offset + n;
                poured += n;
                if (poured >= ASK_STEP) {
                        poured = 0;
                        r = members->go_on ? members->go_on(members->userdata) : 0;
                        if (r < 0)
                                return vss_fail(reterr, r, "cancelled");
                }
        }
        if (r < 0)
                return vss_wrap(reterr, r, "'%s' is lost", part->record->path);
        return check_digest(members, part->record, reterr);
}

static uint64_t ranges_total(const struct byte_range *ranges, size_t count) {
        uint64_t total = 0;

        for (size_t i = 0; i < count; i++)
                total += ranges[i].length;
        return total;
}

static int pour_ranges(struct members *members, const struct view_part *part, int fd,
                       struct vss_error *reterr) {
        _cleanup_free_ struct byte_range *ranges = NULL;
        struct sink sink = { .fd = fd };
        uint64_t end;
        int r = record_ranges_parse(part->record->extra, &ranges, &sink.count);

        if (r < 0)
                return vss_fail(reterr, r, "the list of ranges of '%s' makes no sense",
                                part->record->path);
        sink.ranges = ranges;
        return pour(members, part, ranges_total(ranges, sink.count), &sink, &end, reterr);
}

int members_read(struct members *members, const struct view_part *part, char *buffer,
                 struct vss_error *reterr) {
        struct sink sink = { .fd = -1, .memory = buffer };
        uint64_t end;

        memset(buffer, 0, (size_t)part->record->size); /* holes */
        return pour(members, part, part->record->size, &sink, &end, reterr);
}

int members_check(struct members *members, const struct view_part *part, struct vss_error *reterr) {
        struct attributes attributes = { 0 };
        struct sink sink = { .fd = -1 };
        uint64_t end;
        int r = members_attributes(members, part, &attributes, reterr);

        attributes_done(&attributes);
        if (r < 0)
                return r;
        if (part->record->archive == ARCHIVE_RANGES)
                return pour_ranges(members, part, -1, reterr);
        return pour(members, part, part->record->size, &sink, &end, reterr);
}

int members_patch(struct members *members, const struct view_part *part, int fd,
                  struct vss_error *reterr) {
        int (*go_on)(void *userdata) = members->go_on;
        int r = pour_ranges(members, part, -1, reterr);

        members->go_on = NULL; /* once begun it is finished: the file may be the one in place */
        if (r >= 0)
                r = pour_ranges(members, part, fd, reterr);
        members->go_on = go_on;
        return r < 0 ? r : set_length(part->record, fd, reterr); /* I-129 */
}

int members_content(struct members *members, const struct view_item *item, int fd,
                    struct vss_error *reterr) {
        const struct view_part *whole = &item->parts[item->parts_count - 1];
        struct sink sink = { .fd = fd };
        uint64_t end;
        int r;

        if (whole->record->archive == ARCHIVE_RANGES)
                return vss_fail(reterr, E_INVALIDARG,
                                "only ranges of '%s' are in the chain, and no whole file below "
                                "them",
                                item->path);
        r = pour(members, whole, whole->record->size, &sink, &end, reterr);
        if (r >= 0 && end != whole->record->size)
                r = set_length(whole->record, fd, reterr);
        for (size_t i = item->parts_count - 1; i-- > 0 && r >= 0;) {
                r = pour_ranges(members, &item->parts[i], fd, reterr);
                if (r >= 0)
                        r = set_length(item->parts[i].record, fd, reterr);
        }
        return r;
}

/* ---- one file by its name ---- */

int restore_copy_out(struct store *store, const struct chain *chain, const char *path, int fd,
                     struct vss_error *reterr) {
        const struct view_item *item;
        struct members members;
        struct view *view = NULL;
        int r = members_init(&members, store, chain);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        r = view_open(store, chain, path, &view, reterr);
        if (r >= 0)
                r = view_next_item(view, &item, reterr);
        if (r == 0 ||
            (r > 0 && (strcmp(item->path, path) != 0 || item->parts[0].record->kind != ENTRY_FILE)))
                r = vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "the backup has no file '%s'", path);
        if (r > 0)
                r = members_content(&members, item, fd, reterr);
        view_close(view);
        members_done(&members);
        return r < 0 ? r : 0;
}
