/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-restore.c - the requester's calls of a restore, one line of a script each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "betest.h"

#define CALL(verb)                                                                                 \
        static int call_##verb(struct run *run, const struct words *words, struct vss_error *reterr)

CALL(initialize_for_restore) {
        _cleanup_free_ char *xml = NULL;
        int r = read_text(words->items[0], &xml, reterr);

        if (r >= 0)
                r = vss_backup_components_initialize_for_restore(run->bc, xml, reterr);
        run->is_restore = run->is_restore || r >= 0;
        return r;
}

CALL(set_restore_state) {
        static const struct word types[] = { { "by_copy", VSS_RTYPE_BY_COPY },
                                             { "import", VSS_RTYPE_IMPORT },
                                             { "other", VSS_RTYPE_OTHER },
                                             { NULL, 0 } };
        uint32_t type;
        int r = word_value(types, words->items[0], &type, reterr);

        return r < 0 ? r : vss_backup_components_set_restore_state(run->bc, type, reterr);
}

/* ---- selection ---- */

static int remember(struct run *run, struct chosen *take_chosen) {
        if (!find_chosen(run, take_chosen))
                return add_chosen(run, take_chosen);
        chosen_done(take_chosen);
        return 0;
}

CALL(set_selected_for_restore) {
        struct chosen chosen;
        struct vss_id instance;
        bool selected;
        int r = parse_yes(words->items[1], &selected, reterr);

        if (r >= 0 && words->count > 2)
                r = parse_id(words->items[2], &instance, reterr);
        if (r >= 0)
                r = find_component(run, words->items[0], &chosen, reterr);
        if (r < 0)
                return r;
        r = vss_backup_components_set_selected_for_restore(
                run->bc, &chosen.key, selected, words->count > 2 ? &instance : NULL, reterr);
        if (r >= 0 && selected)
                return remember(run, &chosen);
        chosen_done(&chosen);
        return r;
}

static int select_all_of(struct run *run, struct vss_writer_components *components,
                         struct vss_error *reterr) {
        struct vss_id instance, class;
        int r = 0;

        vss_writer_components_get_writer_info(components, &instance, &class);
        for (size_t i = 0; r >= 0 && i < vss_writer_components_get_component_count(components);
             i++) {
                const struct vss_component *c = vss_writer_components_get_component(components, i);
                const char *path = vss_component_get_logical_path(c);
                struct chosen chosen = { .instance = instance,
                                         .key.writer_id = class,
                                         .key.type = vss_component_get_component_type(c) };

                chosen.key.name = strdup(vss_component_get_component_name(c));
                chosen.key.logical_path = path ? strdup(path) : NULL;
                if (!chosen.key.name || (path && !chosen.key.logical_path)) {
                        chosen_done(&chosen);
                        return -ENOMEM;
                }
                r = vss_backup_components_set_selected_for_restore(run->bc, &chosen.key, true, NULL,
                                                                   reterr);
                if (r >= 0)
                        r = remember(run, &chosen);
                else
                        chosen_done(&chosen);
        }
        return r;
}

CALL(select_components) {
        size_t writers = 0;
        int r = vss_backup_components_get_writer_components_count(run->bc, &writers, reterr);

        for (size_t i = 0; r >= 0 && i < writers; i++) {
                struct vss_writer_components *components;

                r = vss_backup_components_get_writer_components(run->bc, i, &components, reterr);
                if (r >= 0)
                        r = select_all_of(run, components, reterr);
        }
        return r < 0 ? r : run->chosen_count == 0 ? S_FALSE : 0;
}

CALL(add_restore_subcomponent) {
        _cleanup_free_ char *path = NULL;
        const char *text = words->items[1], *last = strrchr(text, '\\');
        struct chosen chosen;
        int r = find_component(run, words->items[0], &chosen, reterr);

        if (r < 0)
                return r;
        path = strndup(text, last ? (size_t)(last - text) : 0);
        r = !path ? -ENOMEM
                  : vss_backup_components_add_restore_subcomponent(run->bc, &chosen.key, path,
                                                                   last ? last + 1 : text, reterr);
        chosen_done(&chosen);
        return r;
}

CALL(select_dependencies) {
        size_t added = 0;
        int r = vss_backup_components_select_dependencies(run->bc, &added, reterr);

        if (r < 0)
                return r;
        say_begin("dependencies");
        say_number("selected", (int64_t)added);
        say_end();
        return r;
}

/* that a call before this one warned of it; without words: that there is no warning */
CALL(expect_warning) {
        const char *told = vss_backup_components_get_warnings(run->bc);

        if (words->count == 0 ? !*told : strstr(told, words->items[0]) != NULL)
                return 0;
        return vss_fail(reterr, VSS_E_UNEXPECTED, "the warnings are: %s", *told ? told : "none");
}

/* ---- what is told of a component ---- */

#define WITH_COMPONENT(expression)                                                                 \
        do {                                                                                       \
                struct chosen chosen;                                                              \
                int r_ = find_component(run, words->items[0], &chosen, reterr);                    \
                                                                                                   \
                if (r_ < 0)                                                                        \
                        return r_;                                                                 \
                r_ = (expression);                                                                 \
                chosen_done(&chosen);                                                              \
                return r_;                                                                         \
        } while (0)

CALL(set_restore_options) {
        _cleanup_free_ char *text = NULL;
        int r = read_text(words->items[1], &text, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(
                vss_backup_components_set_restore_options(run->bc, &chosen.key, text, reterr));
}

CALL(set_additional_restores) {
        bool yes;
        int r = parse_yes(words->items[1], &yes, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(
                vss_backup_components_set_additional_restores(run->bc, &chosen.key, yes, reterr));
}

/* the same for everything that is selected */
CALL(additional_restores) {
        bool yes;
        int r = parse_yes(words->items[0], &yes, reterr);

        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++)
                r = vss_backup_components_set_additional_restores(run->bc, &run->chosen[i].key, yes,
                                                                  reterr);
        return r;
}

CALL(set_authoritative_restore) {
        bool yes;
        int r = parse_yes(words->items[1], &yes, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(
                vss_backup_components_set_authoritative_restore(run->bc, &chosen.key, yes, reterr));
}

CALL(set_roll_forward) {
        static const struct word types[] = { { "none", VSS_RF_NONE },
                                             { "all", VSS_RF_ALL },
                                             { "partial", VSS_RF_PARTIAL },
                                             { NULL, 0 } };
        uint32_t type;
        int r = word_value(types, words->items[1], &type, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(vss_backup_components_set_roll_forward(run->bc, &chosen.key, type,
                                                              words->items[2], reterr));
}

CALL(set_restore_name) {
        WITH_COMPONENT(vss_backup_components_set_restore_name(run->bc, &chosen.key, words->items[1],
                                                              reterr));
}

CALL(set_ranges_file_path) {
        uint32_t index;
        int r = word_value((const struct word[]){ { "first", 0 }, { NULL, 0 } }, words->items[1],
                           &index, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(vss_backup_components_set_ranges_file_path(run->bc, &chosen.key, index,
                                                                  words->items[2], reterr));
}

static int elsewhere(struct run *run, const struct words *words,
                     int (*call)(struct vss_backup_components *, const struct vss_component_key *,
                                 const struct vss_file_set *, const char *, struct vss_error *),
                     struct vss_error *reterr) {
        struct vss_file_set set;
        int r = parse_file_set(words->items[1], &set, reterr);

        if (r < 0)
                return r;
        set.recursive = words->count > 3 && strcmp(words->items[3], "recursive") == 0;
        WITH_COMPONENT(call(run->bc, &chosen.key, &set, words->items[2], reterr));
}

CALL(add_new_target) {
        return elsewhere(run, words, vss_backup_components_add_new_target, reterr);
}

CALL(add_alternative_location_mapping) {
        return elsewhere(run, words, vss_backup_components_add_alternative_location_mapping,
                         reterr);
}

CALL(set_file_restore_status) {
        uint32_t status;
        int r = word_value(status_words, words->items[1], &status, reterr);

        if (r < 0)
                return r;
        WITH_COMPONENT(vss_backup_components_set_file_restore_status(run->bc, &chosen.key, status,
                                                                     reterr));
}

/* as "restore_files" found it, or one word for all */
CALL(set_statuses) {
        uint32_t all = VSS_RS_UNDEFINED;
        int r = words->count ? word_value(status_words, words->items[0], &all, reterr) : 0;

        for (size_t i = 0; r >= 0 && i < run->chosen_count; i++) {
                const struct chosen *c = &run->chosen[i];
                uint32_t status = c->done ? c->status : VSS_RS_NONE;

                r = vss_backup_components_set_file_restore_status(
                        run->bc, &c->key, words->count ? all : status, reterr);
        }
        return r;
}

/* ---- the two events ---- */

CALL(pre_restore) {
        struct vss_async *async = NULL;
        int r = vss_backup_components_pre_restore(run->bc, &async, reterr);

        run->under_way = run->under_way || r >= 0;
        return finish(run, r, async, reterr);
}

CALL(post_restore) {
        struct vss_async *async = NULL;
        int r;

        back_before_post_restore(run);
        r = vss_backup_components_post_restore(run->bc, &async, reterr);
        r = finish(run, r, async, reterr);
        back_after_post_restore(run);
        run->under_way = run->under_way && r < 0;
        return r;
}

const struct call calls_restore[] = {
        { "initialize_for_restore", "@FILE", 1, 1, call_initialize_for_restore },
        { "set_restore_state", "TYPE", 1, 1, call_set_restore_state },
        { "set_selected_for_restore", "COMPONENT yes|no [INSTANCE-ID]", 2, 3,
          call_set_selected_for_restore },
        { "select_components", "", 0, 0, call_select_components },
        { "add_restore_subcomponent", "COMPONENT PATH", 2, 2, call_add_restore_subcomponent },
        { "select_dependencies", "", 0, 0, call_select_dependencies },
        { "set_restore_options", "COMPONENT TEXT", 2, 2, call_set_restore_options },
        { "set_additional_restores", "COMPONENT yes|no", 2, 2, call_set_additional_restores },
        { "additional_restores", "yes|no", 1, 1, call_additional_restores },
        { "set_authoritative_restore", "COMPONENT yes|no", 2, 2, call_set_authoritative_restore },
        { "set_roll_forward", "COMPONENT none|all|partial [POINT]", 2, 3, call_set_roll_forward },
        { "set_restore_name", "COMPONENT NAME", 2, 2, call_set_restore_name },
        { "add_new_target", "COMPONENT /DIR/PATTERN DIR [recursive]", 3, 4, call_add_new_target },
        { "pre_restore", "", 0, 0, call_pre_restore },
        { "add_alternative_location_mapping", "COMPONENT /DIR/PATTERN DIR [recursive]", 3, 4,
          call_add_alternative_location_mapping },
        { "set_ranges_file_path", "COMPONENT INDEX FILE", 3, 3, call_set_ranges_file_path },
        { "set_file_restore_status", "COMPONENT none|all|failed", 2, 2,
          call_set_file_restore_status },
        { "set_statuses", "[none|all|failed]", 0, 1, call_set_statuses },
        { "post_restore", "", 0, 0, call_post_restore },
        { "expect_warning", "[TEXT]", 0, 1, call_expect_warning },
        { NULL, NULL, 0, 0, NULL },
};
