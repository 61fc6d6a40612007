/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-images.c - chains and gaps of a store, from sets made by hand: what a restore of each image
 * takes, where a chain ends, and what is the best that is left.
 */
#define _GNU_SOURCE
#include "backup/images.h"

#include <errno.h>

#include "backup/internal.h"
#include "tests/check.h"

/* a store in memory: "F0", "I1<F0", "D2<F0", a "!" behind it: the component failed there. One
 * component of a writer in each set; [0] is the empty place of the plain files */
struct world {
        struct set_info sets[12];
        struct set_operation operations[12];
        struct set_component components[12][2];
        struct set_info *order[12];
        struct set_list list;
        struct images images;
        char names[12][3];
};

static struct vss_id id_of(const char *name) {
        struct vss_id id = { { (uint8_t)name[0], (uint8_t)name[1] } };

        return id;
}

static uint32_t type_of(char letter) {
        return letter == 'F'   ? (uint32_t)VSS_BT_FULL
               : letter == 'I' ? (uint32_t)VSS_BT_INCREMENTAL
               : letter == 'D' ? (uint32_t)VSS_BT_DIFFERENTIAL
               : letter == 'C' ? (uint32_t)VSS_BT_COPY
                               : (uint32_t)VSS_BT_LOG;
}

static void add(struct world *w, const char *text) {
        const struct component_key key = { .writer_id = { { 7 } },
                                           .instance_name = "",
                                           .type = VSS_CT_FILEGROUP,
                                           .logical_path = "",
                                           .name = "c" };
        const struct component_key own = { .instance_name = "", .logical_path = "", .name = "" };
        size_t i = w->list.count++;
        const char *base = strchr(text, '<');
        struct set_component *c = w->components[i];

        snprintf(w->names[i], sizeof(w->names[i]), "%.2s", text);
        c[0] = (struct set_component){ .key = own, .good = true };
        c[1] = (struct set_component){ .key = key, .good = !strchr(text, '!'), .entries = 1 };
        if (base) {
                c[1].base = id_of(base + 1);
                c[1].base_operation = 1;
                c[1].base_component = 1;
        }
        w->operations[i] = (struct set_operation){ 1, type_of(*text), c, 2, 2 };
        w->sets[i] = (struct set_info){ .id = id_of(text),
                                        .folder = w->names[i],
                                        .time = (vss_timestamp_t)i + 1,
                                        .type = type_of(*text),
                                        .operations = &w->operations[i],
                                        .operations_count = 1 };
        w->order[i] = &w->sets[i];
        w->list.sets = w->order;
}

static void make(struct world *w, const char *const *texts) {
        *w = (struct world){ 0 };
        while (*texts)
                add(w, *texts++);
        CHECK_INT(images_read(&w->list, &w->images, NULL), 0);
        CHECK_INT(w->images.count, w->list.count); /* empty places of plain files are no images */
}

#define MAKE(w, ...) make((w), (const char *const[]){ __VA_ARGS__, NULL })

static const struct image *find(const struct world *w, const char *name) {
        for (size_t i = 0; i < w->images.count; i++)
                if (strcmp(w->images.items[i].place.set->folder, name) == 0)
                        return &w->images.items[i];
        CHECK_FAIL_("no image %s", name);
}

/* the graph and chain_of() must be of one mind; @want is what a restore takes, "" for a gap */
static void takes(const struct world *w, const char *name, const char *want) {
        const struct image *image = find(w, name);
        struct chain chain = { 0 };
        char text[64] = "", other[64] = "";

        for (const struct image *i = image; i && !image->broken; i = i->base) {
                char longer[64];

                snprintf(longer, sizeof(longer), "%.2s %s", i->place.set->folder, text);
                strcpy(text, longer);
        }
        CHECK_STR(text, want);
        if (!image->broken)
                CHECK_INT(image->depth, strlen(want) / 3);
        if (chain_of(&w->list, &image->place, &chain, NULL) >= 0)
                for (size_t i = 0; i < chain.count; i++) {
                        strcat(other, chain.links[i].set->folder);
                        strcat(other, " ");
                }
        CHECK_STR(other, want);
        chain_done(&chain);
}

static void gap(const struct world *w, const char *name, enum image_gap gap, const char *at,
                const char *best) {
        const struct image *image = find(w, name);
        const struct image *left = images_best_before(&w->images, image);
        struct vss_error error = VSS_ERROR_INIT;
        struct chain chain = { 0 };
        char *words;

        CHECK_INT(image->state, IMAGE_GAP);
        CHECK(image->broken);
        CHECK_INT(image->broken->gap, gap);
        CHECK_STR(image->broken->place.set->folder, at);
        CHECK_STR(left ? left->place.set->folder : "", best);
        words = image_gap_words(&w->images, image);
        CHECK(words && strstr(words, at));
        free(words);
        /* and a restore that is asked for it names the same way out */
        CHECK(chain_of(&w->list, &image->place, &chain, &error) < 0);
        if (*best)
                CHECK(strstr(vss_error_message(&error), best));
        else
                CHECK(strstr(vss_error_message(&error), "nothing before it"));
        vss_error_clear(&error);
}

static void test_chains(void) { /* I-179..I-184, IV-90, IV-91, IV-92, IV-93, IV-94, IV-95 */
        struct world w;

        MAKE(&w, "F0", "I1<F0", "D2<F0", "I3<I1", "C4", "L5<I3", "L6<L5", "I7<L6");
        takes(&w, "F0", "F0 ");
        takes(&w, "I1", "F0 I1 ");
        takes(&w, "D2", "F0 D2 ");
        takes(&w, "I3", "F0 I1 I3 ");
        takes(&w, "C4", "C4 ");
        takes(&w, "L6", "F0 I1 I3 L5 L6 ");
        takes(&w, "I7", "F0 I1 I3 L5 L6 I7 ");
        images_done(&w.images);
}

static void test_gaps(void) { /* I-188, IV-96 */
        struct world w;

        MAKE(&w, "F0", "I1<F0", "I3<I2", "I4<I3", "F5", "I6<F5");
        gap(&w, "I3", GAP_MISSING, "I3", "I1");
        gap(&w, "I4", GAP_MISSING, "I3", "I1");
        takes(&w, "I1", "F0 I1 ");
        takes(&w, "I6", "F5 I6 ");
        images_done(&w.images);
        /* one that failed ends the chain; what builds on one before it does not depend on it */
        MAKE(&w, "F0", "I1<F0!", "I2<F0", "I3<I1");
        CHECK_INT(find(&w, "I1")->state, IMAGE_FAILED);
        takes(&w, "I2", "F0 I2 ");
        gap(&w, "I3", GAP_FAILED, "I3", "I2");
        images_done(&w.images);
        MAKE(&w, "I1<F0", "I2<I1");
        gap(&w, "I2", GAP_MISSING, "I1", "");
        images_done(&w.images);
}

static void test_nonsense(void) {
        struct unreadable_set unreadable = { (char[]){ "20260101T000000.000Z-full-46300000" },
                                             (char[]){ "rotten" }, -EBADMSG };
        struct world w;

        MAKE(&w, "F0", "I1<I3", "I2<I1", "I3<I2", "I4<I4");
        CHECK_INT(find(&w, "I2")->state, IMAGE_GAP);
        CHECK_INT(find(&w, "I2")->broken->gap, GAP_CIRCLE);
        gap(&w, "I4", GAP_CIRCLE, "I4", "F0");
        images_done(&w.images);
        MAKE(&w, "F1", "I2<F1");
        w.components[1][1].base_component = 9;
        images_done(&w.images);
        CHECK_INT(images_read(&w.list, &w.images, NULL), 0);
        gap(&w, "I2", GAP_NOT_IN_SET, "I2", "F1");
        images_done(&w.images);
        /* the folder of "F0" is there, but cannot be read: its name bears the id's beginning */
        MAKE(&w, "I2<F0");
        w.list.unreadable = &unreadable;
        w.list.unreadable_count = 1;
        images_done(&w.images);
        CHECK_INT(images_read(&w.list, &w.images, NULL), 0);
        gap(&w, "I2", GAP_UNREADABLE, "I2", "");
        images_done(&w.images);
}

/* plain files: component 0 of an operation that has none is no image, and no base (I-157, I-76) */
static void test_placeholder(void) {
        const struct component_key own = { .instance_name = "", .logical_path = "", .name = "" };
        struct set_place place;
        struct world w;

        MAKE(&w, "F0", "F1");
        w.components[0][0].entries = 3;
        images_done(&w.images);
        CHECK_INT(images_read(&w.list, &w.images, NULL), 0);
        CHECK_INT(w.images.count, 3);
        CHECK_INT(catalogue_base(&w.list, &own, VSS_BT_INCREMENTAL, &place), 0);
        CHECK_STR(place.set->folder, "F0");
        CHECK_INT(catalogue_find(&w.sets[1], &own, &place), VSS_E_OBJECT_NOT_FOUND);
        /* a set of an earlier version that was made on such a place is whole by itself */
        w.components[1][0].entries = 1;
        w.components[1][0].base = id_of("F0");
        w.components[1][0].base_operation = 1;
        w.components[0][0].entries = 0;
        images_done(&w.images);
        CHECK_INT(images_read(&w.list, &w.images, NULL), 0);
        CHECK_INT(w.images.items[1].state, IMAGE_GOOD);
        CHECK_INT(w.images.items[1].depth, 1);
        images_done(&w.images);
}

int main(void) {
        RUN(test_chains);
        RUN(test_gaps);
        RUN(test_nonsense);
        RUN(test_placeholder);
        return 0;
}
