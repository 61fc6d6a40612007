/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - remove a tree of any depth with three descriptors and no recursion.
 */
#ifndef PROVIDERS_TREE_H
#define PROVIDERS_TREE_H

/*
 * tree_remove() - unlink @name in @at and all below it; -ENOENT is success
 * @at:     folder that holds it
 * @trash:  private folder on the same file system. Directories are moved into it before they are
 *          emptied, which takes the depth out of the tree; what a killed process leaves lies there
 *
 * Follows no link and leaves no file system: what is mounted inside cannot be moved (EBUSY).
 */
int tree_remove(int at, const char *name, int trash);

/* tree_empty() - unlink all that is in @trash */
int tree_empty(int trash);

#endif
