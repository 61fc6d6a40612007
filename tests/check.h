/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.h - printing assertions for plain test programs. Exit 0 passed, 1 failed, 77 skipped.
 *
 * RUN(test_name) prints "ok" lines, so that the runner can count single tests.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#undef NDEBUG
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_FAIL_(...)                                                                           \
        do {                                                                                       \
                fflush(stdout);                                                                    \
                fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, __func__);                      \
                fprintf(stderr, __VA_ARGS__);                                                      \
                fputc('\n', stderr);                                                               \
                exit(1);                                                                           \
        } while (0)

#define CHECK(condition)                                                                           \
        do {                                                                                       \
                if (!(condition))                                                                  \
                        CHECK_FAIL_("not true: %s", #condition);                                   \
        } while (0)

#define CHECK_INT(actual, expected)                                                                \
        do {                                                                                       \
                intmax_t a_ = (intmax_t)(actual), e_ = (intmax_t)(expected);                       \
                if (a_ != e_)                                                                      \
                        CHECK_FAIL_("%s is %jd (%#jx), expected %s = %jd", #actual, a_,            \
                                    (uintmax_t)a_, #expected, e_);                                 \
        } while (0)

#define CHECK_STR(actual, expected)                                                                \
        do {                                                                                       \
                const char *a_ = (actual), *e_ = (expected);                                       \
                if ((!a_ || !e_) ? a_ != e_ : strcmp(a_, e_) != 0)                                 \
                        CHECK_FAIL_("%s is \"%s\", expected \"%s\"", #actual, a_ ? a_ : "(null)",  \
                                    e_ ? e_ : "(null)");                                           \
        } while (0)

#define SKIP(...)                                                                                  \
        do {                                                                                       \
                printf("skipped: ");                                                               \
                printf(__VA_ARGS__);                                                               \
                putchar('\n');                                                                     \
                exit(77);                                                                          \
        } while (0)

#define RUN(test)                                                                                  \
        do {                                                                                       \
                test();                                                                            \
                printf("ok %s\n", #test);                                                          \
        } while (0)

#endif
