/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.c - the settings of the sqlite writer: [database NAME] and [sqlite].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "sqlite/database.h"

void config_init(struct config *config) {
        memset(config, 0, sizeof(*config));
        config->freeze_wait_ms = 5000;
        config->restore_wait_ms = 30000;
        config->restore_check = CHECK_AUTO;
        config->page_hashes = config->page_clones = true;
        config->hash_time_ms = 300000;
        config->keep_lists = 3;
}

void config_done(struct config *config) {
        for (size_t i = 0; i < config->section_count; i++) {
                struct config_section *section = &config->sections[i];

                for (size_t j = 0; j < section->path_count; j++)
                        free(section->paths[j]);
                free(section->paths);
                free(section->name);
                free(section->caption);
        }
        free(config->sections);
        free(config->state);
        free(config->restore_dir);
        memset(config, 0, sizeof(*config));
}

static int find_section(struct config *config, const char *section, struct config_section **ret,
                        struct vss_error *reterr) {
        const char *name = section + strlen("database");
        struct config_section *new;

        name += strspn(name, " ");
        if (!*name || strchr(name, '\\'))
                return util_fail(reterr, E_INVALIDARG,
                                 "write [database NAME], NAME without a backslash");
        for (size_t i = 0; i < config->section_count; i++)
                if (strcmp(config->sections[i].name, name) == 0) {
                        *ret = &config->sections[i];
                        return 0;
                }
        if (GROW(&config->sections, config->section_count) < 0)
                return -ENOMEM;
        new = &config->sections[config->section_count];
        memset(new, 0, sizeof(*new));
        new->selectable = new->selectable_for_restore = true;
        new->name = strdup(name);
        if (!new->name)
                return -ENOMEM;
        config->section_count++;
        *ret = new;
        return 0;
}

static int check_path(const char *path, struct vss_error *reterr) {
        const char *slash = strrchr(path, '/'), *wild = strpbrk(path, "*?");

        if (!util_path_is_clean(path) || slash[1] == '\0')
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is not the absolute path of a file, without '.', '..' and "
                                 "empty elements",
                                 path);
        if (wild && wild < slash)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s': wildcards may stand in the last element only; add one "
                                 "path line per directory",
                                 path);
        return 0;
}

static int add_path(struct config_section *section, const char *value, struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word, *more;
        int r;

        if (!text || GROW(&section->paths, section->path_count) < 0)
                return -ENOMEM;
        r = util_next_word(&rest, &word);
        if (r > 0 && util_next_word(&rest, &more) != 0)
                r = E_INVALIDARG;
        if (r <= 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is not one path; a path with blanks goes \"between "
                                 "quotes\"",
                                 value);
        r = check_path(word, reterr);
        if (r < 0)
                return r;
        section->paths[section->path_count] = strdup(word);
        if (!section->paths[section->path_count])
                return -ENOMEM;
        section->path_count++;
        return 0;
}

static int set_bool(const char *value, bool *to, struct vss_error *reterr) {
        return util_bool(value, to) < 0
                       ? util_fail(reterr, E_INVALIDARG, "'%s' is neither yes nor no", value)
                       : 0;
}

static int set_restore(const char *value, bool *ret, struct vss_error *reterr) {
        static const char *const words[] = { "replace", "through", NULL };
        int i = util_word_in(value, words);

        if (i < 0)
                return util_fail(reterr, E_INVALIDARG, "'%s': known are replace and through",
                                 value);
        *ret = i == 1;
        return 0;
}

static int set_database(struct config_section *section, const char *key, const char *value,
                        struct vss_error *reterr) {
        if (strcmp(key, "path") == 0)
                return add_path(section, value, reterr);
        if (strcmp(key, "caption") == 0)
                return util_replace(&section->caption, value);
        if (strcmp(key, "selectable") == 0)
                return set_bool(value, &section->selectable, reterr);
        if (strcmp(key, "selectable_for_restore") == 0)
                return set_bool(value, &section->selectable_for_restore, reterr);
        if (strcmp(key, "restore") == 0)
                return set_restore(value, &section->through, reterr);
        return util_fail(reterr, E_INVALIDARG,
                         "this key is unknown; known are path, caption, selectable, "
                         "selectable_for_restore and restore");
}

static int set_duration(const char *value, uint32_t max_ms, uint32_t *to,
                        struct vss_error *reterr) {
        uint32_t ms;

        if (util_duration_ms(value, &ms) < 0 || ms > max_ms)
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is no duration up to %u ms; write for example 5s", value,
                                 max_ms);
        *to = ms;
        return 0;
}

/* @automatic: by the size */
static int set_check(const char *value, bool automatic, enum copy_check *to,
                     struct vss_error *reterr) {
        static const char *const words[] = { "open", "quick", "integrity", "none", "auto", NULL };
        int i = util_word_in(value, words);

        if (i < 0 || (i == CHECK_AUTO && !automatic))
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s': known are open, quick, integrity%s none", value,
                                 automatic ? ", auto and" : " and");
        *to = (enum copy_check)i;
        return 0;
}

static int set_folder(const char *value, char **to, struct vss_error *reterr) {
        if (!util_path_is_clean(value) || strpbrk(value, "*?"))
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s' is no absolute directory without '.', '..' and wildcards",
                                 value);
        return util_replace(to, value);
}

static int set_setting(struct config *config, const char *key, const char *value,
                       struct vss_error *reterr) {
        uint64_t number;

        if (strcmp(key, "state_dir") == 0)
                return set_folder(value, &config->state, reterr);
        if (strcmp(key, "restore_dir") == 0)
                return set_folder(value, &config->restore_dir, reterr);
        if (strcmp(key, "restore_wait") == 0)
                return set_duration(value, 600000, &config->restore_wait_ms, reterr);
        if (strcmp(key, "freeze_wait") == 0) /* below the default window, W-6 */
                return set_duration(value, 40000, &config->freeze_wait_ms, reterr);
        if (strcmp(key, "hash_time") == 0)
                return set_duration(value, 3600000, &config->hash_time_ms, reterr);
        if (strcmp(key, "copy_check") == 0)
                return set_check(value, false, &config->copy_check, reterr);
        if (strcmp(key, "restore_check") == 0)
                return set_check(value, true, &config->restore_check, reterr);
        if (strcmp(key, "page_hashes") == 0)
                return set_bool(value, &config->page_hashes, reterr);
        if (strcmp(key, "page_clones") == 0)
                return set_bool(value, &config->page_clones, reterr);
        if (strcmp(key, "keep_lists") == 0) {
                if (util_number(value, 1000, &number) < 0 || number == 0)
                        return util_fail(reterr, E_INVALIDARG, "'%s' is not 1 to 1000", value);
                config->keep_lists = (uint32_t)number;
                return 0;
        }
        return util_fail(reterr, E_INVALIDARG,
                         "this key is unknown; known are state_dir, restore_dir, freeze_wait, "
                         "restore_wait, copy_check, restore_check, page_hashes, page_clones, "
                         "hash_time and keep_lists");
}

int config_set(struct config *config, const char *section, const char *key, const char *value,
               struct vss_error *reterr) {
        struct config_section *database = NULL;
        int r;

        if (strcmp(section, "sqlite") == 0) {
                r = set_setting(config, key, value, reterr);
        } else if (strncmp(section, "database", 8) == 0) {
                r = find_section(config, section, &database, reterr);
                if (r >= 0)
                        r = set_database(database, key, value, reterr);
        } else {
                r = util_fail(reterr, E_INVALIDARG,
                              "this section is unknown; known are [database NAME] and [sqlite]");
        }
        return r; /* the runtime puts section and key in front */
}

static int check_twice(const struct config *config, const char *path, struct vss_error *reterr) {
        unsigned seen = 0;

        for (size_t i = 0; i < config->section_count; i++)
                for (size_t j = 0; j < config->sections[i].path_count; j++)
                        seen += strcmp(config->sections[i].paths[j], path) == 0;
        return seen > 1 ? util_fail(reterr, E_INVALIDARG,
                                    "path '%s' stands there twice; a file belongs to one "
                                    "component only: remove one line",
                                    path)
                        : 0;
}

int config_check(const struct config *config, struct vss_error *reterr) {
        int r;

        if (config->section_count == 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "no database is told; add [database NAME] with "
                                 "path = /dir/file.db");
        for (size_t i = 0; i < config->section_count; i++) {
                const struct config_section *section = &config->sections[i];

                if (section->path_count == 0)
                        return util_fail(reterr, E_INVALIDARG,
                                         "[database %s] has no path; add path = /dir/file.db",
                                         section->name);
                for (size_t j = 0; j < section->path_count; j++) {
                        r = check_twice(config, section->paths[j], reterr);
                        if (r < 0)
                                return vss_wrap(reterr, r, "[database %s]", section->name);
                }
        }
        return 0;
}
