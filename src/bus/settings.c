/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c - one table says which key means what, in which bounds.
 */
#define _GNU_SOURCE
#include "bus/settings.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/layout.h"
#include "hold/protocol.h"

#define SECONDS UINT64_C(1000000)

/* ---- lists ---- */

int words_add(struct words *words, const char *format, ...) {
        char *text = NULL;
        va_list ap;
        int r;

        /* room for the NULL at the end as well */
        r = array_reserve((void **)&words->items, words->count + 1, &words->capacity,
                          sizeof(*words->items));
        if (r < 0)
                return r;
        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;
        words->items[words->count++] = text;
        words->items[words->count] = NULL;
        return 0;
}

void words_done(struct words *words) {
        for (size_t i = 0; i < words->count; i++)
                free(words->items[i]);
        free(words->items);
        *words = (struct words){ 0 };
}

int plugin_settings_add(struct plugin_settings *list, const char *section, const char *key,
                        const char *value) {
        struct plugin_setting setting;
        int r = ARRAY_RESERVE(&list->items, list->count, &list->capacity);

        if (r < 0)
                return r;
        setting = (struct plugin_setting){ strdup(section), strdup(key), strdup(value) };
        if (!setting.section || !setting.key || !setting.value) {
                free(setting.section);
                free(setting.key);
                free(setting.value);
                return -ENOMEM;
        }
        list->items[list->count++] = setting;
        return 0;
}

void plugin_settings_done(struct plugin_settings *list) {
        for (size_t i = 0; i < list->count; i++) {
                free(list->items[i].section);
                free(list->items[i].key);
                free(list->items[i].value);
        }
        free(list->items);
        *list = (struct plugin_settings){ 0 };
}

/* ---- the table ---- */

enum kind { DURATION, UINT, TEXT, PATH, PATHS };

struct row {
        const char *section, *key;
        enum kind kind;
        size_t offset;
        uint64_t min, max;
};

#define AT(field) offsetof(struct settings, field)

static const struct row rows[] = {
        { "timeout", "freeze_window", DURATION, AT(coordinator.freeze_window_us), 1, 60 * SECONDS },
        { "timeout", "set_idle", DURATION, AT(coordinator.set_idle_us), 1, UINT32_MAX *SECONDS },
        { "timeout", "probe", DURATION, AT(probe_us), 1, 3600 * SECONDS },
        { "hold", "max", DURATION, AT(hold_limit_us), 1, HOLD_LIMIT_US }, /* CFG-5, CT-8 */
        { "hold", "presync", UINT, AT(coordinator.presync_rounds), 1, HOLD_PRESYNC_MAX },
        { "hold", "never_freeze", PATHS, AT(never_freeze), 0, 0 },
        { "limits", "max_volumes_per_set", UINT, AT(coordinator.max_volumes), 1, 64 },
        { "limits", "max_copies_per_volume", UINT, AT(coordinator.max_copies_per_volume), 1, 512 },
        { "limits", "max_client_accessible", UINT, AT(coordinator.max_client_accessible), 1, 512 },
        { "limits", "max_sessions_per_uid", UINT, AT(coordinator.max_sessions_per_uid), 1, 65536 },
        { "service", "idle_timeout", DURATION, AT(idle_us), 0, UINT32_MAX *SECONDS },
        { "service", "runtime_dir", PATH, AT(runtime_dir), 0, 0 },
        { "service", "state_dir", PATH, AT(state_dir), 0, 0 },
        { "access", "backup_group", TEXT, AT(backup_group), 0, 0 },
};

static int warn(struct settings *s, const char *file, unsigned line, const char *what,
                const char *section, const char *key, const char *remedy) {
        return words_add(&s->warnings, "%s:%u: %s '%s' in [%s]: %s", file, line, what, key, section,
                         remedy);
}

static int set_text(char **field, const char *value) {
        char *copy = strdup(value);

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int add_path(void *userdata, const char *path) {
        return words_add(userdata, "%s", path);
}

/* Comma-separated, or the key again. 1 when an element is no path. */
static int add_paths(struct words *words, const char *value) {
        int r = ini_paths(value, add_path, words);

        return r == E_INVALIDARG ? 1 : r;
}

/* 0 stored, 1 the value makes no sense and the default is back, -ENOMEM */
static int store(struct settings *s, const struct row *row, const char *value) {
        void *field = (char *)s + row->offset;
        uint64_t number = 0;

        switch (row->kind) {
        case DURATION:
                if (ini_duration_us(value, &number) < 0 || number < row->min || number > row->max)
                        number = 0;
                *(uint64_t *)field = number;
                return number == 0 && row->min > 0;
        case UINT:
                if (ini_uint(value, row->min, row->max, &number) < 0)
                        number = 0;
                *(uint32_t *)field = (uint32_t)number;
                return number == 0;
        case TEXT:
                return *value ? set_text(field, value) : 1;
        case PATH:
                return path_is_clean(value) ? set_text(field, value) : 1;
        case PATHS:
                return add_paths(field, value);
        }
        return 1;
}

/* The rows of the coordinator's table name their settings; several rows may share one. */
static int take_phase(struct settings *s, const char *key, const char *value, bool *known) {
        uint64_t number = 0;
        int r = ini_duration_us(value, &number);

        for (unsigned i = 0; i < PHASE_COUNT; i++) {
                const char *setting = phase_setting((enum phase_id)i);

                if (setting && strcmp(setting, key) == 0) {
                        *known = true;
                        s->coordinator.deadline_us[i] = r < 0 ? 0 : number;
                }
        }
        return r < 0 || number == 0;
}

static int take_scale(struct settings *s, const char *value) {
        char *end;
        double scale = strtod(value, &end);

        s->coordinator.scale = *value && !*end && scale > 0 && scale <= 100 ? scale : 0;
        return s->coordinator.scale == 0;
}

/* ---- [access] ---- */

static bool find_account(const char *name, struct access_rule *ret) {
        char plain[256];
        size_t n = strlen(name);
        struct group *group;
        struct passwd *user;

        if (n > 1 && name[0] == '"' && name[n - 1] == '"' && n < sizeof(plain)) {
                memcpy(plain, name + 1, n - 2);
                plain[n - 2] = '\0';
                name = plain;
        }
        ret->is_group = *name == '@';
        if (ret->is_group) {
                group = getgrnam(name + 1);
                ret->id = group ? group->gr_gid : 0;
                return group;
        }
        user = getpwnam(name);
        ret->id = user ? user->pw_uid : 0;
        return user;
}

static int take_access(struct settings *s, const char *file, unsigned line, const char *key,
                       const char *value) {
        struct access_rule rule;
        uint64_t grant;

        if (ini_uint(value, 0, 3, &grant) < 0)
                return warn(s, file, line, "bad value of", "access", key,
                            "0 denies, 1 writer, 2 requester, 3 both; ignored");
        if (!find_account(key, &rule))
                return warn(s, file, line, "unknown account", "access", key, "ignored");
        rule.grant = (unsigned)grant;
        if (ARRAY_RESERVE(&s->access, s->n_access, &s->access_capacity) < 0)
                return -ENOMEM;
        s->access[s->n_access++] = rule;
        return 0;
}

/* take_restore() - looked at here, used by who restores (backup/restore-settings.h) */
static int take_restore(const char *key, const char *value, bool *known) {
        uint64_t number;

        *known = true;
        if (strcmp(key, "pending_dir") == 0 || strcmp(key, "service_command") == 0)
                return !path_is_clean(value);
        if (strcmp(key, "service_timeout") == 0)
                return ini_duration_us(value, &number) < 0 || number == 0;
        if (strcmp(key, "inuse_policy") == 0)
                return strcmp(value, "refuse") != 0 && strcmp(value, "rename") != 0;
        *known = strcmp(key, "protected_paths") == 0;
        if (!*known || *value == '\0')
                return 0;
        return ini_paths(value, NULL, NULL) < 0;
}

/* take_exclude() - CFG-18, CFG-19: looked at here, used by the writer that does it */
static int take_exclude(struct settings *s, const char *key, const char *value, bool *known) {
        bool expand;
        int r = 0;

        if (strcmp(key, "expand_user_profile") == 0)
                r = ini_bool(value, &expand);
        else if (strcmp(key, "profiles") == 0)
                r = strcmp(value, "passwd") == 0 || strncmp(value, "glob:/", 6) == 0 ? 0 : -EINVAL;
        else
                return 0;
        *known = true;
        return r < 0 ? 1 : plugin_settings_add(&s->exclude, "exclude", key, value);
}

/* ---- reading ---- */

static const struct row *find_row(const char *section, const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0)
                        return &rows[i];
        return NULL;
}

int settings_take(struct settings *s, const char *file, unsigned line, const char *section,
                  const char *key, const char *value) {
        const struct row *row = find_row(section, key);
        bool known = row != NULL;
        int r = 0;

        if (row)
                r = store(s, row, value);
        else if (strncmp(section, "provider.", 9) == 0)
                return plugin_settings_add(&s->providers, section + 9, key, value);
        else if (strcmp(section, "access") == 0)
                return take_access(s, file, line, key, value);
        else if (strcmp(section, "timeout") == 0 && strcmp(key, "scale") == 0) {
                known = true;
                r = take_scale(s, value);
        } else if (strcmp(section, "timeout") == 0)
                r = take_phase(s, key, value, &known);
        else if (strcmp(section, "exclude") == 0)
                r = take_exclude(s, key, value, &known);
        else if (strcmp(section, "restore") == 0)
                r = take_restore(key, value, &known);
        if (r < 0)
                return r;
        if (!known)
                return warn(s, file, line, "unknown key", section, key, "ignored");
        if (r > 0)
                return warn(s, file, line, "bad value of", section, key, "the default is used");
        return 0;
}

struct reading {
        struct settings *settings;
        const char *file;
};

static int take_setting(void *userdata, const char *section, const char *key, const char *value,
                        unsigned line) {
        struct reading *reading = userdata;

        /* one bad line must not cost the others, never_freeze for instance (CFG-3) */
        if (!key)
                return words_add(&reading->settings->warnings, "%s:%u: %s; the line is ignored",
                                 reading->file, line, value);
        return settings_take(reading->settings, reading->file, line, section, key, value);
}

static int read_file(void *userdata, const char *path) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct reading reading = { .settings = userdata, .file = path };
        int r = ini_read_file(path, INI_GO_ON, take_setting, &reading, &error);

        if (r == -ENOMEM || r == -ENOENT || r >= 0)
                return r == -ENOMEM ? r : 0;
        return words_add(&reading.settings->warnings, "%s", vss_error_message(&error));
}

/* As a user, without a folder that ends with the login, the records lie beside the state. */
static int find_folders(struct settings *s, struct vss_error *reterr) {
        if (!s->state_dir)
                s->state_dir = layout_state_dir();
        if (!s->runtime_dir)
                s->runtime_dir = layout_runtime_dir();
        if (!s->runtime_dir && s->state_dir)
                s->runtime_dir = path_join(s->state_dir, "run");
        if (s->state_dir && s->runtime_dir)
                return 0;
        return vss_fail(reterr, -ENOENT,
                        "no place for the service's records is known: set HOME, or state_dir and "
                        "runtime_dir in [service] of vss.conf");
}

int settings_read(struct settings *ret, const char *config_dir, struct vss_error *reterr) {
        _cleanup_free_ char *main_file = path_join(config_dir, "vss.conf");
        _cleanup_free_ char *drop_ins = path_join(config_dir, "vss.conf.d");
        struct settings s = { .backup_gid = (gid_t)-1 };
        struct group *group;
        int r = main_file && drop_ins ? 0 : -ENOMEM;

        if (r == 0)
                r = read_file(&s, main_file);
        if (r == 0)
                r = conf_each(drop_ins, read_file, &s);
        if (r == 0)
                r = find_folders(&s, reterr);
        if (r < 0) {
                settings_done(&s);
                return r;
        }
        group = getgrnam(s.backup_group ? s.backup_group : "vss-backup");
        if (group)
                s.backup_gid = group->gr_gid;
        if (s.probe_us == 0)
                s.probe_us = 30 * SECONDS;
        if (s.coordinator.scale > 0)
                s.probe_us = (uint64_t)((double)s.probe_us * s.coordinator.scale);
        if (s.idle_us == 0)
                s.idle_us = 180 * SECONDS; /* CFG-11: 0 means that too */
        *ret = s;
        return 0;
}

void settings_done(struct settings *s) {
        words_done(&s->never_freeze);
        words_done(&s->warnings);
        words_done(&s->left_out);
        plugin_settings_done(&s->providers);
        plugin_settings_done(&s->exclude);
        free(s->runtime_dir);
        free(s->state_dir);
        free(s->backup_group);
        free(s->access);
        *s = (struct settings){ 0 };
}
