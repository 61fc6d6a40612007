/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - listings that other verbs own and 'vssctl list' shows. All return exit codes.
 */
#ifndef TOOLS_VSSCTL_LIST_H
#define TOOLS_VSSCTL_LIST_H

#include <stddef.h>

struct component_key;
struct set_info;
struct unreadable_set;
struct vss_id;

int list_shadows(void);
int list_backups(const char *store);

/* struct component_list - what --component named; without one, all components and the plain files
 */
struct component_list {
        const char *items[64]; /* lent: words of the command line */
        size_t count;
};

/* struct path_listing - which paths of which backup; lists are lent */
struct path_listing {
        const char *store, *set;
        const struct component_list *components;
        const char *const *paths; /* count 0: everything */
        size_t path_count;
};
int list_paths(const struct path_listing *what);

/* print_unreadable() - a folder that should be a backup and is none; EXIT_RUNTIME */
int print_unreadable(const struct unreadable_set *set);

/* component_name() - "logical\path\name", "" for plain files; valid until the next call */
const char *component_name(const struct component_key *key);

/* component_is_named() - is @given "PATH", "WRITER-ID:PATH" or "NAME:PATH" of this component?
 * Names of writers are not kept in a set, so the last form fits the path of any */
_Bool component_is_named(const char *given, const struct component_key *key);

/* component_list_add() - exit code, after words */
int component_list_add(struct component_list *list, const char *given);
_Bool component_list_has(const struct component_list *list, const struct component_key *key);

/* short_name() - the beginning of the backup's id, by which it can be named */
const char *short_name(const struct set_info *set);

/* find_provider() - the id of a provider named by name or id; exit code, after words */
int find_provider(const char *word, struct vss_id *ret);

#endif
