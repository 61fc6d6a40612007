/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verdict.c - the words of a scenario's end, written where the program that tells it can read.
 */
#define _GNU_SOURCE
#include "suite.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_word(const char *words_, const char *word) {
        size_t n = strlen(word);

        for (const char *p = words_; (p = strstr(p, word)); p += n)
                if ((p == words_ || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
                        return true;
        return false;
}

void rule(const char *number) {
        struct verdict *v = suite.verdict;
        size_t used = strlen(v->rules);

        snprintf(v->rule, sizeof(v->rule), "%s", number);
        if (!has_word(v->rules, number))
                snprintf(v->rules + used, sizeof(v->rules) - used, "%s%s", used ? " " : "", number);
}

/* The first verdict counts: what a fresh process found is what its starter fails by. */
static _Noreturn void end(enum outcome outcome, const char *format, va_list arguments) {
        struct verdict *v = suite.verdict;
        int none = OUTCOME_DIED;
        char text[sizeof(v->words)];

        vsnprintf(text, sizeof(text), format, arguments);
        if (suite.loud)
                fprintf(stderr, "%s: %s\n", suite.verdict->call, text);
        if (atomic_compare_exchange_strong(&v->outcome, &none, (int)outcome))
                memcpy(v->words, text, sizeof(text));
        _exit(1);
}

void broken(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        end(OUTCOME_BROKEN, format, arguments);
}

void skip(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        end(OUTCOME_SKIPPED, format, arguments);
}

void note(const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(suite.verdict->words, sizeof(suite.verdict->words), format, arguments);
        va_end(arguments);
}

const char *fail_of(int r) {
        static char text[2048];

        snprintf(text, sizeof(text), "%s%s%s", r >= 0 ? "success" : vss_error_name(r),
                 words.message ? ": " : "", words.message ? words.message : "");
        return text;
}
