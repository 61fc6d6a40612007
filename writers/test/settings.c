/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c - the test writer's own keys: section [test], and some more in [component NAME].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "test/test-writer.h"

const char *const test_event_names[TEST_EVENT_COUNT + 1] = { "identify",
                                                             "prepare_backup",
                                                             "prepare_snapshot",
                                                             "freeze",
                                                             "thaw",
                                                             "post_snapshot",
                                                             "abort",
                                                             "backup_complete",
                                                             "backup_shutdown",
                                                             "pre_restore",
                                                             "post_restore",
                                                             "undo",
                                                             NULL };

static int bad_value(const char *value, const char *wanted, struct vss_error *reterr) {
        return util_fail(reterr, E_INVALIDARG, "'%s': write %s", value, wanted);
}

/* "EVENT rest": the fault of the event, and the rest of the words */
static int take_event(struct test_writer *test, char **rest, struct fault **ret,
                      struct vss_error *reterr) {
        char *word;
        int i = -1;

        if (util_next_word(rest, &word) > 0)
                i = util_word_in(word, test_event_names);
        if (i < 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "the first word is no event; known are identify, prepare_backup, "
                                 "prepare_snapshot, freeze, thaw, post_snapshot, abort, "
                                 "backup_complete, backup_shutdown, pre_restore, post_restore, "
                                 "undo");
        *ret = &test->faults[i];
        return 0;
}

static int set_fail(struct fault *fault, char *rest, struct vss_error *reterr) {
        static const char wanted[] = "EVENT VSS_E_... [soft] [TIMES]";
        char *word;

        if (util_next_word(&rest, &word) <= 0 || (fault->code = vss_error_from_name(word)) >= 0)
                return bad_value(rest, wanted, reterr);
        fault->times = UINT64_MAX;
        while (util_next_word(&rest, &word) > 0)
                if (strcmp(word, "soft") == 0)
                        fault->soft = true;
                else if (util_number(word, UINT32_MAX, &fault->times) < 0)
                        return bad_value(word, wanted, reterr);
        return 0;
}

static int set_fault(struct test_writer *test, const char *key, const char *value,
                     struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word;
        struct fault *fault = NULL;
        int r = text ? take_event(test, &rest, &fault, reterr) : -ENOMEM;

        if (r < 0)
                return r;
        if (strcmp(key, "fail") == 0)
                return set_fail(fault, rest, reterr);
        if (strcmp(key, "delay") == 0)
                return util_next_word(&rest, &word) > 0 &&
                                       util_duration_ms(word, &fault->delay_ms) >= 0
                               ? 0
                               : bad_value(value, "EVENT 500ms", reterr);
        if (strcmp(key, "die") == 0)
                fault->die = true;
        else
                fault->hang = true;
        return 0;
}

static int set_schema(struct test_writer *test, const char *value, struct vss_error *reterr) {
        static const struct {
                const char *word;
                uint32_t bit;
        } bits[] = { { "differential", VSS_BS_DIFFERENTIAL },
                     { "incremental", VSS_BS_INCREMENTAL },
                     { "exclusive", VSS_BS_EXCLUSIVE_INCREMENTAL_DIFFERENTIAL },
                     { "log", VSS_BS_LOG },
                     { "copy", VSS_BS_COPY },
                     { "timestamped", VSS_BS_TIMESTAMPED },
                     { "last_modify", VSS_BS_LAST_MODIFY },
                     { "new_target", VSS_BS_WRITER_SUPPORTS_NEW_TARGET },
                     { "rollforward", VSS_BS_ROLLFORWARD_RESTORE },
                     { "rename", VSS_BS_RESTORE_RENAME },
                     { "authoritative", VSS_BS_AUTHORITATIVE_RESTORE } };
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word;

        test->tree.schema = 0;
        while (text && (word = strsep(&rest, ", "))) {
                size_t i = 0;

                while (i < ELEMENTSOF(bits) && strcmp(bits[i].word, word) != 0)
                        i++;
                if (i < ELEMENTSOF(bits))
                        test->tree.schema |= bits[i].bit;
                else if (*word)
                        return bad_value(word,
                                         "differential, incremental, exclusive, log, copy, "
                                         "timestamped, last_modify, new_target, rollforward, "
                                         "rename, authoritative",
                                         reterr);
        }
        return text ? 0 : -ENOMEM;
}

static int set_identity(struct vss_writer_ops *ops, const char *key, const char *value) {
        static const char *const usages[] = { "boot", "service", "user", "other", NULL };
        static const char *const levels[] = { "system", "back_end", "front_end", NULL };
        int i;

        if (strcmp(key, "id") == 0)
                return vss_id_parse(value, &ops->id);
        if (strcmp(key, "window") == 0)
                return util_duration_ms(value, &ops->freeze_timeout_ms);
        i = util_word_in(value, strcmp(key, "usage") == 0 ? usages : levels);
        if (i >= 0 && strcmp(key, "usage") == 0)
                ops->usage = (uint32_t)(i + VSS_UT_BOOTABLESYSTEMSTATE);
        else if (i >= 0)
                ops->level = (uint32_t)(i + VSS_APP_SYSTEM);
        return i < 0 ? E_INVALIDARG : 0;
}

static int set_test(struct test_writer *test, struct vss_writer_ops *ops, const char *key,
                    const char *value, struct vss_error *reterr) {
        static const char *const faults[] = { "fail", "delay", "die", "hang", NULL };
        static const char *const identity[] = { "level", "usage", "window", "id", NULL };
        static const char *const switches[] = { "check_includes", "check_excludes", "delete_files",
                                                NULL };
        bool *const bools[] = { &test->check_includes, &test->check_excludes, &test->delete_files };
        int i = util_word_in(key, switches);

        if (i >= 0)
                return util_bool(value, bools[i]) < 0 ? bad_value(value, "yes or no", reterr) : 0;
        if (util_word_in(key, faults) >= 0)
                return set_fault(test, key, value, reterr);
        if (util_word_in(key, identity) >= 0)
                return set_identity(ops, key, value) < 0
                               ? bad_value(value,
                                           "front_end|back_end|system, boot|service|user|other, a "
                                           "duration, an id",
                                           reterr)
                               : 0;
        if (strcmp(key, "schema") == 0)
                return set_schema(test, value, reterr);
        if (strcmp(key, "log") == 0)
                return util_replace(&test->log, value);
        if (strcmp(key, "held_file") == 0)
                return util_replace(&test->held_file, value);
        return util_fail(reterr, E_INVALIDARG, "this key is unknown; writers.md lists them");
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

/* cut the last words off that belong to us, then the rest is a file set */
static int set_partial(struct script_entry *entry, char *text, struct vss_error *reterr) {
        char *rest = text, *path, *ranges, *metadata;

        if (util_next_word(&rest, &path) <= 0 || util_next_word(&rest, &ranges) <= 0)
                return bad_value(text, "/dir/file RANGES [METADATA]", reterr);
        if (util_next_word(&rest, &metadata) > 0 && util_replace(&entry->metadata, metadata) < 0)
                return -ENOMEM;
        if (util_replace(&entry->ranges, ranges) < 0)
                return -ENOMEM;
        return file_set_parse(path, 0, &entry->set, reterr);
}

static int set_differenced(struct script_entry *entry, char *text, struct vss_error *reterr) {
        char *since = strstr(text, " since=");
        uint64_t seconds = 0;

        if (since) {
                *since = '\0';
                if (util_number(since + 7, INT32_MAX, &seconds) < 0)
                        return bad_value(since + 1, "since=SECONDS of 1970, or none for time 0",
                                         reterr);
                entry->since = vss_timestamp_from_unix((int64_t)seconds, 0);
        }
        return file_set_parse(text, 0, &entry->set, reterr);
}

static void entry_done(struct script_entry *entry) {
        file_set_done(&entry->set);
        free(entry->ranges);
        free(entry->metadata);
}

static int add_entry(struct script *script, bool partial, const char *value,
                     struct vss_error *reterr) {
        _cleanup_free_ char *text = strdup(value);
        struct script_entry entry = { .since = 0 };
        int r;

        if (!text || GROW(&script->entries, script->entry_count) < 0)
                return -ENOMEM;
        r = partial ? set_partial(&entry, text, reterr) : set_differenced(&entry, text, reterr);
        if (r < 0) {
                entry_done(&entry);
                return r;
        }
        script->entries[script->entry_count++] = entry;
        return 0;
}

/* 1 taken, 0 not a key of ours */
static int set_component(struct test_writer *test, const char *component, const char *key,
                         const char *value, struct vss_error *reterr) {
        static const char *const keys[] = { "partial",          "differenced", "stamp",
                                            "restore_metadata", "fail",        "restore_target",
                                            "truncate",         NULL };
        static const char *const targets[] = { "-",        "original",          "alternate",
                                               "directed", "original_location", NULL };
        int i = util_word_in(key, keys), r = 0;
        struct script *script = i < 0 ? NULL : get_script(test, component);

        if (i < 0)
                return 0;
        if (!script)
                return -ENOMEM;
        if (i < 2)
                r = add_entry(script, i == 0, value, reterr);
        else if (i < 4)
                r = util_replace(i == 2 ? &script->stamp : &script->restore_metadata, value);
        else if (i == 4 && (script->failure = vss_error_from_name(value)) >= 0)
                r = bad_value(value, "a code such as VSS_E_WRITERERROR_NONRETRYABLE", reterr);
        else if (i == 5 && (r = util_word_in(value, targets)) <= 0)
                r = bad_value(value, "original, alternate, directed or original_location", reterr);
        else if (i == 5)
                script->restore_target = (uint32_t)r;
        else if (i == 6 && util_bool(value, &script->truncate) < 0)
                r = bad_value(value, "yes or no", reterr);
        return r < 0 ? r : 1;
}

int test_configure(struct test_writer *test, struct vss_writer_ops *ops, const char *section,
                   const char *key, const char *value, struct vss_error *reterr) {
        struct tree_component *component;
        int r;

        if (strcmp(section, "test") == 0)
                return set_test(test, ops, key, value, reterr);
        component = tree_find(&test->tree, section, &r, reterr);
        if (component)
                r = set_component(test, component->name, key, value, reterr);
        if (r != 0)
                return r < 0 ? r : 0;
        r = tree_configure(&test->tree, section, key, value, reterr);
        if (r == 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "this section is unknown; known are [test], [component NAME] "
                                 "and [restore]");
        return r < 0 ? r : 0;
}

void test_done(struct test_writer *test) {
        for (size_t i = 0; i < test->script_count; i++) {
                struct script *script = &test->scripts[i];

                for (size_t j = 0; j < script->entry_count; j++)
                        entry_done(&script->entries[j]);
                free(script->entries);
                free(script->component);
                free(script->stamp);
                free(script->restore_metadata);
        }
        free(test->scripts);
        free(test->log);
        free(test->held_file);
        tree_done(&test->tree);
        memset(test, 0, sizeof(*test));
}
