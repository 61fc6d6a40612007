/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-systemd.h - talking to systemd: questions about units, jobs and waiting for them. For
 * service-systemd.c only.
 */
#ifndef BACKUP_SERVICE_SYSTEMD_H
#define BACKUP_SERVICE_SYSTEMD_H

#include "backup/service-inside.h"

struct systemd;

extern const struct service_manager_ops systemd_ops;

struct systemd *systemd_of(struct service_manager *m);
void systemd_close(struct service_manager *m);
/* systemd_is_lost() - the connection broke, and there is no other */
bool systemd_is_lost(const struct systemd *s);

/* systemd_load() - the object of a unit, loaded if need be; the caller frees *ret */
int systemd_load(struct systemd *s, const char *unit, char **ret, struct vss_error *reterr);
/* a property of any unit; the caller frees *ret */
int systemd_get(struct systemd *s, const char *path, const char *property, char **ret,
                struct vss_error *reterr);
/* a list; a property that this systemd does not have is empty. *ret is appended to */
int systemd_get_names(struct systemd *s, const char *path, const char *property, struct names *ret,
                      struct vss_error *reterr);
/* what its job, if it has one, is to do: "start", "stop" ..., "" without; the caller frees *ret */
int systemd_job_type(struct systemd *s, const char *path, char **ret, struct vss_error *reterr);

/* systemd_refuse_inhabited() - VSS_E_BAD_STATE when a process that must survive lives in the unit
 * at @path, which is stopped with @service */
int systemd_refuse_inhabited(struct systemd *s, const char *path, const char *service,
                             struct vss_error *reterr);

/* systemd_queue() - "StartUnit" or "StopUnit"; systemd_wait() tells how it ended */
int systemd_queue(struct systemd *s, const char *call, const char *unit, const char *mode,
                  struct vss_error *reterr);
/* systemd_wait() - for all jobs that were queued. @stopping: go_on is asked. 0, -ETIMEDOUT, -EIO
 * for a job that failed, what go_on returned */
int systemd_wait(struct systemd *s, bool stopping, uint64_t deadline_us, struct vss_error *reterr);
/* systemd_forget_jobs() - nobody waits for them any more */
void systemd_forget_jobs(struct systemd *s);

#endif
