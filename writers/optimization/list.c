/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "optimization/list.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/purge.h"

#define EVERY_VOLUME "$AllVolumes$"
#define EVERY_USER "$UserProfile$"
enum { FILE_MAX_SIZE = 1 << 20, FIRST_PERSON = 1000, LAST_PERSON = 59999 };

struct reading {
        const struct list_settings *settings;
        struct list *list;
        const char *path;
        unsigned line;
};

void list_done(struct list *list) {
        for (size_t i = 0; i < list->count; i++)
                file_set_done(&list->sets[i]);
        free(list->sets);
        free(list->complaint);
        memset(list, 0, sizeof(*list));
}

static void complain(struct reading *r, const char *words) {
        if (!r->list->complaint && asprintf(&r->list->complaint, "'%s', line %u: %s; ignored",
                                            r->path, r->line, words) < 0)
                r->list->complaint = NULL;
        if (r->list->complaint)
                util_printable(r->list->complaint);
}

/* add() - @path is clean and has its pattern in the last element */
static int add(struct reading *r, const char *path, bool recursive) {
        const char *name = strrchr(path, '/') + 1;
        struct file_set *set;

        if (GROW(&r->list->sets, r->list->count) < 0)
                return -ENOMEM;
        set = &r->list->sets[r->list->count];
        memset(set, 0, sizeof(*set));
        set->recursive = recursive;
        set->filespec = strdup(name);
        set->path = strndup(path, name == path + 1 ? 1 : (size_t)(name - path) - 1);
        if (!set->filespec || !set->path) {
                file_set_done(set);
                return -ENOMEM;
        }
        r->list->count++;
        return 0;
}

static int add_below(struct reading *r, const char *folder, const char *rest, bool recursive) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s%s", strcmp(folder, "/") == 0 ? "" : folder, rest) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return util_path_is_clean(path) ? add(r, path, recursive) : 0;
}

/* ---- every user (W-85) ---- */

static bool is_person(const struct passwd *user) {
        const char *shell = user->pw_shell ? strrchr(user->pw_shell, '/') : NULL;

        return user->pw_uid >= FIRST_PERSON && user->pw_uid <= LAST_PERSON && shell &&
               strcmp(shell, "/nologin") != 0 && strcmp(shell, "/false") != 0;
}

static int add_persons(struct reading *r, const char *rest, bool recursive) {
        const struct passwd *user;
        int result = 0;

        setpwent();
        while (result >= 0 && (user = getpwent()))
                if (is_person(user) && user->pw_dir && strcmp(user->pw_dir, "/") != 0)
                        result = add_below(r, user->pw_dir, rest, recursive);
        endpwent();
        return result;
}

static int add_matching(struct reading *r, const char *pattern, const char *rest, bool recursive) {
        glob_t found = { 0 };
        int result = glob(pattern, GLOB_ONLYDIR | GLOB_NOSORT, NULL, &found);

        result = result == GLOB_NOSPACE ? -ENOMEM : 0;
        for (size_t i = 0; result >= 0 && i < found.gl_pathc; i++)
                result = add_below(r, found.gl_pathv[i], rest, recursive);
        globfree(&found);
        return result;
}

static int add_users(struct reading *r, const char *rest, bool recursive) {
        const struct list_settings *s = r->settings;

        if (!s->expand_user_profile)
                return 0;
        return s->profiles && strncmp(s->profiles, "glob:", 5) == 0
                       ? add_matching(r, s->profiles + 5, rest, recursive)
                       : add_persons(r, rest, recursive);
}

/* ---- lines ---- */

static char *trim(char *s) {
        char *end;

        while (isspace((unsigned char)*s))
                s++;
        end = s + strlen(s);
        while (end > s && isspace((unsigned char)end[-1]))
                *--end = '\0';
        return s;
}

static bool take_suffix(char *line) {
        size_t n = strlen(line);

        if (n < 3 || strcasecmp(line + n - 2, "/s") != 0 || !isblank((unsigned char)line[n - 3]))
                return false;
        line[n - 2] = '\0';
        (void)trim(line);
        return true;
}

static bool begins(const char *line, const char *word) {
        return strncmp(line, word, strlen(word)) == 0;
}

static int take_line(struct reading *r, char *line) {
        bool recursive;
        const char *rest;
        size_t wild;

        line = trim(line);
        if (*line == '\0' || *line == '#' || *line == ';')
                return 0;
        recursive = take_suffix(line);
        rest = begins(line, EVERY_VOLUME) ? line + strlen(EVERY_VOLUME)
               : begins(line, EVERY_USER) ? line + strlen(EVERY_USER)
                                          : line;
        wild = strcspn(rest, "*?");
        if (!util_path_is_clean(rest) || strcmp(rest, "/") == 0 ||
            (rest[wild] && strchr(rest + wild, '/'))) {
                complain(r,
                         "an entry is '/folder/pattern', with '" EVERY_VOLUME "' or '" EVERY_USER
                         "' before it, '/s' behind it, and '*' and '?' in the last element only");
                return 0;
        }
        if (begins(line, EVERY_USER))
                return add_users(r, rest, recursive);
        return begins(line, EVERY_VOLUME) ? add_below(r, PURGE_EVERY_VOLUME, rest, recursive)
                                          : add(r, line, recursive);
}

/* ---- files ---- */

/* open_list() - whoever can write it could thin out everybody's copies (CFG-2) */
static FILE *open_list(struct reading *r) {
        FILE *file = fopen(r->path, "re");
        struct stat st;

        if (!file || fstat(fileno(file), &st) < 0)
                complain(r, strerror(errno));
        else if (!S_ISREG(st.st_mode) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
                 (st.st_mode & 022))
                complain(r, "the file must belong to root and be writable by its owner only");
        else if (st.st_size > FILE_MAX_SIZE)
                complain(r, "the file is larger than 1 MiB");
        else
                return file;
        if (file)
                (void)fclose(file);
        return NULL;
}

static int read_file(struct reading *r) {
        FILE *file = open_list(r);
        char *line = NULL;
        size_t size = 0;
        int result = 0;

        while (file && result >= 0 && getline(&line, &size, file) >= 0) {
                r->line++;
                result = take_line(r, line);
        }
        free(line);
        if (file)
                (void)fclose(file);
        return result;
}

static int is_list(const struct dirent *d) {
        size_t n = strlen(d->d_name);

        return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

int list_read(const struct list_settings *settings, struct list *ret) {
        struct dirent **names = NULL;
        struct list list = { 0 };
        int r = 0, count = scandir(settings->folder, &names, is_list, by_bytes);

        for (int i = 0; i < count; i++) {
                _cleanup_free_ char *path = util_join(settings->folder, names[i]->d_name);
                struct reading reading = { settings, &list, path, 0 };

                if (r >= 0)
                        r = path ? read_file(&reading) : -ENOMEM;
                free(names[i]);
        }
        free(names);
        if (r < 0) {
                list_done(&list);
                return r;
        }
        *ret = list;
        return 0;
}
