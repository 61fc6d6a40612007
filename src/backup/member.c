/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * member.c - one thing of a source into the archive and the run: stat, attributes, content.
 *
 * Small files are read whole before their header is written. For large ones the archive is marked
 * first, and taken back to the mark when the content turns out short: no member bears the name of
 * a file that it does not hold whole.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/feed.h"
#include "base/array.h"
#include "base/cleanup.h"

/* ---- records ---- */

static char kind_of(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFDIR:
                return ENTRY_DIRECTORY;
        case S_IFLNK:
                return ENTRY_SYMLINK;
        case S_IFIFO:
                return ENTRY_FIFO;
        case S_IFSOCK:
                return ENTRY_SOCKET;
        case S_IFCHR:
                return ENTRY_CHAR;
        case S_IFBLK:
                return ENTRY_BLOCK;
        default:
                return ENTRY_FILE;
        }
}

void record_from_stat(const struct stat *st, char *path, uint32_t component, struct record *ret) {
        static char none[] = "";

        *ret = (struct record){
                .kind = kind_of(st->st_mode),
                .component = component,
                .path = path,
                .mode = st->st_mode & 07777,
                .uid = st->st_uid,
                .gid = st->st_gid,
                .size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
                .mtime = st->st_mtim.tv_sec,
                .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
                .ctime = st->st_ctim.tv_sec,
                .ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
                .inode = st->st_ino,
                .links = S_ISDIR(st->st_mode) ? 1 : st->st_nlink,
                .archive = ARCHIVE_NONE,
                .link = none,
                .extra = none,
        };
}

/* ---- storing ---- */

static int open_archive(struct operation *op, const char *name, struct archive_writer **archive) {
        unsigned threads;
        long processors;
        int fd;

        if (*archive)
                return 0;
        processors = sysconf(_SC_NPROCESSORS_ONLN);
        threads = processors < 2 ? 1 : processors > 4 ? 4 : (unsigned)processors;
        fd = openat(op->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        return archive_writer_new(fd, threads, archive);
}

static int put_record(struct pass *pass, struct record *record) {
        struct set_component *component = &op_info(pass->op)->components[record->component];
        const uint64_t *numbers;
        const uint8_t *digests;
        size_t count, first = 0;
        int r = manifest_put(pass->run, record);

        component->entries++;
        /* a name more of a file brings no bytes of its own; of ranges who stores them knows */
        if (record->archive == ARCHIVE_DATA && !record->link[0])
                component->bytes += record->size;
        if (!record->has_digest || record->link[0] || record->archive != ARCHIVE_DATA)
                return r;
        count = content_digest_chunks(pass->op->digest, &numbers, &digests);
        /* neighbouring pieces share a line, up to 64 */
        for (size_t i = 1; i <= count && r >= 0; i++) {
                if (i < count && i - first < 64 && numbers[i] == numbers[i - 1] + 1)
                        continue;
                r = manifest_put_chunks(pass->run, numbers[first], digests + first * DIGEST_SIZE,
                                        i - first);
                first = i;
        }
        return r;
}

/* a file up to READ_SIZE without holes: in memory before its header is written */
static int store_small(struct pass *pass, int fd, struct record *record, struct member *member) {
        struct operation *op = pass->op;
        uint64_t got = 0;
        int r = feed_read(fd, op->buffer, record->size, 0, &got);

        if (r < 0)
                return pass_trouble(pass, record->path, r, NULL);
        record->size = got; /* a live file may have shrunk since the stat */
        r = archive_writer_begin(op->data, member, &record->offset);
        if (r >= 0)
                r = content_digest_begin(op->digest, got);
        if (r >= 0)
                r = content_digest_data(op->digest, 0, op->buffer, (size_t)got);
        if (r >= 0)
                r = content_digest_end(op->digest, record->digest);
        if (r >= 0 && got > 0)
                r = archive_writer_data(op->data, op->buffer, (size_t)got);
        pass->bytes += got;
        return r < 0 ? r : archive_writer_end(op->data);
}

static int store_large(struct pass *pass, int fd, struct record *record, struct member *member) {
        struct feed feed = { .pass = pass, .archive = pass->op->data, .path = record->path };
        struct operation *op = pass->op;
        struct byte_range whole = { 0, record->size };
        bool sparse = member->extents != NULL;
        int r = archive_writer_mark(op->data);

        if (r >= 0)
                r = archive_writer_begin(op->data, member, &record->offset);
        if (r >= 0)
                r = content_digest_begin(op->digest, record->size);
        if (r >= 0)
                r = feed_extents(op, fd, sparse ? member->extents : &whole,
                                 sparse ? member->extents_count : 1, &feed);
        if (r < 0)
                return r;
        if (feed.file_error < 0) {
                r = archive_writer_rewind(op->data);
                return r < 0 ? r
                             : pass_trouble(pass, record->path, feed.file_error,
                                            feed.file_error == -ESTALE
                                                    ? "the file shrank while it was read"
                                                    : NULL);
        }
        r = content_digest_end(op->digest, record->digest);
        return r < 0 ? r : archive_writer_end(op->data);
}

static int store_content(struct pass *pass, int fd, const struct stat *st, struct record *record,
                         struct member *member) {
        struct operation *op = pass->op;
        size_t count = 0;
        int r;

        record->has_digest = true;
        if (st->st_blocks < (st->st_size + 511) / 512) {
                r = find_extents(op, fd, record->size, &count);
                if (r < 0)
                        return pass_trouble(pass, record->path, r, NULL);
                if (count != 1 || op->extents[0].offset != 0 ||
                    op->extents[0].length != record->size) {
                        static struct byte_range none;

                        member->extents = count > 0 ? op->extents : &none;
                        member->extents_count = count;
                }
        }
        if (record->size <= READ_SIZE && !member->extents)
                return store_small(pass, fd, record, member);
        return store_large(pass, fd, record, member);
}

/* the archive's member, and what the record says of a further name */
static int write_hard_link(struct pass *pass, const struct hard_link *link, struct record *record) {
        _cleanup_free_ char *name = path_to_member(record->path, false),
                            *first = path_to_member(link->path, false);
        struct member member = { .name = name, .record = record, .hard_link = first };
        uint64_t offset;
        int r;

        if (!name || !first)
                return -ENOMEM;
        r = archive_writer_begin(pass->op->data, &member, &offset);
        return r < 0 ? r : archive_writer_end(pass->op->data);
}

static void fill_hard_link(const struct hard_link *link, struct record *record) {
        record->archive = ARCHIVE_DATA;
        record->offset = link->offset;
        record->link = link->path;
        record->has_attributes = link->has_attributes;
        memcpy(record->attributes, link->attributes, sizeof(record->attributes));
        record->has_digest = record->kind == ENTRY_FILE;
        memcpy(record->digest, link->digest, DIGEST_SIZE);
}

static int store_hard_link(struct pass *pass, const struct hard_link *link, struct record *record) {
        int r = batches_settle(pass);

        if (r >= 0)
                r = write_hard_link(pass, link, record);
        if (r < 0)
                return r;
        fill_hard_link(link, record);
        return put_record(pass, record);
}

/* what the record's last column says of links and devices */
static int fill_extra(int fd, const struct stat *st, char *buffer, size_t size,
                      struct record *record) {
        if (S_ISLNK(st->st_mode)) {
                ssize_t n = readlinkat(fd, "", buffer, size - 1);

                if (n < 0)
                        return -errno;
                if ((size_t)n >= size - 1)
                        return -ENAMETOOLONG;
                buffer[n] = '\0';
                record->extra = buffer;
        } else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
                snprintf(buffer, size, "%u:%u", major(st->st_rdev), minor(st->st_rdev));
                record->extra = buffer;
        }
        return 0;
}

/* other names of this file were passed as kept: now they become links to this one */
static int store_kept(struct pass *pass, struct hard_link *link) {
        for (struct kept_name *kept = link->kept; kept; kept = kept->next) {
                struct record record;
                int r;

                record_from_stat(&kept->st, kept->path, link->component, &record);
                r = ARRAY_RESERVE(&pass->late, pass->late_count, &pass->late_capacity);
                if (r >= 0)
                        r = write_hard_link(pass, link, &record);
                if (r < 0)
                        return r;
                pass->late[pass->late_count++] = kept;
        }
        return 0;
}

static int by_path(const void *a, const void *b) {
        return path_compare((*(struct kept_name *const *)a)->path,
                            (*(struct kept_name *const *)b)->path);
}

int member_put_late(struct pass *pass) {
        uint32_t component = pass->source->component;
        int r = 0;

        if (pass->late_count > 1)
                qsort(pass->late, pass->late_count, sizeof(struct kept_name *), by_path);
        for (size_t i = 0; i < pass->late_count && r >= 0; i++) {
                struct kept_name *kept = pass->late[i];
                struct hard_link *link = hard_links_find(&pass->op->links, component, &kept->st);
                struct record record;

                record_from_stat(&kept->st, kept->path, component, &record);
                fill_hard_link(link, &record);
                record.extra = link->extra;
                r = put_record(pass, &record);
        }
        return r;
}

static int remember_link(struct pass *pass, const struct stat *st, const struct record *record) {
        struct hard_link *link;

        if (st->st_nlink < 2 || S_ISDIR(st->st_mode) || record->archive == ARCHIVE_NONE)
                return 0;
        link = hard_links_get(&pass->op->links, record->component, st);
        if (!link)
                return -ENOMEM;
        link->path = strdup(record->path);
        if (!link->path)
                return -ENOMEM;
        link->extra = strdup(record->extra);
        if (!link->extra)
                return -ENOMEM;
        link->offset = record->offset;
        link->has_attributes = record->has_attributes;
        memcpy(link->attributes, record->attributes, sizeof(link->attributes));
        memcpy(link->digest, record->digest, DIGEST_SIZE);
        return store_kept(pass, link);
}

/* libarchive reads no pax header above 1 MiB: what it could not read again is not stored at all */
static bool fits_header(const struct record *record, const struct attributes *attributes) {
        size_t size = 4096 + strlen(record->path) + strlen(record->extra);

        for (size_t i = 0; i < attributes->count; i++) {
                const struct attribute *item = &attributes->items[i];
                bool acl = strncmp(item->name, "system.posix_acl_", 17) == 0; /* also as text */

                size += 64 + 3 * strlen(item->name) + (acl ? 5 : 1) * item->size;
        }
        return size <= UINT64_C(1) << 20;
}

/* the attributes of @fd into op->attributes; 0, 1 it was told that the file cannot be stored */
static int read_attributes(struct pass *pass, int fd, const struct record *record) {
        struct attributes *attributes = &pass->op->attributes;
        int r = attributes_read(fd, attributes);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return pass_trouble(pass, record->path, r, "cannot read its extended attributes");
        if (!fits_header(record, attributes))
                return pass_trouble(pass, record->path, -E2BIG,
                                    "its extended attributes or its path take more than 1 MiB, "
                                    "which no tar header can hold");
        return 0;
}

static int store_member(struct pass *pass, int fd, const struct stat *st, struct record *record) {
        struct operation *op = pass->op;
        _cleanup_free_ char *name = path_to_member(record->path, false);
        struct member member = { .name = name, .record = record };
        int r = read_attributes(pass, fd, record);

        if (!name || r == -ENOMEM)
                return -ENOMEM;
        if (r != 0)
                return r;
        if (op->attributes.count > 0) {
                record->has_attributes = true;
                member.attributes = &op->attributes;
                r = attributes_digest(&op->attributes, record->attributes);
                if (r < 0)
                        return r;
        }
        if (op->attributes.count == 0 && batches_want(record, st))
                return batches_put(pass, fd, record);
        r = batches_settle(pass);
        if (r < 0)
                return r;
        record->archive = ARCHIVE_DATA;
        if (record->kind == ENTRY_FILE) {
                r = store_content(pass, fd, st, record, &member);
        } else {
                r = archive_writer_begin(op->data, &member, &record->offset);
                if (r >= 0)
                        r = archive_writer_end(op->data);
        }
        if (r == 0)
                r = remember_link(pass, st, record);
        return r == 0 ? put_record(pass, record) : r;
}

int member_store(struct pass *pass, int fd, const char *path, const struct stat *st) {
        char extra[8192];
        struct hard_link *link;
        struct record record;
        int r;

        record_from_stat(st, (char *)(uintptr_t)path, pass->source->component, &record);
        r = fill_extra(fd, st, extra, sizeof(extra), &record);
        if (r < 0)
                return pass_trouble(pass, path, r, NULL);
        if (record.kind == ENTRY_SOCKET) {
                r = batches_settle(pass);
                return r < 0 ? r : put_record(pass, &record);
        }
        r = open_archive(pass->op, DATA_FILE, &pass->op->data);
        if (r < 0)
                return r;
        link = st->st_nlink > 1 && !S_ISDIR(st->st_mode)
                       ? hard_links_find(&pass->op->links, record.component, st)
                       : NULL;
        if (link && link->path)
                return store_hard_link(pass, link, &record);
        return store_member(pass, fd, st, &record);
}

/* ---- partial files (I-124): a member of their own that holds the ranges one after the other ----
 */

static int check_ranges(struct pass *pass, const char *path, uint64_t size,
                        const struct byte_range *ranges, size_t count, uint64_t *ret_total) {
        *ret_total = 0;
        for (size_t i = 0; i < count; i++) {
                const struct byte_range *range = &ranges[i];

                if (range->offset > size || range->length > size - range->offset)
                        return pass_trouble(pass, path, -ERANGE,
                                            "a range lies beyond the end of the file");
                *ret_total += range->length;
        }
        return 0;
}

static int feed_ranges(struct pass *pass, int fd, struct member *member, struct record *held,
                       const struct byte_range *ranges, size_t count, struct feed *feed) {
        struct operation *op = pass->op;
        uint64_t at = 0;
        int r = archive_writer_mark(op->ranges);

        if (r >= 0)
                r = archive_writer_begin(op->ranges, member, &held->offset);
        if (r >= 0)
                r = content_digest_begin(op->digest, held->size);
        for (size_t i = 0; i < count && r >= 0 && !feed->file_error; i++) {
                const struct byte_range *range = &ranges[i];

                r = feed_range(op, fd, range->offset, range->length, at, feed);
                at += range->length;
        }
        if (r < 0)
                return r;
        if (feed->file_error < 0) {
                r = archive_writer_rewind(op->ranges);
                return r < 0 ? r : pass_trouble(pass, feed->path, feed->file_error, NULL);
        }
        r = content_digest_end(op->digest, held->digest);
        return r < 0 ? r : archive_writer_end(op->ranges);
}

int member_store_ranges(struct pass *pass, int fd, const char *path, const struct stat *st,
                        const struct byte_range *ranges, size_t count) {
        _cleanup_free_ char *name = path_to_member(path, true);
        struct operation *op = pass->op;
        struct member member = { .name = name, .attributes = &op->attributes };
        struct feed feed = { .pass = pass, .path = path };
        struct text text = { 0 };
        struct record held, record;
        uint64_t total = 0;
        int r;

        if (!name)
                return -ENOMEM;
        r = check_ranges(pass, path, (uint64_t)st->st_size, ranges, count, &total);
        if (r != 0)
                return r;
        record_from_stat(st, (char *)(uintptr_t)path, pass->source->component, &held);
        r = read_attributes(pass, fd, &held);
        if (r != 0)
                return r;
        r = batches_settle(pass);
        if (r >= 0)
                r = open_archive(op, RANGES_FILE, &op->ranges);
        if (r < 0)
                return r;
        feed.archive = op->ranges;
        held.size = total;
        member.record = &held;
        r = feed_ranges(pass, fd, &member, &held, ranges, count, &feed);
        if (r != 0)
                return r;
        op_info(op)->components[held.component].bytes += total;
        record = held;
        record.size = (uint64_t)st->st_size; /* I-129 */
        record.archive = ARCHIVE_RANGES;
        record.has_digest = true;
        record.has_attributes = op->attributes.count > 0;
        if (attributes_digest(&op->attributes, record.attributes) < 0)
                return -ENOMEM;
        record_ranges_format(&text, ranges, count);
        record.extra = text_cstring(&text);
        r = record.extra ? put_record(pass, &record) : -ENOMEM;
        text_done(&text);
        return r;
}
