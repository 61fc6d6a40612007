/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - the way back: files of a chain put in place, all of them or none, looked at before,
 * staged for later, or directed elsewhere. Part of engine.h, whose words about threads, paths and
 * errors hold; it knows no writers and decides no places: that is the caller's.
 */
#ifndef BACKUP_RESTORE_H
#define BACKUP_RESTORE_H

#include "backup/engine.h"

enum restore_existing {
        RESTORE_REPLACE, /* atomically, file by file */
        RESTORE_KEEP, /* leave what exists, report it as kept */
        RESTORE_MUST_BE_ABSENT /* what exists is a failure */
};

/* what of a file that is open somewhere (R-60 g, R-61). Looked at right before it is replaced */
enum restore_in_use {
        RESTORE_IN_USE_IGNORE, /* replaced like any other: its users keep the old one */
        RESTORE_IN_USE_REFUSE, /* a failure, -EBUSY */
        RESTORE_IN_USE_RENAME /* -EBUSY only if it is open for writing: readers, and programs that
                               * run, keep the old one (inuse_policy=rename) */
};

enum restore_outcome {
        RESTORE_PLACED, /* nothing was there, or a directory that stays */
        RESTORE_KEPT,
        RESTORE_FAILED,
        RESTORE_REPLACED /* placed; something was there and is gone */
};

/* struct restore_mapping - what was below @from goes below the directory @to: alternate
 * locations, new targets. The longest @from wins. @to is made if absent. */
struct restore_mapping {
        const char *from, *to;
};

/*
 * struct restore_request - what goes where
 * @chain:  where it comes from
 * @image:  0: the last link as it was, put together from the chain. Else a number from 1: only what
 *          this link itself holds, on top of what is in place already: whole files replace, ranges
 *          are written into the existing file (I-133, R-123), one restore operation per image
 *          (I-185). What later links have something of another kind for, or gave up, is left out
 * @into:   everything below this directory, with its full path; NULL: home
 * @where:  the place of one entry by its original path, instead of @mappings; absolute and clean,
 *          below @into if there is one, lent until the next call. NULL leaves the entry out.
 *          Directories are asked for as well; of names that are gone only entry->path is set
 * @trusted_roots: directories that may be reached through symbolic links, because the administrator
 *          says so; everywhere else a link in the way is an error (SEC-61)
 * @untouched: what is at or below one of these places stays as it is, and told as kept; nothing
 * that holds one of them is removed
 * @records: NULL, or one more such place, but only for what came from there: writers have their
 * folders in it, and what they ask for elsewhere may go into them
 * @paths:  only these and what is below them; NULL: everything
 * @wanted: NULL: every one
 * @remove_gone: with @image: delete what it says is gone (own files)
 * @whole:  all of the request or nothing: everything is made beside its place, and
 * put there by renames when all of it is complete and on disk. Any failure, and a cancelled call,
 * puts back what was there and ends at once; restore_summary.changed says when even that failed. A
 * restore that was killed is undone by the next restore of the same user
 * @undo_dir: where the list for that lies; NULL: "restores" in the state folder of vss
 * @result: each file's fate, @placed is where it lies now; @words of a placed one, if not NULL, say
 *          what is not as it was (a hard link that had to become a copy, R-105). With @whole a file
 *          that is told as placed is so when restore_run() returns 0
 */
struct restore_request {
        const struct chain *chain;
        size_t image;
        const char *into;
        const char *(*where)(void *userdata, const struct entry *entry);
        const struct restore_mapping *mappings;
        size_t mappings_count;
        const char *const *trusted_roots;
        size_t trusted_roots_count;
        const char *const *untouched;
        size_t untouched_count;
        const char *records;
        const char *const *paths;
        size_t paths_count;
        bool (*wanted)(void *userdata, const struct entry *entry);
        void *userdata; /* of where, wanted and result */
        enum restore_existing existing;
        enum restore_in_use in_use;
        bool remove_gone;
        bool whole;
        const char *undo_dir;
        void (*result)(void *userdata, const struct entry *entry, const char *placed,
                       enum restore_outcome outcome, int code, const char *words);
};

/* @replaced: of those that were placed
 * @changed: with ->whole the call failed and something is not as it was before (R-100: the status
 * is FAILED, else NONE); without it always true when something was placed or removed
 * @links_broken: hard links that became copies, because another member went elsewhere */
struct restore_summary {
        uint64_t placed, replaced, kept, failed, removed, bytes, links_broken;
        bool changed;
};

/* restore_run() - 0 when everything wanted is in place or kept, else the first failure's code;
 * without @whole it goes on after a failed file. Data are on disk (syncfs) when it returns. */
int restore_run(struct store *store, const struct restore_request *request,
                const struct engine_watch *watch, struct restore_summary *ret,
                struct vss_error *reterr);

/* restore_copy_out() - the content of one entry of a view to @fd, at offset 0 */
int restore_copy_out(struct store *store, const struct chain *chain, const char *path, int fd,
                     struct vss_error *reterr);

/* ---- could it be put in place? ---- */

/* the predicates of section 6; what a request would do to one file at its place */
enum restore_state {
        RESTORE_CREATABLE, /* absent, and can be made */
        RESTORE_REPLACEABLE, /* there, and can be replaced */
        RESTORE_BLOCKED_ABSENT, /* absent, and cannot be made */
        RESTORE_BLOCKED /* there, and cannot be replaced */
};

/*
 * struct restore_probe - what restore_probe() found
 * @creatable .. @blocked: files by state; directories are counted only when they are blocked,
 *                         because something else is in the way (an existing one is merged)
 * @in_use:     of the blocked ones: those that are only in use
 * @bytes_needed, @bytes_free: of the file system that has least left; a lack of space is an
 *              obstacle but blocks no single file
 * @obstacle:   path of the first thing in the way, NULL: none
 * @code, @words: what it is and what to do, with the process that has a file open
 * @present:    path of the first file that is there already, NULL: none
 */
struct restore_probe {
        uint64_t creatable, replaceable, blocked_absent, blocked, in_use;
        uint64_t bytes_needed, bytes_free;
        char *obstacle, *words, *present;
        int code;
};

/*
 * restore_probe() - look at the place of everything that restore_run() would put there with this
 * request, changing nothing: not even ->into is made. ->in_use counts, ->existing, ->whole and
 * ->result do not. Opens regular files only.
 * @found: told for each file, may be NULL; @words say what is in the way
 *
 * Return: 0, also when something is in the way; negative when the chain cannot be read, or the call
 * was cancelled. restore_probe_done() is needed after 0
 */
int restore_probe(struct store *store, const struct restore_request *request,
                  void (*found)(void *userdata, const struct entry *entry, const char *place,
                                enum restore_state state, int code, const char *words),
                  const struct engine_watch *watch, struct restore_probe *ret,
                  struct vss_error *reterr);
void restore_probe_done(struct restore_probe *probe);

/* ---- for later ---- */

/*
 * struct restore_staged - one rename that is left to be done
 * @staged:       complete, on disk, in the same directory as @destination
 * @is_directory: a tree that does not exist at its place yet, with all that is to be in it
 * @replaces:     something is at @destination now
 */
struct restore_staged {
        const char *staged, *destination;
        uint64_t parent_device, parent_inode;
        bool is_directory, replaces;
};

/* restore_stage() - like restore_run() with ->whole, but for the last step: everything
 * stays beside its place under a name that no restore cleans away, and @staged is told of each. Its
 * negative return, as any failure, discards all of the staging; once restore_stage() returned 0
 * that is the caller's. Directories that exist keep their owner, mode and times; ->remove_gone is
 * not possible (E_INVALIDARG) */
int restore_stage(struct store *store, const struct restore_request *request,
                  const struct engine_watch *watch,
                  int (*staged)(void *userdata, const struct restore_staged *staged,
                                struct vss_error *reterr),
                  void *userdata, struct restore_summary *ret, struct vss_error *reterr);

/* ---- elsewhere, by ranges ---- */

/*
 * struct directed_target - ranges of one stored file to ranges of another file
 * @source:      original path
 * @destination: absolute path of a file; made if absent, with the owner, mode and attributes of the
 *               source. May be the source itself, and that of several targets
 * @source_ranges, @destination_ranges: as many, of pairwise equal length; the i-th goes to the
 * i-th. Destination ranges of one file must not overlap
 */
struct directed_target {
        const char *source, *destination;
        const struct byte_range *source_ranges, *destination_ranges;
        size_t ranges_count;
};

/* restore_directed() - all targets or none, as with ->whole. Of @request count ->chain, ->image,
 * ->into, ->trusted_roots, ->in_use, ->undo_dir. What a source has is always that of the backup, so
 * that a file may be remapped in place. An existing file keeps owner and mode, and becomes longer
 * if need be, never shorter.
 *
 * Return: 0; E_INVALIDARG for ranges that do not fit each other or the source, and for a source of
 * which the backup has other ranges than the directed ones; VSS_E_OBJECT_NOT_FOUND for one
 * that it does not have; other negative values. @ret->changed as for restore_run() */
int restore_directed(struct store *store, const struct restore_request *request,
                     const struct directed_target *targets, size_t count,
                     const struct engine_watch *watch, struct restore_summary *ret,
                     struct vss_error *reterr);

#endif
