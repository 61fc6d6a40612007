/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-settings.h - what a restore reads from vss.conf and vss.conf.d: section [restore], and
 * the folders of [service]. vssd accepts these keys and does not use them.
 *
 * What cannot be understood becomes a warning, and the default holds (CFG-3). A file that others
 * may write is not read at all (CFG-2).
 */
#ifndef BACKUP_RESTORE_SETTINGS_H
#define BACKUP_RESTORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vss/error.h"

struct restore_settings {
        char *state_dir, *runtime_dir;
        char *pending_dir; /* journal of files that wait for the next boot (CFG-21) */
        const char *own[2]; /* the last two: no restore of a running system replaces them */
        char **protected_paths; /* replaced at boot only with permission (CFG-22) */
        size_t protected_count, protected_capacity;
        char *service_command; /* NULL: services are stopped and started by systemd */
        uint64_t service_timeout_us; /* for a service to stop, and to start */
        bool rename_in_use; /* inuse_policy = rename */
        char **warnings;
        size_t warnings_count, warnings_capacity;
};

/* restore_settings_read() - @config_dir NULL: the installed one; it need not exist. Release with
 * restore_settings_done(), also after a failure
 *
 * Return: 0, -ENOMEM, or -ENOENT when no place for the records is known (words say what to set) */
int restore_settings_read(struct restore_settings *ret, const char *config_dir,
                          struct vss_error *reterr);
void restore_settings_done(struct restore_settings *settings);

#endif
