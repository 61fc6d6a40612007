/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoring.h - a restore that runs, as the files that carry it out see it.
 */
#ifndef BACKUP_RESTORING_H
#define BACKUP_RESTORING_H

#include <sys/stat.h>

#include "backup/internal.h"

#define LEFTOVERS_NAME_SIZE 80

/* ---- content.c: members of a chain's archives ---- */

struct member_reader {
        struct archive_reader *reader;
        size_t link;
        bool ranges;
        uint64_t used; /* for closing the one not used for longest */
};

/* few archives are open at a time, however long the chain */
#define MEMBER_READERS 6

struct members {
        struct store *store;
        const struct chain *chain;
        struct member_reader readers[MEMBER_READERS];
        uint64_t clock;
        struct content_digest *digest;
        /* asked now and then within large members; a negative return ends the call. May be NULL */
        int (*go_on)(void *userdata);
        void *userdata;
};

int members_init(struct members *members, struct store *store, const struct chain *chain);
void members_done(struct members *members);
/* the attributes that the part's member bears; @ret is owned by the caller */
int members_attributes(struct members *members, const struct view_part *part,
                       struct attributes *ret, struct vss_error *reterr);
/* the content of an item into @fd, an empty file, checked against the digests.
 * E_INVALIDARG when there are only ranges and nothing below them */
int members_content(struct members *members, const struct view_item *item, int fd,
                    struct vss_error *reterr);
/* the content of a whole file that fits into memory, checked; @buffer has record->size bytes */
int members_read(struct members *members, const struct view_part *part, char *buffer,
                 struct vss_error *reterr);
/* what one part's member holds, read and compared with its digest; with VERIFY's words */
int members_check(struct members *members, const struct view_part *part, struct vss_error *reterr);
/* how much of a whole member is no hole */
int members_data_size(struct members *members, const struct view_part *part, uint64_t *ret);
/* only the ranges of one part into a file that has the rest; checked before the first write */
int members_patch(struct members *members, const struct view_part *part, int fd,
                  struct vss_error *reterr);

/* ---- place.c: directories of the destination ---- */

struct place_level {
        char *path; /* below the root, "" for the root itself */
        int fd;
        dev_t device;
        ino_t inode;
        struct timespec mtime; /* before anything was made in it */
        bool created, has_record, has_default_acl, folds_case;
        /* it lies in a tree that is not in its place yet: what of @path is above the tree's root,
         * with it, and that one's number */
        bool staged;
        size_t tree_size;
        uint64_t tree;
        /* what it gets when the last thing in it is placed */
        struct record record;
        struct attributes attributes;
};

struct place_root {
        char *path; /* "/", the "into" folder, or a trusted root */
        int fd;
};

struct staging;

struct places {
        const struct restore_request *request;
        struct place_root *roots;
        size_t roots_count;
        size_t current; /* root of the levels */
        struct place_level *levels;
        size_t levels_count, levels_capacity;
        /* one descriptor on each file system written to, for syncfs() */
        struct place_sync {
                dev_t device;
                int fd;
        } * syncs;
        size_t syncs_count, syncs_capacity;
        /* stored records of directories above what is wanted: used when one has to be made */
        struct place_level *context;
        size_t context_count, context_capacity;
        struct staging *staging; /* NULL: things are put in place one by one */
        bool only_looks; /* changes nothing, also not what is left over */
        bool keep_leftovers;
        size_t into_existed; /* so much of the path of ->into was there, in bytes */
};

/* struct spot - where one thing goes */
struct spot {
        size_t root;
        char *full; /* path by which it is reported; owned */
        const char *path; /* the part below the root */
        int fd; /* of the directory, lent */
        const char *name; /* in it */
        bool moved; /* to another place than the original one, ->into aside */
        bool replace; /* what is there goes; else it is a failure */
        bool replaced; /* something was there, and went */
        bool fresh; /* the directory was made by this restore: what is there came with it */
        /* whole restores: it is made under this name first, see staging.h; "": as itself */
        char beside[LEFTOVERS_NAME_SIZE];
        uint64_t number;
        ino_t made; /* what lies there then */
        ino_t old; /* what is in place; 0: nothing */
        struct timespec old_ctime;
        uint64_t old_size;
        uint64_t bytes; /* of its content, when that is new */
};

static inline const char *spot_name(const struct spot *spot) {
        return spot->beside[0] ? spot->beside : spot->name;
}

/* cannot_place() - words for @r, a negative errno; returns it */
/* place_trouble() - what an errno means there, and what to do */
const char *place_trouble(int r);
int cannot_place(const struct spot *spot, int r, struct vss_error *reterr);

/* @only_looks: nothing is made or taken away */
int places_init(struct places *places, const struct restore_request *request, bool only_looks,
                struct vss_error *reterr);
/* places_done() - closes everything; without _finish() nothing more is set on directories */
void places_done(struct places *places);
/* give the directories that are still open their attributes */
int places_leave(struct places *places, struct vss_error *reterr);
/* everything is on disk */
int places_sync(const struct places *places, struct vss_error *reterr);
/* the innermost directory above ->into that was there; the caller closes it, negative with errno */
int places_open_above(const struct places *places);
/* directories above and at ->into that places_init() made and nothing was put in go */
void places_unmake(const struct places *places);
/* where the original @path goes; only computes. @to: what the caller says instead of the mappings,
 * or NULL */
int places_map(struct places *places, const char *path, const char *to, struct spot *ret,
               struct vss_error *reterr);
void spot_done(struct spot *spot);
/* is the innermost open directory that of the spot? Then places_enter() closes none */
bool places_is_here(const struct places *places, const struct spot *spot);
/* open (and make) the directories above the spot. @owner: SEC-63. Without @create: -ENOENT */
int places_enter(struct places *places, struct spot *spot, uint32_t owner, bool create,
                 struct vss_error *reterr);
/* the directory of the spot itself, with its record; attributes are moved out of @take_attributes
 */
int places_directory(struct places *places, struct spot *spot, const struct record *record,
                     struct attributes *take_attributes, struct vss_error *reterr);
int places_add_context(struct places *places, const struct spot *spot, const struct record *record,
                       struct attributes *take_attributes);
/* where the spot's thing lies until all are put in place, below the root; the caller frees it */
char *places_made_path(const struct places *places, const struct spot *spot);
/* a directory by its path below a root, by single steps; the caller closes it */
int open_by_steps(int root_fd, const char *path);

/* ---- linked.c: names restored so far of files that have several ---- */

/* struct linked - the first restored name of a file with several */
struct linked {
        size_t link; /* in the chain */
        uint64_t offset; /* of its member */
        dev_t device;
        ino_t inode;
        size_t root;
        bool moved;
        char *path; /* below the root; NULL: empty slot */
};

struct linked_names {
        struct linked *slots;
        size_t count, size; /* size is a power of two */
};

/* NULL: no name of the part's file is restored yet. What was moved to another place and what was
 * not know nothing of each other */
const struct linked *linked_find(const struct linked_names *names, const struct view_part *part,
                                 bool moved);
/* the part's file, if it has several names, lies at @take_path, which is made for @spot, and is
 * open as @fd; 0 or -ENOMEM */
int linked_add(struct linked_names *names, const struct view_part *part, const struct spot *spot,
               char *take_path, int fd);
void linked_done(struct linked_names *names);

/* ---- leftovers.c: files made beside their place ---- */

#define RESTORE_PREFIX ".vss-restore-"
#define PENDING_PREFIX ".vss-pending-" /* those that wait for the next boot */

/* a name of chance that tells who made it */
int leftovers_name(char ret[LEFTOVERS_NAME_SIZE]);
/* struct leftovers_maker - many such names of one maker, told by number */
struct leftovers_maker {
        int pid;
        uint64_t started, chance;
};

int leftovers_maker_init(struct leftovers_maker *ret);
void leftovers_maker_name(const struct leftovers_maker *maker, uint64_t number,
                          char ret[LEFTOVERS_NAME_SIZE]);
bool leftovers_maker_made(const struct leftovers_maker *maker, const char *name);
/* what restores that were killed left in the directory; a failure leaves it there */
void leftovers_remove(int fd);

/* ---- new-file.c: a file comes into its place whole ---- */

struct new_file {
        int fd;
        bool has_name; /* beside its place, and @name is it */
        char name[LEFTOVERS_NAME_SIZE];
};

/* new_file_begin() - an empty file on the spot's file system. @mode is only a proposal that may
 * save setting it later */
int new_file_begin(struct new_file *file, const struct spot *spot, uint32_t mode,
                   struct vss_error *reterr);
/* new_file_place() - complete, it becomes the spot's, under spot_name() */
int new_file_place(struct new_file *file, struct spot *spot, struct vss_error *reterr);
/* new_file_done() - what was not put in place is gone */
void new_file_done(struct new_file *file, const struct spot *spot);
/* rename_in() - @name, complete, becomes the spot's; @fd, if any, is synced before it replaces */
int rename_in(struct spot *spot, const char *name, int fd, struct vss_error *reterr);

/* ---- restore-small.c: small files, by threads ---- */

struct small_files;

/* told from the calling thread, for each: @r as that of a single file */
typedef void (*small_placed_t)(void *userdata, const struct view_part *part,
                               const struct spot *spot, int r, const char *words);

struct small_files *small_files_new(small_placed_t placed, void *userdata);
struct small_files *small_files_free(struct small_files *small);
bool small_files_want(const struct view_item *item);
/* small_files_put() - read it now, place it by and by; until _settle() the spot's directory stays
 * open and in its place. @clear_acl as for attributes_apply(). 0, or words for what is unreadable
 */
int small_files_put(struct small_files *small, struct members *members,
                    const struct view_part *part, const struct spot *spot, bool clear_acl,
                    struct vss_error *reterr);
/* small_files_settle() - all are in place, or told why not */
void small_files_settle(struct small_files *small);

/* ---- restore-ranges.c ---- */

/* restore_ranges() - 0 or negative with words; a missing file is one only when the ranges do not
 * begin at its start. With @staging all is made beside */
int restore_ranges(struct members *members, const struct view_part *part, const struct spot *spot,
                   struct staging *staging, struct vss_error *reterr);
/* ranges_base() - what is in place, open as @fd, into the empty file @made: 1 it is there; 0: it
 * cannot be cloned (@keep_links: must not), and copying was not allowed; negative errno */
int ranges_base(int fd, int made, bool keep_links, bool may_copy);

/* ---- attributes.c ---- */

/* what a directory that was there has beyond @attributes */
void attributes_drop_others(int fd, const struct attributes *attributes);
/* owner, attributes, mode, times in the order that keeps them, on the descriptor (SEC-65).
 * @links: symbolic links, which are reached by an O_PATH descriptor and have no mode.
 * @clear_acl: remove what the directory's default gave. Words name what could not be set */
int attributes_apply(int fd, const struct record *record, const struct attributes *attributes,
                     bool clear_acl, struct vss_error *reterr);

#endif
