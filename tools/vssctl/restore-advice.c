/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-advice.c - when a backup has lost something: which other one may still have it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backup/images.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "restore.h"
#include "vssctl.h"

bool restore_is_damage(int code) {
        return code == -EBADMSG || code == VSS_E_INVALID_XML_DOCUMENT;
}

static bool is_same_image(const struct set_place *a, const struct set_place *b) {
        return a->operation == b->operation && a->component == b->component;
}

static void add(struct restore_damage *damage, const struct set_place *wanted,
                const struct set_info *set, bool certain) {
        for (size_t i = 0; i < damage->count; i++)
                if (is_same_image(&damage->items[i].wanted, wanted) && damage->items[i].set == set)
                        return;
        if (ARRAY_RESERVE(&damage->items, damage->count, &damage->capacity) >= 0)
                damage->items[damage->count++] = (struct damaged_set){ *wanted, set, certain };
}

void restore_saw_damage(const struct source_set *from, const struct set_place *wanted,
                        const struct set_info *set) {
        struct restore_damage *damage = from->damage;
        struct chain chain = { 0 };

        if (set) {
                add(damage, wanted, set, true);
                return;
        }
        for (size_t i = 0; i < damage->count; i++)
                if (is_same_image(&damage->items[i].wanted, wanted))
                        return;
        if (chain_of(from->sets, wanted, &chain, NULL) >= 0)
                for (size_t i = 0; i < chain.count; i++)
                        add(damage, wanted, chain.links[i].set, false);
        chain_done(&chain);
}

void restore_damage_done(struct restore_damage *damage) {
        free(damage->items);
}

/* stands_on() - does a restore of the image take anything that is damaged for this component? */
static bool stands_on(const struct image *image, const struct set_place *wanted,
                      const struct restore_damage *damage) {
        for (; image; image = image->base)
                for (size_t i = 0; i < damage->count; i++)
                        if (is_same_image(&damage->items[i].wanted, wanted) &&
                            damage->items[i].set == image->place.set)
                                return true;
        return false;
}

/* newest_other() - the newest image of the component that takes nothing damaged */
static const struct image *newest_other(const struct images *images, const struct set_place *wanted,
                                        const struct restore_damage *damage) {
        const struct component_key *key = &set_place_component(wanted)->key;

        for (size_t i = images->count; i-- > 0;) {
                const struct image *image = &images->items[i];

                if (image->state == IMAGE_GOOD && image->place.set != wanted->set &&
                    component_key_equal(&image->component->key, key) &&
                    !stands_on(image, wanted, damage))
                        return image;
        }
        return NULL;
}

static void advise(const struct images *images, const struct damaged_set *damaged,
                   const struct restore_damage *damage) {
        const struct component_key *key = &set_place_component(&damaged->wanted)->key;
        const struct image *other = newest_other(images, &damaged->wanted, damage);
        const char *name = *key->name ? printable(component_name(key)) : "plain files";
        const char *where = damaged->certain ? damaged->set->folder : "what it builds on";
        _cleanup_free_ char *words = NULL;
        int n;

        if (other)
                n = asprintf(&words,
                             "%s: the newest backup that needs nothing of what is damaged (%s) is "
                             "'%s': --set %s",
                             name, where, other->place.set->folder, short_name(other->place.set));
        else
                n = asprintf(&words,
                             "%s: every other backup of it in this store needs what is damaged "
                             "(%s), too; 'vssctl verify' lists what is lost, the rest comes back "
                             "with --into",
                             name, where);
        if (n >= 0)
                print_note(words);
        else
                words = NULL;
}

void restore_advise(const struct source_set *from, const struct restore_damage *damage) {
        struct images images = { 0 };

        if (damage->count == 0 || images_read(from->sets, &images, NULL) < 0)
                return;
        for (size_t i = 0; i < damage->count; i++) {
                bool before = false;

                for (size_t k = 0; k < i && !before; k++)
                        before = is_same_image(&damage->items[k].wanted, &damage->items[i].wanted);
                if (!before)
                        advise(&images, &damage->items[i], damage);
        }
        images_done(&images);
}
