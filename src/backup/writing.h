/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writing.h - a set being written, as the files that write it see it.
 */
#ifndef BACKUP_WRITING_H
#define BACKUP_WRITING_H

#include <sys/stat.h>

#include "backup/internal.h"

struct set_writer {
        struct store *store;
        struct set_record *record;
        char *incomplete; /* folder name in the store */
        int fd; /* of that folder */
        struct operation **operations;
        size_t operations_count, operations_capacity;
        int broken; /* the first error that ended it */
};

/* struct run - what one source recorded, sorted, in a file of its own until op_end() merges */
struct run {
        uint32_t component;
        char *name; /* file in the operation's folder */
        char *root; /* the source's path */
};

/* struct coverage - where a source looked, to tell a deleted name from one not looked at */
struct coverage {
        uint32_t component;
        char *path, *filespec; /* NULL: the whole tree */
        bool recursive, by_changes; /* op_run_changed(): only below the exact trees */
};

/* struct exact_tree - below it all names were looked at, though its source was not walked */
struct exact_tree {
        char *path;
        size_t coverage; /* of that source */
};

/* struct kept_name - a name that is as in the base, of a file that has several: when another name
 * of that file turns out to be new, this one must be stored as well, or the link would be lost */
struct kept_name {
        struct kept_name *next;
        struct stat st;
        char *path;
};

/* struct hard_link - what is known of a file with several names */
struct hard_link {
        bool used; /* the slot */
        uint32_t component;
        dev_t device;
        ino_t inode;
        char *path; /* the name whose member holds the data; NULL: none is stored yet */
        char *extra; /* link text or device, the same for all names */
        uint64_t offset;
        bool has_attributes;
        uint8_t attributes[8];
        uint8_t digest[DIGEST_SIZE];
        struct kept_name *kept;
};

struct hard_links {
        struct hard_link *slots;
        size_t count, size; /* size is a power of two */
};

struct hard_link *hard_links_find(const struct hard_links *links, uint32_t component,
                                  const struct stat *st);
/* the slot of the file, made if there is none; NULL when out of memory. Lent until the next call */
struct hard_link *hard_links_get(struct hard_links *links, uint32_t component,
                                 const struct stat *st);
int hard_link_keep(struct hard_link *link, const char *path, const struct stat *st);
void hard_links_done(struct hard_links *links);

struct operation {
        struct set_writer *set;
        uint32_t number;
        int fd; /* of its folder */
        struct archive_writer *data, *ranges; /* made when first needed */
        struct chain *bases; /* per component, empty without base; grows with the components */
        size_t bases_count;
        struct run *runs;
        size_t runs_count, runs_capacity;
        struct coverage *coverage;
        size_t coverage_count, coverage_capacity;
        struct exact_tree *exact;
        size_t exact_count, exact_capacity;
        own_name_fn is_own; /* NULL: there are no files of the requester's own */
        void *is_own_userdata;
        struct hard_links links;
        struct content_digest *digest;
        char *buffer; /* READ_SIZE bytes */
        struct attributes attributes;
        struct byte_range *extents;
        size_t extents_capacity;
        bool ended;
};

#define READ_SIZE (UINT64_C(1) << 20)

static inline struct set_operation *op_info(const struct operation *op) {
        return &op->set->record->info.operations[op->number - 1];
}

/* struct pass - one call of op_run() */
struct pass {
        struct operation *op;
        const struct source *source;
        const struct engine_watch *watch;
        struct manifest_writer *run;
        struct batches *batches; /* NULL: nothing small was stored yet */
        struct view *base; /* for SOURCE_COMPARE */
        const struct view_item *base_item;
        dev_t device; /* of the source's root */
        bool doubt; /* the content must be compared, whatever size and times say */
        const struct changed_path *changed; /* op_run_changed(): the one that is visited */
        uint64_t entries, bytes, matches;
        /* names that were passed as kept and are stored all the same: for a run of their own */
        struct kept_name **late;
        size_t late_count, late_capacity;
        struct vss_error *reterr;
};

/* set.c */
int set_broken(struct set_writer *set, int code, struct vss_error *reterr);

/* one file could not be stored: reported, counted, its component failed. 1, or negative */
int pass_trouble(struct pass *pass, const char *path, int code, const char *words);
int pass_progress(struct pass *pass, const char *path);

/* member.c: store one thing. 0, 1 it failed and was reported, negative: the set cannot go on */
int member_store(struct pass *pass, int fd, const char *path, const struct stat *st);
/* the records of pass->late, in order, into pass->run */
int member_put_late(struct pass *pass);
int member_store_ranges(struct pass *pass, int fd, const char *path, const struct stat *st,
                        const struct byte_range *ranges, size_t count);
void record_from_stat(const struct stat *st, char *path, uint32_t component, struct record *ret);

/* batches.c: small things, stored by a thread in the order of these calls */
struct batches;

/* has @record, of something without attributes, a place there? */
bool batches_want(const struct record *record, const struct stat *st);
/* 0, 1 it failed and was reported, negative: the set cannot go on. What fails in the thread fails
 * a later call */
int batches_put(struct pass *pass, int fd, const struct record *record);
int batches_put_same(struct pass *pass, const struct record *record);
/* wait until all is stored; before who calls writes to the archive or the run */
int batches_settle(struct pass *pass);
void batches_stop(struct pass *pass);

/* changes.c */
int changes_begin(struct pass *pass);
void changes_end(struct pass *pass);
/* 1: provably what the base has at @path, 0 not, negative. @at and @name reach it */
int changes_same(struct pass *pass, int at, const char *name, const char *path,
                 const struct stat *st);
/* changes_ranges() - do only some ranges of a large file differ from the base, so that it pays to
 * store no more? 1 and *ret, which the caller frees: sorted, disjoint, not empty; 0, -ENOMEM */
int changes_ranges(struct pass *pass, int fd, const char *path, const struct stat *st,
                   struct byte_range **ret, size_t *ret_count);
/* does the base have the name? 1, 0, negative; *ret its record */
int changes_find(struct pass *pass, const char *path, const struct record **ret);

/* merge.c: the runs become the manifest */
int merge_runs(struct operation *op, struct vss_error *reterr);

/* walk.c */
int walk_source(struct pass *pass);

/* changed.c */
int walk_changed(struct pass *pass, const struct changed_path *paths, size_t count);

#endif
