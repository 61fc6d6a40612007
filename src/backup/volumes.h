/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volumes.h - which volumes a plan reads, and where their copies are once they exist.
 */
#ifndef BACKUP_VOLUMES_H
#define BACKUP_VOLUMES_H

#include "backup/plan.h"

/* A name that a copying provider could not read, so that the copy lacks it. */
struct missing_name {
        char *path; /* of the original */
        int code; /* negative errno */
};

struct used_volume {
        char *id, *mount_point, *fs_type, *provider;
        char **paths; /* what is read on it, absolute; for AddToSnapshotSet */
        size_t path_count, path_capacity;
        struct vss_id snapshot_id;
        int copy_fd; /* root of the copy, -1 until it exists */
        bool preserves_inodes; /* the copy shows the originals' inode numbers and ctimes */
        vss_timestamp_t instant; /* of the copy; the same for all of a set (S-33) */
        struct missing_name *missing;
        size_t missing_count, missing_capacity;
};

struct used_volumes {
        struct used_volume *items;
        size_t count, capacity;
};

/*
 * volumes_collect() - resolve every item of the plan that needs a shadow copy (I-93)
 *
 * What is mounted or nested below a tree is read as well (B-151); what no provider can copy there
 * is left out with a note.
 *
 * Return: 0, or the refusal for a path itself: VSS_E_OBJECT_NOT_FOUND, VSS_E_VOLUME_NOT_LOCAL,
 * VSS_E_VOLUME_NOT_SUPPORTED, with words
 */
int volumes_collect(struct vss_backup_components *bc, const struct plan *plan,
                    struct selection *notes, struct used_volumes *ret, struct vss_error *reterr);

/* volumes_choose_provider() - ask the one that the user named; fails with its refusal */
int volumes_choose_provider(struct vss_backup_components *bc, const struct vss_id *provider,
                            struct used_volumes *volumes, struct vss_error *reterr);

/* volumes_add_to_set() - AddToSnapshotSet for each (B-10); @provider may be NULL */
int volumes_add_to_set(struct vss_backup_components *bc, struct used_volumes *volumes,
                       const struct vss_id *provider, struct vss_error *reterr);

/* volumes_open_copies() - after DoSnapshotSet: descriptors of the copies' roots. A full copy (PLEX)
 * says beside itself, in "problems", what it lacks: "ERRNO path" a line (docs/providers.md) */
int volumes_open_copies(struct vss_backup_components *bc, struct used_volumes *volumes,
                        struct vss_error *reterr);

/* volumes_check_copies() - do all of them still stand? A service that died leaves them to the next
 * one, which deletes them under the reader's eyes: names would only seem to be gone */
int volumes_check_copies(struct vss_backup_components *bc, const struct used_volumes *volumes,
                         struct vss_error *reterr);

/* volumes_find() - the volume that holds @path: the one with the longest mount point; or NULL */
struct used_volume *volumes_find(const struct used_volumes *volumes, const char *path);
void volumes_done(struct used_volumes *volumes);

#endif
