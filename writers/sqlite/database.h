/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * database.h - what is told of databases in the settings file, and what is there on the disk.
 *
 * Nothing in here opens a database: closing any descriptor of it, other than through SQLite, would
 * drop the POSIX locks that a hold of this very process depends on, and identify may come in the
 * middle of a hold (B-74).
 */
#ifndef WRITERS_SQLITE_DATABASE_H
#define WRITERS_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "common/util.h"
#include "sqlite/clones.h"

struct config_section {
        char *name, *caption;
        char **paths;
        size_t path_count;
        bool selectable, selectable_for_restore;
        bool through; /* a restore goes through SQLite, programs may have it open */
};

enum copy_check { CHECK_OPEN, CHECK_QUICK, CHECK_INTEGRITY, CHECK_NONE, CHECK_AUTO };

struct config {
        struct config_section *sections;
        size_t section_count;
        char *state; /* folder of the page hash lists */
        char *restore_dir; /* where restored databases wait, see stage.h */
        uint32_t freeze_wait_ms, restore_wait_ms;
        enum copy_check copy_check, restore_check;
        bool page_hashes, page_clones;
        uint32_t hash_time_ms;
        uint32_t keep_lists;
};

void config_init(struct config *config);
void config_done(struct config *config);
int config_set(struct config *config, const char *section, const char *key, const char *value,
               struct vss_error *reterr);
int config_check(const struct config *config, struct vss_error *reterr);

/* what pre_restore sets aside is called "FILE.before-restore-wal" and so on */
#define BEFORE_RESTORE ".before-restore-"

/* A file in the state folder that belongs to one running backup; see lists.h. */
struct kept_file {
        char *name; /* NULL: none */
        int fd;
};
#define KEPT_NOTHING ((struct kept_file){ NULL, -1 })

enum { LISTS_KEY_SIZE = 33 };

/* One database. The upper half is found on the disk, the lower is of one backup. */
struct database {
        const struct config_section *section;
        char *path; /* without symbolic links, when it exists */
        char *directory, *name; /* of path; lent to file sets */
        char *logical_path; /* NULL: root */
        char *component;
        bool unspeakable; /* '*' or '?' in its name: no file set names this file alone */

        bool selected;
        bool wal;
        bool began; /* our transaction holds its writers */
        bool read_only;
        sqlite3 *connection;
        int failure; /* 0 none */
        int sqlite_code;
        char *message; /* words for failure, fit for a message */
        bool told, in_document; /* failure, to the requester */
        struct kept_file list, ranges; /* of this backup */
        struct clone clone; /* of what the list was made of */
        char *superseded; /* list of the base, when this backup's list takes its place */
};

struct databases {
        struct database *items;
        size_t count;
};

/*
 * databases_list() - what the settings mean at this moment, always in the same order (D-4)
 *
 * A database is listed once: by the first line that names it, plain names before patterns.
 * Return: 0, -ENOMEM
 */
int databases_list(const struct config *config, struct databases *ret);

/* databases_add_absent() - before a restore: a database that a pattern would find if it were there
 * is added to the list. Return: 0, -ENOMEM */
int databases_add_absent(const struct config *config, const char *logical_path,
                         const char *component, struct databases *databases);
void databases_done(struct databases *databases);

/* databases_find() - the one of this component, NULL when there is none */
struct database *databases_find(const struct databases *databases, const char *logical_path,
                                const char *component);

/* database_fail() - remember why this one is not part of the backup; the first reason stays */
void database_fail(struct database *database, int code, int sqlite_code, const char *format, ...)
        VSS_PRINTF(4, 5);

/* database_sidecar() - "/dir/name" and "-wal" give the path of the file beside it; free it */
char *database_sidecar(const char *path, const char *suffix);

#endif
