/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lists.h - the state folder: page hash lists that later backups are compared with, and what one
 * backup keeps there while it runs.
 *
 *   KEY-ID.pages       a list of component KEY that BackupComplete has confirmed
 *   KEY-ID.pages.new   one that waits for that; KEY-ID.ranges: a ranges file (I-128)
 *
 * The last two are locked (flock) by the process whose backup they belong to, so that what a dead
 * one left can be told from what a living one needs.
 */
#ifndef WRITERS_SQLITE_LISTS_H
#define WRITERS_SQLITE_LISTS_H

#include "sqlite/database.h"
#include "sqlite/pages.h"

/* lists_key() - KEY of a component: the same for the same names, fit for a file name */
int lists_key(const char *logical_path, const char *component, char ret[LISTS_KEY_SIZE]);

/* lists_make_folder() - @state, where all of it is kept
 * Return: 0 or negative errno */
int lists_make_folder(const char *state);

/* lists_begin() - a new list, lists_begin_ranges() a ranges file; empty, to be written to ret->fd
 * Return: 0 or negative errno */
int lists_begin(const char *state, const char *key, struct kept_file *ret);
int lists_begin_ranges(const char *state, const char *key, struct kept_file *ret);

/* lists_drop() - nobody needs it; harmless on an empty one */
void lists_drop(const char *state, struct kept_file *file);

/* lists_confirm() - from now on the list counts, and the clone, if there is one, belongs to it.
 * Return: 0 or negative errno, then both are gone */
int lists_confirm(const char *state, struct kept_file *file, struct clone *clone);

/* lists_open() - a confirmed list by its name
 * Return: 0, -ENOENT, -EBADMSG damaged, E_INVALIDARG when the name is not one of component @key */
int lists_open(const char *state, const char *key, const char *name, struct pages_list *ret);

/* lists_remove() - a confirmed list that another one stands for now */
void lists_remove(const char *state, const char *name);

/* lists_prune() - of the lists of component @key only the newest @keep of full backups stay, and
 * the newest @keep of incremental ones: each of them is the end of a chain. Only the newest of all
 * and the newest full one keep their clones: those are what a next backup mostly builds on */
void lists_prune(const char *state, const char *key, uint32_t keep);

/* lists_tidy() - what processes left that died, and lists of databases that are gone for a month */
void lists_tidy(const char *state);

/* lists_forget_restored() - a ranges file that a restore has put back and nobody needs any more */
void lists_forget_restored(const char *state, const char *path);

#endif
