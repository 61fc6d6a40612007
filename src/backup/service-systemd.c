/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-systemd.c - services through systemd's D-Bus interface: looking, stopping, starting. Jobs
 * and the connection are in service-jobs.c.
 *
 * To keep a service stopped means to stop what would start it, too: the sockets, paths and
 * timers that trigger it, and those that trigger a unit which needs it and so would pull it in.
 * systemd stops with it what needs it; that is started again as well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backup/service-systemd.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"

enum { UNITS_MAX = 1000 };

/* by which relations systemd stops a unit with the one that is stopped */
static const char *const needs[] = { "RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf",
                                     "PropagatesStopTo" };

static bool has_suffix(const char *name, const char *suffix) {
        size_t n = strlen(name), k = strlen(suffix);

        return n > k && strcmp(name + n - k, suffix) == 0;
}

/* unit_name() - "shop" is "shop.service"; other kinds of units and templates are refused */
static int unit_name(const char *name, char **ret, struct vss_error *reterr) {
        static const char *const kinds[] = {
                ".socket", ".target",    ".timer",  ".path",  ".mount",
                ".swap",   ".automount", ".device", ".slice", ".scope"
        };
        _cleanup_free_ char *unit = NULL;

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (has_suffix(name, kinds[i]))
                        return vss_fail(reterr, E_INVALIDARG, "'%s' is a unit, but no service",
                                        name);
        if (asprintf(&unit, "%s%s", name, has_suffix(name, ".service") ? "" : ".service") < 0) {
                unit = NULL;
                return vss_fail(reterr, -ENOMEM, "out of memory");
        }
        if (strlen(unit) > 255 || strcmp(unit, ".service") == 0)
                return vss_fail(reterr, E_INVALIDARG, "'%s' is no name of a service", name);
        if (has_suffix(unit, "@.service"))
                return vss_fail(reterr, E_INVALIDARG,
                                "'%s' is a template, not one service: the writer must name the "
                                "instance",
                                name);
        *ret = take(unit);
        return 0;
}

static bool runs(const char *state) {
        return strcmp(state, "active") == 0 || strcmp(state, "activating") == 0 ||
               strcmp(state, "reloading") == 0 || strcmp(state, "refreshing") == 0;
}

/* 1 it runs, or is about to be started; 0; negative. @ret_quiet, which may be NULL: it has no job
 */
static int unit_runs(struct systemd *s, const char *unit, bool *ret_quiet,
                     struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL, *state = NULL, *job = NULL;
        int r = systemd_load(s, unit, &path, reterr);

        if (r >= 0)
                r = systemd_get(s, path, "ActiveState", &state, reterr);
        if (r >= 0)
                r = systemd_job_type(s, path, &job, reterr);
        if (r < 0)
                return r;
        if (ret_quiet)
                *ret_quiet = !*job;
        return runs(state) || strcmp(job, "start") == 0 || strcmp(job, "restart") == 0;
}

/* ---- looking ---- */

/* add to @ret what each of @relations of @path names */
static int add_related(struct systemd *s, const char *path, const char *const *relations,
                       size_t count, struct names *ret, struct vss_error *reterr) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < count; i++) {
                struct names names = { 0 };

                r = systemd_get_names(s, path, relations[i], &names, reterr);
                for (size_t k = 0; r >= 0 && k < names.count; k++)
                        if (names_add(ret, names.items[k]) < 0)
                                r = vss_fail(reterr, -ENOMEM, "out of memory");
                names_done(&names);
        }
        return r;
}

struct found {
        struct names units; /* the service, and what is stopped with it */
        struct names triggers; /* of all of these */
};

/* the units that need the service, and those that need these; what triggers any of them */
static int find_all(struct systemd *s, const char *unit, struct found *ret,
                    struct vss_error *reterr) {
        static const char *const triggers[] = { "TriggeredBy" };
        int r = names_add(&ret->units, unit);

        if (r < 0)
                return vss_fail(reterr, r, "out of memory");
        for (size_t i = 0; r >= 0 && i < ret->units.count; i++) {
                _cleanup_free_ char *path = NULL;

                r = systemd_load(s, ret->units.items[i], &path, reterr);
                if (r >= 0)
                        r = systemd_refuse_inhabited(s, path, unit, reterr);
                if (r >= 0)
                        r = add_related(s, path, needs, ELEMENTSOF(needs), &ret->units, reterr);
                if (r >= 0)
                        r = add_related(s, path, triggers, 1, &ret->triggers, reterr);
                if (ret->units.count > UNITS_MAX)
                        r = vss_fail(reterr, VSS_E_BAD_STATE,
                                     "more than %d units would be stopped with '%s'", UNITS_MAX,
                                     unit);
        }
        return r;
}

static int add_if_runs(struct systemd *s, const char *unit, struct names *ret,
                       struct vss_error *reterr) {
        int r = unit_runs(s, unit, NULL, reterr);

        if (r > 0 && names_add(ret, unit) < 0)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        return r;
}

/* a socket cannot be opened while its service runs, a path or timer may start what it triggers */
static int order(const struct names *triggers, const struct names *units, struct names *ret) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < triggers->count; i++)
                if (has_suffix(triggers->items[i], ".socket"))
                        r = names_add(ret, triggers->items[i]);
        for (size_t i = 0; r >= 0 && i < units->count; i++)
                r = names_add(ret, units->items[i]);
        for (size_t i = 0; r >= 0 && i < triggers->count; i++)
                r = names_add(ret, triggers->items[i]);
        return r;
}

static int look_at_all(struct systemd *s, const char *unit, struct service_look *ret,
                       struct vss_error *reterr) {
        struct names triggers = { 0 }, units = { 0 };
        struct found found = { 0 };
        int r = find_all(s, unit, &found, reterr);

        for (size_t i = 0; r >= 0 && i < found.triggers.count; i++)
                r = add_if_runs(s, found.triggers.items[i], &triggers, reterr);
        for (size_t i = 0; r >= 0 && i < found.units.count; i++)
                r = add_if_runs(s, found.units.items[i], &units, reterr);
        ret->active = names_have(&units, unit);
        for (size_t i = 0; r >= 0 && i < triggers.count; i++)
                if (names_add(&ret->stop, triggers.items[i]) < 0)
                        r = -ENOMEM;
        /* what needs it is stopped by systemd in its order; named all the same, some need it so
         * loosely that they would go on */
        if (r >= 0 && ret->active && names_add(&ret->stop, unit) < 0)
                r = -ENOMEM;
        if (r >= 0)
                r = order(&triggers, &units, &ret->again);
        if (r == -ENOMEM)
                (void)vss_fail(reterr, r, "out of memory");
        names_done(&triggers);
        names_done(&units);
        names_done(&found.units);
        names_done(&found.triggers);
        return r < 0 ? r : 0;
}

static int check_loaded(struct systemd *s, const char *path, const char *name,
                        struct vss_error *reterr) {
        _cleanup_free_ char *state = NULL;
        int r = systemd_get(s, path, "LoadState", &state, reterr);

        if (r < 0)
                return r;
        if (strcmp(state, "not-found") == 0)
                return vss_fail(reterr, VSS_E_OBJECT_NOT_FOUND, "there is no service '%s'", name);
        if (strcmp(state, "loaded") != 0)
                return vss_fail(reterr, VSS_E_BAD_STATE,
                                "the service '%s' is %s: stopped, it could not be started again",
                                name, state);
        return 0;
}

static int systemd_look(struct service_manager *m, const char *name, struct service_look *ret,
                        struct vss_error *reterr) {
        struct systemd *s = systemd_of(m);
        _cleanup_free_ char *unit = NULL, *path = NULL;
        int r = unit_name(name, &unit, reterr);

        if (r >= 0)
                r = systemd_load(s, unit, &path, reterr);
        if (r >= 0)
                r = check_loaded(s, path, name, reterr);
        if (r >= 0) /* of an alias, what it stands for */
                r = systemd_get(s, path, "Id", &ret->id, reterr);
        if (r >= 0 && (!service_name_is_good(ret->id) || !has_suffix(ret->id, ".service")))
                r = vss_fail(reterr, E_INVALIDARG, "'%s' stands for '%s', which is no service",
                             name, ret->id);
        return r < 0 ? r : look_at_all(s, ret->id, ret, reterr);
}

/* ---- stopping ---- */

static int still_runs(struct systemd *s, const char *unit, struct vss_error *reterr) {
        _cleanup_free_ char *path = NULL, *state = NULL, *sub = NULL;
        int r = systemd_load(s, unit, &path, reterr);

        if (r >= 0)
                r = systemd_get(s, path, "ActiveState", &state, reterr);
        if (r >= 0)
                r = systemd_get(s, path, "SubState", &sub, reterr);
        if (r < 0)
                return r;
        if (strcmp(state, "inactive") == 0 || strcmp(state, "failed") == 0)
                return 0;
        return vss_fail(reterr, -ETIMEDOUT,
                        "'%s' does not stay stopped: it is %s (%s); see 'systemctl status %s' for "
                        "what starts it",
                        unit, state, sub, unit);
}

static int systemd_stop(struct service_manager *m, const struct service_look *look,
                        uint64_t deadline_us, struct vss_error *reterr) {
        struct systemd *s = systemd_of(m);
        int r = 0;

        /* what would start it first, and only when that is quiet the service */
        for (size_t i = 0; r >= 0 && i < look->stop.count; i++) {
                if (strcmp(look->stop.items[i], look->id) == 0)
                        r = systemd_wait(s, true, deadline_us, reterr);
                if (r >= 0)
                        r = systemd_queue(s, "StopUnit", look->stop.items[i], "replace", reterr);
        }
        if (r >= 0)
                r = systemd_wait(s, true, deadline_us, reterr);
        for (size_t i = 0; r >= 0 && i < look->stop.count; i++)
                r = still_runs(s, look->stop.items[i], reterr);
        return r;
}

/* ---- starting ---- */

/* 0: sockets, 1: what is no trigger, 2: paths, timers and the rest */
static unsigned turn_of(const char *unit) {
        if (has_suffix(unit, ".socket"))
                return 0;
        return has_suffix(unit, ".timer") || has_suffix(unit, ".path") ||
                               has_suffix(unit, ".automount")
                       ? 2
                       : 1;
}

static int start_one(struct systemd *s, const char *unit, struct vss_error *reterr) {
        bool quiet = false;

        /* one that was to be stopped, and was not yet, is not quiet */
        if (unit_runs(s, unit, &quiet, NULL) > 0 && quiet)
                return 0;
        /* of a target just itself: what it wants need not have run */
        return systemd_queue(s, "StartUnit", unit,
                             has_suffix(unit, ".target") ? "ignore-requirements" : "replace",
                             reterr);
}

static int systemd_start(struct service_manager *m, const struct names *names, uint64_t deadline_us,
                         bool *ret_settled, struct vss_error *reterr) {
        struct systemd *s = systemd_of(m);
        int r = 0;

        systemd_forget_jobs(s);
        for (unsigned turn = 0; turn < 3; turn++) {
                int one;

                for (size_t i = 0; i < names->count; i++)
                        if (turn_of(names->items[i]) == turn &&
                            (one = start_one(s, names->items[i], reterr)) < 0)
                                r = one;
                one = systemd_wait(s, false, deadline_us, reterr);
                if (one < 0)
                        r = one;
        }
        *ret_settled = !systemd_is_lost(s);
        return r;
}

static int systemd_is_active(struct service_manager *m, const char *name,
                             struct vss_error *reterr) {
        return unit_runs(systemd_of(m), name, NULL, reterr);
}

static char *systemd_line(struct service_manager *m, const struct names *names) {
        return service_join("systemctl start", names);
}

const struct service_manager_ops systemd_ops = { .look = systemd_look,
                                                 .stop = systemd_stop,
                                                 .start = systemd_start,
                                                 .is_active = systemd_is_active,
                                                 .command_line = systemd_line,
                                                 .close = systemd_close };
