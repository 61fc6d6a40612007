/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * file-set.c - which file sets of a writer a path or a triple touches (I-100, I-116, D-21).
 *
 * All file sets are sorted by directory, '/' before every other byte, so that what lies below a
 * directory is one run of the array. A look-up costs a binary search per level of the path.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "documents/writer-metadata.h"

/* pairs of file sets compared when identify ends: only a writer with thousands of sets in one
 * directory reaches it */
#define MAX_PAIRS 4000000

struct directory {
        const char *path;
        size_t size; /* without separators at the end */
};

struct indexed_set {
        struct directory directory;
        const struct node *file_set;
        const struct node *component;
};

struct file_set_index {
        struct indexed_set *sets;
        size_t count;
};

static struct directory directory_of(const char *path) {
        struct directory directory = { path, strlen(path) };

        while (directory.size > 0 && path[directory.size - 1] == '/')
                directory.size--;
        return directory;
}

struct file_triple file_triple_of(const struct node *file_set) {
        return (struct file_triple){ node_text(file_set, FS_PATH), node_text(file_set, FS_FILESPEC),
                                     node_bool(file_set, FS_RECURSIVE) };
}

static int directory_compare(struct directory a, struct directory b) {
        size_t n = a.size < b.size ? a.size : b.size;

        for (size_t i = 0; i < n; i++)
                if (a.path[i] != b.path[i]) {
                        if (a.path[i] == '/')
                                return -1;
                        if (b.path[i] == '/')
                                return 1;
                        return (unsigned char)a.path[i] < (unsigned char)b.path[i] ? -1 : 1;
                }
        return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

static bool directory_is_below(struct directory path, struct directory above) {
        return path.size >= above.size && memcmp(path.path, above.path, above.size) == 0 &&
               (path.size == above.size || path.path[above.size] == '/');
}

bool file_triple_equal(struct file_triple a, struct file_triple b) {
        return a.recursive == b.recursive && strcmp(a.filespec, b.filespec) == 0 &&
               directory_compare(directory_of(a.path), directory_of(b.path)) == 0;
}

/* ---- the index ---- */

static int compare_sets(const void *a, const void *b) {
        const struct indexed_set *x = a, *y = b;

        return directory_compare(x->directory, y->directory);
}

static void index_component(struct file_set_index *index, const struct node *component) {
        static const unsigned lists[] = { CO_FILES, CO_DATABASE_FILES, CO_LOGFILES };

        for (size_t l = 0; l < ELEMENTSOF(lists); l++)
                for (size_t i = 0; i < node_count(component, lists[l]); i++) {
                        const struct node *set = node_get(component, lists[l], i);

                        index->sets[index->count++] =
                                (struct indexed_set){ directory_of(node_text(set, FS_PATH)), set,
                                                      component };
                }
}

static int metadata_file_sets(const struct metadata *metadata, const struct file_set_index **ret) {
        struct file_set_index *index = metadata->by_path;

        if (!index->sets) {
                index->sets = calloc(metadata->file_set_count + 1, sizeof(*index->sets));
                if (!index->sets)
                        return -ENOMEM;
                for (size_t i = 0; i < metadata_component_count(metadata); i++)
                        index_component(index, metadata_component(metadata, i));
                qsort(index->sets, index->count, sizeof(*index->sets), compare_sets);
        }
        *ret = index;
        return 0;
}

struct file_set_index *file_set_index_new(void) {
        return calloc(1, sizeof(struct file_set_index));
}

struct file_set_index *file_set_index_free(struct file_set_index *index) {
        if (index) {
                free(index->sets);
                free(index);
        }
        return NULL;
}

/* lower_bound() - first entry that is not before @directory */
static size_t lower_bound(const struct file_set_index *index, struct directory directory) {
        size_t low = 0, high = index->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (directory_compare(index->sets[middle].directory, directory) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

typedef bool (*set_test_t)(const void *wanted, const struct indexed_set *set);

/* find_above() - the first set that passes @test among those whose directory is @directory or one
 * above it */
static const struct indexed_set *find_above(const struct file_set_index *index,
                                            struct directory directory, set_test_t test,
                                            const void *wanted) {
        struct directory prefix = directory;

        for (size_t n = 0; n <= directory.size; n++) {
                if (n < directory.size && directory.path[n] != '/')
                        continue;
                prefix.size = n;
                for (size_t i = lower_bound(index, prefix);
                     i < index->count && directory_compare(index->sets[i].directory, prefix) == 0;
                     i++)
                        if (test(wanted, &index->sets[i]))
                                return &index->sets[i];
        }
        return NULL;
}

/* ---- the questions ---- */

struct wanted_set {
        const struct node *component;
        struct file_triple triple;
        struct directory directory;
};

/* in_set() - does the file set belong to the component or to one of its component set? */
static bool in_set(const struct node *component, const struct indexed_set *set) {
        return !component || set->component == component ||
               (node_bool(component, CO_SELECTABLE) &&
                component_is_ancestor(component, set->component));
}

static bool is_equal_in_set(const void *wanted, const struct indexed_set *set) {
        const struct wanted_set *w = wanted;

        return file_triple_equal(w->triple, file_triple_of(set->file_set)) &&
               in_set(w->component, set);
}

static bool is_in_set(const void *wanted, const struct indexed_set *set) {
        return in_set(((const struct wanted_set *)wanted)->component, set);
}

/* does_overlap() - for sets at or above the wanted directory */
static bool does_overlap(const void *wanted, const struct indexed_set *set) {
        const struct wanted_set *w = wanted;
        bool same = directory_compare(set->directory, w->directory) == 0;

        return (same || node_bool(set->file_set, FS_RECURSIVE)) &&
               filespec_overlap(w->triple.filespec, node_text(set->file_set, FS_FILESPEC));
}

int component_find_set(const struct metadata *metadata, const struct node *component,
                       struct file_triple triple, const struct node **ret) {
        struct wanted_set wanted = { component, triple, directory_of(triple.path) };
        const struct file_set_index *index;
        const struct indexed_set *found;
        int r = metadata_file_sets(metadata, &index);

        if (r < 0)
                return r;
        found = find_above(index, wanted.directory, is_equal_in_set, &wanted);
        *ret = found ? found->file_set : NULL;
        return 0;
}

int component_covers_path(const struct metadata *metadata, const struct node *component,
                          const char *path, bool *ret) {
        struct wanted_set wanted = { .component = component };
        const struct file_set_index *index;
        int r = metadata_file_sets(metadata, &index);

        if (r < 0)
                return r;
        *ret = find_above(index, directory_of(path), is_in_set, &wanted) != NULL;
        return 0;
}

int metadata_find_overlap(const struct metadata *metadata, struct file_triple triple,
                          const struct node **ret) {
        struct wanted_set wanted = { .triple = triple, .directory = directory_of(triple.path) };
        const struct file_set_index *index;
        const struct indexed_set *found;
        int r = metadata_file_sets(metadata, &index);

        if (r < 0)
                return r;
        *ret = NULL;
        found = find_above(index, wanted.directory, does_overlap, &wanted);
        if (found)
                *ret = found->file_set;
        for (size_t i = triple.recursive && !found ? lower_bound(index, wanted.directory)
                                                   : index->count;
             i < index->count && directory_is_below(index->sets[i].directory, wanted.directory);
             i++)
                if (filespec_overlap(triple.filespec,
                                     node_text(index->sets[i].file_set, FS_FILESPEC))) {
                        *ret = index->sets[i].file_set;
                        break;
                }
        return 0;
}

/* ---- two sets of one writer that can name the same file (M-45) ---- */

struct doubles {
        const struct file_set_index *index;
        size_t *above; /* of the first set of a directory: the first one of the directory above that
                        * has sets, or the count */
        size_t budget;
        const struct node *found;
};

/* look_in() - among the sets of the directory that begins at @first, up to @end */
static void look_in(struct doubles *d, size_t first, size_t end, bool recursive, const char *spec) {
        const struct indexed_set *sets = d->index->sets;

        for (size_t i = first; !d->found && d->budget && i < end &&
                               directory_compare(sets[i].directory, sets[first].directory) == 0;
             i++) {
                d->budget--;
                if ((!recursive || node_bool(sets[i].file_set, FS_RECURSIVE)) &&
                    filespec_overlap(spec, node_text(sets[i].file_set, FS_FILESPEC)))
                        d->found = sets[i].file_set;
        }
}

/* find_doubles() - one pass: what is below a directory follows it in the index */
static void find_doubles(struct doubles *d, const struct node **ret) {
        const struct indexed_set *sets = d->index->sets;
        size_t count = d->index->count, first = 0;

        for (size_t i = 0; i < count && !d->found; i++) {
                const char *spec = node_text(sets[i].file_set, FS_FILESPEC);

                if (i == 0)
                        d->above[0] = count;
                else if (directory_compare(sets[i].directory, sets[first].directory) != 0) {
                        size_t above = first;

                        while (above < count &&
                               !directory_is_below(sets[i].directory, sets[above].directory))
                                above = d->above[above];
                        first = i;
                        d->above[first] = above;
                }
                *ret = sets[i].file_set;
                look_in(d, first, i, false, spec);
                for (size_t a = d->above[first]; a < count && !d->found; a = d->above[a])
                        look_in(d, a, count, true, spec);
        }
}

int metadata_find_double(const struct metadata *metadata, const struct node **ret,
                         const struct node **ret_other) {
        struct doubles d = { .budget = MAX_PAIRS };
        int r = metadata_file_sets(metadata, &d.index);

        if (r < 0)
                return r;
        d.above = calloc(d.index->count + 1, sizeof(*d.above));
        if (!d.above)
                return -ENOMEM;
        find_doubles(&d, ret);
        free(d.above);
        *ret_other = d.found;
        return 0;
}
