/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.h - one look at the volumes by a vss-probe, which is killed when it does not come back.
 */
#ifndef BUS_PROBE_H
#define BUS_PROBE_H

#include <systemd/sd-event.h>

#include "volume/volume.h"

struct probe;

/* probe_done_t - @code 0 and the volumes, or a failure with words. Called once, from the event
 * loop. The list is lent */
typedef void (*probe_done_t)(void *userdata, int code, const struct vss_error *error,
                             const struct volume_list *volumes);

/* probe_start() - @verb and @name as vss-probe takes them, name NULL for "list"; what is mounted
 * below one of @skip is a copy of ours */
int probe_start(sd_event *event, uint64_t deadline_us, const char *verb, const char *name,
                const char *const *skip, probe_done_t done, void *userdata,
                struct vss_error *reterr);

#endif
