/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-choice.c - what of a backup 'vssctl restore' is about: the images of the components and
 * paths that were named, whether all that was named is there, and what comes along with it. Decided
 * before the first byte is written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore-choosing.h"
#include "vssctl.h"

/* ---- what the set holds ---- */

static size_t *slot_of(struct restore_choice *choice, const struct set_place *place) {
        return &choice->operations[place->operation - 1].slots[place->component];
}

/* has_files() - a component of which nothing was ever stored has no image to restore */
static bool has_files(const struct set_component *component) {
        return component->entries > 0 || !vss_id_is_null(&component->base);
}

/* holds() - is this path in this image? */
static bool holds(const struct source_set *from, const struct chain *chain, const char *path) {
        const struct entry *entry;
        struct view *view;
        bool found;

        if (view_open(from->store, chain, path, &view, NULL) < 0)
                return false;
        found = view_next(view, &entry, NULL) == 1;
        view_close(view);
        return found;
}

struct reaching {
        struct choosing *c;
        bool known, any;
};

static int reach(void *userdata, const struct vss_wm_filedesc *file) {
        const char *folder = vss_wm_filedesc_get_path(file);
        struct reaching *reaching = userdata;
        const struct restore_order *order = reaching->c->from->order;

        reaching->known = true;
        for (size_t i = 0; i < order->path_count; i++)
                if (path_is_below(order->paths[i], folder) ||
                    path_is_below(folder, order->paths[i]))
                        reaching->any = reaching->c->path_found[i] = true;
        return 0;
}

/* may_hold_any() - of a chain with a gap, by what the writer declared; without that it may */
static bool may_hold_any(struct choosing *c, const struct set_place *place) {
        struct chosen_image image = { .place = *place, .whole = true };
        struct reaching reaching = { c, false, false };

        if (place->component > 0)
                (void)restore_for_each_file_set(c->from, &image, reach, &reaching);
        if (!reaching.known)
                memset(c->path_found, true, c->from->order->path_count);
        return !reaching.known || reaching.any;
}

/* holds_any() - of the paths asked for; notes which, and that it was so. Without paths: of course
 */
static bool holds_any(struct choosing *c, const struct set_place *place) {
        const struct restore_order *order = c->from->order;
        struct chain chain = { 0 };
        bool any = order->path_count == 0;

        if (any)
                return true;
        if (chain_of(c->from->sets, place, &chain, NULL) < 0) {
                /* what is wrong with the chain is told when it is restored */
                any = may_hold_any(c, place);
                c->any_path |= any;
                return any;
        }
        for (size_t i = 0; i < order->path_count; i++)
                if (holds(c->from, &chain, order->paths[i]))
                        any = c->path_found[i] = true;
        chain_done(&chain);
        c->any_path |= any;
        return any;
}

/* choosing_stored() - the writers of an operation, read when first asked for; NULL: they cannot be
 */
const struct stored_writers *choosing_stored(const struct source_set *from, uint32_t operation) {
        struct choice_operation *o = &from->choice->operations[operation - 1];

        if (!o->tried) {
                o->tried = true;
                o->good = stored_writers_load(from->store, from->set, operation, &o->writers,
                                              NULL) >= 0;
        }
        return o->good ? &o->writers : NULL;
}

void restore_know_writer(const struct source_set *from, struct chosen_image *image) {
        const struct stored_writers *stored;

        if (image->place.component == 0 || image->writer)
                return;
        stored = choosing_stored(from, image->place.operation);
        if (stored)
                image->writer = stored_writers_find(
                        stored, &set_place_component(&image->place)->key, &image->index);
}

/* ---- by name ---- */

static int add_image(struct choosing *c, const struct set_place *place, bool named,
                     struct chosen_image **ret) {
        struct restore_choice *choice = c->from->choice;
        size_t *slot = slot_of(choice, place);
        struct chosen_image *image;

        if (*slot == 0) {
                if (ARRAY_RESERVE(&choice->images, choice->count, &choice->capacity) < 0)
                        return -ENOMEM;
                choice->images[choice->count++] = (struct chosen_image){ .place = *place };
                *slot = choice->count;
        }
        image = &choice->images[*slot - 1];
        image->named |= named;
        *ret = image;
        return 0;
}

int choosing_add(struct choosing *c, const struct set_place *place, bool named) {
        struct chosen_image *image;
        int r;

        if (!has_files(set_place_component(place)) ||
            (!named && *slot_of(c->from->choice, place) > 0))
                return 0;
        r = add_image(c, place, named, &image);
        if (r < 0 || image->whole)
                return r;
        image->whole = true;
        return 1;
}

static int add_named(struct choosing *c, const char *name, bool *found) {
        const struct set_info *set = c->from->set;
        int r = 0;

        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; r >= 0 && k < set->operations[i].components_count; k++) {
                        const struct set_place place = { set, set->operations[i].number,
                                                         (uint32_t)k };
                        const struct set_component *component = &set->operations[i].components[k];

                        if (!*component->key.name || !component_is_named(name, &component->key))
                                continue;
                        *found = true;
                        if (has_files(component) && holds_any(c, &place))
                                r = choosing_add(c, &place, true);
                }
        return r;
}

bool choosing_above(const struct source_set *from, const struct chosen_writer *writer,
                    uint32_t operation, size_t index, struct set_place *ret) {
        const struct set_operation *op = &from->set->operations[operation - 1];

        for (size_t at = writer->components[index].above; at != COMPONENT_NONE;
             at = writer->components[at].above)
                for (size_t k = 1; k < op->components_count; k++) {
                        const struct component_key *key = &op->components[k].key;

                        if (!vss_id_equal(&key->writer_id, &writer->identity.writer_id) ||
                            chosen_writer_find_key(writer, key->logical_path, key->name) != at)
                                continue;
                        *ret = (struct set_place){ from->set, operation, (uint32_t)k };
                        return true;
                }
        return false;
}

static bool is_of_writer(const char *name, size_t length, const struct chosen_writer *writer) {
        struct vss_id id;

        if (vss_id_parse(strndupa(name, length), &id) >= 0)
                return vss_id_equal(&id, &writer->identity.writer_id);
        return strlen(writer->identity.name) == length &&
               strncmp(name, writer->identity.name, length) == 0;
}

/* find_part() - "PATH" or "WRITER:PATH" among what @writer declared */
static size_t find_part(const struct chosen_writer *writer, const char *name) {
        const char *colon = strchr(name, ':');
        size_t at = chosen_writer_find(writer, name);

        if (at == COMPONENT_NONE && colon && is_of_writer(name, (size_t)(colon - name), writer))
                at = chosen_writer_find(writer, colon + 1);
        return at;
}

/* add_part() - R-23: a subcomponent alone, if its writer lets it come alone; exit code */
static int add_part(struct choosing *c, const struct set_place *place,
                    const struct chosen_writer *writer, size_t index) {
        const struct set_component *above = set_place_component(place);
        const struct chosen_component *part = &writer->components[index];
        struct chosen_image *image;

        if (!part->info.selectable_for_restore)
                return usage_error("'%s' does not come back alone: its writer says so; it is part "
                                   "of '%s', which does",
                                   printable(part->full_path),
                                   printable(component_name(&above->key)));
        if (!has_files(above) || !holds_any(c, place))
                return EXIT_OK;
        if (add_image(c, place, true, &image) < 0 ||
            ARRAY_RESERVE(&image->parts, image->part_count, &image->part_capacity) < 0)
                return EXIT_MEMORY;
        image->writer = writer;
        image->parts[image->part_count++] = index;
        return EXIT_OK;
}

/* add_parts() - the subcomponents called @name; exit code */
static int add_parts(struct choosing *c, const char *name, bool *found) {
        int r = EXIT_OK;

        for (uint32_t o = 1; r == EXIT_OK && o <= c->from->set->operations_count; o++) {
                const struct stored_writers *stored = choosing_stored(c->from, o);

                for (size_t i = 0; stored && r == EXIT_OK && i < stored->all.writer_count; i++) {
                        const struct chosen_writer *writer = &stored->all.writers[i];
                        size_t at = find_part(writer, name);
                        struct set_place place;

                        if (at == COMPONENT_NONE || !choosing_above(c->from, writer, o, at, &place))
                                continue;
                        *found = true;
                        r = add_part(c, &place, writer, at);
                }
        }
        return r;
}

static int not_there(const char *what, const char *name) {
        return usage_error("nothing is restored: there is no such %s in this backup: '%s'; 'vssctl "
                           "list backups' shows its components, 'vssctl list paths' its paths",
                           what, printable(name));
}

static int choose_named(struct choosing *c) {
        const struct component_list *names = &c->from->order->components;

        for (size_t i = 0; i < names->count; i++) {
                bool found = false;
                int r;

                c->any_path = c->from->order->path_count == 0;
                r = add_named(c, names->items[i], &found) < 0 ? EXIT_MEMORY : EXIT_OK;

                if (r == EXIT_OK && !found)
                        r = add_parts(c, names->items[i], &found);
                if (r != EXIT_OK)
                        return r;
                if (!found)
                        return not_there("component", names->items[i]);
                if (!c->any_path)
                        return usage_error("nothing is restored: nothing of '%s' lies below the "
                                           "paths and targets that were named",
                                           printable(names->items[i]));
        }
        return EXIT_OK;
}

/* choose_all() - the requester's own files and every component, as far as paths were named */
static int choose_all(struct choosing *c) {
        const struct set_info *set = c->from->set;

        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct set_place place = { set, set->operations[i].number,
                                                         (uint32_t)k };

                        if (has_files(&set->operations[i].components[k]) && holds_any(c, &place) &&
                            choosing_add(c, &place, true) < 0)
                                return EXIT_MEMORY;
                }
        return EXIT_OK;
}

/* ---- all of it ---- */

static int by_place(const void *a, const void *b) {
        const struct chosen_image *x = a, *y = b;

        if (x->place.operation != y->place.operation)
                return x->place.operation < y->place.operation ? -1 : 1;
        return x->place.component < y->place.component   ? -1
               : x->place.component > y->place.component ? 1
                                                         : 0;
}

/* prepare() - without memory nothing can be chosen; the slots are those of all components */
static int prepare(struct choosing *c) {
        const struct set_info *set = c->from->set;
        struct restore_choice *choice = c->from->choice;

        c->path_found = calloc(c->from->order->path_count + 1, sizeof(*c->path_found));
        choice->operations = calloc(set->operations_count + 1, sizeof(*choice->operations));
        if (!c->path_found || !choice->operations)
                return EXIT_MEMORY;
        choice->operation_count = set->operations_count;
        for (size_t i = 0; i < set->operations_count; i++) {
                choice->operations[i].slots = calloc(set->operations[i].components_count + 1,
                                                     sizeof(*choice->operations[i].slots));
                if (!choice->operations[i].slots)
                        return EXIT_MEMORY;
        }
        return EXIT_OK;
}

/* all that was named is there: who restores two things and mistypes one must not be told that all
 * went well */
static int check_paths(const struct choosing *c) {
        for (size_t i = 0; i < c->from->order->path_count; i++)
                if (!c->path_found[i])
                        return not_there("path", c->from->order->paths[i]);
        return EXIT_OK;
}

int restore_choose(const struct source_set *from) {
        const struct restore_order *order = from->order;
        struct restore_choice *ret = from->choice;
        struct choosing c = { .from = from };
        int r = prepare(&c);

        if (r == EXIT_OK)
                r = order->components.count > 0 ? choose_named(&c) : choose_all(&c);
        if (r == EXIT_OK)
                r = check_paths(&c);
        if (r == EXIT_OK && order->in_place && order->components.count > 0 &&
            order->path_count == 0)
                r = choosing_companions(&c);
        qsort(ret->images, ret->count, sizeof(*ret->images), by_place);
        free(c.path_found);
        return r == EXIT_OK ? choosing_list_parts(ret) : r;
}

void restore_choice_done(struct restore_choice *choice) {
        for (size_t i = 0; i < choice->count; i++)
                free(choice->images[i].parts);
        free(choice->images);
        free(choice->parts);
        for (size_t i = 0; i < choice->operation_count; i++) {
                if (choice->operations[i].good)
                        stored_writers_done(&choice->operations[i].writers);
                free(choice->operations[i].slots);
        }
        free(choice->operations);
        *choice = (struct restore_choice){ 0 };
}
