/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - where the parts of an installation lie, and of one that was only built.
 *
 * The object that holds this code (a program of ours, or libvss) looks beside itself for the file
 * "vss-uninstalled", which only a build folder has; then programs and plug-ins are taken from
 * there. Otherwise the places chosen at configure time hold. The environment never decides which
 * code runs.
 */
#ifndef BASE_LAYOUT_H
#define BASE_LAYOUT_H

/* layout_program() - path of "vssd", "vss-host", "vss-hold", "vss-probe"; the caller frees it */
char *layout_program(const char *name);

/* layout_plugin_dir() - folder of plug-ins, @kind is "providers" or "writers" */
char *layout_plugin_dir(const char *kind);

/* layout_config_dir() - /etc/vss as configured */
const char *layout_config_dir(void);

/* layout_state_dir(), layout_runtime_dir() - as root /var/lib/vss and /run/vss, as a user the
 * user's XDG folders; the caller frees it, NULL when out of memory or no such folder is known */
char *layout_state_dir(void);
char *layout_runtime_dir(void);

#endif
