/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * script.c - the test writer's own keys of a component: what it declares besides files, and what
 * it says in a backup or restore.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "test/test-writer.h"

static int bad_value(const char *value, const char *wanted, struct vss_error *reterr) {
        return util_fail(reterr, E_INVALIDARG, "'%s': write %s", value, wanted);
}

const struct script *test_find_script(const struct test_writer *test, const char *component) {
        for (size_t i = 0; i < test->script_count; i++)
                if (strcmp(test->scripts[i].component, component) == 0)
                        return &test->scripts[i];
        return NULL;
}

static struct script *get_script(struct test_writer *test, const char *component) {
        struct script *script = (struct script *)(uintptr_t)test_find_script(test, component);

        if (script)
                return script;
        if (GROW(&test->scripts, test->script_count) < 0)
                return NULL;
        script = &test->scripts[test->script_count];
        memset(script, 0, sizeof(*script));
        script->component = strdup(component);
        if (!script->component)
                return NULL;
        test->script_count++;
        return script;
}

/* ---- partial and differenced files ---- */

/* "full,log" or "any" into a bit per type */
static int set_types(char *value, uint32_t *ret, struct vss_error *reterr) {
        static const char *const types[] = { "full",  "incremental", "differential", "log", "copy",
                                             "other", NULL };
        char *word;

        *ret = 0;
        while ((word = strsep(&value, ","))) {
                int i = util_word_in(word, types);

                if (i >= 0)
                        *ret |= 1u << (i + VSS_BT_FULL);
                else if (strcmp(word, "any") == 0)
                        *ret = UINT32_MAX;
                else
                        return bad_value(word,
                                         "full, incremental, differential, log, copy, other, any",
                                         reterr);
        }
        return 0;
}

static int set_since(struct script_entry *entry, const char *value, struct vss_error *reterr) {
        uint64_t seconds;

        if (strcmp(value, "stamp") == 0) {
                entry->since_stamp = true;
                return 0;
        }
        if (util_number(value, INT32_MAX, &seconds) < 0)
                return bad_value(value, "since=SECONDS of 1970, since=stamp, or none for time 0",
                                 reterr);
        entry->since = vss_timestamp_from_unix((int64_t)seconds, 0);
        return 0;
}

/* 1 taken, 0 another word */
static int take_option(struct script_entry *entry, char *word, struct vss_error *reterr) {
        static const char *const moments[] = { "-", "prepare_backup", "post_snapshot", "both",
                                               NULL };
        char *value = strchr(word, '=');
        int r = 0;

        if (strcmp(word, "recursive") == 0) {
                entry->set.recursive = true;
                return 1;
        }
        if (!value)
                return 0;
        *value++ = '\0';
        if (strcmp(word, "types") == 0) {
                r = set_types(value, &entry->types, reterr);
        } else if (strcmp(word, "since") == 0) {
                r = set_since(entry, value, reterr);
        } else if (strcmp(word, "at") == 0 && (r = util_word_in(value, moments)) > 0) {
                entry->at = (unsigned)r;
        } else {
                value[-1] = '=';
                return 0;
        }
        return r < 0 ? r : 1;
}

/* what it names is not checked: a wrong entry is there to be refused by others */
static int set_name(struct script_entry *entry, char *word, struct vss_error *reterr) {
        char *slash = strrchr(word, '/');

        if (*word != '/' || !slash[1])
                return bad_value(word, "/dir/file or /dir/pattern", reterr);
        entry->set.filespec = strdup(slash + 1);
        slash[slash == word] = '\0';
        entry->set.path = strdup(word);
        return entry->set.path && entry->set.filespec ? 0 : -ENOMEM;
}

static int set_entry(struct script_entry *entry, bool partial, char *text,
                     struct vss_error *reterr) {
        char *rest = text, *word;
        int r = util_next_word(&rest, &word);

        if (r <= 0)
                return bad_value(text, "/dir/file", reterr);
        r = set_name(entry, word, reterr);
        if (r >= 0 && partial && (r = util_next_word(&rest, &word)) > 0)
                r = util_replace(&entry->ranges, word);
        if (r >= 0 && partial && !entry->ranges)
                return bad_value(text, "/dir/file RANGES [METADATA]", reterr);
        while (r >= 0 && (r = util_next_word(&rest, &word)) > 0) {
                r = take_option(entry, word, reterr);
                if (r == 0 && (!partial || entry->metadata))
                        return bad_value(word,
                                         "recursive, since=, at=prepare_backup|"
                                         "post_snapshot|both, types=TYPE,...",
                                         reterr);
                if (r == 0)
                        r = util_replace(&entry->metadata, word);
        }
        return r;
}

static void entry_done(struct script_entry *entry) {
        file_set_done(&entry->set);
        free(entry->ranges);
        free(entry->metadata);
}

static int add_entry(struct script *script, bool partial, const char *value,
                     struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        struct script_entry entry = { .at = AT_POST_SNAPSHOT,
                                      .types = 1u << VSS_BT_INCREMENTAL |
                                               1u << VSS_BT_DIFFERENTIAL };
        int r;

        if (!text || GROW(&script->entries, script->entry_count) < 0)
                return -ENOMEM;
        r = set_entry(&entry, partial, text, reterr);
        if (r < 0) {
                entry_done(&entry);
                return r;
        }
        script->entries[script->entry_count++] = entry;
        return 0;
}

/* ---- directed targets (R-125) ---- */

static void directed_done(struct directed *directed) {
        free(directed->from_path);
        free(directed->from_name);
        free(directed->from_ranges);
        free(directed->to_path);
        free(directed->to_name);
        free(directed->to_ranges);
}

static int split(char *word, char **path, char **name) {
        char *slash = strrchr(word, '/');

        if (!slash)
                return E_INVALIDARG;
        *name = strdup(slash + 1);
        slash[slash == word] = '\0';
        *path = strdup(word);
        return *name && *path ? 0 : -ENOMEM;
}

static int add_directed(struct script *script, const char *value, struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        struct directed d = { .from_path = NULL };
        char *rest = text, *words[4];
        size_t n = 0;
        int r;

        while (text && n < 4 && util_next_word(&rest, &words[n]) > 0)
                n++;
        if (!text || GROW(&script->directed, script->directed_count) < 0)
                return -ENOMEM;
        if (n < 4)
                return bad_value(value, "/dir/file RANGES /dir/file RANGES", reterr);
        d.from_ranges = strdup(words[1]);
        d.to_ranges = strdup(words[3]);
        r = split(words[0], &d.from_path, &d.from_name);
        if (r >= 0)
                r = split(words[2], &d.to_path, &d.to_name);
        if (r < 0 || !d.from_ranges || !d.to_ranges) {
                directed_done(&d);
                return r == E_INVALIDARG ? bad_value(value, "/dir/file twice", reterr) : -ENOMEM;
        }
        script->directed[script->directed_count++] = d;
        return 0;
}

/* ---- keys ---- */

static int set_failure(struct script *script, const char *value, struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word;
        int i = TEST_POST_SNAPSHOT;

        if (!text)
                return -ENOMEM;
        if (util_next_word(&rest, &word) <= 0 || (script->failure = test_code(word)) >= 0)
                return bad_value(value, "a code such as VSS_E_WRITERERROR_NONRETRYABLE", reterr);
        if (util_next_word(&rest, &word) > 0)
                i = util_word_in(word, test_event_names);
        if (i != TEST_PREPARE_BACKUP && i != TEST_POST_SNAPSHOT && i != TEST_PRE_RESTORE &&
            i != TEST_POST_RESTORE)
                return bad_value(value,
                                 "CODE [prepare_backup|post_snapshot|pre_restore|"
                                 "post_restore]",
                                 reterr);
        script->failure_at = (enum test_event)i;
        return 0;
}

/* "WORD [post_restore]": undefined, and what comes too late, are there to be refused */
static int set_target(struct script *script, const char *value, struct vss_error *reterr) {
        static const char *const targets[] = { "undefined", "original",          "alternate",
                                               "directed",  "original_location", NULL };
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word;
        int i;

        if (!text)
                return -ENOMEM;
        i = util_next_word(&rest, &word) > 0 ? util_word_in(word, targets) : -1;
        script->target_at = TEST_PRE_RESTORE;
        if (i >= 0 && util_next_word(&rest, &word) > 0) {
                script->target_at = TEST_POST_RESTORE;
                i = strcmp(word, test_event_names[TEST_POST_RESTORE]) == 0 ? i : -1;
        }
        if (i < 0)
                return bad_value(value,
                                 "original, alternate, directed, original_location or undefined, "
                                 "and post_restore behind it when it is to come there",
                                 reterr);
        script->restore_target = (uint32_t)i;
        script->has_target = true;
        return 0;
}

/* "EVENT words": what the operator reads of the component */
static int set_message(struct script *script, const char *value, struct vss_error *reterr) {
        size_t n = strcspn(value, " ");
        _cleanup_free_ char *event = strndup(value, n);
        char **message;

        if (!event)
                return -ENOMEM;
        message = strcmp(event, test_event_names[TEST_PRE_RESTORE]) == 0    ? &script->pre_message
                  : strcmp(event, test_event_names[TEST_POST_RESTORE]) == 0 ? &script->post_message
                                                                            : NULL;
        value += n + strspn(value + n, " ");
        return message && *value
                       ? util_replace(message, value)
                       : bad_value(value, "pre_restore TEXT or post_restore TEXT", reterr);
}

static int add_data(struct test_writer *test, const char *component, const char *value,
                    struct vss_error *reterr) {
        int r = GROW(&test->data, test->data_count);

        if (r >= 0)
                r = data_parse(component, value, &test->data[test->data_count], reterr);
        if (r >= 0)
                test->data_count++;
        return r;
}

/* what belongs to the declaration, and only a test wants to be able to write */
static int declare(struct tree_component *component, const char *key, const char *value,
                   struct vss_error *reterr) {
        static const char *const types[] = { "-", "database", "filegroup", NULL };
        int i;

        if (strcmp(key, "type") == 0) {
                i = util_word_in(value, types);
                component->database = i == 1;
                return i > 0 ? 1 : bad_value(value, "database or filegroup", reterr);
        }
        if (strcmp(key, "notify") != 0 && strcmp(key, "wants_restore_metadata") != 0)
                return 0;
        return util_bool(value, *key == 'n' ? &component->notify : &component->restore_metadata) < 0
                       ? bad_value(value, "yes or no", reterr)
                       : 1;
}

int script_configure(struct test_writer *test, struct tree_component *component, const char *key,
                     const char *value, struct vss_error *reterr) {
        static const char *const keys[] = { "partial",
                                            "differenced",
                                            "stamp",
                                            "provisional_stamp",
                                            "backup_metadata",
                                            "restore_metadata",
                                            "fail",
                                            "restore_target",
                                            "directed",
                                            "data",
                                            "message",
                                            "truncate",
                                            NULL };
        int i = util_word_in(key, keys), r;
        struct script *script;

        if (i < 0)
                return declare(component, key, value, reterr);
        script = get_script(test, component->name);
        if (!script)
                return -ENOMEM;
        if (i < 2) {
                r = add_entry(script, i == 0, value, reterr);
        } else if (i < 6) {
                char **const texts[] = { &script->stamp, &script->provisional_stamp,
                                         &script->backup_metadata, &script->restore_metadata };

                r = util_replace(texts[i - 2], value);
        } else if (i == 6) {
                r = set_failure(script, value, reterr);
        } else if (i == 7) {
                r = set_target(script, value, reterr);
        } else if (i == 8) {
                r = add_directed(script, value, reterr);
        } else if (i == 9) {
                r = add_data(test, component->name, value, reterr);
        } else if (i == 10) {
                r = set_message(script, value, reterr);
        } else {
                r = util_bool(value, &script->truncate) < 0 ? bad_value(value, "yes or no", reterr)
                                                            : 0;
        }
        return r < 0 ? r : 1;
}

void script_done(struct script *script) {
        for (size_t i = 0; i < script->entry_count; i++)
                entry_done(&script->entries[i]);
        for (size_t i = 0; i < script->directed_count; i++)
                directed_done(&script->directed[i]);
        free(script->entries);
        free(script->directed);
        free(script->component);
        free(script->stamp);
        free(script->provisional_stamp);
        free(script->backup_metadata);
        free(script->restore_metadata);
        free(script->pre_message);
        free(script->post_message);
}
