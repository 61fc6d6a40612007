/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * script.c - the words of a script: splitting, variables, and values. Knows no call.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "betest.h"

enum { MAX_TEXT = 16 * 1024 * 1024 };

/* one character between quotes; 0 or E_INVALIDARG */
static int unescape(char **from, char *to) {
        char *s = *from;
        unsigned byte;

        if (*s != '\\') {
                *to = *s;
                *from = s + 1;
                return 0;
        }
        if (s[1] == '"' || s[1] == '\\') {
                *to = s[1];
                *from = s + 2;
                return 0;
        }
        if (s[1] != 'x' || sscanf(s + 2, "%2x", &byte) != 1 || byte == 0 ||
            !strchr("0123456789abcdefABCDEF", s[3]) || !s[3])
                return E_INVALIDARG;
        *to = (char)byte;
        *from = s + 4;
        return 0;
}

int next_word(char **rest, char **ret) {
        char *s = *rest + strspn(*rest, " \t\r\n"), *to = s;
        bool quoted = false;

        if (!*s)
                return 0;
        *ret = s;
        while (*s && (quoted || !strchr(" \t\r\n", *s))) {
                if (*s == '"') {
                        quoted = !quoted;
                        s++;
                } else if (!quoted) {
                        *to++ = *s++;
                } else if (unescape(&s, to++) < 0) {
                        return E_INVALIDARG;
                }
        }
        if (quoted)
                return E_INVALIDARG;
        *rest = *s ? s + 1 : s;
        *to = '\0';
        return 1;
}

/* ---- variables ---- */

const char *get_variable(const struct run *run, const char *name) {
        for (size_t i = 0; i < run->variable_count; i++)
                if (strcmp(run->variables[i].name, name) == 0)
                        return run->variables[i].value;
        return NULL;
}

int set_variable(struct run *run, const char *name, const char *value) {
        char *copy = strdup(value);
        struct variable *v;

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < run->variable_count; i++)
                if (strcmp(run->variables[i].name, name) == 0) {
                        free(run->variables[i].value);
                        run->variables[i].value = copy;
                        return 0;
                }
        if (ARRAY_RESERVE(&run->variables, run->variable_count, &run->variable_capacity) < 0) {
                free(copy);
                return -ENOMEM;
        }
        v = &run->variables[run->variable_count];
        v->name = strdup(name);
        v->value = copy;
        if (!v->name) {
                free(copy);
                return -ENOMEM;
        }
        run->variable_count++;
        return 0;
}

int expand_variables(const struct run *run, const char *text, char **ret,
                     struct vss_error *reterr) {
        _cleanup_free_ char *out = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&out, &size);

        if (!f)
                return -ENOMEM;
        while (*text) {
                const char *end = *text == '%' ? strchr(text + 1, '%') : NULL, *value;
                _cleanup_free_ char *name = NULL;

                if (!end) {
                        fputc(*text++, f);
                        continue;
                }
                name = strndup(text + 1, (size_t)(end - text - 1));
                value = !name ? NULL : *name ? get_variable(run, name) : "%";
                if (!value) {
                        fclose(f);
                        return vss_fail(reterr, E_INVALIDARG,
                                        "%%%s%% is not set; give it behind the script as %s=VALUE",
                                        name ? name : "", name ? name : "");
                }
                fputs(value, f);
                text = end + 1;
        }
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = take(out);
        return 0;
}

/* ---- values ---- */

const struct word backup_types[] = { { "full", VSS_BT_FULL },
                                     { "incremental", VSS_BT_INCREMENTAL },
                                     { "differential", VSS_BT_DIFFERENTIAL },
                                     { "log", VSS_BT_LOG },
                                     { "copy", VSS_BT_COPY },
                                     { "other", VSS_BT_OTHER },
                                     { NULL, 0 } };
const struct word component_types[] = { { "database", VSS_CT_DATABASE },
                                        { "filegroup", VSS_CT_FILEGROUP },
                                        { NULL, 0 } };
const struct word writer_states[] = {
        { "unknown", VSS_WS_UNKNOWN },
        { "stable", VSS_WS_STABLE },
        { "waiting_for_freeze", VSS_WS_WAITING_FOR_FREEZE },
        { "waiting_for_thaw", VSS_WS_WAITING_FOR_THAW },
        { "waiting_for_post_snapshot", VSS_WS_WAITING_FOR_POST_SNAPSHOT },
        { "waiting_for_backup_complete", VSS_WS_WAITING_FOR_BACKUP_COMPLETE },
        { "failed_at_identify", VSS_WS_FAILED_AT_IDENTIFY },
        { "failed_at_prepare_backup", VSS_WS_FAILED_AT_PREPARE_BACKUP },
        { "failed_at_prepare_snapshot", VSS_WS_FAILED_AT_PREPARE_SNAPSHOT },
        { "failed_at_freeze", VSS_WS_FAILED_AT_FREEZE },
        { "failed_at_thaw", VSS_WS_FAILED_AT_THAW },
        { "failed_at_post_snapshot", VSS_WS_FAILED_AT_POST_SNAPSHOT },
        { "failed_at_backup_complete", VSS_WS_FAILED_AT_BACKUP_COMPLETE },
        { "failed_at_pre_restore", VSS_WS_FAILED_AT_PRE_RESTORE },
        { "failed_at_post_restore", VSS_WS_FAILED_AT_POST_RESTORE },
        { "failed_at_backup_shutdown", VSS_WS_FAILED_AT_BACKUPSHUTDOWN },
        { NULL, 0 }
};
const struct word target_words[] = { { "original", VSS_RT_ORIGINAL },
                                     { "alternate", VSS_RT_ALTERNATE },
                                     { "directed", VSS_RT_DIRECTED },
                                     { "original_location", VSS_RT_ORIGINAL_LOCATION },
                                     { NULL, 0 } };
const struct word status_words[] = { { "undefined", VSS_RS_UNDEFINED },
                                     { "none", VSS_RS_NONE },
                                     { "all", VSS_RS_ALL },
                                     { "failed", VSS_RS_FAILED },
                                     { NULL, 0 } };

int word_value(const struct word *words, const char *word, uint32_t *ret,
               struct vss_error *reterr) {
        unsigned long number;
        char *end;

        for (const struct word *w = words; w->text; w++)
                if (strcasecmp(w->text, word) == 0) {
                        *ret = w->value;
                        return 0;
                }
        errno = 0;
        number = strtoul(word, &end, 0);
        if (errno || end == word || *end || number > UINT32_MAX || *word == '-')
                return vss_fail(reterr, E_INVALIDARG, "'%s' is neither a number nor '%s' or alike",
                                word, words[0].text);
        *ret = (uint32_t)number;
        return 0;
}

const char *value_word(const struct word *words, uint32_t value) {
        for (const struct word *w = words; w->text; w++)
                if (w->value == value)
                        return w->text;
        return "?";
}

int code_from_name(const char *name) {
        int code = vss_error_from_name(name);

        for (int e = 1; code == 0 && e < 4096; e++) {
                const char *errno_name = strerrorname_np(e);

                if (errno_name && strcmp(errno_name, name) == 0)
                        code = -e;
        }
        return code;
}

int parse_yes(const char *word, bool *ret, struct vss_error *reterr) {
        if (strcasecmp(word, "yes") != 0 && strcasecmp(word, "no") != 0)
                return vss_fail(reterr, E_INVALIDARG, "'%s' is neither yes nor no", word);
        *ret = strcasecmp(word, "yes") == 0;
        return 0;
}

int parse_id(const char *word, struct vss_id *ret, struct vss_error *reterr) {
        return vss_id_parse(word, ret) < 0 ? vss_fail(reterr, E_INVALIDARG, "'%s' is no id", word)
                                           : 0;
}

/* "/dir/pattern", cut in place */
int parse_file_set(char *text, struct vss_file_set *ret, struct vss_error *reterr) {
        char *slash = strrchr(text, '/');

        if (*text != '/' || !slash[1])
                return vss_fail(reterr, E_INVALIDARG, "'%s': write /dir/pattern", text);
        *slash = '\0';
        *ret = (struct vss_file_set){ .path = slash == text ? "/" : text, .filespec = slash + 1 };
        return 0;
}

int read_text(const char *word, char **ret, struct vss_error *reterr) {
        size_t size;
        int r;

        if (*word != '@') {
                *ret = strdup(word);
                return *ret ? 0 : -ENOMEM;
        }
        r = read_whole_file(AT_FDCWD, word + 1, MAX_TEXT, ret, &size);
        return r < 0 ? vss_fail(reterr, r, "cannot read '%s': %s", word + 1, strerror(-r)) : 0;
}
