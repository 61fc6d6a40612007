/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.h - stop the service that a writer names, keep it stopped while its files are copied, and
 * put back exactly what ran before.
 *
 * With systemd, through its D-Bus interface; else through the program of [restore]
 * service_command. Which service, and when, is the caller's decision. Before anything is stopped a
 * record of it stands in the state folder: after a SIGKILL service_leftovers() of a later run finds
 * it, and service_stop() of the same service takes it over, so that a repeated restore ends with
 * the service running.
 */
#ifndef BACKUP_SERVICE_H
#define BACKUP_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "backup/restore-settings.h"
#include "vss/error.h"

struct service;

struct service_options {
        const struct restore_settings *settings;
        /* processes that must not live in the service: writers, if known. This process
         * and the service that owns the name org.vss1 are looked at in any case */
        const pid_t *processes;
        size_t processes_count;
        /* files are complete, this is a mere restart (method 8): after a SIGKILL in between
         * service_leftovers() starts it again. Without it, files may be half replaced, and the
         * service stays stopped until they have been restored again or a person decides */
        bool files_are_complete;
        /* asked while waiting; a negative return ends the stopping (SIGINT, SIGTERM) and undoes it.
         * Never asked while starting. May be NULL */
        int (*go_on)(void *userdata);
        void *userdata;
        const char *manager; /* bus address of systemd; NULL: that of this machine */
};

/* service_check() - could it be stopped? Resolves the name and changes nothing (TV-13, --plan).
 * @ret_active, which may be NULL: does it run? Errors as service_stop() */
int service_check(const char *name, const struct service_options *options, bool *ret_active,
                  struct vss_error *reterr);

/*
 * service_stop() - stop it, the sockets, paths and timers that would start it again, and what
 * systemd stops with it; returns when all that is done. @options must live until service_free()
 *
 * Return: 0, also when it does not run (nothing is stopped but what would start it); else all that
 * was stopped has been started again:
 *   E_INVALIDARG           no name of a service (R-63, SEC-36), or that of a template
 *   VSS_E_OBJECT_NOT_FOUND there is no such service
 *   VSS_E_BAD_STATE        it must not be stopped: this process or a writer lives in it, or what
 *                          is stopped could not be started again (masked)
 *   VSS_E_NOT_SUPPORTED    no systemd and no service_command
 *   -ETIMEDOUT             it does not stop; words say where to look
 *   -EBUSY                 another restore has stopped it
 *   -EIO                   it refused; what @go_on returned; other negative errno
 */
int service_stop(const char *name, const struct service_options *options, struct service **ret,
                 struct vss_error *reterr);

/* service_is_stopped() - is it stopped still? 0, or -EBUSY with words when somebody has started it
 * since. Ask right before files are put in place. */
int service_is_stopped(struct service *service, struct vss_error *reterr);

/* service_start() - start what was stopped, in no more than the time of the settings; the record
 * goes. A failure names what does not run and what to do; the rest is started. Once; then 0.
 * Before PostRestore. */
int service_start(struct service *service, struct vss_error *reterr);

/* service_free() - starts what service_start() has not been asked to. NULL */
struct service *service_free(struct service *service);

/* service_leftovers() - what runs that were killed left stopped. Told through @note, a sentence
 * each that says what to do; what was a mere restart is started, what runs again is forgotten.
 * Early in each restore, before anything is stopped. Return: number told, or negative errno */
int service_leftovers(const struct service_options *options,
                      void (*note)(void *userdata, const char *words), void *userdata,
                      struct vss_error *reterr);

#endif
