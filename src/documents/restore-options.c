/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-options.c - the string of SetRestoreOptions: taking it apart, putting it
 * together, and what of it a component is meant by. What an option wants is the writer's business.
 */
#include "documents/restore-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "documents/text.h"

struct vss_restore_options {
        char *text; /* what the pairs point into */
        struct vss_restore_option *items;
        size_t count, capacity;
};

struct vss_restore_options *vss_restore_options_free(struct vss_restore_options *options) {
        if (options) {
                free(options->text);
                free(options->items);
                free(options);
        }
        return NULL;
}
DEFINE_CLEANUP(struct vss_restore_options *, vss_restore_options_free)

/* ---- taking apart ---- */

static char *skip_space(char *p) {
        return p + strspn(p, " \t\r\n");
}

/* cut_quoted() - the text between two quotes, cut off in place; *p goes behind it and the blanks
 * after it. NULL when there is none */
static char *cut_quoted(char **p) {
        char *start = skip_space(*p), *end = *start == '"' ? strchr(start + 1, '"') : NULL;

        if (!end)
                return NULL;
        *end = '\0';
        *p = skip_space(end + 1);
        return start + 1;
}

/* cut_pair() - pair = [ quoted ":" ] quoted "=" quoted */
static bool cut_pair(char **p, struct vss_restore_option *ret) {
        *ret = (struct vss_restore_option){ .name = cut_quoted(p) };
        if (ret->name && **p == ':') {
                ret->component = ret->name;
                (*p)++;
                ret->name = cut_quoted(p);
        }
        if (!ret->name || **p != '=')
                return false;
        (*p)++;
        ret->value = cut_quoted(p);
        return ret->value;
}

static bool same_option(const struct vss_restore_option *a, const struct vss_restore_option *b) {
        return strcasecmp(a->name, b->name) == 0 && strcasecmp(a->value, b->value) == 0 &&
               (a->component && b->component ? strcasecmp(a->component, b->component) == 0
                                             : a->component == b->component);
}

/* "Authoritative"="All" can be said once only */
static int check_option(const struct vss_restore_option *items, size_t count,
                        const struct vss_restore_option *option, struct vss_error *reterr) {
        bool all = strcasecmp(option->name, "Authoritative") == 0 &&
                   strcasecmp(option->value, "All") == 0;

        for (size_t i = 0; all && i < count; i++)
                if (same_option(&items[i], option))
                        return vss_fail(reterr, E_INVALIDARG,
                                        "\"Authoritative\"=\"All\" is there twice (R-44)");
        return 0;
}

static int take_apart(struct vss_restore_options *options, struct vss_error *reterr) {
        char *p = options->text;

        for (;;) {
                struct vss_restore_option option;
                int r;

                if (!cut_pair(&p, &option))
                        return E_INVALIDARG;
                r = check_option(options->items, options->count, &option, reterr);
                if (r >= 0)
                        r = ARRAY_RESERVE(&options->items, options->count, &options->capacity);
                if (r < 0)
                        return r;
                options->items[options->count++] = option;
                if (*p != ',')
                        return *p ? E_INVALIDARG : 0;
                p++;
        }
}

int vss_restore_options_parse(const char *text, struct vss_restore_options **ret,
                              struct vss_error *reterr) {
        _cleanup_(vss_restore_options_freep) struct vss_restore_options *options =
                calloc(1, sizeof(*options));
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        char excerpt[TEXT_EXCERPT_SIZE];
        int r;

        if (!text)
                return vss_fail(reterr, E_INVALIDARG, "the restore options are missing");
        if (options)
                options->text = strdup(text);
        if (!options || !options->text)
                return vss_fail(reterr, -ENOMEM, "out of memory for restore options");
        r = take_apart(options, &error);
        if (r < 0 && error.message)
                return vss_fail(reterr, r, "%s", error.message);
        if (r == E_INVALIDARG)
                return vss_fail(reterr, r,
                                "restore options must read \"Name\"=\"Value\", or "
                                "\"Component\": \"Name\"=\"Value\", with commas between, not '%s'",
                                text_excerpt(text, strlen(text), excerpt));
        if (r < 0)
                return vss_fail(reterr, r, "out of memory for restore options");
        *ret = take(options);
        return 0;
}

/* ---- looking ---- */

size_t vss_restore_options_get_count(const struct vss_restore_options *options) {
        return options->count;
}

int vss_restore_options_get(const struct vss_restore_options *options, size_t index,
                            struct vss_restore_option *ret) {
        if (index >= options->count)
                return VSS_E_OBJECT_NOT_FOUND;
        *ret = options->items[index];
        return 0;
}

static size_t trimmed(const char *path) {
        size_t n = path ? strlen(path) : 0;

        while (n > 0 && path[n - 1] == '\\')
                n--;
        return n;
}

bool vss_restore_option_covers(const struct vss_restore_option *option, const char *logical_path,
                               const char *name) {
        size_t n = option->component ? trimmed(option->component) : 0, path = trimmed(logical_path);
        struct text full = { 0 };
        bool covers;

        if (!option->component)
                return true;
        text_add(&full, logical_path, path);
        text_add_string(&full, path > 0 ? "\\" : "");
        text_add_string(&full, name);
        covers = !full.failed && full.size >= n &&
                 strncasecmp(full.data, option->component, n) == 0 &&
                 (full.data[n] == '\0' || full.data[n] == '\\');
        text_done(&full);
        return covers;
}

int vss_restore_options_find(const struct vss_restore_options *options, size_t *index,
                             const char *logical_path, const char *name, const char *option,
                             const char **ret_value) {
        while (*index < options->count) {
                const struct vss_restore_option *o = &options->items[(*index)++];

                if (strcasecmp(o->name, option) != 0 ||
                    !vss_restore_option_covers(o, logical_path, name))
                        continue;
                *ret_value = o->value;
                return 0;
        }
        return S_FALSE;
}

/* ---- putting together ---- */

static int add_quoted(struct text *text, const char *part, struct vss_error *reterr) {
        char excerpt[TEXT_EXCERPT_SIZE];

        if (!part)
                return vss_fail(reterr, E_INVALIDARG, "a restore option needs a name and a value");
        if (strchr(part, '"')) /* OQ-R9 */
                return vss_fail(reterr, E_INVALIDARG,
                                "restore options cannot hold a double quote: '%s'",
                                text_excerpt(part, strlen(part), excerpt));
        text_add_string(text, "\"");
        text_add_string(text, part);
        text_add_string(text, "\"");
        return 0;
}

int vss_restore_options_format(const struct vss_restore_option *options, size_t count, char **ret,
                               struct vss_error *reterr) {
        struct text text = { 0 };
        int r = count > 0 ? 0
                          : vss_fail(reterr, E_INVALIDARG, "there is no option to put together");

        for (size_t i = 0; r >= 0 && i < count; i++) {
                const struct vss_restore_option *o = &options[i];

                text_add_string(&text, i > 0 ? ", " : "");
                if (o->component) {
                        r = add_quoted(&text, o->component, reterr);
                        text_add_string(&text, ": ");
                }
                r = r < 0 ? r : add_quoted(&text, o->name, reterr);
                text_add_string(&text, "=");
                r = r < 0 ? r : add_quoted(&text, o->value, reterr);
                r = r < 0 ? r : check_option(options, i, o, reterr);
        }
        if (r >= 0 && text.failed)
                r = vss_fail(reterr, -ENOMEM, "out of memory for restore options");
        if (r >= 0)
                *ret = take(text.data);
        text_done(&text);
        return r;
}

/* ---- the same said twice (R-45) ---- */

/* "All", "None", "Partial:x" and the typed call; NULL: the option says nothing that differs */
static bool same_roll_forward(uint32_t type, const char *point, const char *value) {
        if (type == VSS_RF_NONE || type == VSS_RF_ALL)
                return strcasecmp(value, type == VSS_RF_ALL ? "All" : "None") == 0;
        return strncasecmp(value, "Partial:", 8) == 0 && point && strcmp(value + 8, point) == 0;
}

/* the option may bear the logical path as well */
static bool same_name(const char *name, const char *value) {
        const char *last = strrchr(value, '\\');

        return strcmp(name, value) == 0 || (last && strcmp(name, last + 1) == 0);
}

static bool differs(const struct restore_choice *typed, size_t which, const char *value) {
        switch (which) {
        case 0:
                return typed->has_authoritative &&
                       (strcasecmp(value, "All") != 0 || !typed->authoritative);
        case 1:
                return typed->roll_forward != VSS_RF_UNDEFINED &&
                       !same_roll_forward(typed->roll_forward, typed->point, value);
        default:
                return typed->name && !same_name(typed->name, value);
        }
}

const char *restore_options_contradict(const struct vss_restore_options *options,
                                       const char *logical_path, const char *name,
                                       const struct restore_choice *typed, size_t which,
                                       const char **ret_value) {
        static const char *const names[] = { "Authoritative", "Roll Forward",
                                             "New Component Name" };
        size_t index = 0;

        if (which >= sizeof(names) / sizeof(names[0]))
                return NULL;
        while (vss_restore_options_find(options, &index, logical_path, name, names[which],
                                        ret_value) == 0)
                if (differs(typed, which, *ret_value))
                        return names[which];
        return "";
}
