/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-choice.c - what of a backup 'vssctl restore' is about: the images of the components and
 * paths that were named, and whether all that was named is there.
 */
#define _GNU_SOURCE
#include <stdio.h>

#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

bool restore_is_asked_path(const struct restore_order *order, const char *path) {
        for (size_t i = 0; i < order->path_count; i++)
                if (path_is_below(path, order->paths[i]))
                        return true;
        return order->path_count == 0;
}

/* holds() - is any of these paths in this image? */
static bool holds(const struct source_set *from, const struct set_place *place,
                  const char *const *paths, size_t count) {
        struct chain chain = { 0 };
        bool found = false;

        if (chain_of(from->sets, place, &chain, NULL) < 0)
                return true; /* what is wrong with the chain is told when it is restored */
        for (size_t i = 0; !found && i < count; i++) {
                const struct entry *entry;
                struct view *view;

                if (view_open(from->store, &chain, paths[i], &view, NULL) < 0)
                        continue;
                found = view_next(view, &entry, NULL) == 1;
                view_close(view);
        }
        chain_done(&chain);
        return found;
}

static bool may_hold(const struct source_set *from, const struct set_component *component) {
        return component_list_has(&from->order->components, &component->key) &&
               (component->entries > 0 || !vss_id_is_null(&component->base));
}

/* wanted_here() - is there anything of what was asked for? */
static bool wanted_here(const struct source_set *from, const struct set_operation *operation,
                        size_t index) {
        const struct set_place place = { from->set, operation->number, (uint32_t)index };

        return may_hold(from, &operation->components[index]) &&
               (from->order->path_count == 0 ||
                holds(from, &place, from->order->paths, from->order->path_count));
}

static bool is_in_set(const struct source_set *from, const char *path) {
        for (size_t i = 0; i < from->set->operations_count; i++) {
                const struct set_operation *operation = &from->set->operations[i];

                for (size_t k = 0; k < operation->components_count; k++) {
                        const struct set_place place = { from->set, operation->number,
                                                         (uint32_t)k };

                        if (may_hold(from, &operation->components[k]) &&
                            holds(from, &place, &path, 1))
                                return true;
                }
        }
        return false;
}

static bool has_component(const struct set_info *set, const char *name) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t k = 0; k < set->operations[i].components_count; k++) {
                        const struct component_key *key = &set->operations[i].components[k].key;

                        if (*key->name && component_is_named(name, key))
                                return true;
                }
        return false;
}

static int not_there(const char *what, const char *name) {
        return usage_error("nothing is restored: there is no such %s in this backup: '%s'; 'vssctl "
                           "list backups' shows its components, 'vssctl list paths' its paths",
                           what, printable(name));
}

int restore_check_asked(const struct source_set *from) {
        const struct restore_order *order = from->order;

        for (size_t i = 0; i < order->components.count; i++)
                if (!has_component(from->set, order->components.items[i]))
                        return not_there("component", order->components.items[i]);
        for (size_t i = 0; i < order->path_count; i++)
                if (!is_in_set(from, order->paths[i]))
                        return not_there("path", order->paths[i]);
        return EXIT_OK;
}

int restore_for_each(const struct source_set *from,
                     int (*each)(void *userdata, const struct set_place *place), void *userdata) {
        int result = 0;

        for (size_t i = 0; i < from->set->operations_count; i++) {
                const struct set_operation *operation = &from->set->operations[i];

                for (size_t k = 0; k < operation->components_count; k++) {
                        const struct set_place place = { from->set, operation->number,
                                                         (uint32_t)k };
                        int r = wanted_here(from, operation, k) ? each(userdata, &place) : 0;

                        if (r != 0)
                                result = r;
                }
        }
        return result;
}
