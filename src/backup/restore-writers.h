/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-writers.h - the writers' side of a restore into place: PreRestore before the first file
 * of a component is touched, PostRestore after the last, always both.
 *
 * One object serves one operation of a backup set, whose documents it was made from. A component
 * whose writer does not run now, or does not want to hear of restores, is put back without it
 * one whose writer refuses is not touched.
 */
#ifndef BACKUP_RESTORE_WRITERS_H
#define BACKUP_RESTORE_WRITERS_H

#include "backup/engine.h"
#include "backup/restore-plan.h"
#include "backup/restore-wishes.h"

struct restore_writers;

struct restore_writers_watch {
        void *userdata;
        const struct restore_wishes *wishes; /* for each component selected; NULL: none */
        void (*note)(void *userdata, const char *words);
};

/* restore_writers_open() - connect, load the operation's document, ask who runs
 * Return: 0, or negative with words: then nothing should be restored into place */
int restore_writers_open(struct store *store, const struct set_info *set, uint32_t operation,
                         const char *config_dir, const struct restore_writers_watch *watch,
                         struct restore_writers **ret, struct vss_error *reterr);

/* restore_writers_metadata() - what the component's writer declared, as stored with the backup,
 * lent; NULL with words when that cannot be read */
const struct vss_examine_writer_metadata *restore_writers_metadata(const struct restore_writers *rw,
                                                                   const struct component_key *key,
                                                                   struct vss_error *reterr);

/* restore_writers_select() - this component will be restored; one whose writer's document
 * forbids that (restore_plan_check()) is not
 * @more: other images follow this one (I-186) */
int restore_writers_select(struct restore_writers *rw, const struct component_key *key, bool more,
                           struct vss_error *reterr);
/* restore_writers_is_told() - does its writer take part? */
bool restore_writers_is_told(const struct restore_writers *rw, const struct component_key *key);

/* restore_writers_ranges_file() - the path of the @index-th ranges file that the component's
 * entries name, lent; NULL: no more. One file may be named twice */
const char *restore_writers_ranges_file(struct restore_writers *rw, const struct component_key *key,
                                        size_t index);

/* restore_writers_begin() - PreRestore; from here on restore_writers_end() must follow */
int restore_writers_begin(struct restore_writers *rw, struct vss_error *reterr);

/* restore_writers_process() - the @index-th process of writers that are programs of their own; 0:
 * no more. After restore_writers_begin() */
pid_t restore_writers_process(struct restore_writers *rw, size_t index);

/* restore_writers_component() - as it is in the document now, lent until the next event;
 * NULL when it is not there */
const struct vss_component *restore_writers_component(struct restore_writers *rw,
                                                      const struct component_key *key);

/* restore_writers_check() - may the component be put into place now?
 * Return: 0, or negative with the writer's words */
int restore_writers_check(struct restore_writers *rw, const struct component_key *key,
                          struct vss_error *reterr);

/* restore_writers_result() - how it went: enum vss_file_restore_status */
void restore_writers_result(struct restore_writers *rw, const struct component_key *key,
                            uint32_t status);

/* restore_writers_record() - what was put is where @plan says: mappings, if it is @all of the set
 * ranges files. @deferred: or will be at the next boot */
int restore_writers_record(struct restore_writers *rw, const struct component_key *key,
                           struct restore_plan *plan, bool all, bool deferred,
                           struct vss_error *reterr);

/* restore_writers_end() - PostRestore; negative with words when it could not be sent */
int restore_writers_end(struct restore_writers *rw, struct vss_error *reterr);
/* restore_writers_accepted() - after the end: 0, or negative with words when the component's writer
 * failed or is not content with what was restored */
int restore_writers_accepted(struct restore_writers *rw, const struct component_key *key,
                             struct vss_error *reterr);
struct restore_writers *restore_writers_free(struct restore_writers *rw);

#endif
