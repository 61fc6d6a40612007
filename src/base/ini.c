/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "base/ini.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum { INI_MAX_SIZE = 1024 * 1024 };

static char *trim(char *s) {
        size_t n;

        s += strspn(s, " \t\r");
        n = strlen(s);
        while (n > 0 && strchr(" \t\r", s[n - 1]))
                n--;
        s[n] = '\0';
        return s;
}

/* parse_line() - 0 with *ret_words set: the line is no setting */
static int parse_line(char *line, unsigned number, char **section, ini_sink_t sink, void *userdata,
                      const char **ret_words) {
        char *s = trim(line), *equals;
        size_t n = strlen(s);

        if (n == 0 || *s == '#' || *s == ';')
                return 0;
        if (*s == '[') {
                if (s[n - 1] != ']') {
                        *ret_words = "section without closing bracket";
                        return 0;
                }
                s[n - 1] = '\0';
                free(*section);
                *section = strdup(trim(s + 1));
                return *section ? 0 : -ENOMEM;
        }
        equals = strchr(s, '=');
        if (!equals || equals == s) {
                *ret_words = "expected 'key = value'";
                return 0;
        }
        *equals = '\0';
        return sink(userdata, *section ? *section : "", trim(s), trim(equals + 1), number);
}

int ini_parse(const char *text, unsigned flags, ini_sink_t sink, void *userdata,
              struct vss_error *reterr) {
        _cleanup_free_ char *copy = strdup(text), *section = NULL;
        unsigned number = 0;
        char *rest = copy, *line;

        if (!copy)
                return -ENOMEM;
        while ((line = strsep(&rest, "\n"))) {
                const char *words = NULL;
                int r = parse_line(line, ++number, &section, sink, userdata, &words);

                if (words && !(flags & INI_GO_ON))
                        return vss_fail(reterr, E_INVALIDARG, "line %u: %s", number, words);
                if (words)
                        r = sink(userdata, section ? section : "", NULL, words, number);
                if (r < 0)
                        return r;
        }
        return 0;
}

int ini_read_file(const char *path, unsigned flags, ini_sink_t sink, void *userdata,
                  struct vss_error *reterr) {
        _cleanup_free_ char *text = NULL;
        struct stat st;
        size_t size;
        int r;

        if (stat(path, &st) < 0)
                return vss_fail(reterr, -errno, "cannot read '%s': %s", path, strerror(errno));
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
                return vss_fail(reterr, -EPERM,
                                "'%s' is ignored: it must belong to root and be writable by its "
                                "owner only (chmod go-w, chown root)",
                                path);
        r = read_whole_file(AT_FDCWD, path, INI_MAX_SIZE, &text, &size);
        if (r < 0)
                return vss_fail(reterr, r, "cannot read '%s': %s", path, strerror(-r));
        if (strlen(text) != size)
                return vss_fail(reterr, E_INVALIDARG, "'%s' contains a NUL byte", path);
        r = ini_parse(text, flags, sink, userdata, reterr);
        return r < 0 ? vss_wrap(reterr, r, "'%s'", path) : 0;
}

static int is_conf(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return n > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

int conf_each(const char *folder, int (*sink)(void *userdata, const char *path), void *userdata) {
        struct dirent **entries = NULL;
        int n = scandir(folder, &entries, is_conf, by_name), r = 0;

        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = r < 0 ? NULL : path_join(folder, entries[i]->d_name);

                if (r >= 0)
                        r = path ? sink(userdata, path) : -ENOMEM;
                free(entries[i]);
        }
        free(entries);
        return r < 0 ? r : 0;
}

int ini_paths(const char *value, int (*sink)(void *userdata, const char *path), void *userdata) {
        _cleanup_free_ char *copy = strdup(value);
        char *rest = copy, *item;

        if (!copy)
                return -ENOMEM;
        while ((item = strsep(&rest, ","))) {
                int r;

                item = trim(item);
                if (!path_is_clean(item))
                        return E_INVALIDARG;
                r = sink ? sink(userdata, item) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

int ini_bool(const char *value, bool *ret) {
        static const struct {
                const char *word;
                bool value;
        } words[] = { { "yes", true }, { "true", true },   { "1", true },
                      { "no", false }, { "false", false }, { "0", false } };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcasecmp(value, words[i].word) == 0) {
                        *ret = words[i].value;
                        return 0;
                }
        return E_INVALIDARG;
}

struct unit {
        const char *name;
        uint64_t factor;
};

static int number_with_unit(const char *value, const struct unit *units, size_t count,
                            uint64_t *ret) {
        unsigned long long number;
        char *end;

        if (*value < '0' || *value > '9')
                return E_INVALIDARG;
        errno = 0;
        number = strtoull(value, &end, 10);
        if (errno)
                return E_INVALIDARG;
        end += strspn(end, " ");
        for (size_t i = 0; i < count; i++)
                if (strcasecmp(end, units[i].name) == 0) {
                        if (number > UINT64_MAX / units[i].factor)
                                return E_INVALIDARG;
                        *ret = number * units[i].factor;
                        return 0;
                }
        return E_INVALIDARG;
}

int ini_duration_us(const char *value, uint64_t *ret) {
        static const struct unit units[] = { { "", 1000000 },    { "s", 1000000 },
                                             { "ms", 1000 },     { "us", 1 },
                                             { "sec", 1000000 }, { "min", 60000000 },
                                             { "h", 3600000000 } };

        return number_with_unit(value, units, ELEMENTSOF(units), ret);
}

int ini_size(const char *value, uint64_t *ret) {
        static const struct unit units[] = { { "", 1 },
                                             { "B", 1 },
                                             { "K", 1ull << 10 },
                                             { "KB", 1ull << 10 },
                                             { "M", 1ull << 20 },
                                             { "MB", 1ull << 20 },
                                             { "G", 1ull << 30 },
                                             { "GB", 1ull << 30 },
                                             { "T", 1ull << 40 },
                                             { "TB", 1ull << 40 },
                                             { "PB", 1ull << 50 },
                                             { "EB", 1ull << 60 } };

        return number_with_unit(value, units, ELEMENTSOF(units), ret);
}

int ini_uint(const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        static const struct unit plain[] = { { "", 1 } };
        uint64_t number;

        if (number_with_unit(value, plain, 1, &number) < 0 || number < min || number > max)
                return E_INVALIDARG;
        *ret = number;
        return 0;
}
