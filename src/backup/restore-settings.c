/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-settings.c - see restore-settings.h.
 */
#define _GNU_SOURCE
#include "backup/restore-settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/layout.h"

enum { SERVICE_TIMEOUT_US = 300 * 1000 * 1000 };

static const char default_protected[] = "/boot,/usr,/etc,/lib"; /* CFG-22 */

struct reading {
        struct restore_settings *settings;
        const char *file;
        bool protected_told; /* the default does not hold */
};

static int warn(struct restore_settings *s, char *take_words) {
        if (!take_words)
                return -ENOMEM;
        if (ARRAY_RESERVE(&s->warnings, s->warnings_count, &s->warnings_capacity) < 0) {
                free(take_words);
                return -ENOMEM;
        }
        s->warnings[s->warnings_count++] = take_words;
        return 0;
}

static int set_path(char **field, const char *value) {
        char *copy;

        if (!path_is_clean(value))
                return 1;
        copy = strdup(value);
        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int add_protected(void *userdata, const char *path) {
        struct restore_settings *s = userdata;

        if (ARRAY_RESERVE(&s->protected_paths, s->protected_count, &s->protected_capacity) < 0)
                return -ENOMEM;
        s->protected_paths[s->protected_count] = strdup(path);
        return s->protected_paths[s->protected_count++] ? 0 : -ENOMEM;
}

static int take_protected(struct reading *reading, const char *value) {
        int r = *value ? ini_paths(value, NULL, NULL) : 0;

        if (r == E_INVALIDARG)
                return 1;
        reading->protected_told = true;
        return r < 0 || !*value ? r : ini_paths(value, add_protected, reading->settings);
}

static int take_timeout(struct restore_settings *s, const char *value) {
        uint64_t number;

        if (ini_duration_us(value, &number) < 0 || number == 0)
                return 1;
        s->service_timeout_us = number;
        return 0;
}

static int take_policy(struct restore_settings *s, const char *value) {
        s->rename_in_use = strcmp(value, "rename") == 0;
        return !s->rename_in_use && strcmp(value, "refuse") != 0;
}

/* 1: the value makes no sense; 2: the key is none of ours */
static int take_value(struct reading *reading, const char *section, const char *key,
                      const char *value) {
        struct restore_settings *s = reading->settings;

        if (strcmp(section, "service") == 0)
                return strcmp(key, "state_dir") == 0     ? set_path(&s->state_dir, value)
                       : strcmp(key, "runtime_dir") == 0 ? set_path(&s->runtime_dir, value)
                                                         : 0;
        if (strcmp(section, "restore") != 0)
                return 0;
        if (strcmp(key, "pending_dir") == 0)
                return set_path(&s->pending_dir, value);
        if (strcmp(key, "protected_paths") == 0)
                return take_protected(reading, value);
        if (strcmp(key, "service_command") == 0)
                return set_path(&s->service_command, value);
        if (strcmp(key, "service_timeout") == 0)
                return take_timeout(s, value);
        return strcmp(key, "inuse_policy") == 0 ? take_policy(s, value) : 2;
}

static int take_setting(void *userdata, const char *section, const char *key, const char *value,
                        unsigned line) {
        struct reading *reading = userdata;
        char *words = NULL;
        int r = key ? take_value(reading, section, key, value) : 0;

        if (r < 0 || (key && r == 0))
                return r;
        if (!key)
                r = asprintf(&words, "%s:%u: %s; the line is ignored", reading->file, line, value);
        else
                r = asprintf(&words, "%s:%u: %s '%s' in [%s]", reading->file, line,
                             r == 2 ? "unknown key" : "the default is used for the bad value of",
                             key, section);
        return warn(reading->settings, r < 0 ? NULL : words);
}

static int read_file(void *userdata, const char *path) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct reading *reading = userdata;
        int r;

        reading->file = path;
        r = ini_read_file(path, INI_GO_ON, take_setting, reading, &error);
        if (r >= 0 || r == -ENOENT || r == -ENOMEM)
                return r == -ENOMEM ? r : 0;
        return warn(reading->settings, strdup(vss_error_message(&error)));
}

/* As vssd: as a user, without a folder that ends with the login, both are one. */
static int find_folders(struct restore_settings *s, struct vss_error *reterr) {
        if (!s->state_dir)
                s->state_dir = layout_state_dir();
        if (!s->runtime_dir)
                s->runtime_dir = layout_runtime_dir();
        if (!s->runtime_dir && s->state_dir)
                s->runtime_dir = path_join(s->state_dir, "run");
        if (!s->pending_dir && s->state_dir)
                s->pending_dir = path_join(s->state_dir, "pending");
        if (s->state_dir && s->runtime_dir && s->pending_dir) {
                s->own[0] = s->runtime_dir;
                s->own[1] = s->pending_dir;
                return 0;
        }
        return vss_fail(reterr, -ENOENT,
                        "no place for the records of a restore is known: set HOME, or state_dir "
                        "and runtime_dir in [service] of vss.conf");
}

int restore_settings_read(struct restore_settings *ret, const char *config_dir,
                          struct vss_error *reterr) {
        const char *folder = config_dir ? config_dir : layout_config_dir();
        _cleanup_free_ char *main_file = path_join(folder, "vss.conf");
        _cleanup_free_ char *drop_ins = path_join(folder, "vss.conf.d");
        struct reading reading = { .settings = ret };
        int r = main_file && drop_ins ? 0 : -ENOMEM;

        *ret = (struct restore_settings){ .service_timeout_us = SERVICE_TIMEOUT_US };
        if (r == 0)
                r = read_file(&reading, main_file);
        if (r == 0)
                r = conf_each(drop_ins, read_file, &reading);
        if (r == 0 && !reading.protected_told)
                r = ini_paths(default_protected, add_protected, ret);
        if (r == -ENOMEM)
                return vss_fail(reterr, r, "out of memory");
        return r < 0 ? r : find_folders(ret, reterr);
}

void restore_settings_done(struct restore_settings *s) {
        for (size_t i = 0; i < s->protected_count; i++)
                free(s->protected_paths[i]);
        for (size_t i = 0; i < s->warnings_count; i++)
                free(s->warnings[i]);
        free(s->protected_paths);
        free(s->warnings);
        free(s->state_dir);
        free(s->runtime_dir);
        free(s->pending_dir);
        free(s->service_command);
        *s = (struct restore_settings){ 0 };
}
