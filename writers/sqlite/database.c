/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "sqlite/database.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vss/documents.h"

char *database_sidecar(const char *path, const char *suffix) {
        char *beside;

        return asprintf(&beside, "%s%s", path, suffix) < 0 ? NULL : beside;
}

void database_fail(struct database *database, int code, int sqlite_code, const char *format, ...) {
        va_list arguments;

        if (database->failure)
                return;
        database->failure = code;
        database->sqlite_code = sqlite_code;
        va_start(arguments, format);
        if (vasprintf(&database->message, format, arguments) < 0)
                database->message = NULL;
        va_end(arguments);
        if (database->message)
                util_printable(database->message);
}

static void database_done(struct database *database) {
        (void)sqlite3_close_v2(database->connection);
        free(database->path);
        free(database->directory);
        free(database->name);
        free(database->logical_path);
        free(database->component);
        free(database->message);
        util_closep(&database->list.fd);
        util_closep(&database->ranges.fd);
        clone_done(&database->clone);
        free(database->list.name);
        free(database->ranges.name);
        free(database->superseded);
}

void databases_done(struct databases *databases) {
        for (size_t i = 0; i < databases->count; i++)
                database_done(&databases->items[i]);
        free(databases->items);
        memset(databases, 0, sizeof(*databases));
}

struct database *databases_find(const struct databases *databases, const char *logical_path,
                                const char *component) {
        for (size_t i = 0; i < databases->count; i++) {
                struct database *database = &databases->items[i];

                if (strcmp(database->component, component) == 0 &&
                    strcmp(database->logical_path ? database->logical_path : "",
                           logical_path ? logical_path : "") == 0)
                        return database;
        }
        return NULL;
}

static bool is_listed(const struct databases *databases, const char *path) {
        for (size_t i = 0; i < databases->count; i++)
                if (strcmp(databases->items[i].path, path) == 0)
                        return true;
        return false;
}

static bool name_taken(const struct databases *databases, const struct config_section *section,
                       const char *component) {
        for (size_t i = 0; i < databases->count; i++)
                if (databases->items[i].section == section &&
                    strcmp(databases->items[i].component, component) == 0)
                        return true;
        return false;
}

/* A component's name is text, without the separator of logical paths (M-34). */
static char *component_name(const struct databases *databases, const struct config_section *section,
                            const struct database *database) {
        const char *from =
                name_taken(databases, section, database->name) ? database->path : database->name;
        char *name = malloc(strlen(from) * 3 + 1), *out = name;

        while (name && *from) {
                size_t n = *from == '\\' || *from == '%' ? 0 : util_character(from);

                if (n == 0)
                        out += sprintf(out, "%%%02X", (unsigned)(unsigned char)*from++);
                else
                        out = mempcpy(out, from, n);
                from += n;
        }
        if (name)
                *out = '\0';
        return name;
}

/* "one plain path" is the component NAME itself; what more lines or a pattern bring lies below */
static int name_component(const struct databases *databases, struct database *database) {
        const struct config_section *section = database->section;

        if (section->path_count == 1 && !strpbrk(section->paths[0], "*?")) {
                database->component = strdup(section->name);
                return database->component ? 0 : -ENOMEM;
        }
        database->logical_path = strdup(section->name);
        database->component = component_name(databases, section, database);
        return database->logical_path && database->component ? 0 : -ENOMEM;
}

static int add(struct databases *databases, const struct config_section *section,
               const char *path) {
        _cleanup_free_ char *real = realpath(path, NULL);
        struct database *database;
        const char *slash;
        int r = 0;

        if (!real)
                real = strdup(path); /* missing; it fails with words in prepare_backup */
        if (!real)
                return -ENOMEM;
        if (is_listed(databases, real))
                return 0;
        if (GROW(&databases->items, databases->count) < 0)
                return -ENOMEM;
        database = &databases->items[databases->count];
        memset(database, 0, sizeof(*database));
        database->list = database->ranges = KEPT_NOTHING;
        database->clone = CLONE_NOTHING;
        database->section = section;
        slash = strrchr(real, '/');
        database->directory = slash == real ? strdup("/") : strndup(real, (size_t)(slash - real));
        database->name = strdup(slash + 1);
        database->path = real;
        real = NULL;
        if (!database->directory || !database->name)
                r = -ENOMEM;
        database->unspeakable = database->name && strpbrk(database->name, "*?");
        if (r >= 0)
                r = name_component(databases, database);
        if (r < 0) {
                database_done(database);
                return r;
        }
        databases->count++;
        return 0;
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n > m && strcmp(text + n - m, end) == 0;
}

/* a file that belongs to the database beside it, not a database */
static bool is_sidecar(const char *path) {
        static const char *const ends[] = { "-wal", "-shm", "-journal" };
        char main_file[PATH_MAX];
        struct stat st;

        if (strstr(path, BEFORE_RESTORE))
                return true;
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (ends_with(path, ends[i])) {
                        (void)snprintf(main_file, sizeof(main_file), "%.*s",
                                       (int)(strlen(path) - strlen(ends[i])), path);
                        if (stat(main_file, &st) == 0)
                                return true;
                }
        return false;
}

/* like alphasort(), but the same in every locale */
static int by_bytes(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_matches(struct databases *databases, const struct config_section *section,
                       const char *pattern) {
        const char *slash = strrchr(pattern, '/');
        _cleanup_free_ char *directory =
                slash == pattern ? strdup("/") : strndup(pattern, (size_t)(slash - pattern));
        struct dirent **entries;
        struct stat st;
        int count, r = 0;

        if (!directory)
                return -ENOMEM;
        count = scandir(directory, &entries, NULL, by_bytes);
        if (count < 0)
                return errno == ENOMEM ? -ENOMEM : 0;
        for (int i = 0; i < count; i++) {
                _cleanup_free_ char *path = util_join(directory, entries[i]->d_name);

                if (!path)
                        r = -ENOMEM;
                if (r >= 0 && vss_filespec_matches(slash + 1, entries[i]->d_name) &&
                    stat(path, &st) == 0 && S_ISREG(st.st_mode) && !is_sidecar(path))
                        r = add(databases, section, path);
                free(entries[i]);
        }
        free(entries);
        return r;
}

/* undo component_name(): "%5C" is a backslash again */
static char *decode(const char *component) {
        char *text = malloc(strlen(component) + 1), *out = text;

        for (; text && *component; component++) {
                unsigned byte;

                if (*component == '%' && sscanf(component + 1, "%2x", &byte) == 1) {
                        *out++ = (char)byte;
                        component += 2;
                } else {
                        *out++ = *component;
                }
        }
        if (text)
                *out = '\0';
        return text;
}

static int add_absent_of(const struct config_section *section, const char *name,
                         struct databases *databases) {
        const char *slash;
        int r = 0;

        if (*name == '/')
                return add(databases, section, name);
        for (size_t i = 0; r >= 0 && i < section->path_count; i++) {
                _cleanup_free_ char *directory = NULL, *path = NULL;

                slash = strrchr(section->paths[i], '/');
                directory = strndup(section->paths[i], (size_t)(slash - section->paths[i]));
                path = directory ? util_join(directory, name) : NULL;
                if (!path)
                        return -ENOMEM;
                if (vss_filespec_matches(slash + 1, name))
                        r = add(databases, section, path);
        }
        return r;
}

int databases_add_absent(const struct config *config, const char *logical_path,
                         const char *component, struct databases *databases) {
        _cleanup_free_ char *name = NULL;

        if (!logical_path || databases_find(databases, logical_path, component))
                return 0;
        name = decode(component);
        if (!name)
                return -ENOMEM;
        for (size_t i = 0; i < config->section_count; i++)
                if (strcmp(config->sections[i].name, logical_path) == 0)
                        return add_absent_of(&config->sections[i], name, databases);
        return 0;
}

int databases_list(const struct config *config, struct databases *ret) {
        struct databases databases = { NULL, 0 };
        int r = 0;

        for (unsigned patterns = 0; patterns < 2; patterns++)
                for (size_t i = 0; i < config->section_count; i++)
                        for (size_t j = 0; j < config->sections[i].path_count; j++) {
                                const char *path = config->sections[i].paths[j];

                                if (r < 0 || (strpbrk(path, "*?") != NULL) != patterns)
                                        continue;
                                r = patterns ? add_matches(&databases, &config->sections[i], path)
                                             : add(&databases, &config->sections[i], path);
                        }
        if (r < 0) {
                databases_done(&databases);
                return r;
        }
        *ret = databases;
        return 0;
}
