/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - listings that other verbs own and 'vssctl list' shows. All return exit codes.
 */
#ifndef TOOLS_VSSCTL_LIST_H
#define TOOLS_VSSCTL_LIST_H

int list_shadows(void);
int list_backups(const char *store);

#endif
