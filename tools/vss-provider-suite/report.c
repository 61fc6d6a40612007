/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - the lines that a provider's author reads.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/array.h"
#include "base/cleanup.h"

struct told {
        char name[64];
        bool broken;
};

static struct told rules[128];
static size_t rule_count;
static unsigned counts[OUTCOME_SKIPPED + 1];

/* A rule that is broken once is broken. */
static void tell_rule(const char *name, bool is_broken) {
        size_t i = 0;

        while (i < rule_count && strcmp(rules[i].name, name) != 0)
                i++;
        if (i == ELEMENTSOF(rules))
                return;
        if (i == rule_count)
                snprintf(rules[rule_count++].name, sizeof(rules[0].name), "%s", name);
        rules[i].broken = rules[i].broken || is_broken;
}

static void tell_rules(const struct verdict *v, bool is_broken) {
        _cleanup_free_ char *list = strdup(v->rules);
        char *rest = NULL;

        for (char *name = list ? strtok_r(list, " ", &rest) : NULL; name;
             name = strtok_r(NULL, " ", &rest))
                tell_rule(name, is_broken && strcmp(name, v->rule) == 0);
}

static void died(struct verdict *v, int status) {
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
                snprintf(v->words, sizeof(v->words), "%s does not come to its end",
                         *v->call ? v->call : "the scenario");
        else
                snprintf(v->words, sizeof(v->words), "the process died (%s %d) in %s",
                         WIFSIGNALED(status) ? "signal" : "exit status",
                         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                         *v->call ? v->call : "the scenario");
        v->outcome = OUTCOME_BROKEN;
}

void report(const struct scenario *scenario, int status) {
        struct verdict *v = suite.verdict;

        if (v->outcome == OUTCOME_DIED)
                died(v, status);
        counts[v->outcome]++;
        if (v->outcome == OUTCOME_HELD) {
                printf("held     %-20s%s\n", scenario->name, v->rules);
                if (*v->words)
                        printf("         %-20s(%s)\n", "", v->words);
        } else if (v->outcome == OUTCOME_BROKEN) {
                printf("BROKEN   %-20s%s%s%s\n", scenario->name, v->rule, *v->rule ? ": " : "",
                       v->words);
        } else {
                printf("skipped  %-20s%s\n", scenario->name, v->words);
        }
        if (v->outcome != OUTCOME_SKIPPED)
                tell_rules(v, v->outcome == OUTCOME_BROKEN);
        fflush(stdout);
}

static void list(const char *title, bool is_broken) {
        bool any = false;

        for (size_t i = 0; i < rule_count; i++)
                if (rules[i].broken == is_broken)
                        printf("%s%s", any ? " " : title, rules[i].name), any = true;
        if (any)
                printf("\n");
}

unsigned report_end(void) {
        printf("\n%u scenarios held, %u broken, %u skipped\n", counts[OUTCOME_HELD],
               counts[OUTCOME_BROKEN], counts[OUTCOME_SKIPPED]);
        list("rules held: ", false);
        list("rules broken: ", true);
        return counts[OUTCOME_BROKEN];
}
