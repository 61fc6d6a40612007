/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-gates.c - what 'vssctl restore' was asked for beyond having files back: can the writers
 * do it, and do the new targets fit their files? Told before anything happens.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

static const char *name_of(const struct chosen_image *image) {
        return printable(component_name(&set_place_component(&image->place)->key));
}

static int refuse(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(int code, const char *format, ...) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;
        _cleanup_free_ char *words = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&words, format, ap) < 0)
                words = NULL;
        va_end(ap);
        vss_fail(&error, code, "%s", words ? words : "out of memory");
        return report_error(&error, "nothing is restored");
}

/* ---- new targets ---- */

struct folders {
        char *common; /* the deepest that holds all that were seen */
        bool failed;
};

static int see_folder(void *userdata, const struct vss_wm_filedesc *file) {
        const char *path = vss_wm_filedesc_get_path(file);
        struct folders *seen = userdata;

        if (!seen->common) {
                seen->common = strdup(path);
                return seen->common ? 0 : -ENOMEM;
        }
        while (!path_is_below(path, seen->common)) {
                char *end = strrchr(seen->common, '/');

                end[end == seen->common] = '\0';
        }
        return 0;
}

/* find_common() - what a target without FROM is the new place of; exit code */
static int find_common(const struct source_set *from) {
        struct restore_order *order = from->order;
        struct folders seen = { 0 };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->choice->count; i++)
                if (from->choice->images[i].named)
                        r = restore_for_each_file_set(from, &from->choice->images[i], see_folder,
                                                      &seen);
        if (r < 0)
                return EXIT_MEMORY;
        if (!seen.common)
                return refuse(VSS_E_OBJECT_NOT_FOUND,
                              "what the writer declared cannot be read from the backup; restore it "
                              "with --into");
        order->common = seen.common;
        for (size_t i = 0; i < order->wishes.target_count; i++)
                if (!order->targets[i].from)
                        order->targets[i].from = order->common;
        return EXIT_OK;
}

struct covering {
        const struct restore_order *order;
        const char *outside; /* a folder without a new target, NULL: none */
        size_t inside;
};

static int cover(void *userdata, const struct vss_wm_filedesc *file) {
        const char *path = vss_wm_filedesc_get_path(file);
        struct covering *c = userdata;
        bool covered = false;

        for (size_t i = 0; i < c->order->wishes.target_count; i++)
                covered |= path_is_below(path, c->order->targets[i].from);
        c->inside += covered;
        if (!covered && !c->outside)
                c->outside = path;
        return 0;
}

/* check_targets() - each folder of the component has one, unless the rest may go home */
static int check_targets(const struct source_set *from, struct chosen_image *image) {
        const struct restore_order *order = from->order;
        struct covering c = { order, NULL, 0 };

        (void)restore_for_each_file_set(from, image, cover, &c);
        if (!image->writer)
                return refuse(VSS_E_OBJECT_NOT_FOUND,
                              "what the writer of '%s' declared cannot be read from the backup, so "
                              "it cannot go to another place; restore it with --into",
                              name_of(image));
        if (c.inside == 0)
                return order->in_place ? EXIT_OK
                                       : refuse(E_INVALIDARG,
                                                "no file of '%s' lies in a folder that has a new "
                                                "target",
                                                name_of(image));
        if (!(image->writer->schema & VSS_BS_WRITER_SUPPORTS_NEW_TARGET))
                return refuse(VSS_E_NOT_SUPPORTED,
                              "the writer of '%s' cannot have it at another place (it has no "
                              "NEW_TARGET, R-94); --into puts the files there without it",
                              name_of(image));
        if (c.outside && !order->in_place)
                return refuse(E_INVALIDARG,
                              "'%s' has files in '%s', too: give that a target as well, or add "
                              "--in-place to have them where they came from",
                              name_of(image), printable(c.outside));
        return EXIT_OK;
}

/* ---- what a writer's schema must have ---- */

static int check_instance(const struct restore_order *order, const struct chosen_image *image) {
        if (!order->wishes.instance ||
            (image->writer->schema & VSS_BS_WRITER_SUPPORTS_RESTORE_WITH_MOVE))
                return EXIT_OK;
        return refuse(VSS_E_NOT_SUPPORTED,
                      "the writer of '%s' cannot restore it into another instance (it has no "
                      "RESTORE_WITH_MOVE, R-29)",
                      name_of(image));
}

/* The files of a writer that passes the name over would come over the ones that live. */
static int check_name(const struct restore_order *order, const struct chosen_image *image) {
        if (!order->wishes.name || order->wishes.target_count > 0 ||
            (image->writer->schema & VSS_BS_RESTORE_RENAME))
                return EXIT_OK;
        return refuse(VSS_E_NOT_SUPPORTED,
                      "the writer of '%s' does not say that it knows --rename, and without it the "
                      "restore would replace what lives there; put it elsewhere with --into DIR or "
                      "--target DIR",
                      name_of(image));
}

/* it is told all the same, and decides */
static void warn(const struct restore_order *order, const struct chosen_image *image) {
        const struct {
                bool wished;
                uint32_t bit;
                const char *option;
        } rows[] = {
                { order->wishes.roll_forward != VSS_RF_UNDEFINED, VSS_BS_ROLLFORWARD_RESTORE,
                  "--roll-forward" },
                { order->wishes.name, VSS_BS_RESTORE_RENAME, "--rename" },
                { order->wishes.authoritative, VSS_BS_AUTHORITATIVE_RESTORE, "--authoritative" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *words = NULL;

                if (rows[i].wished && !(image->writer->schema & rows[i].bit) &&
                    asprintf(&words,
                             "the writer of '%s' does not say that it knows %s; it is told, and "
                             "may pass it over (R-45)",
                             component_name(&set_place_component(&image->place)->key),
                             rows[i].option) >= 0)
                        print_note(words);
        }
}

static int check_image(const struct source_set *from, struct chosen_image *image) {
        const struct restore_order *order = from->order;
        int r = EXIT_OK;

        restore_know_writer(from, image);
        if (order->wishes.target_count > 0)
                r = check_targets(from, image);
        if (r == EXIT_OK && image->writer)
                r = check_instance(order, image);
        if (r == EXIT_OK && image->writer)
                r = check_name(order, image);
        if (r == EXIT_OK && image->writer)
                warn(order, image);
        return r;
}

bool restore_has_wishes(const struct restore_wishes *wishes) {
        return wishes->target_count > 0 || wishes->name || wishes->options || wishes->instance ||
               wishes->authoritative || wishes->roll_forward != VSS_RF_UNDEFINED;
}

/* name_components() - those whom the wishes are for; the keys are lent */
static int name_components(const struct source_set *from, size_t *ret_count) {
        struct component_key *keys = calloc(from->choice->count + 1, sizeof(*keys));
        size_t count = 0;

        if (!keys)
                return EXIT_MEMORY;
        for (size_t i = 0; i < from->choice->count; i++)
                if (from->choice->images[i].named && from->choice->images[i].place.component > 0)
                        keys[count++] = set_place_component(&from->choice->images[i].place)->key;
        from->order->keys = keys;
        from->order->wishes.components = keys;
        from->order->wishes.component_count = count;
        *ret_count = count;
        return EXIT_OK;
}

int restore_check_wishes(const struct source_set *from) {
        struct restore_order *order = from->order;
        bool common = false;
        size_t count;
        int r;

        order->wishes.parts = from->choice->parts;
        order->wishes.part_count = from->choice->part_count;
        if (!restore_has_wishes(&order->wishes))
                return EXIT_OK;
        r = name_components(from, &count);
        if (r == EXIT_OK && order->wishes.name && count != 1)
                r = refuse(E_INVALIDARG, "--rename is for one component, not for %zu", count);
        for (size_t i = 0; i < order->wishes.target_count; i++)
                common |= !order->targets[i].from;
        if (r == EXIT_OK && common)
                r = find_common(from);
        for (size_t i = 0; r == EXIT_OK && i < from->choice->count; i++)
                if (from->choice->images[i].place.component > 0 && from->choice->images[i].named)
                        r = check_image(from, &from->choice->images[i]);
        return r;
}
