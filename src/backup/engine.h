/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * engine.h - backup sets: written from trees and file sets, listed, chained, verified, restored.
 *
 * The engine knows no writers, no documents and no shadow copies: it gets directory descriptors
 * to read from, bytes to keep, and keys of components that it repeats when asked. Who may be
 * read, what is excluded and where a file goes is the caller's decision. docs/store-format.md
 * says what lies on disk. The way back is in restore.h, which this header includes.
 *
 * One thread per object. Paths are bytes, absolute, clean (path_is_clean(), though they may be
 * longer than PATH_MAX). Functions return 0 or a negative errno or official code, words in the
 * error record. Strings handed out belong to the object that handed them out.
 */
#ifndef BACKUP_ENGINE_H
#define BACKUP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vss/error.h"
#include "vss/types.h"

/* ---- the store: a folder with a marker, and one folder per backup set ---- */

struct store;

enum { STORE_CREATE = 1 << 0 /* make it if the folder is absent or empty */ };

/* store_open() - refuses (E_INVALIDARG) a folder that is no store, (VSS_E_NOT_SUPPORTED) a store
 * of a newer format. No set disappears until store_close(); new ones appear whole. -EBUSY when sets
 * are being removed and that does not end within seconds. */
int store_open(const char *path, unsigned flags, struct store **ret, struct vss_error *reterr);
struct store *store_close(struct store *store);

/* store_is_new() - would store_open() with STORE_CREATE make one here: nothing there, or an empty
 * folder? */
bool store_is_new(const char *path);

/* store_lock() - only one backup at a time (-EBUSY with words); until store_close(). Removes what
 * interrupted runs left behind. set_begin() and store_remove() need it. */
int store_lock(struct store *store, struct vss_error *reterr);

/* store_lock_readers() - sets may be removed: nobody else has the store open (-EBUSY with words).
 * After store_lock(); the list must be read after it. store_unlock_readers() lets readers in. */
int store_lock_readers(struct store *store, struct vss_error *reterr);
void store_unlock_readers(struct store *store);

/* ---- what a set says about itself ---- */

/* struct component_key - names a component in a way that survives sessions (M-13: the instance
 * id does not). The requester's own files have the null writer and empty strings. */
struct component_key {
        struct vss_id writer_id;
        const char *instance_name; /* never NULL */
        uint32_t type; /* enum vss_component_type */
        const char *logical_path, *name; /* never NULL */
};

bool component_key_equal(const struct component_key *a, const struct component_key *b);

struct set_component {
        struct component_key key;
        bool good; /* all files of it are in the set */
        char *words; /* why not, or NULL */
        struct vss_id base; /* the set whose image of this component this one builds on (I-184) */
        uint32_t base_operation, base_component; /* where in that set */
        uint64_t entries, bytes; /* stored in this set; bytes before compression */
        uint64_t gone; /* names of the base that are not in this image */
};

struct set_operation {
        uint32_t number; /* folder op-<number>, from 1 */
        uint32_t type; /* enum vss_backup_type */
        struct set_component *components; /* [0] = the requester's own files */
        size_t components_count, components_capacity;
};

struct set_info {
        struct vss_id id;
        char *folder; /* name in the store; sorts by time */
        vss_timestamp_t time;
        uint64_t number; /* in the order in which the store's sets were made; 0: from before */
        uint32_t type; /* enum vss_backup_type as requested for the run */
        char *label, *host;
        struct set_operation *operations;
        size_t operations_count, operations_capacity;
        uint64_t stored_bytes; /* of all files of the set, as they lie on disk */
};

/* struct unreadable_set - a folder with the name of a set that cannot be read as one */
struct unreadable_set {
        char *folder, *words;
        int code; /* VSS_E_NOT_SUPPORTED: from a newer version */
};

struct set_list {
        struct set_info **sets; /* in the order in which they were made, whatever clocks said */
        size_t count, capacity;
        struct unreadable_set *unreadable; /* by name, which begins with the time */
        size_t unreadable_count, unreadable_capacity;
};

/* store_list() - read all published sets. A damaged one never hides the others. */
int store_list(struct store *store, struct set_list *ret, struct vss_error *reterr);
void set_list_done(struct set_list *list);

/* set_find() - by id, by unique beginning of id or folder name, or "latest".
 * VSS_E_OBJECT_NOT_FOUND, E_INVALIDARG when ambiguous */
int set_find(const struct set_list *list, const char *text, const struct set_info **ret,
             struct vss_error *reterr);
const struct set_info *set_find_id(const struct set_list *list, const struct vss_id *id);

/* struct set_place - one component of one set: an image */
struct set_place {
        const struct set_info *set;
        uint32_t operation, component;
};

const struct set_component *set_place_component(const struct set_place *place);
const struct set_operation *set_place_operation(const struct set_place *place);

/* catalogue_base() - the image that a backup of @type of this component builds on: FULL for
 * DIFFERENTIAL, the later of FULL, INCREMENTAL and LOG for INCREMENTAL and LOG (I-157); only good
 * ones whose chain is complete. VSS_E_OBJECT_NOT_FOUND: none, make a FULL (I-76). */
int catalogue_base(const struct set_list *list, const struct component_key *key, uint32_t type,
                   struct set_place *ret);

/* catalogue_has_since_full() - is there a good image of this very type of the component since its
 * last FULL? A writer that does not mix increments and differentials needs to be asked (I-75) */
bool catalogue_has_since_full(const struct set_list *list, const struct component_key *key,
                              uint32_t type);

/* catalogue_find() - the place of @key in @set; VSS_E_OBJECT_NOT_FOUND */
int catalogue_find(const struct set_info *set, const struct component_key *key,
                   struct set_place *ret);

/* struct chain - images to restore one after the other: [0] is the FULL, the last the wanted one */
struct chain {
        struct set_place *links;
        size_t count, capacity;
};

/* chain_of() - along the base pointers (I-184). VSS_E_OBJECT_NOT_FOUND with words that name the
 * missing or failed link and the best image that can still be restored (IV-96) */
int chain_of(const struct set_list *list, const struct set_place *wanted, struct chain *ret,
             struct vss_error *reterr);
void chain_done(struct chain *chain);

/* store_remove() - delete a set; VSS_E_BAD_STATE when later sets build on it (words name them),
 * unless @with_dependants */
int store_remove(struct store *store, const struct set_info *set, bool with_dependants,
                 struct vss_error *reterr);

/* store_read_document() - "backup-components.xml" or "writers/..." of an operation; checked
 * against its digest; the caller frees *ret */
int store_read_document(struct store *store, const struct set_info *set, uint32_t operation,
                        const char *name, char **ret, size_t *ret_size, struct vss_error *reterr);
/* store_documents() - names of the documents of an operation; the caller frees each and the array
 */
int store_documents(struct store *store, const struct set_info *set, uint32_t operation,
                    char ***ret, size_t *ret_count, struct vss_error *reterr);

/* ---- watching a long call ---- */

struct engine_watch {
        void *userdata;
        /* called now and then from the calling thread; a negative return cancels and is handed on
         */
        int (*progress)(void *userdata, uint64_t entries, uint64_t bytes, const char *path);
        /* one file that could not be read, restored or verified; @path may be "" */
        void (*trouble)(void *userdata, uint32_t component, const char *path, int code,
                        const char *words);
};

/* ---- writing a set ---- */

struct set_writer;
struct operation;

struct set_options {
        uint32_t type; /* enum vss_backup_type */
        const char *label; /* for people, may be NULL */
        vss_timestamp_t time; /* instant of the copies; 0 = now */
};

/* set_begin() - a new set under a name that says incomplete */
int set_begin(struct store *store, const struct set_options *options, struct set_writer **ret,
              struct vss_error *reterr);
/* set_writer_info() - grows while the set is written; the id is fixed from the beginning */
const struct set_info *set_writer_info(const struct set_writer *set);

/* set_publish() - fsync everything, rename, fsync the folder; then the set exists. Consumes
 * @take_set, also on failure (then the store is as before). Every operation must have ended. */
int set_publish(struct set_writer *take_set, struct vss_error *reterr);
struct set_writer *set_abandon(struct set_writer *set);

/* op_begin() - @type: FULL, COPY, INCREMENTAL, DIFFERENTIAL, LOG, OTHER; owned by the set.
 * Component 0, the requester's own files, exists from the beginning. */
int op_begin(struct set_writer *set, uint32_t type, struct operation **ret,
             struct vss_error *reterr);

/* op_set_base() - the component builds on the image @base; before its first source. Without it a
 * component is stored as if it had no past. @list must live until op_end(). */
int op_set_base(struct operation *op, uint32_t component, const struct set_place *base,
                const struct set_list *list, struct vss_error *reterr);

/* op_add_component() - E_INVALIDARG when the key is there already */
int op_add_component(struct operation *op, const struct component_key *key, uint32_t *ret_index,
                     struct vss_error *reterr);

/* op_tell_own() - how to ask whether a name is one of the requester's own files in this image, if
 * component 0 has it. A name that a component's base has, that no source of the component looks
 * at any more and that is, is the component's no longer: a restore of the chain takes it from
 * component 0 only. @is_own must live until op_end(). */
typedef bool (*own_name_fn)(void *userdata, const char *path, bool is_directory);
void op_tell_own(struct operation *op, own_name_fn is_own, void *userdata);

/* op_put_document() - "backup-components.xml", "writers/<class>-<instance>.xml", or any clean
 * relative name of at most two elements; replaces the former one. Until set_publish(). */
int op_put_document(struct operation *op, const char *name, const void *data, size_t size,
                    struct vss_error *reterr);

/* op_component_failed() - the component is not good; the first words stay. Until set_publish(). */
int op_component_failed(struct operation *op, uint32_t component, const char *words);

enum source_verdict {
        SOURCE_TAKE,
        SOURCE_LEAVE_OUT, /* not part of the backup (exclude list) */
        SOURCE_ELSEWHERE /* present, but another source decides about it (I-127, I-136) */
};

enum source_pick {
        SOURCE_WHOLE, /* every file */
        /* every file unless it is provably the one in the base (without a base: every file):
         * own files, and entries with T = 0 (I-103) */
        SOURCE_COMPARE,
        SOURCE_SINCE, /* later of mtime and ctime at or after @since (I-102) */
        SOURCE_RANGES /* only @ranges of one file (I-124) */
};

struct byte_range {
        uint64_t offset, length;
};

/*
 * struct source - something to read
 * @component:     index in the operation
 * @path:          entries are named by it: the original path of the directory, or of the one thing
 * @root_fd:       directory of the copy's root; lent for the call
 * @read_path:     where @path lies below @root_fd, relative; "" is the root itself. Resolved
 *                 beneath the root: no symbolic link leads out of the copy (SEC-67)
 * @filespec:      NULL: the whole tree or single thing at @path. Else the pattern of a file set
 *                 (M-40, M-48) below the directory @path
 * @recursive:     with @filespec: the tree below with its directories (M-41, M-42)
 * @may_be_absent: a plain name that is missing is no failure (M-43)
 * @pick:          which of the files
 * @names_only_change_with_ctime: inode numbers and ctimes of the copy are those of the originals
 *                 (btrfs, lvm). Without it SOURCE_COMPARE reads and hashes (mirror copies).
 * @unchanging:    nobody writes to it any more: what the file system has on disk is its state
 * @follow:        links inside @read_path may be followed beneath the root (B-152)
 * @decide:        asked for every name by its original path; NULL takes everything. What is not
 *                 taken is not descended
 *
 * Never descends into another file system or subvolume (B-151): give it as a source of its own;
 * the directory itself is stored. Folders of a provider named ".vss" are left out, and
 * what restores have made beside its place.
 */
struct source {
        uint32_t component;
        const char *path;
        int root_fd;
        const char *read_path;
        const char *filespec;
        bool recursive, may_be_absent, follow, names_only_change_with_ctime, unchanging;
        enum source_pick pick;
        vss_timestamp_t since;
        const struct byte_range *ranges; /* sorted, disjoint (I-121, I-130) */
        size_t ranges_count;
        enum source_verdict (*decide)(void *userdata, const char *path, bool is_directory);
        void *userdata;
};

/*
 * op_run() - read a source and store it now. A file that cannot be stored is told to
 * watch->trouble, fails its component (B-153) and is not in the set; reading goes on.
 *
 * Return: 0 also with such files, VSS_E_INSUFFICIENT_STORAGE when the store is full, other
 * negative values when the set cannot be continued
 */
int op_run(struct operation *op, const struct source *source, const struct engine_watch *watch,
           struct vss_error *reterr);

/* struct changed_path - one name that may differ from the base
 * @path:    original path
 * @whole:   what is there may be another thing: all below it is looked at, what of it is not found
 *           is gone
 * @content: its content may differ, whatever size and times say
 * @ranges:  if any, only there, and beyond the base's size: of a large file no more need be stored.
 *           In any order, perhaps beyond the end */
struct changed_path {
        const char *path;
        bool whole, content;
        struct byte_range *ranges;
        size_t ranges_count;
};

/* op_run_changed() - SOURCE_COMPARE without walking: only these names (sorted by path_compare(),
 * none twice) may differ from the base. What does not exist is gone, with all below it. For
 * the change knowledge of a provider; the result is that of op_run() */
int op_run_changed(struct operation *op, const struct source *source,
                   const struct changed_path *paths, size_t count, const struct engine_watch *watch,
                   struct vss_error *reterr);

/* op_end() - finish archives and manifest. No more sources; documents may still come. */
int op_end(struct operation *op, struct vss_error *reterr);

/* ---- looking into a chain ---- */

enum entry_type {
        ENTRY_FILE = 'f',
        ENTRY_DIRECTORY = 'd',
        ENTRY_SYMLINK = 'l',
        ENTRY_FIFO = 'p',
        ENTRY_SOCKET = 's', /* recorded and reported, not restored: sockets are made by programs */
        ENTRY_CHAR = 'c',
        ENTRY_BLOCK = 'b'
};

struct entry {
        char *path; /* original, absolute */
        enum entry_type type;
        uint32_t mode, uid, gid;
        uint64_t size;
        int64_t mtime, ctime; /* seconds */
        uint32_t mtime_ns, ctime_ns;
        uint64_t inode, links;
        uint32_t dev_major, dev_minor; /* devices */
        char *target; /* symbolic links */
        bool is_hard_link, has_digest, partial;
        uint8_t digest[32]; /* of the content; SHA-256 */
        const struct byte_range *ranges; /* partial: what this image holds */
        size_t ranges_count;
        const struct set_place *image; /* the image that holds it */
};

struct view;

/* view_open() - the files as they were at the last link, in path order (directories before what
 * is in them). @chain must live as long. A one-link chain shows the image alone.
 * @below: NULL, or only this path and what is below it */
int view_open(struct store *store, const struct chain *chain, const char *below, struct view **ret,
              struct vss_error *reterr);
struct view *view_close(struct view *view);
/* view_next() - 1 and *ret (lent until the next call), 0 at the end, negative */
int view_next(struct view *view, const struct entry **ret, struct vss_error *reterr);
/* view_next_gone() - names that an earlier link has and the last one knows to be deleted (I-189);
 * same order, an independent stream */
int view_next_gone(struct view *view, const char **ret, struct vss_error *reterr);

/* ---- is it still what was written? ---- */

enum { VERIFY_CONTENT = 1 << 0 /* unpack, compare each file with the manifest's digests */ };

struct verify_summary {
        uint64_t files, bytes; /* as stored: archives, lists, documents */
        uint64_t entries, content; /* with VERIFY_CONTENT: what was unpacked from them */
        uint64_t damaged;
};

/* struct set_damages - what verify_set() found in the sets it was called for, for verify_chains().
 * The sets are lent and must live as long */
struct set_damages;

struct set_damages *set_damages_new(void);
struct set_damages *set_damages_free(struct set_damages *damages);

/* verify_set() - stored bytes against their digests, with VERIFY_CONTENT all contents too. Each
 * damage is told to watch->trouble with file, offset and what is lost, and added to @damages, which
 * may be NULL. 0, or -EBADMSG */
int verify_set(struct store *store, const struct set_info *set, unsigned flags,
               const struct engine_watch *watch, struct set_damages *damages,
               struct verify_summary *ret, struct vss_error *reterr);

struct chain_summary {
        uint64_t lost; /* names of the set that cannot be restored because of a set below it */
        uint64_t broken; /* components that cannot be put together, or not for certain */
};

/* verify_chains() - what the set inherits: the bases are there and are those it was made on, and
 * nothing of it lies in the damage that is known of them. Call verify_set() for them first. Each
 * loss is told to watch->trouble, with the set it lies in and what can be restored instead.
 * 0, or -EBADMSG */
int verify_chains(struct store *store, const struct set_list *list, const struct set_info *set,
                  struct set_damages *damages, const struct engine_watch *watch,
                  struct chain_summary *ret, struct vss_error *reterr);

#include "backup/restore.h"

#endif
