/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-plan.c - see restore-plan.h: the decision about a set (restore-protocol sections 6 and
 * 7).
 */
#define _GNU_SOURCE
#include "backup/restore-plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backup/restore-planning.h"
#include "base/cleanup.h"

/* ---- verdicts ---- */

static void say(char **ret, const char *format, ...) VSS_PRINTF(2, 3);

static void say(char **ret, const char *format, ...) {
        va_list ap;

        free(*ret);
        va_start(ap, format);
        if (vasprintf(ret, format, ap) < 0)
                *ret = NULL;
        va_end(ap);
}

/* nothing() - why is in plan->words */
static void nothing(struct restore_plan *plan, const char *rule, bool writer_error) {
        plan->verdict.course = COURSE_NOTHING;
        plan->verdict.rule = rule;
        plan->verdict.writer_error = writer_error;
        plan->verdict.code = writer_error     ? VSS_E_UNEXPECTED_WRITER_ERROR
                             : plan->strictly ? -EEXIST
                                              : -EBUSY;
        plan->file_rule = "R-90";
}

static bool has_new_target(const struct restore_plan *plan) {
        for (size_t i = 0; i < plan->sets.count; i++)
                if (plan->sets.items[i].new_target)
                        return true;
        return false;
}

static void go(struct restore_plan *plan, enum restore_course course, const char *rule,
               const char *file_rule) {
        plan->verdict.course = course;
        plan->verdict.rule = rule;
        /* with new targets the look has to be enough: there things may be replaced */
        plan->verdict.must_be_absent = plan->strictly && !plan->was_put && !has_new_target(plan);
        plan->file_rule = file_rule;
}

/* ---- looking ---- */

enum seen {
        SEEN_FREE, /* all of the set can go there */
        SEEN_TAKEN,
        SEEN_UNMAPPED, /* not every file has such a place */
        SEEN_MISTAKE /* of the writer */
};

struct look {
        enum seen seen;
        char *words; /* owned: what is in the way */
};

static void look_done(struct look *look) {
        free(look->words);
}

/* judge() - what the sight means, in words */
static void judge(struct restore_plan *plan, const struct restore_sight *sight, struct look *ret) {
        if (plan->mistake) {
                ret->seen = SEEN_MISTAKE;
                say(&ret->words, "writer error: %s (%s)", plan->mistake, plan->mistake_rule);
        } else if (plan->unmapped > 0) {
                ret->seen = SEEN_UNMAPPED;
                say(&ret->words, "'%s' has no alternate location%s%s%s",
                    plan->first_unmapped ? plan->first_unmapped : "", plan->bad_mapping ? ": " : "",
                    plan->bad_mapping ? plan->bad_mapping : "", plan->bad_mapping ? " (R-92)" : "");
        } else if (sight->obstacles > 0) {
                ret->seen = SEEN_TAKEN;
                say(&ret->words, "%s", sight->obstacle_words ? sight->obstacle_words : "");
        } else if (plan->strictly && sight->there > 0) {
                ret->seen = SEEN_TAKEN;
                say(&ret->words, "%s", sight->there_words ? sight->there_words : "");
        } else
                ret->seen = SEEN_FREE;
}

static int look(struct restore_plan *plan, const struct restore_plan_ops *ops,
                enum restore_course course, struct look *ret, struct vss_error *reterr) {
        struct restore_sight sight = { 0 };
        int r;

        *ret = (struct look){ 0 };
        free(plan->first_unmapped);
        free(plan->mistake);
        plan->first_unmapped = plan->mistake = NULL;
        plan->unmapped = 0;
        plan->looking = course;
        plan->was_put = ops->was_put;
        plan->was_put_userdata = ops->userdata;
        r = ops->look(ops->userdata, plan_place, plan, &sight, reterr);
        if (r >= 0 && plan->failed)
                r = vss_fail(reterr, -ENOMEM, "out of memory");
        if (r >= 0)
                judge(plan, &sight, ret);
        restore_sight_done(&sight);
        return r;
}

static bool has_any_mapping(const struct restore_plan *plan) {
        for (size_t i = 0; i < plan->sets.count; i++)
                if (plan->sets.items[i].selected &&
                    (plan->sets.items[i].mapped || plan->sets.items[i].bad_mapping))
                        return true;
        return false;
}

/* ---- the courses ---- */

/* to_mapped() - R-53, R-71, or because the image before is there: there or nowhere */
static int to_mapped(struct restore_plan *plan, const struct restore_plan_ops *ops,
                     const char *rule, const char *file_rule, struct vss_error *reterr) {
        _cleanup_(look_done) struct look mapped = { 0 };
        int r = look(plan, ops, COURSE_MAPPED, &mapped, reterr);

        if (r < 0)
                return r;
        if (mapped.seen == SEEN_FREE) {
                go(plan, COURSE_MAPPED, rule, file_rule);
                return 0;
        }
        if (mapped.seen == SEEN_UNMAPPED)
                say(&plan->words,
                    "writer error: its files go to their alternate locations, "
                    "and %s (%s)",
                    mapped.words, rule);
        else if (mapped.seen == SEEN_MISTAKE)
                plan->words = take(mapped.words);
        else
                say(&plan->words, "at the alternate location: %s (%s)", mapped.words, rule);
        nothing(plan, mapped.seen == SEEN_MISTAKE ? plan->mistake_rule : rule,
                mapped.seen != SEEN_TAKEN);
        return 0;
}

/* fall_back() - R-87: all to the mapped places, when the original one is @taken */
static int fall_back(struct restore_plan *plan, const struct restore_plan_ops *ops,
                     const char *rule, const struct look *taken, struct vss_error *reterr) {
        _cleanup_(look_done) struct look mapped = { 0 };
        int r = look(plan, ops, COURSE_MAPPED, &mapped, reterr);

        if (r < 0)
                return r;
        if (mapped.seen == SEEN_FREE) {
                say(&plan->words, "%s", taken->words);
                go(plan, COURSE_MAPPED, rule, "R-87");
                return 0;
        }
        if (mapped.seen == SEEN_TAKEN)
                say(&plan->words, "%s; nor at its alternate location: %s (%s)", taken->words,
                    mapped.words, rule);
        else
                say(&plan->words, "%s; nor at its alternate location: writer error: %s (%s)",
                    taken->words, mapped.words, rule);
        nothing(plan, mapped.seen == SEEN_MISTAKE ? plan->mistake_rule : rule,
                mapped.seen != SEEN_TAKEN);
        return 0;
}

/* at_boot() - R-54, R-55 */
static int at_boot(struct restore_plan *plan, const char *rule, const struct look *taken) {
        if (taken)
                say(&plan->words, "%s", taken->words);
        go(plan, COURSE_AT_BOOT, rule, "R-88");
        return 0;
}

/* elsewhere() - the original place is @taken: methods 1, 2, 3, 6 and 8 */
static int elsewhere(struct restore_plan *plan, const struct restore_plan_ops *ops,
                     const char *rule, const struct look *taken, struct vss_error *reterr) {
        bool deferred = plan->method.method == VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE;

        if (deferred && plan->target == VSS_RT_ORIGINAL)
                return at_boot(plan, rule, taken);
        if (!deferred && plan->input.before != COURSE_ORIGINAL && has_any_mapping(plan))
                return fall_back(plan, ops, rule, taken, reterr);
        if (deferred)
                rule = "R-77";
        say(&plan->words, "%s%s (%s)", taken->words,
            plan->input.before == COURSE_ORIGINAL
                    ? "; the image before is there, so this one can go nowhere else"
                    : "",
            rule);
        nothing(plan, rule, false);
        return 0;
}

/* to_original() - @rule when something is decided; rows 6, 7, 8 and 10 of section 8 */
static int to_original(struct restore_plan *plan, const struct restore_plan_ops *ops,
                       const char *rule, struct vss_error *reterr) {
        _cleanup_(look_done) struct look original = { 0 };
        int r = look(plan, ops, COURSE_ORIGINAL, &original, reterr);

        if (r < 0)
                return r;
        if (original.seen == SEEN_MISTAKE) {
                plan->words = take(original.words);
                nothing(plan, plan->mistake_rule, true);
                return 0;
        }
        if (original.seen == SEEN_TAKEN && plan->target != VSS_RT_ORIGINAL_LOCATION)
                return elsewhere(plan, ops, rule, &original, reterr);
        if (original.seen == SEEN_TAKEN) {
                say(&plan->words, "%s (%s)", original.words, rule);
                nothing(plan, rule, false);
        } else
                go(plan, COURSE_ORIGINAL, rule,
                   plan->target == VSS_RT_ORIGINAL_LOCATION                             ? "R-85"
                   : plan->method.method == VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE ? "R-89"
                                                                                        : "R-86");
        return 0;
}

/* ---- what is legal ---- */

struct objection {
        const char *rule, *words;
        bool writer_error;
};

/* object_to() - by the document alone; what has no rule is legal */
static struct objection object_to(const struct vss_restore_method *m) {
        bool stops =
                m->method == VSS_RME_STOP_RESTORE_START || m->method == VSS_RME_RESTORE_STOP_START;

        if (m->method == VSS_RME_CUSTOM)
                return (struct objection){ "R-56",
                                           "its writer has a restore procedure of its own: "
                                           "restore it with --into and follow that",
                                           false };
        if (m->method == VSS_RME_UNDEFINED || m->method > VSS_RME_RESTORE_STOP_START)
                return (struct objection){ "R-58", "it declares no restore method", true };
        if (stops && (!m->service || !*m->service))
                return (struct objection){ "R-63",
                                           "its restore method stops a service, and it names none",
                                           true };
        return (struct objection){ 0 };
}

static void refuse(struct restore_plan *plan, const struct objection *o) {
        const char *procedure = plan->method.user_procedure;
        bool tell = !o->writer_error && procedure && *procedure;

        say(&plan->words, "%s%s%s%s (%s)", o->writer_error ? "writer error: " : "", o->words,
            tell ? ", " : "", tell ? procedure : "", o->rule);
        nothing(plan, o->rule, o->writer_error);
        if (!o->writer_error)
                plan->verdict.code = VSS_E_NOT_SUPPORTED;
}

/* check_legal() - 1: it is not, and what that means is said */
static int check_legal(struct restore_plan *plan) {
        struct objection o = object_to(&plan->method);

        if (!o.rule &&
            (plan->target == VSS_RT_UNDEFINED || plan->target > VSS_RT_ORIGINAL_LOCATION))
                o = (struct objection){ "R-74", "it set an undefined restore target", true };
        if (!o.rule)
                return 0;
        refuse(plan, &o);
        return 1;
}

int restore_plan_check(const struct vss_examine_writer_metadata *metadata,
                       struct vss_error *reterr) {
        struct restore_plan plan = { 0 };
        struct objection o;
        int r = 0;

        (void)vss_examine_writer_metadata_get_restore_method(metadata, &plan.method);
        o = object_to(&plan.method);
        if (o.rule) {
                refuse(&plan, &o);
                r = vss_fail(reterr, plan.verdict.code, "%s", plan.words ? plan.words : o.words);
                free(plan.words);
        }
        return r;
}

/* ---- the decision ---- */

static bool goes_to_new_targets(const struct restore_plan *plan) {
        for (size_t i = 0; i < plan->sets.count; i++)
                if (plan->sets.items[i].selected && !plan->sets.items[i].new_target)
                        return false;
        return true;
}

/* needs_service() - not for files that go where the service has none */
static bool needs_service(const struct restore_plan *plan) {
        return plan->target != VSS_RT_ALTERNATE && !goes_to_new_targets(plan);
}

/* stop_service() - R-52; 1: it cannot be stopped */
static int stop_service(struct restore_plan *plan, const struct restore_plan_ops *ops) {
        _cleanup_error_ struct vss_error error = VSS_ERROR_INIT;

        if (plan->method.method != VSS_RME_STOP_RESTORE_START || !needs_service(plan))
                return 0;
        if (ops->stop(ops->userdata, plan->method.service, &error) < 0) {
                say(&plan->words, "service '%s' cannot be stopped: %s (R-52)", plan->method.service,
                    vss_error_message(&error));
                nothing(plan, "R-52", false);
                return 1;
        }
        plan->verdict.stops = true;
        return 0;
}

static const char *rule_of_method(uint32_t method) {
        switch (method) {
        case VSS_RME_RESTORE_IF_NOT_THERE:
                return "R-50";
        case VSS_RME_STOP_RESTORE_START:
                return "R-52";
        case VSS_RME_RESTORE_AT_REBOOT_IF_CANNOT_REPLACE:
                return "R-55";
        case VSS_RME_RESTORE_STOP_START:
                return "R-57";
        default:
                return "R-51";
        }
}

static int decide(struct restore_plan *plan, const struct restore_plan_ops *ops,
                  struct vss_error *reterr) {
        uint32_t method = plan->method.method;

        if (method == VSS_RME_RESTORE_AT_REBOOT) {
                if (plan->target != VSS_RT_ORIGINAL)
                        say(&plan->warning, "the writer set a restore target, which does not count "
                                            "for files that are put in place at boot (R-77)");
                plan->target = VSS_RT_ORIGINAL;
                return at_boot(plan, "R-54", NULL);
        }
        plan->strictly = method == VSS_RME_RESTORE_IF_NOT_THERE &&
                         plan->target != VSS_RT_ALTERNATE &&
                         plan->target != VSS_RT_ORIGINAL_LOCATION;
        if (plan->target == VSS_RT_ALTERNATE)
                return to_mapped(plan, ops, "R-71", "R-84", reterr);
        if (plan->target == VSS_RT_ORIGINAL_LOCATION)
                return to_original(plan, ops, "R-72", reterr);
        if (method == VSS_RME_RESTORE_TO_ALTERNATE_LOCATION)
                return to_mapped(plan, ops, "R-53", "R-84", reterr);
        if (plan->input.before == COURSE_AT_BOOT)
                return at_boot(plan, rule_of_method(method), NULL);
        if (plan->input.before == COURSE_MAPPED)
                return to_mapped(plan, ops, rule_of_method(method), "R-87", reterr);
        return to_original(plan, ops, rule_of_method(method), reterr);
}

int restore_plan_decide(struct restore_plan *plan, const struct restore_plan_ops *ops,
                        struct vss_error *reterr) {
        int r = check_legal(plan);

        if (r == 0)
                r = stop_service(plan, ops);
        if (r == 0)
                r = decide(plan, ops, reterr);
        plan->verdict.words = plan->words;
        plan->verdict.warning = plan->warning;
        plan->verdict.restarts =
                plan->method.method == VSS_RME_RESTORE_STOP_START && needs_service(plan);
        plan->verdict.announces_reboot = plan->method.reboot_required;
        plan->verdict.to_new_targets = goes_to_new_targets(plan);
        if (plan->verdict.stops || plan->verdict.restarts)
                plan->verdict.service = plan->method.service;
        plan->decided = true;
        return r < 0 ? r : 0;
}

const struct restore_verdict *restore_plan_verdict(const struct restore_plan *plan) {
        return &plan->verdict;
}

bool restore_plan_failed(const struct restore_plan *plan) {
        return plan->failed;
}
