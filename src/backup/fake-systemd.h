/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-systemd.h - as much of systemd's manager as a restore asks for, in a thread of a test, on a
 * socket of its own. Units are a table that the test fills and looks at while nobody asks.
 */
#ifndef BACKUP_FAKE_SYSTEMD_H
#define BACKUP_FAKE_SYSTEMD_H

#include <stdbool.h>

struct fake_unit {
        const char *name;
        const char *alias_of; /* all else is that of this unit */
        const char *load; /* NULL: "loaded" */
        bool active, was_active; /* now; fake_reset() makes the one the other */
        bool failed;
        const char *triggered_by, *required_by; /* between blanks */
        const char *group; /* control group */
        bool stop_hangs, stop_fails, start_fails;
        bool comes_back; /* is active again as soon as it was stopped */
        bool starting; /* has a job to be started, and is not */
};

/* fake_start() - serve @units, which end with a NULL name, at @path */
void fake_start(const char *path, struct fake_unit *units);
void fake_stop(void);
struct fake_unit *fake_find(const char *name);
/* fake_reset() - all units as at first, nothing logged, no jobs */
void fake_reset(void);
/* fake_log() - "stop a.socket; start a.service/replace; " and so on */
const char *fake_log(void);
/* the next job lasts until this number of milliseconds; 0 */
void fake_delay(unsigned ms);
/* as by "systemctl daemon-reexec": connections end once, when the next job begins */
void fake_reexec(void);

#endif
