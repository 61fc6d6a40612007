/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * util.h - the little that every packaged writer needs: release at the end of the scope, words
 * that can travel, and values of a settings file. No writer's own business.
 */
#ifndef WRITERS_COMMON_UTIL_H
#define WRITERS_COMMON_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "vss/error.h"

static inline void util_freep(void *p) {
        free(*(void **)p);
}

static inline void util_closep(int *fd) {
        if (*fd >= 0)
                close(*fd);
}

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(util_freep)
#define _cleanup_close_ _cleanup_(util_closep)
#define _cleanup_error_ _cleanup_(vss_error_clear)
#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))

/* util_grow() - room for one more element at the end; 0 or -ENOMEM. Through GROW(&items, count) */
int util_grow(void **items, size_t count, size_t size);
#define GROW(items, count) util_grow((void **)(items), (count), sizeof(**(items)))

/* util_character() - bytes of the UTF-8 character at @text, 0 when there is none that fits into
 * words and names: no UTF-8, or a control character */
size_t util_character(const char *text);

/* util_printable() - make @text fit for a message: what is no UTF-8 or a control character
 * becomes '?'. File names are bytes; words travel over D-Bus, which takes UTF-8 only. */
void util_printable(char *text);

/* util_fail() - vss_fail() with printable words: for every message that names a path */
int util_fail(struct vss_error *reterr, int code, const char *format, ...) VSS_PRINTF(3, 4);

/* util_words() - the message of @from, or general words for @code; lent by @from */
const char *util_words(const struct vss_error *from, int code);

uint64_t util_now_us(void);

/* util_join() - "/a" and "b" give "/a/b", "/" and "b" give "/b"; NULL when out of memory */
char *util_join(const char *directory, const char *name);

/* util_path_is_clean() - absolute, no "." "..", no empty element, no element above 255 bytes, at
 * most 4095 bytes (SEC-60); "/" alone is clean */
bool util_path_is_clean(const char *path);

/* util_path_is_below() - element-wise; a path is below itself */
bool util_path_is_below(const char *path, const char *ancestor);

/* util_replace() - *to becomes a copy of @from; 0 or -ENOMEM */
int util_replace(char **to, const char *from);

/*
 * util_next_word() - cut the next word off @rest, in place
 *
 * Words are separated by blanks. "between quotes" blanks belong to the word, \" \\ \xHH stand
 * for a quote, a backslash and any byte but NUL; elsewhere a backslash is a plain character.
 *
 * Return: 1 and *ret, 0 at the end, E_INVALIDARG for an open quote or a bad escape
 */
int util_next_word(char **rest, char **ret);

/* Values; 0 and *ret, or E_INVALIDARG. Durations: "200ms", "10s", "5min", plain seconds. */
int util_bool(const char *value, bool *ret);
int util_duration_ms(const char *value, uint32_t *ret);
int util_number(const char *value, uint64_t max, uint64_t *ret); /* decimal or 0x */

/* util_word_in() - index of @word in the NULL-terminated @words without regard to case, or -1 */
int util_word_in(const char *word, const char *const *words);

#endif
