/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define _GNU_SOURCE
#include "files/restore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "files/program.h"

enum { DEFAULT_RESTORE_TIMEOUT_MS = 60000, MOST_MS = 600000 };

void restore_init(struct restore_programs *programs) {
        *programs = (struct restore_programs){ .timeout_ms = DEFAULT_RESTORE_TIMEOUT_MS };
}

void restore_done(struct restore_programs *programs) {
        free(programs->pre);
        free(programs->post);
}

int restore_configure(struct restore_programs *programs, const char *key, const char *value,
                      struct vss_error *reterr) {
        uint32_t ms;
        int r = 0;

        if (strcmp(key, "pre_restore") == 0)
                r = util_replace(&programs->pre, value);
        else if (strcmp(key, "post_restore") == 0)
                r = util_replace(&programs->post, value);
        else if (strcmp(key, "restore_timeout") != 0)
                return 0;
        else if (util_duration_ms(value, &ms) < 0 || ms == 0 || ms > MOST_MS)
                r = util_fail(reterr, E_INVALIDARG,
                              "'%s' is no duration up to 10min; write for example 60s", value);
        else
                programs->timeout_ms = ms;
        return r < 0 ? r : 1;
}

static int check_method(const struct tree *tree, struct vss_error *reterr) {
        bool at_boot = tree->method == VSS_RME_RESTORE_AT_REBOOT ||
                       tree->method == VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE;

        if (tree->method == VSS_RME_CUSTOM && !tree->procedure)
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] method custom: no backup program restores these files "
                                 "(R-56); tell the operator where it is written how to: "
                                 "procedure = TEXT");
        if (at_boot && tree->mapping_count > 0)
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] mapping: with a method that waits for a boot no file "
                                 "goes to another place (R-54); remove it, or take another method");
        return 0;
}

int restore_check(const struct restore_programs *programs, struct tree *tree,
                  struct vss_error *reterr) {
        int r = check_method(tree, reterr);

        if (r < 0 || (!programs->pre && !programs->post))
                return r;
        if (!tree->events_given)
                tree->writer_restore = VSS_WRE_ALWAYS;
        if (!programs->post)
                return util_fail(reterr, E_INVALIDARG,
                                 "[hooks] only pre_restore is given; what it begins post_restore "
                                 "must end: name both");
        if (programs->pre && tree->writer_restore != VSS_WRE_ALWAYS)
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] events: with a pre_restore program it must be always, "
                                 "or post_restore might never run");
        if (tree->writer_restore == VSS_WRE_NEVER)
                return util_fail(reterr, E_INVALIDARG,
                                 "[restore] events = never, and the post_restore program would "
                                 "never run; remove one");
        r = programs->pre ? program_check("pre_restore", programs->pre, reterr) : 0;
        return r < 0 ? r : program_check("post_restore", programs->post, reterr);
}

/* ---- the events ---- */

/* is it restored to where it lives? */
static bool is_concerned(const struct vss_component *component) {
        return vss_component_is_selected_for_restore(component) &&
               vss_component_get_new_target_count(component) == 0;
}

static struct vss_component *next_concerned(struct vss_writer_components *components, size_t *i) {
        size_t count = components ? vss_writer_components_get_component_count(components) : 0;

        while (*i < count) {
                struct vss_component *component =
                        vss_writer_components_get_component(components, (*i)++);

                if (is_concerned(component))
                        return component;
        }
        return NULL;
}

/* "VSS_COMPONENTS=logical\path\name", one per line; NULL: out of memory; *ret_count of them */
static char *name_components(struct vss_writer_components *components, size_t *ret_count) {
        const struct vss_component *component;
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        *ret_count = 0;
        if (!f)
                return NULL;
        fputs("VSS_COMPONENTS=", f);
        for (size_t i = 0; (component = next_concerned(components, &i)); (*ret_count)++) {
                const char *path = vss_component_get_logical_path(component);

                fprintf(f, "%s%s%s%s", *ret_count ? "\n" : "", path ? path : "",
                        path && *path ? "\\" : "", vss_component_get_component_name(component));
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

/* what the program said, on each component that it spoils */
static void tell_failure(struct vss_writer *writer, struct vss_writer_components *components,
                         bool before, int code, const char *words) {
        struct vss_component *component;

        for (size_t i = 0; (component = next_concerned(components, &i));) {
                (void)vss_component_set_failure(component, code, 0, words);
                (void)(before ? vss_component_set_pre_restore_failure_msg
                              : vss_component_set_post_restore_failure_msg)(component, words);
        }
        (void)vss_writer_set_writer_failure(writer, VSS_E_WRITERERROR_PARTIAL_FAILURE, 0, words);
}

static int run(const struct restore_programs *programs, const char *path, const char *event,
               const char *components, const char *status, struct vss_error *reterr) {
        char event_text[64], status_text[64];
        const char *const variables[] = { event_text, components, status ? status_text : NULL,
                                          NULL };

        (void)snprintf(event_text, sizeof(event_text), "VSS_EVENT=%s", event);
        (void)snprintf(status_text, sizeof(status_text), "VSS_STATUS=%s", status ? status : "");
        return program_run(path, variables, NULL, programs->timeout_ms, reterr);
}

int restore_begin(const struct restore_programs *programs, struct vss_writer *writer,
                  struct vss_writer_components *components, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error first = VSS_ERROR_INIT, second = VSS_ERROR_INIT,
                                         words = VSS_ERROR_INIT;
        _cleanup_free_ char *names = NULL;
        size_t count;
        int r, undone;

        if (!programs->pre)
                return 0;
        names = name_components(components, &count);
        if (!names || count == 0)
                return names ? 0 : -ENOMEM;
        r = run(programs, programs->pre, "pre_restore", names, NULL, &first);
        if (r >= 0)
                return 0;
        /* nothing will be copied: what it had begun ends now */
        undone = run(programs, programs->post, "post_restore", names, "none", &second);
        if (undone < 0)
                (void)util_fail(&words, r,
                                "pre_restore program: %s; and then the post_restore program: %s; "
                                "look after the application",
                                util_words(&first, r), util_words(&second, undone));
        else
                (void)util_fail(&words, r, "pre_restore program: %s", util_words(&first, r));
        tell_failure(writer, components, true, program_veto(r), util_words(&words, r));
        return 0;
}

/* for the program: "all" is in place, "none" was changed, "failed": anything else */
static const char *status_word(struct vss_writer_components *components) {
        const struct vss_component *component;
        bool all = true, none = true;

        for (size_t i = 0; (component = next_concerned(components, &i));) {
                uint32_t status = vss_component_get_file_restore_status(component);

                all &= status == VSS_RS_ALL;
                none &= status == VSS_RS_NONE;
        }
        return all ? "all" : none ? "none" : "failed";
}

/* more images follow for one of them; or the pre_restore program failed, and was undone then */
static bool is_not_yet(struct vss_writer_components *components) {
        const struct vss_component *component;

        for (size_t i = 0; (component = next_concerned(components, &i));)
                if (vss_component_get_additional_restores(component) ||
                    vss_component_get_pre_restore_failure_msg(component))
                        return true;
        return false;
}

int restore_end(const struct restore_programs *programs, struct vss_writer *writer,
                struct vss_writer_components *components, struct vss_error *reterr) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT, words = VSS_ERROR_INIT;
        _cleanup_free_ char *names = NULL;
        size_t count;
        int r;

        if (!programs->post || is_not_yet(components))
                return 0;
        names = name_components(components, &count);
        if (!names || count == 0)
                return names ? 0 : -ENOMEM;
        r = run(programs, programs->post, "post_restore", names, status_word(components), &error);
        if (r < 0) {
                (void)util_fail(&words, r, "post_restore program: %s; look after the application",
                                util_words(&error, r));
                tell_failure(writer, components, false, program_veto(r), util_words(&words, r));
        }
        return 0;
}
