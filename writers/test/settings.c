/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settings.c - the test writer's own keys: section [test], and some more in [component NAME].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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

int test_code(const char *word) {
        if (strcmp(word, "retryable") == 0)
                return VSS_E_WRITERERROR_RETRYABLE;
        if (strcmp(word, "nonretryable") == 0)
                return VSS_E_WRITERERROR_NONRETRYABLE;
        return vss_error_from_name(word);
}

static int set_fail(struct fault *fault, char *rest, struct vss_error *reterr) {
        static const char wanted[] = "EVENT VSS_E_...|retryable|nonretryable [soft] [TIMES]";
        char *word;

        if (util_next_word(&rest, &word) <= 0 || (fault->code = test_code(word)) >= 0)
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
                     { "independent", VSS_BS_INDEPENDENT_SYSTEM_STATE },
                     { "restore_with_move", VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE },
                     { "parallel", VSS_BS_WRITER_SUPPORTS_PARALLEL_RESTORES },
                     { "new_target", VSS_BS_WRITER_SUPPORTS_NEW_TARGET },
                     { "rollforward", VSS_BS_ROLLFORWARD_RESTORE },
                     { "rename", VSS_BS_RESTORE_RENAME },
                     { "authoritative", VSS_BS_AUTHORITATIVE_RESTORE } };
        _cleanup_free_ char *text = strdup(value);
        char *rest = text, *word;

        test->tree.schema = 0;
        while (text && (word = strsep(&rest, ", "))) {
                uint64_t mask;
                size_t i = 0;

                if (util_number(word, UINT32_MAX, &mask) >= 0) {
                        test->tree.schema |= (uint32_t)mask;
                        continue;
                }

                while (i < ELEMENTSOF(bits) && strcmp(bits[i].word, word) != 0)
                        i++;
                if (i < ELEMENTSOF(bits))
                        test->tree.schema |= bits[i].bit;
                else if (*word)
                        return bad_value(word,
                                         "differential, incremental, exclusive, log, copy, "
                                         "timestamped, last_modify, new_target, rollforward, "
                                         "rename, authoritative, independent, "
                                         "restore_with_move, parallel, or a number",
                                         reterr);
        }
        return text ? 0 : -ENOMEM;
}

/* "2.5" */
static int set_version(struct vss_writer_ops *ops, const char *value) {
        return sscanf(value, "%" SCNu32 ".%" SCNu32, &ops->version_major, &ops->version_minor) == 2
                       ? 0
                       : E_INVALIDARG;
}

static int set_identity(struct vss_writer_ops *ops, const char *key, const char *value) {
        static const char *const usages[] = { "boot", "service", "user", "other", NULL };
        static const char *const levels[] = { "system", "back_end", "front_end", NULL };
        static const char *const sources[] = { "transacted", "nontransacted", "other", NULL };
        int i;

        if (strcmp(key, "id") == 0)
                return vss_id_parse(value, &ops->id);
        if (strcmp(key, "window") == 0)
                return util_duration_ms(value, &ops->freeze_timeout_ms);
        if (strcmp(key, "version") == 0)
                return set_version(ops, value);
        if (strcmp(key, "usage") == 0 && (i = util_word_in(value, usages)) >= 0)
                ops->usage = (uint32_t)(i + VSS_UT_BOOTABLESYSTEMSTATE);
        else if (strcmp(key, "source") == 0 && (i = util_word_in(value, sources)) >= 0)
                ops->source = (uint32_t)(i + VSS_ST_TRANSACTEDDB);
        else if (strcmp(key, "level") == 0 && (i = util_word_in(value, levels)) >= 0)
                ops->level = (uint32_t)(i + VSS_APP_SYSTEM);
        else
                return E_INVALIDARG;
        return 0;
}

static int set_test(struct test_writer *test, struct vss_writer_ops *ops, const char *key,
                    const char *value, struct vss_error *reterr) {
        static const char *const faults[] = { "fail", "delay", "die", "hang", NULL };
        static const char *const identity[] = { "level",  "usage",   "window", "id",
                                                "source", "version", NULL };
        static const char *const switches[] = { "check_includes", "check_excludes", "delete_files",
                                                "anything", NULL };
        bool *const bools[] = { &test->check_includes, &test->check_excludes, &test->delete_files,
                                &test->tree.anything };
        int i = util_word_in(key, switches);

        if (i >= 0)
                return util_bool(value, bools[i]) < 0 ? bad_value(value, "yes or no", reterr) : 0;
        if (util_word_in(key, faults) >= 0)
                return set_fault(test, key, value, reterr);
        if (util_word_in(key, identity) >= 0)
                return set_identity(ops, key, value) < 0
                               ? bad_value(value,
                                           "front_end|back_end|system, boot|service|user|other, "
                                           "transacted|nontransacted|other, a duration, an id, "
                                           "a version such as 1.0",
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

static int set_name(char *name, size_t size, const char *value, struct vss_error *reterr) {
        if (!*value || strlen(value) >= size)
                return bad_value(value, "a name of at most 127 bytes", reterr);
        memcpy(name, value, strlen(value) + 1);
        return 0;
}

int test_configure(struct test_writer *test, struct vss_writer_ops *ops, char *name, size_t size,
                   const char *section, const char *key, const char *value,
                   struct vss_error *reterr) {
        struct tree_component *component;
        int r;

        if (strcmp(section, "test") == 0 && strcmp(key, "name") == 0)
                return set_name(name, size, value, reterr);
        if (strcmp(section, "test") == 0)
                return set_test(test, ops, key, value, reterr);
        component = tree_find(&test->tree, section, &r, reterr);
        if (component)
                r = script_configure(test, component, key, value, reterr);
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
        for (size_t i = 0; i < test->script_count; i++)
                script_done(&test->scripts[i]);
        free(test->scripts);
        for (size_t i = 0; i < test->data_count; i++)
                data_done(&test->data[i]);
        free(test->data);
        free(test->log);
        free(test->held_file);
        tree_done(&test->tree);
        memset(test, 0, sizeof(*test));
}
