/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list-backups.c - vssctl list backups: what lies in a store, what each image of a component
 * builds on, what a restore of it takes, and where a chain has a gap (I-184, I-188).
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/images.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "list.h"
#include "vssctl.h"

DEFINE_CLEANUP(struct store *, store_close)

/* of a longer chain a person sees both ends */
#define SHOWN_FIRST 2
#define SHOWN_LAST 4

const char *short_name(const struct set_info *set) {
        static char names[8][VSS_ID_TEXT_SIZE];
        static unsigned next;
        char *name = names[next++ % ELEMENTSOF(names)];

        vss_id_format(&set->id, name);
        name[8] = '\0';
        return name;
}

int print_unreadable(const struct unreadable_set *set) {
        _cleanup_free_ char *words = NULL;
        struct json json = { 0 };

        if (!arg_json) {
                printf("DAMAGED %s: %s\n", printable(set->folder), printable(set->words));
                return EXIT_RUNTIME;
        }
        if (asprintf(&words, "%s: %s", set->folder, set->words) < 0)
                words = NULL;
        json_string(&json, "record", "damaged");
        json_string(&json, "folder", set->folder);
        json_string(&json, "message", words);
        (void)json_print(&json);
        return EXIT_RUNTIME;
}

/* chain_of_image() - the images from the first to @image; the caller frees it */
static const struct image **chain_of_image(const struct image *image) {
        const struct image **chain = calloc(image->depth, sizeof(*chain));

        for (size_t i = image->depth; chain && i-- > 0; image = image->base)
                chain[i] = image;
        return chain;
}

static const char *state_word(const struct image *image) {
        return image->state == IMAGE_GOOD ? "good" : image->state == IMAGE_GAP ? "gap" : "failed";
}

/* ---- for people ---- */

static void print_needs(const struct image *image) {
        _cleanup_free_ const struct image **chain = chain_of_image(image);
        size_t before = image->depth - 1;

        if (!chain || before == 0)
                return;
        printf(", builds on %s; a restore takes", short_name(image->base->place.set));
        for (size_t i = 0; i < before; i++) {
                if (before > SHOWN_FIRST + SHOWN_LAST && i == SHOWN_FIRST) {
                        i = before - SHOWN_LAST;
                        printf(" ... %zu more ...", i - SHOWN_FIRST);
                }
                printf(" %s", short_name(chain[i]->place.set));
        }
        printf(" and this one");
}

static void print_best(const struct images *images, const struct image *image) {
        const struct image *best = images_best_before(images, image);

        if (best)
                printf("; the newest before it that can be restored is %s",
                       short_name(best->place.set));
        else
                printf("; nothing before it can be restored");
}

static void print_image(const struct images *images, const struct image *image) {
        const char *name = component_name(&image->component->key);

        printf("    %s", *name ? printable(name) : "plain files");
        if (image->state == IMAGE_FAILED)
                printf(": failed: %s",
                       image->component->words ? printable(image->component->words) : "no reason");
        if (image->broken) {
                _cleanup_free_ char *words = image_gap_words(images, image);

                printf(": GAP: %s", words ? printable(words) : "out of memory");
        }
        if (image->state == IMAGE_GOOD)
                print_needs(image);
        else
                print_best(images, image);
        putchar('\n');
}

/* ---- for programs: a record per image, then one of the backup ---- */

static int json_image(const struct images *images, const struct image *image) {
        const struct set_component *c = image->component;
        const struct image *best =
                image->state == IMAGE_GOOD ? NULL : images_best_before(images, image);
        _cleanup_free_ const struct image **chain = image->broken ? NULL : chain_of_image(image);
        _cleanup_free_ const char **needs = calloc(image->depth + 1, sizeof(*needs));
        _cleanup_free_ char *gap = image->broken ? image_gap_words(images, image) : NULL;
        struct json json = { 0 };

        for (size_t i = 0; chain && needs && i < image->depth; i++)
                needs[i] = chain[i]->place.set->folder;
        json_string(&json, "record", "image");
        json_id(&json, "id", &image->place.set->id);
        json_string(&json, "folder", image->place.set->folder);
        json_number(&json, "operation", image->place.operation);
        json_string(&json, "type", backup_type_word(set_place_operation(&image->place)->type));
        if (vss_id_is_null(&c->key.writer_id))
                json_string(&json, "writer_id", NULL);
        else
                json_id(&json, "writer_id", &c->key.writer_id);
        json_string(&json, "instance_name", c->key.instance_name);
        json_string(&json, "component", component_name(&c->key));
        json_string(&json, "state", state_word(image));
        json_string(&json, "base", image->base ? image->base->place.set->folder : NULL);
        if (vss_id_is_null(&c->base))
                json_string(&json, "base_id", NULL);
        else
                json_id(&json, "base_id", &c->base);
        if (chain)
                json_strings(&json, "needs", needs);
        else
                json_string(&json, "needs", NULL);
        json_string(&json, "gap", gap);
        json_string(&json, "failure", c->good ? NULL : c->words);
        json_string(&json, "best_before", best ? best->place.set->folder : NULL);
        json_number(&json, "entries", (int64_t)c->entries);
        json_number(&json, "bytes", (int64_t)c->bytes);
        json_number(&json, "gone", (int64_t)c->gone);
        return needs ? json_print(&json) : EXIT_MEMORY;
}

/* ---- one backup ---- */

struct counts {
        size_t good, failed, gaps;
        uint64_t entries, bytes;
        const struct set_info *base; /* of the first image that has one */
};

static struct counts count_images(const struct images *images, size_t set) {
        struct counts counts = { 0 };

        for (size_t i = images->first[set]; i < images->first[set + 1]; i++) {
                const struct image *image = &images->items[i];

                counts.entries += image->component->entries;
                counts.bytes += image->component->bytes;
                counts.good += image->component->good;
                counts.failed += !image->component->good;
                counts.gaps += image->broken != NULL;
                if (!counts.base && image->base)
                        counts.base = image->base->place.set;
        }
        return counts;
}

static void print_set(const struct images *images, size_t index, const struct counts *counts) {
        const struct set_info *set = images->list->sets[index];

        printf("%s  %s  %s\n", printable(set->folder), format_time(set->time),
               backup_type_word(set->type));
        printf("  id:         %s%s%s\n", format_id(&set->id), counts->base ? ", builds on " : "",
               counts->base ? printable(counts->base->folder) : "");
        if (*set->label)
                printf("  label:      %s\n", printable(set->label));
        printf("  components: %zu good, %zu failed", counts->good, counts->failed);
        if (counts->gaps)
                printf(", %zu with a GAP", counts->gaps);
        putchar('\n');
        for (size_t i = images->first[index]; i < images->first[index + 1]; i++)
                print_image(images, &images->items[i]);
        printf("  holds:      %s, %s, %s stored\n", format_entries(counts->entries),
               format_bytes(counts->bytes), format_bytes(set->stored_bytes));
}

static int json_set(const struct images *images, size_t index, const struct counts *counts) {
        const struct set_info *set = images->list->sets[index];
        struct json json = { 0 };

        for (size_t i = images->first[index]; i < images->first[index + 1]; i++) {
                int r = json_image(images, &images->items[i]);

                if (r != EXIT_OK)
                        return r;
        }
        json_string(&json, "record", "backup");
        json_id(&json, "id", &set->id);
        json_string(&json, "folder", set->folder);
        json_time(&json, "time", set->time);
        json_string(&json, "type", backup_type_word(set->type));
        json_string(&json, "base", counts->base ? counts->base->folder : NULL);
        json_string(&json, "label", set->label);
        json_string(&json, "host", set->host);
        json_number(&json, "components_good", (int64_t)counts->good);
        json_number(&json, "components_failed", (int64_t)counts->failed);
        json_number(&json, "gaps", (int64_t)counts->gaps);
        json_number(&json, "entries", (int64_t)counts->entries);
        json_number(&json, "bytes", (int64_t)counts->bytes);
        json_number(&json, "stored_bytes", (int64_t)set->stored_bytes);
        return json_print(&json);
}

static int print_all(const struct set_list *sets) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct images images = { 0 };
        int result = EXIT_OK, r = images_read(sets, &images, &error);

        if (r < 0)
                return report_error(&error, "cannot list backups");
        for (size_t i = 0; i < sets->count && result == EXIT_OK; i++) {
                const struct counts counts = count_images(&images, i);

                if (arg_json)
                        result = json_set(&images, i, &counts);
                else
                        print_set(&images, i, &counts);
        }
        images_done(&images);
        for (size_t i = 0; i < sets->unreadable_count; i++)
                result = print_unreadable(&sets->unreadable[i]);
        return result;
}

int list_backups(const char *path) {
        _cleanup_(store_closep) struct store *store = NULL;
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        struct set_list sets = { 0 };
        int r = store_open(path, 0, &store, &error);

        if (r >= 0)
                r = store_list(store, &sets, &error);
        if (r < 0)
                return report_error(&error, "cannot list backups");
        r = print_all(&sets);
        if (sets.count == 0 && sets.unreadable_count == 0 && !arg_json)
                printf("There are no backups in this store.\n");
        set_list_done(&sets);
        return r;
}
