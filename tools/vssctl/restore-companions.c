/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-companions.c - inside a choice: what comes along with a component, and what
 * belongs to a part of one.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "restore-choosing.h"
#include "vssctl.h"

/* ---- what comes along ---- */

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *format, ...) {
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        if (words)
                print_note(words);
}

/* add_along() - @index of a writer's components, because of what is chosen already; exit code */
static int add_along(struct choosing *c, uint32_t operation, const struct chosen_writer *writer,
                     size_t index, const char *why, const char *of, const char *rule) {
        const struct chosen_component *component = &writer->components[index];
        const struct component_key key = {
                .writer_id = writer->identity.writer_id,
                .instance_name =
                        writer->identity.instance_name ? writer->identity.instance_name : "",
                .type = component->info.type,
                .logical_path = component->info.logical_path ? component->info.logical_path : "",
                .name = component->info.name
        };
        struct set_place place;
        int r;

        if (catalogue_find(c->from->set, &key, &place) < 0 &&
            !choosing_above(c->from, writer, operation, index, &place))
                return EXIT_OK;
        r = choosing_add(c, &place, false);
        if (r > 0)
                note("component '%s' comes along: %s '%s' (%s)",
                     component_name(&set_place_component(&place)->key), why, of, rule);
        return r < 0 ? EXIT_MEMORY : EXIT_OK;
}

/* what its writer never leaves out */
static int add_required(struct choosing *c, uint32_t operation,
                        const struct chosen_writer *writer) {
        int r = EXIT_OK;

        for (size_t i = 0; r == EXIT_OK && i < writer->component_count; i++)
                if (writer->components[i].kind == VSS_COMPONENT_REQUIRED)
                        r = add_along(c, operation, writer, i, "it is required by its writer",
                                      writer->identity.name, "R-26");
        return r;
}

struct wanted_dependency {
        struct vss_id writer_id;
        const char *logical_path, *name;
};

static int add_dependency(struct choosing *c, const struct wanted_dependency *on, const char *of) {
        for (uint32_t o = 1; o <= c->from->set->operations_count; o++) {
                const struct stored_writers *stored = choosing_stored(c->from, o);

                for (size_t i = 0; stored && i < stored->all.writer_count; i++) {
                        const struct chosen_writer *writer = &stored->all.writers[i];
                        size_t at =
                                vss_id_equal(&writer->identity.writer_id, &on->writer_id)
                                        ? chosen_writer_find_key(writer, on->logical_path, on->name)
                                        : COMPONENT_NONE;

                        if (at != COMPONENT_NONE)
                                return add_along(c, o, writer, at, "it is needed by", of, "R-27");
                }
        }
        note("component '%s' needs '%s', which is not in this backup: see that it fits (R-27)", of,
             on->name);
        return EXIT_OK;
}

/* what a component of another writer is needed for */
static int add_dependencies(struct choosing *c, const struct chosen_writer *writer, size_t index) {
        const struct chosen_component *component = &writer->components[index];
        int r = EXIT_OK;

        for (size_t i = 0; r == EXIT_OK && i < component->info.dependency_count; i++) {
                const struct vss_wm_dependency *d =
                        vss_wm_component_get_dependency(component->component, i);
                const struct wanted_dependency on = { vss_wm_dependency_get_writer_id(d),
                                                      vss_wm_dependency_get_logical_path(d),
                                                      vss_wm_dependency_get_component_name(d) };

                r = add_dependency(c, &on, component->full_path);
        }
        return r;
}

/* has() - does component @index of its writer belong to what is chosen? */
static bool has(const struct chosen_image *image, size_t index) {
        if (image->whole)
                return stored_component_comes_with(image->writer, index, image->index);
        for (size_t i = 0; i < image->part_count; i++) {
                const char *part = image->writer->components[image->parts[i]].full_path;
                const char *path = image->writer->components[index].full_path;
                size_t n = strlen(part);

                if (strncmp(path, part, n) == 0 && (path[n] == '\0' || path[n] == '\\'))
                        return true;
        }
        return false;
}

/* choosing_companions() - what is added is looked at in its turn */
int choosing_companions(struct choosing *c) {
        int r = EXIT_OK;

        for (size_t i = 0; r == EXIT_OK && i < c->from->choice->count; i++) {
                struct chosen_image image;

                restore_know_writer(c->from, &c->from->choice->images[i]);
                image = c->from->choice->images[i]; /* adding moves them */
                if (!image.writer)
                        continue;
                r = add_required(c, image.place.operation, image.writer);
                for (size_t k = 0; r == EXIT_OK && k < image.writer->component_count; k++)
                        if (has(&image, k))
                                r = add_dependencies(c, image.writer, k);
        }
        return r;
}

/* ---- parts ---- */

/* choosing_list_parts() - the subcomponents as libvss names them, once nothing moves any more */
int choosing_list_parts(struct restore_choice *choice) {
        size_t count = 0;

        for (size_t i = 0; i < choice->count; i++)
                count += choice->images[i].whole ? 0 : choice->images[i].part_count;
        choice->parts = calloc(count + 1, sizeof(*choice->parts));
        if (!choice->parts)
                return EXIT_MEMORY;
        for (size_t i = 0; i < choice->count; i++) {
                const struct chosen_image *image = &choice->images[i];

                for (size_t k = 0; !image->whole && k < image->part_count; k++) {
                        const struct vss_component_info *part =
                                &image->writer->components[image->parts[k]].info;

                        choice->parts[choice->part_count++] = (struct wished_part){
                                .key = set_place_component(&image->place)->key,
                                .sub_logical_path = part->logical_path ? part->logical_path : "",
                                .sub_name = part->name
                        };
                }
        }
        return EXIT_OK;
}

struct matching {
        const char *name; /* of the file, after its folder */
        const char *folder;
        bool found;
};

static int match(void *userdata, const struct vss_wm_filedesc *file) {
        const char *folder = vss_wm_filedesc_get_path(file);
        struct matching *m = userdata;
        bool inside = path_is_below(m->folder, folder) &&
                      (vss_wm_filedesc_get_recursive(file) || path_is_below(folder, m->folder));

        m->found |= inside && vss_filespec_matches(vss_wm_filedesc_get_filespec(file), m->name);
        return 0;
}

bool restore_image_wants(const struct chosen_image *image, const char *path) {
        const char *name = strrchr(path, '/');
        _cleanup_free_ char *folder =
                name == path ? strdup("/") : strndup(path, (size_t)(name - path));
        struct matching m = { name + 1, folder, false };

        if (image->whole || !folder)
                return image->whole;
        for (size_t i = 0; !m.found && i < image->writer->component_count; i++)
                if (has(image, i))
                        (void)each_file_set(&image->writer->components[i], match, &m);
        return m.found;
}

struct chosen_image *restore_image_of(const struct restore_choice *choice,
                                      const struct component_key *key) {
        for (size_t i = 0; i < choice->count; i++)
                if (component_key_equal(&set_place_component(&choice->images[i].place)->key, key))
                        return &choice->images[i];
        return NULL;
}

int restore_for_each_file_set(const struct source_set *from, struct chosen_image *image,
                              file_set_fn fn, void *userdata) {
        int r = 0;

        restore_know_writer(from, image);
        for (size_t i = 0; r >= 0 && image->writer && i < image->writer->component_count; i++)
                if (has(image, i))
                        r = each_file_set(&image->writer->components[i], fn, userdata);
        return r;
}
