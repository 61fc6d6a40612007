/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - files back, one after the other in path order.
 *
 * A file is made whole without a name, or beside its place under a name of chance, readable by
 * nobody else, and then linked or renamed: a reader sees the old one or the new one (SEC-64). Only
 * ranges on top of a file that is in place are written into it, after the archive was checked, and
 * into a clone where the file system can make one. A failed file is reported and the rest goes on.
 * What a restore that was killed left beside is removed by the next one that comes to the
 * directory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backup/restoring.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PROGRESS_STEP 64

struct restore {
        struct store *store;
        const struct restore_request *request;
        const struct engine_watch *watch;
        struct chain chain; /* the request's, or from its image on; links are borrowed */
        struct members members;
        struct places places;
        struct linked_names linked;
        struct small_files *small;
        struct restore_summary summary;
        uint32_t component;
        int first; /* code of the first failure */
        int cancelled; /* negative: progress() said so, and this file is not the reason */
        uint64_t steps;
        const char *path; /* of the current item */
};

/* what placing a thing returns beside 0 and negative values */
enum { PLACE_KEPT = 1, PLACE_LATER /* report_placed() will be called */ };

/* ---- one file ---- */

/* PLACE_KEPT: something is there and stays */
static int look_first(const struct restore *restore, const struct spot *spot,
                      struct vss_error *reterr) {
        if (restore->request->existing == RESTORE_REPLACE)
                return 0;
        if (faccessat(spot->fd, spot->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : cannot_place(spot, -errno, reterr);
        return restore->request->existing == RESTORE_KEEP ? PLACE_KEPT
                                                          : cannot_place(spot, -EEXIST, reterr);
}

static bool replaces(const struct restore *restore) {
        return restore->request->existing == RESTORE_REPLACE;
}

static bool inherits_acl(const struct restore *restore) {
        return restore->places.levels[restore->places.levels_count - 1].has_default_acl;
}

static int fill_file(struct restore *restore, const struct view_item *item, int fd,
                     struct vss_error *reterr) {
        const struct view_part *newest = &item->parts[0];
        struct attributes attributes = { 0 };
        int r = members_attributes(&restore->members, newest, &attributes, reterr);

        if (r >= 0)
                r = members_content(&restore->members, item, fd, reterr);
        if (r >= 0)
                r = attributes_apply(fd, newest->record, &attributes, inherits_acl(restore),
                                     reterr);
        attributes_done(&attributes);
        return r;
}

static int place_file(struct restore *restore, const struct view_item *item,
                      const struct spot *spot, struct vss_error *reterr) {
        struct new_file file;
        int r = new_file_begin(&file, spot, item->parts[0].record->mode, reterr);

        if (r < 0)
                return r;
        r = fill_file(restore, item, file.fd, reterr);
        if (r >= 0)
                r = new_file_place(&file, spot, replaces(restore), reterr);
        if (r >= 0 && linked_add(&restore->linked, &item->parts[0], spot, file.fd) < 0)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        new_file_done(&file, spot);
        return r;
}

static int make_special(const struct record *record, const struct spot *spot, const char *name) {
        unsigned device_major = 0, device_minor = 0;
        dev_t device;
        int r;

        if (record->kind == ENTRY_SYMLINK)
                r = symlinkat(record->extra, spot->fd, name);
        else if (record->kind == ENTRY_FIFO)
                r = mkfifoat(spot->fd, name, 0600);
        else {
                if (sscanf(record->extra, "%u:%u", &device_major, &device_minor) != 2)
                        return -EBADMSG;
                device = makedev(device_major, device_minor);
                r = mknodat(spot->fd, name, (record->kind == ENTRY_CHAR ? S_IFCHR : S_IFBLK) | 0600,
                            device);
        }
        return r < 0 ? -errno : 0;
}

static int place_special(struct restore *restore, const struct view_item *item,
                         const struct spot *spot, struct vss_error *reterr) {
        const struct record *record = item->parts[0].record;
        struct attributes attributes = { 0 };
        _cleanup_close_ int fd = -1;
        char name[LEFTOVERS_NAME_SIZE];
        int r = leftovers_name(name);

        if (r >= 0)
                r = make_special(record, spot, name);
        if (r < 0)
                return cannot_place(spot, r, reterr);
        fd = openat(spot->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? cannot_place(spot, -errno, reterr)
                   : members_attributes(&restore->members, &item->parts[0], &attributes, reterr);
        if (r >= 0)
                r = attributes_apply(fd, record, &attributes, inherits_acl(restore), reterr);
        attributes_done(&attributes);
        if (r >= 0)
                r = rename_in(spot, name, -1, replaces(restore), reterr);
        if (r < 0) {
                (void)unlinkat(spot->fd, name, 0);
                return r;
        }
        r = linked_add(&restore->linked, &item->parts[0], spot, fd);
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 0;
}

/* another name of something restored before: 0 done, 1 it cannot be linked, make it anew */
static int place_link(struct restore *restore, const struct linked *linked, const struct spot *spot,
                      struct vss_error *reterr) {
        const char *slash = strrchr(linked->path, '/');
        _cleanup_free_ char *folder =
                slash ? strndup(linked->path, (size_t)(slash - linked->path)) : strdup("");
        const char *first = slash ? slash + 1 : linked->path;
        _cleanup_close_ int fd = -1;
        char name[LEFTOVERS_NAME_SIZE];
        struct stat st;
        int r = leftovers_name(name);

        if (!folder || r < 0)
                return cannot_place(spot, r < 0 ? r : -ENOMEM, reterr);
        fd = places_open(&restore->places, linked->root, folder);
        if (fd < 0 || linkat(fd, first, spot->fd, name, 0) < 0)
                return 1;
        if (fstatat(spot->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != linked->device ||
            st.st_ino != linked->inode) {
                (void)unlinkat(spot->fd, name, 0);
                return 1;
        }
        r = rename_in(spot, name, -1, replaces(restore), reterr);
        /* a rename onto another name of the same file does nothing at all */
        (void)unlinkat(spot->fd, name, 0);
        return r;
}

/* ---- entries ---- */

/* also from within large files */
static int go_on(void *userdata) {
        struct restore *restore = userdata;
        const struct engine_watch *watch = restore->watch;
        uint64_t done = restore->summary.placed + restore->summary.kept + restore->summary.failed;

        if (watch && watch->progress && restore->cancelled >= 0)
                restore->cancelled = watch->progress(watch->userdata, done, restore->summary.bytes,
                                                     restore->path);
        return restore->cancelled < 0 ? restore->cancelled : 0;
}

static void report(struct restore *restore, const struct view_part *part, const char *placed,
                   enum restore_outcome outcome, int code, const char *words) {
        const struct restore_request *request = restore->request;
        const char *path = part->record->path;
        struct byte_range *ranges = NULL;
        struct entry entry;

        if (outcome == RESTORE_PLACED)
                restore->summary.placed++;
        else if (outcome == RESTORE_KEPT)
                restore->summary.kept++;
        else
                restore->summary.failed++;
        if (outcome == RESTORE_FAILED && restore->first >= 0)
                restore->first = code;
        if (outcome == RESTORE_FAILED && restore->watch && restore->watch->trouble)
                restore->watch->trouble(restore->watch->userdata, restore->component, path, code,
                                        words);
        if (request->result &&
            record_to_entry(part->record, &restore->chain.links[part->link], &entry, &ranges) >= 0)
                request->result(request->userdata, &entry, placed, outcome, code, words);
        free(ranges);
}

/* @r: negative, 0 it is in place, PLACE_KEPT */
static void report_placed(void *userdata, const struct view_part *part, const char *placed, int r,
                          const char *words) {
        report(userdata, part, placed,
               r < 0             ? RESTORE_FAILED
               : r == PLACE_KEPT ? RESTORE_KEPT
                                 : RESTORE_PLACED,
               r < 0 ? r : 0, words);
}

static int place_leaf(struct restore *restore, const struct view_item *item, struct spot *spot,
                      struct vss_error *reterr) {
        const struct view_part *part = &item->parts[0];
        bool patch = restore->request->image > 0 &&
                     item->parts[item->parts_count - 1].record->archive == ARCHIVE_RANGES;
        const struct linked *linked;
        int r;

        if (!places_is_here(&restore->places, spot))
                small_files_settle(restore->small);
        r = places_enter(&restore->places, spot, part->record->uid, true, reterr);
        if (r >= 0 && !patch)
                r = look_first(restore, spot, reterr);
        if (r != 0)
                return r;
        if (patch)
                return restore_ranges(&restore->members, part, spot, reterr);
        linked = item->parts_count == 1 && part->record->links > 1
                         ? linked_find(&restore->linked, part)
                         : NULL;
        r = linked ? place_link(restore, linked, spot, reterr) : 1;
        if (r != 1)
                return r;
        restore->summary.bytes += part->record->size;
        if (small_files_want(item)) {
                r = small_files_put(restore->small, &restore->members, part, spot,
                                    inherits_acl(restore), reterr);
                return r < 0 ? r : PLACE_LATER;
        }
        small_files_settle(restore->small);
        if (part->record->kind == ENTRY_FILE)
                return place_file(restore, item, spot, reterr);
        return place_special(restore, item, spot, reterr);
}

static int place_directory(struct restore *restore, const struct view_item *item, struct spot *spot,
                           struct vss_error *reterr) {
        struct attributes attributes = { 0 };
        int r = members_attributes(&restore->members, &item->parts[0], &attributes, reterr);

        small_files_settle(restore->small);
        if (r >= 0)
                r = places_directory(&restore->places, spot, item->parts[0].record, &attributes,
                                     reterr);
        attributes_done(&attributes);
        return r;
}

static int place_item(struct restore *restore, const struct view_item *item) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        char kind = item->parts[0].record->kind;
        struct spot spot;
        int r = places_map(&restore->places, item->path, &spot, &error);

        if (r < 0)
                return r;
        if (kind == ENTRY_SOCKET) {
                report(restore, &item->parts[0], spot.full, RESTORE_KEPT, 0,
                       "a socket is made by the program that listens on it");
                spot_done(&spot);
                return 0;
        }
        r = kind == ENTRY_DIRECTORY ? place_directory(restore, item, &spot, &error)
                                    : place_leaf(restore, item, &spot, &error);
        if (r != PLACE_LATER && restore->cancelled >= 0)
                report_placed(restore, &item->parts[0], spot.full, r,
                              r < 0 ? vss_error_message(&error) : NULL);
        spot_done(&spot);
        return r == -ENOMEM ? r : 0;
}

/* ---- selection ---- */

static bool is_selected(const struct restore_request *request, const char *path) {
        for (size_t i = 0; i < request->paths_count; i++)
                if (path_is_below(path, request->paths[i]))
                        return true;
        return request->paths == NULL;
}

static bool is_wanted(const struct restore *restore, const struct view_item *item) {
        const struct restore_request *request = restore->request;
        const struct view_part *part = &item->parts[0];
        bool below = is_selected(request, item->path);
        struct byte_range *ranges = NULL;
        struct entry entry;

        if (below && request->wanted &&
            record_to_entry(part->record, &restore->chain.links[part->link], &entry, &ranges) >= 0)
                below = request->wanted(request->userdata, &entry);
        free(ranges);
        return below;
}

static bool is_above_wanted(const struct restore_request *request, const char *path) {
        for (size_t i = 0; i < request->paths_count; i++)
                if (path_is_below(request->paths[i], path))
                        return true;
        return false;
}

/* directories above what is wanted: remembered, in case they have to be made */
static int keep_context(struct restore *restore, const struct view_item *item) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct attributes attributes = { 0 };
        struct spot spot;
        int r = places_map(&restore->places, item->path, &spot, &error);

        if (r < 0)
                return r;
        /* damage there is told when the directory itself is restored; here the mode is enough */
        if (members_attributes(&restore->members, &item->parts[0], &attributes, NULL) < 0)
                attributes_done(&attributes);
        r = places_add_context(&restore->places, &spot, item->parts[0].record, &attributes);
        attributes_done(&attributes);
        spot_done(&spot);
        return r;
}

static int place_all(struct restore *restore, struct vss_error *reterr) {
        bool own = component_is_own(&set_place_component(&restore->chain.links[0])->key);
        const struct view_item *item;
        struct view *view = NULL;
        int r = restore->request->image > 0
                        ? view_open_image(restore->store, &restore->chain, &view, reterr)
                        : view_open(restore->store, &restore->chain, NULL, &view, reterr);

        while (r >= 0 && (r = view_next_item(view, &item, reterr)) > 0) {
                if (item->gone && own)
                        continue;
                restore->path = item->path;
                if (is_wanted(restore, item))
                        r = place_item(restore, item);
                else if (item->parts[0].record->kind == ENTRY_DIRECTORY &&
                         is_above_wanted(restore->request, item->path))
                        r = keep_context(restore, item);
                if (r < 0)
                        r = vss_fail(reterr, r, "out of memory");
                else if (restore->steps++ % PROGRESS_STEP == 0)
                        (void)go_on(restore);
                if (restore->cancelled < 0)
                        r = vss_fail(reterr, restore->cancelled, "the restore was cancelled");
        }
        small_files_settle(restore->small);
        view_close(view);
        return r;
}

/* ---- deletions of one image ---- */

static int remove_one(struct restore *restore, const struct record *record) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct spot spot;
        int r = places_map(&restore->places, record->path, &spot, &error);

        if (r >= 0)
                r = places_enter(&restore->places, &spot, 0, false, &error);
        if (r == -ENOENT) {
                spot_done(&spot);
                return 0;
        }
        if (r >= 0 && record->kind == RECORD_GONE_TREE)
                r = remove_tree(spot.fd, spot.name);
        else if (r >= 0 && unlinkat(spot.fd, spot.name, 0) < 0 && errno != ENOENT)
                r = errno == EISDIR && unlinkat(spot.fd, spot.name, AT_REMOVEDIR) >= 0 ? 0 : -errno;
        if (r >= 0)
                restore->summary.removed++;
        else
                restore->summary.failed++;
        if (r < 0 && restore->first >= 0)
                restore->first = r;
        if (r < 0 && restore->watch && restore->watch->trouble)
                restore->watch->trouble(restore->watch->userdata, restore->component, record->path,
                                        r,
                                        "it was deleted before the backup and cannot be removed");
        spot_done(&spot);
        return r == -ENOMEM ? r : 0;
}

static int remove_gone(struct restore *restore, struct vss_error *reterr) {
        const struct set_place *place = &restore->chain.links[0];
        _cleanup_free_ char *name = operation_file(place->operation, MANIFEST_FILE);
        struct manifest_reader *reader = NULL;
        const struct record *record;
        int fd, r;

        if (!name)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        fd = store_open_file(restore->store, place->set, name, reterr);
        if (fd < 0)
                return fd;
        r = manifest_reader_new(fd, name, &reader, reterr);
        if (r >= 0)
                r = manifest_seek(reader, place->component, "/", reterr);
        while (r >= 0 && (r = manifest_next(reader, &record, reterr)) > 0 &&
               record->component == place->component) {
                if (record_is_entry(record) || record->kind == RECORD_MOVED ||
                    !is_selected(restore->request, record->path))
                        continue;
                r = remove_one(restore, record);
        }
        manifest_reader_free(reader);
        return r < 0 ? r : 0;
}

/* ---- the whole ---- */

static void restore_done(struct restore *restore) {
        small_files_free(restore->small);
        linked_done(&restore->linked);
        places_done(&restore->places);
        members_done(&restore->members);
}

static int restore_begin(struct restore *restore, struct store *store,
                         const struct restore_request *request, struct vss_error *reterr) {
        const struct chain *chain = request->chain;

        *restore = (struct restore){ .store = store, .request = request, .chain = *chain };
        if (request->image > 0)
                restore->chain = (struct chain){ .links = &chain->links[request->image - 1],
                                                 .count = chain->count - request->image + 1 };
        restore->component = chain->links[chain->count - 1].component;
        if (request->whole || request->where || request->in_use != RESTORE_IN_USE_IGNORE)
                return vss_fail(reterr, VSS_E_NOT_SUPPORTED, "this restore cannot be whole yet");
        restore->small = small_files_new(replaces(restore), report_placed, restore);
        if (!restore->small || members_init(&restore->members, store, &restore->chain) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        return places_init(&restore->places, request, reterr);
}

int restore_run(struct store *store, const struct restore_request *request,
                const struct engine_watch *watch, struct restore_summary *ret,
                struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore restore;
        int finished, r = restore_begin(&restore, store, request, reterr);

        restore.watch = watch;
        restore.members.go_on = go_on;
        restore.members.userdata = &restore;
        if (r >= 0 && request->image > 0 && request->remove_gone)
                r = remove_gone(&restore, reterr);
        if (r >= 0)
                r = place_all(&restore, reterr);
        finished = places_finish(&restore.places, &error);
        if (finished < 0) {
                restore.summary.failed++;
                if (watch && watch->trouble)
                        watch->trouble(watch->userdata, restore.component, "", finished,
                                       vss_error_message(&error));
                if (restore.first >= 0)
                        restore.first = finished;
        }
        restore.summary.changed = restore.summary.placed + restore.summary.removed > 0;
        *ret = restore.summary;
        restore_done(&restore);
        if (r < 0)
                return r;
        return restore.first < 0
                       ? vss_fail(reterr, restore.first, "%llu of the files could not be restored",
                                  (unsigned long long)ret->failed)
                       : 0;
}

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
