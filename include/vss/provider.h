/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.h - for makers of shadow copies.
 *
 * A provider is a shared object with one struct vss_provider_ops, registered by VSS_PROVIDER().
 * It runs in a process of its own (vss-host), is called by the coordinator alone, one call at a
 * time, in the order of the fields below. vss-provider(7) draws the life of a set.
 */
#ifndef VSS_PROVIDER_H
#define VSS_PROVIDER_H

#include "vss/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

struct vss_provider; /* the running plug-in; the runtime owns it */

/** vss_provider_set_data() - remember the plug-in's own state; the plug-in frees it in unload */
void vss_provider_set_data(struct vss_provider *provider, void *data);
/** vss_provider_data() - what vss_provider_set_data() was given, NULL before */
void *vss_provider_data(const struct vss_provider *provider);

/**
 * vss_provider_aborted() - true when the set should be given up
 *
 * Long work in end_prepare_snapshots() asks between its steps (P-32) and returns -ECANCELED.
 */
bool vss_provider_aborted(const struct vss_provider *provider);

/**
 * struct vss_promise - what a provider can promise for a volume
 * @hold:        enum vss_hold
 * @instant:     enum vss_instant
 * @attributes:  PERSISTENT, DIFFERENTIAL, PLEX and so on that its copies of this volume can have
 */
struct vss_promise {
        uint32_t hold;
        uint32_t instant;
        uint32_t attributes;
        uint32_t reserved[8];
};

/**
 * struct vss_prepare - one volume of a set that is being prepared
 * @set_id:       of the set; a new one silently drops the old set (P-30)
 * @snapshot_id:  for the copy
 * @context:      enum vss_snapshot_context with attributes or-ed in
 * @volume:       what to copy; valid during the call
 * @paths:        what will be read, absolute, all below the volume's mount point; NULL-terminated;
 *                empty means all of it. A provider that copies whole volumes ignores it
 */
struct vss_prepare {
        struct vss_id set_id;
        struct vss_id snapshot_id;
        uint32_t context;
        const struct vss_volume *volume;
        const char *const *paths;
        uint32_t reserved[8];
};

/** vss_snapshot_sink_t - takes one record of query(); copies what it needs */
typedef int (*vss_snapshot_sink_t)(void *userdata, const struct vss_snapshot_prop *prop);

/**
 * struct vss_provider_ops - what a provider can do
 *
 * Named initializers only. Fields marked required must be set; a missing step of a life or a set
 * means "nothing to do"; a missing revert_to_snapshot means not supported. Results are those of
 * P-40; anything else becomes VSS_E_UNEXPECTED_PROVIDER_ERROR. New fields are added at the end.
 */
struct vss_provider_ops {
        uint32_t size, api; /* filled by VSS_PROVIDER() */
        const char *name, *title, *version;
        struct vss_id id, version_id;
        uint32_t kind; /* enum vss_provider_type */

        /* Life. configure comes before load, once per setting of [provider.<name>]. */
        int (*configure)(struct vss_provider *, const char *key, const char *value,
                         struct vss_error *);
        int (*load)(struct vss_provider *, struct vss_error *);
        void (*unload)(struct vss_provider *);

        /* Questions: no side effects, any time. is_volume_supported is required: 1 with *ret
         * filled, 0 for no (with words why), negative for trouble. P-2 */
        int (*is_volume_supported)(struct vss_provider *, const struct vss_volume *,
                                   uint32_t context, struct vss_promise *ret, struct vss_error *);
        int (*is_volume_snapshotted)(struct vss_provider *, const struct vss_volume *,
                                     uint32_t *ret_compatibility, struct vss_error *);

        /* One set, in this order; the identifier is the set's. */
        int (*begin_prepare_snapshot)(struct vss_provider *, const struct vss_prepare *,
                                      struct vss_error *); /* required; returns quickly */
        int (*end_prepare_snapshots)(struct vss_provider *, const struct vss_id *,
                                     struct vss_error *);
        int (*pre_commit_snapshots)(struct vss_provider *, const struct vss_id *,
                                    struct vss_error *);
        int (*commit_snapshots)(struct vss_provider *, const struct vss_id *,
                                struct vss_error *); /* required; writes are held: be quick */
        int (*post_commit_snapshots)(struct vss_provider *, const struct vss_id *, uint32_t count,
                                     struct vss_error *);
        int (*pre_final_commit_snapshots)(struct vss_provider *, const struct vss_id *,
                                          struct vss_error *);
        int (*post_final_commit_snapshots)(struct vss_provider *, const struct vss_id *,
                                           struct vss_error *);
        void (*abort_snapshots)(struct vss_provider *,
                                const struct vss_id *); /* required; any time, twice too. It gets
                                sets of an earlier life as well, and then removes their rests */

        /* Copies that exist. */
        int (*get_snapshot_properties)(struct vss_provider *, const struct vss_id *snapshot,
                                       struct vss_snapshot_prop *ret,
                                       struct vss_error *); /* required */
        int (*query)(struct vss_provider *, vss_snapshot_sink_t, void *userdata,
                     struct vss_error *); /* required: every copy that is CREATED */
        int (*delete_snapshots)(struct vss_provider *, const struct vss_id *, uint32_t type,
                                bool force, uint32_t *ret_deleted, struct vss_id *ret_nondeleted,
                                struct vss_error *); /* required */
        int (*set_snapshot_property)(struct vss_provider *, const struct vss_id *snapshot,
                                     uint32_t property, const char *value, struct vss_error *);
        int (*revert_to_snapshot)(struct vss_provider *, const struct vss_id *snapshot,
                                  struct vss_error *);
        int (*query_revert_status)(struct vss_provider *, const struct vss_volume *,
                                   uint32_t *ret_percent, struct vss_error *);
        int (*set_context)(struct vss_provider *, uint32_t context, struct vss_error *);

        /* What changed; all three or none. keep_reference remembers the state of a finished copy
         * beyond its life, bounded as the provider's settings say: the oldest may be forgotten at
         * any time. Its id is best the copy's own: who dies before he hears another can never
         * release it. release_reference forgets it; an unknown one is success. query_changes
         * returns at once and writes, in a thread of its own, what differs between a reference
         * and a copy into the pipe @stream, which is lent for the call; docs/protocol.md has the
         * lines. It refuses unless it is certain: VSS_E_OBJECT_NOT_FOUND when the reference is
         * gone, VSS_E_BAD_STATE when it cannot be compared with this copy. */
        int (*keep_reference)(struct vss_provider *, const struct vss_id *snapshot,
                              struct vss_id *ret_reference, struct vss_error *);
        int (*release_reference)(struct vss_provider *, const struct vss_id *reference,
                                 struct vss_error *);
        int (*query_changes)(struct vss_provider *, const struct vss_id *snapshot,
                             const struct vss_id *reference, int stream, struct vss_error *);
};

#define VSS_PROVIDER_API 1u

/** VSS_PROVIDER() - make @ops, a modifiable struct vss_provider_ops, the plug-in's own */
#define VSS_PROVIDER(ops_)                                                                         \
        VSS_PLUGIN_EXPORT struct vss_provider_ops *vss_provider_init(void);                        \
        VSS_PLUGIN_EXPORT struct vss_provider_ops *vss_provider_init(void) {                       \
                (ops_).size = (uint32_t)sizeof(ops_);                                              \
                (ops_).api = VSS_PROVIDER_API;                                                     \
                return &(ops_);                                                                    \
        }                                                                                          \
        struct vss_provider_ops

#if defined(__cplusplus)
#define VSS_PLUGIN_EXPORT extern "C" __attribute__((visibility("default")))
#elif defined(__GNUC__)
#define VSS_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define VSS_PLUGIN_EXPORT
#endif

/**
 * vss_provider_run() - serve a coordinator until it goes away
 * @ops:     the provider; only min(@ops->size, ours) bytes are read
 * @fd:      connected stream socket to the coordinator; taken
 * @reterr:  words on failure; may be NULL
 *
 * What vss-host does. Configuration arrives over the socket. Blocks.
 *
 * Return: 0 when the coordinator closed the connection, or
 *   E_INVALIDARG   a required operation is missing
 *   -errno         the connection failed
 */
int vss_provider_run(struct vss_provider_ops *ops, int fd, struct vss_error *reterr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
