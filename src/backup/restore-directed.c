/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-directed.c - ranges of stored files to other files and offsets. Each source is
 * unpacked once into a file without a name; each destination is made beside its place from what is
 * there and from those, so that a file may well be its own source. The end is that of every whole
 * restore: all of them or none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup/commit.h"
#include "backup/restorer.h"
#include "backup/staging.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ranges.h"

#define STEP ((size_t)256 << 10)

struct source_file {
        const char *path;
        int fd; /* its content, without a name */
        struct record record; /* no strings */
        struct attributes attributes;
};

struct directed {
        struct restore *restore;
        const struct directed_target *targets;
        size_t count;
        struct source_file *sources;
        size_t sources_count, sources_capacity;
};

static void directed_done(struct directed *directed) {
        for (size_t i = 0; i < directed->sources_count; i++) {
                closep(&directed->sources[i].fd);
                attributes_done(&directed->sources[i].attributes);
        }
        free(directed->sources);
}

/* ---- what was asked for ---- */

static int add_all(struct ranges *ranges, const struct byte_range *from, size_t count) {
        int r = 0;

        for (size_t i = 0; i < count && r >= 0; i++)
                r = ranges_add(ranges, from[i].offset, from[i].length);
        return r;
}

static int check_target(const struct directed_target *target, struct vss_error *reterr) {
        struct ranges source = { 0 }, destination = { 0 };
        int r = target->ranges_count > 0 ? 0 : E_INVALIDARG;

        if (r >= 0)
                r = add_all(&source, target->source_ranges, target->ranges_count);
        if (r >= 0)
                r = add_all(&destination, target->destination_ranges, target->ranges_count);
        if (r >= 0 && !ranges_is_same_shape(&source, &destination))
                r = E_INVALIDARG;
        ranges_done(&source);
        ranges_done(&destination);
        return r >= 0 ? 0
                      : vss_fail(reterr, r,
                                 "the ranges of '%s' and '%s' do not fit each other: as many on "
                                 "both sides, of the same lengths, within a file",
                                 target->source, target->destination);
}

/* all ranges of one destination, or of one source, in the order given */
static int collect(const struct directed *directed, const char *path, bool sources,
                   struct ranges *ret) {
        int r = 0;

        for (size_t i = 0; i < directed->count && r >= 0; i++) {
                const struct directed_target *target = &directed->targets[i];

                if (strcmp(sources ? target->source : target->destination, path) == 0)
                        r = add_all(ret,
                                    sources ? target->source_ranges : target->destination_ranges,
                                    target->ranges_count);
        }
        return r;
}

static int check_overlap(const struct directed *directed, const char *destination,
                         struct vss_error *reterr) {
        struct ranges ranges = { 0 };
        int r = collect(directed, destination, false, &ranges);

        if (r >= 0)
                r = ranges_overlap(&ranges);
        ranges_done(&ranges);
        return r > 0   ? vss_fail(reterr, E_INVALIDARG,
                                  "two ranges that go to '%s' overlap each other", destination)
               : r < 0 ? vss_fail(reterr, r, "out of memory")
                       : 0;
}

/* ---- sources ---- */

/* of what was only stored in parts, exactly those */
static int check_partial(const struct directed *directed, const struct record *record,
                         struct vss_error *reterr) {
        _cleanup_free_ struct byte_range *stored = NULL;
        struct ranges wanted = { 0 }, has = { 0 };
        size_t count;
        int r = record_ranges_parse(record->extra, &stored, &count);

        if (r >= 0)
                r = add_all(&has, stored, count);
        if (r >= 0)
                r = collect(directed, record->path, true, &wanted);
        ranges_normalize(&has);
        ranges_normalize(&wanted);
        if (r >= 0 && (has.count != wanted.count ||
                       (has.count > 0 &&
                        memcmp(has.items, wanted.items, has.count * sizeof(*has.items)) != 0)))
                r = E_INVALIDARG;
        ranges_done(&wanted);
        ranges_done(&has);
        return r < 0 ? vss_fail(reterr, r,
                                "the backup has other ranges of '%s' than those that are directed",
                                record->path)
                     : 0;
}

static int check_end(const struct directed *directed, const struct record *record,
                     struct vss_error *reterr) {
        struct ranges wanted = { 0 };
        int r = collect(directed, record->path, true, &wanted);
        bool beyond = ranges_end(&wanted) > record->size;

        ranges_done(&wanted);
        if (r >= 0 && beyond)
                r = E_INVALIDARG;
        return r < 0 ? vss_fail(reterr, r, "'%s' is shorter than its directed ranges", record->path)
                     : 0;
}

static int unpack(struct directed *directed, const struct view_item *item,
                  struct source_file *source, struct vss_error *reterr) {
        struct members *members = &directed->restore->members;
        const struct view_part *part = &item->parts[0];
        bool partial = item->parts[item->parts_count - 1].record->archive == ARCHIVE_RANGES;
        int r = check_end(directed, part->record, reterr);

        if (r >= 0 && partial)
                r = check_partial(directed, part->record, reterr);
        if (r >= 0)
                r = members_attributes(members, part, &source->attributes, reterr);
        if (r < 0)
                return r;
        source->record = *part->record;
        source->record.path = source->record.link = source->record.extra = NULL;
        return partial ? members_patch(members, part, source->fd, reterr)
                       : members_content(members, item, source->fd, reterr);
}

static int find_source(struct directed *directed, struct source_file *source,
                       struct vss_error *reterr) {
        struct restore *restore = directed->restore;
        const struct view_item *item;
        struct view *view = NULL;
        int r = restore->request->image > 0
                        ? view_open_image(restore->store, &restore->chain, &view, reterr)
                        : view_open(restore->store, &restore->chain, source->path, &view, reterr);

        if (r >= 0)
                r = view_skip_to(view, source->path, reterr);
        if (r >= 0)
                r = view_next_item(view, &item, reterr);
        if (r == 0 || (r > 0 && (strcmp(item->path, source->path) != 0 || item->gone ||
                                 item->parts[0].record->kind != ENTRY_FILE)))
                r = vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "the backup has no file '%s'",
                             source->path);
        restore->path = source->path;
        if (r > 0)
                r = unpack(directed, item, source, reterr);
        view_close(view);
        return r;
}

/* @at: a directory where there is room for it */
static int get_source(struct directed *directed, const char *path, int at, size_t *ret,
                      struct vss_error *reterr) {
        struct source_file *source;

        for (*ret = 0; *ret < directed->sources_count; ++*ret)
                if (strcmp(directed->sources[*ret].path, path) == 0)
                        return 0;
        if (ARRAY_RESERVE(&directed->sources, directed->sources_count,
                          &directed->sources_capacity) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        source = &directed->sources[directed->sources_count];
        *source = (struct source_file){ .path = path };
        source->fd = openat(at, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (source->fd < 0)
                source->fd = open("/var/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
        if (source->fd < 0)
                return vss_fail(reterr, -errno, "there is no room to unpack '%s': %s", path,
                                strerror(errno));
        directed->sources_count++;
        return find_source(directed, source, reterr);
}

/* ---- destinations ---- */

static int copy(int from, uint64_t from_offset, int to, uint64_t to_offset, uint64_t length,
                char *buffer) {
        int r = 0;

        while (length > 0 && r >= 0) {
                size_t n = length < STEP ? (size_t)length : STEP;

                r = pread_all(from, buffer, n, (off_t)from_offset);
                if (r >= 0)
                        r = pwrite_all(to, buffer, n, (off_t)to_offset);
                from_offset += n;
                to_offset += n;
                length -= n;
        }
        return r;
}

static int copy_target(struct directed *directed, const struct directed_target *target,
                       const struct source_file *source, int made, char *buffer) {
        int r = 0;

        for (size_t i = 0; i < target->ranges_count && r >= 0; i++) {
                r = copy(source->fd, target->source_ranges[i].offset, made,
                         target->destination_ranges[i].offset, target->source_ranges[i].length,
                         buffer);
                directed->restore->summary.bytes += target->source_ranges[i].length;
        }
        return r;
}

/* *ret_first: number of the source of the first range */
static int fill(struct directed *directed, const struct spot *spot, const char *destination,
                int made, size_t *ret_first, struct vss_error *reterr) {
        _cleanup_free_ char *buffer = malloc(STEP);
        bool is_first = true;

        if (!buffer)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        *ret_first = 0;
        for (size_t i = 0; i < directed->count; i++) {
                const struct directed_target *target = &directed->targets[i];
                size_t source;
                int r;

                if (strcmp(target->destination, destination) != 0)
                        continue;
                r = get_source(directed, target->source, spot->fd, &source, reterr);
                if (r < 0)
                        return r;
                if (is_first)
                        *ret_first = source;
                is_first = false;
                r = copy_target(directed, target, &directed->sources[source], made, buffer);
                if (r < 0)
                        return cannot_place(spot, r, reterr);
        }
        return 0;
}

/* as the file that is there, but for the time */
static int keep_attributes(int from, int to, const struct spot *spot, struct vss_error *reterr) {
        struct attributes attributes = { 0 };
        struct timespec now;
        struct record record;
        struct stat st;
        int r;

        clock_gettime(CLOCK_REALTIME, &now);
        if (fstat(from, &st) < 0)
                return cannot_place(spot, -errno, reterr);
        record = (struct record){ .kind = ENTRY_FILE,
                                  .path = spot->full,
                                  .mode = st.st_mode & 07777,
                                  .uid = st.st_uid,
                                  .gid = st.st_gid,
                                  .mtime = now.tv_sec,
                                  .mtime_ns = (uint32_t)now.tv_nsec };
        r = attributes_read(from, &attributes);
        r = r < 0 ? cannot_place(spot, r, reterr)
                  : attributes_apply(to, &record, &attributes, false, reterr);
        attributes_done(&attributes);
        return r;
}

static int open_present(const struct spot *spot, struct vss_error *reterr) {
        int fd = open_beneath(spot->fd, spot->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                              false);
        struct stat st;

        if (fd < 0)
                return fd == -ENOENT ? fd : cannot_place(spot, fd, reterr);
        if (fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
                return fd;
        close(fd);
        return vss_fail(reterr, -EMLINK,
                        "'%s' is no regular file, or has other names; it is not written into",
                        spot->full);
}

/* the list of ranges as the undo list has it */
static int register_write(struct directed *directed, const struct spot *spot,
                          const char *destination, uint64_t size, struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        struct ranges ranges = { 0 };
        int r = collect(directed, destination, false, &ranges);

        if (r >= 0)
                r = ranges_format(&ranges, &text);
        ranges_done(&ranges);
        return r < 0 ? vss_fail(reterr, r, "out of memory")
                     : staging_write(directed->restore->places.staging, spot, text, size, reterr);
}

/* *ret: as long as it has to be */
static int set_size(const struct directed *directed, const struct spot *spot, bool present,
                    const char *destination, int made, uint64_t *ret) {
        struct ranges ranges = { 0 };
        int r = collect(directed, destination, false, &ranges);
        uint64_t end = ranges_end(&ranges);

        ranges_done(&ranges);
        *ret = present && spot->old_size > end ? spot->old_size : end;
        if (r >= 0 && ftruncate(made, (off_t)*ret) < 0)
                r = -errno;
        return r;
}

static int new_attributes(const struct source_file *source, const struct spot *spot, int made,
                          struct vss_error *reterr) {
        struct record record = source->record;

        record.path = spot->full;
        return attributes_apply(made, &record, &source->attributes, false, reterr);
}

static int make_destination(struct directed *directed, struct spot *spot, const char *destination,
                            int made, struct vss_error *reterr) {
        struct staging *staging = directed->restore->places.staging;
        _cleanup_close_ int present = spot->beside[0] ? open_present(spot, reterr) : -ENOENT;
        uint64_t size;
        struct stat st;
        size_t first = 0;
        int cloned = 0, r = present < 0 && present != -ENOENT ? present : 0;

        if (r >= 0 && present >= 0)
                r = cloned = ranges_base(present, made, false, false);
        if (r >= 0)
                r = fill(directed, spot, destination, made, &first, reterr);
        if (r < 0)
                return r;
        r = set_size(directed, spot, present >= 0, destination, made, &size);
        if (r < 0 || fstat(made, &st) < 0)
                return cannot_place(spot, r < 0 ? r : -errno, reterr);
        spot->made = st.st_ino;
        if (present >= 0 && cloned == 0)
                return register_write(directed, spot, destination, size, reterr);
        r = present >= 0 ? keep_attributes(present, made, spot, reterr)
                         : new_attributes(&directed->sources[first], spot, made, reterr);
        return r < 0 || !spot->beside[0] ? r : staging_put(staging, spot, true, reterr);
}

static int place_destination(struct directed *directed, const struct directed_target *target,
                             struct vss_error *reterr) {
        struct places *places = &directed->restore->places;
        _cleanup_close_ int made = -1;
        struct spot spot;
        int r = places_map(places, target->destination, target->destination, &spot, reterr);

        if (r >= 0)
                r = places_enter(places, &spot, geteuid(), true, reterr);
        if (r >= 0 && !places->levels[places->levels_count - 1].staged)
                r = staging_spot(places->staging, &spot) < 0 ? cannot_place(&spot, -EIO, reterr)
                                                             : 0;
        if (r >= 0) {
                made = openat(spot.fd, spot_name(&spot),
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                r = made < 0 ? cannot_place(&spot, -errno, reterr)
                             : make_destination(directed, &spot, target->destination, made, reterr);
        }
        if (r < 0 && made >= 0)
                (void)unlinkat(spot.fd, spot_name(&spot), 0);
        spot_done(&spot);
        return r;
}

static bool is_first(const struct directed *directed, size_t index) {
        for (size_t i = 0; i < index; i++)
                if (strcmp(directed->targets[i].destination,
                           directed->targets[index].destination) == 0)
                        return false;
        return true;
}

int restore_targets(struct restore *restore, const struct directed_target *targets, size_t count,
                    struct vss_error *reterr) {
        struct directed directed = { .restore = restore, .targets = targets, .count = count };
        int r = 0;

        for (size_t i = 0; i < count && r >= 0; i++)
                r = check_target(&targets[i], reterr);
        for (size_t i = 0; i < count && r >= 0; i++)
                if (is_first(&directed, i))
                        r = check_overlap(&directed, targets[i].destination, reterr);
        for (size_t i = 0; i < count && r >= 0; i++) {
                if (!is_first(&directed, i))
                        continue;
                r = place_destination(&directed, &targets[i], reterr);
                restore->summary.placed += r >= 0;
                restore->summary.failed += r < 0;
        }
        directed_done(&directed);
        return r;
}
