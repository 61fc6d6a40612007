/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.h - what vssd reads from vss.conf and vss.conf.d (configuration.md).
 *
 * A key that nobody knows and a value that makes no sense are told in a warning, and the default
 * holds (CFG-3). A file that others may write is not read at all (CFG-2).
 */
#ifndef BUS_SETTINGS_H
#define BUS_SETTINGS_H

#include <sys/types.h>

#include "coordinator/coordinator.h"

/* Who may do what, by account (SEC-4) */
enum access_grant { ACCESS_NONE = 0, ACCESS_WRITER = 1, ACCESS_REQUESTER = 2 };

struct access_rule {
        bool is_group;
        uint32_t id; /* uid or gid */
        unsigned grant; /* or-ed enum access_grant */
};

/* One setting of a plug-in, handed on without being understood */
struct plugin_setting {
        char *section, *key, *value;
};

struct plugin_settings {
        struct plugin_setting *items;
        size_t count, capacity;
};

/* A growing list of strings, NULL-terminated */
struct words {
        char **items;
        size_t count, capacity;
};

struct settings {
        struct coordinator_settings coordinator;
        uint64_t hold_limit_us; /* 0: the built-in limit */
        uint64_t probe_us; /* deadline of one look at the volumes */
        uint64_t idle_us; /* a service nobody uses ends after that */
        struct words never_freeze;
        char *runtime_dir, *state_dir;
        char *backup_group;
        gid_t backup_gid; /* (gid_t)-1: no such group */
        struct access_rule *access;
        size_t n_access, access_capacity;
        struct plugin_settings providers; /* section without "provider." */
        struct plugin_settings exclude; /* for the writer that keeps files out of copies */
        struct words warnings;
        struct words left_out; /* writers' files that could not be used: told to who gathers */
};

/* settings_read() - fill @ret from @config_dir, which need not exist; release with settings_done()
 *
 * Return: 0, -ENOMEM, or -ENOENT when no place for the records is known (words say what to set) */
int settings_read(struct settings *ret, const char *config_dir, struct vss_error *reterr);
void settings_done(struct settings *settings);

/* settings_take() - one setting, as if read from @file; for settings_read() and tests.
 * Return: 0 or -ENOMEM; what is wrong becomes a warning */
int settings_take(struct settings *settings, const char *file, unsigned line, const char *section,
                  const char *key, const char *value);

int words_add(struct words *words, const char *format, ...) VSS_PRINTF(2, 3);
void words_done(struct words *words);
int plugin_settings_add(struct plugin_settings *list, const char *section, const char *key,
                        const char *value);
void plugin_settings_done(struct plugin_settings *list);

#endif
