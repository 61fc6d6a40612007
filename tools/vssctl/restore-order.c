/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-order.c - the command line of 'vssctl restore', made into an order: each option's value,
 * and what goes together.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "restore.h"
#include "vssctl.h"

/* ---- options ---- */

void strip_slashes(char *path) {
        size_t n = strlen(path);

        while (n > 1 && path[n - 1] == '/')
                path[--n] = '\0';
}

int restore_order_path(struct restore_order *order, char *path) {
        strip_slashes(path);
        if (!path_is_clean(path))
                return usage_error("'%s': name paths as they were, absolute and without '.' or "
                                   "'..'",
                                   printable(path));
        if (ARRAY_RESERVE(&order->paths, order->path_count, &order->path_capacity) < 0)
                return EXIT_MEMORY;
        order->paths[order->path_count++] = path;
        return EXIT_OK;
}

/* resolve() - absolute and without links, as far as it exists; NULL with errno. Nothing is made */
static char *resolve(const char *folder) {
        char *resolved = realpath(folder, NULL);
        _cleanup_free_ char *above = NULL, *base = NULL;
        const char *name = strrchr(folder, '/');

        if (resolved || errno != ENOENT)
                return resolved;
        if (!name)
                above = realpath(".", NULL);
        else if (name > folder) {
                base = strndup(folder, (size_t)(name - folder));
                above = base ? resolve(base) : NULL;
        } else
                above = strdup("/");
        name = name ? name + 1 : folder;
        if (above && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)) {
                errno = ENOENT;
                return NULL;
        }
        if (above && *name == '\0')
                return strdup(above);
        return above ? path_join(strcmp(above, "/") == 0 ? "" : above, name) : NULL;
}

int restore_order_target(struct restore_order *order, const char *given) {
        const char *split = *given == '/' ? strstr(given, "=/") : NULL;
        size_t n = order->wishes.target_count;

        if (n == ELEMENTSOF(order->targets))
                return usage_error("at most %zu targets at a time", ELEMENTSOF(order->targets));
        order->wishes.targets = order->targets;
        order->wishes.target_count++;
        if (split) {
                order->target_from[n] = strndup(given, (size_t)(split - given));
                if (!order->target_from[n])
                        return EXIT_MEMORY;
                strip_slashes(order->target_from[n]);
                if (!path_is_clean(order->target_from[n]))
                        return usage_error("--target '%s': name the old folder as it was, absolute "
                                           "and without '.' or '..'",
                                           printable(given));
        }
        order->target_to[n] = resolve(split ? split + 1 : given);
        if (!order->target_to[n])
                return usage_error("--target '%s': %s", printable(given), strerror(errno));
        order->targets[n] = (struct restore_mapping){ order->target_from[n], order->target_to[n] };
        return EXIT_OK;
}

int restore_order_roll_forward(struct restore_order *order, const char *given) {
        struct restore_wishes *wishes = &order->wishes;

        if (wishes->roll_forward != VSS_RF_UNDEFINED)
                return usage_error("--roll-forward once: all, none, or the point to stop at");
        wishes->roll_forward = strcmp(given, "all") == 0    ? VSS_RF_ALL
                               : strcmp(given, "none") == 0 ? VSS_RF_NONE
                                                            : VSS_RF_PARTIAL;
        wishes->point = wishes->roll_forward == VSS_RF_PARTIAL ? given : NULL;
        return EXIT_OK;
}

/* ---- what goes together ---- */

static bool has_open_target(const struct restore_order *order) {
        for (size_t i = 0; i < order->wishes.target_count; i++)
                if (!order->targets[i].from)
                        return true;
        return false;
}

/* the first option that only a writer can do something with; NULL: none was given */
static const char *option_for_writers(const struct restore_wishes *wishes) {
        return wishes->target_count > 0                   ? "--target"
               : wishes->name                             ? "--rename"
               : wishes->options                          ? "--restore-option"
               : wishes->instance                         ? "--instance"
               : wishes->authoritative                    ? "--authoritative"
               : wishes->roll_forward != VSS_RF_UNDEFINED ? "--roll-forward"
                                                          : NULL;
}

static int check_destination(const struct restore_order *order) {
        const char *option = option_for_writers(&order->wishes);

        if (order->into && order->in_place)
                return usage_error("--into or --in-place, not both");
        if (order->into && option)
                return usage_error("%s is for writers, and --into tells none: it gives the files "
                                   "to you alone (R-39)",
                                   option);
        if (!order->into && !order->in_place && order->wishes.target_count == 0)
                return usage_error("say where to: --into DIR for a look beside, --in-place to "
                                   "replace what is there, or --target [FROM=]DIR");
        return EXIT_OK;
}

static int check_targets(const struct restore_order *order) {
        bool open = has_open_target(order);

        if (open && order->wishes.target_count > 1)
                return usage_error("--target DIR takes all of it; more than one: --target "
                                   "FROM=DIR");
        if (open && order->components.count == 0)
                return usage_error("say what goes there: --target FROM=DIR, both absolute, or "
                                   "--component");
        for (size_t i = 0; i < order->wishes.target_count; i++)
                for (size_t k = 0; k < i; k++)
                        if (!open && strcmp(order->targets[i].from, order->targets[k].from) == 0)
                                return usage_error("two targets for '%s'",
                                                   printable(order->targets[i].from));
        return EXIT_OK;
}

static int check_components(const struct restore_order *order) {
        const struct restore_wishes *wishes = &order->wishes;
        const char *option = wishes->name       ? "--rename"
                             : wishes->options  ? "--restore-option"
                             : wishes->instance ? "--instance"
                                                : NULL;

        if (option && order->components.count == 0)
                return usage_error("%s: say of which component, with --component", option);
        if (wishes->target_count > 0 && order->keep_existing && order->in_place)
                return usage_error("--keep-existing goes with --target or --in-place, not with "
                                   "both");
        return EXIT_OK;
}

/* limit_paths() - with targets alone only what has one is asked for */
static int limit_paths(struct restore_order *order) {
        const size_t asked = order->path_count;
        int r = EXIT_OK;

        if (order->in_place || order->wishes.target_count == 0 || has_open_target(order))
                return EXIT_OK;
        for (size_t i = 0; i < asked; i++) {
                bool inside = false;

                for (size_t k = 0; k < order->wishes.target_count; k++)
                        inside |= path_is_below(order->paths[i], order->targets[k].from);
                if (!inside)
                        return usage_error("'%s' has no target: --target FROM=DIR, or --in-place "
                                           "to have it where it came from",
                                           printable(order->paths[i]));
        }
        for (size_t k = 0; asked == 0 && r == EXIT_OK && k < order->wishes.target_count; k++)
                r = restore_order_path(order, order->target_from[k]);
        return r;
}

static int make_into(struct restore_order *order) {
        int r = mkdir_parents(order->into, 0755);

        order->into_resolved = r < 0 ? NULL : realpath(order->into, NULL);
        if (!order->into_resolved)
                return usage_error("--into '%s': %s", printable(order->into),
                                   strerror(r < 0 ? -r : errno));
        /* once, and not for each file; a closed folder's owner is told by the engine */
        if (access(order->into_resolved, W_OK) < 0 && errno != EACCES)
                return usage_error("--into '%s': %s", printable(order->into), strerror(errno));
        order->into = order->into_resolved;
        return EXIT_OK;
}

int restore_order_check(struct restore_order *order) {
        int r = EXIT_OK;

        if (!order->from)
                return usage_error("say which store: --from STORE");
        r = check_destination(order);
        if (r == EXIT_OK)
                r = check_targets(order);
        if (r == EXIT_OK)
                r = check_components(order);
        if (r == EXIT_OK)
                r = limit_paths(order);
        return r == EXIT_OK && order->into && !order->plan ? make_into(order) : r;
}

void restore_order_done(struct restore_order *order) {
        for (size_t i = 0; i < order->wishes.target_count; i++) {
                free(order->target_from[i]);
                free(order->target_to[i]);
        }
        free(order->common);
        free(order->keys);
        free(order->paths);
        free(order->into_resolved);
}
