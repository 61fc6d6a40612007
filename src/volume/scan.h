/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan.h - what is mounted here, and which volume a name or a path means. Runs in vss-probe only:
 * every call may hang on a sick device or server.
 */
#ifndef VOLUME_SCAN_H
#define VOLUME_SCAN_H

#include <sys/stat.h>

#include "volume/mountinfo.h"
#include "volume/volume.h"

/* One way to reach a volume. A volume has several when it is mounted several times. */
struct sight {
        struct volume volume;
        bool whole; /* its root is visible here; otherwise a bind mount shows a part of it */
        bool mounted; /* not merely nested in another btrfs subvolume */
        bool chosen; /* the one of all sights that stands in the list of volumes */
        bool ambiguous; /* another file system bears the same identifier */
        char *shown; /* of a partial sight: what of the file system it shows, "/sub/dir" */
};

struct scan {
        struct mount_table mounts;
        struct sight *items;
        size_t count, capacity;
        const char *const *skip; /* folders of the service: what is mounted below is a copy */
        uint8_t *answers; /* per mount, what scan_answers() has found out */
};

/* scan_init() - look at everything. @skip is NULL-terminated, lent */
int scan_init(struct scan *scan, const char *const *skip, struct vss_error *reterr);
void scan_done(struct scan *scan);

/* scan_add() - appends a sight; consumes nothing */
int scan_add(struct scan *scan, const struct sight *sight);

/* scan_nested() - the btrfs subvolumes that lie inside of @within, whose root is open at @fd */
int scan_nested(struct scan *scan, const struct sight *within, int fd);

/* scan_identify() - file system and subvolume identifiers of the volume whose root is @fd */
int scan_identify(struct volume *volume, int fd);

/* scan_list() - append the chosen sights to @list */
int scan_list(const struct scan *scan, struct volume_list *list);

/* scan_is_ours() - does @path lie where the service keeps its copies (P-64)? */
bool scan_is_ours(const struct scan *scan, const char *path);

/* scan_path() - the volume that holds @path; with @below also those mounted or nested below it.
 * scan_name() - the volume that is meant by a mount point, a device, "UUID=..." or an id (T-3) */
int scan_path(const struct scan *scan, const char *path, bool below, struct volume_list *list,
              struct vss_error *reterr);
int scan_name(const struct scan *scan, const char *name, struct volume_list *list,
              struct vss_error *reterr);

/* scan_answers() - does @mount, which is of @scan and of a program or server, answer? Asked once */
bool scan_answers(const struct scan *scan, const struct mount_entry *mount);

/* look() - stat without following a last link, the mount id included; 0 or negative errno */
struct look {
        uint64_t mount_id, inode;
        uint32_t dev_major, dev_minor;
        mode_t mode;
};
int look_at(int fd, const char *path, struct look *ret);

#endif
