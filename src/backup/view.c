/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view.c - the names of a chain as they were at its last link, merged from the links' manifests.
 *
 * Every manifest is sorted, so one record of each link is enough. A record of a later link wins.
 * What a later link says about a name also hides what earlier ones have below it: a file where a
 * directory was, a deleted tree. Those "shades" are kept while the walk is below them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/manifest-inside.h"
#include "backup/view-inside.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

struct base_check {
        struct store *store;
        const struct set_place *place, *base; /* NULL: the chain begins here */
        struct vss_error *reterr;
};

/* an increment's manifest names the digest of its base's: they must belong together */
static int check_base(void *userdata, uint32_t component, const struct vss_id *set,
                      uint32_t operation, uint32_t base_component,
                      const uint8_t digest[DIGEST_SIZE]) {
        struct base_check *check = userdata;
        _cleanup_free_ char *name = operation_file(operation, MANIFEST_FILE);
        const struct stored_file *file;

        if (!name)
                return vss_fail(check->reterr, -ENOMEM, "out of memory");
        if (component != check->place->component || !check->base)
                return 0;
        file = set_find_file(set_record_of(check->base->set), name);
        if (!vss_id_equal(set, &check->base->set->id) || operation != check->base->operation ||
            base_component != check->base->component || !file ||
            memcmp(file->digest, digest, DIGEST_SIZE) != 0)
                return vss_fail(check->reterr, -EBADMSG,
                                "the set '%s' was made on another base than the set '%s' that is "
                                "here",
                                check->place->set->folder, check->base->set->folder);
        return 0;
}

static int open_cursor(struct store *store, const struct chain *chain, size_t link,
                       struct cursor *ret, struct vss_error *reterr) {
        const struct set_place *place = &chain->links[link];
        struct base_check check = { store, place, link > 0 ? &chain->links[link - 1] : NULL,
                                    reterr };
        _cleanup_free_ char *file = operation_file(place->operation, MANIFEST_FILE), *name = NULL;
        int fd, r;

        name = file ? path_join(place->set->folder, file) : NULL;
        if (!name)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        fd = store_open_file(store, place->set, file, reterr);
        if (fd < 0)
                return fd;
        r = manifest_reader_new(fd, name, &ret->reader, reterr);
        if (r < 0)
                return r;
        ret->component = place->component;
        return manifest_read_bases(ret->reader, check_base, &check, reterr);
}

static bool is_below(const struct view *view, const char *path) {
        return !view->below || path_is_below(path, view->below);
}

/* names that go back would be looked for, and found, again and again */
static int check_order(struct cursor *cursor, struct vss_error *reterr) {
        const char *before = cursor->before.size > 0 ? text_cstring(&cursor->before) : "";
        int r = before ? 0 : -ENOMEM;

        if (r >= 0 && *before && path_compare(before, cursor->record->path) >= 0)
                return manifest_damaged(cursor->reader, reterr);
        text_reset(&cursor->before);
        text_string(&cursor->before, cursor->record->path);
        return r < 0 || cursor->before.failed ? vss_fail(reterr, -ENOMEM, "out of memory") : 1;
}

int view_advance(struct view *view, size_t link, struct vss_error *reterr) {
        struct cursor *cursor = &view->cursors[link];
        int r = manifest_next(cursor->reader, &cursor->record, reterr);

        if (r > 0 && cursor->record->component == cursor->component)
                r = check_order(cursor, reterr);
        if (r <= 0)
                cursor->record = NULL;
        else if (cursor->record->component != cursor->component ||
                 !is_below(view, cursor->record->path))
                cursor->record = NULL;
        return r < 0 ? r : 0;
}

int view_start_cursor(struct view *view, size_t link, const char *path, struct vss_error *reterr) {
        struct cursor *cursor = &view->cursors[link];
        int r = manifest_seek(cursor->reader, cursor->component, path, reterr);

        text_reset(&cursor->before);
        return r < 0 ? r : view_advance(view, link, reterr);
}

struct view *view_close(struct view *view) {
        if (!view)
                return NULL;
        for (size_t i = 0; view->cursors && i < view->chain->count; i++) {
                manifest_reader_free(view->cursors[i].reader);
                text_done(&view->cursors[i].before);
        }
        for (size_t i = 0; i < view->shades_count; i++)
                free(view->shades[i].path);
        view_close(view->gone);
        free(view->cursors);
        free(view->shades);
        free(view->parts);
        free(view->below);
        free(view->ranges);
        text_done(&view->path);
        free(view);
        return NULL;
}

static int push_shade(struct view *view, const char *path, size_t link, bool gone, bool tree) {
        struct shade *shade;

        if (link == 0)
                return 0;
        if (ARRAY_RESERVE(&view->shades, view->shades_count, &view->shades_capacity) < 0)
                return -ENOMEM;
        shade = &view->shades[view->shades_count];
        *shade = (struct shade){ strdup(path), link, gone, tree };
        if (!shade->path)
                return -ENOMEM;
        view->shades_count++;
        return 0;
}

/* a tree that a later link deleted may begin above @below */
static int shades_above(struct store *store, struct view *view, struct vss_error *reterr) {
        _cleanup_free_ char *ancestor = strdup(view->below);
        char *slash;

        if (!ancestor)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        while ((slash = strrchr(ancestor, '/'))) {
                *(slash == ancestor ? slash + 1 : slash) = '\0';
                for (size_t i = 1; i < view->chain->count; i++) {
                        const struct record *record;
                        int r = manifest_seek(view->cursors[i].reader, view->cursors[i].component,
                                              ancestor, reterr);

                        if (r >= 0)
                                r = manifest_next(view->cursors[i].reader, &record, reterr);
                        if (r > 0 && record->component == view->cursors[i].component &&
                            strcmp(record->path, ancestor) == 0 &&
                            record->kind != ENTRY_DIRECTORY && record->kind != RECORD_GONE &&
                            record->kind != RECORD_MOVED)
                                r = push_shade(view, ancestor, i, record->kind == RECORD_GONE_TREE,
                                               true);
                        if (r < 0)
                                return r;
                }
                if (slash == ancestor)
                        break;
        }
        return 0;
}

static int open_cursors(struct store *store, struct view *view, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; i < view->chain->count && r >= 0; i++)
                r = open_cursor(store, view->chain, i, &view->cursors[i], reterr);
        if (r >= 0 && view->below && strcmp(view->below, "/") != 0)
                r = shades_above(store, view, reterr);
        for (size_t i = 0; i < view->chain->count && r >= 0; i++)
                r = view_start_cursor(view, i, view->below ? view->below : "/", reterr);
        return r;
}

static int open_one(struct store *store, const struct chain *chain, const char *below,
                    struct view **ret, struct vss_error *reterr) {
        struct view *view = calloc(1, sizeof(*view));
        int r;

        if (!view)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        view->store = store;
        view->chain = chain;
        view->own = component_is_own(&set_place_component(&chain->links[0])->key);
        view->cursors = calloc(chain->count, sizeof(*view->cursors));
        view->parts = calloc(chain->count, sizeof(*view->parts));
        view->below = below ? strdup(below) : NULL;
        if (!view->cursors || !view->parts || (below && !view->below))
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        else
                r = open_cursors(store, view, reterr);
        if (r < 0) {
                view_close(view);
                return r;
        }
        *ret = view;
        return 0;
}

int view_open(struct store *store, const struct chain *chain, const char *below, struct view **ret,
              struct vss_error *reterr) {
        return open_one(store, chain, below, ret, reterr);
}

int view_open_image(struct store *store, const struct chain *chain, struct view **ret,
                    struct vss_error *reterr) {
        int r = open_one(store, chain, NULL, ret, reterr);

        if (r >= 0)
                (*ret)->first_only = true;
        return r;
}

static void drop_shades(struct view *view, const char *path) {
        while (view->shades_count > 0 &&
               !path_is_below(path, view->shades[view->shades_count - 1].path))
                free(view->shades[--view->shades_count].path);
}

/* the strongest shade on what @link has at @path: 0 none, 1 deleted, 2 replaced */
static int shaded(const struct view *view, size_t link, const char *path) {
        int found = 0;

        for (size_t i = 0; i < view->shades_count; i++) {
                const struct shade *shade = &view->shades[i];

                if (link >= shade->link || (!shade->tree && strcmp(shade->path, path) != 0))
                        continue;
                if (!shade->gone && strcmp(shade->path, path) != 0)
                        return 2;
                if (shade->gone)
                        found = 1;
        }
        return found;
}

const char *view_lowest_path(const struct view *view) {
        const char *lowest = NULL;

        for (size_t i = 0; i < view->chain->count; i++) {
                const struct record *record = view->cursors[i].record;

                if (record && (!lowest || path_compare(record->path, lowest) < 0))
                        lowest = record->path;
        }
        return lowest;
}

/* what one link has at the item's path: 1 the item is whole now, 0 look at earlier links */
static int take_part(struct view *view, size_t link) {
        const struct record *record = view->cursors[link].record;
        const char *path = view->item.path;
        bool partial;
        int shade;

        if (!record || strcmp(record->path, path) != 0)
                return 0;
        if (record->kind == RECORD_GONE || record->kind == RECORD_GONE_TREE)
                return push_shade(view, path, link, true, record->kind == RECORD_GONE_TREE);
        if (record->kind == RECORD_MOVED) /* what earlier links have of it is nobody's any more */
                return 1;
        shade = shaded(view, link, path);
        if (shade == 2)
                return 1;
        partial = record->archive == ARCHIVE_RANGES;
        /* ranges on top of something that is no file, or of a file that was deleted since */
        if (view->item.parts_count > 0 && (record->kind != ENTRY_FILE || (shade == 1 && view->own)))
                return 1;
        if (view->item.parts_count == 0)
                view->item.gone = shade == 1;
        view->parts[view->item.parts_count++] = (struct view_part){ link, record };
        if (record->kind != ENTRY_DIRECTORY && push_shade(view, path, link, false, true) < 0)
                return -ENOMEM;
        return !partial;
}

int view_move_on(struct view *view, struct vss_error *reterr) {
        for (size_t i = 0; i < view->chain->count && view->lent; i++) {
                const struct record *record = view->cursors[i].record;
                int r;

                if (!record || strcmp(record->path, view->item.path) != 0)
                        continue;
                r = view_advance(view, i, reterr);
                if (r < 0)
                        return r;
        }
        view->lent = false;
        return 0;
}

/* the name is settled by a later link, but what this one says still hides what is below earlier */
static int take_shade(struct view *view, size_t link) {
        const struct record *record = view->cursors[link].record;

        if (!record || strcmp(record->path, view->item.path) != 0 ||
            record->kind == ENTRY_DIRECTORY || record->kind == RECORD_GONE ||
            record->kind == RECORD_MOVED)
                return 0;
        return push_shade(view, view->item.path, link, record->kind == RECORD_GONE_TREE, true);
}

/* what a later link has at the item's path: *hidden, the first link's name has no place there */
static int hide_first(struct view *view, size_t link, bool *hidden) {
        const struct record *first = view->cursors[0].record, *later = view->cursors[link].record;
        const char *path = view->item.path;

        if (!later || strcmp(later->path, path) != 0 || later->kind == RECORD_GONE ||
            later->kind == RECORD_GONE_TREE)
                return 0;
        if (later->kind == RECORD_MOVED) { /* it belongs to the plain files by now */
                *hidden = true;
                return 0;
        }
        if (first && strcmp(first->path, path) == 0 &&
            (first->kind == ENTRY_DIRECTORY) != (later->kind == ENTRY_DIRECTORY))
                *hidden = true;
        return later->kind == ENTRY_DIRECTORY ? 0 : push_shade(view, path, link, false, true);
}

static int take_first(struct view *view) {
        const struct record *first = view->cursors[0].record;
        const char *path = view->item.path;
        bool hidden = !first || strcmp(first->path, path) != 0 || !record_is_entry(first) ||
                      shaded(view, 0, path) == 2;

        for (size_t i = 1; i < view->chain->count; i++) {
                int r = hide_first(view, i, &hidden);

                if (r < 0)
                        return r;
        }
        if (!hidden)
                view->parts[view->item.parts_count++] = (struct view_part){ 0, first };
        return 0;
}

static int take_all(struct view *view) {
        bool whole = false;

        for (size_t i = view->chain->count; i-- > 0;) {
                int r = whole ? take_shade(view, i) : take_part(view, i);

                if (r < 0)
                        return r;
                whole = whole || r > 0;
        }
        return 0;
}

int view_take(struct view *view) {
        drop_shades(view, view->item.path);
        return view->first_only ? take_first(view) : take_all(view);
}

/* the next path that some link has; without parts when it is hidden */
static int next_path(struct view *view, struct vss_error *reterr) {
        const char *path;
        int r = view_move_on(view, reterr);

        if (r < 0)
                return r;
        path = view_lowest_path(view);
        if (!path)
                return 0;
        text_reset(&view->path);
        text_string(&view->path, path);
        view->item = (struct view_item){ .path = text_cstring(&view->path), .parts = view->parts };
        if (!view->item.path)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        view->lent = true;
        r = view_take(view);
        return r < 0 ? vss_fail(reterr, r, "out of memory") : 1;
}

int view_next_item(struct view *view, const struct view_item **ret, struct vss_error *reterr) {
        int r;

        do {
                r = view->only ? view_skip_unwanted(view, reterr) : 0;
                if (r >= 0)
                        r = next_path(view, reterr);
        } while (r > 0 && view->item.parts_count == 0);
        if (r > 0)
                *ret = &view->item;
        return r;
}

int record_to_entry(const struct record *record, const struct set_place *image, struct entry *ret,
                    struct byte_range **ret_ranges) {
        *ret = (struct entry){
                .path = record->path,
                .type = (enum entry_type)record->kind,
                .mode = record->mode,
                .uid = record->uid,
                .gid = record->gid,
                .size = record->size,
                .mtime = record->mtime,
                .ctime = record->ctime,
                .mtime_ns = record->mtime_ns,
                .ctime_ns = record->ctime_ns,
                .inode = record->inode,
                .links = record->links,
                .is_hard_link = record->link[0] != '\0',
                .has_digest = record->has_digest,
                .partial = record->archive == ARCHIVE_RANGES,
                .image = image,
        };
        memcpy(ret->digest, record->digest, DIGEST_SIZE);
        if (record->kind == ENTRY_SYMLINK)
                ret->target = record->extra;
        if ((record->kind == ENTRY_CHAR || record->kind == ENTRY_BLOCK) &&
            sscanf(record->extra, "%u:%u", &ret->dev_major, &ret->dev_minor) != 2)
                return -EBADMSG;
        if (ret->partial) {
                free(*ret_ranges);
                *ret_ranges = NULL;
                if (record_ranges_parse(record->extra, ret_ranges, &ret->ranges_count) < 0)
                        return -EBADMSG;
                ret->ranges = *ret_ranges;
        }
        return 0;
}

int view_next(struct view *view, const struct entry **ret, struct vss_error *reterr) {
        const struct view_item *item;
        int r;

        do
                r = view_next_item(view, &item, reterr);
        while (r > 0 && item->gone && view->own);
        if (r <= 0)
                return r;
        r = record_to_entry(item->parts[0].record, &view->chain->links[item->parts[0].link],
                            &view->entry, &view->ranges);
        if (r < 0)
                return vss_fail(reterr, r, "the manifest's line for '%s' makes no sense",
                                item->path);
        *ret = &view->entry;
        return 1;
}

int view_next_gone(struct view *view, const char **ret, struct vss_error *reterr) {
        const struct view_item *item;
        int r = view->gone ? 0
                           : open_one(view->store, view->chain, view->below, &view->gone, reterr);

        while (r >= 0 && (r = view_next_item(view->gone, &item, reterr)) > 0 && !item->gone)
                ;
        if (r > 0)
                *ret = item->path;
        return r;
}
