/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.c - what a handler may ask and say, by event (B-56 to B-72). Everything goes through the
 * call that runs on this thread: a worker thread finds none and is refused (BV-30).
 */
#define _GNU_SOURCE
#include "writer/writer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "bus/names.h"

/* the columns of the table in backup-protocol section 3, by row */
enum {
        MAY_ASK_STATE = EVENT_PREPARE_BACKUP | EVENT_PREPARE_SNAPSHOT | EVENT_FREEZE | EVENT_THAW |
                        EVENT_POST_SNAPSHOT | EVENT_ABORT | EVENT_BACKUP_COMPLETE, /* B-58 */
        MAY_ASK_RESTORE = EVENT_PRE_RESTORE | EVENT_POST_RESTORE,
        MAY_ASK_VOLUMES = EVENT_PREPARE_BACKUP | EVENT_PREPARE_SNAPSHOT | EVENT_FREEZE |
                          EVENT_THAW | EVENT_POST_SNAPSHOT, /* B-68 */
        MAY_ASK_SET =
                EVENT_PREPARE_SNAPSHOT | EVENT_FREEZE | EVENT_THAW | EVENT_POST_SNAPSHOT, /* B-69 */
        MAY_ASK_COPIES = EVENT_POST_SNAPSHOT, /* B-70 */
        MAY_FAIL = MAY_ASK_STATE | EVENT_BACKUP_SHUTDOWN | MAY_ASK_RESTORE, /* B-57 */
        MAY_DEPOSIT = EVENT_PREPARE_BACKUP | EVENT_PREPARE_SNAPSHOT
};

static _Thread_local struct writer_call *current_call;

struct writer_call *writer_current_call(const struct vss_writer *writer) {
        return current_call && current_call->writer == writer ? current_call : NULL;
}

void writer_enter(struct writer_call *call) {
        current_call = call;
}

void writer_leave(struct writer_call *call) {
        (void)call;
        current_call = NULL;
}

/* what the coordinator told of the session, when the event allows to know it */
static const struct wire_info *ask(const struct vss_writer *writer, unsigned events) {
        struct writer_call *call = writer_current_call(writer);

        return call && call->session && (call->event & events) ? &call->session->info : NULL;
}

void vss_writer_set_data(struct vss_writer *writer, void *data) {
        writer->data = data;
}

void *vss_writer_data(const struct vss_writer *writer) {
        return writer->data;
}

uint32_t vss_writer_get_backup_type(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        return info ? info->backup_type : VSS_BT_UNDEFINED;
}

uint32_t vss_writer_get_restore_type(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_RESTORE);

        return info ? info->restore_type : VSS_RTYPE_UNDEFINED;
}

uint32_t vss_writer_get_context(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        return info ? info->context : 0;
}

uint32_t vss_writer_get_current_level(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        if (!info)
                return VSS_APP_UNKNOWN;
        return info->level ? info->level : writer->ops.level;
}

uint32_t vss_writer_get_instant(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        return info ? info->instant : VSS_INSTANT_NONE;
}

bool vss_writer_are_components_selected(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE | MAY_ASK_RESTORE);

        return info && info->select_components;
}

bool vss_writer_is_bootable_system_state_backed_up(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        return info && info->bootable_system_state;
}

bool vss_writer_is_partial_file_support_enabled(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_STATE);

        return info && info->partial_files;
}

bool vss_writer_is_writer_shutting_down(const struct vss_writer *writer) {
        return writer->shutting_down;
}

/*
 * is_reached() - is @path on the volume itself, or on another one that is mounted, or a subvolume
 * that lies, somewhere below its mount point? What is not there yet goes where its folder is. The
 * mount id tells mounts apart, the device number subvolumes. A volume that cannot be looked at
 * is taken at its word.
 */
static bool is_reached(const char *path, const char *mount_point) {
        _cleanup_free_ char *at = strdup(path);
        struct statx volume, found;
        char *slash;

        if (!at || statx(AT_FDCWD, mount_point, AT_NO_AUTOMOUNT, STATX_MNT_ID, &volume) < 0)
                return at != NULL;
        while (statx(AT_FDCWD, at, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &found) <
               0) {
                slash = strrchr(at, '/');
                if (!slash || slash == at)
                        return strcmp(mount_point, "/") == 0;
                *slash = '\0';
        }
        return found.stx_mnt_id == volume.stx_mnt_id &&
               found.stx_dev_major == volume.stx_dev_major &&
               found.stx_dev_minor == volume.stx_dev_minor;
}

/* index of the volume that holds @path: the one with the longest mount point; -1 none */
static ssize_t find_volume(const struct wire_info *info, const char *path) {
        ssize_t best = -1;
        size_t best_length = 0;

        for (size_t i = 0; info->volumes && info->volumes[i]; i++) {
                size_t length = strlen(info->volumes[i]);

                if (length > best_length && path_is_below(path, info->volumes[i])) {
                        best = (ssize_t)i;
                        best_length = length;
                }
        }
        return best >= 0 && is_reached(path, info->volumes[best]) ? best : -1;
}

bool vss_writer_is_path_affected(const struct vss_writer *writer, const char *path) {
        const struct wire_info *info = ask(writer, MAY_ASK_VOLUMES);

        return info && path && find_volume(info, path) >= 0;
}

size_t vss_writer_get_current_volume_count(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_VOLUMES);
        size_t count = 0;

        while (info && info->volumes && info->volumes[count])
                count++;
        return count;
}

const char *const *vss_writer_get_current_volume_array(const struct vss_writer *writer) {
        static const char *const none[] = { NULL };
        const struct wire_info *info = ask(writer, MAY_ASK_VOLUMES);

        return info && info->volumes ? (const char *const *)info->volumes : none;
}

struct vss_id vss_writer_get_current_snapshot_set_id(const struct vss_writer *writer) {
        const struct wire_info *info = ask(writer, MAY_ASK_SET);

        return info ? info->set_id : (struct vss_id){ 0 };
}

struct vss_id vss_writer_get_session_id(const struct vss_writer *writer) {
        struct writer_call *call = writer_current_call(writer);

        return call ? call->session_id : (struct vss_id){ 0 };
}

/* the device object that belongs to a volume; both lists have the same order */
static const char *device_of(const struct wire_info *info, size_t index) {
        for (size_t i = 0; info->devices && info->devices[i]; i++)
                if (i == index)
                        return *info->devices[i] ? info->devices[i] : NULL;
        return NULL;
}

int vss_writer_get_snapshot_device_name(const struct vss_writer *writer,
                                        const char *original_volume, const char **ret) {
        const struct wire_info *info = ask(writer, MAY_ASK_COPIES);
        const char *device = NULL;

        if (!info)
                return VSS_E_BAD_STATE;
        if (!original_volume || !ret)
                return E_INVALIDARG;
        for (size_t i = 0; info->volumes && info->volumes[i]; i++)
                if (strcmp(info->volumes[i], original_volume) == 0)
                        device = device_of(info, i);
        if (!device)
                return VSS_E_OBJECT_NOT_FOUND;
        *ret = device;
        return 0;
}

int vss_writer_get_snapshot_path(const struct vss_writer *writer, const char *path, char **ret) {
        const struct wire_info *info = ask(writer, MAY_ASK_COPIES);
        const char *device, *rest;
        ssize_t index;

        if (!info)
                return VSS_E_BAD_STATE;
        if (!path || *path != '/' || !ret)
                return E_INVALIDARG;
        index = find_volume(info, path);
        device = index < 0 ? NULL : device_of(info, (size_t)index);
        if (!device)
                return VSS_E_OBJECT_NOT_FOUND;
        rest = path + strlen(info->volumes[index]);
        while (*rest == '/')
                rest++;
        *ret = *rest ? path_join(device, rest) : strdup(device);
        return *ret ? 0 : -ENOMEM;
}

bool writer_is_failure_code(int code) {
        return strncmp(vss_error_name(code), "VSS_E_WRITERERROR_", 18) == 0;
}

int vss_writer_set_writer_failure(struct vss_writer *writer, int failure, int application,
                                  const char *message) {
        struct writer_call *call = writer_current_call(writer);
        char *copy = NULL;

        if (!call || !(call->event & MAY_FAIL))
                return VSS_E_BAD_STATE;
        if (!writer_is_failure_code(failure))
                return E_INVALIDARG;
        if (message) {
                copy = strdup(message);
                if (!copy)
                        return -ENOMEM;
        }
        free(call->message);
        call->message = copy;
        call->failure = failure;
        call->application = application;
        return 0;
}

int vss_writer_deposit_undo(struct vss_writer *writer, const void *token, size_t size) {
        struct writer_call *call = writer_current_call(writer);
        void *copy;

        if (!call || !(call->event & MAY_DEPOSIT))
                return VSS_E_BAD_STATE;
        if (!writer->ops.undo) /* nobody could ever read it */
                return E_NOTIMPL;
        if (!token || size == 0 || size > VSS_UNDO_SIZE_MAX)
                return E_INVALIDARG;
        copy = malloc(size);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, token, size);
        free(call->undo.data);
        call->undo = (struct wire_bytes){ copy, size };
        return 0;
}
