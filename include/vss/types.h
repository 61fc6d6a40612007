/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types.h - identifiers, times and the records that every role shares.
 */
#ifndef VSS_TYPES_H
#define VSS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/constants.h"
#include "vss/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

/**
 * struct vss_id - a 128-bit identifier, in the order in which its text is written
 *
 * All zero is the null identifier ("none", "choose for me").
 */
struct vss_id {
        uint8_t bytes[16];
};

#define VSS_ID_TEXT_SIZE 37 /* 8-4-4-4-12 lower case and a NUL */

/** vss_id_parse() - read an id, with or without braces, in any case (T-4)
 *
 * Return: 0, or E_INVALIDARG when @text is no identifier; then @ret is left alone. */
int vss_id_parse(const char *text, struct vss_id *ret);

/** vss_id_format() - write an id without braces, lower case; returns @buffer */
char *vss_id_format(const struct vss_id *id, char buffer[VSS_ID_TEXT_SIZE]);

/** vss_id_new() - a new random identifier (RFC 4122, version 4)
 *
 * Return: 0 or a negative errno of getrandom(2). */
int vss_id_new(struct vss_id *ret);

/** vss_id_equal() - the same identifier? */
bool vss_id_equal(const struct vss_id *a, const struct vss_id *b);
/** vss_id_is_null() - all zero? */
bool vss_id_is_null(const struct vss_id *id);

/**
 * vss_timestamp_t - a point in time: 100 ns units since 1601-01-01 UTC (S-33, I-95)
 *
 * Zero means "none".
 */
typedef int64_t vss_timestamp_t;

/** vss_timestamp_from_unix() - seconds since 1970-01-01 UTC and nanoseconds, rounded down to 100 ns
 */
vss_timestamp_t vss_timestamp_from_unix(int64_t seconds, uint32_t nanoseconds);
/** vss_timestamp_to_unix() - the way back */
void vss_timestamp_to_unix(vss_timestamp_t timestamp, int64_t *ret_seconds,
                           uint32_t *ret_nanoseconds);
/** vss_timestamp_now() - the present of the system clock */
vss_timestamp_t vss_timestamp_now(void);

/** enum vss_hold - what a provider says about holding writes on its volumes */
enum vss_hold {
        VSS_HOLD_NONE = 0, /* nobody holds; the copy is what reading gives */
        VSS_HOLD_OWN = 1, /* atomic by itself; the volume must not be frozen (S-31, P-60) */
        VSS_HOLD_FREEZE = 2 /* the service freezes the file system around the commit (S-24) */
};

/** enum vss_instant - how far the copies of one set share one instant */
enum vss_instant {
        VSS_INSTANT_NONE = 0, /* no instant: application consistency only */
        VSS_INSTANT_SPREAD = 1, /* each volume at an instant, one after the other */
        VSS_INSTANT_ONE = 2 /* all volumes of the set at one instant (S-21) */
};

/**
 * struct vss_volume - what a shadow copy is made of: a mounted file system, or a btrfs subvolume
 * @id:           stable name: "UUID=<file system>" or "UUID=<file system>:<subvolume uuid>"
 * @mount_point:  directory by which the volume's root is reached; paths of the volume begin so
 * @device:       block device or other source, as mountinfo names it
 * @fs_type:      "xfs", "btrfs", ...
 * @fs_uuid:      of the file system; "" when it has none
 * @subvolume:    path of the subvolume inside its file system, "" for other file systems
 * @mount_id:     of the mount by which it is reached (statx STATX_MNT_ID), 0 unknown
 * @dev_major:    of the device number that stat reports below @mount_point
 * @dev_minor:    likewise
 * @read_only:    1 when the mount or the volume cannot be written
 *
 * Paths and names are bytes, as the kernel gives them. Strings are never NULL.
 */
struct vss_volume {
        const char *id;
        const char *mount_point;
        const char *device;
        const char *fs_type;
        const char *fs_uuid;
        const char *subvolume;
        uint64_t mount_id;
        uint32_t dev_major, dev_minor;
        uint32_t read_only;
        uint32_t reserved[8];
};

/**
 * struct vss_snapshot_prop - properties of one shadow copy (S-65)
 * @snapshot_id:         of the copy
 * @snapshot_set_id:     of its set
 * @snapshots_count:     copies in the set when it was created; some may be gone
 * @device_object:       directory that shows the copy of the volume's root; no separator at its end
 * @original_volume:     id of the volume (struct vss_volume)
 * @original_mount:      where that volume was mounted when the copy was made
 * @originating_machine: host that holds the original
 * @service_machine:     host whose service made the copy
 * @exposed_name:        mount directory or share name, NULL when not exposed
 * @exposed_path:        part that is shared, NULL otherwise
 * @provider_id:         who made it
 * @attributes:          enum vss_volume_snapshot_attributes, or-ed
 * @instant:             enum vss_instant of the copy among its set
 * @creation_timestamp:  the same for all copies of the set
 * @status:              enum vss_snapshot_state
 */
struct vss_snapshot_prop {
        struct vss_id snapshot_id;
        struct vss_id snapshot_set_id;
        int32_t snapshots_count;
        char *device_object;
        char *original_volume;
        char *original_mount;
        char *originating_machine;
        char *service_machine;
        char *exposed_name;
        char *exposed_path;
        struct vss_id provider_id;
        uint32_t attributes;
        uint32_t instant;
        vss_timestamp_t creation_timestamp;
        uint32_t status;
        uint32_t reserved[8];
};

/** vss_free_snapshot_properties() - release the strings of @prop, not @prop itself; accepts NULL */
void vss_free_snapshot_properties(struct vss_snapshot_prop *prop);

/**
 * struct vss_provider_prop - properties of one provider (P-10)
 * @kind:  enum vss_provider_type
 */
struct vss_provider_prop {
        struct vss_id provider_id;
        char *name;
        char *title;
        char *version;
        struct vss_id version_id;
        uint32_t kind;
        uint32_t reserved[8];
};

/** vss_free_provider_properties() - release the strings of @prop, not @prop itself */
void vss_free_provider_properties(struct vss_provider_prop *prop);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
