/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * internal.h - what the files of the engine share and nobody else sees.
 */
#ifndef BACKUP_INTERNAL_H
#define BACKUP_INTERNAL_H

#include <string.h>

#include "backup/pax.h"
#include "backup/engine.h"
#include "backup/manifest.h"

#define STORE_MARKER "vss-store"
#define STORE_FORMAT 1
#define SET_FILE "backup-set.txt"
#define DATA_FILE "data.tar.zst"
#define RANGES_FILE "ranges.tar.zst"
#define MANIFEST_FILE "manifest.zst"
#define COMPONENTS_DOCUMENT "backup-components.xml"
#define INCOMPLETE_PREFIX ".incomplete-"
#define REMOVED_PREFIX ".removed-"
#define FAILURES_MAX 10000

struct store {
        char *path;
        int fd;
        int lock_fd; /* -1: not locked */
        int marker_fd; /* locked by everybody who has the store open */
};

struct stored_file {
        char *name; /* below the set's folder */
        uint64_t size;
        uint8_t digest[DIGEST_SIZE];
};

struct set_failure {
        uint32_t operation, component;
        int code;
        char *path, *words;
};

/* struct set_record - all that SET_FILE says; the public part is its beginning */
struct set_record {
        struct set_info info;
        struct stored_file *files;
        size_t files_count, files_capacity;
        struct set_failure *failures;
        size_t failures_count, failures_capacity;
};

static inline struct set_record *set_record_of(const struct set_info *info) {
        return (struct set_record *)(uintptr_t)info;
}

/* set-file.c */
struct set_record *set_record_free(struct set_record *set);
int set_record_format(const struct set_record *set, struct text *ret);
int set_record_parse(char *text, size_t size, struct set_record *set, struct vss_error *reterr);
int set_add_file(struct set_record *set, const char *name, uint64_t size,
                 const uint8_t digest[DIGEST_SIZE]);
const struct stored_file *set_find_file(const struct set_record *set, const char *name);
struct set_operation *set_add_operation(struct set_record *set, uint32_t type);
struct set_component *operation_add_component(struct set_operation *operation,
                                              const struct component_key *key);
const char *backup_type_name(uint32_t type);
/* "op-1/manifest.zst"; the caller frees it */
char *operation_file(uint32_t operation, const char *name);

/* store.c */
/* a file of a set, for reading; words say what is missing */
int store_open_file(struct store *store, const struct set_info *set, const char *name,
                    struct vss_error *reterr);
/* ENOSPC and the like as VSS_E_INSUFFICIENT_STORAGE, everything with the store's name */
int store_failed(const struct store *store, int code, struct vss_error *reterr);
int store_cleanup(struct store *store, struct vss_error *reterr);

/* remove.c: the first half makes the set disappear and is on disk when it returns; whatever is
 * left of the second is done by the next store_lock() */
int set_folder_hide(struct store *store, const char *folder, struct vss_error *reterr);
int set_folder_delete(struct store *store, const char *folder, struct vss_error *reterr);
bool set_builds_on(const struct set_info *set, const struct vss_id *base);
/* bytes of all files in it, as far as they can be counted */
uint64_t set_folder_bytes(struct store *store, const char *folder);

/* put_string() - a copy at @bytes + *used, where there is room */
static inline char *put_string(char *bytes, size_t *used, const char *string) {
        size_t size = strlen(string) + 1;
        char *to = bytes + *used;

        memcpy(to, string, size);
        *used += size;
        return to;
}

/* digest.c */
int digest_bytes(const void *data, size_t size, uint8_t ret[DIGEST_SIZE]);
int digest_file(int fd, uint8_t ret[DIGEST_SIZE], uint64_t *ret_size);

/* attributes.c: of @fd, which may be an O_PATH one; sorted. What @ret had is released */
int attributes_read(int fd, struct attributes *ret);
/* copies; 0 or -ENOMEM */
int attributes_add(struct attributes *ret, const char *name, const void *value, size_t size);
void attributes_sort(struct attributes *attributes);
/* the beginning of the digest of all names and values; they must be sorted */
int attributes_digest(const struct attributes *attributes, uint8_t ret[8]);

/* walk.c: what @path is below @root_fd, opened with @flags of open(2); never above or outside of
 * it. @follow: links on the way count, as if @root_fd were the root */
int open_beneath(int root_fd, const char *path, int flags, bool follow);

/* struct content_digest - SHA-256 of files up to CHUNK_SIZE; of larger ones the SHA-256 over
 * number and SHA-256 of each piece that is not all hole */
struct content_digest;

struct content_digest *content_digest_new(void);
struct content_digest *content_digest_free(struct content_digest *digest);
int content_digest_begin(struct content_digest *digest, uint64_t file_size);
/* in ascending order; what is left out is hole */
int content_digest_data(struct content_digest *digest, uint64_t offset, const void *data,
                        size_t size);
int content_digest_end(struct content_digest *digest, uint8_t ret[DIGEST_SIZE]);
/* the pieces of a large file: numbers and digests; count 0 for a small one */
size_t content_digest_chunks(const struct content_digest *digest, const uint64_t **ret_numbers,
                             const uint8_t **ret_digests);

/* verify-chain.c: a member of the set that cannot be read, or a stored file of it that is not what
 * was written; 0 or -ENOMEM */
int set_damages_add_place(struct set_damages *damages, const struct set_info *set,
                          uint32_t operation, char archive, uint64_t offset);
int set_damages_add_file(struct set_damages *damages, const struct set_info *set, const char *name);

/* view.c: what view_next() is made of */
struct view_part {
        size_t link; /* in the chain */
        const struct record *record;
};

struct view_item {
        const char *path;
        bool gone; /* the last link knows that the name was deleted */
        /* newest first; all but the last are ranges on top of the next. The last is whole, unless
         * the chain's beginning holds only ranges of the file */
        const struct view_part *parts;
        size_t parts_count;
};

/* view_open_image() - only what the first link itself holds, except names that a later one gave up
 * to the plain files, or that a directory of a later one, or a thing that is none, stands in the
 * way of: those cannot be in place when the chain's end is */
int view_open_image(struct store *store, const struct chain *chain, struct view **ret,
                    struct vss_error *reterr);
/* view_next_item() - gone names too; lent until the next call */
int view_next_item(struct view *view, const struct view_item **ret, struct vss_error *reterr);
/* view_skip_to() - items before @path are left out */
int view_skip_to(struct view *view, const char *path, struct vss_error *reterr);
/* view_only() - items are only these, which are lent, what is below them, and the folders above */
void view_only(struct view *view, const char *const *paths, size_t count);
int record_to_entry(const struct record *record, const struct set_place *image, struct entry *ret,
                    struct byte_range **ret_ranges);
bool component_is_own(const struct component_key *key);

/* leftovers.c: leftovers_is_name() - is it a name such as restores give to what they make beside
 * its place, for now or until the next boot? No backup holds these */
bool leftovers_is_name(const char *name);

#endif
