/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-wishes.c - see restore-wishes.h.
 */
#define _GNU_SOURCE
#include "backup/restore-wishes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

/* concerns() - are the wishes for this component? */
static bool concerns(const struct restore_wishes *wishes, const struct component_key *key) {
        for (size_t i = 0; i < wishes->component_count; i++)
                if (component_key_equal(&wishes->components[i], key))
                        return true;
        return wishes->component_count == 0;
}

bool restore_wishes_need_writer(const struct restore_wishes *wishes,
                                const struct component_key *key) {
        return concerns(wishes, key) &&
               (wishes->target_count > 0 || wishes->name || wishes->options || wishes->instance ||
                wishes->authoritative || wishes->roll_forward != VSS_RF_UNDEFINED);
}

int restore_wishes_destination(const struct restore_wishes *wishes, const char *path, char **ret) {
        const struct restore_mapping *best = NULL;
        const char *rest;

        *ret = NULL;
        for (size_t i = 0; i < wishes->target_count; i++)
                if (path_is_below(path, wishes->targets[i].from) &&
                    (!best || strlen(wishes->targets[i].from) > strlen(best->from)))
                        best = &wishes->targets[i];
        if (!best)
                return 0;
        rest = path + strlen(best->from);
        rest += *rest == '/';
        *ret = *rest ? path_join(best->to, rest) : strdup(best->to);
        return *ret ? 0 : -ENOMEM;
}

int restore_wishes_parts(const struct restore_wishes *wishes, const struct component_key *key,
                         struct restore_part **ret, size_t *ret_count) {
        *ret = calloc((wishes ? wishes->part_count : 0) + 1, sizeof(**ret));
        if (!*ret)
                return -ENOMEM;
        for (size_t i = 0; wishes && i < wishes->part_count; i++)
                if (component_key_equal(&wishes->parts[i].key, key))
                        (*ret)[(*ret_count)++] =
                                (struct restore_part){ wishes->parts[i].sub_logical_path,
                                                       wishes->parts[i].sub_name };
        return 0;
}

/* ---- the instance (R-29) ---- */

static bool is_instance(const char *wanted, const struct vss_writer_identity *writer) {
        struct vss_id id;

        if (vss_id_parse(wanted, &id) >= 0)
                return vss_id_equal(&id, &writer->instance_id);
        return writer->instance_name && strcmp(wanted, writer->instance_name) == 0;
}

static int no_instance(const char *wanted, const char *running, struct vss_error *reterr) {
        if (!*running)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "no instance of its writer runs, so '%s' cannot take it: start it",
                                wanted);
        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "its writer has no running instance '%s'; there are: %s", wanted, running);
}

int restore_wishes_instance(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                            const struct component_key *key, struct vss_id *ret,
                            struct vss_error *reterr) {
        _cleanup_free_ char *running = strdup("");
        size_t count = 0;
        int r;

        *ret = (struct vss_id){ { 0 } };
        if (!wishes->instance || !concerns(wishes, key))
                return 0;
        r = vss_backup_components_get_writer_metadata_count(bc, &count, reterr);
        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct vss_examine_writer_metadata *metadata;
                struct vss_writer_identity writer;
                struct vss_id instance;
                char *more;

                if (vss_backup_components_get_writer_metadata(bc, i, &instance, &metadata, NULL) <
                    0)
                        continue;
                vss_examine_writer_metadata_get_identity(metadata, &writer);
                if (!vss_id_equal(&writer.writer_id, &key->writer_id))
                        continue;
                if (is_instance(wishes->instance, &writer)) {
                        *ret = writer.instance_id;
                        return 0;
                }
                if (!running || asprintf(&more, "%s%s'%s'", running, *running ? ", " : "",
                                         writer.instance_name ? writer.instance_name : "") < 0)
                        return vss_fail(reterr, -ENOMEM, "out of memory");
                free(running);
                running = more;
        }
        return r < 0 ? r : no_instance(wishes->instance, running ? running : "", reterr);
}

/* ---- new targets (R-82, R-94) ---- */

struct targeting {
        const struct restore_wishes *wishes;
        struct vss_backup_components *bc;
        const struct vss_component_key *key;
        size_t count;
        struct vss_error *reterr;
};

static int add_target(void *userdata, const struct vss_wm_filedesc *file) {
        struct targeting *t = userdata;
        const struct vss_file_set from = { .path = vss_wm_filedesc_get_path(file),
                                           .filespec = vss_wm_filedesc_get_filespec(file),
                                           .recursive = vss_wm_filedesc_get_recursive(file) };
        _cleanup_free_ char *path = strdup(from.path), *to = NULL;
        size_t size = path ? strlen(path) : 0;
        int r;

        while (size > 1 && path[size - 1] == '/')
                path[--size] = '\0';
        r = path ? restore_wishes_destination(t->wishes, path, &to) : -ENOMEM;
        if (r < 0)
                return vss_fail(t->reterr, r, "out of memory");
        if (!to)
                return 0;
        t->count++;
        return vss_backup_components_add_new_target(t->bc, t->key, &from, to, t->reterr);
}

static int add_targets(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                       const struct component_key *key, const struct vss_component_key *public,
                       const struct stored_writers *stored, struct vss_error *reterr) {
        struct targeting t = { wishes, bc, public, 0, reterr };
        size_t explicit;
        const struct chosen_writer *writer = stored_writers_find(stored, key, &explicit);
        int r = 0;

        if (!writer)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "what its writer declared cannot be read from the backup, so it "
                                "cannot go to another place; restore it with --into");
        for (size_t i = 0; r >= 0 && i < writer->component_count; i++)
                if (stored_component_comes_with(writer, i, explicit))
                        r = each_file_set(&writer->components[i], add_target, &t);
        if (r >= 0 && t.count == 0)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                                "none of its files lies in a folder that has a new target");
        return r;
}

/* ---- all of it ---- */

static int add_parts(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                     const struct component_key *key, const struct vss_component_key *public,
                     struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < wishes->part_count; i++)
                if (component_key_equal(&wishes->parts[i].key, key))
                        r = vss_backup_components_add_restore_subcomponent(
                                bc, public, wishes->parts[i].sub_logical_path,
                                wishes->parts[i].sub_name, reterr);
        return r;
}

int restore_wishes_apply(const struct restore_wishes *wishes, struct vss_backup_components *bc,
                         const struct component_key *key, const struct stored_writers *stored,
                         struct vss_error *reterr) {
        const struct vss_component_key public = { .writer_id = key->writer_id,
                                                  .type = key->type,
                                                  .logical_path = *key->logical_path
                                                                          ? key->logical_path
                                                                          : NULL,
                                                  .name = key->name };
        int r = add_parts(wishes, bc, key, &public, reterr);

        if (r < 0 || !concerns(wishes, key))
                return r;
        if (wishes->options)
                r = vss_backup_components_set_restore_options(bc, &public, wishes->options, reterr);
        if (r >= 0 && wishes->name)
                r = vss_backup_components_set_restore_name(bc, &public, wishes->name, reterr);
        if (r >= 0 && wishes->authoritative)
                r = vss_backup_components_set_authoritative_restore(bc, &public, true, reterr);
        if (r >= 0 && wishes->roll_forward != VSS_RF_UNDEFINED)
                r = vss_backup_components_set_roll_forward(bc, &public, wishes->roll_forward,
                                                           wishes->point, reterr);
        if (r >= 0 && wishes->target_count > 0)
                r = add_targets(wishes, bc, key, &public, stored, reterr);
        return r;
}
