/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-inside.h - the two ways of stopping a service, behind one struct. service.c decides what
 * happens in which order; service-systemd.c and service-command.c do it.
 */
#ifndef BACKUP_SERVICE_INSIDE_H
#define BACKUP_SERVICE_INSIDE_H

#include "backup/service-record.h"
#include "backup/service.h"

/* struct service_look - a service as it was found
 * @id:    what it is called really, and its record
 * @stop:  what must be stopped, in that order; empty when nothing of it runs
 * @again: what runs of that and of what is stopped with it, in the order of starting
 * @active: the service itself runs
 */
struct service_look {
        char *id;
        struct names stop, again;
        bool active;
};

void service_look_done(struct service_look *look);

struct service_manager;

struct service_manager_ops {
        /* resolve @name; errors of service_stop() that change nothing */
        int (*look)(struct service_manager *m, const char *name, struct service_look *ret,
                    struct vss_error *reterr);
        /* all of @look->stop, until @deadline_us; asks go_on meanwhile */
        int (*stop)(struct service_manager *m, const struct service_look *look,
                    uint64_t deadline_us, struct vss_error *reterr);
        /* those of @names that do not run; goes on after a failure. @ret_settled: each has been
         * started or has failed to, nothing more will come of it */
        int (*start)(struct service_manager *m, const struct names *names, uint64_t deadline_us,
                     bool *ret_settled, struct vss_error *reterr);
        /* 1 it runs, 0 it does not, negative */
        int (*is_active)(struct service_manager *m, const char *name, struct vss_error *reterr);
        /* for a person: what starts @names; the caller frees it */
        char *(*command_line)(struct service_manager *m, const struct names *names);
        void (*close)(struct service_manager *m);
};

/* the first member of what a manager is */
struct service_manager {
        const struct service_manager_ops *ops;
        const struct service_options *options;
};

/* VSS_E_NOT_SUPPORTED when this machine has none */
int systemd_open(const struct service_options *options, struct service_manager **ret,
                 struct vss_error *reterr);
int command_open(const struct service_options *options, struct service_manager **ret,
                 struct vss_error *reterr);

/* service_name_is_good() - R-63, SEC-36 */
bool service_name_is_good(const char *name);

/* service_join() - "a b c"; the caller frees it, NULL when out of memory */
char *service_join(const char *first, const struct names *names);

#endif
