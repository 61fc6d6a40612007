/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-record.h - what was stopped for a restore, written before it is: one file for each
 * service in <state_dir>/stopped, which bears its name. It is not locked but names the process that
 * wrote it. Knows no service manager: at boot there is none yet.
 */
#ifndef BACKUP_SERVICE_RECORD_H
#define BACKUP_SERVICE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backup/restore-settings.h"
#include "base/process.h"
#include "vss/error.h"

struct names {
        char **items;
        size_t count, capacity;
};

/* names_add() - unless it is there; 0 or -ENOMEM */
int names_add(struct names *names, const char *name);
bool names_have(const struct names *names, const char *name);
void names_done(struct names *names);

struct service_record {
        char *service;
        char boot[BOOT_IDENTITY_SIZE];
        pid_t pid; /* who stopped it */
        unsigned long long started; /* and since when that runs */
        bool files_are_complete;
        struct names again; /* what is to be started, in that order */
};

void service_record_done(struct service_record *record);

/* service_record_is_mine(), _is_alive() - was it written by this process; by one that runs still?
 */
bool service_record_is_mine(const struct service_record *record);
bool service_record_is_alive(const struct service_record *record);
/* of this boot? */
bool service_record_is_current(const struct service_record *record);

/* service_record_put() - on disk when it returns. What a dead process recorded of the same service
 * is added to @record->again, and to the file. -EBUSY with words when a living one has stopped it
 */
int service_record_put(const struct restore_settings *settings, struct service_record *record,
                       struct vss_error *reterr);
/* service_record_remove() - 0 also when there is none; negative errno */
int service_record_remove(const struct restore_settings *settings, const char *service);

/* service_records() - all that can be read; others are left alone. Negative errno, what @each
 * returned below zero */
int service_records(const struct restore_settings *settings,
                    int (*each)(void *userdata, const struct service_record *record),
                    void *userdata, struct vss_error *reterr);

/* service_records_at_boot() - those of former boots: each is told, a sentence, and forgotten */
int service_records_at_boot(const struct restore_settings *settings,
                            void (*note)(void *userdata, const char *words), void *userdata,
                            struct vss_error *reterr);

#endif
