/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * not-to-backup.c - see not-to-backup.h. Reads and matches; who asks for which file is not known
 * here.
 */
#define _GNU_SOURCE
#include "backup/not-to-backup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/layout.h"

#define EVERY_VOLUME "$AllVolumes$"
#define FILE_MAX_SIZE (1 << 20)

struct entry {
        char *folder; /* "" is the root */
        char *name; /* a pattern */
        bool recursive, every_volume;
};

struct not_to_backup {
        struct entry *entries;
        size_t count, capacity;
};

/* A file while it is read. */
struct reading {
        struct not_to_backup *list;
        struct selection *notes;
        const char *path, *by; /* the file; who leaves out: "'FILE'", "writer 'NAME'" */
        bool told, applies;
        bool restoring;
        unsigned line;
};

DEFINE_CLEANUP(struct not_to_backup *, not_to_backup_free)

struct not_to_backup *not_to_backup_free(struct not_to_backup *list) {
        if (!list)
                return NULL;
        for (size_t i = 0; i < list->count; i++) {
                free(list->entries[i].folder);
                free(list->entries[i].name);
        }
        free(list->entries);
        free(list);
        return NULL;
}

static void complain(const struct reading *r, const char *words) {
        if (!r->told)
                selection_note(r->notes, "'%s', line %u: %s; the line is ignored", r->path, r->line,
                               words);
}

static bool writer_is_present(const struct selection *selection, const char *name) {
        for (size_t i = 0; i < selection->writer_count; i++)
                if (strcmp(selection->writers[i].identity.name, name) == 0)
                        return true;
        return false;
}

static char *trim(char *s) {
        char *end;

        while (isspace((unsigned char)*s))
                s++;
        end = s + strlen(s);
        while (end > s && isspace((unsigned char)end[-1]))
                *--end = '\0';
        return s;
}

/* take_section() - "[writer NAME]"; what stands below another one is ignored */
static void take_section(struct reading *r, char *line) {
        char *end = strchr(line, ']');

        r->applies = false;
        if (!end || end[1] != '\0' || strncmp(line, "[writer ", 8) != 0) {
                complain(r, "a section is written [writer NAME]");
                return;
        }
        *end = '\0';
        r->applies = !r->restoring && !writer_is_present(r->notes, trim(line + 8));
}

static bool take_suffix(char *line) {
        size_t n = strlen(line);

        if (n < 3 || strcasecmp(line + n - 2, "/s") != 0 || !isblank((unsigned char)line[n - 3]))
                return false;
        line[n - 2] = '\0';
        (void)trim(line);
        return true;
}

static int add_entry(struct reading *r, const char *path, bool recursive, bool every_volume) {
        const char *name = strrchr(path, '/') + 1;
        struct entry *e;

        if (ARRAY_RESERVE(&r->list->entries, r->list->count, &r->list->capacity) < 0)
                return -ENOMEM;
        e = &r->list->entries[r->list->count++]; /* not_to_backup_free() releases it from here on */
        *e = (struct entry){ .folder = strndup(path, (size_t)(name - path) - 1),
                             .name = strdup(name),
                             .recursive = recursive,
                             .every_volume = every_volume };
        if (!e->folder || !e->name)
                return -ENOMEM;
        if (!r->told)
                selection_note(r->notes, "left out by %s: %s%s%s", r->by,
                               every_volume ? "on every volume " : "", path,
                               recursive ? " and below" : "");
        return 0;
}

static int take_line(struct reading *r, char *line) {
        bool recursive, every_volume;
        size_t wild;

        line = trim(line);
        if (*line == '\0' || *line == '#' || *line == ';')
                return 0;
        if (*line == '[') {
                take_section(r, line);
                return 0;
        }
        if (!r->applies)
                return 0;
        recursive = take_suffix(line);
        every_volume = strncmp(line, EVERY_VOLUME, strlen(EVERY_VOLUME)) == 0;
        if (every_volume)
                line += strlen(EVERY_VOLUME);
        if (!path_is_clean(line) || strcmp(line, "/") == 0) {
                complain(r, "an entry is '/folder/pattern' or '" EVERY_VOLUME
                            "/folder/pattern', '/s' behind it with all folders below");
                return 0;
        }
        wild = strcspn(line, "*?");
        if (line[wild] && strchr(line + wild, '/')) {
                complain(r, "'*' and '?' stand in the last element only");
                return 0;
        }
        return add_entry(r, line, recursive, every_volume);
}

static int read_lines(struct reading *r, char *text) {
        char *line;
        int result = 0;

        r->applies = true;
        for (r->line = 1; result >= 0 && (line = strsep(&text, "\n")); r->line++)
                result = take_line(r, line);
        return result;
}

/* read_file() - whoever can write it could keep files out of every backup */
static int read_file(struct reading *r) {
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;
        int result = stat(r->path, &st) < 0 ? -errno : 0;

        if (result >= 0 && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)))
                result = -EPERM;
        if (result >= 0)
                result = read_whole_file(AT_FDCWD, r->path, FILE_MAX_SIZE, &text, &size);
        if (result >= 0)
                return read_lines(r, text);
        if (result == -ENOMEM)
                return result;
        if (!r->told)
                selection_note(r->notes, "'%s' is ignored: %s", r->path,
                               result == -EPERM ? "it must belong to root and be writable by its "
                                                  "owner only (chmod go-w, chown root)"
                                                : strerror(-result));
        return 0;
}

static int is_list(const struct dirent *d) {
        size_t n = strlen(d->d_name);

        return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

/* add_excluded() - by a writer without components: it can only mean files of others (OQ-D8) */
static int add_excluded(struct reading *r, const struct chosen_writer *writer) {
        size_t count;
        int result = 0;

        vss_examine_writer_metadata_get_file_counts(writer->metadata, NULL, &count, NULL);
        for (size_t i = 0; result >= 0 && i < count; i++) {
                const struct vss_wm_filedesc *e =
                        vss_examine_writer_metadata_get_exclude_file(writer->metadata, i);
                _cleanup_free_ char *whole =
                        path_join(vss_wm_filedesc_get_path(e), vss_wm_filedesc_get_filespec(e));
                const char *path = whole;
                bool every_volume;

                if (!whole)
                        return -ENOMEM;
                every_volume = path_is_below(path, "/" EVERY_VOLUME);
                if (every_volume)
                        path += strlen("/" EVERY_VOLUME);
                result = add_entry(r, path, vss_wm_filedesc_get_recursive(e), every_volume);
        }
        return result;
}

static int add_cleaners(struct not_to_backup *list, struct selection *selection, bool told) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < selection->writer_count; i++) {
                const struct chosen_writer *w = &selection->writers[i];
                struct reading reading = { .list = list, .notes = selection, .told = told };
                _cleanup_free_ char *by = NULL;

                if (w->component_count > 0)
                        continue;
                if (asprintf(&by, "writer '%s'", w->identity.name) < 0) {
                        by = NULL;
                        return -ENOMEM;
                }
                reading.by = by;
                r = add_excluded(&reading, w);
        }
        return r;
}

/* read_folder() - all files of it, in lexical order; @how says how they are read */
static int read_folder(const char *config_dir, const struct reading *how) {
        _cleanup_free_ char *folder =
                path_join(config_dir ? config_dir : layout_config_dir(), "not_to_backup.d");
        struct dirent **names = NULL;
        int count, r = folder ? 0 : -ENOMEM;

        count = r < 0 ? 0 : scandir(folder, &names, is_list, by_bytes);
        if (count < 0 && errno == ENOMEM)
                r = -ENOMEM;
        for (int i = 0; i < count; i++) {
                _cleanup_free_ char *path = path_join(folder, names[i]->d_name), *by = NULL;
                struct reading reading = *how;

                if (r >= 0 && (!path || asprintf(&by, "'%s'", path) < 0)) {
                        by = NULL;
                        r = -ENOMEM;
                }
                reading.path = path;
                reading.by = by;
                if (r >= 0)
                        r = read_file(&reading);
                free(names[i]);
        }
        free(names);
        return r;
}

int not_to_backup_load(const char *config_dir, struct selection *selection, bool told,
                       struct not_to_backup **ret) {
        _cleanup_(not_to_backup_freep) struct not_to_backup *list = calloc(1, sizeof(*list));
        int r = list ? read_folder(
                               config_dir,
                               &(struct reading){ .list = list, .notes = selection, .told = told })
                     : -ENOMEM;

        if (r >= 0)
                r = add_cleaners(list, selection, told);
        if (r >= 0)
                *ret = take(list);
        return r;
}

int not_to_backup_load_for_restore(const char *config_dir, struct not_to_backup **ret) {
        _cleanup_(not_to_backup_freep) struct not_to_backup *list = calloc(1, sizeof(*list));
        int r = list ? read_folder(
                               config_dir,
                               &(struct reading){ .list = list, .told = true, .restoring = true })
                     : -ENOMEM;

        if (r >= 0)
                *ret = take(list);
        return r;
}

/* ---- matching ---- */

static const char *within(const char *path, const char *volume) {
        if (!volume || !path_is_below(path, volume))
                return NULL;
        return strcmp(volume, "/") == 0 ? path : path + strlen(volume);
}

static bool entry_has(const struct entry *e, const char *path, bool is_directory) {
        size_t n = strlen(e->folder);
        const char *name;

        if (strncmp(path, e->folder, n) != 0 || path[n] != '/')
                return false;
        name = strrchr(path, '/') + 1;
        if (is_directory)
                return e->recursive && strcmp(e->name, "*") == 0 && *name;
        return (e->recursive || name == path + n + 1) && vss_filespec_matches(e->name, name);
}

bool not_to_backup_has(const struct not_to_backup *list, const char *path, bool is_directory,
                       const char *volume) {
        for (size_t i = 0; list && i < list->count; i++) {
                const struct entry *e = &list->entries[i];
                const char *p = e->every_volume ? within(path, volume) : path;

                if (p && entry_has(e, p, is_directory))
                        return true;
        }
        return false;
}

void not_to_backup_describe(const struct not_to_backup *list, struct text *text) {
        for (size_t i = 0; i < list->count; i++) {
                const struct entry *e = &list->entries[i];

                text_string(text, "left-out\t");
                text_number(text, (uint64_t)e->recursive + 2 * (uint64_t)e->every_volume);
                text_char(text, '\t');
                text_field(text, e->folder);
                text_char(text, '\t');
                text_field(text, e->name);
                text_char(text, '\n');
        }
}
