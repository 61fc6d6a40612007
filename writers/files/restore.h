/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.h - programs of the administrator's around a restore into place: one that takes the
 * application off its files, one that brings it back. Nothing of where the files go.
 */
#ifndef WRITERS_FILES_RESTORE_H
#define WRITERS_FILES_RESTORE_H

#include "common/tree.h"

struct restore_programs {
        char *pre, *post;
        uint32_t timeout_ms;
};

void restore_init(struct restore_programs *programs);
void restore_done(struct restore_programs *programs);

/* restore_configure() - one setting of [hooks]
 * Return: 1 taken, 0 not a key of this room, E_INVALIDARG with words, -ENOMEM */
int restore_configure(struct restore_programs *programs, const char *key, const char *value,
                      struct vss_error *reterr);

/* restore_check() - when all settings are there; lets @tree ask for the events that the programs
 * need, unless its settings say otherwise. Return: 0, or a code with words */
int restore_check(const struct restore_programs *programs, struct tree *tree,
                  struct vss_error *reterr);

/*
 * restore_begin(), restore_end() - PreRestore and PostRestore
 *
 * Concerned are the components that are restored to where they live; with nothing but new targets
 * no program runs, since the application is not concerned. While more images of a chain
 * follow for one of them the application stays off.
 *
 * Return: 0; what a program failed at is told on the components
 */
int restore_begin(const struct restore_programs *programs, struct vss_writer *writer,
                  struct vss_writer_components *components, struct vss_error *reterr);
int restore_end(const struct restore_programs *programs, struct vss_writer *writer,
                struct vss_writer_components *components, struct vss_error *reterr);

#endif
