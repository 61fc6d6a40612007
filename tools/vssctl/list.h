/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - listings that other verbs own and 'vssctl list' shows. All return exit codes.
 */
#ifndef TOOLS_VSSCTL_LIST_H
#define TOOLS_VSSCTL_LIST_H

struct vss_id;

int list_shadows(void);
int list_backups(const char *store);

/* find_provider() - the id of a provider named by name or id; exit code, after words */
int find_provider(const char *word, struct vss_id *ret);

#endif
