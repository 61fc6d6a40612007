/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files - a writer for any trees of files that a settings file declares, with programs of the
 * administrator's that hold the application off while the shadow copy is made.
 *
 * Whatever the freeze program began is undone by the thaw program: in thaw, at once when the
 * freeze program fails, in abort, or by a fresh process from the undo token. So the thaw program
 * may run more than once, and without the other having come to its end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/purge.h"
#include "common/tree.h"
#include "files/program.h"
#include "files/restore.h"

enum { DEFAULT_TIMEOUT_MS = 10000, DEFAULT_WINDOW_MS = 60000 };
enum { LOCK_NAME_SIZE = 64 };

struct files {
        struct tree tree;
        char *freeze, *thaw;
        uint32_t timeout_ms;
        bool affected; /* this set concerns us */
        bool begun; /* the freeze program was started and the thaw program is owed */
        struct restore_programs restore;
        bool incremental; /* entries for INCREMENTAL and DIFFERENTIAL are offered */
        char set_id[VSS_ID_TEXT_SIZE];
        char lock_name[LOCK_NAME_SIZE];
};

static struct files state; /* one writer per process: configure comes before there is a load */
static struct vss_writer_ops ops;

static void prepare_state(void) {
        if (state.timeout_ms)
                return;
        tree_init(&state.tree, VSS_WRE_NEVER);
        state.timeout_ms = DEFAULT_TIMEOUT_MS;
        restore_init(&state.restore);
}

static int configure_hooks(const char *key, const char *value, struct vss_error *reterr) {
        int r = restore_configure(&state.restore, key, value, reterr);

        if (r != 0)
                return r < 0 ? r : 0;
        if (strcmp(key, "timeout") == 0) {
                if (util_duration_ms(value, &state.timeout_ms) < 0 || state.timeout_ms == 0)
                        return util_fail(reterr, E_INVALIDARG,
                                         "'%s' is no duration; write for "
                                         "example 10s",
                                         value);
                return 0;
        }
        if (strcmp(key, "freeze") == 0)
                return util_replace(&state.freeze, value);
        if (strcmp(key, "thaw") == 0)
                return util_replace(&state.thaw, value);
        return util_fail(reterr, E_INVALIDARG,
                         "this key is unknown; known are freeze, thaw, timeout, pre_restore, "
                         "post_restore and restore_timeout");
}

static int configure_identity(const char *key, const char *value, struct vss_error *reterr) {
        static const char *const usages[] = { "boot", "service", "user", "other", NULL };
        static const char *const levels[] = { "system", "back_end", "front_end", NULL };
        int i;

        if (strcmp(key, "usage") == 0 && (i = util_word_in(value, usages)) >= 0)
                ops.usage = (uint32_t)(i + VSS_UT_BOOTABLESYSTEMSTATE);
        else if (strcmp(key, "level") == 0 && (i = util_word_in(value, levels)) >= 0)
                ops.level = (uint32_t)(i + VSS_APP_SYSTEM);
        else if (strcmp(key, "id") == 0 && vss_id_parse(value, &ops.id) >= 0)
                return 0;
        else if (strcmp(key, "window") == 0 && util_duration_ms(value, &ops.freeze_timeout_ms) >= 0)
                return 0;
        else
                return util_fail(reterr, E_INVALIDARG,
                                 "'%s': write usage = boot|service|user|other, "
                                 "level = front_end|back_end|system, window = 60s or id = UUID",
                                 value);
        return 0;
}

static int configure(struct vss_writer *writer, const char *section, const char *key,
                     const char *value, struct vss_error *reterr) {
        int r;

        prepare_state();
        if (strcmp(section, "hooks") == 0)
                return configure_hooks(key, value, reterr);
        if (strcmp(section, "identity") == 0)
                return configure_identity(key, value, reterr);
        if (strcmp(section, "backup") == 0) {
                if (strcmp(key, "incremental") != 0 || util_bool(value, &state.incremental) < 0)
                        return util_fail(reterr, E_INVALIDARG,
                                         "'%s': write incremental = yes or no", value);
                return 0;
        }
        r = tree_configure(&state.tree, section, key, value, reterr);
        if (r == 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "this section is unknown; known are [component NAME], [hooks], "
                                 "[restore], [backup] and [identity]");
        return r < 0 ? r : 0;
}

static int check_hooks(struct vss_error *reterr) {
        uint32_t window = ops.freeze_timeout_ms ? ops.freeze_timeout_ms : DEFAULT_WINDOW_MS;
        int r;

        if (!state.freeze && !state.thaw)
                return 0;
        if (!state.freeze || !state.thaw)
                return util_fail(reterr, E_INVALIDARG,
                                 "[hooks] only %s is given; what freeze begins thaw must undo: "
                                 "name both",
                                 state.freeze ? "freeze" : "thaw");
        /* W-6: freeze and the thaw after it fail within the window, before the service acts */
        if (state.timeout_ms > window / 3)
                return util_fail(reterr, E_INVALIDARG,
                                 "[hooks] timeout: %u ms is more than a third of the window of "
                                 "%u ms; lower it, or raise [identity] window",
                                 state.timeout_ms, window);
        r = program_check("freeze", state.freeze, reterr);
        return r < 0 ? r : program_check("thaw", state.thaw, reterr);
}

static int load(struct vss_writer *writer, struct vss_error *reterr) {
        int r;

        prepare_state();
        if (state.incremental)
                state.tree.schema |= VSS_BS_INCREMENTAL | VSS_BS_DIFFERENTIAL | VSS_BS_LAST_MODIFY;
        /* whoever asks may put them anywhere, into any instance: they are files */
        state.tree.schema |=
                VSS_BS_WRITER_SUPPORTS_NEW_TARGET | VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE;
        r = tree_check(&state.tree, reterr);
        if (r >= 0)
                r = restore_check(&state.restore, &state.tree, reterr);
        return r < 0 ? r : check_hooks(reterr);
}

static int identify(struct vss_writer *writer, struct vss_create_writer_metadata *metadata,
                    struct vss_error *reterr) {
        return tree_identify(&state.tree, metadata, reterr);
}

/* ---- one backup ---- */

/* the differenced entry of one file set: time 0, the requester's own records decide (I-103) */
static int offer_set(struct vss_component *component, const struct file_set *set,
                     struct vss_error *reterr) {
        return vss_component_add_differenced_files_by_last_modify_time(
                component, set->path, set->filespec, set->recursive, 0, reterr);
}

static int offer_component(struct vss_component *component, struct vss_error *reterr) {
        const struct tree_component *top = tree_match(&state.tree, component);
        int r = 0;

        for (size_t i = 0; top && i < state.tree.component_count; i++) {
                const struct tree_component *member = &state.tree.components[i];

                if (member != top && !(top->selectable && tree_is_below(member, top)))
                        continue;
                for (size_t j = 0; r >= 0 && j < member->set_count; j++)
                        r = offer_set(component, &member->sets[j], reterr);
        }
        return r;
}

/* I-95, I-165: entries for a type of which we keep no history ourselves */
static int offer_differenced(struct vss_writer *writer, struct vss_writer_components *components,
                             struct vss_error *reterr) {
        uint32_t type = vss_writer_get_backup_type(writer);
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;
        int r = 0;

        if (!state.incremental || (type != VSS_BT_INCREMENTAL && type != VSS_BT_DIFFERENTIAL))
                return 0;
        for (size_t i = 0; r >= 0 && i < count; i++)
                r = offer_component(vss_writer_components_get_component(components, i), reterr);
        return r;
}

static int prepare_backup(struct vss_writer *writer, struct vss_writer_components *components,
                          struct vss_error *reterr) {
        struct vss_id session = vss_writer_get_session_id(writer);

        if (tree_select(&state.tree, &session, components) < 0)
                return util_fail(reterr, VSS_E_WRITERERROR_OUTOFRESOURCES, "out of memory");
        return offer_differenced(writer, components, reterr);
}

/* Text, so that a person who finds one can act on it; the path last, because it holds any byte. */
static int deposit(struct vss_writer *writer) {
        _cleanup_free_ char *token = NULL;
        int size = asprintf(&token, "files 1\nlock %s\nset %s\ntimeout %u\nthaw %s",
                            state.lock_name, state.set_id, state.timeout_ms, state.thaw);

        if (size < 0)
                return -ENOMEM;
        return vss_writer_deposit_undo(writer, token, (size_t)size);
}

static int prepare_snapshot(struct vss_writer *writer, struct vss_error *reterr) {
        struct vss_id set = vss_writer_get_current_snapshot_set_id(writer);
        uint64_t random[2];
        int r;

        r = tree_affected(&state.tree, writer, reterr);
        state.affected = r > 0;
        if (r <= 0 || !state.freeze)
                return r < 0 ? r : 0;
        (void)vss_id_format(&set, state.set_id);
        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return util_fail(reterr, -errno, "no random numbers: %s", strerror(errno));
        (void)snprintf(state.lock_name, sizeof(state.lock_name), "vss-hook-%016jx%016jx",
                       (uintmax_t)random[0], (uintmax_t)random[1]);
        r = deposit(writer);
        return r < 0 ? util_fail(reterr, r, "the undo token was not taken: %s", vss_error_name(r))
                     : 0;
}

/* freeze and thaw: told the event and the set */
static int run_hook(const char *path, const char *event, const char *set_id, const char *lock_name,
                    uint32_t timeout_ms, struct vss_error *reterr) {
        char event_text[64], set_text[64];
        const char *const variables[] = { event_text, set_text, NULL };

        (void)snprintf(event_text, sizeof(event_text), "VSS_EVENT=%s", event);
        (void)snprintf(set_text, sizeof(set_text), "VSS_SET_ID=%s", set_id);
        return program_run(path, variables, lock_name, timeout_ms, reterr);
}

static int run_thaw(struct vss_error *reterr) {
        int r;

        if (!state.begun)
                return 0;
        r = run_hook(state.thaw, "thaw", state.set_id, NULL, state.timeout_ms, reterr);
        if (r >= 0)
                state.begun = false;
        return r;
}

static int freeze(struct vss_writer *writer, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error first = VSS_ERROR_INIT, second = VSS_ERROR_INIT;
        int r, undone;

        if (!state.affected || !state.freeze)
                return 0;
        state.begun = true;
        r = run_hook(state.freeze, "freeze", state.set_id, state.lock_name, state.timeout_ms,
                     &first);
        if (r >= 0)
                return 0;
        undone = run_thaw(&second);
        if (undone < 0)
                return util_fail(reterr, program_veto(r),
                                 "freeze program: %s; and then the thaw program: %s; it is tried "
                                 "once more, look after the application",
                                 util_words(&first, r), util_words(&second, undone));
        return util_fail(reterr, program_veto(r), "freeze program: %s", util_words(&first, r));
}

static int thaw(struct vss_writer *writer, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        int r = run_thaw(&error);

        if (r < 0)
                return util_fail(reterr, VSS_E_WRITERERROR_NONRETRYABLE,
                                 "thaw program: %s; it is tried once more, look after the "
                                 "application",
                                 util_words(&error, r));
        return 0;
}

/* S-57: what is excluded from the copy goes, as far as it can be done */
static int post_snapshot(struct vss_writer *writer, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        if (state.affected)
                purge_copies(writer, state.tree.purges, state.tree.purge_count);
        return 0;
}

static void writer_abort(struct vss_writer *writer) {
        (void)run_thaw(NULL);
        state.affected = false;
}

static void backup_shutdown(struct vss_writer *writer, const struct vss_id *set_id) {
        struct vss_id session = vss_writer_get_session_id(writer);

        writer_abort(writer);
        tree_forget(&state.tree, &session);
}

static void unload(struct vss_writer *writer) {
        (void)run_thaw(NULL);
        tree_done(&state.tree);
        free(state.freeze);
        free(state.thaw);
        restore_done(&state.restore);
        memset(&state, 0, sizeof(state));
}

/* ---- one restore ---- */

static int pre_restore(struct vss_writer *writer, struct vss_writer_components *components,
                       struct vss_error *reterr) {
        return restore_begin(&state.restore, writer, components, reterr);
}

static int post_restore(struct vss_writer *writer, struct vss_writer_components *components,
                        struct vss_error *reterr) {
        return restore_end(&state.restore, writer, components, reterr);
}

/* ---- in a fresh process ---- */

static int undo(struct vss_writer *writer, const void *token, size_t size,
                struct vss_error *reterr) {
        _cleanup_free_ char *text = strndup(token, size), *thaw_path = NULL;
        char lock[LOCK_NAME_SIZE], set[VSS_ID_TEXT_SIZE];
        unsigned timeout_ms;
        int offset = 0, r;

        if (!text)
                return -ENOMEM;
        if (sscanf(text, "files 1\nlock %63s\nset %36s\ntimeout %u\nthaw %n", lock, set,
                   &timeout_ms, &offset) != 3 ||
            offset == 0)
                return util_fail(reterr, E_INVALIDARG, "this is no undo token of this writer");
        thaw_path = strdup(text + offset);
        if (!thaw_path)
                return -ENOMEM;
        /* The dead one's freeze program is being killed by its keeper; thaw after it, not before.
         * If it should not go away, thawing is still the best that can be done. */
        (void)program_wait_gone(lock, timeout_ms);
        r = run_hook(thaw_path, "thaw", set, NULL, timeout_ms, reterr);
        return r < 0 ? vss_wrap(reterr, r, "thaw program of a writer that died") : 0;
}

static struct vss_writer_ops ops = {
        .name = "Files",
        .version_major = 1,
        .id = { { 0x5a, 0x0e, 0x3c, 0x51, 0x77, 0x0d, 0x4b, 0x6e, 0x9d, 0x21, 0x6f, 0x1b, 0x8c,
                  0x94, 0x02, 0xe7 } },
        .usage = VSS_UT_USERDATA,
        .source = VSS_ST_OTHER,
        .configure = configure,
        .load = load,
        .unload = unload,
        .identify = identify,
        .prepare_backup = prepare_backup,
        .prepare_snapshot = prepare_snapshot,
        .freeze = freeze,
        .thaw = thaw,
        .post_snapshot = post_snapshot,
        .abort = writer_abort,
        .backup_shutdown = backup_shutdown,
        .undo = undo,
        .pre_restore = pre_restore,
        .post_restore = post_restore,
};

VSS_WRITER(ops);
