/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * catalogue.c - which sets belong together, answered from the sets themselves (I-184).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

bool component_key_equal(const struct component_key *a, const struct component_key *b) {
        return vss_id_equal(&a->writer_id, &b->writer_id) && a->type == b->type &&
               strcmp(a->instance_name, b->instance_name) == 0 &&
               strcmp(a->logical_path, b->logical_path) == 0 && strcmp(a->name, b->name) == 0;
}

bool component_is_own(const struct component_key *key) {
        return vss_id_is_null(&key->writer_id);
}

const struct set_operation *set_place_operation(const struct set_place *place) {
        if (place->operation == 0 || place->operation > place->set->operations_count)
                return NULL;
        return &place->set->operations[place->operation - 1];
}

const struct set_component *set_place_component(const struct set_place *place) {
        const struct set_operation *operation = set_place_operation(place);

        if (!operation || place->component >= operation->components_count)
                return NULL;
        return &operation->components[place->component];
}

const struct set_info *set_find_id(const struct set_list *list, const struct vss_id *id) {
        for (size_t i = 0; i < list->count; i++)
                if (vss_id_equal(&list->sets[i]->id, id))
                        return list->sets[i];
        return NULL;
}

int set_find(const struct set_list *list, const char *text, const struct set_info **ret,
             struct vss_error *reterr) {
        const struct set_info *found = NULL;
        struct vss_id whole;

        if (*text == '{' && vss_id_parse(text, &whole) >= 0)
                found = set_find_id(list, &whole); /* as 'vssctl list' shows ids */
        if (strcmp(text, "latest") == 0 && list->count > 0) {
                *ret = list->sets[list->count - 1];
                return 0;
        }
        for (size_t i = 0; i < list->count && *text && *text != '{'; i++) {
                char id[VSS_ID_TEXT_SIZE];

                vss_id_format(&list->sets[i]->id, id);
                if (strncmp(id, text, strlen(text)) != 0 &&
                    strncmp(list->sets[i]->folder, text, strlen(text)) != 0)
                        continue;
                if (found)
                        return vss_fail(reterr, E_INVALIDARG,
                                        "'%s' is the beginning of more than one set: '%s' and '%s'",
                                        text, found->folder, list->sets[i]->folder);
                found = list->sets[i];
        }
        if (!found)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "there is no backup set '%s'",
                                text);
        *ret = found;
        return 0;
}

/* the image of @key in @set; when several operations have it, the last one */
int catalogue_find(const struct set_info *set, const struct component_key *key,
                   struct set_place *ret) {
        for (size_t i = set->operations_count; i-- > 0;) {
                const struct set_operation *operation = &set->operations[i];

                for (size_t j = 0; j < operation->components_count; j++) {
                        if (!component_key_equal(&operation->components[j].key, key))
                                continue;
                        *ret = (struct set_place){ set, operation->number, (uint32_t)j };
                        return 0;
                }
        }
        return VSS_E_OBJECT_NOT_FOUND;
}

/* may an image of type @have be the base of one of type @want? (I-157, OQ-I12) */
static bool can_be_base(uint32_t have, uint32_t want) {
        if (want == VSS_BT_DIFFERENTIAL)
                return have == VSS_BT_FULL;
        if (want == VSS_BT_INCREMENTAL || want == VSS_BT_LOG)
                return have == VSS_BT_FULL || have == VSS_BT_INCREMENTAL || have == VSS_BT_LOG;
        return false;
}

static bool is_base(const struct set_list *list, const struct set_place *place, uint32_t type) {
        const struct set_operation *operation = set_place_operation(place);
        const struct set_component *component = set_place_component(place);
        struct chain chain = { 0 };
        bool complete;

        if (!operation || !component || !component->good || !can_be_base(operation->type, type))
                return false;
        complete = chain_of(list, place, &chain, NULL) >= 0;
        chain_done(&chain);
        return complete;
}

int catalogue_base(const struct set_list *list, const struct component_key *key, uint32_t type,
                   struct set_place *ret) {
        for (size_t i = list->count; i-- > 0;) {
                const struct set_info *set = list->sets[i];

                for (size_t j = set->operations_count; j-- > 0;) {
                        const struct set_operation *operation = &set->operations[j];

                        for (size_t k = 0; k < operation->components_count; k++) {
                                struct set_place place = { set, operation->number, (uint32_t)k };

                                if (component_key_equal(&operation->components[k].key, key) &&
                                    is_base(list, &place, type)) {
                                        *ret = place;
                                        return 0;
                                }
                        }
                }
        }
        return VSS_E_OBJECT_NOT_FOUND;
}

/* good_in() - was the component saved by this operation? */
static bool good_in(const struct set_operation *operation, const struct component_key *key) {
        for (size_t i = 0; i < operation->components_count; i++)
                if (component_key_equal(&operation->components[i].key, key))
                        return operation->components[i].good;
        return false;
}

bool catalogue_has_since_full(const struct set_list *list, const struct component_key *key,
                              uint32_t type) {
        for (size_t i = list->count; i-- > 0;) {
                const struct set_info *set = list->sets[i];

                for (size_t j = set->operations_count; j-- > 0;) {
                        const struct set_operation *operation = &set->operations[j];

                        if (!good_in(operation, key))
                                continue;
                        if (operation->type == type)
                                return true;
                        if (operation->type == VSS_BT_FULL)
                                return false;
                }
        }
        return false;
}

void chain_done(struct chain *chain) {
        free(chain->links);
        *chain = (struct chain){ 0 };
}

static int broken(const struct set_place *from, const struct set_component *component,
                  const char *why, struct vss_error *reterr) {
        char id[VSS_ID_TEXT_SIZE];

        return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND,
                        "the set '%s' builds on the set %s, which %s; choose a set from before it",
                        from->set->folder, vss_id_format(&component->base, id), why);
}

static int next_link(const struct set_list *list, const struct set_place *place,
                     const struct set_component *component, struct set_place *ret,
                     struct vss_error *reterr) {
        const struct set_component *base;

        ret->set = set_find_id(list, &component->base);
        ret->operation = component->base_operation;
        ret->component = component->base_component;
        if (!ret->set)
                return broken(place, component, "is missing or damaged", reterr);
        base = set_place_component(ret);
        if (!base || !component_key_equal(&base->key, &component->key))
                return broken(place, component, "does not hold this component", reterr);
        if (!base->good)
                return broken(place, component, "failed for this component", reterr);
        return 0;
}

int chain_of(const struct set_list *list, const struct set_place *wanted, struct chain *ret,
             struct vss_error *reterr) {
        const struct set_component *component;
        struct set_place place = *wanted, before;
        struct chain chain = { 0 };
        int r = 0;

        if (!set_place_component(wanted))
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "the set has no such component");
        for (;;) {
                r = ARRAY_RESERVE(&chain.links, chain.count, &chain.capacity);
                if (r < 0) {
                        r = vss_fail(reterr, r, "out of memory");
                        break;
                }
                chain.links[chain.count++] = place;
                component = set_place_component(&place);
                if (!component || vss_id_is_null(&component->base))
                        break;
                before = place;
                r = chain.count > list->count
                            ? vss_fail(reterr, -EBADMSG, "the sets build on each other in a circle")
                            : next_link(list, &before, component, &place, reterr);
                if (r < 0)
                        break;
        }
        if (r < 0) {
                chain_done(&chain);
                return r;
        }
        for (size_t i = 0; i < chain.count / 2; i++) {
                struct set_place other = chain.links[i];

                chain.links[i] = chain.links[chain.count - 1 - i];
                chain.links[chain.count - 1 - i] = other;
        }
        *ret = chain;
        return 0;
}

static bool builds_on(const struct set_info *set, const struct vss_id *base) {
        for (size_t i = 0; i < set->operations_count; i++)
                for (size_t j = 0; j < set->operations[i].components_count; j++)
                        if (vss_id_equal(&set->operations[i].components[j].base, base))
                                return true;
        return false;
}

/* the rename is the removal; the rest can be finished by any later run */
static int remove_folder(struct store *store, const struct set_info *set,
                         struct vss_error *reterr) {
        _cleanup_free_ char *hidden = NULL;
        int r = 0;

        if (asprintf(&hidden, REMOVED_PREFIX "%s", set->folder) < 0) {
                hidden = NULL;
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (renameat(store->fd, set->folder, store->fd, hidden) < 0 && errno != ENOENT)
                r = -errno;
        if (r >= 0 && fsync(store->fd) < 0)
                r = -errno;
        if (r >= 0)
                r = remove_tree(store->fd, hidden);
        if (r < 0)
                return vss_fail(reterr, r, "cannot remove the set '%s': %s", set->folder,
                                strerror(-r));
        return 0;
}

static int remove_with(struct store *store, const struct set_list *list, const struct vss_id *id,
                       bool with_dependants, struct vss_error *reterr) {
        const struct set_info *set = set_find_id(list, id);
        int r;

        if (!set)
                return 0;
        for (size_t i = list->count; i-- > 0;) {
                if (list->sets[i] == set || !builds_on(list->sets[i], id))
                        continue;
                if (!with_dependants)
                        return vss_fail(reterr, VSS_E_BAD_STATE,
                                        "the set '%s' builds on '%s'; remove that first or both",
                                        list->sets[i]->folder, set->folder);
                r = remove_with(store, list, &list->sets[i]->id, true, reterr);
                if (r < 0)
                        return r;
        }
        return remove_folder(store, set, reterr);
}

int store_remove(struct store *store, const struct set_info *set, bool with_dependants,
                 struct vss_error *reterr) {
        struct set_list list = { 0 };
        struct vss_id id = set->id;
        int r;

        if (store->lock_fd < 0)
                return vss_fail(reterr, VSS_E_BAD_STATE, "the store must be locked first");
        r = store_list(store, &list, reterr);
        if (r >= 0)
                r = remove_with(store, &list, &id, with_dependants, reterr);
        set_list_done(&list);
        return r;
}
