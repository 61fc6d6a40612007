/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-services.h - the services that a restore keeps stopped, one of each name, however many
 * components and images need it. When is the caller's decision; how is service.h's.
 */
#ifndef BACKUP_RESTORE_SERVICES_H
#define BACKUP_RESTORE_SERVICES_H

#include "backup/service.h"
#include "vss/types.h"

struct held_service {
        char *name;
        struct vss_id writer; /* whose restore it is stopped for; of several the last one */
        struct service *service;
};

/* @trouble: a service does not run as it should; words say what to do. @go_on as in service.h */
struct restore_services {
        const struct restore_settings *settings;
        void *userdata;
        void (*trouble)(void *userdata, const struct vss_error *error);
        int (*go_on)(void *userdata);
        struct service_options options;
        pid_t *processes; /* writers that are programs of their own; _done() frees them */
        size_t processes_count, processes_capacity;
        struct held_service *items;
        size_t count, capacity;
};

/* restore_services_stop() - 0, also when it was stopped before; negative with words. ->processes
 * must not live in it */
int restore_services_stop(struct restore_services *services, const char *name,
                          const struct vss_id *writer, struct vss_error *reterr);

/* restore_services_start() - all of which @is_needed says no; NULL: all */
void restore_services_start(struct restore_services *services,
                            bool (*is_needed)(void *userdata, const struct vss_id *writer),
                            void *userdata);

/* restore_services_restart() - stop and start (method 8): the files are complete */
void restore_services_restart(struct restore_services *services, const char *name);

/* restore_services_done() - what is stopped still is started */
void restore_services_done(struct restore_services *services);

#endif
