/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - result codes, and the record that carries their words.
 *
 * Every call returns an int: zero or more is success, less is a negative errno or one of the
 * official codes below (they are negative already). A caller matches only the codes that the
 * function's comment lists and hands the rest on. What a person should read goes into the last
 * parameter, a struct vss_error, which may always be NULL.
 */
#ifndef VSS_ERROR_H
#define VSS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* these names are what the library exports */
#endif

#if defined(__GNUC__)
#define VSS_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define VSS_PRINTF(format_index, first)
#endif

/* The names and numbers of the public architecture (errors.tsv of its inventory). */
#define S_OK ((int)0x00000000)
#define VSS_E_BAD_STATE                                                                            \
        ((int)0x80042301) /* Call not allowed in the object's present state or order */
#define VSS_E_UNEXPECTED ((int)0x80042302) /* Unexpected internal error; details are in the log */
#define VSS_E_PROVIDER_ALREADY_REGISTERED ((int)0x80042303) /* Provider is already registered */
#define VSS_E_PROVIDER_NOT_REGISTERED ((int)0x80042304) /* Provider is not registered */
#define VSS_E_PROVIDER_VETO ((int)0x80042306) /* Provider refused or failed; it logged why */
#define VSS_E_PROVIDER_IN_USE                                                                      \
        ((int)0x80042307) /* Provider is in use and cannot be unregistered                         \
                           */
#define VSS_E_OBJECT_NOT_FOUND                                                                     \
        ((int)0x80042308) /* Named object, component, volume or snapshot does not exist */
#define VSS_S_ASYNC_PENDING ((int)0x00042309) /* Asynchronous operation still runs */
#define VSS_S_ASYNC_FINISHED ((int)0x0004230a) /* Asynchronous operation finished */
#define VSS_S_ASYNC_CANCELLED ((int)0x0004230b) /* Asynchronous operation was cancelled */
#define VSS_E_VOLUME_NOT_SUPPORTED                                                                 \
        ((int)0x8004230c) /* No provider supports the volume or the requested operation on it */
#define VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER                                                     \
        ((int)0x8004230e) /* The given provider does not support the volume */
#define VSS_E_OBJECT_ALREADY_EXISTS                                                                \
        ((int)0x8004230d) /* Object, component or association already exists */
#define VSS_E_UNEXPECTED_PROVIDER_ERROR                                                            \
        ((int)0x8004230f) /* Provider returned a code it may not return */
#define VSS_E_CORRUPT_XML_DOCUMENT                                                                 \
        ((int)0x80042310) /* XML is malformed or breaks the schema; deprecated for                 \
                             VSS_E_INVALID_XML_DOCUMENT */
#define VSS_E_INVALID_XML_DOCUMENT ((int)0x80042311) /* XML is malformed or breaks the schema */
#define VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED                                                    \
        ((int)0x80042312) /* Snapshot set holds the most volumes allowed */
#define VSS_E_FLUSH_WRITES_TIMEOUT ((int)0x80042313) /* Flushing writes took too long */
#define VSS_E_HOLD_WRITES_TIMEOUT ((int)0x80042314) /* Holding writes took too long */
#define VSS_E_UNEXPECTED_WRITER_ERROR ((int)0x80042315) /* Unexpected error talking to writers */
#define VSS_E_SNAPSHOT_SET_IN_PROGRESS                                                             \
        ((int)0x80042316) /* Another snapshot set is being created                                 \
                           */
#define VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED                                                  \
        ((int)0x80042317) /* Volume or provider holds the most snapshots allowed */
#define VSS_E_WRITER_INFRASTRUCTURE ((int)0x80042318) /* Writer communication does not work */
#define VSS_E_WRITER_NOT_RESPONDING ((int)0x80042319) /* Writer did not answer a status request */
#define VSS_E_WRITER_ALREADY_SUBSCRIBED ((int)0x8004231a) /* Writer has subscribed before */
#define VSS_E_UNSUPPORTED_CONTEXT ((int)0x8004231b) /* Snapshot context not supported here */
#define VSS_E_VOLUME_IN_USE ((int)0x8004231d) /* Volume or diff area association is in use */
#define VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED                                                \
        ((int)0x8004231e) /* Volume has the most diff area associations allowed */
#define VSS_E_INSUFFICIENT_STORAGE ((int)0x8004231f) /* Not enough space for snapshot data */
#define VSS_E_NO_SNAPSHOTS_IMPORTED ((int)0x80042320) /* No snapshot could be imported */
#define VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED                                                          \
        ((int)0x00042321) /* Import succeeded for only part of the snapshots */
#define VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED                                                          \
        ((int)0x80042321) /* Import failed for part of the snapshots */
#define VSS_E_MAXIMUM_NUMBER_OF_REMOTE_MACHINES_REACHED                                            \
        ((int)0x80042322) /* Most remote machines allowed for one operation reached */
#define VSS_E_REMOTE_SERVER_UNAVAILABLE ((int)0x80042323) /* Remote server cannot be reached */
#define VSS_E_REMOTE_SERVER_UNSUPPORTED                                                            \
        ((int)0x80042324) /* Remote server cannot make snapshots remotely */
#define VSS_E_REVERT_IN_PROGRESS ((int)0x80042325) /* Volume is already being reverted */
#define VSS_E_REVERT_VOLUME_LOST ((int)0x80042326) /* Volume disappeared during revert */
#define VSS_E_REBOOT_REQUIRED ((int)0x80042327) /* Restart needed to finish */
#define VSS_E_TRANSACTION_FREEZE_TIMEOUT                                                           \
        ((int)0x80042328) /* Transaction manager could not be frozen in time */
#define VSS_E_TRANSACTION_THAW_TIMEOUT                                                             \
        ((int)0x80042329) /* Transaction manager stayed frozen too long before thaw */
#define VSS_E_VOLUME_NOT_LOCAL ((int)0x8004232d) /* Volume is not mounted on this machine */
#define VSS_E_CLUSTER_TIMEOUT                                                                      \
        ((int)0x8004232e) /* Preparing a cluster shared volume took too long */
#define VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT                                                     \
        ((int)0x800423f0) /* Set lacks volumes the writer's component needs */
#define VSS_E_WRITERERROR_OUTOFRESOURCES                                                           \
        ((int)0x800423f1) /* Writer ran out of memory or other resources */
#define VSS_E_WRITERERROR_TIMEOUT ((int)0x800423f2) /* Writer's Freeze to Thaw time ran out */
#define VSS_E_WRITERERROR_RETRYABLE                                                                \
        ((int)0x800423f3) /* Passing writer error; trying again may work */
#define VSS_E_WRITERERROR_NONRETRYABLE                                                             \
        ((int)0x800423f4) /* Lasting writer error; trying again will likely fail */
#define VSS_E_WRITERERROR_RECOVERY_FAILED                                                          \
        ((int)0x800423f5) /* Writer could not recover its data in the snapshot */
#define VSS_E_BREAK_REVERT_ID_FAILED                                                               \
        ((int)0x800423f6) /* Break failed: disk identifiers could not be reverted */
#define VSS_E_LEGACY_PROVIDER                                                                      \
        ((int)0x800423f7) /* Provider version is too old for the operation                         \
                           */
#define VSS_E_MISSING_DISK ((int)0x800423f8) /* Expected disk did not appear */
#define VSS_E_MISSING_HIDDEN_VOLUME ((int)0x800423f9) /* Expected hidden volume did not appear */
#define VSS_E_MISSING_VOLUME ((int)0x800423fa) /* Expected volume did not appear */
#define VSS_E_AUTORECOVERY_FAILED                                                                  \
        ((int)0x800423fb) /* Automatic recovery of the snapshot failed                             \
                           */
#define VSS_E_DYNAMIC_DISK_ERROR ((int)0x800423fc) /* Error handling dynamic disks */
#define VSS_E_NONTRANSPORTABLE_BCD                                                                 \
        ((int)0x800423fd) /* Backup document is not for a transportable snapshot */
#define VSS_E_CANNOT_REVERT_DISKID                                                                 \
        ((int)0x800423fe) /* Disk signature or identifier could not be set as wanted */
#define VSS_E_RESYNC_IN_PROGRESS ((int)0x800423ff) /* Another LUN resynchronization is running */
#define VSS_E_CLUSTER_ERROR                                                                        \
        ((int)0x80042400) /* Cluster disks could not be listed or put in maintenance */
#define VSS_E_UNSELECTED_VOLUME                                                                    \
        ((int)0x8004232a) /* Operation would overwrite a volume not selected */
#define VSS_E_SNAPSHOT_NOT_IN_SET ((int)0x8004232b) /* Snapshot is not in the backup document */
#define VSS_E_NESTED_VOLUME_LIMIT ((int)0x8004232c) /* Volume is nested too deeply */
#define VSS_E_NOT_SUPPORTED ((int)0x8004232f) /* Operation is not supported */
#define VSS_E_WRITERERROR_PARTIAL_FAILURE                                                          \
        ((int)0x80042336) /* Some of the writer's components failed */
#define VSS_E_WRITER_STATUS_NOT_AVAILABLE                                                          \
        ((int)0x80042409) /* Writer status not available; session limit may be reached */
#define VSS_E_CRITICAL_VOLUME_ON_INVALID_DISK                                                      \
        ((int)0x80042411) /* System recovery: critical volume lies on an unsuitable disk */
#define VSS_E_FSS_TIMEOUT ((int)0x80042417) /* Preparing a file share snapshot took too long */
#define S_FALSE                                                                                    \
        ((int)0x00000001) /* Succeeded, but the item asked for is absent or nothing was done */
#define E_ACCESSDENIED                                                                             \
        ((int)0x80070005) /* Caller lacks backup privilege or is not administrator                 \
                           */
#define E_FAIL ((int)0x80004005) /* Internal failure */
#define E_INVALIDARG ((int)0x80070057) /* A parameter value is not valid */
#define E_NOTIMPL ((int)0x80004001) /* Provider does not offer the operation */
#define E_OUTOFMEMORY ((int)0x8007000e) /* Out of memory or other resources */
#define E_POINTER ((int)0x80004003) /* A required pointer is NULL */
#define E_UNEXPECTED ((int)0x8000ffff) /* Unexpected error */

/**
 * struct vss_error - what happened, for a person
 * @code:     what the function returned, 0 when nothing failed
 * @message:  a sentence that names the object and the remedy, or NULL; owned by the record
 *
 * Initialize with VSS_ERROR_INIT, release with vss_error_clear().
 */
struct vss_error {
        int code;
        char *message;
};

#ifdef __cplusplus
#define VSS_ERROR_INIT                                                                             \
        {}
#else
#define VSS_ERROR_INIT                                                                             \
        { 0, 0 }
#endif

/**
 * vss_fail() - record a failure
 * @reterr:  record to fill, or NULL; what it held before is released
 * @code:    negative errno or official code
 * @format:  the sentence, printf-like, without a full stop at its end
 *
 * Written so that a failure is one line: return vss_fail(reterr, VSS_E_BAD_STATE, "...").
 *
 * Return: @code, always.
 */
int vss_fail(struct vss_error *reterr, int code, const char *format, ...) VSS_PRINTF(3, 4);

/**
 * vss_wrap() - say where a failure happened, keeping its words
 * @reterr:  record that a callee filled, or NULL
 * @code:    what the callee returned
 * @format:  the context, put in front of the message with ": " between
 *
 * Return: @code, always.
 */
int vss_wrap(struct vss_error *reterr, int code, const char *format, ...) VSS_PRINTF(3, 4);

/** vss_error_clear() - release the words and set the code to 0; accepts NULL */
void vss_error_clear(struct vss_error *error);

/**
 * vss_error_move() - hand a record on
 * @reterr:  receives code and words; may be NULL, then they are released
 * @from:    is empty afterwards
 */
void vss_error_move(struct vss_error *reterr, struct vss_error *from);

/**
 * vss_error_name() - the official spelling of a code
 * @code:  what a call returned
 *
 * Return: "VSS_E_BAD_STATE", "E_INVALIDARG", "S_OK", or for errno values "ENOENT" and so on; a
 * static string, "unknown" when nobody knows the number.
 */
const char *vss_error_name(int code);

/** vss_error_text() - one general sentence about a code, a static string, never NULL */
const char *vss_error_text(int code);

/** vss_error_message() - the record's own words if it has any, else vss_error_text() */
const char *vss_error_message(const struct vss_error *error);

/** vss_error_is_retryable() - true when the same call may succeed later (B-107, S-49) */
bool vss_error_is_retryable(int code);

/** vss_error_from_name() - the code of an official name such as "E_INVALIDARG", 0 if unknown */
int vss_error_from_name(const char *name);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
