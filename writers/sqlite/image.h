/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.h - what one backup carries of a database: all of it, or only the pages that are not what
 * they were in the backup before; and what a restore has to give again.
 *
 * The stamp, "sqlite-pages:2:LIST:DIGEST:LOG": the page hash list of this backup and its digest,
 * "-" where there is none; how many bytes of a write-ahead log a restore of this backup brings.
 *
 * The proof, in the backup metadata: "sqlite-image:1:PAGE SIZE:SIZE:DIGEST:LOG", where LOG is
 * "none" or SIZE:SHA-256 of the log beside the database.
 */
#ifndef WRITERS_SQLITE_IMAGE_H
#define WRITERS_SQLITE_IMAGE_H

#include "sqlite/database.h"
#include "sqlite/pages.h"
#include "vss/writer.h"

/* image_schema() - what backups there are: increments only with page hash lists (W-12) */
uint32_t image_schema(const struct config *config);

/*
 * image_describe() - look at @copy, the shadow copy of the database, and tell the component: stamp,
 * proof, partial file. What has to be said to the operator is a message of the component, without a
 * failure (I-159); the database fails only where a restore would mix files of two times. What is
 * not hashed at @end_us (util_now_us()) goes whole.
 */
void image_describe(const struct config *config, const struct vss_writer *writer,
                    struct database *database, struct vss_component *component, const char *copy,
                    uint64_t end_us);

/* image_saved() - the backup is published: its list counts from now on, and others go.
 * image_lost() - it is not, and will never be a base (I-149); harmless twice */
void image_saved(const struct config *config, struct database *database);
void image_lost(const struct config *config, struct database *database);

/* image_stands_there() - is the database at @path exactly the base that the ranges of this
 * component are to be written into? Then it must not be opened, which would change it */
bool image_stands_there(const char *path, const struct vss_component *component);

/*
 * image_prove() - is the restored database at @path, with its log, byte for byte what the shadow
 * copy was? A log that an earlier image of the chain left is set aside first.
 *
 * Return: 0, also when the backup has no proof; VSS_E_WRITERERROR_NONRETRYABLE with words
 */
int image_prove(const struct config *config, const char *path,
                const struct vss_component *component, struct vss_error *reterr);

#endif
