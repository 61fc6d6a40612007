/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * merge.c - the runs of an operation become its manifest: sorted, each name once, what is as in
 * the base left out, what the base has and nobody saw recorded as gone.
 *
 * For the requester's own files the list of names is exact: whatever was not seen is gone. For a
 * writer's component only names count that one of the file sets looked for (I-189). Where only what
 * changed was looked at, this holds below the exact trees, and the rest of the base is not read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/writing.h"
#include "base/cleanup.h"
#include "base/file.h"

struct input {
        struct manifest_reader *reader;
        const struct record *record; /* NULL at the end */
        const char *root;
};

struct inputs {
        struct input *items; /* room for one per run */
        size_t count;
};

struct merge {
        struct operation *op;
        struct inputs inputs; /* the component's runs */
        struct inputs own; /* those of component 0, once the component has a name that may be its */
        bool own_open;
        struct manifest_writer *manifest;
        uint32_t component;
        struct view *base;
        const struct view_item *item; /* next name of the base, NULL none left */
        bool walked; /* all of the component; else only the exact trees matter */
        size_t exact; /* those before are done */
        struct vss_error *reterr;
};

static int input_next(struct merge *merge, struct input *input) {
        int r = manifest_next(input->reader, &input->record, merge->reterr);

        if (r == 0)
                input->record = NULL;
        return r < 0 ? r : 0;
}

static void close_inputs(struct inputs *inputs) {
        while (inputs->count > 0)
                manifest_reader_free(inputs->items[--inputs->count].reader);
}

/* those of one component: there may be more file sets than descriptors */
static int open_inputs(struct merge *merge, uint32_t component, struct inputs *inputs) {
        struct operation *op = merge->op;

        for (size_t i = 0; i < op->runs_count; i++) {
                struct input *input = &inputs->items[inputs->count];
                int fd, r;

                if (op->runs[i].component != component)
                        continue;
                fd = openat(op->fd, op->runs[i].name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0)
                        return -errno;
                r = manifest_reader_new(fd, op->runs[i].name, &input->reader, merge->reterr);
                if (r < 0)
                        return r;
                inputs->count++;
                input->root = op->runs[i].root;
                manifest_keys_only(input->reader);
                r = input_next(merge, input);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- what was looked at ---- */

static bool covers(const struct coverage *coverage, const char *path, bool is_directory) {
        const char *name = strrchr(path, '/') + 1;
        size_t n = strlen(coverage->path);

        if (!path_is_below(path, coverage->path))
                return false;
        if (!coverage->filespec)
                return true;
        if (is_directory)
                return coverage->recursive;
        if (!coverage->recursive && (size_t)(name - path) > (n > 1 ? n + 1 : 1))
                return false;
        return pattern_matches(coverage->filespec, name);
}

/* the source whose root is nearest decides (nested volumes); NULL: nobody looked there */
static const struct coverage *nearest(const struct merge *merge, const char *path,
                                      bool is_directory) {
        const struct coverage *found = NULL;

        for (size_t i = 0; i < merge->op->coverage_count; i++) {
                const struct coverage *coverage = &merge->op->coverage[i];

                if (coverage->component == merge->component &&
                    covers(coverage, path, is_directory) &&
                    (!found || strlen(coverage->path) > strlen(found->path)))
                        found = coverage;
        }
        return found;
}

static bool was_walked(const struct merge *merge) {
        for (size_t i = 0; i < merge->op->coverage_count; i++)
                if (merge->op->coverage[i].component == merge->component &&
                    !merge->op->coverage[i].by_changes)
                        return true;
        return false;
}

/* ---- the base ---- */

/* exact_tree() - the first that is not before @path, NULL none is left */
static const struct exact_tree *exact_tree(struct merge *merge, const char *path) {
        const struct operation *op = merge->op;

        for (; merge->exact < op->exact_count; merge->exact++) {
                const struct exact_tree *tree = &op->exact[merge->exact];

                if (op->coverage[tree->coverage].component == merge->component &&
                    (path_is_below(path, tree->path) || path_compare(tree->path, path) > 0))
                        return tree;
        }
        return NULL;
}

/* may_have_moved() - names of a component may be the requester's own by now */
static bool may_have_moved(const struct merge *merge) {
        return merge->component > 0 && merge->op->is_own;
}

static int base_next(struct merge *merge) {
        const struct exact_tree *tree;
        int r;

        for (;;) {
                do
                        r = view_next_item(merge->base, &merge->item, merge->reterr);
                while (r > 0 && merge->item->gone);
                if (r <= 0 || merge->walked || may_have_moved(merge))
                        break;
                tree = exact_tree(merge, merge->item->path);
                if (!tree)
                        r = 0;
                if (!tree || path_is_below(merge->item->path, tree->path))
                        break;
                r = view_skip_to(merge->base, tree->path, merge->reterr);
                if (r < 0)
                        break;
        }
        if (r <= 0)
                merge->item = NULL;
        return r < 0 ? r : 0;
}

static int by_path(const void *a, const void *b) {
        return path_compare(((const struct exact_tree *)a)->path,
                            ((const struct exact_tree *)b)->path);
}

static int base_open(struct merge *merge) {
        struct chain *chain = &merge->op->bases[merge->component];
        int r;

        merge->item = NULL;
        merge->walked = was_walked(merge);
        merge->exact = 0;
        if (chain->count == 0 ||
            (!merge->walked && !may_have_moved(merge) && !exact_tree(merge, "/")))
                return 0;
        r = view_open(merge->op->set->store, chain, NULL, &merge->base, merge->reterr);
        return r < 0 ? r : base_next(merge);
}

static int put_gone(struct merge *merge, char kind, char *path) {
        struct record record = { .kind = kind, .component = merge->component, .path = path };

        return manifest_put(merge->manifest, &record);
}

/* is_known_gone() - was all looked at around @path, by the very source that has it? */
static bool is_known_gone(struct merge *merge, const char *path, const struct coverage *coverage) {
        const struct operation *op = merge->op;

        if (!coverage->by_changes)
                return true;
        if (!exact_tree(merge, path))
                return false;
        for (size_t i = merge->exact;
             i < op->exact_count && path_compare(op->exact[i].path, path) <= 0; i++)
                if (&op->coverage[op->exact[i].coverage] == coverage &&
                    path_is_below(path, op->exact[i].path))
                        return true;
        return false;
}

/* own_has() - does component 0 have @path in this image? Called with paths in their order */
static int own_has(struct merge *merge, const char *path) {
        bool found = false;
        int r = merge->own_open ? 0 : open_inputs(merge, 0, &merge->own);

        merge->own_open = true;
        for (size_t i = 0; r >= 0 && i < merge->own.count; i++) {
                struct input *input = &merge->own.items[i];

                while (r >= 0 && input->record && path_compare(input->record->path, path) < 0)
                        r = input_next(merge, input);
                found = found ||
                        (input->record && strcmp(input->record->path, path) == 0 &&
                         (record_is_entry(input->record) || input->record->kind == RECORD_SAME));
        }
        return r < 0 ? r : found;
}

/* has_moved() - nobody looked at the base's name for the component. What was a ranges file, or lay
 * in a file set that the writer declares no more, may be the requester's own now: in a restore the
 * component's older one must not come after it */
static int has_moved(struct merge *merge) {
        const struct view_item *item = merge->item;

        if (!may_have_moved(merge) ||
            !merge->op->is_own(merge->op->is_own_userdata, item->path,
                               item->parts[0].record->kind == ENTRY_DIRECTORY))
                return 0;
        return own_has(merge, item->path);
}

/* holds_source() - another source begins below, and may have nothing to say */
static bool holds_source(const struct merge *merge, const char *path) {
        for (size_t i = 0; i < merge->op->coverage_count; i++)
                if (merge->op->coverage[i].component == merge->component &&
                    strcmp(merge->op->coverage[i].path, path) != 0 &&
                    path_is_below(merge->op->coverage[i].path, path))
                        return true;
        return false;
}

/* a directory that is gone with everything in it costs one line */
static int put_gone_tree(struct merge *merge) {
        struct set_component *component = &op_info(merge->op)->components[merge->component];
        _cleanup_free_ char *path = strdup(merge->item->path);
        int r = path ? put_gone(merge, RECORD_GONE_TREE, path) : -ENOMEM;

        while (r >= 0 && merge->item && path_is_below(merge->item->path, path)) {
                component->gone++;
                r = base_next(merge);
        }
        return r;
}

/* the base's name was not seen; @next is the next name that was */
static int base_gone(struct merge *merge, const char *next) {
        struct set_component *component = &op_info(merge->op)->components[merge->component];
        bool is_directory = merge->item->parts[0].record->kind == ENTRY_DIRECTORY;
        const struct coverage *coverage = nearest(merge, merge->item->path, is_directory);
        bool own = component_is_own(&component->key);
        int r;

        if (!coverage) {
                r = has_moved(merge);
                if (r > 0)
                        r = put_gone(merge, RECORD_MOVED, (char *)(uintptr_t)merge->item->path);
                if (r < 0)
                        return r;
        }
        if (coverage ? !is_known_gone(merge, merge->item->path, coverage) : !own || !merge->walked)
                return base_next(merge);
        if (own && is_directory && !(next && path_is_below(next, merge->item->path)) &&
            !holds_source(merge, merge->item->path))
                return put_gone_tree(merge);
        component->gone++;
        r = put_gone(merge, RECORD_GONE, (char *)(uintptr_t)merge->item->path);
        return r < 0 ? r : base_next(merge);
}

/* ---- the runs ---- */

static const struct record *lowest(const struct merge *merge) {
        const struct record *found = NULL;

        for (size_t i = 0; i < merge->inputs.count; i++) {
                const struct record *record = merge->inputs.items[i].record;

                if (record && (!found || path_compare(record->path, found->path) < 0))
                        found = record;
        }
        return found;
}

/* of several records of one name: what is stored, then who says it is there; then the source
 * that begins nearest to it; then the first */
static int rank(const struct input *input) {
        if (input->record->kind == RECORD_SAME)
                return 1;
        return record_is_entry(input->record) ? 2 : 0;
}

static struct input *choose(struct merge *merge, const char *path) {
        struct input *best = NULL;

        for (size_t i = 0; i < merge->inputs.count; i++) {
                struct input *input = &merge->inputs.items[i];

                if (!input->record || strcmp(input->record->path, path) != 0)
                        continue;
                if (!best || rank(input) > rank(best) ||
                    (rank(input) == rank(best) && strlen(input->root) > strlen(best->root)))
                        best = input;
        }
        return best;
}

static int copy_record(struct merge *merge, struct input *input) {
        const uint8_t *digests;
        const char *line;
        uint64_t first;
        size_t size, count;
        int r;

        if (input->record->kind == RECORD_SAME)
                return 0;
        if (record_is_entry(input->record))
                op_info(merge->op)->components[merge->component].entries++;
        manifest_line(input->reader, &line, &size);
        r = manifest_put_raw(merge->manifest, line, size, true);
        while (r >= 0 && (r = manifest_next_chunks(input->reader, &first, &digests, &count,
                                                   merge->reterr)) > 0) {
                manifest_line(input->reader, &line, &size);
                r = manifest_put_raw(merge->manifest, line, size, false);
        }
        return r;
}

static int put_name(struct merge *merge, const char *lent_path) {
        _cleanup_free_ char *path = strdup(lent_path);
        struct input *chosen = path ? choose(merge, path) : NULL;
        int r = chosen ? copy_record(merge, chosen) : -ENOMEM;

        for (size_t i = 0; i < merge->inputs.count && r >= 0; i++) {
                struct input *input = &merge->inputs.items[i];

                while (r >= 0 && input->record && strcmp(input->record->path, path) == 0)
                        r = input_next(merge, input);
        }
        return r;
}

static int merge_component(struct merge *merge) {
        const struct record *record;
        int r = open_inputs(merge, merge->component, &merge->inputs);

        if (r >= 0)
                r = base_open(merge);
        op_info(merge->op)->components[merge->component].entries = 0;
        while (r >= 0 && ((record = lowest(merge)) || merge->item)) {
                int order = !record        ? -1
                            : !merge->item ? 1
                                           : path_compare(merge->item->path, record->path);

                if (order < 0) {
                        r = base_gone(merge, record ? record->path : NULL);
                        continue;
                }
                if (order == 0)
                        r = base_next(merge);
                if (r >= 0)
                        r = put_name(merge, record->path);
        }
        merge->base = view_close(merge->base);
        close_inputs(&merge->inputs);
        close_inputs(&merge->own);
        merge->own_open = false;
        return r;
}

static int put_bases(struct merge *merge) {
        struct operation *op = merge->op;

        for (uint32_t i = 0; i < op->bases_count; i++) {
                const struct chain *chain = &op->bases[i];
                const struct set_place *base;
                const struct stored_file *file;
                _cleanup_free_ char *name = NULL;
                int r;

                if (chain->count == 0)
                        continue;
                base = &chain->links[chain->count - 1];
                name = operation_file(base->operation, MANIFEST_FILE);
                file = name ? set_find_file(set_record_of(base->set), name) : NULL;
                if (!file)
                        return name ? -EBADMSG : -ENOMEM;
                r = manifest_put_base(merge->manifest, i, &base->set->id, base->operation,
                                      base->component, file->digest);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int write_manifest(struct merge *merge) {
        struct operation *op = merge->op;
        _cleanup_free_ char *name = operation_file(op->number, MANIFEST_FILE);
        uint8_t digest[DIGEST_SIZE];
        uint64_t stored = 0;
        int fd = openat(op->fd, MANIFEST_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                        0600);
        int r = fd < 0 ? -errno : !name ? -ENOMEM : 0;

        if (r < 0) {
                closep(&fd);
                return r;
        }
        r = manifest_writer_new(fd, false, &merge->manifest);
        if (r >= 0)
                r = put_bases(merge);
        for (size_t i = 0; i < op_info(op)->components_count && r >= 0; i++) {
                merge->component = (uint32_t)i;
                r = merge_component(merge);
        }
        if (r >= 0)
                r = manifest_finish(merge->manifest, digest, &stored);
        return r < 0 ? r : set_add_file(op->set->record, name, stored, digest);
}

int merge_runs(struct operation *op, struct vss_error *reterr) {
        struct merge merge = { .op = op, .reterr = reterr };
        int r;

        if (op->exact_count)
                qsort(op->exact, op->exact_count, sizeof(*op->exact), by_path);
        merge.inputs.items = calloc(op->runs_count + 1, sizeof(*merge.inputs.items));
        merge.own.items = calloc(op->runs_count + 1, sizeof(*merge.own.items));
        r = merge.inputs.items && merge.own.items ? write_manifest(&merge) : -ENOMEM;
        manifest_writer_free(merge.manifest);
        free(merge.inputs.items);
        free(merge.own.items);
        for (size_t i = 0; i < op->runs_count && r >= 0; i++)
                if (unlinkat(op->fd, op->runs[i].name, 0) < 0)
                        r = -errno;
        return r;
}
