/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-services.c - see restore-services.h.
 */
#define _GNU_SOURCE
#include "backup/restore-services.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"

static struct service_options options_of(struct restore_services *services, bool complete) {
        return (struct service_options){ .settings = services->settings,
                                         .processes = services->processes,
                                         .processes_count = services->processes_count,
                                         .files_are_complete = complete,
                                         .go_on = services->go_on,
                                         .userdata = services->userdata };
}

int restore_services_stop(struct restore_services *services, const char *name,
                          const struct vss_id *writer, struct vss_error *reterr) {
        struct held_service *held;
        int r;

        for (size_t i = 0; i < services->count; i++)
                if (strcmp(services->items[i].name, name) == 0) {
                        services->items[i].writer = *writer;
                        return service_is_stopped(services->items[i].service, reterr);
                }
        if (ARRAY_RESERVE(&services->items, services->count, &services->capacity) < 0)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        held = &services->items[services->count];
        *held = (struct held_service){ .name = strdup(name), .writer = *writer };
        if (!held->name)
                return vss_fail(reterr, -ENOMEM, "out of memory");
        services->options = options_of(services, false);
        r = service_stop(name, &services->options, &held->service, reterr);
        if (r < 0)
                free(held->name);
        else
                services->count++;
        return r;
}

static void start(struct restore_services *services, struct held_service *held) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (service_start(held->service, &error) < 0)
                services->trouble(services->userdata, &error);
        service_free(held->service);
        free(held->name);
}

void restore_services_start(struct restore_services *services,
                            bool (*is_needed)(void *userdata, const struct vss_id *writer),
                            void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < services->count; i++)
                if (is_needed && is_needed(userdata, &services->items[i].writer))
                        services->items[kept++] = services->items[i];
                else
                        start(services, &services->items[i]);
        services->count = kept;
}

void restore_services_restart(struct restore_services *services, const char *name) {
        const struct service_options options = options_of(services, true);
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct service *service = NULL;
        int r = service_stop(name, &options, &service, &error);

        if (r >= 0)
                r = service_start(service, &error);
        if (r < 0)
                services->trouble(services->userdata, &error);
        service_free(service);
}

void restore_services_done(struct restore_services *services) {
        restore_services_start(services, NULL, NULL);
        free(services->items);
        free(services->processes);
        *services = (struct restore_services){ 0 };
}
