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

#include "backup/images.h"
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
                        struct set_place place = { set, operation->number, (uint32_t)j };

                        if (!component_key_equal(&operation->components[j].key, key) ||
                            !set_component_is_there(&place))
                                continue;
                        *ret = place;
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

        if (!operation || !component || !component->good || !set_component_is_there(place) ||
            !can_be_base(operation->type, type))
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
                        "the set '%s' builds on the set %s, which %s", from->set->folder,
                        vss_id_format(&component->base, id), why);
}

/* say what can be restored instead (IV-96) */
static void name_best(const struct set_list *list, const struct set_place *wanted, int code,
                      struct vss_error *reterr) {
        const struct set_component *component = set_place_component(wanted);
        bool before = false;

        for (size_t i = list->count; i-- > 0;) {
                struct set_place place;
                struct chain chain = { 0 };
                bool whole;

                if (list->sets[i] == wanted->set)
                        before = true;
                else if (before && catalogue_find(list->sets[i], &component->key, &place) >= 0 &&
                         set_place_component(&place)->good) {
                        whole = chain_of(list, &place, &chain, NULL) >= 0;
                        chain_done(&chain);
                        if (whole) {
                                vss_fail(reterr, code,
                                         "%s; the newest before it that can be "
                                         "restored is '%s'",
                                         vss_error_message(reterr), list->sets[i]->folder);
                                return;
                        }
                }
        }
        vss_fail(reterr, code, "%s; nothing before it can be restored either",
                 vss_error_message(reterr));
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
                if (reterr && r != -ENOMEM)
                        name_best(list, wanted, r, reterr);
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
