/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c - files back, one after the other in path order.
 *
 * A file is made whole without a name, or beside its place under a name of chance, readable by
 * nobody else, and then linked or renamed: a reader sees the old one or the new one (SEC-64). Only
 * ranges on top of a file that is in place are written into it, after the archive was checked, and
 * into a clone where the file system can make one. A failed file is reported and the rest goes on;
 * of a whole request the first failure undoes everything (staging.c, commit.c). What a restore that
 * was killed left beside is found by its list (recover.c), else by who comes to the directory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/restorer.h"
#include "backup/staging.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

#define PROGRESS_STEP 64

/* struct restore_run - one call; @staged: it is for later */
struct restore_run {
        struct store *store;
        const struct restore_request *request;
        const struct engine_watch *watch;
        int (*staged)(void *userdata, const struct restore_staged *staged,
                      struct vss_error *reterr);
        void *userdata;
        struct probing *probing; /* it only looks */
        const struct directed_target *targets; /* these, and nothing else */
        size_t targets_count;
};

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

static void note_failure(struct restore *restore, int code, const char *words) {
        if (restore->first < 0)
                return;
        restore->first = code;
        restore->first_words = words ? strdup(words) : NULL;
}

static void report(struct restore *restore, const struct view_part *part, const char *placed,
                   enum restore_outcome outcome, int code, const char *words) {
        const struct restore_request *request = restore->request;
        const char *path = part->record->path;
        struct byte_range *ranges = NULL;
        struct entry entry;

        if (outcome == RESTORE_PLACED || outcome == RESTORE_REPLACED)
                restore->summary.placed++;
        else if (outcome == RESTORE_KEPT)
                restore->summary.kept++;
        else
                restore->summary.failed++;
        restore->summary.replaced += outcome == RESTORE_REPLACED;
        if (outcome == RESTORE_FAILED)
                note_failure(restore, code, words);
        if (outcome == RESTORE_FAILED && restore->watch && restore->watch->trouble)
                restore->watch->trouble(restore->watch->userdata, restore->component, path, code,
                                        words);
        if (request->result && !restore->probing &&
            record_to_entry(part->record, &restore->chain.links[part->link], &entry, &ranges) >= 0)
                request->result(request->userdata, &entry, placed, outcome, code, words);
        free(ranges);
}

/* @holds: would its removal take @own away? */
static bool is_within(const char *place, const char *own, bool holds) {
        return path_is_below(place, own) || (holds && path_is_below(own, place));
}

/* @from: where it came from, @place: where it goes */
static bool is_untouched(const struct restore_request *request, const char *from, const char *place,
                         bool holds) {
        for (size_t i = 0; i < request->untouched_count; i++)
                if (is_within(place, request->untouched[i], holds))
                        return true;
        return request->records && strcmp(from, place) == 0 &&
               is_within(place, request->records, holds);
}

/* the place that the caller has for an entry, or what the mappings say; PLACE_KEPT: leave it out */
static int find_spot(struct restore *restore, const struct entry *entry, struct spot *ret,
                     struct vss_error *reterr) {
        const struct restore_request *request = restore->request;
        const char *to = NULL;

        if (request->where) {
                to = request->where(request->userdata, entry);
                if (!to)
                        return PLACE_KEPT;
        }
        return places_map(&restore->places, entry->path, to, ret, reterr);
}

static int find_item_spot(struct restore *restore, const struct view_item *item, struct spot *ret,
                          struct vss_error *reterr) {
        const struct view_part *part = &item->parts[0];
        struct entry entry = { .path = part->record->path };
        struct byte_range *ranges = NULL;
        int r = 0;

        if (restore->request->where)
                r = record_to_entry(part->record, &restore->chain.links[part->link], &entry,
                                    &ranges);
        if (r >= 0)
                r = find_spot(restore, &entry, ret, reterr);
        free(ranges);
        return r;
}

/* @r: negative, 0 it is in place, PLACE_KEPT */
static void report_placed(void *userdata, const struct view_part *part, const struct spot *spot,
                          int r, const char *words) {
        bool replaced = spot->replaced || (spot->beside[0] && spot->old != 0);
        struct restore *restore = userdata;

        if (r >= 0)
                restore->summary.bytes += spot->bytes;
        report(restore, part, spot->full ? spot->full : "",
               r < 0             ? RESTORE_FAILED
               : r == PLACE_KEPT ? RESTORE_KEPT
               : replaced        ? RESTORE_REPLACED
                                 : RESTORE_PLACED,
               r < 0 ? r : 0, words);
}

/* a small file of a whole restore is made, and remembered */
static void report_small(void *userdata, const struct view_part *part, const struct spot *spot,
                         int r, const char *words) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore *restore = userdata;

        if (r >= 0 && spot->beside[0]) {
                r = staging_put(restore->places.staging, spot, false, &error);
                if (r < 0)
                        words = vss_error_message(&error);
        }
        report_placed(restore, part, spot, r, words);
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
        struct spot spot = { .fd = -1 };
        bool broken = false, stays;
        int r = find_item_spot(restore, item, &spot, &error);

        if (r == PLACE_KEPT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                report_placed(restore, &item->parts[0], &spot, r, vss_error_message(&error));
                return 0;
        }
        stays = kind == ENTRY_SOCKET ||
                is_untouched(restore->request, item->path, spot.full, false);
        if (restore->probing && !stays) {
                r = probe_item(restore, item, &spot);
                spot_done(&spot);
                return r;
        }
        if (stays) {
                report(restore, &item->parts[0], spot.full, RESTORE_KEPT, 0,
                       kind == ENTRY_SOCKET
                               ? "a socket is made by the program that listens on it"
                               : "the shadow copy service keeps its own records there");
                spot_done(&spot);
                return 0;
        }
        r = kind == ENTRY_DIRECTORY ? place_directory(restore, item, &spot, &error)
                                    : restore_leaf(restore, item, &spot, &broken, &error);
        if (r >= 0 && broken)
                restore->summary.links_broken++;
        if (r != PLACE_LATER && restore->cancelled >= 0)
                report_placed(restore, &item->parts[0], &spot, r,
                              r < 0    ? vss_error_message(&error)
                              : broken ? "a copy: another name of the file is elsewhere now"
                                       : NULL);
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
        int r = find_item_spot(restore, item, &spot, &error);

        if (r != 0)
                return r == -ENOMEM ? r : 0;
        /* damage there is told when the directory itself is restored; here the mode is enough */
        if (members_attributes(&restore->members, &item->parts[0], &attributes, NULL) < 0)
                attributes_done(&attributes);
        r = places_add_context(&restore->places, &spot, item->parts[0].record, &attributes);
        attributes_done(&attributes);
        spot_done(&spot);
        return r;
}

/* nothing of it will be put in place */
static bool is_lost(const struct restore *restore) {
        return restore->places.staging && restore->first < 0;
}

static int place_all(struct restore *restore, struct vss_error *reterr) {
        bool own = component_is_own(&set_place_component(&restore->chain.links[0])->key);
        const struct view_item *item;
        struct view *view = NULL;
        int r = restore->request->image > 0
                        ? view_open_image(restore->store, &restore->chain, &view, reterr)
                        : view_open(restore->store, &restore->chain, NULL, &view, reterr);

        if (r >= 0 && restore->request->paths)
                view_only(view, restore->request->paths, restore->request->paths_count);
        while (r >= 0 && (r = view_next_item(view, &item, reterr)) > 0) {
                if (item->gone && own)
                        continue;
                restore->path = item->path;
                if (is_wanted(restore, item))
                        r = place_item(restore, item);
                else if (item->parts[0].record->kind == ENTRY_DIRECTORY && !restore->probing &&
                         is_above_wanted(restore->request, item->path))
                        r = keep_context(restore, item);
                if (r < 0)
                        r = vss_fail(reterr, r, "out of memory");
                else if (restore->steps++ % PROGRESS_STEP == 0)
                        (void)go_on(restore);
                if (restore->cancelled < 0)
                        r = vss_fail(reterr, restore->cancelled, "the restore was cancelled");
                else if (r >= 0 && is_lost(restore))
                        break;
        }
        small_files_settle(restore->small);
        view_close(view);
        return r;
}

/* ---- deletions of one image ---- */

static int stage_removal(struct restore *restore, const struct record *record, struct spot *spot,
                         struct vss_error *reterr) {
        struct staging *staging = restore->places.staging;
        int r = staging_spot(staging, spot);

        if (r < 0)
                return cannot_place(spot, r, reterr);
        return spot->old == 0
                       ? PLACE_KEPT
                       : staging_remove(staging, spot, record->kind == RECORD_GONE_TREE, reterr);
}

static int remove_now(const struct record *record, const struct spot *spot) {
        if (record->kind == RECORD_GONE_TREE)
                return remove_tree(spot->fd, spot->name);
        if (unlinkat(spot->fd, spot->name, 0) >= 0 || errno == ENOENT)
                return 0;
        return errno == EISDIR && unlinkat(spot->fd, spot->name, AT_REMOVEDIR) >= 0 ? 0 : -errno;
}

static void removal_failed(struct restore *restore, const struct record *record, int r) {
        static const char *const words = "it was deleted before the backup and cannot be removed";

        restore->summary.failed++;
        note_failure(restore, r, words);
        if (restore->watch && restore->watch->trouble)
                restore->watch->trouble(restore->watch->userdata, restore->component, record->path,
                                        r, words);
}

static int remove_one(struct restore *restore, const struct record *record) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct entry entry = { .path = record->path };
        struct spot spot = { .fd = -1 };
        int r = find_spot(restore, &entry, &spot, &error);

        if (r == 0 && is_untouched(restore->request, record->path, spot.full, true))
                r = PLACE_KEPT;
        if (r == 0) {
                r = places_enter(&restore->places, &spot, 0, false, &error);
                if (r == -ENOENT)
                        r = PLACE_KEPT;
        }
        if (r == 0)
                r = restore->places.staging ? stage_removal(restore, record, &spot, &error)
                                            : remove_now(record, &spot);
        if (r == 0)
                restore->summary.removed++;
        else if (r < 0)
                removal_failed(restore, record, r);
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
        in_use_free(restore->in_use);
        staging_free(restore->places.staging);
        places_done(&restore->places);
        members_done(&restore->members);
        free(restore->first_words);
}

static int begin_changes(struct restore *restore, const struct restore_run *run,
                         struct vss_error *reterr) {
        const struct restore_request *request = restore->request;
        _cleanup_free_ char *undo_dir = undo_dir_of(request);
        bool keep_leftovers =
                undo_dir && !recover_killed(undo_dir, restore->watch, restore->component);
        int r = places_init(&restore->places, request, false, reterr);

        restore->places.keep_leftovers = keep_leftovers;
        if (r >= 0 && (request->whole || run->staged))
                r = staging_new(&restore->places, run->staged != NULL, &restore->places.staging,
                                reterr);
        return r;
}

static int begin_places(struct restore *restore, const struct restore_run *run,
                        struct vss_error *reterr) {
        const struct restore_request *request = restore->request;

        if (restore->probing)
                return places_init(&restore->places, request, true, reterr);
        return begin_changes(restore, run, reterr);
}

static int restore_begin(struct restore *restore, const struct restore_run *run,
                         struct vss_error *reterr) {
        const struct restore_request *request = run->request;
        const struct chain *chain = request->chain;

        *restore = (struct restore){ .store = run->store,
                                     .request = request,
                                     .chain = *chain,
                                     .watch = run->watch,
                                     .probing = run->probing };
        if (request->image > 0)
                restore->chain = (struct chain){ .links = &chain->links[request->image - 1],
                                                 .count = chain->count - request->image + 1 };
        restore->component = chain->links[chain->count - 1].component;
        restore->small = small_files_new(report_small, restore);
        if (!restore->small || members_init(&restore->members, run->store, &restore->chain) < 0 ||
            in_use_new(request->in_use, &restore->in_use) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        restore->members.go_on = go_on;
        restore->members.userdata = restore;
        return begin_places(restore, run, reterr);
}

/* what concerns no single file */
static void whole_failed(struct restore *restore, int r, const char *words) {
        restore->summary.failed++;
        if (restore->watch && restore->watch->trouble)
                restore->watch->trouble(restore->watch->userdata, restore->component, "", r, words);
        note_failure(restore, r, words);
}

/* all or nothing; @r: how it went so far */
static int end_whole(struct restore *restore, const struct restore_run *run, int r,
                     struct vss_error *reterr) {
        struct staging *staging = restore->places.staging;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (r < 0 || restore->first < 0) {
                staging_discard(staging);
        } else {
                r = run->staged ? staging_hand_over(staging, run->staged, run->userdata, &error)
                                : staging_commit(staging, &restore->summary.changed, &error);
                if (r >= 0) {
                        restore->summary.changed = !run->staged;
                        return 0;
                }
                whole_failed(restore, r, vss_error_message(&error));
        }
        restore->summary.placed = restore->summary.removed = restore->summary.bytes = 0;
        if (!restore->summary.changed)
                places_unmake(&restore->places);
        return restore->first < 0 ? 0 : r; /* say_failure() has the words */
}

static int say_failure(const struct restore *restore, struct vss_error *reterr) {
        if (!restore->places.staging)
                return vss_fail(reterr, restore->first, "%llu of the files could not be restored",
                                (unsigned long long)restore->summary.failed);
        return vss_fail(reterr, restore->first, "%s%s",
                        restore->summary.changed ? "" : "nothing was changed: ",
                        restore->first_words ? restore->first_words : "a file cannot be restored");
}

static int run_restore(const struct restore_run *run, struct restore_summary *ret,
                       struct vss_error *reterr) {
        const struct restore_request *request = run->request;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct restore restore;
        int left, r = restore_begin(&restore, run, reterr);

        if (r >= 0 && request->image > 0 && request->remove_gone)
                r = remove_gone(&restore, reterr);
        if (r >= 0)
                r = run->targets
                            ? restore_targets(&restore, run->targets, run->targets_count, reterr)
                            : place_all(&restore, reterr);
        left = places_leave(&restore.places, &error);
        if (left >= 0 && !restore.places.staging)
                left = places_sync(&restore.places, &error);
        if (left < 0)
                whole_failed(&restore, left, vss_error_message(&error));
        if (restore.places.staging)
                r = end_whole(&restore, run, r, reterr);
        else
                restore.summary.changed = restore.summary.placed + restore.summary.removed > 0;
        *ret = restore.summary;
        if (r >= 0 && restore.first < 0)
                r = say_failure(&restore, reterr);
        restore_done(&restore);
        return r < 0 ? r : 0;
}

int restore_run(struct store *store, const struct restore_request *request,
                const struct engine_watch *watch, struct restore_summary *ret,
                struct vss_error *reterr) {
        const struct restore_run run = { .store = store, .request = request, .watch = watch };

        return run_restore(&run, ret, reterr);
}

int restore_stage(struct store *store, const struct restore_request *request,
                  const struct engine_watch *watch,
                  int (*staged)(void *userdata, const struct restore_staged *staged,
                                struct vss_error *reterr),
                  void *userdata, struct restore_summary *ret, struct vss_error *reterr) {
        const struct restore_run run = { store, request, watch, staged, userdata };

        *ret = (struct restore_summary){ 0 };
        if (request->remove_gone)
                return vss_fail(reterr, E_INVALIDARG,
                                "what is gone cannot be removed by a restore for later");
        return run_restore(&run, ret, reterr);
}

int restore_probe(struct store *store, const struct restore_request *request,
                  void (*found)(void *userdata, const struct entry *entry, const char *place,
                                enum restore_state state, int code, const char *words),
                  const struct engine_watch *watch, struct restore_probe *ret,
                  struct vss_error *reterr) {
        const struct restore_run run = {
                .store = store, .request = request, .watch = watch, .probing = probing_new(found)
        };
        struct restore restore;
        int r = run.probing ? restore_begin(&restore, &run, reterr)
                            : vss_fail(reterr, -ENOMEM, "out of memory");

        if (!run.probing)
                return r;
        if (r >= 0)
                r = place_all(&restore, reterr);
        if (r >= 0 && restore.first < 0)
                r = vss_fail(reterr, restore.first, "%s", restore.first_words);
        if (r >= 0)
                probing_end(run.probing, ret);
        restore_done(&restore);
        probing_free(run.probing);
        return r;
}

int restore_directed(struct store *store, const struct restore_request *request,
                     const struct directed_target *targets, size_t count,
                     const struct engine_watch *watch, struct restore_summary *ret,
                     struct vss_error *reterr) {
        const struct restore_request whole = { .chain = request->chain,
                                               .image = request->image,
                                               .into = request->into,
                                               .trusted_roots = request->trusted_roots,
                                               .trusted_roots_count = request->trusted_roots_count,
                                               .in_use = request->in_use,
                                               .undo_dir = request->undo_dir,
                                               .whole = true };
        const struct restore_run run = { .store = store,
                                         .request = &whole,
                                         .watch = watch,
                                         .targets = targets,
                                         .targets_count = count };

        *ret = (struct restore_summary){ 0 };
        if (count == 0)
                return vss_fail(reterr, E_INVALIDARG, "there are no ranges to direct");
        return run_restore(&run, ret, reterr);
}
