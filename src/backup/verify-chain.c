/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-chain.c - what a set inherits: is each base the one that it was made on, and what of the
 * set is lost with the damage that verify_set() found in the sets below it.
 *
 * An increment's manifest names the digest of its base's, and so on down to the full set: with
 * every set's own bytes proven, these digests prove the whole. Only when some set is damaged the
 * names are walked, to tell which of them lie in its damaged places.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/internal.h"
#include "base/array.h"
#include "base/cleanup.h"

struct lost_place {
        uint32_t operation;
        char archive;
        uint64_t offset;
};

struct set_damage {
        const struct set_info *set;
        struct lost_place
                *places; /* of members that cannot be read, sorted when they are searched */
        size_t count, capacity;
        bool sorted;
        char *file; /* a stored file that is not what was written */
        bool names; /* and it is the list of names */
        struct set_damage *next;
};

struct set_damages {
        struct set_damage *first;
};

/* ---- what verify_set() found ---- */

struct set_damages *set_damages_new(void) {
        return calloc(1, sizeof(struct set_damages));
}

struct set_damages *set_damages_free(struct set_damages *damages) {
        struct set_damage *next;

        for (struct set_damage *damage = damages ? damages->first : NULL; damage; damage = next) {
                next = damage->next;
                free(damage->places);
                free(damage->file);
                free(damage);
        }
        free(damages);
        return NULL;
}

static struct set_damage *find_damage(const struct set_damages *damages,
                                      const struct set_info *set) {
        struct set_damage *damage = damages->first;

        while (damage && damage->set != set)
                damage = damage->next;
        return damage;
}

static struct set_damage *get_damage(struct set_damages *damages, const struct set_info *set) {
        struct set_damage *damage = find_damage(damages, set);

        if (damage)
                return damage;
        damage = calloc(1, sizeof(*damage));
        if (!damage)
                return NULL;
        damage->set = set;
        damage->next = damages->first;
        damages->first = damage;
        return damage;
}

int set_damages_add_place(struct set_damages *damages, const struct set_info *set,
                          uint32_t operation, char archive, uint64_t offset) {
        struct set_damage *damage = get_damage(damages, set);

        if (!damage || ARRAY_RESERVE(&damage->places, damage->count, &damage->capacity) < 0)
                return -ENOMEM;
        damage->places[damage->count++] = (struct lost_place){ operation, archive, offset };
        damage->sorted = false;
        return 0;
}

static bool ends_with(const char *text, const char *end) {
        size_t n = strlen(text), m = strlen(end);

        return n >= m && strcmp(text + n - m, end) == 0;
}

int set_damages_add_file(struct set_damages *damages, const struct set_info *set,
                         const char *name) {
        bool names = ends_with(name, MANIFEST_FILE);
        struct set_damage *damage;
        char *copy;

        if (!names && !ends_with(name, DATA_FILE) && !ends_with(name, RANGES_FILE))
                return 0; /* nobody inherits documents */
        damage = get_damage(damages, set);
        if (!damage || (damage->file && !names))
                return damage ? 0 : -ENOMEM;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        free(damage->file);
        damage->file = copy;
        damage->names = names;
        return 0;
}

static int by_place(const void *a, const void *b) {
        const struct lost_place *x = a, *y = b;

        if (x->operation != y->operation)
                return x->operation < y->operation ? -1 : 1;
        if (x->archive != y->archive)
                return x->archive < y->archive ? -1 : 1;
        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_lost(struct set_damage *damage, uint32_t operation, const struct record *record) {
        const struct lost_place key = { operation, record->archive, record->offset };

        if (!damage || damage->count == 0 || record->archive == ARCHIVE_NONE)
                return false;
        if (!damage->sorted)
                qsort(damage->places, damage->count, sizeof(*damage->places), by_place);
        damage->sorted = true;
        return bsearch(&key, damage->places, damage->count, sizeof(key), by_place) != NULL;
}

/* ---- one image ---- */

struct inheritance {
        struct store *store;
        const struct chain *chain;
        struct set_damages *damages;
        const struct engine_watch *watch;
        struct chain_summary *summary;
        uint32_t component;
};

static void tell(const struct inheritance *image, const char *path, const char *words) {
        if (image->watch && image->watch->trouble)
                image->watch->trouble(image->watch->userdata, image->component, path, -EBADMSG,
                                      words);
}

/* the newest image of the chain whose files can be listed and whose sets have no damage */
static const struct set_info *last_whole(const struct inheritance *image) {
        for (size_t count = image->chain->count - 1; count > 0; count--) {
                const struct chain shorter = { image->chain->links, count, count };
                struct view *view = NULL;
                bool whole = view_open(image->store, &shorter, NULL, &view, NULL) >= 0;

                view_close(view);
                for (size_t i = 0; i < count; i++)
                        whole = whole && !find_damage(image->damages, shorter.links[i].set);
                if (whole)
                        return shorter.links[count - 1].set;
        }
        return NULL;
}

/* the image cannot be put together; what can be restored instead */
static int tell_broken(const struct inheritance *image, const char *why) {
        const struct set_info *instead = last_whole(image);
        _cleanup_free_ char *words = NULL;

        image->summary->broken++;
        if (asprintf(&words, "it cannot be put together: %s; %s%s%s", why,
                     instead ? "what can be restored whole is '" : "no set below it is whole",
                     instead ? instead->folder : "", instead ? "'" : "") < 0) {
                words = NULL;
                return -ENOMEM;
        }
        tell(image, "", words);
        return 0;
}

static int check_item(const struct inheritance *image, const struct view_item *item) {
        for (size_t i = 0; i < item->parts_count; i++) {
                const struct view_part *part = &item->parts[i];
                const struct set_place *place = &image->chain->links[part->link];
                _cleanup_free_ char *words = NULL;

                /* what is lost of the wanted set itself was told when it was read */
                if (part->link == image->chain->count - 1 ||
                    !is_lost(find_damage(image->damages, place->set), place->operation,
                             part->record))
                        continue;
                image->summary->lost++;
                if (asprintf(&words, "lost: it lies in the set '%s', which is damaged there",
                             place->set->folder) < 0) {
                        words = NULL;
                        return -ENOMEM;
                }
                tell(image, item->path, words);
                break;
        }
        return 0;
}

static int check_names(const struct inheritance *image, struct view *view) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        const struct view_item *item;
        int r;

        while ((r = view_next_item(view, &item, &error)) > 0) {
                r = item->gone ? 0 : check_item(image, item);
                if (r < 0)
                        return r;
        }
        if (r < 0 && r != -ENOMEM)
                return tell_broken(image, vss_error_message(&error));
        return r;
}

/* a base of which only the bytes were looked at: it is damaged, and nobody knows where */
static int check_files(const struct inheritance *image) {
        for (size_t i = 0; i + 1 < image->chain->count; i++) {
                const struct set_damage *damage =
                        find_damage(image->damages, image->chain->links[i].set);
                _cleanup_free_ char *words = NULL;

                if (!damage || !damage->file || (damage->count > 0 && !damage->names))
                        continue;
                image->summary->broken++;
                if (asprintf(&words,
                             "it builds on the set '%s', whose '%s' is damaged; what lies there "
                             "cannot be restored, the rest can",
                             damage->set->folder, damage->file) < 0) {
                        words = NULL;
                        return -ENOMEM;
                }
                tell(image, "", words);
        }
        return 0;
}

static bool has_damage(const struct inheritance *image) {
        for (size_t i = 0; i + 1 < image->chain->count; i++)
                if (find_damage(image->damages, image->chain->links[i].set))
                        return true;
        return false;
}

static int check_image(const struct inheritance *image) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct view *view = NULL;
        int r;

        r = view_open(image->store, image->chain, NULL, &view, &error);
        if (r < 0)
                return r == -ENOMEM ? r : tell_broken(image, vss_error_message(&error));
        if (has_damage(image)) {
                r = check_names(image, view);
                if (r >= 0)
                        r = check_files(image);
        }
        view_close(view);
        return r;
}

/* ---- the set ---- */

static int check_place(struct store *store, const struct set_list *list,
                       const struct set_place *place, struct set_damages *damages,
                       const struct engine_watch *watch, struct chain_summary *summary) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        struct inheritance image = { .store = store,
                                     .chain = &chain,
                                     .damages = damages,
                                     .watch = watch,
                                     .summary = summary,
                                     .component = place->component };
        int r = chain_of(list, place, &chain, &error);

        if (r < 0 && r != -ENOMEM) {
                summary->broken++;
                tell(&image, "", vss_error_message(&error));
                return 0;
        }
        if (r >= 0)
                r = check_image(&image);
        chain_done(&chain);
        return r;
}

int verify_chains(struct store *store, const struct set_list *list, const struct set_info *set,
                  struct set_damages *damages, const struct engine_watch *watch,
                  struct chain_summary *ret, struct vss_error *reterr) {
        int r = 0;

        *ret = (struct chain_summary){ 0 };
        for (uint32_t i = 0; i < set->operations_count && r >= 0; i++)
                for (uint32_t k = 0; k < set->operations[i].components_count && r >= 0; k++) {
                        const struct set_place place = { set, i + 1, k };
                        const struct set_component *component = set_place_component(&place);

                        if (component->good && !vss_id_is_null(&component->base))
                                r = check_place(store, list, &place, damages, watch, ret);
                }
        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        if (ret->broken > 0)
                return vss_fail(reterr, -EBADMSG,
                                "the set '%s' builds on sets that are missing or damaged; parts of "
                                "it cannot be restored",
                                set->folder);
        if (ret->lost > 0)
                return vss_fail(reterr, -EBADMSG,
                                "%" PRIu64 " of the files of '%s' are lost with a set below it; "
                                "all others can be restored",
                                ret->lost, set->folder);
        return 0;
}
