/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer.h - for applications whose data are backed up.
 *
 * A writer answers events. It is a shared object with one struct vss_writer_ops (VSS_WRITER()),
 * which vss-host runs in a process of its own when a backup begins; or a program that calls
 * vss_writer_create(), vss_writer_initialize(), vss_writer_subscribe() and keeps running.
 * Handlers run on one thread, one at a time. vss-writer(7) draws the life of a session.
 */
#ifndef VSS_WRITER_H
#define VSS_WRITER_H

#include "vss/documents.h"
#include "vss/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

struct vss_writer; /* one writer instance; the runtime owns it */

/**
 * struct vss_writer_ops - what a writer does at each event
 *
 * Return 0 for success; a negative code vetoes: VSS_E_WRITERERROR_* are told as they are, any
 * other becomes VSS_E_WRITERERROR_NONRETRYABLE (B-81). Words go into the error record. The
 * components are this writer's own part of the Backup Components Document, NULL when components
 * are not selected (B-59). Deadlines: B-47, B-50, B-51. New fields are added at the end.
 * version_major to freeze_timeout_ms are read when load has returned: until then configure and
 * load may change them in the struct that vss_writer_init() gave.
 */
struct vss_writer_ops {
        uint32_t size, api; /* filled by VSS_WRITER() */
        const char *name;
        uint32_t version_major, version_minor;
        struct vss_id id;
        uint32_t usage; /* enum vss_usage_type */
        uint32_t source; /* enum vss_source_type */
        uint32_t level; /* enum vss_application_level; 0 means FRONT_END */
        uint32_t freeze_timeout_ms; /* 0 means 60 000 (B-47) */

        /* Life. configure comes before load, once per setting of the writer's file. */
        int (*configure)(struct vss_writer *, const char *section, const char *key,
                         const char *value, struct vss_error *);
        int (*load)(struct vss_writer *, struct vss_error *);
        void (*unload)(struct vss_writer *);

        /* At any time, also in the middle of a session: describe, change nothing. B-74 */
        int (*identify)(struct vss_writer *, struct vss_create_writer_metadata *,
                        struct vss_error *); /* required */

        /* One backup, in this order. */
        int (*prepare_backup)(struct vss_writer *, struct vss_writer_components *,
                              struct vss_error *);
        int (*prepare_snapshot)(struct vss_writer *, struct vss_error *);
        int (*freeze)(struct vss_writer *, struct vss_error *); /* the window runs */
        int (*thaw)(struct vss_writer *, struct vss_error *);
        int (*post_snapshot)(struct vss_writer *, struct vss_writer_components *,
                             struct vss_error *);
        int (*backup_complete)(struct vss_writer *, struct vss_writer_components *,
                               struct vss_error *);
        void (*backup_shutdown)(struct vss_writer *, const struct vss_id *set_id);

        /* After any of the above, several times, also without having been frozen: undo what
         * thaw and post_snapshot would have undone. Must not fail (B-136). */
        void (*abort)(struct vss_writer *);

        /* In a fresh process after this writer died while it held something: undo what @token
         * tells, which the dead one had deposited with vss_writer_deposit_undo(). */
        int (*undo)(struct vss_writer *, const void *token, size_t size, struct vss_error *);

        /* One restore. */
        int (*pre_restore)(struct vss_writer *, struct vss_writer_components *, struct vss_error *);
        int (*post_restore)(struct vss_writer *, struct vss_writer_components *,
                            struct vss_error *);
};

#define VSS_WRITER_API 1u

/** VSS_WRITER() - make @ops, a modifiable struct vss_writer_ops, the plug-in's own */
#define VSS_WRITER(ops_)                                                                           \
        VSS_WRITER_EXPORT struct vss_writer_ops *vss_writer_init(void);                            \
        VSS_WRITER_EXPORT struct vss_writer_ops *vss_writer_init(void) {                           \
                (ops_).size = (uint32_t)sizeof(ops_);                                              \
                (ops_).api = VSS_WRITER_API;                                                       \
                return &(ops_);                                                                    \
        }                                                                                          \
        struct vss_writer_ops

#if defined(__cplusplus)
#define VSS_WRITER_EXPORT extern "C" __attribute__((visibility("default")))
#elif defined(__GNUC__)
#define VSS_WRITER_EXPORT __attribute__((visibility("default")))
#else
#define VSS_WRITER_EXPORT
#endif

/* What a handler may ask. Outside of the events of B-56..B-71 they say VSS_E_BAD_STATE, null or
 * false. Strings are lent until the handler returns. */
/** vss_writer_set_data() - remember the plug-in's own state; it is freed in unload */
void vss_writer_set_data(struct vss_writer *writer, void *data);
/** vss_writer_data() - what vss_writer_set_data() was given, NULL before */
void *vss_writer_data(const struct vss_writer *writer);
/** vss_writer_get_backup_type() - the type asked for, enum vss_backup_type (B-58, I-72) */
uint32_t vss_writer_get_backup_type(const struct vss_writer *writer); /* enum vss_backup_type */
/** vss_writer_get_restore_type() - enum vss_restore_type */
uint32_t vss_writer_get_restore_type(const struct vss_writer *writer);
/** vss_writer_get_context() - enum vss_snapshot_context with attributes or-ed in */
uint32_t vss_writer_get_context(const struct vss_writer *writer);
/** vss_writer_get_current_level() - enum vss_application_level that is being frozen */
uint32_t vss_writer_get_current_level(const struct vss_writer *writer);
/** vss_writer_get_instant() - enum vss_instant of the set */
uint32_t vss_writer_get_instant(const struct vss_writer *writer); /* enum vss_instant of the set */
/** vss_writer_are_components_selected() - component mode? (D-46) */
bool vss_writer_are_components_selected(const struct vss_writer *writer);
/** vss_writer_is_bootable_system_state_backed_up() - D-47 */
bool vss_writer_is_bootable_system_state_backed_up(const struct vss_writer *writer);
/** vss_writer_is_partial_file_support_enabled() - may vss_component_add_partial_file() be used?
 * (D-48) */
bool vss_writer_is_partial_file_support_enabled(const struct vss_writer *writer);
/** vss_writer_is_writer_shutting_down() - the runtime is ending: return soon */
bool vss_writer_is_writer_shutting_down(const struct vss_writer *writer);

/** vss_writer_is_path_affected() - true when @path lies on a volume of the set (B-68) */
bool vss_writer_is_path_affected(const struct vss_writer *writer, const char *path);
/** vss_writer_get_current_volume_count() - volumes of the set (B-68) */
size_t vss_writer_get_current_volume_count(const struct vss_writer *writer);

/** vss_writer_get_current_volume_array() - mount points of the set's volumes, NULL-terminated */
const char *const *vss_writer_get_current_volume_array(const struct vss_writer *writer);
/** vss_writer_get_current_snapshot_set_id() - null outside of B-69 */
struct vss_id vss_writer_get_current_snapshot_set_id(const struct vss_writer *writer);
/** vss_writer_get_session_id() - B-71; state is kept per session (B-140) */
struct vss_id vss_writer_get_session_id(const struct vss_writer *writer);

/**
 * vss_writer_get_snapshot_device_name() - where the copy of a volume is (B-70)
 * @original_volume:  mount point, as vss_writer_get_current_volume_array() gives it
 * @ret:              directory of the copy's root; lent until post_snapshot returns
 *
 * Return: 0, VSS_E_BAD_STATE outside of post_snapshot, VSS_E_OBJECT_NOT_FOUND
 */
int vss_writer_get_snapshot_device_name(const struct vss_writer *writer,
                                        const char *original_volume, const char **ret);

/**
 * vss_writer_get_snapshot_path() - where the copy of one file or directory is
 * @path:  absolute path of the original
 * @ret:   path in the copy; the caller frees it
 *
 * Return: 0, VSS_E_BAD_STATE outside of post_snapshot, VSS_E_OBJECT_NOT_FOUND when no volume of
 * the set holds @path, -ENOMEM
 */
int vss_writer_get_snapshot_path(const struct vss_writer *writer, const char *path, char **ret);

/**
 * vss_writer_set_writer_failure() - veto, or tell trouble, in a handler (B-57, B-79)
 * @failure:      one of VSS_E_WRITERERROR_*
 * @application:  the application's own code, 0 none
 * @message:      words for the operator, or NULL
 *
 * Return: 0, VSS_E_BAD_STATE in identify or outside of a handler, E_INVALIDARG for other codes
 */
int vss_writer_set_writer_failure(struct vss_writer *writer, int failure, int application,
                                  const char *message);

/**
 * vss_writer_deposit_undo() - say how to undo what the coming handlers will hold
 * @token:  bytes that undo() of a fresh process understands; copied; at most 64 KiB
 *
 * In prepare_backup or prepare_snapshot, before anything is held. The coordinator keeps it until
 * thaw has been answered.
 */
int vss_writer_deposit_undo(struct vss_writer *writer, const void *token, size_t size);

/* A program that is a writer by itself. */

/** vss_writer_create() - a writer from @ops; release with vss_writer_free() */
int vss_writer_create(struct vss_writer_ops *ops, struct vss_writer **ret,
                      struct vss_error *reterr);

/** vss_writer_free() - unsubscribe and release; accepts NULL, returns NULL */
struct vss_writer *vss_writer_free(struct vss_writer *writer);

/** vss_writer_initialize() - name this instance (M-11) and run configure-less load
 *
 * @instance_name may be NULL. Return: 0, VSS_E_BAD_STATE the second time, or what load returned */
int vss_writer_initialize(struct vss_writer *writer, const char *instance_name,
                          struct vss_error *reterr);

/**
 * vss_writer_subscribe() - register with the service on a bus (B-76)
 * @address:      D-Bus address, or NULL for the system bus
 * @event_flags:  enum vss_subscribe_mask
 *
 * Return: 0, VSS_E_WRITER_ALREADY_SUBSCRIBED, E_ACCESSDENIED, -errno when no service answers
 */
int vss_writer_subscribe(struct vss_writer *writer, const char *address, uint32_t event_flags,
                         struct vss_error *reterr);
/** vss_writer_unsubscribe() - leave the service; 0, VSS_E_BAD_STATE when not subscribed */
int vss_writer_unsubscribe(struct vss_writer *writer);

/** vss_writer_process() - serve events until @timeout_ms is over (-1: until unsubscribed)
 *
 * Return: 1 something was handled, 0 nothing, negative errno when the connection is lost */
int vss_writer_process(struct vss_writer *writer, int timeout_ms);

/**
 * vss_writer_run() - what vss-host does: serve a coordinator over a socket until it goes away
 * @ops:  the writer; only min(@ops->size, ours) bytes are read
 * @fd:   connected stream socket; taken
 */
int vss_writer_run(struct vss_writer_ops *ops, int fd, struct vss_error *reterr);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
