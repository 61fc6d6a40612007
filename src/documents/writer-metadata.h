/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer-metadata.h - the Writer Metadata Document in memory, while it is built and when it is
 * examined; both are the same tree.
 */
#ifndef DOCUMENTS_WRITER_METADATA_H
#define DOCUMENTS_WRITER_METADATA_H

#include "documents/component-index.h"
#include "documents/create-metadata.h"
#include "documents/tree.h"

/* struct metadata - what both objects share */
struct metadata {
        struct tree tree;
        struct component_index index;
        struct node *identification; /* never NULL in a document that was read */
        struct node *restore_method; /* or NULL */
        struct node *locations; /* or NULL */
        size_t file_set_count;
        struct file_set_index *by_path; /* filled when first needed (file-set.c) */
};

struct vss_examine_writer_metadata {
        struct metadata m;
};

struct vss_create_writer_metadata {
        struct metadata m;
        bool express;
        bool closed; /* identify is over: no setter works any more (B-56) */
};

void metadata_done(struct metadata *metadata);

/* The public handles of parts are the nodes themselves. */
static inline const struct node *component_node(const struct vss_wm_component *component) {
        return (const void *)component;
}
static inline const struct node *filedesc_node(const struct vss_wm_filedesc *file) {
        return (const void *)file;
}
static inline const struct vss_wm_filedesc *node_filedesc(const struct node *node) {
        return (const void *)node;
}

/* metadata_component() - by index, NULL beyond the end; metadata_component_count() counts */
const struct node *metadata_component(const struct metadata *metadata, size_t index);
size_t metadata_component_count(const struct metadata *metadata);

/* component_type_of() - enum vss_component_type of a declared component */
uint32_t component_type_of(const struct node *component);

/* ---- selectability (selectability.c) ---- */

/* selectable_ancestor() - does @node have a selectable ancestor (selAnc not empty, L-1)? */
bool has_selectable_ancestor(const struct metadata *metadata, const struct node *node);
uint32_t component_classify(const struct metadata *metadata, const struct node *node);

/* ---- file sets (file-set.c) ---- */

/* struct file_triple - names a set of files where mask and alternate path do not matter */
struct file_triple {
        const char *path;
        const char *filespec;
        bool recursive;
};

struct file_triple file_triple_of(const struct node *file_set);

/* file_triple_equal() - a separator at the end of a path does not count (M-39) */
bool file_triple_equal(struct file_triple a, struct file_triple b);

/* filespec_overlap() - is there a name that fits both patterns? */
bool filespec_overlap(const char *a, const char *b);

/* file_path_check() - absolute, no "." or "..", no wildcards, at most 4095 bytes (M-39, SEC-60);
 * filespec_check() - one name pattern without a separator (M-40); file_name_check() - one plain
 * name (I-117). 0 or E_INVALIDARG with words */
int file_path_check(const char *what, const char *path, struct vss_error *reterr);
int filespec_check(const char *filespec, struct vss_error *reterr);
int file_name_check(const char *what, const char *name, struct vss_error *reterr);

/* The next three fill the index of all file sets by path when it is not there: 0 and *ret, or
 * -ENOMEM. They are for a document that was read, or whose building is over. */

/* component_find_set() - the file set of @component's own set of components (itself and, if it is
 * selectable, all below it) that equals @triple; NULL when there is none. @component NULL: any */
int component_find_set(const struct metadata *metadata, const struct node *component,
                       struct file_triple triple, const struct node **ret);

/* component_covers_path() - is @path at or below the path of a file set of that set? */
int component_covers_path(const struct metadata *metadata, const struct node *component,
                          const char *path, bool *ret);

/* metadata_find_overlap() - any file set of the writer that overlaps @triple, NULL when none */
int metadata_find_overlap(const struct metadata *metadata, struct file_triple triple,
                          const struct node **ret);

/* metadata_find_double() - two file sets of the writer that can name the same file, or *ret_other
 * NULL. Gives up silently after some millions of pairs in one directory */
int metadata_find_double(const struct metadata *metadata, const struct node **ret,
                         const struct node **ret_other);

struct file_set_index *file_set_index_new(void);
struct file_set_index *file_set_index_free(struct file_set_index *index);

#endif
