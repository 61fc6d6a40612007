/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record.h - what is written beside a copy, so that a process without memory knows it (P-33).
 *
 * A copy lies in a folder of its own, PROVIDER-SETID-SNAPSHOTID, which holds `record` and `copy`.
 * The record is written before the copy is begun, says CREATED only when the copy is whole, and
 * is renamed to `deleted` before its removal begins.
 */
#ifndef PROVIDERS_RECORD_H
#define PROVIDERS_RECORD_H

#include "vss/provider.h"

#define RECORD_NAME_SIZE (64 + 2 * VSS_ID_TEXT_SIZE)

struct record {
        struct vss_snapshot_prop prop; /* device_object is not stored: the place may move */
        uint32_t context;
        uint32_t spread_ms; /* P-92 */
        char *identity; /* of the folder: it was not copied here from elsewhere */
        char *boot; /* the machine's boot under which it was made; NULL: unknown */
};

void record_done(struct record *record);

/* record_folder_name() - @ret has RECORD_NAME_SIZE bytes */
void record_folder_name(const char *provider, const struct vss_id *set,
                        const struct vss_id *snapshot, char *ret);
/* record_parse_name() - is @name that of a folder of @provider? Then the ids */
bool record_parse_name(const char *provider, const char *name, struct vss_id *ret_set,
                       struct vss_id *ret_snapshot);

/* record_write() - into the open @folder; 0 or negative errno */
int record_write(int folder, const struct record *record);
/* record_read() - 0, -ENOENT, -EINVAL for one that is damaged, other negative errno */
int record_read(int folder, struct record *ret);

/* record_copy_properties() - a copy of all that a caller may see; 0 or -ENOMEM */
int record_copy_properties(const struct record *record, struct vss_snapshot_prop *ret);

/* record_identity() - the inode number of @folder, for btrfs with the id of its subvolume (a
 * snapshot repeats inode numbers); the caller frees it, NULL with errno */
char *record_identity(int folder);

/* record_boot() - this boot's, by the kernel; the caller frees it, NULL when it does not say */
char *record_boot(void);
/* record_is_outlived() - an auto-release copy ends with its requester, and this one's ended at the
 * latest with the boot before; whoever should have deleted it, is not there any more */
bool record_is_outlived(const struct record *record);

#endif
