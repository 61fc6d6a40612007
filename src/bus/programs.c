/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "bus/programs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/layout.h"

enum { DEFAULT_ORDER = 100 };

static void program_done(struct program *program) {
        free(program->name);
        free(program->path);
        free(program->instance_name);
        plugin_settings_done(&program->settings);
        *program = (struct program){ 0 };
}

void programs_done(struct program_list *list) {
        for (size_t i = 0; i < list->count; i++)
                program_done(&list->items[i]);
        free(list->items);
        *list = (struct program_list){ 0 };
}

/* "/x/writers.d/mail.conf" gives "mail" */
static char *name_of_file(const char *path, const char *suffix) {
        const char *base = strrchr(path, '/');

        base = base ? base + 1 : path;
        return strndup(base, strlen(base) - strlen(suffix));
}

/* What runs with our rights belongs to root or to us, and nobody else may write it (P-11). */
static int check_code(const char *path, struct vss_error *reterr) {
        struct stat st;

        if (stat(path, &st) < 0)
                return vss_fail(reterr, -errno, "cannot use '%s': %m", path);
        if (!S_ISREG(st.st_mode))
                return vss_fail(reterr, -EINVAL, "'%s' is no file", path);
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
                return vss_fail(reterr, -EPERM,
                                "'%s' must belong to root and be writable by its owner only", path);
        return 0;
}

/* ---- writers ---- */

static char *plugin_path(const char *kind, const char *name) {
        _cleanup_free_ char *folder = NULL, *file = NULL;

        if (strchr(name, '/'))
                return strdup(name);
        folder = layout_plugin_dir(kind);
        if (!folder || asprintf(&file, "%s.so", name) < 0) {
                file = NULL;
                return NULL;
        }
        return path_join(folder, file);
}

static int replace(char **field, char *take_value) {
        if (!take_value)
                return -ENOMEM;
        free(*field);
        *field = take_value;
        return 0;
}

static int take_writer_setting(void *userdata, const char *section, const char *key,
                               const char *value, unsigned line) {
        struct program *program = userdata;

        if (strcmp(section, "writer") == 0 && strcmp(key, "plugin") == 0) {
                program->plugin = true;
                return replace(&program->path, plugin_path("writers", value));
        }
        if (strcmp(section, "writer") == 0 && strcmp(key, "program") == 0) {
                program->plugin = false;
                return replace(&program->path, strdup(value));
        }
        if (strcmp(section, "writer") == 0 && strcmp(key, "instance-name") == 0)
                return replace(&program->instance_name, strdup(value));
        return plugin_settings_add(&program->settings, section, key, value);
}

static int read_writer(struct program *program, const char *path, struct vss_error *reterr) {
        int r = ini_read_file(path, 0, take_writer_setting, program, reterr);

        if (r < 0)
                return r;
        program->name = name_of_file(path, ".conf");
        if (!program->name)
                return -ENOMEM;
        if (!program->path || *program->path != '/')
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' names neither 'plugin' nor an absolute 'program' in [writer]",
                                path);
        r = check_code(program->path, reterr);
        return r < 0 ? vss_wrap(reterr, r, "'%s'", path) : 0;
}

struct collecting {
        struct program_list *list;
        struct settings *settings;
};

/* 0 when added or told; @program is consumed */
static int add_or_warn(struct collecting *to, struct program *program, int r,
                       const struct vss_error *error) {
        if (r == 0)
                r = ARRAY_RESERVE(&to->list->items, to->list->count, &to->list->capacity);
        if (r == 0) {
                to->list->items[to->list->count++] = *program;
                return 0;
        }
        if (r != -ENOMEM)
                r = words_add(program->kind == PARTY_WRITER ? &to->settings->left_out
                                                            : &to->settings->warnings,
                              "%s %s", vss_error_message(error), "(this one is left out)");
        program_done(program);
        return r;
}

static int add_writer(void *userdata, const char *path) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct program program = { .kind = PARTY_WRITER, .order = DEFAULT_ORDER };
        int r = read_writer(&program, path, &error);

        return add_or_warn(userdata, &program, r, &error);
}

/* ---- the machine's list of what is in no shadow copy (B-156) ---- */

#define CLEANER "optimization"

static int count_file(void *userdata, const char *path) {
        ++*(size_t *)userdata;
        return 0;
}

/* add_cleaner() - whoever puts a file into not_to_snapshot.d need not switch a writer on */
static int add_cleaner(struct collecting *to, const char *config_dir) {
        _cleanup_free_ char *folder = path_join(config_dir, "not_to_snapshot.d");
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct program program = { .kind = PARTY_WRITER, .order = DEFAULT_ORDER, .plugin = true };
        size_t files = 0;
        int r = folder ? conf_each(folder, count_file, &files) : -ENOMEM;

        if (r < 0 || files == 0)
                return r;
        program.name = strdup(CLEANER);
        program.path = plugin_path("writers", CLEANER);
        r = program.name && program.path ? 0 : -ENOMEM;
        if (r == 0)
                r = plugin_settings_add(&program.settings, "lists", "folder", folder);
        for (size_t i = 0; r == 0 && i < to->settings->exclude.count; i++) {
                const struct plugin_setting *s = &to->settings->exclude.items[i];

                r = plugin_settings_add(&program.settings, s->section, s->key, s->value);
        }
        if (r == 0)
                r = check_code(program.path, &error);
        return add_or_warn(to, &program, r, &error);
}

/* ---- providers ---- */

/* What vss.conf says of this provider: "enabled" and "order" are ours, the rest is the plug-in's.
 */
static int configure_provider(struct program *program, bool *enabled, struct settings *settings) {
        for (size_t i = 0; i < settings->providers.count; i++) {
                const struct plugin_setting *s = &settings->providers.items[i];
                uint64_t order;
                int r = 0;

                if (strcmp(s->section, program->name) != 0)
                        continue;
                if (strcmp(s->key, "enabled") == 0 && ini_bool(s->value, enabled) < 0)
                        r = words_add(&settings->warnings,
                                      "bad value of 'enabled' in [provider.%s]: yes is used",
                                      program->name);
                else if (strcmp(s->key, "order") == 0 && ini_uint(s->value, 0, 100000, &order) < 0)
                        r = words_add(&settings->warnings,
                                      "bad value of 'order' in [provider.%s]: %u is used",
                                      program->name, (unsigned)DEFAULT_ORDER);
                else if (strcmp(s->key, "order") == 0)
                        program->order = (uint32_t)order;
                else if (strcmp(s->key, "enabled") != 0)
                        r = plugin_settings_add(&program->settings, "", s->key, s->value);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The memory provider agrees to every volume and copies nothing: it is for tests, and must be
 * asked for. */
static bool is_real(const char *name) {
        return strcmp(name, "memory") != 0;
}

static int add_provider(struct collecting *to, const char *path) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct program program = { .kind = PARTY_PROVIDER, .order = DEFAULT_ORDER, .plugin = true };
        bool enabled;
        int r;

        program.name = name_of_file(path, ".so");
        enabled = program.name && is_real(program.name);
        program.path = strdup(path);
        r = program.name && program.path ? 0 : -ENOMEM;
        if (r == 0)
                r = configure_provider(&program, &enabled, to->settings);
        if (r == 0 && !enabled) {
                program_done(&program);
                return 0;
        }
        if (r == 0)
                r = check_code(path, &error);
        return add_or_warn(to, &program, r, &error);
}

static int is_plugin(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return n > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + n - 3, ".so") == 0;
}

static int add_providers(struct collecting *to) {
        _cleanup_free_ char *folder = layout_plugin_dir("providers");
        struct dirent **entries = NULL;
        int n, r = 0;

        if (!folder)
                return -ENOMEM;
        n = scandir(folder, &entries, is_plugin, alphasort);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *path = path_join(folder, entries[i]->d_name);

                if (r == 0)
                        r = path ? add_provider(to, path) : -ENOMEM;
                free(entries[i]);
        }
        free(entries);
        return r;
}

static bool is_installed(const struct program_list *list, const char *provider) {
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].kind == PARTY_PROVIDER &&
                    strcmp(list->items[i].name, provider) == 0)
                        return true;
        return false;
}

static bool is_mentioned(const struct settings *settings, const char *provider) {
        for (size_t i = 0; i < settings->providers.count; i++)
                if (strcmp(settings->providers.items[i].section, provider) == 0 &&
                    strcmp(settings->providers.items[i].key, "enabled") == 0)
                        return true;
        return false;
}

/* A section for a provider that is not there (and was not switched off) is a slip of the pen. */
static int warn_of_strangers(const struct program_list *list, struct settings *settings) {
        const char *last = "";

        for (size_t i = 0; i < settings->providers.count; i++) {
                const struct plugin_setting *s = &settings->providers.items[i];

                if (strcmp(s->section, last) == 0 || is_installed(list, s->section) ||
                    is_mentioned(settings, s->section))
                        continue;
                last = s->section;
                if (words_add(&settings->warnings,
                              "[provider.%s]: no such provider is in use; ignored", last) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int programs_read(struct program_list *list, const char *config_dir, struct settings *settings) {
        _cleanup_free_ char *writers = path_join(config_dir, "writers.d");
        struct collecting to = { list, settings };
        int r = writers ? conf_each(writers, add_writer, &to) : -ENOMEM;

        if (r == 0)
                r = add_cleaner(&to, config_dir);
        if (r == 0)
                r = add_providers(&to);
        return r == 0 ? warn_of_strangers(list, settings) : r;
}
