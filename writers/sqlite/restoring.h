/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restoring.h - PreRestore and PostRestore: where the requester is to put each database, and what
 * becomes of it there.
 *
 *   restore = replace         where it lives; refused while somebody has it open
 *   restore = through         into the stage (stage.h) by the alternate location mapping, and from
 *                             there through SQLite into the file that programs may have open
 *   under another name        into the stage, and from there to its name
 *   to a new place            where the requester says
 *
 * Each is proved and checked where it lies, after the last image of a chain only.
 */
#ifndef WRITERS_SQLITE_RESTORING_H
#define WRITERS_SQLITE_RESTORING_H

#include "sqlite/database.h"
#include "vss/writer.h"

/* restoring_add_mappings() - in identify: into the stage (M-20) */
int restoring_add_mappings(const struct config *config, struct vss_create_writer_metadata *metadata,
                           const struct database *database, struct vss_error *reterr);

/*
 * restoring_event() - either event; what fails is told on its component
 * @is_held:  does a backup have a connection to the database at this path?
 *
 * Return: 0, -ENOMEM
 */
int restoring_event(const struct config *config, struct vss_writer *writer,
                    struct vss_writer_components *components, bool before,
                    bool (*is_held)(const char *path));

/* restoring_forget() - in unload */
void restoring_forget(void);

#endif
