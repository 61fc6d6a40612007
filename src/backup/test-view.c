/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-view.c - names left out of a view without being read are those that were to be left out, and
 * change nothing about the others. The manifests are made by hand, at random: files where folders
 * were, deleted trees, names given up, ranges.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "backup/internal.h"
#include "base/cleanup.h"
#include "tests/check.h"
#include "tests/scratch.h"

#define LINKS 4
#define NAMES 4000
#define PATH_SIZE 100

static char folder_path[] = "/tmp/vss-view-XXXXXX";

/* a chain of images, and what a view of it has when every name is read */
struct world {
        struct store *store;
        struct set_record *sets[LINKS];
        struct set_place places[LINKS];
        struct chain chain;
        char (*names)[PATH_SIZE]; /* sorted, each once */
        size_t names_count;
        struct seen {
                char path[PATH_SIZE];
                bool gone;
                size_t links[LINKS], parts;
        } * all;
        size_t all_count;
};

static uint32_t state;

static uint32_t any(uint32_t below) {
        state = state * 1664525 + 1013904223;
        return (uint32_t)(((uint64_t)state * below) >> 32);
}

static int by_path(const void *a, const void *b) {
        return path_compare(a, b);
}

/* short names, so that many are folders of others; '-' and '.' sort before, '%' after the slash */
static void make_names(struct world *w) {
        static const char *const parts[] = { "a", "a-", "a.b", "b", "b c", "c%", "d", "~" };
        size_t kept = 0;

        w->names = calloc(NAMES, PATH_SIZE);
        CHECK(w->names);
        for (size_t i = 1; i < NAMES; i++)
                for (uint32_t n = 0, depth = 1 + any(7); n < depth; n++)
                        sprintf(w->names[i] + strlen(w->names[i]), "/%s", parts[any(8)]);
        strcpy(w->names[0], "/");
        qsort(w->names, NAMES, PATH_SIZE, by_path);
        for (size_t i = 1; i < NAMES; i++)
                if (strcmp(w->names[i], w->names[kept]) != 0)
                        memmove(w->names[++kept], w->names[i], PATH_SIZE);
        w->names_count = kept + 1;
}

/* what an image says of a name: the first has nearly all of them as folders and files, later ones
 * little of each kind */
static char kind_of(size_t link, const char *path) {
        static const char later[] = "fffddlxXo";

        if (link == 0)
                return any(20) == 0 ? 0 : any(3) ? 'd' : 'f';
        if (strcmp(path, "/") == 0)
                return any(2) ? 'd' : 0;
        return any(link == 1 ? 4 : 30) ? 0 : later[any(9)];
}

static void write_manifest(struct world *w, size_t link, int fd, bool own) {
        static char empty[] = "", ranges[] = "0:1";
        struct set_record *set = w->sets[link];
        struct manifest_writer *writer;
        uint8_t digest[DIGEST_SIZE];
        uint64_t stored;

        CHECK_INT(manifest_writer_new(fd, false, &writer), 0);
        if (link > 0)
                CHECK_INT(manifest_put_base(writer, 0, &w->sets[link - 1]->info.id, 1, 0,
                                            w->sets[link - 1]->files[0].digest),
                          0);
        for (size_t i = 0; i < w->names_count; i++) {
                struct record record = { .kind = kind_of(link, w->names[i]),
                                         .path = w->names[i],
                                         .archive = ARCHIVE_DATA,
                                         .size = link,
                                         .link = empty,
                                         .extra = empty };

                if (record.kind == 0 || (own && record.kind == RECORD_MOVED))
                        continue;
                if (record.kind == 'f' && link > 0 && any(3) == 0) {
                        record.archive = ARCHIVE_RANGES;
                        record.extra = ranges;
                }
                CHECK_INT(manifest_put(writer, &record), 0);
        }
        CHECK_INT(manifest_finish(writer, digest, &stored), 0);
        manifest_writer_free(writer);
        CHECK_INT(set_add_file(set, "op-1/manifest.zst", stored, digest), 0);
}

static void make_set(struct world *w, size_t link, bool own) {
        const struct component_key key = {
                .writer_id = { { !own } }, .instance_name = "", .logical_path = "", .name = ""
        };
        struct set_record *set = calloc(1, sizeof(*set));
        char path[PATH_SIZE];
        int fd;

        CHECK(set && asprintf(&set->info.folder, "set%zu", link) > 0);
        snprintf(path, sizeof(path), "%s/store/%s/op-1", folder_path, set->info.folder);
        CHECK_INT(mkdir_parents(path, 0700), 0);
        strcat(path, "/manifest.zst");
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_TRUNC, 0600);
        CHECK(fd >= 0);
        set->info.id = (struct vss_id){ { (uint8_t)link, 1 } };
        CHECK(operation_add_component(set_add_operation(set, VSS_BT_FULL), &key));
        w->sets[link] = set;
        w->places[link] = (struct set_place){ &set->info, 1, 0 };
        write_manifest(w, link, fd, own);
}

static struct view *open_view(const struct world *w, bool first_only) {
        struct vss_error error = VSS_ERROR_INIT;
        struct view *view;

        if (first_only)
                CHECK_INT(view_open_image(w->store, &w->chain, &view, &error), 0);
        else
                CHECK_INT(view_open(w->store, &w->chain, NULL, &view, &error), 0);
        return view;
}

static bool next_seen(struct view *view, struct seen *ret) {
        struct vss_error error = VSS_ERROR_INIT;
        const struct view_item *item;
        int r = view_next_item(view, &item, &error);

        CHECK_STR(error.message, NULL);
        CHECK(r >= 0);
        if (r == 0)
                return false;
        *ret = (struct seen){ .gone = item->gone, .parts = item->parts_count };
        snprintf(ret->path, sizeof(ret->path), "%s", item->path);
        for (size_t i = 0; i < item->parts_count; i++) {
                ret->links[i] = item->parts[i].link;
                CHECK_STR(item->parts[i].record->path, item->path);
                CHECK_INT(item->parts[i].record->size, item->parts[i].link);
        }
        return true;
}

static void check_same(const struct seen *a, const struct seen *b) {
        CHECK_STR(a->path, b->path);
        CHECK_INT(a->gone, b->gone);
        CHECK_INT(a->parts, b->parts);
        for (size_t i = 0; i < a->parts; i++)
                CHECK_INT(a->links[i], b->links[i]);
}

static void make_world(struct world *w, uint32_t seed, bool own, bool first_only) {
        struct vss_error error = VSS_ERROR_INIT;
        char path[PATH_SIZE];
        struct view *view;

        *w = (struct world){ .chain = { w->places, LINKS, 0 } };
        state = seed;
        snprintf(path, sizeof(path), "%s/store", folder_path);
        CHECK_INT(store_open(path, STORE_CREATE, &w->store, &error), 0);
        make_names(w);
        for (size_t i = 0; i < LINKS; i++)
                make_set(w, i, own);
        w->all = calloc(w->names_count, sizeof(*w->all));
        CHECK(w->all);
        view = open_view(w, first_only);
        while (next_seen(view, &w->all[w->all_count]))
                w->all_count++;
        view_close(view);
        CHECK(w->all_count > NAMES / 10);
}

static void end_world(struct world *w) {
        char path[PATH_SIZE];

        store_close(w->store);
        for (size_t i = 0; i < LINKS; i++)
                set_record_free(w->sets[i]);
        free(w->names);
        free(w->all);
        snprintf(path, sizeof(path), "%s/store", folder_path);
        CHECK_INT(remove_tree(AT_FDCWD, path), 0);
}

/* from name to name, far and near, there or not */
static void check_skips(const struct world *w, bool first_only, uint32_t far) {
        struct vss_error error = VSS_ERROR_INIT;
        struct view *view = open_view(w, first_only);
        size_t to = 0, at = 0;

        for (;;) {
                struct seen seen;

                to += 1 + any(far);
                if (to >= w->names_count)
                        break;
                CHECK_INT(view_skip_to(view, w->names[to], &error), 0);
                while (at < w->all_count && path_compare(w->all[at].path, w->names[to]) < 0)
                        at++;
                for (uint32_t n = any(3) + 1; n > 0; n--) {
                        bool there = next_seen(view, &seen);

                        CHECK_INT(there, at < w->all_count);
                        if (there)
                                check_same(&seen, &w->all[at++]);
                }
        }
        view_close(view);
}

static bool is_of(const char *path, const char *const *only, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (path_is_below(path, only[i]) || path_is_below(only[i], path))
                        return true;
        return false;
}

static void check_only(const struct world *w, bool first_only) {
        struct view *view = open_view(w, first_only);
        const char *only[3];
        size_t count = 1 + any(3), at = 0;
        struct seen seen;

        for (size_t i = 0; i < count; i++)
                only[i] = w->names[1 + any((uint32_t)w->names_count - 1)];
        view_only(view, only, count);
        while (next_seen(view, &seen)) {
                while (at < w->all_count && !is_of(w->all[at].path, only, count))
                        at++;
                CHECK(at < w->all_count);
                check_same(&seen, &w->all[at++]);
        }
        while (at < w->all_count)
                CHECK(!is_of(w->all[at++].path, only, count));
        view_close(view);
}

static void test_skips(void) {
        for (uint32_t round = 0; round < 6; round++) {
                bool first_only = round % 3 == 2;
                struct world w;

                make_world(&w, round, round % 2, first_only);
                for (uint32_t far = 1; far < 1000; far *= 4)
                        check_skips(&w, first_only, far);
                for (int i = 0; i < 60; i++)
                        check_only(&w, first_only);
                end_world(&w);
        }
}

int main(void) {
        scratch_folder(folder_path);
        RUN(test_skips);
        return 0;
}
